/* SPDX-License-Identifier: MIT
 * httpc_rig.h - a loop, a client, two hostile servers, one TLS front, and names that are ours.
 *
 * Included by one C file per test program; what a program does not use is marked so. */
#ifndef TESTS_UNIT_SUPPORT_HTTPC_RIG_H
#define TESTS_UNIT_SUPPORT_HTTPC_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>
#include <fcntl.h>

#include "switchd/base/clock.h"
#include "switchd/base/text.h"
#include "switchd/io/certificate.h"
#include "switchd/io/httpc.h"
#include "switchd/io/httpc_jar.h"
#include "tests/unit/support/hostile.h"
#include "tests/unit/support/names.h"
#include "tests/unit/support/tls.h"

static struct hostile blue, green;
static struct tls_front tls, tls_raw;
static struct ev_loop *loop;
static struct httpc *client;
static struct httpc_pool *pool;
static int ticks;

/* ---- one call ---- */

struct call {
	int dones;
	enum httpc_result result;
	long status;
	char error[400], head[4096], body[4096], type[128], location[256], ip[64], x[128];
	size_t body_len, head_len;
	bool reused;
	int redirects;
	bool has_cert;
	struct certificate cert;
	int64_t total_us;
	void (*then)(struct call *);
	struct httpc_req *other;
	int order;
};

static int ended;

static void on_done(void *arg, const struct httpc_reply *r)
{
	struct call *c = arg;

	c->dones++;
	c->order = ++ended;
	c->result = r->result;
	c->status = r->status;
	TEXT_COPY(c->error, r->error);
	text_copy_n(c->head, sizeof(c->head), r->head, r->head_len);
	text_copy_n(c->body, sizeof(c->body), r->body, r->body_len);
	assert_int_equal(r->body[r->body_len], '\0');
	c->body_len = r->body_len;
	c->head_len = r->head_len;
	TEXT_COPY(c->type, r->content_type);
	TEXT_COPY(c->location, r->location);
	TEXT_COPY(c->ip, r->ip);
	c->reused = r->reused;
	c->redirects = r->redirects;
	c->has_cert = r->cert != NULL;
	if (r->cert)
		c->cert = *r->cert;
	c->total_us = r->total_us;
	httpc_header(r, "x-who", c->x, sizeof(c->x));
	assert_true((r->result == H_OK) == (r->error[0] == '\0'));
	if (c->then)
		c->then(c);
}

static void on_tick(struct ev_loop *l, ev_timer *t, int revents)
{
	(void)l, (void)t, (void)revents;
	ticks++;
}

/* Until the condition holds; a test that hangs is ended by alarm(). */
#define RUN_UNTIL(cond) do { while (!(cond)) ev_run(loop, EVRUN_ONCE); } while (0)

MAYBE static void turn(int n)
{
	while (n--)
		ev_run(loop, EVRUN_NOWAIT);
}

static struct httpc_request to(uint16_t port, const char *path, int64_t timeout_ms)
{
	static char urls[8][256];
	static unsigned next;
	char *url = urls[next++ % 8];

	snprintf(url, sizeof(urls[0]), "http://shop.test%s", path);
	return (struct httpc_request){ .url = url, .connect_host = "127.0.0.1", .connect_port = port, .timeout_ms = timeout_ms };
}

static void ask(struct call *c, const struct httpc_request *r)
{
	int before = c->dones;

	httpc_send(pool, r, on_done, c);
	assert_int_equal(c->dones, before); /* never from inside httpc_send */
	RUN_UNTIL(c->dones > before);
	assert_int_equal(c->dones, before + 1);
}

MAYBE static struct call ask_path(const char *path, int64_t timeout_ms)
{
	struct call c = { 0 };
	struct httpc_request r = to(blue.port, path, timeout_ms);

	ask(&c, &r);
	return c;
}

static void expect(const struct call *c, enum httpc_result want)
{
	if (c->result != want)
		fail_msg("%s, not %s: %s", httpc_result_name(c->result), httpc_result_name(want), c->error);
}

static int each_setup(void **state)
{
	static ev_timer tick;

	(void)state;
	loop = ev_loop_new(0);
	client = httpc_new(loop);
	pool = httpc_pool_new(client, 8);
	ticks = 0;
	ended = 0;
	ev_timer_init(&tick, on_tick, 0.01, 0.01);
	ev_timer_start(loop, &tick);
	alarm(30);
	return 0;
}

static int each_teardown(void **state)
{
	(void)state;
	httpc_free(&client);
	ev_loop_destroy(loop);
	alarm(0);
	return 0;
}

static int all_setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	hostile_start(&blue, "blue");
	hostile_start(&green, "green");
	tls_start(&tls, blue.port, "http");
	tls_start(&tls_raw, blue.port, "tcp");
	return 0;
}

static int all_teardown(void **state)
{
	(void)state;
	tls_stop(&tls);
	tls_stop(&tls_raw);
	hostile_stop(&blue);
	hostile_stop(&green);
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, each_setup, each_teardown)

#endif
