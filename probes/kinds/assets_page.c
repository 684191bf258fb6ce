/* SPDX-License-Identifier: MIT
 * assets_page.c - the scripts and styles that a page names, and what passes for one. */
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probes/kinds/assets.h"
#include "probes/assert/xdoc.h"
#include "switchd/base/text.h"

void assets_clear(struct asset_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->list[i].url);
	free(l->list);
	*l = (struct asset_list){ 0 };
}

/* ---- media types ---- */

/* "text/html" of "text/html; charset=utf-8" */
static bool is_type(const char *type, const char *want)
{
	size_t n = strlen(want);

	while (*type == ' ')
		type++;
	return strncasecmp(type, want, n) == 0 && strchr("; \t", type[n]) != NULL;
}

bool is_html_type(const char *type) { return is_type(type, "text/html") || is_type(type, "application/xhtml+xml"); }

static bool is_script_type(const char *type)
{
	static const char *const types[] = { "text/javascript", "application/javascript", "application/x-javascript", "application/ecmascript",
					     "text/ecmascript", "text/x-javascript", "text/jscript", "application/x-ecmascript" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (is_type(type, types[i]))
			return true;
	return false;
}

const char *asset_wrong_type(enum asset_kind kind, const char *type)
{
	if (!type || !type[0])
		return "no Content-Type";
	if (kind == ASSET_SCRIPT ? is_script_type(type) : is_type(type, "text/css"))
		return NULL;
	return type;
}

bool looks_like_html(const char *s, size_t n)
{
	static const char *const tags[] = { "<!doctype", "<html", "<head", "<body" };

	if (n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
		s += 3;
		n -= 3;
	}
	for (; n && strchr(" \t\r\n", *s) && *s; s++)
		n--;
	for (size_t i = 0; i < ARRAY_LEN(tags); i++)
		if (n > strlen(tags[i]) && strncasecmp(s, tags[i], strlen(tags[i])) == 0)
			return true;
	return false;
}

/* ---- the page ---- */

struct finding {
	const char *page, *own;
	char *base;
	struct asset_list *out;
};

static bool is(const xmlNode *n, const char *name) { return strcasecmp((const char *)n->name, name) == 0; }

static char *attribute(const xmlNode *n, const char *name)
{
	for (const xmlAttr *a = n->properties; a; a = a->next)
		if (strcasecmp((const char *)a->name, name) == 0) {
			xmlChar *text = xmlNodeListGetString(n->doc, a->children, 1);
			char *copy = xstrdup(text ? (const char *)text : "");

			xmlFree(text);
			return copy;
		}
	return NULL;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; *p; p += strcspn(p, " \t\r\n\f")) {
		p += strspn(p, " \t\r\n\f");
		if (strncasecmp(p, word, n) == 0 && strchr(" \t\r\n\f", p[n]))
			return true;
	}
	return false;
}

static void add(struct finding *f, enum asset_kind kind, const char *ref)
{
	struct asset_list *l = f->out;
	char *url = ref[0] ? url_resolve(f->base, ref) : NULL;

	if (!url)
		return;
	bool external = !url_same_origin(url, f->page) && !(f->own[0] && url_same_origin(url, f->own));

	if (!external) {
		char *path = xstrdup(url_path(url));

		free(url);
		url = path;
	}
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i].external == external && strcmp(l->list[i].url, url) == 0) {
			free(url);
			return;
		}
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 16;
		l->list = xrealloc(l->list, l->room * sizeof(*l->list));
	}
	l->list[l->n++] = (struct asset){ kind, external, url };
	l->external += external;
}

/* A script of another type is data, which nobody fetches. */
static bool runs(const char *type)
{
	return !type || !type[0] || strcasecmp(type, "module") == 0 || is_script_type(type);
}

static void take_script(struct finding *f, const xmlNode *n)
{
	char *src = attribute(n, "src"), *type = attribute(n, "type");

	if (src && runs(type))
		add(f, ASSET_SCRIPT, src);
	free(src);
	free(type);
}

static void take_link(struct finding *f, const xmlNode *n)
{
	char *rel = attribute(n, "rel"), *href = attribute(n, "href"), *as = attribute(n, "as");

	if (rel && href) {
		bool preload = has_word(rel, "preload") && as;

		if (has_word(rel, "modulepreload") || (preload && strcasecmp(as, "script") == 0))
			add(f, ASSET_SCRIPT, href);
		else if (has_word(rel, "stylesheet") || (preload && strcasecmp(as, "style") == 0))
			add(f, ASSET_STYLE, href);
	}
	free(rel);
	free(href);
	free(as);
}

/* The next element in the order of the document; a template's inside is not part of the page. */
static xmlNode *next_node(xmlNode *n, const xmlNode *root)
{
	if (n->children && n->type == XML_ELEMENT_NODE && !is(n, "template"))
		return n->children;
	while (n != root && !n->next)
		n = n->parent;
	return n == root ? NULL : n->next;
}

static void find_base(struct finding *f, xmlNode *root)
{
	for (xmlNode *n = root; n; n = next_node(n, root)) {
		char *href = n->type == XML_ELEMENT_NODE && is(n, "base") ? attribute(n, "href") : NULL;
		char *base = href ? url_resolve(f->page, href) : NULL;

		free(href);
		if (base) {
			free(f->base);
			f->base = base;
			return;
		}
	}
}

bool assets_find(const char *html, size_t len, const char *type, const char *page, const char *own, struct asset_list *out, bool *costly,
		 char *err, size_t err_size)
{
	struct finding f = { .page = page, .own = own, .base = xstrdup(page), .out = out };
	struct xdoc *d = xdoc_parse(html, len, type, costly, err, err_size);

	if (d) {
		xmlNode *root = xmlDocGetRootElement(d->doc);

		find_base(&f, root);
		for (xmlNode *n = root; n; n = next_node(n, root))
			if (n->type == XML_ELEMENT_NODE && is(n, "script"))
				take_script(&f, n);
			else if (n->type == XML_ELEMENT_NODE && is(n, "link"))
				take_link(&f, n);
	}
	bool good = d != NULL;

	xdoc_free(&d);
	free(f.base);
	return good;
}
