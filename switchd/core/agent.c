/* SPDX-License-Identifier: MIT
 * agent.c - one judgement and what is remembered for it. */
#include "switchd/core/agent.h"

#include <string.h>

static const char *const words[] = { "ok", "ok", "ahead", "fork", "refused", "refused", "behind" };
_Static_assert(ARRAY_LEN(words) == N_AGENT_JUDGED, "a judgement without a name");

const char *agent_judged_name(enum agent_judged w) { return (size_t)w < ARRAY_LEN(words) ? words[w] : "?"; }

const struct agent_condemned *agent_condemned_find(const struct agent_holds *h, const char *release)
{
	for (size_t i = 0; i < h->n_seen; i++)
		if (strcmp(h->seen[i].release, release) == 0)
			return &h->seen[i];
	return NULL;
}

static bool forget(struct agent_holds *h, const char *release)
{
	for (size_t i = 0; i < h->n_seen; i++)
		if (strcmp(h->seen[i].release, release) == 0) {
			memmove(&h->seen[i], &h->seen[i + 1], (h->n_seen - i - 1) * sizeof(h->seen[0]));
			h->n_seen--;
			return true;
		}
	return false;
}

void agent_saw(struct agent_holds *h, const char *release, struct version at)
{
	forget(h, release);
	if (h->n_seen == AGENT_SEEN)
		forget(h, h->seen[0].release);
	must(TEXT_COPY(h->seen[h->n_seen].release, release));
	h->seen[h->n_seen++].at = at;
}

static bool same_shown(const struct proxy_value *a, const struct proxy_value *b) { return a->slot == b->slot && a->shield == b->shield; }

static bool by_force(const struct shown *told) { return !told->stamped && told->mode == MOVE_FORCE; }

/* Active already is not made active. */
static bool makes_active(const struct agent_holds *h, const struct shown *told)
{
	return !h->known || h->value.slot != told->value.slot || strcmp(h->release, told->release) != 0;
}

static bool condemned_before(const struct agent_holds *h, const struct shown *told)
{
	const struct agent_condemned *seen = told->release[0] ? agent_condemned_find(h, told->release) : NULL;

	return seen && seen->at.gen < told->value.v.gen && !by_force(told) && makes_active(h, told);
}

static bool future(struct version v, wall_ms now) { return v.gen > (uint64_t)(now.ms / 1000) + AGENT_FUTURE_S; }

enum agent_judged agent_judge(const struct agent_holds *h, const struct shown *told, wall_ms now)
{
	int c = h->known ? version_cmp(told->value.v, h->value.v) : 1;

	if (told->schema != 2)
		return AG_UNREAD;
	if (c < 0)
		return AG_AHEAD;
	if (c == 0) {
		if (!same_shown(&told->value, &h->value) || (h->cid[0] && strcmp(h->cid, told->cid) != 0))
			return AG_FORK;
		return h->cid[0] ? AG_SAME : AG_APPLY;
	}
	if (future(told->value.v, now))
		return AG_FUTURE;
	return condemned_before(h, told) ? AG_REFUSED : AG_APPLY;
}

void agent_take(struct agent_holds *h, const struct shown *told, id_text forgotten)
{
	forgotten[0] = '\0';
	h->known = true;
	h->value = told->value;
	h->value.pin = false;
	TEXT_COPY(h->release, told->release);
	TEXT_COPY(h->cid, told->cid);
	/* Active by the store's own judgement, or by a person's: pardoned. */
	if (told->release[0] && forget(h, told->release))
		text_copy(forgotten, sizeof(id_text), told->release);
	if (told->condemned[0] && strcmp(told->condemned, told->release) != 0)
		agent_saw(h, told->condemned, told->value.v);
}

void agent_found(struct agent_holds *h, const struct proxy_value *v, wall_ms now)
{
	if (v->pin || future(v->v, now) || (h->known && version_cmp(v->v, h->value.v) <= 0))
		return;
	h->known = true;
	h->value = *v;
	h->release[0] = h->cid[0] = '\0';
}
