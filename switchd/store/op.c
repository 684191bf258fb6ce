/* SPDX-License-Identifier: MIT
 * op.c - one exchange with Redis: sent, answered, asked again, or given up. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/buf.h"
#include "switchd/store/room.h"

enum { LOOK_MS = 50 };

/* ---- arguments ---- */

void args_add_n(struct args *a, const char *s, size_t n)
{
	if (a->n == a->cap) {
		a->cap = a->cap ? a->cap * 2 : 16;
		a->v = xrealloc(a->v, (size_t)a->cap * sizeof(*a->v));
		a->len = xrealloc(a->len, (size_t)a->cap * sizeof(*a->len));
	}
	char *copy = xmalloc(n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	a->v[a->n] = copy;
	a->len[a->n++] = n;
}

void args_add(struct args *a, const char *s) { args_add_n(a, s, strlen(s)); }

void args_addf(struct args *a, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	must(n >= 0 && (size_t)n < sizeof(text));
	args_add_n(a, text, (size_t)n);
}

void args_set(struct args *a, int i, const char *s)
{
	must(i < a->n);
	free(a->v[i]);
	a->v[i] = xstrdup(s);
	a->len[i] = strlen(s);
}

void args_free(struct args *a)
{
	for (int i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
	free(a->len);
	*a = (struct args){ 0 };
}

/* ---- replies ---- */

const char *reply_text(const redisReply *r, size_t i)
{
	if (r->type != REDIS_REPLY_ARRAY || i >= r->elements || r->element[i]->type != REDIS_REPLY_STRING ||
	    strlen(r->element[i]->str) != r->element[i]->len)
		return "";
	return r->element[i]->str;
}

bool reply_u64(const redisReply *r, size_t i, uint64_t *out)
{
	return text_u64(reply_text(r, i), out);
}

bool reply_is_answer(const redisReply *r, size_t at_least)
{
	return r->type == REDIS_REPLY_ARRAY && r->elements >= at_least && reply_text(r, 0)[0];
}

static bool says(const redisReply *r, const char *word)
{
	return r->type == REDIS_REPLY_ERROR && strstr(r->str, word);
}

/* Redis 7 starts the text with the word; before, it stands behind "ERR Error running script ...". */
enum store_result reply_error(struct store *st, const redisReply *r, char detail[256])
{
	text_printable(detail, 256, r->str, r->len);
	if (says(r, "READONLY")) /* a replica now: the next connection may find the primary */
		link_drop(st->link, "READONLY");
	if (says(r, "OOM ") || says(r, "MISCONF ") || says(r, "BUSY "))
		return ST_UNWRITABLE;
	return says(r, "WRONGTYPE") ? ST_BAD_DATA : ST_REFUSED;
}

/* ---- ops ---- */

struct op *op_new(struct store *st, int script, int n_keys, op_ended_fn *ended)
{
	struct op *op = xcalloc(1, sizeof(*op));

	op->st = st;
	op->script = script;
	op->n_keys = n_keys;
	op->term_arg = -1;
	op->past_memory = script >= 0 && script_goes_past_memory((enum script)script);
	op->ended = ended;
	op->next = st->ops;
	if (st->ops)
		st->ops->prev = op;
	st->ops = op;
	return op;
}

void op_free(struct op *op)
{
	must(!op->in_flight || !op->st->link);
	if (op->prev)
		op->prev->next = op->next;
	else
		op->st->ops = op->next;
	if (op->next)
		op->next->prev = op->prev;
	args_free(&op->args);
	free(op->record);
	free(op->condemned);
	free(op->extra);
	free(op);
}

void op_unknown(struct op *op)
{
	struct store *st = op->st;

	if (op->retry == RETRY_NEVER) {
		op->ended(op, NULL);
		return;
	}
	if (!op->unknown.us)
		op->unknown = mono_now();
	if (!ev_is_active(&st->lost)) {
		ev_timer_set(&st->lost, LOOK_MS / 1000.0, 0.);
		ev_timer_start(st->loop, &st->lost);
	}
}

static bool went_past_memory(const struct op *op) { return op->oom[0] != '\0'; }

static void on_reply(void *arg, const redisReply *r)
{
	struct op *op = arg;
	redisReply refusal;

	op->in_flight = false;
	if (!r) {
		op_unknown(op);
		return;
	}
	if (op->script >= 0 && !op->evaled && says(r, "NOSCRIPT")) {
		op->evaled = true; /* EVAL loads it again, under the same name */
		if (op_send(op))
			return;
		op_unknown(op);
		return;
	}
	if (op->past_memory && !went_past_memory(op) && says(r, "OOM ")) {
		text_copy(op->oom, sizeof(op->oom), r->str);
		if (!op_send(op))
			op_unknown(op);
		return;
	}
	if (went_past_memory(op) && says(r, "compiling")) { /* Redis 6: there is no such way, and memory is what is wanting */
		refusal = (redisReply){ .type = REDIS_REPLY_ERROR, .str = op->oom, .len = strlen(op->oom) };
		r = &refusal;
	}
	op->ended(op, r);
}

bool op_send(struct op *op)
{
	struct store *st = op->st;
	int head = op->script >= 0 ? 3 : 0, n = head + op->args.n;
	const char **argv = xcalloc((size_t)n, sizeof(*argv));
	size_t *lens = xcalloc((size_t)n, sizeof(*lens));
	char keys[16], term[24];

	if (op->term_arg >= 0) {
		TEXT_FORMAT(term, "%llu", (unsigned long long)st->term);
		args_set(&op->args, op->term_arg, term);
	}
	if (op->script >= 0) {
		bool past = went_past_memory(op), eval = past || op->evaled || !st->sha[op->script][0];

		TEXT_FORMAT(keys, "%d", op->n_keys);
		argv[0] = eval ? "EVAL" : "EVALSHA";
		argv[1] = past ? script_text_past_memory((enum script)op->script) : eval ? script_text((enum script)op->script) : st->sha[op->script];
		argv[2] = keys;
		op->evaled = eval;
	}
	for (int i = 0; i < head; i++)
		lens[i] = strlen(argv[i]);
	for (int i = 0; i < op->args.n; i++) {
		argv[head + i] = op->args.v[i];
		lens[head + i] = op->args.len[i];
	}
	op->sent = mono_now();
	op->in_flight = link_send(st->link, n, argv, lens, on_reply, op);
	free(argv);
	free(lens);
	return op->in_flight;
}

void op_drop(struct op *op, const redisReply *r)
{
	char detail[256];

	if (r && r->type == REDIS_REPLY_ERROR)
		reply_error(op->st, r, detail);
	op_free(op);
}

void op_resend(struct store *st, enum op_retry retry)
{
	for (struct op *op = st->ops; op; op = op->next)
		if (op->retry == retry && op->unknown.us && !op->in_flight) {
			op->evaled = false;
			if (!op_send(op))
				return;
		}
}

void op_expire(struct store *st)
{
	struct op *late = NULL;
	mono_us now = mono_now();
	bool some = false;

	for (struct op *op = st->ops; op; op = op->next) {
		if (!op->unknown.us)
			continue;
		some = true;
		if (!op->in_flight && mono_since_ms(now, op->unknown) >= RESOLVE_LOST_MS)
			late = op; /* the oldest is the last in the list */
	}
	if (some) {
		ev_timer_set(&st->lost, late ? 0. : LOOK_MS / 1000.0, 0.);
		ev_timer_start(st->loop, &st->lost);
	}
	if (late)
		late->ended(late, NULL);
}
