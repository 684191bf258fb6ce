/* SPDX-License-Identifier: MIT
 * compare.h - old against new: what the old slot's answer has and the new slot's lacks (compare:).
 *
 * Facts are made of one answer: its status, media type, the path of a redirect, and for JSON every path of keys
 * that is in it ("$.items[].price"; all items of a list are one) with the numbers of items; of a page the number of nodes that an XPath finds.  What the new one has
 * more is no difference.  What the old slot does not repeat when it is asked again is noise, and does not count.
 * Pure; what is made of a hostile body is bounded, and what is beyond the bounds is not compared. */
#ifndef PROBES_COMPARE_H
#define PROBES_COMPARE_H

#include <jansson.h>

#include "probes/assert/assert.h"
#include "switchd/core/config/config.h"

enum { COMPARE_MAX_PATHS = 2000, COMPARE_MAX_DEPTH = 24, COMPARE_MAX_NOISE = 512 };

struct facts;
struct xpath;

/* location and xpath may be NULL.  What the xpath finds is counted when the answer is a page: by its type, HTML or XML. */
struct facts *facts_of(struct answer *, const char *location, const struct xpath *);
void facts_free(struct facts **);
bool facts_whole(const struct facts *);         /* false: there was more than is compared */

/* What differs between two answers of one slot, either way round, is added to the noise: a set of paths. */
struct noise { json_t *paths; };
void noise_learn(struct noise *, const struct facts *, const struct facts *again, const struct compare_config *);
void noise_clear(struct noise *);

/* The first difference that is not noise: want is what the old one has, got what stands there in the new one.
 * False: there is none. */
MUSTCHECK bool facts_differ(const struct facts *was, const struct facts *now, const struct noise *, const struct compare_config *,
			    char want[ASSERT_TEXT], char got[ASSERT_TEXT]);

/* Does the pattern of ignore: name this path, or one above it? */
bool compare_ignored(const struct compare_config *, const char *path);

#endif
