/* SPDX-License-Identifier: MIT
 * fleet.h - the agents of a service as a controller knows them, and how many have converged.  Values only. */
#ifndef SWITCHD_CORE_FLEET_H
#define SWITCHD_CORE_FLEET_H

#include "switchd/core/model.h"

/* In the roster controllers stand among agents; their names begin so, and an agent's may not. */
#define FLEET_CONTROLLER "controller:"

enum { FLEET_CONDEMNED = 16, FLEET_WAITING = 32, FLEET_TOOK = 4096 };

/* So far ahead of us may an agent's version be: its generation (seconds; less than what agents allow theirs), its epoch. */
#define FLEET_AHEAD_S UINT64_C(240)
#define FLEET_AHEAD_EPOCHS (UINT64_C(1) << 32)

struct fleet_lag { id_text name; char why[200]; int64_t seen_ms; };     /* seen_ms -1: not told, or never */
struct fleet_count {
	int converged, all;
	int64_t p50_us, p99_us, most_us;        /* after the commit; -1 = not known */
	struct fleet_lag waiting[FLEET_WAITING]; size_t n_waiting;
	int64_t took[FLEET_TOOK]; size_t n_took;
};

#endif
