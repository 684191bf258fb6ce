/* SPDX-License-Identifier: MIT
 * link.c - the life of a connection: waiting, resolving, connecting, up; and its commands with their deadlines.
 *
 * An end may be found inside a caller's call: callers hear of it from our own timer. */
#include "switchd/store/link.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "switchd/base/clock.h"
#include "switchd/base/log.h"
#include "switchd/base/text.h"
#include "switchd/core/config/config.h"
#include "switchd/store/embedded.h"
#include "switchd/store/link_room.h"

static void try_later(struct link *l);
static void connect_now(struct link *l);

/* ---- commands ---- */

static void ring_add(struct link *l, link_reply_fn *fn, void *arg)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct waiting *ring = xcalloc(cap, sizeof(*ring));

		for (size_t i = 0; i < l->n; i++)
			ring[i] = l->ring[(l->head + i) % l->cap];
		free(l->ring);
		l->ring = ring;
		l->cap = cap;
		l->head = 0;
	}
	l->ring[(l->head + l->n++) % l->cap] = (struct waiting){ fn, arg, mono_plus_ms(mono_now(), LINK_COMMAND_MS) };
}

static struct waiting ring_take(struct link *l)
{
	struct waiting w = l->ring[l->head];

	l->head = (l->head + 1) % l->cap;
	l->n--;
	return w;
}

static void watch_deadline(struct link *l)
{
	int64_t left = l->ring[l->head].deadline.us - mono_now().us;

	ev_timer_stop(l->loop, &l->deadline);
	ev_now_update(l->loop); /* the timer counts from the loop's idea of now */
	ev_timer_set(&l->deadline, left > 1000 ? (double)left / 1e6 : 0.001, 0.);
	ev_timer_start(l->loop, &l->deadline);
}

/* Another server is the one to ask.  Redis 7 begins with the word; before, a script's error holds it. */
static void elsewhere(struct link *l, const char *error)
{
	if (text_starts(error, "READONLY") || strstr(error, " -READONLY")) { /* a replica now: the next connection finds the master, or says what this one is */
		link_drop(l, "READONLY");
	} else if (text_starts(error, "MOVED ")) {
		l->moved = elsewhere_moved(error, &l->moved_to);
		link_drop(l, "MOVED");
	}
}

static void on_reply(void *arg, const redisReply *reply, bool more)
{
	struct link *l = arg;

	if (l->subscribing) {
		subscriber_reply(l, reply);
		return;
	}
	/* More bytes than commands: no answer of this server can be trusted to belong to its question. */
	if (!l->n || (l->n == 1 && more)) {
		link_drop(l, "an answer nobody asked for");
		return;
	}
	struct waiting w = ring_take(l);

	l->graced = false;
	if (!l->n)
		ev_timer_stop(l->loop, &l->deadline);
	if (reply->type == REDIS_REPLY_ERROR)
		elsewhere(l, reply->str);
	if (w.fn)
		w.fn(w.arg, reply);
}

bool link_queue(struct link *l, int argc, const char *const *argv, const size_t *lens, link_reply_fn *fn, void *arg)
{
	if (!l->resp || l->n >= LINK_WAITING_MAX || !resp_send(l->resp, argc, argv, lens))
		return false;
	ring_add(l, fn, arg);
	if (l->n == 1)
		watch_deadline(l);
	return true;
}

bool link_send(struct link *l, int argc, const char *const *argv, const size_t *lens, link_reply_fn *fn, void *arg)
{
	return l->state == L_UP && !l->channels && link_queue(l, argc, argv, lens, fn, arg);
}

/* ---- the life of a connection ---- */

/* Of a server that the configuration does not name, why says which it was. */
static void say_where(struct link *l)
{
	char why[sizeof(l->why)];

	if (!l->told_by[0])
		return;
	TEXT_COPY(why, l->why);
	TEXT_FORMAT(l->why, strchr(l->at, ':') ? "[%.60s]:%u, named by %.60s: %s" : "%.60s:%u, named by %.60s: %s", l->at, l->at_port, l->told_by, why);
	l->told_by[0] = '\0';
}

/* Every outstanding command ends without an answer.  A callback may send nothing (we are not up) but may free the link. */
static void down(struct link *l)
{
	bool was_up = l->state == L_UP;
	struct waiting *ring = l->ring;
	size_t head = l->head, n = l->n, cap = l->cap;

	l->state = L_WAITING;
	ev_timer_stop(l->loop, &l->deadline);
	l->ring = NULL;
	l->head = l->n = l->cap = 0;
	try_later(l);
	if (!was_up && l->sentinels && l->told_by[0])
		sentinels_doubt(l->sentinels);
	say_where(l);
	if (was_up)
		log_warn("redis", "what=\"connection lost\" why=%s outstanding=%zu", LOG_Q(l->why), n);
	link_state_fn *fn = l->fn;
	void *arg = l->arg;
	char why[sizeof(l->why)];

	TEXT_COPY(why, l->why);
	for (size_t i = 0; i < n; i++)
		if (ring[(head + i) % cap].fn)
			ring[(head + i) % cap].fn(ring[(head + i) % cap].arg, NULL);
	free(ring);
	fn(arg, false, why);
}

static void on_ended(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	down(w->data);
}

void link_drop(struct link *l, const char *why)
{
	if (!l->resp)
		return;
	text_copy(l->why, sizeof(l->why), why);
	resp_free(&l->resp);
	ev_timer_stop(l->loop, &l->deadline);
	ev_timer_stop(l->loop, &l->ended);
	ev_timer_set(&l->ended, 0., 0.);
	ev_timer_start(l->loop, &l->ended);
}

static void on_resp_ended(void *arg, const char *why) { link_drop(arg, why); }

static void on_bytes(void *arg)
{
	struct link *l = arg;

	l->heard = mono_now();
}

static const struct resp_events resp_events = { on_reply, on_bytes, on_resp_ended };

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct link *l = w->data;

	(void)loop;
	(void)revents;
	if (!l->resp)
		return;
	if (l->subscribing) {
		subscriber_tick(l);
		return;
	}
	if (!l->n)
		return;
	if (l->ring[l->head].deadline.us > mono_now().us) {
		watch_deadline(l);
		return;
	}
	/* Bytes in the socket: then it was this process that stood still, not the server. */
	if (!l->graced && resp_unread(l->resp)) {
		l->graced = true; /* once: a server that drips bytes is dropped all the same */
		ev_timer_set(&l->deadline, 0.02, 0.);
		ev_timer_start(l->loop, &l->deadline);
		return;
	}
	link_drop(l, "no answer in time");
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct link *l = w->data;

	(void)loop;
	(void)revents;
	switch (l->state) {
	case L_WAITING:
		connect_now(l);
		break;
	case L_RESOLVING:
		resolve_cancel(&l->resolve);
		text_copy(l->why, sizeof(l->why), "the name was not resolved in time");
		down(l);
		break;
	case L_CONNECTING:
		link_drop(l, "no connection in time");
		break;
	case L_ASKING: /* each sentinel has its deadline */
	case L_UP:
		break;
	}
}

static void set_timer(struct link *l, int64_t ms)
{
	ev_timer_stop(l->loop, &l->timer);
	ev_now_update(l->loop);
	ev_timer_set(&l->timer, (double)ms / 1000, 0.);
	ev_timer_start(l->loop, &l->timer);
}

static uint32_t chance(void)
{
	uint32_t r;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r))
		r = (uint32_t)mono_now().us * 2654435761u; /* jitter need not be secret */
	return r;
}

static void try_later(struct link *l)
{
	int64_t most = l->unix_path[0] ? LINK_BACKOFF_LOCAL_MS : LINK_BACKOFF_MOST_MS, bound = LINK_BACKOFF_FIRST_MS;

	for (int i = 0; i < l->attempts && bound < most; i++)
		bound *= 2;
	if (bound > most)
		bound = most;
	l->attempts++;
	l->state = L_WAITING;
	set_timer(l, chance() % bound);
}

static void conn_open(struct link *l, const char *ip)
{
	const struct stream_order o = { .unix_path = ip ? "" : l->unix_path, .ip = ip, .port = l->at_port, .tls = l->tls, .name = l->at };
	char why[sizeof(l->why)];

	l->state = L_CONNECTING;
	l->subscribing = false;
	l->subscribed = 0;
	set_timer(l, LINK_CONNECT_MS);
	l->resp = resp_open(l->loop, &o, l->channels ? LINK_MESSAGE_MAX : LINK_REPLY_MAX, &resp_events, l);
	if (!greet(l)) {
		TEXT_COPY(why, l->why);
		link_drop(l, why[0] ? why : "cannot send");
	}
}

void link_came_up(struct link *l)
{
	l->state = L_UP;
	l->attempts = 0;
	l->why[0] = '\0';
	ev_timer_stop(l->loop, &l->timer);
	l->fn(l->arg, true, "");
}

static void on_resolved(void *arg, const struct resolved *r)
{
	struct link *l = arg;

	l->resolve = NULL;
	ev_timer_stop(l->loop, &l->timer);
	if (!r->n) {
		text_copy(l->why, sizeof(l->why), r->error);
		down(l);
		return;
	}
	l->ips = *r;
	conn_open(l, l->ips.ip[l->next_ip++ % l->ips.n]);
}

/* To the server at, at_port. */
static void connect_there(struct link *l)
{
	if (resolve_is_ip(l->at)) {
		conn_open(l, l->at);
		return;
	}
	/* Asked anew each time: after a move the old address is the wrong one. */
	l->state = L_RESOLVING;
	set_timer(l, LINK_RESOLVE_MS);
	l->resolve = resolve_start(l->loop, l->at, on_resolved, l);
}

static void on_named(void *arg, const char *host, uint16_t port, const char *said)
{
	struct link *l = arg;

	if (!host || !TEXT_COPY(l->at, host)) {
		text_copy(l->why, sizeof(l->why), said);
		down(l);
		return;
	}
	l->at_port = port;
	TEXT_COPY(l->told_by, said);
	connect_there(l);
}

static void on_moved(void *arg, const char *host, uint16_t port)
{
	struct link *l = arg;

	if (l->resp && l->told_by[0] && (strcmp(host, l->at) != 0 || port != l->at_port)) {
		link_drop(l, "the master moved");
	} else if (l->state == L_RESOLVING) { /* the name of the one before, perhaps */
		resolve_cancel(&l->resolve);
		l->state = L_WAITING;
		set_timer(l, 0);
	} else if (l->state == L_WAITING && l->attempts) { /* what was waited for may be there now */
		l->attempts = 0;
		set_timer(l, chance() % LINK_BACKOFF_FIRST_MS);
	}
}

static void connect_now(struct link *l)
{
	bool moved = l->moved;

	l->why[0] = '\0';
	l->moved = false; /* for one connection: when that fails the configuration counts again */
	if (l->unix_path[0]) {
		conn_open(l, NULL);
	} else if (l->sentinels && !moved) {
		l->state = L_ASKING;
		sentinels_ask(l->sentinels);
	} else {
		if (!moved) {
			TEXT_COPY(l->at, l->host);
			l->at_port = l->port;
		} else {
			if (l->moved_to.host[0])
				TEXT_COPY(l->at, l->moved_to.host);
			l->at_port = l->moved_to.port;
		}
		connect_there(l);
	}
}

/* ---- the face ---- */

void link_config_of(const struct config *cfg, struct link_config *out, char path[256])
{
	const struct redis_config *r = &cfg->redis;

	path[0] = '\0';
	if (r->embedded) {
		must(embedded_socket_path(cfg->state_dir, path, 256));
		*out = (struct link_config){ .unix_path = path };
		return;
	}
	*out = (struct link_config){
		.unix_path = r->unix_path, .host = r->host, .port = r->port, .db = r->db,
		.user = r->user, .password_file = r->password_file,
		.sentinels = r->sentinels, .n_sentinels = r->n_sentinels, .master = r->master,
		.sentinel_user = r->sentinel_user, .sentinel_password_file = r->sentinel_password_file,
		.over_tls = r->over_tls, .ca_file = r->tls.ca_file, .cert_file = r->tls.cert_file, .key_file = r->tls.key_file,
		.any_certificate = !r->tls.verify,
	};
}

struct link *link_new(struct ev_loop *loop, const struct link_config *cfg, link_state_fn *fn, void *arg)
{
	struct link *l = xcalloc(1, sizeof(*l));

	l->loop = loop;
	l->unix_path = xstrdup(cfg->unix_path ? cfg->unix_path : "");
	l->host = xstrdup(cfg->host ? cfg->host : "");
	l->user = xstrdup(cfg->user ? cfg->user : "");
	l->password_file = xstrdup(cfg->password_file ? cfg->password_file : "");
	l->port = cfg->port;
	l->db = cfg->db;
	l->any_role = cfg->any_role;
	l->own_tls = cfg->over_tls && !cfg->tls;
	l->tls = l->own_tls ? stream_tls_new(&(struct stream_tls_files){ cfg->ca_file, cfg->cert_file, cfg->key_file, cfg->any_certificate }) : cfg->tls;
	if (cfg->n_sentinels)
		l->sentinels = sentinels_new(loop, cfg, l->tls, on_named, on_moved, l);
	l->fn = fn;
	l->arg = arg;
	ev_timer_init(&l->timer, on_timer, 0., 0.);
	ev_timer_init(&l->deadline, on_deadline, 0., 0.);
	ev_timer_init(&l->ended, on_ended, 0., 0.);
	l->timer.data = l->deadline.data = l->ended.data = l;
	l->state = L_WAITING;
	set_timer(l, 0);
	return l;
}

void link_free(struct link **lp)
{
	struct link *l = *lp;

	if (!l)
		return;
	*lp = NULL;
	resolve_cancel(&l->resolve);
	resp_free(&l->resp);
	sentinels_free(&l->sentinels);
	if (l->own_tls)
		stream_tls_free(&l->tls);
	ev_timer_stop(l->loop, &l->timer);
	ev_timer_stop(l->loop, &l->deadline);
	ev_timer_stop(l->loop, &l->ended);
	subscriber_forget(l);
	free(l->ring);
	free(l->unix_path);
	free(l->host);
	free(l->user);
	free(l->password_file);
	free(l);
}

bool link_is_up(const struct link *l) { return l->state == L_UP; }
