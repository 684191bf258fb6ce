/* SPDX-License-Identifier: MIT
 * state_in.c - an exported state goes back into a store that has lost it.
 *
 * The document is as foreign as everything else: it is read whole, checked whole, and refused whole.  Then a new generation is
 * declared, in which no version can have been used yet (I2), and each record is written by the script of a repair. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/core/record.h"
#include "switchd/engine/service.h"

enum { LOOK_MS = 20, GENERATION_MS = 15000 };

struct brought { name_text service; struct record record; struct condemned_set condemned; const json_t *values; bool moves; };

struct import {
	struct engine *e;
	struct person p;
	bool force;
	state_done_fn *done;
	void *arg;
	json_t *doc, *told;
	struct brought **list;
	size_t n, at;
	uint64_t floor, gen;            /* generations: of the document, and of the store before */
	mono_us until;
	ev_timer timer;
	enum refusal refusal;
	char why[512];
};

static void free_all(struct import *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->list[i]);
	free(m->list);
	json_decref(m->doc);
	json_decref(m->told);
	free(m);
}

static void ended(struct import *m)
{
	struct state_result r = { .refusal = m->refusal };

	ev_timer_stop(m->e->loop, &m->timer);
	m->e->orders_open--;
	TEXT_COPY(r.detail, m->why);
	if (m->refusal == RF_NONE)
		r.said = json_pack("{s:s,s:O}", "status", m->p.dry_run ? "dry-run" : "done", "services", m->told);
	m->done(m->arg, &r);
	json_decref(r.said);
	free_all(m);
}

PRINTF(3, 4) static bool refuse(struct import *m, enum refusal rf, const char *fmt, ...)
{
	va_list ap;

	m->refusal = rf;
	va_start(ap, fmt);
	vsnprintf(m->why, sizeof(m->why), fmt, ap);
	va_end(ap);
	return false;
}

/* ---- the document ---- */

static bool value_known(const char *what)
{
	unsigned n;
	char tail[8] = "", again[32];

	for (size_t i = 0; i < STATE_VALUES; i++)
		if (strcmp(state_values[i], what) == 0)
			return true;
	if (sscanf(what, "ledger.%2u%5s", &n, tail) < 1 || n >= LEDGER_RELEASES || (tail[0] && strcmp(tail, ".more") != 0))
		return false;
	TEXT_FORMAT(again, "ledger.%u%s", n, tail);
	return strcmp(again, what) == 0;
}

static bool condemned_read(struct import *m, struct brought *b, const json_t *list)
{
	size_t i;
	const json_t *c;

	if (json_array_size(list) > MAX_CONDEMNED)
		return refuse(m, RF_DOCUMENT, "%s: too many condemned releases", b->service);
	json_array_foreach((json_t *)list, i, c)
		if (!condemned_parse(c, &b->condemned.list[b->condemned.n++]))
			return refuse(m, RF_DOCUMENT, "%s: a condemned release that cannot be read", b->service);
	return true;
}

static bool service_read(struct import *m, const char *name, const json_t *o)
{
	struct service *s = engine_find(m->e, name);
	const json_t *record = json_object_get(o, "record"), *values = json_object_get(o, "values"), *v;
	struct brought *b;
	const char *what;
	char why[256];

	if (!s || !json_is_object(record)) {
		json_array_append_new(m->told, json_pack("{s:s,s:s}", "service", name, "what", !s ? "left out: it is not in the configuration" : "left out: it has no record"));
		return true;
	}
	b = m->list[m->n++] = xcalloc(1, sizeof(*b));
	TEXT_COPY(b->service, name);
	if (!record_parse(record, &b->record, why, sizeof(why)))
		return refuse(m, RF_DOCUMENT, "%s: its record: %s", name, why);
	if (!condemned_read(m, b, json_object_get(o, "condemned")))
		return false;
	json_object_foreach((json_t *)values, what, v)
		if (!value_known(what) || !json_is_string(v) || json_string_length(v) > STATE_VALUE_MAX)
			return refuse(m, RF_DOCUMENT, "%s: values: \"%.40s\" is none", name, what);
	b->values = values;
	if (b->record.v.gen > m->floor)
		m->floor = b->record.v.gen;
	return true;
}

/* A record of a first start says no more than the configuration and the proxies do: nobody has asked for anything yet. */
static bool blank(const struct service *s)
{
	const struct record *r = &s->rec;

	return !r->deploy.id && !r->move.decided.ms && !r->hold.on && !r->sealed.on && !r->claim.id[0] && !r->n_recent && !s->condemned.n;
}

static bool service_may(struct import *m, struct brought *b)
{
	const struct service *s = engine_find(m->e, b->service);
	char theirs[VERSION_TEXT], ours[VERSION_TEXT];

	if (!s)
		return refuse(m, RF_STORE, "%s is gone from the configuration", b->service);
	if ((!s->loaded && !s->bad.on) || s->committing || s->loading || s->replaying || s->repairing || s->pending)
		return refuse(m, RF_STORE, "%s: something is being written just now; ask again", b->service);
	if (s->bad.on)
		return refuse(m, RF_STORE, "%s: what the store holds is refused: switchctl state repair first", b->service);
	b->moves = s->rec.active != NO_SLOT && b->record.active != s->rec.active;
	if (!s->rec.rev || blank(s)) {
		if (b->moves && !m->force)
			return refuse(m, RF_NEEDS_FORCE, "%s: traffic would move from %s to %s: --force", b->service, slot_name(s->rec.active), slot_name(b->record.active));
		return true;
	}
	version_text(b->record.v, theirs);
	version_text(s->rec.v, ours);
	if (version_cmp(s->rec.v, b->record.v) >= 0)
		return refuse(m, RF_NEWER, "%s: the store has version %s, the document only %s", b->service, ours, theirs);
	if (!m->force)
		return refuse(m, RF_NEEDS_FORCE, "%s: the store has a record, of version %s, older than %s: --force", b->service, ours, theirs);
	return true;
}

static bool read_all(struct import *m)
{
	const json_t *services = json_object_get(m->doc, "services");
	const char *format = json_string_value(json_object_get(m->doc, "format")), *name;
	json_t *o;

	if (!format || strcmp(format, STATE_FORMAT) != 0 || json_integer_value(json_object_get(m->doc, "format_version")) != STATE_FORMAT_VERSION)
		return refuse(m, RF_DOCUMENT, "this is no document of `switchctl state export`, or of a later switchd");
	m->list = xcalloc(json_object_size(services) + 1, sizeof(struct brought *));
	json_object_foreach((json_t *)services, name, o)
		if (!name_ok(name) || !service_read(m, name, o))
			return m->refusal != RF_NONE ? false : refuse(m, RF_DOCUMENT, "\"%.40s\" is no name of a service", name);
	if (!m->n)
		return refuse(m, RF_NOTHING, "no service of the document is in the configuration with a record");
	for (size_t i = 0; i < m->n; i++)
		if (!service_may(m, m->list[i]))
			return false;
	return true;
}

static void tell(struct import *m, const struct brought *b, struct version v)
{
	char text[VERSION_TEXT];

	json_array_append_new(m->told, json_pack("{s:s,s:s,s:s,s:s,s:b,s:I}", "service", b->service, "what", m->p.dry_run ? "would be imported" : "imported", "active",
						 slot_name(b->record.active), "version", version_text(v, text), "moves", b->moves, "condemned", (json_int_t)b->condemned.n));
}

/* ---- into the store ---- */

static void next(struct import *m);

static void written(void *arg, const struct store_answer *a)
{
	struct import *m = arg;
	struct brought *b = m->list[m->at];
	struct service *s = engine_find(m->e, b->service);
	const char *what;
	json_t *v;

	if (s)
		s->repairing = false;
	if (!s || a->result != ST_OK) {
		refuse(m, RF_STORE, "%s: %s: %.300s (%zu of %zu were imported)", b->service, store_result_name(a->result), a->detail, m->at, m->n);
		ended(m);
		return;
	}
	json_object_foreach((json_t *)b->values, what, v)
		store_put(m->e->store, b->service, what, json_string_value(v));
	s->rec = *a->record;
	s->loaded = s->sure = true;
	s->fresh_start = false;
	s->condemned = b->condemned;
	s->mark[0] = '\0';
	service_forget(s);
	adopt_journal(s, NULL, "");
	service_reload_record(s);
	tell(m, b, a->record->v);
	log_warn("import", "service=%s by=%s active=%s", b->service, m->p.by, slot_name(a->record->active));
	m->at++;
	next(m);
}

static void next(struct import *m)
{
	static struct event ev;
	struct brought *b = m->at < m->n ? m->list[m->at] : NULL;
	struct service *s = b ? engine_find(m->e, b->service) : NULL;
	struct store_repair sr = { .service = b ? b->service : "", .event = &ev };
	id_text rid;

	if (!b) {
		ended(m);
		return;
	}
	if (!s || service_busy(s) || s->repairing) {
		refuse(m, RF_STORE, "%s: something is being written just now; ask again (%zu of %zu were imported)", b->service, m->at, m->n);
		ended(m);
		return;
	}
	engine_rid(m->e, rid);
	memset(&ev, 0, sizeof(ev));
	TEXT_COPY(ev.kind, "store.imported");
	TEXT_COPY(ev.service, b->service);
	TEXT_COPY(ev.by, m->p.by);
	ev.at = wall_now();
	ev.from = s->rec.active;
	ev.to = b->record.active;
	ev.from_v = s->rec.v;
	if (b->record.active != NO_SLOT)
		TEXT_COPY(ev.release, b->record.slot[b->record.active].id);
	ev.because = "a person imported a state that was exported before";
	TEXT_COPY(ev.detail, m->p.why);
	sr.rid = rid;
	sr.good = &b->record;
	sr.condemned = &b->condemned;
	sr.floor.epoch = s->rec.v.epoch;
	s->repairing = true;
	trust_sent(s, rid);
	store_repair(m->e->store, &sr, written, m);
}

/* ---- in a generation of its own ---- */

static void look(EV_P_ ev_timer *t, int revents)
{
	struct import *m = t->data;
	bool there = m->e->store && store_is_up(m->e->store) && store_generation(m->e->store) > m->gen;

	(void)loop;
	(void)revents;
	for (size_t i = 0; there && i < m->n; i++) {
		const struct service *s = engine_find(m->e, m->list[i]->service);

		there = !s || (s->loaded && !service_busy(s));
	}
	if (m->e->stopping || (!there && mono_now().us > m->until.us)) {
		refuse(m, RF_STORE, m->e->stopping ? "switchd is ending" : "no new generation could be declared in time: %s", store_why_down(m->e->store));
		ended(m);
		return;
	}
	if (!there)
		return;
	ev_timer_stop(m->e->loop, t);
	next(m);
}

static void begin(EV_P_ ev_timer *t, int revents)
{
	struct import *m = t->data;

	(void)loop;
	(void)revents;
	ev_timer_stop(m->e->loop, t);
	if (m->e->stopping || !store_is_up(m->e->store)) {
		refuse(m, RF_STORE, "%s", m->e->stopping ? "switchd is ending" : store_why_down(m->e->store));
		ended(m);
		return;
	}
	if (!read_all(m)) {
		ended(m);
		return;
	}
	if (m->p.dry_run) {
		for (size_t i = 0; i < m->n; i++)
			tell(m, m->list[i], m->list[i]->record.v);
		ended(m);
		return;
	}
	m->gen = store_generation(m->e->store);
	m->until = mono_plus_ms(mono_now(), GENERATION_MS);
	store_new_generation(m->e->store, m->floor, "a state is imported");
	ev_timer_init(&m->timer, look, LOOK_MS / 1000., LOOK_MS / 1000.);
	ev_timer_start(m->e->loop, &m->timer);
}

void engine_import(struct engine *e, const struct person *p, json_t *doc, bool force, state_done_fn *done, void *arg)
{
	struct import *m = xcalloc(1, sizeof(*m));

	*m = (struct import){ .e = e, .p = *p, .force = force, .done = done, .arg = arg, .doc = json_incref(doc), .told = json_array() };
	e->orders_open++;
	ev_timer_init(&m->timer, begin, 0., 0.);
	m->timer.data = m;
	ev_timer_start(e->loop, &m->timer);
}
