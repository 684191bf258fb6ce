/* SPDX-License-Identifier: MIT
 * tests/unit/shape.c - what two answers share, and what a third must have (B1.7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/assert/shape.h"
#include "switchd/base/buf.h"
#include "switchd/base/text.h"

#define JSON "application/json"
#define HTML "text/html"

struct reply { long status; const char *type, *location, *body; };

static struct shape *learn(struct reply r)
{
	return shape_learn(r.status, r.type, r.location, r.body, r.body ? strlen(r.body) : 0);
}

/* The baseline of two answers, through its text form and back. */
static struct shape *baseline(struct reply one, struct reply two)
{
	struct shape *a = learn(one), *b = learn(two), *c = shape_common(a, b);

	shape_free(&a);
	shape_free(&b);
	if (!c)
		return NULL;
	char *text = shape_json(c);
	struct shape *again = shape_parse(text);

	assert_non_null(again);
	char *same = shape_json(again);

	assert_string_equal(text, same);
	free(text);
	free(same);
	shape_free(&c);
	return again;
}

static const struct row {
	struct reply one, two, asked;
	enum outcome outcome;
	const char *got;        /* part of */
} rows[] = {
	/* JSON objects: every key that both answers had */
	{ { 200, JSON, NULL, "{\"a\":1,\"b\":2}" }, { 200, JSON, NULL, "{\"b\":3,\"a\":1}" }, { 200, JSON, NULL, "{\"a\":0,\"b\":0,\"c\":0}" }, OUT_PRESENT, "" },
	{ { 200, JSON, NULL, "{\"a\":1,\"b\":2}" }, { 200, JSON, NULL, "{\"a\":1,\"b\":2}" }, { 200, JSON, NULL, "{\"a\":0}" }, OUT_SHAPE, "no key \"b\"" },
	{ { 200, JSON, NULL, "{\"a\":1,\"t1\":2}" }, { 200, JSON, NULL, "{\"a\":1,\"t2\":2}" }, { 200, JSON, NULL, "{\"a\":0}" }, OUT_PRESENT, "" },
	{ { 200, JSON, NULL, "{\"a\":null}" }, { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":null}" }, OUT_PRESENT, "" },
	{ { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":1}" }, { 201, JSON "; charset=utf-8", NULL, "{\"a\":1}" }, OUT_PRESENT, "" },
	{ { 200, "Application/JSON ;x=y", NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":1}" }, OUT_PRESENT, "" },
	{ { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "[1]" }, OUT_SHAPE, "a JSON list" },
	{ { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "7" }, OUT_SHAPE, "a JSON scalar" },
	{ { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":" }, OUT_SHAPE, "not JSON" },
	{ { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, NULL }, OUT_SHAPE, "not JSON: the body is empty" },
	{ { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":1}" }, { 200, HTML, NULL, "{\"a\":1}" }, OUT_SHAPE, "text/html" },
	{ { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":1}" }, { 200, NULL, NULL, "{\"a\":1}" }, OUT_SHAPE, "no content type" },
	{ { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":1}" }, { 404, JSON, NULL, "{\"a\":1}" }, OUT_STATUS, "404" },
	{ { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":1}" }, { 302, JSON, "http://h/login?x", NULL }, OUT_REDIRECT, "302 to /login" },
	{ { 200, JSON, NULL, "{\"a\":1}" }, { 200, JSON, NULL, "{\"a\":1}" }, { 304, JSON, NULL, NULL }, OUT_REDIRECT, "304 to nowhere" },
	{ { 200, "application/vnd.x+json", NULL, "{\"a\":1}" }, { 200, "application/vnd.x+json", NULL, "{\"a\":1}" },
	  { 200, "application/vnd.x+json", NULL, "{}" }, OUT_SHAPE, "no key \"a\"" },
	/* lists; and what is a list once and an object once is neither */
	{ { 200, JSON, NULL, "[1]" }, { 200, JSON, NULL, "[]" }, { 200, JSON, NULL, "[{\"x\":1}]" }, OUT_PRESENT, "" },
	{ { 200, JSON, NULL, "[1]" }, { 200, JSON, NULL, "[]" }, { 200, JSON, NULL, "{}" }, OUT_SHAPE, "a JSON object" },
	{ { 200, JSON, NULL, "[1]" }, { 200, JSON, NULL, "{}" }, { 200, JSON, NULL, "nonsense" }, OUT_PRESENT, "" },
	/* HTML titles */
	{ { 200, HTML, NULL, "<title>Shop</title>" }, { 200, HTML, NULL, "<TITLE lang=en>\n Shop </TITLE>x" }, { 200, HTML, NULL, "<head><title>Shop</title>" }, OUT_PRESENT, "" },
	{ { 200, HTML, NULL, "<title>Shop</title>" }, { 200, HTML, NULL, "<title>Shop</title>" }, { 200, HTML, NULL, "<title>Oops</title>" }, OUT_SHAPE, "title \"Oops\"" },
	{ { 200, HTML, NULL, "<title>Shop</title>" }, { 200, HTML, NULL, "<title>Shop</title>" }, { 200, HTML, NULL, "<p>" }, OUT_SHAPE, "no title" },
	{ { 200, HTML, NULL, "<title>Shop (1)</title>" }, { 200, HTML, NULL, "<title>Shop (2)</title>" }, { 200, HTML, NULL, "<title>x</title>" }, OUT_PRESENT, "" },
	{ { 200, HTML, NULL, "<!-- <title>a</title> --><title>b</title>" }, { 200, HTML, NULL, "<title>b</title>" }, { 200, HTML, NULL, "<title>b" }, OUT_PRESENT, "" },
	{ { 200, HTML, NULL, "<script>'<title>a</title>'</script><style><title></style><title>b</title>" }, { 200, HTML, NULL, "<title>b</title>" },
	  { 200, HTML, NULL, "<titles>a</titles><title>b</title>" }, OUT_PRESENT, "" },
	{ { 200, HTML, NULL, "<title>A &amp; B</title>" }, { 200, HTML, NULL, "<title>A &amp; B</title>" }, { 200, HTML, NULL, "<title>A & B</title>" }, OUT_SHAPE, "A & B" },
	{ { 200, HTML, NULL, "<p>no title" }, { 200, HTML, NULL, "<p>no title" }, { 200, HTML, NULL, "<title>any</title>" }, OUT_PRESENT, "" },
	/* others: class and type only */
	{ { 200, "text/plain", NULL, "a" }, { 200, "text/plain", NULL, "b" }, { 204, "text/plain", NULL, "" }, OUT_PRESENT, "" },
	{ { 200, "image/png", NULL, "a" }, { 200, "image/png", NULL, "b" }, { 500, "image/png", NULL, "" }, OUT_STATUS, "500" },
	{ { 200, NULL, NULL, "a" }, { 200, NULL, NULL, "b" }, { 200, NULL, NULL, "" }, OUT_PRESENT, "" },
	{ { 200, NULL, NULL, "a" }, { 200, NULL, NULL, "b" }, { 200, "text/plain", NULL, "" }, OUT_SHAPE, "text/plain" },
	/* redirects: the path of the location */
	{ { 302, NULL, "http://a/login?next=1", NULL }, { 302, NULL, "/login", NULL }, { 301, NULL, "https://b:8443/login#x", NULL }, OUT_PRESENT, "" },
	{ { 302, NULL, "/login", NULL }, { 302, NULL, "/login", NULL }, { 302, NULL, "/error", NULL }, OUT_REDIRECT, "302 to /error" },
	{ { 302, NULL, "/login", NULL }, { 302, NULL, "/login", NULL }, { 302, NULL, NULL, NULL }, OUT_REDIRECT, "nowhere" },
	{ { 302, NULL, "/login", NULL }, { 302, NULL, "/login", NULL }, { 200, NULL, NULL, NULL }, OUT_STATUS, "200" },
	{ { 302, NULL, "/s/1", NULL }, { 302, NULL, "/s/2", NULL }, { 302, NULL, "/s/3", NULL }, OUT_PRESENT, "" },
	{ { 302, NULL, "//host", NULL }, { 302, NULL, "http://host", NULL }, { 302, NULL, "/", NULL }, OUT_PRESENT, "" },
	{ { 302, NULL, "/x//y", NULL }, { 302, NULL, "/x//y", NULL }, { 302, NULL, "/y", NULL }, OUT_REDIRECT, "/y" },
	{ { 302, HTML, "/login", "<title>x</title>" }, { 302, HTML, "/login", "<title>y</title>" }, { 302, HTML, "/login", NULL }, OUT_PRESENT, "" },
};

static void test_rows(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		char want[ASSERT_TEXT] = "?", got[ASSERT_TEXT] = "?";
		struct shape *s = baseline(r->one, r->two);
		struct answer a = { .status = r->asked.status, .content_type = r->asked.type, .body = r->asked.body,
				    .body_len = r->asked.body ? strlen(r->asked.body) : 0 };

		assert_non_null(s);
		enum outcome o = shape_check(s, &a, r->asked.location, want, got);

		if (o != r->outcome || !strstr(got, r->got) || (o == OUT_PRESENT ? want[0] || got[0] : !want[0] || !got[0])) {
			print_error("row %zu: %s, want %s, got %s\n", i, outcome_info(o)->code, want, got);
			bad++;
		}
		/* a document that an assertion has parsed already serves as well */
		answer_parsed(&a);
		assert_int_equal(shape_check(s, &a, r->asked.location, want, got), o);
		answer_clear(&a);
		shape_free(&s);
		assert_null(s);
	}
	assert_int_equal(bad, 0);
}

static void test_not_learned(void **state)
{
	(void)state;
	assert_null(learn((struct reply){ 404, JSON, NULL, "{}" }));
	assert_null(learn((struct reply){ 503, JSON, NULL, "{}" }));
	assert_null(learn((struct reply){ 100, JSON, NULL, "{}" }));
	assert_null(learn((struct reply){ 304, JSON, NULL, NULL }));
	assert_null(learn((struct reply){ 302, JSON, "", NULL }));
	assert_null(learn((struct reply){ 0, NULL, NULL, NULL }));
	/* no common ground */
	assert_null(baseline((struct reply){ 200, JSON, NULL, "{}" }, (struct reply){ 200, HTML, NULL, "{}" }));
	assert_null(baseline((struct reply){ 200, JSON, NULL, "{}" }, (struct reply){ 302, JSON, "/", "{}" }));
	assert_null(shape_common(NULL, NULL));
}

static void test_parse(void **state)
{
	static const char *const bad[] = {
		"", "x", "[]", "{}", "7", "{\"class\":2,\"type\":\"a/b\"}",
		"{\"class\":4,\"type\":\"a/b\",\"kind\":\"other\"}", "{\"class\":\"2\",\"type\":\"a/b\",\"kind\":\"other\"}",
		"{\"class\":3,\"type\":\"a/b\",\"kind\":\"other\"}", "{\"class\":2,\"type\":\"a/b\",\"kind\":\"redirect\"}",
		"{\"class\":2,\"type\":\"a/b\",\"kind\":\"purple\"}", "{\"class\":2,\"type\":\"a/b\",\"kind\":\"object\"}",
		"{\"class\":2,\"type\":\"a/b\",\"kind\":\"object\",\"keys\":[1]}", "{\"class\":2,\"type\":\"a/b\",\"kind\":\"object\",\"keys\":{}}",
		"{\"class\":2,\"type\":\"a/b\",\"kind\":\"other\",\"more\":1}", "{\"class\":2,\"class\":2,\"type\":\"a/b\",\"kind\":\"other\"}",
		"{\"class\":2,\"type\":null,\"kind\":\"other\"}", "{\"class\":99999999999999999999,\"type\":\"a/b\",\"kind\":\"other\"}",
	};
	struct buf b = BUF_INIT(1 << 20);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (shape_parse(bad[i]))
			fail_msg("taken: %s", bad[i]);
	assert_null(shape_parse(NULL));
	buf_adds(&b, "{\"class\":2,\"type\":\"a/b\",\"kind\":\"object\",\"keys\":[\"k\"");
	for (int i = 0; i < SHAPE_MAX_KEYS; i++)
		buf_adds(&b, ",\"k\"");
	buf_adds(&b, "]}");
	assert_null(shape_parse(buf_str(&b)));
	buf_clear(&b);
	buf_adds(&b, "{\"class\":2,\"type\":\"a/b\",\"kind\":\"html\",\"title\":\"");
	for (int i = 0; i < 400; i++)
		buf_adds(&b, "t");
	buf_adds(&b, "\"}");
	assert_null(shape_parse(buf_str(&b)));
	buf_clear(&b);
	buf_adds(&b, "[\"");
	for (int i = 0; i < SHAPE_MAX_JSON; i++)
		buf_adds(&b, " ");
	assert_null(shape_parse(buf_str(&b)));
	buf_free(&b);
}

/* Hostile: many keys, long keys, control bytes, endless tags. The text form always parses again. */
static void test_hostile(void **state)
{
	struct buf b = BUF_INIT(1 << 20);

	(void)state;
	buf_adds(&b, "{\"x\":1");
	for (int i = 0; b.len < 200000; i++)
		buf_addf(&b, ",\"%c\\u0001\\u001f\\u007f%0*d\":1", 'a' + i % 26, i % 300 + 1, i);
	buf_adds(&b, "}");
	struct reply r = { 200, JSON, NULL, buf_str(&b) };
	struct shape *s = baseline(r, r);
	struct answer a = { .status = 200, .content_type = JSON, .body = r.body, .body_len = b.len };
	char want[ASSERT_TEXT], got[ASSERT_TEXT];

	assert_non_null(s);
	assert_int_equal(shape_check(s, &a, NULL, want, got), OUT_PRESENT);
	a.body = "{\"x\":1}";
	a.body_len = 7;
	assert_int_equal(shape_check(s, &a, NULL, want, got), OUT_SHAPE);
	for (const char *c = got; *c; c++)
		assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
	shape_free(&s);

	static const char *const tags[] = { "<", "<!--", "<script", "<script ", "<title", "<title>", "</title>", "<style>", "\xff" };

	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		buf_clear(&b);
		while (b.len < 256 * 1024)
			buf_adds(&b, tags[i]);
		r = (struct reply){ 200, HTML, NULL, buf_str(&b) };
		s = baseline(r, r);
		assert_non_null(s);
		a = (struct answer){ .status = 200, .content_type = HTML, .body = r.body, .body_len = b.len };
		assert_int_equal(shape_check(s, &a, NULL, want, got), OUT_PRESENT);
		shape_free(&s);
	}
	/* a title past the first 64 kB is none */
	buf_clear(&b);
	while (b.len < 70000)
		buf_adds(&b, "<p>");
	buf_adds(&b, "<title>Shop</title>");
	s = learn((struct reply){ 200, HTML, NULL, buf_str(&b) });
	char *text = shape_json(s);

	assert_string_equal(text, "{\"class\":2,\"type\":\"text/html\",\"kind\":\"html\",\"title\":\"\"}");
	free(text);
	shape_free(&s);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_not_learned),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
