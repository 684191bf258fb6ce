/* SPDX-License-Identifier: MIT
 * proxy.c - the table of kinds, the names of results, and the line of calls. */
#include "switchd/proxy/proxy.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/proxy/kind.h"

static const struct proxy_kind *const kinds[] = { &haproxy_kind, &agent_kind };

static const struct { const char *name, *sentence; } results[] = {
	[PX_OK] = { "ok", "the proxy shows it" },
	[PX_ABSENT] = { "absent", "nobody listens on the proxy's socket" },
	[PX_DENIED] = { "denied", "no permission to open the proxy's socket" },
	[PX_TIMEOUT] = { "timeout", "the proxy did not answer in time; whether it obeyed is unknown" },
	[PX_HALF] = { "half", "the proxy closed in the middle of its answer; whether it obeyed is unknown" },
	[PX_REFUSED] = { "refused", "the proxy answered with an error" },
	[PX_UNKNOWN_BACKEND] = { "unknown-backend", "the proxy has no such backend; nothing was written" },
	[PX_NO_MAP] = { "no-map", "the running proxy has not loaded the map file" },
	[PX_NOT_APPLIED] = { "not-applied", "the proxy said yes and shows something else" },
	[PX_PINNED] = { "pinned", "a pin written by hand stands; nothing was written" },
	[PX_NEWER] = { "newer", "the proxy shows a higher version; nothing was written" },
	[PX_FILE] = { "file", "the map file could not be made durable" },
	[PX_BAD_NAME] = { "bad-name", "a name or path in the configuration cannot be sent to the proxy" },
	[PX_BAD_VALUE] = { "bad-value", "the proxy shows no value of ours" },
	[PX_FENCED] = { "fenced", "somebody else may lead by now; nothing was written" },
};
_Static_assert(ARRAY_LEN(results) == N_PROXY_RESULTS, "a proxy result without a name");

const char *proxy_result_name(enum proxy_result r) { return (size_t)r < ARRAY_LEN(results) ? results[r].name : "?"; }
const char *proxy_result_sentence(enum proxy_result r) { return (size_t)r < ARRAY_LEN(results) ? results[r].sentence : "?"; }

struct proxy {
	struct ev_loop *loop;
	const struct service_config *svc;
	const struct proxy_config *cfg;
	const struct proxy_kind *kind;
	void *impl;
	struct proxy_call *now;         /* the one under way */
	struct proxy_call *waiting;
	proxy_may_fn *may;              /* NULL: no gate */
	void *may_arg;
	bool over_pin;                  /* a person ended the pin that the running proxy shows */
	bool over_file;                 /* and the one in its file: until what ended it is durable, or there is another */
	bool inside;                    /* a call of ours is on the stack: an end found now is told from the loop */
	bool ended;                     /* `end` waits to be told */
	struct proxy_end end;
	ev_timer later;                 /* only ever fed */
};

static const struct proxy_kind *kind_of(const struct proxy_config *cfg)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i]->type, cfg->type) == 0)
			return kinds[i];
	never("a proxy type that the config let through has no adapter");
}

static void tell(const struct proxy_call *c, const struct proxy_end *e)
{
	switch (c->verb) {
	case PV_APPLY:
	case PV_READ_BACK:
	case PV_PATHS: c->fn.done(c->arg, &e->answer); return;
	case PV_PREFLIGHT: c->fn.ready(c->arg, &e->answer, e->servers_up, e->servers_all); return;
	case PV_SHIELD: c->fn.shield(c->arg, e->known, e->caught, e->missed); return;
	case PV_COUNT: c->fn.count(c->arg, e->known, &e->counts); return;
	case PV_CUT: c->fn.drain(c->arg, e->known, e->sessions); return;
	}
	never("a verb without a way to tell its end");
}

static void start_next(struct proxy *p)
{
	if (p->now || !p->waiting)
		return;
	p->now = p->waiting;
	p->waiting = p->now->next;
	p->now->over_pin = p->over_pin;
	p->now->over_file = p->over_file;
	bool was = p->inside;
	p->inside = true;
	p->kind->start(p->impl, p->now);
	p->inside = was;
}

/* The next call is under way before the owner hears of this one: done() may free the proxy. */
static void finish(struct proxy *p)
{
	struct proxy_call *c = p->now;
	struct proxy_end e = p->end;

	p->now = NULL;
	p->ended = false;
	if (c->verb == PV_APPLY && e.answer.result == PX_OK) {
		p->over_pin = false;
		p->over_file = p->over_file && !e.answer.durable;
	} else if (!p->over_pin && e.answer.has_value && e.answer.value.pin) {
		p->over_file = false;
	}
	start_next(p);
	tell(c, &e);
	free(c);
}

static void on_later(struct ev_loop *loop, ev_timer *w, int events)
{
	struct proxy *p = w->data;

	(void)loop;
	(void)events;
	if (p->ended)
		finish(p);
}

void proxy_call_ended(struct proxy *p, const struct proxy_end *e)
{
	must(p->now && !p->ended);
	p->end = *e;
	p->ended = true;
	if (p->inside)
		ev_feed_event(p->loop, &p->later, EV_CUSTOM);
	else
		finish(p);
}

/* A rollback overtakes what only reads; among themselves writes keep their order. */
static void enqueue(struct proxy *p, const struct proxy_call *model)
{
	struct proxy_call *c = xmalloc(sizeof(*c)), **at = &p->waiting;
	bool first = model->verb == PV_APPLY && model->order == ORDER_BACK;

	*c = *model;
	for (struct proxy_call **q = &p->waiting; *q; q = &(*q)->next)
		if (!first || (*q)->verb == PV_APPLY)
			at = &(*q)->next;
	c->next = *at;
	*at = c;
	bool was = p->inside;
	p->inside = true;
	if (first && p->now && !p->ended)
		p->kind->give_way(p->impl);
	p->inside = was;
	start_next(p);
}

struct proxy *proxy_new(struct ev_loop *loop, const struct service_config *svc, const struct proxy_config *cfg)
{
	struct proxy *p = xcalloc(1, sizeof(*p));

	p->loop = loop;
	p->svc = svc;
	p->cfg = cfg;
	p->kind = kind_of(cfg);
	ev_init(&p->later, on_later);
	p->later.data = p;
	p->impl = p->kind->open(loop, svc, cfg, p);
	return p;
}

void proxy_free(struct proxy **pp)
{
	struct proxy *p = *pp;
	struct proxy_end e = { .answer = { .result = PX_TIMEOUT }, .servers_up = -1, .servers_all = -1 };

	*pp = NULL;
	if (!p)
		return;
	(void)TEXT_COPY(e.answer.detail, "cancelled");
	ev_clear_pending(p->loop, &p->later);
	p->kind->close(p->impl);
	struct proxy_call *now = p->now, *list = p->waiting;
	struct proxy_end known = p->ended ? p->end : e;

	free(p);
	if (now)
		tell(now, &known);
	free(now);
	while (list) {
		struct proxy_call *c = list;

		list = c->next;
		tell(c, &e);
		free(c);
	}
}

void proxy_set_gate(struct proxy *p, proxy_may_fn *may, void *arg)
{
	p->may = may;
	p->may_arg = arg;
}

bool proxy_may_write(const struct proxy *p) { return !p->may || p->may(p->may_arg); }

void proxy_apply(struct proxy *p, const struct proxy_value *v, enum proxy_order order, proxy_done_fn *done, void *arg)
{
	enqueue(p, &(struct proxy_call){ .verb = PV_APPLY, .value = *v, .order = order, .fn.done = done, .arg = arg });
}

void proxy_unpin(struct proxy *p) { p->over_pin = p->over_file = true; }

void proxy_read_back(struct proxy *p, proxy_done_fn *done, void *arg)
{
	enqueue(p, &(struct proxy_call){ .verb = PV_READ_BACK, .fn.done = done, .arg = arg });
}

void proxy_preflight(struct proxy *p, enum slot to, proxy_ready_fn *ready, void *arg)
{
	must(to != NO_SLOT);
	enqueue(p, &(struct proxy_call){ .verb = PV_PREFLIGHT, .slot = to, .fn.ready = ready, .arg = arg });
}

void proxy_shield(struct proxy *p, enum slot active, proxy_shield_fn *shield, void *arg)
{
	enqueue(p, &(struct proxy_call){ .verb = PV_SHIELD, .slot = active, .fn.shield = shield, .arg = arg });
}

void proxy_count(struct proxy *p, enum slot slot, proxy_count_fn *count, void *arg)
{
	must(slot != NO_SLOT);
	enqueue(p, &(struct proxy_call){ .verb = PV_COUNT, .slot = slot, .fn.count = count, .arg = arg });
}

void proxy_cut_sessions(struct proxy *p, enum slot slot, proxy_drain_fn *drain, void *arg)
{
	must(slot != NO_SLOT);
	enqueue(p, &(struct proxy_call){ .verb = PV_CUT, .slot = slot, .fn.drain = drain, .arg = arg });
}

void proxy_sync_paths(struct proxy *p, proxy_done_fn *done, void *arg)
{
	enqueue(p, &(struct proxy_call){ .verb = PV_PATHS, .fn.done = done, .arg = arg });
}

void *proxy_impl(struct proxy *p, const struct proxy_kind *kind)
{
	must(p->kind == kind);
	return p->impl;
}

bool proxy_can_stamp(const struct proxy *p) { return p->kind->can_stamp; }
const char *proxy_name(const struct proxy *p) { return p->cfg->name; }

bool proxy_snippet_bind(const struct service_config *svc, const struct proxy_config *cfg, const char *bind, struct buf *out)
{
	return kind_of(cfg)->snippet(svc, cfg, bind, out);
}

bool proxy_snippet(const struct service_config *svc, const struct proxy_config *cfg, struct buf *out)
{
	return proxy_snippet_bind(svc, cfg, NULL, out);
}

bool proxy_init_files(const struct service_config *svc, const struct proxy_config *cfg, struct buf *said)
{
	return kind_of(cfg)->init_files(svc, cfg, said);
}

bool proxy_write_paths(const struct service_config *svc, const struct proxy_config *cfg, struct buf *said)
{
	return kind_of(cfg)->write_paths(svc, cfg, said);
}

void proxy_raw_command(const struct proxy_config *cfg, const struct service_config *svc, const struct proxy_value *v, struct buf *out)
{
	kind_of(cfg)->raw_command(svc, cfg, v, out);
}
