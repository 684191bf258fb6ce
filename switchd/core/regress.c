/* SPDX-License-Identifier: MIT
 * regress.c - the record goes where the traffic is. */
#include "switchd/core/regress.h"

void record_follow(struct record *r, enum slot to, wall_ms at, const char *reason)
{
	enum slot left = r->active;

	if (left == to || to > GREEN)
		return;
	if (left <= GREEN && r->slot[left].id[0])
		r->slot[left].state = RS_LEFT;
	r->slot[to].state = r->slot[to].was_good ? RS_GOOD : RS_LIVE;
	r->active = to;
	r->shield = false;
	r->claim = (struct claim){ .slot = NO_SLOT };
	r->pin = (struct pin){ .slot = NO_SLOT };
	if (r->deploy.id && (r->deploy.outcome == DO_RUNNING || r->deploy.outcome == DO_READY)) {
		r->deploy.outcome = DO_ABORTED;
		r->deploy.ended = at;
		TEXT_COPY(r->deploy.reason, reason);
	}
	if (r->drill.on) {
		r->drill.on = false;
		r->drill.ended = at;
		TEXT_COPY(r->drill.how, reason);
	}
	r->phase = PH_STEADY;
	r->phase_since = at;
	r->phase_until = (wall_ms){ 0 };
	r->move = (struct move){ .mode = MOVE_FORCE, .from = left, .to = to, .undone = true, .decided = at, .acked_us = -1, .observed_us = -1 };
	TEXT_COPY(r->move.by, "switchd");
	TEXT_COPY(r->move.reason, reason);
}
