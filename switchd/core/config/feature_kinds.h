/* SPDX-License-Identifier: MIT
 * feature_kinds.h - what the kinds beside http are told of one feature: loaded by config_NAME.c, used by probes/NAME.c. */
#ifndef SWITCHD_CORE_FEATURE_KINDS_H
#define SWITCHD_CORE_FEATURE_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ports: 0 = the target's own. Texts are never NULL. */

struct exec_settings {
	const char *const *argv; size_t n;      /* {{host}} {{port}} {{slot}} {{release}} {{service}} {{feature}} are put in */
	const int *line, *col;
};

struct tcp_settings {
	uint16_t port;
	bool tls;
	const char *name;       /* on the certificate, and in SNI; "" = the public name, else the target's host */
	const char *send;       /* "" = nothing */
	const char *until;      /* the answer ends with this; "" = when the assertions hold, or when the other side closes */
};

struct tls_settings {
	uint16_t port;
	const char *name;       /* as above */
	const char *ca_file;    /* "" = the slot's, else the system's */
	int days;               /* that must be left */
};

struct grpc_settings {
	uint16_t port;
	const char *service;    /* "" = the server as a whole */
	bool tls;
};

struct websocket_settings {
	const char *path;
	const char *send;
};

#endif
