/* SPDX-License-Identifier: MIT
 * child.c - programs run for us: what they are given, how each way of ending is named, and that nothing stays behind.
 *
 * Every test runs on libev's default loop (which reaps by itself) and on another one (pidfd). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ev.h>

#include "switchd/base/text.h"
#include "switchd/io/child.h"

static struct ev_loop *loop;
static struct child_room *room;
static char dir[64];
static size_t fds_before;

static size_t count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int open_room(bool on_default)
{
	loop = on_default ? ev_default_loop(0) : ev_loop_new(0);
	ev_run(loop, EVRUN_NOWAIT); /* its own descriptors are there now */
	fds_before = count_fds();
	room = child_room_new(loop, 8);
	alarm(60);
	return 0;
}

static int setup_default(void **state) { (void)state; return open_room(true); }
static int setup_other(void **state) { (void)state; return open_room(false); }

static int teardown(void **state)
{
	(void)state;
	child_room_free(&room);
	assert_int_equal(count_fds(), fds_before);
	/* Nothing waits to be reaped.  On a machine with more to do than the loop waits for, what was killed is still on its
	 * way out: each in its own time, and the next room that is freed reaps it.  What no room ever reaps ends with the alarm. */
	siginfo_t ended;
	while (waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT) == 0) {
		room = child_room_new(loop, 1);
		child_room_free(&room);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	if (!ev_is_default_loop(loop))
		ev_loop_destroy(loop);
	alarm(0);
	return 0;
}

struct said {
	int dones;
	enum child_end end;
	int code;
	char out[CHILD_OUTPUT_MAX + 1], err[512];
	size_t out_len, err_len;
	uint64_t dropped;
	int64_t run_us;
	void (*then)(void);
};

static void on_done(void *arg, const struct child_result *r)
{
	struct said *s = arg;

	s->dones++;
	s->end = r->end;
	s->code = r->code;
	s->out_len = r->out_len;
	s->err_len = r->err_len;
	s->dropped = r->dropped;
	s->run_us = r->run_us;
	memcpy(s->out, r->out, r->out_len + 1);
	TEXT_COPY(s->err, r->err);
	if (s->then)
		s->then();
}

static struct child *begin(const char *script, int64_t timeout_ms, struct said *s)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", "MARK=one two", NULL };
	const char *argv[] = { "/bin/sh", "-c", script, "sh", "an argument; with $things", NULL };
	struct child_order order = { .argv = argv, .env = env, .timeout_ms = timeout_ms, .grace_ms = 1000 };

	memset(s, 0, offsetof(struct said, then));
	return child_run(room, &order, on_done, s);
}

static void until_done(const struct said *s)
{
	while (!s->dones)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(s->dones, 1);
}

static struct said *run(const char *script, int64_t timeout_ms)
{
	static struct said s;

	s.then = NULL;
	begin(script, timeout_ms, &s);
	assert_int_equal(s.dones, 0); /* never from inside */
	until_done(&s);
	return &s;
}

/* A word that a child was to write: its pid. */
static pid_t pid_in(const char *name)
{
	char path[128], text[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	return (pid_t)strtol(text, NULL, 10);
}

static const char *script_of(const char *fmt)
{
	static char text[1024];

	TEXT_FORMAT(text, "export D=%s; %s", dir, fmt);
	return text;
}

static void test_what_it_is_given(void **state)
{
	(void)state;
	setenv("SWITCHD_SECRET", "must not be seen", 1);
	int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
	struct said *s = run("pwd; env | sort | grep -v '^_=\\|^PWD=\\|^SHLVL='; echo \"$1\"; ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/fd/0;"
			     "echo oops >&2; [ \"$(ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat)\" -eq $$ ] && echo leader",
			     10000);

	close(leak);
	assert_int_equal(s->end, CHILD_EXITED);
	assert_int_equal(s->code, 0);
	/* 3 is ls reading the directory. */
	assert_string_equal(s->out, "/\nMARK=one two\nPATH=/usr/bin:/bin\nan argument; with $things\n0 1 2 3 /dev/null\nleader\n");
	assert_string_equal(s->err, "oops\n");
	assert_true(s->run_us > 0);
}

static void test_no_environment_and_default_signals(void **state)
{
	const char *argv[] = { "/usr/bin/env", NULL };
	const struct child_order order = { .argv = argv, .timeout_ms = 10000 };
	struct said s = { 0 };

	(void)state;
	child_run(room, &order, on_done, &s);
	until_done(&s);
	assert_int_equal(s.end, CHILD_EXITED);
	assert_string_equal(s.out, "");
	/* Of ours SIGPIPE is ignored and SIGTERM may be blocked: not of theirs. */
	signal(SIGPIPE, SIG_IGN);
	sigset_t block, old;
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &old);
	struct said *r = run("grep -E '^Sig(Blk|Ign)' /proc/self/status", 10000);
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_true(text_starts(r->out, "SigBlk:\t0000000000000000\nSigIgn:\t"));
	/* Signals 32 and 33 are libc's own: what it inherited there is not to be had by a program. */
	assert_int_equal(strtoull(strstr(r->out, "SigIgn:") + 7, NULL, 16) & ~(3ull << 31), 0);
}

static void test_ends_are_named(void **state)
{
	(void)state;
	struct said *s = run("exit 3", 10000);

	assert_int_equal(s->end, CHILD_EXITED);
	assert_int_equal(s->code, 3);
	s = run("echo before; kill -SEGV $$", 10000);
	assert_int_equal(s->end, CHILD_SIGNALLED);
	assert_int_equal(s->code, SIGSEGV);
	assert_string_equal(s->out, "before\n");
	s = run("echo 'so far'; exec sleep 1000", 1000);
	assert_int_equal(s->end, CHILD_TIMEOUT);
	assert_string_equal(s->out, "so far\n");
	/* What it says at the end of its life is heard. */
	s = run("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done", 1000);
	assert_int_equal(s->end, CHILD_TIMEOUT);
	assert_non_null(strstr(s->out, "bye\n"));
	/* One that ignores it, and has children that do. */
	s = run("trap '' TERM; echo ready; (while :; do sleep 1000; done) & while :; do sleep 1000; done", 1000);
	assert_int_equal(s->end, CHILD_TIMEOUT);
	assert_string_equal(s->out, "ready\n");
	/* One that stopped itself. */
	s = run("kill -STOP $$; exit 1", 1000);
	assert_int_equal(s->end, CHILD_TIMEOUT);
}

static void test_not_started(void **state)
{
	static const struct { const char *file; int error; } rows[] = {
		{ "/nonexistent/plugin", ENOENT }, { "relative", ENOENT }, { "/etc/passwd", EACCES }, { "/", EACCES },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *argv[] = { rows[i].file, NULL };
		const struct child_order order = { .argv = argv, .timeout_ms = 10000 };
		struct said s = { 0 };

		child_run(room, &order, on_done, &s);
		assert_int_equal(s.dones, 0);
		until_done(&s);
		assert_int_equal(s.end, CHILD_NOT_STARTED);
		assert_int_equal(s.code, rows[i].error);
		assert_int_equal(s.run_us, 0);
	}
}

static void test_floods_are_capped(void **state)
{
	(void)state;
	struct said *s = run("yes 0123456789abcdef", 500);

	assert_int_equal(s->end, CHILD_TIMEOUT);
	assert_int_equal(s->out_len, CHILD_OUTPUT_MAX);
	assert_true(s->dropped > 0);
	/* Both pipes; and all of what a program that ends by itself has written is counted. */
	s = run("head -c 200000 /dev/zero; head -c 100000 /dev/zero >&2; exit 7", 30000);
	assert_int_equal(s->end, CHILD_EXITED);
	assert_int_equal(s->code, 7);
	assert_int_equal(s->out_len, CHILD_OUTPUT_MAX);
	assert_int_equal(s->err_len, CHILD_OUTPUT_MAX);
	assert_int_equal(s->out_len + s->err_len + s->dropped, 300000);
	s = run("head -c 65536 /dev/zero", 30000);
	assert_int_equal(s->out_len, CHILD_OUTPUT_MAX);
	assert_int_equal(s->dropped, 0);
}

/* P11: what a program leaves behind holds its pipes open. */
static void test_leftovers(void **state)
{
	int status;

	(void)state;
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* they become ours */
	struct said *s = run(script_of("sleep 1000 & echo $! >$D/in; echo done"), 30000);
	assert_int_equal(s->end, CHILD_EXITED);
	assert_string_equal(s->out, "done\n");
	/* In its group: killed with it. libev may have reaped it already on the default loop. */
	if (waitpid(pid_in("in"), &status, 0) > 0) {
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
	}
	/* In a session of its own: not waited for. */
	s = run(script_of("setsid sh -c 'echo $$ >$D/out; exec yes' & while ! [ -s $D/out ]; do sleep 0.01; done; echo done"), 30000);
	assert_int_equal(s->end, CHILD_EXITED);
	pid_t stray = pid_in("out");
	kill(stray, SIGKILL); /* or it died of our closing the pipe */
	while (waitpid(-1, NULL, 0) > 0)
		;
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static struct said many[12];
static size_t most;

static void note_most(void)
{
	if (room && child_room_running(room) > most)
		most = child_room_running(room);
}

static void test_so_many_at_once(void **state)
{
	(void)state;
	child_room_free(&room);
	room = child_room_new(loop, 2);
	most = 0;
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		many[i].then = note_most;
		begin("exit 5", 30000, &many[i]);
		note_most();
	}
	assert_int_equal(child_room_waiting(room), 10);
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		until_done(&many[i]);
		assert_int_equal(many[i].end, CHILD_EXITED);
		assert_int_equal(many[i].code, 5);
	}
	assert_int_equal(most, 2);
	/* The line costs time of its own. */
	for (size_t i = 0; i < 2; i++)
		begin("exec sleep 1000", 60000, &many[i]);
	struct child *waits = begin("exit 0", 60000, &many[3]);
	begin("exit 0", 50, &many[2]);
	until_done(&many[2]);
	assert_int_equal(many[2].end, CHILD_LATE);
	assert_int_equal(many[2].run_us, 0);
	child_cancel(waits);
	assert_int_equal(many[3].dones, 1);
	assert_int_equal(many[3].end, CHILD_CANCELLED);
	assert_int_equal(child_room_waiting(room), 0);
	child_room_free(&room);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(many[i].dones, 1);
		assert_int_equal(many[i].end, CHILD_CANCELLED);
	}
}

static struct child *other;
static void free_room(void) { child_room_free(&room); }
static void cancel_other(void) { child_cancel(other); }
static void run_another(void) { begin("exit 4", 30000, &many[5]); }

static void test_cancel(void **state)
{
	struct said *s = &many[0];
	const char *argv[] = { "/nonexistent", NULL };
	const struct child_order order = { .argv = argv, .timeout_ms = 10000 };

	(void)state;
	memset(many, 0, sizeof(many));
	child_cancel(begin("trap '' TERM; exec sleep 1000", 60000, s));
	assert_int_equal(s->dones, 1);
	assert_int_equal(s->end, CHILD_CANCELLED);
	while (child_room_running(room)) /* it is reaped by the loop */
		ev_run(loop, EVRUN_ONCE);
	child_cancel(child_run(room, &order, on_done, &many[1])); /* failed, and not said yet */
	assert_int_equal(many[1].end, CHILD_CANCELLED);
	/* From inside a done(): another one, a new one, and the room itself. */
	other = begin("exec sleep 1000", 60000, &many[2]);
	many[3].then = cancel_other;
	begin("exit 0", 60000, &many[3]);
	until_done(&many[3]);
	assert_int_equal(many[2].end, CHILD_CANCELLED);
	many[4].then = run_another;
	begin("exit 0", 60000, &many[4]);
	until_done(&many[4]);
	until_done(&many[5]);
	assert_int_equal(many[5].code, 4);
	begin("exec sleep 1000", 60000, &many[6]);
	many[7].then = free_room;
	begin("exit 0", 60000, &many[7]);
	until_done(&many[7]);
	assert_null(room);
	assert_int_equal(many[6].end, CHILD_CANCELLED);
	assert_int_equal(many[6].dones, 1);
	room = child_room_new(loop, 1);
	many[8].then = free_room;
	child_cancel(begin("exec sleep 1000", 60000, &many[8]));
	assert_null(room);
}

/* ---- the file itself ---- */

static void put(const char *name, mode_t mode)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "#!/bin/sh\n", 10), 10);
	close(fd);
	assert_int_equal(chmod(path, mode), 0);
}

static void make_dir(const char *name, mode_t mode)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	mkdir(path, 0700);
	assert_int_equal(chmod(path, mode), 0);
}

static void make_link(const char *to, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	assert_int_equal(symlink(to, path), 0);
}

static bool ok(const char *name, char why[CHILD_WHY])
{
	char path[256];

	TEXT_FORMAT(path, name[0] == '/' ? "%.0s%s" : "%s/%s", dir, name);
	return child_program_ok(path, why);
}

static void test_program_ok(void **state)
{
	static const struct { const char *name, *why; } rows[] = {
		{ "good", NULL }, { "/bin/sh", NULL }, { "./sub/../good", NULL }, { "sub/.././good", NULL }, { "sub//good", NULL },
		{ "link", NULL }, { "sub/up", NULL }, { "todir/good", NULL }, { "sticky/good", NULL },
		{ "open", "open can be written to by others" }, { "group", "group can be written to by others" },
		{ "wide/good", "wide can be written to by others" }, { "wide/../good", "wide can be written to by others" },
		{ "via-wide", "wide can be written to by others" }, { "chain", "wide can be written to by others" },
		{ "missing", "missing No such file or directory" }, { "sub", "is not a regular file" }, { "plain", "cannot be executed by us" },
		{ "good/x", "good is not a directory" }, { "loop", "Too many levels of symbolic links" }, { "dangling", "No such file or directory" },
	};
	char why[CHILD_WHY];

	(void)state;
	put("good", 0755), put("open", 0757), put("group", 0775), put("plain", 0644);
	make_dir("sub", 0755), make_dir("wide", 0777), make_dir("sticky", 01777);
	put("sub/good", 0700), put("wide/good", 0755), put("sticky/good", 0755);
	make_link("good", "link"), make_link("../good", "sub/up"), make_link("sub", "todir"), make_link("wide/good", "via-wide");
	make_link("../good", "wide/hop"), make_link("wide/hop", "chain"), make_link("loop", "loop"), make_link("nowhere", "dangling");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool good = ok(rows[i].name, why);

		if (good != !rows[i].why || (rows[i].why && !strstr(why, rows[i].why)))
			fail_msg("%s: %s", rows[i].name, good ? "was let pass" : why);
	}
	assert_false(child_program_ok("bin/sh", why));
	assert_non_null(strstr(why, "bin/sh is not an absolute path"));
	assert_false(child_program_ok("", why));
	if (geteuid() == 0) {
		char path[128];

		put("theirs", 0755);
		snprintf(path, sizeof(path), "%s/theirs", dir);
		assert_int_equal(chown(path, 12345, 12345), 0);
		assert_false(ok("theirs", why));
		assert_non_null(strstr(why, "belongs to somebody else"));
	}
}

#define BOTH(test) cmocka_unit_test_setup_teardown(test, setup_default, teardown), cmocka_unit_test_setup_teardown(test, setup_other, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_what_it_is_given), BOTH(test_no_environment_and_default_signals), BOTH(test_ends_are_named), BOTH(test_not_started),
		BOTH(test_floods_are_capped), BOTH(test_leftovers), BOTH(test_so_many_at_once), BOTH(test_cancel),
		cmocka_unit_test(test_program_ok),
	};
	char cmd[96];
	int rc;

	umask(022);
	snprintf(dir, sizeof(dir), "/tmp/switchd-child-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	rc = cmocka_run_group_tests_name("child", tests, NULL, NULL);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) != 0 || rc;
}
