/* SPDX-License-Identifier: MIT
 * wire_fake.h - little TCP servers that behave in one way each: a forked child per way, on a port of its own. */
#ifndef TESTS_UNIT_SUPPORT_WIRE_FAKE_H
#define TESTS_UNIT_SUPPORT_WIRE_FAKE_H

#include "tests/unit/support/hostile.h"

enum way {
	W_GREET,        /* "220 ready\r\n", then "250 ECHO line" to each line */
	W_SILENT, W_CLOSE, W_RESET, W_CUT_RESET, W_DRIP, W_FLOOD, W_GARBAGE, W_SAY_CLOSE, N_WAYS
};

struct wire_fake { pid_t pid; uint16_t port; };

static inline void wire_greet(int fd)
{
	char line[1024], answer[1100];
	size_t n = 0;

	hostile_say(fd, "220 ready\r\n");
	while (recv(fd, line + n, 1, 0) == 1) {
		if (line[n] != '\n' && n + 2 < sizeof(line)) {
			n++;
			continue;
		}
		line[n] = '\0';
		snprintf(answer, sizeof(answer), "250 ECHO %s\n", line);
		hostile_say(fd, answer);
		n = 0;
	}
}

static inline void wire_serve(int fd, enum way way)
{
	char junk[4096];

	memset(junk, 'x', sizeof(junk));
	switch (way) {
	case W_GREET:
		wire_greet(fd);
		break;
	case W_SILENT:
		hostile_until_gone(fd);
		break;
	case W_RESET:
		(void)!recv(fd, junk, 1, 0);
		hostile_reset(fd);
		break;
	case W_CUT_RESET:
		hostile_say(fd, "22");
		(void)!recv(fd, junk, 1, 0);
		poll(NULL, 0, 50); /* let it be read before the RST throws it away */
		hostile_reset(fd);
		break;
	case W_DRIP:
		while (hostile_say(fd, "y"))
			poll(NULL, 0, 20);
		break;
	case W_FLOOD:
		while (hostile_put(fd, junk, sizeof(junk)))
			;
		break;
	case W_GARBAGE:
		for (size_t i = 0; i < sizeof(junk); i++)
			junk[i] = (char)(i * 7919 >> 3);
		hostile_put(fd, junk, sizeof(junk));
		shutdown(fd, SHUT_WR);
		hostile_until_gone(fd);
		break;
	case W_SAY_CLOSE:
		hostile_say(fd, "554 go away\r\n");
		shutdown(fd, SHUT_WR);
		hostile_until_gone(fd);
		break;
	case W_CLOSE:
	case N_WAYS:
		break;
	}
}

/* serve() runs in a process of its own for each connection. */
static inline void fake_start(struct wire_fake *w, void (*serve)(int fd, enum way), enum way way)
{
	int fd = hostile_listen(&w->port, 128);

	fflush(NULL);
	w->pid = fork();
	if (w->pid < 0)
		abort();
	if (w->pid) {
		close(fd);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int conn = accept(fd, NULL, NULL);
		pid_t pid = conn < 0 ? -1 : fork();

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(fd);
			serve(conn, way);
			_exit(0);
		}
		if (conn >= 0)
			close(conn);
	}
}

static inline void fake_stop(struct wire_fake *w)
{
	if (w->pid > 0) {
		kill(w->pid, SIGKILL);
		waitpid(w->pid, NULL, 0);
	}
	w->pid = 0;
}

#endif
