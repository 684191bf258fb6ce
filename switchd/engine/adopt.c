/* SPDX-License-Identifier: MIT
 * adopt.c - what was committed is now the truth: remembered, journalled, told, performed.
 *
 * Every ACT_ bit of a decision has its executor in perform(). */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/core/json_text.h"
#include "switchd/engine/service.h"

enum { JOURNAL_AFTER_MS = 20 };

/* "toolchain=pass,age=refuse": of the oldest deploys that a restart remembers. */
static json_t *gates_in_short(const json_t *gates)
{
	struct buf b = BUF_INIT(1024);
	json_t *g, *out;
	size_t i;

	json_array_foreach((json_t *)gates, i, g)
		buf_addf(&b, "%s%s=%s", i ? "," : "", json_string_value(json_object_get(g, "gate")), json_string_value(json_object_get(g, "result")));
	out = json_string(buf_str(&b));
	buf_free(&b);
	return out;
}

static void gate_read(json_t *list, const char *name, const char *result, const char *text)
{
	char said[GATE_TEXT + 1];
	enum gate_result r;

	if (!gate_known(name) || !gate_result_parse(result, &r))
		return;
	json_t *g = json_pack("{s:s,s:s}", "gate", name, "result", result);

	text_printable(said, sizeof(said), text, strlen(text));
	if (text[0])
		json_object_set_new(g, "text", json_string(said));
	json_array_append_new(list, g);
}

/* Untrusted: either form. */
static json_t *gates_read(const json_t *kept)
{
	json_t *list = json_array(), *g;
	const char *p = json_string_value(kept);
	char name[NAME_MAX_LEN + 1], result[32];
	size_t i;

	json_array_foreach((json_t *)kept, i, g)
		if (i < MAX_GATES)
			gate_read(list, json_text(g, "gate"), json_text(g, "result"), json_text(g, "text"));
	for (i = 0; p && *p && i < MAX_GATES; i++) {
		size_t n = strcspn(p, ","), at = strcspn(p, "=,");

		if (at < n && text_copy_n(name, sizeof(name), p, at) && text_copy_n(result, sizeof(result), p + at + 1, n - at - 1))
			gate_read(list, name, result, "");
		p += n + (p[n] == ',');
	}
	return list;
}

static void gates_keep(struct service *s, size_t i, json_t *taken)
{
	json_decref(s->deploy_gates[i]);
	s->deploy_gates[i] = taken;
}

void adopt_free(struct service *s)
{
	for (size_t i = 0; i < s->n_deploys; i++)
		gates_keep(s, i, NULL);
}

void adopt_deploy(struct service *s)
{
	const struct deploy *d = &s->rec.deploy;
	size_t i;

	if (!d->id)
		return;
	for (i = 0; i < s->n_deploys; i++)
		if (s->deploys[i].id == d->id)
			break;
	if (i == s->n_deploys) {
		if (i == ARRAY_LEN(s->deploys)) {
			memmove(&s->deploys[0], &s->deploys[1], (i - 1) * sizeof(s->deploys[0]));
			memmove(&s->deploy_epoch[0], &s->deploy_epoch[1], (i - 1) * sizeof(s->deploy_epoch[0]));
			memmove(&s->deploy_lost[0], &s->deploy_lost[1], (i - 1) * sizeof(s->deploy_lost[0]));
			gates_keep(s, 0, NULL);
			memmove(&s->deploy_gates[0], &s->deploy_gates[1], (i - 1) * sizeof(s->deploy_gates[0]));
			s->deploy_gates[i - 1] = NULL;
			memmove(&s->deploy_digest[0], &s->deploy_digest[1], (i - 1) * sizeof(s->deploy_digest[0]));
			memmove(&s->deploy_exposed[0], &s->deploy_exposed[1], (i - 1) * sizeof(s->deploy_exposed[0]));
			i--;
		} else {
			s->n_deploys++;
		}
		s->deploy_lost[i][0] = '\0';
		s->deploy_exposed[i] = -1;
		TEXT_COPY(s->deploy_digest[i], d->slot <= GREEN ? s->rec.slot[d->slot].digest : "");
	}
	if (s->rec.n_gates)
		gates_keep(s, i, gates_json(s->rec.gates, s->rec.n_gates));
	s->deploys_dirty |= memcmp(&s->deploys[i], d, sizeof(*d)) != 0;
	s->deploys[i] = *d;
	s->deploy_epoch[i] = s->rec.v.epoch;
}

/* A release that was baked here once may become a rollback target again by being proved (B3). */
bool adopt_good_before(const struct service *s, const char *release, const char *digest)
{
	for (int k = BLUE; k <= GREEN; k++)
		if (s->rec.slot[k].was_good && strcmp(s->rec.slot[k].id, release) == 0 && strcmp(s->rec.slot[k].digest, digest) == 0)
			return true;
	for (size_t i = 0; i < s->n_deploys; i++)
		if (s->deploys[i].outcome == DO_BAKED && strcmp(s->deploys[i].release, release) == 0 && strcmp(s->deploy_digest[i], digest) == 0)
			return true;
	return false;
}

static json_t *kept_json(const struct service *s, size_t i)
{
	const struct deploy *d = &s->deploys[i];

	return json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:s,s:I,s:s,s:I,s:o,s:s}", "id", (json_int_t)d->id, "release", d->release, "digest", s->deploy_digest[i],
			 "by", d->by, "slot", slot_name(d->slot), "outcome", deploy_outcome_name(d->outcome), "since", (json_int_t)d->since.ms, "ended",
			 (json_int_t)d->ended.ms, "reason", d->reason, "epoch", (json_int_t)s->deploy_epoch[i], "lost", s->deploy_lost[i], "exposed_ms",
			 (json_int_t)s->deploy_exposed[i], "gates", gates_in_short(s->deploy_gates[i]), "skip", d->skip);
}

/* From the newest back: what its gates said, while there is room. */
static char *gates_told(const struct service *s, json_t *list)
{
	size_t n = json_array_size(list), first = s->n_deploys - n;
	char *text = json_dumps(list, JSON_COMPACT);
	size_t room = text && strlen(text) < KEPT_BYTES ? KEPT_BYTES - strlen(text) : 0;

	for (size_t k = n; k-- > 0;) {
		char *longer = s->deploy_gates[first + k] ? json_dumps(s->deploy_gates[first + k], JSON_COMPACT) : NULL;
		size_t takes = longer ? strlen(longer) : 0;

		free(longer);
		if (takes > room)
			break;
		room -= takes;
		if (takes)
			json_object_set(json_array_get(list, k), "gates", s->deploy_gates[first + k]);
	}
	free(text);
	return json_dumps(list, JSON_COMPACT);
}

void adopt_deploys_save(struct service *s)
{
	json_t *list;
	char *text;

	if (!s->deploys_dirty || !s->deploys_known || !store_is_up(s->e->store)) /* what is there may be the longer list */
		return;
	s->deploys_dirty = false;
	list = json_array();
	for (size_t i = s->n_deploys > KEPT_DEPLOYS ? s->n_deploys - KEPT_DEPLOYS : 0; i < s->n_deploys; i++)
		json_array_append_new(list, kept_json(s, i));
	text = gates_told(s, list);
	if (text)
		store_put(s->e->store, s->cfg->name, "deploys", text);
	free(text);
	json_decref(list);
}

/* Untrusted, like everything that comes from the store: an entry that does not hold is left out. */
void adopt_deploys_load(struct service *s, const char *json)
{
	json_t *list = json_loads(json, 0, NULL), *o;
	size_t k;

	if (s->n_deploys > 1) /* this process knows more already */
		list = (json_decref(list), NULL);
	else
		adopt_free(s), s->n_deploys = 0;
	json_array_foreach(list, k, o) {
		struct deploy d = { .id = (uint64_t)json_integer_value(json_object_get(o, "id")) };
		size_t i = s->n_deploys;

		if (i == ARRAY_LEN(s->deploys) || !d.id || !id_ok(json_text(o, "release")) || !slot_parse(json_text(o, "slot"), &d.slot) ||
		    !deploy_outcome_parse(json_text(o, "outcome"), &d.outcome) || !id_ok(json_text(o, "by")))
			continue;
		TEXT_COPY(d.release, json_text(o, "release"));
		TEXT_COPY(d.by, json_text(o, "by"));
		text_printable(d.reason, sizeof(d.reason), json_text(o, "reason"), strlen(json_text(o, "reason")));
		d.since.ms = json_integer_value(json_object_get(o, "since"));
		d.ended.ms = json_integer_value(json_object_get(o, "ended"));
		s->deploys[i] = d;
		s->deploy_epoch[i] = (uint64_t)json_integer_value(json_object_get(o, "epoch"));
		s->deploy_exposed[i] = json_integer_value(json_object_get(o, "exposed_ms"));
		text_printable(s->deploy_lost[i], sizeof(s->deploy_lost[i]), json_text(o, "lost"), strlen(json_text(o, "lost")));
		gates_keep(s, i, gates_read(json_object_get(o, "gates")));
		text_printable(d.skip, sizeof(d.skip), json_text(o, "skip"), strlen(json_text(o, "skip")));
		s->deploys[i] = d;
		text_printable(s->deploy_digest[i], sizeof(s->deploy_digest[i]), json_text(o, "digest"), strlen(json_text(o, "digest")));
		s->n_deploys++;
	}
	json_decref(list);
	adopt_deploy(s);
}

/* Which features a deploy was refused or taken back for: shown with it. */
static void note_lost(struct service *s, const struct record *was)
{
	enum slot bad = s->rec.deploy.slot;
	struct buf b = BUF_INIT(240);

	if (!s->n_deploys || bad > GREEN || was->deploy.outcome == s->rec.deploy.outcome ||
	    (s->rec.deploy.outcome != DO_REFUSED && s->rec.deploy.outcome != DO_ROLLED_BACK && s->rec.deploy.outcome != DO_WOULD_REFUSE))
		return;
	for (size_t i = 0; i < s->view->n; i++)
		if (s->view->f[i].votes && (s->view->f[i].at[bad] == V_ABSENT || s->view->f[i].at[bad] == V_PARTIAL) &&
		    s->view->f[i].at[other_slot(bad)] == V_PRESENT)
			buf_addf(&b, "%s%s", b.len ? "," : "", s->cfg->features[i].name);
	text_copy(s->deploy_lost[s->n_deploys - 1], sizeof(s->deploy_lost[0]), buf_str(&b));
	buf_free(&b);
}

/* The first moment at which the release left was seen bad: exposure is counted from it. */
static void note_first_bad(struct service *s, const struct record *was)
{
	s->first_bad = (mono_us){ 0 };
	if (s->d->mode != MOVE_AUTO || was->active == NO_SLOT)
		return;
	for (size_t i = 0; i <= s->view->n && i <= MAX_FEATURES; i++) {
		mono_us t = s->view->f[i].first_absent[was->active];

		if (t.us && t.us < s->since_flip.us)
			t = s->since_flip; /* known before: nobody was exposed to it until then */
		if (s->view->f[i].votes && t.us && (!s->first_bad.us || t.us < s->first_bad.us))
			s->first_bad = t;
	}
}

static void journalled(void *arg, bool durable)
{
	(void)arg; /* the service may be gone by now */
	if (!durable)
		log_error("journal", "what=\"not durable: a restart without the store may not know the last commit\"");
}

/* Redis has the commit; the journal's fsync would only keep the map file's waiting on the same disk.  It
 * follows a moment later, before the next commit's, and at the latest when switchd ends. */
void adopt_journal(struct service *s, const struct condemned *condemn, const char *pardon)
{
	if (s->journal_due && (condemn || pardon[0] || s->journal_condemn.release[0] || s->journal_pardon[0]))
		adopt_journal_now(s);
	s->journal_due = true;
	if (condemn)
		s->journal_condemn = *condemn;
	TEXT_COPY(s->journal_pardon, pardon);
	ev_timer_stop(s->e->loop, &s->journal_timer);
	ev_timer_set(&s->journal_timer, JOURNAL_AFTER_MS / 1000., 0.);
	ev_timer_start(s->e->loop, &s->journal_timer);
}

void adopt_journal_now(struct service *s)
{
	struct journal_entry *j;

	ev_timer_stop(s->e->loop, &s->journal_timer);
	if (!s->journal_due)
		return;
	s->journal_due = false;
	j = xcalloc(1, sizeof(*j));
	TEXT_COPY(j->service, s->cfg->name);
	j->kind = JR_COMMITTED;
	j->record = s->rec;
	j->condemn = s->journal_condemn;
	j->also = &s->condemned; /* read from the store: another controller condemned it, or the reply to our commit was lost */
	TEXT_COPY(j->pardon, s->journal_pardon);
	s->journal_condemn.release[0] = s->journal_pardon[0] = '\0';
	journal_add(s->e->journal, j, journalled, NULL);
	free(j);
	measure_seen_save(s);
}

void adopt_later(EV_P_ ev_timer *t, int revents)
{
	(void)loop;
	(void)revents;
	adopt_journal_now(t->data);
}

static void condemned_update(struct service *s, const struct decision *d)
{
	if (d->condemn_it && !condemned_find(&s->condemned, d->condemn.release, "")) {
		if (s->condemned.n == MAX_CONDEMNED) {
			memmove(&s->condemned.list[0], &s->condemned.list[1], (MAX_CONDEMNED - 1) * sizeof(s->condemned.list[0]));
			s->condemned.n--;
		}
		s->condemned.list[s->condemned.n++] = d->condemn;
	}
	if (d->pardon_it)
		for (size_t i = 0; i < s->condemned.n; i++)
			if (strcmp(s->condemned.list[i].release, d->pardon) == 0) {
				memmove(&s->condemned.list[i], &s->condemned.list[i + 1],
					(s->condemned.n - i - 1) * sizeof(s->condemned.list[0]));
				s->condemned.n--;
				i--;
			}
}

static void perform(struct service *s, const struct decision *d, const struct record *was)
{
	struct proxy_value before = decide_value(was), after = decide_value(&s->rec);
	bool moved = memcmp(&before.v, &after.v, sizeof(before.v)) != 0 || before.slot != after.slot || before.shield != after.shield;
	enum slot idle = other_slot(s->rec.active);

	if (d->actions & ACT_UNPIN)
		traffic_unpin(s);
	if ((d->actions & (ACT_APPLY | ACT_UNPIN)) || (moved && !(d->actions & ACT_ADOPT_PIN)))
		traffic_apply(s, d->mode == MOVE_AUTO || d->mode == MOVE_BACK ? ORDER_BACK : ORDER_FORWARD);
	if (d->actions & ACT_FILLED) {
		measure_filled(s, s->rec.active == NO_SLOT ? s->rec.deploy.slot : idle);
		requests_begin(s, s->rec.active == NO_SLOT ? s->rec.deploy.slot : idle);
	}
	requests_adopted(s, was);
	if (d->actions & ACT_CONTROL)
		measure_control(s, s->rec.active == NO_SLOT ? s->rec.deploy.slot : idle);
	if (d->actions & ACT_PREFLIGHT)
		traffic_preflight(s, s->rec.active == NO_SLOT ? s->rec.deploy.slot : idle);
	if (d->actions & ACT_CONTROL)
		gates_beat(s);
	if (d->actions & ACT_LEARN)
		measure_learn(s);
	if (d->actions & ACT_DRAIN)
		traffic_drain(s, was->active);
	if (d->actions & ACT_FRESH_OTHER)
		measure_fresh(s, idle);
	if (d->actions & ACT_CALL_HUMAN)
		log_error("human-needed", "service=%s because=%s detail=%s", s->cfg->name, LOG_Q(d->because), LOG_Q(d->detail));
}

static void count_move(struct service *s, const struct decision *d, const struct record *was)
{
	if (s->rec.active == was->active || s->rec.active == NO_SLOT)
		return;
	s->flips[s->rec.active][d->mode == MOVE_AUTO ? 0 : d->mode == MOVE_BACK ? 2 : 1]++;
}

void adopt(struct service *s, const struct record *now_rec, const char *stream_id)
{
	struct decision *d = s->d;
	struct record *was = xmalloc(sizeof(*was));
	mono_us now = mono_now();

	ledger_adopting(s, now_rec);
	*was = s->rec;
	s->rec = *now_rec;
	condemned_update(s, d);
	if (s->rec.phase != was->phase)
		s->phase_entered = now;
	if (s->rec.active != was->active) {
		note_first_bad(s, was);
		s->since_flip = now;
		s->whole_since = (mono_us){ 0 };
	}
	adopt_deploy(s);
	note_lost(s, was);
	count_move(s, d, was);
	/* Proxies first: what is written, told and kept of it can wait these microseconds. */
	measure_pace(s);
	perform(s, d, was);
	ledger_adopted(s);
	TEXT_COPY(s->last_because, d->because);
	TEXT_COPY(d->event.stream_id, stream_id);
	if (d->event.kind[0]) {
		if (d->mode != MOVE_NOTE || text_starts(d->event.kind, "gate.") || strcmp(d->event.kind, "deploy.would_refuse") == 0)
			s->last_move_event = d->event;
		publish_event(s->e, &d->event);
	}
	log_info("commit", "service=%s phase=%s active=%s version=%llu.%llu shield=%d because=%s", s->cfg->name, phase_name(s->rec.phase),
		 slot_name(s->rec.active), (unsigned long long)s->rec.v.gen, (unsigned long long)s->rec.v.epoch, s->rec.shield,
		 LOG_Q(d->because));
	publish_change(s);
	free(was);
}
