/* SPDX-License-Identifier: MIT
 * service.c - one service's turn: an input, decide, commit; its birth and death.
 *
 * One commit is in flight per service; everything else waits behind it (line.c).  Memory never
 * runs ahead of Redis: s->rec is what was committed (or, while the store is away, what the
 * journal holds durably), and actions follow the commit (adopt.c). */
#include "switchd/engine/service.h"

#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"

/* ---- the measured world ---- */

void service_world(struct service *s, struct world *w)
{
	measure_view(s);
	traffic_view(s);
	*w = (struct world){
		.cfg = s->cfg, .health = s->view, .proxies = &s->pv, .condemned = &s->condemned,
		.inventory = inventory_view_of(s),
		.store_up = store_is_up(s->e->store) && !s->replaying && !s->pending, .alone = standby_alone(s->e) && store_may_act(s->e->store, true), .drives = traffic_drives(s),
		.started = s->started,
		.control_done = s->control_done, .vacuous = s->vacuous, .gates = &s->gates,
		.now = mono_now(), .wall = engine_wall(s->e),
		.since_flip = s->since_flip, .phase_entered = s->phase_entered,
		.whole_since = s->whole_since, .broken_both_since = s->broken_both_since, .bake_stood_ms = s->bake_stood_us / 1000,
	};
	TEXT_COPY(w->vacuous_name, s->vacuous_name);
	memcpy(w->unproven, s->unproven, sizeof(w->unproven));
}

/* whole_since and broken_both_since are the engine's clocks over what health says. */
static void clocks(struct service *s)
{
	mono_us now = mono_now();
	bool whole = false, broken = false;

	if (s->rec.active != NO_SLOT) {
		whole = s->view->slot[s->rec.active].whole && !s->view->suspect &&
			s->pv.observed >= s->pv.can_observe && s->pv.acked >= s->pv.all - s->pv.down;
		for (size_t i = 0; i < s->view->n; i++)
			if (s->view->f[i].votes && !s->view->f[i].removed[s->rec.active] && s->view->f[i].cmp[s->rec.active] == CMP_BROKEN_BOTH)
				broken = true;
	}
	if (!whole)
		s->whole_since = (mono_us){ 0 };
	else if (!s->whole_since.us)
		s->whole_since = now;
	/* The bake's clock stands while a feature is broken on both slots (B4). */
	if (s->rec.phase != PH_BAKING)
		s->bake_stood_us = 0;
	else if (s->broken_both_since.us)
		s->bake_stood_us += now.us - s->bake_counted.us;
	s->bake_counted = now;
	if (!broken)
		s->broken_both_since = (mono_us){ 0 };
	else if (!s->broken_both_since.us)
		s->broken_both_since = now;
}

/* ---- the turn ---- */

/* An alarm without a commit of its own: written once, until it changes. */
static void alarm_note(struct service *s)
{
	struct decision *d = s->d;
	char said[sizeof(s->said)];

	TEXT_FORMAT(said, "%s|%s", d->because, d->detail);
	if (strcmp(said, s->said) == 0)
		return;
	TEXT_COPY(s->said, said);
	d->next = s->rec;
	d->condemn_it = d->pardon_it = false;
	commit_event(s, d);
	if (d->actions & ACT_CALL_HUMAN)
		log_error("human-needed", "service=%s because=%s detail=%s", s->cfg->name, LOG_Q(d->because), LOG_Q(d->detail));
	d->commit = store_is_up(s->e->store) && !s->pending;
	if (!d->commit) {
		publish_event(s->e, &d->event);
		return;
	}
	d->mode = MOVE_NOTE;
	d->actions &= ACT_FRESH_OTHER;
}

/* What every gate says of what was asked: told with the answer, whatever came of it. */
static void order_gates(struct service *s, const struct order *o, struct order_result *r)
{
	static struct world w;

	r->n_gates = 0;
	if (o->input.kind != IN_CLAIM && o->input.kind != IN_DEPLOY)
		return;
	service_world(s, &w);
	r->n_gates = decide_gates(&s->rec, &w, &o->input, r->gates);
}

static bool gates_would_refuse(const struct order_result *r)
{
	for (size_t i = 0; i < r->n_gates; i++)
		if (r->gates[i].result == GR_REFUSE)
			return true;
	return false;
}

/* A refusal that the audit must know of: its event is committed, and nothing else.  Who asked is answered at once. */
static void refusal_note(struct service *s)
{
	struct decision *d = s->d;

	d->next = s->rec;
	d->condemn_it = d->pardon_it = false;
	d->mode = MOVE_NOTE;
	d->actions = 0;
	d->commit = true;
	d->refusal = RF_NONE;
	commit_begin(s, NULL);
}

static void order_dry(struct service *s, struct order *o)
{
	struct order_result r = { .status = ORDER_DONE, .dry_run = true, .because = s->d->because, .record = &s->d->next };
	struct buf would = BUF_INIT(4096);
	struct proxy_value v = decide_value(&s->d->next);
	char text[PROXY_VALUE_TEXT];

	TEXT_COPY(r.detail, s->d->detail);
	order_gates(s, o, &r);
	if (s->d->commit && o->input.kind == IN_DEPLOY && gates_would_refuse(&r)) {
		r.status = ORDER_REFUSED;
		r.refusal = RF_GATE;
		r.because = "a gate refuses the release";
		r.detail[0] = '\0';
		gates_say_refused(r.gates, r.n_gates, r.detail, sizeof(r.detail));
		r.record = &s->rec;
		order_end(s, o, &r);
		return;
	}
	for (size_t i = 0; s->d->commit && v.slot != NO_SLOT && i < s->cfg->n_proxies; i++)
		buf_addf(&would, "%s: set map %s %s %s\n", s->cfg->proxies[i].name, s->cfg->proxies[i].map, s->cfg->name,
			 proxy_value_text(&v, text));
	r.would = buf_str(&would);
	if (!s->d->commit)
		r.record = &s->rec;
	order_end(s, o, &r);
	buf_free(&would);
}

static void preflight_forget(struct service *s)
{
	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		s->px[i].pre_asked = s->px[i].pre_done = s->px[i].pre_ok = false;
}

/* True when the order waits for something (a preflight): nothing else goes before it. */
static bool order_waits(struct service *s, struct order *o)
{
	enum slot to;

	/* Is the store away, or did this process stand still?  The link says so in a moment; only then can a person be asked to decide alone. */
	if ((o->input.kind == IN_ROLLBACK || o->input.kind == IN_HOLD) && store_undecided(s->e->store))
		return true;
	if ((o->input.kind != IN_FLIP && o->input.kind != IN_DRILL) || o->input.force || !s->cfg->n_proxies || s->rec.phase == PH_READY || s->rec.phase == PH_PROVING)
		return false;
	to = o->input.slot != NO_SLOT ? o->input.slot : other_slot(s->rec.active);
	if (to == NO_SLOT || to == s->rec.active)
		return false;
	bool all = true;

	/* What a proxy said of an earlier deploy or order is old: each order asks for itself. */
	if (!o->preflighted) {
		preflight_forget(s);
		traffic_preflight(s, to);
		o->preflighted = true;
		return true;
	}
	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		all = all && s->px[i].pre_done;
	return !all;
}

static void more(char *detail, size_t size, const char *text)
{
	size_t n = strlen(detail);

	(void)text_format(detail + n, size - n, "%s%s", n ? "; " : "", text);
}

/* One input. Returns false when nothing more is to be done now. */
static bool step(struct service *s)
{
	static struct world w;
	static const struct input tick = { .kind = IN_TICK, .slot = NO_SLOT, .found_slot = NO_SLOT };
	struct order *o = NULL;
	const struct input *in = &tick;

	service_world(s, &w);
	clocks(s);
	w.whole_since = s->whole_since;
	w.broken_both_since = s->broken_both_since;
	w.bake_stood_ms = s->bake_stood_us / 1000;
	if (!s->fresh_start && !s->first && inventory_note_due(s)) {
		commit_begin(s, NULL);
		return true;
	}
	if (s->fresh_start) {
		if (!traffic_asked(s) || !s->identity_asked)
			return false;
		s->fresh_start = false;
		in = &s->start;
	} else if (s->first) {
		if (order_waits(s, s->first))
			return false;
		o = order_next(s);
		in = &o->input;
		if (record_did(&s->rec, o->rid)) { /* also where the store lost what it remembers of it, and the record was put back */
			struct order_result r = { .status = ORDER_DONE, .dup = true, .deploy = s->rec.deploy.id };

			order_end(s, o, &r);
			return true;
		}
		if (o->has_match && version_cmp(o->match, s->rec.v) != 0) {
			struct order_result r = { .status = ORDER_STALE };
			char v[VERSION_TEXT];

			TEXT_FORMAT(r.detail, "the version is %s now", version_text(s->rec.v, v));
			order_end(s, o, &r);
			return true;
		}
	}
	if (o)
		gates_carry(s, o);
	if (o && (o->input.kind == IN_DEPLOY || o->input.kind == IN_CLAIM) && o->manifest && !o->input.digest[0])
		TEXT_COPY(o->input.digest, o->manifest->digest);
	if (o && o->input.kind == IN_DEPLOY)
		o->input.good_before = adopt_good_before(s, o->input.release, o->input.digest);
	decide(&s->rec, &w, in, s->d);
	if (o && (o->input.kind == IN_FLIP || o->input.kind == IN_DRILL)) {
		preflight_forget(s);
		o->preflighted = false; /* put back in line (the store went away), it asks anew */
	}
	if (o && s->d->refusal != RF_NONE) {
		struct order_result r = { .status = ORDER_REFUSED, .refusal = s->d->refusal, .because = s->d->because };

		bool noted = s->d->event.kind[0] && !o->input.dry_run && store_is_up(s->e->store) && !s->pending;

		TEXT_COPY(r.detail, s->d->detail);
		if (r.refusal == RF_STORE && !r.detail[0])
			TEXT_FORMAT(r.detail, "%s: %.400s", r.because, store_why_down(s->e->store));
		r.dry_run = o->input.dry_run;
		order_gates(s, o, &r);
		if (!noted) {
			order_end(s, o, &r);
			return true;
		}
		memcpy(s->order_gates, r.gates, sizeof(s->order_gates));
		s->n_order_gates = r.n_gates;
		s->asked = o;
		refusal_note(s);
		order_end(s, o, &r);
		return true;
	}
	if (o && s->d->commit && targets_wanted(s, o, o->input.kind == IN_CLAIM ? s->d->next.claim.slot : s->d->next.deploy.slot)) {
		targets_read(s, o, o->input.kind == IN_CLAIM ? s->d->next.claim.slot : s->d->next.deploy.slot);
		return true;
	}
	if (o && o->addressed) {
		more(s->d->detail, sizeof(s->d->detail), o->addresses);
		if (s->d->event.detail[0]) /* else it takes the one above */
			more(s->d->event.detail, sizeof(s->d->event.detail), o->addresses);
	}
	if (o && o->input.dry_run) {
		order_dry(s, o);
		return true;
	}
	if (!s->d->row && in == &tick)
		s->said[0] = '\0';
	if (!s->d->commit && s->d->alarm && s->next_note.us <= w.now.us)
		alarm_note(s);
	if (s->d->commit && !o && s->d->mode == MOVE_NOTE && in == &tick && s->next_note.us > w.now.us)
		return false; /* a refused note is not asked again at once */
	if (s->d->commit) {
		struct order_result told = { .n_gates = 0 };

		/* Asked before the commit: the record that it was asked of is the one before. */
		if (o)
			order_gates(s, o, &told);
		memcpy(s->order_gates, told.gates, sizeof(s->order_gates));
		s->n_order_gates = told.n_gates;
		commit_begin(s, o);
		return true;
	}
	if (s->d->actions & ACT_FRESH_OTHER)
		measure_fresh(s, other_slot(s->rec.active));
	if (o) { /* nothing was to be done: the same deploy, the same claim */
		struct order_result r = { .status = ORDER_DONE, .because = s->d->because, .deploy = s->rec.deploy.id };

		TEXT_COPY(r.detail, s->d->detail);
		order_end(s, o, &r);
		return true;
	}
	return in != &tick;
}

static void refuse_standing_by(struct service *s)
{
	char text[300];

	standby_text(s->e, text, sizeof(text));
	while (s->claims) { /* they waited for a round that nobody ends now */
		struct order *o = s->claims;

		s->claims = o->next;
		o->next = NULL;
		order_refuse(s, o, RF_STANDBY, text);
	}
	while (s->first)
		order_refuse(s, order_next(s), RF_STANDBY, text);
}

void service_stand_by(struct service *s)
{
	s->fresh_start = false;
	s->round = ROUND_NONE;
	if (s->pending) {
		/* It was done here alone, and the record is another's: told when this one leads again, never done anew. */
		log_warn("offline", "service=%s what=\"another controller leads: its record stands, what was decided here is only told\"", s->cfg->name);
		if (!s->overruled)
			TEXT_COPY(s->pending_cid, s->rec.cid);
		s->overruled = true;
	}
	traffic_stand_by(s);
	refuse_standing_by(s);
}

void service_tick(struct service *s)
{
	if (s->e->standby) {
		refuse_standing_by(s);
		return;
	}
	if (s->ticking) {
		s->dirty = true;
		return;
	}
	s->ticking = true;
	do {
		s->dirty = false;
		for (int i = 0; i < 32 && s->loaded && !trust_stops(s) && !s->committing && !s->replaying && !s->loading && !s->e->stopping; i++)
			if (!step(s))
				break;
	} while (s->dirty && !s->committing);
	s->ticking = false;
	if (!s->loaded && !s->loading && !s->rec.rev && s->first && !store_is_up(s->e->store)) /* else the journal is taken, in a moment */
		service_refuse_all(s, "no record of this service is known yet, and the store is away");
	if (trust_stops(s) && s->first && !s->committing) {
		char why[400];

		trust_say(s, why, sizeof(why));
		service_refuse_all(s, why);
	}
}

void service_refuse_all(struct service *s, const char *why)
{
	while (s->first)
		order_refuse(s, order_next(s), RF_STORE, why);
}

/* ---- birth and death ---- */

struct service *service_new(struct engine *e, const struct service_config *cfg, struct buf *errors)
{
	struct service *s = xcalloc(1, sizeof(*s));
	const struct journal_entry *j = journal_last(e->journal, cfg->name);

	s->e = e;
	ev_init(&s->journal_timer, adopt_later);
	s->journal_timer.data = s;
	s->told = cfg;
	TAILQ_INIT(&s->readings);
	TAILQ_INIT(&s->unrisked);
	s->in_force = in_force_kept(s);
	s->cfg = cfg = &s->in_force->cfg;
	s->rec.active = s->rec.move.from = s->rec.move.to = NO_SLOT;
	s->d = xcalloc(1, sizeof(*s->d));
	s->view = xcalloc(1, sizeof(*s->view));
	s->probes_by_outcome = xcalloc(N_OUTCOMES, sizeof(uint64_t));
	s->ledger = ledger_new();
	s->runner = probe_runner_new(e->loop, e->cfg, cfg, errors);
	if (!s->runner) {
		service_free(&s);
		return NULL;
	}
	if (j) {
		/* What this disk knows is what load balancers are told until the store answers. */
		s->rec = j->record;
		s->pending = j->kind == JR_OFFLINE;
		s->pending_base = j->base;
		s->pending_mode = MOVE_BACK;
		s->pending_condemn = j->condemn;
		if (s->pending)
			offline_read(s, j->events);
		journal_condemned(e->journal, cfg->name, &s->condemned);
	}
	s->last_phase = s->rec.phase;
	s->phase_entered = s->loaded_at = mono_now();
	measure_start(s);
	traffic_start(s);
	inventory_start(s);
	return s;
}

void service_abandon(struct service *s)
{
	targets_abandon(s);
	while (s->claims) {
		struct order *o = s->claims;

		s->claims = o->next;
		order_put_back(s, o);
	}
	while (s->first) {
		struct order_result r = { .status = ORDER_UNKNOWN };

		TEXT_COPY(r.detail, "switchd is ending; ask again");
		order_end(s, order_next(s), &r);
	}
}

void service_free(struct service **sp)
{
	struct service *s = *sp;

	if (!s)
		return;
	service_abandon(s);
	if (s->journal_due)
		adopt_journal_now(s);
	ev_timer_stop(s->e->loop, &s->journal_timer);
	if (s->current) {
		struct order_result r = { .status = ORDER_UNKNOWN };

		TEXT_COPY(r.detail, "switchd is ending; ask again with the same request id");
		order_end(s, s->current, &r);
	}
	risk_end(s);
	gates_end(s);
	inventory_stop(s);
	if (s->sched)
		measure_stop(s);
	traffic_stop(s);
	fleet_free(s);
	probe_runner_free(&s->runner);
	health_free(&s->health);
	changes_free(s);
	requests_free(s);
	free(s->counted_evidence);
	free(s->probes_by_outcome);
	offline_free(s);
	ledger_free(&s->ledger);
	json_decref(s->brought);
	adopt_free(s);
	free(s->late_evidence);
	free(s->view);
	free(s->d);
	in_force_free(&s->in_force);
	free(s);
	*sp = NULL;
}

void service_baselines(const struct service *s, const struct service_config *next, struct probe_runner *runner)
{
	const struct service_config *was = s->cfg;

	for (size_t k = 0; k < was->n_features; k++)
		for (size_t m = 0; m < next->n_features; m++)
			if (strcmp(was->features[k].name, next->features[m].name) == 0 &&
			    was->features[k].fingerprint == next->features[m].fingerprint && probe_baseline_text(s->runner, k)[0] &&
			    !probe_set_baseline(runner, m, probe_baseline_text(s->runner, k)))
				log_warn("baseline", "service=%s feature=%s what=\"not carried over\"", was->name, was->features[k].name);
}

void service_apply_config(struct service *s, const struct service_config *told, struct in_force *next, struct probe_runner *runner)
{
	struct in_force *was = s->in_force;
	struct feature_evidence *evidence;

	ledger_look(s);
	s->ticking = true; /* nothing is decided while the parts are changed */
	inventory_stop(s);
	evidence = measure_evidence_take(s);
	measure_stop(s);
	traffic_stop(s);
	probe_runner_free(&s->runner);
	s->asking_identity = false;
	gates_again(s);
	s->told = told;
	s->in_force = next;
	s->cfg = &next->cfg;
	s->runner = runner;
	s->health = health_reload(s->health, s->cfg);
	targets_reloaded(s);
	measure_start(s);
	measure_evidence_give(s, evidence, &was->cfg);
	traffic_start(s);
	fleet_again(s);
	inventory_start(s);
	measure_pace(s);
	/* What the deploy under way had asked is gone with the old parts: it is asked anew, not waited for. */
	if (s->rec.phase == PH_PROVING) {
		measure_control(s, s->rec.deploy.slot);
		traffic_preflight(s, s->rec.deploy.slot);
	}
	recheck_reloaded(s, &was->cfg);
	in_force_free(&was);
	s->ticking = false;
	if (s->loaded && s->rec.active != NO_SLOT)
		traffic_apply(s, ORDER_FORWARD);
	service_found(s);
	service_tick(s);
}
