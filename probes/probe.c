/* SPDX-License-Identifier: MIT
 * probe.c - the table of kinds, and the life of a probe: begun, under way, ended once. */
#include "probes/probe.h"

#include <stdlib.h>
#include <string.h>

#include "probes/inventory/inventory.h"
#include "probes/kind.h"
#include "probes/assert/xpath.h"
#include "probes/kinds/reach.h"

/* A new kind is one row here and one file (probes/README.md). */
static const struct probe_kind *const kinds[] = {
	&probe_kind_assets,
	&probe_kind_http,
	&probe_kind_steps,
	&probe_kind_exec,
	&probe_kind_grpc,
	&probe_kind_tcp,
	&probe_kind_tls,
	&probe_kind_websocket,
};

static size_t kind_of(const struct feature *f)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i]->mine(f))
			return i;
	never("a feature of no kind");
}

/* ---- config ---- */

/* compare: xpath */
static int check_compare(const struct config *cfg, const struct feature *f, struct xpath **keep, struct buf *errors)
{
	const char *text = f->against.xpath;
	char err[160] = "";
	size_t off = 0;
	struct xpath *x;

	if (!text)
		return 0;
	x = xpath_compile(text, strlen(text), err, sizeof(err), &off);
	if (!x)
		buf_addf(errors, "%s:%d:%d: error: xpath: %s\n", cfg->file, f->against.xpath_line, f->against.xpath_col + (int)off, err);
	int wrong = x == NULL;

	if (keep)
		*keep = x;
	else
		xpath_free(&x);
	return wrong;
}

static int check_service(const struct config *cfg, const struct service_config *svc, struct suite *keep, struct xpath **compared,
			 struct buf *errors)
{
	int wrong = 0;

	for (size_t i = 0; i < svc->n_features; i++) {
		const struct feature *f = &svc->features[i];
		struct suite_source from = { cfg->file, f->expect, f->n_expect, f->expect_line, f->expect_col, f->expect_quote };
		struct suite s;

		const struct probe_kind *kind = kinds[kind_of(f)];

		wrong += suite_compile(&s, &from, errors);
		if (kind->check)
			wrong += kind->check(cfg, f, errors);
		wrong += check_compare(cfg, f, compared ? &compared[i] : NULL, errors);
		if (keep)
			keep[i] = s;
		else
			suite_clear(&s);
	}
	if (svc->identity.on)
		wrong += identity_check(&svc->identity, cfg->file, errors);
	wrong += inventory_check(cfg, svc, errors);
	return wrong;
}

bool probe_check_config(const struct config *cfg, struct buf *errors, int *n_errors)
{
	int wrong = 0;

	for (size_t i = 0; i < cfg->n_services; i++)
		wrong += check_service(cfg, &cfg->services[i], NULL, NULL, errors);
	if (n_errors)
		*n_errors = wrong;
	return wrong == 0;
}

const char *probe_unproven(const struct feature *f)
{
	const struct probe_kind *kind = kinds[kind_of(f)];

	return kind->unproven ? kind->unproven(f) : NULL;
}

unsigned probe_stubs(const struct feature *f)
{
	const struct probe_kind *kind = kinds[kind_of(f)];

	return kind->stubs ? kind->stubs(f) : 0;
}

enum outcome judge_expect(struct probe_handle *h, struct answer *a, struct evidence *e)
{
	const struct suite *s = &h->runner->suites[h->r.job.feature];

	return s->n ? suite_judge(s, NULL, a, "", e->want, e->got) : OUT_PRESENT;
}

int refuse_subjects(const struct config *cfg, const struct feature *f, const char *const *words, struct buf *errors)
{
	int wrong = 0;

	for (size_t i = 0; i < f->n_expect; i++) {
		const char *line = f->expect[i];
		size_t n = strcspn(line, " \t"), lead = 0;

		if (strncmp(line, "not ", 4) == 0)
			lead = 4, n = strcspn(line + lead, " \t");
		for (size_t k = 0; words[k]; k++)
			if (strlen(words[k]) == n && strncmp(words[k], line + lead, n) == 0) {
				buf_addf(errors, "%s:%d:%d: error: %s: has no meaning for a probe of kind %s\n", cfg->file,
					 f->expect_line ? f->expect_line[i] : 0, (f->expect_col ? f->expect_col[i] : 0) + (int)lead, words[k],
					 feature_kind_name(f));
				wrong++;
			}
	}
	return wrong;
}

/* ---- the runner ---- */

static void runner_destroy(struct probe_runner *r)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (r->means[i])
			kinds[i]->close(r->means[i]);
	reach_free(&r->reach);
	for (size_t i = 0; i < r->svc->n_features; i++) {
		suite_clear(&r->suites[i]);
		shape_free(&r->baselines[i]);
		xpath_free(&r->compared[i]);
		free(r->baseline_texts[i]);
	}
	identity_free(&r->identity);
	free(r->suites);
	free(r->baselines);
	free(r->compared);
	free(r->baseline_texts);
	free(r->shown[BLUE]);
	free(r->shown[GREEN]);
	free(r->means);
	free(r);
}

struct probe_runner *probe_runner_new(struct ev_loop *loop, const struct config *cfg, const struct service_config *svc, struct buf *errors)
{
	struct probe_runner *r = xcalloc(1, sizeof(*r));

	r->loop = loop;
	r->cfg = cfg;
	r->svc = svc;
	TAILQ_INIT(&r->live);
	r->suites = xcalloc(svc->n_features, sizeof(*r->suites));
	r->compared = xcalloc(svc->n_features, sizeof(*r->compared));
	r->baselines = xcalloc(svc->n_features, sizeof(*r->baselines));
	r->baseline_texts = xcalloc(svc->n_features, sizeof(*r->baseline_texts));
	for (int k = BLUE; k <= GREEN; k++)
		r->shown[k] = xcalloc(svc->slot[k].n_targets * svc->n_features, sizeof(*r->shown[k]));
	r->means = xcalloc(ARRAY_LEN(kinds), sizeof(*r->means));
	for (size_t i = 0; i < svc->n_features; i++)
		r->baseline_texts[i] = xstrdup("");
	if (check_service(cfg, svc, r->suites, r->compared, errors)) {
		runner_destroy(r);
		return NULL;
	}
	if (svc->identity.on)
		r->identity = identity_new(&svc->identity);
	r->reach = reach_new(r);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		r->means[i] = kinds[i]->open(r);
	return r;
}

void probe_runner_free(struct probe_runner **rp)
{
	struct probe_runner *r = *rp;
	struct probe_handle *h;

	if (!r)
		return;
	*rp = NULL;
	while ((h = TAILQ_FIRST(&r->live)))
		probe_cancel(h);
	runner_destroy(r);
}

/* ---- one probe ---- */

static void on_later(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct probe_handle *h = t->data;
	struct evidence e;

	(void)loop, (void)revents;
	evidence_begin(&e, h, "", "");
	TEXT_COPY(e.got, h->later_got);
	evidence_end(&e, NULL, h->later_outcome);
	probe_end(h, h->later_outcome, &e);
}

struct probe_handle *probe_start(struct probe_runner *r, const struct probe_job *job, probe_done_fn *done, void *arg)
{
	struct probe_handle *h = xcalloc(1, sizeof(*h));
	bool of_feature = job->purpose != PURPOSE_IDENTITY && job->purpose != PURPOSE_REFERENCE && job->purpose != PURPOSE_PAGE;

	must(!of_feature || job->feature < r->svc->n_features);
	must(job->via == VIA_FRONT || job->purpose == PURPOSE_REFERENCE ||
	     (job->slot <= GREEN && job->target < r->svc->slot[job->slot].n_targets));
	h->runner = r;
	h->feature = of_feature ? &r->svc->features[job->feature] : NULL;
	h->r.job = *job;
	TEXT_COPY(h->release, job->release ? job->release : "");
	h->r.job.release = h->release;
	TEXT_COPY(h->digest, job->digest ? job->digest : "");
	h->r.job.digest = h->digest;
	h->done = done;
	h->arg = arg;
	h->r.began = mono_now();
	ev_timer_init(&h->later, on_later, 0., 0.);
	h->later.data = h;
	TAILQ_INSERT_TAIL(&r->live, h, link);
	size_t k = kind_of(h->feature);
	h->kind = kinds[k];
	h->kind->start(r->means[k], h);
	return h;
}

void probe_end(struct probe_handle *h, enum outcome o, const struct evidence *e)
{
	ev_timer_stop(h->runner->loop, &h->later);
	TAILQ_REMOVE(&h->runner->live, h, link);
	h->r.ended = mono_now();
	h->r.outcome = o;
	h->r.evidence = e;
	h->done(h->arg, &h->r); /* may free the runner: only the handle is touched after it */
	free(h);
}

void probe_end_later(struct probe_handle *h, enum outcome o, const char *got)
{
	h->later_outcome = o;
	h->later_got = got;
	ev_timer_set(&h->later, 0., 0.);
	ev_timer_start(h->runner->loop, &h->later);
}

void probe_cancel(struct probe_handle *h)
{
	if (ev_is_active(&h->later))
		probe_end(h, OUT_CANCELLED, NULL);
	else
		h->kind->cancel(h);
}

/* ---- baselines ---- */

struct learning {
	struct probe_runner *runner;
	struct probe_job job;
	struct shape *first, *second;
	int round;                      /* of asking this target: 1, 2 */
	bool answered;
	baseline_done_fn *done;
	void *arg;
};

static void take_baseline(struct probe_runner *r, size_t feature, struct shape *s)
{
	shape_free(&r->baselines[feature]);
	free(r->baseline_texts[feature]);
	r->baselines[feature] = s;
	r->baseline_texts[feature] = shape_json(s);
	must(r->baseline_texts[feature] != NULL);
}

static void on_learn_answer(void *arg, const struct answer *a, const char *location)
{
	struct learning *l = arg;
	struct shape *s = shape_learn(a->status, a->content_type, location, a->body, a->body_len);

	l->answered = true;
	if (l->round == 1)
		l->first = s;
	else
		l->second = s;
}

static void on_learn_done(void *, const struct probe_result *);

static void learn_ask(struct learning *l)
{
	l->answered = false;
	l->round++;
	/* Set after the start: no answer comes from inside it. */
	struct probe_handle *h = probe_start(l->runner, &l->job, on_learn_done, l);
	h->on_answer = on_learn_answer;
}

static void learn_end(struct learning *l, bool learned, const char *text)
{
	shape_free(&l->first);
	shape_free(&l->second);
	l->done(l->arg, l->job.feature, learned, text);
	free(l);
}

static void on_learn_done(void *arg, const struct probe_result *r)
{
	struct learning *l = arg;
	struct shape *common;

	if (r->outcome == OUT_CANCELLED) {
		learn_end(l, false, "cancelled");
		return;
	}
	if (l->first && l->second) {
		common = shape_common(l->first, l->second);
		if (!common) {
			learn_end(l, false, "two answers in a row differ in status class or media type");
			return;
		}
		take_baseline(l->runner, l->job.feature, common);
		learn_end(l, true, l->runner->baseline_texts[l->job.feature]);
	} else if (l->first && l->round == 1) {
		learn_ask(l); /* the same target once more: what differs is noise */
	} else {
		shape_free(&l->first);
		l->round = 0;
		if (++l->job.target < l->runner->svc->slot[l->job.slot].n_targets)
			learn_ask(l);
		else
			learn_end(l, false, l->answered ? "the answer is neither 2xx nor a redirect" : "no target answered twice");
	}
}

void probe_learn_baseline(struct probe_runner *r, enum slot slot, size_t feature, baseline_done_fn *done, void *arg)
{
	struct learning *l = xcalloc(1, sizeof(*l));

	must(slot <= GREEN && feature < r->svc->n_features);
	*l = (struct learning){ .runner = r, .done = done, .arg = arg,
				.job = { .via = VIA_SLOT, .purpose = PURPOSE_BASELINE, .slot = slot, .feature = feature, .release = "" } };
	learn_ask(l);
}

const char *probe_baseline_text(const struct probe_runner *r, size_t feature)
{
	return feature < r->svc->n_features ? r->baseline_texts[feature] : "";
}

bool probe_set_baseline(struct probe_runner *r, size_t feature, const char *text)
{
	struct shape *s = feature < r->svc->n_features ? shape_parse(text) : NULL;

	if (!s)
		return false;
	take_baseline(r, feature, s);
	return true;
}
