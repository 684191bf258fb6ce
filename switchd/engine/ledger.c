/* SPDX-License-Identifier: MIT
 * ledger.c - feeds the ledger with record and verdicts, writes what changed beside the record, and reads it for blame.
 *
 * Looked at once a second and after each commit; written at most once a second, and only when something changed (D12).
 * In the store: `ledger` (features, numbers), `ledger.N` (a release's facts), `ledger.N.more` (its manifest and routes). */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/core/story/blame.h"
#include "switchd/core/decide/manifest.h"
#include "switchd/engine/service.h"

enum { LOOK_MS = 1000 };

/* ---- back from the store ---- */

/* The service may be gone when the answer comes: it is looked up again. */
struct reading { struct engine *e; name_text service; unsigned number; bool more; };

static struct reading *reading_new(struct service *s, unsigned number, bool more)
{
	struct reading *rd = xcalloc(1, sizeof(*rd));

	*rd = (struct reading){ .e = s->e, .number = number, .more = more };
	TEXT_COPY(rd->service, s->cfg->name);
	s->ledger_reading++;
	return rd;
}

static struct service *reading_of(const struct reading *rd)
{
	struct service *s = engine_find(rd->e, rd->service);

	return s && s->ledger_reading > 0 ? s : NULL;
}

static void read_next(struct service *s)
{
	if (--s->ledger_reading > 0)
		return;
	s->ledger_loaded = true;
	s->ledger->dirty = false;
	log_info("ledger", "service=%s releases=%zu features=%zu", s->cfg->name, s->ledger->n, s->ledger->n_features);
	ledger_watch(s->ledger, s->cfg, wall_now());
	ledger_adopted(s);
}

/* What another hand wrote there is left as it is, and its place is not used. */
static void refuse_value(struct service *s, const char *what, unsigned number, const char *why)
{
	log_error("ledger", "service=%s value=%s number=%u why=%s what=\"not understood: left as it is\"", s->cfg->name, what, number, LOG_Q(why));
	s->ledger_bad++;
}

static void release_got(void *arg, bool ok, const char *value)
{
	struct reading *rd = arg;
	struct service *s = reading_of(rd);
	char why[100] = "it cannot be read";

	if (!s) {
		free(rd);
		return;
	}
	if (ok && !value[0]) {
		if (!rd->more) /* a store that was emptied, or lost its last writes: what is gone is no value */
			log_info("ledger", "service=%s release=%u what=\"gone from the store\"", s->cfg->name, rd->number);
	} else if (!rd->more) {
		if (!ok || !ledger_release_parse(s->ledger, rd->number, value, why, sizeof(why))) {
			refuse_value(s, "release", rd->number, why);
			s->ledger->reserved |= UINT32_C(1) << rd->number;
		}
	} else if (ok && !(s->ledger->reserved & UINT32_C(1) << rd->number) &&
		   !ledger_more_parse(s->ledger, rd->number, value, why, sizeof(why))) {
		refuse_value(s, "more", rd->number, why);
	}
	free(rd);
	read_next(s);
}

static void read_release(struct service *s, unsigned number, bool more)
{
	char what[32];

	TEXT_FORMAT(what, "ledger.%u%s", number, more ? ".more" : "");
	store_get(s->e->store, s->cfg->name, what, release_got, reading_new(s, number, more));
}

static void head_got(void *arg, bool ok, const char *value)
{
	struct reading *rd = arg;
	struct service *s = reading_of(rd);
	uint32_t numbers = 0;
	char why[100] = "";

	free(rd);
	if (!s)
		return;
	if (!ok) {
		s->ledger_reading = 0; /* it cannot be read now: asked again at the next look */
		return;
	}
	if (value[0] && !ledger_head_parse(s->ledger, value, &numbers, why, sizeof(why))) {
		refuse_value(s, "head", 0, why);
		s->ledger_readonly = true;
		read_next(s);
		return;
	}
	for (unsigned k = 0; k < LEDGER_RELEASES; k++)
		if (numbers & UINT32_C(1) << k) {
			read_release(s, k, false);
			read_release(s, k, true);
		}
	read_next(s);
}

static void kept_got(void *arg, bool ok, const char *value)
{
	struct reading *rd = arg;
	struct service *s = engine_find(rd->e, rd->service);

	free(rd);
	if (!s || !ok || value[0] || !s->ledger_loaded || !s->ledger->n)
		return;
	log_warn("ledger", "service=%s what=\"gone from the store: written anew from what is known here\"", s->cfg->name);
	s->ledger->dirty = true;
	for (size_t i = 0; i < s->ledger->n; i++)
		s->ledger->list[i]->dirty = s->ledger->list[i]->more_dirty = true;
}

/* The store is back: is what we wrote into it there? */
void ledger_kept(struct service *s)
{
	struct reading *rd;

	if (!s->ledger_loaded || !s->ledger->n || s->ledger_readonly)
		return;
	rd = xcalloc(1, sizeof(*rd));
	rd->e = s->e;
	TEXT_COPY(rd->service, s->cfg->name);
	store_get(s->e->store, s->cfg->name, "ledger", kept_got, rd);
}

static void read_all(struct service *s)
{
	if (s->ledger_loaded || s->ledger_reading || !s->loaded || !store_is_up(s->e->store))
		return;
	store_get(s->e->store, s->cfg->name, "ledger", head_got, reading_new(s, 0, false));
}

/* ---- to the archive ---- */

static void to_archive(struct service *s, json_t *taken)
{
	char *text;

	must(json_object_set_new(taken, "service", json_string(s->cfg->name)) == 0);
	must(json_object_set_new(taken, "after", json_string(s->e->export_id)) == 0);
	text = json_dumps(taken, JSON_COMPACT);
	json_decref(taken);
	if (text)
		export_line(s->e, text);
	free(text);
}

static void archive_release(struct service *s, const struct ledger_release *r, const char *kind)
{
	json_t *o = json_pack("{s:s,s:I}", "kind", kind, "at", (json_int_t)wall_now().ms);

	json_t *whole = ledger_release_whole(r);

	json_object_update_missing(o, whole);
	json_decref(whole);
	to_archive(s, o);
}

static void archive_verdict(struct service *s, const struct ledger_release *r, const struct ledger_sight *x)
{
	const struct ledger_fact *f = ledger_fact(r, x->feature);

	if (f)
		to_archive(s, json_pack("{s:s,s:I,s:s,s:s,s:s,s:s,s:I,s:I}", "kind", "ledger.verdict", "at", (json_int_t)x->at.ms, "feature", x->feature,
					"release", r->id, "slot", slot_name(r->slot), "verdict", verdict_name(x->verdict), "last_present",
					(json_int_t)f->last_present.ms, "first_absent", (json_int_t)f->absent_since.ms));
}

static void archive_evicted(struct service *s)
{
	if (!s->ledger->evicted)
		return;
	archive_release(s, s->ledger->evicted, "ledger.release");
	ledger_release_free(s->ledger->evicted);
	s->ledger->evicted = NULL;
}

/* ---- verdicts in ---- */

static wall_ms wall_of(mono_us t)
{
	return t.us ? (wall_ms){ wall_now().ms - mono_since_ms(mono_now(), t) } : (wall_ms){ 0 };
}

static mono_us last_present(const struct service *s, enum slot slot, size_t feature)
{
	mono_us last = { 0 };

	for (size_t t = 0; t < s->cfg->slot[slot].n_targets; t++) {
		const struct cell *c = health_cell(s->health, slot, t, feature);

		if (c->present_began.us > last.us)
			last = c->present_began;
	}
	return last;
}

/* Only complete answers count: a slot that is stopped says nothing of what its release can do. */
static void look_at(struct service *s, struct ledger_release *r, enum slot slot, size_t feature)
{
	const struct feature_view *f = &s->view->f[feature];
	struct ledger_sight x = { .feature = s->cfg->features[feature].name, .probe = s->cfg->features[feature].fingerprint, .now = wall_now() };
	mono_us seen = last_present(s, slot, feature);

	if (f->present[slot] > 0 && f->absent[slot] == 0 && seen.us) {
		x.verdict = V_PRESENT;
		x.at = wall_of(seen);
	} else if (f->absent[slot] > 0 && f->present[slot] == 0) {
		x.verdict = V_ABSENT;
		x.at = f->first_absent[slot].us ? wall_of(f->first_absent[slot]) : x.now;
		x.last_present = wall_of(seen);
	} else {
		return;
	}
	if (ledger_note(s->ledger, r, &x))
		archive_verdict(s, r, &x);
}

void ledger_look(struct service *s)
{
	if (!s->ledger_loaded || !s->loaded)
		return;
	measure_view(s);
	if (s->view->suspect)
		return;
	for (int k = BLUE; k <= GREEN; k++) {
		struct ledger_release *r = ledger_in_slot(s->ledger, (enum slot)k);

		for (size_t i = 0; r && strcmp(r->id, s->rec.slot[k].id) == 0 && i < s->cfg->n_features; i++)
			look_at(s, r, (enum slot)k, i);
	}
}

/* Before a slot holds another release: what was seen last belongs to the one that was there. */
void ledger_adopting(struct service *s, const struct record *next)
{
	for (int k = BLUE; k <= GREEN; k++)
		if (strcmp(s->rec.slot[k].id, next->slot[k].id) != 0 || s->rec.slot[k].arrived.ms != next->slot[k].arrived.ms) {
			ledger_look(s);
			return;
		}
}

static bool take_manifest(struct ledger_release *r, json_t *taken)
{
	char *text = json_dumps(taken, JSON_COMPACT);
	bool ok = text && ledger_manifest(r, text);

	free(text);
	json_decref(taken);
	return ok;
}

/* What the deploy that was just committed brought, or its slot told: kept until the ledger was read, which may be a moment after a start. */
static void brought(struct service *s)
{
	const struct order *o = s->current;
	const struct manifest *m = o && o->input.kind == IN_DEPLOY ? o->manifest : NULL;

	if (!o && strcmp(s->d->event.kind, "manifest.read") == 0 && s->gates.own == SM_READ && s->gates.deploy == s->rec.deploy.id)
		m = s->gates.manifest;
	if (!m)
		return;
	json_decref(s->brought);
	s->brought = manifest_json(m);
	s->brought_by = s->rec.deploy.id;
}

/* The whole of what the deploy brought; else what the record keeps of it. */
static void manifests(struct service *s)
{
	for (int k = BLUE; k <= GREEN; k++) {
		struct ledger_release *r = ledger_in_slot(s->ledger, (enum slot)k);
		bool whole = s->brought && s->brought_by == s->rec.deploy.id && s->rec.deploy.slot == (enum slot)k;

		if (!r || !s->rec.slot[k].manifest || (whole && take_manifest(r, json_incref(s->brought))))
			continue;
		if (!r->manifest && !take_manifest(r, release_manifest(&s->rec.slot[k])))
			log_warn("ledger", "service=%s release=%s what=\"its manifest is too large to be remembered\"", s->cfg->name, r->id);
	}
	json_decref(s->brought);
	s->brought = NULL;
}

void ledger_adopted(struct service *s)
{
	brought(s);
	if (!s->ledger_loaded || !s->loaded)
		return;
	ledger_record(s->ledger, &s->rec, wall_now());
	manifests(s);
	archive_evicted(s);
	ledger_save(s); /* who was made live is not seen again after a kill, as a verdict is */
}

/* ---- out to the store ---- */

static void put(struct service *s, const char *what, json_t *taken)
{
	char *text = taken ? json_dumps(taken, JSON_COMPACT) : NULL;

	json_decref(taken);
	store_put(s->e->store, s->cfg->name, what, text ? text : "");
	free(text);
}

void ledger_save(struct service *s)
{
	struct ledger *l = s->ledger;
	char what[32];

	if (!s->ledger_loaded || s->ledger_readonly || !store_is_up(s->e->store))
		return;
	for (size_t i = 0; i < l->n; i++) {
		struct ledger_release *r = l->list[i];

		TEXT_FORMAT(what, "ledger.%u", r->number);
		if (r->dirty)
			put(s, what, ledger_release_json(r));
		TEXT_FORMAT(what, "ledger.%u.more", r->number);
		if (r->more_dirty)
			put(s, what, ledger_more_json(r));
		r->dirty = r->more_dirty = false;
	}
	if (l->dirty)
		put(s, "ledger", ledger_head_json(l)); /* last: it names only what is there */
	l->dirty = false;
}

void ledger_beat(struct service *s)
{
	mono_us now = mono_now();

	if (s->next_ledger.us > now.us)
		return;
	s->next_ledger = mono_plus_ms(now, LOOK_MS);
	read_all(s);
	ledger_look(s);
	ledger_save(s);
}

/* ---- what others tell ---- */

static struct ledger_release *told_of(struct service *s, const char *release, enum slot slot)
{
	struct ledger_release *r = s->ledger_loaded && slot != NO_SLOT ? ledger_in_slot(s->ledger, slot) : NULL;

	return r && strcmp(r->id, release) == 0 ? r : NULL;
}

bool ledger_told_inventory(struct service *s, const char *release, enum slot slot, const struct ledger_route *routes, size_t n, bool whole)
{
	struct ledger_release *r = told_of(s, release, slot);

	if (!r)
		return false;
	ledger_inventory(r, routes, n, whole, wall_now());
	archive_release(s, r, "ledger.inventory");
	return true;
}

void ledger_told_late(struct service *s, const struct broken *b)
{
	struct ledger_release *r = ledger_in_slot(s->ledger, b->release->slot);

	if (r != b->release)
		return;
	b->fact->told = b->fact->absent_since;
	r->dirty = true;
}

void ledger_archive_round(struct service *s, const char *why, bool whole, json_t *borrowed)
{
	to_archive(s, json_pack("{s:s,s:I,s:s,s:b,s:O}", "kind", "recheck", "at", (json_int_t)wall_now().ms, "because", why, "whole", whole, "broken",
				borrowed));
}

/* ---- reading ---- */

static bool saved(const struct ledger *l)
{
	bool dirty = l->dirty;

	for (size_t i = 0; i < l->n; i++)
		dirty = dirty || l->list[i]->dirty || l->list[i]->more_dirty;
	return !dirty;
}

json_t *engine_ledger(const struct engine *e, const char *service)
{
	const struct service *s = engine_find(e, service);
	json_t *o;

	if (!s)
		return NULL;
	o = ledger_json(s->ledger, s->cfg->name);
	must(json_object_set_new(o, "loaded", json_boolean(s->ledger_loaded)) == 0);
	must(json_object_set_new(o, "saved", json_boolean(saved(s->ledger))) == 0);
	return o;
}

json_t *engine_blame(const struct engine *e, const char *service, const char *feature)
{
	struct service *s = engine_find(e, service);
	struct blame_now now = { .service = service, .feature = feature, .path = "" };
	const struct feature *f = s ? config_feature(s->cfg, feature) : NULL;
	char path[256], why[160];

	if (!s || (!f && !ledger_feature(s->ledger, feature)))
		return NULL;
	ledger_look(s);
	now.active = s->rec.active;
	now.watched = f != NULL;
	if (f && text_copy_n(path, sizeof(path), f->path, strcspn(f->path, "?#")))
		now.path = path;
	for (int k = BLUE; k <= GREEN; k++) {
		TEXT_COPY(now.release[k], s->rec.slot[k].id);
		now.at[k] = f ? s->view->f[f - s->cfg->features].at[k] : V_UNKNOWN;
	}
	if (now.active == BLUE || now.active == GREEN) {
		enum slot idle = now.active == BLUE ? GREEN : BLUE;
		const struct release *r = &s->rec.slot[idle];

		now.target = decide_rollback_target(&s->rec, &s->condemned, why);
		now.whole = s->view->slot[idle].whole && r->id[0] && !condemned_find(&s->condemned, r->id, r->digest);
	}
	return blame_json(s->ledger, &now);
}
