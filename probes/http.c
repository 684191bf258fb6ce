/* SPDX-License-Identifier: MIT
 * http.c - the http kind: one request, judged.
 *
 * Directly to a target: the URL keeps the public name (Host and SNI), the connection goes to
 * the target.  Through the front: what a user would do, on a new connection each time, and
 * the answer's stamp says which slot and version gave it (haproxy.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "probes/kind.h"
#include "switchd/io/httpc.h"

enum { URL_MAX = 8192, SLOT_POOL_MIN = 8, SLOT_POOL_MAX = 128, FRONT_POOL_MAX = 64, SHOW_EVERY_MS = 250 };

/* Where requests of one kind go: "https://shop.example.com:8443" and the address behind it. */
struct base {
	char *prefix;                   /* NULL: nowhere */
	char *host;                     /* "" = as the prefix says */
	uint16_t port;
	const char *name;               /* for people */
};

struct means {
	struct probe_runner *runner;
	struct httpc *client;
	struct httpc_pool *slot_pool[2], *front_pool[MAX_PROXIES], *reference_pool;
	struct base *slot[2], front[MAX_PROXIES], reference;
	size_t n_fronts;
	char ***headers;                /* per feature, then one set for identity and one for reference */
	size_t *n_headers;
};

struct asking {
	struct probe_handle *h;
	struct means *m;
	struct httpc_req *req;
	char *url, *target;
};

/* ---- where ---- */

struct address { bool tls; char host[256]; uint16_t port; };

/* "http://10.0.0.9:80", "[::1]:8080", "https://name/": only what a request needs of it. */
static bool parse_address(const char *url, struct address *out)
{
	const char *p = url, *end;
	uint64_t port;
	char number[8];

	*out = (struct address){ .tls = strncasecmp(url, "https://", 8) == 0 };
	if (strstr(p, "://"))
		p = strstr(p, "://") + 3;
	if (*p == '[') {
		end = strchr(++p, ']');
		if (!end || !text_copy_n(out->host, sizeof(out->host), p, (size_t)(end - p)))
			return false;
		end++;
	} else {
		end = p + strcspn(p, ":/?#");
		if (!text_copy_n(out->host, sizeof(out->host), p, (size_t)(end - p)))
			return false;
	}
	out->port = out->tls ? 443 : 80;
	if (*end == ':') {
		size_t n = strspn(end + 1, "0123456789");

		if (!text_copy_n(number, sizeof(number), end + 1, n) || !text_u64(number, &port) || port < 1 || port > 65535)
			return false;
		out->port = (uint16_t)port;
	}
	return out->host[0] != '\0';
}

/* The port is part of Host only where the public name has it there: a target on another scheme
 * or port must see the Host that users send. */
static char *make_prefix(bool tls, const char *host, uint16_t port, bool default_port)
{
	char text[400], shown[16] = "";
	bool v6 = strchr(host, ':') != NULL;

	if (!default_port)
		TEXT_FORMAT(shown, ":%u", port);
	must(TEXT_FORMAT(text, v6 ? "%s://[%s]%s" : "%s://%s%s", tls ? "https" : "http", host, shown));
	return xstrdup(text);
}

static bool is_default_port(bool tls, uint16_t port) { return port == (tls ? 443 : 80); }

static struct base target_base(const struct service_config *svc, const struct target *t)
{
	const struct target *pub = svc->front[0] ? &svc->front_target : t;

	return (struct base){
		.prefix = make_prefix(t->tls, pub->host, pub->port, is_default_port(pub->tls, pub->port)),
		.host = xstrdup(t->host), .port = t->port, .name = t->text,
	};
}

static struct base front_base(const struct service_config *svc, const struct proxy_config *proxy)
{
	const struct target *pub = &svc->front_target;
	const char *url = proxy && proxy->front[0] ? proxy->front : svc->front;
	struct base b = { .host = xstrdup(""), .name = proxy ? proxy->name : "front" };
	struct address a;

	if (!url[0] || !parse_address(url, &a))
		return b;
	if (!svc->front[0] || strcmp(url, svc->front) == 0) {
		b.prefix = make_prefix(a.tls, a.host, a.port, is_default_port(a.tls, a.port));
		return b;
	}
	/* This proxy in particular, under the public name. */
	b.prefix = make_prefix(a.tls, pub->host, pub->port, is_default_port(pub->tls, pub->port));
	free(b.host);
	b.host = xstrdup(a.host);
	b.port = a.port;
	return b;
}

static void base_free(struct base *b)
{
	free(b->prefix);
	free(b->host);
}

/* ---- means ---- */

static size_t clamp(size_t n, size_t least, size_t most) { return n < least ? least : n > most ? most : n; }

static char *header_line(const char *name, const char *value)
{
	size_t n = strlen(name) + strlen(value) + 4;
	char *s = xmalloc(n);

	/* libcurl takes "Name:" as "leave this header out" and "Name;" as "send it empty". */
	snprintf(s, n, value[0] ? "%s: %s" : "%s;", name, value);
	return s;
}

static void make_headers(struct means *m, size_t at, const struct header *list, size_t n, const char *feature)
{
	char mark[2 * NAME_MAX_LEN + 8];
	bool agent = false;

	TEXT_FORMAT(mark, "%s/%s", m->runner->svc->name, feature);
	m->headers[at] = xcalloc(n + 2, sizeof(char *));
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(list[i].name, "X-Switchd-Probe") == 0)
			continue;
		agent |= strcasecmp(list[i].name, "User-Agent") == 0;
		m->headers[at][m->n_headers[at]++] = header_line(list[i].name, list[i].value);
	}
	m->headers[at][m->n_headers[at]++] = header_line("X-Switchd-Probe", mark);
	if (!agent)
		m->headers[at][m->n_headers[at]++] = header_line("User-Agent", "switchd-probe");
}

static void *http_open(struct probe_runner *r)
{
	const struct service_config *svc = r->svc;
	size_t sets = svc->n_features + 2;
	struct means *m = xcalloc(1, sizeof(*m));

	m->runner = r;
	m->client = httpc_new(r->loop);
	for (int s = BLUE; s <= GREEN; s++) {
		const struct slot_config *slot = &svc->slot[s];

		m->slot_pool[s] = httpc_pool_new(m->client, clamp((svc->n_features + 2) * slot->n_targets, SLOT_POOL_MIN, SLOT_POOL_MAX));
		m->slot[s] = xcalloc(slot->n_targets, sizeof(*m->slot[s]));
		for (size_t t = 0; t < slot->n_targets; t++)
			m->slot[s][t] = target_base(svc, &slot->targets[t]);
	}
	m->n_fronts = clamp(svc->n_proxies, 1, MAX_PROXIES);
	for (size_t p = 0; p < m->n_fronts; p++) {
		m->front_pool[p] = httpc_pool_new(m->client, clamp(svc->n_features + 2, 4, FRONT_POOL_MAX));
		m->front[p] = front_base(svc, p < svc->n_proxies ? &svc->proxies[p] : NULL);
	}
	if (svc->has_reference) {
		const struct target *t = &svc->reference;

		m->reference_pool = httpc_pool_new(m->client, 2);
		m->reference = (struct base){ .prefix = make_prefix(t->tls, t->host, t->port, is_default_port(t->tls, t->port)),
					      .host = xstrdup(""), .name = t->text };
	}
	m->headers = xcalloc(sets, sizeof(*m->headers));
	m->n_headers = xcalloc(sets, sizeof(*m->n_headers));
	for (size_t i = 0; i < svc->n_features; i++)
		make_headers(m, i, svc->features[i].headers, svc->features[i].n_headers, svc->features[i].name);
	make_headers(m, svc->n_features, NULL, 0, "identity");
	make_headers(m, svc->n_features + 1, NULL, 0, "reference");
	return m;
}

static void http_close(void *means)
{
	struct means *m = means;
	const struct service_config *svc = m->runner->svc;

	httpc_free(&m->client);
	for (int s = BLUE; s <= GREEN; s++) {
		for (size_t t = 0; t < svc->slot[s].n_targets; t++)
			base_free(&m->slot[s][t]);
		free(m->slot[s]);
	}
	for (size_t p = 0; p < m->n_fronts; p++)
		base_free(&m->front[p]);
	base_free(&m->reference);
	for (size_t i = 0; i < svc->n_features + 2; i++) {
		for (size_t k = 0; k < m->n_headers[i]; k++)
			free(m->headers[i][k]);
		free(m->headers[i]);
	}
	free(m->headers);
	free(m->n_headers);
	free(m);
}

/* ---- what ---- */

static bool safe_method(const char *m) { return strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0; }

/* The same with its last path segment replaced by one that nothing can have (B1.5). */
static bool absent_url(char *out, size_t size, const char *url)
{
	const char *start = strstr(url, "://");
	const char *path = start ? start + 3 + strcspn(start + 3, "/?#") : url;
	const char *end = path + strcspn(path, "?#"), *seg, *tail;
	unsigned char random[8] = { 0 };
	char hex[17];

	/* Unguessable, so that no cache and no catch-all of an earlier round knows it. */
	if (getrandom(random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		memcpy(random, &(int64_t){ mono_now().us }, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(hex + 2 * i, 3, "%02x", random[i]);
	tail = end > path && end[-1] == '/' ? end - 1 : end; /* of "/a/b/" the segment is "b" */
	for (seg = tail; seg > path && seg[-1] != '/'; seg--)
		;
	if (tail == path) /* "/", or no path at all */
		return text_format(out, size, "%.*s/switchd-absent-%s%s", (int)(path - url), url, hex, end);
	return text_format(out, size, "%.*sswitchd-absent-%s%s", (int)(seg - url), url, hex, tail);
}

struct what {
	const struct base *base;
	struct httpc_pool *pool;
	const char *path;               /* or an absolute URL */
	size_t headers;                 /* which set */
	const char *never;              /* why it cannot be asked; NULL */
};

static struct what resolve(struct means *m, const struct probe_handle *h)
{
	const struct probe_job *j = &h->r.job;
	const struct service_config *svc = m->runner->svc;
	struct what w = { .headers = j->feature };

	if (j->purpose == PURPOSE_REFERENCE) {
		w = (struct what){ &m->reference, m->reference_pool, "/", svc->n_features + 1, NULL };
		if (!svc->has_reference)
			w.never = "no reference is configured";
		return w;
	}
	if (j->via == VIA_FRONT) {
		if (j->proxy >= m->n_fronts || !m->front[j->proxy].prefix) {
			w.never = "no front is configured";
			return w;
		}
		w.base = &m->front[j->proxy];
		w.pool = m->front_pool[j->proxy];
	} else {
		w.base = &m->slot[j->slot][j->target];
		w.pool = m->slot_pool[j->slot];
	}
	if (j->purpose == PURPOSE_IDENTITY) {
		w.path = svc->identity.path;
		w.headers = svc->n_features;
		if (!m->runner->identity)
			w.never = "no identity is configured";
	} else if (j->purpose == PURPOSE_CONTROL && h->feature->control_path[0]) {
		w.path = h->feature->control_path;
	} else {
		w.path = h->feature->url[0] ? h->feature->url : h->feature->path;
	}
	if (j->purpose == PURPOSE_CONTROL && !safe_method(h->feature->method))
		w.never = "a probe that writes has no negative control";
	return w;
}

static bool make_url(char *out, size_t size, const struct what *w, const struct probe_handle *h)
{
	char whole[URL_MAX];
	bool control = h->r.job.purpose == PURPOSE_CONTROL && !h->feature->control_path[0];
	bool absolute = h->feature && h->feature->url[0] && w->path == h->feature->url;

	if (!text_format(whole, sizeof(whole), "%s%s", absolute ? "" : w->base->prefix, w->path))
		return false;
	return control ? absent_url(out, size, whole) : text_copy(out, size, whole);
}

/* ---- the answer ---- */

static enum outcome outcome_of(const struct probe_handle *h, enum httpc_result r)
{
	const struct probe_job *j = &h->r.job;
	bool has_duration = h->feature && j->purpose != PURPOSE_REFERENCE && h->runner->suites[j->feature].has_duration;

	switch (r) {
	case H_OK:
		return OUT_PRESENT;
	case H_REFUSED:
		return OUT_REFUSED;
	case H_RESET:
		return OUT_RESET;
	case H_CLOSED:
		return OUT_CLOSED;
	case H_CUT:
		return OUT_BODY_CUT;
	case H_TIMEOUT_CONNECT:
		return OUT_CONNECT_TIMEOUT;
	case H_TIMEOUT_SENT: /* it had the whole request and broke its promise (B1.1) */
		return has_duration ? OUT_DURATION_TIMEOUT : OUT_TIMEOUT;
	case H_TIMEOUT_SENDING:
		return OUT_TIMEOUT;
	case H_NO_ROUTE:
		return OUT_NO_ROUTE;
	case H_DNS:
		return OUT_DNS;
	case H_TLS:
		return OUT_TLS;
	case H_PROTOCOL:
		return OUT_PROTOCOL;
	case H_TOO_LARGE:
		return OUT_TOO_LARGE;
	case H_REDIRECTS:
		return OUT_REDIRECT;
	case H_CANCELLED:
		return OUT_CANCELLED;
	case H_TIMEOUT_QUEUED:
	case H_LIMIT:
	case N_HTTPC_RESULTS:
		break;
	}
	return OUT_PROBER_LIMIT;
}

/* "green/green:1795333451.42:shield" */
static void take_stamp(struct probe_result *r, const struct httpc_reply *reply)
{
	char text[sizeof(r->stamp_by) + sizeof(r->stamp_value) + 8], *slash;

	if (!httpc_header(reply, "X-Switchd", text, sizeof(text)))
		return;
	slash = strchr(text, '/');
	if (!slash)
		return;
	*slash = '\0';
	if (!TEXT_COPY(r->stamp_by, text) || !TEXT_COPY(r->stamp_value, slash + 1))
		r->stamp_by[0] = r->stamp_value[0] = '\0';
}

static enum outcome judge(struct probe_handle *h, struct answer *a, const char *location, struct evidence *e)
{
	const struct probe_job *j = &h->r.job;
	struct probe_runner *r = h->runner;

	if (j->purpose == PURPOSE_REFERENCE)
		return OUT_PRESENT; /* any whole answer shows that we are not cut off */
	if (j->purpose == PURPOSE_IDENTITY)
		return identity_judge(r->identity, h->release, a, location, e->want, e->got, h->r.identity);
	return suite_judge(&r->suites[j->feature], h->feature->compare ? r->baselines[j->feature] : NULL, a, location, e->want, e->got);
}

static void asking_free(struct asking *k)
{
	free(k->url);
	free(k->target);
	free(k);
}

/* An answer that is as it should be is written out four times a second and target at most: people are shown the
 * last one before an absent, and a round earlier says the same. */
static bool evidence_wanted(struct probe_handle *h, enum outcome o)
{
	const struct probe_job *j = &h->r.job;
	mono_us *at, now;

	if (o != OUT_PRESENT || j->purpose != PURPOSE_VOTE || j->via != VIA_SLOT || !h->feature)
		return true;
	at = &h->runner->shown[j->slot][j->target * h->runner->svc->n_features + j->feature];
	now = mono_now();
	if (at->us && mono_since_ms(now, *at) < SHOW_EVERY_MS)
		return false;
	*at = now;
	return true;
}

static void on_reply(void *arg, const struct httpc_reply *reply)
{
	struct asking *k = arg;
	struct probe_handle *h = k->h;
	struct evidence e;
	struct answer a = {
		.status = reply->status, .head = reply->head, .head_len = reply->head_len, .body = reply->body, .body_len = reply->body_len,
		.content_type = reply->content_type, .location = reply->location, .url = k->url, .cert = reply->cert, .total_us = reply->total_us,
	};
	enum outcome o = outcome_of(h, reply->result);

	evidence_begin(&e, h, k->url, k->target);
	if (reply->result == H_OK) {
		h->r.complete = true;
		if (h->r.job.via == VIA_FRONT)
			take_stamp(&h->r, reply);
		if (h->on_answer)
			h->on_answer(h->arg, &a, reply->location);
		o = judge(h, &a, reply->location, &e);
	} else {
		text_printable(e.got, sizeof(e.got), reply->error, strlen(reply->error));
	}
	bool wanted = evidence_wanted(h, o);

	if (wanted) {
		evidence_answer(&e, h->feature, &a);
		evidence_end(&e, h->feature, o);
	}
	answer_clear(&a);
	asking_free(k);
	probe_end(h, o, wanted ? &e : NULL);
}

/* ---- begin and cancel ---- */

static void http_start(void *means, struct probe_handle *h)
{
	struct means *m = means;
	const struct probe_job *j = &h->r.job;
	const struct service_config *svc = m->runner->svc;
	const struct feature *f = h->feature ? h->feature : &svc->features[0];  /* identity and reference have its deadline */
	struct what w = resolve(m, h);
	char url[URL_MAX];
	struct asking *k;

	if (w.never) {
		probe_end_later(h, OUT_NEVER_RAN, w.never);
		return;
	}
	if (!make_url(url, sizeof(url), &w, h)) {
		probe_end_later(h, OUT_PROBER_LIMIT, "the URL is too long");
		return;
	}
	bool direct = j->via == VIA_SLOT && j->purpose != PURPOSE_REFERENCE;
	bool absolute = h->feature && h->feature->url[0];
	const struct tls_config *tls = direct && !absolute ? &svc->slot[j->slot].tls : NULL;
	struct httpc_request r = {
		.url = url, .connect_host = absolute ? "" : w.base->host, .connect_port = w.base->port,
		.method = h->feature ? f->method : "GET",
		.body = h->feature && f->body[0] ? f->body : NULL, .body_len = h->feature ? strlen(f->body) : 0,
		.headers = (const char *const *)m->headers[w.headers], .n_headers = m->n_headers[w.headers],
		.ca_file = tls ? tls->ca_file : NULL, .cert_file = tls ? tls->cert_file : NULL, .key_file = tls ? tls->key_file : NULL,
		/* The reference shows that the network works, whatever its certificate. */
		.insecure = (tls && !tls->verify) || j->purpose == PURPOSE_REFERENCE,
		.fresh = j->fresh || j->via == VIA_FRONT || (h->feature && f->rule.fresh), .timeout_ms = f->rule.timeout_ms,
	};
	k = xcalloc(1, sizeof(*k));
	k->h = h;
	k->m = m;
	k->url = xstrdup(url);
	k->target = xstrdup(w.base->name);
	h->state = k;
	k->req = httpc_send(w.pool, &r, on_reply, k);
}

static void http_cancel(struct probe_handle *h) { httpc_cancel(((struct asking *)h->state)->req); }

static bool http_mine(const struct feature *f)
{
	return !f || feature_is(f, "http"); /* identity and reference are asked as http too */
}

static const char *http_unproven(const struct feature *f)
{
	if (f->url[0])
		return "a url is asked as it is: nothing beside it is known to be absent";
	return f->writes || !safe_method(f->method) ? "a probe that writes has no negative control" : NULL;
}

const struct probe_kind probe_kind_http = {
	.name = "http", .mine = http_mine, .open = http_open, .close = http_close, .start = http_start, .cancel = http_cancel,
	.unproven = http_unproven,
};
