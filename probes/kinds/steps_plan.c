/* SPDX-License-Identifier: MIT
 * steps_plan.c - a run of steps, checked at load and compiled once. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probes/kinds/steps.h"
#include "switchd/base/text.h"

enum { LINE_MAX = ASSERT_MAX_LINE + 2 * VAR_MAX };

static bool has_names(const struct step *s)
{
	for (size_t i = 0; i < s->n_expect; i++)
		if (vars_in(s->expect[i]))
			return true;
	return false;
}

/* ---- at load ---- */

static int check_step(const struct config *cfg, const struct step *s, struct suite *keep, struct buf *errors)
{
	char **lines = xcalloc(s->n_expect + 1, sizeof(*lines));
	struct suite_source from = { cfg->file, (const char *const *)lines, s->n_expect, s->expect_line, s->expect_col, s->expect_quote };
	int wrong;

	for (size_t i = 0; i < s->n_expect; i++)
		lines[i] = vars_stand_in(s->expect[i]);
	wrong = suite_compile(keep, &from, errors);
	for (size_t i = 0; i < s->n_expect; i++)
		free(lines[i]);
	free(lines);
	return wrong;
}

static int check_captures(const struct config *cfg, const struct step *s, struct buf *errors)
{
	int wrong = 0;

	for (size_t i = 0; i < s->n_captures; i++) {
		const struct step_capture *c = &s->captures[i];
		char err[256] = "";
		int col = 0;
		struct query *q = query_compile(c->query, err, sizeof(err), &col);

		if (!q) {
			wrong++;
			buf_addf(errors, "%s:%d:%d: error: capture %s: %s\n", cfg->file, c->line,
				 suite_column(c->col, c->quote, c->query, (size_t)col), c->name, err);
		}
		query_free(&q);
	}
	return wrong;
}

int flow_check(const struct config *cfg, const struct feature *f, struct buf *errors)
{
	const struct steps_config *c = f->steps;
	int wrong = 0;

	for (size_t i = 0; i < c->n; i++) {
		struct suite s;

		wrong += check_step(cfg, &c->list[i], &s, errors);
		suite_clear(&s);
		wrong += check_captures(cfg, &c->list[i], errors);
	}
	return wrong;
}

/* ---- the run ---- */

/* Of the feature's own headers, all but what everybody sends may be a key. */
static void hide_headers(struct flow *w, const struct header *list, size_t n)
{
	static const char *const plain[] = { "User-Agent", "Accept", "Accept-Language", "Content-Type", "Host", "X-Forwarded-Proto",
					     "Origin", "Referer", "X-Requested-With" };

	for (size_t i = 0; i < n; i++) {
		const char *token = strrchr(list[i].value, ' ');
		bool known = vars_in(list[i].value);

		for (size_t k = 0; k < ARRAY_LEN(plain) && !known; k++)
			known = strcasecmp(list[i].name, plain[k]) == 0;
		if (!known) {
			redact_add(&w->redact, list[i].value);
			if (token) /* "Bearer TOKEN" */
				redact_add(&w->redact, token + 1);
		}
	}
}

static void plan_step(struct flow *w, struct step_plan *p, const struct step *s)
{
	struct buf errors = BUF_INIT(4096);
	struct config nobody = { .file = "" };
	struct suite suite;
	char err[256];
	int col;

	p->step = s;
	p->dynamic = has_names(s);
	must(check_step(&nobody, s, &suite, &errors) == 0); /* flow_check() said so */
	p->has_duration = suite.has_duration;
	p->wants_cert = suite.wants_cert;
	if (p->dynamic)
		suite_clear(&suite);
	else
		p->suite = suite;
	for (size_t i = 0; i < s->n_captures; i++)
		must((p->query[i] = query_compile(s->captures[i].query, err, sizeof(err), &col)) != NULL);
	hide_headers(w, s->headers, s->n_headers);
	buf_free(&errors);
}

struct flow *flow_new(const struct feature *f)
{
	const struct steps_config *c = f->steps;
	struct flow *w = xcalloc(1, sizeof(*w));

	w->feature = f;
	w->cfg = c;
	w->control = steps_control(c);
	w->plan = xcalloc(c->n, sizeof(*w->plan));
	for (size_t i = 0; i < c->n; i++)
		plan_step(w, &w->plan[i], &c->list[i]);
	for (size_t i = 0; i < c->n_hidden; i++)
		redact_add(&w->redact, c->hidden[i]);
	for (size_t i = 0; i < f->n_secrets; i++)
		redact_add(&w->redact, f->secrets[i]);
	for (size_t i = 0; i < c->n_secrets; i++) {
		vars_set(&w->secrets, c->secrets[i].name, c->secrets[i].value);
		redact_add(&w->redact, c->secrets[i].value);
	}
	return w;
}

void flow_free(struct flow **wp)
{
	struct flow *w = *wp;

	if (!w)
		return;
	*wp = NULL;
	for (size_t i = 0; i < w->cfg->n; i++) {
		suite_clear(&w->plan[i].suite);
		for (size_t k = 0; k < w->cfg->list[i].n_captures; k++)
			query_free(&w->plan[i].query[k]);
	}
	vars_clear(&w->secrets);
	redact_clear(&w->redact);
	free(w->plan);
	free(w);
}

bool flow_suite(const struct step_plan *p, const struct vars *v, struct suite *out, char *why, size_t why_size)
{
	const struct step *s = p->step;
	struct suite_source from = { "", NULL, s->n_expect, s->expect_line, s->expect_col, NULL };
	char **lines = xcalloc(s->n_expect + 1, sizeof(*lines));
	struct buf errors = BUF_INIT(4096);
	bool ok = true;

	*out = (struct suite){ 0 };
	for (size_t i = 0; i < s->n_expect && ok; i++) {
		struct buf line = BUF_INIT(LINE_MAX);

		ok = vars_put(&line, s->expect[i], v, VARS_EXPECT, why, why_size);
		lines[i] = xstrdup(buf_str(&line));
		buf_free(&line);
	}
	from.lines = (const char *const *)lines;
	if (ok && suite_compile(out, &from, &errors)) {
		const char *said = strstr(buf_str(&errors), "error: ");
		size_t n = said ? strcspn(said + 7, "\n") : 0;

		text_format(why, why_size, "with its values an assertion is none: %.*s", (int)(n < 100 ? n : 100), said ? said + 7 : "");
		suite_clear(out);
		ok = false;
	}
	for (size_t i = 0; i < s->n_expect; i++)
		secret_wipe(lines[i]);
	free(lines);
	buf_free(&errors);
	return ok;
}
