/* SPDX-License-Identifier: MIT
 * aside.c - a detached thread a piece of work; its answer is dropped when nobody waits any more. */
#include "switchd/io/aside.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "switchd/base/must.h"

/* Shared by two: the thread and the one who asked; the last to leave frees it. */
struct aside {
	pthread_mutex_t mutex;
	bool abandoned, answered;
	int failed;
	void *work;
	void (*run)(void *);
	void (*free_work)(void *);
	struct ev_loop *loop;
	ev_async ready;
	aside_done_fn *done;
	void *arg;
};

static atomic_int at_work;

static void free_aside(struct aside *a)
{
	pthread_mutex_destroy(&a->mutex);
	a->free_work(a->work);
	free(a);
}

static void *worker(void *arg)
{
	struct aside *a = arg;
	bool abandoned;

	a->run(a->work);
	atomic_fetch_sub(&at_work, 1);
	pthread_mutex_lock(&a->mutex);
	abandoned = a->abandoned;
	a->answered = true;
	if (!abandoned)
		ev_async_send(a->loop, &a->ready);
	pthread_mutex_unlock(&a->mutex);
	if (abandoned)
		free_aside(a);
	return NULL;
}

static void on_ready(struct ev_loop *loop, ev_async *w, int revents)
{
	struct aside *a = w->data;

	(void)revents;
	pthread_mutex_lock(&a->mutex); /* the thread has left it: it signals last, under this lock */
	pthread_mutex_unlock(&a->mutex);
	ev_async_stop(loop, w);
	a->done(a->arg, a->work, a->failed);
	free_aside(a);
}

static int start_thread(struct aside *a)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;
	int rc;

	if (atomic_fetch_add(&at_work, 1) >= ASIDE_MAX) {
		atomic_fetch_sub(&at_work, 1);
		return EAGAIN;
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, worker, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0)
		atomic_fetch_sub(&at_work, 1);
	return rc;
}

struct aside *aside_start(struct ev_loop *loop, void *work, void (*run)(void *), void (*free_work)(void *), aside_done_fn *done, void *arg)
{
	struct aside *a = xcalloc(1, sizeof(*a));

	*a = (struct aside){ .work = work, .run = run, .free_work = free_work, .loop = loop, .done = done, .arg = arg };
	pthread_mutex_init(&a->mutex, NULL);
	ev_async_init(&a->ready, on_ready);
	a->ready.data = a;
	ev_async_start(loop, &a->ready);
	int rc = start_thread(a);

	if (rc != 0) { /* no thread shares it */
		a->failed = rc;
		a->answered = true;
		ev_async_send(loop, &a->ready);
	}
	return a;
}

void aside_cancel(struct aside **ap)
{
	struct aside *a = *ap;
	bool answered;

	if (!a)
		return;
	*ap = NULL;
	ev_async_stop(a->loop, &a->ready);
	pthread_mutex_lock(&a->mutex);
	a->abandoned = true;
	answered = a->answered;
	pthread_mutex_unlock(&a->mutex);
	if (answered) /* the thread saw abandoned == false and will not free it */
		free_aside(a);
}
