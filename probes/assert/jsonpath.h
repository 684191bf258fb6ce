/* SPDX-License-Identifier: MIT
 * jsonpath.h - RFC 9535 without filters: $ .name ['name'] [n] [-1] [a:b:c] [*] .* [a,b] and ..
 *
 * Compiled once, walked with a budget: a hostile document and two `..` make
 * quadratic work, so a walk stops with JP_COSTLY instead. */
#ifndef PROBES_JSONPATH_H
#define PROBES_JSONPATH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/base/must.h"

struct jsonpath;

enum { JSONPATH_MAX_STEPS = 64, JSONPATH_MAX_SELECTORS = 64 };

/* NULL on error: err is a sentence, *err_off the offset in the text. */
struct jsonpath *jsonpath_compile(const char *text, size_t len, char *err, size_t err_size, size_t *err_off);
void jsonpath_free(struct jsonpath **);

/* Names one place at most ($.a['b'][0]): its result is a value, not a list. */
bool jsonpath_singular(const struct jsonpath *);

/* The steps from the beginning that name one place each: all of a singular path.  A step is a name
 * (BORROWED) or, where name is NULL, an index. */
struct jsonpath_step { const char *name; size_t name_len; int64_t index; };
size_t jsonpath_plain_steps(const struct jsonpath *);
struct jsonpath_step jsonpath_step(const struct jsonpath *, size_t i);
/* How the first n steps were written: so many bytes of the text, with its $. */
const char *jsonpath_text(const struct jsonpath *, size_t n_steps, size_t *len);

enum jsonpath_result { JP_OK, JP_COSTLY };

/* Calls visit for each node found, in document order; the node is BORROWED from the
 * document.  visit returns false to stop early (still JP_OK). */
typedef bool jsonpath_visit_fn(void *arg, json_t *node);
MUSTCHECK enum jsonpath_result jsonpath_walk(const struct jsonpath *, json_t *root, jsonpath_visit_fn *, void *arg);

#endif
