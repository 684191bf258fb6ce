/* SPDX-License-Identifier: MIT
 * traffic.c - what each proxy shows: told, acknowledged, observed, polled, put right.
 *
 * A proxy is told the record's value and nothing else.  acked = its own read back says so;
 * observed = answers in a row through its front, each on a new connection, came from the
 * active slot with the committed version (B5.3).  A proxy of which neither socket nor front
 * answers is down: left out, asked for ever, re-asserted before it counts again (B5.4). */
#include "switchd/engine/service.h"

#include <stdlib.h>
#include <string.h>

#include "switchd/base/failpoint.h"
#include "switchd/base/log.h"

enum {
	RETRY_FIRST_MS = 50, RETRY_MOST_MS = 2000,
	REOBSERVE_MS = 5,       /* after an answer of the old value */
	REOBSERVE_DOWN_MS = 50, /* after no answer at all */
	FIGHT_MS = 60000,       /* B5.6: a foreign value is put right once a minute at most */
	NEWER_FIRST_MS = 2000, NEWER_MOST_MS = 30000, NEWER_FORGOTTEN_MS = 120000,
	OWN_RELOAD_MS = 30000,  /* an older value of ours this soon after a write: a reload lost it, nobody fights */
};

static void observe(struct px *p);

static bool px_down(const struct px *p) { return p->socket_down && !p->front_answers; }

static bool has_front(const struct px *p) { return p->cfg->front[0] || p->s->cfg->front[0]; }

static bool can_observe(const struct px *p)
{
	return has_front(p) && proxy_can_stamp(p->proxy) && (!p->stamp_known || p->stamps);
}

const char *px_state(const struct px *p)
{
	if (p->s->cfg->mode == MODE_OBSERVE)
		return "not-written";
	if (px_down(p))
		return "down";
	if (p->s->e->standby)
		return p->has_value && p->value.pin ? "pinned" : p->has_value && version_cmp(p->value.v, p->s->rec.v) >= 0 ? "in-sync" : "behind";
	if (p->fight)
		return "fight";
	if (p->has_value && p->value.pin)
		return "pinned";
	if (p->refused)
		return "refused";
	return p->acked && (p->observed || !can_observe(p)) ? "in-sync" : "behind";
}

static void local_event(struct px *p, const char *kind, const char *because, const char *detail)
{
	static struct event ev;

	memset(&ev, 0, sizeof(ev));
	TEXT_COPY(ev.kind, kind);
	TEXT_COPY(ev.service, p->s->cfg->name);
	TEXT_COPY(ev.by, "switchd");
	ev.at = wall_now();
	ev.from = ev.to = p->s->rec.active;
	ev.from_v = ev.to_v = p->s->rec.v;
	ev.because = because;
	TEXT_FORMAT(ev.detail, "%s: %s", p->cfg->name, detail);
	publish_event(p->s->e, &ev);
}

/* ---- tell ---- */

static void apply(struct px *p);

static void note_value(struct px *p, const struct proxy_answer *a)
{
	p->known = true;
	p->last = a->result;
	TEXT_COPY(p->detail, a->result == PX_OK ? "" : a->detail[0] ? a->detail : proxy_result_sentence(a->result));
	p->has_value = a->has_value;
	if (a->has_value)
		p->value = a->value;
	p->socket_down = a->result == PX_ABSENT || a->result == PX_TIMEOUT || a->result == PX_HALF;
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
		if (!p->fight && p->newer_ms > NEWER_FIRST_MS)
			local_event(p, "proxy.fight", "higher versions than ours come again and again: is there another controller, with a store split from ours?",
				    proxy_value_text(&p->value, text));
		p->fight = p->fight || p->newer_ms > NEWER_FIRST_MS;
		return;
	}
	p->newer_ms = p->newer_at.us && mono_since_ms(now, p->newer_at) < NEWER_FORGOTTEN_MS ? 2 * p->newer_ms : NEWER_FIRST_MS;
	if (p->newer_ms > NEWER_MOST_MS)
		p->newer_ms = NEWER_MOST_MS;
	p->newer_at = now;
	p->fight = false;

	struct input in = { .kind = IN_START, .slot = NO_SLOT, .found_slot = p->value.slot, .found = true, .found_in_proxy = true,
			    .found_v = p->value.v, .by = "switchd" };

	TEXT_COPY(in.proxy, p->cfg->name);
	service_input(p->s, &in);
}

/* What is outstanding when a proxy is closed (a reload, the end) is told as cancelled: nothing is begun on it, and nothing decided. */
static bool is_ending(const struct px *p) { return !p->proxy; }

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
	bool was_acked = p->acked;

	if (is_ending(p))
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
		apply(p);
		return;
	}
	/* A pin in its file alone was written this moment, or is over and will be replaced: the file could not be written yet. */
	switch (a->result == PX_PINNED && !(a->has_value && a->value.pin) ? PX_FILE : a->result) {
	case PX_OK:
		p->acked = true;
		p->fight = false;
		p->retry_ms = 0;
		p->retry_at = (mono_us){ 0 };
		if (!was_acked)
			p->acked_at = mono_now();
		if (!a->durable)
			log_warn("proxy", "service=%s proxy=%s what=\"not durable: %s\"", s->cfg->name, p->cfg->name, p->detail);
		observe(p);
		break;
	case PX_PINNED:
		found_pin(p);
		break;
	case PX_NEWER:
		found_newer(p);
		break;
	default:
		p->acked = false;
		if (!p->socket_down && !no_refusal(p, a->result)) {
			p->refused = true;
			TEXT_FORMAT(p->refused_why, "%s: %.120s", p->cfg->name, p->detail);
		}
		p->retry_ms = p->retry_ms ? (p->retry_ms * 2 > RETRY_MOST_MS ? RETRY_MOST_MS : p->retry_ms * 2) : RETRY_FIRST_MS;
		p->retry_at = mono_plus_ms(mono_now(), p->retry_ms);
		if (log_due(&p->warned, a->detail[0] ? a->detail : proxy_result_name(a->result)))
			log_warn("proxy", "service=%s proxy=%s result=%s detail=%s", s->cfg->name, p->cfg->name, proxy_result_name(a->result), LOG_Q(a->detail));
		break;
	}
	publish_change(s);
	service_tick(s);
}

static void apply(struct px *p)
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
	p->retry_at = (mono_us){ 0 };
	proxy_apply(p->proxy, &p->want, p->order, apply_done, p);
}

void traffic_unpin(struct service *s)
{
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		proxy_unpin(s->px[i].proxy);
		s->px[i].acked = false; /* it shows the pin: told again, whatever was acknowledged before */
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

		if (!changed && p->acked)
			continue;
		if (changed) {
			p->acked = p->observed = false;
			p->in_a_row = 0;
		}
		p->want = v;
		p->has_want = true;
		p->order = order;
		apply(p);
	}
}

/* ---- observe ---- */

static void observed_answer(void *arg, const struct probe_result *r)
{
	struct px *p = arg;

	if (r->outcome == OUT_CANCELLED) /* the runner is ending */
		return;
	p->observing = false;
	traffic_stamp(p->s, r);
	if (p->observed || !p->acked || (p->stamp_known && !p->stamps))
		return;
	int64_t ms = r->complete ? (p->in_a_row ? 0 : REOBSERVE_MS) : REOBSERVE_DOWN_MS;

	ev_timer_stop(p->s->e->loop, &p->reobserve);
	ev_timer_set(&p->reobserve, (double)ms / 1000.0, 0.);
	ev_timer_start(p->s->e->loop, &p->reobserve);
}

static void observe(struct px *p)
{
	struct probe_job job = { .via = VIA_FRONT, .purpose = PURPOSE_OBSERVE, .slot = p->s->rec.active, .proxy = p->index, .release = "", .fresh = true };

	if (p->observing || p->observed || !p->acked || !can_observe(p))
		return;
	p->observing = true;
	probe_start(p->s->runner, &job, observed_answer, p);
}

static void reobserve(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)revents;
	observe(t->data);
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
	enum slot by = NO_SLOT;
	bool by_slot = slot_parse(r->stamp_by, &by);

	if (p->has_want && proxy_value_same(&v, &p->want) && by_slot && by == v.slot) {
		if (r->job.purpose == PURPOSE_OBSERVE && ++p->in_a_row >= s->cfg->observe && p->acked && !p->observed) {
			p->observed = true;
			p->observed_at = r->ended;
			FAILPOINT("engine.observed");
			changed = true;
		}
		goto out;
	}
	p->in_a_row = 0;
	if (p->has_want && p->acked && !v.pin && version_cmp(v.v, p->want.v) < 0 && r->began.us > p->acked_at.us) {
		/* A reload behind our back: the new worker read an older file, or the old one still answers. */
		if (p->observed)
			local_event(p, "proxy.regressed", "a front answered with an older version", r->stamp_value);
		p->observed = false;
		changed = true;
		apply(p);
	}
out:
	if (changed) {
		publish_change(s);
		service_tick(s);
	}
}

/* ---- poll: reloads, pins, foreign values ---- */

static void put_right(struct px *p, const struct proxy_answer *a)
{
	mono_us now = mono_now();
	char text[PROXY_VALUE_TEXT];
	/* An agent that was away comes back with what it held then: nobody fights. */
	bool ours = a->restarted || mono_since_ms(now, p->acked_at) < OWN_RELOAD_MS || !p->acked_at.us || strcmp(p->cfg->type, "agent") == 0;

	p->acked = p->observed = false;
	p->in_a_row = 0;
	if (a->has_value && !ours && version_cmp(a->value.v, p->want.v) >= 0)
		ours = false;
	if (!ours) {
		proxy_value_text(&a->value, text);
		if (p->foreign_at.us && mono_since_ms(now, p->foreign_at) < FIGHT_MS) {
			if (!p->fight)
				local_event(p, "proxy.fight", "somebody else writes this proxy's value; it is left alone", text);
			p->fight = true;
			return;
		}
		p->foreign_at = now;
		local_event(p, "proxy.out_of_sync", "a value that we did not write was put right", a->has_value ? text : a->detail);
	}
	apply(p);
}

static void polled(void *arg, const struct proxy_answer *a)
{
	struct px *p = arg;
	struct service *s = p->s;
	bool was_down = p->socket_down, had = p->has_value, first = !p->first_poll_done;
	struct proxy_value old = p->value;

	if (is_ending(p))
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
	if (s->e->standby)
		goto out;
	if (a->result == PX_OK && a->has_value && a->value.pin)
		found_pin(p);
	else if (a->result == PX_OK && a->has_value && s->loaded && s->cfg->mode != MODE_OBSERVE && p->has_want && !proxy_value_same(&a->value, &p->want)) {
		if (version_cmp(a->value.v, p->want.v) > 0)
			found_newer(p);
		else if (p->retry_at.us && !p->fight && !was_down && !a->restarted)
			; /* ours could not be written yet: what it shows is no foreign word, and the retry is on its way */
		else if (!p->fight || mono_since_ms(mono_now(), p->foreign_at) >= FIGHT_MS)
			p->fight = false, put_right(p, a);
	} else if (a->result == PX_OK && p->has_want && (a->restarted || was_down || (!a->has_value && s->loaded))) {
		apply(p);
	} else if (a->result == PX_OK && p->has_want && !p->acked && a->has_value && proxy_value_same(&a->value, &p->want)) {
		apply(p);
	} else if ((a->result == PX_BAD_VALUE || a->result == PX_NO_MAP) && p->has_want && !p->fight) {
		put_right(p, a);
	}
out:
	if (was_down != p->socket_down || had != p->has_value || (p->has_value && !proxy_value_same(&old, &p->value)))
		publish_change(s);
	if (first)
		service_found(s);
	service_tick(s);
}

/* ---- shield and drain ---- */

static void shield_said(void *arg, bool known, uint64_t caught, uint64_t missed)
{
	struct px *p = arg;
	struct service *s = p->s;
	enum slot k = p->shield_slot;
	mono_us now = mono_now();
	bool first = !p->shield_known[k] || caught < p->caught0[k] || missed < p->missed0[k]; /* or HAProxy began to count anew */
	uint64_t more = first ? 0 : caught - p->caught0[k], more_missed = first ? 0 : missed - p->missed0[k];

	if (is_ending(p))
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
static void shield_beat(struct px *p, mono_us now)
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

static void sessions_cut(void *arg, bool known, uint64_t sessions)
{
	struct px *p = arg;
	char text[64];

	p->cutting = false;
	if (!known || !sessions)
		return;
	TEXT_FORMAT(text, "%llu long-lived sessions of %s were cut", (unsigned long long)sessions, slot_name(p->cut_slot));
	local_event(p, "drain.cut", "the drain is over", text);
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

/* ---- preflight ---- */

static void preflight_said(void *arg, const struct proxy_answer *a, int up, int all)
{
	struct px *p = arg;

	if (is_ending(p))
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
		v->acked += p->acked;
		if (!p->has_value || (v->shows_known && v->shows != p->value.slot) || mixed) {
			mixed = true;
			v->shows_known = false;
		} else {
			v->shows_known = true;
			v->shows = p->value.slot;
		}
		if (can_observe(p)) {
			v->can_observe++;
			v->observed += p->acked && p->observed;
		}
		if (p->refused && !v->refused) {
			v->refused = true;
			TEXT_COPY(v->refused_why, p->refused_why);
		}
		if (p->acked && !p->observed && p->observed_at.us > p->acked_at.us)
			v->regressed = true;
	}
	if (!v->preflight_done)
		v->preflight_ok = false;
}

/* ---- the beat ---- */

static void front_asks(struct service *s, struct px *p, mono_us now)
{
	/* Acked long ago and not observed (a front that was away): asked again, for ever. */
	if (p->acked && !p->observed && !p->observing && !ev_is_active(&p->reobserve) && can_observe(p) && p->next_observe.us <= now.us) {
		p->next_observe = mono_plus_ms(now, POLL_PROXY_MS);
		observe(p);
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
		if (p->retry_at.us && p->retry_at.us <= now.us && !p->applying && !p->fight)
			apply(p);
		front_asks(s, p, now);
		shield_beat(p, now);
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
		p->proxy = proxy_new(s->e->loop, s->told, p->cfg);
		proxy_set_gate(p->proxy, may_write, s);
		ev_init(&p->reobserve, reobserve);
		ev_init(&p->cut, cut_now);
		p->reobserve.data = p->cut.data = p;
		if (s->cfg->mode != MODE_OBSERVE) {
			if (!proxy_write_paths(s->cfg, p->cfg, &said))
				log_warn("proxy", "service=%s proxy=%s what=%s", s->cfg->name, p->cfg->name, LOG_Q(buf_str(&said)));
			proxy_sync_paths(p->proxy, paths_synced, p);
		}
		buf_free(&said);
	}
}

void traffic_agent_spoke(struct px *p)
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

		p->acked = p->observed = p->has_want = p->again = p->fight = p->refused = false;
		p->in_a_row = 0;
		p->retry_at = (mono_us){ 0 };
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
