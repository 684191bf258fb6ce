/* SPDX-License-Identifier: MIT
 * compare_ask.h - one comparison: both slots asked the same at the same time, the old one again when they differ.
 *
 * done() is called once, never from inside compare_ask; when the runner is freed it is told COMPARE_CANCELLED. */
#ifndef PROBES_COMPARE_ASK_H
#define PROBES_COMPARE_ASK_H

#include "probes/prove/compare.h"
#include "probes/probe.h"

enum compare_end {
	COMPARE_SAME, COMPARE_DIFFERS,
	COMPARE_NO_OLD,         /* the old slot does not have the feature now, or did not answer: nothing to compare with */
	COMPARE_NO_NEW,         /* the new one gave no complete answer: that is for its own probe to say */
	COMPARE_CANCELLED,
};

struct compare_job {
	size_t feature;
	enum slot slot;                 /* the new one; the other is the old one */
	size_t target, old_target;
	json_t *noise;                  /* an object: what is learned is added to it; a reference is kept meanwhile */
	unsigned round;                 /* the caller's */
};

struct compare_said {
	struct compare_job job;         /* .noise is not valid here */
	enum compare_end end;
	bool whole;                     /* false: there was more than is compared */
	const struct evidence *evidence;        /* of the new answer, want and got of the difference; NULL without a difference */
};

typedef void compare_done_fn(void *arg, const struct compare_said *);
void compare_ask(struct probe_runner *, const struct compare_job *, compare_done_fn *, void *arg);

#endif
