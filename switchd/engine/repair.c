/* SPDX-License-Identifier: MIT
 * repair.c - the one way in which a refused value of the store is written over: a person says so, with a reason. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/engine/service.h"

struct repair {
	struct engine *e;
	name_text service;
	id_text by, rid;
	why_text why;
	bool dry_run;
	order_done_fn *done;
	void *arg;
	ev_timer turn;
	struct event event;
};

static void ended(struct repair *r, struct order_result *res)
{
	struct service *s = engine_find(r->e, r->service);

	if (s)
		s->repairing = false;
	if (!res->record && s)
		res->record = &s->rec;
	if (!s)
		res->status = ORDER_NO_SERVICE;
	res->dry_run = r->dry_run;
	res->because = res->because ? res->because : "";
	res->would = res->would ? res->would : "";
	if (s && res->status == ORDER_DONE && !r->dry_run)
		engine_remember(r->e, r->service, r->rid, res);
	r->e->orders_open--;
	r->done(r->arg, res);
	free(r);
}

static void refused(struct repair *r, enum refusal rf, const char *detail)
{
	struct order_result res = { .status = ORDER_REFUSED, .refusal = rf };

	TEXT_COPY(res.detail, detail);
	ended(r, &res);
}

static void repaired(struct repair *r, struct service *s, const struct store_answer *a)
{
	struct order_result res = { .status = ORDER_DONE, .because = r->event.because };
	char v[VERSION_TEXT];

	s->rec = *a->record;
	s->loaded = s->sure = true;
	memset(&s->bad, 0, sizeof(s->bad));
	s->mark[0] = '\0';
	TEXT_FORMAT(res.detail, "%s at %s%s%s", slot_name(s->rec.active), version_text(s->rec.v, v), a->detail[0] ? "; of what was refused: " : "", a->detail);
	if (a->detail[0]) {
		size_t n = strlen(r->event.detail);

		text_format(r->event.detail + n, sizeof(r->event.detail) - n, "; %s", a->detail);
	}
	r->event.to_v = s->rec.v;
	r->event.to = s->rec.active;
	TEXT_COPY(r->event.stream_id, a->stream_id);
	publish_event(s->e, &r->event);
	adopt_journal(s, NULL, "");
	publish_change(s);
	service_reload_record(s); /* and the proxies are told */
	ended(r, &res);
}

static void would(struct repair *r, struct service *s, const struct store_answer *a)
{
	struct order_result res = { .status = ORDER_DONE, .because = r->event.because, .record = a->record };
	char text[600], v[VERSION_TEXT];

	TEXT_FORMAT(text, "%s: %s %s at %s would be written over what is refused: %.200s\n%s%s", r->service, slot_name(a->record->active),
		    a->record->active == NO_SLOT ? "" : a->record->slot[a->record->active].id, version_text(a->record->v, v), s->bad.why, a->detail, a->detail[0] ? "\n" : "");
	res.would = text;
	ended(r, &res);
}

static void answered(void *arg, const struct store_answer *a)
{
	struct repair *r = arg;
	struct service *s = engine_find(r->e, r->service);
	struct order_result res = { .status = ORDER_UNKNOWN };

	if (!s || a->result == ST_OK) {
		if (s && r->dry_run)
			would(r, s, a);
		else if (s)
			repaired(r, s, a);
		else
			ended(r, &res);
		return;
	}
	log_warn("repair", "service=%s result=%s detail=%s", r->service, store_result_name(a->result), LOG_Q(a->detail));
	if (a->result == ST_CONFLICT)
		res.status = ORDER_STALE;
	else if (a->result != ST_LOST)
		res.status = ORDER_REFUSED, res.refusal = RF_STORE;
	TEXT_COPY(res.detail, a->detail);
	ended(r, &res);
}

/* What is refused stands there still (or was only just found): written over. */
static void go(struct repair *r, struct service *s)
{
	struct input found = { .found_slot = NO_SLOT };
	const struct journal_entry *j = journal_last(s->e->journal, r->service);
	struct store_repair sr = { .service = r->service, .rid = r->rid, .good = &s->rec, .floor = s->rec.v, .condemned = &s->condemned,
				   .event = &r->event, .dry_run = r->dry_run };
	struct event *ev = &r->event;

	if (!s->rec.rev) {
		refused(r, RF_NO_RECORD, "neither memory nor the journal of this controller has one: switchctl state import");
		return;
	}
	if (j && version_cmp(j->record.v, sr.floor) > 0)
		sr.floor = j->record.v;
	if (traffic_found(s, &found) && version_cmp(found.found_v, sr.floor) > 0)
		sr.floor = found.found_v;
	TEXT_COPY(ev->kind, "store.repaired");
	TEXT_COPY(ev->service, r->service);
	TEXT_COPY(ev->by, r->by);
	ev->at = wall_now();
	ev->from = ev->to = s->rec.active;
	ev->from_v = ev->to_v = s->rec.v;
	if (s->rec.active != NO_SLOT)
		TEXT_COPY(ev->release, s->rec.slot[s->rec.active].id);
	ev->because = "a person had the last good record written over what was refused";
	TEXT_FORMAT(ev->detail, "%s; refused was: %s", r->why, s->bad.why);
	trust_sent(s, r->rid);
	store_repair(s->e->store, &sr, answered, r);
}

static void read_first(void *arg, const struct store_answer *a)
{
	struct repair *r = arg;
	struct service *s = engine_find(r->e, r->service);
	struct order_result gone = { .status = ORDER_NO_SERVICE };

	if (!s)
		ended(r, &gone);
	else if (a->result != ST_OK && a->result != ST_BAD_DATA)
		refused(r, RF_STORE, a->detail);
	else if (trust_refuses(s, a) && s->bad.on)
		go(r, s);
	else
		refused(r, RF_NOTHING, "what the store holds of it is good");
}

static void turn(EV_P_ ev_timer *t, int revents)
{
	struct repair *r = t->data;
	struct service *s = engine_find(r->e, r->service);
	struct order_result res = { .status = ORDER_UNKNOWN };

	(void)loop;
	(void)revents;
	if (!s) {
		ended(r, &res);
		return;
	}
	if (engine_recall(r->e, r->service, r->rid, &res)) {
		ended(r, &res);
		return;
	}
	if (r->e->stopping) {
		TEXT_COPY(res.detail, "switchd is ending; ask again");
		ended(r, &res);
	} else if (!store_is_up(r->e->store)) {
		refused(r, RF_STORE, store_why_down(r->e->store));
	} else if (s->repairing || service_busy(s)) {
		res.status = ORDER_STALE;
		TEXT_COPY(res.detail, "something is being written just now; ask again");
		ended(r, &res);
	} else if (s->bad.on) {
		s->repairing = true;
		go(r, s);
	} else {
		s->repairing = true;
		store_load(r->e->store, r->service, read_first, r);
	}
}

void engine_repair(struct engine *e, const char *service, const struct person *p, order_done_fn *done, void *arg)
{
	struct repair *r = xcalloc(1, sizeof(*r));

	r->e = e;
	r->done = done;
	r->arg = arg;
	r->dry_run = p->dry_run;
	TEXT_COPY(r->service, service);
	TEXT_COPY(r->by, p->by);
	TEXT_COPY(r->why, p->why);
	if (p->rid[0])
		TEXT_COPY(r->rid, p->rid);
	else
		engine_rid(e, r->rid);
	e->orders_open++;
	ev_timer_init(&r->turn, turn, 0., 0.);
	r->turn.data = r;
	ev_timer_start(e->loop, &r->turn);
}
