/* SPDX-License-Identifier: MIT
 * requests.c - how many requests went wrong over a move: the proxies' own counters, before it and after it.
 *
 * Read when a slot is filled (nobody is served by it yet), else at the first absent answer of the active slot; and again a
 * moment after the traffic came to rest.  The difference is one event.  Where a proxy restarted meanwhile, or could not
 * be read, it is not known, and the event says why: part of a number would be read as the number. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/engine/service.h"

enum { SETTLE_MS = 1000 };      /* answers under way end, and the shield's counters are read once more */

struct counting {
	bool on, ending;                /* a base was asked for; the end is being read */
	enum slot slot;                 /* whose answers are counted */
	mono_us due;                    /* when to read the end; 0 = the traffic has not come to rest */
	size_t waiting;
	struct px_counts { bool base, end, restarted; struct proxy_counts a, b; uint64_t caught; } px[MAX_PROXIES];
};

static struct counting *counting_of(struct service *s)
{
	if (!s->counting)
		s->counting = xcalloc(1, sizeof(*s->counting));
	return s->counting;
}

void requests_free(struct service *s)
{
	free(s->counting);
	s->counting = NULL;
}

static void base_got(void *arg, bool known, const struct proxy_counts *n)
{
	struct px *p = arg;
	struct px_counts *c = &counting_of(p->s)->px[p->index];

	if (!known || c->base)
		return;
	c->base = true;
	c->restarted = false;
	c->a = *n;
	c->caught = p->caught;
}

void requests_begin(struct service *s, enum slot slot)
{
	struct counting *c = counting_of(s);

	if (slot == NO_SLOT || !s->cfg->n_proxies)
		return;
	*c = (struct counting){ .on = true, .slot = slot };
	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		proxy_count(s->px[i].proxy, slot, base_got, &s->px[i]);
}

/* An absent answer of the active slot: from here on it is counted, unless it is since the flip. */
void requests_absent(struct service *s)
{
	struct counting *c = s->counting;

	if (s->rec.phase == PH_STEADY && s->rec.active != NO_SLOT && (!c || !c->on || (c->slot != s->rec.active && !c->due.us)))
		requests_begin(s, s->rec.active);
}

void requests_restarted(struct px *p)
{
	if (p->s->counting)
		p->s->counting->px[p->index].restarted = true;
}

static bool phase_moves(enum phase p) { return p == PH_FLIPPING || p == PH_BAKING || p == PH_REVERTING || p == PH_STUCK; }

/* After every commit. */
void requests_adopted(struct service *s, const struct record *was)
{
	struct counting *c = s->counting;

	if (s->rec.active != was->active && s->rec.active != NO_SLOT && (!c || !c->on || (c->slot != was->active && c->slot != s->rec.active)) &&
	    (s->rec.move.mode == MOVE_FORWARD || s->rec.move.mode == MOVE_FORCE))
		requests_begin(s, s->rec.active);
	c = s->counting;
	if (!c || !c->on)
		return;
	if (phase_moves(was->phase) && !phase_moves(s->rec.phase))
		c->due = mono_plus_ms(mono_now(), SETTLE_MS);
	else if (phase_moves(s->rec.phase))
		c->due = (mono_us){ 0 };
	else if (!c->due.us && was->phase == PH_PROVING && s->rec.phase == PH_STEADY)
		c->on = false; /* refused: traffic never moved */
}

/* ---- the end ---- */

static bool behind(const struct proxy_counts *a, const struct proxy_counts *b)
{
	return b->answers < a->answers || b->r4xx < a->r4xx || b->r5xx < a->r5xx || b->no_connection < a->no_connection || b->broken < a->broken;
}

static const char *unknown_why(const struct service *s, char why[160])
{
	const struct counting *c = s->counting;

	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		const struct px_counts *n = &c->px[i];

		if (n->restarted || (n->base && n->end && behind(&n->a, &n->b)))
			text_format(why, 160, "proxy %s began to count anew meanwhile", s->px[i].cfg->name);
		else if (!n->base || !n->end)
			text_format(why, 160, "proxy %s could not be read", s->px[i].cfg->name);
		else
			continue;
		return why;
	}
	return NULL;
}

static void put(json_t *o, const char *what, enum slot slot, uint64_t n, bool always)
{
	char name[64];

	text_format(name, sizeof(name), "%s %s", what, slot_name(slot));
	if (n || always)
		json_object_set_new(o, name, json_integer((json_int_t)n));
}

static json_t *numbers(const struct service *s)
{
	const struct counting *c = s->counting;
	struct proxy_counts sum = { 0, 0, 0, 0, 0 };
	uint64_t caught = 0;
	json_t *o = json_object();

	for (size_t i = 0; i < s->cfg->n_proxies; i++) {
		const struct px_counts *n = &c->px[i];

		sum.answers += n->b.answers - n->a.answers;
		sum.r4xx += n->b.r4xx - n->a.r4xx;
		sum.r5xx += n->b.r5xx - n->a.r5xx;
		sum.no_connection += n->b.no_connection - n->a.no_connection;
		sum.broken += n->b.broken - n->a.broken;
		caught += s->px[i].caught - n->caught;
	}
	put(o, "answers from", c->slot, sum.answers, true);
	put(o, "4xx from", c->slot, sum.r4xx, true);
	put(o, "5xx from", c->slot, sum.r5xx, true);
	put(o, "no connection to", c->slot, sum.no_connection, false);
	put(o, "broken off by", c->slot, sum.broken, false);
	if (caught)
		json_object_set_new(o, "answered by the shield", json_integer((json_int_t)caught));
	return o;
}

static void tell(struct service *s)
{
	struct input in = { .kind = IN_COUNTED, .slot = NO_SLOT, .found_slot = NO_SLOT, .by = "switchd" };
	char why[160];
	const char *unknown = unknown_why(s, why), *name;
	json_t *n = unknown ? json_null() : numbers(s), *evidence = json_pack("{s:O}", "requests", n), *v;

	if (unknown)
		TEXT_FORMAT(in.detail, "not known: %s", unknown);
	json_object_foreach(n, name, v) {
		size_t len = strlen(in.detail);

		text_format(in.detail + len, sizeof(in.detail) - len, "%s%s %lld", len ? ", " : "", name, (long long)json_integer_value(v));
	}
	json_decref(n);
	free(s->counted_evidence);
	s->counted_evidence = json_dumps(evidence, JSON_COMPACT);
	json_decref(evidence);
	s->counting->on = s->counting->ending = false;
	log_info("requests", "service=%s slot=%s what=%s", s->cfg->name, slot_name(s->counting->slot), LOG_Q(in.detail));
	service_input(s, &in);
}

static void end_got(void *arg, bool known, const struct proxy_counts *n)
{
	struct px *p = arg;
	struct counting *c = counting_of(p->s);

	if (!c->ending || !c->waiting)
		return;
	c->px[p->index].end = known;
	c->px[p->index].b = *n;
	if (--c->waiting == 0)
		tell(p->s);
}

void requests_beat(struct service *s)
{
	struct counting *c = s->counting;

	if (!c || !c->on || c->ending || !c->due.us || c->due.us > mono_now().us || !store_is_up(s->e->store))
		return;
	c->ending = true;
	c->waiting = s->cfg->n_proxies;
	for (size_t i = 0; i < s->cfg->n_proxies; i++)
		proxy_count(s->px[i].proxy, c->slot, end_got, &s->px[i]);
}

/* The proxies go away (a reload, the end): nothing is asked of them any more. */
void requests_stop(struct service *s)
{
	if (s->counting)
		s->counting->on = s->counting->ending = false;
}
