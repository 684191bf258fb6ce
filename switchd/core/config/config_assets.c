/* SPDX-License-Identifier: MIT
 * config_assets.c - the settings of a feature that is a page with its scripts and styles.
 *
 *   assets: /
 *   assets: { page: /, marker: "shop-ui", min: 2, max: 50, external: true } */
#include <string.h>

#include "switchd/core/config/config_assets.h"
#include "switchd/core/config/config_kind.h"

static const char *page_of(const struct loading *ld, struct yaml_node *n)
{
	struct value value;
	char why[300];

	if (yaml_is_null(n))
		diag_error(ld->d, n->mark, "assets: want the path of a page, or a mapping with page:, got nothing");
	else if (!setting_parse(setting_find("page", AT_ASSETS), n->text, &value, why, sizeof(why)))
		diag_error(ld->d, n->mark, "assets: %s", why);
	return n->text;
}

static void assets_load(const struct block *b, struct feature *f)
{
	struct yaml_node *n = block_own(b, "assets");
	struct loading *ld = b->ld;
	struct assets_config *a = arena_alloc(ld->arena, sizeof(*a));
	bool bare = n->kind == YAML_TEXT;
	struct block own;

	f->path = "";
	f->assets = a;
	if (block_own(b, "expect"))
		diag_error(ld->d, block_mark(b, "expect"), "expect: a feature of assets is judged by its page, scripts and styles (marker: looks into them)");
	if (n->kind == YAML_LIST)
		diag_error(ld->d, n->mark, "assets: want the path of a page, or a mapping with page:, got a list");
	block_open(&own, ld, n->kind == YAML_MAP ? n : NULL, AT_ASSETS, b, n->mark, arena_format(ld->arena, "assets of %s", b->what));
	if (n->kind == YAML_MAP && !yaml_get(n, "page"))
		diag_error(ld->d, n->mark, "missing key \"page\" in %s", own.what);
	a->page = bare ? page_of(ld, n) : block_text(&own, "page");
	a->marker = block_text(&own, "marker");
	a->marker_line = block_mark(&own, "marker").line;
	a->marker_col = block_mark(&own, "marker").col;
	a->marker_quote = block_own(&own, "marker") ? block_own(&own, "marker")->quote : '\0';
	a->min = block_int(&own, "min");
	a->max = block_int(&own, "max");
	a->external = block_n(&own, "external") != 0;
	if (a->min > a->max)
		diag_error(ld->d, block_mark(&own, "min"), "min: %d is more than max, %d", a->min, a->max);
}

static void assets_show(const struct show *w, const char *in, const struct feature *f)
{
	const struct assets_config *a = f->assets;
	char deep[64];

	TEXT_FORMAT(deep, "%s  ", in);
	buf_addf(w->out, "%sassets:\n", in);
	show_text(w, deep, "page", a->page);
	show_text(w, deep, "marker", a->marker);
	show_int(w, deep, "min", a->min);
	show_int(w, deep, "max", a->max);
	show_bool(w, deep, "external", a->external);
}

const struct feature_kind feature_kind_assets = { "assets", "assets", true, assets_load, assets_show };
