/* SPDX-License-Identifier: MIT
 * agent_word.c - an agent's word: what agents of ours say is read, what another hand says is bounded or left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "switchd/engine/agent_word.h"

static struct agent_said said(const char *text)
{
	struct agent_said s;

	if (!agent_word_parse(text, strlen(text), &s))
		fail_msg("refused: %s", text);
	return s;
}

static void what_an_agent_says_is_read(void **state)
{
	struct agent_said s = said("{\"state\":\"behind\",\"why\":\"waits\",\"version\":\"17.4\",\"cid\":\"rid-1\",\"condemned\":[\"r1\",\"r2\"],"
				   "\"proxies\":[{\"value\":\"green:17.4:shield\",\"durable\":true}],\"up\":{\"blue\":[1,2],\"green\":[2,3]},"
				   "\"ready\":null,\"caught\":{\"blue\":5,\"green\":6},\"missed\":{\"blue\":7,\"green\":8}}");

	(void)state;
	assert_string_equal(s.state, "behind");
	assert_string_equal(s.word.detail, "waits");
	assert_int_equal(s.word.result, PX_OK);
	assert_true(s.told_known && s.told.gen == 17 && s.told.epoch == 4);
	assert_string_equal(s.cid, "rid-1");
	assert_int_equal(s.n_condemned, 2);
	assert_string_equal(s.condemned[1], "r2");
	assert_true(s.word.has_value && s.word.durable && s.word.value.shield && s.word.value.slot == GREEN);
	assert_true(s.word.up_known && s.word.shield_known);
	assert_int_equal(s.word.up[BLUE], 1);
	assert_true(s.word.ready_asked && !s.word.ready[GREEN][0]); /* null: it does not know yet */
	assert_int_equal(s.word.all[GREEN], 3);
	assert_int_equal(s.word.caught[GREEN], 6);
	assert_int_equal(s.word.missed[BLUE], 7);
}

static void of_several_proxies_the_lowest_counts_and_a_pin_before_all(void **state)
{
	struct agent_said s = said("{\"proxies\":[{\"value\":\"blue:7.4:plain\",\"durable\":true},{\"value\":\"green:7.3:plain\",\"durable\":true}]}");

	(void)state;
	assert_int_equal(s.word.value.v.epoch, 3);
	assert_false(s.word.ready_asked);
	s = said("{\"ready\":{\"blue\":\"\",\"green\":\"lb: no-map\"}}");
	assert_true(!s.word.ready_asked && !s.word.ready[BLUE][0]);
	assert_string_equal(s.word.ready[GREEN], "lb: no-map");
	s = said("{\"proxies\":[{\"value\":\"blue:pin.9:plain\",\"durable\":false},{\"value\":\"green:7.3:plain\",\"durable\":true}]}");
	assert_true(s.word.has_value && s.word.value.pin && !s.word.durable);
	s = said("{\"proxies\":[{\"value\":\"blue:7.4:plain\"},{\"value\":\"\"}]}");
	assert_false(s.word.has_value); /* of one of them it is not known */
}

static void what_is_odd_is_not_known(void **state)
{
	struct agent_said s = said("{\"state\":\"gladly\",\"why\":3,\"version\":\"17\",\"cid\":\"a b\",\"condemned\":[\"a b\",7,\"r1\"],"
				   "\"up\":{\"blue\":[-1,2000000],\"green\":\"2\"},\"caught\":{\"blue\":-5},\"missed\":[]}");

	(void)state;
	assert_int_equal(s.word.result, PX_BAD_VALUE);
	assert_string_equal(s.word.detail, "");
	assert_false(s.told_known);
	assert_string_equal(s.cid, "");
	assert_int_equal(s.n_condemned, 1);
	assert_int_equal(s.word.up[BLUE], 0);
	assert_int_equal(s.word.all[BLUE], 0);
	assert_int_equal(s.word.caught[BLUE], 0);
	s = said("{\"state\":\"a state that is much longer than any\",\"why\":\"\\u001b[31m\"}");
	assert_int_equal(strlen(s.state), sizeof(s.state) - 1);
	assert_string_equal(s.word.detail, "?[31m");
}

static void what_is_no_object_is_no_word(void **state)
{
	static const char *const bad[] = { "", "[]", "7", "{", "{\"a\":1,\"a\":2}", "{}x", "{\"a\":\"\\u0000\"}", "{\"a\":\"\xff\"}" };
	struct agent_said s = { .n_condemned = 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (agent_word_parse(bad[i], strlen(bad[i]), &s))
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(s.n_condemned, 7); /* untouched */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_agent_says_is_read),
		cmocka_unit_test(of_several_proxies_the_lowest_counts_and_a_pin_before_all),
		cmocka_unit_test(what_is_odd_is_not_known),
		cmocka_unit_test(what_is_no_object_is_no_word),
	};

	return cmocka_run_group_tests_name("agent_word", tests, NULL, NULL);
}
