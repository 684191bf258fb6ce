/* SPDX-License-Identifier: MIT
 * hostile_rig.h - kind_rig.h with a watchdog, a counter of CPU time round each turn of the loop, and an eye on memory. */
#ifndef TESTS_UNIT_SUPPORT_HOSTILE_RIG_H
#define TESTS_UNIT_SUPPORT_HOSTILE_RIG_H

#include <malloc.h>
#include <signal.h>

#include "switchd/base/clock.h"
#include "tests/unit/support/kind_rig.h"

enum { TURN_MOST_US = 50000, WATCHDOG_S = 60 };
#ifdef SWITCHD_FAILPOINTS
enum { RELEASE = 0 };
#else
enum { RELEASE = 1 };
#endif

static struct kind_rig rig;
static MAYBE_UNUSED int64_t worst_row_us;       /* the longest turn since it was set to 0 */

/* All rows are asked before the test fails by one. */
static MAYBE_UNUSED int wrong;
#define WRONG(...) (print_error(__VA_ARGS__), print_error("\n"), wrong++)

static MAYBE_UNUSED const char *now_asked = "";

static MAYBE_UNUSED void on_alarm(int sig)
{
	static const char what[] = "hostile: the watchdog: not done in time: ";

	(void)sig;
	(void)!write(STDERR_FILENO, what, sizeof(what) - 1);
	(void)!write(STDERR_FILENO, now_asked, strlen(now_asked));
	(void)!write(STDERR_FILENO, "\n", 1);
	_exit(1);
}

struct asked { int dones; enum outcome outcome; bool complete; char got[160]; };

static MAYBE_UNUSED void on_asked(void *arg, const struct probe_result *r)
{
	struct asked *a = arg;

	a->dones++;
	a->outcome = r->outcome;
	a->complete = r->complete;
	if (r->evidence) {
		TEXT_COPY(a->got, r->evidence->got);
		for (const char *p = r->evidence->body; *p; p++)
			assert_true((unsigned char)*p >= ' ' || *p == '\n' || *p == '\t');
	}
}

static MAYBE_UNUSED void note_turn(int64_t from)
{
	int64_t us = cpu_now_us() - from;

	worst_row_us = us > worst_row_us ? us : worst_row_us;
}

/* What a row costs is what its cheapest round costs: a core that was taken away in the middle of a turn is not the row's.
 * least_us holds the longest turn of the cheapest round since it was set to INT64_MAX. */
static MAYBE_UNUSED int64_t least_us;
static MAYBE_UNUSED void note_round(void)
{
	least_us = worst_row_us < least_us ? worst_row_us : least_us;
	worst_row_us = 0;
}
static MAYBE_UNUSED bool too_long(void) { return RELEASE && least_us > TURN_MOST_US; }

static MAYBE_UNUSED void turn(int flags)
{
	int64_t from = cpu_now_us();

	ev_run(rig.loop, flags);
	note_turn(from);
}

static MAYBE_UNUSED void begin(struct asked *a, size_t feature)
{
	const struct probe_job job = { .via = VIA_SLOT, .purpose = PURPOSE_VOTE, .slot = BLUE, .feature = feature, .release = "" };
	int64_t from = cpu_now_us();

	*a = (struct asked){ 0 };
	probe_start(rig.runner, &job, on_asked, a);
	note_turn(from);
	assert_int_equal(a->dones, 0); /* never from inside */
}

static MAYBE_UNUSED void until_done(const struct asked *a)
{
	while (!a->dones)
		turn(EVRUN_ONCE);
}

static MAYBE_UNUSED size_t memory(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Begins again without what the thread's cache and the fast bins keep: it would count as in use. */
static MAYBE_UNUSED void hostile_main(char **argv)
{
	if (!getenv("GLIBC_TUNABLES")) {
		setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0", 1);
		execv("/proc/self/exe", argv);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, on_alarm);
}

#endif
