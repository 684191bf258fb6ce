/* SPDX-License-Identifier: MIT
 * resolve.c - one detached thread a question; the answer is dropped when nobody waits any more. */
#include "switchd/io/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/must.h"
#include "switchd/base/text.h"

/* Shared by two: the thread and the one who asked; the last to leave frees it. */
struct resolve {
	pthread_mutex_t mutex;
	bool abandoned, answered;
	char *host;
	struct resolved out;
	struct ev_loop *loop;
	ev_async ready;
	resolve_fn *fn;
	void *arg;
};

static void free_resolve(struct resolve *r)
{
	pthread_mutex_destroy(&r->mutex);
	free(r->host);
	free(r);
}

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

static void ask(struct resolve *r)
{
	r->out.n = resolve_now(r->host, r->out.ip, RESOLVE_MAX, r->out.error, sizeof(r->out.error));
}

static void *asker(void *arg)
{
	struct resolve *r = arg;
	bool abandoned;

	ask(r);
	pthread_mutex_lock(&r->mutex);
	abandoned = r->abandoned;
	r->answered = true;
	if (!abandoned)
		ev_async_send(r->loop, &r->ready);
	pthread_mutex_unlock(&r->mutex);
	if (abandoned)
		free_resolve(r);
	return NULL;
}

static void on_ready(struct ev_loop *loop, ev_async *w, int revents)
{
	struct resolve *r = w->data;

	(void)revents;
	pthread_mutex_lock(&r->mutex); /* the thread has left it: it signals last, under this lock */
	pthread_mutex_unlock(&r->mutex);
	ev_async_stop(loop, w);
	r->fn(r->arg, &r->out);
	free_resolve(r);
}

struct resolve *resolve_start(struct ev_loop *loop, const char *host, resolve_fn *fn, void *arg)
{
	struct resolve *r = xcalloc(1, sizeof(*r));
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;
	int rc;

	pthread_mutex_init(&r->mutex, NULL);
	r->host = xstrdup(host);
	r->loop = loop;
	r->fn = fn;
	r->arg = arg;
	ev_async_init(&r->ready, on_ready);
	r->ready.data = r;
	ev_async_start(loop, &r->ready);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, asker, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		text_format(r->out.error, sizeof(r->out.error), "%.80s: no thread to look it up: %s", host, strerror(rc));
		r->answered = true;
		ev_async_send(loop, &r->ready);
	}
	return r;
}

void resolve_cancel(struct resolve **rp)
{
	struct resolve *r = *rp;
	bool answered;

	if (!r)
		return;
	*rp = NULL;
	ev_async_stop(r->loop, &r->ready);
	pthread_mutex_lock(&r->mutex);
	r->abandoned = true;
	answered = r->answered;
	pthread_mutex_unlock(&r->mutex);
	if (answered) /* the thread saw abandoned == false and will not free it */
		free_resolve(r);
}
