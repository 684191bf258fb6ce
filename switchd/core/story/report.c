/* SPDX-License-Identifier: MIT
 * report.c - counts events, judges what was told, and says whether it is time to enforce. */
#include <inttypes.h>
#include <string.h>

#include "switchd/base/must.h"
#include "switchd/core/json_text.h"
#include "switchd/core/story/report.h"

static int64_t num(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }
static bool is(const json_t *e, const char *kind) { return strcmp(json_text(e, "kind"), kind) == 0; }
static bool own(const json_t *e) { return strcmp(json_text(e, "by"), "switchd") == 0; }
static const char *slot_at(const json_t *e, const char *side) { return json_text(json_object_get(e, side), "slot"); }
static void put(json_t *o, const char *key, json_t *value) { must(json_object_set_new(o, key, value) == 0); }
static void add(json_t *o, const char *key) { put(o, key, json_integer(num(o, key) + 1)); }

/* The features that an event is about: {"feature","slot"} of its evidence, on the slot that it is about. */
static bool about(const json_t *e, const char *feature)
{
	size_t i;
	json_t *ev;

	json_array_foreach(json_object_get(e, "evidence"), i, ev)
		if (strcmp(json_text(ev, "feature"), feature) == 0)
			return true;
	return false;
}

static bool moves(const json_t *e)
{
	return strcmp(slot_at(e, "from"), slot_at(e, "to")) != 0 && slot_at(e, "from")[0] && slot_at(e, "to")[0];
}

/* Somebody's hand on it: from here on a feature that comes back did not come back by itself. */
static bool hand(const json_t *e) { return moves(e) || is(e, "claim.taken") || is(e, "deploy.started"); }

static bool has_word(const char *text, const char *words)
{
	size_t n = strlen(words);

	for (; *text; text++)
		if (strncasecmp(text, words, n) == 0)
			return true;
	return false;
}

/* ---- counting ---- */

static bool rolled_back(const json_t *e) { return is(e, "rollback.decided") && own(e) && json_array_size(json_object_get(e, "evidence")) > 0; }

static void count(json_t *n, const json_t *e)
{
	static const struct { const char *kind, *name; } plain[] = {
		{ "deploy.started", "deploys" }, { "bake.done", "baked" }, { "deploy.aborted", "aborted" }, { "deploy.expired", "expired" },
		{ "deploy.would_flip", "would_flip" }, { "deploy.would_refuse", "would_refuse" }, { "rollback.would", "would_roll_back" },
		{ "flip.decided", "flips" }, { "human.needed", "human_needed" }, { "late.broken", "late_broken" }, { "feature.new", "offered" },
		{ "drill.done", "drills" },
	};

	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (is(e, plain[i].kind))
			add(n, plain[i].name);
	if (is(e, "gate.refused"))
		add(n, own(e) ? "refused" : "orders_refused");
	if (is(e, "rollback.decided"))
		add(n, rolled_back(e) ? "rolled_back" : own(e) ? "flips_undone" : "rolled_back_by_people");
}

/* ---- judging ---- */

static void describe(const json_t *e, char *out, size_t size)
{
	text_format(out, size, "%s", json_text(e, "detail")[0] ? json_text(e, "detail") : json_text(e, "because"));
}

static void wrong_add(json_t *list, const json_t *e, const char *how, int64_t after_ms, const char *by, const char *text)
{
	char what[300];

	if (json_array_size(list) == REPORT_MAX_WRONG)
		return;
	describe(e, what, sizeof(what));
	must(json_array_append_new(list, json_pack("{s:I,s:s,s:s,s:s,s:s,s:I,s:s,s:s}", "at", (json_int_t)num(e, "at"), "kind", json_text(e, "kind"), "release",
						   json_text(e, "release"), "what", what, "how", how, "after_ms", (json_int_t)after_ms, "by", by, "text", text)) == 0);
}

/* Each feature of the event is present again, the last of them at the time returned; 0 = not so, or not by itself. */
static int64_t came_back(const struct report_in *in, size_t at)
{
	const json_t *e = json_array_get(in->lines, at), *evidence = json_object_get(e, "evidence");
	size_t open = json_array_size(evidence);
	bool back[64] = { false };

	if (!open || open > ARRAY_LEN(back))
		return 0;
	for (size_t i = at + 1; i < json_array_size(in->lines); i++) {
		const json_t *x = json_array_get(in->lines, i);
		size_t k;
		json_t *ev;

		if (hand(x) || num(x, "at") - num(e, "at") > in->calm_ms)
			return 0;
		if (!is(x, "ledger.verdict") || strcmp(json_text(x, "verdict"), "present") != 0)
			continue;
		json_array_foreach(evidence, k, ev)
			if (!back[k] && strcmp(json_text(ev, "feature"), json_text(x, "feature")) == 0 && strcmp(json_text(ev, "slot"), json_text(x, "slot")) == 0) {
				back[k] = true;
				if (--open == 0)
					return num(x, "at") > num(e, "at") ? num(x, "at") : num(e, "at") + 1;
			}
	}
	return 0;
}

/* Who said that it was wrong; NULL = nobody. */
static const json_t *contradicted(const struct report_in *in, size_t at)
{
	const json_t *e = json_array_get(in->lines, at);

	for (size_t i = at + 1; i < json_array_size(in->lines); i++) {
		const json_t *x = json_array_get(in->lines, i);
		int64_t after = num(x, "at") - num(e, "at");
		char feature[NAME_MAX_LEN + 1];

		if (is(x, "pardoned") && json_text(e, "release")[0] && strcmp(json_text(x, "release"), json_text(e, "release")) == 0)
			return x;
		if (is(x, "note") && after <= REPORT_NOTE_MS && has_word(json_text(x, "detail"), "false alarm"))
			return x;
		/* "quotes until T: why" */
		if (is(x, "muted") && after <= REPORT_MUTE_MS && text_copy_n(feature, sizeof(feature), json_text(x, "detail"), strcspn(json_text(x, "detail"), " ")) &&
		    about(e, feature))
			return x;
	}
	return NULL;
}

/* It went live all the same, and was good for a bake, with nothing lost. */
static const json_t *good_after_all(const struct report_in *in, size_t at)
{
	const json_t *e = json_array_get(in->lines, at);

	for (size_t i = at + 1; i < json_array_size(in->lines); i++) {
		const json_t *x = json_array_get(in->lines, i);

		if (strcmp(json_text(x, "release"), json_text(e, "release")) != 0 || !json_text(e, "release")[0])
			continue;
		if (is(x, "feature.lost") || is(x, "rollback.would") || is(x, "rollback.decided") || is(x, "deploy.started"))
			return NULL;
		if (is(x, "bake.done") || is(x, "release.good"))
			return x;
	}
	return NULL;
}

static size_t judge(const struct report_in *in, size_t at, json_t *wrong)
{
	const json_t *e = json_array_get(in->lines, at), *x;
	int64_t back;

	if (is(e, "deploy.would_refuse")) {
		if (!(x = good_after_all(in, at)))
			return 0;
		wrong_add(wrong, e, "went live all the same and was good", num(x, "at") - num(e, "at"), "", "");
		return 1;
	}
	if (!is(e, "rollback.would") && !rolled_back(e))
		return 0;
	if ((x = contradicted(in, at))) {
		wrong_add(wrong, e, is(x, "note") ? "a note says so" : is(x, "muted") ? "its feature was muted" : "its release was pardoned",
			  num(x, "at") - num(e, "at"), json_text(x, "by"), json_text(x, "detail"));
		return 1;
	}
	back = is(e, "rollback.would") ? came_back(in, at) : 0;
	if (!back)
		return 0;
	wrong_add(wrong, e, "it came back by itself", back - num(e, "at"), "", "");
	return 1;
}

/* ---- what was watched ---- */

static void gap_add(json_t *gaps, int64_t from, int64_t to, const char *why)
{
	if (to > from && json_array_size(gaps) < REPORT_MAX_GAPS)
		must(json_array_append_new(gaps, json_pack("{s:I,s:I,s:s}", "from", (json_int_t)from, "to", (json_int_t)to, "why", why)) == 0);
}

static json_t *watched(const struct report_in *in, int64_t *ms)
{
	json_t *gaps = json_array();
	int64_t done = in->from.ms;
	size_t i;
	json_t *w;

	*ms = 0;
	json_array_foreach((json_t *)in->watched, i, w) {
		int64_t from = json_integer_value(json_array_get(w, 0)), to = json_integer_value(json_array_get(w, 1));
		const char *why = json_string_value(json_array_get(w, 2));

		if (from < done)
			from = done;
		if (to > in->to.ms)
			to = in->to.ms;
		if (to <= from)
			continue;
		gap_add(gaps, done, from, i == 0 ? "nothing is recorded of that time" : why ? why : "");
		*ms += to - from;
		done = to;
	}
	gap_add(gaps, done, in->to.ms, json_array_size(in->watched) ? "not watching now" : "nothing is recorded of that time");
	return gaps;
}

/* The one that was absent most often without being lost: what a lower `fall` would have acted upon. */
static json_t *flappiest(const struct report_in *in)
{
	const json_t *most = NULL;
	size_t i;
	json_t *c;

	json_array_foreach((json_t *)in->counts, i, c)
		if (num(c, "absents") > 0 && num(c, "lost") == 0 && (!most || num(c, "absents") > num(most, "absents")))
			most = c;
	return most ? json_deep_copy(most) : json_null();
}

/* ---- ready? ---- */

static void PRINTF(2, 3) because(json_t *list, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	must(json_array_append_new(list, json_string(text)) == 0);
}

static json_t *ready(const struct report_in *in, const json_t *n, int64_t watched_ms, int64_t wrong)
{
	json_t *why = json_array();
	int64_t span = in->to.ms - in->from.ms;
	size_t weak = json_array_size(in->weak);

	if (watched_ms < REPORT_WATCH_MS)
		because(why, "watched for less than a day");
	else if (watched_ms < span * REPORT_WATCH_PERCENT / 100)
		because(why, "watched for less than %d %% of the time", REPORT_WATCH_PERCENT);
	if (!in->complete)
		because(why, "older events were left out of this report: ask for a shorter time");
	if (wrong)
		because(why, "%" PRId64 " of its decisions %s wrong: mend the probe, or raise fall", wrong, wrong == 1 ? "was" : "were");
	if (!num(n, "deploys"))
		because(why, "no deploy was seen: nothing is known of how a release is judged");
	if (weak)
		because(why, "%zu critical probe%s not known to notice a loss (%s%s): switchctl probe %s --prove", weak, weak == 1 ? " is" : "s are",
			json_string_value(json_array_get(in->weak, 0)), weak > 1 ? ", ..." : "", in->service);
	if (!in->target)
		because(why, "there is no rollback target now");
	return json_pack("{s:b,s:o}", "yes", json_array_size(why) == 0, "why", why);
}

json_t *report_make(const struct report_in *in)
{
	static const char *const names[] = { "deploys", "baked", "refused", "orders_refused", "aborted", "expired", "flips", "rolled_back", "rolled_back_by_people",
					     "flips_undone", "would_flip", "would_refuse", "would_roll_back", "human_needed", "late_broken", "offered", "drills" };
	json_t *n = json_object(), *wrong = json_array(), *drill = NULL, *gaps, *e;
	int64_t wrongs = 0, ms;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		put(n, names[i], json_integer(0));
	json_array_foreach((json_t *)in->lines, i, e) {
		if (num(e, "at") < in->from.ms || num(e, "at") > in->to.ms)
			continue;
		count(n, e);
		wrongs += (int64_t)judge(in, i, wrong);
		if (is(e, "drill.done"))
			drill = e;
	}
	gaps = watched(in, &ms);
	return json_pack("{s:s,s:s,s:I,s:I,s:b,s:o,s:{s:I,s:o},s:{s:I,s:I,s:o},s:o,s:I,s:O,s:o}", "service", in->service, "mode", run_mode_name(in->mode), "from",
			 (json_int_t)in->from.ms, "to", (json_int_t)in->to.ms, "complete", in->complete, "counts", n, "wrong", "count", (json_int_t)wrongs,
			 "list", wrong, "watched", "ms", (json_int_t)ms, "of_ms", (json_int_t)(in->to.ms - in->from.ms), "gaps", gaps, "flappiest",
			 flappiest(in), "counted_since", (json_int_t)in->counts_since.ms, "last_drill", drill ? drill : json_null(), "ready",
			 ready(in, n, ms, wrongs));
}
