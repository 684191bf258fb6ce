/* SPDX-License-Identifier: MIT
 * follow.c - an agent's side of the store: listen first, read after, read again when a push was missed. */
#include "switchd/store/follow.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/version.h"
#include "switchd/store/room.h"

enum {
	READ_AT_ONCE = 128,             /* services of one read: 128 lines stay far below LINK_REPLY_MAX */
	READ_AGAIN_MS = 30000,          /* whether or not anything was missed */
};

struct follow {
	store_shown_fn *fn;
	store_bad_fn *bad;
	void *arg;
	name_text *services; size_t n;
	uint64_t gen, top;              /* as of the last read, or of a push since */
	bool reading, again, stale;     /* stale: the services are others since the read under way began */
	size_t at;                      /* the next service to read */
	uint64_t read_gen, read_top;
	ev_timer timer;
};

static void names_of(struct follow *f, const struct config *cfg)
{
	free(f->services);
	f->n = cfg->n_services;
	f->services = xcalloc(f->n ? f->n : 1, sizeof(*f->services));
	for (size_t i = 0; i < f->n; i++)
		TEXT_COPY(f->services[i], cfg->services[i].name);
}

static bool ours(const struct follow *f, const char *service)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->services[i], service) == 0)
			return true;
	return false;
}

static void tell(struct store *st, const char *service, const char *line, size_t len)
{
	struct shown s;
	const char *why;

	if (!shown_parse(line, len, &s, &why)) {
		log_error("follow", "service=%s what=\"its record is not valid; nothing changes\" why=%s", service, LOG_Q(why));
		if (st->follow->bad)
			st->follow->bad(st->follow->arg, service, why);
		return;
	}
	TEXT_COPY(s.service, service);
	st->follow->fn(st->follow->arg, &s);
}

/* ---- reading ---- */

static void read_next(struct store *st);

static void read_over(struct store *st)
{
	struct follow *f = st->follow;

	f->reading = false;
	f->gen = f->read_gen;
	f->top = f->read_top;
	ev_timer_stop(st->loop, &f->timer);
	ev_timer_set(&f->timer, READ_AGAIN_MS / 1000., 0.);
	ev_timer_start(st->loop, &f->timer);
	if (f->again) {
		f->again = false;
		follow_look(st);
	} else if (st->stage != SG_READY && st->ears_up) {
		store_stage(st, SG_READY, "");
	}
}

static void lines(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct follow *f = st->follow;
	size_t at = op->index, n = op->n_events;
	uint64_t gen, top;
	char why[256];

	op_free(op);
	if (st->freeing || !f)
		return;
	if (!r || r->type == REDIS_REPLY_ERROR || !reply_is_answer(r, 5) || strcmp(reply_text(r, 0), "OK") != 0 || !reply_u64(r, 2, &gen) ||
	    !reply_u64(r, 3, &top) || r->element[4]->type != REDIS_REPLY_ARRAY || r->element[4]->elements != n) {
		f->reading = f->stale = false;
		if (r && r->type == REDIS_REPLY_ERROR)
			reply_error(st, r, why);
		else
			TEXT_COPY(why, r ? "an answer that is none" : "no answer");
		log_warn("follow", "what=\"the records could not be read\" why=%s", LOG_Q(why));
		ev_timer_stop(st->loop, &f->timer);
		ev_timer_set(&f->timer, RETRY_MS / 1000., 0.);
		ev_timer_start(st->loop, &f->timer);
		return;
	}
	if (f->stale) { /* these lines are of other services than stand in the list now */
		f->reading = f->again = f->stale = false;
		follow_look(st);
		return;
	}
	if (!at) {
		f->read_gen = gen;
		f->read_top = top;
	}
	for (size_t i = 0; i < n && at + i < f->n; i++) {
		const redisReply *line = r->element[4]->element[i];

		if (line->type == REDIS_REPLY_STRING && line->len)
			tell(st, f->services[at + i], line->str, line->len);
	}
	f->at = at + n;
	read_next(st);
}

static void read_next(struct store *st)
{
	struct follow *f = st->follow;
	size_t n = f->n - f->at < READ_AT_ONCE ? f->n - f->at : READ_AT_ONCE;
	struct op *op;
	char key[256];

	if (f->at >= f->n && f->n) {
		read_over(st);
		return;
	}
	op = op_new(st, SC_SHOWN, 1, lines);
	op->index = f->at;
	op->n_events = n;
	store_key(st, key, "g");
	args_add(&op->args, key);
	store_key(st, key, "meta");
	args_add(&op->args, key);
	for (size_t i = 0; i < n; i++) {
		store_key(st, key, "a:%s", f->services[f->at + i]);
		args_add(&op->args, key);
		store_key(st, key, "s:%s", f->services[f->at + i]);
		args_add(&op->args, key);
	}
	if (!op_send(op)) {
		f->reading = false; /* the link tells what follows */
		op_free(op);
	}
}

void follow_look(struct store *st)
{
	struct follow *f = st->follow;

	if (!link_is_up(st->link) || !st->ears_up) {
		f->again = false;
		ev_timer_stop(st->loop, &f->timer);
		store_stage(st, SG_AWAY, !link_is_up(st->link) ? st->why[0] ? st->why : "not connected" : "not subscribed yet");
		return;
	}
	if (f->reading) {
		f->again = true;
		return;
	}
	f->reading = true;
	f->at = 0;
	f->read_gen = f->read_top = 0;
	read_next(st);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	follow_look(w->data);
}

/* ---- what is published ---- */

void follow_push(struct store *st, const char *service, const char *line, size_t len)
{
	struct follow *f = st->follow;
	struct shown s;
	const char *why;
	bool good = shown_parse(line, len, &s, &why);

	if (good && s.value.v.gen == f->gen && s.seq > f->top)
		f->top = s.seq;
	else if (good && s.value.v.gen > f->gen)
		follow_look(st); /* a new generation: every record is a new one */
	if (!ours(f, service))
		return;
	if (good && s.schema == 1) {
		follow_look(st); /* its shield stands elsewhere */
		return;
	}
	tell(st, service, line, len);
}

void follow_heartbeat(struct store *st, uint64_t gen, uint64_t top)
{
	struct follow *f = st->follow;

	if (!f->reading && (gen != f->gen || top > f->top))
		follow_look(st);
}

/* ---- reports ---- */

static void reported(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct later *l = store_later(st, LATER_REPORTED, op->arg);
	uint64_t us = 0;
	char detail[256] = "";

	l->fn.reported = op->fn.reported;
	if (r && r->type == REDIS_REPLY_ERROR)
		reply_error(st, r, detail);
	else if (r && reply_is_answer(r, 3) && strcmp(reply_text(r, 0), "OK") == 0 && reply_u64(r, 2, &us))
		l->us = (int64_t)us;
	else if (r && reply_is_answer(r, 2))
		TEXT_FORMAT(detail, "%s %.200s", reply_text(r, 0), reply_text(r, 1));
	if (detail[0])
		log_warn("report", "what=\"not taken\" why=%s", LOG_Q(detail));
	op_free(op);
}

void store_report(struct store *st, const struct report *r, store_reported_fn *done, void *arg)
{
	struct op *op = op_new(st, SC_REPORT, 2, reported);
	struct args *a = &op->args;
	char key[256], detail[400];

	must(done && st->name[0]);
	op->fn.reported = done;
	op->arg = arg;
	store_key(st, key, "g");
	args_add(a, key);
	store_key(st, key, "ga:%s", st->name);
	args_add(a, key);
	store_key(st, key, "ak");
	args_add(a, key);
	text_printable(detail, sizeof(detail), r->detail, strlen(r->detail));
	args_add(a, st->name);
	args_addf(a, "%" PRIu64, r->v.gen);
	args_addf(a, "%" PRIu64, r->seq);
	args_add(a, r->status);
	args_add(a, r->digest[0] ? r->digest : "-");
	args_add(a, SWITCHD_VERSION);
	args_add(a, detail);
	args_add(a, r->first ? "1" : "0");
	for (size_t i = 0; i < r->n_services; i++) {
		must(name_ok(r->services[i].name) && strlen(r->services[i].json) <= REPORT_SERVICE_MAX);
		args_add(a, r->services[i].name);
		args_add(a, r->services[i].json);
	}
	if (op_send(op))
		return;
	op_free(op);
	store_later(st, LATER_REPORTED, arg)->fn.reported = done;
}

/* ---- the face ---- */

struct store *store_follow(struct ev_loop *loop, const struct config *cfg, const char *name, store_up_fn *up, store_shown_fn *fn, void *arg)
{
	struct store *st = store_make(loop, cfg, name, up, arg);
	struct follow *f = xcalloc(1, sizeof(*f));

	st->agent = true;
	st->follow = f;
	f->fn = fn;
	f->arg = arg;
	names_of(f, cfg);
	ev_timer_init(&f->timer, on_timer, 0., 0.);
	f->timer.data = st;
	store_connect(st, cfg);
	return st;
}

void store_follow_bad(struct store *st, store_bad_fn *fn) { st->follow->bad = fn; }

void store_follow_services(struct store *st, const struct config *cfg)
{
	names_of(st->follow, cfg);
	st->follow->stale = st->follow->reading;
	follow_look(st);
}

void follow_stop(struct store *st)
{
	ev_timer_stop(st->loop, &st->follow->timer);
	st->follow->reading = st->follow->again = st->follow->stale = false;
}

void follow_free(struct store *st)
{
	if (!st->follow)
		return;
	ev_timer_stop(st->loop, &st->follow->timer);
	free(st->follow->services);
	free(st->follow);
	st->follow = NULL;
}
