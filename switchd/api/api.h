/* SPDX-License-Identifier: MIT
 * api.h - the HTTP API: health listener, operator listener, unix socket (docs/api.md).
 *
 * Loop thread only.  One route table with the role in it; dispatch checks the role, never a
 * handler.  The engine is BORROWED: free the api first. */
#ifndef SWITCHD_API_API_H
#define SWITCHD_API_API_H

#include "switchd/engine/engine.h"

struct api;

/* NULL when a listener cannot be had: error says which, and by whom it is held. */
struct api *api_new(struct ev_loop *, struct engine *, char *error, size_t error_size);
/* Answers every waiting request (503) and ends every stream. */
void api_free(struct api **);
/* The tokens file is read again (reload); listeners do not change while switchd runs. */
MUSTCHECK bool api_reload(struct api *, char *why, size_t why_size);

/* The route table as markdown, for docs and tests. */
void api_routes_doc(struct buf *out);

#endif
