/* SPDX-License-Identifier: MIT
 * agent_word.h - what an agent says of one service, out of the JSON that it reports (docs/fleet.md).
 *
 * Untrusted text in, checked values out: no clock, no state.  What is only odd is left out or read as "not known";
 * whether a version may be believed is judged by engine/fleet.c, which knows the record. */
#ifndef SWITCHD_ENGINE_AGENT_WORD_H
#define SWITCHD_ENGINE_AGENT_WORD_H

#include "switchd/core/fleet.h"
#include "switchd/proxy/agent.h"

struct agent_said {
	struct agent_word word;                 /* heard is 0: that is not in the text */
	char state[16];                         /* printable; "" = it did not say */
	bool told_known; struct version told;   /* the newest version that it heard of */
	id_text cid;                            /* "" = none */
	id_text condemned[FLEET_CONDEMNED]; size_t n_condemned;
};

/* False: no object of JSON; *out is not touched then. */
MUSTCHECK bool agent_word_parse(const char *text, size_t len, struct agent_said *out);

#endif
