/* SPDX-License-Identifier: MIT
 * story_gather.c - several memories of one time become one. */
#include "switchd/core/story/story_gather.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/story/story_parts.h"

/* Lines of the archive that are no events. */
static bool is_event(const json_t *o)
{
	static const char *const others[] = { "ledger.", "archive.", "feature.changed", "recheck" };
	const char *kind = json_text(o, "kind");

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (text_starts(kind, others[i]))
			return false;
	return kind[0] && num(o, "at") > 0;
}

struct sorted { json_t *o; size_t place; };

static int by_time(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int64_t d = num(x->o, "at") - num(y->o, "at");

	return d ? (d < 0 ? -1 : 1) : (x->place > y->place) - (x->place < y->place);
}

/* Oldest first; of one moment in the order in which they were given. */
static json_t *in_order(json_t *taken)
{
	size_t n = json_array_size(taken);
	struct sorted *list = xcalloc(n + 1, sizeof(*list));
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++)
		list[i] = (struct sorted){ json_array_get(taken, i), i };
	qsort(list, n, sizeof(*list), by_time);
	for (size_t i = 0; i < n; i++)
		json_array_append(out, list[i].o);
	free(list);
	json_decref(taken);
	return out;
}

/* What was said while the store was away has another id once the store has it: the same words at the same moment are one event. */
static void add_event(json_t *all, json_t *seen, json_t *e)
{
	char key[1200];

	(void)TEXT_FORMAT(key, "%" PRId64 "|%s|%s|%s|%s", num(e, "at"), json_text(e, "kind"), json_text(e, "by"), json_text(e, "because"), json_text(e, "detail"));
	if (json_object_get(seen, key))
		return;
	json_object_set_new(seen, key, json_true());
	json_array_append(all, e);
}

json_t *story_events(const struct story_source *s)
{
	const json_t *sources[] = { s->before, s->lines, s->events };
	json_t *all = json_array(), *seen = json_object(), *e;
	size_t i;

	for (size_t k = 0; k < ARRAY_LEN(sources); k++)
		json_array_foreach((json_t *)sources[k], i, e)
			if (json_is_object(e) && is_event(e) && (!json_text(e, "service")[0] || strcmp(json_text(e, "service"), s->service) == 0))
				add_event(all, seen, e);
	json_decref(seen);
	return in_order(all);
}

static json_t *changes_of(const struct story_source *s)
{
	const json_t *sources[] = { s->before, s->lines, s->changes };
	json_t *all = json_array(), *seen = json_object(), *c;
	char key[400];
	size_t i;

	for (size_t k = 0; k < ARRAY_LEN(sources); k++)
		json_array_foreach((json_t *)sources[k], i, c) {
			if (!json_is_object(c) || !kind_is(c, "feature.changed"))
				continue;
			(void)TEXT_FORMAT(key, "%" PRId64 "|%s|%s|%s", num(c, "at"), json_text(c, "slot"), json_text(c, "feature"), json_text(c, "verdict"));
			if (json_object_get(seen, key))
				continue;
			json_object_set_new(seen, key, json_true());
			json_array_append(all, c);
		}
	json_decref(seen);
	return in_order(all);
}

/* ---- what is missing ---- */

/* A service begins with service.started; older than the oldest that is there was trimmed, unless that is it. */
static wall_ms have_from(const struct story_source *s, const json_t *events)
{
	const json_t *oldest = json_array_get(events, 0);
	bool older = false;
	json_t *line;
	size_t i;

	json_array_foreach((json_t *)s->before, i, line)
		older |= num(line, "at") > 0 && num(line, "at") < s->from.ms && !kind_is(line, "archive.gap");
	if (older || (oldest && (num(oldest, "at") < s->from.ms || kind_is(oldest, "service.started"))))
		return (wall_ms){ 0 };
	return (wall_ms){ oldest ? num(oldest, "at") : s->to.ms };
}

static int64_t at_of(const json_t *events, const char *id, int64_t none)
{
	json_t *e;
	size_t i;

	json_array_foreach((json_t *)events, i, e)
		if (id[0] && strcmp(json_text(e, "id"), id) == 0)
			return num(e, "at");
	return none;
}

/* Numbers left out between two ids of the stream, where they may have been of this span. */
static void gaps(const struct story_source *s, const json_t *events, json_t *out)
{
	const json_t *sources[] = { s->before, s->lines };
	char a[WALL_TEXT], b[WALL_TEXT], key[120];
	json_t *g, *seen = json_object();
	size_t i;

	for (size_t k = 0; k < ARRAY_LEN(sources); k++)
		json_array_foreach((json_t *)sources[k], i, g) {
			int64_t from, to;

			(void)TEXT_FORMAT(key, "%s %s", json_text(g, "after"), json_text(g, "before"));
			if (!kind_is(g, "archive.gap") || json_object_get(seen, key))
				continue;
			json_object_set_new(seen, key, json_true());
			from = at_of(events, json_text(g, "after"), 0);
			to = at_of(events, json_text(g, "before"), num(g, "at"));
			if (to < s->from.ms || from > s->to.ms)
				continue;
			json_array_append_new(out, json_sprintf("%" PRId64 " events, of this and other services, between %s and %s were trimmed before they were archived",
								num(g, "missing"), from ? wall_text((wall_ms){ from }, a) : "the beginning",
								wall_text((wall_ms){ to }, b)));
		}
	json_decref(seen);
}

static void uncounted(const struct story_source *s, const json_t *events, json_t *out)
{
	json_t *e;
	size_t i;

	json_array_foreach((json_t *)events, i, e)
		if (kind_is(e, "requests.counted") && num(e, "at") >= s->from.ms && num(e, "at") <= s->to.ms &&
		    !json_is_object(json_object_get(json_object_get(e, "evidence"), "requests")))
			json_array_append_new(out, json_sprintf("how many requests were wrong: %s", json_text(e, "detail")));
}

json_t *story_of(const struct story_source *s, const json_t *events, const json_t *causes)
{
	json_t *changes = changes_of(s), *missing = json_array(), *report;

	gaps(s, events, missing);
	uncounted(s, events, missing);
	if (s->cut)
		json_array_append_new(missing, json_string("the archive could not be read whole: more may be on its disk"));
	struct story_in in = { .service = s->service, .from = s->from, .to = s->to, .events = events, .changes = changes, .blame = causes,
			       .have_from = have_from(s, events), .store_away = s->store_away, .missing = missing };

	report = story_tell(&in);
	json_decref(changes);
	json_decref(missing);
	return report;
}

/* ---- the span of a deploy ---- */

bool story_deploy_span(const json_t *events, uint64_t id, wall_ms now, wall_ms *from, wall_ms *to, bool *open)
{
	static const char *const ends[] = { "rollback.done", "bake.done", "deploy.aborted", "deploy.expired", "deploy.would_flip", "gate.refused" };
	int64_t first = 0, end = 0;
	json_t *e;
	size_t i;

	json_array_foreach((json_t *)events, i, e) {
		if (num(e, "deploy") != (int64_t)id || end)
			continue;
		/* What came before its start is of the claim that it was made from, or of the one before it. */
		if (kind_is(e, "deploy.started"))
			first = num(e, "at");
		for (size_t k = 0; first && k < ARRAY_LEN(ends); k++)
			if (kind_is(e, ends[k]))
				end = num(e, "at");
		/* Its proxies are counted a moment after the traffic came to rest. */
	}
	if (!first)
		return false;
	json_array_foreach((json_t *)events, i, e)
		if (end && kind_is(e, "requests.counted") && num(e, "at") > end && num(e, "at") < end + 10000)
			end = num(e, "at");
	*open = !end;
	from->ms = first - STORY_PAD_MS;
	to->ms = end && end + STORY_PAD_MS < now.ms ? end + STORY_PAD_MS : now.ms;
	return true;
}

/* ---- blame as a cause ---- */

static json_t *value_text(const json_t *v)
{
	char *text = json_is_string(v) ? NULL : v && !json_is_null(v) ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	json_t *s = json_string(json_is_string(v) ? json_string_value(v) : text ? text : "(not told)");

	free(text);
	return s;
}

static void side_text(const json_t *side, const char *when_key, const char *word, char *out, size_t size)
{
	const json_t *live = json_object_get(side, "first_live");
	char a[WALL_TEXT], b[WALL_TEXT];
	int64_t at = num(side, when_key), since = num(live, "from");

	text_format(out, size, "%s (%s)%s%s%s%s%s%s", json_text(side, "release"), json_text(side, "slot"), since ? ", live from " : "",
		    since ? wall_text((wall_ms){ since }, a) : "", since ? " by " : "", since ? json_text(live, "by") : "", at ? word : "",
		    at ? wall_text((wall_ms){ at }, b) : "");
}

json_t *story_cause(const json_t *blame)
{
	const json_t *good = json_object_get(blame, "good"), *bad = json_object_get(blame, "bad"), *line;
	char lacks[400], had[400], text[1000];
	json_t *changed;
	size_t i;

	if (!json_is_object(bad))
		return NULL;
	side_text(bad, "first_absent", ", first absent ", lacks, sizeof(lacks));
	if (json_is_object(good)) {
		side_text(good, "last_present", ", last present ", had, sizeof(had));
		text_format(text, sizeof(text), "the last release that had it: %s; the first that had not: %s", had, lacks);
	} else {
		text_format(text, sizeof(text), "%s lacks it; no release on record had it", lacks);
	}
	changed = json_array();
	json_array_foreach(json_object_get(blame, "changed"), i, line)
		json_array_append_new(changed, json_pack("{s:s,s:o,s:o}", "field", json_text(line, "field"), "from", value_text(json_object_get(line, "good")), "to",
							 value_text(json_object_get(line, "bad"))));
	return json_pack("{s:s,s:o,s:s}", "text", text, "changed", changed, "manifests", json_text(blame, "manifests"));
}
