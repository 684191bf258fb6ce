/* SPDX-License-Identifier: MIT
 * stream_tls.h - inside stream: TLS between two buffers, without a descriptor.  Private to stream*.c. */
#ifndef SWITCHD_IO_STREAM_TLS_H
#define SWITCHD_IO_STREAM_TLS_H

#include "switchd/base/buf.h"
#include "switchd/io/stream.h"

struct shake;                   /* one side of one TLS connection */

/* NULL: why says which file cannot be used. */
struct shake *shake_new(struct stream_tls *, const char *name, char *why, size_t why_size);
void shake_free(struct shake **);
/* What came is taken in; then turns until nothing moves: the handshake, *plain out into `wire`.  False: why. */
MUSTCHECK bool shake_turn(struct shake *, const char *came, size_t n, struct buf *plain, struct buf *wire, char *why, size_t why_size);
/* Bytes for us: 0 = no more now, -1 = the end, with why. */
long shake_read(struct shake *, char *out, size_t size, char *why, size_t why_size);

#endif
