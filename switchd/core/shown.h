/* SPDX-License-Identifier: MIT
 * shown.h - the public record of a service: one line that is pushed with each commit that changes what a
 * proxy must show, kept under the key a:SERVICE, and read by agents and by load balancers.
 *
 *   sw2 GEN EPOCH SLOT shield|plain RELEASE CID SEQ US MODE CONDEMNED SIG      ("-" = none)
 *   sw1 GEN EPOCH SLOT RELEASE CID SEQ US CONDEMNED SIG                        (schema 1: it does not tell the shield)
 *
 * US is the clock of Redis at the commit, in microseconds; CONDEMNED is the release that the commit condemned. */
#ifndef SWITCHD_CORE_SHOWN_H
#define SWITCHD_CORE_SHOWN_H

#include "switchd/core/model.h"

enum { SHOWN_TEXT_MAX = 512 };

struct shown {
	name_text service;              /* not in the line: whose it is */
	int schema;                     /* 1, 2 */
	struct proxy_value value;       /* schema 1: shield is false, and not to be believed */
	id_text release;                /* "" = not known */
	id_text cid;                    /* request id of the commit: its identity */
	uint64_t seq;
	int64_t us;
	enum move_mode mode; bool stamped;      /* stamped: the store's history was mended, mode says nothing; schema 1: neither is told */
	id_text condemned;              /* "" = none */
};

/* Untrusted text.  False: it is none (why says so, static text); out is not touched then.  The service is left "". */
MUSTCHECK bool shown_parse(const char *text, size_t len, struct shown *out, const char **why);

#endif
