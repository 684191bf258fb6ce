/* SPDX-License-Identifier: MIT
 * conn_tls.h - inside conn: what a handshake showed.  Private to conn*.c. */
#ifndef SWITCHD_IO_CONN_TLS_H
#define SWITCHD_IO_CONN_TLS_H

#include <stdbool.h>

#include "switchd/io/certificate.h"

struct trust;                   /* certificates to trust, read once */
struct trust *trust_new(void);
void trust_free(struct trust **);

struct handshake {
	struct trust *trust;
	const char *ca_file;            /* "" = the system's */
	const char *name;               /* that must stand on the certificate */
	bool seen;
	struct certificate cert;
	char invalid[160];
};
/* For CURLOPT_SSL_CTX_FUNCTION: `ctx` is OpenSSL's. False: ca_file cannot be read (invalid says so). */
MUSTCHECK bool handshake_watch(void *ctx, struct handshake *);

#endif
