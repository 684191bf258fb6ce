/* SPDX-License-Identifier: MIT
 * text.c - bounded text and names. */
#include "switchd/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool text_copy_n(char *dst, size_t size, const char *src, size_t n)
{
	bool fits = n < size;

	must(size > 0);
	if (!fits)
		n = size - 1;
	memmove(dst, src, n);
	dst[n] = '\0';
	return fits;
}

bool text_copy(char *dst, size_t size, const char *src)
{
	return text_copy_n(dst, size, src, strlen(src));
}

bool text_format(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(dst, size, fmt, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < size;
}

bool text_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool text_u64(const char *s, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return false;
	}
	*out = v;
	return true;
}

static bool alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool name_ok(const char *s)
{
	size_t n = 0;

	if (!alnum(s[0]))
		return false;
	for (; s[n]; n++)
		if (n >= NAME_MAX_LEN || !(alnum(s[n]) || strchr("_.-", s[n])))
			return false;
	return true;
}

bool id_ok(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (n >= ID_MAX_LEN || !(alnum(s[n]) || strchr("._:@/+-", s[n])))
			return false;
	return n > 0;
}

/* Length of the valid UTF-8 sequence at s, or 0. */
static size_t utf8_len(const unsigned char *s, size_t n)
{
	size_t want = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 :
		      s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	if (!want || want > n)
		return 0;
	for (size_t i = 1; i < want; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ||
	    (s[0] == 0xc2 && s[1] < 0xa0)) /* C1 controls drive terminals too */
		return 0;
	return want;
}

void text_printable(char *dst, size_t size, const char *src, size_t n)
{
	size_t o = 0;

	must(size > 0);
	for (size_t i = 0; i < n;) {
		const unsigned char *p = (const unsigned char *)src + i;
		size_t len = utf8_len(p, n - i);
		bool bad = len == 0 || (len == 1 && (*p < 0x20 || *p == 0x7f));

		if (o + (bad ? 1 : len) >= size)
			break;
		if (bad)
			dst[o++] = '?';
		else {
			memcpy(dst + o, p, len);
			o += len;
		}
		i += len ? len : 1;
	}
	dst[o] = '\0';
}

/* Levenshtein distance, capped: words here are short. */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), row[72];

	if (la >= ARRAY_LEN(row) - 1 || lb >= ARRAY_LEN(row) - 1)
		return 99;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diag = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t up = row[j], best = diag + (a[i - 1] != b[j - 1]);

			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diag = up;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t n)
{
	const char *best = NULL;
	size_t least = strlen(word) <= 3 ? 2 : 3; /* strictly nearer than this */

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, candidates[i]);

		if (d < least) {
			least = d;
			best = candidates[i];
		}
	}
	return best;
}

size_t text_place(const void *list, size_t n, size_t size, const char *name, bool *there)
{
	size_t lo = 0, hi = n;

	*there = false;
	while (lo < hi && !*there) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp((const char *)list + mid * size, name);

		*there = c == 0;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return *there ? hi : lo;
}
