/* SPDX-License-Identifier: MIT
 * config_grpc.c - features of the kind grpc: grpc.health.v1 says that a service is being served. */
#include <string.h>

#include "switchd/core/config/config_kind.h"
#include "switchd/core/config/feature_kinds.h"

static void grpc_load(const struct block *b, struct feature *f)
{
	struct grpc_settings *g = arena_alloc(b->ld->arena, sizeof(*g));
	struct block own;

	kind_block(b, "grpc", AT_GRPC, &own);
	*g = (struct grpc_settings){
		.port = kind_port(&own), .service = block_text(&own, "service"), .tls = block_n(&own, "tls") != 0,
	};
	f->grpc = g;
}

static void grpc_show(const struct show *w, const char *in, const struct feature *f)
{
	const struct grpc_settings *g = f->grpc;

	kind_open(w, in, "grpc");
	if (g->port)
		show_int(w, kind_indent(in), "port", g->port);
	show_text(w, kind_indent(in), "service", g->service);
	show_bool(w, kind_indent(in), "tls", g->tls);
}

const struct feature_kind kind_grpc = { "grpc", "grpc", false, grpc_load, grpc_show };
