/* SPDX-License-Identifier: MIT
 * upgrade.c - a person has the store written in the newer schema, once no older switchd is to be started again. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/engine/service.h"

struct upgrading { struct engine *e; bool dry_run; state_done_fn *done; void *arg; };

static void upgraded(void *arg, const struct store_upgraded *s)
{
	struct upgrading *u = arg;
	struct state_result r = { .refusal = s->result == ST_OK ? RF_NONE : RF_STORE };

	TEXT_COPY(r.detail, s->detail);
	if (s->result == ST_OK) {
		log_info("upgrade", "from=%d rewritten=%zu dry_run=%d", s->from, s->rewritten, u->dry_run);
		r.said = json_pack("{s:s,s:i,s:i,s:I}", "status", u->dry_run ? "dry-run" : "done", "from", s->from, "to", STORE_SCHEMA, "rewritten", (json_int_t)s->rewritten);
	}
	u->done(u->arg, &r);
	json_decref(r.said);
	free(u);
}

void engine_upgrade(struct engine *e, const struct person *p, state_done_fn *done, void *arg)
{
	struct upgrading *u = xcalloc(1, sizeof(*u));
	struct event *ev = xcalloc(1, sizeof(*ev));

	*u = (struct upgrading){ e, p->dry_run, done, arg };
	TEXT_COPY(ev->kind, "store.upgraded");
	TEXT_COPY(ev->by, p->by);
	ev->at = wall_now();
	ev->from = ev->to = NO_SLOT;
	ev->because = "a person had the store written in the newer schema";
	TEXT_COPY(ev->detail, p->why);
	store_upgrade(e->store, ev, p->dry_run, upgraded, u);
	free(ev);
}
