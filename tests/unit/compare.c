/* SPDX-License-Identifier: MIT
 * compare.c - old against new, as tables: what counts as a difference, what is noise, what is ignored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "probes/prove/compare.h"
#include "probes/assert/xpath.h"
#include "switchd/base/buf.h"

struct said { long status; const char *type, *body, *location; };

static struct xpath *counted;     /* what of pages is counted */

static struct facts *facts(const struct said *s)
{
	struct answer a = { .status = s->status, .content_type = s->type, .body = s->body, .body_len = strlen(s->body) };
	struct facts *f = facts_of(&a, s->location, counted);

	answer_clear(&a);
	return f;
}

static struct facts *json_facts(const char *body) { return facts(&(struct said){ 200, "application/json", body, NULL }); }

/* want "": no difference. */
static void check(const struct said *was, const struct said *now, const struct compare_config *c, const char *want, const char *got)
{
	struct facts *a = facts(was), *b = facts(now);
	char w[ASSERT_TEXT], g[ASSERT_TEXT];
	bool differ = facts_differ(a, b, NULL, c, w, g);

	if (differ != (want[0] != '\0') || strcmp(w, want) != 0 || strcmp(g, got) != 0)
		fail_msg("%s | %s: want \"%s\" \"%s\", got \"%s\" \"%s\"", was->body, now->body, want, got, w, g);
	facts_free(&a);
	facts_free(&b);
}

static void json_bodies(void **state)
{
	static const struct { const char *was, *now, *want, *got; } row[] = {
		{ "{}", "{}", "", "" },
		{ "{\"a\":1}", "{\"a\":2}", "", "" },
		{ "{\"a\":1}", "{\"a\":1,\"b\":2}", "", "" }, /* more is no loss */
		{ "{\"a\":1,\"b\":2}", "{\"b\":2}", "as the old slot: $.a", "$.a missing" },
		{ "{\"a\":{\"b\":{\"c\":1}}}", "{\"a\":{\"b\":{}}}", "as the old slot: $.a.b.c", "$.a.b.c missing" },
		{ "{\"a\":{\"b\":1}}", "{\"a\":null}", "as the old slot: $.a.b", "$.a.b missing" },
		{ "{\"items\":[{\"id\":1,\"price\":2}]}", "{\"items\":[{\"id\":1}]}", "as the old slot: $.items[].price", "$.items[].price missing" },
		/* One item that has it is enough: items differ among themselves. */
		{ "{\"items\":[{\"id\":1,\"price\":2},{\"id\":2}]}", "{\"items\":[{\"id\":3},{\"id\":4,\"price\":1}]}", "", "" },
		{ "[1,2,3]", "[]", "as the old slot: $[] 3 rows", "0 rows" },
		{ "[1]", "[]", "as the old slot: $[] 1 row", "0 rows" },
		{ "[1,2,3]", "[1]", "", "" },
		{ "[]", "[1]", "", "" },
		{ "[]", "{}", "", "" },
		{ "{\"a\":[{\"b\":1}]}", "{\"a\":[]}", "as the old slot: $.a[] 1 row", "0 rows" }, /* not of $.a[].b too */
		{ "{\"a\":[1]}", "{\"a\":{\"0\":1}}", "as the old slot: $.a[] 1 row", "no list" },
		{ "[[1,2],[3]]", "[[],[]]", "as the old slot: $[][] 3 rows", "0 rows" },
		{ "{\"a\":1}", "nonsense", "as the old slot: body JSON", "not JSON" },
		{ "nonsense", "{\"a\":1}", "", "" },
	};
	const struct compare_config plain = { .on = true };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		check(&(struct said){ 200, "application/json", row[i].was, NULL }, &(struct said){ 200, "application/json; charset=utf-8", row[i].now, NULL },
		      &plain, row[i].want, row[i].got);
}

static void what_is_not_the_body(void **state)
{
	const struct compare_config plain = { .on = true };
	const struct said page = { 200, "text/html", "<p>a", NULL }, more = { 204, "text/html", "", NULL }, json = { 200, "application/json", "{}", NULL },
			  there = { 302, "", "", "https://shop.test/orders?x=1" }, login = { 302, "", "", "/login" }, same = { 302, "", "", "/orders" };

	(void)state;
	check(&page, &(struct said){ 200, " TEXT/HTML ; charset=x", "<p>b", NULL }, &plain, "", "");
	check(&page, &more, &plain, "as the old slot: status 200", "204");
	check(&json, &page, &plain, "as the old slot: content type application/json", "text/html");
	check(&page, &(struct said){ 200, "", "", NULL }, &plain, "as the old slot: content type text/html", "none");
	check(&there, &login, &plain, "as the old slot: redirect /orders", "/login");
	check(&there, &same, &plain, "", "");
}

static void tolerance_and_ignore(void **state)
{
	static const char *const ignore[] = { "$.at", "$.items[].score", "$.by_id.*", "$.deep.*.x" };
	const struct compare_config c = { .on = true, .ignore = ignore, .n_ignore = ARRAY_LEN(ignore), .tolerance = 25 };
	static const struct { const char *was, *now, *want, *got; } row[] = {
		{ "{\"at\":{\"b\":1},\"c\":1}", "{\"c\":1}", "", "" },
		{ "{\"attic\":1}", "{}", "as the old slot: $.attic", "$.attic missing" },
		{ "{\"items\":[{\"score\":1,\"id\":2}]}", "{\"items\":[{\"id\":2}]}", "", "" },
		{ "{\"items\":[{\"score\":1,\"id\":2}]}", "{\"items\":[{\"score\":2}]}", "as the old slot: $.items[].id", "$.items[].id missing" },
		{ "{\"by_id\":{\"7\":{\"a\":1}}}", "{\"by_id\":{\"8\":{}}}", "", "" },
		{ "{\"by_id\":{\"7\":1}}", "{}", "as the old slot: $.by_id", "$.by_id missing" },
		{ "{\"deep\":{\"k\":{\"x\":1,\"y\":1}}}", "{\"deep\":{\"k\":{}}}", "as the old slot: $.deep.k.y", "$.deep.k.y missing" },
		{ "[1,1,1,1]", "[1,1,1]", "", "" },
		{ "[1,1,1,1]", "[1,1]", "as the old slot: $[] 4 rows", "2 rows" },
		{ "[1,1,1,1]", "[1,1,1,1,1,1]", "as the old slot: $[] 4 rows", "6 rows" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		check(&(struct said){ 200, "application/json", row[i].was, NULL }, &(struct said){ 200, "application/json", row[i].now, NULL }, &c,
		      row[i].want, row[i].got);
	assert_true(compare_ignored(&c, "$.at"));
	assert_true(compare_ignored(&c, "$.at[].x"));
	assert_false(compare_ignored(&c, "$"));
	assert_false(compare_ignored(&c, "$.a"));
}

static void nodes_of_a_page(void **state)
{
	static const char three[] = "<table><tr><td>1<tr><td>2<tr><td>3</table>", one[] = "<table><tr><td>1</table>", none[] = "<p>No rows";
	struct compare_config c = { .on = true, .xpath = "//tr" };
	char err[160];
	size_t off;

	(void)state;
	counted = xpath_compile("//tr", 4, err, sizeof(err), &off);
	assert_non_null(counted);
	check(&(struct said){ 200, "text/html", three, NULL }, &(struct said){ 200, "text/html", one, NULL }, &c, "", "");
	check(&(struct said){ 200, "text/html", three, NULL }, &(struct said){ 200, "text/html", none, NULL }, &c, "as the old slot: //tr 3 rows", "0 rows");
	check(&(struct said){ 200, "text/html", none, NULL }, &(struct said){ 200, "text/html", three, NULL }, &c, "", "");
	c.tolerance = 50;
	check(&(struct said){ 200, "text/html", three, NULL }, &(struct said){ 200, "text/html", one, NULL }, &c, "as the old slot: //tr 3 rows", "1 row");
	check(&(struct said){ 200, "application/json", "{\"a\":1}", NULL }, &(struct said){ 200, "application/json", "{\"a\":1}", NULL }, &c, "", "");
	xpath_free(&counted);
}

/* What the old slot does not repeat is noise, in whichever of its two answers it stood. */
static void noise(void **state)
{
	const struct compare_config c = { .on = true };
	struct facts *first = json_facts("{\"a\":1,\"flaky\":1,\"list\":[1]}"), *again = json_facts("{\"a\":1,\"odd\":2,\"list\":[]}");
	struct facts *fine = json_facts("{\"a\":1,\"list\":[]}"), *bad = json_facts("{\"flaky\":1,\"list\":[1]}");
	struct noise n = { 0 };
	char want[ASSERT_TEXT], got[ASSERT_TEXT];

	(void)state;
	assert_true(facts_differ(first, fine, &n, &c, want, got));
	noise_learn(&n, first, again, &c);
	assert_false(facts_differ(first, fine, &n, &c, want, got));
	assert_false(facts_differ(again, fine, &n, &c, want, got));
	assert_true(facts_differ(first, bad, &n, &c, want, got));
	assert_string_equal(got, "$.a missing");
	noise_clear(&n);
	facts_free(&first);
	facts_free(&again);
	facts_free(&fine);
	facts_free(&bad);
}

static char *nested(int depth)
{
	struct buf b = BUF_INIT(64 * 1024);

	for (int i = 0; i < depth; i++)
		buf_adds(&b, "{\"k\":");
	buf_adds(&b, "1");
	for (int i = 0; i < depth; i++)
		buf_adds(&b, "}");
	char *s = strdup(buf_str(&b));

	buf_free(&b);
	return s;
}

/* Bounds: what was not kept is not called missing. */
static void hostile_bodies(void **state)
{
	const struct compare_config c = { .on = true };
	struct buf many = BUF_INIT(256 * 1024), fewer = BUF_INIT(256 * 1024);
	char *deep = nested(1000), *deeper = nested(1500), want[ASSERT_TEXT], got[ASSERT_TEXT];
	struct facts *a, *b;

	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_addf(&many, "%s\"key-%d\":1", i ? "," : "{", i);
	buf_adds(&many, "}");
	for (int i = 4999; i >= 0; i--)
		buf_addf(&fewer, "%s\"key-%d\":1", i < 4999 ? "," : "{", i);
	buf_adds(&fewer, "}");
	a = json_facts(buf_str(&many));
	b = json_facts(buf_str(&fewer));
	assert_false(facts_whole(a));
	assert_false(facts_differ(a, b, NULL, &c, want, got));
	facts_free(&b);
	b = json_facts("{}"); /* whole, and without them */
	assert_true(facts_whole(b));
	assert_true(facts_differ(a, b, NULL, &c, want, got));
	facts_free(&a);
	facts_free(&b);
	a = json_facts(deep);
	b = json_facts(deeper);
	assert_false(facts_whole(a));
	assert_false(facts_differ(a, b, NULL, &c, want, got));
	facts_free(&a);
	facts_free(&b);
	/* A key may look like anything. */
	a = json_facts("{\"n\":5,\"[\":{\"n\":[1]},\".\":1,\"\":{\"\":1}}");
	b = json_facts("{\"n\":5,\"[\":{\"n\":[]},\".\":1,\"\":{\"\":1}}");
	assert_true(facts_differ(a, b, NULL, &c, want, got));
	assert_string_equal(want, "as the old slot: $.[.n[] 1 row");
	facts_free(&a);
	facts_free(&b);
	free(deep);
	free(deeper);
	buf_free(&many);
	buf_free(&fewer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_bodies),
		cmocka_unit_test(what_is_not_the_body),
		cmocka_unit_test(tolerance_and_ignore),
		cmocka_unit_test(nodes_of_a_page),
		cmocka_unit_test(noise),
		cmocka_unit_test(hostile_bodies),
	};

	return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
