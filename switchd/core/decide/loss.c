/* SPDX-License-Identifier: MIT
 * loss.c - the two slots side by side, as decisions need them: what is gone, lost, proved (B2, B3, B4). */
#include <string.h>

#include "switchd/core/decide/transitions.h"

static bool is_slot(enum slot s) { return s == BLUE || s == GREEN; }

static size_t n_viewed(const struct look *l) { return l->w->health->n + l->w->cfg->identity.on; }

/* A person who forced a flip knew what the slot lacked then: only what is lost afterwards is acted upon, or automation
 * would undo the order within the second. */
static bool known_when_forced(const struct look *l, mono_us first_absent)
{
	return l->rec->move.mode == MOVE_FORCE && l->rec->move.to == l->a && l->w->since_flip.us && first_absent.us &&
	       first_absent.us < l->w->since_flip.us;
}

/* B1.2: while baking, absent on some targets counts as absent (a bad rollout, and going back is cheap). */
static bool absent_here(const struct look *l, const struct feature_view *f)
{
	return f->at[l->a] == V_ABSENT || (f->at[l->a] == V_PARTIAL && l->rec->phase == PH_BAKING);
}

/* A release that removes a feature is not missed there; what the release before it removed neither. */
static bool expected(const struct look *l, enum slot s, size_t i)
{
	const struct manifest *m = l->in->kind == IN_DEPLOY && s == l->b ? l->in->manifest : NULL;

	if (m && i < l->w->cfg->n_features && declared_has(&m->removes, l->w->cfg->features[i].name))
		return false;
	return !is_slot(s) || !l->w->health->f[i].removed[s];
}

/* What a release adds is no reason to stay with it until it is baked: nobody had it before (B2). */
bool missed_behind(const struct look *l, size_t i)
{
	const struct release *r = is_slot(l->a) ? &l->rec->slot[l->a] : NULL;

	if (!l->w->health->f[i].votes || !expected(l, l->a, i))
		return false;
	return !r || r->state != RS_LIVE || i >= l->w->cfg->n_features || !declared_has(&r->adds, l->w->cfg->features[i].name);
}

/* B2: seen here, or part of this deploy's own suite: what was set aside in proving is still missed in the bake. */
static bool had(const struct look *l, size_t i)
{
	const struct record *r = l->rec;

	return l->w->health->f[i].seen[l->a] || (i < l->w->health->n && (r->phase == PH_FLIPPING || r->phase == PH_BAKING) &&
						 r->deploy.slot == l->a && r->move.mode == MOVE_FORWARD && look_skips(l, "features"));
}

static bool asks_fresh(const struct look *l, size_t i)
{
	/* Probes that write are never asked out of turn (B1.4): what they last said stands. */
	return i == l->w->health->n || !l->w->cfg->features[i].writes;
}

static bool evidence_fresh(const struct look *l, size_t i, mono_us first_absent)
{
	mono_us at = l->w->health->f[i].evidence_since[l->b];

	if (!at.us)
		return false;
	return !asks_fresh(l, i) || (at.us >= first_absent.us && mono_since_ms(l->w->now, at) <= FRESH_MS);
}

static void compare(struct look *l, struct loss *x)
{
	const struct health_view *h = l->w->health;
	mono_us first = { 0 };
	size_t least = h->n + 1;

	for (size_t i = 0; i < n_viewed(l); i++) {
		const struct feature_view *f = &h->f[i];

		if (!f->votes || !expected(l, l->a, i))
			continue;
		x->unknown |= f->at[l->a] == V_UNKNOWN;
		if (!absent_here(l, f)) {
			if (f->at[l->a] == V_PARTIAL)
				x->partial[x->n_partial++] = i;
			continue;
		}
		if (!had(l, i) && is_slot(l->b) && f->at[l->b] == V_PRESENT && !h->slot[l->b].too_few && !h->slot[l->a].too_few && i < h->n)
			x->brought[x->n_brought++] = i;
		if (!had(l, i) || known_when_forced(l, f->first_absent[l->a]))
			continue;
		x->gone[x->n_gone++] = i;
		if (!is_slot(l->b) || f->at[l->b] != V_PRESENT || h->slot[l->b].too_few)
			continue;
		x->lost[x->n_lost++] = i;
		if (x->n_lost == 1 || f->first_absent[l->a].us < first.us) {
			first = f->first_absent[l->a];
			least = i;
		}
	}
	if (!x->n_lost)
		return;
	/* B4: all that is present or unknown here must be present there, the feature that began it, and identity. */
	x->better = x->fresh = true;
	for (size_t i = 0; i < n_viewed(l); i++) {
		const struct feature_view *f = &h->f[i];
		bool identity = i == h->n;

		if (!identity && i != least && (!missed_behind(l, i) || absent_here(l, f)))
			continue;
		if (f->at[l->b] != V_PRESENT && x->better) {
			x->better = false;
			x->in_the_way = i;
		}
		x->fresh &= evidence_fresh(l, i, first);
	}
	if (h->slot[l->b].identity_wrong && x->better) {
		x->better = false;
		x->in_the_way = h->n;
	}
}

const struct loss *look_loss(struct look *l)
{
	struct loss *x = &l->loss;

	if (l->loss_known)
		return x;
	l->loss_known = true;
	x->n_gone = x->n_lost = x->n_partial = x->n_brought = 0;
	x->unknown = x->better = x->fresh = x->too_few = false;
	x->in_the_way = l->w->health->n + 1;
	if (!is_slot(l->a))
		return x;
	x->too_few = l->w->health->slot[l->a].too_few && !l->w->health->slot[l->a].excused;
	compare(l, x);
	return x;
}

static int64_t start_period_ms(const struct look *l, size_t i)
{
	return i < l->w->cfg->n_features ? l->w->cfg->features[i].rule.start_period_ms : 0;
}

static bool start_over(const struct look *l, size_t i)
{
	return mono_since_ms(l->w->now, l->w->phase_entered) >= start_period_ms(l, i) || l->rec->phase != PH_PROVING;
}

/* A feature that the release declares to bring must be there, also when the active slot's is broken. */
static bool adds(const struct look *l, size_t i)
{
	return i < l->w->cfg->n_features && declared_has(&l->rec->slot[l->b].adds, l->w->cfg->features[i].name);
}

static void waive(const struct look *l, struct proof *p, size_t *list, size_t *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++)
		if (look_skips(l, list[i] == l->w->health->n ? "identity" : "features"))
			p->waived[p->n_waived++] = list[i];
		else
			list[kept++] = list[i];
	*n = kept;
}

static void prove(const struct look *l, struct proof *p)
{
	const struct health_view *h = l->w->health;

	for (size_t i = 0; i < n_viewed(l); i++) {
		const struct feature_view *f = &h->f[i];
		enum verdict there = is_slot(l->a) ? f->at[l->a] : V_UNKNOWN;

		if ((!f->votes && i != h->n) || !expected(l, l->b, i))
			continue;
		if (f->at[l->b] == V_PRESENT)
			continue;
		if (f->at[l->b] == V_UNKNOWN || !start_over(l, i))
			p->open[p->n_open++] = i;
		else if (!is_slot(l->a))
			p->none[p->n_none++] = i;
		else if (there == V_PRESENT || there == V_PARTIAL)
			p->lost[p->n_lost++] = i;
		else if (there == V_UNKNOWN)
			p->open[p->n_open++] = i;
		else if (i == h->n)
			p->lost[p->n_lost++] = i; /* that the active slot runs something else too is no excuse */
		else if (f->seen[l->a] && !adds(l, i))
			p->both[p->n_both++] = i;
		else
			p->none[p->n_none++] = i;
	}
	p->wrong = h->slot[l->b].identity_wrong && !look_skips(l, "identity");
	if (look_skips(l, "features") || look_skips(l, "identity")) {
		waive(l, p, p->lost, &p->n_lost);
		waive(l, p, p->none, &p->n_none);
	}
	p->too_few = h->slot[l->b].too_few || h->slot[l->b].in == 0;
}

const struct proof *look_proof(struct look *l)
{
	struct proof *p = &l->proof;

	if (l->proof_known)
		return p;
	l->proof_known = true;
	p->n_lost = p->n_none = p->n_both = p->n_open = p->n_waived = 0;
	p->wrong = false;
	p->too_few = true;
	if (is_slot(l->b))
		prove(l, p);
	return p;
}

void look_init(struct look *l, const struct record *rec, const struct world *w, const struct input *in)
{
	l->rec = rec;
	l->w = w;
	l->in = in;
	l->loss_known = l->proof_known = l->gates_known = false;
	l->a = is_slot(rec->active) ? rec->active : NO_SLOT;
	l->b = other_slot(l->a);
	l->to = is_slot(in->slot) ? in->slot : l->b;
	if (in->kind == IN_PIN)
		l->to = is_slot(in->found_slot) ? in->found_slot : NO_SLOT;
	if (in->kind == IN_DEPLOY && rec->phase == PH_FILLING && !is_slot(in->slot))
		l->to = rec->claim.slot;
	if (l->a != NO_SLOT)
		return;
	/* No active slot: "the other one" is the slot under proof, or the one that the order means. */
	l->b = in->kind == IN_FLIP ? l->to : is_slot(rec->deploy.slot) && rec->deploy.id ? rec->deploy.slot : NO_SLOT;
	if (in->kind == IN_FLIP && l->to == NO_SLOT && rec->phase == PH_READY)
		l->to = l->b = is_slot(rec->deploy.slot) ? rec->deploy.slot : NO_SLOT;
}
