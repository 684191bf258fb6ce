/* SPDX-License-Identifier: MIT
 * durable.c - do replicas have what was committed?  WAIT, one at a time on the connection that committed.
 *
 * A commit is told at once: who waits for replicas before it moves traffic back only prolongs an outage.  What WAIT says
 * comes after it.  It speaks of everything that this connection wrote before, so one in flight is enough. */
#include <inttypes.h>

#include "switchd/store/room.h"

enum { WAIT_MS = 200 };

static void send_wait(struct store *st);

static void tell(struct store *st, uint64_t gen, uint64_t seq, int acked)
{
	if (st->risk_fn)
		st->risk_fn(st->risk_arg, gen, seq, acked);
}

static void waited(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	uint64_t gen = st->wait_gen, seq = st->wait_seq;
	char detail[256];
	int acked = r && r->type == REDIS_REPLY_INTEGER && r->integer >= 0 && r->integer < 1000 ? (int)r->integer : -1;

	if (r && r->type == REDIS_REPLY_ERROR) {
		reply_error(st, r, detail);
		log_warn("store", "what=\"replicas could not be waited for\" why=%s", LOG_Q(detail));
	}
	op_free(op);
	st->waiting = false;
	if (st->freeing)
		return;
	if (st->commit_seq > seq && st->gen == gen && link_is_up(st->link))
		send_wait(st);
	else if (st->commit_seq == seq)
		st->commit_seq = 0; /* all that there is was said */
	tell(st, gen, seq, acked);
}

static void send_wait(struct store *st)
{
	struct op *op = op_new(st, -1, 0, waited);

	st->wait_gen = st->gen;
	st->wait_seq = st->commit_seq;
	args_add(&op->args, "WAIT");
	args_addf(&op->args, "%d", st->replicas);
	args_addf(&op->args, "%d", WAIT_MS);
	st->waiting = op_send(op);
	if (!st->waiting)
		op_free(op);
}

void durable_committed(struct store *st, uint64_t seq)
{
	if (!st->replicas)
		return;
	st->commit_seq = seq;
	if (!st->waiting)
		send_wait(st);
}

/* The link went down: what was not said by now is not known, and never will be. */
void durable_away(struct store *st)
{
	uint64_t seq = st->commit_seq;

	st->commit_seq = 0;
	if (seq)
		tell(st, st->gen, seq, -1);
}

int store_replicas(const struct store *st) { return st ? st->replicas : 0; }

void store_watch_risk(struct store *st, store_risk_fn *fn, void *arg)
{
	st->risk_fn = fn;
	st->risk_arg = arg;
}
