/* SPDX-License-Identifier: MIT
 * due.h - what is due next: a binary heap of nodes that live in other structs. */
#ifndef PROBES_DUE_H
#define PROBES_DUE_H

#include <stddef.h>
#include <stdint.h>

struct due {
	int64_t at;
	size_t place;           /* in the heap, from 1; 0 = not in it */
	int kind;               /* the owner's */
};

struct due_list { struct due **heap; size_t n, max; };

void due_open(struct due_list *, size_t max);
void due_close(struct due_list *);
void due_set(struct due_list *, struct due *, int64_t at);      /* puts it in, or moves it */
void due_remove(struct due_list *, struct due *);               /* nothing when it is not in it */
static inline struct due *due_first(const struct due_list *l) { return l->n ? l->heap[0] : NULL; }

#endif
