/* SPDX-License-Identifier: MIT
 * room.h - what the parts of the agent know of each other.  Only agent*.c of this folder include this.
 *
 * agent.c          birth, the store's words handed out, beat, reload, stop
 * agent_service.c  one service: judged, journalled, told to its proxies
 * agent_report.c   what whoever leads is told
 * agent_http.c     what load balancers and monitors ask */
#ifndef SWITCHD_AGENT_ROOM_H
#define SWITCHD_AGENT_ROOM_H

#include <ev.h>
#include <jansson.h>

#include "switchd/agent/agent.h"
#include "switchd/core/agent.h"
#include "switchd/proxy/keep.h"
#include "switchd/store/follow.h"
#include "switchd/store/journal.h"

enum {
	BEAT_MS = 100,
	BACK_JOURNAL_MS = 50,           /* B5.2: a slow disk never stops a rollback */
	JOURNAL_RETRY_MS = 1000,
	COUNTS_MS = 1000,               /* counters alone are reported so often at most, beside the heartbeat */
	CONDEMNED_SAID = 16,            /* the newest of them in a report */
	/* A look at a service is two or more commands, and the proxy answers them in the thread that serves: past so many services
	 * each is looked at more seldom, in proportion, and every 5 s at least. */
	AT_FULL_PACE = 10, SLOWEST = 25,
};

/* Shared by the services that were loaded from it. */
struct agent_config { struct config *cfg; size_t users; struct agent_config *next; };

/* A record on its way through the journal. */
struct journey {
	struct local_service *s;        /* NULL: the service is gone */
	struct shown shown;
	mono_us told;
	bool back, applied;
	ev_timer late;                  /* back only */
	struct journey *next;
};

struct local_service {
	struct agent *a;
	const struct service_config *cfg; struct agent_config *from;
	struct keep **px;              /* one for each proxy of cfg */
	bool found;                     /* every proxy was asked once: judged from then on */
	struct agent_holds holds;       /* the judgement's: what is applied or on its way there */
	struct agent_holds applied;     /* what the proxies were told */
	bool told; struct shown last;   /* the record that was told last (before all proxies were asked: the newest) */
	enum agent_judged word;           /* what it was judged to be */
	const char *bad;                /* why what the store has is no record; NULL = it is one */
	bool confirmed;                 /* the store told what is applied, since the start */
	/* The journal could not be written: with a way back, that is applied; with anything else, that is not. */
	bool undurable, full; struct shown unwritten; mono_us retry_at;
	struct journey *journeys;
	mono_us told_at; bool logged;   /* of what is applied: for the line in the log */
	mono_us moved_at;               /* the last move of traffic: draining counts from here */
	uint64_t n_applied, n_refused;
	bool dirty, counts_dirty; mono_us counts_at;    /* to be reported */
	bool sending;                   /* in the report that is under way */
};

struct agent {
	struct ev_loop *loop;
	struct agent_config *configs, *now;
	name_text name;
	struct journal *journal;
	struct store *store;
	struct local_service **services; size_t n;
	bool stopping, reload_ok;
	mono_us down_since;             /* 0 = the store is up */
	struct version v; uint64_t seq; /* the newest record that was told, of any service */
	ev_timer beat, stop_deadline;
	void (*stopped)(void *); void *stopped_arg;
	struct agent_report *report;
	struct agent_http *http;
};

/* ---- agent_service.c ---- */
/* Reads the journal for what it holds. */
struct local_service *agent_service_new(struct agent *, const struct service_config *, struct agent_config *from);
/* After a reload that changed it: what the old one held and was told; the old one is freed. */
void agent_service_inherit(struct local_service *, struct local_service **old);
void agent_service_free(struct local_service **);
void agent_service_told(struct local_service *, const struct shown *);
void agent_service_bad(struct local_service *, const char *why);        /* why: static text */
void agent_service_beat(struct local_service *, mono_us now, int slower);        /* slower: keep.h */
bool agent_service_busy(const struct local_service *);
/* "ok" "behind" "pinned" "ahead" "refused" "down" "fight" "fork", and how bad that is; why for people, "" when ok. */
const char *agent_service_state(const struct local_service *, char *why, size_t why_size, int *rank);
const struct proxy_value *agent_service_shows(const struct local_service *);    /* what its proxies were told; NULL = nothing is known */

/* ---- agent_report.c ---- */
typedef void agent_send_fn(void *arg, const struct report *, store_reported_fn *, void *reported_arg);
struct agent_report *agent_report_new(struct agent *, agent_send_fn *, void *arg);
void agent_report_free(struct agent_report **);
void agent_report_up(struct agent_report *, bool up);   /* up: everything is told, as the first */
void agent_report_soon(struct agent_report *);          /* something is dirty: once in this turn of the loop */
void agent_report_gone(struct agent_report *, const char *service);     /* a reload took it away */
void agent_report_pace(struct agent_report *, int64_t ms);
int64_t agent_report_age_ms(const struct agent_report *);       /* of the last one that arrived; -1 = none yet */
json_t *agent_service_json(const struct local_service *, int level);    /* level 1, 2: shorter */

/* ---- agent_http.c ---- */
struct agent_http *agent_http_new(struct agent *, char *error, size_t error_size);
void agent_http_free(struct agent_http **);

/* agent.c */
struct local_service *agent_find(const struct agent *, const char *service);

#endif
