/* SPDX-License-Identifier: MIT
 * regex.h - patterns of assertions: PCRE2 that always stops soon.
 *
 * UTF-8 with invalid bytes tolerated in the subject.  The match limits count
 * backtracks per starting point only: `[A-Z]+\d{3}` over 256 KiB of A reads each
 * byte 10^5 times without one.  So a match is also given a budget of CPU time,
 * looked at from callouts between the items of the pattern. */
#ifndef PROBES_REGEX_H
#define PROBES_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "switchd/base/must.h"

struct regex;

enum regex_result { RE_NO, RE_YES, RE_COSTLY };

/* flags: any of i (case), s (dot matches newline), m (^ $ at lines), x (spaces in the
 * pattern are layout); NULL on error: err is a sentence, *err_off the offset in the pattern. */
struct regex *regex_compile(const char *pattern, size_t len, const char *flags, char *err, size_t err_size, size_t *err_off);
void regex_free(struct regex **);
MUSTCHECK enum regex_result regex_match(const struct regex *, const char *subject, size_t len);

/* The same, and on RE_YES where: the first group, or the whole match of a pattern without groups
 * (or whose first group took no part). */
struct regex_span { size_t from, to; };
MUSTCHECK enum regex_result regex_find(const struct regex *, const char *subject, size_t len, struct regex_span *);

/* For people, after a match failed: where the pattern came furthest.  False when it never began to match.
 * begun..reached in the subject; *part is how many bytes of the pattern had matched there. */
bool regex_nearest(const struct regex *, const char *subject, size_t len, struct regex_span *, size_t *part);

#endif
