/* SPDX-License-Identifier: MIT
 * assert_line.c - compile an assertion line, with a sentence and a column for what is wrong. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/assert.h"
#include "probes/jsonpath.h"
#include "probes/predicate.h"
#include "probes/regex.h"
#include "switchd/base/text.h"

enum { MAX_WORDS = 32 };        /* predicates of one subject, "not" and "count" */
static const char *const subjects[N_SUBJECTS] = { "status", "header", "body", "jsonpath", "duration" };

struct scan {
	const char *line;
	size_t at;
	struct assertion *a;
	char *err; size_t err_size; int *err_col;
};

static bool fail(struct scan *s, size_t where, const char *fmt, ...) PRINTF(3, 4);

static bool fail(struct scan *s, size_t where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->err, s->err_size, fmt, ap);
	va_end(ap);
	*s->err_col = (int)where;
	return false;
}

static char peek(const struct scan *s) { return s->line[s->at]; }
static void skip_space(struct scan *s) { s->at += strspn(s->line + s->at, " \t"); }
static bool one_of(char c, const char *set) { return c && strchr(set, c); }
static bool word_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; }

/* A word, an operator, or one odd character; "" at the end.  Cut for messages. */
static size_t read_word(struct scan *s, char *out, size_t size)
{
	skip_space(s);
	size_t start = s->at;

	if (one_of(peek(s), "=!<>~"))
		s->at += strspn(s->line + s->at, "=!<>~");
	else if (word_char(peek(s)))
		while (word_char(peek(s)))
			s->at++;
	else if (peek(s))
		s->at++;
	text_printable(out, size, s->line + start, s->at - start);
	return start;
}

/* "..." with the escapes of JSON. */
static json_t *read_string(struct scan *s)
{
	size_t start = s->at, end = start + 1;
	json_error_t e;
	char why[96];

	while (s->line[end] && s->line[end] != '"')
		end += s->line[end] == '\\' && s->line[end + 1] ? 2 : 1;
	if (s->line[end] != '"') {
		fail(s, start, "the text in quotes does not end");
		return NULL;
	}
	s->at = end + 1;
	json_t *j = json_loadb(s->line + start, s->at - start, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);

	if (!j)
		fail(s, start, "in the quoted text: %s%s", json_reason(&e, why, sizeof(why)),
		     strstr(e.text, "escape") ? " (write \\\\ for a backslash)" : "");
	return j;
}

/* Where in the line the off-th byte of a decoded string stands. */
static size_t offset_in_quotes(const char *line, size_t quote, size_t off)
{
	size_t at = quote + 1;

	for (size_t seen = 0; seen < off && line[at] && line[at] != '"';) {
		unsigned c;

		if (line[at] != '\\') {
			seen++;
			at++;
		} else if (line[at + 1] == 'u' && sscanf(line + at + 2, "%4x", &c) == 1) {
			seen += c < 0x80 ? 1 : c < 0x800 ? 2 : c >= 0xd800 && c < 0xdc00 ? 4 : c >= 0xdc00 && c < 0xe000 ? 0 : 3;
			at += 6;
		} else {
			seen++;
			at += 2;
		}
	}
	return at;
}

static bool read_header_name(struct scan *s)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t at = s->at;
	json_t *name = read_string(s);

	if (!name)
		return false;
	const char *text = json_string_value(name);
	bool ok = *text && strspn(text, token) == json_string_length(name);

	if (ok)
		s->a->header = xstrdup(text);
	json_decref(name);
	return ok || fail(s, at, "not the name of a header");
}

static bool read_path(struct scan *s)
{
	size_t at = s->at, off;
	char why[128];
	json_t *text = read_string(s);

	if (!text)
		return false;
	s->a->path = jsonpath_compile(json_string_value(text), json_string_length(text), why, sizeof(why), &off);
	json_decref(text);
	return s->a->path || fail(s, offset_in_quotes(s->line, at, off), "jsonpath: %s", why);
}

static bool read_subject(struct scan *s)
{
	struct assertion *a = s->a;
	char word[40];
	size_t at = read_word(s, word, sizeof(word));

	if (word[0] >= '1' && word[0] <= '5' && strcmp(word + 1, "xx") == 0) {
		a->subject = SUB_STATUS;        /* "2xx" alone */
		s->at = at;
		return true;
	}
	for (a->subject = 0; a->subject < N_SUBJECTS; a->subject++)
		if (strcmp(word, subjects[a->subject]) == 0)
			break;
	if (a->subject == N_SUBJECTS) {
		const char *near = text_nearest(word, subjects, N_SUBJECTS);

		if (near)
			return fail(s, at, "unknown subject \"%s\" (did you mean \"%s\"?)", word, near);
		if (!word[0])
			return fail(s, at, "an empty assertion: it begins with status, header, body, jsonpath or duration");
		return fail(s, at, "unknown subject \"%s\": an assertion begins with status, header, body, jsonpath or duration", word);
	}
	if (a->subject != SUB_HEADER && a->subject != SUB_JSONPATH)
		return true;
	skip_space(s);
	if (peek(s) != '"')
		return fail(s, s->at, a->subject == SUB_HEADER ? "header takes a name in quotes: header \"Content-Type\" exists" :
							       "jsonpath takes a path in quotes: jsonpath \"$.name\" exists");
	return a->subject == SUB_HEADER ? read_header_name(s) : read_path(s);
}

static bool list_predicates(struct scan *s, size_t at, const char *word)
{
	const char *words[MAX_WORDS];
	char list[256] = "";
	size_t n = 0, len = 0;

	for (size_t i = 0; i < n_predicates; i++)
		if (predicates[i].on & (1u << s->a->subject))
			words[n++] = predicates[i].word;
	for (size_t i = 0; i < n && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "", words[i]);
	words[n++] = "not";
	words[n++] = "count";
	const char *near = word[0] == '=' ? "==" : text_nearest(word, words, n);

	if (!word[0])
		return fail(s, at, "the assertion ends too early: %s takes %s", subjects[s->a->subject], list);
	if (near && strcmp(near, word) != 0)
		return fail(s, at, "unknown predicate \"%s\" (did you mean \"%s\"?)", word, near);
	return fail(s, at, "%s does not take \"%s\"; it takes %s", subjects[s->a->subject], word, list);
}

static bool read_predicate(struct scan *s)
{
	struct assertion *a = s->a;
	bool negated = false;
	char word[40];
	size_t at;

	for (;;) {
		at = read_word(s, word, sizeof(word));
		if (strcmp(word, "not") == 0 && !negated)
			negated = true;
		else if (strcmp(word, "count") == 0 && a->subject == SUB_JSONPATH && !a->count)
			a->count = true;
		else
			break;
	}
	a->negate = negated;
	if (a->subject == SUB_STATUS && word[0] >= '1' && word[0] <= '5' && strcmp(word + 1, "xx") == 0) {
		a->predicate = &predicates[0];
		s->at = at;             /* the class is read again, as the operand of == */
		return true;
	}
	for (size_t i = 0; i < n_predicates; i++) {
		const struct predicate *p = &predicates[i];

		if (strcmp(word, p->word) != 0 || !(p->on & (1u << a->subject)))
			continue;
		if (a->count && p->takes != TAKES_NUMBER && p->test != test_equal)
			break;
		a->predicate = p;
		a->negate ^= p->inverse;
		return true;
	}
	if (a->count)
		return fail(s, at, "count takes ==, !=, <, <=, > or >= and a number");
	return list_predicates(s, at, word);
}

static bool read_pattern(struct scan *s)
{
	size_t at = s->at, end = at + 1, off;
	char why[160], flags[8];

	if (peek(s) == '"') {
		json_t *text = read_string(s);

		if (!text)
			return false;
		s->a->pattern = regex_compile(json_string_value(text), json_string_length(text), "", why, sizeof(why), &off);
		json_decref(text);
		return s->a->pattern || fail(s, offset_in_quotes(s->line, at, off), "%s", why);
	}
	if (peek(s) != '/')
		return fail(s, at, "matches takes a pattern between slashes: matches /EUR \\d+/");
	while (s->line[end] && s->line[end] != '/')
		end += s->line[end] == '\\' && s->line[end + 1] ? 2 : 1;
	if (!s->line[end])
		return fail(s, at, "the pattern does not end: want a closing /");
	s->at = end + 1;
	size_t n = strcspn(s->line + s->at, " \t");

	if (n >= sizeof(flags) || strspn(s->line + s->at, "ismx") < n)
		return fail(s, s->at, "after the pattern only the flags i, s, m and x may stand (a slash inside is written \\/)");
	text_copy_n(flags, sizeof(flags), s->line + s->at, n);
	s->at += n;
	s->a->pattern = regex_compile(s->line + at + 1, end - at - 1, flags, why, sizeof(why), &off);
	return s->a->pattern || fail(s, at + 1 + off, "%s", why);
}

static bool read_duration(struct scan *s)
{
	static const struct { const char *unit; int64_t us; } units[] = { { "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "m", 60000000 } };
	size_t at = s->at;
	char word[40], digits[16];
	size_t len = strcspn(s->line + at, " \t");

	text_printable(word, sizeof(word), s->line + at, len);
	s->at += len;
	size_t n = strspn(word, "0123456789");
	uint64_t count;

	if (!n || !text_copy_n(digits, sizeof(digits), word, n) || !text_u64(digits, &count))
		return fail(s, at, "want a duration such as 300ms or 2s, got \"%s\"", word);
	if (!word[n])
		return fail(s, at, "a duration needs its unit: %sms or %ss?", digits, digits);
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(word + n, units[i].unit) == 0 && count <= (uint64_t)INT64_MAX / (uint64_t)units[i].us) {
			s->a->operand = json_integer((json_int_t)count * units[i].us);
			return true;
		}
	return fail(s, at, "want a duration such as 300ms or 2s, got \"%s\"", word);
}

static bool read_status(struct scan *s)
{
	size_t at = s->at;
	char word[40];
	uint64_t code;

	read_word(s, word, sizeof(word));
	if (word[0] >= '1' && word[0] <= '5' && strcmp(word + 1, "xx") == 0) {
		if (s->a->predicate->test != test_equal)
			return fail(s, at, "a class such as 2xx is compared with == or != only");
		s->a->status_class = word[0] - '0';
		return true;
	}
	if (!text_u64(word, &code) || code < 100 || code > 599)
		return fail(s, at, "want a status from 100 to 599 or a class such as 2xx, got \"%s\"", word);
	s->a->operand = json_integer((json_int_t)code);
	return true;
}

static bool read_value(struct scan *s, const struct predicate *p)
{
	size_t at = s->at;
	json_error_t e;
	char word[40], why[96];

	if (peek(s) == '"') {
		if (p->takes == TAKES_NUMBER || s->a->count)
			return fail(s, at, "%s takes a number here", s->a->count ? "count" : p->word);
		return (s->a->operand = read_string(s)) != NULL;
	}
	size_t n = strcspn(s->line + at, " \t");

	text_printable(word, sizeof(word), s->line + at, n);
	if (!n)
		return fail(s, at, "the assertion ends too early: %s takes %s", p->word,
			    p->takes == TAKES_STRING ? "a text in quotes" : p->takes == TAKES_NUMBER ? "a number" : "a value");
	if (p->takes == TAKES_STRING || s->a->subject != SUB_JSONPATH)
		return fail(s, at, "want a text in quotes, got %s", word);
	s->at += n;
	s->a->operand = json_loadb(s->line + at, n, JSON_DECODE_ANY, &e);
	if (s->a->operand && !json_is_array(s->a->operand) && !json_is_object(s->a->operand) &&
	    (json_is_number(s->a->operand) || (p->takes == TAKES_VALUE && !s->a->count)))
		return true;
	if (!s->a->operand && json_error_code(&e) == json_error_numeric_overflow)
		return fail(s, at, "%s: %s", word, json_reason(&e, why, sizeof(why)));
	return fail(s, at, p->takes == TAKES_NUMBER || s->a->count ? "want a number, got %s" :
		    "want a text in quotes, a number, true, false or null, got %s", word);
}

static bool read_operand(struct scan *s)
{
	const struct predicate *p = s->a->predicate;

	if (p->takes == TAKES_NOTHING)
		return true;
	skip_space(s);
	if (s->a->subject == SUB_STATUS)
		return read_status(s);
	if (s->a->subject == SUB_DURATION)
		return read_duration(s);
	return p->takes == TAKES_PATTERN ? read_pattern(s) : read_value(s, p);
}

static bool read_end(struct scan *s)
{
	char rest[40];

	skip_space(s);
	text_printable(rest, sizeof(rest), s->line + s->at, strlen(s->line + s->at));
	return !peek(s) || fail(s, s->at, "the assertion should end here, before \"%s\"", rest);
}

struct assertion *assert_compile(const char *line, char *err, size_t err_size, int *err_col)
{
	struct assertion *a = xcalloc(1, sizeof(*a));
	struct scan s = { .line = line, .a = a, .err = err, .err_size = err_size, .err_col = err_col };

	*err_col = 0;
	bool ok = strlen(line) <= ASSERT_MAX_LINE || fail(&s, ASSERT_MAX_LINE, "the assertion is longer than %d bytes", ASSERT_MAX_LINE);

	if (!ok || !read_subject(&s) || !read_predicate(&s) || !read_operand(&s) || !read_end(&s)) {
		assert_free(&a);
		return NULL;
	}
	a->line = xstrdup(line);
	return a;
}

void assert_free(struct assertion **ap)
{
	struct assertion *a = *ap;

	if (!a)
		return;
	free(a->line);
	free(a->header);
	jsonpath_free(&a->path);
	regex_free(&a->pattern);
	json_decref(a->operand);
	free(a);
	*ap = NULL;
}
