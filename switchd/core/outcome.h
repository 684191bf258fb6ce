/* SPDX-License-Identifier: MIT
 * outcome.h - every way a probe can end, by name (B1.1, house 3).
 *
 * One row per outcome in outcome.c: class, code, sentence.  The code is the same
 * in log, metric, API and test.  Only these four classes exist: present and
 * absent need a complete valid answer (or what B1.1 adds); unknown says nothing
 * about the feature; out is a refused connection (the target, not the feature). */
#ifndef SWITCHD_CORE_OUTCOME_H
#define SWITCHD_CORE_OUTCOME_H

enum outcome_class { OC_PRESENT, OC_ABSENT, OC_UNKNOWN, OC_OUT };
const char *outcome_class_name(enum outcome_class);

enum outcome {
	OUT_PRESENT,
	/* absent */
	OUT_STATUS, OUT_HEADER, OUT_BODY, OUT_JSON, OUT_DURATION, OUT_SHAPE, OUT_IDENTITY, OUT_REDIRECT,
	OUT_BODY_CUT, OUT_DURATION_TIMEOUT, OUT_KILLS_WORKER, OUT_EXEC_CRITICAL, OUT_EXEC_WARNING, OUT_TLS_ASSERTION, OUT_ASSERTION,
	OUT_ASSET_MISSING, OUT_ASSET_TYPE, OUT_ASSET_EMPTY, OUT_ASSET_MARKER,
	/* unknown */
	OUT_TIMEOUT, OUT_CONNECT_TIMEOUT, OUT_NO_ROUTE, OUT_DNS, OUT_TLS, OUT_PROTOCOL, OUT_TOO_LARGE, OUT_PATTERN_COSTLY,
	OUT_CANCELLED, OUT_NEVER_RAN, OUT_PROBER_LIMIT, OUT_EXEC_UNKNOWN, OUT_STALE_STAMP,
	/* out */
	OUT_REFUSED, OUT_RESET, OUT_CLOSED,
	N_OUTCOMES
};

struct outcome_info { enum outcome_class class; const char *code, *sentence; };
const struct outcome_info *outcome_info(enum outcome);

#endif
