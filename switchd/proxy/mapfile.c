/* SPDX-License-Identifier: MIT
 * mapfile.c - replacing a small file so that a crash leaves the old one or the new one. */
#include "switchd/proxy/mapfile.h"

#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "switchd/base/failpoint.h"

enum {
	FILE_MAX = 1024 * 1024, STALE_S = 60, GO_FRESH_MS = 100,
	PIN_SETTLES_MS = 2500,  /* after its rename a pin by hand has two questions of a second each to go */
};
#define TMP_MARK ".switchd-tmp"

/* --- one replacement, step by step ---------------------------------------- */

struct replacing {
	int dir;
	char base[256], tmp[320];
	bool made;              /* the tmp file exists */
	const char *step;       /* the one that failed; errno goes with it */
};

static bool fail(struct replacing *r, const char *step)
{
	r->step = step;
	return false;
}

static bool open_dir(struct replacing *r, const char *path)
{
	char dir[4096];
	const char *slash = strrchr(path, '/');

	*r = (struct replacing){ .dir = -1 };
	errno = ENAMETOOLONG;
	if (!slash || !TEXT_COPY(r->base, slash + 1) || !text_copy_n(dir, sizeof(dir), path, slash == path ? 1 : (size_t)(slash - path)))
		return fail(r, "name");
	r->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r->dir >= 0 || fail(r, "open directory");
}

static void close_dir(struct replacing *r)
{
	int saved = errno;

	if (r->made)
		(void)unlinkat(r->dir, r->tmp, 0);
	r->made = false;
	if (r->dir >= 0)
		close(r->dir);
	r->dir = -1;
	errno = saved;
}

/* O_NONBLOCK: a FIFO in its place must not hang the worker. A symlink is refused, not followed:
 * the rename would replace the link and leave the file it points to as it was. */
static bool read_at(int dir, const char *name, struct buf *out, struct stat *st)
{
	char chunk[4096];
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0)
		return false;
	if (fstat(fd, st) != 0) {
		;
	} else if (!S_ISREG(st->st_mode)) {
		errno = EINVAL;
	} else {
		while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				break;
			if (!buf_add(out, chunk, (size_t)n)) {
				errno = EFBIG;
				n = -1;
				break;
			}
		}
	}
	int saved = errno;
	close(fd);
	errno = saved;
	return n == 0;
}

bool mapfile_read(const char *path, struct buf *out)
{
	struct stat st;

	return read_at(AT_FDCWD, path, out, &st);
}

static bool write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* Writes and fsyncs the new content beside the file; the file itself is untouched. */
static bool prepare(struct replacing *r, const char *text, size_t len, mode_t mode)
{
	uint64_t salt = 0;

	if (getrandom(&salt, sizeof(salt), GRND_NONBLOCK) != (ssize_t)sizeof(salt))
		salt = (uint64_t)mono_now().us ^ (uint64_t)getpid() << 32; /* O_EXCL is what protects us; this only avoids a meeting */
	(void)TEXT_FORMAT(r->tmp, ".%s.%016" PRIx64 TMP_MARK, r->base, salt);
	int fd = openat(r->dir, r->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(r, "create");
	r->made = true;
	r->step = NULL;
	if (!write_all(fd, text, len))
		(void)fail(r, "write");
	else if (fchmod(fd, mode) != 0) /* the proxy may run as somebody else, and our umask may be 077 */
		(void)fail(r, "chmod");
	else if (fsync(fd) != 0)
		(void)fail(r, "fsync");
	int saved = errno;
	if (close(fd) != 0 && !r->step) {
		saved = errno;
		(void)fail(r, "close");
	}
	errno = saved;
	return !r->step;
}

static bool put_in_place(struct replacing *r)
{
	if (renameat(r->dir, r->tmp, r->dir, r->base) != 0)
		return fail(r, "rename");
	r->made = false;
	FAILPOINT("proxy.after-rename");
	if (fsync(r->dir) != 0)
		return fail(r, "fsync of the directory");
	FAILPOINT("proxy.after-fsync");
	return true;
}

bool mapfile_replace(const char *path, const char *text, size_t len, char *why, size_t why_size)
{
	struct replacing r;
	struct stat st;
	mode_t mode = 0644;
	bool ok = open_dir(&r, path);

	if (ok && fstatat(r.dir, r.base, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		mode = st.st_mode & 0777;
		if (!S_ISREG(st.st_mode)) {
			errno = EINVAL;
			ok = fail(&r, "is no regular file");
		}
	}
	ok = ok && prepare(&r, text, len, mode) && put_in_place(&r);
	if (!ok)
		(void)text_format(why, why_size, "%s: %s", r.step, strerror(errno));
	close_dir(&r);
	return ok;
}

/* What a kill between create and rename left behind, in an earlier life. */
static void sweep(const struct replacing *r)
{
	int fd = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	size_t base_len = strlen(r->base), mark = strlen(TMP_MARK);
	struct dirent *e;
	struct stat st;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d))) {
		size_t n = strlen(e->d_name);

		if (e->d_name[0] == '.' && n == 1 + base_len + 1 + 16 + mark && memcmp(e->d_name + 1, r->base, base_len) == 0 &&
		    strcmp(e->d_name + n - mark, TMP_MARK) == 0 && fstatat(r->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && time(NULL) - st.st_mtime > STALE_S)
			(void)unlinkat(r->dir, e->d_name, 0);
	}
	closedir(d);
}

/* --- the worker ------------------------------------------------------------ */

/* ASK: the worker wants to rename, and the last go is too old, or there was none. */
enum gate { GATE_HELD, GATE_ASK, GATE_GO, GATE_DROP, GATE_FENCED };

struct mapfile_job {
	struct mapfile *m;
	struct mapfile_job *next;
	struct proxy_value value;
	bool check, over_pin;
	enum gate gate;         /* under the lock */
	mono_us go_at;          /* under the lock: when GO was said */
	bool cancelled;         /* under the lock */
	mapfile_done_fn *done;
	void *arg;
	mono_us began;
	struct mapfile_done answer;
};

struct mapfile {
	struct ev_loop *loop;
	ev_async wake;
	size_t out;             /* jobs whose end was not told yet (loop side) */
	bool (*may)(void *);    /* called on the loop side; set before the first job */
	void *may_arg;
	pthread_t thread;
	bool started;           /* loop side */
	/* Under the lock: */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct mapfile_job *head, **tail, *now, *ended, **ended_tail;
	bool busy, closing, orphan;     /* orphan: the worker frees what is left */
	/* Worker side: */
	bool swept;
	char *path, *key;
};

static void collect(struct ev_loop *, ev_async *, int);

static void destroy(struct mapfile *m)
{
	for (struct mapfile_job *j = m->head, *n; j; j = n) {
		n = j->next;
		free(j);
	}
	for (struct mapfile_job *j = m->ended, *n; j; j = n) {
		n = j->next;
		free(j);
	}
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->cond);
	free(m->path);
	free(m->key);
	free(m);
}

static bool is_key_line(const char *line, size_t len, const char *key)
{
	size_t n = strlen(key);

	return len > n && memcmp(line, key, n) == 0 && (line[n] == ' ' || line[n] == '\t');
}

/* The file with our line in it: first of our key stays in place, others of it go, the rest is kept. */
static void compose(const char *old, const char *key, const char *value, struct buf *out, char *present, size_t size)
{
	bool placed = false;

	present[0] = '\0';
	for (const char *line = old; *line;) {
		size_t len = strcspn(line, "\n");

		if (!is_key_line(line, len, key)) {
			buf_add(out, line, len);
			buf_adds(out, "\n");
		} else if (!placed) {
			const char *v = line + strlen(key);
			size_t n;

			v += strspn(v, " \t");
			n = strcspn(v, " \t\r\n");
			(void)text_copy_n(present, size, v, n);
			buf_addf(out, "%s %s\n", key, value);
			placed = true;
		}
		line += len + (line[len] == '\n');
	}
	if (!placed)
		buf_addf(out, "%s %s\n", key, value);
}

/* A rename sets ctime.  One ahead of the clock is no file of this moment either: the clock was put back since. */
static bool is_settled(const struct stat *st)
{
	int64_t age = wall_now().ms - ((int64_t)st->st_ctim.tv_sec * 1000 + st->st_ctim.tv_nsec / 1000000);

	return age > PIN_SETTLES_MS || age < -PIN_SETTLES_MS;
}

/* True when what the file holds forbids the write. */
static bool forbidden(const struct mapfile_job *j, const char *present, const struct stat *st, struct mapfile_done *a)
{
	struct proxy_value has;

	a->settled = is_settled(st);

	if (j->value.pin || !proxy_value_parse(present, &has))
		return false;
	if (has.pin && !j->over_pin)
		a->result = MF_PINNED;
	else if (!has.pin && version_cmp(has.v, j->value.v) > 0)
		a->result = MF_NEWER;
	else
		return false;
	(void)TEXT_FORMAT(a->why, "the map file holds %s", present);
	return true;
}

static bool sync_as_it_is(struct replacing *r)
{
	int fd = openat(r->dir, r->base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return (ok && fsync(r->dir) == 0) || fail(r, "fsync");
}

/* What is to become of the prepared file: GO, DROP or FENCED. */
static enum gate wait_for_go(struct mapfile_job *j)
{
	struct mapfile *m = j->m;
	enum gate gate;

	pthread_mutex_lock(&m->lock);
	for (;;) {
		gate = j->cancelled || m->closing ? GATE_DROP : j->gate;
		if (gate == GATE_GO && m->may && mono_since_ms(mono_now(), j->go_at) > GO_FRESH_MS) {
			gate = j->gate = GATE_ASK;
			ev_async_send(m->loop, &m->wake); /* not closing, and under the lock: the loop is there */
		}
		if (gate != GATE_HELD && gate != GATE_ASK)
			break;
		pthread_cond_wait(&m->cond, &m->lock);
	}
	pthread_mutex_unlock(&m->lock);
	return gate;
}

/* Fills j->answer.result; false when a step failed (r->step, errno). */
static bool carry_out(struct mapfile_job *j, struct replacing *r)
{
	struct mapfile *m = j->m;
	struct mapfile_done *a = &j->answer;
	struct buf old = BUF_INIT(FILE_MAX), new = BUF_INIT(FILE_MAX);
	char text[PROXY_VALUE_TEXT], present[PROXY_VALUE_TEXT];
	struct stat st = { .st_mode = 0644 };
	bool ok = true, there = read_at(r->dir, r->base, &old, &st);

	if (!there && errno != ENOENT) {
		ok = fail(r, "read");
		goto out;
	}
	compose(buf_str(&old), m->key, proxy_value_text(&j->value, text), &new, present, sizeof(present));
	if (new.full) {
		errno = EFBIG;
		ok = fail(r, "compose");
	} else if (there && old.len == new.len && memcmp(old.data, new.data, new.len) == 0) {
		ok = sync_as_it_is(r);
		a->result = MF_DURABLE;
	} else if (j->check) {
		a->result = MF_DIFFERS;
	} else if (!forbidden(j, present, &st, a)) {
		ok = prepare(r, new.data, new.len, st.st_mode & 0777);
		enum gate gate = GATE_DROP;

		if (ok) {
			FAILPOINT("proxy.before-rename");
			gate = wait_for_go(j);
			a->result = gate == GATE_GO ? MF_DURABLE : gate == GATE_FENCED ? MF_FENCED : MF_DROPPED;
		}
		if (gate == GATE_GO)
			ok = put_in_place(r);
	}
out:
	buf_free(&old);
	buf_free(&new);
	return ok;
}

static void perform(struct mapfile_job *j)
{
	struct mapfile *m = j->m;
	struct replacing r;

	if (!j->check)
		FAILPOINT("proxy.before-file");
	bool ok = open_dir(&r, m->path);
	if (ok && !m->swept && !j->check) {
		m->swept = true;
		sweep(&r);
	}
	if (!ok || !carry_out(j, &r)) {
		j->answer.result = MF_FAILED;
		(void)TEXT_FORMAT(j->answer.why, "%s: %s", r.step, strerror(errno));
	}
	close_dir(&r);
	j->answer.us = mono_since_us(mono_now(), j->began);
}

static void *work(void *arg)
{
	struct mapfile *m = arg;

	pthread_mutex_lock(&m->lock);
	for (;;) {
		while (!m->head && !m->closing)
			pthread_cond_wait(&m->cond, &m->lock);
		if (m->closing)
			break;
		struct mapfile_job *j = m->head;
		bool skip = j->cancelled;

		m->head = j->next;
		if (!m->head)
			m->tail = &m->head;
		j->next = NULL;
		m->busy = true;
		m->now = j;
		if (!skip) {
			pthread_mutex_unlock(&m->lock);
			perform(j);
			pthread_mutex_lock(&m->lock);
		}
		m->busy = false;
		m->now = NULL;
		*m->ended_tail = j;
		m->ended_tail = &j->next;
		if (!m->closing) /* under the lock: the loop is still there */
			ev_async_send(m->loop, &m->wake);
	}
	bool orphan = m->orphan;
	pthread_mutex_unlock(&m->lock);
	if (orphan)
		destroy(m);
	return NULL;
}

/* --- the loop's side --------------------------------------------------------- */

struct mapfile *mapfile_new(struct ev_loop *loop, const char *path, const char *key)
{
	struct mapfile *m = xcalloc(1, sizeof(*m));

	m->loop = loop;
	m->path = xstrdup(path);        /* copies: a worker that hangs outlives the config */
	m->key = xstrdup(key);
	m->tail = &m->head;
	m->ended_tail = &m->ended;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->cond, NULL);
	ev_async_init(&m->wake, collect);
	m->wake.data = m;
	return m;
}

void mapfile_free(struct mapfile **pm)
{
	struct mapfile *m = *pm;

	*pm = NULL;
	if (!m)
		return;
	ev_async_stop(m->loop, &m->wake);
	if (!m->started) {
		destroy(m);
		return;
	}
	pthread_mutex_lock(&m->lock);
	m->closing = true;
	m->orphan = m->busy;
	bool orphan = m->orphan;
	pthread_t thread = m->thread;
	/* A job that waits for its go ends now; one that hangs in the disk sees `closing` when it wakes. */
	pthread_cond_broadcast(&m->cond);
	pthread_mutex_unlock(&m->lock);
	if (orphan) {
		pthread_detach(thread); /* m is the worker's from the unlock on */
	} else {
		pthread_join(thread, NULL);
		destroy(m);
	}
}

static void start_worker(struct mapfile *m)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the loop's */
	m->started = pthread_create(&m->thread, NULL, work, m) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static struct mapfile_job *submit(struct mapfile *m, struct mapfile_job *j)
{
	if (!m->out++)
		ev_async_start(m->loop, &m->wake);
	if (!m->started)
		start_worker(m);
	pthread_mutex_lock(&m->lock);
	if (m->started) {
		*m->tail = j;
		m->tail = &j->next;
		pthread_cond_broadcast(&m->cond);
	} else {
		/* H5: no thread to be had. The file is not durable, and says why. */
		j->answer.result = MF_FAILED;
		(void)TEXT_COPY(j->answer.why, "no worker thread could be started");
		*m->ended_tail = j;
		m->ended_tail = &j->next;
		ev_async_send(m->loop, &m->wake);
	}
	pthread_mutex_unlock(&m->lock);
	return j;
}

static struct mapfile_job *new_job(struct mapfile *m, const struct proxy_value *v, mapfile_done_fn *done, void *arg)
{
	struct mapfile_job *j = xcalloc(1, sizeof(*j));

	j->m = m;
	j->value = *v;
	j->done = done;
	j->arg = arg;
	j->began = mono_now();
	return j;
}

struct mapfile_job *mapfile_write(struct mapfile *m, const struct proxy_value *v, bool held, bool over_pin, mapfile_done_fn *done, void *arg)
{
	struct mapfile_job *j = new_job(m, v, done, arg);

	j->over_pin = over_pin;
	j->gate = held ? GATE_HELD : GATE_GO;
	return submit(m, j);
}

struct mapfile_job *mapfile_check(struct mapfile *m, const struct proxy_value *v, mapfile_done_fn *done, void *arg)
{
	struct mapfile_job *j = new_job(m, v, done, arg);

	j->check = true;
	return submit(m, j);
}

void mapfile_set_gate(struct mapfile *m, bool (*may)(void *arg), void *arg)
{
	m->may = may;
	m->may_arg = arg;
}

static void set_gate(struct mapfile_job *j, enum gate gate)
{
	pthread_mutex_lock(&j->m->lock);
	j->gate = gate;
	j->go_at = mono_now();
	pthread_cond_broadcast(&j->m->cond);
	pthread_mutex_unlock(&j->m->lock);
}

void mapfile_go(struct mapfile_job *j)
{
	const struct mapfile *m = j->m;

	set_gate(j, !m->may || m->may(m->may_arg) ? GATE_GO : GATE_FENCED);
}

void mapfile_drop(struct mapfile_job *j) { set_gate(j, GATE_DROP); }

void mapfile_cancel(struct mapfile_job **pj)
{
	struct mapfile_job *j = *pj;

	*pj = NULL;
	if (!j)
		return;
	pthread_mutex_lock(&j->m->lock);
	j->cancelled = true;
	j->done = NULL;
	pthread_cond_broadcast(&j->m->cond);
	pthread_mutex_unlock(&j->m->lock);
}

static void collect(struct ev_loop *loop, ev_async *w, int events)
{
	struct mapfile *m = w->data;
	struct mapfile_job *list;

	(void)events;
	pthread_mutex_lock(&m->lock);
	struct mapfile_job *asks = m->now && m->now->gate == GATE_ASK && !m->now->cancelled ? m->now : NULL;
	list = m->ended;
	m->ended = NULL;
	m->ended_tail = &m->ended;
	pthread_mutex_unlock(&m->lock);
	if (asks) /* freed by this function alone, and not before the next turn */
		mapfile_go(asks);
	for (struct mapfile_job *j = list; j; j = j->next)
		m->out--;
	if (!m->out)
		ev_async_stop(loop, w);
	/* done() may free m, or cancel a later job of this list: that only clears its done. */
	while (list) {
		struct mapfile_job *j = list;
		mapfile_done_fn *done = j->done;

		list = j->next;
		if (done)
			done(j->arg, &j->answer);
		free(j);
	}
}
