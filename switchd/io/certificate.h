/* SPDX-License-Identifier: MIT
 * certificate.h - what a server said it is: its certificate, in words.
 *
 * Read from the TLS session itself and not from CURLINFO_CERTINFO: that is filled by a
 * handshake only, so that a kept connection would have none.  Texts too long for their
 * field are cut (the names at a whole name); every byte is printable. */
#ifndef SWITCHD_IO_CERTIFICATE_H
#define SWITCHD_IO_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "switchd/base/must.h"

struct certificate {
	char subject[256], issuer[256]; /* "CN = shop.test", as openssl prints them */
	char serial[96];                /* hexadecimal, lower case */
	char names[1024];               /* subject alternative names, separated by spaces; addresses as text */
	int64_t not_before, not_after;  /* unix s */
	int64_t chain_not_after;        /* the earliest of all by which it is trusted; of all that were sent where it is not */
};

/* `session` is OpenSSL's SSL * of a connection whose handshake is done.  False: it has no certificate. */
MUSTCHECK bool certificate_of_session(void *session, struct certificate *out);

#endif
