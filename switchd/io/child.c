/* SPDX-License-Identifier: MIT
 * child.c - posix_spawn, two pipes, a pidfd (or libev's own reaper) and one timer for each program.
 *
 * posix_spawn shares our memory with the child until it execs: what we weigh does not make a start dearer. */
#include "switchd/io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ev.h>

#include "switchd/base/buf.h"
#include "switchd/base/clock.h"
#include "switchd/base/log.h"

enum {
	READ_SIZE = 64 * 1024,          /* what a pipe holds */
	FLOOD_PAUSE_MS = 10,            /* past the cap a pipe is emptied this often: 6.5 MB/s at most */
	LAST_READS = 4,                 /* of a pipe whose owner is gone, and that others may be filling still */
	ABANDON_MS = 1000,              /* after SIGKILL: not even that ended it (the disk hangs) */
	FREE_WAIT_MS = 50,              /* a killed program is gone in less than one; the loop waits no longer */
	LEFT_MAX = 64,
};

/* LOST: killed, and nobody waits for it any more; only its reaping is still to come. */
enum state { WAITING, FAILED, RUNNING, TERMED, KILLED, LOST };

struct tap {
	int fd;                         /* -1: closed */
	ev_io io;
	ev_timer pause;
	struct buf kept;
	uint64_t dropped;
};

struct child {
	TAILQ_ENTRY(child) link;
	struct child_room *room;
	enum state state;
	char **argv, **env;
	int64_t grace_ms;
	mono_us began;
	pid_t pid;
	int pidfd;                      /* -1: libev reaps */
	int error;                      /* FAILED */
	ev_io on_pidfd;
	ev_child on_child;
	ev_timer timer;
	struct tap out, err;
	child_done_fn *done;            /* NULL: was called */
	void *arg;
};

TAILQ_HEAD(children, child);
struct child_room {
	struct ev_loop *loop;
	size_t at_once, n_running, n_waiting;
	struct children running, waiting;
};

/* Killed, not reaped when their room was freed: asked again now and then. */
static struct { pid_t pid[LEFT_MAX]; size_t n; } left;

static void sweep(void)
{
	for (size_t i = 0; i < left.n;) {
		if (waitpid(left.pid[i], NULL, WNOHANG) == 0)
			i++;
		else
			left.pid[i] = left.pid[--left.n];
	}
}

const char *child_end_name(enum child_end e)
{
	static const char *const names[] = { "exited", "signalled", "timeout", "late", "not-started", "cancelled" };

	return names[e];
}

/* ---- what it says ---- */

static void tap_close(struct child *c, struct tap *t)
{
	if (t->fd < 0)
		return;
	ev_io_stop(c->room->loop, &t->io);
	ev_timer_stop(c->room->loop, &t->pause);
	close(t->fd);
	t->fd = -1;
}

/* False: there is no more, now or ever. */
static bool tap_read(struct child *c, struct tap *t)
{
	static char data[READ_SIZE];
	ssize_t n;

	do
		n = read(t->fd, data, sizeof(data));
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			tap_close(c, t);
		return false;
	}
	size_t keep = t->kept.max - t->kept.len;

	keep = keep < (size_t)n ? keep : (size_t)n;
	must(buf_add(&t->kept, data, keep));
	t->dropped += (size_t)n - keep;
	return true;
}

static void on_tap(struct ev_loop *loop, ev_io *io, int revents)
{
	struct child *c = io->data;
	struct tap *t = io == &c->out.io ? &c->out : &c->err;

	(void)revents;
	if (tap_read(c, t) && t->kept.len == t->kept.max) {
		ev_io_stop(loop, io);
		ev_timer_again(loop, &t->pause);
	}
}

static void on_pause(struct ev_loop *loop, ev_timer *pause, int revents)
{
	struct child *c = pause->data;

	(void)loop, (void)revents;
	tap_read(c, pause == &c->out.pause ? &c->out : &c->err);
}

static void tap_open(struct child *c, struct tap *t, int fd)
{
	t->fd = fd;
	ev_io_init(&t->io, on_tap, fd, EV_READ);
	ev_timer_init(&t->pause, on_pause, 0., FLOOD_PAUSE_MS / 1000.);
	t->io.data = t->pause.data = c;
	ev_io_start(c->room->loop, &t->io);
}

static void tap_empty(struct child *c, struct tap *t)
{
	for (int i = 0; i < LAST_READS && t->fd >= 0 && tap_read(c, t); i++)
		;
	tap_close(c, t);
}

/* ---- its end ---- */

static void free_texts(char **texts)
{
	for (size_t i = 0; texts && texts[i]; i++)
		free(texts[i]);
	free(texts);
}

static void child_free(struct child *c)
{
	tap_close(c, &c->out);
	tap_close(c, &c->err);
	ev_timer_stop(c->room->loop, &c->timer);
	if (c->pidfd >= 0) {
		ev_io_stop(c->room->loop, &c->on_pidfd);
		close(c->pidfd);
	}
	ev_child_stop(c->room->loop, &c->on_child);
	free_texts(c->argv);
	free_texts(c->env);
	buf_free(&c->out.kept);
	buf_free(&c->err.kept);
	free(c);
}

/* Calls done(); the child, the room and the loop's watchers may be gone after it. */
static void say(struct child *c, enum child_end end, int code)
{
	child_done_fn *done = c->done;
	void *arg = c->arg;
	struct buf out = c->out.kept, err = c->err.kept;
	struct child_result r = { .end = end, .code = code, .out_len = out.len, .err_len = err.len, .dropped = c->out.dropped + c->err.dropped };

	if (c->began.us)
		r.run_us = mono_since_us(mono_now(), c->began);
	c->out.kept = c->err.kept = BUF_INIT(CHILD_OUTPUT_MAX);
	c->done = NULL;
	r.out = buf_str(&out);
	r.err = buf_str(&err);
	if (c->state == LOST || c->state == KILLED) {
		c->state = LOST;
		tap_close(c, &c->out);
		tap_close(c, &c->err);
		ev_timer_stop(c->room->loop, &c->timer);
	} else {
		child_free(c);
	}
	done(arg, &r);
	buf_free(&out);
	buf_free(&err);
}

static void start_next(struct child_room *);

static void unlink_waiting(struct child *c)
{
	TAILQ_REMOVE(&c->room->waiting, c, link);
	c->room->n_waiting--;
}

static void unlink_running(struct child *c)
{
	TAILQ_REMOVE(&c->room->running, c, link);
	c->room->n_running--;
}

/* Reaped; status as wait() gives it. Whatever of its group is still there has nobody left to work for. */
static void gone(struct child *c, int status)
{
	enum child_end end = c->state != RUNNING ? CHILD_TIMEOUT : WIFEXITED(status) ? CHILD_EXITED : CHILD_SIGNALLED;

	if (c->pidfd < 0)
		killpg(c->pid, SIGKILL);
	unlink_running(c);
	start_next(c->room);
	if (!c->done) {
		child_free(c);
		return;
	}
	tap_empty(c, &c->out);
	tap_empty(c, &c->err);
	c->state = FAILED; /* nothing of it is left to be reaped */
	say(c, end, end == CHILD_EXITED ? WEXITSTATUS(status) : end == CHILD_SIGNALLED ? WTERMSIG(status) : 0);
}

static void on_pidfd(struct ev_loop *loop, ev_io *io, int revents)
{
	struct child *c = io->data;
	siginfo_t info = { 0 };
	int status = SIGKILL; /* what stands when somebody else reaped it: how it ended was lost with it */

	(void)loop, (void)revents;
	if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
		if (info.si_pid == 0)
			return;
		killpg(c->pid, SIGKILL); /* while it is a zombie its number is nobody else's */
		waitpid(c->pid, &status, 0);
	}
	gone(c, status);
}

static void on_child(struct ev_loop *loop, ev_child *w, int revents)
{
	(void)loop, (void)revents;
	gone(w->data, w->rstatus);
}

static void arm(struct child *c, int64_t ms)
{
	ev_now_update(c->room->loop);
	ev_timer_stop(c->room->loop, &c->timer);
	ev_timer_set(&c->timer, ms > 0 ? (double)ms / 1000 : 0., 0.);
	ev_timer_start(c->room->loop, &c->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct child *c = timer->data;

	(void)loop, (void)revents;
	switch (c->state) {
	case WAITING:
		unlink_waiting(c);
		say(c, CHILD_LATE, 0);
		break;
	case FAILED:
		unlink_waiting(c);
		say(c, CHILD_NOT_STARTED, c->error);
		break;
	case RUNNING:
		c->state = TERMED;
		killpg(c->pid, SIGTERM);
		killpg(c->pid, SIGCONT); /* one that stopped itself hears it too */
		arm(c, c->grace_ms);
		break;
	case TERMED:
		c->state = KILLED;
		killpg(c->pid, SIGKILL);
		arm(c, ABANDON_MS);
		break;
	case KILLED:
		say(c, CHILD_TIMEOUT, 0);
		break;
	case LOST:
		break;
	}
}

/* ---- its start ---- */

/* A pipe whose writing end stands above 2 (ours may be closed), both ends closed on exec, ours never blocking. */
static bool make_pipe(int fd[2])
{
	if (pipe2(fd, O_CLOEXEC))
		return false;
	for (int i = 0; i < 2; i++) {
		int up = fd[i] > 2 ? fd[i] : fcntl(fd[i], F_DUPFD_CLOEXEC, 3);

		if (up < 0) {
			int e = errno;

			close(fd[0]);
			close(fd[1]);
			errno = e;
			return false;
		}
		if (up != fd[i])
			close(fd[i]);
		fd[i] = up;
	}
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	return true;
}

/* 0, or errno. */
static int spawn(struct child *c, int out, int err)
{
	static char *const nothing[] = { NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t all, none;
	int e;

	sigfillset(&all);
	sigemptyset(&none);
	must(posix_spawn_file_actions_init(&files) == 0 && posix_spawnattr_init(&how) == 0);
	e = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	e = e ? e : posix_spawn_file_actions_adddup2(&files, out, 1);
	e = e ? e : posix_spawn_file_actions_adddup2(&files, err, 2);
	e = e ? e : posix_spawn_file_actions_addclosefrom_np(&files, 3);
	e = e ? e : posix_spawn_file_actions_addchdir_np(&files, "/");
	/* We ignore SIGPIPE; it must not. */
	e = e ? e : posix_spawnattr_setsigdefault(&how, &all);
	e = e ? e : posix_spawnattr_setsigmask(&how, &none);
	e = e ? e : posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	e = e ? e : posix_spawn(&c->pid, c->argv[0], &files, &how, c->argv, c->env ? c->env : nothing);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&how);
	return e;
}

static int start(struct child *c)
{
	static const struct rlimit no_core = { 0, 0 };
	struct ev_loop *loop = c->room->loop;
	int out[2], err[2], e;

	if (!make_pipe(out))
		return errno;
	if (!make_pipe(err)) {
		e = errno;
		close(out[0]);
		close(out[1]);
		return e;
	}
	e = spawn(c, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	if (e) {
		close(out[0]);
		close(err[0]);
		return e;
	}
	(void)prlimit(c->pid, RLIMIT_CORE, &no_core, NULL);
	c->began = mono_now();
	tap_open(c, &c->out, out[0]);
	tap_open(c, &c->err, err[0]);
	if (!ev_is_default_loop(loop))
		c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0); /* closed on exec by birth */
	if (c->pidfd >= 0) {
		ev_io_init(&c->on_pidfd, on_pidfd, c->pidfd, EV_READ);
		c->on_pidfd.data = c;
		ev_io_start(loop, &c->on_pidfd);
	} else if (ev_is_default_loop(loop)) {
		ev_child_set(&c->on_child, c->pid, 0);
		ev_child_start(loop, &c->on_child);
	} else {
		e = errno;
		killpg(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		tap_close(c, &c->out);
		tap_close(c, &c->err);
		c->began = (mono_us){ 0 };
	}
	return e;
}

static void start_next(struct child_room *room)
{
	struct child *c, *next;

	sweep();
	for (c = TAILQ_FIRST(&room->waiting); c && room->n_running < room->at_once; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state != WAITING)
			continue;
		c->error = start(c);
		if (c->error) { /* said from the loop */
			c->state = FAILED;
			arm(c, 0);
			continue;
		}
		unlink_waiting(c);
		TAILQ_INSERT_TAIL(&room->running, c, link);
		room->n_running++;
		c->state = RUNNING;
	}
}

static char **copy_texts(const char *const *texts)
{
	size_t n = 0;

	while (texts && texts[n])
		n++;
	char **copy = xcalloc(n + 1, sizeof(*copy));

	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(texts[i]);
	return copy;
}

struct child *child_run(struct child_room *room, const struct child_order *order, child_done_fn *done, void *arg)
{
	struct child *c = xcalloc(1, sizeof(*c));

	must(order->argv && order->argv[0] && done && room->at_once);
	c->room = room;
	c->argv = copy_texts(order->argv);
	c->env = copy_texts(order->env);
	c->grace_ms = order->grace_ms > 0 ? order->grace_ms : CHILD_GRACE_MS;
	c->done = done;
	c->arg = arg;
	c->pidfd = c->out.fd = c->err.fd = -1;
	c->out.kept = c->err.kept = BUF_INIT(CHILD_OUTPUT_MAX);
	ev_timer_init(&c->timer, on_timer, 0., 0.);
	ev_child_init(&c->on_child, on_child, 0, 0);
	c->timer.data = c->on_child.data = c;
	TAILQ_INSERT_TAIL(&room->waiting, c, link);
	room->n_waiting++;
	arm(c, order->timeout_ms);
	if (c->argv[0][0] == '/' && room->n_waiting <= CHILD_LINE_MAX) {
		start_next(room);
	} else {
		c->state = FAILED;
		c->error = c->argv[0][0] == '/' ? EAGAIN : ENOENT;
		arm(c, 0);
	}
	return c;
}

void child_cancel(struct child *c)
{
	if (c->state == WAITING || c->state == FAILED) {
		unlink_waiting(c);
		say(c, CHILD_CANCELLED, 0);
		return;
	}
	killpg(c->pid, SIGKILL);
	c->state = LOST;
	say(c, CHILD_CANCELLED, 0);
}

/* ---- the room ---- */

struct child_room *child_room_new(struct ev_loop *loop, size_t at_once)
{
	struct child_room *room = xcalloc(1, sizeof(*room));

	must(at_once > 0);
	room->loop = loop;
	room->at_once = at_once;
	TAILQ_INIT(&room->running);
	TAILQ_INIT(&room->waiting);
	return room;
}

/* Killed: gone as soon as it is asked for, but for one that hangs in the kernel. */
static void reap_now(pid_t pid, int pidfd)
{
	int own = pidfd < 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct pollfd p = { pidfd < 0 ? own : pidfd, POLLIN, 0 };

	if (p.fd >= 0)
		poll(&p, 1, FREE_WAIT_MS);
	if (own >= 0)
		close(own);
	if (waitpid(pid, NULL, WNOHANG) != 0)
		return;
	if (left.n < LEFT_MAX)
		left.pid[left.n++] = pid;
	log_warn("child", "what=not-reaped pid=%d", (int)pid);
}

void child_room_free(struct child_room **rp)
{
	struct child_room *room = *rp;
	struct child *c;

	if (!room)
		return;
	*rp = NULL;
	room->at_once = 0;
	while ((c = TAILQ_FIRST(&room->waiting)))
		child_cancel(c);
	for (;;) {
		TAILQ_FOREACH(c, &room->running, link)
			if (c->done)
				break;
		if (!c)
			break;
		child_cancel(c);
	}
	while ((c = TAILQ_FIRST(&room->running))) {
		killpg(c->pid, SIGKILL);
		reap_now(c->pid, c->pidfd);
		unlink_running(c);
		child_free(c);
	}
	free(room);
	sweep();
}

size_t child_room_running(const struct child_room *room) { return room->n_running; }
size_t child_room_waiting(const struct child_room *room) { return room->n_waiting; }
