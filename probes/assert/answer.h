/* SPDX-License-Identifier: MIT
 * answer.h - the fields of an answer's head: private to this room. */
#ifndef PROBES_ANSWER_H
#define PROBES_ANSWER_H

#include "probes/assert/assert.h"

/* BORROWED from the head. */
struct field { const char *s; size_t n; };

/* The next header field of that name; *at begins with 0. */
bool answer_field(const struct answer *, const char *name, size_t *at, struct field *);

/* The parts of a cookie that can be asked for: cookie "sid[Path]". */
enum cookie_part { COOKIE_VALUE, COOKIE_EXPIRES, COOKIE_MAX_AGE, COOKIE_DOMAIN, COOKIE_PATH, COOKIE_SECURE, COOKIE_HTTP_ONLY,
		   COOKIE_SAME_SITE, N_COOKIE_PARTS };
extern const char *const cookie_parts[N_COOKIE_PARTS];

/* Of the last Set-Cookie of that name, as browsers do; a part without a value is "". */
enum cookie_found { COOKIE_THERE, COOKIE_NO_PART, COOKIE_NONE };
enum cookie_found answer_cookie(const struct answer *, const char *name, enum cookie_part, struct field *);

/* When the answer is looked at: ms since 1970. */
int64_t answer_now_ms(const struct answer *);

#endif
