/* SPDX-License-Identifier: MIT
 * conn_tls.c - the certificate of a handshake, judged and kept, whether it is valid or not.
 *
 * OpenSSL checks the chain also where nothing is made of it; the result is read when the handshake is done.  The
 * certificates to trust are read once for all connections.  The system's bundle takes some 50 ms of CPU: it is read
 * once a process, when the first connections are prepared, and never in the turn of a probe (I10). */
#include "switchd/io/conn_tls.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "switchd/base/text.h"

#define CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

struct store {
	SLIST_ENTRY(store) link;
	char *file;
	X509_STORE *x509;
};
struct trust { SLIST_HEAD(, store) all; };

static X509_STORE *read_file(const char *file)
{
	X509_STORE *x = X509_STORE_new();

	must(x != NULL);
	if (X509_STORE_load_locations(x, file, NULL) == 1)
		return x;
	X509_STORE_free(x);
	ERR_clear_error();
	return NULL;
}

/* Kept for the life of the process; read again when the file is another one. */
static X509_STORE *of_the_system(void)
{
	static X509_STORE *kept;
	static struct stat was;
	struct stat st = { 0 };

	if (stat(CA_BUNDLE, &st) != 0 || (kept && st.st_ino == was.st_ino && st.st_size == was.st_size && st.st_mtim.tv_sec == was.st_mtim.tv_sec))
		return kept;
	X509_STORE_free(kept); /* who uses it still holds it */
	kept = read_file(CA_BUNDLE);
	was = st;
	return kept;
}

struct trust *trust_new(void)
{
	struct trust *t = xcalloc(1, sizeof(*t));

	of_the_system();

	SLIST_INIT(&t->all);
	return t;
}

void trust_free(struct trust **tp)
{
	struct trust *t = *tp;
	struct store *s;

	if (!t)
		return;
	*tp = NULL;
	while ((s = SLIST_FIRST(&t->all))) {
		SLIST_REMOVE_HEAD(&t->all, link);
		X509_STORE_free(s->x509);
		free(s->file);
		free(s);
	}
	free(t);
}

static X509_STORE *trusted(struct trust *t, const char *file)
{
	struct store *s;

	SLIST_FOREACH(s, &t->all, link)
		if (strcmp(s->file, file) == 0)
			return s->x509;
	X509_STORE *x = read_file(file);

	if (!x)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->file = xstrdup(file);
	s->x509 = x;
	SLIST_INSERT_HEAD(&t->all, s, link);
	return x;
}

static int our_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	must(index >= 0);
	return index;
}

static void on_info(const SSL *ssl, int where, int ret)
{
	struct handshake *h = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), our_index());

	(void)ret;
	if (!(where & SSL_CB_HANDSHAKE_DONE) || !h || h->seen)
		return;
	h->seen = certificate_of_session((void *)(uintptr_t)ssl, &h->cert);
	X509 *x = SSL_get1_peer_certificate(ssl);
	long why = SSL_get_verify_result(ssl);

	if (!x)
		TEXT_COPY(h->invalid, "no certificate was shown");
	else if (why != X509_V_OK)
		TEXT_COPY(h->invalid, X509_verify_cert_error_string(why));
	else if (X509_check_host(x, h->name, 0, 0, NULL) != 1 && X509_check_ip_asc(x, h->name, 0) != 1)
		TEXT_FORMAT(h->invalid, "is not for the name %s", h->name);
	X509_free(x);
}

bool handshake_watch(void *ctx, struct handshake *h)
{
	X509_STORE *store = h->ca_file[0] ? trusted(h->trust, h->ca_file) : of_the_system();

	if (!store) {
		TEXT_FORMAT(h->invalid, "%s cannot be read", h->ca_file[0] ? h->ca_file : CA_BUNDLE);
		return false;
	}
	SSL_CTX_set1_cert_store(ctx, store);
	must(SSL_CTX_set_ex_data(ctx, our_index(), h) == 1);
	SSL_CTX_set_info_callback(ctx, on_info);
	return true;
}
