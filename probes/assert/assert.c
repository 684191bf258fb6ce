/* SPDX-License-Identifier: MIT
 * assert.c - check an assertion on an answer. */
#include "probes/assert/assert.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "probes/assert/answer.h"
#include "probes/assert/date.h"
#include "probes/assert/jsonpath.h"
#include "probes/assert/predicate.h"
#include "probes/assert/got.h"
#include "switchd/base/text.h"

enum { SHOWN_VALUE = 100 };     /* what is left of ASSERT_TEXT is for its place */

bool assert_is_duration(const struct assertion *a) { return a->q.subject == SUB_DURATION; }
bool assert_is_status(const struct assertion *a) { return a->q.subject == SUB_STATUS; }
bool assert_is_redirect(const struct assertion *a) { return a->q.subject == SUB_REDIRECT && !(a->negate && a->predicate->test == test_exists); }
bool assert_wants_cert(const struct assertion *a) { return a->q.subject == SUB_CERTIFICATE; }

static enum holds turn(const struct assertion *a, enum holds h) { return !a->negate || h > FAILS ? h : h == HOLDS ? FAILS : HOLDS; }

/* `exists` is the one predicate that can say something about nothing. */
static enum holds absent_value(const struct assertion *a)
{
	if (a->predicate->test != test_exists)
		return UNFIT;
	return a->negate ? HOLDS : FAILS;
}

/* Whole days from now to the date, or the other way round. False: it is no date. */
static bool count_days(const struct assertion *a, const struct answer *ans, struct value *v)
{
	int64_t at, ahead;

	if (v->kind != VAL_TEXT || !date_any(v->s, v->n, &at))
		return false;
	ahead = at * 1000 - answer_now_ms(ans);
	if (a->filter == FILTER_DAYS_BEFORE)
		ahead = -ahead;
	*v = value_int(ahead / 86400000 - (ahead < 0 && ahead % 86400000 != 0));
	return true;
}

static bool of_days(const struct assertion *a) { return a->filter == FILTER_DAYS_AFTER || a->filter == FILTER_DAYS_BEFORE; }

/* One value, `not` left aside. */
static enum holds test_plain(const struct assertion *a, const struct answer *ans, struct value *v)
{
	if (of_days(a) && !count_days(a, ans, v))
		return UNFIT;
	return a->predicate->test(a, v);
}

static enum holds test_value(const struct assertion *a, const struct answer *ans, struct value *v) { return turn(a, test_plain(a, ans, v)); }

static enum holds test_number(const struct assertion *a, const struct answer *ans, int64_t n, char *got)
{
	struct value v = value_int(n);
	enum holds h = test_value(a, ans, &v);

	if (h != HOLDS)
		text_format(got, ASSERT_TEXT, "count %" PRId64, n);
	return h;
}

/* A value for people, with its days where it was asked for them. */
static void show_days(const struct assertion *a, const struct answer *ans, const struct value *v, char *got)
{
	struct value days = *v;

	got_value(got, SHOWN_VALUE, v);
	if (of_days(a) && count_days(a, ans, &days))
		got_add(got, ", %" PRId64 " days %s now", days.i, a->filter == FILTER_DAYS_AFTER ? "after" : "before");
	else if (of_days(a))
		got_add(got, " is not a date");
}

/* ---- the head ---- */

/* A session cookie is a key to somebody's data. */
static bool is_secret(const struct assertion *a)
{
	return a->q.subject == SUB_COOKIE ? a->q.part == COOKIE_VALUE : a->q.subject == SUB_HEADER && strcasecmp(a->q.name, "Set-Cookie") == 0;
}

static void show_secret(const struct value *v, char *got) { text_format(got, ASSERT_TEXT, "*** (%zu bytes, not shown)", v->n); }

/* A header may come more than once: it holds when one of them does. */
static enum holds check_header(const struct assertion *a, const struct answer *ans, char *got)
{
	size_t at = 0, n = 0;
	struct field f;
	struct value shown = { 0 };
	enum holds h = FAILS;

	while (h != HOLDS && h != COSTLY && answer_field(ans, a->q.name, &at, &f)) {
		struct value v = value_text(f.s, f.n), tested = v;

		n++;
		if (a->filter == FILTER_COUNT)
			continue;
		h = a->predicate->test == test_includes ? (value_equal(&v, a->operand) ? HOLDS : FAILS) : test_plain(a, ans, &tested);
		if (n == 1 || h == HOLDS)
			shown = v;
	}
	if (a->filter == FILTER_COUNT)
		return test_number(a, ans, (int64_t)n, got);
	if (!n) {
		text_format(got, ASSERT_TEXT, "no header %.100s", a->q.name);
		return absent_value(a);
	}
	if (turn(a, h) == HOLDS)
		return HOLDS;
	if (is_secret(a))
		show_secret(&shown, got);
	else
		show_days(a, ans, &shown, got);
	if (n > 1 && h != HOLDS)
		got_add(got, " and %zu more", n - 1);
	return turn(a, h);
}

/* Subjects of one text, or none. */
static enum holds check_text(const struct assertion *a, const struct answer *ans, char *got)
{
	struct value v, tested;
	char scratch[TAKE_TEXT];
	enum taken t = subject_take(&a->q, ans, &v, scratch, got, ASSERT_TEXT);

	if (t != TAKEN)
		return t == TAKEN_COSTLY ? COSTLY : absent_value(a);
	tested = v;
	enum holds h = test_value(a, ans, &tested);

	if (h == HOLDS)
		return h;
	if (is_secret(a))
		show_secret(&v, got);
	else
		show_days(a, ans, &v, got);
	return h;
}

/* "https://shop.test:8443/login?x" -> "/login?x", where both have the same origin; NULL when not. */
static const char *path_of(const char *location, const char *url)
{
	const char *host = url ? strstr(url, "://") : NULL;

	if (!host || !strstr(location, "://"))
		return NULL;
	size_t origin = (size_t)(host - url) + 3 + strcspn(host + 3, "/?#");

	if (strncasecmp(location, url, origin) != 0 || !strchr("/?#", location[origin]))
		return NULL;
	return location[origin] == '/' ? location + origin : "/";
}

/* It holds when it does for one of the ways to write the same place. */
static enum holds check_redirect(const struct assertion *a, const struct answer *ans, char *got)
{
	const char *whole = ans->location && ans->location[0] ? ans->location : NULL;
	struct field f = { NULL, 0 };
	size_t at = 0;
	bool written = answer_field(ans, "Location", &at, &f);
	const char *path = whole ? path_of(whole, ans->url) : NULL;
	struct value ways[3];
	size_t n = 0;
	enum holds h = FAILS;

	if (ans->status / 100 == 3 && written)
		ways[n++] = value_text(f.s, f.n);
	if (ans->status / 100 == 3 && whole)
		ways[n++] = value_text(whole, strlen(whole));
	if (ans->status / 100 == 3 && path)
		ways[n++] = value_text(path, strlen(path));
	if (!n) {
		text_format(got, ASSERT_TEXT, "no redirect: status %ld", ans->status);
		return absent_value(a);
	}
	for (size_t i = 0; i < n && h != HOLDS && h != COSTLY; i++)
		h = a->predicate->test(a, &ways[i]);
	if (turn(a, h) != HOLDS)
		got_value(got, ASSERT_TEXT, &ways[0]);
	return turn(a, h);
}

/* ---- the body ---- */

static enum holds check_body(const struct assertion *a, const struct answer *ans, char *got)
{
	struct value v = value_text(ans->body, ans->body ? ans->body_len : 0);
	enum holds h = turn(a, a->predicate->test(a, &v));

	if (h != HOLDS && h != COSTLY) /* nobody reads what it got else: most probes of most features end here */
		got_body(a, ans, got);
	return h;
}

static void show_hex(char *out, size_t size, const unsigned char *s, size_t n)
{
	text_copy(out, size, "hex,");
	for (size_t i = 0; i < n; i++)
		text_format(out + 4 + 2 * i, size - 4 - 2 * i, "%02x", s[i]);
	text_copy(out + 4 + 2 * n, size - 4 - 2 * n, ";");
}

static enum holds check_bytes(const struct assertion *a, const struct answer *ans, char *got)
{
	enum { FIRST = 32 };
	size_t n = ans->body ? ans->body_len : 0, shown = n < FIRST ? n : FIRST;
	struct value v = value_text(ans->body, n);
	char hex[2 * FIRST + 8];

	if (a->filter == FILTER_COUNT)
		return test_number(a, ans, (int64_t)n, got);
	enum holds h = test_value(a, ans, &v);

	if (h == HOLDS)
		return h;
	bool last = a->predicate->test == test_ends;

	show_hex(hex, sizeof(hex), n ? (const unsigned char *)ans->body + (last ? n - shown : 0) : NULL, shown);
	text_format(got, ASSERT_TEXT, shown == n ? "%zu bytes: %s" : last ? "%zu bytes, the last: %s" : "%zu bytes, the first: %s", n, hex);
	return h;
}

static enum holds check_sha256(const struct assertion *a, const struct answer *ans, char *got)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	must(EVP_Digest(ans->body ? ans->body : "", ans->body ? ans->body_len : 0, sum, &n, EVP_sha256(), NULL) == 1);
	struct value v = value_text((const char *)sum, n);
	enum holds h = test_value(a, ans, &v);

	if (h != HOLDS)
		show_hex(got, ASSERT_TEXT, sum, n);
	return h;
}

/* ---- JSON ---- */

struct found {
	const struct assertion *a;
	json_t *first;
	size_t n;
	bool has;                       /* one of several is the operand */
};

static bool has_item(const struct assertion *a) { return a->predicate->test == test_contains || a->predicate->test == test_includes; }

static bool found_one(void *arg, json_t *node)
{
	struct found *f = arg;

	if (f->n++ == 0)
		f->first = node;
	if (has_item(f->a) && f->a->operand && !f->has) {
		struct value v = value_json(node);

		f->has = value_equal(&v, f->a->operand);
	}
	return true;
}

static enum holds count_found(const struct assertion *a, const struct answer *ans, const struct found *f, char *got)
{
	int64_t n = (int64_t)f->n;

	if (jsonpath_singular(a->q.path)) {
		if (!json_is_array(f->first) && !json_is_object(f->first)) {
			struct value v = value_json(f->first);

			got_value(got, SHOWN_VALUE, &v);
			return UNFIT;
		}
		n = (int64_t)(json_is_array(f->first) ? json_array_size(f->first) : json_object_size(f->first));
	}
	return test_number(a, ans, n, got);
}

static enum holds test_found(const struct assertion *a, struct answer *ans, const struct found *f, char *got)
{
	bool singular = jsonpath_singular(a->q.path);

	if (a->filter == FILTER_COUNT && (f->n || !singular))
		return count_found(a, ans, f, got);
	if (!f->n) {
		text_copy(got, ASSERT_TEXT, "nothing there");
		return absent_value(a);
	}
	struct value v = value_json(f->first), tested = v;
	enum holds h = singular || f->n == 1 || a->predicate->test == test_exists ? test_value(a, ans, &tested) : UNFIT;

	if (!singular && has_item(a))
		h = turn(a, f->has ? HOLDS : FAILS);
	if (h == HOLDS)
		return h;
	if (!singular && f->n > 1 && !has_item(a) && a->predicate->test != test_exists)
		text_format(got, ASSERT_TEXT, "%zu values where one is wanted", f->n);
	else
		show_days(a, ans, &v, got);
	return h;
}

static enum holds check_json(const struct assertion *a, struct answer *ans, char *got)
{
	struct found f = { .a = a };
	json_t *root = answer_parsed(ans);

	if (!root) {
		text_format(got, ASSERT_TEXT, "not JSON: %s", ans->json_error);
		return UNFIT;
	}
	if (jsonpath_walk(a->q.path, root, found_one, &f) == JP_COSTLY) {
		text_format(got, ASSERT_TEXT, "the path walks too much of this body");
		return COSTLY;
	}
	enum holds h = test_found(a, ans, &f, got);

	if (h != HOLDS && h != COSTLY)
		got_json_place(a, ans, f.n > 0, got);
	return h;
}

/* ---- HTML and XML ---- */

static bool same_text(void *arg, const char *text, size_t len)
{
	struct found *f = arg;
	struct value v = value_text(text, len);

	f->has = value_equal(&v, f->a->operand);
	return !f->has;
}

static enum holds test_nodes(const struct assertion *a, struct answer *ans, const struct xpath_result *r, char *got)
{
	struct value v = value_xpath(r);
	struct found f = { .a = a };

	if (a->filter == FILTER_COUNT)
		return test_number(a, ans, v.i, got);
	if (a->predicate->test == test_includes) {
		enum xpath_outcome o = xpath_each(a->q.xpath, answer_document(ans), same_text, &f, got, ASSERT_TEXT);

		return o == XPATH_COSTLY ? COSTLY : o != XPATH_OK ? UNFIT : turn(a, f.has ? HOLDS : FAILS);
	}
	if (a->predicate->test == test_exists)
		return r->n ? turn(a, HOLDS) : absent_value(a);
	if (a->predicate->takes == TAKES_NOTHING && a->predicate->test != test_date)
		return test_value(a, ans, &v);  /* isEmpty, isList...: about the nodes themselves */
	if (r->n != 1)
		return UNFIT;
	v = value_text(r->text, r->len);        /* one node is its text */
	return test_value(a, ans, &v);
}

static enum holds check_xpath(const struct assertion *a, struct answer *ans, char *got)
{
	struct xpath_result r;
	struct xdoc *d = answer_document(ans);
	enum holds h;

	if (!d) {
		text_format(got, ASSERT_TEXT, "%s", ans->doc_error);
		return ans->doc_costly ? COSTLY : UNFIT;
	}
	got[0] = '\0';
	enum xpath_outcome o = xpath_eval(a->q.xpath, d, &r, got, ASSERT_TEXT);

	if (o != XPATH_OK) {
		xpath_clear(&r);
		return o == XPATH_COSTLY ? COSTLY : UNFIT;
	}
	if (r.kind == XP_NODES) {
		h = test_nodes(a, ans, &r, got);
	} else if (a->filter == FILTER_COUNT || a->predicate->test == test_includes) {
		h = UNFIT;
	} else {
		struct value v = value_xpath(&r);

		h = test_value(a, ans, &v);
	}
	if (h != HOLDS && h != COSTLY) {
		struct value v = value_xpath(&r);

		if (!got[0])
			show_days(a, ans, &v, got);
		if (r.line)
			got_add(got, " (line %ld)", r.line);
		else if (r.kind == XP_NODES || (r.kind == XP_TEXT && !r.len))
			got_xpath_place(a, ans, got);
	}
	xpath_clear(&r);
	return h;
}

/* ---- all of them ---- */

static enum holds check_number(const struct assertion *a, const struct answer *ans, char *got)
{
	struct value v = value_int(a->q.subject == SUB_STATUS ? ans->status : ans->total_us);
	enum holds h = turn(a, a->predicate->test(a, &v));

	if (h == HOLDS)
		return h;
	if (a->q.subject == SUB_STATUS)
		text_format(got, ASSERT_TEXT, "%ld", ans->status);
	else
		text_format(got, ASSERT_TEXT, "%" PRId64 ".%" PRId64 "ms", v.i / 1000, v.i % 1000 / 100);
	return h;
}

static enum holds check(const struct assertion *a, struct answer *ans, char *got)
{
	switch (a->q.subject) {
	case SUB_STATUS:
	case SUB_DURATION:
		return check_number(a, ans, got);
	case SUB_BODY:
		return check_body(a, ans, got);
	case SUB_HEADER:
		return check_header(a, ans, got);
	case SUB_JSONPATH:
		return check_json(a, ans, got);
	case SUB_XPATH:
		return check_xpath(a, ans, got);
	case SUB_BYTES:
		return check_bytes(a, ans, got);
	case SUB_SHA256:
		return check_sha256(a, ans, got);
	case SUB_REDIRECT:
		return check_redirect(a, ans, got);
	default:
		return check_text(a, ans, got);
	}
}

enum outcome assert_check(const struct assertion *a, struct answer *ans, char want[ASSERT_TEXT], char got[ASSERT_TEXT])
{
	enum holds h = check(a, ans, got);

	if (h == HOLDS) {
		want[0] = got[0] = '\0';
		return OUT_PRESENT;
	}
	text_printable(want, ASSERT_TEXT, a->line, strlen(a->line));
	if (h == COSTLY && a->pattern)
		text_copy(got, ASSERT_TEXT, "the pattern reached its limits on this body");
	return h == COSTLY ? OUT_PATTERN_COSTLY : subjects[a->q.subject].outcome;
}
