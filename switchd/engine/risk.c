/* SPDX-License-Identifier: MIT
 * risk.c - committed, and do replicas have it?  Where a failover could still lose a commit, its answer says so.
 *
 * Nothing waits for replicas but the answer to whoever asked: traffic moves as soon as the commit stands. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/engine/service.h"

struct unrisked {
	struct order *order;
	struct order_result result;
	uint64_t seq;
	TAILQ_ENTRY(unrisked) link;
};

static void answer(struct service *s, struct unrisked *u, int acked)
{
	TAILQ_REMOVE(&s->unrisked, u, link);
	u->result.replicas = acked;
	u->result.at_risk = acked < store_replicas(s->e->store);
	order_end(s, u->order, &u->result);
	free(u);
}

bool risk_waits(struct service *s, struct order *o, const struct order_result *r, uint64_t seq)
{
	struct unrisked *u = xcalloc(1, sizeof(*u));

	u->order = o;
	u->result = *r;
	u->seq = seq;
	TAILQ_INSERT_TAIL(&s->unrisked, u, link);
	return true;
}

void risk_end(struct service *s)
{
	while (!TAILQ_EMPTY(&s->unrisked))
		answer(s, TAILQ_FIRST(&s->unrisked), -1);
}

static void told(struct engine *e, bool risk, int acked)
{
	static struct event ev;

	if (risk == e->at_risk)
		return;
	e->at_risk = risk;
	e->risk_events += risk;
	memset(&ev, 0, sizeof(ev));
	TEXT_COPY(ev.kind, risk ? "store.at_risk" : "store.replicated");
	TEXT_COPY(ev.by, "switchd");
	ev.at = wall_now();
	ev.from = ev.to = NO_SLOT;
	ev.because = risk ? "committed, at risk: fewer replicas than wanted have it, and a failover now could lose it"
			  : "enough replicas have every commit again";
	if (acked < 0)
		TEXT_FORMAT(ev.detail, "the connection was lost before they could be asked, %d wanted", store_replicas(e->store));
	else
		TEXT_FORMAT(ev.detail, "%d of %d", acked, store_replicas(e->store));
	publish_event(e, &ev);
}

static void said(void *arg, uint64_t gen, uint64_t seq, int acked)
{
	struct engine *e = arg;

	(void)gen;
	e->replicas_had = acked;
	told(e, acked < store_replicas(e->store), acked);
	for (size_t i = 0; i < e->n; i++) {
		struct unrisked *u, *next;

		for (u = TAILQ_FIRST(&e->services[i]->unrisked); u; u = next) {
			next = TAILQ_NEXT(u, link);
			if (u->seq <= seq || acked < 0)
				answer(e->services[i], u, acked);
		}
	}
}

void risk_start(struct engine *e) { store_watch_risk(e->store, said, e); }
