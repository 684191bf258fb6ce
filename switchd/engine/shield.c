/* SPDX-License-Identifier: MIT
 * shield.c - what the shield caught, by the proxy's own counters. */
#include "switchd/engine/service.h"

static void shield_said(void *arg, bool known, uint64_t caught, uint64_t missed)
{
	struct px *p = arg;
	struct service *s = p->s;
	enum slot k = p->shield_slot;
	mono_us now = mono_now();
	bool first = !p->shield_known[k] || caught < p->caught0[k] || missed < p->missed0[k]; /* or HAProxy began to count anew */
	uint64_t more = first ? 0 : caught - p->caught0[k], more_missed = first ? 0 : missed - p->missed0[k];

	if (px_ending(p))
		return;
	p->shield_asking = false;
	if (!known)
		return;
	p->shield_known[k] = true;
	p->caught0[k] = caught;
	p->missed0[k] = missed;
	p->caught += more;
	s->caught_total += more;
	s->missed_total += more_missed;
	if (!more)
		return;
	p->caught_rise = now;
	/* Users' own traffic says that something is wrong: ask every feature now, at most once a second. */
	if (s->rec.active == k && mono_since_ms(now, s->last_caught) >= 1000) {
		s->last_caught = now;
		schedule_fresh(s->sched, k);
	}
	publish_change(s);
}

/* Read while the shield is up and a moment longer: what it caught last was answered before it came down.
 * HAProxy counts an answer of the other slot's server the same whether that slot was asked first or second,
 * so a slot's count is only known when it was read after the last time that the other one was active. */
void px_shield_beat(struct px *p, mono_us now)
{
	struct service *s = p->s;

	if (s->rec.shield && s->rec.active <= GREEN) {
		p->shield_until = mono_plus_ms(now, 3 * POLL_PROXY_MS);
		p->up_slot = s->rec.active;
		p->shield_known[other_slot(p->up_slot)] = false;
	}
	if (p->shield_asking || p->socket_down || !p->first_poll_done || p->next_shield.us > now.us)
		return;
	if (p->shield_until.us > now.us)
		p->shield_slot = p->up_slot;
	else if (!p->shield_known[BLUE] || !p->shield_known[GREEN])
		p->shield_slot = p->shield_known[BLUE] ? GREEN : BLUE;
	else
		return;
	p->shield_asking = true;
	p->next_shield = mono_plus_ms(now, p->shield_until.us > now.us ? POLL_PROXY_MS : 0);
	proxy_shield(p->proxy, p->shield_slot, shield_said, p);
}
