/* SPDX-License-Identifier: MIT
 * store_others.c - a store that others use too: another controller, replicas, agents whose reports are heard, a user with
 * fewer rights. */
#include "tests/unit/support/one_redis.h"

#include "switchd/store/follow.h"
#include "switchd/store/roster.h"

/* ---- histories ---- */

/* A connection that says it is a replica: the server counts it as one. */
static redisContext *replica(void)
{
	redisContext *c = redisConnectUnix(rig.sock);
	int done = 0;

	assert_true(c && !c->err);
	redisAppendCommand(c, "SYNC");
	while (!done)
		assert_int_equal(redisBufferWrite(c, &done), REDIS_OK);
	return c;
}

/* Promoted, a replica has none itself, and the old primary may go on: the same generation again could give one version to
 * two commits, however well journal and store agree. */
static void a_server_that_had_a_replica_declares_a_generation(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redisContext *c = replica();

	until(strcmp(redis(&rig, "HGET switchd:{0}:meta replicated"), "1") == 0);
	pump(h.up);
	redisFree(c);
	store_free(&h.store);
	redis(&rig, "DEL switchd:{0}:lease");
	redis(&rig, "REPLICAOF 127.0.0.1 1");
	redis(&rig, "REPLICAOF NO ONE");
	hand_new(&h, rig.sock, "ctl-2", 6000);
	load(&h, &k);
	rec = k.record;
	h.known[0] = true;
	h.truth[0] = rec;       /* it followed: its journal says what the store says */
	pump(h.up);
	load(&h, &k);
	assert_true(k.record.v.gen > rec.v.gen);
	store_free(&h.store);
}

/* Known when it was surveyed, not known any more when it was to be stamped (agents are waited for): waited for again. */
static void what_is_not_known_at_the_stamp_is_waited_for(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, ahead;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	store_free(&h.store);
	rig_kill(&rig);
	rig_launch(&rig);
	hand_new(&h, rig.sock, "ctl-1", 6000);
	ahead = flipped(&rec);
	ahead.rev = rec.rev + 3;
	TEXT_COPY(ahead.cid, "rid-gone");
	h.known[0] = true;
	h.truth[0] = ahead;
	h.deaf_from = 3;        /* the survey asked for both */
	h.deaf_to = 6;
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.record.active, GREEN);
	assert_true(k.record.v.gen > rec.v.gen);
	store_free(&h.store);
}

/* ---- who leads ---- */

/* However often a bye is heard, the lease is asked for once at a time: each success is a term, and one is ours. */
static void many_byes_are_one_term(void **state)
{
	struct hand a, b;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&a, &rig, &rec);
	hand_new(&b, rig.sock, "ctl-2", 6000);
	until(store_state(b.store) == STORE_FOLLOWING);
	b.known[0] = true;
	b.truth[0] = rec;
	for (int i = 0; i < 200; i++) /* it listens by now */
		ev_run(EV_DEFAULT, EVRUN_NOWAIT), usleep(1000);
	store_free(&a.store);
	redis(&rig, "DEL switchd:{0}:lease");
	for (int i = 0; i < 20; i++)
		redis(&rig, "PUBLISH switchd:{0}:ev %s", "bye ctl-1");
	pump(b.up);
	next = flipped(&rec);
	assert_int_equal(commit(&b, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	store_free(&b.store);
}

/* What stands beside the record is written by who leads: a standby's copy is the older one. */
static void who_follows_writes_no_value(void **state)
{
	struct hand a, b;
	struct record rec;
	struct ask k;

	(void)state;
	hand_with_record(&a, &rig, &rec);
	hand_new(&b, rig.sock, "ctl-2", 6000);
	until(store_state(b.store) == STORE_FOLLOWING);
	store_put(a.store, "shop", "seen", "of the leader");
	load(&a, &k);
	store_put(b.store, "shop", "seen", "of the standby");
	load(&b, &k);
	assert_string_equal(redis(&rig, "GET switchd:{0}:b:shop:seen"), "of the leader");
	store_free(&a.store);
	store_free(&b.store);
}

static int changed_all, changed_named;

static void changed(void *arg, const char *service)
{
	(void)arg;
	changed_all += !service[0];
	changed_named += service[0] != '\0';
}

/* More events than one look brings: whose they are is not known, so anybody's record may have changed. */
static void more_events_than_one_look_brings_are_everybodys(void **state)
{
	struct hand a, b;
	struct record rec;

	(void)state;
	hand_with_record(&a, &rig, &rec);
	hand_new(&b, rig.sock, "ctl-2", 6000);
	changed_all = changed_named = 0;
	store_watch(b.store, changed, NULL);
	until(changed_all == 1); /* the first look */
	redis(&rig, "EVAL %s 2 switchd:{0}:meta switchd:{0}:ev",
	      "local gen, seq = redis.call('HGET', KEYS[1], 'gen'), redis.call('HGET', KEYS[1], 'seq')\n"
	      "for i = 1, 300 do redis.call('XADD', KEYS[2], gen .. '-' .. (seq + i), 's', i < 290 and 'shop' or 'blog', 'e', '{}') end\n"
	      "redis.call('HSET', KEYS[1], 'seq', seq + 300)");
	until(changed_all == 2);
	store_free(&a.store);
	store_free(&b.store);
}

/* ---- rights ---- */

/* Without the right to publish nothing is pushed, and what is committed is committed: no script ends half done. */
static void who_may_not_publish_commits_all_the_same(void **state)
{
	struct hand h;
	struct record rec, next;
	struct ask k;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "ACL SETUSER default -publish");
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	assert_string_equal(redis(&rig, "EXISTS switchd:{0}:q:rid-2"), "1");
	/* And it goes on leading: renewed, beyond the end of what it had. */
	for (int64_t end = now_ms() + 7000; now_ms() < end; ev_run(EV_DEFAULT, EVRUN_ONCE))
		assert_true(h.up);
	store_free(&h.store);
}

/* ---- agents ---- */

struct agent { struct config cfg; struct service_config services[2]; struct store *store; bool up; int told; char of[64]; };

static void agent_up(void *arg, bool up, const char *why)
{
	(void)why;
	((struct agent *)arg)->up = up;
}

static void agent_told(void *arg, const struct shown *s)
{
	struct agent *a = arg;

	a->told++;
	TEXT_COPY(a->of, s->service);
}

/* A reload in the middle of a read: what was asked for under one name is not told under another. */
static void a_read_under_way_is_not_of_the_new_services(void **state)
{
	struct hand h;
	struct record rec;
	struct agent a = { .cfg = { .lease_ttl_ms = 5000, .redis = { .unix_path = rig.sock, .host = "", .user = "", .password_file = "", .prefix = "switchd:" } } };

	(void)state;
	hand_with_record(&h, &rig, &rec);
	a.services[0].name = "shop";
	a.services[1].name = "blog";
	a.cfg.services = a.services;
	a.cfg.n_services = 2;
	a.store = store_follow(EV_DEFAULT, &a.cfg, "lb1", agent_up, agent_told, &a);
	until(a.up && a.told);
	a.told = 0;
	store_follow_services(a.store, &a.cfg); /* reads */
	a.services[0].name = "blog";
	a.services[1].name = "shop";
	store_follow_services(a.store, &a.cfg); /* and is told at once that the list is another */
	until(a.told);
	assert_string_equal(a.of, "shop");
	store_free(&a.store);
	store_free(&h.store);
}

static void publish(const char *head) { redis(&rig, "PUBLISH switchd:{0}:ak %s", head); }

/* The clock of another primary may be behind: what is heard last is what is so. */
static void a_report_stamped_by_an_earlier_clock_counts(void **state)
{
	struct hand h;
	struct record rec;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	until(store_agents_known(h.store));
	publish("ak1 lb1 1 17 3 9000000 ok d v -\nshop {\"state\":\"ok\"}");
	until(store_agent_named(h.store, "lb1"));
	publish("ak1 lb1 0 17 3 4000000 down d v -\nshop {\"state\":\"down\"}");
	until(strcmp(store_agent_named(h.store, "lb1")->status, "down") == 0);
	assert_string_equal(agent_service(store_agent_named(h.store, "lb1"), "shop")->json, "{\"state\":\"down\"}");
	store_free(&h.store);
}

/* Forgotten by another controller: gone here too with the next reading. */
static void who_is_not_read_any_more_is_gone(void **state)
{
	struct hand h;
	struct record rec;

	(void)state;
	redis(&rig, "HSET switchd:{0}:g lb1 %s", "17 3 4000000 ok d v -");
	redis(&rig, "HSET switchd:{0}:ga:lb1 shop %s", "4000000 {}");
	redis(&rig, "HSET switchd:{0}:g lb2 %s", "17 3 4000000 ok d v -");
	redis(&rig, "HSET switchd:{0}:ga:lb2 shop %s", "4000000 {}");
	hand_with_record(&h, &rig, &rec);
	until(store_agents_known(h.store));
	assert_int_equal(store_agents(h.store), 2);
	redis(&rig, "HDEL switchd:{0}:g lb1");
	redis(&rig, "HDEL switchd:{0}:ga:lb2 shop");
	publish("ak1 lb3 0 17 3 9000000 ok d v -\n*"); /* more than a message holds: all is read again */
	until(!store_agent_named(h.store, "lb1"));
	until(!agent_service(store_agent_named(h.store, "lb2"), "shop"));
	store_free(&h.store);
}

/* ---- replicas that are waited for ---- */

static int risks, acked_last;

static void risk(void *arg, uint64_t gen, uint64_t seq, int acked)
{
	(void)arg;
	(void)gen;
	(void)seq;
	risks++;
	acked_last = acked;
}

/* What was said already is not said to be unknown because the connection ends. */
static void a_lost_connection_puts_nothing_at_risk_that_was_told(void **state)
{
	struct hand h;
	struct record none = { 0 }, first = first_record();
	struct ask k;

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 6000);
	store_free(&h.store);
	h.cfg.redis.replicas = 1;
	h.store = store_new(EV_DEFAULT, &h.cfg, "ctl-1", on_up, &h);
	store_set_truth(h.store, on_truth, &h);
	risks = 0;
	store_watch_risk(h.store, risk, NULL);
	pump(h.up);
	assert_int_equal(commit(&h, "rid-first", MOVE_NOTE, &none, &first, &k), ST_OK);
	until(risks == 1);
	assert_int_equal(acked_last, 0);
	redis(&rig, "CLIENT KILL TYPE normal SKIPME yes");
	pump_not(h.up);
	pump(h.up);
	assert_int_equal(risks, 1);
	store_free(&h.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_server_that_had_a_replica_declares_a_generation),
		T(what_is_not_known_at_the_stamp_is_waited_for),
		T(many_byes_are_one_term),
		T(who_follows_writes_no_value),
		T(more_events_than_one_look_brings_are_everybodys),
		T(who_may_not_publish_commits_all_the_same),
		T(a_read_under_way_is_not_of_the_new_services),
		T(a_report_stamped_by_an_earlier_clock_counts),
		T(who_is_not_read_any_more_is_gone),
		T(a_lost_connection_puts_nothing_at_risk_that_was_told),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
