/* SPDX-License-Identifier: MIT
 * prove_stub.c - the answers of the stubs. */
#include "probes/prove_stub.h"

#include <stdlib.h>
#include <string.h>

#include "switchd/base/must.h"
#include "switchd/base/text.h"
#include "switchd/io/httpd.h"

struct stub_answer {
	struct stub_info info;
	unsigned status;
	const char *type, *location, *body;
};

static const struct stub_answer answers[N_STUBS] = {
	[STUB_MISSING] = { { "404", "a 404" }, 404, "text/html; charset=utf-8", NULL,
			   "<!doctype html><html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n" },
	[STUB_EMPTY] = { { "empty", "an empty 200" }, 200, "text/html; charset=utf-8", NULL, "" },
	[STUB_INDEX] = { { "index", "an index page for every path" }, 200, "text/html; charset=utf-8", NULL,
			 "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>App</title>"
			 "<link rel=\"stylesheet\" href=\"/assets/app.css\"><script type=\"module\" src=\"/assets/app.js\"></script></head>"
			 "<body><noscript>Please enable JavaScript.</noscript><div id=\"root\"></div><div id=\"app\"></div></body></html>\n" },
	[STUB_LOGIN] = { { "login", "a redirect to a login" }, 302, "text/html; charset=utf-8", "/login", "" },
	[STUB_ERROR_PAGE] = { { "error", "an error page with 200" }, 200, "text/html; charset=utf-8", NULL,
			      "<!doctype html><html><head><title>Error</title></head><body><h1>Something went wrong</h1>"
			      "<p>500 Internal Server Error. Please try again later.</p></body></html>\n" },
	[STUB_OBJECT] = { { "{}", "an empty JSON object" }, 200, "application/json", NULL, "{}" },
	[STUB_LIST] = { { "[]", "an empty JSON list" }, 200, "application/json", NULL, "[]" },
	[STUB_ERROR_OBJECT] = { { "{error}", "a JSON error with 200" }, 200, "application/json", NULL,
				"{\"error\":{\"code\":500,\"message\":\"internal error\"},\"status\":\"error\"}" },
};

struct stubs { struct httpd *server; };

const struct stub_info *stub_info(enum stub s)
{
	must(s < N_STUBS);
	return &answers[s].info;
}

static void answer(void *arg, struct httpd_request *req)
{
	const struct stub_answer *a = &answers[req->listener];
	const struct httpd_header location = { "Location", a->location };

	(void)arg;
	httpd_answer(req, a->status, a->type, &location, a->location ? 1 : 0, a->body, strlen(a->body));
}

struct stubs *stubs_new(struct ev_loop *loop, char *error, size_t size)
{
	struct stubs *s = xcalloc(1, sizeof(*s));

	s->server = httpd_new(loop, answer, NULL);
	for (int i = 0; i < N_STUBS; i++) {
		struct httpd_listener l = { .id = i, .host = "127.0.0.1", .max_connections = 32 };

		if (!httpd_listen(s->server, &l, error, size)) {
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
	free(*sp);
	*sp = NULL;
}

uint16_t stubs_port(const struct stubs *s, enum stub which) { return httpd_port(s->server, which); }
