/* SPDX-License-Identifier: MIT
 * leases.c - I13: at most one holder of the lease commits per version, by what the redis-servers were told. */
#include "tests/chaos/check/check.h"

static int by_time(const void *a, const void *b)
{
	const struct commit *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static int by_record(const void *a, const void *b)
{
	const struct commit *x = *(const struct commit *const *)a, *y = *(const struct commit *const *)b;

	if (x->gen != y->gen)
		return x->gen > y->gen ? 1 : -1;
	return (x->rev > y->rev) - (x->rev < y->rev);
}

void check_leases(const struct run *r)
{
	struct finding *f = finding("I13");
	const struct commit **wrote = need(calloc(r->n_commits + 1, sizeof(*wrote)));
	size_t n = 0;
	uint64_t term = 0, holders = 0, gen = 0;
	const char *owner = "";

	qsort(r->commits, r->n_commits, sizeof(*r->commits), by_time);
	for (size_t i = 0; i < r->n_commits; i++) {
		const struct commit *c = &r->commits[i];

		if (!c->wrote)
			continue;
		wrote[n++] = c;
		f->seen++;
		/* A store that was emptied has no last term; its new generation fences what was before. */
		if (c->gen > gen) {
			gen = c->gen;
			term = 0;
		}
		if (c->term == term && strcmp(c->owner, owner) != 0)
			breach(f, "term %llu: %s committed, and at %lld %s (%s)", (unsigned long long)term, owner, (long long)c->at, c->owner, c->rid);
		if (c->term < term)
			breach(f, "at %lld %s committed %s under term %llu, after one of term %llu", (long long)c->at, c->owner, c->rid, (unsigned long long)c->term, (unsigned long long)term);
		if (c->term > term) {
			holders++;
			term = c->term;
			owner = c->owner;
		}
	}
	/* (gen, rev) is a commit's place: nobody shares it. */
	qsort(wrote, n, sizeof(*wrote), by_record);
	for (size_t i = 1; i < n; i++)
		if (by_record(&wrote[i], &wrote[i - 1]) == 0 && strcmp(wrote[i]->rid, wrote[i - 1]->rid) != 0)
			breach(f, "revision %llu of generation %llu was committed by %s (term %llu) and by %s (term %llu)", (unsigned long long)wrote[i]->rev, (unsigned long long)wrote[i]->gen,
			       wrote[i - 1]->rid, (unsigned long long)wrote[i - 1]->term, wrote[i]->rid, (unsigned long long)wrote[i]->term);
	snprintf(f->note, sizeof(f->note), "commits seen by MONITOR, under %llu terms", (unsigned long long)holders);
	if (!f->seen)
		breach(f, "MONITOR saw no commit");
	free(wrote);
}
