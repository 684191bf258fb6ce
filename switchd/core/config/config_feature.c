/* SPDX-License-Identifier: MIT
 * config_feature.c - the features of a service. */
#include <string.h>

#include "switchd/core/config/config_kind.h"

enum { WRITES_LEAST_MS = 60000 };       /* B1.4 */
enum { FEATURE_TEXT_MAX = 4 * 1024 * 1024 };

static bool safe_method(const char *m) { return strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0; }

static bool has_front(const struct service_config *s)
{
	for (size_t i = 0; i < s->n_proxies; i++)
		if (s->proxies[i].front[0])
			return true;
	return s->front[0] != '\0';
}

static void load_via(const struct block *b, const struct service_config *s, const struct feature_kind *kind, struct probe_rule *r)
{
	const struct yaml_node *list = block_nearest(b, "via");

	r->via_slot = r->via_front = list == NULL;
	for (size_t i = 0; list && i < list->n; i++) {
		if (strcmp(list->items[i]->text, "slot") == 0)
			r->via_slot = true;
		else
			r->via_front = true;
	}
	if (r->via_front && kind && !kind->front) {
		if (list && list == block_own(b, "via"))
			diag_error(b->ld->d, list->mark, "via: a probe of kind %s cannot be asked through the front", kind->name);
		r->via_front = false;
		r->via_slot = true;
	}
	if (r->via_front && !has_front(s)) {
		/* Asked for by name, it is an error; where it is only the default, there is just nothing to ask. */
		if (list && (list == block_own(b, "via") || list == block_own(b->up, "via")))
			diag_error(b->ld->d, list->mark, "via: the service has no front to probe through");
		else if (!r->via_slot)
			diag_error(b->ld->d, b->mark, "via: %s would not be probed at all: the service has no front", b->what);
		r->via_front = false;
	}
}

static void load_rule(const struct block *b, const struct service_config *s, const struct feature_kind *kind, struct probe_rule *r)
{
	r->interval_ms = block_n(b, "interval");
	r->idle_interval_ms = block_n(b, "idle_interval");
	r->fast_interval_ms = block_n(b, "fast_interval");
	r->confirm_ms = block_n(b, "confirm");
	r->timeout_ms = block_n(b, "timeout");
	r->start_period_ms = block_n(b, "start_period");
	r->rise = block_int(b, "rise");
	r->fall = block_int(b, "fall");
	r->calm = block_int(b, "calm");
	r->fresh = block_n(b, "fresh") != 0;
	load_via(b, s, kind, r);
}

enum { SECRETS_AT_FIRST = 2 };

/* What came from files anywhere in the configuration is secret in every feature. */
static void feature_secrets_begin(struct loading *ld, struct feature *f)
{
	size_t n = 0;

	for (const struct secret_text *s = ld->secrets; s; s = s->next)
		n++;
	const char **all = arena_alloc(ld->arena, (n + SECRETS_AT_FIRST) * sizeof(*all));

	f->secrets = all;
	for (const struct secret_text *s = ld->secrets; s; s = s->next)
		all[f->n_secrets++] = s->value;
	f->room_secrets = n + SECRETS_AT_FIRST;
}

void feature_secret(struct loading *ld, struct feature *f, const char *value)
{
	if (!value[0])
		return;
	if (f->n_secrets == f->room_secrets) {
		const char **more = arena_alloc(ld->arena, 2 * f->room_secrets * sizeof(*more));

		memcpy(more, f->secrets, f->n_secrets * sizeof(*more));
		f->secrets = more;
		f->room_secrets *= 2;
	}
	((const char **)f->secrets)[f->n_secrets++] = value;
}

/* Merged by name from the nearest block outwards. */
const struct header *headers_load(const struct block *b, size_t *count)
{
	size_t room = 0, n = 0;

	for (const struct block *at = b; at; at = at->up) {
		const struct yaml_node *map = setting_find("headers", at->at) ? block_own(at, "headers") : NULL;

		room += map ? map->n : 0;
	}
	struct header *all = arena_alloc(b->ld->arena, (room + 1) * sizeof(*all));
	for (const struct block *at = b; at; at = at->up) {
		const struct yaml_node *map = setting_find("headers", at->at) ? block_own(at, "headers") : NULL;

		for (size_t i = 0; map && i < map->n; i++) {
			const char *name = map->pairs[i].key->text;
			size_t k = 0;

			while (k < n && strcasecmp(all[k].name, name) != 0)
				k++;
			if (k == n)
				all[n++] = (struct header){ name, map->pairs[i].value->text };
		}
	}
	*count = n;
	return all;
}

static void check_writes(const struct block *b, const struct feature *f)
{
	struct diag *d = b->ld->d;
	char text[32];

	if (!f->writes && !safe_method(f->method) && !block_bad(b, "writes"))
		diag_error(d, block_mark(b, "method"), "method: %s changes something: it needs writes: true, and an interval of at least 60s", f->method);
	if (f->body[0] && safe_method(f->method) && !block_bad(b, "method")) {
		const char *key = block_own(b, "body") ? "body" : "body_file";

		diag_error(d, block_mark(b, key), "%s: %s has none", key, f->method);
	}
	if (f->reads && f->writes && !block_bad(b, "reads"))
		diag_error(d, block_mark(b, "reads"), "reads: %s has writes: true too: it does one or the other", b->what);
	else if (f->reads && !feature_is(f, "steps") && !feature_is(f, "exec") && !block_bad(b, "reads"))
		diag_error(d, block_mark(b, "reads"), "reads: has no meaning for a probe of kind %s", feature_kind_name(f));
	if (f->idle && !f->writes)
		diag_warn(d, block_mark(b, "idle"), "idle: has a meaning only with writes: true; others are always probed on the idle slot");
	if (!f->writes)
		return;
	if (f->rule.interval_ms < WRITES_LEAST_MS && !block_bad(b, "interval")) {
		const struct yaml_node *told = block_own(b, "interval");

		diag_error(d, told ? told->mark : b->mark, "interval: %s writes: its interval must be at least 60s, and is %s%s", b->what,
			   duration_text(f->rule.interval_ms, text), told ? "" : " (inherited)");
	}
	if (f->n_expect == 0 && feature_is(f, "http") && !f->url[0] && !block_bad(b, "expect"))
		diag_error(d, b->mark, "missing key \"expect\" in %s: a feature that writes is not compared", b->what);
}

/* ---- the kinds ---- */

const struct feature_kind *const feature_kinds[] = {
	&feature_kind_assets,
	&kind_path,
	&feature_kind_steps,
	&kind_url,
	&kind_exec,
	&kind_grpc,
	&kind_tcp,
	&kind_tls,
	&kind_websocket,
};
const size_t n_feature_kinds = ARRAY_LEN(feature_kinds);

void kind_block(const struct block *b, const char *key, unsigned at, struct block *out)
{
	struct yaml_node *node = block_own(b, key);

	block_open(out, b->ld, node, at, NULL, node->mark, arena_format(b->ld->arena, "%s of %s", key, b->what));
}

uint16_t kind_port(const struct block *b)
{
	const struct yaml_node *node = block_own(b, "port");
	struct value value;
	char why[160];

	return node && setting_parse(setting_find("port", b->at), node->text, &value, why, sizeof(why)) ? (uint16_t)value.n : 0;
}

/* Keys that only requests of the kind http have. */
static const char *const http_only[] = { "auth", "body", "body_file", "control_path", "cookies", "follow", "method" };

/* The one kind whose key is there; none or two are an error. */
static const struct feature_kind *kind_of(const struct block *b)
{
	const struct feature_kind *found = NULL;

	for (size_t i = 0; i < n_feature_kinds; i++) {
		if (!yaml_get(b->map, feature_kinds[i]->key))
			continue;
		if (found)
			diag_error(b->ld->d, block_mark(b, feature_kinds[i]->key), "%s: %s has %s already: a feature is asked in one way",
				   feature_kinds[i]->key, b->what, found->key);
		else
			found = feature_kinds[i];
	}
	if (!found)
		diag_error(b->ld->d, b->mark, "missing key \"path\" in %s", b->what);
	for (size_t i = 0; found && strcmp(found->name, "http") != 0 && i < ARRAY_LEN(http_only); i++)
		if (yaml_get(b->map, http_only[i]))
			diag_error(b->ld->d, block_mark(b, http_only[i]), "%s: has no meaning for a probe of kind %s", http_only[i], found->name);
	if (found && yaml_get(b->map, "secrets") && strcmp(found->name, "steps") != 0)
		diag_error(b->ld->d, block_mark(b, "secrets"), "secrets: has a meaning for steps only; elsewhere ${file:/path} stands for what is in a file");
	return found;
}

/* "$", then .key, .* and [] in turn. */
static bool ignore_ok(const char *s)
{
	if (*s++ != '$' || !*s)
		return false;
	while (*s) {
		size_t n = *s == '.' ? strcspn(s + 1, ".[") : 0;

		if (s[0] == '[' && s[1] == ']')
			s += 2;
		else if (n)
			s += 1 + n;
		else
			return false;
	}
	return true;
}

static void load_compare(const struct block *b, struct feature *f)
{
	struct yaml_node *node = block_own(b, "compare");
	struct block c;

	if (!node || (node->kind == YAML_TEXT && strcmp(node->text, "false") == 0))
		return;
	f->against.on = true;
	if (f->url[0] || strcmp(f->kind->name, "http") != 0)
		diag_error(b->ld->d, node->mark, "compare: only a feature with a path is asked of both slots side by side");
	else if (f->writes)
		diag_error(b->ld->d, node->mark, "compare: a probe that writes is not compared");
	else if (!f->rule.via_slot)
		diag_error(b->ld->d, node->mark, "compare: via must have slot in it");
	if (node->kind != YAML_MAP)
		return;
	block_open(&c, b->ld, node, AT_COMPARE, NULL, node->mark, "compare");
	struct lines ignore = block_lines(&c, "ignore");

	f->against.ignore = ignore.text;
	f->against.n_ignore = ignore.n;
	for (size_t i = 0; i < ignore.n; i++)
		if (!ignore_ok(ignore.text[i]))
			diag_error(b->ld->d, (struct mark){ .line = ignore.line[i], .col = ignore.col[i] },
				   "ignore: want a path such as $.at, $.items[].score or $.by_id.*, got \"%s\"", ignore.text[i]);
	const struct yaml_node *tolerance = block_own(&c, "tolerance"), *xpath = block_own(&c, "xpath");

	if (xpath) {
		f->against.xpath = xpath->text;
		f->against.xpath_line = xpath->mark.line;
		f->against.xpath_col = xpath->mark.col;
	}
	struct value value;
	char why[64];

	if (tolerance && setting_parse(setting_find("tolerance", AT_COMPARE), tolerance->text, &value, why, sizeof(why)))
		f->against.tolerance = (int)value.n;
}

static void load_block(const struct block *b, struct feature *f)
{
	struct lines expect = block_lines(b, "expect");

	f->severity = strcmp(block_text(b, "severity"), "warn") == 0 ? SEV_WARN : SEV_CRITICAL;
	f->writes = block_n(b, "writes") != 0;
	f->reads = block_n(b, "reads") != 0;
	f->idle = block_n(b, "idle") != 0;
	f->expect = expect.text;
	f->expect_line = expect.line;
	f->expect_col = expect.col;
	f->expect_quote = expect.quote;
	f->n_expect = expect.n;
	/* A key of the wrong type was said; what it means is then not asked. */
	if (block_own(b, f->kind->key))
		f->kind->load(b, f);
	if (f->url[0])
		f->severity = SEV_WARN;
	load_compare(b, f);
	check_writes(b, f);
}

static void feature_load(struct loading *ld, const char *name, struct mark mark, struct yaml_node *node, const struct block *service,
			 const struct service_config *s, struct feature *f)
{
	struct block b;
	const char *what = arena_format(ld->arena, "feature \"%s\"", name);

	*f = (struct feature){ .name = name, .path = "/", .url = "", .method = "GET", .body = "", .body_file = "", .control_path = "",
			       .authorization = "", .cookie = "" };
	feature_secrets_begin(ld, f);
	if (node && node->kind == YAML_TEXT) {
		struct value value;
		char why[300];

		if (!node->bad && yaml_is_null(node))
			diag_error(ld->d, mark, "%s: want a path or a mapping, got nothing", what);
		else if (!node->bad && !setting_parse(setting_find("path", AT_FEATURE), node->text, &value, why, sizeof(why)))
			diag_error(ld->d, node->mark, "%s: %s", what, why);
		f->path = node->text;
		node = NULL;
	} else if (node && node->kind == YAML_LIST) {
		diag_error(ld->d, node->mark, "%s: want a path or a mapping, got a list", what);
		return;
	}
	block_open(&b, ld, node, AT_FEATURE, service, mark, what);
	f->kind = &kind_path;
	if (b.map && node) {
		const struct feature_kind *kind = kind_of(&b);

		if (!kind)
			return;
		f->kind = kind;
	}
	load_rule(&b, s, f->kind, &f->rule);
	f->headers = headers_load(&b, &f->n_headers);
	f->http2 = block_n(&b, "http2") != 0;
	if (node)
		load_block(&b, f);
	f->compare = f->kind == &kind_path && f->n_expect == 0 && !f->writes;
}

/* The name of the i-th entry of either form, or NULL after saying what is wrong with it. */
static const struct yaml_node *entry_name(struct loading *ld, struct yaml_node *all, size_t i)
{
	const struct yaml_node *name = all->kind == YAML_MAP ? all->pairs[i].key : NULL;

	if (all->kind == YAML_LIST) {
		struct yaml_node *item = all->items[i];

		if (item->bad)
			return NULL;
		if (item->kind != YAML_MAP) {
			diag_error(ld->d, item->mark, "features: want mappings with a name in the list, got %s", yaml_kind_name(item));
			return NULL;
		}
		name = yaml_get(item, "name");
		if (!name || name->kind != YAML_TEXT) {
			diag_error(ld->d, item->mark, "missing key \"name\" in a feature of the list");
			return NULL;
		}
		if (name->bad)
			return NULL;
	} else if (all->pairs[i].value->kind == YAML_MAP && yaml_get(all->pairs[i].value, "name")) {
		diag_error(ld->d, yaml_get(all->pairs[i].value, "name")->mark, "name: the feature has a name already: \"%s\"", name->text);
	}
	if (!name_ok(name->text)) {
		diag_error(ld->d, name->mark, "\"%s\" is no name for a feature: letters, digits, _ . - (at most %d)", name->text, NAME_MAX_LEN);
		/* In the list form the table says it too: once is enough. */
		if (all->kind == YAML_LIST)
			yaml_get(all->items[i], "name")->bad = true;
	}
	return name;
}

static void default_feature(struct loading *ld, const struct block *service, struct service_config *s)
{
	struct feature *f = arena_alloc(ld->arena, sizeof(*f));

	feature_load(ld, "root", service->mark, NULL, service, s, f);
	s->features = f;
	s->n_features = 1;
	s->default_feature = true;
}

void features_load(struct loading *ld, struct yaml_node *all, const struct block *service, struct service_config *s)
{
	if (!all && ld->agent) /* the paths are whose who told them */
		return;
	if (!all) {
		default_feature(ld, service, s);
		return;
	}
	if (all->n > MAX_FEATURES) {
		diag_error(ld->d, all->mark, "features: at most %d of one service", MAX_FEATURES);
		return;
	}
	struct feature *list = arena_alloc(ld->arena, (all->n + 1) * sizeof(*list));
	int *line = arena_alloc(ld->arena, (all->n + 1) * sizeof(*line));
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct yaml_node *name = entry_name(ld, all, i);

		if (!name)
			continue;
		for (size_t k = 0; k < n; k++)
			if (strcmp(list[k].name, name->text) == 0)
				diag_error(ld->d, name->mark, "two features named \"%s\" (first at line %d)", name->text, line[k]);
		if (s->identity.on && strcmp(name->text, "identity") == 0)
			diag_error(ld->d, name->mark, "a feature cannot be named \"identity\" beside the identity gate");
		line[n] = name->mark.line;
		feature_load(ld, name->text, name->mark, all->kind == YAML_MAP ? all->pairs[i].value : all->items[i], service, s, &list[n]);
		n++;
	}
	s->features = list;
	s->n_features = n;
}

/* A feature that was not loaded but made (tests) is asked as http. */
const char *feature_kind_name(const struct feature *f) { return f->kind ? f->kind->name : "http"; }
bool feature_is(const struct feature *f, const char *kind) { return strcmp(feature_kind_name(f), kind) == 0; }

uint64_t feature_fingerprint(const struct service_config *s, const struct feature *f)
{
	struct buf text = BUF_INIT(FEATURE_TEXT_MAX);
	const struct show w = { &text, NULL, true };
	/* FNV-1a */
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	show_feature_print(&w, s, f);
	for (size_t i = 0; i < text.len; i++)
		h = (h ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
	buf_free(&text);
	return h;
}
