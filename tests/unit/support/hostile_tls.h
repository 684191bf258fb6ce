/* SPDX-License-Identifier: MIT
 * hostile_tls.h - TLS servers with a fault each: certificates that should not pass, old versions, handshakes that stall.
 *
 * Keys and certificates are made here, in memory; only the CA that vouches for them is written to a file. One forked child
 * serves one flavour on a port of its own, a thread per connection. */
#ifndef TESTS_UNIT_SUPPORT_HOSTILE_TLS_H
#define TESTS_UNIT_SUPPORT_HOSTILE_TLS_H

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tests/unit/support/hostile.h"

enum tls_flavour {
	TLS_GOOD,               /* so that the others fail for their own reason */
	TLS_EXPIRED, TLS_NOT_YET, TLS_SELF_SIGNED, TLS_OTHER_NAME, TLS_OTHER_CA, TLS_OLD,
	TLS_STALL,              /* takes the client's hello and says nothing */
	TLS_STALL_HALF,         /* says a whole record's head, and then nothing */
	TLS_CLOSE, TLS_RESET,   /* on the client's hello */
	TLS_GARBAGE, TLS_ALERT,
	TLS_FLOOD,              /* a good handshake, then an answer without end */
	N_TLS_FLAVOURS
};

struct hostile_tls { pid_t pid[N_TLS_FLAVOURS]; uint16_t port[N_TLS_FLAVOURS]; char dir[64], ca[96]; };

static inline EVP_PKEY *tls_key(void)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");

	if (!k)
		abort();
	return k;
}

/* Valid from `from` to `to` days from now; signer NULL: by itself. */
static inline X509 *tls_certificate(EVP_PKEY *key, const char *name, X509 *signer, EVP_PKEY *signer_key, int from, int to)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	X509V3_CTX ctx;
	char text[128];

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 4711 + from + to);
	X509_gmtime_adj(X509_getm_notBefore(x), from * 86400L);
	X509_gmtime_adj(X509_getm_notAfter(x), to * 86400L);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, signer ? X509_get_subject_name(signer) : subject);
	X509_set_pubkey(x, key);
	X509V3_set_ctx(&ctx, signer ? signer : x, x, NULL, NULL, 0);
	snprintf(text, sizeof(text), "DNS:%s", name);
	X509_EXTENSION *e = strstr(name, "ca") == name ? X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints, "critical,CA:TRUE")
						       : X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, text);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	if (!X509_sign(x, signer_key ? signer_key : key, EVP_sha256()))
		abort();
	return x;
}

struct tls_connection { int fd; enum tls_flavour flavour; SSL_CTX *ctx; };

static inline void tls_talk(struct tls_connection *c)
{
	SSL *ssl = SSL_new(c->ctx);
	char request[4096];

	SSL_set_fd(ssl, c->fd);
	if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof(request)) > 0) {
		static const char good[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
		static const char endless[] = "HTTP/1.1 200 OK\r\n\r\n";
		static char filler[16384];

		if (c->flavour == TLS_FLOOD) {
			SSL_write(ssl, endless, sizeof(endless) - 1);
			while (SSL_write(ssl, filler, sizeof(filler)) > 0)
				;
		} else {
			do
				SSL_write(ssl, good, sizeof(good) - 1);
			while (SSL_read(ssl, request, sizeof(request)) > 0);
		}
	}
	ERR_clear_error();
	SSL_free(ssl);
}

static inline void *tls_thread(void *arg)
{
	struct tls_connection *c = arg;
	char hello[4096];

	switch (c->flavour) {
	case TLS_STALL:
		hostile_until_gone(c->fd);
		break;
	case TLS_STALL_HALF:
		(void)!recv(c->fd, hello, sizeof(hello), 0);
		hostile_put(c->fd, "\x16\x03\x03\x40\x00\x02", 6); /* a handshake record of 16 KiB, its first byte */
		hostile_until_gone(c->fd);
		break;
	case TLS_RESET:
	case TLS_CLOSE:
		(void)!recv(c->fd, hello, sizeof(hello), 0);
		if (c->flavour == TLS_RESET)
			hostile_reset(c->fd);
		break;
	case TLS_GARBAGE:
		(void)!recv(c->fd, hello, sizeof(hello), 0);
		hostile_say(c->fd, "220 mail.shop.test ESMTP ready, and no TLS at all\r\n");
		hostile_until_gone(c->fd);
		break;
	case TLS_ALERT:
		(void)!recv(c->fd, hello, sizeof(hello), 0);
		hostile_put(c->fd, "\x15\x03\x03\x00\x02\x02\x28", 7); /* handshake_failure */
		hostile_until_gone(c->fd);
		break;
	default:
		tls_talk(c);
		break;
	}
	close(c->fd);
	free(c);
	return NULL;
}

static inline void tls_serve(int fd, enum tls_flavour flavour, X509 *x, EVP_PKEY *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	SSL_CTX_use_certificate(ctx, x);
	SSL_CTX_use_PrivateKey(ctx, key);
	if (flavour == TLS_OLD) {
		SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
		SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	}
	for (;;) {
		struct tls_connection *c;
		pthread_t t;
		int conn = accept(fd, NULL, NULL);

		if (conn < 0)
			continue;
		c = malloc(sizeof(*c));
		*c = (struct tls_connection){ conn, flavour, ctx };
		if (pthread_create(&t, NULL, tls_thread, c))
			_exit(1);
		pthread_detach(t);
	}
}

static inline void hostile_tls_start(struct hostile_tls *h)
{
	EVP_PKEY *ca_key = tls_key(), *other_key = tls_key(), *key = tls_key();
	X509 *ca = tls_certificate(ca_key, "ca.test", NULL, NULL, -400, 400), *other = tls_certificate(other_key, "ca.test", NULL, NULL, -400, 400);
	FILE *f;

	snprintf(h->dir, sizeof(h->dir), "/tmp/switchd-tls-XXXXXX");
	if (!mkdtemp(h->dir))
		abort();
	snprintf(h->ca, sizeof(h->ca), "%s/ca.pem", h->dir);
	f = fopen(h->ca, "w");
	if (!f || !PEM_write_X509(f, ca) || fclose(f))
		abort();
	for (int i = 0; i < N_TLS_FLAVOURS; i++) {
		int fd = hostile_listen(&h->port[i], 64);
		const char *name = i == TLS_OTHER_NAME ? "other.test" : "shop.test";
		X509 *signer = i == TLS_SELF_SIGNED ? NULL : i == TLS_OTHER_CA ? other : ca;
		int from = i == TLS_NOT_YET ? 10 : -300, to = i == TLS_EXPIRED ? -1 : 30;
		X509 *x = tls_certificate(key, name, signer, i == TLS_SELF_SIGNED ? NULL : i == TLS_OTHER_CA ? other_key : ca_key, from, to);

		fflush(NULL);
		h->pid[i] = fork();
		if (h->pid[i] < 0)
			abort();
		if (h->pid[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			signal(SIGPIPE, SIG_IGN);
			tls_serve(fd, (enum tls_flavour)i, x, key);
		}
		X509_free(x);
		close(fd);
	}
	X509_free(ca);
	X509_free(other);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(other_key);
	EVP_PKEY_free(key);
}

static inline void hostile_tls_stop(struct hostile_tls *h)
{
	for (int i = 0; i < N_TLS_FLAVOURS; i++) {
		kill(h->pid[i], SIGKILL);
		waitpid(h->pid[i], NULL, 0);
	}
	unlink(h->ca);
	rmdir(h->dir);
}

#endif
