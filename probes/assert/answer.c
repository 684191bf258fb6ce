/* SPDX-License-Identifier: MIT
 * answer.c - what an answer holds: its parsed body, the fields of its head, its cookies. */
#include "probes/assert/answer.h"

#include <string.h>
#include <strings.h>

#include "probes/assert/scan.h"
#include "probes/assert/xpath.h"
#include "switchd/base/clock.h"
#include "switchd/base/text.h"

const char *const cookie_parts[N_COOKIE_PARTS] = { "Value", "Expires", "Max-Age", "Domain", "Path", "Secure", "HttpOnly", "SameSite" };

json_t *answer_parsed(struct answer *ans)
{
	const char *s = ans->body ? ans->body : "";
	size_t n = ans->body ? ans->body_len : 0;
	size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_error_t e;
	char why[96];

	if (ans->json_tried)
		return ans->json;
	ans->json_tried = true;
	if (n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
		s += 3;
		n -= 3;
	}
	if (!n) {
		TEXT_COPY(ans->json_error, "the body is empty");
		return NULL;
	}
	ans->json = json_loadb(s, n, flags, &e);
	/* Integers of more than 64 bits are JSON too. */
	if (!ans->json && json_error_code(&e) == json_error_numeric_overflow)
		ans->json = json_loadb(s, n, flags | JSON_DECODE_INT_AS_REAL, &e);
	if (!ans->json)
		TEXT_FORMAT(ans->json_error, "line %d col %d: %s", e.line, e.column, json_reason(&e, why, sizeof(why)));
	return ans->json;
}

struct xdoc *answer_document(struct answer *ans)
{
	if (ans->doc_tried)
		return ans->doc;
	ans->doc_tried = true;
	ans->doc = xdoc_parse(ans->body, ans->body ? ans->body_len : 0, ans->content_type, &ans->doc_costly,
			      ans->doc_error, sizeof(ans->doc_error));
	return ans->doc;
}

void answer_clear(struct answer *ans)
{
	if (ans->json_tried) {
		json_decref(ans->json);
		ans->json = NULL;
		ans->json_tried = false;
		ans->json_error[0] = '\0';
	}
	if (ans->doc_tried) {
		xdoc_free(&ans->doc);
		ans->doc_tried = ans->doc_costly = false;
		ans->doc_error[0] = '\0';
	}
}

int64_t answer_now_ms(const struct answer *ans) { return ans->now_ms ? ans->now_ms : wall_now().ms; }

static struct field trimmed(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	while (end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	return (struct field){ s, (size_t)(end - s) };
}

bool answer_field(const struct answer *ans, const char *name, size_t *at, struct field *f)
{
	size_t n = strlen(name);

	while (ans->head && *at < ans->head_len) {
		const char *line = ans->head + *at, *end = memchr(line, '\n', ans->head_len - *at);
		size_t len = end ? (size_t)(end - line) : ans->head_len - *at;

		*at += len + 1;
		if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
			continue;
		*f = trimmed(line + n + 1, line + len);
		return true;
	}
	return false;
}

/* "sid=abc; Path=/; Secure": the pair that stands before the next semicolon; *s moves behind it. */
static bool next_pair(const char **s, const char *end, struct field *name, struct field *value)
{
	if (*s >= end)
		return false;
	const char *stop = memchr(*s, ';', (size_t)(end - *s));

	stop = stop ? stop : end;
	const char *equals = memchr(*s, '=', (size_t)(stop - *s));

	*name = trimmed(*s, equals ? equals : stop);
	*value = trimmed(equals ? equals + 1 : stop, stop);
	*s = stop + 1;
	return true;
}

static bool is(const struct field *f, const char *word) { return f->n == strlen(word) && strncasecmp(f->s, word, f->n) == 0; }

enum cookie_found answer_cookie(const struct answer *ans, const char *name, enum cookie_part part, struct field *out)
{
	enum cookie_found found = COOKIE_NONE;
	size_t at = 0;
	struct field line, key, value;

	while (answer_field(ans, "Set-Cookie", &at, &line)) {
		const char *s = line.s, *end = line.s + line.n;

		if (!next_pair(&s, end, &key, &value) || key.n != strlen(name) || memcmp(key.s, name, key.n) != 0)
			continue;
		found = COOKIE_NO_PART;
		if (part == COOKIE_VALUE) {
			*out = value;
			found = COOKIE_THERE;
		}
		while (part != COOKIE_VALUE && next_pair(&s, end, &key, &value))
			if (is(&key, cookie_parts[part])) {
				*out = value;
				found = COOKIE_THERE;
			}
	}
	return found;
}
