/* SPDX-License-Identifier: MIT
 * targets.c - reads and prints addresses of slots; resolves nothing. */
#include "switchd/core/targets.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "switchd/base/arena.h"
#include "switchd/core/config/address.h"

enum {
	UNIX_PATH_MAX = 107,    /* what fits into a socket's address */
	FILE_PATH_MAX = 200,    /* so that every refusal has room for it and for its reason */
};

bool target_read(struct arena *arena, const char *text, bool front_tls, struct target *out, char *why, size_t size)
{
	struct address a;

	if (text_starts(text, "unix:")) {
		if (text[5] != '/' || strlen(text + 5) > UNIX_PATH_MAX) {
			text_format(why, size, "want unix: and an absolute path of at most 107 bytes, got \"%s\"", text);
			return false;
		}
		*out = (struct target){ .text = text, .host = "", .unix_path = text + 5 };
		return true;
	}
	if (!address_parse(text, &a, why, size))
		return false;
	if (a.scheme[0] && strcmp(a.scheme, "http") != 0 && strcmp(a.scheme, "https") != 0) {
		text_format(why, size, "want host:port, http://host:port, https://host:port or unix:/path, got \"%s\"", text);
		return false;
	}
	if (a.rest[0] && strcmp(a.rest, "/") != 0) {
		text_format(why, size, "a target has no path: \"%s\"", text);
		return false;
	}
	*out = (struct target){ .unix_path = "", .text = text, .host = arena_str(arena, a.host), .port = a.port,
				.tls = a.scheme[0] ? strcmp(a.scheme, "https") == 0 : a.port == 443 && front_tls };
	return true;
}

bool target_same(const struct target *a, const struct target *b)
{
	return strcmp(a->unix_path, b->unix_path) == 0 && a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

/* ---- sources ---- */

bool source_is(const char *text) { return text_starts(text, "dns:") || text_starts(text, "file:"); }

bool source_parse(struct arena *arena, const char *text, struct target_source *out, char *why, size_t size)
{
	struct address a;

	*out = (struct target_source){ .text = text, .host = "", .scheme = "", .path = "" };
	if (text_starts(text, "file:")) {
		if (text[5] != '/' || strlen(text) > 5 + FILE_PATH_MAX || strpbrk(text, "\r\n\t")) {
			text_format(why, size, "want file: and an absolute path of at most 200 bytes in one line, got \"%s\"", text);
			return false;
		}
		out->kind = SOURCE_FILE;
		out->path = text + 5;
		return true;
	}
	must(text_starts(text, "dns:"));
	if (!address_parse(text + 4, &a, why, size))
		return false;
	if ((a.scheme[0] && strcmp(a.scheme, "http") != 0 && strcmp(a.scheme, "https") != 0) || a.rest[0] || strchr(a.host, ':')) {
		text_format(why, size, "want dns:NAME:PORT or dns:https://NAME:PORT, got \"%s\"", text);
		return false;
	}
	out->kind = SOURCE_DNS;
	out->host = arena_str(arena, a.host);
	out->port = a.port;
	out->scheme = arena_str(arena, a.scheme);
	return true;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

void source_lines(const struct target_source *s, const char (*ip)[64], size_t n, struct buf *lines)
{
	const char **sorted = xcalloc(n, sizeof(*sorted));

	for (size_t i = 0; i < n; i++)
		sorted[i] = ip[i];
	qsort(sorted, n, sizeof(*sorted), by_text);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0)
			buf_addf(lines, strchr(sorted[i], ':') ? "%s%s[%s]:%u\n" : "%s%s%s:%u\n", s->scheme, s->scheme[0] ? "://" : "", sorted[i],
				 s->port);
	free(sorted);
}

/* ---- lists ---- */

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* Without blanks round it, and without a comment: one at the begin of the line, or behind a blank. */
static void strip(const char **line, size_t *n)
{
	while (*n && blank(**line))
		(*line)++, (*n)--;
	for (size_t i = 0; i < *n; i++)
		if ((*line)[i] == '#' && (i == 0 || blank((*line)[i - 1]))) {
			*n = i;
			break;
		}
	while (*n && blank((*line)[*n - 1]))
		(*n)--;
}

static bool add_line(struct arena *arena, const char *line, size_t n, bool front_tls, struct target_list *l, int *at, int number, char *why,
		     size_t size)
{
	char shown[200];

	if (l->n == MAX_TARGETS) {
		text_format(why, size, "at most %d targets in a slot", MAX_TARGETS);
		return false;
	}
	if (n > 300) {
		text_printable(shown, sizeof(shown), line, 60);
		text_format(why, size, "want an address, got \"%s...\"", shown);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] <= ' ' || (unsigned char)line[i] > '~') {
			text_printable(shown, sizeof(shown), line, n > 100 ? 100 : n);
			text_format(why, size, "want one address a line, got \"%s\"", shown);
			return false;
		}
	if (!target_read(arena, arena_strn(arena, line, n), front_tls, &l->target[l->n], why, size))
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (target_same(&l->target[i], &l->target[l->n])) {
			text_format(why, size, "\"%s\" is there already (line %d)", l->target[l->n].text, at[i]);
			return false;
		}
	at[l->n++] = number;
	return true;
}

bool targets_parse(struct arena *arena, const char *name, const char *text, size_t len, bool front_tls, struct target_list *out, char *why,
		   size_t size)
{
	struct target_list l = { .target = arena_alloc(arena, MAX_TARGETS * sizeof(struct target)) };
	const char *end = text + len;
	int at[MAX_TARGETS], number = 1;
	char what[512];

	for (const char *p = text; p < end; number++) {
		const char *stop = memchr(p, '\n', (size_t)(end - p)), *line = p;
		size_t n = (size_t)((stop ? stop : end) - p);

		p += n + 1;
		strip(&line, &n);
		if (n && !add_line(arena, line, n, front_tls, &l, at, number, what, sizeof(what))) {
			text_format(why, size, "%s:%d: %s", name, number, what);
			return false;
		}
	}
	if (!l.n) {
		text_format(why, size, "%s: there is no target in it", name);
		return false;
	}
	*out = l;
	return true;
}

const struct target *targets_shared(const struct target *a, size_t n, const struct target *b, size_t m)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < m; k++)
			if (target_same(&a[i], &b[k]))
				return &a[i];
	return NULL;
}

static size_t missing_from(const struct target *a, size_t n, const struct target *b, size_t m)
{
	size_t missing = 0;

	for (size_t i = 0; i < n; i++)
		missing += targets_shared(&a[i], 1, b, m) == NULL;
	return missing;
}

void targets_said(const struct target *was, size_t n, const struct target_list *now, const char *source, char *out, size_t size)
{
	size_t new = missing_from(now->target, now->n, was, n), gone = missing_from(was, n, now->target, now->n), used;

	(void)text_format(out, size, "%zu target%s of %s", now->n, now->n == 1 ? "" : "s", source);
	if (new) {
		used = strlen(out);
		(void)text_format(out + used, size - used, ", %zu new", new);
	}
	if (gone) {
		used = strlen(out);
		(void)text_format(out + used, size - used, ", %zu gone", gone);
	}
	if (!new && !gone) {
		used = strlen(out);
		(void)text_format(out + used, size - used, ", as before");
	}
}

/* ---- what is kept ---- */

static const char FROM[] = "# from ", AT[] = "# at ", END[] = "# end\n";

void frozen_print(struct buf *b, const struct target *t, size_t n, const char *from, wall_ms at)
{
	buf_adds(b, "# Written by switchd: the addresses of this slot as the last claim or deploy read them.  The next one reads them again.\n");
	buf_addf(b, "%s%s\n%s%lld\n", FROM, from, AT, (long long)at.ms);
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%s\n", t[i].text);
	buf_adds(b, END);
}

/* The rest of the line that begins with `mark`, or NULL. */
static const char *tail_of(struct arena *arena, const char *text, size_t len, const char *mark)
{
	size_t skip = strlen(mark);

	for (const char *p = text, *end = text + len; p < end;) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((stop ? stop : end) - p);

		if (n > skip && memcmp(p, mark, skip) == 0)
			return arena_strn(arena, p + skip, n - skip);
		p += n + 1;
	}
	return NULL;
}

bool frozen_parse(struct arena *arena, const char *text, size_t len, struct frozen_text *out)
{
	const char *from = tail_of(arena, text, len, FROM), *at = tail_of(arena, text, len, AT);
	uint64_t ms;

	/* Without its end it may be half a list. */
	if (len < strlen(END) || memcmp(text + len - strlen(END), END, strlen(END)) != 0)
		return false;
	if (!from || !at || !text_u64(at, &ms) || ms > INT64_MAX)
		return false;
	*out = (struct frozen_text){ .from = from, .at = { (int64_t)ms }, .lines = text, .len = len };
	return true;
}
