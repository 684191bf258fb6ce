/* SPDX-License-Identifier: MIT
 * reconcile.h - the rules by which a proxy is brought to the value it must show, and kept there.
 *
 * What the end of an apply and what a poll mean, and what the keeper of the proxy does next: one controller for its own
 * proxies (engine/traffic.c), an agent for the ones of its host (keep.c).  Pure: answers and time are handed in, nothing is
 * written here.  A pin by hand and a higher version are left alone (I7); a foreign value is put right once, and written again
 * within a minute it is a fight (B5.6).  The struct is the keeper's; zeroed is a proxy that was never told. */
#ifndef SWITCHD_PROXY_RECONCILE_H
#define SWITCHD_PROXY_RECONCILE_H

#include "switchd/proxy/proxy.h"

struct reconcile {
	bool forgiving;         /* it comes back with what it held then, whoever was away: nobody fights (an agent's word) */
	bool acked;             /* its own read back has said the wanted value */
	mono_us acked_at;       /* since when; stays when it is told once more */
	bool fight;             /* somebody else writes it again and again: left alone */
	mono_us foreign_at;     /* a foreign value was put right last */
	mono_us retry_at; int64_t retry_ms;     /* an apply failed: the next one is due then; 0 = none is */
	bool away;              /* it was down, or another process since: what it shows is no foreign word */
	bool forgiven;          /* one older value was put right without a word, since it was told this one */
};

/* Nobody answered, or not to the end. */
bool reconcile_down(enum proxy_result);

/* Another value is wanted from now on. */
void reconcile_want(struct reconcile *);
/* An apply begins: no other is due. */
void reconcile_telling(struct reconcile *);
bool reconcile_due(const struct reconcile *, mono_us now);

enum reconcile_told {
	TOLD_ACKED,
	TOLD_PIN,               /* a pin by hand stands in the running proxy */
	TOLD_NEWER,             /* it shows a higher version */
	TOLD_FAILED             /* again at retry_at */
};
/* What the end of an apply means.  A pin of the map file alone passes: it was written this moment, or is over and the file could
 * not be replaced yet; that is TOLD_FAILED. */
enum reconcile_told reconcile_told(struct reconcile *, const struct proxy_answer *, mono_us now);

enum reconcile_seen {
	SEEN_LEAVE,
	SEEN_PIN,
	SEEN_NEWER,
	SEEN_TELL,              /* the wanted value, but tell it again: it was away, or has not acknowledged it */
	SEEN_LOST,              /* tell it again; nobody is to blame (a reload with an older file) */
	SEEN_FOREIGN,           /* tell it again, and say that somebody else wrote */
	SEEN_FIGHT              /* a fight begins: say so */
};
/* What a poll asks for, while no apply is under way.  want NULL: nothing is wanted (a pin is seen all the same).  SEEN_LOST,
 * SEEN_FOREIGN and SEEN_FIGHT take `acked` back. */
enum reconcile_seen reconcile_seen(struct reconcile *, const struct proxy_answer *, const struct proxy_value *want, mono_us now);

#endif
