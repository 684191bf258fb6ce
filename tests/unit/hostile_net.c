/* SPDX-License-Identifier: MIT
 * hostile_net.c - T20: names that do not resolve, resolvers that lie, fail or hang, by every kind that asks by name. */
#include "tests/unit/support/hostile_rig.h"

#include "tests/unit/support/hostile_dns.h"

static struct hostile blue;
static pid_t dns;
static const char *cannot;
static char dir[64];

enum { K_HTTP, K_STEPS, K_TCP, K_TLS, K_GRPC, N_KINDS };
static const struct { const char *name, *feature; } kinds[N_KINDS] = {
	{ "http", "{ path: /ok, expect: [status == 200], timeout: %s }" },
	{ "steps", "{ reads: true, timeout: %s, steps: [ { get: /ok, expect: [status == 200] } ] }" },
	{ "tcp", "{ tcp: {}, timeout: %s }" },
	{ "tls", "{ tls: {}, timeout: %s }" },
	{ "grpc", "{ grpc: {}, timeout: %s }" },
};

static const struct { const char *name; enum outcome want; } names[] = {
	{ "nx.test", OUT_DNS }, { "servfail.test", OUT_DNS }, { "refused.test", OUT_DNS }, { "empty.test", OUT_DNS }, { "garbage.test", OUT_DNS },
	{ "loop.test", OUT_DNS }, { "truncated.test", OUT_DNS }, { "hang.test", OUT_DNS }, { "many.test", OUT_REFUSED },
};

static void load(struct kind_rig *k, const char *host, int kind, const char *timeout)
{
	struct buf said = BUF_INIT(8192);
	char feature[256];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(feature, sizeof(feature), kinds[kind].feature, timeout);
#pragma GCC diagnostic pop
	snprintf(k->target, sizeof(k->target), "%s:%u", host, blue.port);
	if (!rig_load(k, feature, &said))
		fail_msg("%s", buf_str(&said));
	buf_free(&said);
}

static size_t threads(void)
{
	DIR *d = opendir("/proc/self/task");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static int setup(void **state)
{
	(void)state;
	rig_begin(&rig, 1);
	alarm(WATCHDOG_S);
	wrong = 0;
	worst_row_us = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_end(&rig);
	return 0;
}

static void names_that_lead_nowhere(void **state)
{
	(void)state;
	if (cannot)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (int k = 0; k < N_KINDS; k++) {
			struct asked a;

			now_asked = names[i].name;
			alarm(WATCHDOG_S);
			load(&rig, names[i].name, k, strcmp(names[i].name, "hang.test") == 0 ? "300ms" : "20s");
			for (int again = 0; again < 2; again++) { /* from the resolver, and from memory */
				begin(&a, 0);
				until_done(&a);
				if (a.outcome != names[i].want)
					WRONG("%s, %s: %s, want %s: %s", names[i].name, kinds[k].name, outcome_info(a.outcome)->code,
					      outcome_info(names[i].want)->code, a.got);
				if (!a.got[0])
					WRONG("%s, %s: nothing says why", names[i].name, kinds[k].name);
			}
			rig_close(&rig);
		}
	assert_int_equal(wrong, 0);
	assert_true(!RELEASE || worst_row_us <= TURN_MOST_US);
}

/* One address has nobody behind it, the other has: the probe is asked of the one that answers. */
static void the_second_address_is_tried(void **state)
{
	(void)state;
	if (cannot)
		skip();
	for (int k = 0; k <= K_TCP; k++) {
		struct asked a;

		load(&rig, "second.test", k, "20s");
		begin(&a, 0);
		until_done(&a);
		if (a.outcome != OUT_PRESENT)
			WRONG("%s: %s: %s", kinds[k].name, outcome_info(a.outcome)->code, a.got);
		rig_close(&rig);
	}
	assert_int_equal(wrong, 0);
}

/* It is another machine at every question: each probe is of the one or of the other, and what was found is kept for a while. */
static void an_address_that_changes_each_time(void **state)
{
	int seen[2] = { 0 };

	(void)state;
	if (cannot)
		skip();
	for (int i = 0; i < 8; i++) { /* a runner each: a new question */
		struct asked a[2];

		load(&rig, "changes.test", K_HTTP, "20s");
		for (int j = 0; j < 2; j++) {
			begin(&a[j], 0);
			until_done(&a[j]);
			assert_true(a[j].outcome == OUT_PRESENT || a[j].outcome == OUT_REFUSED);
		}
		assert_int_equal(a[0].outcome, a[1].outcome);
		seen[a[0].outcome == OUT_PRESENT]++;
		rig_close(&rig);
	}
	assert_true(seen[0] > 0 && seen[1] > 0);
}

/* While the resolver hangs, others are asked; and a thread is not spent on each probe. */
static void a_hanging_resolver_stalls_nothing(void **state)
{
	struct kind_rig other;

	(void)state;
	if (cannot)
		skip();
	for (int k = 0; k < N_KINDS; k++) {
		struct asked hangs[20], good;
		size_t before = threads();

		load(&rig, "hang.test", k, "20s");
		other = (struct kind_rig){ .loop = rig.loop, .tls = "" };
		load(&other, "127.0.0.1", K_HTTP, "20s");
		for (size_t i = 0; i < ARRAY_LEN(hangs); i++)
			begin(&hangs[i], 0);
		const struct probe_job job = { .via = VIA_SLOT, .purpose = PURPOSE_VOTE, .slot = BLUE, .feature = 0, .release = "" };

		good = (struct asked){ 0 };
		probe_start(other.runner, &job, on_asked, &good);
		if (threads() > before + 2)
			WRONG("%s: %zu threads, then %zu", kinds[k].name, before, threads());
		until_done(&good);
		assert_int_equal(good.outcome, OUT_PRESENT);
		for (size_t i = 0; i < ARRAY_LEN(hangs); i++)
			assert_int_equal(hangs[i].dones, 0);
		if (threads() > before + 2)
			WRONG("%s: %zu threads, then %zu", kinds[k].name, before, threads());
		rig_close(&rig); /* cancels them, and waits for nobody */
		rig_close(&other);
		for (size_t i = 0; i < ARRAY_LEN(hangs); i++) {
			assert_int_equal(hangs[i].dones, 1);
			assert_int_equal(hangs[i].outcome, OUT_CANCELLED);
		}
	}
	assert_int_equal(wrong, 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(names_that_lead_nowhere), T(the_second_address_is_tried), T(an_address_that_changes_each_time), T(a_hanging_resolver_stalls_nothing),
	};
	char cmd[128];
	int rc;

	(void)argc;
	hostile_main(argv);
	snprintf(dir, sizeof(dir), "/tmp/switchd-dns-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	cannot = dns_namespaces(dir);
	if (cannot) {
		print_message("T20 is not played: %s\n", cannot);
	} else {
		dns = dns_start();
		if (!dns)
			return 1;
		hostile_start(&blue, "blue");
	}
	rc = cmocka_run_group_tests_name("hostile_net", tests, NULL, NULL);
	hostile_stop(&blue);
	if (dns) {
		kill(dns, SIGKILL);
		waitpid(dns, NULL, 0);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) ? 1 : rc;
}
