/* SPDX-License-Identifier: MIT
 * inventory_work.h - inside the inventory: parsing and reading of logs off the loop. */
#ifndef PROBES_INVENTORY_WORK_H
#define PROBES_INVENTORY_WORK_H

#include "probes/inventory/inventory.h"

/* What a thread of its own made of one document (or of one log file: text NULL). */
struct inventory_made {
	struct inventory *list;                 /* NULL when it could not be read */
	struct inventory_children children;
	char error[160];
};

struct inventory_work;
/* made is BORROWED, but made->list may be taken (set it to NULL).  On the loop, never from inside inventory_work_start(). */
typedef void inventory_work_fn(void *arg, struct inventory_made *made);
/* doc and what it points to are copied. index: a sitemap may be an index of others. */
struct inventory_work *inventory_work_start(struct ev_loop *, const struct inventory_doc *, bool index, inventory_work_fn *, void *arg);
void inventory_work_cancel(struct inventory_work **);   /* fn is not called any more */

#endif
