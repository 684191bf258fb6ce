/* SPDX-License-Identifier: MIT
 * must.h - the three manners of failure, part one: a bug aborts.
 *
 * must() and never() are for bugs only; they print where and abort, in release
 * builds too.  The world's failures are values: a fallible function returns
 * MUSTCHECK bool or a named outcome.  The x* allocators never return NULL. */
#ifndef SWITCHD_BASE_MUST_H
#define SWITCHD_BASE_MUST_H

#include <stddef.h>

#define MUSTCHECK __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define NORETURN __attribute__((noreturn))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define must(cond) ((cond) ? (void)0 : must_failed(__FILE__, __LINE__, __func__, #cond))
#define never(why) must_failed(__FILE__, __LINE__, __func__, why)

NORETURN void must_failed(const char *file, int line, const char *func, const char *what);

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
/* Once, first thing in a process that runs for ever: how the heap takes pages and gives them back. */
void heap_habits(void);

#endif
