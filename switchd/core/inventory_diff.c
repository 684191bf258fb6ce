/* SPDX-License-Identifier: MIT
 * inventory_diff.c - what the active slot has and the idle one lacks; which routes nobody probes. */
#include <stdlib.h>
#include <string.h>

#include "switchd/core/inventory.h"

const char *fate_name(enum fate f)
{
	static const char *const names[N_FATES] = { "lost", "unknown", "changed", "removed", "gained", "present", "broken-both" };

	return names[f];
}

/* ---- one route ---- */

/* Is it there?  Listed, and where it was asked, not answered with "no such thing" or an error of the server's. */
enum has { HAS_NOT, HAS, HAS_UNKNOWN };

static enum has has(const struct inventory_route *r)
{
	if (!r)
		return HAS_NOT;
	if (r->asked == ROUTE_SILENT)
		return HAS_UNKNOWN;
	if (r->asked == ROUTE_ANSWERED && (r->status == 404 || r->status == 410 || r->status >= 500))
		return HAS_NOT;
	return HAS;
}

static void say_route(char *out, size_t size, const char *slot, const struct inventory_route *r)
{
	size_t n = strlen(out);

	if (!r)
		text_format(out + n, size - n, "%s%s does not list it", n ? ", " : "", slot);
	else if (r->asked == ROUTE_ANSWERED)
		text_format(out + n, size - n, "%s%s %ld%s%s", n ? ", " : "", slot, r->status, r->type[0] ? " " : "", r->type);
	else if (r->asked == ROUTE_SILENT)
		text_format(out + n, size - n, "%s%s did not answer", n ? ", " : "", slot);
	else
		text_format(out + n, size - n, "%s%s lists it", n ? ", " : "", slot);
}

/* Another media type, or a failure instead of an answer, is another thing at the same address: a catch-all page, say. */
static bool replaced(const struct inventory_route *a, const struct inventory_route *i)
{
	if (a->asked != ROUTE_ANSWERED || i->asked != ROUTE_ANSWERED)
		return false;
	return a->status / 100 != i->status / 100 || (a->status / 100 == 2 && strcasecmp(a->type, i->type) != 0);
}

static enum fate fate_of(const struct inventory_route *a, const struct inventory_route *i, inventory_same_fn *same)
{
	enum has on_active = has(a), on_idle = has(i);

	if (on_active == HAS_NOT)
		return on_idle == HAS ? FATE_GAINED : on_idle == HAS_UNKNOWN ? FATE_UNKNOWN : FATE_BROKEN;
	if (on_idle == HAS_NOT)
		return on_active == HAS ? FATE_LOST : FATE_UNKNOWN;
	if (on_active == HAS_UNKNOWN || on_idle == HAS_UNKNOWN)
		return FATE_UNKNOWN;
	if (replaced(a, i))
		return a->status / 100 == 2 || a->status / 100 == 3 ? FATE_LOST : FATE_CHANGED;
	if (a->shape && i->shape && same && !same(a->shape, i->shape))
		return FATE_CHANGED;
	return FATE_PRESENT;
}

/* ---- features ---- */

static size_t path_len(const char *p) { return strcspn(p, "?#"); }

/* Segment by segment; {x} on the route's side stands for any one of them. */
static bool path_matches(const char *route, const char *path)
{
	const char *r = route, *p = path, *r_end = route + path_len(route), *p_end = path + path_len(path);

	while (r < r_end && p < p_end) {
		const char *rs = memchr(r + 1, '/', (size_t)(r_end - r - 1)), *ps = memchr(p + 1, '/', (size_t)(p_end - p - 1));
		size_t rn = (size_t)((rs ? rs : r_end) - r), pn = (size_t)((ps ? ps : p_end) - p);
		bool any = rn > 2 && memchr(r, '{', rn) && pn > 1;

		if (!any && (rn != pn || memcmp(r, p, rn) != 0))
			return false;
		r += rn;
		p += pn;
	}
	return r == r_end && p == p_end;
}

bool inventory_probed(const struct service_config *cfg, const char *path)
{
	for (size_t i = 0; i < cfg->n_features; i++)
		if (!cfg->features[i].url[0] && path_matches(path, cfg->features[i].path))
			return true;
	return false;
}

static bool declared(const struct service_config *cfg, const char *path, const char *const *removes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *r = removes[i];
		size_t len = strlen(r);

		if (r[0] == '/' && len > 1 && r[len - 1] == '*' ? strncmp(path, r, len - 1) == 0 : r[0] == '/' && path_matches(r, path))
			return true;
		const struct feature *f = r[0] != '/' ? config_feature(cfg, r) : NULL;

		if (f && !f->url[0] && path_matches(path, f->path))
			return true;
	}
	return false;
}

/* ---- all of them ---- */

static void add(const struct service_config *cfg, struct inventory_diff *d, const struct inventory_route *a, const struct inventory_route *i, enum fate fate)
{
	struct fate_row *row = &d->rows[d->n++];

	*row = (struct fate_row){ .path = a ? a->path : i->path, .fate = fate, .active = a, .idle = i };
	row->probed = inventory_probed(cfg, row->path);
	say_route(row->why, sizeof(row->why), "active", a);
	say_route(row->why, sizeof(row->why), "idle", i);
	d->count[fate]++;
}

static int worst_first(const void *pa, const void *pb)
{
	const struct fate_row *a = pa, *b = pb;

	return a->fate != b->fate ? (a->fate < b->fate ? -1 : 1) : strcmp(a->path, b->path);
}

/* The first few of a fate, for people. */
static void name_some(const struct inventory_diff *d, enum fate fate, const char *what, char *out, size_t size)
{
	size_t told = 0, n;

	text_format(out, size, "%s ", what);
	for (size_t i = 0; i < d->n && told < 3; i++)
		if (d->rows[i].fate == fate) {
			char path[64]; /* cut between characters: it goes into JSON */
			size_t len = strlen(d->rows[i].path);

			text_printable(path, sizeof(path), d->rows[i].path, len < 60 ? len : 60);
			n = strlen(out);
			text_format(out + n, size - n, "%s%s", told++ ? ", " : "", path);
		}
	n = strlen(out);
	if (d->count[fate] > told)
		text_format(out + n, size - n, " and %zu more", d->count[fate] - told);
}

static const char *first_trouble(const struct inventory *inv) { return inv->n_notes ? inv->notes[0] : inv->late ? "not every route was asked in time" : ""; }

static void conclude(struct inventory_diff *d, const struct inventory *active, const struct inventory *idle)
{
	bool bad_active = active && (active->failed || active->late), bad_idle = idle->failed || idle->late || idle->absent;

	d->known = !bad_active && !bad_idle && !d->count[FATE_UNKNOWN];
	if (bad_active || bad_idle)
		TEXT_FORMAT(d->why, "%s slot: %s", bad_idle ? "idle" : "active", first_trouble(bad_idle ? idle : active));
	else if (d->count[FATE_UNKNOWN])
		name_some(d, FATE_UNKNOWN, "no answer for", d->why, sizeof(d->why));
	else if (active && active->absent)
		TEXT_FORMAT(d->why, "no inventory on %s yet: %s", slot_name(active->slot), first_trouble(active));
	if (d->count[FATE_LOST])
		name_some(d, FATE_LOST, "lost", d->why, sizeof(d->why));
}

void inventory_compare(const struct service_config *cfg, const struct inventory *active, const struct inventory *idle, const char *const *removes,
		       size_t n_removes, inventory_same_fn *same, struct inventory_diff *out)
{
	const struct inventory *whose = active ? active : idle;

	*out = (struct inventory_diff){ .rows = xcalloc((active ? active->n : 0) + idle->n + 1, sizeof(*out->rows)) };
	for (size_t k = 0; active && k < active->n; k++) {
		const struct inventory_route *a = &active->routes[k], *i = inventory_find(idle, a->path);
		enum fate fate = fate_of(a, i, same);

		if (!i && fate == FATE_LOST && (idle->failed || idle->absent)) /* it may stand on the list that could not be read */
			fate = FATE_UNKNOWN;
		if ((fate == FATE_LOST || fate == FATE_UNKNOWN) && declared(cfg, a->path, removes, n_removes))
			fate = FATE_REMOVED;
		add(cfg, out, a, i, fate);
	}
	for (size_t k = 0; k < idle->n; k++)
		if (!active || !inventory_find(active, idle->routes[k].path))
			add(cfg, out, NULL, &idle->routes[k], fate_of(NULL, &idle->routes[k], same));
	for (size_t k = 0; k < whose->n; k++) {
		if (has(&whose->routes[k]) == HAS_NOT)
			continue;
		out->routes++;
		out->probed += inventory_probed(cfg, whose->routes[k].path);
	}
	qsort(out->rows, out->n, sizeof(*out->rows), worst_first);
	conclude(out, active, idle);
}

void inventory_diff_free(struct inventory_diff *d)
{
	free(d->rows);
	*d = (struct inventory_diff){ 0 };
}

/* ---- JSON ---- */

static json_t *route_json(const struct inventory_route *r)
{
	json_t *o = json_pack("{s:s,s:b}", "path", r->path, "pattern", r->pattern);
	json_t *shape = r->shape ? json_loads(r->shape, 0, NULL) : NULL;

	if (r->asked == ROUTE_ANSWERED)
		json_object_set_new(o, "status", json_integer(r->status));
	if (r->asked != ROUTE_NOT_ASKED)
		json_object_set_new(o, "answered", json_boolean(r->asked == ROUTE_ANSWERED));
	if (r->type[0])
		json_object_set_new(o, "type", json_string(r->type));
	if (shape)
		json_object_set_new(o, "shape", shape);
	return o;
}

json_t *inventory_json(const struct inventory *inv)
{
	json_t *notes = json_array(), *routes = json_array();

	for (size_t i = 0; i < inv->n_notes; i++)
		json_array_append_new(notes, json_string(inv->notes[i]));
	for (size_t i = 0; i < inv->n; i++)
		json_array_append_new(routes, route_json(&inv->routes[i]));
	return json_pack("{s:I,s:s,s:s,s:b,s:I,s:o,s:o}", "at", (json_int_t)inv->at.ms, "release", inv->release, "target", inv->target, "complete",
			 !inv->failed && !inv->late && !inv->absent, "left_out", (json_int_t)inv->left_out, "notes", notes, "routes", routes);
}

static json_t *side_json(const struct inventory_route *r)
{
	json_t *o;

	if (!r)
		return json_null();
	o = route_json(r);
	json_object_del(o, "path");
	json_object_del(o, "pattern");
	json_object_del(o, "shape");
	return o;
}

json_t *inventory_diff_json(const struct inventory_diff *d)
{
	json_t *rows = json_array(), *counts = json_object();

	for (int f = 0; f < N_FATES; f++)
		json_object_set_new(counts, fate_name((enum fate)f), json_integer((json_int_t)d->count[f]));
	for (size_t i = 0; i < d->n; i++) {
		const struct fate_row *r = &d->rows[i];

		json_array_append_new(rows, json_pack("{s:s,s:s,s:b,s:s,s:o,s:o}", "path", r->path, "fate", fate_name(r->fate), "probed", r->probed, "why", r->why,
						      "active", side_json(r->active), "idle", side_json(r->idle)));
	}
	return json_pack("{s:b,s:s,s:o,s:I,s:I,s:I,s:o}", "known", d->known, "why", d->why, "counts", counts, "active_routes", (json_int_t)d->routes, "probed",
			 (json_int_t)d->probed, "coverage_percent", (json_int_t)(d->routes ? 100 * d->probed / d->routes : 0), "routes", rows);
}
