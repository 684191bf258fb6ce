/* SPDX-License-Identifier: MIT
 * predicate.h - what an assertion can ask of a value: private to assert*.c, operand.c and got.c.
 *
 * A new predicate is one row of the table in predicate.c. */
#ifndef PROBES_PREDICATE_H
#define PROBES_PREDICATE_H

#include "probes/assert/subject.h"

/* UNFIT: nothing there, or of a kind that the predicate cannot look at: `not` does not turn it round. */
enum holds { HOLDS, FAILS, UNFIT, COSTLY };

enum operand { TAKES_NOTHING, TAKES_VALUE, TAKES_NUMBER, TAKES_STRING, TAKES_PATTERN };
struct predicate {
	const char *word;
	unsigned on;                    /* 1 << subject */
	enum operand takes;
	bool inverse;                   /* the negation of the row's test */
	enum holds (*test)(const struct assertion *, const struct value *);
	const char *doc;
};

/* Between subject and predicate: makes a number of the value. */
enum filter { FILTER_NONE, FILTER_COUNT, FILTER_DAYS_AFTER, FILTER_DAYS_BEFORE, N_FILTERS };
struct filter_info { const char *word; unsigned on; const char *doc; };
extern const struct filter_info filters[N_FILTERS];

struct assertion {
	char *line;
	struct query q;
	const struct predicate *predicate;
	bool negate;
	enum filter filter;
	struct regex *pattern;
	json_t *operand;                /* durations: microseconds; bytes: in place of a text */
	int status_class;               /* 2 for 2xx; 0 = operand */
};

extern const struct predicate predicates[];
extern const size_t n_predicates;

/* Predicates that checking, compiling or showing must know by name. */
enum holds test_equal(const struct assertion *, const struct value *);
enum holds test_exists(const struct assertion *, const struct value *);
enum holds test_contains(const struct assertion *, const struct value *);
enum holds test_includes(const struct assertion *, const struct value *);
enum holds test_starts(const struct assertion *, const struct value *);
enum holds test_ends(const struct assertion *, const struct value *);
enum holds test_matches(const struct assertion *, const struct value *);
enum holds test_date(const struct assertion *, const struct value *);

bool value_equal(const struct value *, const json_t *operand);

/* operand.c: what stands behind the predicate.  False: said why. */
bool operand_read(struct scan *, struct assertion *);

#endif
