/* SPDX-License-Identifier: MIT
 * schedule.c - when a probe is sent: the pace of a slot, the ceiling of a target, and how it ends. */
#include "tests/unit/support/schedule_rig.h"

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
		T(what_is_in_flight_is_cancelled_with_it),
		T(it_may_be_freed_by_its_own_result),
		T(an_idle_service_wakes_the_loop_no_more_than_it_must),
		T(a_timer_that_fires_early_is_set_again),
		T(orders_in_any_order),
	};

	return run_logged("schedule", tests, sizeof(tests) / sizeof(tests[0]));
}
