/* SPDX-License-Identifier: MIT
 * httpd.h - an HTTP/1.1 server on the loop: libmicrohttpd on libev.  Loop thread only.
 *
 * Several listeners, each with limits of its own, so that the clients of one cannot
 * exhaust another.  A request is handed to the one handler when it is whole: checked,
 * its path decoded, its body read.  The handler answers at once or keeps the request and
 * answers later (the deadline is the keeper's), exactly once; when the client is gone by
 * then, or the listener closed (it said 503), the answer is dropped and nothing breaks.
 *
 * Refused here, before the handler: no or two Hosts, two Content-Lengths, Content-Length
 * beside Transfer-Encoding, bad escapes, a zero byte (400); a header over 16 kB (431, 414);
 * a body over max_body (413); a header or body that comes too slowly (cut). */
#ifndef SWITCHD_IO_HTTPD_H
#define SWITCHD_IO_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "switchd/base/must.h"

struct ev_loop;
struct httpd;
struct httpd_stream;

enum { HTTPD_BODY_MAX = 64 * 1024, HTTPD_MAX_QUERY = 32, HTTPD_IP_TEXT = 64 };

struct httpd_listener {                 /* LENT to httpd_listen */
	int id;                         /* yours; handed back with each request */
	const char *host; uint16_t port;        /* TCP: an address or a local name; port 0 = any free one */
	const char *unix_path; mode_t unix_mode;        /* or a unix socket; NULL or "" = TCP */
	unsigned max_connections, max_per_ip;   /* 0 = 256, no limit; more wait in the backlog */
	size_t max_body;                /* 0 = HTTPD_BODY_MAX */
	bool no_body;                   /* any body is refused: 413 */
	int64_t header_ms, keep_alive_ms, send_ms;      /* 0 = 5 s for a header or a body to come whole, 15 s between requests, 30 s to take an answer */
};

struct httpd_peer {
	bool local;                     /* a unix socket: uid, gid, pid hold */
	uid_t uid; gid_t gid; pid_t pid;
	char ip[HTTPD_IP_TEXT];         /* TCP: "192.0.2.1"; "" when local */
};

struct httpd_request {                  /* valid until it is answered */
	int listener;
	const char *method;             /* as sent; the body of an answer to HEAD is left out for you */
	const char *path;               /* decoded, without query; begins with / (or is "*") */
	const char *target;             /* as sent, with query */
	const char *body; size_t body_len;      /* NUL-terminated; "" when there is none */
	struct httpd_peer peer;
};
const char *httpd_query(const struct httpd_request *, const char *name);        /* decoded; "" without a value; NULL = absent */
bool httpd_query_at(const struct httpd_request *, size_t i, const char **name, const char **value);
const char *httpd_header(const struct httpd_request *, const char *name);       /* first of that name; NULL = absent, or client gone */

struct httpd_header { const char *name, *value; };

/* Called when a request is whole.  It must lead to one httpd_answer or httpd_stream_begin. */
typedef void httpd_handler_fn(void *arg, struct httpd_request *);
void httpd_answer(struct httpd_request *, unsigned status, const char *content_type,
		  const struct httpd_header *, size_t n_headers, const char *body, size_t len);    /* LENDS all */

/* A stream (server-sent events) is pulled: fill buf, return the bytes; 0 = nothing now,
 * ask again after a wake; -1 = end.  A slow reader is asked less often, so keep state and
 * not a queue.  closed is called exactly once, whatever ends it (the handle is dead then);
 * it may be called before httpd_stream_begin returns NULL (the client was gone).  A client
 * that vanished is noticed at the next write: send a heartbeat.  One that reads nothing for 40 s is cut. */
typedef ssize_t httpd_pull_fn(void *arg, char *buf, size_t max);
typedef void httpd_closed_fn(void *arg);
struct httpd_stream *httpd_stream_begin(struct httpd_request *, const char *content_type,
					const struct httpd_header *, size_t n_headers,
					httpd_pull_fn *, httpd_closed_fn *, void *arg);
void httpd_stream_wake(struct httpd_stream *);
void httpd_streams_wake(struct httpd *);        /* all of them */

/* None of these may be called from inside the handler, a pull or a closed. */
struct httpd *httpd_new(struct ev_loop *, httpd_handler_fn *, void *arg);
MUSTCHECK bool httpd_listen(struct httpd *, const struct httpd_listener *, char *err, size_t err_size);
void httpd_close(struct httpd *, int listener);         /* what waits is told 503, streams end */
void httpd_free(struct httpd **);                       /* closes all; kept requests may still be answered, into nothing */

uint16_t httpd_port(const struct httpd *, int listener);        /* 0 when it is none of ours */
unsigned httpd_connections(const struct httpd *, int listener);

#endif
