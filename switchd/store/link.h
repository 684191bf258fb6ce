/* SPDX-License-Identifier: MIT
 * link.h - one connection to Redis that comes back by itself.  Loop thread only.  Only store/ includes this.
 *
 * Every command has a deadline of its own; when one passes, the connection is dropped and every
 * outstanding command ends with a NULL reply: its outcome is *unknown*.  Replies come in order.
 * Callbacks run from the loop, never from inside link_send(); the reply is BORROWED for the call. */
#ifndef SWITCHD_STORE_LINK_H
#define SWITCHD_STORE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "switchd/base/must.h"

enum {
	LINK_RESOLVE_MS = 5000,
	LINK_CONNECT_MS = 1000,         /* connect, AUTH, SELECT and PING together */
	LINK_COMMAND_MS = 1000,
	LINK_BACKOFF_FIRST_MS = 100,    /* full jitter below a bound that doubles from here... */
	LINK_BACKOFF_MOST_MS = 5000,    /* ...to here */
	LINK_BACKOFF_LOCAL_MS = 400,    /* a unix socket: asking is cheap, and our own server restarts in less */
	LINK_REPLY_MAX = 1 << 20,       /* bytes of one reply */
	LINK_WAITING_MAX = 16384,       /* commands without a reply yet */
	/* a subscriber */
	LINK_CHANNELS_MAX = 64,
	LINK_MESSAGE_MAX = 64 * 1024,   /* bytes of one message, with its frame */
	LINK_PING_MS = 1000,            /* after so much silence it asks... */
	LINK_SILENT_MS = 3000,          /* ...and after so much it gives the connection up */
};

struct ev_loop;
struct config;
struct redis_node;
struct stream_tls;
struct link;

struct link_config {
	const char *unix_path;          /* NULL or "" = TCP */
	const char *host;
	uint16_t port;
	int db;
	const char *user, *password_file;       /* "" = none */
	/* n_sentinels 0 = none; else host and port are not looked at, and only a master is taken */
	const struct redis_node *sentinels; size_t n_sentinels;
	const char *master, *sentinel_user, *sentinel_password_file;
	bool over_tls;                  /* to the server and the sentinels */
	const char *ca_file, *cert_file, *key_file;     /* NULL or "" = default */
	bool any_certificate;
	struct stream_tls *tls;         /* NULL: made of the files; else LENT for the link's life */
	bool any_role;                  /* false: a replica is not taken */
};

/* up: connected, authenticated, database selected, not a replica.  Down: every outstanding command has had its NULL reply before. */
typedef void link_state_fn(void *arg, bool up, const char *why);
typedef void link_reply_fn(void *arg, const redisReply *);

/* The config's strings are copied. */
struct link *link_new(struct ev_loop *, const struct link_config *, link_state_fn *, void *arg);
void link_free(struct link **);         /* outstanding commands are forgotten without a call */
bool link_is_up(const struct link *);
/* False: not connected (or LINK_WAITING_MAX is reached); nothing was sent and fn will not be called. */
MUSTCHECK bool link_send(struct link *, int argc, const char *const *argv, const size_t *lens, link_reply_fn *, void *arg);

/* A link that listens: after each connect it subscribes to all channels (copied), and only then it is up.  What was published while
 * it was not up is lost: read what it was about after each up.  text is BORROWED and may hold any bytes (a NUL follows).  link_send
 * refuses on it; link_free in a callback is allowed.  A message of over LINK_MESSAGE_MAX drops the connection. */
typedef void link_message_fn(void *arg, const char *channel, const char *text, size_t len);
struct link *link_subscribe(struct ev_loop *, const struct link_config *, const char *const *channels, size_t n,
			    link_message_fn *, link_state_fn *, void *arg);

/* Where the store of a configuration is, embedded or not: the strings are the config's, but for `path`. */
void link_config_of(const struct config *, struct link_config *, char path[256]);

/* Drops the connection and makes a new one, as after a reply that a healthy server does not give (READONLY). */
void link_drop(struct link *, const char *why);

#endif
