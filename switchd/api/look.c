/* SPDX-License-Identifier: MIT
 * look.c - handlers that only read. */
#include <stdlib.h>
#include <string.h>

#include "switchd/api/route.h"
#include "switchd/core/json_text.h"

enum { METRICS_MAX = 16 * 1024 * 1024, CONFIG_MAX = 1024 * 1024, MAX_EVENTS = 1000, MAX_WAIT_MS = 120000, MAX_ROUNDS = 8 };

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

void look_ledger(struct call *c) { answer_or_404(c, engine_ledger(call_engine(c), c->service), "service"); }

void look_blame(struct call *c)
{
	if (have_service(c))
		answer_or_404(c, engine_blame(call_engine(c), c->service, c->feature), "feature");
}

static void timeline_said(void *arg, json_t *borrowed)
{
	struct call *c = arg;

	if (!call_orphan(c))
		answer_json(c, 200, json_incref(borrowed));
}

/* "GEN-SEQ" of the store's stream, or "local-N" of what was said while it was away. */
static bool event_id_ok(const char *id)
{
	const char *dash = strchr(id, '-');
	char head[24];
	uint64_t n;

	return dash && text_copy_n(head, sizeof(head), id, (size_t)(dash - id)) && (strcmp(head, "local") == 0 || text_u64(head, &n)) &&
	       text_u64(dash + 1, &n);
}

void look_timeline(struct call *c)
{
	const char *after = httpd_query(c->req, "after"), *max = httpd_query(c->req, "max"), *since = httpd_query(c->req, "since");
	uint64_t n = MAX_EVENTS, from = 0;

	if (!have_service(c))
		return;
	if (max && (!text_u64(max, &n) || n < 1 || n > MAX_EVENTS)) {
		answer_bad(c, "bad-query", "max is a number from 1 to 1000");
		return;
	}
	if (after && after[0] && !event_id_ok(after)) {
		answer_bad(c, "bad-query", "after is the id of an event");
		return;
	}
	if (since && (!text_u64(since, &from) || from > INT64_MAX)) {
		answer_bad(c, "bad-query", "since is in milliseconds since 1970");
		return;
	}
	engine_timeline(call_engine(c), c->service, after ? after : "", (wall_ms){ (int64_t)from }, (size_t)n, timeline_said, c);
}

/* from and until in milliseconds since 1970, as events have them. */
void look_archive(struct call *c)
{
	static const char *const names[] = { "from", "until", "max" };
	uint64_t n[3] = { 0, 0, MAX_EVENTS };

	if (!have_service(c))
		return;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *text = httpd_query(c->req, names[i]);

		if (text && (!text_u64(text, &n[i]) || n[i] > INT64_MAX / 2 || (i == 2 && (n[i] < 1 || n[i] > MAX_EVENTS)))) {
			answer_bad(c, "bad-query", i == 2 ? "max is a number from 1 to 1000" : "from and until are milliseconds since 1970");
			return;
		}
	}
	engine_archive(call_engine(c), c->service, (wall_ms){ (int64_t)n[0] }, (wall_ms){ (int64_t)n[1] }, (size_t)n[2], timeline_said, c);
}

static void report_said(void *arg, json_t *borrowed)
{
	struct call *c = arg;

	if (!call_orphan(c))
		answer_or_404(c, json_incref(borrowed), "service");
}

/* since: milliseconds since 1970; the last 7 days if not told. */
void look_report(struct call *c)
{
	const char *since = httpd_query(c->req, "since");
	uint64_t n = 0;

	if (!have_service(c))
		return;
	if (since && (!text_u64(since, &n) || n > (uint64_t)wall_now().ms))
		answer_bad(c, "bad-query", "since is in milliseconds since 1970, and not in the future");
	else
		engine_report(call_engine(c), c->service, (wall_ms){ (int64_t)n }, report_said, c);
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

enum stage { STAGE_NONE, STAGE_READY, STAGE_FLIPPED, STAGE_BAKED, N_STAGES };
static const char *const stages[N_STAGES] = { "none", "ready", "flipped", "baked" };

static enum stage stage_named(const char *name)
{
	for (int i = 0; name && i < N_STAGES; i++)
		if (strcmp(stages[i], name) == 0)
			return (enum stage)i;
	return name ? N_STAGES : STAGE_BAKED;
}

/* Ended means that traffic has come to rest too: a rollback that is decided is not yet observed. */
static bool deploy_there(const json_t *d, enum stage stage)
{
	const char *phase = json_text(d, "phase"), *outcome = json_text(d, "outcome");
	bool moving = strcmp(phase, "flipping") == 0 || strcmp(phase, "reverting") == 0, baking = strcmp(phase, "baking") == 0;

	if (strcmp(outcome, "running") != 0 && strcmp(outcome, "ready") != 0)
		return !moving;
	return stage == STAGE_NONE || (stage == STAGE_FLIPPED && baking) ||
	       (stage == STAGE_READY && (baking || strcmp(phase, "ready") == 0 || strcmp(phase, "flipping") == 0));
}

/* Answered when the deploy got there, ended, or moved on from the phase that the asker has seen. */
static bool deploy_look(struct call *c, bool late)
{
	const char *seen = httpd_query(c->req, "seen");
	uint64_t id;
	json_t *d = text_u64(c->last, &id) ? engine_deploy(call_engine(c), c->service, id) : NULL;

	if (!d) {
		answer_not_found(c, "deploy");
		return true;
	}
	if (!late && !deploy_there(d, stage_named(httpd_query(c->req, "for"))) && !(seen && strcmp(seen, json_text(d, "phase")) != 0)) {
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
		answer_bad(c, "bad-query", "wait is a time such as 30s");
		return;
	}
	if (stage_named(httpd_query(c->req, "for")) == N_STAGES) {
		answer_bad(c, "bad-query", "for is ready, flipped or baked");
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
	answer_text(c, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&out));
	buf_free(&out);
}

static int rounds;      /* of fresh probes under way: they do not wait for max_rate, so there are never many */

static void probe_said(void *arg, json_t *borrowed)
{
	struct call *c = arg;

	rounds--;
	if (!call_orphan(c))
		answer_json(c, 200, json_incref(borrowed));
}

static bool round_begins(struct call *c)
{
	if (rounds >= MAX_ROUNDS) {
		answer_problem_with(c, 503, "too-many-probes", "Too many rounds of probes are under way.", "try again in a moment", 13, "Retry-After", "1");
		return false;
	}
	rounds++;
	return true;
}

void look_probe(struct call *c)
{
	const char *text = json_text(c->body, "slot");
	enum slot slot = NO_SLOT;

	if (!have_service(c))
		return;
	if (text[0] && !slot_parse(text, &slot)) {
		answer_bad(c, "bad-member", "slot is blue or green");
		return;
	}
	if (round_begins(c))
		engine_probe_now(call_engine(c), c->service, slot, probe_said, c);
}

static void prove_said(void *arg, json_t *borrowed)
{
	struct call *c = arg;
	const char *error = json_text(borrowed, "error");

	rounds--;
	if (call_orphan(c))
		return;
	if (error[0])
		answer_problem(c, 503, "not-proved", "The probes could not be tried against stubs.", error, 13);
	else
		answer_json(c, 200, json_incref(borrowed));
}

/* Sent to nobody but this process. */
void look_prove(struct call *c)
{
	if (have_service(c) && round_begins(c))
		engine_prove(call_engine(c), c->service, prove_said, c);
}

/* ---- routes ---- */

void look_inventory(struct call *c) { answer_or_404(c, engine_inventory(call_engine(c), c->service), "service"); }

static void inventory_said(void *arg, json_t *borrowed)
{
	struct call *c = arg;

	rounds--;
	if (!call_orphan(c))
		answer_json(c, 200, json_incref(borrowed));
}

void look_inventory_ask(struct call *c)
{
	if (!have_service(c))
		return;
	json_t *now = engine_inventory(call_engine(c), c->service);
	bool configured = json_is_true(json_object_get(now, "configured"));

	json_decref(now);
	if (!configured) {
		answer_problem(c, 409, "no-inventory", "The service has no inventory.", "inventory: is not in its configuration", 2);
		return;
	}
	if (!round_begins(c))
		return;
	if (!engine_inventory_ask(call_engine(c), c->service, inventory_said, c)) {
		rounds--;
		answer_problem_with(c, 503, "too-many-probes", "Too many ask for it.", "try again in a moment", 13, "Retry-After", "1");
	}
}
