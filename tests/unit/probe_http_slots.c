/* SPDX-License-Identifier: MIT
 * probe_http_slots.c - the http kind between slots: baselines, the negative control, releases, the reference, the front. */
#include "tests/unit/support/http_rig.h"

/* ---- B1.7 ---- */

static struct { int dones; bool learned; char text[512]; } lesson;

static void on_learned(void *arg, size_t f, bool learned, const char *text)
{
	(void)arg;
	assert_int_equal(f, 0);
	lesson.dones++;
	lesson.learned = learned;
	TEXT_COPY(lesson.text, text);
}

static bool learn(enum slot slot)
{
	memset(&lesson, 0, sizeof(lesson));
	probe_learn_baseline(runner, slot, 0, on_learned, NULL);
	assert_int_equal(lesson.dones, 0);
	while (!lesson.dones)
		ev_run(loop, EVRUN_ONCE);
	return lesson.learned;
}

static void only_a_path_is_compared_with_the_baseline(void **state)
{
	(void)state;
	feature(0, "quotes", "/body", NULL, 0);
	TEXT_COPY(blue.shared->body, "{\"quotes\":[],\"total\":3}");
	TEXT_COPY(green.shared->body, "{\"total\":1}");
	open_runner();
	assert_string_equal(probe_baseline_text(runner, 0), "");
	struct said s = vote(GREEN, 0); /* no baseline: status 2xx */
	expect_outcome(&s, OUT_PRESENT);
	atomic_store(&green.shared->status, 404);
	s = vote(GREEN, 0);
	expect_outcome(&s, OUT_STATUS);
	assert_string_equal(s.e.want, "status 2xx");
	assert_string_equal(s.e.got, "404");
	atomic_store(&green.shared->status, 200);

	int before = atomic_load(&blue.shared->requests);
	assert_true(learn(BLUE));
	assert_int_equal(atomic_load(&blue.shared->requests), before + 2);
	assert_non_null(strstr(lesson.text, "quotes"));
	assert_string_equal(probe_baseline_text(runner, 0), lesson.text);
	s = vote(BLUE, 0);
	expect_outcome(&s, OUT_PRESENT);
	s = vote(GREEN, 0); /* a key is missing there */
	expect_outcome(&s, OUT_SHAPE);
	assert_true(s.e.want[0] && s.e.got[0]);
	TEXT_COPY(green.shared->body, "{\"quotes\":[1],\"total\":1,\"more\":2}");
	s = vote(GREEN, 0);
	expect_outcome(&s, OUT_PRESENT);
	atomic_store(&green.shared->status, 302);
	TEXT_COPY(green.shared->head, "Location: /login\r\n");
	s = vote(GREEN, 0);
	expect_outcome(&s, OUT_REDIRECT);
	assert_non_null(strstr(s.e.got, "/login"));

	char kept[512];
	TEXT_COPY(kept, probe_baseline_text(runner, 0));
	probe_runner_free(&runner); /* and it outlives the runner, by the store */
	open_runner();
	assert_true(probe_set_baseline(runner, 0, kept));
	assert_false(probe_set_baseline(runner, 0, "{\"what\":1}"));
	assert_false(probe_set_baseline(runner, 9, kept));
	assert_string_equal(probe_baseline_text(runner, 0), kept);
	atomic_store(&green.shared->status, 200);
	TEXT_COPY(green.shared->body, "{\"total\":1}");
	s = vote(GREEN, 0);
	expect_outcome(&s, OUT_SHAPE);
}

static void an_expected_redirect_may_be_a_baseline(void **state)
{
	(void)state;
	feature(0, "quotes", "/body", NULL, 0);
	TEXT_COPY(blue.shared->head, "Location: /login\r\n");
	TEXT_COPY(green.shared->head, "Location: /elsewhere\r\n");
	atomic_store(&blue.shared->status, 302);
	atomic_store(&green.shared->status, 302);
	open_runner();
	assert_true(learn(BLUE));
	struct said s = vote(BLUE, 0);
	expect_outcome(&s, OUT_PRESENT);
	s = vote(GREEN, 0);
	expect_outcome(&s, OUT_REDIRECT);
}

static void a_baseline_is_learned_from_a_good_answer_only(void **state)
{
	uint16_t port;
	int fd = hostile_listen(&port, 1);

	(void)state;
	close(fd);
	feature(0, "quotes", "/body", NULL, 0);
	atomic_store(&blue.shared->status, 500);
	targets[GREEN][0] = target(port, false, texts[2]); /* dead: the next target is asked */
	targets[GREEN][1] = target(green.port, false, texts[3]);
	svc.slot[GREEN].n_targets = 2;
	TEXT_COPY(green.shared->body, "{\"a\":1}");
	open_runner();
	assert_false(learn(BLUE));
	assert_true(lesson.text[0] != '\0');
	assert_string_equal(probe_baseline_text(runner, 0), "");
	features[0].path = "/good-once"; /* the same twice is wanted, and two tries of a target are enough */
	assert_false(learn(GREEN));
	features[0].path = "/body";
	assert_true(learn(GREEN));
	atomic_store(&green.shared->status, 404);
	char kept[512];
	TEXT_COPY(kept, probe_baseline_text(runner, 0));
	assert_false(learn(GREEN)); /* the last one stands */
	assert_string_equal(probe_baseline_text(runner, 0), kept);
	memset(&lesson, 0, sizeof(lesson));
	probe_learn_baseline(runner, GREEN, 0, on_learned, NULL);
	probe_runner_free(&runner);
	assert_int_equal(lesson.dones, 1);
	assert_false(lesson.learned);
}

/* ---- B1.5 ---- */

static void a_probe_must_be_able_to_fail(void **state)
{
	static const char *const ok[] = { "status == 200" };
	static const struct { const char *path, *want; } table[] = {
		{ "/api/quotes", "GET /api/switchd-absent-" },
		{ "/api/quotes?page=1/2", "GET /api/switchd-absent-" },
		{ "/quotes", "GET /switchd-absent-" },
		{ "/a/b/", "GET /a/switchd-absent-" },
		{ "/", "GET /switchd-absent-" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		feature(0, "quotes", table[i].path, ok, 1);
		open_runner();
		struct said s = ask(job(VIA_SLOT, PURPOSE_CONTROL, BLUE, 0));
		expect_outcome(&s, OUT_STATUS); /* it can */
		if (!text_starts(blue.shared->last, table[i].want))
			fail_msg("%s: %s", table[i].path, blue.shared->last);
		const char *hex = blue.shared->last + strlen(table[i].want), *rest = hex + strspn(hex, "0123456789abcdef");
		assert_int_equal(rest - hex, 16);
		const char *query = strchr(table[i].path, '?');
		if (query)
			assert_true(text_starts(rest, query));
		else
			assert_true(text_starts(rest, strcmp(table[i].path, "/a/b/") == 0 ? "/ HTTP/1.1" : " HTTP/1.1"));
		char first[64];
		text_copy_n(first, sizeof(first), hex, 16);
		ask(job(VIA_SLOT, PURPOSE_CONTROL, BLUE, 0));
		assert_int_not_equal(strncmp(first, blue.shared->last + strlen(table[i].want), 16), 0); /* another each time */
		probe_runner_free(&runner);
	}
	feature(0, "spa", "/body/app", ok, 1); /* a server that answers every path so */
	open_runner();
	struct said s = ask(job(VIA_SLOT, PURPOSE_CONTROL, BLUE, 0));
	expect_outcome(&s, OUT_PRESENT); /* vacuous */
}

static void the_control_has_the_same_judge_and_its_own_path(void **state)
{
	static const char *const ok[] = { "status == 200" };

	(void)state;
	feature(0, "compared", "/body/page", NULL, 0);
	feature(1, "told", "/ok", ok, 1);
	features[1].control_path = "/echo/absent";
	feature(2, "order", "/ok", ok, 1);
	features[2].method = "POST";
	TEXT_COPY(blue.shared->body, "{\"page\":1}");
	open_runner();
	assert_true(learn(BLUE));
	TEXT_COPY(blue.shared->body, "{\"error\":1}"); /* 200 for every path, but another answer */
	struct said s = ask(job(VIA_SLOT, PURPOSE_CONTROL, BLUE, 0));
	expect_outcome(&s, OUT_SHAPE);
	s = ask(job(VIA_SLOT, PURPOSE_CONTROL, BLUE, 1));
	expect_outcome(&s, OUT_PRESENT);
	assert_true(text_starts(blue.shared->last, "GET /echo/absent HTTP/1.1"));
	int before = atomic_load(&blue.shared->requests);
	s = ask(job(VIA_SLOT, PURPOSE_CONTROL, BLUE, 2)); /* a write is never sent for that */
	expect_outcome(&s, OUT_NEVER_RAN);
	assert_int_equal(atomic_load(&blue.shared->requests), before);
	assert_true(s.e.got[0] != '\0');
}

/* ---- identity, reference ---- */

static struct said who(const char *release)
{
	struct probe_job j = job(VIA_SLOT, PURPOSE_IDENTITY, BLUE, svc.n_features);

	j.release = release;
	return ask(j);
}

static void a_target_says_which_release_it_runs(void **state)
{
	static const char *const ok[] = { "status == 200" };
	static const char *const by_json[] = { "status == 200", "jsonpath \"$.build.release\" == \"{{release}}\"" };
	static const char *const by_header[] = { "header \"X-Release\" == \"{{release}}\"" };
	static const char *const by_body[] = { "body contains \"release={{release}};\"" };

	(void)state;
	feature(0, "quotes", "/ok", ok, 1);
	svc.identity = (struct identity_config){ true, "/body", by_json, 2, lines, cols, NULL };
	TEXT_COPY(blue.shared->body, "{\"build\":{\"release\":\"r42\"}}");
	open_runner();
	struct said s = who("r42");
	expect_outcome(&s, OUT_PRESENT);
	assert_string_equal(s.r.identity, "r42");
	assert_non_null(strstr(blue.shared->last, "\r\nX-Switchd-Probe: shop/identity\r\n"));
	s = who("r43");
	expect_outcome(&s, OUT_IDENTITY);
	assert_string_equal(s.r.identity, "r42");
	assert_non_null(strstr(s.e.want, "r43"));
	assert_non_null(strstr(s.e.got, "r42"));
	s = who(""); /* none is expected: who is there? */
	expect_outcome(&s, OUT_PRESENT);
	assert_string_equal(s.r.identity, "r42");
	TEXT_COPY(blue.shared->body, "{\"build\":{\"release\":\"r43\"}}");
	s = who("r43");
	expect_outcome(&s, OUT_PRESENT);
	TEXT_COPY(blue.shared->body, "{\"build\":{\"release\":\"<b>no id</b>\"}}");
	s = who("r43");
	expect_outcome(&s, OUT_IDENTITY);
	assert_string_equal(s.r.identity, "");
	atomic_store(&blue.shared->status, 503); /* not a word about the release */
	s = who("r43");
	expect_outcome(&s, OUT_STATUS);
	probe_runner_free(&runner);

	atomic_store(&blue.shared->status, 200);
	svc.identity = (struct identity_config){ true, "/body", by_header, 1, lines, cols, NULL };
	TEXT_COPY(blue.shared->head, "X-Release: r7\r\n");
	open_runner();
	s = who("r7");
	expect_outcome(&s, OUT_PRESENT);
	assert_string_equal(s.r.identity, "r7");
	s = who("r8");
	expect_outcome(&s, OUT_IDENTITY);
	assert_string_equal(s.r.identity, "r7");
	probe_runner_free(&runner);

	svc.identity = (struct identity_config){ true, "/body", by_body, 1, lines, cols, NULL };
	TEXT_COPY(blue.shared->body, "release=r9;");
	open_runner();
	s = who("r9");
	expect_outcome(&s, OUT_PRESENT);
	assert_string_equal(s.r.identity, "r9");
	s = who("r8");
	expect_outcome(&s, OUT_IDENTITY);
	assert_string_equal(s.r.identity, "");
}

static void the_reference_only_shows_that_we_are_not_cut_off(void **state)
{
	static const char *const ok[] = { "status == 200" };
	uint16_t port;
	int fd = hostile_listen(&port, 1);

	(void)state;
	close(fd);
	feature(0, "quotes", "/ok", ok, 1);
	open_runner();
	struct said s = ask(job(VIA_SLOT, PURPOSE_REFERENCE, BLUE, 0));
	expect_outcome(&s, OUT_NEVER_RAN); /* none is configured */
	probe_runner_free(&runner);
	svc.has_reference = true;
	svc.reference = target(green.port, false, texts[2]);
	open_runner();
	s = ask(job(VIA_SLOT, PURPOSE_REFERENCE, BLUE, 0));
	expect_outcome(&s, OUT_PRESENT);
	assert_int_equal(s.e.status, 404);
	probe_runner_free(&runner);
	svc.reference = target(port, false, texts[2]);
	open_runner();
	s = ask(job(VIA_SLOT, PURPOSE_REFERENCE, BLUE, 0));
	expect_outcome(&s, OUT_REFUSED);
}

/* ---- the front ---- */

static void the_front_is_asked_anew_each_time_and_its_stamp_is_read(void **state)
{
	static const char *const ok[] = { "status == 200" };
	static const struct { const char *head, *by, *value; } table[] = {
		{ "X-Switchd: green/green:1795333451.42:shield\r\n", "green", "green:1795333451.42:shield" },
		{ "x-switchd: blue/green:1.2:plain\r\n", "blue", "green:1.2:plain" },
		{ "", "", "" },
		{ "X-Switchd: nonsense\r\n", "", "" },
		{ "X-Switchd: averylongnameofaslotindeed/green:1.2:plain\r\n", "", "" },
		{ "X-Switchd: /\r\n", "", "" },
	};
	char front[64];

	(void)state;
	snprintf(front, sizeof(front), "http://127.0.0.1:%u", green.port);
	feature(0, "quotes", "/body", ok, 1);
	public_name(front, "127.0.0.1", green.port, false);
	open_runner();
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		TEXT_COPY(green.shared->head, table[i].head);
		int before = atomic_load(&green.shared->connections);
		struct said s = ask(job(VIA_FRONT, PURPOSE_OBSERVE, GREEN, 0));
		expect_outcome(&s, OUT_PRESENT);
		assert_string_equal(s.r.stamp_by, table[i].by);
		assert_string_equal(s.r.stamp_value, table[i].value);
		assert_int_equal(atomic_load(&green.shared->connections), before + 1);
		assert_string_equal(s.e.target, "haproxy");
	}
	struct said s = vote(BLUE, 0); /* directly there is no stamp to believe */
	assert_string_equal(s.r.stamp_by, "");
}

static void a_proxy_with_a_front_of_its_own_is_asked_there(void **state)
{
	static const char *const ok[] = { "status == 200" };
	char front[64];

	(void)state;
	snprintf(front, sizeof(front), "http://127.0.0.1:%u", blue.port);
	feature(0, "quotes", "/echo", ok, 1);
	public_name("https://shop.test", "shop.test", 443, true);
	proxies[0].front = front;
	open_runner();
	struct said s = ask(job(VIA_FRONT, PURPOSE_VOTE, GREEN, 0));
	expect_outcome(&s, OUT_PRESENT);
	assert_non_null(strstr(blue.shared->last, "\r\nHost: shop.test\r\n"));
	probe_runner_free(&runner);
	public_name("", "", 0, false);
	open_runner();
	s = ask(job(VIA_FRONT, PURPOSE_VOTE, GREEN, 0));
	expect_outcome(&s, OUT_PRESENT);
	probe_runner_free(&runner);
	proxies[0].front = "";
	open_runner();
	s = ask(job(VIA_FRONT, PURPOSE_VOTE, GREEN, 0));
	expect_outcome(&s, OUT_NEVER_RAN);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(only_a_path_is_compared_with_the_baseline),
		T(an_expected_redirect_may_be_a_baseline),
		T(a_baseline_is_learned_from_a_good_answer_only),
		T(a_probe_must_be_able_to_fail),
		T(the_control_has_the_same_judge_and_its_own_path),
		T(a_target_says_which_release_it_runs),
		T(the_reference_only_shows_that_we_are_not_cut_off),
		T(the_front_is_asked_anew_each_time_and_its_stamp_is_read),
		T(a_proxy_with_a_front_of_its_own_is_asked_there),
	};

	return cmocka_run_group_tests_name("probe_http_slots", tests, all_setup, all_teardown);
}
