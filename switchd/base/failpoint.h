/* SPDX-License-Identifier: MIT
 * failpoint.h - places where a test stops or kills the process.
 *
 * Compiled to nothing unless -DSWITCHD_FAILPOINTS.  SWITCHD_FP="name:action[,name:action...]" is
 * read once; a name must match exactly.  Actions: kill = SIGKILL, stop = SIGSTOP, exit = _exit(86),
 * each at every passage; "kill@3" only at the third.  A list that cannot be read ends the process
 * at the first failpoint: a test must not pass because its fault was misspelt.  Any thread. */
#ifndef SWITCHD_BASE_FAILPOINT_H
#define SWITCHD_BASE_FAILPOINT_H

#ifdef SWITCHD_FAILPOINTS
void failpoint_hit(const char *name);
#define FAILPOINT(name) failpoint_hit(name)
#else
#define FAILPOINT(name) ((void)0)
#endif

#endif
