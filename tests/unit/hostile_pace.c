/* SPDX-License-Identifier: MIT
 * hostile_pace.c - the prober never becomes the incident: one probe of a feature in flight on a target, and never more than
 * max_rate requests a second, of every kind, also of those that send many requests, against a target that hangs or misleads. */
#include "tests/unit/support/hostile_rig.h"

#include "probes/schedule.h"
#include "tests/unit/support/hostile.h"

static struct hostile blue;
static char plugin[64];

struct paced { const char *kind, *feature; bool by_connection; };

static const struct paced hanging[] = {
	{ "http", "{ path: /hang, interval: 20ms, timeout: 150ms }", false },
	{ "steps", "{ reads: true, interval: 20ms, timeout: 150ms, steps: [ { get: /ok }, { get: /hang }, { get: /ok } ] }", false },
	{ "tcp", "{ tcp: { send: \"a\" }, expect: ['body contains \"b\"'], interval: 20ms, timeout: 150ms }", false },
	{ "tls", "{ tls: {}, interval: 20ms, timeout: 150ms }", false },
	{ "grpc", "{ grpc: {}, interval: 20ms, timeout: 150ms }", false },
	{ "assets", "{ assets: /page-of/hang, interval: 20ms, timeout: 150ms }", false },
	{ "exec", "{ exec: [\"PLUGIN\"], reads: true, interval: 20ms, timeout: 150ms }", false },
};

/* By what the target counts: requests, or connections where there are none. */
static const struct paced busy[] = {
	{ "http", "{ path: /ok, interval: 10ms, timeout: 5s }", false },
	{ "http, new connections", "{ path: /ok, interval: 10ms, timeout: 5s, fresh: true }", false },
	{ "http, redirects", "{ path: /loop, follow: 5, interval: 10ms, timeout: 5s }", false },
	{ "http, a long way to the page", "{ path: /see-echo, follow: 1, interval: 10ms, timeout: 5s }", false },
	{ "http, closed each time", "{ path: /close, interval: 10ms, timeout: 5s }", false },
	{ "steps", "{ reads: true, interval: 10ms, timeout: 5s, steps: [ { get: /ok }, { get: /ok }, { get: /echo }, { get: /ok } ] }", false },
	{ "assets", "{ assets: /page-of/ok, interval: 10ms, timeout: 5s }", false },
	{ "tcp", "{ tcp: {}, interval: 10ms, timeout: 5s }", true },
	{ "tls", "{ tls: {}, interval: 10ms, timeout: 20ms }", true },
	{ "grpc", "{ grpc: {}, interval: 10ms, timeout: 20ms }", true },
};

static int ended;

static void on_ended(void *arg, const struct probe_result *r)
{
	(void)arg, (void)r;
	ended++;
}

static void load(const struct paced *p, int max_rate)
{
	struct buf said = BUF_INIT(8192);
	char feature[512], *mark;

	snprintf(feature, sizeof(feature), "%s", p->feature);
	mark = strstr(feature, "PLUGIN");
	if (mark)
		snprintf(feature, sizeof(feature), "%.*s%s%s", (int)(mark - feature), p->feature, plugin, strstr(p->feature, "PLUGIN") + 6);
	snprintf(rig.target, sizeof(rig.target), "127.0.0.1:%u", blue.port);
	rig.max_rate = max_rate;
	if (!rig_load(&rig, feature, &said))
		fail_msg("%s: %s", p->kind, buf_str(&said));
	buf_free(&said);
	ended = 0;
}

static void one_of_a_kind_in_flight(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hanging); i++) {
		now_asked = hanging[i].kind;
		alarm(WATCHDOG_S);
		load(&hanging[i], 1000);
		struct schedule *s = schedule_new(rig.loop, rig.runner, &rig.cfg->services[0], on_ended, NULL);

		schedule_pace(s, BLUE, PACE_STEADY);
		while (ended < 5) {
			ev_run(rig.loop, EVRUN_ONCE);
			int flying = (int)schedule_sent(s) - ended;

			if (flying != 0 && flying != 1)
				fail_msg("%s: %d in flight", hanging[i].kind, flying);
		}
		schedule_free(&s);
		rig_close(&rig);
	}
}

/* However late we look, so many requests take so long at least. */
static void no_more_than_max_rate(void **state)
{
	enum { RATE = 40, REQUESTS = 40, AHEAD = 6 }; /* AHEAD: the requests of one probe, paid for when it has ended */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(busy); i++) {
		atomic_int *count = busy[i].by_connection ? &blue.shared->connections : &blue.shared->requests;
		int before = atomic_load(count), sent = 0;

		now_asked = busy[i].kind;
		alarm(WATCHDOG_S);
		load(&busy[i], RATE);
		struct schedule *s = schedule_new(rig.loop, rig.runner, &rig.cfg->services[0], on_ended, NULL);
		int64_t began = mono_now().us;

		schedule_pace(s, BLUE, PACE_STEADY);
		while (sent < REQUESTS) {
			ev_run(rig.loop, EVRUN_ONCE);
			sent = atomic_load(count) - before;
		}
		int64_t took = mono_now().us - began, least = (int64_t)(REQUESTS - 1 - AHEAD) * 1000000 / RATE;

		if (took < least)
			fail_msg("%s: %d requests within %lld ms, where max_rate allows %d a second", busy[i].kind, sent, (long long)took / 1000, RATE);
		schedule_free(&s);
		rig_close(&rig);
	}
}

static int setup(void **state)
{
	(void)state;
	rig_begin(&rig, blue.port);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_end(&rig);
	return 0;
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { T(one_of_a_kind_in_flight), T(no_more_than_max_rate) };
	int fd, rc;

	(void)argc;
	hostile_main(argv);
	snprintf(plugin, sizeof(plugin), "/tmp/switchd-plugin-XXXXXX");
	fd = mkstemp(plugin);
	if (fd < 0 || dprintf(fd, "#!/bin/sh\nexec sleep 1000\n") < 0)
		return 1;
	fchmod(fd, 0755);
	close(fd);
	hostile_start(&blue, "blue");
	rc = cmocka_run_group_tests_name("hostile_pace", tests, NULL, NULL);
	hostile_stop(&blue);
	unlink(plugin);
	return rc;
}
