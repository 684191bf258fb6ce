/* SPDX-License-Identifier: MIT
 * changes.c - verdict changes, as they happen: kept in memory, and in the archive once a second at most (D12).
 *
 * The verdict of a feature on a slot, never a probe's.  A feature that flaps many times a second is written with
 * its last verdict of that second. */
#include <stdlib.h>
#include <string.h>

#include "switchd/engine/service.h"

enum {
	MAX_CHANGES = 512,              /* in memory, of one service: 80 kB */
	MANY = 64,                      /* of one second: more are coalesced */
	WRITE_MS = 1000,
	LINE_MAX = 512,
};

struct change { wall_ms at, since; enum slot slot; enum verdict verdict; name_text feature; id_text release; };
/* What was last told of each cell, [slot][feature], identity last. */
struct told { bool known; enum verdict verdict; id_text release; wall_ms at, since; };

struct changes {
	struct change list[MAX_CHANGES];
	size_t n, unwritten;            /* the newest `unwritten` of n are not in the archive yet */
	struct told *told; size_t n_features;
	mono_us next;
};

static const char *name_of(const struct service *s, size_t i) { return i < s->cfg->n_features ? s->cfg->features[i].name : "identity"; }

void changes_start(struct service *s)
{
	if (!s->changes)
		s->changes = xcalloc(1, sizeof(*s->changes));
	s->changes->n_features = s->cfg->n_features + 1;
	s->changes->told = xcalloc(2 * s->changes->n_features, sizeof(struct told));
}

/* The config goes away; what was seen stays. */
void changes_stop(struct service *s)
{
	if (s->changes)
		free(s->changes->told);
	if (s->changes)
		s->changes->told = NULL;
}

void changes_free(struct service *s)
{
	changes_stop(s);
	free(s->changes);
	s->changes = NULL;
}

/* A verdict takes several answers: when the first of them came. */
static wall_ms since(const struct service *s, enum slot slot, size_t i, enum verdict v)
{
	mono_us first = s->view->f[i].first_absent[slot];

	if ((v != V_ABSENT && v != V_PARTIAL) || !first.us)
		return wall_now();
	return wall_plus_ms(wall_now(), -mono_since_ms(mono_now(), first));
}

static void add(struct service *s, enum slot slot, size_t i, enum verdict v)
{
	struct changes *c = s->changes;
	struct change *x;

	if (c->n == MAX_CHANGES) {
		memmove(&c->list[0], &c->list[1], (MAX_CHANGES - 1) * sizeof(c->list[0]));
		c->n--;
	}
	x = &c->list[c->n++];
	if (c->unwritten < c->n)
		c->unwritten++;
	*x = (struct change){ .at = wall_now(), .since = since(s, slot, i, v), .slot = slot, .verdict = v };
	TEXT_COPY(x->feature, name_of(s, i));
	TEXT_COPY(x->release, s->rec.slot[slot].id);
}

/* After every new view. */
void changes_look(struct service *s)
{
	struct changes *c = s->changes;
	size_t n = s->cfg->n_features + s->cfg->identity.on;

	if (!c || !c->told || !s->loaded || c->n_features != s->cfg->n_features + 1)
		return;
	for (int k = BLUE; k <= GREEN; k++)
		for (size_t i = 0; i < n; i++) {
			struct told *t = &c->told[(size_t)k * c->n_features + i];
			enum verdict v = s->view->f[i].at[k];

			if (t->known && t->verdict == v && strcmp(t->release, s->rec.slot[k].id) == 0)
				continue;
			*t = (struct told){ .known = true, .verdict = v, .at = wall_now(), .since = since(s, (enum slot)k, i, v) };
			TEXT_COPY(t->release, s->rec.slot[k].id);
			add(s, (enum slot)k, i, v);
		}
}

static json_t *change_json(const struct service *s, const struct change *x)
{
	return json_pack("{s:s,s:I,s:I,s:s,s:s,s:s,s:s,s:s}", "kind", "feature.changed", "at", (json_int_t)x->at.ms, "since", (json_int_t)x->since.ms, "service", s->cfg->name, "slot",
			 slot_name(x->slot), "feature", x->feature, "verdict", verdict_name(x->verdict), "release", x->release);
}

static bool changed_again(const struct changes *c, size_t i)
{
	for (size_t k = i + 1; k < c->n; k++)
		if (c->list[k].slot == c->list[i].slot && strcmp(c->list[k].feature, c->list[i].feature) == 0)
			return true;
	return false;
}

void changes_write(struct service *s)
{
	struct changes *c = s->changes;
	struct buf out = BUF_INIT(MAX_CHANGES * LINE_MAX);
	size_t lines = 0;

	if (!c || !c->unwritten)
		return;
	for (size_t i = c->n - c->unwritten; i < c->n; i++) {
		json_t *o = c->unwritten > MANY && changed_again(c, i) ? NULL : change_json(s, &c->list[i]);
		char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

		if (text && buf_addf(&out, "%s\n", text))
			lines++;
		free(text);
		json_decref(o);
	}
	c->unwritten = 0;
	if (lines && s->e->archive)
		archive_add(s->e->archive, buf_str(&out), lines, NULL, NULL);
	buf_free(&out);
}

void changes_beat(struct service *s)
{
	mono_us now = mono_now();

	if (!s->changes || s->changes->next.us > now.us)
		return;
	s->changes->next = mono_plus_ms(now, WRITE_MS);
	changes_look(s);
	changes_write(s);
}

/* What is remembered, oldest first; with it the last of each cell, however long ago that was. */
json_t *changes_json(const struct service *s)
{
	const struct changes *c = s->changes;
	json_t *all = json_array();

	for (size_t i = 0; c && c->told && i < 2 * c->n_features; i++) {
		struct change x = { .at = c->told[i].at, .since = c->told[i].since, .slot = i < c->n_features ? BLUE : GREEN, .verdict = c->told[i].verdict };

		if (!c->told[i].known || i % c->n_features > s->cfg->n_features)
			continue;
		TEXT_COPY(x.feature, name_of(s, i % c->n_features));
		TEXT_COPY(x.release, c->told[i].release);
		json_array_append_new(all, change_json(s, &x));
	}
	for (size_t i = 0; c && i < c->n; i++)
		json_array_append_new(all, change_json(s, &c->list[i]));
	return all;
}
