/* SPDX-License-Identifier: MIT
 * httpc.h - HTTP requests on the loop: libcurl's multi interface on libev.  Loop thread only.
 *
 * A bounded pool of easy handles per `pool` (one per slot, and one per front) shares
 * kept-alive connections; a request past the pool's limit waits in line (its deadline
 * runs).  httpc_send LENDS the request until it returns.  done() is called exactly
 * once, never from inside httpc_send, also on cancel (H_CANCELLED); its reply is
 * BORROWED for the call.  The libcurl rules of the design (CONNECT_TO, CAPATH off,
 * QUICK_EXIT, body cap in the write callback, no proxy from the environment, http and
 * https only, no redirects unless asked) hold for every request.
 *
 * Redirects are followed by us and not by libcurl: only to the same scheme, host and port,
 * and on the same connection target.  Any other ends as H_REDIRECTS, and is never asked. */
#ifndef SWITCHD_IO_HTTPC_H
#define SWITCHD_IO_HTTPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/base/must.h"

struct ev_loop;
struct httpc;
struct httpc_pool;
struct httpc_jar;               /* httpc_jar.h: cookies of one run */
struct certificate;             /* certificate.h */
struct httpc_req;               /* a handle for httpc_cancel: dead once done() was called */

enum { HTTPC_BODY_MAX = 256 * 1024, HTTPC_HEAD_MAX = 64 * 1024 };

/* How the transport ended.  Only H_OK has a complete answer. */
enum httpc_result {
	H_OK, H_REFUSED, H_RESET, H_CLOSED,     /* the last two: before the first byte of an answer */
	H_CUT,                                  /* after the first byte of an answer */
	H_TIMEOUT_CONNECT, H_TIMEOUT_SENT,      /* SENT: the whole request was on its way */
	H_TIMEOUT_QUEUED,                       /* waited in our own line: the prober's limit */
	H_NO_ROUTE, H_DNS, H_TLS, H_PROTOCOL, H_TOO_LARGE, H_REDIRECTS, H_CANCELLED, H_LIMIT,
	H_TIMEOUT_SENDING,                      /* connected, and part of the request was still ours to send */
	N_HTTPC_RESULTS
};
const char *httpc_result_name(enum httpc_result);

struct httpc_request {
	const char *url;                /* public name: Host and SNI come from it */
	const char *connect_host;       /* "" = the url's own; an address or name to connect to instead */
	uint16_t connect_port;
	const char *unix_path;          /* "" = TCP */
	const char *method;             /* NULL = GET */
	const char *body; size_t body_len;
	const char *const *headers; size_t n_headers;   /* "Name: value" lines */
	const char *ca_file, *cert_file, *key_file;     /* NULL or "" = default */
	bool insecure;                  /* no verification of the certificate */
	bool fresh;                     /* new connection, closed after */
	bool http2;                     /* by ALPN on https, by prior knowledge on http */
	bool proxy_protocol;            /* each new connection begins with a PROXY line (version 1) */
	bool want_cert;                 /* the reply has the certificate */
	struct httpc_jar *jar;          /* LENT until done(); NULL = no cookies are kept */
	int max_redirects;              /* 0 */
	int64_t timeout_ms, connect_timeout_ms;         /* connect 0 = the same */
	size_t body_max;                /* decoded; 0 = HTTPC_BODY_MAX */
};

struct httpc_reply {
	enum httpc_result result;
	const char *error;              /* sentence, "" when H_OK */
	long status;
	const char *head; size_t head_len;      /* raw header block of the final answer */
	const char *trailers; size_t trailers_len;      /* header lines that came after the body */
	const char *body; size_t body_len;      /* decoded; NUL-terminated */
	const char *content_type, *location;    /* "" when absent; location is absolute */
	const char *ip;                 /* connected address, "" when none */
	bool reused;                    /* the connection had been used before */
	const char *url;                /* of the final answer */
	int redirects;                  /* followed on the way there */
	int64_t total_us, connect_us, first_byte_us;
	const struct certificate *cert; /* NULL: not asked for, or not TLS */
};

/* First value of a header or, where no header has the name, of a trailer; trimmed. False when it is not there. */
bool httpc_header(const struct httpc_reply *, const char *name, char *out, size_t size);

typedef void httpc_done_fn(void *arg, const struct httpc_reply *);

/* Cancelling and freeing call done() before they return; both are allowed inside a done().
 * The daemon ignores SIGPIPE: TLS needs it. */
struct httpc *httpc_new(struct ev_loop *);
void httpc_free(struct httpc **);       /* cancels what is in flight */
struct httpc_pool *httpc_pool_new(struct httpc *, size_t max_in_flight);
void httpc_pool_free(struct httpc_pool **);
struct httpc_req *httpc_send(struct httpc_pool *, const struct httpc_request *, httpc_done_fn *, void *arg);
void httpc_cancel(struct httpc_req *);

#endif
