/* SPDX-License-Identifier: MIT
 * store_rig.h - a real redis-server on a unix socket, a store on the default loop, and hands in between.
 * For tests/unit/store*.c, which include it once each. */
#ifndef TESTS_UNIT_STORE_RIG_H
#define TESTS_UNIT_STORE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netdb.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switchd/base/log.h"
#include "switchd/store/store.h"
#include "tests/unit/support/redis_rig.h"

/* ---- a store ---- */

struct ask {            /* one outstanding call */
	bool done;
	enum store_result result;
	bool dup, none, has_record;
	char detail[256], stream_id[44];
	struct record record;
	size_t n_condemned;
	char condemned[ID_MAX_LEN + 1];
	char *text;
	int64_t committed_us;
};

struct hand {
	struct config cfg;
	struct service_config services[2];
	struct store *store;
	bool up;
	int ups;
	char why[256];
	/* what the engine would know */
	bool known[2], not_yet, leave;
	int asked, deaf_from, deaf_to;  /* not yet, either, from that question up to that one */
	struct record truth[2];
	struct version floor;
	struct condemned_set *condemned;
};

static inline void on_up(void *arg, bool up, const char *why)
{
	struct hand *h = arg;

	h->up = up;
	h->ups += up;
	TEXT_COPY(h->why, why);
}

static inline bool on_truth(void *arg, const char *service, store_truth *out)
{
	struct hand *h = arg;
	size_t i = strcmp(service, "shop") == 0 ? 0 : 1;

	out->service = service;
	out->known = h->known[i];
	out->record = h->truth[i];
	out->floor = h->floor;
	out->condemned = h->condemned;
	out->leave = h->leave;
	h->asked++;
	return !h->not_yet && (h->asked < h->deaf_from || h->asked >= h->deaf_to);
}

static inline void hand_new(struct hand *h, const char *sock, const char *owner, int64_t ttl_ms)
{
	*h = (struct hand){ 0 };
	h->services[0].name = "shop";
	h->services[1].name = "blog";
	h->cfg.redis = (struct redis_config){ .unix_path = sock, .host = "", .user = "", .password_file = "", .prefix = "switchd:" };
	h->cfg.state_dir = "/nonexistent";
	h->cfg.lease_ttl_ms = ttl_ms;
	h->cfg.services = h->services;
	h->cfg.n_services = 2;
	h->store = store_new(EV_DEFAULT, &h->cfg, owner, on_up, h);
	store_set_truth(h->store, on_truth, h);
}

static inline void on_done(void *arg, const struct store_answer *a)
{
	struct ask *k = arg;

	assert_false(k->done);
	k->done = true;
	k->result = a->result;
	k->dup = a->dup;
	k->none = a->none;
	TEXT_COPY(k->detail, a->detail);
	TEXT_COPY(k->stream_id, a->stream_id);
	k->committed_us = a->committed_us;
	k->has_record = a->record != NULL;
	if (a->record)
		k->record = *a->record;
	if (a->condemned && a->condemned->n) {
		k->n_condemned = a->condemned->n;
		TEXT_COPY(k->condemned, a->condemned->list[0].release);
	}
}

static inline void ask_new(struct ask *k) { memset(k, 0, sizeof(*k)); }

static inline void load(struct hand *h, struct ask *k)
{
	ask_new(k);
	store_load(h->store, "shop", on_done, k);
	assert_false(k->done);
	pump(k->done);
}

static inline struct event one_event(const char *kind)
{
	struct event e = { .because = "a test wants it", .from = BLUE, .to = GREEN };

	TEXT_COPY(e.kind, kind);
	TEXT_COPY(e.service, "shop");
	TEXT_COPY(e.by, "test");
	e.at = wall_now();
	return e;
}

static inline struct commit a_commit(const char *rid, enum move_mode mode, const struct record *was, const struct record *next, struct event *e)
{
	*e = one_event("flip.decided");
	return (struct commit){ .service = "shop", .rid = rid, .mode = mode, .expect_v = was->v, .expect_rev = was->rev,
				.next = next, .events = e, .n_events = 1 };
}

static inline void send_commit(struct hand *h, const struct commit *c, struct ask *k)
{
	ask_new(k);
	store_commit(h->store, c, on_done, k);
	assert_false(k->done);
}

static inline enum store_result commit(struct hand *h, const char *rid, enum move_mode mode, const struct record *was, const struct record *next,
				struct ask *k)
{
	struct event e;
	struct commit c = a_commit(rid, mode, was, next, &e);

	send_commit(h, &c, k);
	pump(k->done);
	return k->result;
}

/* A plausible record: active blue r1, idle green r2. */
static inline struct record first_record(void)
{
	struct record r = { .active = BLUE, .phase = PH_STEADY, .v = { 0, 1 } };

	r.move.from = r.move.to = NO_SLOT;
	r.claim.slot = r.deploy.slot = r.pin.slot = NO_SLOT;
	r.move.acked_us = r.move.observed_us = -1;
	for (int i = 0; i < 2; i++) {
		TEXT_FORMAT(r.slot[i].id, "r%d", i + 1);
		TEXT_FORMAT(r.slot[i].digest, "sha256:%d", i + 1);
		r.slot[i].state = RS_GOOD;
	}
	return r;
}

/* The other slot, one epoch on. */
static inline struct record flipped(const struct record *r)
{
	struct record next = *r;

	next.active = other_slot(r->active);
	next.v.epoch++;
	return next;
}

/* Up, with a first record committed into *rec. */
static inline void hand_with_record(struct hand *h, struct rig *r, struct record *rec)
{
	struct record none = { 0 }, first = first_record();
	struct ask k;

	hand_new(h, r->sock, "ctl-1", 6000);
	pump(h->up);
	assert_int_equal(commit(h, "rid-first", MOVE_NOTE, &none, &first, &k), ST_OK);
	*rec = k.record;
}

#endif
