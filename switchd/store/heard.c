/* SPDX-License-Identifier: MIT
 * heard.c - words and lines, each bounded. */
#include "switchd/store/heard.h"

#include <string.h>

enum { HEAD_MOST = 1024 };

/* The next word, NUL-terminated; false: there is none, or it does not fit. */
static bool word(const char **text, size_t *len, char *out, size_t size)
{
	const char *end = memchr(*text, ' ', *len);
	size_t n = end ? (size_t)(end - *text) : *len;

	if (!n || !text_copy_n(out, size, *text, n))
		return false;
	n += end != NULL;
	*text += n;
	*len -= n;
	return true;
}

enum heard_kind heard_event(const char *text, size_t len, struct heard_event *out)
{
	char kind[8], a[160], b[24];

	*out = (struct heard_event){ .line = "" };
	if (memchr(text, '\0', len) || !word(&text, &len, kind, sizeof(kind)) || !word(&text, &len, a, sizeof(a)))
		return HEARD_NOTHING;
	if (strcmp(kind, "push") == 0 && name_ok(a)) {
		TEXT_COPY(out->service, a);
		out->line = text;
		out->len = len;
		return HEARD_PUSH;
	}
	if (strcmp(kind, "hb") == 0 && word(&text, &len, b, sizeof(b)) && text_u64(a, &out->gen) && text_u64(b, &out->top))
		return HEARD_BEAT;
	return strcmp(kind, "bye") == 0 ? HEARD_BYE : HEARD_NOTHING;
}

/* As core/shown.c: counters and times become numbers of JSON, and a double holds these. */
static bool number(const char *s, uint64_t *out) { return text_u64(s, out) && *out < UINT64_C(1) << 53; }

bool heard_head(const char *text, size_t len, struct agent_seen *out)
{
	char line[HEAD_MOST], *at = line, *w[6];
	uint64_t us;

	if (memchr(text, '\0', len) || !text_copy_n(line, sizeof(line), text, len))
		return false;
	for (int i = 0; i < 6; i++) {
		w[i] = at;
		at = strchr(at, ' ');
		if (!at)
			return false;
		*at++ = '\0';
	}
	if (!number(w[0], &out->v.gen) || !number(w[1], &out->seq) || !number(w[2], &us) || !name_ok(w[3]) || !TEXT_COPY(out->status, w[3]) ||
	    strlen(w[4]) >= sizeof(out->digest) || strlen(w[5]) >= sizeof(out->version))
		return false;
	out->v.epoch = 0;
	out->us = (int64_t)us;
	text_printable(out->digest, sizeof(out->digest), w[4], strlen(w[4]));
	text_printable(out->version, sizeof(out->version), w[5], strlen(w[5]));
	text_printable(out->detail, sizeof(out->detail), at, strlen(at));
	return true;
}

bool heard_report(const char *text, size_t len, struct agent_seen *out, bool *first, const char **rest, size_t *rest_len)
{
	const char *end = memchr(text, '\n', len);
	size_t left = end ? (size_t)(end - text) : len;
	char begin[4], flag[2];

	*rest = end ? end + 1 : text + len;
	*rest_len = end ? len - left - 1 : 0;
	if (memchr(text, '\0', len) || !word(&text, &left, begin, sizeof(begin)) || strcmp(begin, "ak1") != 0 ||
	    !word(&text, &left, out->name, sizeof(out->name)) || !id_ok(out->name) || !word(&text, &left, flag, sizeof(flag)) ||
	    (flag[0] != '0' && flag[0] != '1'))
		return false;
	*first = flag[0] == '1';
	return heard_head(text, left, out);
}

bool heard_service(const char **rest, size_t *rest_len, struct heard_service *out)
{
	const char *line = *rest, *end = memchr(line, '\n', *rest_len), *blank;
	size_t n = end ? (size_t)(end - line) : *rest_len;

	*out = (struct heard_service){ .json = "" };
	if (!*rest_len)
		return false;
	*rest += n + (end != NULL);
	*rest_len -= n + (end != NULL);
	out->all = n == 1 && *line == '*';
	blank = memchr(line, ' ', n);
	if (!blank || !text_copy_n(out->service, sizeof(out->service), line, (size_t)(blank - line)) || !name_ok(out->service)) {
		out->service[0] = '\0';
		return true;
	}
	out->json = blank + 1;
	out->len = n - (size_t)(blank - line) - 1;
	return true;
}

bool heard_kept(const char *text, int64_t *us, const char **json)
{
	const char *blank = strchr(text, ' ');
	char digits[24];
	uint64_t n;

	if (!blank || !text_copy_n(digits, sizeof(digits), text, (size_t)(blank - text)) || !number(digits, &n))
		return false;
	*us = (int64_t)n;
	*json = blank + 1;
	return true;
}
