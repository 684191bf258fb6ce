/* SPDX-License-Identifier: MIT
 * text.h - copying and formatting into fixed arrays, and safe names.
 *
 * text_copy() and text_format() always terminate; they return false when the
 * text did not fit (the array then holds the beginning). */
#ifndef SWITCHD_BASE_TEXT_H
#define SWITCHD_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/base/must.h"

bool text_copy(char *dst, size_t size, const char *src);
bool text_copy_n(char *dst, size_t size, const char *src, size_t n);
bool text_format(char *dst, size_t size, const char *fmt, ...) PRINTF(3, 4);
#define TEXT_COPY(dst, src) text_copy((dst), sizeof(dst), (src))
#define TEXT_FORMAT(dst, ...) text_format((dst), sizeof(dst), __VA_ARGS__)

bool text_starts(const char *s, const char *prefix);

/* A whole decimal number without sign, space or overflow. */
MUSTCHECK bool text_u64(const char *s, uint64_t *out);

/* Services, features, proxies: [A-Za-z0-9][A-Za-z0-9_.-]{0,62} (design faults 5.4).
 * Checked at config, API, Redis-read and again at the adapter's edge. */
#define NAME_MAX_LEN 63
bool name_ok(const char *s);

/* Release ids, actors, request ids: [A-Za-z0-9._:@/+-]{1,64} (state.md 2). */
#define ID_MAX_LEN 64
bool id_ok(const char *s);

/* Printable copy of hostile bytes: control bytes and invalid UTF-8 become '?'. */
void text_printable(char *dst, size_t size, const char *src, size_t n);

/* The nearest of the candidates for "did you mean", or NULL when none is near. */
const char *text_nearest(const char *word, const char *const *candidates, size_t n);

/* In a list sorted by name, whose elements of `size` bytes begin with the name as text: where it is, or where it would be. */
size_t text_place(const void *list, size_t n, size_t size, const char *name, bool *there);

#endif
