/* SPDX-License-Identifier: MIT
 * acl.c - the users of docs/redis in a real server: each suffices for its role, and is refused everything else. */
#include "tests/unit/support/store_rig.h"

#include "switchd/store/follow.h"
#include "switchd/store/link.h"

static struct rig rig;

/* docs/redis/NAME.acl with the hash of "s3cret" in it, after a default user that the test's own hands are. */
static void add_user(FILE *out, const char *name)
{
	static const char place[] = "SHA256-OF-THE-PASSWORD", hash[] = "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0";
	char path[64], line[2048];

	snprintf(path, sizeof(path), "docs/redis/%s.acl", name);
	FILE *in = fopen(path, "r");

	assert_non_null(in);
	while (fgets(line, sizeof(line), in)) {
		char *at = strstr(line, place);

		assert_non_null(at);
		fprintf(out, "%.*s%s%s", (int)(at - line), line, hash, at + sizeof(place) - 1);
	}
	fclose(in);
}

static int setup(void **state)
{
	static char users[128];
	char password[128];

	(void)state;
	rig_prepare(&rig);
	snprintf(users, sizeof(users), "%s/users.acl", rig.dir);
	FILE *f = fopen(users, "w");

	assert_non_null(f);
	fputs("user default on nopass ~* &* +@all\n", f);
	add_user(f, "controller");
	add_user(f, "agent");
	add_user(f, "reader");
	fclose(f);
	snprintf(password, sizeof(password), "%s/password", rig.dir);
	f = fopen(password, "w");
	assert_non_null(f);
	fputs("s3cret\n", f);
	fclose(f);
	rig.more[0] = "--aclfile";
	rig.more[1] = users;
	rig_launch(&rig);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static void on_value(void *arg, bool ok, const char *text)
{
	struct ask *k = arg;

	k->result = ok ? ST_OK : ST_LOST;
	k->text = xstrdup(text);
	k->done = true;
}

static void on_looked(void *arg, const struct store_looked *list, size_t n)
{
	assert_int_equal(n, 1);
	assert_string_equal(list[0].trouble, "");
	*(bool *)arg = true;
}

static void on_upgraded(void *arg, const struct store_upgraded *u)
{
	assert_int_equal(u->result, ST_OK);
	assert_int_equal(u->from, 2);
	*(bool *)arg = true;
}

static void on_inspected(void *arg, const char *json)
{
	assert_non_null(strstr(json, "\"role\":\"master\""));
	assert_non_null(strstr(json, "NOPERM"));
	*(bool *)arg = true;
}

static void on_released(void *arg) { *(bool *)arg = true; }

/* The store's whole life as that user: lease, commits, values, events, and the three ways back to one history. */
static void the_controller_may_do_all_that_the_store_does(void **state)
{
	struct hand h;
	struct ask k;
	struct record none = { 0 }, first = first_record(), next, rec;
	char file[128];
	bool released = false;

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 6000);
	store_free(&h.store);
	snprintf(file, sizeof(file), "%s/not-it", rig.dir);
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs("wrong\n", f);
	fclose(f);
	h.cfg.redis.user = "switchd";
	h.cfg.redis.password_file = file;
	h.store = store_new(EV_DEFAULT, &h.cfg, "ctl-1", on_up, &h);
	store_set_truth(h.store, on_truth, &h);
	for (int64_t until = now_ms() + 5000; !strstr(store_why_down(h.store), "WRONGPASS") && now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_non_null(strstr(store_why_down(h.store), "AUTH: WRONGPASS"));
	f = fopen(file, "w"); /* a rotated password needs no restart */
	assert_non_null(f);
	fputs("s3cret\n", f);
	fclose(f);
	pump(h.up);

	assert_int_equal(commit(&h, "rid-1", MOVE_NOTE, &none, &first, &k), ST_OK);
	rec = k.record;
	next = flipped(&rec);
	struct event e;
	struct condemned bad = { .release = "r1", .digest = "sha256:1", .since = wall_now() };
	struct commit c = a_commit("rid-2", MOVE_AUTO, &rec, &next, &e);

	c.condemn = &bad;
	send_commit(&h, &c, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	rec = k.record;
	store_put(h.store, "shop", "baselines", "{\"quotes\":1}");
	ask_new(&k);
	store_get(h.store, "shop", "baselines", on_value, &k);
	pump(k.done);
	assert_string_equal(k.text, "{\"quotes\":1}");
	free(k.text);
	ask_new(&k);
	store_events(h.store, "shop", "0-0", 100, on_value, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	free(k.text);
	ask_new(&k);
	store_recall(h.store, "rid-2", on_value, &k);
	pump(k.done);
	assert_non_null(strstr(k.text, "shop"));
	free(k.text);

	/* the look for another hand, a person's repair, a newer schema */
	static const char *const shop[] = { "shop" };
	struct event mended = one_event("store.repaired");
	struct store_repair r = { .service = "shop", .rid = "rid-3", .good = &rec, .event = &mended };
	bool done = false;

	store_look(h.store, shop, 1, on_looked, &done);
	pump(done);
	ask_new(&k);
	store_repair(h.store, &r, on_done, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	rec = k.record;
	done = false;
	store_upgrade(h.store, &mended, false, on_upgraded, &done);
	pump(done);
	done = false;
	store_inspect(h.store, on_inspected, &done);
	pump(done);
	assert_true(atol(redis(&rig, "ACL LOG")) > 1); /* the wrong password, and what the doctor asked */
	redis(&rig, "ACL LOG RESET"); /* what it may not ask is not checked */
	assert_string_equal(redis(&rig, "ACL LOG"), "0");

	/* another lineage: relin or newgen, and restamp */
	h.known[0] = true;
	h.truth[0] = rec;
	h.floor = rec.v;
	rig_kill(&rig);
	pump_not(h.up);
	rig_launch(&rig);
	pump(h.up);
	redis(&rig, "SCRIPT FLUSH");
	redis(&rig, "FLUSHALL");
	redis(&rig, "CLIENT KILL TYPE normal SKIPME yes");
	pump_not(h.up);
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.result, ST_OK);
	assert_false(k.none);
	assert_int_equal(k.record.active, GREEN);
	store_release_lease(h.store, on_released, &released);
	pump(released);
	store_free(&h.store);
	assert_string_equal(redis(&rig, "GET switchd:{0}:lease"), "(nil)");
	assert_string_equal(redis(&rig, "ACL LOG"), "0");
}

/* An agent's whole life: it listens, reads what stands, hears what is committed, reports. */
struct agent { struct store *store; bool up, told, reported, ok; struct version v; char why[256]; };

static void on_agent_up(void *arg, bool up, const char *why)
{
	struct agent *a = arg;

	a->up = up;
	TEXT_COPY(a->why, why);
}

static void on_shown(void *arg, const struct shown *s)
{
	struct agent *a = arg;

	a->told = true;
	a->v = s->value.v;
}

static void on_reported(void *arg, bool ok, int64_t us)
{
	struct agent *a = arg;

	(void)us;
	a->reported = true;
	a->ok = ok;
}

static void the_agent_may_do_all_that_an_agent_does(void **state)
{
	struct hand h;
	struct ask k;
	struct record none = { 0 }, first = first_record(), next;
	struct agent a = { 0 };
	char file[128];

	(void)state;
	snprintf(file, sizeof(file), "%s/password", rig.dir);
	hand_new(&h, rig.sock, "ctl-1", 6000);
	store_free(&h.store);
	h.cfg.redis.user = "switchd";
	h.cfg.redis.password_file = file;
	h.store = store_new(EV_DEFAULT, &h.cfg, "ctl-1", on_up, &h);
	store_set_truth(h.store, on_truth, &h);
	pump(h.up);
	assert_int_equal(commit(&h, "rid-1", MOVE_NOTE, &none, &first, &k), ST_OK);
	h.cfg.redis.user = "switchd-agent";
	a.store = store_follow(EV_DEFAULT, &h.cfg, "lb1", on_agent_up, on_shown, &a);
	pump(a.up);
	pump(a.told);
	a.told = false;
	next = flipped(&k.record);
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &k.record, &next, &k), ST_OK);
	pump(a.told);
	assert_int_equal(a.v.epoch, next.v.epoch);
	for (int i = 0; i < 2; i++) {
		const struct report_service s = { "shop", i ? "" : "{}" };
		const struct report r = { .v = a.v, .seq = 2, .status = "ok", .digest = "d", .detail = "", .first = !i, .services = &s, .n_services = 1 };

		a.reported = false;
		store_report(a.store, &r, on_reported, &a);
		pump(a.reported);
		assert_true(a.ok);
	}
	assert_string_not_equal(redis(&rig, "HGET switchd:{0}:g lb1"), "(nil)");
	store_free(&a.store);
	store_free(&h.store);
	assert_string_equal(redis(&rig, "ACL LOG"), "0");
}

/* ---- what is refused ---- */

static const char *as(redisContext *c, const char *command)
{
	static char out[300];
	redisReply *r = redisCommand(c, command);

	assert_non_null(r);
	snprintf(out, sizeof(out), "%s", r->type == REDIS_REPLY_ERROR || r->type == REDIS_REPLY_STATUS ? r->str : "OK");
	freeReplyObject(r);
	return out;
}

static redisContext *hands_of(const char *user)
{
	char auth[64];
	redisContext *c = redisConnectUnix(rig.sock);

	assert_true(c && !c->err);
	snprintf(auth, sizeof(auth), "AUTH %s s3cret", user);
	assert_string_equal(as(c, auth), "OK");
	return c;
}

struct row { const char *user, *command; bool may; };

#define P "switchd:{0}:"
static const struct row rows[] = {
	{ "switchd", "SET " P "x:shop 1", true }, { "switchd", "GET other", false }, { "switchd", "SET switchd:{1}:x 1", false },
	{ "switchd", "KEYS *", false }, { "switchd", "SCAN 0", false }, { "switchd", "CONFIG GET dir", false }, { "switchd", "FLUSHALL", false },
	{ "switchd", "SCRIPT FLUSH", false }, { "switchd", "ACL LIST", false },
	{ "switchd", "HSCAN " P "g 0", true }, { "switchd", "PUBLISH other 1", false }, { "switchd", "PUBLISH " P "ev 1", true }, { "switchd", "WAIT 0 1", true }, { "switchd", "ROLE", true },
	{ "switchd", "EVAL return(redis.call('SET',KEYS[1],1)) 1 other", false }, { "switchd", "SHUTDOWN", false },
	{ "switchd", "EVAL return(redis.call('FLUSHALL')) 0", false },

	{ "switchd-agent", "GET " P "a:shop", true }, { "switchd-agent", "MGET " P "a:shop " P "a:blog", true },
	{ "switchd-agent", "HGET " P "s:shop doc", true }, { "switchd-agent", "HMGET " P "meta gen seq", true }, { "switchd-agent", "HLEN " P "x:shop", true },
	{ "switchd-agent", "HSET " P "g lb1 1", true }, { "switchd-agent", "HSET " P "ga:lb1 shop {}", true }, { "switchd-agent", "EXPIRE " P "ga:lb1 60", true },
	{ "switchd-agent", "HGET " P "g lb1", true }, { "switchd-agent", "PUBLISH " P "ak lb1", true }, { "switchd-agent", "TIME", true },
	{ "switchd-agent", "ROLE", true }, { "switchd-agent", "WAIT 0 1", true }, { "switchd-agent", "SCRIPT LOAD return(1)", true },
	{ "switchd-agent", "EVAL return(redis.call('HSET',KEYS[1],'a',1)) 2 " P "g " P "ga:lb1", true },
	{ "switchd-agent", "EVAL return(redis.call('GET','" P "a:shop')) 1 " P "g", true },
	{ "switchd-agent", "HEXISTS " P "g lb1", true }, { "switchd-agent", "DEL " P "ga:lb1", true },
	{ "switchd-agent", "EVAL return(redis.call('DEL',KEYS[1])) 1 " P "ga:lb1", true },
	{ "switchd-agent", "EVAL return(redis.call('HMGET',KEYS[1],'gen')) 2 " P "meta " P "a:shop", true },
	{ "switchd-agent", "EVAL return(1) 1 other", false }, { "switchd-agent", "EVAL return(redis.call('DEL',KEYS[1])) 1 " P "a:shop", false },
	{ "switchd-agent", "SET " P "a:shop sw1", false }, { "switchd-agent", "SET " P "g 1", false }, { "switchd-agent", "HSET " P "s:shop active blue", false },
	{ "switchd-agent", "HSET " P "meta gen 9", false }, { "switchd-agent", "HSET " P "x:shop r1 {}", false }, { "switchd-agent", "DEL " P "g", false },
	{ "switchd-agent", "EXPIRE " P "lease 1", false }, { "switchd-agent", "EXPIRE " P "a:shop 1", false }, { "switchd-agent", "PUBLISH " P "ev sw1", false },
	{ "switchd-agent", "PUBLISH other 1", false }, { "switchd-agent", "KEYS *", false }, { "switchd-agent", "CONFIG GET dir", false },
	{ "switchd-agent", "FLUSHALL", false }, { "switchd-agent", "INFO", false }, { "switchd-agent", "GET other", false },
	{ "switchd-agent", "XADD " P "ev * e 1", false }, { "switchd-agent", "SUBSCRIBE " P "ak", false }, { "switchd-agent", "SUBSCRIBE other", false },
	{ "switchd-agent", "EVAL return(redis.call('SET',KEYS[1],1)) 1 " P "a:shop", false },
	{ "switchd-agent", "EVAL return(redis.call('HSET','" P "s:shop','active','blue')) 1 " P "g", false },
	{ "switchd-agent", "EVAL return(redis.call('PUBLISH','" P "ev','sw1')) 0", false }, { "switchd-agent", "SUBSCRIBE " P "ev", true },

	{ "switchd-reader", "GET " P "a:shop", true }, { "switchd-reader", "GET " P "s:shop", false }, { "switchd-reader", "GET " P "lease", false },
	{ "switchd-reader", "SET " P "a:shop 1", false }, { "switchd-reader", "PUBLISH " P "ev sw1", false }, { "switchd-reader", "KEYS *", false },
	{ "switchd-reader", "CONFIG GET dir", false }, { "switchd-reader", "FLUSHALL", false }, { "switchd-reader", "EVAL return(1) 0", false },
	{ "switchd-reader", "SUBSCRIBE " P "ak", false }, { "switchd-reader", "SUBSCRIBE " P "ev", true },
};

static void each_role_is_refused_what_is_not_its_own(void **state)
{
	redisContext *c = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!i || strcmp(rows[i].user, rows[i - 1].user) != 0) {
			if (c)
				redisFree(c);
			c = hands_of(rows[i].user);
		}
		const char *said = as(c, rows[i].command);
		bool denied = strstr(said, "NOPERM") || strstr(said, "ACL failure") || strstr(said, "can't ") ||
			      strstr(said, "No permissions");

		if (rows[i].may == denied)
			fail_msg("%s: %s: %s", rows[i].user, rows[i].command, said);
	}
	redisFree(c);
}

/* ---- a subscriber with the agent's rights ---- */

static void on_state(void *arg, bool up, const char *why)
{
	struct hand *h = arg;

	h->up = up;
	TEXT_COPY(h->why, why);
}

static void on_message(void *arg, const char *channel, const char *text, size_t len)
{
	struct hand *h = arg;

	(void)channel;
	(void)len;
	h->ups = text[0] - '0';
	h->not_yet = true;
}

static void agent_and_reader_hear_what_is_committed(void **state)
{
	static const char *const ev[] = { P "ev" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct hand h = { 0 };
		char file[128];

		snprintf(file, sizeof(file), "%s/password", rig.dir);
		const struct link_config cfg = { .unix_path = rig.sock, .user = i ? "switchd-reader" : "switchd-agent", .password_file = file };
		struct link *l = link_subscribe(EV_DEFAULT, &cfg, ev, 1, on_message, on_state, &h);

		pump(h.up);
		redis(&rig, "PUBLISH %s 7", ev[0]);
		pump(h.not_yet);
		assert_int_equal(h.ups, 7);
		link_free(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_controller_may_do_all_that_the_store_does, setup, teardown),
		cmocka_unit_test_setup_teardown(the_agent_may_do_all_that_an_agent_does, setup, teardown),
		cmocka_unit_test_setup_teardown(each_role_is_refused_what_is_not_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(agent_and_reader_hear_what_is_committed, setup, teardown),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
