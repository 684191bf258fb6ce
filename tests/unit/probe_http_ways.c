/* SPDX-License-Identifier: MIT
 * probe_http_ways.c - what the config says about requests is what the servers get: logins, cookies, bodies from
 * files, redirects, HTTP/2, unix sockets, PROXY lines, certificates; and none of its secrets comes out again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <ev.h>
#include <sys/stat.h>

#include "probes/probe.h"
#include "switchd/base/outside.h"
#include "tests/unit/support/hostile.h"
#include "tests/unit/support/tls.h"

static struct hostile blue;
static struct tls_front tls, h2, sock, behind;
static char dir[64], socket_path[96];
static struct ev_loop *loop;
static struct probe_runner *runner;
static struct config *cfg;
static struct said { int dones; struct probe_result r; struct evidence e; } said;

static void put_file(const char *name, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* `more` is indented into the service, `features` into its features; DIR in them is our directory. */
static void site(const char *front, const char *targets, const char *more, const char *features)
{
	struct buf text = BUF_INIT(16384), errors = BUF_INIT(16384), with = BUF_INIT(16384);
	int n;

	buf_addf(&text, "version: 1\nservices:\n  shop:\n    front: %s\n    slots: { blue: %s, green: [127.0.0.1:1] }\n%s    features:\n%s", front,
		 targets, more, features);
	for (const char *p = buf_str(&text); *p; p++)
		if (text_starts(p, "DIR"))
			buf_adds(&with, dir), p += 2;
		else
			buf_add(&with, p, 1);
	cfg = config_load("t.yaml", buf_str(&with), with.len, outside_lookup, NULL, &errors, &n);
	if (!cfg)
		fail_msg("%s", buf_str(&errors));
	runner = probe_runner_new(loop, cfg, &cfg->services[0], &errors);
	if (!runner)
		fail_msg("%s", buf_str(&errors));
	buf_free(&text);
	buf_free(&with);
	buf_free(&errors);
}

static void on_done(void *arg, const struct probe_result *r)
{
	(void)arg;
	said.dones++;
	said.r = *r;
	if (r->evidence)
		said.e = *r->evidence;
}

static void ask(const char *name, enum probe_via via, enum outcome want)
{
	const struct service_config *s = &cfg->services[0];
	const struct feature *f = config_feature(s, name);
	struct probe_job j = { .via = via, .purpose = PURPOSE_VOTE, .slot = BLUE, .release = "", .fresh = true };

	assert_non_null(f);
	j.feature = (size_t)(f - s->features);
	memset(&said, 0, sizeof(said));
	probe_start(runner, &j, on_done, NULL);
	while (!said.dones)
		ev_run(loop, EVRUN_ONCE);
	if (said.r.outcome != want)
		fail_msg("%s: %s, not %s: want %s, got %s", name, outcome_info(said.r.outcome)->code, outcome_info(want)->code, said.e.want, said.e.got);
}

static const char *here(uint16_t port, const char *scheme)
{
	static char text[4][64];
	static int next;
	char *t = text[next++ % 4];

	snprintf(t, sizeof(text[0]), "[\"%s127.0.0.1:%u\"]", scheme, port);
	return t;
}

static bool sent(const char *text) { return strcasestr(blue.shared->last, text) != NULL; }

static void logins_and_cookies_are_sent_and_never_shown(void **state)
{
	static const char *const secret[] = { "t0ken-abc", "pass word", "cHJvYmU6cGFzcyB3b3Jk", "s3ssion", "k3y-value" };
	struct buf shown = BUF_INIT(65536);

	(void)state;
	put_file("token", "t0ken-abc\n");
	put_file("password", "pass word\r\n");
	put_file("sid", "s3ssion\n");
	put_file("key", "k3y-value");
	site("http://shop.test", here(blue.port, ""), "",
	     "      basic: { path: /echo, auth: { user: probe, password_file: DIR/password }, expect: [2xx] }\n"
	     "      bearer: { path: /echo, auth: { bearer_file: DIR/token }, expect: [2xx] }\n"
	     "      cookie: { path: /echo, cookies: { sid: '${file:DIR/sid}', theme: dark }, expect: [2xx] }\n"
	     "      header: { path: '/echo?key=${file:DIR/key}', headers: { X-Key: 'k=${file:DIR/key}' }, expect: [status == 299] }\n"
	     "      wrong: { path: /echo, auth: { bearer_file: DIR/token }, expect: ['body contains \"${file:DIR/token}, but longer\"'] }\n");
	static const char *const names[] = { "basic", "bearer", "cookie", "header", "wrong" };
	static const char *const want[] = { "\r\nAuthorization: Basic cHJvYmU6cGFzcyB3b3Jk\r\n", "\r\nAuthorization: Bearer t0ken-abc\r\n",
					    "\r\nCookie: sid=s3ssion; theme=dark\r\n", "\r\nX-Key: k=k3y-value\r\n", "\r\nAuthorization: Bearer" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		ask(names[i], VIA_SLOT, i < 3 ? OUT_PRESENT : i == 3 ? OUT_STATUS : OUT_BODY);
		if (!sent(want[i]))
			fail_msg("%s: sent %s", names[i], blue.shared->last);
		assert_true(said.e.body_len > 0);
		for (size_t k = 0; k < ARRAY_LEN(secret); k++) /* the server echoes all of it */
			if (strstr(said.e.head, secret[k]) || strstr(said.e.body, secret[k]) || strstr(said.e.got, secret[k]) ||
			    strstr(said.e.url, secret[k]) || strstr(said.e.want, secret[k]))
				fail_msg("%s: %s in %s %s %s %s", names[i], secret[k], said.e.url, said.e.want, said.e.got, said.e.body);
	}
	config_show(cfg, NULL, &shown);
	for (size_t k = 0; k < ARRAY_LEN(secret); k++)
		if (strstr(buf_str(&shown), secret[k]))
			fail_msg("config show: %.120s", strstr(buf_str(&shown), secret[k]) - 60);
	assert_non_null(strstr(buf_str(&shown), "${file:"));
	buf_free(&shown);
}

static void a_body_comes_from_a_file_and_is_part_of_the_probe(void **state)
{
	static const char features[] = "      post: { path: /echo, method: POST, body_file: DIR/body, writes: true, interval: 60s, expect: [2xx] }\n";
	uint64_t before, service;

	(void)state;
	put_file("body", "{\"probe\": \"one\"}\n");
	site("http://shop.test", here(blue.port, ""), "", features);
	ask("post", VIA_SLOT, OUT_PRESENT);
	assert_true(sent("\r\nContent-Length: 17\r\n"));
	before = cfg->services[0].features[0].fingerprint;
	service = cfg->services[0].fingerprint;
	probe_runner_free(&runner);
	config_free(&cfg);
	put_file("body", "{\"probe\": \"two\"}\n");
	site("http://shop.test", here(blue.port, ""), "", features);
	assert_true(cfg->services[0].features[0].fingerprint != before);
	assert_true(cfg->services[0].fingerprint != service); /* so that a reload takes it up */
}

static void redirects_fail_unless_expected_or_followed(void **state)
{
	(void)state;
	site("http://shop.test", here(blue.port, ""), "",
	     "      plain: { path: /redirect, expect: ['body contains \"hello\"'] }\n"
	     "      expected: { path: /redirect, expect: [status == 302] }\n"
	     "      followed: { path: /redirect, follow: 1, expect: [status == 200, 'body contains \"hello\"'] }\n"
	     "      round: { path: /loop, follow: 5, expect: [2xx] }\n"
	     "      away: { path: /redirect-other, follow: 5, expect: [2xx] }\n");
	ask("plain", VIA_SLOT, OUT_REDIRECT);
	ask("expected", VIA_SLOT, OUT_PRESENT);
	ask("followed", VIA_SLOT, OUT_PRESENT);
	ask("round", VIA_SLOT, OUT_REDIRECT);
	ask("away", VIA_SLOT, OUT_REDIRECT);
	assert_non_null(strstr(said.e.got, "another host"));
	assert_int_equal(outcome_info(OUT_REDIRECT)->class, OC_ABSENT);
}

static void http2_sockets_and_proxy_lines(void **state)
{
	static const char features[] = "      echo: { path: /echo, expect: [2xx] }\n";
	char target[128];

	(void)state;
	site("http://shop.test", here(h2.port, ""), "    http2: true\n", features);
	ask("echo", VIA_SLOT, OUT_PRESENT);
	assert_true(sent("\r\nX-Http: 2\r\n"));
	probe_runner_free(&runner);
	config_free(&cfg);
	site("http://shop.test", here(sock.port, ""), "", features); /* the barrier: once it answers, its socket is there */
	ask("echo", VIA_SLOT, OUT_PRESENT);
	probe_runner_free(&runner);
	config_free(&cfg);
	snprintf(target, sizeof(target), "[\"unix:%s\"]", socket_path);
	site("http://shop.test", target, "", features);
	ask("echo", VIA_SLOT, OUT_PRESENT);
	assert_true(sent("\r\nHost: shop.test\r\n"));
	assert_non_null(strstr(said.e.target, socket_path));
	probe_runner_free(&runner);
	config_free(&cfg);
	snprintf(target, sizeof(target), "{ targets: [\"127.0.0.1:%u\"], proxy_protocol: true }", behind.port);
	site("http://shop.test", target, "", features);
	ask("echo", VIA_SLOT, OUT_PRESENT);
	assert_true(sent("\r\nX-Src: 127.0.0.1\r\n"));
}

static void a_socket_that_nobody_listens_on_is_out(void **state)
{
	(void)state;
	site("http://shop.test", "[\"unix:/nonexistent/sock\"]", "", "      echo: { path: /echo, expect: [2xx] }\n");
	ask("echo", VIA_SLOT, OUT_REFUSED);
}

static void a_front_with_a_ca_of_its_own(void **state)
{
	static const char features[] = "      echo: { path: /echo, expect: [2xx] }\n";
	char proxy[256], own[640];

	(void)state;
	snprintf(proxy, sizeof(proxy), "    proxies: [{ type: haproxy, front: \"https://127.0.0.1:%u\" }]\n", tls.port);
	site("https://shop.test", here(blue.port, ""), proxy, features);
	ask("echo", VIA_FRONT, OUT_TLS); /* the system knows no such CA */
	probe_runner_free(&runner);
	config_free(&cfg);
	snprintf(own, sizeof(own), "%s    front_tls: { ca_file: %s }\n", proxy, tls.ca);
	site("https://shop.test", here(blue.port, ""), own, features);
	ask("echo", VIA_FRONT, OUT_PRESENT);
	probe_runner_free(&runner);
	config_free(&cfg);
	snprintf(own, sizeof(own), "%s    front_tls: { verify: false }\n", proxy);
	site("https://other.test", here(blue.port, ""), own, features);
	ask("echo", VIA_FRONT, OUT_PRESENT);
}

static void certificates_reach_their_assertions(void **state)
{
	char slot[320];

	(void)state;
	snprintf(slot, sizeof(slot), "{ targets: [\"https://127.0.0.1:%u\"], tls: { ca_file: %s } }", tls.port, tls.ca);
	site("https://shop.test", slot, "",
	     "      good: { path: /ok, expect: ['certificate \"Expire-Date\" daysAfterNow > 14', 'certificate \"Subject\" contains \"shop.test\"'] }\n"
	     "      soon: { path: /ok, expect: ['certificate \"Expire-Date\" daysAfterNow > 40'] }\n");
	ask("good", VIA_SLOT, OUT_PRESENT);
	ask("soon", VIA_SLOT, OUT_TLS_ASSERTION);
	assert_true(said.e.got[0] != '\0');
}

static void what_is_outside_is_read_without_waiting(void **state)
{
	char path[160], *large = xmalloc(OUTSIDE_FILE_MAX + 2);

	(void)state;
	snprintf(path, sizeof(path), "%s/pipe", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(outside_lookup(path, NULL));
	assert_int_equal(errno, EINVAL);
	assert_null(outside_lookup(dir, NULL));
	assert_int_equal(errno, EINVAL);
	snprintf(path, sizeof(path), "%s/large", dir);
	memset(large, 'x', OUTSIDE_FILE_MAX + 1);
	large[OUTSIDE_FILE_MAX + 1] = '\0';
	put_file("large", large);
	assert_null(outside_lookup(path, NULL));
	assert_int_equal(errno, EFBIG);
	large[OUTSIDE_FILE_MAX] = '\0';
	put_file("large", large);
	assert_string_equal(outside_lookup(path, NULL), large);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, 10), 0); /* ten NULs */
	assert_null(outside_lookup(path, NULL));
	assert_int_equal(errno, EILSEQ);
	assert_null(outside_lookup("/nonexistent/file", NULL));
	assert_int_equal(errno, ENOENT);
	assert_int_equal(setenv("SWITCHD_TEST_OUTSIDE", "yes", 1), 0);
	assert_string_equal(outside_lookup("SWITCHD_TEST_OUTSIDE", NULL), "yes");
	assert_null(outside_lookup("SWITCHD_TEST_NOT_SET", NULL));
	free(large);
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
	probe_runner_free(&runner);
	config_free(&cfg);
	ev_loop_destroy(loop);
	alarm(0);
	return 0;
}

static int all_setup(void **state)
{
	char bind[160];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	snprintf(dir, sizeof(dir), "/tmp/switchd-ways-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	snprintf(socket_path, sizeof(socket_path), "%s/sock", dir);
	snprintf(bind, sizeof(bind), "\n  bind unix@%s", socket_path);
	hostile_start(&blue, "blue");
	tls_start(&tls, blue.port, "http");
	plain_front_start(&h2, blue.port, "proto h2");
	plain_front_start(&sock, blue.port, bind);
	plain_front_start(&behind, blue.port, "accept-proxy");
	return 0;
}

static int all_teardown(void **state)
{
	char cmd[160];

	(void)state;
	tls_stop(&tls);
	tls_stop(&h2);
	tls_stop(&sock);
	tls_stop(&behind);
	hostile_stop(&blue);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) != 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(logins_and_cookies_are_sent_and_never_shown),
		T(a_body_comes_from_a_file_and_is_part_of_the_probe),
		T(redirects_fail_unless_expected_or_followed),
		T(http2_sockets_and_proxy_lines),
		T(a_socket_that_nobody_listens_on_is_out),
		T(a_front_with_a_ca_of_its_own),
		T(certificates_reach_their_assertions),
		T(what_is_outside_is_read_without_waiting),
	};

	return cmocka_run_group_tests_name("probe_http_ways", tests, all_setup, all_teardown);
}
