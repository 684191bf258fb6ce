/* SPDX-License-Identifier: MIT
 * config.c - loads a configuration whole or not at all. */
#include "switchd/core/config/config.h"

#include <string.h>

#include "switchd/core/config/config_load.h"

static void open_sub(struct loading *ld, const struct block *top, const char *name, unsigned at, struct block *out)
{
	struct yaml_node *node = block_own(top, name);

	block_open(out, ld, node, at, NULL, node ? node->mark : top->mark, name);
}

static const char *listen_text(const struct block *b, const char *name)
{
	const char *text = block_text(b, name);

	return strcmp(text, "off") == 0 ? "" : text;
}

static void load_listen(struct loading *ld, const struct block *top, struct config *c)
{
	struct block b;
	struct address a;
	char why[300];

	open_sub(ld, top, "listen", AT_LISTEN, &b);
	c->listen = (struct listen_config){ listen_text(&b, "http"), listen_text(&b, "operators"), block_text(&b, "unix"), block_text(&b, "advertise") };
	if (!c->listen.advertise[0] && c->listen.operators[0])
		c->listen.advertise = arena_format(ld->arena, "http://%s", c->listen.operators);
	if (c->listen.http[0] && strcmp(c->listen.http, c->listen.operators) == 0)
		diag_error(ld->d, block_mark(&b, "operators"), "operators: is the same address as http: each has a listener of its own");
	if (c->listen.operators[0] && !c->tokens_file[0] && address_parse(c->listen.operators, &a, why, sizeof(why)) &&
	    !address_is_loopback(a.host))
		diag_warn(ld->d, block_mark(&b, "operators"), "operators: is open to the network, and without auth: tokens_file it only reads");
}

/* Adapters replace their files as a whole: two services in one file would undo each other. */
static const char *shared_file(const struct service_config *a, const struct service_config *b)
{
	for (size_t p = 0; p < a->n_proxies; p++)
		for (size_t q = 0; q < b->n_proxies; q++) {
			const struct proxy_config *x = &a->proxies[p], *y = &b->proxies[q];

			if (strcmp(x->type, "agent") == 0 || strcmp(y->type, "agent") == 0)
				continue;
			if (strcmp(x->map, y->map) == 0 || strcmp(x->map, y->paths) == 0)
				return x->map;
			if (strcmp(x->paths, y->paths) == 0 || strcmp(x->paths, y->map) == 0)
				return x->paths;
		}
	return NULL;
}

static void check_files(struct loading *ld, const struct config *c, struct yaml_node *services)
{
	for (size_t i = 0; i < c->n_services; i++)
		for (size_t k = 0; k < i; k++) {
			const char *file = shared_file(&c->services[i], &c->services[k]);

			if (file)
				diag_error(ld->d, services->pairs[i].key->mark, "services \"%s\" and \"%s\" share the file %s",
					   c->services[k].name, c->services[i].name, file);
		}
}

static void load_services(struct loading *ld, const struct block *top, struct config *c)
{
	struct yaml_node *all = block_own(top, "services"), *node;
	struct block defaults, budget;

	node = block_own(top, "defaults");
	block_open(&defaults, ld, node, AT_DEFAULTS, top, node ? node->mark : top->mark, "defaults");
	node = block_own(&defaults, "flip_budget");
	block_open(&budget, ld, node, AT_BUDGET, NULL, node ? node->mark : top->mark, "flip_budget");
	if (!all)
		return;
	struct service_config *list = arena_alloc(ld->arena, all->n * sizeof(*list));
	for (size_t i = 0; i < all->n; i++)
		service_load(ld, &all->pairs[i], &defaults, &budget, &list[i]);
	c->services = list;
	c->n_services = all->n;
	check_files(ld, c, all);
	if (ld->d->errors)
		return;
	for (size_t i = 0; i < c->n_services; i++) {
		struct feature *features = (struct feature *)list[i].features;

		for (size_t k = 0; k < list[i].n_features; k++)
			features[k].fingerprint = feature_fingerprint(&list[i], &features[k]);
		list[i].fingerprint = service_fingerprint(&list[i]);
	}
}

static void load_top(struct loading *ld, struct yaml_node *root)
{
	struct config *c = &ld->l->c;
	struct yaml_node *node;
	struct block top, b;

	if (root->kind != YAML_MAP || root->n == 0) {
		diag_error(ld->d, root->kind == YAML_MAP || yaml_is_null(root) ? (struct mark){ 0 } : root->mark,
			   "want a configuration with version: 1 and services:, got %s", root->kind == YAML_MAP ? "nothing" : yaml_kind_name(root));
		return;
	}
	if (ld->agent)
		agent_prune(ld, root);
	env_substitute(ld, root);
	block_open(&top, ld, root, AT_TOP, NULL, root->mark, "the configuration");
	c->state_dir = ld->state_dir = block_text(&top, "state_dir");
	c->lease_ttl_ms = block_n(&top, "lease_ttl");
	c->archive = block_text(&top, "archive");
	if (!c->archive[0])
		c->archive = arena_format(ld->arena, "%s/archive", c->state_dir);
	c->archive_keep_ms = block_n(&top, "archive_keep");
	c->archive_bytes = block_n(&top, "archive_size") * 1024 * 1024;
	open_sub(ld, &top, "auth", AT_AUTH, &b);
	c->tokens_file = block_text(&b, "tokens_file");
	open_sub(ld, &top, "exec", AT_EXEC, &b);
	c->exec_enabled = block_n(&b, "enabled") != 0;
	c->exec_at_once = block_int(&b, "at_once");
	load_listen(ld, &top, c);
	node = block_own(&top, "state");
	state_load(ld, node, node ? node->mark : top.mark, c);
	agent_load(ld, &top, c);
	load_services(ld, &top, c);
}

struct config *config_load(const char *name, const char *text, size_t len, config_env_fn *env, void *env_arg, struct buf *errors, int *n_errors)
{
	return config_load_for(CONFIG_CONTROLLER, name, text, len, env, env_arg, errors, n_errors);
}

struct config *config_load_for(enum config_role role, const char *name, const char *text, size_t len, config_env_fn *env, void *env_arg,
			       struct buf *errors, int *n_errors)
{
	struct arena *arena = arena_new();
	struct loaded *l = arena_alloc(arena, sizeof(*l));
	struct diag d;
	struct loading ld = { .l = l, .arena = arena, .d = &d, .env = env, .env_arg = env_arg, .agent = role == CONFIG_AGENT };

	diag_init(&d, name, text, len);
	l->c.arena = arena;
	l->c.file = arena_str(arena, name);
	/* Half of what a large config takes, and looked at only here; the texts are the config's own. */
	struct arena *nodes = arena_new();
	struct yaml_node *root = yaml_tree_read(nodes, arena, &d, text, len);
	if (root)
		load_top(&ld, root);
	else if (!d.errors)
		diag_error(&d, (struct mark){ 0 }, "is empty: want version: 1 and services:");
	diag_print(&d, errors);
	int count = d.errors;
	diag_free(&d);
	if (n_errors)
		*n_errors = count;
	if (count || !ld.keep_nodes)
		arena_free(&nodes);
	if (count) {
		arena_free(&arena);
		return NULL;
	}
	l->nodes = nodes;
	return &l->c;
}

void config_free(struct config **cp)
{
	if (!*cp)
		return;
	struct arena *arena = (*cp)->arena;

	arena_free(&((struct loaded *)*cp)->nodes);
	*cp = NULL;
	arena_free(&arena);
}

const struct service_config *config_service(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_services; i++)
		if (strcmp(c->services[i].name, name) == 0)
			return &c->services[i];
	return NULL;
}

const struct feature *config_feature(const struct service_config *s, const char *name)
{
	for (size_t i = 0; i < s->n_features; i++)
		if (strcmp(s->features[i].name, name) == 0)
			return &s->features[i];
	return NULL;
}
