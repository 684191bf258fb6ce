/* SPDX-License-Identifier: MIT
 * story.c - unit tests of core/story: a report says what was recorded, and how each of it is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switchd/core/story/story.h"

static json_t *input(const char *name)
{
	char path[256];
	json_error_t e;

	snprintf(path, sizeof(path), "tests/tables/story/%s.json", name);
	json_t *o = json_load_file(path, 0, &e);

	if (!o)
		fail_msg("%s:%d: %s", path, e.line, e.text);
	return o;
}

static json_t *tell(const json_t *o)
{
	struct story_in in = {
		.service = json_string_value(json_object_get(o, "service")), .from = { json_integer_value(json_object_get(o, "from")) },
		.to = { json_integer_value(json_object_get(o, "to")) }, .events = json_object_get(o, "events"), .changes = json_object_get(o, "changes"),
		.blame = json_object_get(o, "blame"), .have_from = { json_integer_value(json_object_get(o, "have_from")) },
	};

	return story_tell(&in);
}

static int64_t number(const json_t *o, const char *a, const char *b) { return json_integer_value(json_object_get(json_object_get(o, a), b)); }

static void print(void (*how)(const json_t *, struct buf *), const json_t *r, struct buf *out)
{
	buf_clear(out);
	how(r, out);
	assert_false(out->full);
}

static void a_rollback_is_measured_from_the_first_bad_answer(void **state)
{
	json_t *o = input("rollback"), *r = tell(o), *s = json_object_get(r, "summary");

	(void)state;
	assert_int_equal(number(r, "summary", "first_bad"), 1795316410000); /* the answer, not the verdict 102 ms later */
	assert_int_equal(number(r, "summary", "detect_ms"), 104);
	assert_int_equal(number(r, "summary", "recover_ms"), 107);
	assert_int_equal(number(r, "summary", "users_ms"), 107);
	assert_string_equal(json_string_value(json_object_get(s, "headline")), "quotes gone from blue r44: traffic went back to green");
	assert_int_equal(number(s, "requests", "5xx from blue"), 2);
	assert_true(json_is_true(json_object_get(r, "complete")));
	json_decref(r);
	json_decref(o);
}

static void minutes_are_told_as_users_saw_them(void **state)
{
	json_t *o = input("rollback"), *r = tell(o), *all = json_object_get(r, "outages"), *x = json_array_get(all, 0);

	(void)state;
	assert_int_equal(json_array_size(all), 1);
	assert_string_equal(json_string_value(json_object_get(x, "feature")), "quotes");
	assert_true(json_is_true(json_object_get(x, "open")));  /* blue still lacks it */
	assert_int_equal(json_integer_value(json_object_get(x, "ms")), 20000);
	assert_int_equal(json_integer_value(json_object_get(x, "users_ms")), 107); /* but users had it for that long only */
	/* expenses was whole on whichever slot served: its probe did not show the fault */
	assert_int_equal(json_array_size(json_object_get(r, "green")), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(r, "green"), 0)), "expenses");
	json_decref(r);
	json_decref(o);
}

static void without_changes_the_evidence_is_used_and_called_inferred(void **state)
{
	json_t *o = input("rollback"), *r, *x;

	(void)state;
	json_object_set_new(o, "changes", json_array());
	r = tell(o);
	x = json_array_get(json_object_get(r, "outages"), 0);
	assert_string_equal(json_string_value(json_object_get(x, "how")), "inferred");
	assert_int_equal(json_integer_value(json_object_get(x, "users_ms")), 107);
	json_decref(r);
	json_decref(o);
}

static void what_was_trimmed_is_missing_and_said(void **state)
{
	json_t *o = input("rollback"), *r;
	struct buf out = BUF_INIT(STORY_MAX_TEXT);

	(void)state;
	json_object_set_new(o, "have_from", json_integer(1795316402000));
	r = tell(o);
	assert_false(json_is_true(json_object_get(r, "complete")));
	print(story_md, r, &out);
	assert_non_null(strstr(buf_str(&out), "events from 2026-11-22T03:00:00.000Z to 2026-11-22T03:00:02.000Z were trimmed"));
	buf_free(&out);
	json_decref(r);
	json_decref(o);
}

static void markdown_reads_like_a_report(void **state)
{
	static const char *const lines[] = {
		"# shop: quotes gone from blue r44: traffic went back to green\n", "| time to detect | 104 ms |", "| users met it for | 107 ms |",
		"| requests, by the proxy's counters | 5xx from blue 2, answered by the shield 19 |",
		"| quotes | blue | r44 | absent | 2026-11-22T03:00:10.000Z | still | 20.00 s | 107 ms |",
		"- builder.version: 3.9 -> 4.0\n", "green, present 2026-11-22T03:00:09.900Z: 200 in 4 ms", "wanted status == 200, got 500",
		"- ci@gh: deploy.started (deploy 812: r44 in blue)\n",
		"anna: the migration of quotes\\_v2 had not run \\| see INC-123\n", "## Probes that stayed green\n\nexpenses.",
	};
	json_t *o = input("rollback"), *r = tell(o);
	struct buf out = BUF_INIT(STORY_MAX_TEXT);

	(void)state;
	print(story_md, r, &out);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!strstr(buf_str(&out), lines[i]))
			fail_msg("no line \"%s\" in:\n%s", lines[i], buf_str(&out));
	buf_free(&out);
	json_decref(r);
	json_decref(o);
}

static void nothing_hostile_becomes_markup(void **state)
{
	static const char evil[] = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>=cmd|' /C calc'!A0\n\x01";
	json_t *o = input("rollback"), *r, *e;
	struct buf out = BUF_INIT(STORY_MAX_TEXT);
	size_t i;

	(void)state;
	json_array_foreach(json_object_get(o, "events"), i, e) {
		json_object_set_new(e, "detail", json_string(evil));
		json_object_set_new(e, "release", json_string(evil));
		json_object_set_new(e, "by", json_string(evil));
		json_object_set_new(e, "kind", json_string(i == 3 ? "rollback.decided" : evil));
	}
	r = tell(o);
	print(story_html, r, &out);
	assert_null(strstr(buf_str(&out), "<script"));
	assert_null(strstr(buf_str(&out), "<img"));
	assert_null(strchr(buf_str(&out), '\x01'));
	print(story_csv, r, &out);
	assert_null(strstr(buf_str(&out), ",\"="));
	json_decref(r);
	json_decref(o);
	buf_free(&out);
}

static void the_page_is_whole_and_alone(void **state)
{
	json_t *o = input("rollback"), *r = tell(o);
	struct buf out = BUF_INIT(STORY_MAX_TEXT);
	FILE *f = getenv("STORY_HTML") ? fopen(getenv("STORY_HTML"), "we") : NULL;

	(void)state;
	print(story_html, r, &out);
	if (f) { /* to look at it */
		fputs(buf_str(&out), f);
		fclose(f);
	}
	assert_null(strstr(buf_str(&out), "src="));
	assert_null(strstr(buf_str(&out), "href="));
	assert_null(strstr(buf_str(&out), "@import"));
	assert_non_null(strstr(buf_str(&out), "<svg"));
	assert_non_null(strstr(buf_str(&out), "</html>"));
	buf_free(&out);
	json_decref(r);
	json_decref(o);
}

static void csv_is_one_fact_a_line(void **state)
{
	json_t *o = input("rollback"), *r = tell(o);
	struct buf out = BUF_INIT(STORY_MAX_TEXT);
	size_t lines = 0;

	(void)state;
	print(story_csv, r, &out);
	for (const char *p = buf_str(&out); (p = strstr(p, "\r\n")); p += 2)
		lines++;
	assert_int_equal(lines, 1 + json_array_size(json_object_get(r, "facts")));
	assert_non_null(strstr(buf_str(&out), "2026-11-22T03:00:10.104Z,9104,\"switchd\",\"rollback.decided\",\"blue > green: the new release lost a feature"));
	buf_free(&out);
	json_decref(r);
	json_decref(o);
}

static void a_span_of_nothing_and_of_rubbish_is_told(void **state)
{
	static const char *const rubbish[] = { "[]", "[1,null,\"x\",{}]", "[{\"at\":5,\"evidence\":[1,{\"feature\":7,\"here\":[]}],\"from\":3}]" };
	struct buf out = BUF_INIT(STORY_MAX_TEXT);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rubbish); i++) {
		json_t *events = json_loads(rubbish[i], 0, NULL);
		struct story_in in = { .service = "shop", .from = { 1 }, .to = { 10 }, .events = events, .changes = events };
		json_t *r = story_tell(&in);

		print(story_md, r, &out);
		assert_non_null(strstr(buf_str(&out), "no feature was missing for users"));
		print(story_html, r, &out);
		json_decref(r);
		json_decref(events);
	}
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rollback_is_measured_from_the_first_bad_answer),
		cmocka_unit_test(minutes_are_told_as_users_saw_them),
		cmocka_unit_test(without_changes_the_evidence_is_used_and_called_inferred),
		cmocka_unit_test(what_was_trimmed_is_missing_and_said),
		cmocka_unit_test(markdown_reads_like_a_report),
		cmocka_unit_test(nothing_hostile_becomes_markup),
		cmocka_unit_test(the_page_is_whole_and_alone),
		cmocka_unit_test(csv_is_one_fact_a_line),
		cmocka_unit_test(a_span_of_nothing_and_of_rubbish_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
