/* SPDX-License-Identifier: MIT
 * steps_secret.c - secrets, struck out of whatever is shown.
 *
 * A server may echo what it was sent, in the dress of the place: percent-encoded in a link, escaped in JSON or HTML,
 * in base64 where it was part of a header.  All of these are looked for. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probes/kinds/steps.h"
#include "switchd/base/text.h"

enum { FORM_MAX = 8 * VAR_MAX, COOKIE_MIN = 8 };

/* ---- forms ---- */

static void add_form(struct redact *r, const char *text)
{
	size_t len = strlen(text);

	if (len < SECRET_MIN)
		return;
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->form[i], text) == 0)
			return;
	if (r->n == r->room) {
		r->room = r->room ? 2 * r->room : 16;
		r->form = xrealloc(r->form, r->room * sizeof(*r->form));
		r->len = xrealloc(r->len, r->room * sizeof(*r->len));
	}
	/* The longest first: a secret that is part of another must not leave the rest of that one standing. */
	size_t at = r->n++;

	for (; at > 0 && r->len[at - 1] < len; at--) {
		r->form[at] = r->form[at - 1];
		r->len[at] = r->len[at - 1];
	}
	r->form[at] = xstrdup(text);
	r->len[at] = len;
	r->longest = r->len[0];
}

static void put_html(struct buf *out, const char *s, const char *apostrophe)
{
	for (; *s; s++) {
		if (*s == '&')
			buf_adds(out, "&amp;");
		else if (*s == '<')
			buf_adds(out, "&lt;");
		else if (*s == '>')
			buf_adds(out, "&gt;");
		else if (*s == '"')
			buf_adds(out, apostrophe ? "&quot;" : "&#34;");
		else if (*s == '\'')
			buf_adds(out, apostrophe ? apostrophe : "&#39;");
		else
			buf_add(out, s, 1);
	}
}

static void put_base64(struct buf *out, const unsigned char *s, size_t n)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i + 2 < n; i += 3) {
		unsigned v = (unsigned)s[i] << 16 | (unsigned)s[i + 1] << 8 | s[i + 2];
		const char four[] = { set[v >> 18], set[v >> 12 & 63], set[v >> 6 & 63], set[v & 63] };

		buf_add(out, four, sizeof(four));
	}
}

static void lower_hex(char *s)
{
	for (; *s; s++)
		if (*s == '%')
			for (int i = 1; i <= 2 && s[i]; i++)
				s[i] = s[i] >= 'A' && s[i] <= 'F' ? (char)(s[i] - 'A' + 'a') : s[i];
}

static void take(struct redact *r, struct buf *b)
{
	if (!b->full)
		add_form(r, buf_str(b));
	buf_clear(b);
}

void redact_add(struct redact *r, const char *secret)
{
	static const char *const apostrophes[] = { "&#39;", "&#x27;", "&#039;", "&apos;", "'", NULL };
	struct buf b = BUF_INIT(FORM_MAX);
	size_t len = strlen(secret);

	if (len < SECRET_MIN)
		return;
	add_form(r, secret);
	for (int how = VARS_URL; how <= VARS_FORM; how++) {
		vars_encode(&b, secret, (enum vars_how)how);
		if (!b.full)
			add_form(r, buf_str(&b));
		lower_hex(b.data);
		take(r, &b);
	}
	vars_encode(&b, secret, VARS_JSON);
	take(r, &b);
	for (const char *p = secret; *p; p++) /* as some write JSON: "\/" */
		if (*p == '/')
			buf_adds(&b, "\\/");
		else
			vars_encode(&b, (char[]){ *p, '\0' }, VARS_JSON);
	take(r, &b);
	for (size_t i = 0; i < ARRAY_LEN(apostrophes); i++) {
		put_html(&b, secret, apostrophes[i]);
		take(r, &b);
	}
	/* In base64 it may begin at any of three places; the bytes at its edges mix with its neighbours'. */
	for (size_t skip = 0; skip < 3 && len >= skip + 6; skip++) {
		put_base64(&b, (const unsigned char *)secret + skip, len - skip);
		take(r, &b);
	}
	if (b.data)
		explicit_bzero(b.data, b.cap);
	buf_free(&b);
}

void redact_cookies(struct redact *r, const char *head, size_t len)
{
	for (const char *p = head, *end = head + len; p < end;) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		size_t n = eol ? (size_t)(eol - p) : (size_t)(end - p);
		const char *eq = n > 11 && strncasecmp(p, "Set-Cookie:", 11) == 0 ? memchr(p, '=', n) : NULL;
		char value[VAR_MAX + 1];
		size_t k = 0;

		while (eq && eq + 1 + k < p + n && !strchr(";\r", eq[1 + k]) && k < VAR_MAX)
			k++;
		if (eq && k >= COOKIE_MIN && text_copy_n(value, sizeof(value), eq + 1, k))
			add_form(r, value);
		p += n + 1;
	}
}

void redact_apply(const struct redact *r, char *text, size_t len)
{
	for (size_t i = 0; i < r->n; i++) {
		char *p = text, *end = text + len;

		while ((size_t)(end - p) >= r->len[i] && (p = memmem(p, (size_t)(end - p), r->form[i], r->len[i]))) {
			memset(p, '*', r->len[i]);
			p += r->len[i];
		}
	}
}

void redact_clear(struct redact *r)
{
	for (size_t i = 0; i < r->n; i++)
		secret_wipe(r->form[i]);
	free(r->form);
	free(r->len);
	*r = (struct redact){ 0 };
}

void secret_wipe(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}
