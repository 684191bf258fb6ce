/* SPDX-License-Identifier: MIT
 * spread.c - counts in fixed steps. */
#include "switchd/base/spread.h"

const int64_t spread_steps_us[SPREAD_STEPS] = { 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, INT64_MAX };

void spread_merge(struct spread *s, const struct spread *more)
{
	for (size_t i = 0; i < SPREAD_STEPS; i++)
		s->count[i] += more->count[i];
	s->sum_us += more->sum_us;
}

uint64_t spread_total(const struct spread *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < SPREAD_STEPS; i++)
		n += s->count[i];
	return n;
}

int64_t spread_at_most_us(const struct spread *s, double part)
{
	uint64_t all = spread_total(s), n = 0;

	for (size_t i = 0; i < SPREAD_STEPS && all; i++) {
		n += s->count[i];
		if ((double)n >= part * (double)all)
			return spread_steps_us[i];
	}
	return 0;
}
