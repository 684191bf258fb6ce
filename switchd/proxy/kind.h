/* SPDX-License-Identifier: MIT
 * kind.h - what a kind of proxy brings: one file, one row of proxy.c's table.
 *
 * proxy.c keeps the line of calls and the promises of proxy.h about done(); an adapter is
 * given one call at a time and ends it with proxy_call_ended(), from inside start() or later.
 * After proxy_call_ended() an adapter touches nothing of its own: the owner may have freed it. */
#ifndef SWITCHD_PROXY_KIND_H
#define SWITCHD_PROXY_KIND_H

#include "switchd/proxy/proxy.h"

enum proxy_verb { PV_APPLY, PV_READ_BACK, PV_PREFLIGHT, PV_SHIELD, PV_CUT, PV_PATHS, PV_COUNT };

struct proxy_call {
	enum proxy_verb verb;
	struct proxy_value value;       /* apply */
	enum proxy_order order;
	bool over_file;                 /* a pin in its file is one that was ended */
	bool over_pin;
	enum slot slot;                 /* preflight: to; shield: the active one; cut: the one left; count */
	union {
		proxy_done_fn *done;
		proxy_ready_fn *ready;
		proxy_shield_fn *shield;
		proxy_drain_fn *drain;
		proxy_count_fn *count;
	} fn;
	void *arg;
	struct proxy_call *next;
};

/* How a call ended: the part its verb asks for is filled. */
struct proxy_end {
	struct proxy_answer answer;
	int servers_up, servers_all;
	bool known;
	uint64_t caught, missed, sessions;
	struct proxy_counts counts;
};

struct proxy_kind {
	const char *type;
	bool can_stamp;
	void *(*open)(struct ev_loop *, const struct service_config *, const struct proxy_config *, struct proxy *);
	void (*close)(void *);                                  /* ends nothing, frees all */
	void (*start)(void *, const struct proxy_call *);
	/* A rollback waits behind the call under way: end it if nothing was written at runtime yet and it only waits for a disk. */
	void (*give_way)(void *);
	bool (*snippet)(const struct service_config *, const struct proxy_config *, const char *bind, struct buf *);
	bool (*init_files)(const struct service_config *, const struct proxy_config *, struct buf *said);
	bool (*write_paths)(const struct service_config *, const struct proxy_config *, struct buf *said);
	void (*raw_command)(const struct service_config *, const struct proxy_config *, const struct proxy_value *, struct buf *);
};

void proxy_call_ended(struct proxy *, const struct proxy_end *);
/* The gate (proxy_set_gate), for the last look before a write. */
bool proxy_may_write(const struct proxy *);

/* What open() gave, of a proxy of that kind. */
void *proxy_impl(struct proxy *, const struct proxy_kind *);

extern const struct proxy_kind haproxy_kind, agent_kind;

#endif
