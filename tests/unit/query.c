/* SPDX-License-Identifier: MIT
 * tests/unit/query.c - one value out of an answer, and places in bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/assert/assert.h"
#include "probes/assert/date.h"
#include "probes/assert/place.h"
#include "probes/assert/query.h"
#include "switchd/base/must.h"

static const char head[] = "HTTP/1.1 302 Found\r\nLocation: /next?id=77\r\nX-Two: a\r\nX-Two: b\r\n"
			   "Set-Cookie: sid=old\r\nSet-Cookie: sid=abc; Path=/app; HttpOnly; Max-Age=60\r\n\r\n";
static const char page[] = "<form><input name=csrf value=tok-1><input name=user></form>\nid=42;";
static const char json[] = "{\"token\":\"t-9\",\"n\":7,\"f\":1.5,\"yes\":true,\"no\":null,\"list\":[\"a\",\"b\"],\"nul\":\"a\\u0000b\"}";

static const struct row { const char *line; enum query_result result; const char *text; bool of_json; } rows[] = {
	{ "jsonpath \"$.token\"", QUERY_FOUND, "t-9", true },
	{ "jsonpath \"$.n\"", QUERY_FOUND, "7", true },
	{ "jsonpath \"$.f\"", QUERY_FOUND, "1.5", true },
	{ "jsonpath \"$.yes\"", QUERY_FOUND, "true", true },
	{ "jsonpath \"$.no\"", QUERY_MISSING, "", true },
	{ "jsonpath \"$.list\"", QUERY_MISSING, "", true },
	{ "jsonpath \"$.list[*]\"", QUERY_FOUND, "a", true },
	{ "jsonpath \"$.none\"", QUERY_MISSING, "", true },
	{ "jsonpath \"$.nul\"", QUERY_TOO_LONG, "", true },
	{ "jsonpath \"$.token\"", QUERY_MISSING, "", false },
	{ "xpath \"string(//input[@name='csrf']/@value)\"", QUERY_FOUND, "tok-1", false },
	{ "xpath \"//input/@name\"", QUERY_FOUND, "csrf", false },
	{ "xpath \"//select\"", QUERY_MISSING, "", false },
	{ "xpath \"count(//input)\"", QUERY_FOUND, "2", false },
	{ "xpath \"count(//input) > 1\"", QUERY_FOUND, "true", false },
	{ "header \"location\"", QUERY_FOUND, "/next?id=77", false },
	{ "header \"X-Two\"", QUERY_FOUND, "a", false },
	{ "header \"X-None\"", QUERY_MISSING, "", false },
	{ "cookie \"sid\"", QUERY_FOUND, "abc", false },
	{ "cookie \"sid[Path]\"", QUERY_FOUND, "/app", false },
	{ "cookie \"sid[Max-Age]\"", QUERY_FOUND, "60", false },
	{ "cookie \"other\"", QUERY_MISSING, "", false },
	{ "regex /id=(\\d+)/", QUERY_FOUND, "42", false },
	{ "regex /id=\\d+/", QUERY_FOUND, "id=42", false },
	{ "regex /none=(\\d+)/", QUERY_MISSING, "", false },
	{ "regex /(x)?id/", QUERY_FOUND, "id", false },
	{ "body", QUERY_FOUND, page, false },
	{ "status", QUERY_FOUND, "302", false },
	{ "redirect", QUERY_FOUND, "https://h/next?id=77", false },
	{ "url", QUERY_FOUND, "https://h/login", false },
};

static struct query *compile(const char *line)
{
	char err[200] = "";
	int col;
	struct query *q = query_compile(line, err, sizeof(err), &col);

	if (!q)
		fail_msg("%s: %d: %s", line, col, err);
	return q;
}

static struct answer answer_with(const char *body)
{
	return (struct answer){ .status = 302, .head = head, .head_len = strlen(head), .body = body, .body_len = strlen(body),
				.location = "https://h/next?id=77", .url = "https://h/login" };
}

static void test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer a = answer_with(rows[i].of_json ? json : page);
		struct query *q = compile(rows[i].line);
		char out[200] = "?";
		enum query_result r = query_text(q, &a, out, sizeof(out));

		if (r != rows[i].result || strcmp(out, rows[i].text) != 0)
			fail_msg("%s: %d, \"%s\"", rows[i].line, r, out);
		query_free(&q);
		assert_null(q);
		answer_clear(&a);
	}
}

static void test_limits(void **state)
{
	enum { LONG = 200 * 1024 };
	char *body = xmalloc(LONG + 1), out[16];
	struct query *q = compile("regex /([A-Z]+)\\d{3}/");

	(void)state;
	memset(body, 'A', LONG);
	body[LONG] = '\0';
	struct answer a = answer_with(body);

	assert_int_equal(query_text(q, &a, out, sizeof(out)), QUERY_COSTLY);
	assert_string_equal(out, "");
	query_free(&q);
	q = compile("body");
	assert_int_equal(query_text(q, &a, out, sizeof(out)), QUERY_TOO_LONG);
	a.body_len = sizeof(out) - 1;
	assert_int_equal(query_text(q, &a, out, sizeof(out)), QUERY_FOUND);
	a.body_len = sizeof(out);
	assert_int_equal(query_text(q, &a, out, sizeof(out)), QUERY_TOO_LONG);
	query_free(&q);
	free(body);
}

static void test_errors(void **state)
{
	static const struct { const char *line; int col; const char *part; } bad[] = {
		{ "", 0, "an empty assertion" },
		{ "jsonpth \"$.a\"", 0, "did you mean \"jsonpath\"?" },
		{ "jsonpath \"$.a\" exists", 15, "should end here" },
		{ "xpath \"//a[\"", 11, "does not compile" },
		{ "duration", 0, "can be asserted, not captured" },
		{ "cookie", 6, "takes a name in quotes" },
		{ "regex id", 6, "between slashes" },
	};
	char err[200];
	int col;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct query *q = query_compile(bad[i].line, err, sizeof(err), &col);

		if (q || col != bad[i].col || !strstr(err, bad[i].part))
			fail_msg("%s: %d: %s", bad[i].line, col, err);
	}
}

static void test_dates(void **state)
{
	static const struct { const char *text; int64_t at; bool iso, any; } dates[] = {
		{ "1970-01-01", 0, true, true },
		{ "1970-01-01T00:00:01Z", 1, true, true },
		{ "2000-02-29T12:00:00Z", 951825600, true, true },
		{ "2026-11-22T03:12:07.304+01:00", 1795313527, true, true },
		{ "1969-12-31 23:59:59Z", -1, true, true },
		{ "1900-02-29", 0, false, false },
		{ "2026-13-01", 0, false, false },
		{ "2026-11-22T24:00:00Z", 0, false, false },
		{ "2026-11-22T03:12:07", 0, false, false },
		{ "2026-11-22T03:12:07.Z", 0, false, false },
		{ "2026-11-22Z", 0, false, false },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777, false, true },
		{ "Sun, 06-Nov-1994 08:49:37 GMT", 784111777, false, true },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777, false, true },
		{ "Sun, 06 Nov 1994 08:49:37 CET", 0, false, false },
		{ "Sun, 06 Nov", 0, false, false },
		{ "", 0, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		const char *s = dates[i].text;
		int64_t iso = 0, any = 0;

		if (date_iso(s, strlen(s), &iso) != dates[i].iso || date_any(s, strlen(s), &any) != dates[i].any ||
		    (dates[i].iso && iso != dates[i].at) || (dates[i].any && any != dates[i].at))
			fail_msg("%s: %lld %lld", s, (long long)iso, (long long)any);
	}
}

static void test_places(void **state)
{
	static const struct { const char *body, *part; size_t len, off; } near[] = {
		{ "hello world", "world", 5, 6 },
		{ "hello WORLD", "world", 5, 6 },
		{ "abababc", "ababc", 5, 2 },
		{ "aaab", "aaaa", 3, 0 },
		{ "xyz", "abc", 0, 0 },
		{ "", "abc", 0, 0 },
		{ "abc", "", 0, 0 },
		{ "wor wo worl", "world", 4, 7 },
	};
	size_t off;
	struct place p = place_at("a\n\xc3\xa9" "b", 5, 4);

	(void)state;
	assert_int_equal(p.line, 2);
	assert_int_equal(p.col, 2);
	p = place_at("", 0, 10);
	assert_true(p.line == 1 && p.col == 1);
	for (size_t i = 0; i < ARRAY_LEN(near); i++) {
		size_t n = place_nearest(near[i].body, strlen(near[i].body), near[i].part, strlen(near[i].part), &off);

		if (n != near[i].len || off != near[i].off)
			fail_msg("%s in %s: %zu at %zu", near[i].part, near[i].body, n, off);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
