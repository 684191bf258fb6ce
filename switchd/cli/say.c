/* SPDX-License-Identifier: MIT
 * say.c - what people read: status, timeline, why, errors.  Tables by libsmartcols.
 *
 * Slots are named, never coloured; colour is for verdicts, beside a word and a glyph. */
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"

#define RED "\033[31m"
#define GREEN_INK "\033[32m"
#define YELLOW "\033[33m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

const char *jstr(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

int64_t jint(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }
bool jbool(const json_t *o, const char *key) { return json_is_true(json_object_get(o, key)); }

static const char *ink(const struct cli *c, const char *code) { return c->color ? code : ""; }

void say_json(const json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
}

/* ---- errors ---- */

int say_unreachable(struct cli *c, const struct answer *a)
{
	if (c->output == FMT_JSON) {
		json_t *o = json_pack("{s:s,s:s,s:i}", "outcome", "unreachable", "detail", a->error, "exit", EX_UNREACHABLE);

		say_json(o);
		json_decref(o);
	}
	fprintf(stderr, "switchctl: switchd cannot be reached: %s\n", a->error);
	fprintf(stderr, "  now     unknown from here; traffic stays where it is while switchd is away\n");
	fprintf(stderr, "  next    switchctl active SERVICE   |   switchctl --direct proxy pin SERVICE SLOT\n");
	return EX_UNREACHABLE;
}

static void say_lost(const json_t *problem)
{
	const json_t *lost = json_object_get(problem, "lost");
	size_t i;
	json_t *l;

	json_array_foreach((json_t *)lost, i, l)
		fprintf(stderr, "  %-7s %s %s\n", jstr(l, "feature"), jstr(l, "slot"), jstr(l, "detail"));
}

int say_error(struct cli *c, const char *what, const struct answer *a)
{
	int ex = json_object_get(a->json, "exit") ? (int)jint(a->json, "exit") : a->status >= 500 ? EX_UNREACHABLE : a->status == 404 ? EX_USAGE_ERROR : EX_REFUSED;

	if (a->status == 401 || a->status == 403)
		ex = EX_REFUSED;
	if (c->output == FMT_JSON && a->json)
		say_json(a->json);
	if (!a->json) {
		fprintf(stderr, "switchctl: %s: the answer was HTTP %ld and not JSON\n", what, a->status);
		return EX_INTERNAL;
	}
	fprintf(stderr, "switchctl: %s: %s%s%s\n", what, jstr(a->json, "title"), jstr(a->json, "detail")[0] ? ": " : "", jstr(a->json, "detail"));
	say_lost(a->json);
	if (jstr(a->json, "active")[0])
		fprintf(stderr, "  now     %s %s serves, epoch %lld; %s\n", jstr(a->json, "active"), jstr(a->json, "release"), (long long)jint(a->json, "epoch"),
			jbool(a->json, "moved") ? "traffic moved" : "nothing moved");
	if (jstr(a->json, "next")[0])
		fprintf(stderr, "  next    %s\n", jstr(a->json, "next"));
	return ex;
}

/* ---- tables ---- */

struct table { struct libscols_table *t; size_t cols; };

static struct table table_new(const struct cli *c, const char *const *names, size_t n)
{
	struct table t = { scols_new_table(), n };

	must(t.t != NULL);
	scols_table_enable_colors(t.t, c->color);
	scols_table_enable_ascii(t.t, !c->utf8);
	for (size_t i = 0; i < n; i++)
		must(scols_table_new_column(t.t, names[i], 0, i + 1 == n ? SCOLS_FL_NOEXTREMES : 0) != NULL);
	return t;
}

static void row(struct table *t, const char *const *cells, const char *colour, size_t coloured)
{
	struct libscols_line *l = scols_table_new_line(t->t, NULL);

	must(l != NULL);
	for (size_t i = 0; i < t->cols; i++) {
		scols_line_set_data(l, i, cells[i]);
		if (colour && i == coloured)
			scols_cell_set_color(scols_line_get_cell(l, i), colour);
	}
}

static void table_print(struct table *t)
{
	scols_print_table(t->t);
	scols_unref_table(t->t);
}

/* ---- status ---- */

static const char *ago(int64_t then, char out[AGE_TEXT])
{
	if (!then) {
		text_copy(out, AGE_TEXT, "-");
		return out;
	}
	return age_text(wall_now().ms - then, out);
}

static const char *mark(const struct cli *c, const char *verdict)
{
	if (strcmp(verdict, "present") == 0)
		return c->utf8 ? "\xe2\x9c\x93" : "ok";
	if (strcmp(verdict, "unknown") == 0)
		return "?";
	return c->utf8 ? "\xe2\x9c\x97" : "x";
}

static const char *verdict_colour(const char *verdict)
{
	return strcmp(verdict, "present") == 0 ? "green" : strcmp(verdict, "unknown") == 0 ? "brown" : "red";
}

static void head_lines(struct cli *c, const json_t *s)
{
	char since[AGE_TEXT], when[WALL_TEXT];
	const char *active = jstr(s, "active");
	const json_t *store = json_object_get(s, "store");

	if (strcmp(active, "none") == 0)
		printf("%s%s  SERVING nothing%s: no active slot yet   next: switchctl deploy %s --slot blue --release ID, or switchctl flip %s --to SLOT\n",
		       ink(c, BOLD), jstr(s, "service"), ink(c, PLAIN), jstr(s, "service"), jstr(s, "service"));
	else
		printf("%s%s  SERVING %s %s%s   epoch %lld   %s   mode %s   since %s (%s ago)\n", ink(c, BOLD), jstr(s, "service"), active,
		       jstr(s, "release")[0] ? jstr(s, "release") : "(release unknown)", ink(c, PLAIN),
		       (long long)jint(json_object_get(s, "version"), "epoch"), jstr(s, "phase"), jstr(s, "mode"),
		       wall_text((wall_ms){ jint(s, "since") }, when), ago(jint(s, "since"), since));
	if (jbool(s, "armed"))
		printf("  armed: %syes%s, a feature lost now is flipped back now\n", ink(c, GREEN_INK), ink(c, PLAIN));
	else
		printf("  armed: %sNO%s, %s\n", ink(c, YELLOW), ink(c, PLAIN), jstr(s, "armed_why"));
	if (json_is_string(json_object_get(s, "rollback_target"))) {
		const char *t = jstr(s, "rollback_target");

		printf("  rollback target: %s %s\n", t, jstr(json_object_get(json_object_get(s, "slots"), t), "release"));
	} else {
		printf("  rollback target: %snone%s (%s)\n", ink(c, YELLOW), ink(c, PLAIN), jstr(s, "rollback_target_why"));
	}
	if (!jbool(store, "up"))
		printf("  %sstore away%s: %s; traffic stays, nothing moves forward\n", ink(c, RED), ink(c, PLAIN), jstr(store, "why"));
	if (jbool(store, "pending"))
		printf("  %sdone here, not yet recorded%s: the store will be told when it is back\n", ink(c, YELLOW), ink(c, PLAIN));
}

static void state_lines(struct cli *c, const json_t *s)
{
	char a[AGE_TEXT], w[WALL_TEXT];
	const json_t *hold = json_object_get(s, "hold"), *claim = json_object_get(s, "claim"), *pin = json_object_get(s, "pin");
	const json_t *sealed = json_object_get(s, "sealed"), *deploy = json_object_get(s, "deploy"), *flip = json_object_get(s, "safe_to_flip");

	if (json_is_object(hold))
		printf("  %sHELD%s by %s: %s (until %s)\n", ink(c, YELLOW), ink(c, PLAIN), jstr(hold, "by"), jstr(hold, "why"),
		       jint(hold, "until") ? wall_text((wall_ms){ jint(hold, "until") }, w) : "resume");
	if (json_is_object(pin))
		printf("  %sPINNED by hand%s to %s   next: switchctl resume %s\n", ink(c, YELLOW), ink(c, PLAIN), jstr(pin, "slot"), jstr(s, "service"));
	if (json_is_object(sealed))
		printf("  sealed by %s: %s\n", jstr(sealed, "by"), jstr(sealed, "why"));
	if (json_is_object(claim))
		printf("  claimed: %s, by %s for %s, until %s (no rollback target while it stands)\n", jstr(claim, "slot"), jstr(claim, "by"),
		       jstr(claim, "release"), wall_text((wall_ms){ jint(claim, "until") }, w));
	if (strcmp(jstr(s, "phase"), "baking") == 0)
		printf("  baking: %s left; shield %s\n", age_text(jint(s, "bake_remaining_ms"), a), jbool(s, "shield") ? "up" : "down");
	if (jint(s, "shield_caught"))
		printf("  shield: %lld answers came from the other slot; their users saw no failure\n", (long long)jint(s, "shield_caught"));
	if (json_is_object(deploy))
		printf("  last deploy: %lld %s on %s: %s%s%s (%s ago, by %s)\n", (long long)jint(deploy, "id"), jstr(deploy, "release"), jstr(deploy, "slot"),
		       jstr(deploy, "outcome"), jstr(deploy, "reason")[0] ? ", " : "", jstr(deploy, "reason"),
		       ago(jint(deploy, "ended") ? jint(deploy, "ended") : jint(deploy, "since"), a), jstr(deploy, "by"));
	if (json_is_object(flip) && strcmp(jstr(flip, "slot"), "none") != 0)
		printf("  safe to flip to %s? %s%s%s\n", jstr(flip, "slot"), jbool(flip, "ok") ? "yes" : "NO", jbool(flip, "ok") ? "" : ": ", jstr(flip, "why"));
	if (jbool(s, "suspect"))
		printf("  %sprober suspect%s: %s; it measures and does not act\n", ink(c, YELLOW), ink(c, PLAIN), jstr(s, "suspect_why"));
	if (jbool(s, "front_down"))
		printf("  %sfront down%s: the public address does not answer as it should (an alert about the proxy, never a reason to move)\n",
		       ink(c, RED), ink(c, PLAIN));
	if (jbool(s, "default_feature"))
		printf("  %sno features are configured%s: the one feature is /\n", ink(c, YELLOW), ink(c, PLAIN));
}

static void side_cell(const struct cli *c, const json_t *side, char *out, size_t size)
{
	const char *v = jstr(side, "verdict");
	int64_t us = jint(side, "latency_us");
	char status[32] = "", targets[48] = "";

	if (strcmp(v, "present") != 0 && jint(side, "status"))
		TEXT_FORMAT(status, " %lld", (long long)jint(side, "status"));
	if (jint(side, "absent") && jint(side, "present"))
		TEXT_FORMAT(targets, " (%lld of %lld targets)", (long long)jint(side, "absent"),
			    (long long)(jint(side, "absent") + jint(side, "present") + jint(side, "unknown")));
	text_format(out, size, "%s %s%s%s %lld.%lldms", mark(c, v), v, status, targets, (long long)(us / 1000), (long long)(us % 1000 / 100));
}

static void feature_table(struct cli *c, const json_t *features, const char *active)
{
	static const char *const names[] = { "FEATURE", "BLUE", "GREEN", "VERDICT", "NOTE" };
	struct table t = table_new(c, names, ARRAY_LEN(names));
	size_t i;
	json_t *f;

	json_array_foreach((json_t *)features, i, f) {
		const json_t *slots = json_object_get(f, "slots"), *blue = json_object_get(slots, "blue"), *green = json_object_get(slots, "green");
		const json_t *idle = strcmp(active, "blue") == 0 ? green : blue, *mute = json_object_get(f, "mute");
		char b[160], g[160], note[400] = "", name[80];
		const json_t *bad = strcmp(jstr(blue, "verdict"), "present") != 0 ? blue : green;

		side_cell(c, blue, b, sizeof(b));
		side_cell(c, green, g, sizeof(g));
		TEXT_COPY(name, jstr(f, "name"));
		if (json_is_object(mute))
			TEXT_FORMAT(note, "muted by %s: %s", jstr(mute, "by"), jstr(mute, "why"));
		else if (jbool(f, "vacuous"))
			TEXT_COPY(note, "vacuous: holds on a path that must not exist, no vote");
		else if (strcmp(jstr(bad, "verdict"), "present") != 0)
			TEXT_COPY(note, jstr(bad, "detail"));
		else if (strcmp(jstr(f, "severity"), "warn") == 0)
			TEXT_COPY(note, "warn only");
		else if (strcmp(jstr(f, "baseline"), "no baseline") == 0)
			TEXT_COPY(note, "no baseline");
		const json_t *seen = strcmp(jstr(json_object_get(slots, active), "compared"), "lost") == 0 ? json_object_get(slots, active) : idle;
		const char *cmp = jstr(seen, "compared");
		const char *cells[] = { name, b, g, cmp, note };

		row(&t, cells, strcmp(cmp, "same") == 0 ? NULL : verdict_colour(strcmp(cmp, "lost") == 0 || strcmp(cmp, "broken_both") == 0 ? "absent" : "unknown"), 3);
	}
	table_print(&t);
}

static void proxy_lines(const json_t *s)
{
	size_t i;
	json_t *p;

	json_array_foreach(json_object_get(s, "proxies"), i, p) {
		const char *detail = jstr(p, "detail");

		printf("  proxy %s: %s  %s%s%s%s\n", jstr(p, "name"), jstr(p, "state"), json_is_string(json_object_get(p, "value")) ? jstr(p, "value") : "-",
		       jbool(p, "acked") && !jbool(p, "observed") ? "  acked, not observed" : "", detail[0] ? "  " : "", detail);
	}
}

void say_status(struct cli *c, const json_t *s, bool heading)
{
	if (heading) {
		head_lines(c, s);
		state_lines(c, s);
		proxy_lines(s);
	}
	feature_table(c, json_object_get(s, "features"), jstr(s, "active"));
}

void say_probe(struct cli *c, const json_t *o) { feature_table(c, json_object_get(o, "features"), "blue"); }

/* ---- timeline ---- */

static void event_what(const json_t *e, char *out, size_t size)
{
	const char *from = jstr(json_object_get(e, "from"), "slot"), *to = jstr(json_object_get(e, "to"), "slot");
	const char *detail = jstr(e, "detail"), *because = jstr(e, "because");

	if (strcmp(from, to) != 0)
		text_format(out, size, "%s > %s: %s%s%s", from, to, because, detail[0] ? "; " : "", detail);
	else
		text_format(out, size, "%s%s%s", because, detail[0] ? "; " : "", detail);
}

void say_event(struct cli *c, const json_t *e, int64_t since_ms)
{
	char what[1400];
	int64_t d = since_ms ? jint(e, "at") - since_ms : 0;

	(void)c;
	event_what(e, what, sizeof(what));
	fprintf(stderr, "  %lld.%03lld  %-16s %s\n", (long long)(d / 1000), (long long)(d < 0 ? 0 : d % 1000), jstr(e, "kind"), what);
}

static void timeline_md(const json_t *events)
{
	int64_t first = 0;
	size_t i;
	json_t *e;

	puts("| UTC | delta | event | by | epoch | what |\n|---|---|---|---|---|---|");
	json_array_foreach((json_t *)events, i, e) {
		char w[WALL_TEXT], what[1400];

		first = first ? first : jint(e, "at");
		event_what(e, what, sizeof(what));
		for (char *p = what; *p; p++)
			if (*p == '|')
				*p = '/';
		printf("| %s | +%lld.%03llds | %s | %s | %lld | %s |\n", wall_text((wall_ms){ jint(e, "at") }, w), (long long)((jint(e, "at") - first) / 1000),
		       (long long)((jint(e, "at") - first) % 1000), jstr(e, "kind"), jstr(e, "by"),
		       (long long)jint(json_object_get(json_object_get(e, "to"), "version"), "epoch"), what);
	}
}

void say_timeline(struct cli *c, const json_t *timeline)
{
	static const char *const names[] = { "UTC", "DELTA", "EVENT", "BY", "EPOCH", "RELEASE", "WHAT" };
	const json_t *events = json_object_get(timeline, "events");
	struct table t;
	int64_t before = 0;
	size_t i;
	json_t *e;

	if (c->output == FMT_MD) {
		timeline_md(events);
		return;
	}
	t = table_new(c, names, ARRAY_LEN(names));
	json_array_foreach((json_t *)events, i, e) {
		char w[WALL_TEXT], what[1400], delta[32], epoch[24];
		int64_t at = jint(e, "at"), d = before ? at - before : 0;

		before = at;
		event_what(e, what, sizeof(what));
		TEXT_FORMAT(delta, "+%lld.%03lld", (long long)(d / 1000), (long long)(d % 1000));
		TEXT_FORMAT(epoch, "%lld", (long long)jint(json_object_get(json_object_get(e, "to"), "version"), "epoch"));
		const char *cells[] = { wall_text((wall_ms){ at }, w), delta, jstr(e, "kind"), jstr(e, "by"), epoch, jstr(e, "release"), what };

		row(&t, cells, strstr(cells[2], "rollback") || strstr(cells[2], "refused") || strstr(cells[2], "human") ? "red" : NULL, 2);
	}
	table_print(&t);
	if (!jbool(timeline, "complete"))
		fputs("switchctl: the store is away: this is only what switchd remembers since its start\n", stderr);
}

/* ---- why ---- */

static void evidence_lines(const char *label, const json_t *ev)
{
	char w[WALL_TEXT], body[161];

	if (!json_is_object(ev))
		return;
	text_printable(body, sizeof(body), jstr(ev, "body"), strlen(jstr(ev, "body")) > 160 ? 160 : strlen(jstr(ev, "body")));
	printf("      %-8s %s  %s %lld in %lld.%lldms  %s", label, wall_text((wall_ms){ jint(ev, "at") }, w), jstr(ev, "target"),
	       (long long)jint(ev, "status"), (long long)(jint(ev, "latency_us") / 1000), (long long)(jint(ev, "latency_us") % 1000 / 100), jstr(ev, "url"));
	if (jstr(ev, "want")[0])
		printf("\n               want %s, got %s", jstr(ev, "want"), jstr(ev, "got"));
	printf("\n               %s\n", body);
}

void say_why(struct cli *c, const json_t *why)
{
	const json_t *event = json_object_get(why, "event");
	char w[WALL_TEXT], what[1400];
	size_t i;
	json_t *f;

	printf("%s%s%s  %s %s serves, epoch %lld, %s\n", ink(c, BOLD), jstr(why, "service"), ink(c, PLAIN), jstr(why, "active"), jstr(why, "release"),
	       (long long)jint(json_object_get(why, "version"), "epoch"), jstr(why, "phase"));
	if (json_is_object(event)) {
		event_what(event, what, sizeof(what));
		printf("  last decision  %s  %s by %s\n    %s\n", wall_text((wall_ms){ jint(event, "at") }, w), jstr(event, "kind"), jstr(event, "by"), what);
	} else {
		printf("  last change    %s\n", jstr(why, "because"));
	}
	printf("  armed          %s%s%s\n", jbool(why, "armed") ? "yes" : "no", jbool(why, "armed") ? "" : ": ", jstr(why, "armed_why"));
	json_array_foreach(json_object_get(why, "features"), i, f) {
		const json_t *sides[] = { json_object_get(f, "blue"), json_object_get(f, "green") };
		bool dull = strcmp(jstr(sides[0], "verdict"), "present") == 0 && strcmp(jstr(sides[1], "verdict"), "present") == 0;

		if (dull && !c->verbose)
			continue;
		printf("  %s\n", jstr(f, "name"));
		for (int k = 0; k < 2; k++) {
			printf("    %-6s %s %s, %s\n", k ? "green" : "blue", mark(c, jstr(sides[k], "verdict")), jstr(sides[k], "verdict"), jstr(sides[k], "outcome"));
			evidence_lines("absent", json_object_get(sides[k], "absent_evidence"));
			evidence_lines("present", json_object_get(sides[k], "present_evidence"));
		}
	}
}
