/* SPDX-License-Identifier: MIT
 * adopt.c - what was committed is now the truth: remembered, journalled, told, performed.
 *
 * Every ACT_ bit of a decision has its executor in perform(). */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/engine/service.h"

void adopt_deploy(struct service *s)
{
	const struct deploy *d = &s->rec.deploy;
	size_t i;

	if (!d->id)
		return;
	for (i = 0; i < s->n_deploys; i++)
		if (s->deploys[i].id == d->id)
			break;
	if (i == s->n_deploys) {
		if (i == ARRAY_LEN(s->deploys)) {
			memmove(&s->deploys[0], &s->deploys[1], (i - 1) * sizeof(s->deploys[0]));
			memmove(&s->deploy_epoch[0], &s->deploy_epoch[1], (i - 1) * sizeof(s->deploy_epoch[0]));
			memmove(&s->deploy_lost[0], &s->deploy_lost[1], (i - 1) * sizeof(s->deploy_lost[0]));
			memmove(&s->deploy_exposed[0], &s->deploy_exposed[1], (i - 1) * sizeof(s->deploy_exposed[0]));
			i--;
		} else {
			s->n_deploys++;
		}
		s->deploy_lost[i][0] = '\0';
		s->deploy_exposed[i] = -1;
	}
	s->deploys[i] = *d;
	s->deploy_epoch[i] = s->rec.v.epoch;
}

static void note_lost(struct service *s, const struct record *was)
{
	struct world w;
	size_t lost[MAX_FEATURES], n;
	char *out;
	struct buf b = BUF_INIT(240);

	if (!s->n_deploys || s->d->mode != MOVE_AUTO)
		goto refused;
	service_world(s, &w);
	n = decide_lost(was, &w, s->cfg, lost);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%s", i ? "," : "", s->cfg->features[lost[i]].name);
	out = s->deploy_lost[s->n_deploys - 1];
	text_copy(out, sizeof(s->deploy_lost[0]), buf_str(&b));
	buf_free(&b);
	return;
refused:
	buf_free(&b);
}

/* The first moment at which the release left was seen bad: exposure is counted from it. */
static void note_first_bad(struct service *s, const struct record *was)
{
	s->first_bad = (mono_us){ 0 };
	if (s->d->mode != MOVE_AUTO || was->active == NO_SLOT)
		return;
	for (size_t i = 0; i <= s->view->n && i <= MAX_FEATURES; i++) {
		mono_us t = s->view->f[i].first_absent[was->active];

		if (s->view->f[i].votes && t.us && (!s->first_bad.us || t.us < s->first_bad.us))
			s->first_bad = t;
	}
}

static void journalled(void *arg, bool durable)
{
	struct service *s = arg;

	if (!durable)
		log_error("journal", "service=%s what=\"not durable: a restart without the store may not know the last commit\"", s->cfg->name);
}

void adopt_journal(struct service *s, const struct condemned *condemn)
{
	struct journal_entry *j = xcalloc(1, sizeof(*j));

	TEXT_COPY(j->service, s->cfg->name);
	j->kind = JR_COMMITTED;
	j->record = s->rec;
	if (condemn)
		j->condemn = *condemn;
	journal_add(s->e->journal, j, journalled, s);
	free(j);
}

static void condemned_update(struct service *s, const struct decision *d)
{
	if (d->condemn_it && !condemned_find(&s->condemned, d->condemn.release, "")) {
		if (s->condemned.n == MAX_CONDEMNED) {
			memmove(&s->condemned.list[0], &s->condemned.list[1], (MAX_CONDEMNED - 1) * sizeof(s->condemned.list[0]));
			s->condemned.n--;
		}
		s->condemned.list[s->condemned.n++] = d->condemn;
	}
	if (d->pardon_it)
		for (size_t i = 0; i < s->condemned.n; i++)
			if (strcmp(s->condemned.list[i].release, d->pardon) == 0) {
				memmove(&s->condemned.list[i], &s->condemned.list[i + 1],
					(s->condemned.n - i - 1) * sizeof(s->condemned.list[0]));
				s->condemned.n--;
				i--;
			}
}

static void perform(struct service *s, const struct decision *d, const struct record *was)
{
	struct proxy_value before = decide_value(was), after = decide_value(&s->rec);
	bool moved = memcmp(&before.v, &after.v, sizeof(before.v)) != 0 || before.slot != after.slot || before.shield != after.shield;
	enum slot idle = other_slot(s->rec.active);

	if ((d->actions & ACT_APPLY) || (moved && !(d->actions & ACT_ADOPT_PIN)))
		traffic_apply(s, d->mode == MOVE_AUTO || d->mode == MOVE_BACK ? ORDER_BACK : ORDER_FORWARD);
	else if (d->actions & ACT_UNPIN)
		traffic_apply(s, ORDER_BACK);
	if (d->actions & ACT_FILLED)
		measure_filled(s, s->rec.active == NO_SLOT ? s->rec.deploy.slot : idle);
	if (d->actions & ACT_CONTROL)
		measure_control(s, s->rec.active == NO_SLOT ? s->rec.deploy.slot : idle);
	if (d->actions & ACT_PREFLIGHT)
		traffic_preflight(s, s->rec.active == NO_SLOT ? s->rec.deploy.slot : idle);
	if (d->actions & ACT_LEARN)
		measure_learn(s);
	if (d->actions & ACT_DRAIN)
		traffic_drain(s, was->active);
	if (d->actions & ACT_FRESH_OTHER)
		measure_fresh(s, idle);
	if (d->actions & ACT_CALL_HUMAN)
		log_error("human-needed", "service=%s because=%s detail=%s", s->cfg->name, LOG_Q(d->because), LOG_Q(d->detail));
}

static void count_move(struct service *s, const struct decision *d, const struct record *was)
{
	if (s->rec.active == was->active || s->rec.active == NO_SLOT)
		return;
	s->flips[s->rec.active][d->mode == MOVE_AUTO ? 0 : d->mode == MOVE_BACK ? 2 : 1]++;
}

void adopt(struct service *s, const struct record *now_rec, const char *stream_id)
{
	struct decision *d = s->d;
	struct record *was = xmalloc(sizeof(*was));
	mono_us now = mono_now();

	*was = s->rec;
	s->rec = *now_rec;
	condemned_update(s, d);
	if (s->rec.phase != was->phase)
		s->phase_entered = now;
	if (s->rec.active != was->active) {
		note_first_bad(s, was);
		s->since_flip = now;
		s->whole_since = (mono_us){ 0 };
	}
	adopt_deploy(s);
	if (s->rec.active != was->active)
		note_lost(s, was);
	count_move(s, d, was);
	TEXT_COPY(s->last_because, d->because);
	TEXT_COPY(d->event.stream_id, stream_id);
	if (d->event.kind[0]) {
		if (d->mode != MOVE_NOTE || text_starts(d->event.kind, "gate."))
			s->last_move_event = d->event;
		publish_event(s->e, &d->event);
	}
	log_info("commit", "service=%s phase=%s active=%s version=%llu.%llu shield=%d because=%s", s->cfg->name, phase_name(s->rec.phase),
		 slot_name(s->rec.active), (unsigned long long)s->rec.v.gen, (unsigned long long)s->rec.v.epoch, s->rec.shield,
		 LOG_Q(d->because));
	measure_pace(s);
	perform(s, d, was);
	publish_change(s);
	free(was);
}
