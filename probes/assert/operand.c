/* SPDX-License-Identifier: MIT
 * operand.c - what stands behind the predicate of an assertion: a value, a status, a duration, bytes, a pattern. */
#include <string.h>

#include "probes/assert/predicate.h"
#include "switchd/base/text.h"

static bool read_duration(struct scan *s, struct assertion *a)
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
		return scan_fail(s, at, "want a duration such as 300ms or 2s, got \"%s\"", word);
	if (!word[n])
		return scan_fail(s, at, "a duration needs its unit: %sms or %ss?", digits, digits);
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(word + n, units[i].unit) == 0 && count <= (uint64_t)INT64_MAX / (uint64_t)units[i].us) {
			a->operand = json_integer((json_int_t)count * units[i].us);
			return true;
		}
	return scan_fail(s, at, "want a duration such as 300ms or 2s, got \"%s\"", word);
}

static bool read_status(struct scan *s, struct assertion *a)
{
	char word[40];
	uint64_t code;
	size_t at = scan_word(s, word, sizeof(word));

	if (word[0] >= '1' && word[0] <= '5' && strcmp(word + 1, "xx") == 0) {
		if (a->predicate->test != test_equal)
			return scan_fail(s, at, "a class such as 2xx is compared with == or != only");
		a->status_class = word[0] - '0';
		return true;
	}
	if (!text_u64(word, &code) || code < 100 || code > 599)
		return scan_fail(s, at, "want a status from 100 to 599 or a class such as 2xx, got \"%s\"", word);
	a->operand = json_integer((json_int_t)code);
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Hurl's hex,00ff;, and for a checksum also "00ff". */
static bool read_hex(struct scan *s, struct assertion *a)
{
	static const char begin[] = "hex,";
	bool quoted = scan_peek(s) == '"' && a->q.subject == SUB_SHA256;
	size_t at = s->at, n = 0;
	char bytes[ASSERT_MAX_LINE / 2];

	if (!quoted && !text_starts(s->line + at, begin))
		return scan_fail(s, at, a->q.subject == SUB_SHA256 ? "want 64 hexadecimal digits: hex,e3b0...; or \"e3b0...\""
								   : "want bytes in hexadecimal digits: hex,00ff;");
	for (s->at += quoted ? 1 : strlen(begin); scan_peek(s) && scan_peek(s) != (quoted ? '"' : ';'); s->at += 2) {
		int high = hex_digit(s->line[s->at]), low = high < 0 ? -1 : hex_digit(s->line[s->at + 1]);

		if (low < 0)
			return scan_fail(s, s->at + (high >= 0), "want pairs of hexadecimal digits, closed by %s", quoted ? "a quote" : ";");
		must(n < sizeof(bytes));        /* the line is not longer */
		bytes[n++] = (char)(high << 4 | low);
	}
	if (!scan_peek(s))
		return scan_fail(s, at, "the digits do not end: want a closing %s", quoted ? "quote" : ";");
	s->at++;
	if (a->q.subject == SUB_SHA256 && n != 32)
		return scan_fail(s, at, "a SHA-256 has 64 hexadecimal digits, not %zu", n * 2);
	/* Any bytes: nobody but us reads it. */
	a->operand = json_stringn_nocheck(bytes, n);
	return true;
}

static bool is_date_filter(const struct assertion *a) { return a->filter == FILTER_DAYS_AFTER || a->filter == FILTER_DAYS_BEFORE; }

/* Of what a number alone makes sense: with a filter, and where the predicate says so. */
static bool wants_number(const struct assertion *a) { return a->filter != FILTER_NONE || a->predicate->takes == TAKES_NUMBER; }

static bool typed(const struct assertion *a)
{
	return a->q.subject == SUB_JSONPATH || a->q.subject == SUB_XPATH || a->q.subject == SUB_COOKIE;
}

static bool read_value(struct scan *s, struct assertion *a)
{
	const struct predicate *p = a->predicate;
	const char *taker = a->filter != FILTER_NONE ? filters[a->filter].word : p->word;
	size_t at = s->at;
	json_error_t e;
	char word[40], why[96];

	if (scan_peek(s) == '"') {
		if (wants_number(a))
			return scan_fail(s, at, "%s takes a number here", taker);
		return (a->operand = scan_string(s)) != NULL;
	}
	size_t n = strcspn(s->line + at, " \t");

	text_printable(word, sizeof(word), s->line + at, n);
	if (!n)
		return scan_fail(s, at, "the assertion ends too early: %s takes %s", p->word,
				 p->takes == TAKES_STRING ? "a text in quotes" : wants_number(a) ? "a number" : "a value");
	if (!wants_number(a) && (p->takes == TAKES_STRING || !typed(a)))
		return scan_fail(s, at, "want a text in quotes, got %s", word);
	s->at += n;
	a->operand = json_loadb(s->line + at, n, JSON_DECODE_ANY, &e);
	if (a->operand && !json_is_array(a->operand) && !json_is_object(a->operand) &&
	    (json_is_number(a->operand) || (p->takes == TAKES_VALUE && !wants_number(a))))
		return true;
	if (!a->operand && json_error_code(&e) == json_error_numeric_overflow)
		return scan_fail(s, at, "%s: %s", word, json_reason(&e, why, sizeof(why)));
	if (is_date_filter(a))
		return scan_fail(s, at, "want a number of days, got %s", word);
	return scan_fail(s, at, wants_number(a) ? "want a number, got %s" : "want a text in quotes, a number, true, false or null, got %s", word);
}

bool operand_read(struct scan *s, struct assertion *a)
{
	enum subject subject = a->q.subject;

	if (a->predicate->takes == TAKES_NOTHING)
		return true;
	scan_space(s);
	if (subject == SUB_STATUS)
		return read_status(s, a);
	if (subject == SUB_DURATION)
		return read_duration(s, a);
	if (a->predicate->takes == TAKES_PATTERN)
		return (a->pattern = scan_pattern(s, a->predicate->word)) != NULL;
	if (subject == SUB_SHA256 || (subject == SUB_BYTES && a->filter == FILTER_NONE))
		return read_hex(s, a);
	return read_value(s, a);
}
