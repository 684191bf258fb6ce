/* SPDX-License-Identifier: MIT
 * resolve.c - one thread a question (aside.h); the answer is dropped when nobody waits any more. */
#include "switchd/io/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/must.h"
#include "switchd/base/text.h"
#include "switchd/io/aside.h"

struct resolve {
	struct aside *aside;
	resolve_fn *fn;
	void *arg;
};

struct question { char *host; struct resolved out; };

bool resolve_is_ip(const char *host)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

size_t resolve_now(const char *host, char (*ip)[RESOLVE_TEXT], size_t room, char *why, size_t size)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *list = NULL;
	int rc = getaddrinfo(host, NULL, &hints, &list);
	size_t n = 0;

	for (struct addrinfo *a = list; rc == 0 && a && n < room; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, ip[n], RESOLVE_TEXT, NULL, 0, NI_NUMERICHOST) == 0)
			n++;
	if (list)
		freeaddrinfo(list);
	if (!n)
		text_format(why, size, "%.80s: %s", host, rc ? gai_strerror(rc) : "no address");
	return n;
}

static void ask(void *work)
{
	struct question *q = work;

	q->out.n = resolve_now(q->host, q->out.ip, RESOLVE_MAX, q->out.error, sizeof(q->out.error));
}

static void free_question(void *work)
{
	struct question *q = work;

	free(q->host);
	free(q);
}

static void answered(void *arg, void *work, int failed)
{
	struct resolve *r = arg;
	struct question *q = work;

	if (failed)
		text_format(q->out.error, sizeof(q->out.error), "%.80s: no thread to look it up: %s", q->host, strerror(failed));
	r->fn(r->arg, &q->out);
	free(r);
}

struct resolve *resolve_start(struct ev_loop *loop, const char *host, resolve_fn *fn, void *arg)
{
	struct resolve *r = xcalloc(1, sizeof(*r));
	struct question *q = xcalloc(1, sizeof(*q));

	q->host = xstrdup(host);
	r->fn = fn;
	r->arg = arg;
	r->aside = aside_start(loop, q, ask, free_question, answered, r);
	return r;
}

void resolve_cancel(struct resolve **rp)
{
	struct resolve *r = *rp;

	if (!r)
		return;
	*rp = NULL;
	aside_cancel(&r->aside);
	free(r);
}
