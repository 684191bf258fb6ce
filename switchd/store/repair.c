/* SPDX-License-Identifier: MIT
 * repair.c - a person's word over a value that cannot be taken: looked at, then written over as it was looked at. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/record.h"
#include "switchd/store/room.h"

#define REPAIR_MOST (UINT64_C(1) << 52)         /* what a script's numbers hold exactly, with room to grow */

struct repairing {
	struct condemned_set condemned;         /* known ones; those that stand and can be read are added */
	struct version floor;
	bool anew;                              /* something of the list cannot be read */
	bool dry;
	struct event event; char because[160];
	char missed[160];                       /* "" = the good record is the newest there was */
};

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* The answer, from a turn of its own or from here; the op is over. */
static void answered(struct op *op, enum store_result result, const char *detail, const char *stream_id)
{
	struct store_answer a = { .result = result, .record = result == ST_OK ? op->record : NULL };
	struct record *record = op->record;
	store_done_fn *done = op->fn.done;
	void *arg = op->arg;

	text_copy(a.detail, sizeof(a.detail), detail);
	text_copy(a.stream_id, sizeof(a.stream_id), stream_id);
	a.us = mono_since_us(mono_now(), op->sent);
	op->record = NULL;
	op_free(op);
	done(arg, &a);
	free(record);
}

static void answered_later(struct op *op, enum store_result result, const char *detail)
{
	struct later *l = store_later(op->st, LATER_DONE, op->arg);

	l->fn.done = op->fn.done;
	l->result = result;
	TEXT_COPY(l->detail, detail);
	op_free(op);
}

/* False: it has answered. */
static bool understood(struct op *op, const redisReply *r, size_t members)
{
	static const struct { const char *code; enum store_result result; } codes[] = {
		{ "STALE", ST_CONFLICT }, { "NOTLEADER", ST_NOT_LEADER }, { "NEWSTORE", ST_NEWSTORE }, { "BADARG", ST_REFUSED }, { "SCHEMA", ST_REFUSED },
	};
	struct store *st = op->st;
	char detail[256];

	if (!r) {
		answered_later(op, ST_LOST, "no answer: it may or may not have been done; ask again");
		return false;
	}
	if (reply_is_answer(r, members) && strcmp(reply_text(r, 0), "OK") == 0)
		return true;
	if (r->type == REDIS_REPLY_ERROR) {
		enum store_result result = reply_error(st, r, detail);

		answered(op, result, detail, "");
		return false;
	}
	TEXT_FORMAT(detail, "%s %.200s", reply_text(r, 0), reply_text(r, 1));
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (strcmp(codes[i].code, reply_text(r, 0)) == 0) {
			if (codes[i].result == ST_NOT_LEADER)
				lease_lost(st, "the lease is not ours any more");
			else if (codes[i].result == ST_NEWSTORE)
				reconcile_again(st, "the store's history changed");
			answered(op, codes[i].result, detail, "");
			return false;
		}
	answered(op, ST_REFUSED, "an answer that is none of the script's", "");
	return false;
}

static struct op *repair_op(struct store *st, const char *service, const char *rid, const char *verb, op_ended_fn *ended)
{
	static const char *const keys[] = { "meta", "lease", "s:%s", "a:%s", "x:%s", "ev" };
	struct op *op = op_new(st, SC_REPAIR, 7, ended);
	char key[256], tail[80];

	TEXT_COPY(op->service, service);
	TEXT_COPY(op->rid, rid);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strchr(keys[i], ':'))
			TEXT_FORMAT(tail, "%.2s%s", keys[i], service);
		else
			TEXT_COPY(tail, keys[i]);
		store_key(st, key, "%s", tail);
		args_add(&op->args, key);
	}
	store_key(st, key, "q:%s", rid);
	args_add(&op->args, key);
	args_add(&op->args, verb);
	args_add(&op->args, st->owner);
	op->term_arg = op->args.n;
	args_add(&op->args, "0");
	args_add(&op->args, service);
	return op;
}

static void written(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct repairing *w = op->extra;
	uint64_t seq, gen = op->record->v.gen, floor = w->floor.gen;
	char id[44];

	if (!understood(op, r, 4))
		return;
	if (!reply_u64(r, 2, &seq)) {
		answered(op, ST_REFUSED, "an answer that is none of the script's", "");
		return;
	}
	st->seq = seq;
	TEXT_FORMAT(id, "%" PRIu64 "-%" PRIu64, gen, seq);
	/* Somebody showed a version of a later history: only a new generation stands above it. */
	if (floor > gen && floor < REPAIR_MOST) {
		st->force_floor = floor;
		reconcile_again(st, "a higher generation was seen than the store's");
	}
	answered(op, ST_OK, w->missed, id);
}

/* Who repairs may not have heard the last commits: whoever led then is gone, and their record is what is refused. */
static void say_missed(struct repairing *w, uint64_t rev, uint64_t good)
{
	size_t n = strlen(w->event.detail);

	if (rev <= good)
		return;
	TEXT_FORMAT(w->missed, "it counts %" PRIu64 " commit%s more than the last good record here: what they said (a claim, a hold) is lost", rev - good,
		    rev - good == 1 ? "" : "s");
	text_format(w->event.detail + n, sizeof(w->event.detail) - n, "; %s", w->missed);
}

static bool write_args(struct op *op, const char *expected)
{
	struct repairing *w = op->extra;
	struct args *a = &op->args;
	char *doc = commit_doc(op->st, op->record);
	json_t *j = event_json(&w->event);
	char *event = j ? json_dumps(j, JSON_COMPACT) : NULL;
	bool ok = doc && event;

	args_addf(a, "%" PRIu64, op->record->v.gen);
	args_add(a, expected);
	args_addf(a, "%" PRIu64, op->record->v.epoch);
	args_addf(a, "%" PRIu64, op->record->rev);
	args_add(a, op->record->cid);
	commit_record_args(a, op->record);
	args_add(a, doc ? doc : "");
	args_addf(a, "%" PRIu64, events_most(op->st, 1));
	args_add(a, event ? event : "");
	args_add(a, w->anew ? "1" : "0");
	for (size_t i = 0; i < w->condemned.n; i++) {
		json_t *c = condemned_json(&w->condemned.list[i]);
		char *text = c ? json_dumps(c, JSON_COMPACT) : NULL;

		if (text) {
			args_add(a, w->condemned.list[i].release);
			args_add(a, text);
		}
		free(text);
		json_decref(c);
	}
	free(doc);
	free(event);
	json_decref(j);
	return ok;
}

/* Entries that stand and can be read are kept; one that cannot is left out, and the list is written anew. */
static void condemned_standing(struct repairing *w, const redisReply *x)
{
	for (size_t i = 0; x->type == REDIS_REPLY_ARRAY && i + 1 < x->elements; i += 2) {
		const redisReply *name = x->element[i], *value = x->element[i + 1];
		bool text = name->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING;
		json_t *j = text ? json_loadb(value->str, value->len, JSON_REJECT_DUPLICATES, NULL) : NULL;
		struct condemned c;

		if (!j || !condemned_parse(j, &c) || strlen(c.release) != name->len || memcmp(c.release, name->str, name->len) != 0)
			w->anew = true;
		else if (!condemned_find(&w->condemned, c.release, "") && w->condemned.n < MAX_CONDEMNED)
			w->condemned.list[w->condemned.n++] = c;
		json_decref(j);
	}
}

static void looked_at(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct repairing *w = op->extra;
	struct record *next = op->record;
	uint64_t gen, epoch, rev;
	struct op *write;
	char stands[256];

	if (!understood(op, r, 6))
		return;
	if (!reply_u64(r, 2, &gen) || !reply_u64(r, 3, &epoch) || !reply_u64(r, 4, &rev) || !TEXT_COPY(stands, reply_text(r, 1))) {
		answered(op, ST_REFUSED, "an answer that is none of the script's", "");
		return;
	}
	w->anew = strstr(stands, "(x:)") != NULL;
	condemned_standing(w, r->element[5]);
	w->floor.gen = most(w->floor.gen, gen);
	if (w->floor.epoch < REPAIR_MOST)
		next->v.epoch = most(next->v.epoch, w->floor.epoch);
	say_missed(w, rev, next->rev);
	next->v.gen = st->gen;
	next->v.epoch = most(next->v.epoch, epoch) + 1;
	next->rev = most(next->rev, rev) + 1;
	TEXT_COPY(next->cid, op->rid);
	if (w->dry) {
		answered(op, ST_OK, w->missed, "");
		return;
	}
	w->event.to_v = next->v;
	w->event.because = w->because;
	write = repair_op(st, op->service, op->rid, "write", written);
	write->fn = op->fn;
	write->arg = op->arg;
	write->extra = w;
	write->record = next;
	op->extra = NULL;
	op->record = NULL;
	op_free(op);
	if (!write_args(write, stands))
		answered_later(write, ST_REFUSED, "something in it is no valid text");
	else if (!op_send(write))
		answered_later(write, ST_DOWN, st->why);
}

uint64_t store_generation(const struct store *st) { return st ? st->gen : 0; }
int store_schema(const struct store *st) { return st ? st->schema : 0; }

void store_new_generation(struct store *st, uint64_t above, const char *why)
{
	st->force_floor = above > st->gen && above < REPAIR_MOST ? above : st->gen;
	reconcile_again(st, why);
}

void store_repair(struct store *st, const struct store_repair *r, store_done_fn *done, void *arg)
{
	struct op *op;
	struct repairing *w;

	must(name_ok(r->service) && id_ok(r->rid));
	op = repair_op(st, r->service, r->rid, "look", looked_at);
	op->fn.done = done;
	op->arg = arg;
	op->record = xmalloc(sizeof(*op->record));
	*op->record = *r->good;
	w = op->extra = xcalloc(1, sizeof(*w));
	w->floor = r->floor;
	w->dry = r->dry_run;
	w->event = *r->event;
	TEXT_COPY(w->because, r->event->because ? r->event->because : "");
	if (r->condemned)
		w->condemned = *r->condemned;
	if (!store_is_up(st))
		answered_later(op, st->stage == SG_AWAY ? ST_DOWN : ST_NOT_LEADER, store_why_down(st));
	else if (!op_send(op))
		answered_later(op, ST_DOWN, st->why);
}
