/* SPDX-License-Identifier: MIT
 * verdict.c - the health of one service: every outcome comes in here (B1.1 to B1.3).
 *
 * Three folds stand one behind the other: a target is in or out, a cell has a verdict, a slot
 * has enough targets or not.  What is seen of it all at one moment is verdict_view.c's. */
#include <stdlib.h>
#include <string.h>

#include "switchd/core/verdict/verdict_health.h"

/* ---- what config says ---- */

bool health_compared(const struct health *h, size_t f)
{
	if (f == h->cfg->n_features)
		return h->cfg->identity.on;
	const struct feature *ft = &h->cfg->features[f];

	return ft->rule.via_slot && !ft->url[0] && !(ft->writes && !ft->idle);
}

bool health_could_vote(const struct health *h, size_t f)
{
	if (f == h->cfg->n_features)
		return h->cfg->identity.on;
	return h->cfg->features[f].severity == SEV_CRITICAL && health_compared(h, f) && !h->vacuous[f];
}

const struct probe_rule *health_rule(const struct health *h, size_t f)
{
	return f == h->cfg->n_features ? &h->least : &h->cfg->features[f].rule;
}

/* B1.2: min_targets, else half of all, rounded up. */
int health_live_need(const struct slot_config *sc)
{
	int n = (int)sc->n_targets;

	return sc->min_targets <= 0 ? (n + 1) / 2 : sc->min_targets < n ? sc->min_targets : n;
}

int health_proving_need(const struct slot_config *sc)
{
	int n = (int)sc->n_targets;

	return sc->min_targets > 0 && sc->min_targets < n ? sc->min_targets : n;
}

bool health_has_front(const struct health *h) { return h->cfg->front[0] && h->cfg->n_proxies > 0; }

static struct probe_rule least_rule(const struct service_config *cfg)
{
	struct probe_rule least = { .rise = 2, .fall = 2, .calm = 5, .interval_ms = 1000 };

	for (size_t i = 0; i < cfg->n_features; i++) {
		const struct probe_rule *r = &cfg->features[i].rule;

		if (i == 0 || r->rise < least.rise)
			least.rise = r->rise;
		if (i == 0 || r->fall < least.fall)
			least.fall = r->fall;
		if (i == 0 || r->calm < least.calm)
			least.calm = r->calm;
		if (i == 0 || r->interval_ms < least.interval_ms)
			least.interval_ms = r->interval_ms;
	}
	must(least.rise > 0 && least.fall > 0 && least.calm > 0 && least.interval_ms > 0);
	return least;
}

/* ---- birth, death, reload ---- */

static void cell_init(struct cell *c) { *c = (struct cell){ .last = OUT_NEVER_RAN, .verdict = V_UNKNOWN }; }

static struct health *make(const struct service_config *cfg)
{
	struct health *h = xcalloc(1, sizeof(*h));

	must(cfg->n_features <= MAX_FEATURES);
	h->cfg = cfg;
	h->n_cells = cfg->n_features + 1;
	h->least = least_rule(cfg);
	h->vacuous = xcalloc(h->n_cells, sizeof(*h->vacuous));
	for (int s = 0; s < 2; s++) {
		struct slot_state *sl = &h->slot[s];

		sl->n = cfg->slot[s].n_targets;
		sl->seen = xcalloc(h->n_cells, sizeof(*sl->seen));
		sl->target = xcalloc(sl->n, sizeof(*sl->target));
		for (size_t t = 0; t < sl->n; t++) {
			sl->target[t].cells = xcalloc(h->n_cells, sizeof(struct cell));
			for (size_t f = 0; f < h->n_cells; f++)
				cell_init(&sl->target[t].cells[f]);
		}
	}
	h->n_front = cfg->n_proxies;
	h->front = xcalloc(h->n_front, sizeof(*h->front));
	for (size_t p = 0; p < h->n_front; p++) {
		h->front[p].cells = xcalloc(h->n_cells, sizeof(struct front_cell));
		for (size_t f = 0; f < h->n_cells; f++) {
			cell_init(&h->front[p].cells[f].cell);
			h->front[p].cells[f].slot = NO_SLOT;
		}
	}
	return h;
}

struct health *health_new(const struct service_config *cfg)
{
	struct health *h = make(cfg);

	suspect_begin(h, "just started", (mono_us){ 0 });
	return h;
}

void health_free(struct health **hp)
{
	struct health *h = *hp;

	if (!h)
		return;
	for (int s = 0; s < 2; s++) {
		for (size_t t = 0; t < h->slot[s].n; t++)
			free(h->slot[s].target[t].cells);
		free(h->slot[s].target);
		free(h->slot[s].seen);
	}
	for (size_t p = 0; p < h->n_front; p++)
		free(h->front[p].cells);
	free(h->front);
	free(h->vacuous);
	free(h);
	*hp = NULL;
}

static bool same_list(const char *const *a, size_t na, const char *const *b, size_t nb)
{
	if (na != nb)
		return false;
	for (size_t i = 0; i < na; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

static bool same_identity(const struct identity_config *a, const struct identity_config *b)
{
	return a->on && b->on && strcmp(a->path, b->path) == 0 && same_list(a->expect, a->n_expect, b->expect, b->n_expect);
}

long health_continues(const struct service_config *was, const struct service_config *now, size_t f)
{
	if (f == now->n_features)
		return same_identity(&was->identity, &now->identity) ? (long)was->n_features : -1;
	for (size_t i = 0; i < was->n_features; i++)
		if (strcmp(was->features[i].name, now->features[f].name) == 0)
			return was->features[i].fingerprint == now->features[f].fingerprint ? (long)i : -1;
	return -1;
}

static long old_target(const struct slot_config *was, const struct target *t)
{
	for (size_t i = 0; i < was->n_targets; i++)
		if (strcmp(was->targets[i].text, t->text) == 0)
			return (long)i;
	return -1;
}

static long old_proxy(const struct service_config *was, const char *name)
{
	for (size_t i = 0; i < was->n_proxies; i++)
		if (strcmp(was->proxies[i].name, name) == 0)
			return (long)i;
	return -1;
}

static bool troubled(const struct cell *c) { return c->first_absent.us || c->unknown_since.us; }

static void keep_target(struct target_state *to, const struct target_state *from, const long *feature, size_t n_cells)
{
	struct cell *cells = to->cells;

	*to = *from;
	to->cells = cells;
	to->n_unknown = 0;
	for (size_t f = 0; f < n_cells; f++) {
		if (feature[f] < 0)
			continue;
		cells[f] = from->cells[feature[f]];
		to->n_unknown += cells[f].last_at.us && outcome_info(cells[f].last)->class == OC_UNKNOWN;
	}
}

static void keep_slot(struct health *h, const struct health *old, int s, const long *feature)
{
	struct slot_state *to = &h->slot[s];
	const struct slot_state *from = &old->slot[s];
	mono_us last_out = { 0 };

	to->filled_at = from->filled_at;
	to->front_vouched = from->front_vouched;
	to->wall_gone = from->wall_gone;
	for (size_t f = 0; f < h->n_cells; f++)
		to->seen[f] = feature[f] >= 0 && from->seen[feature[f]];
	for (size_t t = 0; t < to->n; t++) {
		long was = old_target(&old->cfg->slot[s], &h->cfg->slot[s].targets[t]);

		if (was >= 0)
			keep_target(&to->target[t], &from->target[was], feature, h->n_cells);
		if (to->target[t].out) {
			to->n_out++;
			last_out = mono_later(last_out, to->target[t].out_since);
		}
		for (size_t f = 0; f < h->n_cells; f++)
			to->trouble += troubled(&to->target[t].cells[f]);
	}
	if ((int)to->n - to->n_out < health_live_need(&h->cfg->slot[s]))
		to->down_since = from->down_since.us ? from->down_since : last_out;
	else
		to->front_vouched = false;
	if (to->n && to->n_out == (int)to->n)
		to->all_out_since = from->all_out_since.us ? from->all_out_since : last_out;
}

struct health *health_reload(struct health *old, const struct service_config *cfg)
{
	struct health *h = make(cfg);
	long feature[MAX_FEATURES + 1];

	for (size_t f = 0; f < h->n_cells; f++) {
		feature[f] = health_continues(old->cfg, cfg, f);
		h->vacuous[f] = feature[f] >= 0 && old->vacuous[feature[f]];
	}
	for (int s = 0; s < 2; s++)
		keep_slot(h, old, s, feature);
	for (size_t p = 0; p < h->n_front; p++) {
		long was = old_proxy(old->cfg, cfg->proxies[p].name);
		struct front_cell *cells = h->front[p].cells;

		if (was < 0)
			continue;
		h->front[p] = old->front[was];
		h->front[p].cells = cells;
		for (size_t f = 0; f < cfg->n_features; f++)
			if (feature[f] >= 0)
				cells[f] = old->front[was].cells[feature[f]];
	}
	h->latest = old->latest;
	h->suspect = old->suspect;
	h->suspect_why = old->suspect_why;
	h->suspect_since = old->suspect_since;
	h->trusted_since = old->trusted_since;
	h->reference_oks = old->reference_oks;
	health_free(&old);
	return h;
}

/* ---- a target: in or out (B1.1) ---- */

/* A target that went out, or came in again, gives no verdict until it is asked anew.  The rows of
 * outs stay: a feature that kills its worker would otherwise be forgotten each time its own outs
 * throw the target out.  So does what was seen: the bits are the same. */
static void forget_verdicts(struct health *h, struct slot_state *sl, struct target_state *t)
{
	for (size_t f = 0; f < h->n_cells; f++) {
		struct cell *c = &t->cells[f];

		sl->trouble -= troubled(c);
		c->verdict = V_UNKNOWN;
		c->presents_in_row = c->absents = 0;
		c->first_absent = c->unknown_since = (mono_us){ 0 };
	}
}

static void measure_down(struct health *h, enum slot s, mono_us at)
{
	struct slot_state *sl = &h->slot[s];
	int in = (int)sl->n - sl->n_out;

	if (in >= health_live_need(&h->cfg->slot[s])) {
		sl->down_since = sl->all_out_since = (mono_us){ 0 };
		sl->front_vouched = false;
		return;
	}
	if (!sl->down_since.us)
		sl->down_since = at;
	if (in == 0 && !sl->all_out_since.us)
		sl->all_out_since = at;
}

void health_restart_down(struct health *h, mono_us at)
{
	for (int s = 0; s < 2; s++) {
		struct slot_state *sl = &h->slot[s];

		if (sl->down_since.us)
			sl->down_since = at;
		if (sl->all_out_since.us)
			sl->all_out_since = at;
	}
}

/* True when the target went out or came in. */
static bool fold_target(struct health *h, enum slot s, struct target_state *t, enum outcome_class class, mono_us at)
{
	struct slot_state *sl = &h->slot[s];

	if (class == OC_OUT) {
		t->outs_in_row = grow(t->outs_in_row);
		if (t->out || t->outs_in_row < h->least.fall)
			return false;
		t->out = true;
		t->others = 0;
		t->out_since = at;
		sl->n_out++;
	} else {
		t->outs_in_row = 0;
		if (!t->out || ++t->others < h->least.rise)
			return false;
		t->out = false;
		t->out_since = (mono_us){ 0 };
		sl->n_out--;
	}
	forget_verdicts(h, sl, t);
	measure_down(h, s, at);
	return true;
}

/* B1.1: refused on this feature, while another feature of the same target answered completely
 * between this out and the one before it: the feature kills its worker.  Demanded anew for each
 * out, because a target that answered once and then died must not look like a lost feature. */
static bool kills_worker(const struct health *h, const struct target_state *t, size_t f)
{
	const struct cell *c = &t->cells[f];

	if (t->out || c->outs_in_row == 0 || c->outs_in_row + 1 < health_rule(h, f)->fall)
		return false;
	for (size_t i = 0; i < h->n_cells; i++)
		if (i != f && t->cells[i].complete_at.us && !mono_before(t->cells[i].complete_at, c->last_at))
			return true;
	return false;
}

/* ---- the front ---- */

static bool front_good(const struct health *h, enum slot s)
{
	for (size_t p = 0; p < h->n_front; p++)
		for (size_t f = 0; f < h->cfg->n_features; f++) {
			const struct front_cell *c = &h->front[p].cells[f];

			if (c->good && c->slot == s && !mono_before(c->began, h->slot[s].all_out_since))
				return true;
		}
	return false;
}

bool health_excused(const struct health *h, enum slot s)
{
	const struct slot_state *sl = &h->slot[s];

	/* Once the front vouched for it while all were out, the slot stays excused while targets come
	 * back one by one: the wall between prober and slot is going, not the slot. */
	return sl->down_since.us && (sl->front_vouched || sl->n_out == (int)sl->n) && sl->all_out_since.us && front_good(h, s);
}

mono_us health_dark_since(const struct health *h, enum slot s)
{
	const struct slot_state *sl = &h->slot[s];
	mono_us since = { 0 };

	for (size_t t = 0; t < sl->n; t++)
		for (size_t f = 0; f < h->n_cells && !sl->target[t].out; f++) {
			const struct cell *c = &sl->target[t].cells[f];

			if (!health_could_vote(h, f))
				continue;
			if (c->verdict != V_UNKNOWN || !c->unknown_since.us)
				return (mono_us){ 0 };
			since = mono_later(since, c->unknown_since);
		}
	return since;
}

/* Dark, and a front that was asked since shows the slot. */
static bool walled_off(const struct health *h, enum slot s)
{
	mono_us since = health_dark_since(h, s);

	for (size_t p = 0; since.us && p < h->n_front; p++)
		for (size_t f = 0; f < h->cfg->n_features; f++) {
			const struct front_cell *c = &h->front[p].cells[f];

			if (c->good && c->slot == s && !mono_before(c->began, since))
				return true;
		}
	return false;
}

bool health_awaiting(const struct health *h, enum slot s, mono_us now)
{
	const struct slot_state *sl = &h->slot[s];

	if (!sl->down_since.us || !health_has_front(h))
		return false;
	if (sl->n_out == (int)sl->n) {
		if (mono_since_ms(now, sl->all_out_since) >= FRONT_WAIT_MS)
			return false;
		for (size_t p = 0; p < h->n_front; p++)
			if (mono_before(h->front[p].answered_began, sl->all_out_since))
				return true;    /* one dead proxy of two says nothing about the slot: all are heard */
		return false;
	}
	/* Some are still in: perhaps only because they were not asked since.  A firewall takes them one
	 * after the other, and must not look like a slot with too few targets on its way. */
	if (mono_since_ms(now, sl->down_since) >= FRONT_WAIT_MS)
		return false;
	for (size_t t = 0; t < sl->n; t++)
		if (!sl->target[t].out && mono_before(sl->target[t].answered_began, sl->down_since))
			return true;
	return false;
}

/* ---- an outcome comes in ---- */

/* Has the other slot not been asked since this slot's absence was known (B4)? */
static bool evidence_is_old(const struct health *h, enum slot other, mono_us absence)
{
	if (h->slot[other].n_out == (int)h->slot[other].n)
		return false;   /* nobody there to ask */
	for (size_t f = 0; f < h->n_cells; f++)
		if (health_could_vote(h, f) && mono_before(health_evidence(h, other, f), absence))
			return true;
	return false;
}

/* While its target is out an outcome is remembered, not judged. */
static void remember(struct cell *c, enum outcome o, mono_us began, mono_us ended)
{
	enum outcome_class class = outcome_info(o)->class;

	c->last = o;
	c->last_began = began;
	c->last_at = ended;
	c->outs_in_row = class == OC_OUT ? grow(c->outs_in_row) : 0;
	c->knowns_in_row = class == OC_UNKNOWN ? 0 : grow(c->knowns_in_row);
}

static void advise(const struct health *h, enum slot s, size_t t, size_t f, enum outcome_class class, bool moved, struct health_advice *a)
{
	const struct target_state *ts = &h->slot[s].target[t];
	const struct cell *c = &ts->cells[f];
	bool quiet = f < h->cfg->n_features && h->cfg->features[f].writes;      /* B1.4: no confirm burst */

	if (class == OC_OUT && ts->outs_in_row == 1 && !ts->out && !quiet)
		a->confirm_now = true;
	if (class == OC_ABSENT && !ts->out) {
		a->confirm = c->verdict != V_ABSENT && !quiet;
		a->ask_other_slot = health_could_vote(h, f) && evidence_is_old(h, other_slot(s), c->first_absent);
	}
	if (moved && h->slot[s].down_since.us) {
		a->ask_other_slot = true;
		a->ask_front = health_has_front(h) && h->slot[s].n_out == (int)h->slot[s].n;
	}
}

struct health_advice health_note(struct health *h, enum slot s, size_t target, size_t f,
				 enum outcome o, bool complete, mono_us began, mono_us ended, wall_ms at, int64_t latency_us)
{
	struct health_advice a = { 0 };

	must((s == BLUE || s == GREEN) && target < h->slot[s].n && f < h->n_cells);
	struct slot_state *sl = &h->slot[s];
	struct target_state *t = &sl->target[target];
	struct cell *c = &t->cells[f];

	h->latest = mono_later(h->latest, ended);
	if (mono_before(began, sl->filled_at))
		return a;
	bool was_unknown = c->last_at.us && outcome_info(c->last)->class == OC_UNKNOWN;
	bool was_never = !c->last_at.us, was_down = sl->down_since.us != 0;

	if (outcome_info(o)->class == OC_OUT && kills_worker(h, t, f))
		o = OUT_KILLS_WORKER;
	enum outcome_class class = outcome_info(o)->class;
	bool moved = fold_target(h, s, t, class, ended);
	enum verdict was = c->verdict;
	bool had_trouble = troubled(c), was_seen = sl->seen[f];
	bool walled = was == V_UNKNOWN && (class == OC_PRESENT || class == OC_ABSENT) && walled_off(h, s);

	if (t->out)
		remember(c, o, began, ended);
	else
		health_fold(c, health_rule(h, f), o, began, ended);
	if (walled)
		sl->wall_gone = ended;
	if (c->verdict == V_PRESENT) {
		sl->seen[f] = true;
		c->ever_present_at = at;
	}
	if (complete)
		c->complete_at = ended;
	if (class == OC_PRESENT || class == OC_ABSENT) {
		c->latency_us = latency_us;
		if (o != OUT_KILLS_WORKER)
			t->answered_began = mono_later(t->answered_began, began);
	}
	sl->trouble += (int)troubled(c) - (int)had_trouble;
	bool suspicion = suspect_note(h, t, class, was_unknown, began, ended);

	advise(h, s, target, f, class, moved, &a);
	if (suspicion && !h->suspect)
		for (int k = 0; k < 2; k++)
			if (h->slot[k].down_since.us)
				a.ask_front |= health_has_front(h) && h->slot[k].all_out_since.us;
	/* Age of evidence is part of the view too: it matters while the other slot is in trouble. */
	a.changed = moved || suspicion || was_never || c->verdict != was || had_trouble != troubled(c) || sl->seen[f] != was_seen ||
		    was_down || h->slot[other_slot(s)].trouble > 0 || h->slot[other_slot(s)].down_since.us;
	return a;
}

/* Refused, reset, or answered without a stamp: the proxy, or the way to it (B1.2). */
static bool note_front_down(struct health *h, struct front_state *fr, enum outcome_class class, enum slot stamped)
{
	bool bad = class == OC_OUT || ((class == OC_PRESENT || class == OC_ABSENT) && stamped == NO_SLOT), was = fr->down;

	if (class == OC_UNKNOWN && !bad)
		return false;
	fr->bads = bad ? grow(fr->bads) : 0;
	fr->goods = bad ? 0 : grow(fr->goods);
	if (fr->bads >= h->least.fall)
		fr->down = true;
	else if (fr->goods >= h->least.rise)
		fr->down = false;
	return fr->down != was;
}

struct health_advice health_note_front(struct health *h, size_t proxy, size_t f, enum slot stamped, bool counted,
				       enum outcome o, mono_us began, mono_us ended)
{
	struct health_advice a = { 0 };
	enum outcome_class class = outcome_info(o)->class;

	must(proxy < h->n_front && f < h->cfg->n_features);
	struct front_state *fr = &h->front[proxy];
	struct front_cell *c = &fr->cells[f];

	h->latest = mono_later(h->latest, ended);
	counted = counted && (stamped == BLUE || stamped == GREEN) && (class == OC_PRESENT || class == OC_ABSENT);
	a.changed = note_front_down(h, fr, class, stamped);
	if (counted && c->slot != stamped) {
		cell_init(&c->cell);
		c->slot = stamped;
		a.changed = true;
	}
	/* An answer that does not count says nothing about the feature, whatever it says. */
	if (!counted && (class == OC_PRESENT || class == OC_ABSENT))
		o = OUT_STALE_STAMP;
	enum verdict was = c->cell.verdict;

	a.changed |= health_fold(&c->cell, health_rule(h, f), o, began, ended) != was;
	c->good = counted && class == OC_PRESENT;
	c->began = began;
	if (class != OC_UNKNOWN || o == OUT_STALE_STAMP)
		fr->answered_began = mono_later(fr->answered_began, began);
	for (int s = 0; s < 2; s++) {
		struct slot_state *sl = &h->slot[s];

		if (!sl->all_out_since.us)
			continue;
		a.changed = true;
		if (sl->n_out == (int)sl->n && c->good && c->slot == (enum slot)s && !mono_before(began, sl->all_out_since))
			sl->front_vouched = true;
	}
	return a;
}

void health_slot_filled_at(struct health *h, enum slot s, mono_us now)
{
	must(s == BLUE || s == GREEN);
	struct slot_state *sl = &h->slot[s];

	for (size_t i = 0; i < sl->n; i++) {
		struct target_state *t = &sl->target[i];

		for (size_t f = 0; f < h->n_cells; f++)
			cell_init(&t->cells[f]);
		t->out = false;
		t->outs_in_row = t->others = 0;
		t->out_since = t->answered_began = (mono_us){ 0 };
		suspect_forget_target(t);
	}
	memset(sl->seen, 0, h->n_cells * sizeof(*sl->seen));
	sl->n_out = sl->trouble = 0;
	sl->down_since = sl->all_out_since = sl->wall_gone = (mono_us){ 0 };
	sl->front_vouched = false;
	sl->filled_at = now;
	h->latest = mono_later(h->latest, now);
}

void health_slot_filled(struct health *h, enum slot s) { health_slot_filled_at(h, s, h->latest); }

void health_forget(struct health *h, size_t f)
{
	must(f < h->n_cells);
	for (int s = BLUE; s <= GREEN; s++)
		for (size_t i = 0; i < h->slot[s].n; i++)
			cell_init(&h->slot[s].target[i].cells[f]);
	for (size_t p = 0; p < h->n_front && f < h->cfg->n_features; p++) {
		cell_init(&h->front[p].cells[f].cell);
		h->front[p].cells[f].good = false;
	}
}

void health_set_vacuous(struct health *h, size_t f, bool vacuous)
{
	must(f < h->cfg->n_features);
	h->vacuous[f] = vacuous;
}

void health_set_seen(struct health *h, enum slot s, size_t f)
{
	must((s == BLUE || s == GREEN) && f < h->n_cells);
	h->slot[s].seen[f] = true;
}

const struct cell *health_cell(const struct health *h, enum slot s, size_t target, size_t f)
{
	must((s == BLUE || s == GREEN) && target < h->slot[s].n && f < h->n_cells);
	return &h->slot[s].target[target].cells[f];
}

const struct cell *health_front_cell(const struct health *h, size_t proxy, size_t f)
{
	must(proxy < h->n_front && f < h->cfg->n_features);
	return &h->front[proxy].cells[f].cell;
}

bool health_target_in(const struct health *h, enum slot s, size_t target)
{
	must((s == BLUE || s == GREEN) && target < h->slot[s].n);
	return !h->slot[s].target[target].out;
}
