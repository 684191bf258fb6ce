/* SPDX-License-Identifier: MIT
 * httpd_target.c - the target of a request line: path and query, decoded strictly. */
#include <stdlib.h>
#include <string.h>

#include "switchd/io/httpd_priv.h"

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place.  No control byte passes, raw or escaped: nothing of ours has one in its name. */
static bool decode(char *s, bool plus_is_space, const char **why)
{
	char *out = s;

	for (; *s; s++) {
		int c = (unsigned char)*s;

		if (c == '%') {
			int high = hex(s[1]), low = high < 0 ? -1 : hex(s[2]);

			if (low < 0) {
				*why = "a % in the target is not followed by two hexadecimal digits";
				return false;
			}
			c = high << 4 | low;
			s += 2;
		} else if (c == '+' && plus_is_space)
			c = ' ';
		if (c < 0x20 || c == 0x7f) {
			*why = c ? "a control byte in the target" : "a zero byte in the target";
			return false;
		}
		*out++ = (char)c;
	}
	*out = '\0';
	return true;
}

static bool parse_query(struct target *t, char *query, const char **why)
{
	char *next;

	for (; query; query = next) {
		next = strchr(query, '&');
		if (next)
			*next++ = '\0';
		if (!*query)
			continue;
		if (t->n_query == HTTPD_MAX_QUERY) {
			*why = "too many parameters in the query";
			return false;
		}
		char *value = strchr(query, '=');

		if (value)
			*value++ = '\0';
		else
			value = query + strlen(query);
		if (!decode(query, true, why) || (*value && !decode(value, true, why)))
			return false;
		t->query[t->n_query].name = query;
		t->query[t->n_query++].value = value;
	}
	return true;
}

bool target_parse(struct target *t, const char *uri, const char **why)
{
	t->raw = xstrdup(uri);
	t->text = xstrdup(uri);
	t->path = t->text;
	char *query = strchr(t->text, '?');

	if (query)
		*query++ = '\0';
	if (t->text[0] != '/' && strcmp(t->text, "*") != 0) {
		*why = "the target does not begin with /";
		return false;
	}
	if (strchr(uri, '#')) {
		*why = "a # in the target";
		return false;
	}
	return decode(t->text, false, why) && parse_query(t, query, why);
}

void target_free(struct target *t)
{
	free(t->raw);
	free(t->text);
}
