/* SPDX-License-Identifier: MIT
 * inspect.c - what the server says of itself, for `switchctl doctor`: read only, and what is not allowed is said to be so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "switchd/store/room.h"

#define TIME_MOST_S (UINT64_C(1) << 40)         /* seconds of a clock: what is more would not fit as milliseconds */

struct inspection {
	json_t *o;
	int open;
	store_inspect_fn *fn;
	void *arg;
	bool sending;
	char user[128];
};

/* Of INFO, what is asked for; the rest is not carried about. */
static const char *const info_keys[] = {
	"redis_version", "valkey_version", "role", "connected_slaves", "master_link_status", "loading", "aof_enabled", "aof_last_write_status",
	"aof_last_bgrewrite_status", "rdb_last_bgsave_status", "rdb_bgsave_in_progress", "used_memory", "maxmemory", "maxmemory_policy", "evicted_keys",
	"expired_keys", "total_system_memory", "connected_clients", "maxclients", "uptime_in_seconds", "rejected_connections",
};

static void over(void *arg)
{
	struct inspection *i = arg;
	char *text = json_dumps(i->o, JSON_COMPACT);

	i->fn(i->arg, text ? text : "{}");
	free(text);
	json_decref(i->o);
	free(i);
}

static void keep(struct inspection *i, const char *key, json_t *taken) { json_object_set_new(i->o, key, taken ? taken : json_null()); }

static json_t *clean(const char *s, size_t n)
{
	char safe[400];

	text_printable(safe, sizeof(safe), s, n);
	return json_string(safe);
}

static void info_got(struct inspection *i, const redisReply *r)
{
	json_t *o = json_object();
	const char *p = r->type == REDIS_REPLY_STRING ? r->str : "";

	while (*p) {
		size_t line = strcspn(p, "\r\n"), colon = strcspn(p, ":\r\n");

		for (size_t k = 0; k < ARRAY_LEN(info_keys) && colon < line; k++)
			if (strlen(info_keys[k]) == colon && memcmp(info_keys[k], p, colon) == 0)
				json_object_set_new(o, info_keys[k], clean(p + colon + 1, line - colon - 1));
		p += line + strspn(p + line, "\r\n");
	}
	keep(i, "info", o);
}

/* An answer of one string, an array of two, or an error. */
static void plain_got(struct inspection *i, const char *key, const redisReply *r)
{
	json_t *o = json_object();

	if (r->type == REDIS_REPLY_ERROR)
		json_object_set_new(o, "error", clean(r->str, r->len));
	else if (r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS)
		json_object_set_new(o, "value", clean(r->str, r->len));
	else if (r->type == REDIS_REPLY_INTEGER)
		json_object_set_new(o, "number", json_integer(r->integer));
	else if (r->type == REDIS_REPLY_ARRAY && r->elements == 2)
		json_object_set_new(o, "value", json_string(reply_text(r, 1)));
	keep(i, key, o);
}

static void time_got(struct inspection *i, const redisReply *r, const struct op *op)
{
	uint64_t s, us;
	mono_us now = mono_now();

	if (r->type == REDIS_REPLY_ARRAY && reply_u64(r, 0, &s) && reply_u64(r, 1, &us) && s < TIME_MOST_S)
		keep(i, "offset_ms", json_integer((json_int_t)(s * 1000 + us / 1000) - (wall_now().ms - mono_since_us(now, op->sent) / 2000)));
}

static void meta_got(struct inspection *i, const redisReply *r)
{
	keep(i, "schema", r->type == REDIS_REPLY_ARRAY && r->elements == 1 && reply_text(r, 0)[0] ? json_string(reply_text(r, 0)) : json_null());
}

static void told(struct op *op, const redisReply *r);

static void ask(struct store *st, struct inspection *i, const char *key, size_t n, const char *const *words)
{
	struct op *op = op_new(st, -1, 0, told);

	for (size_t k = 0; k < n; k++)
		args_add(&op->args, words[k]);
	op->extra = xstrdup(key);
	op->arg = i;
	if (op_send(op))
		i->open++;
	else
		op_free(op);
}

/* Redis 7 says of a user what he may do, without doing it. */
static void dry_runs(struct store *st, struct inspection *i)
{
	static const char *const all[][6] = {
		{ "may_keys", "ACL", "DRYRUN", "", "KEYS", "*" },
		{ "may_config", "ACL", "DRYRUN", "", "CONFIG", "GET" },
		{ "may_flush", "ACL", "DRYRUN", "", "FLUSHALL", NULL },
	};

	for (size_t k = 0; k < ARRAY_LEN(all); k++) {
		const char *words[] = { all[k][1], all[k][2], i->user, all[k][4], all[k][5], "maxmemory" };

		ask(st, i, all[k][0], !all[k][5] ? 4 : k == 1 ? 6 : 5, words);
	}
}

static void told(struct op *op, const redisReply *r)
{
	struct store *st = op->st;
	struct inspection *i = op->arg;
	const char *key = op->extra;
	bool whoami = strcmp(key, "whoami") == 0;

	i->open--;
	if (r && strcmp(key, "info") == 0)
		info_got(i, r);
	else if (r && strcmp(key, "time") == 0)
		time_got(i, r, op);
	else if (r && strcmp(key, "meta") == 0)
		meta_got(i, r);
	else if (r)
		plain_got(i, key, r);
	if (r && whoami && r->type == REDIS_REPLY_STRING && TEXT_COPY(i->user, r->str) && !st->freeing)
		dry_runs(st, i);
	op_free(op);
	if (i->open || i->sending)
		return;
	if (r)
		over(i);
	else /* the link is going down */
		store_later(st, LATER_PLAIN, i)->fn.plain = over;
}

void store_inspect(struct store *st, store_inspect_fn *fn, void *arg)
{
	static const char *const info[] = { "INFO" }, *const when[] = { "TIME" }, *const whoami[] = { "ACL", "WHOAMI" };
	static const char *const settings[][2] = {
		{ "appendfsync", "appendfsync" }, { "listpack", "hash-max-listpack-entries" }, { "ziplist", "hash-max-ziplist-entries" },
		{ "min_replicas", "min-replicas-to-write" }, { "save", "save" },
	};
	struct inspection *i = xcalloc(1, sizeof(*i));
	char key[256];

	i->o = json_object();
	i->fn = fn;
	i->arg = arg;
	i->sending = true;
	keep(i, "connected", json_boolean(link_is_up(st->link)));
	ask(st, i, "info", 1, info);
	ask(st, i, "time", 1, when);
	ask(st, i, "whoami", 2, whoami);
	for (size_t k = 0; k < ARRAY_LEN(settings); k++) {
		const char *const words[] = { "CONFIG", "GET", settings[k][1] };

		ask(st, i, settings[k][0], 3, words);
	}
	store_key(st, key, "meta");
	ask(st, i, "meta", 3, (const char *const[]){ "HMGET", key, "v" });
	store_key(st, key, "ev");
	ask(st, i, "events", 2, (const char *const[]){ "XLEN", key });
	i->sending = false;
	if (!i->open) /* nothing was sent: not from inside the call */
		store_later(st, LATER_PLAIN, i)->fn.plain = over;
}
