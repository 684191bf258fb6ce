/* SPDX-License-Identifier: MIT
 * fleet.c - of many proxies and several controllers: who has converged, who lags, who leads.
 *
 * A barrier undoes nothing: what was committed stands, and exit 13 says that not all of them show it yet. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"

enum { LOOK_EVERY_MS = 50, DEADLINE_MS = 30000, NAMED = 6 };

/* "all", "90%" or a number of proxies. */
bool fleet_goal_ok(const char *text)
{
	uint64_t n;
	char digits[8];
	size_t len = strlen(text);

	if (strcmp(text, "all") == 0)
		return true;
	if (len > 1 && text[len - 1] == '%')
		return text_copy_n(digits, sizeof(digits), text, len - 1) && text_u64(digits, &n) && n >= 1 && n <= 100;
	return text_u64(text, &n) && n >= 1 && n <= 100000;
}

static bool reached(const char *goal, int64_t converged, int64_t all)
{
	uint64_t n;
	char digits[8];
	size_t len = strlen(goal);

	if (strcmp(goal, "all") == 0)
		return converged >= all;
	if (goal[len - 1] == '%')
		return text_copy_n(digits, sizeof(digits), goal, len - 1) && text_u64(digits, &n) && converged * 100 >= all * (int64_t)n;
	return text_u64(goal, &n) && converged >= (int64_t)n;
}

/* "5/6 proxies converged, p99 12ms; waiting: lb3 (behind), lb6 (silent, last seen 12s ago)" */
void fleet_text(const json_t *status, char *out, size_t size)
{
	const json_t *f = json_object_get(status, "fleet"), *waiting = json_object_get(f, "waiting"), *w;
	char us[32] = "", age[AGE_TEXT];
	size_t i, n;

	text_format(out, size, "%lld/%lld proxies converged%s%s", (long long)jint(f, "converged"), (long long)jint(f, "all"),
		    json_is_integer(json_object_get(f, "p99_us")) ? ", p99 " : "",
		    json_is_integer(json_object_get(f, "p99_us")) ? us_text(jint(f, "p99_us"), us) : "");
	json_array_foreach(waiting, i, w) {
		n = strlen(out);
		if (i == NAMED) {
			text_format(out + n, size - n, " and %zu more", json_array_size(waiting) - i);
			break;
		}
		text_format(out + n, size - n, "%s%s (%s", i ? ", " : "; waiting: ", jstr(w, "name"), jstr(w, "why"));
		n = strlen(out);
		if (json_is_integer(json_object_get(w, "seen_ms")) && jint(w, "seen_ms") > 5000)
			text_format(out + n, size - n, ", last seen %s ago)", age_text(jint(w, "seen_ms"), age));
		else
			text_format(out + n, size - n, ")");
	}
}

void say_fleet(struct cli *c, const json_t *status)
{
	const json_t *f = json_object_get(status, "fleet"), *agents = json_object_get(f, "agents"), *a;
	bool behind = jint(f, "converged") < jint(f, "all");
	char text[1200], digest[40] = "";
	size_t i;

	if (jint(f, "all") < 2 && !json_array_size(agents))
		return;
	fleet_text(status, text, sizeof(text));
	printf("  fleet: %s%s%s\n", behind ? ink(c, INK_YELLOW) : "", text, behind ? ink(c, INK_PLAIN) : "");
	/* Agents of one service are configured alike: one that is not is worth a look. */
	json_array_foreach(agents, i, a) {
		if (!jbool(a, "listed"))
			printf("  agent %s: %snot listed%s as a proxy here: it follows, and nothing waits for it\n", jstr(a, "name"), ink(c, INK_YELLOW),
			       ink(c, INK_PLAIN));
		if (digest[0] && jstr(a, "digest")[0] && strcmp(digest, jstr(a, "digest")) != 0)
			printf("  agent %s: %sanother configuration%s than the agents before it (%s, not %s)\n", jstr(a, "name"), ink(c, INK_YELLOW),
			       ink(c, INK_PLAIN), jstr(a, "digest"), digest);
		else if (!digest[0])
			text_copy(digest, sizeof(digest), jstr(a, "digest"));
	}
}

/* Waits until as many proxies show the record as --converged asks for. */
int fleet_wait(struct cli *c)
{
	int64_t deadline = mono_now().us + (c->timeout_ms ? c->timeout_ms : DEADLINE_MS) * 1000;
	char path[128], text[1200] = "nothing is known of its proxies";

	TEXT_FORMAT(path, "/v1/services/%s", c->service);
	for (;;) {
		struct answer a;
		bool there = false;

		client_ask(c, "GET", path, NULL, 0, &a);
		if (a.reached && a.status == 200 && a.json) {
			const json_t *f = json_object_get(a.json, "fleet");

			there = reached(c->converged, jint(f, "converged"), jint(f, "all"));
			fleet_text(a.json, text, sizeof(text));
		}
		answer_free(&a);
		if (there) {
			if (c->output != FMT_JSON)
				printf("  %s\n", text);
			return EX_DONE;
		}
		if (mono_now().us > deadline) {
			complain(c, "%s: committed, not converged: %s", c->service, text);
			hint(c, "next", "switchctl status %s -w   |   a proxy that is gone for good: switchctl agents forget NAME", c->service);
			return EX_UNKNOWN;
		}
		poll(NULL, 0, LOOK_EVERY_MS);
	}
}

/* A commit that a failover could still lose is said to be one. */
void say_risk(struct cli *c, const json_t *answer)
{
	if (!jbool(answer, "at_risk"))
		return;
	if (json_is_integer(json_object_get(answer, "replicas")))
		complain(c, "%s: committed, at risk: %lld replicas have it, fewer than state: replicas asks for", c->service, (long long)jint(answer, "replicas"));
	else
		complain(c, "%s: committed, at risk: whether replicas have it is not known", c->service);
}

/* ---- agents ---- */

static void show_agents(struct cli *c, const json_t *o)
{
	static const char *const names[] = { "NAME", "ROLE", "STATUS", "LAST SEEN", "CONFIG", "VERSION", "" };
	struct table t = table_new(c, names, ARRAY_LEN(names));
	const json_t *a;
	size_t i;

	json_array_foreach(json_object_get(o, "agents"), i, a) {
		char seen[AGE_TEXT];
		bool late = jint(a, "seen_ms") > 10000, odd = late || (strcmp(jstr(a, "status"), "ok") != 0 && strcmp(jstr(a, "role"), "agent") == 0);
		const char *cells[] = { jstr(a, "name"), jstr(a, "role"), jstr(a, "status"), age_text(jint(a, "seen_ms"), seen), jstr(a, "digest"),
					jstr(a, "version"), jstr(a, "detail") };

		table_row(&t, cells, odd ? "brown" : NULL, late ? 3 : 2);
	}
	table_print(&t);
}

int verb_agents(struct cli *c)
{
	struct answer a;
	char path[128];
	int ex = EX_DONE;
	bool forget = c->n_words && strcmp(c->words[0], "forget") == 0;

	if (c->n_words && (!forget || c->n_words != 2))
		return usage_error(c, "agents, or agents forget NAME");
	if (forget && !id_ok(c->words[1]))
		return usage_error(c, "no agent can have the name '%s'", c->words[1]);
	TEXT_FORMAT(path, forget ? "/v1/agents/%s" : "/v1/agents", forget ? c->words[1] : "");
	client_ask(c, forget ? "DELETE" : "GET", path, NULL, c->timeout_ms, &a);
	if (!a.reached || a.status != 200 || !a.json)
		ex = say_failed(c, "agents", &a);
	else if (c->output == FMT_JSON)
		say_json(c, a.json);
	else if (forget)
		printf("%s: expected no more, until it reports again\n", c->words[1]);
	else
		show_agents(c, a.json);
	answer_free(&a);
	return ex;
}
