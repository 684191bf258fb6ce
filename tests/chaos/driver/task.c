/* SPDX-License-Identifier: MIT
 * task.c - a program that is run to its end, and what it said. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/chaos/driver/driver.h"

static void child(char *const argv[], int fd)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(null, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	for (int i = 3; i < 256; i++)
		close(i);
	execvp(argv[0], argv);
	_exit(127);
}

void task(struct said *s, long timeout_ms, char *const argv[])
{
	int64_t deadline = now_us() + timeout_ms * 1000;
	int p[2], status = 0;

	s->exit = -1;
	s->late = false;
	s->n = 0;
	s->out[0] = '\0';
	if (pipe(p) < 0)
		die("pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0)
		child(argv, p[1]);
	close(p[1]);
	nonblocking(p[0]);
	for (bool open_end = true; open_end;) {
		struct pollfd w = { .fd = p[0], .events = POLLIN };
		int64_t left = (deadline - now_us()) / 1000;

		if (left <= 0 && !s->late) {
			s->late = true;
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			deadline = now_us() + 2000000;
			continue;
		}
		if (left <= 0)
			break;
		if (poll(&w, 1, (int)left) <= 0)
			continue;
		char junk[4096];
		bool room = s->n < sizeof(s->out) - 1;
		ssize_t r = room ? read(p[0], s->out + s->n, sizeof(s->out) - 1 - s->n) : read(p[0], junk, sizeof(junk));
		if (r == 0)
			open_end = false;
		else if (r > 0 && room)
			s->n += (size_t)r;
		else if (r < 0 && errno != EAGAIN && errno != EINTR)
			open_end = false;
	}
	close(p[0]);
	s->out[s->n] = '\0';
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!s->late)
		s->exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
