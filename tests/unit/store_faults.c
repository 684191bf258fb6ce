/* SPDX-License-Identifier: MIT
 * store_faults.c - the store when Redis, its data, or the other leader misbehave (faults.md R1, R2, R4, R6 to R14). */
#include "tests/unit/support/store_rig.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct rig rig;

static int setup(void **state)
{
	(void)state;
	rig_start(&rig);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

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

/* ---- the lease ---- */

static void a_second_owner_takes_over_and_the_first_is_fenced(void **state)
{
	struct hand a, b;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_new(&a, rig.sock, "ctl-1", 6000);
	pump(a.up);
	struct record none = { 0 }, first = first_record();

	assert_int_equal(commit(&a, "rid-1", MOVE_NOTE, &none, &first, &k), ST_OK);
	rec = k.record;
	hand_new(&b, rig.sock, "ctl-2", 900);
	for (int64_t until = now_ms() + 5000; !strstr(store_why_down(b.store), "another switchd leads") && now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_non_null(strstr(store_why_down(b.store), "ctl-1"));
	assert_false(b.up);
	assert_true(store_may_act(a.store, false));
	assert_false(store_may_act(b.store, true));
	next = flipped(&rec);
	assert_int_equal(commit(&b, "rid-2", MOVE_BACK, &rec, &next, &k), ST_NOT_LEADER);
	/* The lease of the first ends (as after a long stop of its process); it does not know yet. */
	redis(&rig, "PEXPIRE switchd:{0}:lease 1");
	pump(b.up);
	assert_true(a.up);
	assert_int_equal(commit(&a, "rid-3", MOVE_BACK, &rec, &next, &k), ST_NOT_LEADER);
	pump_not(a.up);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "1");
	assert_int_equal(commit(&b, "rid-4", MOVE_BACK, &rec, &next, &k), ST_OK);
	for (int64_t until = now_ms() + 5000; !strstr(store_why_down(a.store), "another switchd leads") && now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_false(store_may_act(a.store, true));
	/* The store goes away: who was not leading does not begin to act. */
	rig_kill(&rig);
	pump_not(b.up);
	assert_false(store_may_act(a.store, true));
	assert_true(store_may_act(b.store, true));
	store_free(&a.store);
	store_free(&b.store);
	rig_launch(&rig);
}

/* What was decided may be told on while the lease runs; after it, only where the offline rule says so. */
static void what_was_decided_is_told_while_the_lease_runs(void **state)
{
	struct hand h;

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 1500); /* ours for 1 s */
	assert_false(store_may_act(h.store, false)); /* it never was ours */
	pump(h.up);
	assert_true(store_may_act(h.store, false));
	kill(rig.pid, SIGSTOP);
	for (int64_t until = now_ms() + 1100; now_ms() < until;) /* this process stands still as well: nothing tells it anything */
		usleep(10000);
	assert_false(store_may_act(h.store, true));
	rig_kill(&rig);
	for (int64_t until = now_ms() + 5000; !text_starts(store_why_down(h.store), "not connected") && now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_false(store_may_act(h.store, false));
	assert_true(store_may_act(h.store, true));
	rig_launch(&rig);
	pump(h.up);
	assert_true(store_may_act(h.store, false));
	store_free(&h.store);
	assert_false(store_may_act(h.store, true));
}

static void on_released(void *arg) { *(bool *)arg = true; }

/* Nobody commits: it is the renewal that notices, and it does not prolong another's lease. */
static void a_lease_taken_away_is_noticed_by_the_renewal(void **state)
{
	struct hand h;
	bool released = false;

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 900);
	pump(h.up);
	redis(&rig, "SET switchd:{0}:lease %s PX 60000", "99 ctl-2");
	pump_not(h.up);
	for (int64_t until = now_ms() + 5000; !strstr(store_why_down(h.store), "another switchd leads") && now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_non_null(strstr(store_why_down(h.store), "leads: ctl-2"));
	assert_true(atol(redis(&rig, "PTTL switchd:{0}:lease")) > 30000);
	store_release_lease(h.store, on_released, &released); /* nor does a stop give away what is not ours */
	pump(released);
	assert_string_equal(redis(&rig, "EXISTS switchd:{0}:lease"), "1");
	store_free(&h.store);
}

/* The same owner again (a restart, a twin): a new term, and the old one is fenced. */
static void the_same_owner_again_gets_a_new_term(void **state)
{
	struct hand a, b;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&a, &rig, &rec);
	hand_new(&b, rig.sock, "ctl-1", 6000);
	b.known[0] = true;
	b.truth[0] = rec;
	pump(b.up);
	next = flipped(&rec);
	assert_int_equal(commit(&a, "rid-2", MOVE_BACK, &rec, &next, &k), ST_NOT_LEADER);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "1");
	store_free(&a.store);
	store_free(&b.store);
}

static void a_clean_stop_gives_the_lease_back_at_once(void **state)
{
	struct hand h;
	struct record rec;
	bool released = false;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	assert_string_equal(redis(&rig, "EXISTS switchd:{0}:lease"), "1");
	store_release_lease(h.store, on_released, &released);
	assert_false(released);
	assert_false(store_is_up(h.store));
	pump(released);
	assert_string_equal(redis(&rig, "EXISTS switchd:{0}:lease"), "0");
	store_free(&h.store);
}

/* No renewal gets through: we stop acting before the key can end, by our own clock and with the connection up. */
static void without_renewal_we_stop_before_the_lease_ends(void **state)
{
	struct hand h;

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 1200);
	pump(h.up);
	redis(&rig, "CLIENT PAUSE 900 ALL");
	pump_not(h.up);
	assert_false(store_is_up(h.store));
	pump(h.up);
	store_free(&h.store);
}

/* ---- data that somebody else wrote ---- */

/* Each key of a commit of the wrong type: refused, and nothing of it is written (state.md 3). */
static void a_poisoned_key_refuses_and_writes_nothing(void **state)
{
	static const char *const keys[] = { "meta", "lease", "s:shop", "a:shop", "x:shop", "ev", "q:rid-2" };
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	next = flipped(&rec);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char before[70000], a[300], x[16], seq[32];

		redis(&rig, "RENAMENX switchd:{0}:s:shop switchd:{0}:s:shop"); /* no-op: keeps the script cache warm */
		TEXT_COPY(before, redis(&rig, "HGET switchd:{0}:s:shop doc"));
		TEXT_COPY(a, redis(&rig, "GET switchd:{0}:a:shop"));
		TEXT_COPY(x, redis(&rig, "HLEN switchd:{0}:x:shop"));
		TEXT_COPY(seq, redis(&rig, "HGET switchd:{0}:meta seq"));
		bool there = strcmp(redis(&rig, "EXISTS switchd:{0}:%s", keys[i]), "1") == 0;

		if (there)
			redis(&rig, "RENAME switchd:{0}:%s aside", keys[i]);
		redis(&rig, "SADD switchd:{0}:%s poison", keys[i]);
		enum store_result r = commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k);

		if (r != ST_BAD_DATA)
			fail_msg("%s: %s (%s)", keys[i], store_result_name(r), k.detail);
		assert_string_equal(redis(&rig, "SCARD switchd:{0}:%s", keys[i]), "1");
		redis(&rig, "DEL switchd:{0}:%s", keys[i]);
		if (there)
			redis(&rig, "RENAME aside switchd:{0}:%s", keys[i]);
		assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop doc"), before);
		assert_string_equal(redis(&rig, "GET switchd:{0}:a:shop"), a);
		assert_string_equal(redis(&rig, "HLEN switchd:{0}:x:shop"), x);
		assert_string_equal(redis(&rig, "HGET switchd:{0}:meta seq"), seq);
		assert_string_equal(redis(&rig, "EXISTS switchd:{0}:q:rid-2"), "0");
	}
	/* And with all of them well again it goes through. */
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	assert_false(k.dup);
	store_free(&h.store);
}

static void a_stream_id_that_leaves_no_room_fails_closed(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "XADD switchd:{0}:ev 18446744073709551615-1 s x e y");
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_REFUSED);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "1");
	store_free(&h.store);
}

/* R13: values that are no values.  Never loaded, never committed upon, never overwritten. */
static void values_that_are_none_are_refused(void **state)
{
	static const struct { const char *field, *value; } rows[] = {
		{ "active", "purple" }, { "active", "" }, { "epoch", "-1" }, { "epoch", "9223372036854775808" }, { "epoch", "1e9" },
		{ "epoch", "NaN" }, { "epoch", "01" }, { "gen", "0" }, { "gen", "" }, { "rev", "2" }, { "rev", "x" }, { "cid", "" },
		{ "cid", "someone" }, { "shield", "maybe" }, { "shield", "shield" }, { "phase", "weird" }, { "hold", "yes" },
		{ "hold", "1" }, { "blue", "r7" }, { "green", "" }, { "doc", "" }, { "doc", "{}" }, { "doc", "[" }, { "doc", "\xff\xfe" },
		{ "doc", "{\"rev\":1e999999}" },
	};
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	next = flipped(&rec);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		redis(&rig, "COPY switchd:{0}:s:shop aside REPLACE");
		redis(&rig, "HSET switchd:{0}:s:shop %s %s", rows[i].field, rows[i].value);
		load(&h, &k);
		if (k.result != ST_BAD_DATA || k.has_record)
			fail_msg("%s=%s: load says %s", rows[i].field, rows[i].value, store_result_name(k.result));
		/* Fields that the script judges by stop it; the others are only the document's. */
		if (strcmp(rows[i].field, "active") == 0 || strcmp(rows[i].field, "epoch") == 0 || strcmp(rows[i].field, "rev") == 0 ||
		    strcmp(rows[i].field, "gen") == 0) {
			enum store_result r = commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k);

			if (r != ST_BAD_DATA)
				fail_msg("%s=%s: commit says %s", rows[i].field, rows[i].value, store_result_name(r));
			assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop %s", rows[i].field), rows[i].value);
		}
		pump(h.up);
		redis(&rig, "HDEL switchd:{0}:s:shop %s", rows[i].field);
		load(&h, &k);
		assert_int_equal(k.result, ST_BAD_DATA);
		redis(&rig, "COPY aside switchd:{0}:s:shop REPLACE");
		load(&h, &k);
		assert_int_equal(k.result, ST_OK);
	}
	/* Condemned releases: an entry that cannot be read stops every load and every flip. */
	static const char *const bad[] = { "", "{}", "7", "{\"release\":\"other\"}", "\xff" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		redis(&rig, "HSET switchd:{0}:x:shop r5 %s", bad[i]);
		load(&h, &k);
		assert_int_equal(k.result, ST_BAD_DATA);
	}
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_BAD_DATA);
	store_free(&h.store);
}

/* A record beyond all bounds is refused where it lies; the connection and the other services do not suffer. */
static void on_value(void *arg, bool ok, const char *text)
{
	struct ask *k = arg;

	(void)text;
	k->done = true;
	k->result = ok ? ST_OK : ST_LOST;
}

static void giant_values_are_not_taken_in(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec;
	char *big = xcalloc(1, 2000001);

	(void)state;
	hand_with_record(&h, &rig, &rec);
	h.known[0] = true;
	h.truth[0] = rec;
	memset(big, '[', 2000000);
	redis(&rig, "HSET switchd:{0}:s:shop doc %s", big);
	load(&h, &k);
	assert_int_equal(k.result, ST_BAD_DATA);
	rec.v.epoch++, rec.active = GREEN;
	struct record was = rec;

	was.rev += 7;
	assert_int_equal(commit(&h, "rid-2", MOVE_BACK, &was, &rec, &k), ST_BAD_DATA);
	assert_true(h.up);
	redis(&rig, "SET switchd:{0}:b:shop:x %s", big);
	redis(&rig, "XADD switchd:{0}:ev 3000000000-1 s shop e %s", big);
	ask_new(&k);
	store_get(h.store, "shop", "x", on_value, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_LOST);
	ask_new(&k);
	store_events(h.store, "shop", "", 10, on_value, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	assert_true(h.up);
	assert_int_equal(h.ups, 1);
	free(big);
	store_free(&h.store);
}

/* R9: a replica refuses to write: refused by name, and the connection is made anew. */
static void a_replica_is_refused_by_name(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	h.known[0] = true;
	h.truth[0] = rec;
	redis(&rig, "REPLICAOF 127.0.0.1 1");
	next = flipped(&rec);
	enum store_result r = commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k);

	assert_true(r == ST_REFUSED || r == ST_NEWSTORE || r == ST_LOST);
	pump_not(h.up);
	redis(&rig, "REPLICAOF NO ONE"); /* promoted: another lineage */
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.result, ST_OK);
	assert_int_equal(k.record.active, BLUE);
	store_free(&h.store);
}

/* ---- R12: a server that is none ---- */

struct fake { int fd; pthread_t thread; const char *say; size_t len; volatile int served; };

static void *serve(void *arg)
{
	struct fake *f = arg;

	for (;;) {
		int c = accept(f->fd, NULL, NULL);
		char in[4096];

		if (c < 0)
			return NULL;
		/* greets, and answers whatever comes then with what it was told to say, for ever */
		if (read(c, in, sizeof(in)) > 0 && send(c, "+PONG\r\n", 7, MSG_NOSIGNAL) == 7 && read(c, in, sizeof(in)) > 0)
			for (int i = 0; i < 200 && send(c, f->say, f->len, MSG_NOSIGNAL) == (ssize_t)f->len; i++)
				;
		f->served++;
		close(c);
	}
}

static void fake_start(struct fake *f, const char *path, const char *say, size_t len)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	*f = (struct fake){ .say = say, .len = len };
	f->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_true(TEXT_COPY(a.sun_path, path));
	unlink(path);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(f->fd, 8), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

static void fake_stop(struct fake *f)
{
	shutdown(f->fd, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->fd);
}

static void a_server_that_talks_nonsense_is_survived(void **state)
{
	static char chunk[65536], deep[4096];
	static const struct { const char *name, *say; size_t len; } rows[] = {
		{ "garbage", "HTTP/1.1 400 Bad Request\r\n\r\n", 28 },
		{ "half a reply", "$100\r\nabc", 9 },
		{ "a bulk of 1 GiB", "$1073741824\r\n", 13 },
		{ "an array of two thousand million", "*2147483647\r\n", 13 },
		{ "a negative array", "*-7\r\n", 5 },
		{ "deep nesting", deep, sizeof(deep) },
		{ "an endless bulk", chunk, sizeof(chunk) },
		{ "replies of another shape", "*1\r\n$2\r\nOK\r\n", 12 },
		{ "integers", ":7\r\n", 4 },
		{ "answers nobody asked for", "+OK\r\n+OK\r\n+OK\r\n", 15 },
		{ "nils", "$-1\r\n", 5 },
	};
	char path[128];

	(void)state;
	for (size_t i = 0; i + 4 <= sizeof(deep); i += 4)
		memcpy(deep + i, "*1\r\n", 4);
	memset(chunk, 'x', sizeof(chunk));
	memcpy(chunk, "$900000000\r\n", 12);
	snprintf(path, sizeof(path), "%s/fake", rig.dir);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake f;
		struct hand h;
		int64_t until = now_ms() + 10000;

		fake_start(&f, path, rows[i].say, rows[i].len);
		hand_new(&h, path, "ctl-1", 6000);
		while (f.served < 2 && now_ms() < until) {
			ev_run(EV_DEFAULT, EVRUN_ONCE);
			assert_false(store_is_up(h.store));
		}
		if (f.served < 2)
			fail_msg("%s: the store did not come back for more", rows[i].name);
		store_free(&h.store);
		fake_stop(&f);
	}
}

/* Resolves, does not connect, and the loop never waits for either. */
static void a_name_that_does_not_resolve_is_named(void **state)
{
	struct hand h;

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 6000);
	store_free(&h.store);
	h.cfg.redis.unix_path = "";
	h.cfg.redis.host = "no-such-host.invalid";
	h.cfg.redis.port = 6379;
	h.store = store_new(EV_DEFAULT, &h.cfg, "ctl-1", on_up, &h);
	for (int64_t until = now_ms() + 8000; !strstr(store_why_down(h.store), "esolv") && !strstr(store_why_down(h.store), "no-such-host") &&
	     now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_true(strstr(store_why_down(h.store), "no-such-host") || strstr(store_why_down(h.store), "resolved"));
	store_free(&h.store);
}

/* TCP, by address and by name. */
static void tcp_works_by_name(void **state)
{
	struct hand h;
	char port[16];
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	struct addrinfo *known = NULL;

	(void)state;
	if (getaddrinfo("localhost", NULL, NULL, &known) != 0) {
		close(s);
		skip(); /* a root without /etc/hosts: no name to connect by */
	}
	freeaddrinfo(known);
	assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&a, &len), 0);
	close(s);
	snprintf(port, sizeof(port), "%d", ntohs(a.sin_port));
	redis(&rig, "CONFIG SET port %s", port);
	hand_new(&h, rig.sock, "ctl-1", 6000);
	store_free(&h.store);
	h.cfg.redis.unix_path = "";
	h.cfg.redis.host = "localhost";
	h.cfg.redis.port = (uint16_t)atol(port);
	h.store = store_new(EV_DEFAULT, &h.cfg, "ctl-1", on_up, &h);
	pump(h.up);
	store_free(&h.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
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
		T(a_second_owner_takes_over_and_the_first_is_fenced),
		T(what_was_decided_is_told_while_the_lease_runs),
		T(a_lease_taken_away_is_noticed_by_the_renewal),
		T(the_same_owner_again_gets_a_new_term),
		T(a_clean_stop_gives_the_lease_back_at_once),
		T(without_renewal_we_stop_before_the_lease_ends),
		T(a_poisoned_key_refuses_and_writes_nothing),
		T(a_stream_id_that_leaves_no_room_fails_closed),
		T(values_that_are_none_are_refused),
		T(giant_values_are_not_taken_in),
		T(a_replica_is_refused_by_name),
		T(a_server_that_talks_nonsense_is_survived),
		T(a_name_that_does_not_resolve_is_named),
		T(tcp_works_by_name),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
