/* SPDX-License-Identifier: MIT
 * ledger.c - the fold: records and verdicts in, facts out. */
#include "switchd/core/story/ledger.h"

#include <stdlib.h>
#include <string.h>

struct ledger *ledger_new(void) { return xcalloc(1, sizeof(struct ledger)); }

void ledger_release_free(struct ledger_release *r)
{
	if (!r)
		return;
	free(r->manifest);
	free(r->routes);
	free(r->facts);
	free(r);
}

void ledger_free(struct ledger **lp)
{
	struct ledger *l = *lp;

	if (!l)
		return;
	*lp = NULL;
	for (size_t i = 0; i < l->n; i++)
		ledger_release_free(l->list[i]);
	ledger_release_free(l->evicted);
	free(l);
}

/* ---- releases ---- */

static bool same_bits(const struct ledger_release *r, const struct release *x)
{
	return strcmp(r->id, x->id) == 0 && (!r->digest[0] || !x->digest[0] || strcmp(r->digest, x->digest) == 0);
}

struct ledger_release *ledger_in_slot(const struct ledger *l, enum slot slot)
{
	for (size_t i = l->n; i-- > 0;)
		if (l->list[i]->held && l->list[i]->slot == slot)
			return l->list[i];
	return NULL;
}

struct ledger_release *ledger_find(const struct ledger *l, const char *id)
{
	for (size_t i = l->n; i-- > 0;)
		if (strcmp(l->list[i]->id, id) == 0)
			return l->list[i];
	return NULL;
}

static void evict(struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->list[i]->held)
			continue;
		ledger_release_free(l->evicted);
		l->evicted = l->list[i];
		memmove(&l->list[i], &l->list[i + 1], (l->n - i - 1) * sizeof(l->list[0]));
		l->n--;
		l->dirty = true;
		return;
	}
}

static unsigned free_number(const struct ledger *l)
{
	uint32_t used = l->reserved;

	for (size_t i = 0; i < l->n; i++)
		used |= UINT32_C(1) << l->list[i]->number;
	for (unsigned k = 0; k < LEDGER_RELEASES; k++)
		if (!(used & UINT32_C(1) << k))
			return k;
	return LEDGER_RELEASES;
}

static struct ledger_release *add(struct ledger *l, const struct release *x, enum slot slot, wall_ms now)
{
	struct ledger_release *r;
	unsigned number = free_number(l);

	if (number == LEDGER_RELEASES) {
		evict(l);
		number = free_number(l);
	}
	if (number == LEDGER_RELEASES)
		return NULL; /* every place holds what could not be understood */
	r = xcalloc(1, sizeof(*r));
	r->number = number;
	TEXT_COPY(r->id, x->id);
	TEXT_COPY(r->digest, x->digest);
	r->slot = slot;
	r->arrived = r->again = x->arrived.ms ? x->arrived : now;
	r->more_dirty = true;   /* the place may hold those of another release */
	l->list[l->n++] = r;
	l->dirty = true;
	return r;
}

static struct ledger_release *of_slot(struct ledger *l, const struct release *x, enum slot slot, wall_ms now)
{
	for (size_t i = l->n; i-- > 0;)
		if (l->list[i]->slot == slot && same_bits(l->list[i], x))
			return l->list[i];
	return add(l, x, slot, now);
}

static void leave(struct ledger *l, enum slot slot, const struct ledger_release *but, wall_ms now)
{
	for (size_t i = 0; i < l->n; i++) {
		struct ledger_release *r = l->list[i];

		if (!r->held || r->slot != slot || r == but)
			continue;
		r->held = false;
		r->left = now;
		r->dirty = true;
	}
}

static void slot_holds(struct ledger *l, const struct record *rec, enum slot slot, wall_ms now)
{
	const struct release *x = &rec->slot[slot];
	struct ledger_release *r = x->id[0] ? of_slot(l, x, slot, now) : NULL;

	leave(l, slot, r, now);
	if (!r)
		return;
	bool news = !r->held || r->state != x->state || (x->digest[0] && !r->digest[0]) || (x->arrived.ms && x->arrived.ms != r->again.ms);

	if (!news)
		return;
	r->held = true;
	r->left = (wall_ms){ 0 };
	r->state = x->state;
	if (x->arrived.ms)
		r->again = x->arrived;
	if (!r->digest[0])
		TEXT_COPY(r->digest, x->digest);
	r->dirty = true;
}

static void live_ends(struct ledger_release *r, const struct record *rec, wall_ms now)
{
	if (!r->n_live || r->last.to.ms)
		return;
	r->last.to = rec->move.decided.ms > r->last.from.ms ? rec->move.decided : now;
	TEXT_COPY(r->last.ended_by, rec->move.by[0] ? rec->move.by : "switchd");
	if (r->n_live == 1)
		r->first = r->last;
	r->dirty = true;
}

static void live_begins(struct ledger_release *r, const struct record *rec, wall_ms now)
{
	if (r->n_live && !r->last.to.ms)
		return;
	bool moved = rec->move.decided.ms && rec->move.to == r->slot;

	r->last = (struct ledger_live){ .from = moved ? rec->move.decided : r->again.ms ? r->again : now };
	TEXT_COPY(r->last.by, moved && rec->move.by[0] ? rec->move.by : "switchd");
	if (r->n_live++ == 0)
		r->first = r->last;
	r->dirty = true;
}

void ledger_record(struct ledger *l, const struct record *rec, wall_ms now)
{
	struct ledger_release *active;

	for (int k = BLUE; k <= GREEN; k++)
		slot_holds(l, rec, (enum slot)k, now);
	active = rec->active == NO_SLOT ? NULL : ledger_in_slot(l, rec->active);
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i] != active)
			live_ends(l->list[i], rec, now);
	if (!active)
		return;
	live_begins(active, rec, now);
	/* A way back is no bake: what was good before is not looked at again because of it. */
	if (rec->phase == PH_STEADY && active->state == RS_GOOD && rec->move.mode != MOVE_AUTO && rec->move.mode != MOVE_BACK &&
	    active->baked.ms < active->last.from.ms) {
		active->baked = rec->phase_since.ms > active->last.from.ms ? rec->phase_since : now;
		active->rechecks = 0;
		active->dirty = true;
	}
}

/* ---- features ---- */

const struct ledger_feature *ledger_feature(const struct ledger *l, const char *name)
{
	for (size_t i = 0; i < l->n_features; i++)
		if (strcmp(l->features[i].name, name) == 0)
			return &l->features[i];
	return NULL;
}

static struct ledger_feature *feature_place(struct ledger *l)
{
	size_t oldest = LEDGER_FEATURES;

	if (l->n_features < LEDGER_FEATURES)
		return &l->features[l->n_features++];
	for (size_t i = 0; i < l->n_features; i++)
		if (!l->features[i].watched && (oldest == LEDGER_FEATURES || l->features[i].since.ms < l->features[oldest].since.ms))
			oldest = i;
	must(oldest < LEDGER_FEATURES); /* a config has at most half as many */
	return &l->features[oldest];
}

void ledger_watch(struct ledger *l, const struct service_config *cfg, wall_ms now)
{
	for (size_t i = 0; i < l->n_features; i++)
		l->features[i].watched = false;
	for (size_t i = 0; i < cfg->n_features; i++) {
		struct ledger_feature *f = (struct ledger_feature *)ledger_feature(l, cfg->features[i].name);

		if (f)
			f->watched = true;
	}
	for (size_t i = 0; i < cfg->n_features; i++) {
		struct ledger_feature *f = (struct ledger_feature *)ledger_feature(l, cfg->features[i].name);

		if (f && f->probe == cfg->features[i].fingerprint)
			continue;
		f = f ? f : feature_place(l);
		*f = (struct ledger_feature){ .probe = cfg->features[i].fingerprint, .since = now, .watched = true };
		TEXT_COPY(f->name, cfg->features[i].name);
		l->dirty = true;
	}
}

const struct ledger_fact *ledger_fact(const struct ledger_release *r, const char *feature)
{
	for (size_t i = 0; r && i < r->n_facts; i++)
		if (strcmp(r->facts[i].feature, feature) == 0)
			return &r->facts[i];
	return NULL;
}

static struct ledger_fact *fact_place(const struct ledger *l, struct ledger_release *r)
{
	if (r->n_facts < LEDGER_FACTS) {
		r->facts = xrealloc(r->facts, (r->n_facts + 1) * sizeof(*r->facts));
		return &r->facts[r->n_facts++];
	}
	for (size_t i = 0; i < r->n_facts; i++) {
		const struct ledger_feature *f = ledger_feature(l, r->facts[i].feature);

		if (!f || !f->watched)
			return &r->facts[i];
	}
	return NULL;
}

static bool later(wall_ms a, wall_ms b) { return a.ms > b.ms; }

static void note_present(struct ledger_release *r, struct ledger_fact *f, const struct ledger_sight *s, bool changed)
{
	if (!f->first_present.ms)
		f->first_present = s->at;
	f->absent_since = (wall_ms){ 0 };
	if (!changed && s->at.ms - f->last_present.ms < LEDGER_REFRESH_MS)
		return;
	if (later(s->at, f->last_present))
		f->last_present = s->at;
	r->dirty = true;
}

static void note_absent(struct ledger_release *r, struct ledger_fact *f, const struct ledger_sight *s, bool changed)
{
	if (later(s->last_present, f->last_present)) {
		f->last_present = s->last_present;
		if (!f->first_present.ms)
			f->first_present = s->last_present;
	}
	if (!f->first_absent.ms)
		f->first_absent = s->at;
	if (!f->absent_since.ms || changed)
		f->absent_since = s->at;
	if (!changed && s->now.ms - f->last_absent.ms < LEDGER_REFRESH_MS)
		return;
	if (later(s->now, f->last_absent))
		f->last_absent = s->now;
	r->dirty = true;
}

bool ledger_note(struct ledger *l, struct ledger_release *r, const struct ledger_sight *s)
{
	struct ledger_fact *f = (struct ledger_fact *)ledger_fact(r, s->feature);
	bool changed;

	if (s->verdict != V_PRESENT && s->verdict != V_ABSENT)
		return false;
	if (!f || f->probe != s->probe) {
		f = f ? f : fact_place(l, r);
		if (!f)
			return false;
		*f = (struct ledger_fact){ .probe = s->probe };
		TEXT_COPY(f->feature, s->feature);
	}
	changed = f->now != s->verdict;
	f->now = s->verdict;
	if (s->verdict == V_PRESENT)
		note_present(r, f, s, changed);
	else
		note_absent(r, f, s, changed);
	return changed;
}

/* ---- what is told of a release ---- */

bool ledger_manifest(struct ledger_release *r, const char *json)
{
	json_t *o = strlen(json) <= LEDGER_MANIFEST ? json_loads(json, JSON_REJECT_DUPLICATES, NULL) : NULL;
	char *text = json_is_object(o) ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text || strlen(text) > LEDGER_MANIFEST) {
		free(text);
		return false;
	}
	if (r->manifest && strcmp(r->manifest, text) == 0) {
		free(text);
		return true;
	}
	free(r->manifest);
	r->manifest = text;
	r->more_dirty = true;
	return true;
}

const struct ledger_route *ledger_route(const struct ledger_release *r, const char *path)
{
	for (size_t i = 0; i < r->n_routes; i++)
		if (strcmp(r->routes[i].path, path) == 0)
			return &r->routes[i];
	return NULL;
}

void ledger_inventory(struct ledger_release *r, const struct ledger_route *routes, size_t n, bool whole, wall_ms at)
{
	size_t kept = n < LEDGER_ROUTES ? n : LEDGER_ROUTES;

	free(r->routes);
	r->routes = kept ? xcalloc(kept, sizeof(*r->routes)) : NULL;
	r->n_routes = kept;
	r->routes_cut = kept < n || !whole;
	for (size_t i = 0; i < kept; i++)
		r->routes[i] = routes[i];
	r->inventory_at = at;
	r->more_dirty = true;
}
