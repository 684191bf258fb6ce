/* SPDX-License-Identifier: MIT
 * perfdata.c - the output of a plugin, taken apart. */
#include "probes/kinds/perfdata.h"

#include <string.h>

#include "switchd/base/text.h"

enum { PART_MAX = 96, MEASUREMENTS_MAX = 64 };

/* A part of the output: from `at` to before `end`. */
struct span { const char *at, *end; };

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

void plugin_line(const char *out, size_t n, char *text, size_t size)
{
	const char *end = memchr(out, '\n', n), *bar;

	end = end ? end : out + n;
	bar = memchr(out, '|', (size_t)(end - out));
	end = bar ? bar : end;
	while (out < end && blank(*out))
		out++;
	while (end > out && blank(end[-1]))
		end--;
	text_printable(text, size, out, (size_t)(end - out));
}

static struct span until(struct span *s, char stop)
{
	const char *end = s->at < s->end ? memchr(s->at, stop, (size_t)(s->end - s->at)) : NULL;
	struct span part = { s->at, end ? end : s->end };

	s->at = end ? end + 1 : s->end;
	return part;
}

static void copy(struct span s, char out[PART_MAX]) { text_printable(out, PART_MAX, s.at, (size_t)(s.end - s.at)); }

/* 'label with '' in it'= or label= */
static bool take_label(struct span *s, char out[PART_MAX])
{
	size_t n = 0;
	bool quoted = *s->at == '\'';

	for (s->at += quoted; s->at < s->end; s->at++) {
		if (quoted && *s->at == '\'') {
			if (s->at + 1 == s->end || s->at[1] != '\'')
				break;
			s->at++;
		} else if (!quoted && (*s->at == '=' || blank(*s->at))) {
			break;
		}
		if (n + 1 < PART_MAX)
			out[n++] = *s->at;
	}
	out[n] = '\0';
	s->at += quoted && s->at < s->end;
	if (n == 0 || s->at >= s->end || *s->at != '=')
		return false;
	s->at++;
	return true;
}

static void say_range(struct buf *lines, const char *name, struct span part, bool *any)
{
	char text[PART_MAX];

	copy(part, text);
	if (!text[0])
		return;
	buf_addf(lines, "%s%s %s", *any ? ", " : " (", name, text);
	*any = true;
}

/* value[unit];warn;critical;min;max */
static bool take_one(struct span fields, const char *label, struct buf *lines)
{
	static const char *const names[] = { "warn", "critical", "min", "max" };
	struct span value = until(&fields, ';');
	char shown[PART_MAX], number[PART_MAX], unit[PART_MAX];
	bool any = false;

	copy(value, number);
	size_t digits = strspn(number, "+-0123456789.eE,");
	while (digits && (number[digits - 1] == 'e' || number[digits - 1] == 'E'))
		digits--; /* a unit, not an exponent */
	if (digits == 0 && strcmp(number, "U") != 0)
		return false;
	text_copy(unit, sizeof(unit), number + (digits ? digits : 1));
	number[digits ? digits : 1] = '\0';
	text_printable(shown, sizeof(shown), label, strlen(label));
	buf_addf(lines, "%s = %s%s%s", shown, number, unit[0] && strcmp(unit, "%") != 0 ? " " : "", unit);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		say_range(lines, names[i], until(&fields, ';'), &any);
	buf_adds(lines, any ? ")\n" : "\n");
	return true;
}

static size_t take_all(struct span s, struct buf *lines)
{
	size_t n = 0;

	while (n < MEASUREMENTS_MAX) {
		char label[PART_MAX];

		while (s.at < s.end && blank(*s.at))
			s.at++;
		if (s.at >= s.end)
			break;
		bool has = take_label(&s, label);
		struct span fields = { s.at, s.at };

		while (s.at < s.end && !blank(*s.at))
			s.at++;
		fields.end = s.at;
		if (has && take_one(fields, label, lines))
			n++;
	}
	return n;
}

/* Behind the bar of the first line, and behind the first bar of all lines after it. */
size_t plugin_measurements(const char *out, size_t n, struct buf *lines)
{
	struct span all = { out, out + n }, first = until(&all, '\n');

	until(&first, '|');
	until(&all, '|');
	return take_all(first, lines) + take_all(all, lines);
}
