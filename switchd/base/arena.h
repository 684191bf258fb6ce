/* SPDX-License-Identifier: MIT
 * arena.h - memory that is freed as a whole (a config lives in one).
 * Not thread-safe.  Allocations are zeroed and aligned for any type. */
#ifndef SWITCHD_BASE_ARENA_H
#define SWITCHD_BASE_ARENA_H

#include <stddef.h>

#include "switchd/base/must.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena **);
void *arena_alloc(struct arena *, size_t n);
char *arena_str(struct arena *, const char *s);
char *arena_strn(struct arena *, const char *s, size_t n);
char *arena_format(struct arena *, const char *fmt, ...) PRINTF(2, 3);

#endif
