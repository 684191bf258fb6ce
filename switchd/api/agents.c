/* SPDX-License-Identifier: MIT
 * agents.c - who reports: agents on proxy hosts, and the controllers beside this one. */
#include "switchd/api/route.h"

void look_agents(struct call *c) { answer_json(c, 200, engine_agents(call_engine(c))); }

static void forgotten(void *arg, bool known)
{
	struct call *c = arg;

	if (call_orphan(c))
		return;
	if (known)
		answer_json(c, 200, json_pack("{s:s,s:s}", "status", "done", "name", c->last));
	else
		answer_problem(c, 404, "not-found", "No agent of that name reports.", c->last, 10);
}

void order_forget(struct call *c)
{
	char why[300] = "";
	const struct refusal_info *i = refusal_info(engine_leads(call_engine(c), why, sizeof(why)));

	if (i->http != 200)
		answer_problem(c, (unsigned)i->http, i->code, i->sentence, why, i->exit_code);
	else if (!id_ok(c->last))
		answer_problem(c, 404, "not-found", "No agent of that name reports.", c->last, 10);
	else if (c->dry_run)
		answer_json(c, 200, json_pack("{s:s,s:s}", "status", "dry-run", "name", c->last));
	else
		engine_forget_agent(call_engine(c), c->last, forgotten, c);
}
