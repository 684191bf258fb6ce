/* SPDX-License-Identifier: MIT
 * standby.c - a controller that does not lead stands by warm: it knows who leads, and what is committed.
 *
 * The lease is asked for at least twice a second; each refusal says where the stream of events ends.  When it
 * grew, the services that it is about are named to the engine, which reads their records. */
#include <stdlib.h>
#include <string.h>

#include "switchd/store/room.h"

enum { ENTRIES_AT_ONCE = 256 };

struct standby {
	char last[44];                  /* of the stream, as of the last look; "" = never looked */
	uint64_t gen, seq;
	bool looking;
	store_changed_fn *fn; void *arg;
};

static struct standby *of(struct store *st)
{
	if (!st->standby)
		st->standby = xcalloc(1, sizeof(*st->standby));
	return st->standby;
}

void store_watch(struct store *st, store_changed_fn *fn, void *arg)
{
	of(st)->fn = fn;
	st->standby->arg = arg;
}

static void tell(const struct standby *s, const char *service)
{
	if (s->fn)
		s->fn(s->arg, service);
}

static void looked(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct standby *s = st->standby;
	bool whole = op->args.v[op->n_keys][0] == '\0';
	uint64_t gen;

	op_free(op);
	if (st->freeing)
		return;
	s->looking = false;
	if (!r || st->stage != SG_FOLLOWING)
		return;
	if (r->type == REDIS_REPLY_ERROR || !reply_is_answer(r, 5) || strcmp(reply_text(r, 0), "OK") != 0 || !reply_u64(r, 2, &gen) ||
	    r->element[4]->type != REDIS_REPLY_ARRAY || !TEXT_COPY(s->last, reply_text(r, 3))) {
		s->last[0] = '\0';
		return;
	}
	if (whole || reply_text(r, 1)[0]) {
		tell(s, "");
		return;
	}
	for (size_t i = 0; i < r->element[4]->elements; i++)
		if (name_ok(reply_text(r->element[4], i)))
			tell(s, reply_text(r->element[4], i));
}

static void look(struct store *st)
{
	struct standby *s = st->standby;
	struct op *op;
	char key[256];

	if (s->looking)
		return;
	op = op_new(st, SC_CHANGED, 2, looked);
	store_key(st, key, "meta");
	args_add(&op->args, key);
	store_key(st, key, "ev");
	args_add(&op->args, key);
	args_add(&op->args, s->last);
	args_addf(&op->args, "%d", ENTRIES_AT_ONCE);
	s->looking = op_send(op);
	if (!s->looking)
		op_free(op);
}

void standby_look(struct store *st, uint64_t gen, uint64_t seq)
{
	struct standby *s = of(st);

	if (s->last[0] && gen == s->gen && seq == s->seq)
		return;
	if (gen != s->gen)
		s->last[0] = '\0'; /* another history: all of it may be another */
	s->gen = gen;
	s->seq = seq;
	look(st);
}

void standby_push(struct store *st, const char *service)
{
	if (st->stage == SG_FOLLOWING)
		tell(of(st), service);
}

/* What we knew of the stream is as old as the connection that is gone. */
void standby_stop(struct store *st)
{
	struct standby *s = of(st);

	s->last[0] = '\0';
	s->gen = s->seq = 0;
}

void standby_free(struct store *st)
{
	free(st->standby);
	st->standby = NULL;
}
