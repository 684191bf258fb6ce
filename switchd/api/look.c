/* SPDX-License-Identifier: MIT
 * look.c - handlers that only read. */
#include <stdlib.h>
#include <string.h>

#include "switchd/api/route.h"

enum { METRICS_MAX = 16 * 1024 * 1024, CONFIG_MAX = 1024 * 1024, MAX_EVENTS = 1000, MAX_WAIT_MS = 120000 };

static bool have_service(struct call *c)
{
	if (engine_has_service(call_engine(c), c->service))
		return true;
	answer_not_found(c, "service");
	return false;
}

static void answer_or_404(struct call *c, json_t *j, const char *what)
{
	if (j)
		answer_json(c, 200, j);
	else
		answer_not_found(c, what);
}

void look_services(struct call *c) { answer_json(c, 200, engine_overview(call_engine(c))); }
void look_service(struct call *c) { answer_or_404(c, engine_status(call_engine(c), c->service), "service"); }
void look_why(struct call *c) { answer_or_404(c, engine_why(call_engine(c), c->service), "service"); }
void look_deploys(struct call *c) { answer_or_404(c, engine_deploys(call_engine(c), c->service), "service"); }

void look_evidence(struct call *c)
{
	if (have_service(c))
		answer_or_404(c, engine_evidence(call_engine(c), c->service, c->feature), "feature");
}

static void timeline_said(void *arg, json_t *borrowed)
{
	struct call *c = arg;

	answer_json(c, 200, json_incref(borrowed));
}

void look_timeline(struct call *c)
{
	const char *after = httpd_query(c->req, "after"), *max = httpd_query(c->req, "max");
	uint64_t n = MAX_EVENTS;

	if (!have_service(c))
		return;
	if (max && (!text_u64(max, &n) || n < 1 || n > MAX_EVENTS)) {
		answer_problem(c, 400, "bad-query", "bad query", "max is a number from 1 to 1000", 2);
		return;
	}
	engine_timeline(call_engine(c), c->service, after ? after : "", (size_t)n, timeline_said, c);
}

/* "30s", "500ms" or a bare number of seconds. */
static bool wait_time(const char *text, int64_t *ms)
{
	char number[24];
	size_t n = strspn(text, "0123456789");
	uint64_t v;

	if (!text_copy_n(number, sizeof(number), text, n) || !text_u64(number, &v) || v > 1000000)
		return false;
	if (strcmp(text + n, "ms") == 0)
		*ms = (int64_t)v;
	else if (text[n] == '\0' || strcmp(text + n, "s") == 0)
		*ms = (int64_t)v * 1000;
	else if (strcmp(text + n, "m") == 0)
		*ms = (int64_t)v * 60000;
	else
		return false;
	if (*ms > MAX_WAIT_MS)
		*ms = MAX_WAIT_MS;
	return true;
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* Answered when the deploy got there, ended, or moved on from the phase that the asker has seen. */
static bool deploy_look(struct call *c, bool late)
{
	const char *stage = httpd_query(c->req, "for"), *seen = httpd_query(c->req, "seen");
	uint64_t id;
	json_t *d = text_u64(c->last, &id) ? engine_deploy(call_engine(c), c->service, id) : NULL;

	if (!d) {
		answer_not_found(c, "deploy");
		return true;
	}
	const char *phase = text_of(d, "phase"), *outcome = text_of(d, "outcome");
	bool there = strcmp(outcome, "running") != 0 && strcmp(outcome, "ready") != 0;

	there = there || (stage && strcmp(stage, "ready") == 0 && strcmp(phase, "ready") == 0);
	there = there || (stage && strcmp(stage, "flipped") == 0 && strcmp(phase, "baking") == 0);
	there = there || (seen && strcmp(seen, phase) != 0);
	if (!there && !late) {
		json_decref(d);
		return false;
	}
	answer_json(c, 200, d);
	return true;
}

void look_deploy(struct call *c)
{
	const char *wait = httpd_query(c->req, "wait");
	int64_t ms = 0;

	if (!have_service(c))
		return;
	if (wait && !wait_time(wait, &ms)) {
		answer_problem(c, 400, "bad-query", "bad query", "wait is a time such as 30s", 2);
		return;
	}
	if (!ms)
		deploy_look(c, true);
	else
		call_wait(c, ms, deploy_look);
}

void look_config(struct call *c)
{
	const char *service = httpd_query(c->req, "service");
	struct buf out = BUF_INIT(CONFIG_MAX);

	if (service && service[0] && !engine_has_service(call_engine(c), service)) {
		answer_not_found(c, "service");
		return;
	}
	engine_config(call_engine(c), service && service[0] ? service : NULL, &out);
	answer_text(c, 200, "application/yaml", buf_str(&out));
	buf_free(&out);
}

void look_metrics(struct call *c)
{
	struct buf out = BUF_INIT(METRICS_MAX);

	engine_metrics(call_engine(c), &out);
	answer_text(c, 200, "text/plain; version=0.0.4", buf_str(&out));
	buf_free(&out);
}

static void probe_said(void *arg, json_t *borrowed) { answer_json(arg, 200, json_incref(borrowed)); }

void look_probe(struct call *c)
{
	const char *text = text_of(c->body, "slot");
	enum slot slot = NO_SLOT;

	if (!have_service(c))
		return;
	if (text[0] && !slot_parse(text, &slot)) {
		answer_problem(c, 400, "bad-body", "bad body", "slot is blue or green", 2);
		return;
	}
	engine_probe_now(call_engine(c), c->service, slot, probe_said, c);
}
