/* SPDX-License-Identifier: MIT
 * verdict.h - from outcomes to verdicts, and the two slots side by side (B1.1-B1.3, B1.8, B2).
 *
 * Pure: no clock, no I/O.  One struct health per service, fed by health_note() with every
 * outcome, read by the engine and by decide through health_view().  This is the only place
 * that knows rise, fall and calm. */
#ifndef SWITCHD_CORE_VERDICT_H
#define SWITCHD_CORE_VERDICT_H

#include "switchd/core/config/config.h"
#include "switchd/core/outcome.h"

/* One (slot, target, feature).  health_fold is the whole hysteresis of B1.3. */
struct cell {
	enum verdict verdict;           /* unknown, present, absent */
	enum outcome last;              /* OUT_NEVER_RAN at first */
	int presents_in_row, absents, outs_in_row, knowns_in_row;
	mono_us last_at;                /* end of the last probe */
	mono_us last_began;             /* its begin */
	mono_us present_began;          /* begin of the last probe that ended present: "evidence taken after" compares this */
	mono_us first_absent;           /* of the present run of absents; 0 = none */
	mono_us unknown_since;          /* 0 = the last outcome was not unknown */
	mono_us complete_at;            /* last complete answer */
	bool ever_present;              /* seen present since its release arrived (disappeared, B2) */
	wall_ms ever_present_at;
	int64_t latency_us;
};
enum verdict health_fold(struct cell *, const struct probe_rule *, enum outcome, mono_us began, mono_us ended);

struct health;
/* The service_config is BORROWED for the life of the health. Begins suspect ("just started"). */
struct health *health_new(const struct service_config *);
void health_free(struct health **);
/* The feature (identity: n_features) of the config before that feature f of the new one continues, or -1: name and probe are the same. */
long health_continues(const struct service_config *was, const struct service_config *now, size_t f);
/* A reload: cells of targets and features that are still there are kept; a feature whose
 * fingerprint changed begins anew (unknown, never seen present). */
struct health *health_reload(struct health *, const struct service_config *);   /* takes the old one; its config must still live */

/* What the caller should do next because of this outcome: the fold's own advice. */
struct health_advice {
	bool changed;           /* some verdict, in/out state or suspicion changed: look again */
	bool confirm;           /* first absent: ask this cell again after rule.confirm */
	bool confirm_now;       /* first out: ask this cell again at once */
	bool ask_other_slot;    /* a critical feature was absent: fresh evidence of the other slot is wanted (B4) */
	bool ask_front;         /* all targets of the slot are out: ask the front (B1.1) */
};

/* A direct probe's outcome (front: see below).  Identity is feature index == n_features. */
struct health_advice health_note(struct health *, enum slot, size_t target, size_t feature,
				 enum outcome, bool complete, mono_us began, mono_us ended, wall_ms at, int64_t latency_us);
/* Through the front. counted = stamped with the active slot and the record's version. */
struct health_advice health_note_front(struct health *, size_t proxy, size_t feature, enum slot stamped, bool counted,
				       enum outcome, mono_us began, mono_us ended);
void health_note_reference(struct health *, bool ok, mono_us at);
/* A monotonic gap over 2 s, and a start: suspect until proved otherwise (B1.8). */
void health_blind(struct health *, mono_us now);
/* A slot was just filled: all unknown, nothing seen (B1.3).  Outcomes of probes begun before it
 * are about the old bits and are dropped: begun before `now`, or, without a clock at hand,
 * before the end of the latest outcome noted. */
void health_slot_filled_at(struct health *, enum slot, mono_us now);
void health_slot_filled(struct health *, enum slot);
/* It is judged by something else from now on (another baseline): unknown everywhere; that it was seen is kept. */
void health_forget(struct health *, size_t feature);
/* The hourly negative control found the probe vacuous: it has no vote until proved again. */
void health_set_vacuous(struct health *, size_t feature, bool vacuous);

/* Known from before a restart: this feature, probed as it is now, was seen present on the slot's present release. */
void health_set_seen(struct health *, enum slot, size_t feature);

/* The slots as decide sees them.  phase decides live or proving rules; active may be NO_SLOT. */
struct feature_view {
	enum verdict at[2];             /* V_PARTIAL only on a live slot */
	mono_us first_absent[2];        /* earliest first absent among its absent targets; 0 none */
	/* The oldest begin of the evidence for at[], among the targets that are in: of the last present probe where the
	 * verdict is present (one that was refused since is no evidence), of the last probe where it is absent; a target
	 * on which it is unknown gives none.  0 = some never asked, or none is in. */
	mono_us evidence_since[2];
	bool seen[2];                   /* seen present since the release arrived, or part of this deploy's own suite */
	bool doubted[2];                /* some target in was absent since its last clear, confirmed or not: fast pace (B1.4) */
	bool votes;                     /* critical, not muted, not vacuous */
	bool muted, vacuous;
	bool removed[2];                /* not expected on this slot: the release in it, or one baked before, removed it */
	enum compared cmp[2];           /* seen from this slot */
	int present[2], absent[2], unknown[2];          /* targets in, by verdict */
};
struct slot_view {
	int targets, in, out, starting;
	bool too_few;                   /* fewer in than min_targets: absent as a whole, unless: */
	bool excused;                   /* all out, but the front shows it: does not count (B1.1) */
	bool awaiting;                  /* the answers that would excuse it are not in yet (1 s at most): unknown, not absent */
	bool whole;                     /* every voting feature present, enough targets in, identity right */
	bool identity_wrong;            /* some target in runs another release */
	mono_us down_since;             /* when too_few became true */
};
struct health_view {
	size_t n;                       /* features; f[n] is identity when the config has it */
	struct feature_view f[MAX_FEATURES + 1];
	struct slot_view slot[2];
	bool suspect;
	const char *suspect_why;        /* static text, "" */
	bool front_down;                /* refused, reset or unstamped through the front */
};
struct view_rules {
	enum slot active;
	bool live[2];                   /* false: proving rules (every target) for that slot */
	bool baking;                    /* partial counts as absent on the active slot, and the shorter unknown_limit */
	const struct mute *mutes; size_t n_mutes;
	const struct declared *without[2];              /* not expected on the slot; NULL = everything is */
	mono_us now; wall_ms wall;
};
void health_view(const struct health *, const struct view_rules *, struct health_view *out);

const struct cell *health_cell(const struct health *, enum slot, size_t target, size_t feature);
const struct cell *health_front_cell(const struct health *, size_t proxy, size_t feature);
bool health_target_in(const struct health *, enum slot, size_t target);
/* The next moment at which time alone may change the view (unknown_limit): 0 = none. */
mono_us health_next_change(const struct health *, const struct view_rules *);

#endif
