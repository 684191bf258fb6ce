/* SPDX-License-Identifier: MIT
 * store.c - the face of the store, and who is told what. */
#include "switchd/store/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/store/room.h"

static const char *const result_names[] = { "ok", "conflict", "held", "condemned", "not-leader", "new-store", "lost", "down",
					    "bad-data", "refused", "unwritable" };
_Static_assert(ARRAY_LEN(result_names) == N_STORE_RESULTS, "a result without a name");

static const char *const state_names[] = { "away", "following", "leading" };

const char *store_state_name(enum store_state s) { return (size_t)s < ARRAY_LEN(state_names) ? state_names[s] : "?"; }

const char *store_result_name(enum store_result r) { return (size_t)r < N_STORE_RESULTS ? result_names[r] : "?"; }

void store_key(const struct store *st, char out[256], const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(out, 256, "%s", st->prefix);

	va_start(ap, fmt);
	int m = vsnprintf(out + n, 256 - (size_t)n, fmt, ap);
	va_end(ap);
	must(m >= 0 && n + m < 256); /* prefix and names have their limits */
}

size_t store_service(struct store *st, const char *service)
{
	for (size_t i = 0; i < st->n_services; i++)
		if (strcmp(st->services[i], service) == 0)
			return i;
	st->services = xrealloc(st->services, (st->n_services + 1) * sizeof(*st->services));
	must(name_ok(service) && TEXT_COPY(st->services[st->n_services], service));
	return st->n_services++;
}

/* ---- telling ---- */

bool store_is_up(const struct store *st) { return st && st->stage == SG_READY && mono_now().us < st->lease_until.us; }

enum store_state store_state(const struct store *st)
{
	return store_is_up(st) ? STORE_LEADING : st && st->stage == SG_FOLLOWING ? STORE_FOLLOWING : STORE_AWAY;
}

const char *store_leader(const struct store *st) { return st && st->stage == SG_FOLLOWING ? st->leader : ""; }

bool store_may_act(const struct store *st, bool offline)
{
	if (!st || st->stage == SG_STOPPING)
		return false;
	if (st->alone || (!st->another && mono_now().us < st->lease_until.us))
		return true;
	/* READY or RECONCILING and past the lease: whoever stood still, another may have taken it. */
	return offline && st->tried && !st->another && (st->stage == SG_AWAY || st->stage == SG_ACQUIRING);
}

bool store_undecided(const struct store *st)
{
	if (!st || st->alone || st->another)
		return false;
	return !st->tried || ((st->stage == SG_READY || st->stage == SG_RECONCILING) && mono_now().us >= st->lease_until.us);
}

const char *store_why_down(const struct store *st)
{
	return !st ? "it was closed" : store_is_up(st) ? "" : st->stage == SG_READY ? "the lease could not be renewed" : st->why;
}

void store_turn(struct store *st)
{
	if (ev_is_active(&st->turn))
		return;
	ev_timer_set(&st->turn, 0., 0.);
	ev_timer_start(st->loop, &st->turn);
}

void store_stage(struct store *st, enum stage stage, const char *why)
{
	char safe[sizeof(st->why)];

	if (stage == SG_READY && !st->agent) {
		/* We stop acting by our own clock, without being told. */
		double left = (double)(st->lease_until.us - mono_now().us) / 1e6;

		ev_timer_stop(st->loop, &st->expire);
		ev_timer_set(&st->expire, left > 0 ? left + 0.001 : 0., 0.);
		ev_timer_start(st->loop, &st->expire);
	}
	st->stage = stage;
	/* A server's own words are in it, cut to the room there is: what is no UTF-8 would be no JSON of a status. */
	text_printable(safe, sizeof(safe), why, strlen(why));
	TEXT_COPY(st->why, safe);
	store_turn(st);
}

struct later *store_later(struct store *st, int kind, void *arg)
{
	struct later *l = xcalloc(1, sizeof(*l));

	l->kind = kind;
	l->arg = arg;
	*st->later_tail = l;
	st->later_tail = &l->next;
	store_turn(st);
	return l;
}

static struct later *later_take(struct store *st)
{
	struct later *l = st->later;

	if (l) {
		st->later = l->next;
		if (!st->later)
			st->later_tail = &st->later;
	}
	return l;
}

static void later_call(struct later *l)
{
	struct later copy = *l;
	struct store_answer answer = { .result = copy.result };

	free(l);
	TEXT_COPY(answer.detail, copy.detail);
	switch (copy.kind) {
	case LATER_DONE:
		copy.fn.done(copy.arg, &answer);
		break;
	case LATER_GET:
		copy.fn.get(copy.arg, false, "");
		break;
	case LATER_EVENTS:
		copy.fn.events(copy.arg, false, "[]");
		break;
	case LATER_REPORTED:
		copy.fn.reported(copy.arg, copy.us > 0, copy.us);
		break;
	default:
		copy.fn.plain(copy.arg);
		break;
	}
}

/* One thing a turn: the callback may free the store, so nothing is touched after it. */
static void on_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct store *st = w->data;
	enum store_state state = store_state(st);
	bool up = state == STORE_LEADING;
	struct later *l;

	(void)loop;
	(void)revents;
	if (state != st->told) {
		st->told = state;
		store_turn(st);
		if (up) {
			log_info("store", st->agent ? "what=up" : "what=up gen=%llu term=%llu", (unsigned long long)st->gen, (unsigned long long)st->term);
			op_resend(st, RETRY_WHEN_UP);
		} else {
			log_warn("store", "what=%s why=%s", state == STORE_FOLLOWING ? "following" : "down", LOG_Q(store_why_down(st)));
		}
		if (st->up_fn)
			st->up_fn(st->arg, up, store_why_down(st));
		return;
	}
	l = later_take(st);
	if (!l)
		return;
	if (st->later)
		store_turn(st);
	later_call(l);
}

static void on_expire(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	store_turn(w->data);
}

static void on_lost(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	op_expire(w->data);
}

/* ---- the connection ---- */

static void script_loaded(struct op *op, const redisReply *r)
{
	struct store *st = op->st;

	/* Not allowed to load, or an answer that is none: each call then brings its text along. */
	if (r && r->type == REDIS_REPLY_STRING && r->len == 40 && strspn(r->str, "0123456789abcdef") == 40)
		TEXT_COPY(st->sha[op->index], r->str);
	op_free(op);
}

static void load_scripts(struct store *st)
{
	for (int i = 0; i < N_SCRIPTS; i++) {
		struct op *op = op_new(st, -1, 0, script_loaded);

		st->sha[i][0] = '\0';
		op->index = (size_t)i;
		args_add(&op->args, "SCRIPT");
		args_add(&op->args, "LOAD");
		args_add(&op->args, script_text((enum script)i));
		if (!op_send(op))
			op_free(op);
	}
}

static void on_link(void *arg, bool up, const char *why)
{
	struct store *st = arg;
	char text[256];

	if (st->stage == SG_STOPPING)
		return;
	st->tried = true;
	if (up) {
		load_scripts(st);
		op_resend(st, RETRY_WHEN_CONNECTED);
		if (st->agent) {
			follow_look(st);
			return;
		}
		roster_read(st);
		lease_acquire(st);
		return;
	}
	TEXT_FORMAT(text, "not connected: %s", why);
	store_stage(st, SG_AWAY, text);
	if (st->agent) {
		follow_stop(st);
		return;
	}
	reconcile_stop(st);
	lease_stop(st);
	standby_stop(st);
	roster_away(st);
	durable_away(st);
}

/* ---- the face ---- */

struct store *store_make(struct ev_loop *loop, const struct config *cfg, const char *name, store_up_fn *up, void *arg)
{
	struct store *st = xcalloc(1, sizeof(*st));

	must(id_ok(name) && TEXT_COPY(st->name, name));
	TEXT_COPY(st->owner, name);
	st->loop = loop;
	st->up_fn = up;
	st->arg = arg;
	st->ttl_ms = cfg->lease_ttl_ms;
	st->later_tail = &st->later;
	TEXT_COPY(st->why, "not connected yet");
	st->prefix = xmalloc(128);
	must(text_format(st->prefix, 128, "%s{0}:", cfg->redis.prefix));
	ev_timer_init(&st->turn, on_turn, 0., 0.);
	ev_timer_init(&st->expire, on_expire, 0., 0.);
	ev_timer_init(&st->lost, on_lost, 0., 0.);
	st->turn.data = st->expire.data = st->lost.data = st;
	lease_init(st);
	st->alone = cfg->redis.embedded;
	st->replicas = cfg->redis.replicas;
	/* A server that was promoted has no replicas yet, and still the one before it may live, with another leader. */
	st->forkable = cfg->redis.n_sentinels > 0 || cfg->redis.replicas > 0;
	return st;
}

void store_connect(struct store *st, const struct config *cfg)
{
	struct link_config lc;
	char path[256];

	link_config_of(cfg, &lc, path);
	if (st->agent)
		st->lease_until = (mono_us){ INT64_MAX };
	st->link = link_new(st->loop, &lc, on_link, st);
	ears_start(st, &lc);
}

struct store *store_new(struct ev_loop *loop, const struct config *cfg, const char *owner_id, store_up_fn *up, void *arg)
{
	struct store *st = store_make(loop, cfg, owner_id, up, arg);

	must(TEXT_FORMAT(st->name, "controller:%s", owner_id));
	if (!cfg->listen.advertise || !cfg->listen.advertise[0] || !TEXT_COPY(st->url, cfg->listen.advertise))
		TEXT_COPY(st->url, "-");
	for (size_t i = 0; i < cfg->n_services; i++)
		store_service(st, cfg->services[i].name);
	roster_start(st);
	store_connect(st, cfg);
	return st;
}

void store_set_truth(struct store *st, store_truth_fn *fn, void *arg)
{
	st->truth_fn = fn;
	st->truth_arg = arg;
}

/* Every caller who waits hears ST_LOST, from here: after this there is no loop turn of ours. */
void store_free(struct store **sp)
{
	struct store *st = *sp;
	struct later *l;

	if (!st)
		return;
	*sp = NULL;
	lease_stop(st);
	reconcile_stop(st);
	ev_timer_stop(st->loop, &st->turn);
	ev_timer_stop(st->loop, &st->expire);
	ev_timer_stop(st->loop, &st->lost);
	ears_stop(st);
	link_free(&st->link);
	st->stage = SG_STOPPING;
	st->freeing = true;
	while (st->ops) {
		st->ops->in_flight = false;
		st->ops->retry = RETRY_WHEN_UP; /* so that ended() may call its caller */
		st->ops->ended(st->ops, NULL);
	}
	ev_timer_stop(st->loop, &st->lost);
	while ((l = later_take(st)))
		later_call(l);
	ev_timer_stop(st->loop, &st->turn);
	follow_free(st);
	roster_free(st);
	standby_free(st);
	free(st->services);
	free(st->prefix);
	free(st);
}
