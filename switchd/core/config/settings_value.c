/* SPDX-License-Identifier: MIT
 * settings_value.c - one value of each type, from text. */
#include <inttypes.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/core/config/address.h"
#include "switchd/core/config/redis_url.h"
#include "switchd/core/config/settings.h"

struct why { char *text; size_t size; };

#define SAY(w, ...) (text_format((w)->text, (w)->size, __VA_ARGS__), false)

static const struct { const char *unit; int64_t ms; } units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

bool duration_parse(const char *text, int64_t *ms)
{
	size_t digits = strspn(text, "0123456789");
	char number[24];
	uint64_t n;

	if (!text_copy_n(number, sizeof(number), text, digits) || !text_u64(number, &n) || n > INT64_MAX)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(text + digits, units[i].unit) == 0)
			return !__builtin_mul_overflow((int64_t)n, units[i].ms, ms) && *ms < INT64_MAX;
	return false;
}

const char *duration_text(int64_t ms, char out[32])
{
	if (ms == INT64_MAX) {
		text_copy(out, 32, "forever");
		return out;
	}
	if (ms == 0) {
		text_copy(out, 32, "0s");
		return out;
	}
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (ms % units[i].ms == 0) {
			text_format(out, 32, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
			break;
		}
	return out;
}

const char *setting_word(const struct setting *s, size_t i, char out[32])
{
	const char *p = s->words;

	for (; p && *p; i--) {
		size_t n = strcspn(p, " ");

		if (i == 0) {
			must(text_copy_n(out, 32, p, n));
			return out;
		}
		p += n;
		p += strspn(p, " ");
	}
	return NULL;
}

bool setting_is_scalar(const struct setting *s)
{
	return s->type != T_WORDS && s->type != T_LINES && s->type != T_BLOCK && s->type != T_MAP && s->type != T_LIST && s->type != T_MAP_OR_LIST &&
	       s->type != T_LINE_OR_LINES && s->type != T_MAP_OR_LINES &&
	       s->type != T_BOOL_OR_BLOCK && s->type != T_ANY;
}

static bool parse_duration(const struct setting *s, const char *text, struct value *out, const struct why *w)
{
	char bound[32];

	if (s->type == T_FOREVER && strcmp(text, "forever") == 0) {
		out->n = INT64_MAX;
		return true;
	}
	uint64_t bare;
	if (text_u64(text, &bare))
		return SAY(w, "want a duration with its unit, such as %ss or %sms, got \"%s\"", text, text, text);
	if (!duration_parse(text, &out->n))
		return SAY(w, "want a duration such as 500ms, 2s or 1m%s, got \"%s\"", s->type == T_FOREVER ? ", or forever" : "", text);
	if (out->n < s->min)
		return SAY(w, "%s is too short: at least %s", text, duration_text(s->min, bound));
	if (out->n > s->max)
		return SAY(w, "%s is too long: at most %s", text, duration_text(s->max, bound));
	return true;
}

static bool parse_int(const struct setting *s, const char *text, struct value *out, const struct why *w)
{
	uint64_t n;

	if (!text_u64(text, &n))
		return SAY(w, "want a whole number, got \"%s\"", text);
	if (n < (uint64_t)s->min || n > (uint64_t)s->max)
		return s->min == s->max ? SAY(w, "want %" PRId64 ", got %s", s->min, text) :
					  SAY(w, "want a number from %" PRId64 " to %" PRId64 ", got %s", s->min, s->max, text);
	out->n = (int64_t)n;
	return true;
}

static bool parse_word(const struct setting *s, const char *text, struct value *out, const struct why *w)
{
	char words[8][32], list[160] = "";
	const char *names[8];
	size_t n = 0;

	while (n < ARRAY_LEN(words) && setting_word(s, n, words[n])) {
		if (strcmp(words[n], text) == 0) {
			out->n = (int64_t)n;
			return true;
		}
		names[n] = words[n];
		size_t len = strlen(list);
		text_format(list + len, sizeof(list) - len, "%s%s", n ? " or " : "", words[n]);
		n++;
	}
	const char *near = text_nearest(text, names, n);
	if (near)
		return SAY(w, "want %s, got \"%s\" (did you mean \"%s\"?)", list, text, near);
	return SAY(w, "want %s, got \"%s\"", list, text);
}

static bool has_control(const char *s, bool lines)
{
	for (; *s; s++)
		if (((unsigned char)*s < 0x20 && !(lines && strchr("\n\r\t", *s))) || *s == 0x7f)
			return true;
	return false;
}

static bool parse_text(const struct setting *s, const char *text, const struct why *w)
{
	size_t len = strlen(text);

	if (has_control(text, s->type == T_BODY))
		return SAY(w, "control characters are not allowed here");
	if (len < (size_t)s->min)
		return SAY(w, "is empty");
	if (s->max && len > (size_t)s->max)
		return SAY(w, "longer than %" PRId64 " bytes", s->max);
	return true;
}

static bool parse_file(const struct setting *s, const char *text, const struct why *w)
{
	if (!parse_text(s, text, w))
		return false;
	if (text[0] != '/')
		return SAY(w, "want an absolute path such as /var/lib/switchd, got \"%s\"", text);
	return true;
}

/* A path goes into a request line and into the proxy's map file: one word of visible ASCII. */
static bool visible(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f)
			return false;
	return true;
}

static bool parse_path(const struct setting *s, const char *text, const struct why *w)
{
	if (!parse_text(s, text, w))
		return false;
	if (text[0] != '/')
		return SAY(w, "want a path that begins with /, got \"%s\"", text);
	if (!visible(text))
		return SAY(w, "spaces and characters beyond ASCII must be percent-encoded in a path");
	if (strchr(text, '#'))
		return SAY(w, "a path that is asked for has no #fragment");
	return true;
}

static bool parse_address(const struct setting *s, const char *text, const struct why *w)
{
	bool url = s->type == T_ORIGIN || s->type == T_URL;
	struct address a;

	if (url && !strstr(text, "://"))
		return SAY(w, "want http:// or https://, got \"%s\"", text);
	if (!address_parse(text, &a, w->text, w->size))
		return false;
	bool http = strcmp(a.scheme, "http") == 0 || strcmp(a.scheme, "https") == 0;
	if (url ? !http : a.scheme[0] && !http)
		return SAY(w, "want http:// or https://, got \"%s\"", text);
	if (!visible(a.rest) || strchr(a.rest, '#') || strlen(a.rest) > 1024)
		return SAY(w, "want a URL of visible ASCII characters without #fragment");
	if (s->type == T_ORIGIN && a.rest[0] && strcmp(a.rest, "/") != 0)
		return SAY(w, "want a URL without a path, got \"%s\"", text);
	if (s->type == T_URL && a.rest[0] != '/')
		return SAY(w, "want a URL with its path, such as https://shop.example.com/, got \"%s\"", text);
	if (s->type == T_ADDRESS && !a.scheme[0] && a.rest[0])
		return SAY(w, "want host:port or a URL, got \"%s\"", text);
	return true;
}

static bool parse_bare_address(const char *text, const struct why *w)
{
	struct address a;

	if (!address_parse(text, &a, w->text, w->size))
		return false;
	if (a.scheme[0] || a.rest[0])
		return SAY(w, "want host:port, got \"%s\"", text);
	return true;
}

static bool parse_redis(const char *text, const struct why *w)
{
	struct redis_url u;

	return redis_url_parse(text, &u, w->text, w->size);
}

static bool parse_method(const struct setting *s, const char *text, const struct why *w)
{
	if (!parse_text(s, text, w))
		return false;
	for (const char *p = text; *p; p++)
		if (*p < 'A' || *p > 'Z')
			return SAY(w, "want an HTTP method in capitals such as GET, got \"%s\"", text);
	if (strcmp(text, "CONNECT") == 0 || strcmp(text, "TRACE") == 0)
		return SAY(w, "%s is no method to probe with", text);
	return true;
}

bool setting_parse(const struct setting *s, const char *text, struct value *out, char *why, size_t why_size)
{
	const struct why w = { why, why_size };

	out->n = 0;
	switch (s->type) {
	case T_DURATION:
	case T_FOREVER:
		return parse_duration(s, text, out, &w);
	case T_INT:
		return parse_int(s, text, out, &w);
	case T_BOOL:
		out->n = strcmp(text, "true") == 0;
		return out->n || strcmp(text, "false") == 0 ? true : SAY(&w, "want true or false, got \"%s\"", text);
	case T_WORD:
	case T_WORDS:   /* one of the list */
		return parse_word(s, text, out, &w);
	case T_TEXT:
	case T_BODY:
		return parse_text(s, text, &w);
	case T_NAME:
		return name_ok(text) ? true : SAY(&w, "want a name of letters, digits, _ . - (at most %d), got \"%s\"", NAME_MAX_LEN, text);
	case T_METHOD:
		return parse_method(s, text, &w);
	case T_FILE:
		return parse_file(s, text, &w);
	case T_PATH:
		return parse_path(s, text, &w);
	case T_ORIGIN:
	case T_URL:
	case T_ADDRESS:
		return parse_address(s, text, &w);
	case T_LISTEN:
		return strcmp(text, "off") == 0 || parse_bare_address(text, &w);
	case T_SOCKET:
		if (text[0] == '/')
			return strlen(text) <= 107 && !has_control(text, false) ? true : SAY(&w, "longer than a socket's path can be (107 bytes)");
		return parse_bare_address(text, &w);
	case T_REDIS:
		return parse_redis(text, &w);
	case T_LINES:
	case T_LINE_OR_LINES:
	case T_MAP_OR_LINES:
	case T_BLOCK:
	case T_MAP:
	case T_LIST:
	case T_MAP_OR_LIST:
	case T_BOOL_OR_BLOCK:
	case T_ANY:
		break;
	}
	never("not a scalar");
}
