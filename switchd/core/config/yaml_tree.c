/* SPDX-License-Identifier: MIT
 * yaml_tree.c - libyaml's events, folded into nodes. */
#include "switchd/core/config/yaml_tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reader {
	struct arena *arena, *texts;
	struct diag *diag;
	yaml_parser_t parser;
	size_t skipped;         /* a byte order mark */
};

static struct mark mark_of(const yaml_event_t *e)
{
	yaml_mark_t a = e->start_mark, b = e->end_mark;
	int width = a.line == b.line && b.column > a.column ? (int)(b.column - a.column) : 1;

	return (struct mark){ (int)a.line + 1, (int)a.column + 1, width };
}

static bool next(struct reader *r, yaml_event_t *e)
{
	if (yaml_parser_parse(&r->parser, e))
		return true;
	const yaml_parser_t *p = &r->parser;
	struct mark m = { (int)p->problem_mark.line + 1, (int)p->problem_mark.column + 1, 1 };

	if (p->error == YAML_READER_ERROR)
		m = diag_mark_at(r->diag, p->problem_offset + r->skipped);
	const char *problem = p->problem ? p->problem : "not YAML";
	if (p->context)
		diag_error(r->diag, m, "%s: %s", p->context, problem);
	else
		diag_error(r->diag, m, "%s", problem);
	return false;
}

bool yaml_is_null(const struct yaml_node *n)
{
	return n->kind == YAML_TEXT && n->plain &&
	       (!n->text[0] || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

const char *yaml_kind_name(const struct yaml_node *n)
{
	return n->kind == YAML_MAP ? "a mapping" : n->kind == YAML_LIST ? "a list" : yaml_is_null(n) ? "nothing" : "text";
}

struct yaml_node *yaml_get(const struct yaml_node *n, const char *key)
{
	for (size_t i = 0; n->kind == YAML_MAP && i < n->n; i++)
		if (strcmp(n->pairs[i].key->text, key) == 0)
			return n->pairs[i].value;
	return NULL;
}

static int by_key(const void *a, const void *b)
{
	const struct yaml_pair *x = a, *y = b;
	int c = strcmp(x->key->text, y->key->text);
	struct mark p = x->key->mark, q = y->key->mark;

	return c ? c : p.line != q.line ? (p.line < q.line ? -1 : 1) : p.col - q.col;
}

/* Names the second of two, and drops it, so that no later rule sees a key twice. */
static void drop_duplicates(struct reader *r, struct yaml_node *map)
{
	struct yaml_pair *sorted = xcalloc(map->n, sizeof(*sorted));
	size_t kept = 0;

	if (map->n)
		memcpy(sorted, map->pairs, map->n * sizeof(*sorted));
	qsort(sorted, map->n, sizeof(*sorted), by_key);
	for (size_t i = 1, first = 0; i < map->n; i++) {
		if (strcmp(sorted[i].key->text, sorted[first].key->text) != 0) {
			first = i;
			continue;
		}
		diag_error(r->diag, sorted[i].key->mark, "duplicate key \"%s\" (first at line %d)",
			   sorted[i].key->text, sorted[first].key->mark.line);
		sorted[i].key->bad = true;
	}
	for (size_t i = 0; i < map->n; i++)
		if (!map->pairs[i].key->bad)
			map->pairs[kept++] = map->pairs[i];
	map->n = kept;
	free(sorted);
}

static struct yaml_node *read_node(struct reader *r, yaml_event_t *e, int depth);

static struct yaml_node *read_text(struct reader *r, const yaml_event_t *e)
{
	const char *value = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	struct yaml_node *n = arena_alloc(r->arena, sizeof(*n));

	*n = (struct yaml_node){ .kind = YAML_TEXT, .mark = mark_of(e), .plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
				  .quote = e->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ? '\'' :
					   e->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE ? '"' : '\0' };
	if (memchr(value, '\0', len)) {
		diag_error(r->diag, n->mark, "a NUL byte in a value");
		n->bad = true;
		len = 0;
	}
	n->text = arena_strn(r->texts, value, len);
	return n;
}

static bool take(struct reader *r, struct yaml_node *in, void **list, size_t size, size_t *cap)
{
	if (in->n == YAML_MAX_ITEMS) {
		diag_error(r->diag, in->mark, "more than %d items", YAML_MAX_ITEMS);
		return false;
	}
	if (in->n == *cap) {
		*cap = *cap ? 2 * *cap : 8;
		*list = xrealloc(*list, *cap * size);
	}
	return true;
}

/* The list grows on the heap and is copied into the arena when it is whole. */
static bool read_list(struct reader *r, struct yaml_node *list, int depth)
{
	void *items = NULL;
	size_t cap = 0;
	bool ok = true, end = false;

	while (ok && !end) {
		yaml_event_t e;

		if (!next(r, &e)) {
			ok = false;
			break;
		}
		end = e.type == YAML_SEQUENCE_END_EVENT;
		if (!end) {
			struct yaml_node *item = read_node(r, &e, depth + 1);

			ok = item && take(r, list, &items, sizeof(item), &cap);
			if (ok)
				((struct yaml_node **)items)[list->n++] = item;
		}
		yaml_event_delete(&e);
	}
	list->items = arena_alloc(r->arena, (list->n + 1) * sizeof(*list->items));
	if (list->n)
		memcpy(list->items, items, list->n * sizeof(*list->items));
	free(items);
	return ok;
}

static bool read_pair(struct reader *r, yaml_event_t *key_event, struct yaml_pair *pair, int depth)
{
	if (key_event->type == YAML_MAPPING_START_EVENT || key_event->type == YAML_SEQUENCE_START_EVENT) {
		diag_error(r->diag, mark_of(key_event), "a key must be plain text");
		return false;
	}
	pair->key = read_node(r, key_event, depth + 1);
	if (!pair->key)
		return false;
	yaml_event_t e;
	if (!next(r, &e))
		return false;
	pair->value = read_node(r, &e, depth + 1);
	yaml_event_delete(&e);
	return pair->value != NULL;
}

static bool read_map(struct reader *r, struct yaml_node *map, int depth)
{
	void *pairs = NULL;
	size_t cap = 0;
	bool ok = true, end = false;

	while (ok && !end) {
		yaml_event_t e;

		if (!next(r, &e)) {
			ok = false;
			break;
		}
		end = e.type == YAML_MAPPING_END_EVENT;
		if (!end) {
			struct yaml_pair pair = { 0 };

			ok = read_pair(r, &e, &pair, depth) && take(r, map, &pairs, sizeof(pair), &cap);
			if (ok)
				((struct yaml_pair *)pairs)[map->n++] = pair;
		}
		yaml_event_delete(&e);
	}
	map->pairs = arena_alloc(r->arena, (map->n + 1) * sizeof(*map->pairs));
	if (map->n)
		memcpy(map->pairs, pairs, map->n * sizeof(*map->pairs));
	free(pairs);
	if (ok)
		drop_duplicates(r, map);
	return ok;
}

/* Anchors and tags are refused, with a way round each: aliases make bombs, tags make types that no table knows. */
static bool refuse_decorations(struct reader *r, const yaml_event_t *e)
{
	const unsigned char *anchor = NULL, *tag = NULL;

	if (e->type == YAML_ALIAS_EVENT) {
		diag_error(r->diag, mark_of(e), "aliases (*%s) are not allowed: put shared settings under defaults:",
			   (const char *)e->data.alias.anchor);
		return false;
	}
	if (e->type == YAML_SCALAR_EVENT) {
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
	} else if (e->type == YAML_SEQUENCE_START_EVENT) {
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
	} else if (e->type == YAML_MAPPING_START_EVENT) {
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
	}
	if (anchor)
		diag_error(r->diag, mark_of(e), "anchors (&%s) are not allowed: put shared settings under defaults:", (const char *)anchor);
	if (tag)
		diag_error(r->diag, mark_of(e), "tags (%s) are not allowed", (const char *)tag);
	return true;
}

static struct yaml_node *read_node(struct reader *r, yaml_event_t *e, int depth)
{
	if (depth > YAML_MAX_DEPTH) {
		diag_error(r->diag, mark_of(e), "nested deeper than %d levels", YAML_MAX_DEPTH);
		return NULL;
	}
	if (!refuse_decorations(r, e)) {
		/* Stands in for what the alias would have been: the reading goes on, and nothing more is said of it. */
		struct yaml_node *stand_in = arena_alloc(r->arena, sizeof(*stand_in));

		*stand_in = (struct yaml_node){ .kind = YAML_TEXT, .mark = mark_of(e), .text = "", .bad = true };
		return stand_in;
	}
	if (e->type == YAML_SCALAR_EVENT)
		return read_text(r, e);
	bool is_map = e->type == YAML_MAPPING_START_EVENT;
	struct yaml_node *n = arena_alloc(r->arena, sizeof(*n));

	*n = (struct yaml_node){ .kind = is_map ? YAML_MAP : YAML_LIST, .mark = mark_of(e), .text = "" };
	/* A block collection has no text of its own: one character is enough for the caret. */
	n->mark.width = 1;
	return (is_map ? read_map(r, n, depth) : read_list(r, n, depth)) ? n : NULL;
}

/* libyaml would stop at these too, but with an offset for a place, and it would take UTF-16. */
static bool check_bytes(struct diag *d, const char *text, size_t len)
{
	if (len > YAML_MAX_TEXT) {
		diag_error(d, (struct mark){ 0 }, "larger than %d KiB", YAML_MAX_TEXT / 1024);
		return false;
	}
	for (size_t i = 0; i < len;) {
		unsigned code;
		size_t step = diag_utf8(text + i, len - i, &code);

		if (!step) {
			diag_error(d, diag_mark_at(d, i), "not UTF-8: byte 0x%02x", (unsigned)(unsigned char)text[i]);
			return false;
		}
		if ((code < 0x20 && !strchr("\t\r\n", (int)code)) || code == 0 || code == 0x7f || (code >= 0x80 && code < 0xa0 && code != 0x85)) {
			diag_error(d, diag_mark_at(d, i), "a control character, 0x%02x", code);
			return false;
		}
		i += step;
	}
	return true;
}

static struct yaml_node *read_document(struct reader *r)
{
	struct yaml_node *root = NULL;
	bool whole = false;

	for (;;) {
		yaml_event_t e;

		if (!next(r, &e))
			return NULL;
		yaml_event_type_t type = e.type;
		bool second = type == YAML_DOCUMENT_START_EVENT && whole;

		if (second)
			diag_error(r->diag, mark_of(&e), "a second document: one file holds one");
		else if (type == YAML_DOCUMENT_START_EVENT && e.data.document_start.tag_directives.start != e.data.document_start.tag_directives.end)
			diag_error(r->diag, mark_of(&e), "tags are not allowed");
		else if (type == YAML_DOCUMENT_END_EVENT)
			whole = true;
		else if (type == YAML_SCALAR_EVENT || type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT ||
			 type == YAML_ALIAS_EVENT)
			root = read_node(r, &e, 0);
		bool failed = root == NULL && type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT;
		yaml_event_delete(&e);
		if (type == YAML_STREAM_END_EVENT || second || failed)
			return root;
	}
}

struct yaml_node *yaml_tree_read(struct arena *arena, struct arena *texts, struct diag *diag, const char *text, size_t len)
{
	struct reader r = { .arena = arena, .texts = texts, .diag = diag };

	if (!check_bytes(diag, text, len))
		return NULL;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r.skipped = 3;
	must(yaml_parser_initialize(&r.parser));
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text + r.skipped, len - r.skipped);
	struct yaml_node *root = read_document(&r);
	yaml_parser_delete(&r.parser);
	return root;
}
