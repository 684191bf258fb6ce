/* SPDX-License-Identifier: MIT
 * journal.c - the loop's side of the journal, and the worker that waits for the disk. */
#include "switchd/store/journal.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchd/base/log.h"
#include "switchd/core/record.h"
#include "switchd/store/journal_file.h"

enum { MAX_WAITING = 4096 };    /* entries handed to the worker and not yet durable */

struct job {
	struct job *next;
	char *json;             /* NULL: cannot be written, only answered */
	journal_done_fn *done;
	void *arg;
	bool durable;
};

struct jobs { struct job *head, **tail; size_t n; };

/* What is known of one service. */
struct known {
	name_text service;
	bool has_entry;
	struct journal_entry entry;
	struct condemned *condemned;
	size_t n_condemned;
};

struct journal {
	struct ev_loop *loop;
	ev_async written;
	int dir_fd, lock_fd;
	struct known **known;   /* sorted by name */
	size_t n_known;
	/* the worker's */
	struct journal_file file;
	/* shared */
	pthread_t worker;
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct jobs todo, finished;
	size_t waiting;         /* loop thread only */
	bool stop;
};

static void jobs_init(struct jobs *l) { *l = (struct jobs){ .tail = &l->head }; }

static void jobs_add(struct jobs *l, struct job *job)
{
	job->next = NULL;
	*l->tail = job;
	l->tail = &job->next;
	l->n++;
}

static struct job *jobs_take(struct jobs *l)
{
	struct job *head = l->head;

	jobs_init(l);
	return head;
}

/* ---- worker ---- */

static void write_batch(struct journal *j, struct job *batch)
{
	struct buf lines = BUF_INIT(JOURNAL_FILE_MAX);
	bool ok;

	for (struct job *job = batch; job; job = job->next)
		job->durable = job->json && journal_line(&lines, job->json, strlen(job->json));
	ok = journal_file_append(&j->file, buf_str(&lines), lines.len);
	if (!ok)
		log_error("journal", "what=\"not durable\" error=\"%s\"", strerrordesc_np(errno));
	for (struct job *job = batch; job && !ok; job = job->next)
		job->durable = false;
	buf_free(&lines);
}

static void *work(void *arg)
{
	struct journal *j = arg;
	struct job *batch;

	pthread_mutex_lock(&j->mutex);
	for (;;) {
		while (!j->todo.head && !j->stop)
			pthread_cond_wait(&j->work, &j->mutex);
		batch = jobs_take(&j->todo);
		if (!batch)
			break;
		pthread_mutex_unlock(&j->mutex);
		write_batch(j, batch);
		pthread_mutex_lock(&j->mutex);
		for (struct job *next; batch; batch = next) {
			next = batch->next;
			jobs_add(&j->finished, batch);
		}
		pthread_mutex_unlock(&j->mutex);
		ev_async_send(j->loop, &j->written);
		/* After the answers: nobody waits for housekeeping. */
		if (j->file.size > j->file.rewrite_at && !journal_file_rewrite(&j->file))
			j->file.rewrite_at = j->file.size + JOURNAL_REWRITE_AT;
		pthread_mutex_lock(&j->mutex);
	}
	pthread_mutex_unlock(&j->mutex);
	return NULL;
}

static bool start_worker(struct journal *j)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all); /* signals belong to the loop */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&j->worker, NULL, work, j);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = rc;
	return rc == 0;
}

/* ---- what is known ---- */

static size_t place_of(const struct journal *j, const char *service, bool *there)
{
	size_t lo = 0, hi = j->n_known;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(j->known[mid]->service, service);

		if (c == 0) {
			*there = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*there = false;
	return lo;
}

static struct known *known_of(struct journal *j, const char *service)
{
	bool there;
	size_t at = place_of(j, service, &there);

	if (there)
		return j->known[at];
	struct known *k = xcalloc(1, sizeof(*k));

	must(TEXT_COPY(k->service, service));
	j->known = xrealloc(j->known, (j->n_known + 1) * sizeof(*j->known));
	memmove(j->known + at + 1, j->known + at, (j->n_known - at) * sizeof(*j->known));
	j->known[at] = k;
	j->n_known++;
	return k;
}

static void known_pardon(struct known *k, const char *release)
{
	for (size_t i = 0; i < k->n_condemned; i++)
		if (strcmp(k->condemned[i].release, release) == 0) {
			memmove(k->condemned + i, k->condemned + i + 1, (k->n_condemned - i - 1) * sizeof(*k->condemned));
			k->n_condemned--;
			return;
		}
}

static void known_condemn(struct known *k, const struct condemned *c)
{
	known_pardon(k, c->release);
	if (k->n_condemned == MAX_CONDEMNED) /* the oldest gives way, as in Redis */
		known_pardon(k, k->condemned[0].release);
	k->condemned = xrealloc(k->condemned, (k->n_condemned + 1) * sizeof(*k->condemned));
	k->condemned[k->n_condemned++] = *c;
}

static bool known_condemned(const struct known *k, const char *release)
{
	for (size_t i = 0; i < k->n_condemned; i++)
		if (strcmp(k->condemned[i].release, release) == 0)
			return true;
	return false;
}

/* What was read with a record and no entry said yet, in the member that a rewritten journal keeps them in too; false: no valid text. */
static bool known_also(struct known *k, const struct condemned_set *also, json_t *entry)
{
	json_t *earlier = NULL;
	bool ok = true;

	for (size_t i = 0; also && i < also->n && ok; i++) {
		if (known_condemned(k, also->list[i].release))
			continue;
		known_condemn(k, &also->list[i]);
		earlier = earlier ? earlier : json_array();
		ok = json_array_append_new(earlier, condemned_json(&also->list[i])) == 0;
	}
	return !earlier || (json_object_set_new(entry, "earlier", earlier) == 0 && ok);
}

static void learn(struct journal *j, json_t *fold)
{
	const char *service, *release;
	json_t *folded, *one;
	char why[200];

	json_object_foreach(fold, service, folded) {
		struct known *k = known_of(j, service);
		struct condemned c;

		json_object_foreach(json_object_get(folded, "condemned"), release, one)
			if (condemned_parse(one, &c) && strcmp(c.release, release) == 0)
				known_condemn(k, &c);
		if (!json_object_get(folded, "last"))
			continue;
		k->has_entry = journal_entry_parse(json_object_get(folded, "last"), &k->entry, why, sizeof(why));
		if (!k->has_entry)
			log_error("journal", "service=%s what=\"the last entry is not valid\" why=%s", service, LOG_Q(why));
	}
}

/* ---- the face ---- */

static void written(struct ev_loop *loop, ev_async *w, int revents)
{
	struct journal *j = w->data;
	struct job *batch;

	(void)loop;
	(void)revents;
	pthread_mutex_lock(&j->mutex);
	batch = jobs_take(&j->finished);
	pthread_mutex_unlock(&j->mutex);
	for (struct job *next; batch; batch = next) {
		next = batch->next;
		j->waiting--;
		if (batch->done)
			batch->done(batch->arg, batch->durable);
		free(batch->json);
		free(batch);
	}
}

static bool take_lock(struct journal *j, const char *state_dir, char *error, size_t error_size)
{
	j->lock_fd = openat(j->dir_fd, "journal.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (j->lock_fd < 0) {
		text_format(error, error_size, "%s/journal.lock: %s", state_dir, strerror(errno));
		return false;
	}
	if (flock(j->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			text_format(error, error_size, "another switchd uses the state directory %s", state_dir);
		else
			text_format(error, error_size, "%s/journal.lock: %s", state_dir, strerror(errno));
		return false;
	}
	return true;
}

static void free_journal(struct journal *j)
{
	if (j->file.fd >= 0)
		journal_file_close(&j->file);
	if (j->lock_fd >= 0)
		close(j->lock_fd);
	if (j->dir_fd >= 0)
		close(j->dir_fd);
	for (size_t i = 0; i < j->n_known; i++) {
		free(j->known[i]->condemned);
		free(j->known[i]);
	}
	free(j->known);
	pthread_mutex_destroy(&j->mutex);
	pthread_cond_destroy(&j->work);
	free(j);
}

struct journal *journal_open(struct ev_loop *loop, const char *state_dir, char *error, size_t error_size)
{
	struct journal *j = xcalloc(1, sizeof(*j));
	json_t *fold = journal_fold_new();
	bool ok;

	j->loop = loop;
	j->lock_fd = j->file.fd = -1;
	jobs_init(&j->todo);
	jobs_init(&j->finished);
	pthread_mutex_init(&j->mutex, NULL);
	pthread_cond_init(&j->work, NULL);
	j->dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dir_fd < 0)
		text_format(error, error_size, "%s: %s", state_dir, strerror(errno));
	ok = j->dir_fd >= 0 && take_lock(j, state_dir, error, error_size) &&
	     journal_file_open(&j->file, j->dir_fd, journal_fold_line, fold, error, error_size);
	if (ok)
		learn(j, fold);
	json_decref(fold);
	if (ok && !start_worker(j)) {
		text_format(error, error_size, "journal: cannot start its thread: %s", strerror(errno));
		ok = false;
	}
	if (!ok) {
		free_journal(j);
		return NULL;
	}
	ev_async_init(&j->written, written);
	j->written.data = j;
	ev_async_start(loop, &j->written);
	return j;
}

void journal_close(struct journal **jp)
{
	struct journal *j = *jp;

	if (!j)
		return;
	*jp = NULL;
	pthread_mutex_lock(&j->mutex);
	j->stop = true;
	pthread_cond_signal(&j->work);
	pthread_mutex_unlock(&j->mutex);
	pthread_join(j->worker, NULL);
	ev_async_stop(j->loop, &j->written);
	written(j->loop, &j->written, 0);
	free_journal(j);
}

void journal_add(struct journal *j, const struct journal_entry *e, journal_done_fn *done, void *arg)
{
	struct job *job = xcalloc(1, sizeof(*job));
	struct known *k = known_of(j, e->service);
	json_t *json = journal_entry_json(e);

	/* Known before it is durable: what was decided counts for this process even on a full disk. */
	k->has_entry = true;
	k->entry = *e;
	k->entry.also = NULL;
	if (json && !known_also(k, e->also, json)) {
		json_decref(json);
		json = NULL;
	}
	if (e->pardon[0])
		known_pardon(k, e->pardon);
	if (e->condemn.release[0])
		known_condemn(k, &e->condemn);
	job->done = done;
	job->arg = arg;
	if (j->waiting >= MAX_WAITING || !json)
		log_error("journal", "service=%s what=\"%s\"", e->service, json ? "too many entries wait for the disk" : "the entry is no valid text");
	else
		job->json = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	j->waiting++;
	pthread_mutex_lock(&j->mutex);
	jobs_add(&j->todo, job);
	pthread_cond_signal(&j->work);
	pthread_mutex_unlock(&j->mutex);
}

const struct journal_entry *journal_last(const struct journal *j, const char *service)
{
	bool there;
	size_t at = place_of(j, service, &there);

	return there && j->known[at]->has_entry ? &j->known[at]->entry : NULL;
}

void journal_condemned(const struct journal *j, const char *service, struct condemned_set *out)
{
	bool there;
	size_t at = place_of(j, service, &there);

	out->n = 0;
	for (size_t i = 0; there && i < j->known[at]->n_condemned; i++)
		out->list[out->n++] = j->known[at]->condemned[i];
}

/* ---- without a daemon ---- */

struct peek { const char *service; struct journal_entry *out; bool found; };

static void peek_line(void *arg, const char *json, size_t len)
{
	struct peek *p = arg;
	json_t *entry = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	const char *service = json_string_value(json_object_get(entry, "service"));
	char why[200];

	if (service && strcmp(service, p->service) == 0 && journal_entry_parse(entry, p->out, why, sizeof(why)))
		p->found = true;
	json_decref(entry);
}

bool journal_peek(const char *state_dir, const char *service, struct journal_entry *out)
{
	struct buf text = BUF_INIT(JOURNAL_FILE_MAX);
	struct peek peek = { .service = service, .out = out };
	struct journal_scan scan;
	char path[4096];
	int fd;

	if (!TEXT_FORMAT(path, "%s/journal", state_dir))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (journal_file_read(fd, &text))
		journal_scan(buf_str(&text), text.len, peek_line, &peek, &scan);
	close(fd);
	buf_free(&text);
	return peek.found;
}
