/* SPDX-License-Identifier: MIT
 * scan.h - reading a line of the assertion language: words, quoted texts, patterns; a sentence and a
 * column for what is wrong.  Private to assert_line.c, operand.c, subject.c and query.c. */
#ifndef PROBES_SCAN_H
#define PROBES_SCAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "switchd/base/must.h"

struct regex;

struct scan {
	const char *line;
	size_t at;
	char *err; size_t err_size; int *err_col;       /* BORROWED */
};

/* Always false: `return scan_fail(...)`.  `where` is the 0-based column. */
bool scan_fail(struct scan *, size_t where, const char *fmt, ...) PRINTF(3, 4);

static inline char scan_peek(const struct scan *s) { return s->line[s->at]; }
void scan_space(struct scan *);
bool scan_end(struct scan *);           /* nothing but spaces may follow */

/* A word, an operator, or one odd character; "" at the end.  Cut for messages.  Returns where it began. */
size_t scan_word(struct scan *, char *out, size_t size);

/* At a quote: "..." with the escapes of JSON.  NULL: said why. */
json_t *scan_string(struct scan *);

/* /.../ismx or "...".  NULL: said why; `word` is what takes it, for the sentence. */
struct regex *scan_pattern(struct scan *, const char *word);

/* Where in the line the off-th byte of a decoded string stands. */
size_t scan_offset(const char *line, size_t quote, size_t off);

const char *json_reason(const json_error_t *, char *out, size_t size);

#endif
