/* SPDX-License-Identifier: MIT
 * manifest.c - one table of fields: parsed, set, printed by the same rows. */
#include "switchd/core/decide/manifest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/config/yaml_tree.h"

enum kind {
	F_TAG,          /* one word of at most TAG_LEN bytes: it is compared */
	F_LINE,         /* one line of text */
	F_ID, F_TIME, F_POLICY,
	F_WORDS,        /* a list of features or routes */
	F_GROUP,        /* a mapping of fields */
};

struct field { const char *name; enum kind kind; size_t at; };
#define AT(member) offsetof(struct manifest, member)

static const struct field fields[] = {
	{ "adds", F_WORDS, AT(adds) },
	{ "builder", F_GROUP, 0 },
	{ "builder.name", F_LINE, AT(builder) },
	{ "builder.version", F_LINE, AT(builder_version) },
	{ "commit", F_TAG, AT(commit) },
	{ "digest", F_TAG, AT(digest) },
	{ "labels", F_GROUP, 0 },
	{ "lockfile", F_TAG, AT(lockfile) },
	{ "release", F_ID, AT(release) },
	{ "removes", F_WORDS, AT(removes) },
	{ "rollback", F_POLICY, 0 },
	{ "tests", F_GROUP, 0 },
	{ "tests.at", F_TIME, AT(tests.at) },
	{ "tests.builder", F_LINE, AT(tests.builder) },
	{ "tests.builder_version", F_LINE, AT(tests.builder_version) },
	{ "tests.digest", F_TAG, AT(tests.digest) },
	{ "tests.lockfile", F_TAG, AT(tests.lockfile) },
	{ "tests.result", F_LINE, AT(tests.result) },
	{ "tests.run", F_LINE, AT(tests.run) },
};

const char *manifest_field(size_t i) { return i < ARRAY_LEN(fields) ? fields[i].name : NULL; }

static const struct field *field_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

bool manifest_of_bits(const struct manifest *m)
{
	static const struct manifest_tests none;

	return m->digest[0] || m->commit[0] || m->builder[0] || m->builder_version[0] || m->lockfile[0] ||
	       memcmp(&m->tests, &none, sizeof(none)) != 0;
}

/* ---- times ---- */

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* n digits at *p, within bounds; moves on. */
static bool digits(const char **p, int n, int min, int max, int *out)
{
	*out = 0;
	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*out = *out * 10 + (**p - '0');
	}
	return *out >= min && *out <= max;
}

static bool skip(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool zone(const char **p, int *minutes)
{
	int h, m, sign = **p == '-' ? -1 : 1;

	*minutes = 0;
	if (skip(p, 'Z') || skip(p, 'z'))
		return true;
	if (!skip(p, '+') && !skip(p, '-'))
		return false;
	if (!digits(p, 2, 0, 23, &h))
		return false;
	(void)skip(p, ':');
	if (!digits(p, 2, 0, 59, &m))
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

bool time_parse(const char *text, wall_ms *out)
{
	static const int month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const char *p = text;
	int y, mo, d, h, mi, s, ms = 0, off;
	uint64_t seconds;

	if (text_u64(text, &seconds)) {
		out->ms = (int64_t)(seconds < UINT64_C(253402300800) ? seconds * 1000 : 0);
		return out->ms > 0;
	}
	if (!digits(&p, 4, 1970, 9998, &y) || !skip(&p, '-') || !digits(&p, 2, 1, 12, &mo) || !skip(&p, '-') ||
	    !digits(&p, 2, 1, month_days[mo - 1], &d) || (!skip(&p, 'T') && !skip(&p, 't') && !skip(&p, ' ')) || !digits(&p, 2, 0, 23, &h) ||
	    !skip(&p, ':') || !digits(&p, 2, 0, 59, &mi) || !skip(&p, ':') || !digits(&p, 2, 0, 60, &s))
		return false;
	if (skip(&p, '.')) {
		int n = 0;

		for (; *p >= '0' && *p <= '9'; p++, n++)
			ms = n < 3 ? ms * 10 + (*p - '0') : ms;
		for (int k = n; k < 3; k++)
			ms *= 10;
		if (!n || n > 9)
			return false;
	}
	if (!zone(&p, &off) || *p)
		return false;
	out->ms = ((days_of(y, mo, d) * 24 + h) * 60 + mi - off) * INT64_C(60000) + s * INT64_C(1000) + ms;
	return out->ms > 0;
}

/* ---- one value ---- */

struct why { char *text; size_t size; };
#define SAY(w, ...) (text_format((w)->text, (w)->size, __VA_ARGS__), false)

static bool one_line(const char *value, size_t max, const struct why *w)
{
	char copy[LABEL_LEN + 2];

	if (strlen(value) > max)
		return SAY(w, "longer than %zu bytes", max);
	text_printable(copy, sizeof(copy), value, strlen(value));
	return strcmp(copy, value) == 0 ? true : SAY(w, "want one line of text");
}

static bool word_in(struct declared *d, const char *word, const struct why *w)
{
	char shown[64];

	if (!declared_word_ok(word)) {
		text_printable(shown, sizeof(shown), word, strlen(word));
		return SAY(w, "\"%s\" is neither a feature's name nor a route such as /quotes", shown);
	}
	return declared_add(d, word) ? true : SAY(w, "more than %d bytes of them", DECLARED_LEN);
}

static bool policy_in(struct manifest *m, const char *value, const struct why *w)
{
	for (enum rollback_policy p = RB_AUTO; p <= RB_NEVER; p++)
		if (strcmp(rollback_policy_name(p), value) == 0) {
			m->rollback = p;
			m->has_rollback = true;
			return true;
		}
	return SAY(w, "want auto, ask or never");
}

static bool value_in(struct manifest *m, const struct field *f, const char *value, const struct why *w)
{
	char *at = (char *)m + f->at;

	switch (f->kind) {
	case F_TAG:
		for (const char *p = value; *p; p++)
			if (*p <= 0x20 || *p >= 0x7f)
				return SAY(w, "want one word of visible ASCII");
		return strlen(value) <= TAG_LEN ? text_copy(at, sizeof(tag_text), value) : SAY(w, "longer than %d bytes", TAG_LEN);
	case F_LINE:
		return one_line(value, TAG_LEN, w) && text_copy(at, sizeof(tag_text), value);
	case F_ID:
		return id_ok(value) ? text_copy(at, sizeof(id_text), value) : SAY(w, "want up to 64 of A-Z a-z 0-9 . _ : @ / + -");
	case F_TIME:
		return time_parse(value, (wall_ms *)(void *)at) ? true : SAY(w, "want a time such as 2026-11-22T03:12:07Z, got \"%.40s\"", value);
	case F_POLICY:
		return policy_in(m, value, w);
	default:
		never("not one value");
	}
}

static bool label_in(struct manifest *m, const char *name, const char *value, const struct why *w)
{
	size_t i = 0;

	if (!name_ok(name))
		return SAY(w, "\"%.64s\" is no name for a label: letters, digits, _ . - (at most %d)", name, NAME_MAX_LEN);
	if (!one_line(value, LABEL_LEN, w))
		return false;
	while (i < m->n_labels && strcmp(m->labels[i].name, name) != 0)
		i++;
	if (i == MANIFEST_MAX_LABELS)
		return SAY(w, "more than %d labels", MANIFEST_MAX_LABELS);
	m->n_labels += i == m->n_labels;
	return TEXT_COPY(m->labels[i].name, name) && TEXT_COPY(m->labels[i].value, value);
}

/* ---- reading ---- */

struct reading { struct diag *d; struct manifest *m; struct buf *warnings; const char *file; };

static bool scalar(struct reading *r, const char *path, const struct yaml_node *v)
{
	if (v->kind == YAML_TEXT && !v->bad)
		return true;
	diag_error(r->d, v->mark, "%s: want one value, got %s", path, yaml_kind_name(v));
	return false;
}

static void read_words(struct reading *r, const struct field *f, const struct yaml_node *v)
{
	char text[200];
	const struct why w = { text, sizeof(text) };

	if (v->kind != YAML_LIST) {
		diag_error(r->d, v->mark, "%s: want a list such as [quotes, /old/page], got %s", f->name, yaml_kind_name(v));
		return;
	}
	for (size_t i = 0; i < v->n; i++) {
		const struct yaml_node *item = v->items[i];

		if (scalar(r, f->name, item) && !word_in((struct declared *)(void *)((char *)r->m + f->at), item->text, &w))
			diag_error(r->d, item->mark, "%s: %s", f->name, text);
	}
}

/* A name that is nearly a known one would change what is decided: that is no label. */
static const char *near_miss(const char *path)
{
	const char *names[ARRAY_LEN(fields)];

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		names[i] = fields[i].name;
	return text_nearest(path, names, ARRAY_LEN(fields));
}

static void read_unknown(struct reading *r, const char *path, const struct yaml_pair *pair)
{
	const char *near = near_miss(path);
	char text[200];
	const struct why w = { text, sizeof(text) };

	if (near) {
		diag_error(r->d, pair->key->mark, "%s: no such field (did you mean %s? other names belong under labels:)", path, near);
		return;
	}
	if (pair->value->kind != YAML_TEXT || !label_in(r->m, path, pair->value->text, &w))
		diag_warn(r->d, pair->key->mark, "%s: no such field, and it cannot be kept as a label: left out", path);
	else
		diag_warn(r->d, pair->key->mark, "%s: no such field: kept as a label", path);
}

static void read_map(struct reading *r, const char *prefix, const struct yaml_node *map);

static void read_pair(struct reading *r, const char *prefix, const struct yaml_pair *pair)
{
	const struct yaml_node *v = pair->value;
	char path[2 * NAME_MAX_LEN], text[200];
	const struct why w = { text, sizeof(text) };
	bool labels = strcmp(prefix, "labels.") == 0;

	if (!TEXT_FORMAT(path, "%s%s", prefix, pair->key->text)) {
		diag_error(r->d, pair->key->mark, "a name of more than %zu bytes", sizeof(path) - 1);
		return;
	}
	const struct field *f = labels ? NULL : field_find(path);
	/* A name with a dot in it is no way into a group. */
	if (f && strchr(pair->key->text, '.'))
		f = NULL;
	if (yaml_is_null(v) || v->bad)
		return;
	if (labels) {
		if (scalar(r, path, v) && !label_in(r->m, pair->key->text, v->text, &w))
			diag_error(r->d, v->mark, "%s: %s", path, text);
	} else if (!f) {
		read_unknown(r, path, pair);
	} else if (f->kind == F_GROUP) {
		if (v->kind != YAML_MAP)
			diag_error(r->d, v->mark, "%s: want a mapping, got %s", path, yaml_kind_name(v));
		else if (TEXT_FORMAT(path, "%s.", f->name))
			read_map(r, path, v);
	} else if (f->kind == F_WORDS) {
		read_words(r, f, v);
	} else if (scalar(r, path, v) && v->text[0] && !value_in(r->m, f, v->text, &w)) {
		diag_error(r->d, v->mark, "%s: %s", path, text);
	}
}

static void read_map(struct reading *r, const char *prefix, const struct yaml_node *map)
{
	for (size_t i = 0; i < map->n; i++)
		read_pair(r, prefix, &map->pairs[i]);
}

static const struct yaml_node *tree(struct arena *a, struct diag *d, const char *text, size_t len)
{
	size_t blank = 0;
	struct yaml_node *root;
	json_t *j;

	/* JSON is read as JSON: its escapes go beyond what YAML takes. Its errors are told by YAML, with their place. */
	while (blank < len && strchr(" \t\r\n", text[blank]) && text[blank])
		blank++;
	if (blank == len || text[blank] != '{' || memchr(text, '\0', len))
		return yaml_tree_read(a, a, d, text, len);
	j = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	char *again = j ? json_dumps(j, JSON_INDENT(1) | JSON_PRESERVE_ORDER) : NULL;

	json_decref(j);
	root = yaml_tree_read(a, a, d, text, len);
	if (!root && again) {
		diag_free(d);
		diag_init(d, "", arena_str(a, again), strlen(again));
		root = yaml_tree_read(a, a, d, d->text, d->len);
	}
	free(again);
	return root;
}

static void first_note(struct diag *d, const char *name, char *why, size_t size, struct buf *warnings)
{
	bool said = false;

	for (size_t i = 0; i < d->n; i++) {
		const struct diag_note *n = &d->notes[i];

		if (n->warning && warnings)
			buf_addf(warnings, "%s:%d:%d: %s\n", name, n->mark.line, n->mark.col, n->text);
		else if (!n->warning && !said)
			said = n->mark.line ? text_format(why, size, "%s:%d:%d: %s", name, n->mark.line, n->mark.col, n->text)
					    : text_format(why, size, "%s: %s", name, n->text);
	}
}

bool manifest_parse(const char *name, const char *text, size_t len, struct manifest *out, char *why, size_t why_size, struct buf *warnings)
{
	struct manifest *m;
	struct arena *a;
	struct diag d;
	bool ok;

	if (len > MANIFEST_MAX_TEXT) {
		text_format(why, why_size, "%s: longer than %d bytes", name, MANIFEST_MAX_TEXT);
		return false;
	}
	m = xcalloc(1, sizeof(*m));
	a = arena_new();
	diag_init(&d, name, text, len);
	const struct yaml_node *root = tree(a, &d, text, len);
	struct reading r = { &d, m, warnings, name };

	if (root && root->kind != YAML_MAP)
		diag_error(&d, root->mark, "want a mapping of fields, got %s", yaml_kind_name(root));
	else if (root)
		read_map(&r, "", root);
	text_copy(why, why_size, "");
	first_note(&d, name, why, why_size, warnings);
	ok = root && !d.errors;
	if (!ok && !why[0])
		text_format(why, why_size, "%s: nothing is in it", name);
	if (ok)
		*out = *m;
	diag_free(&d);
	arena_free(&a);
	free(m);
	return ok;
}

/* ---- setting one field ---- */

static bool words_set(struct declared *d, const char *value, const struct why *w)
{
	struct declared now = { "" };
	char word[DECLARED_WORD + 1];

	while (*value) {
		size_t n = strcspn(value, ",");

		if (!text_copy_n(word, sizeof(word), value, n))
			return SAY(w, "a name longer than %d bytes", DECLARED_WORD);
		if (n && !word_in(&now, word, w))
			return false;
		value += n + (value[n] == ',');
	}
	*d = now;
	return true;
}

static void label_out(struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->n_labels; i++)
		if (strcmp(m->labels[i].name, name) == 0) {
			memmove(&m->labels[i], &m->labels[i + 1], (m->n_labels - i - 1) * sizeof(m->labels[0]));
			m->n_labels--;
			return;
		}
}

bool manifest_set(struct manifest *m, const char *field, const char *value, char *why, size_t why_size)
{
	const struct field *f = field_find(field);
	const struct why w = { why, why_size };
	char said[240];
	const struct why inner = { said, sizeof(said) };
	bool ok;

	if (text_starts(field, "labels.")) {
		ok = value[0] ? label_in(m, field + 7, value, &inner) : (label_out(m, field + 7), true);
	} else if (!f || f->kind == F_GROUP) {
		const char *near = f ? NULL : near_miss(field);

		return f ? SAY(&w, "%s has fields of its own: %s.NAME=VALUE", field, field) :
			   SAY(&w, "no field \"%.64s\"%s%s%s; a free one is labels.%.48s", field, near ? " (did you mean " : "", near ? near : "",
			       near ? "?)" : "", field);
	} else if (f->kind == F_WORDS) {
		ok = words_set((struct declared *)(void *)((char *)m + f->at), value, &inner);
	} else if (f->kind == F_POLICY && !value[0]) {
		m->has_rollback = false;
		ok = true;
	} else if (f->kind == F_TIME && !value[0]) {
		*(wall_ms *)(void *)((char *)m + f->at) = (wall_ms){ 0 };
		ok = true;
	} else if (!value[0]) {
		memset((char *)m + f->at, 0, f->kind == F_ID ? sizeof(id_text) : sizeof(tag_text));
		ok = true;
	} else {
		ok = value_in(m, f, value, &inner);
	}
	return ok ? true : SAY(&w, "%s: %s", field, said);
}

/* ---- writing ---- */

static json_t *words_json(const struct declared *d)
{
	json_t *list = json_array();
	char word[DECLARED_WORD + 1];

	for (size_t at = 0; declared_next(d, &at, word);)
		json_array_append_new(list, json_string(word));
	return list;
}

static json_t *field_json(const struct manifest *m, const struct field *f)
{
	const char *at = (const char *)m + f->at;
	char t[WALL_TEXT];

	switch (f->kind) {
	case F_TAG: case F_LINE: case F_ID: return at[0] ? json_string(at) : NULL;
	case F_TIME: return ((const wall_ms *)(const void *)at)->ms ? json_string(wall_text(*(const wall_ms *)(const void *)at, t)) : NULL;
	case F_POLICY: return m->has_rollback ? json_string(rollback_policy_name(m->rollback)) : NULL;
	case F_WORDS: return ((const struct declared *)at)->text[0] ? words_json((const struct declared *)at) : NULL;
	case F_GROUP: break;
	}
	return NULL;
}

json_t *manifest_json(const struct manifest *m)
{
	json_t *o = json_object(), *group, *v;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const char *dot = strchr(fields[i].name, '.');
		name_text name;

		v = field_json(m, &fields[i]);
		if (!v)
			continue;
		if (!dot) {
			json_object_set_new(o, fields[i].name, v);
			continue;
		}
		must(text_copy_n(name, sizeof(name), fields[i].name, (size_t)(dot - fields[i].name)));
		group = json_object_get(o, name);
		if (!group) {
			group = json_object();
			json_object_set_new(o, name, group);
		}
		json_object_set_new(group, dot + 1, v);
	}
	if (m->n_labels) {
		group = json_object();
		for (size_t i = 0; i < m->n_labels; i++)
			json_object_set_new(group, m->labels[i].name, json_string(m->labels[i].value));
		json_object_set_new(o, "labels", group);
	}
	return o;
}
