/* SPDX-License-Identifier: MIT
 * inventory_xml.c - routes out of a sitemap, and out of the links of a page (xdoc.h: no network, no entities, bounded). */
#include <stdlib.h>
#include <string.h>

#include "probes/inventory/inventory.h"
#include "probes/assert/xdoc.h"

enum { MAX_LINKS = 10000 };

/* On a thread of its own: a whole document may take what the loop does not have. */
static const struct xdoc_limits at_leisure = { .bytes = INVENTORY_DOC_MAX, .nodes = 400000, .parse_us = 2000000, .eval_us = 1000000 };

/* ---- sitemap ---- */

static bool is_element(const xmlNode *n, const char *name) { return n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0; }

/* The text of an element's own text nodes, cut at the most that a reference can be. */
static size_t own_text(const xmlNode *n, char *out, size_t size)
{
	size_t len = 0;

	for (const xmlNode *c = n->children; c; c = c->next) {
		size_t more = (c->type == XML_TEXT_NODE || c->type == XML_CDATA_SECTION_NODE) && c->content ? strlen((const char *)c->content) : 0;

		if (len + more >= size)
			more = size - 1 - len;
		if (more)
			memcpy(out + len, c->content, more);
		len += more;
	}
	out[len] = '\0';
	return len;
}

static void take_loc(struct inventory *inv, const struct inventory_doc *doc, struct inventory_children *children, const char *ref, size_t len)
{
	char path[INVENTORY_MAX_PATH + 1];

	if (!inventory_resolve(doc->base, doc->host, ref, len, path)) {
		inv->left_out++;
	} else if (!children) {
		inventory_add(inv, path, strlen(path), doc->number, doc->source->ask, false);
	} else if (children->n == INVENTORY_MAX_CHILDREN) {
		children->left_out++;
	} else {
		children->path[children->n++] = xstrdup(path);
	}
}

bool inventory_sitemap(struct inventory *inv, const struct inventory_doc *doc, struct inventory_children *children, char *err, size_t size)
{
	char ref[4 * INVENTORY_MAX_PATH];
	size_t locs = 0;
	bool costly = false;

	if (doc->len >= 2 && (unsigned char)doc->text[0] == 0x1f && (unsigned char)doc->text[1] == 0x8b) {
		text_format(err, size, "a gzip file: name the sitemap that is served as XML");
		return false;
	}
	struct xdoc *xml = xdoc_parse_within(&at_leisure, doc->text, doc->len, "application/xml", &costly, err, size);
	const xmlNode *root = xml ? xmlDocGetRootElement(xml->doc) : NULL;
	bool index = root && is_element(root, "sitemapindex"), ok = root && (index || is_element(root, "urlset"));

	if (xml && (xml->doc->intSubset || xml->doc->extSubset))
		text_format(err, size, "it has a document type: no sitemap has one");
	else if ((!xml && !costly) || (xml && ok && !xml->well_formed)) /* half a list would look like a short one */
		text_format(err, size, "not XML");
	else if (xml && !ok)
		text_format(err, size, "not a sitemap: its root is <%.40s>", (const char *)root->name);
	else if (index && !children)
		text_format(err, size, "an index of sitemaps inside an index of sitemaps");
	ok = ok && !err[0];
	for (const xmlNode *e = ok ? root->children : NULL; e; e = e->next)
		for (const xmlNode *loc = is_element(e, index ? "sitemap" : "url") ? e->children : NULL; loc; loc = loc->next)
			if (is_element(loc, "loc")) {
				take_loc(inv, doc, index ? children : NULL, ref, own_text(loc, ref, sizeof(ref)));
				locs++;
			}
	if (ok && !locs) {
		text_format(err, size, "it lists nothing");
		ok = false;
	}
	xdoc_free(&xml);
	return ok;
}

/* ---- pages ---- */

struct linking { struct inventory *inv; const struct inventory_doc *doc; size_t n; };

/* A path with a fragment router's "#/x" is no route of the server: resolving cuts it off, and the page itself stays. */
static bool take_link(void *arg, const char *text, size_t len)
{
	struct linking *l = arg;
	char path[INVENTORY_MAX_PATH + 1];

	if (l->n++ >= MAX_LINKS)
		l->inv->left_out++;
	else if (inventory_resolve(l->doc->base, l->doc->host, text, len, path))
		inventory_add(l->inv, path, strlen(path), l->doc->number, l->doc->source->ask, false);
	return true;
}

bool inventory_links(struct inventory *inv, const struct inventory_doc *doc, char *err, size_t size)
{
	const char *pick = doc->source->pick;
	struct linking l = { .inv = inv, .doc = doc };
	char why[160] = "";
	size_t off;
	bool costly, ok = false;
	struct xpath *x = xpath_compile(pick, strlen(pick), why, sizeof(why), &off);
	struct xdoc *page = x ? xdoc_parse_within(&at_leisure, doc->text, doc->len, "text/html", &costly, why, sizeof(why)) : NULL;

	if (!page)
		text_format(err, size, x ? "not a page that can be read: %s" : "%s", why);
	else if (xpath_each(x, page, take_link, &l, why, sizeof(why)) != XPATH_OK)
		text_format(err, size, "%.100s: %s", pick, why);
	else if (!l.n)
		text_format(err, size, "%.100s: finds nothing on the page", pick);
	else
		ok = true;
	xdoc_free(&page);
	xpath_free(&x);
	return ok;
}

bool inventory_title(const char *html, size_t len, char *out, size_t size)
{
	static const char title[] = "/html/head/title";
	char why[160];
	size_t off;
	bool costly;
	struct xpath *x = xpath_compile(title, strlen(title), why, sizeof(why), &off);
	struct xdoc *page = x && len ? xdoc_parse(html, len, "text/html", &costly, why, sizeof(why)) : NULL;
	struct xpath_result r = { .kind = XP_NODES };

	out[0] = '\0';
	if (page && xpath_eval(x, page, &r, why, sizeof(why)) == XPATH_OK && r.text) {
		const char *p = r.text;
		size_t n = r.len;

		while (n && (unsigned char)*p <= ' ') {
			p++;
			n--;
		}
		while (n && (unsigned char)p[n - 1] <= ' ')
			n--;
		if (!text_copy_n(out, size, p, n))
			out[0] = '\0';
	}
	xpath_clear(&r);
	xdoc_free(&page);
	xpath_free(&x);
	return out[0] != '\0';
}
