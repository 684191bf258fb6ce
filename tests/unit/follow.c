/* SPDX-License-Identifier: MIT
 * follow.c - an agent's side of the store and a controller's side of its reports, on a real redis-server. */
#include "tests/unit/support/one_redis.h"

#include "switchd/store/follow.h"
#include "switchd/store/roster.h"

struct agent {
	struct config cfg;
	struct service_config services[2];
	struct store *store;
	bool up;
	int told;               /* records, all in all */
	struct shown last;
	bool reported, report_ok;
	int64_t report_us;
};

static void agent_up(void *arg, bool up, const char *why)
{
	(void)why;
	((struct agent *)arg)->up = up;
}

static void agent_told(void *arg, const struct shown *s)
{
	struct agent *a = arg;

	a->told++;
	a->last = *s;
}

static void agent_reported(void *arg, bool ok, int64_t us)
{
	struct agent *a = arg;

	a->reported = true;
	a->report_ok = ok;
	a->report_us = us;
}

static void agent_new(struct agent *a, const char *sock, const char *name)
{
	*a = (struct agent){ .cfg = { .lease_ttl_ms = 5000, .redis = { .unix_path = sock, .host = "", .user = "", .password_file = "", .prefix = "switchd:" } } };
	a->services[0].name = "shop";
	a->services[1].name = "blog";
	a->cfg.services = a->services;
	a->cfg.n_services = 2;
	a->store = store_follow(EV_DEFAULT, &a->cfg, name, agent_up, agent_told, a);
}

static void report(struct agent *a, const char *json, bool first)
{
	struct report_service s = { "shop", json };
	struct report r = { .v = { 17, 0 }, .seq = 3, .status = "ok", .digest = "d1", .detail = "all\nwell", .first = first, .services = &s, .n_services = 1 };

	a->reported = false;
	store_report(a->store, &r, agent_reported, a);
	assert_false(a->reported);
	until(a->reported);
}

static void an_empty_store_tells_nothing(void **state)
{
	struct agent a;

	(void)state;
	agent_new(&a, rig.sock, "lb1");
	pump(a.up);
	assert_int_equal(a.told, 0);
	assert_string_equal(redis(&rig, "DBSIZE"), "0"); /* and it writes nothing */
	store_free(&a.store);
}

static void what_is_there_is_told_and_then_each_push(void **state)
{
	struct hand h;
	struct agent a;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	agent_new(&a, rig.sock, "lb1");
	pump(a.up);
	assert_int_equal(a.told, 1);
	assert_string_equal(a.last.service, "shop");
	assert_int_equal(a.last.value.slot, BLUE);
	assert_int_equal(version_cmp(a.last.value.v, rec.v), 0);
	next = flipped(&rec);
	next.shield = true;
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	until(a.told >= 2);
	assert_int_equal(a.last.value.slot, GREEN);
	assert_true(a.last.value.shield);
	assert_int_equal(a.last.mode, MOVE_FORWARD);
	assert_string_equal(a.last.cid, "rid-2");
	assert_int_equal(a.last.us, k.committed_us);
	store_free(&a.store);
	store_free(&h.store);
}

/* Its record changed and nobody published it: the heartbeat of the leader says where the pushes are. */
static void a_push_that_was_missed_is_found_by_the_heartbeat(void **state)
{
	struct hand h;
	struct agent a;
	struct record rec;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	store_free(&h.store);
	agent_new(&a, rig.sock, "lb1");
	pump(a.up);
	redis(&rig, "SET switchd:{0}:a:shop %s", "sw2 99999999999 1 green plain r2 rid-9 7 1 force - -");
	redis(&rig, "HSET switchd:{0}:meta top 7");
	assert_int_equal(a.told, 1);
	redis(&rig, "PUBLISH switchd:{0}:ev %s", "hb 1 7 1");
	until(a.told >= 2);
	assert_int_equal(a.last.value.v.gen, 99999999999);
	store_free(&a.store);
}

static void a_line_that_is_none_is_not_told(void **state)
{
	struct hand h;
	struct agent a;
	struct record rec, next;
	struct ask k;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "SET switchd:{0}:a:blog %s", "sw2 17 4 purple plain r2 rid-9 7 1 force - -");
	agent_new(&a, rig.sock, "lb1");
	pump(a.up);
	assert_int_equal(a.told, 1);
	redis(&rig, "PUBLISH switchd:{0}:ev %s", "push blog sw2 17 4 purple plain r2 rid-9 7 1 force - -");
	redis(&rig, "PUBLISH switchd:{0}:ev %s", "push other sw2 17 4 green plain r2 rid-9 7 1 force - -"); /* not one of ours */
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	until(a.told >= 2);
	assert_int_equal(a.told, 2);
	assert_string_equal(a.last.service, "shop");
	store_free(&a.store);
	store_free(&h.store);
}

/* A store of the schema before: its line does not tell the shield, the record does. */
static void of_schema_1_the_shield_is_read_beside_the_line(void **state)
{
	struct hand h;
	struct agent a;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "HSET switchd:{0}:meta v 1");
	next = flipped(&rec);
	next.shield = true;
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	assert_true(text_starts(redis(&rig, "GET switchd:{0}:a:shop"), "sw1 "));
	agent_new(&a, rig.sock, "lb1");
	pump(a.up);
	assert_int_equal(a.told, 1);
	assert_true(a.last.value.shield);
	assert_int_equal(a.last.value.slot, GREEN);
	rec = k.record;
	next = flipped(&rec);
	next.shield = false;
	assert_int_equal(commit(&h, "rid-3", MOVE_BACK, &rec, &next, &k), ST_OK);
	until(a.told >= 2);
	assert_false(a.last.value.shield);
	assert_int_equal(a.last.value.slot, BLUE);
	/* Of a later schema nothing is known, and nothing written. */
	redis(&rig, "HSET switchd:{0}:meta v 3");
	rec = k.record;
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-4", MOVE_FORWARD, &rec, &next, &k), ST_REFUSED);
	store_free(&a.store);
	store_free(&h.store);
}

static const struct agent_seen *said_by;
static int heard_n;

static void heard(void *arg, const struct agent_seen *a)
{
	(void)arg;
	said_by = a;
	heard_n++;
}

static void a_report_reaches_who_leads_and_is_remembered(void **state)
{
	struct hand h;
	struct agent a;
	struct record rec;
	const struct agent_seen *seen;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	store_watch_agents(h.store, heard, NULL);
	until(store_agents_known(h.store));
	agent_new(&a, rig.sock, "lb1");
	pump(a.up);
	report(&a, "{\"state\":\"ok\"}", true);
	assert_true(a.report_ok);
	assert_true(a.report_us > 0);
	until((seen = store_agent_named(h.store, "lb1")) != NULL);
	assert_int_equal(seen->us, a.report_us);
	assert_string_equal(seen->status, "ok");
	assert_string_equal(seen->digest, "d1");
	assert_string_equal(seen->detail, "all?well");
	assert_string_equal(agent_service(seen, "shop")->json, "{\"state\":\"ok\"}");
	struct ask k;

	load(&h, &k); /* a report is no commit */
	assert_int_equal(k.record.rev, rec.rev);
	/* What did not change is not said again; what is gone is. */
	report(&a, "", false);
	until(!agent_service(store_agent_named(h.store, "lb1"), "shop"));
	report(&a, "{\"state\":\"behind\"}", false);
	store_free(&h.store);
	/* Who comes later reads it. */
	hand_new(&h, rig.sock, "ctl-1", 6000);
	until(store_agents_known(h.store));
	seen = store_agent_named(h.store, "lb1");
	assert_non_null(seen);
	assert_string_equal(agent_service(seen, "shop")->json, "{\"state\":\"behind\"}");
	assert_true(mono_since_ms(mono_now(), seen->heard) < 60000);
	store_free(&a.store);
	store_free(&h.store);
}

static void done(void *arg) { *(bool *)arg = true; }

static void who_is_forgotten_is_gone_until_it_reports(void **state)
{
	struct hand h;
	struct agent a;
	struct record rec;
	bool forgotten = false;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	until(store_agents_known(h.store));
	agent_new(&a, rig.sock, "lb1");
	pump(a.up);
	report(&a, "{}", true);
	until(store_agent_named(h.store, "lb1"));
	store_forget_agent(h.store, "lb1", done, &forgotten);
	pump(forgotten);
	assert_null(store_agent_named(h.store, "lb1"));
	assert_string_equal(redis(&rig, "HLEN switchd:{0}:g"), "0");
	assert_string_equal(redis(&rig, "EXISTS switchd:{0}:ga:lb1"), "0");
	report(&a, "{}", false);
	until(store_agent_named(h.store, "lb1"));
	store_free(&a.store);
	store_free(&h.store);
}

/* Whoever can publish can say anything: what is no report changes nothing. */
static void what_is_no_report_is_not_heard(void **state)
{
	static const char *const bad[] = {
		"", "ak1", "ak1 ", "ak1 lb9", "ak1 lb9 1", "ak1 lb9 1 17", "ak1 lb9 1 x 3 4 ok d v -", "ak1 l\xff 1 17 3 4 ok d v -",
		"ak1 lb9 1 17 3 99999999999999999999 ok d v -", "ak2 lb9 1 17 3 4 ok d v -", "ak1 lb9 1 17 3 4 not/ok d v -",
	};
	struct hand h;
	struct record rec;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	until(store_agents_known(h.store));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		redis(&rig, "PUBLISH switchd:{0}:ak %s", bad[i]);
	redis(&rig, "PUBLISH switchd:{0}:ak %s", "ak1 last 1 17 3 4 ok d v -");
	until(store_agent_named(h.store, "last"));
	assert_int_equal(store_agents(h.store), 1);
	store_free(&h.store);
}

static void a_generation_of_the_future_is_not_taken(void **state)
{
	struct agent a;
	struct report r = { .v = { UINT64_C(99999999999), 1 }, .status = "ok", .digest = "", .detail = "" };

	(void)state;
	agent_new(&a, rig.sock, "lb1");
	pump(a.up);
	store_report(a.store, &r, agent_reported, &a);
	pump(a.reported);
	assert_false(a.report_ok);
	assert_string_equal(redis(&rig, "HLEN switchd:{0}:g"), "0");
	store_free(&a.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_empty_store_tells_nothing),
		T(what_is_there_is_told_and_then_each_push),
		T(a_push_that_was_missed_is_found_by_the_heartbeat),
		T(a_line_that_is_none_is_not_told),
		T(of_schema_1_the_shield_is_read_beside_the_line),
		T(a_report_reaches_who_leads_and_is_remembered),
		T(who_is_forgotten_is_gone_until_it_reports),
		T(what_is_no_report_is_not_heard),
		T(a_generation_of_the_future_is_not_taken),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
