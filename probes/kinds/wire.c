/* SPDX-License-Identifier: MIT
 * wire.c - one exchange with a target, and what became of it. */
#include "probes/kinds/wire.h"

#include <stdlib.h>
#include <string.h>

#include "probes/kinds/reach.h"
#include "switchd/core/config/feature_kinds.h"

struct wire {
	struct probe_runner *runner;
	struct conns *conns;
};

struct asked {
	struct probe_handle *h;
	struct conn *conn;
	wire_judge_fn *judge;
	char url[256];
};

void *wire_open(struct probe_runner *r, const char *kind)
{
	struct wire *w = xcalloc(1, sizeof(*w));

	w->runner = r;
	for (size_t i = 0; i < r->svc->n_features && !w->conns; i++)
		if (feature_is(&r->svc->features[i], kind))
			w->conns = conns_new(r->loop);
	return w;
}

void wire_close(void *means)
{
	struct wire *w = means;

	conns_free(&w->conns);
	free(w);
}

void wire_cancel(struct probe_handle *h) { conn_cancel(((struct asked *)h->state)->conn); }

static const struct target *target_of_handle(const struct probe_handle *h)
{
	return &h->runner->svc->slot[h->r.job.slot].targets[h->r.job.target];
}

struct conn_order wire_order(const struct probe_handle *h, uint16_t port, const char *name)
{
	const struct service_config *svc = h->runner->svc;
	const struct target *t = target_of_handle(h);
	const struct tls_config *tls = &svc->slot[h->r.job.slot].tls;

	return (struct conn_order){
		.host = t->host, .port = port ? port : t->port, .unix_path = t->unix_path, .name = name[0] ? name : svc->front[0] ? svc->front_target.host : t->host[0] ? t->host : "localhost",
		.ca_file = tls->ca_file, .cert_file = tls->cert_file, .key_file = tls->key_file, .timeout_ms = h->feature->rule.timeout_ms,
	};
}

bool wire_holds(void *asked, const char *data, size_t len)
{
	struct asked *k = asked;
	struct answer a = { .body = data, .body_len = len };
	char want[ASSERT_TEXT], got[ASSERT_TEXT];
	enum outcome o = suite_judge(&k->h->runner->suites[k->h->r.job.feature], NULL, &a, "", want, got);
	const struct tcp_settings *t = k->h->feature->tcp;

	answer_clear(&a);
	if (t && t->until[0])
		return memmem(data, len, t->until, strlen(t->until)) != NULL;
	return o == OUT_PRESENT;
}

static void on_exchange(void *arg, const struct conn_result *r)
{
	struct asked *k = arg;
	struct probe_handle *h = k->h;
	struct evidence e;
	struct answer a = { .status = r->status, .body = r->data, .body_len = r->len, .cert = r->cert, .total_us = r->total_us };
	enum outcome o = reach_outcome(r->result, h->runner->suites[h->r.job.feature].has_duration);

	evidence_begin(&e, h, k->url, target_of_handle(h)->text);
	if (r->result == H_OK) {
		h->r.complete = true;
		o = k->judge(h, r, &a, &e);
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
	free(k);
	probe_end(h, o, wanted ? &e : NULL);
}

void wire_ask(struct wire *w, struct probe_handle *h, const struct conn_order *order, wire_judge_fn *judge)
{
	struct asked *k = xcalloc(1, sizeof(*k));
	struct conn_order o = *order;

	k->h = h;
	k->judge = judge;
	TEXT_FORMAT(k->url, strchr(o.host, ':') ? "%s://[%s]:%u%s" : "%s://%s:%u%s", feature_kind_name(h->feature), o.host, o.port,
		    o.websocket ? o.websocket : "");
	if (o.read && !o.enough)
		o.enough = wire_holds;
	h->state = k;
	k->conn = conn_open(w->conns, &o, on_exchange, k);
}

bool wire_refuses(struct probe_handle *h, bool control)
{
	const struct probe_job *j = &h->r.job;
	const char *why = j->via == VIA_FRONT ? "only a target can be asked this" :
			  j->purpose == PURPOSE_BASELINE ? "it is not compared" :
			  j->purpose == PURPOSE_CONTROL && !control ? "has no negative control" : NULL;

	if (why)
		probe_end_later(h, OUT_NEVER_RAN, why);
	return why != NULL;
}
