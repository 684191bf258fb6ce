/* SPDX-License-Identifier: MIT
 * story.c - gathers what a post-mortem is made of: the stream, the archive, memory, the ledger; one after another. */
#include <stdlib.h>
#include <string.h>

#include "switchd/core/story/story_gather.h"
#include "switchd/engine/service.h"

enum {
	STREAM_EVENTS = 1000,
	SETTLE_MS = 60000,              /* traffic comes to rest this long after a deploy ended, at most */
};

struct telling {
	TAILQ_ENTRY(telling) link;
	struct engine *e;
	name_text service;
	uint64_t deploy;
	bool open;
	struct story_source src;
	json_t *before, *lines, *events;
	engine_events_fn *done;
	void *arg;
};

static void end(struct telling *t, json_t *taken)
{
	TAILQ_REMOVE(&t->e->tellings, t, link);
	t->done(t->arg, taken);
	json_decref(taken);
	json_decref(t->before);
	json_decref(t->lines);
	json_decref(t->events);
	free(t);
}

static void fail(struct telling *t, const char *error) { end(t, json_pack("{s:s}", "error", error)); }

static json_t *causes(const struct telling *t, const json_t *events)
{
	json_t *all = json_object(), *names = story_lost(events, t->src.from, t->src.to), *name;
	size_t i;

	json_array_foreach(names, i, name) {
		json_t *blame = engine_blame(t->e, t->service, json_string_value(name)), *cause = blame ? story_cause(blame) : NULL;

		if (cause)
			json_object_set_new(all, json_string_value(name), cause);
		json_decref(blame);
	}
	json_decref(names);
	return all;
}

static void tell(struct telling *t)
{
	struct service *s = engine_find(t->e, t->service);
	json_t *changes, *events, *cause, *report;

	if (!s) {
		fail(t, "the service is gone");
		return;
	}
	changes = changes_json(s);
	t->src.before = t->before;
	t->src.lines = t->lines;
	t->src.events = t->events;
	t->src.changes = changes;
	events = story_events(&t->src);
	cause = causes(t, events);
	report = story_of(&t->src, events, cause);
	if (t->deploy) {
		json_object_set_new(report, "deploy", json_integer((json_int_t)t->deploy));
		json_object_set_new(report, "running", json_boolean(t->open));
	}
	json_decref(changes);
	json_decref(events);
	json_decref(cause);
	end(t, report);
}

static void before_got(void *arg, bool complete, const char *json)
{
	struct telling *t = arg;

	t->src.cut |= !complete;
	t->before = json ? json_loads(json, 0, NULL) : NULL;
	tell(t);
}

static void lines_got(void *arg, bool complete, const char *json)
{
	struct telling *t = arg;
	struct archive_query q = { .service = t->service, .max = STORY_BEFORE };

	t->lines = json ? json_loads(json, 0, NULL) : NULL;
	t->src.cut |= !complete || json_array_size(t->lines) == ARCHIVE_QUERY;
	if (t->deploy) {
		t->src.lines = t->lines;
		t->src.events = t->events;
		json_t *events = story_events(&t->src);
		bool found = story_deploy_span(events, t->deploy, t->src.now, &t->src.from, &t->src.to, &t->open);

		json_decref(events);
		if (!found) {
			fail(t, "no deploy");
			return;
		}
	}
	q.until = t->src.from;
	if (!t->e->archive || q.until.ms <= 0)
		before_got(t, t->e->archive != NULL, NULL);
	else
		archive_read(t->e->archive, &q, before_got, t);
}

/* Where to look for a deploy: what is remembered of it says when it was; else everywhere. */
static void look_for(const struct telling *t, struct archive_query *q)
{
	const struct service *s = engine_find(t->e, t->service);

	for (size_t i = 0; s && i < s->n_deploys; i++)
		if (s->deploys[i].id == t->deploy) {
			q->from.ms = s->deploys[i].since.ms - STORY_PAD_MS;
			q->until.ms = s->deploys[i].ended.ms ? s->deploys[i].ended.ms + SETTLE_MS : 0;
		}
}

static void events_got(void *arg, bool ok, const char *json)
{
	struct telling *t = arg;
	struct archive_query q = { .service = t->service, .from = t->src.from, .max = ARCHIVE_QUERY };
	json_t *kept = publish_kept(t->e, t->service, "", MAX_EVENTS_KEPT);

	t->events = ok && json ? json_loads(json, 0, NULL) : NULL;
	t->src.store_away = !t->events;
	if (!t->events)
		t->events = json_array();
	json_array_extend(t->events, kept); /* what no commit told: a front that went down */
	json_decref(kept);
	if (t->src.to.ms)
		q.until.ms = t->src.to.ms + 1;
	if (t->deploy)
		look_for(t, &q);
	if (!t->e->archive)
		lines_got(t, false, NULL);
	else
		archive_read(t->e->archive, &q, lines_got, t);
}

void engine_postmortem(struct engine *e, const char *service, uint64_t deploy, wall_ms from, wall_ms to, engine_events_fn *done, void *arg)
{
	struct telling *t = xcalloc(1, sizeof(*t));
	struct service *s = engine_find(e, service);

	t->e = e;
	TEXT_COPY(t->service, service);
	t->deploy = deploy;
	t->src = (struct story_source){ .service = t->service, .from = from, .to = to, .now = wall_now() };
	if (!t->src.to.ms || t->src.to.ms > t->src.now.ms)
		t->src.to = t->src.now;
	t->done = done;
	t->arg = arg;
	TAILQ_INSERT_TAIL(&e->tellings, t, link);
	if (s)
		changes_look(s);
	if (store_is_up(e->store))
		store_events(e->store, service, "", STREAM_EVENTS, events_got, t);
	else
		events_got(t, false, NULL);
}

/* Store and archive are closed: nothing more comes for those that still waited. */
void story_cancel_all(struct engine *e)
{
	while (!TAILQ_EMPTY(&e->tellings))
		fail(TAILQ_FIRST(&e->tellings), "switchd ends");
}
