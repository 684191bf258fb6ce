/* SPDX-License-Identifier: MIT
 * buf.h - a growing byte buffer with a maximum at birth.
 *
 * Past the maximum nothing is added, `full` is set and stays set; the calls
 * return false.  data is NUL-terminated (the NUL is not counted) once anything
 * was added or buf_str() was called. */
#ifndef SWITCHD_BASE_BUF_H
#define SWITCHD_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "switchd/base/must.h"

struct buf {
	char *data;
	size_t len, cap, max;
	bool full;
};

#define BUF_INIT(maximum) ((struct buf){ .max = (maximum) })

void buf_init(struct buf *, size_t max);
void buf_free(struct buf *);            /* leaves an empty, usable buffer */
void buf_clear(struct buf *);           /* keeps the memory, clears `full` */
bool buf_add(struct buf *, const void *data, size_t n);   /* all or nothing */
bool buf_adds(struct buf *, const char *s);
bool buf_addf(struct buf *, const char *fmt, ...) PRINTF(2, 3);
void buf_drop(struct buf *, size_t n);  /* removes n bytes from the front */
const char *buf_str(struct buf *);      /* never NULL */
char *buf_take(struct buf *);           /* the caller owns the string; buf is empty after */

#endif
