/* SPDX-License-Identifier: MIT
 * sentinel.h - who is the master now?  Asked of several sentinels, one after the other.  Loop thread only.  Only link*.c includes this.
 *
 * The first good answer is taken: no majority of them is asked for, since the server named must say itself (ROLE) that it is
 * the master, and a script's own checks stand behind that.  done() is called once for each sentinels_ask(), never from inside it. */
#ifndef SWITCHD_STORE_SENTINEL_H
#define SWITCHD_STORE_SENTINEL_H

#include <stdbool.h>
#include <stdint.h>

#include "switchd/store/link.h"

struct sentinels;

enum { SENTINEL_ASK_MS = 500 };         /* of one: name, connection, password and answer together */

/* host NULL: no sentinel knew one, and `said` is why the last one did not; else `said` is the sentinel that told it. */
typedef void sentinel_fn(void *arg, const char *host, uint16_t port, const char *said);

/* A sentinel announces that the master moved there: the old one goes on taking writes for seconds after a failover by order, and
 * ten when it comes back from the dead (sentinels leave it a master that long).  Who announced it is asked next, and at once
 * if another is being asked: one that was away meanwhile still names the old one.  It is asked, since what it announced may be
 * over by the time that it is heard (two failovers, while we stood still). */
typedef void sentinel_moved_fn(void *arg, const char *host, uint16_t port);

/* Takes what concerns sentinels of the config, copied; the TLS (NULL = plain) is LENT. */
struct sentinels *sentinels_new(struct ev_loop *, const struct link_config *, struct stream_tls *, sentinel_fn *,
				sentinel_moved_fn *, void *arg);
void sentinels_free(struct sentinels **);       /* also in done() */
void sentinels_ask(struct sentinels *);
void sentinels_cancel(struct sentinels *);
/* What the last one named was no good: the next question goes to the one after it first. */
void sentinels_doubt(struct sentinels *);

#endif
