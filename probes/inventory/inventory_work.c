/* SPDX-License-Identifier: MIT
 * inventory_work.c - one thread for one document: a parser may take longer than the loop has.
 *
 * The thread owns nothing that the loop touches until it has signalled; cancelled, it is left to
 * end by itself and frees what it had. */
#include "probes/inventory/inventory_work.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probes/assert/xdoc.h"
#include "switchd/base/arena.h"

struct inventory_work {
	struct ev_loop *loop;
	ev_async ready;
	pthread_mutex_t mutex;
	bool abandoned, ended;
	struct arena *arena;
	struct inventory_doc doc;
	struct inventory_source source;
	bool index;
	struct inventory_made made;
	inventory_work_fn *fn;
	void *arg;
};

static void work_free(struct inventory_work *w)
{
	inventory_free(&w->made.list);
	inventory_children_clear(&w->made.children);
	pthread_mutex_destroy(&w->mutex);
	arena_free(&w->arena);
	free(w);
}

/* The end of the file, from the first whole line on. */
static bool read_log(const char *file, struct buf *out, char *err, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	char chunk[65536];
	ssize_t n = 0;
	bool cut;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		text_format(err, size, "%s", fd < 0 ? strerror(errno) : "not a regular file");
		if (fd >= 0)
			close(fd);
		return false;
	}
	cut = st.st_size > INVENTORY_LOG_MAX;
	if (cut && lseek(fd, -(off_t)INVENTORY_LOG_MAX, SEEK_END) < 0)
		cut = false;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 && buf_add(out, chunk, (size_t)n))
		;
	close(fd);
	if (n < 0) {
		text_format(err, size, "%s", strerror(errno));
		return false;
	}
	const char *nl = cut ? memchr(buf_str(out), '\n', out->len) : NULL;

	if (nl)
		buf_drop(out, (size_t)(nl + 1 - out->data));
	return true;
}

static void work(struct inventory_work *w)
{
	struct buf log = BUF_INIT(INVENTORY_LOG_MAX + 65536);

	w->made.list = inventory_new();
	if (w->doc.source->kind == INV_LOG) {
		if (!read_log(w->source.where, &log, w->made.error, sizeof(w->made.error))) {
			inventory_free(&w->made.list);
			goto out;
		}
		w->doc.text = buf_str(&log);
		w->doc.len = log.len;
	}
	if (!inventory_parse(w->made.list, &w->doc, w->index ? &w->made.children : NULL, w->made.error, sizeof(w->made.error)))
		inventory_free(&w->made.list);
out:
	buf_free(&log);
}

static void *worker(void *arg)
{
	struct inventory_work *w = arg;
	bool abandoned;

	work(w);
	pthread_mutex_lock(&w->mutex);
	abandoned = w->abandoned;
	w->ended = true;
	if (!abandoned)
		ev_async_send(w->loop, &w->ready);
	pthread_mutex_unlock(&w->mutex);
	if (abandoned)
		work_free(w);
	return NULL;
}

static void on_ready(struct ev_loop *loop, ev_async *a, int revents)
{
	struct inventory_work *w = a->data;

	(void)revents;
	pthread_mutex_lock(&w->mutex); /* the thread has left it: it signals last, under this lock */
	pthread_mutex_unlock(&w->mutex);
	ev_async_stop(loop, a);
	w->fn(w->arg, &w->made);
	work_free(w);
}

static const char *keep(struct arena *a, const char *s) { return arena_str(a, s ? s : ""); }

struct inventory_work *inventory_work_start(struct ev_loop *loop, const struct inventory_doc *doc, bool index, inventory_work_fn *fn, void *arg)
{
	struct inventory_work *w = xcalloc(1, sizeof(*w));
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;
	int rc;

	xml_once(); /* before any thread uses it */
	pthread_mutex_init(&w->mutex, NULL);
	w->loop = loop;
	w->fn = fn;
	w->arg = arg;
	w->index = index;
	w->arena = arena_new();
	w->source = *doc->source;
	w->source.where = keep(w->arena, doc->source->where);
	w->source.pick = keep(w->arena, doc->source->pick);
	w->doc = *doc;
	w->doc.source = &w->source;
	w->doc.host = keep(w->arena, doc->host);
	w->doc.base = keep(w->arena, doc->base);
	w->doc.text = doc->text ? arena_strn(w->arena, doc->text, doc->len) : NULL;
	ev_async_init(&w->ready, on_ready);
	w->ready.data = w;
	ev_async_start(loop, &w->ready);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, worker, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		TEXT_FORMAT(w->made.error, "no thread to read it: %s", strerror(rc));
		w->ended = true;
		ev_async_send(loop, &w->ready);
	}
	return w;
}

void inventory_work_cancel(struct inventory_work **wp)
{
	struct inventory_work *w = *wp;
	bool ended;

	if (!w)
		return;
	*wp = NULL;
	ev_async_stop(w->loop, &w->ready);
	pthread_mutex_lock(&w->mutex);
	w->abandoned = true;
	ended = w->ended;
	pthread_mutex_unlock(&w->mutex);
	if (ended) /* the thread saw abandoned == false and will not free it */
		work_free(w);
}
