/* SPDX-License-Identifier: MIT
 * visit.h - what invoices --visit has beside its features: a login, an account, and a front end with a bundle.
 *
 *   GET /login, POST /login (user, password, csrf), GET /account (with the session), POST /logout
 *   GET /ui (a page), /ui/app-1f.js, /ui/app-2e.css */
#ifndef TESTS_FAKES_VISIT_H
#define TESTS_FAKES_VISIT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct visit {
	bool on;
	bool bundle_html;       /* the bundle's path answers the index page */
	bool leak;              /* the account is broken, and its error page shows all it knows */
	char password[128];     /* that is right; "" = any */
	char seen[128], raw[256];       /* the last one that came, decoded and as it came */
	unsigned long logins, logouts;
};

struct visit_answer { int status; const char *type; char more[256], body[2048]; };

#define VISIT_SESSION "visit-session-7c1e55"
#define VISIT_CSRF "tok+en/1="

static inline void visit_decode(char *s)
{
	char *out = s;

	for (; *s; s++)
		if (*s == '%' && s[1] && s[2]) {
			char hex[3] = { s[1], s[2], '\0' };

			*out++ = (char)strtol(hex, NULL, 16);
			s += 2;
		} else {
			*out++ = *s == '+' ? ' ' : *s;
		}
	*out = '\0';
}

/* The field of a form, as it came. */
static inline bool visit_field(const char *body, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	for (const char *p = body; p; p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL)
		if (strncmp(p, name, n) == 0 && p[n] == '=') {
			snprintf(out, size, "%.*s", (int)strcspn(p + n + 1, "&"), p + n + 1);
			return true;
		}
	return false;
}

static inline void visit_login(struct visit *v, const char *body, struct visit_answer *a)
{
	char csrf[128] = "";

	visit_field(body, "password", v->raw, sizeof(v->raw));
	snprintf(v->seen, sizeof(v->seen), "%.127s", v->raw);
	visit_decode(v->seen);
	visit_field(body, "csrf", csrf, sizeof(csrf));
	visit_decode(csrf);
	if (strcmp(csrf, VISIT_CSRF) != 0 || (v->password[0] && strcmp(v->password, v->seen) != 0)) {
		snprintf(a->body, sizeof(a->body), "<p>wrong: %s</p>\n", v->seen);
		return;
	}
	v->logins++;
	a->status = 302;
	snprintf(a->more, sizeof(a->more), "Location: /account\r\nSet-Cookie: session=%s; Path=/; HttpOnly\r\n", VISIT_SESSION);
}

/* False: it is none of these. */
static inline bool visit_request(struct visit *v, const char *method, const char *path, const char *head, const char *body, struct visit_answer *a)
{
	bool post = strcmp(method, "POST") == 0, in = strstr(head, "session=" VISIT_SESSION) != NULL;

	*a = (struct visit_answer){ .status = 200, .type = "text/html; charset=utf-8" };
	if (!v->on)
		return false;
	if (strcmp(path, "/login") == 0 && post) {
		visit_login(v, body, a);
	} else if (strcmp(path, "/login") == 0) {
		snprintf(a->body, sizeof(a->body), "<form><input type=\"hidden\" name=\"csrf\" value=\"" VISIT_CSRF "\"></form>\n");
	} else if (strcmp(path, "/account") == 0 && !in) {
		a->status = 302;
		snprintf(a->more, sizeof(a->more), "Location: /login\r\n");
	} else if (strcmp(path, "/account") == 0) {
		a->status = v->leak ? 500 : 200;
		if (v->leak)
			snprintf(a->more, sizeof(a->more), "X-Debug: %.100s\r\n", v->seen);
		snprintf(a->body, sizeof(a->body), v->leak ? "{\"password\":\"%s\",\"form\":\"%s\",\"session\":\"" VISIT_SESSION "\"}\n" :
			 "<h1>Account of probe</h1>\n", v->seen, v->raw);
	} else if (strcmp(path, "/logout") == 0 && post) {
		v->logouts++;
		a->status = 302;
		snprintf(a->more, sizeof(a->more), "Location: /login\r\n");
	} else if (strcmp(path, "/ui") == 0 || (strcmp(path, "/ui/app-1f.js") == 0 && v->bundle_html)) {
		snprintf(a->body, sizeof(a->body), "<!doctype html><html><head><title>App</title><link rel=\"stylesheet\" href=\"/ui/app-2e.css\">"
			 "<script type=\"module\" src=\"/ui/app-1f.js\"></script></head><body><div id=\"root\"></div></body></html>\n");
	} else if (strcmp(path, "/ui/app-1f.js") == 0) {
		a->type = "text/javascript";
		snprintf(a->body, sizeof(a->body), "const app = 'shop-ui';\n");
	} else if (strcmp(path, "/ui/app-2e.css") == 0) {
		a->type = "text/css";
		snprintf(a->body, sizeof(a->body), "body { margin: 0 }\n");
	} else {
		return false;
	}
	return true;
}

#endif
