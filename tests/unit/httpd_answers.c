/* SPDX-License-Identifier: MIT
 * httpd_answers.c - the HTTP server with real sockets: answers that come later, are streamed, or are not read; how many, and how it ends. */
#include "tests/unit/support/httpd_rig.h"

static void test_deferred(void **state)
{
	struct client c = connect_tcp(ADMIN), gone = connect_tcp(ADMIN), reset = connect_tcp(ADMIN);
	struct linger now = { .l_onoff = 1 };

	(void)state;
	say(&c, "POST /later?q=1 HTTP/1.1\r\nHost: h\r\nX-One: 9\r\nContent-Length: 3\r\n\r\nabc");
	UNTIL(n_kept == 1);
	/* all of it can be read until it is answered */
	assert_string_equal(kept[0]->path, "/later");
	assert_string_equal(kept[0]->target, "/later?q=1");
	assert_string_equal(kept[0]->method, "POST");
	assert_string_equal(kept[0]->body, "abc");
	assert_string_equal(httpd_query(kept[0], "q"), "1");
	assert_string_equal(httpd_header(kept[0], "X-One"), "9");
	const char *name, *value;

	assert_true(httpd_query_at(kept[0], 0, &name, &value) && strcmp(name, "q") == 0 && strcmp(value, "1") == 0);
	assert_false(httpd_query_at(kept[0], 1, &name, &value));
	answer_text(kept[0], 201, "done\n");
	expect(&c, "HTTP/1.1 201 Created\r\n");
	expect(&c, "done\n");
	say(&c, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "GET /next on 2");
	/* gone before the answer: by close and by reset */
	say(&gone, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 2);
	say(&reset, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 3);
	setsockopt(reset.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	hang_up(&gone);
	hang_up(&reset);
	for (int i = 0; i < 20; i++)
		turn(-1, 0);
	answer_text(kept[1], 200, "nobody");
	answer_text(kept[2], 200, "nobody");
	UNTIL(httpd_connections(server, ADMIN) == 1);
	/* a stream begun late, for nobody */
	gone = connect_tcp(ADMIN);
	say(&gone, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 4);
	hang_up(&gone);
	ticker.value = 1;
	httpd_stream_begin(kept[3], "text/event-stream", NULL, 0, tick, tick_closed, &ticker);
	for (mono_us began = mono_now(); !ticker.closed && !late(began); ticker.value++) {
		turn(-1, 0);
		httpd_streams_wake(server);
	}
	assert_int_equal(ticker.closed, 1);
	hang_up(&c);
	UNTIL(httpd_connections(server, ADMIN) == 0);
}

static void test_stream(void **state)
{
	struct client c = connect_tcp(ADMIN);

	(void)state;
	ticker.value = 1;
	say(&c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "data: 1\n\n");
	assert_non_null(strstr(buf_str(&c.in), "Content-Type: text/event-stream\r\n"));
	/* nothing to say: not asked again, and the loop sleeps */
	UNTIL(ticker.pulls == 2);
	for (int i = 0; i < 50; i++)
		turn(-1, 0);
	assert_int_equal(ticker.pulls, 2);
	for (unsigned i = 2; i < 50; i++) {
		char text[32];

		ticker.value = i;
		if (i % 2)
			httpd_streams_wake(server);
		else
			httpd_stream_wake(ticker.stream);
		TEXT_FORMAT(text, "data: %u\n\n", i);
		expect(&c, text);
	}
	/* several changes before a wake are one snapshot; wakes without a change say nothing */
	ticker.value = 60;
	ticker.value = 61;
	httpd_streams_wake(server);
	httpd_streams_wake(server);
	expect(&c, "data: 61\n\n");
	assert_null(strstr(buf_str(&c.in), "data: 60"));
	/* an end: the connection can be used again */
	ticker.end = true;
	httpd_streams_wake(server);
	expect(&c, "\r\n0\r\n\r\n");
	assert_int_equal(ticker.closed, 1);
	say(&c, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "GET /next on 2");
	/* the client vanishes: seen at the next writes */
	ticker = (struct ticker){ .value = 1 };
	say(&c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_times(&c, "data: 1\n\n", 2);
	hang_up(&c);
	for (mono_us began = mono_now(); !ticker.closed && !late(began); ticker.value++) {
		httpd_streams_wake(server);
		turn(-1, 0);
	}
	assert_int_equal(ticker.closed, 1);
	httpd_streams_wake(server);
	UNTIL(httpd_connections(server, ADMIN) == 0);
}

/* One that never reads stops being asked: memory stays flat, others go on. */
static void test_slow_reader(void **state)
{
	struct client c = connect_tcp(ADMIN);

	(void)state;
	ticker.flood = true;
	say(&c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	uint64_t before = 1;
	mono_us began = mono_now();

	for (int still = 0; still < 50; still = ticker.filled == before ? still + 1 : 0) {
		before = ticker.filled;
		turn(-1, 0);
		poll(NULL, 0, 1);
		assert_false(late(began));
	}
	assert_true(ticker.filled > 0);
	ask_once(ADMIN, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n", "GET /f on 2", false);
	/* it reads after all: it is asked again */
	take(&c);
	UNTIL((take(&c), ticker.filled > before));
	hang_up(&c);
	UNTIL(ticker.closed == 1);
}

static void test_unix(void **state)
{
	struct client c = connect_unix(unix_path);
	char text[64], err[512];
	struct stat st;

	(void)state;
	say(&c, "GET /u HTTP/1.1\r\nHost: localhost\r\n\r\n");
	TEXT_FORMAT(text, "GET /u on 3 q=- x=- body=0 peer=/%d/1\n", (int)getuid());
	expect(&c, text);
	hang_up(&c);
	assert_int_equal(stat(unix_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(httpd_port(server, LOCAL), 0);
	/* a live owner: refused, and it goes on serving */
	struct httpd_listener l = { .id = 8, .unix_path = unix_path, .unix_mode = 0600 };

	assert_false(httpd_listen(server, &l, err, sizeof(err)));
	assert_non_null(strstr(err, "another process listens there"));
	c = connect_unix(unix_path);
	say(&c, "GET /v HTTP/1.1\r\nHost: localhost\r\n\r\n");
	expect(&c, "GET /v on 3");
	hang_up(&c);
	/* not a socket: left alone */
	char other[128];

	TEXT_FORMAT(other, "%s/file", dir);
	l.unix_path = other;
	close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_false(httpd_listen(server, &l, err, sizeof(err)));
	assert_non_null(strstr(err, "not a socket"));
	assert_int_equal(unlink(other), 0);
	/* a dead owner: replaced */
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(TEXT_COPY(a.sun_path, other));
	assert_int_equal(bind(dead, (struct sockaddr *)&a, sizeof(a)), 0);
	close(dead);
	assert_true(httpd_listen(server, &l, err, sizeof(err)));
	c = connect_unix(other);
	say(&c, "GET /w HTTP/1.1\r\nHost: localhost\r\n\r\n");
	expect(&c, "GET /w on 8");
	hang_up(&c);
	/* somebody else's socket at our path is not removed with us */
	assert_int_equal(unlink(other), 0);
	dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(dead, (struct sockaddr *)&a, sizeof(a)), 0);
	close(dead);
	httpd_close(server, 8);
	assert_int_equal(unlink(other), 0);
	/* impossible places */
	char *deep = fill(200);

	l.unix_path = deep;
	assert_false(httpd_listen(server, &l, err, sizeof(err)));
	assert_non_null(strstr(err, "107 bytes"));
	free(deep);
	l.unix_path = "/nowhere/at/all.sock";
	assert_false(httpd_listen(server, &l, err, sizeof(err)));
	assert_non_null(strstr(err, "No such file"));
}

static void test_tcp_errors(void **state)
{
	char err[256];
	struct httpd_listener l = { .id = 8, .host = "127.0.0.1", .port = httpd_port(server, ADMIN) };

	(void)state;
	assert_false(httpd_listen(server, &l, err, sizeof(err)));
	assert_non_null(strstr(err, "cannot listen on 127.0.0.1:"));
	assert_non_null(strstr(err, "Address already in use"));
	l.host = "192.0.2.1";
	assert_false(httpd_listen(server, &l, err, sizeof(err)));
	struct addrinfo *known = NULL;
	bool has_hosts = getaddrinfo("localhost", NULL, NULL, &known) == 0; /* not in a root without /etc/hosts */

	if (known)
		freeaddrinfo(known);
	l = (struct httpd_listener){ .id = 8, .host = has_hosts ? "localhost" : "127.0.0.1" };
	assert_true(httpd_listen(server, &l, err, sizeof(err)));
	assert_true(httpd_port(server, 8) > 0);
	httpd_close(server, 8);
	httpd_close(server, 8);
	assert_int_equal(httpd_port(server, 8), 0);
}

/* One listener full to its limit, of silent and of kept clients: another serves. */
static void test_limits(void **state)
{
	enum { LIMIT = 200 };
	static struct client c[LIMIT + 1];

	(void)state;
	for (int i = 0; i < LIMIT; i++) {
		c[i] = connect_tcp(HEALTH);
		say(&c[i], "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	}
	UNTIL(n_kept == LIMIT);
	assert_int_equal(httpd_connections(server, HEALTH), LIMIT);
	c[LIMIT] = connect_tcp(HEALTH);
	say(&c[LIMIT], "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
	for (int i = 0; i < 20; i++) {
		ask_once(ADMIN, "GET /f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /f on 2", true);
		turn(-1, 0);
	}
	take(&c[LIMIT]);
	assert_int_equal(c[LIMIT].in.len, 0);
	/* one leaves: the one who waited is served */
	answer_text(kept[0], 200, "bye");
	expect(&c[0], "bye");
	hang_up(&c[0]);
	expect(&c[LIMIT], "GET /x on 1");
	for (size_t i = 1; i < n_kept; i++)
		answer_text(kept[i], 200, "bye");
	for (int i = 1; i <= LIMIT; i++) {
		if (i < LIMIT)
			expect(&c[i], "bye");
		hang_up(&c[i]);
	}
	UNTIL(httpd_connections(server, HEALTH) == 0);
}

/* Closing with everything in flight: kept requests, a stream asleep, one that does not read,
 * half a header, pipelined requests behind a kept one. */
static void test_close(void **state)
{
	struct client c = connect_tcp(ADMIN), s = connect_tcp(ADMIN), half = connect_tcp(ADMIN), piped = connect_tcp(ADMIN), away = connect_tcp(ADMIN);
	struct client other = connect_tcp(HEALTH);
	uint16_t port = httpd_port(server, ADMIN);

	(void)state;
	ticker.value = 1;
	say(&c, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 1);
	say(&piped, "GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 2);
	say(&away, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 3);
	hang_up(&away);
	say(&other, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 4);
	say(&s, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&s, "data: 1\n\n");
	say(&half, "GET /half HTTP/1.1\r\nHo");
	for (int i = 0; i < 20; i++)
		turn(-1, 0);
	httpd_close(server, ADMIN);
	assert_int_equal(ticker.closed, 1);
	expect_end(&c);
	assert_true(text_starts(buf_str(&c.in), "HTTP/1.1 503 "));
	expect_end(&piped);
	assert_true(text_starts(buf_str(&piped.in), "HTTP/1.1 503 "));
	expect_end(&s);
	assert_non_null(strstr(buf_str(&s.in), "\r\n0\r\n\r\n"));
	expect_end(&half);
	assert_int_equal(httpd_port(server, ADMIN), 0);
	/* the answers come too late, and fall into nothing */
	answer_text(kept[0], 200, "late");
	answer_text(kept[1], 200, "late");
	httpd_stream_begin(kept[2], "text/plain", NULL, 0, tick, tick_closed, &ticker);
	assert_int_equal(ticker.closed, 2);
	assert_int_equal(n_kept, 4);
	/* the other listener has not noticed; the port is free again */
	answer_text(kept[3], 200, "here");
	expect(&other, "here");
	listen_or_fail(&(struct httpd_listener){ .id = ADMIN, .host = "127.0.0.1", .port = port });
	ask_once(ADMIN, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n", "GET /f on 2", false);
	/* all at once, and an answer after the server is no more */
	ticker = (struct ticker){ .flood = true };
	struct client full = connect_tcp(ADMIN);

	say(&full, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(ticker.filled > 100000);
	say(&other, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 5);
	httpd_free(&server);
	assert_int_equal(ticker.closed, 1);
	answer_text(kept[4], 200, "late");
	expect_end(&other);
	hang_up(&c);
	hang_up(&s);
	hang_up(&half);
	hang_up(&piped);
	hang_up(&other);
	hang_up(&full);
}

/* A loop with idle clients and a sleeping stream sleeps: counted in turns, not in time. */
static unsigned turns;
static void count_turn(struct ev_loop *l, ev_check *w, int events) { (void)l; (void)w; (void)events; turns++; }
static void stop_loop(struct ev_loop *l, ev_timer *w, int events) { (void)w; (void)events; ev_break(l, EVBREAK_ALL); }

static void test_idle(void **state)
{
	struct client c = connect_tcp(ADMIN), s = connect_tcp(ADMIN), k = connect_tcp(ADMIN);
	ev_check check;
	ev_timer timer;

	(void)state;
	ticker.value = 1;
	say(&c, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&c, "GET /a on 2");
	say(&s, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	expect(&s, "data: 1");
	say(&k, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(n_kept == 1);
	for (int i = 0; i < 20; i++)
		turn(-1, 0);
	ev_check_init(&check, count_turn);
	ev_check_start(loop, &check);
	ev_timer_init(&timer, stop_loop, 0.5, 0.);
	ev_timer_start(loop, &timer);
	turns = 0;
	ev_run(loop, 0);
	ev_check_stop(loop, &check);
	print_message("%u turns of the loop in half a second\n", turns);
	assert_true(turns < 20);
	answer_text(kept[0], 200, "bye");
	expect(&k, "bye");
	hang_up(&c);
	hang_up(&s);
	hang_up(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_deferred),
		TEST(test_stream),
		TEST(test_slow_reader),
		TEST(test_unix),
		TEST(test_tcp_errors),
		TEST(test_limits),
		TEST(test_close),
		TEST(test_idle),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
