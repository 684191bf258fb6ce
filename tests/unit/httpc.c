/* SPDX-License-Identifier: MIT
 * httpc.c - the HTTP client against servers that misbehave: every end by its name. */
#include <sys/resource.h>

#include "tests/unit/support/httpc_rig.h"

/* ---- every way to end ---- */

static void every_end_has_its_name(void **state)
{
	static const struct { const char *path; enum httpc_result want; const char *body; } table[] = {
		{ "/ok", H_OK, "hello" },
		{ "/no-length", H_OK, "all of it" },
		{ "/1xx-then-ok", H_OK, "hello" },
		{ "/nowhere", H_OK, "no such page" },
		{ "/close", H_CLOSED, "" },
		{ "/reset", H_RESET, "" },
		{ "/cut-status", H_CUT, "" },
		{ "/cut-head", H_CUT, "" },
		{ "/cut", H_CUT, "0123456789" },
		{ "/cut-reset", H_CUT, "0123456789" },
		{ "/chunk-cut", H_CUT, "hellowo" },
		{ "/chunk-bad", H_PROTOCOL, "" },
		{ "/http09", H_PROTOCOL, "" },
		{ "/status-99999", H_PROTOCOL, "" },
		{ "/status-2x0", H_PROTOCOL, "" },
		{ "/status-000", H_PROTOCOL, "" },
		{ "/hang", H_TIMEOUT_SENT, "" },
		{ "/head-many", H_TOO_LARGE, "" },
		{ "/head-long", H_TOO_LARGE, "" },
		{ "/1xx", H_TOO_LARGE, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int64_t timeout = table[i].want == H_TIMEOUT_SENT ? 100 : 5000;
		struct call c = ask_path(table[i].path, timeout);

		if (c.result != table[i].want)
			fail_msg("%s: %s, not %s: %s", table[i].path, httpc_result_name(c.result), httpc_result_name(table[i].want), c.error);
		assert_string_equal(c.body, table[i].body);
	}
}

static void an_answer_is_whole(void **state)
{
	struct call c = ask_path("/1xx-then-ok", 5000);

	(void)state;
	assert_int_equal(c.status, 200);
	assert_string_equal(c.x, "blue");
	assert_string_equal(c.type, "text/plain");
	assert_string_equal(c.ip, "127.0.0.1");
	assert_null(strstr(c.head, "X-Early")); /* the final answer's block only */
	assert_true(text_starts(c.head, "HTTP/1.1 200 X\r\n"));
	assert_true(c.total_us > 0);
	assert_false(c.has_cert);
}

static void a_drip_does_not_outlive_the_deadline(void **state)
{
	struct call c = ask_path("/drip", 200);

	(void)state;
	expect(&c, H_TIMEOUT_SENT);
	assert_true(c.body_len > 0);
}

static void refused(void **state)
{
	struct call c = { 0 };
	uint16_t port;
	int fd = hostile_listen(&port, 1);
	struct httpc_request r = to(port, "/ok", 5000);

	(void)state;
	close(fd);
	ask(&c, &r);
	expect(&c, H_REFUSED);
	r.connect_host = "";
	r.unix_path = "/nonexistent/socket";
	ask(&c, &r);
	expect(&c, H_REFUSED);
}

static void no_tcp_answer(void **state)
{
	struct blackhole hole;
	struct call c = { 0 };

	(void)state;
	blackhole_open(&hole);
	struct httpc_request r = to(hole.port, "/ok", 150);
	ask(&c, &r);
	expect(&c, H_TIMEOUT_CONNECT);
	r.timeout_ms = 20000;
	r.connect_timeout_ms = 100; /* its own, shorter */
	ask(&c, &r);
	expect(&c, H_TIMEOUT_CONNECT);
	blackhole_close(&hole);
}

static void accepted_and_never_answered(void **state)
{
	uint16_t port;
	int fd = hostile_listen(&port, 16);
	struct httpc_request r = to(port, "/ok", 100);
	struct call c = { 0 };

	(void)state;
	ask(&c, &r);
	expect(&c, H_TIMEOUT_SENT); /* the kernel took the whole request */
	char *big = calloc(1, 8 << 20);
	r = to(port, "/ok", 200);
	r.method = "POST";
	r.body = big;
	r.body_len = 8 << 20;
	ask(&c, &r);
	expect(&c, H_TIMEOUT_SENDING); /* but not all of this one */
	free(big);
	r.url = "https://shop.test/ok";
	r.method = "GET";
	r.body = NULL;
	ask(&c, &r);
	expect(&c, H_TLS); /* the handshake stalled */
	close(fd);
}

static void no_route(void **state)
{
	struct httpc_request r = to(80, "/ok", 5000);
	struct call c = { 0 };

	(void)state;
	r.connect_host = "255.255.255.255"; /* the kernel itself says ENETUNREACH */
	ask(&c, &r);
	expect(&c, H_NO_ROUTE);
}

static void out_of_descriptors_is_our_own_limit(void **state)
{
	struct rlimit old, none;
	struct call c = ask_path("/ok", 5000);
	struct httpc_request r = to(green.port, "/ok", 5000);
	int spare = dup(0);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ (rlim_t)spare, old.rlim_max };
	close(spare);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	ask(&c, &r);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	expect(&c, H_LIMIT);
}

static void nothing_that_breaks_a_line_is_sent(void **state)
{
	const char *const bad[] = { "X-A: b\r\nX-C: d" };
	struct httpc_request r = to(blue.port, "/ok", 5000);
	struct call c = { 0 };

	(void)state;
	int before = atomic_load(&blue.shared->requests);
	r.headers = bad;
	r.n_headers = 1;
	ask(&c, &r);
	expect(&c, H_PROTOCOL);
	r.n_headers = 0;
	r.method = "GET /admin HTTP/1.1\r\nX:";
	ask(&c, &r);
	expect(&c, H_PROTOCOL);
	assert_int_equal(atomic_load(&blue.shared->requests), before);
}

/* ---- what is sent ---- */

static void host_method_headers_and_body_are_sent(void **state)
{
	const char *const headers[] = { "X-Switchd-Probe: shop/quotes", "User-Agent: switchd-probe" };
	struct httpc_request r = to(blue.port, "/echo?a=b", 5000);
	struct call c = { 0 };

	(void)state;
	r.headers = headers;
	r.n_headers = 2;
	ask(&c, &r);
	assert_true(text_starts(c.body, "GET /echo?a=b HTTP/1.1\r\n"));
	assert_non_null(strstr(c.body, "\r\nHost: shop.test\r\n"));
	assert_non_null(strstr(c.body, "\r\nX-Switchd-Probe: shop/quotes\r\n"));
	assert_non_null(strstr(c.body, "\r\nUser-Agent: switchd-probe\r\n"));
	r.method = "POST";
	r.body = "a=1";
	r.body_len = 3;
	ask(&c, &r);
	assert_true(text_starts(c.body, "POST /echo?a=b HTTP/1.1\r\n"));
	assert_true(strstr(c.body, "\r\n\r\na=1") != NULL);
	r.method = "PUT";
	r.body = NULL;
	ask(&c, &r);
	assert_true(text_starts(c.body, "PUT /echo?a=b HTTP/1.1\r\n"));
	assert_non_null(strstr(c.body, "Content-Length: 0\r\n"));
	r.method = "DELETE";
	ask(&c, &r);
	assert_true(text_starts(c.body, "DELETE /echo?a=b HTTP/1.1\r\n"));
	r.method = "HEAD";
	ask(&c, &r);
	expect(&c, H_OK);
	assert_int_equal(c.body_len, 0);
	assert_true(text_starts(blue.shared->last, "HEAD /echo"));
	r.method = NULL; /* and back: nothing of what was before stays */
	r.n_headers = 0;
	ask(&c, &r);
	assert_true(text_starts(c.body, "GET /echo?a=b HTTP/1.1\r\n"));
	assert_null(strstr(c.body, "X-Switchd-Probe"));
	assert_null(strstr(c.body, "Content-Length"));
}

/* One handle for all of them: what differs is set, what does not is not lost. */
static void one_handle_asks_many_things(void **state)
{
	struct httpc_pool *one = httpc_pool_new(client, 1), *many = pool;
	struct call c = { 0 };

	(void)state;
	pool = one;
	host_method_headers_and_body_are_sent(state);
	struct httpc_request r = to(green.port, "/ok", 5000);
	ask(&c, &r);
	assert_string_equal(c.x, "green");
	r = to(blue.port, "/redirect", 5000);
	r.max_redirects = 2;
	ask(&c, &r);
	assert_int_equal(c.status, 200);
	r.max_redirects = 0;
	ask(&c, &r);
	assert_int_equal(c.status, 302);
	pool = many;
}

static void connections_are_kept_unless_fresh(void **state)
{
	struct call c = ask_path("/ok", 5000);

	(void)state;
	assert_false(c.reused);
	int before = atomic_load(&blue.shared->connections);
	for (int i = 0; i < 5; i++) {
		c = ask_path(i % 2 ? "/ok" : "/echo", 5000);
		assert_true(c.reused);
	}
	assert_int_equal(atomic_load(&blue.shared->connections), before);
	struct httpc_request r = to(blue.port, "/ok", 5000);
	r.fresh = true;
	for (int i = 0; i < 3; i++) {
		ask(&c, &r);
		assert_false(c.reused);
	}
	assert_int_equal(atomic_load(&blue.shared->connections), before + 3);
}

static void a_dead_kept_connection_is_asked_again_on_a_new_one(void **state)
{
	struct call c = ask_path("/close-if-reused", 5000);

	(void)state;
	expect(&c, H_OK);
	c = ask_path("/close-if-reused", 5000);
	expect(&c, H_OK);
	assert_false(c.reused);
	c = ask_path("/reset-if-reused", 5000);
	expect(&c, H_OK);
	assert_false(c.reused);
}

static void after_a_dead_kept_connection_the_new_one_counts(void **state)
{
	struct call c;

	(void)state;
	atomic_store(&blue.shared->first_on_connection, 0);
	c = ask_path("/close-then-hang", 5000);
	expect(&c, H_OK);
	c = ask_path("/close-then-hang", 200);
	expect(&c, H_TIMEOUT_SENT);
}

/* What was sent on the dead connection does not count as sent on the new one. */
static void sent_on_the_dead_connection_is_not_sent(void **state)
{
	struct httpc_request r;
	struct call c = { 0 };
	struct blackhole hole = { 0 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)state;
	/* A server that keeps a connection, takes the second request and then is replaced by a port
	 * that swallows SYNs. */
	uint16_t port;
	int fd = hostile_listen(&port, 0);
	r = to(port, "/ok", 300);
	httpc_send(pool, &r, on_done, &c);
	char got[2048];
	int conn = -1;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	RUN_UNTIL((conn = accept(fd, NULL, NULL)) >= 0);
	fcntl(conn, F_SETFL, O_NONBLOCK);
	RUN_UNTIL(recv(conn, got, sizeof(got), 0) > 60); /* small enough to come in one piece */
	hostile_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	RUN_UNTIL(c.dones == 1);
	expect(&c, H_OK);
	a.sin_port = htons(port);
	for (size_t i = 0; i < 8; i++) { /* now its queue is full: no new connection comes about */
		hole.filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(hole.filler[i], (struct sockaddr *)&a, sizeof(a));
	}
	httpc_send(pool, &r, on_done, &c);
	RUN_UNTIL(recv(conn, got, sizeof(got), MSG_PEEK) > 60); /* it went out on the kept connection */
	hostile_reset(conn);
	close(conn);
	RUN_UNTIL(c.dones == 2);
	expect(&c, H_TIMEOUT_CONNECT);
	for (size_t i = 0; i < 8; i++)
		close(hole.filler[i]);
	close(fd);
}

static int stalls;

static void on_check(struct ev_loop *l, ev_check *w, int revents)
{
	(void)l, (void)w, (void)revents;
	if (stalls-- > 0)
		usleep(60000); /* no wait for anything: this is the fault */
}

/* The loop's clock is then behind libcurl's, and a timer fires before libcurl thinks it due. */
static void a_stalled_loop_loses_no_timeout(void **state)
{
	struct httpc_request r = to(blue.port, "/hang", 300);
	struct call c = { 0 };
	ev_check check;

	(void)state;
	ev_check_init(&check, on_check);
	ev_set_priority(&check, EV_MAXPRI); /* before the client's own callbacks of the same turn */
	ev_check_start(loop, &check);
	stalls = 8;
	ask(&c, &r);
	expect(&c, H_TIMEOUT_SENT);
	ev_check_stop(loop, &check);
}

/* libcurl would send it twice by itself: see easy_prepare(). */
static void a_write_is_sent_once(void **state)
{
	struct httpc_request r = to(blue.port, "/close-if-reused", 5000);
	struct call c = { 0 };

	(void)state;
	ask(&c, &r);
	expect(&c, H_OK);
	int before = atomic_load(&blue.shared->requests);
	r.method = "POST";
	r.body = "x";
	r.body_len = 1;
	ask(&c, &r);
	expect(&c, H_OK);
	assert_false(c.reused);
	assert_int_equal(atomic_load(&blue.shared->requests), before + 1);
}

static void redirects_only_when_asked(void **state)
{
	struct call c = ask_path("/redirect", 5000);

	(void)state;
	expect(&c, H_OK);
	assert_int_equal(c.status, 302);
	assert_string_equal(c.location, "http://shop.test/ok"); /* absolute */
	struct httpc_request r = to(blue.port, "/loop", 5000);
	r.max_redirects = 3;
	ask(&c, &r);
	expect(&c, H_REDIRECTS);
	r = to(blue.port, "/redirect-file", 5000);
	r.max_redirects = 3;
	ask(&c, &r);
	expect(&c, H_REDIRECTS);
	assert_null(strstr(c.body, "root:"));
	static const char *const away[] = { "/redirect-other", "/redirect-user", "/redirect-port", "/redirect-https" };

	for (size_t i = 0; i < ARRAY_LEN(away); i++) { /* T10: nobody else is asked, and not the target in their name */
		int before = atomic_load(&blue.shared->requests);

		r = to(blue.port, away[i], 5000);
		r.max_redirects = 3;
		ask(&c, &r);
		expect(&c, H_REDIRECTS);
		assert_non_null(strstr(c.error, "another host"));
		assert_int_equal(c.status, 302);
		assert_int_equal(atomic_load(&blue.shared->requests), before + 1);
	}
	r = to(blue.port, "/redirect", 5000);
	r.max_redirects = 1;
	ask(&c, &r);
	expect(&c, H_OK);
	assert_int_equal(c.status, 200);
	assert_int_equal(c.redirects, 1);
	assert_string_equal(c.x, "blue");
	assert_string_equal(c.ip, "127.0.0.1");
}

static void a_post_becomes_a_get_where_browsers_do_so(void **state)
{
	struct call c = { 0 };
	struct httpc_request r = to(blue.port, "/see-echo", 5000);

	(void)state;
	r.max_redirects = 1;
	r.method = "POST";
	r.body = "secret=1";
	r.body_len = 8;
	ask(&c, &r);
	expect(&c, H_OK);
	assert_true(text_starts(c.body, "GET /echo HTTP/1.1\r\n"));
	assert_null(strcasestr(c.body, "Content-Length"));
	r.url = "http://shop.test/keep-echo"; /* 307 */
	ask(&c, &r);
	expect(&c, H_OK);
	assert_true(text_starts(c.body, "POST /echo HTTP/1.1\r\n"));
	assert_non_null(strcasestr(c.body, "Content-Length: 8"));
}

/* ---- the line, cancelling, freeing ---- */

static void a_pool_asks_no_more_at_once_than_it_may(void **state)
{
	struct httpc_pool *small = httpc_pool_new(client, 2), *many = pool;
	struct httpc_request hang = to(blue.port, "/hang", 300), ok = to(blue.port, "/ok", 10000), late = to(blue.port, "/ok", 100);
	struct call c[5] = { 0 };

	(void)state;
	pool = small;
	httpc_send(pool, &hang, on_done, &c[0]);
	httpc_send(pool, &hang, on_done, &c[1]);
	httpc_send(pool, &ok, on_done, &c[2]);
	httpc_send(pool, &late, on_done, &c[3]); /* its deadline runs while it waits */
	httpc_send(pool, &ok, on_done, &c[4]);
	RUN_UNTIL(c[0].dones && c[1].dones && c[2].dones && c[3].dones && c[4].dones);
	expect(&c[0], H_TIMEOUT_SENT);
	expect(&c[1], H_TIMEOUT_SENT);
	expect(&c[2], H_OK);
	expect(&c[3], H_TIMEOUT_QUEUED);
	expect(&c[4], H_OK);
	assert_int_equal(c[3].order, 1);
	pool = many;
}

static void cancelled_once_and_at_once(void **state)
{
	struct httpc_pool *small = httpc_pool_new(client, 1), *many = pool;
	struct httpc_request hang = to(blue.port, "/hang", 20000), ok = to(blue.port, "/ok", 10000);
	struct call c[3] = { 0 };

	(void)state;
	pool = small;
	struct httpc_req *first = httpc_send(pool, &hang, on_done, &c[0]);
	struct httpc_req *second = httpc_send(pool, &ok, on_done, &c[1]);
	httpc_send(pool, &ok, on_done, &c[2]);
	turn(20);
	httpc_cancel(second); /* while it waits */
	expect(&c[1], H_CANCELLED);
	httpc_cancel(first); /* while it runs: the next in line gets its handle */
	expect(&c[0], H_CANCELLED);
	RUN_UNTIL(c[2].dones);
	expect(&c[2], H_OK);
	turn(20);
	assert_int_equal(c[0].dones + c[1].dones + c[2].dones, 3);
	pool = many;
}

static void cancel_other(struct call *c) { httpc_cancel(c->other); }
static void free_pool(struct call *c) { (void)c, httpc_pool_free(&pool); }
static void free_client(struct call *c) { (void)c, httpc_free(&client); }
static struct call again_call;
static void send_again(struct call *c)
{
	struct httpc_request r = to(green.port, "/ok", 10000);

	(void)c;
	httpc_send(pool, &r, on_done, &again_call);
}

static void everything_is_allowed_inside_a_callback(void **state)
{
	struct httpc_request hang = to(blue.port, "/hang", 20000), ok = to(blue.port, "/ok", 10000);
	struct call c = { .then = cancel_other }, d = { 0 }, e = { .then = send_again };

	(void)state;
	c.other = httpc_send(pool, &hang, on_done, &d);
	httpc_send(pool, &ok, on_done, &c);
	RUN_UNTIL(c.dones && d.dones);
	expect(&d, H_CANCELLED);
	again_call = (struct call){ 0 };
	httpc_send(pool, &ok, on_done, &e);
	RUN_UNTIL(e.dones && again_call.dones);
	assert_string_equal(again_call.x, "green");
	c = (struct call){ .then = free_pool };
	d = (struct call){ 0 };
	httpc_send(pool, &hang, on_done, &d);
	httpc_send(pool, &ok, on_done, &c);
	RUN_UNTIL(c.dones && d.dones);
	expect(&d, H_CANCELLED);
	assert_null(pool);
	pool = httpc_pool_new(client, 8);
	c = (struct call){ .then = free_client };
	d = (struct call){ 0 };
	httpc_send(pool, &hang, on_done, &d);
	httpc_send(pool, &ok, on_done, &c);
	RUN_UNTIL(c.dones && d.dones);
	turn(20);
	assert_int_equal(c.dones + d.dones, 2);
	assert_null(client);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void nothing_is_left_open(void **state)
{
	httpc_free(&client);
	int before = open_descriptors();
	struct httpc_request hang = to(blue.port, "/hang", 20000);
	struct call c[4] = { 0 };

	(void)state;
	client = httpc_new(loop);
	pool = httpc_pool_new(client, 8);
	for (int i = 0; i < 4; i++)
		httpc_send(pool, &hang, on_done, &c[i]);
	struct call ok = ask_path("/ok", 5000);
	expect(&ok, H_OK);
	assert_true(open_descriptors() > before);
	httpc_free(&client);
	for (int i = 0; i < 4; i++)
		assert_int_equal(c[i].dones, 1);
	assert_int_equal(open_descriptors(), before);
}

static void headers_are_found_by_name(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nX-A:  one \r\nx-a: two\r\nX-Ab: three\r\nEmpty:\r\n\r\n";
	struct httpc_reply r = { .head = head, .head_len = sizeof(head) - 1 };
	char v[16], tiny[3];

	(void)state;
	assert_true(httpc_header(&r, "x-A", v, sizeof(v)));
	assert_string_equal(v, "one");
	assert_true(httpc_header(&r, "x-ab", v, sizeof(v)));
	assert_string_equal(v, "three");
	assert_true(httpc_header(&r, "empty", v, sizeof(v)));
	assert_string_equal(v, "");
	assert_false(httpc_header(&r, "x", v, sizeof(v)));
	assert_string_equal(v, "");
	assert_true(httpc_header(&r, "x-ab", tiny, sizeof(tiny)));
	assert_string_equal(tiny, "th");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_end_has_its_name),
		T(an_answer_is_whole),
		T(a_drip_does_not_outlive_the_deadline),
		T(refused),
		T(no_tcp_answer),
		T(accepted_and_never_answered),
		T(no_route),
		T(out_of_descriptors_is_our_own_limit),
		T(nothing_that_breaks_a_line_is_sent),
		T(host_method_headers_and_body_are_sent),
		T(one_handle_asks_many_things),
		T(connections_are_kept_unless_fresh),
		T(a_dead_kept_connection_is_asked_again_on_a_new_one),
		T(after_a_dead_kept_connection_the_new_one_counts),
		T(sent_on_the_dead_connection_is_not_sent),
		T(a_stalled_loop_loses_no_timeout),
		T(a_write_is_sent_once),
		T(redirects_only_when_asked),
		T(a_post_becomes_a_get_where_browsers_do_so),
		T(a_pool_asks_no_more_at_once_than_it_may),
		T(cancelled_once_and_at_once),
		T(everything_is_allowed_inside_a_callback),
		T(nothing_is_left_open),
		T(headers_are_found_by_name),
	};

	return cmocka_run_group_tests_name("httpc", tests, all_setup, all_teardown);
}
