/* SPDX-License-Identifier: MIT
 * transitions.h - the inside of decide: rows, guards, effects.  Only decide's own files include this.
 *
 * decide.c       walks the table, finishes a commit, checks the invariants
 * transitions.c  the table itself
 * guards.c       what a row asks of record, world and input: one named question each
 * decide_gates.c the gates: asked of an order or of the slot under proof, kept in the record
 * loss.c         the two slots side by side: what is gone, lost, better, fresh, proved
 * effects.c      what the world's rows change in the record;   proving.c  a deploy's before its flip;   orders.c  the operator's rows
 * steps.c        what these three are made of
 * decide_doc.c   names, refusals, the table as markdown and Mermaid */
#ifndef SWITCHD_CORE_TRANSITIONS_H
#define SWITCHD_CORE_TRANSITIONS_H

#include "switchd/core/decide/decide.h"

/* Evidence on the other slot older than this is asked anew before traffic is moved to it: an absence may have begun long
 * before the other slot became the better one, and "after the first absent" alone would then accept old answers. */
enum { FRESH_MS = 5000, MUTE_MAX_MS = 24 * 3600 * 1000 };

/* The active slot against its rollback target (B2, B4). Indexes are features; n stands for identity. */
struct loss {
	size_t gone[MAX_FEATURES + 1], n_gone;          /* critical, seen here, absent here now */
	size_t lost[MAX_FEATURES + 1], n_lost;          /* of these: present on the other slot */
	size_t brought[MAX_FEATURES + 1], n_brought;    /* absent here and never seen here, present on the other slot: new (B2) */
	size_t partial[MAX_FEATURES + 1], n_partial;    /* absent on some targets, and that does not count as absent now */
	bool unknown;           /* some critical feature of the active slot is unknown */
	bool fresh;             /* the evidence on the other slot was taken after the first absent */
	bool better;            /* every critical feature present or unknown here is present there, and one lost here is */
	size_t in_the_way;      /* the feature that the other slot would not give; n + 1 = none */
	bool too_few;           /* the active slot has too few targets in: absent as a whole */
};

/* The idle slot before it may become active (B3, proving). */
struct proof {
	size_t lost[MAX_FEATURES + 1], n_lost;          /* confirmed absent here, present on the active slot: refuse at once */
	size_t none[MAX_FEATURES + 1], n_none;          /* confirmed absent here, and the active slot never had it */
	size_t both[MAX_FEATURES + 1], n_both;          /* broken on both: reported */
	size_t open[MAX_FEATURES + 1], n_open;          /* not known yet, or a target is still starting */
	size_t waived[MAX_FEATURES + 1], n_waived;      /* lost or none, of a gate that a person set aside: reported */
	bool wrong;             /* some target runs another release */
	bool too_few;
};

/* Everything that one decision looks at. */
struct look {
	const struct record *rec;
	const struct world *w;
	const struct input *in;
	enum slot a, b;         /* active; the other one (no active slot: the one being proved) */
	enum slot to;           /* the slot that an order means */
	bool loss_known, proof_known, gates_known;
	struct loss loss;
	struct proof proof;
	struct gate_said gates[MAX_GATES]; size_t n_gates;
};
void look_init(struct look *, const struct record *, const struct world *, const struct input *);
const struct loss *look_loss(struct look *);
const struct proof *look_proof(struct look *);
const struct gate_said *look_gates(struct look *, size_t *n);
/* Going back would take this feature away from those who have it. */
bool missed_behind(const struct look *, size_t i);
/* The gate was set aside: by this order, or by that of the deploy under way. */
bool look_skips(const struct look *, const char *gate);
/* The slot under proof told its manifest, and the record does not have it yet; else NULL. */
const struct manifest *look_new_manifest(const struct look *);

enum guard {
	G_END,
	/* standing conditions */
	G_STORE_UP, G_ALONE, G_DRIVES, G_MAY_RECORD_BACK, G_OBSERVE, G_GATE, G_HOLD, G_PINNED, G_HELD, G_SEALED, G_SUSPECT, G_OVER, G_ACTIVE,
	/* B4 */
	G_GONE, G_LOST, G_FRESH, G_BETTER, G_TARGET, G_FORWARD_MOVE, G_WINDOW, G_POLICY_AUTO, G_SAME_RELEASE, G_PARTIAL, G_IDENTITY_CHANGED, G_NEW,
	/* B3 proving */
	G_VACUOUS, G_IDLE_LOST, G_IDLE_NONE, G_IDLE_IDENTITY, G_IDLE_WHOLE, G_IDLE_GONE, G_CONTROLLED, G_PREFLIGHT, G_PREFLIGHT_BAD, G_SERVERS,
	G_STOP_READY, G_PROMOTES, G_BUDGET_SPENT, G_IDLE_CONDEMNED, G_GATE_REFUSED, G_GATES_OPEN, G_MANIFEST_NEW,
	/* B5 */
	G_DONE, G_REFUSED, G_NO_LIVE, G_WAY_BACK, G_BAKED_WHOLE, G_CATCHES, G_PROLONGED, G_WHOLE_FOR_BAKE, G_DRILL, G_WAIVED, G_LIVE, G_NEVER_MOVED, G_HAS_ALL,
	G_SHOWS_OTHER,
	/* first start, pins */
	G_NO_RECORD, G_AMBIGUOUS, G_FOUND, G_OURS, G_HIGHER, G_FOUND_OTHER, G_INITIAL, G_PIN_KNOWN,
	/* ends by time */
	G_HOLD_OVER, G_MUTE_OVER,
	/* orders */
	G_FORCE, G_WHY, G_SKIPS, G_MANIFEST_REFUSED, G_RELEASE_OK, G_OWN_CLAIM, G_CLAIM_MATCHES, G_SLOT_KNOWN, G_SLOT_ACTIVE, G_SLOT_SERVED, G_NAMED_CONDEMNED, G_LAST_GOOD, G_SAME_DEPLOY,
	G_SLOT_CONDEMNED, G_SLOT_HOLDS, G_IDENTITY_WRONG, G_UNTIL_PAST, G_PARDONABLE, G_FEATURE, G_MUTED, G_MUTES_FULL,
	N_GUARDS
};
struct guard_info { const char *yes, *no; bool (*holds)(struct look *); };
extern const struct guard_info guards[N_GUARDS];

enum event_kind {
	EV_NONE,
	EV_SERVICE_STARTED, EV_STORE_REGRESSED, EV_RELEASE_GOOD, EV_CLAIM_TAKEN, EV_CLAIM_RENEWED, EV_CLAIM_GIVEN_BACK, EV_CLAIM_EXPIRED,
	EV_DEPLOY_STARTED, EV_DEPLOY_READY, EV_DEPLOY_ABORTED, EV_DEPLOY_EXPIRED, EV_DEPLOY_WOULD_FLIP, EV_DEPLOY_WOULD_REFUSE, EV_GATE_REFUSED, EV_FLIP_DECIDED,
	EV_FLIP_OBSERVED, EV_ROLLBACK_DECIDED, EV_ROLLBACK_DONE, EV_BAKE_DONE, EV_SHIELD_PROLONGED, EV_FEATURE_LOST, EV_FEATURE_PARTIAL,
	EV_HUMAN_NEEDED, EV_STUCK_ENDED, EV_HOLD_SET, EV_HOLD_CLEARED, EV_SEALED, EV_UNSEALED, EV_PARDONED, EV_MUTED, EV_UNMUTED, EV_PIN_ADOPTED,
	EV_FOLLOWED, EV_ROLLBACK_WOULD, EV_NOTE, EV_DRILL_BEGUN, EV_DRILL_BACK, EV_DRILL_DONE,
	EV_MANIFEST_READ, EV_IDENTITY_CHANGED, EV_INVENTORY_COMPARED, EV_FEATURE_NEW, EV_LATE_BROKEN, EV_COUNTED,
	N_EVENT_KINDS
};
extern const char *const event_kinds[N_EVENT_KINDS];

/* Changes d->next (a copy of the record by then) and may write d->detail.  Rows that commit nothing only write d->detail. */
typedef void effect_fn(struct look *, struct decision *d);

enum { MAX_PROVIDED = 16 };
enum {
	TO_STAY = -1,           /* a commit that leaves the phase */
	TO_NOTHING = -2,        /* no commit: actions only, or an explicit ignore */
	TO_ALARM = -3,          /* no commit: an event said once */
	TO_REFUSED = -4,
};

struct row {
	unsigned at;                            /* bits of phases */
	enum input_kind on;
	int provided[MAX_PROVIDED];             /* guards, all of which hold; negative: it does not */
	int to;                                 /* a phase, or TO_* */
	unsigned act;
	enum event_kind event;
	effect_fn *effect;
	const char *because;
	enum refusal refusal;
};
extern const struct row transitions[];
extern const size_t n_transitions;

/* steps.c */
const char *feature_name(const struct service_config *, size_t n, size_t i);
void say(struct decision *d, const char *fmt, ...) PRINTF(2, 3);        /* adds to d->detail */
void say_features(struct look *, struct decision *d, const size_t *list, size_t n, const char *how);
void say_targets(struct look *, struct decision *d, enum slot);
void say_both(struct look *, struct decision *d);
void end_claim(struct record *next);
bool same_release(const struct release *, const struct release *);     /* by id or digest */
bool release_condemned(const struct condemned_set *, const struct release *);
bool deploy_in_flight(const struct record *);
void deploy_end(struct look *, struct record *next, enum deploy_outcome, const char *reason);
void move_to(struct look *, struct decision *d, enum slot to, enum move_mode mode);
int64_t phase_ms(const struct service_config *, enum phase);
bool budget_spent(const struct record *, const struct world *);
enum rollback_policy active_policy(const struct record *, const struct service_config *);
bool within_window(const struct record *, const struct world *);

/* guards.c: what an effect says again */
bool slot_served(struct look *);

/* decide_gates.c */
void keep_gates(struct look *, struct decision *);      /* what they say now goes into the next record */
void take_manifest(struct look *, struct decision *, const struct manifest *);   /* of the slot deployed to; NULL: none */
void say_waived(struct look *, struct decision *);
effect_fn do_refuse_gates, do_manifest, tell_gates;

/* effects.c */
effect_fn do_start_ambiguous, do_start_found, do_start_initial, do_start_none, do_start_higher, do_follow, do_pin;
effect_fn do_roll_back, do_say_loss, do_say_partial, do_say_identity, do_refuse_vacuous, do_refuse_lost, do_refuse_none, do_refuse_identity, do_refuse_preflight,
	  do_refuse_late, do_would_flip, do_ready, do_ready_human, do_ready_late, do_prove_again, do_flip_auto, do_claim_expired;
effect_fn do_observed, do_revert, do_stuck, do_baked, do_prolong, do_settle, do_release_good, do_hold_over, do_mutes_over, do_say_command, do_say_new, do_late;

/* orders.c */
effect_fn do_claim, do_renew, do_unclaim, do_deploy, do_abort, do_flip, do_rollback, do_hold, do_resume, do_seal, do_unseal, do_pardon, do_mute,
	  do_unmute, do_note, do_drill, do_drill_back, do_drill_done;
effect_fn tell_phase, tell_hold, tell_pin, tell_claim, tell_condemned, tell_last_good, tell_served, tell_not_whole, tell_preflight, tell_no_target, tell_slot,
	  tell_force, tell_same_deploy, tell_suspect, tell_gone;

#endif
