/* SPDX-License-Identifier: MIT
 * got.c - what an assertion got instead, and where in the body. */
#include "probes/assert/got.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "probes/assert/jsonpath.h"
#include "probes/assert/place.h"
#include "probes/assert/regex.h"
#include "switchd/base/text.h"

enum { SHOWN = 60, NEAR_LEAST = 3 };    /* fewer letters than that are found on any page */

void got_text(char *out, size_t size, const char *s, size_t n)
{
	static const char from[] = "\n\r\t\"\\", to[] = "nrt\"\\";
	char part[ASSERT_TEXT] = "";
	size_t len = 0, i = 0;

	for (; i < n && len + 8 < size && len + 2 < sizeof(part); i++) {
		const char *e = s[i] ? strchr(from, s[i]) : NULL;

		if (e)
			part[len++] = '\\';
		part[len++] = e ? to[e - from] : s[i];
	}
	char clean[ASSERT_TEXT];

	text_printable(clean, sizeof(clean), part, len);
	text_format(out, size, "\"%s\"%s", clean, i < n ? "..." : "");
}

struct dump { char text[ASSERT_TEXT]; size_t len; };

static int dump_some(const char *s, size_t n, void *arg)
{
	struct dump *d = arg;
	size_t room = sizeof(d->text) - d->len;
	bool fits = n <= room;

	memcpy(d->text + d->len, s, fits ? n : room);
	d->len += fits ? n : room;
	return fits ? 0 : -1;           /* stops the walk: the document may be large */
}

static void show_json(char *out, size_t size, const json_t *j)
{
	struct dump d = { .len = 0 };
	char clean[ASSERT_TEXT];
	bool whole = json_dump_callback(j, dump_some, &d, JSON_COMPACT | JSON_ENCODE_ANY) == 0 && d.len < size;
	size_t n = d.len < size - 4 ? d.len : size - 4;

	text_printable(clean, sizeof(clean), d.text, whole ? d.len : n);
	text_format(out, size, whole ? "%s" : "%s...", clean);
}

void got_value(char *out, size_t size, const struct value *v)
{
	char part[SHOWN + 8];

	if (v->kind == VAL_TEXT) {
		got_text(out, size, v->s, v->n);
	} else if (v->kind == VAL_INT) {
		text_format(out, size, "%" PRId64, v->i);
	} else if (v->kind == VAL_BOOL) {
		text_copy(out, size, v->i ? "true" : "false");
	} else if (v->kind == VAL_NODES) {
		got_text(part, sizeof(part), v->s, v->n);
		text_format(out, size, v->i == 0 ? "nothing there" : v->i == 1 ? "a node with the text %s" : "%2$" PRId64 " nodes, the first with the text %1$s",
			    part, v->i);
	} else if (v->json) {
		show_json(out, size, v->json);
	} else {
		text_format(out, size, "%.15g", v->r);
	}
}

void got_add(char *got, const char *fmt, ...)
{
	char more[ASSERT_TEXT];
	size_t len = strlen(got);
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(more, sizeof(more), fmt, ap);
	va_end(ap);
	if (n > 0 && len + (size_t)n < ASSERT_TEXT)
		text_printable(got + len, ASSERT_TEXT - len, more, (size_t)n);
}

/* ---- the body ---- */

static struct place at(const struct answer *ans, size_t off) { return place_at(ans->body, ans->body_len, off); }

static void show_there(const struct answer *ans, size_t off, size_t shown, char *got, const char *what)
{
	char part[SHOWN + 8];
	struct place p = at(ans, off);
	size_t rest = ans->body_len - off;

	got_text(part, sizeof(part), ans->body + off, rest < shown ? rest : shown);
	got_add(got, "; %s %s (line %zu, column %zu)", what, part, p.line, p.col);
}

/* What `not` forbids is there: where? */
static void show_forbidden(const struct assertion *a, const struct answer *ans, char *got)
{
	const char *part = json_string_value(a->operand), *hit = NULL;
	size_t n = json_string_length(a->operand);
	struct regex_span span = { 0, 0 };

	if (a->predicate->test == test_contains)
		hit = memmem(ans->body, ans->body_len, part, n);
	else if (a->predicate->test == test_ends)
		hit = ans->body + ans->body_len - n;
	else if (a->predicate->test == test_matches && regex_find(a->pattern, ans->body, ans->body_len, &span) == RE_YES) {
		hit = ans->body + span.from;
		n = span.to - span.from;
	}
	if (hit)
		show_there(ans, (size_t)(hit - ans->body), n < SHOWN / 2 ? n : SHOWN / 2, got, "there is");
}

static void show_near_pattern(const struct assertion *a, const struct answer *ans, char *got)
{
	struct regex_span span;
	size_t part;

	if (!regex_nearest(a->pattern, ans->body, ans->body_len, &span, &part))
		return;
	struct place p = at(ans, span.from);

	got_add(got, "; the first %zu bytes of the pattern match at line %zu, column %zu", part, p.line, p.col);
}

/* Of texts that should be the same from the beginning. */
static void show_difference(const struct assertion *a, const struct answer *ans, char *got)
{
	const char *want = json_string_value(a->operand);
	size_t n = json_string_length(a->operand), i = 0;

	while (i < n && i < ans->body_len && want[i] == ans->body[i])
		i++;
	struct place p = at(ans, i);

	if (i < n)
		got_add(got, "; differs from line %zu, column %zu on", p.line, p.col);
	else
		got_add(got, "; goes on at line %zu, column %zu", p.line, p.col);
}

static void show_near_part(const struct assertion *a, const struct answer *ans, char *got)
{
	size_t off, n = json_string_length(a->operand);
	size_t k = place_nearest(ans->body, ans->body_len, json_string_value(a->operand), n, &off);

	if (k == n)
		show_there(ans, off, n < SHOWN / 2 ? n : SHOWN / 2, got, "in another case");
	else if (k >= NEAR_LEAST)
		show_there(ans, off, k + 8 < SHOWN / 2 ? k + 8 : SHOWN / 2, got, "nearest");
}

void got_body(const struct assertion *a, const struct answer *ans, char *got)
{
	size_t n = ans->body ? ans->body_len : 0, from = a->predicate->test == test_ends && n > SHOWN / 2 ? n - SHOWN / 2 : 0;
	char part[SHOWN + 8];

	got_text(part, sizeof(part), n ? ans->body + from : "", n - from);
	text_format(got, ASSERT_TEXT, from ? "%zu bytes, the last: %s" : "%zu bytes: %s", n, part);
	if (!n)
		return;
	if (a->negate)
		show_forbidden(a, ans, got);
	else if (a->predicate->test == test_matches)
		show_near_pattern(a, ans, got);
	else if (a->predicate->test == test_contains)
		show_near_part(a, ans, got);
	else if (a->predicate->test == test_starts || a->predicate->test == test_equal)
		show_difference(a, ans, got);
}

/* ---- paths ---- */

void got_json_place(const struct assertion *a, const struct answer *ans, bool found, char *got)
{
	size_t off, len, n = place_json(ans->body, ans->body_len, a->q.path, &off);
	struct place p = at(ans, off);
	const char *path = jsonpath_text(a->q.path, n, &len);
	char name[48], part[48];
	size_t rest = off < ans->body_len ? ans->body_len - off : 0;

	if (found && jsonpath_singular(a->q.path)) {
		got_add(got, " (line %zu, column %zu)", p.line, p.col);
		return;
	}
	got_text(part, sizeof(part), ans->body + off, rest < 24 ? rest : 24);
	text_printable(name, sizeof(name), path, len);
	if (found)
		got_add(got, "; below %s (line %zu, column %zu)", name, p.line, p.col);
	else
		got_add(got, "; %s is %s (line %zu, column %zu)", name, part, p.line, p.col);
}

void got_xpath_place(const struct assertion *a, struct answer *ans, char *got)
{
	struct xdoc *d = answer_document(ans);
	const char *from;
	long line;
	size_t n = d ? xpath_deepest(a->q.xpath, d, &from, &line) : 0;
	char part[SHOWN + 8];

	if (!n)
		return;
	got_text(part, sizeof(part), from, n);
	got_add(got, line ? "; %s is there (line %ld)" : "; %s is there", part, line);
}
