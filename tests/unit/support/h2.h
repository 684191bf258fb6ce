/* SPDX-License-Identifier: MIT
 * h2.h - a gRPC health server by hand: HTTP/2 frames over plain TCP, prior knowledge, header literals without Huffman.
 *
 * What it answers is told by the service that is asked about: "serving", "not", "unknown"... (h2_answer). */
#ifndef TESTS_UNIT_SUPPORT_H2_H
#define TESTS_UNIT_SUPPORT_H2_H

#include "tests/unit/support/wire_fake.h"

enum { H2_DATA, H2_HEADERS, H2_RST = 3, H2_SETTINGS = 4, H2_PING = 6, H2_GOAWAY = 7 };
enum { H2_END_STREAM = 1, H2_ACK = 1, H2_END_HEADERS = 4 };

static inline bool h2_frame(int fd, int type, int flags, unsigned stream, const void *data, size_t n)
{
	unsigned char head[9] = { (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n, (unsigned char)type, (unsigned char)flags,
				  (unsigned char)(stream >> 24), (unsigned char)(stream >> 16), (unsigned char)(stream >> 8), (unsigned char)stream };

	return hostile_put(fd, head, 9) && hostile_put(fd, data, n);
}

/* A literal header that is not indexed; returns its length. */
static inline size_t h2_literal(unsigned char *out, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value);

	out[0] = 0;
	out[1] = (unsigned char)n;
	memcpy(out + 2, name, n);
	out[2 + n] = (unsigned char)v;
	memcpy(out + 3 + n, value, v);
	return 3 + n + v;
}

static inline bool h2_head(int fd, unsigned stream, const char *type, bool last)
{
	unsigned char block[256] = { 0x88 }; /* :status 200 */
	size_t n = 1 + h2_literal(block + 1, "content-type", type);

	return h2_frame(fd, H2_HEADERS, H2_END_HEADERS | (last ? H2_END_STREAM : 0), stream, block, n);
}

static inline bool h2_trailers(int fd, unsigned stream, const char *status, const char *message)
{
	unsigned char block[512];
	size_t n = h2_literal(block, "grpc-status", status);

	if (message[0])
		n += h2_literal(block + n, "grpc-message", message);
	return h2_frame(fd, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, stream, block, n);
}

static inline void h2_health(int fd, unsigned stream, unsigned char status)
{
	const unsigned char body[] = { 0, 0, 0, 0, 2, 8, status };

	h2_head(fd, stream, "application/grpc", false);
	h2_frame(fd, H2_DATA, 0, stream, body, sizeof(body));
	h2_trailers(fd, stream, "0", "");
}

/* False: the connection is over. */
static inline bool h2_answer(int fd, unsigned stream, const char *service)
{
	unsigned char only[256] = { 0x88 };
	size_t n;

#define IS(s) (strcmp(service, s) == 0)
	if (IS("") || IS("serving"))
		h2_health(fd, stream, 1);
	else if (IS("not"))
		h2_health(fd, stream, 2);
	else if (IS("unknown"))
		h2_health(fd, stream, 0);
	else if (IS("service-unknown"))
		h2_health(fd, stream, 3);
	else if (IS("empty")) { /* the default value is not sent */
		h2_head(fd, stream, "application/grpc", false);
		h2_frame(fd, H2_DATA, 0, stream, "\0\0\0\0\0", 5);
		h2_trailers(fd, stream, "0", "");
	} else if (IS("unimplemented")) { /* trailers only: one block */
		n = 1 + h2_literal(only + 1, "content-type", "application/grpc");
		n += h2_literal(only + n, "grpc-status", "12");
		h2_frame(fd, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, stream, only, n);
	} else if (IS("html")) {
		h2_head(fd, stream, "text/html", false);
		h2_frame(fd, H2_DATA, H2_END_STREAM, stream, "<html>", 6);
	} else if (IS("404")) {
		only[0] = 0x8d;
		h2_frame(fd, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, stream, only, 1);
	} else if (IS("no-trailers")) {
		h2_head(fd, stream, "application/grpc", false);
		h2_frame(fd, H2_DATA, H2_END_STREAM, stream, "\0\0\0\0\2\10\1", 7);
	} else if (IS("garbage")) {
		h2_head(fd, stream, "application/grpc", false);
		h2_frame(fd, H2_DATA, 0, stream, "\0\0\0\0\2\377\377", 7);
		h2_trailers(fd, stream, "0", "");
	} else if (IS("long")) { /* tells of more than it sends */
		h2_head(fd, stream, "application/grpc", false);
		h2_frame(fd, H2_DATA, 0, stream, "\0\377\377\377\377\10\1", 7);
		h2_trailers(fd, stream, "0", "");
	} else if (IS("stall")) {
		h2_head(fd, stream, "application/grpc", false);
		hostile_until_gone(fd);
	} else if (IS("silent"))
		hostile_until_gone(fd);
	else if (IS("cut")) {
		h2_head(fd, stream, "application/grpc", false);
		return false;
	} else if (IS("reset")) {
		h2_frame(fd, H2_RST, 0, stream, "\0\0\0\2", 4);
	} else if (IS("flood")) {
		static char filler[8192];

		h2_head(fd, stream, "application/grpc", false);
		while (h2_frame(fd, H2_DATA, 0, stream, filler, sizeof(filler)))
			;
	} else { /* as the health service says of one that it does not know */
		n = 1 + h2_literal(only + 1, "content-type", "application/grpc");
		n += h2_literal(only + n, "grpc-status", "5");
		n += h2_literal(only + n, "grpc-message", "unknown service");
		h2_frame(fd, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, stream, only, n);
	}
#undef IS
	return true;
}

static inline bool h2_take(int fd, void *out, size_t n)
{
	return n == 0 || recv(fd, out, n, MSG_WAITALL) == (ssize_t)n;
}

static inline void h2_serve(int fd, enum way way)
{
	unsigned char head[9], data[16384 + 1];
	char service[1024] = "";
	size_t n;

	(void)way;
	if (!h2_take(fd, data, 24) || memcmp(data, "PRI * HTTP/2.0", 14) != 0)
		return;
	h2_frame(fd, H2_SETTINGS, 0, 0, "", 0);
	while (h2_take(fd, head, 9)) {
		n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
		unsigned stream = (unsigned)head[5] << 24 | (unsigned)head[6] << 16 | (unsigned)head[7] << 8 | head[8];

		if (n >= sizeof(data) || !h2_take(fd, data, n) || head[3] == H2_GOAWAY)
			return;
		if (head[3] == H2_SETTINGS && !(head[4] & H2_ACK))
			h2_frame(fd, H2_SETTINGS, H2_ACK, 0, "", 0);
		if (head[3] == H2_PING && !(head[4] & H2_ACK))
			h2_frame(fd, H2_PING, H2_ACK, 0, data, n);
		if (head[3] == H2_DATA) { /* one frame: a small message */
			if (n >= 7 && n < sizeof(service))
				memcpy(service, data + 7, n - 7), service[n - 7] = '\0';
			if (!h2_answer(fd, stream, service))
				return;
		}
	}
}

#endif
