/* SPDX-License-Identifier: MIT
 * prove_wire.c - what says something else than the feature would, below or beside HTTP/1.1.
 *
 * Whoever connects is this process: what it sends is small and well-formed, so that answers are written at
 * once and a peer that sends more than it should is hung up on. */
#include "probes/prove/prove_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switchd/base/buf.h"
#include "switchd/base/text.h"

enum { HEARD_MAX = 64 * 1024, BACKLOG = 64, CERT_DAYS = 3650 };
#define SILENT_S .2     /* a client that waits to be greeted is hung up on after this */

struct talk {
	TAILQ_ENTRY(talk) link;
	struct wire_stub *stub;
	int fd;
	bool greeted, over;             /* over: all was said */
	struct buf heard;
	SSL *ssl;
	ev_io io;
	ev_timer silence;
};

struct wire_stub {
	struct ev_loop *loop;
	enum stub which;
	int fd;
	uint16_t port;
	ev_io io;
	SSL_CTX *tls;
	TAILQ_HEAD(, talk) live;
};

static void say(struct talk *t, const void *data, size_t n)
{
	if (send(t->fd, data, n, MSG_NOSIGNAL) != (ssize_t)n)
		t->over = true; /* gone, and its end comes as an event */
}

static void hang_up(struct talk *t)
{
	t->over = true;
	shutdown(t->fd, SHUT_WR);
}

static void talk_end(struct talk *t)
{
	TAILQ_REMOVE(&t->stub->live, t, link);
	ev_io_stop(t->stub->loop, &t->io);
	ev_timer_stop(t->stub->loop, &t->silence);
	SSL_free(t->ssl);
	close(t->fd);
	buf_free(&t->heard);
	free(t);
}

/* ---- gRPC: HTTP/2 by hand (RFC 9113), header fields as literals that nobody indexes (RFC 7541 6.2.2) ---- */

enum { H2_DATA = 0, H2_HEADERS = 1, H2_SETTINGS = 4, H2_PING = 6, H2_PREFACE = 24, H2_HEAD = 9 };
enum { H2_END_STREAM = 1, H2_ACK = 1, H2_END_HEADERS = 4, H2_STATUS_200 = 0x88 };

static void h2_say(struct talk *t, int type, int flags, const unsigned char *stream, const void *data, size_t n)
{
	unsigned char frame[H2_HEAD + 256] = { (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n, (unsigned char)type, (unsigned char)flags };

	must(n <= sizeof(frame) - H2_HEAD);
	memcpy(frame + 5, stream, 4);
	memcpy(frame + H2_HEAD, data, n);
	say(t, frame, H2_HEAD + n);
}

static void h2_field(struct buf *b, const char *name, const char *value)
{
	const char n[2] = { 0, (char)strlen(name) }, v = (char)strlen(value);

	buf_add(b, n, 2);
	buf_adds(b, name);
	buf_add(b, &v, 1);
	buf_adds(b, value);
}

static void h2_answer(struct talk *t, const unsigned char *stream)
{
	static const char not_serving[] = { 0, 0, 0, 0, 2, 8, 2 }, page[] = "<!doctype html><title>App</title>", ok = (char)H2_STATUS_200;
	const bool not_grpc = t->stub->which == STUB_NOT_GRPC, missing = t->stub->which == STUB_UNIMPLEMENTED;
	struct buf head = BUF_INIT(256), tail = BUF_INIT(256);

	buf_add(&head, &ok, 1);
	h2_field(&head, "content-type", not_grpc ? "text/html" : "application/grpc");
	h2_field(missing ? &head : &tail, "grpc-status", missing ? "12" : "0");
	h2_say(t, H2_HEADERS, H2_END_HEADERS | (missing ? H2_END_STREAM : 0), stream, head.data, head.len);
	if (not_grpc) {
		h2_say(t, H2_DATA, H2_END_STREAM, stream, page, strlen(page));
	} else if (!missing) {
		h2_say(t, H2_DATA, 0, stream, not_serving, sizeof(not_serving));
		h2_say(t, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, stream, tail.data, tail.len);
	}
	buf_free(&head);
	buf_free(&tail);
}

/* How much of what was heard is done with. */
static size_t h2_hear(struct talk *t)
{
	static const unsigned char all[4];
	size_t at = 0;

	if (!t->greeted) {
		if (t->heard.len < H2_PREFACE)
			return 0;
		t->greeted = true;
		at = H2_PREFACE;
		h2_say(t, H2_SETTINGS, 0, all, "", 0);
	}
	while (t->heard.len - at >= H2_HEAD) {
		const unsigned char *f = (const unsigned char *)t->heard.data + at;
		size_t n = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];

		if (t->heard.len - at - H2_HEAD < n)
			break;
		if (f[3] == H2_SETTINGS && !(f[4] & H2_ACK))
			h2_say(t, H2_SETTINGS, H2_ACK, all, "", 0);
		else if (f[3] == H2_PING && !(f[4] & H2_ACK) && n == 8)
			h2_say(t, H2_PING, H2_ACK, all, f + H2_HEAD, n);
		else if ((f[3] == H2_DATA || f[3] == H2_HEADERS) && f[4] & H2_END_STREAM)
			h2_answer(t, f + 5);
		at += H2_HEAD + n;
	}
	return at;
}

/* ---- a WebSocket that upgrades, and then says that something is wrong (RFC 6455) ---- */

static void websocket_hear(struct talk *t)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", error[] = "{\"error\":\"internal error\"}";
	const char *key = strcasestr(buf_str(&t->heard), "\r\nSec-WebSocket-Key:");
	unsigned char hash[EVP_MAX_MD_SIZE], accept[2 * EVP_MAX_MD_SIZE], frame[2 + sizeof(error)] = { 0x81, sizeof(error) - 1 };
	unsigned n = 0;
	char text[256];

	if (t->over || !key || !strstr(buf_str(&t->heard), "\r\n\r\n"))
		return;
	t->over = true;
	key += strlen("\r\nSec-WebSocket-Key:");
	key += strspn(key, " ");
	if (!TEXT_FORMAT(text, "%.*s%s", (int)strcspn(key, " \r\n"), key, guid) || !EVP_Digest(text, strlen(text), hash, &n, EVP_sha1(), NULL))
		return;
	EVP_EncodeBlock(accept, hash, (int)n);
	TEXT_FORMAT(text, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		    (char *)accept);
	say(t, text, strlen(text));
	memcpy(frame + 2, error, sizeof(error) - 1);
	say(t, frame, 2 + sizeof(error) - 1);
	hang_up(t); /* that was all: a probe that wants another message need not wait for it */
}

/* ---- a certificate that nobody signed ---- */

static SSL_CTX *self_signed(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;
	bool ok = key && name && ctx && X509_set_version(cert, 2) && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
		  X509_gmtime_adj(X509_getm_notBefore(cert), -3600) && X509_time_adj_ex(X509_getm_notAfter(cert), CERT_DAYS, 0, NULL) &&
		  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"self-signed.invalid", -1, -1, 0) &&
		  X509_set_issuer_name(cert, name) && X509_set_pubkey(cert, key) && X509_sign(cert, key, EVP_sha256()) &&
		  SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1;

	X509_free(cert);
	EVP_PKEY_free(key);
	if (!ok) {
		SSL_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

/* The handshake alone: whoever asks for a certificate has it then. */
static void tls_hear(struct talk *t)
{
	char out[16 * 1024];
	int n;

	if (!t->ssl) {
		t->ssl = SSL_new(t->stub->tls);
		must(t->ssl != NULL);
		SSL_set_bio(t->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	}
	BIO_write(SSL_get_rbio(t->ssl), t->heard.data, (int)t->heard.len);
	(void)SSL_accept(t->ssl);
	while ((n = BIO_read(SSL_get_wbio(t->ssl), out, sizeof(out))) > 0)
		say(t, out, (size_t)n);
}

/* ---- listening ---- */

static void hear(struct talk *t)
{
	size_t done = t->heard.len;

	switch (t->stub->which) {
	case STUB_UNIMPLEMENTED:
	case STUB_NOT_SERVING:
	case STUB_NOT_GRPC:
		done = h2_hear(t);
		break;
	case STUB_WEBSOCKET:
		websocket_hear(t);
		done = t->over ? t->heard.len : 0;
		break;
	case STUB_SELF_SIGNED:
		tls_hear(t);
		break;
	default:
		hang_up(t);
	}
	t->heard.len -= done;
	memmove(t->heard.data, t->heard.data + done, t->heard.len);
}

static void on_bytes(EV_P_ ev_io *io, int revents)
{
	struct talk *t = io->data;
	char data[4096];
	ssize_t n = recv(t->fd, data, sizeof(data), 0);

	(void)loop, (void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || (size_t)n > t->heard.max - t->heard.len) {
		talk_end(t);
		return;
	}
	buf_add(&t->heard, data, (size_t)n);
	hear(t);
}

static void on_silence(EV_P_ ev_timer *timer, int revents)
{
	(void)loop, (void)revents;
	hang_up(timer->data);
}

static void on_connection(EV_P_ ev_io *io, int revents)
{
	static const char error[] = "-ERR internal error, try again later\r\n";
	struct wire_stub *s = io->data;
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)loop, (void)revents;
	if (fd < 0)
		return;
	struct talk *t = xcalloc(1, sizeof(*t));

	t->stub = s;
	t->fd = fd;
	t->heard = BUF_INIT(HEARD_MAX);
	TAILQ_INSERT_TAIL(&s->live, t, link);
	ev_io_init(&t->io, on_bytes, fd, EV_READ);
	ev_timer_init(&t->silence, on_silence, SILENT_S, 0.);
	t->io.data = t->silence.data = t;
	ev_io_start(s->loop, &t->io);
	if (s->which == STUB_SILENT) {
		ev_timer_start(s->loop, &t->silence);
	} else if (s->which == STUB_ERROR_LINE) {
		say(t, error, strlen(error));
		hang_up(t);
	}
}

struct wire_stub *wire_stub_new(struct ev_loop *loop, enum stub which, char *error, size_t size)
{
	struct wire_stub *s = xcalloc(1, sizeof(*s));
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	s->loop = loop;
	s->which = which;
	TAILQ_INIT(&s->live);
	ev_io_init(&s->io, on_connection, 0, 0);
	s->io.data = s;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(s->fd, BACKLOG) != 0 ||
	    getsockname(s->fd, (struct sockaddr *)&at, &len) != 0) {
		text_format(error, size, "a stub cannot listen on 127.0.0.1: %s", strerror(errno));
		wire_stub_free(&s);
		return NULL;
	}
	s->port = ntohs(at.sin_port);
	s->tls = which == STUB_SELF_SIGNED ? self_signed() : NULL;
	if (which == STUB_SELF_SIGNED && !s->tls) {
		text_format(error, size, "a certificate for a stub cannot be made");
		wire_stub_free(&s);
		return NULL;
	}
	ev_io_set(&s->io, s->fd, EV_READ);
	ev_io_start(loop, &s->io);
	return s;
}

void wire_stub_free(struct wire_stub **sp)
{
	struct wire_stub *s = *sp;
	struct talk *t;

	if (!s)
		return;
	*sp = NULL;
	while ((t = TAILQ_FIRST(&s->live)))
		talk_end(t);
	ev_io_stop(s->loop, &s->io);
	if (s->fd >= 0)
		close(s->fd);
	SSL_CTX_free(s->tls);
	free(s);
}

uint16_t wire_stub_port(const struct wire_stub *s) { return s->port; }
