/* SPDX-License-Identifier: MIT
 * tls.c - the kind tls: the certificate of a target is valid for a name, and will be for some days.
 *
 * A certificate that is not valid is an answer, whole and clear: absent.  A handshake that does not come to its end is none. */
#include <string.h>

#include "probes/prove/prove_stub.h"
#include "probes/kinds/wire.h"
#include "switchd/core/config/feature_kinds.h"
#include "switchd/io/certificate.h"

enum { DAY_S = 24 * 3600 };

static bool tls_mine(const struct feature *f) { return f && feature_is(f, "tls"); }
static void *tls_open(struct probe_runner *r) { return wire_open(r, "tls"); }

static enum outcome tls_judge(struct probe_handle *h, const struct conn_result *r, struct answer *a, struct evidence *e)
{
	const struct tls_settings *t = h->feature->tls;
	int64_t left;

	if (r->invalid[0] || !r->cert) {
		TEXT_COPY(e->want, "a valid certificate");
		TEXT_COPY(e->got, r->invalid[0] ? r->invalid : "no certificate");
		return OUT_TLS_ASSERTION;
	}
	left = (r->cert->chain_not_after - wall_now().ms / 1000) / DAY_S;
	if (left < t->days) {
		TEXT_FORMAT(e->want, "valid for %d days", t->days);
		TEXT_FORMAT(e->got, "%lld day%s left%s", (long long)left, left == 1 ? "" : "s",
			    r->cert->chain_not_after < r->cert->not_after ? ", of a certificate of its issuers" : "");
		return OUT_TLS_ASSERTION;
	}
	return judge_expect(h, a, e);
}

static void tls_start(void *means, struct probe_handle *h)
{
	const struct tls_settings *t = h->feature->tls;
	struct conn_order o;

	if (wire_refuses(h, true))
		return;
	o = wire_order(h, t->port, t->name);
	o.tls = true;
	if (t->ca_file[0])
		o.ca_file = t->ca_file;
	if (h->r.job.purpose == PURPOSE_CONTROL)
		o.check_name = "switchd-absent.invalid"; /* no authority may sign for that */
	wire_ask(means, h, &o, tls_judge);
}

static int tls_check(const struct config *cfg, const struct feature *f, struct buf *errors)
{
	static const char *const words[] = { "status", "header", "redirect", "cookie", "body", "jsonpath", "xpath", "bytes", "sha256", "regex", "url", NULL };

	return refuse_subjects(cfg, f, words, errors);
}

static unsigned tls_stubs(const struct feature *f)
{
	(void)f;
	return 1u << STUB_SELF_SIGNED;
}

const struct probe_kind probe_kind_tls = {
	.name = "tls", .mine = tls_mine, .open = tls_open, .close = wire_close, .start = tls_start, .cancel = wire_cancel,
	.check = tls_check, .stubs = tls_stubs,
};
