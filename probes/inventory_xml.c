/* SPDX-License-Identifier: MIT
 * inventory_xml.c - routes out of a sitemap, and out of the links of a page (libxml2: no network, no entities). */
#include <libxml/HTMLparser.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <stdlib.h>
#include <string.h>

#include "probes/inventory.h"

enum { XPATH_OPS = 500000, MAX_LINKS = 10000 };

/* libxml2 writes to stderr unless told not to; per thread, so it is told here each time. */
static void hush(void *arg, const char *fmt, ...)
{
	(void)arg;
	(void)fmt;
}

static void hush_structured(void *arg, xmlErrorPtr e)
{
	(void)arg;
	(void)e;
}

static void quiet(void)
{
	xmlSetGenericErrorFunc(NULL, hush);
	xmlSetStructuredErrorFunc(NULL, (xmlStructuredErrorFunc)hush_structured);
}

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

	if (doc->len >= 2 && (unsigned char)doc->text[0] == 0x1f && (unsigned char)doc->text[1] == 0x8b) {
		text_format(err, size, "a gzip file: name the sitemap that is served as XML");
		return false;
	}
	quiet();
	xmlDocPtr xml = xmlReadMemory(doc->text, (int)doc->len, "sitemap", NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	const xmlNode *root = xml ? xmlDocGetRootElement(xml) : NULL;
	bool index = root && is_element(root, "sitemapindex"), ok = root && (index || is_element(root, "urlset"));

	if (!xml)
		text_format(err, size, "not XML");
	else if (xml->intSubset || xml->extSubset)
		text_format(err, size, "it has a document type: no sitemap has one");
	else if (!ok)
		text_format(err, size, "not a sitemap: its root is <%.40s>", root ? (const char *)root->name : "");
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
	xmlFreeDoc(xml);
	return ok;
}

/* ---- pages ---- */

static htmlDocPtr read_page(const char *html, size_t len)
{
	quiet();
	return htmlReadMemory(html, (int)len, "page", "UTF-8", HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_RECOVER);
}

static xmlXPathObjectPtr evaluate(xmlXPathContextPtr x, const char *expr, char *err, size_t size)
{
	xmlXPathObjectPtr found;

	x->opLimit = XPATH_OPS;
	found = xmlXPathEvalExpression((const xmlChar *)expr, x);
	if (!found)
		text_format(err, size, x->opCount >= x->opLimit ? "%.100s: too costly on this page" : "%.100s: cannot be evaluated", expr);
	else if (found->type != XPATH_NODESET)
		text_format(err, size, "%.100s: does not name nodes", expr);
	else
		return found;
	xmlXPathFreeObject(found);
	return NULL;
}

/* A path with a fragment router's "#/x" is no route of the server: resolving cuts it off, and the page itself stays. */
bool inventory_links(struct inventory *inv, const struct inventory_doc *doc, char *err, size_t size)
{
	htmlDocPtr page = read_page(doc->text, doc->len);
	xmlXPathContextPtr x = page ? xmlXPathNewContext(page) : NULL;
	xmlXPathObjectPtr found = x ? evaluate(x, doc->source->pick, err, size) : NULL;
	size_t n = found && found->nodesetval ? (size_t)found->nodesetval->nodeNr : 0;
	char ref[4 * INVENTORY_MAX_PATH], path[INVENTORY_MAX_PATH + 1];

	if (!page)
		text_format(err, size, "not a page");
	else if (found && !n)
		text_format(err, size, "%.100s: finds nothing on the page", doc->source->pick);
	for (size_t i = 0; i < n && i < MAX_LINKS; i++) {
		const xmlNode *node = found->nodesetval->nodeTab[i];

		if (node->type != XML_ATTRIBUTE_NODE && node->type != XML_ELEMENT_NODE && node->type != XML_TEXT_NODE)
			continue;
		size_t len = node->type == XML_TEXT_NODE ? 0 : own_text(node, ref, sizeof(ref));

		if (inventory_resolve(doc->base, doc->host, ref, len, path))
			inventory_add(inv, path, strlen(path), doc->number, doc->source->ask, false);
	}
	if (n > MAX_LINKS)
		inv->left_out += n - MAX_LINKS;
	xmlXPathFreeObject(found);
	xmlXPathFreeContext(x);
	xmlFreeDoc(page);
	return n > 0;
}

bool inventory_title(const char *html, size_t len, char *out, size_t size)
{
	htmlDocPtr page = len && len <= INVENTORY_DOC_MAX ? read_page(html, len) : NULL;
	xmlXPathContextPtr x = page ? xmlXPathNewContext(page) : NULL;
	char err[160] = "", text[1024];
	xmlXPathObjectPtr found = x ? evaluate(x, "/html/head/title", err, sizeof(err)) : NULL;
	const char *p = text;
	size_t n = 0;

	out[0] = '\0';
	if (found && found->nodesetval && found->nodesetval->nodeNr) {
		n = own_text(found->nodesetval->nodeTab[0], text, sizeof(text));
		while (n && (unsigned char)*p <= ' ') {
			p++;
			n--;
		}
		while (n && (unsigned char)p[n - 1] <= ' ')
			n--;
		if (!text_copy_n(out, size, p, n))
			out[0] = '\0';
	}
	xmlXPathFreeObject(found);
	xmlXPathFreeContext(x);
	xmlFreeDoc(page);
	return out[0] != '\0';
}

bool inventory_xpath_ok(const char *expr, char *err, size_t size)
{
	quiet();
	xmlXPathContextPtr x = xmlXPathNewContext(NULL);

	must(x != NULL);
	x->opLimit = XPATH_OPS;
	xmlXPathCompExprPtr compiled = xmlXPathCtxtCompile(x, (const xmlChar *)expr);
	bool ok = compiled != NULL;

	if (!ok)
		text_format(err, size, "xpath: cannot be compiled: \"%.100s\"", expr);
	xmlXPathFreeCompExpr(compiled);
	xmlXPathFreeContext(x);
	return ok;
}
