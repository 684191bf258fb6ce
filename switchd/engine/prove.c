/* SPDX-License-Identifier: MIT
 * prove.c - probes against stubs on demand, with the baselines that the service has. */
#include <stdlib.h>
#include <string.h>

#include "probes/prove/prove.h"
#include "switchd/engine/service.h"

struct proving {
	TAILQ_ENTRY(proving) link;
	struct engine *e;
	const struct service_config *cfg;
	struct service *s;
	struct prove *prove;
	char error[256];
	ev_timer later;                 /* for what failed at once */
	engine_probe_fn *done;
	void *arg;
};

/* Takes the JSON. */
static void end(struct proving *p, json_t *said)
{
	TAILQ_REMOVE(&p->e->provings, p, link);
	ev_timer_stop(p->e->loop, &p->later);
	p->done(p->arg, said);
	json_decref(said);
	prove_free(&p->prove);
	free(p);
}

static void proved(void *arg, const struct prove_row *rows)
{
	struct proving *p = arg;

	end(p, prove_json(p->cfg, rows));
}

static void failed(EV_P_ ev_timer *t, int revents)
{
	struct proving *p = t->data;

	(void)loop, (void)revents;
	end(p, json_pack("{s:s}", "error", p->error));
}

void engine_prove(struct engine *e, const char *service, engine_probe_fn *done, void *arg)
{
	struct proving *p = xcalloc(1, sizeof(*p));

	p->e = e;
	p->s = engine_find(e, service);
	p->done = done;
	p->arg = arg;
	ev_timer_init(&p->later, failed, 0., 0.);
	p->later.data = p;
	TAILQ_INSERT_TAIL(&e->provings, p, link);
	if (!p->s) {
		TEXT_COPY(p->error, "no such service");
	} else {
		p->cfg = p->s->cfg;
		p->prove = prove_start(e->loop, e->cfg, p->cfg, p->s->runner, p->error, sizeof(p->error), proved, p);
	}
	if (!p->prove)
		ev_timer_start(e->loop, &p->later);
}

void prove_cancel_all(struct service *s)
{
	struct proving *p, *next;

	for (p = TAILQ_FIRST(&s->e->provings); p; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->s == s)
			end(p, json_pack("{s:s}", "error", "the configuration changed meanwhile: ask again"));
	}
}
