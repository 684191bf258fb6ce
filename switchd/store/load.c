/* SPDX-License-Identifier: MIT
 * load.c - records in: what Redis holds is somebody else's word until it has been checked. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/record.h"
#include "switchd/store/room.h"

static bool is_string(const redisReply *r) { return r->type == REDIS_REPLY_STRING; }

static bool same(const redisReply *field, const char *want)
{
	return is_string(field) && field->len == strlen(want) && memcmp(field->str, want, field->len) == 0;
}

static bool same_u64(const redisReply *field, uint64_t want)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, want);
	return same(field, text);
}

enum decoded load_record(const redisReply *r, struct record *out, char *why, size_t why_size)
{
	static const char *const names[N_FIELDS] = { RECORD_FIELDS };
	struct redisReply **f = r->element;
	struct record *rec;
	size_t nils = 0, bad = N_FIELDS;

	if (r->type != REDIS_REPLY_ARRAY || r->elements != N_FIELDS) {
		text_copy(why, why_size, "not the fields of a record");
		return DEC_BAD;
	}
	for (size_t i = 0; i < N_FIELDS; i++)
		nils += f[i]->type == REDIS_REPLY_NIL;
	if (nils == N_FIELDS)
		return DEC_NONE;
	if (!is_string(f[F_DOC])) {
		text_copy(why, why_size, "no doc");
		return DEC_BAD;
	}
	rec = xcalloc(1, sizeof(*rec));
	if (!record_parse_text(f[F_DOC]->str, f[F_DOC]->len, rec, why, why_size)) {
		free(rec);
		return DEC_BAD;
	}
	/* The script judges by the fields, readers by the document: they must say the same. */
	if (!same_u64(f[F_GEN], rec->v.gen) || rec->v.gen == 0)
		bad = F_GEN;
	else if (!same_u64(f[F_EPOCH], rec->v.epoch))
		bad = F_EPOCH;
	else if (!same_u64(f[F_REV], rec->rev))
		bad = F_REV;
	else if (!same(f[F_CID], rec->cid) || !id_ok(rec->cid))
		bad = F_CID;
	else if (!same(f[F_ACTIVE], slot_name(rec->active)))
		bad = F_ACTIVE;
	else if (!same(f[F_SHIELD], rec->shield ? "shield" : "plain"))
		bad = F_SHIELD;
	else if (!same(f[F_PHASE], phase_name(rec->phase)))
		bad = F_PHASE;
	else if (!same(f[F_HOLD], rec->hold.on ? "1" : "0"))
		bad = F_HOLD;
	else if (!same(f[F_BLUE], rec->slot[BLUE].id))
		bad = F_BLUE;
	else if (!same(f[F_GREEN], rec->slot[GREEN].id))
		bad = F_GREEN;
	if (bad < N_FIELDS)
		text_format(why, why_size, "field %s does not agree with the document", names[bad]);
	else
		*out = *rec;
	free(rec);
	return bad < N_FIELDS ? DEC_BAD : DEC_OK;
}

bool load_condemned(const redisReply *r, struct condemned_set *out, char *why, size_t why_size)
{
	out->n = 0;
	if (r->type != REDIS_REPLY_ARRAY || r->elements % 2 || r->elements / 2 > MAX_CONDEMNED) {
		text_copy(why, why_size, "not a list of condemned releases");
		return false;
	}
	for (size_t i = 0; i < r->elements; i += 2) {
		const redisReply *name = r->element[i], *value = r->element[i + 1];
		json_t *j = is_string(name) && is_string(value) ? json_loadb(value->str, value->len, JSON_REJECT_DUPLICATES, NULL) : NULL;
		bool ok = j && condemned_parse(j, &out->list[out->n]) && same(name, out->list[out->n].release);

		json_decref(j);
		if (!ok) {
			out->n = 0;
			text_copy(why, why_size, "a condemned release that cannot be read");
			return false;
		}
		out->n++;
	}
	return true;
}

/* ---- one read of both ---- */

static void got(struct op *op, const redisReply *r)
{
	static const redisReply done = { .type = REDIS_REPLY_NIL };
	enum decoded d = DEC_BAD;

	if (!r) {
		op->then(op, NULL);
		return;
	}
	if (r->type == REDIS_REPLY_ERROR)
		op->index = (size_t)reply_error(op->st, r, op->why);
	else if (reply_is_answer(r, 2) && strcmp(reply_text(r, 0), "BAD") == 0)
		TEXT_FORMAT(op->why, "%.200s", reply_text(r, 1));
	else if (!reply_is_answer(r, 4) || strcmp(reply_text(r, 0), "OK") != 0)
		TEXT_COPY(op->why, "an answer that is none of the script's");
	else if ((d = load_record(r->element[2], op->record, op->why, sizeof(op->why))) != DEC_BAD &&
		 !load_condemned(r->element[3], op->condemned, op->why, sizeof(op->why)))
		d = DEC_BAD;
	op->none = d == DEC_NONE;
	op->bad = d == DEC_BAD;
	op->then(op, &done);
}

struct op *load_new(struct store *st, const char *service, enum op_retry retry, op_ended_fn *then)
{
	struct op *op = op_new(st, SC_LOAD, 2, got);
	char key[256];

	must(name_ok(service) && TEXT_COPY(op->service, service));
	op->retry = retry;
	op->then = then;
	op->record = xcalloc(1, sizeof(*op->record));
	op->condemned = xcalloc(1, sizeof(*op->condemned));
	op->index = ST_BAD_DATA;
	store_key(st, key, "s:%s", service);
	args_add(&op->args, key);
	store_key(st, key, "x:%s", service);
	args_add(&op->args, key);
	args_addf(&op->args, "%d", DOC_MAX);
	args_addf(&op->args, "%d", CONDEMNED_BYTES_MAX);
	return op;
}

static void loaded(struct op *op, const redisReply *r)
{
	struct store_answer a = { .result = r ? ST_OK : ST_LOST };
	struct record *record = op->record;
	struct condemned_set *condemned = op->condemned;
	store_done_fn *done = op->fn.done;
	void *arg = op->arg;

	if (op->bad) {
		a.result = (enum store_result)op->index;
		TEXT_COPY(a.detail, op->why);
	} else if (r) {
		a.none = op->none;
		a.record = op->none ? NULL : record;
		a.condemned = condemned;
	}
	a.us = mono_since_us(mono_now(), op->sent);
	op->record = NULL;
	op->condemned = NULL;
	op_free(op);
	done(arg, &a);
	free(record);
	free(condemned);
}

void store_load(struct store *st, const char *service, store_done_fn *done, void *arg)
{
	struct op *op = load_new(st, service, RETRY_WHEN_CONNECTED, loaded);

	store_service(st, service);
	op->fn.done = done;
	op->arg = arg;
	if (op_send(op))
		return;
	op_free(op);
	struct later *l = store_later(st, LATER_DONE, arg);

	l->fn.done = done;
	l->result = ST_DOWN;
	TEXT_COPY(l->detail, st->why);
}
