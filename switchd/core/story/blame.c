/* SPDX-License-Identifier: MIT
 * blame.c - from facts to a name. */
#include "switchd/core/story/blame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CHANGED = 64, MAX_DEPTH = 8, FIELD_LEN = 200 };

const char *blame_answer_name(enum blame_answer a)
{
	static const char *const names[] = { "found", "no-good", "intact", "unknown" };

	return names[a];
}

/* ---- what one release had ---- */

enum had { HAD_UNKNOWN, HAD, HAD_NOT };

static enum had judge(const struct ledger *l, const struct ledger_release *r, const struct blame_now *now, enum blame_source *by)
{
	const struct ledger_feature *f = ledger_feature(l, now->feature);
	const struct ledger_fact *fact = ledger_fact(r, now->feature);

	*by = FROM_NOTHING;
	if (fact && f && fact->probe == f->probe && fact->now != V_UNKNOWN) {
		*by = FROM_PROBES;
		return fact->now == V_PRESENT ? HAD : HAD_NOT;
	}
	if (!now->path[0] || !r->inventory_at.ms)
		return HAD_UNKNOWN;
	const struct ledger_route *route = ledger_route(r, now->path);

	if (!route && r->routes_cut)
		return HAD_UNKNOWN; /* it may have been among those that were cut */
	*by = FROM_INVENTORY;
	return route && (!route->status || (route->status >= 200 && route->status < 400)) ? HAD : HAD_NOT;
}

/* What a release had before it lost it counts too: good before it was bad. */
void blame_find(const struct ledger *l, const struct blame_now *now, struct blame *b)
{
	const struct ledger_feature *f = ledger_feature(l, now->feature);
	enum blame_source by;
	size_t i = l->n, known = 0;

	*b = (struct blame){ .answer = BLAME_UNKNOWN, .since = f ? f->since : (wall_ms){ 0 } };
	for (; i-- > 0;) {
		const struct ledger_release *r = l->list[i];
		enum had had = judge(l, r, now, &by);

		known += had != HAD_UNKNOWN;
		if (had == HAD_NOT) {
			b->bad = r;
			b->bad_by = by;
			b->n_between = 0;
		} else if (had == HAD && b->bad) {
			b->good = r;
			b->good_by = by;
			break;
		} else if (had == HAD) {
			b->fixed = r;
		} else if (b->bad) {
			b->between[b->n_between++] = r;
		}
	}
	if (!b->bad) {
		b->answer = known ? BLAME_INTACT : BLAME_UNKNOWN;
		b->fixed = NULL;
		b->n_between = 0;
		return;
	}
	b->answer = b->good ? BLAME_FOUND : BLAME_NO_GOOD;
	if (!b->good)
		b->n_between = 0;
	b->by_inventory = b->good_by == FROM_INVENTORY || b->bad_by == FROM_INVENTORY || (b->since.ms && b->since.ms > b->bad->arrived.ms);
}

/* ---- what else changed ---- */

static void put(json_t *o, const char *key, json_t *value) { must(json_object_set_new(o, key, value) == 0); }
static json_t *ms(wall_ms t) { return t.ms ? json_integer(t.ms) : json_null(); }

static void differ(json_t *list, const char *field, const json_t *good, const json_t *bad)
{
	json_t *o;

	if (json_array_size(list) >= MAX_CHANGED)
		return;
	o = json_object();
	put(o, "field", json_string(field));
	put(o, "good", good ? json_deep_copy(good) : json_null());
	put(o, "bad", bad ? json_deep_copy(bad) : json_null());
	json_array_append_new(list, o);
}

static void compare(json_t *list, const char *at, const json_t *good, const json_t *bad, int depth)
{
	const char *key;
	json_t *x;
	char field[FIELD_LEN];

	if (good && bad && json_equal(good, bad))
		return;
	if (!json_is_object(good) || !json_is_object(bad) || depth == MAX_DEPTH) {
		differ(list, at, good, bad);
		return;
	}
	json_object_foreach((json_t *)good, key, x) {
		text_format(field, sizeof(field), "%s%s%s", at, at[0] ? "." : "", key);
		compare(list, field, x, json_object_get(bad, key), depth + 1);
	}
	json_object_foreach((json_t *)bad, key, x)
		if (!json_object_get(good, key)) {
			text_format(field, sizeof(field), "%s%s%s", at, at[0] ? "." : "", key);
			differ(list, field, NULL, x);
		}
}

json_t *blame_changed(const char *good, const char *bad)
{
	json_t *g = json_loads(good, 0, NULL), *b = json_loads(bad, 0, NULL), *list = json_array();

	compare(list, "", g, b, 0);
	json_decref(g);
	json_decref(b);
	return list;
}

/* ---- the answer as JSON ---- */

static json_t *live_json(const struct ledger_live *v)
{
	json_t *o = json_object();

	put(o, "from", ms(v->from));
	put(o, "by", json_string(v->by));
	put(o, "to", ms(v->to));
	put(o, "ended_by", v->to.ms ? json_string(v->ended_by) : json_null());
	return o;
}

static json_t *digest_json(const struct ledger_release *r)
{
	char safe[TAG_LEN + 1];

	text_printable(safe, sizeof(safe), r->digest, strlen(r->digest));
	return json_string(safe);
}

static json_t *side_json(const struct ledger_release *r, enum blame_source by, const struct blame_now *now)
{
	static const char *const sources[] = { "nothing", "probes", "inventory" };
	const struct ledger_fact *f;
	const struct ledger_route *route;
	json_t *o;

	if (!r)
		return json_null();
	f = by == FROM_PROBES ? ledger_fact(r, now->feature) : NULL;
	route = now->path[0] ? ledger_route(r, now->path) : NULL;
	o = json_object();
	put(o, "release", json_string(r->id));
	put(o, "digest", digest_json(r));
	put(o, "slot", json_string(slot_name(r->slot)));
	put(o, "state", json_string(release_state_name(r->state)));
	put(o, "held", json_boolean(r->held));
	put(o, "arrived", ms(r->arrived));
	put(o, "left", ms(r->left));
	put(o, "lives", json_integer((json_int_t)r->n_live));
	put(o, "first_live", r->n_live ? live_json(&r->first) : json_null());
	put(o, "last_live", r->n_live ? live_json(&r->last) : json_null());
	put(o, "source", json_string(sources[by]));
	put(o, "first_present", f ? ms(f->first_present) : json_null());
	put(o, "last_present", f ? ms(f->last_present) : json_null());
	put(o, "first_absent", f ? ms(f->first_absent) : json_null());
	put(o, "absent_since", f ? ms(f->absent_since) : json_null());
	put(o, "inventory", !r->inventory_at.ms || !now->path[0] ? json_null()
			    : json_pack("{s:o,s:s,s:o}", "at", ms(r->inventory_at), "path", now->path, "status",
					route ? json_integer(route->status) : json_null()));
	return o;
}

static const char *manifests(const struct blame *b)
{
	bool good = b->good && b->good->manifest, bad = b->bad && b->bad->manifest;

	return good && bad ? "both" : good ? "good" : bad ? "bad" : "none";
}

static json_t *copies_json(const struct blame_now *now)
{
	json_t *list = json_array();

	for (int k = BLUE; k <= GREEN; k++)
		if (now->at[k] == V_PRESENT)
			json_array_append_new(list, json_pack("{s:s,s:s,s:b}", "slot", slot_name((enum slot)k), "release", now->release[k], "active",
							      now->active == (enum slot)k));
	return list;
}

/* The one command that follows from it. */
static json_t *next_json(const struct blame *b, const struct blame_now *now)
{
	enum slot idle = other_slot(now->active);
	char next[400];

	if (!now->watched)
		TEXT_FORMAT(next, "add %s to the features of %s in the config", now->feature, now->service);
	else if (now->active != NO_SLOT && now->at[now->active] == V_PRESENT)
		TEXT_FORMAT(next, "switchctl evidence %s/%s", now->service, now->feature);
	else if (idle != NO_SLOT && now->at[idle] == V_PRESENT && now->whole)
		TEXT_FORMAT(next, "switchctl flip %s --to %s", now->service, slot_name(idle));
	else if (idle != NO_SLOT && now->at[idle] == V_PRESENT && now->target)
		TEXT_FORMAT(next, "switchctl rollback %s", now->service);
	else if (idle != NO_SLOT && now->at[idle] == V_PRESENT)
		TEXT_FORMAT(next, "switchctl flip %s --to %s --force -m WHY", now->service, slot_name(idle));
	else if (b->good && idle != NO_SLOT)
		TEXT_FORMAT(next, "switchctl deploy %s --slot %s --release %s", now->service, slot_name(idle), b->good->id);
	else
		TEXT_FORMAT(next, "switchctl why %s", now->service);
	return json_string(next);
}

json_t *blame_json(const struct ledger *l, const struct blame_now *now)
{
	struct blame b;
	json_t *o = json_object(), *between = json_array();

	blame_find(l, now, &b);
	for (size_t i = b.n_between; i-- > 0;)
		json_array_append_new(between, json_string(b.between[i]->id));
	put(o, "service", json_string(now->service));
	put(o, "feature", json_string(now->feature));
	put(o, "watched", json_boolean(now->watched));
	put(o, "answer", json_string(blame_answer_name(b.answer)));
	put(o, "since", ms(b.since));
	put(o, "no_record_before", b.by_inventory || b.answer == BLAME_UNKNOWN || b.answer == BLAME_NO_GOOD ? ms(b.since) : json_null());
	put(o, "good", side_json(b.good, b.good_by, now));
	put(o, "bad", side_json(b.bad, b.bad_by, now));
	put(o, "fixed", side_json(b.fixed, b.fixed ? FROM_PROBES : FROM_NOTHING, now));
	put(o, "between", between);
	put(o, "manifests", json_string(manifests(&b)));
	put(o, "changed", b.good && b.bad && b.good->manifest && b.bad->manifest ? blame_changed(b.good->manifest, b.bad->manifest) : json_null());
	put(o, "copies", copies_json(now));
	put(o, "next", next_json(&b, now));
	return o;
}
