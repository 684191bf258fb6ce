/* SPDX-License-Identifier: MIT
 * drain.c - the slot that was left: its long-lived sessions are cut when the drain is over (B5.6). */
#include "switchd/engine/service.h"

static void sessions_cut(void *arg, bool known, uint64_t sessions)
{
	struct px *p = arg;
	char text[64];

	p->cutting = false;
	if (!known || !sessions)
		return;
	TEXT_FORMAT(text, "%llu long-lived sessions of %s were cut", (unsigned long long)sessions, slot_name(p->cut_slot));
	px_event(p, "drain.cut", "the drain is over", text);
}

static void cut_now(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct px *p = t->data;

	(void)loop;
	(void)revents;
	if (p->s->e->standby || p->s->rec.active == p->cut_slot || p->s->rec.active == NO_SLOT || p->s->cfg->mode == MODE_OBSERVE)
		return;
	if (p->s->rec.shield) { /* what the old slot answers now is what the shield asks of it: cutting that would be a failure of ours (I1a) */
		ev_timer_set(t, (double)p->s->cfg->drain_ms / 1000.0, 0.);
		ev_timer_start(p->s->e->loop, t);
		return;
	}
	p->cutting = true;
	proxy_cut_sessions(p->proxy, p->cut_slot, sessions_cut, p);
}

void px_drain_init(struct px *p)
{
	ev_init(&p->cut, cut_now);
	p->cut.data = p;
}

void traffic_drain(struct service *s, enum slot left)
{
	if (left == NO_SLOT)
		return;
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		struct px *p = &s->px[i];

		p->cut_slot = left;
		ev_timer_stop(s->e->loop, &p->cut);
		ev_timer_set(&p->cut, (double)s->cfg->drain_ms / 1000.0, 0.);
		ev_timer_start(s->e->loop, &p->cut);
	}
}
