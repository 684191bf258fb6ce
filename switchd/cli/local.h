/* SPDX-License-Identifier: MIT
 * local.h - what the verbs that work with the daemon dead share (local*.c). */
#ifndef SWITCHD_CLI_LOCAL_H
#define SWITCHD_CLI_LOCAL_H

#include "switchd/cli/cli.h"
#include "switchd/core/config/config.h"

struct probe_runner;
struct ev_loop;

/* NULL: it has said why.  assertions: compile what only the probes can check. */
struct config *local_config(struct cli *, const char *path, bool assertions);
const char *local_config_path(const struct cli *);
/* The service named, or the only one; NULL said why. */
const struct service_config *local_service(struct cli *, const struct config *, const char *name);
/* Reads, here and now, the addresses of the service's slots that the config does not list (local_targets.c); before anything
 * is made of the service.  False: it has said which cannot be had; that slot has no targets. */
bool local_targets(struct cli *, struct config *, const struct service_config *, bool files_only);
/* Without a daemon a feature of only a path is compared with the first slot that answers it. */
void local_learn(struct ev_loop *, struct probe_runner *, const struct service_config *, enum slot);

/* local_prove.c: --prove without a daemon.  JSON: the caller's to print, a new reference. */
int local_prove(struct cli *, const struct config *, const struct service_config *, json_t **out);

/* local_story.c: a post-mortem from the archive's files alone; NULL: it has said why, and *ex is how to end. */
json_t *local_story(struct cli *, wall_ms from, wall_ms to, int *ex);

#endif
