/* SPDX-License-Identifier: MIT
 * store.h - the services' records in Redis.  Loop thread only.
 *
 * Redis holds names, never addresses (D1).  A commit is one Lua script: record, event,
 * request id and condemned release land together or not at all, guarded by lease, lineage
 * and compare-and-set on (gen, epoch, rev).  A lost reply is ST_LOST: the store re-reads by
 * request id itself before it says so; the caller retries with the SAME request id and gets
 * ST_OK with dup set.  Every done() is called exactly once, never from inside the call; its
 * argument is BORROWED.  Everything read back is validated as untrusted. */
#ifndef SWITCHD_STORE_STORE_H
#define SWITCHD_STORE_STORE_H

#include "switchd/core/config/config.h"

struct ev_loop;
struct store;

enum store_result {
	ST_OK,
	ST_CONFLICT,            /* somebody committed since: the record in the answer is the present one */
	ST_HELD, ST_CONDEMNED,  /* refused by the script's own checks */
	ST_NOT_LEADER,
	ST_NEWSTORE,            /* the store's history changed: reconcile first */
	ST_LOST,                /* outcome unknown: no answer in time, and re-reading failed too */
	ST_DOWN,                /* not connected: nothing was sent */
	ST_BAD_DATA,            /* what Redis holds is not a valid record: refused, nothing changed */
	ST_REFUSED,             /* Redis answered an error (NOPERM, READONLY, NOREPLICAS...): nothing written */
	ST_UNWRITABLE,          /* it takes no writes now (OOM; MISCONF: its disk is full; BUSY: a script that hangs): nothing written */
	N_STORE_RESULTS
};
const char *store_result_name(enum store_result);

struct store_answer {
	enum store_result result;
	bool dup;                       /* this request id had been committed before */
	char detail[256];
	const struct record *record;    /* as it stands now; NULL when unknown or none */
	const struct condemned_set *condemned;  /* with load; else NULL */
	bool none;                      /* load: the service has no record */
	char stream_id[44];
	int64_t us;                     /* round trip */
	uint64_t seq; int64_t committed_us;     /* commit: its place in the stream, and when, by the clock of Redis; 0 = not told */
};
typedef void store_done_fn(void *arg, const struct store_answer *);

/* What lands in one commit.  LENT until store_commit returns (it is copied). */
struct commit {
	const char *service;
	const char *rid;                /* request id: becomes the record's cid */
	enum move_mode mode;
	struct version expect_v; uint64_t expect_rev;   /* 0,0,0 = there must be no record yet */
	const struct record *next;      /* .v: the version it shall have; .rev and .cid are set by the store */
	const struct event *events; size_t n_events;    /* the first carries the because of the commit */
	const struct condemned *condemn;        /* or NULL */
	const char *pardon;             /* release id to take off the list, or NULL */
	bool past_memory;               /* a way back: a Redis that can writes it also when it has no memory */
};

/* One controller leads: connected, reconciled and holding the lease.  Others follow it: connected, reading, committing nothing. */
enum store_state { STORE_AWAY, STORE_FOLLOWING, STORE_LEADING };
const char *store_state_name(enum store_state);         /* "away" "following" "leading" */
/* up: leading.  The callback tells every change of the state. */
typedef void store_up_fn(void *arg, bool up, const char *why);
/* A record to reconcile was found (lineage changed): the engine answers with what its journal and
 * proxies know by store_reconcile(). */
typedef void store_event_fn(void *arg, const char *service, const char *event_json);

/* The config is only LENT: what is needed of it is copied (a reload frees it). */
struct store *store_new(struct ev_loop *, const struct config *, const char *owner_id, store_up_fn *, void *arg);
void store_free(struct store **);       /* outstanding done(): ST_LOST */
/* NULL (freed already, while its users end) is not up, and keeps no value. */
bool store_is_up(const struct store *);
const char *store_why_down(const struct store *);
enum store_state store_state(const struct store *);
/* Who leads while we follow: "<owner id> <its url>"; "" = nobody, or we do, or it is not known. */
const char *store_leader(const struct store *);
/* While following: a service was committed upon ("" = any of them may have been). */
typedef void store_changed_fn(void *arg, const char *service);
void store_watch(struct store *, store_changed_fn *, void *arg);
/* May what was decided still be told to a proxy?  Asked right before the write, by our own clock: while the lease runs; and,
 * when the store was asked since the start and cannot be reached, if the caller's offline rule allows it.  No: the lease ended
 * while we stood still, or another was seen to lead.  An embedded store has no other leader. */
bool store_may_act(const struct store *, bool offline);
/* It answered ST_UNWRITABLE to what must not wait: it counts as away from now on, until it takes a write (the lease) again. */
void store_do_without(struct store *, const char *why);
bool store_undecided(const struct store *);     /* not asked yet since the start; or the lease is over by our clock, and the connection has not failed yet: it is one or the other soon */
/* Releases the lease (bounded wait, runs the loop no further): call before store_free on a clean stop. */
void store_release_lease(struct store *, void (*done)(void *arg), void *arg);

/* Of a configuration with replicas: so many (acked) had all that was committed up to seq within 200 ms; -1 = not known, the connection
 * was lost.  Fewer than store_replicas(): committed, at risk.  Called after the commit's done(). */
typedef void store_risk_fn(void *arg, uint64_t gen, uint64_t seq, int acked);
void store_watch_risk(struct store *, store_risk_fn *, void *arg);
int store_replicas(const struct store *);

void store_load(struct store *, const char *service, store_done_fn *, void *arg);
void store_commit(struct store *, const struct commit *, store_done_fn *, void *arg);

/* Events of a service ("" = of all), for timelines and the archive: newest last.  json = array of event objects as committed, each with its stream "id".
 * after_id "" = the newest `max` of them; else the first `max` after that id ("0-0": from the start).
 * ok false: not all could be read; json holds what was. */
typedef void store_events_fn(void *arg, bool ok, const char *json);
void store_events(struct store *, const char *service, const char *after_id, size_t max, store_events_fn *, void *arg);

/* The stream is bounded by the commits themselves; what is not exported yet is not trimmed, up to a hard bound.  id: the last one
 * that is safe elsewhere ("" = none yet); until it was told, everything counts as not exported. */
void store_exported(struct store *, const char *id);
uint64_t store_backlog(const struct store *);           /* at least so many are not exported... */
uint64_t store_backlog_most(const struct store *);      /* ...and from here on the oldest are being lost */
void store_keep_events(struct store *, uint64_t n);     /* the ordinary bound, for tests */

/* Small values beside the record (baselines, evidence): plain SET/GET under the prefix, bounded, never per probe. */
/* `what` is a name; a value of over 32 kB is not kept (and a warning logged). */
void store_put(struct store *, const char *service, const char *what, const char *value);
/* ok: the store answered; value "" = there is none. */
typedef void store_get_fn(void *arg, bool ok, const char *value);
void store_get(struct store *, const char *service, const char *what, store_get_fn *, void *arg);

/* One look at what stands of some services, while the store is there: trouble "" = nothing is wrong as far as can be seen without
 * reading it whole; the mark changes with whatever changes there.  No call when no answer comes.  All BORROWED. */
enum { STORE_LOOK_MOST = 64 };
struct store_looked { const char *service, *trouble, *mark; bool gone; /* the trouble is that the public record is not there */ };
typedef void store_look_fn(void *arg, const struct store_looked *, size_t n);
void store_look(struct store *, const char *const *services, size_t n, store_look_fn *, void *arg);
/* Writes the last good record over what stands, whatever that is, at a version above all that can be read there and above `floor`:
 * looked at first, and written only if it has not changed since (else ST_CONFLICT).  Releases that were condemned stay so.
 * The answer's record is what was written, or with dry_run what would be; its detail says how many commits more than the good one the
 * refused record counts, "" = none.  LENT until it returns. */
struct store_repair { const char *service, *rid; const struct record *good; struct version floor; const struct condemned_set *condemned;
	const struct event *event; bool dry_run; };
void store_repair(struct store *, const struct store_repair *, store_done_fn *, void *arg);
/* What the server says of itself, as one JSON object: {"connected", "info": {...}, "offset_ms", "schema", and of each further question
 * {"value"} or {"error"}}; what it was not asked, or did not answer, is not in it. */
typedef void store_inspect_fn(void *arg, const char *json);
void store_inspect(struct store *, store_inspect_fn *, void *arg);
/* From an older schema to ours.  from: what it was (2 = nothing was to be done); rewritten: public records, also with dry_run. */
struct store_upgraded { enum store_result result; int from; size_t rewritten; char detail[256]; };
typedef void store_upgrade_fn(void *arg, const struct store_upgraded *);
void store_upgrade(struct store *, const struct event *, bool dry_run, store_upgrade_fn *, void *arg);
uint64_t store_generation(const struct store *);        /* as of the last reconcile */
enum { STORE_SCHEMA = 2 /* what we write into a new store (prelude.lua has it too) */ };
int store_schema(const struct store *);                 /* of what is there: 1 to STORE_SCHEMA; 0: it was not asked yet */
/* Declares one above that and above the present one: the store is down until every record is stamped into it. */
void store_new_generation(struct store *, uint64_t above, const char *why);
/* Whether it is still the same history is asked anew, and what is missing restored: the store is down until that is done. */
void store_reconcile(struct store *, const char *why);

/* Was this request id committed?  value = what the script stored for it ("" = never seen, or over an hour ago). */
void store_recall(struct store *, const char *rid, store_get_fn *, void *arg);

/* store_commit while the store is not up: ST_DOWN (not connected), ST_NOT_LEADER (somebody else leads, or the lease is
 * being asked for), ST_NEWSTORE (reconciling); nothing was sent then.  A `next` of a higher generation, or ahead of
 * `expect` by more than one epoch, asks for a new generation: ST_NEWSTORE, and the truth is asked for again.
 *
 * After ST_NEWSTORE the store declares the generation itself (relin where it can be proved, else newgen)
 * and asks the engine for the truth of each service through this call: restamp to `active` at the higher epoch.
 * floor = highest version among journal and proxies. */
typedef struct store_truth { const char *service; struct record record; bool known;
	struct version floor; enum slot floor_slot;     /* the slot that was shown at floor; NO_SLOT: not known, or the record's own */
	id_text floor_cid;      /* the request that moved traffic there; "": not known */
	bool lossy;             /* told by the store: commits may have been lost, and who can know of them is worth waiting for */
	const struct condemned_set *condemned;  /* what the journal knows (NULL = nothing): goes in if the store has lost it.  BORROWED */
	bool leave;                     /* what stands there was refused: it is left alone */
} store_truth;
/* False: not known yet (the proxies were not asked); the store stays down and asks again.  True with known = false:
 * nothing is known of the service.  known takes part by its record's version; it may be called several times. */
typedef bool store_truth_fn(void *arg, const char *service, store_truth *out);
void store_set_truth(struct store *, store_truth_fn *, void *arg);

#endif
