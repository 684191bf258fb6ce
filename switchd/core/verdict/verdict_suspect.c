/* SPDX-License-Identifier: MIT
 * verdict_suspect.c - is it me? (B1.8)
 *
 * A target that turns unknown is noticed only when it is asked, so all that is known of the
 * moment is a span: after its last outcome that was not unknown, up to the outcome that tipped
 * it.  The idle slot is asked ten times more rarely than the active one: comparing the moments
 * of notice would never see both slots turn together.  The spans are compared instead. */
#include "switchd/core/verdict/verdict_health.h"

static bool spans_meet(const struct target_state *t, int64_t from_us, int64_t width_us)
{
	return t->unknown && t->turned_by.us >= from_us && t->turned_after.us < from_us + width_us;
}

/* Is there a window of two intervals in which at least half of each slot's targets may have turned?
 * If any window does, one that begins at a moment of notice does. */
static bool both_slots_turned(const struct health *h)
{
	int64_t width_us = 2 * h->least.interval_ms * 1000;

	for (int s = 0; s < 2; s++)
		for (size_t i = 0; i < h->slot[s].n; i++) {
			if (!h->slot[s].target[i].unknown)
				continue;
			int64_t from_us = h->slot[s].target[i].turned_by.us;
			bool both = true;

			for (int k = 0; k < 2; k++) {
				size_t turned = 0;

				for (size_t j = 0; j < h->slot[k].n; j++)
					turned += spans_meet(&h->slot[k].target[j], from_us, width_us);
				if (turned == 0 || 2 * turned < h->slot[k].n)
					both = false;
			}
			if (both)
				return true;
		}
	return false;
}

void suspect_begin(struct health *h, const char *why, mono_us at)
{
	h->suspect = true;
	h->suspect_why = why;
	h->suspect_since = at;
	h->reference_oks = 0;
	for (int s = 0; s < 2; s++)
		for (size_t i = 0; i < h->slot[s].n; i++)
			h->slot[s].target[i].knowns = 0;
}

static bool slot_known(const struct health *h, int s)
{
	for (size_t i = 0; i < h->slot[s].n; i++)
		if (h->slot[s].target[i].knowns < h->least.rise)
			return false;
	return h->slot[s].n > 0;
}

static bool may_end(struct health *h, mono_us now)
{
	if (!h->suspect || !(slot_known(h, BLUE) || slot_known(h, GREEN)) ||
	    (h->cfg->has_reference && h->reference_oks < h->least.rise))
		return false;
	h->suspect = false;
	h->suspect_why = "";
	/* Nobody could judge while it lasted: the clocks that end in "absent" start now. */
	h->trusted_since = now;
	health_restart_down(h, now);
	return true;
}

bool suspect_note(struct health *h, struct target_state *t, enum outcome_class class, bool was_unknown, mono_us began, mono_us ended)
{
	size_t asked = 0;

	t->n_unknown += (class == OC_UNKNOWN) - was_unknown;
	for (size_t f = 0; f < h->n_cells; f++)
		asked += health_compared(h, f) || (f < h->cfg->n_features && t->cells[f].last_at.us);
	bool now_unknown = 2 * (size_t)t->n_unknown > asked, turned = now_unknown && !t->unknown;

	if (class != OC_UNKNOWN)
		t->known_at = ended;
	if (turned) {
		t->turned_after = t->known_at;
		t->turned_by = ended;
	}
	t->unknown = now_unknown;
	if (!h->suspect && turned && both_slots_turned(h)) {
		suspect_begin(h, "at least half of the targets of both slots turned unknown together", ended);
		return true;
	}
	/* A probe begun before the suspicion says nothing about what came after. */
	if (h->suspect && class != OC_UNKNOWN && !mono_before(began, h->suspect_since)) {
		if (t->knowns < h->least.rise)
			t->knowns++;
		return may_end(h, ended);
	}
	return false;
}

void suspect_forget_target(struct target_state *t)
{
	t->n_unknown = 0;
	t->unknown = false;
	t->turned_after = t->turned_by = (mono_us){ 0 };
}

void health_note_reference(struct health *h, bool ok, mono_us at)
{
	h->latest = mono_later(h->latest, at);
	if (!ok) {
		if (!h->suspect)
			suspect_begin(h, "the reference target fails", at);
		h->reference_oks = 0;
		return;
	}
	if (h->reference_oks < h->least.rise)
		h->reference_oks++;
	(void)may_end(h, at);
}

void health_blind(struct health *h, mono_us now)
{
	h->latest = mono_later(h->latest, now);
	suspect_begin(h, "the clock jumped: switchd was stalled or suspended", now);
}
