/* SPDX-License-Identifier: MIT
 * story.c - what happened, put together: facts, outages as users saw them, who did what, what is missing. */
#include "switchd/core/record.h"
#include "switchd/core/story/story_parts.h"

#include <stdlib.h>
#include <string.h>

static const char *side_slot(const json_t *e, const char *side) { return json_text(json_object_get(e, side), "slot"); }
static int64_t to_epoch(const json_t *e) { return num(json_object_get(json_object_get(e, "to"), "version"), "epoch"); }

static bool moves(const json_t *e)
{
	return side_slot(e, "to")[0] && strcmp(side_slot(e, "from"), side_slot(e, "to")) != 0;
}

static bool seen_through(const json_t *e) { return kind_is(e, "flip.observed") || kind_is(e, "rollback.done"); }

/* The event that says when a move was seen through the front; NULL. */
static const json_t *observation_of(const json_t *events, size_t i)
{
	const json_t *move = json_array_get(events, i);

	for (size_t k = i + 1; k < json_array_size(events); k++) {
		const json_t *e = json_array_get(events, k);

		if (seen_through(e) && to_epoch(e) == to_epoch(move))
			return e;
		if (moves(e))
			return NULL;
	}
	return NULL;
}

/* ---- when which slot served ---- */

static void serve_add(struct story *t, int64_t at, enum slot slot, bool measured)
{
	if (t->n_served && t->served[t->n_served - 1].slot == slot)
		return;
	if (t->n_served)
		t->served[t->n_served - 1].to = at;
	if (t->n_served < MAX_SERVED)
		t->served[t->n_served++] = (struct served){ .from = at, .to = t->to, .slot = slot, .measured = measured };
}

static enum slot slot_of(const char *name)
{
	enum slot s;

	return slot_parse(name, &s) ? s : NO_SLOT;
}

static void read_served(struct story *t)
{
	size_t i;
	json_t *e;

	json_array_foreach(t->events, i, e) {
		if (i == 0)
			serve_add(t, t->from, slot_of(side_slot(e, "from")), true);
		if (!moves(e))
			continue;
		const json_t *seen = observation_of(t->events, i);

		serve_add(t, num(seen ? seen : e, "at"), slot_of(side_slot(e, "to")), seen || kind_is(e, "service.started") || kind_is(e, "observe.followed"));
	}
}

/* ---- what was present where ---- */

static struct track *track_of(struct story *t, const char *feature, enum slot slot)
{
	for (size_t i = 0; i < t->n_tracks; i++)
		if (t->tracks[i].slot == slot && strcmp(t->tracks[i].feature, feature) == 0)
			return &t->tracks[i];
	if (t->n_tracks == MAX_TRACKS || !name_ok(feature))
		return NULL;
	struct track *k = &t->tracks[t->n_tracks++];

	*k = (struct track){ .slot = slot };
	TEXT_COPY(k->feature, feature);
	return k;
}

static enum verdict verdict_of(const char *name)
{
	for (int v = V_UNKNOWN; v <= V_PARTIAL; v++)
		if (strcmp(verdict_name((enum verdict)v), name) == 0)
			return (enum verdict)v;
	return V_UNKNOWN;
}

static void span_add(struct story *t, struct track *k, int64_t at, enum verdict v, const char *release)
{
	struct span *last = k->last ? &t->spans[k->last - 1] : NULL;

	/* A slot that is handed out holds no known release any more: what is absent there goes on to be. */
	if (last && last->verdict == v && (!release[0] || strcmp(last->release, release) == 0))
		return;
	if (at < t->from)
		at = t->from;
	if (last && last->from == at) {         /* several changes before the span: the last of them counts */
		last->verdict = v;
		TEXT_COPY(last->release, release);
		return;
	}
	if (t->n_spans == STORY_MAX_SPANS) {
		t->spans_left_out++;
		return;
	}
	if (last)
		last->to = at;
	struct span *s = &t->spans[t->n_spans++];

	*s = (struct span){ .track = k, .from = at, .to = t->to, .verdict = v, .open = true };
	TEXT_COPY(s->release, release);
	if (last)
		last->open = false;
	k->last = t->n_spans;
}

/* The first bad answer comes before the verdict: the evidence of the event that acted on it has its own time. */
static int64_t first_bad_at(const struct story *t, const struct track *k, int64_t at)
{
	int64_t best = at;
	size_t i, n;
	json_t *e, *ev;

	json_array_foreach(t->events, i, e)
		json_array_foreach((json_t *)event_features(e), n, ev) {
			int64_t seen = num(json_object_get(ev, "here"), "first_at") ? num(json_object_get(ev, "here"), "first_at")
										    : num(json_object_get(ev, "here"), "at");

			if (strcmp(json_text(ev, "feature"), k->feature) == 0 && slot_of(json_text(ev, "slot")) == k->slot && seen && seen < best &&
			    at - seen < EVIDENCE_REACH_MS)
				best = seen;
		}
	return best;
}

static void read_changes(struct story *t, const json_t *changes)
{
	size_t i;
	json_t *c;

	json_array_foreach((json_t *)changes, i, c) {
		int64_t at = num(c, "at");
		enum slot slot = slot_of(json_text(c, "slot"));
		struct track *k = slot == NO_SLOT || at > t->to ? NULL : track_of(t, json_text(c, "feature"), slot);
		enum verdict v = verdict_of(json_text(c, "verdict"));

		/* The verdict took several answers; the fault began with the first. */
		int64_t since = num(c, "since");

		if (k && since && since < at && (!k->last || since > t->spans[k->last - 1].from))
			at = since;
		else if (k && !since && v == V_ABSENT && at >= t->from)
			at = first_bad_at(t, k, at);
		if (k)
			span_add(t, k, at, v, json_text(c, "release"));
	}
}

/* Where no change was recorded, the events that lost a feature say at least when it was gone. */
static void read_losses(struct story *t)
{
	size_t i, n;
	json_t *e, *ev;

	json_array_foreach(t->events, i, e)
		json_array_foreach((json_t *)event_features(e), n, ev) {
			enum slot slot = slot_of(json_text(ev, "slot"));
			struct track *k = slot == NO_SLOT ? NULL : track_of(t, json_text(ev, "feature"), slot);

			if (k && !k->last && json_is_object(json_object_get(ev, "here"))) {
				span_add(t, k, num(json_object_get(ev, "here"), "at"), V_ABSENT, json_text(e, "release"));
				k->inferred = true;
			}
		}
}

static int64_t overlap(int64_t a, int64_t b, int64_t c, int64_t d)
{
	int64_t from = a > c ? a : c, to = b < d ? b : d;

	return to > from ? to - from : 0;
}

/* How much of the span was served by its slot. */
int64_t story_seen_ms(const struct story *t, const struct span *s)
{
	int64_t ms = 0;

	for (size_t i = 0; i < t->n_served; i++)
		if (t->served[i].slot == s->track->slot)
			ms += overlap(s->from, s->to, t->served[i].from, t->served[i].to);
	return ms;
}

/* ---- facts ---- */

static void fact(json_t *facts, int64_t at, const char *by, const char *kind, const char *text, const char *rule, const json_t *event)
{
	json_t *f = json_pack("{s:I,s:s%,s:s,s:s,s:s}", "at", (json_int_t)at, "by", by, strlen(by), "kind", kind, "text", text, "how",
			      rule[0] ? "inferred" : "measured");

	if (!f)
		return;
	if (rule[0])
		json_object_set_new(f, "rule", json_string(rule));
	if (event) {
		json_object_set(f, "event", json_object_get(event, "id"));
		json_object_set_new(f, "epoch", json_integer(to_epoch(event)));
		json_object_set(f, "release", json_object_get(event, "release"));
		json_object_set(f, "deploy", json_object_get(event, "deploy"));
	}
	json_array_append_new(facts, f);
}

static void event_fact(json_t *facts, const json_t *e)
{
	const char *because = json_text(e, "because"), *detail = json_text(e, "detail");
	char text[1500];

	if (moves(e))
		text_format(text, sizeof(text), "%s > %s: %s%s%s", side_slot(e, "from"), side_slot(e, "to"), because, detail[0] ? "; " : "", detail);
	else
		text_format(text, sizeof(text), "%s%s%s", because, because[0] && detail[0] ? "; " : "", detail);
	fact(facts, num(e, "at"), json_text(e, "by"), json_text(e, "kind"), text[0] ? text : json_text(e, "kind"), "", e);
}

static bool is_loss(enum verdict v) { return v == V_ABSENT || v == V_PARTIAL; }

/* A slot that serves nobody lacks everything while it is stopped and filled anew: in the picture, and no outage. */
static bool of_a_fill(const struct story *t, size_t i)
{
	const struct span *s = &t->spans[i];

	if (story_seen_ms(t, s) > 0)
		return false;
	for (size_t k = i + 1; s->release[0] && k < t->n_spans; k++) {
		if (t->spans[k].track != s->track)
			continue;
		if (strcmp(t->spans[k].release, s->release) != 0)
			return true;
		if (t->spans[k].verdict == V_PRESENT)
			return false;
	}
	return !s->release[0];
}

/* That a new release is asked, and answers, is told by the events; what was lost and came back is told here. */
static void span_facts(const struct story *t, json_t *facts)
{
	for (size_t i = 0; i < t->n_spans; i++) {
		const struct span *s = &t->spans[i];
		bool was_lost = false;
		char text[256];

		for (size_t k = 0; k < i; k++)
			if (t->spans[k].track == s->track)
				was_lost = is_loss(t->spans[k].verdict) && !of_a_fill(t, k);
		/* How it stood when the span of the report began is in the picture; only changes are facts. */
		if (s->from <= t->from || (!is_loss(s->verdict) && !was_lost) || (is_loss(s->verdict) && of_a_fill(t, i)))
			continue;
		text_format(text, sizeof(text), "%s %s on %s%s%s%s", s->track->feature, verdict_name(s->verdict), slot_name(s->track->slot),
			    s->release[0] ? " (" : "", s->release, s->release[0] ? ")" : "");
		fact(facts, s->from, "switchd", s->verdict == V_ABSENT ? "feature.absent" : s->verdict == V_PRESENT ? "feature.present" : "feature.changed",
		     text, s->track->inferred ? "the event that acted on it carries the answer; no change of the verdict was kept" : "", NULL);
	}
}

static int by_time(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;

	return num(x, "at") < num(y, "at") ? -1 : num(x, "at") > num(y, "at");
}

/* Oldest first; what was written first of one moment stays first. */
static json_t *sorted(json_t *facts)
{
	size_t n = json_array_size(facts);
	json_t **list = xcalloc(n + 1, sizeof(*list));
	json_t *out = json_array();
	int64_t first = 0;

	for (size_t i = 0; i < n; i++)
		list[i] = json_array_get(facts, i);
	for (size_t i = 1; i < n; i++) { /* insertion: almost in order already, and stable */
		json_t *x = list[i];
		size_t k = i;

		while (k > 0 && by_time(&list[k - 1], &x) > 0) {
			list[k] = list[k - 1];
			k--;
		}
		list[k] = x;
	}
	for (size_t i = 0; i < n; i++) {
		first = i ? first : num(list[i], "at");
		json_object_set_new(list[i], "delta_ms", json_integer(num(list[i], "at") - first));
		json_array_append(out, list[i]);
	}
	free(list);
	json_decref(facts);
	return out;
}

/* ---- the parts ---- */

static json_t *outages_json(const struct story *t)
{
	json_t *all = json_array();

	for (size_t i = 0; i < t->n_spans; i++) {
		const struct span *s = &t->spans[i];

		if (!is_loss(s->verdict) || of_a_fill(t, i))
			continue;
		json_t *o = json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:b,s:I,s:I,s:s}", "feature", s->track->feature, "slot", slot_name(s->track->slot), "release",
				      s->release, "verdict", verdict_name(s->verdict), "from", (json_int_t)s->from, "to", (json_int_t)s->to, "open",
				      s->open, "ms", (json_int_t)(s->to - s->from), "users_ms", (json_int_t)story_seen_ms(t, s), "how",
				      s->track->inferred ? "inferred" : "measured");
		if (o)
			json_array_append_new(all, o);
	}
	return all;
}

/* The first track of its feature. */
static bool first_of(const struct story *t, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(t->tracks[j].feature, t->tracks[i].feature) == 0)
			return false;
	return true;
}

static json_t *picture_json(const struct story *t)
{
	json_t *rows = json_array(), *served = json_array(), *marks = json_array();
	size_t order[MAX_TRACKS], n = 0;
	json_t *e;

	/* The two slots of a feature stand one under the other. */
	for (size_t i = 0; i < t->n_tracks; i++)
		for (int s = BLUE; s <= GREEN; s++)
			for (size_t k = 0; k < t->n_tracks && first_of(t, i); k++)
				if (strcmp(t->tracks[k].feature, t->tracks[i].feature) == 0 && t->tracks[k].slot == (enum slot)s)
					order[n++] = k;
	must(n == t->n_tracks);

	for (size_t at = 0; at < t->n_tracks; at++) {
		json_t *spans = json_array();
		size_t i = order[at];

		for (size_t k = 0; k < t->n_spans; k++)
			if (t->spans[k].track == &t->tracks[i] && t->spans[k].to > t->spans[k].from)
				json_array_append_new(spans, json_pack("{s:I,s:I,s:s,s:s}", "from", (json_int_t)t->spans[k].from, "to",
								       (json_int_t)t->spans[k].to, "verdict", verdict_name(t->spans[k].verdict), "release",
								       t->spans[k].release));
		json_array_append_new(rows, json_pack("{s:s,s:s,s:o}", "feature", t->tracks[i].feature, "slot", slot_name(t->tracks[i].slot), "spans", spans));
	}
	for (size_t i = 0; i < t->n_served; i++)
		json_array_append_new(served, json_pack("{s:I,s:I,s:s,s:s}", "from", (json_int_t)t->served[i].from, "to", (json_int_t)t->served[i].to, "slot",
							slot_name(t->served[i].slot), "how", t->served[i].measured ? "measured" : "inferred"));
	json_array_foreach(t->events, n, e)
		if (moves(e) || kind_is(e, "gate.refused") || kind_is(e, "deploy.started") || kind_is(e, "bake.done") || kind_is(e, "note"))
			json_array_append_new(marks, json_pack("{s:I,s:s,s:s}", "at", (json_int_t)num(e, "at"), "kind", json_text(e, "kind"), "text",
							       moves(e) ? side_slot(e, "to") : json_text(e, "release")));
	return json_pack("{s:o,s:o,s:o}", "rows", rows, "served", served, "marks", marks);
}

static json_t *evidence_json_of(const struct story *t)
{
	json_t *all = json_array(), *e, *ev;
	size_t i, n;

	json_array_foreach(t->events, i, e)
		json_array_foreach((json_t *)event_features(e), n, ev) {
			json_t *o = json_is_object(ev) ? json_copy(ev) : NULL;

			if (!o)
				continue;
			json_object_set(o, "event", json_object_get(e, "id"));
			json_object_set(o, "at", json_object_get(e, "at"));
			json_array_append_new(all, o);
		}
	return all;
}

/* Present on its slot for as long as that slot served: what these probes watched did not show the fault. */
static json_t *green_json(const struct story *t)
{
	json_t *all = json_array();

	for (size_t i = 0; i < t->n_tracks; i++) {
		const struct track *k = &t->tracks[i];
		bool first = first_of(t, i), green = true, served = false;

		for (size_t s = 0; s < t->n_spans && first; s++) {
			if (strcmp(t->spans[s].track->feature, k->feature) != 0 || story_seen_ms(t, &t->spans[s]) == 0)
				continue;
			served = true;
			green &= t->spans[s].verdict == V_PRESENT || t->spans[s].verdict == V_UNKNOWN;
		}
		if (first && served && green)
			json_array_append_new(all, json_string(k->feature));
	}
	return all;
}

static json_t *people_json(const struct story *t)
{
	json_t *all = json_object(), *list = json_array(), *e, *v;
	const char *who;
	size_t i;

	json_array_foreach(t->events, i, e) {
		const char *by = json_text(e, "by");

		if (!by[0] || strcmp(by, "switchd") == 0 || kind_is(e, "note"))
			continue;
		if (!json_object_get(all, by))
			json_object_set_new(all, by, json_array());
		json_array_append_new(json_object_get(all, by), json_pack("{s:I,s:s,s:s}", "at", (json_int_t)num(e, "at"), "kind", json_text(e, "kind"), "detail",
									  json_text(e, "detail")));
	}
	json_object_foreach(all, who, v)
		json_array_append_new(list, json_pack("{s:s,s:O}", "by", who, "did", v));
	json_decref(all);
	return list;
}

static json_t *of_kind(const struct story *t, const char *kind)
{
	json_t *all = json_array(), *e;
	size_t i;

	json_array_foreach(t->events, i, e)
		if (kind_is(e, kind))
			json_array_append_new(all, json_pack("{s:I,s:s,s:s,s:s}", "at", (json_int_t)num(e, "at"), "by", json_text(e, "by"), "because",
							     json_text(e, "because"), "text", json_text(e, "detail")));
	return all;
}

static json_t *missing_json(const struct story *t, const struct story_in *in)
{
	json_t *all = json_array();
	char a[WALL_TEXT], b[WALL_TEXT];

	if (in->have_from.ms > t->from)
		json_array_append_new(all, json_sprintf("events from %s to %s were trimmed: what happened then is not in this report",
							wall_text((wall_ms){ t->from }, a), wall_text(in->have_from, b)));
	if (in->store_away)
		json_array_append_new(all, json_string("the store is away: what others wrote to it is not in this report"));
	json_array_extend(all, (json_t *)in->missing);
	if (t->events_left_out)
		json_array_append_new(all, json_sprintf("%zu more events, the oldest of the span, were left out", t->events_left_out));
	if (t->spans_left_out)
		json_array_append_new(all, json_sprintf("%zu changes of verdicts were left out", t->spans_left_out));
	if (!t->n_tracks)
		json_array_append_new(all, json_string("no change of a verdict is on record in this span: minutes of outage cannot be told"));
	return all;
}

/* ---- the whole ---- */

static void take_events(struct story *t, const json_t *events)
{
	size_t i, n = json_array_size(events), first = 0, inside = 0;
	json_t *e;

	json_array_foreach((json_t *)events, i, e)
		inside += json_is_object(e) && num(e, "at") >= t->from && num(e, "at") <= t->to;
	t->events_left_out = inside > STORY_MAX_EVENTS ? inside - STORY_MAX_EVENTS : 0;
	t->events = json_array();
	for (i = 0; i < n; i++) {
		e = json_array_get(events, i);
		if (json_is_object(e) && num(e, "at") >= t->from && num(e, "at") <= t->to && first++ >= t->events_left_out)
			json_array_append(t->events, e);
	}
}

json_t *story_tell(const struct story_in *in)
{
	struct story *t = xcalloc(1, sizeof(*t));
	json_t *facts = json_array(), *report, *e;
	size_t i;

	t->from = in->from.ms;
	t->to = in->to.ms;
	take_events(t, in->events);
	read_served(t);
	read_changes(t, in->changes);
	read_losses(t);
	json_array_foreach(t->events, i, e)
		event_fact(facts, e);
	span_facts(t, facts);
	report = json_pack("{s:s,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "service", in->service, "from", (json_int_t)t->from, "to",
			   (json_int_t)t->to, "summary", story_summary(t), "facts", sorted(facts), "outages", outages_json(t), "evidence",
			   evidence_json_of(t), "cause", in->blame ? json_deep_copy(in->blame) : json_object(), "green", green_json(t), "people",
			   people_json(t), "notes", of_kind(t, "note"), "counterfactual", of_kind(t, "rollback.would"), "missing", missing_json(t, in),
			   "picture", picture_json(t));
	must(report != NULL);
	json_object_set_new(report, "complete", json_boolean(json_array_size(json_object_get(report, "missing")) == 0));
	json_object_set(report, "events", t->events);
	json_decref(t->events);
	free(t);
	return report;
}

json_t *story_lost(const json_t *events, wall_ms from, wall_ms to)
{
	json_t *names = json_object(), *list = json_array(), *e, *ev, *v;
	const char *name;
	size_t i, n;

	json_array_foreach((json_t *)events, i, e)
		json_array_foreach((json_t *)event_features(e), n, ev)
			if (num(e, "at") >= from.ms && num(e, "at") <= to.ms && json_text(ev, "feature")[0])
				json_object_set_new(names, json_text(ev, "feature"), json_true());
	json_object_foreach(names, name, v)
		json_array_append_new(list, json_string(name));
	json_decref(names);
	return list;
}
