/* SPDX-License-Identifier: MIT
 * config_tls.c - features of the kind tls: a certificate that is valid, and will be for a while. */
#include "switchd/core/config/config_kind.h"
#include "switchd/core/config/feature_kinds.h"

static void tls_load(const struct block *b, struct feature *f)
{
	struct tls_settings *t = arena_alloc(b->ld->arena, sizeof(*t));
	struct block own;

	kind_block(b, "tls", AT_CERTIFICATE, &own);
	*t = (struct tls_settings){
		.port = kind_port(&own), .name = block_text(&own, "name"), .ca_file = block_text(&own, "ca_file"),
		.days = block_int(&own, "days"),
	};
	f->tls = t;
}

static void tls_show(const struct show *w, const char *in, const struct feature *f)
{
	const struct tls_settings *t = f->tls;

	kind_open(w, in, "tls");
	if (t->port)
		show_int(w, kind_indent(in), "port", t->port);
	show_text(w, kind_indent(in), "name", t->name);
	show_text(w, kind_indent(in), "ca_file", t->ca_file);
	show_int(w, kind_indent(in), "days", t->days);
}

const struct feature_kind kind_tls = { "tls", "tls", false, tls_load, tls_show };
