/* SPDX-License-Identifier: MIT
 * httpd_request.c - from a request line to an answer.
 *
 * MHD gives a response its turn only inside its access callback.  So a kept request is
 * a suspended connection, and an answer is: make the response, resume, let MHD call again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "switchd/base/log.h"
#include "switchd/base/text.h"
#include "switchd/io/httpd_priv.h"

enum {
	DRAIN_MAX = 1024 * 1024,        /* of a body that is too large: read on, so that the client can read our 413 */
	STREAM_BLOCK = 16 * 1024,
	STREAM_STALL_S = 40,
};

static struct request *of(const struct httpd_request *pub) { return (struct request *)(uintptr_t)pub; }

/* ---- life ---- */

void *request_line(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct listener *l = cls;
	struct request *r = xcalloc(1, sizeof(*r));
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	r->listener = l;
	r->mhd = mhd;
	r->conn = info ? info->socket_context : NULL;
	r->next = l->requests;
	if (r->next)
		r->next->prev = r;
	l->requests = r;
	buf_init(&r->body, l->cfg.max_body);
	if (!target_parse(&r->target, uri, &r->bad_target) && !r->bad_target)
		never("a bad target without a reason");
	conn_deadline(r->conn, l->cfg.header_ms);
	return r;
}

static void request_free(struct request *r)
{
	if (r->response)
		MHD_destroy_response(r->response);
	target_free(&r->target);
	free(r->method);
	buf_free(&r->body);
	free(r);
}

void request_completed(void *cls, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode code)
{
	struct request *r = *state;
	struct listener *l = cls;

	(void)mhd;
	(void)code;
	*state = NULL;
	if (!r)
		return;
	if (r->parked)
		l->parked--;
	if (r->prev)
		r->prev->next = r->next;
	else
		l->requests = r->next;
	if (r->next)
		r->next->prev = r->prev;
	conn_deadline(r->conn, l->cfg.keep_alive_ms);
	r->listener = NULL;
	r->conn = NULL;
	r->mhd = NULL;
	if (!r->owed)                   /* else the caller's answer frees it */
		request_free(r);
}

/* ---- answers ---- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	/* MHD refuses line breaks in values: an answer without the header is better than a split one. */
	if (value && MHD_add_response_header(response, name, value) != MHD_YES)
		log_warn("httpd", "a response header was refused: name=%s value=%s", LOG_Q(name), LOG_Q(value));
}

static void set_response(struct request *r, unsigned status, struct MHD_Response *response, const char *type,
			 const struct httpd_header *headers, size_t n)
{
	if (!response)
		never("out of memory");
	if (type && *type)
		add_header(response, "Content-Type", type);
	for (size_t i = 0; i < n; i++)
		add_header(response, headers[i].name, headers[i].value);
	r->response = response;
	r->status = status;
	r->state = REQ_ANSWERED;
	if (r->parked) {
		r->parked = false;
		r->listener->parked--;
		r->listener->kick = true;
		MHD_resume_connection(r->mhd);
	}
}

static struct MHD_Response *text_response(const char *body, size_t len)
{
	return MHD_create_response_from_buffer(len, (void *)(uintptr_t)(len ? body : ""), MHD_RESPMEM_MUST_COPY);
}

static void answer_problem(struct request *r, unsigned status, const char *title, const char *detail, bool close)
{
	const struct httpd_header header = { "Connection", "close" };
	char body[512];

	/* Both texts are our own: nothing in them needs escaping. */
	int n = snprintf(body, sizeof(body), "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":\"%s\"}\n", title, status, detail);

	set_response(r, status, text_response(body, (size_t)n), "application/problem+json", &header, close);
}

/* The caller's one answer: true when somebody is still there to get it. */
static bool take_answer(struct request *r)
{
	must(r->owed);
	r->owed = false;
	if (!r->listener) {
		request_free(r);
		return false;
	}
	return r->state == REQ_KEPT;    /* else the listener is closing and has said 503 */
}

void httpd_answer(struct httpd_request *pub, unsigned status, const char *content_type,
		  const struct httpd_header *headers, size_t n_headers, const char *body, size_t len)
{
	struct request *r = of(pub);

	if (take_answer(r))
		set_response(r, status, text_response(body, len), content_type, headers, n_headers);
}

static enum MHD_Result queue_response(struct request *r)
{
	enum MHD_Result ok = MHD_queue_response(r->mhd, r->status, r->response);

	r->state = REQ_SENT;
	conn_deadline(r->conn, r->stream ? 0 : r->listener->cfg.send_ms);
	if (r->stream) {
		r->stream->mhd = r->mhd;
		MHD_set_connection_option(r->mhd, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)STREAM_STALL_S);
		r->stream = NULL;
	}
	MHD_destroy_response(r->response);
	r->response = NULL;
	return ok;
}

/* ---- streams ---- */

static ssize_t stream_pull(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct httpd_stream *s = cls;

	(void)pos;
	if (s->ending)
		return MHD_CONTENT_READER_END_OF_STREAM;
	s->httpd->inside++;
	ssize_t n = s->pull(s->arg, buf, max);

	s->httpd->inside--;
	must(n <= (ssize_t)max);
	if (n < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {                   /* without the suspension MHD would ask again at once, for ever */
		s->parked = true;
		s->listener->parked++;
		MHD_suspend_connection(s->mhd);
	}
	return n;
}

static void stream_free(void *cls)
{
	struct httpd_stream *s = cls;

	if (s->parked)
		s->listener->parked--;
	if (s->prev)
		s->prev->next = s->next;
	else
		s->httpd->streams = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->httpd->inside++;
	s->closed(s->arg);
	s->httpd->inside--;
	free(s);
}

struct httpd_stream *httpd_stream_begin(struct httpd_request *pub, const char *content_type,
					const struct httpd_header *headers, size_t n_headers,
					httpd_pull_fn *pull, httpd_closed_fn *closed, void *arg)
{
	struct request *r = of(pub);

	if (!take_answer(r)) {
		closed(arg);
		return NULL;
	}
	struct httpd *h = r->listener->httpd;
	struct httpd_stream *s = xcalloc(1, sizeof(*s));

	*s = (struct httpd_stream){ .httpd = h, .listener = r->listener, .next = h->streams, .pull = pull, .closed = closed, .arg = arg };
	if (s->next)
		s->next->prev = s;
	h->streams = s;
	r->stream = s;
	set_response(r, 200, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_pull, s, stream_free),
		     content_type, headers, n_headers);
	return s;
}

void httpd_stream_wake(struct httpd_stream *s)
{
	if (!s->parked)
		return;
	s->parked = false;
	s->listener->parked--;
	s->listener->kick = true;
	MHD_resume_connection(s->mhd);
}

void httpd_streams_wake(struct httpd *h)
{
	for (struct httpd_stream *s = h->streams; s; s = s->next)
		httpd_stream_wake(s);
}

void requests_give_up(struct listener *l)
{
	for (struct request *r = l->requests; r; r = r->next)
		if (r->state == REQ_KEPT)
			answer_problem(r, 503, "Service Unavailable", "the listener is closing", true);
	for (struct httpd_stream *s = l->httpd->streams; s; s = s->next)
		if (s->listener == l) {
			s->ending = true;
			httpd_stream_wake(s);
		}
}

/* ---- requests ---- */

struct fields {
	unsigned hosts, lengths, codings;
	bool bad_name, bad_coding, expects;
	uint64_t length;
};

/* MHD 0.9.75 and 1.0.1 let two lengths, and a length beside a coding, pass: two servers
 * in a row could disagree where a request ends. */
static enum MHD_Result look_at_field(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct fields *f = cls;

	(void)kind;
	value = value ? value : "";
	if (!*name || strspn(name, token) != strlen(name))
		f->bad_name = true;
	if (strcasecmp(name, "Host") == 0)
		f->hosts++;
	else if (strcasecmp(name, "Content-Length") == 0) {
		f->lengths++;
		if (!text_u64(value, &f->length))
			f->lengths = 2;
	} else if (strcasecmp(name, "Transfer-Encoding") == 0) {
		f->codings++;
		f->bad_coding |= strcasecmp(value, "chunked") != 0;
	} else if (strcasecmp(name, "Expect") == 0)
		f->expects = true;
	return MHD_YES;
}

/* NULL when the request is sound. */
static const char *what_is_wrong(const struct request *r, const struct fields *f)
{
	return r->bad_target ? r->bad_target :
	       f->hosts > 1 ? "more than one Host" :
	       f->bad_name ? "the name of a header is not a token" :
	       f->lengths > 1 ? "more than one Content-Length, or one that is not a number" :
	       f->lengths && f->codings ? "Content-Length beside Transfer-Encoding" :
	       f->codings > 1 ? "more than one Transfer-Encoding" :
	       f->bad_coding ? "a Transfer-Encoding other than chunked" : NULL;
}

static const char *body_limit_text(const struct request *r, char *out, size_t size)
{
	if (r->listener->cfg.no_body)
		text_copy(out, size, "no request here has a body");
	else
		text_format(out, size, "a body has %zu bytes at most here", r->body.max);
	return out;
}

static enum MHD_Result header_is_whole(struct request *r, const char *method)
{
	struct fields f = { 0 };
	char text[64];

	r->state = REQ_BODY;
	r->method = xstrdup(method);
	MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, look_at_field, &f);
	const char *wrong = what_is_wrong(r, &f);

	if (wrong) {                    /* answered before the body: MHD closes after it, as it must */
		answer_problem(r, 400, "Bad Request", wrong, true);
		return queue_response(r);
	}
	if (f.length > r->body.max && (f.expects || f.length > DRAIN_MAX)) {
		answer_problem(r, 413, "Content Too Large", body_limit_text(r, text, sizeof(text)), true);
		return queue_response(r);
	}
	conn_deadline(r->conn, r->listener->cfg.header_ms);
	return MHD_YES;
}

static enum MHD_Result body_part(struct request *r, const char *data, size_t *size)
{
	r->seen += *size;
	if (r->seen <= r->body.max)
		buf_add(&r->body, data, *size);
	*size = 0;
	return r->seen <= DRAIN_MAX ? MHD_YES : MHD_NO;
}

static void request_is_whole(struct request *r)
{
	struct httpd *h = r->listener->httpd;
	char text[64];

	conn_deadline(r->conn, 0);
	if (r->listener->closing) {
		answer_problem(r, 503, "Service Unavailable", "the listener is closing", true);
		return;
	}
	if (r->seen > r->body.max) {
		answer_problem(r, 413, "Content Too Large", body_limit_text(r, text, sizeof(text)), false);
		return;
	}
	r->pub = (struct httpd_request){
		.listener = r->listener->cfg.id, .method = r->method, .path = r->target.path, .target = r->target.raw,
		.body = buf_str(&r->body), .body_len = r->body.len,
	};
	if (r->conn)
		r->pub.peer = r->conn->peer;
	r->state = REQ_KEPT;
	r->owed = true;
	h->inside++;
	h->handler(h->arg, &r->pub);
	h->inside--;
}

enum MHD_Result request_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
			       const char *data, size_t *size, void **state)
{
	struct request *r = *state;

	(void)url;
	(void)version;
	(void)cls;
	must(r && r->mhd == mhd);
	if (r->state == REQ_LINE)
		return header_is_whole(r, method);
	if (*size)
		return r->state == REQ_BODY ? body_part(r, data, size) : MHD_NO;
	if (r->state == REQ_BODY)
		request_is_whole(r);
	if (r->state == REQ_ANSWERED)
		return queue_response(r);
	if (r->state == REQ_KEPT && !r->parked) {
		r->parked = true;
		r->listener->parked++;
		MHD_suspend_connection(mhd);
	}
	return MHD_YES;
}

/* ---- the caller's view ---- */

const char *httpd_query(const struct httpd_request *pub, const char *name)
{
	const struct target *t = &of(pub)->target;

	for (size_t i = 0; i < t->n_query; i++)
		if (strcmp(t->query[i].name, name) == 0)
			return t->query[i].value;
	return NULL;
}

bool httpd_query_at(const struct httpd_request *pub, size_t i, const char **name, const char **value)
{
	const struct target *t = &of(pub)->target;

	if (i >= t->n_query)
		return false;
	*name = t->query[i].name;
	*value = t->query[i].value;
	return true;
}

const char *httpd_header(const struct httpd_request *pub, const char *name)
{
	struct request *r = of(pub);

	return r->mhd ? MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name) : NULL;
}
