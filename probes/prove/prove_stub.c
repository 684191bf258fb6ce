/* SPDX-License-Identifier: MIT
 * prove_stub.c - the answers of the stubs. */
#include "probes/prove/prove_stub.h"

#include <stdlib.h>
#include <string.h>

#include "probes/prove/prove_wire.h"
#include "switchd/base/must.h"
#include "switchd/base/text.h"
#include "switchd/io/httpd.h"

struct stub_answer {
	struct stub_info info;
	unsigned status;
	const char *type, *location, *body;
};

#define INDEX_PAGE                                                                                                              \
	"<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>App</title>"                                       \
	"<link rel=\"stylesheet\" href=\"/assets/app.css\"><script type=\"module\" src=\"/assets/app.js\"></script></head>"       \
	"<body><noscript>Please enable JavaScript.</noscript><div id=\"root\"></div><div id=\"app\"></div></body></html>\n"

static const struct stub_answer answers[N_STUBS] = {
	[STUB_MISSING] = { { "404", "a 404" }, 404, "text/html; charset=utf-8", NULL,
			   "<!doctype html><html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n" },
	[STUB_EMPTY] = { { "empty", "an empty 200" }, 200, "text/html; charset=utf-8", NULL, "" },
	[STUB_INDEX] = { { "index", "an index page for every path" }, 200, "text/html; charset=utf-8", NULL, INDEX_PAGE },
	[STUB_LOGIN] = { { "login", "a redirect to a login" }, 302, "text/html; charset=utf-8", "/login", "" },
	[STUB_ERROR_PAGE] = { { "error", "an error page with 200" }, 200, "text/html; charset=utf-8", NULL,
			      "<!doctype html><html><head><title>Error</title></head><body><h1>Something went wrong</h1>"
			      "<p>500 Internal Server Error. Please try again later.</p></body></html>\n" },
	[STUB_OBJECT] = { { "{}", "an empty JSON object" }, 200, "application/json", NULL, "{}" },
	[STUB_LIST] = { { "[]", "an empty JSON list" }, 200, "application/json", NULL, "[]" },
	[STUB_ERROR_OBJECT] = { { "{error}", "a JSON error with 200" }, 200, "application/json", NULL,
				"{\"error\":{\"code\":500,\"message\":\"internal error\"},\"status\":\"error\"}" },
	[STUB_NO_SCRIPTS] = { { "gone", "a page whose scripts and styles are 404" }, 200, "text/html; charset=utf-8", NULL, INDEX_PAGE },
	[STUB_OTHER_BUILD] = { { "other", "the page and scripts of another build" }, 200, "text/html; charset=utf-8", NULL, INDEX_PAGE },
	[STUB_SILENT] = { .info = { "silent", "a port that accepts and closes without a word" } },
	[STUB_ERROR_LINE] = { .info = { "-ERR", "a port that answers with an error line" } },
	[STUB_UNIMPLEMENTED] = { .info = { "unknown", "a gRPC server that does not know the service" } },
	[STUB_NOT_SERVING] = { .info = { "down", "a gRPC service that is not serving" } },
	[STUB_NOT_GRPC] = { .info = { "no-grpc", "a page of HTML over HTTP/2" } },
	[STUB_WEBSOCKET] = { .info = { "message", "a WebSocket whose message is an error" } },
	[STUB_SELF_SIGNED] = { .info = { "self", "a certificate that is signed by nobody" } },
};

struct stubs { struct httpd *server; struct wire_stub *wire[N_STUBS]; };

const struct stub_info *stub_info(enum stub s)
{
	must(s < N_STUBS);
	return &answers[s].info;
}

static bool ends_with(const char *path, const char *end)
{
	size_t n = strlen(path), e = strlen(end);

	return n >= e && strcmp(path + n - e, end) == 0;
}

/* Of the two stubs that tell a page from what it is made of. */
static const struct stub_answer *of_path(int which, const char *path)
{
	static const struct stub_answer script = { { "", "" }, 200, "text/javascript", NULL, "export const app = null;\n" },
					style = { { "", "" }, 200, "text/css", NULL, "body { margin: 0 }\n" };
	bool is_script = ends_with(path, ".js"), is_style = ends_with(path, ".css");

	if (which == STUB_NO_SCRIPTS && (is_script || is_style))
		return &answers[STUB_MISSING];
	if (which == STUB_OTHER_BUILD && (is_script || is_style))
		return is_script ? &script : &style;
	return &answers[which];
}

static void answer(void *arg, struct httpd_request *req)
{
	const struct stub_answer *a = of_path(req->listener, req->path);
	const struct httpd_header location = { "Location", a->location };

	(void)arg;
	httpd_answer(req, a->status, a->type, &location, a->location ? 1 : 0, a->body, strlen(a->body));
}

struct stubs *stubs_new(struct ev_loop *loop, char *error, size_t size)
{
	struct stubs *s = xcalloc(1, sizeof(*s));

	s->server = httpd_new(loop, answer, NULL);
	for (int i = 0; i < N_HTTP_STUBS; i++) {
		struct httpd_listener l = { .id = i, .host = "127.0.0.1", .max_connections = 32 };

		if (!httpd_listen(s->server, &l, error, size)) {
			stubs_free(&s);
			return NULL;
		}
	}
	for (int i = N_HTTP_STUBS; i < N_STUBS; i++) {
		s->wire[i] = wire_stub_new(loop, (enum stub)i, error, size);
		if (!s->wire[i]) {
			stubs_free(&s);
			return NULL;
		}
	}
	return s;
}

void stubs_free(struct stubs **sp)
{
	if (!*sp)
		return;
	httpd_free(&(*sp)->server);
	for (int i = N_HTTP_STUBS; i < N_STUBS; i++)
		wire_stub_free(&(*sp)->wire[i]);
	free(*sp);
	*sp = NULL;
}

uint16_t stubs_port(const struct stubs *s, enum stub which)
{
	return which < N_HTTP_STUBS ? httpd_port(s->server, which) : wire_stub_port(s->wire[which]);
}
