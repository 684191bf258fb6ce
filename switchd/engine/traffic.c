/* SPDX-License-Identifier: MIT
 * traffic.c - what each proxy shows: told, acknowledged, polled, put right.
 *
 * A proxy is told the record's value and nothing else.  acked = its own read back says so;
 * observed = its front says so (front.c).  A proxy of which neither socket nor front
 * answers is down: left out, asked for ever, re-asserted before it counts again (B5.4). */
#include "switchd/engine/service.h"

#include <stdlib.h>
#include <string.h>

#include "switchd/base/failpoint.h"
#include "switchd/base/log.h"

enum {
	NEWER_FIRST_MS = 2000, NEWER_MOST_MS = 30000, NEWER_FORGOTTEN_MS = 120000,
};

static bool px_down(const struct px *p) { return p->socket_down && !p->front_answers; }

const char *px_state(const struct px *p)
{
	if (p->s->cfg->mode == MODE_OBSERVE)
		return "not-written";
	if (px_down(p))
		return "down";
	if (p->s->e->standby)
		return p->has_value && p->value.pin ? "pinned" : p->has_value && version_cmp(p->value.v, p->s->rec.v) >= 0 ? "in-sync" : "behind";
	if (p->rc.fight)
		return "fight";
	if (p->has_value && p->value.pin)
		return "pinned";
	if (p->refused)
		return "refused";
	return p->rc.acked && (p->observed || !px_can_observe(p)) ? "in-sync" : "behind";
}

void proxy_event(struct service *s, const char *proxy, const char *kind, const char *because, const char *detail)
{
	static struct event ev;

	memset(&ev, 0, sizeof(ev));
	TEXT_COPY(ev.kind, kind);
	TEXT_COPY(ev.service, s->cfg->name);
	TEXT_COPY(ev.by, "switchd");
	ev.at = wall_now();
	ev.from = ev.to = s->rec.active;
	ev.from_v = ev.to_v = s->rec.v;
	ev.because = because;
	TEXT_FORMAT(ev.detail, "%s: %s", proxy, detail);
	publish_event(s->e, &ev);
}

void px_event(struct px *p, const char *kind, const char *because, const char *detail) { proxy_event(p->s, p->cfg->name, kind, because, detail); }

void proxy_fight(struct service *s, const char *proxy, const char *because, const char *shows)
{
	proxy_event(s, proxy, "proxy.fight", because, shows);
	log_error("human-needed", "service=%s because=%s detail=%s", s->cfg->name, LOG_Q(because), LOG_Q(shows));
}

/* ---- tell ---- */

static void note_value(struct px *p, const struct proxy_answer *a)
{
	p->known = true;
	p->last = a->result;
	TEXT_COPY(p->detail, a->result == PX_OK ? "" : a->detail[0] ? a->detail : proxy_result_sentence(a->result));
	p->has_value = a->has_value;
	if (a->has_value)
		p->value = a->value;
	p->socket_down = reconcile_down(a->result);
}

static void found_pin(struct px *p)
{
	struct input in = { .kind = IN_PIN, .slot = p->value.slot, .found_slot = p->value.slot, .found = true, .found_in_proxy = true,
			    .found_v = p->value.v, .by = "switchd" };

	if (p->s->rec.pin.on && p->s->rec.pin.slot == p->value.slot)
		return;
	TEXT_COPY(in.proxy, p->cfg->name);
	service_input(p->s, &in);
}

/* A proxy that shows a higher version than the record: the store lost something (B3, first start).  Again and again: another
 * controller, with a store of its own that was split from ours, sees ours the same way.  The two would raise generations without
 * end, faster than the clock that bounds them: each answer comes twice as late as the last. */
static void found_newer(struct px *p)
{
	mono_us now = mono_now();
	char text[PROXY_VALUE_TEXT];

	if (p->newer_at.us && mono_since_ms(now, p->newer_at) < p->newer_ms) {
		if (!p->rc.fight && p->newer_ms > NEWER_FIRST_MS)
			proxy_fight(p->s, p->cfg->name, "higher versions than ours come again and again: is there another controller, with a store split from ours?",
				 proxy_value_text(&p->value, text));
		p->rc.fight = p->rc.fight || p->newer_ms > NEWER_FIRST_MS;
		return;
	}
	p->newer_ms = p->newer_at.us && mono_since_ms(now, p->newer_at) < NEWER_FORGOTTEN_MS ? 2 * p->newer_ms : NEWER_FIRST_MS;
	if (p->newer_ms > NEWER_MOST_MS)
		p->newer_ms = NEWER_MOST_MS;
	p->newer_at = now;
	p->rc.fight = false;

	struct input in = { .kind = IN_START, .slot = NO_SLOT, .found_slot = p->value.slot, .found = true, .found_in_proxy = true,
			    .found_v = p->value.v, .by = "switchd" };

	TEXT_COPY(in.proxy, p->cfg->name);
	service_input(p->s, &in);
}

/* The gate's no is our own.  An agent that has not shown it yet may be about to (it was away, and is back with what it held
 * then): the flip waits for it until flip_timeout, and is not put back at once (B5.4). */
static bool no_refusal(const struct px *p, enum proxy_result r)
{
	return r == PX_FENCED || (r == PX_NOT_APPLIED && strcmp(p->cfg->type, "agent") == 0);
}

static void apply_done(void *arg, const struct proxy_answer *a)
{
	struct px *p = arg;
	struct service *s = p->s;

	if (px_ending(p))
		return;
	if (p->overtaken) { /* the one that was overtaken ends first; ours is still to come */
		p->overtaken = false;
		return;
	}
	p->applying = false;
	note_value(p, a);
	p->us = a->us;
	p->durable = a->durable;
	p->refused = false;
	if (!p->has_want) { /* another leads since: what was wanted is not repeated, and not observed */
		publish_change(s);
		return;
	}
	if (p->again) {
		p->again = false;
		px_apply(p);
		return;
	}
	switch (reconcile_told(&p->rc, a, mono_now())) {
	case TOLD_ACKED:
		if (!a->durable)
			log_warn("proxy", "service=%s proxy=%s what=\"not durable: %s\"", s->cfg->name, p->cfg->name, p->detail);
		px_observe(p);
		break;
	case TOLD_PIN:
		found_pin(p);
		break;
	case TOLD_NEWER:
		found_newer(p);
		break;
	case TOLD_FAILED:
		if (!p->socket_down && !no_refusal(p, a->result)) {
			p->refused = true;
			TEXT_FORMAT(p->refused_why, "%s: %.120s", p->cfg->name, p->detail);
		}
		if (log_due(&p->warned, a->detail[0] ? a->detail : proxy_result_name(a->result)))
			log_warn("proxy", "service=%s proxy=%s result=%s detail=%s", s->cfg->name, p->cfg->name, proxy_result_name(a->result), LOG_Q(a->detail));
		break;
	}
	publish_change(s);
	service_tick(s);
}

void px_apply(struct px *p)
{
	if (p->s->e->standby) /* who leads writes */
		return;
	/* A way back does not wait behind a disk that takes its time: the adapter lets it overtake. */
	if (p->applying && (p->order != ORDER_BACK || p->overtaken)) {
		p->again = true;
		return;
	}
	p->overtaken = p->applying;
	p->applying = true;
	reconcile_telling(&p->rc);
	proxy_apply(p->proxy, &p->want, p->order, apply_done, p);
}

void traffic_unpin(struct service *s)
{
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		proxy_unpin(s->px[i].proxy);
		s->px[i].rc.acked = false; /* it shows the pin: told again, whatever was acknowledged before */
	}
}

void traffic_apply(struct service *s, enum proxy_order order)
{
	struct proxy_value v = decide_value(&s->rec);

	if (s->cfg->mode == MODE_OBSERVE || v.slot == NO_SLOT || s->e->standby)
		return;
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		struct px *p = &s->px[i];
		bool changed = !p->has_want || !proxy_value_same(&p->want, &v);

		if (!changed && p->rc.acked)
			continue;
		if (changed) {
			reconcile_want(&p->rc);
			p->observed = false;
			p->in_a_row = 0;
		}
		p->want = v;
		p->has_want = true;
		p->order = order;
		px_apply(p);
	}
}

/* ---- poll: reloads, pins, foreign values ---- */

static void put_right(struct px *p, const struct proxy_answer *a)
{
	const struct service *s = p->s;
	bool wanted = p->has_want && s->loaded && s->cfg->mode != MODE_OBSERVE;
	char text[PROXY_VALUE_TEXT];
	const char *shows = a->has_value ? proxy_value_text(&a->value, text) : a->detail;
	enum reconcile_seen seen = reconcile_seen(&p->rc, a, wanted ? &p->want : NULL, mono_now());

	if (seen == SEEN_LOST || seen == SEEN_FOREIGN || seen == SEEN_FIGHT) {
		p->observed = false;
		p->in_a_row = 0;
	}
	switch (seen) {
	case SEEN_LEAVE:
		break;
	case SEEN_PIN:
		found_pin(p);
		break;
	case SEEN_NEWER:
		found_newer(p);
		break;
	case SEEN_FIGHT:
		proxy_fight(p->s, p->cfg->name, PROXY_FIGHT, shows);
		break;
	case SEEN_FOREIGN:
		px_event(p, "proxy.out_of_sync", "a value that we did not write was put right", shows);
		px_apply(p);
		break;
	case SEEN_TELL:
	case SEEN_LOST:
		px_apply(p);
		break;
	}
}

static void polled(void *arg, const struct proxy_answer *a)
{
	struct px *p = arg;
	struct service *s = p->s;
	bool was_down = p->socket_down, had = p->has_value, first = !p->first_poll_done;
	struct proxy_value old = p->value;

	if (px_ending(p))
		return;
	p->polling = false;
	p->first_poll_done = true;
	if (a->restarted)
		requests_restarted(p);
	if (p->applying) /* what it says now is older than what it is being told */
		goto out;
	note_value(p, a);
	if (a->result == PX_OK)
		p->durable = a->durable;
	if (!s->e->standby)
		put_right(p, a);
out:
	if (was_down != p->socket_down || had != p->has_value || (p->has_value && !proxy_value_same(&old, &p->value)))
		publish_change(s);
	if (first)
		service_found(s);
	service_tick(s);
}

/* ---- preflight ---- */

static void preflight_said(void *arg, const struct proxy_answer *a, int up, int all)
{
	struct px *p = arg;

	if (px_ending(p))
		return;
	p->pre_done = true;
	p->pre_ok = a->result == PX_OK;
	p->servers_up = up;
	p->servers_all = all;
	TEXT_FORMAT(p->pre_why, "%.40s: %.110s", p->cfg->name, a->detail[0] ? a->detail : proxy_result_sentence(a->result));
	service_tick(p->s);
}

void traffic_preflight(struct service *s, enum slot to)
{
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		struct px *p = &s->px[i];

		if (p->pre_asked && !p->pre_done)
			continue;
		p->pre_asked = true;
		p->pre_done = false;
		proxy_preflight(p->proxy, to, preflight_said, p);
	}
}

/* ---- views ---- */

bool traffic_asked(const struct service *s)
{
	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		if (!s->px[i].first_poll_done)
			return false;
	return true;
}

bool traffic_found(const struct service *s, struct input *in)
{
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		const struct px *p = &s->px[i];

		if (!p->has_value || p->value.pin)
			continue;
		int c = in->found ? version_cmp(p->value.v, in->found_v) : 1;

		if (c == 0 && in->found_slot != p->value.slot)
			in->ambiguous = true;
		if (c > 0) {
			in->found = in->found_in_proxy = true;
			in->ambiguous = false;
			in->found_v = p->value.v;
			in->found_slot = p->value.slot;
			TEXT_COPY(in->proxy, p->cfg->name);
		}
	}
	return in->found;
}

void traffic_view(struct service *s)
{
	struct proxies_view *v = &s->pv;
	mono_us now = mono_now();
	bool mixed = false;     /* they do not all show one slot */

	*v = (struct proxies_view){ .all = (int)s->cfg->n_proxies, .preflight_done = true, .preflight_ok = true,
				    .servers_up = -1, .servers_all = -1, .shows = NO_SLOT };
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		struct px *p = &s->px[i];

		if (!p->pre_done) {
			v->preflight_done = false;
		} else if (!p->pre_ok) {
			v->preflight_ok = false;
			TEXT_COPY(v->preflight_why, p->pre_why);
		}
		if (p->pre_done && p->servers_up >= 0 && (v->servers_up < 0 || p->servers_up < v->servers_up)) {
			v->servers_up = p->servers_up;
			v->servers_all = p->servers_all;
		}
		if (p->caught_rise.us && mono_since_ms(now, p->caught_rise) < 2000)
			v->caught_recent += p->caught ? p->caught : 1;
		if (px_down(p)) {
			v->down++;
			continue;
		}
		v->acked += p->rc.acked;
		enum slot serves = p->has_value ? p->value.slot : p->front_answers ? p->front_slot : NO_SLOT;
		if (serves <= GREEN)
			TEXT_COPY(v->serves[serves], p->cfg->name);
		if (!p->has_value || (v->shows_known && v->shows != p->value.slot) || mixed) {
			mixed = true;
			v->shows_known = false;
		} else {
			v->shows_known = true;
			v->shows = p->value.slot;
		}
		if (px_can_observe(p)) {
			v->can_observe++;
			v->observed += p->rc.acked && p->observed;
		}
		if (p->refused && !v->refused) {
			v->refused = true;
			TEXT_COPY(v->refused_why, p->refused_why);
		}
		if (p->rc.acked && !p->observed && p->observed_at.us > p->rc.acked_at.us)
			v->regressed = true;
	}
	if (!v->preflight_done)
		v->preflight_ok = false;
}

/* ---- the beat ---- */

static void front_asks(struct service *s, struct px *p, mono_us now)
{
	/* Acked long ago and not observed (a front that was away): asked again, for ever. */
	if (p->rc.acked && !p->observed && !p->observing && !ev_is_active(&p->reobserve) && px_can_observe(p) && p->next_observe.us <= now.us) {
		p->next_observe = mono_plus_ms(now, POLL_PROXY_MS);
		px_observe(p);
	}
	(void)s;
}

void traffic_beat(struct service *s)
{
	mono_us now = mono_now();
	requests_beat(s);
	bool proving = s->rec.phase == PH_PROVING, ready = s->rec.phase == PH_READY;

	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		struct px *p = &s->px[i];

		if (!p->polling && p->next_poll.us <= now.us + 20000) { /* the beat may come a little early: not every second one */
			p->polling = true;
			p->next_poll = mono_plus_ms(now, POLL_PROXY_MS);
			proxy_read_back(p->proxy, polled, p);
		}
		if (s->e->standby)
			continue;
		if (reconcile_due(&p->rc, now) && !p->applying)
			px_apply(p);
		front_asks(s, p, now);
		px_shield_beat(p, now);
		if ((proving || ready) && p->pre_done && p->next_observe.us + (ready ? 1000000 : 0) <= now.us) {
			/* Servers come up by the proxy's own checks: waited for within prove_timeout (B5.4). */
			p->next_observe = mono_plus_ms(now, POLL_PROXY_MS);
			p->pre_done = false;
			proxy_preflight(p->proxy, s->rec.deploy.slot, preflight_said, p);
		}
	}
}

static void paths_synced(void *arg, const struct proxy_answer *a)
{
	struct px *p = arg;

	if (a->result != PX_OK && a->result != PX_ABSENT)
		log_warn("proxy", "service=%s proxy=%s what=\"the shield's paths could not be told\" result=%s detail=%s", p->s->cfg->name,
			 p->cfg->name, proxy_result_name(a->result), LOG_Q(a->detail));
}

bool traffic_drives(const struct service *s)
{
	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		if (strcmp(s->cfg->proxies[i].type, "agent") == 0)
			return false;
	return true;
}

/* The last look before a write: a leader that stood still writes nothing of what it had decided (P2). */
static bool may_write(void *arg)
{
	const struct service *s = arg;

	return !s->e->standby && store_may_act(s->e->store, s->pending || (s->cfg->offline_rollback && standby_alone(s->e) && traffic_drives(s)));
}

void traffic_start(struct service *s)
{
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		struct px *p = &s->px[i];
		struct buf said = BUF_INIT(1024);

		memset(p, 0, sizeof(*p));
		p->s = s;
		p->cfg = &s->told->proxies[i];
		p->index = i;
		p->servers_up = p->servers_all = -1;
		p->front_slot = NO_SLOT;
		p->rc.forgiving = strcmp(p->cfg->type, "agent") == 0;
		p->proxy = proxy_new(s->e->loop, s->told, p->cfg);
		proxy_set_gate(p->proxy, may_write, s);
		px_observe_init(p);
		px_drain_init(p);
		if (s->cfg->mode != MODE_OBSERVE) {
			if (!proxy_write_paths(s->cfg, p->cfg, &said))
				log_warn("proxy", "service=%s proxy=%s what=%s", s->cfg->name, p->cfg->name, LOG_Q(buf_str(&said)));
			proxy_sync_paths(p->proxy, paths_synced, p);
		}
		buf_free(&said);
	}
}

void px_look(struct px *p)
{
	if (p->polling)
		return;
	p->polling = true;
	p->next_poll = mono_plus_ms(mono_now(), POLL_PROXY_MS);
	proxy_read_back(p->proxy, polled, p);
}

void traffic_peace(struct service *s)
{
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		s->px[i].newer_at = (mono_us){ 0 };
		s->px[i].newer_ms = 0;
	}
}

void traffic_stand_by(struct service *s)
{
	traffic_peace(s);
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		struct px *p = &s->px[i];

		p->rc.acked = p->rc.fight = p->observed = p->has_want = p->again = p->refused = false;
		p->in_a_row = 0;
		reconcile_telling(&p->rc);
		p->pre_asked = p->pre_done = p->pre_ok = false;
		ev_timer_stop(s->e->loop, &p->reobserve);
		ev_timer_stop(s->e->loop, &p->cut);
	}
}

void traffic_stop(struct service *s)
{
	requests_stop(s);
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		struct px *p = &s->px[i];

		if (!p->proxy)
			continue;
		ev_timer_stop(s->e->loop, &p->reobserve);
		ev_timer_stop(s->e->loop, &p->cut);
		proxy_free(&p->proxy);
	}
}
