/* SPDX-License-Identifier: MIT
 * fake.h - what the little programs of the test house share: sockets, clock, control channel.
 *
 * Header only, libev and libc only, and nothing of switchd: a fault in switchd's own buffers
 * or clocks must not be able to hide in the instrument that measures it.
 *
 * The control channel is a unix socket: one line in, one line out, closed.  A command has taken
 * effect when its answer is sent, so that a scenario uses the answer as its barrier. */
#ifndef TESTS_FAKES_FAKE_H
#define TESTS_FAKES_FAKE_H

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FAKE_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define FAKE_LEN(a) (sizeof(a) / sizeof((a)[0]))

__attribute__((noreturn)) FAKE_PRINTF(1, 2)
static inline void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static inline void *need(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

/* The clock that switchd measures with, so that their times can be laid side by side. */
static inline int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline int64_t wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A whole number within bounds, or the end of the program: these are command lines, not input. */
static inline long number(const char *what, const char *s, long min, long max)
{
	char *end;

	errno = 0;
	long v = strtol(s, &end, 10);
	if (errno || end == s || *end || v < min || v > max)
		die("%s: want a number from %ld to %ld, got '%s'", what, min, max, s);
	return v;
}

/* "300ms", "2s", or a bare number of milliseconds; -1 when it is none. */
static inline long duration_ms(const char *s)
{
	char *end;

	errno = 0;
	long v = strtol(s, &end, 10);
	if (errno || end == s || v < 0 || v > 3600000)
		return -1;
	if (strcmp(end, "ms") == 0 || *end == '\0')
		return v;
	return strcmp(end, "s") == 0 && v <= 3600 ? v * 1000 : -1;
}

static inline void nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		die("fcntl: %s", strerror(errno));
}

/* "127.0.0.1:8080", "unix:path" or a path with a slash in it.  False: not an address. */
static inline bool address(const char *s, struct sockaddr_storage *out, socklen_t *len)
{
	memset(out, 0, sizeof(*out));
	bool is_path = strncmp(s, "unix:", 5) == 0;
	if (is_path)
		s += 5;
	if (is_path || strchr(s, '/')) {
		struct sockaddr_un *un = (struct sockaddr_un *)out;
		size_t n = strlen(s);

		if (n >= sizeof(un->sun_path))
			return false;
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, s, n);
		*len = (socklen_t)sizeof(*un);
		return true;
	}
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	const char *colon = strrchr(s, ':');
	char host[64];

	if (!colon || (size_t)(colon - s) >= sizeof(host))
		return false;
	memcpy(host, s, (size_t)(colon - s));
	host[colon - s] = '\0';
	in->sin_family = AF_INET;
	if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &in->sin_addr) != 1)
		return false;
	in->sin_port = htons((uint16_t)number("port", colon + 1, 0, 65535));
	*len = (socklen_t)sizeof(*in);
	return true;
}

/* Listens, non-blocking; *port is the port it got (0 for a unix socket).  A stale socket file is replaced. */
static inline int listen_on(const char *where, int *port)
{
	struct sockaddr_storage a;
	socklen_t len;
	int one = 1;

	if (!address(where, &a, &len))
		die("%s: not an address (want 127.0.0.1:PORT or /path)", where);
	int fd = socket(a.ss_family, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (a.ss_family == AF_UNIX)
		unlink(((struct sockaddr_un *)&a)->sun_path);
	else
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 1024) < 0)
		die("%s: %s", where, strerror(errno));
	nonblocking(fd);
	*port = 0;
	if (a.ss_family == AF_INET) {
		len = sizeof(a);
		if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
			die("getsockname: %s", strerror(errno));
		*port = ntohs(((struct sockaddr_in *)&a)->sin_port);
	}
	return fd;
}

/* Closes so that the peer gets a reset, not an end. */
static inline void close_reset(int fd)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
}

static inline void write_pid_file(const char *path)
{
	char tmp[4096];

	/* Renamed into place: who reads it never sees half a number. */
	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new", path) >= sizeof(tmp))
		die("%s: too long", path);
	FILE *f = fopen(tmp, "w");
	if (!f || fprintf(f, "%ld\n", (long)getpid()) < 0 || fclose(f) != 0 || rename(tmp, path) < 0)
		die("%s: %s", path, strerror(errno));
}

/* ---- the control channel ---- */

enum { CTL_LINE = 1024, CTL_CONNS = 64 };
struct ctl;
struct ctl_conn {
	ev_io io;
	struct ctl *ctl;
	int fd;                 /* -1 = free */
	char in[CTL_LINE];
	size_t n;
	bool waiting;           /* its command is answered later, by ctl_reply */
	int64_t tag;            /* the handler's own, for answers later */
};
/* Answers at once with ctl_reply(), or sets c->waiting and does so later. */
typedef void ctl_fn(struct ctl_conn *c, char *line);
struct ctl {
	ev_io io;
	int fd;
	ctl_fn *fn;
	struct ctl_conn conn[CTL_CONNS];
};

static inline void ctl_close(struct ev_loop *loop, struct ctl_conn *c)
{
	ev_io_stop(loop, &c->io);
	close(c->fd);
	c->fd = -1;
	c->waiting = false;
}

/* Blocking write: answers are short and the asker waits for them. */
static inline void ctl_reply(struct ctl_conn *c, const char *fmt, ...) FAKE_PRINTF(2, 3);
static inline void ctl_reply(struct ctl_conn *c, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		die("out of memory");
	fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) & ~O_NONBLOCK);
	for (ssize_t off = 0; off < n;) {
		ssize_t w = send(c->fd, text + off, (size_t)(n - off), MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			break;
		off += w;
	}
	free(text);
	ctl_close(ev_default_loop(0), c);
}

static inline void ctl_read(struct ev_loop *loop, ev_io *w, int revents)
{
	struct ctl_conn *c = w->data;
	ssize_t n = read(c->fd, c->in + c->n, sizeof(c->in) - 1 - c->n);

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		ctl_close(loop, c);
		return;
	}
	if (c->waiting)         /* whatever else it says: one command each */
		return;
	c->n += (size_t)n;
	c->in[c->n] = '\0';
	char *end = strchr(c->in, '\n');
	if (!end) {
		if (c->n == sizeof(c->in) - 1)
			ctl_reply(c, "error line too long\n");
		return;
	}
	*end = '\0';
	c->n = 0;
	c->ctl->fn(c, c->in);
}

static inline void ctl_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct ctl *ctl = w->data;
	int fd = accept(ctl->fd, NULL, NULL);

	(void)revents;
	if (fd < 0)
		return;
	nonblocking(fd);
	for (size_t i = 0; i < CTL_CONNS; i++) {
		struct ctl_conn *c = &ctl->conn[i];

		if (c->fd >= 0)
			continue;
		memset(c, 0, sizeof(*c));
		c->fd = fd;
		c->ctl = ctl;
		ev_io_init(&c->io, ctl_read, fd, EV_READ);
		c->io.data = c;
		ev_io_start(loop, &c->io);
		return;
	}
	close(fd);
}

static inline void ctl_start(struct ev_loop *loop, struct ctl *ctl, const char *path, ctl_fn *fn)
{
	int port;

	ctl->fd = listen_on(path, &port);
	ctl->fn = fn;
	for (size_t i = 0; i < CTL_CONNS; i++)
		ctl->conn[i].fd = -1;
	ev_io_init(&ctl->io, ctl_accept, ctl->fd, EV_READ);
	ctl->io.data = ctl;
	ev_io_start(loop, &ctl->io);
}

#endif
