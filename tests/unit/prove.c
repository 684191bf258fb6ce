/* SPDX-License-Identifier: MIT
 * prove.c - probes against stubs: which would have noticed, and that nobody else is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>
#include <string.h>
#include <unistd.h>

#include "probes/prove.h"

static struct ev_loop *loop;
static struct config *cfg;
static const struct service_config *svc;

/* Nothing listens at the targets: the stubs stand in their place. */
static void load(const char *features)
{
	struct buf text = BUF_INIT(16 * 1024), errors = BUF_INIT(16 * 1024);

	buf_addf(&text, "version: 1\nservices:\n  shop:\n    front: https://shop.test\n    slots: { blue: [ \"127.0.0.1:1\" ], green: [ \"127.0.0.1:2\" ] }\n"
			"    features:\n%s", features);
	cfg = config_load("t.yaml", buf_str(&text), text.len, NULL, NULL, &errors, NULL);
	if (!cfg)
		fail_msg("%s", buf_str(&errors));
	svc = &cfg->services[0];
	buf_free(&text);
	buf_free(&errors);
}

static int setup(void **state)
{
	(void)state;
	loop = ev_loop_new(0);
	alarm(60);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	config_free(&cfg);
	ev_loop_destroy(loop);
	alarm(0);
	return 0;
}

struct said { bool done; struct prove_row rows[16]; json_t *json; struct prove **free_me; };

static void on_done(void *arg, const struct prove_row *rows)
{
	struct said *s = arg;

	assert_false(s->done);
	s->done = true;
	memcpy(s->rows, rows, svc->n_features * sizeof(*rows));
	s->json = prove_json(svc, rows);
	if (s->free_me)
		prove_free(s->free_me);
}

static void prove(struct said *s, const struct probe_runner *runner)
{
	char why[256] = "";
	struct prove *p = prove_start(loop, cfg, svc, runner, why, sizeof(why), on_done, s);

	if (!p)
		fail_msg("%s", why);
	assert_false(s->done); /* never from inside */
	while (!s->done)
		ev_run(loop, EVRUN_ONCE);
	prove_free(&p);
}

/* "nnfn----": noticed, fooled, unsure, none, by stub. */
static void expect_marks(const struct said *s, size_t feature, const char *want, enum proof proof)
{
	char got[N_STUBS + 1] = "";

	for (int i = 0; i < N_STUBS; i++)
		got[i] = "-nf?"[s->rows[feature].stub[i].mark];
	assert_string_equal(got, want);
	assert_int_equal(s->rows[feature].proof, proof);
}

static void what_each_stub_shows(void **state)
{
	struct said s = { 0 };

	(void)state;
	load("      status: { path: /a, expect: [ status == 200 ] }\n"
	     "      total: { path: /b?x=1, expect: [ status == 200, 'body contains \"Total\"' ] }\n"
	     "      items: { path: /c, expect: [ 'jsonpath \"$.items\" count >= 1' ] }\n"
	     "      object: { path: /d, expect: [ 'header \"Content-Type\" contains \"json\"' ] }\n"
	     "      any: { path: /e, expect: [ status < 500 ], severity: warn }\n"
	     "      noerror: { path: /f, expect: [ status == 200, 'jsonpath \"$.error\" not exists' ] }\n"
	     "      login: { path: /g, expect: [ status == 302 ] }\n");
	prove(&s, NULL);
	/* 404 empty index login error {} [] {error} */
	expect_marks(&s, 0, "nffnf---", PROOF_VACUOUS);
	expect_marks(&s, 1, "nnnnn---", PROOF_PROVEN);
	expect_marks(&s, 2, "nnnnnnnn", PROOF_PROVEN);
	expect_marks(&s, 3, "nnnnnfff", PROOF_VACUOUS);
	expect_marks(&s, 4, "fffnf---", PROOF_VACUOUS);
	expect_marks(&s, 6, "nnnfn---", PROOF_VACUOUS);
	assert_string_equal(s.rows[0].why, "it passes on an empty 200, an index page for every path, an error page with 200");
	assert_string_equal(s.rows[1].why, "");
	assert_string_equal(s.rows[1].stub[STUB_EMPTY].want, "body contains \"Total\"");
	assert_int_equal(prove_failed(svc, s.rows), 3 + (s.rows[5].proof == PROOF_VACUOUS)); /* "any" only warns */
	json_decref(s.json);
}

/* Nothing of it leaves the process, so what writes and what is asked elsewhere is proved too. */
static void writes_and_urls_are_proved(void **state)
{
	struct said s = { 0 };

	(void)state;
	load("      order: { path: /orders, method: POST, body: \"{}\", writes: true, interval: 60s, expect: [ status == 201 ] }\n"
	     "      pay: { url: \"https://pay.invalid/health\", expect: [ 'body contains \"ok\"' ] }\n"
	     "      bare: { url: \"https://pay.invalid/?q=1\", expect: [ status == 200 ] }\n"
	     "      head: { path: /x, method: HEAD, expect: [ status == 200 ] }\n");
	prove(&s, NULL);
	expect_marks(&s, 0, "nnnnn---", PROOF_PROVEN);
	expect_marks(&s, 1, "nnnnn---", PROOF_PROVEN);
	expect_marks(&s, 2, "nffnf---", PROOF_VACUOUS);
	expect_marks(&s, 3, "nffnf---", PROOF_VACUOUS);
	json_decref(s.json);
}

static void a_path_needs_its_baseline(void **state)
{
	struct buf errors = BUF_INIT(4096);
	struct probe_runner *r;
	struct said s = { 0 }, with = { 0 };

	(void)state;
	load("      list: /api/list\n      keys: /api/keys\n      page: /page\n      none: /none\n");
	prove(&s, NULL);
	for (size_t i = 0; i < 4; i++) {
		expect_marks(&s, i, "--------", PROOF_UNPROVEN);
		assert_non_null(strstr(s.rows[i].why, "no baseline"));
	}
	json_decref(s.json);
	r = probe_runner_new(loop, cfg, svc, &errors);
	assert_true(probe_set_baseline(r, 0, "{\"class\":2,\"type\":\"application/json\",\"kind\":\"array\"}"));
	assert_true(probe_set_baseline(r, 1, "{\"class\":2,\"type\":\"application/json\",\"kind\":\"object\",\"keys\":[\"items\"]}"));
	assert_true(probe_set_baseline(r, 2, "{\"class\":2,\"type\":\"text/html\",\"kind\":\"html\",\"title\":\"Invoices\"}"));
	prove(&with, r);
	expect_marks(&with, 0, "nnnnnnfn", PROOF_VACUOUS);
	expect_marks(&with, 1, "nnnnnnnn", PROOF_PROVEN);
	expect_marks(&with, 2, "nnnnn---", PROOF_PROVEN);
	expect_marks(&with, 3, "--------", PROOF_UNPROVEN);
	json_decref(with.json);
	probe_runner_free(&r);
	buf_free(&errors);
}

static void as_json(void **state)
{
	struct said s = { 0 };
	const json_t *f, *cell;

	(void)state;
	load("      status: { path: /a, expect: [ status == 200 ] }\n");
	prove(&s, NULL);
	assert_true(json_is_false(json_object_get(s.json, "ok")));
	assert_int_equal(json_integer_value(json_object_get(s.json, "failed")), 1);
	assert_int_equal(json_array_size(json_object_get(s.json, "stubs")), N_STUBS);
	f = json_array_get(json_object_get(s.json, "features"), 0);
	assert_string_equal(json_string_value(json_object_get(f, "proof")), "vacuous");
	cell = json_object_get(json_object_get(f, "stubs"), "404");
	assert_string_equal(json_string_value(json_object_get(cell, "mark")), "noticed");
	assert_string_equal(json_string_value(json_object_get(cell, "got")), "404");
	assert_null(json_object_get(json_object_get(f, "stubs"), "{}"));
	json_decref(s.json);
}

/* More than are sent at once; freed from inside done, and before it. */
static void many_and_given_up(void **state)
{
	struct buf text = BUF_INIT(16 * 1024);
	struct said s = { 0 };
	struct prove *p;
	char why[256];

	(void)state;
	for (int i = 0; i < 16; i++)
		buf_addf(&text, "      f%d: { path: /%d, timeout: 20ms, expect: [ 'body contains \"x%d\"' ] }\n", i, i, i);
	load(buf_str(&text));
	p = prove_start(loop, cfg, svc, NULL, why, sizeof(why), on_done, &s);
	assert_non_null(p);
	s.free_me = &p;
	while (!s.done)
		ev_run(loop, EVRUN_ONCE);
	assert_null(p);
	for (size_t i = 0; i < 16; i++)
		expect_marks(&s, i, "nnnnn---", PROOF_PROVEN);
	json_decref(s.json);
	s = (struct said){ 0 };
	p = prove_start(loop, cfg, svc, NULL, why, sizeof(why), on_done, &s);
	for (int i = 0; i < 3; i++)
		ev_run(loop, EVRUN_ONCE);
	prove_free(&p);
	ev_run(loop, EVRUN_NOWAIT);
	assert_false(s.done);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_each_stub_shows, setup, teardown),
		cmocka_unit_test_setup_teardown(writes_and_urls_are_proved, setup, teardown),
		cmocka_unit_test_setup_teardown(a_path_needs_its_baseline, setup, teardown),
		cmocka_unit_test_setup_teardown(as_json, setup, teardown),
		cmocka_unit_test_setup_teardown(many_and_given_up, setup, teardown),
	};

	return cmocka_run_group_tests_name("prove", tests, NULL, NULL);
}
