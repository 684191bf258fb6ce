/* SPDX-License-Identifier: MIT
 * storm.c - which faults a round has, and their begin and end in time.
 *
 * All is drawn before the round begins, from the seed and the round's number: kinds, members, times.
 * At most AT_ONCE overlap, never two on one member.  What is there may veto a fault (a second foreign
 * value within a minute would be a fight, by design); that is told, and changes nothing else. */
#include "tests/chaos/driver/driver.h"

enum { PER_ROUND = 6, AT_ONCE = 3, ROUND_MS = 6000, MAX_KINDS = 64, LANE = 1 };
static const struct fault_kind *kinds[MAX_KINDS];
static int weights[MAX_KINDS];
static size_t n_kinds;
static int injected, next_id;
static _Atomic int64_t calm_since;

int storm_count(void) { return injected; }
int64_t storm_calm_since(void) { return calm_since; }

int storm_members(const char *group)
{
	return strcmp(group, "controller") == 0 ? rig.n_controllers : strcmp(group, "proxy") == 0 ? rig.n_fronts : strcmp(group, "redis") == 0 ? rig.n_redis :
	       strcmp(group, "sentinel") == 0 ? rig.n_sentinels : strcmp(group, "agent") == 0 ? rig.n_agents : strcmp(group, "slot") == 0 ? 2 : 1;
}

void storm_prepare(void)
{
	const struct fault_kind *const tables[] = { faults_process, faults_redis, faults_proxy, faults_app };

	for (size_t t = 0; t < FAKE_LEN(tables); t++)
		for (const struct fault_kind *k = tables[t]; k->name; k++) {
			if (!(k->topologies & (int)rig.topology) || !storm_members(k->group))
				continue;
			if (n_kinds == MAX_KINDS)
				die("too many kinds of faults");
			kinds[n_kinds] = k;
			weights[n_kinds++] = k->weight;
		}
	calm_since = now_us();
}

static bool fits(const struct fault *f, const struct fault *all, size_t n)
{
	int meets = 0;

	for (size_t i = 0; i < n; i++) {
		const struct fault *o = &all[i];

		if (f->at_ms > o->at_ms + o->for_ms + 50 || o->at_ms > f->at_ms + f->for_ms + 50)
			continue;
		meets++;
		bool whole = !f->kind->group[0] || !o->kind->group[0];
		if (whole || (strcmp(f->kind->group, o->kind->group) == 0 && f->number == o->number))
			return false;
	}
	return meets < AT_ONCE;
}

static size_t draw_round(uint64_t round, struct fault *all)
{
	struct draw d = draw_begin(rig.seed, round, LANE);
	size_t n = 0;

	for (int tries = 0; n < PER_ROUND && tries < 60; tries++) {
		struct fault *f = &all[n];

		memset(f, 0, sizeof(*f));
		f->kind = kinds[draw_weighted(&d, weights, n_kinds)];
		f->number = (int)draw_between(&d, 1, storm_members(f->kind->group));
		f->for_ms = draw_between(&d, f->kind->min_ms, f->kind->max_ms);
		f->at_ms = draw_between(&d, 0, ROUND_MS - f->for_ms > 0 ? ROUND_MS - f->for_ms : 0);
		f->dice = draw_next(&d);
		if (fits(f, all, n))
			n++;
	}
	return n;
}

static void begin(struct fault *f)
{
	f->id = ++next_id;
	calm_since = INT64_MAX;
	say("fault\tid=%d\twhat=begin\tkind=%s\trow=%s\tnumber=%d\tfor=%ld\tdice=%llu", f->id, f->kind->name, f->kind->row, f->number, f->for_ms, (unsigned long long)f->dice);
	f->on = f->kind->begin(f);
	if (!f->on) {
		f->done = true;
		say("fault\tid=%d\twhat=veto\tkind=%s\twhy=%s", f->id, f->kind->name, f->note);
		return;
	}
	injected++;
	say("fault\tid=%d\twhat=in\tkind=%s\tnote=%s", f->id, f->kind->name, f->note);
}

static void end(struct fault *f)
{
	if (f->kind->end)
		f->kind->end(f);
	f->on = false;
	f->done = true;
	say("fault\tid=%d\twhat=end\tkind=%s\tnote=%s", f->id, f->kind->name, f->note);
}

void *storm_round(void *arg)
{
	struct fault all[PER_ROUND];
	size_t n = draw_round((uint64_t)(uintptr_t)arg, all), left = n;
	int64_t start = now_us();

	while (left) {
		long now = (long)((now_us() - start) / 1000);
		struct fault *next = NULL;
		long when = 0;

		/* The earliest of what is to come: begins and ends alike. */
		for (size_t i = 0; i < n; i++) {
			struct fault *f = &all[i];
			long t = f->on ? f->at_ms + f->for_ms : f->at_ms;

			if (!f->done && (!next || t < when)) {
				next = f;
				when = t;
			}
		}
		if (!next)
			break;
		if (when > now) {
			usleep((useconds_t)(when - now > 20 ? 20 : when - now) * 1000);
			continue;
		}
		if (next->on)
			end(next);
		else
			begin(next);
		left -= next->done;
	}
	calm_since = now_us();
	return NULL;
}
