/* SPDX-License-Identifier: MIT
 * embedded.c - the private redis-server: started, restarted, never left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switchd/base/clock.h"
#include "switchd/base/log.h"
#include "switchd/base/text.h"
#include "switchd/store/embedded.h"
#include "tests/unit/support/redis_rig.h"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/switchd-embedded.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}


static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

static void turn(void)
{
	ev_timer t;

	ev_timer_init(&t, on_timer, 0.01, 0.);
	ev_timer_start(EV_DEFAULT, &t);
	ev_run(EV_DEFAULT, EVRUN_ONCE);
	ev_timer_stop(EV_DEFAULT, &t);
}

/* One command to the server, once it answers; "" when it does not within 10 s. */
static const char *ask(const char *sock, const char *command)
{
	static char out[256];

	out[0] = '\0';
	for (int64_t until = now_ms() + 10000; now_ms() < until && !out[0];) {
		redisContext *c = redisConnectUnix(sock);
		redisReply *r = c && !c->err ? redisCommand(c, command) : NULL;

		if (r && r->type == REDIS_REPLY_ARRAY && r->elements == 2)
			snprintf(out, sizeof(out), "%s", r->element[1]->str);
		else if (r && r->type == REDIS_REPLY_INTEGER)
			snprintf(out, sizeof(out), "%lld", r->integer);
		else if (r && r->type != REDIS_REPLY_ERROR)
			snprintf(out, sizeof(out), "%s", r->type == REDIS_REPLY_NIL ? "(nil)" : r->str);
		if (r)
			freeReplyObject(r);
		if (c)
			redisFree(c);
		turn();
	}
	return out;
}

static struct embedded *start(void)
{
	char error[300] = "";
	struct embedded *e = embedded_start(EV_DEFAULT, dir, redis_program(), error, sizeof(error));

	if (!e)
		fail_msg("%s", error);
	return e;
}

/* Gone for good: neither running nor a zombie of ours.  Some other process reaps an orphan. */
static bool gone_within(pid_t pid, int64_t ms)
{
	for (int64_t until = now_ms() + ms; now_ms() < until; usleep(2000)) {
		char path[64], line[256] = "";
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		FILE *f = fopen(path, "r");

		if (!f)
			return true;
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
		if (strstr(line, ") Z "))
			return true;
	}
	return false;
}

static void it_answers_on_its_socket_alone_and_syncs_always(void **state)
{
	struct embedded *e = start();
	struct stat st;
	char path[256];
	pid_t pid = embedded_pid(e);

	(void)state;
	assert_true(pid > 0);
	assert_string_equal(ask(embedded_socket(e), "PING"), "PONG");
	assert_string_equal(ask(embedded_socket(e), "CONFIG GET appendfsync"), "always");
	assert_string_equal(ask(embedded_socket(e), "CONFIG GET appendonly"), "yes");
	assert_string_equal(ask(embedded_socket(e), "CONFIG GET port"), "0");
	assert_string_equal(ask(embedded_socket(e), "CONFIG GET maxmemory-policy"), "noeviction");
	assert_string_equal(embedded_why_down(e), "");
	assert_int_equal(stat(embedded_socket(e), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	snprintf(path, sizeof(path), "%s/redis", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	embedded_stop(&e);
	assert_null(e);
	assert_true(gone_within(pid, 1000));
}

static void data_survives_stop_and_kill(void **state)
{
	struct embedded *e = start();
	pid_t pid = embedded_pid(e);

	(void)state;
	assert_string_equal(ask(embedded_socket(e), "SET k v1"), "OK");
	kill(pid, SIGKILL);
	for (int64_t until = now_ms() + 5000; embedded_pid(e) == pid && now_ms() < until;)
		turn();
	/* The first restart is at once. */
	for (int64_t until = now_ms() + 5000; embedded_pid(e) == 0 && now_ms() < until;)
		turn();
	assert_true(embedded_pid(e) != pid && embedded_pid(e) > 0);
	assert_string_equal(ask(embedded_socket(e), "GET k"), "v1");
	assert_string_equal(ask(embedded_socket(e), "SET k v2"), "OK");
	embedded_stop(&e);
	e = start();
	assert_string_equal(ask(embedded_socket(e), "GET k"), "v2");
	embedded_stop(&e);
}

/* The child has the three standard streams, the lock, and what redis opens itself: nothing that was ours. */
static void the_child_inherits_the_lock_and_nothing_else(void **state)
{
	char marker[128], link[256], path[400], env[4096];
	struct embedded *e;
	struct dirent *d;
	bool lock = false;
	DIR *fds;
	int fd;

	(void)state;
	snprintf(marker, sizeof(marker), "%s/marker", dir);
	fd = open(marker, O_RDWR | O_CREAT, 0600); /* without O_CLOEXEC, as a library might */
	assert_true(fd >= 0);
	setenv("SECRET_CANARY", "hunter2", 1);
	e = start();
	unsetenv("SECRET_CANARY");
	assert_string_equal(ask(embedded_socket(e), "PING"), "PONG");
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)embedded_pid(e));
	fds = opendir(path);
	assert_non_null(fds);
	while ((d = readdir(fds))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%.64s", (int)embedded_pid(e), d->d_name);
		ssize_t n = readlink(path, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = '\0';
		assert_null(strstr(link, "marker"));
		lock = lock || strstr(link, "/redis/lock");
	}
	closedir(fds);
	assert_true(lock);
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)embedded_pid(e));
	int env_fd = open(path, O_RDONLY);
	ssize_t n = read(env_fd, env, sizeof(env) - 1);

	assert_true(n >= 0);
	assert_null(memmem(env, (size_t)n, "hunter2", 7));
	close(env_fd);
	close(fd);
	embedded_stop(&e);
}

/* A switchd of its own: starts the server, tells its pid, waits to be killed. */
static int be_a_daemon(const char *where)
{
	char error[300], line[400];
	struct embedded *e = embedded_start(EV_DEFAULT, where, redis_program(), error, sizeof(error));

	snprintf(line, sizeof(line), "%d %s\n", e ? (int)embedded_pid(e) : 0, e ? "" : error);
	if (write(STDOUT_FILENO, line, strlen(line)) < 0)
		return 1;
	while (e)
		ev_run(EV_DEFAULT, 0);
	return 1;
}

static pid_t daemon_start(pid_t *server, char *said, size_t size)
{
	int out[2];
	pid_t pid;
	size_t n = 0;
	ssize_t got;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failing test leaves nothing behind */
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execl("/proc/self/exe", "embedded", dir, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	while (n + 1 < size && (got = read(out[0], said + n, size - 1 - n)) > 0 && !memchr(said, '\n', n + (size_t)got))
		n += (size_t)got;
	close(out[0]);
	*server = (pid_t)strtol(said, NULL, 10);
	return pid;
}

static void no_orphan_when_the_parent_is_killed(void **state)
{
	char said[400] = "", sock[128];
	pid_t server, daemon = daemon_start(&server, said, sizeof(said));

	(void)state;
	assert_true(server > 0);
	assert_true(embedded_socket_path(dir, sock, sizeof(sock)));
	assert_string_equal(ask(sock, "SET k v"), "OK");
	kill(daemon, SIGKILL);
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	assert_true(gone_within(server, 5000));
	/* The lock went with it: the next one starts, and nothing is lost. */
	struct embedded *e = start();

	assert_string_equal(ask(embedded_socket(e), "GET k"), "v");
	embedded_stop(&e);
}

/* The server of a killed daemon is stopped in its tracks and holds the lock: the next daemon waits until it is gone. */
static void a_second_instance_waits_for_the_lock(void **state)
{
	char said[400] = "", sock[128], path[128];
	pid_t first, second, daemon = daemon_start(&first, said, sizeof(said)), next;
	int fd;

	(void)state;
	assert_true(embedded_socket_path(dir, sock, sizeof(sock)));
	assert_string_equal(ask(sock, "PING"), "PONG");
	kill(first, SIGSTOP);
	kill(daemon, SIGKILL);
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	snprintf(path, sizeof(path), "%s/redis/lock", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	close(fd);
	next = fork();
	assert_true(next >= 0);
	if (next == 0) { /* lets the first one end a little later; what is asserted does not depend on when */
		usleep(300000);
		kill(first, SIGCONT);
		_exit(0);
	}
	daemon = daemon_start(&second, said, sizeof(said));
	assert_true(second > 0 && second != first);
	assert_true(gone_within(first, 1000));
	assert_string_equal(ask(sock, "PING"), "PONG");
	assert_true(waitpid(next, NULL, 0) == next || errno == ECHILD); /* libev, which reaps every child, may have been first */
	kill(daemon, SIGKILL);
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	assert_true(gone_within(second, 5000));
}

/* A server that will not end is killed: stop is bounded.  A stopped one is woken first and ends in order. */
static void stop_ends_a_stopped_server(void **state)
{
	struct embedded *e = start();
	pid_t pid = embedded_pid(e);

	(void)state;
	assert_string_equal(ask(embedded_socket(e), "PING"), "PONG");
	kill(pid, SIGSTOP);
	embedded_stop(&e);
	assert_true(gone_within(pid, 1000));
}

static void stop_between_restarts(void **state)
{
	struct embedded *e = start();
	pid_t pid = embedded_pid(e);

	(void)state;
	assert_string_equal(ask(embedded_socket(e), "PING"), "PONG");
	kill(pid, SIGKILL);
	usleep(20000); /* reaped by libev or not yet: both must do */
	embedded_stop(&e);
	assert_true(gone_within(pid, 1000));
}

static void what_cannot_be_started_says_why(void **state)
{
	char error[300] = "", path[160], longest[300];

	(void)state;
	assert_null(embedded_start(EV_DEFAULT, dir, "no-such-redis", error, sizeof(error)));
	assert_non_null(strstr(error, "no-such-redis: not found"));
	assert_null(embedded_start(EV_DEFAULT, "/nonexistent", redis_program(), error, sizeof(error)));
	assert_non_null(strstr(error, "/nonexistent"));
	snprintf(longest, sizeof(longest), "%s/", dir);
	memset(longest + strlen(longest), 'x', 100);
	longest[strlen(dir) + 101] = '\0';
	assert_int_equal(mkdir(longest, 0700), 0);
	assert_null(embedded_start(EV_DEFAULT, longest, redis_program(), error, sizeof(error)));
	assert_non_null(strstr(error, "too long"));
	snprintf(path, sizeof(path), "%s/redis", dir);
	int fd = open(path, O_CREAT | O_WRONLY, 0600); /* a file where the directory should be */

	close(fd);
	assert_null(embedded_start(EV_DEFAULT, dir, redis_program(), error, sizeof(error)));
	assert_non_null(strstr(error, "/redis"));
}

/* A binary that dies at once is tried again, ever more slowly, and status says so. */
static void a_server_that_dies_at_once_is_not_spun(void **state)
{
	char error[300] = "";
	struct embedded *e = embedded_start(EV_DEFAULT, dir, "false", error, sizeof(error));
	ev_tstamp first = 0, fifth = 0;
	int starts = 0;
	pid_t last = 0;

	(void)state;
	assert_non_null(e);
	/* A busy machine starts it later, never sooner: by the loop's own clock the fifth comes after 0, 0.1, 0.2 and 0.4 s. */
	for (int64_t until = now_ms() + 60000; starts < 5 && now_ms() < until; turn())
		if (embedded_pid(e) && embedded_pid(e) != last) {
			last = embedded_pid(e);
			if (++starts == 2)
				first = ev_now(EV_DEFAULT);
			fifth = ev_now(EV_DEFAULT);
		}
	assert_int_equal(starts, 5);
	assert_true(fifth - first > 0.69);
	/* Between two starts it is said; while one has just been started there is nothing to say yet. */
	for (int64_t until = now_ms() + 60000; embedded_pid(e) && now_ms() < until;)
		turn();
	assert_non_null(strstr(embedded_why_down(e), "exited with 1"));
	embedded_stop(&e);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(it_answers_on_its_socket_alone_and_syncs_always),
		T(data_survives_stop_and_kill),
		T(the_child_inherits_the_lock_and_nothing_else),
		T(no_orphan_when_the_parent_is_killed),
		T(a_second_instance_waits_for_the_lock),
		T(stop_ends_a_stopped_server),
		T(stop_between_restarts),
		T(what_cannot_be_started_says_why),
		T(a_server_that_dies_at_once_is_not_spun),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	if (argc == 2)
		return be_a_daemon(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
