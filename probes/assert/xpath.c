/* SPDX-License-Identifier: MIT
 * xpath.c - compile and evaluate XPath 1.0 within limits. */
#include "probes/assert/xpath.h"

#include <libxml/xpathInternals.h>
#include <stdlib.h>
#include <string.h>

#include "probes/assert/xdoc.h"
#include "switchd/base/clock.h"
#include "switchd/base/text.h"

struct xpath {
	char *text;
	xmlXPathCompExprPtr comp;
	bool wide;              /* compares or joins sets of nodes: pairs of them, uncounted by libxml2 */
};

struct said { int code; size_t at; };

/* libxml2 tells the code and, in a text that it compiles, the place; its sentences it keeps. */
static void on_error(void *arg, xmlErrorPtr e)
{
	struct said *s = arg;

	if (s->code)
		return;
	s->code = e->code - XML_XPATH_EXPRESSION_OK + XPATH_EXPRESSION_OK;
	s->at = e->int1 > 0 ? (size_t)e->int1 : 0;
}

static const char *sentence(const struct said *s)
{
	switch (s->code) {
	case XPATH_NUMBER_ERROR: return "a number that is none";
	case XPATH_UNFINISHED_LITERAL_ERROR: return "a text in quotes that does not end";
	case XPATH_START_LITERAL_ERROR: return "want a text in quotes";
	case XPATH_VARIABLE_REF_ERROR: return "want the name of a variable after $";
	case XPATH_UNDEF_VARIABLE_ERROR: return "there are no variables here";
	case XPATH_INVALID_PREDICATE_ERROR: return "want a condition and ] here";
	case XPATH_EXPR_ERROR: return "no expression from here on";
	case XPATH_UNCLOSED_ERROR: return "a ( without )";
	case XPATH_UNKNOWN_FUNC_ERROR: return "a function that XPath does not have";
	case XPATH_INVALID_OPERAND: return "an operand that does not fit";
	case XPATH_INVALID_TYPE: return "an operand of the wrong type";
	case XPATH_INVALID_ARITY: return "a function with too many or too few arguments";
	case XPATH_UNDEF_PREFIX_ERROR: return "the root element declares no such prefix";
	case XPATH_INVALID_CHAR_ERROR: return "a character that cannot stand here";
	case XPATH_OP_LIMIT_EXCEEDED:
	case XPATH_RECURSION_LIMIT_EXCEEDED: return "it is too long or too deep";
	default: return "it has no value here";
	}
}

/* ---- functions of ours in place of libxml2's: those are quadratic in texts that come from the page ---- */

static bool wrong_arity(xmlXPathParserContextPtr p, int n, int want)
{
	if (n != want)
		xmlXPathErr(p, XPATH_INVALID_ARITY);
	return n != want;
}

static bool two_texts(xmlXPathParserContextPtr p, xmlChar **s, xmlChar **part)
{
	*part = xmlXPathPopString(p);
	*s = xmlXPathPopString(p);
	return p->error == XPATH_EXPRESSION_OK && *s && *part;
}

static const char *find_part(const xmlChar *s, const xmlChar *part)
{
	return memmem(s, strlen((const char *)s), part, strlen((const char *)part));
}

static void fn_contains(xmlXPathParserContextPtr p, int n)
{
	xmlChar *s, *part;

	if (wrong_arity(p, n, 2))
		return;
	if (two_texts(p, &s, &part))
		valuePush(p, xmlXPathNewBoolean(find_part(s, part) != NULL));
	xmlFree(s);
	xmlFree(part);
}

static void fn_before(xmlXPathParserContextPtr p, int n)
{
	xmlChar *s, *part;

	if (wrong_arity(p, n, 2))
		return;
	if (two_texts(p, &s, &part)) {
		const char *at = find_part(s, part);

		s[at ? at - (const char *)s : 0] = '\0';
		valuePush(p, xmlXPathNewString(s));
	}
	xmlFree(s);
	xmlFree(part);
}

static void fn_after(xmlXPathParserContextPtr p, int n)
{
	xmlChar *s, *part;

	if (wrong_arity(p, n, 2))
		return;
	if (two_texts(p, &s, &part)) {
		const char *at = find_part(s, part);

		valuePush(p, xmlXPathNewString(BAD_CAST (at ? at + strlen((const char *)part) : "")));
	}
	xmlFree(s);
	xmlFree(part);
}

/* Each character is looked up in `from`: a list of letters, not a page. */
static void fn_translate(xmlXPathParserContextPtr p, int n)
{
	if (wrong_arity(p, n, 3))
		return;
	xmlChar *to = xmlXPathPopString(p), *from = xmlXPathPopString(p);

	if (p->error == XPATH_EXPRESSION_OK && from && strlen((const char *)from) > 512) {
		xmlXPathErr(p, XPATH_OP_LIMIT_EXCEEDED);
	} else if (p->error == XPATH_EXPRESSION_OK && from && to) {
		valuePush(p, xmlXPathNewString(from));
		valuePush(p, xmlXPathNewString(to));
		xmlXPathTranslateFunction(p, 3);
	}
	xmlFree(to);
	xmlFree(from);
}

/* A name that is there already is not replaced: it is removed before. */
static void add_functions(xmlXPathContextPtr ctx)
{
	static const struct { const char *name; xmlXPathFunction fn; } ours[] = {
		{ "contains", fn_contains }, { "substring-before", fn_before }, { "substring-after", fn_after }, { "translate", fn_translate },
	};

	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		(void)xmlXPathRegisterFunc(ctx, BAD_CAST ours[i].name, NULL);
		must(xmlXPathRegisterFunc(ctx, BAD_CAST ours[i].name, ours[i].fn) == 0);
	}
}

/* ---- compile ---- */

static bool name_first(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool name_char(char c) { return name_first(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':'; }

/* libxml2 finds out about a function when it is called, which may be never: we ask before. */
static bool functions_known(const char *s, char *err, size_t err_size, size_t *err_off)
{
	static const char *const known[] = { "last", "position", "count", "id", "local-name", "namespace-uri", "name", "string", "concat",
		"starts-with", "contains", "substring-before", "substring-after", "substring", "string-length", "normalize-space", "translate",
		"boolean", "not", "true", "false", "lang", "number", "sum", "floor", "ceiling", "round",
		"node", "text", "comment", "processing-instruction", "and", "or", "div", "mod" };
	char word[40];

	for (size_t i = 0; s[i];) {
		size_t from = i;

		if (s[i] == '"' || s[i] == '\'') {
			const char *close = strchr(s + i + 1, s[i]);

			if (!close)
				return true;
			i = (size_t)(close - s) + 1;
			continue;
		}
		if (!name_first(s[i])) {
			i++;
			continue;
		}
		while (name_char(s[i]))
			i++;
		const char *axis = strstr(s + from, "::");
		size_t begin = axis && axis < s + i ? (size_t)(axis + 2 - s) : from;
		bool call = s[i + strspn(s + i, " \t\r\n")] == '(';
		bool ok = !call;

		text_copy_n(word, sizeof(word), s + begin, i - begin);
		for (size_t k = 0; k < ARRAY_LEN(known) && !ok; k++)
			ok = strcmp(word, known[k]) == 0;
		if (ok)
			continue;
		const char *near = text_nearest(word, known, ARRAY_LEN(known));

		text_format(err, err_size, near ? "XPath has no function %s (did you mean %s?)" : "XPath has no function %s", word, near);
		*err_off = begin;
		return false;
	}
	return true;
}

/* What libxml2 does with two sets of nodes costs the product of their sizes. */
static bool joins_nodes(const char *s)
{
	static const char *const axes[] = { "following", "preceding", "ancestor" };
	bool literal = false;   /* before this byte stands a text or a number */

	for (size_t i = 0; i < ARRAY_LEN(axes); i++)
		if (strstr(s, axes[i]))
			return true;
	for (; *s; s++) {
		if (*s == '"' || *s == '\'') {
			const char *close = strchr(s + 1, *s);

			s = close ? close : s + strlen(s) - 1;
			literal = true;
		} else if (*s == '|') {
			return true;
		} else if (strchr("=<>", *s)) {
			const char *right = s + 1 + strspn(s + 1, "= \t\r\n-");

			if (!literal && !(*right == '"' || *right == '\'' || (*right >= '0' && *right <= '9')))
				return true;
			literal = false;
		} else if (!strchr(" \t\r\n!", *s)) {
			literal = *s >= '0' && *s <= '9';
		}
	}
	return false;
}

/* Wrong numbers of arguments, variables: whatever shows on a page with nothing in it. */
static bool try_out(const struct xpath *x, struct said *said)
{
	xmlDocPtr doc = xmlNewDoc(BAD_CAST "1.0");

	must(doc != NULL);
	xmlDocSetRootElement(doc, xmlNewDocNode(doc, NULL, BAD_CAST "html", NULL));
	xmlXPathContextPtr ctx = xmlXPathNewContext(doc);

	must(ctx != NULL);
	add_functions(ctx);
	ctx->error = on_error;
	ctx->userData = said;
	ctx->opLimit = OP_LIMIT;
	ctx->node = (xmlNodePtr)doc;
	xmlXPathFreeObject(xmlXPathCompiledEval(x->comp, ctx));
	xmlXPathFreeContext(ctx);
	xmlFreeDoc(doc);
	return said->code == 0 || said->code == XPATH_UNDEF_PREFIX_ERROR;
}

static xmlXPathCompExprPtr compile_text(const char *text, struct said *said)
{
	xmlXPathContextPtr ctx = xmlXPathNewContext(NULL);

	must(ctx != NULL);
	ctx->error = on_error;
	ctx->userData = said;
	ctx->opLimit = OP_LIMIT;
	xmlXPathCompExprPtr comp = xmlXPathCtxtCompile(ctx, BAD_CAST text);

	xmlXPathFreeContext(ctx);
	return comp;
}

struct xpath *xpath_compile(const char *text, size_t len, char *err, size_t err_size, size_t *err_off)
{
	struct said said = { .code = 0 };

	xml_once();
	*err_off = 0;
	if (!len || memchr(text, '\0', len)) {
		text_copy(err, err_size, len ? "a zero byte in the XPath" : "the XPath is empty");
		*err_off = len ? strnlen(text, len) : 0;
		return NULL;
	}
	struct xpath *x = xcalloc(1, sizeof(*x));

	x->text = xcalloc(1, len + 1);
	memcpy(x->text, text, len);
	x->wide = joins_nodes(x->text);
	x->comp = compile_text(x->text, &said);
	if (!x->comp || said.code) {
		text_format(err, err_size, "the XPath does not compile: %s", said.code ? sentence(&said) : "it is not an expression");
		*err_off = said.at <= len ? said.at : 0;
		xpath_free(&x);
	} else if (!functions_known(x->text, err, err_size, err_off)) {
		xpath_free(&x);
	} else if (!try_out(x, &said)) {
		text_format(err, err_size, "the XPath cannot be evaluated: %s", sentence(&said));
		xpath_free(&x);
	}
	return x;
}

void xpath_free(struct xpath **xp)
{
	struct xpath *x = *xp;

	if (!x)
		return;
	if (x->comp)
		xmlXPathFreeCompExpr(x->comp);
	free(x->text);
	free(x);
	*xp = NULL;
}

/* ---- evaluate ---- */

struct run { struct meter m; struct said said; struct xdoc *d; xmlXPathObjectPtr result; int64_t budget, began; };

static void run_begin(struct run *r, xmlXPathCompExprPtr comp, struct xdoc *d)
{
	*r = (struct run){ .d = d, .budget = d->left_us, .began = cpu_now_us() };
	add_functions(d->ctx);
	d->ctx->node = (xmlNodePtr)d->doc;
	d->ctx->opLimit = OP_LIMIT;
	d->ctx->opCount = 0;
	d->ctx->error = on_error;
	d->ctx->userData = &r->said;
	meter_begin(&r->m, d->left_us, d->ctx);
	r->result = xmlXPathCompiledEval(comp, d->ctx);
}

static enum xpath_outcome run_outcome(const struct run *r, char *err, size_t err_size)
{
	if (r->m.over || r->said.code == XPATH_OP_LIMIT_EXCEEDED || r->said.code == XPATH_RECURSION_LIMIT_EXCEEDED) {
		text_copy(err, err_size, "the XPath reached its limits on this body");
		return XPATH_COSTLY;
	}
	if (!r->result || r->said.code) {
		text_copy(err, err_size, sentence(&r->said));
		return XPATH_WRONG;
	}
	return XPATH_OK;
}

static void run_end(struct run *r)
{
	xmlXPathFreeObject(r->result);
	meter_end();
	int64_t left = r->budget - (cpu_now_us() - r->began);

	r->d->left_us = left > 0 ? left : 0;
	r->d->ctx->error = NULL;
	r->d->ctx->userData = NULL;
}

static enum xpath_outcome too_wide(char *err, size_t err_size)
{
	text_copy(err, err_size, "the page has too many elements for an XPath that compares them with each other");
	return XPATH_COSTLY;
}

/* 0: libxml2 does not know it. */
static long line_of(const xmlNode *n)
{
	long line = xmlGetLineNo(n);

	return line > 0 ? line : 0;
}

static void take_text(struct xpath_result *out, xmlChar *s)
{
	out->len = s ? strlen((const char *)s) : 0;
	out->text = xstrdup(s ? (const char *)s : "");
	xmlFree(s);
}

static enum xpath_outcome take_result(struct run *r, struct xpath_result *out, char *err, size_t err_size)
{
	xmlXPathObjectPtr o = r->result;

	switch (o->type) {
	case XPATH_NODESET:
		out->kind = XP_NODES;
		out->n = o->nodesetval ? (size_t)o->nodesetval->nodeNr : 0;
		if (!out->n)
			return XPATH_OK;
		xmlXPathNodeSetSort(o->nodesetval);
		out->line = line_of(o->nodesetval->nodeTab[0]);
		take_text(out, xmlXPathCastNodeToString(o->nodesetval->nodeTab[0]));
		return XPATH_OK;
	case XPATH_BOOLEAN:
		out->kind = XP_BOOLEAN;
		out->boolean = o->boolval;
		return XPATH_OK;
	case XPATH_NUMBER:
		out->kind = XP_NUMBER;
		out->number = o->floatval;
		return XPATH_OK;
	case XPATH_STRING:
		out->kind = XP_TEXT;
		take_text(out, o->stringval);
		o->stringval = NULL;
		return XPATH_OK;
	default:
		text_copy(err, err_size, "it has no value here");
		return XPATH_WRONG;
	}
}

enum xpath_outcome xpath_eval(const struct xpath *x, struct xdoc *d, struct xpath_result *out, char *err, size_t err_size)
{
	struct run r;

	*out = (struct xpath_result){ .kind = XP_NODES };
	if (x->wide && d->nodes > NODES_WIDE)
		return too_wide(err, err_size);
	run_begin(&r, x->comp, d);
	enum xpath_outcome o = run_outcome(&r, err, err_size);

	if (o == XPATH_OK)
		o = take_result(&r, out, err, err_size);
	run_end(&r);
	return o;
}

void xpath_clear(struct xpath_result *r)
{
	free(r->text);
	*r = (struct xpath_result){ .kind = XP_NODES };
}

enum xpath_outcome xpath_each(const struct xpath *x, struct xdoc *d, xpath_visit_fn *visit, void *arg, char *err, size_t err_size)
{
	struct run r;

	if (x->wide && d->nodes > NODES_WIDE)
		return too_wide(err, err_size);
	run_begin(&r, x->comp, d);
	enum xpath_outcome o = run_outcome(&r, err, err_size);

	if (o == XPATH_OK && r.result->type != XPATH_NODESET) {
		text_copy(err, err_size, "it finds no nodes but a single value");
		o = XPATH_WRONG;
	}
	xmlNodeSetPtr set = o == XPATH_OK ? r.result->nodesetval : NULL;
	bool more = true;

	if (set)
		xmlXPathNodeSetSort(set);
	for (int i = 0; set && i < set->nodeNr && more && o == XPATH_OK; i++) {
		xmlChar *s = xmlXPathCastNodeToString(set->nodeTab[i]);

		more = visit(arg, s ? (const char *)s : "", s ? strlen((const char *)s) : 0);
		xmlFree(s);
		o = run_outcome(&r, err, err_size);     /* texts within texts: the meter ran on */
	}
	run_end(&r);
	return o;
}

/* ---- for people ---- */

/* Behind the path that the text is, or is the only argument of: string(//title). */
static size_t path_in(const char *s, size_t *end)
{
	size_t from = strspn(s, " "), n = strlen(s);

	while (n > from && s[n - 1] == ' ')
		n--;
	while (name_first(s[from])) {
		size_t open = from;

		while (name_char(s[open]))
			open++;
		if (s[open] != '(' || n == 0 || s[n - 1] != ')')
			break;
		from = open + 1;
		n--;
	}
	*end = n;
	return from;
}

/* The place of the last step's slash outside of brackets and quotes, before `end`; 0: none. */
static size_t last_slash(const char *s, size_t from, size_t end)
{
	size_t last = 0;
	int depth = 0;

	for (size_t i = from; i < end; i++) {
		if (s[i] == '"' || s[i] == '\'') {
			const char *close = strchr(s + i + 1, s[i]);

			if (!close)
				return 0;
			i = (size_t)(close - s);
		} else if (s[i] == '[' || s[i] == '(') {
			depth++;
		} else if (s[i] == ']' || s[i] == ')') {
			depth--;
		} else if (s[i] == '/' && depth == 0 && i > from && s[i - 1] != '/') {
			last = i;
		}
	}
	return last;
}

size_t xpath_deepest(const struct xpath *x, struct xdoc *d, const char **from, long *line)
{
	size_t end, begin = path_in(x->text, &end), found = 0;

	*from = x->text + begin;
	*line = 0;
	while (!found && (end = last_slash(x->text, begin, end)) != 0 && d->left_us > 0) {
		struct said said = { .code = 0 };
		char *part = xstrdup(*from);
		struct run r;

		part[end - begin] = '\0';
		xmlXPathCompExprPtr comp = compile_text(part, &said);

		free(part);
		if (!comp)
			return 0;
		run_begin(&r, comp, d);
		xmlNodeSetPtr set = r.result && !r.m.over && r.result->type == XPATH_NODESET ? r.result->nodesetval : NULL;

		if (set && set->nodeNr > 0) {
			xmlXPathNodeSetSort(set);
			*line = line_of(set->nodeTab[set->nodeNr - 1]);
			found = end - begin;
		}
		run_end(&r);
		xmlXPathFreeCompExpr(comp);
	}
	return found;
}
