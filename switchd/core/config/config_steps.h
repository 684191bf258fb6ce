/* SPDX-License-Identifier: MIT
 * config_steps.h - a feature that is a run of requests: what its steps ask, expect and carry on.
 *
 * Texts are as written, with {{name}} in them; every name is one of secrets[] or was captured by an earlier step:
 * the loader saw to it.  Everything lives in the config's arena. */
#ifndef SWITCHD_CORE_CONFIG_STEPS_H
#define SWITCHD_CORE_CONFIG_STEPS_H

#include "switchd/core/config/config.h"

enum {
	STEPS_MAX = 32, CAPTURES_MAX = 32, SECRETS_MAX = 16,
	VAR_MAX = 4096,                 /* bytes of one captured value or secret */
	SECRET_MIN = 4,                 /* a shorter one is in every answer by chance: it could not be struck out */
};

struct step_capture { const char *name, *query; int line, col; char quote; };
struct step_secret { const char *name, *file, *value; int line, col; };    /* value: what was in the file at load */

struct step {
	const char *method, *path;
	const struct header *headers; size_t n_headers; /* the feature's and its own, its own win */
	const struct header *own_headers; size_t n_own; /* for show */
	const struct header *form; size_t n_form;
	const char *body;               /* "" = none, or form, or json */
	const char *json;               /* JSON text; NULL = none */
	const struct yaml_node *json_tree;      /* for show */
	const char *const *expect; size_t n_expect;     /* none: 2xx (always_run: 2xx and 3xx) */
	const int *expect_line, *expect_col;
	const char *expect_quote;
	const struct step_capture *captures; size_t n_captures;
	bool always_run;
};

struct steps_config {
	const struct step *list; size_t n;
	const struct step_secret *secrets; size_t n_secrets;
	const char *const *hidden; size_t n_hidden;     /* values out of the environment, and literal passwords */
};

/* The next {{name}} at or after p: sets *name and *len (without braces and spaces), returns where the braces begin, and in
 * *end what follows them; NULL when there is none.  What is no name gives *len = 0. */
const char *steps_var(const char *p, const char **name, size_t *len, const char **end);

/* The step whose path the negative control replaces (B1.5): the last one that only reads and is judged; -1 = none. */
int steps_control(const struct steps_config *);

bool steps_unsafe(const struct step *);         /* another method than GET or HEAD */

#endif
