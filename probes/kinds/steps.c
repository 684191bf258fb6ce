/* SPDX-License-Identifier: MIT
 * steps.c - the kind steps: a run of requests with one cookie jar, one deadline, and one outcome.
 *
 * The first step that fails names the outcome.  After it only the steps that always run are asked (log out), under a
 * deadline of their own; what they say is not judged then.  Nothing that is a secret, was captured or came as a cookie
 * is ever shown: an answer is struck before evidence is made of it, and `got` is what the struck answer gives. */
#include "probes/kinds/steps.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probes/kind.h"
#include "probes/prove/prove_stub.h"
#include "probes/kinds/reach.h"
#include "switchd/io/httpc_jar.h"

enum { URL_MAX = 16384, BODY_MAX = 256 * 1024, CLEAN_MS = 1000 };

struct run {
	struct probe_handle *h;
	struct flow *flow;
	struct way way;
	struct httpc_jar *jar;
	struct httpc_req *req;
	struct vars vars;
	struct redact heard;            /* captured values and cookies */
	size_t at;
	int failed_at;
	bool undo;                      /* something was asked of somebody: there may be something to clean up */
	bool answered, cleaning, mixed;
	mono_us deadline;
	char *url;                      /* of the step under way */
	/* How it ended. */
	enum outcome outcome;
	struct evidence *evidence;      /* NULL until somebody wants it */
	bool complete;
};

struct means { struct probe_runner *runner; struct flow **flow; };

static bool step_mine(const struct feature *f) { return f && feature_is(f, "steps"); }

static void *steps_open(struct probe_runner *r)
{
	struct means *m = xcalloc(1, sizeof(*m));

	m->runner = r;
	m->flow = xcalloc(r->svc->n_features + 1, sizeof(*m->flow));
	for (size_t i = 0; i < r->svc->n_features; i++)
		if (step_mine(&r->svc->features[i]))
			m->flow[i] = flow_new(&r->svc->features[i]);
	return m;
}

static void steps_close(void *means)
{
	struct means *m = means;

	for (size_t i = 0; i < m->runner->svc->n_features; i++)
		flow_free(&m->flow[i]);
	free(m->flow);
	free(m);
}

static void run_free(struct run *r)
{
	vars_clear(&r->vars);
	redact_clear(&r->heard);
	httpc_jar_free(&r->jar);
	secret_wipe(r->url);
	free(r->evidence);
	free(r);
}

/* ---- for people ---- */

/* A copy without secrets; the caller frees it. */
static char *struck(const struct run *r, const char *text, size_t len)
{
	char *copy = xmalloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	redact_apply(&r->flow->redact, copy, len);
	redact_apply(&r->heard, copy, len);
	return copy;
}

/* "step 2 POST /login: ..." */
static void say(const struct run *r, char *out, size_t size, const char *what)
{
	const struct step *s = r->flow->plan[r->at].step;
	char *path = struck(r, s->path, strlen(s->path)), *rest = struck(r, what, strlen(what));
	char line[512];

	text_format(line, sizeof(line), "step %zu %s %.60s: %s", r->at + 1, s->method, path, rest);
	text_printable(out, size, line, strlen(line));
	free(path);
	free(rest);
}

static struct answer answer_of(const struct run *r, const struct httpc_reply *reply)
{
	return (struct answer){
		.status = reply->status, .head = reply->head, .head_len = reply->head_len, .body = reply->body, .body_len = reply->body_len,
		.content_type = reply->content_type, .location = reply->location, .url = r->url, .cert = reply->cert, .total_us = reply->total_us,
	};
}

/* want and got are sentences without the step; of a suite that fails, got is what the struck answer gives. */
static void keep_evidence(struct run *r, const struct httpc_reply *reply, const struct suite *again, const char *want, const char *got)
{
	struct probe_handle *h = r->h;
	struct evidence *e = xcalloc(1, sizeof(*e));
	char *url = struck(r, r->url ? r->url : "", r->url ? strlen(r->url) : 0);

	evidence_begin(e, h, url, r->way.name);
	free(url);
	if (reply) {
		struct answer a = answer_of(r, reply);
		char *head = struck(r, reply->head, reply->head_len), *body = struck(r, reply->body, reply->body_len);
		char *where = struck(r, reply->location, strlen(reply->location));
		char w[ASSERT_TEXT], g[ASSERT_TEXT];

		a.head = head;
		a.body = body;
		a.location = where;
		a.url = NULL;
		if (again && suite_judge(again, NULL, &a, where, w, g) != OUT_PRESENT)
			got = g;
		evidence_answer(e, h->feature, &a);
		if (got)
			say(r, e->got, sizeof(e->got), got);
		answer_clear(&a);
		free(head);
		free(body);
		free(where);
	} else if (got) {
		say(r, e->got, sizeof(e->got), got);
	}
	if (want && want[0])
		say(r, e->want, sizeof(e->want), want);
	e->latency_us = mono_now().us - h->r.began.us;
	free(r->evidence);
	r->evidence = e;
}

/* ---- the end ---- */

static void run_end(struct run *r)
{
	struct probe_handle *h = r->h;
	enum outcome o = r->outcome;

	if (r->mixed && o != OUT_CANCELLED)
		o = OUT_STALE_STAMP;
	/* The control says something only when the run came as far as the step that it replaces. */
	if (h->r.job.purpose == PURPOSE_CONTROL && outcome_info(o)->class == OC_ABSENT && r->failed_at < r->flow->control)
		o = OUT_NEVER_RAN;
	struct evidence *e = r->evidence;

	r->evidence = NULL;
	h->r.complete = r->complete;
	if (e)
		evidence_end(e, h->feature, o);
	run_free(r);
	probe_end(h, o, e);
	free(e);
}

static void run_go_on(struct run *);

/* The first failure is the outcome; what is left is to clean up, if there is anything to clean. */
static void run_failed(struct run *r, enum outcome o)
{
	r->outcome = o;
	r->failed_at = (int)r->at;
	if (!r->cleaning && r->undo) {
		r->cleaning = true;
		r->deadline = (mono_us){ mono_now().us + CLEAN_MS * 1000 };
		r->at++;
		run_go_on(r);
		return;
	}
	run_end(r);
}

/* ---- asking ---- */

static bool put_body(const struct run *r, const struct step *s, struct buf *out, char *why, size_t size)
{
	if (s->json)
		return vars_put(out, s->json, &r->vars, VARS_JSON, why, size);
	for (size_t i = 0; i < s->n_form; i++) {
		struct buf value = BUF_INIT(BODY_MAX);
		bool ok = vars_put(&value, s->form[i].value, &r->vars, VARS_RAW, why, size);

		if (i)
			buf_adds(out, "&");
		vars_encode(out, s->form[i].name, VARS_FORM);
		buf_adds(out, "=");
		vars_encode(out, buf_str(&value), VARS_FORM);
		explicit_bzero(value.data, value.cap);
		buf_free(&value);
		if (!ok)
			return false;
	}
	return s->n_form || vars_put(out, s->body, &r->vars, VARS_RAW, why, size);
}

static bool put_headers(const struct run *r, const struct step *s, struct header_lines *out, char *why, size_t size)
{
	struct header *list = xcalloc(s->n_headers + 1, sizeof(*list));
	const char *type = s->json ? "application/json" : s->n_form ? "application/x-www-form-urlencoded" : NULL;
	bool ok = true;
	size_t n = 0;

	for (size_t i = 0; i < s->n_headers && ok; i++) {
		struct buf value = BUF_INIT(2 * VAR_MAX);

		ok = vars_put(&value, s->headers[i].value, &r->vars, VARS_HEADER, why, size);
		if (strcasecmp(s->headers[i].name, "Content-Type") == 0)
			type = NULL;
		list[n++] = (struct header){ s->headers[i].name, xstrdup(buf_str(&value)) };
		buf_free(&value);
	}
	if (type)
		list[n++] = (struct header){ "Content-Type", xstrdup(type) };
	*out = reach_headers(r->h->runner->svc, list, n, r->h->feature->name);
	for (size_t i = 0; i < n; i++)
		secret_wipe((char *)list[i].value);
	free(list);
	return ok;
}

static bool put_url(struct run *r, const struct step *s, char *why, size_t size)
{
	struct buf url = BUF_INIT(URL_MAX);
	bool ok;

	buf_adds(&url, r->way.prefix);
	ok = vars_put(&url, s->path, &r->vars, VARS_URL, why, size);
	secret_wipe(r->url);
	r->url = buf_take(&url);
	if (ok && r->h->r.job.purpose == PURPOSE_CONTROL && (int)r->at == r->flow->control) {
		char *absent = xmalloc(URL_MAX);

		ok = reach_absent_url(absent, URL_MAX, r->url);
		if (!ok)
			text_format(why, size, "the URL is too long");
		secret_wipe(r->url);
		r->url = absent;
	}
	return ok;
}

static void on_reply(void *arg, const struct httpc_reply *);

/* False: it cannot be asked, why says it. */
static bool ask(struct run *r, int64_t left_ms, char *why, size_t size)
{
	const struct step *s = r->flow->plan[r->at].step;
	struct buf body = BUF_INIT(BODY_MAX);
	struct header_lines headers = { 0 };
	bool ok = put_url(r, s, why, size) && put_body(r, s, &body, why, size) && put_headers(r, s, &headers, why, size);

	if (ok) {
		struct httpc_request q = r->way.r;

		q.url = r->url;
		q.method = s->method;
		q.body = body.len ? buf_str(&body) : NULL;
		q.body_len = body.len;
		q.headers = (const char *const *)headers.line;
		q.n_headers = headers.n;
		q.jar = r->jar;
		q.want_cert = r->flow->plan[r->at].wants_cert;
		q.timeout_ms = left_ms;
		r->h->r.requests++;
		r->req = httpc_send(r->way.pool, &q, on_reply, r);
	}
	for (size_t i = 0; i < headers.n; i++)
		explicit_bzero(headers.line[i], strlen(headers.line[i]));
	header_lines_free(&headers);
	if (body.data)
		explicit_bzero(body.data, body.cap);
	buf_free(&body);
	return ok;
}

/* From the step r->at on: the next that is to be asked, or the end. */
static void run_go_on(struct run *r)
{
	const struct flow *w = r->flow;
	char why[160];

	for (; r->at < w->cfg->n; r->at++) {
		int64_t left = (r->deadline.us - mono_now().us) / 1000;

		if (r->cleaning && !w->plan[r->at].step->always_run)
			continue;
		if (left <= 0) {
			if (r->cleaning)
				break;
			keep_evidence(r, NULL, NULL, NULL, "no time was left for it: the steps before it took all of the timeout");
			run_failed(r, OUT_TIMEOUT);
			return;
		}
		if (ask(r, left, why, sizeof(why)))
			return;
		if (!r->cleaning) {
			/* What the application gave does not fit where it is wanted. */
			keep_evidence(r, NULL, NULL, NULL, why);
			run_failed(r, OUT_ASSERTION);
			return;
		}
	}
	run_end(r);
}

/* ---- judging ---- */

static bool take_captures(struct run *r, const struct step_plan *p, struct answer *a, const struct httpc_reply *reply)
{
	char *value = xmalloc(VAR_MAX + 1), want[ASSERT_TEXT];
	enum outcome o = OUT_PRESENT;

	for (size_t i = 0; i < p->step->n_captures && o == OUT_PRESENT; i++) {
		const struct step_capture *c = &p->step->captures[i];
		enum query_result found = query_text(p->query[i], a, value, VAR_MAX + 1);

		if (found == QUERY_FOUND) {
			vars_set(&r->vars, c->name, value);
			redact_add(&r->heard, value);
			continue;
		}
		o = found == QUERY_MISSING ? OUT_ASSERTION : found == QUERY_TOO_LONG ? OUT_TOO_LARGE : OUT_PATTERN_COSTLY;
		text_format(want, sizeof(want), "capture %s: %s", c->name, c->query);
		keep_evidence(r, reply, NULL, want,
			      found == QUERY_MISSING ? "nothing there" : found == QUERY_TOO_LONG ? "a value of more than 4096 bytes" :
			      "the query reached its limits on this body");
	}
	explicit_bzero(value, VAR_MAX + 1);
	free(value);
	if (o != OUT_PRESENT)
		run_failed(r, o);
	return o == OUT_PRESENT;
}

/* The assertion that fails, as it stands in the config: what was put into it may be secret.  NULL: it is none of them. */
static const char *as_written(const struct step *s, const struct suite *made, struct answer *a, const char *want)
{
	char w[ASSERT_TEXT], g[ASSERT_TEXT];

	for (size_t i = 0; i < made->n; i++)
		if (assert_check(made->list[i], a, w, g) != OUT_PRESENT)
			return strcmp(w, want) == 0 ? s->expect[i] : NULL;
	return NULL;
}

static enum outcome judge_suite(struct run *r, const struct step_plan *p, struct answer *a, const struct httpc_reply *reply)
{
	char want[ASSERT_TEXT] = "", got[ASSERT_TEXT] = "", why[160];
	struct suite made, *s = (struct suite *)&p->suite;
	enum outcome o;

	if (p->dynamic) {
		if (!flow_suite(p, &r->vars, &made, why, sizeof(why))) {
			keep_evidence(r, reply, NULL, NULL, why);
			return OUT_ASSERTION;
		}
		s = &made;
	}
	o = suite_judge(s, NULL, a, reply->location, want, got);
	if (o != OUT_PRESENT) {
		const char *written = p->dynamic ? as_written(p->step, s, a, want) : NULL;

		keep_evidence(r, reply, s, written ? written : want, got);
	}
	if (p->dynamic)
		suite_clear(&made);
	return o;
}

/* A step that always runs and says nothing of what it expects: whatever ends a session politely. */
static enum outcome judge_polite(struct run *r, const struct httpc_reply *reply)
{
	char got[32];

	if (reply->status / 100 == 2 || reply->status / 100 == 3)
		return OUT_PRESENT;
	TEXT_FORMAT(got, "%ld", reply->status);
	keep_evidence(r, reply, NULL, "status 2xx or 3xx", got);
	return OUT_STATUS;
}

static void note_stamp(struct run *r, const struct httpc_reply *reply)
{
	struct probe_result now = { 0 }, *h = &r->h->r;

	if (r->h->r.job.via != VIA_FRONT)
		return;
	reach_stamp(&now, reply);
	if (r->answered && strcmp(now.stamp_by, h->stamp_by) != 0 && !r->mixed) {
		char got[128];

		r->mixed = true;
		TEXT_FORMAT(got, "answered by %s, the steps before it by %s", now.stamp_by[0] ? now.stamp_by : "nobody who says so",
			    h->stamp_by[0] ? h->stamp_by : "nobody who says so");
		keep_evidence(r, reply, NULL, "one slot for the whole run", got);
	}
	memcpy(h->stamp_by, now.stamp_by, sizeof(h->stamp_by));
	memcpy(h->stamp_value, now.stamp_value, sizeof(h->stamp_value));
}

/* True: the step holds, and the run goes on. */
static bool judge(struct run *r, const struct httpc_reply *reply)
{
	const struct step_plan *p = &r->flow->plan[r->at];
	enum outcome o = reach_outcome(reply->result, p->has_duration);
	struct answer a = answer_of(r, reply);

	if (o != OUT_PRESENT) {
		r->complete = false;
		keep_evidence(r, reply, NULL, NULL, reply->error);
		run_failed(r, o);
		return false;
	}
	r->complete = true;
	redact_cookies(&r->heard, reply->head, reply->head_len);
	note_stamp(r, reply);
	if (r->mixed) {
		run_failed(r, OUT_STALE_STAMP);
		return false;
	}
	o = p->step->always_run && !p->step->n_expect ? judge_polite(r, reply) : judge_suite(r, p, &a, reply);
	bool good = o == OUT_PRESENT;

	if (!good)
		run_failed(r, o);
	else
		good = take_captures(r, p, &a, reply);
	answer_clear(&a);
	return good;
}

static void on_reply(void *arg, const struct httpc_reply *reply)
{
	struct run *r = arg;
	bool control = r->h->r.job.purpose == PURPOSE_CONTROL && (int)r->at == r->flow->control;
	bool reached = reply->result != H_REFUSED && reply->result != H_TIMEOUT_CONNECT && reply->result != H_NO_ROUTE &&
		       reply->result != H_DNS && reply->result != H_TLS && reply->result != H_LIMIT && reply->result != H_TIMEOUT_QUEUED;

	r->req = NULL;
	if (reply->result == H_CANCELLED) {
		r->outcome = OUT_CANCELLED;
		r->complete = false;
		run_end(r);
		return;
	}
	if (r->cleaning) {
		r->at++;
		run_go_on(r);
		return;
	}
	r->undo |= reached;
	if (!judge(r, reply))
		return;
	r->answered = true;
	if (r->at + 1 == r->flow->cfg->n || control) {
		r->outcome = OUT_PRESENT;
		if (evidence_wanted(r->h, OUT_PRESENT))
			keep_evidence(r, reply, NULL, NULL, NULL);
	}
	if (control) { /* it holds where nothing can be: no more is needed to know */
		run_failed(r, OUT_PRESENT);
		return;
	}
	r->at++;
	run_go_on(r);
}

/* ---- begin and cancel ---- */

static const char *steps_unproven(const struct feature *f)
{
	if (f->writes)
		return "a probe that writes has no negative control";
	return steps_control(f->steps) < 0 ? "no step that only reads is judged: there is none to replace" : NULL;
}

static void steps_start(void *means, struct probe_handle *h)
{
	struct means *m = means;
	struct flow *w = m->flow[h->r.job.feature];
	struct run *r = xcalloc(1, sizeof(*r));
	const char *never = NULL;
	bool control = h->r.job.purpose == PURPOSE_CONTROL;
	char why[160];

	r->h = h;
	r->flow = w;
	r->way = reach_way(m->runner->reach, h);
	if (r->way.never)
		never = r->way.never;
	else if (control && steps_unproven(h->feature))
		never = "a run that has no negative control";
	for (size_t i = 0; i < w->secrets.n; i++)
		vars_set(&r->vars, w->secrets.name[i], w->secrets.value[i]);
	r->jar = httpc_jar_new();
	r->deadline = (mono_us){ h->r.began.us + h->feature->rule.timeout_ms * 1000 };
	h->state = r;
	if (!never && ask(r, h->feature->rule.timeout_ms, why, sizeof(why)))
		return;
	run_free(r);
	h->state = NULL;
	/* Of the first step only the secrets are known, and those are of a length that was checked: the URL is too long. */
	probe_end_later(h, never ? OUT_NEVER_RAN : OUT_PROBER_LIMIT, never ? never : "the request of the first step is too long");
}

static void steps_cancel(struct probe_handle *h) { httpc_cancel(((struct run *)h->state)->req); }

/* What each stub lacks, the first step that is judged must notice. */
static unsigned steps_stubs(const struct feature *f)
{
	(void)f;
	return STUBS_HTTP;
}

const struct probe_kind probe_kind_steps = {
	.name = "steps", .mine = step_mine, .open = steps_open, .close = steps_close, .start = steps_start, .cancel = steps_cancel,
	.check = flow_check, .unproven = steps_unproven, .stubs = steps_stubs,
};
