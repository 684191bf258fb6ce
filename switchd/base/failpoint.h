/* SPDX-License-Identifier: MIT
 * failpoint.h - places where a test stops, kills or holds the process.
 *
 * Compiled to nothing unless -DSWITCHD_FAILPOINTS.  Two ways, both with exact names, any thread:
 *
 * SWITCHD_FP="name:action[,name:action...]", read once.  kill = SIGKILL, stop = SIGSTOP, exit = _exit(86), each
 * at every passage; "kill@3" only at the third.
 *
 * SWITCHD_FP_DIR=DIR: a point that finds the file DIR/NAME takes it once, whenever it is put there (by a
 * rename, so that it is whole): it becomes DIR/NAME.hit, which says that the point is reached, and the
 * action that it holds is done.  kill, stop, exit, or wait: stand still until the test removes the .hit,
 * so that it may act on another process at exactly this point; after 10 s, _exit(87).
 *
 * What cannot be read ends the process: a test must not pass because its fault was misspelt.
 * Every name in the source is in tests/scenarios/failpoints.sh; scripts/lint compares. */
#ifndef SWITCHD_BASE_FAILPOINT_H
#define SWITCHD_BASE_FAILPOINT_H

#ifdef SWITCHD_FAILPOINTS
void failpoint_hit(const char *name);
#define FAILPOINT(name) failpoint_hit(name)
#else
#define FAILPOINT(name) ((void)0)
#endif

#endif
