/* SPDX-License-Identifier: MIT
 * roster.h - who reports to the store: agents with what their proxies show, and controllers.  Loop thread only.
 *
 * Kept in memory by every controller: read once a connection, then heard with each report.  Untrusted: names, numbers
 * and sizes are checked here, what the JSON of a service says is checked by whoever reads it. */
#ifndef SWITCHD_STORE_ROSTER_H
#define SWITCHD_STORE_ROSTER_H

#include "switchd/store/store.h"

enum {
	ROSTER_AGENTS = 20000,          /* as report.lua */
	ROSTER_KEEPS_MS = 86400 * 1000, /* who did not report for so long is expected no more */
};

struct agent_service {
	name_text service;
	int64_t us;                             /* the stamp of this word, on the clock of Redis */
	mono_us heard;                          /* by ourselves, on ours; 0 = read */
	bool there;                             /* in the reading under way */
	char *json;
};
struct agent_seen {
	id_text name;
	bool there; mono_us spoke;              /* in the reading under way; when it was last heard by ourselves, 0 = never */
	struct version v; uint64_t seq;         /* the newest record that it was told */
	int64_t us;                             /* its last word, on the clock of Redis */
	mono_us heard;                          /* the same on ours */
	char status[17], digest[33], version[33], detail[513];
	struct agent_service *services; size_t n_services;      /* by name */
	uint64_t first;                         /* how often it began anew since we listen */
};

size_t store_agents(const struct store *);
const struct agent_seen *store_agent(const struct store *, size_t i);  /* BORROWED until the loop turns; by name */
const struct agent_seen *store_agent_named(const struct store *, const char *name);    /* NULL: unknown */
const struct agent_service *agent_service(const struct agent_seen *, const char *service);     /* NULL: it has it not */
/* False while the roster was not read on this connection yet: who is not in it may be there all the same. */
bool store_agents_known(const struct store *);
/* An agent spoke (NULL: many did, look at all). */
typedef void store_agent_fn(void *arg, const struct agent_seen *);
void store_watch_agents(struct store *, store_agent_fn *, void *arg);
/* It is not expected any more, until it reports again.  Leaders only; done hears whether it was known. */
void store_forget_agent(struct store *, const char *name, void (*done)(void *arg), void *arg);

#endif
