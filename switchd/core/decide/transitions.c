/* SPDX-License-Identifier: MIT
 * transitions.c - the switch: every (phase, input), what must hold, where it leads, and because of what.
 *
 * For an input the rows of the phase are tried from the top; the first whose guards all hold
 * fires.  Orders always find a row; the tick may find none (then nothing is to be done).
 * What commits stands above what only asks or alarms, so that no alarm hides a commit. */
#include "switchd/core/decide/transitions.h"

#define P(phase) (1u << PH_##phase)
#define S P(STEADY)
#define F P(FILLING)
#define PR P(PROVING)
#define RD P(READY)
#define FL P(FLIPPING)
#define BK P(BAKING)
#define RV P(REVERTING)
#define ST P(STUCK)
#define ALL (S | F | PR | RD | FL | BK | RV | ST)

/* B4: what must hold before automation may put traffic back. Filling and proving are not in these rows: their idle slot is
 * being overwritten or unproved, never a rollback target. */
#define B4 G_LOST, -G_OBSERVE, -G_GATE, -G_HELD, -G_SUSPECT, G_TARGET, G_FORWARD_MOVE, G_WINDOW, G_POLICY_AUTO, G_MAY_RECORD_BACK
/* All of B4 but the mode: what would have been done. */
#define WOULD G_LOST, -G_HELD, -G_SUSPECT, G_TARGET, G_FORWARD_MOVE, G_WINDOW, G_POLICY_AUTO, G_MAY_RECORD_BACK
#define ON_DUTY (S | RD | FL | BK | ST)
/* B3: proved, and every proxy can make the flip. */
#define PROVED G_STORE_UP, -G_SUSPECT, G_IDLE_WHOLE, G_CONTROLLED, G_PREFLIGHT, G_SERVERS, -G_GATES_OPEN

const char *const event_kinds[N_EVENT_KINDS] = {
	[EV_NONE] = "", [EV_SERVICE_STARTED] = "service.started", [EV_STORE_REGRESSED] = "store.regressed", [EV_RELEASE_GOOD] = "release.good",
	[EV_CLAIM_TAKEN] = "claim.taken", [EV_CLAIM_RENEWED] = "claim.renewed", [EV_CLAIM_GIVEN_BACK] = "claim.given_back",
	[EV_CLAIM_EXPIRED] = "claim.expired", [EV_DEPLOY_STARTED] = "deploy.started", [EV_DEPLOY_READY] = "deploy.ready",
	[EV_DEPLOY_ABORTED] = "deploy.aborted", [EV_DEPLOY_EXPIRED] = "deploy.expired", [EV_DEPLOY_WOULD_FLIP] = "deploy.would_flip", [EV_DEPLOY_WOULD_REFUSE] = "deploy.would_refuse",
	[EV_GATE_REFUSED] = "gate.refused", [EV_FLIP_DECIDED] = "flip.decided", [EV_FLIP_OBSERVED] = "flip.observed",
	[EV_ROLLBACK_DECIDED] = "rollback.decided", [EV_ROLLBACK_DONE] = "rollback.done", [EV_BAKE_DONE] = "bake.done",
	[EV_SHIELD_PROLONGED] = "shield.prolonged", [EV_FEATURE_LOST] = "feature.lost", [EV_FEATURE_PARTIAL] = "feature.partial",
	[EV_HUMAN_NEEDED] = "human.needed", [EV_STUCK_ENDED] = "stuck.ended", [EV_HOLD_SET] = "hold.set", [EV_HOLD_CLEARED] = "hold.cleared",
	[EV_SEALED] = "sealed", [EV_UNSEALED] = "unsealed", [EV_PARDONED] = "pardoned", [EV_MUTED] = "muted", [EV_UNMUTED] = "unmuted",
	[EV_PIN_ADOPTED] = "pin.adopted", [EV_FOLLOWED] = "observe.followed",
	[EV_ROLLBACK_WOULD] = "rollback.would", [EV_NOTE] = "note", [EV_COUNTED] = "requests.counted",
	[EV_DRILL_BEGUN] = "drill.begun", [EV_DRILL_BACK] = "drill.back", [EV_DRILL_DONE] = "drill.done",
	[EV_MANIFEST_READ] = "manifest.read", [EV_IDENTITY_CHANGED] = "identity.changed",
	[EV_INVENTORY_COMPARED] = "inventory.compared",
	[EV_FEATURE_NEW] = "feature.new", [EV_LATE_BROKEN] = "late.broken",
};

const struct row transitions[] = {
	/* ---- the world: a feature is lost (B4) ---- */
	{ ON_DUTY, IN_TICK, { B4, G_FRESH, G_BETTER, G_SAME_RELEASE }, PH_REVERTING, ACT_APPLY | ACT_DRAIN | ACT_CALL_HUMAN, EV_ROLLBACK_DECIDED,
	  do_roll_back, "both slots hold one release and only one slot lost a feature: put back, and nothing is condemned", 0 },
	{ FL | BK, IN_TICK, { B4, G_FRESH, G_BETTER }, PH_REVERTING, ACT_APPLY | ACT_DRAIN, EV_ROLLBACK_DECIDED,
	  do_roll_back, "the new release lost a feature the old one has", 0 },
	{ S | RD | ST, IN_TICK, { B4, G_FRESH, G_BETTER }, PH_REVERTING, ACT_APPLY | ACT_DRAIN, EV_ROLLBACK_DECIDED,
	  do_roll_back, "the active slot lost a feature the rollback target has", 0 },

	/* ---- filling ---- */
	{ F, IN_TICK, { G_STORE_UP, G_OVER }, PH_STEADY, 0, EV_CLAIM_EXPIRED,
	  do_claim_expired, "the claim ran out", 0 },

	/* ---- proving ---- */
	{ PR, IN_TICK, { G_STORE_UP, G_GATE_REFUSED }, PH_STEADY, 0, EV_GATE_REFUSED,
	  do_refuse_gates, "a gate refuses the release", 0 },
	{ PR, IN_TICK, { G_STORE_UP, G_MANIFEST_NEW }, TO_STAY, 0, EV_MANIFEST_READ,
	  do_manifest, "the slot told its own manifest", 0 },
	{ PR, IN_TICK, { G_STORE_UP, G_VACUOUS }, PH_STEADY, 0, EV_GATE_REFUSED,
	  do_refuse_vacuous, "a probe cannot fail: it passes on a path that does not exist", 0 },
	{ PR, IN_TICK, { G_STORE_UP, -G_SUSPECT, G_IDLE_IDENTITY }, PH_STEADY, 0, EV_GATE_REFUSED,
	  do_refuse_identity, "the idle slot does not run the announced release", 0 },
	{ PR, IN_TICK, { G_STORE_UP, -G_SUSPECT, G_IDLE_LOST }, PH_STEADY, 0, EV_GATE_REFUSED,
	  do_refuse_lost, "the new release lacks a feature the active one has", 0 },
	{ PR, IN_TICK, { G_STORE_UP, -G_SUSPECT, G_IDLE_NONE }, PH_STEADY, 0, EV_GATE_REFUSED,
	  do_refuse_none, "the new release lacks a feature it should bring", 0 },
	{ PR, IN_TICK, { G_STORE_UP, G_PREFLIGHT_BAD, G_IDLE_WHOLE, G_CONTROLLED }, PH_STEADY, 0, EV_GATE_REFUSED,
	  do_refuse_preflight, "a proxy could not make this flip", 0 },
	{ PR, IN_TICK, { PROVED, G_OBSERVE }, PH_STEADY, 0, EV_DEPLOY_WOULD_FLIP,
	  do_would_flip, "every feature of the idle slot is present; observe mode moves nothing", 0 },
	{ PR, IN_TICK, { PROVED, G_IDLE_CONDEMNED }, PH_READY, 0, EV_DEPLOY_READY,
	  do_ready_human, "proved; its release is condemned, so only a person promotes it, with force", 0 },
	{ PR, IN_TICK, { PROVED, G_STOP_READY }, PH_READY, 0, EV_DEPLOY_READY,
	  do_ready, "proved; the deploy asked to stop before the flip", 0 },
	{ PR, IN_TICK, { PROVED, -G_PROMOTES }, PH_READY, 0, EV_DEPLOY_READY,
	  do_ready_human, "proved; this service is promoted by a person", 0 },
	{ PR, IN_TICK, { PROVED, G_BUDGET_SPENT }, PH_READY, ACT_CALL_HUMAN, EV_DEPLOY_READY,
	  do_ready_human, "proved; too many automatic rollbacks lately, so a person promotes", 0 },
	{ PR, IN_TICK, { PROVED, G_HELD }, PH_READY, 0, EV_DEPLOY_READY,
	  do_ready, "proved; a hold stands", 0 },
	{ PR, IN_TICK, { PROVED, G_WAIVED }, PH_FLIPPING, ACT_APPLY | ACT_DRAIN, EV_FLIP_DECIDED,
	  do_flip_auto, "every feature of the idle slot is present but those that a person set aside", 0 },
	{ PR, IN_TICK, { PROVED }, PH_FLIPPING, ACT_APPLY | ACT_DRAIN, EV_FLIP_DECIDED,
	  do_flip_auto, "every feature of the idle slot is present", 0 },
	{ PR, IN_TICK, { G_STORE_UP, G_OVER }, PH_STEADY, 0, EV_GATE_REFUSED,
	  do_refuse_late, "not proved in time", 0 },

	/* ---- ready ---- */
	{ RD, IN_TICK, { G_STORE_UP, -G_SUSPECT, G_IDLE_GONE }, PH_PROVING, ACT_PREFLIGHT, EV_FEATURE_LOST,
	  do_prove_again, "the proved slot is no longer whole: it must prove itself again", 0 },
	{ RD, IN_TICK, { PROVED, -G_STOP_READY, -G_HELD, -G_OBSERVE, G_PROMOTES, -G_BUDGET_SPENT, -G_IDLE_CONDEMNED }, PH_FLIPPING, ACT_APPLY | ACT_DRAIN, EV_FLIP_DECIDED,
	  do_flip_auto, "what the proved release waited for is over", 0 },
	{ RD, IN_TICK, { G_STORE_UP, G_OVER }, PH_STEADY, 0, EV_DEPLOY_EXPIRED,
	  do_ready_late, "nobody promoted it in time", 0 },

	/* ---- flipping ---- */
	{ FL, IN_TICK, { G_STORE_UP, G_REFUSED, -G_HELD, G_WAY_BACK }, PH_REVERTING, ACT_APPLY | ACT_DRAIN, EV_ROLLBACK_DECIDED,
	  do_revert, "a proxy refused the flip: put every proxy back", 0 },
	{ FL, IN_TICK, { G_STORE_UP, G_DONE }, PH_BAKING, 0, EV_FLIP_OBSERVED,
	  do_observed, "every live proxy shows the new slot", 0 },
	{ FL, IN_TICK, { G_STORE_UP, G_OVER, G_NO_LIVE }, PH_BAKING, ACT_CALL_HUMAN, EV_FLIP_OBSERVED,
	  do_observed, "no proxy is alive: the flip stands, and each is told before it counts again", 0 },
	{ FL, IN_TICK, { G_STORE_UP, G_OVER, -G_HELD, G_WAY_BACK }, PH_REVERTING, ACT_APPLY | ACT_DRAIN, EV_ROLLBACK_DECIDED,
	  do_revert, "a live proxy does not show the new slot in time: put every proxy back", 0 },
	{ FL, IN_TICK, { G_STORE_UP, G_OVER }, PH_STUCK, ACT_CALL_HUMAN, EV_HUMAN_NEEDED,
	  do_stuck, "a live proxy does not show the new slot in time, and it may not be put back", 0 },

	/* ---- baking ---- */
	{ BK, IN_TICK, { G_STORE_UP, G_DRILL, G_WAY_BACK }, PH_REVERTING, ACT_APPLY | ACT_DRAIN, EV_DRILL_BACK,
	  do_drill_back, "the drill was there, and goes back", 0 },
	{ BK, IN_TICK, { G_STORE_UP, G_DRILL }, TO_STAY, ACT_CALL_HUMAN, EV_DRILL_DONE,
	  do_drill_done, "sealed or condemned meanwhile: the drill may not go back", 0 },
	{ BK, IN_TICK, { G_STORE_UP, G_OVER, -G_SUSPECT, G_BAKED_WHOLE, G_DONE, G_CATCHES, -G_PROLONGED }, TO_STAY, 0, EV_SHIELD_PROLONGED,
	  do_prolong, "the shield still catches: bake once more", 0 },
	{ BK, IN_TICK, { G_STORE_UP, G_OVER, -G_SUSPECT, G_BAKED_WHOLE, G_DONE, G_CATCHES }, PH_STEADY, ACT_APPLY | ACT_LEARN | ACT_CALL_HUMAN, EV_BAKE_DONE,
	  do_baked, "baked twice, every feature present, and the shield still catches", 0 },
	{ BK, IN_TICK, { G_STORE_UP, G_OVER, -G_SUSPECT, G_BAKED_WHOLE, G_DONE }, PH_STEADY, ACT_APPLY | ACT_LEARN, EV_BAKE_DONE,
	  do_baked, "every feature was kept to the end of the bake", 0 },

	/* ---- reverting ---- */
	{ RV, IN_TICK, { G_STORE_UP, G_DONE }, PH_STEADY, 0, EV_ROLLBACK_DONE,
	  do_observed, "every proxy that answers shows the slot put back", 0 },
	{ RV, IN_TICK, { G_STORE_UP, G_OVER, G_NO_LIVE }, PH_STEADY, ACT_CALL_HUMAN, EV_ROLLBACK_DONE,
	  do_observed, "no proxy is alive: each is told before it counts again", 0 },
	{ RV, IN_TICK, { G_STORE_UP, G_OVER }, PH_STUCK, ACT_CALL_HUMAN, EV_HUMAN_NEEDED,
	  do_stuck, "a live proxy still sends traffic to the slot that was left", 0 },

	/* ---- stuck ---- */
	{ ST, IN_TICK, { G_STORE_UP, -G_SUSPECT, G_WHOLE_FOR_BAKE }, PH_STEADY, ACT_APPLY | ACT_LEARN, EV_STUCK_ENDED,
	  do_settle, "the active slot has been whole and observed for a bake", 0 },

	/* ---- a drill has ended, one way or another ---- */
	{ S | F | PR | RD | ST, IN_TICK, { G_STORE_UP, G_DRILL }, TO_STAY, 0, EV_DRILL_DONE,
	  do_drill_done, "the drill is over", 0 },

	/* ---- steady ---- */
	{ S, IN_TICK, { G_STORE_UP, G_OBSERVE, G_SHOWS_OTHER }, PH_STEADY, 0, EV_FOLLOWED,
	  do_follow, "observe mode: every proxy shows the other slot, the record follows", 0 },
	{ S, IN_TICK, { G_STORE_UP, -G_SUSPECT, G_LIVE, G_NEVER_MOVED, G_HAS_ALL }, TO_STAY, ACT_LEARN, EV_RELEASE_GOOD,
	  do_release_good, "found active at the start, and every feature that it has is present", 0 },
	{ S, IN_TICK, { G_STORE_UP, -G_SUSPECT, G_LIVE, G_WHOLE_FOR_BAKE }, TO_STAY, ACT_LEARN, EV_RELEASE_GOOD,
	  do_release_good, "active, whole and observed for as long as a bake", 0 },

	/* ---- what ends by time, in any phase ---- */
	{ ALL, IN_TICK, { G_STORE_UP, G_HOLD_OVER }, TO_STAY, 0, EV_HOLD_CLEARED, do_hold_over, "the hold ran out", 0 },
	{ ALL, IN_TICK, { G_STORE_UP, G_MUTE_OVER }, TO_STAY, 0, EV_UNMUTED, do_mutes_over, "a mute ran out", 0 },

	/* ---- asking, and alarms: nothing is committed, traffic stays ---- */
	{ ON_DUTY, IN_TICK, { B4, -G_FRESH }, TO_NOTHING, ACT_FRESH_OTHER, EV_NONE,
	  do_say_loss, "a feature is lost: the other slot is asked anew before traffic moves", 0 },
	{ ALL, IN_TICK, { G_IDENTITY_CHANGED }, TO_ALARM, ACT_CALL_HUMAN, EV_IDENTITY_CHANGED,
	  do_say_identity, "a live target answers as another release than the one that was flipped to", 0 },
	{ ON_DUTY, IN_TICK, { WOULD, G_OBSERVE, -G_FRESH }, TO_NOTHING, ACT_FRESH_OTHER, EV_NONE,
	  do_say_loss, "a feature is lost: the other slot is asked anew before it is told what would be done", 0 },
	{ ON_DUTY, IN_TICK, { WOULD, G_GATE, -G_FRESH }, TO_NOTHING, ACT_FRESH_OTHER, EV_NONE,
	  do_say_loss, "a feature is lost: the other slot is asked anew before it is told what would be done", 0 },
	{ ON_DUTY, IN_TICK, { WOULD, G_OBSERVE, G_FRESH, G_BETTER }, TO_ALARM, ACT_CALL_HUMAN, EV_ROLLBACK_WOULD,
	  do_say_loss, "a feature is lost; observe mode only watches: enforced, traffic would have gone back now", 0 },
	{ ON_DUTY, IN_TICK, { WOULD, G_GATE, G_FRESH, G_BETTER }, TO_ALARM, ACT_CALL_HUMAN, EV_ROLLBACK_WOULD,
	  do_say_loss, "a feature is lost; in gate mode a person puts traffic back: enforced, it would have gone back now", 0 },
	{ ALL, IN_TICK, { G_GONE, G_OBSERVE }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_LOST,
	  do_say_loss, "a feature is gone; observe mode only watches", 0 },
	{ ALL, IN_TICK, { G_GONE, G_SUSPECT }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_LOST,
	  do_say_loss, "a feature seems gone, but the prober itself is suspect", 0 },
	{ ALL, IN_TICK, { G_GONE, G_SEALED }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_LOST,
	  do_say_loss, "a feature is gone, and the service is sealed: the old release cannot serve any more", 0 },
	{ ALL, IN_TICK, { G_GONE, -G_TARGET }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_LOST,
	  do_say_loss, "a feature is gone, and there is no rollback target", 0 },
	{ ALL, IN_TICK, { G_GONE, -G_LOST }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_LOST,
	  do_say_loss, "a feature is gone, and the other slot has it no more than this one: traffic stays", 0 },
	{ ALL, IN_TICK, { G_LOST, G_HELD }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_LOST,
	  do_say_loss, "a feature is lost, and a hold stands", 0 },
	{ ALL, IN_TICK, { G_LOST, G_GATE }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_LOST,
	  do_say_loss, "a feature is lost; in gate mode a person puts traffic back", 0 },
	{ ALL, IN_TICK, { G_LOST, -G_POLICY_AUTO }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_LOST,
	  do_say_loss, "a feature is lost; this release is put back by a person only", 0 },
	{ ALL, IN_TICK, { G_LOST, -G_FORWARD_MOVE }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_LOST,
	  do_say_loss, "a feature is lost, and the last move was no forward one: automation undoes a forward move once", 0 },
	{ ALL, IN_TICK, { G_LOST, -G_WINDOW }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_LOST,
	  do_say_loss, "a feature is lost, longer after the flip than rollback_window", 0 },
	{ ALL, IN_TICK, { G_LOST, -G_MAY_RECORD_BACK }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_LOST,
	  do_say_loss, "a feature is lost, and the state cannot be written", 0 },
	{ ALL, IN_TICK, { G_LOST, G_FRESH, -G_BETTER }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_LOST,
	  do_say_loss, "a feature is lost, but the other slot would take away one that works", 0 },
	{ ALL, IN_TICK, { G_PARTIAL }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_PARTIAL,
	  do_say_partial, "a feature is absent on some targets of the active slot", 0 },
	{ S | BK | ST, IN_TICK, { G_NEW, -G_SUSPECT }, TO_ALARM, ACT_CALL_HUMAN, EV_FEATURE_NEW,
	  do_say_new, "a feature was never seen on the active slot, and the other slot has it: a person may flip", 0 },

	/* ---- first start, and a version higher than the record's ---- */
	{ ALL, IN_START, { -G_STORE_UP }, TO_NOTHING, 0, EV_NONE, NULL, "the state cannot be written: the start waits for it", 0 },
	{ ALL, IN_START, { G_NO_RECORD, G_AMBIGUOUS }, PH_STUCK, ACT_CALL_HUMAN, EV_HUMAN_NEEDED,
	  do_start_ambiguous, "no record, and one version names both slots", 0 },
	{ ALL, IN_START, { G_NO_RECORD, G_FOUND, G_OURS }, PH_STEADY, ACT_APPLY, EV_STORE_REGRESSED,
	  do_start_found, "the store lost the record: the highest version known says which slot serves", 0 },
	{ ALL, IN_START, { G_NO_RECORD, G_FOUND }, PH_STEADY, ACT_APPLY, EV_SERVICE_STARTED,
	  do_start_found, "first start: a proxy says which slot serves", 0 },
	{ ALL, IN_START, { G_NO_RECORD, G_INITIAL }, PH_STEADY, ACT_APPLY, EV_SERVICE_STARTED,
	  do_start_initial, "first start: the config says which slot serves", 0 },
	{ ALL, IN_START, { G_NO_RECORD }, PH_STEADY, 0, EV_SERVICE_STARTED,
	  do_start_none, "first start: nothing says which slot serves; a flip or a deploy will", 0 },
	{ ST, IN_START, { G_AMBIGUOUS }, TO_NOTHING, 0, EV_NONE, NULL, "still one version that names both slots", 0 },
	{ ALL & ~ST, IN_START, { G_AMBIGUOUS }, PH_STUCK, ACT_CALL_HUMAN, EV_HUMAN_NEEDED,
	  do_start_ambiguous, "one version names both slots", 0 },
	{ ALL, IN_START, { G_HIGHER, G_FOUND_OTHER }, PH_STEADY, ACT_APPLY, EV_STORE_REGRESSED,
	  do_start_higher, "a higher version than the record's names the other slot: the record follows", 0 },
	{ ALL, IN_START, { G_HIGHER }, TO_STAY, ACT_APPLY, EV_STORE_REGRESSED,
	  do_start_higher, "a higher version than the record's is known: the record goes above it", 0 },
	{ ALL, IN_START, { 0 }, TO_NOTHING, 0, EV_NONE, NULL, "the record is the highest version known", 0 },

	/* ---- a pin by hand (B5.6) ---- */
	{ ALL, IN_PIN, { -G_STORE_UP }, TO_NOTHING, 0, EV_NONE, NULL, "the state cannot be written: the pin stands, the record follows later", 0 },
	{ ALL, IN_PIN, { -G_SLOT_KNOWN }, TO_NOTHING, 0, EV_NONE, NULL, "the pin names no slot", 0 },
	{ ALL, IN_PIN, { G_PIN_KNOWN }, TO_NOTHING, 0, EV_NONE, NULL, "this pin is known", 0 },
	{ ALL, IN_PIN, { 0 }, PH_STEADY, ACT_ADOPT_PIN | ACT_APPLY | ACT_CALL_HUMAN, EV_PIN_ADOPTED,
	  do_pin, "somebody pinned a proxy by hand: the record follows it", 0 },

	/* ---- the suite ran again, after a bake or before a claim ---- */
	{ ALL, IN_LATE, { -G_STORE_UP }, TO_NOTHING, 0, EV_NONE, NULL, "the state cannot be written: it is told when it can", 0 },
	{ ALL, IN_LATE, { 0 }, TO_STAY, ACT_CALL_HUMAN, EV_LATE_BROKEN,
	  do_late, "the suite ran again: a feature broke since it was last seen", 0 },

	{ ALL, IN_COUNTED, { -G_STORE_UP }, TO_NOTHING, 0, EV_NONE, NULL, "the state cannot be written: the counters are in the log", 0 },
	{ ALL, IN_COUNTED, { 0 }, TO_STAY, 0, EV_COUNTED, do_late, "the proxies' own counters, from before the move until it came to rest", 0 },

	/* ---- claim ---- */
	{ ALL, IN_CLAIM, { -G_RELEASE_OK }, TO_REFUSED, 0, EV_NONE, NULL, "no such thing can be a release id", RF_RELEASE },
	{ ALL, IN_CLAIM, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written: nothing goes forward", RF_STORE },
	{ F, IN_CLAIM, { G_OWN_CLAIM }, TO_NOTHING, 0, EV_NONE, NULL, "this claim stands already", 0 },
	{ ALL, IN_CLAIM, { G_HOLD }, TO_REFUSED, 0, EV_NONE, tell_hold, "a hold stands: nothing goes forward", RF_HELD },
	{ ALL, IN_CLAIM, { G_PINNED }, TO_REFUSED, 0, EV_NONE, tell_pin, "pinned by hand: nothing goes forward", RF_PINNED },
	{ F, IN_CLAIM, { 0 }, TO_REFUSED, 0, EV_NONE, tell_claim, "the idle slot is claimed", RF_CLAIMED },
	{ ALL & ~(S | F), IN_CLAIM, { 0 }, TO_REFUSED, 0, EV_NONE, tell_phase, "a claim is taken in steady only", RF_PHASE },
	{ S, IN_CLAIM, { -G_SLOT_KNOWN }, TO_REFUSED, 0, EV_NONE, NULL, "no slot is active yet: say which one to claim", RF_NEEDS_SLOT },
	{ S, IN_CLAIM, { G_SLOT_ACTIVE }, TO_REFUSED, 0, EV_NONE, tell_slot, "the active slot serves: it is not handed out", RF_ACTIVE_SLOT },
	{ S, IN_CLAIM, { G_FORCE, -G_WHY }, TO_REFUSED, 0, EV_NONE, NULL, "force needs a reason", RF_NEEDS_WHY },
	{ S, IN_CLAIM, { G_SKIPS, -G_WHY }, TO_REFUSED, 0, EV_NONE, NULL, "to set a gate aside needs a reason", RF_NEEDS_WHY },
	{ S, IN_CLAIM, { G_NAMED_CONDEMNED, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_condemned, "this release is condemned", RF_CONDEMNED },
	{ S, IN_CLAIM, { G_MANIFEST_REFUSED }, TO_REFUSED, 0, EV_GATE_REFUSED, tell_gates, "a gate refuses the release before a byte of the slot is touched", RF_GATE },
	{ S, IN_CLAIM, { G_SLOT_SERVED, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_served, "a live proxy still sends clients to this slot", RF_SLOT_SERVED },
	{ S, IN_CLAIM, { G_LAST_GOOD, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_last_good, "the idle slot is the last one where a feature works", RF_LAST_GOOD },
	{ S, IN_CLAIM, { 0 }, PH_FILLING, ACT_APPLY, EV_CLAIM_TAKEN, do_claim, "the idle slot is handed out to be filled", 0 },

	{ ALL, IN_RENEW, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written: nothing goes forward", RF_STORE },
	{ F, IN_RENEW, { G_OWN_CLAIM }, TO_STAY, 0, EV_CLAIM_RENEWED, do_renew, "the claim's holder is still at work", 0 },
	{ ALL, IN_RENEW, { 0 }, TO_REFUSED, 0, EV_NONE, tell_claim, "that claim does not stand", RF_NOT_CLAIM },

	{ ALL, IN_UNCLAIM, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written: the claim runs out by itself", RF_STORE },
	{ F, IN_UNCLAIM, { G_OWN_CLAIM }, PH_STEADY, 0, EV_CLAIM_GIVEN_BACK, do_unclaim, "the holder gave the claim back", 0 },
	{ F, IN_UNCLAIM, { G_FORCE, -G_WHY }, TO_REFUSED, 0, EV_NONE, NULL, "force needs a reason", RF_NEEDS_WHY },
	{ F, IN_UNCLAIM, { G_FORCE }, PH_STEADY, 0, EV_CLAIM_GIVEN_BACK, do_unclaim, "a person ended the claim of another", 0 },
	{ ALL, IN_UNCLAIM, { 0 }, TO_REFUSED, 0, EV_NONE, tell_claim, "that claim does not stand", RF_NOT_CLAIM },

	/* ---- deploy ---- */
	{ ALL, IN_DEPLOY, { -G_RELEASE_OK }, TO_REFUSED, 0, EV_NONE, NULL, "no such thing can be a release id", RF_RELEASE },
	{ S | PR | RD | FL | BK, IN_DEPLOY, { G_SAME_DEPLOY }, TO_NOTHING, 0, EV_NONE, tell_same_deploy, "the same release in the same slot is the same deploy", 0 },
	{ ALL, IN_DEPLOY, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written: nothing goes forward", RF_STORE },
	{ ALL, IN_DEPLOY, { G_HOLD }, TO_REFUSED, 0, EV_NONE, tell_hold, "a hold stands: nothing goes forward", RF_HELD },
	{ ALL, IN_DEPLOY, { G_PINNED }, TO_REFUSED, 0, EV_NONE, tell_pin, "pinned by hand: nothing goes forward", RF_PINNED },
	{ ALL & ~(S | F), IN_DEPLOY, { 0 }, TO_REFUSED, 0, EV_NONE, tell_phase, "a deploy begins in steady, or in filling by the claim's holder", RF_PHASE },
	{ F, IN_DEPLOY, { -G_OWN_CLAIM }, TO_REFUSED, 0, EV_NONE, tell_claim, "the idle slot is claimed by another", RF_CLAIMED },
	{ S, IN_DEPLOY, { -G_OWN_CLAIM }, TO_REFUSED, 0, EV_NONE, tell_claim, "that claim does not stand any more", RF_NOT_CLAIM },
	{ F, IN_DEPLOY, { -G_CLAIM_MATCHES }, TO_REFUSED, 0, EV_NONE, tell_claim, "the claim was for another release or slot", RF_RELEASE },
	{ S, IN_DEPLOY, { -G_SLOT_KNOWN }, TO_REFUSED, 0, EV_NONE, NULL, "no slot is active yet: say which one was filled", RF_NEEDS_SLOT },
	{ S, IN_DEPLOY, { G_SLOT_ACTIVE }, TO_REFUSED, 0, EV_NONE, tell_slot, "the active slot serves: a release is proved in the other one", RF_ACTIVE_SLOT },
	{ S | F, IN_DEPLOY, { G_FORCE, -G_WHY }, TO_REFUSED, 0, EV_NONE, NULL, "force needs a reason", RF_NEEDS_WHY },
	{ S | F, IN_DEPLOY, { G_SKIPS, -G_WHY }, TO_REFUSED, 0, EV_NONE, NULL, "to set a gate aside needs a reason", RF_NEEDS_WHY },
	{ S | F, IN_DEPLOY, { G_NAMED_CONDEMNED, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_condemned, "this release is condemned", RF_CONDEMNED },
	{ S | F, IN_DEPLOY, { 0 }, PH_PROVING, ACT_FILLED | ACT_CONTROL | ACT_PREFLIGHT | ACT_APPLY, EV_DEPLOY_STARTED,
	  do_deploy, "the idle slot holds a release: prove it", 0 },

	{ ALL, IN_ABORT, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written: nothing goes forward meanwhile", RF_STORE },
	{ PR | RD, IN_ABORT, { 0 }, PH_STEADY, 0, EV_DEPLOY_ABORTED, do_abort, "the deploy was aborted; traffic never moved", 0 },
	{ S | F, IN_ABORT, { 0 }, TO_REFUSED, 0, EV_NONE, tell_phase, "no deploy is under way", RF_NOTHING },
	{ FL | BK | RV | ST, IN_ABORT, { 0 }, TO_REFUSED, 0, EV_NONE, tell_phase, "traffic has moved already: roll back instead", RF_PHASE },

	/* ---- a person moves traffic ---- */
	{ ALL, IN_FLIP, { G_OBSERVE }, TO_REFUSED, 0, EV_NONE, NULL, "observe mode writes no proxy", RF_OBSERVE },
	{ ALL, IN_FLIP, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written: nothing goes forward", RF_STORE },
	{ ALL, IN_FLIP, { G_FORCE, -G_WHY }, TO_REFUSED, 0, EV_NONE, NULL, "force needs a reason", RF_NEEDS_WHY },
	{ ALL, IN_FLIP, { G_HOLD }, TO_REFUSED, 0, EV_NONE, tell_hold, "a hold stands: nothing goes forward", RF_HELD },
	{ ALL, IN_FLIP, { G_PINNED, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_pin, "pinned by hand: resume or force", RF_PINNED },
	{ F, IN_FLIP, { 0 }, TO_REFUSED, 0, EV_NONE, tell_claim, "the idle slot is being overwritten", RF_CLAIMED },
	{ PR | FL | BK | RV, IN_FLIP, { 0 }, TO_REFUSED, 0, EV_NONE, tell_phase, "a person flips in steady, ready or stuck", RF_PHASE },
	{ S | RD | ST, IN_FLIP, { -G_SLOT_KNOWN }, TO_REFUSED, 0, EV_NONE, NULL, "no slot is active yet: say which one", RF_NEEDS_SLOT },
	{ S | RD | ST, IN_FLIP, { G_SLOT_ACTIVE }, TO_REFUSED, 0, EV_NONE, tell_slot, "that slot is the active one", RF_SAME_SLOT },
	{ S | RD | ST, IN_FLIP, { G_SLOT_CONDEMNED, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_condemned, "the release in that slot is condemned", RF_CONDEMNED },
	{ S | RD | ST, IN_FLIP, { -G_SLOT_HOLDS, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_force, "the record does not know what is in that slot", RF_NEEDS_FORCE },
	{ S | RD | ST, IN_FLIP, { G_SUSPECT, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_suspect, "the prober is suspect: the slot cannot be judged", RF_SUSPECT },
	{ S | RD | ST, IN_FLIP, { -G_IDLE_WHOLE, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_not_whole, "the slot is not whole", RF_NOT_WHOLE },
	{ S | RD | ST, IN_FLIP, { -G_PREFLIGHT, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_preflight, "a proxy could not make this flip", RF_PROXY },
	{ S | RD | ST, IN_FLIP, { -G_SERVERS, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_preflight, "a proxy does not yet see enough servers of that slot up", RF_PROXY },
	{ S | RD | ST, IN_FLIP, { G_PINNED }, PH_FLIPPING, ACT_APPLY | ACT_DRAIN | ACT_UNPIN, EV_FLIP_DECIDED, do_flip, "a person moved the traffic and ended the pin", 0 },
	{ RD, IN_FLIP, { 0 }, PH_FLIPPING, ACT_APPLY | ACT_DRAIN, EV_FLIP_DECIDED, do_flip, "a person promoted the proved release", 0 },
	{ S | ST, IN_FLIP, { 0 }, PH_FLIPPING, ACT_APPLY | ACT_DRAIN, EV_FLIP_DECIDED, do_flip, "a person moved the traffic", 0 },

	{ ALL, IN_ROLLBACK, { G_OBSERVE }, TO_REFUSED, 0, EV_NONE, NULL, "observe mode writes no proxy", RF_OBSERVE },
	{ ALL, IN_ROLLBACK, { G_FORCE, -G_WHY }, TO_REFUSED, 0, EV_NONE, NULL, "force needs a reason", RF_NEEDS_WHY },
	{ ALL, IN_ROLLBACK, { -G_STORE_UP, -G_ALONE }, TO_REFUSED, 0, EV_NONE, NULL, "another switchd may lead: ask that one", RF_ALONE },
	{ ALL, IN_ROLLBACK, { -G_STORE_UP, -G_DRIVES }, TO_REFUSED, 0, EV_NONE, NULL, "agents hear of a move from the state only", RF_ALONE },
	{ ALL, IN_ROLLBACK, { -G_ACTIVE }, TO_REFUSED, 0, EV_NONE, NULL, "no slot is active: there is nothing to roll back", RF_NO_ACTIVE },
	{ ALL, IN_ROLLBACK, { G_SLOT_ACTIVE }, TO_REFUSED, 0, EV_NONE, tell_slot, "that slot is the active one", RF_SAME_SLOT },
	{ RV, IN_ROLLBACK, { -G_FORCE }, TO_NOTHING, ACT_APPLY, EV_NONE, NULL, "traffic is being put back already", 0 },
	{ ALL, IN_ROLLBACK, { G_SEALED, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_no_target, "sealed: the old release cannot serve any more", RF_SEALED },
	{ ALL, IN_ROLLBACK, { -G_TARGET, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_no_target, "there is no rollback target", RF_NO_TARGET },
	{ ALL, IN_ROLLBACK, { G_IDENTITY_WRONG, -G_FORCE }, TO_REFUSED, 0, EV_NONE, tell_no_target, "the other slot does not run the release that the record names", RF_NO_TARGET },
	{ ALL, IN_ROLLBACK, { G_PINNED }, PH_REVERTING, ACT_APPLY | ACT_DRAIN | ACT_UNPIN, EV_ROLLBACK_DECIDED, do_rollback, "a person rolled back and ended the pin", 0 },
	{ F, IN_ROLLBACK, { 0 }, PH_REVERTING, ACT_APPLY | ACT_DRAIN | ACT_CALL_HUMAN, EV_ROLLBACK_DECIDED, do_rollback, "a person rolled back into the claimed slot", 0 },
	{ PR | RD, IN_ROLLBACK, { 0 }, PH_REVERTING, ACT_APPLY | ACT_DRAIN, EV_ROLLBACK_DECIDED, do_rollback, "a person rolled back; the deploy is aborted", 0 },
	{ S | FL | BK | RV | ST, IN_ROLLBACK, { 0 }, PH_REVERTING, ACT_APPLY | ACT_DRAIN, EV_ROLLBACK_DECIDED, do_rollback, "a person rolled back", 0 },

	/* ---- a drill: there and back on purpose ---- */
	{ ALL, IN_DRILL, { G_OBSERVE }, TO_REFUSED, 0, EV_NONE, NULL, "observe mode writes no proxy", RF_OBSERVE },
	{ ALL, IN_DRILL, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written: nothing goes forward", RF_STORE },
	{ ALL, IN_DRILL, { G_HOLD }, TO_REFUSED, 0, EV_NONE, tell_hold, "a hold stands: nothing goes forward", RF_HELD },
	{ ALL, IN_DRILL, { G_PINNED }, TO_REFUSED, 0, EV_NONE, tell_pin, "pinned by hand: nothing goes forward", RF_PINNED },
	{ ALL, IN_DRILL, { -G_ACTIVE }, TO_REFUSED, 0, EV_NONE, NULL, "no slot is active: there is nowhere to go back to", RF_NO_ACTIVE },
	{ F, IN_DRILL, { 0 }, TO_REFUSED, 0, EV_NONE, tell_claim, "the idle slot is being overwritten", RF_CLAIMED },
	{ ALL & ~(S | F), IN_DRILL, { 0 }, TO_REFUSED, 0, EV_NONE, tell_phase, "a drill begins in steady", RF_PHASE },
	{ S, IN_DRILL, { G_DRILL }, TO_REFUSED, 0, EV_NONE, tell_phase, "a drill is under way", RF_PHASE },
	{ S, IN_DRILL, { G_SEALED }, TO_REFUSED, 0, EV_NONE, tell_no_target, "sealed: the old release cannot serve any more", RF_SEALED },
	{ S, IN_DRILL, { -G_TARGET }, TO_REFUSED, 0, EV_NONE, tell_no_target, "there is no rollback target to drill with", RF_NO_TARGET },
	{ S, IN_DRILL, { G_SUSPECT }, TO_REFUSED, 0, EV_NONE, tell_suspect, "the prober is suspect: the slots cannot be judged", RF_SUSPECT },
	{ S, IN_DRILL, { -G_HAS_ALL }, TO_REFUSED, 0, EV_NONE, tell_gone, "the active slot is not whole itself: this is no time for a drill", RF_NOT_WHOLE },
	{ S, IN_DRILL, { -G_IDLE_WHOLE }, TO_REFUSED, 0, EV_NONE, tell_not_whole, "the slot is not whole", RF_NOT_WHOLE },
	{ S, IN_DRILL, { -G_PREFLIGHT }, TO_REFUSED, 0, EV_NONE, tell_preflight, "a proxy could not make this flip", RF_PROXY },
	{ S, IN_DRILL, { -G_SERVERS }, TO_REFUSED, 0, EV_NONE, tell_preflight, "a proxy does not yet see enough servers of that slot up", RF_PROXY },
	{ S, IN_DRILL, { 0 }, PH_FLIPPING, ACT_APPLY, EV_DRILL_BEGUN, do_drill, "a person drills: there, and back at once", 0 },

	/* ---- a person's word beside the phase ---- */
	{ ALL, IN_HOLD, { G_UNTIL_PAST }, TO_REFUSED, 0, EV_NONE, NULL, "the hold would end in the past", RF_NOTHING },
	{ ALL, IN_HOLD, { -G_STORE_UP, -G_ALONE }, TO_REFUSED, 0, EV_NONE, NULL, "another switchd may lead, which would not know of the hold", RF_ALONE },
	{ ALL, IN_HOLD, { 0 }, TO_STAY, 0, EV_HOLD_SET, do_hold, "a person holds the service", 0 },
	{ ALL, IN_RESUME, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written: nothing goes forward", RF_STORE },
	{ ALL, IN_RESUME, { G_PINNED }, TO_STAY, ACT_APPLY | ACT_UNPIN, EV_HOLD_CLEARED, do_resume, "a person ended the pin", 0 },
	{ RD, IN_RESUME, { G_HOLD }, TO_STAY, ACT_PREFLIGHT, EV_HOLD_CLEARED, do_resume, "a person ended the hold; the proxies are asked anew", 0 },
	{ ALL & ~RD, IN_RESUME, { G_HOLD }, TO_STAY, 0, EV_HOLD_CLEARED, do_resume, "a person ended the hold", 0 },
	{ ALL, IN_RESUME, { 0 }, TO_REFUSED, 0, EV_NONE, NULL, "no hold stands", RF_NOTHING },

	{ ALL, IN_SEAL, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written", RF_STORE },
	{ ALL, IN_SEAL, { -G_WHY }, TO_REFUSED, 0, EV_NONE, NULL, "a seal needs a reason", RF_NEEDS_WHY },
	{ ALL, IN_SEAL, { 0 }, TO_STAY, ACT_APPLY, EV_SEALED, do_seal, "the old release cannot serve any more", 0 },
	{ ALL, IN_UNSEAL, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written", RF_STORE },
	{ ALL, IN_UNSEAL, { G_SEALED }, TO_STAY, 0, EV_UNSEALED, do_unseal, "a person took the seal off", 0 },
	{ ALL, IN_UNSEAL, { 0 }, TO_REFUSED, 0, EV_NONE, NULL, "the service is not sealed", RF_NOTHING },

	{ ALL, IN_PARDON, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written", RF_STORE },
	{ ALL, IN_PARDON, { -G_WHY }, TO_REFUSED, 0, EV_NONE, NULL, "a pardon needs a reason", RF_NEEDS_WHY },
	{ ALL, IN_PARDON, { G_PARDONABLE }, TO_STAY, 0, EV_PARDONED, do_pardon, "a person pardoned the release", 0 },
	{ ALL, IN_PARDON, { 0 }, TO_REFUSED, 0, EV_NONE, NULL, "that release is not condemned", RF_NOTHING },

	{ ALL, IN_MUTE, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written", RF_STORE },
	{ ALL, IN_MUTE, { -G_FEATURE }, TO_REFUSED, 0, EV_NONE, NULL, "the service has no such feature", RF_NO_FEATURE },
	{ ALL, IN_MUTE, { G_UNTIL_PAST }, TO_REFUSED, 0, EV_NONE, NULL, "the mute would end in the past", RF_NOTHING },
	{ ALL, IN_MUTE, { G_MUTES_FULL, -G_MUTED }, TO_REFUSED, 0, EV_NONE, NULL, "no more features can be muted", RF_FULL },
	{ ALL, IN_MUTE, { 0 }, TO_STAY, 0, EV_MUTED, do_mute, "a person muted the feature: it neither moves nor blocks", 0 },
	{ ALL, IN_UNMUTE, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written", RF_STORE },
	{ ALL, IN_UNMUTE, { G_MUTED }, TO_STAY, 0, EV_UNMUTED, do_unmute, "a person ended the mute", 0 },
	{ ALL, IN_UNMUTE, { 0 }, TO_REFUSED, 0, EV_NONE, NULL, "that feature is not muted", RF_NOTHING },

	{ ALL, IN_NOTE, { -G_STORE_UP }, TO_REFUSED, 0, EV_NONE, NULL, "the state cannot be written", RF_STORE },
	{ ALL, IN_NOTE, { -G_WHY }, TO_REFUSED, 0, EV_NONE, NULL, "a note is its text", RF_NEEDS_WHY },
	{ ALL, IN_NOTE, { 0 }, TO_STAY, 0, EV_NOTE, do_note, "a person noted", 0 },
};
const size_t n_transitions = ARRAY_LEN(transitions);
