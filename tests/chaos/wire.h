/* SPDX-License-Identifier: MIT
 * wire.h - one question over one connection, blocking, under a deadline.
 *
 * What is asked here may be frozen, cut or half dead: that is the purpose of the whole.  So nothing
 * waits longer than it was told, and an answer that ended early is returned as far as it came. */
#ifndef TESTS_CHAOS_WIRE_H
#define TESTS_CHAOS_WIRE_H

#include <poll.h>

#include "tests/fakes/fake.h"

enum wire { WIRE_OK, WIRE_REFUSED, WIRE_RESET, WIRE_CLOSED, WIRE_TIMEOUT };
static inline const char *wire_name(enum wire w)
{
	static const char *const names[] = { "ok", "refused", "reset", "closed", "timeout" };

	return names[w];
}

static inline bool wire_wait(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;

	while ((left = (deadline - now_us() + 999) / 1000) > 0) {
		int n = poll(&p, 1, (int)left);

		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
	return false;
}

/* Connects; -1 with *how when it does not. */
static inline int wire_connect(const char *where, int64_t deadline, enum wire *how)
{
	struct sockaddr_storage a;
	socklen_t len;

	if (!address(where, &a, &len))
		die("%s: not an address", where);
	int fd = socket(a.ss_family, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	nonblocking(fd);
	int err = connect(fd, (struct sockaddr *)&a, len) < 0 ? errno : 0;
	/* A full backlog of a unix socket says EAGAIN: somebody is there and does not answer. */
	if (err == EINPROGRESS) {
		socklen_t n = sizeof(err);

		if (!wire_wait(fd, POLLOUT, deadline))
			err = EAGAIN;
		else
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n);
	}
	if (err == 0)
		return fd;
	close(fd);
	*how = err == EAGAIN ? WIRE_TIMEOUT : WIRE_REFUSED;
	return -1;
}

/* Sends, and reads until the other side closes (or `enough` says that all is there).  *got is what came, always ended by a NUL. */
static inline enum wire wire_ask(const char *where, const char *send_text, size_t n, char *out, size_t size, size_t *got, long timeout_ms,
				 bool (*enough)(const char *, size_t))
{
	int64_t deadline = now_us() + timeout_ms * 1000;
	enum wire how = WIRE_OK;
	int fd = wire_connect(where, deadline, &how);

	*got = 0;
	out[0] = '\0';
	if (fd < 0)
		return how;
	for (size_t off = 0; off < n;) {
		ssize_t w = send(fd, send_text + off, n - off, MSG_NOSIGNAL);

		if (w > 0)
			off += (size_t)w;
		else if (w < 0 && errno == EAGAIN) {
			if (!wire_wait(fd, POLLOUT, deadline)) {
				close(fd);
				return WIRE_TIMEOUT;
			}
		} else if (w < 0 && errno != EINTR)
			break;          /* an answer may stand there all the same */
	}
	for (;;) {
		if (!wire_wait(fd, POLLIN, deadline)) {
			how = WIRE_TIMEOUT;
			break;
		}
		ssize_t r = read(fd, out + *got, size - 1 - *got);
		if (r < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (r <= 0) {
			how = r < 0 ? WIRE_RESET : *got ? WIRE_OK : WIRE_CLOSED;
			break;
		}
		*got += (size_t)r;
		out[*got] = '\0';
		if (*got == size - 1 || (enough && enough(out, *got)))
			break;
	}
	close(fd);
	return how;
}

#endif
