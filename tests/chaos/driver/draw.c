/* SPDX-License-Identifier: MIT
 * draw.c - numbers that hang on the seed alone (splitmix64). */
#include "tests/chaos/driver/driver.h"

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

struct draw draw_begin(uint64_t seed, uint64_t round, uint64_t lane)
{
	return (struct draw){ .x = mix(mix(seed + 0x9e3779b97f4a7c15u) ^ (round << 20) ^ lane) };
}

uint64_t draw_next(struct draw *d)
{
	d->x += 0x9e3779b97f4a7c15u;
	return mix(d->x);
}

long draw_between(struct draw *d, long low, long high)
{
	return low + (long)(draw_next(d) % (uint64_t)(high - low + 1));
}

size_t draw_weighted(struct draw *d, const int *weight, size_t n)
{
	long all = 0;

	for (size_t i = 0; i < n; i++)
		all += weight[i];
	if (!all)
		return 0;
	long at = draw_between(d, 0, all - 1);
	for (size_t i = 0; i < n; i++)
		if ((at -= weight[i]) < 0)
			return i;
	return n - 1;
}
