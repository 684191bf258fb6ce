/* SPDX-License-Identifier: MIT
 * inventory.h - lists of routes: read out of documents, and fetched from a slot.
 *
 * inventory_parse() reads foreign bytes: bounded, no network, no files; fit for a worker thread.
 * inventory_fetch() asks a slot's targets on the loop: documents from the first target that
 * answers, then each route once, politely.  Parsing and log files go to a thread of its own. */
#ifndef PROBES_INVENTORY_H
#define PROBES_INVENTORY_H

#include "switchd/core/inventory.h"

struct ev_loop;

enum {
	INVENTORY_DOC_MAX = 1024 * 1024,        /* bytes of a document, decoded; YAML_MAX_TEXT is the same */
	INVENTORY_LOG_MAX = 8 * 1024 * 1024,    /* the end of a log file that is read: some 40,000 lines */
	INVENTORY_MAX_CHILDREN = 50,            /* sitemaps of an index */
	INVENTORY_DEADLINE_MS = 120 * 1000,     /* of a whole fetch: 2,000 routes at 25 a second take 80 s */
};

/* Where the document came from, and what it is. */
struct inventory_doc {
	const struct inventory_source *source;
	int number;                     /* of the source in the config: bit of route.sources */
	const char *host;               /* the public name: other hosts' addresses are left out; "" = any */
	const char *base;               /* path of the document */
	const char *text; size_t len;
};

/* Sitemaps that an index names (paths), to be read next. */
struct inventory_children { char *path[INVENTORY_MAX_CHILDREN]; size_t n, left_out; };
void inventory_children_clear(struct inventory_children *);

/* False: not such a document; err is a sentence.  children may be NULL: an index in an index is not followed. */
MUSTCHECK bool inventory_parse(struct inventory *, const struct inventory_doc *, struct inventory_children *, char *err, size_t err_size);

/* The parts of it, by file: inventory_parse.c, inventory_xml.c, inventory_log.c. */
MUSTCHECK bool inventory_sitemap(struct inventory *, const struct inventory_doc *, struct inventory_children *, char *err, size_t);
MUSTCHECK bool inventory_links(struct inventory *, const struct inventory_doc *, char *err, size_t);
MUSTCHECK bool inventory_log(struct inventory *, const struct inventory_doc *, char *err, size_t);
/* "<title>" of a page, trimmed; false when it has none. */
MUSTCHECK bool inventory_title(const char *html, size_t len, char *out, size_t size);
/* Reads JSON or YAML; NULL: err says why, with the place. */
json_t *inventory_document(const char *text, size_t len, char *err, size_t err_size);
/* Of an OpenAPI document: what a $ref leads to; the path before all paths; a GET's path with examples in it (false: not all
 * that it requires has one). */
const json_t *inventory_follow(const json_t *root, const json_t *);
void inventory_prefix(const json_t *root, char out[INVENTORY_MAX_PATH + 1]);
bool inventory_operation(const json_t *root, const char *prefix, const char *path, const json_t *item, struct buf *out);
/* "/orders/17?x=1" -> "/orders/{id}": numbers, UUIDs, long tokens; the query goes. */
bool inventory_normalise(const char *path, size_t len, char out[INVENTORY_MAX_PATH + 1]);

/* XPath and jsonpath of a config compile: file:line:col lines go to errors; how many were wrong. */
int inventory_check(const struct config *, const struct service_config *, struct buf *errors);

/* ---- fetching (loop thread) ---- */
struct inventory_fetch;
/* Exactly once, never from inside the call; the callee owns the list.  NULL: cancelled. */
typedef void inventory_done_fn(void *arg, enum slot, struct inventory *taken);
struct inventory_fetch *inventory_fetch(struct ev_loop *, const struct service_config *, enum slot, inventory_done_fn *, void *arg);
void inventory_cancel(struct inventory_fetch *);        /* done() is called with NULL before it returns */

/* For inventory_compare(): what came back has kept its shape (probes/assert/shape.h). */
bool inventory_same(const char *shape_active, const char *shape_idle);

#endif
