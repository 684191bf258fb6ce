/* SPDX-License-Identifier: MIT
 * address.c - reads addresses; resolves nothing. */
#include "switchd/core/config/address.h"

#include <string.h>

#include "switchd/base/text.h"

static bool alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool host_ok(const char *s, bool bracketed)
{
	if (!s[0] || (!bracketed && (s[0] == '-' || s[0] == '.')))
		return false;
	for (; *s; s++)
		if (!(bracketed ? strchr("0123456789abcdefABCDEF:.", *s) != NULL : alnum(*s) || strchr("-._", *s)))
			return false;
	return true;
}

static bool read_scheme(const char **text, struct address *a, char *why, size_t size)
{
	const char *sep = strstr(*text, "://");

	if (!sep)
		return true;
	for (const char *p = *text; p < sep; p++)
		if (!alnum(*p)) {
			text_format(why, size, "\"%s\" has a scheme that cannot be", *text);
			return false;
		}
	if (!text_copy_n(a->scheme, sizeof(a->scheme), *text, (size_t)(sep - *text)) || !a->scheme[0]) {
		text_format(why, size, "\"%s\" has a scheme that cannot be", *text);
		return false;
	}
	*text = sep + 3;
	return true;
}

static bool read_host(const char **text, const char *end, struct address *a)
{
	const char *s = *text;
	bool bracketed = *s == '[';
	const char *stop;

	if (bracketed) {
		stop = memchr(s, ']', (size_t)(end - s));
		if (!stop)
			return false;
		s++;
		*text = stop + 1;
	} else {
		stop = memchr(s, ':', (size_t)(end - s));
		if (!stop)
			stop = end;
		*text = stop;
	}
	return text_copy_n(a->host, sizeof(a->host), s, (size_t)(stop - s)) && host_ok(a->host, bracketed) &&
	       (!bracketed || strchr(a->host, ':'));
}

bool address_parse(const char *whole, struct address *out, char *why, size_t size)
{
	const char *text = whole;
	struct address a = { 0 };
	char digits[8];
	uint64_t port;

	if (!read_scheme(&text, &a, why, size))
		return false;
	const char *end = text + strcspn(text, "/?#");
	if (memchr(text, '@', (size_t)(end - text))) {
		/* Not quoted back: what stands before the @ may be a password. */
		text_format(why, size, "an address has no user or password in it");
		return false;
	}
	if (!read_host(&text, end, &a)) {
		text_format(why, size, "want host:port, got \"%s\"", whole);
		return false;
	}
	if (text < end) {
		if (*text != ':' || !text_copy_n(digits, sizeof(digits), text + 1, (size_t)(end - text - 1)) ||
		    !text_u64(digits, &port) || port == 0 || port > 65535) {
			text_format(why, size, "\"%s\" has no port between 1 and 65535", whole);
			return false;
		}
		a.port = (uint16_t)port;
		a.port_told = true;
	} else if (strcmp(a.scheme, "http") == 0) {
		a.port = 80;
	} else if (strcmp(a.scheme, "https") == 0) {
		a.port = 443;
	} else if (!a.scheme[0]) {
		text_format(why, size, "\"%s\" has no port", whole);
		return false;
	}
	a.rest = end;
	*out = a;
	return true;
}

bool address_is_loopback(const char *host)
{
	return text_starts(host, "127.") || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}
