/* SPDX-License-Identifier: MIT
 * body.c - what a request carries, read strictly: a parameter or member that is not known is never ignored,
 * since `?dryrun=1` must not become the real thing. */
#include <string.h>
#include <strings.h>

#include "switchd/api/route.h"

static bool read_query(struct call *c)
{
	const char *dry = httpd_query(c->req, "dry_run"), *name, *value;
	char detail[160], safe[64];

	if (dry && strcmp(dry, "1") != 0 && strcmp(dry, "true") != 0 && strcmp(dry, "0") != 0 && strcmp(dry, "false") != 0) {
		answer_bad(c, "bad-query", "dry_run is 1 or 0");
		return false;
	}
	c->dry_run = dry && (dry[0] == '1' || dry[0] == 't');
	for (size_t i = 0; c->route->members && httpd_query_at(c->req, i, &name, &value); i++) {
		if (strcmp(name, "dry_run") == 0)
			continue;
		text_printable(safe, sizeof(safe), name, strlen(name));
		TEXT_FORMAT(detail, "unknown parameter \"%s\"; known here: dry_run", safe);
		answer_bad(c, "bad-query", detail);
		return false;
	}
	return true;
}

static bool is_json(const char *type)
{
	static const char want[] = "application/json";
	size_t n = sizeof(want) - 1;

	return type && strncasecmp(type, want, n) == 0 && (type[n] == '\0' || type[n] == ';' || type[n] == ' ');
}

static bool member_known(const char *members, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = members; n && (p = strstr(p, key)); p += n)
		if ((p == members || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static bool members_good(struct call *c)
{
	const char *key;
	json_t *value;
	char detail[320];

	json_object_foreach(c->body, key, value) {
		bool force = strcmp(key, "force") == 0, list = strcmp(key, "skip") == 0, number = strcmp(key, "deploy") == 0;
		/* As the text of a file, or as it is in JSON. */
		bool either = (strcmp(key, "manifest") == 0 || strcmp(key, "state") == 0) && json_is_object(value);
		char safe[65];

		if (!member_known(c->route->members, key)) {
			text_printable(safe, sizeof(safe), key, strlen(key));
			TEXT_FORMAT(detail, "unknown member \"%s\"; known here: %s", safe, c->route->members);
			answer_bad(c, "unknown-member", detail);
			return false;
		}
		if (!either && (force ? !json_is_boolean(value) : list ? !json_is_array(value) : number ? !json_is_integer(value) : !json_is_string(value))) {
			TEXT_FORMAT(detail, "%.64s is a %s", key, force ? "boolean" : list ? "list" : number ? "number" : "string");
			answer_bad(c, "bad-member", detail);
			return false;
		}
	}
	return true;
}

bool request_read(struct call *c)
{
	json_error_t e = { .text = "" };
	char detail[320], safe[200];

	if (!read_query(c))
		return false;
	if (!c->route->members)
		return true;
	/* The listeners take more than that for the sake of a manifest, the unix socket for a whole state. */
	bool manifest = member_known(c->route->members, "manifest"), state = member_known(c->route->members, "state");

	if (c->req->body_len > (state ? STATE_BODY_MAX : manifest ? ORDER_BODY_MAX : HTTPD_BODY_MAX)) {
		answer_problem(c, 413, "too-large", "The body is too large.", state ? "at most 8 MiB" : manifest ? "at most 192 KiB" : "at most 64 KiB", 2);
		return false;
	}
	if (c->req->body_len && !is_json(httpd_header(c->req, "Content-Type"))) {
		answer_problem(c, 415, "bad-type", "The content type is not known.", "a body is application/json", 2);
		return false;
	}
	c->body = c->req->body_len ? json_loadb(c->req->body, c->req->body_len, JSON_REJECT_DUPLICATES, &e) : json_object();
	if (!c->body) {
		text_printable(safe, sizeof(safe), e.text, strlen(e.text));
		TEXT_FORMAT(detail, "line %d column %d: %s", e.line, e.column, safe);
		answer_bad(c, "malformed", detail);
		return false;
	}
	if (!json_is_object(c->body)) {
		answer_bad(c, "malformed", "line 1 column 1: a body is one object");
		return false;
	}
	return members_good(c);
}
