/* SPDX-License-Identifier: MIT
 * steps.c - what effects and orders are made of: words for the detail, the end of a deploy or a claim, the move itself. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "switchd/core/decide/transitions.h"

void say(struct decision *d, const char *fmt, ...)
{
	size_t len = strlen(d->detail);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->detail + len, sizeof(d->detail) - len, fmt, ap);
	va_end(ap);
}

const char *feature_name(const struct service_config *cfg, size_t n, size_t i)
{
	return i == n ? "identity" : i < cfg->n_features ? cfg->features[i].name : "?";
}

/* "quotes: present on green, absent on blue": every feature of a short list, the first of a long one. */
void say_features(struct look *l, struct decision *d, const size_t *list, size_t n, const char *how)
{
	const struct health_view *h = l->w->health;
	enum { SHOWN = 6 };

	for (size_t i = 0; i < n && i < SHOWN; i++) {
		const struct feature_view *f = &h->f[list[i]];

		say(d, "%s%s: ", d->detail[0] ? "; " : "", feature_name(l->w->cfg, h->n, list[i]));
		if (l->a == NO_SLOT)
			say(d, "%s on %s", verdict_name(f->at[l->b]), slot_name(l->b));
		else if (l->b == NO_SLOT)
			say(d, "%s on %s", verdict_name(f->at[l->a]), slot_name(l->a));
		else if (f->at[l->b] == V_PRESENT)
			say(d, "present on %s, %s on %s", slot_name(l->b), verdict_name(f->at[l->a]), slot_name(l->a));
		else
			say(d, "%s on %s, %s on %s", verdict_name(f->at[l->a]), slot_name(l->a), verdict_name(f->at[l->b]), slot_name(l->b));
		if (how[0])
			say(d, " (%s)", how);
	}
	if (n > SHOWN)
		say(d, "; and %zu more", n - SHOWN);
}

void say_targets(struct look *l, struct decision *d, enum slot s)
{
	const struct slot_view *v = &l->w->health->slot[s];

	say(d, "%s%s: %d of %d targets in", d->detail[0] ? "; " : "", slot_name(s), v->in, v->targets);
}

void say_both(struct look *l, struct decision *d)
{
	const struct proof *p = look_proof(l);

	say_features(l, d, p->both, p->n_both, "broken on both");
	say_waived(l, d);
}

bool same_release(const struct release *a, const struct release *b)
{
	return (a->id[0] && strcmp(a->id, b->id) == 0) || (a->digest[0] && strcmp(a->digest, b->digest) == 0);
}

bool release_condemned(const struct condemned_set *set, const struct release *r) { return condemned_find(set, r->id, r->digest) != NULL; }

bool deploy_in_flight(const struct record *r)
{
	return r->deploy.id && (r->deploy.outcome == DO_RUNNING || r->deploy.outcome == DO_READY);
}

void deploy_end(struct look *l, struct record *next, enum deploy_outcome outcome, const char *reason)
{
	if (!deploy_in_flight(next))
		return;
	next->deploy.outcome = outcome;
	next->deploy.ended = l->w->wall;
	TEXT_COPY(next->deploy.reason, reason);
}

int64_t phase_ms(const struct service_config *cfg, enum phase p)
{
	switch (p) {
	case PH_FILLING: return cfg->claim_ttl_ms;
	case PH_PROVING: return cfg->prove_timeout_ms;
	case PH_READY: return cfg->ready_timeout_ms;
	case PH_FLIPPING: case PH_REVERTING: return cfg->flip_timeout_ms;
	case PH_BAKING: return cfg->bake_ms;
	default: return 0;
	}
}

bool budget_spent(const struct record *r, const struct world *w)
{
	int n = 0;

	for (size_t i = 0; i < r->n_recent; i++)
		n += w->wall.ms - r->recent[i].ms < w->cfg->budget_per_ms;
	return n >= w->cfg->budget_max;
}

/* What the active release's own deploy said, whatever was deployed since; else the service's rule. */
enum rollback_policy active_policy(const struct record *r, const struct service_config *cfg)
{
	return r->active != NO_SLOT && r->slot[r->active].own_rollback ? r->slot[r->active].rollback : cfg->rollback;
}

bool within_window(const struct record *r, const struct world *w)
{
	int64_t age = w->since_flip.us ? mono_since_ms(w->now, w->since_flip) : w->wall.ms - r->move.decided.ms;

	return age <= w->cfg->rollback_window_ms;
}

/* Traffic moves: the record's active slot, the move that says so, and where that leaves the two releases. */
void move_to(struct look *l, struct decision *d, enum slot to, enum move_mode mode)
{
	struct record *next = &d->next;
	enum slot from = l->a;
	struct release *in = &next->slot[to];

	must(to == BLUE || to == GREEN);
	must(to != from);
	d->mode = mode;
	next->active = to;
	next->shield = false;
	next->move = (struct move){ .mode = mode, .from = from, .to = to, .decided = l->w->wall, .acked_us = -1, .observed_us = -1 };
	if (mode == MOVE_FORWARD || mode == MOVE_FORCE)
		next->drill.on = false; /* somebody else's move: there is nothing to go back from any more */
	TEXT_COPY(next->move.by, l->in->kind == IN_TICK || !l->in->by[0] ? "switchd" : l->in->by);
	TEXT_COPY(next->move.reason, l->in->kind == IN_TICK || !l->in->why[0] ? d->because : l->in->why);
	in->state = in->was_good && mode != MOVE_FORWARD && !release_condemned(l->w->condemned, in) ? RS_GOOD : RS_LIVE;
	if (from != NO_SLOT)
		next->slot[from].state = !next->slot[from].id[0] ? RS_EMPTY : next->slot[from].was_good && mode != MOVE_AUTO ? RS_GOOD : RS_LEFT;
}

void end_claim(struct record *next)
{
	next->claim = (struct claim){ .slot = NO_SLOT };
}
