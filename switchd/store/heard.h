/* SPDX-License-Identifier: MIT
 * heard.h - the text of what is published, read: whoever may publish may say anything.  Values only.
 *
 *   push SERVICE LINE            a commit that moves traffic; LINE is for core/shown.h
 *   hb GEN TOP US                a leader renewed its lease
 *   bye OWNER                    a leader stops
 *   ak1 AGENT 0|1 HEAD           a report, and below it a line "SERVICE JSON" of each service that changed, "SERVICE " of one that
 *                                is no more, or "*": more than a message holds
 *
 * HEAD, also what the roster keeps of an agent: GEN SEQ US STATUS DIGEST VERSION DETAIL; and of a service: US JSON. */
#ifndef SWITCHD_STORE_HEARD_H
#define SWITCHD_STORE_HEARD_H

#include "switchd/store/roster.h"

enum heard_kind { HEARD_NOTHING, HEARD_PUSH, HEARD_BEAT, HEARD_BYE };
struct heard_event {
	name_text service; const char *line; size_t len;        /* push; the line is BORROWED of the text */
	uint64_t gen, top;                                      /* beat */
};
enum heard_kind heard_event(const char *text, size_t len, struct heard_event *out);

/* Sets the members of a head: v, seq, us, status, digest, version, detail. */
MUSTCHECK bool heard_head(const char *text, size_t len, struct agent_seen *out);
/* Sets the name too; first: all that was said under it before is forgotten.  *rest: what heard_service() reads. */
MUSTCHECK bool heard_report(const char *text, size_t len, struct agent_seen *out, bool *first, const char **rest, size_t *rest_len);

/* The next line: false when there is none.  all: it is the "*"; service "": it is none, go on; len 0: the service is no more. */
struct heard_service { bool all; name_text service; const char *json; size_t len; };
MUSTCHECK bool heard_service(const char **rest, size_t *rest_len, struct heard_service *out);

/* What is kept of a service; *json is BORROWED of the text. */
MUSTCHECK bool heard_kept(const char *text, int64_t *us, const char **json);

#endif
