/* SPDX-License-Identifier: MIT
 * state.c - handlers about the store itself: what it holds that is refused, and what a person does about it. */
#include <string.h>

#include "switchd/api/route.h"

/* False: it has answered. */
static bool who_and_why(struct call *c, bool needs_why, struct person *p)
{
	const char *rid = httpd_header(c->req, "Idempotency-Key"), *why = json_string_value(json_object_get(c->body, "message"));

	memset(p, 0, sizeof(*p));
	if (rid && !(id_ok(rid) && TEXT_COPY(p->rid, rid))) {
		answer_bad(c, "bad-header", "Idempotency-Key is 1 to 64 of A-Z a-z 0-9 . _ : @ / + -");
		return false;
	}
	if (!TEXT_COPY(p->why, why ? why : "")) {
		answer_bad(c, "bad-member", "message is at most 256 bytes");
		return false;
	}
	if (needs_why && !p->why[0] && !c->dry_run) {
		answer_problem(c, 400, "needs-reason", "This needs a reason.", "message says why", 2);
		return false;
	}
	TEXT_COPY(p->by, c->actor);
	p->dry_run = c->dry_run;
	return true;
}

static void doctor_said(void *arg, json_t *borrowed)
{
	struct call *c = arg;

	if (!call_orphan(c))
		answer_json(c, 200, json_incref(borrowed));
}

void state_doctor(struct call *c) { engine_doctor(call_engine(c), doctor_said, c); }

static void state_said(void *arg, const struct state_result *r)
{
	struct call *c = arg;
	const struct refusal_info *i = refusal_info(r->refusal);

	if (call_orphan(c))
		return;
	if (r->refusal == RF_NONE)
		answer_json(c, 200, json_incref(r->said));
	else
		answer_problem(c, (unsigned)i->http, i->code, i->sentence, r->detail, i->exit_code);
}

void state_export(struct call *c) { engine_export(call_engine(c), state_said, c); }

void state_import(struct call *c)
{
	json_t *doc = json_object_get(c->body, "state");
	struct person p;

	if (!json_is_object(doc))
		answer_bad(c, "bad-member", "state is wanted: the document of GET /v1/state");
	else if (who_and_why(c, true, &p))
		engine_import(call_engine(c), &p, doc, json_is_true(json_object_get(c->body, "force")), state_said, c);
}

void state_upgrade(struct call *c)
{
	struct person p;

	if (who_and_why(c, false, &p))
		engine_upgrade(call_engine(c), &p, state_said, c);
}

void state_repair(struct call *c)
{
	struct person p;

	if (!engine_has_service(call_engine(c), c->service))
		answer_not_found(c, "service");
	else if (who_and_why(c, true, &p))
		engine_repair(call_engine(c), c->service, &p, order_answered, c);
}
