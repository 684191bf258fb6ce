/* SPDX-License-Identifier: MIT
 * hostile.h - an HTTP server that misbehaves on request: the path says how.
 *
 * A forked child with a thread per connection, on a loopback port of its own choice; it
 * dies with the test.  Counters and the last request are in memory shared with it. */
#ifndef TESTS_UNIT_SUPPORT_HOSTILE_H
#define TESTS_UNIT_SUPPORT_HOSTILE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct hostile_shared {
	atomic_int connections, requests, first_on_connection;
	atomic_int counted;             /* requests of /counted */
	atomic_int status;              /* what /status answers: the test moves it */
	char who[16];
	char last[4096];                /* the last request's head */
	char body[8192];                /* what /body answers */
	char head[512];                 /* more headers of /body */
	size_t big_len;
	char big_type[64];
	char big[256 * 1024];           /* what /big answers */
};

struct hostile {
	pid_t pid;
	uint16_t port;
	struct hostile_shared *shared;
};

static inline int hostile_listen(uint16_t *port, int backlog)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, backlog) || getsockname(fd, (struct sockaddr *)&a, &len))
		abort();
	*port = ntohs(a.sin_port);
	return fd;
}

static inline bool hostile_put(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

static inline bool hostile_say(int fd, const char *s) { return hostile_put(fd, s, strlen(s)); }

static inline void hostile_reset(int fd)
{
	struct linger hard = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

static inline void hostile_until_gone(int fd)
{
	char junk[4096];

	while (recv(fd, junk, sizeof(junk), 0) > 0)
		;
}

/* A deflate stream of zeroes by hand: one literal, then "258 bytes, 1 back", 13 bits each. */
static inline void hostile_bomb(int fd, long total)
{
	static const unsigned char start[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };
	unsigned char out[4096];
	size_t n = 0;
	uint64_t acc = 0;
	int bits = 0;
	/* BFINAL=1, BTYPE=01; literal 0 = 00110000, sent from its highest bit. */
	static const int lead[] = { 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0 };
	static const int again[] = { 1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0 }; /* 285 = 11000101, distance 1 = 00000 */

	hostile_say(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n");
	hostile_put(fd, start, sizeof(start));
	for (size_t i = 0; i < sizeof(lead) / sizeof(lead[0]); i++)
		acc |= (uint64_t)lead[i] << bits++;
	for (long done = 1; done < total; done += 258) {
		for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++)
			acc |= (uint64_t)again[i] << bits++;
		while (bits >= 8) {
			out[n++] = (unsigned char)acc;
			acc >>= 8;
			bits -= 8;
		}
		if (n > sizeof(out) - 8) {
			if (!hostile_put(fd, out, n))
				return;
			n = 0;
		}
	}
	hostile_put(fd, out, n);
}

/* "hello gzip" as gzip -n makes it, with a stored block: no library needed. */
static inline void hostile_gzip(int fd)
{
	static const unsigned char gz[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 10, 0, 0xf5, 0xff,
					    'h', 'e', 'l', 'l', 'o', ' ', 'g', 'z', 'i', 'p',
					    0x78, 0x35, 0x54, 0x3d, 10, 0, 0, 0 };
	unsigned char fixed[sizeof(gz)];
	uint32_t crc = 0xffffffffu;

	memcpy(fixed, gz, sizeof(gz));
	for (int i = 0; i < 10; i++) {
		crc ^= gz[15 + i];
		for (int k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
	}
	crc = ~crc;
	for (int i = 0; i < 4; i++)
		fixed[25 + i] = (unsigned char)(crc >> 8 * i);
	char head[128];

	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", sizeof(fixed));
	hostile_say(fd, head);
	hostile_put(fd, fixed, sizeof(fixed));
}

static inline bool hostile_answer(int fd, struct hostile_shared *sh, int status, const char *type, const char *more, const char *body,
				  bool no_body)
{
	char head[2048];

	snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Type: %s\r\nX-Who: %s\r\n%sContent-Length: %zu\r\n\r\n", status, type,
		 sh->who, more, strlen(body));
	return hostile_say(fd, head) && (no_body || hostile_say(fd, body));
}

/* Answers that are bytes and nothing else; N: what stands in front of it, that many times. */
struct hostile_raw { const char *path; long times; const char *again, *then; size_t then_len; bool keep; };
#define RAW(bytes) bytes, sizeof(bytes) - 1
static const struct hostile_raw hostile_raws[] = {
	{ "/nul-head", 0, "", RAW("HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 5\r\n\r\nhello"), false },
	{ "/nul-status", 0, "", RAW("HTTP/1.1 200\0 OK\r\nContent-Length: 5\r\n\r\nhello"), false },
	{ "/nul-body", 0, "", RAW("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhel\0lo hello"), true },
	{ "/nul-first", 0, "", RAW("\0\0\0\0\0\0\0\0\r\n\r\n"), false },
	{ "/bare-cr", 0, "", RAW("HTTP/1.1 200 OK\rX-A: b\rContent-Length: 5\r\rhello"), false },
	{ "/bare-cr-in", 0, "", RAW("HTTP/1.1 200 OK\r\nX-A: a\rX-B: b\r\nContent-Length: 5\r\n\r\nhello"), true },
	{ "/bare-lf", 0, "", RAW("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"), true },
	{ "/obs-fold", 0, "", RAW("HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\n\tc\r\nContent-Length: 5\r\n\r\nhello"), true },
	{ "/fold-first", 0, "", RAW("HTTP/1.1 200 OK\r\n X-A: a\r\nContent-Length: 5\r\n\r\nhello"), false },
	{ "/no-colon", 0, "", RAW("HTTP/1.1 200 OK\r\nnothing of a header\r\nContent-Length: 5\r\n\r\nhello"), false },
	{ "/head-10k", 10000, "X-A: b\r\n", RAW("Content-Length: 5\r\n\r\nhello"), false },
	{ "/head-1k", 1000, "X-A: b\r\n", RAW("Content-Length: 5\r\n\r\nhello"), true },
	{ "/length-short", 0, "", RAW("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsmuggle"), true },
	{ "/length-long", 0, "", RAW("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello"), false },
	{ "/length-two", 0, "", RAW("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\nhello"), false },
	{ "/length-negative", 0, "", RAW("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"), false },
	{ "/length-huge", 0, "", RAW("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello"), false },
	{ "/length-words", 0, "", RAW("HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello"), false },
	{ "/chunk-huge", 0, "", RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello\r\n0\r\n\r\n"), false },
	{ "/chunk-minus", 0, "", RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"), false },
	{ "/chunk-and-length", 0, "", RAW("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), true },
	{ "/unknown-coding", 0, "", RAW("HTTP/1.1 200 OK\r\nContent-Encoding: fancy\r\nContent-Length: 5\r\n\r\nhello"), true },
	{ "/not-gzip", 0, "", RAW("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"), true },
	{ "/codings", 0, "", RAW("HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip\r\nContent-Length: 5\r\n\r\nhello"), true },
	{ "/error-page", 0, "", RAW("HTTP/1.1 200 OK\r\nContent-Length: 54\r\n\r\n<html><h1>Something went wrong</h1>Try later.</html>\r\n"), true },
	{ "/status-200000", 0, "", RAW("HTTP/1.1 2000000000000000000000 OK\r\nContent-Length: 5\r\n\r\nhello"), false },
	{ "/status-minus", 0, "", RAW("HTTP/1.1 -200 OK\r\nContent-Length: 5\r\n\r\nhello"), false },
	{ "/version-9", 0, "", RAW("HTTP/9.9 200 OK\r\nContent-Length: 5\r\n\r\nhello"), false },
	{ "/switching", 0, "", RAW("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nhello"), false },
	{ "/redirect-unix", 0, "", RAW("HTTP/1.1 302 X\r\nLocation: unix:///run/docker.sock\r\nContent-Length: 0\r\n\r\n"), true },
	{ "/redirect-loopback", 0, "", RAW("HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:6379/\r\nContent-Length: 0\r\n\r\n"), true },
	{ "/redirect-gopher", 0, "", RAW("HTTP/1.1 302 X\r\nLocation: gopher://shop.test:6379/_FLUSHALL\r\nContent-Length: 0\r\n\r\n"), true },
	{ "/redirect-nothing", 0, "", RAW("HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n"), true },
};
#undef RAW

/* 211 bytes that unfold to 256 MiB of zeroes. */
static const unsigned char hostile_brotli[] = {
	0xcf, 0xff, 0xff, 0x7f, 0xf8, 0x27, 0x00, 0xe2, 0xb1, 0x40, 0x20, 0xf7, 0xfe, 0x9f, 0xff, 0xff, 0xff, 0xf0, 0x4f, 0x00, 0xc4, 0x61,
	0x01, 0x80, 0xee, 0xfd, 0x3f, 0xff, 0xff, 0xff, 0xe1, 0x9f, 0x00, 0x88, 0xc3, 0x22, 0x00, 0xdd, 0xfb, 0x7f, 0xfe, 0xff, 0xff, 0xc3,
	0x3f, 0x01, 0x10, 0x87, 0x05, 0x00, 0xba, 0xf7, 0xff, 0xfc, 0xff, 0xff, 0x87, 0x7f, 0x02, 0x20, 0x0e, 0x0b, 0x00, 0x74, 0xef, 0xff,
	0xf9, 0xff, 0xff, 0x0f, 0xff, 0x04, 0x40, 0x1c, 0x16, 0x00, 0xe8, 0xde, 0xff, 0xf3, 0xff, 0xff, 0x1f, 0xfe, 0x09, 0x80, 0x38, 0x2c,
	0x00, 0xd0, 0xbd, 0xff, 0xe7, 0xff, 0xff, 0x3f, 0xfc, 0x13, 0x00, 0x71, 0x58, 0x00, 0xa0, 0x7b, 0xff, 0xcf, 0xff, 0xff, 0x7f, 0xf8,
	0x27, 0x00, 0xe2, 0xb0, 0x00, 0x40, 0xf7, 0xfe, 0x9f, 0xff, 0xff, 0xff, 0xf0, 0x4f, 0x00, 0xc4, 0x61, 0x01, 0x80, 0xee, 0xfd, 0x3f,
	0xff, 0xff, 0xff, 0xe1, 0x9f, 0x00, 0x88, 0xc3, 0x02, 0x00, 0xdd, 0xfb, 0x7f, 0xfe, 0xff, 0xff, 0xc3, 0x3f, 0x01, 0x10, 0x87, 0x05,
	0x00, 0xba, 0xf7, 0xff, 0xfc, 0xff, 0xff, 0x87, 0x7f, 0x02, 0x20, 0x0e, 0x0b, 0x00, 0x74, 0xef, 0xff, 0xf9, 0xff, 0xff, 0x0f, 0xff,
	0x04, 0x40, 0x1c, 0x16, 0x00, 0xe8, 0xde, 0xff, 0xf3, 0xff, 0xff, 0x1f, 0xfe, 0x09, 0x80, 0x38, 0x2c, 0x00, 0xd0, 0xbd, 0xff, 0xcf,
	0xff, 0xff, 0x7f, 0xfc, 0x13, 0x00, 0x71, 0x58, 0x00, 0xa0, 0x7b, 0xff, 0x0f,
};

enum hostile_said { MORE_NONE, MORE_KEEP, MORE_CLOSE };

static inline enum hostile_said hostile_more(int fd, struct hostile_shared *sh, const char *path)
{
	size_t n = strcspn(path, " ?");
	char head[256];

	(void)sh;
#define IS(s) (n == sizeof(s) - 1 && memcmp(path, s, n) == 0)
	for (size_t i = 0; i < sizeof(hostile_raws) / sizeof(hostile_raws[0]); i++) {
		const struct hostile_raw *r = &hostile_raws[i];

		if (strlen(r->path) != n || memcmp(path, r->path, n) != 0)
			continue;
		if (r->times && !hostile_say(fd, "HTTP/1.1 200 OK\r\n"))
			return MORE_CLOSE;
		for (long k = 0; k < r->times; k++)
			if (!hostile_say(fd, r->again))
				return MORE_CLOSE;
		return hostile_put(fd, r->then, r->then_len) && r->keep ? MORE_KEEP : MORE_CLOSE;
	}
	if (strncmp(path, "/page-of/", 9) == 0) {
		char page[256];

		snprintf(page, sizeof(page), "<!doctype html><html><head><title>x</title><script src=\"%.*s\"></script></head></html>", (int)(n - 8), path + 8);
		snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %zu\r\n\r\n", strlen(page));
		return hostile_say(fd, head) && hostile_say(fd, page) ? MORE_KEEP : MORE_CLOSE;
	}
	if (IS("/bomb-br")) {
		snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: %zu\r\n\r\n", sizeof(hostile_brotli));
		hostile_say(fd, head);
		return hostile_put(fd, hostile_brotli, sizeof(hostile_brotli)) ? MORE_KEEP : MORE_CLOSE;
	}
	if (IS("/bomb-te")) { /* the same where nothing of the body should be looked at at all */
		hostile_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: br, chunked\r\n\r\nd3\r\n");
		return hostile_put(fd, hostile_brotli, sizeof(hostile_brotli)) && hostile_say(fd, "\r\n0\r\n\r\n") ? MORE_KEEP : MORE_CLOSE;
	}
	if (IS("/drip-head")) { /* never a whole line */
		hostile_say(fd, "HTTP/1.1 200 OK\r\nX-Drip: ");
		while (hostile_say(fd, "x"))
			poll(NULL, 0, 20);
		return MORE_CLOSE;
	}
	if (IS("/drip-status")) {
		for (const char *p = "HTTP/1.1 200 OK\r\n"; *p && hostile_put(fd, p, 1); p++)
			poll(NULL, 0, 100);
		hostile_until_gone(fd);
		return MORE_CLOSE;
	}
	if (IS("/drip-1xx")) {
		while (hostile_say(fd, "HTTP/1.1 102 Processing\r\n\r\n"))
			poll(NULL, 0, 20);
		return MORE_CLOSE;
	}
	if (IS("/chunk-ext")) { /* one chunk, and an extension that does not end */
		hostile_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;");
		while (hostile_say(fd, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))
			;
		return MORE_CLOSE;
	}
	if (IS("/trailers-endless")) {
		hostile_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n");
		while (hostile_say(fd, "X-Trailer: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"))
			;
		return MORE_CLOSE;
	}
	if (IS("/chunks-tiny")) { /* a body of single bytes */
		hostile_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		while (hostile_say(fd, "1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n"))
			;
		return MORE_CLOSE;
	}
#undef IS
	return MORE_NONE;
}

/* False: this connection is over. */
static inline bool hostile_serve(int fd, struct hostile_shared *sh, const char *req, int nth)
{
	const char *path = strchr(req, ' ');
	bool head_only = strncmp(req, "HEAD ", 5) == 0;
	char filler[1024];

	path = path ? path + 1 : "";
#define PATH(s) (strncmp(path, s, sizeof(s) - 1) == 0 && strchr(" ?/", path[sizeof(s) - 1]))
	if (PATH("/ok"))
		return hostile_answer(fd, sh, 200, "text/plain", "", "hello", head_only);
	if (PATH("/echo"))
		return hostile_answer(fd, sh, 200, "text/plain", "", req, head_only);
	if (PATH("/status"))
		return hostile_answer(fd, sh, atomic_load(&sh->status), "text/plain", "", "status page", head_only);
	if (PATH("/body"))
		return hostile_answer(fd, sh, atomic_load(&sh->status), "application/json", sh->head, sh->body, head_only);
	if (PATH("/redirect"))
		return hostile_answer(fd, sh, 302, "text/plain", "Location: /ok\r\n", "", head_only);
	if (PATH("/redirect-file"))
		return hostile_answer(fd, sh, 302, "text/plain", "Location: file:///etc/passwd\r\n", "", head_only);
	if (PATH("/redirect-other"))
		return hostile_answer(fd, sh, 302, "text/plain", "Location: http://169.254.169.254/ok\r\n", "", head_only);
	if (PATH("/redirect-user"))
		return hostile_answer(fd, sh, 302, "text/plain", "Location: http://shop.test@169.254.169.254/ok\r\n", "", head_only);
	if (PATH("/redirect-port"))
		return hostile_answer(fd, sh, 302, "text/plain", "Location: http://shop.test:6379/ok\r\n", "", head_only);
	if (PATH("/redirect-https"))
		return hostile_answer(fd, sh, 302, "text/plain", "Location: https://shop.test/ok\r\n", "", head_only);
	if (PATH("/see-echo"))
		return hostile_answer(fd, sh, 303, "text/plain", "Location: /echo\r\n", "", head_only);
	if (PATH("/keep-echo"))
		return hostile_answer(fd, sh, 307, "text/plain", "Location: /echo\r\n", "", head_only);
	if (PATH("/login"))
		return hostile_answer(fd, sh, 303, "text/plain",
				      "Set-Cookie: sid=abc; Secure; HttpOnly; Path=/\r\nSet-Cookie: plain=1\r\nLocation: /echo\r\n", "", head_only);
	if (PATH("/trailers"))
		return hostile_put(fd, "HTTP/1.1 200 X\r\nX-Who: head\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n"
				   "2\r\nok\r\n0\r\nX-Late: yes\r\nX-Who: trailer\r\n\r\n", 117), false;
	if (PATH("/loop"))
		return hostile_answer(fd, sh, 302, "text/plain", "Location: /loop\r\n", "", head_only);
	if (PATH("/gzip"))
		return hostile_gzip(fd), true;
	if (PATH("/bomb"))
		return hostile_bomb(fd, 20L << 20), false;
	if (PATH("/hang"))
		return hostile_until_gone(fd), false;
	if (PATH("/close"))
		return false;
	if (PATH("/reset"))
		return hostile_reset(fd), false;
	if (PATH("/close-if-reused"))
		return nth == 1 && hostile_answer(fd, sh, 200, "text/plain", "", "first", head_only);
	if (PATH("/good-once"))
		return hostile_answer(fd, sh, nth == 1 ? 200 : 500, "text/plain", "", "x", head_only);
	if (PATH("/reset-if-reused")) {
		if (nth == 1)
			return hostile_answer(fd, sh, 200, "text/plain", "", "first", head_only);
		hostile_reset(fd);
		return false;
	}
	if (PATH("/close-then-hang")) { /* the kept connection dies, the new one never answers */
		if (nth == 1 && atomic_fetch_add(&sh->first_on_connection, 1) == 0)
			return hostile_answer(fd, sh, 200, "text/plain", "", "first", head_only);
		if (nth > 1)
			return false;
		hostile_until_gone(fd);
		return false;
	}
	if (PATH("/cut-status"))
		return hostile_say(fd, "HTT"), false;
	if (PATH("/cut-head"))
		return hostile_say(fd, "HTTP/1.1 200 OK\r\nContent-Le"), false;
	if (PATH("/cut"))
		return hostile_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"), false;
	if (PATH("/cut-reset")) {
		hostile_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
		poll(NULL, 0, 50); /* let it be read before the RST throws it away */
		hostile_reset(fd);
		return false;
	}
	if (PATH("/chunk-cut"))
		return hostile_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwo"), false;
	if (PATH("/chunk-bad"))
		return hostile_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"), false;
	if (PATH("/no-length"))
		return hostile_say(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it"), false;
	if (PATH("/http09"))
		return hostile_say(fd, "just some text\n"), false;
	if (PATH("/status-99999"))
		return hostile_say(fd, "HTTP/1.1 99999 OK\r\nContent-Length: 0\r\n\r\n"), false;
	if (PATH("/status-2x0"))
		return hostile_say(fd, "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n"), false;
	if (PATH("/status-000"))
		return hostile_say(fd, "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n"), false;
	if (PATH("/1xx"))
		while (hostile_say(fd, "HTTP/1.1 100 Continue\r\n\r\n"))
			;
	if (PATH("/1xx-then-ok")) {
		hostile_say(fd, "HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n");
		return hostile_answer(fd, sh, 200, "text/plain", "", "hello", head_only);
	}
	if (PATH("/drip")) {
		hostile_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
		while (hostile_say(fd, "x"))
			poll(NULL, 0, 20);
		return false;
	}
	memset(filler, 'f', sizeof(filler));
	if (PATH("/endless")) {
		hostile_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		while (hostile_say(fd, "400\r\n") && hostile_put(fd, filler, 1024) && hostile_say(fd, "\r\n"))
			;
		return false;
	}
	if (PATH("/gib")) {
		hostile_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
		while (hostile_put(fd, filler, 1024))
			;
		return false;
	}
	if (PATH("/head-many")) {
		hostile_say(fd, "HTTP/1.1 200 OK\r\n");
		while (hostile_say(fd, "X-Filler: 0123456789012345678901234567890123456789\r\n"))
			;
		return false;
	}
	if (PATH("/head-long")) {
		hostile_say(fd, "HTTP/1.1 200 OK\r\nX-Filler: ");
		while (hostile_put(fd, filler, 1024))
			;
		return false;
	}
	if (PATH("/big")) {
		snprintf(filler, sizeof(filler), "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", sh->big_type, sh->big_len);
		return hostile_say(fd, filler) && hostile_put(fd, sh->big, sh->big_len);
	}
	if (PATH("/counted")) { /* good, fails, good...: every Nth of /counted/N */
		int nth_of_all = atomic_fetch_add(&sh->counted, 1) + 1, every = path[8] == '/' ? (int)strtol(path + 9, NULL, 10) : 2;

		return hostile_answer(fd, sh, nth_of_all % (every > 0 ? every : 2) ? 200 : 500, "text/plain", "", "hello", head_only);
	}
	switch (hostile_more(fd, sh, path)) {
	case MORE_KEEP: return true;
	case MORE_CLOSE: return false;
	case MORE_NONE: break;
	}
	return hostile_answer(fd, sh, 404, "text/plain", "", "no such page", head_only);
#undef PATH
}

struct hostile_connection { int fd; struct hostile_shared *shared; };

static inline void *hostile_thread(void *arg)
{
	struct hostile_connection c = *(struct hostile_connection *)arg;
	char req[4096];
	size_t n = 0;

	free(arg);
	for (int nth = 1;; nth++) {
		char *end;

		req[n] = '\0';
		while (!(end = strstr(req, "\r\n\r\n"))) {
			ssize_t r = n < sizeof(req) - 1 ? recv(c.fd, req + n, sizeof(req) - 1 - n, 0) : 0;

			if (r <= 0)
				goto over;
			n += (size_t)r;
			req[n] = '\0';
		}
		/* A body, if any, is taken with its head: requests here are small. */
		const char *cl = strstr(req, "Content-Length: ");
		size_t body = cl && cl < end ? (size_t)strtoul(cl + 16, NULL, 10) : 0;

		while (n < (size_t)(end + 4 - req) + body) {
			ssize_t r = n < sizeof(req) - 1 ? recv(c.fd, req + n, sizeof(req) - 1 - n, 0) : 0;

			if (r <= 0)
				goto over;
			n += (size_t)r;
			req[n] = '\0';
		}
		memcpy(c.shared->last, req, n + 1);
		atomic_fetch_add(&c.shared->requests, 1);
		n = 0;
		if (!hostile_serve(c.fd, c.shared, req, nth))
			break;
	}
over:
	close(c.fd);
	return NULL;
}

static inline void hostile_start(struct hostile *h, const char *who)
{
	int fd = hostile_listen(&h->port, 128);

	h->shared = mmap(NULL, sizeof(*h->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (h->shared == MAP_FAILED)
		abort();
	snprintf(h->shared->who, sizeof(h->shared->who), "%s", who);
	atomic_store(&h->shared->status, 200);
	fflush(NULL);
	h->pid = fork();
	if (h->pid < 0)
		abort();
	if (h->pid) {
		close(fd);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct hostile_connection *c;
		pthread_t t;
		int conn = accept(fd, NULL, NULL);

		if (conn < 0)
			continue;
		setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		atomic_fetch_add(&h->shared->connections, 1);
		c = malloc(sizeof(*c));
		*c = (struct hostile_connection){ conn, h->shared };
		if (pthread_create(&t, NULL, hostile_thread, c))
			_exit(1);
		pthread_detach(t);
	}
}

static inline void hostile_stop(struct hostile *h)
{
	if (h->pid > 0) {
		kill(h->pid, SIGKILL);
		waitpid(h->pid, NULL, 0);
		munmap(h->shared, sizeof(*h->shared));
	}
	h->pid = 0;
}

/* A port whose connections are never accepted and whose queue is full: SYNs go unanswered. */
struct blackhole { int fd, filler[8]; uint16_t port; };

static inline void blackhole_open(struct blackhole *b)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	b->fd = hostile_listen(&b->port, 0);
	a.sin_port = htons(b->port);
	for (size_t i = 0; i < sizeof(b->filler) / sizeof(b->filler[0]); i++) {
		b->filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(b->filler[i], (struct sockaddr *)&a, sizeof(a));
	}
}

static inline void blackhole_close(struct blackhole *b)
{
	for (size_t i = 0; i < sizeof(b->filler) / sizeof(b->filler[0]); i++)
		close(b->filler[i]);
	close(b->fd);
}

#endif
