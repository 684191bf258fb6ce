/* SPDX-License-Identifier: MIT
 * websocket.c - the kind websocket: a connection is upgraded, and a message answered. */
#include <string.h>

#include "probes/prove/prove_stub.h"
#include "probes/kinds/reach.h"
#include "probes/kinds/wire.h"
#include "switchd/core/config/feature_kinds.h"

enum { PATH_ROOM = 4096 };

static bool websocket_mine(const struct feature *f) { return f && feature_is(f, "websocket"); }
static void *websocket_open(struct probe_runner *r) { return wire_open(r, "websocket"); }

static enum outcome websocket_judge(struct probe_handle *h, const struct conn_result *r, struct answer *a, struct evidence *e)
{
	const struct slot_config *slot = &h->runner->svc->slot[h->r.job.slot];

	if (slot->targets[h->r.job.target].tls && slot->tls.verify && r->invalid[0]) {
		TEXT_COPY(e->got, r->invalid);
		return OUT_TLS;
	}
	if (r->status && r->status != 101) {
		TEXT_COPY(e->want, "status 101");
		TEXT_FORMAT(e->got, "%ld", r->status);
		return OUT_STATUS;
	}
	a->status = 0; /* assertions look at the message */
	return judge_expect(h, a, e);
}

static void websocket_start(void *means, struct probe_handle *h)
{
	const struct websocket_settings *s = h->feature->websocket;
	const char *path = s->path;
	char absent[PATH_ROOM];
	struct conn_order o;

	if (wire_refuses(h, true))
		return;
	if (h->r.job.purpose == PURPOSE_CONTROL) {
		if (!reach_absent_url(absent, sizeof(absent), path)) {
			probe_end_later(h, OUT_PROBER_LIMIT, "the path is too long");
			return;
		}
		path = absent;
	}
	o = wire_order(h, 0, "");
	o.tls = h->runner->svc->slot[h->r.job.slot].targets[h->r.job.target].tls;
	o.websocket = path;
	o.send = s->send;
	o.send_len = strlen(s->send);
	o.read = h->feature->n_expect > 0;
	wire_ask(means, h, &o, websocket_judge);
}

static int websocket_check(const struct config *cfg, const struct feature *f, struct buf *errors)
{
	static const char *const words[] = { "status", "header", "redirect", "cookie", "url", NULL };
	int wrong = refuse_subjects(cfg, f, words, errors);

	if (!conn_has_websocket()) {
		buf_addf(errors, "%s: error: websocket: feature \"%s\": the libcurl of this system has no WebSocket (Debian 13 and later have it)\n",
			 cfg->file, f->name);
		wrong++;
	}
	return wrong;
}

static unsigned websocket_stubs(const struct feature *f)
{
	return STUBS_HTTP | (f->n_expect ? 1u << STUB_WEBSOCKET : 0);
}

const struct probe_kind probe_kind_websocket = {
	.name = "websocket", .mine = websocket_mine, .open = websocket_open, .close = wire_close, .start = websocket_start,
	.cancel = wire_cancel, .check = websocket_check, .stubs = websocket_stubs,
};
