/* SPDX-License-Identifier: MIT
 * decide_gates.c - the gates inside a decision: asked of an order or of the slot under proof, and kept in the record. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "switchd/core/decide/transitions.h"

static const struct gate_facts no_facts;

static const struct gate_facts *facts(const struct look *l)
{
	const struct gate_facts *f = l->w->gates;

	return f && l->in->kind == IN_TICK && f->deploy == l->rec->deploy.id ? f : &no_facts;
}

static bool is_order(const struct look *l) { return l->in->kind == IN_CLAIM || l->in->kind == IN_DEPLOY; }
static bool slot_is(enum slot s) { return s == BLUE || s == GREEN; }

bool look_skips(const struct look *l, const char *gate)
{
	return is_order(l) ? gate_listed(l->in->skip, gate) : deploy_in_flight(l->rec) && gate_listed(l->rec->deploy.skip, gate);
}

/* ---- what decide itself sees of the slot ---- */

static void add(char *out, size_t size, const char *fmt, ...) PRINTF(3, 4);
static void add(char *out, size_t size, const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;

	if (n + 1 >= size)
		return;
	va_start(ap, fmt);
	vsnprintf(out + n, size - n, fmt, ap);
	va_end(ap);
}

static void add_list(struct look *l, char *out, size_t size, const size_t *list, size_t n, const char *word)
{
	size_t shown = 0;

	for (size_t i = 0; i < n; i++) {
		if (list[i] == l->w->health->n)
			continue;
		if (shown++ < 4)
			add(out, size, "%s%s %s", out[0] ? ", " : "", feature_name(l->w->cfg, l->w->health->n, list[i]), word);
	}
	if (shown > 4)
		add(out, size, ", and %zu more", shown - 4);
}

static bool holds(const size_t *list, size_t n, size_t i)
{
	for (size_t k = 0; k < n; k++)
		if (list[k] == i)
			return true;
	return false;
}

static void see_identity(struct look *l, struct gate_said *g)
{
	const struct proof *p = look_proof(l);
	size_t n = l->w->health->n;
	const char *slot = slot_name(l->b);

	if (holds(p->lost, p->n_lost, n) || holds(p->none, p->n_none, n) || holds(p->waived, p->n_waived, n)) {
		g->result = GR_REFUSE;
		TEXT_FORMAT(g->text, "%s does not answer as %s", slot, is_order(l) ? l->in->release : l->rec->deploy.release);
	} else if (holds(p->open, p->n_open, n)) {
		g->result = GR_WAITING;
		TEXT_FORMAT(g->text, "%s has not said yet what it runs", slot);
	} else {
		g->result = GR_PASS;
		TEXT_FORMAT(g->text, "every target of %s says %s", slot, is_order(l) ? l->in->release : l->rec->deploy.release);
	}
}

/* B1.5: a probe whose ability to fail nothing can show. */
static void see_unproven(struct look *l, struct gate_said *g)
{
	const struct service_config *c = l->w->cfg;
	size_t n = 0;

	for (size_t i = 0; i < c->n_features; i++) {
		if (!l->w->health->f[i].votes || !l->w->unproven[i])
			continue;
		if (n++ < 4)
			add(g->text, sizeof(g->text), "%s%s", n == 1 ? "; unproven, their probes have no negative control: " : ", ", c->features[i].name);
	}
	if (n)
		g->result = GR_UNPROVEN;
}

static void see_features(struct look *l, struct gate_said *g)
{
	const struct proof *p = look_proof(l);
	const struct slot_view *v = &l->w->health->slot[l->b];
	size_t size = sizeof(g->text), voting = 0, n = l->w->health->n;

	add_list(l, g->text, size, p->lost, p->n_lost, "LOST");
	add_list(l, g->text, size, p->none, p->n_none, "absent, and never seen before");
	add_list(l, g->text, size, p->waived, p->n_waived, "absent");
	if (l->w->control_done && l->w->vacuous)
		add(g->text, size, "%s%s passes on a path that does not exist", g->text[0] ? ", " : "", l->w->vacuous_name);
	g->result = GR_REFUSE;
	if (g->text[0])
		return;
	add_list(l, g->text, size, p->open, p->n_open, "not known yet");
	if (p->too_few)
		add(g->text, size, "%s%d of %d targets in", g->text[0] ? ", " : "", v->in, v->targets);
	if (!g->text[0] && !l->w->control_done && l->in->kind == IN_TICK)
		add(g->text, size, "the negative control has not ended");
	g->result = GR_WAITING;
	if (g->text[0])
		return;
	g->result = GR_PASS;
	for (size_t i = 0; i < n; i++)
		voting += l->w->health->f[i].votes;
	add(g->text, size, "%zu of %zu present on %s", voting - (p->n_both <= voting ? p->n_both : voting), voting, slot_name(l->b));
	add_list(l, g->text, size, p->both, p->n_both, "broken on both slots");
	see_unproven(l, g);
}

static void see_slot(struct look *l, struct gate_ask *a)
{
	const char *later = l->in->kind == IN_CLAIM ? "asked of the filled slot" : "asked of the slot from now on";

	if (is_order(l) && !(l->in->kind == IN_DEPLOY && l->in->dry_run && slot_is(l->b) && l->to == l->b)) {
		a->identity.result = a->features.result = GR_WAITING;
		TEXT_COPY(a->identity.text, later);
		TEXT_COPY(a->features.text, later);
		return;
	}
	if (l->w->cfg->identity.on)
		see_identity(l, &a->identity);
	see_features(l, &a->features);
}

/* ---- asking ---- */

static void ask_order(struct look *l, struct gate_ask *a)
{
	const struct input *in = l->in;

	a->when = in->kind == IN_CLAIM ? WHEN_CLAIM : WHEN_DEPLOY;
	a->dry_run = in->dry_run;
	a->release = in->release;
	a->digest = in->digest;
	a->slot = l->to;
	a->manifest = in->manifest;
	a->claimed = in->claimed;
	a->manifest_error = in->manifest_error ? in->manifest_error : "";
	a->force = in->force;
	a->skip = in->skip;
	a->skip_by = in->by;
	a->skip_why = in->why;
}

static void ask_proof(struct look *l, struct gate_ask *a)
{
	const struct record *r = l->rec;

	a->when = WHEN_PROVE;
	a->slot = r->deploy.slot;
	a->known = slot_is(a->slot) ? &r->slot[a->slot] : NULL;
	a->release = r->deploy.release;
	a->digest = a->known ? a->known->digest : "";
	a->manifest = look_new_manifest(l);
	a->manifest_error = "";
	a->inventory = l->w->inventory && l->w->inventory->deploy == r->deploy.id ? l->w->inventory : NULL;
	a->skip = r->deploy.skip;
	a->skip_by = r->deploy.by;
	a->skip_why = "";
	a->before = r->gates;
	a->n_before = r->n_gates;
	a->settled = r->phase == PH_READY;
}

const struct manifest *look_new_manifest(const struct look *l)
{
	const struct gate_facts *f = facts(l);
	enum slot s = l->rec->deploy.slot;

	return l->rec->phase == PH_PROVING && f->own == SM_READ && slot_is(s) && !l->rec->slot[s].manifest ? f->manifest : NULL;
}

const struct gate_said *look_gates(struct look *l, size_t *n)
{
	if (!l->gates_known) {
		struct gate_ask a = { .cfg = l->w->cfg, .condemned = l->w->condemned, .wall = l->w->wall, .facts = facts(l) };

		l->gates_known = true;
		l->n_gates = 0;
		if (is_order(l))
			ask_order(l, &a);
		else
			ask_proof(l, &a);
		see_slot(l, &a);
		l->n_gates = gates_ask(&a, l->gates);
	}
	*n = l->n_gates;
	return l->gates;
}

/* ---- what comes of it ---- */

void keep_gates(struct look *l, struct decision *d)
{
	size_t n;
	const struct gate_said *g = look_gates(l, &n);

	for (size_t i = 0; i < n; i++)
		d->next.gates[i] = g[i];
	for (size_t i = n; i < MAX_GATES; i++)
		d->next.gates[i] = (struct gate_said){ .name = "" };
	d->next.n_gates = n;
}

void tell_gates(struct look *l, struct decision *d)
{
	size_t n;
	const struct gate_said *g = look_gates(l, &n);

	gates_say_refused(g, n, d->detail, sizeof(d->detail));
}

void do_refuse_gates(struct look *l, struct decision *d)
{
	enum slot s = l->rec->deploy.slot;

	if (look_new_manifest(l))
		take_manifest(l, d, look_new_manifest(l));
	tell_gates(l, d);
	keep_gates(l, d);
	if (slot_is(s))
		d->next.slot[s].state = RS_REFUSED;
	deploy_end(l, &d->next, l->w->cfg->mode == MODE_OBSERVE ? DO_WOULD_REFUSE : DO_REFUSED, d->detail);
}

/* What is not expected of it: what it removes, and what is not expected of the release that serves now. */
static void expect_without(const struct look *l, struct release *r)
{
	char word[DECLARED_WORD + 1];

	r->without = slot_is(l->a) ? l->rec->slot[l->a].without : (struct declared){ "" };
	for (size_t at = 0; declared_next(&r->removes, &at, word);)
		if (!declared_add(&r->without, word)) /* full: the oldest removals are the ones that a config has dropped by now */
			r->without = r->removes;
	for (size_t at = 0; declared_next(&r->adds, &at, word);)
		declared_drop(&r->without, word);
}

void take_manifest(struct look *l, struct decision *d, const struct manifest *m)
{
	enum slot s = l->in->kind == IN_DEPLOY ? l->to : l->rec->deploy.slot;
	struct release *r = &d->next.slot[s];

	if (m) {
		r->manifest = true;
		TEXT_COPY(r->commit, m->commit);
		TEXT_COPY(r->builder, m->builder);
		TEXT_COPY(r->builder_version, m->builder_version);
		TEXT_COPY(r->lockfile, m->lockfile);
		r->adds = m->adds;
		r->removes = m->removes;
		if (!r->digest[0])
			TEXT_COPY(r->digest, m->digest);
		if (!r->own_rollback && m->has_rollback) {
			r->own_rollback = true;
			r->rollback = d->next.deploy.rollback = m->rollback;
		}
	}
	expect_without(l, r);
}

void do_manifest(struct look *l, struct decision *d)
{
	const struct manifest *m = look_new_manifest(l);

	take_manifest(l, d, m);
	keep_gates(l, d);
	say(d, "%s says it runs %s %s", slot_name(l->rec->deploy.slot), m->release[0] ? m->release : l->rec->deploy.release, m->digest);
}

void say_waived(struct look *l, struct decision *d)
{
	const struct proof *p = look_proof(l);

	say_features(l, d, p->waived, p->n_waived, "set aside");
}
