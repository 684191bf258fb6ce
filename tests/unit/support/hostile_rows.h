/* SPDX-License-Identifier: MIT
 * hostile_rows.h - what hostile targets do, and what a probe of each kind must say of it: the one table behind
 * tests/unit/hostile.c and docs/hostile.md. */
#ifndef TESTS_UNIT_SUPPORT_HOSTILE_ROWS_H
#define TESTS_UNIT_SUPPORT_HOSTILE_ROWS_H

#include "switchd/core/outcome.h"
#include "tests/unit/support/hostile_tls.h"
#include "tests/unit/support/wire_fake.h"

enum {
	K_HTTP = 1, K_STEPS = 2, K_TCP = 4, K_TLS = 8, K_GRPC = 16, K_EXEC = 32, K_FOLLOW = 64, K_WS = 128,
	K_ASSETS = 256,
	K_PAGES = K_HTTP | K_STEPS, K_WIRE = K_TCP | K_TLS | K_GRPC | K_WS, K_TARGETS = K_PAGES | K_ASSETS | K_WIRE, N_KINDS = 9,
};
static const char *const kind_names[N_KINDS] = { "http", "steps", "tcp", "tls", "grpc", "exec", "http (follow: 5)", "websocket", "assets" };

enum where {
	AT_HTTP,        /* how: the path at hostile.h */
	AT_ASSET,       /* the same, of the script that a good page refers to */
	AT_NOBODY, AT_HOLE, AT_NO_ROUTE,
	AT_WIRE,        /* way: enum way */
	AT_H2,          /* how: the service asked about at h2.h */
	AT_TLS,         /* way: enum tls_flavour */
	AT_PROGRAM,     /* how: lines of a shell script */
};

struct hostile_row {
	const char *id, *what;
	enum where where;
	const char *how;
	int way;
	unsigned kinds;
	enum outcome want, or;          /* or: the same where nothing else will do (a race between two truths) */
};

/* ONE: a single outcome will do. */
#define ONE(o) o, o
static const struct hostile_row hostile_rows[] = {
	{ "T1", "refuses the connection", AT_NOBODY, "/ok", 0, K_TARGETS, ONE(OUT_REFUSED) },
	{ "T2", "does not answer a SYN", AT_HOLE, "/ok", 0, K_TARGETS, ONE(OUT_CONNECT_TIMEOUT) },
	{ "T3", "no route leads to it", AT_NO_ROUTE, "/ok", 0, K_TARGETS, ONE(OUT_NO_ROUTE) },
	{ "T4", "accepts and says nothing", AT_HTTP, "/hang", 0, K_PAGES | K_ASSETS, ONE(OUT_TIMEOUT) },
	{ "T4", "accepts and says nothing", AT_WIRE, "", W_SILENT, K_TCP | K_TLS | K_GRPC | K_WS, ONE(OUT_TIMEOUT) },
	{ "T4", "takes the question and says nothing", AT_H2, "silent", 0, K_GRPC, ONE(OUT_TIMEOUT) },
	{ "T4", "begins an answer and stalls", AT_H2, "stall", 0, K_GRPC, ONE(OUT_TIMEOUT) },
	{ "T4", "a program that does not end, nor at SIGTERM", AT_PROGRAM, "trap '' TERM; while :; do sleep 100; done", 0, K_EXEC, ONE(OUT_TIMEOUT) },
	{ "T4", "the script of a page is never sent", AT_ASSET, "/hang", 0, K_ASSETS, ONE(OUT_TIMEOUT) },
	{ "T5", "a body byte by byte", AT_HTTP, "/drip", 0, K_PAGES | K_ASSETS, ONE(OUT_TIMEOUT) },
	{ "T5", "a header byte by byte", AT_HTTP, "/drip-head", 0, K_PAGES, ONE(OUT_TIMEOUT) },
	{ "T5", "a status line byte by byte", AT_HTTP, "/drip-status", 0, K_PAGES, ONE(OUT_TIMEOUT) },
	{ "T5", "bytes, one by one, for ever", AT_WIRE, "", W_DRIP, K_TCP, ONE(OUT_TIMEOUT) },
	{ "T6", "a body without end", AT_HTTP, "/endless", 0, K_PAGES | K_ASSETS, ONE(OUT_TOO_LARGE) },
	{ "T6", "a body without end, in chunks of one byte", AT_HTTP, "/chunks-tiny", 0, K_PAGES, ONE(OUT_TOO_LARGE) },
	{ "T6", "bytes without end", AT_WIRE, "", W_FLOOD, K_TCP, ONE(OUT_TOO_LARGE) },
	{ "T6", "a message without end", AT_H2, "flood", 0, K_GRPC, ONE(OUT_TOO_LARGE) },
	{ "T6", "a body without end over TLS", AT_TLS, "/ok", TLS_FLOOD, K_PAGES | K_TCP, ONE(OUT_TOO_LARGE) },
	{ "T6", "a program that writes without end", AT_PROGRAM, "exec yes", 0, K_EXEC, ONE(OUT_TIMEOUT) },
	{ "T6", "the script of a page without end", AT_ASSET, "/endless", 0, K_ASSETS, ONE(OUT_TOO_LARGE) },
	{ "T7", "a body of 1 GiB", AT_HTTP, "/gib", 0, K_PAGES | K_ASSETS, ONE(OUT_TOO_LARGE) },
	{ "T8", "20 kB that unzip to 20 MiB", AT_HTTP, "/bomb", 0, K_PAGES | K_ASSETS, ONE(OUT_TOO_LARGE) },
	{ "T8", "211 bytes of Brotli that nobody asked for: 256 MiB", AT_HTTP, "/bomb-br", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T8", "the same as a transfer coding", AT_HTTP, "/bomb-te", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T8", "the script of a page unzips to 20 MiB", AT_ASSET, "/bomb", 0, K_ASSETS, ONE(OUT_TOO_LARGE) },
	{ "T8", "eight layers of gzip", AT_HTTP, "/codings", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T8", "says gzip and is not", AT_HTTP, "/not-gzip", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T8", "an encoding of its own invention", AT_HTTP, "/unknown-coding", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T9", "redirects to itself", AT_HTTP, "/loop", 0, K_HTTP | K_STEPS | K_FOLLOW, ONE(OUT_REDIRECT) },
	{ "T9", "redirects, and does not say where", AT_HTTP, "/redirect-nothing", 0, K_HTTP | K_FOLLOW, OUT_REDIRECT, OUT_STATUS },
	{ "T10", "redirects to 169.254.169.254", AT_HTTP, "/redirect-other", 0, K_HTTP | K_STEPS | K_FOLLOW, ONE(OUT_REDIRECT) },
	{ "T10", "redirects to user@169.254.169.254", AT_HTTP, "/redirect-user", 0, K_HTTP | K_FOLLOW, ONE(OUT_REDIRECT) },
	{ "T10", "redirects to file:///etc/passwd", AT_HTTP, "/redirect-file", 0, K_HTTP | K_FOLLOW, ONE(OUT_REDIRECT) },
	{ "T10", "redirects to unix:///run/docker.sock", AT_HTTP, "/redirect-unix", 0, K_HTTP | K_FOLLOW, ONE(OUT_REDIRECT) },
	{ "T10", "redirects to gopher:", AT_HTTP, "/redirect-gopher", 0, K_HTTP | K_FOLLOW, ONE(OUT_REDIRECT) },
	{ "T10", "redirects to another port", AT_HTTP, "/redirect-port", 0, K_HTTP | K_FOLLOW, ONE(OUT_REDIRECT) },
	{ "T10", "redirects to 127.0.0.1:6379", AT_HTTP, "/redirect-loopback", 0, K_HTTP | K_FOLLOW, ONE(OUT_REDIRECT) },
	{ "T10", "the script of a page redirects to 169.254.169.254", AT_ASSET, "/redirect-other", 0, K_ASSETS, ONE(OUT_ASSET_MISSING) },
	{ "T11", "a good certificate, so that the next rows mean something", AT_TLS, "/ok", TLS_GOOD, K_PAGES | K_TCP | K_TLS, ONE(OUT_PRESENT) },
	{ "T11", "an expired certificate", AT_TLS, "/ok", TLS_EXPIRED, K_PAGES | K_TCP | K_GRPC, ONE(OUT_TLS) },
	{ "T11", "an expired certificate", AT_TLS, "", TLS_EXPIRED, K_TLS, ONE(OUT_TLS_ASSERTION) },
	{ "T11", "a certificate of next month", AT_TLS, "/ok", TLS_NOT_YET, K_PAGES | K_TCP, ONE(OUT_TLS) },
	{ "T11", "a certificate of next month", AT_TLS, "", TLS_NOT_YET, K_TLS, ONE(OUT_TLS_ASSERTION) },
	{ "T11", "a self-signed certificate", AT_TLS, "/ok", TLS_SELF_SIGNED, K_PAGES | K_TCP | K_GRPC, ONE(OUT_TLS) },
	{ "T11", "a self-signed certificate", AT_TLS, "", TLS_SELF_SIGNED, K_TLS, ONE(OUT_TLS_ASSERTION) },
	{ "T11", "signed by another CA of the same name", AT_TLS, "/ok", TLS_OTHER_CA, K_PAGES | K_TCP, ONE(OUT_TLS) },
	{ "T11", "signed by another CA of the same name", AT_TLS, "", TLS_OTHER_CA, K_TLS, ONE(OUT_TLS_ASSERTION) },
	{ "T11", "another's certificate", AT_TLS, "/ok", TLS_OTHER_NAME, K_PAGES | K_TCP | K_GRPC, ONE(OUT_TLS) },
	{ "T11", "another's certificate", AT_TLS, "", TLS_OTHER_NAME, K_TLS, ONE(OUT_TLS_ASSERTION) },
	{ "T11", "TLS 1.1 at most", AT_TLS, "/ok", TLS_OLD, K_PAGES | K_TCP | K_TLS | K_GRPC, ONE(OUT_TLS) },
	{ "T11", "a handshake that stalls at once", AT_TLS, "/ok", TLS_STALL, K_PAGES | K_GRPC, ONE(OUT_TLS) },
	{ "T11", "a handshake that stalls at once", AT_TLS, "", TLS_STALL, K_TCP | K_TLS, ONE(OUT_TIMEOUT) },
	{ "T11", "a handshake that stalls within a record", AT_TLS, "/ok", TLS_STALL_HALF, K_PAGES, ONE(OUT_TLS) },
	{ "T11", "a handshake that stalls within a record", AT_TLS, "", TLS_STALL_HALF, K_TCP | K_TLS, ONE(OUT_TIMEOUT) },
	{ "T11", "a fatal alert", AT_TLS, "/ok", TLS_ALERT, K_PAGES | K_TCP | K_TLS | K_GRPC, ONE(OUT_TLS) },
	{ "T11", "no TLS at all", AT_TLS, "/ok", TLS_GARBAGE, K_PAGES | K_TCP | K_TLS | K_GRPC, ONE(OUT_TLS) },
	{ "T11", "closes within the handshake", AT_TLS, "/ok", TLS_CLOSE, K_PAGES | K_GRPC, OUT_CLOSED, OUT_RESET },
	{ "T11", "resets within the handshake", AT_TLS, "/ok", TLS_RESET, K_PAGES | K_GRPC, ONE(OUT_RESET) },
	{ "T12", "HTTP/0.9", AT_HTTP, "/http09", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T12", "HTTP/9.9", AT_HTTP, "/version-9", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T12", "bytes that are no HTTP", AT_WIRE, "", W_GARBAGE, K_PAGES | K_GRPC | K_WS, OUT_PROTOCOL, OUT_BODY_CUT },
	{ "T13", "one header without end", AT_HTTP, "/head-long", 0, K_PAGES, ONE(OUT_TOO_LARGE) },
	{ "T13", "headers without end", AT_HTTP, "/head-many", 0, K_PAGES, ONE(OUT_TOO_LARGE) },
	{ "T13", "10,000 headers", AT_HTTP, "/head-10k", 0, K_PAGES, ONE(OUT_TOO_LARGE) },
	{ "T13", "1,000 headers, which is unusual and no fault", AT_HTTP, "/head-1k", 0, K_PAGES, ONE(OUT_PRESENT) },
	{ "T13", "trailers without end", AT_HTTP, "/trailers-endless", 0, K_PAGES, ONE(OUT_TOO_LARGE) },
	{ "T14", "a NUL in a header", AT_HTTP, "/nul-head", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T14", "a NUL in the status line", AT_HTTP, "/nul-status", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T14", "NULs in front", AT_HTTP, "/nul-first", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T14", "a NUL in the body, which is looked behind", AT_HTTP, "/nul-body", 0, K_PAGES, ONE(OUT_PRESENT) },
	{ "T14", "lines that end in a bare CR", AT_HTTP, "/bare-cr", 0, K_PAGES, OUT_PROTOCOL, OUT_BODY_CUT },
	{ "T14", "a bare CR in a header", AT_HTTP, "/bare-cr-in", 0, K_PAGES, OUT_PRESENT, OUT_PROTOCOL },
	{ "T14", "a header folded over lines", AT_HTTP, "/obs-fold", 0, K_PAGES, ONE(OUT_PRESENT) },
	{ "T14", "a fold where there is no header yet", AT_HTTP, "/fold-first", 0, K_PAGES, OUT_PROTOCOL, OUT_PRESENT },
	{ "T14", "a header line without a colon", AT_HTTP, "/no-colon", 0, K_PAGES, OUT_PROTOCOL, OUT_PRESENT },
	{ "T15", "status 99999", AT_HTTP, "/status-99999", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T15", "status 2x0", AT_HTTP, "/status-2x0", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T15", "status 000", AT_HTTP, "/status-000", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T15", "status -200", AT_HTTP, "/status-minus", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T15", "a status of 22 digits", AT_HTTP, "/status-200000", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T16", "says 500 bytes and sends 5", AT_HTTP, "/length-long", 0, K_PAGES | K_ASSETS, ONE(OUT_BODY_CUT) },
	{ "T16", "says 5 bytes and sends another answer behind them", AT_HTTP, "/length-short", 0, K_PAGES, ONE(OUT_PRESENT) },
	{ "T16", "two lengths", AT_HTTP, "/length-two", 0, K_PAGES, OUT_PROTOCOL, OUT_BODY_CUT },
	{ "T16", "a negative length", AT_HTTP, "/length-negative", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T16", "a length of 23 digits", AT_HTTP, "/length-huge", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T16", "a length in words", AT_HTTP, "/length-words", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T16", "a chunk that is none", AT_HTTP, "/chunk-bad", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T16", "a chunk of 2^72 bytes", AT_HTTP, "/chunk-huge", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T16", "a chunk of -5 bytes", AT_HTTP, "/chunk-minus", 0, K_PAGES, ONE(OUT_PROTOCOL) },
	{ "T16", "a chunk extension without end", AT_HTTP, "/chunk-ext", 0, K_PAGES, OUT_TIMEOUT, OUT_TOO_LARGE },
	{ "T16", "a length and chunks", AT_HTTP, "/chunk-and-length", 0, K_PAGES, OUT_PRESENT, OUT_PROTOCOL },
	{ "T16", "chunks that stop", AT_HTTP, "/chunk-cut", 0, K_PAGES, ONE(OUT_BODY_CUT) },
	{ "T16", "a message longer than it says", AT_H2, "long", 0, K_GRPC, ONE(OUT_PROTOCOL) },
	{ "T17", "a flood of 100 Continue", AT_HTTP, "/1xx", 0, K_PAGES, ONE(OUT_TOO_LARGE) },
	{ "T17", "102 Processing, for ever", AT_HTTP, "/drip-1xx", 0, K_PAGES, ONE(OUT_TIMEOUT) },
	{ "T17", "switches protocols unasked", AT_HTTP, "/switching", 0, K_PAGES, OUT_PROTOCOL, OUT_STATUS },
	{ "T18", "an error page with status 200", AT_HTTP, "/error-page", 0, K_PAGES, ONE(OUT_BODY) },
	{ "T18", "the script of a page is an error page with status 200", AT_ASSET, "/error-page", 0, K_ASSETS, ONE(OUT_ASSET_TYPE) },
	{ "T18", "HTML with status 200", AT_H2, "html", 0, K_GRPC, ONE(OUT_HEADER) },
	{ "T19", "resets within the body", AT_HTTP, "/cut-reset", 0, K_PAGES | K_ASSETS, ONE(OUT_BODY_CUT) },
	{ "T19", "resets within the script of a page", AT_ASSET, "/cut-reset", 0, K_ASSETS, ONE(OUT_BODY_CUT) },
	{ "T19", "resets before an answer", AT_HTTP, "/reset", 0, K_PAGES, ONE(OUT_RESET) },
	{ "T19", "closes before an answer", AT_HTTP, "/close", 0, K_PAGES, ONE(OUT_CLOSED) },
	{ "T19", "resets after its first bytes", AT_WIRE, "", W_CUT_RESET, K_TCP, ONE(OUT_BODY_CUT) },
	{ "T19", "resets before its first byte", AT_WIRE, "", W_RESET, K_TCP, ONE(OUT_RESET) },
	{ "T19", "closes within a message", AT_H2, "cut", 0, K_GRPC, ONE(OUT_BODY_CUT) },
	{ "T19", "closes within the head", AT_HTTP, "/cut-head", 0, K_PAGES, ONE(OUT_BODY_CUT) },
	{ "T19", "a program that crashes", AT_PROGRAM, "kill -SEGV $$", 0, K_EXEC, ONE(OUT_EXEC_UNKNOWN) },
};
#undef ONE

/* What is no row of that form: where it is played, and what is asserted there. */
static const struct { const char *id, *what, *file, *want; } hostile_elsewhere[] = {
	{ "T20", "NXDOMAIN, SERVFAIL, REFUSED, an empty answer, a loop of names, a truncated answer, garbage", "tests/unit/hostile_net.c",
	  "`dns` from http, steps, tcp, tls and grpc; once more from memory" },
	{ "T20", "a resolver that hangs", "tests/unit/hostile_net.c", "`dns` at the timeout; others are asked meanwhile; one thread a name, not one a probe" },
	{ "T20", "another address at each question, or two of which one is dead", "tests/unit/hostile_net.c",
	  "the address that was found, kept for a while; the next where nobody is" },
	{ "-", "256 KiB of JSON, HTML, XML or text made to be costly", "tests/unit/hostile_bodies.c",
	  "an outcome by name, often `pattern-too-costly`; 50 ms of loop for all assertions of a feature together" },
	{ "-", "hangs, while it should be asked again and again", "tests/unit/hostile_pace.c", "one probe of a feature in flight on a target, of every kind" },
	{ "-", "costs many requests a probe (steps, redirects)", "tests/unit/hostile_pace.c", "every request counts towards `max_rate`" },
	{ "T21", "a feature alternates, a second good, a second bad", "tests/scenarios/150-alternates-each-second.sh", "one flip at most" },
	{ "T22", "a feature fails every third time, never twice in a row", "tests/scenarios/151-fails-every-third.sh", "failures add up: one rollback, and no more" },
	{ "T23", "a feature gets slower and slower, past the timeout", "tests/scenarios/152-slower-and-slower.sh", "one flip at most" },
	{ "T24", "a feature fails under load only", "tests/scenarios/153-fails-under-load.sh", "one flip at most" },
	{ "T25", "a feature is gone on both slots", "tests/scenarios/35-broken-on-both-stays.sh", "no flip, nothing condemned" },
	{ "T26", "both slots are dead", "tests/scenarios/154-both-slots-dead.sh", "no flip, nothing condemned; people are told" },
	{ "T27", "only the slot that nobody uses is dead", "tests/scenarios/155-standby-dead.sh", "no flip, no failed request; status says that the slot is not whole" },
};

#endif
