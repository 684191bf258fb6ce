/* SPDX-License-Identifier: MIT
 * readiness.h - is there a way back at this very moment, and if not, why not (pure).
 *
 * decide_rollback_target() says whether the record would let traffic go back.  Readiness asks more: whether the slot there
 * would serve what the active one serves, on answers that are recent.  It decides nothing: automation asks anew (B4). */
#ifndef SWITCHD_CORE_READINESS_H
#define SWITCHD_CORE_READINESS_H

#include "switchd/core/decide/decide.h"

/* What may stand in the way: labels of a metric, so the set is closed. */
enum blocked {
	BLOCKED_NO_ACTIVE, BLOCKED_SEALED, BLOCKED_CLAIMED, BLOCKED_NO_RELEASE, BLOCKED_CONDEMNED, BLOCKED_NEVER_GOOD, BLOCKED_IDENTITY,
	BLOCKED_TARGETS, BLOCKED_FEATURES, BLOCKED_UNKNOWN, BLOCKED_STALE, BLOCKED_SUSPECT,
	N_BLOCKED
};
const char *blocked_name(enum blocked);         /* "sealed": as in metrics and API */

struct readiness {
	bool ready;
	unsigned blocked;               /* bits by enum blocked */
	enum slot slot;                 /* the idle one */
	int64_t proved_ms;              /* since the oldest answer that it stands on was asked for; -1 = there is none */
	char why[160];                  /* for people; "" when ready */
};
void readiness_look(const struct record *, const struct world *, struct readiness *out);

#endif
