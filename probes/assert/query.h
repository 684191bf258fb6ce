/* SPDX-License-Identifier: MIT
 * query.h - one value out of an answer: the front half of an assertion, alone (Hurl's captures).
 *
 *   jsonpath "$.token"   xpath "string(//input[@name='csrf']/@value)"   header "Location"
 *   cookie "sid"   cookie "sid[Path]"   regex /id=(\d+)/   body   status   redirect   url
 *
 * Compile once, ask often; what it costs on a hostile body is bounded.  What it finds may be a
 * secret: it is the caller's to keep out of evidence and logs. */
#ifndef PROBES_QUERY_H
#define PROBES_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "switchd/base/must.h"

struct answer;
struct query;

/* The whole line.  NULL on error: err is a sentence, *err_col the 0-based byte offset in it. */
struct query *query_compile(const char *line, char *err, size_t err_size, int *err_col);
void query_free(struct query **);

/* Missing: nothing there, or no single text or number (a list, an object, null).  Too long: does not fit.
 * Costly: a limit was hit, which says nothing about the answer. */
enum query_result { QUERY_FOUND, QUERY_MISSING, QUERY_TOO_LONG, QUERY_COSTLY };

/* As text: numbers and booleans as JSON writes them; of several the first.  `out` is "" unless found. */
MUSTCHECK enum query_result query_text(const struct query *, struct answer *, char *out, size_t size);

#endif
