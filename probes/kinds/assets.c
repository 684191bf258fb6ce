/* SPDX-License-Identifier: MIT
 * assets.c - the kind assets: a page, and every script and style that it is made of.
 *
 * A front end that was built by the wrong tool answers every route with 200 and its index page, the routes of its own
 * bundles too.  So the page is read as a browser would read it, and each of its scripts and styles is fetched from the
 * same target: 200, of its type, no page of HTML, not empty.  The first that is not so names the outcome.
 *
 * The negative control asks for the page's first script under a name that nothing has. */
#include "probes/kinds/assets.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probes/kind.h"
#include "probes/prove/prove_stub.h"
#include "probes/kinds/reach.h"
#include "probes/assert/regex.h"
#include "switchd/core/config/config_assets.h"

enum { AT_ONCE = 4, ASSET_BYTES = 4 * 1024 * 1024, ALL_BYTES = 32 * 1024 * 1024, URL_MAX = 8192 };

/* ---- means ---- */

struct marker { const char *text; struct regex *pattern; };     /* text NULL: none */

struct means {
	struct probe_runner *runner;
	struct header_lines *headers;   /* per feature */
	struct header_lines *bare;      /* to other origins: nothing of the feature's own, which may be a key */
	struct marker *marker;
};

static bool assets_mine(const struct feature *f) { return f && feature_is(f, "assets"); }

/* "/ui-\d+/i" is a pattern, everything else a text.  False: err and *col say why it is none. */
static bool marker_compile(const char *s, struct marker *m, char *err, size_t size, size_t *col)
{
	size_t n = strlen(s);
	const char *end = n > 2 && s[0] == '/' ? strrchr(s, '/') : NULL;

	*m = (struct marker){ .text = s[0] ? s : NULL };
	if (!end || end == s || end[1 + strspn(end + 1, "ismx")])
		return true;
	m->text = NULL;
	m->pattern = regex_compile(s + 1, (size_t)(end - s - 1), end + 1, err, size, col);
	++*col;
	return m->pattern != NULL;
}

static void *assets_open(struct probe_runner *r)
{
	const struct service_config *svc = r->svc;
	struct means *m = xcalloc(1, sizeof(*m));
	char err[256];
	size_t col = 0;

	m->runner = r;
	m->headers = xcalloc(svc->n_features + 1, sizeof(*m->headers));
	m->bare = xcalloc(svc->n_features + 1, sizeof(*m->bare));
	m->marker = xcalloc(svc->n_features + 1, sizeof(*m->marker));
	for (size_t i = 0; i < svc->n_features; i++) {
		const struct feature *f = &svc->features[i];

		if (!assets_mine(f))
			continue;
		m->headers[i] = reach_headers(svc, f->headers, f->n_headers, f->name);
		m->bare[i] = reach_headers(svc, NULL, 0, f->name);
		must(marker_compile(f->assets->marker, &m->marker[i], err, sizeof(err), &col)); /* assets_check() said so */
	}
	return m;
}

static void assets_close(void *means)
{
	struct means *m = means;

	for (size_t i = 0; i < m->runner->svc->n_features; i++) {
		header_lines_free(&m->headers[i]);
		header_lines_free(&m->bare[i]);
		regex_free(&m->marker[i].pattern);
	}
	free(m->headers);
	free(m->bare);
	free(m->marker);
	free(m);
}

static int assets_check(const struct config *cfg, const struct feature *f, struct buf *errors)
{
	const struct assets_config *a = f->assets;
	struct marker m;
	char err[256] = "";
	size_t col = 0;
	bool ok = marker_compile(a->marker, &m, err, sizeof(err), &col);

	if (!ok)
		buf_addf(errors, "%s:%d:%d: error: marker: %s\n", cfg->file, a->marker_line,
			 suite_column(a->marker_col, a->marker_quote, a->marker, col), err);
	regex_free(&m.pattern);
	return !ok;
}

/* ---- one hunt ---- */

struct hunt;
struct get { struct hunt *hunt; struct httpc_req *req; size_t at; };

struct hunt {
	struct probe_handle *h;
	struct means *m;
	struct way way;
	char *page;                     /* its URL */
	struct asset_list list;
	struct get get[AT_ONCE];
	size_t next, in_flight, bytes, fetched;
	bool marked, costly, ending, control, stamped;
	mono_us deadline;
	enum outcome outcome;
	struct evidence *evidence;
};

static const struct assets_config *config_of(const struct hunt *u) { return u->h->feature->assets; }

static void hunt_end(struct hunt *u)
{
	struct probe_handle *h = u->h;
	struct evidence *e = u->evidence;
	enum outcome o = u->outcome;

	if (e)
		evidence_end(e, h->feature, o);
	assets_clear(&u->list);
	free(u->page);
	free(u);
	probe_end(h, o, e);
	free(e);
}

/* The first end counts; what is still under way is of no use, and its callbacks come before this returns. */
static void stop(struct hunt *u, enum outcome o)
{
	u->outcome = o;
	u->ending = true;
	for (size_t i = 0; i < AT_ONCE; i++)
		if (u->get[i].req)
			httpc_cancel(u->get[i].req);
	hunt_end(u);
}

static void keep_evidence(struct hunt *u, const struct httpc_reply *reply, const char *url, const char *want, const char *got)
{
	struct evidence *e = xcalloc(1, sizeof(*e));
	struct answer a = { 0 };

	evidence_begin(e, u->h, url, u->way.name);
	if (reply) {
		a = (struct answer){ .status = reply->status, .head = reply->head, .head_len = reply->head_len, .body = reply->body,
				     .body_len = reply->body_len, .content_type = reply->content_type, .total_us = reply->total_us };
		evidence_answer(e, u->h->feature, &a);
	}
	text_printable(e->want, sizeof(e->want), want, strlen(want));
	text_printable(e->got, sizeof(e->got), got, strlen(got));
	e->latency_us = mono_now().us - u->h->r.began.us;
	free(u->evidence);
	u->evidence = e;
}

/* "script /assets/app.js: a JavaScript type" */
static void fail(struct hunt *u, const struct httpc_reply *reply, const struct asset *a, const char *url, enum outcome o, const char *want,
		 const char *got)
{
	char w[256], g[256];

	text_format(w, sizeof(w), "%s %.90s: %s", !a ? "page" : a->kind == ASSET_SCRIPT ? "script" : "style", a ? a->url : config_of(u)->page, want);
	text_format(g, sizeof(g), "%s %.60s: %s", !a ? "page" : a->kind == ASSET_SCRIPT ? "script" : "style", a ? a->url : config_of(u)->page, got);
	u->h->r.complete = reply && reply->result == H_OK;
	keep_evidence(u, reply, url, want[0] ? w : "", g);
	stop(u, o);
}

/* The control says something only when the page itself was as it should be. */
static enum outcome of_page(const struct hunt *u, enum outcome o)
{
	return u->control && outcome_info(o)->class == OC_ABSENT ? OUT_NEVER_RAN : o;
}

/* ---- what came ---- */

/* Through the front, all of it must come from one slot.  False: it did not, and the hunt has ended. */
static bool stamp_fits(struct hunt *u, const struct httpc_reply *reply, const struct asset *a, const char *url)
{
	struct probe_result now = { 0 }, *r = &u->h->r;
	char got[96];

	if (r->job.via != VIA_FRONT || (a && a->external))
		return true;
	reach_stamp(&now, reply);
	if (u->stamped && strcmp(now.stamp_by, r->stamp_by) != 0) {
		TEXT_FORMAT(got, "answered by %s, the page by %s", now.stamp_by[0] ? now.stamp_by : "nobody who says so",
			    r->stamp_by[0] ? r->stamp_by : "nobody who says so");
		fail(u, reply, a, url, OUT_STALE_STAMP, "one slot for the page and all of its assets", got);
		return false;
	}
	u->stamped = true;
	memcpy(r->stamp_by, now.stamp_by, sizeof(r->stamp_by));
	memcpy(r->stamp_value, now.stamp_value, sizeof(r->stamp_value));
	return true;
}

static void look_for_marker(struct hunt *u, const struct httpc_reply *reply)
{
	const struct marker *m = &u->m->marker[u->h->r.job.feature];
	enum regex_result found;

	if (u->marked)
		return;
	if (m->text)
		u->marked = memmem(reply->body, reply->body_len, m->text, strlen(m->text)) != NULL;
	if (!m->pattern)
		return;
	found = regex_match(m->pattern, reply->body, reply->body_len);
	u->marked = found == RE_YES;
	u->costly |= found == RE_COSTLY;
}

static void say_status(const struct httpc_reply *reply, char *out, size_t size)
{
	if (reply->status / 100 == 3)
		text_format(out, size, "%ld to %.60s", reply->status, reply->location[0] ? reply->location : "nowhere");
	else
		text_format(out, size, "%ld", reply->status);
}

/* OUT_PRESENT, or what is wrong with it. */
static enum outcome judge_asset(const struct asset *a, const struct httpc_reply *reply, const char **want, char *got, size_t size)
{
	const char *wrong = asset_wrong_type(a->kind, reply->content_type);

	*want = "status == 200";
	say_status(reply, got, size);
	if (reply->status != 200)
		return OUT_ASSET_MISSING;
	*want = a->kind == ASSET_SCRIPT ? "a type of JavaScript" : "text/css";
	text_format(got, size, "%.60s", wrong ? wrong : "");
	if (wrong)
		return OUT_ASSET_TYPE;
	*want = "no page of HTML";
	text_format(got, size, "%s, and a page of HTML in it", reply->content_type);
	if (looks_like_html(reply->body, reply->body_len))
		return OUT_ASSET_TYPE;
	*want = "something in it";
	text_format(got, size, "%zu bytes, all of them blank", reply->body_len);
	if (strspn(reply->body, " \t\r\n") == reply->body_len)
		return OUT_ASSET_EMPTY;
	return OUT_PRESENT;
}

static void hunt_on(struct hunt *);

static void on_asset(void *arg, const struct httpc_reply *reply)
{
	struct get *g = arg;
	struct hunt *u = g->hunt;
	const struct asset *a = &u->list.list[g->at];
	char got[160], url[URL_MAX];
	const char *want = "";
	enum outcome o = reach_outcome(reply->result, false);

	g->req = NULL;
	u->in_flight--;
	if (u->ending)
		return;
	text_format(url, sizeof(url), "%s%s", a->external ? "" : u->way.prefix, a->url);
	if (o == OUT_CANCELLED) {
		stop(u, o);
		return;
	}
	if (o != OUT_PRESENT) {
		fail(u, reply, a, url, o, "", reply->error);
		return;
	}
	if (!stamp_fits(u, reply, a, url))
		return;
	o = judge_asset(a, reply, &want, got, sizeof(got));
	u->bytes += reply->body_len;
	if (o == OUT_PRESENT && u->bytes > ALL_BYTES) {
		o = OUT_TOO_LARGE;
		want = "at most 32 MiB in all";
		text_format(got, sizeof(got), "%zu bytes so far", u->bytes);
	}
	if (u->control || o != OUT_PRESENT) {
		fail(u, reply, a, url, o, o == OUT_PRESENT ? "" : want, o == OUT_PRESENT ? "it is there under a name that nothing has" : got);
		return;
	}
	look_for_marker(u, reply);
	u->fetched++;
	hunt_on(u);
}

/* ---- asking ---- */

/* "/assets/app-1f.js?v=2" becomes "/assets/switchd-absent-HEX.js": what decides by the ending must not see another one. */
static bool absent_name(const char *url, char *out, size_t size)
{
	char plain[URL_MAX], *query, *dot, end[16] = "";

	if (!TEXT_COPY(plain, url))
		return false;
	query = plain + strcspn(plain, "?");
	*query = '\0';
	dot = strrchr(plain, '.');
	if (dot && !strchr(dot, '/') && strlen(dot) < sizeof(end))
		TEXT_COPY(end, dot);
	return reach_absent_url(out, size, plain) && text_format(out + strlen(out), size - strlen(out), "%s", end);
}

/* False: the time is over, or it cannot be written as a request; the hunt has ended. */
static bool ask(struct hunt *u, struct get *g, size_t at)
{
	const struct asset *a = &u->list.list[at];
	int64_t left = (u->deadline.us - mono_now().us) / 1000;
	size_t feature = u->h->r.job.feature;
	struct httpc_request q = u->way.r;
	char url[URL_MAX], absent[URL_MAX];
	bool fits = text_format(url, sizeof(url), "%s%s", a->external ? "" : u->way.prefix, a->url);

	if (fits && u->control)
		fits = absent_name(url, absent, sizeof(absent)) && TEXT_COPY(url, absent);
	if (!fits || left <= 0) {
		fail(u, NULL, a, url, fits ? OUT_TIMEOUT : OUT_PROBER_LIMIT, "", fits ? "no time was left for it" : "its URL is too long");
		return false;
	}
	q.url = url;
	q.timeout_ms = left;
	q.body_max = ASSET_BYTES;
	struct header_lines *h = a->external ? &u->m->bare[feature] : &u->m->headers[feature];

	q.headers = (const char *const *)h->line;
	q.n_headers = h->n;
	if (a->external) {
		q.connect_host = "";
		q.unix_path = q.ca_file = q.cert_file = q.key_file = NULL;
		q.insecure = q.proxy_protocol = false;
	} else {
		u->h->r.requests++;
	}
	g->at = at;
	g->hunt = u;
	u->in_flight++;
	g->req = httpc_send(u->way.pool, &q, on_asset, g);
	return true;
}

static void all_there(struct hunt *u)
{
	const struct assets_config *c = config_of(u);
	char want[192], got[160];

	if (!c->marker[0] || u->marked) {
		u->h->r.complete = true;
		stop(u, OUT_PRESENT);
		return;
	}
	text_format(want, sizeof(want), "the marker %.120s in a script or style", c->marker);
	text_format(got, sizeof(got), u->costly ? "the pattern reached its limits on one of %zu" : "in none of %zu", u->fetched);
	u->h->r.complete = true;
	keep_evidence(u, NULL, u->page, want, got);
	stop(u, u->costly ? OUT_PATTERN_COSTLY : OUT_ASSET_MARKER);
}

static void hunt_on(struct hunt *u)
{
	while (u->in_flight < AT_ONCE && u->next < u->list.n) {
		size_t at = u->next++, free_one = 0;

		if (u->list.list[at].external && !config_of(u)->external)
			continue;
		while (u->get[free_one].req)
			free_one++;
		if (!ask(u, &u->get[free_one], at))
			return;
		if (u->control)
			return;
	}
	if (!u->in_flight)
		all_there(u);
}

/* ---- the page ---- */

/* The names of the other origins that are not fetched, for people. */
static void say_found(const struct hunt *u, size_t counted, char *got, size_t size)
{
	const char *other = NULL;

	for (size_t i = 0; i < u->list.n && !other; i++)
		other = u->list.list[i].external ? u->list.list[i].url : NULL;
	if (other && !config_of(u)->external)
		text_format(got, size, "%zu, and %zu of other origins, which are not fetched (%.60s...)", counted, u->list.external, other);
	else
		text_format(got, size, "%zu", counted);
}

static enum outcome judge_page(struct hunt *u, const struct httpc_reply *reply, char *want, char *got, size_t size)
{
	const struct assets_config *c = config_of(u);
	const struct service_config *svc = u->m->runner->svc;
	char err[160] = "";
	size_t counted;
	bool costly = false;

	text_copy(want, size, "status == 200");
	say_status(reply, got, size);
	if (reply->status != 200)
		return reply->status / 100 == 3 ? OUT_REDIRECT : OUT_STATUS;
	text_copy(want, size, "a page of HTML");
	text_format(got, size, "%.60s", reply->content_type[0] ? reply->content_type : "no Content-Type");
	if (!is_html_type(reply->content_type))
		return OUT_ASSET_TYPE;
	bool read = assets_find(reply->body, reply->body_len, reply->content_type, u->page, svc->front, &u->list, &costly, err, sizeof(err));

	if (!read && costly) {
		text_copy(got, size, err);
		return OUT_PATTERN_COSTLY;
	}
	counted = u->list.n - (c->external ? 0 : u->list.external);
	text_format(want, size, "at least %d scripts and styles", c->min);
	say_found(u, counted, got, size);
	if (counted < (size_t)c->min)
		return OUT_ASSET_MISSING;
	text_format(want, size, "at most %d scripts and styles", c->max);
	return counted > (size_t)c->max ? OUT_PROBER_LIMIT : OUT_PRESENT;
}

static void on_page(void *arg, const struct httpc_reply *reply)
{
	struct hunt *u = arg;
	char want[160], got[160];
	enum outcome o = reach_outcome(reply->result, false);

	u->get[0].req = NULL;
	u->in_flight--;
	if (o != OUT_PRESENT) {
		if (o == OUT_CANCELLED)
			stop(u, o);
		else
			fail(u, reply, NULL, u->page, o, "", reply->error);
		return;
	}
	if (!stamp_fits(u, reply, NULL, u->page))
		return;
	o = judge_page(u, reply, want, got, sizeof(got));
	if (o != OUT_PRESENT) {
		fail(u, reply, NULL, u->page, of_page(u, o), want, got);
		return;
	}
	if (!u->control && evidence_wanted(u->h, OUT_PRESENT))
		keep_evidence(u, reply, u->page, "", "");
	hunt_on(u);
}

/* ---- begin and cancel ---- */

static void assets_start(void *means, struct probe_handle *h)
{
	struct means *m = means;
	struct way way = reach_way(m->runner->reach, h);
	char url[URL_MAX];
	struct hunt *u;

	if (way.never) {
		probe_end_later(h, OUT_NEVER_RAN, way.never);
		return;
	}
	if (!text_format(url, sizeof(url), "%s%s", way.prefix, h->feature->assets->page)) {
		probe_end_later(h, OUT_PROBER_LIMIT, "the URL is too long");
		return;
	}
	u = xcalloc(1, sizeof(*u));
	u->h = h;
	u->m = m;
	u->way = way;
	u->page = xstrdup(url);
	u->control = h->r.job.purpose == PURPOSE_CONTROL;
	u->deadline = (mono_us){ h->r.began.us + h->feature->rule.timeout_ms * 1000 };
	h->state = u;
	way.r.url = url;
	way.r.headers = (const char *const *)m->headers[h->r.job.feature].line;
	way.r.n_headers = m->headers[h->r.job.feature].n;
	h->r.requests = 1;
	u->in_flight = 1;
	u->get[0].req = httpc_send(way.pool, &way.r, on_page, u);
}

static void assets_cancel(struct probe_handle *h)
{
	struct hunt *u = h->state;

	for (size_t i = 0; i < AT_ONCE; i++)
		if (u->get[i].req) { /* its callback ends the hunt, and with it the others */
			httpc_cancel(u->get[i].req);
			return;
		}
}

static const char *assets_unproven(const struct feature *f)
{
	return f->writes ? "a probe that writes has no negative control" : NULL;
}

static unsigned assets_stubs(const struct feature *f)
{
	return STUBS_HTTP | 1u << STUB_NO_SCRIPTS | (f->assets->marker[0] ? 1u << STUB_OTHER_BUILD : 0);
}

const struct probe_kind probe_kind_assets = {
	.name = "assets", .mine = assets_mine, .open = assets_open, .close = assets_close, .start = assets_start, .cancel = assets_cancel,
	.check = assets_check, .unproven = assets_unproven, .stubs = assets_stubs,
};
