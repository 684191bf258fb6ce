/* SPDX-License-Identifier: MIT
 * spread.h - how long something took, of many: counts in fixed steps, and what percentile lies where.
 *
 * Constant memory and a few compares to add one: made for the loop's hot paths.  The steps are those of the
 * Prometheus histograms that show it. */
#ifndef SWITCHD_BASE_SPREAD_H
#define SWITCHD_BASE_SPREAD_H

#include <stddef.h>
#include <stdint.h>

enum { SPREAD_STEPS = 13 };             /* the last one has no upper end */
extern const int64_t spread_steps_us[SPREAD_STEPS];

struct spread { uint64_t count[SPREAD_STEPS], sum_us; };

static inline void spread_add(struct spread *s, int64_t us)
{
	size_t i = 0;

	while (i + 1 < SPREAD_STEPS && us > spread_steps_us[i])
		i++;
	s->count[i]++;
	s->sum_us += us > 0 ? (uint64_t)us : 0;
}
void spread_merge(struct spread *, const struct spread *more);
uint64_t spread_total(const struct spread *);
/* The upper end of the step in which that part (0.99) of all lies; INT64_MAX: beyond the last, 0: nothing was counted. */
int64_t spread_at_most_us(const struct spread *, double part);

#endif
