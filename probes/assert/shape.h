/* SPDX-License-Identifier: MIT
 * shape.h - what an answer looks like, for features that are only a path (B1.7).
 *
 * Status class, media type, and the top-level keys of a JSON object or the title of an
 * HTML page or the path of a redirect.  Learned from two answers of the active slot
 * (what differs between them is noise) and then demanded of the other. */
#ifndef PROBES_SHAPE_H
#define PROBES_SHAPE_H

#include <stddef.h>

#include "probes/assert/assert.h"

struct shape;

enum { SHAPE_MAX_KEYS = 256, SHAPE_MAX_JSON = 64 * 1024 };

/* NULL unless the status is 2xx, or 3xx with a location.  content_type and location may be NULL. */
struct shape *shape_learn(long status, const char *content_type, const char *location, const char *body, size_t len);

/* What two answers share; NULL when they differ in status class or media type. */
struct shape *shape_common(const struct shape *, const struct shape *);

enum outcome shape_check(const struct shape *, const struct answer *, const char *location, char want[ASSERT_TEXT], char got[ASSERT_TEXT]);

char *shape_json(const struct shape *);         /* one line; the caller frees it */
struct shape *shape_parse(const char *json);    /* from the store, so untrusted: NULL when it is not one of ours */
void shape_free(struct shape **);

#endif
