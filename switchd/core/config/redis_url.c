/* SPDX-License-Identifier: MIT
 * redis_url.c - reads the address of a store; resolves nothing. */
#include "switchd/core/config/redis_url.h"

#include <string.h>

#include "switchd/base/text.h"

struct why { char *text; size_t size; };
#define SAY(w, ...) (text_format((w)->text, (w)->size, __VA_ARGS__), false)

static bool read_db(const char *rest, int *db, const struct why *w)
{
	uint64_t n = 0;

	if (rest[0] && strcmp(rest, "/") != 0 && (rest[0] != '/' || !text_u64(rest + 1, &n) || n > REDIS_DB_MAX))
		return SAY(w, "want the number of a database after the host, got \"%s\"", rest);
	*db = (int)n;
	return true;
}

static bool read_server(const char *text, struct redis_url *u, const struct why *w)
{
	if (!address_parse(text, &u->node[0], w->text, w->size))
		return false;
	u->n = 1;
	if (!u->node[0].port_told)
		u->node[0].port = REDIS_PORT;
	return read_db(u->node[0].rest, &u->db, w);
}

static bool add_sentinel(struct redis_url *u, const char *scheme, const char *s, size_t len, const struct why *w)
{
	struct address *a = &u->node[u->n];
	char one[HOST_MAX_LEN + 32];

	if (u->n == SENTINELS_MAX)
		return SAY(w, "more than %d sentinels", SENTINELS_MAX);
	/* with a scheme the port may be missing */
	if (!text_format(one, sizeof(one), "%s://%.*s", scheme, (int)len, s))
		return SAY(w, "the name of a sentinel is too long");
	if (!address_parse(one, a, w->text, w->size))
		return false;
	a->rest = "";
	if (!a->port_told)
		a->port = SENTINEL_PORT;
	for (int i = 0; i < u->n; i++)
		if (strcmp(u->node[i].host, a->host) == 0 && u->node[i].port == a->port)
			return SAY(w, "the sentinel %.*s is told twice", (int)len, s);
	u->n++;
	return true;
}

static bool read_sentinels(const char *text, struct redis_url *u, const struct why *w)
{
	const char *scheme = u->tls ? "sentinels" : "sentinel", *s = text + strlen(scheme) + 3, *end = s + strcspn(s, "/");

	for (const char *part = s, *stop; part <= end; part = stop + 1) {
		stop = part + strcspn(part, ",/");
		if (!add_sentinel(u, scheme, part, (size_t)(stop - part), w))
			return false;
	}
	const char *name = *end ? end + 1 : end;
	size_t len = strcspn(name, "/");

	if (!text_copy_n(u->master, sizeof(u->master), name, len) || !name_ok(u->master))
		return SAY(w, "want the name of the master after the sentinels, such as %s://h1:26379,h2:26379/mymaster, got \"%s\"", scheme, text);
	return read_db(name + len, &u->db, w);
}

bool redis_url_parse(const char *text, struct redis_url *out, char *why, size_t why_size)
{
	const struct why w = { why, why_size };

	*out = (struct redis_url){ .kind = REDIS_EMBEDDED, .path = "" };
	if (strcmp(text, "embedded") == 0)
		return true;
	if (text_starts(text, "unix:")) {
		out->kind = REDIS_UNIX;
		out->path = text + 5;
		for (const char *p = out->path; *p; p++)
			if ((unsigned char)*p < 0x20 || *p == 0x7f)
				return SAY(&w, "want a path without control characters");
		return out->path[0] == '/' && out->path[1] && strlen(out->path) <= 107 ? true :
		       SAY(&w, "want unix: and an absolute path of at most 107 bytes");
	}
	bool sentinel = text_starts(text, "sentinel://") || text_starts(text, "sentinels://");

	if (!sentinel && !text_starts(text, "redis://") && !text_starts(text, "rediss://"))
		return SAY(&w, "want redis://host:port/db, rediss://host:port/db, sentinel://host:port,host:port/master/db, unix:/path or embedded");
	if (strchr(text, '@'))
		return SAY(&w, "a password does not stand in the URL: use user and password_file");
	out->kind = sentinel ? REDIS_SENTINEL : REDIS_SERVER;
	out->tls = text_starts(text, sentinel ? "sentinels" : "rediss");
	return sentinel ? read_sentinels(text, out, &w) : read_server(text, out, &w);
}
