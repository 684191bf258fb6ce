/* SPDX-License-Identifier: MIT
 * store.c - what a commit may do, on a real redis-server. */
#include "tests/unit/support/one_redis.h"

#include <pthread.h>

#include "switchd/store/scripts.h"

static void first_commit_and_what_it_leaves(void **state)
{
	struct hand h;
	struct ask k;
	struct record none = { 0 }, first = first_record();
	char want[256];

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 6000);
	assert_false(store_is_up(h.store));
	pump(h.up);
	assert_true(store_is_up(h.store));
	load(&h, &k);
	assert_int_equal(k.result, ST_OK);
	assert_true(k.none);
	assert_int_equal(commit(&h, "rid-1", MOVE_NOTE, &none, &first, &k), ST_OK);
	assert_true(k.record.v.gen > 1700000000);       /* a clock floor (D4) */
	assert_int_equal(k.record.v.epoch, 1);
	assert_int_equal(k.record.rev, 1);
	assert_string_equal(k.record.cid, "rid-1");
	struct record rec = k.record;

	load(&h, &k);
	assert_int_equal(k.result, ST_OK);
	assert_false(k.none);
	assert_memory_equal(&k.record.v, &rec.v, sizeof(rec.v));
	assert_string_equal(k.record.slot[GREEN].digest, "sha256:2");
	snprintf(want, sizeof(want), "sw2 %llu 1 blue plain r1 rid-1 2 ", (unsigned long long)rec.v.gen);
	assert_true(text_starts(redis(&rig, "GET switchd:{0}:a:shop"), want));
	assert_string_equal(redis(&rig, "XLEN switchd:{0}:ev"), "2"); /* the new generation, and this */
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop hold"), "0");
	assert_true(atoll(redis(&rig, "TTL switchd:{0}:q:rid-1")) > 3500);

	/* A commit that shows the proxies nothing new leaves the reader's string alone. */
	struct record next = rec;
	char before[256];

	TEXT_COPY(before, redis(&rig, "GET switchd:{0}:a:shop"));
	next.phase = PH_FILLING;
	assert_int_equal(commit(&h, "rid-2", MOVE_NOTE, &rec, &next, &k), ST_OK);
	assert_int_equal(k.record.rev, 2);
	assert_int_equal(k.record.v.epoch, 1);
	assert_string_equal(redis(&rig, "GET switchd:{0}:a:shop"), before);
	store_free(&h.store);
}

/* Whoever listens hears the reader's string, and only when there is something new to show. */
static void a_change_of_value_is_published(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;
	struct timeval second = { 5, 0 };
	redisContext *ears = redisConnectUnix(rig.sock);
	redisReply *r;

	(void)state;
	assert_non_null(ears);
	redisSetTimeout(ears, second);
	hand_with_record(&h, &rig, &rec);
	freeReplyObject(redisCommand(ears, "SUBSCRIBE switchd:{0}:ev"));
	next = rec;
	next.phase = PH_FILLING;
	assert_int_equal(commit(&h, "rid-2", MOVE_NOTE, &rec, &next, &k), ST_OK);
	rec = k.record;
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-3", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	do {
		assert_int_equal(redisGetReply(ears, (void **)&r), REDIS_OK);
		if (text_starts(r->element[2]->str, "push shop sw2 "))
			break;
		assert_true(text_starts(r->element[2]->str, "hb "));
		freeReplyObject(r);
	} while (true);
	assert_string_equal(r->element[2]->str + strlen("push shop "), redis(&rig, "GET switchd:{0}:a:shop"));
	assert_non_null(strstr(r->element[2]->str, " 2 green plain r2 rid-3 "));
	freeReplyObject(r);
	redisFree(ears);
	store_free(&h.store);
}

static void the_same_request_id_counts_once(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;
	struct event e;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-flip", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	assert_false(k.dup);
	char id[44];

	TEXT_COPY(id, k.stream_id);
	assert_int_equal(commit(&h, "rid-flip", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	assert_true(k.dup);
	assert_string_equal(k.stream_id, id);
	assert_int_equal(k.record.rev, 2);
	/* The stored result gone: the record's own cid is the second proof. */
	redis(&rig, "DEL switchd:{0}:q:rid-flip");
	assert_int_equal(commit(&h, "rid-flip", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	assert_true(k.dup);
	assert_string_equal(redis(&rig, "XLEN switchd:{0}:ev"), "3");
	/* Another service cannot use it. */
	struct record none = { 0 }, first = first_record();
	struct commit c = a_commit("rid-first", MOVE_NOTE, &none, &first, &e);

	c.service = "blog";
	send_commit(&h, &c, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_REFUSED);
	assert_string_equal(redis(&rig, "EXISTS switchd:{0}:s:blog"), "0");
	store_free(&h.store);
}

static void compare_and_set_is_on_gen_epoch_and_rev(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next, was;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	next = flipped(&rec);
	for (int i = 0; i < 4; i++) {
		was = rec;
		if (i == 0)
			was.v.gen--;
		else if (i == 1)
			was.v.epoch--, next.v.epoch = was.v.epoch + 1;
		else if (i == 2)
			was.rev++;
		else
			was = (struct record){ 0 }, next = flipped(&rec);
		assert_int_equal(commit(&h, "rid-x", MOVE_FORWARD, &was, &next, &k), ST_CONFLICT);
		assert_true(k.has_record);
		assert_int_equal(k.record.rev, 1);
		assert_int_equal(k.record.active, BLUE);
		next = flipped(&rec);
	}
	/* No record, but one was expected. */
	redis(&rig, "DEL switchd:{0}:s:shop");
	assert_int_equal(commit(&h, "rid-y", MOVE_FORWARD, &rec, &next, &k), ST_CONFLICT);
	assert_true(k.none);
	assert_false(k.has_record);
	assert_string_equal(redis(&rig, "EXISTS switchd:{0}:s:shop"), "0");
	store_free(&h.store);
}

static void the_epoch_grows_when_proxies_must_show_another_value_and_only_then(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	next = rec;
	next.v.epoch++;
	assert_int_equal(commit(&h, "rid-a", MOVE_NOTE, &rec, &next, &k), ST_REFUSED);
	next = flipped(&rec);
	next.v.epoch--;
	assert_int_equal(commit(&h, "rid-b", MOVE_FORWARD, &rec, &next, &k), ST_REFUSED);
	next = rec;
	next.shield = true;
	assert_int_equal(commit(&h, "rid-c", MOVE_NOTE, &rec, &next, &k), ST_REFUSED);
	next.v.epoch++;
	assert_int_equal(commit(&h, "rid-d", MOVE_NOTE, &rec, &next, &k), ST_OK);
	assert_int_equal(k.record.v.epoch, 2);
	rec = k.record;
	next = flipped(&rec);
	next.v.epoch = 1; /* never lower */
	assert_int_equal(commit(&h, "rid-e", MOVE_FORCE, &rec, &next, &k), ST_REFUSED);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop epoch"), "2");
	next = rec; /* a pin was ended: the same value, told again */
	next.v.epoch++;
	assert_int_equal(commit(&h, "rid-f", MOVE_BACK, &rec, &next, &k), ST_OK);
	assert_int_equal(k.record.v.epoch, 3);
	assert_non_null(strstr(redis(&rig, "GET switchd:{0}:a:shop"), " 3 "));
	store_free(&h.store);
}

static void a_hold_refuses_auto_and_forward_and_lets_people_back(void **state)
{
	static const struct { enum move_mode mode; enum store_result want; } rows[] = {
		{ MOVE_AUTO, ST_HELD }, { MOVE_FORWARD, ST_HELD }, { MOVE_BACK, ST_OK }, { MOVE_FORCE, ST_OK }, { MOVE_NOTE, ST_OK },
	};
	struct hand h;
	struct ask k;
	struct record rec, next;
	char rid[32];

	(void)state;
	hand_with_record(&h, &rig, &rec);
	next = rec;
	next.hold.on = true;
	TEXT_COPY(next.hold.by, "alice");
	next.hold.since = wall_now();
	assert_int_equal(commit(&h, "rid-hold", MOVE_NOTE, &rec, &next, &k), ST_OK);
	rec = k.record;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		next = rows[i].mode == MOVE_NOTE ? rec : flipped(&rec);
		snprintf(rid, sizeof(rid), "rid-m%zu", i);
		assert_int_equal(commit(&h, rid, rows[i].mode, &rec, &next, &k), rows[i].want);
		assert_true(k.has_record);
		rec = k.record;
		assert_true(rec.hold.on);
	}
	store_free(&h.store);
}

static void condemned_releases_stay_out(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;
	struct event e;
	struct commit c;
	struct condemned bad = { .release = "r1", .digest = "sha256:1", .by = "switchd", .why = "lost quotes", .since = { 5 } };

	(void)state;
	hand_with_record(&h, &rig, &rec);
	/* Leaves blue r1 and condemns it: both land or neither. */
	next = flipped(&rec);
	c = a_commit("rid-1", MOVE_AUTO, &rec, &next, &e);
	c.condemn = &bad;
	send_commit(&h, &c, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	rec = k.record;
	assert_non_null(strstr(redis(&rig, "GET switchd:{0}:a:shop"), " auto r1 -"));
	load(&h, &k);
	assert_int_equal(k.n_condemned, 1);
	assert_string_equal(k.condemned, "r1");
	/* Not back into it, whatever the mode but force. */
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-2", MOVE_AUTO, &rec, &next, &k), ST_CONDEMNED);
	assert_int_equal(commit(&h, "rid-3", MOVE_FORWARD, &rec, &next, &k), ST_CONDEMNED);
	assert_int_equal(commit(&h, "rid-4", MOVE_BACK, &rec, &next, &k), ST_CONDEMNED);
	/* Nor under another name with the same bits. */
	TEXT_COPY(next.slot[BLUE].id, "r9");
	assert_int_equal(commit(&h, "rid-5", MOVE_FORWARD, &rec, &next, &k), ST_CONDEMNED);
	/* Nor is the release condemned that becomes active, by name or digest. */
	next = flipped(&rec);
	TEXT_COPY(next.slot[BLUE].id, "r2");
	TEXT_COPY(next.slot[BLUE].digest, "");
	bad = (struct condemned){ .release = "r2", .by = "switchd", .since = { 6 } };
	c = a_commit("rid-6", MOVE_AUTO, &rec, &next, &e);
	c.condemn = &bad;
	send_commit(&h, &c, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_CONDEMNED);
	assert_string_equal(redis(&rig, "HLEN switchd:{0}:x:shop"), "1");
	/* Commits that do not move traffic do not ask. */
	next = rec;
	next.phase = PH_BAKING;
	assert_int_equal(commit(&h, "rid-7", MOVE_NOTE, &rec, &next, &k), ST_OK);
	rec = k.record;
	/* A person may, and a pardon takes it off the list. */
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-8", MOVE_FORCE, &rec, &next, &k), ST_OK);
	rec = k.record;
	next = rec;
	c = a_commit("rid-9", MOVE_NOTE, &rec, &next, &e);
	c.pardon = "r1";
	send_commit(&h, &c, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	assert_string_equal(redis(&rig, "HLEN switchd:{0}:x:shop"), "0");
	store_free(&h.store);
}

static void the_condemned_list_is_bounded(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;
	struct event e;
	struct commit c;
	struct condemned bad = { .release = "r1", .by = "switchd" };

	(void)state;
	hand_with_record(&h, &rig, &rec);
	for (int i = 0; i < MAX_CONDEMNED + 3; i++) {
		char rid[32];

		snprintf(rid, sizeof(rid), "rid-%d", i);
		snprintf(bad.release, sizeof(bad.release), "old-%d", i);
		bad.since.ms = 1600000000000 + i;
		next = rec;
		c = a_commit(rid, MOVE_NOTE, &rec, &next, &e);
		c.condemn = &bad;
		send_commit(&h, &c, &k);
		pump(k.done);
		assert_int_equal(k.result, ST_OK);
		rec = k.record;
	}
	load(&h, &k);
	assert_int_equal(k.result, ST_OK);
	assert_int_equal(k.n_condemned, MAX_CONDEMNED);
	assert_string_equal(redis(&rig, "HEXISTS switchd:{0}:x:shop old-0"), "0");
	assert_string_equal(redis(&rig, "HEXISTS switchd:{0}:x:shop old-258"), "1");
	store_free(&h.store);
}

static void on_text(void *arg, bool ok, const char *text)
{
	struct ask *k = arg;

	k->done = true;
	k->result = ok ? ST_OK : ST_LOST;
	free(k->text);
	k->text = xstrdup(text);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

static void values_and_events(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	store_put(h.store, "shop", "baselines", "{\"quotes\":1}");
	ask_new(&k);
	store_get(h.store, "shop", "baselines", on_text, &k);
	assert_false(k.done);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	assert_string_equal(k.text, "{\"quotes\":1}");
	free(k.text);
	ask_new(&k);
	store_get(h.store, "shop", "nothing", on_text, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK); /* there is none, and that is an answer */
	assert_string_equal(k.text, "");
	free(k.text);
	/* Two events in one commit; then pages of them, forwards and backwards. */
	for (int i = 0; i < 70; i++) {
		struct event e[2] = { one_event("flip.decided"), one_event("deploy.baked") };
		char rid[32];
		struct commit c = { .service = "shop", .rid = rid, .mode = MOVE_NOTE, .expect_v = rec.v, .expect_rev = rec.rev,
				    .next = &next, .events = e, .n_events = 2 };

		snprintf(rid, sizeof(rid), "rid-%d", i);
		next = rec;
		send_commit(&h, &c, &k);
		pump(k.done);
		assert_int_equal(k.result, ST_OK);
		rec = k.record;
	}
	ask_new(&k);
	store_events(h.store, "shop", "0-0", 1000, on_text, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	assert_int_equal(count(k.text, "\"kind\""), 141);
	assert_true(strstr(k.text, "deploy.baked") > strstr(k.text, "flip.decided"));
	free(k.text);
	ask_new(&k);
	store_events(h.store, "shop", "", 3, on_text, &k); /* the newest, newest last */
	pump(k.done);
	char last[64];

	snprintf(last, sizeof(last), "-142\"");
	assert_int_equal(count(k.text, "\"kind\""), 3);
	assert_non_null(strstr(k.text, last));
	assert_true(strstr(k.text, "-140\"") < strstr(k.text, last));
	free(k.text);
	ask_new(&k);
	store_events(h.store, "blog", "", 3, on_text, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	assert_string_equal(k.text, "[]");
	free(k.text);
	ask_new(&k);
	store_events(h.store, "", "0-0", 1000, on_text, &k); /* of all services, the store's own too */
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	assert_int_equal(count(k.text, "\"kind\""), 142);
	free(k.text);
	ask_new(&k);
	store_events(h.store, "shop", "no id", 3, on_text, &k);
	assert_false(k.done);
	pump(k.done);
	assert_int_equal(k.result, ST_LOST);
	free(k.text);
	store_free(&h.store);
}

/* ---- eight writers at once ---- */

struct writer { pthread_t thread; int number; long ok, refused; };

static void *write_much(void *arg)
{
	struct writer *w = arg;
	redisContext *c = redisConnectUnix(rig.sock);
	char sha[64] = "";

	redisReply *r = redisCommand(c, "SCRIPT LOAD %s", script_text(SC_COMMIT));
	TEXT_COPY(sha, r->str);
	freeReplyObject(r);
	for (int i = 0; i < 150; i++) {
		char rid[32], doc[] = "{}";
		redisReply *now = redisCommand(c, "HMGET switchd:{0}:s:shop gen epoch rev active");
		const char *gen = now->element[0]->str, *epoch = now->element[1]->str, *rev = now->element[2]->str;
		const char *active = strcmp(now->element[3]->str, "blue") == 0 ? "green" : "blue";

		snprintf(rid, sizeof(rid), "w%d-%d", w->number, i);
		r = redisCommand(c, "EVALSHA %s 7 switchd:{0}:meta switchd:{0}:lease switchd:{0}:s:shop switchd:{0}:a:shop switchd:{0}:x:shop "
				 "switchd:{0}:ev switchd:{0}:q:%s %s ctl-1 7 forward shop %s %s %s %lld %s plain steady 0 r1 r2 %s %s %s %s %s %s 100000 %s e",
				 sha, rid, rid, gen, epoch, rev, atoll(epoch) + 1, active, "", doc, "", "", "", "", gen);
		if (r->type == REDIS_REPLY_ARRAY && strcmp(r->element[0]->str, "OK") == 0)
			w->ok++;
		else if (r->type == REDIS_REPLY_ARRAY && strcmp(r->element[0]->str, "STALE") == 0)
			w->refused++;
		freeReplyObject(r);
		freeReplyObject(now);
	}
	redisFree(c);
	return NULL;
}

static void of_eight_concurrent_writers_each_ok_is_one_revision(void **state)
{
	struct hand h;
	struct record rec;
	struct writer w[8] = { 0 };
	long ok = 0, refused = 0, events;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	store_free(&h.store);
	redis(&rig, "SET switchd:{0}:lease %s", "7 ctl-1");
	events = atol(redis(&rig, "XLEN switchd:{0}:ev"));
	for (int i = 0; i < 8; i++) {
		w[i].number = i;
		assert_int_equal(pthread_create(&w[i].thread, NULL, write_much, &w[i]), 0);
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(w[i].thread, NULL);
		ok += w[i].ok;
		refused += w[i].refused;
	}
	assert_int_equal(ok + refused, 8 * 150);
	assert_true(ok >= 150);
	assert_true(refused > 0); /* there was a race at all */
	assert_int_equal(atol(redis(&rig, "HGET switchd:{0}:s:shop rev")) - (long)rec.rev, ok);
	assert_int_equal(atol(redis(&rig, "HGET switchd:{0}:s:shop epoch")) - (long)rec.v.epoch, ok);
	assert_int_equal(atol(redis(&rig, "XLEN switchd:{0}:ev")) - events, ok);
}

static void after_script_flush_the_text_is_sent(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "SCRIPT FLUSH");
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	assert_false(k.dup);
	store_free(&h.store);
}

static void while_down_nothing_is_sent(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;
	struct event e;
	struct commit c;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	rig_kill(&rig);
	pump_not(h.up);
	next = flipped(&rec);
	c = a_commit("rid-2", MOVE_BACK, &rec, &next, &e);
	send_commit(&h, &c, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_DOWN);
	load(&h, &k);
	assert_int_equal(k.result, ST_DOWN);
	rig_launch(&rig);
	h.known[0] = true;
	h.truth[0] = rec;
	pump(h.up);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "1");
	store_free(&h.store);
}

/* Every done() comes exactly once, at the latest from store_free. */
static void freeing_answers_everybody(void **state)
{
	struct hand h;
	struct ask a, b, c;
	struct record rec, next;
	struct event e;
	struct commit commit_;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	next = flipped(&rec);
	commit_ = a_commit("rid-2", MOVE_BACK, &rec, &next, &e);
	send_commit(&h, &commit_, &a);
	ask_new(&b);
	store_load(h.store, "shop", on_done, &b);
	ask_new(&c);
	store_events(h.store, "shop", "", 10, on_text, &c);
	store_free(&h.store);
	assert_true(a.done && b.done && c.done);
	assert_int_equal(a.result, ST_LOST);
	assert_int_equal(b.result, ST_LOST);
	free(c.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(first_commit_and_what_it_leaves),
		T(a_change_of_value_is_published),
		T(the_same_request_id_counts_once),
		T(compare_and_set_is_on_gen_epoch_and_rev),
		T(the_epoch_grows_when_proxies_must_show_another_value_and_only_then),
		T(a_hold_refuses_auto_and_forward_and_lets_people_back),
		T(condemned_releases_stay_out),
		T(the_condemned_list_is_bounded),
		T(values_and_events),
		T(of_eight_concurrent_writers_each_ok_is_one_revision),
		T(after_script_flush_the_text_is_sent),
		T(while_down_nothing_is_sent),
		T(freeing_answers_everybody),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
