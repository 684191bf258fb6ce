/* SPDX-License-Identifier: MIT
 * settings.h - the one table of settings: what may be written where, its type, bounds and default.
 *
 * It parses, validates, prints the manual (config_settings_doc) and drives config_show.  A new
 * setting is one row here and one line where its value is used.  Rows are in alphabetical order;
 * a name may have several rows where it means different things in different places. */
#ifndef SWITCHD_CORE_SETTINGS_H
#define SWITCHD_CORE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/base/must.h"

/* The mappings in which settings stand. */
enum {
	AT_TOP      = 1 << 0,
	AT_LISTEN   = 1 << 1,
	AT_STATE    = 1 << 2,
	AT_AUTH     = 1 << 3,
	AT_DEFAULTS = 1 << 4,
	AT_SERVICE  = 1 << 5,
	AT_SLOTS    = 1 << 6,
	AT_SLOT     = 1 << 7,
	AT_TLS      = 1 << 8,
	AT_PROXY    = 1 << 9,
	AT_BACKENDS = 1 << 10,
	AT_GATES    = 1 << 11,
	AT_IDENTITY = 1 << 12,
	AT_BUDGET   = 1 << 13,
	AT_FEATURE  = 1 << 14,
	AT_COMMAND  = 1 << 15,
	AT_INVENTORY = 1 << 16,
	AT_LOGIN    = 1 << 17,
	AT_COMPARE  = 1 << 18,
	AT_ASSETS   = 1 << 19,
	AT_STEP     = 1 << 20,
	AT_EXEC     = 1 << 21,
	AT_GRPC     = 1 << 22,
	AT_TCP      = 1 << 23,
	AT_CERTIFICATE = 1 << 24,
	AT_WEBSOCKET = 1 << 25,
	AT_AGENT    = 1 << 26,
	N_PLACES    = 27
};
const char *place_name(unsigned at);    /* one place: "the top level", "a service"... */

enum setting_type {
	T_DURATION,     /* 500ms 2s 1m 24h 1d: min and max in ms */
	T_FOREVER,      /* a duration, or the word forever */
	T_INT, T_BOOL,
	T_WORD,         /* one of words */
	T_WORDS,        /* a list of them */
	T_TEXT,         /* one line; min and max are its length in bytes */
	T_BODY,         /* text that may have lines */
	T_NAME,         /* name_ok() */
	T_METHOD,       /* of HTTP */
	T_FILE,         /* an absolute path in the file system */
	T_PATH,         /* of a URL, from the slash on */
	T_ORIGIN,       /* http(s)://host[:port] */
	T_URL,          /* http(s)://host[:port]/path */
	T_ADDRESS,      /* host:port, or a URL */
	T_LISTEN,       /* host:port, or off */
	T_SOCKET,       /* an absolute path, or host:port */
	T_REDIS,        /* see redis_url.h */
	T_LINES,        /* a list of texts */
	T_LINE_OR_LINES,        /* the same; one text alone is a list of it */
	T_BLOCK,        /* a mapping of settings */
	T_MAP,          /* a mapping of names that the user chooses */
	T_LIST,         /* a list of mappings */
	T_MAP_OR_LIST,
	T_MAP_OR_LINES, /* a mapping, a list of texts, or one text alone */
	T_BOOL_OR_BLOCK,        /* true, false, or a mapping of settings */
	T_ANY,          /* whatever its owner takes: a text, a mapping, a list */
};

struct setting {
	const char *name;
	unsigned where;
	enum setting_type type;
	int64_t min, max;
	const char *def;        /* as one would write it; NULL = none (the doc says what then) */
	const char *words;      /* of T_WORD, T_WORDS: "auto ask never" */
	bool need;              /* must be there */
	bool restart;           /* a change is not taken up by a reload */
	const char *doc;
};

size_t settings_count(void);
const struct setting *setting_at(size_t i);
const struct setting *setting_find(const char *name, unsigned at);      /* NULL: no such setting there */
/* Where else the name stands, for a hint; 0 = nowhere. */
unsigned setting_elsewhere(const char *name);

/* The value of a scalar setting.  n: ms, number, 0/1, index of the word. */
struct value { int64_t n; };
/* False: why says what is wanted ("want a duration such as 500ms, 2s or 1m, got "5""). */
MUSTCHECK bool setting_parse(const struct setting *, const char *text, struct value *out, char *why, size_t why_size);
bool setting_is_scalar(const struct setting *);
/* The i-th word of the list, or NULL. */
const char *setting_word(const struct setting *, size_t i, char out[32]);

/* "1m", "200ms": the shortest that loads again as the same number; "forever" for INT64_MAX. */
const char *duration_text(int64_t ms, char out[32]);
MUSTCHECK bool duration_parse(const char *text, int64_t *ms);

#endif
