/* SPDX-License-Identifier: MIT
 * assert.h - one-line assertions on an answer, as Hurl writes them (docs/probes.md has the table).
 *
 *   status == 200        status 2xx        header "Content-Type" contains "json"
 *   body matches /EUR \d+/i        jsonpath "$.quotes" count >= 1        duration < 300ms
 *   xpath "//table//tr" count > 1        certificate "Expire-Date" daysAfterNow > 14
 *
 * `not` before the predicate turns it round.  An assertion about something that is not
 * there, or is of a kind the predicate cannot look at, fails with `not` and without
 * it; only `exists` asks whether it is there.  A new subject is one row of the table in
 * subject.c, a new predicate one row of the table in predicate.c.  Compile once, check
 * often; what a check costs on a hostile body is bounded. */
#ifndef PROBES_ASSERT_H
#define PROBES_ASSERT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/core/outcome.h"

struct assertion;
struct buf;
struct certificate;             /* switchd/io/certificate.h */
struct xdoc;

/* An answer as assertions see it.  Everything is BORROWED but json and doc, which are filled
 * when the first assertion asks for them.  Begin with zeroes; end with answer_clear(). */
struct answer {
	long status;
	const char *head; size_t head_len;      /* raw header block of the final answer */
	const char *body; size_t body_len;
	const char *content_type;               /* "" or NULL when absent */
	const char *location;                   /* where a redirect leads, absolute; "" or NULL when nowhere */
	const char *url;                        /* asked; NULL when not told */
	const struct certificate *cert;         /* switchd/io/certificate.h; NULL when plain, or not asked for */
	int64_t total_us;
	int64_t now_ms;                         /* since 1970; 0: the clock says */
	json_t *json;
	bool json_tried;
	char json_error[128];                   /* why json is NULL, once tried */
	struct xdoc *doc;
	bool doc_tried, doc_costly;             /* costly: a limit was hit, which says nothing about the body */
	char doc_error[128];                    /* why doc is NULL, once tried */
};
void answer_clear(struct answer *);             /* forgets json and doc, and nothing else */

/* Parses the body once; NULL when it is not JSON (json_error says why). */
json_t *answer_parsed(struct answer *);
/* The same for HTML and XML (doc_error). */
struct xdoc *answer_document(struct answer *);

enum { ASSERT_MAX_LINE = 4096, ASSERT_TEXT = 160 };

/* NULL on error: err is a sentence, *err_col the 0-based byte offset in the line. */
struct assertion *assert_compile(const char *line, char *err, size_t err_size, int *err_col);
void assert_free(struct assertion **);

/* OUT_PRESENT when it holds (want and got are then ""); otherwise the outcome by name,
 * want the assertion as written and got what stood in its place, both printable. */
enum outcome assert_check(const struct assertion *, struct answer *, char want[ASSERT_TEXT], char got[ASSERT_TEXT]);

bool assert_is_duration(const struct assertion *);
bool assert_is_status(const struct assertion *);
bool assert_is_redirect(const struct assertion *);      /* it can hold for a redirect only */
bool assert_wants_cert(const struct assertion *);       /* answer.cert must be filled for it, where there is TLS */

/* Both tables, in Markdown, for docs/probes.md. */
void assert_print_doc(struct buf *);

#endif
