/* SPDX-License-Identifier: MIT
 * tests/fuzz/inventory.c - documents that list routes.  Input: kind byte ('o' 's' 'l' 'r' 'g'), expression NUL document. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/inventory/inventory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct inventory *inv)
{
	must(inv->n <= INVENTORY_MAX_ROUTES);
	for (size_t i = 0; i < inv->n; i++) {
		const struct inventory_route *r = &inv->routes[i];

		must(r->path[0] == '/' && r->path[1] != '/' && strlen(r->path) <= INVENTORY_MAX_PATH && !strpbrk(r->path, " \r\n\t#"));
		must(inventory_find(inv, r->path) == r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char kinds[] = "oslrg";
	const char *kind = size && data[0] ? strchr(kinds, data[0]) : NULL;
	const uint8_t *nul = size ? memchr(data + 1, 0, size - 1) : NULL;
	struct inventory_children children = { .n = 0 };
	struct service_config cfg = { .name = "fuzz" };
	struct inventory_diff d;
	char err[160];

	if (!kind || !nul)
		return 0;
	struct inventory_source s = { .kind = (enum inventory_kind)(kind - kinds), .where = "/doc", .pick = (const char *)data + 1, .top = 100, .ask = true };
	size_t len = size - (size_t)(nul + 1 - data);
	char *text = xmalloc(len + 1); /* a copy of its own: what is read past it is found */
	struct inventory_doc doc = { .source = &s, .host = "example.com", .base = "/dir/doc", .text = text, .len = len };
	struct inventory *inv = inventory_new(), *other = inventory_new();

	memcpy(text, nul + 1, len);
	text[len] = '\0';
	if (!inventory_parse(inv, &doc, &children, err, sizeof(err)))
		must(err[0]);
	check(inv);
	inventory_sort(inv);
	check(inv);
	for (size_t i = 0; i < inv->n; i += 2)
		inventory_add(other, inv->routes[i].path, strlen(inv->routes[i].path), 0, true, false);
	inventory_compare(&cfg, inv, other, NULL, 0, inventory_same, &d);
	must(d.n == inv->n && d.count[FATE_LOST] == inv->n - other->n);
	json_t *j = inventory_diff_json(&d);

	must(j != NULL);
	json_decref(j);
	inventory_diff_free(&d);
	inventory_children_clear(&children);
	inventory_free(&inv);
	inventory_free(&other);
	free(text);
	return 0;
}
