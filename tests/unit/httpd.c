/* SPDX-License-Identifier: MIT
 * tests/unit/httpd.c - the HTTP server with real sockets: what is well-formed, what is not,
 * what is slow, what is kept, what is streamed, and how it ends. */
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

static ssize_t tick(void *arg, char *buf, size_t max)
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

static void tick_closed(void *arg)
{
	struct ticker *t = arg;

	t->closed++;
	t->stream = NULL;
}

static void answer_text(struct httpd_request *r, unsigned status, const char *text)
{
	const struct httpd_header h[] = { { "Cache-Control", "no-store" } };

	httpd_answer(r, status, "text/plain", h, 1, text, strlen(text));
}

static void handler(void *arg, struct httpd_request *r)
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

static void turn(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	ev_run(loop, EVRUN_NOWAIT);
	poll(&p, fd >= 0, fd >= 0 ? 1 : 0);
}

static bool late(mono_us began) { return mono_since_ms(mono_now(), began) > DEADLINE_MS; }

static struct client connect_tcp(int listener)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(httpd_port(server, listener)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct client c = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .in = BUF_INIT(8 << 20) };

	assert_true(c.fd >= 0);
	assert_int_equal(connect(c.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	fcntl(c.fd, F_SETFL, O_NONBLOCK);
	return c;
}

static struct client connect_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct client c = { .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .in = BUF_INIT(8 << 20) };

	assert_true(TEXT_COPY(a.sun_path, path));
	assert_int_equal(connect(c.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	fcntl(c.fd, F_SETFL, O_NONBLOCK);
	return c;
}

static void hang_up(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_free(&c->in);
}

static void take(struct client *c)
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

static void send_bytes(struct client *c, const char *s, size_t n)
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

static void say(struct client *c, const char *s) { send_bytes(c, s, strlen(s)); }

/* Runs the server until the text was seen so many times.  Each byte is looked at once. */
static void expect_times(struct client *c, const char *text, unsigned times)
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

static void expect(struct client *c, const char *text) { expect_times(c, text, 1); }

static void expect_end(struct client *c)
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
static void ask_once(int listener, const char *request, const char *want, bool closes)
{
	struct client c = connect_tcp(listener);

	say(&c, request);
	expect(&c, want);
	if (closes)
		expect_end(&c);
	hang_up(&c);
}

/* ---- a server ---- */

static void listen_or_fail(const struct httpd_listener *l)
{
	char err[256];

	if (!httpd_listen(server, l, err, sizeof(err)))
		fail_msg("%s", err);
}

static int setup(void **state)
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

static int teardown(void **state)
{
	(void)state;
	httpd_free(&server);
	assert_null(server);
	assert_int_not_equal(access(unix_path, F_OK), 0);
	assert_int_equal(rmdir(dir), 0);
	ev_loop_destroy(loop);
	return 0;
}

/* ---- tests ---- */

static void test_requests(void **state)
{
	struct client c = connect_tcp(ADMIN);

	(void)state;
	say(&c, "GET /a/b%20c?x=1&q=%41+b%2B&flag HTTP/1.1\r\nHost: h\r\nX-One: 7\r\n\r\n");
	expect(&c, "GET /a/b c on 2 q=A b+ x=7 body=0 peer=127.0.0.1/-1/-1\n");
	assert_non_null(strstr(buf_str(&c.in), "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(buf_str(&c.in), "Content-Type: text/plain\r\n"));
	assert_non_null(strstr(buf_str(&c.in), "Cache-Control: no-store\r\n"));
	/* kept alive; a body, with a length and in chunks; another method */
	say(&c, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
	expect(&c, "POST /b on 2 q=- x=- body=5 ");
	say(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
	expect(&c, "\r\n\r\nabcdefg");
	say(&c, "DELETE /c HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "DELETE /c on 2");
	say(&c, "HEAD /d HTTP/1.1\r\nHost: h\r\n\r\nGET /e HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "GET /e on 2");
	assert_null(strstr(buf_str(&c.in), "HEAD /d"));
	say(&c, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "OPTIONS * on 2");
	assert_int_equal(httpd_connections(server, ADMIN), 1);
	hang_up(&c);
	UNTIL(httpd_connections(server, ADMIN) == 0);
	assert_int_equal(httpd_port(server, 99), 0);
	ask_once(ADMIN, "GET /f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /f on 2", true);
	ask_once(HEALTH, "GET /g HTTP/1.0\r\n\r\n", "GET /g on 1", true);
	c = connect_tcp(ADMIN);
	say(&c, "GET /evil HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "X-Good: b\r\n");
	assert_null(strstr(buf_str(&c.in), "X-Split"));
	hang_up(&c);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		/* two lengths, a length beside a coding, odd lengths and codings */
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\nhello",
		/* Host */
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		/* targets */
		"GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /% HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /%4 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a%0d%0ab HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a%1b HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a?q=%00 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a?q=%x HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a?%x=1 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET a HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x&y&z&1&2&3&4&5&6&7 HTTP/1.1\r\nHost: h\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct client c = connect_tcp(ADMIN);

		say(&c, bad[i]);
		expect_end(&c);
		if (!text_starts(buf_str(&c.in), "HTTP/1.1 400 "))
			fail_msg("%s\n-> %s", bad[i], buf_str(&c.in));
		hang_up(&c);
	}
	assert_int_equal(n_handled, 0);
	/* what comes after a refused request on the same connection is never a request */
	struct client c = connect_tcp(ADMIN);

	say(&c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_end(&c);
	assert_int_equal(n_handled, 0);
	hang_up(&c);
	UNTIL(httpd_connections(server, ADMIN) == 0);
}

static void test_garbage(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct client c = connect_tcp(HEALTH);
		char noise[400];

		for (size_t j = 0; j < sizeof(noise); j++)
			noise[j] = (char)rand_r(&seed);
		if (i % 2)
			memcpy(noise, "GET / HTTP/1.1\r\n", 16);
		send_bytes(&c, noise, sizeof(noise));
		turn(c.fd, POLLIN);
		hang_up(&c);
	}
	UNTIL(httpd_connections(server, HEALTH) == 0);
	ask_once(HEALTH, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n", "GET /f on 1", false);
}

static char *fill(size_t n)
{
	char *s = xmalloc(n + 1);

	memset(s, 'a', n);
	s[n] = '\0';
	return s;
}

static void test_large(void **state)
{
	char *big = fill(40000), *body = fill(66560), head[200];
	struct client c = connect_tcp(ADMIN);

	(void)state;
	/* a header of 40 kB */
	say(&c, "GET / HTTP/1.1\r\nHost: h\r\nX-Big: ");
	say(&c, big);
	say(&c, "\r\n\r\n");
	expect(&c, "HTTP/1.1 431 ");
	hang_up(&c);
	/* a target of 40 kB */
	c = connect_tcp(ADMIN);
	say(&c, "GET /");
	say(&c, big);
	say(&c, " HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "HTTP/1.1 414 ");
	hang_up(&c);
	/* a body of exactly 64 KiB passes, of one byte more does not; the connection goes on */
	c = connect_tcp(ADMIN);
	say(&c, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n");
	send_bytes(&c, body, 65536);
	expect(&c, "POST /x on 2 q=- x=- body=65536");
	say(&c, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n");
	send_bytes(&c, body, 65537);
	expect(&c, "HTTP/1.1 413 ");
	expect(&c, "a body has 65536 bytes at most here");
	say(&c, "GET /y HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "GET /y on 2");
	/* in chunks */
	say(&c, "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 2; i++) {
		TEXT_FORMAT(head, "%x\r\n", 33280);
		say(&c, head);
		send_bytes(&c, body, 33280);
		say(&c, "\r\n");
	}
	say(&c, "0\r\n\r\n");
	expect_times(&c, "HTTP/1.1 413 ", 2);
	assert_int_equal(n_handled, 2);
	hang_up(&c);
	/* with Expect, and a gigabyte: refused before the body is read */
	ask_once(ADMIN, "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n", "HTTP/1.1 413 ", true);
	ask_once(ADMIN, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n", "HTTP/1.1 413 ", true);
	/* chunks without end: cut */
	c = connect_tcp(ADMIN);
	say(&c, "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	mono_us began = mono_now();

	while (!c.eof && !late(began)) {
		say(&c, "8000\r\n");
		send_bytes(&c, body, 0x8000);
		say(&c, "\r\n");
		take(&c);
	}
	assert_true(c.eof);
	hang_up(&c);
	assert_int_equal(n_handled, 2);
	free(big);
	free(body);
}

static void test_no_body(void **state)
{
	struct httpd_listener l = { .id = 7, .host = "127.0.0.1", .no_body = true };

	(void)state;
	listen_or_fail(&l);
	ask_once(7, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na", "no request here has a body", false);
	ask_once(7, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "POST /x on 7 q=- x=- body=0", false);
	ask_once(7, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "GET /x on 7", false);
}

/* Slow clients are cut whatever they drip: nothing, a header, a body. */
static void test_slow(void **state)
{
	static const char *const begin[] = { "", "GET /", "GET / HTTP/1.1\r\nHost: h\r\nX-A: ", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000\r\n\r\n" };
	struct client c[ARRAY_LEN(begin)];
	bool open = true;
	mono_us began = mono_now();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(begin); i++) {
		c[i] = connect_tcp(HEALTH);
		say(&c[i], begin[i]);
	}
	struct client idle = connect_tcp(HEALTH);

	say(&idle, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&idle, "GET /a on 1");
	while (open) {
		open = false;
		for (size_t i = 0; i < ARRAY_LEN(begin); i++) {
			if (c[i].eof)
				continue;
			open = true;
			if (begin[i][0])
				say(&c[i], "a");
			take(&c[i]);
			turn(c[i].fd, POLLIN);
		}
		assert_false(late(began));
	}
	assert_int_equal(n_handled, 1);
	/* one that was served and is silent is no slow one yet */
	say(&idle, "GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&idle, "GET /b on 1");
	/* but its next header is timed from its first line */
	say(&idle, "GET /c HTTP/1.1\r\nHost: h\r\nX-A: ");
	expect_end(&idle);
	hang_up(&idle);
	for (size_t i = 0; i < ARRAY_LEN(begin); i++)
		hang_up(&c[i]);
	assert_int_equal(n_handled, 2);
}

static void test_pipelining(void **state)
{
	enum { N = 2000 };
	struct buf all = BUF_INIT(1 << 20);
	struct client c = connect_tcp(ADMIN);

	(void)state;
	for (int i = 0; i < N; i++)
		buf_addf(&all, "GET /p%d HTTP/1.1\r\nHost: h\r\n\r\n", i);
	send_bytes(&c, all.data, all.len);
	expect_times(&c, "HTTP/1.1 200 OK\r\n", N);
	expect(&c, "GET /p1999 on 2");
	assert_int_equal(n_handled, N);
	assert_true(strstr(buf_str(&c.in), "/p998 ") < strstr(buf_str(&c.in), "/p999 "));
	/* a deferred answer in the middle holds back what follows */
	buf_clear(&c.in);
	say(&c, "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "GET /a on 2");
	UNTIL(n_kept == 1);
	assert_int_equal(n_handled, N + 2);
	answer_text(kept[0], 202, "at last\n");
	expect(&c, "GET /b on 2");
	assert_true(strstr(buf_str(&c.in), "at last") < strstr(buf_str(&c.in), "GET /b"));
	hang_up(&c);
	buf_free(&all);
}

static void test_deferred(void **state)
{
	struct client c = connect_tcp(ADMIN), gone = connect_tcp(ADMIN), reset = connect_tcp(ADMIN);
	struct linger now = { .l_onoff = 1 };

	(void)state;
	say(&c, "POST /later?q=1 HTTP/1.1\r\nHost: h\r\nX-One: 9\r\nContent-Length: 3\r\n\r\nabc");
	UNTIL(n_kept == 1);
	/* all of it can be read until it is answered */
	assert_string_equal(kept[0]->path, "/later");
	assert_string_equal(kept[0]->target, "/later?q=1");
	assert_string_equal(kept[0]->method, "POST");
	assert_string_equal(kept[0]->body, "abc");
	assert_string_equal(httpd_query(kept[0], "q"), "1");
	assert_string_equal(httpd_header(kept[0], "X-One"), "9");
	const char *name, *value;

	assert_true(httpd_query_at(kept[0], 0, &name, &value) && strcmp(name, "q") == 0 && strcmp(value, "1") == 0);
	assert_false(httpd_query_at(kept[0], 1, &name, &value));
	answer_text(kept[0], 201, "done\n");
	expect(&c, "HTTP/1.1 201 Created\r\n");
	expect(&c, "done\n");
	say(&c, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "GET /next on 2");
	/* gone before the answer: by close and by reset */
	say(&gone, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 2);
	say(&reset, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 3);
	setsockopt(reset.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	hang_up(&gone);
	hang_up(&reset);
	for (int i = 0; i < 20; i++)
		turn(-1, 0);
	answer_text(kept[1], 200, "nobody");
	answer_text(kept[2], 200, "nobody");
	UNTIL(httpd_connections(server, ADMIN) == 1);
	/* a stream begun late, for nobody */
	gone = connect_tcp(ADMIN);
	say(&gone, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 4);
	hang_up(&gone);
	ticker.value = 1;
	httpd_stream_begin(kept[3], "text/event-stream", NULL, 0, tick, tick_closed, &ticker);
	for (mono_us began = mono_now(); !ticker.closed && !late(began); ticker.value++) {
		turn(-1, 0);
		httpd_streams_wake(server);
	}
	assert_int_equal(ticker.closed, 1);
	hang_up(&c);
	UNTIL(httpd_connections(server, ADMIN) == 0);
}

static void test_stream(void **state)
{
	struct client c = connect_tcp(ADMIN);

	(void)state;
	ticker.value = 1;
	say(&c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "data: 1\n\n");
	assert_non_null(strstr(buf_str(&c.in), "Content-Type: text/event-stream\r\n"));
	/* nothing to say: not asked again, and the loop sleeps */
	UNTIL(ticker.pulls == 2);
	for (int i = 0; i < 50; i++)
		turn(-1, 0);
	assert_int_equal(ticker.pulls, 2);
	for (unsigned i = 2; i < 50; i++) {
		char text[32];

		ticker.value = i;
		if (i % 2)
			httpd_streams_wake(server);
		else
			httpd_stream_wake(ticker.stream);
		TEXT_FORMAT(text, "data: %u\n\n", i);
		expect(&c, text);
	}
	/* several changes before a wake are one snapshot; wakes without a change say nothing */
	ticker.value = 60;
	ticker.value = 61;
	httpd_streams_wake(server);
	httpd_streams_wake(server);
	expect(&c, "data: 61\n\n");
	assert_null(strstr(buf_str(&c.in), "data: 60"));
	/* an end: the connection can be used again */
	ticker.end = true;
	httpd_streams_wake(server);
	expect(&c, "\r\n0\r\n\r\n");
	assert_int_equal(ticker.closed, 1);
	say(&c, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "GET /next on 2");
	/* the client vanishes: seen at the next writes */
	ticker = (struct ticker){ .value = 1 };
	say(&c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_times(&c, "data: 1\n\n", 2);
	hang_up(&c);
	for (mono_us began = mono_now(); !ticker.closed && !late(began); ticker.value++) {
		httpd_streams_wake(server);
		turn(-1, 0);
	}
	assert_int_equal(ticker.closed, 1);
	httpd_streams_wake(server);
	UNTIL(httpd_connections(server, ADMIN) == 0);
}

/* One that never reads stops being asked: memory stays flat, others go on. */
static void test_slow_reader(void **state)
{
	struct client c = connect_tcp(ADMIN);

	(void)state;
	ticker.flood = true;
	say(&c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	uint64_t before = 1;
	mono_us began = mono_now();

	for (int still = 0; still < 50; still = ticker.filled == before ? still + 1 : 0) {
		before = ticker.filled;
		turn(-1, 0);
		poll(NULL, 0, 1);
		assert_false(late(began));
	}
	assert_true(ticker.filled > 0);
	ask_once(ADMIN, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n", "GET /f on 2", false);
	/* it reads after all: it is asked again */
	take(&c);
	UNTIL((take(&c), ticker.filled > before));
	hang_up(&c);
	UNTIL(ticker.closed == 1);
}

static void test_unix(void **state)
{
	struct client c = connect_unix(unix_path);
	char text[64], err[512];
	struct stat st;

	(void)state;
	say(&c, "GET /u HTTP/1.1\r\nHost: localhost\r\n\r\n");
	TEXT_FORMAT(text, "GET /u on 3 q=- x=- body=0 peer=/%d/1\n", (int)getuid());
	expect(&c, text);
	hang_up(&c);
	assert_int_equal(stat(unix_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(httpd_port(server, LOCAL), 0);
	/* a live owner: refused, and it goes on serving */
	struct httpd_listener l = { .id = 8, .unix_path = unix_path, .unix_mode = 0600 };

	assert_false(httpd_listen(server, &l, err, sizeof(err)));
	assert_non_null(strstr(err, "another process listens there"));
	c = connect_unix(unix_path);
	say(&c, "GET /v HTTP/1.1\r\nHost: localhost\r\n\r\n");
	expect(&c, "GET /v on 3");
	hang_up(&c);
	/* not a socket: left alone */
	char other[128];

	TEXT_FORMAT(other, "%s/file", dir);
	l.unix_path = other;
	close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_false(httpd_listen(server, &l, err, sizeof(err)));
	assert_non_null(strstr(err, "not a socket"));
	assert_int_equal(unlink(other), 0);
	/* a dead owner: replaced */
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(TEXT_COPY(a.sun_path, other));
	assert_int_equal(bind(dead, (struct sockaddr *)&a, sizeof(a)), 0);
	close(dead);
	assert_true(httpd_listen(server, &l, err, sizeof(err)));
	c = connect_unix(other);
	say(&c, "GET /w HTTP/1.1\r\nHost: localhost\r\n\r\n");
	expect(&c, "GET /w on 8");
	hang_up(&c);
	/* somebody else's socket at our path is not removed with us */
	assert_int_equal(unlink(other), 0);
	dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(dead, (struct sockaddr *)&a, sizeof(a)), 0);
	close(dead);
	httpd_close(server, 8);
	assert_int_equal(unlink(other), 0);
	/* impossible places */
	char *deep = fill(200);

	l.unix_path = deep;
	assert_false(httpd_listen(server, &l, err, sizeof(err)));
	assert_non_null(strstr(err, "107 bytes"));
	free(deep);
	l.unix_path = "/nowhere/at/all.sock";
	assert_false(httpd_listen(server, &l, err, sizeof(err)));
	assert_non_null(strstr(err, "No such file"));
}

static void test_tcp_errors(void **state)
{
	char err[256];
	struct httpd_listener l = { .id = 8, .host = "127.0.0.1", .port = httpd_port(server, ADMIN) };

	(void)state;
	assert_false(httpd_listen(server, &l, err, sizeof(err)));
	assert_non_null(strstr(err, "cannot listen on 127.0.0.1:"));
	assert_non_null(strstr(err, "Address already in use"));
	l.host = "192.0.2.1";
	assert_false(httpd_listen(server, &l, err, sizeof(err)));
	struct addrinfo *known = NULL;
	bool has_hosts = getaddrinfo("localhost", NULL, NULL, &known) == 0; /* not in a root without /etc/hosts */

	if (known)
		freeaddrinfo(known);
	l = (struct httpd_listener){ .id = 8, .host = has_hosts ? "localhost" : "127.0.0.1" };
	assert_true(httpd_listen(server, &l, err, sizeof(err)));
	assert_true(httpd_port(server, 8) > 0);
	httpd_close(server, 8);
	httpd_close(server, 8);
	assert_int_equal(httpd_port(server, 8), 0);
}

/* One listener full to its limit, of silent and of kept clients: another serves. */
static void test_limits(void **state)
{
	enum { LIMIT = 200 };
	static struct client c[LIMIT + 1];

	(void)state;
	for (int i = 0; i < LIMIT; i++) {
		c[i] = connect_tcp(HEALTH);
		say(&c[i], "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	}
	UNTIL(n_kept == LIMIT);
	assert_int_equal(httpd_connections(server, HEALTH), LIMIT);
	c[LIMIT] = connect_tcp(HEALTH);
	say(&c[LIMIT], "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
	for (int i = 0; i < 20; i++) {
		ask_once(ADMIN, "GET /f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /f on 2", true);
		turn(-1, 0);
	}
	take(&c[LIMIT]);
	assert_int_equal(c[LIMIT].in.len, 0);
	/* one leaves: the one who waited is served */
	answer_text(kept[0], 200, "bye");
	expect(&c[0], "bye");
	hang_up(&c[0]);
	expect(&c[LIMIT], "GET /x on 1");
	for (size_t i = 1; i < n_kept; i++)
		answer_text(kept[i], 200, "bye");
	for (int i = 1; i <= LIMIT; i++) {
		if (i < LIMIT)
			expect(&c[i], "bye");
		hang_up(&c[i]);
	}
	UNTIL(httpd_connections(server, HEALTH) == 0);
}

/* Closing with everything in flight: kept requests, a stream asleep, one that does not read,
 * half a header, pipelined requests behind a kept one. */
static void test_close(void **state)
{
	struct client c = connect_tcp(ADMIN), s = connect_tcp(ADMIN), half = connect_tcp(ADMIN), piped = connect_tcp(ADMIN), away = connect_tcp(ADMIN);
	struct client other = connect_tcp(HEALTH);
	uint16_t port = httpd_port(server, ADMIN);

	(void)state;
	ticker.value = 1;
	say(&c, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 1);
	say(&piped, "GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 2);
	say(&away, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 3);
	hang_up(&away);
	say(&other, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 4);
	say(&s, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&s, "data: 1\n\n");
	say(&half, "GET /half HTTP/1.1\r\nHo");
	for (int i = 0; i < 20; i++)
		turn(-1, 0);
	httpd_close(server, ADMIN);
	assert_int_equal(ticker.closed, 1);
	expect_end(&c);
	assert_true(text_starts(buf_str(&c.in), "HTTP/1.1 503 "));
	expect_end(&piped);
	assert_true(text_starts(buf_str(&piped.in), "HTTP/1.1 503 "));
	expect_end(&s);
	assert_non_null(strstr(buf_str(&s.in), "\r\n0\r\n\r\n"));
	expect_end(&half);
	assert_int_equal(httpd_port(server, ADMIN), 0);
	/* the answers come too late, and fall into nothing */
	answer_text(kept[0], 200, "late");
	answer_text(kept[1], 200, "late");
	httpd_stream_begin(kept[2], "text/plain", NULL, 0, tick, tick_closed, &ticker);
	assert_int_equal(ticker.closed, 2);
	assert_int_equal(n_kept, 4);
	/* the other listener has not noticed; the port is free again */
	answer_text(kept[3], 200, "here");
	expect(&other, "here");
	listen_or_fail(&(struct httpd_listener){ .id = ADMIN, .host = "127.0.0.1", .port = port });
	ask_once(ADMIN, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n", "GET /f on 2", false);
	/* all at once, and an answer after the server is no more */
	ticker = (struct ticker){ .flood = true };
	struct client full = connect_tcp(ADMIN);

	say(&full, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(ticker.filled > 100000);
	say(&other, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 5);
	httpd_free(&server);
	assert_int_equal(ticker.closed, 1);
	answer_text(kept[4], 200, "late");
	expect_end(&other);
	hang_up(&c);
	hang_up(&s);
	hang_up(&half);
	hang_up(&piped);
	hang_up(&other);
	hang_up(&full);
}

/* A loop with idle clients and a sleeping stream sleeps: counted in turns, not in time. */
static unsigned turns;
static void count_turn(struct ev_loop *l, ev_check *w, int events) { (void)l; (void)w; (void)events; turns++; }
static void stop_loop(struct ev_loop *l, ev_timer *w, int events) { (void)w; (void)events; ev_break(l, EVBREAK_ALL); }

static void test_idle(void **state)
{
	struct client c = connect_tcp(ADMIN), s = connect_tcp(ADMIN), k = connect_tcp(ADMIN);
	ev_check check;
	ev_timer timer;

	(void)state;
	ticker.value = 1;
	say(&c, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "GET /a on 2");
	say(&s, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&s, "data: 1");
	say(&k, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 1);
	for (int i = 0; i < 20; i++)
		turn(-1, 0);
	ev_check_init(&check, count_turn);
	ev_check_start(loop, &check);
	ev_timer_init(&timer, stop_loop, 0.5, 0.);
	ev_timer_start(loop, &timer);
	turns = 0;
	ev_run(loop, 0);
	ev_check_stop(loop, &check);
	print_message("%u turns of the loop in half a second\n", turns);
	assert_true(turns < 20);
	answer_text(kept[0], 200, "bye");
	expect(&k, "bye");
	hang_up(&c);
	hang_up(&s);
	hang_up(&k);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_requests), TEST(test_refused), TEST(test_garbage), TEST(test_large), TEST(test_no_body), TEST(test_slow),
		TEST(test_pipelining), TEST(test_deferred), TEST(test_stream), TEST(test_slow_reader), TEST(test_unix),
		TEST(test_tcp_errors), TEST(test_limits), TEST(test_close), TEST(test_idle),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
