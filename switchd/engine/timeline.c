/* SPDX-License-Identifier: MIT
 * timeline.c - the events of a service: from the stream, from the archive what the stream trimmed, from memory while the store is
 * away.
 *
 * The stream is asked first, with its oldest entry: it says whether anything that was asked for was trimmed.  Only then is
 * the archive read (off the loop).  What neither has makes the answer incomplete. */
#include <stdlib.h>
#include <string.h>

#include "switchd/engine/service.h"
#include "switchd/store/archive.h"

struct timeline {
	TAILQ_ENTRY(timeline) link;
	struct engine *e;
	name_text service;
	char after[44];
	wall_ms since;
	size_t max;
	char oldest[44]; wall_ms oldest_at;     /* of the whole stream; "" = it is empty, or could not be asked */
	json_t *events;
	engine_events_fn *done;
	void *arg;
};

static bool id_read(const char *id, struct version *out)
{
	const char *dash = id ? strchr(id, '-') : NULL;
	char gen[24];

	return dash && text_copy_n(gen, sizeof(gen), id, (size_t)(dash - id)) && text_u64(gen, &out->gen) && text_u64(dash + 1, &out->epoch);
}

/* Ids of the stream; one that is none stands before all. */
static int id_cmp(const char *a, const char *b)
{
	struct version x = { 0, 0 }, y = { 0, 0 };

	if (!id_read(a, &x))
		x = (struct version){ 0, 0 };
	if (!id_read(b, &y))
		y = (struct version){ 0, 0 };
	return version_cmp(x, y);
}

static const char *id_of(const json_t *event)
{
	const char *id = json_string_value(json_object_get(event, "id"));

	return id ? id : "";
}

static wall_ms at_of(const json_t *event) { return (wall_ms){ json_integer_value(json_object_get(event, "at")) }; }

static void end(struct timeline *t, bool complete)
{
	json_t *kept = json_array(), *e, *o;
	size_t n, i;

	json_array_foreach(t->events, i, e)
		if (at_of(e).ms >= t->since.ms)
			json_array_append(kept, e);
	n = json_array_size(kept);
	/* The first ones after an id, else the newest. */
	for (i = n; i-- > t->max && t->after[0];)
		json_array_remove(kept, i);
	for (i = n; i-- > t->max && !t->after[0];)
		json_array_remove(kept, 0);
	o = json_pack("{s:s,s:b,s:o}", "service", t->service, "complete", complete, "events", kept);
	TAILQ_REMOVE(&t->e->timelines, t, link);
	t->done(t->arg, o);
	json_decref(o);
	json_decref(t->events);
	free(t);
}

/* An event of the archive that the stream does not have any more. */
static bool is_trimmed(const struct timeline *t, const json_t *line)
{
	const char *of = json_string_value(json_object_get(line, "service"));

	return archive_event_id(id_of(line)) && of && strcmp(of, t->service) == 0 && (!t->oldest[0] || id_cmp(id_of(line), t->oldest) < 0) &&
	       (!t->after[0] || id_cmp(id_of(line), t->after) > 0);
}

static bool of_span(const struct timeline *t, const json_t *event)
{
	return (!t->after[0] || id_cmp(id_of(event), t->after) > 0) && at_of(event).ms >= t->since.ms;
}

/* The archive, of all services, begins early enough for what was asked. */
static bool reaches(const struct timeline *t, const json_t *first, size_t n)
{
	struct version v, after;

	if (!first || !id_read(id_of(first), &v))
		return false;
	if (v.epoch == 1 || (t->since.ms && at_of(first).ms <= t->since.ms) || (!t->after[0] && n >= t->max))
		return true;
	return t->after[0] && id_read(t->after, &after) && (id_cmp(id_of(first), t->after) <= 0 || (v.gen == after.gen && v.epoch == after.epoch + 1));
}

static void lines_got(void *arg, bool whole, const char *json)
{
	struct timeline *t = arg;
	json_t *lines = json ? json_loads(json, 0, NULL) : NULL, *all = json_array(), *line, *first = NULL;
	bool complete = whole && lines, hole = false;
	size_t i;

	json_array_foreach(lines, i, line) {
		const char *kind = json_string_value(json_object_get(line, "kind"));

		/* Before the event that follows some are missing here as well. */
		if (kind && strcmp(kind, "archive.gap") == 0)
			hole = true;
		if (!archive_event_id(id_of(line)))
			continue;
		complete = complete && !(hole && of_span(t, line));
		hole = false;
		if (!first)
			first = line;
		if (is_trimmed(t, line))
			json_array_append(all, line);
	}
	json_array_extend(all, t->events);
	json_decref(t->events);
	t->events = all;
	complete = complete && reaches(t, first, json_array_size(all));
	json_decref(lines);
	end(t, complete);
}

/* The stream had more than it has, and that is asked for. */
static bool was_trimmed(const struct timeline *t)
{
	struct version oldest, after;

	if (!id_read(t->oldest, &oldest))
		return t->after[0] != '\0' || t->since.ms;
	if (t->after[0])
		return id_read(t->after, &after) && version_cmp(oldest, after) > 0 && (oldest.gen != after.gen || oldest.epoch > after.epoch + 1);
	if (t->since.ms)
		return t->oldest_at.ms > t->since.ms && json_array_size(t->events) < t->max;
	return oldest.epoch > 1 && json_array_size(t->events) < t->max;
}

static void events_got(void *arg, bool ok, const char *json)
{
	struct timeline *t = arg;

	t->events = ok && json ? json_loads(json, 0, NULL) : NULL;
	if (!t->events) {
		t->events = publish_kept(t->e, t->service, t->after, t->max);
		end(t, false);
		return;
	}
	if (!was_trimmed(t)) {
		end(t, true);
		return;
	}
	if (!t->e->archive) {
		end(t, false);
		return;
	}
	archive_read(t->e->archive, &(struct archive_query){ .service = "", .max = ARCHIVE_QUERY,
							      .until = { t->oldest_at.ms ? t->oldest_at.ms + 1 : 0 } }, lines_got, t);
}

static void oldest_got(void *arg, bool ok, const char *json)
{
	struct timeline *t = arg;
	json_t *list = ok && json ? json_loads(json, 0, NULL) : NULL, *first = json_array_get(list, 0);

	if (first) {
		TEXT_COPY(t->oldest, id_of(first));
		t->oldest_at = at_of(first);
	}
	json_decref(list);
	if (ok)
		store_events(t->e->store, t->service, t->after, t->max, events_got, t);
	else
		events_got(t, false, NULL);
}

void engine_timeline(struct engine *e, const char *service, const char *after_id, wall_ms since, size_t max, engine_events_fn *done, void *arg)
{
	struct timeline *t = xcalloc(1, sizeof(*t));

	*t = (struct timeline){ .e = e, .since = since, .max = max, .done = done, .arg = arg };
	TEXT_COPY(t->service, service);
	TEXT_COPY(t->after, after_id);
	TAILQ_INSERT_TAIL(&e->timelines, t, link);
	if (store_is_up(e->store))
		store_events(e->store, "", "0-0", 1, oldest_got, t);
	else
		events_got(t, false, NULL);
}

/* Store and archive are closed: nothing more comes for those that still waited. */
void timeline_cancel_all(struct engine *e)
{
	struct timeline *t;

	while ((t = TAILQ_FIRST(&e->timelines))) {
		if (!t->events)
			t->events = json_array();
		end(t, false);
	}
}
