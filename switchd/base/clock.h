/* SPDX-License-Identifier: MIT
 * clock.h - two kinds of time that do not mix.
 *
 * mono_us is CLOCK_BOOTTIME in microseconds: deadlines, latencies, evidence
 * ages; it goes on through a suspend, so that a gap can be seen.  wall_ms is
 * UTC since 1970 in milliseconds: for people and for what outlives a process.
 * Core never reads a clock: it is given both.  Durations are plain int64_t
 * with their unit in the name (_ms, _us). */
#ifndef SWITCHD_BASE_CLOCK_H
#define SWITCHD_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

typedef struct { int64_t us; } mono_us;   /* 0 = never */
typedef struct { int64_t ms; } wall_ms;   /* 0 = never */

mono_us mono_now(void);
wall_ms wall_now(void);

/* Thread CPU time, for the "no callback over 50 ms" counter (I10). */
int64_t cpu_now_us(void);

static inline int64_t mono_since_us(mono_us now, mono_us then) { return now.us - then.us; }
static inline int64_t mono_since_ms(mono_us now, mono_us then) { return (now.us - then.us) / 1000; }
static inline mono_us mono_plus_ms(mono_us t, int64_t ms) { return (mono_us){ t.us + ms * 1000 }; }
static inline wall_ms wall_plus_ms(wall_ms t, int64_t ms) { return (wall_ms){ t.ms + ms }; }

/* "2026-11-22T03:12:07.304Z" into out; "-" for 0. */
#define WALL_TEXT 32
const char *wall_text(wall_ms t, char out[WALL_TEXT]);

/* "350ms", "12s", "4m", "3h", "2d": one unit, rounded down, for people. */
#define AGE_TEXT 24
const char *age_text(int64_t ms, char out[AGE_TEXT]);

#endif
