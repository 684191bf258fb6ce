/* SPDX-License-Identifier: MIT
 * report.c - a span of a service in numbers: the archive, what of the time was watched, and what single probes said.
 *
 * What was watched is remembered beside the record (b:S:watched): times without a break, the last of which is written anew
 * once a minute while it grows.  A service is watched while it has its record, is measured, and the prober trusts itself. */
#include <stdlib.h>
#include <string.h>

#include "switchd/core/story/report.h"
#include "switchd/engine/service.h"

/* LINES: more would keep the loop busy for too long (I10); then the oldest are left out, and it is said. */
enum { WATCH_SAVE_MS = 60 * 1000, WEEK_MS = 7 * 24 * 3600 * 1000, LINES = 5000 };

/* ---- what was watched ---- */

static json_t *watched_json(const struct service *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_watched; i++)
		json_array_append_new(list, json_pack("[I,I,s]", (json_int_t)s->watched[i].from.ms, (json_int_t)s->watched[i].to.ms, s->watched[i].why));
	return list;
}

static void watched_save(struct service *s)
{
	json_t *list = watched_json(s);
	char *text = json_dumps(list, JSON_COMPACT);

	json_decref(list);
	if (text && s->watched_loaded && store_is_up(s->e->store))
		store_put(s->e->store, s->cfg->name, "watched", text);
	free(text);
	s->next_watched = mono_plus_ms(mono_now(), WATCH_SAVE_MS);
}

/* Untrusted: what is out of order or in the future is left out. */
static void watched_read(struct service *s, const char *text)
{
	json_t *list = json_loads(text, 0, NULL), *w;
	struct watched mine[MAX_WATCHED];
	size_t i, n = 0, kept = s->n_watched;
	int64_t least = 0, most = kept ? s->watched[0].from.ms : wall_now().ms;

	memcpy(mine, s->watched, kept * sizeof(mine[0]));
	s->n_watched = 0;
	json_array_foreach(list, i, w) {
		int64_t from = json_integer_value(json_array_get(w, 0)), to = json_integer_value(json_array_get(w, 1));
		const char *why = json_string_value(json_array_get(w, 2));

		if (from < least || to < from || to > most || n == MAX_WATCHED - 1)
			continue;
		s->watched[n] = (struct watched){ { from }, { to }, "" };
		if (!why || !text_copy(s->watched[n].why, sizeof(s->watched[n].why), why))
			TEXT_COPY(s->watched[n].why, "not known");
		least = to;
		n++;
	}
	json_decref(list);
	s->n_watched = n;
	for (i = 0; i < kept && s->n_watched < MAX_WATCHED; i++)
		s->watched[s->n_watched++] = mine[i];
}

struct watched_ask { struct engine *e; name_text service; };

static void watched_got(void *arg, bool ok, const char *value)
{
	struct watched_ask *a = arg;
	struct service *s = engine_find(a->e, a->service);

	free(a);
	if (!s || s->watched_loaded)
		return;
	s->watched_asked = false;
	if (!ok)
		return;
	if (value[0])
		watched_read(s, value);
	s->watched_loaded = true;
	watched_save(s);
}

static void watched_load(struct service *s)
{
	if (s->watched_loaded || s->watched_asked || !store_is_up(s->e->store))
		return;
	struct watched_ask *a = xcalloc(1, sizeof(*a));

	a->e = s->e;
	TEXT_COPY(a->service, s->cfg->name);
	s->watched_asked = true;
	store_get(s->e->store, s->cfg->name, "watched", watched_got, a);
}

void watch_forget(struct service *s)
{
	s->watched_loaded = s->watching = false;
	s->n_watched = 0;
	TEXT_COPY(s->unwatched, "another switchd led");
}

static const char *not_watching(const struct service *s)
{
	return !s->loaded ? "its state was not at hand" : s->view->suspect || !s->started ? "the prober was suspect" : NULL;
}

void watch_beat(struct service *s)
{
	const char *why = not_watching(s);
	wall_ms now = wall_now();

	watched_load(s);
	if (why) {
		/* A start is suspect until it knows better: that is still the gap in which nobody ran. */
		if (s->watching)
			TEXT_COPY(s->unwatched, why);
		s->watching = false;
		return;
	}
	struct watched *last = s->n_watched ? &s->watched[s->n_watched - 1] : NULL;

	if (!s->watching || !last || now.ms < last->to.ms) {
		if (s->n_watched == MAX_WATCHED)
			memmove(&s->watched[0], &s->watched[1], (--s->n_watched) * sizeof(s->watched[0]));
		last = &s->watched[s->n_watched++];
		*last = (struct watched){ now, now, "" };
		TEXT_COPY(last->why, s->unwatched[0] ? s->unwatched : "switchd did not run");
		s->watching = true;
		s->next_watched = mono_now();
	}
	last->to = now;
	if (s->next_watched.us <= mono_now().us)
		watched_save(s);
}

void watch_end(struct service *s)
{
	if (s->watched_loaded)
		watched_save(s);
}

void watch_count(struct service *s, enum slot slot, size_t feature, enum outcome_class class, bool lost)
{
	struct feature_count *c = &s->counts[(size_t)slot * (s->cfg->n_features + 1) + feature];

	c->probes += class == OC_PRESENT || class == OC_ABSENT;
	c->absents += class == OC_ABSENT;
	c->lost += lost;
}

/* ---- the report ---- */

static json_t *counts_json(const struct service *s)
{
	json_t *list = json_array();

	for (int k = BLUE; k <= GREEN; k++)
		for (size_t i = 0; i < s->cfg->n_features; i++) {
			const struct feature_count *c = &s->counts[(size_t)k * (s->cfg->n_features + 1) + i];

			if (c->probes)
				json_array_append_new(list, json_pack("{s:s,s:s,s:I,s:I,s:I}", "feature", s->cfg->features[i].name, "slot", slot_name((enum slot)k),
								      "probes", (json_int_t)c->probes, "absents", (json_int_t)c->absents, "lost",
								      (json_int_t)c->lost));
		}
	return list;
}

/* Critical, and nobody knows that it would notice: what enforcing would stand on. */
static json_t *weak_json(const struct service *s)
{
	json_t *unproven = measure_unproven(s), *list = json_array(), *x;
	size_t i;

	json_array_foreach(unproven, i, x)
		json_array_append(list, json_object_get(x, "name"));
	for (i = 0; i < s->view->n; i++)
		if (s->view->f[i].vacuous && s->cfg->features[i].severity == SEV_CRITICAL)
			json_array_append_new(list, json_string(s->cfg->features[i].name));
	json_decref(unproven);
	return list;
}

/* calm presents in a row at the ordinary pace, and a minute. */
static int64_t calm_ms(const struct service_config *c)
{
	int64_t most = 0;

	for (size_t i = 0; i < c->n_features; i++) {
		const struct probe_rule *r = &c->features[i].rule;

		if (r->calm * r->interval_ms > most)
			most = r->calm * r->interval_ms;
	}
	return most + 60 * 1000;
}

struct report_ask { struct engine *e; name_text service; wall_ms from, to; engine_events_fn *done; void *arg; };

static void lines_said(void *arg, json_t *said)
{
	struct report_ask *a = arg;
	struct service *s = engine_find(a->e, a->service);
	json_t *o = NULL, *watched, *counts, *weak;
	char why[160];

	if (s) {
		watched = watched_json(s);
		counts = counts_json(s);
		weak = weak_json(s);
		struct report_in in = { .service = s->cfg->name, .mode = s->cfg->mode, .from = a->from, .to = a->to, .lines = json_object_get(said, "lines"),
					.complete = json_is_true(json_object_get(said, "complete")) &&
						    json_array_size(json_object_get(said, "lines")) < LINES,
					.watched = watched, .counts = counts, .counts_since = s->counts_since, .weak = weak, .calm_ms = calm_ms(s->cfg),
					.target = s->rec.active != NO_SLOT && decide_rollback_target(&s->rec, &s->condemned, why) };

		o = report_make(&in);
		json_decref(watched);
		json_decref(counts);
		json_decref(weak);
	}
	a->done(a->arg, o);
	json_decref(o);
	free(a);
}

void engine_report(struct engine *e, const char *service, wall_ms from, engine_events_fn *done, void *arg)
{
	struct report_ask *a = xcalloc(1, sizeof(*a));

	a->e = e;
	TEXT_COPY(a->service, service);
	a->to = wall_now();
	a->from = from.ms ? from : (wall_ms){ a->to.ms - WEEK_MS };
	a->done = done;
	a->arg = arg;
	engine_archive(e, service, a->from, (wall_ms){ 0 }, LINES, lines_said, a);
}
