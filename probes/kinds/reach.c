/* SPDX-License-Identifier: MIT
 * reach.c - addresses behind names, pools of connections, and what a transfer's end means. */
#include "probes/kinds/reach.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "probes/kind.h"

enum { SLOT_POOL_MIN = 8, SLOT_POOL_MAX = 128, FRONT_POOL_MAX = 64 };

/* Where requests of one kind go: "https://shop.example.com:8443" and the address behind it. */
struct base {
	char *prefix;                   /* NULL: nowhere */
	char *host;                     /* "" = as the prefix says */
	const char *unix_path;          /* "" = TCP */
	uint16_t port;
	const char *name;               /* for people */
};

struct reach {
	const struct service_config *svc;
	struct httpc *client;
	struct httpc_pool *slot_pool[2], *front_pool[MAX_PROXIES], *reference_pool;
	struct base *slot[2], front[MAX_PROXIES], reference;
	size_t n_fronts;
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
	static const struct target nameless = { .host = "localhost", .port = 80 };
	bool socket = t->unix_path && t->unix_path[0];
	const struct target *pub = svc->front[0] ? &svc->front_target : socket ? &nameless : t;

	return (struct base){
		.prefix = make_prefix(t->tls, pub->host, pub->port, is_default_port(pub->tls, pub->port)),
		.host = xstrdup(t->host), .port = t->port, .unix_path = socket ? t->unix_path : "", .name = t->text,
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

/* ---- the whole ---- */

static size_t clamp(size_t n, size_t least, size_t most) { return n < least ? least : n > most ? most : n; }

struct reach *reach_new(const struct probe_runner *r)
{
	const struct service_config *svc = r->svc;
	struct reach *m = xcalloc(1, sizeof(*m));

	m->svc = svc;
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
	return m;
}

void reach_free(struct reach **mp)
{
	struct reach *m = *mp;

	if (!m)
		return;
	*mp = NULL;
	httpc_free(&m->client);
	for (int s = BLUE; s <= GREEN; s++) {
		for (size_t t = 0; t < m->svc->slot[s].n_targets; t++)
			base_free(&m->slot[s][t]);
		free(m->slot[s]);
	}
	for (size_t p = 0; p < m->n_fronts; p++)
		base_free(&m->front[p]);
	base_free(&m->reference);
	free(m);
}

struct way reach_way(const struct reach *m, const struct probe_handle *h)
{
	const struct probe_job *j = &h->r.job;
	const struct feature *f = h->feature ? h->feature : &m->svc->features[0];  /* identity and reference have its deadline */
	bool reference = j->purpose == PURPOSE_REFERENCE;
	const struct base *base = NULL;
	const struct tls_config *tls = NULL;
	struct way w = { .prefix = "", .name = "" };

	if (reference) {
		base = &m->reference;
		w.pool = m->reference_pool;
		w.never = m->svc->has_reference ? NULL : "no reference is configured";
	} else if (j->via == VIA_FRONT) {
		bool there = j->proxy < m->n_fronts && m->front[j->proxy].prefix;

		base = there ? &m->front[j->proxy] : NULL;
		tls = m->svc->front_tls.ca_file ? &m->svc->front_tls : NULL; /* NULL in a config that was not loaded */
		w.pool = there ? m->front_pool[j->proxy] : NULL;
		w.never = there ? NULL : "no front is configured";
	} else {
		base = &m->slot[j->slot][j->target];
		w.pool = m->slot_pool[j->slot];
		tls = &m->svc->slot[j->slot].tls;
	}
	if (w.never)
		return w;
	w.prefix = base->prefix;
	w.name = base->name;
	w.r = (struct httpc_request){
		.connect_host = base->host, .connect_port = base->port, .unix_path = base->unix_path,
		.http2 = h->feature ? f->http2 : !reference && m->svc->http2,
		.proxy_protocol = !reference && j->via == VIA_SLOT && m->svc->slot[j->slot].proxy_protocol,
		.ca_file = tls ? tls->ca_file : NULL, .cert_file = tls ? tls->cert_file : NULL, .key_file = tls ? tls->key_file : NULL,
		/* The reference shows that the network works, whatever its certificate. */
		.insecure = (tls && !tls->verify) || reference,
		.fresh = j->fresh || j->via == VIA_FRONT || (h->feature && f->rule.fresh), .timeout_ms = f->rule.timeout_ms,
	};
	return w;
}

/* ---- what is sent ---- */

static char *header_line(const char *name, const char *value)
{
	size_t n = strlen(name) + strlen(value) + 4;
	char *s = xmalloc(n);

	/* libcurl takes "Name:" as "leave this header out" and "Name;" as "send it empty". */
	snprintf(s, n, value[0] ? "%s: %s" : "%s;", name, value);
	return s;
}

struct header_lines reach_headers(const struct service_config *svc, const struct header *list, size_t n, const char *feature)
{
	struct header_lines out = { xcalloc(n + 2, sizeof(char *)), 0 };
	char mark[2 * NAME_MAX_LEN + 8];
	bool agent = false;

	TEXT_FORMAT(mark, "%s/%s", svc->name, feature);
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(list[i].name, "X-Switchd-Probe") == 0)
			continue;
		agent |= strcasecmp(list[i].name, "User-Agent") == 0;
		out.line[out.n++] = header_line(list[i].name, list[i].value);
	}
	out.line[out.n++] = header_line("X-Switchd-Probe", mark);
	if (!agent)
		out.line[out.n++] = header_line("User-Agent", "switchd-probe");
	return out;
}

void header_lines_free(struct header_lines *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->line[i]);
	free(h->line);
	*h = (struct header_lines){ 0 };
}

/* The same with its last path segment replaced by one that nothing can have (B1.5). */
bool reach_absent_url(char *out, size_t size, const char *url)
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

/* ---- what came ---- */

enum outcome reach_outcome(enum httpc_result r, bool has_duration)
{
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
void reach_stamp(struct probe_result *r, const struct httpc_reply *reply)
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
