/* SPDX-License-Identifier: MIT
 * offline.c - what is decided while the store is away: kept in line, journalled with it, read back after a restart.
 *
 * Each event waits here until the store has it: an acknowledged command is in the audit exactly once (I3). */
#include <stdlib.h>
#include <string.h>

#include "switchd/core/record.h"
#include "switchd/core/json_text.h"
#include "switchd/engine/service.h"

static struct event *place(struct service *s)
{
	if (!s->pending_events)
		s->pending_events = xcalloc(MAX_PENDING, sizeof(*s->pending_events));
	if (s->n_pending == MAX_PENDING)
		s->n_pending--;
	return &s->pending_events[s->n_pending++];
}

void offline_keep(struct service *s, const struct event *e)
{
	struct event *p = place(s);

	*p = *e;
	p->stream_id[0] = '\0';
}

/* All that waits and one more, short: the evidence stays in the log. */
void offline_text(const struct service *s, const struct event *more, char *out, size_t size)
{
	json_t *list = json_array();

	for (size_t i = 0; i <= s->n_pending; i++) {
		const struct event *e = i < s->n_pending ? &s->pending_events[i] : more;

		json_array_append_new(list, json_pack("{s:s,s:s,s:I,s:s,s:s,s:s,s:s,s:s,s:I}", "kind", e->kind, "by", e->by, "at", (json_int_t)e->at.ms, "from",
						      slot_name(e->from), "to", slot_name(e->to), "because", e->because ? e->because : "", "detail",
						      e->detail, "release", e->release, "deploy", (json_int_t)e->deploy));
	}
	char *text = json_dumps(list, JSON_COMPACT);

	out[0] = '\0';
	if (text && strlen(text) < size)
		text_copy(out, size, text);
	free(text);
	json_decref(list);
}

/* What waits, as the history tells it that begins at base: each event begins where the one before it ended, and each move has
 * a version of its own, that nobody used (I2, I16).  Into told, which has room for all.  Returns where it ends. */
struct version offline_rebased(const struct service *s, const struct record *base, struct event *told)
{
	struct version v = base->v;
	enum slot active = base->active;
	bool same = version_cmp(base->v, s->pending_base) == 0;

	for (size_t i = 0; i < s->n_pending; i++) {
		struct event e = s->pending_events[i];
		bool moves = e.to != NO_SLOT && e.from != e.to;

		if (!same) {
			e.from_v = v;
			e.from = active;
			v.epoch += moves && e.to != active;
			active = moves ? e.to : active;
			e.to_v = v;
			e.to = active;
		}
		told[i] = e;
	}
	if (same)
		return s->rec.v;
	/* More than the list holds, or the shield alone: the last one carries it. */
	if (active != s->rec.active || (version_cmp(v, base->v) == 0 && base->shield != s->rec.shield)) {
		v.epoch++;
		if (s->n_pending) {
			told[s->n_pending - 1].to = s->rec.active;
			told[s->n_pending - 1].to_v = v;
		}
	}
	return v;
}

/* Another controller led meanwhile and its record stands: that those were decided here is told, as what moved nothing. */
void offline_overruled(const struct service *s, const struct record *stands, struct event *told)
{
	for (size_t i = 0; i < s->n_pending; i++) {
		const struct event *was = &s->pending_events[i];
		struct event *e = &told[i];

		*e = *was;
		TEXT_COPY(e->kind, "offline.overruled");
		TEXT_FORMAT(e->detail, "%s%s%s while the store was away%s%.200s", was->kind, was->from != was->to ? " to " : "",
			    was->from != was->to ? slot_name(was->to) : "", was->detail[0] ? ": " : "", was->detail);
		e->because = "another switchd led meanwhile: its record stands";
		e->from_v = e->to_v = stands->v;
		e->from = e->to = stands->active;
	}
}

void offline_read(struct service *s, const char *text)
{
	json_t *list = json_loads(text, 0, NULL), *o;
	size_t i;

	json_array_foreach(list, i, o) {
		struct event *e = place(s);

		memset(e, 0, sizeof(*e));
		e->from = e->to = NO_SLOT;
		text_printable(e->kind, sizeof(e->kind), json_text(o, "kind"), strlen(json_text(o, "kind")));
		text_printable(e->by, sizeof(e->by), json_text(o, "by"), strlen(json_text(o, "by")));
		text_printable(e->detail, sizeof(e->detail), json_text(o, "detail"), strlen(json_text(o, "detail")));
		text_printable(e->release, sizeof(e->release), json_text(o, "release"), strlen(json_text(o, "release")));
		e->at.ms = json_integer_value(json_object_get(o, "at"));
		e->deploy = (uint64_t)json_integer_value(json_object_get(o, "deploy"));
		if (!slot_parse(json_text(o, "from"), &e->from))
			e->from = NO_SLOT;
		if (!slot_parse(json_text(o, "to"), &e->to))
			e->to = NO_SLOT;
		e->from_v = s->pending_base;
		e->to_v = s->rec.v;
		TEXT_COPY(e->service, s->cfg->name);
		free(s->because[s->n_pending - 1]);
		s->because[s->n_pending - 1] = xstrdup(json_text(o, "because"));
		e->because = s->because[s->n_pending - 1];
	}
	json_decref(list);
}

void offline_free(struct service *s)
{
	for (size_t i = 0; i < MAX_PENDING; i++)
		free(s->because[i]);
	free(s->pending_events);
}
