/* SPDX-License-Identifier: MIT
 * measure_control.c - the negative control (B1.5): each target is asked for what must not exist.
 *
 * A probe that passes there cannot see its feature go.  On deploy it refuses; in the hourly round the feature
 * loses its vote.  Kinds for which the control has no meaning say why (probe_unproven). */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/engine/service.h"

/* A probe that found the feature absent has shown that it can fail; one that does not count need not. */
static bool needless(const struct service *s, size_t target, size_t feature)
{
	const struct feature_view *f = &s->view->f[feature];

	return health_cell(s->health, s->control_slot, target, feature)->verdict == V_ABSENT || f->muted || f->removed[s->control_slot];
}

void measure_control_look(struct service *s)
{
	bool all = true;

	if (!s->controlling)
		return;
	s->vacuous = 0;
	for (size_t t = 0; t < s->control_targets; t++)
		for (size_t f = 0; f < s->cfg->n_features; f++) {
			struct cell_control *c = &s->control[t * s->cfg->n_features + f];

			if (c->vacuous) {
				s->vacuous++;
				TEXT_COPY(s->vacuous_name, s->cfg->features[f].name);
			}
			if (c->pending && !c->done && health_target_in(s->health, s->control_slot, t) && !needless(s, t, f))
				all = false;
		}
	s->control_done = all || s->vacuous > 0;
}

/* One target of the round that passes is enough. */
static void remember(struct service *s, size_t feature)
{
	bool fooled = false;

	for (size_t t = 0; t < s->control_targets; t++)
		fooled |= s->control[t * s->cfg->n_features + feature].vacuous;
	s->controls[feature] = (struct feature_control){ fooled ? CONTROL_VACUOUS : CONTROL_NOTICED, wall_now(), s->control_slot };
}

static void control_said(void *arg, const struct probe_result *r)
{
	struct service *s = arg;
	enum outcome_class class = outcome_info(r->outcome)->class;

	if (r->outcome == OUT_CANCELLED || !s->control || r->job.slot != s->control_slot || r->job.target >= s->control_targets)
		return;
	struct cell_control *c = &s->control[r->job.target * s->cfg->n_features + r->job.feature];

	c->asking = false;
	if (class == OC_PRESENT || class == OC_ABSENT) {
		c->done = true;
		c->vacuous = class == OC_PRESENT;
		/* The suite that runs again asks the idle slot too: what it answers takes no vote from the active one. */
		if (r->job.slot != s->rec.active && s->rec.phase == PH_STEADY) {
			measure_control_look(s);
			return;
		}
		remember(s, r->job.feature);
		if (c->vacuous && s->rec.phase != PH_PROVING && s->rec.phase != PH_READY) {
			health_set_vacuous(s->health, r->job.feature, true);
			log_warn("vacuous", "service=%s feature=%s what=\"the probe holds on a path that must not exist: it has no vote\"", s->cfg->name,
				 s->cfg->features[r->job.feature].name);
		} else if (!c->vacuous) {
			health_set_vacuous(s->health, r->job.feature, false);
		}
	}
	measure_control_look(s);
	service_tick(s);
}

/* A target is asked for what must not exist once the feature itself was seen there. */
void measure_control_ask(struct service *s, enum slot slot, size_t target, size_t feature)
{
	if (!s->controlling || slot != s->control_slot || target >= s->control_targets || feature >= s->cfg->n_features)
		return;
	struct cell_control *c = &s->control[target * s->cfg->n_features + feature];

	if (!c->pending || c->asking || c->done)
		return;
	struct probe_job job = { .via = VIA_SLOT, .purpose = PURPOSE_CONTROL, .slot = s->control_slot, .target = target, .feature = feature, .release = "" };

	c->asking = true;
	probe_start(s->runner, &job, control_said, s);
}

void measure_control(struct service *s, enum slot slot)
{
	if (slot == NO_SLOT)
		return;
	free(s->control);
	s->control_slot = slot;
	s->control_targets = s->cfg->slot[slot].n_targets;
	s->control = xcalloc(s->control_targets * s->cfg->n_features, sizeof(*s->control));
	s->controlling = true;
	s->control_done = false;
	s->vacuous = 0;
	s->vacuous_name[0] = '\0';
	for (size_t t = 0; t < s->control_targets; t++)
		for (size_t f = 0; f < s->cfg->n_features; f++)
			s->control[t * s->cfg->n_features + f].pending = !probe_unproven(&s->cfg->features[f]) &&
									s->cfg->features[f].severity == SEV_CRITICAL;
	measure_control_look(s);
}

/* ---- what is known of each feature ---- */

const char *measure_proof(const struct service *s, size_t i, const char **why)
{
	const struct feature *f = &s->cfg->features[i];
	const struct feature_control *c = &s->controls[i];

	*why = "";
	if (s->view->f[i].vacuous || c->said == CONTROL_VACUOUS) {
		*why = "it passes on a path that does not exist";
		return "vacuous";
	}
	if (c->said == CONTROL_NOTICED)
		return "proven";
	*why = probe_unproven(f);
	if (!*why && f->severity != SEV_CRITICAL)
		*why = "it only warns: its control is not asked";
	if (*why)
		return "unproven";
	*why = "its control has not been asked since the start: a deploy or the hourly round does";
	return "pending";
}

json_t *measure_unproven(const struct service *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->cfg->n_features; i++) {
		const char *why = probe_unproven(&s->cfg->features[i]);

		if (why && s->cfg->features[i].severity == SEV_CRITICAL)
			json_array_append_new(list, json_pack("{s:s,s:s}", "name", s->cfg->features[i].name, "why", why));
	}
	return list;
}

/* ---- birth and death ---- */

void measure_control_start(struct service *s)
{
	s->controls = xcalloc(s->cfg->n_features, sizeof(*s->controls));
	for (size_t i = 0; i < ARRAY_LEN(s->unproven); i++)
		s->unproven[i] = i < s->cfg->n_features && probe_unproven(&s->cfg->features[i]);
}

void measure_control_stop(struct service *s)
{
	free(s->control);
	free(s->controls);
	s->control = NULL;
	s->controls = NULL;
	s->controlling = false;
}
