/* SPDX-License-Identifier: MIT
 * story_summary.c - the head of a post-mortem: what it was, how soon it was seen, how soon it was over, whom it met. */
#include <string.h>

#include "switchd/core/story_parts.h"

static const char *slot_in(const json_t *e, const char *side) { return str(json_object_get(e, side), "slot"); }

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

static void lost_names(const struct story *t, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < t->n_spans; i++) {
		const struct span *s = &t->spans[i];
		bool known = false;

		if ((s->verdict != V_ABSENT && s->verdict != V_PARTIAL) || story_seen_ms(t, s) == 0)
			continue;
		for (size_t k = 0; k < i && !known; k++)
			known = strcmp(t->spans[k].track->feature, s->track->feature) == 0 && t->spans[k].verdict == s->verdict &&
				story_seen_ms(t, &t->spans[k]) > 0;
		if (known)
			continue;
		text_format(out + len, size - len, "%s%s", len ? ", " : "", s->track->feature);
		len = strlen(out);
	}
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
		text_format(out, size, "%s gone from %s%s%s: traffic went back to %s", names, slot_name(met->track->slot), met->release[0] ? " " : "",
			    met->release, slot_in(back, "to"));
	else if (met)
		text_format(out, size, "%s gone from %s%s%s while it served%s", names, slot_name(met->track->slot), met->release[0] ? " " : "", met->release,
			    open ? ", and still is" : "");
	else if (back)
		text_format(out, size, "traffic went back to %s: %s", slot_in(back, "to"), str(back, "because"));
	else if (refused)
		text_format(out, size, "%s refused, traffic never moved: %s", str(refused, "release"), str(refused, "because"));
	else
		text_format(out, size, "no feature was missing for users");
}

json_t *story_summary(const struct story *t)
{
	static const char *const decided[] = { "rollback.decided" }, *const done[] = { "rollback.done" };
	static const char *const noticed[] = { "rollback.decided", "feature.lost", "feature.partial", "rollback.would" };
	const struct span *met = first_seen(t);
	int64_t bad = met ? met_at(t, met) : 0;
	const json_t *back = first_after(t, bad ? bad : t->from, decided, 1);
	const json_t *detected = met ? first_after(t, met->from, noticed, ARRAY_LEN(noticed)) : NULL;
	const json_t *seen = back ? first_after(t, num(back, "at"), done, 1) : NULL;
	char text[700];
	bool open;
	int64_t over = over_at(t, &open);

	headline(t, met, back, open, text, sizeof(text));
	json_t *o = json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:b,s:o}", "headline", text, "first_bad", bad ? json_integer(bad) : json_null(), "detect_ms",
			      detected ? span_ms(bad, num(detected, "at") < bad ? bad : num(detected, "at")) : json_null(), "recover_ms",
			      seen ? span_ms(bad, num(seen, "at")) : json_null(), "over", over ? json_integer(over) : json_null(), "users_ms",
			      span_ms(bad, over), "open", open, "requests", requests_json(t));
	must(o != NULL);
	json_object_set_new(o, "rolled_back", json_boolean(back != NULL));
	json_object_set_new(o, "by", back ? json_string(str(back, "by")) : json_null());
	return o;
}
