/* SPDX-License-Identifier: MIT
 * ledger.h - the memory of one service: which release had which feature, when, and who made it live.
 *
 * Pure: no clock, no I/O.  The engine feeds it with the record and with verdicts (never with single probes, D12), writes
 * what changed beside the record, and reads it for `blame`.  A release is remembered by id and slot; the same id with
 * another digest is another release.  Times are wall clock, 0 = never.
 *
 * Bounds: 32 releases and 256 names of features a service; a release has at most 128 facts, a manifest of 8 KiB and 256
 * routes.  One stored value stays under 32 kB (store_put's limit).  What gives way goes to the archive first. */
#ifndef SWITCHD_CORE_LEDGER_H
#define SWITCHD_CORE_LEDGER_H

#include <jansson.h>

#include "switchd/core/config/config.h"

enum {
	LEDGER_RELEASES = 32,
	LEDGER_FEATURES = 2 * MAX_FEATURES,
	LEDGER_FACTS = MAX_FEATURES,
	LEDGER_ROUTES = 256,
	LEDGER_MANIFEST = 8 * 1024,
	LEDGER_VALUE = 32 * 1024,
	LEDGER_REFRESH_MS = 60 * 1000,  /* an unchanged verdict is written anew so often, no more */
};

/* A time during which the release was active. */
struct ledger_live { wall_ms from, to; id_text by, ended_by; };         /* to 0 = it still is */

/* One feature on one release. */
struct ledger_fact {
	name_text feature;
	uint64_t probe;                 /* fingerprint: facts of another probe are no facts of this one */
	enum verdict now;               /* the last one that was told: present, absent; unknown = none yet */
	wall_ms first_present, last_present, first_absent, last_absent;
	wall_ms absent_since;           /* of the present run of absents; 0 = it is not absent */
	wall_ms told;                   /* absent_since as late breakage was reported: once is enough */
};

struct ledger_route { char path[256]; int status; char shape[64]; };

struct ledger_release {
	unsigned number;                /* its place in the store, 0 to 31 */
	id_text id;
	tag_text digest;
	enum slot slot;
	enum release_state state;
	bool held;                      /* it is in its slot now */
	wall_ms arrived, again, left;   /* first and last announced; 0 = it is there */
	wall_ms baked;                  /* end of the last bake */
	int rechecks;                   /* of the settings' list, done since */
	struct ledger_live first, last; unsigned n_live;
	char *manifest;                 /* a JSON object, or NULL = none was told */
	wall_ms inventory_at;           /* 0 = no inventory was taken */
	struct ledger_route *routes; size_t n_routes; bool routes_cut;
	struct ledger_fact *facts; size_t n_facts;
	bool dirty, more_dirty;         /* not yet written: facts; manifest and routes */
};

struct ledger_feature { name_text name; uint64_t probe; wall_ms since; bool watched; };        /* since: it is probed as it is now */

struct ledger {
	struct ledger_feature features[LEDGER_FEATURES]; size_t n_features;
	struct ledger_release *list[LEDGER_RELEASES]; size_t n;        /* by arrival, oldest first */
	struct ledger_release *evicted; /* gave way: the caller archives and frees it */
	uint32_t reserved;              /* numbers whose stored value could not be understood: never written over */
	bool dirty;                     /* the head is not yet written */
};

struct ledger *ledger_new(void);
void ledger_free(struct ledger **);
void ledger_release_free(struct ledger_release *);

/* The record as it stands: arrivals, leavings, who is live since when and by whom.  Asked again it changes nothing. */
void ledger_record(struct ledger *, const struct record *, wall_ms now);
/* The features that are probed now; others are kept as history while there is room. */
void ledger_watch(struct ledger *, const struct service_config *, wall_ms now);

struct ledger_sight {
	const char *feature; uint64_t probe;
	enum verdict verdict;           /* partial and unknown say nothing about either */
	wall_ms at;                     /* when it turned so; present: when last seen */
	wall_ms last_present;           /* absent: the last present answer before it; 0 = none known */
	wall_ms now;
};
/* True when the verdict is another than the last one told: a fact for the archive. */
bool ledger_note(struct ledger *, struct ledger_release *, const struct ledger_sight *);

/* The release that the record names for a slot; NULL = none. */
struct ledger_release *ledger_in_slot(const struct ledger *, enum slot);
struct ledger_release *ledger_find(const struct ledger *, const char *id);      /* the newest of that id */
const struct ledger_fact *ledger_fact(const struct ledger_release *, const char *feature);
const struct ledger_feature *ledger_feature(const struct ledger *, const char *name);
const struct ledger_route *ledger_route(const struct ledger_release *, const char *path);

/* json: text of an object of at most LEDGER_MANIFEST bytes; false when it is none. */
MUSTCHECK bool ledger_manifest(struct ledger_release *, const char *json);
/* What the slot had when the release was deployed.  More than fits is cut, and said. */
/* whole: a route that is not in it is not there.  status 0: listed, and not asked. */
void ledger_inventory(struct ledger_release *, const struct ledger_route *, size_t n, bool whole, wall_ms at);

/* ---- forms: ledger_json.c ---- */
json_t *ledger_head_json(const struct ledger *);                        /* features, numbers of the releases */
json_t *ledger_release_json(const struct ledger_release *);            /* without manifest and routes */
json_t *ledger_more_json(const struct ledger_release *);               /* manifest and routes; NULL = there is neither */
json_t *ledger_json(const struct ledger *, const char *service);        /* all of it, for the API */
json_t *ledger_release_whole(const struct ledger_release *);           /* for API and archive */
/* Untrusted.  numbers: bit per release that the head names. */
MUSTCHECK bool ledger_head_parse(struct ledger *, const char *text, uint32_t *numbers, char *why, size_t why_size);
MUSTCHECK bool ledger_release_parse(struct ledger *, unsigned number, const char *text, char *why, size_t why_size);
MUSTCHECK bool ledger_more_parse(struct ledger *, unsigned number, const char *text, char *why, size_t why_size);

#endif
