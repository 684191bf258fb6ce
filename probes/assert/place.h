/* SPDX-License-Identifier: MIT
 * place.h - where in a body: for the evidence of an assertion that failed, never for its judgement.
 * Linear in the body; nothing is kept. */
#ifndef PROBES_PLACE_H
#define PROBES_PLACE_H

#include <stdbool.h>
#include <stddef.h>

struct jsonpath;

/* From 1; columns count characters. */
struct place { size_t line, col; };
struct place place_at(const char *body, size_t len, size_t off);

/* Follows the steps of the path that name one place each through the text of a JSON document.
 * Returns how many of them are there, and where the value of the last of these begins. */
size_t place_json(const char *body, size_t len, const struct jsonpath *, size_t *off);

/* The longest beginning of `part` that is somewhere in the body, whatever the case of its ASCII letters:
 * its length (0: not even one byte) and where it stands first. */
size_t place_nearest(const char *body, size_t len, const char *part, size_t part_len, size_t *off);

#endif
