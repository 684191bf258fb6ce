/* SPDX-License-Identifier: MIT
 * predicate.c - the table of predicates and their tests. */
#include "probes/assert/predicate.h"

#include <math.h>
#include <string.h>

#include "probes/assert/date.h"
#include "probes/assert/regex.h"
#include "switchd/base/must.h"

#define ON(subject) (1u << SUB_##subject)
#define ON_PATHS (ON(JSONPATH) | ON(XPATH))
/* One text at most, whatever it stands for. */
#define ON_LINES (ON(HEADER) | ON(COOKIE) | ON(REGEX) | ON(REDIRECT) | ON(URL) | ON(CERTIFICATE))
#define ON_TEXT (ON_LINES | ON_PATHS | ON(BODY) | ON(BYTES))
#define ON_ORDER (ON(STATUS) | ON(COOKIE) | ON_PATHS | ON(DURATION))
#define ON_MANY (ON_PATHS | ON(HEADER))
#define ON_DATES (ON(HEADER) | ON(COOKIE) | ON(REGEX) | ON(CERTIFICATE) | ON_PATHS)

/* NaN is none: XPath says so of what it cannot read, and it is neither more nor less nor equal. */
static bool is_number(const struct value *v) { return v->kind == VAL_INT || (v->kind == VAL_REAL && !isnan(v->r)); }

/* Exact also where the integer has more digits than a double holds. */
static int compare_int_real(int64_t i, double r)
{
	if (r >= 9223372036854775808.0)
		return -1;
	if (r < -9223372036854775808.0)
		return 1;
	int64_t whole = (int64_t)r;
	double rest = r - (double)whole;

	return i != whole ? (i < whole ? -1 : 1) : rest > 0 ? -1 : rest < 0;
}

static int compare(const struct value *a, const struct value *b)
{
	if (a->kind == VAL_INT && b->kind == VAL_INT)
		return a->i < b->i ? -1 : a->i > b->i;
	if (a->kind == VAL_INT)
		return compare_int_real(a->i, b->r);
	if (b->kind == VAL_INT)
		return -compare_int_real(b->i, a->r);
	return a->r < b->r ? -1 : a->r > b->r;
}

bool value_equal(const struct value *v, const json_t *operand)
{
	struct value o = value_json(operand);

	if (is_number(v) && is_number(&o))
		return compare(v, &o) == 0;
	if (v->kind == VAL_TEXT && o.kind == VAL_TEXT)
		return v->n == o.n && memcmp(v->s, o.s, v->n) == 0;
	if (v->kind == VAL_BOOL && o.kind == VAL_BOOL)
		return v->i == o.i;
	/* Operands are scalars: a list or object equals none of them. */
	return v->kind == VAL_OTHER && o.kind == VAL_OTHER && v->json && json_typeof(v->json) == json_typeof(operand);
}

static enum holds yes(bool b) { return b ? HOLDS : FAILS; }

enum holds test_equal(const struct assertion *a, const struct value *v)
{
	if (a->status_class)
		return yes(v->i / 100 == a->status_class);
	if (v->kind == VAL_NODES)
		return UNFIT;
	return yes(value_equal(v, a->operand));
}

#define ORDER_TEST(name, op) \
	static enum holds name(const struct assertion *a, const struct value *v) \
	{ \
		struct value o = value_json(a->operand); \
		return is_number(v) ? yes(compare(v, &o) op 0) : UNFIT; \
	}
ORDER_TEST(test_less, <)
ORDER_TEST(test_less_equal, <=)
ORDER_TEST(test_more, >)
ORDER_TEST(test_more_equal, >=)

enum holds test_exists(const struct assertion *a, const struct value *v) { (void)a; (void)v; return HOLDS; }

enum holds test_includes(const struct assertion *a, const struct value *v)
{
	if (!json_is_array(v->json))
		return UNFIT;
	for (size_t i = 0; i < json_array_size(v->json); i++) {
		struct value item = value_json(json_array_get(v->json, i));

		if (value_equal(&item, a->operand))
			return HOLDS;
	}
	return FAILS;
}

enum holds test_contains(const struct assertion *a, const struct value *v)
{
	const char *part = json_string_value(a->operand);

	if (v->kind == VAL_TEXT)
		return part ? yes(memmem(v->s, v->n, part, json_string_length(a->operand)) != NULL) : UNFIT;
	return test_includes(a, v);
}

enum holds test_starts(const struct assertion *a, const struct value *v)
{
	size_t n = json_string_length(a->operand);

	return v->kind != VAL_TEXT ? UNFIT : yes(v->n >= n && memcmp(v->s, json_string_value(a->operand), n) == 0);
}

enum holds test_ends(const struct assertion *a, const struct value *v)
{
	size_t n = json_string_length(a->operand);

	return v->kind != VAL_TEXT ? UNFIT : yes(v->n >= n && memcmp(v->s + v->n - n, json_string_value(a->operand), n) == 0);
}

enum holds test_matches(const struct assertion *a, const struct value *v)
{
	if (v->kind != VAL_TEXT)
		return UNFIT;
	enum regex_result r = regex_match(a->pattern, v->s, v->n);

	return r == RE_COSTLY ? COSTLY : yes(r == RE_YES);
}

static enum holds test_empty(const struct assertion *a, const struct value *v)
{
	(void)a;
	if (v->kind == VAL_TEXT)
		return yes(v->n == 0);
	if (v->kind == VAL_NODES)
		return yes(v->i == 0);
	return json_is_array(v->json) ? yes(json_array_size(v->json) == 0) :
	       json_is_object(v->json) ? yes(json_object_size(v->json) == 0) : UNFIT;
}

#define KIND_TEST(name, cond) static enum holds name(const struct assertion *a, const struct value *v) { (void)a; return yes(cond); }
KIND_TEST(test_string, v->kind == VAL_TEXT)
KIND_TEST(test_number, is_number(v))
KIND_TEST(test_integer, v->kind == VAL_INT)
KIND_TEST(test_float, v->kind == VAL_REAL)
KIND_TEST(test_boolean, v->kind == VAL_BOOL)
KIND_TEST(test_null, json_is_null(v->json))
KIND_TEST(test_list, v->kind == VAL_NODES || json_is_array(v->json))
KIND_TEST(test_object, json_is_object(v->json))
KIND_TEST(test_collection, v->kind == VAL_NODES || json_is_array(v->json) || json_is_object(v->json))

enum holds test_date(const struct assertion *a, const struct value *v)
{
	int64_t at;

	(void)a;
	return yes(v->kind == VAL_TEXT && date_iso(v->s, v->n, &at));
}

const struct predicate predicates[] = {
	{ "==", ON(STATUS) | ON_TEXT | ON(SHA256), TAKES_VALUE, false, test_equal, "equal; numbers by value, whatever they are written like" },
	{ "!=", ON(STATUS) | ON_TEXT | ON(SHA256), TAKES_VALUE, true, test_equal, "not equal, and there" },
	{ "<", ON_ORDER, TAKES_NUMBER, false, test_less, "less" },
	{ "<=", ON_ORDER, TAKES_NUMBER, false, test_less_equal, "less or equal" },
	{ ">", ON_ORDER, TAKES_NUMBER, false, test_more, "more" },
	{ ">=", ON_ORDER, TAKES_NUMBER, false, test_more_equal, "more or equal" },
	{ "exists", ON_LINES | ON_PATHS, TAKES_NOTHING, false, test_exists, "there; the one that can say something about nothing" },
	{ "contains", ON_TEXT, TAKES_VALUE, false, test_contains, "the text has this part; a JSON list has this item" },
	{ "startsWith", ON_TEXT, TAKES_STRING, false, test_starts, "the text begins with" },
	{ "endsWith", ON_TEXT, TAKES_STRING, false, test_ends, "the text ends with" },
	{ "matches", ON_TEXT & ~ON(BYTES), TAKES_PATTERN, false, test_matches, "a PCRE pattern, /.../ with the flags i, s, m, x" },
	{ "includes", ON_MANY, TAKES_VALUE, false, test_includes, "one of the items, the nodes or the headers of that name is exactly this" },
	{ "isEmpty", ON_TEXT & ~ON(URL), TAKES_NOTHING, false, test_empty, "no bytes, no items, no nodes" },
	{ "isString", ON_PATHS, TAKES_NOTHING, false, test_string, "a text" },
	{ "isNumber", ON_PATHS, TAKES_NOTHING, false, test_number, "a number" },
	{ "isInteger", ON_PATHS | ON(COOKIE), TAKES_NOTHING, false, test_integer, "a whole number" },
	{ "isFloat", ON_PATHS, TAKES_NOTHING, false, test_float, "a number written with a point or an exponent" },
	{ "isBoolean", ON_PATHS, TAKES_NOTHING, false, test_boolean, "true or false" },
	{ "isNull", ON(JSONPATH), TAKES_NOTHING, false, test_null, "null" },
	{ "isList", ON_PATHS, TAKES_NOTHING, false, test_list, "a list, or nodes" },
	{ "isObject", ON(JSONPATH), TAKES_NOTHING, false, test_object, "an object" },
	{ "isCollection", ON_PATHS, TAKES_NOTHING, false, test_collection, "a list, an object, or nodes" },
	{ "isDate", ON_DATES, TAKES_NOTHING, false, test_date, "an ISO 8601 date, with or without a time" },
	{ "isIsoDate", ON_DATES, TAKES_NOTHING, false, test_date, "the same, by Hurl's name" },
};

const size_t n_predicates = ARRAY_LEN(predicates);

const struct filter_info filters[N_FILTERS] = {
	[FILTER_NONE] = { "", 0, "" },
	[FILTER_COUNT] = { "count", ON_MANY | ON(BYTES), "how many items, nodes, headers or bytes" },
	[FILTER_DAYS_AFTER] = { "daysAfterNow", ON_DATES, "whole days from now to the date; below 0 when it is past" },
	[FILTER_DAYS_BEFORE] = { "daysBeforeNow", ON_DATES, "whole days from the date to now" },
};
