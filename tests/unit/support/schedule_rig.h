/* SPDX-License-Identifier: MIT
 * schedule_rig.h - the schedule in virtual time: clock, timer and runner are ours (link seams), and remember what was sent.
 * For tests/unit/schedule*.c, which include it once each. */
#ifndef TESTS_UNIT_SCHEDULE_RIG_H
#define TESTS_UNIT_SCHEDULE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/schedule.h"

/* ---- the world ---- */

enum { MAX_LOG = 400000, MAX_FLIGHTS = 4096 };

struct sent { int64_t at; struct probe_job job; id_text release; };
struct probe_handle {
	bool live;
	int64_t ends;
	struct probe_job job;
	probe_done_fn *done;
	void *arg;
};

static int64_t now;
static struct { ev_timer *t; int64_t due; } timer;
static struct sent *sent_log;
static size_t n_sent;
static struct probe_handle flights[MAX_FLIGHTS];
static int64_t latency_us;
static enum outcome answer;
static unsigned requests[MAX_FEATURES + 1];     /* that a probe of the feature takes; 0 = one */
static int wakeups;
static int in_flight[3][MAX_TARGETS][MAX_FEATURES + 1];

mono_us mono_now(void) { return (mono_us){ now }; }
wall_ms wall_now(void) { return (wall_ms){ now / 1000 }; }

/* Every moment is a turn of its own. */
unsigned int ev_iteration(struct ev_loop *loop) { return (void)loop, (unsigned int)now; }
void ev_timer_start(struct ev_loop *loop, ev_timer *t)
{
	(void)loop;
	if (ev_is_active(t))
		return;
	t->active = 1;
	timer.t = t;
	timer.due = now + (int64_t)(t->at * 1e6);
}

void ev_timer_stop(struct ev_loop *loop, ev_timer *t)
{
	(void)loop;
	t->active = 0;
	timer.t = NULL;
}

static int *flying(const struct probe_job *j)
{
	return j->via == VIA_FRONT ? &in_flight[2][j->proxy][j->feature] : &in_flight[j->slot][j->target][j->feature];
}

struct probe_handle *probe_start(struct probe_runner *r, const struct probe_job *job, probe_done_fn *done, void *arg)
{
	struct probe_handle *h = flights;

	(void)r;
	while (h->live && h < flights + MAX_FLIGHTS - 1)
		h++;
	assert_false(h->live);
	assert_true(n_sent < MAX_LOG);
	assert_int_equal((*flying(job))++, 0); /* one in flight per cell: at every moment of every test */
	sent_log[n_sent].at = now;
	sent_log[n_sent].job = *job;
	TEXT_COPY(sent_log[n_sent].release, job->release);
	n_sent++;
	*h = (struct probe_handle){ true, now + latency_us, *job, done, arg };
	return h;
}

static inline void end(struct probe_handle *h, enum outcome o)
{
	struct probe_result r = { .job = h->job, .outcome = o, .began = { 0 }, .ended = { now }, .requests = requests[h->job.feature] };

	h->live = false;
	(*flying(&h->job))--;
	h->done(h->arg, &r);
}

void probe_cancel(struct probe_handle *h) { end(h, OUT_CANCELLED); }

/* Everything that happens until then, in order. */
static inline void run(int64_t ms)
{
	int64_t until = now + ms * 1000;

	for (;;) {
		struct probe_handle *next = NULL;
		int64_t at = timer.t && ev_is_active(timer.t) ? timer.due : INT64_MAX;

		for (struct probe_handle *h = flights; h < flights + MAX_FLIGHTS; h++)
			if (h->live && h->ends <= at && (!next || h->ends < next->ends))
				next = h;
		if (next)
			at = next->ends;
		if (at > until)
			break;
		now = at > now ? at : now;
		if (next) {
			end(next, answer);
		} else {
			timer.t->active = 0;
			wakeups++;
			timer.t->cb(NULL, timer.t, EV_TIMER);
		}
	}
	now = until;
}

/* ---- a service ---- */

static struct feature features[MAX_FEATURES];
static struct target targets[4] = { { .text = "t0" }, { .text = "t1" }, { .text = "t2" }, { .text = "t3" } };
static struct proxy_config proxies[2] = { { .name = "one", .front = "" }, { .name = "two", .front = "http://10.0.0.9" } };
static struct service_config cfg;
static struct schedule *s;
static size_t results, cancelled;
static void (*on_result)(const struct probe_result *);

static inline void got(void *arg, const struct probe_result *r)
{
	(void)arg;
	results++;
	cancelled += r->outcome == OUT_CANCELLED;
	if (on_result)
		on_result(r);
}

static inline void begin(void) { s = schedule_new(NULL, NULL, &cfg, got, NULL); }

static inline void service(size_t n_features, size_t n_targets)
{
	for (size_t i = 0; i < MAX_FEATURES; i++)
		features[i] = (struct feature){
			.name = "f", .method = "GET",
			.rule = { .interval_ms = 1000, .idle_interval_ms = 10000, .fast_interval_ms = 200, .confirm_ms = 20,
				  .timeout_ms = 2000, .via_slot = true, .via_front = true },
		};
	cfg = (struct service_config){
		.name = "shop", .front = "http://shop.test", .features = features, .n_features = n_features, .max_rate = 50,
		.proxies = proxies, .n_proxies = 1,
		.slot = { { .targets = targets, .n_targets = n_targets }, { .targets = targets, .n_targets = n_targets } },
	};
}

static inline int setup(void **state)
{
	(void)state;
	now = 1000000000;
	n_sent = results = cancelled = 0;
	wakeups = 0;
	latency_us = 1000;
	answer = OUT_PRESENT;
	on_result = NULL;
	timer.t = NULL;
	memset(flights, 0, sizeof(flights));
	memset(in_flight, 0, sizeof(in_flight));
	memset(requests, 0, sizeof(requests));
	s = NULL;
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	schedule_free(&s);
	return 0;
}

static inline size_t count(enum probe_via via, int slot, int target, int feature, int64_t from, int64_t to)
{
	size_t n = 0;

	for (size_t i = 0; i < n_sent; i++) {
		const struct probe_job *j = &sent_log[i].job;

		n += sent_log[i].at >= from && sent_log[i].at < to && j->via == via && (slot < 0 || (int)j->slot == slot) &&
		     (target < 0 || (int)j->target == target) && (feature < 0 || (int)j->feature == feature);
	}
	return n;
}

static inline size_t of_feature(int feature) { return count(VIA_SLOT, -1, -1, feature, 0, INT64_MAX); }

/* The most that left within any second. */
static inline double busiest_second(double (*weight)(const struct probe_job *))
{
	double most = 0, sum = 0;
	size_t first = 0;

	for (size_t i = 0; i < n_sent; i++) {
		sum += weight(&sent_log[i].job);
		while (sent_log[i].at - sent_log[first].at >= 1000000)
			sum -= weight(&sent_log[first++].job);
		most = sum > most ? sum : most;
	}
	return most;
}

static inline double on_target_0(const struct probe_job *j) { return j->via == VIA_SLOT && j->target == 0; }
static inline double on_target_1(const struct probe_job *j) { return j->via == VIA_SLOT && j->target == 1; }

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static inline int run_logged(const char *name, const struct CMUnitTest *tests, size_t n)
{
	sent_log = malloc(sizeof(*sent_log) * MAX_LOG);
	int rc = _cmocka_run_group_tests(name, tests, n, NULL, NULL);

	free(sent_log);
	return rc;
}

#endif
