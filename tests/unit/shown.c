/* SPDX-License-Identifier: MIT
 * shown.c - the public record's line, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "switchd/core/regress.h"
#include "switchd/core/shown.h"

#define GOOD "sw2 17 4 green shield r42 rid-1 9 1795000000000000 auto r41 -"

static bool parse(const char *line, struct shown *s)
{
	const char *why;

	return shown_parse(line, strlen(line), s, &why);
}

static void what_a_commit_writes_is_read(void **state)
{
	struct shown s;

	(void)state;
	assert_true(parse(GOOD, &s));
	assert_int_equal(s.schema, 2);
	assert_int_equal(s.value.slot, GREEN);
	assert_int_equal(s.value.v.gen, 17);
	assert_int_equal(s.value.v.epoch, 4);
	assert_true(s.value.shield);
	assert_string_equal(s.release, "r42");
	assert_string_equal(s.cid, "rid-1");
	assert_int_equal(s.seq, 9);
	assert_int_equal(s.us, 1795000000000000);
	assert_int_equal(s.mode, MOVE_AUTO);
	assert_false(s.stamped);
	assert_string_equal(s.condemned, "r41");
	assert_true(parse("sw2 17 5 blue plain - restamp-17-5 3 1 stamp - -", &s));
	assert_true(s.stamped);
	assert_string_equal(s.release, "");
	assert_true(parse("sw1 17 4 green r42 rid-1 9 1795000000000000 - -", &s));
	assert_int_equal(s.schema, 1);
	assert_false(s.value.shield);
}

static void what_another_hand_wrote_is_refused(void **state)
{
	static const char *const bad[] = {
		"", " ", "sw2", "sw3 17 4 green shield r42 rid-1 9 1 auto - -", "purple",
		"sw2 17 4 purple shield r42 rid-1 9 1 auto - -",        "sw2 17 4 none shield r42 rid-1 9 1 auto - -",
		"sw2 17 -1 green shield r42 rid-1 9 1 auto - -",        "sw2 17 1e9 green shield r42 rid-1 9 1 auto - -",
		"sw2 17 NaN green shield r42 rid-1 9 1 auto - -",       "sw2 17 9223372036854775808 green shield r42 rid-1 9 1 auto - -",
		"sw2 0 4 green shield r42 rid-1 9 1 auto - -",          "sw2 17 0 green shield r42 rid-1 9 1 auto - -",
		"sw2 17 4 green maybe r42 rid-1 9 1 auto - -",          "sw2 17 4 green shield r42 - 9 1 auto - -",
		"sw2 17 4 green shield r\xff" "42 rid-1 9 1 auto - -",  "sw2 17 4 green shield r42 rid-1 9 1 gladly - -",
		"sw2 17 4 green shield r42 rid-1 9 1 auto -",           "sw2 17 4 green shield r42 rid-1 9 1 auto - - more",
		"sw2 17  4 green shield r42 rid-1 9 1 auto - -",        GOOD " ",
		"sw2 17 4 green shield r42;x rid-1 9 1 auto - -",
	};
	struct shown s = { .schema = 7 };
	char nul[] = GOOD, longest[600];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (parse(bad[i], &s))
			fail_msg("taken: %s", bad[i]);
	nul[6] = '\0';
	const char *why;
	assert_false(shown_parse(nul, sizeof(GOOD) - 1, &s, &why));
	memset(longest, 'a', sizeof(longest));
	assert_false(shown_parse(longest, sizeof(longest), &s, &why));
	assert_int_equal(s.schema, 7); /* untouched */
}

static void a_record_follows_the_traffic_and_what_was_under_way_ends(void **state)
{
	static struct record r;

	(void)state;
	r = (struct record){ .active = GREEN, .shield = true, .phase = PH_BAKING };
	TEXT_COPY(r.slot[BLUE].id, "r1");
	TEXT_COPY(r.slot[GREEN].id, "r2");
	r.slot[BLUE].state = RS_GOOD;
	r.slot[BLUE].was_good = true;
	r.slot[GREEN].state = RS_LIVE;
	r.deploy = (struct deploy){ .id = 3, .slot = GREEN, .outcome = DO_RUNNING };
	record_follow(&r, GREEN, (wall_ms){ 5 }, "nothing to do");
	assert_int_equal(r.phase, PH_BAKING);
	record_follow(&r, BLUE, (wall_ms){ 5 }, "lost");
	assert_int_equal(r.active, BLUE);
	assert_int_equal(r.phase, PH_STEADY);
	assert_false(r.shield);
	assert_int_equal(r.slot[BLUE].state, RS_GOOD);
	assert_int_equal(r.slot[GREEN].state, RS_LEFT);
	assert_int_equal(r.deploy.outcome, DO_ABORTED);
	assert_int_equal(r.move.from, GREEN);
	assert_true(r.move.undone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_commit_writes_is_read),
		cmocka_unit_test(what_another_hand_wrote_is_refused),
		cmocka_unit_test(a_record_follows_the_traffic_and_what_was_under_way_ends),
	};

	return cmocka_run_group_tests_name("shown", tests, NULL, NULL);
}
