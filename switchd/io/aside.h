/* SPDX-License-Identifier: MIT
 * aside.h - one piece of work that may block, in a thread of its own beside the loop.
 *
 * The work is a block of memory that the thread alone touches until done(); then it is the loop's again, and freed
 * with free_work after done() returned.  done() is called once, from the loop and never from inside aside_start(), unless
 * aside_cancel() came first: then nobody waits any more, and whoever is last frees the work.  A disk or a
 * name server that never answers keeps its thread; of such threads there are ASIDE_MAX at most. */
#ifndef SWITCHD_IO_ASIDE_H
#define SWITCHD_IO_ASIDE_H

struct ev_loop;
struct aside;

enum { ASIDE_MAX = 512 };

/* failed: errno of the thread that could not be had (the work was not run); 0 = it was run. */
typedef void aside_done_fn(void *arg, void *work, int failed);
struct aside *aside_start(struct ev_loop *, void *work, void (*run)(void *work), void (*free_work)(void *work), aside_done_fn *, void *arg);
void aside_cancel(struct aside **);     /* NULL inside is fine */

#endif
