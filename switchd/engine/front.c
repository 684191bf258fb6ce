/* SPDX-License-Identifier: MIT
 * front.c - what clients of a proxy get: observed = answers in a row through its front, each on a new connection, came from
 * the active slot with the committed version (B5.3). */
#include "switchd/engine/service.h"

#include "switchd/base/failpoint.h"
#include "switchd/base/log.h"

enum {
	REOBSERVE_MS = 5,       /* after an answer of the old value */
	REOBSERVE_DOWN_MS = 50, /* after no answer at all */
};

static bool has_front(const struct px *p) { return p->cfg->front[0] || p->s->cfg->front[0]; }

bool px_can_observe(const struct px *p)
{
	return has_front(p) && proxy_can_stamp(p->proxy) && (!p->stamp_known || p->stamps);
}

static void observed_answer(void *arg, const struct probe_result *r)
{
	struct px *p = arg;

	if (r->outcome == OUT_CANCELLED) /* the runner is ending */
		return;
	p->observing = false;
	traffic_stamp(p->s, r);
	if (p->observed || !p->rc.acked || (p->stamp_known && !p->stamps))
		return;
	int64_t ms = r->complete ? (p->in_a_row ? 0 : REOBSERVE_MS) : REOBSERVE_DOWN_MS;

	ev_timer_stop(p->s->e->loop, &p->reobserve);
	ev_timer_set(&p->reobserve, (double)ms / 1000.0, 0.);
	ev_timer_start(p->s->e->loop, &p->reobserve);
}

void px_observe(struct px *p)
{
	struct probe_job job = { .via = VIA_FRONT, .purpose = PURPOSE_OBSERVE, .slot = p->s->rec.active, .proxy = p->index, .release = "", .fresh = true };

	if (p->observing || p->observed || !p->rc.acked || !px_can_observe(p))
		return;
	p->observing = true;
	probe_start(p->s->runner, &job, observed_answer, p);
}

static void reobserve(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)revents;
	px_observe(t->data);
}

void px_observe_init(struct px *p)
{
	ev_init(&p->reobserve, reobserve);
	p->reobserve.data = p;
}

/* Every answer through a front says who answered, by which version (haproxy.md). */
void traffic_stamp(struct service *s, const struct probe_result *r)
{
	if (r->job.via != VIA_FRONT || r->job.proxy >= s->cfg->n_proxies)
		return;
	struct px *p = &s->px[r->job.proxy];
	struct proxy_value v;
	bool changed = p->front_answers != r->complete;

	p->front_answers = r->complete;
	if (!r->complete) {
		p->in_a_row = 0;
		goto out;
	}
	changed |= !p->stamp_known || p->stamps != (r->stamp_value[0] != '\0');
	if (!r->stamp_value[0]) {
		/* A proxy with no server left answers 503 by itself; the snippet stamps that answer too, without a slot. */
		if (!p->stamp_known || p->stamps)
			log_warn("proxy", "service=%s proxy=%s what=\"the front does not stamp: is `http-response set-header X-Switchd` of the snippet in the frontend?\"",
				 s->cfg->name, p->cfg->name);
		p->stamp_known = true;
		p->stamps = false;
		p->in_a_row = 0;
		goto out;
	}
	p->stamp_known = p->stamps = true;
	if (!proxy_value_parse(r->stamp_value, &v))
		goto out;
	p->front_slot = v.slot;
	enum slot by = NO_SLOT;
	bool by_slot = slot_parse(r->stamp_by, &by);

	if (p->has_want && proxy_value_same(&v, &p->want) && by_slot && by == v.slot) {
		if (r->job.purpose == PURPOSE_OBSERVE && ++p->in_a_row >= s->cfg->observe && p->rc.acked && !p->observed) {
			p->observed = true;
			p->observed_at = r->ended;
			FAILPOINT("engine.observed");
			changed = true;
		}
		goto out;
	}
	p->in_a_row = 0;
	if (p->has_want && p->rc.acked && !v.pin && version_cmp(v.v, p->want.v) < 0 && r->began.us > p->rc.acked_at.us) {
		/* A reload behind our back (the new worker read an older file, or the old one still answers), or somebody wrote: what
		 * its socket says decides. */
		if (p->observed)
			px_event(p, "proxy.regressed", "a front answered with an older version", r->stamp_value);
		p->observed = false;
		changed = true;
		px_look(p);
	}
out:
	if (changed) {
		publish_change(s);
		service_tick(s);
	}
}
