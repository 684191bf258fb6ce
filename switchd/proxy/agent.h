/* SPDX-License-Identifier: MIT
 * agent.h - a proxy that another process drives: the switchd --role agent on the proxy's own host.
 *
 * The record reaches the agent through the store, so there is nothing to write from here: an apply is over when
 * the agent's word says that the proxy shows the value.  Only engine/fleet.c includes this; it hands over each word. */
#ifndef SWITCHD_PROXY_AGENT_H
#define SWITCHD_PROXY_AGENT_H

#include "switchd/proxy/proxy.h"

enum {
	AGENT_SILENT_MS = 7000,         /* three reports of 2 s and a moment: who says nothing for so long is down */
	AGENT_APPLY_MS = 2000,          /* an apply waits so long for the agent's word, then it is unknown */
	AGENT_FIRST_MS = 3000,          /* after a start, or a new connection to the store: so long nothing is concluded from silence */
};

struct agent_word {
	mono_us heard;                  /* 0 = never */
	enum proxy_result result;       /* PX_OK, or why its proxy does not show the value */
	char detail[200];
	bool has_value; struct proxy_value value;
	bool durable;
	/* Why a proxy could not be flipped to that slot; "" = each could, as far as is known. */
	bool ready_asked; char ready[2][200];   /* ready_asked: it is being found out, and told soon */
	bool up_known; int up[2], all[2];       /* servers of each slot, by the proxy's own checks */
	bool shield_known; uint64_t caught[2], missed[2];
};

/* A proxy of type agent.  since: the roster counts from then (0: it is not known yet, and silence says nothing). */
void proxy_agent_told(struct proxy *, const struct agent_word *, mono_us roster_since);

#endif
