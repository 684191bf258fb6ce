/* SPDX-License-Identifier: MIT
 * link.c - hiredis async with our own hooks and deadlines.
 *
 * hiredis 0.14 has no timeouts, and frees its context on its own when a connect fails or the
 * server hangs up: its cleanup hook is the one sure sign of that, in 0.14 and 1.x alike.  So no
 * connect or disconnect callback is set, nothing of ours runs in the hook but bookkeeping, and
 * callers hear of the end from our own timer. */
#include "switchd/store/link.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hiredis/async.h>

#include "switchd/base/clock.h"
#include "switchd/base/log.h"
#include "switchd/base/text.h"
#include "switchd/io/resolve.h"

enum { HIREDIS_CHUNK = 16 * 1024 };     /* it reads at most so much at once */

enum state { L_WAITING, L_RESOLVING, L_CONNECTING, L_UP };

struct waiting { link_reply_fn *fn; void *arg; mono_us deadline; };

/* One hiredis context and its watchers; it outlives the link's interest in it until hiredis says cleanup. */
struct conn {
	struct link *link;      /* NULL: orphaned */
	redisAsyncContext *ac;
	struct ev_loop *loop;
	ev_io readable, writable;
	size_t unanswered;      /* bytes read since the last whole reply */
	bool *gone;             /* set when hiredis freed the context under a caller of ours */
};

struct link {
	struct ev_loop *loop;
	char *unix_path, *host, *user, *password_file;
	uint16_t port;
	int db;
	link_state_fn *fn;
	void *arg;
	enum state state;
	struct conn *conn;
	struct resolve *resolve;
	struct resolved ips;
	size_t next_ip;
	ev_timer timer;         /* waiting: the next attempt; resolving, connecting: the deadline */
	ev_timer deadline;      /* up: of the oldest command */
	ev_timer ended;         /* the connection ended: tell it from a clean stack */
	bool graced;
	int attempts;
	struct waiting *ring;   /* outstanding commands, oldest first */
	size_t head, n, cap;
	char why[200];
};

static void try_later(struct link *l);
static void connect_now(struct link *l);

/* ---- hiredis's hooks ---- */

static void add_read(void *p) { struct conn *c = p; ev_io_start(c->loop, &c->readable); }
static void del_read(void *p) { struct conn *c = p; ev_io_stop(c->loop, &c->readable); }
static void add_write(void *p) { struct conn *c = p; ev_io_start(c->loop, &c->writable); }
static void del_write(void *p) { struct conn *c = p; ev_io_stop(c->loop, &c->writable); }

static void cleanup(void *p)
{
	struct conn *c = p;
	struct link *l = c->link;

	del_read(c);
	del_write(c);
	if (c->gone)
		*c->gone = true;
	if (l) {
		l->conn = NULL;
		text_copy(l->why, sizeof(l->why), c->ac->c.errstr[0] ? c->ac->c.errstr : "connection closed");
		ev_timer_stop(l->loop, &l->ended);
		ev_timer_set(&l->ended, 0., 0.);
		ev_timer_start(l->loop, &l->ended);
	}
	c->ac->data = NULL; /* hiredis 1.x runs the callbacks that are left after this hook, 0.14 before it */
	free(c);
}

/* Forget first, free second: whatever hiredis still calls finds an orphan. */
static void conn_kill(struct link *l)
{
	struct conn *c = l->conn;

	if (!c)
		return;
	l->conn = NULL;
	c->link = NULL;
	redisAsyncFree(c->ac); /* from inside a reply callback hiredis puts this off by itself */
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c = w->data;
	bool gone = false;
	int waiting = 0;
	char byte;

	(void)loop;
	(void)revents;
	/* hiredis (0.14 and 1.2) asserts when a server answers what nobody asked: it never gets to see that. */
	if (c->link && !c->link->n) {
		ssize_t n = recv(c->ac->c.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			link_drop(c->link, n > 0 ? "an answer nobody asked for" : "connection closed");
		return;
	}
	/* hiredis frees its buffer as it builds a reply, so what one reply has cost is counted here. */
	if (ioctl(c->ac->c.fd, FIONREAD, &waiting) == 0 && waiting > 0)
		c->unanswered += (size_t)(waiting < HIREDIS_CHUNK ? waiting : HIREDIS_CHUNK);
	if (c->unanswered > LINK_REPLY_MAX && c->link) {
		link_drop(c->link, "a reply of over 1 MiB");
		return;
	}
	c->gone = &gone;
	redisAsyncHandleRead(c->ac);
	if (!gone)
		c->gone = NULL;
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c = w->data;

	(void)loop;
	(void)revents;
	redisAsyncHandleWrite(c->ac);
}

/* An array is allocated when its header is read, so its size is judged there, not after. */
#if HIREDIS_MAJOR < 1
static redisReplyObjectFunctions functions;
static void *(*plain_array)(const redisReadTask *, int);

static void *small_array(const redisReadTask *task, int n)
{
	return n > LINK_ELEMENTS_MAX ? NULL : plain_array(task, n);
}

static void limit_arrays(redisReader *r)
{
	if (!plain_array) {
		functions = *r->fn;
		plain_array = functions.createArray;
		functions.createArray = small_array;
	}
	r->fn = &functions;
}
#else
static void limit_arrays(redisReader *r) { r->maxelements = LINK_ELEMENTS_MAX; }
#endif

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

static void on_reply(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct conn *c = ac->data;
	struct link *l = c ? c->link : NULL;

	(void)privdata;
	if (!c)
		return;
	c->unanswered = 0;
	/* NULL: the context is dying; the hook follows, and our timer tells everybody. */
	if (!l || !reply || l->conn != c || !l->n)
		return;
	/* More bytes than commands: no answer of this server can be trusted to belong to its question. */
	if (l->n == 1 && ac->c.reader->pos < ac->c.reader->len) {
		link_drop(l, "an answer nobody asked for");
		return;
	}
	struct waiting w = ring_take(l);

	l->graced = false;
	if (!l->n)
		ev_timer_stop(l->loop, &l->deadline);
	if (w.fn)
		w.fn(w.arg, reply);
}

static bool send_raw(struct link *l, int argc, const char *const *argv, const size_t *lens, link_reply_fn *fn, void *arg)
{
	if (!l->conn || l->n >= LINK_WAITING_MAX)
		return false;
	/* hiredis 0.14 takes a pointer to non-const; it writes through neither */
	if (redisAsyncCommandArgv(l->conn->ac, on_reply, NULL, argc, (const char **)(uintptr_t)argv, lens) != REDIS_OK)
		return false;
	ring_add(l, fn, arg);
	if (l->n == 1)
		watch_deadline(l);
	return true;
}

bool link_send(struct link *l, int argc, const char *const *argv, const size_t *lens, link_reply_fn *fn, void *arg)
{
	return l->state == L_UP && send_raw(l, argc, argv, lens, fn, arg);
}

/* ---- the life of a connection ---- */

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
	if (!l->conn)
		return;
	text_copy(l->why, sizeof(l->why), why);
	conn_kill(l);
	ev_timer_stop(l->loop, &l->deadline);
	ev_timer_stop(l->loop, &l->ended);
	ev_timer_set(&l->ended, 0., 0.);
	ev_timer_start(l->loop, &l->ended);
}

/* True when bytes wait in the socket: then it was this process that stood still, not the server. */
static bool answer_waits(const struct link *l)
{
	struct pollfd p = { .fd = l->conn->ac->c.fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct link *l = w->data;

	(void)loop;
	(void)revents;
	if (!l->n || !l->conn)
		return;
	if (l->ring[l->head].deadline.us > mono_now().us) {
		watch_deadline(l);
		return;
	}
	if (!l->graced && answer_waits(l)) {
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

/* ---- the handshake: AUTH and SELECT are queued before the connection stands, PING tells that it does ---- */

static void handshake_failed(struct link *l, const char *step, const redisReply *r)
{
	char why[160], said[128];

	text_printable(said, sizeof(said), r->type == REDIS_REPLY_ERROR || r->type == REDIS_REPLY_STATUS ? r->str : "?",
		       r->type == REDIS_REPLY_ERROR || r->type == REDIS_REPLY_STATUS ? r->len : 1);
	TEXT_FORMAT(why, "%s: %s", step, said);
	link_drop(l, why);
}

static bool is_status(const redisReply *r, const char *text)
{
	return r->type == REDIS_REPLY_STATUS && strcmp(r->str, text) == 0;
}

static void on_auth(void *arg, const redisReply *r)
{
	if (r && !is_status(r, "OK"))
		handshake_failed(arg, "AUTH", r);
}

static void on_select(void *arg, const redisReply *r)
{
	if (r && !is_status(r, "OK"))
		handshake_failed(arg, "SELECT", r);
}

static void on_ping(void *arg, const redisReply *r)
{
	struct link *l = arg;

	if (!r)
		return;
	if (!is_status(r, "PONG")) {
		handshake_failed(l, "PING", r);
		return;
	}
	l->state = L_UP;
	l->attempts = 0;
	l->why[0] = '\0';
	ev_timer_stop(l->loop, &l->timer);
	l->fn(l->arg, true, "");
}

/* The file is small and local; it is read at each connection so that a rotated password needs no restart. */
static bool read_password(struct link *l, char out[512])
{
	int fd = open(l->password_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, out, 511);

	if (n < 0)
		text_format(l->why, sizeof(l->why), "password file %.120s: %s", l->password_file, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	out[n] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	return true;
}

static bool queue(struct link *l, int argc, const char *const *argv, link_reply_fn *fn)
{
	size_t lens[3];

	for (int i = 0; i < argc; i++)
		lens[i] = strlen(argv[i]);
	return send_raw(l, argc, argv, lens, fn, l);
}

static bool greet(struct link *l)
{
	char db[16], password[512];
	bool ok = true;

	if (l->password_file[0]) {
		ok = read_password(l, password);
		if (ok && l->user[0])
			ok = queue(l, 3, (const char *[]){ "AUTH", l->user, password }, on_auth);
		else if (ok)
			ok = queue(l, 2, (const char *[]){ "AUTH", password }, on_auth);
		explicit_bzero(password, sizeof(password));
	}
	TEXT_FORMAT(db, "%d", l->db);
	if (ok && l->db)
		ok = queue(l, 2, (const char *[]){ "SELECT", db }, on_select);
	return ok && queue(l, 1, (const char *[]){ "PING" }, on_ping);
}

static void conn_open(struct link *l, const char *ip)
{
	redisAsyncContext *ac = ip ? redisAsyncConnect(ip, l->port) : redisAsyncConnectUnix(l->unix_path);
	char why[sizeof(l->why)];

	if (!ac || ac->err) {
		TEXT_COPY(why, ac ? ac->errstr : "out of memory");
		if (ac)
			redisAsyncFree(ac);
		TEXT_FORMAT(l->why, "%.100s: %.90s", ip ? ip : l->unix_path, why);
		down(l);
		return;
	}
	struct conn *c = xcalloc(1, sizeof(*c));

	*c = (struct conn){ .link = l, .ac = ac, .loop = l->loop };
	fcntl(ac->c.fd, F_SETFD, FD_CLOEXEC); /* hiredis leaves it to a child that we start */
	ac->data = c;
	ev_io_init(&c->readable, on_readable, ac->c.fd, EV_READ);
	ev_io_init(&c->writable, on_writable, ac->c.fd, EV_WRITE);
	c->readable.data = c->writable.data = c;
	ac->ev.data = c;
	ac->ev.addRead = add_read;
	ac->ev.delRead = del_read;
	ac->ev.addWrite = add_write;
	ac->ev.delWrite = del_write;
	ac->ev.cleanup = cleanup;
	limit_arrays(ac->c.reader);
	l->conn = c;
	l->state = L_CONNECTING;
	set_timer(l, LINK_CONNECT_MS);
	if (!greet(l)) {
		TEXT_COPY(why, l->why);
		link_drop(l, why[0] ? why : "cannot send");
	}
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

static void connect_now(struct link *l)
{
	l->why[0] = '\0';
	if (l->unix_path[0]) {
		conn_open(l, NULL);
	} else if (resolve_is_ip(l->host)) {
		conn_open(l, l->host);
	} else {
		/* Asked anew each time: after a move the old address is the wrong one. */
		l->state = L_RESOLVING;
		set_timer(l, LINK_RESOLVE_MS);
		l->resolve = resolve_start(l->loop, l->host, on_resolved, l);
	}
}

/* ---- the face ---- */

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
	conn_kill(l);
	ev_timer_stop(l->loop, &l->timer);
	ev_timer_stop(l->loop, &l->deadline);
	ev_timer_stop(l->loop, &l->ended);
	free(l->ring);
	free(l->unix_path);
	free(l->host);
	free(l->user);
	free(l->password_file);
	free(l);
}

bool link_is_up(const struct link *l) { return l->state == L_UP; }
