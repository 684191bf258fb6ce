/* SPDX-License-Identifier: MIT
 * shape.c - learn, compare and demand the shape of an answer. */
#include "probes/assert/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "switchd/base/text.h"

enum { KEY_BYTES = 8 * 1024,     /* of all keys: so that a baseline always fits SHAPE_MAX_JSON, escaped */
       TYPE_MAX = 128, TITLE_MAX = 256, KEY_MAX = 256, LOCATION_MAX = 1024, TITLE_WITHIN = 64 * 1024 };

enum kind { KIND_OTHER, KIND_OBJECT, KIND_ARRAY, KIND_HTML, KIND_REDIRECT, N_KINDS };
static const char *const kinds[N_KINDS] = { "other", "object", "array", "html", "redirect" };

struct shape {
	int status_class;               /* 2 or 3 */
	enum kind kind;
	char type[TYPE_MAX];            /* lower case, without parameters; "" = none */
	char title[TITLE_MAX];          /* html: "" = none, or noise */
	char location[LOCATION_MAX];    /* redirect: path only; "" = noise */
	char *keys[SHAPE_MAX_KEYS]; size_t n_keys, key_bytes;
};

static void media_type(const char *content_type, char out[TYPE_MAX])
{
	const char *s = content_type ? content_type : "";
	size_t n = strcspn(s, ";,");

	while (n && (*s == ' ' || *s == '\t')) {
		s++;
		n--;
	}
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	text_printable(out, TYPE_MAX, s, n);
	for (char *c = out; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static bool is_json_type(const char *type) { return ends_with(type, "/json") || ends_with(type, "+json"); }
static bool is_html_type(const char *type) { return strcmp(type, "text/html") == 0 || strcmp(type, "application/xhtml+xml") == 0; }

/* The path of an absolute or relative location: host and query may differ between slots. */
static void location_path(const char *location, char out[LOCATION_MAX])
{
	const char *s = location ? location : "";
	const char *authority = strstr(s, "//");
	size_t scheme = strcspn(s, ":/?#");

	if (authority && (authority == s || (s[scheme] == ':' && s + scheme + 1 == authority)))
		s = authority + 2 + strcspn(authority + 2, "/?#");
	text_printable(out, LOCATION_MAX, s, strcspn(s, "?#"));
	if (!out[0] && location && *location)
		text_copy(out, LOCATION_MAX, "/");
}

/* ---- HTML title ---- */

static bool tag_at(const char *s, size_t left, const char *tag)
{
	size_t n = strlen(tag);

	return left > n && strncasecmp(s, tag, n) == 0 && s[n] && strchr(">/ \t\n\r\f", s[n]);
}

/* Offset of the first `<` at or after `at` that begins this tag; n when there is none. */
static size_t find_tag(const char *s, size_t n, size_t at, const char *tag)
{
	for (; at < n; at++) {
		const char *open = memchr(s + at, '<', n - at);

		if (!open)
			return n;
		at = (size_t)(open - s);
		if (tag_at(open, n - at, tag))
			return at;
	}
	return n;
}

/* Comments and the text of scripts and styles may say <title> without meaning it. */
static size_t skip_opaque(const char *s, size_t n, size_t at)
{
	if (n - at >= 4 && memcmp(s + at, "<!--", 4) == 0) {
		const char *end = memmem(s + at + 4, n - at - 4, "-->", 3);

		return end ? (size_t)(end - s) + 3 : n;
	}
	if (tag_at(s + at, n - at, "<script"))
		return find_tag(s, n, at + 1, "</script");
	if (tag_at(s + at, n - at, "<style"))
		return find_tag(s, n, at + 1, "</style");
	return at;
}

static void collapse(const char *s, size_t n, char out[TITLE_MAX])
{
	char text[TITLE_MAX];
	size_t len = 0;

	for (size_t i = 0; i < n && len + 1 < sizeof(text); i++) {
		bool space = s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r' || s[i] == '\f';

		if (!space)
			text[len++] = s[i];
		else if (len && text[len - 1] != ' ')
			text[len++] = ' ';
	}
	while (len && text[len - 1] == ' ')
		len--;
	text_printable(out, TITLE_MAX, text, len);
}

static void html_title(const char *s, size_t n, char out[TITLE_MAX])
{
	out[0] = '\0';
	if (n > TITLE_WITHIN)
		n = TITLE_WITHIN;
	for (size_t at = 0; at < n; at++) {
		const char *open = memchr(s + at, '<', n - at);

		if (!open)
			return;
		at = (size_t)(open - s);
		if (tag_at(open, n - at, "<title")) {
			const char *text = memchr(open, '>', n - at);

			if (text) {
				size_t from = (size_t)(text + 1 - s);

				collapse(s + from, find_tag(s, n, from, "</title") - from, out);
			}
			return;
		}
		size_t after = skip_opaque(s, n, at);

		at = after > at ? after - 1 : at;
	}
}

/* ---- learn ---- */

static void add_key(struct shape *s, const char *key)
{
	size_t n = strlen(key);

	if (s->n_keys == SHAPE_MAX_KEYS || n >= KEY_MAX || s->key_bytes + n > KEY_BYTES)
		return;
	s->keys[s->n_keys++] = xstrdup(key);
	s->key_bytes += n;
}

static void learn_body(struct shape *s, const char *body, size_t len)
{
	if (is_html_type(s->type)) {
		s->kind = KIND_HTML;
		html_title(body, len, s->title);
	} else if (is_json_type(s->type)) {
		struct answer a = { .body = body, .body_len = len };
		json_t *j = answer_parsed(&a);

		s->kind = json_is_object(j) ? KIND_OBJECT : json_is_array(j) ? KIND_ARRAY : KIND_OTHER;
		for (void *it = s->kind == KIND_OBJECT ? json_object_iter(j) : NULL; it; it = json_object_iter_next(j, it))
			add_key(s, json_object_iter_key(it));
		answer_clear(&a);
	}
}

struct shape *shape_learn(long status, const char *content_type, const char *location, const char *body, size_t len)
{
	bool redirect = status / 100 == 3;

	if (status / 100 != 2 && !(redirect && location && *location))
		return NULL;
	struct shape *s = xcalloc(1, sizeof(*s));

	s->status_class = (int)(status / 100);
	media_type(content_type, s->type);
	if (redirect) {
		s->kind = KIND_REDIRECT;
		location_path(location, s->location);
	} else
		learn_body(s, body ? body : "", body ? len : 0);
	return s;
}

static bool has_key(const struct shape *s, const char *key)
{
	for (size_t i = 0; i < s->n_keys; i++)
		if (strcmp(s->keys[i], key) == 0)
			return true;
	return false;
}

struct shape *shape_common(const struct shape *a, const struct shape *b)
{
	if (!a || !b || a->status_class != b->status_class || strcmp(a->type, b->type) != 0)
		return NULL;
	struct shape *s = xcalloc(1, sizeof(*s));

	s->status_class = a->status_class;
	TEXT_COPY(s->type, a->type);
	s->kind = a->kind == b->kind ? a->kind : KIND_OTHER;
	if (strcmp(a->title, b->title) == 0)
		TEXT_COPY(s->title, a->title);
	if (strcmp(a->location, b->location) == 0)
		TEXT_COPY(s->location, a->location);
	for (size_t i = 0; s->kind == KIND_OBJECT && i < a->n_keys; i++)
		if (has_key(b, a->keys[i]))
			add_key(s, a->keys[i]);
	return s;
}

/* ---- check ---- */

static enum outcome differs(enum outcome o, char *want, char *got, const char *w, const char *what, const char *g)
{
	text_format(want, ASSERT_TEXT, "as the active slot: %.120s", w);
	text_format(got, ASSERT_TEXT, "%s%.120s", what, g);
	return o;
}

static enum outcome check_keys(const struct shape *s, const struct answer *ans, char *want, char *got)
{
	struct answer own = { .body = ans->body, .body_len = ans->body_len };
	const json_t *j = ans->json ? ans->json : answer_parsed(&own);
	enum outcome o = OUT_PRESENT;
	char key[ASSERT_TEXT];

	if (!j)
		o = differs(OUT_SHAPE, want, got, s->kind == KIND_OBJECT ? "a JSON object" : "a JSON list", "not JSON: ", own.json_error);
	else if (s->kind == KIND_ARRAY && !json_is_array(j))
		o = differs(OUT_SHAPE, want, got, "a JSON list", "", json_is_object(j) ? "a JSON object" : "a JSON scalar");
	else if (s->kind == KIND_OBJECT && !json_is_object(j))
		o = differs(OUT_SHAPE, want, got, "a JSON object", "", json_is_array(j) ? "a JSON list" : "a JSON scalar");
	for (size_t i = 0; o == OUT_PRESENT && s->kind == KIND_OBJECT && i < s->n_keys; i++)
		if (!json_object_get(j, s->keys[i])) {
			text_printable(key, sizeof(key), s->keys[i], strlen(s->keys[i]));
			text_format(want, ASSERT_TEXT, "as the active slot: JSON key \"%.100s\"", key);
			text_format(got, ASSERT_TEXT, "no key \"%.100s\"", key);
			o = OUT_SHAPE;
		}
	answer_clear(&own);
	return o;
}

static enum outcome check_title(const struct shape *s, const struct answer *ans, char *want, char *got)
{
	char title[TITLE_MAX];

	if (!s->title[0])
		return OUT_PRESENT;
	html_title(ans->body ? ans->body : "", ans->body ? ans->body_len : 0, title);
	if (strcmp(title, s->title) == 0)
		return OUT_PRESENT;
	text_format(want, ASSERT_TEXT, "as the active slot: title \"%.100s\"", s->title);
	text_format(got, ASSERT_TEXT, title[0] ? "title \"%.100s\"" : "no title%s", title);
	return OUT_SHAPE;
}

enum outcome shape_check(const struct shape *s, const struct answer *ans, const char *location, char want[ASSERT_TEXT], char got[ASSERT_TEXT])
{
	char type[TYPE_MAX], path[LOCATION_MAX];
	enum outcome o = OUT_PRESENT;

	want[0] = got[0] = '\0';
	location_path(location, path);
	if (ans->status / 100 != s->status_class) {
		text_format(want, ASSERT_TEXT, "as the active slot: status %dxx", s->status_class);
		if (ans->status / 100 != 3) {
			text_format(got, ASSERT_TEXT, "%ld", ans->status);
			return OUT_STATUS;
		}
		text_format(got, ASSERT_TEXT, "%ld to %.100s", ans->status, path[0] ? path : "nowhere");
		return OUT_REDIRECT;
	}
	if (s->kind == KIND_REDIRECT && s->location[0] && strcmp(path, s->location) != 0) {
		text_format(want, ASSERT_TEXT, "as the active slot: a redirect to %.100s", s->location);
		text_format(got, ASSERT_TEXT, "%ld to %.100s", ans->status, path[0] ? path : "nowhere");
		return OUT_REDIRECT;
	}
	media_type(ans->content_type, type);
	if (strcmp(type, s->type) != 0)
		return differs(OUT_SHAPE, want, got, s->type[0] ? s->type : "no content type", "", type[0] ? type : "no content type");
	if (s->kind == KIND_OBJECT || s->kind == KIND_ARRAY)
		o = check_keys(s, ans, want, got);
	else if (s->kind == KIND_HTML)
		o = check_title(s, ans, want, got);
	return o;
}

/* ---- as text ---- */

char *shape_json(const struct shape *s)
{
	json_t *j = json_pack("{s:i, s:s, s:s}", "class", s->status_class, "type", s->type, "kind", kinds[s->kind]);

	if (s->kind == KIND_HTML)
		json_object_set_new(j, "title", json_string(s->title));
	if (s->kind == KIND_REDIRECT)
		json_object_set_new(j, "location", json_string(s->location));
	if (s->kind == KIND_OBJECT) {
		json_t *keys = json_array();

		for (size_t i = 0; i < s->n_keys; i++)
			json_array_append_new(keys, json_string(s->keys[i]));
		json_object_set_new(j, "keys", keys);
	}
	char *text = json_dumps(j, JSON_COMPACT);

	json_decref(j);
	must(text != NULL);
	return text;
}

static bool take_text(char *out, size_t size, const char *s)
{
	char clean[LOCATION_MAX];

	if (!s || strlen(s) >= size)
		return false;
	text_printable(clean, sizeof(clean), s, strlen(s));
	return text_copy(out, size, clean);
}

static bool take_keys(struct shape *s, json_t *keys)
{
	if (!json_is_array(keys) || json_array_size(keys) > SHAPE_MAX_KEYS)
		return false;
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const char *key = json_string_value(json_array_get(keys, i));

		if (!key || strlen(key) >= KEY_MAX)
			return false;
		add_key(s, key);
	}
	return true;
}

static bool take_shape(struct shape *s, json_t *j)
{
	const char *type, *kind, *title = "", *location = "";
	json_t *keys = NULL;

	if (json_unpack(j, "{s:i, s:s, s:s, s?s, s?s, s?o !}", "class", &s->status_class, "type", &type, "kind", &kind,
			"title", &title, "location", &location, "keys", &keys) != 0)
		return false;
	for (s->kind = 0; s->kind < N_KINDS; s->kind++)
		if (strcmp(kinds[s->kind], kind) == 0)
			break;
	if (s->kind == N_KINDS || s->status_class != (s->kind == KIND_REDIRECT ? 3 : 2))
		return false;
	return take_text(s->type, sizeof(s->type), type) && take_text(s->title, sizeof(s->title), title) &&
	       take_text(s->location, sizeof(s->location), location) && (s->kind != KIND_OBJECT || take_keys(s, keys));
}

struct shape *shape_parse(const char *json)
{
	if (!json || strnlen(json, SHAPE_MAX_JSON + 1) > SHAPE_MAX_JSON)
		return NULL;
	json_t *j = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	struct shape *s = xcalloc(1, sizeof(*s));

	if (!j || !take_shape(s, j))
		shape_free(&s);
	json_decref(j);
	return s;
}

void shape_free(struct shape **sp)
{
	if (!*sp)
		return;
	for (size_t i = 0; i < (*sp)->n_keys; i++)
		free((*sp)->keys[i]);
	free(*sp);
	*sp = NULL;
}
