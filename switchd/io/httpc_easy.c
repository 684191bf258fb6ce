/* SPDX-License-Identifier: MIT
 * httpc_easy.c - the options and callbacks of one transfer. */
#include "switchd/io/httpc_easy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/tcp.h>  /* glibc's has no tcpi_bytes_received */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switchd/base/clock.h"
#include "switchd/base/text.h"
#include "switchd/io/httpc_glue.h"

/* The system's bundle as one file: see easy_constants() for why not the directory. */
#define CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt"
/* What a handle at rest may keep of its buffers. */
enum { REST_CAP = 16 * 1024 };
/* A body of as many chunks is there to cost time: a byte each would be 262144 of them, and 8 ms of loop. */
enum { PIECES_MAX = 64 * 1024 };
/* Most answers are short, and libcurl takes and gives back so much for each. */
enum { READ_AT_ONCE = 4096 };
/* TCP_SYN_SENT is in the one of the two headers that we cannot include beside the other. */
enum { STATE_SYN_SENT = 2, STATE_CLOSE_WAIT = 8 };     /* with a FIN received, which counts as a byte */

#define SET(e, option, value) must(curl_easy_setopt((e)->curl, (option), (value)) == CURLE_OK)

static const char *or_empty(const char *s) { return s ? s : ""; }

/* One block: a handle that asks another feature each time makes one for every request. */
struct asked *asked_new(const struct httpc_request *r)
{
	const char *const text[] = { r->url, or_empty(r->connect_host), or_empty(r->unix_path), r->method ? r->method : "GET",
				     or_empty(r->ca_file), or_empty(r->cert_file), or_empty(r->key_file) };
	size_t body = r->body ? r->body_len : 0, size = sizeof(struct asked) + r->n_headers * sizeof(char *) + body + 1;
	struct asked *k;

	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		size += strlen(text[i]) + 1;
	for (size_t i = 0; i < r->n_headers; i++)
		size += strlen(r->headers[i]) + 1;
	k = xmalloc(size);
	k->r = *r;

	const char **lines = (const char **)(k + 1);
	const char **const to[] = { &k->r.url, &k->r.connect_host, &k->r.unix_path, &k->r.method, &k->r.ca_file, &k->r.cert_file, &k->r.key_file };
	char *at = (char *)(lines + r->n_headers);

	for (size_t i = 0; i < ARRAY_LEN(text) + r->n_headers; i++) {
		const char *from = i < ARRAY_LEN(text) ? text[i] : r->headers[i - ARRAY_LEN(text)];
		size_t n = strlen(from) + 1;

		*(i < ARRAY_LEN(text) ? to[i] : &lines[i - ARRAY_LEN(text)]) = memcpy(at, from, n);
		at += n;
	}
	if (body)
		memcpy(at, r->body, body);
	at[body] = '\0';
	k->r.body = at;
	k->r.body_len = body;
	k->r.headers = lines;
	return k;
}

void asked_free(struct asked **kp)
{
	free(*kp);
	*kp = NULL;
}

static bool eq(const char *mine, const char *theirs) { return strcmp(mine, or_empty(theirs)) == 0; }

static bool same_headers(const struct httpc_request *a, const struct httpc_request *b)
{
	if (a->n_headers != b->n_headers)
		return false;
	for (size_t i = 0; i < a->n_headers; i++)
		if (strcmp(a->headers[i], b->headers[i]) != 0)
			return false;
	return true;
}

static bool same_body(const struct httpc_request *a, const struct httpc_request *b)
{
	size_t len = b->body ? b->body_len : 0;

	return a->body_len == len && (len == 0 || memcmp(a->body, b->body, len) == 0);
}

static uint64_t mix(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3ULL;
	return h;
}

/* What differs most between the requests of one pool. */
uint64_t easy_key(const struct httpc_request *r)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ r->connect_port ^ (uint64_t)r->fresh << 32;

	return mix(mix(mix(h, r->url), or_empty(r->connect_host)), or_empty(r->method));
}

bool easy_same(const struct easy *e, const struct httpc_request *r)
{
	const struct httpc_request *a = e->asked ? &e->asked->r : NULL;

	return a && a->connect_port == r->connect_port && a->fresh == r->fresh && a->insecure == r->insecure &&
	       a->http2 == r->http2 && a->proxy_protocol == r->proxy_protocol && a->want_cert == r->want_cert && !a->jar && !r->jar &&
	       a->max_redirects == r->max_redirects && eq(a->url, r->url) && eq(a->connect_host, r->connect_host) &&
	       eq(a->unix_path, r->unix_path) && eq(a->method, r->method ? r->method : "GET") && same_body(a, r) &&
	       same_headers(a, r) && eq(a->ca_file, r->ca_file) && eq(a->cert_file, r->cert_file) && eq(a->key_file, r->key_file);
}

/* "HTTP/1.1 200 OK": three digits from 100 to 599, then a space or the end.  libcurl reads
 * "HTTP/1.1 99999" as 999 and "HTTP/1.1 2x0" as no status at all (T15). */
static bool status_line_ok(const char *s, size_t n)
{
	const char *end = s + n, *p = memchr(s, ' ', n);

	if (!p || end - p < 5 || p[1] < '1' || p[1] > '5' || !isdigit((unsigned char)p[2]) || !isdigit((unsigned char)p[3]))
		return false;
	return p[4] == ' ' || p[4] == '\r' || p[4] == '\n';
}

static bool is_word(const char *s, size_t n, const char *word) { return n == strlen(word) && strncasecmp(s, word, n) == 0; }

/* One gzip was asked for. libcurl decodes whatever comes, in up to five layers: 211 bytes of Brotli are 256 MiB, and
 * their window alone is 16 MiB and 25 ms (T8). */
static bool coding_ok(const char *line, size_t n)
{
	bool transfer = n > 18 && strncasecmp(line, "Transfer-Encoding:", 18) == 0;
	const char *p = line, *end = line + n;

	if (!transfer && !(n > 17 && strncasecmp(line, "Content-Encoding:", 17) == 0))
		return true;
	p += transfer ? 18 : 17;
	while (p < end && strchr(" \t", *p))
		p++;
	while (end > p && strchr(" \t\r\n", end[-1]))
		end--;
	n = (size_t)(end - p);
	if (n == 0 || is_word(p, n, "identity"))
		return true;
	return transfer ? is_word(p, n, "chunked") : is_word(p, n, "gzip") || is_word(p, n, "x-gzip");
}

/* A length that is too long for its number libcurl takes for none at all: whatever comes would be the whole answer (T16). */
static bool length_ok(const char *line, size_t n)
{
	const char *p = line + 15, *end = line + n;
	size_t digits = 0;

	if (n <= 15 || strncasecmp(line, "Content-Length:", 15) != 0)
		return true;
	while (p < end && (strchr(" \t", *p) || *p == '0'))
		p++;
	while (p + digits < end && isdigit((unsigned char)p[digits]))
		digits++;
	return digits <= 18;
}

/* Only while libcurl holds the connection can it be asked for, so on the first line of the answer. */
static void take_certificate(struct easy *e)
{
	struct curl_tlssessioninfo *info = NULL;

	if (!e->asked->r.want_cert || !e->tls || curl_easy_getinfo(e->curl, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info ||
	    info->backend != CURLSSLBACKEND_OPENSSL)
		return;
	if (!e->cert)
		e->cert = xcalloc(1, sizeof(*e->cert));
	e->has_cert = certificate_of_session(info->internals, e->cert);
}

static size_t on_head(char *data, size_t size, size_t n, void *arg)
{
	struct easy *e = arg;

	n *= size;
	e->head_seen += n;
	if (e->head_seen > HTTPC_HEAD_MAX) {
		e->stopped = STOP_HEAD;
		return 0;
	}
	if ((e->head_ended || !e->head.len) && n >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		if (!status_line_ok(data, n)) {
			e->stopped = STOP_STATUS_LINE;
			return 0;
		}
		buf_clear(&e->head); /* the block before it was a 1xx or a redirect */
		e->head_ended = false;
		take_certificate(e);
	} else if (e->head_ended) { /* a trailer; libcurl marks those of HTTP/2 as headers */
		if (n > 2)
			buf_add(&e->trailers, data, n);
		return n;
	}
	if (!coding_ok(data, n) || !length_ok(data, n)) {
		e->stopped = coding_ok(data, n) ? STOP_LENGTH : STOP_CODING;
		return 0;
	}
	buf_add(&e->head, data, n);
	if (n <= 2 && (data[0] == '\r' || data[0] == '\n'))
		e->head_ended = true;
	return n;
}

/* The cap is counted here, after decoding: MAXFILESIZE of libcurl before 8.4 lets chunked
 * and compressed bodies of any size through (trap 4, T6-T8). */
static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct easy *e = arg;
	size_t room = e->body.max - e->body.len;

	n *= size;
	if (++e->pieces > PIECES_MAX) {
		e->stopped = STOP_PIECES;
		return 0;
	}
	if (n > room) {
		buf_add(&e->body, data, room); /* what fits is still evidence */
		e->stopped = STOP_BODY;
		return 0;
	}
	buf_add(&e->body, data, n);
	return n;
}

/* Names are looked up before (names.h): one that comes this far, by whatever way, is not to be connected to. */
static int may_resolve(void *state, void *reserved, void *arg)
{
	struct easy *e = arg;

	(void)state, (void)reserved;
	e->refused_to_resolve = !e->numeric;
	return e->refused_to_resolve;
}

/* The address that we chose, and no other, whatever the URL or a redirect says. */
static bool is_asked(const struct easy *e, const struct curl_sockaddr *a)
{
	const char *host = e->asked->r.connect_host;

	if (a->family == AF_UNIX || !host[0]) /* a URL with an address in it, asked as it is */
		return true;
	return glue_address_is(host, a);
}

/* Not left to libcurl: its sockets are inherited by the children we start, it does not say
 * that descriptors ran out, and nobody else tells a request that was sent from one that was
 * sent on a dead connection and now waits for a new one. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct easy *e = arg;

	(void)purpose;
	if (!is_asked(e, a)) {
		e->refused_to_resolve = true;
		return CURL_SOCKET_BAD;
	}
	e->fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	e->socket_errno = e->fd < 0 ? errno : 0;
	for (size_t i = 0; i < CLOSED_RING; i++) /* the number is taken again: what was said of it is of another */
		if (e->pool->closed[i].fd == e->fd)
			e->pool->closed[i].fd = -1;
	curl_easy_getinfo(e->curl, CURLINFO_REQUEST_SIZE, &e->sent_before);
	return e->fd < 0 ? CURL_SOCKET_BAD : e->fd;
}

static int on_close(void *arg, curl_socket_t fd)
{
	struct easy_pool *p = arg;
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	size_t i = p->n_closed++ % CLOSED_RING;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
		p->closed[i] = (struct closed){ fd, info.tcpi_state != STATE_SYN_SENT,
						info.tcpi_bytes_received > (info.tcpi_state == STATE_CLOSE_WAIT) };
	else
		p->closed[i] = (struct closed){ .fd = -1 };
	return close(fd);
}

/* What never changes is said once. */
static void easy_constants(struct easy *e)
{
	SET(e, CURLOPT_NOSIGNAL, 1L);
	SET(e, CURLOPT_QUICK_EXIT, 1L);         /* never join a resolver thread (trap 3) */
	SET(e, CURLOPT_PROXY, "");              /* else http_proxy of the environment is obeyed (trap 5) */
	SET(e, CURLOPT_NOPROXY, "*");
	SET(e, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	SET(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(e, CURLOPT_HTTP09_ALLOWED, 0L);
	SET(e, CURLOPT_ACCEPT_ENCODING, "gzip"); /* what every server has; each further name costs every request */
	SET(e, CURLOPT_CAPATH, NULL);           /* Debian's default directory turns the CA cache off: 49 ms of loop (trap 2) */
	SET(e, CURLOPT_BUFFERSIZE, (long)READ_AT_ONCE);
	SET(e, CURLOPT_ERRORBUFFER, e->error);
	SET(e, CURLOPT_HEADERFUNCTION, on_head);
	SET(e, CURLOPT_HEADERDATA, e);
	SET(e, CURLOPT_WRITEFUNCTION, on_body);
	SET(e, CURLOPT_WRITEDATA, e);
	SET(e, CURLOPT_RESOLVER_START_FUNCTION, may_resolve);
	SET(e, CURLOPT_RESOLVER_START_DATA, e);
	SET(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(e, CURLOPT_OPENSOCKETDATA, e);
	SET(e, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET(e, CURLOPT_CLOSESOCKETDATA, e->pool);       /* a connection outlives the handle that opened it */
}

void easy_open(struct easy *e, struct easy_pool *pool)
{
	e->curl = curl_easy_init();
	must(e->curl != NULL);
	e->pool = pool;
	buf_init(&e->head, HTTPC_HEAD_MAX);
	buf_init(&e->body, HTTPC_BODY_MAX);
	buf_init(&e->trailers, HTTPC_HEAD_MAX);
	easy_constants(e);
}

void easy_close(struct easy *e)
{
	curl_easy_cleanup(e->curl);
	curl_slist_free_all(e->headers);
	curl_slist_free_all(e->connect_to);
	buf_free(&e->head);
	buf_free(&e->body);
	buf_free(&e->trailers);
	free(e->cert);
	asked_free(&e->asked);
}

static void set_target(struct easy *e, const struct httpc_request *r)
{
	char line[512];
	struct curl_slist *fresh = NULL;

	if (r->connect_host[0]) {
		/* The empty host and port match whatever the URL says, so that a redirect stays on the slot;
		 * unlike RESOLVE it is part of what connections are told apart by (trap 1). */
		bool v6 = strchr(r->connect_host, ':') != NULL;

		must(TEXT_FORMAT(line, v6 ? "::[%s]:%u" : "::%s:%u", r->connect_host, r->connect_port));
		fresh = curl_slist_append(NULL, line);
		must(fresh != NULL);
	}
	SET(e, CURLOPT_CONNECT_TO, fresh);
	curl_slist_free_all(e->connect_to);
	e->connect_to = fresh;
	SET(e, CURLOPT_UNIX_SOCKET_PATH, r->unix_path[0] ? r->unix_path : NULL);
}

static void set_headers(struct easy *e, const struct httpc_request *r)
{
	struct curl_slist *fresh = NULL;

	if (r->body_len) { /* no wait for "100 Continue" */
		fresh = curl_slist_append(NULL, "Expect:");
		must(fresh != NULL);
	}
	for (size_t i = 0; i < r->n_headers; i++) {
		struct curl_slist *more = curl_slist_append(fresh, r->headers[i]);

		must(more != NULL);
		fresh = more;
	}
	SET(e, CURLOPT_HTTPHEADER, fresh);
	curl_slist_free_all(e->headers);
	e->headers = fresh;
}

static bool safe_method(const char *m) { return strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0; }

static void set_method(struct easy *e, const struct httpc_request *r)
{
	bool head = strcmp(r->method, "HEAD") == 0, get = strcmp(r->method, "GET") == 0;
	bool post = r->body_len || (!safe_method(r->method) && strcmp(r->method, "DELETE") != 0 && strcmp(r->method, "OPTIONS") != 0);

	SET(e, CURLOPT_HTTPGET, 1L); /* leaves what an earlier method set */
	SET(e, CURLOPT_CUSTOMREQUEST, NULL);
	if (head && !post) {
		SET(e, CURLOPT_NOBODY, 1L);
		return;
	}
	if (post) {
		SET(e, CURLOPT_POST, 1L);
		SET(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
		SET(e, CURLOPT_POSTFIELDS, r->body); /* the asked copy: lives as long as the options do */
	}
	if (!get || post)
		SET(e, CURLOPT_CUSTOMREQUEST, r->method);
}

/* One request on a connection at a time, with HTTP/2 too: a dead stream and a dead target would look alike. */
static void set_version(struct easy *e, const struct httpc_request *r)
{
	SET(e, CURLOPT_HTTP_VERSION, !r->http2 ? (long)CURL_HTTP_VERSION_1_1 :
				     e->tls ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
}

static void set_tls(struct easy *e, const struct httpc_request *r)
{
	SET(e, CURLOPT_CAINFO, r->ca_file[0] ? r->ca_file : CA_BUNDLE);
	SET(e, CURLOPT_SSLCERT, r->cert_file[0] ? r->cert_file : NULL);
	SET(e, CURLOPT_SSLKEY, r->key_file[0] ? r->key_file : NULL);
	SET(e, CURLOPT_SSL_VERIFYPEER, r->insecure ? 0L : 1L);
	SET(e, CURLOPT_SSL_VERIFYHOST, r->insecure ? 0L : 2L);
}

static bool is_address(const char *host, size_t n)
{
	char text[64];
	unsigned char bin[16];

	if (n && host[0] == '[')
		return true;
	return text_copy_n(text, sizeof(text), host, n) && (inet_pton(AF_INET, text, bin) == 1 || inet_pton(AF_INET6, text, bin) == 1);
}

bool easy_is_address(const char *host) { return is_address(host, strlen(host)); }

static bool no_name(const struct httpc_request *r)
{
	if (r->unix_path[0])
		return true;
	if (r->connect_host[0])
		return is_address(r->connect_host, strlen(r->connect_host));
	const char *host = strstr(r->url, "://");

	host = host ? host + 3 : r->url;
	return is_address(host, strcspn(host, ":/?#"));
}

/* libcurl 7.88 loses track of a kept HTTP/2 connection without TLS when another handle takes it over. */
static bool keeps_h2c(void) { return curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000; }

void easy_prepare(struct easy *e, const struct httpc_request *r, int64_t timeout_ms)
{
	int64_t connect_ms = r->connect_timeout_ms > 0 && r->connect_timeout_ms < timeout_ms ? r->connect_timeout_ms : timeout_ms;

	if (!easy_same(e, r)) {
		struct asked *old = e->asked, *k = asked_new(r);
		const struct httpc_request *a = &k->r, *o = old ? &old->r : NULL;
		/* A write is never sent on a kept connection: libcurl sends a request again by itself when
		 * such a connection turns out dead, and nobody can know whether the first was executed. */
		long alone = a->fresh || !safe_method(a->method) || (a->http2 && !e->tls && !keeps_h2c());

		bool was_tls = e->tls;

		e->asked = k;
		e->key = easy_key(r);
		e->tls = strncasecmp(a->url, "https:", 6) == 0;
		e->numeric = no_name(a);
		if (!o || !eq(o->url, a->url))
			SET(e, CURLOPT_URL, a->url);
		if (!o || !eq(o->connect_host, a->connect_host) || o->connect_port != a->connect_port || !eq(o->unix_path, a->unix_path))
			set_target(e, a);
		if (!o || !same_headers(o, a) || o->body_len != a->body_len)
			set_headers(e, a);
		if (!o || !eq(o->method, a->method) || o->body_len || a->body_len)
			set_method(e, a);
		if (!o || !eq(o->ca_file, a->ca_file) || !eq(o->cert_file, a->cert_file) || !eq(o->key_file, a->key_file) ||
		    o->insecure != a->insecure)
			set_tls(e, a);
		if (!o || o->http2 != a->http2 || e->tls != was_tls)
			set_version(e, a);
		if (!o || o->proxy_protocol != a->proxy_protocol)
			SET(e, CURLOPT_HAPROXYPROTOCOL, (long)a->proxy_protocol);
		SET(e, CURLOPT_FRESH_CONNECT, alone);
		SET(e, CURLOPT_FORBID_REUSE, alone);
		asked_free(&old);
	}
	if (e->timeout_ms != timeout_ms)
		SET(e, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	if (e->connect_ms != connect_ms)
		SET(e, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	e->timeout_ms = timeout_ms;
	e->connect_ms = connect_ms;
	if (r->jar)
		jar_enter(r->jar, e->curl);
	buf_clear(&e->head);
	buf_clear(&e->body);
	buf_clear(&e->trailers);
	e->has_cert = false;
	e->body.max = r->body_max ? r->body_max : HTTPC_BODY_MAX;
	e->head_seen = 0;
	e->head_ended = false;
	e->stopped = STOP_NOT;
	e->pieces = 0;
	e->refused_to_resolve = false;
	e->fd = -1;
	e->socket_errno = 0;
	e->sent_before = 0;
	e->error[0] = '\0';
}

void easy_leave(struct easy *e)
{
	struct httpc_jar *jar = e->asked->r.jar;

	if (!jar)
		return;
	if (!e->tls) {
		char host[256];
		const char *p = strstr(e->asked->r.url, "://");

		p = p ? p + 3 : e->asked->r.url;
		if (text_copy_n(host, sizeof(host), p, strcspn(p, ":/?#")))
			jar_keep_secure(e->curl, buf_str(&e->head), e->head.len, host);
	}
	jar_leave(jar, e->curl);
	e->asked->r.jar = NULL;
}

void easy_rest(struct easy *e)
{
	if (e->trailers.cap > REST_CAP)
		buf_free(&e->trailers);
	if (e->head.cap > REST_CAP)
		buf_free(&e->head);
	if (e->body.cap > REST_CAP)
		buf_free(&e->body);
}
