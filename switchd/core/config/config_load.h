/* SPDX-License-Identifier: MIT
 * config_load.h - inside the config loader: blocks of settings and what they share.
 *
 * For config*.c only; everybody else includes config.h. */
#ifndef SWITCHD_CORE_CONFIG_LOAD_H
#define SWITCHD_CORE_CONFIG_LOAD_H

#include "switchd/core/config/address.h"
#include "switchd/core/config/config.h"
#include "switchd/core/config/settings.h"
#include "switchd/core/config/yaml_tree.h"

/* A text into which ${ENV} was put, and what stood in the file: config_show prints the latter
 * where a secret may be, so that what it prints can be shown around and still loads. */
struct raw_text { const struct raw_text *next; const char *value, *raw; };

/* What came out of a file. */
struct secret_text { const struct secret_text *next; const char *value; };

/* config_load() hands out &loaded.c. */
struct loaded { struct config c; const struct raw_text *raws; struct arena *nodes; /* NULL: no part of the tree is shown */ };

struct loading {
	struct loaded *l;
	struct arena *arena;
	struct diag *d;
	config_env_fn *env;
	void *env_arg;
	const char *state_dir;
	const struct secret_text *secrets;
	bool keep_nodes;                /* something points into the tree */
	bool agent;                     /* CONFIG_AGENT */
};

/* One mapping of settings, checked against the table; `up` is what it inherits from. */
struct block {
	struct loading *ld;
	struct yaml_node *map;          /* NULL: nothing was written */
	struct mark mark;               /* where errors about the whole go */
	unsigned at;
	const char *what;               /* "service \"shop\"" */
	const struct block *up;
};

/* Says every unknown, missing, ill-typed key of it. node NULL = an empty block. */
void block_open(struct block *, struct loading *, struct yaml_node *, unsigned at, const struct block *up, struct mark, const char *what);

/* What the block itself says; NULL when it does not, or when it was wrong (and said so). */
struct yaml_node *block_own(const struct block *, const char *name);
/* Own text, else the table's default, else "". */
const char *block_text(const struct block *, const char *name);
/* The nearest value up the chain, else the table's default. */
int64_t block_n(const struct block *, const char *name);
int block_int(const struct block *, const char *name);
struct yaml_node *block_nearest(const struct block *, const char *name);
/* Something was written for it somewhere up the chain, and was wrong: say nothing more about it. */
bool block_bad(const struct block *, const char *name);
/* Of the value, or of the block when it does not say. */
struct mark block_mark(const struct block *, const char *name);

/* A list of texts as an array, with their places. */
struct lines { const char **text; int *line, *col; char *quote; size_t n; };
struct lines block_lines(const struct block *, const char *name);

/* Replaces ${NAME} and $$ in every value of the tree. */
void env_substitute(struct loading *, struct yaml_node *);

bool header_is_secret(const char *name);

/* An address of which parsing was checked already: setting_parse() said yes. */
struct target target_of(struct loading *, const char *text, bool front_tls);

void service_load(struct loading *, struct yaml_pair *, const struct block *defaults, const struct block *budget, struct service_config *out);
void features_load(struct loading *, struct yaml_node *, const struct block *service, struct service_config *out);
/* state: node may be NULL. */
void state_load(struct loading *, struct yaml_node *, struct mark, struct config *);
/* A tls: or front_tls: block; node may be NULL.  unused: NULL, or what to warn of when one is there. */
void tls_block_load(struct loading *, struct yaml_node *, const char *key, const char *what, const char *unused, struct tls_config *out);
/* `headers:` of the block and of those around it. */
const struct header *headers_load(const struct block *, size_t *n);
void inventory_load(struct loading *, const struct block *service, struct service_config *out);
/* config_agent.c */
void agent_prune(struct loading *, struct yaml_node *root);     /* before anything is looked at: what is none of an agent's business */
void agent_load(struct loading *, const struct block *top, struct config *);
void agent_rules(struct loading *, const struct block *service, const struct service_config *);
/* After everything else: its text is what a reload compares. */
uint64_t service_fingerprint(const struct service_config *);
uint64_t feature_fingerprint(const struct service_config *, const struct feature *);

#endif
