/* SPDX-License-Identifier: MIT
 * lease.c - who leads: a key with a time to live, and a term that fences the one before.
 *
 * The lease is for liveness only; what keeps two leaders apart is the script, which compares
 * term and owner at each commit.  Our own clock makes us stop earlier than the key ends. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/failpoint.h"
#include "switchd/store/room.h"

int64_t lease_margin_ms(const struct store *st)
{
	return st->ttl_ms / 3 < OWN_SPEED_MARGIN_MS ? st->ttl_ms / 3 : OWN_SPEED_MARGIN_MS;
}

static struct op *lease_op(struct store *st, const char *verb, op_ended_fn *ended)
{
	struct op *op = op_new(st, SC_LEASE, 3, ended);
	char key[256];

	store_key(st, key, "meta");
	args_add(&op->args, key);
	store_key(st, key, "lease");
	args_add(&op->args, key);
	store_key(st, key, "ev");
	args_add(&op->args, key);
	args_add(&op->args, verb);
	args_add(&op->args, st->owner);
	op->term_arg = op->args.n;
	args_add(&op->args, "0");
	args_addf(&op->args, "%lld", (long long)st->ttl_ms);
	args_add(&op->args, st->url);
	return op;
}

static void good_until(struct store *st, mono_us sent)
{
	/* From the sending, not from the answer: the key's time began somewhere between the two. */
	st->lease_until = mono_plus_ms(sent, st->ttl_ms - lease_margin_ms(st));
	if (st->stage == SG_READY)
		store_stage(st, SG_READY, "");
}

static void retry_in(struct store *st, int64_t ms)
{
	ev_timer_stop(st->loop, &st->retry);
	ev_timer_set(&st->retry, (double)ms / 1000, 0.);
	ev_timer_start(st->loop, &st->retry);
}

static bool survey_of(const redisReply *r, struct survey *out, uint64_t *term)
{
	*out = (struct survey){ 0 };
	if (!reply_is_answer(r, 9) || !reply_u64(r, 2, term))
		return false;
	out->has_gen = reply_u64(r, 3, &out->gen) && out->gen > 0;
	if (!reply_u64(r, 4, &out->seq))
		out->seq = 0;
	out->replicas = strcmp(reply_text(r, 7), "0") != 0;
	TEXT_COPY(out->v, reply_text(r, 8));
	return TEXT_COPY(out->lin, reply_text(r, 5)) && TEXT_COPY(out->lineage, reply_text(r, 6)) && out->lineage[0];
}

/* A store without a generation gets ours (newgen.lua). */
static int schema_of(const struct survey *s) { return !s->has_gen || strcmp(s->v, "2") == 0 ? STORE_SCHEMA : 1; }

/* The script looks who leads before it writes: refused at that write, it found nobody else, and while it lasts nobody else can take
 * the lease.  (BUSY, and what is refused before a script begins, says nothing of it.) */
static bool nobody_leads(const redisReply *r) { return r->type == REDIS_REPLY_ERROR && strstr(r->str, "MISCONF ") && strstr(r->str, "script:"); }

static void refused(struct store *st, const char *what, const redisReply *r)
{
	char why[256], detail[256];

	if (r->type == REDIS_REPLY_ERROR)
		reply_error(st, r, detail);
	else if (reply_is_answer(r, 2))
		TEXT_FORMAT(detail, "%s %.200s", reply_text(r, 0), reply_text(r, 1));
	else
		TEXT_COPY(detail, "an answer that is none");
	TEXT_FORMAT(why, "%s: %.200s", what, detail);
	store_stage(st, SG_ACQUIRING, why);
	retry_in(st, RETRY_MS);
}

/* HELDBY "<term> <owner> <url> <ms left>": we stand by.  A lease of the version before has no url. */
static void led_by_another(struct store *st, const redisReply *r)
{
	char held[256], why[256], *owner, *ms;
	uint64_t left, gen, seq;

	TEXT_COPY(held, reply_text(r, 1));
	owner = strchr(held, ' ');
	ms = strrchr(held, ' ');
	if (!owner || !ms || owner == ms || !text_u64(ms + 1, &left) || left > FOLLOW_MS)
		left = FOLLOW_MS; /* a clean stop gives it back early: do not sleep through that */
	if (ms)
		*ms = '\0';
	text_printable(st->leader, sizeof(st->leader), owner ? owner + 1 : "", owner ? strlen(owner + 1) : 0);
	TEXT_FORMAT(why, "another switchd leads: %.200s", st->leader);
	if (st->stage != SG_FOLLOWING || strcmp(why, st->why) != 0)
		store_stage(st, SG_FOLLOWING, why);
	retry_in(st, (int64_t)left + 10);
	if (reply_u64(r, 3, &gen) && reply_u64(r, 4, &seq))
		standby_look(st, gen, seq);
}

static void acquired(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct survey survey;
	mono_us sent = op->sent;
	uint64_t term;

	bool again = st->acquire_again;

	op_free(op);
	st->acquiring = st->acquire_again = false;
	if (!r || st->freeing || (st->stage != SG_ACQUIRING && st->stage != SG_FOLLOWING))
		return; /* the link tells what follows */
	if (r->type != REDIS_REPLY_ARRAY || strcmp(reply_text(r, 0), "HELDBY") != 0) {
		if (strcmp(reply_text(r, 0), "OK") != 0 || !survey_of(r, &survey, &term)) {
			if (nobody_leads(r))
				st->another = false;
			refused(st, "lease", r);
			return;
		}
		st->term = term;
		st->schema = schema_of(&survey);
		st->another = false;
		good_until(st, sent);
		ev_timer_stop(st->loop, &st->retry);
		ev_timer_stop(st->loop, &st->renew);
		ev_timer_set(&st->renew, (double)st->ttl_ms / 3000, (double)st->ttl_ms / 3000);
		ev_timer_start(st->loop, &st->renew);
		log_debug("lease", "term=%llu", (unsigned long long)term);
		st->leader[0] = '\0';
		reconcile_start(st, &survey);
		return;
	}
	st->another = true;
	led_by_another(st, r);
	if (again)
		lease_acquire(st);
}

void lease_acquire(struct store *st)
{
	struct op *op;

	ev_timer_stop(st->loop, &st->renew);
	ev_timer_stop(st->loop, &st->retry);
	if (st->stage != SG_ACQUIRING && st->stage != SG_FOLLOWING) /* who follows goes on following while it asks */
		store_stage(st, SG_ACQUIRING, "acquiring the lease");
	/* One at a time: two that succeed are two terms, and the answer of the first would tell the one that is over. */
	if (st->acquiring) {
		st->acquire_again = true;
		return;
	}
	FAILPOINT("store.lease");
	op = lease_op(st, "acquire", acquired);
	st->acquiring = op_send(op);
	if (!st->acquiring)
		op_free(op);
}

void lease_lost(struct store *st, const char *why)
{
	if (st->stage != SG_READY && st->stage != SG_RECONCILING)
		return;
	reconcile_stop(st);
	st->lease_until = (mono_us){ 0 };
	st->another = true; /* or nobody: the next answer says */
	store_stage(st, SG_ACQUIRING, why);
	lease_acquire(st);
}

/* Asked for the lease until it is given: that is a write as well.  Nobody else is known to lead meanwhile. */
void store_do_without(struct store *st, const char *why)
{
	if (st->stage != SG_READY && st->stage != SG_RECONCILING)
		return;
	reconcile_stop(st);
	ev_timer_stop(st->loop, &st->renew);
	st->lease_until = (mono_us){ 0 };
	store_stage(st, SG_ACQUIRING, why);
	retry_in(st, RETRY_MS);
}

/* Agents then hear of a commit when they read the next time, 30 s later at most. */
static void unpublished(struct store *st, const char *why)
{
	char text[160];

	text_printable(text, sizeof(text), why, strlen(why));
	if (text[0] && strcmp(text, st->unpublished) != 0)
		log_error("lease", "what=\"nothing can be published: agents are told late\" why=%s", LOG_Q(text));
	TEXT_COPY(st->unpublished, text);
}

static void renewed(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct survey survey;
	mono_us sent = op->sent;
	uint64_t term;

	op_free(op);
	st->renewing = false;
	if (!r || st->freeing || (st->stage != SG_READY && st->stage != SG_RECONCILING))
		return;
	if (r->type == REDIS_REPLY_ERROR) {
		char detail[256];

		/* NOREPLICAS, MISCONF...: asked again at the next third; our own clock ends it if that lasts. */
		bool unwritable = reply_error(st, r, detail) == ST_UNWRITABLE;

		log_warn("lease", "what=\"not renewed\" why=%s", LOG_Q(detail));
		if (unwritable && mono_now().us >= st->lease_until.us)
			store_do_without(st, detail);
		return;
	}
	if (strcmp(reply_text(r, 0), "OK") != 0 || !survey_of(r, &survey, &term)) {
		lease_lost(st, "the lease is not ours any more");
		return;
	}
	if (term != st->term)
		return;
	unpublished(st, reply_text(r, 1));
	st->schema = schema_of(&survey); /* a person may have upgraded it */
	good_until(st, sent);
	/* The store was emptied, restored or promoted under an open connection. */
	if (st->stage == SG_READY && (!survey.has_gen || survey.gen != st->gen || strcmp(survey.lineage, st->lineage) != 0 ||
				      strcmp(survey.lin, survey.lineage) != 0))
		reconcile_start(st, &survey);
}

static void on_renew(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct store *st = w->data;
	struct op *op;

	(void)loop;
	(void)revents;
	if (st->renewing || (st->stage != SG_READY && st->stage != SG_RECONCILING))
		return;
	op = lease_op(st, "renew", renewed);
	st->renewing = true;
	FAILPOINT("store.renew");
	if (!op_send(op)) {
		st->renewing = false;
		op_free(op);
	}
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct store *st = w->data;

	(void)loop;
	(void)revents;
	if (st->stage == SG_ACQUIRING || st->stage == SG_FOLLOWING)
		lease_acquire(st);
}

void lease_init(struct store *st)
{
	ev_timer_init(&st->renew, on_renew, 0., 0.);
	ev_timer_init(&st->retry, on_retry, 0., 0.);
	st->renew.data = st->retry.data = st;
}

void lease_stop(struct store *st)
{
	ev_timer_stop(st->loop, &st->renew);
	ev_timer_stop(st->loop, &st->retry);
	st->renewing = false;
}

static void released(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	void (*done)(void *) = op->fn.plain;
	void *arg = op->arg;

	(void)r; /* no answer: the key ends by itself */
	op_free(op);
	store_later(st, LATER_PLAIN, arg)->fn.plain = done;
}

void store_release_lease(struct store *st, void (*done)(void *arg), void *arg)
{
	bool ours = st->stage == SG_READY || st->stage == SG_RECONCILING;

	lease_stop(st);
	reconcile_stop(st);
	store_stage(st, SG_STOPPING, "stopping");
	if (ours) {
		struct op *op = lease_op(st, "release", released);

		op->fn.plain = done;
		op->arg = arg;
		if (op_send(op))
			return;
		op_free(op);
	}
	store_later(st, LATER_PLAIN, arg)->fn.plain = done;
}
