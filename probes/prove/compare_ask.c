/* SPDX-License-Identifier: MIT
 * compare_ask.c - asks, and forms the answer of a comparison. */
#include "probes/prove/compare_ask.h"

#include <stdlib.h>
#include <string.h>

#include "probes/kind.h"

struct asking;
struct side { struct asking *of; struct facts *facts; bool done; };

struct asking {
	struct probe_runner *runner;
	struct compare_job job;
	struct side was, now, again;
	struct evidence evidence;       /* of the new answer */
	bool cancelled, was_present;
	compare_done_fn *done;
	void *arg;
};

static void end(struct asking *k, enum compare_end how)
{
	struct compare_said said = { .job = k->job, .end = how, .whole = k->was.facts && k->now.facts && facts_whole(k->was.facts) && facts_whole(k->now.facts),
				     .evidence = how == COMPARE_DIFFERS ? &k->evidence : NULL };

	said.job.noise = NULL;
	facts_free(&k->was.facts);
	facts_free(&k->now.facts);
	facts_free(&k->again.facts);
	json_decref(k->job.noise);
	k->done(k->arg, &said);
	free(k);
}

static void on_answer(void *arg, const struct answer *a, const char *location)
{
	struct side *side = arg;
	struct answer own = { .status = a->status, .content_type = a->content_type, .body = a->body, .body_len = a->body_len };

	side->facts = facts_of(&own, location, side->of->runner->compared[side->of->job.feature]);
	answer_clear(&own);
}

static void on_done(void *, const struct probe_result *);

static void ask(struct side *side, enum slot slot, size_t target)
{
	struct asking *k = side->of;
	struct probe_job job = { .via = VIA_SLOT, .purpose = PURPOSE_BASELINE, .slot = slot, .target = target, .feature = k->job.feature, .release = "" };
	struct probe_handle *h = probe_start(k->runner, &job, on_done, side);

	h->on_answer = on_answer; /* no answer comes from inside the start */
}

static bool differ(struct asking *k)
{
	const struct compare_config *c = &k->runner->svc->features[k->job.feature].against;
	const struct noise noise = { k->job.noise };

	return facts_differ(k->was.facts, k->now.facts, &noise, c, k->evidence.want, k->evidence.got);
}

static void look(struct asking *k)
{
	struct noise noise = { k->job.noise };

	if (k->cancelled)
		end(k, COMPARE_CANCELLED);
	else if (!k->was.facts || !k->was_present)
		end(k, COMPARE_NO_OLD);
	else if (!k->now.facts)
		end(k, COMPARE_NO_NEW);
	else if (!differ(k))
		end(k, COMPARE_SAME);
	else if (!k->again.of) {
		k->again.of = k;
		ask(&k->again, other_slot(k->job.slot), k->job.old_target);
	} else if (!k->again.facts) {
		end(k, COMPARE_NO_OLD); /* what is noise cannot be told */
	} else {
		noise_learn(&noise, k->was.facts, k->again.facts, &k->runner->svc->features[k->job.feature].against);
		end(k, differ(k) ? COMPARE_DIFFERS : COMPARE_SAME);
	}
}

static void on_done(void *arg, const struct probe_result *r)
{
	struct side *side = arg;
	struct asking *k = side->of;

	side->done = true;
	k->cancelled |= r->outcome == OUT_CANCELLED;
	if (side == &k->was)
		k->was_present = r->outcome == OUT_PRESENT;
	if (side == &k->now && r->evidence) {
		k->evidence = *r->evidence;
		k->evidence.outcome = OUT_SHAPE;
	}
	if (k->was.done && k->now.done && (!k->again.of || k->again.done))
		look(k);
}

void compare_ask(struct probe_runner *r, const struct compare_job *job, compare_done_fn *done, void *arg)
{
	struct asking *k = xcalloc(1, sizeof(*k));

	must(job->slot <= GREEN && job->feature < r->svc->n_features && json_is_object(job->noise));
	k->runner = r;
	k->job = *job;
	json_incref(k->job.noise);
	k->done = done;
	k->arg = arg;
	k->was.of = k->now.of = k;
	ask(&k->was, other_slot(job->slot), job->old_target);
	ask(&k->now, job->slot, job->target);
}
