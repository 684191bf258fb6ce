/* SPDX-License-Identifier: MIT
 * stream.h - one connection that stays: bytes out, bytes in, TCP or a unix socket, TLS when wanted.  Loop thread only.
 *
 * No callback comes from inside a call; stream_free() is allowed in each of them.  What is sent before the connection
 * stands waits for it.  No deadlines here: who opens a stream knows what it waits for. */
#ifndef SWITCHD_IO_STREAM_H
#define SWITCHD_IO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/base/must.h"

struct ev_loop;
struct stream;
struct stream_tls;

enum { STREAM_CHUNK = 16 * 1024, STREAM_OUT_MAX = 64 * 1024 * 1024 };

/* Files of a side that shakes hands: read when the first stream needs them, and again when one of them has changed.
 * The strings are copied; "" = the system's authorities, no certificate of our own. */
struct stream_tls_files { const char *ca_file, *cert_file, *key_file; bool any_certificate; };
struct stream_tls *stream_tls_new(const struct stream_tls_files *);
void stream_tls_free(struct stream_tls **);     /* streams that use it may live on */

struct stream_order {
	const char *unix_path;          /* NULL or "" = TCP */
	const char *ip; uint16_t port;
	struct stream_tls *tls;         /* NULL = plain */
	const char *name;               /* with TLS: in SNI, and on the certificate */
};
struct stream_events {
	void (*data)(void *arg, const char *data, size_t len);
	void (*ended)(void *arg, const char *why);      /* why it could not be had, or is no more; the last call */
};

/* LENDS the order; the events must outlive the stream. */
struct stream *stream_open(struct ev_loop *, const struct stream_order *, const struct stream_events *, void *arg);
MUSTCHECK bool stream_send(struct stream *, const void *data, size_t len);      /* false: STREAM_OUT_MAX, or ended */
bool stream_unread(const struct stream *);      /* bytes wait in the socket */
void stream_free(struct stream **);

#endif
