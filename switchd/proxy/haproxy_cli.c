/* SPDX-License-Identifier: MIT
 * haproxy_cli.c - connect, send one line, read until the peer closes. */
#include "switchd/proxy/haproxy_cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "switchd/base/buf.h"
#include "switchd/base/clock.h"
#include "switchd/base/text.h"
#include "switchd/proxy/haproxy_reply.h"

struct hap_cmd {
	struct ev_loop *loop;
	ev_io io;
	ev_timer deadline, again;       /* again: a full backlog is asked anew until the deadline */
	ev_timer later;                 /* only ever fed: an end that is known inside hap_send is told from the loop */
	int fd;
	bool connecting;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char *command;
	size_t command_len, sent;
	struct buf reply;
	enum hap_end end;
	char why[128];
	mono_us began;
	hap_may_fn *may;
	hap_done_fn *done;
	void *arg;
};

enum { BACKLOG_RETRY_MS = 5, READ_CHUNK = 16 * 1024, READS_A_TURN = 16 };

static bool parse_address(struct hap_cmd *c, const char *text)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&c->addr;
	struct sockaddr_in *in = (struct sockaddr_in *)&c->addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&c->addr;
	char host[64];
	uint64_t port;

	if (text[0] == '/') {
		un->sun_family = AF_UNIX;
		c->addr_len = sizeof(*un);
		return text_copy(un->sun_path, sizeof(un->sun_path), text);
	}
	const char *colon = strrchr(text, ':');
	if (!colon || !text_u64(colon + 1, &port) || port == 0 || port > 65535)
		return false;
	size_t n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (!text_copy_n(host, sizeof(host), text, n))
		return false;
	if (strcmp(host, "localhost") == 0)
		(void)TEXT_COPY(host, "127.0.0.1");
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		c->addr_len = sizeof(*in);
		return true;
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		c->addr_len = sizeof(*in6);
		return true;
	}
	return false;
}

static void stop(struct hap_cmd *c)
{
	ev_io_stop(c->loop, &c->io);
	ev_timer_stop(c->loop, &c->deadline);
	ev_timer_stop(c->loop, &c->again);
	ev_clear_pending(c->loop, &c->later);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void destroy(struct hap_cmd *c)
{
	stop(c);
	buf_free(&c->reply);
	free(c->command);
	free(c);
}

/* The command is gone for its owner from here on: done() may free everything round it. */
static void tell(struct hap_cmd *c)
{
	struct hap_reply r = {
		.end = c->end, .text = buf_str(&c->reply), .len = c->reply.len, .why = c->why,
		.us = mono_since_us(mono_now(), c->began),
	};

	stop(c);
	c->done(c->arg, &r);
	destroy(c);
}

static void end_as(struct hap_cmd *c, enum hap_end end, const char *why)
{
	c->end = end;
	(void)TEXT_COPY(c->why, why);
}

static void end_errno(struct hap_cmd *c, int err, const char *step)
{
	enum hap_end end = HAP_TIMEOUT; /* no route and the like: unknown, not "down" */

	switch (err) {
	case ENOENT: case ECONNREFUSED: case ENOTDIR: case ENOTSOCK: case EPROTOTYPE: end = HAP_ABSENT; break;
	case EACCES: case EPERM: end = HAP_DENIED; break;
	case ECONNRESET: case EPIPE: end = HAP_HALF; break;
	case EMFILE: case ENFILE: case ENOBUFS: case ENOMEM: end = HAP_LOCAL; break;
	default: break;
	}
	c->end = end;
	(void)TEXT_FORMAT(c->why, "%s: %s", step, strerror(err));
}

/* True when the end is known (c->end says which). */
static bool push(struct hap_cmd *c)
{
	if (c->sent == 0 && c->may && !c->may(c->arg)) {
		end_as(c, HAP_FENCED, "");
		return true;
	}
	while (c->sent < c->command_len) {
		ssize_t n = send(c->fd, c->command + c->sent, c->command_len - c->sent, MSG_NOSIGNAL);

		if (n >= 0) {
			c->sent += (size_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return false;
		} else if (errno != EINTR) {
			end_errno(c, errno, "send");
			return true;
		}
	}
	return false;
}

static bool closed(struct hap_cmd *c)
{
	if (hap_reply_whole(buf_str(&c->reply), c->reply.len) && !memchr(c->reply.data, '\0', c->reply.len)) {
		end_as(c, HAP_OK, "");
	} else if (c->reply.len == 0) {
		end_as(c, HAP_HALF, "closed without an answer");
	} else {
		end_as(c, HAP_HALF, "closed in the middle of an answer");
	}
	return true;
}

static bool pull(struct hap_cmd *c)
{
	char chunk[READ_CHUNK];

	/* Bounded: a peer that writes as fast as we read must not own the loop (I10). */
	for (int turn = 0; turn < READS_A_TURN; turn++) {
		ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);

		if (n == 0)
			return closed(c);
		if (n > 0) {
			if (!buf_add(&c->reply, chunk, (size_t)n)) {
				end_as(c, HAP_TOO_LARGE, "the answer is over 1 MiB");
				return true;
			}
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return false;
		} else if (errno != EINTR) {
			end_errno(c, errno, "recv");
			return true;
		}
	}
	return false;
}

static void watch(struct hap_cmd *c)
{
	int events = EV_READ | (c->connecting || c->sent < c->command_len ? EV_WRITE : 0);

	ev_io_stop(c->loop, &c->io);
	ev_io_set(&c->io, c->fd, events);
	ev_io_start(c->loop, &c->io);
}

/* True when the end is known. */
static bool try_connect(struct hap_cmd *c)
{
	int one = 1;

	c->fd = socket(c->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		end_errno(c, errno, "socket");
		return true;
	}
	if (c->addr.ss_family != AF_UNIX)
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, (struct sockaddr *)&c->addr, c->addr_len) == 0) {
		bool ended = push(c);

		if (!ended)
			watch(c);
		return ended;
	}
	if (errno == EINPROGRESS || errno == EINTR) {
		c->connecting = true;
		watch(c);
		return false;
	}
	if (errno == EAGAIN) {
		/* A unix socket whose backlog is full: somebody listens and does not accept.  It is
		 * asked again: HAProxy may only be busy, and a stopped one must end as a timeout. */
		close(c->fd);
		c->fd = -1;
		ev_timer_set(&c->again, BACKLOG_RETRY_MS / 1e3, 0.);
		ev_timer_start(c->loop, &c->again);
		return false;
	}
	end_errno(c, errno, "connect");
	return true;
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
	struct hap_cmd *c = w->data;
	bool ended = false;

	(void)loop;
	(void)events;
	if (c->connecting) {
		int err = 0;
		socklen_t len = sizeof(err);

		c->connecting = false;
		if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
			err = errno;
		if (err) {
			end_errno(c, err, "connect");
			ended = true;
		}
	}
	if (!ended && c->sent < c->command_len) {
		ended = push(c);
		if (!ended)
			watch(c);
	}
	if (!ended)
		ended = pull(c);
	if (ended)
		tell(c);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int events)
{
	struct hap_cmd *c = w->data;

	(void)loop;
	(void)events;
	/* After a stall of ours the timer and the answer are ready together: the answer counts. */
	if (c->fd >= 0 && !c->connecting && c->sent == c->command_len && pull(c)) {
		tell(c);
		return;
	}
	end_as(c, HAP_TIMEOUT, c->fd < 0 || c->connecting ? "does not accept the connection" :
	       c->reply.len ? "the answer did not end in time" : "accepted, and did not answer in time");
	tell(c);
}

static void on_again(struct ev_loop *loop, ev_timer *w, int events)
{
	struct hap_cmd *c = w->data;

	(void)loop;
	(void)events;
	if (try_connect(c))
		tell(c);
}

static void on_later(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	tell(w->data);
}

struct hap_cmd *hap_send(struct ev_loop *loop, const char *socket_text, const char *command, int64_t timeout_ms, hap_may_fn *may,
			 hap_done_fn *done, void *arg)
{
	struct hap_cmd *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->fd = -1;
	c->may = may;
	c->done = done;
	c->arg = arg;
	c->began = mono_now();
	c->command_len = strlen(command) + 1;
	must(c->command_len > 1 && c->command_len <= HAP_COMMAND_MAX);
	for (const char *p = command; *p; p++)
		must((unsigned char)*p >= 0x20 && *p != 0x7f && *p != ';' && *p != '\\' && *p != '<');
	c->command = xmalloc(c->command_len);
	memcpy(c->command, command, c->command_len - 1);
	c->command[c->command_len - 1] = '\n';
	buf_init(&c->reply, HAP_REPLY_MAX);
	ev_init(&c->io, on_io);
	ev_init(&c->deadline, on_deadline);
	ev_init(&c->again, on_again);
	ev_init(&c->later, on_later);
	c->io.data = c->deadline.data = c->again.data = c->later.data = c;
	/* The loop's idea of now may be old by the length of the running callback. */
	ev_now_update(loop);
	ev_timer_set(&c->deadline, (double)timeout_ms / 1e3, 0.);
	ev_timer_start(loop, &c->deadline);
	bool ended = true;
	if (parse_address(c, socket_text))
		ended = try_connect(c);
	else
		end_as(c, HAP_BAD_ADDRESS, "the socket is neither a path that fits nor a numeric host:port");
	if (ended)
		ev_feed_event(loop, &c->later, EV_CUSTOM);
	return c;
}

void hap_cancel(struct hap_cmd **pc)
{
	if (*pc)
		destroy(*pc);
	*pc = NULL;
}
