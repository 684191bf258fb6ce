/* SPDX-License-Identifier: MIT
 * guards.c - what a row of the table asks: one named question each, of record, world and input.
 *
 * The texts are the table's "provided" column.  A guard changes nothing and says nothing. */
#include <string.h>

#include "switchd/core/decide/transitions.h"

static bool is_slot(enum slot s) { return s == BLUE || s == GREEN; }

/* ---- standing conditions ---- */

static bool store_up(struct look *l) { return l->w->store_up; }
static bool alone(struct look *l) { return l->w->alone; }
static bool drives(struct look *l) { return l->w->drives; }
static bool may_record_back(struct look *l) { return l->w->store_up || (l->w->alone && l->w->drives && l->w->cfg->offline_rollback); }
static bool observe(struct look *l) { return l->w->cfg->mode == MODE_OBSERVE; }
static bool gate(struct look *l) { return l->w->cfg->mode == MODE_GATE; }
static bool hold(struct look *l) { return l->rec->hold.on; }
static bool pinned(struct look *l) { return l->rec->pin.on; }
static bool held(struct look *l) { return l->rec->hold.on || l->rec->pin.on; }
static bool sealed(struct look *l) { return l->rec->sealed.on; }
static bool suspect(struct look *l) { return l->w->health->suspect || !l->w->started; }
static bool active(struct look *l) { return is_slot(l->a); }

/* The wall clock rules, so that a bake goes on after a restart with what is left of it; this process's own clock ends a
 * phase whose wall clock was set back. */
static bool over(struct look *l)
{
	const struct record *r = l->rec;
	int64_t stood = r->phase == PH_BAKING ? l->w->bake_stood_ms : 0;

	if (!r->phase_until.ms)
		return false;
	return l->w->wall.ms >= r->phase_until.ms + stood ||
	       (l->w->phase_entered.us && mono_since_ms(l->w->now, l->w->phase_entered) >= r->phase_until.ms - r->phase_since.ms + stood);
}

/* ---- B4 ---- */

static bool gone(struct look *l) { return look_loss(l)->n_gone > 0; }
static bool lost(struct look *l) { return look_loss(l)->n_lost > 0; }
static bool fresh(struct look *l) { return look_loss(l)->fresh; }
static bool better(struct look *l) { return look_loss(l)->better; }
static bool brings(struct look *l) { return look_loss(l)->n_brought > 0; }
static bool partial(struct look *l) { return look_loss(l)->n_partial > 0; }

/* It answered as the right one since it came: a target fell back, or somebody put other bits there. */
static bool identity_changed(struct look *l)
{
	const struct health_view *h = l->w->health;

	return is_slot(l->a) && l->w->cfg->identity.on && h->slot[l->a].identity_wrong && h->f[h->n].seen[l->a] && !suspect(l);
}

static bool policy_auto(struct look *l) { return active_policy(l->rec, l->w->cfg) == RB_AUTO; }
static bool window(struct look *l) { return within_window(l->rec, l->w); }

static bool target(struct look *l)
{
	char why[160];

	return decide_rollback_target(l->rec, l->w->condemned, why);
}

static bool forward_move(struct look *l)
{
	const struct move *m = &l->rec->move;

	return (m->mode == MOVE_FORWARD || m->mode == MOVE_FORCE) && m->to == l->a && !m->undone;
}

static bool both_same(struct look *l) { return same_release(&l->rec->slot[BLUE], &l->rec->slot[GREEN]); }

/* ---- proving ---- */

static bool vacuous(struct look *l) { return l->w->control_done && l->w->vacuous > 0 && !look_skips(l, "features"); }
static bool controlled(struct look *l) { return look_skips(l, "features") || (l->w->control_done && !vacuous(l)); }


static bool gates_open(struct look *l)
{
	size_t n;
	const struct gate_said *g = look_gates(l, &n);

	return gates_find(g, n, GR_WAITING) != NULL;
}

static bool manifest_new(struct look *l) { return look_new_manifest(l) != NULL; }

/* The confirmed absences of a target on which something is present: a starting one has none (verdict.h). */
static bool idle_identity(struct look *l)
{
	const struct proof *p = look_proof(l);
	size_t n = l->w->health->n;

	for (size_t i = 0; i < p->n_lost; i++)
		if (p->lost[i] == n)
			return true;
	for (size_t i = 0; i < p->n_none; i++)
		if (p->none[i] == n)
			return true;
	return false;
}

static bool idle_lost(struct look *l) { return look_proof(l)->n_lost > 0; }
static bool idle_none(struct look *l) { return look_proof(l)->n_none > 0; }

static bool idle_whole(struct look *l)
{
	const struct proof *p = look_proof(l);

	return is_slot(l->b) && !p->too_few && !p->wrong && !p->n_lost && !p->n_none && !p->n_open;
}

static bool idle_gone(struct look *l)
{
	const struct proof *p = look_proof(l);

	return p->too_few || p->wrong || p->n_lost || p->n_none;
}

/* identity and features have rows of their own, which tell more; but what is required of them may go beyond. */
static bool gate_refused(struct look *l)
{
	size_t n;
	const struct gate_said *g = look_gates(l, &n);
	bool any = gates_find(g, n, GR_REFUSE) != NULL;

	for (size_t i = 0; !any && i < n && controlled(l) && idle_whole(l); i++)
		any = g[i].result == GR_REFUSE;
	return any;
}

static bool preflight(struct look *l) { return l->w->proxies->all == 0 || (l->w->proxies->preflight_done && l->w->proxies->preflight_ok); }
static bool preflight_bad(struct look *l)
{
	return l->w->proxies->all > 0 && l->w->proxies->preflight_done && !l->w->proxies->preflight_ok;
}

/* As many as proving demands, by the proxies' own checks; a proxy that lists fewer servers than the slot has targets can
 * show no more than those. */
static bool servers(struct look *l)
{
	const struct proxies_view *p = l->w->proxies;

	if (p->all == 0 || p->servers_up < 0)
		return true;
	if (!is_slot(l->b))
		return false;
	const struct slot_config *s = &l->w->cfg->slot[l->b];
	int want = s->min_targets > 0 ? s->min_targets : (int)s->n_targets;

	if (p->servers_all >= 0 && want > p->servers_all)
		want = p->servers_all;
	return p->servers_up >= (want > 0 ? want : 1);
}

static bool stop_ready(struct look *l) { return l->rec->deploy.stop == STOP_READY; }
static bool promotes(struct look *l) { return l->w->cfg->auto_promote; }
static bool budget(struct look *l) { return budget_spent(l->rec, l->w); }
static bool idle_condemned(struct look *l) { return is_slot(l->b) && release_condemned(l->w->condemned, &l->rec->slot[l->b]); }

/* ---- B5 ---- */

static int live(const struct look *l) { return l->w->proxies->all - l->w->proxies->down; }

/* Every proxy that answers shows the record's value; without any proxy the record alone is what is asked. */
static bool shown(const struct look *l)
{
	const struct proxies_view *p = l->w->proxies;

	return p->all == 0 || (live(l) > 0 && p->acked >= live(l) && p->observed >= p->can_observe);
}

static bool done(struct look *l) { return shown(l); }
static bool refused(struct look *l) { return l->w->proxies->refused && !shown(l); }
static bool no_live(struct look *l) { return l->w->proxies->all > 0 && live(l) <= 0; }

/* B5.4 undoes the flip, but never to a slot that I6 forbids. */
static bool way_back(struct look *l)
{
	const struct move *m = &l->rec->move;

	return is_slot(l->a) && m->to == l->a && m->from == l->b && is_slot(l->b) && !l->rec->sealed.on &&
	       !(l->rec->claim.id[0] && l->rec->claim.slot == l->b) &&
	       !release_condemned(l->w->condemned, &l->rec->slot[l->b]);
}

/* B4: nothing gone, nothing unknown. A feature never seen here is `new`: reported, and it does not hold up the bake. */
static bool baked_whole(struct look *l)
{
	const struct loss *x = look_loss(l);

	return is_slot(l->a) && !x->n_gone && !x->n_partial && !x->unknown && !x->too_few &&
	       (!l->w->health->slot[l->a].identity_wrong || look_skips(l, "identity")) && !l->w->broken_both_since.us;
}

static bool catches(struct look *l) { return l->rec->shield && l->w->proxies->caught_recent > 0; }
static bool prolonged(struct look *l) { return l->rec->deploy.prolonged; }

static bool whole_for_bake(struct look *l)
{
	return is_slot(l->a) && l->w->whole_since.us && mono_since_ms(l->w->now, l->w->whole_since) >= l->w->cfg->bake_ms;
}

static bool drill(struct look *l) { return l->rec->drill.on; }
static bool waived(struct look *l) { return look_proof(l)->n_waived > 0; }

/* Active, and not baked (a pin, a forced rollback or the first start put it there). */
static bool live_release(struct look *l)
{
	return is_slot(l->a) && l->rec->slot[l->a].state == RS_LIVE;
}

static bool never_moved(struct look *l) { return l->rec->move.mode == MOVE_NOTE; }

/* Every critical feature that the slot has: absent and never seen is none of its own. */
static bool has_all(struct look *l)
{
	const struct health_view *h = l->w->health;
	bool any = false;

	if (!is_slot(l->a) || h->slot[l->a].too_few || h->slot[l->a].identity_wrong)
		return false;
	for (size_t i = 0; i < h->n + l->w->cfg->identity.on; i++) {
		const struct feature_view *f = &h->f[i];

		if (!f->votes)
			continue;
		any |= f->at[l->a] == V_PRESENT;
		if (f->at[l->a] != V_PRESENT && (f->at[l->a] != V_ABSENT || f->seen[l->a]))
			return false;
	}
	return any;
}

static bool shows_other(struct look *l)
{
	const struct proxies_view *p = l->w->proxies;

	return p->shows_known && is_slot(p->shows) && p->shows != l->a;
}

/* ---- first start, pins ---- */

static bool no_record(struct look *l) { return l->rec->rev == 0; }
static bool found(struct look *l) { return l->in->found && is_slot(l->in->found_slot); }
static bool ours(struct look *l) { return !l->in->found_in_proxy || l->in->found_v.gen != 0; }
static bool ambiguous(struct look *l) { return l->in->ambiguous && (l->rec->rev == 0 || version_cmp(l->in->found_v, l->rec->v) >= 0); }
static bool higher(struct look *l) { return found(l) && version_cmp(l->in->found_v, l->rec->v) > 0; }
static bool found_other(struct look *l) { return found(l) && l->in->found_slot != l->a; }
static bool initial(struct look *l) { return is_slot(l->w->cfg->initial); }
static bool pin_known(struct look *l) { return l->rec->pin.on && l->rec->pin.slot == l->to && l->rec->active == l->to; }

/* ---- ends by time ---- */

static bool hold_over(struct look *l) { return l->rec->hold.on && l->rec->hold.until.ms && l->w->wall.ms >= l->rec->hold.until.ms; }

static bool mute_over(struct look *l)
{
	for (size_t i = 0; i < l->rec->n_mutes; i++)
		if (l->rec->mutes[i].until.ms <= l->w->wall.ms)
			return true;
	return false;
}

/* ---- orders ---- */

static bool force(struct look *l) { return l->in->force; }
static bool why(struct look *l) { return l->in->why[0] != '\0'; }
static bool skips(struct look *l) { return l->in->skip[0] != '\0'; }

/* At a claim every gate that can speak speaks of the manifest alone. */
static bool manifest_refused(struct look *l)
{
	size_t n;
	const struct gate_said *g = look_gates(l, &n);

	for (size_t i = 0; i < n; i++)
		if (g[i].result == GR_REFUSE)
			return true;
	return false;
}

static bool release_ok(struct look *l) { return l->in->release[0] ? id_ok(l->in->release) : l->in->kind == IN_CLAIM; }
static bool own_claim(struct look *l) { return strcmp(l->rec->claim.id, l->in->claim_id) == 0; }

static bool claim_matches(struct look *l)
{
	const struct claim *c = &l->rec->claim;

	return is_slot(c->slot) && l->to == c->slot && c->slot != l->a && (!c->release[0] || strcmp(c->release, l->in->release) == 0);
}

static bool slot_known(struct look *l) { return is_slot(l->to); }
static bool slot_active(struct look *l) { return is_slot(l->a) && l->to == l->a; }
/* Whatever the record says: a proxy that lags, or that somebody else writes, still sends clients there. */
bool slot_served(struct look *l) { return is_slot(l->a) && is_slot(l->to) && l->to != l->a && l->w->proxies->serves[l->to][0]; }
static bool named_condemned(struct look *l)
{
	return l->in->release[0] && !look_skips(l, "condemned") && condemned_find(l->w->condemned, l->in->release, l->in->digest);
}

/* The idle slot is the only place where some critical feature still works (interface 1c). */
static bool last_good(struct look *l)
{
	const struct health_view *h = l->w->health;

	if (!is_slot(l->a) || !is_slot(l->b))
		return false;
	for (size_t i = 0; i < h->n; i++)
		if (h->f[i].votes && !h->f[i].removed[l->a] && h->f[i].at[l->b] == V_PRESENT &&
		    (h->f[i].at[l->a] == V_ABSENT || h->f[i].at[l->a] == V_PARTIAL))
			return true;
	return false;
}

static bool same_deploy(struct look *l)
{
	const struct deploy *d = &l->rec->deploy;

	if (!d->id || !is_slot(d->slot) || strcmp(d->release, l->in->release) != 0 || strcmp(l->rec->slot[d->slot].id, l->in->release) != 0 ||
	    (l->in->digest[0] && strcmp(l->rec->slot[d->slot].digest, l->in->digest) != 0))
		return false;
	if (l->rec->phase == PH_STEADY) /* ended well, asked once more by name */
		return d->outcome == DO_BAKED && d->slot == l->a && l->in->slot == d->slot;
	return deploy_in_flight(l->rec) && (!is_slot(l->in->slot) || l->in->slot == d->slot);
}

static bool slot_condemned(struct look *l) { return is_slot(l->to) && release_condemned(l->w->condemned, &l->rec->slot[l->to]); }

/* Without an active slot nothing was ever recorded: a person's first flip names the slot, and what is in it is taken. */
static bool slot_holds(struct look *l)
{
	const struct release *r = is_slot(l->to) ? &l->rec->slot[l->to] : NULL;

	return r && (!is_slot(l->a) || (r->id[0] && r->state != RS_EMPTY));
}

static bool identity_wrong(struct look *l) { return l->w->cfg->identity.on && is_slot(l->b) && l->w->health->slot[l->b].identity_wrong; }
static bool until_past(struct look *l) { return l->in->until.ms && l->in->until.ms <= l->w->wall.ms; }
static bool pardonable(struct look *l) { return l->in->release[0] && condemned_find(l->w->condemned, l->in->release, ""); }
static bool feature(struct look *l) { return config_feature(l->w->cfg, l->in->feature) != NULL; }
static bool mutes_full(struct look *l) { return l->rec->n_mutes >= MAX_MUTES; }

static bool muted(struct look *l)
{
	for (size_t i = 0; i < l->rec->n_mutes; i++)
		if (strcmp(l->rec->mutes[i].feature, l->in->feature) == 0)
			return true;
	return false;
}

const struct guard_info guards[N_GUARDS] = {
	[G_STORE_UP] = { "state writable", "state not writable", store_up },
	[G_ALONE] = { "nobody else may lead", "another may lead", alone },
	[G_DRIVES] = { "no proxy has an agent", "a proxy has an agent", drives },
	[G_MAY_RECORD_BACK] = { "state writable or offline rule", "state not writable and no offline rule", may_record_back },
	[G_OBSERVE] = { "mode observe", "mode not observe", observe },
	[G_GATE] = { "mode gate", "mode not gate", gate },
	[G_HOLD] = { "hold", "no hold", hold },
	[G_PINNED] = { "pinned", "not pinned", pinned },
	[G_HELD] = { "held or pinned", "not held", held },
	[G_SEALED] = { "sealed", "not sealed", sealed },
	[G_SUSPECT] = { "prober suspect", "prober not suspect", suspect },
	[G_OVER] = { "time is over", "time not over", over },
	[G_ACTIVE] = { "a slot is active", "no slot is active", active },
	[G_GONE] = { "active slot: a feature gone", "nothing gone", gone },
	[G_LOST] = { "active slot lost a feature", "no feature lost", lost },
	[G_FRESH] = { "evidence fresh", "evidence not fresh", fresh },
	[G_BETTER] = { "other slot strictly better", "other slot not better", better },
	[G_TARGET] = { "rollback target", "no rollback target", target },
	[G_FORWARD_MOVE] = { "forward move not undone yet", "no forward move to undo", forward_move },
	[G_WINDOW] = { "within rollback_window", "after rollback_window", window },
	[G_POLICY_AUTO] = { "rollback: auto", "rollback: ask or never", policy_auto },
	[G_SAME_RELEASE] = { "one release in both slots", "two releases", both_same },
	[G_NEW] = { "a feature new, the other slot has it", "no feature new", brings },
	[G_PARTIAL] = { "a feature partial", "no feature partial", partial },
	[G_IDENTITY_CHANGED] = { "a live target changed its release", "no live target changed its release", identity_changed },
	[G_VACUOUS] = { "a probe vacuous", "no probe vacuous", vacuous },
	[G_IDLE_LOST] = { "idle slot: feature absent, active has it", "nothing lacking", idle_lost },
	[G_IDLE_NONE] = { "idle slot: feature absent, active never had it", "nothing lacking", idle_none },
	[G_IDLE_IDENTITY] = { "idle slot: wrong release answers", "identity right", idle_identity },
	[G_IDLE_WHOLE] = { "idle slot whole", "idle slot not whole", idle_whole },
	[G_IDLE_GONE] = { "idle slot known not whole", "idle slot not known broken", idle_gone },
	[G_CONTROLLED] = { "negative control passed", "negative control not passed", controlled },
	[G_PREFLIGHT] = { "preflight passed", "preflight not passed", preflight },
	[G_PREFLIGHT_BAD] = { "preflight failed", "preflight not failed", preflight_bad },
	[G_SERVERS] = { "proxies see enough servers", "proxies see too few servers", servers },
	[G_STOP_READY] = { "stop at ready", "no stop at ready", stop_ready },
	[G_PROMOTES] = { "auto_promote", "no auto_promote", promotes },
	[G_BUDGET_SPENT] = { "flip_budget spent", "flip_budget not spent", budget },
	[G_GATE_REFUSED] = { "a gate refuses", "no gate refuses", gate_refused },
	[G_GATES_OPEN] = { "a gate has not answered yet", "every gate has answered", gates_open },
	[G_MANIFEST_NEW] = { "the slot told its manifest", "no new manifest", manifest_new },
	[G_IDLE_CONDEMNED] = { "idle release condemned", "idle release not condemned", idle_condemned },
	[G_DONE] = { "every live proxy shows it", "not every live proxy shows it", done },
	[G_REFUSED] = { "a live proxy refuses", "no live proxy refuses", refused },
	[G_NO_LIVE] = { "no live proxy", "a live proxy", no_live },
	[G_WAY_BACK] = { "old slot may serve again", "old slot may not serve again", way_back },
	[G_BAKED_WHOLE] = { "active slot whole", "active slot not whole", baked_whole },
	[G_CATCHES] = { "shield catches", "shield catches nothing", catches },
	[G_PROLONGED] = { "prolonged before", "not prolonged yet", prolonged },
	[G_DRILL] = { "a drill is on", "no drill is on", drill },
	[G_WAIVED] = { "a lack was set aside", "nothing set aside is lacking", waived },
	[G_WHOLE_FOR_BAKE] = { "whole and observed for a bake", "not whole for a bake", whole_for_bake },
	[G_LIVE] = { "active release not good yet", "active release good", live_release },
	[G_NEVER_MOVED] = { "traffic never moved", "traffic was moved", never_moved },
	[G_HAS_ALL] = { "every feature it has is present", "not every feature present", has_all },
	[G_SHOWS_OTHER] = { "every proxy shows the other slot", "proxies show the active slot", shows_other },
	[G_NO_RECORD] = { "no record", "a record", no_record },
	[G_AMBIGUOUS] = { "ambiguous", "not ambiguous", ambiguous },
	[G_FOUND] = { "a version found", "no version found", found },
	[G_OURS] = { "it was ours", "it was not ours", ours },
	[G_HIGHER] = { "higher than the record", "not higher", higher },
	[G_FOUND_OTHER] = { "it names the other slot", "it names the active slot", found_other },
	[G_INITIAL] = { "config names an initial slot", "no initial slot", initial },
	[G_PIN_KNOWN] = { "pin known", "pin not known", pin_known },
	[G_HOLD_OVER] = { "hold ran out", "hold not over", hold_over },
	[G_MUTE_OVER] = { "a mute ran out", "no mute over", mute_over },
	[G_FORCE] = { "force", "no force", force },
	[G_WHY] = { "reason given", "no reason given", why },
	[G_SKIPS] = { "a gate is set aside", "no gate is set aside", skips },
	[G_MANIFEST_REFUSED] = { "a gate refuses the manifest", "no gate refuses the manifest", manifest_refused },
	[G_RELEASE_OK] = { "release id valid", "release id missing or invalid", release_ok },
	[G_OWN_CLAIM] = { "claim is the caller's", "claim is not the caller's", own_claim },
	[G_CLAIM_MATCHES] = { "as claimed", "not as claimed", claim_matches },
	[G_SLOT_KNOWN] = { "slot known", "slot not known", slot_known },
	[G_SLOT_ACTIVE] = { "slot is the active one", "slot is not the active one", slot_active },
	[G_NAMED_CONDEMNED] = { "release condemned", "release not condemned", named_condemned },
	[G_SLOT_SERVED] = { "a live proxy shows that slot", "no live proxy shows that slot", slot_served },
	[G_LAST_GOOD] = { "last slot where a feature works", "not the last good one", last_good },
	[G_SAME_DEPLOY] = { "same deploy", "another deploy", same_deploy },
	[G_SLOT_CONDEMNED] = { "slot's release condemned", "slot's release not condemned", slot_condemned },
	[G_SLOT_HOLDS] = { "slot holds a release", "slot's release unknown", slot_holds },
	[G_IDENTITY_WRONG] = { "other slot runs another release", "identity not wrong", identity_wrong },
	[G_UNTIL_PAST] = { "its end is past", "its end is to come", until_past },
	[G_PARDONABLE] = { "release condemned", "release not condemned", pardonable },
	[G_FEATURE] = { "feature known", "feature unknown", feature },
	[G_MUTED] = { "feature muted", "feature not muted", muted },
	[G_MUTES_FULL] = { "no room for mutes", "room for mutes", mutes_full },
};
