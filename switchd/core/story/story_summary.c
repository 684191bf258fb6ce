/* SPDX-License-Identifier: MIT
 * story_summary.c - the head of a post-mortem: what it was, how soon it was seen, how soon it was over, whom it met. */
#include <string.h>

#include "switchd/core/story/story_parts.h"

static const char *slot_in(const json_t *e, const char *side) { return json_text(json_object_get(e, side), "slot"); }

/* The first span in which users met an absent feature. */
static const struct span *first_seen(const struct story *t)
{
	const struct span *best = NULL;

	for (size_t i = 0; i < t->n_spans; i++)
		if ((t->spans[i].verdict == V_ABSENT || t->spans[i].verdict == V_PARTIAL) && story_seen_ms(t, &t->spans[i]) > 0 &&
		    (!best || t->spans[i].from < best->from))
			best = &t->spans[i];
	return best;
}

/* When users first met it: the slot may have been bad before it served. */
static int64_t met_at(const struct story *t, const struct span *s)
{
	for (size_t i = 0; i < t->n_served; i++)
		if (t->served[i].slot == s->track->slot && t->served[i].to > s->from)
			return t->served[i].from > s->from ? t->served[i].from : s->from;
	return s->from;
}

/* When traffic had left the slot on which users met it; 0 = it never did. */
static int64_t left_at(const struct story *t, const struct span *met)
{
	for (size_t i = 0; met && i + 1 < t->n_served; i++)
		if (t->served[i].slot == met->track->slot && t->served[i].to > met->from)
			return t->served[i].to;
	return 0;
}

static const json_t *first_after(const struct story *t, int64_t at, const char *const *kinds, size_t n)
{
	json_t *e;
	size_t i;

	json_array_foreach(t->events, i, e)
		for (size_t k = 0; k < n; k++)
			if (num(e, "at") >= at && kind_is(e, kinds[k]))
				return e;
	return NULL;
}

/* The end of what users met: the last moment at which a slot that served lacked something. */
static int64_t over_at(const struct story *t, bool *open)
{
	int64_t last = 0;

	*open = false;
	for (size_t i = 0; i < t->n_spans; i++) {
		const struct span *s = &t->spans[i];

		if (s->verdict != V_ABSENT && s->verdict != V_PARTIAL)
			continue;
		for (size_t k = 0; k < t->n_served; k++) {
			int64_t to = s->to < t->served[k].to ? s->to : t->served[k].to;

			if (t->served[k].slot == s->track->slot && to > s->from && to > t->served[k].from && to > last) {
				last = to;
				*open = s->open && to == t->to;
			}
		}
	}
	return last;
}

static bool users_met(const struct story *t, const struct span *s)
{
	return (s->verdict == V_ABSENT || s->verdict == V_PARTIAL) && story_seen_ms(t, s) > 0;
}

/* One feature of a slot is named once, where it was first met. */
static bool named(const struct story *t, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (t->spans[k].track == t->spans[i].track && users_met(t, &t->spans[k]))
			return true;
	return false;
}

static bool together(const struct span *a, const struct span *b) { return a->track->slot == b->track->slot && strcmp(a->release, b->release) == 0; }

/* "expenses gone from green r1; quotes, mail gone from green r2" */
static void lost_names(const struct story *t, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < t->n_spans; i++) {
		const struct span *first = &t->spans[i];
		bool told = !users_met(t, first) || named(t, i);

		for (size_t k = 0; k < i && !told; k++)
			told = users_met(t, &t->spans[k]) && !named(t, k) && together(&t->spans[k], first);
		if (told)
			continue;
		for (size_t k = i; k < t->n_spans; k++) {
			if (!users_met(t, &t->spans[k]) || named(t, k) || !together(&t->spans[k], first))
				continue;
			text_format(out + len, size - len, "%s%s", k > i ? ", " : len ? "; " : "", t->spans[k].track->feature);
			len = strlen(out);
		}
		text_format(out + len, size - len, " gone from %s%s%s", slot_name(first->track->slot), first->release[0] ? " " : "", first->release);
		len = strlen(out);
	}
}

/* How long users met something absent, each moment counted once however much was absent. */
static int64_t users_ms(const struct story *t)
{
	int64_t ms = 0, at = t->from;

	while (at < t->to) {
		int64_t until = t->to, next = t->to;    /* until: users meet it now, for so long at least; next: when they do */
		bool now = false;

		for (size_t i = 0; i < t->n_spans; i++)
			for (size_t k = 0; k < t->n_served && users_met(t, &t->spans[i]); k++) {
				int64_t from = t->spans[i].from > t->served[k].from ? t->spans[i].from : t->served[k].from;
				int64_t to = t->spans[i].to < t->served[k].to ? t->spans[i].to : t->served[k].to;

				if (t->served[k].slot != t->spans[i].track->slot || to <= from || to <= at)
					continue;
				if (from <= at && (!now || to > until)) {
					now = true;
					until = to;
				} else if (from > at && from < next) {
					next = from;
				}
			}
		if (now)
			ms += until - at;
		at = now ? until : next;
	}
	return ms;
}

static json_t *span_ms(int64_t from, int64_t to) { return from && to >= from ? json_integer(to - from) : json_null(); }

/* Of the proxies' own counters, kept with the moves. */
static json_t *requests_json(const struct story *t)
{
	json_t *e, *sum = NULL, *v;
	const char *name;
	size_t i;

	json_array_foreach(t->events, i, e)
		json_object_foreach(json_object_get(json_object_get(e, "evidence"), "requests"), name, v) {
			if (!json_is_integer(v))
				continue;
			sum = sum ? sum : json_object();
			json_object_set_new(sum, name, json_integer(num(sum, name) + json_integer_value(v)));
		}
	return sum ? sum : json_null();
}

static void headline(const struct story *t, const struct span *met, const json_t *back, bool open, char *out, size_t size)
{
	static const char *const refusals[] = { "gate.refused" };
	const json_t *refused = first_after(t, t->from, refusals, ARRAY_LEN(refusals));
	char names[400];

	lost_names(t, names, sizeof(names));
	if (met && back)
		text_format(out, size, "%s: traffic went back to %s", names, slot_in(back, "to"));
	else if (met)
		text_format(out, size, "%s while it served%s", names, open ? ", and still is" : "");
	else if (back)
		text_format(out, size, "traffic went back to %s: %s", slot_in(back, "to"), json_text(back, "because"));
	else if (refused)
		text_format(out, size, "%s refused, traffic never moved: %s", json_text(refused, "release"), json_text(refused, "because"));
	else
		text_format(out, size, "no feature was missing for users");
}

json_t *story_summary(const struct story *t)
{
	static const char *const decided[] = { "rollback.decided" }, *const done[] = { "rollback.done" };
	static const char *const noticed[] = { "rollback.decided", "feature.lost", "feature.partial", "rollback.would", "feature.new", "late.broken" };
	const struct span *met = first_seen(t);
	int64_t bad = met ? met_at(t, met) : 0;
	const json_t *back = first_after(t, bad ? bad : t->from, decided, 1);
	const json_t *detected = met ? first_after(t, met->from, noticed, ARRAY_LEN(noticed)) : NULL;
	const json_t *seen = back ? first_after(t, num(back, "at"), done, 1) : NULL;
	int64_t left = left_at(t, met);
	char text[700];
	bool open;
	int64_t over = over_at(t, &open);

	headline(t, met, back, open, text, sizeof(text));
	json_t *o = json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:b,s:o}", "headline", text, "first_bad", bad ? json_integer(bad) : json_null(), "detect_ms",
			      detected ? span_ms(bad, num(detected, "at") < bad ? bad : num(detected, "at")) : json_null(), "recover_ms",
			      left || seen ? span_ms(bad, left && (!seen || left < num(seen, "at")) ? left : num(seen, "at")) : json_null(), "over", over ? json_integer(over) : json_null(), "users_ms",
			      bad ? json_integer(users_ms(t)) : json_null(), "open", open, "requests", requests_json(t));
	must(o != NULL);
	json_object_set_new(o, "rolled_back", json_boolean(back != NULL));
	json_object_set_new(o, "by", back ? json_string(json_text(back, "by")) : json_null());
	return o;
}
