/* SPDX-License-Identifier: MIT
 * failpoint.c - SWITCHD_FP, parsed once. */
#include "switchd/base/failpoint.h"

#ifdef SWITCHD_FAILPOINTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switchd/base/text.h"

enum { MAX_FAILPOINTS = 16, EXIT_FAILPOINT = 86, EXIT_BAD_LIST = 2 };
enum action { DO_KILL, DO_STOP, DO_EXIT };

static struct {
	char name[64];
	enum action action;
	uint64_t at;            /* 0 = every passage */
	atomic_uint_fast64_t passages;
} points[MAX_FAILPOINTS];
static size_t n_points;
static pthread_once_t once = PTHREAD_ONCE_INIT;

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
	if (strcmp(action, "kill") == 0)
		points[n_points].action = DO_KILL;
	else if (strcmp(action, "stop") == 0)
		points[n_points].action = DO_STOP;
	else if (strcmp(action, "exit") == 0)
		points[n_points].action = DO_EXIT;
	else
		return false;
	return TEXT_COPY(points[n_points++].name, item);
}

static char *next_item(char **rest)
{
	return *rest && **rest ? strsep(rest, ",") : NULL;
}

static void parse_all(void)
{
	const char *env = getenv("SWITCHD_FP");
	char copy[1024], *rest = copy;

	if (!env || !*env)
		return;
	bool ok = TEXT_COPY(copy, env);
	for (char *item = next_item(&rest); ok && item; item = next_item(&rest))
		ok = parse_one(item);
	if (!ok) {
		fprintf(stderr, "SWITCHD_FP: cannot read \"%s\"; want name:kill|stop|exit[@N],...\n", env);
		_exit(EXIT_BAD_LIST);
	}
}

void failpoint_hit(const char *name)
{
	pthread_once(&once, parse_all);
	for (size_t i = 0; i < n_points; i++) {
		if (strcmp(points[i].name, name) != 0)
			continue;
		uint64_t passage = atomic_fetch_add(&points[i].passages, 1) + 1;

		if (points[i].at && points[i].at != passage)
			continue;
		if (points[i].action == DO_EXIT)
			_exit(EXIT_FAILPOINT);
		raise(points[i].action == DO_KILL ? SIGKILL : SIGSTOP);
	}
}

#else

typedef int failpoint_unused; /* ISO C wants a declaration in every file */

#endif
