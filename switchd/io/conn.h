/* SPDX-License-Identifier: MIT
 * conn.h - one connection, one exchange: connect, TLS, send, read until enough.  Loop thread only.
 *
 * For what is not HTTP: names are looked up by names.h, libcurl connects and shakes hands on the loop (its CONNECT_ONLY), bytes go through it.
 * Certificates are looked at here and not by libcurl, so that an invalid one is a fact with details and no failure:
 * conn_result.invalid says what is wrong with it.
 *
 * conn_open LENDS the order until it returns.  done() is called exactly once, never from inside conn_open, also on cancel
 * (H_CANCELLED); its result is BORROWED for the call.  Cancelling and freeing are allowed inside it. */
#ifndef SWITCHD_IO_CONN_H
#define SWITCHD_IO_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/io/httpc.h"

struct conns;
struct conn;                    /* a handle for conn_cancel: dead once done() was called */

enum { CONN_READ_MAX = 64 * 1024 };

struct conn_order {
	const char *host; uint16_t port;        /* where to */
	const char *unix_path;          /* NULL or "" = TCP */
	bool tls;
	const char *name;               /* in SNI, and on the certificate; NULL or "" = host */
	const char *check_name;         /* NULL or "" = name; else this one must stand on the certificate, and name is asked for */
	const char *ca_file, *cert_file, *key_file;     /* NULL or "" = default */
	const char *websocket;          /* NULL, or the path to upgrade; what is sent and read are messages then */
	const char *send; size_t send_len;      /* 0 = nothing */
	bool read;                      /* false: it ends when it is connected and everything was sent */
	/* Called after each byte or message that came: true ends the exchange. NULL: read to the end. */
	bool (*enough)(void *arg, const char *data, size_t len);
	int64_t timeout_ms;             /* in total */
};

/* H_OK: all that was asked for happened; eof: the other side ended it.  H_CLOSED and H_RESET: before its first byte. */
struct conn_result {
	enum httpc_result result;
	const char *error;              /* sentence, "" when H_OK */
	const char *data; size_t len;   /* all that came, NUL-terminated */
	bool eof;
	long status;                    /* websocket: of the answer to the upgrade */
	const struct certificate *cert; /* NULL: no TLS, or no handshake */
	const char *invalid;            /* why the certificate is not valid for the name; "" = it is */
	int64_t total_us;
};
typedef void conn_done_fn(void *arg, const struct conn_result *);

struct conns *conns_new(struct ev_loop *);
void conns_free(struct conns **);       /* cancels what is under way */
struct conn *conn_open(struct conns *, const struct conn_order *, conn_done_fn *, void *arg);
void conn_cancel(struct conn *);

/* Was this libcurl built with WebSocket? */
bool conn_has_websocket(void);

#endif
