/* SPDX-License-Identifier: MIT
 * verdict_health.h - the inside of struct health, shared by the verdict_*.c files only. */
#ifndef SWITCHD_CORE_VERDICT_HEALTH_H
#define SWITCHD_CORE_VERDICT_HEALTH_H

#include <limits.h>

#include "switchd/core/verdict/verdict.h"

/* How long the active slot, all of whose targets are out, is left unjudged while the front has not
 * answered (B1.1): a front that says nothing for longer is no reason to spare a dead slot. */
enum { FRONT_WAIT_MS = 1000 };

struct target_state {
	struct cell *cells;             /* n_features + 1: the last is identity */
	bool out;
	int outs_in_row, others;        /* others: since it went out */
	mono_us out_since;
	mono_us answered_began;         /* begin of the last complete present or absent answer */
	/* B1.8 */
	int n_unknown;                  /* cells whose last outcome is unknown */
	bool unknown;                   /* more than half of them */
	mono_us known_at;               /* end of the last outcome that was not unknown */
	mono_us turned_after, turned_by;    /* it turned unknown somewhere in between */
	int knowns;                     /* outcomes other than unknown, begun since the suspicion */
};

struct slot_state {
	struct target_state *target;
	size_t n;
	int n_out;
	int trouble;                    /* cells with a first absent or an unknown last outcome */
	bool *seen;                     /* n_features + 1 */
	mono_us filled_at;              /* what was begun before is about the old bits */
	mono_us down_since;             /* fewer in than a live slot needs; 0 = enough */
	mono_us all_out_since;          /* of this down time: since then no target was in; 0 = some always was */
	mono_us wall_gone;              /* the last end of a time in which all was unknown and a front showed the slot; 0 = none */
	bool front_vouched;             /* in this down time the front showed it while all were out */
};

struct front_cell {
	struct cell cell;
	enum slot slot;                 /* whose answers are folded in it */
	bool good;                      /* the last answer: present, stamped with `slot`, of the record's version */
	mono_us began;
};

struct front_state {
	struct front_cell *cells;       /* n_features */
	mono_us answered_began;         /* of the last answer of any kind, a refusal included */
	int bads, goods;                /* in a row */
	bool down;
};

struct health {
	const struct service_config *cfg;
	size_t n_cells;                 /* per target: features and identity */
	struct probe_rule least;        /* the smallest rise, fall, calm and interval of the features */
	struct slot_state slot[2];
	struct front_state *front; size_t n_front;
	bool *vacuous;
	mono_us latest;                 /* end of the latest outcome noted */
	/* B1.8 */
	bool suspect;
	const char *suspect_why;
	mono_us suspect_since, trusted_since;
	int reference_oks;              /* in a row, since the suspicion */
};

/* Rows are counted for years. */
static inline int grow(int n) { return n < INT_MAX ? n + 1 : n; }
static inline bool mono_before(mono_us a, mono_us b) { return a.us < b.us; }
static inline mono_us mono_later(mono_us a, mono_us b) { return a.us > b.us ? a : b; }

/* Asked of each target of both slots: only such a feature can be compared, and so vote. */
bool health_compared(const struct health *, size_t feature);
bool health_could_vote(const struct health *, size_t feature);  /* critical, compared, not vacuous; mutes are the view's */
const struct probe_rule *health_rule(const struct health *, size_t feature);
int health_live_need(const struct slot_config *);
int health_proving_need(const struct slot_config *);
bool health_has_front(const struct health *);
/* The slot has too few targets in, and the answers that would excuse it have not come yet. */
bool health_awaiting(const struct health *, enum slot, mono_us now);
bool health_excused(const struct health *, enum slot);
/* Nothing of any target that is in is known, since then: the prober may be walled off from the slot (B1.1).  0: something is. */
mono_us health_dark_since(const struct health *, enum slot);
/* See feature_view.evidence_since. */
mono_us health_evidence(const struct health *, enum slot, size_t feature);
/* Moves the start of every down time to `at`: what was measured under suspicion does not count against a slot. */
void health_restart_down(struct health *, mono_us at);

/* B1.8: verdict_suspect.c.  suspect_note returns whether the suspicion began or ended. */
bool suspect_note(struct health *, struct target_state *, enum outcome_class, bool was_unknown, mono_us began, mono_us ended);
void suspect_begin(struct health *, const char *why, mono_us at);
void suspect_forget_target(struct target_state *);

#endif
