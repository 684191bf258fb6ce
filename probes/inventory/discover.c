/* SPDX-License-Identifier: MIT
 * discover.c - routes, then three questions about each; one request at a time. */
#include "probes/inventory/discover.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "probes/assert/assert.h"
#include "probes/kinds/reach.h"
#include "switchd/io/httpc.h"

enum { ASK_MS = 5000, MAX_KEYS = 4, TITLE_MAX = 100 };

/* One answer, kept. */
struct kept {
	bool whole;
	long status;
	char type[128], location[512], error[160];
	char *head, *body;
	size_t head_len, body_len;
	int64_t us;
};

struct discovering {
	struct ev_loop *loop;
	const struct service_config *svc;
	size_t most;
	discover_progress_fn *progress;
	discover_done_fn *done;
	void *arg;
	struct discovery *out;
	struct httpc *client;
	struct httpc_pool *pool;
	size_t route;                   /* of the inventory */
	int round;                      /* 0, 1: the path; 2: one that cannot be there */
	struct kept kept[3];
	ev_timer pace;
	bool ending;
};

void discovery_free(struct discovery **dp)
{
	struct discovery *d = *dp;

	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < d->rows[i].n_expect; k++)
			free(d->rows[i].expect[k]);
	free(d->rows);
	inventory_free(&d->inventory);
	free(d);
	*dp = NULL;
}

/* ---- names ---- */

/* "/api/quotes?x=1" -> "api-quotes-x-1"; what is left of nothing is "home". */
static void name_of(const struct discovery *d, const char *path, name_text out)
{
	size_t n = 0;

	for (const char *p = path; *p && n < NAME_MAX_LEN - 4; p++) {
		bool word = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '_' || *p == '.';

		if (word && (n || (*p != '_' && *p != '.')))
			out[n++] = *p;
		else if (!word && n && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n && out[n - 1] == '-')
		n--;
	out[n] = '\0';
	if (!n)
		text_copy(out, sizeof(name_text), "home");
	if (strcmp(out, "identity") == 0)
		text_copy(out, sizeof(name_text), "identity-page");
	name_text base;

	TEXT_COPY(base, out);
	for (int number = 2;; number++) {
		bool taken = false;

		for (size_t i = 0; i < d->n; i++)
			taken = taken || strcmp(d->rows[i].name, out) == 0;
		if (!taken)
			return;
		text_format(out, sizeof(name_text), "%.*s-%d", NAME_MAX_LEN - 6, base, number);
	}
}

/* ---- judging ---- */

static struct answer as_answer(const struct kept *k)
{
	return (struct answer){ .status = k->status, .head = k->head, .head_len = k->head_len, .body = k->body, .body_len = k->body_len,
				.content_type = k->type, .total_us = k->us };
}

/* Offered only when it compiles and holds for both answers; *tells when the answer to nothing breaks it. */
static void offer(struct discovering *g, struct discovered *row, bool *tells, const char *line)
{
	char err[160], want[ASSERT_TEXT], got[ASSERT_TEXT];
	int col;
	struct assertion *a = row->n_expect < DISCOVER_MAX_EXPECT ? assert_compile(line, err, sizeof(err), &col) : NULL;
	bool holds = a != NULL;

	for (int i = 0; holds && i < 2; i++) {
		struct answer one = as_answer(&g->kept[i]);

		holds = assert_check(a, &one, want, got) == OUT_PRESENT;
		answer_clear(&one);
	}
	if (holds) {
		struct answer nothing = as_answer(&g->kept[2]);

		*tells = *tells || !g->kept[2].whole || assert_check(a, &nothing, want, got) != OUT_PRESENT;
		answer_clear(&nothing);
		row->expect[row->n_expect++] = xstrdup(line);
	}
	assert_free(&a);
}

/* A text as an assertion writes it; false: not fit to be shown to people. */
static bool quoted(const char *s, char *out, size_t size)
{
	json_t *j = json_string(s);
	char *text = j ? json_dumps(j, JSON_ENCODE_ANY) : NULL;
	bool ok = text && !strpbrk(s, "\r\n\t") && text_copy(out, size, text);

	free(text);
	json_decref(j);
	return ok;
}

static void offer_json(struct discovering *g, struct discovered *row, bool *tells)
{
	json_t *doc = json_loadb(g->kept[0].body, g->kept[0].body_len, 0, NULL), *v;
	const char *key;
	char line[DISCOVER_TEXT + 40];
	size_t n = 0;

	json_object_foreach(doc, key, v) {
		if (!key[0] || key[strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] || (key[0] >= '0' && key[0] <= '9') ||
		    strlen(key) > 64 || n++ >= MAX_KEYS)
			continue;
		TEXT_FORMAT(line, json_is_array(v) && json_array_size(v) ? "jsonpath \"$.%s\" count >= 1" : "jsonpath \"$.%s\" exists", key);
		offer(g, row, tells, line);
	}
	if (json_is_array(doc) && json_array_size(doc))
		offer(g, row, tells, "jsonpath \"$[*]\" count >= 1");
	json_decref(doc);
}

static void offer_title(struct discovering *g, struct discovered *row, bool *tells)
{
	char title[TITLE_MAX], text[TITLE_MAX * 6 + 8], line[TITLE_MAX * 6 + 64];

	if (!inventory_title(g->kept[0].body, g->kept[0].body_len, title, sizeof(title)) || !quoted(title, text, sizeof(text)))
		return;
	TEXT_FORMAT(line, "xpath \"normalize-space(//title)\" == %s", text);
	offer(g, row, tells, line);
}

static void learn(struct discovering *g, struct discovered *row)
{
	const struct kept *a = &g->kept[0];
	char line[DISCOVER_TEXT + 600], text[560], type[128];
	bool tells = false;

	TEXT_FORMAT(line, "status == %ld", a->status);
	offer(g, row, &tells, line);
	text_copy_n(type, sizeof(type), a->type, strcspn(a->type, "; \t"));
	if (type[0] && a->status / 100 == 2 && quoted(type, text, sizeof(text))) {
		TEXT_FORMAT(line, "header \"Content-Type\" contains %s", text);
		offer(g, row, &tells, line);
	}
	if (a->status / 100 == 3 && quoted(a->location, text, sizeof(text))) {
		char got[512];
		struct httpc_reply r = { .head = a->head, .head_len = a->head_len };

		if (httpc_header(&r, "Location", got, sizeof(got)) && quoted(got, text, sizeof(text))) {
			TEXT_FORMAT(line, "header \"Location\" == %s", text);
			offer(g, row, &tells, line);
		}
	} else if (strstr(type, "json")) {
		offer_json(g, row, &tells);
	} else if (strstr(type, "html")) {
		offer_title(g, row, &tells);
	}
	if (tells && row->n_expect)
		return;
	row->as = DISCOVERED_VACUOUS;
	TEXT_COPY(row->why, "a path that cannot be there is answered just as well: name a text that only this page has");
}

/* What a person must do first; "" = it can be learned. */
static void obstacle(const struct discovering *g, char *why, size_t size)
{
	const struct kept *a = &g->kept[0], *b = &g->kept[1];

	why[0] = '\0';
	if (!a->whole || !b->whole)
		text_format(why, size, "no whole answer: %s", a->whole ? b->error : a->error);
	else if (a->status != b->status)
		text_format(why, size, "answered %ld, and then %ld", a->status, b->status);
	else if (a->status == 401 || a->status == 403 || a->status == 407)
		text_format(why, size, "answers %ld: give the probe an account (headers:)", a->status);
	else if (a->status >= 400 || a->status < 200)
		text_format(why, size, "answers %ld", a->status);
}

/* ---- asking ---- */

static void kept_clear(struct kept *k)
{
	free(k->head);
	free(k->body);
	*k = (struct kept){ .whole = false };
}

static void next_route(struct discovering *);

static void row_done(struct discovering *g)
{
	struct discovered *row = &g->out->rows[g->out->n];

	*row = (struct discovered){ .path = g->out->inventory->routes[g->route].path };
	name_of(g->out, row->path, row->name);
	obstacle(g, row->why, sizeof(row->why));
	if (row->why[0])
		row->as = DISCOVERED_NOT;
	else
		learn(g, row);
	g->out->n++;
	for (int i = 0; i < 3; i++)
		kept_clear(&g->kept[i]);
	g->round = 0;
	g->route++;
	next_route(g);
}

static char *copy(const char *s, size_t n)
{
	char *c = xmalloc(n + 1);

	memcpy(c, s, n);
	c[n] = '\0';
	return c;
}

static void on_answer(void *arg, const struct httpc_reply *r)
{
	struct discovering *g = arg;
	struct kept *k = &g->kept[g->round];

	if (g->ending)
		return;
	k->whole = r->result == H_OK;
	k->status = r->status;
	TEXT_COPY(k->type, r->content_type);
	TEXT_COPY(k->location, r->location);
	TEXT_COPY(k->error, r->error);
	k->head = copy(r->head ? r->head : "", r->head ? r->head_len : 0);
	k->head_len = r->head ? r->head_len : 0;
	k->body = copy(r->body ? r->body : "", r->body ? r->body_len : 0);
	k->body_len = r->body ? r->body_len : 0;
	k->us = r->total_us;
	if (++g->round < 3 && (k->whole || g->round == 3)) {
		ev_timer_set(&g->pace, DISCOVER_EVERY_MS / 1000., 0.);
		ev_timer_start(g->loop, &g->pace);
		return;
	}
	row_done(g);
}

static void ask(EV_P_ ev_timer *t, int revents)
{
	struct discovering *g = t->data;
	const struct target *at = &g->svc->slot[BLUE].targets[0];
	char url[1024 + INVENTORY_MAX_PATH], absent[1100 + INVENTORY_MAX_PATH];
	static const char *const headers[] = { "X-Switchd-Probe: discover", "User-Agent: switchd-probe" };

	(void)loop, (void)revents;
	must(TEXT_FORMAT(url, "%s%s", g->svc->front, g->out->inventory->routes[g->route].path));
	if (g->round == 2 && !reach_absent_url(absent, sizeof(absent), url)) {
		row_done(g);
		return;
	}
	struct httpc_request r = { .url = g->round == 2 ? absent : url, .connect_host = at->host, .connect_port = at->port, .headers = headers,
				   .n_headers = ARRAY_LEN(headers), .timeout_ms = ASK_MS, .insecure = !g->svc->slot[BLUE].tls.verify };

	httpc_send(g->pool, &r, on_answer, g);
}

static void add_row(struct discovering *g, const struct inventory_route *r, const char *why)
{
	struct discovered *row = &g->out->rows[g->out->n];

	*row = (struct discovered){ .as = DISCOVERED_NOT, .path = r->path };
	name_of(g->out, r->path, row->name);
	TEXT_COPY(row->why, why);
	g->out->n++;
}

static void next_route(struct discovering *g)
{
	const struct inventory *inv = g->out->inventory;
	size_t asked = 0;

	for (size_t i = 0; i < g->out->n; i++)
		asked += g->out->rows[i].as != DISCOVERED_NOT;
	for (; g->route < inv->n; g->route++) {
		const struct inventory_route *r = &inv->routes[g->route];

		if (r->pattern) {
			add_row(g, r, "put an example in the place of what is in braces");
		} else if (inventory_unsafe(r->path)) {
			add_row(g, r, "looks as if asking changed something: it was not asked");
		} else if (!r->ask) {
			add_row(g, r, "needs a header that the document does not give an example of");
		} else if (asked >= g->most) {
			g->out->left++;
		} else {
			if (g->progress)
				g->progress(g->arg, g->route + 1, inv->n, r->path);
			ev_timer_set(&g->pace, DISCOVER_EVERY_MS / 1000., 0.);
			ev_timer_start(g->loop, &g->pace);
			return;
		}
	}
	g->ending = true;
	ev_timer_stop(g->loop, &g->pace);
	httpc_free(&g->client);
	g->done(g->arg, g->out);
	free(g);
}

/* ---- lists ---- */

static void on_later(EV_P_ ev_timer *t, int revents)
{
	(void)loop, (void)revents;
	struct discovering *g = t->data;

	ev_timer_stop(g->loop, t);
	ev_set_cb(t, ask);
	next_route(g);
}

static void listed(void *arg, enum slot slot, struct inventory *taken)
{
	struct discovering *g = arg;

	(void)slot;
	must(taken != NULL); /* nobody cancels it */
	inventory_add(taken, "/", 1, 0, true, false);
	inventory_sort(taken);
	g->out->inventory = taken;
	g->out->rows = xcalloc(taken->n + 1, sizeof(*g->out->rows));
	ev_timer_init(&g->pace, on_later, 0., 0.);
	g->pace.data = g;
	ev_timer_start(g->loop, &g->pace);
}

void discover_start(struct ev_loop *loop, const struct service_config *svc, size_t most, discover_progress_fn *progress, discover_done_fn *done, void *arg)
{
	struct discovering *g = xcalloc(1, sizeof(*g));

	*g = (struct discovering){ .loop = loop, .svc = svc, .most = most, .progress = progress, .done = done, .arg = arg };
	g->out = xcalloc(1, sizeof(*g->out));
	g->client = httpc_new(loop);
	g->pool = httpc_pool_new(g->client, 1);
	inventory_fetch(loop, svc, BLUE, listed, g);
}
