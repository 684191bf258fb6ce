/* SPDX-License-Identifier: MIT
 * prove_wire.h - the stubs that are not HTTP/1.1: a port, a gRPC server, a WebSocket, a certificate. Private to prove_stub.c.
 *
 * Each listens on a loopback port of its own and says one thing to whoever connects.  Loop thread only. */
#ifndef PROBES_PROVE_WIRE_H
#define PROBES_PROVE_WIRE_H

#include "probes/prove/prove_stub.h"
#include "switchd/base/must.h"

struct wire_stub;
MUSTCHECK struct wire_stub *wire_stub_new(struct ev_loop *, enum stub, char *error, size_t error_size);  /* NULL: error says why */
void wire_stub_free(struct wire_stub **);       /* ends its connections */
uint16_t wire_stub_port(const struct wire_stub *);

#endif
