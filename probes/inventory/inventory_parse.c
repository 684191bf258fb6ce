/* SPDX-License-Identifier: MIT
 * inventory_parse.c - routes out of an OpenAPI document or a JSON manifest; which parser for which source. */
#include <stdlib.h>
#include <string.h>

#include "probes/inventory/inventory.h"
#include "probes/assert/jsonpath.h"
#include "switchd/core/config/yaml_tree.h"

enum { TREE_DEPTH = 32, MAX_PARAMETERS = 64 };

void inventory_children_clear(struct inventory_children *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->path[i]);
	*c = (struct inventory_children){ 0 };
}

/* ---- JSON or YAML ---- */

static json_t *from_yaml(const struct yaml_node *node)
{
	json_t *o;

	if (node->kind == YAML_MAP) {
		o = json_object();
		for (size_t i = 0; i < node->n; i++)
			json_object_set_new(o, node->pairs[i].key->text, from_yaml(node->pairs[i].value));
		return o;
	}
	if (node->kind == YAML_LIST) {
		o = json_array();
		for (size_t i = 0; i < node->n; i++)
			json_array_append_new(o, from_yaml(node->items[i]));
		return o;
	}
	if (yaml_is_null(node))
		return json_null();
	if (node->plain && (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0))
		return json_boolean(node->text[0] == 't');
	return json_string(node->text);
}

json_t *inventory_document(const char *text, size_t len, char *err, size_t err_size)
{
	json_error_t e;
	json_t *o;
	size_t at = 0;

	if (len > INVENTORY_DOC_MAX) {
		text_format(err, err_size, "the document is larger than 1 MiB");
		return NULL;
	}
	while (at < len && strchr(" \t\r\n", text[at]) && text[at])
		at++;
	if (at < len && (text[at] == '{' || text[at] == '[')) {
		o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
		if (!o) {
			char why[160];

			text_printable(why, sizeof(why), e.text, strlen(e.text));
			text_format(err, err_size, "not JSON: %s (line %d, column %d)", why, e.line, e.column);
		}
		return o;
	}
	struct arena *arena = arena_new();
	struct diag d;

	diag_init(&d, "document", text, len);
	struct yaml_node *tree = yaml_tree_read(arena, arena, &d, text, len);

	o = tree && !d.errors ? from_yaml(tree) : NULL;
	if (!o) {
		char why[160] = "empty";

		if (d.n)
			text_printable(why, sizeof(why), d.notes[0].text, strlen(d.notes[0].text));
		text_format(err, err_size, "not YAML: %s (line %d, column %d)", why, d.n ? d.notes[0].mark.line : 1, d.n ? d.notes[0].mark.col : 1);
	}
	diag_free(&d);
	arena_free(&arena);
	return o;
}

/* ---- OpenAPI 3 ---- */

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* {"$ref": "#/components/parameters/Page"}: within the document, one step. */
const json_t *inventory_follow(const json_t *root, const json_t *o)
{
	const char *ref = str(o, "$ref");
	const json_t *at = root;

	if (!ref[0])
		return o;
	if (!text_starts(ref, "#/"))
		return NULL;
	for (const char *p = ref + 2; at;) {
		size_t n = strcspn(p, "/");
		char key[128];

		at = text_copy_n(key, sizeof(key), p, n) ? json_object_get(at, key) : NULL;
		if (!p[n])
			break;
		p += n + 1;
	}
	return at;
}

/* An example that the document gives for a parameter, as text; false: none. */
static bool example_of(const json_t *root, const json_t *p, char *out, size_t size)
{
	const json_t *schema = inventory_follow(root, json_object_get(p, "schema")), *examples = json_object_get(p, "examples"), *v = json_object_get(p, "example");
	const char *key;
	json_t *first;

	if (!v)
		json_object_foreach((json_t *)examples, key, first) {
			v = json_object_get(inventory_follow(root, first), "value");
			break;
		}
	if (!v)
		v = json_object_get(schema, "example");
	if (!v)
		v = json_object_get(schema, "default");
	if (!v)
		v = json_array_get(json_object_get(schema, "enum"), 0);
	if (json_is_integer(v))
		return text_format(out, size, "%lld", (long long)json_integer_value(v));
	if (json_is_boolean(v))
		return text_copy(out, size, json_is_true(v) ? "true" : "false");
	return json_is_string(v) && json_string_value(v)[0] && text_copy(out, size, json_string_value(v));
}

/* Into a path or a query: what is not unreserved is escaped. */
static void put_escaped(struct buf *out, const char *s)
{
	for (; *s; s++) {
		bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr("-._~", *s);

		buf_addf(out, plain ? "%c" : "%%%02X", (unsigned char)*s);
	}
}

struct parameters { const json_t *list[MAX_PARAMETERS]; size_t n; };

static void gather(const json_t *root, const json_t *from, struct parameters *out)
{
	const json_t *all = json_object_get(from, "parameters");

	for (size_t i = 0; i < json_array_size(all) && out->n < MAX_PARAMETERS; i++) {
		const json_t *p = inventory_follow(root, json_array_get(all, i));

		if (json_is_object(p))
			out->list[out->n++] = p;
	}
}

/* The operation's own come first: they stand before the path's of the same name. */
static const json_t *parameter(const struct parameters *all, const char *name, size_t len, const char *in)
{
	for (size_t i = 0; i < all->n; i++) {
		const char *have = str(all->list[i], "name");

		if (strcmp(str(all->list[i], "in"), in) == 0 && strlen(have) == len && memcmp(have, name, len) == 0)
			return all->list[i];
	}
	return NULL;
}

/* The path with examples in the place of its parameters; where one has none, {name} stays and it is a pattern. */
static bool fill_path(const json_t *root, const char *path, const struct parameters *all, struct buf *out)
{
	char value[256];
	bool whole = true;

	for (const char *p = path; *p;) {
		const char *end = *p == '{' ? strchr(p, '}') : NULL;

		if (end && example_of(root, parameter(all, p + 1, (size_t)(end - p - 1), "path"), value, sizeof(value))) {
			put_escaped(out, value);
			p = end + 1;
		} else if (end) {
			whole = false;
			buf_add(out, p, (size_t)(end + 1 - p));
			p = end + 1;
		} else {
			buf_add(out, p++, 1);
		}
	}
	return whole;
}

bool inventory_operation(const json_t *root, const char *prefix, const char *path, const json_t *item, struct buf *out)
{
	struct parameters all = { .n = 0 };
	bool whole, query = false;
	char value[256];

	gather(root, json_object_get(item, "get"), &all);
	gather(root, item, &all);
	buf_adds(out, prefix);
	whole = fill_path(root, path, &all, out);
	for (size_t i = 0; i < all.n; i++) {
		const json_t *p = all.list[i], *required = json_object_get(p, "required");
		const char *in = str(p, "in"), *name = str(p, "name");

		if (!json_is_true(required) || strcmp(in, "path") == 0 || parameter(&all, name, strlen(name), in) != p)
			continue;
		if (strcmp(in, "query") == 0 && example_of(root, p, value, sizeof(value))) {
			buf_adds(out, query ? "&" : "?");
			query = true;
			put_escaped(out, name);
			buf_adds(out, "=");
			put_escaped(out, value);
		} else {
			whole = false; /* a header or cookie that we do not have */
		}
	}
	return whole;
}

static void add_path(struct inventory *inv, const struct inventory_doc *doc, const json_t *root, const char *prefix, const char *path, const json_t *item)
{
	struct buf out = BUF_INIT(INVENTORY_MAX_PATH + 64);

	if (!json_is_object(json_object_get(item, "get")) || path[0] != '/')
		return;
	bool whole = inventory_operation(root, prefix, path, item, &out);

	if (!out.full)
		inventory_add(inv, buf_str(&out), out.len, doc->number, doc->source->ask && whole, false);
	else
		inv->left_out++;
	buf_free(&out);
}

/* "https://api.example.com/v1/" -> "/v1"; variables in it: no prefix can be told. */
void inventory_prefix(const json_t *root, char out[INVENTORY_MAX_PATH + 1])
{
	const char *url = str(json_array_get(json_object_get(root, "servers"), 0), "url");
	size_t n;

	out[0] = '\0';
	if (strchr(url, '{') || !inventory_resolve("/", "", url, strlen(url), out)) {
		out[0] = '\0';
		return;
	}
	out[strcspn(out, "?")] = '\0';
	for (n = strlen(out); n && out[n - 1] == '/'; n--)
		out[n - 1] = '\0';
}

static bool openapi(struct inventory *inv, const struct inventory_doc *doc, char *err, size_t size)
{
	json_t *root = inventory_document(doc->text, doc->len, err, size), *item;
	const json_t *paths = json_object_get(root, "paths");
	const char *path;
	char prefix[INVENTORY_MAX_PATH + 1];
	bool ok = json_is_object(paths) && (text_starts(str(root, "openapi"), "3.") || strcmp(str(root, "openapi"), "3") == 0);

	if (root && !ok)
		text_format(err, size, "not an OpenAPI 3 document: %s", json_is_object(paths) ? "openapi: is not 3.x" : "it has no paths");
	if (ok) {
		inventory_prefix(root, prefix);
		json_object_foreach((json_t *)paths, path, item)
			add_path(inv, doc, root, prefix, path, item);
	}
	json_decref(root);
	return ok;
}

/* ---- a manifest of routes ---- */

struct picking { struct inventory *inv; const struct inventory_doc *doc; size_t n, texts; };

static bool picked(void *arg, json_t *node)
{
	struct picking *p = arg;
	char path[INVENTORY_MAX_PATH + 1];

	p->n++;
	if (!json_is_string(node))
		return true;
	p->texts++;
	if (inventory_resolve(p->doc->base, p->doc->host, json_string_value(node), json_string_length(node), path))
		inventory_add(p->inv, path, strlen(path), p->doc->number, p->doc->source->ask, false);
	else
		p->inv->left_out++;
	return true;
}

static bool routes(struct inventory *inv, const struct inventory_doc *doc, char *err, size_t size)
{
	size_t off;
	struct jsonpath *path = jsonpath_compile(doc->source->pick, strlen(doc->source->pick), err, size, &off);
	json_t *root = path ? inventory_document(doc->text, doc->len, err, size) : NULL;
	struct picking p = { inv, doc, 0, 0 };
	bool ok = false;

	if (root && jsonpath_walk(path, root, picked, &p) != JP_OK)
		text_format(err, size, "%s: too costly on this document", doc->source->pick);
	else if (root && !p.texts)
		text_format(err, size, "%s: %s", doc->source->pick, p.n ? "finds no texts" : "finds nothing");
	else
		ok = root != NULL;
	json_decref(root);
	jsonpath_free(&path);
	return ok;
}

bool inventory_parse(struct inventory *inv, const struct inventory_doc *doc, struct inventory_children *children, char *err, size_t size)
{
	must(err && size);
	err[0] = '\0';
	if (doc->source->kind != INV_LOG && doc->len > INVENTORY_DOC_MAX) {
		text_format(err, size, "the document is larger than 1 MiB");
		return false;
	}
	switch (doc->source->kind) {
	case INV_OPENAPI: return openapi(inv, doc, err, size);
	case INV_SITEMAP: return inventory_sitemap(inv, doc, children, err, size);
	case INV_LINKS: return inventory_links(inv, doc, err, size);
	case INV_ROUTES: return routes(inv, doc, err, size);
	case INV_LOG: return inventory_log(inv, doc, err, size);
	default: never("a source of no kind");
	}
}
