/* SPDX-License-Identifier: MIT
 * stream_tls.c - OpenSSL between two memory buffers: it never sees a descriptor, so it can neither block nor raise SIGPIPE. */
#include "switchd/io/stream_tls.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "switchd/base/text.h"
#include "switchd/io/resolve.h"

#define CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

struct stamp { dev_t dev; ino_t ino; struct timespec mtime; off_t size; };

struct stream_tls {
	char *file[3];                  /* ca, certificate, key */
	struct stamp stamp[3];
	bool any;                       /* certificate of the other side will do */
	SSL_CTX *ctx;                   /* NULL: not made yet, or it failed */
};

struct shake { SSL *ssl; BIO *in, *out; };      /* the BIOs belong to ssl */

struct stream_tls *stream_tls_new(const struct stream_tls_files *f)
{
	struct stream_tls *t = xcalloc(1, sizeof(*t));

	t->file[0] = xstrdup(f->ca_file && f->ca_file[0] ? f->ca_file : CA_BUNDLE);
	t->file[1] = xstrdup(f->cert_file ? f->cert_file : "");
	t->file[2] = xstrdup(f->key_file && f->key_file[0] ? f->key_file : t->file[1]);
	t->any = f->any_certificate;
	return t;
}

void stream_tls_free(struct stream_tls **tp)
{
	struct stream_tls *t = *tp;

	if (!t)
		return;
	*tp = NULL;
	for (int i = 0; i < 3; i++)
		free(t->file[i]);
	SSL_CTX_free(t->ctx);
	free(t);
}

static struct stamp stamp_of(const char *file)
{
	struct stat s;

	if (!file[0] || stat(file, &s) != 0)
		return (struct stamp){ 0 };
	return (struct stamp){ s.st_dev, s.st_ino, s.st_mtim, s.st_size };
}

static bool same(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec;
}

static SSL_CTX *failed(SSL_CTX *ctx, const char *what, const char *file, char *why, size_t size)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	text_format(why, size, "TLS: %s %.100s: %.60s", what, file, reason ? reason : "cannot be used");
	ERR_clear_error();
	SSL_CTX_free(ctx);
	return NULL;
}

static SSL_CTX *make(const struct stream_tls *t, char *why, size_t size)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	must(ctx != NULL);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_verify(ctx, t->any ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (!t->any && SSL_CTX_load_verify_locations(ctx, t->file[0], NULL) != 1)
		return failed(ctx, "ca_file", t->file[0], why, size);
	if (t->file[1][0] && SSL_CTX_use_certificate_chain_file(ctx, t->file[1]) != 1)
		return failed(ctx, "cert_file", t->file[1], why, size);
	if (t->file[1][0] && SSL_CTX_use_PrivateKey_file(ctx, t->file[2], SSL_FILETYPE_PEM) != 1)
		return failed(ctx, "key_file", t->file[2], why, size);
	return ctx;
}

/* The system's bundle takes tens of milliseconds to read: once, not once a connection. */
static SSL_CTX *context(struct stream_tls *t, char *why, size_t size)
{
	bool changed = !t->ctx;

	for (int i = 0; i < 3; i++) {
		struct stamp now = stamp_of(t->file[i]);

		changed |= !same(&now, &t->stamp[i]);
		t->stamp[i] = now;
	}
	if (changed) {
		SSL_CTX_free(t->ctx);
		t->ctx = make(t, why, size);
	}
	return t->ctx;
}

void shake_free(struct shake **kp)
{
	if (*kp) {
		SSL_free((*kp)->ssl);
		free(*kp);
	}
	*kp = NULL;
}

struct shake *shake_new(struct stream_tls *t, const char *name, char *why, size_t size)
{
	SSL_CTX *ctx = context(t, why, size);
	struct shake *k;

	if (!ctx)
		return NULL;
	k = xcalloc(1, sizeof(*k));
	k->ssl = SSL_new(ctx);
	k->in = BIO_new(BIO_s_mem());
	k->out = BIO_new(BIO_s_mem());
	must(k->ssl && k->in && k->out);
	SSL_set_bio(k->ssl, k->in, k->out);
	SSL_set_connect_state(k->ssl);
	/* The name may be one that a stranger told. */
	if (resolve_is_ip(name) ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(k->ssl), name) != 1 :
	    SSL_set1_host(k->ssl, name) != 1 || SSL_set_tlsext_host_name(k->ssl, name) != 1) {
		text_copy(why, size, "TLS: a name that no certificate can have");
		ERR_clear_error();
		shake_free(&k);
	}
	return k;
}

static bool wants_more(struct shake *k, int rc)
{
	int error = SSL_get_error(k->ssl, rc);

	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static bool say_why(struct shake *k, char *why, size_t size)
{
	long verify = SSL_get_verify_result(k->ssl);
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	text_format(why, size, "TLS: %.150s", verify != X509_V_OK ? X509_verify_cert_error_string(verify) : reason ? reason : "connection closed");
	ERR_clear_error();
	return false;
}

bool shake_turn(struct shake *k, const char *came, size_t n, struct buf *plain, struct buf *wire, char *why, size_t size)
{
	char chunk[STREAM_CHUNK];
	bool good = true;
	int rc;

	ERR_clear_error();
	must(n == 0 || BIO_write(k->in, came, (int)n) == (int)n);
	if (!SSL_is_init_finished(k->ssl) && (rc = SSL_do_handshake(k->ssl)) != 1 && !wants_more(k, rc))
		good = say_why(k, why, size);
	while (good && SSL_is_init_finished(k->ssl) && plain->len) {
		int part = plain->len < STREAM_CHUNK ? (int)plain->len : STREAM_CHUNK;

		if ((rc = SSL_write(k->ssl, plain->data, part)) <= 0) {
			good = wants_more(k, rc) || say_why(k, why, size);
			break;
		}
		buf_drop(plain, (size_t)rc);
	}
	while ((rc = BIO_read(k->out, chunk, sizeof(chunk))) > 0)
		if (!buf_add(wire, chunk, (size_t)rc) && good) {
			text_copy(why, size, "TLS: too much waits to be sent");
			good = false;
		}
	return good;
}

long shake_read(struct shake *k, char *out, size_t size, char *why, size_t why_size)
{
	int rc;

	if (!SSL_is_init_finished(k->ssl))
		return 0;
	ERR_clear_error();
	if ((rc = SSL_read(k->ssl, out, (int)size)) > 0)
		return rc;
	if (wants_more(k, rc))
		return 0;
	if (SSL_get_error(k->ssl, rc) == SSL_ERROR_ZERO_RETURN)
		text_copy(why, why_size, "connection closed");
	else
		say_why(k, why, why_size);
	return -1;
}
