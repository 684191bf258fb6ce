/* SPDX-License-Identifier: MIT
 * certificate.c - X.509 into plain text and plain numbers. */
#include "switchd/io/certificate.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "switchd/base/text.h"

static int64_t seconds(const ASN1_TIME *t)
{
	struct tm tm = { 0 };

	return t && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* UTF-8 as it is; anything that could break a line or a terminal is made '?' by text_printable(). */
static void name_text(char *out, size_t size, const X509_NAME *name)
{
	BIO *mem = BIO_new(BIO_s_mem());
	char *data = NULL;
	long n;

	out[0] = '\0';
	if (!mem)
		return;
	if (X509_NAME_print_ex(mem, name, 0, XN_FLAG_ONELINE & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
		n = BIO_get_mem_data(mem, &data);
		if (n > 0)
			text_printable(out, size, data, (size_t)n);
	}
	BIO_free(mem);
}

static void serial_text(char *out, size_t size, const X509 *x)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
	char *hex = n ? BN_bn2hex(n) : NULL;

	text_format(out, size, "%s", hex ? hex : "");
	for (char *p = out; *p; p++)
		if (*p >= 'A' && *p <= 'F')
			*p = (char)(*p - 'A' + 'a');
	OPENSSL_free(hex);
	BN_free(n);
}

static void add_name(struct certificate *c, const char *s)
{
	size_t used = strlen(c->names), n = strlen(s);

	if (used + n + 2 > sizeof(c->names))
		return;
	text_format(c->names + used, sizeof(c->names) - used, used ? " %s" : "%s", s);
}

static void add_general(struct certificate *c, const GENERAL_NAME *g)
{
	char text[256] = "";
	const ASN1_STRING *s = NULL;

	if (g->type == GEN_DNS)
		s = g->d.dNSName;
	else if (g->type == GEN_URI)
		s = g->d.uniformResourceIdentifier;
	else if (g->type == GEN_EMAIL)
		s = g->d.rfc822Name;
	else if (g->type == GEN_IPADD && ASN1_STRING_length(g->d.iPAddress) == 4)
		(void)inet_ntop(AF_INET, ASN1_STRING_get0_data(g->d.iPAddress), text, sizeof(text));
	else if (g->type == GEN_IPADD && ASN1_STRING_length(g->d.iPAddress) == 16)
		(void)inet_ntop(AF_INET6, ASN1_STRING_get0_data(g->d.iPAddress), text, sizeof(text));
	if (s && ASN1_STRING_length(s) > 0)
		text_printable(text, sizeof(text), (const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
	for (char *p = text; *p; p++) /* a name with a space in it would be two */
		if (*p == ' ')
			*p = '?';
	if (text[0])
		add_name(c, text);
}

static void all_names(struct certificate *c, const X509 *x)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; all && i < sk_GENERAL_NAME_num(all); i++)
		add_general(c, sk_GENERAL_NAME_value(all, i));
	GENERAL_NAMES_free(all);
}

bool certificate_of_session(void *session, struct certificate *out)
{
	SSL *ssl = session;
	X509 *x = ssl ? SSL_get1_peer_certificate(ssl) : NULL;
	STACK_OF(X509) *chain = NULL;

	memset(out, 0, sizeof(*out));
	if (!x)
		return false;
	/* Servers send more than is needed: one that ended long ago and that nobody follows is no fault. */
	if (SSL_get_verify_result(ssl) == X509_V_OK)
		chain = SSL_get0_verified_chain(ssl);
	if (!chain)
		chain = SSL_get_peer_cert_chain(ssl);
	name_text(out->subject, sizeof(out->subject), X509_get_subject_name(x));
	name_text(out->issuer, sizeof(out->issuer), X509_get_issuer_name(x));
	serial_text(out->serial, sizeof(out->serial), x);
	all_names(out, x);
	out->not_before = seconds(X509_get0_notBefore(x));
	out->not_after = out->chain_not_after = seconds(X509_get0_notAfter(x));
	for (int i = 0; chain && i < sk_X509_num(chain); i++) {
		int64_t end = seconds(X509_get0_notAfter(sk_X509_value(chain, i)));

		if (end < out->chain_not_after)
			out->chain_not_after = end;
	}
	X509_free(x);
	return true;
}
