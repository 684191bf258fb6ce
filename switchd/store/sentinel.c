/* SPDX-License-Identifier: MIT
 * sentinel.c - each sentinel is asked over a link of its own, which lives for one question, and listened to over another. */
#include "switchd/store/sentinel.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/base/text.h"
#include "switchd/core/config/config.h"
#include "switchd/store/elsewhere.h"
#include "switchd/store/resp.h"

struct watch { struct sentinels *s; struct link *link; };

struct sentinels {
	struct ev_loop *loop;
	struct link_config each;        /* host and port are those of the one that is asked */
	struct redis_node *nodes;
	size_t n, first, tried; /* first: whom this question went to first, and the next goes to */
	size_t announcer;       /* but to this one, if it is one (< n) */
	bool quiet;             /* all failed, and each was logged: again when one answered */
	char *master;
	struct link *link;
	struct watch *watches;  /* one for each sentinel: +switch-master */
	ev_timer deadline;
	sentinel_fn *fn;
	sentinel_moved_fn *moved;
	void *arg;
};

static void ask_one(struct sentinels *s);

static const struct redis_node *asked(const struct sentinels *s) { return &s->nodes[(s->first + s->tried) % s->n]; }

static void name_of(const struct redis_node *n, char out[300])
{
	text_format(out, 300, strchr(n->host, ':') ? "sentinel [%s]:%u" : "sentinel %s:%u", n->host, n->port);
}

static void stop(struct sentinels *s)
{
	link_free(&s->link);
	ev_timer_stop(s->loop, &s->deadline);
}

/* The caller may free s in its call, so nothing follows it. */
static void no_answer(struct sentinels *s, const char *why)
{
	char text[500], name[300];

	name_of(asked(s), name);
	TEXT_FORMAT(text, "%s: %s", name, why);
	if (!s->quiet)
		log_warn("redis", "what=\"a sentinel named no master\" why=%s", LOG_Q(text));
	stop(s);
	if (++s->tried < s->n) {
		ask_one(s);
		return;
	}
	s->first = (s->first + 1) % s->n;
	s->quiet = true;
	s->fn(s->arg, NULL, 0, text);
}

static void on_answer(void *arg, const redisReply *r)
{
	struct sentinels *s = arg;
	struct elsewhere master;
	char name[300], why[200], said[128];

	if (!r)
		return; /* on_state hears of it */
	if (r->type == REDIS_REPLY_NIL) {
		TEXT_FORMAT(why, "knows no master \"%s\"", s->master);
		no_answer(s, why);
		return;
	}
	if (r->type == REDIS_REPLY_ERROR) {
		resp_said(r, said, sizeof(said));
		no_answer(s, said);
		return;
	}
	if (!elsewhere_answered(r, &master)) {
		no_answer(s, "an answer that names no server");
		return;
	}
	name_of(asked(s), name);
	s->first = (s->first + s->tried) % s->n;
	s->quiet = false;
	stop(s);
	s->fn(s->arg, master.host, master.port, name);
}

static void on_state(void *arg, bool up, const char *why)
{
	struct sentinels *s = arg;
	const char *const argv[] = { "SENTINEL", "get-master-addr-by-name", s->master };
	const size_t lens[] = { 8, 23, strlen(s->master) };

	if (!up)
		no_answer(s, why);
	else if (!link_send(s->link, 3, argv, lens, on_answer, s))
		no_answer(s, "cannot send");
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	no_answer(w->data, "no answer in time");
}

static void ask_one(struct sentinels *s)
{
	s->each.host = asked(s)->host;
	s->each.port = asked(s)->port;
	s->link = link_new(s->loop, &s->each, on_state, s);
	ev_now_update(s->loop);
	ev_timer_set(&s->deadline, SENTINEL_ASK_MS / 1000.0, 0.);
	ev_timer_start(s->loop, &s->deadline);
}

void sentinels_ask(struct sentinels *s)
{
	stop(s);
	if (s->announcer < s->n)
		s->first = s->announcer;
	s->announcer = s->n;
	s->tried = 0;
	ask_one(s);
}

void sentinels_cancel(struct sentinels *s) { stop(s); }
void sentinels_doubt(struct sentinels *s) { s->first = (s->first + 1) % s->n; }

/* ---- what they announce ---- */

static void on_announced(void *arg, const char *channel, const char *text, size_t len)
{
	struct watch *w = arg;
	struct sentinels *s = w->s;
	size_t who = (size_t)(w - s->watches);
	struct elsewhere to;
	bool asking = s->link != NULL;

	(void)channel;
	if (!elsewhere_announced(text, len, s->master, &to))
		return;
	s->announcer = who;
	if (asking)
		sentinels_ask(s);
	s->moved(s->arg, to.host, to.port);
}

static void on_watch_state(void *arg, bool up, const char *why)
{
	(void)arg;
	(void)up;
	(void)why; /* a sentinel that is away announces nothing: READONLY and ROLE are what counts */
}

static void watch_all(struct sentinels *s)
{
	static const char *const channels[] = { "+switch-master" };
	struct link_config each = s->each;

	s->watches = xcalloc(s->n, sizeof(*s->watches));
	for (size_t i = 0; i < s->n; i++) {
		each.host = s->nodes[i].host;
		each.port = s->nodes[i].port;
		s->watches[i].s = s;
		s->watches[i].link = link_subscribe(s->loop, &each, channels, 1, on_announced, on_watch_state, &s->watches[i]);
	}
}

struct sentinels *sentinels_new(struct ev_loop *loop, const struct link_config *cfg, struct stream_tls *tls, sentinel_fn *fn,
				sentinel_moved_fn *moved, void *arg)
{
	struct sentinels *s = xcalloc(1, sizeof(*s));

	must(cfg->n_sentinels > 0);
	s->loop = loop;
	s->n = s->announcer = cfg->n_sentinels;
	s->nodes = xcalloc(s->n, sizeof(*s->nodes));
	for (size_t i = 0; i < s->n; i++)
		s->nodes[i] = (struct redis_node){ xstrdup(cfg->sentinels[i].host), cfg->sentinels[i].port };
	s->master = xstrdup(cfg->master);
	s->each = (struct link_config){
		.user = xstrdup(cfg->sentinel_user ? cfg->sentinel_user : ""),
		.password_file = xstrdup(cfg->sentinel_password_file ? cfg->sentinel_password_file : ""),
		.tls = tls, .any_role = true,
	};
	s->fn = fn;
	s->moved = moved;
	s->arg = arg;
	ev_timer_init(&s->deadline, on_deadline, 0., 0.);
	s->deadline.data = s;
	watch_all(s);
	return s;
}

void sentinels_free(struct sentinels **sp)
{
	struct sentinels *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	stop(s);
	for (size_t i = 0; i < s->n; i++)
		link_free(&s->watches[i].link);
	free(s->watches);
	for (size_t i = 0; i < s->n; i++)
		free((char *)(uintptr_t)s->nodes[i].host);
	free(s->nodes);
	free(s->master);
	free((char *)(uintptr_t)s->each.user);
	free((char *)(uintptr_t)s->each.password_file);
	free(s);
}
