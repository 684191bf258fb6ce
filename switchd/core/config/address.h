/* SPDX-License-Identifier: MIT
 * address.h - host:port and URLs, as a config may write them. */
#ifndef SWITCHD_CORE_ADDRESS_H
#define SWITCHD_CORE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/base/must.h"

enum { HOST_MAX_LEN = 253 };

struct address {
	char scheme[16];                /* "" = none written */
	char host[HOST_MAX_LEN + 1];    /* without brackets */
	uint16_t port;
	bool port_told;
	const char *rest;               /* what follows host:port, inside the text: "", "/", "/path?query" */
};

/* [scheme://]host[:port][/rest].  Without a scheme the port must be there; http and https have theirs.
 * A user:password@ is refused: secrets have files. */
MUSTCHECK bool address_parse(const char *text, struct address *out, char *why, size_t why_size);
/* True for 127.0.0.0/8, ::1 and localhost. */
bool address_is_loopback(const char *host);

#endif
