/* SPDX-License-Identifier: MIT
 * measure.c - probes to health: every result is folded, kept as evidence, and may ask for more.
 *
 * The schedule sends, verdict.c judges, decide acts; this file only carries the one to the other
 * and does what the fold advises: confirm a first absent, ask the other slot anew, ask the front. */
#include "switchd/engine/service.h"

#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"

enum {
	FRESH_EVERY_MS = 100,   /* fresh rounds of the other slot are not asked more often than this */
	WARM_UP_MS = 3000,
};

static size_t n_cells(const struct service *s) { return s->cfg->n_features + 1; }

static const char *feature_name(const struct service *s, size_t i)
{
	return i < s->cfg->n_features ? s->cfg->features[i].name : "identity";
}

/* ---- the view ---- */

void measure_view(struct service *s)
{
	const struct record *r = &s->rec;
	enum slot proving = r->phase == PH_PROVING || r->phase == PH_READY ? r->deploy.slot : r->phase == PH_FILLING ? r->claim.slot : NO_SLOT;

	s->rules = (struct view_rules){
		.active = r->active, .live = { proving != BLUE, proving != GREEN },
		.baking = r->phase == PH_BAKING || r->phase == PH_FLIPPING,
		.without = { &r->slot[BLUE].without, &r->slot[GREEN].without }, .mutes = r->mutes, .n_mutes = r->n_mutes, .now = mono_now(), .wall = engine_wall(s->e),
	};
	health_view(s->health, &s->rules, s->view);
	if (!s->view->suspect)
		s->started = true;
	changes_look(s);
}

/* ---- evidence ---- */

static struct feature_evidence *evidence_of(struct service *s, enum slot slot, size_t feature)
{
	return &s->evidence[(size_t)slot * n_cells(s) + feature];
}

static void keep_evidence(struct service *s, const struct probe_result *r)
{
	enum outcome_class c = outcome_info(r->outcome)->class;

	if (!r->evidence || !s->evidence || r->job.slot > GREEN || r->job.feature >= n_cells(s) || (c != OC_PRESENT && c != OC_ABSENT))
		return;
	struct feature_evidence *ev = evidence_of(s, r->job.slot, r->job.feature);
	struct kept_evidence **where = c == OC_ABSENT ? &ev->absent : &ev->present;

	/* A present after an absent does not replace the present before it until the absent is history. */
	if (c == OC_PRESENT && ev->absent && ev->present) {
		const struct cell *cell = health_cell(s->health, r->job.slot, r->job.target, r->job.feature);

		if (cell && cell->absents > 0)
			return;
	}
	*where = evidence_keep(*where, r->evidence);
}

json_t *evidence_json(const struct kept_evidence *e)
{
	if (!e)
		return json_null();
	const struct outcome_info *o = outcome_info(e->outcome);

	return json_pack("{s:I,s:s,s:s,s:s,s:I,s:i,s:s,s:s,s:s,s:s,s:I}", "at", (json_int_t)e->at.ms, "outcome", o->code, "url", e->url,
			 "target", e->target, "latency_us", (json_int_t)e->latency_us, "status", (int)e->status, "want", e->want, "got", e->got,
			 "head", e->head, "body", e->body, "body_len", (json_int_t)e->body_len);
}

/* The evidence of a decision: short forms, as many as fit. */
void measure_evidence(const struct service *s, enum slot slot, const size_t *features, size_t n, char *out, size_t size)
{
	json_t *list = json_array();

	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct feature_evidence *here = &s->evidence[(size_t)slot * n_cells(s) + features[i]];
		const struct feature_evidence *there = &s->evidence[(size_t)other_slot(slot) * n_cells(s) + features[i]];
		json_t *o = json_pack("{s:s,s:s,s:o,s:o}", "feature", feature_name(s, features[i]), "slot", slot_name(slot),
				      "here", evidence_json(here->absent), "there", evidence_json(there->present));
		const char *sides[] = { "here", "there" };

		for (size_t k = 0; k < 2; k++) {
			json_t *side = json_object_get(o, sides[k]);
			const char *body = json_string_value(json_object_get(side, "body"));
			char cut[257];

			if (body) {
				text_printable(cut, sizeof(cut), body, strlen(body) > 240 ? 240 : strlen(body));
				json_object_set_new(side, "body", json_string(cut));
				json_object_del(side, "head");
			}
		}
		json_array_append_new(list, o);
		char *text = json_dumps(list, JSON_COMPACT);

		if (text && strlen(text) < size)
			text_copy(out, size, text);
		else
			i = n;
		free(text);
	}
	json_decref(list);
}

/* ---- verdict changes: logged at once, written coalesced ---- */

static void tell_changes(struct service *s, enum slot slot, size_t target, size_t feature, const struct probe_result *r)
{
	const struct cell *c = health_cell(s->health, slot, target, feature);
	enum verdict *told = &s->last_verdict[(slot * s->cfg->slot[BLUE].n_targets + target) * n_cells(s) + feature];

	if (!c || c->verdict == *told)
		return;
	log_info("probe", "service=%s slot=%s target=%s feature=%s from=%s to=%s outcome=%s us=%lld", s->cfg->name, slot_name(slot),
		 s->cfg->slot[slot].targets[target].text, feature_name(s, feature), verdict_name(*told), verdict_name(c->verdict),
		 outcome_info(r->outcome)->code, (long long)(r->ended.us - r->began.us));
	*told = c->verdict;
}

/* ---- results ---- */

static void front_result(struct service *s, const struct probe_result *r)
{
	struct proxy_value v, want = decide_value(&s->rec);
	enum slot by = NO_SLOT;
	bool stamped = r->complete && slot_parse(r->stamp_by, &by);
	bool counted = stamped && proxy_value_parse(r->stamp_value, &v) && v.slot == s->rec.active && by == v.slot &&
		       ((version_cmp(v.v, want.v) == 0 && !v.pin) || (v.pin && s->rec.pin.on));

	struct health_advice a = health_note_front(s->health, r->job.proxy, r->job.feature, by, counted, r->outcome, r->began, r->ended);

	traffic_stamp(s, r);
	if (a.changed)
		service_tick(s);
}

/* All targets out: only the front can say whether it is the slot or the way to it (B1.1). */
static void ask_front(struct service *s)
{
	mono_us now = mono_now();

	if (s->rec.active == NO_SLOT || mono_since_ms(now, s->last_front) < FRESH_EVERY_MS)
		return;
	s->last_front = now;
	for (size_t p = 0; p < s->cfg->n_proxies; p++)
		schedule_front_now(s->sched, p, 0);
}

static void ask_more(struct service *s, const struct probe_result *r, const struct health_advice *a)
{
	const struct probe_job *j = &r->job;
	const struct probe_rule *rule = j->feature < s->cfg->n_features ? &s->cfg->features[j->feature].rule : NULL;
	mono_us now = mono_now();

	if (a->confirm_now)
		schedule_confirm(s->sched, j->slot, j->target, j->feature, 0);
	else if (a->confirm)
		schedule_confirm(s->sched, j->slot, j->target, j->feature, rule ? rule->confirm_ms : 20);
	if (a->ask_other_slot && j->slot == s->rec.active && mono_since_ms(now, s->last_fresh) >= FRESH_EVERY_MS) {
		s->last_fresh = now;
		schedule_fresh(s->sched, other_slot(j->slot));
	}
	if (a->ask_front)
		ask_front(s);
}

/* Closed over the request while other features of the target answer: judged absent (B1.1), and told and kept as what it was judged. */
static void judged_as(const struct service *s, struct probe_result *r, size_t feature, struct evidence *room)
{
	if (outcome_info(r->outcome)->class != OC_OUT || health_cell(s->health, r->job.slot, r->job.target, feature)->last != OUT_KILLS_WORKER)
		return;
	r->outcome = OUT_KILLS_WORKER;
	if (!r->evidence)
		return;
	*room = *r->evidence;
	room->outcome = OUT_KILLS_WORKER;
	r->evidence = room;
}

static void probe_result(void *arg, const struct probe_result *measured)
{
	struct service *s = arg;
	struct probe_result judged = *measured;
	struct evidence as_judged;
	const struct probe_result *r = &judged;

	if (r->outcome == OUT_CANCELLED || r->outcome == OUT_NEVER_RAN)
		return;
	s->probes_by_outcome[r->outcome]++;
	if (r->job.via == VIA_FRONT) {
		front_result(s, r);
		return;
	}
	if (!measure_compare_judge(s, &judged))
		return;
	size_t feature = r->job.purpose == PURPOSE_IDENTITY ? s->cfg->n_features : r->job.feature;
	enum verdict before = health_cell(s->health, r->job.slot, r->job.target, feature)->verdict;
	struct health_advice a = health_note(s->health, r->job.slot, r->job.target, feature, r->outcome, r->complete, r->began, r->ended,
					     wall_now(), r->ended.us - r->began.us);

	watch_count(s, r->job.slot, feature, outcome_info(r->outcome)->class,
		    before != V_ABSENT && health_cell(s->health, r->job.slot, r->job.target, feature)->verdict == V_ABSENT);
	judged_as(s, &judged, feature, &as_judged);
	keep_evidence(s, r);
	if (r->job.slot == s->rec.active && outcome_info(r->outcome)->class == OC_ABSENT)
		requests_absent(s);
	tell_changes(s, r->job.slot, r->job.target, feature, r);
	ask_more(s, r, &a);
	if (r->outcome == OUT_PRESENT)
		measure_control_ask(s, r->job.slot, r->job.target, feature);
	if (a.changed || a.confirm) {
		measure_control_look(s);
		publish_change(s);
	}
	/* Fresh evidence may complete what a rollback waits for without changing any verdict. */
	if (a.changed || s->rec.phase == PH_PROVING ||
	    (r->job.slot != s->rec.active && mono_since_ms(mono_now(), s->last_fresh) < 2000))
		service_tick(s);
}

/* ---- pace (B1.4) ---- */

void measure_pace(struct service *s)
{
	const struct record *r = &s->rec;
	mono_us now = mono_now();
	bool fast = r->phase == PH_PROVING || r->phase == PH_BAKING || r->phase == PH_FLIPPING || r->phase == PH_REVERTING;

	schedule_slow(s->sched, standby_slower(s->e));
	for (int i = BLUE; i <= GREEN; i++) {
		enum slot slot = (enum slot)i;
		bool active = slot == r->active;
		bool doubt = false;     /* after a first absent on either side, until it is cleared */

		for (size_t f = 0; f < s->cfg->n_features && s->view->n && !doubt; f++)
			doubt = active && s->view->f[f].doubted[slot];
		enum pace p = (fast || doubt) && !s->e->standby ? PACE_FAST : active ? PACE_STEADY : PACE_IDLE;

		/* After a start everything is unknown, and nothing is armed: both slots are learned quickly. */
		if (!s->started || mono_since_ms(now, s->born) < WARM_UP_MS)
			p = PACE_FAST;
		schedule_pace(s->sched, slot, p);
		if (active)
			schedule_front(s->sched, slot, p);
		schedule_digest(s->sched, slot, r->slot[slot].digest);
		schedule_release(s->sched, slot, r->slot[slot].id);
	}
	if (r->active == NO_SLOT)
		schedule_front(s->sched, NO_SLOT, PACE_OFF);
}

void measure_filled(struct service *s, enum slot slot)
{
	if (slot == NO_SLOT)
		return;
	health_slot_filled_at(s->health, slot, mono_now());
	for (size_t f = 0; f < n_cells(s); f++) {
		struct feature_evidence *ev = evidence_of(s, slot, f);

		free(ev->absent);
		free(ev->present);
		ev->absent = ev->present = NULL;
	}
	measure_pace(s);
}

void measure_fresh(struct service *s, enum slot slot)
{
	mono_us now = mono_now();

	if (slot == NO_SLOT || mono_since_ms(now, s->last_fresh) < FRESH_EVERY_MS)
		return;
	s->last_fresh = now;
	schedule_fresh(s->sched, slot);
}

/* ---- baselines (B1.7) ---- */

static void save_baselines(struct service *s)
{
	json_t *all = json_object();

	for (size_t i = 0; i < s->cfg->n_features; i++)
		if (s->cfg->features[i].compare && probe_baseline_text(s->runner, i)[0])
			json_object_set_new(all, s->cfg->features[i].name, json_string(probe_baseline_text(s->runner, i)));
	char *text = json_dumps(all, JSON_COMPACT);

	if (text)
		store_put(s->e->store, s->cfg->name, "baselines", text);
	free(text);
	json_decref(all);
}

static void learned(void *arg, size_t feature, bool ok, const char *text)
{
	struct service *s = arg;

	log_info("baseline", "service=%s feature=%s learned=%d shape=%s", s->cfg->name, feature_name(s, feature), ok, LOG_Q(text ? text : ""));
	if (ok)
		save_baselines(s);
}

void measure_learn(struct service *s)
{
	if (s->rec.active == NO_SLOT || !s->cfg->slot[s->rec.active].n_targets)
		return;
	for (size_t i = 0; i < s->cfg->n_features; i++)
		if (s->cfg->features[i].compare)
			probe_learn_baseline(s->runner, s->rec.active, i, learned, s);
}

/* A feature without a baseline learns it from the active slot in steady: never while proving or baking. */
static void learn_missing(struct service *s)
{
	if (s->rec.active == NO_SLOT || s->rec.phase != PH_STEADY || !s->started)
		return;
	for (size_t i = 0; i < s->cfg->n_features; i++)
		if (s->cfg->features[i].compare && !probe_baseline_text(s->runner, i)[0] && s->view->f[i].at[s->rec.active] == V_PRESENT)
			probe_learn_baseline(s->runner, s->rec.active, i, learned, s);
}

/* ---- seen (B2): what disappeared is known after a restart too ---- */

static json_t *seen_json(const struct service *s, enum slot slot)
{
	json_t *o = json_object();
	char print[24];

	for (size_t i = 0; i < s->cfg->n_features; i++)
		if (s->view->f[i].seen[slot]) {
			TEXT_FORMAT(print, "%016llx", (unsigned long long)s->cfg->features[i].fingerprint);
			json_object_set_new(o, s->cfg->features[i].name, json_string(print));
		}
	return json_pack("{s:s,s:o}", "release", s->rec.slot[slot].id, "features", o);
}

void measure_seen_save(struct service *s)
{
	char now[2][2 * MAX_FEATURES] = { { 0 } };
	json_t *o;
	char *text;

	for (size_t i = 0; i < s->cfg->n_features; i++)
		for (int k = BLUE; k <= GREEN; k++)
			now[k][i] = s->view->f[i].seen[k] ? 'y' : 'n';
	/* A few bytes of the release beside it: another release with the same features is another memory. */
	for (int k = BLUE; k <= GREEN; k++)
		text_copy(&now[k][s->cfg->n_features], sizeof(now[k]) - s->cfg->n_features, s->rec.slot[k].id);
	if (memcmp(now, s->seen_saved, sizeof(now)) == 0 || !s->loaded || !store_is_up(s->e->store))
		return;
	memcpy(s->seen_saved, now, sizeof(now));
	o = json_pack("{s:o,s:o}", "blue", seen_json(s, BLUE), "green", seen_json(s, GREEN));
	text = json_dumps(o, JSON_COMPACT);
	if (text)
		store_put(s->e->store, s->cfg->name, "seen", text);
	free(text);
	json_decref(o);
}

void measure_seen_load(struct service *s, const char *json)
{
	json_t *o = json_loads(json, 0, NULL);

	for (int k = BLUE; k <= GREEN; k++) {
		const json_t *side = json_object_get(o, slot_name((enum slot)k)), *features = json_object_get(side, "features");
		const char *release = json_string_value(json_object_get(side, "release"));

		for (size_t i = 0; release && strcmp(release, s->rec.slot[k].id) == 0 && i < s->cfg->n_features; i++) {
			const char *print = json_string_value(json_object_get(features, s->cfg->features[i].name));
			char mine[24];

			TEXT_FORMAT(mine, "%016llx", (unsigned long long)s->cfg->features[i].fingerprint);
			if (print && strcmp(print, mine) == 0)
				health_set_seen(s->health, (enum slot)k, i);
		}
	}
	json_decref(o);
}

/* ---- the beat ---- */

static void reference_said(void *arg, const struct probe_result *r)
{
	struct service *s = arg;

	if (r->outcome == OUT_CANCELLED)
		return;
	s->asking_reference = false;
	health_note_reference(s->health, outcome_info(r->outcome)->class == OC_PRESENT || r->complete, r->ended);
	service_tick(s);
}

void measure_beat(struct service *s)
{
	mono_us now = mono_now();
	static int turn;

	if (s->cfg->has_reference && !s->asking_reference && s->next_reference.us <= now.us) {
		struct probe_job job = { .via = VIA_SLOT, .purpose = PURPOSE_REFERENCE, .slot = BLUE, .release = "" };

		s->next_reference = mono_plus_ms(now, REFERENCE_MS);
		s->asking_reference = true;
		probe_start(s->runner, &job, reference_said, s);
	}
	if (s->rec.active != NO_SLOT && s->rec.phase == PH_STEADY && s->started && s->next_control.us <= now.us) {
		/* Hourly, on the active slot, and soon after a start; a deploy runs its own on the slot it fills. */
		if (s->next_control.us)
			measure_control(s, s->rec.active);
		s->next_control = mono_plus_ms(now, s->next_control.us ? CONTROL_EVERY_MS : CONTROL_FIRST_MS);
	}
	if (++turn % 20 == 0)
		learn_missing(s);
	if (s->view->front_down != s->front_was_down) {
		s->front_was_down = s->view->front_down;
		publish_front(s);
	}
	if (s->next_seen.us <= now.us) {
		s->next_seen = mono_plus_ms(now, 1000);
		measure_seen_save(s);
		adopt_deploys_save(s);
	}
	if (s->rec.active != NO_SLOT && s->view->slot[s->rec.active].awaiting)
		ask_front(s);
	measure_compare_beat(s);
	measure_pace(s);
}

/* ---- birth and death ---- */

/* Nothing was told yet, of as many targets as there are now. */
static void forget_verdicts(struct service *s)
{
	free(s->last_verdict);
	s->last_verdict = xcalloc((s->cfg->slot[BLUE].n_targets + s->cfg->slot[GREEN].n_targets) * n_cells(s) + 1, sizeof(*s->last_verdict));
}

static void evidence_free(struct feature_evidence *list, size_t n)
{
	for (size_t i = 0; list && i < n; i++) {
		free(list[i].absent);
		free(list[i].present);
	}
	free(list);
}

struct feature_evidence *measure_evidence_take(struct service *s)
{
	struct feature_evidence *kept = s->evidence;

	s->evidence = NULL;
	return kept;
}

void measure_evidence_give(struct service *s, struct feature_evidence *kept, const struct service_config *was)
{
	size_t n = was->n_features + 1;

	for (size_t f = 0; f < n_cells(s); f++) {
		long old = health_continues(was, s->cfg, f);

		for (size_t k = 0; old >= 0 && k < 2; k++) {
			s->evidence[k * n_cells(s) + f] = kept[k * n + (size_t)old];
			kept[k * n + (size_t)old] = (struct feature_evidence){ 0 };
		}
	}
	evidence_free(kept, 2 * n);
}

void measure_start(struct service *s)
{
	if (!s->health)
		s->health = health_new(s->cfg);
	s->sched = schedule_new(s->e->loop, s->runner, s->cfg, probe_result, s);
	s->evidence = xcalloc(2 * n_cells(s), sizeof(*s->evidence));
	forget_verdicts(s);
	s->counts = xcalloc(2 * n_cells(s), sizeof(*s->counts));
	s->counts_since = wall_now();
	s->born = mono_now();
	measure_control_start(s);
	measure_compare_start(s);
	changes_start(s);
	measure_view(s);
	measure_pace(s);
}

void measure_stop(struct service *s)
{
	s->asking_reference = false;
	prove_cancel_all(s);
	schedule_free(&s->sched);
	evidence_free(s->evidence, 2 * n_cells(s));
	free(s->counts);
	free(s->last_verdict);
	s->evidence = NULL;
	s->counts = NULL;
	s->last_verdict = NULL;
	measure_control_stop(s);
	measure_compare_stop(s);
	changes_stop(s);
}

void measure_targets(struct service *s, const struct service_config *cfg, struct probe_runner *runner)
{
	struct feature_control *controls = s->controls;

	s->controls = NULL;
	s->asking_reference = s->asking_identity = false;
	s->round = ROUND_NONE; /* of rechecks: claims that wait for it go on */
	prove_cancel_all(s);
	schedule_free(&s->sched);
	measure_control_stop(s);
	measure_compare_stop(s);
	probe_runner_free(&s->runner);
	gates_again(s);
	s->cfg = cfg;
	s->runner = runner;
	s->health = health_reload(s->health, cfg);
	s->sched = schedule_new(s->e->loop, s->runner, s->cfg, probe_result, s);
	s->controls = controls;
	forget_verdicts(s);
	measure_compare_start(s);
	measure_view(s);
	measure_pace(s);
	/* What a deploy under way had asked is asked anew (only a slot that had no targets at all can get some then). */
	if (s->rec.phase == PH_PROVING || s->rec.phase == PH_READY)
		measure_control(s, s->rec.deploy.slot);
	if (s->rec.phase == PH_PROVING)
		traffic_preflight(s, s->rec.deploy.slot);
}
