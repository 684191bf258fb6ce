/* SPDX-License-Identifier: MIT
 * subject.h - what can be asked of an answer: private to assert*.c, operand.c, got.c and query.c.
 *
 * A new subject is one row of the table in subject.c, and a line where its value is taken. */
#ifndef PROBES_SUBJECT_H
#define PROBES_SUBJECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probes/assert/assert.h"
#include "probes/assert/scan.h"
#include "probes/assert/xpath.h"

enum subject { SUB_STATUS, SUB_HEADER, SUB_COOKIE, SUB_BODY, SUB_BYTES, SUB_SHA256, SUB_JSONPATH, SUB_XPATH, SUB_REGEX, SUB_REDIRECT,
	       SUB_URL, SUB_DURATION, SUB_CERTIFICATE, N_SUBJECTS };

struct query;
struct subject_info {
	const char *word;
	bool (*read)(struct scan *, struct query *);    /* what stands behind the word; NULL: nothing */
	enum outcome outcome;                           /* of an assertion that fails */
	const char *example, *doc;
};
extern const struct subject_info subjects[N_SUBJECTS];

/* VAL_OTHER: a list, an object or null of JSON. */
enum value_kind { VAL_INT, VAL_REAL, VAL_TEXT, VAL_BOOL, VAL_NODES, VAL_OTHER };
struct value {
	enum value_kind kind;
	int64_t i;                      /* also VAL_BOOL; VAL_NODES: how many */
	double r;
	const char *s; size_t n;        /* VAL_TEXT; VAL_NODES: of the first */
	const json_t *json;             /* when it came from JSON */
};
struct value value_int(int64_t);
struct value value_text(const char *, size_t);
struct value value_json(const json_t *);
/* `out` BORROWS the text of the result. */
struct value value_xpath(const struct xpath_result *);

struct query {
	enum subject subject;
	char *name;                     /* of a header, of a cookie */
	int part;                       /* enum cookie_part, enum certificate_part */
	struct jsonpath *path;
	struct xpath *xpath;
	struct regex *pattern;
};

/* The subject and what stands behind it.  False: said why. */
bool subject_read(struct scan *, struct query *);
void subject_clear(struct query *);

enum taken { TAKEN, TAKEN_NONE, TAKEN_COSTLY };

/* Of subjects that have one text at most (cookie, regex, url, certificate).  Missing: why, for people. */
enum { TAKE_TEXT = 40 };
enum taken subject_take(const struct query *, const struct answer *, struct value *, char scratch[TAKE_TEXT], char *why, size_t why_size);

#endif
