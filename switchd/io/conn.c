/* SPDX-License-Identifier: MIT
 * conn.c - a name is looked up off the loop, libcurl brings the connection up to one of its addresses; from then
 * on its descriptor is watched here. */
#include "switchd/io/conn.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <curl/curl.h>
#include <ev.h>

#include "switchd/base/buf.h"
#include "switchd/base/clock.h"
#include "switchd/base/text.h"
#include "switchd/io/conn_tls.h"
#include "switchd/io/httpc_glue.h"
#include "switchd/io/names.h"

/* const from libcurl 8 on */
#if LIBCURL_VERSION_NUM >= 0x080000
typedef const struct curl_ws_frame ws_frame;
#else
typedef struct curl_ws_frame ws_frame;
#endif

enum { CHUNK = 16 * 1024, READS_AT_ONCE = 4, KEPT_MAX = 4096 };

struct conn {
	TAILQ_ENTRY(conn) link;
	struct conns *conns;
	CURL *curl;
	struct curl_slist *to;
	char *name, *check, *ca_file, *send, *websocket;
	uint16_t port;
	struct name_wait wait;
	struct resolved at;             /* n 0: a unix socket, or a name that is still looked up */
	size_t tried;
	int64_t timeout_ms;
	const char *failed;             /* NULL, or why it ends at the next turn of the loop */
	size_t send_len, sent;
	int opened;                     /* the last descriptor that it tried; -1 */
	bool read, up, in_ws_message;
	bool (*enough)(void *, const char *, size_t);
	struct handshake hand;
	struct buf data;
	ev_io io;
	ev_timer deadline;
	mono_us began;
	char error[CURL_ERROR_SIZE];
	conn_done_fn *done;
	void *arg;
};

struct conns {
	struct ev_loop *loop;
	struct glue *glue;
	struct trust *trust;
	struct names *names;
	TAILQ_HEAD(, conn) live;
};

/* ---- the end ---- */

static void conn_end(struct conn *c, enum httpc_result result, const char *error, bool eof)
{
	struct conn_result r = { .result = result, .error = error, .len = c->data.len, .eof = eof,
				 .cert = c->hand.seen ? &c->hand.cert : NULL, .invalid = c->hand.invalid };

	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &r.status);
	r.data = buf_str(&c->data);
	r.total_us = mono_since_us(mono_now(), c->began);
	names_forget(&c->wait);
	TAILQ_REMOVE(&c->conns->live, c, link);
	ev_io_stop(c->conns->loop, &c->io);
	ev_timer_stop(c->conns->loop, &c->deadline);
	glue_remove(c->conns->glue, c->curl);
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->to);
	c->done(c->arg, &r); /* may free the conns */
	buf_free(&c->data);
	free(c->name);
	free(c->check);
	free(c->ca_file);
	free(c->send);
	free(c->websocket);
	free(c);
}

void conn_cancel(struct conn *c) { conn_end(c, H_CANCELLED, "cancelled", false); }

static void on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct conn *c = t->data;
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	(void)loop, (void)revents;
	if (c->failed || c->wait.name)
		conn_end(c, H_DNS, c->failed ? c->failed : "the resolver does not answer", false);
	else if (c->up)
		conn_end(c, c->sent < c->send_len ? H_TIMEOUT_SENDING : H_TIMEOUT_SENT, "no complete answer in time", false);
	else if (c->opened >= 0 && getpeername(c->opened, (struct sockaddr *)&peer, &len) == 0) /* libcurl tells it only when all is done */
		conn_end(c, H_TIMEOUT_SENDING, "connected, and the handshake was not ended in time", false);
	else
		conn_end(c, H_TIMEOUT_CONNECT, "no connection in time", false);
}

static enum httpc_result name_failure(const struct conn *c, CURLcode code)
{
	long os = 0;

	curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &os);
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return H_DNS;
	case CURLE_COULDNT_CONNECT:
		return os == ECONNREFUSED ? H_REFUSED : os == EHOSTUNREACH || os == ENETUNREACH ? H_NO_ROUTE :
		       os == ECONNRESET ? H_RESET : os == ETIMEDOUT ? H_TIMEOUT_CONNECT : H_LIMIT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_ABORTED_BY_CALLBACK: /* ca_file */
		return H_TLS;
	case CURLE_GOT_NOTHING:
		return H_CLOSED;
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return H_RESET;
	case CURLE_OPERATION_TIMEDOUT:
		return H_TIMEOUT_CONNECT;
	case CURLE_OUT_OF_MEMORY:
		return H_LIMIT;
	default:
		return H_PROTOCOL;
	}
}

/* ---- the bytes ---- */

static CURLcode take(struct conn *c, char *data, size_t *n)
{
	ws_frame *frame = NULL;
	CURLcode code;

	if (!c->websocket)
		return curl_easy_recv(c->curl, data, CHUNK, n);
	code = curl_ws_recv(c->curl, data, CHUNK, n, &frame);
	if (code != CURLE_OK || !frame)
		return code;
	if (frame->flags & CURLWS_CLOSE)
		return CURLE_GOT_NOTHING;
	if (frame->flags & (CURLWS_PING | CURLWS_PONG))
		*n = 0;
	/* A message is looked at when it is whole. */
	c->in_ws_message = frame->bytesleft > 0 || (frame->flags & CURLWS_CONT);
	return CURLE_OK;
}

static CURLcode put(struct conn *c, size_t *n)
{
	if (c->websocket)
		return curl_ws_send(c->curl, c->send + c->sent, c->send_len - c->sent, n, 0, CURLWS_TEXT);
	return curl_easy_send(c->curl, c->send + c->sent, c->send_len - c->sent, n);
}

static void watch(struct conn *c, int events)
{
	if (ev_is_active(&c->io) && c->io.events == events)
		return;
	ev_io_stop(c->conns->loop, &c->io);
	ev_io_set(&c->io, c->io.fd, events);
	ev_io_start(c->conns->loop, &c->io);
}

/* False: the connection has come to its end, and so has c. */
static bool send_some(struct conn *c)
{
	while (c->sent < c->send_len) {
		size_t n = 0;
		CURLcode code = put(c, &n);

		if (code == CURLE_AGAIN)
			return true;
		if (code != CURLE_OK) {
			conn_end(c, H_RESET, curl_easy_strerror(code), false);
			return false;
		}
		c->sent += n;
	}
	return true;
}

static void read_some(struct conn *c)
{
	static char data[CHUNK];

	for (int i = 0; i < READS_AT_ONCE; i++) {
		size_t n = 0;
		CURLcode code = take(c, data, &n);
		bool eof = code == CURLE_GOT_NOTHING || (code == CURLE_OK && n == 0 && !c->websocket);

		if (code == CURLE_AGAIN)
			return;
		if (eof) {
			bool cut = c->sent < c->send_len || c->in_ws_message;

			conn_end(c, c->data.len == 0 ? H_CLOSED : cut ? H_CUT : H_OK, c->data.len ? "" : "closed without an answer", true);
			return;
		}
		if (code != CURLE_OK) {
			conn_end(c, c->data.len ? H_CUT : H_RESET, curl_easy_strerror(code), false);
			return;
		}
		if (n > c->data.max - c->data.len) {
			buf_add(&c->data, data, c->data.max - c->data.len);
			conn_end(c, H_TOO_LARGE, "more than is read", false);
			return;
		}
		buf_add(&c->data, data, n);
		if (n && !c->in_ws_message && c->enough && c->enough(c->arg, c->data.data, c->data.len)) {
			conn_end(c, H_OK, "", false);
			return;
		}
	}
	ev_feed_event(c->conns->loop, &c->io, EV_READ); /* TLS may hold more than the descriptor shows */
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct conn *c = io->data;

	(void)loop, (void)revents;
	if (!send_some(c))
		return;
	if (c->sent == c->send_len && !c->read) {
		conn_end(c, H_OK, "", false);
		return;
	}
	watch(c, c->sent < c->send_len ? EV_READ | EV_WRITE : EV_READ);
	if (c->read)
		read_some(c);
}

/* ---- connecting ---- */

#define SET(c, option, value) must(curl_easy_setopt((c)->curl, (option), (value)) == CURLE_OK)

/* To the next address, under the name that was asked for.  As long as there are more, none may use up the time of all. */
static void connect_next(struct conn *c)
{
	const char *ip = c->at.ip[c->tried++];
	int64_t left = c->timeout_ms - mono_since_us(mono_now(), c->began) / 1000;
	char to[RESOLVE_TEXT + 16];

	must(TEXT_FORMAT(to, strchr(ip, ':') ? "::[%s]:%u" : "::%s:%u", ip, c->port));
	curl_slist_free_all(c->to);
	c->to = curl_slist_append(NULL, to);
	must(c->to != NULL);
	SET(c, CURLOPT_CONNECT_TO, c->to);
	SET(c, CURLOPT_CONNECTTIMEOUT_MS, c->tried < c->at.n ? (left > 2 ? (long)left / 2 : 1L) : 0L);
	c->opened = -1;
	must(glue_add(c->conns->glue, c->curl));
}

/* "localhost" is ::1 and 127.0.0.1, and the application may listen on one of them only. */
static bool tries_another(struct conn *c, enum httpc_result result)
{
	if (c->tried >= c->at.n || (result != H_REFUSED && result != H_NO_ROUTE && result != H_TIMEOUT_CONNECT))
		return false;
	glue_remove(c->conns->glue, c->curl);
	c->error[0] = '\0';
	connect_next(c);
	return true;
}

static void on_name(struct name_wait *w, const struct resolved *found)
{
	struct conn *c = (struct conn *)((char *)w - offsetof(struct conn, wait));

	if (!found->n) {
		conn_end(c, H_DNS, found->error, false);
		return;
	}
	c->at = *found;
	connect_next(c);
}

/* A name may take as long as its resolver likes: it is looked up before libcurl sees it. */
static void look_up(struct conn *c, const char *host)
{
	const struct resolved *found;

	if (resolve_is_ip(host)) {
		c->at.n = 1;
		must(TEXT_COPY(c->at.ip[0], host));
		connect_next(c);
		return;
	}
	c->wait.fn = on_name;
	found = names_ask(c->conns->names, host, &c->wait);
	if (found && found->n) {
		c->at = *found;
		connect_next(c);
	} else if (found) {
		c->failed = "the name has no address, as the resolver said a moment ago";
		ev_timer_stop(c->conns->loop, &c->deadline);
		ev_timer_set(&c->deadline, 0., 0.);
		ev_timer_start(c->conns->loop, &c->deadline);
	}
}

static void on_connected(void *arg, CURL *easy, CURLcode code)
{
	struct conn *c;
	curl_socket_t fd = CURL_SOCKET_BAD;
	long status = 0;

	(void)arg;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&c);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK && c->websocket && status) { /* a whole answer, and no upgrade */
		conn_end(c, H_OK, "", true);
		return;
	}
	if (code == CURLE_OK)
		curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
	if (code != CURLE_OK || fd == CURL_SOCKET_BAD) {
		enum httpc_result result = code == CURLE_OK ? H_RESET : name_failure(c, code);

		if (tries_another(c, result))
			return;
		const char *why = c->hand.invalid[0] && !c->hand.seen ? c->hand.invalid : c->error[0] ? c->error : curl_easy_strerror(code);

		conn_end(c, result, why, false);
		return;
	}
	c->up = true;
	ev_io_init(&c->io, on_io, fd, EV_READ | EV_WRITE);
	c->io.data = c;
	ev_io_start(c->conns->loop, &c->io);
	ev_feed_event(c->conns->loop, &c->io, EV_WRITE);
}

/* ---- the beginning ---- */

static CURLcode on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	(void)easy;
	return handshake_watch(ctx, arg) ? CURLE_OK : CURLE_ABORTED_BY_CALLBACK;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct conn *c = arg;

	(void)purpose;
	if (a->family != AF_UNIX && (!c->at.n || !glue_address_is(c->at.ip[c->tried - 1], a)))
		return CURL_SOCKET_BAD; /* the address that we chose, and no other */
	c->opened = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	return c->opened < 0 ? CURL_SOCKET_BAD : c->opened;
}

static void set_address(struct conn *c, const struct conn_order *o)
{
	const char *scheme = c->websocket ? (o->tls ? "wss" : "ws") : o->tls ? "https" : "http";
	bool v6 = strchr(c->name, ':') != NULL;
	struct buf url = BUF_INIT(16 * 1024);

	buf_addf(&url, v6 ? "%s://[%s]:%u%s" : "%s://%s:%u%s", scheme, c->name, o->port ? o->port : o->tls ? 443 : 80, c->websocket ? c->websocket : "/");
	must(!url.full);
	curl_easy_setopt(c->curl, CURLOPT_URL, buf_str(&url)); /* one that it cannot read fails when it is asked for */
	buf_free(&url);
	if (o->unix_path && o->unix_path[0])
		SET(c, CURLOPT_UNIX_SOCKET_PATH, o->unix_path);
}

static void set_options(struct conn *c, const struct conn_order *o)
{
	SET(c, CURLOPT_PRIVATE, c);
	SET(c, CURLOPT_ERRORBUFFER, c->error);
	SET(c, CURLOPT_NOSIGNAL, 1L);
	SET(c, CURLOPT_QUICK_EXIT, 1L);
	SET(c, CURLOPT_PROXY, "");
	SET(c, CURLOPT_NOPROXY, "*");
	SET(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(c, CURLOPT_CONNECT_ONLY, c->websocket ? 2L : 1L);
	SET(c, CURLOPT_FRESH_CONNECT, 1L);
	SET(c, CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(c, CURLOPT_OPENSOCKETDATA, c);
	SET(c, CURLOPT_SSL_ENABLE_ALPN, 0L);
	SET(c, CURLOPT_SSL_SESSIONID_CACHE, 0L);        /* a resumed session shows no certificate */
	SET(c, CURLOPT_SSL_VERIFYPEER, 0L);             /* conn_tls.c looks */
	SET(c, CURLOPT_SSL_VERIFYHOST, 0L);
	SET(c, CURLOPT_CAINFO, NULL);
	SET(c, CURLOPT_CAPATH, NULL);
	SET(c, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	SET(c, CURLOPT_SSL_CTX_DATA, &c->hand);
	if (o->cert_file && o->cert_file[0])
		SET(c, CURLOPT_SSLCERT, o->cert_file);
	if (o->key_file && o->key_file[0])
		SET(c, CURLOPT_SSLKEY, o->key_file);
}

struct conn *conn_open(struct conns *conns, const struct conn_order *o, conn_done_fn *done, void *arg)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->conns = conns;
	c->opened = -1;
	c->curl = curl_easy_init();
	must(c->curl != NULL);
	c->name = xstrdup(o->name && o->name[0] ? o->name : o->host);
	c->check = xstrdup(o->check_name && o->check_name[0] ? o->check_name : c->name);
	c->ca_file = xstrdup(o->ca_file ? o->ca_file : "");
	c->websocket = o->websocket ? xstrdup(o->websocket) : NULL;
	c->send = xmalloc(o->send_len + 1);
	memcpy(c->send, o->send_len ? o->send : "", o->send_len);
	c->send_len = o->send_len;
	c->port = o->port;
	c->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : 1;
	c->read = o->read;
	c->enough = o->enough;
	c->hand = (struct handshake){ .trust = conns->trust, .ca_file = c->ca_file, .name = c->check };
	c->data = BUF_INIT(CONN_READ_MAX);
	c->done = done;
	c->arg = arg;
	c->began = mono_now();
	ev_io_init(&c->io, on_io, 0, 0);
	ev_timer_init(&c->deadline, on_deadline, 0., 0.);
	c->io.data = c->deadline.data = c;
	TAILQ_INSERT_TAIL(&conns->live, c, link);
	set_options(c, o);
	set_address(c, o);
	ev_now_update(conns->loop);
	ev_timer_set(&c->deadline, (double)c->timeout_ms / 1000, 0.);
	ev_timer_start(conns->loop, &c->deadline);
	if (o->unix_path && o->unix_path[0])
		must(glue_add(conns->glue, c->curl));
	else
		look_up(c, o->host);
	return c;
}

struct conns *conns_new(struct ev_loop *loop)
{
	struct conns *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->glue = glue_new(loop, KEPT_MAX, on_connected, s);
	glue_keep_done(s->glue);
	s->trust = trust_new();
	s->names = names_new(loop, NULL);
	TAILQ_INIT(&s->live);
	return s;
}

void conns_free(struct conns **sp)
{
	struct conns *s = *sp;
	struct conn *c;

	if (!s)
		return;
	*sp = NULL;
	while ((c = TAILQ_FIRST(&s->live)))
		conn_cancel(c);
	glue_free(&s->glue, NULL);
	trust_free(&s->trust);
	names_free(&s->names);
	free(s);
}

bool conn_has_websocket(void)
{
	const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);

	for (size_t i = 0; v->protocols[i]; i++)
		if (strcmp(v->protocols[i], "ws") == 0)
			return true;
	return false;
}
