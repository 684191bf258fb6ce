/* SPDX-License-Identifier: MIT
 * date.c - ISO and HTTP dates to seconds. */
#include "probes/assert/date.h"

#include <string.h>
#include <strings.h>

struct cursor { const char *s, *end; };

static bool number(struct cursor *c, int digits, int *out)
{
	int v = 0;

	if (c->end - c->s < digits)
		return false;
	for (int i = 0; i < digits; i++, c->s++) {
		if (*c->s < '0' || *c->s > '9')
			return false;
		v = v * 10 + (*c->s - '0');
	}
	*out = v;
	return true;
}

static bool take(struct cursor *c, const char *set)
{
	if (c->s == c->end || !*c->s || !strchr(set, *c->s))
		return false;
	c->s++;
	return true;
}

static bool leap(int y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }

/* Days from 1970-01-01; false when there is no such day. */
static bool days_of(int year, int month, int day, int64_t *out)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	static const int length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (month < 1 || month > 12 || day < 1 || day > length[month - 1] + (month == 2 && leap(year)))
		return false;
	int64_t y = year - 1;   /* whole years before this one */

	*out = y * 365 + y / 4 - y / 100 + y / 400 + before[month - 1] + (month > 2 && leap(year)) + day - 1 - 719162;
	return true;
}

static bool clock_of(struct cursor *c, int64_t *seconds)
{
	int h, m, s;

	if (!number(c, 2, &h) || !take(c, ":") || !number(c, 2, &m) || !take(c, ":") || !number(c, 2, &s) || h > 23 || m > 59 || s > 60)
		return false;
	*seconds = h * 3600 + m * 60 + s;
	return true;
}

static bool zone_of(struct cursor *c, int64_t *seconds)
{
	int h, m, sign = c->s < c->end && *c->s == '-' ? -1 : 1;

	*seconds = 0;
	if (take(c, "Zz"))
		return true;
	if (!take(c, "+-") || !number(c, 2, &h) || !take(c, ":") || !number(c, 2, &m) || h > 23 || m > 59)
		return false;
	*seconds = sign * (h * 3600 + m * 60);
	return true;
}

bool date_iso(const char *s, size_t n, int64_t *out)
{
	struct cursor c = { s, s + n };
	int year, month, day;
	int64_t days, clock = 0, zone = 0;

	if (!number(&c, 4, &year) || year < 1 || !take(&c, "-") || !number(&c, 2, &month) || !take(&c, "-") || !number(&c, 2, &day) ||
	    !days_of(year, month, day, &days))
		return false;
	if (c.s < c.end) {
		if (!take(&c, "Tt ") || !clock_of(&c, &clock))
			return false;
		if (take(&c, ".")) {
			const char *from = c.s;

			while (c.s < c.end && *c.s >= '0' && *c.s <= '9')
				c.s++;
			if (c.s == from)
				return false;
		}
		if (!zone_of(&c, &zone))
			return false;
	}
	*out = days * 86400 + clock - zone;
	return c.s == c.end;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT"; the name of the day says nothing and is not looked at. */
static bool date_http(const char *s, size_t n, int64_t *out)
{
	static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	struct cursor c = { s, s + n };
	const char *comma = n ? memchr(s, ',', n) : NULL;
	int day, year, month = 0;
	int64_t days, clock;

	if (!comma)
		return false;
	c.s = comma + 1;
	if (!take(&c, " ") || !number(&c, 2, &day) || !take(&c, " -") || c.end - c.s < 3)
		return false;
	while (month < 12 && strncasecmp(months + (size_t)month * 3, c.s, 3) != 0)
		month++;
	c.s += 3;
	if (month == 12 || !take(&c, " -") || !number(&c, 2, &year))
		return false;
	struct cursor long_year = c;
	int rest;

	if (number(&long_year, 2, &rest)) {
		year = year * 100 + rest;
		c = long_year;
	} else {
		year += year < 70 ? 2000 : 1900;        /* RFC 6265 5.1.1 */
	}
	if (year < 1 || !days_of(year, month + 1, day, &days) || !take(&c, " ") || !clock_of(&c, &clock))
		return false;
	*out = days * 86400 + clock;
	return c.end - c.s == 4 && strncasecmp(c.s, " GMT", 4) == 0;
}

bool date_any(const char *s, size_t n, int64_t *out)
{
	return date_iso(s, n, out) || date_http(s, n, out);
}
