/* SPDX-License-Identifier: MIT
 * steps.h - private to steps*.c: names in texts, what must never be shown, and a run's compiled form. */
#ifndef PROBES_STEPS_H
#define PROBES_STEPS_H

#include "probes/assert/query.h"
#include "probes/assert/suite.h"
#include "switchd/base/buf.h"
#include "switchd/core/config/config_steps.h"

/* ---- steps_vars.c: {{name}} ---- */

struct vars {
	const char *name[SECRETS_MAX + CAPTURES_MAX];   /* BORROWED from the config */
	char *value[SECRETS_MAX + CAPTURES_MAX];        /* NULL: not captured yet */
	size_t n;
};

/* Where a value is put decides how it is written there. */
enum vars_how { VARS_RAW, VARS_HEADER, VARS_URL, VARS_FORM, VARS_JSON, VARS_EXPECT };

/* Appends the text with every name replaced. False: why says it, and names no value. */
MUSTCHECK bool vars_put(struct buf *out, const char *text, const struct vars *, enum vars_how, char *why, size_t why_size);
void vars_encode(struct buf *out, const char *value, enum vars_how);    /* URL, FORM, JSON */
bool vars_in(const char *text);                                         /* has it a name? */
void vars_set(struct vars *, const char *name, const char *value);
void vars_clear(struct vars *);                                         /* wipes the values */
/* For checking a line of assertions at load: each name becomes a number of the same width, so that columns stay. */
char *vars_stand_in(const char *text);

/* ---- steps_secret.c: what must never be shown ---- */

struct redact { char **form; size_t *len; size_t n, room; size_t longest; };

/* A text, and what it looks like in a URL, a form, JSON, HTML and base64. Shorter than SECRET_MIN: ignored. */
void redact_add(struct redact *, const char *secret);
/* Values that an answer sets as cookies: a session is a key to somebody's data. */
void redact_cookies(struct redact *, const char *head, size_t len);
/* Each occurrence becomes stars, in place. */
void redact_apply(const struct redact *, char *text, size_t len);
void redact_clear(struct redact *);
void secret_wipe(char *);                                               /* and frees; NULL is fine */

/* ---- steps_plan.c: a run as it was compiled ---- */

struct step_plan {
	const struct step *step;
	bool dynamic;                   /* its assertions have names in them: compiled when their values are known */
	bool has_duration, wants_cert;
	struct suite suite;             /* unless dynamic */
	struct query *query[CAPTURES_MAX];
};

struct flow {
	const struct feature *feature;
	const struct steps_config *cfg;
	struct step_plan *plan;
	struct vars secrets;
	struct redact redact;
	int control;                    /* the step that the negative control replaces; -1 */
};

struct flow *flow_new(const struct feature *);
void flow_free(struct flow **);
/* file:line:col lines of what is wrong; how many. */
int flow_check(const struct config *, const struct feature *, struct buf *errors);
/* The assertions of a step with names, now that their values are known. False: why. */
MUSTCHECK bool flow_suite(const struct step_plan *, const struct vars *, struct suite *, char *why, size_t why_size);

#endif
