/* SPDX-License-Identifier: MIT
 * http.c - the http kind: one request, judged.
 *
 * Directly to a target: the URL keeps the public name (Host and SNI), the connection goes to
 * the target.  Through the front: what a user would do, on a new connection each time, and
 * the answer's stamp says which slot and version gave it (haproxy.md). */
#include <stdlib.h>
#include <string.h>

#include "probes/kind.h"
#include "probes/prove/prove_stub.h"
#include "probes/kinds/reach.h"

enum { URL_MAX = 8192 };

struct means {
	struct probe_runner *runner;
	struct header_lines *headers;   /* per feature, then one set for identity and one for reference */
};

struct asking {
	struct probe_handle *h;
	struct means *m;
	struct httpc_req *req;
	char *url, *target;
};

/* ---- means ---- */

static struct header_lines feature_headers(const struct service_config *svc, const struct feature *f)
{
	struct header *all = xcalloc(f->n_headers + 2, sizeof(*all));
	size_t n = f->n_headers;

	if (n)
		memcpy(all, f->headers, n * sizeof(*all));
	if (f->authorization && f->authorization[0])
		all[n++] = (struct header){ "Authorization", f->authorization };
	if (f->cookie && f->cookie[0])
		all[n++] = (struct header){ "Cookie", f->cookie };
	struct header_lines lines = reach_headers(svc, all, n, f->name);

	free(all);
	return lines;
}

static void *http_open(struct probe_runner *r)
{
	const struct service_config *svc = r->svc;
	struct means *m = xcalloc(1, sizeof(*m));

	m->runner = r;
	m->headers = xcalloc(svc->n_features + 2, sizeof(*m->headers));
	for (size_t i = 0; i < svc->n_features; i++)
		if (feature_is(&svc->features[i], "http"))
			m->headers[i] = feature_headers(svc, &svc->features[i]);
	m->headers[svc->n_features] = reach_headers(svc, NULL, 0, "identity");
	m->headers[svc->n_features + 1] = reach_headers(svc, NULL, 0, "reference");
	return m;
}

static void http_close(void *means)
{
	struct means *m = means;

	for (size_t i = 0; i < m->runner->svc->n_features + 2; i++)
		header_lines_free(&m->headers[i]);
	free(m->headers);
	free(m);
}

/* ---- what ---- */

static bool safe_method(const char *m) { return strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0; }

struct what {
	const char *path;               /* or an absolute URL */
	size_t headers;                 /* which set */
	const char *never;              /* why it cannot be asked; NULL */
};

static struct what resolve(struct means *m, const struct probe_handle *h)
{
	const struct probe_job *j = &h->r.job;
	const struct service_config *svc = m->runner->svc;
	struct what w = { .headers = j->feature };

	if (j->purpose == PURPOSE_REFERENCE)
		return (struct what){ "/", svc->n_features + 1, NULL };
	if (j->purpose == PURPOSE_PAGE)
		return (struct what){ j->path, svc->n_features, NULL };
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

static bool make_url(char *out, size_t size, const char *prefix, const struct what *w, const struct probe_handle *h)
{
	char whole[URL_MAX];
	bool control = h->r.job.purpose == PURPOSE_CONTROL && !h->feature->control_path[0];

	if (!text_format(whole, sizeof(whole), "%s%s", prefix, w->path))
		return false;
	return control ? reach_absent_url(out, size, whole) : text_copy(out, size, whole);
}

/* ---- the answer ---- */

static enum outcome judge(struct probe_handle *h, struct answer *a, const char *location, struct evidence *e)
{
	const struct probe_job *j = &h->r.job;
	struct probe_runner *r = h->runner;

	if (j->purpose == PURPOSE_REFERENCE || j->purpose == PURPOSE_PAGE)
		return OUT_PRESENT; /* any whole answer shows that we are not cut off */
	if (j->purpose == PURPOSE_IDENTITY)
		return identity_judge(r->identity, h->release, h->digest, a, location, e->want, e->got, h->r.identity);
	return suite_judge(&r->suites[j->feature], h->feature->compare ? r->baselines[j->feature] : NULL, a, location, e->want, e->got);
}

static void asking_free(struct asking *k)
{
	free(k->url);
	free(k->target);
	free(k);
}

static void on_reply(void *arg, const struct httpc_reply *reply)
{
	struct asking *k = arg;
	struct probe_handle *h = k->h;
	struct evidence e;
	struct answer a = {
		.status = reply->status, .head = reply->head, .head_len = reply->head_len, .body = reply->body, .body_len = reply->body_len,
		.content_type = reply->content_type, .location = reply->location, .url = reply->url, .cert = reply->cert, .total_us = reply->total_us,
	};
	bool suite = h->feature && h->r.job.purpose != PURPOSE_REFERENCE;
	enum outcome o = reach_outcome(reply->result, suite && h->runner->suites[h->r.job.feature].has_duration);

	if (h->feature && h->feature->follow)
		h->r.requests = (unsigned)reply->redirects + 1;
	evidence_begin(&e, h, k->url, k->target);
	if (reply->result == H_OK) {
		h->r.complete = true;
		if (h->r.job.via == VIA_FRONT)
			reach_stamp(&h->r, reply);
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
	const struct feature *f = h->feature;
	struct what what = resolve(m, h);
	struct way way = reach_way(m->runner->reach, h);
	bool absolute = f && f->url[0] && what.path == f->url;
	char url[URL_MAX];
	struct asking *k;

	if (way.never || what.never) {
		probe_end_later(h, OUT_NEVER_RAN, way.never ? way.never : what.never);
		return;
	}
	if (!make_url(url, sizeof(url), absolute ? "" : way.prefix, &what, h)) {
		probe_end_later(h, OUT_PROBER_LIMIT, "the URL is too long");
		return;
	}
	if (absolute) {
		way.r.connect_host = "";
		way.r.ca_file = way.r.cert_file = way.r.key_file = NULL;
		way.r.unix_path = NULL;
		way.r.insecure = way.r.proxy_protocol = false;
	}
	way.r.url = url;
	way.r.method = f ? f->method : "GET";
	way.r.body = f && f->body[0] ? f->body : NULL;
	way.r.body_len = f ? strlen(f->body) : 0;
	way.r.max_redirects = f ? f->follow : 0;
	way.r.want_cert = f && h->r.job.purpose != PURPOSE_REFERENCE && m->runner->suites[h->r.job.feature].wants_cert;
	way.r.headers = (const char *const *)m->headers[what.headers].line;
	way.r.n_headers = m->headers[what.headers].n;
	way.r.want_cert = f && m->runner->suites[h->r.job.feature].wants_cert;
	k = xcalloc(1, sizeof(*k));
	k->h = h;
	k->m = m;
	k->url = xstrdup(url);
	k->target = xstrdup(way.name);
	h->state = k;
	k->req = httpc_send(way.pool, &way.r, on_reply, k);
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

static unsigned http_stubs(const struct feature *f)
{
	(void)f;
	return STUBS_HTTP | STUBS_JSON;
}

const struct probe_kind probe_kind_http = {
	.name = "http", .mine = http_mine, .open = http_open, .close = http_close, .start = http_start, .cancel = http_cancel,
	.unproven = http_unproven, .stubs = http_stubs,
};
