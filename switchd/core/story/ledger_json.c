/* SPDX-License-Identifier: MIT
 * ledger_json.c - the ledger's forms: in the store (short, untrusted when read), in the API and in the archive. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/story/ledger.h"

enum { ROUTES_BYTES = LEDGER_VALUE - LEDGER_MANIFEST - 1024 };
#define BIGGEST (INT64_C(1) << 53)

static void put(json_t *o, const char *key, json_t *value) { must(json_object_set_new(o, key, value) == 0); }
static json_t *ms(wall_ms t) { return t.ms ? json_integer(t.ms) : json_null(); }

static json_t *text(const char *s)
{
	char safe[600];
	json_t *j = json_string(s);

	if (j)
		return j;
	text_printable(safe, sizeof(safe), s, strlen(s));
	return json_string(safe);
}

/* ---- the store's forms ---- */

static json_t *probe_json(uint64_t probe)
{
	char hex[24];

	TEXT_FORMAT(hex, "%016" PRIx64, probe);
	return json_string(hex);
}

json_t *ledger_head_json(const struct ledger *l)
{
	json_t *features = json_array(), *numbers = json_array();

	for (size_t i = 0; i < l->n_features; i++)
		json_array_append_new(features, json_pack("[s,o,I]", l->features[i].name, probe_json(l->features[i].probe), (json_int_t)l->features[i].since.ms));
	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(numbers, json_integer((json_int_t)l->list[i]->number));
	for (unsigned k = 0; k < LEDGER_RELEASES; k++)
		if (l->reserved & UINT32_C(1) << k)
			json_array_append_new(numbers, json_integer((json_int_t)k));
	return json_pack("{s:i,s:o,s:o}", "v", 1, "features", features, "releases", numbers);
}

static json_t *live_short(const struct ledger_live *v)
{
	return json_pack("[I,I,s,s]", (json_int_t)v->from.ms, (json_int_t)v->to.ms, v->by, v->ended_by);
}

json_t *ledger_release_json(const struct ledger_release *r)
{
	json_t *facts = json_array(), *o;

	for (size_t i = 0; i < r->n_facts; i++) {
		const struct ledger_fact *f = &r->facts[i];

		json_array_append_new(facts, json_pack("[s,o,s,I,I,I,I,I,I]", f->feature, probe_json(f->probe), verdict_name(f->now),
						       (json_int_t)f->first_present.ms, (json_int_t)f->last_present.ms, (json_int_t)f->first_absent.ms,
						       (json_int_t)f->last_absent.ms, (json_int_t)f->absent_since.ms, (json_int_t)f->told.ms));
	}
	o = json_pack("{s:i,s:s,s:o,s:s,s:s,s:b,s:I,s:I,s:I,s:I,s:i}", "v", 1, "id", r->id, "digest", text(r->digest), "slot", slot_name(r->slot),
		      "state", release_state_name(r->state), "held", r->held, "arrived", (json_int_t)r->arrived.ms, "again", (json_int_t)r->again.ms,
		      "left", (json_int_t)r->left.ms, "baked", (json_int_t)r->baked.ms, "rechecks", r->rechecks);
	put(o, "lives", json_integer((json_int_t)r->n_live));
	put(o, "first", live_short(&r->first));
	put(o, "last", live_short(&r->last));
	put(o, "facts", facts);
	return o;
}

/* Routes as far as one value holds them. */
static json_t *routes_short(const struct ledger_release *r, bool *cut)
{
	json_t *list = json_array();
	size_t bytes = 0;

	*cut = r->routes_cut;
	for (size_t i = 0; i < r->n_routes; i++) {
		const struct ledger_route *x = &r->routes[i];

		bytes += 6 * (strlen(x->path) + strlen(x->shape)) / 5 + 20;
		if (bytes > ROUTES_BYTES) {
			*cut = true;
			break;
		}
		json_array_append_new(list, json_pack("[o,i,o]", text(x->path), x->status, text(x->shape)));
	}
	return list;
}

json_t *ledger_more_json(const struct ledger_release *r)
{
	bool cut;
	json_t *routes;

	if (!r->manifest && !r->inventory_at.ms)
		return NULL;
	routes = routes_short(r, &cut);
	return json_pack("{s:i,s:s,s:o,s:I,s:b,s:o}", "v", 1, "id", r->id, "manifest", r->manifest ? json_loads(r->manifest, 0, NULL) : json_null(),
			 "at", (json_int_t)r->inventory_at.ms, "cut", cut, "routes", routes);
}

/* ---- back from the store: anybody may have written it ---- */

static bool bad(char *why, size_t size, const char *what)
{
	text_format(why, size, "%s", what);
	return false;
}

static bool time_of(const json_t *j, wall_ms *out)
{
	if (!json_is_integer(j) || json_integer_value(j) < 0 || json_integer_value(j) > BIGGEST)
		return false;
	out->ms = json_integer_value(j);
	return true;
}

static bool probe_of(const json_t *j, uint64_t *out)
{
	const char *s = json_string_value(j);
	char *end;

	if (!s || strlen(s) != 16 || s[strspn(s, "0123456789abcdef")])
		return false;
	*out = strtoull(s, &end, 16);
	return true;
}

static bool name_of(const json_t *j, name_text out)
{
	const char *s = json_string_value(j);

	return s && name_ok(s) && text_copy(out, sizeof(name_text), s);
}

static bool id_of(const json_t *j, id_text out, bool empty_too)
{
	const char *s = json_string_value(j);

	return s && (id_ok(s) || (empty_too && !s[0])) && text_copy(out, sizeof(id_text), s);
}

bool ledger_head_parse(struct ledger *l, const char *given, uint32_t *numbers, char *why, size_t size)
{
	json_t *o = json_loads(given, JSON_REJECT_DUPLICATES, NULL), *features = json_object_get(o, "features"), *list = json_object_get(o, "releases"), *x;
	struct ledger *made = ledger_new();
	bool ok = json_integer_value(json_object_get(o, "v")) == 1 && json_is_array(features) && json_is_array(list) &&
		  json_array_size(features) <= LEDGER_FEATURES;
	size_t i;

	*numbers = 0;
	json_array_foreach(features, i, x) {
		struct ledger_feature f = { 0 };

		ok = ok && name_of(json_array_get(x, 0), f.name) && probe_of(json_array_get(x, 1), &f.probe) && time_of(json_array_get(x, 2), &f.since) &&
		     !ledger_feature(made, f.name);
		if (ok)
			made->features[made->n_features++] = f;
	}
	json_array_foreach(list, i, x) {
		json_int_t k = json_integer_value(x);

		ok = ok && json_is_integer(x) && k >= 0 && k < LEDGER_RELEASES;
		if (ok)
			*numbers |= UINT32_C(1) << k;
	}
	json_decref(o);
	if (ok) {
		memcpy(l->features, made->features, sizeof(l->features));
		l->n_features = made->n_features;
	}
	ledger_free(&made);
	return ok || bad(why, size, "no head of a ledger");
}

static bool live_parse(const json_t *j, struct ledger_live *v)
{
	return json_array_size(j) == 4 && time_of(json_array_get(j, 0), &v->from) && time_of(json_array_get(j, 1), &v->to) &&
	       id_of(json_array_get(j, 2), v->by, true) && id_of(json_array_get(j, 3), v->ended_by, true);
}

static bool verdict_of(const json_t *j, enum verdict *out)
{
	const char *s = json_string_value(j);

	for (int v = V_UNKNOWN; s && v <= V_ABSENT; v++)
		if (strcmp(verdict_name((enum verdict)v), s) == 0) {
			*out = (enum verdict)v;
			return true;
		}
	return false;
}

static bool fact_parse(const json_t *j, struct ledger_fact *f)
{
	wall_ms *const times[] = { &f->first_present, &f->last_present, &f->first_absent, &f->last_absent, &f->absent_since, &f->told };
	bool ok = json_array_size(j) == 3 + ARRAY_LEN(times) && name_of(json_array_get(j, 0), f->feature) &&
		  probe_of(json_array_get(j, 1), &f->probe) && verdict_of(json_array_get(j, 2), &f->now);

	for (size_t i = 0; ok && i < ARRAY_LEN(times); i++)
		ok = time_of(json_array_get(j, 3 + i), times[i]);
	return ok;
}

static bool facts_parse(struct ledger_release *r, const json_t *facts)
{
	size_t i;
	json_t *x;

	if (!json_is_array(facts) || json_array_size(facts) > LEDGER_FACTS)
		return false;
	r->facts = xcalloc(json_array_size(facts) + 1, sizeof(*r->facts));
	json_array_foreach((json_t *)facts, i, x) {
		struct ledger_fact f = { .now = V_UNKNOWN };

		if (!fact_parse(x, &f) || ledger_fact(r, f.feature))
			return false;
		r->facts[r->n_facts++] = f;
	}
	return true;
}

static bool release_fields(struct ledger_release *r, const json_t *o)
{
	const char *slot = json_string_value(json_object_get(o, "slot")), *state = json_string_value(json_object_get(o, "state"));
	const char *digest = json_string_value(json_object_get(o, "digest"));
	const json_t *lives = json_object_get(o, "lives"), *rechecks = json_object_get(o, "rechecks");

	if (json_integer_value(json_object_get(o, "v")) != 1 || !id_of(json_object_get(o, "id"), r->id, false) || !slot || !slot_parse(slot, &r->slot) ||
	    !state || !release_state_parse(state, &r->state) || !digest || strlen(digest) > TAG_LEN || !json_is_boolean(json_object_get(o, "held")))
		return false;
	text_printable(r->digest, sizeof(r->digest), digest, strlen(digest));
	r->held = json_is_true(json_object_get(o, "held"));
	if (!json_is_integer(lives) || json_integer_value(lives) < 0 || json_integer_value(lives) > INT32_MAX || !json_is_integer(rechecks) ||
	    json_integer_value(rechecks) < 0 || json_integer_value(rechecks) > 1000)
		return false;
	r->n_live = (unsigned)json_integer_value(lives);
	r->rechecks = (int)json_integer_value(rechecks);
	return time_of(json_object_get(o, "arrived"), &r->arrived) && time_of(json_object_get(o, "again"), &r->again) &&
	       time_of(json_object_get(o, "left"), &r->left) && time_of(json_object_get(o, "baked"), &r->baked) &&
	       live_parse(json_object_get(o, "first"), &r->first) && live_parse(json_object_get(o, "last"), &r->last) &&
	       facts_parse(r, json_object_get(o, "facts"));
}

bool ledger_release_parse(struct ledger *l, unsigned number, const char *given, char *why, size_t size)
{
	json_t *o = json_loads(given, JSON_REJECT_DUPLICATES, NULL);
	struct ledger_release *r = xcalloc(1, sizeof(*r));
	bool ok = release_fields(r, o) && l->n < LEDGER_RELEASES && number < LEDGER_RELEASES;
	size_t at = l->n;

	json_decref(o);
	for (size_t i = 0; i < l->n; i++)
		ok = ok && l->list[i]->number != number;
	if (!ok) {
		ledger_release_free(r);
		return bad(why, size, "no release of a ledger");
	}
	r->number = number;
	while (at > 0 && l->list[at - 1]->arrived.ms > r->arrived.ms)
		at--;
	memmove(&l->list[at + 1], &l->list[at], (l->n - at) * sizeof(l->list[0]));
	l->list[at] = r;
	l->n++;
	return true;
}

static bool routes_parse(const json_t *list, struct ledger_route *out)
{
	size_t i;
	json_t *x;

	json_array_foreach((json_t *)list, i, x) {
		const char *path = json_string_value(json_array_get(x, 0)), *shape = json_string_value(json_array_get(x, 2));
		json_int_t status = json_integer_value(json_array_get(x, 1));

		if (json_array_size(x) != 3 || !path || !shape || strlen(path) >= sizeof(out->path) || strlen(shape) >= sizeof(out->shape) || status < 0 ||
		    status > 999)
			return false;
		text_printable(out[i].path, sizeof(out[i].path), path, strlen(path));
		text_printable(out[i].shape, sizeof(out[i].shape), shape, strlen(shape));
		out[i].status = (int)status;
	}
	return true;
}

static struct ledger_release *numbered(const struct ledger *l, unsigned number)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i]->number == number)
			return l->list[i];
	return NULL;
}

bool ledger_more_parse(struct ledger *l, unsigned number, const char *given, char *why, size_t size)
{
	struct ledger_release *r = numbered(l, number);
	json_t *o = json_loads(given, JSON_REJECT_DUPLICATES, NULL), *list = json_object_get(o, "routes"), *manifest = json_object_get(o, "manifest");
	const char *id = json_string_value(json_object_get(o, "id"));
	char *dumped = json_is_object(manifest) ? json_dumps(manifest, JSON_COMPACT) : NULL;
	struct ledger_route *routes = NULL;
	wall_ms at = { 0 };
	/* Written after the release itself: after a crash between the two it may be another one's. */
	bool other = r && id && strcmp(id, r->id) != 0;
	bool ok = r && id && json_integer_value(json_object_get(o, "v")) == 1 && json_is_array(list) && json_array_size(list) <= LEDGER_ROUTES &&
		  (json_is_null(manifest) || (dumped && strlen(dumped) <= LEDGER_MANIFEST)) && time_of(json_object_get(o, "at"), &at);

	if (ok) {
		routes = xcalloc(json_array_size(list) + 1, sizeof(*routes));
		ok = routes_parse(list, routes);
	}
	if (ok && !other) {
		r->manifest = dumped;
		r->inventory_at = at;
		r->routes = routes;
		r->n_routes = json_array_size(list);
		r->routes_cut = json_is_true(json_object_get(o, "cut"));
		r->more_dirty = false;
		dumped = NULL;
		routes = NULL;
	}
	free(dumped);
	free(routes);
	json_decref(o);
	return ok || bad(why, size, "no manifest and routes of a release");
}

/* ---- for people and programs ---- */

static json_t *live_json(const struct ledger_live *v)
{
	json_t *o = json_object();

	put(o, "from", ms(v->from));
	put(o, "by", text(v->by));
	put(o, "to", ms(v->to));
	put(o, "ended_by", v->to.ms ? text(v->ended_by) : json_null());
	return o;
}

static json_t *fact_json(const struct ledger_fact *f)
{
	json_t *o = json_object();

	put(o, "feature", json_string(f->feature));
	put(o, "verdict", json_string(verdict_name(f->now)));
	put(o, "first_present", ms(f->first_present));
	put(o, "last_present", ms(f->last_present));
	put(o, "first_absent", ms(f->first_absent));
	put(o, "last_absent", ms(f->last_absent));
	put(o, "absent_since", ms(f->absent_since));
	put(o, "probe", probe_json(f->probe));
	return o;
}

static json_t *inventory_json(const struct ledger_release *r)
{
	json_t *routes, *o;

	if (!r->inventory_at.ms)
		return json_null();
	routes = json_array();
	for (size_t i = 0; i < r->n_routes; i++)
		json_array_append_new(routes, json_pack("{s:o,s:i,s:o}", "path", text(r->routes[i].path), "status", r->routes[i].status, "shape",
							text(r->routes[i].shape)));
	o = json_object();
	put(o, "at", ms(r->inventory_at));
	put(o, "cut", json_boolean(r->routes_cut));
	put(o, "routes", routes);
	return o;
}

json_t *ledger_release_whole(const struct ledger_release *r)
{
	json_t *o = json_object(), *facts = json_array();

	put(o, "release", json_string(r->id));
	put(o, "digest", text(r->digest));
	put(o, "slot", json_string(slot_name(r->slot)));
	put(o, "state", json_string(release_state_name(r->state)));
	put(o, "held", json_boolean(r->held));
	put(o, "arrived", ms(r->arrived));
	put(o, "announced", ms(r->again));
	put(o, "left", ms(r->left));
	put(o, "baked", ms(r->baked));
	put(o, "lives", json_integer((json_int_t)r->n_live));
	put(o, "first_live", r->n_live ? live_json(&r->first) : json_null());
	put(o, "last_live", r->n_live ? live_json(&r->last) : json_null());
	put(o, "manifest", r->manifest ? json_loads(r->manifest, 0, NULL) : json_null());
	put(o, "inventory", inventory_json(r));
	for (size_t i = 0; i < r->n_facts; i++)
		json_array_append_new(facts, fact_json(&r->facts[i]));
	put(o, "facts", facts);
	return o;
}

json_t *ledger_json(const struct ledger *l, const char *service)
{
	json_t *features = json_array(), *releases = json_array();

	for (size_t i = 0; i < l->n_features; i++) {
		json_t *f = json_object();

		put(f, "name", json_string(l->features[i].name));
		put(f, "since", ms(l->features[i].since));
		put(f, "watched", json_boolean(l->features[i].watched));
		json_array_append_new(features, f);
	}
	for (size_t i = l->n; i-- > 0;)
		json_array_append_new(releases, ledger_release_whole(l->list[i]));
	return json_pack("{s:s,s:o,s:o}", "service", service, "features", features, "releases", releases);
}
