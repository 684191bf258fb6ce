/* SPDX-License-Identifier: MIT
 * elsewhere.h - who is the server to ask, by the word of one that is not: a sentinel, a node of a cluster.  Only link*.c, sentinel.c include this.
 *
 * Untrusted text; a host is a name or an address, of printable ASCII, since it is resolved and shown. */
#ifndef SWITCHD_STORE_ELSEWHERE_H
#define SWITCHD_STORE_ELSEWHERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "switchd/base/must.h"

struct elsewhere { char host[256]; uint16_t port; };

/* Of each: false = it names no server; *out is not touched then. */

/* "MOVED SLOT HOST:PORT".  Host "": the same server, at another port. */
MUSTCHECK bool elsewhere_moved(const char *error, struct elsewhere *out);
/* A sentinel's answer: {host, port}. */
MUSTCHECK bool elsewhere_answered(const redisReply *, struct elsewhere *out);
/* +switch-master: "MASTER HOST PORT HOST PORT", from and to. */
MUSTCHECK bool elsewhere_announced(const char *text, size_t len, const char *master, struct elsewhere *to);

#endif
