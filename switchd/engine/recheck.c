/* SPDX-License-Identifier: MIT
 * recheck.c - the whole suite again: after a bake, before a claim, and for features that a reload brought.
 *
 * A round asks the active slot, then the idle one: every feature on every target anew, with the negative controls, until each
 * cell has settled.  What broke since is an event with the window in which it broke.  Claims wait aside for their round, so
 * that nothing else waits with them. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/core/recheck.h"
#include "switchd/engine/service.h"

enum { CLAIM_ROUND_MS = 5000, ROUND_MS = 30000, REPLAY_MS = 60000 };

static bool asked_of(const struct service *s, size_t f)
{
	const struct feature *x = &s->cfg->features[f];

	return x->rule.via_slot && !x->writes && !x->url[0];
}

/* ---- one slot ---- */

static enum slot round_slot(const struct service *s) { return s->round == ROUND_ACTIVE ? s->rec.active : other_slot(s->rec.active); }

static bool settled(const struct service *s, enum slot slot)
{
	for (size_t t = 0; t < s->cfg->slot[slot].n_targets; t++)
		for (size_t f = 0; f < s->cfg->n_features; f++) {
			const struct cell *c = health_cell(s->health, slot, t, f);
			const struct cell_control *k = s->control && s->control_slot == slot ? &s->control[t * s->cfg->n_features + f] : NULL;

			if (!asked_of(s, f))
				continue;
			if (c->last_began.us < s->round_began.us)
				return false;
			if (outcome_info(c->last)->class == OC_ABSENT && c->verdict != V_ABSENT)
				return false; /* a first absent is being confirmed */
			if (k && k->pending && !k->done && outcome_info(c->last)->class == OC_PRESENT && health_target_in(s->health, slot, t))
				return false;
		}
	return true;
}

static void slot_begin(struct service *s)
{
	enum slot slot = round_slot(s);

	s->round_began = mono_now();
	measure_control(s, slot);
	schedule_fresh(s->sched, slot);
}

/* ---- what came of it ---- */

static void tell(struct service *s)
{
	struct broken *b = xcalloc(2 * MAX_FEATURES, sizeof(*b));
	struct input in = { .kind = IN_LATE, .slot = NO_SLOT, .found_slot = NO_SLOT, .by = "switchd" };
	size_t n, len;
	json_t *list;
	char *text;

	ledger_look(s);
	n = recheck_broken(s->ledger, s->cfg, b);
	list = recheck_json(b, n, s->rec.active);
	text = json_dumps(list, JSON_COMPACT);
	recheck_text(b, n, s->rec.active, in.detail, sizeof(in.detail));
	len = strlen(in.detail);
	if (s->round_vacuous[0])
		text_format(in.detail + len, sizeof(in.detail) - len, "%sthe probe of %s cannot fail any more", len ? "; " : "", s->round_vacuous);
	log_info("recheck", "service=%s why=%s broken=%zu whole_round=%d detail=%s", s->cfg->name, s->round_claim ? "claim" : "bake", n, !s->round_late,
		 LOG_Q(in.detail));
	ledger_archive_round(s, s->round_claim ? "claim" : "bake", !s->round_late, list);
	if (in.detail[0] && store_is_up(s->e->store)) {
		free(s->late_evidence);
		s->late_evidence = text;
		text = NULL;
		for (size_t i = 0; i < n; i++)
			ledger_told_late(s, &b[i]);
		service_input(s, &in);
	}
	free(text);
	json_decref(list);
	free(b);
}

static void claims_go_on(struct service *s)
{
	struct order *o = s->claims;

	s->claims = NULL;
	while (o) {
		struct order *next = o->next;

		o->checked = true;
		o->next = NULL;
		service_order(s, o);
		o = next;
	}
}

static void round_end(struct service *s)
{
	struct ledger_release *r = s->round_release[0] ? ledger_in_slot(s->ledger, s->round_of) : NULL;

	if (r && strcmp(r->id, s->round_release) == 0) {
		r->rechecks = s->round_done;
		r->dirty = true;
	}
	s->round = ROUND_NONE;
	tell(s);
	claims_go_on(s);
}

static bool can_round(const struct service *s)
{
	return s->loaded && s->ledger_loaded && s->started && s->sched && s->rec.phase == PH_STEADY && s->rec.active != NO_SLOT && !s->view->suspect &&
	       store_is_up(s->e->store) && !s->e->stopping;
}

static void round_begin(struct service *s, bool claim)
{
	s->round = ROUND_ACTIVE;
	s->round_claim = claim;
	s->round_late = false;
	s->round_vacuous[0] = s->round_release[0] = '\0';
	s->round_until = mono_plus_ms(mono_now(), claim ? CLAIM_ROUND_MS : ROUND_MS);
	slot_begin(s);
}

static void round_look(struct service *s)
{
	enum slot slot = round_slot(s);
	bool late = mono_now().us >= s->round_until.us, lost = !can_round(s);

	if (!late && !lost && !settled(s, slot))
		return;
	s->round_late = s->round_late || late || lost;
	if (s->vacuous && s->control_slot == slot)
		TEXT_FORMAT(s->round_vacuous, "%s on %s", s->vacuous_name, slot_name(slot));
	if (s->round == ROUND_ACTIVE && !late && !lost) {
		s->round = ROUND_IDLE;
		slot_begin(s);
		return;
	}
	if (lost) { /* a deploy began, the store went: another time */
		s->round = ROUND_NONE;
		claims_go_on(s);
		return;
	}
	round_end(s);
}

/* True when the order waits aside for its round; it comes back by service_order(). */
bool recheck_claim(struct service *s, struct order *o)
{
	struct order **end = &s->claims;
	size_t waiting = 0;

	if ((o->input.kind != IN_CLAIM && o->input.kind != IN_DRILL) || o->checked || o->input.dry_run || !can_round(s) || s->rec.hold.on || s->rec.pin.on)
		return false;
	for (; *end; end = &(*end)->next)
		waiting++;
	if (waiting >= MAX_ORDERS)
		return false;
	o->next = NULL;
	*end = o;
	if (s->round != ROUND_NONE) {
		s->round_claim = true; /* the round under way will do */
		if (s->round_until.us > mono_plus_ms(mono_now(), CLAIM_ROUND_MS).us)
			s->round_until = mono_plus_ms(mono_now(), CLAIM_ROUND_MS);
	} else {
		round_begin(s, true);
	}
	return true;
}

/* ---- features that a reload brought: asked at once on both slots, until they are known ---- */

static bool was_there(const struct service_config *old, const struct feature *f)
{
	const struct feature *was = config_feature(old, f->name);

	return was && was->fingerprint == f->fingerprint;
}

void recheck_reloaded(struct service *s, const struct service_config *old)
{
	bool any = false;

	memset(s->replay, 0, sizeof(s->replay));
	for (size_t f = 0; f < s->cfg->n_features; f++)
		any = (s->replay[f] = asked_of(s, f) && !was_there(old, &s->cfg->features[f])) || any;
	s->round = ROUND_NONE;
	if (s->ledger_loaded)
		ledger_watch(s->ledger, s->cfg, wall_now());
	s->replaying_features = any;
	s->replay_until = mono_plus_ms(mono_now(), REPLAY_MS);
	for (int k = BLUE; any && k <= GREEN; k++)
		schedule_fresh(s->sched, (enum slot)k);
}

static bool replay_feature(struct service *s, size_t f, mono_us now)
{
	bool open = false;

	for (int k = BLUE; k <= GREEN; k++)
		for (size_t t = 0; t < s->cfg->slot[k].n_targets; t++) {
			const struct cell *c = health_cell(s->health, (enum slot)k, t, f);

			if (c->verdict != V_UNKNOWN || !health_target_in(s->health, (enum slot)k, t))
				continue;
			open = true;
			if (mono_since_ms(now, c->last_began) >= s->cfg->features[f].rule.fast_interval_ms)
				schedule_confirm(s->sched, (enum slot)k, t, f, 0);
		}
	return open;
}

static void replay_beat(struct service *s)
{
	mono_us now = mono_now();
	bool any = false;

	if (!s->replaying_features)
		return;
	for (size_t f = 0; f < s->cfg->n_features; f++)
		if (s->replay[f])
			any = (s->replay[f] = now.us < s->replay_until.us && replay_feature(s, f, now)) || any;
	s->replaying_features = any;
}

void recheck_beat(struct service *s)
{
	struct ledger_release *due;
	int done;

	replay_beat(s);
	if (s->round != ROUND_NONE) {
		round_look(s);
		return;
	}
	if (s->claims) { /* a reload ended their round */
		claims_go_on(s);
		return;
	}
	if (!can_round(s))
		return;
	due = recheck_due(s->ledger, s->cfg, wall_now(), &done);
	if (!due)
		return;
	round_begin(s, false);
	s->round_done = done;
	s->round_of = due->slot;
	TEXT_COPY(s->round_release, due->id);
}
