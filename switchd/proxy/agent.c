/* SPDX-License-Identifier: MIT
 * agent.c - the adapter for a proxy that an agent drives: it asks nobody, it waits for the agent's word. */
#include "switchd/proxy/agent.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/proxy/kind.h"

struct remote {
	struct ev_loop *loop;
	struct proxy *proxy;
	const struct proxy_config *cfg;
	struct agent_word word;
	mono_us roster_since, born;
	bool on; struct proxy_call call;        /* an apply, or a first question, that waits */
	mono_us began;
	ev_timer deadline;
};

static bool silent(const struct remote *r, mono_us now)
{
	return !r->word.heard.us || mono_since_ms(now, r->word.heard) >= AGENT_SILENT_MS;
}

/* Too early to conclude anything from its silence. */
static bool early(const struct remote *r, mono_us now)
{
	return mono_since_ms(now, r->roster_since.us ? r->roster_since : r->born) < AGENT_FIRST_MS;
}

static void end(struct remote *r, enum proxy_result result, const char *detail)
{
	struct proxy_end e = { .answer = { .result = result, .has_value = r->word.has_value, .value = r->word.value, .durable = r->word.durable,
					   .us = mono_since_us(mono_now(), r->began) },
			       .servers_up = -1, .servers_all = -1 };
	enum slot slot = r->call.slot;

	(void)TEXT_COPY(e.answer.detail, detail);
	if (r->call.verb == PV_PREFLIGHT && r->word.up_known) {
		e.servers_up = r->word.up[slot];
		e.servers_all = r->word.all[slot];
	}
	if (r->call.verb == PV_SHIELD && r->word.shield_known && result == PX_OK) {
		e.known = true;
		e.caught = r->word.caught[slot];
		e.missed = r->word.missed[slot];
	}
	r->on = false;
	ev_timer_stop(r->loop, &r->deadline);
	proxy_call_ended(r->proxy, &e);
}

static void end_silent(struct remote *r)
{
	char text[120];

	if (!r->word.heard.us)
		TEXT_FORMAT(text, "no agent called %s has reported", r->cfg->name);
	else
		TEXT_FORMAT(text, "its agent has said nothing for %lld s", (long long)(mono_since_ms(mono_now(), r->word.heard) / 1000));
	end(r, PX_ABSENT, text);
}

/* True when the call is over. */
static bool look(struct remote *r)
{
	mono_us now = mono_now();
	const struct agent_word *w = &r->word;

	if (silent(r, now)) {
		if (early(r, now))
			return false;
		end_silent(r);
		return true;
	}
	if (r->call.verb == PV_PREFLIGHT && w->result != PX_ABSENT && w->result != PX_DENIED) {
		/* Also one that refuses what it is told now: it would refuse that too. */
		const char *ready = r->call.slot <= GREEN ? w->ready[r->call.slot] : "";

		if (w->ready_asked && w->result == PX_OK)
			return false;
		end(r, ready[0] ? PX_REFUSED : w->result, ready[0] ? ready : w->detail);
		return true;
	}
	if (r->call.verb != PV_APPLY) {
		end(r, w->result == PX_ABSENT || w->result == PX_DENIED ? w->result : PX_OK, w->detail);
		return true;
	}
	if (w->has_value && proxy_value_same(&w->value, &r->call.value))
		end(r, PX_OK, w->detail);
	else if (w->has_value && w->value.pin && !r->call.over_pin) /* else: a person ended it, and the agent is about to hear so */
		end(r, PX_PINNED, w->detail);
	else if (w->has_value && version_cmp(w->value.v, r->call.value.v) > 0)
		end(r, PX_NEWER, w->detail);
	else if (w->result != PX_OK && w->heard.us > r->began.us)
		end(r, w->result, w->detail);
	else
		return false;
	return true;
}

static void on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct remote *r = t->data;

	(void)loop;
	(void)revents;
	if (!r->on || look(r))
		return;
	if (silent(r, mono_now()))
		end_silent(r);
	else
		end(r, PX_NOT_APPLIED, r->call.verb == PV_APPLY ? "its agent has not shown the value yet" : "its agent has not said yet whether it could be flipped");
}

void proxy_agent_told(struct proxy *p, const struct agent_word *w, mono_us roster_since)
{
	struct remote *r = proxy_impl(p, &agent_kind);

	r->word = *w;
	r->roster_since = roster_since;
	if (r->on)
		look(r);
}

/* ---- the kind ---- */

static void *open_it(struct ev_loop *loop, const struct service_config *svc, const struct proxy_config *cfg, struct proxy *p)
{
	struct remote *r = xcalloc(1, sizeof(*r));

	(void)svc;
	*r = (struct remote){ .loop = loop, .proxy = p, .cfg = cfg, .born = mono_now() };
	ev_init(&r->deadline, on_deadline);
	r->deadline.data = r;
	return r;
}

static void close_it(void *impl)
{
	struct remote *r = impl;

	ev_timer_stop(r->loop, &r->deadline);
	free(r);
}

static void start(void *impl, const struct proxy_call *c)
{
	struct remote *r = impl;
	mono_us now = mono_now();

	r->call = *c;
	r->began = now;
	/* Its paths, its sessions to cut and its counters of requests are the agent's own business. */
	if (c->verb == PV_PATHS || c->verb == PV_CUT || c->verb == PV_COUNT) {
		end(r, PX_OK, "");
		return;
	}
	r->on = true;
	if (look(r))
		return;
	ev_timer_stop(r->loop, &r->deadline);
	ev_now_update(r->loop);
	ev_timer_set(&r->deadline, (c->verb == PV_APPLY ? AGENT_APPLY_MS : AGENT_FIRST_MS) / 1000., 0.);
	ev_timer_start(r->loop, &r->deadline);
}

static void give_way(void *impl)
{
	struct remote *r = impl;

	if (r->on && r->call.verb == PV_APPLY)
		end(r, PX_NOT_APPLIED, "overtaken by a way back");
}

static bool no_snippet(const struct service_config *svc, const struct proxy_config *cfg, const char *bind, struct buf *out)
{
	(void)svc;
	(void)bind;
	return buf_addf(out, "# %s is driven by an agent: print this on its host, with the agent's configuration\n", cfg->name);
}

static bool no_files(const struct service_config *svc, const struct proxy_config *cfg, struct buf *said)
{
	(void)svc;
	(void)cfg;
	(void)said;
	return true;
}

static void raw_command(const struct service_config *svc, const struct proxy_config *cfg, const struct proxy_value *v, struct buf *out)
{
	(void)svc;
	(void)v;
	buf_addf(out, "# %s is driven by an agent: on its host\n", cfg->name);
}

const struct proxy_kind agent_kind = {
	.type = "agent", .can_stamp = true, .open = open_it, .close = close_it, .start = start, .give_way = give_way,
	.snippet = no_snippet, .init_files = no_files, .write_paths = no_files, .raw_command = raw_command,
};
