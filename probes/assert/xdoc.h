/* SPDX-License-Identifier: MIT
 * xdoc.h - a parsed page and the meter that runs while libxml2 works: private to xdoc.c, xpath.c and inventory_xml.c. */
#ifndef PROBES_XDOC_H
#define PROBES_XDOC_H

#include <libxml/tree.h>
#include <libxml/xpath.h>
#include <stdbool.h>
#include <stdint.h>

#include "probes/assert/xpath.h"

enum {
	OP_LIMIT = 500000,              /* libxml2's own count: a cubic expression stops after 10 ms */
	NODES_WIDE = 12000,             /* for expressions that compare sets of nodes with each other */
};

struct xdoc {
	xmlDocPtr doc;
	xmlXPathContextPtr ctx;
	size_t nodes;
	bool well_formed;               /* false: read as far as it could be, as browsers do */
	int64_t left_us;                /* of eval_us */
};

/* Looks at the clock now and then, from wherever libxml2 calls us: for memory, with an event, with an error.
 * When the time is over an evaluation ends at its next operation; a parser asks meter_tick(). One at a time. */
struct meter { int64_t until_us; size_t since; bool over; xmlXPathContextPtr ctx; };
void meter_begin(struct meter *, int64_t budget_us, xmlXPathContextPtr ctx);
bool meter_tick(size_t cost);           /* true: stop */
void meter_end(void);

void xml_once(void);                    /* before the first call of libxml2 */

#endif
