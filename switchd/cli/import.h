/* SPDX-License-Identifier: MIT
 * import.h - configurations made of what a site has already: haproxy.cfg, an OpenAPI document. */
#ifndef SWITCHD_CLI_IMPORT_H
#define SWITCHD_CLI_IMPORT_H

#include "switchd/base/arena.h"
#include "switchd/base/buf.h"
#include "switchd/core/config/address.h"
#include "switchd/core/config/config.h"

enum {
	IMPORT_MAX_TEXT = 1024 * 1024,
	IMPORT_MAX_LINES = 20000,
	IMPORT_MAX_BACKENDS = 256,
	IMPORT_MAX_WORDS = 64,          /* of one line, as HAProxy's own limit */
};

/* ---- import_yaml.c: texts of others into YAML that loads as it was meant ---- */
void yaml_text(struct buf *, const char *);     /* a quoted scalar */
void yaml_comment(struct buf *, const char *);  /* on one line, printable */
const char *import_environment(const char *name, void *arg);    /* a config_env_fn: nothing is set */

/* ---- haproxy.cfg ---- */

/* What became of a line of the source: every one has exactly one of these. */
enum import_line { LINE_UNREAD, LINE_BLANK, LINE_CARRIED, LINE_STAYS, LINE_TODO, N_LINES };

struct hap_server { const char *name, *address; int line; bool tls, no_verify, backup; const char *ca_file; };
struct hap_check { int line; const char *method, *path, *host; const char **expect; size_t n_expect; };
struct hap_backend {
	const char *name; int line;
	bool listens;                   /* a `listen`: its own frontend */
	struct hap_server *servers; size_t n_servers, room;
	struct hap_check check;
};
struct hap_front {
	const char *name; int line;
	const char *bind; bool tls; int bind_line;
	const char *uses[32]; int use_line[32]; size_t n_uses;
	const char *fallback; int fallback_line;        /* default_backend */
	const char *host; int host_line;                /* of an ACL on the Host header */
};

struct hap {
	struct arena *arena;
	const char *file;
	enum import_line *became; size_t n_lines;       /* [line - 1] */
	struct hap_todo { int line; const char *text, *why; } *todos; size_t n_todos, todo_room;
	struct hap_backend *backends; size_t n_backends;
	struct hap_front *fronts; size_t n_fronts;
	const char *stats_socket; int stats_line;
};

/* False: not a haproxy.cfg that can be read; why says what and where.  arena is the caller's and keeps everything. */
MUSTCHECK bool hap_read(struct hap *, struct arena *, const char *file, const char *text, size_t len, char *why, size_t why_size);
void hap_todo(struct hap *, int line, const char *text, const char *why);
/* The configuration, with its comments; counts: lines by what became of them. */
void hap_write(struct hap *, struct buf *out, size_t counts[N_LINES]);

#endif
