/* SPDX-License-Identifier: MIT
 * story.h - the post-mortem of a span of time, written from what was recorded and from nothing else.
 *
 * Pure.  story_tell() makes one report (JSON, docs/postmortem.md) of events, verdict changes and blame; the
 * printers below turn that report into text for people.  Every fact says how it is known: `measured` (a
 * probe, a proxy or a commit said so at that moment) or `inferred` (computed here; `rule` says how).
 * Times are UTC milliseconds.  All input is untrusted text: the printers escape it. */
#ifndef SWITCHD_CORE_STORY_H
#define SWITCHD_CORE_STORY_H

#include <jansson.h>

#include "switchd/base/buf.h"
#include "switchd/core/model.h"

enum {
	STORY_MAX_EVENTS = 5000,        /* of one report; more are counted under `missing` */
	STORY_MAX_SPANS = 4096,
	STORY_MAX_TEXT = 8 * 1024 * 1024,       /* of a printed report */
};

struct story_in {
	const char *service;
	wall_ms from, to;               /* what is asked for; to = now for what still goes on */
	const json_t *events;           /* as event_json() makes them, oldest first; those outside the span are left out */
	/* Verdict changes, oldest first, also from before the span (they say how it began):
	 * {"at","slot","feature","verdict","release"} */
	const json_t *changes;
	const json_t *blame;            /* {"FEATURE": blame...} for the lost ones, or NULL */
	wall_ms have_from;              /* what is older than this was trimmed; 0 = nothing is missing */
	bool store_away;                /* what others committed meanwhile is not in it */
	const json_t *missing;          /* more that is not known, as sentences; or NULL */
};

/* A new reference. */
json_t *story_tell(const struct story_in *);

/* The features that the events of a span call lost: what blame should be asked about. */
json_t *story_lost(const json_t *events, wall_ms from, wall_ms to);    /* array of names */

/* Printers of a report.  What does not fit is cut and said (buf.full). */
void story_md(const json_t *report, struct buf *out);
void story_csv(const json_t *report, struct buf *out);         /* one fact a line, RFC 4180 */
void story_html(const json_t *report, struct buf *out);        /* one file, no script, nothing from outside */
void story_svg(const json_t *report, struct buf *out);         /* the picture alone */

#endif
