/* SPDX-License-Identifier: MIT
 * regex.c - PCRE2 with limits on backtracking, memory and CPU time. */
#include "probes/assert/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/clock.h"
#include "switchd/base/text.h"

enum {
	MATCH_LIMIT = 100000, DEPTH_LIMIT = 5000, HEAP_LIMIT_KIB = 1024,
	BUDGET_US = 5000,               /* of CPU for one match: far under the loop's 50 ms */
	LOOK_EVERY = 32,                /* callouts between two looks at the clock... */
	LOOK_MOVED = 64 * 1024,         /* ...or this many bytes walked: one item can walk the whole body */
};

struct regex {
	pcre2_code *code;
	pcre2_match_context *context;
	pcre2_match_data *data;
};

struct meter {
	int64_t until_us;
	size_t at, moved;
	unsigned calls;
	bool watch;                     /* for people: how far did it come? */
	size_t part; struct regex_span best;
};

static int between_items(pcre2_callout_block *b, void *arg)
{
	struct meter *m = arg;

	if (m->watch && b->current_position > b->start_match && b->pattern_position > m->part) {
		m->part = b->pattern_position;
		m->best = (struct regex_span){ b->start_match, b->current_position };
	}
	m->moved += b->current_position > m->at ? b->current_position - m->at : m->at - b->current_position;
	m->at = b->current_position;
	if (++m->calls < LOOK_EVERY && m->moved < LOOK_MOVED)
		return 0;
	m->calls = 0;
	m->moved = 0;
	return cpu_now_us() > m->until_us ? PCRE2_ERROR_CALLOUT : 0;
}

static bool flag_bits(const char *flags, uint32_t *options)
{
	for (; *flags; flags++)
		switch (*flags) {
		case 'i': *options |= PCRE2_CASELESS; break;
		case 's': *options |= PCRE2_DOTALL; break;
		case 'm': *options |= PCRE2_MULTILINE; break;
		case 'x': *options |= PCRE2_EXTENDED; break;
		default: return false;
		}
	return true;
}

struct regex *regex_compile(const char *pattern, size_t len, const char *flags, char *err, size_t err_size, size_t *err_off)
{
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT;
	int code_error;
	PCRE2_SIZE off;

	*err_off = 0;
	if (!flag_bits(flags, &options)) {
		text_format(err, err_size, "a pattern takes the flags i, s, m and x only");
		return NULL;
	}
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, len, options, &code_error, &off, NULL);
	if (!code) {
		char why[128];

		pcre2_get_error_message(code_error, (PCRE2_UCHAR *)why, sizeof(why));
		text_format(err, err_size, "the pattern does not compile: %s", why);
		*err_off = off < len ? off : len;
		return NULL;
	}
	/* Refused under MemoryDenyWriteExecute, and absent on some machines: matching works all the same. */
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);

	struct regex *re = xcalloc(1, sizeof(*re));

	re->code = code;
	re->context = pcre2_match_context_create(NULL);
	re->data = pcre2_match_data_create(2, NULL);   /* the whole and the first group */
	if (!re->context || !re->data)
		never("out of memory");
	pcre2_set_match_limit(re->context, MATCH_LIMIT);
	pcre2_set_depth_limit(re->context, DEPTH_LIMIT);
	pcre2_set_heap_limit(re->context, HEAP_LIMIT_KIB);
	return re;
}

void regex_free(struct regex **rep)
{
	struct regex *re = *rep;

	if (!re)
		return;
	pcre2_match_data_free(re->data);
	pcre2_match_context_free(re->context);
	pcre2_code_free(re->code);
	free(re);
	*rep = NULL;
}

/* *groups: 1 when no group took part in the match. */
static enum regex_result run(const struct regex *re, const char *subject, size_t len, struct meter *m, int *groups)
{
	m->until_us = cpu_now_us() + BUDGET_US;
	if (!subject)
		subject = "";
	pcre2_set_callout(re->context, between_items, m);
	int rc = pcre2_match(re->code, (PCRE2_SPTR)subject, len, 0, 0, re->data, re->context);
	/* JIT code has 32 KiB of stack and no heap; the interpreter may go up to HEAP_LIMIT. */
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(re->code, (PCRE2_SPTR)subject, len, 0, PCRE2_NO_JIT, re->data, re->context);
	pcre2_set_callout(re->context, NULL, NULL);
	*groups = rc;
	/* Whatever else stops a match says nothing about the body: the same as a limit. */
	return rc >= 0 ? RE_YES : rc == PCRE2_ERROR_NOMATCH ? RE_NO : RE_COSTLY;
}

enum regex_result regex_match(const struct regex *re, const char *subject, size_t len)
{
	int groups;

	return run(re, subject, len, &(struct meter){ .calls = 0 }, &groups);
}

enum regex_result regex_find(const struct regex *re, const char *subject, size_t len, struct regex_span *at)
{
	int groups;
	enum regex_result r = run(re, subject, len, &(struct meter){ .calls = 0 }, &groups);
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(re->data);
	size_t group = groups != 1 && v[2] != PCRE2_UNSET ? 2 : 0;

	*at = r == RE_YES ? (struct regex_span){ v[group], v[group + 1] } : (struct regex_span){ 0, 0 };
	if (at->to < at->from)  /* \K inside a lookahead */
		at->to = at->from;
	return r;
}

bool regex_nearest(const struct regex *re, const char *subject, size_t len, struct regex_span *at, size_t *part)
{
	struct meter m = { .watch = true };
	int groups;

	(void)run(re, subject, len, &m, &groups);
	*at = m.best;
	*part = m.part;
	return m.part > 0;
}
