/* SPDX-License-Identifier: MIT
 * redis_rig.h - a real redis-server on a unix socket, our own hands in it, and a loop that runs until something is so. */
#ifndef TESTS_UNIT_REDIS_RIG_H
#define TESTS_UNIT_REDIS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ev.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switchd/base/clock.h"
#include "switchd/base/text.h"

struct rig {
	char dir[64], sock[96];
	pid_t pid;
	redisContext *c;        /* our own hands in Redis */
	const char *more[8];    /* options beside those of every test; set after rig_prepare() */
};

/* SWITCHD_TEST_REDIS=valkey-server: the same tests on that one. */
static inline const char *redis_program(void)
{
	const char *name = getenv("SWITCHD_TEST_REDIS");

	return name && name[0] ? name : "redis-server";
}

static inline int64_t now_ms(void) { return mono_now().us / 1000; }

static inline void rig_launch(struct rig *r)
{
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0) {
		char log[128];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(log, sizeof(log), "%s/log", r->dir);
		const char *argv[24] = { redis_program(), "--port", "0", "--unixsocket", r->sock, "--dir", r->dir, "--appendonly", "yes",
					 "--appendfsync", "always", "--save", "", "--logfile", log };
		size_t n = 15;

		for (size_t i = 0; i < sizeof(r->more) / sizeof(r->more[0]) && r->more[i]; i++)
			argv[n++] = r->more[i];
		execvp(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	for (int64_t until = now_ms() + 10000; !r->c;) {
		redisContext *c = redisConnectUnix(r->sock);
		redisReply *reply = c && !c->err ? redisCommand(c, "PING") : NULL;

		if (reply && reply->type == REDIS_REPLY_STATUS)
			r->c = c;
		else if (c)
			redisFree(c);
		if (reply)
			freeReplyObject(reply);
		if (now_ms() > until)
			fail_msg("%s did not start", redis_program());
		usleep(5000);
	}
}

static inline void rig_kill(struct rig *r)
{
	if (r->c)
		redisFree(r->c);
	r->c = NULL;
	kill(r->pid, SIGKILL);
	while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static inline void rig_prepare(struct rig *r)
{
	*r = (struct rig){ 0 };
	assert_true(TEXT_COPY(r->dir, "/tmp/switchd-store.XXXXXX"));
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->sock, sizeof(r->sock), "%s/s", r->dir);
}

static inline void rig_start(struct rig *r)
{
	rig_prepare(r);
	rig_launch(r);
}

static inline void rig_stop(struct rig *r)
{
	char cmd[128];

	rig_kill(r);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", r->dir);
	assert_int_equal(system(cmd), 0);
}

/* One command by hand; the reply's text in a rotating buffer ("(nil)" for nothing). */
static inline const char *redis(struct rig *r, const char *fmt, ...) PRINTF(2, 3);
static inline const char *redis(struct rig *r, const char *fmt, ...)
{
	static char ring[8][70000];
	static unsigned turn;
	char *out = ring[turn++ % 8];
	va_list ap;

	va_start(ap, fmt);
	redisReply *reply = redisvCommand(r->c, fmt, ap);
	va_end(ap);
	assert_non_null(reply);
	if (reply->type == REDIS_REPLY_INTEGER)
		snprintf(out, sizeof(ring[0]), "%lld", reply->integer);
	else if (reply->type == REDIS_REPLY_ARRAY)
		snprintf(out, sizeof(ring[0]), "%zu", reply->elements);
	else
		snprintf(out, sizeof(ring[0]), "%s", reply->type == REDIS_REPLY_NIL ? "(nil)" : reply->str);
	freeReplyObject(reply);
	return out;
}

static inline void on_pump_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ONE);
}

/* Runs the loop until *flag is `want`, or fails. */
static inline void pump_as(const bool *flag, bool want, int64_t ms, const char *what, int line)
{
	int64_t until = now_ms() + ms;
	ev_timer t;

	ev_timer_init(&t, on_pump_timer, 0.01, 0.01);
	ev_timer_start(EV_DEFAULT, &t);
	while (*flag != want && now_ms() < until)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	ev_timer_stop(EV_DEFAULT, &t);
	if (*flag != want)
		fail_msg("line %d: still not: %s", line, what);
}
#define pump(flag) pump_as(&(flag), true, 20000, #flag, __LINE__)
#define pump_not(flag) pump_as(&(flag), false, 20000, "!" #flag, __LINE__)
/* The loop turns until it is so. */
#define until(condition)                                                                        \
	do {                                                                                    \
		int64_t end_ = now_ms() + 20000;                                                \
		while (!(condition)) {                                                          \
			if (now_ms() > end_)                                                    \
				fail_msg("%d: %s did not come true", __LINE__, #condition);     \
			ev_run(EV_DEFAULT, EVRUN_ONCE);                                         \
		}                                                                               \
	} while (0)

#endif
