/* SPDX-License-Identifier: MIT
 * commit.c - records out: one script call, and what its answer means. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/failpoint.h"
#include "switchd/core/record.h"
#include "switchd/store/room.h"

static char *dump(json_t *j)
{
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	return text;
}

/* What came from a journal or a document may be of a newer schema than the store. */
char *commit_doc(const struct store *st, const struct record *r)
{
	json_t *j = record_json(r);

	if (j && st->schema < 2)
		json_object_del(j, "requests");
	return dump(j);
}

void commit_record_args(struct args *a, const struct record *r)
{
	args_add(a, slot_name(r->active));
	args_add(a, r->shield ? "shield" : "plain");
	args_add(a, phase_name(r->phase));
	args_add(a, r->hold.on ? "1" : "0");
	args_add(a, r->slot[BLUE].id);
	args_add(a, r->slot[GREEN].id);
}

static void commit_keys(struct op *op, const struct commit *c)
{
	char key[256];

	store_key(op->st, key, "meta");
	args_add(&op->args, key);
	store_key(op->st, key, "lease");
	args_add(&op->args, key);
	store_key(op->st, key, "s:%s", c->service);
	args_add(&op->args, key);
	store_key(op->st, key, "a:%s", c->service);
	args_add(&op->args, key);
	store_key(op->st, key, "x:%s", c->service);
	args_add(&op->args, key);
	store_key(op->st, key, "ev");
	args_add(&op->args, key);
	store_key(op->st, key, "q:%s", c->rid);
	args_add(&op->args, key);
}

/* False when something is no valid text (UTF-8): then nothing can be sent. */
static bool commit_args(struct op *op, const struct commit *c)
{
	struct record *next = op->record;
	struct args *a = &op->args;
	bool fresh = c->expect_rev == 0;
	char *doc = commit_doc(op->st, next), *condemned = c->condemn ? dump(condemned_json(c->condemn)) : xstrdup("");
	bool ok = doc && condemned;

	commit_keys(op, c);
	args_add(a, c->rid);
	args_add(a, op->st->owner);
	op->term_arg = a->n;
	args_add(a, "0");
	args_add(a, move_mode_name(c->mode));
	args_add(a, c->service);
	if (fresh) {
		args_add(a, "");
		args_add(a, "");
		args_add(a, "");
	} else {
		args_addf(a, "%" PRIu64, c->expect_v.gen);
		args_addf(a, "%" PRIu64, c->expect_v.epoch);
		args_addf(a, "%" PRIu64, c->expect_rev);
	}
	args_addf(a, "%" PRIu64, next->v.epoch);
	commit_record_args(a, next);
	args_add(a, next->active == NO_SLOT ? "" : next->slot[next->active].digest);
	args_add(a, doc ? doc : "");
	args_add(a, c->condemn ? c->condemn->release : "");
	args_add(a, c->condemn ? c->condemn->digest : "");
	args_add(a, condemned ? condemned : "");
	args_add(a, c->pardon ? c->pardon : "");
	args_addf(a, "%" PRIu64, events_most(op->st, c->n_events));
	args_addf(a, "%" PRIu64, next->v.gen);
	for (size_t i = 0; ok && i < c->n_events; i++) {
		char *event = dump(event_json(&c->events[i]));

		ok = event != NULL;
		args_add(a, event ? event : "");
		free(event);
	}
	free(doc);
	free(condemned);
	return ok;
}

static enum store_result result_of(const char *code)
{
	static const struct { const char *code; enum store_result result; } codes[] = {
		{ "OK", ST_OK }, { "DUP", ST_OK }, { "STALE", ST_CONFLICT }, { "HELD", ST_HELD }, { "CONDEMNED", ST_CONDEMNED },
		{ "NOTLEADER", ST_NOT_LEADER }, { "NEWSTORE", ST_NEWSTORE }, { "RESTAMP", ST_NEWSTORE }, { "BAD", ST_BAD_DATA },
		{ "BADARG", ST_REFUSED }, { "SCHEMA", ST_REFUSED },
	};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].result;
	return N_STORE_RESULTS;
}

/* The script's answer into ours.  False: not an answer of the script at all. */
static bool understand(struct op *op, const redisReply *r, struct store_answer *a)
{
	const char *code = reply_text(r, 0);
	uint64_t seq, t;
	char why[200];

	if (!reply_is_answer(r, 5) || result_of(code) == N_STORE_RESULTS || !reply_u64(r, 2, &seq) || !reply_u64(r, 3, &t))
		return false;
	a->result = result_of(code);
	a->seq = seq;
	a->committed_us = (int64_t)t;
	a->dup = strcmp(code, "DUP") == 0;
	TEXT_FORMAT(a->detail, "%.200s", reply_text(r, 1));
	if (strcmp(code, "OK") == 0) {
		a->record = op->record;
		TEXT_FORMAT(a->stream_id, "%" PRIu64 "-%" PRIu64, op->record->v.gen, seq + 1 - (op->n_events ? op->n_events : 1));
		op->st->seq = seq;
		return true;
	}
	if (a->dup && reply_text(r, 1)[0])
		TEXT_FORMAT(a->stream_id, "%.20s-%" PRIu64, reply_text(r, 1), seq + 1 - (op->n_events ? op->n_events : 1));
	switch (load_record(r->element[4], op->record, why, sizeof(why))) {
	case DEC_OK:
		a->record = op->record;
		break;
	case DEC_NONE:
		a->none = true;
		break;
	case DEC_BAD: /* whatever it refused for: there is no record to look at */
		a->result = ST_BAD_DATA;
		TEXT_COPY(a->detail, why);
		break;
	}
	return true;
}

static void answer(struct op *op, const struct store_answer *a)
{
	struct record *record = op->record;
	store_done_fn *done = op->fn.done;
	void *arg = op->arg;

	op->record = NULL;
	op_free(op);
	done(arg, a);
	free(record);
}

static void committed(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct store_answer a = { .us = mono_since_us(mono_now(), op->sent) };

	if (!r) {
		a.result = ST_LOST;
		st->top_known = false; /* it may have landed */
		TEXT_COPY(a.detail, "no answer, and asking again gave none either");
		answer(op, &a);
		return;
	}
	if (r->type == REDIS_REPLY_ERROR) {
		a.result = reply_error(st, r, a.detail);
	} else if (!understand(op, r, &a)) {
		link_drop(st->link, "an answer that is none of the commit script's");
		op_unknown(op);
		return;
	}
	FAILPOINT("store.after-commit");
	if (a.dup)
		st->top_known = false;
	if (a.result == ST_OK)
		durable_committed(st, a.seq);
	if (a.result == ST_NOT_LEADER)
		lease_lost(st, "the lease is not ours any more");
	else if (a.result == ST_NEWSTORE)
		reconcile_again(st, "the store's history changed");
	answer(op, &a);
}

static void refuse_later(struct store *st, enum store_result result, const char *detail, store_done_fn *done, void *arg)
{
	struct later *l = store_later(st, LATER_DONE, arg);

	l->fn.done = done;
	l->result = result;
	TEXT_COPY(l->detail, detail);
}

/* A version that this generation cannot give: proxies or journal are ahead of the store by more than this commit tells. */
static bool is_ahead(const struct store *st, const struct commit *c)
{
	return c->next->v.gen > st->gen || (c->expect_rev && c->next->v.epoch > c->expect_v.epoch + (c->n_events ? c->n_events : 1));
}

void store_commit(struct store *st, const struct commit *c, store_done_fn *done, void *arg)
{
	must(name_ok(c->service) && id_ok(c->rid) && (!c->pardon || id_ok(c->pardon)) && (!c->condemn || id_ok(c->condemn->release)));
	store_service(st, c->service);
	if (!store_is_up(st)) {
		refuse_later(st, st->stage == SG_RECONCILING ? ST_NEWSTORE : st->stage == SG_ACQUIRING || st->stage == SG_FOLLOWING ? ST_NOT_LEADER : ST_DOWN,
			     store_why_down(st), done, arg);
		return;
	}
	if (is_ahead(st, c)) {
		st->force_floor = c->next->v.gen > st->gen ? c->next->v.gen : st->gen;
		reconcile_again(st, "a higher version is known than the store has");
		refuse_later(st, ST_NEWSTORE, "a higher version is known than the store has", done, arg);
		return;
	}
	struct op *op = op_new(st, SC_COMMIT, 7, committed);

	TEXT_COPY(op->service, c->service);
	op->retry = RETRY_WHEN_UP;
	op->past_memory = c->past_memory;
	op->fn.done = done;
	op->arg = arg;
	op->n_events = c->n_events;
	op->record = xmalloc(sizeof(*op->record));
	*op->record = *c->next;
	op->record->v.gen = st->gen; /* a record of an older generation is restamped before it is committed upon */
	op->record->rev = c->expect_rev + 1;
	TEXT_COPY(op->record->cid, c->rid);
	if (!commit_args(op, c)) {
		op_free(op);
		refuse_later(st, ST_REFUSED, "something in it is no valid text", done, arg);
		return;
	}
	FAILPOINT("store.before-commit");
	if (op_send(op))
		return;
	op_free(op);
	refuse_later(st, ST_DOWN, st->why, done, arg);
}
