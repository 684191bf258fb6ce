/* SPDX-License-Identifier: MIT
 * inventory.h - the routes that a slot says it has, and what two slots' lists differ in.
 *
 * Pure.  probes/inventory*.c fills a list from a document of a slot and from asking; here lists are
 * kept (bounded, each path once), compared, and printed.  A path is what a request would carry, with
 * its query; one with {name} in it is a pattern: listed and compared, never asked. */
#ifndef SWITCHD_CORE_INVENTORY_H
#define SWITCHD_CORE_INVENTORY_H

#include <jansson.h>

#include "switchd/core/config/config.h"
#include "switchd/core/config/diag.h"

enum {
	INVENTORY_MAX_ROUTES = 2000,    /* of one slot: twenty times what MAX_FEATURES can cover */
	INVENTORY_MAX_PATH = 512,       /* bytes */
	INVENTORY_MAX_SHAPE = 1024,     /* of a shape kept with a route; a longer one is left out */
	INVENTORY_MAX_NOTES = 32,
	INVENTORY_NOTE = 240,
};

enum route_asked { ROUTE_NOT_ASKED, ROUTE_ANSWERED, ROUTE_SILENT };

struct inventory_route {
	char *path;
	unsigned sources;               /* bit i: the i-th source of the config lists it */
	bool pattern;                   /* has {name} in it */
	bool ask;                       /* some source wants it asked */
	bool alike;                     /* only a log tells of it: listed by both slots, whoever has it */
	enum route_asked asked;
	long status;                    /* 0 = no answer */
	char type[64];                  /* media type, "" = none told */
	char *shape;                    /* shape_json() of the answer, or NULL */
};

struct inventory {
	struct inventory_route *routes; size_t n, cap;
	uint32_t *index; size_t index_size;     /* path -> number + 1 */
	size_t left_out;                /* routes past the maximum, paths that are none, addresses of other hosts */
	bool failed;                    /* a source could not be read: this is not the whole list */
	unsigned absent;                /* bit i: the i-th source is not there: its document is a 404 */
	bool late;                      /* the deadline came before every route was asked */
	char notes[INVENTORY_MAX_NOTES][INVENTORY_NOTE]; size_t n_notes;        /* what could not be read, and what was left out */
	wall_ms at;
	enum slot slot;
	id_text release;                /* that was in the slot */
	char target[96];                /* who answered */
};

struct inventory *inventory_new(void);
void inventory_free(struct inventory **);
/* Takes a copy.  False: not a path, or there are too many (counted in left_out). */
bool inventory_add(struct inventory *, const char *path, size_t len, int source, bool ask, bool alike);
struct inventory_route *inventory_find(const struct inventory *, const char *path);
void inventory_note(struct inventory *, bool failed, const char *fmt, ...) PRINTF(3, 4);
/* Of a source that is not there; the words become a note. */
void inventory_absent(struct inventory *, int source, const char *fmt, ...) PRINTF(3, 4);
void inventory_sort(struct inventory *);        /* by path; forgets nothing */

/* A reference found in a document at `base` (a path) of `host` ("" = any host will do), made a path.
 * False: of another host, or nothing that a GET could ask for (mailto:, #here). */
MUSTCHECK bool inventory_resolve(const char *base, const char *host, const char *ref, size_t len, char out[INVENTORY_MAX_PATH + 1]);
/* Not to be asked by a machine: /logout, /cart/delete?... */
bool inventory_unsafe(const char *path);

/* ---- two lists ---- */
enum fate {
	FATE_LOST,              /* the active slot has it, the idle one lacks it, and no manifest said so */
	FATE_UNKNOWN,           /* cannot be told: somebody did not answer */
	FATE_CHANGED,           /* on both, and what comes back has another shape: told, never refused */
	FATE_REMOVED,           /* lost, and declared */
	FATE_GAINED,
	FATE_PRESENT,
	FATE_BROKEN,            /* listed, and answered by neither */
	N_FATES
};
const char *fate_name(enum fate);

struct fate_row { const char *path; enum fate fate; const struct inventory_route *active, *idle; bool probed; char why[120]; };

struct inventory_diff {
	struct fate_row *rows; size_t n;        /* worst first, then by path */
	size_t count[N_FATES];
	size_t routes, probed;          /* of the active slot (of the idle one when none is active): all, and with a feature that asks it */
	bool known;                     /* both lists are whole and nothing is unknown: lost is all that is lost */
	char why[256];                  /* when not known: what could not be told; else who lost what, or has no list yet, or "" */
};

/* Whether what comes back has kept its shape is probes' to say (shape.h). */
typedef bool inventory_same_fn(const char *shape_active, const char *shape_idle);

/* removes: paths (a * at the end covers what begins so) and names of features.  active may be NULL: nothing to lose.
 * A source that is not there on the active slot and is on the idle one lists nothing yet: the first release that brings it
 * must be able to pass.  Never the other way round: on the idle slot it is a list that could not be read.
 * The rows point into the two lists. */
void inventory_compare(const struct service_config *, const struct inventory *active, const struct inventory *idle, const char *const *removes,
		       size_t n_removes, inventory_same_fn *, struct inventory_diff *out);
void inventory_diff_free(struct inventory_diff *);
/* Some feature of the service asks this route (queries aside, {x} stands for one segment). */
bool inventory_probed(const struct service_config *, const char *path);

json_t *inventory_json(const struct inventory *);       /* {"at","release","target","complete","notes","routes":[...]} */
json_t *inventory_diff_json(const struct inventory_diff *);

/* What the gate is told (core/decide/decide.h's world), of one deploy. */
struct inventory_view { uint64_t deploy; bool configured, comparing, compared, known; size_t lost, removed; char detail[280]; };

#endif
