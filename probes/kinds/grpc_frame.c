/* SPDX-License-Identifier: MIT
 * grpc_frame.c - bytes to a status, and back. */
#include "probes/kinds/grpc_frame.h"

#include <stdint.h>
#include <string.h>

enum { PREFIX = 5 };

bool grpc_health_request(const char *service, struct buf *out)
{
	size_t n = strlen(service), len = n ? n + (n < 128 ? 2 : 3) : 0;
	unsigned char head[PREFIX + 3] = { 0, 0, 0, (unsigned char)(len >> 8), (unsigned char)len, 0x0a };

	if (n >= 1 << 14)
		return false;
	if (n < 128) {
		head[PREFIX + 1] = (unsigned char)n;
	} else {
		head[PREFIX + 1] = (unsigned char)(0x80 | (n & 0x7f));
		head[PREFIX + 2] = (unsigned char)(n >> 7);
	}
	return buf_add(out, head, PREFIX + (len - n)) && buf_add(out, service, n);
}

static bool take_varint(const unsigned char **p, const unsigned char *end, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
		unsigned char c = *(*p)++;

		*out |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return true;
	}
	return false;
}

/* Over a field that is not ours. */
static bool skip(const unsigned char **p, const unsigned char *end, unsigned type)
{
	uint64_t n = type == 1 ? 8 : type == 5 ? 4 : 0;

	if (type == 0)
		return take_varint(p, end, &n);
	if (type == 2 && !take_varint(p, end, &n))
		return false;
	if (type != 1 && type != 2 && type != 5)
		return false;
	if (n > (uint64_t)(end - *p))
		return false;
	*p += n;
	return true;
}

int grpc_health_status(const void *data, size_t n, const char **why)
{
	const unsigned char *p = data, *end = p + n;
	uint64_t key, status = 0; /* a field that is not there has the value 0 */

	*why = n ? "the message is cut off" : "no message";
	if (n < PREFIX)
		return -1;
	size_t len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];

	*why = p[0] ? "the message is compressed" : len > n - PREFIX ? "the message is cut off" : "more than one message";
	if (p[0] || len != n - PREFIX)
		return -1;
	*why = "not protobuf";
	for (p += PREFIX; p < end;) {
		if (!take_varint(&p, end, &key) || key >> 3 == 0)
			return -1;
		if (key == (1 << 3 | 0) ? !take_varint(&p, end, &status) : !skip(&p, end, key & 7))
			return -1;
	}
	*why = "";
	return status > 255 ? 255 : (int)status;
}

const char *grpc_health_name(int status)
{
	static const char *const names[] = { "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN" };

	return status >= 0 && (size_t)status < ARRAY_LEN(names) ? names[status] : "?";
}

const char *grpc_status_name(int code)
{
	static const char *const names[] = { "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
					     "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
					     "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED" };

	return code >= 0 && (size_t)code < ARRAY_LEN(names) ? names[code] : "?";
}
