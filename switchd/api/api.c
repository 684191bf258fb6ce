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
	struct waiter *waiters;
	size_t n_waiters;
	ev_timer beat, soon;
};

struct engine *call_engine(const struct call *c) { return c->api->engine; }
struct streams *call_streams(const struct call *c) { return c->api->streams; }
struct auth *call_auth(const struct call *c) { return c->api->auth; }

void call_free(struct call *c)
{
	json_decref(c->body);
	free(c);
}

/* ---- answers ---- */

static size_t common_headers(struct call *c, struct httpd_header *h, char etag[VERSION_TEXT + 2])
{
	struct active_answer a;
	char v[VERSION_TEXT];
	size_t n = 0;

	h[n++] = (struct httpd_header){ "Cache-Control", "no-store" };
	h[n++] = (struct httpd_header){ "X-Content-Type-Options", "nosniff" };
	if (c->service[0]) {
		engine_active(c->api->engine, c->service, &a);
		if (a.known_service) {
			text_format(etag, VERSION_TEXT + 2, "\"%s\"", version_text(a.v, v));
			h[n++] = (struct httpd_header){ "ETag", etag };
		}
	}
	return n;
}

static void send_text(struct call *c, unsigned status, const char *type, const char *text, const char *location)
{
	struct httpd_header h[6];
	char etag[VERSION_TEXT + 2];
	size_t n = common_headers(c, h, etag);

	if (location[0])
		h[n++] = (struct httpd_header){ "Location", location };
	if (status == 401)
		h[n++] = (struct httpd_header){ "WWW-Authenticate", "Bearer" };
	httpd_answer(c->req, status, type, h, n, text, strlen(text));
	call_free(c);
}

void answer_text(struct call *c, unsigned status, const char *type, const char *text) { send_text(c, status, type, text, ""); }

void answer_json(struct call *c, unsigned status, json_t *taken)
{
	char *text = json_dumps(taken, JSON_COMPACT | JSON_REAL_PRECISION(6)), location[128] = "";
	json_int_t deploy = json_integer_value(json_object_get(taken, "deploy"));

	if (status == 201 && deploy && c->route && c->route->run == order_deploy)
		TEXT_FORMAT(location, "/v1/services/%s/deploys/%lld", c->service, (long long)deploy);
	send_text(c, status, status >= 400 ? "application/problem+json" : "application/json", text ? text : "{}", location);
	free(text);
	json_decref(taken);
}

/* Where traffic is now, and the next command: what a person at 3 a.m. wants of an error. */
void problem_where(struct call *c, json_t *p, const char *code)
{
	struct active_answer a;
	char next[320];

	engine_active(c->api->engine, c->service, &a);
	if (!a.known_service)
		return;
	json_object_set_new(p, "active", json_string(slot_name(a.active)));
	json_object_set_new(p, "release", json_string(a.release));
	json_object_set_new(p, "epoch", json_integer((json_int_t)a.v.epoch));
	if (strcmp(code, "held") == 0)
		TEXT_FORMAT(next, "switchctl resume %s   |   a rollback passes: switchctl rollback %s", c->service, c->service);
	else if (strcmp(code, "not-whole") == 0)
		TEXT_FORMAT(next, "switchctl why %s   |   override: switchctl flip %s --force -m REASON", c->service, c->service);
	else
		TEXT_FORMAT(next, "switchctl status %s", c->service);
	json_object_set_new(p, "next", json_string(next));
}

void answer_problem(struct call *c, unsigned status, const char *code, const char *title, const char *detail, int exit_code)
{
	char type[96];
	json_t *p;

	TEXT_FORMAT(type, "urn:switchd:error:%s", code);
	p = json_pack("{s:s,s:s,s:i,s:s,s:s,s:i,s:b}", "type", type, "title", title, "status", (int)status, "detail", detail, "code", code, "exit", exit_code,
		      "moved", 0);
	if (!p) /* a detail that is not UTF-8 */
		p = json_pack("{s:s,s:s,s:i,s:s,s:i}", "type", type, "title", title, "status", (int)status, "code", code, "exit", exit_code);
	if (c->service[0])
		problem_where(c, p, code);
	answer_json(c, status, p);
}

void answer_not_found(struct call *c, const char *what)
{
	char detail[160];

	TEXT_FORMAT(detail, "no such %s", what);
	answer_problem(c, 404, "not-found", "not found", detail, 2);
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

static bool member_known(const char *members, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = members; (p = strstr(p, key)); p += n)
		if ((p == members || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static bool read_body(struct call *c)
{
	json_error_t e;
	const char *type = httpd_header(c->req, "Content-Type"), *key;
	char detail[320];
	json_t *value;

	if (!c->route->members)
		return true;
	if (c->req->body_len && (!type || !text_starts(type, "application/json"))) {
		answer_problem(c, 415, "bad-type", "bad content type", "a body is application/json", 2);
		return false;
	}
	c->body = c->req->body_len ? json_loadb(c->req->body, c->req->body_len, JSON_REJECT_DUPLICATES, &e) : json_object();
	if (!c->body) {
		TEXT_FORMAT(detail, "line %d column %d: %.200s", e.line, e.column, e.text);
		answer_problem(c, 400, "malformed", "malformed JSON", detail, 2);
		return false;
	}
	if (!json_is_object(c->body)) {
		answer_problem(c, 400, "malformed", "malformed JSON", "a body is one object", 2);
		return false;
	}
	json_object_foreach(c->body, key, value) {
		bool force = strcmp(key, "force") == 0;

		if (!member_known(c->route->members, key)) {
			TEXT_FORMAT(detail, "unknown member \"%.64s\"; known: %s", key, c->route->members);
			answer_problem(c, 400, "unknown-member", "unknown member", detail, 2);
			return false;
		}
		if (force ? !json_is_boolean(value) : !json_is_string(value)) {
			TEXT_FORMAT(detail, "%.64s wants a %s", key, force ? "boolean" : "string");
			answer_problem(c, 400, "bad-body", "bad body", detail, 2);
			return false;
		}
	}
	return true;
}

static bool allowed(struct call *c)
{
	char detail[160];

	if (c->req->listener == LISTEN_HEALTH && !c->route->health) {
		answer_problem(c, 404, "not-found", "not found", "this listener is for load balancers: /active, /slot, /livez, /readyz, /metrics", 2);
		return false;
	}
	if (c->route->role == ROLE_NONE)
		return true;
	if (!auth_check(c->api->auth, c->req, mono_now(), &c->role, c->actor)) {
		answer_problem(c, 429, "too-many-failures", "too many failures", "wait a minute", 10);
		return false;
	}
	if (c->role >= c->route->role)
		return true;
	TEXT_FORMAT(detail, "%s needs the role %s%s%s", c->route->path, role_name(c->route->role), c->role ? "; this is " : "", c->role ? role_name(c->role) : "");
	c->service[0] = '\0'; /* tells a stranger nothing of what serves */
	answer_problem(c, c->role == ROLE_NONE ? 401 : 403, c->role == ROLE_NONE ? "unauthorized" : "forbidden", "not allowed", detail, 10);
	return false;
}

static void on_request(void *arg, struct httpd_request *req)
{
	struct call *c = xcalloc(1, sizeof(*c));
	const char *dry = httpd_query(req, "dry_run");
	bool path_known;

	c->api = arg;
	c->req = req;
	c->dry_run = dry && strcmp(dry, "1") == 0;
	c->route = route_find(c, req->method, req->path, &path_known);
	if (!c->route) {
		c->service[0] = '\0';
		if (path_known)
			answer_problem(c, 405, "method", "method not allowed", "see docs/api.md", 2);
		else
			answer_problem(c, 404, "not-found", "not found", "no such route", 2);
		return;
	}
	if (allowed(c) && read_body(c))
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
	struct httpd_listener l = { .id = id, .max_connections = health ? 512 : 128, .max_per_ip = health ? 0 : 64, .no_body = health };
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
	struct httpd_listener un = { .id = LISTEN_UNIX, .unix_path = cfg->listen.unix_path, .unix_mode = 0660, .max_connections = 128 };
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
		answer_problem(w->call, 503, "ending", "switchd is ending", "ask again", 13);
		free(w);
	}
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
