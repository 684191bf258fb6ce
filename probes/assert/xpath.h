/* SPDX-License-Identifier: MIT
 * xpath.h - XPath 1.0 on HTML and XML of strangers: libxml2 that always stops soon.
 *
 * No network, no entities, no declarations of the document's own (a DTD with some ends the
 * parse).  Parsing and evaluating each have a budget of CPU time; libxml2 counts operations
 * too, but one operation can copy the whole text of a page, so that its count alone bounds
 * nothing.  A limit that was hit says nothing about the document. */
#ifndef PROBES_XPATH_H
#define PROBES_XPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/base/must.h"

enum { XPATH_MAX_DOC = 256 * 1024 };    /* bytes: 241 KB of HTML parse in 19 ms, the longest single block on the loop */

/* How much of a document is read, and for how long (CPU of this thread). */
struct xdoc_limits {
	size_t bytes;
	size_t nodes;                   /* elements, attributes and texts */
	int64_t parse_us, eval_us;      /* eval: all expressions on it together */
};
extern const struct xdoc_limits xdoc_on_loop;   /* together under the loop's 50 ms; some 12 MB */

struct xpath;
struct xdoc;

/* NULL on error: err is a sentence, *err_off the offset in the text. */
struct xpath *xpath_compile(const char *text, size_t len, char *err, size_t err_size, size_t *err_off);
void xpath_free(struct xpath **);

/* XML where the content type or, without one, the first bytes say so; else HTML, as lenient as
 * browsers.  NULL: err is a sentence, *costly whether a limit was hit.  The body is not kept. */
struct xdoc *xdoc_parse(const char *body, size_t len, const char *content_type, bool *costly, char *err, size_t err_size);
struct xdoc *xdoc_parse_within(const struct xdoc_limits *, const char *body, size_t len, const char *content_type, bool *costly, char *err,
			       size_t err_size);
void xdoc_free(struct xdoc **);

enum xpath_kind { XP_NODES, XP_TEXT, XP_NUMBER, XP_BOOLEAN };
struct xpath_result {
	enum xpath_kind kind;
	size_t n;                       /* nodes */
	long line;                      /* of the first node; 0 when unknown */
	double number;
	bool boolean;
	char *text; size_t len;         /* the text, or that of the first node; OWNED */
};
enum xpath_outcome { XPATH_OK, XPATH_WRONG, XPATH_COSTLY };     /* wrong: has no value here (err says why) */

/* End with xpath_clear(), whatever came out. */
MUSTCHECK enum xpath_outcome xpath_eval(const struct xpath *, struct xdoc *, struct xpath_result *, char *err, size_t err_size);
void xpath_clear(struct xpath_result *);

/* The text of each node, in document order; the text is BORROWED for the call, false stops early. */
typedef bool xpath_visit_fn(void *arg, const char *text, size_t len);
MUSTCHECK enum xpath_outcome xpath_each(const struct xpath *, struct xdoc *, xpath_visit_fn *, void *arg, char *err, size_t err_size);

/* For people, after a path found nothing: the longest beginning of it that does find something, in
 * bytes (0: none) from *from, BORROWED from the expression; and the line of the last node that it finds. */
size_t xpath_deepest(const struct xpath *, struct xdoc *, const char **from, long *line);

#endif
