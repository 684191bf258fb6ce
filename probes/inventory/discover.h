/* SPDX-License-Identifier: MIT
 * discover.h - features of a site that nobody has described yet: its routes found, and what each answers learned.
 *
 * Every route is asked twice, and once more with a path that cannot be there: an assertion is offered only when it
 * holds for both answers, and a feature only when the three of them tell it from the answer to nothing (B1.5). */
#ifndef PROBES_DISCOVER_H
#define PROBES_DISCOVER_H

#include "probes/inventory/inventory.h"

enum { DISCOVER_MAX_EXPECT = 8, DISCOVER_TEXT = 200, DISCOVER_EVERY_MS = 20 };

enum discovered_as {
	DISCOVERED,             /* a feature, ready */
	DISCOVERED_VACUOUS,     /* answers as well as any path does: nothing would notice its loss */
	DISCOVERED_NOT,         /* needs a person: why says for what */
};

struct discovered {
	enum discovered_as as;
	name_text name;
	const char *path;               /* of the inventory */
	char *expect[DISCOVER_MAX_EXPECT]; size_t n_expect;     /* assertion lines */
	char why[DISCOVER_TEXT];
};

struct discovery {
	struct inventory *inventory;    /* its notes say which lists could not be read */
	struct discovered *rows; size_t n;
	size_t left;                    /* routes past the most that were wanted: listed, not asked */
};
void discovery_free(struct discovery **);

/* url: origin, checked by the caller.  Exactly once, never from inside the call; the callee owns what it is given. */
typedef void discover_done_fn(void *arg, struct discovery *taken);
typedef void discover_progress_fn(void *arg, size_t at, size_t of, const char *path);
void discover_start(struct ev_loop *, const struct service_config *, size_t most, discover_progress_fn *, discover_done_fn *, void *arg);

#endif
