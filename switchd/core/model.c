/* SPDX-License-Identifier: MIT
 * model.c - the texts of the nouns. */
#include "switchd/core/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const slots[] = { "blue", "green", "none" };
static const char *const phases[] = { "steady", "filling", "proving", "ready", "flipping", "baking", "reverting", "stuck" };
static const char *const modes[] = { "observe", "gate", "enforce" };
static const char *const policies[] = { "auto", "ask", "never" };
static const char *const verdicts[] = { "unknown", "present", "absent", "partial" };
static const char *const compareds[] = { "unknown", "same", "lost", "gained", "broken_both", "new" };
static const char *const release_states[] = { "empty", "announced", "refused", "aborted", "proved", "live", "good", "left" };
static const char *const deploy_outcomes[] = { "running", "ready", "baked", "refused", "rolled-back", "aborted", "stuck",
					       "would-have-flipped", "would-have-refused", "expired" };
static const char *const gate_results[] = { "not_checked", "pass", "refuse", "skipped", "unproven", "waiting" };
static const char *const moves[] = { "note", "auto", "forward", "back", "force" };

_Static_assert(ARRAY_LEN(phases) == N_PHASES, "a phase without a name");
_Static_assert(ARRAY_LEN(release_states) == N_RELEASE_STATES, "a release state without a name");
_Static_assert(ARRAY_LEN(deploy_outcomes) == N_DEPLOY_OUTCOMES, "a deploy outcome without a name");
_Static_assert(ARRAY_LEN(gate_results) == N_GATE_RESULTS, "a gate's result without a name");

static bool find(const char *const *table, size_t n, const char *s, int *out)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i], s) == 0) {
			*out = (int)i;
			return true;
		}
	return false;
}

#define NAME_OF(table, value) ((size_t)(value) < ARRAY_LEN(table) ? (table)[value] : "?")
#define PARSE_INTO(table, n, s, type, out) do { int i_; if (!find(table, n, s, &i_)) return false; *(out) = (type)i_; return true; } while (0)

const char *slot_name(enum slot s) { return NAME_OF(slots, s); }
const char *phase_name(enum phase p) { return NAME_OF(phases, p); }
const char *run_mode_name(enum run_mode m) { return NAME_OF(modes, m); }
const char *rollback_policy_name(enum rollback_policy p) { return NAME_OF(policies, p); }
const char *verdict_name(enum verdict v) { return NAME_OF(verdicts, v); }
const char *compared_name(enum compared c) { return NAME_OF(compareds, c); }
const char *release_state_name(enum release_state s) { return NAME_OF(release_states, s); }
const char *deploy_outcome_name(enum deploy_outcome o) { return NAME_OF(deploy_outcomes, o); }
const char *move_mode_name(enum move_mode m) { return NAME_OF(moves, m); }

const char *gate_result_name(enum gate_result r) { return NAME_OF(gate_results, r); }

bool slot_parse(const char *s, enum slot *out) { PARSE_INTO(slots, 2, s, enum slot, out); }
bool phase_parse(const char *s, enum phase *out) { PARSE_INTO(phases, N_PHASES, s, enum phase, out); }
bool release_state_parse(const char *s, enum release_state *out) { PARSE_INTO(release_states, N_RELEASE_STATES, s, enum release_state, out); }
bool deploy_outcome_parse(const char *s, enum deploy_outcome *out) { PARSE_INTO(deploy_outcomes, N_DEPLOY_OUTCOMES, s, enum deploy_outcome, out); }
bool gate_result_parse(const char *s, enum gate_result *out) { PARSE_INTO(gate_results, N_GATE_RESULTS, s, enum gate_result, out); }
bool move_mode_parse(const char *s, enum move_mode *out) { PARSE_INTO(moves, ARRAY_LEN(moves), s, enum move_mode, out); }

const char *version_text(struct version v, char out[VERSION_TEXT])
{
	snprintf(out, VERSION_TEXT, "%" PRIu64 ".%" PRIu64, v.gen, v.epoch);
	return out;
}

bool version_parse(const char *s, struct version *out)
{
	char gen[24];
	const char *dot = strchr(s, '.');

	return dot && text_copy_n(gen, sizeof(gen), s, (size_t)(dot - s)) &&
	       text_u64(gen, &out->gen) && text_u64(dot + 1, &out->epoch);
}

const char *proxy_value_text(const struct proxy_value *p, char out[PROXY_VALUE_TEXT])
{
	char v[VERSION_TEXT];

	if (p->pin)
		snprintf(v, sizeof(v), "pin.%" PRIu64, p->v.epoch);
	else
		version_text(p->v, v);
	snprintf(out, PROXY_VALUE_TEXT, "%s:%s:%s", slot_name(p->slot), v, p->shield ? "shield" : "plain");
	return out;
}

bool proxy_value_parse(const char *s, struct proxy_value *out)
{
	char copy[PROXY_VALUE_TEXT];
	struct proxy_value p = { 0 };

	if (!text_copy(copy, sizeof(copy), s))
		return false;
	char *v = strchr(copy, ':'), *token = v ? strchr(v + 1, ':') : NULL;
	if (!token)
		return false;
	*v++ = '\0';
	*token++ = '\0';
	if (!slot_parse(copy, &p.slot))
		return false;
	p.pin = text_starts(v, "pin.");
	if (p.pin ? !text_u64(v + 4, &p.v.epoch) : !version_parse(v, &p.v))
		return false;
	p.shield = strcmp(token, "shield") == 0;
	if (!p.shield && strcmp(token, "plain") != 0)
		return false;
	if (p.pin && p.shield)
		return false;
	*out = p;
	return true;
}

const struct condemned *condemned_find(const struct condemned_set *set, const char *release, const char *digest)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct condemned *c = &set->list[i];

		if ((release[0] && strcmp(c->release, release) == 0) ||
		    (digest[0] && c->digest[0] && strcmp(c->digest, digest) == 0))
			return c;
	}
	return NULL;
}

/* ---- requests ---- */

bool record_did(const struct record *r, const char *request)
{
	bool did = strcmp(r->cid, request) == 0;

	for (size_t i = 0; i < r->n_requests && !did; i++)
		did = strcmp(r->requests[i], request) == 0;
	return did && request[0];
}

void record_done(struct record *r, const char *request)
{
	for (size_t i = 0; i < r->n_requests; i++)
		if (strcmp(r->requests[i], request) == 0)
			return;
	if (r->n_requests == MAX_REQUESTS) {
		memmove(&r->requests[0], &r->requests[1], (MAX_REQUESTS - 1) * sizeof(r->requests[0]));
		memset(&r->requests[--r->n_requests], 0, sizeof(r->requests[0]));
	}
	TEXT_COPY(r->requests[r->n_requests++], request);
}

/* ---- declared: words joined by one blank ---- */

bool declared_word_ok(const char *s)
{
	size_t n = strlen(s);

	if (s[0] != '/')
		return name_ok(s);
	for (size_t i = 0; i < n; i++)
		if (s[i] <= 0x20 || s[i] >= 0x7f)
			return false;
	return n <= DECLARED_WORD;
}

bool declared_next(const struct declared *d, size_t *at, char out[DECLARED_WORD + 1])
{
	const char *p = d->text + *at;
	size_t n = strcspn(p, " ");

	if (!n || !text_copy_n(out, DECLARED_WORD + 1, p, n))
		return false;
	*at += n + (p[n] == ' ');
	return true;
}

static bool covers(const char *word, const char *name)
{
	size_t n = strlen(word);

	return strcmp(word, name) == 0 || (n > 1 && word[0] == '/' && word[n - 1] == '*' && strncmp(word, name, n - 1) == 0);
}

bool declared_has(const struct declared *d, const char *name)
{
	char word[DECLARED_WORD + 1];

	for (size_t at = 0; declared_next(d, &at, word);)
		if (covers(word, name))
			return true;
	return false;
}

bool declared_add(struct declared *d, const char *name)
{
	size_t n = strlen(d->text);

	must(declared_word_ok(name));
	if (declared_has(d, name))
		return true;
	if (n + (n > 0) + strlen(name) > DECLARED_LEN)
		return false;
	return text_format(d->text + n, sizeof(d->text) - n, "%s%s", n ? " " : "", name);
}

void declared_drop(struct declared *d, const char *name)
{
	struct declared kept = { "" };
	char word[DECLARED_WORD + 1];

	for (size_t at = 0; declared_next(d, &at, word);)
		if (strcmp(word, name) != 0)
			must(declared_add(&kept, word));
	*d = kept;
}

bool proxy_value_same(const struct proxy_value *a, const struct proxy_value *b)
{
	return a->slot == b->slot && version_cmp(a->v, b->v) == 0 && a->shield == b->shield && a->pin == b->pin;
}
