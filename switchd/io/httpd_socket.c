/* SPDX-License-Identifier: MIT
 * httpd_socket.c - listening sockets: TCP, and unix ones that replace a dead owner's but not a live one's. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "switchd/base/text.h"
#include "switchd/io/httpd_priv.h"

enum { BACKLOG = 1024 };

static int give_up(int fd, char *err, size_t err_size, const char *where, const char *why)
{
	if (fd >= 0)
		close(fd);
	text_format(err, err_size, "cannot listen on %s: %s", where, why);
	return -1;
}

static int bind_tcp(const struct addrinfo *ai)
{
	int one = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int e = errno;

	close(fd);
	errno = e;
	return -1;
}

int socket_tcp(const char *host, uint16_t port, char *err, size_t err_size)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST }, *list = NULL;
	char service[8], where[128], bare[96];
	size_t n = strlen(host);
	bool bracketed = n > 2 && host[0] == '[' && host[n - 1] == ']';

	TEXT_FORMAT(service, "%u", port);
	TEXT_FORMAT(where, "%s:%u", host, port);
	if (!text_copy_n(bare, sizeof(bare), host + bracketed, n - 2 * bracketed))
		return give_up(-1, err, err_size, where, "the address is too long");
	int rc = getaddrinfo(bare[0] ? bare : NULL, service, &hints, &list);

	if (rc == EAI_NONAME) {         /* a name: may ask a resolver, so only names wait */
		hints.ai_flags &= ~AI_NUMERICHOST;
		rc = getaddrinfo(bare, service, &hints, &list);
	}
	if (rc != 0)
		return give_up(-1, err, err_size, where, gai_strerror(rc));
	int fd = bind_tcp(list), e = errno;

	freeaddrinfo(list);
	return fd >= 0 ? fd : give_up(-1, err, err_size, where, strerror(e));
}

/* A socket file is dead when nobody accepts behind it.  A full backlog (EAGAIN) is a live owner. */
static bool owner_is_dead(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	bool dead = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0 && errno == ECONNREFUSED;

	close(fd);
	return dead;
}

int socket_unix(const char *path, mode_t mode, char *err, size_t err_size)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;

	if (!TEXT_COPY(addr.sun_path, path))
		return give_up(-1, err, err_size, path, "the path of a unix socket has 107 bytes at most");
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return give_up(-1, err, err_size, path, "a file that is not a socket stands there");
		if (!owner_is_dead(&addr))
			return give_up(-1, err, err_size, path, "another process listens there");
		if (unlink(path) != 0 && errno != ENOENT)
			return give_up(-1, err, err_size, path, strerror(errno));
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return give_up(-1, err, err_size, path, strerror(errno));
	/* The mode must hold from the first moment on: chmod after bind leaves a gap. */
	mode_t old = umask((mode_t)(0777 & ~mode));
	int rc = bind(fd, (struct sockaddr *)&addr, sizeof(addr)), e = errno;

	umask(old);
	if (rc != 0)
		return give_up(fd, err, err_size, path, strerror(e));
	if (listen(fd, BACKLOG) != 0)
		return give_up(fd, err, err_size, path, strerror(errno));
	return fd;
}
