/* SPDX-License-Identifier: MIT
 * agent.h - a switchd --role agent: the record of its services on the proxies of its host, and nothing else.
 *
 * It is told records (store/follow.h), judges them (core/agent.h), writes what it will do in its journal, does it
 * (proxy/keep.h), and says how far it is (store_report).  It decides nothing, probes nothing and needs no controller.
 *
 * It never goes back: not by a store that lost something, not by a replica that lags, not by a restart of its own.
 * What it knows after a start is its journal, and what its proxies show where that is higher.  While the store has not told it
 * a record since its start, it changes nothing.  There is one thing that it does without the store: a proxy
 * that was seen with the journalled value in this process, and then shows another one (a reload with an old file), is put
 * right, because the value is one that it had: this host's own, and no news.
 * Loop thread only. */
#ifndef SWITCHD_AGENT_AGENT_H
#define SWITCHD_AGENT_AGENT_H

#include "switchd/core/config/config.h"

struct ev_loop;
struct agent;

/* Takes the config (CONFIG_AGENT).  NULL when something it needs at start cannot be had: `error` says what. */
struct agent *agent_new(struct ev_loop *, struct config *, char *error, size_t error_size);
/* Clean stop: nothing new is begun, what is under way ends (3 s at most), then done().  agent_free afterwards. */
void agent_stop(struct agent *, void (*done)(void *arg), void *arg);
void agent_free(struct agent **);

/* All or nothing.  Takes the config when it returns true; on false the old one stands and why says what forbids it.
 * What the proxies of a service that is gone show stays as it is. */
MUSTCHECK bool agent_reload(struct agent *, struct config *, char *why, size_t why_size);
/* A reload that did not even load: in the metrics until the next good one. */
void agent_reload_failed(struct agent *, const char *why);

#endif
