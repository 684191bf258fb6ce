/* SPDX-License-Identifier: MIT
 * httpc_ways.c - the HTTP client's other ways: a jar of cookies, trailers, HTTP/2, PROXY lines, unix sockets. */
#include "tests/unit/support/httpc_rig.h"

static struct tls_front h2, behind_proxy;

/* ---- cookies ---- */

static void a_jar_keeps_what_was_set_and_no_other_request_sees_it(void **state)
{
	struct httpc_jar *jar = httpc_jar_new();
	struct httpc_request r = to(blue.port, "/login", 5000);
	struct call c = { 0 };
	char value[64];

	(void)state;
	r.jar = jar;
	r.max_redirects = 1;
	ask(&c, &r);
	expect(&c, H_OK);
	assert_int_equal(c.redirects, 1);
	assert_non_null(strcasestr(c.body, "\r\nCookie: ")); /* between the two, Secure and all */
	assert_non_null(strstr(c.body, "sid=abc"));
	assert_non_null(strstr(c.body, "plain=1"));
	assert_int_equal(httpc_jar_count(jar), 2);
	assert_true(httpc_jar_get(jar, "sid", value, sizeof(value)));
	assert_string_equal(value, "abc");
	assert_false(httpc_jar_get(jar, "si", value, sizeof(value)));
	r = to(blue.port, "/echo", 5000);
	ask(&c, &r);
	assert_null(strcasestr(c.body, "\r\nCookie: "));
	r.jar = jar;
	ask(&c, &r);
	assert_non_null(strstr(c.body, "sid=abc"));
	r.url = "http://other.test/echo"; /* bound to the host that set it */
	ask(&c, &r);
	assert_null(strcasestr(c.body, "\r\nCookie: "));
	httpc_jar_clear(jar);
	assert_int_equal(httpc_jar_count(jar), 0);
	r = to(blue.port, "/echo", 5000);
	r.jar = jar;
	ask(&c, &r);
	assert_null(strcasestr(c.body, "\r\nCookie: "));
	httpc_jar_free(&jar);
	assert_null(jar);
}

static struct httpc_jar *doomed;

static void free_jar(struct call *c)
{
	(void)c;
	httpc_jar_free(&doomed);
}

static void a_jar_may_go_inside_done_and_after_a_cancel(void **state)
{
	struct httpc_request r = to(blue.port, "/ok", 5000), hang = to(blue.port, "/hang", 5000);
	struct call c = { .then = free_jar };

	(void)state;
	doomed = r.jar = httpc_jar_new();
	ask(&c, &r);
	expect(&c, H_OK);
	assert_null(doomed);
	doomed = hang.jar = httpc_jar_new();
	struct httpc_req *q = httpc_send(pool, &hang, on_done, &c);
	turn(3);
	httpc_cancel(q);
	expect(&c, H_CANCELLED);
	assert_null(doomed);
}

/* ---- what came after the body ---- */

struct late { bool done; char late[32], who[32], head[512]; };

static void on_late(void *arg, const struct httpc_reply *r)
{
	struct late *l = arg;

	l->done = true;
	assert_int_equal(r->result, H_OK);
	httpc_header(r, "x-late", l->late, sizeof(l->late));
	httpc_header(r, "X-Who", l->who, sizeof(l->who));
	text_copy_n(l->head, sizeof(l->head), r->head, r->head_len);
}

static void trailers_are_found_but_are_no_headers(void **state)
{
	struct httpc_request r = to(blue.port, "/trailers", 5000);
	struct late l = { 0 };

	(void)state;
	httpc_send(pool, &r, on_late, &l);
	RUN_UNTIL(l.done);
	assert_string_equal(l.late, "yes");
	assert_string_equal(l.who, "head"); /* a header is never overruled by a trailer */
	assert_null(strcasestr(l.head, "\r\nX-Late:"));
}

/* ---- HTTP/2 ---- */

static void http2_by_prior_knowledge_and_by_alpn(void **state)
{
	struct httpc_request r = to(h2.port, "/echo", 5000);
	struct call c = { 0 };

	(void)state;
	r.http2 = true;
	ask(&c, &r);
	expect(&c, H_OK);
	assert_true(text_starts(c.head, "HTTP/2 200"));
	assert_non_null(strcasestr(c.body, "\r\nX-Http: 2\r\n"));
	assert_non_null(strcasestr(c.body, "\r\nHost: shop.test\r\n"));
	ask(&c, &r);
	expect(&c, H_OK);
	r = to(tls.port, "/echo", 10000);
	r.url = "https://shop.test/echo";
	r.ca_file = tls.ca;
	r.http2 = r.want_cert = true;
	ask(&c, &r);
	expect(&c, H_OK);
	assert_non_null(strcasestr(c.body, "\r\nX-Http: 2\r\n"));
	assert_string_equal(c.cert.names, "shop.test");
	r = to(blue.port, "/ok", 5000); /* one that does not speak it */
	r.http2 = true;
	ask(&c, &r);
	assert_int_not_equal(c.result, H_OK);
	assert_true(c.result == H_PROTOCOL || c.result == H_CUT || c.result == H_CLOSED);
}

/* Different handles take a kept connection over from each other. */
static void http2_connections_pass_from_hand_to_hand(void **state)
{
	static const char *const paths[] = { "/ok", "/echo", "/nowhere", "/ok" };

	(void)state;
	for (int secure = 1; secure >= 0; secure--)
		for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
			struct httpc_request r = to(secure ? tls.port : h2.port, paths[i], 10000);
			struct call c = { 0 };
			char url[64];

			snprintf(url, sizeof(url), "http%s://shop.test%s", secure ? "s" : "", paths[i]);
			r.url = url;
			r.ca_file = tls.ca;
			r.http2 = true;
			ask(&c, &r);
			expect(&c, H_OK);
			assert_true(text_starts(c.head, i == 2 ? "HTTP/2 404" : "HTTP/2 200"));
		}
}

static void http2_deaths_have_names(void **state)
{
	static const struct { const char *path; enum httpc_result want; } table[] = {
		{ "/nowhere", H_OK }, { "/hang", H_TIMEOUT_SENT }, { "/cut", H_CUT }, { "/endless", H_TOO_LARGE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct httpc_request r = to(h2.port, table[i].path, table[i].want == H_TIMEOUT_SENT ? 150 : 5000);
		struct call c = { 0 };

		r.http2 = true;
		ask(&c, &r);
		/* libcurl may see the reset of the stream before it hands over the head that came with it. */
		if (c.result != table[i].want && !(table[i].want == H_CUT && c.result == H_RESET))
			fail_msg("%s: %s, not %s: %s", table[i].path, httpc_result_name(c.result), httpc_result_name(table[i].want), c.error);
	}
}

/* ---- other ways in ---- */

static void a_proxy_line_is_sent_when_asked(void **state)
{
	struct httpc_request r = to(behind_proxy.port, "/echo", 5000);
	struct call c = { 0 };

	(void)state;
	ask(&c, &r);
	assert_int_not_equal(c.result, H_OK); /* it wants the line */
	r.proxy_protocol = true;
	ask(&c, &r);
	expect(&c, H_OK);
	assert_non_null(strcasestr(c.body, "\r\nX-Src: 127.0.0.1\r\n"));
}

static void set_up_fronts(void)
{
	plain_front_start(&h2, blue.port, "proto h2");
	plain_front_start(&behind_proxy, blue.port, "accept-proxy");
}

static int ways_setup(void **state)
{
	all_setup(state);
	set_up_fronts();
	return 0;
}

static int ways_teardown(void **state)
{
	tls_stop(&h2);
	tls_stop(&behind_proxy);
	return all_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_jar_keeps_what_was_set_and_no_other_request_sees_it),
		T(a_jar_may_go_inside_done_and_after_a_cancel),
		T(trailers_are_found_but_are_no_headers),
		T(http2_by_prior_knowledge_and_by_alpn),
		T(http2_connections_pass_from_hand_to_hand),
		T(http2_deaths_have_names),
		T(a_proxy_line_is_sent_when_asked),
	};

	return cmocka_run_group_tests_name("httpc_ways", tests, ways_setup, ways_teardown);
}
