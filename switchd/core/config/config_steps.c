/* SPDX-License-Identifier: MIT
 * config_steps.c - the settings of a feature that is a run of requests. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/config/config_kind.h"
#include "switchd/core/config/config_steps.h"

static const char *const methods[] = { "get", "post", "put", "patch", "delete", "head" };
static const char *const methods_http[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD" };

enum { HIDDEN_MAX = 256, NAMES_MAX = SECRETS_MAX + CAPTURES_MAX };

/* The run as it is read: which names are known so far, and what must never be shown. */
struct reading {
	const struct block *feature;
	struct loading *ld;
	struct steps_config *out;
	const char *names[NAMES_MAX];
	bool used[NAMES_MAX];
	size_t n_names, n_captures;
	const char **hidden;
};

bool steps_unsafe(const struct step *s) { return strcmp(s->method, "GET") != 0 && strcmp(s->method, "HEAD") != 0; }

int steps_control(const struct steps_config *c)
{
	for (int i = (int)c->n - 1; i >= 0; i--)
		if (!c->list[i].always_run && !steps_unsafe(&c->list[i]))
			return i;
	return -1;
}

/* ---- {{name}} ---- */

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_.-", c));
}

const char *steps_var(const char *p, const char **name, size_t *len, const char **end)
{
	const char *at = strstr(p, "{{"), *s;
	size_t n = 0;

	if (!at)
		return NULL;
	for (s = at + 2; *s == ' '; s++)
		;
	while (name_char(s[n]))
		n++;
	*name = s;
	for (s += n; *s == ' '; s++)
		;
	bool whole = n && n <= NAME_MAX_LEN && s[0] == '}' && s[1] == '}';

	*len = whole ? n : 0;
	*end = whole ? s + 2 : at + 2;
	return at;
}

static int find_name(const struct reading *r, const char *name, size_t len)
{
	for (size_t i = 0; i < r->n_names; i++)
		if (strlen(r->names[i]) == len && memcmp(r->names[i], name, len) == 0)
			return (int)i;
	return -1;
}

/* Where the nth "{{" of the value stands in the file: escapes and lines of YAML make the value's own offsets useless. */
static struct mark place_of(const struct reading *r, const struct yaml_node *n, size_t nth)
{
	const struct diag *d = r->ld->d;
	size_t at = 0;
	unsigned code;

	for (int line = 1; line < n->mark.line && at < d->len; at++)
		line += d->text[at] == '\n';
	for (int col = 1; col < n->mark.col && at < d->len; col++) {
		size_t step = diag_utf8(d->text + at, d->len - at, &code);

		at += step ? step : 1;
	}
	for (; at + 1 < d->len; at++)
		if (d->text[at] == '{' && d->text[at + 1] == '{') {
			if (nth-- == 0) {
				struct mark m = diag_mark_at(d, at);
				const char *close = memmem(d->text + at, d->len - at, "}}", 2);

				m.width = close && close - (d->text + at) < 80 ? (int)(close - (d->text + at)) + 2 : 2;
				return m;
			}
			at++;
		}
	return n->mark;
}

static void unknown_name(const struct reading *r, const struct yaml_node *n, size_t nth, const char *name, size_t len)
{
	char word[NAME_MAX_LEN + 1];
	const char *near;

	must(text_copy_n(word, sizeof(word), name, len));
	near = text_nearest(word, r->names, r->n_names);
	if (near)
		diag_error(r->ld->d, place_of(r, n, nth), "{{%s}}: no secret and no earlier capture has this name (did you mean {{%s}}?)", word, near);
	else
		diag_error(r->ld->d, place_of(r, n, nth), "{{%s}}: no secret and no earlier capture has this name", word);
}

static void hide(struct reading *r, const char *text)
{
	struct steps_config *c = r->out;

	if (strlen(text) < SECRET_MIN)
		return;
	for (size_t i = 0; i < c->n_hidden; i++)
		if (strcmp(r->hidden[i], text) == 0)
			return;
	if (c->n_hidden < HIDDEN_MAX)
		r->hidden[c->n_hidden++] = arena_str(r->ld->arena, text);
	else
		diag_error(r->ld->d, r->feature->mark, "more than %d values out of the environment in one run", HIDDEN_MAX);
}

static size_t count_braces(const char *s)
{
	size_t n = 0;

	for (; (s = strstr(s, "{{")); s += 2)
		n++;
	return n;
}

/* What came out of the environment is hidden, and is not read for names: it could hold anything. */
static void take_environment(struct reading *r, const struct yaml_node *n)
{
	if (count_braces(n->text) != count_braces(n->raw))
		diag_error(r->ld->d, n->mark, "what stands for ${...} has {{ in it, which would be read as a name");
	for (const char *p = n->raw; *p; p++) {
		char name[128];
		const char *end, *value;

		if (p[0] == '$' && p[1] == '$') {
			p++;
			continue;
		}
		if (p[0] != '$' || p[1] != '{' || !(end = strchr(p, '}')) || !text_copy_n(name, sizeof(name), p + 2, (size_t)(end - p - 2)))
			continue;
		value = r->ld->env ? r->ld->env(name, r->ld->env_arg) : NULL;
		if (value && !text_starts(name, "file:")) /* files are hidden from all features by who read them */
			hide(r, value);
		p = end;
	}
}

/* A text in which names may stand. */
static const char *template_of(struct reading *r, const struct yaml_node *n)
{
	const char *name, *end;
	size_t len, nth = 0;

	if (n->raw)
		take_environment(r, n);
	for (const char *p = n->raw ? n->raw : n->text; (p = steps_var(p, &name, &len, &end)); p = end, nth++) {
		int i = len ? find_name(r, name, len) : -1;

		if (!len)
			diag_error(r->ld->d, place_of(r, n, nth), "want {{name}} with the name of a secret or of a capture");
		else if (i < 0)
			unknown_name(r, n, nth, name, len);
		else
			r->used[i] = true;
	}
	return n->text;
}

/* ---- bodies ---- */

static bool secret_key(const char *name)
{
	static const char *const words[] = { "password", "passwd", "passphrase", "secret", "token", "pin", "api_key", "api-key", "apikey", "otp" };
	size_t n = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t w = strlen(words[i]);

		/* "new_password", but not "shopping". */
		if (n >= w && strcasecmp(name + n - w, words[i]) == 0 && (n == w || w > 4 || !name_char(name[n - w - 1]) || name[n - w - 1] == '_'))
			return true;
	}
	return false;
}

/* A password that stands in the file as it is: shown to nobody all the same. */
static bool is_literal_secret(const char *key, const char *value) { return secret_key(key) && !strstr(value, "{{"); }

static const struct header *load_pairs(struct reading *r, const struct yaml_node *map, const char *what, size_t *n)
{
	struct header *list = arena_alloc(r->ld->arena, (map->n + 1) * sizeof(*list));

	for (size_t i = 0; i < map->n; i++) {
		const struct yaml_node *key = map->pairs[i].key, *value = map->pairs[i].value;

		if (value->bad)
			continue;
		if (value->kind != YAML_TEXT) {
			diag_error(r->ld->d, value->mark, "%s %s: want text, got %s", what, key->text, yaml_kind_name(value));
			continue;
		}
		list[*n] = (struct header){ key->text, template_of(r, value) };
		if (!value->raw && is_literal_secret(key->text, value->text))
			hide(r, value->text);
		(*n)++;
	}
	return list;
}

/* Plain 5, 1.5, true and null are what they are in JSON; everything else is text. */
static json_t *json_scalar(struct reading *r, const struct yaml_node *n, const char *key)
{
	const char *text = template_of(r, n);

	if (yaml_is_null(n))
		return json_null();
	if (n->plain && !n->raw) {
		json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);

		if (j && !json_is_string(j))
			return j;
		json_decref(j);
	}
	if (key && !n->raw && is_literal_secret(key, text))
		hide(r, text);
	return json_string(text);
}

static json_t *json_of(struct reading *r, const struct yaml_node *n, const char *key)
{
	if (n->kind == YAML_TEXT)
		return json_scalar(r, n, key);
	json_t *j = n->kind == YAML_MAP ? json_object() : json_array();

	for (size_t i = 0; i < n->n; i++)
		if (n->kind == YAML_MAP)
			json_object_set_new(j, n->pairs[i].key->text, json_of(r, n->pairs[i].value, n->pairs[i].key->text));
		else
			json_array_append_new(j, json_of(r, n->items[i], NULL));
	return j;
}

static const char *json_text(struct reading *r, const struct yaml_node *n)
{
	json_t *j = json_of(r, n, NULL);
	char *text = j ? json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	const char *kept = text ? arena_str(r->ld->arena, text) : "null";

	free(text);
	json_decref(j);
	return kept;
}

static void load_body(struct reading *r, const struct block *b, struct step *s)
{
	static const char *const forms[] = { "body", "form", "json" };
	const struct yaml_node *found = NULL;
	const char *first = NULL;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const struct yaml_node *n = block_own(b, forms[i]);

		if (!n)
			continue;
		if (found) {
			diag_error(r->ld->d, n->mark, "%s: %s has %s already: a request has one body", forms[i], b->what, first);
			continue;
		}
		found = n;
		first = forms[i];
	}
	if (!found)
		return;
	if (!steps_unsafe(s))
		diag_error(r->ld->d, found->mark, "%s: %s has none", first, s->method);
	if (first[0] == 'b')
		s->body = template_of(r, found);
	else if (first[0] == 'f')
		s->form = load_pairs(r, found, "form", &s->n_form);
	else
		s->json = json_text(r, s->json_tree = found), r->ld->keep_nodes = true;
}

/* ---- one step ---- */

static void load_method(struct reading *r, const struct block *b, struct step *s)
{
	const char *first = NULL;

	s->method = "GET";
	s->path = "/";
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		const struct yaml_node *there = b->map ? yaml_get(b->map, methods[i]) : NULL, *n;

		if (!there)
			continue;
		if (first) {
			diag_error(r->ld->d, there->mark, "%s: %s has %s already: a step is one request", methods[i], b->what, first);
			continue;
		}
		first = methods[i];
		s->method = methods_http[i];
		n = block_own(b, methods[i]);
		if (n)
			s->path = template_of(r, n);
	}
	if (!first)
		diag_error(r->ld->d, b->mark, "%s: want one of get, post, put, patch, delete or head with a path", b->what);
}

static void load_step_headers(struct reading *r, const struct block *b, const struct feature *f, struct step *s)
{
	const struct yaml_node *map = block_own(b, "headers");
	size_t n = 0;
	const struct header *own = map ? load_pairs(r, map, "header", &n) : NULL;
	struct header *all = arena_alloc(r->ld->arena, (n + f->n_headers + 1) * sizeof(*all));

	s->own_headers = own;
	s->n_own = n;
	for (size_t i = 0; i < n; i++) {
		all[s->n_headers++] = own[i];
		if (header_is_secret(own[i].name) && !strstr(own[i].value, "{{"))
			hide(r, own[i].value);
	}
	for (size_t i = 0; i < f->n_headers; i++) {
		size_t k = 0;

		while (k < n && strcasecmp(own[k].name, f->headers[i].name) != 0)
			k++;
		if (k == n)
			all[s->n_headers++] = f->headers[i];
	}
	s->headers = all;
}

static void load_captures(struct reading *r, const struct block *b, struct step *s)
{
	const struct yaml_node *map = block_own(b, "capture");
	struct step_capture *list = map ? arena_alloc(r->ld->arena, map->n * sizeof(*list)) : NULL;

	for (size_t i = 0; map && i < map->n; i++) {
		const struct yaml_node *key = map->pairs[i].key, *value = map->pairs[i].value;

		if (value->bad)
			continue;
		if (!name_ok(key->text))
			diag_error(r->ld->d, key->mark, "\"%s\" is no name: letters, digits, _ . - (at most %d)", key->text, NAME_MAX_LEN);
		else if (value->kind != YAML_TEXT || yaml_is_null(value))
			diag_error(r->ld->d, value->mark, "capture %s: want a query such as 'jsonpath \"$.token\"', got %s", key->text, yaml_kind_name(value));
		else if (r->n_captures++ == CAPTURES_MAX)
			diag_error(r->ld->d, key->mark, "capture: more than %d in one run", CAPTURES_MAX);
		else if (find_name(r, key->text, strlen(key->text)) >= 0 &&
			 find_name(r, key->text, strlen(key->text)) < (int)r->out->n_secrets)
			diag_error(r->ld->d, key->mark, "capture: a secret has the name \"%s\" already", key->text);
		else
			list[s->n_captures++] = (struct step_capture){ key->text, value->text, value->mark.line, value->mark.col, value->quote };
	}
	s->captures = list;
}

/* Known from the next step on. */
static void learn_names(struct reading *r, const struct step *s)
{
	for (size_t i = 0; i < s->n_captures; i++)
		if (find_name(r, s->captures[i].name, strlen(s->captures[i].name)) < 0 && r->n_names < NAMES_MAX)
			r->names[r->n_names++] = s->captures[i].name;
}

static void load_step(struct reading *r, struct yaml_node *node, size_t i, const struct feature *f, struct step *s)
{
	struct block b;
	struct lines expect;
	const struct yaml_node *list;

	s->body = "";
	block_open(&b, r->ld, node, AT_STEP, r->feature, node->mark, arena_format(r->ld->arena, "step %zu of %s", i + 1, r->feature->what));
	load_method(r, &b, s);
	load_step_headers(r, &b, f, s);
	load_body(r, &b, s);
	s->always_run = block_n(&b, "always_run") != 0;
	list = block_own(&b, "expect");
	for (size_t k = 0; list && k < list->n; k++)
		template_of(r, list->items[k]);
	expect = block_lines(&b, "expect");
	s->expect = expect.text;
	s->expect_line = expect.line;
	s->expect_col = expect.col;
	s->expect_quote = expect.quote;
	s->n_expect = expect.n;
	load_captures(r, &b, s);
	learn_names(r, s);
	if (steps_unsafe(s) && !f->writes && !f->reads && !block_bad(r->feature, "writes") && !block_bad(r->feature, "reads"))
		diag_error(r->ld->d, node->mark, "%s: %s may change something: the feature needs writes: true, or reads: true when the run leaves "
			   "nothing behind (log in and log out)", b.what, s->method);
}

static const char *read_secret(struct reading *r, const char *name, const struct yaml_node *n)
{
	int before = r->ld->d->errors;
	const char *value = file_text(r->ld, n->mark, arena_format(r->ld->arena, "secrets: %s", name), n->text, true);
	size_t len = strlen(value);

	if (r->ld->d->errors != before)
		return "";
	if (len < SECRET_MIN || len > VAR_MAX || strpbrk(value, "\r\n"))
		diag_error(r->ld->d, n->mark, "secrets: %s: want one line of %d to %d bytes in %s%s", name, SECRET_MIN, VAR_MAX, n->text,
			   len < SECRET_MIN ? " (a shorter one could not be kept out of what is shown)" : "");
	return value;
}

static void load_secrets(struct reading *r, const struct block *b)
{
	const struct yaml_node *map = block_own(b, "secrets");
	struct step_secret *list = map ? arena_alloc(r->ld->arena, map->n * sizeof(*list)) : NULL;

	for (size_t i = 0; map && i < map->n; i++) {
		const struct yaml_node *key = map->pairs[i].key, *value = map->pairs[i].value;

		if (value->bad)
			continue;
		if (!name_ok(key->text)) {
			diag_error(r->ld->d, key->mark, "\"%s\" is no name: letters, digits, _ . - (at most %d)", key->text, NAME_MAX_LEN);
			continue;
		}
		struct step_secret *s = &list[r->out->n_secrets++];

		r->names[r->n_names++] = key->text;
		*s = (struct step_secret){ key->text, "", "", value->mark.line, value->mark.col };
		if (value->kind != YAML_TEXT || value->text[0] != '/' || strlen(value->text) > 1023) {
			diag_error(r->ld->d, value->mark, "secrets: %s: want the absolute path of a file that holds it", key->text);
		} else {
			s->file = value->text;
			s->value = read_secret(r, key->text, value);
		}
	}
	r->out->secrets = list;
}

static void warn_unused(const struct reading *r)
{
	for (size_t i = 0; i < r->out->n_secrets; i++)
		if (!r->used[i]) {
			const struct step_secret *s = &r->out->secrets[i];

			diag_warn(r->ld->d, (struct mark){ s->line, s->col, 1 }, "secrets: no step uses {{%s}}", s->name);
		}
}

static void steps_load(const struct block *b, struct feature *f)
{
	struct yaml_node *all = block_own(b, "steps");
	struct loading *ld = b->ld;
	struct steps_config *c = arena_alloc(ld->arena, sizeof(*c));
	struct reading *r = arena_alloc(ld->arena, sizeof(*r));
	size_t room = all->n < STEPS_MAX ? all->n : STEPS_MAX;
	struct step *list = arena_alloc(ld->arena, room * sizeof(*list));
	bool judged = false;

	f->path = "";
	f->steps = c;
	*r = (struct reading){ .feature = b, .ld = ld, .out = c, .hidden = arena_alloc(ld->arena, HIDDEN_MAX * sizeof(char *)) };
	if (all->n > STEPS_MAX)
		diag_error(ld->d, all->mark, "steps: %zu of them: at most %d", all->n, STEPS_MAX);
	if (block_own(b, "expect"))
		diag_error(ld->d, block_mark(b, "expect"), "expect: of a run of steps stands in the step that it is about");
	load_secrets(r, b);
	c->list = list;
	for (size_t i = 0; i < room; i++, c->n++)
		load_step(r, all->items[i], i, f, &list[i]);
	c->hidden = r->hidden;
	for (size_t i = 0; i < c->n; i++)
		judged |= !list[i].always_run;
	if (!judged)
		diag_error(ld->d, all->mark, "steps: every step is always_run: nothing would be judged");
	warn_unused(r);
}

/* ---- show ---- */

static void show_json(const struct show *w, const struct yaml_node *n, const char *key)
{
	if (n->kind == YAML_TEXT) {
		json_t *j = n->plain && !n->raw ? json_loads(n->text, JSON_DECODE_ANY, NULL) : NULL;

		if (yaml_is_null(n))
			buf_adds(w->out, "null");
		else if (j && !json_is_string(j))
			buf_adds(w->out, n->text);
		else if (key && !w->secrets && !n->raw && is_literal_secret(key, n->text))
			buf_adds(w->out, "\"***\"");
		else
			show_value(w, n->text);
		json_decref(j);
		return;
	}
	bool map = n->kind == YAML_MAP;

	buf_adds(w->out, map ? "{" : "[");
	for (size_t i = 0; i < n->n; i++) {
		buf_adds(w->out, i ? ", " : " ");
		if (map) {
			show_value(w, n->pairs[i].key->text);
			buf_adds(w->out, ": ");
		}
		show_json(w, map ? n->pairs[i].value : n->items[i], map ? n->pairs[i].key->text : NULL);
	}
	buf_adds(w->out, map ? " }" : " ]");
}

static void show_pairs(const struct show *w, const char *in, const char *key, const struct header *list, size_t n)
{
	if (n)
		buf_addf(w->out, "%s%s:\n", in, key);
	for (size_t i = 0; i < n; i++) {
		buf_addf(w->out, "%s  ", in);
		show_value(w, list[i].name);
		buf_adds(w->out, ": ");
		if (!w->secrets && is_literal_secret(list[i].name, list[i].value) && !show_is_raw(w, list[i].value))
			buf_adds(w->out, "\"***\"");
		else
			show_value(w, list[i].value);
		buf_adds(w->out, "\n");
	}
}

static void show_step(const struct show *w, const char *in, const struct step *s)
{
	char deep[64];
	size_t m = 0;

	while (strcmp(methods_http[m], s->method) != 0)
		m++;
	TEXT_FORMAT(deep, "%s    ", in);
	buf_addf(w->out, "%s  - %s: ", in, methods[m]);
	show_value(w, s->path);
	buf_adds(w->out, "\n");
	show_headers(w, deep, s->own_headers, s->n_own);
	show_pairs(w, deep, "form", s->form, s->n_form);
	if (s->json) {
		buf_addf(w->out, "%sjson: ", deep);
		show_json(w, s->json_tree, NULL);
		buf_adds(w->out, "\n");
	}
	show_text(w, deep, "body", s->body);
	if (s->n_expect)
		show_lines(w, deep, "expect", s->expect, s->n_expect);
	if (s->n_captures)
		buf_addf(w->out, "%scapture:\n", deep);
	for (size_t i = 0; i < s->n_captures; i++) {
		buf_addf(w->out, "%s  ", deep);
		show_value(w, s->captures[i].name);
		buf_adds(w->out, ": ");
		show_value(w, s->captures[i].query);
		buf_adds(w->out, "\n");
	}
	if (s->always_run)
		show_bool(w, deep, "always_run", true);
}

static void steps_show(const struct show *w, const char *in, const struct feature *f)
{
	const struct steps_config *c = f->steps;
	char deep[64];

	TEXT_FORMAT(deep, "%s  ", in);
	if (c->n_secrets)
		buf_addf(w->out, "%ssecrets:\n", in);
	for (size_t i = 0; i < c->n_secrets; i++)
		show_line(w, deep, c->secrets[i].name, c->secrets[i].file);
	buf_addf(w->out, "%ssteps:\n", in);
	for (size_t i = 0; i < c->n; i++)
		show_step(w, in, &c->list[i]);
}

const struct feature_kind feature_kind_steps = { "steps", "steps", true, steps_load, steps_show };
