/* SPDX-License-Identifier: MIT
 * steps_vars.c - {{name}} in a text: replaced, and written as the place demands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/kinds/steps.h"
#include "switchd/base/text.h"

bool vars_in(const char *text)
{
	const char *name, *end;
	size_t len;

	return steps_var(text, &name, &len, &end) != NULL;
}

static const char *value_of(const struct vars *v, const char *name, size_t len)
{
	for (size_t i = 0; i < v->n; i++)
		if (strlen(v->name[i]) == len && memcmp(v->name[i], name, len) == 0)
			return v->value[i];
	return NULL;
}

void vars_set(struct vars *v, const char *name, const char *value)
{
	size_t i = 0;

	while (i < v->n && strcmp(v->name[i], name) != 0)
		i++;
	must(i < ARRAY_LEN(v->name));
	if (i == v->n)
		v->name[v->n++] = name;
	secret_wipe(v->value[i]);
	v->value[i] = xstrdup(value);
}

void vars_clear(struct vars *v)
{
	for (size_t i = 0; i < v->n; i++)
		secret_wipe(v->value[i]);
	*v = (struct vars){ 0 };
}

static bool unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

static void put_json(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_addf(out, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			buf_addf(out, "\\u%04x", (unsigned)(unsigned char)*s);
		else
			buf_add(out, s, 1);
	}
}

void vars_encode(struct buf *out, const char *s, enum vars_how how)
{
	if (how == VARS_JSON) {
		put_json(out, s);
		return;
	}
	for (; *s; s++) {
		if (unreserved(*s))
			buf_add(out, s, 1);
		else if (how == VARS_FORM && *s == ' ')
			buf_adds(out, "+");
		else
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

/* Where in an assertion a place is: between quotes, between the slashes of a pattern, or bare. */
enum where { BARE, QUOTED, PATTERN };

static enum where where_after(enum where w, const char *text, const char *from, const char *to)
{
	for (const char *p = from; p < to; p++) {
		if (w != BARE && *p == '\\' && p + 1 < to)
			p++;
		else if (w == BARE && *p == '"')
			w = QUOTED;
		else if (w == BARE && *p == '/' && p > text && (p[-1] == ' ' || p[-1] == '\t'))
			w = PATTERN;
		else if ((w == QUOTED && *p == '"') || (w == PATTERN && *p == '/'))
			w = BARE;
	}
	return w;
}

static bool put_expect(struct buf *out, const char *value, enum where w, char *why, size_t why_size)
{
	static const char number[] = "0123456789.-+eE";

	if (w == QUOTED) {
		put_json(out, value);
		return true;
	}
	if (w == PATTERN) {
		for (const char *p = value; *p; p++)
			buf_addf(out, (unsigned char)*p < 0x80 && !unreserved(*p) && (unsigned char)*p > 0x20 ? "\\%c" : "%c", *p);
		return true;
	}
	if (value[0] && !value[strspn(value, number)]) {
		buf_adds(out, value);
		return true;
	}
	text_format(why, why_size, "is no number: in an assertion it needs quotes round it");
	return false;
}

bool vars_put(struct buf *out, const char *text, const struct vars *v, enum vars_how how, char *why, size_t why_size)
{
	const char *p = text, *at, *name, *end;
	enum where w = BARE;
	size_t len;

	for (; (at = steps_var(p, &name, &len, &end)); p = end) {
		const char *value = value_of(v, name, len);
		char reason[96] = "";

		buf_add(out, p, (size_t)(at - p));
		w = where_after(w, text, p, at);
		if (!value)
			text_format(reason, sizeof(reason), "has no value: the step that captures it has not been answered");
		else if (how == VARS_HEADER && value[strcspn(value, "\r\n")])
			text_format(reason, sizeof(reason), "has a line break in it: it cannot go into a header");
		else if (how == VARS_RAW || how == VARS_HEADER)
			buf_adds(out, value);
		else if (how == VARS_EXPECT)
			(void)!put_expect(out, value, w, reason, sizeof(reason));
		else
			vars_encode(out, value, how);
		if (reason[0]) {
			text_format(why, why_size, "{{%.*s}} %s", (int)len, name, reason);
			return false;
		}
	}
	buf_adds(out, p);
	if (out->full)
		text_format(why, why_size, "with its values it is longer than %zu bytes", out->max);
	return !out->full;
}

char *vars_stand_in(const char *text)
{
	char *copy = xstrdup(text);
	const char *p = copy, *at, *name, *end;
	size_t len;

	for (; (at = steps_var(p, &name, &len, &end)); p = end) {
		char *q = copy + (at - copy);

		memset(q, ' ', (size_t)(end - at));
		memcpy(q, "200", 3); /* good as a status, an index, a number */
	}
	return copy;
}
