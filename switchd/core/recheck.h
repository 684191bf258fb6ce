/* SPDX-License-Identifier: MIT
 * recheck.h - late breakage: when the whole suite runs again after a bake, and what broke since (pure).
 *
 * A release that baked is asked again at the times of `recheck`, and both slots before each claim.  A time that passed while
 * nobody was here is made up for once, however many passed. */
#ifndef SWITCHD_CORE_RECHECK_H
#define SWITCHD_CORE_RECHECK_H

#include "switchd/core/story/ledger.h"

/* The release that is due, or NULL; *done is how many of its times are over with this run. */
struct ledger_release *recheck_due(const struct ledger *, const struct service_config *, wall_ms now, int *done);
/* The next moment at which one is due; 0 = none. */
wall_ms recheck_next(const struct ledger *, const struct service_config *);

struct broken { const struct ledger_release *release; struct ledger_fact *fact; };
/* Facts of the releases in the slots that say absent, were present before on the same release, and were not told yet. */
size_t recheck_broken(const struct ledger *, const struct service_config *, struct broken out[2 * MAX_FEATURES]);

/* "expenses on green (r1): present until T, absent since T; ..." as much as fits. */
void recheck_text(const struct broken *, size_t n, enum slot active, char *out, size_t size);
json_t *recheck_json(const struct broken *, size_t n, enum slot active);

#endif
