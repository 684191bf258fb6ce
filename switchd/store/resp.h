/* SPDX-License-Identifier: MIT
 * resp.h - Redis's protocol on one stream: commands out, replies in, each bounded.  Loop thread only.  Only store/ includes this.
 *
 * hiredis formats and parses; its async half is not used: it owns contexts that it frees on its own, asserts when a server
 * answers what nobody asked, and reads pub/sub in ways that differ between 0.14 and 1.x.  No callback comes from inside a
 * call; resp_free() is allowed in each of them. */
#ifndef SWITCHD_STORE_RESP_H
#define SWITCHD_STORE_RESP_H

#include <hiredis/hiredis.h>

#include "switchd/io/stream.h"

struct resp;

enum { RESP_ELEMENTS_MAX = 1 << 14 };   /* members of one array */

struct resp_events {
	/* `more`: bytes are left over after it.  The reply is BORROWED. */
	void (*reply)(void *arg, const redisReply *, bool more);
	void (*bytes)(void *arg);               /* something came; NULL = not told */
	void (*ended)(void *arg, const char *why);      /* the last call */
};

/* A reply of over reply_max bytes ends it, before it is in memory. */
struct resp *resp_open(struct ev_loop *, const struct stream_order *, size_t reply_max, const struct resp_events *, void *arg);
MUSTCHECK bool resp_send(struct resp *, int argc, const char *const *argv, const size_t *lens);
bool resp_unread(const struct resp *);
void resp_free(struct resp **);

/* Of a reply: */
bool resp_is_status(const redisReply *, const char *text);
const char *resp_text(const redisReply *, size_t i);    /* member i of an array, "" when it is no text */
void resp_said(const redisReply *, char *out, size_t size);     /* an error or a status, printable */

#endif
