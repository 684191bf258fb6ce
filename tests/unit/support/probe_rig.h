/* SPDX-License-Identifier: MIT
 * probe_rig.h - a config as users write it, its runner, and one probe at a time. */
#ifndef TESTS_UNIT_SUPPORT_PROBE_RIG_H
#define TESTS_UNIT_SUPPORT_PROBE_RIG_H

#include <ev.h>

#include "probes/probe.h"
#include "switchd/base/buf.h"
#include "switchd/base/outside.h"

struct rig {
	struct ev_loop *loop;
	struct config *cfg;
	struct probe_runner *runner;
	struct buf said;                /* what the loader or the runner said */
};

static const char *rig_env(const char *name, void *arg)
{
	return strcmp(name, "PROBE_PASSWORD") == 0 ? "p@ss word&x" : name[0] == '/' ? outside_lookup(name, arg) : NULL;
}

/* One service, front and blue on the first port, green on the second; `features` is indented by four. */
static inline bool rig_load(struct rig *r, uint16_t blue, uint16_t green, const char *features)
{
	struct buf text = BUF_INIT(65536);
	int errors;

	buf_addf(&text, "version: 1\nservices:\n  shop:\n    front: http://127.0.0.1:%u\n    slots:\n      blue: [127.0.0.1:%u]\n"
		 "      green: [127.0.0.1:%u]\n    timeout: 3s\n    features:\n", blue, blue, green);
	buf_adds(&text, features);
	buf_init(&r->said, 65536);
	r->cfg = config_load("t.yaml", buf_str(&text), text.len, rig_env, NULL, &r->said, &errors);
	buf_free(&text);
	r->runner = r->cfg ? probe_runner_new(r->loop, r->cfg, &r->cfg->services[0], &r->said) : NULL;
	return r->runner != NULL;
}

static inline void rig_clear(struct rig *r)
{
	probe_runner_free(&r->runner);
	config_free(&r->cfg);
	buf_free(&r->said);
}

struct said { int dones; struct probe_result r; struct evidence e; bool has_evidence; };

static inline void rig_done(void *arg, const struct probe_result *r)
{
	struct said *s = arg;

	s->dones++;
	s->r = *r;
	s->has_evidence = r->evidence != NULL;
	if (r->evidence)
		s->e = *r->evidence;
}

static inline struct said rig_ask(struct rig *r, enum probe_via via, enum probe_purpose purpose, enum slot slot)
{
	struct probe_job job = { .via = via, .purpose = purpose, .slot = slot, .release = "" };
	struct said s = { 0 };

	probe_start(r->runner, &job, rig_done, &s);
	assert_int_equal(s.dones, 0); /* never from inside */
	while (!s.dones)
		ev_run(r->loop, EVRUN_ONCE);
	assert_int_equal(s.dones, 1);
	return s;
}

static inline struct said rig_vote(struct rig *r) { return rig_ask(r, VIA_SLOT, PURPOSE_VOTE, BLUE); }

static inline void rig_outcome(const struct said *s, enum outcome want)
{
	if (s->r.outcome != want)
		fail_msg("%s, not %s: want '%s' got '%s'", outcome_info(s->r.outcome)->code, outcome_info(want)->code, s->e.want, s->e.got);
}

#define rig_says(text, part) do { \
	if (!strstr((text), (part))) \
		fail_msg("'%s' is not in '%s'", (part), (text)); \
} while (0)

#endif
