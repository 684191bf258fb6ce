/* SPDX-License-Identifier: MIT
 * scan.c - words, quoted texts and patterns of an assertion line. */
#include "probes/assert/scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "probes/assert/regex.h"
#include "switchd/base/text.h"

bool scan_fail(struct scan *s, size_t where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->err, s->err_size, fmt, ap);
	va_end(ap);
	*s->err_col = (int)where;
	return false;
}

/* jansson's sentence without the foreign bytes it quotes. */
const char *json_reason(const json_error_t *e, char *out, size_t size)
{
	const char *near = strstr(e->text, " near ");

	text_printable(out, size, e->text, near ? (size_t)(near - e->text) : strlen(e->text));
	return out;
}

static bool one_of(char c, const char *set) { return c && strchr(set, c); }
static bool word_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; }

void scan_space(struct scan *s) { s->at += strspn(s->line + s->at, " \t"); }

size_t scan_word(struct scan *s, char *out, size_t size)
{
	scan_space(s);
	size_t start = s->at;

	if (one_of(scan_peek(s), "=!<>~"))
		s->at += strspn(s->line + s->at, "=!<>~");
	else if (word_char(scan_peek(s)))
		while (word_char(scan_peek(s)))
			s->at++;
	else if (scan_peek(s))
		s->at++;
	text_printable(out, size, s->line + start, s->at - start);
	return start;
}

bool scan_end(struct scan *s)
{
	char rest[40];

	scan_space(s);
	text_printable(rest, sizeof(rest), s->line + s->at, strlen(s->line + s->at));
	return !scan_peek(s) || scan_fail(s, s->at, "the assertion should end here, before \"%s\"", rest);
}

json_t *scan_string(struct scan *s)
{
	size_t start = s->at, end = start + 1;
	json_error_t e;
	char why[96];

	while (s->line[end] && s->line[end] != '"')
		end += s->line[end] == '\\' && s->line[end + 1] ? 2 : 1;
	if (s->line[end] != '"') {
		scan_fail(s, start, "the text in quotes does not end");
		return NULL;
	}
	s->at = end + 1;
	json_t *j = json_loadb(s->line + start, s->at - start, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);

	if (!j)
		scan_fail(s, start, "in the quoted text: %s%s", json_reason(&e, why, sizeof(why)),
			  strstr(e.text, "escape") ? " (write \\\\ for a backslash)" : "");
	return j;
}

size_t scan_offset(const char *line, size_t quote, size_t off)
{
	size_t at = quote + 1;

	for (size_t seen = 0; seen < off && line[at] && line[at] != '"';) {
		unsigned c;

		if (line[at] != '\\') {
			seen++;
			at++;
		} else if (line[at + 1] == 'u' && sscanf(line + at + 2, "%4x", &c) == 1) {
			seen += c < 0x80 ? 1 : c < 0x800 ? 2 : c >= 0xd800 && c < 0xdc00 ? 4 : c >= 0xdc00 && c < 0xe000 ? 0 : 3;
			at += 6;
		} else {
			seen++;
			at += 2;
		}
	}
	return at;
}

static struct regex *quoted_pattern(struct scan *s)
{
	size_t at = s->at, off;
	char why[160];
	json_t *text = scan_string(s);
	struct regex *re;

	if (!text)
		return NULL;
	re = regex_compile(json_string_value(text), json_string_length(text), "", why, sizeof(why), &off);
	json_decref(text);
	if (!re)
		scan_fail(s, scan_offset(s->line, at, off), "%s", why);
	return re;
}

struct regex *scan_pattern(struct scan *s, const char *word)
{
	size_t at = s->at, end = at + 1, off;
	char why[160], flags[8];
	struct regex *re;

	if (scan_peek(s) == '"')
		return quoted_pattern(s);
	if (scan_peek(s) != '/') {
		scan_fail(s, at, "%s takes a pattern between slashes: %s /EUR \\d+/", word, word);
		return NULL;
	}
	while (s->line[end] && s->line[end] != '/')
		end += s->line[end] == '\\' && s->line[end + 1] ? 2 : 1;
	if (!s->line[end]) {
		scan_fail(s, at, "the pattern does not end: want a closing /");
		return NULL;
	}
	s->at = end + 1;
	size_t n = strcspn(s->line + s->at, " \t");

	if (n >= sizeof(flags) || strspn(s->line + s->at, "ismx") < n) {
		scan_fail(s, s->at, "after the pattern only the flags i, s, m and x may stand (a slash inside is written \\/)");
		return NULL;
	}
	text_copy_n(flags, sizeof(flags), s->line + s->at, n);
	s->at += n;
	re = regex_compile(s->line + at + 1, end - at - 1, flags, why, sizeof(why), &off);
	if (!re)
		scan_fail(s, at + 1 + off, "%s", why);
	return re;
}
