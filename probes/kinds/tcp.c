/* SPDX-License-Identifier: MIT
 * tcp.c - the kind tcp: a port accepts, perhaps over TLS, perhaps answers as the assertions on its body say. */
#include <string.h>

#include "probes/prove/prove_stub.h"
#include "probes/kinds/wire.h"
#include "switchd/core/config/feature_kinds.h"

static bool tcp_mine(const struct feature *f) { return f && feature_is(f, "tcp"); }
static void *tcp_open(struct probe_runner *r) { return wire_open(r, "tcp"); }

static enum outcome tcp_judge(struct probe_handle *h, const struct conn_result *r, struct answer *a, struct evidence *e)
{
	bool verify = h->runner->svc->slot[h->r.job.slot].tls.verify;

	if (h->feature->tcp->tls && verify && r->invalid[0]) {
		TEXT_COPY(e->got, r->invalid);
		return OUT_TLS; /* who knows who that was */
	}
	return judge_expect(h, a, e);
}

static void tcp_start(void *means, struct probe_handle *h)
{
	const struct tcp_settings *t = h->feature->tcp;
	struct conn_order o;

	if (wire_refuses(h, false))
		return;
	o = wire_order(h, t->port, t->name);
	o.tls = t->tls;
	o.send = t->send;
	o.send_len = strlen(t->send);
	o.read = h->feature->n_expect > 0;
	wire_ask(means, h, &o, tcp_judge);
}

static int tcp_check(const struct config *cfg, const struct feature *f, struct buf *errors)
{
	static const char *const words[] = { "status", "header", "redirect", "cookie", "url", NULL };

	return refuse_subjects(cfg, f, words, errors);
}

static const char *tcp_unproven(const struct feature *f)
{
	return f->n_expect ? "nothing is known that this port would answer differently" : "that a port accepts says nothing of what is behind it";
}

/* Without assertions all that is asked is that the port accepts, and whatever stands there does. */
static unsigned tcp_stubs(const struct feature *f)
{
	return f->n_expect ? 1u << STUB_SILENT | 1u << STUB_ERROR_LINE : 0;
}

const struct probe_kind probe_kind_tcp = {
	.name = "tcp", .mine = tcp_mine, .open = tcp_open, .close = wire_close, .start = tcp_start, .cancel = wire_cancel,
	.check = tcp_check, .unproven = tcp_unproven, .stubs = tcp_stubs,
};
