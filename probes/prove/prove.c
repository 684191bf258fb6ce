/* SPDX-License-Identifier: MIT
 * prove.c - a copy of the service whose targets are the stubs, each feature asked once of each. */
#include "probes/prove/prove.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "probes/kind.h"
#include "switchd/core/config/feature_kinds.h"

enum { IN_FLIGHT = 16, TIMEOUT_LEAST_MS = 2000, TIMEOUT_MOST_MS = 10000 };

struct own { struct tcp_settings tcp; struct tls_settings tls; struct grpc_settings grpc; };

struct prove {
	struct ev_loop *loop;
	const struct service_config *svc;       /* as configured */
	struct service_config copy;             /* blue: the stubs */
	struct feature *features;
	struct own *own;                        /* per feature: what of it points elsewhere than at a stub */
	struct target targets[N_STUBS];
	char texts[N_STUBS][32];
	struct stubs *stubs;
	struct probe_runner *runner;
	struct prove_row *rows;
	size_t next, in_flight;                 /* next: feature * N_STUBS + stub */
	ev_timer turn;                          /* sends, and ends: nothing of either inside a callback of a probe */
	prove_done_fn *done;
	void *arg;
};

const char *proof_name(enum proof p)
{
	static const char *const names[] = { "unproven", "proven", "vacuous", "compared" };

	return names[p];
}

const char *prove_mark_name(enum prove_mark m)
{
	static const char *const names[] = { "none", "noticed", "fooled", "unsure" };

	return names[m];
}

/* ---- which stubs ---- */

static bool word_at(const char *s, const char *word)
{
	size_t n = strlen(word);

	return strncasecmp(s, word, n) == 0 && !isalnum((unsigned char)s[n]);
}

/* An answer of JSON is asked for: by a query, by its type, or by what the active slot answers. */
static bool wants_json(const struct feature *f, const char *baseline)
{
	for (size_t i = 0; i < f->n_expect; i++) {
		const char *line = f->expect[i] + strspn(f->expect[i], " \t");

		if (word_at(line, "jsonpath") || (word_at(line, "header") && strcasestr(line, "content-type") && strcasestr(line, "json")))
			return true;
	}
	return strstr(baseline, "\"kind\":\"object\"") || strstr(baseline, "\"kind\":\"array\"");
}

static const char *baseline_of(const struct prove *p, size_t feature) { return probe_baseline_text(p->runner, feature); }

static unsigned stubs_of(const struct prove *p, size_t feature)
{
	const struct feature *f = &p->features[feature];
	unsigned set = probe_stubs(f);

	if (f->compare && !baseline_of(p, feature)[0])
		return 0;
	return wants_json(f, baseline_of(p, feature)) ? set : set & ~(unsigned)STUBS_JSON;
}

/* ---- the copy ---- */

/* A stub takes the place of whatever the feature is asked of: a url becomes its path. */
static void point_at_stubs(struct feature *f, const struct feature *real, struct own *own)
{
	const char *authority = strstr(real->url, "://");

	*f = *real;
	if (authority) {
		f->path = authority + 3 + strcspn(authority + 3, "/?#");
		if (*f->path != '/')
			f->path = "/";
		f->url = "";
	}
	f->http2 = false; /* the stubs speak HTTP/1.1 */
	if (real->tcp) {
		own->tcp = *real->tcp;
		own->tcp.port = 0;
		own->tcp.tls = false;
		f->tcp = &own->tcp;
	}
	if (real->tls) {
		own->tls = *real->tls;
		own->tls.port = 0;
		f->tls = &own->tls;
	}
	if (real->grpc) {
		own->grpc = *real->grpc;
		own->grpc.port = 0;
		own->grpc.tls = false;
		f->grpc = &own->grpc;
	}
	f->rule.via_slot = true;
	f->rule.via_front = false;
	f->rule.timeout_ms = real->rule.timeout_ms < TIMEOUT_LEAST_MS ? TIMEOUT_LEAST_MS :
			     real->rule.timeout_ms > TIMEOUT_MOST_MS ? TIMEOUT_MOST_MS : real->rule.timeout_ms;
}

static void make_copy(struct prove *p)
{
	const struct slot_config *real = &p->svc->slot[BLUE];

	p->copy = *p->svc;
	p->copy.features = p->features;
	p->copy.n_proxies = 0;
	p->copy.identity.on = false;
	p->copy.has_reference = false;
	for (size_t i = 0; i < p->svc->n_features; i++)
		point_at_stubs(&p->features[i], &p->svc->features[i], &p->own[i]);
	for (int s = 0; s < N_STUBS; s++) {
		TEXT_FORMAT(p->texts[s], "127.0.0.1:%u", stubs_port(p->stubs, (enum stub)s));
		if (real->n_targets) /* what a target has beside its address */
			p->targets[s] = real->targets[0];
		p->targets[s].text = p->texts[s];
		p->targets[s].host = "127.0.0.1";
		p->targets[s].port = stubs_port(p->stubs, (enum stub)s);
		p->targets[s].tls = false;
	}
	for (int k = BLUE; k <= GREEN; k++)
		p->copy.slot[k] = (struct slot_config){ .targets = p->targets, .n_targets = k == BLUE ? N_STUBS : 0,
							.tls = { .ca_file = "", .cert_file = "", .key_file = "", .verify = true } };
}

/* ---- the verdict ---- */

static void add_what(struct buf *b, enum stub s) { buf_addf(b, "%s%s", b->len ? ", " : "", stub_info(s)->what); }

static void judge_row(const struct prove *p, size_t feature)
{
	const struct feature *f = &p->svc->features[feature];
	struct prove_row *row = &p->rows[feature];
	struct buf fooled = BUF_INIT(256), unsure = BUF_INIT(256);
	size_t noticed = 0;

	for (int s = 0; s < N_STUBS; s++) {
		noticed += row->stub[s].mark == PROVE_NOTICED;
		if (row->stub[s].mark == PROVE_FOOLED)
			add_what(&fooled, (enum stub)s);
		else if (row->stub[s].mark == PROVE_UNSURE)
			add_what(&unsure, (enum stub)s);
	}
	row->proof = fooled.len ? (f->against.on ? PROOF_COMPARED : PROOF_VACUOUS) : noticed && !unsure.len ? PROOF_PROVEN : PROOF_UNPROVEN;
	if (fooled.len)
		text_format(row->why, sizeof(row->why), "%s%s", f->against.on ? "compare: alone could notice, while a release is proved and baked; by itself it passes on " :
			    "it passes on ", buf_str(&fooled));
	else if (unsure.len)
		text_format(row->why, sizeof(row->why), "its outcome is unknown on %s", buf_str(&unsure));
	else if (!noticed && f->compare && probe_stubs(f))
		TEXT_COPY(row->why, "no baseline: it is compared with the active slot, which has not answered");
	else if (!noticed)
		TEXT_COPY(row->why, probe_unproven(f) ? probe_unproven(f) : "no stub can stand in for it: the negative control asks at deploy");
	buf_free(&fooled);
	buf_free(&unsure);
}

/* ---- under way ---- */

static void wake(struct prove *p)
{
	if (!ev_is_active(&p->turn))
		ev_timer_start(p->loop, &p->turn);
}

static void said(void *arg, const struct probe_result *r)
{
	struct prove *p = arg;
	struct prove_cell *c;

	if (r->outcome == OUT_CANCELLED)
		return;
	c = &p->rows[r->job.feature].stub[r->job.target];
	enum outcome_class class = outcome_info(r->outcome)->class;

	c->mark = class == OC_PRESENT ? PROVE_FOOLED : class == OC_UNKNOWN ? PROVE_UNSURE : PROVE_NOTICED;
	c->outcome = r->outcome;
	if (r->evidence) {
		TEXT_COPY(c->want, r->evidence->want);
		TEXT_COPY(c->got, r->evidence->got);
	}
	p->in_flight--;
	wake(p);
}

static void on_turn(EV_P_ ev_timer *t, int revents)
{
	struct prove *p = t->data;
	size_t all = p->svc->n_features * N_STUBS;

	(void)loop, (void)revents;
	while (p->in_flight < IN_FLIGHT && p->next < all) {
		size_t feature = p->next / N_STUBS, stub = p->next % N_STUBS;
		struct probe_job job = { .via = VIA_SLOT, .purpose = PURPOSE_VOTE, .slot = BLUE, .target = stub, .feature = feature, .release = "" };

		p->next++;
		if (!(stubs_of(p, feature) & 1u << stub))
			continue;
		p->in_flight++;
		probe_start(p->runner, &job, said, p);
	}
	if (p->in_flight || p->next < all)
		return;
	for (size_t i = 0; i < p->svc->n_features; i++)
		judge_row(p, i);
	p->done(p->arg, p->rows); /* may free it */
}

struct prove *prove_start(struct ev_loop *loop, const struct config *cfg, const struct service_config *svc, const struct probe_runner *of,
			  char *error, size_t size, prove_done_fn *done, void *arg)
{
	struct prove *p = xcalloc(1, sizeof(*p));
	struct buf errors = BUF_INIT(64 * 1024);

	p->loop = loop;
	p->svc = svc;
	p->done = done;
	p->arg = arg;
	ev_timer_init(&p->turn, on_turn, 0., 0.);
	p->turn.data = p;
	p->rows = xcalloc(svc->n_features, sizeof(*p->rows));
	p->features = xcalloc(svc->n_features, sizeof(*p->features));
	p->own = xcalloc(svc->n_features, sizeof(*p->own));
	p->stubs = stubs_new(loop, error, size);
	if (p->stubs) {
		make_copy(p);
		p->runner = probe_runner_new(loop, cfg, &p->copy, &errors);
		if (!p->runner)
			text_format(error, size, "%s", buf_str(&errors));
	}
	buf_free(&errors);
	if (!p->runner) {
		prove_free(&p);
		return NULL;
	}
	for (size_t i = 0; of && i < svc->n_features; i++)
		if (probe_baseline_text(of, i)[0] && !probe_set_baseline(p->runner, i, probe_baseline_text(of, i)))
			never("a baseline of ours that does not read");
	wake(p);
	return p;
}

void prove_free(struct prove **pp)
{
	struct prove *p = *pp;

	if (!p)
		return;
	*pp = NULL;
	ev_timer_stop(p->loop, &p->turn);
	probe_runner_free(&p->runner);
	stubs_free(&p->stubs);
	free(p->features);
	free(p->own);
	free(p->rows);
	free(p);
}

/* ---- as JSON ---- */

size_t prove_failed(const struct service_config *svc, const struct prove_row *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < svc->n_features; i++)
		n += rows[i].proof == PROOF_VACUOUS && svc->features[i].severity == SEV_CRITICAL;
	return n;
}

static json_t *row_json(const struct feature *f, const struct prove_row *row)
{
	json_t *stubs = json_object();

	for (int s = 0; s < N_STUBS; s++) {
		const struct prove_cell *c = &row->stub[s];

		if (c->mark != PROVE_NONE)
			json_object_set_new(stubs, stub_info((enum stub)s)->name,
					    json_pack("{s:s,s:s,s:s,s:s}", "mark", prove_mark_name(c->mark), "outcome", outcome_info(c->outcome)->code,
						      "want", c->want, "got", c->got));
	}
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:o}", "name", f->name, "kind", feature_kind_name(f), "severity",
			 f->severity == SEV_CRITICAL ? "critical" : "warn", "proof", proof_name(row->proof), "why", row->why, "stubs", stubs);
}

json_t *prove_json(const struct service_config *svc, const struct prove_row *rows)
{
	json_t *stubs = json_array(), *features = json_array();
	size_t failed = prove_failed(svc, rows);

	for (int s = 0; s < N_STUBS; s++)
		json_array_append_new(stubs, json_pack("{s:s,s:s}", "name", stub_info((enum stub)s)->name, "what", stub_info((enum stub)s)->what));
	for (size_t i = 0; i < svc->n_features; i++)
		json_array_append_new(features, row_json(&svc->features[i], &rows[i]));
	return json_pack("{s:s,s:b,s:I,s:o,s:o}", "service", svc->name, "ok", failed == 0, "failed", (json_int_t)failed, "stubs", stubs, "features",
			 features);
}
