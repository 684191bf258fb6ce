/* SPDX-License-Identifier: MIT
 * jsonpath.c - compile and walk JSONPath (RFC 9535, no filters). */
#include "probes/assert/jsonpath.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/buf.h"
#include "switchd/base/text.h"

#define INT_LIMIT ((int64_t)1 << 53)            /* RFC 9535: exact in a double */
enum { WALK_BUDGET = 400000, NAME_BYTES = 1024 };

enum selector_kind { SEL_NAME, SEL_INDEX, SEL_ALL, SEL_SLICE };

struct selector {
	enum selector_kind kind;
	char *name; size_t name_len;
	int64_t from, to, by;           /* index: from */
	bool has_from, has_to;
};

struct step {
	bool deep;                      /* `..`: at this node and everything below */
	size_t first, n;                /* selectors */
	size_t end;                     /* in the text */
};

struct jsonpath {
	char *text;
	struct step steps[JSONPATH_MAX_STEPS]; size_t n_steps;
	struct selector selectors[JSONPATH_MAX_SELECTORS]; size_t n_selectors;
};

/* ---- compile ---- */

struct reader {
	const char *s; size_t n, at;
	struct jsonpath *path;
	char *err; size_t err_size; size_t *err_off;
};

static bool fail(struct reader *r, size_t at, const char *why)
{
	text_copy(r->err, r->err_size, why);
	*r->err_off = at;
	return false;
}

static int peek(const struct reader *r) { return r->at < r->n ? (unsigned char)r->s[r->at] : -1; }

static void skip_space(struct reader *r)
{
	while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\n' || peek(r) == '\r')
		r->at++;
}

static bool name_first(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80; }
static bool digit(int c) { return c >= '0' && c <= '9'; }

static struct selector *new_selector(struct reader *r, enum selector_kind kind)
{
	struct jsonpath *p = r->path;

	if (p->n_selectors == ARRAY_LEN(p->selectors)) {
		fail(r, r->at, "the path is too long (64 selectors at most)");
		return NULL;
	}
	struct selector *s = &p->selectors[p->n_selectors++];

	s->kind = kind;
	p->steps[p->n_steps - 1].n++;
	return s;
}

static bool set_name(struct reader *r, size_t at, const char *name, size_t len)
{
	if (len > NAME_BYTES)
		return fail(r, at, "a member name in the path is longer than 1024 bytes");
	struct selector *s = new_selector(r, SEL_NAME);

	if (!s)
		return false;
	s->name = xmalloc(len + 1);
	if (len)
		memcpy(s->name, name, len);
	s->name[len] = '\0';
	s->name_len = len;
	return true;
}

static bool read_hex4(struct reader *r, uint32_t *out)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++, r->at++) {
		int c = peek(r);
		int d = digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (d < 0)
			return fail(r, r->at, "\\u takes four hexadecimal digits");
		v = v << 4 | (uint32_t)d;
	}
	*out = v;
	return true;
}

static void add_utf8(struct buf *b, uint32_t c)
{
	char out[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	if (n == 1)
		out[0] = (char)c;
	else {
		for (size_t i = n - 1; i > 0; i--, c >>= 6)
			out[i] = (char)(0x80 | (c & 0x3f));
		out[0] = (char)((0xf00 >> n & 0xf0) | c);
	}
	buf_add(b, out, n);
}

static bool read_unicode(struct reader *r, struct buf *b)
{
	size_t at = r->at - 2;
	uint32_t c, low;

	if (!read_hex4(r, &c))
		return false;
	if (c >= 0xd800 && c < 0xdc00) {
		if (r->at + 1 >= r->n || r->s[r->at] != '\\' || r->s[r->at + 1] != 'u')
			return fail(r, at, "half of a surrogate pair");
		r->at += 2;
		if (!read_hex4(r, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(r, at, "half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c < 0xe000)
		return fail(r, at, "half of a surrogate pair");
	if (c == 0)
		return fail(r, at, "a member name cannot hold a zero byte");
	add_utf8(b, c);
	return true;
}

static bool read_quoted(struct reader *r, struct buf *b)
{
	static const char from[] = "'\"\\/bfnrt", to[] = "'\"\\/\b\f\n\r\t";
	size_t start = r->at;
	int quote = peek(r);

	for (r->at++; peek(r) != quote;) {
		int c = peek(r);

		if (c < 0)
			return fail(r, start, "the name in quotes does not end");
		if (c < 0x20)
			return fail(r, r->at, "a control character in a name: write it as an escape");
		r->at++;
		if (c != '\\') {
			buf_add(b, r->s + r->at - 1, 1);
			continue;
		}
		c = peek(r);
		r->at++;
		if (c == 'u') {
			if (!read_unicode(r, b))
				return false;
			continue;
		}
		const char *e = c > 0 ? strchr(from, c) : NULL;

		if (!e || ((c == '\'' || c == '"') && c != quote))
			return fail(r, r->at - 2, "unknown escape in the name");
		buf_add(b, &to[e - from], 1);
	}
	r->at++;
	return true;
}

static bool read_int(struct reader *r, int64_t *out)
{
	size_t start = r->at;
	bool minus = peek(r) == '-';
	int64_t v = 0;

	r->at += minus;
	if (!digit(peek(r)))
		return fail(r, start, "want a whole number");
	if (peek(r) == '0' && (minus || (r->at + 1 < r->n && digit((unsigned char)r->s[r->at + 1]))))
		return fail(r, start, "a number here has no leading zero and is never -0");
	for (; digit(peek(r)); r->at++) {
		v = v * 10 + (peek(r) - '0');
		if (v >= INT_LIMIT)
			return fail(r, start, "the number is too large");
	}
	*out = minus ? -v : v;
	return true;
}

/* At a number or a colon: n, a:b, a:b:c, with any part left out. */
static bool read_index(struct reader *r)
{
	struct selector *s = new_selector(r, SEL_INDEX);

	if (!s)
		return false;
	s->by = 1;
	if (peek(r) != ':') {
		if (!read_int(r, &s->from))
			return false;
		s->has_from = true;
		skip_space(r);
	}
	if (peek(r) != ':')
		return true;
	s->kind = SEL_SLICE;
	r->at++;
	skip_space(r);
	if (peek(r) == '-' || digit(peek(r))) {
		if (!read_int(r, &s->to))
			return false;
		s->has_to = true;
		skip_space(r);
	}
	if (peek(r) != ':')
		return true;
	r->at++;
	skip_space(r);
	return (peek(r) != '-' && !digit(peek(r))) || read_int(r, &s->by);
}

static bool read_selector(struct reader *r)
{
	size_t at = r->at;
	int c = peek(r);

	if (c == '*') {
		r->at++;
		return new_selector(r, SEL_ALL) != NULL;
	}
	if (c == '\'' || c == '"') {
		struct buf name = BUF_INIT(NAME_BYTES + 1);
		bool ok = read_quoted(r, &name) && set_name(r, at, buf_str(&name), name.full ? NAME_BYTES + 1 : name.len);

		buf_free(&name);
		return ok;
	}
	if (c == '-' || c == ':' || digit(c))
		return read_index(r);
	if (c == '?')
		return fail(r, at, "filters are not part of this JSONPath");
	if (c == '(')
		return fail(r, at, "scripts are not part of JSONPath");
	return fail(r, at, "want 'name', a number, a slice or * inside [ ]");
}

static bool read_bracket(struct reader *r)
{
	size_t start = r->at++;

	for (;;) {
		skip_space(r);
		if (!read_selector(r))
			return false;
		skip_space(r);
		int c = peek(r);

		if (c != ',' && c != ']')
			return c < 0 ? fail(r, start, "[ without ]") : fail(r, r->at, "want , or ]");
		r->at++;
		if (c == ']')
			return true;
	}
}

static bool read_dotted(struct reader *r, size_t dot)
{
	size_t start = r->at;

	if (peek(r) == '*') {
		r->at++;
		return new_selector(r, SEL_ALL) != NULL;
	}
	if (!name_first(peek(r)))
		return fail(r, r->at < r->n ? r->at : dot, "want a name or * after the dot (other names: ['like this'])");
	while (name_first(peek(r)) || digit(peek(r)))
		r->at++;
	return set_name(r, start, r->s + start, r->at - start);
}

static bool read_step(struct reader *r)
{
	struct jsonpath *p = r->path;
	size_t start = r->at;

	if (p->n_steps == ARRAY_LEN(p->steps))
		return fail(r, r->at, "the path is too long (64 steps at most)");
	struct step *s = &p->steps[p->n_steps++];

	s->first = p->n_selectors;
	if (peek(r) == '[')
		return read_bracket(r);
	if (peek(r) != '.')
		return fail(r, start, peek(r) == '-' ? "want . or [ (a name with a dash: ['like-this'])" : "want . or [ here");
	r->at++;
	if (peek(r) == '.') {
		s->deep = true;
		r->at++;
		if (peek(r) == '[')
			return read_bracket(r);
	}
	return read_dotted(r, start);
}

struct jsonpath *jsonpath_compile(const char *text, size_t len, char *err, size_t err_size, size_t *err_off)
{
	struct jsonpath *p = xcalloc(1, sizeof(*p));
	struct reader r = { .s = text, .n = len, .path = p, .err = err, .err_size = err_size, .err_off = err_off };
	bool ok = true;

	*err_off = 0;
	if (peek(&r) != '$')
		ok = fail(&r, 0, "a path begins with $");
	for (r.at = 1; ok && r.at < len;) {
		size_t gap = r.at;

		skip_space(&r);
		ok = r.at < len ? read_step(&r) : fail(&r, gap, "spaces after the path");
		if (p->n_steps)
			p->steps[p->n_steps - 1].end = r.at;
	}
	if (!ok) {
		jsonpath_free(&p);
		return NULL;
	}
	p->text = xcalloc(1, len + 1);
	memcpy(p->text, text, len);
	return p;
}

void jsonpath_free(struct jsonpath **pp)
{
	if (!*pp)
		return;
	for (size_t i = 0; i < (*pp)->n_selectors; i++)
		free((*pp)->selectors[i].name);
	free((*pp)->text);
	free(*pp);
	*pp = NULL;
}

size_t jsonpath_plain_steps(const struct jsonpath *p)
{
	size_t i = 0;

	for (; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];

		if (s->deep || s->n != 1 || p->selectors[s->first].kind > SEL_INDEX)
			break;
	}
	return i;
}

bool jsonpath_singular(const struct jsonpath *p) { return jsonpath_plain_steps(p) == p->n_steps; }

struct jsonpath_step jsonpath_step(const struct jsonpath *p, size_t i)
{
	must(i < p->n_steps);
	const struct selector *s = &p->selectors[p->steps[i].first];

	return (struct jsonpath_step){ s->name, s->name_len, s->from };
}

const char *jsonpath_text(const struct jsonpath *p, size_t n_steps, size_t *len)
{
	must(n_steps <= p->n_steps);
	*len = n_steps ? p->steps[n_steps - 1].end : 1;
	return p->text;
}

/* ---- walk ---- */

enum go { GO_ON, GO_STOP, GO_COSTLY };

struct walk {
	const struct jsonpath *path;
	jsonpath_visit_fn *visit;
	void *arg;
	int budget;
};

static enum go at_step(struct walk *, size_t step, json_t *node);

static enum go all_children(struct walk *w, size_t next, json_t *node, enum go (*each)(struct walk *, size_t, json_t *))
{
	enum go go = GO_ON;

	if (json_is_array(node)) {
		size_t n = json_array_size(node);

		for (size_t i = 0; i < n && go == GO_ON; i++)
			go = each(w, next, json_array_get(node, i));
	} else if (json_is_object(node)) {
		for (void *it = json_object_iter(node); it && go == GO_ON; it = json_object_iter_next(node, it))
			go = each(w, next, json_object_iter_value(it));
	}
	return go;
}

static int64_t clamp(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

static enum go slice(struct walk *w, size_t next, json_t *node, const struct selector *s)
{
	int64_t n = (int64_t)json_array_size(node), by = s->by;
	enum go go = GO_ON;

	if (by == 0)
		return GO_ON;
	int64_t from = s->has_from ? s->from : by > 0 ? 0 : n - 1;
	int64_t to = s->has_to ? s->to : by > 0 ? n : -n - 1;

	from = from < 0 ? from + n : from;
	to = to < 0 ? to + n : to;
	if (by > 0) {
		from = clamp(from, 0, n);
		to = clamp(to, 0, n);
		for (int64_t i = from; i < to && go == GO_ON; i += by)
			go = at_step(w, next, json_array_get(node, (size_t)i));
	} else {
		from = clamp(from, -1, n - 1);
		to = clamp(to, -1, n - 1);
		for (int64_t i = from; i > to && go == GO_ON; i += by)
			go = at_step(w, next, json_array_get(node, (size_t)i));
	}
	return go;
}

static enum go select_one(struct walk *w, size_t next, json_t *node, const struct selector *s)
{
	json_t *child = NULL;

	if (--w->budget < 0)
		return GO_COSTLY;
	switch (s->kind) {
	case SEL_NAME:
		child = json_is_object(node) ? json_object_get(node, s->name) : NULL;
		break;
	case SEL_INDEX:
		if (json_is_array(node)) {
			int64_t i = s->from < 0 ? s->from + (int64_t)json_array_size(node) : s->from;

			child = i >= 0 ? json_array_get(node, (size_t)i) : NULL;
		}
		break;
	case SEL_ALL:
		return all_children(w, next, node, at_step);
	case SEL_SLICE:
		return json_is_array(node) ? slice(w, next, node, s) : GO_ON;
	}
	return child ? at_step(w, next, child) : GO_ON;
}

/* Recursion is as deep as the document (jansson stops at 2048) plus the steps. */
static enum go descend(struct walk *w, size_t step, json_t *node)
{
	const struct step *s = &w->path->steps[step];
	enum go go = GO_ON;

	for (size_t i = 0; i < s->n && go == GO_ON; i++)
		go = select_one(w, step + 1, node, &w->path->selectors[s->first + i]);
	if (go == GO_ON)
		go = all_children(w, step, node, descend);
	return go;
}

static enum go at_step(struct walk *w, size_t step, json_t *node)
{
	enum go go = GO_ON;

	if (--w->budget < 0)
		return GO_COSTLY;
	if (step == w->path->n_steps)
		return w->visit(w->arg, node) ? GO_ON : GO_STOP;
	const struct step *s = &w->path->steps[step];

	if (s->deep)
		return descend(w, step, node);
	for (size_t i = 0; i < s->n && go == GO_ON; i++)
		go = select_one(w, step + 1, node, &w->path->selectors[s->first + i]);
	return go;
}

enum jsonpath_result jsonpath_walk(const struct jsonpath *p, json_t *root, jsonpath_visit_fn *visit, void *arg)
{
	struct walk w = { .path = p, .visit = visit, .arg = arg, .budget = WALK_BUDGET };

	return at_step(&w, 0, root) == GO_COSTLY ? JP_COSTLY : JP_OK;
}
