/* SPDX-License-Identifier: MIT
 * store_memory.c - a server that has no memory (R6): what it is asked for all the same, and what it refuses. */
#include "tests/unit/support/one_redis.h"

/* Nothing is written, and the answer says what Redis said. */
static void out_of_memory_is_refused_by_name(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "CONFIG SET maxmemory 1");
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_UNWRITABLE);
	assert_non_null(strstr(k.detail, "OOM"));
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "1");
	redis(&rig, "CONFIG SET maxmemory 0");
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	assert_false(k.dup);
	store_free(&h.store);
}

/* A way back does not wait for memory, and what is asked again under its name is the same one. */
static void a_way_back_is_written_without_memory(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;
	struct event e;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "CONFIG SET maxmemory 1");
	next = flipped(&rec);
	struct commit c = a_commit("rid-2", MOVE_BACK, &rec, &next, &e);

	send_commit(&h, &c, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_UNWRITABLE);
	c.past_memory = true;
	send_commit(&h, &c, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	assert_false(k.dup);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "2");
	send_commit(&h, &c, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	assert_true(k.dup);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "2");
	assert_true(h.up);
	redis(&rig, "CONFIG SET maxmemory 0");
	store_free(&h.store);
}

/* Nor does a controller that begins: it leads, in a store that it finds without memory. */
static void the_lease_is_taken_without_memory(void **state)
{
	struct hand h;

	(void)state;
	redis(&rig, "CONFIG SET maxmemory 1");
	hand_new(&h, rig.sock, "ctl-1", 6000);
	pump(h.up);
	redis(&rig, "CONFIG SET maxmemory 0");
	store_free(&h.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(out_of_memory_is_refused_by_name),
		T(a_way_back_is_written_without_memory),
		T(the_lease_is_taken_without_memory),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
