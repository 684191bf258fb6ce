/* SPDX-License-Identifier: MIT
 * store_lease.c - who leads, and who did until now (faults.md P2). */
#include "tests/unit/support/one_redis.h"

/* ---- the lease ---- */

static void a_second_owner_takes_over_and_the_first_is_fenced(void **state)
{
	struct hand a, b;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_new(&a, rig.sock, "ctl-1", 6000);
	pump(a.up);
	struct record none = { 0 }, first = first_record();

	assert_int_equal(commit(&a, "rid-1", MOVE_NOTE, &none, &first, &k), ST_OK);
	rec = k.record;
	hand_new(&b, rig.sock, "ctl-2", 900);
	for (int64_t until = now_ms() + 5000; !strstr(store_why_down(b.store), "another switchd leads") && now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_non_null(strstr(store_why_down(b.store), "ctl-1"));
	assert_false(b.up);
	assert_true(store_may_act(a.store, false));
	assert_false(store_may_act(b.store, true));
	next = flipped(&rec);
	assert_int_equal(commit(&b, "rid-2", MOVE_BACK, &rec, &next, &k), ST_NOT_LEADER);
	/* The lease of the first ends (as after a long stop of its process); it does not know yet. */
	redis(&rig, "PEXPIRE switchd:{0}:lease 1");
	pump(b.up);
	assert_true(a.up);
	assert_int_equal(commit(&a, "rid-3", MOVE_BACK, &rec, &next, &k), ST_NOT_LEADER);
	pump_not(a.up);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "1");
	assert_int_equal(commit(&b, "rid-4", MOVE_BACK, &rec, &next, &k), ST_OK);
	for (int64_t until = now_ms() + 5000; !strstr(store_why_down(a.store), "another switchd leads") && now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_false(store_may_act(a.store, true));
	/* The store goes away: who was not leading does not begin to act. */
	rig_kill(&rig);
	pump_not(b.up);
	assert_false(store_may_act(a.store, true));
	assert_true(store_may_act(b.store, true));
	store_free(&a.store);
	store_free(&b.store);
	rig_launch(&rig);
}

/* What was decided may be told on while the lease runs; after it, only where the offline rule says so. */
static void what_was_decided_is_told_while_the_lease_runs(void **state)
{
	struct hand h;

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 1500); /* ours for 1 s */
	assert_false(store_may_act(h.store, false)); /* it never was ours */
	pump(h.up);
	assert_true(store_may_act(h.store, false));
	kill(rig.pid, SIGSTOP);
	for (int64_t until = now_ms() + 1100; now_ms() < until;) /* this process stands still as well: nothing tells it anything */
		usleep(10000);
	assert_false(store_may_act(h.store, true));
	rig_kill(&rig);
	for (int64_t until = now_ms() + 5000; !text_starts(store_why_down(h.store), "not connected") && now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_false(store_may_act(h.store, false));
	assert_true(store_may_act(h.store, true));
	rig_launch(&rig);
	pump(h.up);
	assert_true(store_may_act(h.store, false));
	store_free(&h.store);
	assert_false(store_may_act(h.store, true));
}

static void on_released(void *arg) { *(bool *)arg = true; }

/* Nobody commits: it is the renewal that notices, and it does not prolong another's lease. */
static void a_lease_taken_away_is_noticed_by_the_renewal(void **state)
{
	struct hand h;
	bool released = false;

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 900);
	pump(h.up);
	redis(&rig, "SET switchd:{0}:lease %s PX 60000", "99 ctl-2");
	pump_not(h.up);
	for (int64_t until = now_ms() + 5000; !strstr(store_why_down(h.store), "another switchd leads") && now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_non_null(strstr(store_why_down(h.store), "leads: ctl-2"));
	assert_true(atol(redis(&rig, "PTTL switchd:{0}:lease")) > 30000);
	store_release_lease(h.store, on_released, &released); /* nor does a stop give away what is not ours */
	pump(released);
	assert_string_equal(redis(&rig, "EXISTS switchd:{0}:lease"), "1");
	store_free(&h.store);
}

/* The same owner again (a restart, a twin): a new term, and the old one is fenced. */
static void the_same_owner_again_gets_a_new_term(void **state)
{
	struct hand a, b;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&a, &rig, &rec);
	hand_new(&b, rig.sock, "ctl-1", 6000);
	b.known[0] = true;
	b.truth[0] = rec;
	pump(b.up);
	next = flipped(&rec);
	assert_int_equal(commit(&a, "rid-2", MOVE_BACK, &rec, &next, &k), ST_NOT_LEADER);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "1");
	store_free(&a.store);
	store_free(&b.store);
}

static void a_clean_stop_gives_the_lease_back_at_once(void **state)
{
	struct hand h;
	struct record rec;
	bool released = false;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	assert_string_equal(redis(&rig, "EXISTS switchd:{0}:lease"), "1");
	store_release_lease(h.store, on_released, &released);
	assert_false(released);
	assert_false(store_is_up(h.store));
	pump(released);
	assert_string_equal(redis(&rig, "EXISTS switchd:{0}:lease"), "0");
	store_free(&h.store);
}

/* No renewal gets through: we stop acting before the key can end, by our own clock and with the connection up. */
static void without_renewal_we_stop_before_the_lease_ends(void **state)
{
	struct hand h;

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 1200);
	pump(h.up);
	redis(&rig, "CLIENT PAUSE 900 ALL");
	pump_not(h.up);
	assert_false(store_is_up(h.store));
	pump(h.up);
	store_free(&h.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_second_owner_takes_over_and_the_first_is_fenced),
		T(what_was_decided_is_told_while_the_lease_runs),
		T(a_lease_taken_away_is_noticed_by_the_renewal),
		T(the_same_owner_again_gets_a_new_term),
		T(a_clean_stop_gives_the_lease_back_at_once),
		T(without_renewal_we_stop_before_the_lease_ends),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
