/* SPDX-License-Identifier: MIT
 * httpc.c - pools of easy handles, the line before them, and every request's one end.
 *
 * Each pool has a multi handle of its own: kept connections, cached names and the one
 * CA store that libcurl keeps per multi are then those of one slot and never mix. */
#include "switchd/io/httpc.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include <ev.h>

#include "switchd/base/clock.h"
#include "switchd/base/log.h"
#include "switchd/base/text.h"
#include "switchd/io/httpc_easy.h"
#include "switchd/io/httpc_glue.h"
#include "switchd/io/names.h"

enum {
	KEPT_PER_HANDLE = 2, KEPT_MIN = 16,
	BUCKETS = 64,
	/* A handle at rest is 10 kB: of all pools together so many wait for the same to be asked again. */
	IDLE_ALL = 256,
	IDLE_EACH = 3,                  /* and of each pool in any case */
};

struct handle {
	TAILQ_ENTRY(handle) link;       /* among the idle, the last used first */
	LIST_ENTRY(handle) same;        /* among the idle of the bucket of its key */
	struct easy easy;
	struct httpc_req *req;          /* NULL = idle */
};

struct httpc_req {
	TAILQ_ENTRY(httpc_req) link;    /* all of the pool */
	TAILQ_ENTRY(httpc_req) line;    /* waiting */
	struct httpc_pool *pool;
	httpc_done_fn *done;
	void *arg;
	struct handle *handle;          /* NULL: waiting, or failed and about to say so */
	struct asked *asked;            /* while waiting, and as long as another address may be tried */
	bool in_line;
	/* Of one that is asked by name. */
	struct name_wait wait;
	struct resolved *at;            /* NULL: by address */
	size_t tried;                   /* of at */
	mono_us since;
	int64_t allowed_ms;             /* from since on */
	struct httpc_jar *jar;          /* of the request */
	int hops;                       /* redirects followed */
	int64_t hops_us;                /* the time that those took */
	ev_timer timer;                 /* the deadline while waiting; or 0 to tell of a failure from the loop */
	bool failed;
	enum httpc_result result;
	const char *error;              /* static text */
};

TAILQ_HEAD(req_list, httpc_req);
TAILQ_HEAD(handle_list, handle);

struct httpc_pool {
	TAILQ_ENTRY(httpc_pool) link;
	struct httpc *client;
	struct glue *glue;
	struct easy_pool *shared;       /* outlives the pool when that is freed inside a done() */
	struct handle_list idle;
	LIST_HEAD(, handle) bucket[BUCKETS];    /* the same, by what was asked last */
	size_t n_idle;
	struct req_list all, waiting;
	size_t n_handles, max;
	int depth;                      /* done() is on the stack */
	bool doomed;                    /* httpc_pool_free() was called from inside done() */
};

struct httpc {
	struct ev_loop *loop;
	TAILQ_HEAD(, httpc_pool) pools;
	struct names *names;
	bool doomed;
};

static const char *const names[] = {
	[H_OK] = "ok", [H_REFUSED] = "refused", [H_RESET] = "reset", [H_CLOSED] = "closed", [H_CUT] = "cut",
	[H_TIMEOUT_CONNECT] = "timeout-connect", [H_TIMEOUT_SENT] = "timeout-sent", [H_TIMEOUT_QUEUED] = "timeout-queued",
	[H_NO_ROUTE] = "no-route", [H_DNS] = "dns", [H_TLS] = "tls", [H_PROTOCOL] = "protocol", [H_TOO_LARGE] = "too-large",
	[H_REDIRECTS] = "redirects", [H_CANCELLED] = "cancelled", [H_LIMIT] = "limit", [H_TIMEOUT_SENDING] = "timeout-sending",
};
_Static_assert(ARRAY_LEN(names) == N_HTTPC_RESULTS, "a result without a name");

const char *httpc_result_name(enum httpc_result r) { return (size_t)r < ARRAY_LEN(names) ? names[r] : "?"; }

static bool find_header(const char *p, size_t len, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);
	const char *end = p + len;

	out[0] = '\0';
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;

		if ((size_t)(stop - p) > n && p[n] == ':' && strncasecmp(p, name, n) == 0) {
			p += n + 1;
			while (p < stop && (*p == ' ' || *p == '\t'))
				p++;
			while (stop > p && strchr(" \t\r", stop[-1]))
				stop--;
			text_copy_n(out, size, p, (size_t)(stop - p));
			return true;
		}
		p = stop + 1;
	}
	return false;
}

bool httpc_header(const struct httpc_reply *r, const char *name, char *out, size_t size)
{
	return find_header(r->head, r->head_len, name, out, size) ||
	       (r->trailers_len && find_header(r->trailers, r->trailers_len, name, out, size));
}

static void client_maybe_free(struct httpc *c)
{
	if (!c->doomed || !TAILQ_EMPTY(&c->pools))
		return;
	names_free(&c->names);
	free(c);
}

/* ---- handles at rest ---- */

static size_t idle_of_all;      /* pools of this process: all are of the loop's thread */

static void wake(struct httpc_pool *p, struct handle *h)
{
	TAILQ_REMOVE(&p->idle, h, link);
	LIST_REMOVE(h, same);
	p->n_idle--;
	idle_of_all--;
}

static void handle_free(struct httpc_pool *p, struct handle *h)
{
	easy_close(&h->easy);
	free(h);
	p->n_handles--;
}

static void lay_down(struct httpc_pool *p, struct handle *h)
{
	h->req = NULL;
	if (p->n_idle >= IDLE_EACH && idle_of_all >= IDLE_ALL) {
		struct handle *oldest = TAILQ_LAST(&p->idle, handle_list);

		wake(p, oldest);
		handle_free(p, oldest);
	}
	TAILQ_INSERT_HEAD(&p->idle, h, link);
	LIST_INSERT_HEAD(&p->bucket[h->easy.key % BUCKETS], h, same);
	p->n_idle++;
	idle_of_all++;
}

static void pool_destroy(struct httpc_pool *p)
{
	struct httpc *c = p->client;

	must(TAILQ_EMPTY(&p->all));
	for (struct handle *h; (h = TAILQ_FIRST(&p->idle));) {
		wake(p, h);
		handle_free(p, h);
	}
	glue_free(&p->glue, p->shared);
	TAILQ_REMOVE(&c->pools, p, link);
	free(p);
	client_maybe_free(c);
}

/* Calls done() and forgets the request.  False: the pool went away in the callback. */
static bool finish(struct httpc_req *q, const struct httpc_reply *reply, struct handle *h)
{
	struct httpc_pool *p = q->pool;

	TAILQ_REMOVE(&p->all, q, link);
	names_forget(&q->wait);
	if (q->in_line)
		TAILQ_REMOVE(&p->waiting, q, line);
	ev_timer_stop(p->client->loop, &q->timer);
	p->depth++;
	q->done(q->arg, reply);
	p->depth--;
	asked_free(&q->asked);
	free(q->at);
	free(q);
	if (h) { /* only now: the reply borrowed its buffers */
		easy_rest(&h->easy);
		lay_down(p, h);
	}
	if (!p->doomed)
		return true;
	if (p->depth == 0)
		pool_destroy(p);
	return false;
}

static bool finish_as(struct httpc_req *q, enum httpc_result result, const char *error, struct handle *h)
{
	struct httpc_reply reply = {
		.result = result, .error = error, .head = "", .body = "", .content_type = "", .location = "", .ip = "",
		.trailers = "", .url = "",
	};

	return finish(q, &reply, h);
}

static void on_req_timer(struct ev_loop *, ev_timer *, int);

/* The caller of httpc_send learns of it from the loop, as of any other end. */
static void fail_later(struct httpc_req *q, enum httpc_result result, const char *error)
{
	struct ev_loop *loop = q->pool->client->loop;

	q->failed = true;
	q->result = result;
	q->error = error;
	ev_timer_stop(loop, &q->timer);
	ev_timer_set(&q->timer, 0., 0.);
	ev_timer_start(loop, &q->timer);
}

static void begin(struct httpc_req *q, struct handle *h, const struct httpc_request *r, int64_t left_ms)
{
	easy_prepare(&h->easy, r, left_ms);
	if (!glue_add(q->pool->glue, h->easy.curl)) {
		easy_leave(&h->easy);
		lay_down(q->pool, h);
		fail_later(q, H_LIMIT, "libcurl takes no more requests");
		return;
	}
	q->handle = h;
	h->req = q;
}

/* The handle that last asked the same costs no options; a new one is the next best, and only
 * where there are many is one made to ask something else. */
static struct handle *pick(struct httpc_pool *p, const struct httpc_request *r)
{
	uint64_t key = easy_key(r);
	struct handle *h;

	LIST_FOREACH(h, &p->bucket[key % BUCKETS], same)
		if (h->easy.key == key && easy_same(&h->easy, r)) {
			wake(p, h);
			return h;
		}
	if (p->n_handles < p->max && (idle_of_all < IDLE_ALL || p->n_idle < IDLE_EACH)) {
		h = xcalloc(1, sizeof(*h));
		easy_open(&h->easy, p->shared);
		must(curl_easy_setopt(h->easy.curl, CURLOPT_PRIVATE, h) == CURLE_OK);
		p->n_handles++;
		return h;
	}
	h = TAILQ_LAST(&p->idle, handle_list);
	if (h)
		wake(p, h);
	return h;
}

static void next_in_line(struct httpc_pool *p)
{
	struct httpc_req *q;

	while ((q = TAILQ_FIRST(&p->waiting)) && (!TAILQ_EMPTY(&p->idle) || p->n_handles < p->max)) {
		int64_t left = q->asked->r.timeout_ms - mono_since_ms(mono_now(), q->since);

		if (left <= 0) {
			if (!finish_as(q, H_TIMEOUT_QUEUED, "waited in our own line until its deadline", NULL))
				return;
			continue;
		}
		TAILQ_REMOVE(&p->waiting, q, line);
		ev_timer_stop(p->client->loop, &q->timer);
		q->in_line = false;
		begin(q, pick(p, &q->asked->r), &q->asked->r, left);
	}
}

static bool part(CURLU *u, CURLUPart what, const char *want)
{
	char *got = NULL;
	bool same = curl_url_get(u, what, &got, CURLU_DEFAULT_PORT) == CURLUE_OK && strcasecmp(got, want) == 0;

	curl_free(got);
	return same;
}

/* By a parser that knows what "http://shop.test@other.test/" is. */
static bool same_origin(const char *here, const char *there)
{
	CURLU *a = curl_url(), *b = curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL;
	bool same = a && b && curl_url_set(a, CURLUPART_URL, here, 0) == CURLUE_OK && curl_url_set(b, CURLUPART_URL, there, 0) == CURLUE_OK &&
		    curl_url_get(a, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && curl_url_get(a, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		    curl_url_get(a, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK && part(b, CURLUPART_SCHEME, scheme) &&
		    part(b, CURLUPART_HOST, host) && part(b, CURLUPART_PORT, port);

	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(a);
	curl_url_cleanup(b);
	return same;
}

static bool redirects(long status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

/* True: the answer was a redirect that is followed, and the request goes on.  Where it leads away, or
 * round and round, the reply is made to say so: nobody else is ever asked (T9, T10). */
static bool follows(struct handle *h, struct httpc_reply *reply)
{
	struct httpc_req *q = h->req;
	struct httpc_request r = h->easy.asked->r;
	struct httpc_jar *jar = q->jar;
	int64_t left;

	reply->redirects = q->hops;
	reply->total_us += q->hops_us;
	if (!r.max_redirects || reply->result != H_OK || !redirects(reply->status) || !reply->location[0])
		return false;
	left = q->allowed_ms - mono_since_ms(mono_now(), q->since);
	if (!same_origin(r.url, reply->location))
		reply->result = H_REDIRECTS, reply->error = "a redirect to another host or scheme, which is never followed";
	else if (q->hops == r.max_redirects)
		reply->result = H_REDIRECTS, reply->error = "more redirects than are to be followed";
	else if (left <= 0)
		reply->result = H_TIMEOUT_SENT, reply->error = "the time was up between two redirects";
	if (reply->result != H_OK)
		return false;
	if (reply->status == 303 ? strcmp(r.method, "HEAD") != 0 : reply->status < 303 && strcmp(r.method, "POST") == 0) {
		r.method = "GET";
		r.body = "";
		r.body_len = 0;
	}
	r.url = reply->location;
	r.jar = jar;
	q->hops++;
	q->hops_us = reply->total_us;
	begin(q, h, &r, left);
	return true;
}

/* ---- names ---- */

/* As long as there are more, none may use up the time of all. */
static void try_address(struct httpc_req *q, struct httpc_request *r, int64_t left)
{
	size_t more = q->at->n - q->tried - 1;

	r->connect_host = q->at->ip[q->tried++];
	if (more && (r->connect_timeout_ms == 0 || r->connect_timeout_ms > left / 2))
		r->connect_timeout_ms = left / 2 ? left / 2 : 1;
}

/* "localhost" is ::1 and 127.0.0.1, and the application may listen on one of them only. */
static bool tries_another(struct handle *h, const struct httpc_reply *reply)
{
	struct httpc_req *q = h->req;
	int64_t left;

	if (!q->at || q->tried >= q->at->n || (reply->result != H_REFUSED && reply->result != H_NO_ROUTE && reply->result != H_TIMEOUT_CONNECT))
		return false;
	left = q->allowed_ms - mono_since_ms(mono_now(), q->since);
	if (left <= 0)
		return false;
	struct httpc_request r = q->asked->r;

	r.jar = q->jar;
	try_address(q, &r, left);
	begin(q, h, &r, left);
	return true;
}

/* The name as a text, and the port where the URL alone tells it; false: there is none to look up. */
static bool name_of(const struct httpc_request *r, char *host, size_t size, uint16_t *port)
{
	const char *p = r->connect_host, *end;
	uint64_t told = strncasecmp(r->url, "https:", 6) == 0 ? 443 : 80;
	char digits[8];

	*port = r->connect_port;
	if (r->unix_path && r->unix_path[0])
		return false;
	if (p && p[0])
		return !easy_is_address(p) && text_copy(host, size, p);
	p = strstr(r->url, "://");
	p = p ? p + 3 : r->url;
	end = p + strcspn(p, ":/?#");
	if (end == p || p[0] == '[' || memchr(p, '@', strcspn(p, "/?#")) || !text_copy_n(host, size, p, (size_t)(end - p)) || easy_is_address(host))
		return false;
	if (*end == ':' && (!text_copy_n(digits, sizeof(digits), end + 1, strspn(end + 1, "0123456789")) || !text_u64(digits, &told)))
		return false;
	*port = (uint16_t)told;
	return true;
}

static void start(struct httpc_req *q);

static void set_addresses(struct httpc_req *q, const struct resolved *found)
{
	q->at = xcalloc(1, sizeof(*q->at));
	*q->at = *found;
}

static void on_name(struct name_wait *w, const struct resolved *found)
{
	struct httpc_req *q = (struct httpc_req *)((char *)w - offsetof(struct httpc_req, wait));

	if (!found->n) {
		(void)finish_as(q, H_DNS, found->error, NULL);
		return;
	}
	set_addresses(q, found);
	start(q);
}

static void on_done(void *arg, CURL *curl, CURLcode code)
{
	struct httpc_pool *p = arg;
	struct handle *h = NULL;
	struct httpc_reply reply;

	must(curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&h) == CURLE_OK);
	easy_reply(&h->easy, code, &reply);
	easy_leave(&h->easy);
	if (follows(h, &reply) || tries_another(h, &reply))
		return;
	if (finish(h->req, &reply, h))
		next_in_line(p);
}

static void on_req_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct httpc_req *q = t->data;

	(void)loop, (void)revents;
	if (q->failed)
		(void)finish_as(q, q->result, q->error, NULL);
	else if (q->wait.name)
		(void)finish_as(q, H_DNS, "the resolver does not answer", NULL);
	else
		(void)finish_as(q, H_TIMEOUT_QUEUED, "waited in our own line until its deadline", NULL);
}

/* A line break in a header or method would be a second header, or a second request. */
static bool one_line_each(const struct httpc_request *r)
{
	if (r->method && strpbrk(r->method, "\r\n \t"))
		return false;
	if (strpbrk(r->url, "\r\n"))
		return false;
	for (size_t i = 0; i < r->n_headers; i++)
		if (strpbrk(r->headers[i], "\r\n"))
			return false;
	return true;
}

static void line_up(struct httpc_req *q, int64_t left)
{
	q->in_line = true;
	TAILQ_INSERT_TAIL(&q->pool->waiting, q, line);
	ev_timer_set(&q->timer, (double)left / 1000, 0.);
	ev_timer_start(q->pool->client->loop, &q->timer);
}

/* Its addresses are known: now as one that was asked by address. */
static void start(struct httpc_req *q)
{
	struct httpc_pool *p = q->pool;
	struct httpc_request *r = &q->asked->r;
	int64_t left = q->allowed_ms - mono_since_ms(mono_now(), q->since);
	struct handle *h;

	ev_timer_stop(p->client->loop, &q->timer);
	if (left <= 0)
		left = 1;
	r->jar = q->jar;
	try_address(q, r, left);
	h = TAILQ_EMPTY(&p->waiting) ? pick(p, r) : NULL;
	if (h)
		begin(q, h, r, left);
	else
		line_up(q, left);
}

static void by_name(struct httpc_req *q, const struct httpc_request *r, const char *host, uint16_t port)
{
	const struct resolved *found;

	q->asked = asked_new(r);
	q->asked->r.connect_port = port;
	q->since = mono_now();
	found = names_ask(q->pool->client->names, host, &q->wait);
	if (found && !found->n) {
		fail_later(q, H_DNS, "the name has no address, as the resolver said a moment ago");
	} else if (found) {
		set_addresses(q, found);
		start(q);
	} else {
		ev_timer_set(&q->timer, (double)r->timeout_ms / 1000, 0.);
		ev_timer_start(q->pool->client->loop, &q->timer);
	}
}

struct httpc_req *httpc_send(struct httpc_pool *p, const struct httpc_request *r, httpc_done_fn *done, void *arg)
{
	struct httpc_req *q = xcalloc(1, sizeof(*q));
	struct handle *h;

	must(r->timeout_ms > 0 && r->url);
	q->pool = p;
	q->done = done;
	q->arg = arg;
	q->allowed_ms = r->timeout_ms;
	q->jar = r->jar;
	q->wait.fn = on_name;
	if (r->max_redirects) /* for most, the clock is read only when they wait */
		q->since = mono_now();
	ev_timer_init(&q->timer, on_req_timer, 0., 0.);
	q->timer.data = q;
	TAILQ_INSERT_TAIL(&p->all, q, link);
	if (!one_line_each(r)) {
		fail_later(q, H_PROTOCOL, "a line break in a header, method or URL");
		return q;
	}
	char host[256];
	uint16_t port;

	if (name_of(r, host, sizeof(host), &port)) {
		by_name(q, r, host, port);
		return q;
	}
	h = TAILQ_EMPTY(&p->waiting) ? pick(p, r) : NULL;
	if (h) {
		begin(q, h, r, r->timeout_ms);
		return q;
	}
	q->asked = asked_new(r);
	q->since = mono_now();
	line_up(q, r->timeout_ms);
	return q;
}

static bool cancel(struct httpc_req *q)
{
	struct handle *h = q->handle;

	if (h) {
		glue_remove(q->pool->glue, h->easy.curl);
		easy_leave(&h->easy);
	}
	return finish_as(q, H_CANCELLED, "cancelled", h);
}

void httpc_cancel(struct httpc_req *q)
{
	struct httpc_pool *p = q->pool;

	if (cancel(q))
		next_in_line(p);
}

struct httpc_pool *httpc_pool_new(struct httpc *c, size_t max)
{
	struct httpc_pool *p = xcalloc(1, sizeof(*p));
	size_t kept = max * KEPT_PER_HANDLE;

	must(max > 0);
	p->client = c;
	p->max = max;
	p->shared = xcalloc(1, sizeof(*p->shared));
	TAILQ_INIT(&p->idle);
	TAILQ_INIT(&p->all);
	TAILQ_INIT(&p->waiting);
	p->glue = glue_new(c->loop, (long)(kept < KEPT_MIN ? KEPT_MIN : kept), on_done, p);
	TAILQ_INSERT_TAIL(&c->pools, p, link);
	return p;
}

void httpc_pool_free(struct httpc_pool **pp)
{
	struct httpc_pool *p = *pp;
	struct httpc_req *q;

	if (!p)
		return;
	*pp = NULL;
	if (p->doomed)
		return;
	p->depth++; /* a callback of what is cancelled here may free us again: not twice */
	p->doomed = true;
	while ((q = TAILQ_FIRST(&p->all)))
		(void)cancel(q);
	if (--p->depth == 0)
		pool_destroy(p);
}

struct httpc *httpc_new(struct ev_loop *loop)
{
	static bool started;
	struct httpc *c = xcalloc(1, sizeof(*c));

	if (!started) {
		const curl_version_info_data *v;

		must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
		v = curl_version_info(CURLVERSION_NOW);
		/* The GnuTLS flavour reads the whole CA bundle anew for each connection: 47 ms of a stopped loop. */
		if (!v->ssl_version || !text_starts(v->ssl_version, "OpenSSL"))
			log_warn("httpc", "libcurl=%s tls=%s what=%s", v->version, LOG_Q(v->ssl_version ? v->ssl_version : "none"),
				 LOG_Q("this libcurl is not the OpenSSL flavour: each new TLS connection stops the loop for tens of ms"));
		started = true;
	}
	c->loop = loop;
	c->names = names_new(loop, NULL);
	TAILQ_INIT(&c->pools);
	return c;
}

void httpc_free(struct httpc **cp)
{
	struct httpc *c = *cp;
	struct httpc_pool *p;

	if (!c)
		return;
	*cp = NULL;
	do { /* from the start each time: a callback may free other pools */
		TAILQ_FOREACH(p, &c->pools, link)
			if (!p->doomed)
				break;
		struct httpc_pool *dying = p;

		httpc_pool_free(&dying);
	} while (p);
	c->doomed = true;
	client_maybe_free(c);
}
