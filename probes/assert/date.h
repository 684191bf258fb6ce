/* SPDX-License-Identifier: MIT
 * date.h - dates as answers write them. Pure: no clock, no time zone of the machine. */
#ifndef PROBES_DATE_H
#define PROBES_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/base/must.h"

/* 2026-11-22, 2026-11-22T03:12:07Z, 2026-11-22T03:12:07.304+01:00 (RFC 3339; a space may stand for the T).
 * Seconds since 1970 UTC; a date alone is its midnight in UTC. */
MUSTCHECK bool date_iso(const char *s, size_t n, int64_t *out);

/* The same, or as HTTP has it: Sun, 06 Nov 1994 08:49:37 GMT; also with dashes, as in cookies (RFC 9110 5.6.7, RFC 6265 5.1.1). */
MUSTCHECK bool date_any(const char *s, size_t n, int64_t *out);

#endif
