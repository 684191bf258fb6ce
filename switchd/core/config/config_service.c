/* SPDX-License-Identifier: MIT
 * config_service.c - one service: slots, proxies, gates, and its own settings. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "switchd/core/config/config_load.h"
#include "switchd/core/targets.h"

struct target target_of(struct loading *ld, const char *text, bool front_tls)
{
	struct address a;
	char why[300];

	if (text_starts(text, "unix:"))
		return (struct target){ .text = text, .host = "", .unix_path = text + 5 };
	must(address_parse(text, &a, why, sizeof(why)));
	return (struct target){ .unix_path = "", .text = text, .host = arena_str(ld->arena, a.host), .port = a.port,
				.tls = a.scheme[0] ? strcmp(a.scheme, "https") == 0 : a.port == 443 && front_tls };
}

static bool target_load(struct loading *ld, struct yaml_node *node, bool front_tls, struct target *out)
{
	char why[400];

	if (target_read(ld->arena, node->text, front_tls, out, why, sizeof(why)))
		return true;
	diag_error(ld->d, node->mark, "targets: %s", why);
	return false;
}

/* One source stands for the whole slot. */
static bool source_load(struct loading *ld, struct yaml_node *list, struct slot_config *out)
{
	struct yaml_node *node = NULL;
	char why[400];

	for (size_t i = 0; !node && i < list->n; i++)
		if (!list->items[i]->bad && list->items[i]->kind == YAML_TEXT && source_is(list->items[i]->text))
			node = list->items[i];
	if (!node)
		return false;
	if (list->n > 1)
		diag_error(ld->d, node->mark, "targets: \"%s\" stands alone: it is all addresses of the slot", node->text);
	else if (!source_parse(ld->arena, node->text, &out->source, why, sizeof(why)))
		diag_error(ld->d, node->mark, "targets: %s", why);
	return true;
}

struct told { struct target target; struct mark mark; enum slot slot; };

/* One address twice would count twice, and in both slots it would be compared with itself. */
static void check_twice(struct loading *ld, const struct told *all, size_t n, const struct told *t)
{
	for (size_t i = 0; i < n; i++) {
		if (!target_same(&all[i].target, &t->target))
			continue;
		diag_error(ld->d, t->mark, "targets: \"%s\" is in slot %s already (line %d)", t->target.text, slot_name(all[i].slot), all[i].mark.line);
		return;
	}
}

void tls_block_load(struct loading *ld, struct yaml_node *node, const char *key, const char *what, const char *unused, struct tls_config *out)
{
	struct block b;

	block_open(&b, ld, node, AT_TLS, NULL, node ? node->mark : (struct mark){ 0 }, arena_format(ld->arena, "%s of %s", key, what));
	*out = (struct tls_config){ block_text(&b, "ca_file"), block_text(&b, "cert_file"), block_text(&b, "key_file"), block_n(&b, "verify") != 0 };
	if (!node)
		return;
	if (!out->cert_file[0] != !out->key_file[0])
		diag_error(ld->d, node->mark, "%s: cert_file and key_file go together", key);
	if (unused)
		diag_warn(ld->d, node->mark, "%s: has no effect: no %s of %s is https", key, unused, what);
}

static void slot_load(struct loading *ld, const struct block *slots, enum slot which, bool front_tls, struct told *told, size_t *n_told,
		      struct slot_config *out)
{
	struct yaml_node *node = block_own(slots, slot_name(which)), *list = node;
	const char *what = arena_format(ld->arena, "slot %s", slot_name(which));
	bool mapping = node && node->kind == YAML_MAP;
	struct block b = { 0 };

	out->tls.ca_file = out->tls.cert_file = out->tls.key_file = "";
	out->source = (struct target_source){ .text = "", .host = "", .scheme = "", .path = "" };
	if (!node)
		return;
	if (mapping) {
		block_open(&b, ld, node, AT_SLOT, NULL, node->mark, what);
		list = block_own(&b, "targets");
	}
	struct target *targets = arena_alloc(ld->arena, ((list ? list->n : 0) + 1) * sizeof(*targets));
	if (list && list->n > MAX_TARGETS) {
		diag_error(ld->d, list->mark, "targets: at most %d in a slot", MAX_TARGETS);
		list = NULL;
	}
	bool source = list && source_load(ld, list, out);
	for (size_t i = 0; list && !source && i < list->n; i++) {
		struct yaml_node *item = list->items[i];

		if (item->bad)
			continue;
		if (item->kind != YAML_TEXT || yaml_is_null(item)) {
			diag_error(ld->d, item->mark, "targets: want host:port, got %s", yaml_kind_name(item));
			continue;
		}
		if (!target_load(ld, item, front_tls, &targets[out->n_targets]))
			continue;
		told[*n_told] = (struct told){ targets[out->n_targets++], item->mark, which };
		check_twice(ld, told, *n_told, &told[*n_told]);
		(*n_told)++;
	}
	out->targets = targets;
	bool https = source;    /* what will be read is not known yet */
	for (size_t i = 0; i < out->n_targets; i++)
		https = https || targets[i].tls;
	tls_block_load(ld, mapping ? block_own(&b, "tls") : NULL, "tls", what, https ? NULL : "target", &out->tls);
	out->proxy_protocol = mapping && block_n(&b, "proxy_protocol") != 0;
	struct yaml_node *min = mapping ? block_own(&b, "min_targets") : NULL;
	struct value value;
	char why[64];
	if (min && setting_parse(setting_find("min_targets", AT_SLOT), min->text, &value, why, sizeof(why))) {
		out->min_targets = (int)value.n;
		if (list && !source && value.n > (int64_t)list->n)
			diag_error(ld->d, min->mark, "min_targets: %s has %zu target%s", what, list->n, list->n == 1 ? "" : "s");
	}
}

static void slots_load(struct loading *ld, const struct block *service, struct service_config *out)
{
	struct yaml_node *node = block_own(service, "slots");
	struct told *told = xcalloc(2 * MAX_TARGETS, sizeof(*told));
	struct block b;
	size_t n = 0;

	if (node) {
		block_open(&b, ld, node, AT_SLOTS, NULL, node->mark, arena_format(ld->arena, "slots of %s", service->what));
		for (int s = BLUE; s <= GREEN; s++)
			slot_load(ld, &b, s, out->front_target.tls, told, &n, &out->slot[s]);
		const struct target_source *blue = &out->slot[BLUE].source, *green = &out->slot[GREEN].source;
		if (green->kind != SOURCE_FIXED && green->kind == blue->kind && strcasecmp(green->text, blue->text) == 0)
			diag_error(ld->d, block_mark(&b, "green"), "targets: \"%s\" is the source of slot blue already", green->text);
	}
	free(told);
}

static const char *origin_of(struct loading *ld, const char *text)
{
	size_t n = strlen(text);

	return n && text[n - 1] == '/' ? arena_strn(ld->arena, text, n - 1) : text;
}

static const char *or_format(struct loading *ld, const char *text, const char *fmt, const char *a, const char *b)
{
	if (text[0])
		return text;
	struct buf made = BUF_INIT(2048);

	for (; *fmt; fmt++)
		if (*fmt == '1')
			buf_adds(&made, a);
		else if (*fmt == '2')
			buf_adds(&made, b);
		else
			buf_add(&made, fmt, 1);
	text = arena_str(ld->arena, buf_str(&made));
	buf_free(&made);
	return text;
}

/* What drives the proxy stands in the agent's own configuration: here only who it is, and where it is seen. */
static void check_agent(struct loading *ld, const struct block *b, struct proxy_config *p)
{
	static const char *const there[] = { "socket", "map", "paths", "backends" };

	p->socket = "";
	if (!p->name[0])
		diag_error(ld->d, b->mark, "a proxy of type agent needs a name: the one in agent: name: on its host");
	for (size_t i = 0; i < ARRAY_LEN(there); i++)
		if (block_own(b, there[i]))
			diag_error(ld->d, block_mark(b, there[i]), "%s: stands in the configuration of the agent", there[i]);
}

static void proxy_load(struct loading *ld, struct yaml_node *node, const char *type, struct mark mark, const char *service,
		       struct proxy_config *p)
{
	struct block b, names;

	block_open(&b, ld, node, AT_PROXY, NULL, mark, "a proxy");
	struct yaml_node *backends = block_own(&b, "backends");
	block_open(&names, ld, backends, AT_BACKENDS, NULL, backends ? backends->mark : mark, "backends");
	p->type = type ? type : block_text(&b, "type");
	p->name = block_text(&b, "name");
	p->socket = block_text(&b, "socket");
	p->front = origin_of(ld, block_text(&b, "front"));
	if (strcmp(p->type, "agent") == 0 && !ld->agent)
		check_agent(ld, &b, p);
	p->map = or_format(ld, block_text(&b, "map"), "1/2.map", ld->state_dir, service);
	p->paths = or_format(ld, block_text(&b, "paths"), "1/2.paths", ld->state_dir, service);
	p->backend[BLUE] = or_format(ld, block_text(&names, "blue"), "2-blue", "", service);
	p->backend[GREEN] = or_format(ld, block_text(&names, "green"), "2-green", "", service);
	p->shield_backend = or_format(ld, block_text(&names, "shield"), "2-shield", "", service);
	if (strcmp(p->backend[BLUE], p->backend[GREEN]) == 0)
		diag_error(ld->d, backends ? backends->mark : mark, "backends: blue and green are the same backend");
	if (strcmp(p->map, p->paths) == 0)
		diag_error(ld->d, block_mark(&b, "paths"), "paths: is the same file as map");
}

/* "haproxy", then "haproxy-2": a name that is told is never given to another one. */
static void name_proxies(struct loading *ld, struct proxy_config *list, size_t n, const struct mark *marks)
{
	bool told[MAX_PROXIES];

	for (size_t i = 0; i < n; i++) {
		told[i] = list[i].name[0] != '\0';
		for (size_t k = 0; k < i && told[i]; k++)
			if (told[k] && strcmp(list[k].name, list[i].name) == 0)
				diag_error(ld->d, marks[i], "two proxies named \"%s\" (first at line %d)", list[i].name, marks[k].line);
	}
	for (size_t i = 0; i < n; i++) {
		for (int number = 1; !told[i] && !list[i].name[0]; number++) {
			const char *name = number == 1 ? list[i].type : arena_format(ld->arena, "%s-%d", list[i].type, number);
			bool taken = false;

			for (size_t k = 0; k < n; k++)
				taken = taken || strcmp(list[k].name, name) == 0;
			if (!taken)
				list[i].name = name;
		}
		for (size_t k = 0; k < i; k++)
			if (list[i].socket[0] && strcmp(list[k].socket, list[i].socket) == 0)
				diag_error(ld->d, marks[i], "two proxies on one socket, \"%s\" (first at line %d)", list[i].socket, marks[k].line);
	}
}

static void proxies_load(struct loading *ld, const struct block *service, struct service_config *out)
{
	struct yaml_node *all = block_own(service, "proxies"), *one = block_own(service, "proxy");
	struct proxy_config *list = arena_alloc(ld->arena, MAX_PROXIES * sizeof(*list));
	struct mark marks[MAX_PROXIES];
	size_t n = 0;

	if (all && one)
		diag_error(ld->d, one->mark, "proxy: proxies are told too: one of the two");
	if (all && all->n > MAX_PROXIES) {
		diag_error(ld->d, all->mark, "proxies: at most %d", MAX_PROXIES);
		return;
	}
	for (size_t i = 0; all && i < all->n; i++) {
		struct yaml_node *item = all->items[i];

		if (item->bad)
			continue;
		marks[n] = item->mark;
		proxy_load(ld, item, NULL, item->mark, out->name, &list[n++]);
	}
	if (one && !all) {
		marks[n] = one->mark;
		proxy_load(ld, NULL, one->text, one->mark, out->name, &list[n++]);
	}
	name_proxies(ld, list, n, marks);
	out->proxies = list;
	out->n_proxies = n;
	for (size_t i = 0; i < n; i++)
		if (!ld->agent && !out->front[0] && !list[i].front[0] && !block_bad(service, "front"))
			diag_warn(ld->d, marks[i], "%s has no front: its flips end at acked and are never observed", service->what);
}

static void front_tls_load(struct loading *ld, const struct block *service, struct service_config *out)
{
	bool any = out->front_target.tls;

	for (size_t i = 0; i < out->n_proxies; i++)
		any = any || text_starts(out->proxies[i].front, "https:");
	tls_block_load(ld, block_own(service, "front_tls"), "front_tls", service->what, any ? NULL : "front", &out->front_tls);
}

static void command_load(struct loading *ld, const struct block *gates, struct service_config *out)
{
	struct yaml_node *node = block_own(gates, "command");
	struct block b;

	if (!node)
		return;
	block_open(&b, ld, node, AT_COMMAND, NULL, node->mark, "command");
	struct lines exec = block_lines(&b, "exec");
	if (exec.n && exec.text[0][0] != '/')
		diag_error(ld->d, block_mark(&b, "exec"), "exec: want an absolute path first, got \"%s\"", exec.text[0]);
	out->command = (struct command_config){ exec.text, exec.n, block_n(&b, "timeout") };
}

static void require_load(const struct block *gates, struct service_config *out)
{
	struct loading *ld = gates->ld;
	struct lines l = block_lines(gates, "require");
	struct yaml_node *node = block_own(gates, "require");
	const struct { const char *gate, *needs; bool there; } needs[] = {
		{ "age", "age", out->tests_age_ms > 0 }, { "identity", "identity", out->identity.on }, { "command", "command", out->command.n_exec > 0 },
	};

	for (size_t i = 0; node && i < l.n; i++)
		for (size_t k = 0; k < ARRAY_LEN(needs); k++)
			if (strcmp(l.text[i], needs[k].gate) == 0 && !needs[k].there && !block_bad(gates, needs[k].needs))
				diag_error(ld->d, node->items[i]->mark, "require: %s needs gates: %s:", needs[k].gate, needs[k].needs);
	out->require = l.text;
	out->n_require = l.n;
}

static void identity_load(struct loading *ld, const struct block *gates, struct service_config *out)
{
	struct yaml_node *node = block_own(gates, "identity");
	struct block id;
	bool named = false;

	if (!node)
		return;
	block_open(&id, ld, node, AT_IDENTITY, NULL, node->mark, "identity");
	struct lines expect = block_lines(&id, "expect");
	for (size_t i = 0; i < expect.n; i++)
		named = named || strstr(expect.text[i], "{{release}}");
	if (expect.n && !named)
		diag_error(ld->d, block_mark(&id, "expect"), "expect: no line has {{release}} in it: any release would do");
	out->identity = (struct identity_config){ true, block_text(&id, "path"), expect.text, expect.n, expect.line, expect.col, expect.quote };
}

static void gates_load(struct loading *ld, const struct block *service, struct service_config *out)
{
	struct yaml_node *gates = block_own(service, "gates");
	struct block b;

	out->identity.path = "";
	if (!gates)
		return;
	block_open(&b, ld, gates, AT_GATES, NULL, gates->mark, "gates");
	struct yaml_node *age = block_own(&b, "age");
	if (age)
		must(duration_parse(age->text, &out->tests_age_ms));
	identity_load(ld, &b, out);
	command_load(ld, &b, out);
	require_load(&b, out);
}

/* Nearest of service and defaults; later times come later. */
static void recheck_load(struct loading *ld, const struct block *b, struct service_config *s)
{
	static const int64_t hour = INT64_C(3600) * 1000;
	struct yaml_node *list = block_nearest(b, "recheck");
	int errors = ld->d->errors;

	s->recheck_ms[0] = 1 * hour;
	s->recheck_ms[1] = 24 * hour;
	s->n_recheck = list ? list->n : block_bad(b, "recheck") ? 0 : 2;
	for (size_t i = 0; list && i < list->n; i++) {
		const char *text = list->items[i]->text;

		if (!duration_parse(text, &s->recheck_ms[i]) || s->recheck_ms[i] < 100 || s->recheck_ms[i] > 30 * 24 * hour)
			diag_error(ld->d, list->items[i]->mark, "recheck: want a time from 100ms to 30d, such as 1h, got \"%s\"", text);
		else if (i && s->recheck_ms[i] <= s->recheck_ms[i - 1])
			diag_error(ld->d, list->items[i]->mark, "recheck: %s does not come after %s", text, list->items[i - 1]->text);
	}
	if (list && ld->d->errors != errors)
		list->bad = true; /* said once, not for each service that inherits it */
}

/* A fleet: with a part of the view, lone controllers would split traffic (state.md 5). */
static bool has_agents(const struct service_config *s)
{
	for (size_t i = 0; i < s->n_proxies; i++)
		if (strcmp(s->proxies[i].type, "agent") == 0)
			return true;
	return false;
}

static void load_own(struct loading *ld, const struct block *b, const struct block *budget, struct service_config *s)
{
	const struct yaml_node *reference = block_own(b, "reference");

	(void)(slot_parse(block_text(b, "initial"), &s->initial) || (s->initial = NO_SLOT, true));
	s->mode = block_int(b, "mode");
	s->rollback = block_int(b, "rollback");
	s->shield = block_n(b, "shield") == 0;
	s->auto_promote = block_n(b, "auto_promote") != 0;
	s->offline_rollback = block_n(b, "offline") == 0 && (block_nearest(b, "offline") || !has_agents(s));
	s->bake_ms = block_n(b, "bake");
	s->drain_ms = block_n(b, "drain");
	s->prove_timeout_ms = block_n(b, "prove_timeout");
	s->ready_timeout_ms = block_n(b, "ready_timeout");
	s->flip_timeout_ms = block_n(b, "flip_timeout");
	s->claim_ttl_ms = block_n(b, "claim_ttl");
	s->rollback_window_ms = block_n(b, "rollback_window");
	s->unknown_limit_ms = block_n(b, "unknown_limit");
	s->unknown_limit_bake_ms = block_n(b, "unknown_limit_bake");
	recheck_load(ld, b, s);
	s->budget_max = block_int(budget, "max");
	s->budget_per_ms = block_n(budget, "per");
	s->http2 = block_n(b, "http2") != 0;
	s->max_rate = block_int(b, "max_rate");
	s->observe = block_int(b, "observe");
	s->has_reference = reference != NULL;
	s->reference = reference ? target_of(ld, reference->text, false) : (struct target){ .text = "", .host = "", .unix_path = "" };
}

void service_load(struct loading *ld, struct yaml_pair *pair, const struct block *defaults, const struct block *defaults_budget,
		  struct service_config *out)
{
	const char *name = pair->key->text;
	struct block b, budget;

	*out = (struct service_config){ .name = name, .line = pair->key->mark.line, .front_target = { .text = "", .host = "", .unix_path = "" },
					.front_tls = { "", "", "", true }, .for_agent = ld->agent };
	if (!name_ok(name))
		diag_error(ld->d, pair->key->mark, "\"%s\" is no name for a service: letters, digits, _ . - (at most %d)", name, NAME_MAX_LEN);
	if (pair->value->bad)
		return;
	block_open(&b, ld, pair->value, AT_SERVICE, defaults, pair->key->mark, arena_format(ld->arena, "service \"%s\"", name));
	struct yaml_node *node = block_own(&b, "flip_budget");
	block_open(&budget, ld, node, AT_BUDGET, defaults_budget, node ? node->mark : b.mark, "flip_budget");

	out->front = origin_of(ld, block_text(&b, "front"));
	if (out->front[0])
		out->front_target = target_of(ld, out->front, false);
	out->manifest_path = block_text(&b, "manifest_path");
	slots_load(ld, &b, out);
	proxies_load(ld, &b, out);
	front_tls_load(ld, &b, out);
	gates_load(ld, &b, out);
	out->headers = headers_load(&b, &out->n_headers);
	inventory_load(ld, &b, out);
	load_own(ld, &b, &budget, out);
	/* A features: key that was wrong must not turn into the default one. */
	if (!block_bad(&b, "features"))
		features_load(ld, block_own(&b, "features"), &b, out);
	if (ld->agent)
		agent_rules(ld, &b, out);
}
