/* SPDX-License-Identifier: MIT
 * assets.h - private to assets*.c: what a page is made of. */
#ifndef PROBES_ASSETS_H
#define PROBES_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

#include "switchd/base/must.h"

enum asset_kind { ASSET_SCRIPT, ASSET_STYLE };

struct asset {
	enum asset_kind kind;
	bool external;                  /* of another origin than the page */
	char *url;                      /* absolute; of the own origin: its path and query alone */
};

/* In the order of the page, each once. */
struct asset_list { struct asset *list; size_t n, room, external; };
void assets_clear(struct asset_list *);

/* The scripts (src, modulepreload) and styles (stylesheet) of a page, and what it preloads of either.  page: the absolute URL
 * that was asked; own: further origin under which the page's own may be named ("" = none).  False: err says why it is no
 * page that can be read; *costly: a limit was hit. */
MUSTCHECK bool assets_find(const char *html, size_t len, const char *type, const char *page, const char *own, struct asset_list *out,
			   bool *costly, char *err, size_t err_size);

/* A reference of a page, resolved as browsers do (dot segments, spaces, fragments); NULL: nothing that could be fetched
 * (data:, blob:, javascript:). The caller frees it. */
char *url_resolve(const char *base, const char *ref);
bool url_same_origin(const char *a, const char *b);     /* scheme aside: a target may be spoken to without the front's TLS */
const char *url_path(const char *url);                  /* from the first slash after the authority on; "/" when there is none */

/* NULL, or what came instead of a script or style, by its media type. */
const char *asset_wrong_type(enum asset_kind, const char *type);
bool looks_like_html(const char *body, size_t len);
bool is_html_type(const char *type);

#endif
