/* SPDX-License-Identifier: MIT
 * tests/unit/jsonpath.c - paths, their errors, and walks that stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/assert/jsonpath.h"
#include "switchd/base/buf.h"

static const char document[] =
	"{ \"store\": { \"book\": [ {\"title\":\"A\",\"price\":8}, {\"title\":\"B\",\"price\":12.5}, {\"title\":\"C\"} ],"
	"  \"bike\": {\"price\":399} }, \"list\": [0,1,2,3,4,5], \"a b\": 1, \"\\u00e9\": 2, \"it's\": 3, \"\": 4, \"\\ud83d\\ude00\": 5,"
	"  \"x\": null, \"deep\": {\"store\": {\"price\": 1}} }";

static const struct { const char *path; const char *found; bool singular; } walks[] = {
	{ "$.store.bike.price", "399", true },
	{ "$ .store\t['bike'] [\"price\"]", "399", true },
	{ "$.store.book[0].title", "\"A\"", true },
	{ "$.store.book[-1].title", "\"C\"", true },
	{ "$.store.book[-4].title", "", true },
	{ "$.store.book[3]", "", true },
	{ "$.store.book[9007199254740991]", "", true },
	{ "$.store.book[*].title", "\"A\" \"B\" \"C\"", false },
	{ "$.store.book.*.price", "8 12.5", false },
	{ "$.store.book[*].price", "8 12.5", false },
	{ "$..price", "8 12.5 399 1", false },
	{ "$..book[1].price", "12.5", false },
	{ "$..['price','title']", "8 \"A\" 12.5 \"B\" \"C\" 399 1", false },
	{ "$..[0]", "{\"title\":\"A\",\"price\":8} 0", false },
	{ "$.store..price", "8 12.5 399", false },
	{ "$.store.bike.*", "399", false },
	{ "$..store.price", "1", false },
	{ "$.list[0,2]", "0 2", false },
	{ "$.list[1:3]", "1 2", false },
	{ "$.list[ 1 : 3 : 1 ]", "1 2", false },
	{ "$.list[:2]", "0 1", false },
	{ "$.list[-2:]", "4 5", false },
	{ "$.list[::2]", "0 2 4", false },
	{ "$.list[::-1]", "5 4 3 2 1 0", false },
	{ "$.list[5:1:-2]", "5 3", false },
	{ "$.list[::0]", "", false },
	{ "$.list[10:20]", "", false },
	{ "$.list[-100:2]", "0 1", false },
	{ "$.list[:]", "0 1 2 3 4 5", false },
	{ "$.list[0:1,5]", "0 5", false },
	{ "$['a b']", "1", true },
	{ "$.\xc3\xa9", "2", true },
	{ "$['\\u00e9']", "2", true },
	{ "$['it\\'s']", "3", true },
	{ "$[\"it's\"]", "3", true },
	{ "$['']", "4", true },
	{ "$['\\uD83D\\uDE00']", "5", true },
	{ "$.x", "null", true },
	{ "$.x.y", "", true },
	{ "$.x[0]", "", true },
	{ "$.x[*]", "", false },
	{ "$.list.length", "", true },
	{ "$.store[0]", "", true },
	{ "$.nothing.at.all", "", true },
};

static bool add(void *arg, json_t *node)
{
	struct buf *b = arg;
	char *text = json_dumps(node, JSON_COMPACT | JSON_ENCODE_ANY);

	buf_addf(b, "%s%s", b->len ? " " : "", text);
	free(text);
	return true;
}

static void test_walks(void **state)
{
	json_t *doc = json_loads(document, 0, NULL);
	int bad = 0;

	(void)state;
	assert_non_null(doc);
	for (size_t i = 0; i < ARRAY_LEN(walks); i++) {
		char err[160];
		size_t off;
		struct buf found = BUF_INIT(4096);
		struct jsonpath *p = jsonpath_compile(walks[i].path, strlen(walks[i].path), err, sizeof(err), &off);

		if (!p) {
			print_error("%s: %zu: %s\n", walks[i].path, off, err);
			bad++;
			continue;
		}
		assert_int_equal(jsonpath_walk(p, doc, add, &found), JP_OK);
		if (strcmp(buf_str(&found), walks[i].found) != 0 || jsonpath_singular(p) != walks[i].singular) {
			print_error("%s: found %s\n", walks[i].path, buf_str(&found));
			bad++;
		}
		buf_free(&found);
		jsonpath_free(&p);
	}
	json_decref(doc);
	assert_int_equal(bad, 0);
}

static const struct { const char *path; size_t off; const char *part; } errors[] = {
	{ "", 0, "begins with $" },
	{ "store", 0, "begins with $" },
	{ "$ ", 1, "spaces after" },
	{ "$.", 1, "want a name or *" },
	{ "$..", 1, "want a name or *" },
	{ "$.store.", 7, "want a name or *" },
	{ "$.1", 2, "want a name or *" },
	{ "$store", 1, "want . or [" },
	{ "$.a-b", 3, "['like-this']" },
	{ "$.a b", 4, "want . or [" },
	{ "$[", 2, "inside [ ]" },
	{ "$[]", 2, "inside [ ]" },
	{ "$[0", 1, "[ without ]" },
	{ "$[0,]", 4, "inside [ ]" },
	{ "$[0 1]", 4, "want , or ]" },
	{ "$[a]", 2, "inside [ ]" },
	{ "$[01]", 2, "no leading zero" },
	{ "$[-0]", 2, "never -0" },
	{ "$[-]", 2, "whole number" },
	{ "$[1.5]", 3, "want , or ]" },
	{ "$[9007199254740992]", 2, "too large" },
	{ "$[99999999999999999999999999]", 2, "too large" },
	{ "$['a]", 2, "does not end" },
	{ "$['a\\", 4, "unknown escape" },
	{ "$['a\\q']", 4, "unknown escape" },
	{ "$['a\\\"']", 4, "unknown escape" },
	{ "$['\\u12']", 7, "four hexadecimal" },
	{ "$['\\ud800']", 3, "surrogate" },
	{ "$['\\ud800\\u0041']", 3, "surrogate" },
	{ "$['\\udc00']", 3, "surrogate" },
	{ "$['\\u0000']", 3, "zero byte" },
	{ "$['a\tb']", 4, "control character" },
	{ "$[?@.a]", 2, "filters" },
	{ "$[(@.length-1)]", 2, "scripts" },
	{ "$.a[0]]", 6, "want . or [" },
};

static void test_errors(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		char err[160] = "";
		size_t off = 999;
		struct jsonpath *p = jsonpath_compile(errors[i].path, strlen(errors[i].path), err, sizeof(err), &off);

		if (p || off != errors[i].off || !strstr(err, errors[i].part)) {
			print_error("%s: %s at %zu: %s\n", errors[i].path, p ? "compiles" : "an error", off, err);
			bad++;
		}
		jsonpath_free(&p);
	}
	assert_int_equal(bad, 0);
}

static void test_bounds(void **state)
{
	struct buf b = BUF_INIT(8192);
	char err[160];
	size_t off;

	(void)state;
	buf_adds(&b, "$");
	for (int i = 0; i < JSONPATH_MAX_STEPS; i++)
		buf_adds(&b, ".a");
	struct jsonpath *p = jsonpath_compile(buf_str(&b), b.len, err, sizeof(err), &off);

	assert_non_null(p);
	jsonpath_free(&p);
	buf_adds(&b, ".a");
	assert_null(jsonpath_compile(buf_str(&b), b.len, err, sizeof(err), &off));
	assert_non_null(strstr(err, "too long"));
	buf_clear(&b);
	buf_adds(&b, "$[0");
	for (int i = 0; i < JSONPATH_MAX_SELECTORS; i++)
		buf_adds(&b, ",0");
	buf_adds(&b, "]");
	assert_null(jsonpath_compile(buf_str(&b), b.len, err, sizeof(err), &off));
	assert_non_null(strstr(err, "too long"));
	buf_clear(&b);
	buf_adds(&b, "$['");
	for (int i = 0; i < 2000; i++)
		buf_adds(&b, "n");
	buf_adds(&b, "']");
	assert_null(jsonpath_compile(buf_str(&b), b.len, err, sizeof(err), &off));
	assert_non_null(strstr(err, "longer than"));
	buf_free(&b);
}

static bool count_and_stop(void *arg, json_t *node)
{
	(void)node;
	return ++*(int *)arg < 2;
}

static void test_stop_and_cost(void **state)
{
	enum { DEEP = 2000 };
	static char text[2 * DEEP + 1];
	char err[160];
	size_t off;
	int n = 0;

	(void)state;
	memset(text, '[', DEEP);
	memset(text + DEEP, ']', DEEP);
	json_t *doc = json_loads(text, 0, NULL);
	struct jsonpath *p = jsonpath_compile("$..*", 4, err, sizeof(err), &off);

	assert_non_null(doc);
	assert_int_equal(jsonpath_walk(p, doc, count_and_stop, &n), JP_OK);
	assert_int_equal(n, 2);
	jsonpath_free(&p);
	p = jsonpath_compile("$..*..*..*", 10, err, sizeof(err), &off);
	n = -1000000000;
	assert_int_equal(jsonpath_walk(p, doc, count_and_stop, &n), JP_COSTLY);
	assert_true(n < -1000000000 + 1000000);
	jsonpath_free(&p);
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_stop_and_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
