/* SPDX-License-Identifier: MIT
 * say_status.c - the status of a service: first who serves, since when, armed or not, and the way back. */
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"
#include "switchd/core/model.h"

static const char *ago(int64_t then, char out[AGE_TEXT])
{
	int64_t ms = wall_now().ms - then;

	return age_text(ms < 0 ? 0 : ms, out);
}

static void serving_line(struct cli *c, const json_t *s)
{
	char since[AGE_TEXT], when[WALL_TEXT], left[AGE_TEXT];
	const char *active = jstr(s, "active"), *service = jstr(s, "service"), *release = jstr(s, "release");
	int64_t until = jint(s, "phase_until"), now = wall_now().ms;

	printf("%s%s  ", ink(c, INK_BOLD), service);
	if (!jbool(s, "loaded") && strcmp(active, "none") == 0) {
		printf("STARTING%s  no record is loaded yet\n", ink(c, INK_PLAIN));
		return;
	}
	if (strcmp(active, "none") == 0) {
		printf("SERVING nothing%s: no slot is active yet\n", ink(c, INK_PLAIN));
		printf("  next: switchctl deploy %s --slot blue --release ID   |   switchctl flip %s --to SLOT\n", service, service);
		return;
	}
	printf("SERVING %s %s%s", active, release[0] ? release : "(release unknown)", ink(c, INK_PLAIN));
	if (jint(s, "since"))
		printf("   since %s (%s ago)", wall_text((wall_ms){ jint(s, "since") }, when), ago(jint(s, "since"), since));
	printf("   epoch %lld   %s%s%s", (long long)jint(json_object_get(s, "version"), "epoch"), strcmp(jstr(s, "phase"), "stuck") == 0 ? ink(c, INK_RED) : "",
	       jstr(s, "phase"), strcmp(jstr(s, "phase"), "stuck") == 0 ? ink(c, INK_PLAIN) : "");
	if (until > now)
		printf(" (%s left)", age_text(until - now, left));
	printf("   mode %s\n", jstr(s, "mode"));
}

/* "green r42, warm, proved 3 s ago", or what would be missed there. */
static void target_line(struct cli *c, const json_t *s, const char *target)
{
	const json_t *ready = json_object_get(s, "rollback_ready"), *proved = json_object_get(ready, "proved_ms");
	char age[AGE_TEXT];

	printf("  rollback target: %s %s", target, jstr(json_object_get(json_object_get(s, "slots"), target), "release"));
	if (jbool(ready, "ready"))
		printf(", warm%s%s%s", json_is_integer(proved) ? ", proved " : "", json_is_integer(proved) ? age_text(jint(ready, "proved_ms"), age) : "",
		       json_is_integer(proved) ? " ago" : "");
	else if (json_is_object(ready))
		printf(", %snot ready%s: %s", ink(c, INK_YELLOW), ink(c, INK_PLAIN), jstr(ready, "why"));
	putchar('\n');
}

static void armed_lines(struct cli *c, const json_t *s)
{
	const char *why = jstr(s, "armed_why"), *target = jstr(s, "rollback_target"), *none = jstr(s, "rollback_target_why");

	if (jbool(s, "armed"))
		printf("  armed: %syes%s, a feature lost now is flipped back now\n", ink(c, INK_GREEN), ink(c, INK_PLAIN));
	else
		printf("  armed: %sNO%s, %s\n", ink(c, INK_YELLOW), ink(c, INK_PLAIN), text_starts(why, "rollback target:") ? "there is no rollback target" : why);
	if (target[0])
		target_line(c, s, target);
	else
		printf("  rollback target: %s%s%s%s\n", ink(c, INK_YELLOW), text_starts(none, "none") ? none : "none", ink(c, INK_PLAIN),
		       text_starts(none, "none") || !none[0] ? "" : none);
}

static void trouble_lines(struct cli *c, const json_t *s)
{
	const json_t *store = json_object_get(s, "store");
	const char *service = jstr(s, "service");

	if (strcmp(jstr(s, "phase"), "stuck") == 0)
		printf("  %sSTUCK%s: a human is needed; what a proxy shows is below\n  next: switchctl rollback %s   |   switchctl flip %s --to SLOT --force -m WHY\n",
		       ink(c, INK_RED), ink(c, INK_PLAIN), service, service);
	if (strcmp(jstr(store, "state"), "following") == 0)
		printf("  %sstanding by%s: %s; ask there for orders\n", ink(c, INK_YELLOW), ink(c, INK_PLAIN), jstr(store, "why"));
	else if (!jbool(store, "up"))
		printf("  %sstore away%s: %s; traffic stays, nothing moves forward; %s\n", ink(c, INK_RED), ink(c, INK_PLAIN), jstr(store, "why"),
		       jbool(store, "alone") ? "hold and rollback work" : "another switchd may lead: ask there");
	if (jstr(store, "bad")[0])
		printf("  %sstore value REFUSED%s: %s; the last good record stands, nothing is decided\n  next: switchctl state repair %s -m WHY\n", ink(c, INK_RED),
		       ink(c, INK_PLAIN), jstr(store, "bad"), service);
	if (jbool(store, "pending"))
		printf("  %sdone here, not yet recorded%s: the store will be told when it is back\n", ink(c, INK_YELLOW), ink(c, INK_PLAIN));
	if (jbool(store, "at_risk"))
		printf("  %scommitted, at risk%s: %lld of %lld replicas have the last commit; a failover now could lose it\n", ink(c, INK_RED), ink(c, INK_PLAIN),
		       (long long)(jint(store, "replicas") < 0 ? 0 : jint(store, "replicas")), (long long)jint(store, "replicas_wanted"));
	if (jbool(s, "suspect"))
		printf("  %sprober suspect%s: %s; it measures and does not act\n", ink(c, INK_YELLOW), ink(c, INK_PLAIN), jstr(s, "suspect_why"));
	if (jbool(s, "front_down"))
		printf("  %sfront down%s: %s does not answer as it should (about the proxy; never a reason to move)\n", ink(c, INK_RED), ink(c, INK_PLAIN),
		       jstr(s, "front"));
	if (jbool(s, "default_feature"))
		printf("  %sno features are configured%s: the one feature is /\n", ink(c, INK_YELLOW), ink(c, INK_PLAIN));
}

static void human_lines(struct cli *c, const json_t *s)
{
	char w[WALL_TEXT];
	const json_t *hold = json_object_get(s, "hold"), *claim = json_object_get(s, "claim"), *pin = json_object_get(s, "pin");
	const json_t *sealed = json_object_get(s, "sealed");
	const char *service = jstr(s, "service");

	if (json_is_object(hold))
		printf("  %sHELD%s by %s: %s (until %s)   next: switchctl resume %s\n", ink(c, INK_YELLOW), ink(c, INK_PLAIN), jstr(hold, "by"), jstr(hold, "why"),
		       jint(hold, "until") ? wall_text((wall_ms){ jint(hold, "until") }, w) : "resumed", service);
	if (json_is_object(pin))
		printf("  %sPINNED by hand%s to %s   next: switchctl resume %s\n", ink(c, INK_YELLOW), ink(c, INK_PLAIN), jstr(pin, "slot"), service);
	if (json_is_object(sealed))
		printf("  sealed by %s: %s\n", jstr(sealed, "by"), jstr(sealed, "why"));
	if (json_is_object(claim))
		printf("  claimed: %s, by %s for %s, until %s (no rollback target while it stands)\n", jstr(claim, "slot"), jstr(claim, "by"),
		       jstr(claim, "release"), wall_text((wall_ms){ jint(claim, "until") }, w));
}

static void story_lines(struct cli *c, const json_t *s)
{
	const json_t *deploy = json_object_get(s, "deploy"), *move = json_object_get(s, "move"), *flip = json_object_get(s, "safe_to_flip");
	char a[AGE_TEXT];

	if (strcmp(jstr(s, "phase"), "baking") == 0)
		printf("  baking: %s left; shield %s\n", age_text(jint(s, "bake_remaining_ms"), a), jbool(s, "shield") ? "up" : "down");
	if (jint(s, "shield_caught"))
		printf("  shield: %lld answers came from the other slot; their users saw no failure\n", (long long)jint(s, "shield_caught"));
	if (json_is_object(move)) {
		fputs("  last move: ", stdout);
		say_move(move, stdout);
	}
	if (json_is_object(deploy))
		printf("  last deploy: %lld %s on %s: %s%s%s (%s ago, by %s)\n", (long long)jint(deploy, "id"), jstr(deploy, "release"), jstr(deploy, "slot"),
		       jstr(deploy, "outcome"), jstr(deploy, "reason")[0] ? ", " : "", jstr(deploy, "reason"),
		       ago(jint(deploy, "ended") ? jint(deploy, "ended") : jint(deploy, "since"), a), jstr(deploy, "by"));
	say_gates_line(c, json_object_get(s, "gates"));
	if (json_is_object(flip) && strcmp(jstr(flip, "slot"), "none") != 0)
		printf("  safe to flip to %s? %s%s%s\n", jstr(flip, "slot"), jbool(flip, "ok") ? "yes" : "NO", jbool(flip, "ok") ? "" : ": ", jstr(flip, "why"));
}

/* Slots whose addresses change: from where they are, and since when. */
static void address_lines(struct cli *c, const json_t *s)
{
	for (int k = BLUE; k <= GREEN; k++) {
		const json_t *slot = json_object_get(json_object_get(s, "slots"), slot_name((enum slot)k)), *a = json_object_get(slot, "addresses");
		const char *from = jstr(a, "read_from"), *source = jstr(a, "source"), *why = jstr(a, "why");
		char w[WALL_TEXT];

		if (!json_is_object(a))
			continue;
		printf("  %s: %s", slot_name((enum slot)k), source);
		if (from[0])
			printf(", %zu targets read at %s%s%s", json_array_size(json_object_get(slot, "targets")), wall_text((wall_ms){ jint(a, "read_at") }, w),
			       strcmp(from, source) != 0 ? " of " : "", strcmp(from, source) != 0 ? from : "");
		else
			printf(", %snot read yet%s", ink(c, INK_YELLOW), ink(c, INK_PLAIN));
		if (why[0])
			printf("; %sthe last reading failed%s: %s", ink(c, INK_RED), ink(c, INK_PLAIN), why);
		putchar('\n');
	}
}

static void proxy_lines(const struct cli *c, const json_t *s)
{
	size_t i;
	json_t *p;

	json_array_foreach(json_object_get(s, "proxies"), i, p) {
		const char *detail = jstr(p, "detail"), *state = jstr(p, "state");
		bool fight = strcmp(state, "fight") == 0, bad = fight || strcmp(state, "refused") == 0 || strcmp(state, "down") == 0;

		printf("  proxy %s: %s%s%s  %s%s%s%s%s%s\n", jstr(p, "name"), bad ? ink(c, INK_RED) : "", state, bad ? ink(c, INK_PLAIN) : "",
		       json_is_string(json_object_get(p, "value")) ? jstr(p, "value") : "-",
		       fight ? "  somebody else writes it again and again: left alone for a minute, or until the next flip; clients go where it says" : "",
		       jbool(p, "acked") && !jbool(p, "observed") ? "  acked, not observed" : "", jbool(p, "acked") && !jbool(p, "durable") ? "  not durable" : "",
		       detail[0] ? "  " : "", detail);
	}
}

/* ---- features ---- */

static void side_cell(const struct cli *c, const json_t *side, char *out, size_t size)
{
	const char *v = jstr(side, "verdict");
	char status[32] = "", targets[64] = "", us[32] = "";

	if (strcmp(v, "absent") == 0 || strcmp(v, "partial") == 0)
		TEXT_FORMAT(status, " %lld", (long long)jint(side, "status"));
	if (jint(side, "absent") && jint(side, "present"))
		TEXT_FORMAT(targets, " (%lld of %lld targets)", (long long)jint(side, "absent"),
			    (long long)(jint(side, "absent") + jint(side, "present") + jint(side, "unknown")));
	if (json_is_integer(json_object_get(side, "latency_us")))
		us_text(jint(side, "latency_us"), us);
	text_format(out, size, "%s %s%s%s %s", mark(c, v), v, status, targets, us);
}

static const char *feature_note(const json_t *f, const json_t *bad, char *out, size_t size)
{
	const json_t *mute = json_object_get(f, "mute");
	char w[WALL_TEXT];

	if (json_is_object(mute))
		text_format(out, size, "muted by %s until %s: %s", jstr(mute, "by"), wall_text((wall_ms){ jint(mute, "until") }, w), jstr(mute, "why"));
	else if (jbool(f, "vacuous"))
		text_copy(out, size, "vacuous: holds on a path that must not exist, no vote");
	else if (strcmp(jstr(bad, "verdict"), "present") != 0 && jstr(bad, "detail")[0])
		text_copy(out, size, jstr(bad, "detail"));
	else if (strcmp(jstr(f, "severity"), "warn") == 0)
		text_copy(out, size, "warn only");
	else if (strcmp(jstr(f, "baseline"), "no baseline") == 0)
		text_copy(out, size, "no baseline");
	else if (strcmp(jstr(f, "proof"), "unproven") == 0)
		text_format(out, size, "unproven: %s", jstr(f, "proof_why"));
	else
		out[0] = '\0';
	return out;
}

static void feature_table(struct cli *c, const json_t *features)
{
	static const char *const names[] = { "FEATURE", "BLUE", "GREEN", "VERDICT", "NOTE" };
	struct table t = table_new(c, names, ARRAY_LEN(names));
	size_t i;
	json_t *f;

	json_array_foreach((json_t *)features, i, f) {
		const json_t *slots = json_object_get(f, "slots"), *blue = json_object_get(slots, "blue"), *green = json_object_get(slots, "green");
		bool on_blue = strcmp(jstr(blue, "compared"), "lost") == 0, on_green = strcmp(jstr(green, "compared"), "lost") == 0;
		const char *cmp = on_blue ? "lost on blue" : on_green ? "lost on green" : strcmp(jstr(blue, "compared"), "broken_both") == 0 ? "broken on both"
													      : jstr(blue, "compared");
		char b[160], g[160], note[400];

		side_cell(c, blue, b, sizeof(b));
		side_cell(c, green, g, sizeof(g));
		feature_note(f, strcmp(jstr(blue, "verdict"), "present") != 0 ? blue : green, note, sizeof(note));
		const char *cells[] = { jstr(f, "name"), b, g, cmp, note };

		table_row(&t, cells, on_blue || on_green || strcmp(cmp, "broken on both") == 0 ? "red" : strcmp(cmp, "same") == 0 ? NULL : "brown", 3);
	}
	table_print(&t);
}

void say_status(struct cli *c, const json_t *s)
{
	serving_line(c, s);
	armed_lines(c, s);
	trouble_lines(c, s);
	human_lines(c, s);
	story_lines(c, s);
	address_lines(c, s);
	proxy_lines(c, s);
	say_fleet(c, s);
	feature_table(c, json_object_get(s, "features"));
}

void say_probe(struct cli *c, const json_t *o)
{
	feature_table(c, json_object_get(o, "features"));
	if (json_is_false(json_object_get(o, "complete")))
		complain(c, "not every probe answered in time: what is shown of those is older");
}
