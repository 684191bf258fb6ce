/* SPDX-License-Identifier: MIT
 * probe_http.c - the http kind: what is asked, how an answer is named, what is kept of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>

#include "probes/probe.h"
#include "tests/unit/support/hostile.h"
#include "tests/unit/support/tls.h"

static struct hostile blue, green;
static struct tls_front tls;
static struct ev_loop *loop;
static struct probe_runner *runner;

/* ---- a service made by hand ---- */

enum { F_MAX = 8 };
static struct feature features[F_MAX];
static struct target targets[2][2];
static struct proxy_config proxies[2];
static struct service_config svc;
static struct config cfg;
static char texts[4][32];
static const int lines[] = { 10, 11, 12, 13 }, cols[] = { 9, 9, 9, 9 };

static struct target target(uint16_t port, bool with_tls, char *text)
{
	snprintf(text, 32, "127.0.0.1:%u", port);
	return (struct target){ .text = text, .host = "127.0.0.1", .port = port, .tls = with_tls };
}

static void feature(size_t i, const char *name, const char *path, const char *const *expect, size_t n)
{
	features[i] = (struct feature){
		.name = name, .path = path, .url = "", .method = "GET", .body = "", .control_path = "", .compare = n == 0,
		.expect = expect, .n_expect = n, .expect_line = lines, .expect_col = cols,
		.rule = { .timeout_ms = 5000, .interval_ms = 1000, .via_slot = true, .via_front = true },
	};
	if (svc.n_features <= i)
		svc.n_features = i + 1;
}

/* front: "" or the public URL, with its parts. */
static void public_name(const char *url, const char *host, uint16_t port, bool with_tls)
{
	svc.front = url;
	svc.front_target = (struct target){ .text = url, .host = host, .port = port, .tls = with_tls };
}

static void open_runner(void)
{
	struct buf errors = BUF_INIT(4096);

	runner = probe_runner_new(loop, &cfg, &svc, &errors);
	if (!runner)
		fail_msg("%s", buf_str(&errors));
	buf_free(&errors);
}

static int setup(void **state)
{
	(void)state;
	loop = ev_loop_new(0);
	memset(features, 0, sizeof(features));
	memset(proxies, 0, sizeof(proxies));
	proxies[0] = (struct proxy_config){ .name = "haproxy", .type = "haproxy", .front = "" };
	targets[BLUE][0] = target(blue.port, false, texts[0]);
	targets[BLUE][1] = target(blue.port, false, texts[1]);
	targets[GREEN][0] = target(green.port, false, texts[2]);
	targets[GREEN][1] = target(green.port, false, texts[3]);
	svc = (struct service_config){
		.name = "shop", .features = features, .proxies = proxies, .n_proxies = 1, .max_rate = 50,
		.slot = { { .targets = targets[BLUE], .n_targets = 1, .tls = { "", "", "", true } },
			  { .targets = targets[GREEN], .n_targets = 1, .tls = { "", "", "", true } } },
	};
	public_name("http://shop.test", "shop.test", 80, false);
	cfg = (struct config){ .file = "switchd.yaml", .services = &svc, .n_services = 1 };
	for (int i = 0; i < 2; i++) {
		struct hostile_shared *sh = i ? green.shared : blue.shared;

		atomic_store(&sh->status, 200);
		sh->head[0] = sh->body[0] = '\0';
	}
	alarm(30);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	probe_runner_free(&runner);
	ev_loop_destroy(loop);
	alarm(0);
	return 0;
}

/* ---- one probe ---- */

struct said {
	int dones;
	struct probe_result r;
	struct evidence e;
	bool has_evidence;
	void (*then)(void);
};

static void on_done(void *arg, const struct probe_result *r)
{
	struct said *s = arg;

	s->dones++;
	s->r = *r;
	s->has_evidence = r->evidence != NULL;
	if (r->evidence) {
		s->e = *r->evidence;
		assert_int_equal(r->evidence->outcome, r->outcome);
	}
	assert_true(r->ended.us >= r->began.us && r->began.us > 0);
	if (s->then)
		s->then();
}

static struct probe_job job(enum probe_via via, enum probe_purpose p, enum slot slot, size_t f)
{
	return (struct probe_job){ .via = via, .purpose = p, .slot = slot, .feature = f, .release = "" };
}

static struct said ask(struct probe_job j)
{
	struct said s = { 0 };

	probe_start(runner, &j, on_done, &s);
	assert_int_equal(s.dones, 0); /* never from inside */
	while (!s.dones)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(s.dones, 1);
	return s;
}

static struct said vote(enum slot slot, size_t f) { return ask(job(VIA_SLOT, PURPOSE_VOTE, slot, f)); }

static void expect_outcome(const struct said *s, enum outcome want)
{
	if (s->r.outcome != want)
		fail_msg("%s, not %s: want '%s' got '%s'", outcome_info(s->r.outcome)->code, outcome_info(want)->code, s->e.want, s->e.got);
}

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

static int all_setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	hostile_start(&blue, "blue");
	hostile_start(&green, "green");
	tls_start(&tls, blue.port, "http");
	return 0;
}

static int all_teardown(void **state)
{
	(void)state;
	tls_stop(&tls);
	hostile_stop(&blue);
	hostile_stop(&green);
	return 0;
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
		T(only_a_path_is_compared_with_the_baseline),
		T(an_expected_redirect_may_be_a_baseline),
		T(a_baseline_is_learned_from_a_good_answer_only),
		T(a_probe_must_be_able_to_fail),
		T(the_control_has_the_same_judge_and_its_own_path),
		T(a_target_says_which_release_it_runs),
		T(the_reference_only_shows_that_we_are_not_cut_off),
		T(the_front_is_asked_anew_each_time_and_its_stamp_is_read),
		T(a_proxy_with_a_front_of_its_own_is_asked_there),
		T(no_secret_gets_into_evidence),
		T(evidence_is_printable_and_bounded),
		T(broken_assertions_are_told_with_their_place),
		T(cancelled_is_said_once),
		T(the_runner_may_be_freed_by_a_result),
		T(an_absolute_url_is_asked_as_it_is),
	};

	return cmocka_run_group_tests_name("probe_http", tests, all_setup, all_teardown);
}
