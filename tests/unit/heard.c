/* SPDX-License-Identifier: MIT
 * heard.c - what is published is read, and what another hand publishes is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "switchd/store/heard.h"

static enum heard_kind event(const char *text, struct heard_event *e) { return heard_event(text, strlen(text), e); }

static void events(void **state)
{
	static const char *const bad[] = { "", " ", "push", "push ", "push a/b sw2", "hb", "hb 1", "hb 1 x", "hb -1 2", "hb  1 2", "bye", "bye ", "pushed shop sw2",
					   "hb 99999999999999999999999999 1" };
	struct heard_event e;

	(void)state;
	assert_int_equal(event("push shop sw2 1 2", &e), HEARD_PUSH);
	assert_string_equal(e.service, "shop");
	assert_int_equal(e.len, 7);
	assert_memory_equal(e.line, "sw2 1 2", 7);
	assert_int_equal(event("push shop", &e), HEARD_PUSH);
	assert_int_equal(e.len, 0);
	assert_int_equal(event("hb 7 9 1795000000000000", &e), HEARD_BEAT);
	assert_true(e.gen == 7 && e.top == 9);
	assert_int_equal(event("hb 7 9", &e), HEARD_BEAT);
	assert_int_equal(event("bye o-1", &e), HEARD_BYE);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (event(bad[i], &e) != HEARD_NOTHING)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(heard_event("bye o\0x", 7, &e), HEARD_NOTHING);
}

static bool report(const char *text, struct agent_seen *a, bool *first, const char **rest, size_t *left)
{
	return heard_report(text, strlen(text), a, first, rest, left);
}

static void reports(void **state)
{
	struct agent_seen a;
	struct heard_service s;
	const char *rest;
	size_t left;
	bool first;

	(void)state;
	assert_true(report("ak1 edge-1 1 7 9 1795000000000000 ok 00ff 1.0.0 shop: why not\nshop {\"a\":1}\ncart \nno/name x\nblankless\n\n*", &a, &first, &rest, &left));
	assert_string_equal(a.name, "edge-1");
	assert_true(first && a.v.gen == 7 && a.v.epoch == 0 && a.seq == 9 && a.us == 1795000000000000);
	assert_string_equal(a.status, "ok");
	assert_string_equal(a.digest, "00ff");
	assert_string_equal(a.version, "1.0.0");
	assert_string_equal(a.detail, "shop: why not");
	assert_true(heard_service(&rest, &left, &s));
	assert_string_equal(s.service, "shop");
	assert_int_equal(s.len, 7);
	assert_true(heard_service(&rest, &left, &s));
	assert_string_equal(s.service, "cart");
	assert_true(s.len == 0 && !s.all);
	for (int i = 0; i < 3; i++) { /* lines that are none */
		assert_true(heard_service(&rest, &left, &s));
		assert_true(!s.service[0] && !s.all);
	}
	assert_true(heard_service(&rest, &left, &s) && s.all);
	assert_false(heard_service(&rest, &left, &s));
}

static void heads_that_are_none(void **state)
{
	static const char *const bad[] = {
		"", "ak1", "ak1 ", "ak2 e 0 1 1 1 ok d v x", "ak1 e", "ak1 e 2 1 1 1 ok d v x", "ak1 e 01 1 1 ok d v x", "ak1 e,f 0 1 1 1 ok d v x",
		"ak1 e 0 -1 1 1 ok d v x", "ak1 e 0 1 1e3 1 ok d v x", "ak1 e 0 1 1 9007199254740992 ok d v x", "ak1 e 0 18446744073709551615 1 1 ok d v x",
		"ak1 e 0 1 1 1 a/b d v x", "ak1 e 0 1 1 1  d v x", "ak1 e 0 1 1 1 ok d", "ak1 e 0 1 1 1 ok d v", "ak1 e 0 1 1 1 a-status-too-long-by-far d v x",
		"ak1 e 0 1 1 1 ok 0123456789012345678901234567890123 v x", "ak1 e 0 1 1 1 ok d 0123456789012345678901234567890123 x",
	};
	struct agent_seen a;
	const char *rest;
	size_t left;
	bool first;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (report(bad[i], &a, &first, &rest, &left))
			fail_msg("taken: %s", bad[i]);
	assert_true(report("ak1 controller:o-1 0 0 0 1 leads  1.0 \x1b[31m", &a, &first, &rest, &left));
	assert_string_equal(a.digest, "");
	assert_string_equal(a.detail, "?[31m");
}

static void what_is_kept_of_a_service(void **state)
{
	const char *json;
	int64_t us;

	(void)state;
	assert_true(heard_kept("1795000000000000 {\"a\": 1}", &us, &json));
	assert_int_equal(us, 1795000000000000);
	assert_string_equal(json, "{\"a\": 1}");
	assert_false(heard_kept("", &us, &json));
	assert_false(heard_kept("17", &us, &json));
	assert_false(heard_kept("-1 {}", &us, &json));
	assert_false(heard_kept("9007199254740992 {}", &us, &json));
	assert_false(heard_kept("{\"a\": 1}", &us, &json));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events),
		cmocka_unit_test(reports),
		cmocka_unit_test(heads_that_are_none),
		cmocka_unit_test(what_is_kept_of_a_service),
	};

	return cmocka_run_group_tests_name("heard", tests, NULL, NULL);
}
