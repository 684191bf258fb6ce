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
	if (!a.reached || a.status != 200 || !a.json)
		ex = say_failed(c, what, &a);
	else if (c->output == FMT_JSON)
		say_json(c, a.json);
	else
		show(c, a.json);
	answer_free(&a);
	return ex;
}

static void show_overview(struct cli *c, const json_t *o)
{
	const json_t *reload = json_object_get(o, "reload");
	size_t i;
	json_t *s;

	json_array_foreach(json_object_get(o, "services"), i, s) {
		if (i)
			putchar('\n');
		say_status(c, s);
	}
	if (!jbool(reload, "ok"))
		printf("\n%sRELOAD REFUSED%s, the old configuration stands: %s\n", ink(c, INK_RED), ink(c, INK_PLAIN), jstr(reload, "error"));
}

/* Nagios: 0 fine, 1 not armed or suspect, 2 something is lost or stuck, 3 unknown. */
static int nagios_one(const json_t *s, size_t *lost)
{
	size_t i;
	json_t *f;

	*lost = 0;
	json_array_foreach(json_object_get(s, "features"), i, f) {
		const char *verdict = jstr(json_object_get(json_object_get(f, "slots"), jstr(s, "active")), "verdict");

		*lost += jbool(f, "votes") && (strcmp(verdict, "absent") == 0 || strcmp(verdict, "partial") == 0);
	}
	if (*lost || jstr(json_object_get(s, "store"), "bad")[0] || strcmp(jstr(s, "phase"), "stuck") == 0 || strcmp(jstr(s, "active"), "none") == 0)
		return 2;
	return !jbool(s, "armed") || jbool(s, "suspect") || !jbool(json_object_get(s, "store"), "up");
}

/* One line, whatever happens: the worst of the services asked for. */
static int nagios(struct cli *c)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL" };
	struct buf text = BUF_INIT(8192), perf = BUF_INIT(8192);
	struct answer a;
	size_t i, seen = 0;
	json_t *s;
	int code = 0;

	client_ask(c, "GET", "/v1/services", NULL, c->timeout_ms, &a);
	json_array_foreach(json_object_get(a.json, "services"), i, s) {
		size_t lost;
		const char *name = jstr(s, "service");

		if (c->service[0] && strcmp(c->service, name) != 0)
			continue;
		int one = nagios_one(s, &lost);

		code = one > code ? one : code;
		buf_addf(&text, "%s%s: %s %s, %s, %zu lost, %s", seen++ ? "; " : "", name, jstr(s, "active"), jstr(s, "release"), jstr(s, "phase"), lost,
			 jbool(s, "armed") ? "armed" : "not armed");
		buf_addf(&perf, " %s_epoch=%lld %s_lost=%zu %s_armed=%d", name, (long long)jint(json_object_get(s, "version"), "epoch"), name, lost, name,
			 jbool(s, "armed"));
	}
	if (!seen) {
		code = 3;
		printf("SWITCHD UNKNOWN - %s\n", !a.reached ? a.error : a.status != 200 ? "switchd refused to say" : "no such service");
	} else {
		printf("SWITCHD %s - %s |%s\n", words[code], buf_str(&text), buf_str(&perf));
	}
	buf_free(&text);
	buf_free(&perf);
	answer_free(&a);
	return code;
}

static int status_once(struct cli *c)
{
	char path[128];

	if (c->output == FMT_NAGIOS)
		return nagios(c);
	if (!c->service[0])
		return look(c, "/v1/services", "status", show_overview);
	TEXT_FORMAT(path, "/v1/services/%s", c->service);
	return look(c, path, c->service, say_status);
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
		if (ex == EX_USAGE_ERROR || ex == EX_REFUSED || fflush(stdout) != 0)
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
	int64_t deploy = c->deploy;
	wall_ms since = { 0 };
	int ex = EX_DONE;

	if (c->max && (c->max < 1 || c->max > 1000))
		return usage_error(c, "--max is from 1 to 1000");
	if (c->since && !cli_when(c->since, &since))
		return usage_error(c, "--since wants a time with a unit, such as 2h, or UTC such as 2026-11-22T03:00:00Z, got '%s'", c->since);
	if (wants_report(c))
		return timeline_report(c);
	if (!cli_service(c, &ex))
		return ex;
	TEXT_FORMAT(path, "/v1/services/%s/timeline?max=%lld", c->service, (long long)(c->max ? c->max : 1000));
	if (since.ms)
		text_format(path + strlen(path), sizeof(path) - strlen(path), "&since=%lld", (long long)since.ms);
	client_ask(c, "GET", path, NULL, c->timeout_ms, &a);
	if (!a.reached || a.status != 200 || !a.json) {
		ex = say_failed(c, c->service, &a);
	} else {
		json_t *events = json_object_get(a.json, "events");

		for (size_t i = json_array_size(events); c->last && i-- > 0 && !deploy;)
			deploy = jint(json_array_get(events, i), "deploy");
		keep_events(a.json, since.ms, deploy);
		if (c->output == FMT_JSON)
			say_json(c, a.json);
		else
			say_timeline(c, a.json);
	}
	answer_free(&a);
	return ex;
}

int verb_evidence(struct cli *c)
{
	char path[256];

	if (!c->service[0] || !c->feature_word[0])
		return usage_error(c, "evidence wants SERVICE/FEATURE");
	TEXT_FORMAT(path, "/v1/services/%s/evidence/%s", c->service, c->feature_word);
	return look(c, path, c->words[0], say_evidence);
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

/* Follows by asking for what came after the last one: it survives a restart of the daemon.  With --json a line is an event. */
int verb_events(struct cli *c)
{
	char path[256], after[64] = "";
	bool away = false;
	int ex;

	if (!cli_service(c, &ex))
		return ex;
	c->json_said = true;
	for (;;) {
		struct answer a;
		size_t i;
		json_t *e;

		TEXT_FORMAT(path, "/v1/services/%s/timeline?max=%d&after=%s", c->service, after[0] ? 1000 : 10, after);
		client_ask(c, "GET", path, NULL, 0, &a);
		if (a.reached && a.status >= 400 && a.status < 500) {
			c->json_said = false;
			ex = say_error(c, c->service, &a);
			answer_free(&a);
			return ex;
		}
		if (!away && (!a.reached || a.status != 200))
			complain(c, "switchd is away: %s; waiting for it", a.reached ? "it answers with an error" : a.error);
		away = !a.reached || a.status != 200;
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
		answer_free(&a);
		if (fflush(stdout) != 0)
			return EX_INTERNAL; /* nobody reads any more */
		poll(NULL, 0, 500);
	}
}

int verb_metrics(struct cli *c)
{
	struct answer a;
	json_t *o;
	int ex = EX_DONE;

	client_ask(c, "GET", "/metrics", NULL, c->timeout_ms, &a);
	if (!a.reached || a.status != 200) {
		ex = say_failed(c, "metrics", &a);
	} else if (c->output == FMT_JSON) {
		o = json_pack("{s:s}", "metrics", buf_str(&a.body));
		say_json(c, o);
		json_decref(o);
	} else {
		fputs(buf_str(&a.body), stdout);
	}
	answer_free(&a);
	return ex;
}

int verb_version(struct cli *c)
{
	struct answer a;
	json_t *o;
	const char *daemon;

	client_ask(c, "GET", "/v1/services", NULL, 2000, &a);
	daemon = jstr(a.json, "version")[0] ? jstr(a.json, "version") : "not reached";
	if (c->output == FMT_JSON) {
		o = json_pack("{s:s,s:s}", "switchctl", SWITCHD_VERSION, "switchd", daemon);
		say_json(c, o);
		json_decref(o);
	} else {
		printf("switchctl %s, switchd %s\n", SWITCHD_VERSION, daemon);
	}
	answer_free(&a);
	return EX_DONE;
}
