/* SPDX-License-Identifier: MIT
 * config_agent.c - the configuration of a switchd --role agent: a smaller one, in the same form.
 *
 * A file that was written for a controller may be given to an agent as it is, and then nothing of it that an agent has
 * no use for is looked at: neither its mistakes nor its secrets, which need not be on a proxy's host. */
#include <string.h>

#include "switchd/core/config/config_kind.h"

/* What a proxy is driven by, and what its snippet is printed from. */
static const char *const kept[] = { "drain", "features", "front", "initial", "mode", "proxies", "proxy", "shield", "slots" };
static const char *const kept_of_feature[] = { "method", "name", "path", "severity" };

static bool is_in(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}

/* Settings that stand there and are not kept go; what is no setting stays, for the error about it. */
static void prune(struct yaml_node *map, unsigned at, const char *const *keep, size_t n_keep)
{
	size_t n = 0;

	for (size_t i = 0; map->kind == YAML_MAP && i < map->n; i++)
		if (!setting_find(map->pairs[i].key->text, at) || is_in(map->pairs[i].key->text, keep, n_keep))
			map->pairs[n++] = map->pairs[i];
	if (map->kind == YAML_MAP)
		map->n = n;
}

/* The shield covers what is read by a path of the service itself. */
static bool has_a_path(const struct yaml_node *f)
{
	const struct yaml_node *path = yaml_get(f, "path"), *method = yaml_get(f, "method");

	if (f->kind != YAML_MAP)
		return true;
	return path && !yaml_get(f, "url") && (!method || strcmp(method->text, "GET") == 0 || strcmp(method->text, "HEAD") == 0);
}

static void prune_features(struct yaml_node *service)
{
	struct yaml_node *all = yaml_get(service, "features"), *f;
	bool list = all && all->kind == YAML_LIST;
	size_t n = 0;

	if (!all || (all->kind != YAML_LIST && all->kind != YAML_MAP))
		return;
	for (size_t i = 0; i < all->n; i++) {
		f = list ? all->items[i] : all->pairs[i].value;
		if (!has_a_path(f))
			continue;
		prune(f, AT_FEATURE, kept_of_feature, ARRAY_LEN(kept_of_feature));
		if (list)
			all->items[n++] = f;
		else
			all->pairs[n++] = all->pairs[i];
	}
	all->n = n;
	for (size_t i = 0; !n && i < service->n; i++)
		if (service->pairs[i].value == all) {
			memmove(&service->pairs[i], &service->pairs[i + 1], (service->n - i - 1) * sizeof(service->pairs[0]));
			service->n--;
		}
}

void agent_prune(struct loading *ld, struct yaml_node *root)
{
	struct yaml_node *services = yaml_get(root, "services"), *defaults = yaml_get(root, "defaults");

	(void)ld;
	if (defaults)
		prune(defaults, AT_DEFAULTS, kept, ARRAY_LEN(kept));
	for (size_t i = 0; services && services->kind == YAML_MAP && i < services->n; i++) {
		struct yaml_node *s = services->pairs[i].value;

		if (s->kind != YAML_MAP)
			continue;
		prune(s, AT_SERVICE, kept, ARRAY_LEN(kept));
		prune_features(s);
	}
}

void agent_load(struct loading *ld, const struct block *top, struct config *c)
{
	struct yaml_node *node = block_own(top, "agent"), *state = block_own(top, "state");
	struct block b;

	block_open(&b, ld, node, AT_AGENT, NULL, node ? node->mark : top->mark, "agent");
	c->for_agent = ld->agent;
	c->agent_name = block_text(&b, "name");
	c->agent_report_ms = block_n(&b, "report");
	if (ld->agent && c->redis.embedded && !block_bad(top, "state"))
		diag_error(ld->d, state ? state->mark : top->mark,
			   "state: an agent needs the Redis of its controllers, such as redis: redis://10.0.0.5:6379; an embedded one is a controller's own");
}

void agent_rules(struct loading *ld, const struct block *service, const struct service_config *s)
{
	struct yaml_node *all = block_own(service, "proxies");

	if (!s->n_proxies && !block_bad(service, "proxies") && !block_bad(service, "proxy"))
		diag_error(ld->d, service->mark, "%s has no proxies: an agent has nothing else to do", service->what);
	for (size_t i = 0; all && i < all->n; i++) {
		struct yaml_node *type = all->items[i]->kind == YAML_MAP ? yaml_get(all->items[i], "type") : NULL;

		if (type && !type->bad && strcmp(type->text, "agent") == 0)
			diag_error(ld->d, type->mark, "type: agent is a controller's word for a proxy that an agent drives; here stands what it is, such as haproxy");
	}
}

void show_agent(const struct show *w, const struct config *c)
{
	buf_adds(w->out, "agent:\n");
	show_line(w, "  ", "name", c->agent_name);
	show_ms(w, "  ", "report", c->agent_report_ms);
}

void show_agent_service(const struct show *w, const struct service_config *s)
{
	show_line(w, "    ", "initial", s->initial == NO_SLOT ? "" : slot_name(s->initial));
	show_line(w, "    ", "mode", run_mode_name(s->mode));
	show_line(w, "    ", "shield", s->shield ? "bake" : "off");
	show_ms(w, "    ", "drain", s->drain_ms);
	if (s->n_features)
		buf_adds(w->out, "    features:\n");
	for (size_t i = 0; i < s->n_features; i++) {
		const struct feature *f = &s->features[i];

		buf_adds(w->out, "      - name: ");
		show_value(w, f->name);
		buf_adds(w->out, "\n        path: ");
		show_value(w, f->path);
		buf_addf(w->out, "\n        severity: %s\n", f->severity == SEV_WARN ? "warn" : "critical");
		if (strcmp(f->method, "GET") != 0)
			show_line(w, "        ", "method", f->method);
	}
}
