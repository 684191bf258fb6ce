/* SPDX-License-Identifier: MIT
 * tests/fuzz/assert.c - assertion lines and shapes against hostile answers.
 *
 * Input: line NUL head NUL body.  Whatever compiles is checked; what it says must be
 * printable, bounded and the same twice. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/assert/assert.h"
#include "probes/assert/shape.h"
#include "switchd/base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s)
{
	must(strnlen(s, ASSERT_TEXT) < ASSERT_TEXT);
	for (; *s; s++)
		must((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void check_shape(struct answer *a)
{
	char want[ASSERT_TEXT], got[ASSERT_TEXT];
	struct shape *s = shape_learn(a->status, a->content_type, "http://h/x", a->body, a->body_len);
	struct shape *c = shape_common(s, s);

	must(s && c);
	must(shape_check(c, a, "/x", want, got) == OUT_PRESENT);
	char *text = shape_json(c);
	struct shape *again = shape_parse(text);

	must(again && shape_check(again, a, "/x", want, got) == OUT_PRESENT);
	free(text);
	shape_free(&again);
	shape_free(&c);
	shape_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = { "application/json", "text/html", "text/plain", NULL };
	const uint8_t *one = memchr(data, 0, size), *two = one ? memchr(one + 1, 0, size - (size_t)(one + 1 - data)) : NULL;
	char err[200], want[ASSERT_TEXT], got[ASSERT_TEXT], want2[ASSERT_TEXT], got2[ASSERT_TEXT];
	int col = -1;

	if (!two)
		return 0;
	char *line = xstrdup((const char *)data);
	size_t len = strlen(line);
	struct answer a = { .status = 200, .total_us = 1234, .head = (const char *)one + 1, .head_len = (size_t)(two - one - 1),
			    .body = (const char *)two + 1, .body_len = size - (size_t)(two + 1 - data) };
	struct assertion *as = assert_compile(line, err, sizeof(err), &col);

	if (!as) {
		must(err[0] && col >= 0 && (size_t)col <= len);
		shape_free(&(struct shape *){ shape_parse(line) });
	} else {
		enum outcome o = assert_check(as, &a, want, got);

		check_text(want);
		check_text(got);
		must((o == OUT_PRESENT) == !want[0] && (o == OUT_PRESENT) == !got[0]);
		answer_clear(&a);
		if (o != OUT_PATTERN_COSTLY && assert_check(as, &a, want2, got2) != OUT_PATTERN_COSTLY)
			must(strcmp(want, want2) == 0 && strcmp(got, got2) == 0);
		assert_free(&as);
	}
	a.content_type = types[len % ARRAY_LEN(types)];
	check_shape(&a);
	answer_clear(&a);
	free(line);
	return 0;
}
