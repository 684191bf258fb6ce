/* SPDX-License-Identifier: MIT
 * lost.c - what was acknowledged here and is not in the store any more: a failover took a commit that no replica had.
 *
 * Who leads next puts back what it knows; a hold that only the last leader knew of is in force no more.  That one says so, for it
 * is the only one who can. */
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/core/json_text.h"
#include "switchd/engine/service.h"

static bool has(const json_t *page, const char *id)
{
	json_t *x;
	size_t i;

	json_array_foreach(page, i, x)
		if (strcmp(json_text(x, "id"), id) == 0)
			return true;
	return false;
}

/* "hold.set by uid:0 (1795974040-79)" */
static void name(const struct kept_event *k, char *out, size_t size)
{
	json_t *o = json_loads(k->json, 0, NULL);
	size_t n = strlen(out);

	text_format(out + n, size - n, "%s%s by %s (%s)", n ? ", " : "", json_text(o, "kind"), json_text(o, "by"), k->id);
	json_decref(o);
}

static void tell(struct service *s, const char *what)
{
	static struct event ev;

	memset(&ev, 0, sizeof(ev));
	TEXT_COPY(ev.kind, "store.lost");
	TEXT_COPY(ev.service, s->cfg->name);
	TEXT_COPY(ev.by, "switchd");
	ev.at = wall_now();
	ev.from = ev.to = s->rec.active;
	ev.from_v = ev.to_v = s->rec.v;
	ev.because = s->e->standby ? "acknowledged here, and gone with a store that lost its last commits: who leads now may not know of it" :
				     "acknowledged here, and gone with a store that lost its last commits: what status shows is what is in force";
	TEXT_FORMAT(ev.detail, "%s", what);
	if (s->e->standby)
		log_error("human-needed", "service=%s because=%s detail=%s", s->cfg->name, LOG_Q(ev.because), LOG_Q(ev.detail));
	publish_event(s->e, &ev);
}

void lost_look(struct engine *e, const char *after, const char *until, const json_t *page)
{
	char what[sizeof(((struct event *)0)->detail)];

	for (size_t i = 0; i < e->n; i++) {
		what[0] = '\0';
		for (size_t k = 0; k < e->n_events; k++) {
			const struct kept_event *v = &e->events[k];

			if (strcmp(v->service, e->services[i]->cfg->name) != 0 || !export_before(after[0] ? after : "0-0", v->id) ||
			    export_before(until, v->id) || has(page, v->id))
				continue;
			name(v, what, sizeof(what));
			e->lost++;
		}
		if (what[0])
			tell(e->services[i], what);
	}
}
