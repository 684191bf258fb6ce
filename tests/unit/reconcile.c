/* SPDX-License-Identifier: MIT
 * tests/unit/reconcile.c - the rules by which a proxy is kept at its value (B5.6, I7): what each answer in its life asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "switchd/proxy/reconcile.h"

static const struct proxy_value want = { .slot = GREEN, .v = { 7, 5 } };
static const struct proxy_value older = { .slot = BLUE, .v = { 7, 4 } }, twin = { .slot = BLUE, .v = { 7, 5 } }, newer = { .slot = BLUE, .v = { 7, 6 } };
static const struct proxy_value pin = { .slot = BLUE, .pin = true };

static mono_us at(int64_t ms) { return (mono_us){ 1000000 + ms * 1000 }; }

static struct proxy_answer says(enum proxy_result result, const struct proxy_value *v)
{
	struct proxy_answer a = { .result = result, .has_value = v != NULL };

	if (v)
		a.value = *v;
	return a;
}

static enum reconcile_told told(struct reconcile *r, int64_t ms, enum proxy_result result, const struct proxy_value *v)
{
	struct proxy_answer a = says(result, v);

	reconcile_telling(r);
	return reconcile_told(r, &a, at(ms));
}

static enum reconcile_seen seen(struct reconcile *r, int64_t ms, enum proxy_result result, const struct proxy_value *v)
{
	struct proxy_answer a = says(result, v);

	return reconcile_seen(r, &a, &want, at(ms));
}

static enum reconcile_seen seen_restarted(struct reconcile *r, int64_t ms, const struct proxy_value *v)
{
	struct proxy_answer a = says(PX_OK, v);

	a.restarted = true;
	return reconcile_seen(r, &a, &want, at(ms));
}

/* Acknowledged at 0, and the one older value that a reload may have brought is behind it. */
static struct reconcile settled(void)
{
	struct reconcile r = { 0 };

	assert_int_equal(told(&r, 0, PX_OK, &want), TOLD_ACKED);
	assert_int_equal(seen(&r, 100, PX_OK, &older), SEEN_LOST);
	assert_int_equal(told(&r, 110, PX_OK, &want), TOLD_ACKED);
	return r;
}

static void what_is_wanted_is_left(void **state)
{
	struct reconcile r = settled();

	(void)state;
	assert_int_equal(seen(&r, 200, PX_OK, &want), SEEN_LEAVE);
	assert_true(r.acked);
}

static void never_told_it_is_told_in_silence(void **state)
{
	struct reconcile r = { 0 };

	(void)state;
	assert_int_equal(seen(&r, 0, PX_OK, &older), SEEN_LOST);
	assert_int_equal(seen(&r, 0, PX_OK, &want), SEEN_TELL);
	assert_int_equal(seen(&r, 0, PX_OK, NULL), SEEN_LOST);
}

static void one_older_value_soon_after_is_a_reloads(void **state)
{
	struct reconcile r = { 0 };

	(void)state;
	told(&r, 0, PX_OK, &want);
	assert_int_equal(seen(&r, 29000, PX_OK, &older), SEEN_LOST);
	assert_false(r.acked);
	told(&r, 29010, PX_OK, &want);
	assert_int_equal(seen(&r, 29100, PX_OK, &older), SEEN_FOREIGN);
	told(&r, 29110, PX_OK, &want);
	reconcile_want(&r); /* the next record: it may happen once more, and the minute of the foreign one goes on */
	assert_int_equal(seen(&r, 29200, PX_OK, &older), SEEN_LOST);
	told(&r, 29210, PX_OK, &want);
	assert_int_equal(seen(&r, 29300, PX_OK, &older), SEEN_FIGHT);
}

static void later_it_is_foreign(void **state)
{
	struct reconcile r = { 0 };

	(void)state;
	told(&r, 0, PX_OK, &want);
	assert_int_equal(seen(&r, 31000, PX_OK, &older), SEEN_FOREIGN);
}

static void a_twin_was_never_ours(void **state)
{
	struct reconcile r = { 0 };

	(void)state;
	told(&r, 0, PX_OK, &want);
	assert_int_equal(seen(&r, 100, PX_OK, &twin), SEEN_FOREIGN);
}

static void what_is_no_value_is_put_right_too(void **state)
{
	struct reconcile r = settled();

	(void)state;
	assert_int_equal(seen(&r, 200, PX_BAD_VALUE, NULL), SEEN_FOREIGN);
	told(&r, 210, PX_OK, &want);
	assert_int_equal(seen(&r, 300, PX_NO_MAP, NULL), SEEN_FIGHT);
}

static void a_fight_lasts_a_minute(void **state)
{
	struct reconcile r = settled();

	(void)state;
	assert_int_equal(seen(&r, 1000, PX_OK, &older), SEEN_FOREIGN);
	told(&r, 1010, PX_OK, &want);
	assert_int_equal(seen(&r, 2000, PX_OK, &older), SEEN_FIGHT);
	assert_true(r.fight);
	assert_int_equal(seen(&r, 3000, PX_OK, &older), SEEN_LEAVE);
	assert_int_equal(seen(&r, 60999, PX_OK, &older), SEEN_LEAVE);
	assert_int_equal(seen(&r, 61000, PX_OK, &older), SEEN_FOREIGN);
	assert_false(r.fight);
}

static void a_fight_ends_when_it_is_told(void **state)
{
	struct reconcile r = settled();

	(void)state;
	seen(&r, 1000, PX_OK, &older);
	told(&r, 1010, PX_OK, &want);
	assert_int_equal(seen(&r, 2000, PX_OK, &older), SEEN_FIGHT);
	reconcile_want(&r);
	assert_int_equal(told(&r, 2500, PX_OK, &want), TOLD_ACKED);
	assert_false(r.fight);
}

static void who_was_away_is_not_fought(void **state)
{
	struct reconcile r = settled();

	(void)state;
	assert_int_equal(seen(&r, 1000, PX_OK, &older), SEEN_FOREIGN);
	told(&r, 1010, PX_OK, &want);
	assert_int_equal(seen_restarted(&r, 1100, &older), SEEN_LOST);
	told(&r, 1110, PX_OK, &want);
	assert_int_equal(seen(&r, 1200, PX_ABSENT, NULL), SEEN_LEAVE);
	assert_int_equal(seen(&r, 1300, PX_OK, &older), SEEN_LOST);
	told(&r, 1310, PX_OK, &want);
	assert_int_equal(seen(&r, 1400, PX_TIMEOUT, NULL), SEEN_LEAVE);
	assert_int_equal(seen(&r, 1500, PX_OK, &want), SEEN_TELL);      /* its file may not have it */
	assert_int_equal(seen(&r, 1600, PX_OK, &want), SEEN_LEAVE);     /* once */
}

static void a_restart_in_a_fight_is_told(void **state)
{
	struct reconcile r = settled();

	(void)state;
	seen(&r, 1000, PX_OK, &older);
	told(&r, 1010, PX_OK, &want);
	assert_int_equal(seen(&r, 2000, PX_OK, &older), SEEN_FIGHT);
	assert_int_equal(seen_restarted(&r, 2100, &older), SEEN_LOST);
	assert_false(r.fight);
}

static void a_restart_is_remembered_until_it_can_be_told(void **state)
{
	struct reconcile r = settled();
	struct proxy_answer a = says(PX_OK, &older);

	(void)state;
	a.restarted = true;
	assert_int_equal(reconcile_seen(&r, &a, NULL, at(1000)), SEEN_LEAVE);
	assert_int_equal(seen(&r, 1100, PX_OK, &older), SEEN_LOST);
}

static void an_agent_is_never_fought(void **state)
{
	struct reconcile r = { .forgiving = true };

	(void)state;
	told(&r, 0, PX_OK, &want);
	for (int i = 1; i < 5; i++) {
		assert_int_equal(seen(&r, 40000 + i * 100, PX_OK, &older), SEEN_LOST);
		told(&r, 40010 + i * 100, PX_OK, &want);
	}
}

static void pins_and_higher_versions_are_left(void **state)
{
	struct reconcile r = settled();
	struct proxy_answer a = says(PX_OK, &pin);

	(void)state;
	assert_int_equal(seen(&r, 200, PX_OK, &pin), SEEN_PIN);
	assert_int_equal(reconcile_seen(&r, &a, NULL, at(300)), SEEN_PIN);
	assert_int_equal(seen(&r, 400, PX_OK, &newer), SEEN_NEWER);
	assert_int_equal(told(&r, 500, PX_PINNED, &pin), TOLD_PIN);
	assert_int_equal(told(&r, 600, PX_NEWER, &newer), TOLD_NEWER);
	assert_int_equal(r.retry_at.us, 0);
	assert_int_equal(told(&r, 700, PX_PINNED, &older), TOLD_FAILED);        /* in its file alone */
}

static void a_failed_one_is_tried_later_and_later(void **state)
{
	struct reconcile r = { 0 };
	int64_t wait[] = { 50, 100, 200, 400, 800, 1600, 2000, 2000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wait); i++) {
		assert_int_equal(told(&r, 0, PX_FILE, &older), TOLD_FAILED);
		assert_int_equal(r.retry_ms, wait[i]);
		assert_false(reconcile_due(&r, at(wait[i] - 1)));
		assert_true(reconcile_due(&r, at(wait[i])));
		/* What it shows meanwhile is no foreign word. */
		assert_int_equal(seen(&r, 10, PX_OK, &older), SEEN_LEAVE);
	}
	assert_int_equal(told(&r, 0, PX_OK, &want), TOLD_ACKED);
	assert_int_equal(told(&r, 0, PX_FILE, &older), TOLD_FAILED);
	assert_int_equal(r.retry_ms, 50);
}

static void nothing_is_due_in_a_fight(void **state)
{
	struct reconcile r = settled();

	(void)state;
	seen(&r, 1000, PX_OK, &older);
	told(&r, 1010, PX_OK, &want);
	seen(&r, 2000, PX_OK, &older);
	assert_int_equal(told(&r, 2010, PX_FILE, &older), TOLD_FAILED);
	assert_false(reconcile_due(&r, at(9000)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wanted_is_left),
		cmocka_unit_test(never_told_it_is_told_in_silence),
		cmocka_unit_test(one_older_value_soon_after_is_a_reloads),
		cmocka_unit_test(later_it_is_foreign),
		cmocka_unit_test(a_twin_was_never_ours),
		cmocka_unit_test(what_is_no_value_is_put_right_too),
		cmocka_unit_test(a_fight_lasts_a_minute),
		cmocka_unit_test(a_fight_ends_when_it_is_told),
		cmocka_unit_test(who_was_away_is_not_fought),
		cmocka_unit_test(a_restart_in_a_fight_is_told),
		cmocka_unit_test(a_restart_is_remembered_until_it_can_be_told),
		cmocka_unit_test(an_agent_is_never_fought),
		cmocka_unit_test(pins_and_higher_versions_are_left),
		cmocka_unit_test(a_failed_one_is_tried_later_and_later),
		cmocka_unit_test(nothing_is_due_in_a_fight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
