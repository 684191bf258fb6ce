/* SPDX-License-Identifier: MIT
 * config_websocket.c - features of the kind websocket: a connection is upgraded, and a message answered. */
#include "switchd/core/config/config_kind.h"
#include "switchd/core/config/feature_kinds.h"

static void websocket_load(const struct block *b, struct feature *f)
{
	struct websocket_settings *s = arena_alloc(b->ld->arena, sizeof(*s));
	struct block own;

	kind_block(b, "websocket", AT_WEBSOCKET, &own);
	*s = (struct websocket_settings){ .path = block_text(&own, "path"), .send = block_text(&own, "send") };
	f->websocket = s;
	if (f->n_expect == 0 && s->send[0] && !block_bad(b, "expect"))
		diag_error(b->ld->d, b->mark, "missing key \"expect\" in %s: nothing would look at the answer", b->what);
}

static void websocket_show(const struct show *w, const char *in, const struct feature *f)
{
	kind_open(w, in, "websocket");
	show_text(w, kind_indent(in), "path", f->websocket->path);
	show_text(w, kind_indent(in), "send", f->websocket->send);
}

const struct feature_kind kind_websocket = { "websocket", "websocket", false, websocket_load, websocket_show };
