/* SPDX-License-Identifier: MIT
 * kind_rig.h - one feature of any kind, from its YAML to its outcome: config, runner, probe.
 *
 * A test says what stands under the feature's name and where the blue slot is; the rig loads that as a user's
 * configuration is loaded, asks once and keeps what was said. */
#ifndef TESTS_UNIT_SUPPORT_KIND_RIG_H
#define TESTS_UNIT_SUPPORT_KIND_RIG_H

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <ev.h>

#include "probes/probe.h"
#include "switchd/base/text.h"

struct kind_rig {
	struct ev_loop *loop;
	struct config *cfg;
	struct probe_runner *runner;
	size_t fds;
	char target[160];               /* of blue: "127.0.0.1:8101" */
	int max_rate;                   /* 0: what is usual, and beside the feature one that is always there */
	const char *tls;                /* of blue: "" or "tls: { ... }" */
	/* what was said */
	int dones;
	struct probe_result r;
	struct evidence e;
	bool has_evidence;
	void (*then)(struct kind_rig *);
};

#define MAYBE_UNUSED __attribute__((unused))

static MAYBE_UNUSED size_t rig_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static MAYBE_UNUSED void rig_begin(struct kind_rig *k, uint16_t port)
{
	*k = (struct kind_rig){ .loop = ev_loop_new(0), .tls = "" };
	heap_habits();
	snprintf(k->target, sizeof(k->target), "127.0.0.1:%u", port);
	ev_run(k->loop, EVRUN_NOWAIT);
	alarm(60);
}

static MAYBE_UNUSED void rig_close(struct kind_rig *k)
{
	probe_runner_free(&k->runner);
	config_free(&k->cfg);
}

static MAYBE_UNUSED void rig_end(struct kind_rig *k)
{
	rig_close(k);
	ev_loop_destroy(k->loop);
	alarm(0);
}

static MAYBE_UNUSED const char *rig_no_env(const char *name, void *arg) { return (void)name, (void)arg, NULL; }

/* The feature's YAML in braces. False: errors are in `said`. */
static MAYBE_UNUSED bool rig_load(struct kind_rig *k, const char *feature, struct buf *said)
{
	struct buf text = BUF_INIT(65536);
	bool ok;

	rig_close(k);
	buf_addf(&text,
		 "version: 1\nexec: { enabled: true, at_once: 2 }\nservices:\n  shop:\n    front: \"http://shop.test\"\n    slots:\n"
		 "      blue: { targets: [\"%s\"]%s%s }\n      green: { targets: [\"127.0.0.1:1\"] }\n    features:\n      thing: %s\n"
		 "%s",
		 k->target, k->tls[0] ? ", " : "", k->tls, feature, k->max_rate ? "" : "      good: { path: /ok, timeout: 20s, expect: [status == 200] }\n");
	if (k->max_rate)
		buf_addf(&text, "    max_rate: %d\n", k->max_rate);
	k->cfg = config_load("switchd.yaml", buf_str(&text), text.len, rig_no_env, NULL, said, NULL);
	ok = k->cfg && (k->runner = probe_runner_new(k->loop, k->cfg, &k->cfg->services[0], said));
	buf_free(&text);
	return ok;
}

static MAYBE_UNUSED void rig_done(void *arg, const struct probe_result *r)
{
	struct kind_rig *k = arg;

	k->dones++;
	k->r = *r;
	k->has_evidence = r->evidence != NULL;
	if (r->evidence) {
		k->e = *r->evidence;
		assert_int_equal(r->evidence->outcome, r->outcome);
	}
	if (k->then)
		k->then(k);
}

static MAYBE_UNUSED struct probe_handle *rig_start(struct kind_rig *k, enum probe_purpose purpose)
{
	const struct probe_job job = { .via = VIA_SLOT, .purpose = purpose, .slot = BLUE, .release = "r42" };

	k->dones = 0;
	memset(&k->e, 0, sizeof(k->e));
	struct probe_handle *h = probe_start(k->runner, &job, rig_done, k);
	assert_int_equal(k->dones, 0); /* never from inside */
	return h;
}

static MAYBE_UNUSED enum outcome rig_wait(struct kind_rig *k)
{
	while (!k->dones)
		ev_run(k->loop, EVRUN_ONCE);
	assert_int_equal(k->dones, 1);
	return k->r.outcome;
}

static MAYBE_UNUSED enum outcome rig_ask(struct kind_rig *k, const char *feature)
{
	struct buf said = BUF_INIT(8192);

	if (!rig_load(k, feature, &said))
		fail_msg("%s", buf_str(&said));
	buf_free(&said);
	rig_start(k, PURPOSE_VOTE);
	return rig_wait(k);
}

/* With what came in its place. */
#define RIG_IS(k, feature, want) \
	do { \
		enum outcome rig_got = rig_ask(k, feature); \
		if (rig_got != (want)) \
			fail_msg("%s:%d: %s: %s, want %s: %s", __FILE__, __LINE__, feature, outcome_info(rig_got)->code, \
				 outcome_info(want)->code, (k)->e.got); \
	} while (0)

static MAYBE_UNUSED void rig_refuses(struct kind_rig *k, const char *feature, const char *want)
{
	struct buf said = BUF_INIT(8192);

	if (rig_load(k, feature, &said) || !strstr(buf_str(&said), want))
		fail_msg("%s: want an error with \"%s\", got: %s", feature, want, buf_str(&said));
	buf_free(&said);
}

/* Asked once before, so that what stays for good is there; then nothing may be left of `times` more. */
static MAYBE_UNUSED void rig_leaves_nothing(struct kind_rig *k, const char *feature, int times)
{
	rig_ask(k, feature);
	rig_close(k);
	size_t before = rig_fds();

	for (int i = 0; i < times; i++) {
		rig_ask(k, feature);
		rig_close(k);
	}
	assert_int_equal(rig_fds(), before);
}

static MAYBE_UNUSED void rig_cancels(struct kind_rig *k, const char *feature)
{
	struct buf said = BUF_INIT(8192);

	if (!rig_load(k, feature, &said))
		fail_msg("%s", buf_str(&said));
	/* At once, after a while, and by freeing the runner. */
	probe_cancel(rig_start(k, PURPOSE_VOTE));
	assert_int_equal(k->dones, 1);
	assert_int_equal(k->r.outcome, OUT_CANCELLED);
	struct probe_handle *h = rig_start(k, PURPOSE_VOTE);
	for (int i = 0; i < 5 && !k->dones; i++)
		ev_run(k->loop, EVRUN_NOWAIT);
	assert_int_equal(k->dones, 0);
	probe_cancel(h);
	assert_int_equal(k->dones, 1);
	assert_int_equal(k->r.outcome, OUT_CANCELLED);
	rig_start(k, PURPOSE_VOTE);
	for (int i = 0; i < 5; i++)
		ev_run(k->loop, EVRUN_NOWAIT);
	rig_close(k);
	assert_int_equal(k->dones, 1);
	assert_int_equal(k->r.outcome, OUT_CANCELLED);
	buf_free(&said);
}

#endif
