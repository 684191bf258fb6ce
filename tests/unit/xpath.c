/* SPDX-License-Identifier: MIT
 * tests/unit/xpath.c - pages made to hurt: each ends soon, as "a limit was hit", and leaves nothing behind. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/assert/assert.h"
#include "probes/assert/xpath.h"
#include "switchd/base/buf.h"
#include "switchd/base/clock.h"

static struct xpath *compile(const char *text)
{
	char err[200];
	size_t off;
	struct xpath *x = xpath_compile(text, strlen(text), err, sizeof(err), &off);

	if (!x)
		fail_msg("%s: %zu: %s", text, off, err);
	return x;
}

/* As many times `part` as fit, then `last`. */
static struct buf fill(const char *first, const char *part, size_t times, const char *last)
{
	struct buf b = BUF_INIT(XPATH_MAX_DOC + 1024);

	must(buf_adds(&b, first));
	for (size_t i = 0; i < times && b.len + strlen(part) + strlen(last) <= XPATH_MAX_DOC; i++)
		must(buf_adds(&b, part));
	must(buf_adds(&b, last));
	return b;
}

static enum outcome check(const char *line, const char *type, const struct buf *page, char got[ASSERT_TEXT])
{
	char err[256], want[ASSERT_TEXT];
	int col;
	struct assertion *a = assert_compile(line, err, sizeof(err), &col);
	struct answer ans = { .status = 200, .body = page->data, .body_len = page->len, .content_type = type };
	int64_t began = cpu_now_us();

	if (!a)
		fail_msg("%s: %s", line, err);
	enum outcome o = assert_check(a, &ans, want, got);

	answer_clear(&ans);
	print_message("%-60.60s %-18s %6lld us  %s\n", line, outcome_info(o)->code, (long long)(cpu_now_us() - began), got);
	assert_free(&a);
	return o;
}

/* Parsing alone is quadratic here without the limits of xdoc.c. */
static void test_costly_pages(void **state)
{
	enum { MANY = XPATH_MAX_DOC };
	struct { const char *what, *type; struct buf page; } pages[] = {
		{ "attributes", "text/html", BUF_INIT(XPATH_MAX_DOC + 64) },
		{ "end tags", "text/html", fill("", "<div>", 25000, "") },
		{ "comments", "text/html", fill("<body>", "<!----> ", MANY, "") },
		{ "elements", "text/html", fill("", "<br>", MANY, "") },
		{ "levels", "text/html", fill("", "<div>", 300, "") },
		{ "prefixes", "text/xml", fill("<?xml version=\"1.0\"?>", "<a xmlns:b=\"c\">", 250, "") },
		{ "texts", "text/html", fill("", "<i>1", MANY, "") },
		{ "types", "text/xml", fill("<!DOCTYPE r [<!ATTLIST i x CDATA \"", "many", 30000, "\">]><r><i/></r>") },
	};
	char got[ASSERT_TEXT];

	(void)state;
	must(buf_adds(&pages[0].page, "<a"));
	for (int i = 0; pages[0].page.len < XPATH_MAX_DOC - 32; i++)
		must(buf_addf(&pages[0].page, " a%x", i));
	must(buf_adds(&pages[0].page, ">"));
	while (pages[1].page.len < XPATH_MAX_DOC - 8)
		must(buf_adds(&pages[1].page, "</b>"));
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		enum outcome o = check("xpath \"//nothing\" exists", pages[i].type, &pages[i].page, got);

		print_message("  %s\n", pages[i].what);
		/* The one question is whether it ends: a fast machine may even read some of them whole. */
		assert_true(o == OUT_PATTERN_COSTLY || o == OUT_BODY);
		static const char *const sure[] = { "attributes", "end tags", "elements", "levels", "texts", "types" };
		bool costly = false;

		for (size_t k = 0; k < ARRAY_LEN(sure); k++)
			costly |= strcmp(pages[i].what, sure[k]) == 0;
		if (costly)
			assert_int_equal(o, OUT_PATTERN_COSTLY);
		buf_free(&pages[i].page);
	}
}

/* Each of these takes seconds to minutes without a budget of time; libxml2's count of operations ends only some. */
static void test_costly_expressions(void **state)
{
	static const struct { const char *line; bool wide; } rows[] = {
		{ "xpath \"count(//*[count(//*[count(//*) > 1]) > 1])\" > 1", true },
		{ "xpath \"//b[string(/) = 'x']\" exists", false },
		{ "xpath \"//b[contains(/, 'xyz')]\" exists", false },
		{ "xpath \"//b = //i\" == true", true },
		{ "xpath \"//b | //i\" count > 1", true },
		{ "xpath \"//b/following-sibling::i\" exists", true },
		{ "xpath \"//b[. = //i]\" exists", true },
		{ "xpath \"translate(/, string(/), 'x')\" == \"x\"", false },
		{ "xpath \"//b[string(/) = 'x']\" not exists", false },
	};
	struct buf page = fill("<p>", "<b>1</b><i>2</i>", 8000, "");
	char got[ASSERT_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(check(rows[i].line, "text/html", &page, got), OUT_PATTERN_COSTLY);
		assert_true(got[0] != '\0');
	}
	buf_free(&page);
}

static void test_too_large(void **state)
{
	struct buf page = fill("", "lorem ipsum ", XPATH_MAX_DOC, "");
	char got[ASSERT_TEXT];

	(void)state;
	while (page.len <= XPATH_MAX_DOC)
		must(buf_adds(&page, "more "));
	assert_int_equal(check("xpath \"//p\" exists", "text/html", &page, got), OUT_PATTERN_COSTLY);
	assert_non_null(strstr(got, "XPath reads 262144 at most"));
	buf_free(&page);
}

/* The budget is of the page: what one expression used up the next does not have. */
static void test_one_budget(void **state)
{
	struct buf page = fill("<p>", "<b>1</b><i>2</i>", 1000, "");
	struct xpath *dear = compile("//*[count(//*[count(//*) > 1]) > 1]"), *cheap = compile("count(//b)");
	struct xpath_result r;
	bool costly;
	char err[160];
	struct xdoc *d = xdoc_parse(page.data, page.len, "text/html", &costly, err, sizeof(err));

	(void)state;
	if (!d)
		fail_msg("%s", err);
	assert_int_equal(xpath_eval(dear, d, &r, err, sizeof(err)), XPATH_COSTLY);
	xpath_clear(&r);
	assert_int_equal(xpath_eval(dear, d, &r, err, sizeof(err)), XPATH_COSTLY);
	xpath_clear(&r);
	xdoc_free(&d);
	assert_null(d);
	d = xdoc_parse("<b>1</b>", 8, NULL, &costly, err, sizeof(err));
	assert_int_equal(xpath_eval(cheap, d, &r, err, sizeof(err)), XPATH_OK);
	assert_true(r.kind == XP_NUMBER && r.number == 1);
	xpath_clear(&r);
	xdoc_free(&d);
	xpath_free(&dear);
	xpath_free(&cheap);
	assert_null(cheap);
	buf_free(&page);
}

/* A document must not make us read a file or ask the network: the entity is refused, the DTD is not fetched. */
static void test_nothing_from_outside(void **state)
{
	static const char *const bodies[] = {
		"<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY a SYSTEM \"file:///proc/self/cmdline\">]><r>&a;</r>",
		"<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY % a SYSTEM \"file:///proc/self/cmdline\">%a;]><r>x</r>",
	};
	struct xpath *x = compile("string(/r)");
	struct xpath_result r;
	bool costly;
	char err[160];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		assert_null(xdoc_parse(bodies[i], strlen(bodies[i]), "text/xml", &costly, err, sizeof(err)));
		assert_true(costly);
		assert_non_null(strstr(err, "of its own"));
	}
	const char *plain = "<?xml version=\"1.0\"?><!DOCTYPE r SYSTEM \"file:///proc/self/cmdline\"><r>in &unknown; out</r>";
	struct xdoc *d = xdoc_parse(plain, strlen(plain), "text/xml", &costly, err, sizeof(err));

	if (!d)
		fail_msg("%s", err);
	assert_int_equal(xpath_eval(x, d, &r, err, sizeof(err)), XPATH_OK);
	assert_string_equal(r.text, "in  out");
	xpath_clear(&r);
	xdoc_free(&d);
	xpath_free(&x);
}

static bool gather(void *arg, const char *text, size_t len)
{
	struct buf *b = arg;

	must(buf_add(b, text, len) && buf_adds(b, ","));
	return b->len < 8;
}

static void test_each(void **state)
{
	static const char page[] = "<a href=/1>x</a><p><a href=/2>y</a></p><a href=/3>z</a>";
	struct xpath *all = compile("//a/@href"), *one = compile("count(//a)"), *none = compile("//b");
	struct buf b = BUF_INIT(100);
	bool costly;
	char err[160];
	struct xdoc *d = xdoc_parse(page, strlen(page), NULL, &costly, err, sizeof(err));

	(void)state;
	assert_int_equal(xpath_each(all, d, gather, &b, err, sizeof(err)), XPATH_OK);
	assert_string_equal(buf_str(&b), "/1,/2,/3,");
	assert_int_equal(xpath_each(one, d, gather, &b, err, sizeof(err)), XPATH_WRONG);
	buf_clear(&b);
	assert_int_equal(xpath_each(none, d, gather, &b, err, sizeof(err)), XPATH_OK);
	assert_int_equal(b.len, 0);
	buf_free(&b);
	xdoc_free(&d);
	xpath_free(&all);
	xpath_free(&one);
	xpath_free(&none);
}

/* What is asked a thousand times costs no more memory than what is asked a hundred times. */
static void test_memory_is_given_back(void **state)
{
	struct buf page = fill("<p>", "<b id=q>1</b><i>2</i>", 500, "");
	struct xpath *x = compile("//b[. = '1']");
	size_t before = 0;

	(void)state;
	/* What waits in fast bins counts as in use: none of them then, and what the thread's cache keeps is little. */
	(void)mallopt(M_MXFAST, 0); /* the sanitizers' heap has none, and says no */
	for (int i = 0; i < 1000; i++) {
		struct xpath_result r;
		bool costly;
		char err[160];
		struct xdoc *d = xdoc_parse(page.data, page.len, "text/html", &costly, err, sizeof(err));

		if (d && xpath_eval(x, d, &r, err, sizeof(err)) == XPATH_OK)
			assert_int_equal(r.n, 500);
		if (d)
			xpath_clear(&r);
		xdoc_free(&d);
		if (i == 100)
			before = mallinfo2().uordblks;
	}
	/* 0 under the sanitizers, which look themselves and miss no byte. */
	print_message("%zu bytes, then %zu\n", before, (size_t)mallinfo2().uordblks);
	assert_true(mallinfo2().uordblks <= before + 64 * 1024);
	xpath_free(&x);
	buf_free(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_costly_pages),
		cmocka_unit_test(test_costly_expressions),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_one_budget),
		cmocka_unit_test(test_nothing_from_outside),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_memory_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
