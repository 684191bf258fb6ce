/* SPDX-License-Identifier: MIT
 * redis.h - one blocking connection to Redis, by hand: a command out, one reply in.
 *
 * A reply is flattened: the strings, numbers and errors in it, in order, whatever arrays they stand in. */
#ifndef SCRIPTS_BENCH_REDIS_H
#define SCRIPTS_BENCH_REDIS_H

#include "scripts/bench/bench.h"

enum { REDIS_MAX = 1024 * 1024, REDIS_PARTS = 16384 };

struct redis {
	int fd;
	char in[REDIS_MAX];
	size_t n;
	char *part[REDIS_PARTS];
	int n_parts;
};

static inline void redis_open(struct redis *r, const char *socket)
{
	r->fd = dial(socket);
	r->n = 0;
}

static inline const char *redis_string(const struct redis *r, int i) { return i < r->n_parts ? r->part[i] : ""; }

/* Takes one value that begins at p; NULL: more bytes are needed.  Ends each part with a zero byte when `keep`. */
static inline char *redis_value(struct redis *r, char *p, bool keep)
{
	char *line = memmem(p, (size_t)(r->in + r->n - p), "\r\n", 2);
	long len;

	if (!line)
		return NULL;
	len = strtol(p + 1, NULL, 10);
	if (*p == '*') {
		p = line + 2;
		for (long i = 0; i < len && p; i++)
			p = redis_value(r, p, keep);
		return p;
	}
	if (keep && r->n_parts == REDIS_PARTS)
		die("redis: too many parts");
	if (*p == '$' && len >= 0) {
		char *text = line + 2;

		if (r->in + r->n < text + len + 2)
			return NULL;
		if (keep) {
			text[len] = '\0';
			r->part[r->n_parts++] = text;
		}
		return text + len + 2;
	}
	if (keep) {
		*line = '\0';
		r->part[r->n_parts++] = *p == '$' ? line : p + 1;
		if (*p == '-')
			die("redis: %s", p + 1);
	}
	return line + 2;
}

static inline void redis_ask(struct redis *r, const char *const *args, int n)
{
	static char out[REDIS_MAX];
	size_t len = (size_t)snprintf(out, sizeof(out), "*%d\r\n", n);

	for (int i = 0; i < n; i++) {
		size_t l = strlen(args[i]);

		if (len + l + 32 > sizeof(out))
			die("redis: too long a command");
		len += (size_t)snprintf(out + len, sizeof(out) - len, "$%zu\r\n", l);
		memcpy(out + len, args[i], l);
		memcpy(out + len + l, "\r\n", 2);
		len += l + 2;
	}
	if (!send_all(r->fd, out, len))
		die("redis: %s", strerror(errno));
	r->n = 0;
	r->n_parts = 0;
	do {
		ssize_t got = read(r->fd, r->in + r->n, sizeof(r->in) - 1 - r->n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			die("redis: no whole reply to %s", args[0]);
		r->n += (size_t)got;
	} while (!redis_value(r, r->in, false));
	redis_value(r, r->in, true);
}

#endif
