/* SPDX-License-Identifier: MIT
 * stream.c - a non-blocking socket and its two watchers. */
#include "switchd/io/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "switchd/base/buf.h"
#include "switchd/base/text.h"
#include "switchd/io/stream_tls.h"

enum { READS_AT_ONCE = 4 };

struct stream {
	struct ev_loop *loop;
	int fd;
	bool connected, over;
	ev_io in, out;
	ev_timer soon;          /* an end that was found inside a call */
	struct buf plain, wire; /* with TLS: what waits for the handshake; what waits for the socket */
	struct shake *shake;
	const struct stream_events *on;
	void *arg;
	bool *gone;             /* set when a callback frees the stream under us */
	char why[200];
};

static void stop(struct stream *s)
{
	ev_io_stop(s->loop, &s->in);
	ev_io_stop(s->loop, &s->out);
	ev_timer_stop(s->loop, &s->soon);
}

/* Nothing of the stream is touched after this. */
static void over(struct stream *s, const char *why)
{
	char said[sizeof(s->why)];

	TEXT_COPY(said, why);
	stop(s);
	s->over = true;
	s->on->ended(s->arg, said);
}

static void over_soon(struct stream *s, const char *why)
{
	TEXT_COPY(s->why, why);
	ev_timer_set(&s->soon, 0., 0.);
	ev_timer_start(s->loop, &s->soon);
}

static void on_soon(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct stream *s = w->data;

	(void)loop;
	(void)revents;
	over(s, s->why);
}

/* False: the stream is over. */
static bool flush(struct stream *s)
{
	while (s->wire.len) {
		ssize_t n = send(s->fd, s->wire.data, s->wire.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			over(s, strerror(errno));
			return false;
		}
		buf_drop(&s->wire, (size_t)n);
	}
	if (s->wire.len)
		ev_io_start(s->loop, &s->out);
	else
		ev_io_stop(s->loop, &s->out);
	return true;
}

static bool turn(struct stream *s, const char *came, size_t n)
{
	char why[sizeof(s->why)];

	if (!s->shake || shake_turn(s->shake, came, n, &s->plain, &s->wire, why, sizeof(why)))
		return flush(s);
	if (flush(s)) /* the other side may hear why */
		over(s, why);
	return false;
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct stream *s = w->data;
	int error = 0;
	socklen_t len = sizeof(error);

	(void)loop;
	(void)revents;
	if (!s->connected) {
		getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error) {
			over(s, strerror(error));
			return;
		}
		s->connected = true;
		ev_io_start(s->loop, &s->in);
	}
	(void)turn(s, NULL, 0);
}

/* False: the stream is over or gone. */
static bool hand_out(struct stream *s, const char *data, size_t n)
{
	bool gone = false;

	s->gone = &gone;
	s->on->data(s->arg, data, n);
	if (gone)
		return false;
	s->gone = NULL;
	return !s->over;
}

static bool hand_out_plain(struct stream *s)
{
	char data[STREAM_CHUNK], why[sizeof(s->why)];
	long n;

	while ((n = shake_read(s->shake, data, sizeof(data), why, sizeof(why))) > 0)
		if (!hand_out(s, data, (size_t)n))
			return false;
	if (n < 0)
		over(s, why);
	return n == 0;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct stream *s = w->data;
	char data[STREAM_CHUNK];

	(void)loop;
	(void)revents;
	for (int i = 0; i < READS_AT_ONCE; i++) {
		ssize_t n = recv(s->fd, data, sizeof(data), 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			over(s, n ? strerror(errno) : "connection closed");
			return;
		}
		if (s->shake ? !turn(s, data, (size_t)n) || !hand_out_plain(s) : !hand_out(s, data, (size_t)n))
			return;
		if ((size_t)n < sizeof(data))
			return;
	}
}

/* ---- the beginning and the end ---- */

static socklen_t address_of(const struct stream_order *o, struct sockaddr_storage *out)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found = NULL;
	struct sockaddr_un *un = (struct sockaddr_un *)out;
	socklen_t len = 0;
	char port[8];

	memset(out, 0, sizeof(*out));
	if (o->unix_path && o->unix_path[0]) {
		un->sun_family = AF_UNIX;
		return text_copy(un->sun_path, sizeof(un->sun_path), o->unix_path) ? sizeof(*un) : 0;
	}
	TEXT_FORMAT(port, "%u", o->port);
	/* numeric only: this never asks a resolver, and knows scopes (fe80::1%eth0) */
	if (getaddrinfo(o->ip, port, &hints, &found) == 0 && found) {
		len = found->ai_addrlen;
		memcpy(out, found->ai_addr, len);
	}
	if (found)
		freeaddrinfo(found);
	return len;
}

static bool dial(struct stream *s, const struct stream_order *o, char *why, size_t size)
{
	struct sockaddr_storage to;
	socklen_t len = address_of(o, &to);
	int one = 1;

	if (!len) {
		text_copy(why, size, "not an address");
		return false;
	}
	s->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd >= 0 && to.ss_family != AF_UNIX) {
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(s->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	}
	if (s->fd < 0 || (connect(s->fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS && errno != EINTR)) {
		text_copy(why, size, strerror(errno)); /* EAGAIN of a unix socket too: its backlog is full */
		return false;
	}
	return true;
}

struct stream *stream_open(struct ev_loop *loop, const struct stream_order *o, const struct stream_events *on, void *arg)
{
	struct stream *s = xcalloc(1, sizeof(*s));
	char why[sizeof(s->why)];

	s->loop = loop;
	s->fd = -1;
	s->on = on;
	s->arg = arg;
	buf_init(&s->plain, STREAM_OUT_MAX);
	buf_init(&s->wire, STREAM_OUT_MAX);
	ev_timer_init(&s->soon, on_soon, 0., 0.);
	ev_io_init(&s->in, on_readable, -1, EV_READ);
	ev_io_init(&s->out, on_writable, -1, EV_WRITE);
	s->soon.data = s->in.data = s->out.data = s;
	if (o->tls && !(s->shake = shake_new(o->tls, o->name, why, sizeof(why)))) {
		over_soon(s, why);
	} else if (!dial(s, o, why, sizeof(why))) {
		over_soon(s, why);
	} else {
		ev_io_set(&s->in, s->fd, EV_READ);
		ev_io_set(&s->out, s->fd, EV_WRITE);
		ev_io_start(loop, &s->out);
	}
	return s;
}

bool stream_send(struct stream *s, const void *data, size_t len)
{
	if (s->over || !buf_add(s->shake ? &s->plain : &s->wire, data, len))
		return false;
	if (s->fd >= 0 && !ev_is_active(&s->soon))
		ev_io_start(s->loop, &s->out); /* from the loop: what is sent in one turn goes out in one piece */
	return true;
}

bool stream_unread(const struct stream *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	return s->fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

void stream_free(struct stream **sp)
{
	struct stream *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	if (s->gone)
		*s->gone = true;
	stop(s);
	if (s->fd >= 0)
		close(s->fd);
	shake_free(&s->shake);
	buf_free(&s->plain);
	buf_free(&s->wire);
	free(s);
}
