/* SPDX-License-Identifier: MIT
 * verdict_rig.h - a service to measure, without probes: config, health, and a clock that the test turns. */
#ifndef TESTS_UNIT_SUPPORT_VERDICT_RIG_H
#define TESTS_UNIT_SUPPORT_VERDICT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switchd/core/verdict/verdict.h"

enum { MAX_F = 8, MAX_T = 8 };

struct rig {
	struct service_config cfg;
	struct feature feature[MAX_F];
	char names[MAX_F][16];
	struct target target[2][MAX_T];
	char texts[2][MAX_T][16];
	struct proxy_config proxy[4];
	struct health *h;
	struct view_rules rules;
	struct health_view view;
	struct health_advice advice;
	struct mute mute;
	int fall;                       /* 0: the usual */
	const char *row;                /* of the table, for messages */
};

static const struct probe_rule usual = {
	.interval_ms = 1000, .idle_interval_ms = 10000, .fast_interval_ms = 200, .confirm_ms = 20, .timeout_ms = 2000,
	.rise = 2, .fall = 2, .calm = 5, .via_slot = true, .via_front = true,
};
static const char *const proxy_names[] = { "p0", "p1", "p2", "p3" };

static inline void rig_features(struct rig *r, const char *list)
{
	size_t n = 0;

	for (const char *p = list; *p; p += *p == ',') {
		size_t len = strcspn(p, ",");
		struct feature *f = &r->feature[n];

		assert_true(n < MAX_F && len > 0 && len < sizeof(r->names[0]));
		*f = (struct feature){ .path = "/", .url = "", .method = "GET", .body = "", .control_path = "", .rule = usual };
		f->severity = p[len - 1] == '~' ? SEV_WARN : SEV_CRITICAL;
		f->rule.via_slot = p[len - 1] != '^';
		f->writes = p[len - 1] == '!';
		text_copy_n(r->names[n], sizeof(r->names[n]), p, strchr("~^!", p[len - 1]) ? len - 1 : len);
		f->name = r->names[n];
		f->fingerprint = 1000 + (unsigned char)p[0];
		n++;
		p += len;
	}
	r->cfg.features = r->feature;
	r->cfg.n_features = n;
}

static inline void rig_targets(struct rig *r, size_t n)
{
	assert_true(n <= MAX_T);
	for (int s = 0; s < 2; s++) {
		for (size_t t = 0; t < n; t++) {
			snprintf(r->texts[s][t], sizeof(r->texts[s][t]), "h:%d%d", s, (int)t);
			r->target[s][t].text = r->texts[s][t];
		}
		r->cfg.slot[s].targets = r->target[s];
		r->cfg.slot[s].n_targets = n;
	}
}

static inline void rig_init(struct rig *r, size_t targets, const char *features)
{
	memset(r, 0, sizeof(*r));
	r->cfg.name = "shop";
	r->cfg.front = "";
	r->cfg.identity.path = "/version";
	r->cfg.unknown_limit_ms = 10000;
	r->cfg.unknown_limit_bake_ms = 2000;
	for (size_t p = 0; p < ARRAY_LEN(r->proxy); p++)
		r->proxy[p].name = proxy_names[p];
	r->cfg.proxies = r->proxy;
	rig_targets(r, targets);
	rig_features(r, features);
	r->rules = (struct view_rules){ .active = BLUE, .live = { true, true }, .now = { 1000000 }, .wall = { 1000000 }, .mutes = &r->mute };
}

static inline void rig_pass(struct rig *r, int64_t us)
{
	r->rules.now.us += us;
	r->rules.wall.ms = r->rules.now.us / 1000;
}

static inline bool complete(enum outcome o)
{
	enum outcome_class c = outcome_info(o)->class;

	return c == OC_PRESENT || c == OC_ABSENT;
}

static inline void rig_note(struct rig *r, int s, size_t t, size_t f, enum outcome o)
{
	mono_us began = r->rules.now;

	rig_pass(r, 1000);
	r->advice = health_note(r->h, (enum slot)s, t, f, o, complete(o), began, r->rules.now, r->rules.wall, 1000);
}

static inline void rig_notes(struct rig *r, int s, size_t t, size_t f, enum outcome o, int times)
{
	while (times-- > 0)
		rig_note(r, s, t, f, o);
}

static inline void rig_warm(struct rig *r, bool proving)
{
	for (int s = 0; s < (proving ? 1 : 2); s++)
		for (int i = 0; i < 6; i++)
			for (size_t t = 0; t < r->cfg.slot[s].n_targets; t++)
				for (size_t f = 0; f < r->cfg.n_features + r->cfg.identity.on; f++)
					if (f == r->cfg.n_features || r->feature[f].rule.via_slot)
						rig_note(r, s, t, f, OUT_PRESENT);
	if (r->cfg.has_reference)
		for (int i = 0; i < 2; i++)
			health_note_reference(r->h, true, r->rules.now);
}

static inline const struct health_view *rig_view(struct rig *r)
{
	health_view(r->h, &r->rules, &r->view);
	return &r->view;
}

static inline void rig_start(struct rig *r, size_t targets, const char *features)
{
	rig_init(r, targets, features);
	r->h = health_new(&r->cfg);
	rig_warm(r, false);
}

static inline void rig_end(struct rig *r) { health_free(&r->h); }

#endif
