/* SPDX-License-Identifier: MIT
 * drill.c - the verb drill: there and back on purpose, and what it took. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"
#include "switchd/core/model.h"

enum { LOOK_EVERY_MS = 50, DEADLINE_MS = 60000, COUNTS_MS = 4000 };

static void ask(struct cli *c, const char *tail, struct answer *a)
{
	char path[160];

	TEXT_FORMAT(path, "/v1/services/%s%s", c->service, tail);
	client_ask(c, "GET", path, NULL, 0, a);
}

/* What the proxies counted of it comes a moment later: an event of its own.  NULL: none came. */
static json_t *counted(struct cli *c, int64_t since)
{
	int64_t deadline = mono_now().us + COUNTS_MS * 1000;
	json_t *found = NULL;

	while (!found && mono_now().us < deadline) {
		struct answer a;
		size_t i;
		json_t *e;

		ask(c, "/timeline?max=1000", &a);
		json_array_foreach(json_object_get(a.json, "events"), i, e)
			if (strcmp(jstr(e, "kind"), "requests.counted") == 0 && jint(e, "at") >= since)
				found = e;
		json_incref(found);
		answer_free(&a);
		if (!found)
			poll(NULL, 0, LOOK_EVERY_MS);
	}
	return found;
}

static void leg(const json_t *d, const char *label, const char *to, const char *acked, const char *observed)
{
	char a[32], o[32];

	printf("  %-6s to %-6s acked %s, observed %s\n", label, to, jint(d, acked) >= 0 ? us_text(jint(d, acked), a) : "-",
	       jint(d, observed) >= 0 ? us_text(jint(d, observed), o) : "no");
}

static int over(struct cli *c, json_t *status)
{
	json_t *d = json_object_get(status, "drill"), *requests = counted(c, jint(d, "since"));
	const char *home = jstr(d, "home"), *away = strcmp(home, "blue") == 0 ? "green" : "blue", *active = jstr(status, "active");
	bool done = strcmp(jstr(d, "outcome"), "done") == 0, stuck = strcmp(jstr(status, "phase"), "stuck") == 0;

	if (c->output == FMT_JSON) {
		json_object_set(d, "requests", requests ? json_object_get(json_object_get(requests, "evidence"), "requests") : NULL);
		json_object_set_new(d, "service", json_string(c->service));
		json_object_set_new(d, "active", json_string(active));
		say_json(c, d);
	} else if (done) {
		printf("%s: drilled: %s serves again, epoch %lld\n", c->service, active, (long long)jint(json_object_get(status, "version"), "epoch"));
		leg(d, "there", away, "out_acked_us", "out_observed_us");
		leg(d, "back", home, "back_acked_us", "back_observed_us");
		printf("  by the proxies' counters: %s\n", requests ? jstr(requests, "detail") : "not known");
	}
	json_decref(requests);
	if (done)
		return EX_DONE;
	complain(c, "%s: the drill was cut short: %s", c->service, jstr(d, "how")[0] ? jstr(d, "how") : "traffic was moved meanwhile");
	hint(c, "now", "%s %s serves, %s", active, jstr(status, "release"), jstr(status, "phase"));
	hint(c, "next", stuck ? "switchctl status %s   |   switchctl --direct proxy pin %s SLOT" : "switchctl why %s   |   switchctl timeline %s", c->service,
	     c->service);
	return stuck ? EX_HUMAN : EX_ROLLED_BACK;
}

static int wait_over(struct cli *c)
{
	int64_t deadline = mono_now().us + (c->timeout_ms ? c->timeout_ms : DEADLINE_MS) * 1000;

	for (;;) {
		struct answer a;

		ask(c, "", &a);
		if (a.reached && a.status == 200 && strcmp(jstr(json_object_get(a.json, "drill"), "outcome"), "running") != 0) {
			int ex = over(c, a.json);

			answer_free(&a);
			return ex;
		}
		answer_free(&a);
		if (mono_now().us > deadline) {
			complain(c, "%s: the drill is under way; it goes back by itself", c->service);
			hint(c, "next", "switchctl status %s -w", c->service);
			return EX_UNKNOWN;
		}
		poll(NULL, 0, LOOK_EVERY_MS);
	}
}

int verb_drill(struct cli *c)
{
	char question[400], path[160], etag[VERSION_TEXT];
	struct answer a;
	int ex;

	if (!cli_service(c, &ex))
		return ex;
	ask(c, "", &a);
	if (!a.reached || a.status != 200 || !a.json) {
		ex = say_failed(c, c->service, &a);
		answer_free(&a);
		return ex;
	}
	const json_t *ready = json_object_get(a.json, "rollback_ready");
	const char *idle = jstr(ready, "slot");

	TEXT_FORMAT(question, "%s: move all traffic from %s %s to %s %s and back, now?", c->service, jstr(a.json, "active"), jstr(a.json, "release"), idle,
		    jstr(json_object_get(json_object_get(a.json, "slots"), idle), "release"));
	text_copy(etag, sizeof(etag), jstr(a.json, "etag"));
	bool can = jbool(ready, "ready");

	answer_free(&a);
	/* What was shown is what is drilled; one that is not ready is refused by switchd, which says why. */
	if (can && !c->dry_run && !cli_confirm(c, question, NULL, &ex))
		return ex;
	if (!c->if_epoch && !c->yes && etag[0])
		c->if_epoch = etag;
	json_t *body = json_object();

	if (c->message)
		json_object_set_new(body, "message", json_string(c->message));
	TEXT_FORMAT(path, "/v1/services/%s/drill", c->service);
	client_ask(c, "POST", path, body, c->timeout_ms, &a);
	json_decref(body);
	bool wait = a.reached && a.status == 200 && !c->dry_run;

	ex = !a.reached || a.status >= 300 ? say_failed(c, c->service, &a) : wait ? EX_DONE : order_said(c, "drilled", &a);
	answer_free(&a);
	return wait ? wait_over(c) : ex;
}
