/* SPDX-License-Identifier: MIT
 * say_story.c - what happened, when, by whom and why: moves with their three times, timeline, evidence. */
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"
#include "switchd/core/record.h"

/* A flip has three times; only what was observed may be called done. */
void say_move(const json_t *m, FILE *to)
{
	char w[WALL_TEXT], us[32];
	const char *mode = jstr(m, "mode");
	const json_t *acked = json_object_get(m, "acked_us"), *observed = json_object_get(m, "observed_us");

	fprintf(to, "%s > %s (%s) decided %s by %s", jstr(m, "from"), jstr(m, "to"), mode, wall_text((wall_ms){ jint(m, "decided") }, w), jstr(m, "by"));
	if (jint(m, "acked") && json_is_integer(acked) && json_integer_value(acked) >= 0)
		fprintf(to, ", acked +%s", us_text(json_integer_value(acked), us));
	else
		fputs(jint(m, "acked") ? ", acked" : ", not acked yet", to);
	if (jint(m, "observed") && json_is_integer(observed) && json_integer_value(observed) >= 0)
		fprintf(to, ", observed +%s", us_text(json_integer_value(observed), us));
	else
		fputs(jint(m, "observed") ? ", observed" : ", not observed", to);
	fprintf(to, "%s%s\n", jstr(m, "reason")[0] ? ": " : "", jstr(m, "reason"));
}

static void event_what(const json_t *e, char *out, size_t size)
{
	const char *from = jstr(json_object_get(e, "from"), "slot"), *to = jstr(json_object_get(e, "to"), "slot");
	const char *detail = jstr(e, "detail"), *because = jstr(e, "because");

	if (strcmp(from, to) != 0)
		text_format(out, size, "%s > %s: %s%s%s", from, to, because, detail[0] ? "; " : "", detail);
	else
		text_format(out, size, "%s%s%s", because, detail[0] ? "; " : "", detail);
}

/* Progress of a deploy: seconds since it began. */
void say_event(struct cli *c, const json_t *e, int64_t since_ms)
{
	char what[1400];
	int64_t d = since_ms ? jint(e, "at") - since_ms : 0;

	if (c->quiet)
		return;
	d = d < 0 ? 0 : d;
	event_what(e, what, sizeof(what));
	fprintf(stderr, "  %3lld.%03lld  %-18s %s\n", (long long)(d / 1000), (long long)(d % 1000), jstr(e, "kind"), what);
}

/* ---- timeline ---- */

static int64_t to_epoch(const json_t *e) { return jint(json_object_get(json_object_get(e, "to"), "version"), "epoch"); }

/* How long after its decision a move was seen through the front: told beside the event that says so. */
static void since_decided(const json_t *events, size_t i, char *what, size_t size)
{
	const json_t *e = json_array_get(events, i);
	size_t n = strlen(what);

	if (!strstr(jstr(e, "kind"), "observed") && strcmp(jstr(e, "kind"), "rollback.done") != 0)
		return;
	for (size_t k = i; k-- > 0;) {
		const json_t *d = json_array_get(events, k);

		if (strstr(jstr(d, "kind"), "decided") && to_epoch(d) == to_epoch(e)) {
			text_format(what + n, size - n, " (%lld ms after it was decided)", (long long)(jint(e, "at") - jint(d, "at")));
			return;
		}
	}
}

static void timeline_md(const json_t *events)
{
	int64_t first = 0;
	size_t i;
	json_t *e;

	puts("| UTC | delta | event | by | epoch | release | what |\n|---|---|---|---|---|---|---|");
	json_array_foreach((json_t *)events, i, e) {
		char w[WALL_TEXT], what[1500];
		int64_t d;

		first = first ? first : jint(e, "at");
		d = jint(e, "at") - first;
		event_what(e, what, sizeof(what));
		since_decided(events, i, what, sizeof(what));
		for (char *p = what; *p; p++)
			if (*p == '|' || *p == '\n')
				*p = '/';
		printf("| %s | +%lld.%03llds | %s | %s | %lld | %s | %s |\n", wall_text((wall_ms){ jint(e, "at") }, w), (long long)(d / 1000),
		       (long long)(d % 1000), jstr(e, "kind"), jstr(e, "by"), (long long)to_epoch(e), jstr(e, "release"), what);
	}
}

static const char *kind_colour(const char *kind)
{
	return strstr(kind, "rollback") || strstr(kind, "refused") || strstr(kind, "human") || strstr(kind, "lost") ? "red" : NULL;
}

void say_timeline(struct cli *c, const json_t *timeline)
{
	static const char *const names[] = { "UTC", "DELTA", "EVENT", "BY", "EPOCH", "RELEASE", "WHAT" };
	const json_t *events = json_object_get(timeline, "events");
	struct table t;
	int64_t before = 0;
	size_t i;
	json_t *e;

	if (!jbool(timeline, "complete"))
		complain(c, "the store is away: this is only what switchd remembers since its start");
	if (c->output == FMT_MD) {
		timeline_md(events);
		return;
	}
	t = table_new(c, names, ARRAY_LEN(names));
	json_array_foreach((json_t *)events, i, e) {
		char w[WALL_TEXT], what[1500], delta[32], epoch[24];
		int64_t at = jint(e, "at"), d = before && at > before ? at - before : 0;

		before = at;
		event_what(e, what, sizeof(what));
		since_decided(events, i, what, sizeof(what));
		TEXT_FORMAT(delta, "+%lld.%03lld", (long long)(d / 1000), (long long)(d % 1000));
		TEXT_FORMAT(epoch, "%lld", (long long)to_epoch(e));
		const char *cells[] = { wall_text((wall_ms){ at }, w), delta, jstr(e, "kind"), jstr(e, "by"), epoch, jstr(e, "release"), what };

		table_row(&t, cells, kind_colour(cells[2]), 2);
	}
	table_print(&t);
}

/* ---- evidence ---- */

static void evidence_lines(const char *label, const json_t *ev)
{
	char w[WALL_TEXT], us[32], body[161];
	const char *raw = jstr(ev, "body");
	size_t n = strlen(raw);

	if (!json_is_object(ev))
		return;
	while (n && (raw[n - 1] == '\n' || raw[n - 1] == '\r'))
		n--;
	text_printable(body, sizeof(body), raw, n > 160 ? 160 : n);
	printf("      %-8s %s  %s  %s  HTTP %lld in %s\n", label, wall_text((wall_ms){ jint(ev, "at") }, w), jstr(ev, "target"), jstr(ev, "url"),
	       (long long)jint(ev, "status"), us_text(jint(ev, "latency_us"), us));
	if (jstr(ev, "want")[0])
		printf("               want %s, got %s\n", jstr(ev, "want"), jstr(ev, "got"));
	if (body[0])
		printf("               %s%s\n", body, n > 160 ? "..." : "");
}

/* What the decision was taken on: kept with it, also when the slots answer otherwise by now. */
static void decision_evidence(const json_t *list)
{
	size_t i;
	json_t *e;

	json_array_foreach((json_t *)list, i, e) {
		const char *slot = jstr(e, "slot");

		printf("    %s: %s on the evidence of\n", jstr(e, "feature"), slot);
		evidence_lines(slot, json_object_get(e, "here"));
		evidence_lines(strcmp(slot, "blue") == 0 ? "green" : "blue", json_object_get(e, "there"));
	}
}

static void why_feature(struct cli *c, const json_t *f)
{
	printf("  %s\n", jstr(f, "name"));
	for (int k = 0; k < 2; k++) {
		const json_t *side = json_object_get(f, k ? "green" : "blue");

		printf("    %-6s %s %s, last outcome: %s\n", k ? "green" : "blue", mark(c, jstr(side, "verdict")), jstr(side, "verdict"), jstr(side, "outcome"));
		evidence_lines("absent", json_object_get(side, "absent_evidence"));
		evidence_lines("present", json_object_get(side, "present_evidence"));
	}
}

void say_why(struct cli *c, const json_t *why)
{
	const json_t *event = json_object_get(why, "event"), *move = json_object_get(why, "move");
	char w[WALL_TEXT], what[1400];
	struct buf open = BUF_INIT(8192);
	size_t i;
	json_t *f;

	printf("%s%s%s  %s %s serves, epoch %lld, %s\n", ink(c, INK_BOLD), jstr(why, "service"), ink(c, INK_PLAIN), jstr(why, "active"), jstr(why, "release"),
	       (long long)jint(json_object_get(why, "version"), "epoch"), jstr(why, "phase"));
	if (json_is_object(event)) {
		event_what(event, what, sizeof(what));
		printf("  last decision: %s  %s by %s\n    %s\n", wall_text((wall_ms){ jint(event, "at") }, w), jstr(event, "kind"), jstr(event, "by"), what);
		decision_evidence(event_features(event));
	} else {
		printf("  last change: %s\n", jstr(why, "because"));
	}
	if (json_is_object(move)) {
		fputs("  last move: ", stdout);
		say_move(move, stdout);
	}
	printf("  armed: %s%s%s\n", jbool(why, "armed") ? "yes" : "NO", jbool(why, "armed") ? "" : ", ", jstr(why, "armed_why"));
	json_array_foreach(json_object_get(why, "features"), i, f) {
		const char *blue = jstr(json_object_get(f, "blue"), "verdict"), *green = jstr(json_object_get(f, "green"), "verdict");
		bool bad = strcmp(blue, "absent") == 0 || strcmp(blue, "partial") == 0 || strcmp(green, "absent") == 0 || strcmp(green, "partial") == 0;

		if (bad || c->verbose)
			why_feature(c, f);
		else if (strcmp(blue, "present") != 0 || strcmp(green, "present") != 0)
			buf_addf(&open, "%s%s", open.len ? ", " : "", jstr(f, "name"));
	}
	if (open.len)
		printf("  not known on both slots yet: %s\n", buf_str(&open));
	buf_free(&open);
}

void say_evidence(struct cli *c, const json_t *o)
{
	(void)c;
	printf("%s\n", jstr(o, "feature"));
	for (int k = 0; k < 2; k++) {
		const json_t *side = json_object_get(o, k ? "green" : "blue");

		printf("    %s%s\n", k ? "green" : "blue",
		       json_is_object(json_object_get(side, "absent")) || json_is_object(json_object_get(side, "present")) ? "" : "  nothing was seen yet");
		evidence_lines("absent", json_object_get(side, "absent"));
		evidence_lines("present", json_object_get(side, "present"));
	}
}
