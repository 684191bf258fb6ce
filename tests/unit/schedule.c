/* SPDX-License-Identifier: MIT
 * schedule.c - the schedule in virtual time: clock, timer and runner are ours (link seams). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/due.h"
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

static void end(struct probe_handle *h, enum outcome o)
{
	struct probe_result r = { .job = h->job, .outcome = o, .began = { 0 }, .ended = { now }, .requests = requests[h->job.feature] };

	h->live = false;
	(*flying(&h->job))--;
	h->done(h->arg, &r);
}

void probe_cancel(struct probe_handle *h) { end(h, OUT_CANCELLED); }

/* Everything that happens until then, in order. */
static void run(int64_t ms)
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

static void got(void *arg, const struct probe_result *r)
{
	(void)arg;
	results++;
	cancelled += r->outcome == OUT_CANCELLED;
	if (on_result)
		on_result(r);
}

static void begin(void) { s = schedule_new(NULL, NULL, &cfg, got, NULL); }

static void service(size_t n_features, size_t n_targets)
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

static int setup(void **state)
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

static int teardown(void **state)
{
	(void)state;
	schedule_free(&s);
	return 0;
}

static size_t count(enum probe_via via, int slot, int target, int feature, int64_t from, int64_t to)
{
	size_t n = 0;

	for (size_t i = 0; i < n_sent; i++) {
		const struct probe_job *j = &sent_log[i].job;

		n += sent_log[i].at >= from && sent_log[i].at < to && j->via == via && (slot < 0 || (int)j->slot == slot) &&
		     (target < 0 || (int)j->target == target) && (feature < 0 || (int)j->feature == feature);
	}
	return n;
}

static size_t of_feature(int feature) { return count(VIA_SLOT, -1, -1, feature, 0, INT64_MAX); }

/* The most that left within any second. */
static double busiest_second(double (*weight)(const struct probe_job *))
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

static double on_target_0(const struct probe_job *j) { return j->via == VIA_SLOT && j->target == 0; }
static double on_target_1(const struct probe_job *j) { return j->via == VIA_SLOT && j->target == 1; }

/* ---- pace ---- */

static void steady_asks_each_feature_each_interval_targets_in_turn(void **state)
{
	(void)state;
	service(3, 2);
	begin();
	schedule_pace(s, BLUE, PACE_STEADY);
	assert_int_equal(n_sent, 0);
	run(100000);
	for (int f = 0; f < 3; f++) {
		size_t last = 2;

		assert_in_range(of_feature(f), 95, 106);
		for (size_t i = 0; i < n_sent; i++)
			if ((int)sent_log[i].job.feature == f) {
				assert_int_not_equal(sent_log[i].job.target, last);
				last = sent_log[i].job.target;
			}
	}
	assert_true(schedule_stretch(s, BLUE) == 1.);
	assert_int_equal(schedule_sent(s), n_sent);
	assert_true(results >= n_sent - 3);
}

static void intervals_are_jittered_by_a_tenth(void **state)
{
	int64_t last = 0, least = INT64_MAX, most = 0;

	(void)state;
	service(1, 1);
	begin();
	schedule_pace(s, GREEN, PACE_STEADY);
	run(500000);
	for (size_t i = 0; i < n_sent; i++) {
		int64_t gap = sent_log[i].at - last;

		if (last) {
			least = gap < least ? gap : least;
			most = gap > most ? gap : most;
		}
		last = sent_log[i].at;
	}
	assert_in_range(least, 895000, 930000);
	assert_in_range(most, 1070000, 1105000);
}

static void idle_is_ten_times_slower(void **state)
{
	(void)state;
	service(4, 2);
	begin();
	schedule_pace(s, GREEN, PACE_IDLE);
	run(200000);
	for (int f = 0; f < 4; f++)
		assert_in_range(of_feature(f), 18, 23);
	assert_in_range(count(VIA_SLOT, GREEN, 0, -1, 0, INT64_MAX), 36, 46);
}

static void fast_asks_every_target(void **state)
{
	(void)state;
	service(3, 3);
	begin();
	schedule_pace(s, BLUE, PACE_FAST);
	run(200);
	for (int t = 0; t < 3; t++) /* the first round within one interval */
		for (int f = 0; f < 3; f++)
			assert_in_range(count(VIA_SLOT, BLUE, t, f, 0, INT64_MAX), 1, 2);
	run(20000);
	for (int t = 0; t < 3; t++)
		for (int f = 0; f < 3; f++)
			assert_in_range(count(VIA_SLOT, BLUE, t, f, 0, INT64_MAX), 97, 106);
}

static void a_pace_set_again_changes_nothing(void **state)
{
	(void)state;
	service(2, 1);
	begin();
	for (int i = 0; i < 3000; i++) {
		schedule_pace(s, BLUE, PACE_STEADY);
		schedule_front(s, BLUE, PACE_STEADY);
		schedule_release(s, BLUE, "");
		run(10);
	}
	assert_in_range(count(VIA_SLOT, BLUE, 0, 0, 0, INT64_MAX), 28, 33);
	assert_in_range(count(VIA_FRONT, BLUE, -1, 0, 0, INT64_MAX), 28, 33);
}

static void off_sends_nothing(void **state)
{
	(void)state;
	service(100, 2);
	begin();
	schedule_pace(s, BLUE, PACE_FAST);
	run(1000);
	assert_true(n_sent > 20);
	schedule_pace(s, BLUE, PACE_OFF); /* what waited at the ceiling goes too */
	size_t before = n_sent;
	run(100000);
	assert_int_equal(n_sent, before);
	assert_false(timer.t && ev_is_active(timer.t)); /* and nothing wakes the loop */
}

static void a_slow_answer_does_not_double_probes(void **state)
{
	(void)state;
	service(2, 2);
	begin();
	latency_us = 2000000;
	schedule_pace(s, BLUE, PACE_FAST);
	run(20000);
	/* Back to back, one at a time: probe_start() asserts that there are never two. */
	for (int t = 0; t < 2; t++)
		for (int f = 0; f < 2; f++)
			assert_in_range(count(VIA_SLOT, BLUE, t, f, 0, INT64_MAX), 10, 11);
}

static void a_hanging_target_does_not_slow_the_other(void **state)
{
	(void)state;
	service(1, 2);
	begin();
	latency_us = 3000000;
	schedule_pace(s, BLUE, PACE_STEADY);
	run(500);
	latency_us = 1000; /* the first probe hangs on; later ones do not */
	size_t first = sent_log[0].job.target;
	run(2300);
	assert_true(n_sent >= 3);
	for (size_t i = 1; i < 3; i++)
		assert_int_not_equal(sent_log[i].job.target, first);
}

/* ---- the ceiling ---- */

static void a_long_list_is_stretched_evenly(void **state)
{
	size_t least = SIZE_MAX, most = 0;

	(void)state;
	service(100, 2);
	begin();
	schedule_pace(s, BLUE, PACE_FAST);
	assert_true(schedule_stretch(s, BLUE) > 9.99 && schedule_stretch(s, BLUE) < 10.01); /* 500/s wanted, 50/s allowed */
	assert_true(schedule_stretch(s, GREEN) == 1.);
	run(100000);
	for (int t = 0; t < 2; t++)
		for (int f = 0; f < 100; f++) {
			size_t n = count(VIA_SLOT, BLUE, t, f, 0, INT64_MAX);

			least = n < least ? n : least;
			most = n > most ? n : most;
		}
	assert_true(most <= least + 3); /* of some 50: round robin, but for the jitter */
	assert_true(busiest_second(on_target_0) <= 51 && busiest_second(on_target_1) <= 51);
	assert_in_range(n_sent, 9900, 10002); /* and all of what is allowed is used */
}

static void an_impatient_feature_starves_no_other(void **state)
{
	(void)state;
	service(60, 1);
	for (int i = 0; i < 30; i++)
		features[i].rule.fast_interval_ms = 10;
	begin();
	schedule_pace(s, BLUE, PACE_FAST);
	run(100000);
	for (int f = 0; f < 60; f++)
		assert_in_range(of_feature(f), 75, 90);
}

static double share_of_target_0(const struct probe_job *j)
{
	return j->via == VIA_FRONT ? .5 : j->target == 0;
}

static void front_probes_count_by_their_share(void **state)
{
	(void)state;
	service(30, 2);
	begin();
	schedule_pace(s, BLUE, PACE_FAST);
	schedule_front(s, BLUE, PACE_FAST);
	/* 150/s directly and 150/2 by the front on each target. */
	assert_true(schedule_stretch(s, BLUE) > 4.49 && schedule_stretch(s, BLUE) < 4.51);
	run(100000);
	assert_true(busiest_second(share_of_target_0) <= 53);
	size_t direct = count(VIA_SLOT, BLUE, -1, -1, 0, INT64_MAX), front = count(VIA_FRONT, BLUE, -1, -1, 0, INT64_MAX);
	assert_in_range(direct, 6200, 7000);    /* neither eats the other: 2/3 and 1/3 of 100/s */
	assert_in_range(front, 3000, 3700);
	assert_in_range(direct + front, 9600, 10010);
	for (int f = 0; f < 30; f++)
		assert_in_range(count(VIA_FRONT, BLUE, -1, f, 0, INT64_MAX), 90, 130);
}

static size_t requests_sent(void)
{
	size_t n = 0;

	for (size_t i = 0; i < n_sent; i++)
		n += requests[sent_log[i].job.feature] ? requests[sent_log[i].job.feature] : 1;
	return n;
}

static void a_probe_of_many_requests_pays_for_all_of_them(void **state)
{
	(void)state;
	service(3, 1);
	requests[0] = 20; /* 100 + 5 + 5 a second would be wanted, and 50 are allowed */
	begin();
	schedule_pace(s, BLUE, PACE_FAST);
	run(100000);
	assert_in_range(requests_sent(), 4500, 5100);
	for (int f = 0; f < 3; f++) /* one after the other: none starves */
		assert_in_range(of_feature(f), 150, 260);
	schedule_free(&s);
	n_sent = 0;
	service(3, 2);
	requests[0] = 20;
	begin();
	schedule_front(s, BLUE, PACE_FAST); /* by the front it is paid for by the targets behind it */
	schedule_pace(s, BLUE, PACE_FAST);
	run(10000);
	assert_true(schedule_stretch(s, BLUE) > 3.29 && schedule_stretch(s, BLUE) < 3.31); /* 110 + 110/2 */
	n_sent = 0;
	run(100000);
	assert_in_range(requests_sent(), 8500, 10500);
	for (int f = 0; f < 3; f++) { /* neither eats the other */
		assert_in_range(count(VIA_SLOT, BLUE, -1, f, 0, INT64_MAX), 150, 450);
		assert_in_range(count(VIA_FRONT, BLUE, -1, f, 0, INT64_MAX), 100, 250);
	}
}

static void high_rates_are_reached(void **state)
{
	(void)state;
	service(50, 1);
	for (int i = 0; i < 50; i++)
		features[i].rule.fast_interval_ms = 10;
	cfg.max_rate = 5000;
	begin();
	schedule_pace(s, BLUE, PACE_FAST);
	run(10000);
	assert_in_range(n_sent, 49000, 51000);
}

/* ---- at once ---- */

static void a_confirmation_is_sent_when_asked_for_whatever_the_ceiling(void **state)
{
	(void)state;
	service(100, 1);
	begin();
	schedule_pace(s, BLUE, PACE_FAST);
	run(10000);
	while (in_flight[BLUE][0][7])
		run(1);
	int64_t asked = now;
	schedule_confirm(s, BLUE, 0, 7, 20);
	schedule_confirm(s, BLUE, 0, 7, 20); /* asked for already */
	size_t before = count(VIA_SLOT, BLUE, 0, 7, 0, INT64_MAX);
	run(19);
	assert_int_equal(count(VIA_SLOT, BLUE, 0, 7, 0, INT64_MAX), before);
	run(2);
	assert_int_equal(count(VIA_SLOT, BLUE, 0, 7, 0, INT64_MAX), before + 1);
	assert_in_range(sent_log[n_sent - 1].at, asked + 19000, asked + 21000);
	run(500);
	assert_int_equal(count(VIA_SLOT, BLUE, 0, 7, 0, INT64_MAX), before + 1); /* once */
}

static void confirm_now_is_sent_before_it_returns(void **state)
{
	(void)state;
	service(3, 2);
	begin();
	schedule_pace(s, GREEN, PACE_IDLE);
	schedule_confirm(s, GREEN, 1, 2, 0);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent_log[0].job.target, 1);
	assert_int_equal(sent_log[0].job.feature, 2);
	run(3);
	assert_int_equal(of_feature(2), 1);
	schedule_confirm(s, GREEN, 1, 9, 0); /* no such feature */
	schedule_confirm(s, GREEN, 9, 0, 0);
	schedule_confirm(s, NO_SLOT, 0, 0, 0);
	run(3);
	assert_int_equal(of_feature(2), 1);
	assert_int_equal(of_feature(9), 0);
}

static void an_ordinary_probe_that_came_first_is_the_confirmation(void **state)
{
	(void)state;
	service(1, 1);
	begin();
	schedule_confirm(s, BLUE, 0, 0, 20);
	run(10);
	latency_us = 50000;
	schedule_confirm(s, BLUE, 0, 0, 0); /* asked for already: the first stands */
	assert_int_equal(n_sent, 0);
	schedule_fresh(s, BLUE); /* in flight when the confirmation is due, and begun after it was asked for */
	run(200);
	assert_int_equal(n_sent, 1);
}

static void ordinary_probes_give_way_afterwards(void **state)
{
	(void)state;
	service(100, 1);
	begin();
	schedule_pace(s, BLUE, PACE_FAST);
	run(10000);
	for (int i = 0; i < 1000; i++) { /* 10 confirmations a second for 100 s */
		schedule_confirm(s, BLUE, 0, (size_t)i % 100, 0);
		run(100);
	}
	assert_in_range(count(VIA_SLOT, BLUE, 0, -1, now - 100000000, now), 4900, 5010);
}

static void fresh_asks_every_cell_once_and_after_now(void **state)
{
	(void)state;
	service(5, 3);
	features[4].rule.via_slot = false;
	begin();
	latency_us = 50000;
	schedule_confirm(s, GREEN, 1, 1, 0); /* in flight: began before */
	run(10);
	size_t before = n_sent;
	assert_int_equal(before, 1);
	int64_t asked = now;
	schedule_fresh(s, GREEN);
	assert_int_equal(n_sent, before + 11);  /* 4 features x 3 targets, but for the one in flight */
	run(45);
	assert_int_equal(n_sent, before + 12);
	for (int t = 0; t < 3; t++)
		for (int f = 0; f < 4; f++)
			assert_int_equal(count(VIA_SLOT, GREEN, t, f, asked, INT64_MAX), 1);
	assert_int_equal(of_feature(4), 0);
}

static void fresh_holds_the_loop_only_so_long(void **state)
{
	(void)state;
	service(128, 4);
	begin();
	schedule_fresh(s, BLUE);
	assert_int_equal(n_sent, 256); /* the rest in later turns of the loop */
	run(1);
	assert_int_equal(n_sent, 512);
}

static void front_now_is_a_new_connection_at_once(void **state)
{
	(void)state;
	service(2, 1);
	cfg.n_proxies = 2;
	begin();
	schedule_front_now(s, 1, 0);
	assert_int_equal(n_sent, 0); /* no slot is active */
	schedule_front(s, GREEN, PACE_STEADY);
	schedule_front_now(s, 1, 0);
	schedule_front_now(s, 7, 0);
	schedule_front_now(s, 0, 2);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent_log[0].job.via, VIA_FRONT);
	assert_int_equal(sent_log[0].job.purpose, PURPOSE_OBSERVE);
	assert_int_equal(sent_log[0].job.proxy, 1);
	assert_int_equal(sent_log[0].job.slot, GREEN);
	assert_true(sent_log[0].job.fresh);
	run(10000);
	assert_in_range(count(VIA_FRONT, GREEN, -1, 0, 0, INT64_MAX), 19, 24); /* each proxy, each interval */
	assert_int_equal(sent_log[n_sent - 1].job.purpose, PURPOSE_VOTE);
	schedule_front(s, NO_SLOT, PACE_OFF);
	size_t before = n_sent;
	run(10000);
	assert_int_equal(n_sent, before);
}

static void without_a_front_nothing_goes_there(void **state)
{
	(void)state;
	service(2, 1);
	cfg.front = "";
	begin();
	schedule_front(s, BLUE, PACE_FAST);
	schedule_front_now(s, 0, 0);
	run(5000);
	assert_int_equal(n_sent, 0);
}

/* ---- probes that write ---- */

static void writes_are_rare_and_never_urgent(void **state)
{
	int64_t last = 0;

	(void)state;
	service(2, 2);
	features[1].method = "POST";
	features[1].writes = true;
	features[1].rule.via_front = false;
	begin();
	schedule_front(s, BLUE, PACE_STEADY);
	for (int i = 0; i < 600; i++) { /* the pace flaps each second, and everything is asked for */
		schedule_pace(s, BLUE, i % 2 ? PACE_FAST : PACE_STEADY);
		schedule_confirm(s, BLUE, 0, 1, 0);
		schedule_fresh(s, BLUE);
		run(1000);
	}
	assert_in_range(of_feature(1), 8, 10);
	for (size_t i = 0; i < n_sent; i++)
		if (sent_log[i].job.feature == 1) {
			assert_true(!last || sent_log[i].at - last >= 60000000);
			last = sent_log[i].at;
		}
}

static void writes_go_to_the_idle_slot_only_when_told(void **state)
{
	(void)state;
	service(3, 1);
	for (int i = 1; i < 3; i++) {
		features[i].writes = true;
		features[i].rule.via_front = false;
	}
	features[2].idle = true;
	begin();
	schedule_front(s, BLUE, PACE_STEADY);
	schedule_pace(s, BLUE, PACE_STEADY);
	schedule_pace(s, GREEN, PACE_FAST); /* proving: still the idle one */
	run(300000);
	assert_int_equal(count(VIA_SLOT, GREEN, -1, 1, 0, INT64_MAX), 0);
	assert_in_range(count(VIA_SLOT, GREEN, -1, 2, 0, INT64_MAX), 4, 6);
	assert_in_range(count(VIA_SLOT, BLUE, -1, 1, 0, INT64_MAX), 4, 6);
	int64_t flipped = now;
	schedule_front(s, GREEN, PACE_FAST);
	run(300000);
	assert_in_range(count(VIA_SLOT, GREEN, -1, 1, flipped, INT64_MAX), 4, 6);
	assert_int_equal(count(VIA_SLOT, BLUE, -1, 1, flipped, INT64_MAX), 0);
}

/* ---- identity ---- */

static void identity_is_asked_while_a_release_is_known(void **state)
{
	(void)state;
	service(2, 2);
	cfg.identity.on = true;
	begin();
	schedule_pace(s, GREEN, PACE_FAST);
	run(1000);
	assert_int_equal(of_feature(2), 0);
	schedule_release(s, GREEN, "r42");
	run(2000);
	assert_in_range(count(VIA_SLOT, GREEN, 0, 2, 0, INT64_MAX), 9, 12);
	assert_in_range(count(VIA_SLOT, GREEN, 1, 2, 0, INT64_MAX), 9, 12);
	size_t before = of_feature(2);
	schedule_release(s, GREEN, "r43");
	run(5);
	assert_int_equal(of_feature(2), before + 2); /* another release: who is there now? */
	schedule_fresh(s, GREEN);
	assert_int_equal(of_feature(2), before + 4); /* fresh evidence includes it */
	for (size_t i = 0; i < n_sent; i++)
		if (sent_log[i].job.feature == 2) {
			assert_int_equal(sent_log[i].job.purpose, PURPOSE_IDENTITY);
			assert_true(strcmp(sent_log[i].release, "r42") == 0 || strcmp(sent_log[i].release, "r43") == 0);
		} else {
			/* An exec probe may put it into its arguments. */
			assert_true(sent_log[i].job.slot == GREEN || !sent_log[i].release[0]);
		}
	schedule_release(s, GREEN, "");
	run(10);
	before = of_feature(2);
	run(3000);
	assert_int_equal(of_feature(2), before);
}

/* ---- ends ---- */

static void what_is_in_flight_is_cancelled_with_it(void **state)
{
	(void)state;
	service(5, 2);
	begin();
	latency_us = 60000000;
	schedule_pace(s, BLUE, PACE_FAST);
	run(1000);
	assert_int_equal(n_sent, 10);
	schedule_free(&s);
	assert_int_equal(results, 0); /* nobody is there to hear it any more */
	for (size_t i = 0; i < MAX_FLIGHTS; i++)
		assert_false(flights[i].live);
	run(1000);
	assert_int_equal(n_sent, 10);
}

static void free_it(const struct probe_result *r) { (void)r, schedule_free(&s); }

static void it_may_be_freed_by_its_own_result(void **state)
{
	(void)state;
	service(3, 2);
	begin();
	on_result = free_it;
	schedule_fresh(s, BLUE);
	run(10);
	assert_null(s);
	assert_int_equal(results, 1);
}

static void an_idle_service_wakes_the_loop_no_more_than_it_must(void **state)
{
	(void)state;
	service(10, 2);
	begin();
	schedule_pace(s, BLUE, PACE_STEADY);
	schedule_pace(s, GREEN, PACE_IDLE);
	schedule_front(s, BLUE, PACE_STEADY);
	run(100000);
	if ((size_t)wakeups > n_sent * 13 / 10) /* one each, and one more where two fall together on a target */
		fail_msg("%d wake-ups for %zu probes", wakeups, n_sent);
}

static void a_timer_that_fires_early_is_set_again(void **state)
{
	(void)state;
	service(1, 1);
	begin();
	schedule_pace(s, BLUE, PACE_STEADY);
	run(500);
	for (int i = 0; i < 3; i++) {
		assert_true(ev_is_active(timer.t));
		timer.t->active = 0;
		timer.t->cb(NULL, timer.t, EV_TIMER);
	}
	run(10000);
	assert_in_range(n_sent, 10, 12);
}

/* Any order at any moment: one in flight per cell (asserted in probe_start), and it still ticks. */
static void orders_in_any_order(void **state)
{
	uint64_t x = 88172645463325252ULL;

	(void)state;
	service(9, 3);
	features[8].writes = true;
	cfg.identity.on = true;
	cfg.n_proxies = 2;
	begin();
	for (int i = 0; i < 20000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		size_t a = (size_t)(x >> 20) % 3, b = (size_t)(x >> 30) % 11;
		enum slot slot = (enum slot)((x >> 40) & 1);

		latency_us = (int64_t)(x >> 44) % 300000;
		answer = (x >> 50) % 3 ? OUT_PRESENT : OUT_REFUSED;
		switch ((x >> 10) % 8) {
		case 0: schedule_pace(s, slot, (enum pace)((x >> 41) % 4)); break;
		case 1: schedule_front(s, (enum slot)((x >> 41) % 3), (enum pace)((x >> 43) % 4)); break;
		case 2: case 3: schedule_confirm(s, slot, a, b, (int64_t)(x >> 45) % 30); break;
		case 4: if (b == 0) schedule_fresh(s, slot); break;
		case 5: schedule_front_now(s, a, b); break;
		case 6: schedule_release(s, slot, b & 1 ? "r1" : ""); break;
		default: break;
		}
		run((int64_t)(x >> 33) % 20);
	}
	answer = OUT_PRESENT;
	latency_us = 1000;
	schedule_front(s, BLUE, PACE_STEADY);
	schedule_pace(s, GREEN, PACE_OFF);
	schedule_pace(s, BLUE, PACE_OFF);
	schedule_pace(s, BLUE, PACE_STEADY);
	run(5000);
	int64_t from = now;
	run(50000);
	for (int f = 0; f < 8; f++)
		assert_in_range(count(VIA_SLOT, BLUE, -1, f, from, now), 45, 56);
}

static void what_is_due_first_comes_first(void **state)
{
	enum { N = 200 };
	struct due nodes[N] = { 0 };
	struct due_list l;
	unsigned seed = 7;

	(void)state;
	due_open(&l, N);
	for (int i = 0; i < 20000; i++) {
		struct due *d = &nodes[(seed = seed * 1103515245 + 12345) / 65536 % N];

		if ((seed >> 9) % 3)
			due_set(&l, d, (seed >> 5) % 1000);
		else
			due_remove(&l, d);
		size_t in = 0;
		int64_t least = INT64_MAX;
		for (int k = 0; k < N; k++)
			if (nodes[k].place) {
				in++;
				least = nodes[k].at < least ? nodes[k].at : least;
			}
		assert_int_equal(in, l.n);
		assert_true(!in || due_first(&l)->at == least);
	}
	due_close(&l);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(steady_asks_each_feature_each_interval_targets_in_turn),
		T(intervals_are_jittered_by_a_tenth),
		T(idle_is_ten_times_slower),
		T(fast_asks_every_target),
		T(a_pace_set_again_changes_nothing),
		T(off_sends_nothing),
		T(a_slow_answer_does_not_double_probes),
		T(a_hanging_target_does_not_slow_the_other),
		T(a_long_list_is_stretched_evenly),
		T(an_impatient_feature_starves_no_other),
		T(front_probes_count_by_their_share),
		T(a_probe_of_many_requests_pays_for_all_of_them),
		T(high_rates_are_reached),
		T(a_confirmation_is_sent_when_asked_for_whatever_the_ceiling),
		T(confirm_now_is_sent_before_it_returns),
		T(an_ordinary_probe_that_came_first_is_the_confirmation),
		T(ordinary_probes_give_way_afterwards),
		T(fresh_asks_every_cell_once_and_after_now),
		T(fresh_holds_the_loop_only_so_long),
		T(front_now_is_a_new_connection_at_once),
		T(without_a_front_nothing_goes_there),
		T(writes_are_rare_and_never_urgent),
		T(writes_go_to_the_idle_slot_only_when_told),
		T(identity_is_asked_while_a_release_is_known),
		T(what_is_in_flight_is_cancelled_with_it),
		T(it_may_be_freed_by_its_own_result),
		T(an_idle_service_wakes_the_loop_no_more_than_it_must),
		T(a_timer_that_fires_early_is_set_again),
		T(orders_in_any_order),
		cmocka_unit_test(what_is_due_first_comes_first),
	};

	sent_log = malloc(sizeof(*sent_log) * MAX_LOG);
	int rc = cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
	free(sent_log);
	return rc;
}
