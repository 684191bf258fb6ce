/* SPDX-License-Identifier: MIT
 * names.h - the addresses of names, remembered: asked in the background, so that no request waits for a name
 * server that is slow, and none fails while one is gone for a short time (T20).
 *
 * An answer is fresh for NAMES_FRESH_MS; after that it is used on while it is asked anew, and if
 * that fails, up to NAMES_STALE_MS.  A failure is repeated for NAMES_FAILED_MS, so that
 * requests in quick succession do not cost a thread each.  At most one question per name is
 * on its way.  Loop thread only. */
#ifndef SWITCHD_IO_NAMES_H
#define SWITCHD_IO_NAMES_H

#include <stdint.h>
#include <sys/queue.h>

#include "switchd/io/resolve.h"

struct ev_loop;
struct names;

enum { NAMES_FRESH_MS = 30000, NAMES_STALE_MS = 300000, NAMES_FAILED_MS = 1000 };
struct names_times { int64_t fresh_ms, stale_ms, failed_ms; };

/* One who waits for a name.  fn is called once, from the loop, unless names_forget() came first. */
struct name_wait {
	TAILQ_ENTRY(name_wait) link;
	struct name *name;              /* NULL: not waiting */
	void (*fn)(struct name_wait *, const struct resolved *);
};

struct names *names_new(struct ev_loop *, const struct names_times *);   /* NULL: those above */
/* Nobody may wait.  Allowed inside a name_wait's fn. */
void names_free(struct names **);
/* What is known of it, at once (n 0: a failure); or NULL, and the wait will be told. The answer is BORROWED until
 * the loop turns. */
const struct resolved *names_ask(struct names *, const char *host, struct name_wait *);
void names_forget(struct name_wait *);

#endif
