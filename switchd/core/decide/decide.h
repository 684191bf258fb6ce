/* SPDX-License-Identifier: MIT
 * decide.h - what switchd does, and why: one pure transition table (B2 to B5).
 *
 * decide() looks at the committed record, at the measured world and at one input, and
 * returns what shall be committed, what is to be done once it is, and the row that fired.
 * No clock, no I/O, no memory of its own, no log.  The caller (engine) commits `next` by
 * compare-and-set, and only then performs the actions; on a conflict it reloads and asks
 * again.  One commit is in flight per service: inputs wait behind it.
 *
 * IN_TICK is the world's input: the view, a proxy, or the clock changed.  The rows of a
 * phase are tried in their order; the first whose guards hold fires.  After every commit the
 * engine ticks again, until no row fires. */
#ifndef SWITCHD_CORE_DECIDE_H
#define SWITCHD_CORE_DECIDE_H

#include "switchd/core/decide/gates.h"
#include "switchd/core/verdict/verdict.h"

enum input_kind {
	IN_TICK,
	IN_START,               /* no record in the store: first start (B3); also "a higher version is known" */
	IN_PIN,                 /* a proxy shows a pin (B5.6) */
	IN_LATE,                /* the suite ran again and something broke since: `detail` says what */
	IN_COUNTED,             /* the proxies' counters were read after a move: `detail` says them */
	IN_CLAIM, IN_RENEW, IN_UNCLAIM, IN_DEPLOY, IN_ABORT, IN_FLIP, IN_ROLLBACK,
	IN_HOLD, IN_RESUME, IN_SEAL, IN_UNSEAL, IN_PARDON, IN_MUTE, IN_UNMUTE, IN_NOTE, IN_DRILL,
	N_INPUTS
};
const char *input_name(enum input_kind);

struct input {
	enum input_kind kind;
	id_text by;                     /* who: "ci", "uid:1000", "switchd" */
	why_text why;                   /* -m */
	bool force;
	/* claim, deploy */
	id_text release, claim_id;      /* claim_id: claim makes it (request id), renew, unclaim and deploy name it; "" = none */
	tag_text digest;
	enum slot slot;                 /* claim, deploy, flip --to; NO_SLOT = the obvious one */
	enum deploy_stop stop;
	enum rollback_policy rollback; bool has_rollback;
	bool dry_run;                   /* decide as usual; the engine does not commit */
	const struct manifest *manifest;        /* claim, deploy: BORROWED; NULL = none was given */
	const struct manifest *claimed;         /* deploy: the claim brought one as well: BORROWED */
	bool carried;                   /* deploy: manifest is the claim's */
	const char *manifest_error;     /* one was given that cannot be read: why; NULL = none */
	tag_text skip;                  /* claim, deploy: gates set aside, names joined by commas */
	bool good_before;               /* deploy: the store remembers this release and digest as baked before (may stay false) */
	/* hold, mute */
	wall_ms until;                  /* 0 = none told (mute: 24 h at most) */
	name_text feature;
	uint64_t about;                 /* note: the deploy it is about; 0 = none told */
	/* start, pin */
	struct version found_v; enum slot found_slot; bool found, ambiguous, found_in_proxy;
	id_text found_release;
	name_text proxy;
	char detail[400];               /* late, counted */
};

/* What the proxies say, folded by the engine for the record's version. */
struct proxies_view {
	int all, down;                  /* down: neither socket nor front answers: left out (B5.4) */
	int acked, observed;            /* of those not down, for exactly the record's value */
	int can_observe;                /* of those not down */
	bool refused; char refused_why[160];    /* a live proxy refuses, or shows another slot */
	/* Of the forward flip in question. Asked at ACT_PREFLIGHT; for a human's IN_FLIP the engine asks before it posts the
	 * input: without it the flip is refused (RF_PROXY) unless forced. Nothing to ask when all == 0. */
	bool preflight_done, preflight_ok; char preflight_why[160];
	int servers_up, servers_all;    /* by the proxies' own checks of the idle slot: the least among them; -1 = cannot say */
	uint64_t caught_recent;         /* answers the shield gave in the last `interval`s: it still catches */
	bool regressed;                 /* a front answered with a lower version */
	name_text serves[2];            /* a live proxy that shows this slot; "" = none */
	bool shows_known; enum slot shows;      /* every live proxy shows this slot (mode observe: the record follows it) */
};

struct world {
	const struct service_config *cfg;
	const struct health_view *health;
	const struct proxies_view *proxies;
	const struct condemned_set *condemned;
	bool store_up;
	bool alone;                     /* as far as is known no other switchd leads: what is done while the state is away is nobody else's matter */
	bool drives;                    /* every proxy is driven from here: no agent, who hears of a move from the state only */
	bool started;                   /* warm: B1.8's start condition is over */
	bool unproven[MAX_FEATURES];    /* no negative control can show that this feature's probe is able to fail (B1.5) */
	bool control_done; int vacuous; char vacuous_name[NAME_MAX_LEN + 1];   /* negative control of this deploy */
	const struct inventory_view *inventory; /* NULL: none */
	const struct gate_facts *gates; /* NULL: nothing was found out yet */
	mono_us now;
	wall_ms wall;
	mono_us since_flip;             /* when the active slot became active, on this process's clock; 0 = before its start */
	mono_us phase_entered;          /* on this process's clock */
	mono_us whole_since;            /* active slot wholly present and observed without a break since; 0 = it is not */
	mono_us broken_both_since;      /* the bake's clock stands since (B4); 0 = runs */
	int64_t bake_stood_ms;          /* how long it stood in this bake already, the present stand included: the bake ends so much later */
};

/* What to do once committed.  Every bit has an executor in engine (a test walks them). */
enum {
	ACT_APPLY        = 1 << 0,      /* tell every proxy the record's value */
	ACT_PREFLIGHT    = 1 << 1,      /* ask every proxy about a forward flip */
	ACT_FILLED       = 1 << 2,      /* the idle slot has new bits: its health begins unknown */
	ACT_CONTROL      = 1 << 3,      /* run the negative control on the idle slot (B1.5) */
	ACT_LEARN        = 1 << 4,      /* learn the baselines from the active slot anew */
	ACT_DRAIN        = 1 << 5,      /* cut long-lived sessions of the slot left, after drain */
	ACT_FRESH_OTHER  = 1 << 6,      /* ask the rollback target anew, now (comes without a commit, on each tick until the
					 * evidence is there: one round under way is enough) */
	ACT_CALL_HUMAN   = 1 << 7,      /* alert: a human is needed */
	ACT_ADOPT_PIN    = 1 << 8,      /* the record follows the pin; the proxy is left as it is */
	ACT_UNPIN        = 1 << 9,      /* the pin is ended: the record's value may overwrite it */
	N_ACTIONS        = 10
};
const char *action_name(unsigned bit);

/* Why an operator's input was refused; each has its HTTP status, exit code and sentence. */
enum refusal {
	RF_NONE, RF_PHASE, RF_HELD, RF_NOT_WHOLE, RF_CONDEMNED, RF_NO_TARGET, RF_CLAIMED, RF_SEALED, RF_OBSERVE, RF_STORE,
	RF_SAME_SLOT, RF_ACTIVE_SLOT, RF_SLOT_SERVED, RF_NO_ACTIVE, RF_NEEDS_SLOT, RF_NEEDS_FORCE, RF_NEEDS_WHY, RF_NOT_CLAIM, RF_NO_FEATURE,
	RF_NOTHING, RF_PROXY, RF_PINNED, RF_LAST_GOOD, RF_RELEASE, RF_FULL, RF_SUSPECT, RF_GATE, RF_TARGETS, RF_STANDBY, RF_NO_RECORD,
	RF_DOCUMENT, RF_NEWER, RF_ALONE, N_REFUSALS
};
struct refusal_info { const char *code; int http; int exit_code; const char *sentence; };
const struct refusal_info *refusal_info(enum refusal);

struct row;     /* one row of the table */
struct row_info { const char *at, *on, *provided, *to, *act, *because; };

struct decision {
	const struct row *row;          /* NULL: nothing fires */
	const char *because;            /* "" when nothing fires */
	enum refusal refusal;           /* operator input refused: nothing moved, commit is false (with event.kind: it is said) */
	char detail[512];               /* what in particular */
	bool commit;                    /* false: next, mode and condemn are not filled */
	bool alarm;                     /* no commit: say `event` (and call a human) only when (because, detail) differ from the
					 * service's last alarm; forget that one when a tick fires no row at all */
	enum move_mode mode;
	bool offline_ok;                /* may be journalled and applied while the store is away */
	struct record next;             /* .v already grown when a proxy must show something else; .rev, .cid by the store */
	struct event event;             /* kind, because, detail, from/to; the engine adds evidence */
	bool condemn_it; struct condemned condemn;
	bool pardon_it; id_text pardon;
	unsigned actions;
};

/* claim.c: the manifest of the claim that this deploy names; false: there is none. */
MUSTCHECK bool claim_carries(const struct claim *, const struct input *, struct manifest *out);
/* Fills *out.  `out` is large: keep one per engine, not on a deep stack. */
void decide(const struct record *, const struct world *, const struct input *, struct decision *out);

/* armed: would a feature lost now be flipped back now?  why: static or `buf` text, "" when armed. */
bool decide_armed(const struct record *, const struct world *, char why[160]);
/* B3: is the idle slot a rollback target?  why says "blue: r43, refused" when it is not. */
bool decide_rollback_target(const struct record *, const struct condemned_set *, char why[160]);
/* The value that proxies must show for this record. */
struct proxy_value decide_value(const struct record *);
/* Is the rollback forecast (B4) lost features: names joined, for events and status. */
size_t decide_lost(const struct record *, const struct world *, const struct service_config *, size_t lost[MAX_FEATURES]);
/* What every gate says: of a claim or deploy that is asked for, or (a tick) of the slot under proof as it is now. */
size_t decide_gates(const struct record *, const struct world *, const struct input *, struct gate_said out[MAX_GATES]);
/* The next wall moment at which a tick may fire by time alone (phase_until, hold, claim, mutes); 0 = none. */
wall_ms decide_next_time(const struct record *, const struct world *);

/* Every event kind that a decision can carry. */
const char *const *decide_event_kinds(size_t *n);

/* The table, for docs, tests and --transitions. */
size_t decide_rows(void);
void decide_row(size_t i, struct row_info *out);        /* the texts are valid until the next call */
size_t decide_row_index(const struct row *);
void decide_print_table(struct buf *out);
void decide_print_mermaid(struct buf *out);

#endif
