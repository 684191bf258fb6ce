/* SPDX-License-Identifier: MIT
 * spread.c - how long something took, of many; and evidence in as many bytes as it has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probes/probe.h"
#include "switchd/base/spread.h"
#include "switchd/base/text.h"

static void each_step_ends_where_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i + 1 < SPREAD_STEPS; i++) {
		struct spread s = { .sum_us = 0 };

		spread_add(&s, spread_steps_us[i]);
		spread_add(&s, spread_steps_us[i] + 1);
		assert_int_equal(s.count[i], 1);
		assert_int_equal(s.count[i + 1], 1);
		assert_int_equal(s.sum_us, 2 * spread_steps_us[i] + 1);
	}
}

static void a_percentile_is_the_end_of_its_step(void **state)
{
	struct spread s = { .sum_us = 0 }, more = { .sum_us = 0 };

	(void)state;
	assert_int_equal(spread_at_most_us(&s, .99), 0);
	for (int i = 0; i < 99; i++)
		spread_add(&s, -5); /* early is not late */
	assert_int_equal(s.sum_us, 0);
	spread_add(&more, 4000);
	spread_merge(&s, &more);
	assert_int_equal(spread_total(&s), 100);
	assert_int_equal(spread_at_most_us(&s, .99), 100);
	assert_int_equal(spread_at_most_us(&s, 1.), 5000);
	spread_add(&s, INT64_MAX);
	assert_true(spread_at_most_us(&s, 1.) == INT64_MAX);
}

static void evidence_is_kept_short_when_present_and_whole_when_absent(void **state)
{
	static struct evidence e;
	struct kept_evidence *k, *again;

	(void)state;
	e = (struct evidence){ .at = { 7 }, .outcome = OUT_PRESENT, .latency_us = 3, .status = 200, .body_len = 9000 };
	assert_true(TEXT_COPY(e.url, "http://shop.test/a"));
	assert_true(TEXT_COPY(e.target, "127.0.0.1:1"));
	memset(e.head, 'h', sizeof(e.head) - 1);
	memset(e.body, 'b', sizeof(e.body) - 1);
	k = evidence_keep(NULL, &e);
	assert_string_equal(k->url, e.url);
	assert_string_equal(k->target, e.target);
	assert_int_equal(strlen(k->head), KEPT_HEAD);
	assert_int_equal(strlen(k->body), KEPT_BODY);
	assert_int_equal(k->body_len, 9000);
	assert_int_equal(k->status, 200);

	e.body[100] = '\0';
	again = evidence_keep(k, &e); /* far shorter: not in the block of the long one */
	assert_true(again->room < 1000);
	assert_int_equal(strlen(again->body), 100);
	e.body[90] = '\0';
	assert_ptr_equal(evidence_keep(again, &e), again);
	assert_int_equal(strlen(again->body), 90);

	e.outcome = OUT_ASSERTION;
	memset(e.body, 'b', sizeof(e.body) - 1);
	assert_true(TEXT_COPY(e.want, "status == 200"));
	k = evidence_keep(again, &e);
	assert_string_equal(k->head, e.head);
	assert_string_equal(k->body, e.body);
	assert_string_equal(k->want, "status == 200");
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_ends_where_it_says),
		cmocka_unit_test(a_percentile_is_the_end_of_its_step),
		cmocka_unit_test(evidence_is_kept_short_when_present_and_whole_when_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
