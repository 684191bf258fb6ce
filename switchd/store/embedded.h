/* SPDX-License-Identifier: MIT
 * embedded.h - a private redis-server in the state directory, supervised.
 *
 * Unix socket only, append-only with fsync on every commit (D10), no replica.  The child gets
 * PR_SET_PDEATHSIG and inherits a locked file of the state directory: two servers on one
 * directory would both append to one file, so a new switchd waits for that lock.  Restarted
 * with backoff when it dies; never an orphan; stopped with switchd. */
#ifndef SWITCHD_STORE_EMBEDDED_H
#define SWITCHD_STORE_EMBEDDED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "switchd/base/must.h"

struct ev_loop;
struct embedded;

/* On the main thread and ev_default_loop only (libev's child watchers).  Blocks at most 10 s, for the lock
 * of a server that is still ending.  NULL when it cannot be started at all (no binary, directory not
 * writable, another switchd): error says why.  Returns before the server answers. */
struct embedded *embedded_start(struct ev_loop *, const char *state_dir, const char *redis_server, char *error, size_t error_size);
void embedded_stop(struct embedded **);         /* SIGTERM, waits up to 5 s, SIGKILL; blocking: only when the daemon ends */
const char *embedded_socket(const struct embedded *);
pid_t embedded_pid(const struct embedded *);    /* 0 between restarts */
/* Where the server of a state directory listens; false when that is too long for a unix socket. */
MUSTCHECK bool embedded_socket_path(const char *state_dir, char *out, size_t size);
/* For status: why it is not running, "" while it is. */
const char *embedded_why_down(const struct embedded *);

#endif
