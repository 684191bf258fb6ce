/* SPDX-License-Identifier: MIT
 * orders.c - what an operator's order changes in the record, and what a refused one is told. */
#include <inttypes.h>
#include <string.h>

#include "switchd/core/decide/transitions.h"

static void empty(struct release *r) { *r = (struct release){ .state = RS_EMPTY }; }

/* ---- told when refused ---- */

void tell_phase(struct look *l, struct decision *d)
{
	say(d, "%s is %s", l->w->cfg->name, phase_name(l->rec->phase));
	if (deploy_in_flight(l->rec))
		say(d, " with deploy %" PRIu64 " of %s by %s", l->rec->deploy.id, l->rec->deploy.release, l->rec->deploy.by);
}

void tell_hold(struct look *l, struct decision *d)
{
	char t[WALL_TEXT];

	say(d, "held by %s: %s", l->rec->hold.by, l->rec->hold.why);
	if (l->rec->hold.until.ms)
		say(d, " (until %s)", wall_text(l->rec->hold.until, t));
	say(d, "; switchctl resume %s", l->w->cfg->name);
}

void tell_pin(struct look *l, struct decision *d)
{
	say(d, "%s is pinned to %s by hand; switchctl resume %s ends it", l->rec->pin.proxy, slot_name(l->rec->pin.slot), l->w->cfg->name);
}

void tell_claim(struct look *l, struct decision *d)
{
	const struct claim *c = &l->rec->claim;
	char t[WALL_TEXT];

	if (!c->id[0])
		say(d, "no claim stands: it ran out, was given back, or never was");
	else
		say(d, "%s is claimed by %s for %s until %s", slot_name(c->slot), c->by, c->release[0] ? c->release : "a release", wall_text(c->until, t));
}

void tell_condemned(struct look *l, struct decision *d)
{
	const struct release *r = l->to == BLUE || l->to == GREEN ? &l->rec->slot[l->to] : NULL;
	const struct condemned *c = l->in->release[0] ? condemned_find(l->w->condemned, l->in->release, l->in->digest)
				  : r ? condemned_find(l->w->condemned, r->id, r->digest) : NULL;

	if (!c)
		return;
	if (l->in->release[0] && strcmp(l->in->release, c->release) != 0)
		say(d, "%s has the same bits as %s (%s); ", l->in->release, c->release, c->digest);
	say(d, "%s was condemned by %s: %.200s; switchctl pardon %s %s -m WHY", c->release, c->by, c->why, l->w->cfg->name, c->release);
}

void tell_last_good(struct look *l, struct decision *d)
{
	const struct health_view *h = l->w->health;

	for (size_t i = 0; i < h->n; i++)
		if (h->f[i].votes && !h->f[i].removed[l->a] && h->f[i].at[l->b] == V_PRESENT && h->f[i].at[l->a] != V_PRESENT && h->f[i].at[l->a] != V_UNKNOWN)
			say_features(l, d, &i, 1, "");
}

void tell_served(struct look *l, struct decision *d) { say(d, "proxy %s shows %s", l->w->proxies->serves[l->to], slot_name(l->to)); }

void tell_not_whole(struct look *l, struct decision *d)
{
	const struct proof *p = look_proof(l);
	const struct slot_view *v = &l->w->health->slot[l->b];

	if (p->too_few)
		say(d, "%s: %d of %d targets in", slot_name(l->b), v->in, v->targets);
	say_features(l, d, p->lost, p->n_lost, "");
	say_features(l, d, p->none, p->n_none, "never seen before");
	say_features(l, d, p->open, p->n_open, "");
	if (p->wrong)
		say(d, "%sanother release answers on %s", d->detail[0] ? "; " : "", slot_name(l->b));
}

void tell_preflight(struct look *l, struct decision *d)
{
	const struct proxies_view *p = l->w->proxies;

	if (!p->preflight_done)
		say(d, "the proxies were not asked yet");
	else if (!p->preflight_ok)
		say(d, "%s", p->preflight_why);
	else
		say(d, "%d of %d servers of %s are up by a proxy's own checks", p->servers_up, p->servers_all, slot_name(l->b));
}

void tell_no_target(struct look *l, struct decision *d)
{
	char why[160];

	if (!decide_rollback_target(l->rec, l->w->condemned, why))
		say(d, "rollback target: %s", why);
	else
		say(d, "%s answers as another release than %s", slot_name(l->b), l->rec->slot[l->b].id);
	if (l->rec->phase == PH_FILLING)
		say(d, "; CI may still be writing into %s", slot_name(l->b));
}

void tell_slot(struct look *l, struct decision *d) { say(d, "%s is the active slot", slot_name(l->a)); }

void tell_force(struct look *l, struct decision *d)
{
	say(d, "%s: no release is known to be in it (%s)", slot_name(l->to), release_state_name(l->rec->slot[l->to].state));
}

void tell_gone(struct look *l, struct decision *d)
{
	const struct health_view *h = l->w->health;

	for (size_t i = 0; i < h->n; i++)
		if (h->f[i].votes && h->f[i].at[l->a] != V_PRESENT)
			say(d, "%s%s is %s on %s", d->detail[0] ? ", " : "", feature_name(l->w->cfg, h->n, i), verdict_name(h->f[i].at[l->a]), slot_name(l->a));
}

void tell_suspect(struct look *l, struct decision *d)
{
	say(d, "%s", l->w->health->suspect && l->w->health->suspect_why ? l->w->health->suspect_why : "just started");
}

void tell_same_deploy(struct look *l, struct decision *d)
{
	say(d, "same deploy: %" PRIu64, l->rec->deploy.id);
}

/* ---- claims ---- */

/* What was done against advice is in the audit with its reason, and with what the advice was. */
static void say_forced(struct look *l, struct decision *d)
{
	if (!l->in->force)
		return;
	say(d, "; forced: %s", l->in->why);
	if (l->in->kind != IN_CLAIM)
		return;
	tell_last_good(l, d);
	if (slot_served(l)) {
		say(d, "; ");
		tell_served(l, d);
	}
}

void do_claim(struct look *l, struct decision *d)
{
	struct record *next = &d->next;
	struct claim *c = &next->claim;

	*c = (struct claim){ .slot = l->to, .since = l->w->wall, .until = wall_plus_ms(l->w->wall, l->w->cfg->claim_ttl_ms) };
	if (l->in->claim_id[0])
		TEXT_COPY(c->id, l->in->claim_id);
	else
		TEXT_FORMAT(c->id, "claim-%" PRId64, l->w->wall.ms);
	TEXT_COPY(c->by, l->in->by);
	TEXT_COPY(c->release, l->in->release);
	bool whole = !l->in->manifest || claim_keep(c, l->in->manifest);
	/* From here on nobody knows what is in it: no flip but a forced one may name it, and it is no rollback target. */
	empty(&next->slot[l->to]);
	next->shield = false;
	say(d, "%s for %s", slot_name(l->to), l->in->release[0] ? l->in->release : "a release");
	if (!whole)
		say(d, "; its manifest is kept without labels: they are too long");
	say_forced(l, d);
	if (l->in->skip[0])
		say(d, "; set aside by %s: %s (%s)", l->in->by, l->in->skip, l->in->why);
}

void do_renew(struct look *l, struct decision *d)
{
	d->next.claim.until = d->next.phase_until = wall_plus_ms(l->w->wall, l->w->cfg->claim_ttl_ms);
	/* Counted anew from here, also by this process's own clock (guards.c, over). */
	d->next.phase_since = l->rec->phase_since;
	say(d, "%s by %s", slot_name(l->rec->claim.slot), l->rec->claim.by);
}

void do_unclaim(struct look *l, struct decision *d)
{
	say(d, "%s claimed by %s; it holds no known release", slot_name(l->rec->claim.slot), l->rec->claim.by);
	end_claim(&d->next);
}

/* ---- deploys ---- */

static bool was_good(struct look *l)
{
	if (l->in->good_before)
		return true;
	for (int s = 0; s < 2; s++) {
		const struct release *r = &l->rec->slot[s];

		if (r->was_good && strcmp(r->id, l->in->release) == 0 && strcmp(r->digest, l->in->digest) == 0)
			return true;
	}
	return false;
}

void do_deploy(struct look *l, struct decision *d)
{
	struct record *next = &d->next;
	struct release *r = &next->slot[l->to];

	*r = (struct release){ .state = RS_ANNOUNCED, .was_good = was_good(l), .own_rollback = l->in->has_rollback,
				.rollback = l->in->has_rollback ? l->in->rollback : RB_AUTO, .arrived = l->w->wall };
	TEXT_COPY(r->id, l->in->release);
	TEXT_COPY(r->digest, l->in->digest);
	next->deploy = (struct deploy){ .id = l->rec->deploy.id + 1, .slot = l->to, .stop = l->in->stop, .outcome = DO_RUNNING,
					.rollback = l->in->has_rollback ? l->in->rollback : l->w->cfg->rollback, .since = l->w->wall };
	TEXT_COPY(next->deploy.release, l->in->release);
	TEXT_COPY(next->deploy.by, l->in->by);
	TEXT_COPY(next->deploy.skip, l->in->skip);
	take_manifest(l, d, l->in->manifest);
	keep_gates(l, d);
	end_claim(next);
	next->shield = false;
	say(d, "deploy %" PRIu64 ": %s in %s%s", next->deploy.id, l->in->release, slot_name(l->to), l->in->carried ? ", with the manifest of its claim" : "");
	say_forced(l, d);
	if (l->in->skip[0])
		say(d, "; set aside by %s: %s (%s)", l->in->by, l->in->skip, l->in->why);
}

static void abort_deploy(struct look *l, struct decision *d, const char *reason)
{
	enum slot s = l->rec->deploy.slot;
	bool proved_good = l->rec->phase == PH_READY && (s == BLUE || s == GREEN) && l->rec->slot[s].state == RS_GOOD;

	if ((s == BLUE || s == GREEN) && s != d->next.active && !proved_good)
		d->next.slot[s].state = RS_ABORTED;
	deploy_end(l, &d->next, DO_ABORTED, reason);
}

void do_abort(struct look *l, struct decision *d)
{
	abort_deploy(l, d, l->in->why[0] ? l->in->why : d->because);
	say(d, "deploy %" PRIu64 " of %s", l->rec->deploy.id, l->rec->deploy.release);
}

/* ---- moves ---- */

void do_flip(struct look *l, struct decision *d)
{
	struct record *next = &d->next;
	struct release *r = &next->slot[l->to];
	char why[160];

	if (!r->id[0] && l->a == NO_SLOT) {
		TEXT_COPY(r->id, id_ok(l->in->found_release) ? l->in->found_release : "initial");
		r->arrived = l->w->wall;
	}
	move_to(l, d, l->to, l->in->force ? MOVE_FORCE : MOVE_FORWARD);
	next->pin.on = false;
	end_claim(next);
	if (l->rec->phase == PH_READY && l->rec->deploy.slot == l->to && deploy_in_flight(next))
		next->deploy.outcome = DO_RUNNING;
	next->deploy.prolonged = false;
	next->shield = l->w->cfg->shield && decide_rollback_target(next, l->w->condemned, why);
	say(d, "to %s (%s)", slot_name(l->to), r->id[0] ? r->id : "release unknown");
	if (l->in->force)
		tell_not_whole(l, d);
}

/* A person's rollback is not judged by probes; what they say is told along. */
void do_rollback(struct look *l, struct decision *d)
{
	struct record *next = &d->next;
	char why[160];
	bool target = decide_rollback_target(l->rec, l->w->condemned, why);
	bool of_idle = l->rec->phase == PH_PROVING || l->rec->phase == PH_READY;

	move_to(l, d, l->b, target && !(l->in->force && l->w->health->slot[l->b].identity_wrong) ? MOVE_BACK : MOVE_FORCE);
	next->move.undone = next->move.mode == MOVE_BACK;
	next->pin.on = false;
	if (!l->rec->slot[l->b].id[0])
		next->slot[l->b].state = RS_LIVE;
	say(d, "to %s (%s)", slot_name(l->b), l->rec->slot[l->b].id[0] ? l->rec->slot[l->b].id : "release unknown");
	if (l->rec->phase == PH_FILLING)
		say(d, "; the claim of %s is ended, and CI may still be writing", l->rec->claim.by);
	end_claim(next);
	if (of_idle)
		abort_deploy(l, d, d->because);
	else if (l->rec->deploy.slot == l->a)
		deploy_end(l, next, DO_ROLLED_BACK, l->in->why[0] ? l->in->why : d->because);
	if (!l->w->health->slot[l->b].whole)
		say(d, "; it is not known to be whole");
}

/* ---- beside the phase ---- */

void do_hold(struct look *l, struct decision *d)
{
	struct hold *h = &d->next.hold;

	*h = (struct hold){ .on = true, .since = l->w->wall, .until = l->in->until };
	TEXT_COPY(h->by, l->in->by);
	TEXT_COPY(h->why, l->in->why);
	say(d, "%s", l->in->why);
}

void do_resume(struct look *l, struct decision *d)
{
	if (l->rec->pin.on) {
		/* Agents hear of it as of a move: by a higher version, and by whose word it is. */
		say(d, "the pin to %s is ended", slot_name(l->rec->pin.slot));
		d->mode = MOVE_BACK;
		d->next.v.epoch++;
	} else
		say(d, "set by %s: %s", l->rec->hold.by, l->rec->hold.why);
	d->next.hold = (struct hold){ .on = false };
	d->next.pin.on = false;
}

void do_seal(struct look *l, struct decision *d)
{
	struct sealed *s = &d->next.sealed;

	*s = (struct sealed){ .on = true, .since = l->w->wall };
	TEXT_COPY(s->by, l->in->by);
	TEXT_COPY(s->why, l->in->why);
	d->next.shield = false;
	say(d, "%s", l->in->why);
}

void do_unseal(struct look *l, struct decision *d)
{
	say(d, "sealed by %s: %s", l->rec->sealed.by, l->rec->sealed.why);
	d->next.sealed = (struct sealed){ .on = false };
}

void do_pardon(struct look *l, struct decision *d)
{
	d->pardon_it = true;
	TEXT_COPY(d->pardon, l->in->release);
	say(d, "%s: %s", l->in->release, l->in->why);
}

static size_t mute_index(const struct record *r, const char *feature)
{
	size_t i;

	for (i = 0; i < r->n_mutes; i++)
		if (strcmp(r->mutes[i].feature, feature) == 0)
			break;
	return i;
}

void do_mute(struct look *l, struct decision *d)
{
	struct record *next = &d->next;
	size_t i = mute_index(next, l->in->feature);
	wall_ms most = wall_plus_ms(l->w->wall, MUTE_MAX_MS);
	char t[WALL_TEXT];

	must(i < MAX_MUTES);
	if (i == next->n_mutes)
		next->n_mutes++;
	next->mutes[i] = (struct mute){ .until = l->in->until.ms && l->in->until.ms < most.ms ? l->in->until : most };
	TEXT_COPY(next->mutes[i].feature, l->in->feature);
	TEXT_COPY(next->mutes[i].by, l->in->by);
	TEXT_COPY(next->mutes[i].why, l->in->why);
	say(d, "%s until %s: %s", l->in->feature, wall_text(next->mutes[i].until, t), l->in->why);
}

void do_unmute(struct look *l, struct decision *d)
{
	struct record *next = &d->next;
	size_t i = mute_index(next, l->in->feature);

	if (i < next->n_mutes)
		memmove(&next->mutes[i], &next->mutes[i + 1], (--next->n_mutes - i) * sizeof(next->mutes[0]));
	say(d, "%s", l->in->feature);
}

/* There; the way back is part of the order and needs no other (effects.c). */
void do_drill(struct look *l, struct decision *d)
{
	struct record *next = &d->next;
	struct drill x = { .on = true, .since = l->w->wall, .home = l->a, .out_acked_us = -1, .out_observed_us = -1, .back_acked_us = -1,
			   .back_observed_us = -1, .before = l->rec->move };
	char why[160];

	TEXT_COPY(x.by, l->in->by);
	move_to(l, d, l->b, MOVE_FORWARD);
	next->drill = x;
	/* It was whole and good a moment ago, and is to be the rollback target again. */
	next->shield = l->w->cfg->shield && decide_rollback_target(next, l->w->condemned, why);
	say(d, "to %s (%s) and back to %s (%s)", slot_name(l->b), l->rec->slot[l->b].id, slot_name(l->a), l->rec->slot[l->a].id);
	if (l->in->why[0])
		say(d, "; %s", l->in->why);
}

/* For those who read the story later: nothing of the record changes but its revision. */
void do_note(struct look *l, struct decision *d) { say(d, "%s", l->in->why); }
