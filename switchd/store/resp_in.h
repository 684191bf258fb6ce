/* SPDX-License-Identifier: MIT
 * resp_in.h - bytes of Redis's protocol in, whole replies out, each bounded; no stream, no loop.  Only resp.c includes this.
 *
 * hiredis parses; what is ours is the bounds: of an array, judged when its header is read, and of the bytes of one reply. */
#ifndef SWITCHD_STORE_RESP_IN_H
#define SWITCHD_STORE_RESP_IN_H

#include <stdbool.h>
#include <stddef.h>

#include <hiredis/hiredis.h>

#include "switchd/base/must.h"

struct resp_in { redisReader *reader; size_t max, unanswered; };       /* unanswered: bytes since the last whole reply */

enum resp_got { RESP_NONE, RESP_ONE, RESP_BROKEN };

void resp_in_open(struct resp_in *, size_t reply_max);
void resp_in_close(struct resp_in *);
MUSTCHECK bool resp_in_feed(struct resp_in *, const char *data, size_t n);     /* false: no memory */
/* The next of what was fed.  RESP_ONE: *reply is the caller's, freeReplyObject(); RESP_BROKEN: nothing more comes, and why says it. */
enum resp_got resp_in_next(struct resp_in *, redisReply **reply, char why[160]);
bool resp_in_more(const struct resp_in *);      /* bytes are left over */

#endif
