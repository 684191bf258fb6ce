/* SPDX-License-Identifier: MIT
 * due.c - sift up, sift down. */
#include "probes/due.h"

#include <stdlib.h>

#include "switchd/base/must.h"

void due_open(struct due_list *l, size_t max) { *l = (struct due_list){ xcalloc(max, sizeof(*l->heap)), 0, max }; }

void due_close(struct due_list *l)
{
	free(l->heap);
	*l = (struct due_list){ 0 };
}

static void put(struct due_list *l, size_t i, struct due *d)
{
	l->heap[i] = d;
	d->place = i + 1;
}

static void up(struct due_list *l, size_t i, struct due *d)
{
	for (; i && l->heap[(i - 1) / 2]->at > d->at; i = (i - 1) / 2)
		put(l, i, l->heap[(i - 1) / 2]);
	put(l, i, d);
}

static void down(struct due_list *l, size_t i, struct due *d)
{
	for (size_t c; (c = 2 * i + 1) < l->n; i = c) {
		if (c + 1 < l->n && l->heap[c + 1]->at < l->heap[c]->at)
			c++;
		if (l->heap[c]->at >= d->at)
			break;
		put(l, i, l->heap[c]);
	}
	put(l, i, d);
}

void due_remove(struct due_list *l, struct due *d)
{
	size_t i = d->place - 1;
	struct due *last;

	if (!d->place)
		return;
	d->place = 0;
	last = l->heap[--l->n];
	if (last == d)
		return;
	if (i && l->heap[(i - 1) / 2]->at > last->at)
		up(l, i, last);
	else
		down(l, i, last);
}

void due_set(struct due_list *l, struct due *d, int64_t at)
{
	due_remove(l, d);
	must(l->n < l->max);
	d->at = at;
	up(l, l->n++, d);
}
