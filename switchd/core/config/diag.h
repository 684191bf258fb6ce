/* SPDX-License-Identifier: MIT
 * diag.h - errors and warnings about a text, each with its place.
 *
 *   shop.yaml:10:12: error: timeout: want a duration such as 500ms, 2s or 1m, got "8OOms"
 *        10 |   timeout: 8OOms
 *           |            ^~~~~
 *
 * They are gathered, and printed in the order of the text by diag_print(). */
#ifndef SWITCHD_CORE_DIAG_H
#define SWITCHD_CORE_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include "switchd/base/buf.h"

enum { DIAG_MAX = 100 };        /* more are counted, not kept */

/* Lines and columns count from 1, columns in characters.  line 0 = the file as a whole. */
struct mark { int line, col, width; };

struct diag_note { struct mark mark; bool warning; int order; char text[400]; };

struct diag {
	const char *file, *text;
	size_t len;
	int errors, warnings;
	size_t n;
	struct diag_note *notes;
};

void diag_init(struct diag *, const char *file, const char *text, size_t len);
void diag_free(struct diag *);
void diag_error(struct diag *, struct mark, const char *fmt, ...) PRINTF(3, 4);
void diag_warn(struct diag *, struct mark, const char *fmt, ...) PRINTF(3, 4);
void diag_print(struct diag *, struct buf *out);

/* The place of a byte of the text. */
struct mark diag_mark_at(const struct diag *, size_t offset);

/* Length of the valid UTF-8 sequence at s (n bytes left), or 0; and its code point. */
size_t diag_utf8(const char *s, size_t n, unsigned *code);

#endif
