/* SPDX-License-Identifier: MIT
 * grpc_frame.h - the two messages of grpc.health.v1, by hand.  Pure.
 *
 * A message is one byte (compressed?), four bytes of length, and protobuf: HealthCheckRequest { string service = 1; },
 * HealthCheckResponse { ServingStatus status = 1; }. */
#ifndef PROBES_GRPC_FRAME_H
#define PROBES_GRPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "switchd/base/buf.h"

/* False: the name does not fit in. */
MUSTCHECK bool grpc_health_request(const char *service, struct buf *out);

/* The status of exactly one whole answer; -1 and why when it is none. */
int grpc_health_status(const void *data, size_t n, const char **why);

const char *grpc_health_name(int status);       /* "SERVING"; "?" */
const char *grpc_status_name(int code);         /* "NOT_FOUND"; "?" */

#endif
