/* SPDX-License-Identifier: MIT
 * httpd.c - the HTTP server with real sockets: what is well-formed, what is not, what is slow or comes at once. */
#include "tests/unit/support/httpd_rig.h"

static void test_requests(void **state)
{
	struct client c = connect_tcp(ADMIN);

	(void)state;
	say(&c, "GET /a/b%20c?x=1&q=%41+b%2B&flag HTTP/1.1\r\nHost: h\r\nX-One: 7\r\n\r\n");
	expect(&c, "GET /a/b c on 2 q=A b+ x=7 body=0 peer=127.0.0.1/-1/-1\n");
	assert_non_null(strstr(buf_str(&c.in), "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(buf_str(&c.in), "Content-Type: text/plain\r\n"));
	assert_non_null(strstr(buf_str(&c.in), "Cache-Control: no-store\r\n"));
	/* kept alive; a body, with a length and in chunks; another method */
	say(&c, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
	expect(&c, "POST /b on 2 q=- x=- body=5 ");
	say(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
	expect(&c, "\r\n\r\nabcdefg");
	say(&c, "DELETE /c HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "DELETE /c on 2");
	say(&c, "HEAD /d HTTP/1.1\r\nHost: h\r\n\r\nGET /e HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "GET /e on 2");
	assert_null(strstr(buf_str(&c.in), "HEAD /d"));
	say(&c, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "OPTIONS * on 2");
	assert_int_equal(httpd_connections(server, ADMIN), 1);
	hang_up(&c);
	UNTIL(httpd_connections(server, ADMIN) == 0);
	assert_int_equal(httpd_port(server, 99), 0);
	ask_once(ADMIN, "GET /f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /f on 2", true);
	ask_once(HEALTH, "GET /g HTTP/1.0\r\n\r\n", "GET /g on 1", true);
	c = connect_tcp(ADMIN);
	say(&c, "GET /evil HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "X-Good: b\r\n");
	assert_null(strstr(buf_str(&c.in), "X-Split"));
	hang_up(&c);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		/* two lengths, a length beside a coding, odd lengths and codings */
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\nhello",
		/* Host */
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		/* targets */
		"GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /% HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /%4 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a%0d%0ab HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a%1b HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a?q=%00 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a?q=%x HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a?%x=1 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET a HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x&y&z&1&2&3&4&5&6&7 HTTP/1.1\r\nHost: h\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct client c = connect_tcp(ADMIN);

		say(&c, bad[i]);
		expect_end(&c);
		if (!text_starts(buf_str(&c.in), "HTTP/1.1 400 "))
			fail_msg("%s\n-> %s", bad[i], buf_str(&c.in));
		hang_up(&c);
	}
	assert_int_equal(n_handled, 0);
	/* what comes after a refused request on the same connection is never a request */
	struct client c = connect_tcp(ADMIN);

	say(&c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_end(&c);
	assert_int_equal(n_handled, 0);
	hang_up(&c);
	UNTIL(httpd_connections(server, ADMIN) == 0);
}

static void test_garbage(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct client c = connect_tcp(HEALTH);
		char noise[400];

		for (size_t j = 0; j < sizeof(noise); j++)
			noise[j] = (char)rand_r(&seed);
		if (i % 2)
			memcpy(noise, "GET / HTTP/1.1\r\n", 16);
		send_bytes(&c, noise, sizeof(noise));
		turn(c.fd, POLLIN);
		hang_up(&c);
	}
	UNTIL(httpd_connections(server, HEALTH) == 0);
	ask_once(HEALTH, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n", "GET /f on 1", false);
}

static void test_large(void **state)
{
	char *big = fill(40000), *body = fill(66560), head[200];
	struct client c = connect_tcp(ADMIN);

	(void)state;
	/* a header of 40 kB */
	say(&c, "GET / HTTP/1.1\r\nHost: h\r\nX-Big: ");
	say(&c, big);
	say(&c, "\r\n\r\n");
	expect(&c, "HTTP/1.1 431 ");
	hang_up(&c);
	/* a target of 40 kB */
	c = connect_tcp(ADMIN);
	say(&c, "GET /");
	say(&c, big);
	say(&c, " HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "HTTP/1.1 414 ");
	hang_up(&c);
	/* a body of exactly 64 KiB passes, of one byte more does not; the connection goes on */
	c = connect_tcp(ADMIN);
	say(&c, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n");
	send_bytes(&c, body, 65536);
	expect(&c, "POST /x on 2 q=- x=- body=65536");
	say(&c, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n");
	send_bytes(&c, body, 65537);
	expect(&c, "HTTP/1.1 413 ");
	expect(&c, "a body has 65536 bytes at most here");
	say(&c, "GET /y HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "GET /y on 2");
	/* in chunks */
	say(&c, "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 2; i++) {
		TEXT_FORMAT(head, "%x\r\n", 33280);
		say(&c, head);
		send_bytes(&c, body, 33280);
		say(&c, "\r\n");
	}
	say(&c, "0\r\n\r\n");
	expect_times(&c, "HTTP/1.1 413 ", 2);
	assert_int_equal(n_handled, 2);
	hang_up(&c);
	/* with Expect, and a gigabyte: refused before the body is read */
	ask_once(ADMIN, "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n", "HTTP/1.1 413 ", true);
	ask_once(ADMIN, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n", "HTTP/1.1 413 ", true);
	/* chunks without end: cut */
	c = connect_tcp(ADMIN);
	say(&c, "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	mono_us began = mono_now();

	while (!c.eof && !late(began)) {
		say(&c, "8000\r\n");
		send_bytes(&c, body, 0x8000);
		say(&c, "\r\n");
		take(&c);
	}
	assert_true(c.eof);
	hang_up(&c);
	assert_int_equal(n_handled, 2);
	free(big);
	free(body);
}

static void test_no_body(void **state)
{
	struct httpd_listener l = { .id = 7, .host = "127.0.0.1", .no_body = true };

	(void)state;
	listen_or_fail(&l);
	ask_once(7, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na", "no request here has a body", false);
	ask_once(7, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "POST /x on 7 q=- x=- body=0", false);
	ask_once(7, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "GET /x on 7", false);
}

/* Slow clients are cut whatever they drip: nothing, a header, a body. */
static void test_slow(void **state)
{
	static const char *const begin[] = { "", "GET /", "GET / HTTP/1.1\r\nHost: h\r\nX-A: ", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000\r\n\r\n" };
	struct client c[ARRAY_LEN(begin)];
	bool open = true;
	mono_us began = mono_now();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(begin); i++) {
		c[i] = connect_tcp(HEALTH);
		say(&c[i], begin[i]);
	}
	struct client idle = connect_tcp(HEALTH);

	say(&idle, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&idle, "GET /a on 1");
	while (open) {
		open = false;
		for (size_t i = 0; i < ARRAY_LEN(begin); i++) {
			if (c[i].eof)
				continue;
			open = true;
			if (begin[i][0])
				say(&c[i], "a");
			take(&c[i]);
			turn(c[i].fd, POLLIN);
		}
		assert_false(late(began));
	}
	assert_int_equal(n_handled, 1);
	/* one that was served and is silent is no slow one yet */
	say(&idle, "GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&idle, "GET /b on 1");
	/* but its next header is timed from its first line */
	say(&idle, "GET /c HTTP/1.1\r\nHost: h\r\nX-A: ");
	expect_end(&idle);
	hang_up(&idle);
	for (size_t i = 0; i < ARRAY_LEN(begin); i++)
		hang_up(&c[i]);
	assert_int_equal(n_handled, 2);
}

static void test_pipelining(void **state)
{
	enum { N = 2000 };
	struct buf all = BUF_INIT(1 << 20);
	struct client c = connect_tcp(ADMIN);

	(void)state;
	for (int i = 0; i < N; i++)
		buf_addf(&all, "GET /p%d HTTP/1.1\r\nHost: h\r\n\r\n", i);
	send_bytes(&c, all.data, all.len);
	expect_times(&c, "HTTP/1.1 200 OK\r\n", N);
	expect(&c, "GET /p1999 on 2");
	assert_int_equal(n_handled, N);
	assert_true(strstr(buf_str(&c.in), "/p998 ") < strstr(buf_str(&c.in), "/p999 "));
	/* a deferred answer in the middle holds back what follows */
	buf_clear(&c.in);
	say(&c, "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "GET /a on 2");
	UNTIL(n_kept == 1);
	assert_int_equal(n_handled, N + 2);
	answer_text(kept[0], 202, "at last\n");
	expect(&c, "GET /b on 2");
	assert_true(strstr(buf_str(&c.in), "at last") < strstr(buf_str(&c.in), "GET /b"));
	hang_up(&c);
	buf_free(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_requests),
		TEST(test_refused),
		TEST(test_garbage),
		TEST(test_large),
		TEST(test_no_body),
		TEST(test_slow),
		TEST(test_pipelining),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
