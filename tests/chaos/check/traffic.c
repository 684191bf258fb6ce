/* SPDX-License-Identifier: MIT
 * traffic.c - what clients and proxies saw: I1a, I1b, I7, I9, I17. */
#include "tests/chaos/check/check.h"
#include "tests/chaos/moves.h"

static long n_requests, n_failed_in, n_failed_out;

/* ---- I1: failed requests ---- */

/* An episode of I1b: what one loss cost. */
struct episode { int64_t first, last; long n; };
static struct episode *episodes;

static bool overlaps(const struct span *s, const struct request *q) { return s->from <= q->t1 && s->to >= q->t0; }

static bool proxy_excuses(int front, const struct request *q)
{
	for (size_t i = 0; i < proxy_out.n; i++)
		if (proxy_out.s[i].front == front && overlaps(&proxy_out.s[i], q))
			return true;
	/* A connection that ends while the old process leaves may cross a request on its way: nothing but that. */
	for (size_t i = 0; i < proxy_reload.n; i++)
		if (proxy_reload.s[i].front == front && overlaps(&proxy_reload.s[i], q) && (strcmp(q->kind, "stale") == 0))
			return true;
	return false;
}

static bool slot_excuses(const struct run *r, int front, const struct request *q)
{
	bool shield;
	unsigned bits = 0;
	bool asked = false;

	for (size_t i = 0; i < broken.n; i++) {
		const struct span *s = &broken.s[i];

		if (!overlaps(s, q) || (s->path[0] && strcmp(s->path, q->path) != 0))
			continue;
		if (!asked) {
			bits = slots_allowed(r, front, q->t0, q->t1, &shield);
			asked = true;
		}
		/* The answer names who gave it; where none was given, the slot must have been the one in use. */
		if (q->tag ? q->tag != s->slot : !(bits & 1u << s->slot))
			continue;
		struct episode *e = &episodes[i];
		e->first = e->n ? e->first : q->t0;
		e->last = q->t1;
		e->n++;
		return true;
	}
	return false;
}

static int by_length(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void report_episodes(void)
{
	struct finding *f = finding("I1b");
	int64_t *us = need(calloc(broken.n + 1, sizeof(*us)));
	size_t n = 0;
	long failed = 0;

	for (size_t i = 0; i < broken.n; i++)
		if (episodes[i].n) {
			us[n++] = episodes[i].last - episodes[i].first;
			failed += episodes[i].n;
		}
	qsort(us, n, sizeof(*us), by_length);
	f->seen = (long)n;
	snprintf(f->note, sizeof(f->note), "losses were felt by clients of %zu made (%ld requests); from first to last failure: half within %lld ms, the longest %lld ms", broken.n, failed,
		 (long long)(n ? us[n / 2] / 1000 : 0), (long long)(n ? us[n - 1] / 1000 : 0));
	free(us);
}

static void judge_request(const struct run *r, int front, const struct request *q)
{
	struct finding *f = finding("I1a");
	bool shield;

	n_requests++;
	if (strcmp(q->kind, "ok") == 0) {
		if (!q->tag)
			return;
		unsigned bits = slots_allowed(r, front, q->t0, q->t1, &shield);
		if (!(bits & 1u << q->tag) && !(shield && strcmp(q->method, "POST") != 0))
			breach(f, "front %d at %lld: %s %s was answered by %s, which it did not show then (mixed)", front, (long long)q->t1, q->method, q->path, slot_word(q->tag));
		return;
	}
	if (proxy_excuses(front, q) || slot_excuses(r, front, q)) {
		n_failed_in++;
		return;
	}
	n_failed_out++;
	unsigned bits = slots_allowed(r, front, q->t0, q->t1, &shield);
	breach(f, "front %d from %lld to %lld: %s %s failed (%s %d by %s; slots shown:%s%s), and nothing broken on purpose explains it", front, (long long)q->t0, (long long)q->t1,
	       q->method, q->path, q->kind, q->status, slot_word(q->tag), bits & 1u << BLUE ? " blue" : "", bits & 1u << GREEN ? " green" : "");
}

/* ---- polls: who answers is whom the value names, and who says so himself ---- */

static bool ends_in(int front, int64_t t0, int64_t t1)
{
	for (size_t i = 0; i < proxy_out.n; i++)
		if (proxy_out.s[i].front == front && proxy_out.s[i].from >= t0 && proxy_out.s[i].from <= t1)
			return true;
	return false;
}

static void judge_polls(const struct run *r, int i)
{
	struct finding *mixed = finding("I1a"), *known = finding("I17");
	const struct front *f = &r->front[i];

	for (size_t k = 0; k < f->n_poll; k++) {
		const struct poll_ *p = &f->poll[k];

		if (!p->there)
			continue;
		known->seen++;
		if (p->v.kind == V_BAD)
			breach(known, "front %d at %lld is stamped \"%s\"", i, (long long)p->t1, p->v.text);
		else if (p->by != p->v.slot || p->app != p->by)
			breach(mixed, "front %d at %lld: the value names %s, HAProxy asked %s, %s answered", i, (long long)p->t1, slot_word(p->v.slot), slot_word(p->by), slot_word(p->app));
	}
	for (size_t k = 0; k < f->n_shown; k++) {
		if (!f->shown[k].there)
			continue;
		known->seen++;
		/* One that is told to end while it answers may say that there is nothing. */
		if (f->shown[k].v.kind == V_BAD && !(strcmp(f->shown[k].v.text, "none") == 0 && ends_in(i, f->shown[k].t0, f->shown[k].t1)))
			breach(known, "haproxy-%d (%ld) at %lld holds \"%s\"", i, f->shown[k].pid, (long long)f->shown[k].t1, f->shown[k].v.text);
	}
}

/* ---- I7 ---- */

static void judge_regress(const struct run *r, int i)
{
	struct finding *f = finding("I7");
	const struct front *fr = &r->front[i];
	const struct shown *last = NULL;
	static long older;

	/* One process: what it held only grows.  A new one begins with what the file said. */
	for (size_t k = 0; k < fr->n_shown; k++) {
		const struct shown *s = &fr->shown[k];

		if (!s->there || s->v.kind != V_OURS)
			continue;
		f->seen++;
		if (last && version_cmp(s->v.v, last->v.v) < 0) {
			if (s->pid == last->pid)
				breach(f, "haproxy-%d (%ld): %s at %lld, then %s at %lld", i, s->pid, last->v.text, (long long)last->t1, s->v.text, (long long)s->t1);
			else
				older++;
		}
		last = s;
	}
	/* Through the front two processes may answer while one gives way to the other. */
	const struct poll_ *before = NULL;
	for (size_t k = 0; k < fr->n_poll; k++) {
		const struct poll_ *p = &fr->poll[k];

		if (!p->there || p->v.kind != V_OURS)
			continue;
		f->seen++;
		if (before && version_cmp(p->v.v, before->v.v) < 0) {
			bool excused = false;

			for (size_t n = 0; n < proxy_out.n; n++)
				excused = excused || (proxy_out.s[n].front == i && proxy_out.s[n].from <= p->t1 && proxy_out.s[n].to >= before->t0);
			for (size_t n = 0; n < proxy_reload.n; n++)
				excused = excused || (proxy_reload.s[n].front == i && proxy_reload.s[n].from <= p->t1 && proxy_reload.s[n].to >= before->t0);
			if (!excused)
				breach(f, "front %d: %s at %lld, then %s at %lld", i, before->v.text, (long long)before->t1, p->v.text, (long long)p->t1);
		}
		before = p;
	}
	snprintf(f->note, sizeof(f->note), "values seen in proxies and through fronts; %ld times a new process began with an older one", older);
}

/* ---- I9 ---- */

static void judge_nobody(const struct run *r)
{
	struct finding *f = finding("I9");
	int64_t all = 0;

	for (size_t n = 0; n < nobody.n; n++) {
		/* What was on its way when the last one stopped may still arrive. */
		int64_t from = nobody.s[n].from + 100000, to = nobody.s[n].to == INT64_MAX ? r->end : nobody.s[n].to;

		if (to <= from)
			continue;
		f->seen++;
		all += to - from;
		for (int i = 1; i <= r->n_fronts; i++) {
			const struct front *fr = &r->front[i];
			const struct shown *last = NULL;

			for (size_t k = 0; k < fr->n_shown; k++) {
				const struct shown *s = &fr->shown[k];

				if (!s->there || s->t0 < from || s->t1 > to || s->v.kind != V_OURS)
					continue;
				if (last && last->pid == s->pid && strcmp(last->v.text, s->v.text) != 0)
					breach(f, "haproxy-%d: %s became %s at %lld, while no controller and no agent was running", i, last->v.text, s->v.text, (long long)s->t1);
				last = s;
			}
		}
	}
	snprintf(f->note, sizeof(f->note), "spans in which nobody decided, %lld ms in all", (long long)all / 1000);
}

void check_traffic(const struct run *r)
{
	episodes = need(calloc(broken.n + 1, sizeof(*episodes)));
	for (int i = 1; i <= r->n_fronts; i++) {
		for (size_t k = 0; k < r->front[i].n_req; k++)
			judge_request(r, i, &r->front[i].req[k]);
		judge_polls(r, i);
		judge_regress(r, i);
	}
	finding("I1a")->seen = n_requests;
	snprintf(finding("I1a")->note, sizeof(finding("I1a")->note), "requests, %ld failed where something was broken on purpose, %ld elsewhere", n_failed_in, n_failed_out);
	if (!n_requests)
		breach(finding("I1a"), "no request was made");
	snprintf(finding("I17")->note, sizeof(finding("I17")->note), "values seen");
	report_episodes();
	judge_nobody(r);
}

bool check_tally(const struct run *r, long least, FILE *out)
{
	long injected = 0, vetoed = 0, automatic = 0, forward = 0, back = 0;
	const char *seed = "?", *topology = "?";

	for (size_t i = 0; i < r->n_lines; i++) {
		const struct line *l = &r->lines[i];

		injected += strcmp(l->word, "fault") == 0 && field_is(l, "what", "in");
		vetoed += strcmp(l->word, "fault") == 0 && field_is(l, "what", "veto");
		if (strcmp(l->word, "run") == 0 && *field(l, "seed")) {
			seed = field(l, "seed");
			topology = field(l, "topology");
		}
	}
	for (size_t i = 0; i < r->n_events; i++) {
		const struct event *e = &r->events[i];

		for (size_t k = 0; k < FAKE_LEN(moves_of_traffic); k++) {
			if (strcmp(e->kind, moves_of_traffic[k].kind) != 0)
				continue;
			bool self = strcmp(e->kind, "rollback.decided") == 0 && strcmp(e->by, "switchd") == 0;

			*(self ? &automatic : moves_of_traffic[k].back ? &back : &forward) += 1;
		}
	}
	fprintf(out, "chaos: seed %s, %s: %ld injections (%ld vetoed), %ld flips (%ld automatic, %ld forward, %ld back), %ld requests, failed %ld inside and %ld outside allowed windows",
		seed, topology, injected, vetoed, automatic + forward + back, automatic, forward, back, n_requests, n_failed_in, n_failed_out);
	return injected >= least && automatic + forward + back >= least;
}
