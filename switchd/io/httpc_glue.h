/* SPDX-License-Identifier: MIT
 * httpc_glue.h - one libcurl multi handle on the libev loop.  Private to this room.
 *
 * glue_done_fn is called once for each easy handle that came to its end by itself; the
 * handle has left the multi by then and may be added again.  It is only ever called
 * from the loop, never from inside glue_add or glue_remove, and it may free the glue. */
#ifndef SWITCHD_IO_HTTPC_GLUE_H
#define SWITCHD_IO_HTTPC_GLUE_H

#include <stdbool.h>

#include <curl/curl.h>

#include "switchd/base/must.h"

struct ev_loop;
struct glue;

typedef void glue_done_fn(void *arg, CURL *easy, CURLcode code);

struct glue *glue_new(struct ev_loop *, long max_kept_connections, glue_done_fn *, void *arg);
/* Every easy handle must have been removed.  `keep` (or NULL) is what the callbacks of
 * sockets that are still kept look at: free()d when the last of them is closed. */
void glue_free(struct glue **, void *keep);
/* Handles stay in it when they are done, until glue_remove(): a CONNECT_ONLY one loses its connection with it. */
void glue_keep_done(struct glue *);
MUSTCHECK bool glue_add(struct glue *, CURL *easy);
void glue_remove(struct glue *, CURL *easy);
/* Is this where a socket is to be opened the address `ip`, a text? For CURLOPT_OPENSOCKETFUNCTION. */
MUSTCHECK bool glue_address_is(const char *ip, const struct curl_sockaddr *);

#endif
