/* SPDX-License-Identifier: MIT
 * suite.c - compile and judge. */
#include "probes/assert/suite.h"

#include <stdlib.h>
#include <string.h>

#include "switchd/base/clock.h"
#include "switchd/base/text.h"

/* Of CPU: a page of 30 ms and one more assertion of 10 stay under the 50 ms that one callback may take (I10). */
enum { JUDGE_BUDGET_US = 35000 };

/* In the quotes of YAML some characters stand as two: '' for one, \" and \\ too. */
int suite_column(int col, char quote, const char *text, size_t off)
{
	col += quote != '\0';
	for (size_t i = 0; i < off && text[i]; i++) {
		bool twice = quote == '\'' ? text[i] == '\'' : quote == '"' && strchr("\"\\\t\n", text[i]);

		col += ((unsigned char)text[i] & 0xc0) != 0x80;         /* editors count characters */
		col += twice;
	}
	return col;
}

int suite_compile(struct suite *s, const struct suite_source *from, struct buf *errors)
{
	int wrong = 0;

	*s = (struct suite){ .list = xcalloc(from->n, sizeof(struct assertion *)) };
	for (size_t i = 0; i < from->n; i++) {
		char err[256] = "";
		int col = 0;
		struct assertion *a = assert_compile(from->lines[i], err, sizeof(err), &col);

		if (!a) {
			wrong++;
			buf_addf(errors, "%s:%d:%d: error: %s\n", from->file, from->line ? from->line[i] : 0,
				 suite_column(from->col ? from->col[i] : 0, from->quote ? from->quote[i] : '\0', from->lines[i], (size_t)col), err);
			continue;
		}
		s->list[s->n++] = a;
		s->has_duration |= assert_is_duration(a);
		s->wants_cert |= assert_wants_cert(a);
	}
	return wrong;
}

void suite_clear(struct suite *s)
{
	for (size_t i = 0; i < s->n; i++)
		assert_free(&s->list[i]);
	free(s->list);
	*s = (struct suite){ 0 };
}

static void say_redirect(const struct answer *a, const char *location, char got[ASSERT_TEXT])
{
	char where[ASSERT_TEXT - 40];

	text_printable(where, sizeof(where), location, strlen(location));
	text_format(got, ASSERT_TEXT, "%ld to %s", a->status, where[0] ? where : "nowhere");
}

/* A redirect is expected when some assertion about the status holds for it and would not for 200:
 * `status == 302` and `status 3xx` say so, `status < 400` and `not status == 404` do not; or when
 * one is about the redirect itself, which is then judged with the others. */
static bool expects_redirect(const struct suite *s, const struct answer *a, char broken[ASSERT_TEXT])
{
	struct answer plain = { .status = 200 }, real = { .status = a->status };
	char want[ASSERT_TEXT], got[ASSERT_TEXT];

	broken[0] = '\0';
	for (size_t i = 0; i < s->n; i++) {
		if (assert_is_redirect(s->list[i]))
			return true;
		if (!assert_is_status(s->list[i]))
			continue;
		if (assert_check(s->list[i], &real, want, got) != OUT_PRESENT)
			text_copy(broken, ASSERT_TEXT, want);
		else if (assert_check(s->list[i], &plain, want, got) != OUT_PRESENT)
			return true;
	}
	return false;
}

static enum outcome judge_bare(const struct shape *baseline, struct answer *a, const char *location, char *want, char *got)
{
	bool redirect = a->status / 100 == 3;
	enum outcome o;

	if (baseline) {
		o = shape_check(baseline, a, location, want, got);
		if (o == OUT_PRESENT || !redirect)
			return o;
		say_redirect(a, location, got);
		return OUT_REDIRECT;
	}
	if (a->status / 100 == 2)
		return OUT_PRESENT;
	text_copy(want, ASSERT_TEXT, "status 2xx");
	if (redirect) {
		say_redirect(a, location, got);
		return OUT_REDIRECT;
	}
	text_format(got, ASSERT_TEXT, "%ld", a->status);
	return OUT_STATUS;
}

enum outcome suite_judge(const struct suite *s, const struct shape *baseline, struct answer *a, const char *location,
			 char want[ASSERT_TEXT], char got[ASSERT_TEXT])
{
	want[0] = got[0] = '\0';
	if (s->n == 0)
		return judge_bare(baseline, a, location, want, got);
	if (a->status / 100 == 3 && !expects_redirect(s, a, want)) {
		if (!want[0])
			text_copy(want, ASSERT_TEXT, "no redirect");
		say_redirect(a, location, got);
		return OUT_REDIRECT;
	}
	want[0] = '\0';
	int64_t began = s->n > 1 ? cpu_now_us() : 0;

	for (size_t i = 0; i < s->n; i++) {
		/* Each has limits of its own; all of them together must be under those of the loop too. */
		if (i && cpu_now_us() - began > JUDGE_BUDGET_US) {
			text_format(got, ASSERT_TEXT, "the assertions before it took all the time that one answer is given");
			text_format(want, ASSERT_TEXT, "assertion %zu of %zu", i + 1, s->n);
			return OUT_PATTERN_COSTLY;
		}
		enum outcome o = assert_check(s->list[i], a, want, got);

		if (o != OUT_PRESENT)
			return o;
	}
	return OUT_PRESENT;
}
