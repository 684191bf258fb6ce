/* SPDX-License-Identifier: MIT
 * outside.h - what a configuration may take from outside of itself: the environment, and small files.
 *
 * Reads a file as a whole, without ever waiting for it: only regular files, of at most
 * OUTSIDE_FILE_MAX bytes, without a NUL in them.  It has the shape of config_env_fn. */
#ifndef SWITCHD_BASE_OUTSIDE_H
#define SWITCHD_BASE_OUTSIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "switchd/base/must.h"

enum { OUTSIDE_FILE_MAX = 64 * 1024 };

/* The file as a whole into `out`, with a NUL behind it; for any thread.  False: errno says why, as below. */
MUSTCHECK bool outside_read(const char *path, char out[OUTSIDE_FILE_MAX + 1], size_t *len);

/* A name that begins with a slash is a file, any other an environment variable.  NULL: there is none, and for a
 * file errno says why (EFBIG: too large, EINVAL: not a plain file, EILSEQ: has NUL bytes).  BORROWED until the
 * next call. */
const char *outside_lookup(const char *name, void *unused);

#endif
