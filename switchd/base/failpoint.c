/* SPDX-License-Identifier: MIT
 * failpoint.c - SWITCHD_FP, parsed once, and the files of SWITCHD_FP_DIR, looked for at each passage. */
#include "switchd/base/failpoint.h"

#ifdef SWITCHD_FAILPOINTS

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "switchd/base/clock.h"
#include "switchd/base/text.h"

enum { MAX_FAILPOINTS = 16, EXIT_FAILPOINT = 86, EXIT_NOT_LET_GO = 87, EXIT_BAD_LIST = 2 };
enum { WAIT_MOST_MS = 10000, WAIT_STEP_NS = 1000000 };
enum action { DO_KILL, DO_STOP, DO_EXIT, DO_WAIT };

static struct {
	char name[64];
	enum action action;
	uint64_t at;            /* 0 = every passage */
	atomic_uint_fast64_t passages;
} points[MAX_FAILPOINTS];
static size_t n_points;
static char dir[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool parse_action(const char *text, enum action *out)
{
	static const char *const names[] = { [DO_KILL] = "kill", [DO_STOP] = "stop", [DO_EXIT] = "exit", [DO_WAIT] = "wait" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (enum action)i;
			return true;
		}
	return false;
}

static bool parse_one(char *item)
{
	char *action = strchr(item, ':'), *at;

	if (!action || action == item || n_points == MAX_FAILPOINTS)
		return false;
	*action++ = '\0';
	at = strchr(action, '@');
	if (at)
		*at++ = '\0';
	if (at && (!text_u64(at, &points[n_points].at) || !points[n_points].at))
		return false;
	if (!parse_action(action, &points[n_points].action) || points[n_points].action == DO_WAIT)
		return false;
	return TEXT_COPY(points[n_points++].name, item);
}

static char *next_item(char **rest)
{
	return *rest && **rest ? strsep(rest, ",") : NULL;
}

static void parse_all(void)
{
	const char *env = getenv("SWITCHD_FP"), *where = getenv("SWITCHD_FP_DIR");
	char copy[1024], *rest = copy;
	bool ok = TEXT_COPY(copy, env ? env : "");

	for (char *item = next_item(&rest); ok && item; item = next_item(&rest))
		ok = parse_one(item);
	if (!ok) {
		fprintf(stderr, "SWITCHD_FP: cannot read \"%s\"; want name:kill|stop|exit[@N],...\n", env);
		_exit(EXIT_BAD_LIST);
	}
	if (!TEXT_COPY(dir, where ? where : "")) {
		fprintf(stderr, "SWITCHD_FP_DIR: too long\n");
		_exit(EXIT_BAD_LIST);
	}
}

/* Until the test removes the file.  Its deadline is ours: a test that forgot us must not hang, nor pass. */
static void wait_for_removal(const char *name, const char *path)
{
	mono_us began = mono_now();

	while (access(path, F_OK) == 0) {
		if (mono_since_ms(mono_now(), began) > WAIT_MOST_MS) {
			fprintf(stderr, "failpoint %s: not let go within %d s\n", name, WAIT_MOST_MS / 1000);
			_exit(EXIT_NOT_LET_GO);
		}
		nanosleep(&(struct timespec){ .tv_nsec = WAIT_STEP_NS }, NULL);
	}
}

static void perform(enum action action, const char *name, const char *path)
{
	switch (action) {
	case DO_KILL: raise(SIGKILL); return;
	case DO_STOP: raise(SIGSTOP); return;
	case DO_EXIT: _exit(EXIT_FAILPOINT);
	case DO_WAIT: wait_for_removal(name, path); return;
	}
}

/* A name of this thread's own is the claim (one passage of one thread takes the file), and .hit the sign that the point was
 * reached: only when it was read, since whoever sees the sign may remove it at once. */
static void look_in_dir(const char *name)
{
	char path[400], own[400], hit[400], text[16] = "";
	enum action action;

	if (!dir[0] || !TEXT_FORMAT(path, "%s/%s", dir, name) || !TEXT_FORMAT(own, "%s/%s.%d", dir, name, (int)gettid()) ||
	    !TEXT_FORMAT(hit, "%s/%s.hit", dir, name) || rename(path, own) != 0)
		return;
	int fd = open(own, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (rename(own, hit) != 0 || !parse_action(text, &action)) {
		fprintf(stderr, "%s: cannot read \"%s\"; want kill, stop, exit or wait\n", hit, text);
		_exit(EXIT_BAD_LIST);
	}
	perform(action, name, hit);
}

void failpoint_hit(const char *name)
{
	int saved = errno;

	pthread_once(&once, parse_all);
	for (size_t i = 0; i < n_points; i++) {
		if (strcmp(points[i].name, name) != 0)
			continue;
		uint64_t passage = atomic_fetch_add(&points[i].passages, 1) + 1;

		if (!points[i].at || points[i].at == passage)
			perform(points[i].action, name, "");
	}
	look_in_dir(name);
	errno = saved;
}

#else

typedef int failpoint_unused; /* ISO C wants a declaration in every file */

#endif
