/* SPDX-License-Identifier: MIT
 * httpd_rig.h - an HTTP server on three real listeners, a handler that answers by the path, and a client.
 * For tests/unit/httpd*.c, which include it once each. */
#ifndef TESTS_UNIT_HTTPD_RIG_H
#define TESTS_UNIT_HTTPD_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "switchd/base/buf.h"
#include "switchd/base/clock.h"
#include "switchd/base/text.h"
#include "switchd/io/httpd.h"

enum { HEALTH = 1, ADMIN = 2, LOCAL = 3, DEADLINE_MS = 10000, MAX_KEPT = 300 };

static struct ev_loop *loop;
static struct httpd *server;
static char dir[64], unix_path[96];
static unsigned n_handled;
static struct httpd_request *kept[MAX_KEPT];
static size_t n_kept;

/* A stream that shows a counter, at most once per value; or floods; or ends. */
static struct ticker { uint64_t value, shown, pulls, filled; bool flood, end; int closed; struct httpd_stream *stream; } ticker;

static inline ssize_t tick(void *arg, char *buf, size_t max)
{
	struct ticker *t = arg;

	t->pulls++;
	if (t->end)
		return -1;
	if (t->flood) {
		memset(buf, 'x', max);
		t->filled += max;
		return (ssize_t)max;
	}
	if (t->shown == t->value)
		return 0;
	t->shown = t->value;
	return snprintf(buf, max, "data: %llu\n\n", (unsigned long long)t->value);
}

static inline void tick_closed(void *arg)
{
	struct ticker *t = arg;

	t->closed++;
	t->stream = NULL;
}

static inline void answer_text(struct httpd_request *r, unsigned status, const char *text)
{
	const struct httpd_header h[] = { { "Cache-Control", "no-store" } };

	httpd_answer(r, status, "text/plain", h, 1, text, strlen(text));
}

static inline void handler(void *arg, struct httpd_request *r)
{
	char text[512];
	const char *q = httpd_query(r, "q"), *x = httpd_header(r, "x-one");

	assert_ptr_equal(arg, &n_handled);
	n_handled++;
	if (strcmp(r->path, "/later") == 0) {
		assert_true(n_kept < MAX_KEPT);
		kept[n_kept++] = r;
	} else if (strcmp(r->path, "/stream") == 0) {
		ticker.stream = httpd_stream_begin(r, "text/event-stream", NULL, 0, tick, tick_closed, &ticker);
	} else if (strcmp(r->path, "/echo") == 0) {
		httpd_answer(r, 200, "application/octet-stream", NULL, 0, r->body, r->body_len);
	} else if (strcmp(r->path, "/evil") == 0) {
		const struct httpd_header h[] = { { "X-Evil", "a\r\nX-Split: 1" }, { "X-Good", "b" } };

		httpd_answer(r, 200, "text/plain", h, 2, "", 0);
	} else {
		TEXT_FORMAT(text, "%s %s on %d q=%s x=%s body=%zu peer=%s/%d/%d\n", r->method, r->path, r->listener, q ? q : "-", x ? x : "-",
			    r->body_len, r->peer.ip, r->peer.local ? (int)r->peer.uid : -1, r->peer.local ? r->peer.pid == getpid() : -1);
		answer_text(r, 200, text);
	}
}

/* ---- a client ---- */

struct client { int fd; struct buf in; bool eof; };

static inline void turn(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	ev_run(loop, EVRUN_NOWAIT);
	poll(&p, fd >= 0, fd >= 0 ? 1 : 0);
}

static inline bool late(mono_us began) { return mono_since_ms(mono_now(), began) > DEADLINE_MS; }

static inline struct client connect_tcp(int listener)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(httpd_port(server, listener)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct client c = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .in = BUF_INIT(8 << 20) };

	assert_true(c.fd >= 0);
	assert_int_equal(connect(c.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	fcntl(c.fd, F_SETFL, O_NONBLOCK);
	return c;
}

static inline struct client connect_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct client c = { .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .in = BUF_INIT(8 << 20) };

	assert_true(TEXT_COPY(a.sun_path, path));
	assert_int_equal(connect(c.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	fcntl(c.fd, F_SETFL, O_NONBLOCK);
	return c;
}

static inline void hang_up(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_free(&c->in);
}

static inline void take(struct client *c)
{
	char part[65536];

	for (;;) {
		ssize_t n = recv(c->fd, part, sizeof(part), 0);

		if (n > 0) {
			buf_add(&c->in, part, (size_t)n);
			continue;
		}
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			c->eof = true;
		return;
	}
}

static inline void send_bytes(struct client *c, const char *s, size_t n)
{
	mono_us began = mono_now();

	while (n) {
		ssize_t w = send(c->fd, s, n, MSG_NOSIGNAL);

		if (w > 0) {
			s += w;
			n -= (size_t)w;
			continue;
		}
		if (errno != EAGAIN || late(began))
			return;         /* cut: what came back tells */
		turn(c->fd, POLLOUT);
	}
}

static inline void say(struct client *c, const char *s) { send_bytes(c, s, strlen(s)); }

/* Runs the server until the text was seen so many times.  Each byte is looked at once. */
static inline void expect_times(struct client *c, const char *text, unsigned times)
{
	mono_us began = mono_now();
	size_t at = 0, len = strlen(text);
	unsigned n = 0;

	for (;;) {
		take(c);
		const char *found = c->in.len > at ? memmem(c->in.data + at, c->in.len - at, text, len) : NULL;

		if (found) {
			at = (size_t)(found - c->in.data) + len;
			if (++n == times)
				return;
			continue;
		}
		if (c->eof || late(began))
			fail_msg("want %u times \"%s\"%s, got %u in:\n%.1000s", times, text, c->eof ? " before the end" : "", n, buf_str(&c->in));
		turn(c->fd, POLLIN);
	}
}

static inline void expect(struct client *c, const char *text) { expect_times(c, text, 1); }

static inline void expect_end(struct client *c)
{
	mono_us began = mono_now();

	for (take(c); !c->eof; take(c)) {
		if (late(began))
			fail_msg("not closed; got:\n%.2000s", buf_str(&c->in));
		turn(c->fd, POLLIN);
	}
}

#define UNTIL(cond) \
	do { \
		mono_us began_ = mono_now(); \
		while (!(cond)) { \
			if (late(began_)) \
				fail_msg("never: %s", #cond); \
			turn(-1, 0); \
			poll(NULL, 0, 1); \
		} \
	} while (0)

/* One request on a connection of its own, the whole answer. */
static inline void ask_once(int listener, const char *request, const char *want, bool closes)
{
	struct client c = connect_tcp(listener);

	say(&c, request);
	expect(&c, want);
	if (closes)
		expect_end(&c);
	hang_up(&c);
}

/* ---- a server ---- */

static inline void listen_or_fail(const struct httpd_listener *l)
{
	char err[256];

	if (!httpd_listen(server, l, err, sizeof(err)))
		fail_msg("%s", err);
}

static inline int setup(void **state)
{
	(void)state;
	loop = ev_loop_new(EVBACKEND_EPOLL);
	server = httpd_new(loop, handler, &n_handled);
	n_handled = 0;
	n_kept = 0;
	ticker = (struct ticker){ 0 };
	TEXT_COPY(dir, "/tmp/switchd-httpd-XXXXXX");
	assert_non_null(mkdtemp(dir));
	TEXT_FORMAT(unix_path, "%s/s.sock", dir);
	listen_or_fail(&(struct httpd_listener){ .id = HEALTH, .host = "127.0.0.1", .max_connections = 200, .max_body = 4096, .header_ms = 300, .keep_alive_ms = 5000 });
	listen_or_fail(&(struct httpd_listener){ .id = ADMIN, .host = "127.0.0.1" });
	listen_or_fail(&(struct httpd_listener){ .id = LOCAL, .unix_path = unix_path, .unix_mode = 0600 });
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	httpd_free(&server);
	assert_null(server);
	assert_int_not_equal(access(unix_path, F_OK), 0);
	assert_int_equal(rmdir(dir), 0);
	ev_loop_destroy(loop);
	return 0;
}

static inline char *fill(size_t n)
{
	char *s = xmalloc(n + 1);

	memset(s, 'a', n);
	s[n] = '\0';
	return s;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
