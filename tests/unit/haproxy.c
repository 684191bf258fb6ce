/* SPDX-License-Identifier: MIT
 * haproxy.c - the adapter against the real HAProxy: what is shown, kept, refused and survived. */
#include "tests/unit/support/haproxy_real.h"

#include "switchd/proxy/haproxy_cli.h"

static struct rig rig;

static int up(void **state)
{
	(void)state;
	rig_start(&rig, "shop");
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static void moves_forward_and_back(void **state)
{
	(void)state;
	struct said s = apply(&rig, value(GREEN, 7, 1, true), ORDER_FORWARD);

	assert_result(s, PX_OK);
	assert_true(s.a.has_value && s.a.durable && s.a.value.slot == GREEN && s.a.value.shield);
	assert_shows(&rig, "green:7.1:shield");
	assert_true(file_is(rig.map, "shop green:7.1:shield\n"));

	s = apply(&rig, value(GREEN, 7, 1, true), ORDER_FORWARD);
	assert_result(s, PX_OK);
	assert_true(s.a.durable);
	assert_int_equal(s.a.write_us, 0); /* shown already: nothing was written */

	s = apply(&rig, value(BLUE, 7, 2, false), ORDER_BACK);
	assert_result(s, PX_OK);
	assert_shows(&rig, "blue:7.2:plain");
	LOOP_UNTIL(&rig, file_is(rig.map, "shop blue:7.2:plain\n"));
	LOOP_UNTIL(&rig, (s = read_back(&rig)).a.durable);
	assert_result(s, PX_OK);
	assert_false(s.a.restarted);
	assert_int_equal(s.a.value.v.epoch, 2);
	/* The same version with another slot is somebody's hand: put right, not refused. */
	raw_ok(&rig, "set map %s shop green:7.2:plain", rig.map);
	s = read_back(&rig);
	assert_true(s.a.has_value && s.a.value.slot == GREEN && !s.a.durable);
	assert_result(apply(&rig, value(BLUE, 7, 2, false), ORDER_BACK), PX_OK);
	assert_shows(&rig, "blue:7.2:plain");
}

static void never_goes_below_what_it_shows(void **state)
{
	(void)state;
	assert_result(apply(&rig, value(GREEN, 7, 5, false), ORDER_FORWARD), PX_OK);
	for (int order = ORDER_FORWARD; order <= ORDER_BACK; order++) {
		struct said s = apply(&rig, value(BLUE, 7, 4, false), (enum proxy_order)order);

		assert_result(s, PX_NEWER);
		assert_true(s.a.has_value && s.a.value.v.epoch == 5);
		s = apply(&rig, value(BLUE, 6, 900, false), (enum proxy_order)order);
		assert_result(s, PX_NEWER);
	}
	assert_shows(&rig, "green:7.5:plain");
	assert_true(file_is(rig.map, "shop green:7.5:plain\n"));
	/* The file alone says a higher version: the proxy has not read it yet. */
	put_file(rig.map, "shop green:8.1:plain\n");
	assert_result(apply(&rig, value(BLUE, 7, 6, false), ORDER_FORWARD), PX_NEWER);
	assert_shows(&rig, "green:7.5:plain");
	assert_true(file_is(rig.map, "shop green:8.1:plain\n"));
}

static void a_pin_stands_until_a_person_ends_it(void **state)
{
	(void)state;
	struct proxy_value pin = { .slot = GREEN, .pin = true, .v = { 0, 1795300000 } };

	assert_result(apply(&rig, value(BLUE, 7, 5, true), ORDER_FORWARD), PX_OK);
	assert_result(apply(&rig, pin, ORDER_FORWARD), PX_OK);
	assert_shows(&rig, "green:pin.1795300000:plain");
	assert_true(file_is(rig.map, "shop green:pin.1795300000:plain\n"));
	for (int order = ORDER_FORWARD; order <= ORDER_BACK; order++) {
		struct said s = apply(&rig, value(BLUE, 7, 6, false), (enum proxy_order)order);

		assert_result(s, PX_PINNED);
		assert_true(s.a.has_value && s.a.value.pin && s.a.value.slot == GREEN);
	}
	assert_shows(&rig, "green:pin.1795300000:plain");
	assert_true(file_is(rig.map, "shop green:pin.1795300000:plain\n"));
	proxy_unpin(rig.px);
	assert_result(apply(&rig, value(BLUE, 7, 6, false), ORDER_FORWARD), PX_OK);
	/* At runtime only, by socat: the file keeps what it had. */
	raw_ok(&rig, "set map %s shop green:pin.1795300001:plain", rig.map);
	assert_result(apply(&rig, value(BLUE, 7, 7, false), ORDER_FORWARD), PX_PINNED);
	assert_true(file_is(rig.map, "shop blue:7.6:plain\n"));
	assert_shows(&rig, "green:pin.1795300001:plain");
}

static void unknown_backends_and_maps_are_refused(void **state)
{
	(void)state;
	struct said s = { 0 };

	rig.proxy.backend[GREEN] = "shop-gren";
	s = apply(&rig, value(GREEN, 7, 1, false), ORDER_FORWARD);
	assert_result(s, PX_UNKNOWN_BACKEND);
	assert_non_null(strstr(s.a.detail, "shop-gren"));
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_BACK), PX_UNKNOWN_BACKEND);
	s = (struct said){ 0 };
	proxy_preflight(rig.px, GREEN, said_ready, &s);
	run_until(&rig, &s);
	assert_result(s, PX_UNKNOWN_BACKEND);
	rig.proxy.backend[GREEN] = "shop-green";
	rig.proxy.shield_backend = "shop-shild";
	assert_result(apply(&rig, value(GREEN, 7, 1, true), ORDER_FORWARD), PX_UNKNOWN_BACKEND);
	assert_shows(&rig, "blue:0.0:plain");
	assert_true(file_is(rig.map, "shop blue:0.0:plain\n"));
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_FORWARD), PX_OK);

	/* A map that the running proxy has not loaded. */
	char other[128];
	(void)TEXT_FORMAT(other, "%s/other.map", rig.dir);
	proxy_free(&rig.px);
	rig.proxy.map = other;
	rig.px = proxy_new(rig.loop, &rig.svc, &rig.proxy);
	assert_result(apply(&rig, value(BLUE, 7, 2, false), ORDER_FORWARD), PX_NO_MAP);
	assert_result(read_back(&rig), PX_NO_MAP);
	assert_int_equal(access(other, F_OK), -1);
	proxy_free(&rig.px);
}

static void a_missing_key_is_added_and_doubles_converge(void **state)
{
	char v[128];
	int n;

	(void)state;
	raw_ok(&rig, "del map %s shop", rig.map);
	struct said s = read_back(&rig);
	assert_result(s, PX_BAD_VALUE);
	assert_false(s.a.has_value);
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_FORWARD), PX_OK);
	shown(&rig, rig.map, v, sizeof(v), &n);
	assert_int_equal(n, 1);
	assert_string_equal(v, "green:7.1:plain");
	raw_ok(&rig, "add map %s shop blue:7.9:plain", rig.map);
	/* The old one wins in HAProxy: that is what it shows. */
	s = read_back(&rig);
	assert_int_equal(s.a.value.v.epoch, 1);
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_FORWARD), PX_OK);
	raw_ok(&rig, "set map %s shop purple", rig.map);
	s = read_back(&rig);
	assert_result(s, PX_BAD_VALUE);
	assert_non_null(strstr(s.a.detail, "purple"));
	assert_result(apply(&rig, value(GREEN, 7, 2, false), ORDER_BACK), PX_OK);
	assert_shows(&rig, "green:7.2:plain");
}

static void a_killed_proxy_is_absent_and_starts_with_the_file(void **state)
{
	(void)state;
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_FORWARD), PX_OK);
	assert_result(read_back(&rig), PX_OK);
	haproxy_kill(&rig);
	assert_result(read_back(&rig), PX_ABSENT);
	struct said s = apply(&rig, value(BLUE, 7, 2, false), ORDER_BACK);
	assert_result(s, PX_ABSENT);
	assert_false(s.a.has_value);
	LOOP_UNTIL(&rig, file_is(rig.map, "shop blue:7.2:plain\n"));
	haproxy_start(&rig);
	s = read_back(&rig);
	assert_result(s, PX_OK);
	assert_true(s.a.restarted && s.a.value.slot == BLUE);
	LOOP_UNTIL(&rig, (s = read_back(&rig)).a.durable);
	assert_false(s.a.restarted);
	assert_result(apply(&rig, value(BLUE, 7, 2, false), ORDER_BACK), PX_OK);
}

static void a_stopped_proxy_times_out_and_is_itself_again(void **state)
{
	(void)state;
	assert_result(read_back(&rig), PX_OK);
	kill(rig.haproxy, SIGSTOP);
	assert_result(read_back(&rig), PX_TIMEOUT);
	struct said s = apply(&rig, value(GREEN, 7, 1, false), ORDER_BACK);
	assert_result(s, PX_TIMEOUT);
	kill(rig.haproxy, SIGCONT);
	s = read_back(&rig);
	assert_result(s, PX_OK);
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_BACK), PX_OK);
	assert_shows(&rig, "green:7.1:plain");
}

static void a_reload_is_seen_and_what_it_lost_too(void **state)
{
	(void)state;
	assert_result(apply(&rig, value(GREEN, 7, 1, true), ORDER_FORWARD), PX_OK);
	assert_result(read_back(&rig), PX_OK);
	/* At runtime only: this is what a reload loses. */
	raw_ok(&rig, "set map %s shop green:7.2:plain", rig.map);
	struct said s = read_back(&rig);
	assert_int_equal(s.a.value.v.epoch, 2);
	assert_false(s.a.durable);
	haproxy_reload(&rig);
	s = read_back(&rig);
	assert_result(s, PX_OK);
	assert_true(s.a.restarted);
	assert_int_equal(s.a.value.v.epoch, 1);
	assert_true(s.a.value.shield);
	assert_result(apply(&rig, value(GREEN, 7, 2, true), ORDER_FORWARD), PX_OK);
	assert_shows(&rig, "green:7.2:shield");
	/* The abstract sockets of the shield came over as well. */
	WAIT_UNTIL(strstr(ask(&rig, "GET", "/expenses", "").body, "green"));
	haproxy_reload(&rig);
	assert_shows(&rig, "green:7.2:shield");
	s = read_back(&rig);
	assert_true(s.a.restarted && s.a.durable);
}

/* As systemd runs it: a worker is replaced by SIGUSR2 to its master. */
static void a_masters_reload_is_seen_too(void **state)
{
	(void)state;
	haproxy_kill(&rig);
	rig.haproxy = haproxy_spawn(&rig, "-W", NULL, NULL);
	WAIT_UNTIL(log_says(&rig, "Loading success") == 1);
	assert_result(apply(&rig, value(GREEN, 7, 1, true), ORDER_FORWARD), PX_OK);
	(void)read_back(&rig);
	for (uint64_t i = 0; i < 2; i++) {
		uint64_t was = haproxy_pid(&rig);

		raw_ok(&rig, "set map %s shop blue:7.%d:plain", rig.map, 50 + (int)i);
		/* A master that is signalled just before it polls sleeps on (2.6): the next signal wakes it. */
		for (double next = 0; log_says(&rig, "Reloading HAProxy") < 1 + (int)i; usleep(2000))
			if (now_s() > next) {
				kill(rig.haproxy, SIGUSR2);
				next = now_s() + 1;
			}
		WAIT_UNTIL(log_says(&rig, "Loading success") == 2 + (int)i);
		WAIT_UNTIL(haproxy_pid(&rig) != 0 && haproxy_pid(&rig) != was);
		/* The old worker may still accept for a moment, beside the new one. */
		struct said s;
		WAIT_UNTIL((s = read_back(&rig)).a.result == PX_OK && s.a.restarted);
		assert_true(s.a.value.slot == GREEN);
		assert_int_equal(s.a.value.v.epoch, 1 + i);
		assert_result(apply(&rig, value(GREEN, 7, 2 + i, true), ORDER_FORWARD), PX_OK);
		assert_int_equal(ask(&rig, "GET", "/expenses", "").status, 200);
	}
	kill(rig.haproxy, SIGTERM); /* the master takes its workers with it */
	WAIT_UNTIL(waitpid(rig.haproxy, NULL, WNOHANG) == rig.haproxy);
	rig.haproxy = 0;
}

/* --- the disk ------------------------------------------------------------------------- */

static void a_full_disk_stops_a_flip_and_no_rollback(void **state)
{
	struct rlimit was, none;

	(void)state;
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_FORWARD), PX_OK);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);

	struct said s = apply(&rig, value(BLUE, 7, 2, false), ORDER_FORWARD), b = apply(&rig, value(BLUE, 7, 3, false), ORDER_BACK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);

	assert_result(s, PX_FILE);
	assert_non_null(strstr(s.a.detail, "write: "));
	assert_true(s.a.has_value && s.a.value.v.epoch == 1);
	assert_result(b, PX_OK);
	assert_false(b.a.durable);
	assert_shows(&rig, "blue:7.3:plain");
	/* The adapter goes on by itself until the file holds it. */
	LOOP_UNTIL(&rig, file_is(rig.map, "shop blue:7.3:plain\n"));
	LOOP_UNTIL(&rig, read_back(&rig).a.durable);
}

static void a_hanging_disk_stops_no_rollback(void **state)
{
	struct said f = { 0 };
	struct proxy_value v = value(BLUE, 7, 2, false);

	(void)state;
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_FORWARD), PX_OK);
	atomic_store(&disk_stopped, true);
	proxy_apply(rig.px, &v, ORDER_FORWARD, said_answer, &f);
	LOOP_UNTIL(&rig, atomic_load(&disk_waiters) == 1);
	for (int i = 0; i < 100; i++) { /* the proxy's answers come in; only the disk is waited for */
		ev_run(rig.loop, EVRUN_NOWAIT);
		usleep(1000);
	}
	assert_false(f.done);
	assert_shows(&rig, "green:7.1:plain");
	struct said b = apply(&rig, value(BLUE, 7, 3, false), ORDER_BACK);
	assert_true(f.done && f.order < b.order);
	assert_result(f, PX_FILE);
	assert_result(b, PX_OK);
	assert_false(b.a.durable);
	assert_shows(&rig, "blue:7.3:plain");
	assert_true(file_is(rig.map, "shop green:7.1:plain\n"));
	atomic_store(&disk_stopped, false);
	LOOP_UNTIL(&rig, file_is(rig.map, "shop blue:7.3:plain\n"));
	LOOP_UNTIL(&rig, read_back(&rig).a.durable);
}

static void a_pin_written_while_the_disk_is_slow_is_seen(void **state)
{
	struct said f = { 0 };
	struct proxy_value v = value(BLUE, 7, 2, false);

	(void)state;
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_FORWARD), PX_OK);
	atomic_store(&disk_stopped, true);
	proxy_apply(rig.px, &v, ORDER_FORWARD, said_answer, &f);
	LOOP_UNTIL(&rig, atomic_load(&disk_waiters) == 1);
	for (int i = 0; i < 200; i++) {
		ev_run(rig.loop, EVRUN_NOWAIT);
		usleep(1000);
	}
	raw_ok(&rig, "set map %s shop green:pin.1795300000:plain", rig.map);
	atomic_store(&disk_stopped, false);
	run_until(&rig, &f);
	assert_result(f, PX_PINNED);
	assert_shows(&rig, "green:pin.1795300000:plain");
}

static void leaving_with_a_hanging_disk_does_not_wait(void **state)
{
	struct said f = { 0 }, second = { 0 };
	struct proxy_value v = value(BLUE, 7, 2, false);

	(void)state;
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_FORWARD), PX_OK);
	atomic_store(&disk_stopped, true);
	proxy_apply(rig.px, &v, ORDER_FORWARD, said_answer, &f);
	proxy_read_back(rig.px, said_answer, &second);
	LOOP_UNTIL(&rig, atomic_load(&disk_waiters) == 1);
	proxy_free(&rig.px);
	assert_true(f.done && second.done);
	assert_result(f, PX_TIMEOUT);
	assert_string_equal(f.a.detail, "cancelled");
	assert_result(second, PX_TIMEOUT);
	atomic_store(&disk_stopped, false);
	WAIT_UNTIL(atomic_load(&disk_waiters) == 0);
	assert_true(file_is(rig.map, "shop green:7.1:plain\n"));
}

static void a_rollback_overtakes_what_only_asks(void **state)
{
	struct said reads[3] = { { 0 } }, back = { 0 };
	struct proxy_value v = value(BLUE, 7, 2, false);

	(void)state;
	for (int i = 0; i < 3; i++)
		proxy_read_back(rig.px, said_answer, &reads[i]);
	proxy_apply(rig.px, &v, ORDER_BACK, said_answer, &back);
	run_until(&rig, &reads[2]);
	assert_true(reads[0].order < back.order && back.order < reads[1].order && reads[1].order < reads[2].order);
	assert_int_equal(reads[1].a.value.v.epoch, 2);
}

/* --- the gate (P2) --------------------------------------------------------------------- */

enum gate_rule { GATE_CLOSED, GATE_OPEN, GATE_OPEN_UNTIL_THE_FILE };
static enum gate_rule gate_rule;

static bool gate(void *arg)
{
	assert_ptr_equal(arg, &rig);
	return gate_rule == GATE_OPEN || (gate_rule == GATE_OPEN_UNTIL_THE_FILE && !file_is(rig.map, "shop blue:7.2:plain\n"));
}

static void a_closed_gate_lets_nothing_through(void **state)
{
	(void)state;
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_FORWARD), PX_OK);
	proxy_set_gate(rig.px, gate, &rig);
	gate_rule = GATE_CLOSED;
	struct said f = apply(&rig, value(BLUE, 7, 2, false), ORDER_FORWARD), b = apply(&rig, value(BLUE, 7, 2, false), ORDER_BACK);

	assert_result(f, PX_FENCED);
	assert_result(b, PX_FENCED);
	assert_true(b.a.has_value && b.a.value.v.epoch == 1);
	assert_result(read_back(&rig), PX_OK); /* it may look */
	assert_shows(&rig, "green:7.1:plain");
	assert_true(file_is(rig.map, "shop green:7.1:plain\n"));
	gate_rule = GATE_OPEN;
	assert_result(apply(&rig, value(BLUE, 7, 2, false), ORDER_FORWARD), PX_OK);
	assert_shows(&rig, "blue:7.2:plain");
}

/* The file was ours to write, the runtime value is not any more. */
static void a_gate_that_closes_in_between(void **state)
{
	(void)state;
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_FORWARD), PX_OK);
	proxy_set_gate(rig.px, gate, &rig);
	gate_rule = GATE_OPEN_UNTIL_THE_FILE;
	assert_result(apply(&rig, value(BLUE, 7, 2, false), ORDER_FORWARD), PX_FENCED);
	assert_shows(&rig, "green:7.1:plain");
	/* Whoever leads now goes on from there. */
	raw_ok(&rig, "set map %s shop green:7.3:plain", rig.map);
	gate_rule = GATE_OPEN;
	assert_result(apply(&rig, value(BLUE, 7, 2, false), ORDER_FORWARD), PX_NEWER);
	assert_shows(&rig, "green:7.3:plain");
}

static void a_file_that_was_left_waits_for_the_gate(void **state)
{
	struct said b;

	(void)state;
	assert_result(apply(&rig, value(GREEN, 7, 1, false), ORDER_FORWARD), PX_OK);
	proxy_set_gate(rig.px, gate, &rig);
	gate_rule = GATE_OPEN;
	atomic_store(&disk_stopped, true);
	b = apply(&rig, value(BLUE, 7, 2, false), ORDER_BACK);
	assert_result(b, PX_OK);
	assert_false(b.a.durable);
	gate_rule = GATE_CLOSED;
	usleep(150000); /* its go is old now */
	atomic_store(&disk_stopped, false);
	for (int i = 0; i < 300; i++) { /* the write that was under way, and a retry of it */
		ev_run(rig.loop, EVRUN_NOWAIT);
		usleep(1000);
	}
	assert_true(file_is(rig.map, "shop green:7.1:plain\n"));
	gate_rule = GATE_OPEN;
	LOOP_UNTIL(&rig, file_is(rig.map, "shop blue:7.2:plain\n"));
}

static void sent(void *arg, const struct hap_reply *r)
{
	enum hap_end *end = arg;

	*end = r->end;
}

static bool shut(void *arg)
{
	(void)arg;
	return false;
}

/* Asked when the connection stands: not a byte goes out. */
static void the_gate_is_asked_before_the_first_byte(void **state)
{
	enum { NO_END = 99 };
	enum hap_end end = (enum hap_end)NO_END;
	char where[32], byte;
	uint16_t port;
	int fd = listen_any(&port);

	(void)state;
	(void)TEXT_FORMAT(where, "127.0.0.1:%d", port);
	(void)hap_send(rig.loop, where, "set map x y z", 1000, shut, sent, &end);
	int c = accept(fd, NULL, NULL);
	assert_true(c >= 0);
	LOOP_UNTIL(&rig, (int)end != NO_END);
	assert_int_equal(end, HAP_FENCED);
	assert_int_equal(read(c, &byte, 1), 0);
	close(c);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
		T(moves_forward_and_back),
		T(never_goes_below_what_it_shows),
		T(a_pin_stands_until_a_person_ends_it),
		T(unknown_backends_and_maps_are_refused),
		T(a_missing_key_is_added_and_doubles_converge),
		T(a_killed_proxy_is_absent_and_starts_with_the_file),
		T(a_stopped_proxy_times_out_and_is_itself_again),
		T(a_reload_is_seen_and_what_it_lost_too),
		T(a_masters_reload_is_seen_too),
		T(a_full_disk_stops_a_flip_and_no_rollback),
		T(a_hanging_disk_stops_no_rollback),
		T(a_pin_written_while_the_disk_is_slow_is_seen),
		T(leaving_with_a_hanging_disk_does_not_wait),
		T(a_rollback_overtakes_what_only_asks),
		T(a_closed_gate_lets_nothing_through),
		T(a_gate_that_closes_in_between),
		T(a_file_that_was_left_waits_for_the_gate),
		T(the_gate_is_asked_before_the_first_byte),
	};
	return cmocka_run_group_tests_name("haproxy", tests, NULL, NULL);
}
