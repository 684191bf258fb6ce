/* SPDX-License-Identifier: MIT
 * local_prove.c - --prove without a daemon: the same code, in this process. */
#include <ev.h>
#include <stdio.h>
#include <string.h>

#include "probes/prove/prove.h"
#include "switchd/cli/local.h"
#include "switchd/store/journal.h"

struct proving { const struct service_config *svc; json_t *said; };

static void proved(void *arg, const struct prove_row *rows)
{
	struct proving *p = arg;

	p->said = prove_json(p->svc, rows);
}

/* The slot that serves, as far as this host knows. */
static enum slot live_slot(const struct config *cfg, const struct service_config *s)
{
	static struct journal_entry entry;

	if (journal_peek(cfg->state_dir, s->name, &entry) && entry.record.active != NO_SLOT)
		return entry.record.active;
	return s->initial != NO_SLOT ? s->initial : BLUE;
}

int local_prove(struct cli *c, const struct config *cfg, const struct service_config *s, json_t **out)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct buf errors = BUF_INIT(64 * 1024);
	struct probe_runner *targets = probe_runner_new(loop, cfg, s, &errors);
	struct proving p = { .svc = s };
	struct prove *prove = NULL;
	char why[256];
	int ex = EX_INTERNAL;

	if (!targets) {
		complain(c, "%s", buf_str(&errors));
		goto out;
	}
	/* Only a feature that is nothing but a path needs a target: what it is compared with. */
	local_learn(loop, targets, s, live_slot(cfg, s));
	local_learn(loop, targets, s, other_slot(live_slot(cfg, s)));
	prove = prove_start(loop, cfg, s, targets, why, sizeof(why), proved, &p);
	if (!prove) {
		complain(c, "%s: cannot be proved: %s", s->name, why);
		goto out;
	}
	while (!p.said && ev_run(loop, EVRUN_ONCE))
		;
	ex = say_prove(c, p.said);
	*out = p.said;
out:
	prove_free(&prove);
	probe_runner_free(&targets);
	buf_free(&errors);
	ev_loop_destroy(loop);
	return ex;
}
