/* SPDX-License-Identifier: MIT
 * httpd_priv.h - what httpd.c, httpd_request.c and httpd_target.c share.  Nobody else includes it. */
#ifndef SWITCHD_IO_HTTPD_PRIV_H
#define SWITCHD_IO_HTTPD_PRIV_H

#include <ev.h>
#include <microhttpd.h>

#include "switchd/base/buf.h"
#include "switchd/base/clock.h"
#include "switchd/io/httpd.h"

struct request;

/* One accepted socket.  MHD's own timeout starts anew with each byte; this deadline does not. */
struct conn {
	struct listener *listener;
	struct conn *prev, *next;
	struct httpd_peer peer;
	int fd;
	mono_us deadline;               /* .us 0 = none: the application is thinking, or it is a stream */
};

struct listener {
	struct httpd *httpd;
	struct listener *next;
	struct httpd_listener cfg;      /* host and unix_path are not valid here */
	struct MHD_Daemon *mhd;
	ev_io io;
	int fd;
	char *unix_path;
	dev_t unix_dev; ino_t unix_ino; /* so that only our own socket is removed */
	struct conn *conns;
	struct request *requests;       /* with a connection */
	unsigned parked;                /* suspended connections: MHD aborts when it is stopped with any */
	bool kick, closing;
};

struct httpd {
	struct ev_loop *loop;
	httpd_handler_fn *handler;
	void *arg;
	struct listener *listeners;
	struct httpd_stream *streams;
	ev_prepare prepare;
	ev_timer timer, sweep;
	ev_tstamp due;                  /* when the timer fires, if it is active */
	int inside;                     /* depth of callbacks into the caller */
};

/* What a request line asks for. */
struct target {
	char *raw;                      /* as sent */
	char *text;                     /* holds the decoded pieces */
	const char *path;
	struct { const char *name, *value; } query[HTTPD_MAX_QUERY]; size_t n_query;
};
MUSTCHECK bool target_parse(struct target *, const char *uri, const char **why);
void target_free(struct target *);

enum request_state {
	REQ_LINE,                       /* the request line came */
	REQ_BODY,                       /* the header is whole and sound */
	REQ_KEPT,                       /* the caller has it */
	REQ_ANSWERED,                   /* there is a response; MHD does not have it yet */
	REQ_SENT,                       /* MHD has it */
};

struct request {
	struct httpd_request pub;       /* first: the caller's view of it */
	struct listener *listener;      /* NULL when the connection is gone */
	struct conn *conn;
	struct MHD_Connection *mhd;
	struct request *prev, *next;
	enum request_state state;
	struct target target;
	const char *bad_target;         /* why, or NULL */
	char *method;
	struct buf body;
	size_t seen;                    /* bytes of body, kept or not */
	bool parked;
	bool owed;                      /* the caller has it and has not answered */
	unsigned status;
	struct MHD_Response *response;
	struct httpd_stream *stream;
};

struct httpd_stream {
	struct httpd *httpd;
	struct listener *listener;
	struct httpd_stream *prev, *next;
	struct MHD_Connection *mhd;     /* NULL until the response is queued */
	httpd_pull_fn *pull;
	httpd_closed_fn *closed;
	void *arg;
	bool parked, ending;
};

/* MHD's callbacks; cls is the listener. */
void *request_line(void *cls, const char *uri, struct MHD_Connection *);
enum MHD_Result request_access(void *cls, struct MHD_Connection *, const char *url, const char *method, const char *version,
			       const char *data, size_t *size, void **state);
void request_completed(void *cls, struct MHD_Connection *, void **state, enum MHD_RequestTerminationCode);

void conn_deadline(struct conn *, int64_t ms);          /* 0 = none */

/* Answers 503 to every request that the caller still has, ends every stream, resumes all. */
void requests_give_up(struct listener *);

/* A bound, listening, non-blocking socket; -1 with a sentence in err. */
int socket_tcp(const char *host, uint16_t port, char *err, size_t err_size);
int socket_unix(const char *path, mode_t mode, char *err, size_t err_size);

#endif
