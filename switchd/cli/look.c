/* SPDX-License-Identifier: MIT
 * look.c - verbs that only look: status, why, timeline, evidence, deploys, events, metrics, version. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switchd/base/text.h"
#include "switchd/base/version.h"
#include "switchd/cli/cli.h"

/* One GET whose 200 is handed to `show`, or printed as JSON. */
static int look(struct cli *c, const char *path, const char *what, void (*show)(struct cli *, const json_t *))
{
	struct answer a;
	int ex = EX_DONE;

	client_ask(c, "GET", path, NULL, c->timeout_ms, &a);
	if (!a.reached)
		ex = say_unreachable(c, &a);
	else if (a.status != 200 || !a.json)
		ex = say_error(c, what, &a);
	else if (c->output == FMT_JSON)
		say_json(a.json);
	else
		show(c, a.json);
	answer_free(&a);
	return ex;
}

static void show_status(struct cli *c, const json_t *s) { say_status(c, s, true); }

static void show_overview(struct cli *c, const json_t *o)
{
	const json_t *reload = json_object_get(o, "reload");
	size_t i;
	json_t *s;

	if (!jbool(reload, "ok"))
		printf("RELOAD REFUSED, the old configuration stands: %s\n", jstr(reload, "error"));
	json_array_foreach(json_object_get(o, "services"), i, s) {
		if (i)
			putchar('\n');
		say_status(c, s, true);
	}
}

/* Nagios: 0 fine, 1 not armed or suspect, 2 something is lost or stuck, 3 unknown. */
static int nagios(struct cli *c, const json_t *s)
{
	size_t i, lost = 0;
	json_t *f;

	(void)c;
	json_array_foreach(json_object_get(s, "features"), i, f) {
		const json_t *active = json_object_get(json_object_get(f, "slots"), jstr(s, "active"));

		lost += jbool(f, "votes") && strcmp(jstr(active, "verdict"), "absent") == 0;
	}
	int code = lost || strcmp(jstr(s, "phase"), "stuck") == 0 ? 2 : !jbool(s, "armed") || jbool(s, "suspect") ? 1 : 0;

	printf("SWITCHD %s - %s: %s %s, %s, %zu lost | epoch=%lld lost=%zu armed=%d\n", code == 0 ? "OK" : code == 1 ? "WARNING" : "CRITICAL",
	       jstr(s, "service"), jstr(s, "active"), jstr(s, "release"), jstr(s, "phase"), lost, (long long)jint(json_object_get(s, "version"), "epoch"), lost,
	       jbool(s, "armed"));
	return code;
}

static int status_once(struct cli *c)
{
	char path[128];
	struct answer a;
	int ex;

	if (!c->service[0] && c->output != FMT_NAGIOS)
		return look(c, "/v1/services", "status", show_overview);
	if (!cli_service(c, &ex))
		return c->output == FMT_NAGIOS ? 3 : ex;
	TEXT_FORMAT(path, "/v1/services/%s", c->service);
	if (c->output != FMT_NAGIOS)
		return look(c, path, c->service, show_status);
	client_ask(c, "GET", path, NULL, c->timeout_ms, &a);
	ex = 3;
	if (a.reached && a.status == 200)
		ex = nagios(c, a.json);
	else
		printf("SWITCHD UNKNOWN - %s\n", a.reached ? "no such service" : a.error);
	answer_free(&a);
	return ex;
}

int verb_status(struct cli *c)
{
	bool tty = isatty(STDOUT_FILENO);
	int ex;

	if (!c->watch)
		return status_once(c);
	for (;;) {
		if (tty)
			fputs("\033[H\033[J", stdout);
		ex = status_once(c);
		if (!tty)
			putchar('\n');
		fflush(stdout);
		if (ex == EX_USAGE_ERROR)
			return ex;
		poll(NULL, 0, 1000);
	}
}

int verb_why(struct cli *c)
{
	char path[128];
	int ex;

	if (!cli_service(c, &ex))
		return ex;
	TEXT_FORMAT(path, "/v1/services/%s/why", c->service);
	return look(c, path, c->service, say_why);
}

static void keep_events(json_t *timeline, int64_t since, int64_t deploy)
{
	json_t *events = json_object_get(timeline, "events"), *kept = json_array(), *e;
	size_t i;

	json_array_foreach(events, i, e)
		if ((!since || jint(e, "at") >= since) && (!deploy || jint(e, "deploy") == deploy))
			json_array_append(kept, e);
	json_object_set_new(timeline, "events", kept);
}

int verb_timeline(struct cli *c)
{
	char path[160];
	struct answer a;
	int64_t since = 0, deploy = c->deploy, ms;
	int ex;

	if (c->since) {
		if (!cli_duration(c->since, &ms))
			return usage_error(c, "--since wants a time with a unit, such as 2h, got '%s'", c->since);
		since = wall_now().ms - ms;
	}
	if (!cli_service(c, &ex))
		return ex;
	TEXT_FORMAT(path, "/v1/services/%s/timeline?max=%lld", c->service, (long long)(c->max ? c->max : 1000));
	client_ask(c, "GET", path, NULL, c->timeout_ms, &a);
	if (!a.reached) {
		ex = say_unreachable(c, &a);
	} else if (a.status != 200 || !a.json) {
		ex = say_error(c, c->service, &a);
	} else {
		json_t *events = json_object_get(a.json, "events");

		if (c->last)
			for (size_t i = json_array_size(events); i-- > 0 && !deploy;)
				deploy = jint(json_array_get(events, i), "deploy");
		keep_events(a.json, since, deploy);
		ex = EX_DONE;
		if (c->output == FMT_JSON)
			say_json(a.json);
		else
			say_timeline(c, a.json);
	}
	answer_free(&a);
	return ex;
}

static void show_json(struct cli *c, const json_t *j)
{
	(void)c;
	say_json(j);
}

int verb_evidence(struct cli *c)
{
	char path[256];

	if (!c->service[0] || !c->feature_word[0])
		return usage_error(c, "evidence wants SERVICE/FEATURE");
	TEXT_FORMAT(path, "/v1/services/%s/evidence/%s", c->service, c->feature_word);
	return look(c, path, c->words[0], show_json);
}

static void show_deploys(struct cli *c, const json_t *o)
{
	size_t i;
	json_t *d;
	char w[WALL_TEXT];

	(void)c;
	json_array_foreach(json_object_get(o, "deploys"), i, d)
		printf("%-5lld %s  %-20s %-6s %-12s by %s%s%s\n", (long long)jint(d, "id"), wall_text((wall_ms){ jint(d, "since") }, w), jstr(d, "release"),
		       jstr(d, "slot"), jstr(d, "outcome"), jstr(d, "by"), jstr(d, "reason")[0] ? ": " : "", jstr(d, "reason"));
}

int verb_deploys(struct cli *c)
{
	char path[128];
	int ex;

	if (!cli_service(c, &ex))
		return ex;
	TEXT_FORMAT(path, "/v1/services/%s/deploys", c->service);
	return look(c, path, c->service, show_deploys);
}

/* Follows by asking for what came after the last one: it survives a restart of the daemon. */
int verb_events(struct cli *c)
{
	char path[256], after[64] = "";
	int ex;

	if (!cli_service(c, &ex))
		return ex;
	for (;;) {
		struct answer a;
		size_t i;
		json_t *e;

		TEXT_FORMAT(path, "/v1/services/%s/timeline?max=100&after=%s", c->service, after);
		client_ask(c, "GET", path, NULL, 0, &a);
		json_array_foreach(json_object_get(a.json, "events"), i, e) {
			char w[WALL_TEXT];

			if (c->output == FMT_JSON) {
				json_dumpf(e, stdout, JSON_COMPACT);
				putchar('\n');
			} else {
				printf("%s %-18s %-10s %s%s%s\n", wall_text((wall_ms){ jint(e, "at") }, w), jstr(e, "kind"), jstr(e, "by"), jstr(e, "because"),
				       jstr(e, "detail")[0] ? "; " : "", jstr(e, "detail"));
			}
			TEXT_COPY(after, jstr(e, "id"));
		}
		fflush(stdout);
		answer_free(&a);
		poll(NULL, 0, 500);
	}
}

int verb_metrics(struct cli *c)
{
	struct answer a;
	int ex = EX_DONE;

	client_ask(c, "GET", "/metrics", NULL, c->timeout_ms, &a);
	if (!a.reached)
		ex = say_unreachable(c, &a);
	else if (a.status != 200)
		ex = say_error(c, "metrics", &a);
	else
		fputs(buf_str(&a.body), stdout);
	answer_free(&a);
	return ex;
}

int verb_version(struct cli *c)
{
	struct answer a;
	const char *daemon = "not reached";

	client_ask(c, "GET", "/v1/services", NULL, 2000, &a);
	if (a.reached && a.json && jstr(a.json, "version")[0])
		daemon = jstr(a.json, "version");
	if (c->output == FMT_JSON)
		printf("{\"switchctl\": \"%s\", \"switchd\": \"%s\"}\n", SWITCHD_VERSION, daemon);
	else
		printf("switchctl %s, switchd %s\n", SWITCHD_VERSION, daemon);
	answer_free(&a);
	return EX_DONE;
}
