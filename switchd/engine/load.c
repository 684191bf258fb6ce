/* SPDX-License-Identifier: MIT
 * load.c - the store comes and goes: load, replay of what was decided without it, the first start. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/engine/service.h"

static void replay(struct service *s, const struct store_answer *a);

/* Another controller led, or an answer was lost: what was seen of the release that was in a slot says nothing of the one that is. */
static void filled_meanwhile(struct service *s, const struct record *rec)
{
	bool filled[2];

	for (int k = BLUE; k <= GREEN; k++)
		filled[k] = s->rec.rev && (strcmp(s->rec.slot[k].id, rec->slot[k].id) != 0 || s->rec.slot[k].arrived.ms != rec->slot[k].arrived.ms);
	if (filled[BLUE] || filled[GREEN])
		ledger_adopting(s, rec);
	s->rec = *rec;
	for (int k = BLUE; k <= GREEN; k++)
		if (filled[k])
			measure_filled(s, (enum slot)k);
}

static void set_loaded(struct service *s, const struct record *rec)
{
	mono_us now = mono_now();

	if (rec->active != s->rec.active || !s->loaded)
		s->since_flip = (mono_us){ 0 };
	filled_meanwhile(s, rec);
	if (!s->loaded && (rec->phase == PH_FLIPPING || rec->phase == PH_REVERTING)) {
		/* The proxies are asked from now on: they have the whole flip_timeout, however long nobody was here. */
		s->rec.phase_until = wall_plus_ms(engine_wall(s->e), s->cfg->flip_timeout_ms);
	}
	if (s->rec.phase != s->last_phase || !s->phase_entered.us)
		s->phase_entered = now;
	s->last_phase = s->rec.phase;
	s->loaded = true;
	adopt_deploy(s);
	ledger_adopted(s);
	measure_pace(s);
	if (s->rec.active != NO_SLOT)
		traffic_apply(s, ORDER_FORWARD); /* idempotent: what a restart in the middle of a flip left undone is asked again */
	if (s->rec.phase == PH_PROVING || s->rec.phase == PH_READY) {
		measure_control(s, s->rec.deploy.slot);
		traffic_preflight(s, s->rec.deploy.slot);
	}
	publish_change(s);
}

/* What stands beside the record is read while the service may go: a reload, the end. */
struct wanted { struct engine *e; name_text service; };

static struct wanted *wanted_new(const struct service *s)
{
	struct wanted *w = xcalloc(1, sizeof(*w));

	w->e = s->e;
	TEXT_COPY(w->service, s->cfg->name);
	return w;
}

static struct service *wanted_by(void *arg)
{
	struct wanted *w = arg;
	struct service *s = engine_find(w->e, w->service);

	free(w);
	return s;
}

static void baseline_got(void *arg, bool ok, const char *value)
{
	struct service *s = wanted_by(arg);
	json_t *all = s && ok && value[0] ? json_loads(value, 0, NULL) : NULL;
	bool stale = s && s->baselines_stale;

	if (s && ok)
		s->baselines_stale = false;

	for (size_t i = 0; json_is_object(all) && i < s->cfg->n_features; i++) {
		const char *text = json_string_value(json_object_get(all, s->cfg->features[i].name));

		if (!text || !s->cfg->features[i].compare || (probe_baseline_text(s->runner, i)[0] && !stale) ||
		    strcmp(probe_baseline_text(s->runner, i), text) == 0)
			continue;
		if (probe_set_baseline(s->runner, i, text))
			health_forget(s->health, i); /* judged by what the release before was like */
		else
			log_warn("baseline", "service=%s feature=%s what=\"the stored baseline is not valid; it is learned anew\"", s->cfg->name,
				 s->cfg->features[i].name);
	}
	json_decref(all);
}

static void seen_got(void *arg, bool ok, const char *value)
{
	struct service *s = wanted_by(arg);

	if (s && ok && value[0])
		measure_seen_load(s, value);
	if (s)
		service_tick(s);
}

static void deploys_got(void *arg, bool ok, const char *value)
{
	struct service *s = wanted_by(arg);

	if (s && ok && value[0])
		adopt_deploys_load(s, value);
	if (s && ok)
		s->deploys_known = true;
}

/* What the store says and the journal does not know (a stamp of a new generation, another's commit).  Older than what this
 * journal knows it may have lost commits, and the journal is the proof. */
static void remember(struct service *s, const struct record *rec)
{
	const struct journal_entry *j = journal_last(s->e->journal, s->cfg->name);
	bool newer = !j || version_cmp(rec->v, j->record.v) > 0 || (version_cmp(rec->v, j->record.v) == 0 && rec->rev > j->record.rev);

	if (newer && !s->overruled)
		adopt_journal(s, NULL, "");
}

/* Of what this generation of the store said to be condemned before, something is missing: somebody pardoned it (or it gave way to a
 * newer one).  What is missing in another generation may be lost with a store, and stays in the journal. */
static void condemned_read(struct service *s, const struct store_answer *a)
{
	uint64_t gen = a->record ? a->record->v.gen : 0;
	id_text gone[MAX_CONDEMNED];
	size_t n = 0;

	for (size_t i = 0; gen && gen == s->condemned_gen && !s->pending && i < s->condemned.n; i++)
		if (!condemned_find(a->condemned, s->condemned.list[i].release, ""))
			TEXT_COPY(gone[n++], s->condemned.list[i].release);
	/* The entries alone: all of it is 126 KiB, of every service. */
	s->condemned.n = a->condemned->n;
	memcpy(s->condemned.list, a->condemned->list, a->condemned->n * sizeof(*s->condemned.list));
	s->condemned_gen = gen;
	for (size_t i = 0; i < n; i++)
		adopt_journal(s, NULL, gone[i]);
}

/* The leader's record, as it stands: shown, remembered, nothing done about it. */
static void followed(struct service *s, const struct record *rec)
{
	filled_meanwhile(s, rec);
	s->loaded = true;
	if (s->rec.phase != s->last_phase)
		s->phase_entered = mono_now();
	s->last_phase = s->rec.phase;
	adopt_deploy(s);
	measure_pace(s);
	remember(s, rec);
	publish_change(s);
}

static void load_done(void *arg, const struct store_answer *a)
{
	struct service *s = arg;
	const struct journal_entry *j = journal_last(s->e->journal, s->cfg->name);

	bool again = s->reload_again;

	s->loading = s->reload_again = false;
	if (again) { /* it changed while we read */
		service_reload_record(s);
		return;
	}
	if (trust_refuses(s, a)) {
		service_tick(s);
		return;
	}
	if (a->result != ST_OK) {
		log_warn("load", "service=%s result=%s detail=%s", s->cfg->name, store_result_name(a->result), LOG_Q(a->detail));
		return; /* tried again at the next beat while the store is up */
	}
	if (a->condemned)
		condemned_read(s, a);
	if (s->e->standby) {
		if (!s->loaded) /* measured by what the leader measures by */
			store_get(s->e->store, s->cfg->name, "baselines", baseline_got, wanted_new(s));
		if (a->record)
			followed(s, a->record);
		else if (!s->rec.rev) /* nobody made one yet: that is told when it changes */
			s->loaded = true;
		return;
	}
	store_get(s->e->store, s->cfg->name, "baselines", baseline_got, wanted_new(s));
	store_get(s->e->store, s->cfg->name, "seen", seen_got, wanted_new(s));
	store_get(s->e->store, s->cfg->name, "deploys", deploys_got, wanted_new(s));
	ledger_kept(s);
	if (s->pending) {
		replay(s, a);
		return;
	}
	bool regressed = a->record && j && j->kind == JR_COMMITTED && version_cmp(j->record.v, a->record->v) > 0;

	if (a->none || regressed) {
		if (a->record)
			s->rec = *a->record;
		else if (!s->loaded)
			memset(&s->rec, 0, sizeof(s->rec)), s->rec.active = NO_SLOT, s->rec.move.from = s->rec.move.to = NO_SLOT;
		s->fresh_start = true;
		s->loaded = true;
		service_found(s);
		return;
	}
	set_loaded(s, a->record);
	remember(s, a->record);
	service_tick(s);
}

void service_forget(struct service *s)
{
	ledger_free(&s->ledger);
	s->ledger = ledger_new();
	s->ledger_loaded = s->ledger_readonly = false;
	s->ledger_reading = 0;
	s->ledger_bad = 0;
	adopt_free(s);
	s->n_deploys = 0;
	s->deploys_dirty = s->deploys_known = false;
	s->baselines_stale = true;
}

void service_reload_record(struct service *s)
{
	if (s->loading) {
		s->reload_again = true;
		return;
	}
	if (store_state(s->e->store) == STORE_AWAY)
		return;
	s->loading = true;
	store_load(s->e->store, s->cfg->name, load_done, s);
}

/* Recorded: what was decided alone is everybody's now. */
static void pending_over(struct service *s)
{
	const struct condemned *c = &s->pending_condemn;

	s->pending = s->overruled = false;
	s->pending_cid[0] = '\0';
	s->n_pending = 0;
	if (c->release[0] && !condemned_find(&s->condemned, c->release, "") && s->condemned.n < MAX_CONDEMNED)
		s->condemned.list[s->condemned.n++] = *c;
	s->pending_condemn = (struct condemned){ .release = "" };
}

static void replay_done(void *arg, const struct store_answer *a)
{
	struct service *s = arg;

	s->replaying = false;
	if (a->result == ST_OK) {
		log_info("replayed", "service=%s rid=%s dup=%d", s->cfg->name, s->rec.cid, a->dup);
		pending_over(s);
		if (a->record)
			set_loaded(s, a->record);
		adopt_journal(s, NULL, "");
		service_tick(s);
		return;
	}
	log_warn("replay", "service=%s result=%s detail=%s", s->cfg->name, store_result_name(a->result), LOG_Q(a->detail));
	/* Asked again when the store is up at the next beat. */
}

/* What was decided while the store was away is recorded now, with the same request id (state.md 5). */
static void replay(struct service *s, const struct store_answer *a)
{
	static struct record next;
	struct commit c = { .service = s->cfg->name, .rid = s->rec.cid, .mode = s->pending_mode, .next = &next,
			    .condemn = s->pending_condemn.release[0] ? &s->pending_condemn : NULL };

	bool others = s->overruled || (a->record && !standby_alone(s->e) && version_cmp(a->record->v, s->pending_base) != 0);

	next = others && a->record ? *a->record : s->rec;
	if (others && s->pending_cid[0])
		c.rid = s->pending_cid;
	if (!others && a->record && strcmp(a->record->cid, s->rec.cid) == 0) {
		pending_over(s);
		set_loaded(s, a->record);
		adopt_journal(s, NULL, "");
		service_tick(s);
		return;
	}
	if (a->record) {
		c.expect_v = a->record->v;
		c.expect_rev = a->record->rev;
		if (others) {
			c.mode = MOVE_NOTE;
			c.condemn = NULL;
		}
		if (c.mode == MOVE_AUTO && condemned_find(&s->condemned, next.slot[next.active].id, next.slot[next.active].digest))
			c.mode = MOVE_FORCE;
	}
	if (!s->n_pending) { /* more than the journal holds: at least that it happened */
		struct event e = { .at = wall_now(), .by = "switchd", .kind = "offline.recorded", .from_v = s->pending_base, .to_v = next.v,
				   .from = s->rec.move.from, .to = next.active, .because = "decided while the store was away, recorded now" };

		TEXT_COPY(e.service, s->cfg->name);
		offline_keep(s, &e);
	}
	struct event *told = xcalloc(s->n_pending, sizeof(*told));

	if (others && a->record)
		offline_overruled(s, a->record, told);
	else if (a->record) /* restamped, or somebody else was here: our slot, recorded at a higher version than either */
		next.v = offline_rebased(s, a->record, told);
	else
		memcpy(told, s->pending_events, s->n_pending * sizeof(*told));
	c.events = told;
	c.n_events = s->n_pending;
	s->replaying = true;
	trust_sent(s, c.rid);
	store_commit(s->e->store, &c, replay_done, s);
	free(told);
}

void service_store(struct service *s, bool up)
{
	if (up)
		service_reload_record(s);
	else
		trust_away(s);
	publish_change(s);
	service_tick(s);
}

static void identity_said(void *arg, const struct probe_result *r)
{
	struct service *s = arg;

	if (r->outcome == OUT_CANCELLED)
		return;
	s->asking_identity = false;
	s->identity_asked = true;
	if (id_ok(r->identity))
		TEXT_COPY(s->start.found_release, r->identity);
	service_tick(s);
}

/* The slot taken as active at a first start gets the release that its identity answers (B3). */
static void ask_identity(struct service *s)
{
	enum slot slot = s->start.found ? s->start.found_slot : s->cfg->initial;
	struct probe_job job = { .via = VIA_SLOT, .purpose = PURPOSE_IDENTITY, .slot = slot, .feature = s->cfg->n_features, .release = "" };

	/* Its addresses are being read for the first time: it is asked when they are there, or cannot be had. */
	if (slot <= GREEN && !s->cfg->slot[slot].n_targets && !s->target_why[slot][0])
		return;
	if (!s->cfg->identity.on || slot > GREEN || !s->cfg->slot[slot].n_targets || s->start.found_release[0]) {
		s->identity_asked = true;
		return;
	}
	if (s->asking_identity)
		return;
	s->asking_identity = true;
	probe_start(s->runner, &job, identity_said, s);
}

/* IN_START waits until every proxy was asked once: one of them may carry a version. */
void service_found(struct service *s)
{
	const struct journal_entry *j = journal_last(s->e->journal, s->cfg->name);
	struct input *in = &s->start;

	if (!s->fresh_start || !traffic_asked(s))
		return;
	*in = (struct input){ .kind = IN_START, .slot = NO_SLOT, .found_slot = NO_SLOT, .by = "switchd" };
	traffic_found(s, in);
	if (j && j->record.active != NO_SLOT && (!in->found || version_cmp(j->record.v, in->found_v) >= 0)) {
		if (in->found && version_cmp(j->record.v, in->found_v) == 0 && in->found_slot != j->record.active)
			in->ambiguous = true;
		in->found = true;
		in->found_in_proxy = false;
		in->found_v = j->record.v;
		in->found_slot = j->record.active;
		TEXT_COPY(in->found_release, j->record.slot[j->record.active].id);
	}
	ask_identity(s);
	service_tick(s);
}

/* What this controller knows, and what agents saw condemned: a commit that was lost may have condemned it. */
static const struct condemned_set *condemned_all(const struct service *s)
{
	static struct condemned_set all;

	all = s->condemned;
	for (size_t i = 0; i < s->fleet.n; i++)
		for (size_t k = 0; k < s->fleet.agents[i].n_condemned; k++) {
			struct condemned *c = &all.list[all.n];

			if (all.n == MAX_CONDEMNED || condemned_find(&all, s->fleet.agents[i].condemned[k], ""))
				continue;
			*c = (struct condemned){ .since = wall_now() };
			TEXT_COPY(c->release, s->fleet.agents[i].condemned[k]);
			TEXT_COPY(c->by, "switchd");
			TEXT_FORMAT(c->why, "agent %s saw it condemned; the store had lost that", s->fleet.agents[i].name);
			all.n++;
		}
	return &all;
}

/* After a failover the agents know what the new primary may not: each listed one is waited for, until it spoke on this connection. */
static bool agents_spoke(struct service *s)
{
	mono_us now = mono_now();
	bool all = s->e->roster_since.us > 0, any = false;

	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		bool spoke = false;

		if (strcmp(s->cfg->proxies[i].type, "agent") != 0)
			continue;
		any = true;
		for (size_t k = 0; k < s->fleet.n; k++)
			spoke = spoke || (strcmp(s->fleet.agents[k].name, s->cfg->proxies[i].name) == 0 && s->fleet.agents[k].heard.us > s->e->roster_since.us);
		all = all && spoke;
	}
	/* One wait for all services, until this controller leads. */
	if (!s->e->truth_asked.us)
		s->e->truth_asked = now;
	return !any || all || mono_since_ms(now, s->e->truth_asked) >= AGENT_FIRST_MS;
}

bool service_truth(struct service *s, struct store_truth *out)
{
	const struct journal_entry *j = journal_last(s->e->journal, s->cfg->name);
	struct input found = { .found_slot = NO_SLOT };

	bool lossy = out->lossy;

	memset(out, 0, sizeof(*out));
	out->floor_slot = NO_SLOT;
	out->service = s->cfg->name;
	out->condemned = condemned_all(s);
	out->leave = s->bad.on;
	if (!traffic_asked(s) || (lossy && !agents_spoke(s)))
		return false;
	if (j) {
		out->known = true;
		out->record = j->record;
		out->floor = j->record.v;
	}
	if (s->loaded && s->rec.rev && (!out->known || version_cmp(s->rec.v, out->record.v) >= 0)) {
		out->known = true;
		out->record = s->rec;
		out->floor = s->rec.v;
	}
	if (traffic_found(s, &found) && version_cmp(found.found_v, out->floor) > 0) {
		out->floor = found.found_v;
		out->floor_slot = found.ambiguous ? NO_SLOT : found.found_slot;
	}
	fleet_found(s, out);
	return true;
}

bool service_busy(const struct service *s) { return s->committing || s->replaying || s->loading; }
