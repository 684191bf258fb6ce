/* SPDX-License-Identifier: MIT
 * view.c - what people and programs are shown: status, why, deploys, evidence (docs/api.md). */
#include <stdlib.h>
#include <string.h>

#include "switchd/core/readiness.h"
#include "switchd/core/record.h"
#include "switchd/engine/service.h"

static json_t *ms(wall_ms t) { return t.ms ? json_integer(t.ms) : json_null(); }
static void put(json_t *o, const char *key, json_t *value) { must(json_object_set_new(o, key, value) == 0); }
static json_t *text(const char *s)
{
	json_t *j = json_string(s);
	char safe[1024];

	if (j) /* else not UTF-8: never let one bad byte hide a whole status */
		return j;
	text_printable(safe, sizeof(safe), s, strlen(s));
	return json_string(safe);
}

static json_t *who_why(const char *by, const char *why, wall_ms since, wall_ms until)
{
	json_t *o = json_object();

	put(o, "by", text(by));
	put(o, "why", text(why));
	put(o, "since", ms(since));
	put(o, "until", ms(until));
	return o;
}

static json_t *deploy_json(const struct deploy *d)
{
	json_t *o;

	if (!d->id)
		return json_null();
	o = json_object();
	put(o, "id", json_integer((json_int_t)d->id));
	put(o, "release", text(d->release));
	put(o, "slot", json_string(slot_name(d->slot)));
	put(o, "by", text(d->by));
	put(o, "outcome", json_string(deploy_outcome_name(d->outcome)));
	put(o, "reason", text(d->reason));
	put(o, "skip", text(d->skip));
	put(o, "since", ms(d->since));
	put(o, "ended", ms(d->ended));
	return o;
}

static json_t *move_json(const struct move *m)
{
	json_t *o;

	if (!m->decided.ms)
		return json_null();
	o = json_object();
	put(o, "mode", json_string(move_mode_name(m->mode)));
	put(o, "from", json_string(slot_name(m->from)));
	put(o, "to", json_string(slot_name(m->to)));
	put(o, "decided", ms(m->decided));
	put(o, "acked", ms(m->acked));
	put(o, "observed", ms(m->observed));
	put(o, "acked_us", m->acked.ms ? json_integer(m->acked_us) : json_null());
	put(o, "observed_us", m->observed.ms ? json_integer(m->observed_us) : json_null());
	put(o, "by", text(m->by));
	put(o, "reason", text(m->reason));
	return o;
}

static json_t *drill_json(const struct drill *d)
{
	if (!d->since.ms)
		return json_null();
	return json_pack("{s:s,s:o,s:o,s:o,s:s,s:o,s:I,s:I,s:I,s:I}", "outcome", d->on ? "running" : d->turned && !d->how[0] ? "done" : "cut-short", "by",
			 text(d->by), "since", ms(d->since), "ended", ms(d->ended), "home", slot_name(d->home), "how", text(d->how), "out_acked_us",
			 (json_int_t)d->out_acked_us, "out_observed_us", (json_int_t)d->out_observed_us, "back_acked_us", (json_int_t)d->back_acked_us,
			 "back_observed_us", (json_int_t)d->back_observed_us);
}

/* The worst cell of a feature on a slot: what is shown beside the verdict. */
static const struct cell *worst(const struct service *s, enum slot slot, size_t feature, size_t *target)
{
	const struct cell *w = NULL;

	for (size_t t = 0; t < s->cfg->slot[slot].n_targets; t++) {
		const struct cell *c = health_cell(s->health, slot, t, feature);
		bool worse = !w || (c->verdict == V_ABSENT && w->verdict != V_ABSENT) ||
			     (c->verdict == V_UNKNOWN && w->verdict == V_PRESENT);

		if (c->last != OUT_NEVER_RAN && worse) {
			w = c;
			*target = t;
		}
	}
	return w;
}

static json_t *feature_slot(const struct service *s, enum slot slot, size_t i)
{
	const struct feature_view *f = &s->view->f[i];
	const struct feature_evidence *ev = &s->evidence[(size_t)slot * (s->cfg->n_features + 1) + i];
	size_t target = 0;
	const struct cell *c = worst(s, slot, i, &target);
	json_t *o = json_object();
	const struct kept_evidence *shown = f->at[slot] == V_ABSENT || f->at[slot] == V_PARTIAL ? ev->absent : ev->present;
	char detail[420] = "";

	put(o, "verdict", json_string(verdict_name(f->at[slot])));
	put(o, "compared", json_string(compared_name(f->cmp[slot])));
	put(o, "outcome", json_string(c ? outcome_info(c->last)->code : outcome_info(OUT_NEVER_RAN)->code));
	put(o, "latency_us", c ? json_integer(c->latency_us) : json_null());
	put(o, "status", shown ? json_integer(shown->status) : json_null());
	put(o, "present", json_integer(f->present[slot]));
	put(o, "absent", json_integer(f->absent[slot]));
	put(o, "unknown", json_integer(f->unknown[slot]));
	if (shown && shown->want[0])
		TEXT_FORMAT(detail, "want %s, got %s", shown->want, shown->got);
	else if (c && c->last != OUT_PRESENT)
		TEXT_COPY(detail, outcome_info(c->last)->sentence);
	put(o, "detail", text(detail));
	return o;
}

static json_t *mute_json(const struct service *s, const char *feature)
{
	for (size_t i = 0; i < s->rec.n_mutes; i++)
		if (strcmp(s->rec.mutes[i].feature, feature) == 0)
			return who_why(s->rec.mutes[i].by, s->rec.mutes[i].why, (wall_ms){ 0 }, s->rec.mutes[i].until);
	return json_null();
}

static json_t *front_json(const struct service *s, size_t i)
{
	const struct cell *c = s->cfg->n_proxies ? health_front_cell(s->health, 0, i) : NULL;

	return c && c->last != OUT_NEVER_RAN ? json_pack("{s:s,s:s}", "verdict", verdict_name(c->verdict), "outcome", outcome_info(c->last)->code)
					     : json_null();
}

static json_t *features_json(const struct service *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->view->n; i++) {
		const struct feature *f = &s->cfg->features[i];
		json_t *o = json_object(), *slots = json_object();
		const char *why;

		put(o, "name", json_string(f->name));
		put(o, "path", text(f->path[0] ? f->path : f->url));
		put(o, "severity", json_string(f->severity == SEV_CRITICAL ? "critical" : "warn"));
		put(o, "votes", json_boolean(s->view->f[i].votes));
		put(o, "vacuous", json_boolean(s->view->f[i].vacuous));
		put(o, "proof", json_string(measure_proof(s, i, &why)));
		put(o, "proof_why", text(why));
		put(o, "compare", measure_compare_json(s, i));
		put(o, "mute", mute_json(s, f->name));
		put(o, "baseline", f->compare ? text(probe_baseline_text(s->runner, i)[0] ? probe_baseline_text(s->runner, i) : "no baseline")
					      : json_null());
		put(slots, "blue", feature_slot(s, BLUE, i));
		put(slots, "green", feature_slot(s, GREEN, i));
		put(o, "slots", slots);
		put(o, "front", front_json(s, i));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *declared_json(const struct declared *d)
{
	json_t *list = json_array();
	char word[DECLARED_WORD + 1];

	for (size_t at = 0; declared_next(d, &at, word);)
		json_array_append_new(list, json_string(word));
	return list;
}

json_t *release_manifest(const struct release *r)
{
	return r->manifest ? json_pack("{s:s,s:o,s:{s:o,s:o},s:o,s:o,s:o}", "digest", r->digest, "commit", text(r->commit), "builder", "name", text(r->builder),
				       "version", text(r->builder_version), "lockfile", text(r->lockfile), "adds", declared_json(&r->adds), "removes",
				       declared_json(&r->removes))
			   : json_null();
}

/* While a slot is being proved the gates are asked as it is now; else what was last said stands. */
static json_t *gates_part(const struct service *s, const struct world *w)
{
	static const struct input tick = { .kind = IN_TICK, .slot = NO_SLOT, .found_slot = NO_SLOT };
	struct gate_said list[MAX_GATES];

	if (s->rec.phase != PH_PROVING && s->rec.phase != PH_READY)
		return gates_json(s->rec.gates, s->rec.n_gates);
	return gates_json(list, decide_gates(&s->rec, w, &tick, list));
}

static json_t *slot_json(const struct service *s, enum slot slot)
{
	const struct release *r = &s->rec.slot[slot];
	const struct slot_view *v = &s->view->slot[slot];
	json_t *o = json_object(), *targets = json_array();

	put(o, "release", text(r->id));
	put(o, "digest", text(r->digest));
	put(o, "state", json_string(release_state_name(r->state)));
	put(o, "was_good", json_boolean(r->was_good));
	put(o, "arrived", ms(r->arrived));
	put(o, "manifest", release_manifest(r));
	put(o, "without", declared_json(&r->without));
	put(o, "whole", json_boolean(v->whole));
	put(o, "identity_wrong", json_boolean(v->identity_wrong));
	put(o, "in", json_integer(v->in));
	put(o, "out", json_integer(v->out));
	for (size_t t = 0; t < s->cfg->slot[slot].n_targets; t++)
		json_array_append_new(targets, json_pack("{s:s,s:b}", "address", s->cfg->slot[slot].targets[t].text, "in",
							 health_target_in(s->health, slot, t)));
	put(o, "targets", targets);
	put(o, "addresses", targets_json(s, slot));
	return o;
}

static json_t *proxies_json(const struct service *s)
{
	json_t *list = json_array();
	char value[PROXY_VALUE_TEXT];

	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		const struct px *p = &s->px[i];
		json_t *o = json_object();

		put(o, "name", json_string(p->cfg->name));
		put(o, "type", json_string(p->cfg->type));
		put(o, "state", json_string(px_state(p)));
		put(o, "value", p->has_value ? json_string(proxy_value_text(&p->value, value)) : json_null());
		put(o, "acked", json_boolean(p->rc.acked));
		put(o, "observed", json_boolean(p->observed));
		put(o, "stamps", p->stamp_known ? json_boolean(p->stamps) : json_null());
		put(o, "durable", json_boolean(p->durable));
		put(o, "detail", text(p->detail));
		put(o, "us", json_integer(p->us));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *store_json(const struct service *s)
{
	return json_pack("{s:b,s:s,s:s,s:s,s:b,s:b,s:b,s:b,s:i,s:i,s:o}", "up", store_is_up(s->e->store), "state", store_state_name(store_state(s->e->store)), "leader",
			 store_leader(s->e->store), "why", store_why_down(s->e->store), "embedded", s->e->cfg->redis.embedded, "pending", s->pending, "alone", standby_alone(s->e),
			 "at_risk", s->e->at_risk, "replicas", s->e->replicas_had, "replicas_wanted", store_replicas(s->e->store), "bad",
			 text(s->bad.on ? s->bad.why : ""));
}

static json_t *condemned_list(const struct service *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->condemned.n; i++)
		json_array_append_new(list, condemned_json(&s->condemned.list[i]));
	return list;
}

static json_t *safe_to_flip(const struct service *s)
{
	enum slot idle = other_slot(s->rec.active);
	struct buf why = BUF_INIT(400);
	bool ok = idle != NO_SLOT && s->view->slot[idle].whole;
	json_t *o;

	for (size_t i = 0; idle != NO_SLOT && i < s->view->n; i++)
		if (s->view->f[i].votes && s->view->f[i].at[idle] != V_PRESENT)
			buf_addf(&why, "%s%s %s", why.len ? ", " : "", s->cfg->features[i].name, verdict_name(s->view->f[i].at[idle]));
	if (!ok && !why.len)
		buf_adds(&why, idle == NO_SLOT ? "no active slot" : s->view->slot[idle].identity_wrong ? "a target runs another release" : "too few targets are in");
	o = json_pack("{s:b,s:s,s:s}", "ok", ok, "slot", slot_name(idle), "why", ok ? "" : buf_str(&why));
	buf_free(&why);
	return o;
}

static void record_part(const struct service *s, json_t *o, wall_ms now)
{
	const struct record *r = &s->rec;
	char v[VERSION_TEXT];

	put(o, "active", json_string(slot_name(r->active)));
	put(o, "release", r->active == NO_SLOT ? json_string("") : text(r->slot[r->active].id));
	put(o, "version", version_json(r->v));
	put(o, "etag", json_string(version_text(r->v, v)));
	put(o, "shield", json_boolean(r->shield));
	put(o, "phase", json_string(phase_name(r->phase)));
	put(o, "phase_since", ms(r->phase_since));
	put(o, "phase_until", ms(r->phase_until));
	put(o, "bake_remaining_ms", r->phase == PH_BAKING && r->phase_until.ms
		? json_integer(r->phase_until.ms > now.ms ? r->phase_until.ms - now.ms : 0) : json_null());
	put(o, "since", ms(r->move.decided));
	put(o, "hold", r->hold.on ? who_why(r->hold.by, r->hold.why, r->hold.since, r->hold.until) : json_null());
	put(o, "sealed", r->sealed.on ? who_why(r->sealed.by, r->sealed.why, r->sealed.since, (wall_ms){ 0 }) : json_null());
	put(o, "pin", r->pin.on ? json_pack("{s:s,s:o,s:s}", "slot", slot_name(r->pin.slot), "since", ms(r->pin.since), "proxy", r->pin.proxy)
				: json_null());
	put(o, "claim", r->claim.id[0] ? json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:b}", "id", r->claim.id, "by", r->claim.by, "release", r->claim.release,
						   "slot", slot_name(r->claim.slot), "since", ms(r->claim.since), "until", ms(r->claim.until), "manifest", r->claim.manifest[0] != '\0')
				       : json_null());
	put(o, "deploy", deploy_json(&r->deploy));
	put(o, "move", move_json(&r->move));
	put(o, "drill", drill_json(&r->drill));
}

static json_t *ready_json(const struct service *s, const struct world *w)
{
	struct readiness r;
	json_t *list = json_array();

	readiness_look(&s->rec, w, &r);
	for (int k = 0; k < N_BLOCKED; k++)
		if (r.blocked >> k & 1)
			json_array_append_new(list, json_string(blocked_name((enum blocked)k)));
	return json_pack("{s:b,s:s,s:o,s:o,s:o}", "ready", r.ready, "slot", slot_name(r.slot), "proved_ms",
			 r.proved_ms >= 0 ? json_integer(r.proved_ms) : json_null(), "why", text(r.why), "blocked", list);
}

json_t *engine_status(const struct engine *e, const char *service)
{
	struct service *s = engine_find(e, service);
	struct world w;
	char why[160] = "";
	json_t *o, *slots;
	bool armed, target;

	if (!s)
		return NULL;
	service_world(s, &w);
	o = json_object();
	slots = json_object();
	put(o, "service", json_string(s->cfg->name));
	put(o, "mode", json_string(run_mode_name(s->cfg->mode)));
	put(o, "default_feature", json_boolean(s->cfg->default_feature));
	put(o, "front", text(s->cfg->front));
	record_part(s, o, wall_now());
	armed = s->loaded && decide_armed(&s->rec, &w, why) && !s->bad.on;
	put(o, "armed", json_boolean(armed));
	put(o, "armed_why", text(armed ? "" : s->bad.on ? "what the store holds of it is refused" : s->loaded ? why : "no record is loaded yet"));
	why[0] = '\0';
	target = s->rec.active != NO_SLOT && decide_rollback_target(&s->rec, &s->condemned, why);
	put(o, "rollback_target", target ? json_string(slot_name(other_slot(s->rec.active))) : json_null());
	put(o, "rollback_target_why", text(target ? "" : why));
	put(o, "rollback_ready", ready_json(s, &w));
	put(o, "safe_to_flip", safe_to_flip(s));
	put(o, "gates", gates_part(s, &w));
	put(slots, "blue", slot_json(s, BLUE));
	put(slots, "green", slot_json(s, GREEN));
	put(o, "slots", slots);
	put(o, "features", features_json(s));
	put(o, "proxies", proxies_json(s));
	put(o, "fleet", fleet_json(s));
	put(o, "shield_caught", json_integer((json_int_t)s->caught_total));
	put(o, "shield_missed", json_integer((json_int_t)s->missed_total));
	put(o, "store", store_json(s));
	put(o, "loaded", json_boolean(s->loaded));
	put(o, "suspect", json_boolean(s->view->suspect));
	put(o, "suspect_why", text(s->view->suspect_why ? s->view->suspect_why : ""));
	put(o, "front_down", json_boolean(s->view->front_down));
	put(o, "stretch", json_pack("{s:f,s:f}", "blue", schedule_stretch(s->sched, BLUE), "green", schedule_stretch(s->sched, GREEN)));
	put(o, "condemned", condemned_list(s));
	put(o, "last", text(s->last_because));
	return o;
}

json_t *engine_overview(const struct engine *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < e->n; i++)
		json_array_append_new(list, engine_status(e, e->services[i]->cfg->name));
	return json_pack("{s:s,s:o,s:{s:b,s:o},s:{s:b,s:s,s:s,s:b},s:I,s:o}", "version", SWITCHD_VERSION, "control", standby_json(e), "reload", "ok", e->reload_ok, "error",
			 text(e->reload_error), "store", "up", store_is_up(e->store), "state", store_state_name(store_state(e->store)), "why", store_why_down(e->store), "embedded",
			 e->cfg->redis.embedded, "since", (json_int_t)e->born.ms, "services", list);
}

json_t *engine_why(const struct engine *e, const char *service)
{
	struct service *s = engine_find(e, service);
	json_t *o, *features;
	struct world w;
	char armed_why[160] = "";

	if (!s)
		return NULL;
	service_world(s, &w);
	o = json_object();
	features = json_array();
	record_part(s, o, wall_now());
	put(o, "service", json_string(s->cfg->name));
	put(o, "armed", json_boolean(decide_armed(&s->rec, &w, armed_why)));
	put(o, "armed_why", text(armed_why));
	put(o, "because", text(s->last_move_event.kind[0] ? s->last_move_event.because : s->last_because));
	put(o, "event", s->last_move_event.kind[0] ? event_json(&s->last_move_event) : json_null());
	for (size_t i = 0; i < s->view->n; i++) {
		json_t *f = json_object();

		put(f, "name", json_string(s->cfg->features[i].name));
		put(f, "votes", json_boolean(s->view->f[i].votes));
		for (int k = BLUE; k <= GREEN; k++) {
			const struct feature_evidence *ev = &s->evidence[(size_t)k * (s->cfg->n_features + 1) + i];
			json_t *side = feature_slot(s, (enum slot)k, i);

			put(side, "absent_evidence", evidence_json(ev->absent));
			put(side, "present_evidence", evidence_json(ev->present));
			put(f, slot_name((enum slot)k), side);
		}
		json_array_append_new(features, f);
	}
	put(o, "features", features);
	put(o, "front_down", json_boolean(s->view->front_down));
	put(o, "proxies", proxies_json(s));
	return o;
}

static json_t *lost_json(const char *names)
{
	json_t *list = json_array();

	while (*names) {
		size_t n = strcspn(names, ",");

		json_array_append_new(list, json_stringn(names, n));
		names += n + (names[n] == ',');
	}
	return list;
}

static json_t *deploy_whole(struct service *s, size_t i)
{
	json_t *o = deploy_json(&s->deploys[i]);
	bool last = i + 1 == s->n_deploys;
	struct world w;

	service_world(s, &w);
	put(o, "gates", last ? gates_part(s, &w) : s->deploy_gates[i] ? json_deep_copy(s->deploy_gates[i]) : json_array());

	put(o, "phase", json_string(last ? phase_name(s->rec.phase) : "steady"));
	put(o, "phase_left_ms", last && s->rec.phase_until.ms ? json_integer(s->rec.phase_until.ms - wall_now().ms) : json_null());
	put(o, "active", json_string(slot_name(s->rec.active)));
	put(o, "epoch", json_integer((json_int_t)s->deploy_epoch[i]));
	put(o, "version", version_json(s->rec.v));
	put(o, "lost", lost_json(s->deploy_lost[i]));
	put(o, "unproven", last ? measure_unproven(s) : json_array());
	put(o, "exposed_ms", s->deploy_exposed[i] >= 0 ? json_integer(s->deploy_exposed[i]) : json_null());
	put(o, "move", last ? move_json(&s->rec.move) : json_null());
	put(o, "shield_caught", json_integer((json_int_t)s->caught_total));
	return o;
}

json_t *engine_deploy(const struct engine *e, const char *service, uint64_t id)
{
	struct service *s = engine_find(e, service);

	for (size_t i = 0; s && i < s->n_deploys; i++)
		if (s->deploys[i].id == id)
			return deploy_whole(s, i);
	return NULL;
}

json_t *engine_deploys(const struct engine *e, const char *service)
{
	struct service *s = engine_find(e, service);
	json_t *list;

	if (!s)
		return NULL;
	list = json_array();
	for (size_t i = s->n_deploys; i-- > 0;)
		json_array_append_new(list, deploy_whole(s, i));
	return json_pack("{s:o}", "deploys", list);
}

json_t *engine_evidence(const struct engine *e, const char *service, const char *feature)
{
	const struct service *s = engine_find(e, service);

	for (size_t i = 0; s && i <= s->cfg->n_features; i++) {
		if (strcmp(i < s->cfg->n_features ? s->cfg->features[i].name : "identity", feature) != 0)
			continue;
		json_t *o = json_pack("{s:s}", "feature", feature);

		for (int k = BLUE; k <= GREEN; k++) {
			const struct feature_evidence *ev = &s->evidence[(size_t)k * (s->cfg->n_features + 1) + i];

			put(o, slot_name((enum slot)k), json_pack("{s:o,s:o}", "absent", evidence_json(ev->absent), "present", evidence_json(ev->present)));
		}
		return o;
	}
	return NULL;
}

void engine_config(const struct engine *e, const char *service, struct buf *yaml) { config_show(e->cfg, service, yaml); }

void engine_active(const struct engine *e, const char *service, struct active_answer *out)
{
	const struct service *s = engine_find(e, service);

	*out = (struct active_answer){ .active = NO_SLOT };
	if (!s)
		return;
	out->known_service = true;
	out->active = s->rec.active;
	out->v = s->rec.v;
	if (s->rec.active != NO_SLOT)
		TEXT_COPY(out->release, s->rec.slot[s->rec.active].id);
	if (store_state(e->store) == STORE_AWAY || !s->loaded || s->bad.on) {
		out->stale_ms = e->down_since.us ? mono_since_ms(mono_now(), e->down_since) : 0;
		if (out->stale_ms < 1)
			out->stale_ms = 1;
	}
	out->draining = s->rec.move.decided.ms && wall_now().ms - s->rec.move.decided.ms < s->cfg->drain_ms;
}

bool engine_ready(const struct engine *e, char *why, size_t why_size)
{
	if (store_state(e->store) == STORE_AWAY) {
		text_format(why, why_size, "store: %s", store_why_down(e->store));
		return false;
	}
	for (size_t i = 0; i < e->n; i++) {
		const struct service *s = e->services[i];

		if (!s->loaded || s->bad.on) {
			text_format(why, why_size, "%s: %s", s->cfg->name, s->bad.on ? "what the store holds of it is refused" : "no record loaded yet");
			return false;
		}
		for (size_t k = 0; s->cfg->mode != MODE_OBSERVE && !e->standby && s->rec.active != NO_SLOT && k < s->cfg->n_proxies; k++)
			if (!s->px[k].rc.acked && strcmp(px_state(&s->px[k]), "pinned") != 0) {
				text_format(why, why_size, "%s: proxy %s is %s", s->cfg->name, s->px[k].cfg->name, px_state(&s->px[k]));
				return false;
			}
	}
	text_format(why, why_size, "ready");
	return true;
}

/* ---- probes on demand ---- */

struct asked { struct engine *e; name_text service; enum slot slot; mono_us began; engine_probe_fn *done; void *arg; ev_timer t; };

/* Done when every cell asked for has an answer begun since, or at the deadline. */
static void asked_look(EV_P_ ev_timer *t, int revents)
{
	struct asked *a = t->data;
	struct service *s = engine_find(a->e, a->service);
	bool all = true;
	json_t *o;

	(void)revents;
	for (int k = BLUE; s && k <= GREEN; k++)
		for (size_t i = 0; i < s->cfg->slot[k].n_targets && (a->slot == NO_SLOT || a->slot == (enum slot)k); i++)
			for (size_t f = 0; f < s->cfg->n_features; f++)
				if (!s->cfg->features[f].writes && !s->cfg->features[f].url[0] &&
				    health_cell(s->health, (enum slot)k, i, f)->last_began.us < a->began.us)
					all = false;
	if (s && !all && !a->e->stopping && mono_since_ms(mono_now(), a->began) < 5000)
		return;
	ev_timer_stop(EV_A_ t);
	o = s ? json_pack("{s:s,s:b,s:o}", "service", a->service, "complete", all, "features", features_json(s)) : json_object();
	a->done(a->arg, o);
	json_decref(o);
	free(a);
}

void engine_probe_now(struct engine *e, const char *service, enum slot slot, engine_probe_fn *done, void *arg)
{
	struct asked *a = xcalloc(1, sizeof(*a));
	struct service *s = engine_find(e, service);

	a->e = e;
	TEXT_COPY(a->service, service);
	a->slot = slot;
	a->began = mono_now();
	a->done = done;
	a->arg = arg;
	for (int k = BLUE; s && k <= GREEN; k++)
		if (slot == NO_SLOT || slot == (enum slot)k)
			schedule_fresh(s->sched, (enum slot)k);
	ev_timer_init(&a->t, asked_look, 0.01, 0.01);
	a->t.data = a;
	ev_timer_start(e->loop, &a->t);
}
