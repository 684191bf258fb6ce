/* SPDX-License-Identifier: MIT
 * decide_given.h - the left side of a line of tests/tables/decide.tbl, made real: an ordinary service, and what the words change of it.
 * For tests/unit/decide*.c, which include it once each. */
#ifndef TESTS_UNIT_DECIDE_GIVEN_H
#define TESTS_UNIT_DECIDE_GIVEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switchd/core/decide/transitions.h"

#define TABLE "tests/tables/decide.tbl"
#define WALL 1000000000000ll    /* ms */
#define NOW 500000000000ll      /* us */

enum { N_FEATURES = 3, MAX_LINE = 4096, MAX_WORDS = 96, MAX_DEFS = 32, MAX_ROWS = 512 };

/* One line of the table, made real. */
struct given {
	struct feature features[N_FEATURES];
	struct target targets[2];
	struct service_config cfg;
	struct record rec;
	struct health_view health;
	struct proxies_view proxies;
	struct condemned_set condemned;
	struct gate_facts facts;
	struct manifest manifest, own, claimed, kept;
	const char *require[1], *exec[1];
	struct world w;
	struct input in;
};
static struct given G;
static struct { char name[32]; char text[512]; } defs[MAX_DEFS];
static size_t n_defs;
static int line_no;
static char line_text[MAX_LINE];
static size_t n_bad;
static jmp_buf next_line;       /* a bad line is told, and the rest is still run */

#define BAD(...) do { print_error("%s:%d: ", TABLE, line_no); print_error(__VA_ARGS__); print_error("\n    %s\n", line_text); n_bad++; longjmp(next_line, 1); } while (0)

/* ---- the ordinary service: blue serves r41 for an hour, green is its rollback target ---- */

static inline void ordinary(void)
{
	static const char *const names[N_FEATURES] = { "quotes", "expenses", "mail" };
	struct record *r = &G.rec;

	memset(&G, 0, sizeof(G));
	for (int i = 0; i < N_FEATURES; i++) {
		struct feature_view *f = &G.health.f[i];

		G.features[i] = (struct feature){ .name = names[i], .path = "/", .url = "", .method = "GET", .body = "", .severity = i == 2 ? SEV_WARN : SEV_CRITICAL };
		f->votes = i != 2;
		for (int s = 0; s < 2; s++) {
			f->at[s] = V_PRESENT;
			f->seen[s] = true;
			f->evidence_since[s].us = NOW - 100000;
			f->present[s] = 2;
		}
	}
	G.health.f[N_FEATURES].votes = false;
	for (int s = 0; s < 2; s++)
		G.health.slot[s] = (struct slot_view){ .targets = 2, .in = 2, .whole = true };
	G.health.n = N_FEATURES;
	G.health.suspect_why = "";
	G.cfg = (struct service_config){
		.name = "shop", .front = "", .features = G.features, .n_features = N_FEATURES, .initial = NO_SLOT, .mode = MODE_ENFORCE, .rollback = RB_AUTO,
		.shield = true, .auto_promote = true, .offline_rollback = true, .bake_ms = 300000, .prove_timeout_ms = 60000, .ready_timeout_ms = 3600000,
		.flip_timeout_ms = 10000, .claim_ttl_ms = 3600000, .rollback_window_ms = 24 * 3600000ll, .budget_per_ms = 24 * 3600000ll, .budget_max = 3, .observe = 2,
		.slot = { { .targets = G.targets, .n_targets = 2 }, { .targets = G.targets, .n_targets = 2 } },
	};
	*r = (struct record){ .v = { 7, 42 }, .rev = 5, .cid = "c5", .active = BLUE, .phase = PH_STEADY, .phase_since = { WALL - 3600000 }, .claim.slot = NO_SLOT,
			      .pin.slot = NO_SLOT };
	r->slot[BLUE] = (struct release){ .id = "r41", .state = RS_GOOD, .was_good = true };
	r->slot[GREEN] = (struct release){ .id = "r40", .state = RS_GOOD, .was_good = true };
	r->move = (struct move){ .mode = MOVE_FORWARD, .from = GREEN, .to = BLUE, .decided = { WALL - 3600000 } };
	r->deploy = (struct deploy){ .id = 811, .release = "r41", .by = "ci", .slot = BLUE, .outcome = DO_BAKED, .rollback = RB_AUTO };
	G.proxies = (struct proxies_view){ .all = 1, .acked = 1, .observed = 1, .can_observe = 1, .preflight_done = true, .preflight_ok = true, .servers_up = 2,
					   .servers_all = 2 };
	G.w = (struct world){ .cfg = &G.cfg, .health = &G.health, .proxies = &G.proxies, .condemned = &G.condemned, .store_up = true, .alone = true, .drives = true, .started = true,
			      .control_done = true, .now = { NOW }, .wall = { WALL }, .since_flip = { NOW - 3600000000ll }, .phase_entered = { NOW - 1000000 } };
	G.facts.deploy = 811;
	G.w.gates = &G.facts;
	G.in = (struct input){ .kind = IN_TICK, .by = "ann", .slot = NO_SLOT, .found_slot = NO_SLOT };
}

/* ---- words ---- */

/* "+10s" "-2h" "3m" in ms. */
static inline int64_t span(const char *s)
{
	char *end;
	long long n = strtoll(s, &end, 10);

	switch (*end) {
	case 's': return n * 1000;
	case 'm': return n * 60000;
	case 'h': return n * 3600000;
	}
	BAD("no duration: %s", s);
	return 0;
}

static inline enum slot slot_of(const char *s)
{
	enum slot out = NO_SLOT;

	if (strcmp(s, "none") != 0 && !slot_parse(s, &out))
		BAD("no slot: %s", s);
	return out;
}

/* Splits "a:b:c" in place; the missing ones are "". */
static inline void parts(char *s, char **out, size_t n)
{
	static char nothing[1];

	for (size_t i = 0; i < n; i++)
		out[i] = nothing;
	for (size_t i = 0; i < n && s; i++) {
		out[i] = s;
		s = strchr(s, ':');
		if (s)
			*s++ = '\0';
	}
}

static inline bool key_is(const char *word, const char *key, char **value)
{
	size_t n = strlen(key);

	if (strncmp(word, key, n) != 0 || (word[n] != '=' && word[n] != '\0'))
		return false;
	*value = word[n] ? (char *)(uintptr_t)word + n + 1 : NULL;
	return true;
}

static inline void give_release(struct release *r, char *value)
{
	char *p[4];

	*r = (struct release){ .state = RS_EMPTY };
	parts(value, p, 4);
	if (strcmp(p[0], "empty") == 0)
		return;
	TEXT_COPY(r->id, p[0]);
	if (!release_state_parse(p[1], &r->state))
		BAD("no release state: %s", p[1]);
	r->was_good = r->state == RS_GOOD || strcmp(p[2], "was") == 0;
	TEXT_COPY(r->digest, p[3]);
}

static inline void give_verdicts(struct feature_view *f, const char *v)
{
	for (int s = 0; s < 2; s++) {
		char c = v[s * 2];
		bool unseen = c >= 'a';

		if (unseen)
			c = (char)(c - 32);
		f->at[s] = c == 'P' ? V_PRESENT : c == 'A' ? V_ABSENT : c == 'U' ? V_UNKNOWN : V_PARTIAL;
		f->seen[s] = !unseen;
		f->first_absent[s].us = c == 'A' || c == 'H' ? NOW - 1000000 : 0;
		f->present[s] = c == 'P' ? 2 : c == 'H';
		f->absent[s] = c == 'A' ? 2 : c == 'H';
		f->unknown[s] = c == 'U' ? 2 : 0;
	}
}

static inline void give_evidence(int64_t evidence_us, int64_t first_us)
{
	for (int i = 0; i <= N_FEATURES; i++)
		for (int s = 0; s < 2; s++) {
			G.health.f[i].evidence_since[s].us = evidence_us;
			if (G.health.f[i].first_absent[s].us)
				G.health.f[i].first_absent[s].us = first_us;
		}
}

static inline void give_manifest(struct manifest *m)
{
	static const char *const set[][2] = {
		{ "digest", "d1" }, { "builder.name", "npm" }, { "builder.version", "4.0.2" }, { "lockfile", "l1" }, { "tests.run", "812" }, { "tests.digest", "d1" },
		{ "tests.builder", "npm" }, { "tests.builder_version", "4.0.2" }, { "tests.lockfile", "l1" }, { "tests.result", "passed" }, { "tests.at", "999999000" },
	};
	char why[300];

	for (size_t i = 0; i < ARRAY_LEN(set); i++)
		if (!manifest_set(m, set[i][0], set[i][1], why, sizeof(why)))
			BAD("%s", why);
}

static inline void change_manifest(struct manifest *m, char *value)
{
	char why[300], *equals = strchr(value, '=');

	if (!equals)
		BAD("FIELD=VALUE, not %s", value);
	*equals++ = '\0';
	if (!manifest_set(m, value, equals, why, sizeof(why)))
		BAD("%s", why);
}

static inline bool give_state(char *word)
{
	struct record *r = &G.rec;
	char *v, *p[4];

	if (key_is(word, "phase", &v)) {
		if (!phase_parse(v, &r->phase))
			BAD("no phase: %s", v);
		r->phase_since.ms = WALL - 1000;
		r->phase_until.ms = phase_ms(&G.cfg, r->phase) ? WALL + phase_ms(&G.cfg, r->phase) - 1000 : 0;
	} else if (key_is(word, "active", &v)) r->active = slot_of(v);
	else if (key_is(word, "blue", &v)) give_release(&r->slot[BLUE], v);
	else if (key_is(word, "green", &v)) give_release(&r->slot[GREEN], v);
	else if (key_is(word, "shield", &v)) r->shield = true;
	else if (key_is(word, "until", &v)) r->phase_until.ms = WALL + span(v);
	else if (key_is(word, "move", &v)) {
		parts(v, p, 3);
		if (!move_mode_parse(p[0], &r->move.mode))
			BAD("no move: %s", p[0]);
		r->move.to = p[1][0] ? slot_of(p[1]) : r->active;
		r->move.from = p[2][0] ? slot_of(p[2]) : other_slot(r->move.to);
	} else if (key_is(word, "age", &v)) {
		r->move.decided.ms = WALL - span(v);
		G.w.since_flip.us = NOW - span(v) * 1000;
	} else if (key_is(word, "undone", &v)) r->move.undone = true;
	else if (key_is(word, "drill", &v)) {
		/* from blue to green, and back; before it blue was flipped to an hour ago */
		r->drill = (struct drill){ .on = true, .turned = v && strcmp(v, "turned") == 0, .by = "ann", .since = { WALL - 500 }, .home = BLUE,
					   .out_acked_us = -1, .out_observed_us = -1, .back_acked_us = -1, .back_observed_us = -1,
					   .before = { .mode = MOVE_FORWARD, .from = GREEN, .to = BLUE, .decided = { WALL - 3600000 } } };
		r->move.decided.ms = WALL - 100;
		r->move.acked.ms = r->move.observed.ms = WALL - 50;
		r->move.acked_us = 2000;
		r->move.observed_us = 3000;
		TEXT_COPY(r->move.reason, "because of the move");
	}
	else if (key_is(word, "deploy", &v)) {
		parts(v, p, 3);
		r->deploy.slot = slot_of(p[0]);
		TEXT_COPY(r->deploy.release, p[1]);
		if (!deploy_outcome_parse(p[2], &r->deploy.outcome))
			BAD("no outcome: %s", p[2]);
	} else if (key_is(word, "ended", &v)) r->deploy.ended.ms = WALL;
	else if (key_is(word, "stop", &v)) r->deploy.stop = STOP_READY;
	else if (key_is(word, "policy", &v)) {
		struct release *its = &r->slot[r->deploy.slot];

		r->deploy.rollback = its->rollback = strcmp(v, "ask") == 0 ? RB_ASK : strcmp(v, "never") == 0 ? RB_NEVER : RB_AUTO;
		its->own_rollback = true;
	}
	else if (key_is(word, "prolonged", &v)) r->deploy.prolonged = true;
	else if (key_is(word, "skipped", &v)) TEXT_COPY(r->deploy.skip, v);
	else if (key_is(word, "removed", &v) || key_is(word, "added", &v)) {
		/* by the release in the slot deployed to */
		struct release *its = &r->slot[r->deploy.slot];

		its->manifest = true;
		must(declared_add(word[0] == 'r' ? &its->without : &its->adds, v));
		for (int i = 0; word[0] == 'r' && i < N_FEATURES; i++)
			G.health.f[i].removed[r->deploy.slot] |= strcmp(G.features[i].name, v) == 0;
	} else if (key_is(word, "gate", &v)) {
		struct gate_said *g = &r->gates[r->n_gates++];

		parts(v, p, 2);
		TEXT_COPY(g->name, p[0]);
		TEXT_COPY(g->text, "as before");
		if (!gate_result_parse(p[1], &g->result))
			BAD("no result: %s", p[1]);
		r->slot[r->deploy.slot].manifest = true;
	} else if (key_is(word, "bits", &v)) TEXT_COPY(r->slot[r->deploy.slot].digest, v);
	else if (key_is(word, "hold", &v)) r->hold = (struct hold){ .on = true, .by = "eve", .why = "INC-1", .until.ms = v ? WALL + span(v) : 0 };
	else if (key_is(word, "sealed", &v)) r->sealed = (struct sealed){ .on = true, .by = "ci", .why = "migration 118" };
	else if (key_is(word, "pin", &v)) r->pin = (struct pin){ .on = true, .slot = slot_of(v), .proxy = "haproxy" };
	else if (key_is(word, "claim", &v)) {
		parts(v, p, 3);
		r->claim = (struct claim){ .by = "ci", .slot = slot_of(p[1]) };
		TEXT_COPY(r->claim.id, p[0]);
		TEXT_COPY(r->claim.release, p[2]);
	} else if (key_is(word, "claimed", &v)) {
		if (!G.claimed.digest[0])
			give_manifest(&G.claimed);
		if (v)
			change_manifest(&G.claimed, v);
		must(claim_keep(&r->claim, &G.claimed));
	} else if (key_is(word, "recent", &v)) {
		for (r->n_recent = 0; r->n_recent < (size_t)strtol(v, NULL, 10); r->n_recent++)
			r->recent[r->n_recent].ms = WALL - 7200000;
	} else if (key_is(word, "mute", &v)) {
		parts(v, p, 2);
		TEXT_COPY(r->mutes[r->n_mutes].feature, p[0]);
		r->mutes[r->n_mutes++].until.ms = WALL + span(p[1]);
	} else if (key_is(word, "mutes_full", &v)) {
		for (r->n_mutes = 0; r->n_mutes < MAX_MUTES; r->n_mutes++) {
			TEXT_FORMAT(r->mutes[r->n_mutes].feature, "f%zu", r->n_mutes);
			r->mutes[r->n_mutes].until.ms = WALL + 1000;
		}
		if (v)
			TEXT_COPY(r->mutes[0].feature, v);
	} else if (key_is(word, "norecord", &v)) {
		memset(r, 0, sizeof(*r));
		r->active = r->claim.slot = r->pin.slot = r->deploy.slot = r->move.from = r->move.to = NO_SLOT;
	} else
		return false;
	return true;
}

static inline bool give_gates(char *word)
{
	char *v;

	if (key_is(word, "require", &v)) {
		G.require[0] = v ? "toolchain" : "";
		for (size_t i = 0; i < gates_count(); i++)
			if (v && strcmp(gate_name(i), v) == 0)
				G.require[0] = gate_name(i);
		G.cfg.require = G.require;
		G.cfg.n_require = 1;
	} else if (key_is(word, "max_age", &v)) G.cfg.tests_age_ms = span(v);
	else if (key_is(word, "manifest_path", &v)) G.cfg.manifest_path = "/-/manifest.json";
	else if (key_is(word, "command", &v)) {
		G.exec[0] = "/bin/may-deploy";
		G.cfg.command = (struct command_config){ G.exec, 1, 30000 };
		if (v && !gate_result_parse(v, &G.facts.command))
			BAD("no result: %s", v);
		TEXT_COPY(G.facts.command_why, v ? v : "");
	} else if (key_is(word, "own", &v)) {
		static const char *const states[] = { "none", "asking", "read", "absent", "bad" };

		for (size_t i = 0; i < ARRAY_LEN(states); i++)
			if (strcmp(states[i], v) == 0)
				G.facts.own = (enum slot_manifest)i;
		TEXT_COPY(G.facts.own_why, "HTTP 404");
		G.cfg.manifest_path = "/-/manifest.json";
		give_manifest(&G.own);
		G.facts.manifest = &G.own;
	} else if (key_is(word, "own_set", &v)) change_manifest(&G.own, v);
	else if (key_is(word, "other_deploy", &v)) G.facts.deploy = 1;
	else
		return false;
	return true;
}

static inline bool give_world(char *word)
{
	char *v, *p[4];
	struct proxies_view *px = &G.proxies;

	if (give_gates(word))
		return true;
	if (key_is(word, "mode", &v)) G.cfg.mode = strcmp(v, "observe") == 0 ? MODE_OBSERVE : strcmp(v, "gate") == 0 ? MODE_GATE : MODE_ENFORCE;
	else if (key_is(word, "store_down", &v)) G.w.store_up = false;
	else if (key_is(word, "agents", &v)) G.w.drives = false;
	else if (key_is(word, "others", &v)) G.w.alone = false;
	else if (key_is(word, "static", &v)) G.cfg.offline_rollback = false;
	else if (key_is(word, "cfg_rollback", &v)) G.cfg.rollback = RB_ASK;
	else if (key_is(word, "no_shield", &v)) G.cfg.shield = false;
	else if (key_is(word, "by_hand", &v)) G.cfg.auto_promote = false;
	else if (key_is(word, "initial", &v)) G.cfg.initial = slot_of(v);
	else if (key_is(word, "forever", &v)) G.cfg.rollback_window_ms = INT64_MAX;
	else if (key_is(word, "start_period", &v)) G.features[0].rule.start_period_ms = G.features[1].rule.start_period_ms = span(v);
	else if (key_is(word, "min", &v)) G.cfg.slot[0].min_targets = G.cfg.slot[1].min_targets = (int)strtol(v, NULL, 10);
	else if (key_is(word, "writes", &v)) G.w.unproven[1] = true;
	else if (key_is(word, "suspect", &v)) {
		G.health.suspect = true;
		G.health.suspect_why = "the reference does not answer";
	} else if (key_is(word, "cold", &v)) G.w.started = false;
	else if (key_is(word, "quotes", &v)) give_verdicts(&G.health.f[0], v);
	else if (key_is(word, "expenses", &v)) give_verdicts(&G.health.f[1], v);
	else if (key_is(word, "mail", &v)) give_verdicts(&G.health.f[2], v);
	else if (key_is(word, "identity", &v)) {
		G.cfg.identity.on = true;
		G.health.f[N_FEATURES].votes = true;
		give_verdicts(&G.health.f[N_FEATURES], v);
		for (int s = 0; s < 2; s++) {
			G.health.f[N_FEATURES].evidence_since[s].us = NOW - 100000;
			G.health.slot[s].identity_wrong = G.health.f[N_FEATURES].at[s] == V_ABSENT;
		}
	} else if (key_is(word, "muted", &v)) G.health.f[strcmp(v, "expenses") == 0].votes = false;
	else if (key_is(word, "few", &v)) {
		struct slot_view *sv = &G.health.slot[slot_of(v)];

		sv->too_few = true;
		sv->whole = false;
		sv->in = 0;
		sv->out = 2;
	} else if (key_is(word, "starting", &v)) G.health.slot[slot_of(v)].starting = 1;
	else if (key_is(word, "stale", &v)) give_evidence(NOW - 2000000, NOW - 1000000);
	else if (key_is(word, "long_ago", &v)) give_evidence(NOW - 6000000, NOW - 60000000);
	else if (key_is(word, "wrong", &v)) G.health.slot[slot_of(v)].identity_wrong = true;
	else if (key_is(word, "never_asked", &v)) G.health.f[1].evidence_since[slot_of(v)].us = 0;
	else if (key_is(word, "gone_before_flip", &v)) give_evidence(NOW - 100000, G.w.since_flip.us - 1000);
	else if (key_is(word, "proxies", &v)) {
		/* all:down:acked:observed:can */
		parts(v, p, 4);
		px->all = (int)strtol(p[0], NULL, 10);
		px->down = (int)strtol(p[1], NULL, 10);
		px->acked = (int)strtol(p[2], NULL, 10);
		px->observed = px->can_observe = px->all - px->down;
		if (p[3][0])
			px->observed = (int)strtol(p[3], NULL, 10);
	} else if (key_is(word, "cannot_stamp", &v)) px->observed = px->can_observe = 0;
	else if (key_is(word, "refused", &v)) {
		px->refused = true;
		TEXT_COPY(px->refused_why, "haproxy: no such backend");
	} else if (key_is(word, "preflight", &v)) {
		px->preflight_done = strcmp(v, "none") != 0;
		px->preflight_ok = strcmp(v, "ok") == 0;
		TEXT_COPY(px->preflight_why, "haproxy: nobody listens");
	} else if (key_is(word, "servers", &v)) {
		parts(v, p, 2);
		px->servers_up = (int)strtol(p[0], NULL, 10);
		px->servers_all = (int)strtol(p[1], NULL, 10);
	} else if (key_is(word, "caught", &v)) px->caught_recent = 12;
	else if (key_is(word, "serves", &v))
		TEXT_COPY(px->serves[slot_of(v)], "lb2");
	else if (key_is(word, "shows", &v)) {
		px->shows_known = true;
		px->shows = slot_of(v);
	} else if (key_is(word, "control", &v)) {
		G.w.control_done = strcmp(v, "none") != 0;
		G.w.vacuous = strcmp(v, "vacuous") == 0 ? 2 : 0;
		TEXT_COPY(G.w.vacuous_name, "quotes");
	} else if (key_is(word, "whole_for", &v)) G.w.whole_since.us = NOW - span(v) * 1000;
	else if (key_is(word, "broken_both", &v)) G.w.broken_both_since.us = NOW - 1;
	else if (key_is(word, "stood", &v)) G.w.bake_stood_ms = span(v);
	else if (key_is(word, "entered", &v)) G.w.phase_entered.us = NOW - span(v) * 1000;
	else if (key_is(word, "restarted", &v)) G.w.since_flip.us = 0;
	else if (key_is(word, "condemned", &v)) {
		parts(v, p, 2);
		struct condemned *c = &G.condemned.list[G.condemned.n++];

		TEXT_COPY(c->release, p[0]);
		TEXT_COPY(c->digest, p[1]);
		TEXT_COPY(c->by, "switchd");
		TEXT_COPY(c->why, "quotes lost");
	} else
		return false;
	return true;
}

static inline bool give_input(char *word)
{
	struct input *in = &G.in;
	char *v, *p[4];

	for (int k = 0; k < N_INPUTS; k++)
		if (strcmp(word, input_name((enum input_kind)k)) == 0) {
			in->kind = (enum input_kind)k;
			return true;
		}
	if (key_is(word, "force", &v)) in->force = true;
	else if (key_is(word, "why", &v)) TEXT_COPY(in->why, v ? v : "INC-7");
	else if (key_is(word, "release", &v)) TEXT_COPY(in->release, v);
	else if (key_is(word, "digest", &v)) TEXT_COPY(in->digest, v);
	else if (key_is(word, "claim_id", &v)) TEXT_COPY(in->claim_id, v);
	else if (key_is(word, "slot", &v)) in->slot = slot_of(v);
	else if (key_is(word, "stop", &v)) in->stop = STOP_READY;
	else if (key_is(word, "policy", &v)) in->rollback = RB_NEVER, in->has_rollback = true;
	else if (key_is(word, "good_before", &v)) in->good_before = true;
	else if (key_is(word, "for", &v)) in->until.ms = WALL + span(v);
	else if (key_is(word, "feature", &v)) TEXT_COPY(in->feature, v);
	else if (key_is(word, "about", &v)) in->about = strtoull(v, NULL, 10);
	else if (key_is(word, "dry_run", &v)) in->dry_run = true;
	else if (key_is(word, "skip", &v)) TEXT_COPY(in->skip, v);
	else if (key_is(word, "manifest", &v)) {
		give_manifest(&G.manifest);
		in->manifest = &G.manifest;
	} else if (key_is(word, "set", &v)) {
		in->manifest = &G.manifest;
		change_manifest(&G.manifest, v);
	} else if (key_is(word, "bad_manifest", &v)) in->manifest_error = "m.yaml:3:9: tests.at: want a time";
	else if (key_is(word, "ambiguous", &v)) in->ambiguous = true;
	else if (key_is(word, "found", &v)) {
		parts(v, p, 4);
		in->found = true;
		if (!version_parse(p[0], &in->found_v))
			BAD("no version: %s", p[0]);
		in->found_slot = slot_of(p[1]);
		in->found_in_proxy = strcmp(p[2], "proxy") == 0;
		TEXT_COPY(in->found_release, p[3]);
	} else if (key_is(word, "at", &v)) in->found_slot = slot_of(v);
	else
		return false;
	return true;
}

static inline size_t words(char *text, char **out)
{
	size_t n = 0;
	char *s = text;

	while (*s) {
		while (*s == ' ' || *s == '\t')
			s++;
		if (!*s)
			break;
		if (n == MAX_WORDS)
			BAD("too many words");
		char *to = s;

		out[n++] = s;
		for (bool quoted = false; *s && (quoted || (*s != ' ' && *s != '\t')); s++) {
			if (*s == '"')
				quoted = !quoted;
			else
				*to++ = *s;
		}
		if (*s)
			s++;
		*to = '\0';
	}
	return n;
}

static inline void give(char *text)
{
	char *w[MAX_WORDS];
	size_t n = words(text, w);

	for (size_t i = 0; i < n; i++) {
		size_t k;

		for (k = 0; k < n_defs; k++)
			if (strcmp(defs[k].name, w[i]) == 0)
				break;
		if (k < n_defs) {
			char copy[512];

			TEXT_COPY(copy, defs[k].text);
			give(copy);
		} else if (!give_state(w[i]) && !give_world(w[i]))
			BAD("no such word on the left: %s", w[i]);
	}
}

#endif
