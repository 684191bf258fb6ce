/* SPDX-License-Identifier: MIT
 * inventory_fetch.c - one slot's routes: its documents, then each route once, at half of max_rate.
 *
 * One request for a document at a time, from the first target that answers; four at most for
 * routes.  A source that cannot be had is a note and makes the list incomplete: never a short list.  One that is
 * not there at all (404) is told apart: the release that brings it must have a way in (inventory_compare). */
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "probes/inventory/inventory_work.h"
#include "probes/assert/jsonpath.h"
#include "probes/assert/shape.h"
#include "probes/assert/xpath.h"
#include "probes/kinds/reach.h"
#include "switchd/io/httpc.h"

enum { DOC_TIMEOUT_MS = 10000, ROUTE_TIMEOUT_MS = 5000, IN_FLIGHT = 4 };

struct asking { struct inventory_fetch *f; size_t route; struct httpc_req *req; };

struct inventory_fetch {
	struct ev_loop *loop;
	const struct service_config *svc;
	enum slot slot;
	inventory_done_fn *done;
	void *arg;
	struct httpc *client;
	struct httpc_pool *pool;
	struct inventory *inv;
	size_t target;                  /* who is asked: the first that answers stays */
	size_t tried;                   /* targets tried for this document */
	size_t source;                  /* whose document is being read */
	struct inventory_children children; size_t child;       /* of an index of sitemaps */
	bool in_child;
	struct header_lines headers;    /* the service's own, and who we are */
	struct httpc_req *req;
	struct inventory_work *work;
	/* asking */
	size_t next_route, in_flight;
	struct asking asking[IN_FLIGHT];
	ev_timer pace, deadline;
	bool ending, cancelled;
};

static void next_document(struct inventory_fetch *);
static void ask_document(struct inventory_fetch *);

/* ---- the end ---- */

static void fetch_end(struct inventory_fetch *f)
{
	struct inventory *inv = f->inv;

	f->ending = true;
	ev_timer_stop(f->loop, &f->pace);
	ev_timer_stop(f->loop, &f->deadline);
	inventory_work_cancel(&f->work);
	httpc_free(&f->client); /* what is in flight ends with H_CANCELLED, and finds `ending` */
	inventory_children_clear(&f->children);
	if (f->cancelled)
		inventory_free(&inv);
	else
		inventory_sort(inv);
	header_lines_free(&f->headers);
	f->done(f->arg, f->slot, inv);
	free(f);
}

static void on_deadline(EV_P_ ev_timer *t, int revents)
{
	struct inventory_fetch *f = t->data;

	(void)loop, (void)revents;
	f->inv->late = true;
	if (f->source < f->svc->n_inventory)
		inventory_note(f->inv, true, "%s %s: not read in time", inventory_kind_name(f->svc->inventory[f->source].kind), f->svc->inventory[f->source].where);
	else
		inventory_note(f->inv, false, "not every route was asked in %d s", INVENTORY_DEADLINE_MS / 1000);
	fetch_end(f);
}

static void on_nobody(EV_P_ ev_timer *t, int revents)
{
	struct inventory_fetch *f = t->data;

	(void)loop, (void)revents;
	inventory_note(f->inv, true, "slot %s has no targets yet", slot_name(f->slot));
	fetch_end(f);
}

/* ---- a request ---- */

static bool is_default_port(bool tls, uint16_t port) { return port == (tls ? 443 : 80); }

/* The public name in the URL, the connection to the target: as the probes ask. */
static struct httpc_req *send(struct inventory_fetch *f, const char *path, int64_t timeout_ms, size_t body_max, httpc_done_fn *fn, void *arg)
{
	const struct slot_config *slot = &f->svc->slot[f->slot];
	static const struct target nameless = { .host = "localhost", .port = 80 };
	const struct target *t = &slot->targets[f->target];
	bool socket = t->unix_path && t->unix_path[0];
	const struct target *pub = f->svc->front[0] ? &f->svc->front_target : socket ? &nameless : t;
	char url[1024 + INVENTORY_MAX_PATH], port[16] = "";

	if (!is_default_port(pub->tls, pub->port))
		TEXT_FORMAT(port, ":%u", pub->port);
	must(TEXT_FORMAT(url, strchr(pub->host, ':') ? "%s://[%s]%s%s" : "%s://%s%s%s", t->tls ? "https" : "http", pub->host, port, path));
	struct httpc_request r = {
		.url = url, .connect_host = t->host, .connect_port = t->port, .unix_path = socket ? t->unix_path : NULL,
		.proxy_protocol = slot->proxy_protocol, .headers = (const char *const *)f->headers.line, .n_headers = f->headers.n,
		.ca_file = slot->tls.ca_file, .cert_file = slot->tls.cert_file, .key_file = slot->tls.key_file, .insecure = !slot->tls.verify,
		.timeout_ms = timeout_ms, .body_max = body_max,
	};

	return httpc_send(f->pool, &r, fn, arg);
}

/* ---- routes ---- */

static void on_route(void *arg, const struct httpc_reply *r)
{
	struct asking *a = arg;
	struct inventory_fetch *f = a->f;

	a->req = NULL;
	if (f->ending)
		return;
	f->in_flight--;
	struct inventory_route *route = &f->inv->routes[a->route];

	/* Too large to read whole is an answer all the same: its status stands. */
	route->asked = r->result == H_OK || (r->result == H_TOO_LARGE && r->status) ? ROUTE_ANSWERED : ROUTE_SILENT;
	if (route->asked == ROUTE_SILENT)
		return;
	struct shape *s = r->result == H_OK ? shape_learn(r->status, r->content_type, r->location, r->body, r->body_len) : NULL;
	char *text = s ? shape_json(s) : NULL;
	size_t n = strcspn(r->content_type, "; \t");

	route->status = r->status;
	text_printable(route->type, sizeof(route->type), r->content_type, n);
	if (text && strlen(text) <= INVENTORY_MAX_SHAPE)
		route->shape = text;
	else
		free(text);
	shape_free(&s);
}

static bool to_ask(const struct inventory_route *r) { return r->ask && !r->pattern && !inventory_unsafe(r->path); }

static void on_pace(EV_P_ ev_timer *t, int revents)
{
	struct inventory_fetch *f = t->data;
	struct inventory *inv = f->inv;

	(void)loop, (void)revents;
	while (f->next_route < inv->n && !to_ask(&inv->routes[f->next_route]))
		f->next_route++;
	if (f->next_route == inv->n) {
		if (!f->in_flight)
			fetch_end(f);
		return;
	}
	for (size_t i = 0; i < IN_FLIGHT; i++)
		if (!f->asking[i].req) {
			f->asking[i].f = f;
			f->asking[i].route = f->next_route++;
			f->in_flight++;
			f->asking[i].req = send(f, inv->routes[f->asking[i].route].path, ROUTE_TIMEOUT_MS, 0, on_route, &f->asking[i]);
			return;
		}
}

static void ask_routes(struct inventory_fetch *f)
{
	double every = f->svc->max_rate > 0 ? 2. / f->svc->max_rate : 0.;

	inventory_sort(f->inv);
	TEXT_COPY(f->inv->target, f->svc->slot[f->slot].targets[f->target].text);
	if (f->svc->max_rate <= 0) /* the lists alone: who asks them has his own way with the routes */
		f->next_route = f->inv->n;
	ev_timer_set(&f->pace, 0., every);
	ev_timer_start(f->loop, &f->pace);
}

/* ---- documents ---- */

static void source_failed(struct inventory_fetch *f, const char *what)
{
	const struct inventory_source *s = &f->svc->inventory[f->source];

	inventory_note(f->inv, true, "%s %s: %s", inventory_kind_name(s->kind), f->in_child ? f->children.path[f->child] : s->where, what);
}

static void merge(struct inventory *into, const struct inventory *from, int source)
{
	for (size_t i = 0; i < from->n; i++)
		inventory_add(into, from->routes[i].path, strlen(from->routes[i].path), source, from->routes[i].ask, from->routes[i].alike);
	into->left_out += from->left_out;
	for (size_t i = 0; i < from->n_notes; i++)
		inventory_note(into, false, "%s", from->notes[i]);
}

static void on_parsed(void *arg, struct inventory_made *made)
{
	struct inventory_fetch *f = arg;

	f->work = NULL;
	if (!made->list) {
		source_failed(f, made->error);
	} else {
		if (made->list->n + f->inv->n > INVENTORY_MAX_ROUTES)
			inventory_note(f->inv, false, "%s: more than %d routes: what is past them is left out", f->svc->inventory[f->source].where,
				       INVENTORY_MAX_ROUTES);
		merge(f->inv, made->list, (int)f->source);
	}
	if (made->children.left_out)
		source_failed(f, "an index of too many sitemaps");
	if (made->children.n && !f->in_child) {
		f->children = made->children;
		made->children = (struct inventory_children){ 0 };
		f->in_child = true;
		f->child = 0;
		f->tried = 0;
		ask_document(f);
		return;
	}
	next_document(f);
}

static void parse(struct inventory_fetch *f, const char *base, const char *text, size_t len)
{
	struct inventory_doc doc = { .source = &f->svc->inventory[f->source], .number = (int)f->source, .base = base, .text = text, .len = len,
				     .host = f->svc->front[0] ? f->svc->front_target.host : "" };

	f->work = inventory_work_start(f->loop, &doc, !f->in_child, on_parsed, f);
}

static void on_document(void *arg, const struct httpc_reply *r)
{
	struct inventory_fetch *f = arg;
	size_t n = f->svc->slot[f->slot].n_targets;
	char what[200];

	f->req = NULL;
	if (f->ending)
		return;
	if (r->result == H_OK && r->status == 200) {
		parse(f, f->in_child ? f->children.path[f->child] : f->svc->inventory[f->source].where, r->body, r->body_len);
		return;
	}
	if ((r->result != H_OK || r->status >= 500) && r->result != H_TOO_LARGE && ++f->tried < n) {
		f->target = (f->target + 1) % n;
		ask_document(f);
		return;
	}
	if (r->result == H_OK && !f->in_child && (r->status == 404 || r->status == 410)) {
		const struct inventory_source *s = &f->svc->inventory[f->source];

		inventory_absent(f->inv, (int)f->source, "%s %s: answered %ld", inventory_kind_name(s->kind), s->where, r->status);
		next_document(f);
		return;
	}
	if (r->result == H_OK)
		TEXT_FORMAT(what, "answered %ld", r->status);
	else if (r->result == H_TOO_LARGE)
		TEXT_FORMAT(what, "larger than 1 MiB");
	else
		TEXT_FORMAT(what, "%.150s", r->error[0] ? r->error : httpc_result_name(r->result));
	source_failed(f, what);
	next_document(f);
}

static void ask_document(struct inventory_fetch *f)
{
	const struct inventory_source *s = &f->svc->inventory[f->source];

	if (s->kind == INV_LOG) {
		parse(f, "/", NULL, 0);
		return;
	}
	f->req = send(f, f->in_child ? f->children.path[f->child] : s->where, DOC_TIMEOUT_MS, INVENTORY_DOC_MAX, on_document, f);
}

static void next_document(struct inventory_fetch *f)
{
	f->tried = 0;
	if (f->in_child && ++f->child < f->children.n) {
		ask_document(f);
		return;
	}
	inventory_children_clear(&f->children);
	f->in_child = false;
	if (++f->source < f->svc->n_inventory)
		ask_document(f);
	else
		ask_routes(f);
}

/* ---- the face ---- */

struct inventory_fetch *inventory_fetch(struct ev_loop *loop, const struct service_config *svc, enum slot slot, inventory_done_fn *done, void *arg)
{
	struct inventory_fetch *f = xcalloc(1, sizeof(*f));

	must(slot <= GREEN && svc->n_inventory > 0);
	f->loop = loop;
	f->svc = svc;
	f->slot = slot;
	f->done = done;
	f->arg = arg;
	f->inv = inventory_new();
	f->inv->at = wall_now();
	f->inv->slot = slot;
	f->client = httpc_new(loop);
	f->pool = httpc_pool_new(f->client, IN_FLIGHT);
	f->headers = reach_headers(svc, svc->headers, svc->n_headers, "inventory");
	ev_timer_init(&f->pace, on_pace, 0., 0.);
	bool anybody = svc->slot[slot].n_targets > 0;

	ev_timer_init(&f->deadline, anybody ? on_deadline : on_nobody, anybody ? INVENTORY_DEADLINE_MS / 1000. : 0., 0.);
	f->pace.data = f->deadline.data = f;
	ev_timer_start(loop, &f->deadline);
	if (anybody)
		ask_document(f);
	return f;
}

void inventory_cancel(struct inventory_fetch *f)
{
	f->cancelled = true;
	fetch_end(f);
}

/* ---- config and comparison ---- */

int inventory_check(const struct config *cfg, const struct service_config *svc, struct buf *errors)
{
	int wrong = 0;

	for (size_t i = 0; i < svc->n_inventory; i++) {
		const struct inventory_source *s = &svc->inventory[i];
		char err[200] = "";
		size_t off = 0;
		bool ok = true;

		if (s->kind == INV_LINKS) {
			struct xpath *x = xpath_compile(s->pick, strlen(s->pick), err, sizeof(err), &off);

			ok = x != NULL;
			xpath_free(&x);
		} else if (s->kind == INV_ROUTES) {
			struct jsonpath *p = jsonpath_compile(s->pick, strlen(s->pick), err, sizeof(err), &off);

			ok = p != NULL;
			jsonpath_free(&p);
		}
		if (!ok)
			buf_addf(errors, "%s:%d:%d: error: %s\n", cfg->file, s->line, s->col + (int)off, err);
		wrong += !ok;
	}
	return wrong;
}

bool inventory_same(const char *shape_active, const char *shape_idle)
{
	struct shape *a = shape_parse(shape_active), *i = shape_parse(shape_idle);
	struct shape *common = a && i ? shape_common(a, i) : NULL;
	char *was = common ? shape_json(a) : NULL, *is = common ? shape_json(common) : NULL;
	/* What the active slot shows is all in what the two share: more on the idle one is allowed (B1.7). */
	bool same = was && is && strcmp(was, is) == 0;

	free(was);
	free(is);
	shape_free(&common);
	shape_free(&a);
	shape_free(&i);
	return same;
}
