/* SPDX-License-Identifier: MIT
 * link_room.h - what the parts of the link know of each other.  Only link*.c and subscriber.c include this.
 *
 * link.c       the life of a connection, its commands
 * link_greet.c what is said first: AUTH, SELECT, ROLE, PING
 * sentinel.c   who the server is
 * elsewhere.c  the text that names another
 * subscriber.c what follows on one that listens */
#ifndef SWITCHD_STORE_LINK_ROOM_H
#define SWITCHD_STORE_LINK_ROOM_H

#include <ev.h>

#include "switchd/base/clock.h"
#include "switchd/io/resolve.h"
#include "switchd/store/elsewhere.h"
#include "switchd/store/link.h"
#include "switchd/store/resp.h"
#include "switchd/store/sentinel.h"

enum link_state { L_WAITING, L_ASKING, L_RESOLVING, L_CONNECTING, L_UP };

struct waiting { link_reply_fn *fn; void *arg; mono_us deadline; };

struct link {
	struct ev_loop *loop;
	char *unix_path, *host, *user, *password_file;
	uint16_t port;
	int db;
	bool any_role;
	struct sentinels *sentinels;    /* NULL: host and port are the server */
	struct stream_tls *tls;         /* NULL: plain */
	bool own_tls;
	char at[256], told_by[300];     /* the server of this connection, and the sentinel that named it */
	uint16_t at_port;
	bool moved; struct elsewhere moved_to;  /* a node of the cluster named it, for the next connection */
	link_state_fn *fn;
	void *arg;
	enum link_state state;
	struct resp *resp;
	struct resolve *resolve;
	struct resolved ips;
	size_t next_ip;
	ev_timer timer;         /* waiting: the next attempt; resolving, connecting: the deadline */
	ev_timer deadline;      /* up: of the oldest command; of a subscriber: the next look at its silence */
	ev_timer ended;         /* the connection ended: tell it from a clean stack */
	bool graced;
	int attempts;
	struct waiting *ring;   /* outstanding commands, oldest first */
	size_t head, n, cap;
	/* a subscriber; channels NULL: it is none */
	char **channels;
	size_t n_channels, subscribed;
	bool subscribing;       /* SUBSCRIBE was sent: no replies from here on, but messages */
	link_message_fn *message;
	mono_us heard, looked;  /* the last byte; the last look at the clock */
	char why[300];
};

/* link.c */
MUSTCHECK bool link_queue(struct link *, int argc, const char *const *argv, const size_t *lens, link_reply_fn *, void *arg);
void link_came_up(struct link *);       /* the caller's callback is in it: the last thing that is done */

/* link_greet.c */
MUSTCHECK bool greet(struct link *);    /* false: why says it, or nothing could be sent */
void greet_failed(struct link *, const char *step, const redisReply *);

/* subscriber.c */
void subscriber_start(struct link *);   /* after the greeting */
void subscriber_reply(struct link *, const redisReply *);
void subscriber_tick(struct link *);
void subscriber_forget(struct link *);

#endif
