/* SPDX-License-Identifier: MIT
 * keep.c - tell, poll, put right; and beside that the counters, in turn. */
#include "switchd/proxy/keep.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/proxy/reconcile.h"

enum {
	POLL_MS = 200,          /* haproxy.md: pid, uptime and map, for reloads behind our back */
	LOOK_MS = 500,          /* one of the slow questions, in turn: can it be flipped to blue, to green; both counters of the shield */
	COUNT_AFTER_MS = 600,   /* what the shield caught last was answered before it came down */
};

struct keep {
	struct ev_loop *loop;
	const struct service_config *svc;
	struct proxy *proxy;
	keep_changed_fn *changed; void *arg;
	struct keep_view v;
	struct proxy_value want; bool has_want;
	enum proxy_order order;
	bool write, paths_told, ending;
	bool applying, again, overtaken;
	struct reconcile rc;
	bool refused, newer;
	bool polling, down, in_turn; mono_us next_poll;
	bool looking; int look; mono_us next_look;
	bool counting; enum slot count_slot; mono_us next_count, count_until;
	ev_timer cut; enum slot cut_slot;
	struct log_last warned;
};

static const char *const states[] = { "ok", "behind", "pinned", "ahead", "refused", "down", "fight" };
_Static_assert(ARRAY_LEN(states) == N_KEEP_STATES, "a state without a name");

const char *keep_state_name(enum keep_state s) { return (size_t)s < ARRAY_LEN(states) ? states[s] : "?"; }
const struct keep_view *keep_look(const struct keep *w) { return &w->v; }
bool keep_busy(const struct keep *w) { return w->applying; }

static bool may_write(const struct keep *w) { return w->write && w->svc->mode != MODE_OBSERVE; }

static enum keep_state state_of(const struct keep *w)
{
	if (!w->v.asked)
		return KEEP_BEHIND;
	if (w->down)
		return KEEP_DOWN;
	if (w->rc.fight)
		return KEEP_FIGHT;
	if (w->v.has_value && w->v.value.pin)
		return KEEP_PINNED;
	if (w->newer)
		return KEEP_AHEAD;
	if (w->refused)
		return KEEP_REFUSED;
	return !w->has_want || w->rc.acked ? KEEP_OK : KEEP_BEHIND;
}

/* Tells the owner when something of the view is not as it was. */
static void tell(struct keep *w, const struct keep_view *was)
{
	struct keep_view *v = &w->v;

	if (w->ending)
		return;
	v->state = state_of(w);
	if (v->state != was->state || v->asked != was->asked || v->result != was->result || v->has_value != was->has_value || v->durable != was->durable ||
	    (v->has_value && !proxy_value_same(&v->value, &was->value)) || v->us != was->us || strcmp(v->detail, was->detail) != 0 || v->ready[BLUE] != was->ready[BLUE] || v->ready[GREEN] != was->ready[GREEN] ||
	    memcmp(v->up, was->up, sizeof(v->up)) != 0 || memcmp(v->all, was->all, sizeof(v->all)) != 0 || v->cut != was->cut)
		w->changed(w->arg, false);
	else if (memcmp(v->counted, was->counted, sizeof(v->counted)) != 0 || memcmp(v->caught, was->caught, sizeof(v->caught)) != 0 ||
		 memcmp(v->missed, was->missed, sizeof(v->missed)) != 0)
		w->changed(w->arg, true);
}

/* ---- tell the proxy ---- */

static void note(struct keep *w, const struct proxy_answer *a)
{
	w->v.result = a->result;
	TEXT_COPY(w->v.detail, a->result == PX_OK && a->durable ? "" : a->detail[0] ? a->detail : a->result == PX_OK ? "" : proxy_result_sentence(a->result));
	w->v.has_value = a->has_value;
	if (a->has_value)
		w->v.value = a->value;
	bool was_down = w->down;

	w->down = reconcile_down(a->result);
	if ((was_down && !w->down) || a->restarted) { /* another process, with another configuration perhaps: asked anew */
		w->v.ready[BLUE] = w->v.ready[GREEN] = N_PROXY_RESULTS;
		w->next_look = (mono_us){ 0 };
	}
	w->newer = a->has_value && !a->value.pin && w->has_want && version_cmp(a->value.v, w->want.v) > 0;
}

static void apply(struct keep *w);

static void applied(void *arg, const struct proxy_answer *a)
{
	struct keep *w = arg;
	struct keep_view was = w->v;

	if (w->overtaken || w->ending) { /* the one that was overtaken ends first; ours is still to come */
		w->overtaken = false;
		return;
	}
	w->applying = false;
	note(w, a);
	w->v.us = a->us;
	w->v.durable = a->durable;
	w->refused = false;
	if (w->again) {
		w->again = false;
		apply(w);
	} else if (reconcile_told(&w->rc, a, mono_now()) == TOLD_FAILED) {
		w->refused = !w->down;
		w->v.refusal = a->result;
		TEXT_COPY(w->v.refusal_detail, w->v.detail);
	}
	if ((a->result != PX_OK || !a->durable) && log_due(&w->warned, a->detail[0] ? a->detail : proxy_result_name(a->result)))
		log_warn("proxy", "service=%s proxy=%s result=%s detail=%s", w->svc->name, w->v.cfg->name, proxy_result_name(a->result), LOG_Q(a->detail));
	tell(w, &was);
}

static void paths_synced(void *arg, const struct proxy_answer *a)
{
	struct keep *w = arg;

	if (!w->ending && a->result != PX_OK && a->result != PX_ABSENT)
		log_warn("proxy", "service=%s proxy=%s what=\"the shield's paths could not be told\" result=%s detail=%s", w->svc->name,
			 w->v.cfg->name, proxy_result_name(a->result), LOG_Q(a->detail));
}

/* Only where features were told: else the file is somebody else's. */
static void tell_paths(struct keep *w)
{
	struct buf said = BUF_INIT(1024);

	if (w->paths_told || !w->svc->n_features)
		return;
	w->paths_told = true;
	if (!proxy_write_paths(w->svc, w->v.cfg, &said))
		log_warn("proxy", "service=%s proxy=%s what=%s", w->svc->name, w->v.cfg->name, LOG_Q(buf_str(&said)));
	proxy_sync_paths(w->proxy, paths_synced, w);
	buf_free(&said);
}

static void apply(struct keep *w)
{
	/* A way back does not wait behind a disk that takes its time: the adapter lets it overtake. */
	if (w->applying && (w->order != ORDER_BACK || w->overtaken)) {
		w->again = true;
		return;
	}
	w->overtaken = w->applying;
	w->applying = true;
	reconcile_telling(&w->rc);
	proxy_apply(w->proxy, &w->want, w->order, applied, w);
	tell_paths(w);
}

void keep_want(struct keep *w, const struct proxy_value *v, enum proxy_order order, bool write)
{
	bool changed = !w->has_want || !proxy_value_same(&w->want, v);

	w->want = *v;
	w->has_want = true;
	w->order = order;
	w->write = w->write || write;
	if (changed)
		reconcile_want(&w->rc);
	if (!may_write(w))
		w->rc.acked = w->v.has_value && proxy_value_same(&w->v.value, v);
	else if (!w->rc.acked)
		apply(w);
	w->newer = w->v.has_value && !w->v.value.pin && version_cmp(w->v.value.v, v->v) > 0;
	w->v.state = state_of(w);
}

void keep_unpin(struct keep *w)
{
	proxy_unpin(w->proxy);
	w->rc.acked = false;
}

/* ---- poll ---- */

/* Nothing may be written yet: it is only looked at. */
static void watch(struct keep *w, const struct proxy_answer *a)
{
	bool same = w->has_want && a->result == PX_OK && a->has_value && proxy_value_same(&a->value, &w->want);

	w->rc.acked = same;
	if (!same)
		return;
	w->write = true; /* it has it: from now on it is kept */
	w->rc.acked_at = mono_now();
	if (!a->durable && may_write(w)) /* but its file has not: nobody is left who writes it */
		apply(w);
}

static void put_right(struct keep *w, const struct proxy_answer *a)
{
	char text[PROXY_VALUE_TEXT];
	const char *shows = a->has_value ? proxy_value_text(&a->value, text) : LOG_Q(a->detail);

	switch (reconcile_seen(&w->rc, a, w->has_want ? &w->want : NULL, mono_now())) {
	case SEEN_LEAVE:
	case SEEN_PIN:
		break;
	case SEEN_NEWER:
		w->rc.acked = false;
		break;
	case SEEN_FIGHT:
		log_warn("proxy", "service=%s proxy=%s what=\"somebody else writes this proxy's value; it is left alone\" value=%s", w->svc->name,
			 w->v.cfg->name, shows);
		break;
	case SEEN_FOREIGN:
		log_warn("proxy", "service=%s proxy=%s what=\"a value that we did not write was put right\" value=%s", w->svc->name, w->v.cfg->name,
			 shows);
		apply(w);
		break;
	case SEEN_TELL:
	case SEEN_LOST:
		apply(w);
		break;
	}
}

static void polled(void *arg, const struct proxy_answer *a)
{
	struct keep *w = arg;
	struct keep_view was = w->v;

	w->polling = false;
	w->v.asked = true;
	if (!w->applying && !w->ending) { /* else what it says now is older than what it is being told */
		note(w, a);
		if (a->result == PX_OK)
			w->v.durable = a->durable;
		if (a->restarted)
			memset(w->v.counted, 0, sizeof(w->v.counted));
		if (may_write(w))
			put_right(w, a);
		else
			watch(w, a);
	}
	tell(w, &was);
}

/* ---- the slow questions ---- */

static void counted(void *arg, bool known, uint64_t caught, uint64_t missed)
{
	struct keep *w = arg;
	struct keep_view was = w->v;
	enum slot k = w->count_slot;

	w->counting = false;
	if (!known)
		return;
	w->v.counted[k] = true;
	w->v.caught[k] = caught;
	w->v.missed[k] = missed;
	tell(w, &was);
}

static void count(struct keep *w, enum slot active, mono_us now)
{
	w->counting = true;
	w->count_slot = active;
	w->next_count = mono_plus_ms(now, POLL_MS);
	proxy_shield(w->proxy, active, counted, w);
}

static void could_flip(void *arg, const struct proxy_answer *a, int up, int all)
{
	struct keep *w = arg;
	struct keep_view was = w->v;
	enum slot k = w->look;

	w->looking = false;
	w->v.up[k] = up;
	w->v.all[k] = all;
	w->v.ready[k] = a->result;
	TEXT_COPY(w->v.ready_detail[k], a->result == PX_OK ? "" : a->detail[0] ? a->detail : proxy_result_sentence(a->result));
	tell(w, &was);
}

static void look(struct keep *w, mono_us now, int slower)
{
	if (w->looking || w->counting || w->next_look.us > now.us)
		return;
	w->next_look = mono_plus_ms(now, LOOK_MS * slower);
	w->look = (w->look + 1) % 4;
	if (w->look >= 2 && w->svc->shield) {
		count(w, (enum slot)(w->look - 2), now);
	} else if (w->look < 2) {
		w->looking = true;
		proxy_preflight(w->proxy, (enum slot)w->look, could_flip, w);
	}
}

/* ---- drain ---- */

static void sessions_cut(void *arg, bool known, uint64_t sessions)
{
	struct keep *w = arg;
	struct keep_view was = w->v;

	if (!known || !sessions)
		return;
	w->v.cut += sessions;
	log_info("drain", "service=%s proxy=%s slot=%s cut=%llu", w->svc->name, w->v.cfg->name, slot_name(w->cut_slot), (unsigned long long)sessions);
	tell(w, &was);
}

static void cut_now(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct keep *w = t->data;

	(void)revents;
	if (!w->has_want || w->want.slot == w->cut_slot || !may_write(w))
		return;
	if (w->want.shield) { /* what the old slot answers now is what the shield asks of it: cutting that would be a failure of ours (I1a) */
		ev_timer_set(t, (double)w->svc->drain_ms / 1000.0, 0.);
		ev_timer_start(loop, t);
		return;
	}
	proxy_cut_sessions(w->proxy, w->cut_slot, sessions_cut, w);
}

void keep_drain(struct keep *w, enum slot left)
{
	if (left == NO_SLOT)
		return;
	w->cut_slot = left;
	ev_timer_stop(w->loop, &w->cut);
	ev_timer_set(&w->cut, (double)w->svc->drain_ms / 1000.0, 0.);
	ev_timer_start(w->loop, &w->cut);
}

/* ---- life ---- */

/* All are asked at once at the start; after that they take turns. */
static int64_t poll_ms(struct keep *w, int slower)
{
	bool once = w->v.asked && !w->in_turn;

	w->in_turn = w->v.asked;
	return POLL_MS * (once ? 1 + (int64_t)(w->svc->fingerprint % (uint64_t)slower) : w->in_turn ? slower : 1);
}

void keep_beat(struct keep *w, mono_us now, int slower)
{
	if (!w->polling && w->next_poll.us <= now.us + 20000) { /* the beat may come a little early: not every second one */
		w->polling = true;
		w->next_poll = mono_plus_ms(now, poll_ms(w, slower));
		proxy_read_back(w->proxy, polled, w);
	}
	if (reconcile_due(&w->rc, now) && !w->applying)
		apply(w);
	if (!w->v.asked || w->down)
		return;
	if (w->has_want && w->want.shield)
		w->count_until = mono_plus_ms(now, COUNT_AFTER_MS);
	if (w->svc->shield && w->count_until.us > now.us && !w->counting && !w->looking && w->next_count.us <= now.us)
		count(w, w->want.slot, now);
	look(w, now, slower);
}

struct keep *keep_new(struct ev_loop *loop, const struct service_config *svc, const struct proxy_config *cfg, keep_changed_fn *changed, void *arg)
{
	struct keep *w = xcalloc(1, sizeof(*w));

	w->loop = loop;
	w->svc = svc;
	w->changed = changed;
	w->arg = arg;
	w->v = (struct keep_view){ .cfg = cfg, .state = KEEP_BEHIND, .ready = { N_PROXY_RESULTS, N_PROXY_RESULTS }, .up = { -1, -1 }, .all = { -1, -1 } };
	w->proxy = proxy_new(loop, svc, cfg);
	w->look = 3;
	ev_init(&w->cut, cut_now);
	w->cut.data = w;
	return w;
}

void keep_free(struct keep **wp)
{
	struct keep *w = *wp;

	if (!w)
		return;
	*wp = NULL;
	w->ending = true; /* calls under way end now: nobody hears of it, and they lead to no other */
	ev_timer_stop(w->loop, &w->cut);
	proxy_free(&w->proxy);
	free(w);
}
