/* SPDX-License-Identifier: MIT
 * host.h - what this host lets others do to our files and sockets, and how much room it has: for `switchctl doctor`.
 *
 * Asks the file system and the kernel only, and changes nothing.  A disk that hangs would block: nothing here is called
 * by a beat, only when a person asks. */
#ifndef SWITCHD_PROXY_HOST_H
#define SWITCHD_PROXY_HOST_H

#include "switchd/core/config/config.h"

enum finding { FIND_OK, FIND_WARN, FIND_BAD, FIND_UNCHECKED, N_FINDINGS };
const char *finding_name(enum finding);         /* "ok" "warn" "bad" "not checked" */

/* One sentence that says what is so, and for a warning or worse what to do about it ("" = nothing). */
typedef void finding_fn(void *arg, const char *check, enum finding, const char *says, const char *fix);
void host_check(const struct config *, finding_fn *, void *arg);

#endif
