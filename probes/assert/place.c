/* SPDX-License-Identifier: MIT
 * place.c - find the place in a body that an assertion was about. */
#include "probes/assert/place.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/assert/jsonpath.h"
#include "switchd/base/must.h"

struct place place_at(const char *body, size_t len, size_t off)
{
	struct place p = { 1, 1 };

	for (size_t i = 0; i < off && i < len; i++) {
		if (body[i] == '\n') {
			p.line++;
			p.col = 1;
		} else if (((unsigned char)body[i] & 0xc0) != 0x80) {
			p.col++;
		}
	}
	return p;
}

/* ---- JSON: the document was read already, so that only its shape counts ---- */

struct text { const char *s; size_t n, at; };

static int peek(const struct text *t) { return t->at < t->n ? (unsigned char)t->s[t->at] : -1; }

static void skip_space(struct text *t)
{
	while (peek(t) == ' ' || peek(t) == '\t' || peek(t) == '\n' || peek(t) == '\r')
		t->at++;
}

static void skip_string(struct text *t)
{
	for (t->at++; peek(t) >= 0 && peek(t) != '"'; t->at++)
		t->at += peek(t) == '\\';
	t->at++;
}

static void skip_value(struct text *t)
{
	size_t depth = 0;

	do {
		skip_space(t);
		int c = peek(t);

		if (c == '"') {
			skip_string(t);
		} else if (c == '{' || c == '[') {
			depth++;
			t->at++;
		} else if (c == '}' || c == ']') {
			depth--;
			t->at++;
		} else if (c == ',' || c == ':') {
			t->at++;
		} else {
			size_t from = t->at;

			while (peek(t) >= 0 && !strchr(",:]}[{\" \t\r\n", peek(t)))
				t->at++;
			t->at += t->at == from; /* never stands still */
		}
	} while (depth > 0 && depth < t->n && peek(t) >= 0);
}

static bool same_key(const char *s, size_t n, const struct jsonpath_step *step)
{
	if (!memchr(s, '\\', n))
		return n == step->name_len + 2 && memcmp(s + 1, step->name, step->name_len) == 0;
	json_t *j = json_loadb(s, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	bool same = j && json_string_length(j) == step->name_len && memcmp(json_string_value(j), step->name, step->name_len) == 0;

	json_decref(j);
	return same;
}

/* Of a name that comes twice the last counts, as for jansson. */
static bool into_object(struct text *t, const struct jsonpath_step *step)
{
	size_t found = SIZE_MAX;

	for (t->at++; skip_space(t), peek(t) == '"';) {
		size_t from = t->at;

		skip_string(t);
		if (t->at > t->n)
			break;
		bool same = same_key(t->s + from, t->at - from, step);

		skip_space(t);
		t->at += peek(t) == ':';
		skip_space(t);
		if (same)
			found = t->at;
		skip_value(t);
		skip_space(t);
		t->at += peek(t) == ',';
	}
	t->at = found;
	return found != SIZE_MAX;
}

static bool into_array(struct text *t, int64_t index)
{
	size_t from = ++t->at;
	int64_t n = 0;

	for (int round = index < 0 ? 0 : 1; round < 2; round++) {
		t->at = from;
		for (n = 0; skip_space(t), peek(t) >= 0 && peek(t) != ']' && (round == 0 || n < index); n++) {
			skip_value(t);
			skip_space(t);
			t->at += peek(t) == ',';
		}
		if (round == 0) {
			index += n;     /* from the end */
			if (index < 0)
				return false;
		}
	}
	return n == index && peek(t) >= 0 && peek(t) != ']';
}

size_t place_json(const char *body, size_t len, const struct jsonpath *path, size_t *off)
{
	struct text t = { body, len, len >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0 ? 3 : 0 };
	size_t n = jsonpath_plain_steps(path), i = 0;

	for (skip_space(&t); *off = t.at < len ? t.at : len, i < n; i++) {
		struct jsonpath_step step = jsonpath_step(path, i);
		bool in = peek(&t) == '{' && step.name ? into_object(&t, &step) : peek(&t) == '[' && !step.name && into_array(&t, step.index);

		if (!in)
			break;
	}
	return i;
}

/* ---- texts ---- */

static unsigned char lower(char c) { return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : (unsigned char)c; }

/* Knuth, Morris and Pratt: back[i] is the longest proper beginning of part[..i] that also ends it. */
size_t place_nearest(const char *body, size_t len, const char *part, size_t part_len, size_t *off)
{
	size_t *back = xcalloc(part_len + 1, sizeof(*back)), best = 0, k = 0;

	*off = 0;
	for (size_t i = 1; i < part_len; i++) {
		while (k && lower(part[i]) != lower(part[k]))
			k = back[k - 1];
		k += lower(part[i]) == lower(part[k]);
		back[i] = k;
	}
	k = 0;
	for (size_t i = 0; i < len && best < part_len; i++) {
		while (k && (k == part_len || lower(body[i]) != lower(part[k])))
			k = back[k - 1];
		k += part_len && lower(body[i]) == lower(part[k]);
		if (k > best) {
			best = k;
			*off = i + 1 - k;
		}
	}
	free(back);
	return best;
}
