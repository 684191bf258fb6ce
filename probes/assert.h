/* SPDX-License-Identifier: MIT
 * assert.h - one-line assertions on an answer, as Hurl writes them (interface.md 3).
 *
 *   status == 200        status 2xx        header "Content-Type" contains "json"
 *   body matches /EUR \d+/i        jsonpath "$.quotes" count >= 1        duration < 300ms
 *
 * `not` before the predicate turns it round.  An assertion about something that is not
 * there, or is of a kind the predicate cannot look at, fails with `not` and without
 * it; only `exists` asks whether it is there.  One row of a table in assert.c per
 * predicate.  Compile once, check often; what a check costs on a hostile body is bounded. */
#ifndef PROBES_ASSERT_H
#define PROBES_ASSERT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/core/outcome.h"

struct assertion;
struct certificate;

/* An answer as assertions see it.  Everything is BORROWED but json, which assert_check
 * fills when the first assertion asks for it.  Begin with zeroes; end with answer_clear(). */
struct answer {
	long status;
	const char *head; size_t head_len;      /* raw header block of the final answer */
	const char *body; size_t body_len;
	const char *content_type;               /* "" or NULL when absent */
	const char *location;                   /* where a redirect leads, absolute; "" or NULL when nowhere */
	const char *url;                        /* asked; NULL when not told */
	const struct certificate *cert;         /* switchd/io/certificate.h; NULL when plain, or not asked for */
	int64_t total_us;
	json_t *json;
	bool json_tried;
	char json_error[128];                   /* why json is NULL, once tried */
};
void answer_clear(struct answer *);             /* forgets json, and nothing else */

/* Parses the body once; NULL when it is not JSON (json_error says why). */
json_t *answer_parsed(struct answer *);

enum { ASSERT_MAX_LINE = 4096, ASSERT_TEXT = 160 };

/* NULL on error: err is a sentence, *err_col the 0-based byte offset in the line. */
struct assertion *assert_compile(const char *line, char *err, size_t err_size, int *err_col);
void assert_free(struct assertion **);

/* OUT_PRESENT when it holds (want and got are then ""); otherwise the outcome by name,
 * want the assertion as written and got what stood in its place, both printable. */
enum outcome assert_check(const struct assertion *, struct answer *, char want[ASSERT_TEXT], char got[ASSERT_TEXT]);

bool assert_is_duration(const struct assertion *);
bool assert_is_status(const struct assertion *);

#endif
