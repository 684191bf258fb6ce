/* SPDX-License-Identifier: MIT
 * measure_compare.c - old against new (compare:), while a release is proved and while it bakes.
 *
 * Each target of the new slot is compared with the old slot: once before any of its presents count, then at the
 * idle pace.  A difference is asked again before it is believed; from then on, until a comparison finds none, what
 * the feature's own probe sees present there is noted as shape, with the difference as evidence: hysteresis,
 * gates and rollback are those of every other outcome. */
#include <stdlib.h>
#include <string.h>

#include "probes/prove/compare_ask.h"
#include "switchd/base/log.h"
#include "switchd/engine/service.h"

enum { RETRY_MS = 300, PROVING_MS = 1000 /* the processes of the old bits may have answered first */, NO_OLD_TRIES = 3, MOST_AT_ONCE = 8 };

struct cell_compare {
	bool asking, done;              /* done: there is a result, or nothing to compare with */
	int differs, no_old;            /* in a row */
	mono_us next;
	struct evidence *evidence;      /* of the difference */
};

struct compare_round {
	enum slot slot;                 /* the new one; NO_SLOT: nothing is compared */
	uint64_t deploy;
	unsigned number;
	struct cell_compare *cells;     /* [target][feature] */
	size_t targets, in_flight, turn;
	json_t **noise;                 /* [feature]: what the old slot shows against itself */
	bool cut_told;
};

static struct cell_compare *cell_of(const struct service *s, size_t target, size_t feature)
{
	return &s->compare->cells[target * s->cfg->n_features + feature];
}

static void forget(struct service *s)
{
	struct compare_round *c = s->compare;

	for (size_t i = 0; i < c->targets * s->cfg->n_features; i++)
		free(c->cells[i].evidence);
	for (size_t i = 0; c->noise && i < s->cfg->n_features; i++)
		json_decref(c->noise[i]);
	free(c->cells);
	free(c->noise);
	*c = (struct compare_round){ .slot = NO_SLOT, .number = c->number + 1 };
}

/* Which slot is the new one just now.  While baking, the other one must be what one could go back to: an older
 * release in any other state says nothing about this one. */
static enum slot new_slot(const struct service *s)
{
	const struct record *r = &s->rec;
	char why[160];

	if (r->active == NO_SLOT)
		return NO_SLOT;
	if ((r->phase == PH_PROVING || r->phase == PH_READY) && r->deploy.slot == other_slot(r->active))
		return r->deploy.slot;
	if ((r->phase == PH_FLIPPING || r->phase == PH_BAKING) && r->deploy.slot == r->active && decide_rollback_target(r, &s->condemned, why))
		return r->active;
	return NO_SLOT;
}

static void begin(struct service *s, enum slot slot)
{
	struct compare_round *c = s->compare;

	forget(s);
	c->slot = slot;
	c->deploy = s->rec.deploy.id;
	c->targets = s->cfg->slot[slot].n_targets;
	c->cells = xcalloc(c->targets * s->cfg->n_features, sizeof(*c->cells));
	c->noise = xcalloc(s->cfg->n_features, sizeof(*c->noise));
	for (size_t i = 0; i < s->cfg->n_features; i++)
		c->noise[i] = json_object();
}

/* ---- one comparison ---- */

static mono_us next_time(const struct service *s, const struct feature *f)
{
	bool short_pace = s->rec.phase == PH_PROVING && f->rule.idle_interval_ms > PROVING_MS;

	return mono_plus_ms(mono_now(), short_pace ? PROVING_MS : f->rule.idle_interval_ms);
}

static void differs(struct service *s, struct cell_compare *cell, const struct compare_said *r)
{
	const struct feature *f = &s->cfg->features[r->job.feature];

	cell->no_old = 0;
	cell->differs++;
	if (!cell->evidence)
		cell->evidence = xmalloc(sizeof(*cell->evidence));
	*cell->evidence = *r->evidence;
	cell->done |= cell->differs > 1;
	cell->next = cell->differs > 1 ? next_time(s, f) : mono_plus_ms(mono_now(), f->rule.confirm_ms);
	if (cell->differs == 2)
		log_warn("compare", "service=%s feature=%s slot=%s target=%s want=%s got=%s", s->cfg->name, f->name, slot_name(r->job.slot),
			 s->cfg->slot[r->job.slot].targets[r->job.target].text, LOG_Q(r->evidence->want), LOG_Q(r->evidence->got));
}

static void compared(void *arg, const struct compare_said *r)
{
	struct service *s = arg;
	struct compare_round *c = s->compare;

	if (!c || r->end == COMPARE_CANCELLED || c->slot == NO_SLOT || r->job.round != c->number)
		return;
	struct cell_compare *cell = cell_of(s, r->job.target, r->job.feature);
	const struct feature *f = &s->cfg->features[r->job.feature];

	c->in_flight--;
	cell->asking = false;
	if (!r->whole && (r->end == COMPARE_SAME || r->end == COMPARE_DIFFERS) && !c->cut_told) {
		c->cut_told = true;
		log_warn("compare", "service=%s feature=%s what=\"the answer has more than %d JSON paths: the rest is not compared\"", s->cfg->name, f->name,
			 COMPARE_MAX_PATHS);
	}
	switch (r->end) {
	case COMPARE_DIFFERS:
		differs(s, cell, r);
		return;
	case COMPARE_SAME:
		cell->differs = cell->no_old = 0;
		cell->done = true;
		cell->next = next_time(s, f);
		return;
	case COMPARE_NO_OLD:
		/* A slot that is broken must not keep its repair out. */
		cell->no_old++;
		if (cell->no_old == NO_OLD_TRIES)
			log_warn("compare", "service=%s feature=%s what=\"the old slot does not have it now: not compared\"", s->cfg->name, f->name);
		cell->done |= cell->no_old >= NO_OLD_TRIES;
		if (cell->no_old >= NO_OLD_TRIES)
			cell->differs = 0;
		cell->next = cell->no_old >= NO_OLD_TRIES ? next_time(s, f) : mono_plus_ms(mono_now(), RETRY_MS);
		return;
	default:
		cell->next = mono_plus_ms(mono_now(), RETRY_MS);
		return;
	}
}

/* An old target that is in; another each time. */
static size_t old_target(struct service *s, enum slot old)
{
	size_t n = s->cfg->slot[old].n_targets, first = s->compare->turn++;

	for (size_t i = 0; i < n; i++)
		if (health_target_in(s->health, old, (first + i) % n))
			return (first + i) % n;
	return first % n;
}

static void ask(struct service *s, size_t target, size_t feature)
{
	struct compare_round *c = s->compare;
	struct compare_job job = { .feature = feature, .slot = c->slot, .target = target, .noise = c->noise[feature], .round = c->number };

	job.old_target = old_target(s, other_slot(c->slot));
	cell_of(s, target, feature)->asking = true;
	c->in_flight++;
	compare_ask(s->runner, &job, compared, s);
}

/* ---- the beat ---- */

void measure_compare_beat(struct service *s)
{
	struct compare_round *c = s->compare;
	enum slot slot = new_slot(s);
	mono_us now = mono_now();

	if (slot != c->slot || (slot != NO_SLOT && c->deploy != s->rec.deploy.id)) {
		forget(s);
		if (slot != NO_SLOT)
			begin(s, slot);
	}
	if (slot == NO_SLOT || !s->cfg->slot[other_slot(slot)].n_targets)
		return;
	for (size_t f = 0; f < s->cfg->n_features; f++)
		for (size_t t = 0; s->cfg->features[f].against.on && t < c->targets; t++) {
			const struct cell_compare *cell = cell_of(s, t, f);

			if (!cell->asking && cell->next.us <= now.us && c->in_flight < MOST_AT_ONCE)
				ask(s, t, f);
		}
}

bool measure_compare_judge(struct service *s, struct probe_result *r)
{
	const struct compare_round *c = s->compare;
	const struct cell_compare *cell;

	if (r->outcome != OUT_PRESENT || r->job.purpose != PURPOSE_VOTE || r->job.via != VIA_SLOT || r->job.feature >= s->cfg->n_features ||
	    !s->cfg->features[r->job.feature].against.on)
		return true;
	if (r->job.slot != c->slot) /* the round may begin with the next beat */
		return c->slot != NO_SLOT || new_slot(s) != r->job.slot;
	if (c->deploy != s->rec.deploy.id)
		return false;
	cell = cell_of(s, r->job.target, r->job.feature);
	if (cell->done && cell->differs > 1) {
		r->outcome = OUT_SHAPE;
		r->evidence = cell->evidence;
	}
	return cell->done;
}

json_t *measure_compare_json(const struct service *s, size_t feature)
{
	const struct compare_round *c = s->compare;
	size_t differ = 0, waiting = 0, not_compared = 0;
	const struct evidence *e = NULL;

	if (!s->cfg->features[feature].against.on)
		return json_null();
	for (size_t t = 0; t < c->targets; t++) {
		const struct cell_compare *cell = cell_of(s, t, feature);

		waiting += !cell->done;
		not_compared += cell->no_old >= NO_OLD_TRIES;
		if (cell->done && cell->differs > 1) {
			differ++;
			e = cell->evidence;
		}
	}
	return json_pack("{s:s,s:s,s:s,s:s,s:I}", "state",
			 c->slot == NO_SLOT ? "resting" : differ ? "differs" : waiting ? "waiting" : not_compared ? "not-compared" : "same", "slot",
			 slot_name(c->slot), "want", e ? e->want : "", "got", e ? e->got : "", "noise",
			 (json_int_t)(c->slot == NO_SLOT ? 0 : json_object_size(c->noise[feature])));
}

/* ---- birth and death ---- */

void measure_compare_start(struct service *s)
{
	s->compare = xcalloc(1, sizeof(*s->compare));
	s->compare->slot = NO_SLOT;
}

void measure_compare_stop(struct service *s)
{
	if (!s->compare)
		return;
	forget(s);
	free(s->compare);
	s->compare = NULL;
}
