/* SPDX-License-Identifier: MIT
 * follow.h - the record as it is pushed and caught up, for who does not lead: an agent.  Loop thread only.
 *
 * An agent's store asks for no lease and commits nothing.  It subscribes first, reads the public record of
 * its services after that, and reads again when the leader's heartbeat shows that a push was missed, and
 * every 30 s.  What it is told is validated, and nothing more: whether it is newer than what the agent shows
 * is the agent's to judge (core/agent.h).  A missing record is never told: an empty store changes nothing. */
#ifndef SWITCHD_STORE_FOLLOW_H
#define SWITCHD_STORE_FOLLOW_H

#include "switchd/core/shown.h"
#include "switchd/store/store.h"

/* The same record may be told many times. */
typedef void store_shown_fn(void *arg, const struct shown *);  /* BORROWED */

/* store.h's store_new for an agent: name is the agent's (core/config: agent_name), it tells the roster who this is.  up: connected,
 * subscribed, and every record that there is has been told.  The config is only LENT.  Of store.h only store_free,
 * store_is_up, store_why_down and store_get may be used with it. */
struct store *store_follow(struct ev_loop *, const struct config *, const char *name, store_up_fn *, store_shown_fn *, void *arg);
/* What stands there or was pushed is no record: nothing changes.  why: static text, for people. */
typedef void store_bad_fn(void *arg, const char *service, const char *why);
void store_follow_bad(struct store *, store_bad_fn *);          /* with the arg of store_follow */
void store_follow_services(struct store *, const struct config *);     /* after a reload: whose records are told from now on */

/* One agent's word to whoever leads: how far it is, and what its proxies show (state.md D9: stamped with the
 * clock of Redis).  Sent once: if it is lost, the next report says the same or more. */
enum { REPORT_SERVICE_MAX = 4096, REPORT_MAX = 24 * 1024 };
struct report_service { const char *name, *json; };     /* json: at most REPORT_SERVICE_MAX bytes; "" = this agent has it no more */
struct report {
	struct version v; uint64_t seq;         /* the newest record that it was told, whatever it made of it */
	const char *status;                     /* "ok", or the worst of its services: one word */
	const char *digest;                     /* of its configuration: one word */
	const char *detail;                     /* why not ok, for people; "" */
	bool first;                             /* all that was reported under this name before is forgotten */
	const struct report_service *services; size_t n_services;       /* those that changed */
};
typedef void store_reported_fn(void *arg, bool ok, int64_t us);        /* exactly once, never from inside the call; us: the stamp */
void store_report(struct store *, const struct report *, store_reported_fn *, void *arg);

#endif
