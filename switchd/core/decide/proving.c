/* SPDX-License-Identifier: MIT
 * proving.c - what a round on the new slot leads to: a flip, a wait for a person, or the end of the deploy with its reason. */
#include "switchd/core/decide/transitions.h"

/* The deploy ends without a flip: refused, or in mode observe what it would have been. */
static void refuse(struct look *l, struct decision *d)
{
	struct record *next = &d->next;
	enum slot s = l->rec->deploy.slot;

	if (s == BLUE || s == GREEN)
		next->slot[s].state = RS_REFUSED;
	keep_gates(l, d);
	deploy_end(l, next, l->w->cfg->mode == MODE_OBSERVE ? DO_WOULD_REFUSE : DO_REFUSED, d->detail);
}

void do_refuse_vacuous(struct look *l, struct decision *d)
{
	say(d, "%s passes on a path that does not exist: it cannot see the feature go", l->w->vacuous_name[0] ? l->w->vacuous_name : "a probe");
	if (l->w->vacuous > 1)
		say(d, "; and %d more", l->w->vacuous - 1);
	refuse(l, d);
}

void do_refuse_lost(struct look *l, struct decision *d)
{
	const struct proof *p = look_proof(l);

	say_features(l, d, p->lost, p->n_lost, "");
	refuse(l, d);
}

void do_refuse_none(struct look *l, struct decision *d)
{
	const struct proof *p = look_proof(l);

	say_features(l, d, p->none, p->n_none, "never seen before");
	refuse(l, d);
}

void do_refuse_identity(struct look *l, struct decision *d)
{
	say(d, "%s does not answer as %s", slot_name(l->b), l->rec->deploy.release);
	refuse(l, d);
}

void do_refuse_preflight(struct look *l, struct decision *d)
{
	say(d, "%s", l->w->proxies->preflight_why);
	refuse(l, d);
}

static void say_waiting(struct look *l, struct decision *d)
{
	size_t n;
	const struct gate_said *g = look_gates(l, &n), *open = gates_find(g, n, GR_WAITING);

	if (open)
		say(d, "%s%s: %s", d->detail[0] ? "; " : "", open->name, open->text);
}

/* What was still not known when the time was over. */
static void say_open(struct look *l, struct decision *d)
{
	const struct proof *p = look_proof(l);
	const struct proxies_view *px = l->w->proxies;

	if (p->too_few && l->b != NO_SLOT)
		say_targets(l, d, l->b);
	say_features(l, d, p->lost, p->n_lost, "");
	say_features(l, d, p->none, p->n_none, "never seen before");
	say_features(l, d, p->open, p->n_open, "");
	if (l->b != NO_SLOT && l->w->health->slot[l->b].starting)
		say(d, "%s%d targets still starting", d->detail[0] ? "; " : "", l->w->health->slot[l->b].starting);
	if (p->wrong)
		say(d, "%sanother release answers on %s", d->detail[0] ? "; " : "", slot_name(l->b));
	if (!l->w->control_done)
		say(d, "%sthe negative control has not ended", d->detail[0] ? "; " : "");
	say_waiting(l, d);
	if (px->all && !px->preflight_done)
		say(d, "%sa proxy has not answered the preflight", d->detail[0] ? "; " : "");
	if (px->all && px->servers_up >= 0)
		say(d, "%sa proxy sees %d of %d servers up", d->detail[0] ? "; " : "", px->servers_up, px->servers_all);
	if (l->w->health->suspect || !l->w->started)
		say(d, "%sthe prober was suspect: %s", d->detail[0] ? "; " : "", l->w->health->suspect_why ? l->w->health->suspect_why : "");
}

void do_refuse_late(struct look *l, struct decision *d)
{
	say_open(l, d);
	refuse(l, d);
}

static void proved(struct look *l, struct decision *d)
{
	enum slot s = l->rec->deploy.slot;

	/* Proving is enough for a release that has been active and good before: it is a rollback target again (B3). */
	if (s == BLUE || s == GREEN)
		d->next.slot[s].state = d->next.slot[s].was_good ? RS_GOOD : RS_PROVED;
	keep_gates(l, d);
}

void do_would_flip(struct look *l, struct decision *d)
{
	proved(l, d);
	say(d, "would have flipped to %s", slot_name(l->b));
	say_both(l, d);
	deploy_end(l, &d->next, DO_WOULD_FLIP, d->detail);
}

void do_ready(struct look *l, struct decision *d)
{
	proved(l, d);
	d->next.deploy.outcome = DO_READY;
	say(d, "%s holds %s", slot_name(l->b), l->rec->deploy.release);
	say_both(l, d);
}

/* It waits for a person, and goes on waiting when a budget recovers: nothing flips by surprise an hour later. */
void do_ready_human(struct look *l, struct decision *d)
{
	do_ready(l, d);
	d->next.deploy.stop = STOP_READY;
	say(d, "; switchctl flip %s --to %s promotes it", l->w->cfg->name, slot_name(l->b));
}

void do_prove_again(struct look *l, struct decision *d)
{
	enum slot s = l->rec->deploy.slot;

	say_open(l, d);
	if (s == BLUE || s == GREEN)
		d->next.slot[s].state = RS_ANNOUNCED;
	d->next.deploy.outcome = DO_RUNNING;
}

void do_ready_late(struct look *l, struct decision *d)
{
	enum slot s = l->rec->deploy.slot;

	if ((s == BLUE || s == GREEN) && d->next.slot[s].state != RS_GOOD)
		d->next.slot[s].state = RS_ABORTED;
	say(d, "ready_timeout");
	deploy_end(l, &d->next, DO_EXPIRED, d->because);
}

void do_claim_expired(struct look *l, struct decision *d)
{
	say(d, "claimed by %s for %s; %s holds no known release", l->rec->claim.by, l->rec->claim.release, slot_name(l->rec->claim.slot));
	end_claim(&d->next);
}
