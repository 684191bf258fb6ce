/* SPDX-License-Identifier: MIT
 * agent_http.c - what load balancers and monitors of this host ask: no credentials, no store on the path, the last known
 * answer when it is away.  The same paths and words as a controller's (api/lb.c). */
#include <stdlib.h>
#include <string.h>

#include "switchd/agent/room.h"
#include "switchd/base/log.h"
#include "switchd/io/httpd.h"

enum { CONNECTIONS = 256, METRICS_MAX = 8 * 1024 * 1024 };

struct agent_http { struct agent *a; struct httpd *httpd; };

static void answer(struct httpd_request *req, unsigned status, const char *type, const char *body)
{
	struct httpd_header h = { "Cache-Control", "no-store" };

	httpd_answer(req, status, type, &h, 1, body, strlen(body));
}

/* "/shop/green" behind the first word; with one service alone its name may be left out. */
static const struct local_service *service_of(const struct agent *a, const char *rest, const char **slot)
{
	const char *slash = rest[0] == '/' ? strchr(rest + 1, '/') : NULL;
	name_text name;

	*slot = slash ? slash + 1 : "";
	if (!rest[0])
		return a->n == 1 ? a->services[0] : NULL;
	if (!text_copy_n(name, sizeof(name), rest + 1, slash ? (size_t)(slash - rest - 1) : strlen(rest + 1)))
		return NULL;
	return agent_find(a, name);
}

static void lb_answer(struct httpd_request *req, const struct local_service *s, unsigned status, const char *type, const char *body)
{
	const struct proxy_value *shows = agent_service_shows(s);
	char epoch[VERSION_TEXT], stale[24];
	struct httpd_header h[3] = { { "Cache-Control", "no-store" }, { "Switchd-Epoch", version_text(shows ? shows->v : (struct version){ 0 }, epoch) } };
	size_t n = 2;

	if (s->a->down_since.us || !s->confirmed) {
		TEXT_FORMAT(stale, "%lld", (long long)(s->a->down_since.us ? mono_since_ms(mono_now(), s->a->down_since) / 1000 + 1 : 1));
		h[n++] = (struct httpd_header){ "Switchd-Stale", stale };
	}
	httpd_answer(req, status, type, h, n, body, strlen(body));
}

static enum slot active_of(const struct local_service *s)
{
	const struct proxy_value *shows = agent_service_shows(s);

	return shows ? shows->slot : NO_SLOT;
}

static void get_active(struct agent *a, struct httpd_request *req, const char *rest)
{
	const char *more;
	const struct local_service *s = service_of(a, rest, &more);
	char line[16];

	if (!s || more[0]) {
		answer(req, 404, "text/plain", "no such service\n");
		return;
	}
	TEXT_FORMAT(line, "%s\n", slot_name(active_of(s)));
	lb_answer(req, s, active_of(s) == NO_SLOT ? 503 : 200, "text/plain", line);
}

static void get_slot(struct agent *a, struct httpd_request *req, const char *rest)
{
	const char *drain = httpd_query(req, "drain"), *word;
	const struct local_service *s = service_of(a, rest, &word);
	enum slot asked = NO_SLOT;

	if (!s && a->n == 1 && rest[0] == '/' && slot_parse(rest + 1, &asked)) { /* /slot/green */
		s = a->services[0];
		word = rest + 1;
	}
	if (!s || !slot_parse(word, &asked)) {
		answer(req, 404, "text/plain", s ? "no such slot: blue or green\n" : "no such service\n");
		return;
	}
	bool active = active_of(s) == asked;
	bool draining = !active && active_of(s) != NO_SLOT && drain && strcmp(drain, "1") == 0 && s->moved_at.us &&
			mono_since_ms(mono_now(), s->moved_at) < s->cfg->drain_ms;
	json_t *j = json_pack("{s:s,s:s,s:s,s:s}", "status", active ? "pass" : draining ? "warn" : "fail", "serviceId", s->cfg->name, "slot", word, "releaseId",
			      active ? s->applied.release : "");
	char *body = json_dumps(j, JSON_COMPACT);

	lb_answer(req, s, active || draining ? 200 : 503, "application/health+json", body ? body : "{}");
	free(body);
	json_decref(j);
}

/* The store is up and every proxy shows what it should; a pin is what a person wants it to show. */
static void get_ready(struct agent *a, struct httpd_request *req)
{
	char why[400], line[512];
	int rank;

	if (a->down_since.us) {
		TEXT_FORMAT(line, "store: %s\n", store_why_down(a->store));
		answer(req, 503, "text/plain", line);
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		const char *state = agent_service_state(a->services[i], why, sizeof(why), &rank);

		if (rank == KEEP_OK || rank == KEEP_PINNED)
			continue;
		TEXT_FORMAT(line, "%s: %s: %s\n", a->services[i]->cfg->name, state, why);
		answer(req, 503, "text/plain", line);
		return;
	}
	answer(req, 200, "text/plain", "ready\n");
}

/* ---- metrics ---- */

static void family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_addf(b, "# HELP switchd_agent_%s %s\n# TYPE switchd_agent_%s %s\n", name, help, name, type);
}

static void per_service(const struct agent *a, struct buf *b)
{
	char why[400];
	int rank;

	family(b, "generation", "gauge", "generation of the version that the proxies were told");
	for (size_t i = 0; i < a->n; i++)
		buf_addf(b, "switchd_agent_generation{service=\"%s\"} %llu\n", a->services[i]->cfg->name,
			 (unsigned long long)a->services[i]->applied.value.v.gen);
	family(b, "epoch", "gauge", "epoch of the version that the proxies were told");
	for (size_t i = 0; i < a->n; i++)
		buf_addf(b, "switchd_agent_epoch{service=\"%s\"} %llu\n", a->services[i]->cfg->name,
			 (unsigned long long)a->services[i]->applied.value.v.epoch);
	family(b, "active", "gauge", "1 for the slot that the proxies were told");
	for (size_t i = 0; i < a->n; i++)
		for (int k = BLUE; k <= GREEN; k++)
			buf_addf(b, "switchd_agent_active{service=\"%s\",slot=\"%s\"} %d\n", a->services[i]->cfg->name, slot_name((enum slot)k),
				 active_of(a->services[i]) == (enum slot)k);
	family(b, "state", "gauge", "1 for what is the matter with the service here");
	for (size_t i = 0; i < a->n; i++)
		buf_addf(b, "switchd_agent_state{service=\"%s\",state=\"%s\"} 1\n", a->services[i]->cfg->name,
			 agent_service_state(a->services[i], why, sizeof(why), &rank));
	family(b, "applied_total", "counter", "records that the proxies were told");
	for (size_t i = 0; i < a->n; i++)
		buf_addf(b, "switchd_agent_applied_total{service=\"%s\"} %llu\n", a->services[i]->cfg->name, (unsigned long long)a->services[i]->n_applied);
	family(b, "refused_total", "counter", "records that were not applied: a condemned release, a generation of the future, a full disk");
	for (size_t i = 0; i < a->n; i++)
		buf_addf(b, "switchd_agent_refused_total{service=\"%s\"} %llu\n", a->services[i]->cfg->name, (unsigned long long)a->services[i]->n_refused);
}

static void per_proxy(const struct agent *a, struct buf *b)
{
	family(b, "in_sync", "gauge", "1 when the proxy shows what it was told");
	for (size_t i = 0; i < a->n; i++)
		for (size_t p = 0; p < a->services[i]->cfg->n_proxies; p++)
			buf_addf(b, "switchd_agent_in_sync{service=\"%s\",proxy=\"%s\"} %d\n", a->services[i]->cfg->name,
				 a->services[i]->cfg->proxies[p].name,
				 agent_service_shows(a->services[i]) && keep_look(a->services[i]->px[p])->state == KEEP_OK);
	family(b, "sessions_cut_total", "counter", "long-lived sessions of the slot left that were cut after the drain");
	for (size_t i = 0; i < a->n; i++)
		for (size_t p = 0; p < a->services[i]->cfg->n_proxies; p++)
			buf_addf(b, "switchd_agent_sessions_cut_total{service=\"%s\",proxy=\"%s\"} %llu\n", a->services[i]->cfg->name,
				 a->services[i]->cfg->proxies[p].name, (unsigned long long)keep_look(a->services[i]->px[p])->cut);
}

static void get_metrics(struct agent *a, struct httpd_request *req)
{
	struct buf b = BUF_INIT(METRICS_MAX);
	int64_t age = agent_report_age_ms(a->report);

	family(&b, "up", "gauge", "1 while it is connected to the store and follows the record");
	buf_addf(&b, "switchd_agent_up %d\n", !a->down_since.us);
	family(&b, "report_age_seconds", "gauge", "since the last report that arrived; -1 when none did");
	buf_addf(&b, "switchd_agent_report_age_seconds %.3f\n", age < 0 ? -1. : (double)age / 1000.);
	family(&b, "config_reload_success", "gauge", "0 after a reload that was refused");
	buf_addf(&b, "switchd_agent_config_reload_success %d\n", a->reload_ok);
	per_service(a, &b);
	per_proxy(a, &b);
	answer(req, 200, "text/plain; version=0.0.4", buf_str(&b));
	buf_free(&b);
}

/* ---- dispatch ---- */

static bool below(const char *path, const char *first, const char **rest)
{
	size_t n = strlen(first);

	if (!text_starts(path, first) || (path[n] && path[n] != '/'))
		return false;
	*rest = path + n;
	return true;
}

static void on_request(void *arg, struct httpd_request *req)
{
	struct agent_http *h = arg;
	const char *rest;

	if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0 && strcmp(req->method, "OPTIONS") != 0) {
		struct httpd_header allow = { "Allow", "GET, HEAD, OPTIONS" };

		httpd_answer(req, 405, "text/plain", &allow, 1, "an agent only answers\n", 22);
	} else if (strcmp(req->path, "/livez") == 0) {
		answer(req, 200, "text/plain", "alive\n");
	} else if (strcmp(req->path, "/readyz") == 0) {
		get_ready(h->a, req);
	} else if (strcmp(req->path, "/metrics") == 0) {
		get_metrics(h->a, req);
	} else if (below(req->path, "/active", &rest)) {
		get_active(h->a, req, rest);
	} else if (below(req->path, "/slot", &rest)) {
		get_slot(h->a, req, rest);
	} else {
		answer(req, 404, "text/plain", "an agent has /active, /slot, /livez, /readyz, /metrics\n");
	}
}

/* ---- life ---- */

static bool listener(const char *address, struct httpd_listener *l, char *host, size_t size)
{
	const char *colon = strrchr(address, ':');
	uint64_t port;
	size_t n;

	if (!colon || !text_u64(colon + 1, &port) || port > 65535)
		return false;
	n = (size_t)(colon - address);
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	l->port = (uint16_t)port;
	l->host = host;
	return text_copy_n(host, size, address, n);
}

struct agent_http *agent_http_new(struct agent *a, char *error, size_t error_size)
{
	struct httpd_listener l = { .max_connections = CONNECTIONS, .no_body = true };
	struct agent_http *h = xcalloc(1, sizeof(*h));
	const char *address = a->now->cfg->listen.http;
	char host[256];

	h->a = a;
	h->httpd = httpd_new(a->loop, on_request, h);
	if (!address[0])
		return h;
	if (!listener(address, &l, host, sizeof(host)))
		text_format(error, error_size, "listen: '%s' is not HOST:PORT", address);
	else if (httpd_listen(h->httpd, &l, error, error_size)) {
		log_info("listen", "health=%s", address);
		return h;
	}
	agent_http_free(&h);
	return NULL;
}

void agent_http_free(struct agent_http **hp)
{
	struct agent_http *h = *hp;

	if (!h)
		return;
	*hp = NULL;
	httpd_free(&h->httpd);
	free(h);
}
