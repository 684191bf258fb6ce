/* SPDX-License-Identifier: MIT
 * log.h - one voice: logfmt lines on stderr.
 *
 *   log_info("probe", "service=%s slot=%s", "shop", "green")
 *   -> 2026-11-22T03:12:07.304Z info probe service=shop slot=green
 *
 * Values that may hold spaces or foreign bytes go through LOG_Q (quoted,
 * escaped, cut at 200 bytes).  stderr is made non-blocking by the daemon: a
 * full pipe loses lines and counts them (H7); the loop never waits for a log. */
#ifndef SWITCHD_BASE_LOG_H
#define SWITCHD_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "switchd/base/must.h"

enum log_level { LOG_LV_DEBUG, LOG_LV_INFO, LOG_LV_WARN, LOG_LV_ERROR };

extern enum log_level log_least;      /* lines below it are dropped; default info */

void log_line(enum log_level, const char *what, const char *fmt, ...) PRINTF(3, 4);
uint64_t log_lost(void);

#define log_debug(what, ...) (log_least <= LOG_LV_DEBUG ? log_line(LOG_LV_DEBUG, what, __VA_ARGS__) : (void)0)
#define log_info(what, ...) log_line(LOG_LV_INFO, what, __VA_ARGS__)
#define log_warn(what, ...) log_line(LOG_LV_WARN, what, __VA_ARGS__)
#define log_error(what, ...) log_line(LOG_LV_ERROR, what, __VA_ARGS__)

/* For what may be so several times a second: true when it is not what was let through last, or when that is 30 s ago. */
struct log_last { char text[160]; int64_t us; };
bool log_due(struct log_last *, const char *text);

/* A quoted, escaped copy in one of 8 rotating static buffers: valid until eight calls later. */
const char *log_quoted(const char *s);
#define LOG_Q(s) log_quoted(s)

#endif
