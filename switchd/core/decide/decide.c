/* SPDX-License-Identifier: MIT
 * decide.c - walks the table, finishes what the row began, and asserts what must never be committed. */
#include <stdio.h>
#include <string.h>

#include "switchd/core/decide/transitions.h"

static bool holds(struct look *l, const struct row *r)
{
	for (size_t i = 0; i < MAX_PROVIDED && r->provided[i]; i++) {
		int g = r->provided[i];

		if (guards[g < 0 ? -g : g].holds(l) != (g > 0))
			return false;
	}
	return true;
}

static const struct row *fires(struct look *l)
{
	for (size_t i = 0; i < n_transitions; i++) {
		const struct row *r = &transitions[i];

		if (r->on == l->in->kind && (r->at & (1u << l->rec->phase)) && holds(l, r))
			return r;
	}
	return NULL;
}

static bool is_slot(enum slot s) { return s == BLUE || s == GREEN; }

/* ---- the event ---- */

static const char *about(const struct look *l, const struct decision *d, enum event_kind kind)
{
	const struct record *r = d->commit ? &d->next : l->rec;

	switch (kind) {
	case EV_CLAIM_TAKEN:
		return r->claim.release;
	case EV_CLAIM_RENEWED: case EV_CLAIM_GIVEN_BACK: case EV_CLAIM_EXPIRED:
		return l->rec->claim.release;
	case EV_DEPLOY_STARTED: case EV_DEPLOY_READY: case EV_DEPLOY_ABORTED: case EV_DEPLOY_EXPIRED: case EV_DEPLOY_WOULD_FLIP:
	case EV_DEPLOY_WOULD_REFUSE:
		return r->deploy.release;
	case EV_ROLLBACK_DECIDED:
		return is_slot(l->a) ? l->rec->slot[l->a].id : "";
	case EV_GATE_REFUSED: /* also of a claim, when there is no deploy yet */
		return l->in->kind == IN_TICK ? r->deploy.release : l->in->release;
	case EV_MANIFEST_READ:
		return r->deploy.release;
	case EV_PARDONED:
		return l->in->release;
	default:
		return is_slot(r->active) ? r->slot[r->active].id : "";
	}
}

static void tell_event(const struct look *l, struct decision *d, enum event_kind kind)
{
	struct event *e = &d->event;
	const struct record *next = d->commit ? &d->next : l->rec;

	e->kind[0] = e->evidence[0] = e->stream_id[0] = '\0';
	e->because = d->because;
	if (kind == EV_NONE)
		return;
	if (kind == EV_GATE_REFUSED && d->commit && d->next.deploy.outcome == DO_WOULD_REFUSE)
		kind = EV_DEPLOY_WOULD_REFUSE;
	TEXT_COPY(e->kind, event_kinds[kind]);
	TEXT_COPY(e->service, l->w->cfg->name);
	e->at = l->w->wall;
	TEXT_COPY(e->by, l->in->kind == IN_TICK || !l->in->by[0] ? "switchd" : l->in->by);
	e->from_v = l->rec->v;
	e->to_v = next->v;
	e->from = l->a;
	e->to = is_slot(next->active) ? next->active : NO_SLOT;
	TEXT_COPY(e->release, about(l, d, kind));
	e->deploy = deploy_in_flight(l->rec) || deploy_in_flight(next) ? next->deploy.id : 0;
	if (kind == EV_NOTE && l->in->about)
		e->deploy = l->in->about;
	TEXT_COPY(e->detail, d->detail);
}

/* ---- what must hold of every commit, whatever the table says ---- */

static bool automatic(const struct decision *d, const struct look *l) { return d->mode == MOVE_AUTO && l->in->kind == IN_TICK; }

static void check_auto(const struct look *l, const struct decision *d)
{
	const struct record *r = l->rec;
	char why[160];

	/* I8: one move back per forward move, none while held, suspect or observing. */
	must(r->move.mode == MOVE_FORWARD || r->move.mode == MOVE_FORCE);
	must(r->move.to == r->active && !r->move.undone && d->next.move.undone);
	must(!r->hold.on && !r->pin.on && l->w->cfg->mode == MODE_ENFORCE && !l->w->health->suspect);
	/* I6: only to a rollback target (not sealed, claimed or condemned), and a strictly better one. */
	must(decide_rollback_target(r, l->w->condemned, why));
	must(l->loss_known && l->loss.better && l->loss.fresh && l->loss.n_lost > 0);
}

static void check(const struct look *l, const struct decision *d)
{
	const struct record *r = l->rec, *n = &d->next;
	int grown = version_cmp(n->v, r->v);
	bool other_value = n->active != r->active || n->shield != r->shield;

	/* I2: what a proxy must show changes with the version and only with it. (A start takes over what others knew.) */
	must(grown >= 0);
	must(!other_value || grown > 0 || n->active == NO_SLOT);
	if (l->in->kind != IN_START) {
		must(n->v.gen == r->v.gen);
		must(n->v.epoch == r->v.epoch + (other_value || (l->in->kind == IN_RESUME && r->pin.on)));
	}
	must(n->active == BLUE || n->active == GREEN || n->active == NO_SLOT);
	must(n->move.decided.ms == r->move.decided.ms || d->mode != MOVE_NOTE || (r->drill.on && !n->drill.on));
	if (automatic(d, l))
		check_auto(l, d);
	if (is_slot(n->active) && n->active != r->active && d->mode != MOVE_FORCE && l->in->kind != IN_START)
		must(!release_condemned(l->w->condemned, &n->slot[n->active]));
	if (d->condemn_it) {
		struct release c = { .id = "" };

		TEXT_COPY(c.id, d->condemn.release);
		TEXT_COPY(c.digest, d->condemn.digest);
		must(is_slot(n->active) && !same_release(&c, &n->slot[n->active]));
	}
	must(!n->claim.id[0] || n->claim.slot != n->active || (n->active == r->active && n->claim.slot == r->claim.slot));
}

/* ---- one decision ---- */

static void commit(struct look *l, const struct row *r, struct decision *d)
{
	struct record *next = &d->next;

	*next = *l->rec;
	d->commit = true;
	d->condemn = (struct condemned){ .release = "" };
	if (r->to >= 0) {
		next->phase = (enum phase)r->to;
		next->phase_since = l->w->wall;
		int64_t ms = phase_ms(l->w->cfg, next->phase);

		next->phase_until = ms ? wall_plus_ms(l->w->wall, ms) : (wall_ms){ 0 };
	}
	if (r->effect)
		r->effect(l, d);
	/* A start sets the version itself; everything else lets it grow with what a proxy must show. */
	if (l->in->kind != IN_START && (next->active != l->rec->active || next->shield != l->rec->shield))
		next->v.epoch++;
	d->offline_ok = l->w->alone && (l->in->kind == IN_HOLD || (l->in->kind == IN_ROLLBACK && l->w->drives) ||
					(d->mode == MOVE_AUTO && l->w->drives && l->w->cfg->offline_rollback));
	must(l->w->store_up || d->offline_ok);
	check(l, d);
}

void decide(const struct record *rec, const struct world *w, const struct input *in, struct decision *out)
{
	struct look l;

	out->row = NULL;
	out->because = "";
	out->refusal = RF_NONE;
	out->detail[0] = '\0';
	out->commit = out->alarm = out->offline_ok = out->condemn_it = out->pardon_it = false;
	out->mode = MOVE_NOTE;
	out->pardon[0] = '\0';
	out->actions = 0;
	out->event.kind[0] = '\0';
	out->event.because = "";
	must((unsigned)rec->phase < N_PHASES && (unsigned)in->kind < N_INPUTS);
	look_init(&l, rec, w, in);
	const struct row *r = fires(&l);

	if (!r)
		return;
	out->row = r;
	out->because = r->because;
	out->actions = r->act;
	out->alarm = r->to == TO_ALARM;
	if (r->to == TO_REFUSED)
		out->refusal = r->refusal;
	if (r->to >= TO_STAY)
		commit(&l, r, out);
	else if (r->effect)
		r->effect(&l, out);
	if (w->cfg->mode == MODE_OBSERVE)
		out->actions &= ~(unsigned)(ACT_APPLY | ACT_DRAIN);
	tell_event(&l, out, r->event);
}

/* ---- questions that status asks at every moment ---- */

bool decide_rollback_target(const struct record *r, const struct condemned_set *condemned, char why[160])
{
	enum slot b = other_slot(r->active);

	why[0] = '\0';
	if (!is_slot(b)) {
		text_copy(why, 160, "none (no slot is active)");
		return false;
	}
	const struct release *t = &r->slot[b];
	const char *name = t->id[0] ? t->id : "release unknown";

	if (r->sealed.on)
		text_format(why, 160, "none (sealed by %s, %.80s)", r->sealed.by, r->sealed.why);
	else if (r->claim.id[0] && r->claim.slot == b)
		text_format(why, 160, "none (%s: claimed by %s)", slot_name(b), r->claim.by);
	else if (!t->id[0] || t->state == RS_EMPTY)
		text_format(why, 160, "none (%s: release unknown)", slot_name(b));
	else if (release_condemned(condemned, t))
		text_format(why, 160, "none (%s: %s, condemned)", slot_name(b), name);
	else if (!t->was_good || !(t->state == RS_GOOD || t->state == RS_LEFT))
		text_format(why, 160, "none (%s: %s, %s)", slot_name(b), name,
			    t->state == RS_LIVE || t->state == RS_LEFT ? "never baked" : release_state_name(t->state));
	else
		return true;
	return false;
}

/* Everything of B4 but the loss itself. */
bool decide_armed(const struct record *r, const struct world *w, char why[160])
{
	struct input tick = { .kind = IN_TICK, .slot = NO_SLOT, .found_slot = NO_SLOT };
	const struct health_view *h = w->health;
	struct look l;
	char target[160];
	static const struct { int guard; const char *why; } asked[] = {
		{ -G_OBSERVE, "observe mode" }, { -G_GATE, "gate mode" }, { -G_HOLD, "held" }, { -G_PINNED, "pinned by hand" },
		{ -G_SUSPECT, "the prober is suspect" }, { G_FORWARD_MOVE, "the last move was no forward one" },
		{ G_WINDOW, "longer after the flip than rollback_window" }, { G_POLICY_AUTO, "this release is put back by a person only" },
		{ G_MAY_RECORD_BACK, "the state cannot be written" },
	};

	why[0] = '\0';
	look_init(&l, r, w, &tick);
	if (!decide_rollback_target(r, w->condemned, target)) {
		text_format(why, 160, "rollback target: %.140s", target);
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		int g = asked[i].guard;

		if (guards[g < 0 ? -g : g].holds(&l) != (g > 0)) {
			text_copy(why, 160, asked[i].why);
			return false;
		}
	}
	if (r->phase == PH_REVERTING) {
		text_copy(why, 160, "traffic is being put back");
		return false;
	}
	if (h->slot[l.b].too_few || h->slot[l.b].identity_wrong) {
		text_format(why, 160, "%s: %s", slot_name(l.b), h->slot[l.b].too_few ? "too few targets in" : "another release answers");
		return false;
	}
	for (size_t i = 0; i < h->n + w->cfg->identity.on; i++) {
		const struct feature_view *f = &h->f[i];

		if ((i == h->n || missed_behind(&l, i)) && f->at[l.a] != V_ABSENT && f->at[l.b] != V_PRESENT) {
			text_format(why, 160, "%s is %s on %s", feature_name(w->cfg, h->n, i), verdict_name(f->at[l.b]), slot_name(l.b));
			return false;
		}
	}
	return true;
}

struct proxy_value decide_value(const struct record *r)
{
	return (struct proxy_value){ .slot = r->active, .v = r->v, .shield = r->shield };
}

size_t decide_lost(const struct record *r, const struct world *w, const struct service_config *cfg, size_t lost[MAX_FEATURES])
{
	struct input tick = { .kind = IN_TICK, .slot = NO_SLOT, .found_slot = NO_SLOT };
	struct look l;
	size_t n = 0;

	look_init(&l, r, w, &tick);
	const struct loss *x = look_loss(&l);

	/* identity has no place in the config's list of features */
	for (size_t i = 0; i < x->n_lost; i++)
		if (x->lost[i] < cfg->n_features)
			lost[n++] = x->lost[i];
	return n;
}

size_t decide_gates(const struct record *r, const struct world *w, const struct input *in, struct gate_said out[MAX_GATES])
{
	struct look l;
	size_t n;

	look_init(&l, r, w, in);
	const struct gate_said *g = look_gates(&l, &n);

	for (size_t i = 0; i < n; i++)
		out[i] = g[i];
	return n;
}

static void sooner(wall_ms *least, const struct world *w, int64_t at_ms)
{
	if (at_ms > w->wall.ms && (!least->ms || at_ms < least->ms))
		least->ms = at_ms;
}

wall_ms decide_next_time(const struct record *r, const struct world *w)
{
	wall_ms next = { 0 };
	int64_t to_wall = w->wall.ms - w->now.us / 1000;

	if (r->phase_until.ms) {
		int64_t stood = r->phase == PH_BAKING ? w->bake_stood_ms : 0;

		sooner(&next, w, r->phase_until.ms + stood);
		if (w->phase_entered.us)
			sooner(&next, w, to_wall + w->phase_entered.us / 1000 + r->phase_until.ms - r->phase_since.ms + stood + 1);
	}
	if (r->hold.on && r->hold.until.ms)
		sooner(&next, w, r->hold.until.ms);
	for (size_t i = 0; i < r->n_mutes; i++)
		sooner(&next, w, r->mutes[i].until.ms);
	if (w->whole_since.us && (r->phase == PH_STUCK || r->phase == PH_STEADY))
		sooner(&next, w, to_wall + w->whole_since.us / 1000 + w->cfg->bake_ms + 1);
	for (size_t i = 0; r->phase == PH_PROVING && i < w->cfg->n_features; i++)
		if (w->cfg->features[i].rule.start_period_ms)
			sooner(&next, w, to_wall + w->phase_entered.us / 1000 + w->cfg->features[i].rule.start_period_ms + 1);
	return next;
}
