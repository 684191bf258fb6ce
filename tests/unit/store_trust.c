/* SPDX-License-Identifier: MIT
 * store_trust.c - what another hand wrote into the store: noticed by a look, never taken, written over by repair alone
 * (faults.md R13, R14). */
#include "tests/unit/support/one_redis.h"

struct seen { bool done; size_t n; char trouble[2][256], mark[2][64]; };

static void on_watched(void *arg, const struct store_looked *list, size_t n)
{
	struct seen *s = arg;

	s->done = true;
	s->n = n;
	for (size_t i = 0; i < n && i < 2; i++) {
		TEXT_COPY(s->trouble[i], list[i].trouble);
		TEXT_COPY(s->mark[i], list[i].mark);
	}
}

static struct seen look(struct hand *h)
{
	static const char *const names[] = { "shop", "blog" };
	struct seen s = { 0 };

	store_look(h->store, names, 2, on_watched, &s);
	assert_false(s.done);
	pump(s.done);
	assert_int_equal(s.n, 2);
	return s;
}

static enum store_result repair(struct hand *h, const char *rid, const struct record *good, bool dry, struct ask *k)
{
	struct event e = one_event("store.repaired");
	struct condemned_set *set = xcalloc(1, sizeof(*set));
	struct store_repair r = { .service = "shop", .rid = rid, .good = good, .floor = good->v, .condemned = set, .event = &e, .dry_run = dry };

	set->n = 1;
	TEXT_COPY(set->list[0].release, "r0");
	TEXT_COPY(set->list[0].by, "switchd");
	ask_new(k);
	store_repair(h->store, &r, on_done, k);
	assert_false(k->done);
	pump(k->done);
	free(set);
	return k->result;
}

static void a_mark_stands_still_until_something_changes(void **state)
{
	static const char *const hands[] = {
		"HSET switchd:{0}:s:shop green r9", "HSET switchd:{0}:s:shop doc {}", "HSET switchd:{0}:s:shop cid else", "HSET switchd:{0}:x:shop r7 {}",
		"HDEL switchd:{0}:x:shop r7", "DEL switchd:{0}:s:shop",
	};
	struct hand h;
	struct record rec;
	struct seen s, t;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	s = look(&h);
	assert_string_equal(s.trouble[0], "");
	assert_int_equal(strlen(s.mark[0]), 40);
	t = look(&h);
	assert_string_equal(s.mark[0], t.mark[0]);
	for (size_t i = 0; i < ARRAY_LEN(hands); i++) {
		redisReply *r = redisCommand(rig.c, hands[i]);

		freeReplyObject(r);
		s = look(&h);
		assert_string_equal(s.trouble[0], "");
		assert_string_not_equal(s.mark[0], t.mark[0]);
		t = s;
	}
	store_free(&h.store);
}

/* R13 and more: what stands is refused by load; one repair, and it is the last good record at a version above. */
static void each_bad_value_is_repaired(void **state)
{
	static const struct { const char *name, *field, *value, *key; } rows[] = {
		{ "purple", "active", "purple", "s:shop" },
		{ "epoch -1", "epoch", "-1", "s:shop" },
		{ "epoch 2^63", "epoch", "9223372036854775808", "s:shop" },
		{ "epoch 1e9", "epoch", "1e9", "s:shop" },
		{ "epoch NaN", "epoch", "NaN", "s:shop" },
		{ "epoch ahead", "epoch", "40", "s:shop" },
		{ "invalid UTF-8", "doc", "{\"cid\":\"\xff\xfe\"}", "s:shop" },
		{ "10 MiB", "doc", NULL, "s:shop" },
		{ "missing field", "doc", "", "s:shop" },
		{ "wrong type", NULL, NULL, "s:shop" },
		{ "public record of another type", NULL, NULL, "a:shop" },
		{ "condemned of another type", NULL, NULL, "x:shop" },
		{ "a condemned release that is none", "r5", "{\"release\":7}", "x:shop" },
	};
	struct hand h;
	struct ask k;
	struct record rec, next;
	char *big = xcalloc(1, 10 * 1024 * 1024 + 1);
	char rid[40];

	(void)state;
	memset(big, 'x', 10 * 1024 * 1024);
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "HSET switchd:{0}:x:shop r3 %s", "{\"release\":\"r3\",\"digest\":\"\",\"since\":1,\"by\":\"switchd\",\"why\":\"\"}");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		load(&h, &k);
		assert_int_equal(k.result, ST_OK);
		if (!rows[i].field) {
			redis(&rig, "DEL switchd:{0}:%s", rows[i].key);
			redis(&rig, "SADD switchd:{0}:%s poison", rows[i].key);
		} else if (rows[i].value && !rows[i].value[0]) {
			redis(&rig, "HDEL switchd:{0}:%s %s", rows[i].key, rows[i].field);
		} else {
			redis(&rig, "HSET switchd:{0}:%s %s %s", rows[i].key, rows[i].field, rows[i].value ? rows[i].value : big);
		}
		load(&h, &k);
		struct seen s = look(&h);

		if (k.result != ST_BAD_DATA && !s.trouble[0][0])
			fail_msg("%s: load says %s, the look nothing", rows[i].name, store_result_name(k.result));
		/* Looked at, and nothing written. */
		assert_int_equal(repair(&h, "rid-dry", &rec, true, &k), ST_OK);
		assert_true(version_cmp(k.record.v, rec.v) > 0);
		assert_string_equal(redis(&rig, "EXISTS switchd:{0}:q:rid-dry"), "0");
		TEXT_FORMAT(rid, "rid-repair-%zu", i);
		assert_int_equal(repair(&h, rid, &rec, false, &k), ST_OK);
		assert_non_null(strchr(k.stream_id, '-'));
		next = k.record;
		assert_true(version_cmp(next.v, rec.v) > 0 && next.rev > rec.rev && next.active == rec.active);
		load(&h, &k);
		if (k.result != ST_OK)
			fail_msg("%s: after the repair: %s (%s)", rows[i].name, store_result_name(k.result), k.detail);
		assert_memory_equal(&k.record, &next, sizeof(next));
		if (strcmp(rows[i].name, "epoch ahead") == 0)
			assert_true(next.v.epoch == 41);
		s = look(&h);
		assert_string_equal(s.trouble[0], "");
		assert_string_equal(redis(&rig, "HEXISTS switchd:{0}:x:shop r0"), "1");
		/* What could be read of the list stays; of another type it is what we know. */
		assert_string_equal(redis(&rig, "HEXISTS switchd:{0}:x:shop r5"), "0");
		rec = next;
		next = flipped(&rec);
		TEXT_FORMAT(rid, "rid-after-%zu", i);
		assert_int_equal(commit(&h, rid, MOVE_FORCE, &rec, &next, &k), ST_OK);
		rec = k.record;
	}
	free(big);
	store_free(&h.store);
}

static void a_valid_record_of_another_hand_keeps_its_condemned(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "HSET switchd:{0}:x:shop r3 %s", "{\"release\":\"r3\",\"digest\":\"\",\"since\":1,\"by\":\"switchd\",\"why\":\"\"}");
	redis(&rig, "HSET switchd:{0}:s:shop active purple");
	assert_int_equal(repair(&h, "rid-2", &rec, false, &k), ST_OK);
	load(&h, &k);
	assert_int_equal(k.n_condemned, 2);
	store_free(&h.store);
}

/* The public record alone: gone, or saying something else. */
static void a_public_record_that_says_something_else_is_seen(void **state)
{
	struct hand h;
	struct record rec, rec2;
	struct ask k;
	struct seen s;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "DEL switchd:{0}:a:shop");
	s = look(&h);
	assert_non_null(strstr(s.trouble[0], "gone"));
	assert_int_equal(repair(&h, "rid-2", &rec, false, &k), ST_OK);
	rec2 = k.record;
	s = look(&h);
	assert_string_equal(s.trouble[0], "");
	redis(&rig, "SET switchd:{0}:a:shop %s", "sw1 99 1 green r2 x 1 1 - -");
	s = look(&h);
	assert_non_null(strstr(s.trouble[0], "does not say"));
	assert_int_equal(repair(&h, "rid-3", &rec2, false, &k), ST_OK);
	s = look(&h);
	assert_string_equal(s.trouble[0], "");
	store_free(&h.store);
}

/* Agents and proxies may have followed a version of a later history: then a generation is declared above it. */
static void a_later_generation_that_was_seen_is_outdone(void **state)
{
	struct hand h;
	struct record rec;
	struct ask k;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "HSET switchd:{0}:s:shop gen %llu", (unsigned long long)rec.v.gen + 1000);
	assert_int_equal(repair(&h, "rid-2", &rec, false, &k), ST_OK);
	h.known[0] = true;
	h.truth[0] = k.record;
	pump_not(h.up);
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.result, ST_OK);
	assert_true(k.record.v.gen > rec.v.gen + 1000);
	assert_int_equal(k.record.active, BLUE);
	store_free(&h.store);
}

/* The last commit was heard by another controller alone: the one that repairs says that it is lost. */
static void a_repair_says_what_it_does_not_know(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	next = rec;
	assert_int_equal(commit(&h, "rid-2", MOVE_NOTE, &rec, &next, &k), ST_OK);
	redis(&rig, "HSET switchd:{0}:s:shop active purple");
	assert_int_equal(repair(&h, "rid-dry", &rec, true, &k), ST_OK);
	assert_non_null(strstr(k.detail, "it counts 1 commit more than"));
	assert_int_equal(repair(&h, "rid-3", &rec, false, &k), ST_OK);
	assert_non_null(strstr(k.detail, "it counts 1 commit more than"));
	rec = next = k.record;
	redis(&rig, "HSET switchd:{0}:s:shop active purple");
	assert_int_equal(repair(&h, "rid-4", &rec, false, &k), ST_OK);
	assert_string_equal(k.detail, "");
	/* Its number is what was spoilt: the document has it too. */
	next = k.record;
	assert_int_equal(commit(&h, "rid-5", MOVE_NOTE, &k.record, &next, &k), ST_OK);
	redis(&rig, "HSET switchd:{0}:s:shop rev NaN");
	assert_int_equal(repair(&h, "rid-6", &rec, false, &k), ST_OK);
	assert_non_null(strstr(k.detail, "it counts 2 commits more than"));
	store_free(&h.store);
}

static void a_repair_is_fenced_and_used_once(void **state)
{
	struct hand h;
	struct record rec;
	struct ask k;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "HSET switchd:{0}:s:shop active purple");
	assert_int_equal(repair(&h, "rid-first", &rec, false, &k), ST_REFUSED); /* that id was a commit */
	redis(&rig, "SET switchd:{0}:lease %s", "99 ctl-2");
	assert_int_equal(repair(&h, "rid-2", &rec, false, &k), ST_NOT_LEADER);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop active"), "purple");
	store_free(&h.store);
}

/* A reconcile leaves alone what the engine refused, also when it is a record like any other. */
static void what_was_refused_is_not_restamped(void **state)
{
	struct hand h;
	struct record rec;
	struct ask k;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	h.known[0] = h.leave = true;
	h.truth[0] = rec;
	redis(&rig, "REPLICAOF 127.0.0.1 1");
	redis(&rig, "REPLICAOF NO ONE");
	redis(&rig, "HINCRBY switchd:{0}:meta gen 5");
	store_reconcile(h.store, "a test");
	pump_not(h.up);
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.record.v.gen, rec.v.gen);
	assert_int_equal(k.record.rev, rec.rev);
	store_free(&h.store);
}

/* A demoted server, another history, another leader: what stands there then says nothing of another hand. */
static void a_look_is_at_our_own_history_only(void **state)
{
	static const char *const shop[] = { "shop" };
	struct hand h;
	struct record rec;
	struct seen s = { 0 };

	(void)state;
	hand_with_record(&h, &rig, &rec);
	h.known[0] = true;
	h.truth[0] = rec;
	redis(&rig, "REPLICAOF 127.0.0.1 1");
	store_look(h.store, shop, 1, on_watched, &s);
	pump_not(h.up);
	redis(&rig, "REPLICAOF NO ONE");
	pump(h.up);
	redis(&rig, "HSET switchd:{0}:meta lin 0000000000000000000000000000000000000000");
	store_look(h.store, shop, 1, on_watched, &s);
	pump_not(h.up);
	pump(h.up);
	redis(&rig, "SET switchd:{0}:lease %s PX 2000", "99 ctl-2");
	store_look(h.store, shop, 1, on_watched, &s);
	pump_not(h.up);
	assert_false(s.done);
	pump(h.up);
	store_look(h.store, shop, 1, on_watched, &s);
	pump(s.done);
	assert_string_equal(s.trouble[0], "");
	store_free(&h.store);
}

/* meta is of all services: what is wrong with it stops all, says so, and ends when it is gone. */
static void a_meta_that_is_none_stops_all_and_is_declared_anew(void **state)
{
	struct hand h;
	struct record rec;
	struct ask k;
	uint64_t gen;

	(void)state;
	for (int i = 0; i < 2; i++) {
		hand_with_record(&h, &rig, &rec);
		gen = rec.v.gen;
		h.known[0] = true;
		h.truth[0] = rec;
		if (i)
			redis(&rig, "DEL switchd:{0}:meta"), redis(&rig, "SADD switchd:{0}:meta poison");
		else
			redis(&rig, "HSET switchd:{0}:meta gen 1e9");
		pump_not(h.up);
		assert_true(strstr(store_why_down(h.store), "meta") || strstr(store_why_down(h.store), "lease"));
		assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "1");
		redis(&rig, "DEL switchd:{0}:meta");
		pump(h.up);
		load(&h, &k);
		assert_int_equal(k.result, ST_OK);
		assert_true(k.record.v.gen > gen);
		assert_int_equal(k.record.active, BLUE);
		store_free(&h.store);
		redis(&rig, "FLUSHALL");
	}
}

/* ---- an older schema ---- */

struct up { bool done; struct store_upgraded said; };

static void on_upgraded(void *arg, const struct store_upgraded *u)
{
	struct up *up = arg;

	assert_false(up->done);
	up->said = *u;
	up->done = true;
}

static struct store_upgraded upgrade(struct hand *h, bool dry)
{
	struct event e = one_event("store.upgraded");
	struct up up = { 0 };

	e.service[0] = '\0';
	store_upgrade(h->store, &e, dry, on_upgraded, &up);
	assert_false(up.done);
	pump(up.done);
	return up.said;
}

/* A store of schema 1 is written as one, until a person says upgrade: then what stands is rewritten at the same version. */
static void an_older_schema_is_kept_until_upgrade(void **state)
{
	struct hand h;
	struct record rec, next;
	struct ask k;
	struct store_upgraded u;
	char old[300];

	(void)state;
	hand_with_record(&h, &rig, &rec);
	assert_int_equal(store_schema(h.store), 2);
	redis(&rig, "HSET switchd:{0}:meta v 1");
	until(store_schema(h.store) == 1);
	next = flipped(&rec);
	record_done(&next, "out-of-a-journal"); /* the version before this one would refuse a record with that */
	next.shield = true;
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	rec = k.record;
	TEXT_COPY(old, redis(&rig, "GET switchd:{0}:a:shop"));
	assert_true(text_starts(old, "sw1 "));
	u = upgrade(&h, true);
	assert_int_equal(u.result, ST_OK);
	assert_int_equal(u.from, 1);
	assert_int_equal(u.rewritten, 1);
	assert_string_equal(redis(&rig, "GET switchd:{0}:a:shop"), old);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:meta v"), "1");
	u = upgrade(&h, false);
	assert_int_equal(u.result, ST_OK);
	assert_int_equal(u.from, 1);
	assert_int_equal(u.rewritten, 1);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:meta v"), "2");
	assert_null(strstr(redis(&rig, "HGET switchd:{0}:s:shop doc"), "requests"));
	TEXT_COPY(old, redis(&rig, "GET switchd:{0}:a:shop"));
	assert_true(text_starts(old, "sw2 "));
	assert_non_null(strstr(old, " green shield r2 rid-2 "));
	struct seen s = look(&h);

	assert_string_equal(s.trouble[0], "");
	u = upgrade(&h, false);
	assert_int_equal(u.from, 2);
	assert_int_equal(u.rewritten, 0);
	assert_string_equal(redis(&rig, "GET switchd:{0}:a:shop"), old);
	/* Stopped in the middle: the next one ends it. */
	redis(&rig, "SET switchd:{0}:a:shop %s", "sw1 1 2 green r2 rid-2 3 4 - -");
	assert_int_equal(upgrade(&h, false).rewritten, 0); /* of another generation: not ours to rewrite */
	redis(&rig, "SET switchd:{0}:a:shop %s", "sw1 is none"); /* nor what is none */
	assert_int_equal(upgrade(&h, false).rewritten, 0);
	redis(&rig, "SET switchd:{0}:a:shop %s", old);
	until(store_schema(h.store) == 2);
	next = flipped(&rec);
	record_done(&next, "out-of-a-journal");
	assert_int_equal(commit(&h, "rid-3", MOVE_BACK, &rec, &next, &k), ST_OK);
	assert_non_null(strstr(redis(&rig, "HGET switchd:{0}:s:shop doc"), "\"requests\":[\"out-of-a-journal\"]"));
	redis(&rig, "HSET switchd:{0}:meta v 3");
	u = upgrade(&h, false);
	assert_int_equal(u.result, ST_REFUSED);
	store_free(&h.store);
}

/* ---- the stream of events ---- */

static void commit_notes(struct hand *h, struct record *rec, int n, char last[44])
{
	static int made;
	char rid[40];
	struct ask k;

	for (int i = 0; i < n; i++) {
		TEXT_FORMAT(rid, "rid-note-%d", ++made);
		assert_int_equal(commit(h, rid, MOVE_NOTE, rec, rec, &k), ST_OK);
		*rec = k.record;
	}
	text_copy(last, 44, k.stream_id);
}

static long in_stream(void) { return atol(redis(&rig, "XLEN switchd:{0}:ev")); }

/* Exported: trimmed to the ordinary bound.  Not exported: kept, up to the hard bound. */
static void what_is_not_exported_is_not_trimmed(void **state)
{
	struct hand h;
	struct record rec;
	char last[44], first[44];

	(void)state;
	redis(&rig, "CONFIG SET stream-node-max-entries 1"); /* "~" trims whole nodes */
	hand_with_record(&h, &rig, &rec);
	store_keep_events(h.store, 10);
	assert_int_equal(store_backlog_most(h.store), 40);
	commit_notes(&h, &rec, 20, last);
	assert_true(in_stream() >= 20); /* nobody said yet how far the export is */
	store_exported(h.store, last);
	assert_int_equal(store_backlog(h.store), 0);
	commit_notes(&h, &rec, 1, first);
	assert_int_equal(in_stream(), 10);
	commit_notes(&h, &rec, 24, last);
	assert_int_equal(store_backlog(h.store), 25);
	assert_int_equal(in_stream(), 25);
	assert_string_equal(redis(&rig, "XRANGE switchd:{0}:ev %s %s", first, first), "1");
	commit_notes(&h, &rec, 30, last);
	assert_int_equal(store_backlog(h.store), 55);
	assert_int_equal(in_stream(), 40);
	assert_string_equal(redis(&rig, "XRANGE switchd:{0}:ev %s %s", first, first), "0");
	store_exported(h.store, last);
	commit_notes(&h, &rec, 1, last);
	assert_int_equal(in_stream(), 10);
	/* Of another generation: it is not known how many they are. */
	store_exported(h.store, "7-1");
	commit_notes(&h, &rec, 35, last);
	assert_int_equal(in_stream(), 40);
	store_free(&h.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_mark_stands_still_until_something_changes),
		T(each_bad_value_is_repaired),
		T(a_valid_record_of_another_hand_keeps_its_condemned),
		T(a_public_record_that_says_something_else_is_seen),
		T(a_later_generation_that_was_seen_is_outdone),
		T(a_repair_says_what_it_does_not_know),
		T(a_repair_is_fenced_and_used_once),
		T(what_was_refused_is_not_restamped),
		T(a_look_is_at_our_own_history_only),
		T(a_meta_that_is_none_stops_all_and_is_declared_anew),
		T(an_older_schema_is_kept_until_upgrade),
		T(what_is_not_exported_is_not_trimmed),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
