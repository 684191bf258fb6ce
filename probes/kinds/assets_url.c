/* SPDX-License-Identifier: MIT
 * assets_url.c - references in a page, made whole. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probes/kinds/assets.h"
#include "switchd/base/buf.h"
#include "switchd/base/text.h"

enum { URL_MAX = 8192 };

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

static size_t scheme_len(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

	return n && s[n] == ':' && strchr("0123456789+.-", s[0]) == NULL ? n : 0;
}

/* Behind "http://". */
static const char *authority_of(const char *url)
{
	const char *p = strstr(url, "://");

	return p ? p + 3 : url;
}

const char *url_path(const char *url)
{
	const char *a = authority_of(url), *p = a + strcspn(a, "/?#");

	return *p == '/' ? p : "/";
}

bool url_same_origin(const char *a, const char *b)
{
	const char *x = authority_of(a), *y = authority_of(b);
	size_t n = strcspn(x, "/?#"), m = strcspn(y, "/?#");

	for (int i = 0; i < 2; i++) {
		const char **p = i ? &y : &x;
		size_t *len = i ? &m : &n;
		bool tls = strncasecmp(i ? b : a, "https:", 6) == 0;
		const char *port = tls ? ":443" : ":80";

		if (*len > strlen(port) && strncmp(*p + *len - strlen(port), port, strlen(port)) == 0)
			*len -= strlen(port);
	}
	return n == m && strncasecmp(x, y, n) == 0;
}

/* "/a/./b/../c" is "/a/c"; what stands behind ? is left alone.  In place. */
static void drop_dots(char *path)
{
	char *out = path, *in = path, *end = path + strcspn(path, "?");

	while (in < end) {
		size_t n = 1 + strcspn(in + 1, "/?"); /* one segment with its slash */
		bool last = in + n == end;

		if (n == 2 && in[1] == '.') {
			if (last)
				*out++ = '/';
		} else if (n == 3 && in[1] == '.' && in[2] == '.') {
			while (out > path && *--out != '/')
				;
			if (last)
				*out++ = '/';
		} else {
			memmove(out, in, n);
			out += n;
		}
		in += n;
	}
	memmove(out, end, strlen(end) + 1);
}

/* Without blanks round it, line breaks in it and the fragment; what no request line may hold is percent-encoded. */
static void put_clean(struct buf *out, const char *s, bool path)
{
	bool query = false;

	for (; *s && *s != '#'; s++) {
		unsigned char c = (unsigned char)*s;

		query |= c == '?';
		if (c == '\t' || c == '\n' || c == '\r')
			continue;
		if (path && !query && c == '\\')
			buf_adds(out, "/"); /* as browsers take it */
		else if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}", (int)c))
			buf_addf(out, "%%%02X", (unsigned)c);
		else
			buf_add(out, s, 1);
	}
}

char *url_resolve(const char *base, const char *ref)
{
	struct buf url = BUF_INIT(URL_MAX), clean = BUF_INIT(URL_MAX);
	size_t n = strlen(ref), scheme, authority = (size_t)(authority_of(base) - base) + strcspn(authority_of(base), "/?#");
	char *trimmed, *out = NULL;

	while (n && blank(ref[n - 1]))
		n--;
	for (; n && blank(*ref); ref++)
		n--;
	trimmed = xcalloc(1, n + 1);
	memcpy(trimmed, ref, n);
	put_clean(&clean, trimmed, true);
	free(trimmed);
	const char *r = buf_str(&clean);

	scheme = scheme_len(r);
	if (clean.full || (scheme && strncasecmp(r, "http://", 7) != 0 && strncasecmp(r, "https://", 8) != 0))
		goto done;
	if (scheme) {
		buf_adds(&url, r);
	} else if (r[0] == '/' && r[1] == '/') {
		buf_add(&url, base, (size_t)(strstr(base, "://") ? strstr(base, "://") - base + 1 : 0));
		buf_adds(&url, r);
	} else {
		const char *path = url_path(base), *query = path + strcspn(path, "?#"), *dir = query;

		buf_add(&url, base, authority);
		while (dir > path && dir[-1] != '/')
			dir--;
		if (r[0] == '?')
			buf_add(&url, path, (size_t)(query - path));
		else if (r[0] != '/' && r[0])
			buf_add(&url, path, (size_t)(dir - path));
		else if (!r[0])
			buf_add(&url, path, strcspn(path, "#"));
		buf_adds(&url, r);
	}
	if (!url.full) {
		char *path = (char *)url_path(buf_str(&url));

		if (path >= url.data && path < url.data + url.len)
			drop_dots(path);
		out = xstrdup(buf_str(&url));
	}
done:
	buf_free(&url);
	buf_free(&clean);
	return out;
}
