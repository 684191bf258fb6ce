/* SPDX-License-Identifier: MIT
 * reconcile.c - is this still the history that we know?  (state.md D3, D4)
 *
 * Survey: read every service's record, ask the engine what journal and proxies know.  Then the
 * same history under a new lineage is adopted (relin) or a new generation is declared (newgen),
 * and every record that is not of this generation is stamped into it.  Records are read one
 * after the other and not kept: there may be thousands. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/record.h"
#include "switchd/core/regress.h"
#include "switchd/store/room.h"

#define COUNTER_MAX (UINT64_C(1) << 52)         /* what a script's numbers hold exactly, with room to grow */

struct reconcile {
	struct survey seen;
	size_t at;              /* service under the hand */
	bool *look;             /* by service: its record may need a stamp */
	size_t n_look;
	uint64_t floor;         /* highest generation known anywhere */
	bool proved;            /* no service contradicts "nothing was lost" */
	bool stamping;
	ev_timer wait;
	struct store_truth truth;
};

static void survey_next(struct store *st);
static void stamp_next(struct store *st);

void reconcile_stop(struct store *st)
{
	if (!st->rec)
		return;
	ev_timer_stop(st->loop, &st->rec->wait);
	free(st->rec->look);
	free(st->rec);
	st->rec = NULL;
}

/* From the lease on: the scripts then judge a fresh picture. */
static void again_in(struct store *st, int64_t ms, const char *why)
{
	reconcile_stop(st);
	store_stage(st, SG_ACQUIRING, why);
	ev_timer_stop(st->loop, &st->renew);
	ev_timer_stop(st->loop, &st->retry);
	ev_timer_set(&st->retry, (double)ms / 1000, 0.);
	ev_timer_start(st->loop, &st->retry);
}

void reconcile_again(struct store *st, const char *why)
{
	if (st->stage == SG_READY)
		again_in(st, 0, why);
}

static void refused(struct store *st, const char *what, const redisReply *r)
{
	char why[256], detail[256];

	if (r->type == REDIS_REPLY_ERROR)
		reply_error(st, r, detail);
	else
		TEXT_FORMAT(detail, "%s %.180s", reply_text(r, 0), reply_text(r, 1));
	TEXT_FORMAT(why, "%s: %.200s", what, detail);
	again_in(st, strcmp(reply_text(r, 0), "STALE") == 0 ? RETRY_STALE_MS : RETRY_MS, why);
}

/* ---- what the engine knows ---- */

static bool ask_truth(struct store *st, const char *service)
{
	struct store_truth *t = &st->rec->truth;

	memset(t, 0, sizeof(*t));
	t->floor_slot = NO_SLOT;
	t->lossy = !st->rec->seen.has_gen || strcmp(st->rec->seen.lin, st->rec->seen.lineage) != 0;
	if (st->truth_fn && !st->truth_fn(st->truth_arg, service, t))
		return false;
	if (t->known && t->record.v.gen == 0 && t->record.active == NO_SLOT)
		t->known = false;
	/* A number that leaves no room above it must not become a floor: it would exhaust the counter. */
	if (t->floor.gen >= COUNTER_MAX || t->floor.epoch >= COUNTER_MAX) {
		log_warn("reconcile", "service=%s what=\"a version beyond all bounds is left out\"", service);
		t->floor = (struct version){ 0 };
		t->floor_slot = NO_SLOT;
	}
	return true;
}

static bool newer(const struct record *a, const struct record *b)
{
	int c = version_cmp(a->v, b->v);

	return c > 0 || (c == 0 && a->rev > b->rev);
}

/* ---- survey ---- */

/* Does this service show that nothing was lost?  When in doubt, no: a new generation is cheap. */
static bool proves(const struct store *st, const struct op *op)
{
	const struct store_truth *t = &st->rec->truth;

	if (op->none)
		return !t->known;
	if (op->bad)
		return true; /* says nothing either way */
	if (!t->known)
		return st->alone;
	if (t->record.v.gen != op->record->v.gen)
		return st->alone && t->record.v.gen < op->record->v.gen;
	if (t->record.rev == op->record->rev)
		return strcmp(t->record.cid, op->record->cid) == 0;
	/* The journal may be one step behind the store: only where nobody else can have taken that step. */
	return st->alone && t->record.rev < op->record->rev;
}

/* What was refused is left alone, valid or not: only state repair writes over it. */
static void leave(struct op *op)
{
	if (!op->st->rec->truth.leave || op->none || op->bad)
		return;
	op->bad = true;
	op->index = ST_BAD_DATA;
	TEXT_COPY(op->why, "it was refused");
}

/* Redis would not read (LOADING, NOPERM...): that says nothing about the record. */
static void load_refused(struct op *op)
{
	struct store *st = op->st;
	char why[256];

	TEXT_FORMAT(why, "reading %s: %.180s", op->service, op->why);
	op_free(op);
	again_in(st, RETRY_MS, why);
}

static void surveyed(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct reconcile *rc = st->rec;
	size_t i;

	if (!r || !rc || st->freeing) {
		op_free(op);
		return;
	}
	if (op->bad && op->index != ST_BAD_DATA) {
		load_refused(op);
		return;
	}
	const struct store_truth *t = &rc->truth;

	leave(op);
	i = store_service(st, op->service);
	if (op->bad)
		log_error("reconcile", "service=%s what=\"its record is not valid; left alone\" why=%s", op->service, LOG_Q(op->why));
	if (t->known && t->record.v.gen < COUNTER_MAX && t->record.v.gen > rc->floor)
		rc->floor = t->record.v.gen;
	if (t->floor.gen > rc->floor)
		rc->floor = t->floor.gen;
	if (!op->bad && !op->none && op->record->v.gen < COUNTER_MAX && op->record->v.gen > rc->floor)
		rc->floor = op->record->v.gen;
	rc->proved = rc->proved && proves(st, op);
	rc->look[i] = !op->bad && (op->none ? t->known : op->record->v.gen != rc->seen.gen);
	op_free(op);
	rc->at++;
	survey_next(st);
}

static void on_wait(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct store *st = w->data;

	(void)loop;
	(void)revents;
	if (st->rec->stamping)
		stamp_next(st);
	else
		survey_next(st);
}

static void wait_for_truth(struct store *st)
{
	struct reconcile *rc = st->rec;

	TEXT_FORMAT(st->why, "what the proxies of %s show is not known yet", st->services[rc->at]);
	ev_timer_stop(st->loop, &rc->wait);
	ev_timer_set(&rc->wait, ASK_TRUTH_MS / 1000.0, 0.);
	ev_timer_start(st->loop, &rc->wait);
}

/* ---- the generation ---- */

static void settled(struct store *st, uint64_t gen, uint64_t seq)
{
	st->gen = gen;
	st->seq = seq;
	TEXT_COPY(st->lineage, st->rec->seen.lineage);
	st->force_floor = 0;
	st->rec->stamping = true;
	st->rec->at = 0;
	stamp_next(st);
}

static void declared(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	bool fresh = op->script == SC_NEWGEN;
	uint64_t gen, seq;

	op_free(op);
	if (!r || !st->rec || st->freeing)
		return;
	if (!reply_is_answer(r, 4) || strcmp(reply_text(r, 0), "OK") != 0 || !reply_u64(r, 2, &gen) || !reply_u64(r, 3, &seq)) {
		refused(st, fresh ? "new generation" : "lineage", r);
		return;
	}
	if (fresh) {
		log_warn("reconcile", "what=\"new generation\" gen=%" PRIu64 " was=%" PRIu64, gen, st->rec->seen.gen);
		for (size_t i = 0; i < st->rec->n_look; i++)
			st->rec->look[i] = true;
	} else {
		log_info("reconcile", "what=\"same history, new lineage\" gen=%" PRIu64, gen);
	}
	settled(st, gen, seq);
}

static struct op *declare_op(struct store *st, enum script script, int n_keys)
{
	struct op *op = op_new(st, (int)script, n_keys, declared);
	char key[256];

	store_key(st, key, "meta");
	args_add(&op->args, key);
	store_key(st, key, "lease");
	args_add(&op->args, key);
	if (n_keys == 3) {
		store_key(st, key, "ev");
		args_add(&op->args, key);
	}
	args_add(&op->args, st->owner);
	op->term_arg = op->args.n;
	args_add(&op->args, "0");
	return op;
}

static void send_or_free(struct op *op)
{
	if (!op_send(op))
		op_free(op); /* the link tells what follows */
}

static char *event_text(struct event *e)
{
	json_t *j = event_json(e);
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	must(text != NULL); /* all of it is ours */
	return text;
}

static void new_generation(struct store *st)
{
	struct reconcile *rc = st->rec;
	struct op *op = declare_op(st, SC_NEWGEN, 3);
	struct event *e = xcalloc(1, sizeof(*e));
	char *text;

	TEXT_COPY(e->kind, "store.new_generation");
	e->at = wall_now();
	TEXT_COPY(e->by, "switchd");
	e->from = e->to = NO_SLOT;
	e->because = rc->seen.has_gen ? "the store may have lost commits: its history was interrupted" : "the store was empty";
	text = event_text(e);
	if (rc->seen.has_gen)
		args_addf(&op->args, "%" PRIu64, rc->seen.gen);
	else
		args_add(&op->args, "");
	args_add(&op->args, rc->seen.lineage);
	args_addf(&op->args, "%" PRIu64, rc->floor);
	args_add(&op->args, text);
	args_addf(&op->args, "%" PRIu64, events_most(st, 1));
	free(text);
	free(e);
	send_or_free(op);
}

static void same_history(struct store *st)
{
	struct reconcile *rc = st->rec;
	struct op *op = declare_op(st, SC_RELIN, 2);

	args_addf(&op->args, "%" PRIu64, rc->seen.gen);
	args_addf(&op->args, "%" PRIu64, rc->seen.seq);
	args_add(&op->args, rc->seen.lineage);
	send_or_free(op);
}

static void survey_done(struct store *st)
{
	struct reconcile *rc = st->rec;
	bool same_lineage = rc->seen.has_gen && strcmp(rc->seen.lin, rc->seen.lineage) == 0;
	bool top = st->top_known && rc->seen.gen == st->gen && rc->seen.seq == st->seq;

	if (st->force_floor > rc->floor)
		rc->floor = st->force_floor;
	if (!rc->seen.has_gen || rc->floor > rc->seen.gen || st->force_floor)
		new_generation(st);
	else if (same_lineage)
		settled(st, rc->seen.gen, rc->seen.seq);
	else if (!st->forkable && (top || rc->proved))
		same_history(st);
	else
		new_generation(st);
}

static void survey_next(struct store *st)
{
	struct reconcile *rc = st->rec;

	if (rc->at >= rc->n_look) {
		survey_done(st);
		return;
	}
	if (!ask_truth(st, st->services[rc->at])) {
		wait_for_truth(st);
		return;
	}
	send_or_free(load_new(st, st->services[rc->at], RETRY_NEVER, surveyed));
}

void reconcile_start(struct store *st, const struct survey *seen)
{
	struct reconcile *rc = xcalloc(1, sizeof(*rc));

	reconcile_stop(st);
	st->rec = rc;
	rc->seen = *seen;
	st->forkable = st->forkable || seen->replicas;
	rc->n_look = st->n_services;
	rc->look = xcalloc(rc->n_look, sizeof(*rc->look));
	rc->proved = true;
	ev_timer_init(&rc->wait, on_wait, 0., 0.);
	rc->wait.data = st;
	store_stage(st, SG_RECONCILING, "reconciling with the journal and the proxies");
	survey_next(st);
}

/* ---- stamping ---- */

#define LOST_MOVE "the store had lost the commit that moved the traffic; the proxies knew it"

enum verdict_of { KEEP_STORE, TAKE_TRUTH, FOLLOW_TRAFFIC, AMBIGUOUS };

/* Whose word counts: the higher version; of equals that name different slots, nobody's. */
static enum verdict_of judge(const struct op *op, const struct store_truth *t, const struct condemned_set *condemned)
{
	const struct record *r = op->record;

	if (op->none)
		return TAKE_TRUTH;
	if (!t->known)
		return KEEP_STORE;
	if (newer(&t->record, r)) {
		const struct release *to = t->record.active == NO_SLOT ? NULL : &t->record.slot[t->record.active];

		if (to && t->record.active != r->active && t->record.move.mode != MOVE_FORCE &&
		    condemned_find(condemned, to->id, to->digest))
			return AMBIGUOUS;
		return TAKE_TRUTH;
	}
	if (version_cmp(t->record.v, r->v) == 0 && strcmp(t->record.cid, r->cid) != 0 && t->record.rev == r->rev &&
	    t->record.active != r->active)
		return AMBIGUOUS;
	return KEEP_STORE;
}

/* Neither store nor journal has the commit that moved the traffic: whoever led then is gone, and the proxies know it. */
static enum verdict_of judge_traffic(const struct op *op, const struct store_truth *t, const struct record *next)
{
	const struct release *to;

	if (t->floor_slot > GREEN || next->active == t->floor_slot || version_cmp(t->floor, next->v) <= 0)
		return KEEP_STORE;
	to = &next->slot[t->floor_slot];
	return condemned_find(op->condemned, to->id, to->digest) || (t->condemned && condemned_find(t->condemned, to->id, to->digest)) ? AMBIGUOUS
																      : FOLLOW_TRAFFIC;
}

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* What the store lost with the commits that condemned it: no event of those commits may be left to say it. */
static void say_condemned(const struct op *op, const struct condemned_set *known, struct event *e)
{
	const char *join = "condemned, as is known here: ";

	for (size_t i = 0; known && i < known->n; i++) {
		size_t n = strlen(e->detail);

		if (condemned_find(op->condemned, known->list[i].release, ""))
			continue;
		if (!text_format(e->detail + n, sizeof(e->detail) - n, "%s%s", join, known->list[i].release))
			return;
		join = ", ";
	}
}

static void stamp_event(const struct op *op, const struct store_truth *t, const struct record *next, enum verdict_of v, struct event *e)
{
	TEXT_COPY(e->service, op->service);
	e->at = wall_now();
	TEXT_COPY(e->by, "switchd");
	e->from = op->none ? NO_SLOT : op->record->active;
	e->to = next->active;
	e->from_v = op->none ? (struct version){ 0 } : op->record->v;
	e->to_v = next->v;
	if (next->active != NO_SLOT)
		TEXT_COPY(e->release, next->slot[next->active].id);
	TEXT_COPY(e->kind, v == AMBIGUOUS ? "store.ambiguous" : op->none ? "store.restored" : v == KEEP_STORE ? "store.restamped" : "store.regressed");
	e->because = v == AMBIGUOUS ? "store and journal name different slots and neither is newer: a human must decide" :
		     op->none ? "the store had lost the record; journal and proxies knew it" :
		     v == TAKE_TRUTH ? "the store had lost commits; journal and proxies knew them" :
		     v == FOLLOW_TRAFFIC ? LOST_MOVE :
		     "the store's history was interrupted; the record stands as it is";
	say_condemned(op, t->condemned, e);
}

static void stamped(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	uint64_t seq;

	if (!r || !st->rec || st->freeing) {
		op_free(op);
		return;
	}
	if (r->type == REDIS_REPLY_ERROR && strstr(r->str, "WRONGTYPE")) {
		/* One service's key was overwritten by another hand: it is refused, the others go on. */
		log_error("reconcile", "service=%s what=\"a key of another type; left alone\"", op->service);
	} else if (!reply_is_answer(r, 4) || strcmp(reply_text(r, 0), "OK") != 0 || !reply_u64(r, 2, &seq)) {
		op_free(op);
		refused(st, "restamp", r);
		return;
	} else {
		st->seq = seq;
		log_warn("reconcile", "service=%s what=restamped version=%" PRIu64 ".%s", op->service, st->gen, op->args.v[op->n_keys + 7]);
	}
	op_free(op);
	st->rec->at++;
	stamp_next(st);
}

static void stamp(struct store *st, const struct op *found)
{
	const struct store_truth *t = &st->rec->truth;
	struct record *next = xmalloc(sizeof(*next));
	struct event *e = xcalloc(1, sizeof(*e));
	const struct version own = found->none ? (struct version){ 0 } : found->record->v;
	enum verdict_of v = judge(found, t, found->condemned);
	struct op *op = op_new(st, SC_RESTAMP, 6, stamped);
	static const char *const keys[] = { "meta", "lease", "s:%s", "a:%s", "x:%s", "ev" };
	char key[256], *text;

	*next = v == KEEP_STORE ? *found->record : t->record;
	if (v == KEEP_STORE || v == TAKE_TRUTH) {
		enum verdict_of w = judge_traffic(found, t, next);

		if (w == FOLLOW_TRAFFIC) {
			record_follow(next, t->floor_slot, wall_now(), LOST_MOVE);
			if (st->schema >= 2 && t->floor_cid[0])
				record_done(next, t->floor_cid);
		}
		v = w == KEEP_STORE ? v : w;
	}
	if (v == AMBIGUOUS) {
		next->phase = PH_STUCK;
		next->phase_since = wall_now();
		next->phase_until = (wall_ms){ 0 };
	}
	next->v.gen = st->gen;
	next->v.epoch = most(own.epoch, t->floor.epoch);
	if (t->known && t->record.v.epoch < COUNTER_MAX)
		next->v.epoch = most(next->v.epoch, t->record.v.epoch);
	next->v.epoch++;
	next->rev = most(found->none ? 0 : found->record->rev, t->known && t->record.rev < COUNTER_MAX ? t->record.rev : 0) + 1;
	TEXT_FORMAT(next->cid, "restamp-%" PRIu64 "-%" PRIu64, next->v.gen, next->v.epoch);
	stamp_event(found, t, next, v, e);
	TEXT_COPY(op->service, found->service);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (i >= 2 && i <= 4) {
			char tail[80];

			TEXT_FORMAT(tail, "%.2s%s", keys[i], found->service);
			store_key(st, key, "%s", tail);
		} else {
			store_key(st, key, "%s", keys[i]);
		}
		args_add(&op->args, key);
	}
	args_add(&op->args, st->owner);
	op->term_arg = op->args.n;
	args_add(&op->args, "0");
	args_add(&op->args, found->service);
	args_addf(&op->args, "%" PRIu64, st->gen);
	if (found->none) {
		for (int i = 0; i < 3; i++)
			args_add(&op->args, "");
	} else {
		args_addf(&op->args, "%" PRIu64, found->record->v.gen);
		args_addf(&op->args, "%" PRIu64, found->record->v.epoch);
		args_addf(&op->args, "%" PRIu64, found->record->rev);
	}
	args_addf(&op->args, "%" PRIu64, next->v.epoch);
	args_addf(&op->args, "%" PRIu64, next->rev);
	args_add(&op->args, next->cid);
	commit_record_args(&op->args, next);
	text = commit_doc(st, next);
	args_add(&op->args, text ? text : "");
	free(text);
	args_addf(&op->args, "%" PRIu64, events_most(st, 1));
	text = event_text(e);
	args_add(&op->args, text);
	free(text);
	for (size_t i = 0; t->condemned && i < t->condemned->n; i++) {
		const struct condemned *c = &t->condemned->list[i];
		json_t *j = condemned_json(c);

		text = j ? json_dumps(j, JSON_COMPACT) : NULL;
		if (text) {
			args_add(&op->args, c->release);
			args_add(&op->args, text);
		}
		free(text);
		json_decref(j);
	}
	free(next);
	free(e);
	send_or_free(op);
}

static void stamp_loaded(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	bool needs;

	if (!r || !st->rec || st->freeing) {
		op_free(op);
		return;
	}
	if (op->bad && op->index != ST_BAD_DATA) {
		load_refused(op);
		return;
	}
	leave(op);
	needs = !op->bad && (op->none ? st->rec->truth.known : op->record->v.gen != st->gen);
	if (needs && !ask_truth(st, op->service)) {
		op_free(op);
		wait_for_truth(st);
		return;
	}
	if (needs) {
		stamp(st, op);
		op_free(op);
		return;
	}
	op_free(op);
	st->rec->at++;
	stamp_next(st);
}

static void stamp_next(struct store *st)
{
	struct reconcile *rc = st->rec;

	while (rc->at < rc->n_look && !rc->look[rc->at])
		rc->at++;
	if (rc->at < rc->n_look) {
		/* Without it what is stamped would be what the store has, whatever it lost. */
		if (ask_truth(st, st->services[rc->at]))
			send_or_free(load_new(st, st->services[rc->at], RETRY_NEVER, stamp_loaded));
		else
			wait_for_truth(st);
		return;
	}
	/* Added by a caller meanwhile: it may be of an older generation. */
	if (rc->n_look < st->n_services) {
		again_in(st, 0, "a service was added");
		return;
	}
	reconcile_stop(st);
	st->top_known = true;
	store_stage(st, SG_READY, "");
}
