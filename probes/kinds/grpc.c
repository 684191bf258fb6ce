/* SPDX-License-Identifier: MIT
 * grpc.c - the kind grpc: grpc.health.v1.Health/Check over HTTP/2 says that a service is being served. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "probes/kinds/grpc_frame.h"
#include "probes/prove/prove_stub.h"
#include "probes/kinds/reach.h"
#include "probes/kinds/wire.h"
#include "switchd/core/config/feature_kinds.h"

enum { REQUEST_MAX = 1024, URL_ROOM = 512, SERVING = 1 };

struct asking {
	struct probe_handle *h;
	struct httpc_req *req;
	char url[URL_ROOM];
};

static bool grpc_mine(const struct feature *f) { return f && feature_is(f, "grpc"); }
static void *grpc_open(struct probe_runner *r) { return r; }
static void grpc_close(void *means) { (void)means; }

static bool grpc_says(const struct httpc_reply *r, int *code)
{
	char text[16];
	uint64_t n;

	if (!httpc_header(r, "grpc-status", text, sizeof(text)) || !text_u64(text, &n))
		return false;
	*code = n > 1000 ? 1000 : (int)n;
	return true;
}

static enum outcome judge(struct probe_handle *h, const struct httpc_reply *r, struct answer *a, struct evidence *e, struct buf *shown)
{
	char type[64] = "", message[96] = "";
	const char *why;
	int code, status;

	if (r->status != 200) {
		TEXT_COPY(e->want, "status 200");
		TEXT_FORMAT(e->got, "%ld", r->status);
		return OUT_STATUS;
	}
	(void)!httpc_header(r, "content-type", type, sizeof(type));
	if (!text_starts(type, "application/grpc")) {
		TEXT_COPY(e->want, "content-type application/grpc");
		text_printable(e->got, sizeof(e->got), type[0] ? type : "none", strlen(type[0] ? type : "none"));
		return OUT_HEADER;
	}
	if (!grpc_says(r, &code)) {
		TEXT_COPY(e->got, "no grpc-status");
		return OUT_PROTOCOL;
	}
	TEXT_COPY(e->want, "SERVING");
	if (code) {
		if (httpc_header(r, "grpc-message", message, sizeof(message)))
			text_printable(message, sizeof(message), message, strlen(message));
		TEXT_FORMAT(e->got, "grpc-status %d (%s)%s%s", code, grpc_status_name(code), message[0] ? ": " : "", message);
		return OUT_ASSERTION;
	}
	status = grpc_health_status(r->body, r->body_len, &why);
	if (status < 0) {
		e->want[0] = '\0';
		TEXT_COPY(e->got, why);
		return OUT_PROTOCOL;
	}
	buf_addf(shown, "%s\n", grpc_health_name(status));
	a->body = buf_str(shown);
	a->body_len = shown->len;
	if (status != SERVING) {
		TEXT_FORMAT(e->got, "%s", grpc_health_name(status));
		return OUT_ASSERTION;
	}
	e->want[0] = '\0';
	return judge_expect(h, a, e);
}

static void on_reply(void *arg, const struct httpc_reply *r)
{
	struct asking *k = arg;
	struct probe_handle *h = k->h;
	const struct probe_job *j = &h->r.job;
	struct buf shown = BUF_INIT(64), head = BUF_INIT(HTTPC_HEAD_MAX * 2);
	struct evidence e;
	enum outcome o = reach_outcome(r->result, h->runner->suites[j->feature].has_duration);

	buf_add(&head, r->head, r->head_len);
	if (r->trailers_len)
		buf_add(&head, r->trailers, r->trailers_len);
	struct answer a = { .status = r->status, .head = buf_str(&head), .head_len = head.len, .content_type = r->content_type,
			    .cert = r->cert, .total_us = r->total_us, .body = "" };

	evidence_begin(&e, h, k->url, h->runner->svc->slot[j->slot].targets[j->target].text);
	if (r->result == H_OK) {
		o = judge(h, r, &a, &e, &shown);
		h->r.complete = outcome_info(o)->class != OC_UNKNOWN;
	} else {
		TEXT_COPY(e.got, r->error);
	}
	bool wanted = evidence_wanted(h, o);
	if (wanted) {
		evidence_answer(&e, h->feature, &a);
		evidence_end(&e, h->feature, o);
	}
	answer_clear(&a);
	buf_free(&shown);
	buf_free(&head);
	free(k);
	probe_end(h, o, wanted ? &e : NULL);
}

static void absent_service(char *out, size_t size)
{
	unsigned char r[8] = { 0 };

	if (getrandom(r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r))
		memcpy(r, &(int64_t){ mono_now().us }, sizeof(r));
	text_format(out, size, "switchd.absent.x%02x%02x%02x%02x%02x%02x%02x%02x", r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]);
}

static void send_request(struct probe_handle *h, struct asking *k, const struct buf *body)
{
	static const struct header fixed[] = { { "Content-Type", "application/grpc" }, { "TE", "trailers" } };
	const struct feature *f = h->feature;
	struct way way = reach_way(h->runner->reach, h);
	struct header *all = xcalloc(f->n_headers + ARRAY_LEN(fixed), sizeof(*all));
	size_t n = ARRAY_LEN(fixed);

	memcpy(all, fixed, sizeof(fixed));
	for (size_t i = 0; i < f->n_headers; i++)
		if (strcasecmp(f->headers[i].name, "Content-Type") != 0 && strcasecmp(f->headers[i].name, "TE") != 0)
			all[n++] = f->headers[i];
	struct header_lines lines = reach_headers(h->runner->svc, all, n, f->name);

	way.r.url = k->url;
	way.r.method = "POST";
	way.r.body = body->data;
	way.r.body_len = body->len;
	way.r.headers = (const char *const *)lines.line;
	way.r.n_headers = lines.n;
	way.r.http2 = true;
	way.r.want_cert = f->grpc->tls && f->n_expect;
	if (f->grpc->port)
		way.r.connect_port = f->grpc->port;
	k->req = httpc_send(way.pool, &way.r, on_reply, k);
	header_lines_free(&lines);
	free(all);
}

static void grpc_start(void *means, struct probe_handle *h)
{
	const struct grpc_settings *g = h->feature->grpc;
	const struct service_config *svc = h->runner->svc;
	const struct target *t = &svc->slot[h->r.job.slot].targets[h->r.job.target];
	const char *host = svc->front[0] ? svc->front_target.host : t->host;
	struct buf body = BUF_INIT(REQUEST_MAX);
	char absent[64];
	struct asking *k;

	(void)means;
	if (wire_refuses(h, true))
		return;
	absent_service(absent, sizeof(absent));
	k = xcalloc(1, sizeof(*k));
	if (!grpc_health_request(h->r.job.purpose == PURPOSE_CONTROL ? absent : g->service, &body) ||
	    !TEXT_FORMAT(k->url, strchr(host, ':') ? "%s://[%s]/grpc.health.v1.Health/Check" : "%s://%s/grpc.health.v1.Health/Check",
			 g->tls ? "https" : "http", host)) {
		free(k);
		probe_end_later(h, OUT_PROBER_LIMIT, "the request is too long");
	} else {
		k->h = h;
		h->state = k;
		send_request(h, k, &body);
	}
	buf_free(&body);
}

static void grpc_cancel(struct probe_handle *h) { httpc_cancel(((struct asking *)h->state)->req); }

static unsigned grpc_stubs(const struct feature *f)
{
	(void)f;
	return STUBS_GRPC;
}

const struct probe_kind probe_kind_grpc = {
	.name = "grpc", .mine = grpc_mine, .open = grpc_open, .close = grpc_close, .start = grpc_start, .cancel = grpc_cancel, .stubs = grpc_stubs,
};
