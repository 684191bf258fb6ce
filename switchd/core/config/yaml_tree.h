/* SPDX-License-Identifier: MIT
 * yaml_tree.h - YAML text to a tree of nodes that know where they stand.
 *
 * A strict subset: one document, UTF-8, no anchors, aliases or tags, every key a
 * scalar and given once.  Scalars stay text: types are the settings table's business,
 * so `no` is never a boolean by accident.  Errors go to a diag; a syntax error ends the
 * reading (NULL), a duplicate key does not.  Everything lives in the arena it is given. */
#ifndef SWITCHD_CORE_YAML_TREE_H
#define SWITCHD_CORE_YAML_TREE_H

#include "switchd/base/arena.h"
#include "switchd/core/config/diag.h"

enum {
	YAML_MAX_TEXT = 1024 * 1024,
	YAML_MAX_DEPTH = 24,
	YAML_MAX_ITEMS = 4096,          /* of one mapping or list */
};

enum yaml_kind { YAML_TEXT, YAML_MAP, YAML_LIST };

struct yaml_pair;

struct yaml_node {
	enum yaml_kind kind;
	struct mark mark;
	const char *text;               /* scalars; "" else */
	const char *raw;                /* what stood there before ${ENV} was replaced; NULL = the same */
	bool plain;                     /* written without quotes */
	char quote;                     /* ' or " where it stands in some; else '\0' */
	bool bad;                       /* an error was said about it: no second one */
	struct yaml_pair *pairs;
	struct yaml_node **items;
	size_t n;                       /* of pairs or items */
};

struct yaml_pair { struct yaml_node *key, *value; };

/* The nodes live in the one arena, the texts of scalars in the other, which may outlive it (or be the same). */
struct yaml_node *yaml_tree_read(struct arena *nodes, struct arena *texts, struct diag *, const char *text, size_t len);

/* `key:` with nothing behind it, ~ and null. */
bool yaml_is_null(const struct yaml_node *);
/* The value of a key of a mapping, or NULL. */
struct yaml_node *yaml_get(const struct yaml_node *, const char *key);
const char *yaml_kind_name(const struct yaml_node *);   /* "text", "a mapping", "a list", "nothing" */

#endif
