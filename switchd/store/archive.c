/* SPDX-License-Identifier: MIT
 * archive.c - the loop's side of the archive, and the worker that waits for the disk. */
#include "switchd/store/archive.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "switchd/base/buf.h"
#include "switchd/base/failpoint.h"
#include "switchd/base/log.h"
#include "switchd/store/archive_file.h"

enum { CLOSE_S = 2, PRUNE_EVERY_MS = 3600 * 1000 };

enum task { TASK_LAST, TASK_ADD, TASK_READ };

struct job {
	struct job *next;
	enum task task;
	char *text;             /* lines; the answer of a read */
	size_t len, lines;
	struct archive_query q; name_text service;
	union { archive_last_fn *last; archive_done_fn *done; archive_read_fn *read; } fn;
	void *arg;
	bool ok, complete;
	char id[44];
};

struct jobs { struct job *head, **tail; };

/* What the worker touches: it outlives the archive when the thread hangs. */
struct shared {
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct jobs todo, finished;
	struct archive_stats stats;
	bool stop;
	bool ended, left;       /* left: nobody waits for the worker any more, and it frees this */
	struct ev_loop *loop;
	ev_async *told;
	char *dir;
	int64_t keep_ms, max_bytes;
	/* the worker's own */
	struct archive_file file;
	mono_us next_prune;
	char pruned_day[DAY_NAME];
};

struct archive {
	struct ev_loop *loop;
	ev_async told;
	struct shared *sh;
	pthread_t worker;
	bool started;
	size_t waiting;         /* bytes */
};

static void jobs_init(struct jobs *l) { *l = (struct jobs){ .tail = &l->head }; }

static void jobs_add(struct jobs *l, struct job *job)
{
	job->next = NULL;
	*l->tail = job;
	l->tail = &job->next;
}

static struct job *jobs_take(struct jobs *l)
{
	struct job *head = l->head;

	l->head = NULL;
	l->tail = &l->head;
	return head;
}

static void job_free(struct job *job)
{
	free(job->text);
	free(job);
}

static void free_shared(struct shared *sh)
{
	for (int k = 0; k < 2; k++)
		for (struct job *job = jobs_take(k ? &sh->todo : &sh->finished), *next; job; job = next) {
			next = job->next;
			job_free(job);
		}
	archive_file_close(&sh->file);
	pthread_mutex_destroy(&sh->mutex);
	pthread_cond_destroy(&sh->work);
	free(sh->dir);
	free(sh);
}

/* ---- worker ---- */

static void prune(struct shared *sh, wall_ms now)
{
	char day[DAY_NAME];
	int64_t size;
	size_t removed;

	archive_day_name(now, day);
	if (strcmp(day, sh->pruned_day) == 0 && mono_now().us < sh->next_prune.us)
		return;
	removed = archive_prune(sh->dir, now, sh->keep_ms, sh->max_bytes, &size);
	TEXT_COPY(sh->pruned_day, day);
	sh->next_prune = mono_plus_ms(mono_now(), PRUNE_EVERY_MS);
	pthread_mutex_lock(&sh->mutex);
	sh->stats.removed += removed;
	sh->stats.size = size;
	pthread_mutex_unlock(&sh->mutex);
	if (removed)
		log_info("archive", "removed=%zu size=%lld what=\"days beyond archive_keep or archive_size\"", removed, (long long)size);
}

/* Everything that waits is one write and one fsync. */
static void write_batch(struct shared *sh, struct job *batch)
{
	struct buf all = BUF_INIT(ARCHIVE_WAITING + ARCHIVE_LINE);
	const char *step = "";
	wall_ms now = wall_now();
	size_t lines = 0;
	bool ok, was_up, room;

	for (struct job *job = batch; job; job = job->next)
		if (job->task == TASK_ADD) {
			must(buf_add(&all, job->text, job->len)); /* archive_add() let no more wait than fits */
			lines += job->lines;
		}
	if (!all.len) {
		buf_free(&all);
		return;
	}
	prune(sh, now);
	room = sh->stats.size + (int64_t)all.len <= sh->max_bytes;
	errno = room ? 0 : EFBIG;
	if (!room)
		step = "archive_size: today alone fills it";
	FAILPOINT("archive.before-write");
	ok = room && archive_append(&sh->file, now, all.data, all.len, &step);
	int error = errno;
	FAILPOINT("archive.after-write");

	pthread_mutex_lock(&sh->mutex);
	was_up = sh->stats.up;
	sh->stats.up = ok;
	if (ok) {
		sh->stats.lines += lines;
		sh->stats.bytes += all.len;
		sh->stats.size += (int64_t)all.len;
		sh->stats.why[0] = '\0';
	} else {
		sh->stats.failures++;
		TEXT_FORMAT(sh->stats.why, "%s: %s", step, strerrordesc_np(error));
	}
	pthread_mutex_unlock(&sh->mutex);
	if (!ok && was_up)
		log_error("archive", "dir=%s step=\"%s\" error=\"%s\" what=\"nothing is archived; it is tried again\"", sh->dir, step, strerrordesc_np(error));
	else if (ok && !was_up)
		log_info("archive", "dir=%s what=\"written again\"", sh->dir);
	for (struct job *job = batch; job; job = job->next)
		job->ok = ok;
	buf_free(&all);
}

static void ask(struct shared *sh, struct job *job)
{
	if (job->task == TASK_LAST) {
		job->ok = archive_last_id(sh->dir, job->id);
	} else if (job->task == TASK_READ) {
		job->q.service = job->service;
		job->ok = archive_scan(sh->dir, &job->q, &job->text, &job->complete);
	}
}

static void *work(void *arg)
{
	struct shared *sh = arg;
	struct job *batch;
	bool left;

	pthread_mutex_lock(&sh->mutex);
	for (;;) {
		while (!sh->todo.head && !sh->stop)
			pthread_cond_wait(&sh->work, &sh->mutex);
		batch = jobs_take(&sh->todo);
		if (!batch)
			break;
		pthread_mutex_unlock(&sh->mutex);
		write_batch(sh, batch);
		for (struct job *job = batch; job; job = job->next)
			ask(sh, job);
		pthread_mutex_lock(&sh->mutex);
		for (struct job *next; batch; batch = next) {
			next = batch->next;
			jobs_add(&sh->finished, batch);
		}
		if (!sh->left)
			ev_async_send(sh->loop, sh->told);
	}
	sh->ended = true;
	left = sh->left;
	pthread_mutex_unlock(&sh->mutex);
	if (left)
		free_shared(sh);
	return NULL;
}

/* ---- the face ---- */

static void told(struct ev_loop *loop, ev_async *w, int revents)
{
	struct archive *a = w->data;
	struct job *batch;

	(void)loop;
	(void)revents;
	pthread_mutex_lock(&a->sh->mutex);
	batch = jobs_take(&a->sh->finished);
	pthread_mutex_unlock(&a->sh->mutex);
	for (struct job *job = batch, *next; job; job = next) {
		next = job->next;
		if (job->task == TASK_ADD)
			a->waiting -= job->len;
		if (job->task == TASK_ADD && job->fn.done)
			job->fn.done(job->arg, job->ok);
		else if (job->task == TASK_LAST)
			job->fn.last(job->arg, job->ok, job->id);
		else if (job->task == TASK_READ)
			job->fn.read(job->arg, job->ok && job->complete, job->text ? job->text : "[]");
		job_free(job);
	}
}

struct archive *archive_open(struct ev_loop *loop, const char *dir, int64_t keep_ms, int64_t max_bytes)
{
	struct archive *a = xcalloc(1, sizeof(*a));
	struct shared *sh = xcalloc(1, sizeof(*sh));
	sigset_t all, before;

	sh->loop = a->loop = loop;
	sh->told = &a->told;
	sh->dir = xstrdup(dir);
	sh->keep_ms = keep_ms;
	sh->max_bytes = max_bytes;
	sh->stats.up = true;
	sh->file = (struct archive_file){ .dir = sh->dir, .fd = -1 };
	jobs_init(&sh->todo);
	jobs_init(&sh->finished);
	pthread_mutex_init(&sh->mutex, NULL);
	pthread_cond_init(&sh->work, NULL);
	a->sh = sh;
	ev_async_init(&a->told, told);
	a->told.data = a;
	ev_async_start(loop, &a->told);
	sigfillset(&all); /* signals belong to the loop */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	a->started = pthread_create(&a->worker, NULL, work, sh) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!a->started)
		log_error("archive", "what=\"cannot start its thread: nothing is archived\"");
	return a;
}

void archive_close(struct archive **ap)
{
	struct archive *a = *ap;
	struct timespec until;

	if (!a)
		return;
	*ap = NULL;
	pthread_mutex_lock(&a->sh->mutex);
	a->sh->stop = true;
	pthread_cond_signal(&a->sh->work);
	pthread_mutex_unlock(&a->sh->mutex);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CLOSE_S;
	if (!a->started || pthread_timedjoin_np(a->worker, NULL, &until) == 0) {
		ev_async_stop(a->loop, &a->told);
		free_shared(a->sh);
	} else {
		struct shared *sh = a->sh;
		bool ended;

		pthread_mutex_lock(&sh->mutex);
		ended = sh->ended;
		sh->left = !ended;
		pthread_mutex_unlock(&sh->mutex);
		ev_async_stop(a->loop, &a->told);
		if (ended) { /* in this moment */
			pthread_join(a->worker, NULL);
			free_shared(sh);
		} else {
			log_warn("archive", "what=\"the disk does not answer: its thread is left behind\"");
			pthread_detach(a->worker);
		}
	}
	free(a);
}

static void hand_over(struct archive *a, struct job *job)
{
	pthread_mutex_lock(&a->sh->mutex);
	jobs_add(a->started ? &a->sh->todo : &a->sh->finished, job);
	pthread_cond_signal(&a->sh->work);
	pthread_mutex_unlock(&a->sh->mutex);
	if (!a->started)
		ev_async_send(a->loop, &a->told);
}

void archive_last(struct archive *a, archive_last_fn *fn, void *arg)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->task = TASK_LAST;
	job->fn.last = fn;
	job->arg = arg;
	hand_over(a, job);
}

static void refuse(struct archive *a, struct job *job)
{
	pthread_mutex_lock(&a->sh->mutex);
	a->sh->stats.failures++;
	jobs_add(&a->sh->finished, job);
	pthread_mutex_unlock(&a->sh->mutex);
	ev_async_send(a->loop, &a->told);
}

void archive_add(struct archive *a, const char *lines, size_t n_lines, archive_done_fn *done, void *arg)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->task = TASK_ADD;
	job->text = xstrdup(lines);
	job->len = strlen(lines);
	job->lines = n_lines;
	job->fn.done = done;
	job->arg = arg;
	must(job->len && lines[job->len - 1] == '\n');
	a->waiting += job->len;
	if (a->waiting > ARCHIVE_WAITING) /* the disk is far behind: the answer is no, at once */
		refuse(a, job);
	else
		hand_over(a, job);
}

void archive_read(struct archive *a, const struct archive_query *q, archive_read_fn *fn, void *arg)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->task = TASK_READ;
	job->q = *q;
	if (!job->q.max || job->q.max > ARCHIVE_QUERY)
		job->q.max = ARCHIVE_QUERY;
	TEXT_COPY(job->service, q->service);
	job->fn.read = fn;
	job->arg = arg;
	hand_over(a, job);
}

void archive_stats(struct archive *a, struct archive_stats *out)
{
	pthread_mutex_lock(&a->sh->mutex);
	*out = a->sh->stats;
	pthread_mutex_unlock(&a->sh->mutex);
}
