/* SPDX-License-Identifier: MIT
 * schedule_urgent.c - what does not wait for its turn, and what may not be sent at any time: confirmations, probes that write, identity. */
#include "tests/unit/support/schedule_rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return run_logged("schedule_urgent", tests, sizeof(tests) / sizeof(tests[0]));
}
