/* SPDX-License-Identifier: MIT
 * readiness.c - warm, proved, and nobody's hand on it: the rollback target as it is now. */
#include <stdarg.h>
#include <stdio.h>

#include "switchd/core/readiness.h"
#include "switchd/core/decide/transitions.h"

/* An idle slot is asked every idle_interval, its targets in turn; answers that are older than ten such rounds say that nobody
 * asks any more. */
enum { STALE_ROUNDS = 10 };

const char *blocked_name(enum blocked b)
{
	static const char *const names[N_BLOCKED] = {
		[BLOCKED_NO_ACTIVE] = "no_active", [BLOCKED_SEALED] = "sealed", [BLOCKED_CLAIMED] = "claimed", [BLOCKED_NO_RELEASE] = "no_release",
		[BLOCKED_CONDEMNED] = "condemned", [BLOCKED_NEVER_GOOD] = "never_good", [BLOCKED_IDENTITY] = "identity", [BLOCKED_TARGETS] = "targets",
		[BLOCKED_FEATURES] = "features", [BLOCKED_UNKNOWN] = "unknown", [BLOCKED_STALE] = "stale", [BLOCKED_SUSPECT] = "suspect",
	};

	return names[b];
}

static void PRINTF(3, 4) block(struct readiness *r, enum blocked b, const char *fmt, ...)
{
	va_list ap;

	r->blocked |= 1u << b;
	if (r->why[0])
		return; /* the first one is what is said; the rest are in the set */
	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
}

/* The reasons of decide_rollback_target(), each by its name. */
static void look_record(const struct record *rec, const struct world *w, struct readiness *r)
{
	const struct release *t = &rec->slot[r->slot];
	char why[160];

	if (decide_rollback_target(rec, w->condemned, why))
		return;
	if (rec->sealed.on)
		block(r, BLOCKED_SEALED, "%s", why);
	if (rec->claim.id[0] && rec->claim.slot == r->slot)
		block(r, BLOCKED_CLAIMED, "%s", why);
	if (!t->id[0] || t->state == RS_EMPTY)
		block(r, BLOCKED_NO_RELEASE, "%s", why);
	else if (release_condemned(w->condemned, t))
		block(r, BLOCKED_CONDEMNED, "%s", why);
	if (!r->blocked)
		block(r, BLOCKED_NEVER_GOOD, "%s", why);
}

static void look_feature(const struct look *l, size_t i, struct readiness *r, int64_t *stale_ms)
{
	const struct world *w = l->w;
	const struct feature_view *f = &w->health->f[i];
	bool identity = i == w->health->n;
	const char *name = feature_name(w->cfg, w->health->n, i);

	if (identity ? f->at[l->b] == V_UNKNOWN : !missed_behind(l, i) || f->at[l->a] == V_ABSENT)
		return; /* it has not got it here either: going back takes nothing away */
	if (f->at[l->b] == V_ABSENT || f->at[l->b] == V_PARTIAL) {
		block(r, identity ? BLOCKED_IDENTITY : BLOCKED_FEATURES, "%s is %s on %s", name, verdict_name(f->at[l->b]), slot_name(l->b));
		return;
	}
	if (f->at[l->b] == V_UNKNOWN) {
		block(r, BLOCKED_UNKNOWN, "%s is not known on %s", name, slot_name(l->b));
		return;
	}
	if (identity || w->cfg->features[i].writes || !f->evidence_since[l->b].us)
		return; /* what writes is asked seldom, and its last word stands */
	int64_t age = mono_since_ms(w->now, f->evidence_since[l->b]);
	int64_t every = w->cfg->features[i].rule.idle_interval_ms * (int64_t)(w->cfg->slot[l->b].n_targets ? w->cfg->slot[l->b].n_targets : 1);

	if (age > r->proved_ms)
		r->proved_ms = age;
	if (age > STALE_ROUNDS * every && age > *stale_ms)
		*stale_ms = age;
}

static void look_slot(const struct record *rec, const struct world *w, struct readiness *r)
{
	struct input tick = { .kind = IN_TICK, .slot = NO_SLOT, .found_slot = NO_SLOT };
	const struct slot_view *v = &w->health->slot[r->slot];
	struct look l;
	int64_t stale_ms = 0;

	look_init(&l, rec, w, &tick);
	if (w->health->suspect || !w->started)
		block(r, BLOCKED_SUSPECT, "the prober is suspect");
	if (v->too_few || (v->targets && !v->in))
		block(r, BLOCKED_TARGETS, "%d of %d targets of %s are in", v->in, v->targets, slot_name(r->slot));
	if (v->identity_wrong)
		block(r, BLOCKED_IDENTITY, "%s answers as another release than %s", slot_name(r->slot), rec->slot[r->slot].id);
	for (size_t i = 0; i < w->health->n + w->cfg->identity.on; i++)
		look_feature(&l, i, r, &stale_ms);
	if (stale_ms)
		block(r, BLOCKED_STALE, "the oldest answer of %s is %lld s old", slot_name(r->slot), (long long)(stale_ms / 1000));
}

void readiness_look(const struct record *rec, const struct world *w, struct readiness *r)
{
	*r = (struct readiness){ .slot = other_slot(rec->active), .proved_ms = -1 };
	if (r->slot != BLUE && r->slot != GREEN) {
		r->slot = NO_SLOT;
		block(r, BLOCKED_NO_ACTIVE, "no slot is active");
		return;
	}
	look_record(rec, w, r);
	look_slot(rec, w, r);
	r->ready = !r->blocked;
}
