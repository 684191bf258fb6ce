/* SPDX-License-Identifier: MIT
 * command.c - the command that fills the idle slot: run with SWITCHD_SLOT and SWITCHD_TARGETS while its claim is kept alive. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switchd/base/text.h"
#include "switchd/cli/deploy.h"

enum { RENEW_MOST_MS = 20000, RENEW_LEAST_MS = 200, LOOK_MS = 100 };

static void child_env(const json_t *claim, const struct cli *c)
{
	struct buf targets = BUF_INIT(16384);
	size_t i;
	json_t *t;

	json_array_foreach(json_object_get(claim, "targets"), i, t)
		buf_addf(&targets, "%s%s", i ? " " : "", json_string_value(t) ? json_string_value(t) : "");
	setenv("SWITCHD_SLOT", jstr(claim, "slot"), 1);
	setenv("SWITCHD_TARGETS", buf_str(&targets), 1);
	setenv("SWITCHD_RELEASE", c->release, 1);
	setenv("SWITCHD_SERVICE", c->service, 1);
	setenv("SWITCHD_CLAIM", jstr(claim, "claim"), 1);
	buf_free(&targets);
}

/* A third of what the claim has left, so that two renewals may be lost. */
static int64_t renew_every_ms(const json_t *claim)
{
	int64_t ms = jint(claim, "left_ms") / 3;

	return ms > RENEW_MOST_MS ? RENEW_MOST_MS : ms < RENEW_LEAST_MS ? RENEW_LEAST_MS : ms;
}

static void renew(struct cli *c, const json_t *claim, unsigned n, bool *told)
{
	char step[16];
	struct answer a;

	TEXT_FORMAT(step, "renew%u", n);
	claim_renew(c, jstr(claim, "claim"), step, &a);
	bool ok = a.reached && a.status == 200;

	if (!ok && !*told)
		fprintf(stderr, "  the claim could not be renewed (%s); trying again\n", a.reached ? jstr(a.json, "detail") : a.error);
	*told = !ok;
	answer_free(&a);
}

static void child(struct cli *c, const json_t *claim, const sigset_t *mask)
{
	sigprocmask(SIG_SETMASK, mask, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	child_env(claim, c);
	/* stdout stays switchctl's own: with --json it is one object. */
	if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(126);
	execvp(c->command[0], c->command);
	fprintf(stderr, "switchctl: %s: %s\n", c->command[0], strerror(errno));
	_exit(127);
}

int command_run(struct cli *c, const json_t *claim)
{
	int64_t every = renew_every_ms(claim) * 1000, due = mono_now().us + every;
	struct timespec look = { .tv_nsec = LOOK_MS * 1000000L };
	unsigned renewals = 0;
	bool told = false, passed_on = false;
	sigset_t chld, before;
	pid_t pid;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &before);
	pid = fork();
	if (pid == 0)
		child(c, claim, &before);
	if (pid < 0) {
		complain(c, "cannot fork: %s", strerror(errno));
		return 126;
	}
	for (;;) {
		int status;

		if (waitpid(pid, &status, WNOHANG) == pid) {
			sigprocmask(SIG_SETMASK, &before, NULL);
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		/* A terminal's Ctrl-C reaches the command by itself; a signal to this process alone does not. */
		if (interrupted && !passed_on) {
			if (interrupted != SIGINT || !isatty(STDIN_FILENO))
				kill(pid, interrupted);
			passed_on = true;
		}
		if (mono_now().us >= due) {
			renew(c, claim, ++renewals, &told);
			due = mono_now().us + every;
		}
		sigtimedwait(&chld, NULL, &look);
	}
}
