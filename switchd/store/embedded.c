/* SPDX-License-Identifier: MIT
 * embedded.c - a redis-server of our own: started, watched, never left behind. */
#include "switchd/store/embedded.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switchd/base/buf.h"
#include "switchd/base/clock.h"
#include "switchd/base/log.h"
#include "switchd/base/text.h"

enum {
	LOCK_WAIT_MS = 10000,
	STOP_WAIT_MS = 5000,
	POLL_MS = 5,
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MOST_MS = 5000,
	STEADY_MS = 10000,      /* a server that lived so long starts the backoff anew */
	LOCK_FD = 3,            /* in the child */
};

struct embedded {
	struct ev_loop *loop;
	ev_child child;
	ev_timer again;
	char *binary, *dir, *conf, *log;
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int lock_fd;
	pid_t pid;
	int64_t backoff_ms;     /* 0 = the next restart is at once */
	mono_us started;
	char why[200];
};

bool embedded_socket_path(const char *state_dir, char *out, size_t size)
{
	size_t most = sizeof(((struct sockaddr_un *)0)->sun_path);

	return text_format(out, size < most ? size : most, "%s/redis/redis.sock", state_dir);
}

/* ---- before the first start ---- */

static char *path_of(const char *a, const char *b)
{
	struct buf p = BUF_INIT(8192);

	must(buf_addf(&p, "%s/%s", a, b));
	return buf_take(&p);
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The whole path of a program, looked for here so that a missing one is told before anything is started. */
static char *find_program(const char *name)
{
	const char *path = getenv("PATH");
	char all[8192], *rest = all, *dir;

	if (strchr(name, '/'))
		return is_program(name) ? xstrdup(name) : NULL;
	if (!TEXT_FORMAT(all, "%s:/usr/local/bin:/usr/bin:/usr/sbin", path ? path : ""))
		return NULL;
	while ((dir = strsep(&rest, ":"))) {
		char *full = *dir == '/' ? path_of(dir, name) : NULL;

		if (full && is_program(full))
			return full;
		free(full);
	}
	return NULL;
}

static bool take_lock(struct embedded *e, char *error, size_t error_size)
{
	char *path = path_of(e->dir, "lock");
	mono_us until = mono_plus_ms(mono_now(), LOCK_WAIT_MS);
	bool told = false;

	e->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (e->lock_fd < 0) {
		text_format(error, error_size, "%s: %s", path, strerror(errno));
		free(path);
		return false;
	}
	if (e->lock_fd < LOCK_FD) { /* a daemon without standard streams: the child puts its own there */
		int fd = fcntl(e->lock_fd, F_DUPFD_CLOEXEC, LOCK_FD);

		close(e->lock_fd);
		e->lock_fd = fd;
	}
	while (flock(e->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || mono_now().us >= until.us) {
			text_format(error, error_size, errno == EWOULDBLOCK ?
				    "%s is held: another switchd, or a redis-server that does not end, uses this state directory" : "%s: cannot lock",
				    path);
			free(path);
			return false;
		}
		if (!told)
			log_info("redis", "what=\"waiting for the lock of the state directory\" lock=%s", LOG_Q(path));
		told = true;
		usleep(POLL_MS * 1000);
	}
	free(path);
	return true;
}

/* A value in redis.conf; redis understands the escapes of C in double quotes. */
static void conf_path(struct buf *b, const char *key, const char *value)
{
	buf_addf(b, "%s \"", key);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buf_adds(b, "\\");
		buf_add(b, value, 1);
	}
	buf_adds(b, "\"\n");
}

static bool write_conf(const struct embedded *e, char *error, size_t error_size)
{
	struct buf b = BUF_INIT(65536);
	char *tmp = path_of(e->dir, "redis.conf.tmp");
	bool ok;

	buf_adds(&b, "# Written by switchd at each start; changes are lost.\n"
		     "port 0\n" "unixsocketperm 700\n" "daemonize no\n" "supervised no\n"
		     "databases 1\n" "save \"\"\n"
		     "appendonly yes\n" "appendfsync always\n" "no-appendfsync-on-rewrite no\n" "aof-load-truncated yes\n"
		     "maxmemory-policy noeviction\n" "loglevel notice\n");
	conf_path(&b, "dir", e->dir);
	buf_adds(&b, "unixsocket redis.sock\n"); /* in dir: a long absolute path would not fit the address */
	conf_path(&b, "logfile", e->log);
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	ok = fd >= 0 && !b.full && write(fd, buf_str(&b), b.len) == (ssize_t)b.len && rename(tmp, e->conf) == 0;
	if (!ok)
		text_format(error, error_size, "%s: %s", e->conf, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(tmp);
	buf_free(&b);
	return ok;
}

/* ---- the child ---- */

static void close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
		return;
#endif
	long most = sysconf(_SC_OPEN_MAX);

	for (int fd = first; fd < (most > 0 && most < 65536 ? (int)most : 65536); fd++)
		close(fd);
}

/* Between fork and exec of a process with threads: async-signal-safe calls only. */
static void become_server(const struct embedded *e, pid_t parent)
{
	/* No environment but this: a password in ours is none of the child's business (I15). */
	char path_env[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang_env[] = "LC_ALL=C", *env[] = { path_env, lang_env, NULL };
	char *argv[] = { e->binary, e->conf, NULL };
	sigset_t none;
	int fd;

	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		_exit(126);
	setpgid(0, 0); /* Ctrl-C at a terminal is for switchd, which then stops us */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(0077);
	fd = open("/dev/null", O_RDONLY);
	if (fd < 0 || dup2(fd, 0) < 0)
		_exit(126);
	fd = open(e->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(126);
	/* The lock goes with the server: whoever holds the directory, holds the lock. */
	if (e->lock_fd == LOCK_FD ? fcntl(LOCK_FD, F_SETFD, 0) < 0 : dup2(e->lock_fd, LOCK_FD) < 0)
		_exit(126);
	close_from(LOCK_FD + 1);
	if (chdir(e->dir) < 0)
		_exit(126);
	execve(e->binary, argv, env);
	_exit(127);
}

static void restart_later(struct embedded *e);

static void start(struct embedded *e)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0) {
		text_format(e->why, sizeof(e->why), "fork: %s", strerror(errno));
		log_error("redis", "what=\"cannot start\" error=%s", LOG_Q(e->why));
		restart_later(e);
		return;
	}
	if (pid == 0)
		become_server(e, parent);
	e->pid = pid;
	e->started = mono_now();
	e->why[0] = '\0';
	ev_child_set(&e->child, pid, 0);
	ev_child_start(e->loop, &e->child);
	log_info("redis", "what=started pid=%d socket=%s", (int)pid, LOG_Q(e->socket));
}

static void restart_later(struct embedded *e)
{
	int64_t wait = e->backoff_ms;

	/* The first restart is at once: every moment without the store is one without automatic rollback of record. */
	e->backoff_ms = wait ? (wait * 2 > BACKOFF_MOST_MS ? BACKOFF_MOST_MS : wait * 2) : BACKOFF_FIRST_MS;
	ev_timer_stop(e->loop, &e->again);
	ev_timer_set(&e->again, (double)wait / 1000, 0.);
	ev_timer_start(e->loop, &e->again);
}

static void on_again(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	start(w->data);
}

static void on_child(struct ev_loop *loop, ev_child *w, int revents)
{
	struct embedded *e = w->data;
	int status = w->rstatus;

	(void)revents;
	ev_child_stop(loop, w);
	if (WIFSIGNALED(status))
		text_format(e->why, sizeof(e->why), "killed by signal %d", WTERMSIG(status));
	else
		text_format(e->why, sizeof(e->why), "exited with %d", WEXITSTATUS(status));
	log_warn("redis", "what=ended pid=%d why=%s see=%s", (int)e->pid, LOG_Q(e->why), LOG_Q(e->log));
	if (mono_since_ms(mono_now(), e->started) >= STEADY_MS)
		e->backoff_ms = 0;
	e->pid = 0;
	restart_later(e);
}

/* ---- the face ---- */

static void free_embedded(struct embedded *e)
{
	if (e->lock_fd >= 0)
		close(e->lock_fd);
	free(e->binary);
	free(e->dir);
	free(e->conf);
	free(e->log);
	free(e);
}

static bool prepare(struct embedded *e, const char *state_dir, const char *redis_server, char *error, size_t error_size)
{
	char *absolute = realpath(state_dir, NULL);

	if (!absolute) {
		text_format(error, error_size, "%s: %s", state_dir, strerror(errno));
		return false;
	}
	e->dir = path_of(absolute, "redis");
	e->conf = path_of(e->dir, "redis.conf");
	e->log = path_of(e->dir, "redis.log");
	free(absolute);
	/* By the path that was given: the store computes the same one. */
	if (!embedded_socket_path(state_dir, e->socket, sizeof(e->socket))) {
		text_format(error, error_size, "%s: too long a path for a unix socket (at most %zu characters with /redis/redis.sock)",
			    state_dir, sizeof(e->socket) - 1);
		return false;
	}
	for (const char *p = e->dir; *p; p++)
		if ((unsigned char)*p < 0x20) {
			text_copy(error, error_size, "the path of the state directory holds a control character");
			return false;
		}
	e->binary = find_program(redis_server);
	if (!e->binary) {
		text_format(error, error_size, "%s: not found; install redis-server, or name a running one with state: redis: ...", redis_server);
		return false;
	}
	if (mkdir(e->dir, 0700) < 0 && errno != EEXIST) {
		text_format(error, error_size, "%s: %s", e->dir, strerror(errno));
		return false;
	}
	return take_lock(e, error, error_size) && write_conf(e, error, error_size);
}

struct embedded *embedded_start(struct ev_loop *loop, const char *state_dir, const char *redis_server, char *error, size_t error_size)
{
	struct embedded *e = xcalloc(1, sizeof(*e));

	must(ev_is_default_loop(loop));
	e->loop = loop;
	e->lock_fd = -1;
	if (!prepare(e, state_dir, redis_server, error, error_size)) {
		free_embedded(e);
		return NULL;
	}
	ev_child_init(&e->child, on_child, 0, 0);
	e->child.data = e;
	ev_timer_init(&e->again, on_again, 0., 0.);
	e->again.data = e;
	start(e);
	return e;
}

/* True once the child is gone; it may have been reaped already by libev, whose callback is yet to come. */
static bool gone(pid_t pid)
{
	pid_t w;

	do
		w = waitpid(pid, NULL, WNOHANG);
	while (w < 0 && errno == EINTR);
	return w == pid || (w < 0 && errno == ECHILD);
}

static void end_child(pid_t pid)
{
	mono_us until = mono_plus_ms(mono_now(), STOP_WAIT_MS);

	if (gone(pid))
		return;
	kill(pid, SIGTERM);
	kill(pid, SIGCONT); /* a stopped one would never see it */
	while (!gone(pid)) {
		if (mono_now().us >= until.us) {
			log_warn("redis", "what=\"does not end; killed\" pid=%d", (int)pid);
			kill(pid, SIGKILL);
			until.us = INT64_MAX;
		}
		usleep(POLL_MS * 1000);
	}
}

void embedded_stop(struct embedded **ep)
{
	struct embedded *e = *ep;

	if (!e)
		return;
	*ep = NULL;
	ev_child_stop(e->loop, &e->child);
	ev_timer_stop(e->loop, &e->again);
	if (e->pid)
		end_child(e->pid);
	free_embedded(e);
}

const char *embedded_socket(const struct embedded *e) { return e->socket; }
pid_t embedded_pid(const struct embedded *e) { return e->pid; }
const char *embedded_why_down(const struct embedded *e) { return e->why; }
