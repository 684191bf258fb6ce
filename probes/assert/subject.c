/* SPDX-License-Identifier: MIT
 * subject.c - the table of subjects, how each is read from a line, and the values of those that have one. */
#include "probes/assert/subject.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/assert/answer.h"
#include "probes/assert/jsonpath.h"
#include "probes/assert/regex.h"
#include "switchd/base/clock.h"
#include "switchd/base/text.h"
#include "switchd/io/certificate.h"

enum certificate_part { CERT_SUBJECT, CERT_ISSUER, CERT_START, CERT_EXPIRE, CERT_SERIAL, CERT_NAMES, N_CERT_PARTS };
static const char *const cert_parts[N_CERT_PARTS] = { "Subject", "Issuer", "Start-Date", "Expire-Date", "Serial-Number", "Subject-Alt-Name" };

static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* ---- reading ---- */

/* At the quote of what stands behind the subject. */
static json_t *argument(struct scan *s, const char *sentence)
{
	scan_space(s);
	if (scan_peek(s) == '"')
		return scan_string(s);
	scan_fail(s, s->at, "%s", sentence);
	return NULL;
}

static bool read_header(struct scan *s, struct query *q)
{
	scan_space(s);
	size_t at = s->at;
	json_t *name = argument(s, "header takes a name in quotes: header \"Content-Type\" exists");

	if (!name)
		return false;
	const char *text = json_string_value(name);
	bool ok = *text && strspn(text, token) == json_string_length(name);

	if (ok)
		q->name = xstrdup(text);
	json_decref(name);
	return ok || scan_fail(s, at, "not the name of a header");
}

/* One of the words, or what was meant. */
static bool read_part(struct scan *s, size_t at, const char *word, const char *const *parts, size_t n, const char *what, int *out)
{
	char list[160] = "";
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(word, parts[i]) == 0) {
			*out = (int)i;
			return true;
		}
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "", parts[i]);
	}
	const char *near = text_nearest(word, parts, n);
	char shown[40];

	text_printable(shown, sizeof(shown), word, strlen(word));
	return near ? scan_fail(s, at, "%s has no \"%s\" (did you mean \"%s\"?)", what, shown, near)
		    : scan_fail(s, at, "%s has no \"%s\"; it has %s", what, shown, list);
}

/* "sid" or "sid[Path]" */
static bool read_cookie(struct scan *s, struct query *q)
{
	scan_space(s);
	size_t at = s->at;
	json_t *text = argument(s, "cookie takes a name in quotes: cookie \"sid\" exists, cookie \"sid[Path]\" == \"/\"");
	char part[40];

	if (!text)
		return false;
	const char *name = json_string_value(text);
	size_t whole = json_string_length(text), n = strspn(name, token);
	bool ok = n > 0 && (n == whole || (name[n] == '[' && name[whole - 1] == ']' && strlen(name) == whole));

	if (!ok)
		scan_fail(s, at, "not the name of a cookie: \"sid\", or with an attribute \"sid[Path]\"");
	if (ok && n < whole) {
		text_copy_n(part, sizeof(part), name + n + 1, whole - n - 2);
		ok = read_part(s, scan_offset(s->line, at, n + 1), part, cookie_parts, N_COOKIE_PARTS, "a cookie", &q->part);
	}
	if (ok) {
		q->name = xcalloc(1, n + 1);
		memcpy(q->name, name, n);
	}
	json_decref(text);
	return ok;
}

static bool read_certificate(struct scan *s, struct query *q)
{
	scan_space(s);
	size_t at = s->at;
	json_t *text = argument(s, "certificate takes a field in quotes: certificate \"Expire-Date\" daysAfterNow > 14");

	if (!text)
		return false;
	bool ok = read_part(s, at + 1, json_string_value(text), cert_parts, N_CERT_PARTS, "a certificate", &q->part);

	json_decref(text);
	return ok;
}

static bool read_jsonpath(struct scan *s, struct query *q)
{
	scan_space(s);
	size_t at = s->at, off;
	char why[128];
	json_t *text = argument(s, "jsonpath takes a path in quotes: jsonpath \"$.name\" exists");

	if (!text)
		return false;
	q->path = jsonpath_compile(json_string_value(text), json_string_length(text), why, sizeof(why), &off);
	json_decref(text);
	return q->path || scan_fail(s, scan_offset(s->line, at, off), "jsonpath: %s", why);
}

static bool read_xpath(struct scan *s, struct query *q)
{
	scan_space(s);
	size_t at = s->at, off;
	char why[160];
	json_t *text = argument(s, "xpath takes an expression in quotes: xpath \"//table//tr\" count > 1");

	if (!text)
		return false;
	q->xpath = xpath_compile(json_string_value(text), json_string_length(text), why, sizeof(why), &off);
	json_decref(text);
	return q->xpath || scan_fail(s, scan_offset(s->line, at, off), "%s", why);
}

static bool read_regex(struct scan *s, struct query *q)
{
	scan_space(s);
	q->pattern = scan_pattern(s, "regex");
	return q->pattern != NULL;
}

const struct subject_info subjects[N_SUBJECTS] = {
	[SUB_STATUS] = { "status", NULL, OUT_STATUS, "status == 200", "the status code; a class such as 2xx with == and !=, or alone" },
	[SUB_HEADER] = { "header", read_header, OUT_HEADER, "header \"Content-Type\" contains \"json\"",
			 "a header; where it comes several times it holds when one of them does" },
	[SUB_COOKIE] = { "cookie", read_cookie, OUT_HEADER, "cookie \"sid[SameSite]\" == \"Lax\"",
			 "a cookie that the answer sets, or its Value, Expires, Max-Age, Domain, Path, Secure, HttpOnly, SameSite" },
	[SUB_BODY] = { "body", NULL, OUT_BODY, "body contains \"Total\"", "the body as text" },
	[SUB_BYTES] = { "bytes", NULL, OUT_BODY, "bytes count >= 100", "the body as bytes, compared with hex,...;" },
	[SUB_SHA256] = { "sha256", NULL, OUT_BODY, "sha256 == hex,e3b0c442...;", "the SHA-256 of the body, 64 hexadecimal digits" },
	[SUB_JSONPATH] = { "jsonpath", read_jsonpath, OUT_JSON, "jsonpath \"$.quotes\" count >= 1",
			   "a place in a JSON body (RFC 9535 without filters)" },
	[SUB_XPATH] = { "xpath", read_xpath, OUT_BODY, "xpath \"//table//tr\" count > 1",
			"XPath 1.0 on an HTML or XML body: nodes, a text, a number, true or false" },
	[SUB_REGEX] = { "regex", read_regex, OUT_BODY, "regex /build (\\w+)/ == \"r42\"",
			"what the first group of a pattern matches in the body; without a group the whole match" },
	[SUB_REDIRECT] = { "redirect", NULL, OUT_REDIRECT, "redirect == \"/login\"",
			   "where a 3xx sends: as written, as a whole URL, and on the same origin as a path" },
	[SUB_URL] = { "url", NULL, OUT_REDIRECT, "url endsWith \"/login\"", "the URL that gave the answer" },
	[SUB_DURATION] = { "duration", NULL, OUT_DURATION, "duration < 300ms", "from the beginning to the last byte" },
	[SUB_CERTIFICATE] = { "certificate", read_certificate, OUT_TLS_ASSERTION, "certificate \"Expire-Date\" daysAfterNow > 14",
			      "Subject, Issuer, Start-Date, Expire-Date, Serial-Number or Subject-Alt-Name of the server's certificate" },
};

bool subject_read(struct scan *s, struct query *q)
{
	const char *words[N_SUBJECTS];
	char word[40], list[160] = "";
	size_t at = scan_word(s, word, sizeof(word)), len = 0;

	for (size_t i = 0; i < N_SUBJECTS; i++) {
		if (strcmp(word, subjects[i].word) == 0) {
			q->subject = (enum subject)i;
			return !subjects[i].read || subjects[i].read(s, q);
		}
		words[i] = subjects[i].word;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i == 0 ? "" : i == N_SUBJECTS - 1 ? " or " : ", ", words[i]);
	}
	const char *near = text_nearest(word, words, N_SUBJECTS);

	if (near)
		return scan_fail(s, at, "unknown subject \"%s\" (did you mean \"%s\"?)", word, near);
	if (!word[0])
		return scan_fail(s, at, "an empty assertion: it begins with %s", list);
	return scan_fail(s, at, "unknown subject \"%s\": an assertion begins with %s", word, list);
}

void subject_clear(struct query *q)
{
	free(q->name);
	jsonpath_free(&q->path);
	xpath_free(&q->xpath);
	regex_free(&q->pattern);
}

/* ---- values ---- */

struct value value_int(int64_t i) { return (struct value){ .kind = VAL_INT, .i = i }; }
struct value value_text(const char *s, size_t n) { return (struct value){ .kind = VAL_TEXT, .s = s ? s : "", .n = n }; }

struct value value_json(const json_t *j)
{
	struct value v = { .kind = VAL_OTHER, .json = j };

	if (json_is_integer(j)) {
		v.kind = VAL_INT;
		v.i = json_integer_value(j);
	} else if (json_is_real(j)) {
		v.kind = VAL_REAL;
		v.r = json_real_value(j);
	} else if (json_is_string(j)) {
		v.kind = VAL_TEXT;
		v.s = json_string_value(j);
		v.n = json_string_length(j);
	} else if (json_is_boolean(j)) {
		v.kind = VAL_BOOL;
		v.i = json_is_true(j);
	}
	return v;
}

struct value value_xpath(const struct xpath_result *r)
{
	switch (r->kind) {
	case XP_TEXT:
		return value_text(r->text, r->len);
	case XP_BOOLEAN:
		return (struct value){ .kind = VAL_BOOL, .i = r->boolean };
	case XP_NUMBER:
		/* XPath has one kind of number; a whole one is an integer to whoever asks. */
		if (fabs(r->number) < 9007199254740992.0 && r->number == floor(r->number))
			return value_int((int64_t)r->number);
		return (struct value){ .kind = VAL_REAL, .r = r->number };
	case XP_NODES:
		break;
	}
	return (struct value){ .kind = VAL_NODES, .i = (int64_t)r->n, .s = r->text ? r->text : "", .n = r->len };
}

static enum taken missing(char *why, size_t size, const char *text)
{
	text_copy(why, size, text);
	return TAKEN_NONE;
}

static enum taken take_cookie(const struct query *q, const struct answer *a, struct value *v, char *why, size_t size)
{
	struct field f;
	char digits[24];
	uint64_t seconds;

	switch (answer_cookie(a, q->name, (enum cookie_part)q->part, &f)) {
	case COOKIE_NONE:
		text_format(why, size, "the answer sets no cookie %.80s", q->name);
		return TAKEN_NONE;
	case COOKIE_NO_PART:
		text_format(why, size, "the cookie %.80s has no %s", q->name, cookie_parts[q->part]);
		return TAKEN_NONE;
	case COOKIE_THERE:
		break;
	}
	*v = value_text(f.s, f.n);
	if (q->part != COOKIE_MAX_AGE)
		return TAKEN;
	bool minus = f.n && f.s[0] == '-';

	if (text_copy_n(digits, sizeof(digits), f.s + minus, f.n - minus) && text_u64(digits, &seconds) && seconds <= INT64_MAX)
		*v = value_int(minus ? -(int64_t)seconds : (int64_t)seconds);
	return TAKEN;
}

static struct value date_value(int64_t seconds, char scratch[TAKE_TEXT])
{
	char text[WALL_TEXT];

	wall_text((wall_ms){ seconds * 1000 }, text);
	text_format(scratch, TAKE_TEXT, "%.19sZ", text);        /* whole seconds, as certificates have them */
	return value_text(scratch, strlen(scratch));
}

static enum taken take_certificate(const struct query *q, const struct answer *a, struct value *v, char scratch[TAKE_TEXT], char *why, size_t size)
{
	const struct certificate *c = a->cert;

	if (!c)
		return missing(why, size, "no certificate: the answer did not come by TLS");
	const char *texts[N_CERT_PARTS] = { [CERT_SUBJECT] = c->subject, [CERT_ISSUER] = c->issuer, [CERT_SERIAL] = c->serial,
					    [CERT_NAMES] = c->names };

	*v = texts[q->part] ? value_text(texts[q->part], strlen(texts[q->part]))
			    : date_value(q->part == CERT_START ? c->not_before : c->not_after, scratch);
	return TAKEN;
}

static enum taken take_regex(const struct query *q, const struct answer *a, struct value *v, char *why, size_t size)
{
	const char *body = a->body ? a->body : "";
	struct regex_span at;

	switch (regex_find(q->pattern, body, a->body ? a->body_len : 0, &at)) {
	case RE_COSTLY:
		text_copy(why, size, "the pattern reached its limits on this body");
		return TAKEN_COSTLY;
	case RE_NO:
		return missing(why, size, "no match in the body");
	case RE_YES:
		break;
	}
	*v = value_text(body + at.from, at.to - at.from);
	return TAKEN;
}

enum taken subject_take(const struct query *q, const struct answer *a, struct value *v, char scratch[TAKE_TEXT], char *why, size_t why_size)
{
	switch (q->subject) {
	case SUB_COOKIE:
		return take_cookie(q, a, v, why, why_size);
	case SUB_CERTIFICATE:
		return take_certificate(q, a, v, scratch, why, why_size);
	case SUB_REGEX:
		return take_regex(q, a, v, why, why_size);
	case SUB_URL:
		if (!a->url || !a->url[0])
			return missing(why, why_size, "no URL");
		*v = value_text(a->url, strlen(a->url));
		return TAKEN;
	default:
		never("a subject that has more than one value");
	}
}
