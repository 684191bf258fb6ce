/* SPDX-License-Identifier: MIT
 * bench.h - what the measuring programs share: the API by a bare socket, members of JSON, percentiles.
 *
 * Nothing of switchd is used here: what is measured must not measure itself.  Requests block and have
 * a deadline; whoever asks twice at once uses two connections. */
#ifndef SCRIPTS_BENCH_BENCH_H
#define SCRIPTS_BENCH_BENCH_H

#include <strings.h>
#include <sys/time.h>

#include "tests/fakes/fake.h"

enum { REPLY_MAX = 1024 * 1024, DEADLINE_S = 45 };

static inline void sleep_us(int64_t us)
{
	struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	while (us > 0 && nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* Blocking, with a deadline for each read and write. */
static inline int dial(const char *where)
{
	struct sockaddr_storage a;
	struct timeval t = { .tv_sec = DEADLINE_S };
	socklen_t len;

	if (!address(where, &a, &len))
		die("%s: not an address", where);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) < 0)
		die("socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&a, len) < 0)
		die("%s: %s", where, strerror(errno));
	return fd;
}

static inline bool send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

/* One line to a socket that answers and closes (the fakes' control, HAProxy's runtime socket). */
static inline void say_line(const char *where, const char *line, char *reply, size_t size)
{
	int fd = dial(where);
	size_t n = 0;
	ssize_t r;

	if (!send_all(fd, line, strlen(line)) || !send_all(fd, "\n", 1))
		die("%s: '%s' was not taken", where, line);
	while ((r = read(fd, reply + n, size - 1 - n)) != 0) {
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			die("%s: no answer to '%s': %s", where, line, strerror(errno));
		n += (size_t)r;
		if (n == size - 1)
			die("%s: too long an answer to '%s'", where, line);
	}
	close(fd);
	reply[n] = '\0';
}

/* The same to a fake; "error" ends the program. */
static inline void command_fake(const char *where, char *reply, size_t size, const char *fmt, ...) FAKE_PRINTF(4, 5);
static inline void command_fake(const char *where, char *reply, size_t size, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	say_line(where, line, reply, size);
	if (strncmp(reply, "error", 5) == 0)
		die("%s: '%s': %s", where, line, reply);
}

/* ---- HTTP ---- */

struct api {
	const char *socket;
	int fd;                 /* kept alive; -1 = none yet */
	int status;
	char text[REPLY_MAX];   /* the body of the last answer */
};

/* False: the connection had gone before the first byte of an answer. */
static inline bool api_read(struct api *a)
{
	static char in[REPLY_MAX];
	size_t n = 0, body = 0, head = 0;
	char *end = NULL;

	for (;;) {
		ssize_t r = read(a->fd, in + n, sizeof(in) - 1 - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			die("%s: no whole answer in %d s", a->socket, DEADLINE_S);
		if (r <= 0 && n == 0)
			return false;
		if (r <= 0)
			die("%s: half an answer", a->socket);
		n += (size_t)r;
		in[n] = '\0';
		if (!end && (end = strstr(in, "\r\n\r\n"))) {
			char *length = strcasestr(in, "\r\nContent-Length:");

			head = (size_t)(end - in) + 4;
			if (sscanf(in, "HTTP/1.%*1[01] %3d", &a->status) != 1 || !length || length > end)
				die("%s: an answer without a length: %.200s", a->socket, in);
			body = (size_t)strtoul(length + 17, NULL, 10);
			if (head + body >= sizeof(in))
				die("%s: too long an answer", a->socket);
		}
		if (end && n >= head + body) {
			memcpy(a->text, in + head, body);
			a->text[body] = '\0';
			return true;
		}
	}
}

/* The status; the body is in a->text.  A kept connection that its owner closed is opened again, once. */
static inline int api(struct api *a, const char *method, const char *body, const char *path_fmt, ...) FAKE_PRINTF(4, 5);
static inline int api(struct api *a, const char *method, const char *body, const char *path_fmt, ...)
{
	char path[512], request[2048];
	va_list ap;

	va_start(ap, path_fmt);
	vsnprintf(path, sizeof(path), path_fmt, ap);
	va_end(ap);
	int n = snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: switchd\r\n", method, path);
	if (body)
		n += snprintf(request + n, sizeof(request) - (size_t)n, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	else
		n += snprintf(request + n, sizeof(request) - (size_t)n, "\r\n");
	for (int attempt = 0; attempt < 2; attempt++) {
		bool kept = a->fd >= 0;

		if (!kept)
			a->fd = dial(a->socket);
		if (send_all(a->fd, request, (size_t)n) && api_read(a))
			return a->status;
		close(a->fd);
		a->fd = -1;
		if (!kept)
			break;
	}
	die("%s: %s %s: no answer", a->socket, method, path);
}

/* ---- JSON: enough of it to find a member ---- */

static inline const char *json_space(const char *p) { return p + strspn(p, " \t\r\n"); }

static inline const char *json_string_end(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

static inline const char *json_over(const char *p)
{
	int depth = 0;

	p = json_space(p);
	do {
		if (*p == '"') {
			p = json_string_end(p);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		else if (depth == 0) {
			p += strcspn(p, ",]} \t\r\n");
			break;
		}
		if (*p)
			p++;
	} while (depth > 0 && *p);
	return p;
}

/* "move.acked_us", "events.0.e"; NULL when it is not there. */
static inline const char *json_find(const char *p, const char *path)
{
	while (*path) {
		size_t n = strcspn(path, ".");
		bool array, found = false;
		long at = 0, want = strtol(path, NULL, 10);

		p = json_space(p);
		if (*p != '{' && *p != '[')
			return NULL;
		array = *p == '[';
		for (p = json_space(p + 1); *p && *p != '}' && *p != ']'; at++) {
			const char *key = p;

			if (!array) {
				p = json_space(json_string_end(p));
				if (*p != ':')
					return NULL;
				p = json_space(p + 1);
			}
			if (array ? at == want : strncmp(key + 1, path, n) == 0 && key[1 + n] == '"') {
				found = true;
				break;
			}
			p = json_space(json_over(p));
			if (*p == ',')
				p = json_space(p + 1);
		}
		if (!found)
			return NULL;
		path += n + (path[n] == '.');
	}
	return json_space(p);
}

static inline int64_t json_number(const char *text, const char *path, int64_t none)
{
	const char *p = json_find(text, path);

	return p && (*p == '-' || (*p >= '0' && *p <= '9')) ? strtoll(p, NULL, 10) : none;
}

/* The string as written (no escapes are undone); false when there is none, or no room. */
static inline bool json_text(const char *text, const char *path, char *out, size_t size)
{
	const char *p = json_find(text, path);

	if (!p || *p != '"')
		return false;
	size_t n = (size_t)(json_string_end(p) - p) - 2;
	if (n >= size)
		return false;
	memcpy(out, p + 1, n);
	out[n] = '\0';
	return true;
}

static inline bool json_says(const char *text, const char *path, const char *want)
{
	char got[128];

	return json_text(text, path, got, sizeof(got)) && strcmp(got, want) == 0;
}

/* ---- numbers ---- */

struct samples { int64_t *v; size_t n, cap; };

static inline void sample(struct samples *s, int64_t v)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 256;
		s->v = need(realloc(s->v, s->cap * sizeof(*s->v)));
	}
	s->v[s->n++] = v;
}

static inline int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Nearest rank: the least value that at least p of all do not exceed.  -1 of none. */
static inline int64_t rank(struct samples *s, double p)
{
	if (!s->n)
		return -1;
	qsort(s->v, s->n, sizeof(*s->v), by_size);
	double at = p * (double)s->n;
	size_t i = (size_t)at;

	if ((double)i < at)
		i++;
	return s->v[i ? i - 1 : 0];
}

static inline void print_samples(FILE *f, const char *name, struct samples *s)
{
	fprintf(f, "\"%s\":{\"n\":%zu,\"p50\":%lld,\"p90\":%lld,\"p99\":%lld,\"max\":%lld}", name, s->n, (long long)rank(s, 0.5), (long long)rank(s, 0.9),
		(long long)rank(s, 0.99), (long long)rank(s, 1.0));
}

static inline FILE *create(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		die("%s: %s", path, strerror(errno));
	return f;
}

static inline void finish(FILE *f, const char *path)
{
	if (ferror(f) || fclose(f) != 0)
		die("%s: cannot be written", path);
}

#endif
