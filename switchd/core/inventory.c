/* SPDX-License-Identifier: MIT
 * inventory.c - a list of routes, each once. */
#include "switchd/core/inventory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct inventory *inventory_new(void) { return xcalloc(1, sizeof(struct inventory)); }

void inventory_free(struct inventory **ip)
{
	struct inventory *inv = *ip;

	if (!inv)
		return;
	for (size_t i = 0; i < inv->n; i++) {
		free(inv->routes[i].path);
		free(inv->routes[i].shape);
	}
	free(inv->routes);
	free(inv->index);
	free(inv);
	*ip = NULL;
}

void inventory_note(struct inventory *inv, bool failed, const char *fmt, ...)
{
	char text[INVENTORY_NOTE];
	va_list ap;

	inv->failed = inv->failed || failed;
	if (inv->n_notes == INVENTORY_MAX_NOTES)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_printable(inv->notes[inv->n_notes++], INVENTORY_NOTE, text, strlen(text));
}

void inventory_absent(struct inventory *inv, int source, const char *fmt, ...)
{
	char text[INVENTORY_NOTE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	inventory_note(inv, false, "%s", text);
	inv->absent |= 1u << source;
}

/* ---- finding ---- */

static uint32_t hash(const char *s, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h;
}

/* The place of a path in the index: its own, or the free one where it would go. */
static size_t place(const struct inventory *inv, const char *path, size_t len)
{
	size_t at = hash(path, len) & (inv->index_size - 1);

	for (; inv->index[at]; at = (at + 1) & (inv->index_size - 1)) {
		const char *there = inv->routes[inv->index[at] - 1].path;

		if (strncmp(there, path, len) == 0 && !there[len])
			break;
	}
	return at;
}

/* At most half full, so that a free place ends every search. */
static void reindex(struct inventory *inv, size_t size)
{
	free(inv->index);
	inv->index = xcalloc(size, sizeof(*inv->index));
	inv->index_size = size;
	for (size_t i = 0; i < inv->n; i++)
		inv->index[place(inv, inv->routes[i].path, strlen(inv->routes[i].path))] = (uint32_t)i + 1;
}

struct inventory_route *inventory_find(const struct inventory *inv, const char *path)
{
	uint32_t i = inv->index_size ? inv->index[place(inv, path, strlen(path))] : 0;

	return i ? &inv->routes[i - 1] : NULL;
}

/* As it goes into a request line: from the slash on, no blanks, no control bytes, no fragment. */
static bool path_ok(const char *path, size_t len)
{
	if (len < 1 || len > INVENTORY_MAX_PATH || path[0] != '/' || (len > 1 && path[1] == '/'))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)path[i] <= ' ' || (unsigned char)path[i] == 0x7f || strchr("#\"<>\\^`", path[i]))
			return false;
	unsigned code;

	for (size_t i = 0, step; i < len; i += step)
		if (!(step = diag_utf8(path + i, len - i, &code)))
			return false;
	return true;
}

bool inventory_add(struct inventory *inv, const char *path, size_t len, int source, bool ask, bool alike)
{
	if (!path_ok(path, len)) {
		inv->left_out++;
		return false;
	}
	if (inv->index_size <= 2 * inv->n)
		reindex(inv, inv->index_size ? 4 * inv->index_size : 64);
	size_t at = place(inv, path, len);

	if (inv->index[at]) {
		struct inventory_route *r = &inv->routes[inv->index[at] - 1];

		r->sources |= 1u << source;
		r->ask = r->ask || ask;
		r->alike = r->alike && alike;
		return true;
	}
	if (inv->n == INVENTORY_MAX_ROUTES) {
		inv->left_out++;
		return false;
	}
	if (inv->n == inv->cap) {
		inv->cap = inv->cap ? 2 * inv->cap : 32;
		inv->routes = xrealloc(inv->routes, inv->cap * sizeof(*inv->routes));
	}
	char *copy = xmalloc(len + 1);

	memcpy(copy, path, len);
	copy[len] = '\0';
	inv->routes[inv->n++] = (struct inventory_route){ .path = copy, .sources = 1u << source, .ask = ask, .alike = alike,
						.pattern = strchr(copy, '{') && strchr(copy, '}') };
	inv->index[at] = (uint32_t)inv->n;
	return true;
}

static int by_path(const void *a, const void *b) { return strcmp(((const struct inventory_route *)a)->path, ((const struct inventory_route *)b)->path); }

void inventory_sort(struct inventory *inv)
{
	if (!inv->n)
		return;
	qsort(inv->routes, inv->n, sizeof(*inv->routes), by_path);
	reindex(inv, inv->index_size);
}

/* ---- references ---- */

/* "/a/../b/./c" -> "/b/c", on the path alone (RFC 3986, 5.2.4). */
static size_t remove_dots(char *path, size_t n)
{
	size_t out = 0;

	for (size_t at = 0; at < n;) {
		size_t end = at + 1;

		while (end < n && path[end] != '/')
			end++;
		size_t len = end - at;
		bool last = end == n;

		if (len == 2 && path[at + 1] == '.') {
			if (last)
				path[out++] = '/';
		} else if (len == 3 && path[at + 1] == '.' && path[at + 2] == '.') {
			while (out && path[--out] != '/')
				;
			if (last)
				path[out++] = '/';
		} else {
			memmove(path + out, path + at, len);
			out += len;
		}
		at = end;
	}
	if (!out)
		path[out++] = '/';
	return out;
}

static bool same_host(const char *want, const char *authority, size_t n)
{
	const char *at = memchr(authority, '@', n);

	if (at) { /* user:password@ is nobody's link */
		return false;
	}
	if (n && authority[0] == '[') {
		const char *end = memchr(authority, ']', n);

		if (!end)
			return false;
		authority++;
		n = (size_t)(end - authority);
	} else {
		const char *colon = memchr(authority, ':', n);

		n = colon ? (size_t)(colon - authority) : n;
	}
	return !want[0] || (strlen(want) == n && strncasecmp(want, authority, n) == 0);
}

static size_t span_until(const char *s, size_t n, const char *stop)
{
	size_t i = 0;

	while (i < n && !(s[i] && strchr(stop, s[i])))
		i++;
	return i;
}

bool inventory_resolve(const char *base, const char *host, const char *ref, size_t len, char out[INVENTORY_MAX_PATH + 1])
{
	char path[2 * INVENTORY_MAX_PATH + 4];
	size_t n = 0;

	while (len && (unsigned char)ref[0] <= ' ') {
		ref++;
		len--;
	}
	while (len && (unsigned char)ref[len - 1] <= ' ')
		len--;
	len = span_until(ref, len, "#");
	if (!len || memchr(ref, '\0', len))
		return false;
	size_t scheme = span_until(ref, len, ":/?");

	if (scheme < len && ref[scheme] == ':') {
		if (!(scheme == 4 && strncasecmp(ref, "http", 4) == 0) && !(scheme == 5 && strncasecmp(ref, "https", 5) == 0))
			return false;
		ref += scheme + 1;
		len -= scheme + 1;
		if (len < 3 || ref[0] != '/' || ref[1] != '/')
			return false;
	}
	if (len >= 2 && ref[0] == '/' && ref[1] == '/') {
		size_t authority = span_until(ref + 2, len - 2, "/?");

		if (!authority || !same_host(host, ref + 2, authority))
			return false;
		ref += 2 + authority;
		len -= 2 + authority;
		if (!len || ref[0] == '?')
			path[n++] = '/';
	} else if (ref[0] != '/') {
		size_t dir = span_until(base, strlen(base), "?#");

		while (ref[0] != '?' && dir && base[dir - 1] != '/')
			dir--;
		if (dir > INVENTORY_MAX_PATH)
			return false;
		memcpy(path, base, dir);
		n = dir;
	}
	size_t query = span_until(ref, len, "?");

	if (n + len > sizeof(path) - 2)
		return false;
	memcpy(path + n, ref, query);
	n += query;
	if (!n || path[0] != '/')
		return false;
	n = remove_dots(path, n);
	memcpy(path + n, ref + query, len - query);
	n += len - query;
	return path_ok(path, n) && text_copy_n(out, INVENTORY_MAX_PATH + 1, path, n);
}

/* A GET should change nothing; some do.  These words are looked for as whole words of the path and the query. */
bool inventory_unsafe(const char *path)
{
	static const char *const words[] = { "logout", "logoff", "signout", "sign-out", "log-out", "delete", "remove", "unsubscribe", "destroy", "purge",
					     "reset", "shutdown", "restart" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		for (const char *at = path; (at = strcasestr(at, words[i])); at++) {
			char before = at == path ? '/' : at[-1], after = at[strlen(words[i])];

			if (strchr("/?&=._", before) && (!after || strchr("/?&=._", after)))
				return true;
		}
	return false;
}
