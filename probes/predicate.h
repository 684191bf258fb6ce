/* SPDX-License-Identifier: MIT
 * predicate.h - what an assertion can ask of a value: private to assert*.c.
 *
 * A new predicate is one row of the table in predicate.c. */
#ifndef PROBES_PREDICATE_H
#define PROBES_PREDICATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probes/assert.h"

enum subject { SUB_STATUS, SUB_HEADER, SUB_BODY, SUB_JSONPATH, SUB_DURATION, N_SUBJECTS };

/* UNFIT: nothing there, or of a kind that the predicate cannot look at: `not` does not turn it round. */
enum holds { HOLDS, FAILS, UNFIT, COSTLY };

enum value_kind { VAL_INT, VAL_REAL, VAL_TEXT, VAL_OTHER };
struct value {
	enum value_kind kind;
	int64_t i;
	double r;
	const char *s; size_t n;
	const json_t *json;             /* VAL_OTHER, and whenever it came from JSON */
};

enum operand { TAKES_NOTHING, TAKES_VALUE, TAKES_NUMBER, TAKES_STRING, TAKES_PATTERN };
struct predicate {
	const char *word;
	unsigned on;                    /* 1 << subject */
	enum operand takes;
	bool inverse;                   /* the negation of the row's test */
	enum holds (*test)(const struct assertion *, const struct value *);
};

struct assertion {
	char *line;
	enum subject subject;
	const struct predicate *predicate;
	bool negate, count;
	char *header;
	struct jsonpath *path;
	struct regex *pattern;
	json_t *operand;                /* durations: microseconds */
	int status_class;               /* 2 for 2xx; 0 = operand */
};

extern const struct predicate predicates[];
extern const size_t n_predicates;

/* Predicates that checking or compiling must know by name. */
enum holds test_equal(const struct assertion *, const struct value *);
enum holds test_exists(const struct assertion *, const struct value *);
enum holds test_contains(const struct assertion *, const struct value *);

struct value value_int(int64_t);
struct value value_text(const char *, size_t);
struct value value_json(const json_t *);
bool value_equal(const struct value *, const json_t *operand);

const char *json_reason(const json_error_t *, char *out, size_t size);

#endif
