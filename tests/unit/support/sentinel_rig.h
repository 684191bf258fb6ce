/* SPDX-License-Identifier: MIT
 * sentinel_rig.h - real servers on free ports of loopback: a master, its replicas, sentinels; and fakes that say what they are told.
 * For tests/unit/sentinel.c. */
#ifndef TESTS_UNIT_SENTINEL_RIG_H
#define TESTS_UNIT_SENTINEL_RIG_H

#include "tests/unit/support/redis_rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/socket.h>

struct node { pid_t pid; int port; redisContext *c; };

static inline int listen_somewhere(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static inline int free_port(void)
{
	int port, fd = listen_somewhere(&port);

	close(fd);
	return port;
}

static inline void node_connect(struct node *n)
{
	for (int64_t until = now_ms() + 10000; !n->c; usleep(5000)) {
		redisContext *c = redisConnect("127.0.0.1", n->port);
		redisReply *reply = c && !c->err ? redisCommand(c, "PING") : NULL;

		if (reply) /* NOAUTH is a sign of life too */
			n->c = c;
		else if (c)
			redisFree(c);
		if (reply)
			freeReplyObject(reply);
		if (now_ms() > until)
			fail_msg("no server came up at port %d", n->port);
	}
}

/* `more`: settings, one a line, after those of every server. */
static inline void node_start(struct node *n, const char *dir, int port, bool sentinel, const char *more)
{
	char file[128], log[128], home[128];

	*n = (struct node){ .port = port ? port : free_port() };
	snprintf(home, sizeof(home), "%s/%d", dir, n->port);
	snprintf(file, sizeof(file), "%s/%d.conf", dir, n->port);
	snprintf(log, sizeof(log), "%s/%d.log", dir, n->port);
	mkdir(home, 0700);
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fprintf(f, "port %d\nbind 127.0.0.1\ndir %s\nlogfile %s\n%s%s", n->port, home, log, sentinel ? "" : "save \"\"\nrepl-diskless-sync-delay 0\n",
		more);
	fclose(f);
	n->pid = fork();
	assert_true(n->pid >= 0);
	if (n->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp(redis_program(), redis_program(), file, sentinel ? "--sentinel" : (char *)NULL, (char *)NULL);
		_exit(127);
	}
	node_connect(n);
}

static inline void node_stop(struct node *n)
{
	if (n->c)
		redisFree(n->c);
	n->c = NULL;
	if (n->pid) {
		kill(n->pid, SIGKILL);
		while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	n->pid = 0;
}

/* Text of member i of an array reply, of the reply itself with i < 0; in a static buffer. */
static inline const char *node_ask(struct node *n, int i, const char *command)
{
	static char out[300];
	redisReply *r = redisCommand(n->c, command), *m = r;

	if (!r) { /* a sentinel cuts every client of a server that it promotes */
		redisFree(n->c);
		n->c = NULL;
		node_connect(n);
		r = redisCommand(n->c, command);
		m = r;
	}
	assert_non_null(r);
	if (i >= 0)
		m = r->type == REDIS_REPLY_ARRAY && (size_t)i < r->elements ? r->element[i] : NULL;
	if (m && m->type == REDIS_REPLY_INTEGER)
		snprintf(out, sizeof(out), "%lld", m->integer);
	else
		snprintf(out, sizeof(out), "%s", m && m->str ? m->str : "");
	freeReplyObject(r);
	return out;
}

/* A server of ours: returns in a process of its own for each connection, with its descriptor (one is asked, another listens);
 * in the test: -1. */
static inline int fake_connection(struct node *n)
{
	int fd = listen_somewhere(&n->port);

	n->c = NULL;
	n->pid = fork();
	assert_true(n->pid >= 0);
	if (n->pid) {
		close(fd);
		return -1;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (fork()) {
			close(c);
			continue;
		}
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fd);
		return c;
	}
}

/* A sentinel that names a server, and announces to who listens. */
static inline void fake_sentinel(struct node *n, const char *names, const char *announces)
{
	int c = fake_connection(n);
	char in[4096];
	ssize_t got;

	if (c < 0)
		return;
	while ((got = read(c, in, sizeof(in) - 1)) > 0) {
		in[got] = '\0';
		const char *say = strstr(in, "SENTINEL") ? names : strstr(in, "SUBSCRIBE") ? announces : "+PONG\r\n";

		if (write(c, say, strlen(say)) < 0)
			break;
	}
	_exit(0);
}

/* A server that answers the n-th thing that it hears with say[n], the last for ever; NULL: it hangs. */
static inline void fake_serve(struct node *n, const char *const *say)
{
	int c = fake_connection(n);
	char in[4096];

	if (c < 0)
		return;
	for (const char *const *s = say; read(c, in, sizeof(in)) > 0; s += s[0] && s[1])
		if (*s && write(c, *s, strlen(*s)) < 0)
			break;
	_exit(0);
}

#endif
