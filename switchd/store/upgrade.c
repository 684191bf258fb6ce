/* SPDX-License-Identifier: MIT
 * upgrade.c - a store of schema 1 becomes one of 2, when a person says so: meta first, then each service's public record. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/record.h"
#include "switchd/store/room.h"

struct upgrade {
	struct store_upgraded so_far;
	store_upgrade_fn *fn;
	void *arg;
	bool dry;
	size_t at;              /* service under the hand */
	uint64_t gen;
};

static void over(void *arg)
{
	struct upgrade *u = arg;

	u->fn(u->arg, &u->so_far);
	free(u);
}

static void failed(struct store *st, struct upgrade *u, enum store_result result, const char *detail)
{
	u->so_far.result = result;
	TEXT_FORMAT(u->so_far.detail, "%.200s", detail);
	store_later(st, LATER_PLAIN, u)->fn.plain = over;
}

static void said(struct op *op, const redisReply *r);

static void ask(struct store *st, struct upgrade *u, const char *verb, const char *service, const char *event)
{
	struct op *op = op_new(st, SC_UPGRADE, 5, said);
	char key[256];

	store_key(st, key, "meta");
	args_add(&op->args, key);
	store_key(st, key, "lease");
	args_add(&op->args, key);
	store_key(st, key, "ev");
	args_add(&op->args, key);
	store_key(st, key, "s:%s", service);
	args_add(&op->args, key);
	store_key(st, key, "a:%s", service);
	args_add(&op->args, key);
	args_add(&op->args, verb);
	args_add(&op->args, st->owner);
	op->term_arg = op->args.n;
	args_add(&op->args, "0");
	args_add(&op->args, u->dry ? "look" : "write");
	args_add(&op->args, service);
	args_addf(&op->args, "%" PRIu64, u->gen);
	args_addf(&op->args, "%" PRIu64, events_most(st, 1));
	args_add(&op->args, event);
	op->arg = u;
	op->index = service[0] != '\0';
	if (op_send(op))
		return;
	op_free(op);
	failed(st, u, ST_DOWN, st->why);
}

static void next(struct store *st, struct upgrade *u)
{
	if (u->at < st->n_services)
		ask(st, u, "service", st->services[u->at++], "");
	else
		over(u);
}

static void said(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct upgrade *u = op->arg;
	bool of_service = op->index;
	uint64_t n, seq;
	char detail[256];

	op_free(op);
	if (!r) {
		failed(st, u, ST_LOST, "no answer: ask again, what was done is done once");
		return;
	}
	if (r->type == REDIS_REPLY_ERROR) {
		enum store_result result = reply_error(st, r, detail);

		failed(st, u, result, detail);
		return;
	}
	if (!reply_is_answer(r, 3) || strcmp(reply_text(r, 0), "OK") != 0 || !reply_u64(r, 2, &n)) {
		TEXT_FORMAT(detail, "%s %.200s", reply_text(r, 0), reply_text(r, 1));
		failed(st, u, strcmp(reply_text(r, 0), "NOTLEADER") == 0 ? ST_NOT_LEADER : strcmp(reply_text(r, 0), "NEWSTORE") == 0 ? ST_NEWSTORE : ST_REFUSED,
		       detail);
		return;
	}
	if (of_service) {
		u->so_far.rewritten += n;
	} else {
		u->so_far.from = (int)n;
		if (reply_u64(r, 1, &seq))
			st->seq = seq;
	}
	next(st, u);
}

void store_upgrade(struct store *st, const struct event *e, bool dry_run, store_upgrade_fn *fn, void *arg)
{
	struct upgrade *u = xcalloc(1, sizeof(*u));
	json_t *j = event_json(e);
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	u->fn = fn;
	u->arg = arg;
	u->dry = dry_run;
	u->gen = st->gen;
	if (!store_is_up(st))
		failed(st, u, st->stage == SG_AWAY ? ST_DOWN : ST_NOT_LEADER, store_why_down(st));
	else if (!text)
		failed(st, u, ST_REFUSED, "something in it is no valid text");
	else
		ask(st, u, "schema", "", text);
	free(text);
	json_decref(j);
}
