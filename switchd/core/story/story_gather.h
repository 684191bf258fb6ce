/* SPDX-License-Identifier: MIT
 * story_gather.h - from where a post-mortem comes: the archive, the store's stream, what a process remembers.
 *
 * Pure.  Each source may lack something and may repeat what another has; a fact that two of them tell is told
 * once.  What no source has is named in the report, never guessed at. */
#ifndef SWITCHD_CORE_STORY_GATHER_H
#define SWITCHD_CORE_STORY_GATHER_H

#include "switchd/core/story/story.h"

enum {
	STORY_BEFORE = 2000,            /* lines of the archive from before a span: they say how it began */
	STORY_PAD_MS = 2000,            /* shown before the first and after the last event of a deploy */
};

struct story_source {
	const char *service;
	wall_ms from, to;
	wall_ms now;
	const json_t *before, *lines;   /* of the archive: up to the span, and in it; NULL = none */
	const json_t *events;           /* of the stream or of memory, oldest first; NULL */
	const json_t *changes;          /* verdict changes that a process remembers, oldest first; NULL */
	bool cut, store_away;           /* cut: the archive could not be read to its end */
};

/* Events of all sources, each once, oldest first.  A new reference. */
json_t *story_events(const struct story_source *);

/* When deploy `id` was, by its events: from its claim or start to what ended it.  False: it is in none of them.
 * open: nothing ended it yet, and to is now. */
MUSTCHECK bool story_deploy_span(const json_t *events, uint64_t id, wall_ms now, wall_ms *from, wall_ms *to, bool *open);

/* A blame answer (docs/ledger.md) as a cause: {"text","changed":[{"field","from","to"}]}; NULL when it names nobody. */
json_t *story_cause(const json_t *blame);

/* The report.  events: as story_events() gave them; causes: {"FEATURE": story_cause()} or NULL. */
json_t *story_of(const struct story_source *, const json_t *events, const json_t *causes);

#endif
