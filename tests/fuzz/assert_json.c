/* SPDX-License-Identifier: MIT
 * tests/fuzz/assert_json.c - JSON assertions on any bytes: what they say is printable, has its place
 * within the body, and an assertion and its `not` never both hold. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/assert/assert.h"
#include "probes/assert/jsonpath.h"
#include "probes/assert/place.h"
#include "probes/assert/query.h"
#include "switchd/base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const lines[][2] = {
	{ "jsonpath \"$.a\" exists", "jsonpath \"$.a\" not exists" },
	{ "jsonpath \"$.a[0].b\" == 1", "jsonpath \"$.a[0].b\" != 1" },
	{ "jsonpath \"$.a\" count > 1", "jsonpath \"$.a\" not count > 1" },
	{ "jsonpath \"$..b\" includes \"x\"", "jsonpath \"$..b\" not includes \"x\"" },
	{ "jsonpath \"$.a\" isDate", "jsonpath \"$.a\" not isDate" },
	{ "jsonpath \"$.a\" daysAfterNow > 1", "jsonpath \"$.a\" not daysAfterNow > 1" },
	{ "jsonpath \"$[-1]\" contains \"x\"", "jsonpath \"$[-1]\" not contains \"x\"" },
	{ "jsonpath \"$['\\u00e9']\" matches /x+/", "jsonpath \"$['\\u00e9']\" not matches /x+/" },
	{ "jsonpath \"$\" isCollection", "jsonpath \"$\" not isCollection" },
};

static enum outcome check(const char *line, struct answer *a)
{
	char err[200], want[ASSERT_TEXT], got[ASSERT_TEXT];
	int col;
	struct assertion *as = assert_compile(line, err, sizeof(err), &col);

	must(as != NULL);
	enum outcome o = assert_check(as, a, want, got);

	for (const char *s = got; *s; s++)
		must((unsigned char)*s >= 0x20 && *s != 0x7f);
	must((o == OUT_PRESENT) == !got[0]);
	assert_free(&as);
	return o;
}

static void places(struct answer *a)
{
	static const char *const paths[] = { "$", "$.a", "$.a[0].b", "$[-1]", "$['\\u00e9'][2]" };
	char err[160];

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		size_t off, err_off, n;
		struct jsonpath *p = jsonpath_compile(paths[i], strlen(paths[i]), err, sizeof(err), &err_off);

		must(p != NULL);
		n = place_json(a->body, a->body_len, p, &off);
		must(n <= jsonpath_plain_steps(p) && off <= a->body_len);
		jsonpath_free(&p);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer a = { .status = 200, .now_ms = 1, .body = (const char *)data, .body_len = size };
	char err[160], text[64];
	int col;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		must(check(lines[i][0], &a) != OUT_PRESENT || check(lines[i][1], &a) != OUT_PRESENT);
	if (size)
		places(&a);
	struct query *q = query_compile("jsonpath \"$.a\"", err, sizeof(err), &col);

	must(q != NULL);
	must(query_text(q, &a, text, sizeof(text)) == QUERY_FOUND || !text[0]);
	query_free(&q);
	answer_clear(&a);
	return 0;
}
