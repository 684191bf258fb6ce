/* SPDX-License-Identifier: MIT
 * config_tcp.c - features of the kind tcp: a port answers as it should. */
#include "switchd/core/config/config_kind.h"
#include "switchd/core/config/feature_kinds.h"

static void tcp_load(const struct block *b, struct feature *f)
{
	struct tcp_settings *t = arena_alloc(b->ld->arena, sizeof(*t));
	struct block own;

	kind_block(b, "tcp", AT_TCP, &own);
	*t = (struct tcp_settings){
		.port = kind_port(&own), .tls = block_n(&own, "tls") != 0, .name = block_text(&own, "name"),
		.send = block_text(&own, "send"), .until = block_text(&own, "until"),
	};
	f->tcp = t;
	if (t->name[0] && !t->tls)
		diag_error(b->ld->d, block_mark(&own, "name"), "name: has a meaning only with tls: true");
	if (f->n_expect == 0 && (t->send[0] || t->until[0]) && !block_bad(b, "expect"))
		diag_error(b->ld->d, b->mark, "missing key \"expect\" in %s: nothing would look at the answer", b->what);
}

static void tcp_show(const struct show *w, const char *in, const struct feature *f)
{
	const struct tcp_settings *t = f->tcp;

	kind_open(w, in, "tcp");
	if (t->port)
		show_int(w, kind_indent(in), "port", t->port);
	show_bool(w, kind_indent(in), "tls", t->tls);
	show_text(w, kind_indent(in), "name", t->name);
	show_text(w, kind_indent(in), "send", t->send);
	show_text(w, kind_indent(in), "until", t->until);
}

const struct feature_kind kind_tcp = { "tcp", "tcp", false, tcp_load, tcp_show };
