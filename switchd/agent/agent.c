/* SPDX-License-Identifier: MIT
 * agent.c - wiring: state directory, journal, proxies, store; the beat; reload; stop. */
#include "switchd/agent/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchd/agent/room.h"
#include "switchd/base/log.h"

enum { STOP_MS = 3000 };

struct local_service *agent_find(const struct agent *a, const char *service)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->services[i]->cfg->name, service) == 0)
			return a->services[i];
	return NULL;
}

/* ---- what the store says ---- */

static void store_changed(void *arg, bool up, const char *why)
{
	struct agent *a = arg;

	log_info("store", "up=%d why=%s", up, LOG_Q(why));
	a->down_since = up ? (mono_us){ 0 } : a->down_since.us ? a->down_since : mono_now();
	agent_report_up(a->report, up);
}

/* For the header of the reports.  What no clock has reached is no place in the store's history. */
static void note_newest(struct agent *a, const struct shown *t)
{
	bool newer = t->value.v.gen > a->v.gen || (t->value.v.gen == a->v.gen && t->seq >= a->seq);

	if (!newer || t->value.v.gen > (uint64_t)(wall_now().ms / 1000) + AGENT_FUTURE_S)
		return;
	a->v = t->value.v;
	a->seq = t->seq;
}

static void told(void *arg, const struct shown *t)
{
	struct agent *a = arg;
	struct local_service *s = agent_find(a, t->service);

	if (!s || a->stopping)
		return;
	note_newest(a, t);
	agent_service_told(s, t);
}

static void told_bad(void *arg, const char *service, const char *why)
{
	struct agent *a = arg;
	struct local_service *s = agent_find(a, service);

	if (s && !a->stopping)
		agent_service_bad(s, why);
}

static void send_report(void *arg, const struct report *r, store_reported_fn *done, void *done_arg)
{
	struct agent *a = arg;

	store_report(a->store, r, done, done_arg);
}

static int slower(const struct agent *a)
{
	size_t times = 1 + (a->n - 1) / AT_FULL_PACE;

	return times < SLOWEST ? (int)times : SLOWEST;
}

static void beat(EV_P_ ev_timer *t, int revents)
{
	struct agent *a = t->data;
	mono_us now = mono_now();
	bool busy = false;

	(void)loop;
	(void)revents;
	for (size_t i = 0; i < a->n; i++) {
		agent_service_beat(a->services[i], now, slower(a));
		busy = busy || agent_service_busy(a->services[i]);
	}
	if (!a->stopping || busy || !a->stopped)
		return;
	void (*done)(void *) = a->stopped;

	a->stopped = NULL;
	done(a->stopped_arg);
}

/* ---- configurations that are in use ---- */

static struct agent_config *config_keep(struct agent *a, struct config *cfg)
{
	struct agent_config *c = xcalloc(1, sizeof(*c));

	c->cfg = cfg;
	c->next = a->configs;
	a->configs = c;
	return c;
}

static void config_sweep(struct agent *a)
{
	for (struct agent_config **p = &a->configs; *p;) {
		struct agent_config *c = *p;

		if (c->users || c == a->now) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		config_free(&c->cfg);
		free(c);
	}
}

/* ---- birth ---- */

static bool own_name(const struct config *cfg, name_text out, char *error, size_t size)
{
	char host[256] = "";

	if (cfg->agent_name[0])
		return text_copy(out, sizeof(name_text), cfg->agent_name);
	if (gethostname(host, sizeof(host) - 1) == 0 && name_ok(host))
		return text_copy(out, sizeof(name_text), host);
	text_format(error, size, "this host's name cannot be an agent's: say agent: {name: ...}");
	return false;
}

struct agent *agent_new(struct ev_loop *loop, struct config *cfg, char *error, size_t error_size)
{
	struct agent *a = xcalloc(1, sizeof(*a));

	must(cfg->for_agent);
	a->loop = loop;
	a->now = config_keep(a, cfg);
	a->reload_ok = true;
	a->down_since = mono_now();
	ev_timer_init(&a->beat, beat, 0., BEAT_MS / 1000.);
	a->beat.data = a;
	if (!own_name(cfg, a->name, error, error_size))
		goto fail;
	if (mkdir(cfg->state_dir, 0755) != 0 && errno != EEXIST) {
		text_format(error, error_size, "state_dir %s: %s", cfg->state_dir, strerror(errno));
		goto fail;
	}
	a->journal = journal_open(loop, cfg->state_dir, error, error_size);
	if (!a->journal)
		goto fail;
	a->services = xcalloc(cfg->n_services, sizeof(struct local_service *));
	for (; a->n < cfg->n_services; a->n++)
		a->services[a->n] = agent_service_new(a, &cfg->services[a->n], a->now);
	a->http = agent_http_new(a, error, error_size);
	if (!a->http)
		goto fail;
	a->report = agent_report_new(a, send_report, a);
	a->store = store_follow(loop, cfg, a->name, store_changed, told, a);
	store_follow_bad(a->store, told_bad);
	ev_timer_start(loop, &a->beat);
	log_info("agent", "name=%s services=%zu", a->name, a->n);
	return a;
fail:
	agent_free(&a);
	return NULL;
}

/* ---- reload ---- */

static bool same_address(const struct redis_config *a, const struct redis_config *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port && strcmp(a->unix_path, b->unix_path) == 0 && a->db == b->db &&
	       strcmp(a->master, b->master) == 0 && strcmp(a->prefix, b->prefix) == 0;
}

static bool reload_allowed(const struct agent *a, const struct config *next, char *why, size_t size)
{
	const struct config *was = a->now->cfg;

	if (strcmp(was->state_dir, next->state_dir) != 0 || !same_address(&was->redis, &next->redis)) {
		text_format(why, size, "state and state_dir cannot change while switchd runs: restart it");
		return false;
	}
	if (next->agent_name[0] && strcmp(next->agent_name, a->name) != 0) {
		text_format(why, size, "the agent's name cannot change while switchd runs: restart it");
		return false;
	}
	return true;
}

bool agent_reload(struct agent *a, struct config *next, char *why, size_t why_size)
{
	struct local_service **services = xcalloc(next->n_services, sizeof(struct local_service *));

	must(next->for_agent);
	if (!reload_allowed(a, next, why, why_size)) {
		free(services);
		agent_reload_failed(a, why);
		return false;
	}
	if (strcmp(a->now->cfg->listen.http, next->listen.http) != 0)
		log_warn("reload", "what=\"listen: changes with a restart only; the old address stays\"");
	a->now = config_keep(a, next);
	for (size_t i = 0; i < next->n_services; i++) {
		const struct service_config *cfg = &next->services[i];

		services[i] = agent_find(a, cfg->name);
		if (services[i] && services[i]->cfg->fingerprint == cfg->fingerprint)
			continue; /* as it was, with the configuration that it was made of */
		struct local_service *old = services[i];

		services[i] = agent_service_new(a, cfg, a->now);
		for (size_t k = 0; old && k < a->n; k++)
			if (a->services[k] == old)
				a->services[k] = services[i];
		if (old)
			agent_service_inherit(services[i], &old);
	}
	for (size_t k = 0; k < a->n; k++) {
		bool kept = false;

		for (size_t i = 0; i < next->n_services; i++)
			kept = kept || services[i] == a->services[k];
		if (kept)
			continue;
		agent_report_gone(a->report, a->services[k]->cfg->name);
		agent_service_free(&a->services[k]);
	}
	free(a->services);
	a->services = services;
	a->n = next->n_services;
	config_sweep(a);
	agent_report_pace(a->report, next->agent_report_ms);
	agent_report_soon(a->report);
	store_follow_services(a->store, next);
	a->reload_ok = true;
	return true;
}

void agent_reload_failed(struct agent *a, const char *why)
{
	a->reload_ok = false;
	log_error("reload", "ok=0 what=\"the old configuration stands\" why=%s", LOG_Q(why));
}

/* ---- stop ---- */

static void stop_late(EV_P_ ev_timer *t, int revents)
{
	struct agent *a = t->data;
	void (*done)(void *) = a->stopped;

	(void)loop;
	(void)revents;
	a->stopped = NULL;
	log_warn("stop", "what=\"a proxy or the disk did not answer in time\"");
	if (done)
		done(a->stopped_arg);
}

void agent_stop(struct agent *a, void (*done)(void *), void *arg)
{
	if (a->stopping)
		return;
	a->stopping = true;
	a->stopped = done;
	a->stopped_arg = arg;
	ev_timer_init(&a->stop_deadline, stop_late, STOP_MS / 1000., 0.);
	a->stop_deadline.data = a;
	ev_timer_start(a->loop, &a->stop_deadline);
}

void agent_free(struct agent **ap)
{
	struct agent *a = *ap;

	if (!a)
		return;
	*ap = NULL;
	a->stopping = true;
	ev_timer_stop(a->loop, &a->beat);
	ev_timer_stop(a->loop, &a->stop_deadline);
	if (a->store) /* first: what it still owes an answer to is the report */
		store_free(&a->store);
	agent_http_free(&a->http);
	agent_report_free(&a->report);
	for (size_t i = 0; i < a->n; i++)
		agent_service_free(&a->services[i]);
	free(a->services);
	a->n = 0;
	a->now = NULL;
	config_sweep(a);
	if (a->journal)
		journal_close(&a->journal); /* its answers find no service any more */
	free(a);
}
