/* SPDX-License-Identifier: MIT
 * httpc_easy.h - one easy handle of libcurl: its options, what it collects, how it ended.
 * Private to httpc.c.
 *
 * Options cost more than the request itself, so a handle remembers the request that its
 * options stand for (`asked`) and only differences are set.  The pool prefers the handle
 * that last asked the same. */
#ifndef SWITCHD_IO_HTTPC_EASY_H
#define SWITCHD_IO_HTTPC_EASY_H

#include <curl/curl.h>

#include "switchd/base/buf.h"
#include "switchd/io/certificate.h"
#include "switchd/io/httpc.h"
#include "switchd/io/httpc_jar.h"

/* A request of our own: every string present, all in one block. */
struct asked { struct httpc_request r; };
struct asked *asked_new(const struct httpc_request *);
void asked_free(struct asked **);

/* Why we stopped a transfer from inside a callback of libcurl. */
enum stopped { STOP_NOT, STOP_BODY, STOP_HEAD, STOP_STATUS_LINE, STOP_CODING, STOP_LENGTH, STOP_PIECES };

enum { CLOSED_RING = 32 };

/* What the transfers of one pool share. */
struct easy_pool {
	/* The sockets closed last, and what the kernel said of them then. */
	struct closed { int fd; bool connected, received; } closed[CLOSED_RING];
	size_t n_closed;
};

struct easy {
	CURL *curl;
	struct asked *asked;            /* NULL: never used */
	uint64_t key;                   /* of asked */
	struct curl_slist *headers, *connect_to;
	int64_t timeout_ms, connect_ms; /* as set */
	bool numeric;                   /* no name to resolve */
	bool tls;
	struct easy_pool *pool;
	int fd;                         /* the socket opened last for this request; -1 none */
	int socket_errno;               /* no socket could be had: why */
	long sent_before;               /* bytes sent on an earlier connection of this request */
	struct buf head, body, trailers;
	size_t head_seen;               /* bytes of every header block, redirects and 1xx included */
	bool head_ended;
	bool has_cert;
	struct certificate *cert;       /* made when one is first asked for */
	enum stopped stopped;
	unsigned pieces;                /* that the body came in */
	bool refused_to_resolve;
	char error[CURL_ERROR_SIZE + 64];
	char location[2048], content_type[256], ip[64];
};

bool easy_is_address(const char *host);  /* and no name */
void easy_open(struct easy *, struct easy_pool *);
void easy_close(struct easy *);
/* Requests of different keys differ; for those of one key easy_same() decides. */
uint64_t easy_key(const struct httpc_request *);
bool easy_same(const struct easy *, const struct httpc_request *);
/* Sets what differs and empties the buffers. timeout_ms: what is left of it. */
void easy_prepare(struct easy *, const struct httpc_request *, int64_t timeout_ms);
/* The reply BORROWS the easy's buffers until the next easy_prepare or easy_rest. */
void easy_reply(struct easy *, CURLcode, struct httpc_reply *);
/* The transfer is over and has left the multi: gives the jar back. */
void easy_leave(struct easy *);
void easy_rest(struct easy *);          /* gives back large buffers */

/* httpc_jar.c: the jar is of this transfer from here to there; and what libcurl would not keep. */
void jar_enter(struct httpc_jar *, CURL *);
void jar_leave(struct httpc_jar *, CURL *);
void jar_keep_secure(CURL *, const char *head, size_t len, const char *host);

#endif
