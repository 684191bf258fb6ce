/* SPDX-License-Identifier: MIT
 * must.c - abort on bugs, and allocators that never return NULL. */
#include "switchd/base/must.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void must_failed(const char *file, int line, const char *func, const char *what)
{
	fprintf(stderr, "bug: %s:%d: %s: %s\n", file, line, func, what);
	abort();
}

void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	must(p != NULL);
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	must(p != NULL);
	return p;
}

void *xrealloc(void *p, size_t n)
{
	void *q = realloc(p, n ? n : 1);

	must(q != NULL);
	return q;
}

char *xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xmalloc(n), s, n);
}

/* What is large and mostly empty, as a service, takes memory only where it is written: told, since glibc moves its threshold
 * past that with the first larger block that is freed.  And a document of many small nodes (256 KiB of JSON make 10 MiB) is
 * freed without giving its pages back, to be faulted in again with the next: that was a third of the longest turn. */
void heap_habits(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024);
}
