/* SPDX-License-Identifier: MIT
 * agent_service.c - one service: judged, journalled, told to its proxies, in this order.
 *
 * What goes forward waits until the journal is on the disk, and does not go at all when it cannot be; a way back waits
 * 50 ms for it and no longer.  Records may overtake each other on that way: the one that arrives with a lower version than
 * what is applied by then is not told to anybody. */
#include <stdlib.h>
#include <string.h>

#include "switchd/agent/room.h"
#include "switchd/base/failpoint.h"
#include "switchd/base/log.h"

static void dirty(struct local_service *s)
{
	s->dirty = true;
	agent_report_soon(s->a->report);
}

/* ---- the journal ---- */

static void remember(struct local_service *s, const struct shown *t, const char *forgotten, journal_done_fn *done, void *arg)
{
	struct journal_entry *e = xcalloc(1, sizeof(*e));
	struct record *r = &e->record;
	char version[VERSION_TEXT];

	TEXT_COPY(e->service, s->cfg->name);
	e->kind = JR_COMMITTED;
	r->v = t->value.v;
	r->active = t->value.slot;
	r->shield = t->value.shield;
	TEXT_COPY(r->cid, t->cid);
	TEXT_COPY(r->slot[r->active].id, t->release);
	r->claim.slot = r->deploy.slot = r->pin.slot = r->move.from = r->move.to = r->drill.home = NO_SLOT;
	TEXT_COPY(e->pardon, forgotten);
	if (t->condemned[0] && strcmp(t->condemned, t->release) != 0) {
		TEXT_COPY(e->condemn.release, t->condemned);
		TEXT_COPY(e->condemn.by, t->cid);
		TEXT_COPY(e->condemn.why, version_text(t->value.v, version)); /* read again by recall() */
		e->condemn.since = wall_now();
	}
	journal_add(s->a->journal, e, done, arg);
	free(e);
}

static void recall(struct local_service *s)
{
	const struct journal_entry *e = journal_last(s->a->journal, s->cfg->name);
	struct agent_holds *h = &s->holds;
	struct condemned_set *set;
	struct version at;

	if (!e || e->record.active == NO_SLOT)
		return;
	h->known = true;
	h->value = (struct proxy_value){ .slot = e->record.active, .v = e->record.v, .shield = e->record.shield };
	TEXT_COPY(h->cid, e->record.cid);
	TEXT_COPY(h->release, e->record.slot[e->record.active].id);
	set = xcalloc(1, sizeof(*set));
	journal_condemned(s->a->journal, s->cfg->name, set);
	for (size_t i = 0; i < set->n; i++)
		if (set->list[i].release[0])
			agent_saw(h, set->list[i].release, version_parse(set->list[i].why, &at) ? at : h->value.v);
	free(set);
}

/* ---- to the proxies ---- */

static void unpin(struct local_service *s, const struct shown *t)
{
	/* A pin ends by a person: a rollback, or a flip by force.  The record that follows a pin is forced too, and names its slot. */
	if (t->stamped || (t->mode != MOVE_BACK && t->mode != MOVE_FORCE))
		return;
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		const struct keep_view *v = keep_look(s->px[i]);

		if (v->has_value && v->value.pin && (t->mode == MOVE_BACK || v->value.slot != t->value.slot))
			keep_unpin(s->px[i]);
	}
}

static bool goes_back(const struct shown *t) { return !t->stamped && (t->mode == MOVE_AUTO || t->mode == MOVE_BACK); }

/* Also what is applied already, once it is known to be the record: proxies that lag are told it then. */
static void tell_proxies(struct local_service *s, enum proxy_order order, bool write)
{
	for (size_t i = 0; s->applied.known && i < s->cfg->n_proxies; i++)
		keep_want(s->px[i], &s->applied.value, order, write);
}

static void arrive(struct local_service *s, const struct shown *t, mono_us told)
{
	enum slot left = s->applied.known ? s->applied.value.slot : NO_SLOT;
	int c = s->applied.known ? version_cmp(t->value.v, s->applied.value.v) : 1;
	id_text forgotten;

	if (c < 0 || (c == 0 && s->applied.cid[0]))
		return;
	FAILPOINT("agent.journalled");
	agent_take(&s->applied, t, forgotten);
	if (version_cmp(s->holds.value.v, t->value.v) < 0)
		s->holds = s->applied;
	s->confirmed = true;
	s->undurable = s->full = false;
	s->n_applied++;
	s->told_at = told;
	s->logged = false;
	unpin(s, t);
	tell_proxies(s, goes_back(t) ? ORDER_BACK : ORDER_FORWARD, true);
	if (left != NO_SLOT && left != t->value.slot) {
		s->moved_at = mono_now();
		for (size_t i = 0; i < s->cfg->n_proxies; i++)
			keep_drain(s->px[i], left);
	}
	dirty(s);
}

/* ---- through the journal ---- */

static void unlink_journey(struct journey *j)
{
	struct journey **p = j->s ? &j->s->journeys : NULL;

	while (p && *p && *p != j)
		p = &(*p)->next;
	if (p && *p)
		*p = j->next;
}

/* It does not go forward: asked again every second. */
static void no_room(struct local_service *s, const struct shown *t)
{
	char version[VERSION_TEXT];

	if (version_cmp(s->holds.value.v, t->value.v) == 0)
		s->holds = s->applied;
	if (s->full && version_cmp(s->unwritten.value.v, t->value.v) == 0)
		return;
	s->full = true;
	s->n_refused++;
	log_warn("agent", "service=%s version=%s what=\"the journal cannot be written: this is not applied\"", s->cfg->name,
		 version_text(t->value.v, version));
	dirty(s);
}

static void set_undurable(struct local_service *s, const struct shown *t, bool is)
{
	if (!s->applied.known || version_cmp(s->applied.value.v, t->value.v) != 0 || s->undurable == is)
		return;
	s->undurable = is;
	dirty(s);
}

static void journalled(void *arg, bool durable)
{
	struct journey *j = arg;
	struct local_service *s = j->s;
	bool newest;

	if (!s) {
		free(j);
		return;
	}
	ev_timer_stop(s->a->loop, &j->late);
	unlink_journey(j);
	if (!j->applied && (durable || j->back))
		arrive(s, &j->shown, j->told);
	newest = s->applied.known && version_cmp(s->applied.value.v, j->shown.value.v) == 0;
	if (durable || j->back) {
		set_undurable(s, &j->shown, !durable);
	} else {
		no_room(s, &j->shown);
	}
	if (!durable && (newest || !j->back)) {
		s->unwritten = j->shown;
		s->retry_at = mono_plus_ms(mono_now(), JOURNAL_RETRY_MS);
	}
	free(j);
}

/* The disk takes its time. */
static void too_late(EV_P_ ev_timer *t, int revents)
{
	struct journey *j = t->data;

	(void)loop;
	(void)revents;
	j->applied = true;
	arrive(j->s, &j->shown, j->told);
	set_undurable(j->s, &j->shown, true);
}

static void travel(struct local_service *s, const struct shown *t, bool applied, const char *forgotten)
{
	struct journey *j = xcalloc(1, sizeof(*j));

	j->s = s;
	j->shown = *t;
	j->told = mono_now();
	j->back = goes_back(t);
	j->applied = applied;
	j->next = s->journeys;
	s->journeys = j;
	ev_timer_init(&j->late, too_late, BACK_JOURNAL_MS / 1000., 0.);
	j->late.data = j;
	if (j->back && !applied)
		ev_timer_start(s->a->loop, &j->late);
	remember(s, t, forgotten, journalled, j);
}

/* ---- judged ---- */

/* Said once: the store tells the same again and again. */
static void say(struct local_service *s, const struct shown *t, enum agent_judged word)
{
	bool again = s->told && word == s->word && version_cmp(t->value.v, s->last.value.v) == 0 && strcmp(t->cid, s->last.cid) == 0;
	char told[VERSION_TEXT], held[VERSION_TEXT];

	if (again || word == AG_APPLY || word == AG_SAME)
		return;
	if (word == AG_REFUSED || word == AG_FUTURE)
		s->n_refused++;
	log_warn("agent", "service=%s what=\"%s: nothing changes\" told=%s cid=%s slot=%s release=%s holds=%s held_cid=%s", s->cfg->name,
		 word == AG_AHEAD ? "a lower version than the one held" : word == AG_FORK ? "the version that is held, by another commit" :
		 word == AG_REFUSED ? "a condemned release would become active" : word == AG_FUTURE ? "a generation of the future" : "cannot be read",
		 version_text(t->value.v, told), t->cid, slot_name(t->value.slot), LOG_Q(t->release), version_text(s->holds.value.v, held), LOG_Q(s->holds.cid));
}

static void judge(struct local_service *s, const struct shown *t)
{
	enum agent_judged word = agent_judge(&s->holds, t, wall_now());
	bool changed = !s->told || word != s->word || !s->confirmed;
	struct shown told = *t; /* it may be s->last */
	id_text forgotten;

	say(s, t, word);
	s->told = true;
	s->last = told;
	s->word = word;
	if (word == AG_APPLY) {
		agent_take(&s->holds, &told, forgotten);
		travel(s, &told, false, forgotten);
	} else if (word == AG_SAME && version_cmp(s->applied.value.v, told.value.v) == 0 && !s->confirmed) {
		s->confirmed = true;
		tell_proxies(s, goes_back(&told) ? ORDER_BACK : ORDER_FORWARD, true);
	}
	if (changed)
		dirty(s);
}

void agent_service_bad(struct local_service *s, const char *why)
{
	if (s->bad != why)
		dirty(s);
	s->bad = why;
}

void agent_service_told(struct local_service *s, const struct shown *t)
{
	if (s->bad)
		dirty(s);
	s->bad = NULL;
	if (s->found) {
		judge(s, t);
	} else if (!s->told || version_cmp(t->value.v, s->last.value.v) >= 0) {
		s->told = true;
		s->last = *t;
	}
}

/* What a proxy shows that is higher than what is known stands (I7). */
static void take_found(struct local_service *s)
{
	struct version was = s->holds.value.v;
	bool known = s->holds.known;

	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		const struct keep_view *v = keep_look(s->px[i]);

		if (v->has_value)
			agent_found(&s->holds, &v->value, wall_now());
	}
	if (known == s->holds.known && version_cmp(was, s->holds.value.v) == 0)
		return;
	s->applied = s->holds;
	tell_proxies(s, ORDER_FORWARD, false);
	dirty(s);
}

/* Looked at until every proxy was asked, and longer while nobody has told anything else. */
static void look_round(struct local_service *s)
{
	struct shown last = s->last;

	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		if (!keep_look(s->px[i])->asked)
			return;
	take_found(s);
	if (s->found)
		return;
	s->found = true;
	if (s->told) {
		s->told = false; /* it was kept, not judged */
		judge(s, &last);
	}
	dirty(s);
}

/* ---- what it says of itself ---- */

static void worse(int *rank, int than, char *why, size_t size, const char *text)
{
	if (than < *rank || (than == *rank && why[0]))
		return;
	*rank = than;
	text_copy(why, size, text);
}

/* Of the record that was told last.  True: nothing is the matter with it. */
static bool judged_state(const struct local_service *s, char *why, size_t size, int *rank)
{
	const struct agent_condemned *seen;
	char told[VERSION_TEXT], other[VERSION_TEXT] = "", text[300];

	if (!s->found || !s->told || s->word == AG_APPLY || s->word == AG_SAME || s->word == AG_UNREAD)
		return true;
	version_text(s->last.value.v, told);
	if (s->word == AG_FORK) {
		TEXT_FORMAT(text, "%s was told of commit %s, and is held of %s", told, s->last.cid, s->holds.cid[0] ? s->holds.cid : "a proxy");
	} else if (s->word == AG_REFUSED) {
		seen = agent_condemned_find(&s->holds, s->last.release);
		TEXT_FORMAT(text, "%s makes %s active, which %s condemned", told, s->last.release, seen ? version_text(seen->at, other) : "a record");
	} else if (s->word == AG_FUTURE) {
		TEXT_FORMAT(text, "%s is of a generation that begins in the future: are the clocks right?", told);
	} else {
		TEXT_FORMAT(text, "%s was told, %s is held", told, version_text(s->holds.value.v, other));
	}
	worse(rank, s->word == AG_FORK ? N_KEEP_STATES : s->word == AG_AHEAD ? KEEP_AHEAD : KEEP_REFUSED, why, size, text);
	return false;
}

static void record_state(const struct local_service *s, char *why, size_t size, int *rank)
{
	char version[VERSION_TEXT], text[300];

	if (s->full) {
		TEXT_FORMAT(text, "journal: %s is not on the disk, so it is not applied", version_text(s->unwritten.value.v, version));
		worse(rank, KEEP_REFUSED, why, size, text);
	}
	if (s->bad) {
		TEXT_FORMAT(text, "what the store has is no record: %s", s->bad);
		worse(rank, KEEP_REFUSED, why, size, text);
	}
	if (judged_state(s, why, size, rank) && !s->confirmed)
		worse(rank, KEEP_BEHIND, why, size, s->a->down_since.us ? "the store is away: nothing is changed" : "the store has told no record");
}

const char *agent_service_state(const struct local_service *s, char *why, size_t why_size, int *rank)
{
	char text[400];

	why[0] = '\0';
	*rank = KEEP_OK;
	record_state(s, why, why_size, rank);
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		const struct keep_view *v = keep_look(s->px[i]);

		if (v->state == KEEP_OK)
			continue;
		TEXT_FORMAT(text, "%s: %s", v->cfg->name, v->state == KEEP_REFUSED ? v->refusal_detail : v->detail[0] ? v->detail : keep_state_name(v->state));
		worse(rank, v->state, why, why_size, text);
	}
	if (*rank == KEEP_OK && s->undurable)
		text_copy(why, why_size, "journal: what is applied is not on the disk yet");
	return *rank == N_KEEP_STATES ? "fork" : keep_state_name((enum keep_state)*rank);
}

const struct proxy_value *agent_service_shows(const struct local_service *s) { return s->applied.known ? &s->applied.value : NULL; }

/* ---- proxies ---- */

/* Applied is what every proxy shows that can be told; those that are down, pinned or fought over are said in the report. */
static void log_applied(struct local_service *s)
{
	char version[VERSION_TEXT];
	size_t ok = 0;

	if (s->logged || !s->confirmed || !s->told_at.us)
		return;
	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		enum keep_state state = keep_look(s->px[i])->state;

		if (state == KEEP_BEHIND || state == KEEP_REFUSED)
			return;
		ok += state == KEEP_OK;
	}
	if (!ok)
		return;
	s->logged = true;
	log_info("agent", "service=%s slot=%s version=%s shield=%d release=%s us=%lld", s->cfg->name, slot_name(s->applied.value.slot),
		 version_text(s->applied.value.v, version), s->applied.value.shield, LOG_Q(s->applied.release),
		 (long long)mono_since_us(mono_now(), s->told_at));
}

static void proxy_changed(void *arg, bool counts_only)
{
	struct local_service *s = arg;

	if (counts_only) {
		s->counts_dirty = true;
		return;
	}
	log_applied(s);
	dirty(s);
}

/* ---- life ---- */

void agent_service_beat(struct local_service *s, mono_us now, int slower)
{
	id_text forgotten;

	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		keep_beat(s->px[i], now, slower);
	if (!s->found || (!s->holds.cid[0] && !s->journeys))
		look_round(s);
	log_applied(s);
	if (s->retry_at.us && s->retry_at.us <= now.us && !s->journeys) {
		struct shown t = s->unwritten;
		struct agent_holds h = s->holds;

		s->retry_at = (mono_us){ 0 };
		if (s->full) {
			judge(s, &t);
		} else if (s->undurable && version_cmp(s->applied.value.v, t.value.v) == 0) {
			agent_take(&h, &t, forgotten);
			travel(s, &t, true, forgotten);
		}
	}
	if (s->counts_dirty && mono_since_ms(now, s->counts_at) >= COUNTS_MS) {
		s->counts_at = now;
		s->counts_dirty = false;
		dirty(s);
	}
}

bool agent_service_busy(const struct local_service *s)
{
	bool busy = s->journeys != NULL;

	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		busy = busy || keep_busy(s->px[i]);
	return busy;
}

struct local_service *agent_service_new(struct agent *a, const struct service_config *cfg, struct agent_config *from)
{
	struct local_service *s = xcalloc(1, sizeof(*s));

	s->a = a;
	s->cfg = cfg;
	s->from = from;
	from->users++;
	s->px = xcalloc(cfg->n_proxies, sizeof(*s->px));
	for (size_t i = 0; i < cfg->n_proxies; i++)
		s->px[i] = keep_new(a->loop, cfg, &cfg->proxies[i], proxy_changed, s);
	recall(s);
	s->applied = s->holds;
	tell_proxies(s, ORDER_FORWARD, false);
	s->dirty = true;
	return s;
}

void agent_service_inherit(struct local_service *s, struct local_service **oldp)
{
	struct local_service *old = *oldp;

	s->holds = old->holds;
	s->applied = old->applied;
	s->found = old->found;
	s->told = old->told;
	s->last = old->last;
	s->word = old->word;
	s->confirmed = old->confirmed;
	s->undurable = old->undurable;
	s->full = old->full;
	s->unwritten = old->unwritten;
	s->retry_at = old->retry_at;
	s->told_at = old->told_at;
	s->logged = old->logged;
	s->moved_at = old->moved_at;
	s->n_applied = old->n_applied;
	s->n_refused = old->n_refused;
	s->journeys = old->journeys;
	old->journeys = NULL;
	for (struct journey *j = s->journeys; j; j = j->next)
		j->s = s;
	agent_service_free(oldp); /* first: two adapters never write one map */
	tell_proxies(s, ORDER_FORWARD, s->confirmed);
}

void agent_service_free(struct local_service **sp)
{
	struct local_service *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	for (struct journey *j = s->journeys, *next; j; j = next) { /* the journal still owes them an answer */
		next = j->next;
		ev_timer_stop(s->a->loop, &j->late);
		j->s = NULL;
	}
	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		keep_free(&s->px[i]);
	free(s->px);
	s->from->users--;
	free(s);
}
