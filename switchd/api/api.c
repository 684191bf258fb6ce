/* SPDX-License-Identifier: MIT
 * api.c - listeners, dispatch, answers, and requests that wait for a change. */
#include "switchd/api/api.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/api/route.h"
#include "switchd/base/log.h"

enum { BEAT_MS = 1000, WAITERS_MOST = 256 };

struct waiter { struct call *call; wait_fn *look; mono_us deadline; struct waiter *next; };

struct api {
	struct ev_loop *loop;
	struct engine *engine;
	struct httpd *httpd;
	struct auth *auth;
	struct streams *streams;
	struct call *calls;             /* not yet answered */
	struct waiter *waiters;
	size_t n_waiters;
	ev_timer beat, soon;
};

struct engine *call_engine(const struct call *c) { return c->api->engine; }
struct streams *call_streams(const struct call *c) { return c->api->streams; }
struct auth *call_auth(const struct call *c) { return c->api->auth; }

void call_free(struct call *c)
{
	if (c->api && c->api->calls == c)
		c->api->calls = c->next;
	if (c->prev)
		c->prev->next = c->next;
	if (c->next)
		c->next->prev = c->prev;
	json_decref(c->body);
	free(c);
}

bool call_orphan(struct call *c)
{
	if (c->api)
		return false;
	call_free(c);
	return true;
}

/* ---- requests that wait ---- */

static void waiters_look(struct api *a)
{
	mono_us now = mono_now();

	for (struct waiter **p = &a->waiters; *p;) {
		struct waiter *w = *p;

		if (!w->look(w->call, w->deadline.us <= now.us)) {
			p = &w->next;
			continue;
		}
		*p = w->next;
		a->n_waiters--;
		free(w);
	}
}

void call_wait(struct call *c, int64_t ms, wait_fn *look)
{
	struct api *a = c->api;
	struct waiter *w;

	if (look(c, a->n_waiters >= WAITERS_MOST))
		return;
	w = xcalloc(1, sizeof(*w));
	w->call = c;
	w->look = look;
	w->deadline = mono_plus_ms(mono_now(), ms);
	w->next = a->waiters;
	a->waiters = w;
	a->n_waiters++;
}

static void on_soon(EV_P_ ev_timer *t, int revents)
{
	(void)revents;
	ev_timer_stop(EV_A_ t);
	waiters_look(t->data);
}

static void on_beat(EV_P_ ev_timer *t, int revents)
{
	struct api *a = t->data;

	(void)loop;
	(void)revents;
	streams_beat(a->streams);
	waiters_look(a);
}

static void on_change(void *arg, const char *service, const char *event_json, const char *event_id)
{
	struct api *a = arg;

	(void)service;
	if (event_json)
		streams_event(a->streams, event_id, event_json);
	if (a->waiters && !ev_is_active(&a->soon)) {
		ev_timer_set(&a->soon, 0., 0.);
		ev_timer_start(a->loop, &a->soon);
	}
}

/* ---- dispatch ---- */

/* A stranger is told nothing of what serves. */
static bool turned_away(struct call *c, unsigned status, const char *code, const char *detail, const char *name, const char *value)
{
	c->service[0] = '\0';
	answer_problem_with(c, status, code, status == 404 ? "Not found." : "Not allowed.", detail, status == 404 ? 2 : 10, name, value);
	return false;
}

static bool allowed(struct call *c)
{
	bool local = c->req->peer.local;
	char detail[240];

	if (c->req->listener == LISTEN_HEALTH && !c->route->health)
		return turned_away(c, 404, "not-found", "this listener is for load balancers: /active, /slot, /livez, /readyz, /metrics", NULL, NULL);
	if (c->route->role == ROLE_NONE)
		return true;
	if (!auth_check(c->api->auth, c->req, mono_now(), &c->role, c->actor))
		return turned_away(c, 429, "too-many-failures", "too many bad tokens from this address: wait a minute", "Retry-After", "60");
	if (c->role >= c->route->role)
		return true;
	if (c->role == ROLE_NONE) {
		TEXT_FORMAT(detail, "this needs the role %s: Authorization: Bearer TOKEN%s", role_name(c->route->role),
			    httpd_header(c->req, "Authorization") ? "; that token is not known" : "");
		return turned_away(c, 401, "unauthorized", detail, "WWW-Authenticate", "Bearer");
	}
	TEXT_FORMAT(detail, "this needs the role %s; %s has %s%s", role_name(c->route->role), c->actor, role_name(c->role),
		    local ? ": be root or switchd's own user, or bring a token (--token-file)" : "");
	return turned_away(c, 403, "forbidden", detail, NULL, NULL);
}

static void on_request(void *arg, struct httpd_request *req)
{
	struct api *a = arg;
	struct call *c = xcalloc(1, sizeof(*c));
	char allow[64];

	c->api = a;
	c->req = req;
	c->next = a->calls;
	if (c->next)
		c->next->prev = c;
	a->calls = c;
	c->route = route_find(c, req->method, req->path, allow);
	if (!c->route && allow[0])
		answer_problem_with(c, 405, "method", "Method not allowed.", "this path has other methods: see Allow", 2, "Allow", allow);
	else if (!c->route)
		answer_problem(c, 404, "not-found", "Not found.", "no such route, or a name that cannot be one: see docs/api.md", 2);
	else if (allowed(c) && request_read(c))
		c->route->run(c);
}

/* ---- birth and death ---- */

static bool split_address(const char *text, char *host, size_t size, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	uint64_t p;
	size_t n;

	if (!colon || !text_u64(colon + 1, &p) || p > 65535)
		return false;
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']')
		return *port = (uint16_t)p, text_copy_n(host, size, text + 1, n - 2);
	*port = (uint16_t)p;
	return text_copy_n(host, size, text, n);
}

static bool listen_tcp(struct api *a, int id, const char *address, bool health, char *error, size_t size)
{
	struct httpd_listener l = { .id = id, .max_connections = health ? 512 : 128, .max_per_ip = health ? 0 : 64, .max_body = health ? 4096 : ORDER_BODY_MAX };
	char host[256];

	if (!address[0])
		return true;
	if (!split_address(address, host, sizeof(host), &l.port)) {
		text_format(error, size, "listen: '%s' is not HOST:PORT", address);
		return false;
	}
	l.host = host;
	return httpd_listen(a->httpd, &l, error, size);
}

struct api *api_new(struct ev_loop *loop, struct engine *e, char *error, size_t size)
{
	const struct config *cfg = engine_current_config(e);
	struct httpd_listener un = { .id = LISTEN_UNIX, .unix_path = cfg->listen.unix_path, .unix_mode = 0660, .max_connections = 128, .max_body = STATE_BODY_MAX };
	struct api *a = xcalloc(1, sizeof(*a));

	a->loop = loop;
	a->engine = e;
	a->streams = streams_new(e);
	a->auth = auth_new(cfg->tokens_file, error, size);
	ev_timer_init(&a->beat, on_beat, BEAT_MS / 1000., BEAT_MS / 1000.);
	ev_init(&a->soon, on_soon);
	a->beat.data = a->soon.data = a;
	if (!a->auth)
		goto fail;
	a->httpd = httpd_new(loop, on_request, a);
	if (!listen_tcp(a, LISTEN_HEALTH, cfg->listen.http, true, error, size) ||
	    !listen_tcp(a, LISTEN_OPERATORS, cfg->listen.operators, false, error, size) ||
	    (un.unix_path[0] && !httpd_listen(a->httpd, &un, error, size)))
		goto fail;
	ev_timer_start(loop, &a->beat);
	engine_watch(e, on_change, a);
	log_info("listen", "health=%s operators=%s unix=%s", cfg->listen.http, cfg->listen.operators, cfg->listen.unix_path);
	return a;
fail:
	api_free(&a);
	return NULL;
}

void api_free(struct api **ap)
{
	struct api *a = *ap;

	if (!a)
		return;
	engine_watch(a->engine, NULL, NULL);
	ev_timer_stop(a->loop, &a->beat);
	ev_timer_stop(a->loop, &a->soon);
	while (a->waiters) {
		struct waiter *w = a->waiters;

		a->waiters = w->next;
		answer_problem(w->call, 503, "ending", "switchd is ending.", "ask again", 13);
		free(w);
	}
	for (struct call *c = a->calls, *next; c; c = next) { /* the engine still owes them a reply, and will find nobody */
		static const char ending[] = "{\"type\":\"urn:switchd:error:ending\",\"title\":\"switchd is ending.\",\"status\":503,"
					     "\"detail\":\"unknown whether it was done: ask again\",\"code\":\"ending\",\"exit\":13}";

		next = c->next;
		c->prev = c->next = NULL;
		httpd_answer(c->req, 503, "application/problem+json", NULL, 0, ending, sizeof(ending) - 1);
		c->api = NULL;
		c->req = NULL;
	}
	a->calls = NULL;
	if (a->httpd)
		httpd_free(&a->httpd);
	auth_free(&a->auth);
	streams_free(&a->streams);
	free(a);
	*ap = NULL;
}

bool api_reload(struct api *a, char *why, size_t why_size)
{
	struct auth *next = auth_new(engine_current_config(a->engine)->tokens_file, why, why_size);

	if (!next)
		return false;
	auth_free(&a->auth);
	a->auth = next;
	return true;
}
