/* SPDX-License-Identifier: MIT
 * store_history.c - replies that are lost, and a store that is not what it was (faults.md R1, R2, R4). */
#include "tests/unit/support/one_redis.h"

static long events(void) { return atol(redis(&rig, "XLEN switchd:{0}:ev")); }

/* ---- lost replies ---- */

/* Redis stands still after the commit was sent, and goes on later: one commit, however often it was asked for. */
static void a_lost_reply_is_one_commit(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;
	struct event e;
	struct commit c;
	long before;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	before = events();
	kill(rig.pid, SIGSTOP);
	next = flipped(&rec);
	c = a_commit("rid-lost", MOVE_BACK, &rec, &next, &e);
	send_commit(&h, &c, &k);
	pump_not(h.up);         /* its deadline passed: the connection was given up */
	assert_false(k.done);   /* unknown is not an answer yet */
	kill(rig.pid, SIGCONT);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	assert_int_equal(k.record.rev, 2);
	assert_int_equal(k.record.active, GREEN);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "2");
	assert_int_equal(events() - before, 1);
	store_free(&h.store);
}

/* It stands still for longer than we wait: lost, said so; the caller's next try with the same id finds it. */
static void a_long_silence_is_lost_and_the_same_id_finds_it(void **state)
{
	struct hand h;
	struct ask k, l;
	struct record rec, next;
	struct event e;
	struct commit c;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	kill(rig.pid, SIGSTOP);
	next = flipped(&rec);
	c = a_commit("rid-lost", MOVE_BACK, &rec, &next, &e);
	send_commit(&h, &c, &k);
	ask_new(&l);
	store_load(h.store, "shop", on_done, &l);
	pump(k.done);
	pump(l.done);
	assert_int_equal(k.result, ST_LOST);
	assert_int_equal(l.result, ST_LOST);
	kill(rig.pid, SIGCONT);
	h.known[0] = true;
	h.truth[0] = rec;
	pump(h.up);
	send_commit(&h, &c, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "2");
	store_free(&h.store);
}

/* ---- the store's history ---- */

static void kill_and_restart_is_the_same_history(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;
	long before;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	h.known[0] = true;
	h.truth[0] = rec;
	before = events();
	rig_kill(&rig);
	pump_not(h.up);
	rig_launch(&rig);
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.record.v.gen, rec.v.gen);
	assert_int_equal(k.record.rev, rec.rev);
	assert_int_equal(events(), before); /* neither a generation nor a stamp */
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	store_free(&h.store);
}

/* Our own restart too: nothing is in memory, journal and store agree. */
static void a_new_process_whose_journal_agrees_relins(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	store_free(&h.store);
	rig_kill(&rig);
	rig_launch(&rig);
	hand_new(&h, rig.sock, "ctl-1", 6000);
	h.known[0] = true;
	h.truth[0] = rec;
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.record.v.gen, rec.v.gen);
	assert_string_equal(k.record.cid, rec.cid);
	store_free(&h.store);
}

/* The store lost the last commits (a power cut, an old backup): the journal wins, under a higher generation. */
static void a_store_that_went_back_follows_the_journal(void **state)
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
	h.floor = (struct version){ rec.v.gen + 100, 40 };      /* and a proxy has seen still more */
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.result, ST_OK);
	assert_true(k.record.v.gen > rec.v.gen + 100);
	assert_int_equal(k.record.v.epoch, 41);
	assert_int_equal(k.record.active, GREEN);
	assert_true(k.record.rev > ahead.rev);
	assert_true(text_starts(k.record.cid, "restamp-"));
	store_free(&h.store);
}

/* Equal versions that name different slots: nobody's word counts, a human is called. */
static void equal_versions_with_different_slots_are_stuck(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, other;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	store_free(&h.store);
	rig_kill(&rig);
	rig_launch(&rig);
	hand_new(&h, rig.sock, "ctl-1", 6000);
	other = rec;
	other.active = GREEN;
	TEXT_COPY(other.cid, "rid-other");
	h.known[0] = true;
	h.truth[0] = other;
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.record.phase, PH_STUCK);
	assert_int_equal(k.record.active, GREEN); /* what this controller told its proxies: static */
	store_free(&h.store);
}

static void flushall_is_noticed_and_everything_is_imported(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;
	struct condemned_set *set = xcalloc(1, sizeof(*set));
	uint64_t gen;

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 900); /* a short lease: it is the renewal that notices */
	pump(h.up);
	struct record none = { 0 }, first = first_record();

	assert_int_equal(commit(&h, "rid-1", MOVE_NOTE, &none, &first, &k), ST_OK);
	rec = k.record;
	gen = rec.v.gen;
	h.known[0] = true;
	h.truth[0] = rec;
	set->n = 1;
	TEXT_COPY(set->list[0].release, "r0");
	TEXT_COPY(set->list[0].by, "switchd");
	h.condemned = set;
	redis(&rig, "FLUSHALL");
	pump_not(h.up);
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.result, ST_OK);
	assert_true(k.record.v.gen > gen);
	assert_int_equal(k.record.v.epoch, 2);
	assert_int_equal(k.record.active, BLUE);
	assert_string_equal(k.record.slot[GREEN].id, "r2");
	assert_int_equal(k.n_condemned, 1);
	assert_string_equal(k.condemned, "r0");
	rec = k.record;
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	/* A commit that meets the emptied store before the renewal does: refused, and set right. */
	h.truth[0] = k.record;
	rec = k.record;
	redis(&rig, "FLUSHALL");
	next = flipped(&rec);
	enum store_result r = commit(&h, "rid-3", MOVE_BACK, &rec, &next, &k);

	assert_true(r == ST_NEWSTORE || r == ST_NOT_LEADER);
	if (h.up)
		pump_not(h.up);
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.record.active, GREEN);
	store_free(&h.store);
	free(set);
}

/* Demoted and promoted under an open connection: the lineage is another one, and the commit itself notices. */
static void another_lineage_under_an_open_connection_stops_the_commit(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	h.known[0] = true;
	h.truth[0] = rec;
	redis(&rig, "REPLICAOF 127.0.0.1 1");
	redis(&rig, "REPLICAOF NO ONE");
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_NEWSTORE);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "1");
	pump_not(h.up);
	pump(h.up); /* alone, and its top is what we wrote last: the same history */
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	assert_false(k.dup);
	assert_int_equal(k.record.v.gen, rec.v.gen);
	store_free(&h.store);
}

/* Stopped between newgen and restamp: the next reconcile ends the work though the lineage is right. */
static void a_half_done_restamp_is_ended(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	store_free(&h.store);
	redis(&rig, "HINCRBY switchd:{0}:meta gen 5");
	hand_new(&h, rig.sock, "ctl-1", 6000);
	h.known[0] = true;
	h.truth[0] = rec;
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.record.v.gen, rec.v.gen + 5);
	assert_int_equal(k.record.v.epoch, 2);
	store_free(&h.store);
}

/* A proxy carries more than the store can give in one commit: a new generation above it. */
static void a_higher_version_elsewhere_asks_for_a_generation(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	h.known[0] = true;
	h.truth[0] = rec;
	next = flipped(&rec);
	next.v.gen += 50;
	assert_int_equal(commit(&h, "rid-2", MOVE_BACK, &rec, &next, &k), ST_NEWSTORE);
	pump_not(h.up);
	pump(h.up);
	load(&h, &k);
	assert_true(k.record.v.gen > rec.v.gen + 50);
	assert_int_equal(k.record.active, BLUE);
	store_free(&h.store);
}

static void nothing_starts_before_the_proxies_were_asked(void **state)
{
	struct hand h;

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 6000);
	h.not_yet = true;
	for (int64_t until = now_ms() + 5000; !strstr(store_why_down(h.store), "proxies of shop") && now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_non_null(strstr(store_why_down(h.store), "proxies of shop"));
	assert_string_equal(redis(&rig, "HEXISTS switchd:{0}:meta gen"), "0");
	h.not_yet = false;
	h.floor = (struct version){ 4000000000, 7 };
	pump(h.up);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:meta gen"), "4000000001");
	store_free(&h.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_lost_reply_is_one_commit),
		T(a_long_silence_is_lost_and_the_same_id_finds_it),
		T(kill_and_restart_is_the_same_history),
		T(a_new_process_whose_journal_agrees_relins),
		T(a_store_that_went_back_follows_the_journal),
		T(equal_versions_with_different_slots_are_stuck),
		T(flushall_is_noticed_and_everything_is_imported),
		T(another_lineage_under_an_open_connection_stops_the_commit),
		T(a_half_done_restamp_is_ended),
		T(a_higher_version_elsewhere_asks_for_a_generation),
		T(nothing_starts_before_the_proxies_were_asked),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
