/* SPDX-License-Identifier: MIT
 * clock.c - the only place that reads clocks. */
#include "switchd/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "switchd/base/must.h"

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	must(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

mono_us mono_now(void) { return (mono_us){ read_us(CLOCK_BOOTTIME) }; }
wall_ms wall_now(void) { return (wall_ms){ read_us(CLOCK_REALTIME) / 1000 }; }
int64_t cpu_now_us(void) { return read_us(CLOCK_THREAD_CPUTIME_ID); }

const char *wall_text(wall_ms t, char out[WALL_TEXT])
{
	time_t s = (time_t)(t.ms / 1000);
	struct tm tm;

	if (t.ms <= 0 || !gmtime_r(&s, &tm)) {
		snprintf(out, WALL_TEXT, "-");
		return out;
	}
	size_t n = strftime(out, WALL_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, WALL_TEXT - n, ".%03dZ", (int)(t.ms % 1000));
	return out;
}

const char *age_text(int64_t ms, char out[AGE_TEXT])
{
	static const struct { int64_t ms; const char *unit; } units[] = {
		{ 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" },
	};
	const char *sign = ms < 0 ? "-" : "";

	if (ms < 0)
		ms = -ms;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (ms >= 2 * units[i].ms || (ms >= units[i].ms && ms % units[i].ms == 0)) {
			snprintf(out, AGE_TEXT, "%s%" PRId64 "%s", sign, ms / units[i].ms, units[i].unit);
			return out;
		}
	snprintf(out, AGE_TEXT, "%s%" PRId64 "ms", sign, ms);
	return out;
}
