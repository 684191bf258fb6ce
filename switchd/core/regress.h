/* SPDX-License-Identifier: MIT
 * regress.h - a record whose store lost commits, and what the data plane knows better. */
#ifndef SWITCHD_CORE_REGRESS_H
#define SWITCHD_CORE_REGRESS_H

#include "switchd/core/model.h"

/* Traffic is at that slot by a commit that the record does not have.  The record follows: what was under way in it ends, and
 * the slot that it thought active is no rollback target, since nobody knows any more why it was left.  Version, rev and
 * cid are the caller's. */
void record_follow(struct record *, enum slot to, wall_ms at, const char *reason);

#endif
