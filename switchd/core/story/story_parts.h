/* SPDX-License-Identifier: MIT
 * story_parts.h - inside the post-mortem: what story.c read, for story_summary.c. */
#ifndef SWITCHD_CORE_STORY_PARTS_H
#define SWITCHD_CORE_STORY_PARTS_H

#include <string.h>

#include "switchd/base/must.h"
#include "switchd/core/json_text.h"
#include "switchd/core/story/story.h"
#include "switchd/core/verdict/verdict.h"

enum {
	MAX_TRACKS = 2 * (MAX_FEATURES + 1),    /* feature and slot; identity is one more */
	MAX_SERVED = 1024,
	EVIDENCE_REACH_MS = 60000,              /* evidence this much older than a verdict is of another time */
};

struct track { char feature[NAME_MAX_LEN + 1]; enum slot slot; size_t last; bool inferred; };
struct span { const struct track *track; int64_t from, to; enum verdict verdict; bool open; id_text release; };
struct served { int64_t from, to; enum slot slot; bool measured; };

struct story {
	int64_t from, to;
	json_t *events;         /* those of the span */
	struct track tracks[MAX_TRACKS]; size_t n_tracks;
	struct span spans[STORY_MAX_SPANS]; size_t n_spans;
	struct served served[MAX_SERVED]; size_t n_served;
	size_t events_left_out, spans_left_out;
};

/* Members of what came from outside: "" and 0 where there is none of that type. */
static inline int64_t num(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }
static inline bool kind_is(const json_t *e, const char *kind) { return strcmp(json_text(e, "kind"), kind) == 0; }

int64_t story_seen_ms(const struct story *, const struct span *);
json_t *story_summary(const struct story *);
const char *story_span_text(int64_t ms, char out[32]);  /* "105 ms", "2 h 30 min" */
void story_escape(struct buf *out, const char *);        /* text for HTML and XML */

#endif
