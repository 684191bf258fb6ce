/* SPDX-License-Identifier: MIT
 * assert.c - check an assertion on an answer. */
#include "probes/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "probes/jsonpath.h"
#include "probes/predicate.h"
#include "switchd/base/text.h"

static const enum outcome outcomes[N_SUBJECTS] = { OUT_STATUS, OUT_HEADER, OUT_BODY, OUT_JSON, OUT_DURATION };

bool assert_is_duration(const struct assertion *a) { return a->subject == SUB_DURATION; }
bool assert_is_status(const struct assertion *a) { return a->subject == SUB_STATUS; }

/* jansson's sentence without the foreign bytes it quotes. */
const char *json_reason(const json_error_t *e, char *out, size_t size)
{
	const char *near = strstr(e->text, " near ");

	text_printable(out, size, e->text, near ? (size_t)(near - e->text) : strlen(e->text));
	return out;
}

json_t *answer_parsed(struct answer *ans)
{
	const char *s = ans->body ? ans->body : "";
	size_t n = ans->body ? ans->body_len : 0;
	size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_error_t e;
	char why[96];

	if (ans->json_tried)
		return ans->json;
	ans->json_tried = true;
	if (n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
		s += 3;
		n -= 3;
	}
	if (!n) {
		TEXT_COPY(ans->json_error, "the body is empty");
		return NULL;
	}
	ans->json = json_loadb(s, n, flags, &e);
	/* Integers of more than 64 bits are JSON too. */
	if (!ans->json && json_error_code(&e) == json_error_numeric_overflow)
		ans->json = json_loadb(s, n, flags | JSON_DECODE_INT_AS_REAL, &e);
	if (!ans->json)
		TEXT_FORMAT(ans->json_error, "line %d col %d: %s", e.line, e.column, json_reason(&e, why, sizeof(why)));
	return ans->json;
}

void answer_clear(struct answer *ans)
{
	json_decref(ans->json);
	ans->json = NULL;
	ans->json_tried = false;
	ans->json_error[0] = '\0';
}

/* One line, in quotes, escaped, cut with three dots. */
static void show_text(char *out, size_t size, const char *s, size_t n)
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

static void show_value(char *out, size_t size, const struct value *v)
{
	struct dump d = { .len = 0 };
	char clean[ASSERT_TEXT];

	if (v->kind == VAL_TEXT) {
		show_text(out, size, v->s, v->n);
	} else if (v->kind == VAL_INT) {
		text_format(out, size, "%" PRId64, v->i);
	} else if (json_dump_callback(v->json, dump_some, &d, JSON_COMPACT | JSON_ENCODE_ANY) == 0) {
		text_printable(out, size, d.text, d.len);
	} else {
		text_printable(clean, sizeof(clean) - 4, d.text, d.len);
		text_format(out, size, "%s...", clean);
	}
}

/* `exists` is the one predicate that can say something about nothing. */
static enum holds absent_value(const struct assertion *a)
{
	if (a->predicate->test != test_exists)
		return UNFIT;
	return a->negate ? HOLDS : FAILS;
}

static enum holds test_value(const struct assertion *a, const struct value *v)
{
	enum holds h = a->predicate->test(a, v);

	return !a->negate || h == UNFIT || h == COSTLY ? h : h == HOLDS ? FAILS : HOLDS;
}

/* The next field of that name in a raw header block. */
static bool next_header(const struct answer *ans, const char *name, size_t *at, struct value *v)
{
	size_t n = strlen(name);

	while (ans->head && *at < ans->head_len) {
		const char *line = ans->head + *at, *end = memchr(line, '\n', ans->head_len - *at);
		size_t len = end ? (size_t)(end - line) : ans->head_len - *at;

		*at += len + 1;
		if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
			continue;
		const char *s = line + n + 1;

		end = line + len;
		while (s < end && (*s == ' ' || *s == '\t'))
			s++;
		while (end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
			end--;
		*v = value_text(s, (size_t)(end - s));
		return true;
	}
	return false;
}

/* A header may come more than once: it holds when one of them does. */
static enum holds check_header(const struct assertion *a, const struct answer *ans, char *got)
{
	size_t at = 0, n = 0;
	struct value v, shown = { 0 };
	enum holds h = FAILS;

	while (h == FAILS && next_header(ans, a->header, &at, &v)) {
		h = a->predicate->test(a, &v);
		shown = n++ ? shown : v;
		if (h == HOLDS)
			shown = v;
	}
	if (!n) {
		text_format(got, ASSERT_TEXT, "no header %.100s", a->header);
		return absent_value(a);
	}
	if (h != (a->negate ? FAILS : HOLDS))
		show_value(got, ASSERT_TEXT, &shown);
	else
		got[0] = '\0';
	if (n > 1 && h == FAILS)
		text_format(got + strlen(got), ASSERT_TEXT - strlen(got), " and %zu more", n - 1);
	return !a->negate || h > FAILS ? h : h == HOLDS ? FAILS : HOLDS;
}

struct found {
	const struct assertion *a;
	json_t *first;
	size_t n;
	bool contains;
};

static bool found_one(void *arg, json_t *node)
{
	struct found *f = arg;

	if (f->n++ == 0)
		f->first = node;
	if (f->a->predicate->test == test_contains && f->a->operand && !f->contains) {
		struct value v = value_json(node);

		f->contains = value_equal(&v, f->a->operand);
	}
	return true;
}

static enum holds check_count(const struct assertion *a, const struct found *f, char *got)
{
	struct value v = value_int((int64_t)f->n);

	if (jsonpath_singular(a->path)) {
		if (!json_is_array(f->first) && !json_is_object(f->first)) {
			v = value_json(f->first);
			show_value(got, ASSERT_TEXT, &v);
			return UNFIT;
		}
		v.i = (int64_t)(json_is_array(f->first) ? json_array_size(f->first) : json_object_size(f->first));
	}
	text_format(got, ASSERT_TEXT, "count %" PRId64, v.i);
	return test_value(a, &v);
}

static enum holds check_path(const struct assertion *a, struct answer *ans, char *got)
{
	struct found f = { .a = a };
	json_t *root = answer_parsed(ans);

	if (!root) {
		text_format(got, ASSERT_TEXT, "not JSON: %s", ans->json_error);
		return UNFIT;
	}
	if (jsonpath_walk(a->path, root, found_one, &f) == JP_COSTLY) {
		text_format(got, ASSERT_TEXT, "the path walks too much of this body");
		return COSTLY;
	}
	bool singular = jsonpath_singular(a->path);

	if (a->count && (f.n || !singular))
		return check_count(a, &f, got);
	if (!f.n) {
		text_copy(got, ASSERT_TEXT, "nothing there");
		return absent_value(a);
	}
	struct value v = value_json(f.first);
	enum holds h = singular ? test_value(a, &v) : FAILS;

	if (h == HOLDS)
		return h;
	show_value(got, ASSERT_TEXT, &v);
	if (!singular && a->predicate->test == test_contains)
		return f.contains != a->negate ? HOLDS : FAILS;
	if (!singular && f.n > 1 && a->predicate->test != test_exists) {
		text_format(got, ASSERT_TEXT, "%zu values where one is wanted", f.n);
		return UNFIT;
	}
	return singular ? h : test_value(a, &v);
}

static enum holds check_body(const struct assertion *a, const struct answer *ans, char *got)
{
	struct value v = value_text(ans->body, ans->body ? ans->body_len : 0);
	char part[ASSERT_TEXT - 32];
	enum holds h = test_value(a, &v);

	if (h == HOLDS) /* nobody reads what it got then: most probes of most features end here */
		return h;
	show_text(part, sizeof(part), v.s, v.n);
	text_format(got, ASSERT_TEXT, "%zu bytes: %s", v.n, part);
	return h;
}

static enum holds check_number(const struct assertion *a, const struct answer *ans, char *got)
{
	struct value v = value_int(a->subject == SUB_STATUS ? ans->status : ans->total_us);

	enum holds h = test_value(a, &v);

	if (h == HOLDS)
		return h;
	if (a->subject == SUB_STATUS)
		text_format(got, ASSERT_TEXT, "%ld", ans->status);
	else
		text_format(got, ASSERT_TEXT, "%" PRId64 ".%" PRId64 "ms", v.i / 1000, v.i % 1000 / 100);
	return h;
}

enum outcome assert_check(const struct assertion *a, struct answer *ans, char want[ASSERT_TEXT], char got[ASSERT_TEXT])
{
	enum holds h = a->subject == SUB_HEADER ? check_header(a, ans, got) : a->subject == SUB_BODY ? check_body(a, ans, got) :
		       a->subject == SUB_JSONPATH ? check_path(a, ans, got) : check_number(a, ans, got);

	if (h == HOLDS) {
		want[0] = got[0] = '\0';
		return OUT_PRESENT;
	}
	text_printable(want, ASSERT_TEXT, a->line, strlen(a->line));
	if (h == COSTLY && a->pattern)
		text_copy(got, ASSERT_TEXT, "the pattern reached its limits on this body");
	return h == COSTLY ? OUT_PATTERN_COSTLY : outcomes[a->subject];
}
