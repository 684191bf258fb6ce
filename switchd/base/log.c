/* SPDX-License-Identifier: MIT
 * log.c - logfmt to stderr, one write(2) a line, never waiting. */
#include "switchd/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "switchd/base/clock.h"
#include "switchd/base/text.h"

enum log_level log_least = LOG_LV_INFO;
static uint64_t lost;

uint64_t log_lost(void) { return lost; }

void log_line(enum log_level level, const char *what, const char *fmt, ...)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	char line[2048], when[WALL_TEXT];
	va_list ap;

	if (level < log_least)
		return;
	int n = snprintf(line, sizeof(line), "%s %s %s ", wall_text(wall_now(), when), names[level], what);
	va_start(ap, fmt);
	int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	size_t len = (size_t)n + (m > 0 ? (size_t)m : 0);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	for (size_t i = 0; i < len; i++) /* one line, whatever was in it */
		if ((unsigned char)line[i] < 0x20)
			line[i] = '?';
	line[len++] = '\n';
	ssize_t w;
	do
		w = write(STDERR_FILENO, line, len);
	while (w < 0 && errno == EINTR);
	if (w != (ssize_t)len)
		lost++;
}

const char *log_quoted(const char *s)
{
	static char ring[8][224];
	static unsigned turn;
	char *out = ring[turn++ % ARRAY_LEN(ring)], clean[201];
	size_t o = 0;

	text_printable(clean, sizeof(clean), s, strlen(s));
	out[o++] = '"';
	for (const char *p = clean; *p && o < sizeof(ring[0]) - 3; p++) {
		if (*p == '"' || *p == '\\')
			out[o++] = '\\';
		out[o++] = *p;
	}
	out[o++] = '"';
	out[o] = '\0';
	return out;
}

bool log_due(struct log_last *last, const char *text)
{
	enum { AGAIN_US = 30 * 1000000 };
	char cut[sizeof(last->text)];
	int64_t now = mono_now().us;

	text_copy(cut, sizeof(cut), text);
	if (last->us && now - last->us < AGAIN_US && strcmp(last->text, cut) == 0)
		return false;
	TEXT_COPY(last->text, cut);
	last->us = now;
	return true;
}
