/* SPDX-License-Identifier: MIT
 * prove_stub.h - servers that lack every feature: what an application answers when something is gone.
 *
 * Each stub gives one answer to whoever asks, on a loopback port of its own that the system chooses.
 * A probe that passes against one of them would not have noticed that loss. */
#ifndef PROBES_PROVE_STUB_H
#define PROBES_PROVE_STUB_H

#include <stddef.h>
#include <stdint.h>

enum stub {
	STUB_MISSING,           /* 404 */
	STUB_EMPTY,             /* 200 and nothing */
	STUB_INDEX,             /* the same page for every path: a single-page application */
	STUB_LOGIN,             /* 302 to a login */
	STUB_ERROR_PAGE,        /* "something went wrong", and 200 */
	STUB_OBJECT, STUB_LIST, STUB_ERROR_OBJECT,      /* for JSON: {}, [], {"error": ...} and 200 */
	STUB_NO_SCRIPTS,        /* an index page, and 404 for every script and style */
	STUB_OTHER_BUILD,       /* an index page with scripts and styles that are fine, and not those of this application */
	N_HTTP_STUBS,
	STUB_SILENT = N_HTTP_STUBS,     /* a port that accepts, and closes without a word */
	STUB_ERROR_LINE,        /* a port that says "-ERR ..." */
	STUB_UNIMPLEMENTED,     /* a gRPC server that does not know the service */
	STUB_NOT_SERVING,       /* ... that says NOT_SERVING */
	STUB_NOT_GRPC,          /* HTTP/2 that is a page */
	STUB_WEBSOCKET,         /* upgraded, and a message that is an error */
	STUB_SELF_SIGNED,       /* TLS with a certificate that nobody signed */
	N_STUBS
};

enum {
	STUBS_HTTP = 1u << STUB_MISSING | 1u << STUB_EMPTY | 1u << STUB_INDEX | 1u << STUB_LOGIN | 1u << STUB_ERROR_PAGE,
	STUBS_JSON = 1u << STUB_OBJECT | 1u << STUB_LIST | 1u << STUB_ERROR_OBJECT,
	STUBS_GRPC = 1u << STUB_UNIMPLEMENTED | 1u << STUB_NOT_SERVING | 1u << STUB_NOT_GRPC,
};

struct stub_info {
	const char *name;       /* in JSON, and at the head of a column */
	const char *what;       /* "an empty 200" */
};
const struct stub_info *stub_info(enum stub);

struct ev_loop;
struct stubs;
struct stubs *stubs_new(struct ev_loop *, char *error, size_t error_size);      /* NULL: error says why */
void stubs_free(struct stubs **);
uint16_t stubs_port(const struct stubs *, enum stub);

#endif
