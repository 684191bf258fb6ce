/* SPDX-License-Identifier: MIT
 * probe_steps.c - the kind steps: a run of requests against an application with a login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/support/probe_rig.h"
#include "tests/unit/support/site_app.h"

static struct site_app app, other;
static struct rig rig;

#define LOGIN \
	"      login:\n" \
	"        reads: true\n" \
	"        steps:\n" \
	"          - { get: /login, capture: { csrf: 'jsonpath \"$.csrf\"', n: 'jsonpath \"$.n\"' } }\n" \
	"          - post: /login\n" \
	"            form: { user: probe, password: \"${PROBE_PASSWORD}\", csrf: \"{{csrf}}\" }\n" \
	"            expect: [status == 302]\n" \
	"          - { get: '/account?n={{n}}&c={{csrf}}', expect: [status == 200, 'body contains \"number {{n}}\"'] }\n" \
	"          - { post: /logout, always_run: true }\n"

static void load(const char *features)
{
	if (!rig_load(&rig, app.port, other.port, features))
		fail_msg("%s", buf_str(&rig.said));
}

static int setup(void **state)
{
	(void)state;
	rig = (struct rig){ .loop = ev_loop_new(0) };
	site_reset(&app);
	site_reset(&other);
	alarm(60);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_clear(&rig);
	ev_loop_destroy(rig.loop);
	alarm(0);
	return 0;
}

static void nowhere(const struct said *s, const char *secret)
{
	const char *const texts[] = { s->e.url, s->e.want, s->e.got, s->e.head, s->e.body };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strstr(texts[i], secret))
			fail_msg("'%s' is shown: %s", secret, texts[i]);
}

/* ---- a good run ---- */

static void it_logs_in_looks_and_logs_out(void **state)
{
	(void)state;
	load(LOGIN);
	struct said s = rig_vote(&rig);
	rig_outcome(&s, OUT_PRESENT);
	assert_true(s.r.complete);
	assert_int_equal(s.r.requests, 4);
	assert_string_equal(app.shared->log, "GET /login\nPOST /login\nGET /account?n=7&c=cs%2Brf%2Ftok%3Den\nPOST /logout\n");
	assert_int_equal(atomic_load(&app.shared->logins), 1);
	assert_int_equal(atomic_load(&app.shared->sessions), 0);
	assert_non_null(strstr(app.shared->last, "\r\nX-Switchd-Probe: shop/login\r\n"));
	s = rig_vote(&rig); /* a jar of its own: the second run begins without cookies */
	assert_int_equal(atomic_load(&app.shared->logins), 2);
	s = rig_ask(&rig, VIA_SLOT, PURPOSE_VOTE, GREEN);
	rig_outcome(&s, OUT_PRESENT);
	assert_int_equal(atomic_load(&other.shared->logins), 1);
	assert_true(s.has_evidence);
	rig_says(s.e.url, "/logout");
}

static void json_bodies_headers_and_captures_of_all_kinds(void **state)
{
	(void)state;
	site_page(&app, "/start", 200, "application/json", "{\"id\":442,\"name\":\"a \\\"b\\\" \\\\ c\",\"deep\":{\"x\":\"/&?= é\"}}")->head[0] = '\0';
	snprintf(app.shared->page[0].head, 256, "Set-Cookie: sid=abc123456; Path=/\r\nX-Next: n/1 2\r\n");
	site_page(&app, "/api", 200, "text/plain", "")->mode = PAGE_ECHO;
	load("      api:\n        writes: true\n        interval: 60s\n        steps:\n"
	     "          - get: /start\n            capture: { id: 'jsonpath \"$.id\"', name: 'jsonpath \"$.name\"', x: 'jsonpath \"$.deep.x\"', h: 'header \"X-Next\"', c: 'cookie \"sid\"' }\n"
	     "          - put: /api?x={{x}}&again={{x}}\n            headers: { X-Id: 'id {{id}}', X-C: '{{c}}' }\n"
	     "            json: { name: '{{name}}', n: 5, yes: true, none: null, list: [1, two, '3'], 'id': '{{id}}' }\n"
	     "            expect: ['status == 200', 'body contains \"{{x}}\"', 'status not == {{id}}']\n"
	     "          - { delete: '/api', expect: ['body contains \"DELETE\"'] }\n");
	struct said s = rig_vote(&rig);
	rig_outcome(&s, OUT_BODY); /* the third asserts what the echo of the second has percent-encoded */
	rig_says(s.e.want, "step 2 PUT /api?x={{x}}&again={{x}}: body contains \"{{x}}\"");
	rig_says(app.shared->last, "PUT /api?x=%2F%26%3F%3D%20%C3%A9&again=%2F%26%3F%3D%20%C3%A9 HTTP/1.1\r\n");
	rig_says(app.shared->last, "\r\nX-Id: id 442\r\n");
	rig_says(app.shared->last, "\r\nX-C: abc123456\r\n");
	rig_says(app.shared->last, "sid=abc123456");
	rig_says(app.shared->last, "\r\nContent-Type: application/json\r\n");
	rig_says(app.shared->last, "{\"name\":\"a \\\"b\\\" \\\\ c\",\"n\":5,\"yes\":true,\"none\":null,\"list\":[1,\"two\",\"3\"],\"id\":\"442\"}");
}

/* ---- failures ---- */

static void the_first_failing_step_names_the_outcome_and_the_session_is_ended(void **state)
{
	static const struct { enum page_mode mode; int status; enum outcome want; bool complete; const char *got; } table[] = {
		{ PAGE_OK, 500, OUT_STATUS, true, "step 3 GET /account?n={{n}}&c={{csrf}}: 500" },
		{ PAGE_OK, 302, OUT_REDIRECT, true, "302 to http" },
		{ PAGE_RESET, 0, OUT_RESET, false, "step 3" },
		{ PAGE_CLOSE, 0, OUT_CLOSED, false, "step 3" },
		{ PAGE_CUT, 0, OUT_BODY_CUT, false, "step 3" },
		{ PAGE_HUGE, 0, OUT_TOO_LARGE, false, "step 3" },
	};

	(void)state;
	load(LOGIN);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		site_reset(&app);
		struct page *p = site_page(&app, "/account", table[i].status, "text/html", "");

		p->mode = table[i].mode;
		snprintf(p->head, sizeof(p->head), "Location: /login\r\n");
		struct said s = rig_vote(&rig);
		rig_outcome(&s, table[i].want);
		assert_int_equal(s.r.complete, table[i].complete);
		rig_says(s.e.got, table[i].got);
		assert_int_equal(atomic_load(&app.shared->logouts), 1);
		assert_int_equal(atomic_load(&app.shared->sessions), 0);
		if (table[i].complete)
			rig_says(s.e.want, "step 3 GET /account");
	}
}

static void a_run_that_hangs_ends_in_time_and_still_logs_out(void **state)
{
	static const struct { enum page_mode mode; const char *expect; enum outcome want; } table[] = {
		{ PAGE_HANG, "status == 200", OUT_TIMEOUT }, { PAGE_HANG, "duration < 100ms", OUT_DURATION_TIMEOUT }, { PAGE_DRIP, "status == 200", OUT_TIMEOUT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char text[1024];

		site_reset(&app);
		site_page(&app, "/slow", 200, "text/html", "")->mode = table[i].mode;
		snprintf(text, sizeof(text), "      run:\n        timeout: 300ms\n        reads: true\n        steps:\n          - get: /login\n"
			 "          - { get: /slow, expect: ['%s'] }\n          - get: /never\n          - { post: /logout, always_run: true }\n", table[i].expect);
		load(text);
		struct said s = rig_vote(&rig);
		rig_outcome(&s, table[i].want);
		assert_false(s.r.complete);
		assert_string_equal(app.shared->log, "GET /login\nGET /slow\nPOST /logout\n");
		rig_clear(&rig);
	}
	/* The clean-up has a deadline of its own, and what it meets changes nothing. */
	site_reset(&app);
	site_page(&app, "/slow", 500, "text/html", "");
	site_page(&app, "/logout", 200, "text/html", "")->mode = PAGE_HANG;
	load("      run:\n        timeout: 300ms\n        reads: true\n        steps:\n          - get: /slow\n          - { post: /logout, always_run: true }\n"
	     "          - { delete: /logout, always_run: true }\n");
	struct said s = rig_vote(&rig);
	rig_outcome(&s, OUT_STATUS);
	assert_true(s.r.complete);
}

static void nobody_there_is_out_and_nothing_is_cleaned_up(void **state)
{
	uint16_t port;
	int fd = hostile_listen(&port, 1);

	(void)state;
	close(fd);
	if (!rig_load(&rig, port, app.port, LOGIN))
		fail_msg("%s", buf_str(&rig.said));
	struct said s = rig_vote(&rig);
	rig_outcome(&s, OUT_REFUSED);
	assert_int_equal(s.r.requests, 1);
	rig_says(s.e.got, "step 1 GET /login: ");
}

static void what_is_not_there_cannot_be_captured(void **state)
{
	(void)state;
	load("      run:\n        steps:\n          - { get: /login, capture: { t: 'jsonpath \"$.token\"' } }\n          - get: /account/{{t}}\n");
	struct said s = rig_vote(&rig);
	rig_outcome(&s, OUT_ASSERTION);
	assert_true(s.r.complete);
	rig_says(s.e.want, "step 1 GET /login: capture t: jsonpath \"$.token\"");
	rig_says(s.e.got, "nothing there");
	assert_string_equal(app.shared->log, "GET /login\n");
	rig_clear(&rig);
	site_page(&app, "/big", 200, "text/plain", "");
	memset(app.shared->page[0].body, 'b', 2047);
	snprintf(app.shared->page[0].head, 256, "X-A: a\r\n");
	load("      run:\n        steps:\n          - { get: /login, capture: { t: 'body' } }\n          - { get: /x, headers: { X-T: '{{t}}' }, expect: ['status == {{t}}'] }\n");
	s = rig_vote(&rig);
	rig_outcome(&s, OUT_ASSERTION);
	rig_says(s.e.got, "is no number");
	nowhere(&s, SITE_CSRF);
}

static void a_cancelled_run_ends_at_once_and_cleans_nothing(void **state)
{
	struct probe_job job = { .slot = BLUE, .release = "" };
	struct said s = { 0 };

	(void)state;
	site_page(&app, "/account", 200, "", "")->mode = PAGE_HANG;
	load(LOGIN);
	struct probe_handle *h = probe_start(rig.runner, &job, rig_done, &s);
	while (atomic_load(&app.shared->requests) < 3) /* the last one has been sent, which is no event of ours */
		ev_run(rig.loop, EVRUN_NOWAIT);
	assert_int_equal(s.dones, 0);
	probe_cancel(h);
	assert_int_equal(s.dones, 1);
	rig_outcome(&s, OUT_CANCELLED);
	s = (struct said){ 0 };
	probe_start(rig.runner, &job, rig_done, &s);
	probe_runner_free(&rig.runner); /* the runner's end cancels it too */
	assert_int_equal(s.dones, 1);
	rig_outcome(&s, OUT_CANCELLED);
}

/* ---- through the front ---- */

static void through_the_front_one_slot_must_answer_all_of_it(void **state)
{
	(void)state;
	load(LOGIN);
	snprintf(app.shared->stamp, 64, "blue/blue:1.1:plain");
	snprintf(app.shared->stamp_in, 64, "blue/blue:1.2:plain");
	struct said s = rig_ask(&rig, VIA_FRONT, PURPOSE_VOTE, BLUE);
	rig_outcome(&s, OUT_PRESENT);
	assert_string_equal(s.r.stamp_by, "blue");
	assert_string_equal(s.r.stamp_value, "blue:1.2:plain"); /* of the last answer */
	assert_int_equal(atomic_load(&app.shared->connections), 4);
	snprintf(app.shared->stamp_in, 64, "green/green:2.2:plain");
	s = rig_ask(&rig, VIA_FRONT, PURPOSE_VOTE, BLUE);
	rig_outcome(&s, OUT_STALE_STAMP);
	rig_says(s.e.got, "step 3");
	rig_says(s.e.got, "answered by green, the steps before it by blue");
	app.shared->stamp[0] = app.shared->stamp_in[0] = '\0';
	s = rig_ask(&rig, VIA_FRONT, PURPOSE_VOTE, BLUE);
	rig_outcome(&s, OUT_PRESENT);
	assert_string_equal(s.r.stamp_by, "");
}

/* ---- the negative control ---- */

static void the_control_replaces_the_last_step_that_only_reads(void **state)
{
	(void)state;
	load(LOGIN);
	assert_null(probe_unproven(&rig.cfg->services[0].features[0]));
	struct said s = rig_ask(&rig, VIA_SLOT, PURPOSE_CONTROL, BLUE);
	rig_outcome(&s, OUT_STATUS);
	rig_says(app.shared->log, "GET /switchd-absent-");
	assert_int_equal(atomic_load(&app.shared->logouts), 1);
	atomic_store(&app.shared->catchall, true); /* every path has the words that are looked for: it cannot fail */
	rig_clear(&rig);
	load("      run:\n        reads: true\n        steps:\n          - get: /login\n          - { get: /account/x, expect: ['body contains \"Account\"'] }\n"
	     "          - { post: /logout, always_run: true }\n");
	s = rig_ask(&rig, VIA_SLOT, PURPOSE_CONTROL, BLUE);
	rig_outcome(&s, OUT_PRESENT);
	atomic_store(&app.shared->catchall, false);
	site_page(&app, "/login", 500, "text/html", ""); /* it never came so far: nothing is known */
	s = rig_ask(&rig, VIA_SLOT, PURPOSE_CONTROL, BLUE);
	rig_outcome(&s, OUT_NEVER_RAN);
	rig_clear(&rig);
	load("      run:\n        reads: true\n        steps:\n          - { post: /login, expect: [status == 200] }\n");
	assert_non_null(probe_unproven(&rig.cfg->services[0].features[0]));
	s = rig_ask(&rig, VIA_SLOT, PURPOSE_CONTROL, BLUE);
	rig_outcome(&s, OUT_NEVER_RAN);
}

/* ---- secrets ---- */

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void secrets_are_struck_out_of_everything_that_is_shown(void **state)
{
	char dir[] = "/tmp/steps.XXXXXX", file[64], text[2048];
	struct buf shown = BUF_INIT(65536);

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/pw", dir);
	write_file(file, "c@n'ary \"1\"/<x>\n");
	snprintf(text, sizeof(text), "      run:\n        reads: true\n        secrets: { password: %s }\n        steps:\n"
		 "          - get: /login\n"
		 "          - post: /login\n            form: { user: probe, password: '{{password}}', env: 'x${PROBE_PASSWORD}y', pin: \"9876543\" }\n"
		 "            headers: { X-Api-Token: 'tok-{{password}}', Authorization: 'Bearer literal-bearer' }\n"
		 "            expect: ['body contains \"no {{password}} ${PROBE_PASSWORD}\"']\n"
		 "          - { get: '/x?{{password}}' }\n", file);
	load(text);
	atomic_store(&app.shared->wrong_echoes, true);
	struct said s = rig_vote(&rig);
	rig_outcome(&s, OUT_BODY);
	rig_says(app.shared->last, "password=c%40n%27ary+%221%22%2F%3Cx%3E&env=xp%40ss+word%26xy&pin=9876543");
	rig_says(s.e.body, "<p>wrong: user=probe&password=****");
	static const char *const secrets[] = { "c@n", "c%40n", "n%27ary", "p@ss", "p%40ss", "9876543", "literal-bearer" };
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		nowhere(&s, secrets[i]);
	rig_says(s.e.want, "body contains \"no {{password}} ****");
	/* Whatever it is dressed in. */
	site_page(&app, "/login", 200, "text/html",
		  "raw c@n'ary \"1\"/<x> json \"c@n'ary \\\"1\\\"/<x>\" html c@n&#39;ary &quot;1&quot;/&lt;x&gt; url c%40n%27ary%20%221%22%2f%3cx%3e end p@ss word&amp;x");
	snprintf(app.shared->page[0].head, 256, "X-Was: c@n'ary \"1\"/<x>\r\nSet-Cookie: sid=a-session-id-of-somebody\r\nX-Sid: a-session-id-of-somebody\r\n");
	s = rig_vote(&rig);
	rig_outcome(&s, OUT_BODY);
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		nowhere(&s, secrets[i]);
	nowhere(&s, "somebody");
	nowhere(&s, "s word");
	rig_says(s.e.body, " end ");
	config_show(rig.cfg, NULL, &shown);
	rig_says(buf_str(&shown), "\"password\": \"{{password}}\"");
	rig_says(buf_str(&shown), "\"env\": \"x${PROBE_PASSWORD}y\"");
	rig_says(buf_str(&shown), "\"pin\": \"***\"");
	assert_null(strstr(buf_str(&shown), "p@ss"));
	assert_null(strstr(buf_str(&shown), "literal-bearer"));
	buf_free(&shown);
	unlink(file);
	rmdir(dir);
}

static void a_secret_cut_by_the_end_of_what_is_shown_is_struck_too(void **state)
{
	char text[1024];

	(void)state;
	site_page(&app, "/p", 500, "text/plain", "");
	for (size_t pad = 90; pad < 160; pad++) {
		memset(app.shared->page[0].body, 'x', pad);
		snprintf(app.shared->page[0].body + pad, 1024, "p@ss word&x");
		snprintf(text, sizeof(text), "      run:\n        reads: true\n        steps:\n          - { post: /p, body: '${PROBE_PASSWORD}', expect: ['body == \"z\"'] }\n");
		if (pad == 90)
			load("      run:\n        reads: true\n        steps:\n          - { post: /p, body: '${PROBE_PASSWORD}', expect: ['body contains \"z\"'] }\n");
		struct said s = rig_vote(&rig);
		rig_outcome(&s, OUT_BODY);
		nowhere(&s, "p@");
	}
}

/* ---- what the loader says ---- */

static void refused(const char *features, const char *want)
{
	if (rig_load(&rig, app.port, other.port, features))
		fail_msg("it loads, and should say: %s", want);
	if (!strstr(buf_str(&rig.said), want))
		fail_msg("should say: %s\nsays:\n%s", want, buf_str(&rig.said));
	rig_clear(&rig);
}

static void mistakes_are_named_with_their_place(void **state)
{
	(void)state;
	refused("      r:\n        steps:\n          - get: /a/{{tokn}}\n", "t.yaml:12:21: error: {{tokn}}: no secret and no earlier capture");
	refused("      r:\n        steps:\n          - { get: /a, capture: { token: 'body' }, headers: { X: 'a{{token}}' } }\n", "{{token}}: no secret");
	refused("      r:\n        steps:\n          - { get: /a, capture: { token: 'body' } }\n          - { get: /b, expect: ['body contains \"\\\" {{tokem}}\"'] }\n",
		"t.yaml:13:52: error: {{tokem}}: no secret and no earlier capture has this name (did you mean {{token}}?)");
	refused("      r:\n        steps:\n          - { get: '/a/{{x y}}' }\n", "spaces");
	refused("      r:\n        steps:\n          - { get: /a, headers: { X: '{{' } }\n", "want {{name}}");
	refused("      r:\n        steps:\n          - { get: /a, post: /b }\n", "post: step 1 of feature \"r\" has get already");
	refused("      r:\n        steps:\n          - { expect: [status == 200] }\n", "want one of get, post");
	refused("      r:\n        steps:\n          - { post: /a }\n", "step 1 of feature \"r\": POST may change something: the feature needs writes: true, or reads: true");
	refused("      r:\n        reads: true\n        writes: true\n        interval: 60s\n        steps:\n          - { post: /a }\n", "does one or the other");
	refused("      r:\n        writes: true\n        steps:\n          - { post: /a }\n", "its interval must be at least 60s");
	refused("      r:\n        steps:\n          - { get: /a, form: { a: b } }\n", "form: GET has none");
	refused("      r:\n        reads: true\n        steps:\n          - { post: /a, form: { a: b }, json: { a: b } }\n", "json: step 1 of feature \"r\" has form already");
	refused("      r:\n        steps:\n          - { get: /a, expect: ['status = 200'] }\n", "t.yaml:12:41: error: ");
	refused("      r:\n        steps:\n          - { get: /a, capture: { t: 'jsonpth \"$.a\"' } }\n", "t.yaml:12:39: error: capture t: ");
	refused("      r:\n        steps:\n          - { get: /a, always_run: true }\n", "nothing would be judged");
	refused("      r:\n        expect: [status == 200]\n        steps:\n          - { get: /a }\n", "stands in the step that it is about");
	refused("      r:\n        path: /x\n        steps:\n          - { get: /a }\n", "is asked in one way");
	refused("      r:\n        method: GET\n        steps:\n          - { get: /a }\n", "has no meaning for a probe of kind steps");
	refused("      r:\n        secrets: { p: /nonexistent/p }\n        steps:\n          - { get: '/a{{p}}' }\n",
		"t.yaml:11:23: error: secrets: p: /nonexistent/p: No such file or directory");
	refused("      r:\n        secrets: { p: relative }\n        steps:\n          - { get: '/a{{p}}' }\n", "want the absolute path");
	refused("      r:\n        secrets: { p: /dev/zero }\n        steps:\n          - { get: '/a{{p}}' }\n", "is not a plain file");
	refused("      r:\n        steps: []\n", "steps: is empty");
	refused("      r:\n        steps: { get: /a }\n", "steps: want a list");
	refused("      r:\n        path: /x\n        reads: true\n", "reads: has no meaning for a probe of kind http");
}

static void there_is_an_end_to_steps_and_captures(void **state)
{
	struct buf text = BUF_INIT(65536);

	(void)state;
	buf_adds(&text, "      r:\n        steps:\n");
	for (int i = 0; i < 32; i++)
		buf_addf(&text, "          - { get: /login, capture: { c%d: 'jsonpath \"$.n\"' } }\n", i);
	load(buf_str(&text));
	struct said s = rig_vote(&rig);
	rig_outcome(&s, OUT_PRESENT);
	assert_int_equal(s.r.requests, 32);
	rig_clear(&rig);
	buf_adds(&text, "          - { get: /login }\n");
	refused(buf_str(&text), "steps: 33 of them: at most 32");
	buf_clear(&text);
	buf_adds(&text, "      r:\n        steps:\n          - get: /login\n            capture:\n");
	for (int i = 0; i < 32; i++)
		buf_addf(&text, "              c%d: body\n", i);
	buf_adds(&text, "          - { get: /login, capture: { more: body } }\n");
	refused(buf_str(&text), "capture: more than 32 in one run");
	buf_free(&text);
}

static int stop(void **state)
{
	(void)state;
	site_stop(&app);
	site_stop(&other);
	return 0;
}

static int start(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	site_start(&app);
	site_start(&other);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_logs_in_looks_and_logs_out),
		TEST(json_bodies_headers_and_captures_of_all_kinds),
		TEST(the_first_failing_step_names_the_outcome_and_the_session_is_ended),
		TEST(a_run_that_hangs_ends_in_time_and_still_logs_out),
		TEST(nobody_there_is_out_and_nothing_is_cleaned_up),
		TEST(what_is_not_there_cannot_be_captured),
		TEST(a_cancelled_run_ends_at_once_and_cleans_nothing),
		TEST(through_the_front_one_slot_must_answer_all_of_it),
		TEST(the_control_replaces_the_last_step_that_only_reads),
		TEST(secrets_are_struck_out_of_everything_that_is_shown),
		TEST(a_secret_cut_by_the_end_of_what_is_shown_is_struck_too),
		TEST(mistakes_are_named_with_their_place),
		TEST(there_is_an_end_to_steps_and_captures),
	};

	return cmocka_run_group_tests_name("probe_steps", tests, start, stop);
}
