/* SPDX-License-Identifier: MIT
 * diag.c - gather, sort, and draw the caret. */
#include "switchd/core/config/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"

enum { SHOWN_CHARS = 100 };     /* of a source line, around the place */

void diag_init(struct diag *d, const char *file, const char *text, size_t len)
{
	*d = (struct diag){ .file = file, .text = text, .len = len };
	d->notes = xcalloc(DIAG_MAX, sizeof(*d->notes));
}

void diag_free(struct diag *d)
{
	free(d->notes);
	d->notes = NULL;
	d->n = 0;
}

static PRINTF(4, 0) void note(struct diag *d, struct mark mark, bool warning, const char *fmt, va_list ap)
{
	int *counter = warning ? &d->warnings : &d->errors;

	(*counter)++;
	if (d->n == DIAG_MAX)
		return;
	struct diag_note *n = &d->notes[d->n];
	char raw[sizeof(n->text)];

	*n = (struct diag_note){ .mark = mark, .warning = warning, .order = (int)d->n };
	d->n++;
	vsnprintf(raw, sizeof(raw), fmt, ap);
	text_printable(n->text, sizeof(n->text), raw, strlen(raw));
}

void diag_error(struct diag *d, struct mark mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(d, mark, false, fmt, ap);
	va_end(ap);
}

void diag_warn(struct diag *d, struct mark mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(d, mark, true, fmt, ap);
	va_end(ap);
}

size_t diag_utf8(const char *text, size_t n, unsigned *code)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;

	if (n == 0)
		return 0;
	size_t want = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
	if (want == 0 || want > n)
		return 0;
	unsigned c = want == 1 ? s[0] : s[0] & (0x7fu >> want);
	for (size_t i = 1; i < want; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[want] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return want;
}

/* Length of the line break at s, or 0: the same ones that libyaml counts, or our lines would not be its lines. */
static size_t break_len(const char *s, size_t n)
{
	if (s[0] == '\r')
		return n > 1 && s[1] == '\n' ? 2 : 1;
	if (s[0] == '\n')
		return 1;
	if (n > 1 && memcmp(s, "\xc2\x85", 2) == 0)
		return 2;
	if (n > 2 && (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0))
		return 3;
	return 0;
}

struct mark diag_mark_at(const struct diag *d, size_t offset)
{
	struct mark m = { 1, 1, 1 };

	for (size_t i = 0; i < offset && i < d->len;) {
		size_t brk = break_len(d->text + i, d->len - i);
		unsigned code;

		if (brk) {
			m.line++;
			m.col = 1;
			i += brk;
		} else {
			size_t step = diag_utf8(d->text + i, d->len - i, &code);

			m.col++;
			i += step ? step : 1;
		}
	}
	return m;
}

static bool find_line(const struct diag *d, int line, const char **start, size_t *len)
{
	size_t i = 0;

	for (int at = 1; i < d->len && at < line; at++) {
		size_t brk = 0;

		while (i < d->len && !(brk = break_len(d->text + i, d->len - i)))
			i++;
		i += brk;
	}
	if (i >= d->len)
		return false;
	*start = d->text + i;
	size_t end = i;
	while (end < d->len && !break_len(d->text + end, d->len - end))
		end++;
	*len = end - i;
	return true;
}

static void draw(const struct diag *d, struct mark m, struct buf *out)
{
	const char *line;
	size_t len;

	if (m.line <= 0 || !find_line(d, m.line, &line, &len))
		return;
	/* A long line is shown from some way before the place. */
	int first = m.col > SHOWN_CHARS - 20 ? m.col - 40 : 1, col = 1;
	struct buf source = BUF_INIT(4 * SHOWN_CHARS + 8), caret = BUF_INIT(4 * SHOWN_CHARS + 8);

	for (size_t i = 0; i < len && col < first + SHOWN_CHARS; col++) {
		unsigned code;
		size_t step = diag_utf8(line + i, len - i, &code);
		char shown[8];

		if (!step)
			step = 1;
		if (col >= first) {
			text_printable(shown, sizeof(shown), line + i, step);
			buf_adds(&source, line[i] == '\t' ? "\t" : shown);
			if (col < m.col)
				buf_adds(&caret, line[i] == '\t' ? "\t" : " ");
			else if (col > m.col && col < m.col + m.width)
				buf_adds(&caret, "~");
			else if (col == m.col)
				buf_adds(&caret, "^");
		}
		i += step;
	}
	if (col <= m.col)
		buf_adds(&caret, "^");
	buf_addf(out, "%7d | %s\n%7s | %s\n", m.line, buf_str(&source), "", buf_str(&caret));
	buf_free(&source);
	buf_free(&caret);
}

static int by_place(const void *a, const void *b)
{
	const struct diag_note *x = a, *y = b;

	if (x->mark.line != y->mark.line)
		return x->mark.line < y->mark.line ? -1 : 1;
	if (x->mark.col != y->mark.col)
		return x->mark.col < y->mark.col ? -1 : 1;
	return x->order - y->order;
}

void diag_print(struct diag *d, struct buf *out)
{
	qsort(d->notes, d->n, sizeof(*d->notes), by_place);
	for (size_t i = 0; i < d->n; i++) {
		const struct diag_note *n = &d->notes[i];
		const char *what = n->warning ? "warning" : "error";

		if (n->mark.line > 0)
			buf_addf(out, "%s:%d:%d: %s: %s\n", d->file, n->mark.line, n->mark.col, what, n->text);
		else
			buf_addf(out, "%s: %s: %s\n", d->file, what, n->text);
		draw(d, n->mark, out);
	}
	int more = d->errors + d->warnings - (int)d->n;
	if (more > 0)
		buf_addf(out, "%s: and %d more\n", d->file, more);
}
