/* SPDX-License-Identifier: MIT
 * recheck.c - when, and what broke in between. */
#include "switchd/core/recheck.h"

#include <stdio.h>
#include <string.h>

/* The release that serves, and baked.  One that was left is asked with whatever serves now. */
static bool counts(const struct ledger_release *r) { return r->held && r->baked.ms && r->n_live && !r->last.to.ms; }

struct ledger_release *recheck_due(const struct ledger *l, const struct service_config *cfg, wall_ms now, int *done)
{
	for (size_t i = l->n; i-- > 0;) {
		struct ledger_release *r = l->list[i];
		int over = r->rechecks;

		if (!counts(r))
			continue;
		while ((size_t)over < cfg->n_recheck && now.ms - r->baked.ms >= cfg->recheck_ms[over])
			over++;
		if (over == r->rechecks)
			continue;
		*done = over;
		return r;
	}
	return NULL;
}

wall_ms recheck_next(const struct ledger *l, const struct service_config *cfg)
{
	wall_ms next = { 0 };

	for (size_t i = 0; i < l->n; i++) {
		const struct ledger_release *r = l->list[i];

		if (!counts(r) || (size_t)r->rechecks >= cfg->n_recheck)
			continue;
		wall_ms t = wall_plus_ms(r->baked, cfg->recheck_ms[r->rechecks]);

		if (!next.ms || t.ms < next.ms)
			next = t;
	}
	return next;
}

size_t recheck_broken(const struct ledger *l, const struct service_config *cfg, struct broken out[2 * MAX_FEATURES])
{
	size_t n = 0;

	for (int k = BLUE; k <= GREEN; k++) {
		struct ledger_release *r = ledger_in_slot(l, (enum slot)k);

		for (size_t i = 0; r && i < cfg->n_features; i++) {
			struct ledger_fact *f = (struct ledger_fact *)ledger_fact(r, cfg->features[i].name);

			if (f && f->probe == cfg->features[i].fingerprint && f->now == V_ABSENT && f->last_present.ms && f->told.ms != f->absent_since.ms)
				out[n++] = (struct broken){ r, f };
		}
	}
	return n;
}

void recheck_text(const struct broken *b, size_t n, enum slot active, char *out, size_t size)
{
	char from[WALL_TEXT], to[WALL_TEXT];
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		char one[400];

		TEXT_FORMAT(one, "%s%s on %s (%s, %s): present until %s, absent since %s", i ? "; " : "", b[i].fact->feature, slot_name(b[i].release->slot),
			    b[i].release->id, b[i].release->slot == active ? "active" : "idle", wall_text(b[i].fact->last_present, from),
			    wall_text(b[i].fact->absent_since, to));
		if (len + strlen(one) + 24 >= size) {
			text_format(out + len, size - len, "; and %zu more", n - i);
			return;
		}
		text_format(out + len, size - len, "%s", one);
		len += strlen(one);
	}
}

json_t *recheck_json(const struct broken *b, size_t n, enum slot active)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n && i < 24; i++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:b,s:I,s:I}", "feature", b[i].fact->feature, "slot", slot_name(b[i].release->slot),
						      "release", b[i].release->id, "active", b[i].release->slot == active, "last_present",
						      (json_int_t)b[i].fact->last_present.ms, "absent_since", (json_int_t)b[i].fact->absent_since.ms));
	return list;
}
