/* SPDX-License-Identifier: MIT
 * http_rig.h - a service made by hand, two hostile servers and a TLS front for its slots, and one probe at a time.
 *
 * Included by one C file per test program: what it does not use is marked so. */
#ifndef TESTS_UNIT_SUPPORT_HTTP_RIG_H
#define TESTS_UNIT_SUPPORT_HTTP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>

#include "probes/probe.h"
#include "tests/unit/support/hostile.h"
#include "tests/unit/support/tls.h"

#define MAYBE __attribute__((unused))

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

MAYBE static struct target target(uint16_t port, bool with_tls, char *text)
{
	snprintf(text, 32, "127.0.0.1:%u", port);
	return (struct target){ .text = text, .host = "127.0.0.1", .port = port, .tls = with_tls };
}

MAYBE static void feature(size_t i, const char *name, const char *path, const char *const *expect, size_t n)
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
MAYBE static void public_name(const char *url, const char *host, uint16_t port, bool with_tls)
{
	svc.front = url;
	svc.front_target = (struct target){ .text = url, .host = host, .port = port, .tls = with_tls };
}

MAYBE static void open_runner(void)
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

MAYBE static void on_done(void *arg, const struct probe_result *r)
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

MAYBE static struct probe_job job(enum probe_via via, enum probe_purpose p, enum slot slot, size_t f)
{
	return (struct probe_job){ .via = via, .purpose = p, .slot = slot, .feature = f, .release = "" };
}

MAYBE static struct said ask(struct probe_job j)
{
	struct said s = { 0 };

	probe_start(runner, &j, on_done, &s);
	assert_int_equal(s.dones, 0); /* never from inside */
	while (!s.dones)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(s.dones, 1);
	return s;
}

MAYBE static struct said vote(enum slot slot, size_t f) { return ask(job(VIA_SLOT, PURPOSE_VOTE, slot, f)); }

MAYBE static void expect_outcome(const struct said *s, enum outcome want)
{
	if (s->r.outcome != want)
		fail_msg("%s, not %s: want '%s' got '%s'", outcome_info(s->r.outcome)->code, outcome_info(want)->code, s->e.want, s->e.got);
}

/* ---- all of them ---- */

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

#endif
