/* SPDX-License-Identifier: MIT
 * record.c - one table of members, read both ways: what is written can be read, and nothing else.
 *
 * Members have the names of the struct's fields, all of them are always there, and nested
 * structs are nested objects.  Reading is strict, for Redis is not trusted (R13). */
#include "switchd/core/record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/decide/manifest.h"

enum {
	RECORD_MAX_TEXT = 256 * 1024,   /* a full record, mutes and all, is below 130 kB */
};
/* JSON's numbers are doubles in Lua and JavaScript: beyond this they are not exact. */
static const int64_t EXACT_MAX = INT64_C(9007199254740991);
static const int64_t WALL_MAX = INT64_C(253402300799999);       /* the end of the year 9999 */

enum kind {
	K_BOOL, K_U64, K_WALL, K_US,
	K_ID, K_NAME,           /* "" = none */
	K_TAG, K_WHY,           /* free text in one line */
	K_GATE_TEXT,            /* what a gate said, in one line */
	K_SLOT, K_PHASE, K_STATE, K_STOP, K_OUTCOME, K_POLICY, K_MOVE, K_RESULT,
	K_OBJECT,
	K_MANIFEST,             /* text of a JSON object, as an object; "" as null */
	K_WORDS,                /* struct declared, as an array of texts */
	K_TIMES, K_MUTES, K_GATES, K_IDS,       /* arrays: the count stands in count_at */
};

struct shape;
/* later: a record of a version that did not know this member yet is read as if it were zero. */
struct member { const char *name; enum kind kind; size_t at; const struct shape *shape; size_t count_at; bool later; };
struct shape { const struct member *list; size_t n; };

#define SHAPE(members) { members, ARRAY_LEN(members) }
#define M(type, name, kind) { #name, kind, offsetof(type, name), NULL, 0, false }
#define LATER(type, name, kind) { #name, kind, offsetof(type, name), NULL, 0, true }

static const struct member version_members[] = {
	M(struct version, gen, K_U64), M(struct version, epoch, K_U64),
};
static const struct shape version_shape = SHAPE(version_members);

static const struct member release_members[] = {
	M(struct release, id, K_ID), M(struct release, digest, K_TAG), M(struct release, state, K_STATE), M(struct release, was_good, K_BOOL),
	M(struct release, own_rollback, K_BOOL), M(struct release, rollback, K_POLICY),
	M(struct release, arrived, K_WALL),
	LATER(struct release, manifest, K_BOOL), LATER(struct release, commit, K_TAG), LATER(struct release, builder, K_TAG),
	LATER(struct release, builder_version, K_TAG), LATER(struct release, lockfile, K_TAG),
	LATER(struct release, adds, K_WORDS), LATER(struct release, removes, K_WORDS), LATER(struct release, without, K_WORDS),
};
static const struct shape release_shape = SHAPE(release_members);

static const struct member slots_members[] = {
	{ "blue", K_OBJECT, BLUE * sizeof(struct release), &release_shape, 0, false },
	{ "green", K_OBJECT, GREEN * sizeof(struct release), &release_shape, 0, false },
};
static const struct shape slots_shape = SHAPE(slots_members);

static const struct member claim_members[] = {
	M(struct claim, id, K_ID), M(struct claim, by, K_ID), M(struct claim, release, K_ID), M(struct claim, slot, K_SLOT),
	M(struct claim, since, K_WALL), M(struct claim, until, K_WALL), LATER(struct claim, manifest, K_MANIFEST),
};
static const struct shape claim_shape = SHAPE(claim_members);

static const struct member deploy_members[] = {
	M(struct deploy, id, K_U64), M(struct deploy, release, K_ID), M(struct deploy, by, K_ID), M(struct deploy, slot, K_SLOT),
	M(struct deploy, stop, K_STOP), M(struct deploy, outcome, K_OUTCOME), M(struct deploy, rollback, K_POLICY),
	LATER(struct deploy, skip, K_TAG), M(struct deploy, prolonged, K_BOOL), M(struct deploy, since, K_WALL), M(struct deploy, ended, K_WALL), M(struct deploy, reason, K_WHY),
};
static const struct shape deploy_shape = SHAPE(deploy_members);

static const struct member hold_members[] = {
	M(struct hold, on, K_BOOL), M(struct hold, by, K_ID), M(struct hold, why, K_WHY), M(struct hold, since, K_WALL), M(struct hold, until, K_WALL),
};
static const struct shape hold_shape = SHAPE(hold_members);

static const struct member sealed_members[] = {
	M(struct sealed, on, K_BOOL), M(struct sealed, by, K_ID), M(struct sealed, why, K_WHY), M(struct sealed, since, K_WALL),
};
static const struct shape sealed_shape = SHAPE(sealed_members);

static const struct member pin_members[] = {
	M(struct pin, on, K_BOOL), M(struct pin, slot, K_SLOT), M(struct pin, since, K_WALL), M(struct pin, proxy, K_NAME),
};
static const struct shape pin_shape = SHAPE(pin_members);

static const struct member move_members[] = {
	M(struct move, mode, K_MOVE), M(struct move, from, K_SLOT), M(struct move, to, K_SLOT), M(struct move, undone, K_BOOL),
	M(struct move, decided, K_WALL), M(struct move, acked, K_WALL), M(struct move, observed, K_WALL),
	M(struct move, acked_us, K_US), M(struct move, observed_us, K_US), M(struct move, by, K_ID), M(struct move, reason, K_WHY),
};
static const struct shape move_shape = SHAPE(move_members);

static const struct member drill_members[] = {
	M(struct drill, on, K_BOOL), M(struct drill, turned, K_BOOL), M(struct drill, by, K_ID), M(struct drill, since, K_WALL), M(struct drill, ended, K_WALL),
	M(struct drill, home, K_SLOT), M(struct drill, out_acked_us, K_US), M(struct drill, out_observed_us, K_US), M(struct drill, back_acked_us, K_US),
	M(struct drill, back_observed_us, K_US), M(struct drill, how, K_WHY),
	{ "before", K_OBJECT, offsetof(struct drill, before), &move_shape, 0, false },
};
static const struct shape drill_shape = SHAPE(drill_members);

static const struct member mute_members[] = {
	M(struct mute, feature, K_NAME), M(struct mute, by, K_ID), M(struct mute, why, K_WHY), M(struct mute, until, K_WALL),
};
static const struct shape mute_shape = SHAPE(mute_members);

static const struct member gate_members[] = {
	M(struct gate_said, name, K_NAME), M(struct gate_said, result, K_RESULT), M(struct gate_said, text, K_GATE_TEXT),
};
static const struct shape gate_shape = SHAPE(gate_members);

static const struct member condemned_members[] = {
	M(struct condemned, release, K_ID), M(struct condemned, digest, K_TAG), M(struct condemned, since, K_WALL), M(struct condemned, by, K_ID),
	M(struct condemned, why, K_WHY),
};
static const struct shape condemned_shape = SHAPE(condemned_members);

#define OBJECT(field, name, shape) { name, K_OBJECT, offsetof(struct record, field), &shape, 0, false }
static const struct member record_members[] = {
	OBJECT(v, "version", version_shape),
	M(struct record, rev, K_U64), M(struct record, cid, K_ID), M(struct record, active, K_SLOT), M(struct record, shield, K_BOOL),
	M(struct record, phase, K_PHASE), M(struct record, phase_since, K_WALL), M(struct record, phase_until, K_WALL),
	OBJECT(slot, "slots", slots_shape),
	OBJECT(claim, "claim", claim_shape), OBJECT(deploy, "deploy", deploy_shape), OBJECT(hold, "hold", hold_shape),
	OBJECT(sealed, "sealed", sealed_shape), OBJECT(pin, "pin", pin_shape), OBJECT(move, "move", move_shape),
	{ "drill", K_OBJECT, offsetof(struct record, drill), &drill_shape, 0, true },
	{ "recent", K_TIMES, offsetof(struct record, recent), NULL, offsetof(struct record, n_recent), false },
	{ "mutes", K_MUTES, offsetof(struct record, mutes), &mute_shape, offsetof(struct record, n_mutes), false },
	{ "gates", K_GATES, offsetof(struct record, gates), &gate_shape, offsetof(struct record, n_gates), true },
	{ "requests", K_IDS, offsetof(struct record, requests), NULL, offsetof(struct record, n_requests), true },
};
static const struct shape record_shape = SHAPE(record_members);

static const char *const stops[] = { "none", "ready" };

/* ---- what a value may be, in both directions ---- */

static bool any_slot(const char *s, enum slot *out)
{
	if (strcmp(s, slot_name(NO_SLOT)) == 0) {
		*out = NO_SLOT;
		return true;
	}
	return slot_parse(s, out);
}

static bool id_or_none(const char *s) { return !s[0] || id_ok(s); }
static bool name_or_none(const char *s) { return !s[0] || name_ok(s); }

/* One line of valid UTF-8 of at most max bytes. */
static bool line_ok(const char *s, size_t max)
{
	char copy[WHY_LEN + 2];
	size_t n = strlen(s);

	if (n > max)
		return false;
	text_printable(copy, sizeof(copy), s, n);
	return strcmp(copy, s) == 0;
}

static bool time_ok(int64_t ms) { return ms >= 0 && ms <= WALL_MAX; }

/* What no single member can show to be wrong. */
static bool record_whole(const struct record *r, const char **why)
{
	*why = NULL;
	if (r->n_mutes > MAX_MUTES || r->n_recent > MAX_RECENT || r->n_gates > MAX_GATES || r->n_requests > MAX_REQUESTS)
		*why = "more than there is room for";
	else if (r->claim.id[0] && r->claim.slot == NO_SLOT)
		*why = "claim.slot: a claim without a slot";
	else if (r->pin.on && r->pin.slot == NO_SLOT)
		*why = "pin.slot: a pin without a slot";
	else if (r->active == NO_SLOT && r->shield)
		*why = "shield: a shield without an active slot";
	for (size_t i = 0; !*why && i < r->n_mutes; i++)
		for (size_t k = 0; !*why && k < i; k++)
			if (strcmp(r->mutes[i].feature, r->mutes[k].feature) == 0)
				*why = "mutes: a feature twice";
	return *why == NULL;
}

/* ---- writing ---- */

static json_t *shape_json(const struct shape *, const void *base);

static json_t *count_json(uint64_t n) { return n <= (uint64_t)EXACT_MAX ? json_integer((json_int_t)n) : NULL; }
static json_t *time_json(wall_ms t) { return time_ok(t.ms) ? json_integer(t.ms) : NULL; }
static json_t *checked(bool ok, const char *s) { return ok ? json_string(s) : NULL; }

/* Free text is made fit to be read again: it may have been cut in the middle of a character. */
static json_t *line_json(const char *s)
{
	char copy[2048];

	text_printable(copy, sizeof(copy), s, strlen(s));
	return json_string(copy);
}

static size_t array_max(const struct member *m)
{
	return m->kind == K_TIMES ? (size_t)MAX_RECENT : m->kind == K_GATES ? (size_t)MAX_GATES : m->kind == K_IDS ? (size_t)MAX_REQUESTS : (size_t)MAX_MUTES;
}

static size_t item_size(const struct member *m)
{
	return m->kind == K_TIMES ? sizeof(wall_ms) : m->kind == K_GATES ? sizeof(struct gate_said) : m->kind == K_IDS ? sizeof(id_text) : sizeof(struct mute);
}

static json_t *item_json(const struct member *m, const void *at)
{
	return m->kind == K_TIMES ? time_json(*(const wall_ms *)at) : m->kind == K_IDS ? checked(id_ok(at), at) : shape_json(m->shape, at);
}

/* What schema 1 of the store does not know is not written while there is none of it. */
static bool unwritten(const struct member *m, const char *base) { return m->kind == K_IDS && *(const size_t *)(base + m->count_at) == 0; }

static json_t *array_json(const struct member *m, const char *base)
{
	size_t n = *(const size_t *)(base + m->count_at);
	json_t *list = n <= array_max(m) ? json_array() : NULL;

	for (size_t i = 0; list && i < n; i++) {
		const char *at = base + m->at + i * item_size(m);

		if (json_array_append_new(list, item_json(m, at)) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

static json_t *words_json(const struct declared *d)
{
	json_t *list = json_array();
	char word[DECLARED_WORD + 1];

	for (size_t at = 0; declared_next(d, &at, word);)
		json_array_append_new(list, checked(declared_word_ok(word), word));
	return list;
}

/* NULL: it could not be read again. */
static json_t *manifest_member_json(const char *text)
{
	return !text[0] ? json_null() : claim_manifest_ok(text, strlen(text)) ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

static json_t *member_json(const struct member *m, const char *base)
{
	const void *at = base + m->at;

	switch (m->kind) {
	case K_BOOL: return json_boolean(*(const bool *)at);
	case K_U64: return count_json(*(const uint64_t *)at);
	case K_WALL: return time_json(*(const wall_ms *)at);
	case K_US: return *(const int64_t *)at >= -1 && *(const int64_t *)at <= EXACT_MAX ? json_integer(*(const int64_t *)at) : NULL;
	case K_ID: return checked(id_or_none(at), at);
	case K_NAME: return checked(name_or_none(at), at);
	case K_TAG:
	case K_WHY:
	case K_GATE_TEXT: return line_json(at);
	case K_SLOT: return *(const enum slot *)at <= NO_SLOT ? json_string(slot_name(*(const enum slot *)at)) : NULL;
	case K_PHASE: return *(const enum phase *)at < N_PHASES ? json_string(phase_name(*(const enum phase *)at)) : NULL;
	case K_STATE:
		return *(const enum release_state *)at < N_RELEASE_STATES ? json_string(release_state_name(*(const enum release_state *)at)) : NULL;
	case K_STOP: return *(const enum deploy_stop *)at <= STOP_READY ? json_string(stops[*(const enum deploy_stop *)at]) : NULL;
	case K_OUTCOME:
		return *(const enum deploy_outcome *)at < N_DEPLOY_OUTCOMES ? json_string(deploy_outcome_name(*(const enum deploy_outcome *)at)) : NULL;
	case K_POLICY:
		return *(const enum rollback_policy *)at <= RB_NEVER ? json_string(rollback_policy_name(*(const enum rollback_policy *)at)) : NULL;
	case K_MOVE: return *(const enum move_mode *)at <= MOVE_FORCE ? json_string(move_mode_name(*(const enum move_mode *)at)) : NULL;
	case K_RESULT:
		return *(const enum gate_result *)at < N_GATE_RESULTS ? json_string(gate_result_name(*(const enum gate_result *)at)) : NULL;
	case K_OBJECT: return shape_json(m->shape, at);
	case K_WORDS: return words_json(at);
	case K_MANIFEST: return manifest_member_json(at);
	case K_TIMES:
	case K_MUTES:
	case K_IDS:
	case K_GATES: return array_json(m, base);
	}
	never("a kind of member");
}

/* NULL when a member holds what could not be read back. */
static json_t *shape_json(const struct shape *shape, const void *base)
{
	json_t *o = json_object();

	for (size_t i = 0; o && i < shape->n; i++)
		if (!unwritten(&shape->list[i], base) && json_object_set_new(o, shape->list[i].name, member_json(&shape->list[i], base)) < 0) {
			json_decref(o);
			o = NULL;
		}
	return o;
}

/* ---- reading ---- */

struct reading {
	char *why;
	size_t size;
	char path[128];         /* of the member under way: "slots.blue.state" */
	bool failed;
};

static PRINTF(2, 3) bool refuse(struct reading *r, const char *fmt, ...)
{
	va_list ap;
	char said[160];

	if (!r->failed && r->size) {
		va_start(ap, fmt);
		vsnprintf(said, sizeof(said), fmt, ap);
		va_end(ap);
		text_format(r->why, r->size, "%s%s%s", r->path, r->path[0] ? ": " : "", said);
	}
	r->failed = true;
	return false;
}

static bool shape_parse(struct reading *, const struct shape *, const json_t *, void *base);

static bool number(struct reading *r, const json_t *j, int64_t min, int64_t max, int64_t *out)
{
	if (!json_is_integer(j))
		return refuse(r, "want a whole number");
	json_int_t n = json_integer_value(j);
	if (n < min || n > max)
		return refuse(r, "%" JSON_INTEGER_FORMAT " is out of range", n);
	*out = n;
	return true;
}

/* The text of a string without a NUL in it, or NULL. */
static const char *string(struct reading *r, const json_t *j)
{
	const char *s = json_string_value(j);

	if (!s)
		refuse(r, "want a string");
	else if (strlen(s) != json_string_length(j))
		refuse(r, "has a NUL in it");
	else
		return s;
	return NULL;
}

static bool text_member(struct reading *r, const struct member *m, const json_t *j, char *at)
{
	const char *s = string(r, j);
	char shown[48];

	if (!s)
		return false;
	size_t most = m->kind == K_TAG ? TAG_LEN : m->kind == K_GATE_TEXT ? GATE_TEXT : WHY_LEN;
	bool ok = m->kind == K_ID ? id_or_none(s) : m->kind == K_NAME ? name_or_none(s) : line_ok(s, most);
	if (!ok) {
		text_printable(shown, sizeof(shown), s, strlen(s));
		return refuse(r, m->kind == K_ID || m->kind == K_NAME ? "\"%s\" is not allowed here" : "\"%s\" is too long, or not one line of text", shown);
	}
	size_t room = m->kind == K_ID ? sizeof(id_text) : m->kind == K_NAME ? sizeof(name_text) : most + 1;
	must(text_copy(at, room, s));
	return true;
}

static bool word_member(struct reading *r, const struct member *m, const json_t *j, void *at)
{
	const char *s = string(r, j);
	char shown[48];
	bool ok = false;

	if (!s)
		return false;
	switch (m->kind) {
	case K_SLOT: ok = any_slot(s, at); break;
	case K_PHASE: ok = phase_parse(s, at); break;
	case K_STATE: ok = release_state_parse(s, at); break;
	case K_OUTCOME: ok = deploy_outcome_parse(s, at); break;
	case K_MOVE: ok = move_mode_parse(s, at); break;
	case K_RESULT: ok = gate_result_parse(s, at); break;
	case K_STOP:
		for (enum deploy_stop i = STOP_NONE; i <= STOP_READY; i++)
			if (strcmp(s, stops[i]) == 0) {
				*(enum deploy_stop *)at = i;
				ok = true;
			}
		break;
	case K_POLICY:
		for (enum rollback_policy i = RB_AUTO; i <= RB_NEVER; i++)
			if (strcmp(s, rollback_policy_name(i)) == 0) {
				*(enum rollback_policy *)at = i;
				ok = true;
			}
		break;
	default:
		never("not a word");
	}
	text_printable(shown, sizeof(shown), s, strlen(s));
	return ok || refuse(r, "unknown word \"%s\"", shown);
}

static bool id_item(struct reading *r, const json_t *j, void *at)
{
	const char *s = string(r, j);

	if (s && !(id_ok(s) && text_copy(at, sizeof(id_text), s)))
		return refuse(r, "one of them is no id");
	return s != NULL;
}

static bool item_parse(struct reading *r, const struct member *m, const json_t *j, void *at)
{
	return m->kind == K_TIMES ? number(r, j, 0, WALL_MAX, &((wall_ms *)at)->ms) : m->kind == K_IDS ? id_item(r, j, at) : shape_parse(r, m->shape, j, at);
}

static bool array_member(struct reading *r, const struct member *m, const json_t *j, char *base)
{
	size_t max = array_max(m), n = json_array_size(j);

	if (!json_is_array(j))
		return refuse(r, "want an array");
	if (n > max)
		return refuse(r, "more than %zu of them", max);
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(j, i);
		void *at = base + m->at + i * item_size(m);

		if (!item_parse(r, m, item, at))
			return false;
		if (m->kind == K_MUTES && !((const struct mute *)at)->feature[0])
			return refuse(r, "a mute without a feature");
		if (m->kind == K_GATES && !((const struct gate_said *)at)->name[0])
			return refuse(r, "a gate without a name");
	}
	*(size_t *)(base + m->count_at) = n;
	return true;
}

static bool words_member(struct reading *r, const json_t *j, struct declared *out)
{
	char shown[48];

	if (!json_is_array(j))
		return refuse(r, "want an array");
	for (size_t i = 0; i < json_array_size(j); i++) {
		const char *s = string(r, json_array_get(j, i));

		if (!s)
			return false;
		if (!declared_word_ok(s)) {
			text_printable(shown, sizeof(shown), s, strlen(s));
			return refuse(r, "\"%s\" is not allowed here", shown);
		}
		if (!declared_add(out, s))
			return refuse(r, "more than there is room for");
	}
	return true;
}

static bool manifest_member(struct reading *r, const json_t *j, char *at)
{
	char *text = json_is_object(j) ? json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	bool ok = json_is_null(j) || (text && claim_manifest_ok(text, strlen(text)));

	if (ok)
		must(text_copy(at, CLAIM_MANIFEST + 1, text ? text : ""));
	free(text);
	return ok || refuse(r, "want a manifest, or null");
}

static bool member_parse(struct reading *r, const struct member *m, const json_t *j, char *base)
{
	void *at = base + m->at;
	int64_t n;

	switch (m->kind) {
	case K_BOOL:
		if (!json_is_boolean(j))
			return refuse(r, "want true or false");
		*(bool *)at = json_is_true(j);
		return true;
	case K_U64:
		if (!number(r, j, 0, EXACT_MAX, &n))
			return false;
		*(uint64_t *)at = (uint64_t)n;
		return true;
	case K_WALL:
		return number(r, j, 0, WALL_MAX, &((wall_ms *)at)->ms);
	case K_US:
		return number(r, j, -1, EXACT_MAX, at);
	case K_ID:
	case K_NAME:
	case K_TAG:
	case K_WHY:
	case K_GATE_TEXT:
		return text_member(r, m, j, at);
	case K_SLOT:
	case K_PHASE:
	case K_STATE:
	case K_STOP:
	case K_OUTCOME:
	case K_POLICY:
	case K_MOVE:
	case K_RESULT:
		return word_member(r, m, j, at);
	case K_OBJECT:
		return shape_parse(r, m->shape, j, at);
	case K_WORDS:
		return words_member(r, j, at);
	case K_MANIFEST:
		return manifest_member(r, j, at);
	case K_TIMES:
	case K_MUTES:
	case K_IDS:
	case K_GATES:
		return array_member(r, m, j, base);
	}
	never("a kind of member");
}

static bool shape_parse(struct reading *r, const struct shape *shape, const json_t *j, void *base)
{
	size_t length = strlen(r->path);
	size_t known_members = shape->n;
	const char *key;
	json_t *value;

	if (!json_is_object(j))
		return refuse(r, "want an object");
	for (size_t i = 0; i < shape->n; i++) {
		const struct member *m = &shape->list[i];

		text_format(r->path + length, sizeof(r->path) - length, "%s%s", length ? "." : "", m->name);
		value = json_object_get(j, m->name);
		if (!value && !m->later)
			return refuse(r, "is missing");
		if (!value)
			known_members--;
		else if (!member_parse(r, m, value, base))
			return false;
		r->path[length] = '\0';
	}
	if (json_object_size(j) == known_members)
		return true;
	/* One of them is not ours: say which. */
	json_object_foreach((json_t *)j, key, value) {
		bool known = false;
		char shown[48];

		for (size_t i = 0; i < shape->n; i++)
			known = known || strcmp(shape->list[i].name, key) == 0;
		if (!known) {
			text_printable(shown, sizeof(shown), key, strlen(key));
			return refuse(r, "unknown member \"%s\"", shown);
		}
	}
	return refuse(r, "has a member too many");
}

/* ---- faces ---- */

json_t *record_json(const struct record *r)
{
	const char *why;

	return record_whole(r, &why) ? shape_json(&record_shape, r) : NULL;
}

bool record_parse(const json_t *j, struct record *out, char *why, size_t why_size)
{
	struct reading r = { .why = why, .size = why_size };
	struct record *record = xcalloc(1, sizeof(*record));
	const char *unsound;

	bool ok = shape_parse(&r, &record_shape, j, record);
	if (ok && !record_whole(record, &unsound)) {
		r.path[0] = '\0';
		ok = refuse(&r, "%s", unsound);
	}
	if (ok)
		*out = *record;
	free(record);
	return ok;
}

bool record_parse_text(const char *text, size_t len, struct record *out, char *why, size_t why_size)
{
	json_error_t error;

	if (len > RECORD_MAX_TEXT) {
		if (why_size)
			text_format(why, why_size, "%zu bytes are too many for a record", len);
		return false;
	}
	/* jansson 2.14 passes over a NUL that follows a number. */
	if (memchr(text, '\0', len)) {
		if (why_size)
			text_format(why, why_size, "not JSON: a NUL byte");
		return false;
	}
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!j) {
		char said[sizeof(error.text)];

		text_printable(said, sizeof(said), error.text, strlen(error.text));
		if (why_size)
			text_format(why, why_size, "not JSON: line %d col %d: %s", error.line, error.column, said);
		return false;
	}
	bool ok = record_parse(j, out, why, why_size);
	json_decref(j);
	return ok;
}

json_t *condemned_json(const struct condemned *c) { return shape_json(&condemned_shape, c); }

bool condemned_parse(const json_t *j, struct condemned *out)
{
	struct reading r = { 0 };
	struct condemned c = { 0 };

	/* By id or by digest: one of them must be there, or it would condemn nothing. */
	if (!shape_parse(&r, &condemned_shape, j, &c) || (!c.release[0] && !c.digest[0]))
		return false;
	*out = c;
	return true;
}

/* Total, unlike a record's: an event may have to tell of an absurd version that some proxy showed. */
static json_t *any_count_json(uint64_t n) { return json_integer(n <= INT64_MAX ? (json_int_t)n : INT64_MAX); }

json_t *version_json(struct version v) { return json_pack("{s:o,s:o}", "gen", any_count_json(v.gen), "epoch", any_count_json(v.epoch)); }

static json_t *side_json(enum slot slot, struct version v) { return json_pack("{s:s,s:o}", "slot", slot_name(slot), "version", version_json(v)); }

const json_t *event_features(const json_t *event)
{
	const json_t *evidence = json_object_get(event, "evidence");

	return json_is_object(evidence) ? json_object_get(evidence, "features") : evidence;
}

json_t *event_json(const struct event *e)
{
	json_t *evidence = e->evidence[0] ? json_loads(e->evidence, JSON_REJECT_DUPLICATES, NULL) : NULL;

	return json_pack("{s:o,s:o,s:o,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
			 "id", line_json(e->stream_id), "kind", line_json(e->kind), "service", line_json(e->service), "at", (json_int_t)e->at.ms,
			 "by", line_json(e->by), "from", side_json(e->from, e->from_v), "to", side_json(e->to, e->to_v),
			 "release", line_json(e->release), "deploy", any_count_json(e->deploy), "because", line_json(e->because ? e->because : ""),
			 "detail", line_json(e->detail), "evidence", evidence ? evidence : json_null());
}
