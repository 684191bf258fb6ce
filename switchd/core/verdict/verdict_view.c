/* SPDX-License-Identifier: MIT
 * verdict_view.c - the two slots side by side at one moment (B1.2, B1.8, B2). */
#include <string.h>

#include "switchd/core/verdict/verdict_health.h"

/* What one view needs to know of one slot before any feature is looked at. */
struct looking {
	const struct health *h;
	const struct view_rules *rules;
	const struct slot_state *sl;
	enum slot s;
	bool live;
	int need;
	bool limit;                     /* unknown for unknown_limit counts as absent here (B1.1) */
	mono_us dark_since;             /* nothing of any target that is in is known, since; 0 = something is */
	bool absent_whole;              /* too few in, and nothing excuses it */
	bool starting[MAX_TARGETS];     /* proving: no feature is present there yet */
};

/* Counted anew where we could not look: while suspect, and until the wall between us and the slot was gone. */
static mono_us unknown_since(const struct health *h, const struct slot_state *sl, const struct cell *c)
{
	return mono_later(mono_later(c->unknown_since, h->trusted_since), sl->wall_gone);
}

static int64_t unknown_limit_ms(const struct health *h, const struct view_rules *rules)
{
	return rules->baking ? h->cfg->unknown_limit_bake_ms : h->cfg->unknown_limit_ms;
}

/* Asked since it is dark, each front that says something of this feature shows it from this slot; one that was not asked of it
 * (identity, a probe of targets alone) is believed by what else it shows. */
static bool front_shows(const struct looking *l, size_t f)
{
	const struct health *h = l->h;
	bool shown = false;

	if (!l->dark_since.us)
		return false;
	for (size_t p = 0; p < h->n_front; p++)
		for (size_t k = 0; k < h->cfg->n_features; k++) {
			const struct front_cell *c = &h->front[p].cells[k];
			bool since = c->began.us && !mono_before(c->began, l->dark_since);

			if (since && k == f && !(c->good && c->slot == l->s))
				return false;
			shown |= since && c->good && c->slot == l->s;
		}
	return shown;
}

static bool expired(const struct looking *l, const struct cell *c, size_t f)
{
	return l->limit && !front_shows(l, f) && c->verdict == V_UNKNOWN && c->unknown_since.us &&
	       mono_since_us(l->rules->now, unknown_since(l->h, l->sl, c)) >= unknown_limit_ms(l->h, l->rules) * 1000;
}

mono_us health_evidence(const struct health *h, enum slot s, size_t f)
{
	const struct slot_state *sl = &h->slot[s];
	mono_us known = { INT64_MAX }, any = { INT64_MAX };

	for (size_t t = 0; t < sl->n; t++) {
		const struct cell *c = &sl->target[t].cells[f];

		if (sl->target[t].out)
			continue;
		if (!c->last_at.us)
			return (mono_us){ 0 };
		if (c->last_began.us < any.us)
			any = c->last_began;
		mono_us at = c->verdict == V_PRESENT ? c->present_began : c->verdict == V_ABSENT ? c->last_began : known;

		if (at.us < known.us)
			known = at;
	}
	return known.us != INT64_MAX ? known : any.us != INT64_MAX ? any : (mono_us){ 0 };
}

/* How many targets had to go out before a proving slot had too few: the moment the last of them did. */
static mono_us proving_down_since(const struct slot_state *sl, int need)
{
	int spare = (int)sl->n - need;

	for (size_t t = 0; t < sl->n; t++) {
		int before = 0;

		if (!sl->target[t].out)
			continue;
		for (size_t k = 0; k < sl->n; k++)
			before += sl->target[k].out && (mono_before(sl->target[k].out_since, sl->target[t].out_since) ||
							(sl->target[k].out_since.us == sl->target[t].out_since.us && k < t));
		if (before == spare)
			return sl->target[t].out_since;
	}
	return (mono_us){ 0 };
}

static void look_at_targets(struct looking *l, struct slot_view *v)
{
	const struct health *h = l->h;

	v->targets = (int)l->sl->n;
	v->out = l->sl->n_out;
	v->in = v->targets - v->out;
	v->too_few = v->in < l->need;
	for (size_t t = 0; !l->live && t < l->sl->n; t++) {
		if (l->sl->target[t].out)
			continue;
		l->starting[t] = true;
		/* identity alone does not end the start: an application often knows its name before it serves. */
		for (size_t f = 0; f < h->cfg->n_features; f++)
			if (l->sl->target[t].cells[f].verdict == V_PRESENT)
				l->starting[t] = false;
		v->starting += l->starting[t];
	}
	if (!v->too_few)
		return;
	if (!l->live) {
		v->down_since = proving_down_since(l->sl, l->need);
		return;
	}
	v->down_since = l->sl->down_since;
	if (l->s == l->rules->active) {
		v->excused = health_excused(h, l->s);
		v->awaiting = !v->excused && health_awaiting(h, l->s, l->rules->now);
	}
	l->absent_whole = !v->excused && !v->awaiting && !h->suspect;
}

static void earliest(mono_us *least, mono_us t)
{
	if (t.us && (!least->us || mono_before(t, *least)))
		*least = t;
}

/* B1.2, a live slot: absent on at least half of the targets that are in, on fewer partial.  One
 * target that hangs is no more than that: unknown for too long counts toward the half, but makes
 * nothing partial, or a host that lost its power would condemn the release (product.md). */
static enum verdict live_verdict(int in, int absent, int overdue, int unknown)
{
	if (in == 0)
		return V_UNKNOWN;
	if (absent + overdue > 0 && 2 * (absent + overdue) >= in)
		return V_ABSENT;
	if (absent > 0)
		return V_PARTIAL;
	return 2 * (unknown + overdue) >= in ? V_UNKNOWN : V_PRESENT;
}

/* Proving: on every target that must be in, and absent on none. */
static enum verdict proving_verdict(int need, int present, int absent)
{
	return absent > 0 ? V_ABSENT : present >= need && present > 0 ? V_PRESENT : V_UNKNOWN;
}

static void look_at_feature(const struct looking *l, size_t f, const struct slot_view *sv, struct feature_view *v)
{
	enum slot s = l->s;
	int overdue = 0;
	mono_us overdue_since = { 0 };

	for (size_t t = 0; t < l->sl->n; t++) {
		const struct cell *c = &l->sl->target[t].cells[f];

		if (l->sl->target[t].out)
			continue;
		v->doubted[s] |= c->absents > 0;
		if (c->verdict == V_PRESENT) {
			v->present[s]++;
		} else if (c->verdict == V_ABSENT && !l->starting[t]) {
			v->absent[s]++;
			earliest(&v->first_absent[s], c->first_absent);
		} else if (expired(l, c, f)) {
			overdue++;
			earliest(&overdue_since, unknown_since(l->h, l->sl, c));
		} else {
			v->unknown[s]++;
		}
	}
	v->at[s] = l->live ? live_verdict(sv->in, v->absent[s], overdue, v->unknown[s])
			   : proving_verdict(l->need, v->present[s], v->absent[s]);
	if (v->at[s] == V_ABSENT && overdue) {
		v->absent[s] += overdue;
		earliest(&v->first_absent[s], overdue_since);
	} else {
		v->unknown[s] += overdue;
	}
	if (l->absent_whole && health_compared(l->h, f)) {
		v->at[s] = V_ABSENT;
		v->first_absent[s] = sv->down_since;
	}
	v->evidence_since[s] = health_evidence(l->h, s, f);
	v->removed[s] = l->rules->without[s] && f < l->h->cfg->n_features && declared_has(l->rules->without[s], l->h->cfg->features[f].name);
	v->seen[s] = l->sl->seen[f];
}

static size_t n_viewed(const struct health *h) { return h->cfg->n_features + h->cfg->identity.on; }

static void look_at_slot(struct looking *l, struct health_view *out)
{
	struct slot_view *sv = &out->slot[l->s];

	look_at_targets(l, sv);
	sv->whole = !sv->too_few && sv->in > 0;
	for (size_t f = 0; f < n_viewed(l->h); f++) {
		look_at_feature(l, f, sv, &out->f[f]);
		if (out->f[f].votes && !out->f[f].removed[l->s] && out->f[f].at[l->s] != V_PRESENT)
			sv->whole = false;
	}
	/* Then it is not whole either: identity always votes. */
	sv->identity_wrong = l->h->cfg->identity.on && out->f[l->h->cfg->n_features].absent[l->s] > 0;
}

static void look_at_votes(const struct health *h, const struct view_rules *rules, struct health_view *out)
{
	for (size_t f = 0; f < n_viewed(h); f++) {
		out->f[f].vacuous = f < h->cfg->n_features && h->vacuous[f];
		out->f[f].votes = health_could_vote(h, f);
	}
	for (size_t m = 0; m < rules->n_mutes; m++) {
		if (rules->mutes[m].until.ms && rules->mutes[m].until.ms <= rules->wall.ms)
			continue;
		for (size_t f = 0; f < h->cfg->n_features; f++)
			if (strcmp(rules->mutes[m].feature, h->cfg->features[f].name) == 0) {
				out->f[f].muted = true;
				out->f[f].votes = false;
			}
	}
}

/* B2, seen from `here`. */
static enum compared compare(enum verdict here, enum verdict there, bool seen_here)
{
	if (here == V_UNKNOWN || there == V_UNKNOWN)
		return CMP_UNKNOWN;
	if (here == V_PRESENT)
		return there == V_PRESENT ? CMP_SAME : CMP_GAINED;
	if (there != V_PRESENT)
		return CMP_BROKEN_BOTH;
	return seen_here ? CMP_LOST : CMP_NEW;
}

static struct looking look(const struct health *h, const struct view_rules *rules, enum slot s, bool other_whole)
{
	bool live = rules->live[s];

	return (struct looking){
		.h = h, .rules = rules, .sl = &h->slot[s], .s = s, .live = live,
		.need = live ? health_live_need(&h->cfg->slot[s]) : health_proving_need(&h->cfg->slot[s]),
		.limit = s == rules->active && other_whole && !h->suspect,
		.dark_since = health_dark_since(h, s),
	};
}

void health_view(const struct health *h, const struct view_rules *rules, struct health_view *out)
{
	/* The active slot comes last: its unknowns are judged by what the other one is. */
	enum slot last = rules->active == BLUE ? BLUE : GREEN, first = other_slot(last);

	memset(out, 0, sizeof(*out));
	out->n = h->cfg->n_features;
	out->suspect = h->suspect;
	out->suspect_why = h->suspect_why;
	for (size_t p = 0; p < h->n_front; p++)
		out->front_down |= h->front[p].down;
	look_at_votes(h, rules, out);
	struct looking l = look(h, rules, first, false);

	look_at_slot(&l, out);
	l = look(h, rules, last, out->slot[first].whole);
	look_at_slot(&l, out);
	for (size_t f = 0; f < n_viewed(h); f++) {
		struct feature_view *v = &out->f[f];

		for (int s = 0; s < 2; s++)
			v->cmp[s] = compare(v->at[s], v->at[!s], v->seen[s]);
	}
}

mono_us health_next_change(const struct health *h, const struct view_rules *rules)
{
	mono_us next = { 0 };

	if (rules->active != BLUE && rules->active != GREEN)
		return next;
	const struct slot_state *sl = &h->slot[rules->active];

	for (size_t t = 0; t < sl->n; t++)
		for (size_t f = 0; f < n_viewed(h) && !sl->target[t].out; f++) {
			const struct cell *c = &sl->target[t].cells[f];

			if (c->verdict != V_UNKNOWN || !c->unknown_since.us)
				continue;
			mono_us at = mono_plus_ms(unknown_since(h, sl, c), unknown_limit_ms(h, rules));

			if (mono_before(rules->now, at))
				earliest(&next, at);
		}
	if (health_awaiting(h, rules->active, rules->now))
		earliest(&next, mono_plus_ms(sl->n_out == (int)sl->n ? sl->all_out_since : sl->down_since, FRONT_WAIT_MS));
	return next;
}
