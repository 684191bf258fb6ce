/* SPDX-License-Identifier: MIT
 * config_state.c - state: where the record is kept, and how it is reached. */
#include <string.h>

#include "switchd/core/config/config_kind.h"
#include "switchd/core/config/config_load.h"
#include "switchd/core/config/redis_url.h"

/* The URL is one that setting_parse() found good. */
static void load_redis_address(struct loading *ld, const char *text, struct redis_config *r)
{
	struct redis_url u;
	char why[300];

	must(redis_url_parse(text, &u, why, sizeof(why)));
	r->embedded = u.kind == REDIS_EMBEDDED;
	r->unix_path = u.path;
	r->host = r->master = "";
	r->over_tls = u.tls;
	r->db = u.db;
	if (u.kind == REDIS_SERVER) {
		r->host = arena_str(ld->arena, u.node[0].host);
		r->port = u.node[0].port;
	}
	if (u.kind != REDIS_SENTINEL)
		return;
	struct redis_node *nodes = arena_alloc(ld->arena, (size_t)u.n * sizeof(*nodes));

	for (int i = 0; i < u.n; i++)
		nodes[i] = (struct redis_node){ arena_str(ld->arena, u.node[i].host), u.node[i].port };
	r->sentinels = nodes;
	r->n_sentinels = (size_t)u.n;
	r->master = arena_str(ld->arena, u.master);
}

/* A key that means nothing with this address is a mistake of whoever wrote it. */
static void refuse(struct loading *ld, const struct block *b, const char *key, const char *value, const char *why)
{
	if (value[0])
		diag_error(ld->d, block_mark(b, key), "%s: %s", key, why);
}

static void check_secrets(struct loading *ld, const struct block *b, const struct redis_config *r)
{
	if (r->embedded && (r->user[0] || r->password_file[0]))
		diag_error(ld->d, block_mark(b, r->user[0] ? "user" : "password_file"), "the embedded Redis has no users and no password");
	if (r->user[0] && !r->password_file[0] && !r->embedded)
		diag_error(ld->d, block_mark(b, "user"), "user: needs a password_file");
	if (r->sentinel_user[0] && !r->sentinel_password_file[0] && r->n_sentinels)
		diag_error(ld->d, block_mark(b, "sentinel_user"), "sentinel_user: needs a sentinel_password_file");
	if (!r->n_sentinels) {
		refuse(ld, b, "sentinel_user", r->sentinel_user, "only with sentinel://");
		refuse(ld, b, "sentinel_password_file", r->sentinel_password_file, "only with sentinel://");
	}
	bool far = r->host[0] && !address_is_loopback(r->host);

	for (size_t i = 0; i < r->n_sentinels; i++)
		far |= !address_is_loopback(r->sentinels[i].host);
	if (far && !r->password_file[0] && !block_bad(b, "password_file"))
		diag_warn(ld->d, block_mark(b, "redis"), "redis: without password_file whoever reaches %s can choose the active slot",
			  r->host[0] ? r->host : r->master);
}

void state_load(struct loading *ld, struct yaml_node *node, struct mark mark, struct config *c)
{
	struct redis_config *r = &c->redis;
	struct yaml_node *tls;
	struct block b;

	block_open(&b, ld, node, AT_STATE, NULL, mark, "state");
	bool known = !block_bad(&b, "redis");

	load_redis_address(ld, block_text(&b, "redis"), r);
	r->user = block_text(&b, "user");
	r->password_file = block_text(&b, "password_file");
	r->sentinel_user = block_text(&b, "sentinel_user");
	r->sentinel_password_file = block_text(&b, "sentinel_password_file");
	r->prefix = block_text(&b, "prefix");
	r->redis_server = block_text(&b, "redis_server");
	r->replicas = block_int(&b, "replicas");
	tls = block_own(&b, "tls");
	tls_block_load(ld, tls, "tls", "state", NULL, &r->tls);
	if (!known)
		return; /* what goes with it cannot be judged */
	if (tls && !r->over_tls)
		diag_error(ld->d, tls->mark, "tls: only with rediss:// or sentinels://");
	if (r->embedded && r->replicas)
		diag_error(ld->d, block_mark(&b, "replicas"), "replicas: the embedded Redis has none");
	check_secrets(ld, &b, r);
}

static void show_address(const struct redis_config *r, struct buf *out)
{
	if (r->embedded) {
		buf_adds(out, "embedded");
		return;
	}
	if (r->unix_path[0]) {
		buf_addf(out, "unix:%s", r->unix_path);
		return;
	}
	buf_addf(out, r->n_sentinels ? "sentinel%s://" : "redis%s://", r->over_tls ? "s" : "");
	const struct redis_node server = { r->host, r->port }, *nodes = r->n_sentinels ? r->sentinels : &server;

	for (size_t i = 0; i < (r->n_sentinels ? r->n_sentinels : 1); i++)
		buf_addf(out, strchr(nodes[i].host, ':') ? "%s[%s]:%u" : "%s%s:%u", i ? "," : "", nodes[i].host, nodes[i].port);
	if (r->n_sentinels)
		buf_addf(out, "/%s", r->master);
	buf_addf(out, "/%d", r->db);
}

void state_show(const struct show *w, const struct redis_config *r)
{
	struct buf address = BUF_INIT(4096);

	buf_adds(w->out, "state:\n");
	show_address(r, &address);
	show_line(w, "  ", "redis", buf_str(&address));
	buf_free(&address);
	show_line(w, "  ", "user", r->user);
	show_line(w, "  ", "password_file", r->password_file);
	show_line(w, "  ", "sentinel_user", r->sentinel_user);
	show_line(w, "  ", "sentinel_password_file", r->sentinel_password_file);
	show_line(w, "  ", "prefix", r->prefix);
	if (!r->embedded)
		show_int(w, "  ", "replicas", r->replicas);
	show_line(w, "  ", "redis_server", r->redis_server);
	show_tls(w, "  ", "tls", &r->tls, r->over_tls);
}

/* Two are the same when they are written the same: what is added to the block is compared as soon as it is shown. */
bool config_same_state(const struct config *a, const struct config *b)
{
	struct buf written[2] = { BUF_INIT(64 * 1024), BUF_INIT(64 * 1024) };
	const struct config *const each[] = { a, b };
	bool same;

	for (size_t i = 0; i < 2; i++)
		state_show(&(struct show){ .out = &written[i], .secrets = true }, &each[i]->redis);
	same = a->lease_ttl_ms == b->lease_ttl_ms && strcmp(buf_str(&written[0]), buf_str(&written[1])) == 0;
	buf_free(&written[0]);
	buf_free(&written[1]);
	return same;
}
