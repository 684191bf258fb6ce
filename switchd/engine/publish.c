/* SPDX-License-Identifier: MIT
 * publish.c - one voice: every event is logged, kept for a while and handed to who watches. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/failpoint.h"
#include "switchd/base/log.h"
#include "switchd/core/record.h"
#include "switchd/engine/service.h"

static void keep(struct engine *e, const struct event *ev, char *json)
{
	struct kept_event *k;

	if (e->n_events == MAX_EVENTS_KEPT) {
		free(e->events[0].json);
		memmove(&e->events[0], &e->events[1], (MAX_EVENTS_KEPT - 1) * sizeof(e->events[0]));
		e->n_events--;
	}
	k = &e->events[e->n_events++];
	k->json = json;
	TEXT_COPY(k->id, ev->stream_id);
	TEXT_COPY(k->service, ev->service);
}

void publish_event(struct engine *e, const struct event *given)
{
	static struct event ev;
	json_t *j;

	ev = *given;
	FAILPOINT("engine.publish");
	if (!ev.stream_id[0]) /* said while the store is away, or not written at all */
		TEXT_FORMAT(ev.stream_id, "local-%llu", (unsigned long long)++e->event_seq);
	log_info("event", "service=%s kind=%s by=%s from=%s to=%s because=%s detail=%s", ev.service, ev.kind, ev.by, slot_name(ev.from),
		 slot_name(ev.to), LOG_Q(ev.because ? ev.because : ""), LOG_Q(ev.detail));
	j = event_json(&ev);
	char *text = json_dumps(j, JSON_COMPACT);

	json_decref(j);
	must(text != NULL);
	keep(e, &ev, text);
	if (!text_starts(ev.stream_id, "local-"))
		export_soon(e);
	else if (text_starts(ev.kind, "front.") || text_starts(ev.kind, "store.") || text_starts(ev.kind, "proxy.")) /* no commit, and still a fact */
		export_line(e, text);
	if (e->watch)
		e->watch(e->watch_arg, ev.service, text, ev.stream_id);
}

void publish_change(struct service *s)
{
	if (s->e->watch)
		s->e->watch(s->e->watch_arg, s->cfg->name, NULL, NULL);
}

void publish_front(struct service *s)
{
	static struct event ev;
	bool down = s->view->front_down;

	memset(&ev, 0, sizeof(ev));
	TEXT_COPY(ev.kind, down ? "front.down" : "front.up");
	TEXT_COPY(ev.service, s->cfg->name);
	TEXT_COPY(ev.by, "switchd");
	ev.at = wall_now();
	ev.from = ev.to = s->rec.active;
	ev.from_v = ev.to_v = s->rec.v;
	ev.because = down ? "the front refuses, resets or does not stamp: an alert about the proxy, never a reason to move" : "the front answers as it should again";
	TEXT_COPY(ev.detail, s->cfg->front);
	publish_event(s->e, &ev);
}

/* What memory holds of a service's events, after an id (all of them when the id is not held). */
json_t *publish_kept(const struct engine *e, const char *service, const char *after_id, size_t max)
{
	json_t *list = json_array();
	size_t from = 0;

	for (size_t i = 0; after_id[0] && i < e->n_events; i++)
		if (strcmp(e->events[i].id, after_id) == 0)
			from = i + 1;
	for (size_t i = from; i < e->n_events && json_array_size(list) < max; i++)
		if (!service[0] || strcmp(e->events[i].service, service) == 0)
			json_array_append_new(list, json_loads(e->events[i].json, 0, NULL));
	return list;
}
