/* SPDX-License-Identifier: MIT
 * suite.h - all that one probe demands of an answer, and the judgement of one answer.
 *
 * Order: a redirect that nothing expects, then the assertions as written (the first that
 * fails is named), and where there are none the baseline (B1.7) or "status 2xx". */
#ifndef PROBES_SUITE_H
#define PROBES_SUITE_H

#include "probes/assert/assert.h"
#include "probes/assert/shape.h"
#include "switchd/base/buf.h"

struct suite {
	struct assertion **list;
	size_t n;
	bool has_duration;      /* a timeout after the request was sent breaks it (B1.1) */
	bool wants_cert;        /* answer.cert is needed */
};

/* Where lines come from, for diagnostics. */
struct suite_source {
	const char *file;
	const char *const *lines; size_t n;
	const int *line, *col;
	const char *quote;      /* in which quotes of YAML each stands, '\0' = in none; NULL = not told */
};

/* Where the off-th byte of a text stands that begins at this column of a file. */
int suite_column(int col, char quote, const char *text, size_t off);

/* Compiles what can be compiled; errors are file:line:col lines, all of them; returns how many. */
int suite_compile(struct suite *, const struct suite_source *, struct buf *errors);
void suite_clear(struct suite *);

/* OUT_PRESENT (want and got are then ""), or the outcome by name. baseline may be NULL. */
enum outcome suite_judge(const struct suite *, const struct shape *baseline, struct answer *, const char *location,
			 char want[ASSERT_TEXT], char got[ASSERT_TEXT]);

#endif
