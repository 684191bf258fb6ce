/* SPDX-License-Identifier: MIT
 * report.h - a span of a service's life in numbers: what was done, what would have been done, how often that was or would
 * have been wrong, and whether it is time to enforce (pure).
 *
 * What counts as wrong (docs/operations.md says it for users).  A rollback, done or only told (`rollback.would`):
 *  - came back: every feature it was for was present again on the same slot within `calm_ms`, and nobody had moved traffic,
 *    filled that slot or put anything else there meanwhile (a rollback that was done is judged so only until traffic moves,
 *    which it did: so only those that were told);
 *  - contradicted: a person muted one of its features within an hour, pardoned its release, or noted "false alarm" within a day.
 * A refusal that was only told (`deploy.would_refuse`): the release went live all the same and was good for a bake, and
 * nothing was lost on it. */
#ifndef SWITCHD_CORE_REPORT_H
#define SWITCHD_CORE_REPORT_H

#include <jansson.h>

#include "switchd/base/buf.h"
#include "switchd/core/model.h"

enum {
	REPORT_MUTE_MS = 3600 * 1000,           /* a mute so soon after is an answer to it */
	REPORT_NOTE_MS = 24 * 3600 * 1000,
	REPORT_WATCH_MS = 24 * 3600 * 1000,     /* less than a day watched is too little to enforce on */
	REPORT_WATCH_PERCENT = 90,              /* of the span */
	REPORT_MAX_WRONG = 50, REPORT_MAX_GAPS = 50,    /* listed; all are counted */
};

struct report_in {
	const char *service;
	enum run_mode mode;
	wall_ms from, to;
	const json_t *lines;            /* of the archive, oldest first: events and `ledger.verdict` */
	bool complete;                  /* false: older lines were left out */
	const json_t *watched;          /* [[from,to,"why nobody watched before"],...] */
	const json_t *counts;           /* [{"feature","slot","probes","absents","lost"},...] */
	wall_ms counts_since;
	const json_t *weak;             /* names of critical features whose probe is not known to be able to fail */
	int64_t calm_ms;                /* coming back within it, by itself: it was nothing */
	bool target;                    /* there is a rollback target now */
};
json_t *report_make(const struct report_in *);  /* a new reference; docs/api.md */

/* For people; md: as markdown. */
void report_print(const json_t *report, bool md, struct buf *out);

#endif
