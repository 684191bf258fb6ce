/* SPDX-License-Identifier: MIT
 * line.c - the line of orders at one service: each is answered exactly once. */
#include <stdlib.h>
#include <string.h>

#include "switchd/engine/service.h"

void order_free(struct order *o)
{
	free(o->manifest);
	free(o->claimed);
	free(o->manifest_error);
	free(o);
}

void order_end(struct service *s, struct order *o, struct order_result *r)
{
	if (!r->record)
		r->record = &s->rec;
	if (!r->because)
		r->because = "";
	if (!r->would)
		r->would = "";
	if (o->rid[0] && r->status == ORDER_DONE && !r->dry_run)
		engine_remember(s->e, s->cfg->name, o->rid, r);
	if (o->done) {
		s->e->orders_open--;
		o->done(o->arg, r);
	}
	order_free(o);
}

void order_refuse(struct service *s, struct order *o, enum refusal rf, const char *detail)
{
	struct order_result r = { .status = ORDER_REFUSED, .refusal = rf };

	TEXT_COPY(r.detail, detail);
	order_end(s, o, &r);
}

struct order *order_next(struct service *s)
{
	struct order *o = s->first;

	s->first = o->next;
	if (!s->first)
		s->last = NULL;
	o->next = NULL;
	return o;
}

void order_put_back(struct service *s, struct order *o)
{
	o->next = s->first;
	s->first = o;
	if (!s->last)
		s->last = o;
}

void service_order(struct service *s, struct order *o)
{
	size_t waiting = 0;

	if (recheck_claim(s, o))
		return;
	for (struct order *w = s->first; w; w = w->next)
		waiting++;
	if (waiting >= MAX_ORDERS) {
		order_refuse(s, o, RF_STORE, "too many orders are waiting at this service; try again");
		return;
	}
	o->next = NULL;
	if (s->last)
		s->last->next = o;
	else
		s->first = o;
	s->last = o;
	service_tick(s);
}

/* An input of the world that must not be lost while a commit is in flight. */
void service_input(struct service *s, const struct input *in)
{
	for (struct order *w = s->first; w; w = w->next)
		if (!w->done && w->input.kind == in->kind)
			return;
	struct order *o = xcalloc(1, sizeof(*o));

	o->input = *in;
	service_order(s, o);
}
