/* SPDX-License-Identifier: MIT
 * agent.h - what an agent makes of a record that it is told: forward in (generation, epoch), or not at all.
 *
 * Equal versions are one only by the request id of their commit; a lower one never takes a higher one's place, whoever
 * tells it (I7).  A release that was seen condemned in an older generation is not made active in a newer one, because the
 * generation may have begun with a store that had lost that; within one generation the commit script has judged and is
 * obeyed.  What `force` makes active is a person's word, and makes it forgotten. */
#ifndef SWITCHD_CORE_AGENT_H
#define SWITCHD_CORE_AGENT_H

#include "switchd/core/shown.h"

enum {
	AGENT_SEEN = 64,                /* condemned releases remembered of one service: the oldest gives way */
	AGENT_FUTURE_S = 300,           /* a generation is a time in seconds: so far may the clocks lie apart (state.md 9) */
};

struct agent_condemned { id_text release; struct version at; };      /* at: of the record that condemned it */

/* What an agent has of one service; all zero = nothing.  Plain data: copy it by assignment. */
struct agent_holds {
	bool known;
	struct proxy_value value;
	id_text release, cid;           /* "" = not known: the value was found in a proxy */
	struct agent_condemned seen[AGENT_SEEN]; size_t n_seen;     /* oldest first */
};

enum agent_judged {
	AG_APPLY,       /* newer, or what a proxy was found to show already, now with its identity */
	AG_SAME,
	AG_AHEAD,       /* lower than what is held: the store has lost something, or a replica lags */
	AG_FORK,        /* the version that is held, of another commit */
	AG_REFUSED,     /* makes a release active that was seen condemned */
	AG_FUTURE,      /* a generation that no clock has reached */
	AG_UNREAD,      /* of a schema that does not tell the whole value */
	N_AGENT_JUDGED
};
/* As it is reported: "ok" "ahead" "fork" "refused". */
const char *agent_judged_name(enum agent_judged);

enum agent_judged agent_judge(const struct agent_holds *, const struct shown *told, wall_ms now);
/* The record becomes what is held.  forgotten: the release that is taken off the seen ones by it, "" = none. */
void agent_take(struct agent_holds *, const struct shown *told, id_text forgotten);
/* Remembered as condemned by the record of that version. */
void agent_saw(struct agent_holds *, const char *release, struct version at);
const struct agent_condemned *agent_condemned_find(const struct agent_holds *, const char *release);      /* NULL: not seen */
/* A value that a proxy was found to show before any record was told: held if it is higher.  A pin is not, and what is of the future. */
void agent_found(struct agent_holds *, const struct proxy_value *, wall_ms now);

#endif
