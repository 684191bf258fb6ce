/* SPDX-License-Identifier: MIT
 * predicate.c - the table of predicates and their tests. */
#include "probes/predicate.h"

#include <string.h>

#include "probes/regex.h"
#include "switchd/base/must.h"

#define ON_STATUS (1u << SUB_STATUS)
#define ON_HEADER (1u << SUB_HEADER)
#define ON_BODY (1u << SUB_BODY)
#define ON_PATH (1u << SUB_JSONPATH)
#define ON_TIME (1u << SUB_DURATION)
#define ON_TEXT (ON_HEADER | ON_BODY | ON_PATH)

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
	}
	return v;
}

static bool is_number(const struct value *v) { return v->kind == VAL_INT || v->kind == VAL_REAL; }

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
	/* Operands are scalars: a list or object equals none of them. */
	return v->kind == VAL_OTHER && o.kind == VAL_OTHER && v->json && json_typeof(v->json) == json_typeof(operand);
}

static enum holds yes(bool b) { return b ? HOLDS : FAILS; }

enum holds test_equal(const struct assertion *a, const struct value *v)
{
	if (a->status_class)
		return yes(v->i / 100 == a->status_class);
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

enum holds test_contains(const struct assertion *a, const struct value *v)
{
	const char *part = json_string_value(a->operand);

	if (v->kind == VAL_TEXT)
		return part ? yes(memmem(v->s, v->n, part, json_string_length(a->operand)) != NULL) : UNFIT;
	if (!json_is_array(v->json))
		return UNFIT;
	for (size_t i = 0; i < json_array_size(v->json); i++) {
		struct value item = value_json(json_array_get(v->json, i));

		if (value_equal(&item, a->operand))
			return HOLDS;
	}
	return FAILS;
}

static enum holds test_starts(const struct assertion *a, const struct value *v)
{
	size_t n = json_string_length(a->operand);

	return v->kind != VAL_TEXT ? UNFIT : yes(v->n >= n && memcmp(v->s, json_string_value(a->operand), n) == 0);
}

static enum holds test_ends(const struct assertion *a, const struct value *v)
{
	size_t n = json_string_length(a->operand);

	return v->kind != VAL_TEXT ? UNFIT : yes(v->n >= n && memcmp(v->s + v->n - n, json_string_value(a->operand), n) == 0);
}

static enum holds test_matches(const struct assertion *a, const struct value *v)
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
	return json_is_array(v->json) ? yes(json_array_size(v->json) == 0) :
	       json_is_object(v->json) ? yes(json_object_size(v->json) == 0) : UNFIT;
}

#define KIND_TEST(name, cond) static enum holds name(const struct assertion *a, const struct value *v) { (void)a; return yes(cond); }
KIND_TEST(test_string, v->kind == VAL_TEXT)
KIND_TEST(test_number, is_number(v))
KIND_TEST(test_integer, v->kind == VAL_INT)
KIND_TEST(test_float, v->kind == VAL_REAL)
KIND_TEST(test_boolean, json_is_boolean(v->json))
KIND_TEST(test_null, json_is_null(v->json))
KIND_TEST(test_list, json_is_array(v->json))
KIND_TEST(test_object, json_is_object(v->json))
KIND_TEST(test_collection, json_is_array(v->json) || json_is_object(v->json))

const struct predicate predicates[] = {
	{ "==", ON_STATUS | ON_TEXT, TAKES_VALUE, false, test_equal },
	{ "!=", ON_STATUS | ON_TEXT, TAKES_VALUE, true, test_equal },
	{ "<", ON_STATUS | ON_PATH | ON_TIME, TAKES_NUMBER, false, test_less },
	{ "<=", ON_STATUS | ON_PATH | ON_TIME, TAKES_NUMBER, false, test_less_equal },
	{ ">", ON_STATUS | ON_PATH | ON_TIME, TAKES_NUMBER, false, test_more },
	{ ">=", ON_STATUS | ON_PATH | ON_TIME, TAKES_NUMBER, false, test_more_equal },
	{ "exists", ON_HEADER | ON_PATH, TAKES_NOTHING, false, test_exists },
	{ "contains", ON_TEXT, TAKES_VALUE, false, test_contains },
	{ "startsWith", ON_TEXT, TAKES_STRING, false, test_starts },
	{ "endsWith", ON_TEXT, TAKES_STRING, false, test_ends },
	{ "matches", ON_TEXT, TAKES_PATTERN, false, test_matches },
	{ "isEmpty", ON_TEXT, TAKES_NOTHING, false, test_empty },
	{ "isString", ON_PATH, TAKES_NOTHING, false, test_string },
	{ "isNumber", ON_PATH, TAKES_NOTHING, false, test_number },
	{ "isInteger", ON_PATH, TAKES_NOTHING, false, test_integer },
	{ "isFloat", ON_PATH, TAKES_NOTHING, false, test_float },
	{ "isBoolean", ON_PATH, TAKES_NOTHING, false, test_boolean },
	{ "isNull", ON_PATH, TAKES_NOTHING, false, test_null },
	{ "isList", ON_PATH, TAKES_NOTHING, false, test_list },
	{ "isObject", ON_PATH, TAKES_NOTHING, false, test_object },
	{ "isCollection", ON_PATH, TAKES_NOTHING, false, test_collection },
};

const size_t n_predicates = ARRAY_LEN(predicates);
