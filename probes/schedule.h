/* SPDX-License-Identifier: MIT
 * schedule.h - when which probe is sent (B1.4): pace, jitter, ceiling per target, one in flight.
 *
 * One schedule per service, on the loop.  It starts probes through a probe_runner and
 * hands every result up; it knows nothing of verdicts: the engine sets each slot's pace
 * and asks for confirmations. */
#ifndef PROBES_SCHEDULE_H
#define PROBES_SCHEDULE_H

#include "probes/probe.h"
#include "switchd/base/spread.h"

struct schedule;

enum pace {
	PACE_OFF,
	PACE_STEADY,    /* every feature each interval, targets in turn */
	PACE_IDLE,      /* every feature each idle_interval, targets in turn */
	PACE_FAST,      /* every feature on every target each fast_interval */
};

/* The schedule borrows the runner and the config: free it first. done() gets every result. */
struct schedule *schedule_new(struct ev_loop *, struct probe_runner *, const struct service_config *, probe_done_fn *, void *arg);
void schedule_free(struct schedule **);

void schedule_pace(struct schedule *, enum slot, enum pace);
/* Everything so many times more seldom, and nothing that writes: a controller that stands by asks at a tenth.  1 = as told. */
void schedule_slow(struct schedule *, int times);
/* Front probes go to this slot (NO_SLOT: none), at the pace of the slot. */
void schedule_front(struct schedule *, enum slot, enum pace);

/* Sent at once, past the ceiling (ordinary probes give way afterwards).
 * One cell; after_ms 0 or confirm. Ignored when one is already asked for. */
void schedule_confirm(struct schedule *, enum slot, size_t target, size_t feature, int64_t after_ms);
/* Every feature on every target of a slot, begun after now (B4's fresh evidence). Skips probes
 * that write. A probe of the same cell in flight is let end, then asked again. */
void schedule_fresh(struct schedule *, enum slot);
/* One front probe of a feature through a proxy, at once, new connection. */
void schedule_front_now(struct schedule *, size_t proxy, size_t feature);

/* The release that a slot should be running: with identity configured, each target is then also asked who it
 * is at the pace of its slot (job.purpose = PURPOSE_IDENTITY, job.feature = cfg->n_features, job.release = this
 * text, copied), and schedule_fresh asks it too.  "" = not known: identity is not asked. */
void schedule_release(struct schedule *, enum slot, const char *release);

/* What its digest is, "" = not told; as schedule_release. */
void schedule_digest(struct schedule *, enum slot, const char *digest);

/* How far the ceiling stretches the interval: 1.0 = not at all (B1.4 "says so"). */
double schedule_stretch(const struct schedule *, enum slot);
uint64_t schedule_sent(const struct schedule *);
/* How late each turn came after it was due. */
const struct spread *schedule_late(const struct schedule *);

#endif
