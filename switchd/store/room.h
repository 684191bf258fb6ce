/* SPDX-License-Identifier: MIT
 * room.h - what the parts of the store know of each other.  Only store*.c of this folder include this.
 *
 * store.c  the face, who is told what, and when      op.c         one exchange with Redis
 * lease.c  who leads                                 reconcile.c  one history: relin, newgen, restamp
 * load.c   records in, untrusted                     commit.c     records out
 * values.c small values and events                   ears.c       what is published: pushes, heartbeats, reports
 * follow.c an agent's side: records told, reports    roster.c     a controller's side of reports
 * standby.c who does not lead sees what was committed  durable.c    do replicas have it?
 * watch.c  is it still what we wrote?                 repair.c     written over by a person's word
 * inspect.c what the server says of itself             upgrade.c    from one schema to the next
 * heard.c  the text of what is published and of the roster: words, no state
 *
 * A caller's callback is always the last thing a function here does: the caller may free the store in it. */
#ifndef SWITCHD_STORE_ROOM_H
#define SWITCHD_STORE_ROOM_H

#include <ev.h>

#include "switchd/base/log.h"
#include "switchd/store/follow.h"
#include "switchd/store/link.h"
#include "switchd/store/roster.h"
#include "switchd/store/scripts.h"
#include "switchd/store/store.h"

enum {
	RESOLVE_LOST_MS = 3000,         /* a lost reply is asked for again so long before it is called lost */
	FOLLOW_MS = 400,                /* who stands by asks so often who leads: a clean stop costs no more than that */
	RETRY_MS = 1000,                /* after an answer that says no */
	RETRY_STALE_MS = 50,            /* after somebody was quicker */
	ASK_TRUTH_MS = 200,             /* the engine does not know yet */
	EVENTS_KEPT = 100000,
	EVENTS_HARD = 4,                /* times that, when they are not exported: then they are trimmed all the same */
	EVENTS_SCAN = 256,              /* entries looked at in one call */
	EVENTS_PAGE = 64,               /* events brought by one call; events.lua bounds their bytes below LINK_REPLY_MAX */
	DOC_MAX = 256 * 1024,
	CONDEMNED_BYTES_MAX = 512 * 1024,
	EVENTS_MS = 5000,
	VALUE_MAX = 32 * 1024,
	OWN_SPEED_MARGIN_MS = 1000,     /* we stop acting so long before the lease ends */
};
/* In the order of load.lua and commit.lua. */
#define RECORD_FIELDS "gen", "epoch", "rev", "cid", "active", "shield", "phase", "hold", "blue", "green", "doc"
enum { F_GEN, F_EPOCH, F_REV, F_CID, F_ACTIVE, F_SHIELD, F_PHASE, F_HOLD, F_BLUE, F_GREEN, F_DOC, N_FIELDS };

/* Arguments of one command, owned. */
struct args { char **v; size_t *len; int n, cap; };
void args_add_n(struct args *, const char *s, size_t n);
void args_add(struct args *, const char *s);
void args_addf(struct args *, const char *fmt, ...) PRINTF(2, 3);
void args_set(struct args *, int i, const char *s);
void args_free(struct args *);

enum op_retry {
	RETRY_NEVER,            /* no answer: ended() is called with NULL */
	RETRY_WHEN_CONNECTED,   /* reads */
	RETRY_WHEN_UP,          /* commits: after lease and lineage are settled, with the same request id */
};

struct op;
/* r is NULL when the outcome is unknown.  It owns the op: op_free() before a caller's callback, or op_send() again.
 * With RETRY_NEVER a NULL comes while the link goes down: no caller's callback then, but store_later(). */
typedef void op_ended_fn(struct op *, const redisReply *r);

struct op {
	struct op *next, *prev;
	struct store *st;
	int script;             /* enum script, or -1: args are a whole command */
	int n_keys;
	int term_arg;           /* index of the lease term among args: set anew at each sending; -1 = none */
	struct args args;
	enum op_retry retry;
	op_ended_fn *ended;
	bool in_flight, evaled;
	bool past_memory;       /* refused for want of memory, it is sent again so that Redis runs it all the same */
	char oom[160];          /* that refusal; "" = none */
	mono_us sent, unknown;  /* unknown: since when an answer is missing */
	/* what the part that made it needs */
	union { store_done_fn *done; store_get_fn *get; store_events_fn *events; store_reported_fn *reported; store_look_fn *look; void (*plain)(void *); } fn;
	void *arg;
	size_t index;           /* of a service, of a script */
	name_text service;
	id_text rid;
	size_t n_events;
	struct record *record;
	struct condemned_set *condemned;
	bool none, bad;
	char why[256];
	op_ended_fn *then;      /* load: whoever wanted it */
	void *extra;            /* freed with free() */
};

/* Following: another controller leads; we look who leads, and what it commits.  An agent is READY without a lease. */
enum stage { SG_AWAY, SG_ACQUIRING, SG_FOLLOWING, SG_RECONCILING, SG_READY, SG_STOPPING };

struct later { struct later *next; union { store_done_fn *done; store_get_fn *get; store_events_fn *events; store_reported_fn *reported; void (*plain)(void *); } fn;
	       int kind; void *arg; enum store_result result; int64_t us; char detail[256]; };

struct store {
	struct ev_loop *loop;
	struct link *link;
	char *prefix;           /* "switchd:{0}:" */
	id_text owner;          /* of a controller: who leads */
	id_text name;           /* in the roster: of an agent, or a controller */
	char url[200];          /* where operators find us, for those who stand by; "-" = nowhere */
	int64_t ttl_ms;
	store_up_fn *up_fn; void *arg;
	store_truth_fn *truth_fn; void *truth_arg;
	char (*services)[NAME_MAX_LEN + 1]; size_t n_services;
	char sha[N_SCRIPTS][41];
	struct op *ops;         /* every exchange that is not over */
	enum stage stage;
	char why[256];
	enum store_state told;
	bool agent;             /* no lease, no commits: follow.c */
	struct link *ears; bool ears_up; char deaf[160];        /* subscribed to what is published; why not */
	struct follow *follow;  /* an agent's */
	struct roster *roster;  /* a controller's */
	int replicas;           /* wanted; 0: none is waited for */
	bool forkable;          /* a second copy of this history may exist: to have all that we know proves nothing */
	bool waiting; uint64_t wait_gen, wait_seq, commit_seq;
	store_risk_fn *risk_fn; void *risk_arg;
	char leader[200];       /* "<owner> <url>" of who leads while we follow; "" */
	struct standby *standby;
	/* lease */
	uint64_t term;
	mono_us lease_until;    /* we may act before it */
	bool another;           /* somebody else led when the store was last heard of */
	bool tried;                     /* the first attempt to connect is over, however it ended */
	bool renewing, acquiring, acquire_again;
	char unpublished[160];  /* why a heartbeat was not published the last time; "" */
	ev_timer renew, expire, retry;
	/* the store's history, as of the last reconcile or commit */
	uint64_t gen, seq; char lineage[64];
	int schema;
	bool top_known;         /* gen and seq are of our own doing in this process */
	struct reconcile *rec;
	bool alone;             /* embedded: nobody else can ever have written */
	bool freeing;
	uint64_t force_floor;   /* a generation above this one is wanted; 0 = none */
	/* the stream of events: so many stay when all are exported (0 = EVENTS_KEPT) */
	uint64_t events_kept;
	bool exported_known;
	uint64_t exported_gen, exported_seq;
	/* callbacks that must not come from inside a call */
	struct later *later, **later_tail;
	ev_timer turn;
	ev_timer lost;          /* looks for ops whose answer is missing too long */
};

/* store.c */
struct store *store_make(struct ev_loop *, const struct config *, const char *name, store_up_fn *, void *arg);    /* without connections */
void store_connect(struct store *, const struct config *);
void store_key(const struct store *, char out[256], const char *fmt, ...) PRINTF(3, 4);
void store_turn(struct store *);        /* tell what changed, from the loop's next turn */
void store_stage(struct store *, enum stage, const char *why);
size_t store_service(struct store *, const char *service);      /* its index; added when new */
enum { LATER_DONE, LATER_GET, LATER_EVENTS, LATER_REPORTED, LATER_PLAIN };
struct later *store_later(struct store *, int kind, void *arg);

/* op.c */
struct op *op_new(struct store *, int script, int n_keys, op_ended_fn *);
MUSTCHECK bool op_send(struct op *);    /* false: not connected; the op is still the caller's: op_free() */
void op_free(struct op *);
void op_unknown(struct op *);           /* an answer that cannot be understood is none */
op_ended_fn op_drop;     /* whose answer nobody waits for */
void op_resend(struct store *, enum op_retry);
void op_expire(struct store *);         /* gives up on what is unknown for too long: one op a turn */

/* ears.c: the second connection, on which Redis speaks first. */
void ears_start(struct store *, const struct link_config *);
void ears_stop(struct store *);

/* follow.c */
void follow_look(struct store *);               /* both connections up? then read what was missed */
void follow_push(struct store *, const char *service, const char *line, size_t len);
void follow_heartbeat(struct store *, uint64_t gen, uint64_t top);
void follow_stop(struct store *);
void follow_free(struct store *);

/* roster.c */
void roster_start(struct store *);
void roster_read(struct store *);               /* all of it, anew: the connection is a new one */
void roster_hear(struct store *, const char *text, size_t len);
void roster_away(struct store *);
void roster_free(struct store *);

/* standby.c */
void standby_look(struct store *, uint64_t gen, uint64_t seq);  /* the stream stands there now */
void standby_push(struct store *, const char *service);
void standby_stop(struct store *);
void standby_free(struct store *);

/* durable.c */
void durable_committed(struct store *, uint64_t seq);
void durable_away(struct store *);

/* lease.c */
void lease_acquire(struct store *);
void lease_lost(struct store *, const char *why);
void lease_init(struct store *);
void lease_stop(struct store *);
int64_t lease_margin_ms(const struct store *);

/* reconcile.c */
struct survey { uint64_t gen, seq; char v[8]; bool has_gen; char lin[64], lineage[64]; bool replicas; };
void reconcile_start(struct store *, const struct survey *);
void reconcile_stop(struct store *);
void reconcile_again(struct store *, const char *why);  /* from the lease on */

/* load.c */
enum decoded { DEC_OK, DEC_NONE, DEC_BAD };
enum decoded load_record(const redisReply *fields, struct record *out, char *why, size_t why_size);
MUSTCHECK bool load_condemned(const redisReply *, struct condemned_set *out, char *why, size_t why_size);
/* Reads record and condemned of a service into op->record, condemned, none, bad, why; then ended(), r = NULL when lost. */
struct op *load_new(struct store *, const char *service, enum op_retry, op_ended_fn *);

/* values.c: how many events the stream may have with n more: what is not exported is not trimmed, up to a hard bound */
uint64_t events_most(const struct store *, size_t n);

/* reply helpers: strings of an array reply, "" when it is something else */
const char *reply_text(const redisReply *, size_t i);
MUSTCHECK bool reply_u64(const redisReply *, size_t i, uint64_t *out);
bool reply_is_answer(const redisReply *, size_t at_least);      /* an array whose first member is a string */
enum store_result reply_error(struct store *, const redisReply *, char detail[256]);    /* of an error reply */

/* commit.c: the fields of a record as script arguments */
char *commit_doc(const struct store *, const struct record *);  /* owned; NULL: no valid text */
void commit_record_args(struct args *, const struct record *);  /* active shield phase hold blue green */

#endif
