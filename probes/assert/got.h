/* SPDX-License-Identifier: MIT
 * got.h - what an assertion got instead, for people: printable, ASSERT_TEXT bytes at most, with its
 * place in the body.  Only ever called after one has failed. */
#ifndef PROBES_GOT_H
#define PROBES_GOT_H

#include "probes/assert/predicate.h"

/* One line, in quotes, escaped, cut with three dots. */
void got_text(char *out, size_t size, const char *s, size_t n);
void got_value(char *out, size_t size, const struct value *);

/* Adds a sentence to what got says already, if it fits whole. */
void got_add(char *got, const char *fmt, ...) PRINTF(2, 3);

void got_body(const struct assertion *, const struct answer *, char *got);
/* Where the path's value stands, or what stands there as far as the path leads. */
void got_json_place(const struct assertion *, const struct answer *, bool found, char *got);
/* How far the expression leads. */
void got_xpath_place(const struct assertion *, struct answer *, char *got);

#endif
