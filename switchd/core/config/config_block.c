/* SPDX-License-Identifier: MIT
 * config_block.c - a mapping of settings, checked against the table; inheritance. */
#include <string.h>

#include "switchd/core/config/config_load.h"

static void unknown_key(const struct block *b, struct yaml_node *key)
{
	const char *names[128];
	size_t n = 0;

	for (size_t i = 0; i < settings_count() && n < ARRAY_LEN(names); i++)
		if (setting_at(i)->where & b->at)
			names[n++] = setting_at(i)->name;
	const char *near = text_nearest(key->text, names, n);
	unsigned elsewhere = setting_elsewhere(key->text);
	char places[160] = "";

	for (unsigned bit = 1, len; bit < 1u << N_PLACES; bit <<= 1)
		if (elsewhere & bit) {
			len = (unsigned)strlen(places);
			text_format(places + len, sizeof(places) - len, "%s%s", len ? " or " : "", place_name(bit));
		}
	if (places[0])
		diag_error(b->ld->d, key->mark, "unknown key \"%s\" in %s: it belongs in %s", key->text, b->what, places);
	else if (near)
		diag_error(b->ld->d, key->mark, "unknown key \"%s\" (did you mean \"%s\"?)", key->text, near);
	else
		diag_error(b->ld->d, key->mark, "unknown key \"%s\" in %s", key->text, b->what);
}

/* Says what is wrong with the value and marks it, so that no later rule stumbles over it again. */
static void refuse(const struct block *b, const struct setting *s, struct yaml_node *node, const char *why)
{
	if (!node->bad)
		diag_error(b->ld->d, node->mark, "%s: %s", s->name, why);
	node->bad = true;
}

static void refuse_kind(const struct block *b, const struct setting *s, struct yaml_node *node, const char *want)
{
	char why[160];

	text_format(why, sizeof(why), "want %s, got %s", want, yaml_kind_name(node));
	refuse(b, s, node, why);
}

static void check_scalar(const struct block *b, const struct setting *s, struct yaml_node *node)
{
	struct value value;
	char why[300];

	if (node->kind != YAML_TEXT || yaml_is_null(node)) {
		refuse_kind(b, s, node, "one value");
		return;
	}
	if (!node->plain && !node->raw && (s->type == T_INT || s->type == T_BOOL)) {
		refuse(b, s, node, s->type == T_INT ? "want a number, without quotes" : "want true or false, without quotes");
		return;
	}
	if (!setting_parse(s, node->text, &value, why, sizeof(why)))
		refuse(b, s, node, why);
}

/* One text alone is a list of one: nobody after this sees the difference. */
static void list_of_one(const struct block *b, struct yaml_node *node)
{
	struct arena *arena = b->ld->arena;
	struct yaml_node *item = arena_alloc(arena, sizeof(*item));

	*item = *node;
	node->kind = YAML_LIST;
	node->text = "";
	node->raw = NULL;
	node->items = arena_alloc(arena, sizeof(struct yaml_node *));
	node->items[0] = item;
	node->n = 1;
}

static void check_list(const struct block *b, const struct setting *s, struct yaml_node *node)
{
	struct value value;
	char why[300];

	if (s->type == T_LINE_OR_LINES && node->kind == YAML_TEXT && !yaml_is_null(node))
		list_of_one(b, node);
	if (node->kind != YAML_LIST) {
		refuse_kind(b, s, node, s->type == T_WORDS ? "a list such as [slot, front]" : "a list");
		return;
	}
	if (node->n < (size_t)s->min || node->n > (size_t)s->max) {
		text_format(why, sizeof(why), node->n ? "want at most %d of them" : "the list is empty", (int)s->max);
		refuse(b, s, node, why);
		return;
	}
	for (size_t i = 0; i < node->n; i++) {
		struct yaml_node *item = node->items[i];

		if (item->kind != YAML_TEXT || yaml_is_null(item))
			refuse_kind(b, s, item, item->kind == YAML_MAP ? "one line of text (put quotes round one that holds a \": \")" : "text");
		else if (s->type == T_WORDS && !setting_parse(s, item->text, &value, why, sizeof(why)))
			refuse(b, s, item, why);
		else if (s->type != T_WORDS && (!item->text[0] || strpbrk(item->text, "\n\r") || strlen(item->text) > 4096))
			refuse(b, s, item, "want one line of text, of at most 4096 bytes");
		for (size_t k = 0; s->type == T_WORDS && k < i; k++)
			if (strcmp(node->items[k]->text, item->text) == 0)
				refuse(b, s, item, "the same word twice");
		if (item->bad)
			node->bad = true;
	}
}

static void check_kind(const struct block *b, const struct setting *s, struct yaml_node *node)
{
	bool map = node->kind == YAML_MAP, list = node->kind == YAML_LIST;

	if (s->type == T_BOOL_OR_BLOCK) {
		bool word = node->kind == YAML_TEXT && node->plain && (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0);

		if (!map && !word)
			refuse_kind(b, s, node, "true, false or a mapping");
		return;
	}
	if (s->type == T_MAP_OR_LINES) {
		if (node->kind == YAML_TEXT && !yaml_is_null(node))
			list_of_one(b, node);
		if (node->kind == YAML_TEXT)
			refuse_kind(b, s, node, "a mapping or a list");
		else if (node->n == 0)
			refuse(b, s, node, "is empty");
		return;
	}
	if (s->type == T_MAP_OR_LIST ? !map && !list : s->type == T_LIST ? !list : !map)
		refuse_kind(b, s, node, s->type == T_MAP_OR_LIST ? "a mapping or a list" : s->type == T_LIST ? "a list of mappings" : "a mapping");
	else if (node->n == 0 && (s->min > 0 || s->type == T_MAP_OR_LIST || s->type == T_LIST))
		refuse(b, s, node, "is empty");
	else if (s->type == T_MAP && node->n > (size_t)s->max)
		refuse(b, s, node, "has too many entries");
}

static void check_headers(const struct block *b, struct yaml_node *map)
{
	static const char *const ours[] = { "X-Switchd-Probe", "Content-Length", "Transfer-Encoding", "Connection" };
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct diag *d = b->ld->d;

	for (size_t i = 0; i < map->n; i++) {
		struct yaml_node *key = map->pairs[i].key, *value = map->pairs[i].value;
		const char *name = key->text;

		if (!name[0] || name[strspn(name, token)] || strlen(name) > 128)
			diag_error(d, key->mark, "\"%s\" is no name of a header", name);
		for (size_t k = 0; k < ARRAY_LEN(ours); k++)
			if (strcasecmp(name, ours[k]) == 0)
				diag_error(d, key->mark, "the header %s is set by switchd itself", ours[k]);
		for (size_t k = 0; k < i; k++)
			if (strcasecmp(map->pairs[k].key->text, name) == 0)
				diag_error(d, key->mark, "header \"%s\" twice (first at line %d)", name, map->pairs[k].key->mark.line);
		if (value->bad)
			continue;
		if (value->kind != YAML_TEXT || yaml_is_null(value))
			diag_error(d, value->mark, "header %s: want text, got %s", name, yaml_kind_name(value));
		else if (strpbrk(value->text, "\r\n") || strlen(value->text) > 8192)
			diag_error(d, value->mark, "header %s: want one line of at most 8192 bytes", name);
	}
}

static void check_cookies(const struct block *b, const struct yaml_node *map)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct diag *d = b->ld->d;

	for (size_t i = 0; i < map->n; i++) {
		struct yaml_node *key = map->pairs[i].key, *value = map->pairs[i].value;

		if (!key->text[0] || key->text[strspn(key->text, token)] || strlen(key->text) > 128)
			diag_error(d, key->mark, "\"%s\" is no name of a cookie", key->text);
		if (value->bad)
			continue;
		if (value->kind != YAML_TEXT || yaml_is_null(value))
			diag_error(d, value->mark, "cookie %s: want text, got %s", key->text, yaml_kind_name(value));
		else if (strpbrk(value->text, " \t\r\n;,\"\\") || strlen(value->text) > 4096)
			diag_error(d, value->mark, "cookie %s: want at most 4096 bytes without space, comma, semicolon, quote or backslash",
				   key->text);
	}
}

static void check_key(const struct block *b, struct yaml_pair *pair)
{
	const struct setting *s = setting_find(pair->key->text, b->at);

	if (!s) {
		unknown_key(b, pair->key);
		return;
	}
	if (pair->value->bad)
		return;
	if (setting_is_scalar(s))
		check_scalar(b, s, pair->value);
	else if (s->type == T_WORDS || s->type == T_LINES || s->type == T_LINE_OR_LINES)
		check_list(b, s, pair->value);
	else if (s->type == T_ANY)
		return;
	else
		check_kind(b, s, pair->value);
	if (!pair->value->bad && strcmp(s->name, "headers") == 0)
		check_headers(b, pair->value);
	if (!pair->value->bad && strcmp(s->name, "cookies") == 0)
		check_cookies(b, pair->value);
}

void block_open(struct block *b, struct loading *ld, struct yaml_node *map, unsigned at, const struct block *up, struct mark mark, const char *what)
{
	*b = (struct block){ .ld = ld, .map = map, .mark = mark, .at = at, .what = what, .up = up };
	if (map && map->kind != YAML_MAP) {
		if (!map->bad)
			diag_error(ld->d, map->mark, "%s: want a mapping, got %s", what, yaml_kind_name(map));
		map->bad = true;
		b->map = NULL;
	}
	if (!b->map)
		return;
	for (size_t i = 0; i < map->n; i++)
		check_key(b, &map->pairs[i]);
	for (size_t i = 0; i < settings_count(); i++) {
		const struct setting *s = setting_at(i);

		if (s->need && (s->where & at) && !yaml_get(map, s->name) && !(ld->agent && at == AT_SERVICE && strcmp(s->name, "slots") == 0))
			diag_error(ld->d, mark, "missing key \"%s\" in %s", s->name, what);
	}
}

struct yaml_node *block_own(const struct block *b, const char *name)
{
	struct yaml_node *node = b->map ? yaml_get(b->map, name) : NULL;

	must(setting_find(name, b->at) != NULL);
	return node && !node->bad ? node : NULL;
}

struct yaml_node *block_nearest(const struct block *b, const char *name)
{
	for (; b; b = b->up)
		if (setting_find(name, b->at)) {
			struct yaml_node *node = block_own(b, name);

			if (node)
				return node;
		}
	return NULL;
}

bool block_bad(const struct block *b, const char *name)
{
	for (; b; b = b->up) {
		const struct yaml_node *node = b->map && setting_find(name, b->at) ? yaml_get(b->map, name) : NULL;

		if (node)
			return node->bad;
	}
	return false;
}

const char *block_text(const struct block *b, const char *name)
{
	const struct yaml_node *node = block_own(b, name);
	const char *def = setting_find(name, b->at)->def;

	return node ? node->text : def ? def : "";
}

int64_t block_n(const struct block *b, const char *name)
{
	const struct setting *s = setting_find(name, b->at);
	const struct yaml_node *node = block_nearest(b, name);
	struct value value = { 0 };
	char why[64];

	must(s && s->def);
	must(setting_parse(s, node ? node->text : s->def, &value, why, sizeof(why)));
	return value.n;
}

int block_int(const struct block *b, const char *name) { return (int)block_n(b, name); }

struct mark block_mark(const struct block *b, const char *name)
{
	const struct yaml_node *node = b->map ? yaml_get(b->map, name) : NULL;

	return node ? node->mark : b->mark;
}

struct lines block_lines(const struct block *b, const char *name)
{
	const struct yaml_node *list = block_own(b, name);
	struct lines l = { 0 };

	if (!list)
		return l;
	l.n = list->n;
	l.text = arena_alloc(b->ld->arena, l.n * sizeof(*l.text));
	l.line = arena_alloc(b->ld->arena, l.n * sizeof(*l.line));
	l.col = arena_alloc(b->ld->arena, l.n * sizeof(*l.col));
	l.quote = arena_alloc(b->ld->arena, l.n + 1);
	for (size_t i = 0; i < l.n; i++) {
		l.text[i] = list->items[i]->text;
		l.line[i] = list->items[i]->mark.line;
		l.col[i] = list->items[i]->mark.col;
		l.quote[i] = list->items[i]->quote;
	}
	return l;
}
