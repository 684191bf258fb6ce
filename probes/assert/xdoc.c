/* SPDX-License-Identifier: MIT
 * xdoc.c - HTML and XML of strangers, parsed within limits.
 *
 * What is quadratic in libxml2 2.9 and can be met by 256 KiB of bytes: many attributes on one tag
 * (refused before parsing), end tags that close nothing in a deep page, white space between comments,
 * thousands of namespaces, comments
 * in a row (each of them comes by an event or an error: the meter stops them). */
#include "probes/assert/xdoc.h"

#include <libxml/HTMLparser.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xpathInternals.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "switchd/base/clock.h"
#include "switchd/base/text.h"

enum { LOOK_EVERY = 64, PAIRS_MAX = 4 * 1000 * 1000, ODDS_MAX = 200 * 1000 };

/* ---- the meter ---- */

/* Of this thread: routes are read from pages on another one. */
static _Thread_local struct meter *running;

void meter_begin(struct meter *m, int64_t budget_us, xmlXPathContextPtr ctx)
{
	must(!running);
	*m = (struct meter){ .until_us = cpu_now_us() + budget_us, .ctx = ctx };
	running = m;
}

void meter_end(void) { running = NULL; }

bool meter_tick(size_t cost)
{
	struct meter *m = running;

	if (!m)
		return false;
	m->since += cost;
	if (!m->over && m->since >= LOOK_EVERY) {
		m->since = 0;
		m->over = cpu_now_us() > m->until_us;
	}
	if (m->over && m->ctx)
		m->ctx->opCount = m->ctx->opLimit;      /* the next operation finds no more left */
	return m->over;
}

static void *meter_malloc(size_t n)
{
	(void)meter_tick(1 + n / 1024);
	return xmalloc(n);
}

static void *meter_realloc(void *p, size_t n)
{
	(void)meter_tick(1 + n / 1024);
	return xrealloc(p, n);
}

static char *meter_strdup(const char *s)
{
	(void)meter_tick(1);
	return xstrdup(s);
}

static void be_quiet(void *ctx, const char *msg, ...) PRINTF(2, 3);
static void be_quiet(void *ctx, const char *msg, ...) { (void)ctx, (void)msg; }

/* What libxml2 was given before, by whomever, came from the same heap. */
static void set_up(void)
{
	must(xmlMemSetup(free, meter_malloc, meter_realloc, meter_strdup) == 0);
	xmlInitParser();
}

void xml_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static _Thread_local bool quiet;

	must(pthread_once(&once, set_up) == 0);
	if (!quiet)
		xmlSetGenericErrorFunc(NULL, be_quiet);
	quiet = true;
}

/* ---- events of the parsers ---- */

struct parse {
	xmlParserCtxtPtr ctxt;
	size_t nodes, nodes_max;
	size_t odd, odds;               /* since the last tag; all of these, each with its place in its row */
	bool declares, crowded, gave_up, well_formed;
};

static void step(xmlParserCtxtPtr ctxt, size_t nodes)
{
	struct parse *p = ctxt->_private;

	p->nodes += nodes;
	p->crowded |= p->nodes > p->nodes_max;
	if (meter_tick(1 + nodes) || p->crowded)
		xmlStopParser(ctxt);
}

/* What has no tag.  To sort such nodes libxml2 walks from each to the nearest element, again and again: 37,000 comments
 * in a row took 12 s.  A text may stand between two of them. */
static void odd(xmlParserCtxtPtr ctxt)
{
	struct parse *p = ctxt->_private;

	p->odd += 2;
	p->odds += p->odd;
	p->crowded |= p->odds > ODDS_MAX;
	step(ctxt, 1);
}

static void tag(xmlParserCtxtPtr ctxt, size_t nodes)
{
	((struct parse *)ctxt->_private)->odd = 0;
	step(ctxt, nodes);
}

static void on_start(void *ctx, const xmlChar *name, const xmlChar **atts)
{
	size_t n = 1;

	for (size_t i = 0; atts && atts[i]; i += 2)
		n++;
	xmlSAX2StartElement(ctx, name, atts);
	tag(ctx, n);
}

static void on_start_ns(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri, int n_ns, const xmlChar **ns,
			int n_atts, int n_defaulted, const xmlChar **atts)
{
	xmlSAX2StartElementNs(ctx, local, prefix, uri, n_ns, ns, n_atts, n_defaulted, atts);
	tag(ctx, 1 + (size_t)n_atts + (size_t)n_ns);
}

static void on_end(void *ctx, const xmlChar *name)
{
	xmlSAX2EndElement(ctx, name);
	tag(ctx, 0);
}

static void on_text(void *ctx, const xmlChar *s, int n)
{
	xmlSAX2Characters(ctx, s, n);
	step(ctx, 1);
}

static void on_blank(void *ctx, const xmlChar *s, int n)
{
	(void)s, (void)n;
	step(ctx, 0);
}

static void on_comment(void *ctx, const xmlChar *s)
{
	xmlSAX2Comment(ctx, s);
	odd(ctx);
}

static void on_instruction(void *ctx, const xmlChar *target, const xmlChar *data)
{
	xmlSAX2ProcessingInstruction(ctx, target, data);
	odd(ctx);
}

static void on_cdata(void *ctx, const xmlChar *s, int n)
{
	xmlSAX2CDataBlock(ctx, s, n);
	odd(ctx);
}

static void on_reference(void *ctx, const xmlChar *name)
{
	xmlSAX2Reference(ctx, name);
	odd(ctx);
}

static void on_end_ns(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
	xmlSAX2EndElementNs(ctx, local, prefix, uri);
	tag(ctx, 0);
}

/* Of the parsers' errors two can be dear: a wrong end tag looks through all open elements, and 65,000 entities that are none cost
 * 50 ms without any event. At both the parser holds no pointer into what is taken from it here. */
static void on_error(void *ctx, xmlErrorPtr e)
{
	xmlParserCtxtPtr ctxt = ctx;

	if (meter_tick(1) && (e->code == XML_ERR_TAG_NAME_MISMATCH || e->code == XML_ERR_UNDECLARED_ENTITY))
		xmlStopParser(ctxt);
}

/* A document that declares things of its own declares entities that hold entities that hold... */
static void declares(void *ctx)
{
	xmlParserCtxtPtr ctxt = ctx;

	((struct parse *)ctxt->_private)->declares = true;
	xmlStopParser(ctxt);
}

static void on_entity(void *ctx, const xmlChar *name, int type, const xmlChar *pub, const xmlChar *sys, xmlChar *content)
{
	(void)name, (void)type, (void)pub, (void)sys, (void)content;
	declares(ctx);
}

static void on_attribute(void *ctx, const xmlChar *elem, const xmlChar *name, int type, int def, const xmlChar *value, xmlEnumerationPtr tree)
{
	(void)elem, (void)name, (void)type, (void)def, (void)value;
	xmlFreeEnumeration(tree);
	declares(ctx);
}

static void on_element(void *ctx, const xmlChar *name, int type, xmlElementContentPtr content)
{
	(void)name, (void)type, (void)content;
	declares(ctx);
}

static void on_notation(void *ctx, const xmlChar *name, const xmlChar *pub, const xmlChar *sys)
{
	(void)name, (void)pub, (void)sys;
	declares(ctx);
}

static void on_unparsed(void *ctx, const xmlChar *name, const xmlChar *pub, const xmlChar *sys, const xmlChar *notation)
{
	(void)name, (void)pub, (void)sys, (void)notation;
	declares(ctx);
}

static void listen(xmlParserCtxtPtr ctxt, struct parse *p, bool xml)
{
	xmlSAXHandlerPtr h = ctxt->sax;

	ctxt->_private = p;
	ctxt->linenumbers = 1;
	h->initialized = XML_SAX2_MAGIC;        /* or serror is not called */
	h->serror = on_error;
	h->characters = on_text;
	h->comment = on_comment;
	h->processingInstruction = on_instruction;
	if (!xml) {
		h->startElement = on_start;
		h->endElement = on_end;
		h->ignorableWhitespace = on_blank;
		return;
	}
	h->startElementNs = on_start_ns;
	h->endElementNs = on_end_ns;
	h->cdataBlock = on_cdata;
	h->reference = on_reference;
	h->ignorableWhitespace = on_text;
	h->entityDecl = on_entity;
	h->attributeDecl = on_attribute;
	h->elementDecl = on_element;
	h->notationDecl = on_notation;
	h->unparsedEntityDecl = on_unparsed;
}

/* ---- before parsing ---- */

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\0'; }

/* At the byte behind '<': how many attributes does this tag have at most?  A zero byte is skipped, so that UTF-16 is counted too. */
static size_t count_attributes(const char **at, const char *end)
{
	const char *s = *at;
	size_t n = 0;

	while (s < end && !blank(*s) && *s != '>' && *s != '/')
		s++;
	while (s < end && *s != '>') {
		if (blank(*s) || *s == '/') {
			s++;
			continue;
		}
		n++;
		s += *s == '=';
		while (s < end && !blank(*s) && *s != '>' && *s != '=')
			s++;
		while (s < end && blank(*s))
			s++;
		if (s == end || *s != '=')
			continue;
		for (s++; s < end && blank(*s);)
			s++;
		if (s < end && (*s == '"' || *s == '\'')) {
			const char *close = memchr(s + 1, *s, (size_t)(end - s - 1));

			s = close ? close + 1 : end;
		} else {
			while (s < end && !blank(*s) && *s != '>')
				s++;
		}
	}
	*at = s;
	return n;
}

/* Each attribute of a tag is compared with all before it. */
static bool too_many_attributes(const char *s, size_t len)
{
	size_t pairs = 0;

	for (const char *end = s + len; s < end && pairs <= PAIRS_MAX;) {
		const char *tag = memchr(s, '<', (size_t)(end - s));

		if (!tag || tag + 1 >= end)
			break;
		s = tag + 1;
		if (*s == '!' || *s == '/' || *s == '?' || *s == ' ')
			continue;
		size_t n = count_attributes(&s, end);

		pairs += n * n;
	}
	return pairs > PAIRS_MAX;
}

static bool is_xml(const char *body, size_t len, const char *type)
{
	if (type && *type)      /* XHTML too is read as browsers read it: its names have no prefix then */
		return strcasestr(type, "xml") && !strcasestr(type, "html");
	while (len && (blank(*body) || (unsigned char)*body >= 0x80)) {
		body++;
		len--;
	}
	char start[1024];

	text_copy_n(start, sizeof(start), body, strnlen(body, len));
	return text_starts(start, "<?xml") && !strcasestr(start, "<html");
}

/* Said by the server, then by the page; else UTF-8.  Only names that are known: any other would make iconv look for a module. */
static const char *encoding_of(const char *body, size_t len, const char *type)
{
	static const char *const known[] = { "utf-8", "iso-8859-1", "windows-1252", "iso-8859-15", "us-ascii" };
	char start[1024];
	const char *said = type ? strcasestr(type, "charset=") : NULL;

	if (!said) {
		text_copy_n(start, sizeof(start), body, strnlen(body, len < sizeof(start) ? len : sizeof(start) - 1));
		said = strcasestr(start, "charset=");
	}
	if (said) {
		said += strlen("charset=");
		said += *said == '"' || *said == '\'';
		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			if (strncasecmp(said, known[i], strlen(known[i])) == 0 && !strchr("-_", said[strlen(known[i])] ? said[strlen(known[i])] : '.'))
				return known[i];
	}
	return "utf-8";
}

/* ---- parsing ---- */

static xmlDocPtr parse(const char *body, size_t len, const char *type, struct parse *p)
{
	bool xml = is_xml(body, len, type);
	int common = XML_PARSE_RECOVER | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NONET | XML_PARSE_COMPACT;
	xmlParserCtxtPtr ctxt = xml ? xmlNewParserCtxt() : htmlNewParserCtxt();
	xmlDocPtr doc;

	must(ctxt != NULL);
	p->ctxt = ctxt;
	listen(ctxt, p, xml);
	if (xml)
		doc = xmlCtxtReadMemory(ctxt, body, (int)len, NULL, NULL, common);
	else
		doc = htmlCtxtReadMemory(ctxt, body, (int)len, NULL, encoding_of(body, len, type), common | HTML_PARSE_IGNORE_ENC);
	p->gave_up = ctxt->disableSAX != 0;     /* 256 levels, a name without end: half a page would look like an absent feature */
	p->well_formed = ctxt->wellFormed != 0;
	if (!doc && ctxt->myDoc)
		xmlFreeDoc(ctxt->myDoc);
	ctxt->myDoc = NULL;
	xmlFreeParserCtxt(ctxt);
	return doc;
}

static struct xdoc *refuse(bool *costly, char *err, size_t size, const char *why)
{
	*costly = why != NULL;
	text_copy(err, size, why ? why : "the body is empty");
	return NULL;
}

/* Prefixes of the root element mean in an expression what they mean there; `_` is its default one, as in Hurl. */
static void register_prefixes(struct xdoc *d)
{
	xmlNodePtr root = xmlDocGetRootElement(d->doc);
	int n = 0;

	for (xmlNsPtr ns = root ? root->nsDef : NULL; ns && n < 64; ns = ns->next, n++)
		(void)xmlXPathRegisterNs(d->ctx, ns->prefix ? ns->prefix : BAD_CAST "_", ns->href);
}

const struct xdoc_limits xdoc_on_loop = { .bytes = XPATH_MAX_DOC, .nodes = 40000, .parse_us = 30000, .eval_us = 10000 };

struct xdoc *xdoc_parse(const char *body, size_t len, const char *content_type, bool *costly, char *err, size_t err_size)
{
	return xdoc_parse_within(&xdoc_on_loop, body, len, content_type, costly, err, err_size);
}

struct xdoc *xdoc_parse_within(const struct xdoc_limits *most, const char *body, size_t len, const char *content_type, bool *costly, char *err,
			       size_t err_size)
{
	struct parse p = { .nodes_max = most->nodes };
	struct meter m;

	*costly = false;
	xml_once();
	if (!body || !len)
		return refuse(costly, err, err_size, NULL);
	if (len > most->bytes) {
		text_format(err, err_size, "the body has %zu bytes: XPath reads %zu at most", len, most->bytes);
		*costly = true;
		return NULL;
	}
	if (too_many_attributes(body, len))
		return refuse(costly, err, err_size, "a tag of the page has too many attributes");
	meter_begin(&m, most->parse_us, NULL);
	xmlDocPtr doc = parse(body, len, content_type, &p);

	meter_end();
	const char *why = p.declares ? "the document declares entities or types of its own, which are not read" :
			  p.crowded ? "the page has too many elements" : m.over ? "the page takes too long to parse" :
			  p.gave_up ? "the page is too deep, or too odd, for its parser" : NULL;

	if (why || !doc || !xmlDocGetRootElement(doc)) {
		xmlFreeDoc(doc);
		if (!why)
			text_copy(err, err_size, "no element in the body");
		return why ? refuse(costly, err, err_size, why) : NULL;
	}
	struct xdoc *d = xcalloc(1, sizeof(*d));

	d->doc = doc;
	d->nodes = p.nodes;
	d->well_formed = p.well_formed;
	d->left_us = most->eval_us;
	(void)xmlXPathOrderDocElems(doc);
	d->ctx = xmlXPathNewContext(doc);
	must(d->ctx != NULL);
	register_prefixes(d);
	return d;
}

void xdoc_free(struct xdoc **dp)
{
	struct xdoc *d = *dp;

	if (!d)
		return;
	xmlXPathFreeContext(d->ctx);
	xmlFreeDoc(d->doc);
	free(d);
	*dp = NULL;
}
