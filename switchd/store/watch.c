/* SPDX-License-Identifier: MIT
 * watch.c - a look at what stands, from time to time: another hand is noticed though nothing is committed. */
#include <stdlib.h>
#include <string.h>

#include "switchd/store/room.h"

struct looked { size_t n; char service[STORE_LOOK_MOST][NAME_MAX_LEN + 1]; };

static void looked(struct op *op, const redisReply *r)
{
	struct store_looked seen[STORE_LOOK_MOST];
	struct looked *l = op->extra;
	store_look_fn *fn = op->fn.look;
	void *arg = op->arg;
	bool answer = r && reply_is_answer(r, 2), leading = op->term_arg >= 0;
	const char *code = answer ? reply_text(r, 0) : "";
	const redisReply *list = answer ? r->element[1] : NULL;
	struct store *st = op->st;
	size_t n = l->n;

	op->extra = NULL;
	op_free(op);
	/* Noticed earlier than by the renewal of the lease. */
	if (leading && strcmp(code, "NEWSTORE") == 0)
		reconcile_again(st, "the store's history changed");
	else if (leading && strcmp(code, "NOTLEADER") == 0)
		lease_lost(st, "the lease is not ours any more");
	else if (leading && strcmp(code, "REPLICA") == 0)
		link_drop(st->link, "it is a replica now");
	if (strcmp(code, "OK") == 0 && list->type == REDIS_REPLY_ARRAY && list->elements == 2 * n) {
		for (size_t i = 0; i < n; i++) {
			const char *mark = reply_text(list, 2 * i + 1);
			bool gone = strcmp(mark, "public-gone") == 0;

			seen[i] = (struct store_looked){ l->service[i], reply_text(list, 2 * i), gone ? "" : mark, gone };
		}
		fn(arg, seen, n);
	}
	free(l);
}

void store_look(struct store *st, const char *const *services, size_t n, store_look_fn *fn, void *arg)
{
	static const char *const kinds[] = { "s:%s", "a:%s", "x:%s" };
	struct op *op;
	struct looked *l;
	char key[256], tail[80];

	must(n <= STORE_LOOK_MOST);
	if (!n || store_state(st) == STORE_AWAY)
		return;
	op = op_new(st, SC_WATCH, (int)(2 + 3 * n), looked);
	l = op->extra = xcalloc(1, sizeof(*l));
	op->fn.look = fn;
	op->arg = arg;
	l->n = n;
	store_key(st, key, "meta");
	args_add(&op->args, key);
	store_key(st, key, "lease");
	args_add(&op->args, key);
	for (size_t i = 0; i < n; i++) {
		must(name_ok(services[i]) && TEXT_COPY(l->service[i], services[i]));
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			TEXT_FORMAT(tail, "%.2s%s", kinds[k], services[i]);
			store_key(st, key, "%s", tail);
			args_add(&op->args, key);
		}
	}
	args_add(&op->args, store_is_up(st) ? st->owner : "");
	if (store_is_up(st))
		op->term_arg = op->args.n;
	args_add(&op->args, "0");
	if (!op_send(op))
		op_free(op);
}

void store_reconcile(struct store *st, const char *why) { reconcile_again(st, why); }
