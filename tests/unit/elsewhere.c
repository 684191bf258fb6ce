/* SPDX-License-Identifier: MIT
 * elsewhere.c - servers that others name, and texts that name none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include "switchd/store/elsewhere.h"

static void moved(void **state)
{
	static const char *const bad[] = { "MOVED", "MOVED ", "MOVED 7", "MOVED 7 a", "MOVED 7 a:", "MOVED 7 a:0", "MOVED 7 a:65536", "MOVED 7 a:+1", "MOVED 7 a b:1",
					   "MOVED 7 \xff:1", "MOVED 7 \x1b[m:1", "MOVED 7 a/b:1", "ASK 7 a:1", "moved 7 a:1" };
	struct elsewhere e = { "x", 1 };
	char longest[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (elsewhere_moved(bad[i], &e))
			fail_msg("taken: %s", bad[i]);
	snprintf(longest, sizeof(longest), "MOVED 7 %0256d:1", 0);
	assert_false(elsewhere_moved(longest, &e));
	assert_string_equal(e.host, "x"); /* untouched */
	assert_true(elsewhere_moved("MOVED 3999 10.0.0.2:6380", &e));
	assert_string_equal(e.host, "10.0.0.2");
	assert_int_equal(e.port, 6380);
	assert_true(elsewhere_moved("MOVED 3999 2001:db8::1:6381", &e));
	assert_string_equal(e.host, "2001:db8::1");
	assert_true(elsewhere_moved("MOVED 3999 :6382", &e));
	assert_string_equal(e.host, "");
	assert_int_equal(e.port, 6382);
}

static bool announced(const char *text, struct elsewhere *e) { return elsewhere_announced(text, strlen(text), "mymaster", e); }

static void announcements(void **state)
{
	static const char *const bad[] = { "", "mymaster", "other 10.0.0.1 6379 10.0.0.2 6380", "mymaster2 10.0.0.1 6379 10.0.0.2 6380", "mymaster 10.0.0.1 6379 10.0.0.2",
					   "mymaster 10.0.0.1 6379 10.0.0.2 ", "mymaster 10.0.0.1 6379 10.0.0.2 0", "mymaster 10.0.0.1 6379 10.0.0.2 6380 x",
					   "mymaster  10.0.0.1 6379 10.0.0.2 6380", "mymaster 10.0.0.1 6379 10.0.0.2 6380 ", "mymaster 10.0.0.1 6379 \x1b[m 6380" };
	struct elsewhere e = { "x", 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (announced(bad[i], &e))
			fail_msg("taken: %s", bad[i]);
	assert_string_equal(e.host, "x");
	assert_true(announced("mymaster 10.0.0.1 6379 redis-2.example.org 6380", &e));
	assert_string_equal(e.host, "redis-2.example.org");
	assert_int_equal(e.port, 6380);
}

static bool answered(const char *host, const char *port, struct elsewhere *e)
{
	redisReply h = { .type = REDIS_REPLY_STRING, .str = (char *)(uintptr_t)host, .len = strlen(host) };
	redisReply p = { .type = REDIS_REPLY_STRING, .str = (char *)(uintptr_t)port, .len = strlen(port) };
	redisReply r = { .type = REDIS_REPLY_ARRAY, .elements = 2, .element = (redisReply *[]){ &h, &p } };

	return elsewhere_answered(&r, e);
}

static void answers(void **state)
{
	const redisReply nil = { .type = REDIS_REPLY_NIL };
	struct elsewhere e;

	(void)state;
	assert_true(answered("10.0.0.2", "6379", &e));
	assert_string_equal(e.host, "10.0.0.2");
	assert_int_equal(e.port, 6379);
	assert_false(answered("", "6379", &e));
	assert_false(answered("a b", "6379", &e));
	assert_false(answered("a", "", &e));
	assert_false(answered("a", "65536", &e));
	assert_false(elsewhere_answered(&nil, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moved),
		cmocka_unit_test(announcements),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests_name("elsewhere", tests, NULL, NULL);
}
