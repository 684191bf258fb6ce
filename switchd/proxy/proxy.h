/* SPDX-License-Identifier: MIT
 * proxy.h - the face of an adapter: make a proxy show a value, say what it shows.
 *
 * One file per kind of proxy, one row in proxy.c.  Adapters are idempotent, never
 * write a lower version than the proxy shows (I7), never overwrite a pin, and reject
 * names, never escape them.  Loop thread only; every call has a deadline; done() is
 * called exactly once and never from inside the call; its argument is BORROWED. */
#ifndef SWITCHD_PROXY_PROXY_H
#define SWITCHD_PROXY_PROXY_H

#include "switchd/core/config/config.h"

struct ev_loop;
struct proxy;

enum proxy_result {
	PX_OK,
	PX_ABSENT,              /* no socket, or nobody listens: the proxy is down */
	PX_DENIED,              /* permission */
	PX_TIMEOUT,             /* accepted, and no whole answer in time: unknown whether applied */
	PX_HALF,                /* closed in the middle of an answer: unknown whether applied */
	PX_REFUSED,             /* answered with an error text */
	PX_UNKNOWN_BACKEND,     /* the proxy has no such backend: nothing was written */
	PX_NO_MAP,              /* the running proxy has not loaded the map */
	PX_NOT_APPLIED,         /* said yes, read back shows another value */
	PX_PINNED,              /* a pin stands: nothing was written */
	PX_NEWER,               /* it shows a higher version than asked for: nothing was written */
	PX_FILE,                /* the map file could not be made durable (forward: nothing at runtime was written) */
	PX_BAD_NAME,
	PX_BAD_VALUE,           /* what it shows is no value of ours */
	PX_FENCED,              /* the gate said no: nothing was written */
	N_PROXY_RESULTS
};
const char *proxy_result_name(enum proxy_result);       /* "ok" "absent" ... */
const char *proxy_result_sentence(enum proxy_result);

struct proxy_answer {
	enum proxy_result result;
	char detail[256];               /* what the proxy said, printable */
	bool has_value;                 /* the value it shows now is known */
	struct proxy_value value;
	bool durable;                   /* the map file holds it, fsynced */
	bool restarted;                 /* pid or uptime says: another process than last time */
	int64_t us;                     /* time the exchange took */
	int64_t file_us, write_us, readback_us;
};
typedef void proxy_done_fn(void *arg, const struct proxy_answer *);

enum proxy_order { ORDER_FORWARD, ORDER_BACK };         /* B5.2: file first, or runtime first past 50 ms */

/* Both configs are BORROWED for the life of the proxy. */
struct proxy *proxy_new(struct ev_loop *, const struct service_config *, const struct proxy_config *);
void proxy_free(struct proxy **);       /* done() of calls under way: PX_TIMEOUT, "cancelled" */

/* May this process still act?  Asked right before each runtime write of an apply, each session cut, and before the map file
 * is put in place: a process that was frozen between what it decided and what it writes must drop it, since another leads by
 * now (P2).  No ends the call with PX_FENCED.  It only looks: it must not call the proxy.  Without a gate: it may. */
typedef bool proxy_may_fn(void *arg);
void proxy_set_gate(struct proxy *, proxy_may_fn *, void *arg);

/* Validates the backends (show backend), order by B5.2, read back. Calls queue in order per proxy. */
void proxy_apply(struct proxy *, const struct proxy_value *, enum proxy_order, proxy_done_fn *, void *arg);
/* A pin is ended by a person (resume, rollback, flip --force): the next apply that succeeds may overwrite one. */
void proxy_unpin(struct proxy *);
/* What it shows now, and whether it restarted. */
void proxy_read_back(struct proxy *, proxy_done_fn *, void *arg);
/* Preflight before a commit: answers, knows both backends, has the map; servers_up = how many
 * servers of that slot its own checks show up (-1 where it cannot say). Writes nothing. */
typedef void proxy_ready_fn(void *arg, const struct proxy_answer *, int servers_up, int servers_all);
void proxy_preflight(struct proxy *, enum slot to, proxy_ready_fn *, void *arg);
/* Counters of the shield since the proxy's start: answers of the other slot that were 2xx/3xx, and 4xx/5xx. */
typedef void proxy_shield_fn(void *arg, bool known, uint64_t caught, uint64_t missed);
void proxy_shield(struct proxy *, enum slot active, proxy_shield_fn *, void *arg);
/* What the proxy counted of a slot's answers since its own start, its own errors among them. */
struct proxy_counts { uint64_t answers, r4xx, r5xx, no_connection, broken; };
typedef void proxy_count_fn(void *arg, bool known, const struct proxy_counts *);
void proxy_count(struct proxy *, enum slot, proxy_count_fn *, void *arg);
/* Requests the slots' servers are answering now and the sessions to cut after drain (B5.6). */
typedef void proxy_drain_fn(void *arg, bool known, uint64_t sessions);
void proxy_cut_sessions(struct proxy *, enum slot, proxy_drain_fn *, void *arg);

bool proxy_can_stamp(const struct proxy *);
const char *proxy_name(const struct proxy *);

/* Text a person pastes into the proxy's configuration (switchctl proxy snippet). */
MUSTCHECK bool proxy_snippet(const struct service_config *, const struct proxy_config *, struct buf *out);
/* The same with the frontend's `bind` address and options given ("127.0.0.1:8080"); NULL = from the front's URL. */
MUSTCHECK bool proxy_snippet_bind(const struct service_config *, const struct proxy_config *, const char *bind, struct buf *out);
/* Creates the files the proxy needs before it starts; existing ones are left. Blocking: CLI only. */
MUSTCHECK bool proxy_init_files(const struct service_config *, const struct proxy_config *, struct buf *said);
/* The shield's path file from the config: atomically replaced when it differs. Blocking (file I/O): start, reload and CLI only.
 * The running proxy gets the same keys through its runtime API by proxy_sync_paths. */
MUSTCHECK bool proxy_write_paths(const struct service_config *, const struct proxy_config *, struct buf *said);
void proxy_sync_paths(struct proxy *, proxy_done_fn *, void *arg);
/* The raw command a person would type (switchctl --direct prints it). */
void proxy_raw_command(const struct proxy_config *, const struct service_config *, const struct proxy_value *, struct buf *out);

#endif
