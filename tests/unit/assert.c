/* SPDX-License-Identifier: MIT
 * tests/unit/assert.c - the table tests/tables/assert.tbl, and what hostile bodies cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/assert/assert.h"
#include "probes/probe.h"
#include "probes/assert/regex.h"
#include "switchd/base/clock.h"
#include "switchd/base/must.h"
#include "switchd/base/text.h"
#include "switchd/io/certificate.h"

#define TABLE "tests/tables/assert.tbl"
#define BODY_MAX ((size_t)256 * 1024)

static struct named { char name[32], head[512], body[2048], type[64], location[128]; struct answer a; } answers[48];
static size_t n_answers;

/* \n and \xHH; \\ stands for one backslash. */
static size_t unescape(const char *s, char *out, size_t size)
{
	size_t n = 0;

	for (; *s && n + 1 < size; s++) {
		unsigned c = (unsigned char)*s;

		if (*s == '\\' && s[1] == 'x' && sscanf(s + 2, "%2x", &c) == 1)
			s += 3;
		else if (*s == '\\' && s[1] == 'n') {
			c = '\n';
			s++;
		} else if (*s == '\\' && s[1] == '\\')
			s++;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return n;
}

/* 2026-11-22T12:00:00Z */
#define NOW_MS 1795348800000

static const struct certificate certificate = {
	.subject = "CN = shop.test", .issuer = "O = Test, CN = Root", .serial = "0a1b2c", .names = "shop.test www.shop.test 127.0.0.1",
	.not_before = NOW_MS / 1000 - 30 * 86400, .not_after = NOW_MS / 1000 + 20 * 86400 + 3600,
};

static bool find_header(const char *head, const char *name, char *out, size_t size)
{
	const char *at = strstr(head, name);

	return at && text_copy_n(out, size, at + strlen(name), strcspn(at + strlen(name), "\r"));
}

static void read_answer(char *line)
{
	struct named *a = &answers[n_answers++];
	long status;
	int ms, used;
	char *body = NULL, *from;

	assert_true(n_answers <= ARRAY_LEN(answers));
	assert_int_equal(sscanf(line, "answer %31s %ld %d ; %n", a->name, &status, &ms, &used), 3);
	from = line + used;
	for (char *p = from; (p = strstr(p, " ; ")); p++)
		body = p;
	assert_non_null(body);
	*body = '\0';
	text_format(a->head, sizeof(a->head), "HTTP/1.1 %ld Whatever\r\n", status);
	for (char *next; from; from = next) {
		next = strstr(from, " ; ");
		if (next) {
			*next = '\0';
			next += 3;
		}
		text_format(a->head + strlen(a->head), sizeof(a->head) - strlen(a->head), "%s\r\n", from);
	}
	a->a = (struct answer){ .status = status, .total_us = (int64_t)ms * 1000, .head = a->head, .head_len = strlen(a->head), .body = a->body };
	a->a.body_len = unescape(body + 3, a->body, sizeof(a->body));
	a->a.now_ms = NOW_MS;
	a->a.url = "https://shop.test:8443/quotes?page=2";
	a->a.cert = strcmp(a->name, "down") == 0 ? NULL : &certificate;
	if (find_header(a->head, "Content-Type: ", a->type, sizeof(a->type)))
		a->a.content_type = a->type;
	if (find_header(a->head, "X-Location: ", a->location, sizeof(a->location)))
		a->a.location = a->location;
}

static struct answer *find_answer(const char *name)
{
	for (size_t i = 0; i < n_answers; i++)
		if (strcmp(answers[i].name, name) == 0)
			return &answers[i].a;
	fail_msg("no answer %s", name);
	return NULL;
}

/* Cuts at the last " | ". */
static char *cut(char *line)
{
	char *last = NULL;

	for (char *p = line; (p = strstr(p, " | ")); p++)
		last = p;
	if (!last)
		fail_msg("want \" | \" in: %s", line);
	*last = '\0';
	return last + 3;
}

static void check_row(char *line, int no, int *bad)
{
	char want[ASSERT_TEXT], got[ASSERT_TEXT], err[256];
	char *outcome = cut(line), *name = cut(line), *part = strstr(outcome, " : ");
	int col;

	if (part) {
		*part = '\0';
		part += 3;
	}
	struct assertion *a = assert_compile(line, err, sizeof(err), &col);

	if (!a) {
		print_error("line %d: %s does not compile: %d: %s\n", no, line, col, err);
		++*bad;
		return;
	}
	enum outcome o = assert_check(a, find_answer(name), want, got);

	if (strcmp(outcome_info(o)->code, outcome) != 0 || (part && !strstr(got, part)) ||
	    (o == OUT_PRESENT ? want[0] || got[0] : strcmp(want, line) != 0 || !got[0])) {
		print_error("line %d: %s on %s: %s, want \"%s\", got %s\n", no, line, name, outcome_info(o)->code, want, got);
		++*bad;
	}
	assert_free(&a);
	assert_null(a);
}

static void check_error_row(char *line, int no, int *bad)
{
	char err[256] = "";
	int col = -1;
	char *text = cut(line), *column = cut(line);
	const char *source = line[1] ? line + 2 : "";
	struct assertion *a = assert_compile(source, err, sizeof(err), &col);

	if (a || col != (int)strtol(column, NULL, 10) || !strstr(err, text)) {
		print_error("line %d: %s: %s, column %d: %s\n", no, source, a ? "compiles" : "an error", col, err);
		++*bad;
	}
	assert_free(&a);
}

static void test_table(void **state)
{
	FILE *f = fopen(TABLE, "r");
	char line[4096];
	int no = 0, rows = 0, bad = 0;

	(void)state;
	if (!f)
		fail_msg("cannot open " TABLE " (tests run in the root of the tree)");
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		no++;
		if (!line[0] || line[0] == '#')
			continue;
		if (text_starts(line, "answer ")) {
			read_answer(line);
			continue;
		}
		rows++;
		if (line[0] == '!')
			check_error_row(line, no, &bad);
		else
			check_row(line, no, &bad);
	}
	fclose(f);
	for (size_t i = 0; i < n_answers; i++)
		answer_clear(&answers[i].a);
	print_message("%d rows of %s\n", rows, TABLE);
	assert_true(rows > 200);
	assert_int_equal(bad, 0);
}

static struct assertion *compile(const char *line)
{
	char err[256];
	int col;
	struct assertion *a = assert_compile(line, err, sizeof(err), &col);

	if (!a)
		fail_msg("%s: %d: %s", line, col, err);
	return a;
}

static enum outcome check_body_once(const char *line, const char *body, size_t len, char got[ASSERT_TEXT])
{
	struct assertion *a = compile(line);
	struct answer ans = { .status = 200, .body = body, .body_len = len };
	char want[ASSERT_TEXT];
	enum outcome o = assert_check(a, &ans, want, got);

	answer_clear(&ans);
	assert_free(&a);
	return o;
}

static void test_kinds(void **state)
{
	struct assertion *s = compile("status == 200"), *d = compile("duration < 3s"), *b = compile("body contains \"x\"");

	(void)state;
	assert_true(assert_is_status(s) && !assert_is_duration(s));
	assert_true(assert_is_duration(d) && !assert_is_status(d));
	assert_true(!assert_is_duration(b) && !assert_is_status(b));
	assert_free(&s);
	assert_free(&d);
	assert_free(&b);
	assert_free(&b);
}

/* A pattern whose cost grows with the square of the body, or worse, ends as "too costly", not as
 * a frozen loop: [A-Z]+\d{3} runs for half a minute without the budget, and then says "body". */
static void test_costly_patterns(void **state)
{
	static const struct { const char *line; char fill, last; } rows[] = {
		{ "body matches /(a+)+$/", 'a', '!' },
		{ "body matches /[A-Z]+\\d{3}/", 'A', 'A' },
		{ "body matches /a*[bc]/", 'a', 'a' },
		{ "body matches /\\s+$/", ' ', '!' },
		{ "body matches /(?:a*[bc]|a)*[de]/", 'a', 'a' },
		{ "body matches /(a*?)\\1[bc]/i", 'a', 'a' },
		{ "body not matches /[A-Z]+\\d{3}/", 'A', 'A' },
	};
	char *body = xmalloc(BODY_MAX), got[ASSERT_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		memset(body, rows[i].fill, BODY_MAX);
		body[BODY_MAX - 1] = rows[i].last;
		int64_t began = cpu_now_us();
		enum outcome o = check_body_once(rows[i].line, body, BODY_MAX, got);
		int64_t took = cpu_now_us() - began;

		print_message("%-40s %s %lld us\n", rows[i].line, outcome_info(o)->code, (long long)took);
		assert_int_equal(o, OUT_PATTERN_COSTLY);
		assert_string_equal(got, "the pattern reached its limits on this body");
	}
	free(body);
}

static void test_large_bodies(void **state)
{
	char *body = xmalloc(BODY_MAX), got[ASSERT_TEXT];

	(void)state;
	for (size_t i = 0; i < BODY_MAX; i++)
		body[i] = "lorem ipsum EUR dolor 12\n"[i % 25];
	memcpy(body + BODY_MAX - 8, "EUR 1234", 8);
	assert_int_equal(check_body_once("body matches /EUR \\d+/", body, BODY_MAX, got), OUT_PRESENT);
	assert_int_equal(check_body_once("body not contains \"EUR 99\"", body, BODY_MAX, got), OUT_PRESENT);
	memset(body, 0xff, BODY_MAX);
	assert_int_equal(check_body_once("body matches /x/i", body, BODY_MAX, got), OUT_BODY);
	assert_true(strlen(got) < ASSERT_TEXT);
	memset(body, '"', BODY_MAX);
	assert_int_equal(check_body_once("body contains \"x\"", body, BODY_MAX, got), OUT_BODY);
	memset(body, '[', BODY_MAX);
	assert_int_equal(check_body_once("jsonpath \"$..x\" exists", body, BODY_MAX, got), OUT_JSON);
	assert_non_null(strstr(got, "not JSON: "));
	free(body);
}

/* 2000 levels of one-element lists: every `..` starts again below every node. */
static void test_costly_paths(void **state)
{
	enum { DEEP = 2000 };
	char body[2 * DEEP], got[ASSERT_TEXT];

	(void)state;
	memset(body, '[', DEEP);
	memset(body + DEEP, ']', DEEP);
	assert_int_equal(check_body_once("jsonpath \"$..[*]\" count == 1999", body, sizeof(body), got), OUT_PRESENT);
	assert_int_equal(check_body_once("jsonpath \"$..[*]..[*]..[*]\" exists", body, sizeof(body), got), OUT_PATTERN_COSTLY);
	assert_string_equal(got, "the path walks too much of this body");
	assert_int_equal(check_body_once("jsonpath \"$..[*]..[*]..[*]\" not exists", body, sizeof(body), got), OUT_PATTERN_COSTLY);
}

/* The body is parsed once for all assertions of an answer, and forgotten by answer_clear. */
static void test_json_is_kept(void **state)
{
	struct assertion *a = compile("jsonpath \"$.a\" == 1");
	char body[] = "{\"a\":1}", want[ASSERT_TEXT], got[ASSERT_TEXT];
	struct answer ans = { .body = body, .body_len = strlen(body) };

	(void)state;
	assert_int_equal(assert_check(a, &ans, want, got), OUT_PRESENT);
	assert_true(ans.json_tried && ans.json);
	body[5] = '2';
	assert_int_equal(assert_check(a, &ans, want, got), OUT_PRESENT);
	answer_clear(&ans);
	assert_true(!ans.json_tried && !ans.json);
	assert_int_equal(assert_check(a, &ans, want, got), OUT_JSON);
	assert_string_equal(got, "2 (line 1, column 6)");
	assert_string_equal(want, "jsonpath \"$.a\" == 1");
	answer_clear(&ans);
	assert_free(&a);
}

static void test_long_lines(void **state)
{
	char line[ASSERT_MAX_LINE + 64], err[64], want[ASSERT_TEXT], got[ASSERT_TEXT];
	int col;

	(void)state;
	memset(line, 'y', sizeof(line));
	memcpy(line, "body contains \"", 15);
	line[sizeof(line) - 2] = '"';
	line[sizeof(line) - 1] = '\0';
	assert_null(assert_compile(line, err, sizeof(err), &col));
	assert_int_equal(col, ASSERT_MAX_LINE);
	line[1000] = '"';
	line[1001] = '\0';
	struct assertion *a = assert_compile(line, err, sizeof(err), &col);
	struct answer ans = { .body = "x\ny\x1b[31m", .body_len = 8 };

	assert_non_null(a);
	assert_int_equal(assert_check(a, &ans, want, got), OUT_BODY);
	assert_int_equal(strlen(want), ASSERT_TEXT - 1);
	assert_string_equal(got, "8 bytes: \"x\\ny?[31m\"");
	assert_free(&a);
	/* an answer without anything */
	ans = (struct answer){ 0 };
	a = compile("body isEmpty");
	assert_int_equal(assert_check(a, &ans, want, got), OUT_PRESENT);
	assert_free(&a);
	a = compile("header \"X\" exists");
	assert_int_equal(assert_check(a, &ans, want, got), OUT_HEADER);
	assert_free(&a);
}

/* An error points at the character in the file, whatever quotes of YAML the line stands in. */
static void test_columns_in_yaml(void **state)
{
	static const char yaml[] = "version: 1\nservices:\n  shop:\n    front: https://shop.example.com\n"
		"    slots: { blue: [10.0.0.1:8101], green: [10.0.0.1:8102] }\n    proxy: haproxy\n    features:\n      a:\n        path: /a\n"
		"        expect:\n"
		"          - statu == 200\n"
		"          - status == 200\n"
		"          - 'xpath \"//a[@b=''c'']\" exist'\n"
		"          - \"body contains \\\"x\\\" y\"\n"
		"          - 'body contains \"\xc3\xa9\" y'\n";
	static const char *const want[] = {
		":11:13: error: unknown subject", ":13:36: error: unknown predicate \"exist\"",
		":14:34: error: the assertion should end here", ":15:32: error: the assertion should end here",
	};
	struct buf said = BUF_INIT(4096);
	int n = 0;

	(void)state;
	struct config *c = config_load("f", yaml, strlen(yaml), NULL, NULL, &said, &n);

	if (!c)
		fail_msg("%s", buf_str(&said));
	assert_false(probe_check_config(c, &said, &n));
	assert_int_equal(n, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		if (!strstr(buf_str(&said), want[i]))
			fail_msg("no \"%s\" in:\n%s", want[i], buf_str(&said));
	config_free(&c);
	buf_free(&said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_costly_patterns),
		cmocka_unit_test(test_large_bodies),
		cmocka_unit_test(test_costly_paths),
		cmocka_unit_test(test_json_is_kept),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_columns_in_yaml),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
