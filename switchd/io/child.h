/* SPDX-License-Identifier: MIT
 * child.h - programs run for us on the loop: probes, gates, hooks.  Loop thread only.
 *
 * A program is started without a shell, with exactly the environment it is given, in "/", as the leader of a session
 * and a process group of its own, stdin on /dev/null, every descriptor but 0, 1 and 2 closed, no core file.  What it
 * writes to stdout and stderr is kept up to CHILD_OUTPUT_MAX bytes each; the rest is read slowly, counted and dropped, so
 * that a flood costs the flooder and not the loop.
 *
 * At its timeout the group gets SIGTERM, a grace later SIGKILL.  done() comes when the program itself is gone; what it
 * left behind in its group is killed then, and what has left the group (double forks) is not waited for, though it may
 * still hold the pipes.  A room runs `at_once` programs at most; the others wait in line, and their timeout runs.
 *
 * child_run LENDS the order until it returns.  done() is called exactly once, never from inside child_run, also on
 * cancel and when the room is freed; its result is BORROWED for the call.  Cancelling and freeing are allowed inside it.
 * Any loop will do: on the default loop (where libev itself reaps) the end is learned from libev, else from a pidfd. */
#ifndef SWITCHD_IO_CHILD_H
#define SWITCHD_IO_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/base/must.h"

struct ev_loop;
struct child_room;
struct child;                   /* a handle for child_cancel: dead once done() was called */

enum {
	CHILD_OUTPUT_MAX = 64 * 1024,
	CHILD_GRACE_MS = 500,           /* between SIGTERM and SIGKILL, when the order does not say */
	CHILD_LINE_MAX = 4096,          /* orders that wait; one more cannot be started (EAGAIN) */
};

enum child_end {
	CHILD_EXITED,           /* code: 0 to 255 */
	CHILD_SIGNALLED,        /* code: the signal, which was not ours */
	CHILD_TIMEOUT,          /* it ran, and was killed */
	CHILD_LATE,             /* it never ran: its time went by in our own line */
	CHILD_NOT_STARTED,      /* code: errno */
	CHILD_CANCELLED,
};
const char *child_end_name(enum child_end);

struct child_order {
	const char *const *argv;        /* argv[0]: absolute path; ends with NULL */
	const char *const *env;         /* "NAME=value", all of it; ends with NULL. NULL = none at all */
	int64_t timeout_ms;             /* from child_run on; SIGTERM then */
	int64_t grace_ms;               /* 0 = CHILD_GRACE_MS */
};

struct child_result {
	enum child_end end;
	int code;
	const char *out, *err;          /* NUL-terminated; hostile bytes, NULs among them */
	size_t out_len, err_len;
	uint64_t dropped;               /* bytes past the caps, of both */
	int64_t run_us;                 /* from its start to its end; 0 when it never ran */
};
typedef void child_done_fn(void *arg, const struct child_result *);

struct child_room *child_room_new(struct ev_loop *, size_t at_once);
void child_room_free(struct child_room **);     /* kills what runs: done() with CHILD_CANCELLED */

struct child *child_run(struct child_room *, const struct child_order *, child_done_fn *, void *arg);
/* SIGKILL to the group; calls done() before it returns. */
void child_cancel(struct child *);

size_t child_room_running(const struct child_room *);   /* also those that were cancelled and are not reaped yet */
size_t child_room_waiting(const struct child_room *);

enum { CHILD_WHY = 300 };
/* May we run this file?  An absolute path to a regular file that we can execute; it, every directory on the way and every
 * symbolic link belong to root or to us, and nobody else can write to them (a sticky directory will do: nobody else
 * can replace there what is ours).  False: why says what is wrong with what.  Reads the file system. */
MUSTCHECK bool child_program_ok(const char *path, char why[CHILD_WHY]);

#endif
