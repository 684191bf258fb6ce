/* SPDX-License-Identifier: MIT
 * config_inventory.c - the sources of a service's routes. */
#include <string.h>

#include "switchd/core/config/config_load.h"

static const char *const kinds[N_INVENTORY_KINDS] = { "openapi", "sitemap", "links", "routes", "log" };

const char *inventory_kind_name(enum inventory_kind k) { return kinds[k]; }

/* A key that only one kind of source reads. */
static void only_of(const struct block *b, const char *key, bool right, const char *kind)
{
	const struct yaml_node *node = block_own(b, key);

	if (node && !right)
		diag_error(b->ld->d, node->mark, "%s: has a meaning only with %s", key, kind);
}

static bool source_load(struct loading *ld, struct yaml_node *item, struct inventory_source *out)
{
	struct block b;
	int told = -1;
	bool bad = false;

	block_open(&b, ld, item, AT_INVENTORY, NULL, item->mark, "a source of the inventory");
	for (int k = 0; k < N_INVENTORY_KINDS; k++) {
		const struct yaml_node *node = block_own(&b, kinds[k]);

		bad = bad || block_bad(&b, kinds[k]);
		if (node && told >= 0)
			diag_error(ld->d, node->mark, "%s: this source is told already, by %s: one a source", kinds[k], kinds[told]);
		else if (node)
			told = k;
	}
	if (told < 0) {
		if (!bad && b.map)
			diag_error(ld->d, item->mark, "missing key in a source of the inventory: want openapi, sitemap, links, routes or log");
		return false;
	}
	const char *pick = told == INV_LINKS ? "xpath" : told == INV_ROUTES ? "jsonpath" : NULL;
	struct mark mark = pick ? block_mark(&b, pick) : item->mark;

	*out = (struct inventory_source){ .kind = (enum inventory_kind)told, .where = block_text(&b, kinds[told]), .pick = pick ? block_text(&b, pick) : "",
					  .top = block_int(&b, "top"), .ask = block_n(&b, "ask") != 0, .line = mark.line, .col = mark.col };
	only_of(&b, "xpath", told == INV_LINKS, "links");
	only_of(&b, "jsonpath", told == INV_ROUTES, "routes");
	only_of(&b, "top", told == INV_LOG, "log");
	if (told == INV_ROUTES && !out->pick[0] && !block_bad(&b, "jsonpath"))
		diag_error(ld->d, item->mark, "missing key \"jsonpath\" in a source of the inventory: it says where in %s the paths are", out->where);
	if (told == INV_LOG && !out->ask)
		diag_warn(ld->d, block_mark(&b, "ask"), "ask: the routes of a log are those of both slots: unasked, they tell no difference");
	return true;
}

void inventory_load(struct loading *ld, const struct block *service, struct service_config *out)
{
	struct yaml_node *list = block_own(service, "inventory");

	if (list && list->n > MAX_INVENTORY) {
		diag_error(ld->d, list->mark, "inventory: at most %d sources", MAX_INVENTORY);
		return;
	}
	struct inventory_source *all = arena_alloc(ld->arena, ((list ? list->n : 0) + 1) * sizeof(*all));

	for (size_t i = 0; list && i < list->n; i++)
		if (!list->items[i]->bad && source_load(ld, list->items[i], &all[out->n_inventory]))
			out->n_inventory++;
	out->inventory = all;
}
