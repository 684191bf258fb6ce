/* SPDX-License-Identifier: MIT
 * probe_http.c - the http kind: what is asked, how an answer is named, what is kept of it. */
#include "tests/unit/support/http_rig.h"

/* ---- what is asked ---- */

static void a_direct_probe_asks_a_target_under_the_public_name(void **state)
{
	static const char *const ok[] = { "status == 200" };
	static const struct header own[] = { { "User-Agent", "robot/1" }, { "X-Empty", "" }, { "X-Switchd-Probe", "forged" } };

	(void)state;
	feature(0, "quotes", "/echo?a=b", ok, 1);
	feature(1, "expenses", "/echo", ok, 1);
	features[1].headers = own;
	features[1].n_headers = 3;
	open_runner();
	struct said s = vote(GREEN, 0);
	expect_outcome(&s, OUT_PRESENT);
	assert_true(s.r.complete);
	assert_true(text_starts(green.shared->last, "GET /echo?a=b HTTP/1.1\r\n"));
	assert_non_null(strstr(green.shared->last, "\r\nHost: shop.test\r\n"));
	assert_non_null(strstr(green.shared->last, "\r\nX-Switchd-Probe: shop/quotes\r\n"));
	assert_non_null(strstr(green.shared->last, "\r\nUser-Agent: switchd-probe\r\n"));
	assert_string_equal(s.e.url, "http://shop.test/echo?a=b");
	assert_string_equal(s.e.target, texts[2]);
	assert_int_equal(s.e.status, 200);
	assert_true(s.e.latency_us > 0 && s.e.at.ms > 0);
	assert_non_null(strstr(s.e.head, "HTTP/1.1 200 X\nContent-Type: text/plain\n"));
	assert_string_equal(s.e.want, "");
	s = vote(BLUE, 1);
	assert_non_null(strstr(blue.shared->last, "\r\nUser-Agent: robot/1\r\n"));
	assert_non_null(strstr(blue.shared->last, "\r\nX-Empty:"));
	assert_non_null(strstr(blue.shared->last, "\r\nX-Switchd-Probe: shop/expenses\r\n"));
	assert_null(strstr(blue.shared->last, "forged"));
	assert_null(strstr(blue.shared->last, "switchd-probe"));
}

static void the_host_is_the_one_that_users_send(void **state)
{
	static const struct { const char *url, *host; uint16_t port; bool tls; const char *want; } table[] = {
		{ "http://shop.test", "shop.test", 80, false, "\r\nHost: shop.test\r\n" },
		{ "https://shop.test", "shop.test", 443, true, "\r\nHost: shop.test\r\n" },
		{ "https://shop.test:8443", "shop.test", 8443, true, "\r\nHost: shop.test:8443\r\n" },
		{ "http://[::1]:8080", "::1", 8080, false, "\r\nHost: [::1]:8080\r\n" },
	};
	static const char *const ok[] = { "status == 200" };
	char want[64];

	(void)state;
	feature(0, "quotes", "/ok", ok, 1);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		public_name(table[i].url, table[i].host, table[i].port, table[i].tls);
		open_runner();
		struct said s = vote(BLUE, 0);
		expect_outcome(&s, OUT_PRESENT);
		if (!strstr(blue.shared->last, table[i].want))
			fail_msg("%s gives %s", table[i].url, blue.shared->last);
		probe_runner_free(&runner);
	}
	public_name("", "", 0, false); /* no public name: its own */
	open_runner();
	struct said s = vote(BLUE, 0);
	expect_outcome(&s, OUT_PRESENT);
	snprintf(want, sizeof(want), "\r\nHost: 127.0.0.1:%u\r\n", blue.port);
	assert_non_null(strstr(blue.shared->last, want));
}

static void tls_is_spoken_with_the_slots_own_settings(void **state)
{
	static const char *const ok[] = { "status == 200", "body matches /x-sni: shop.test/i" };

	(void)state;
	feature(0, "quotes", "/echo", ok, 2);
	targets[BLUE][0] = target(tls.port, true, texts[0]);
	svc.slot[BLUE].tls.ca_file = tls.ca;
	targets[GREEN][0] = target(tls.port, true, texts[2]);
	open_runner();
	struct said s = vote(BLUE, 0);
	expect_outcome(&s, OUT_PRESENT);
	s = vote(GREEN, 0); /* knows nothing of that CA */
	expect_outcome(&s, OUT_TLS);
	assert_false(s.r.complete);
	assert_true(s.e.got[0] != '\0');
	probe_runner_free(&runner);
	svc.slot[GREEN].tls.verify = false;
	open_runner();
	s = vote(GREEN, 0);
	expect_outcome(&s, OUT_PRESENT);
}

static void a_write_is_sent_with_its_body(void **state)
{
	static const char *const ok[] = { "status == 200" };
	static const struct header own[] = { { "Content-Type", "application/json" } };

	(void)state;
	feature(0, "order", "/echo", ok, 1);
	features[0].method = "POST";
	features[0].body = "{\"a\":1}";
	features[0].writes = true;
	features[0].headers = own;
	features[0].n_headers = 1;
	open_runner();
	struct said s = vote(BLUE, 0);
	expect_outcome(&s, OUT_PRESENT);
	assert_true(text_starts(blue.shared->last, "POST /echo HTTP/1.1\r\n"));
	assert_non_null(strstr(blue.shared->last, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(blue.shared->last, "\r\n\r\n{\"a\":1}"));
}

/* ---- how it is named ---- */

static void every_end_of_the_transport_has_its_outcome(void **state)
{
	static const struct { const char *path; enum outcome want; bool complete; } table[] = {
		{ "/ok", OUT_PRESENT, true },
		{ "/close", OUT_CLOSED, false },
		{ "/reset", OUT_RESET, false },
		{ "/cut", OUT_BODY_CUT, false },
		{ "/cut-head", OUT_BODY_CUT, false },
		{ "/chunk-bad", OUT_PROTOCOL, false },
		{ "/http09", OUT_PROTOCOL, false },
		{ "/status-99999", OUT_PROTOCOL, false },
		{ "/endless", OUT_TOO_LARGE, false },
		{ "/head-many", OUT_TOO_LARGE, false },
		{ "/hang", OUT_TIMEOUT, false },
		{ "/close-if-reused", OUT_PRESENT, true },
		{ "/close-if-reused", OUT_PRESENT, true },      /* asked again on a new connection (B1.1) */
	};
	static const char *const ok[] = { "status == 200" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (runner)
			features[0].path = table[i].path;
		else
			feature(0, "quotes", table[i].path, ok, 1);
		features[0].rule.timeout_ms = table[i].want == OUT_TIMEOUT ? 100 : 5000;
		if (!runner)
			open_runner();
		struct said s = vote(BLUE, 0);
		if (s.r.outcome != table[i].want)
			fail_msg("%s: %s, not %s: %s", table[i].path, outcome_info(s.r.outcome)->code, outcome_info(table[i].want)->code, s.e.got);
		assert_int_equal(s.r.complete, table[i].complete);
		assert_true((s.e.got[0] == '\0') == table[i].complete);
	}
}

static void a_timeout_breaks_a_duration_promise(void **state)
{
	static const char *const with[] = { "status == 200", "duration < 50ms" }, *const without[] = { "status == 200" };
	struct blackhole hole;

	(void)state;
	feature(0, "quick", "/hang", with, 2);
	feature(1, "patient", "/hang", without, 1);
	features[0].rule.timeout_ms = features[1].rule.timeout_ms = 100;
	blackhole_open(&hole);
	targets[GREEN][0] = target(hole.port, false, texts[2]);
	open_runner();
	struct said s = vote(BLUE, 0);
	expect_outcome(&s, OUT_DURATION_TIMEOUT);
	s = vote(BLUE, 1);
	expect_outcome(&s, OUT_TIMEOUT);
	s = vote(GREEN, 0); /* never sent: says nothing about the feature */
	expect_outcome(&s, OUT_CONNECT_TIMEOUT);
	blackhole_close(&hole);
}

static void a_dead_target_is_out(void **state)
{
	static const char *const ok[] = { "status == 200" };
	uint16_t port;
	int fd = hostile_listen(&port, 1);

	(void)state;
	close(fd);
	feature(0, "quotes", "/ok", ok, 1);
	targets[GREEN][0] = target(port, false, texts[2]);
	open_runner();
	struct said s = vote(GREEN, 0);
	expect_outcome(&s, OUT_REFUSED);
}

static void the_first_assertion_that_fails_is_named(void **state)
{
	static const struct { const char *line[3]; size_t n; int status; const char *body; enum outcome want; const char *named, *got; } table[] = {
		{ { "status == 200", "jsonpath \"$.quotes\" count >= 1" }, 2, 200, "{\"quotes\":[1]}", OUT_PRESENT, "", "" },
		{ { "status == 200", "jsonpath \"$.quotes\" count >= 1" }, 2, 503, "{}", OUT_STATUS, "status == 200", "503" },
		{ { "status 2xx", "jsonpath \"$.quotes\" count >= 1" }, 2, 200, "{\"quotes\":[]}", OUT_JSON, "jsonpath \"$.quotes\" count >= 1", "count 0 (line 1, column 11)" },
		{ { "jsonpath \"$.q\" exists" }, 1, 200, "<html>", OUT_JSON, "jsonpath \"$.q\" exists", NULL },
		{ { "body contains \"Total\"", "status == 404" }, 2, 200, "Sum", OUT_BODY, "body contains \"Total\"", NULL },
		{ { "header \"X-None\" exists" }, 1, 200, "", OUT_HEADER, "header \"X-None\" exists", NULL },
		{ { "duration < 0ms" }, 1, 200, "", OUT_DURATION, "duration < 0ms", NULL },
		{ { "status == 500" }, 1, 500, "", OUT_PRESENT, "", "" },
		/* redirects fail unless expected (B1.6) */
		{ { "status == 302" }, 1, 302, "", OUT_PRESENT, "", "" },
		{ { "status == 200" }, 1, 302, "", OUT_REDIRECT, "status == 200", "302 to http://shop.test/login" },
		{ { "header \"X-Who\" == \"blue\"" }, 1, 301, "", OUT_REDIRECT, "no redirect", "301 to http://shop.test/login" },
		{ { "status < 400" }, 1, 302, "", OUT_REDIRECT, "no redirect", "302 to http://shop.test/login" },
		{ { "status == 302", "body contains \"x\"" }, 2, 302, "", OUT_BODY, "body contains \"x\"", NULL },
	};

	(void)state;
	TEXT_COPY(blue.shared->head, "Location: /login\r\n");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		feature(0, "quotes", "/body", table[i].line, table[i].n);
		atomic_store(&blue.shared->status, table[i].status);
		TEXT_COPY(blue.shared->body, table[i].body);
		open_runner();
		struct said s = vote(BLUE, 0);
		if (s.r.outcome != table[i].want || strcmp(s.e.want, table[i].named) != 0 || (table[i].got && strcmp(s.e.got, table[i].got) != 0))
			fail_msg("row %zu: %s want '%s' got '%s'", i, outcome_info(s.r.outcome)->code, s.e.want, s.e.got);
		assert_true(s.r.complete);
		probe_runner_free(&runner);
	}
}

/* ---- evidence ---- */

static void no_secret_gets_into_evidence(void **state)
{
	static const char *const ok[] = { "header \"X-Echo\" == \"other\"" };
	static const struct header own[] = { { "Authorization", "Bearer tok-123456" }, { "X-Key", "key-abcdef" }, { "Accept", "text/plain" } };

	(void)state;
	feature(0, "quotes", "/echo", ok, 1);
	features[0].headers = own;
	features[0].n_headers = 3;
	feature(1, "cookie", "/body", ok, 1);
	features[1].headers = own;
	features[1].n_headers = 3;
	TEXT_COPY(blue.shared->head, "Set-Cookie: sid=verysecret; HttpOnly\r\nset-cookie: a\r\nX-Echo: tok-123456\r\nX-After: here\r\n");
	open_runner();
	struct said s = vote(BLUE, 0);
	assert_null(strstr(s.e.body, "tok-123456"));
	assert_null(strstr(s.e.body, "key-abcdef"));
	assert_non_null(strstr(s.e.body, "Authorization: *"));
	assert_non_null(strstr(s.e.body, "Accept: text/plain"));
	s = vote(BLUE, 1);
	expect_outcome(&s, OUT_HEADER);
	assert_null(strstr(s.e.head, "verysecret"));
	assert_non_null(strstr(s.e.head, "Set-Cookie: ***\n"));
	assert_null(strstr(s.e.head, "set-cookie: a"));
	assert_null(strstr(s.e.head, "tok-123456"));
	assert_null(strstr(s.e.got, "tok-123456"));
	assert_non_null(strstr(s.e.head, "X-After: here\n"));
}

static void evidence_is_printable_and_bounded(void **state)
{
	static const char *const ok[] = { "status == 200" };
	char big[6001];

	(void)state;
	feature(0, "quotes", "/body", ok, 1);
	feature(1, "expenses", "/body", ok, 1);
	feature(2, "reports", "/body", ok, 1);
	open_runner();
	TEXT_COPY(blue.shared->body, "line 1\r\nline 2\n\ttab \x1b[31mred\x07 caf\xc3\xa9 \xff\xfe end");
	struct said s = vote(BLUE, 0);
	assert_string_equal(s.e.body, "line 1\nline 2\n\ttab ?[31mred? caf\xc3\xa9 ?? end");
	memset(big, 'x', sizeof(big) - 1);
	big[6000] = '\0';
	TEXT_COPY(blue.shared->body, big);
	s = vote(BLUE, 0); /* present again, a moment later: not written out anew */
	expect_outcome(&s, OUT_PRESENT);
	assert_int_equal(s.e.body_len, 0);
	s = vote(BLUE, 1);
	assert_int_equal(strlen(s.e.body), EVIDENCE_BODY - 1);
	assert_int_equal(s.e.body_len, 6000);
	for (size_t i = 0; i < 6000; i += 2) /* two-byte letters: the cut is between them */
		memcpy(big + i, "\xc3\xa9", 2);
	TEXT_COPY(blue.shared->body, big);
	s = vote(BLUE, 2);
	assert_int_equal(strlen(s.e.body), EVIDENCE_BODY - 2);
}

/* ---- config, cancel, free ---- */

static void broken_assertions_are_told_with_their_place(void **state)
{
	static const char *const bad[] = { "status == 200", "status = 200", "nonsense" };
	static const char *const identity[] = { "jsonpath \"$.r\" == \"{{release}}\" trailing" };
	struct buf errors = BUF_INIT(8192);
	int n = 0;

	(void)state;
	feature(0, "quotes", "/ok", bad, 3);
	svc.identity = (struct identity_config){ true, "/v", identity, 1, lines, cols, NULL };
	assert_false(probe_check_config(&cfg, &errors, &n));
	assert_int_equal(n, 3);
	assert_non_null(strstr(buf_str(&errors), "switchd.yaml:11:"));
	assert_non_null(strstr(buf_str(&errors), "switchd.yaml:12:9: error: "));
	assert_non_null(strstr(buf_str(&errors), "switchd.yaml:10:"));
	/* The column is that of the config plus that within the line: after `status `. */
	assert_non_null(strstr(buf_str(&errors), "switchd.yaml:11:16: error: "));
	assert_non_null(strstr(buf_str(&errors), "switchd.yaml:10:41: error: "));
	buf_clear(&errors);
	assert_null(probe_runner_new(loop, &cfg, &svc, &errors));
	assert_true(errors.len > 0);
	buf_clear(&errors);
	features[0].n_expect = 1;
	svc.identity.on = false;
	assert_true(probe_check_config(&cfg, &errors, &n));
	assert_int_equal(n, 0);
	assert_int_equal(errors.len, 0);
	buf_free(&errors);
}

static void cancelled_is_said_once(void **state)
{
	static const char *const ok[] = { "status == 200" };
	struct probe_job j = job(VIA_SLOT, PURPOSE_VOTE, BLUE, 0);
	struct said a = { 0 }, b = { 0 }, c = { 0 };

	(void)state;
	feature(0, "quotes", "/hang", ok, 1);
	feature(1, "order", "/ok", ok, 1);
	features[1].method = "POST";
	open_runner();
	struct probe_handle *h = probe_start(runner, &j, on_done, &a);
	probe_start(runner, &j, on_done, &b);
	j = job(VIA_SLOT, PURPOSE_CONTROL, BLUE, 1); /* about to say that it never ran */
	struct probe_handle *never = probe_start(runner, &j, on_done, &c);
	probe_cancel(never);
	assert_int_equal(c.r.outcome, OUT_CANCELLED);
	int before = atomic_load(&blue.shared->requests);
	while (atomic_load(&blue.shared->requests) < before + 2) /* both have been sent, which is no event of ours */
		ev_run(loop, EVRUN_NOWAIT);
	probe_cancel(h);
	assert_int_equal(a.dones, 1);
	assert_int_equal(a.r.outcome, OUT_CANCELLED);
	probe_runner_free(&runner);
	assert_int_equal(b.dones, 1);
	assert_int_equal(b.r.outcome, OUT_CANCELLED);
	assert_int_equal(c.dones, 1);
}

static void free_runner(void) { probe_runner_free(&runner); }

static void the_runner_may_be_freed_by_a_result(void **state)
{
	static const char *const ok[] = { "status == 200" };
	struct probe_job j = job(VIA_SLOT, PURPOSE_VOTE, BLUE, 0);
	struct said a = { .then = free_runner }, b = { 0 };

	(void)state;
	feature(0, "quotes", "/ok", ok, 1);
	feature(1, "hang", "/hang", ok, 1);
	open_runner();
	probe_start(runner, &j, on_done, &a);
	j.feature = 1;
	probe_start(runner, &j, on_done, &b);
	while (!a.dones)
		ev_run(loop, EVRUN_ONCE);
	assert_null(runner);
	assert_int_equal(b.dones, 1);
	assert_int_equal(b.r.outcome, OUT_CANCELLED);
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(a.dones + b.dones, 2);
}

static void an_absolute_url_is_asked_as_it_is(void **state)
{
	static const char *const ok[] = { "status == 200" };
	char url[64];

	(void)state;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/echo", green.port);
	feature(0, "cdn", "", ok, 1);
	features[0].url = url;
	features[0].severity = SEV_WARN;
	open_runner();
	struct said s = vote(BLUE, 0);
	expect_outcome(&s, OUT_PRESENT);
	assert_string_equal(s.e.url, url);
	assert_true(text_starts(green.shared->last, "GET /echo HTTP/1.1"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_direct_probe_asks_a_target_under_the_public_name),
		T(the_host_is_the_one_that_users_send),
		T(tls_is_spoken_with_the_slots_own_settings),
		T(a_write_is_sent_with_its_body),
		T(every_end_of_the_transport_has_its_outcome),
		T(a_timeout_breaks_a_duration_promise),
		T(a_dead_target_is_out),
		T(the_first_assertion_that_fails_is_named),
		T(no_secret_gets_into_evidence),
		T(evidence_is_printable_and_bounded),
		T(broken_assertions_are_told_with_their_place),
		T(cancelled_is_said_once),
		T(the_runner_may_be_freed_by_a_result),
		T(an_absolute_url_is_asked_as_it_is),
	};

	return cmocka_run_group_tests_name("probe_http", tests, all_setup, all_teardown);
}
