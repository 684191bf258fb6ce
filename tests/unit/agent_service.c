/* SPDX-License-Identifier: MIT
 * agent_service.c - one service of an agent on a real HAProxy: what it does with what it is told, in which order, and
 * what it leaves alone. */
#include "tests/unit/support/agent_rig.h"

static struct bench b;

static int up(void **state_)
{
	(void)state_;
	bench_start(&b);
	LOOP_UNTIL(&b.r, b.s->found);
	return 0;
}

static int down(void **state_)
{
	(void)state_;
	bench_stop(&b);
	return 0;
}

static void put(const char *value_text) { raw_ok(&b.r, "set map %s shop %s", b.r.map, value_text); }

static bool journal_has(const char *value_text)
{
	struct journal_entry *e = xcalloc(1, sizeof(*e));
	struct proxy_value v;
	bool has;

	assert_true(proxy_value_parse(value_text, &v));
	has = journal_peek(b.r.dir, "shop", e) && e->record.active == v.slot && version_cmp(e->record.v, v.v) == 0 && e->record.shield == v.shield;
	free(e);
	return has;
}

static void a_record_is_journalled_and_applied(void **state_)
{
	(void)state_;
	assert_string_equal(state(&b), "behind");
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	assert_true(shows(&b, "blue:0.0:plain"));
	SHOWS(&b, "green:5.3:plain");
	STATE(&b, "ok");
	assert_true(journal_has("green:5.3:plain"));
	assert_true(file_is(b.r.map, "shop green:5.3:plain\n"));
	assert_int_equal(b.s->n_applied, 1);
	/* Told again, and a shield. */
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	tell(&b, "green:5.4:shield", "r2", "c4", MOVE_NOTE);
	SHOWS(&b, "green:5.4:shield");
	assert_int_equal(b.s->n_applied, 2);
}

static void the_newest_of_many_wins(void **state_)
{
	char text[64], cid[16];

	(void)state_;
	for (int i = 1; i <= 50; i++) {
		TEXT_FORMAT(text, "%s:5.%d:plain", i % 2 ? "green" : "blue", i);
		TEXT_FORMAT(cid, "c%d", i);
		tell(&b, text, i % 2 ? "r2" : "r1", cid, i % 3 ? MOVE_FORWARD : MOVE_AUTO);
	}
	SHOWS(&b, "blue:5.50:plain");
	STATE(&b, "ok");
	STAYS(&b, "blue:5.50:plain");
	LOOP_UNTIL(&b.r, journal_has("blue:5.50:plain"));
}

static void nothing_goes_back(void **state_)
{
	(void)state_;
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	SHOWS(&b, "green:5.3:plain");
	tell(&b, "blue:5.2:plain", "r1", "c2", MOVE_FORCE);
	assert_string_equal(state(&b), "ahead");
	assert_string_equal(why(&b), "5.2 was told, 5.3 is held");
	tell(&b, "blue:5.3:plain", "r1", "x3", MOVE_FORCE);
	assert_string_equal(state(&b), "fork");
	assert_string_equal(why(&b), "5.3 was told of commit x3, and is held of c3");
	STAYS(&b, "green:5.3:plain");
	tell(&b, "blue:9007199254740991.1:plain", "r1", "x4", MOVE_FORCE);
	assert_string_equal(state(&b), "refused");
	STAYS(&b, "green:5.3:plain");
	tell(&b, "blue:6.4:plain", "r1", "d4", MOVE_FORWARD);
	SHOWS(&b, "blue:6.4:plain");
	STATE(&b, "ok");
}

static void a_condemned_release_of_an_older_generation_is_refused(void **state_)
{
	struct shown t = record("blue:5.4:plain", "r1", "c4", MOVE_AUTO, "r2");

	(void)state_;
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	agent_service_told(b.s, &t);
	SHOWS(&b, "blue:5.4:plain");
	LOOP_UNTIL(&b.r, !b.s->journeys);
	/* It is remembered across a restart, with its version. */
	bench_again(&b);
	LOOP_UNTIL(&b.r, b.s->found);
	assert_int_equal(b.s->holds.n_seen, 1);
	t = record("green:6.4:plain", "r2", "d4", MOVE_NOTE, "");
	t.stamped = true;
	agent_service_told(b.s, &t);
	assert_string_equal(state(&b), "refused");
	assert_string_equal(why(&b), "6.4 makes r2 active, which 5.4 condemned");
	agent_service_told(b.s, &t);
	assert_int_equal(b.s->n_refused, 1);
	STAYS(&b, "blue:5.4:plain");
	tell(&b, "green:6.5:plain", "r2", "d5", MOVE_FORCE);
	SHOWS(&b, "green:6.5:plain");
	LOOP_UNTIL(&b.r, !b.s->journeys);
	bench_again(&b);
	assert_int_equal(b.s->holds.n_seen, 0); /* forgotten for good */
}

/* ---- the journal first ---- */

static void a_full_disk_stops_what_goes_forward(void **state_)
{
	(void)state_;
	tell(&b, "blue:5.3:plain", "r1", "c3", MOVE_FORWARD);
	SHOWS(&b, "blue:5.3:plain");
	LOOP_UNTIL(&b.r, !b.s->journeys);
	atomic_store(&journal_disk, DISK_FULL);
	tell(&b, "green:5.4:plain", "r2", "c4", MOVE_FORWARD);
	LOOP_UNTIL(&b.r, b.s->full);
	assert_string_equal(state(&b), "refused");
	assert_true(text_starts(why(&b), "journal: 5.4"));
	STAYS(&b, "blue:5.3:plain");
	tell(&b, "green:5.4:plain", "r2", "c4", MOVE_FORWARD); /* told again: no other answer */
	LOOP_UNTIL(&b.r, !b.s->journeys);
	assert_int_equal(b.s->n_refused, 1);
	atomic_store(&journal_disk, DISK_GOOD);
	SHOWS(&b, "green:5.4:plain"); /* tried again by itself */
	STATE(&b, "ok");
	assert_true(journal_has("green:5.4:plain"));
}

static void a_full_disk_stops_no_way_back(void **state_)
{
	(void)state_;
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	SHOWS(&b, "green:5.3:plain");
	LOOP_UNTIL(&b.r, !b.s->journeys);
	atomic_store(&journal_disk, DISK_FULL);
	tell(&b, "blue:5.4:plain", "r1", "c4", MOVE_AUTO);
	SHOWS(&b, "blue:5.4:plain");
	STATE(&b, "ok");
	LOOP_UNTIL(&b.r, b.s->undurable);
	assert_true(text_starts(why(&b), "journal:"));
	atomic_store(&journal_disk, DISK_GOOD);
	LOOP_UNTIL(&b.r, !b.s->undurable);
	assert_true(journal_has("blue:5.4:plain"));
	assert_string_equal(why(&b), "");
}

static void a_slow_disk_stops_no_way_back(void **state_)
{
	(void)state_;
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	SHOWS(&b, "green:5.3:plain");
	LOOP_UNTIL(&b.r, !b.s->journeys);
	atomic_store(&journal_disk, DISK_HANGS);
	tell(&b, "green:5.4:shield", "r2", "c4", MOVE_NOTE);
	tell(&b, "blue:5.5:plain", "r1", "c5", MOVE_BACK);
	tell(&b, "green:5.6:plain", "r2", "c6", MOVE_FORWARD);
	SHOWS(&b, "blue:5.5:plain");
	STAYS(&b, "blue:5.5:plain");
	assert_true(b.s->undurable);
	atomic_store(&journal_disk, DISK_GOOD);
	SHOWS(&b, "green:5.6:plain");
	LOOP_UNTIL(&b.r, !b.s->journeys && !b.s->undurable);
	assert_true(journal_has("green:5.6:plain"));
}

static void what_hangs_at_the_end_is_not_waited_for_by_the_service(void **state_)
{
	(void)state_;
	atomic_store(&journal_disk, DISK_HANGS);
	tell(&b, "green:5.4:plain", "r2", "c4", MOVE_FORWARD);
	tell(&b, "blue:5.5:plain", "r1", "c5", MOVE_BACK);
	assert_true(agent_service_busy(b.s));
	agent_service_free(&b.s);
	b.list[0] = b.s = agent_service_new(&b.a, &b.r.svc, &b.from);
	atomic_store(&journal_disk, DISK_GOOD);
	polls(&b, 1);
}

/* ---- a start ---- */

static void a_start_without_the_store_changes_nothing(void **state_)
{
	(void)state_;
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	SHOWS(&b, "green:5.3:plain");
	LOOP_UNTIL(&b.r, !b.s->journeys);
	bench_end(&b);
	put("blue:5.2:plain");
	bench_begin(&b);
	LOOP_UNTIL(&b.r, b.s->found);
	STAYS(&b, "blue:5.2:plain");
	assert_string_equal(state(&b), "behind");
	assert_string_equal(why(&b), "the store is away: nothing is changed");
	/* Restarted or not: it was never seen here with what is journalled. */
	haproxy_kill(&b.r);
	put_file(b.r.map, "shop blue:5.2:plain\n");
	haproxy_start(&b.r);
	STAYS(&b, "blue:5.2:plain");
	/* The record is what is held: now it is put right. */
	store_up(&b, true);
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	SHOWS(&b, "green:5.3:plain");
	STATE(&b, "ok");
}

static void killed_between_journal_and_proxy_it_converges(void **state_)
{
	struct shown t = record("green:5.4:plain", "r2", "c4", MOVE_FORWARD, "");
	char error[128];

	(void)state_;
	tell(&b, "blue:5.3:plain", "r1", "c3", MOVE_FORWARD);
	SHOWS(&b, "blue:5.3:plain");
	LOOP_UNTIL(&b.r, !b.s->journeys);
	bench_end(&b);
	/* The journal of one that was killed there. */
	struct journal *j = journal_open(b.r.loop, b.r.dir, error, sizeof(error));
	struct journal_entry *e = xcalloc(1, sizeof(*e));

	(void)TEXT_COPY(e->service, "shop");
	e->record.v = t.value.v;
	e->record.active = GREEN;
	(void)TEXT_COPY(e->record.cid, "c4");
	e->record.claim.slot = e->record.deploy.slot = e->record.pin.slot = NO_SLOT;
	journal_add(j, e, NULL, NULL);
	journal_close(&j);
	free(e);
	bench_begin(&b);
	LOOP_UNTIL(&b.r, b.s->found);
	STAYS(&b, "blue:5.3:plain");
	agent_service_told(b.s, &t);
	SHOWS(&b, "green:5.4:plain");
	STATE(&b, "ok");
}

static void a_first_start_takes_what_the_proxies_show(void **state_)
{
	(void)state_;
	bench_end(&b);
	put("green:5.3:plain");
	bench_begin(&b);
	tell(&b, "blue:5.1:plain", "r1", "c1", MOVE_FORWARD); /* kept until the proxies were asked */
	tell(&b, "blue:5.2:plain", "r1", "c2", MOVE_FORWARD);
	tell(&b, "blue:5.1:plain", "r1", "c1", MOVE_FORWARD);
	LOOP_UNTIL(&b.r, b.s->found);
	assert_string_equal(state(&b), "ahead");
	assert_string_equal(why(&b), "5.2 was told, 5.3 is held");
	STAYS(&b, "green:5.3:plain");
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	STATE(&b, "ok");
	LOOP_UNTIL(&b.r, journal_has("green:5.3:plain"));
	tell(&b, "blue:5.3:plain", "r1", "x3", MOVE_FORWARD);
	assert_string_equal(state(&b), "fork");
}

static void a_missing_record_keeps_what_is_there(void **state_)
{
	(void)state_;
	store_up(&b, true);
	put("green:5.3:plain");
	STAYS(&b, "green:5.3:plain");
	assert_string_equal(why(&b), "the store has told no record");
	assert_int_equal(b.s->n_applied, 0);
}

/* ---- behind our back ---- */

static void a_reload_with_an_old_file_is_put_right_without_the_store(void **state_)
{
	(void)state_;
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	SHOWS(&b, "green:5.3:plain");
	LOOP_UNTIL(&b.r, !b.s->journeys);
	bench_again(&b); /* a start with the store away: it sees what it had, and keeps that */
	LOOP_UNTIL(&b.r, b.s->found);
	put_file(b.r.map, "shop blue:5.2:plain\n");
	haproxy_reload(&b.r);
	SHOWS(&b, "green:5.3:plain");
	LOOP_UNTIL(&b.r, file_is(b.r.map, "shop green:5.3:plain\n"));
	haproxy_kill(&b.r);
	STATE(&b, "down");
	put_file(b.r.map, "shop blue:5.2:plain\n");
	haproxy_start(&b.r);
	SHOWS(&b, "green:5.3:plain");
	assert_false(b.s->confirmed);
}

static void a_pin_is_left_alone_until_a_person_ends_it(void **state_)
{
	(void)state_;
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	SHOWS(&b, "green:5.3:plain");
	put("blue:pin.1790000000:plain");
	STATE(&b, "pinned");
	STAYS(&b, "blue:pin.1790000000:plain");
	tell(&b, "blue:5.4:plain", "r1", "c4", MOVE_FORCE); /* the record follows it */
	tell(&b, "blue:5.5:plain", "r1", "c5", MOVE_NOTE);
	STAYS(&b, "blue:pin.1790000000:plain");
	assert_string_equal(state(&b), "pinned");
	tell(&b, "green:5.6:plain", "r2", "c6", MOVE_FORCE);
	SHOWS(&b, "green:5.6:plain");
	put("green:pin.1790000001:plain");
	STATE(&b, "pinned");
	tell(&b, "green:5.7:plain", "r2", "c7", MOVE_BACK);
	SHOWS(&b, "green:5.7:plain");
	STATE(&b, "ok");
}

static void somebody_elses_value_is_put_right_once_a_minute(void **state_)
{
	(void)state_;
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	SHOWS(&b, "green:5.3:plain");
	put("blue:4.1:plain"); /* so soon after a write of ours a reload is meant */
	SHOWS(&b, "green:5.3:plain");
	put("blue:9.9:plain");
	STATE(&b, "ahead");
	STAYS(&b, "blue:9.9:plain");
	put("purple:1.1:plain");
	SHOWS(&b, "green:5.3:plain");
	STATE(&b, "ok");
}

static void a_proxy_that_is_down_is_told_when_it_is_back(void **state_)
{
	(void)state_;
	haproxy_kill(&b.r);
	STATE(&b, "down");
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	LOOP_UNTIL(&b.r, file_is(b.r.map, "shop green:5.3:plain\n"));
	assert_string_equal(state(&b), "down");
	put_file(b.r.map, "shop blue:0.0:plain\n");
	haproxy_start(&b.r);
	SHOWS(&b, "green:5.3:plain");
	STATE(&b, "ok");
}

static void observe_mode_writes_nothing(void **state_)
{
	(void)state_;
	b.r.svc.mode = MODE_OBSERVE;
	bench_again(&b);
	LOOP_UNTIL(&b.r, b.s->found);
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	LOOP_UNTIL(&b.r, b.s->n_applied);
	STAYS(&b, "blue:0.0:plain");
	assert_string_equal(state(&b), "behind");
	put("green:5.3:plain");
	STATE(&b, "ok");
}

/* ---- drain ---- */

static void sessions_of_the_slot_left_are_cut_after_the_drain(void **state_)
{
	char c;

	(void)state_;
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	SHOWS(&b, "green:5.3:plain");
	int fd = front_connect(&b.r);
	assert_true(dprintf(fd, "GET /stream HTTP/1.1\r\nHost: shop.example.com\r\n\r\n") > 0);
	LOOP_UNTIL(&b.r, atomic_load(&b.r.shared->streaming));
	tell(&b, "blue:5.4:shield", "r1", "c4", MOVE_FORWARD);
	SHOWS(&b, "blue:5.4:shield");
	polls(&b, 3);
	assert_int_equal(keep_look(b.s->px[0])->cut, 0); /* while the shield may ask it */
	tell(&b, "blue:5.5:plain", "r1", "c5", MOVE_NOTE);
	LOOP_UNTIL(&b.r, keep_look(b.s->px[0])->cut == 1);
	while (read(fd, &c, 1) > 0)
		;
	close(fd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
	const struct CMUnitTest tests[] = {
		T(a_record_is_journalled_and_applied),
		T(the_newest_of_many_wins),
		T(nothing_goes_back),
		T(a_condemned_release_of_an_older_generation_is_refused),
		T(a_full_disk_stops_what_goes_forward),
		T(a_full_disk_stops_no_way_back),
		T(a_slow_disk_stops_no_way_back),
		T(what_hangs_at_the_end_is_not_waited_for_by_the_service),
		T(a_start_without_the_store_changes_nothing),
		T(killed_between_journal_and_proxy_it_converges),
		T(a_first_start_takes_what_the_proxies_show),
		T(a_missing_record_keeps_what_is_there),
		T(a_reload_with_an_old_file_is_put_right_without_the_store),
		T(a_pin_is_left_alone_until_a_person_ends_it),
		T(somebody_elses_value_is_put_right_once_a_minute),
		T(a_proxy_that_is_down_is_told_when_it_is_back),
		T(observe_mode_writes_nothing),
		T(sessions_of_the_slot_left_are_cut_after_the_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
