/* SPDX-License-Identifier: MIT
 * httpc_reply.c - how one transfer ended, exactly: before or after which byte, and whose doing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "switchd/base/text.h"
#include "switchd/io/httpc_easy.h"

static curl_off_t measure(const struct easy *e, CURLINFO what)
{
	curl_off_t v = 0;

	return curl_easy_getinfo(e->curl, what, &v) == CURLE_OK ? v : 0;
}

static long number(const struct easy *e, CURLINFO what)
{
	long v = 0;

	return curl_easy_getinfo(e->curl, what, &v) == CURLE_OK ? v : 0;
}

/* What the kernel said when the socket that this request opened last was closed; NULL when it was not. */
static const struct closed *last_closed(const struct easy *e)
{
	for (size_t i = 0; i < CLOSED_RING; i++)
		if (e->fd >= 0 && e->pool->closed[i].fd == e->fd)
			return &e->pool->closed[i];
	return NULL;
}

/* libcurl shows whole lines of a head only: a connection that dies within the status line
 * looks to it like one that never answered. The kernel knows better, without TLS. */
static bool some_bytes_came(const struct easy *e)
{
	const struct closed *c = last_closed(e);

	return c && !e->tls && c->received;
}

/* Within a TLS handshake libcurl 7.88 still says that nothing was connected. */
static bool was_connected(const struct easy *e)
{
	const struct closed *c = last_closed(e);

	return c ? c->connected : measure(e, CURLINFO_CONNECT_TIME_T) > 0;
}

static bool mentions(const struct easy *e, const char *word) { return strcasestr(e->error, word) != NULL; }

static enum httpc_result timed_out(struct easy *e)
{
	if (e->head_seen)
		return H_TIMEOUT_SENT;
	/* 8.14 notices that no HTTP/2 is spoken, and waits on. */
	if (mentions(e, "SETTINGS frame"))
		return H_PROTOCOL;
	if (number(e, CURLINFO_REQUEST_SIZE) > e->sent_before)
		return measure(e, CURLINFO_SIZE_UPLOAD_T) >= (curl_off_t)e->asked->r.body_len ? H_TIMEOUT_SENT : H_TIMEOUT_SENDING;
	if (!was_connected(e))
		return H_TIMEOUT_CONNECT;
	if (e->tls && measure(e, CURLINFO_APPCONNECT_TIME_T) == 0)
		return H_TLS;
	return H_TIMEOUT_SENDING;
}

static enum httpc_result not_connected(int os)
{
	switch (os) {
	case ECONNREFUSED:
	case ENOENT: /* of a unix socket */
		return H_REFUSED;
	case ECONNRESET:
		return H_RESET;
	case ETIMEDOUT:
		return H_TIMEOUT_CONNECT;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EADDRNOTAVAIL: /* our own ports are used up */
	case EAGAIN:
		return H_LIMIT;
	default: /* ENETUNREACH, EHOSTUNREACH, EACCES (a firewall here), EINVAL... */
		return H_NO_ROUTE;
	}
}

/* The connection died: before or after the first byte of an answer? */
static enum httpc_result died(const struct easy *e, int os)
{
	if (e->head_seen || some_bytes_came(e))
		return H_CUT;
	return os == ECONNRESET || os == EPIPE ? H_RESET : H_CLOSED;
}

static enum httpc_result stopped_by_us(const struct easy *e)
{
	return e->stopped == STOP_BODY || e->stopped == STOP_HEAD || e->stopped == STOP_PIECES ? H_TOO_LARGE : H_PROTOCOL;
}

static enum httpc_result classify(struct easy *e, CURLcode code)
{
	int os = (int)number(e, CURLINFO_OS_ERRNO);

	if (e->stopped)
		return stopped_by_us(e);
	if (e->refused_to_resolve)
		return H_DNS;
	if (code == CURLE_COULDNT_CONNECT && e->socket_errno)
		return H_LIMIT;
	switch ((int)code) {
	case CURLE_OK:
		if (!e->head.len)
			return H_PROTOCOL;
		return e->head_ended ? H_OK : H_CUT; /* libcurl takes half a head for an answer */
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return H_DNS;
	case CURLE_COULDNT_CONNECT:
		return not_connected(os);
	case CURLE_OPERATION_TIMEDOUT:
		return timed_out(e);
	case CURLE_GOT_NOTHING: /* an errno there is of an earlier connection */
		return died(e, 0);
	case CURLE_SEND_ERROR:
		return died(e, os);
	case CURLE_RECV_ERROR: /* also what libcurl calls a chunk header that is none */
		return e->head_seen && mentions(e, "chunk") ? H_PROTOCOL : died(e, os);
	case CURLE_PARTIAL_FILE:
		return H_CUT;
	case CURLE_SSL_CONNECT_ERROR:
		/* No TLS was spoken: the connection ended, and that is the target's state, not its certificate's. */
		if (os == ECONNRESET || mentions(e, "reset by peer"))
			return H_RESET;
		return mentions(e, "SSL_ERROR_SYSCALL") || mentions(e, "unexpected eof") ? H_CLOSED : H_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CLIENTCERT:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
		return H_TLS;
	case CURLE_HTTP2_STREAM: /* the stream was reset, the connection may live */
		return e->head_seen ? H_CUT : H_RESET;
	case CURLE_HTTP2: /* frames that are none: the other side may not speak it at all */
		return e->head_seen ? H_CUT : H_PROTOCOL;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
		return H_PROTOCOL;
	case CURLE_OUT_OF_MEMORY: /* 7.88 says this of one header line over 100 kB */
	case 100: /* CURLE_TOO_LARGE, from 8.6 on */
		return H_TOO_LARGE;
	case CURLE_URL_MALFORMAT:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_FUNCTION_ARGUMENT: /* it says this of a header that begins with a fold: ours are good */
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_WRITE_ERROR:
		return H_PROTOCOL;
	default:
		return H_LIMIT;
	}
}

static const char *sentence(struct easy *e, enum httpc_result result, CURLcode code)
{
	switch (result) {
	case H_OK:
		return "";
	case H_TOO_LARGE:
		if (e->stopped == STOP_PIECES)
			return "the body comes in more than 65536 chunks";
		return e->stopped == STOP_BODY ? "the body is larger than 256 KiB" : "the headers are larger than 64 KiB";
	case H_CUT:
		if (code == CURLE_OK)
			return "the connection ended within the headers";
		break;
	case H_DNS:
		if (e->refused_to_resolve)
			return "the address is not the one that was looked up";
		break;
	case H_PROTOCOL:
		if (e->stopped == STOP_STATUS_LINE)
			return "the status line is not valid HTTP";
		if (e->stopped == STOP_LENGTH)
			return "the Content-Length is not valid HTTP";
		if (e->stopped == STOP_CODING)
			return "the answer is encoded in a way that was not asked for";
		break;
	default:
		break;
	}
	return e->error[0] ? e->error : curl_easy_strerror(code);
}

static void copy_info(const struct easy *e, CURLINFO what, char *out, size_t size)
{
	char *s = NULL;

	out[0] = '\0';
	if (curl_easy_getinfo(e->curl, what, &s) == CURLE_OK && s)
		text_copy(out, size, s);
}

void easy_reply(struct easy *e, CURLcode code, struct httpc_reply *r)
{
	*r = (struct httpc_reply){ .result = classify(e, code) };
	r->error = sentence(e, r->result, code);
	r->status = number(e, CURLINFO_RESPONSE_CODE);
	r->head = buf_str(&e->head);
	r->head_len = e->head.len;
	r->body = buf_str(&e->body);
	r->body_len = e->body.len;
	r->trailers = buf_str(&e->trailers);
	r->trailers_len = e->trailers.len;
	r->url = e->asked->r.url;
	r->cert = e->has_cert ? e->cert : NULL;
	r->total_us = measure(e, CURLINFO_TOTAL_TIME_T);
	r->connect_us = measure(e, CURLINFO_CONNECT_TIME_T);
	r->first_byte_us = measure(e, CURLINFO_STARTTRANSFER_TIME_T);
	r->reused = number(e, CURLINFO_NUM_CONNECTS) == 0;
	copy_info(e, CURLINFO_CONTENT_TYPE, e->content_type, sizeof(e->content_type));
	copy_info(e, CURLINFO_REDIRECT_URL, e->location, sizeof(e->location));
	copy_info(e, CURLINFO_PRIMARY_IP, e->ip, sizeof(e->ip));
	r->content_type = e->content_type;
	r->location = e->location;
	r->ip = e->ip;
}
