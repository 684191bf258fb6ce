/* SPDX-License-Identifier: MIT
 * effects.c - what the world's rows change in the record, and what they say. */
#include <string.h>

#include "switchd/core/decide/transitions.h"

/* ---- first start ---- */

static void found_release(struct look *l, struct decision *d, enum slot s)
{
	struct release *r = &d->next.slot[s];

	if (r->id[0])
		return;
	*r = (struct release){ .state = RS_LIVE, .arrived = l->w->wall };
	TEXT_COPY(r->id, l->in->found_release[0] && id_ok(l->in->found_release) ? l->in->found_release : "initial");
}

static void start_empty(struct decision *d)
{
	struct record *next = &d->next;

	next->shield = false;
	next->active = NO_SLOT;
	end_claim(next);
	next->pin.slot = next->move.from = next->move.to = NO_SLOT;
	if (!next->deploy.id)
		next->deploy.slot = NO_SLOT;
}

void do_start_ambiguous(struct look *l, struct decision *d)
{
	char v[VERSION_TEXT];

	/* Nothing is written to a proxy: whoever serves goes on, and a person says which slot is meant. */
	if (l->rec->rev == 0) {
		start_empty(d);
		d->next.v = l->in->found_v;
	}
	say(d, "%s carries both slots; switchctl flip --to SLOT --force -m WHY says which", version_text(l->in->found_v, v));
}

void do_start_found(struct look *l, struct decision *d)
{
	char v[VERSION_TEXT];

	start_empty(d);
	d->next.active = l->in->found_slot;
	d->next.v = (struct version){ l->in->found_v.gen, l->in->found_v.epoch + 1 };
	found_release(l, d, l->in->found_slot);
	say(d, "%s by %s of %s", slot_name(l->in->found_slot), version_text(l->in->found_v, v),
	    !l->in->found_in_proxy ? "the journal" : l->in->proxy[0] ? l->in->proxy : "a proxy");
}

void do_start_initial(struct look *l, struct decision *d)
{
	start_empty(d);
	d->next.active = l->w->cfg->initial;
	d->next.v.epoch++;
	found_release(l, d, l->w->cfg->initial);
	say(d, "initial: %s", slot_name(l->w->cfg->initial));
}

void do_start_none(struct look *l, struct decision *d)
{
	(void)l;
	start_empty(d);
	say(d, "no initial slot in the config, no version in journal or proxy");
}

/* The traffic is elsewhere already: the record goes where it is, and what was under way ends. */
static void follow(struct look *l, struct decision *d, enum slot to)
{
	struct record *next = &d->next;

	if (to != l->a)
		move_to(l, d, to, MOVE_FORCE);
	next->shield = false;
	if (l->in->found_release[0])
		found_release(l, d, to);
	end_claim(next);
	deploy_end(l, next, DO_ABORTED, d->because);
}

void do_start_higher(struct look *l, struct decision *d)
{
	char v[VERSION_TEXT], mine[VERSION_TEXT];

	/* The same slot at a higher version: what is under way goes on. */
	if (l->in->found_slot != l->a)
		follow(l, d, l->in->found_slot);
	if (version_cmp(l->in->found_v, d->next.v) > 0)
		d->next.v = l->in->found_v;
	d->next.v.epoch++;
	say(d, "%s shows %s at %s, the record had %s at %s", !l->in->found_in_proxy ? "the journal" : l->in->proxy[0] ? l->in->proxy : "a proxy",
	    slot_name(l->in->found_slot), version_text(l->in->found_v, v), slot_name(l->a), version_text(l->rec->v, mine));
}

void do_follow(struct look *l, struct decision *d)
{
	follow(l, d, l->w->proxies->shows);
	say(d, "every live proxy shows %s", slot_name(l->w->proxies->shows));
}

void do_pin(struct look *l, struct decision *d)
{
	struct record *next = &d->next;

	follow(l, d, l->to);
	next->pin = (struct pin){ .on = true, .slot = l->to, .since = l->w->wall };
	TEXT_COPY(next->pin.proxy, l->in->proxy);
	d->mode = MOVE_FORCE;
	say(d, "%s shows a pin to %s; switchctl resume, rollback or flip --force ends it", l->in->proxy[0] ? l->in->proxy : "a proxy", slot_name(l->to));
}

/* ---- automatic rollback ---- */

static void say_loss(struct look *l, struct decision *d)
{
	const struct loss *x = look_loss(l);

	if (x->too_few)
		say_targets(l, d, l->a);
	say_features(l, d, x->n_lost ? x->lost : x->gone, x->n_lost ? x->n_lost : x->n_gone, "");
}

static void recent_add(struct look *l, struct record *next)
{
	size_t kept = 0;

	for (size_t i = 0; i < next->n_recent; i++)
		if (l->w->wall.ms - next->recent[i].ms < l->w->cfg->budget_per_ms)
			next->recent[kept++] = next->recent[i];
	if (kept == MAX_RECENT) {
		memmove(&next->recent[0], &next->recent[1], (kept - 1) * sizeof(next->recent[0]));
		kept--;
	}
	next->recent[kept++] = l->w->wall;
	next->n_recent = kept;
}

void do_roll_back(struct look *l, struct decision *d)
{
	struct record *next = &d->next;
	const struct release *left = &l->rec->slot[l->a];

	say_loss(l, d);
	move_to(l, d, l->b, MOVE_AUTO);
	next->move.undone = true;
	TEXT_COPY(next->move.reason, d->detail);
	/* A drill released nothing: it condemns nothing and spends nothing of what deploys may. */
	if (l->rec->drill.on)
		return;
	recent_add(l, next);
	deploy_end(l, next, l->rec->deploy.slot == l->a ? DO_ROLLED_BACK : DO_ABORTED, d->detail);
	if (!left->id[0] || same_release(left, &l->rec->slot[l->b]))
		return;
	d->condemn_it = true;
	TEXT_COPY(d->condemn.release, left->id);
	TEXT_COPY(d->condemn.digest, left->digest);
	d->condemn.since = l->w->wall;
	TEXT_COPY(d->condemn.by, "switchd");
	TEXT_COPY(d->condemn.why, d->detail);
}

/* An alarm names what a person would type. */
void do_say_command(struct look *l, struct decision *d)
{
	char why[160];
	const char *name = l->w->cfg->name;

	if (l->w->cfg->mode == MODE_OBSERVE)
		return;
	if (!l->w->store_up && !(l->w->alone && l->w->drives))
		say(d, "; with the state away: switchctl --direct proxy pin %s %s", name, slot_name(l->b));
	else if (decide_rollback_target(l->rec, l->w->condemned, why))
		say(d, "; switchctl rollback %s", name);
	else
		say(d, "; rollback target: %s; switchctl rollback %s --force -m WHY", why, name);
}

void do_say_loss(struct look *l, struct decision *d)
{
	const struct loss *x = look_loss(l);

	say_loss(l, d);
	if (x->n_lost && !x->better && x->in_the_way <= l->w->health->n)
		say(d, "; %s would be missed on %s", feature_name(l->w->cfg, l->w->health->n, x->in_the_way), slot_name(l->b));
	do_say_command(l, d);
}

/* With all that is lost besides: one alarm, said anew when either changes. */
void do_say_identity(struct look *l, struct decision *d)
{
	const struct feature_view *f = &l->w->health->f[l->w->health->n];
	int in = f->present[l->a] + f->absent[l->a] + f->unknown[l->a];

	say(d, "%s answers as another release than %s on %d of %d targets", slot_name(l->a), l->rec->slot[l->a].id, f->absent[l->a], in);
	say_loss(l, d);
	do_say_command(l, d);
}

void do_say_partial(struct look *l, struct decision *d)
{
	const struct loss *x = look_loss(l);

	for (size_t i = 0; i < x->n_partial && i < 6; i++) {
		const struct feature_view *f = &l->w->health->f[x->partial[i]];
		int in = f->present[l->a] + f->absent[l->a] + f->unknown[l->a];

		say(d, "%s%s: absent on %d of %d targets of %s", i ? "; " : "", feature_name(l->w->cfg, l->w->health->n, x->partial[i]),
		    f->absent[l->a], in, slot_name(l->a));
	}
}

/* B2: reported with the flip that would bring it, never acted on. */
void do_say_new(struct look *l, struct decision *d)
{
	const struct loss *x = look_loss(l);
	const struct health_view *h = l->w->health;
	char why[160];
	bool plain = h->slot[l->b].whole && l->rec->slot[l->b].id[0] && !release_condemned(l->w->condemned, &l->rec->slot[l->b]);

	say_features(l, d, x->brought, x->n_brought, "never seen there");
	if (l->w->cfg->mode == MODE_OBSERVE)
		return;
	say(d, "; %s %s brings %s", slot_name(l->b), l->rec->slot[l->b].id[0] ? l->rec->slot[l->b].id : "(release not known)",
	    x->n_brought == 1 ? "it" : "them");
	for (size_t i = 0; i < h->n; i++)
		if (h->f[i].votes && h->f[i].at[l->a] == V_PRESENT && h->f[i].at[l->b] != V_PRESENT) {
			say(d, ", and would take %s away", feature_name(l->w->cfg, h->n, i));
			plain = false;
			break;
		}
	if (!decide_rollback_target(l->rec, l->w->condemned, why))
		say(d, " (rollback target: %s)", why);
	say(d, ": switchctl flip %s --to %s%s", l->w->cfg->name, slot_name(l->b), plain ? "" : " --force -m WHY");
}

void do_late(struct look *l, struct decision *d)
{
	say(d, "%s", l->in->detail);
}

/* ---- flips ---- */

void do_flip_auto(struct look *l, struct decision *d)
{
	char why[160];

	keep_gates(l, d);
	move_to(l, d, l->b, MOVE_FORWARD);
	d->next.deploy.outcome = DO_RUNNING;
	d->next.deploy.prolonged = false;
	/* B5.5: up in the same write, while the slot left is a rollback target. */
	d->next.shield = l->w->cfg->shield && decide_rollback_target(&d->next, l->w->condemned, why);
	say(d, "%s holds %s", slot_name(l->b), d->next.slot[l->b].id);
	say_both(l, d);
}

void do_observed(struct look *l, struct decision *d)
{
	struct move *m = &d->next.move;
	const struct proxies_view *p = l->w->proxies;
	int alive = p->all - p->down;

	if (alive > 0 && p->acked >= alive)
		m->acked = l->w->wall;
	if (p->can_observe > 0 && p->observed >= p->can_observe)
		m->observed = l->w->wall;
	if (p->all == 0)
		say(d, "no proxy is configured");
	else if (alive <= 0)
		say(d, "no live proxy of %d", p->all);
	else
		say(d, "%d of %d proxies, %s", alive, p->all, m->observed.ms ? "observed" : "acked, not observed");
}

/* B5.4: undoes a flip that a live proxy did not make. Nobody's fault: nothing is condemned, no budget is spent. */
void do_revert(struct look *l, struct decision *d)
{
	bool of_deploy = l->rec->deploy.slot == l->a;

	say(d, "%s", l->w->proxies->refused ? l->w->proxies->refused_why : "not every live proxy was observed in time");
	move_to(l, d, l->b, MOVE_BACK);
	d->next.move.undone = true;
	if (of_deploy)
		deploy_end(l, &d->next, DO_ROLLED_BACK, d->detail);
}

void do_stuck(struct look *l, struct decision *d)
{
	const struct proxies_view *p = l->w->proxies;
	struct deploy *dep = &d->next.deploy;

	say(d, "%d of %d live proxies acked, %d of %d observed", p->acked, p->all - p->down, p->observed, p->can_observe);
	if (p->refused)
		say(d, "; %s", p->refused_why);
	say(d, "; a person: switchctl rollback %s, or flip %s --to SLOT --force -m WHY", l->w->cfg->name, l->w->cfg->name);
	if (dep->outcome == DO_ROLLED_BACK && dep->slot == l->rec->move.from && dep->ended.ms >= l->rec->move.decided.ms)
		dep->outcome = DO_STUCK;
	deploy_end(l, &d->next, DO_STUCK, d->because);
}

/* ---- bake ---- */

static void good(struct look *l, struct decision *d)
{
	struct release *r = &d->next.slot[l->a];

	r->state = RS_GOOD;
	r->was_good = r->id[0] != '\0';
	d->next.shield = false;
}

void do_baked(struct look *l, struct decision *d)
{
	good(l, d);
	if (l->rec->shield && l->w->proxies->caught_recent)
		say(d, "the shield still catches");
	if (l->rec->deploy.slot == l->a)
		deploy_end(l, &d->next, DO_BAKED, d->because);
}

void do_prolong(struct look *l, struct decision *d)
{
	d->next.deploy.prolonged = true;
	d->next.phase_until = wall_plus_ms(l->w->wall, l->w->cfg->bake_ms);
	/* phase_since stays: the phase is the same one, only longer. */
	say(d, "the other slot answers requests that %s fails", slot_name(l->a));
}

void do_settle(struct look *l, struct decision *d)
{
	struct deploy *dep = &d->next.deploy;

	do_observed(l, d);
	good(l, d);
	if (dep->outcome == DO_STUCK)
		dep->outcome = dep->slot == l->a ? DO_BAKED : DO_ROLLED_BACK;
}

void do_release_good(struct look *l, struct decision *d)
{
	good(l, d);
	say(d, "%s on %s", l->rec->slot[l->a].id, slot_name(l->a));
}

/* ---- drills ---- */

void do_drill_back(struct look *l, struct decision *d)
{
	struct drill *x = &d->next.drill;
	const struct move *m = &l->rec->move;

	x->turned = true;
	x->out_acked_us = m->acked.ms ? m->acked_us : -1;
	x->out_observed_us = m->observed.ms ? m->observed_us : -1;
	move_to(l, d, l->b, MOVE_BACK);
	d->next.move.undone = true;
	say(d, "from %s to %s", slot_name(l->a), slot_name(l->b));
}

static void say_us(struct decision *d, const char *what, int64_t us)
{
	if (us >= 0)
		say(d, ", %s +%lld us", what, (long long)us);
	else
		say(d, ", not %s", what);
}

void do_drill_done(struct look *l, struct decision *d)
{
	struct drill *x = &d->next.drill;
	const struct move *m = &l->rec->move;
	bool home = l->a == x->home, moved_back = home && m->to == x->home && m->decided.ms >= x->since.ms;

	x->on = false;
	x->ended = l->w->wall;
	if (moved_back) {
		x->back_acked_us = m->acked.ms ? m->acked_us : -1;
		x->back_observed_us = m->observed.ms ? m->observed_us : -1;
	}
	/* As it was before: what automation may undo, and since when, is that of the release that serves. */
	if (moved_back && l->rec->phase != PH_STUCK)
		d->next.move = x->before;
	if (!x->turned || !home || l->rec->phase == PH_STUCK)
		TEXT_COPY(x->how, l->rec->phase == PH_STUCK ? "a proxy does not follow" : l->rec->phase == PH_BAKING ? d->because : m->reason[0] ? m->reason : "traffic was moved meanwhile");
	if (!x->how[0]) {
		say(d, "there");
		say_us(d, "acked", x->out_acked_us);
		say_us(d, "observed", x->out_observed_us);
		say(d, "; back");
		say_us(d, "acked", x->back_acked_us);
		say_us(d, "observed", x->back_observed_us);
	} else {
		say(d, "cut short: %s; %s serves%s", x->how, slot_name(l->a), home ? "" : ", not the slot that served before");
	}
}

/* ---- ends by time ---- */

void do_hold_over(struct look *l, struct decision *d)
{
	say(d, "set by %s: %s", l->rec->hold.by, l->rec->hold.why);
	d->next.hold = (struct hold){ .on = false };
}

void do_mutes_over(struct look *l, struct decision *d)
{
	struct record *next = &d->next;
	size_t kept = 0;

	for (size_t i = 0; i < next->n_mutes; i++) {
		if (next->mutes[i].until.ms <= l->w->wall.ms)
			say(d, "%s%s", d->detail[0] ? ", " : "", next->mutes[i].feature);
		else if (kept++ != i)
			next->mutes[kept - 1] = next->mutes[i];
	}
	next->n_mutes = kept;
}
