/* SPDX-License-Identifier: MIT
 * commit.c - one commit in flight: sent to the store, or journalled while it is away, and what came of it. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/failpoint.h"
#include "switchd/base/log.h"
#include "switchd/engine/service.h"

static void commit_done(void *arg, const struct store_answer *a);
static void offline_done(void *arg, bool durable);

/* The three times of a move are measured here, on one clock, and land with the commit that ends it. */
static void fill_times(struct service *s, struct record *next)
{
	mono_us acked = { 0 }, observed = { 0 };

	if (next->move.decided.ms == 0 || next->move.decided.ms != s->rec.move.decided.ms || !s->decided_at.us)
		return;
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		if (s->px[i].rc.acked && s->px[i].rc.acked_at.us > acked.us)
			acked = s->px[i].rc.acked_at;
		if (s->px[i].observed && s->px[i].observed_at.us > observed.us)
			observed = s->px[i].observed_at;
	}
	/* Once known they stay: a later write (the shield coming down) is another acknowledgement. */
	if (next->move.acked.ms && acked.us && s->rec.move.acked.ms == 0)
		next->move.acked_us = acked.us - s->decided_at.us;
	if (next->move.observed.ms && observed.us && s->rec.move.observed.ms == 0) {
		next->move.observed_us = observed.us - s->decided_at.us;
		if (s->first_bad.us && s->n_deploys) {
			s->exposed_ms = (observed.us - s->first_bad.us) / 1000;
			s->deploy_exposed[s->n_deploys - 1] = s->exposed_ms;
			s->first_bad = (mono_us){ 0 };
		}
	}
}

/* A refusal is about the slot under proof, also where it is only told. */
static bool of_gate(const struct decision *d)
{
	return text_starts(d->event.kind, "gate.") || strcmp(d->event.kind, "deploy.would_refuse") == 0;
}

/* What is in doubt on the slot that the event is about. */
static void features_evidence(const struct service *s, const struct decision *d, char *out, size_t size)
{
	enum slot bad = d->mode == MOVE_AUTO || !of_gate(d) ? s->rec.active : other_slot(s->rec.active);
	size_t lost[MAX_FEATURES], n = 0;

	if (bad == NO_SLOT)
		bad = d->next.deploy.slot;
	for (size_t i = 0; i < s->view->n + s->cfg->identity.on && n < 8; i++)
		if (s->view->f[i].votes && (s->view->f[i].at[bad] == V_ABSENT || s->view->f[i].at[bad] == V_PARTIAL))
			lost[n++] = i;
	measure_evidence(s, bad, lost, n, out, size);
}

/* Puts o into the event; false: it has no room. */
static bool evidence_set(struct decision *d, const json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);
	bool ok = text && text_copy(d->event.evidence, sizeof(d->event.evidence), text);

	if (!ok)
		d->event.evidence[0] = '\0';
	free(text);
	return ok;
}

/* {"features":[...],"gates":[...],"manifest":{...}}: what every gate said, what was in doubt of the slot where one refused it, and
 * the manifest that they looked at.  All gates always have room; of the rest what fits, the manifest's labels go first. */
static void gates_evidence(struct service *s, struct decision *d)
{
	static const char *const kinds[] = { "claim.taken", "deploy.started", "deploy.ready", "deploy.would_flip", "deploy.would_refuse", "manifest.read",
					     "gate.refused", "flip.decided" };
	const struct order *o = s->asked && (s->asked->input.kind == IN_CLAIM || s->asked->input.kind == IN_DEPLOY) ? s->asked : NULL;
	const struct manifest *m = o ? o->manifest : strcmp(d->event.kind, "manifest.read") == 0 ? s->gates.manifest : NULL;
	bool about = false;
	json_t *j;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		about |= strcmp(kinds[i], d->event.kind) == 0;
	if (!about || (strcmp(d->event.kind, "flip.decided") == 0 && d->next.deploy.outcome != DO_RUNNING))
		return;
	j = json_object();
	json_object_set_new(j, "gates", o ? gates_json(s->order_gates, s->n_order_gates) : gates_json(d->next.gates, d->next.n_gates));
	evidence_set(d, j);
	/* An order was refused before the slot was looked at. */
	if (!o && of_gate(d)) {
		enum { BESIDE = 16 };   /* ,"features": and its brackets */
		size_t taken = strlen(d->event.evidence) + BESIDE, size = sizeof(d->event.evidence);
		char *list = taken < size ? xcalloc(1, size - taken) : NULL;

		if (list)
			features_evidence(s, d, list, size - taken);
		json_object_set_new(j, "features", list && list[0] ? json_loads(list, 0, NULL) : json_array());
		free(list);
	}
	if (m)
		json_object_set_new(j, "manifest", manifest_json(m));
	if (!evidence_set(d, j)) {
		json_object_del(json_object_get(j, "manifest"), "labels");
		if (!evidence_set(d, j)) {
			json_object_del(j, "manifest");
			if (!evidence_set(d, j)) {
				json_object_del(j, "features");
				evidence_set(d, j);
			}
		}
	}
	json_decref(j);
}

void commit_event(struct service *s, struct decision *d)
{
	struct event *ev = &d->event;

	if (!ev->kind[0])
		TEXT_COPY(ev->kind, "record.changed");
	TEXT_COPY(ev->service, s->cfg->name);
	ev->at = wall_now();
	if (!ev->by[0])
		TEXT_COPY(ev->by, "switchd");
	ev->from_v = s->rec.v;
	ev->to_v = d->next.v;
	ev->from = s->rec.active;
	ev->to = d->next.active;
	if (!ev->because || !ev->because[0])
		ev->because = d->because;
	if (!ev->detail[0])
		TEXT_COPY(ev->detail, d->detail);
	if (d->next.move.acked.ms && !s->rec.move.acked.ms && d->next.move.decided.ms == s->rec.move.decided.ms && d->next.move.acked_us > 0) {
		size_t n = strlen(ev->detail);

		text_format(ev->detail + n, sizeof(ev->detail) - n, "%sacked +%lld us, observed +%lld us", n ? "; " : "", (long long)d->next.move.acked_us,
			    (long long)d->next.move.observed_us);
	}
	if (!ev->deploy)
		ev->deploy = d->next.deploy.outcome == DO_RUNNING || d->next.deploy.ended.ms == ev->at.ms ? d->next.deploy.id : s->rec.deploy.id;
	if (strcmp(ev->kind, "requests.counted") == 0 && s->counted_evidence)
		TEXT_COPY(ev->evidence, s->counted_evidence);
	if (strcmp(ev->kind, "late.broken") == 0 && s->late_evidence)
		TEXT_COPY(ev->evidence, s->late_evidence);
	if (!ev->evidence[0] && (d->mode == MOVE_AUTO || text_starts(ev->kind, "feature.") ||
				 text_starts(ev->kind, "identity.") || strcmp(ev->kind, "rollback.would") == 0))
		features_evidence(s, d, ev->evidence, sizeof(ev->evidence));
	if (!ev->evidence[0] || strcmp(ev->evidence, "[]") == 0)
		gates_evidence(s, d);
}

/* What takes traffic back, and what tells that it is back, waits for no memory. */
static bool past_memory(const struct service *s, const struct decision *d)
{
	return d->mode == MOVE_AUTO || d->mode == MOVE_BACK || (s->rec.phase == PH_REVERTING && !s->current);
}

static void commit_send(struct service *s)
{
	struct decision *d = s->d;
	struct commit c = {
		.service = s->cfg->name, .rid = s->rid, .mode = d->mode,
		.expect_v = s->rec.v, .expect_rev = s->rec.rev, .next = &d->next,
		.events = &d->event, .n_events = 1,
		.condemn = d->condemn_it ? &d->condemn : NULL, .pardon = d->pardon_it ? d->pardon : NULL,
		.past_memory = past_memory(s, d),
	};

	/* Up when it was decided, and not any more (this process stood still between): the store answers "down", and it is decided anew. */
	if (!s->pending && (store_is_up(s->e->store) || !d->offline_ok)) {
		trust_sent(s, s->rid);
		store_commit(s->e->store, &c, commit_done, s);
		return;
	}
	must(d->offline_ok);
	struct journal_entry *j = xcalloc(1, sizeof(*j));

	TEXT_COPY(j->service, s->cfg->name);
	j->kind = JR_OFFLINE;
	j->base = s->pending ? s->pending_base : s->rec.v;
	j->record = d->next;
	j->record.rev = s->rec.rev + 1;
	TEXT_COPY(j->record.cid, s->rid);
	d->next = j->record;
	if (d->condemn_it)
		j->condemn = d->condemn;
	if (d->pardon_it)
		TEXT_COPY(j->pardon, d->pardon);
	offline_text(s, &d->event, j->events, sizeof(j->events));
	adopt_journal_now(s); /* in the order that things happened */
	journal_add(s->e->journal, j, offline_done, s);
	free(j);
}

void commit_begin(struct service *s, struct order *o)
{
	s->committing = true;
	s->current = o;
	if (o && o->rid[0]) {
		TEXT_COPY(s->rid, o->rid);
		if (store_schema(s->e->store) >= 2) /* a switchd of schema 1 would refuse a record with them */
			record_done(&s->d->next, o->rid);
	} else {
		engine_rid(s->e, s->rid);
	}
	fill_times(s, &s->d->next);
	if (o)
		s->asked = o;
	commit_event(s, s->d);
	s->asked = NULL;
	if (s->d->next.move.decided.ms != s->rec.move.decided.ms)
		s->decided_at = mono_now();
	FAILPOINT("engine.plan");
	commit_send(s);
}

static void current_fill(struct service *s, struct order_result *r)
{
	r->because = s->d->because;
	if (!r->detail[0])
		TEXT_COPY(r->detail, s->d->detail);
	r->deploy = s->rec.deploy.id;
	for (r->n_gates = 0; r->n_gates < s->n_order_gates; r->n_gates++)
		r->gates[r->n_gates] = s->order_gates[r->n_gates];
}

static void current_end(struct service *s, struct order_result *r)
{
	struct order *o = s->current;

	s->current = NULL;
	if (!o)
		return;
	current_fill(s, r);
	order_end(s, o, r);
}

/* With replicas the answer waits for their word, 200 ms at most; the commit itself does not. */
static void current_risk(struct service *s, struct order_result *r, const struct store_answer *a)
{
	struct order *o = s->current;

	if (o && o->done && !a->dup && store_replicas(s->e->store)) {
		current_fill(s, r);
		if (risk_waits(s, o, r, a->seq)) {
			s->current = NULL;
			return;
		}
	}
	current_end(s, r);
}

/* Nothing was sent, or nothing was taken: the same input is asked again in a world without a store. */
static void ask_again(struct service *s)
{
	if (s->current)
		order_put_back(s, s->current);
	s->current = NULL;
}

static void commit_done(void *arg, const struct store_answer *a)
{
	struct service *s = arg;
	struct order_result r = { .status = ORDER_DONE, .dup = a->dup };

	must(s->committing);
	s->committing = false;
	switch (a->result) {
	case ST_OK:
		if (a->committed_us && a->record && (version_cmp(a->record->v, s->rec.v) != 0 || !s->commit_us)) {
			s->commit_us = version_cmp(a->record->v, s->rec.v) != 0 ? a->committed_us : 0;
			s->commit_v = a->record->v;
		}
		adopt(s, a->record ? a->record : &s->d->next, a->stream_id);
		adopt_journal(s, s->d->condemn_it ? &s->d->condemn : NULL, s->d->pardon_it ? s->d->pardon : "");
		current_risk(s, &r, a);
		break;
	case ST_DOWN:
		ask_again(s);
		break;
	case ST_UNWRITABLE:
		/* A way back does not wait for Redis, where it may be taken without. */
		if (s->d->offline_ok && s->d->mode != MOVE_NOTE) {
			log_warn("commit-refused", "service=%s result=unwritable what=\"a way back: as if the store were away\" detail=%s", s->cfg->name, LOG_Q(a->detail));
			store_do_without(s->e->store, a->detail);
			ask_again(s);
			break;
		}
		/* fall through */
	case ST_HELD:
	case ST_CONDEMNED:
	case ST_REFUSED:
	case ST_BAD_DATA:
		log_warn("commit-refused", "service=%s result=%s detail=%s", s->cfg->name, store_result_name(a->result), LOG_Q(a->detail));
		r.status = ORDER_REFUSED;
		r.refusal = a->result == ST_HELD ? RF_HELD : a->result == ST_CONDEMNED ? RF_CONDEMNED : RF_STORE;
		TEXT_COPY(r.detail, a->detail);
		s->next_note = mono_plus_ms(mono_now(), 1000);
		current_end(s, &r);
		s->loaded = false;
		service_reload_record(s);
		break;
	case ST_CONFLICT:
		r.status = ORDER_STALE;
		TEXT_COPY(r.detail, "another commit came first; look again");
		current_end(s, &r);
		s->loaded = false;
		service_reload_record(s);
		break;
	case ST_NOT_LEADER:
	case ST_NEWSTORE: /* nothing was written */
		log_warn("commit-refused", "service=%s result=%s detail=%s", s->cfg->name, store_result_name(a->result), LOG_Q(a->detail));
		r.status = ORDER_REFUSED;
		r.refusal = RF_STORE;
		TEXT_COPY(r.detail, "the store is being reconciled; ask again");
		current_end(s, &r);
		s->loaded = false;
		service_reload_record(s);
		break;
	case ST_LOST:
	default:
		log_warn("commit-unknown", "service=%s result=%s detail=%s", s->cfg->name, store_result_name(a->result), LOG_Q(a->detail));
		r.status = ORDER_UNKNOWN;
		TEXT_COPY(r.detail, "the store did not answer: the commit may or may not have happened; ask again with the same request id");
		current_end(s, &r);
		s->loaded = false;
		service_reload_record(s);
		break;
	}
	service_tick(s);
}

static void offline_done(void *arg, bool durable)
{
	struct service *s = arg;
	struct order_result r = { .status = ORDER_OFFLINE };

	must(s->committing);
	s->committing = false;
	if (!durable && !s->current) {
		/* The rule (state.md 5): journal before acting.  The automation does not act on what it cannot remember. */
		log_error("offline", "service=%s what=\"journal not durable: not rolled back\"", s->cfg->name);
		s->next_note = mono_plus_ms(mono_now(), 1000);
		return;
	}
	if (!s->pending) {
		s->pending_base = s->rec.v;
		s->pending_base_rev = s->rec.rev;
		s->pending_mode = MOVE_NOTE;
	}
	s->pending = true;
	if (s->d->mode != MOVE_NOTE)
		s->pending_mode = s->d->mode;
	if (s->d->condemn_it)
		s->pending_condemn = s->d->condemn;
	adopt(s, &s->d->next, "");
	offline_keep(s, &s->d->event);
	TEXT_COPY(r.detail, "done here, not yet recorded: the store is away");
	current_end(s, &r);
	if (s->e->standby) { /* another was seen to lead while it was journalled: its record stands, and what is there is read again */
		service_stand_by(s);
		s->loaded = false;
		service_reload_record(s);
	}
	service_tick(s);
}
