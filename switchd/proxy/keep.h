/* SPDX-License-Identifier: MIT
 * keep.h - one proxy kept at one value: told, read back, put right; its shield counted, what it left drained.
 *
 * For an owner that has a value and decides nothing by what the proxy does: an agent.  (A controller decides by it:
 * engine/traffic.c.)  The rules are reconcile.h's.
 *
 * Nothing is written before the owner says `write`, or before the proxy was seen with the wanted value: from then on it
 * is kept, because it had it.  Loop thread only.  changed() comes from the loop, never from inside a call of the owner; it
 * must not free the keep. */
#ifndef SWITCHD_PROXY_KEEP_H
#define SWITCHD_PROXY_KEEP_H

#include "switchd/proxy/proxy.h"

enum keep_state {      /* the worse the later */
	KEEP_OK,
	KEEP_BEHIND,           /* not asked yet, or told and not there yet */
	KEEP_PINNED,
	KEEP_AHEAD,            /* it shows a higher version */
	KEEP_REFUSED,
	KEEP_DOWN,
	KEEP_FIGHT,
	N_KEEP_STATES
};
const char *keep_state_name(enum keep_state);

struct keep_view {
	const struct proxy_config *cfg;
	enum keep_state state;
	bool asked;                     /* it has answered once, or failed to */
	enum proxy_result result; char detail[256];     /* of the last exchange; detail "" when it went well */
	enum proxy_result refusal; char refusal_detail[256];    /* KEEP_REFUSED: of the apply that was refused */
	bool has_value, durable; struct proxy_value value;      /* what it shows */
	int64_t us;                     /* the last apply took */
	/* Preflight, by slot: could it be flipped there?  N_PROXY_RESULTS = not asked yet. */
	enum proxy_result ready[2]; char ready_detail[2][256];
	int up[2], all[2];              /* servers of a slot that its own checks show up; -1 = not known */
	/* Its shield's counters while that slot was the active one, as it counts them: they begin anew with it. */
	bool counted[2]; uint64_t caught[2], missed[2];
	uint64_t cut;                   /* sessions cut after a drain */
};

struct keep;
typedef void keep_changed_fn(void *arg, bool counts_only);

/* Both configs are BORROWED for the life of the keep. */
struct keep *keep_new(struct ev_loop *, const struct service_config *, const struct proxy_config *, keep_changed_fn *, void *arg);
void keep_free(struct keep **);
/* write false: nothing is written for its sake (but see above). */
void keep_want(struct keep *, const struct proxy_value *, enum proxy_order, bool write);
void keep_unpin(struct keep *);               /* a person ended the pins: the next value that is told may overwrite one */
void keep_drain(struct keep *, enum slot left);       /* its sessions are cut after the service's drain, unless it is wanted again */
/* Every 100 ms or so.  slower: between two looks it waits so many times longer than 200 ms, for who keeps many. */
void keep_beat(struct keep *, mono_us now, int slower);
const struct keep_view *keep_look(const struct keep *);
bool keep_busy(const struct keep *);          /* an apply is under way */

#endif
