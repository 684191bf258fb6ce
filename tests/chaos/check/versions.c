/* SPDX-License-Identifier: MIT
 * versions.c - I2: the version only grows, and one version is one slot. */
#include "tests/chaos/check/check.h"

struct meaning { struct version v; int slot; signed char shield; const char *who; int64_t at; };
static struct meaning *all;
static size_t n_all, cap_all;

/* shield -1: not told. */
static void means(struct version v, int slot, int shield, const char *who, int64_t at)
{
	if (!slot || !v.gen)
		return;
	GROW(all, n_all, cap_all);
	all[n_all++] = (struct meaning){ .v = v, .slot = slot, .shield = (signed char)shield, .who = who, .at = at };
}

static int by_version(const void *a, const void *b)
{
	const struct meaning *x = a, *y = b;
	int c = version_cmp(x->v, y->v);

	return c ? c : (x->at > y->at) - (x->at < y->at);
}

/* What each controller said the version is, while it led.  An answer that was asked for before another one came is no step back. */
static void judge_said(const struct run *r, struct finding *f)
{
	struct { int64_t at; struct version v; } seen[16][64] = { 0 };
	size_t n[16] = { 0 };

	for (size_t i = 0; i < r->n_lines; i++) {
		const struct line *l = &r->lines[i];
		unsigned long long gen, epoch;
		int who = (int)field_number(l, "who");

		if (strcmp(l->word, "eye") != 0 || who < 0 || who > 15 || sscanf(field(l, "etag"), "%llu.%llu", &gen, &epoch) != 2)
			continue;
		struct version v = { gen, epoch };
		for (size_t k = 0; k < 64; k++)
			if (seen[who][k].at && seen[who][k].at < field_number(l, "began") && version_cmp(v, seen[who][k].v) < 0) {
				breach(f, "at %lld controller %d said %llu.%llu, after %llu.%llu at %lld", (long long)l->at, who, gen, epoch, (unsigned long long)seen[who][k].v.gen,
				       (unsigned long long)seen[who][k].v.epoch, (long long)seen[who][k].at);
				break;
			}
		seen[who][n[who]].at = l->at;
		seen[who][n[who]++ % 64].v = v;
		n[who] %= 64;
	}
}

void check_versions(const struct run *r)
{
	struct finding *f = finding("I2");
	struct version record = { 0 };
	long distinct = 0;

	for (int i = 1; i <= r->n_fronts; i++) {
		for (size_t k = 0; k < r->front[i].n_shown; k++)
			if (r->front[i].shown[k].v.kind == V_OURS && r->front[i].shown[k].there)
				means(r->front[i].shown[k].v.v, r->front[i].shown[k].v.slot, r->front[i].shown[k].v.shield, "a proxy", r->front[i].shown[k].t1);
		for (size_t k = 0; k < r->front[i].n_poll; k++)
			if (r->front[i].poll[k].v.kind == V_OURS && r->front[i].poll[k].there)
				means(r->front[i].poll[k].v.v, r->front[i].poll[k].v.slot, r->front[i].poll[k].v.shield, "a front", r->front[i].poll[k].t1);
	}
	/* In the order of their ids, which is the order in which they were committed. */
	for (size_t i = 0; i < r->n_events; i++) {
		const struct event *e = &r->events[i];

		if (!e->to || !e->to_v.gen)
			continue;
		means(e->to_v, e->to, -1, "an event", e->at);
		/* Decided while the store was away, in the generation before, and recorded when it was back. */
		if (e->to_v.gen < e->gen && version_cmp(e->to_v, record) < 0)
			continue;
		if (version_cmp(e->to_v, record) < 0)
			breach(f, "event %llu-%llu (%s) is of version %llu.%llu, after %llu.%llu", (unsigned long long)e->gen, (unsigned long long)e->seq, e->kind,
			       (unsigned long long)e->to_v.gen, (unsigned long long)e->to_v.epoch, (unsigned long long)record.gen, (unsigned long long)record.epoch);
		record = e->to_v;
	}
	judge_said(r, f);
	qsort(all, n_all, sizeof(*all), by_version);
	int shield = -1;
	for (size_t i = 0; i < n_all; i++) {
		if (!i || version_cmp(all[i].v, all[i - 1].v) != 0) {
			distinct++;
			shield = all[i].shield;
			continue;
		}
		if (all[i].slot != all[i - 1].slot)
			breach(f, "version %llu.%llu is %s by %s and %s by %s", (unsigned long long)all[i].v.gen, (unsigned long long)all[i].v.epoch, slot_word(all[i - 1].slot),
			       all[i - 1].who, slot_word(all[i].slot), all[i].who);
		if (all[i].shield >= 0 && shield >= 0 && all[i].shield != shield)
			breach(f, "version %llu.%llu is with and without shield", (unsigned long long)all[i].v.gen, (unsigned long long)all[i].v.epoch);
		if (all[i].shield >= 0)
			shield = all[i].shield;
	}
	f->seen = distinct;
	snprintf(f->note, sizeof(f->note), "versions, seen %zu times", n_all);
}
