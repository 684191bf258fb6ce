/* SPDX-License-Identifier: MIT
 * prove.c - probes against stubs: which would have noticed, and that nobody else is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <ev.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probes/prove/prove.h"
#include "switchd/io/conn.h"

static struct ev_loop *loop;
static struct config *cfg;
static const struct service_config *svc;

/* Nothing listens at the targets: the stubs stand in their place. */
static void load(const char *features)
{
	struct buf text = BUF_INIT(16 * 1024), errors = BUF_INIT(16 * 1024);

	buf_addf(&text, "version: 1\nexec: { enabled: true }\nservices:\n  shop:\n    front: https://shop.test\n    slots: { blue: [ \"127.0.0.1:1\" ], green: [ \"127.0.0.1:2\" ] }\n"
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

/* "nnfn----": noticed, fooled, unsure, none, by stub; the stubs that are not told were not asked. */
static void expect_marks(const struct said *s, size_t feature, const char *want, enum proof proof)
{
	char got[N_STUBS + 1] = "";

	for (int i = 0; i < N_STUBS; i++)
		got[i] = "-nf?"[s->rows[feature].stub[i].mark];
	for (size_t n = N_STUBS; n > strlen(want) && got[n - 1] == '-'; n--)
		got[n - 1] = '\0';
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
		expect_marks(&s, i, "", PROOF_UNPROVEN);
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
	expect_marks(&with, 3, "", PROOF_UNPROVEN);
	json_decref(with.json);
	probe_runner_free(&r);
	buf_free(&errors);
}

/* The HTTP stubs but JSON's, then: scripts gone, scripts of another build; port: silent, error; gRPC: three; a WebSocket; a certificate. */
static void other_kinds(void **state)
{
	struct said s = { 0 };

	(void)state;
	load("      port: { tcp: { port: 9 } }\n"
	     "      greets: { tcp: { port: 9, tls: true, send: \"PING\\r\\n\" }, expect: [ 'body startsWith \"+PONG\"' ] }\n"
	     "      any: { tcp: { port: 9 }, expect: [ 'body matches \"R\"' ] }\n"
	     "      health: { grpc: { service: shop.v1, port: 9, tls: true } }\n"
	     "      cert: { tls: { port: 9, days: 14 } }\n"
	     "      ui: { assets: /app }\n"
	     "      ours: { assets: { page: /app, marker: shop-ui } }\n"
	     "      wrong: { assets: { page: /app, marker: export } }\n");
	prove(&s, NULL);
	expect_marks(&s, 0, "", PROOF_UNPROVEN);
	assert_string_equal(s.rows[0].why, "that a port accepts says nothing of what is behind it");
	expect_marks(&s, 1, "----------nn", PROOF_PROVEN);
	assert_int_equal(s.rows[1].stub[STUB_SILENT].outcome, OUT_CLOSED);
	assert_string_equal(s.rows[1].stub[STUB_ERROR_LINE].want, "body startsWith \"+PONG\"");
	expect_marks(&s, 2, "----------nf", PROOF_VACUOUS);
	expect_marks(&s, 3, "------------nnn", PROOF_PROVEN);
	assert_string_equal(s.rows[3].stub[STUB_UNIMPLEMENTED].got, "grpc-status 12 (UNIMPLEMENTED)");
	assert_string_equal(s.rows[3].stub[STUB_NOT_SERVING].got, "NOT_SERVING");
	assert_string_equal(s.rows[3].stub[STUB_NOT_GRPC].got, "text/html");
	expect_marks(&s, 4, "----------------n", PROOF_PROVEN);
	assert_int_equal(s.rows[4].stub[STUB_SELF_SIGNED].outcome, OUT_TLS_ASSERTION);
	expect_marks(&s, 5, "nnnnn---n", PROOF_PROVEN);
	assert_int_equal(s.rows[5].stub[STUB_INDEX].outcome, OUT_ASSET_TYPE);
	assert_int_equal(s.rows[5].stub[STUB_NO_SCRIPTS].outcome, OUT_ASSET_MISSING);
	expect_marks(&s, 6, "nnnnn---nn", PROOF_PROVEN);
	assert_int_equal(s.rows[6].stub[STUB_OTHER_BUILD].outcome, OUT_ASSET_MARKER);
	expect_marks(&s, 7, "nnnnn---nf", PROOF_VACUOUS);
	assert_int_equal(prove_failed(svc, s.rows), 2);
	json_decref(s.json);
}

static void a_websocket(void **state)
{
	struct said s = { 0 };

	(void)state;
	if (!conn_has_websocket())
		skip();
	load("      up: { websocket: { path: /live } }\n"
	     "      says: { websocket: { path: /live, send: hello }, expect: [ 'jsonpath \"$.rows\" count >= 1' ] }\n"
	     "      any: { websocket: { path: /live, send: hello }, expect: [ 'body contains \"error\"' ] }\n");
	prove(&s, NULL);
	expect_marks(&s, 0, "nnnnn", PROOF_PROVEN);
	expect_marks(&s, 1, "nnnnn----------n", PROOF_PROVEN);
	assert_int_equal(s.rows[1].stub[STUB_WEBSOCKET].outcome, OUT_JSON);
	expect_marks(&s, 2, "nnnnn----------f", PROOF_VACUOUS);
	json_decref(s.json);
}

/* Not by libcurl, which may have no WebSocket: the sample key of RFC 6455 1.3, and one frame of text. */
static void the_websocket_stub_speaks_it(void **state)
{
	static const char ask[] = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				  "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char why[200], got[512] = "";
	struct stubs *stubs = stubs_new(loop, why, sizeof(why));
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t n = 0;
	ssize_t more;

	(void)state;
	assert_non_null(stubs);
	at.sin_port = htons(stubs_port(stubs, STUB_WEBSOCKET));
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(send(fd, ask, strlen(ask), 0), strlen(ask));
	while (!strstr(got, "\r\n\r\n") || !memmem(got, n, "internal error\"}", 16)) {
		ev_run(loop, EVRUN_NOWAIT);
		more = recv(fd, got + n, sizeof(got) - 1 - n, MSG_DONTWAIT);
		n += more > 0 ? (size_t)more : 0;
		assert_true(more != 0);
	}
	assert_non_null(strstr(got, "HTTP/1.1 101 "));
	assert_non_null(strstr(got, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	const char *frame = strstr(got, "\r\n\r\n") + 4;
	assert_int_equal((unsigned char)frame[0], 0x81);
	assert_int_equal(frame[1], n - 2 - (size_t)(frame - got));
	close(fd);
	stubs_free(&stubs);
}

/* A program is asked nothing here: it asks what it likes. */
static void a_program_is_unproven(void **state)
{
	struct said s = { 0 };

	(void)state;
	load("      script: { exec: [ /bin/true ], reads: true }\n");
	prove(&s, NULL);
	expect_marks(&s, 0, "", PROOF_UNPROVEN);
	assert_non_null(strstr(s.rows[0].why, "a program asks what it likes"));
	json_decref(s.json);
}

/* What compare: notices depends on the answer of the old slot, which no stub knows: neither proven nor simply not. */
static void compare_is_told(void **state)
{
	struct said s = { 0 };

	(void)state;
	load("      weak: { path: /a, expect: [ status == 200 ], compare: true }\n"
	     "      strong: { path: /a, expect: [ 'body contains \"Total\"' ], compare: true }\n");
	prove(&s, NULL);
	expect_marks(&s, 0, "nffnf", PROOF_COMPARED);
	assert_string_equal(s.rows[0].why, "compare: alone could notice, while a release is proved and baked; by itself it passes on an empty 200, "
			    "an index page for every path, an error page with 200");
	expect_marks(&s, 1, "nnnnn", PROOF_PROVEN);
	assert_int_equal(prove_failed(svc, s.rows), 0);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(s.json, "features"), 0), "proof")), "compared");
	json_decref(s.json);
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
		cmocka_unit_test_setup_teardown(other_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(a_websocket, setup, teardown),
		cmocka_unit_test_setup_teardown(the_websocket_stub_speaks_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_program_is_unproven, setup, teardown),
		cmocka_unit_test_setup_teardown(compare_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(as_json, setup, teardown),
		cmocka_unit_test_setup_teardown(many_and_given_up, setup, teardown),
	};

	return cmocka_run_group_tests_name("prove", tests, NULL, NULL);
}
