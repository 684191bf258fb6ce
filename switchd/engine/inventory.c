/* SPDX-License-Identifier: MIT
 * inventory.c - both slots' routes: fetched once a deploy is whole, and when somebody asks; compared, told, kept.
 *
 * A list that could not be read is asked for again, TRIES times in all; then it is said to be unknown, and the gate
 * refuses: nobody can tell what the new release lacks. */
#include <stdlib.h>
#include <string.h>

#include "probes/inventory/inventory.h"
#include "switchd/base/log.h"
#include "switchd/engine/service.h"

enum { TRIES = 3, AGAIN_MS = 1000, MAX_ASKERS = 16 };

struct asker { struct asker *next; engine_probe_fn *done; void *arg; };

struct inventories {
	struct service *s;
	struct inventory *slot[2];
	struct inventory_fetch *fetch[2];
	struct inventory *fresh[2];     /* of the round under way */
	size_t open;                    /* fetches under way */
	bool of_deploy;                 /* this round is the gate's */
	bool live;                      /* of a release that serves already: remembered only */
	uint64_t deploy;                /* the deploy that the view is of */
	uint64_t remembered;            /* the deploy whose routes the ledger has, or is about to have */
	int tries; mono_us again_at;
	enum slot active, idle;         /* of the last comparison; idle NO_SLOT = there was none */
	bool compared;
	wall_ms at;
	struct inventory_diff diff;
	struct inventory_view view;
	bool note_due;                  /* to be written: inventory.compared */
	char noted[512];
	struct asker *askers; size_t n_askers;
};

/* ---- comparing ---- */

static size_t removed_words(const struct release *r, char (*words)[DECLARED_WORD + 1], const char **list, size_t most)
{
	size_t n = 0;

	for (size_t at = 0; n < most && declared_next(&r->removes, &at, words[n]); n++)
		list[n] = words[n];
	return n;
}

static void compare(struct inventories *v)
{
	static char words[128][DECLARED_WORD + 1];
	const char *list[ARRAY_LEN(words)];
	const struct record *rec = &v->s->rec;
	bool proving = rec->phase == PH_PROVING || rec->phase == PH_READY;

	inventory_diff_free(&v->diff);
	v->active = rec->active;
	v->idle = proving ? rec->deploy.slot : v->active != NO_SLOT ? other_slot(v->active) : BLUE;
	size_t n = removed_words(&rec->slot[v->idle], words, list, ARRAY_LEN(words));

	inventory_compare(v->s->cfg, v->active != NO_SLOT && v->active != v->idle ? v->slot[v->active] : NULL, v->slot[v->idle], list, n, inventory_same,
			  &v->diff);
	v->compared = true;
	v->at = wall_now();
}

static void say(const struct inventories *v, char *out, size_t size)
{
	const struct inventory_diff *d = &v->diff;

	text_format(out, size, "%zu routes: %zu present, %zu lost, %zu gained, %zu removed as declared%s%s; %zu of %zu have a probe", d->n,
		    d->count[FATE_PRESENT] + d->count[FATE_CHANGED], d->count[FATE_LOST], d->count[FATE_GAINED], d->count[FATE_REMOVED], d->why[0] ? "; " : "",
		    d->why, d->probed, d->routes);
}

static void conclude(struct inventories *v)
{
	const struct inventory_diff *d = &v->diff;

	v->view.compared = true;
	v->view.comparing = false;
	v->view.known = d->known;
	v->view.lost = d->count[FATE_LOST];
	v->view.removed = d->count[FATE_REMOVED];
	if (v->view.lost)
		TEXT_COPY(v->view.detail, d->why);
	else if (!d->known)
		TEXT_FORMAT(v->view.detail, "unknown: %s", d->why);
	else
		TEXT_FORMAT(v->view.detail, "%zu routes present, none lost%s%s%s", d->count[FATE_PRESENT] + d->count[FATE_CHANGED],
			    d->count[FATE_REMOVED] ? " but those declared" : "", d->why[0] ? "; " : "", d->why);
}

static void answer(struct inventories *v)
{
	while (v->askers) {
		struct asker *a = v->askers;
		json_t *o = inventory_state_json(v->s);

		v->askers = a->next;
		v->n_askers--;
		a->done(a->arg, o);
		json_decref(o);
		free(a);
	}
}

/* What the releases had at this deploy is remembered: a feature that is added later can be answered for too. */
static void remember(struct inventories *v, enum slot slot)
{
	const struct inventory *inv = v->slot[slot];
	struct ledger_route *routes = xcalloc(inv->n + 1, sizeof(*routes));
	bool whole = !inv->failed && !inv->late && !inv->absent && !inv->left_out;
	size_t n = 0;

	for (size_t i = 0; i < inv->n; i++) {
		const struct inventory_route *r = &inv->routes[i];

		if (r->asked == ROUTE_SILENT || r->pattern || r->alike || !TEXT_COPY(routes[n].path, r->path)) {
			whole = false; /* whether it is there cannot be told by this list */
			continue;
		}
		routes[n].status = (int)r->status;
		TEXT_COPY(routes[n].shape, r->type);
		n++;
	}
	(void)ledger_told_inventory(v->s, inv->release, slot, routes, n, whole);
	free(routes);
}

static void round_done(struct inventories *v)
{
	struct service *s = v->s;
	bool proving = s->rec.phase == PH_PROVING && v->of_deploy && v->deploy == s->rec.deploy.id;
	char text[sizeof(v->noted)];

	for (int k = BLUE; k <= GREEN; k++) {
		inventory_free(&v->slot[k]);
		v->slot[k] = v->fresh[k];
		v->fresh[k] = NULL;
		TEXT_COPY(v->slot[k]->release, s->rec.slot[k].id);
	}
	for (int k = BLUE; v->of_deploy && k <= GREEN; k++)
		remember(v, (enum slot)k);
	compare(v);
	if (proving && !v->diff.known && !v->diff.count[FATE_LOST] && ++v->tries < TRIES) {
		log_warn("inventory", "service=%s what=\"not known: asked again\" why=%s", s->cfg->name, LOG_Q(v->diff.why));
		v->again_at = mono_plus_ms(mono_now(), AGAIN_MS);
	} else {
		if (proving)
			conclude(v);
		say(v, text, sizeof(text));
		v->note_due = proving || (!v->live && strcmp(text, v->noted) != 0);
		TEXT_COPY(v->noted, text);
	}
	answer(v);
	service_tick(s);
}

static void fetched(void *arg, enum slot slot, struct inventory *taken)
{
	struct inventories *v = arg;

	v->fetch[slot] = NULL;
	if (!taken)
		return; /* cancelled: the round is over */
	v->fresh[slot] = taken;
	if (--v->open == 0)
		round_done(v);
}

static void round_begin(struct inventories *v, bool of_deploy)
{
	v->of_deploy = of_deploy;
	v->live = of_deploy && v->s->rec.phase != PH_PROVING;
	if (of_deploy)
		v->remembered = v->s->rec.deploy.id;
	v->open = 2;
	for (int k = BLUE; k <= GREEN; k++)
		v->fetch[k] = inventory_fetch(v->s->e->loop, v->s->cfg, (enum slot)k, fetched, v);
}

static void round_cancel(struct inventories *v)
{
	for (int k = BLUE; k <= GREEN; k++) {
		if (v->fetch[k])
			inventory_cancel(v->fetch[k]);
		inventory_free(&v->fresh[k]);
	}
	v->open = 0;
}

/* ---- the service's life ---- */

void inventory_start(struct service *s)
{
	if (!s->inventories)
		s->inventories = xcalloc(1, sizeof(*s->inventories));
	s->inventories->s = s;
	s->inventories->view.configured = s->cfg->n_inventory > 0;
}

/* Targets change: what was asked of the old ones is asked of the new ones. */
bool inventory_cut(struct service *s)
{
	struct inventories *v = s->inventories;
	bool open = v && v->open;

	if (open)
		round_cancel(v);
	return open;
}

void inventory_begin_again(struct service *s) { round_begin(s->inventories, s->inventories->of_deploy); }

/* Before the configuration goes, and at the end. */
void inventory_stop(struct service *s)
{
	struct inventories *v = s->inventories;

	if (!v)
		return;
	round_cancel(v);
	inventory_diff_free(&v->diff);
	for (int k = BLUE; k <= GREEN; k++)
		inventory_free(&v->slot[k]);
	v->compared = false;
	v->deploy = 0;
	answer(v);
	free(v);
	s->inventories = NULL;
}

/* The features are there: now the lists.  A release that lacks a feature is refused without them; one that goes live all the
 * same, because a person set a gate aside, is asked once it does: what it had is asked for later (blame). */
void inventory_beat(struct service *s)
{
	struct inventories *v = s->inventories;
	const struct record *rec = &s->rec;

	if (!s->cfg->n_inventory || rec->deploy.slot == NO_SLOT)
		return;
	if ((rec->phase == PH_FLIPPING || rec->phase == PH_BAKING) && v->remembered != rec->deploy.id && !v->open)
		round_begin(v, true);
	if (rec->phase != PH_PROVING)
		return;
	if (v->deploy != rec->deploy.id) {
		v->of_deploy = false; /* a round under way was begun before this release was whole */
		v->deploy = rec->deploy.id;
		v->tries = 0;
		v->again_at = (mono_us){ 0 };
		v->view = (struct inventory_view){ .configured = true, .deploy = v->deploy, .comparing = true };
	}
	if (v->open || v->view.compared || !s->view->slot[rec->deploy.slot].whole || v->again_at.us > mono_now().us)
		return;
	round_begin(v, true);
}

const struct inventory_view *inventory_view_of(const struct service *s) { return s->inventories ? &s->inventories->view : NULL; }

/* True: an event was filled into the decision and waits for its commit (or was said, while the store is away). */
bool inventory_note_due(struct service *s)
{
	struct inventories *v = s->inventories;
	struct decision *d = s->d;

	if (!v || !v->note_due)
		return false;
	v->note_due = false;
	memset(d, 0, sizeof(*d));
	d->next = s->rec;
	d->because = "the routes of both slots were compared";
	d->mode = MOVE_NOTE;
	TEXT_COPY(d->event.kind, "inventory.compared");
	TEXT_COPY(d->event.detail, v->noted);
	if (v->idle != NO_SLOT)
		TEXT_COPY(d->event.release, s->rec.slot[v->idle].id);
	commit_event(s, d);
	d->commit = store_is_up(s->e->store) && !s->pending;
	if (!d->commit)
		publish_event(s->e, &d->event);
	return d->commit;
}

/* ---- reading ---- */

static json_t *slot_json(const struct inventory *inv)
{
	json_t *o;

	if (!inv)
		return json_null();
	o = inventory_json(inv);
	json_object_set_new(o, "routes", json_integer((json_int_t)inv->n));
	return o;
}

json_t *inventory_state_json(const struct service *s)
{
	const struct inventories *v = s->inventories;
	bool known = v && v->compared;
	json_t *o = json_pack("{s:s,s:b,s:b,s:b,s:s}", "service", s->cfg->name, "configured", s->cfg->n_inventory > 0, "comparing", v && v->open > 0, "compared",
			      known, "active", slot_name(s->rec.active));

	if (!known)
		return o;
	json_object_update_new(o, inventory_diff_json(&v->diff));
	json_object_set_new(o, "at", json_integer((json_int_t)v->at.ms));
	json_object_set_new(o, "compared_active", json_string(slot_name(v->active)));
	json_object_set_new(o, "compared_idle", json_string(slot_name(v->idle)));
	json_object_set_new(o, "slots", json_pack("{s:o,s:o}", "blue", slot_json(v->slot[BLUE]), "green", slot_json(v->slot[GREEN])));
	return o;
}

json_t *engine_inventory(const struct engine *e, const char *service)
{
	const struct service *s = engine_find(e, service);

	return s ? inventory_state_json(s) : NULL;
}

bool engine_inventory_ask(struct engine *e, const char *service, engine_probe_fn *done, void *arg)
{
	struct service *s = engine_find(e, service);
	struct inventories *v = s ? s->inventories : NULL;

	if (!v || !s->cfg->n_inventory || v->n_askers == MAX_ASKERS || e->stopping)
		return false;
	struct asker *a = xcalloc(1, sizeof(*a));

	*a = (struct asker){ .next = v->askers, .done = done, .arg = arg };
	v->askers = a;
	v->n_askers++;
	if (!v->open) /* a round under way answers this one too */
		round_begin(v, false);
	return true;
}
