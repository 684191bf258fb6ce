/* SPDX-License-Identifier: MIT
 * httpc_traps.c - each trap of the design's libcurl chapter by name, and TLS. */
#include "switchd/io/names.h"
#include "tests/unit/support/httpc_rig.h"

/* ---- the traps of design/libraries.md 11 ---- */

static void trap_1_slots_do_not_mix_under_one_name(void **state)
{
	struct call c[8] = { 0 };

	(void)state;
	for (int i = 0; i < 8; i++) { /* at once, and the same URL */
		struct httpc_request r = to(i % 2 ? green.port : blue.port, "/ok", 5000);

		httpc_send(pool, &r, on_done, &c[i]);
	}
	RUN_UNTIL(c[0].dones && c[1].dones && c[2].dones && c[3].dones && c[4].dones && c[5].dones && c[6].dones && c[7].dones);
	for (int i = 0; i < 8; i++)
		assert_string_equal(c[i].x, i % 2 ? "green" : "blue");
	for (int i = 0; i < 8; i++) { /* and one after the other, on kept connections */
		struct httpc_request r = to(i % 2 ? green.port : blue.port, "/ok", 5000);
		struct call d = { 0 };

		ask(&d, &r);
		assert_true(d.reused);
		assert_string_equal(d.x, i % 2 ? "green" : "blue");
	}
}

static struct httpc_request to_tls(const char *host, int64_t timeout_ms)
{
	static char url[256];

	snprintf(url, sizeof(url), "https://%s/echo", host);
	return (struct httpc_request){ .url = url, .connect_host = "127.0.0.1", .connect_port = tls.port, .ca_file = tls.ca,
				       .timeout_ms = timeout_ms };
}

/* With a CAPATH (Debian's default) libcurl reads its CA file again for each new connection,
 * which stops the loop.  Seen from outside: the cache is on when a new connection is still
 * verified after the file has gone. */
static void trap_2_the_ca_file_is_read_once(void **state)
{
	struct httpc_request r = to_tls("shop.test", 10000);
	struct call c = { 0 };
	char copy[160], cmd[400];

	(void)state;
	snprintf(copy, sizeof(copy), "%s/copy.pem", tls.dir);
	snprintf(cmd, sizeof(cmd), "cp %s %s", tls.ca, copy);
	assert_int_equal(system(cmd), 0);
	r.ca_file = copy;
	r.fresh = true;
	ask(&c, &r);
	expect(&c, H_OK);
	assert_int_equal(unlink(copy), 0);
	ask(&c, &r);
	expect(&c, H_OK);
	assert_false(c.reused);
}

/* libcurl would wait for its resolver thread; getaddrinfo() here ends only after done(). */
static void trap_3_a_hanging_name_stops_nothing(void **state)
{
	struct httpc_request r = to(80, "/ok", 200), ok = to(blue.port, "/ok", 5000);
	struct call c = { 0 }, d = { 0 };

	(void)state;
	r.connect_host = "hang.test";
	httpc_send(pool, &r, on_done, &c);
	RUN_UNTIL(hanging_now() == 1);
	int before = ticks;
	ask(&d, &ok); /* others are asked meanwhile */
	expect(&d, H_OK);
	assert_int_equal(c.dones, 0);
	RUN_UNTIL(c.dones);
	expect(&c, H_DNS);
	assert_int_equal(hanging_now(), 1);
	assert_true(ticks > before);
	let_names_go();
}

static void trap_3_cancelled_and_freed_while_a_name_hangs(void **state)
{
	struct httpc_request r = to(80, "/ok", 20000);
	struct call c = { 0 }, d = { 0 };

	(void)state;
	r.connect_host = "hang.test";
	struct httpc_req *q = httpc_send(pool, &r, on_done, &c);
	httpc_send(pool, &r, on_done, &d);
	RUN_UNTIL(hanging_now() == 1); /* one question for both */
	httpc_cancel(q);
	expect(&c, H_CANCELLED);
	httpc_pool_free(&pool);
	assert_int_equal(d.dones, 1);
	expect(&d, H_CANCELLED);
	assert_int_equal(hanging_now(), 1);
	let_names_go();
}

/* T20: a name server that is gone must not cost a thread per probe for ever. */
static void trap_3_hanging_names_do_not_pile_up_threads(void **state)
{
	struct httpc_request r = to(80, "/ok", 20);
	struct call c = { 0 };

	(void)state;
	r.connect_host = "hang.test";
	for (int i = 0; i < 40; i++) {
		ask(&c, &r);
		expect(&c, H_DNS);
	}
	assert_int_equal(hanging_now(), 1);
	struct httpc_request ok = to(blue.port, "/ok", 5000);
	ask(&c, &ok);
	expect(&c, H_OK);
	let_names_go();
}

static void names_resolve_or_say_so(void **state)
{
	struct httpc_request r = to(80, "/ok", 5000);
	struct call c = { 0 };

	(void)state;
	r.connect_host = "nx.test";
	ask(&c, &r);
	expect(&c, H_DNS);
	r.connect_host = "local.test";
	r.connect_port = green.port;
	ask(&c, &r);
	expect(&c, H_OK);
	assert_string_equal(c.x, "green");
	char url[64];
	snprintf(url, sizeof(url), "http://local.test:%u/ok", blue.port);
	r = (struct httpc_request){ .url = url, .timeout_ms = 5000 };
	ask(&c, &r);
	assert_string_equal(c.x, "blue");
}

/* Nobody listens on the first: the second is asked within the same request. */
static void every_address_of_a_name_is_tried(void **state)
{
	struct httpc_request r = to(blue.port, "/ok", 5000);
	struct call c = { 0 };

	(void)state;
	r.connect_host = "two.test";
	ask(&c, &r);
	expect(&c, H_OK);
	assert_string_equal(c.ip, "127.0.0.1");
	assert_string_equal(c.x, "blue");
	uint16_t port;
	int fd = hostile_listen(&port, 1);

	close(fd);
	r.connect_port = port;
	ask(&c, &r);
	expect(&c, H_REFUSED);
}

static struct resolved told;
static int tellings;

static void on_told(struct name_wait *w, const struct resolved *r)
{
	(void)w;
	told = *r;
	tellings++;
}

/* Fresh for no time at all, so that each question goes to the resolver, which then hangs, and then fails. */
static void an_old_answer_is_used_while_the_resolver_hangs_or_fails(void **state)
{
	static const struct names_times times = { 0, 60000, 0 };
	struct names *names = names_new(loop, &times);
	struct name_wait w = { .fn = on_told };
	const struct resolved *r;

	(void)state;
	pthread_mutex_lock(&names_lock);
	hang_over = true; /* for now it answers */
	pthread_mutex_unlock(&names_lock);
	tellings = 0;
	assert_null(names_ask(names, "hang-once.test", &w));
	RUN_UNTIL(tellings == 1);
	assert_string_equal(told.ip[0], "127.0.0.1");
	pthread_mutex_lock(&names_lock);
	hang_over = false;
	pthread_mutex_unlock(&names_lock);
	for (int i = 0; i < 3; i++) {
		r = names_ask(names, "hang-once.test", &w); /* at once */
		assert_non_null(r);
		assert_int_equal(r->n, 1);
	}
	RUN_UNTIL(hanging_now() == 1); /* asked behind it, once */
	pthread_mutex_lock(&names_lock);
	names_gone = true;
	pthread_mutex_unlock(&names_lock);
	let_names_go();
	turn(20);
	r = names_ask(names, "hang-once.test", &w);
	assert_non_null(r);
	assert_int_equal(r->n, 1);
	assert_null(names_ask(names, "never.test", &w)); /* one that was never known */
	RUN_UNTIL(tellings == 2);
	assert_int_equal(told.n, 0);
	assert_true(told.error[0] != '\0');
	pthread_mutex_lock(&names_lock);
	names_gone = false;
	pthread_mutex_unlock(&names_lock);
	let_names_go();
	names_free(&names);
	assert_null(names);
}

static void trap_4_bodies_end_at_the_cap(void **state)
{
	static const char *const paths[] = { "/endless", "/gib", "/bomb" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct call c = ask_path(paths[i], 10000);

		expect(&c, H_TOO_LARGE);
		assert_int_equal(c.body_len, HTTPC_BODY_MAX);
	}
	struct call c = ask_path("/gzip", 5000);
	expect(&c, H_OK);
	assert_string_equal(c.body, "hello gzip"); /* decoded */
}

static void trap_5_the_environment_names_no_proxy(void **state)
{
	char proxy[64];

	(void)state;
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", green.port);
	setenv("http_proxy", proxy, 1);
	setenv("all_proxy", proxy, 1);
	setenv("https_proxy", proxy, 1);
	struct call c = ask_path("/ok", 5000);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("https_proxy");
	expect(&c, H_OK);
	assert_string_equal(c.x, "blue");
}

static void trap_5_only_http_is_spoken(void **state)
{
	static const char *const urls[] = { "file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "dict://127.0.0.1/x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct httpc_request r = { .url = urls[i], .timeout_ms = 2000 };
		struct call c = { 0 };

		ask(&c, &r);
		expect(&c, H_PROTOCOL);
		assert_int_equal(c.body_len, 0);
	}
}

static void trap_5_netrc_is_not_read(void **state)
{
	char home[] = "/tmp/switchd-home-XXXXXX", path[64], *old = getenv("HOME");
	char *saved = old ? strdup(old) : NULL;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(home));
	snprintf(path, sizeof(path), "%s/.netrc", home);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "machine shop.test login spy password secret\n");
	fclose(f);
	setenv("HOME", home, 1);
	struct call c = ask_path("/echo", 5000);
	if (saved)
		setenv("HOME", saved, 1);
	else
		unsetenv("HOME");
	free(saved);
	unlink(path);
	rmdir(home);
	expect(&c, H_OK);
	assert_null(strstr(c.body, "Authorization"));
}

static void trap_5_descriptors_are_not_inherited(void **state)
{
	(void)state;
	struct call c = ask_path("/ok", 5000);
	int kept = 0;

	expect(&c, H_OK);
	for (int fd = 3; fd < 256; fd++) {
		struct sockaddr_in a = { 0 };
		socklen_t len = sizeof(a);

		if (getpeername(fd, (struct sockaddr *)&a, &len) == 0 && a.sin_family == AF_INET && ntohs(a.sin_port) == blue.port) {
			kept++;
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		}
	}
	assert_int_equal(kept, 1);
}

/* ---- TLS ---- */

static void tls_keeps_host_and_sni_of_the_public_name(void **state)
{
	struct httpc_request r = to_tls("shop.test", 10000);
	struct call c = { 0 };

	(void)state;
	ask(&c, &r);
	expect(&c, H_OK);
	assert_non_null(strcasestr(c.body, "\r\nHost: shop.test\r\n"));
	assert_non_null(strcasestr(c.body, "\r\nX-Sni: shop.test\r\n"));
	assert_false(c.has_cert); /* nobody asked */
	r.want_cert = true;
	ask(&c, &r);
	assert_true(c.reused); /* and it is there all the same */
	assert_true(c.has_cert);
	assert_string_equal(c.cert.subject, "CN = shop.test");
	assert_string_equal(c.cert.issuer, "CN = ca.test");
	assert_string_equal(c.cert.names, "shop.test");
	assert_true(strlen(c.cert.serial) >= 16 && c.cert.serial[strspn(c.cert.serial, "0123456789abcdef")] == '\0');
	assert_in_range((c.cert.not_after - c.cert.not_before) / 86400, 30, 30);
	assert_in_range((c.cert.not_after - wall_now().ms / 1000) / 3600, 29 * 24, 30 * 24);
	assert_true(c.cert.chain_not_after == c.cert.not_after);
}

static void tls_is_verified_unless_told_not_to(void **state)
{
	struct httpc_request r = to_tls("other.test", 10000);
	struct call c = { 0 };

	(void)state;
	ask(&c, &r);
	expect(&c, H_TLS); /* another name */
	r = to_tls("shop.test", 10000);
	r.ca_file = NULL;
	ask(&c, &r);
	expect(&c, H_TLS); /* a CA that the system does not know */
	r.ca_file = "/nonexistent/ca.pem";
	ask(&c, &r);
	expect(&c, H_TLS);
	r = to_tls("other.test", 10000);
	r.insecure = true;
	ask(&c, &r);
	expect(&c, H_OK);
	r.insecure = false; /* and the connection that was not verified is not reused by one that must be */
	ask(&c, &r);
	expect(&c, H_TLS);
	r = to_tls("shop.test", 10000);
	r.connect_port = blue.port; /* no TLS spoken there */
	r.timeout_ms = 200;
	ask(&c, &r);
	expect(&c, H_TLS);
}

static void tls_that_ends_before_it_began_is_the_targets_state(void **state)
{
	uint16_t port;
	int fd = hostile_listen(&port, 4), conn = -1;
	struct httpc_request r = to_tls("shop.test", 5000);
	struct call c = { 0 };

	(void)state;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	r.connect_port = port;
	for (int hard = 0; hard < 2; hard++) {
		char hello[2048];
		int before = c.dones;

		httpc_send(pool, &r, on_done, &c);
		RUN_UNTIL((conn = accept(fd, NULL, NULL)) >= 0);
		fcntl(conn, F_SETFL, O_NONBLOCK);
		RUN_UNTIL(recv(conn, hello, sizeof(hello), 0) > 100);
		if (hard)
			hostile_reset(conn);
		close(conn);
		RUN_UNTIL(c.dones > before);
		expect(&c, hard ? H_RESET : H_CLOSED);
	}
	close(fd);
}

static void tls_cuts_and_closes_have_their_names_too(void **state)
{
	static const struct { const char *path; enum httpc_result want; } table[] = {
		{ "/echo", H_OK }, { "/close", H_CLOSED }, { "/cut", H_CUT }, { "/hang", H_TIMEOUT_SENT }, { "/endless", H_TOO_LARGE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct httpc_request r = to_tls("shop.test", table[i].want == H_TIMEOUT_SENT ? 1000 : 10000);
		struct call c = { 0 };
		char url[128];

		r.connect_port = tls_raw.port;
		r.ca_file = tls_raw.ca;
		snprintf(url, sizeof(url), "https://shop.test%s", table[i].path);
		r.url = url;
		ask(&c, &r);
		if (c.result != table[i].want)
			fail_msg("%s: %s, not %s: %s", table[i].path, httpc_result_name(c.result), httpc_result_name(table[i].want), c.error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(trap_1_slots_do_not_mix_under_one_name),
		T(trap_2_the_ca_file_is_read_once),
		T(trap_3_a_hanging_name_stops_nothing),
		T(trap_3_cancelled_and_freed_while_a_name_hangs),
		T(trap_3_hanging_names_do_not_pile_up_threads),
		T(names_resolve_or_say_so),
		T(every_address_of_a_name_is_tried),
		T(an_old_answer_is_used_while_the_resolver_hangs_or_fails),
		T(trap_4_bodies_end_at_the_cap),
		T(trap_5_the_environment_names_no_proxy),
		T(trap_5_only_http_is_spoken),
		T(trap_5_netrc_is_not_read),
		T(trap_5_descriptors_are_not_inherited),
		T(tls_keeps_host_and_sni_of_the_public_name),
		T(tls_is_verified_unless_told_not_to),
		T(tls_that_ends_before_it_began_is_the_targets_state),
		T(tls_cuts_and_closes_have_their_names_too),
	};

	return cmocka_run_group_tests_name("httpc_traps", tests, all_setup, all_teardown);
}
