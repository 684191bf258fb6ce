/* SPDX-License-Identifier: MIT
 * verdict_cell.c - the hysteresis of one (slot, target, feature): B1.3. */
#include "switchd/core/verdict/verdict_health.h"

static void fold_present(struct cell *c, const struct probe_rule *rule)
{
	c->presents_in_row = grow(c->presents_in_row);
	c->unknown_since = (mono_us){ 0 };
	if (c->presents_in_row >= rule->calm) {
		c->absents = 0;
		c->first_absent = (mono_us){ 0 };
		c->verdict = V_PRESENT;
	} else if (c->verdict == V_UNKNOWN && c->presents_in_row >= rule->rise) {
		c->verdict = V_PRESENT;
	}
}

static void fold_absent(struct cell *c, mono_us ended)
{
	/* The end of the probe, not its begin: evidence about the other slot counts as taken after
	 * the first absent only if it was asked for when the absence was known. */
	if (c->absents == 0)
		c->first_absent = ended;
	c->presents_in_row = 0;
	c->absents = grow(c->absents);
	c->unknown_since = (mono_us){ 0 };
}

static void fold_unknown(struct cell *c, mono_us ended)
{
	c->presents_in_row = 0;
	if (!c->unknown_since.us)
		c->unknown_since = ended;
	if (c->verdict == V_PRESENT)
		c->verdict = V_UNKNOWN;
}

enum verdict health_fold(struct cell *c, const struct probe_rule *rule, enum outcome o, mono_us began, mono_us ended)
{
	enum outcome_class class = outcome_info(o)->class;

	c->last = o;
	c->last_began = began;
	c->last_at = ended;
	c->knowns_in_row = class == OC_UNKNOWN ? 0 : grow(c->knowns_in_row);
	/* A worker killed is an absent that arrived as an out: its row of outs goes on, or each next one
	 * would have to earn `fall` anew. */
	c->outs_in_row = class == OC_OUT || o == OUT_KILLS_WORKER ? grow(c->outs_in_row) : 0;
	switch (class) {
	case OC_PRESENT:
		c->present_began = began;
		fold_present(c, rule);
		break;
	case OC_ABSENT:
		fold_absent(c, ended);
		break;
	case OC_UNKNOWN:
		fold_unknown(c, ended);
		break;
	case OC_OUT:
		/* No verdict.  unknown_since stands: a target that now hangs and now refuses has not
		 * said anything about the feature in between. */
		c->presents_in_row = 0;
		break;
	default:
		never("an outcome of no class");
	}
	if (c->absents >= rule->fall)
		c->verdict = V_ABSENT;
	if (c->verdict == V_PRESENT)
		c->ever_present = true;
	return c->verdict;
}
