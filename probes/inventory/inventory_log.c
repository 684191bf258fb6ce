/* SPDX-License-Identifier: MIT
 * inventory_log.c - the paths that users ask for most, out of an access log.
 *
 * Common, combined, and HAProxy's http format have the request in quotes; the status stands behind
 * it in the former, after the five times in the latter.  A line of another form is counted, not read. */
#include <stdlib.h>
#include <string.h>

#include "probes/inventory/inventory.h"

enum { MAX_PATHS = 65536, LINE_MAX_BYTES = 16384 };

/* ---- paths ---- */

static bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/* A number, a UUID, eight or more hex digits with a number among them, or a token too long to be a word. */
static bool is_id(const char *s, size_t n)
{
	size_t digits = 0, hex = 0, dashes = 0, dots = 0;

	for (size_t i = 0; i < n; i++) {
		digits += s[i] >= '0' && s[i] <= '9';
		hex += is_hex(s[i]);
		dashes += s[i] == '-';
		dots += s[i] == '.';
	}
	if (!n || !digits)
		return false;
	return digits == n || (hex + dashes == n && hex >= 8) || (n >= 20 && !dots && digits >= 4);
}

bool inventory_normalise(const char *path, size_t len, char out[INVENTORY_MAX_PATH + 1])
{
	struct buf b = BUF_INIT(INVENTORY_MAX_PATH);
	size_t end = 0;

	while (end < len && path[end] && path[end] != '?' && path[end] != '#')
		end++;
	if (!end || path[0] != '/')
		return false;
	for (size_t at = 0; at < end;) {
		size_t to = at + 1;

		while (to < end && path[to] != '/')
			to++;
		if (is_id(path + at + 1, to - at - 1))
			buf_adds(&b, "/{id}");
		else
			buf_add(&b, path + at, to - at);
		at = to;
	}
	bool ok = !b.full && text_copy(out, INVENTORY_MAX_PATH + 1, buf_str(&b));

	buf_free(&b);
	return ok;
}

/* ---- lines ---- */

static long number(const char *s, const char *end)
{
	long v = 0;
	size_t n = 0;

	while (s < end && *s >= '0' && *s <= '9' && n++ < 3)
		v = 10 * v + (*s++ - '0');
	return n == 3 && (s == end || *s == ' ') ? v : 0;
}

/* HAProxy: "... 0/0/0/12/12 200 1234 - - ---- ...": the status follows the times. */
static long haproxy_status(const char *s, const char *quote)
{
	while (s < quote) {
		const char *end = memchr(s, ' ', (size_t)(quote - s));
		int slashes = 0;
		bool times = s < quote && *s != ' ';

		if (!end)
			return 0;
		for (const char *p = s; p < end; p++) {
			slashes += *p == '/';
			times = times && strchr("0123456789/+-", *p);
		}
		if (times && slashes == 4)
			return number(end + 1, quote);
		s = end + 1;
	}
	return 0;
}

/* A GET that was answered with something: its path; false for anything else.  known: the line has a form that we read. */
static bool read_line(const char *line, size_t n, const char **path, size_t *len, bool *known)
{
	const char *end = line + n, *quote = memchr(line, '"', n), *p, *close;
	long status;

	*known = false;
	/* "BADREQ" and empty requests are quoted too; users' names with quotes are not worth their price. */
	if (!quote || !(close = memchr(quote + 1, '"', (size_t)(end - quote - 1))))
		return false;
	status = close + 2 < end && close[1] == ' ' ? number(close + 2, end) : 0;
	if (!status)
		status = haproxy_status(line, quote);
	if (!status)
		return false;
	*known = true;
	p = quote + 1;
	if (close - p > 4 && memcmp(p, "GET ", 4) == 0)
		p += 4;
	else if (close - p > 5 && memcmp(p, "HEAD ", 5) == 0)
		p += 5;
	else
		return false;
	const char *stop = memchr(p, ' ', (size_t)(close - p));

	*path = p;
	*len = (size_t)((stop ? stop : close) - p);
	return status >= 200 && status < 400;
}

/* ---- counting ---- */

struct counted { char *path; size_t times; };
struct counts { struct counted *list; size_t n; uint32_t *index; };

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

/* False: there are too many different ones; those that are there already go on counting. */
static bool count(struct counts *c, const char *path)
{
	size_t mask = 2 * MAX_PATHS - 1, at = hash(path) & mask;

	for (; c->index[at]; at = (at + 1) & mask)
		if (strcmp(c->list[c->index[at] - 1].path, path) == 0) {
			c->list[c->index[at] - 1].times++;
			return true;
		}
	if (c->n == MAX_PATHS)
		return false;
	c->list[c->n++] = (struct counted){ xstrdup(path), 1 };
	c->index[at] = (uint32_t)c->n;
	return true;
}

static int most_first(const void *pa, const void *pb)
{
	const struct counted *a = pa, *b = pb;

	return a->times != b->times ? (a->times > b->times ? -1 : 1) : strcmp(a->path, b->path);
}

bool inventory_log(struct inventory *inv, const struct inventory_doc *doc, char *err, size_t size)
{
	struct counts c = { .list = xcalloc(MAX_PATHS, sizeof(struct counted)), .index = xcalloc(2 * MAX_PATHS, sizeof(uint32_t)) };
	size_t lines = 0, read = 0, crowd = 0, len;
	char normal[INVENTORY_MAX_PATH + 1];
	const char *path;
	bool known;

	for (const char *p = doc->text, *end = doc->text + doc->len; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl : end) - p);

		known = false;
		lines += n > 0;
		if (n <= LINE_MAX_BYTES && read_line(p, n, &path, &len, &known)) {
			if (inventory_normalise(path, len, normal))
				crowd += !count(&c, normal);
		}
		read += known;
		p += n + 1;
	}
	qsort(c.list, c.n, sizeof(*c.list), most_first);
	for (size_t i = 0; i < c.n && i < (size_t)doc->source->top; i++)
		inventory_add(inv, c.list[i].path, strlen(c.list[i].path), doc->number, doc->source->ask, true);
	if (!read)
		text_format(err, size, lines ? "no line has a form that is read here: common, combined, or HAProxy's http" : "the log is empty");
	else if (crowd)
		inventory_note(inv, false, "%s: more than %d different paths: the rarest of its end are left out", doc->source->where, MAX_PATHS);
	for (size_t i = 0; i < c.n; i++)
		free(c.list[i].path);
	free(c.list);
	free(c.index);
	return read > 0;
}
