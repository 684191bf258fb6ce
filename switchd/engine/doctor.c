/* SPDX-License-Identifier: MIT
 * doctor.c - is all that we stand on as it should be?  Asked by a person; changes nothing.
 *
 * The host is proxy/host.c's part; here are the store's server, and what this process knows of itself. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/core/json_text.h"
#include "switchd/engine/service.h"
#include "switchd/proxy/host.h"

enum { OFFSET_WARN_MS = 1000, MEMORY_WARN = 75, MEMORY_BAD = 90, LISTPACK = 200 };

struct doctor { struct engine *e; engine_events_fn *done; void *arg; json_t *list; int bad, warn; };

static void found(void *arg, const char *check, enum finding f, const char *says, const char *fix)
{
	struct doctor *d = arg;
	char safe[1024];

	text_printable(safe, sizeof(safe), says, strlen(says));
	d->bad += f == FIND_BAD;
	d->warn += f == FIND_WARN;
	json_array_append_new(d->list, json_pack("{s:s,s:s,s:s,s:s}", "check", check, "state", finding_name(f), "says", safe, "fix", fix));
}

PRINTF(5, 6) static void say(struct doctor *d, const char *check, enum finding f, const char *fix, const char *fmt, ...)
{
	char says[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(says, sizeof(says), fmt, ap);
	va_end(ap);
	found(d, check, f, says, fix);
}

static uint64_t number(const json_t *o, const char *key)
{
	uint64_t n;

	return text_u64(json_text(o, key), &n) ? n : 0;
}

/* ---- ourselves ---- */

static void own(struct doctor *d)
{
	const struct engine *e = d->e;
	struct archive_stats a;

	if (e->reload_ok)
		say(d, "config", FIND_OK, "", "%s is in force, %zu service%s", e->cfg->file, e->n, e->n == 1 ? "" : "s");
	else
		say(d, "config", FIND_BAD, "switchctl config check FILE, then reload", "the last reload was refused, the configuration before it is in force: %s",
		    e->reload_error);
	for (size_t i = 0; i < e->n; i++) {
		const struct service *s = e->services[i];
		char check[100], fix[160];

		TEXT_FORMAT(check, "record %s", s->cfg->name);
		TEXT_FORMAT(fix, "switchctl state repair %s -m WHY", s->cfg->name);
		if (s->bad.on)
			say(d, check, FIND_BAD, fix, "what the store holds is refused: %s", s->bad.why);
		else if (!s->loaded)
			say(d, check, FIND_WARN, "", "no record is loaded yet");
		else if (s->pending)
			say(d, check, FIND_WARN, "", "something was decided here and is not yet recorded");
		else
			say(d, check, FIND_OK, "", "read, and as this controller knows it");
	}
	archive_stats(e->archive, &a);
	if (!a.up)
		say(d, "archive writes", FIND_BAD, "make room, or give it its permissions back", "events cannot be archived: %s", a.why);
	else if (e->export_gaps)
		say(d, "archive writes", FIND_WARN, "", "%llu events were trimmed from the stream before they could be archived", (unsigned long long)e->export_gaps);
	else
		say(d, "archive writes", FIND_OK, "", "%llu lines since the start", (unsigned long long)a.lines);
}

/* ---- the server ---- */

/* An error of a question: not allowed and not known are the same to us, "not checked". */
static bool unasked(struct doctor *d, const char *check, const json_t *o)
{
	const char *error = json_text(o, "error");

	if (json_is_object(o) && !error[0])
		return false;
	say(d, check, FIND_UNCHECKED, "", "%s", strstr(error, "NOPERM") ? "not allowed for our user, which is well so" : error[0] ? error : "no answer");
	return true;
}

static void version(struct doctor *d, const json_t *info)
{
	const char *valkey = json_text(info, "valkey_version"), *redis = json_text(info, "redis_version");
	uint64_t major = 0;
	char head[16] = "";

	if (!redis[0]) {
		say(d, "redis version", FIND_UNCHECKED, "", "INFO says none");
		return;
	}
	text_copy_n(head, sizeof(head), redis, strcspn(redis, "."));
	if (!text_u64(head, &major))
		major = 0;
	say(d, "redis version", major >= 6 ? FIND_OK : FIND_WARN, major >= 6 ? "" : "Redis 6 or later, or Valkey", "%s %s", valkey[0] ? "Valkey" : "Redis",
	    valkey[0] ? valkey : redis);
}

static void role(struct doctor *d, const json_t *info, const json_t *answer)
{
	const char *r = json_text(info, "role");
	uint64_t replicas = number(info, "connected_slaves");

	if (!r[0])
		say(d, "redis role", FIND_UNCHECKED, "", "INFO says none");
	else if (strcmp(r, "master") != 0)
		say(d, "redis role", FIND_BAD, "point state: at the primary, or at its sentinels", "it is a replica: nothing can be committed");
	else
		say(d, "redis role", FIND_OK, "", "primary, %llu replica%s connected", (unsigned long long)replicas, replicas == 1 ? "" : "s");
	if (d->e->cfg->redis.replicas > 0)
		say(d, "replicas wanted", replicas >= (uint64_t)d->e->cfg->redis.replicas ? FIND_OK : FIND_BAD,
		    replicas >= (uint64_t)d->e->cfg->redis.replicas ? "" : "bring them back: until then each commit is at risk", "a commit must be with %d, and %llu %s connected",
		    d->e->cfg->redis.replicas, (unsigned long long)replicas, replicas == 1 ? "is" : "are");
	if (json_is_object(json_object_get(answer, "min_replicas")) && !json_text(json_object_get(answer, "min_replicas"), "error")[0]) {
		uint64_t min = number(json_object_get(answer, "min_replicas"), "value");

		if (min > replicas)
			say(d, "replicas", FIND_BAD, "bring them back, or lower min-replicas-to-write", "Redis wants %llu before it writes and %llu are connected",
			    (unsigned long long)min, (unsigned long long)replicas);
		else
			say(d, "replicas", FIND_OK, "", "min-replicas-to-write is %llu", (unsigned long long)min);
	}
}

static void persistence(struct doctor *d, const json_t *info, const json_t *answer)
{
	static const char *const last[] = { "aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status" };
	const json_t *fsync = json_object_get(answer, "appendfsync");
	const char *how = json_text(fsync, "value");
	bool aof = strcmp(json_text(info, "aof_enabled"), "1") == 0, replicas = number(info, "connected_slaves") > 0;

	if (strcmp(json_text(info, "loading"), "1") == 0)
		say(d, "persistence", FIND_BAD, "wait until it has read its files", "Redis is loading: nothing can be committed");
	if (!json_text(info, "aof_enabled")[0])
		say(d, "persistence", FIND_UNCHECKED, "", "INFO says nothing of it");
	else if (!aof)
		say(d, "persistence", replicas ? FIND_WARN : FIND_BAD, "appendonly yes, appendfsync always", "the append-only file is off: %s",
		    replicas ? "what a crash loses only the replicas have" : "a crash of Redis loses what was acknowledged");
	else if (unasked(d, "appendfsync", fsync))
		say(d, "persistence", FIND_OK, "", "the append-only file is on");
	else
		say(d, "persistence", strcmp(how, "always") == 0 ? FIND_OK : strcmp(how, "everysec") == 0 ? FIND_WARN : FIND_BAD,
		    strcmp(how, "always") == 0 ? "" : "appendfsync always", "append-only file, appendfsync %s%s", how,
		    strcmp(how, "always") == 0 ? "" : strcmp(how, "everysec") == 0 ? ": a power cut loses the last second" : ": a power cut loses what the kernel had not written");
	for (size_t i = 0; i < ARRAY_LEN(last); i++)
		if (json_text(info, last[i])[0] && strcmp(json_text(info, last[i]), "ok") != 0)
			say(d, last[i], FIND_BAD, "look at the disk and the log of Redis", "the last write of Redis to its disk failed (%s)", json_text(info, last[i]));
}

static void memory(struct doctor *d, const json_t *info)
{
	const char *policy = json_text(info, "maxmemory_policy");
	uint64_t used = number(info, "used_memory"), most = number(info, "maxmemory"), evicted = number(info, "evicted_keys");

	if (!policy[0])
		say(d, "eviction", FIND_UNCHECKED, "", "INFO says nothing of it");
	else if (strcmp(policy, "noeviction") != 0)
		say(d, "eviction", most ? FIND_BAD : FIND_WARN, "maxmemory-policy noeviction; never share Redis with a cache", "maxmemory-policy %s%s", policy,
		    most ? ": it may drop our keys" : ", without a maxmemory it does nothing yet");
	else
		say(d, "eviction", FIND_OK, "", "maxmemory-policy noeviction");
	if (evicted)
		say(d, "evicted keys", FIND_BAD, "maxmemory-policy noeviction; never share Redis with a cache", "%llu keys were evicted since Redis started",
		    (unsigned long long)evicted);
	if (most && used) {
		uint64_t percent = used > UINT64_MAX / 100 ? 100 : used * 100 / most;

		say(d, "memory", percent >= MEMORY_BAD ? FIND_BAD : percent >= MEMORY_WARN ? FIND_WARN : FIND_OK, percent >= MEMORY_WARN ? "raise maxmemory" : "",
		    "%llu MiB of %llu MiB (%llu %%): when it is full no commit is acknowledged", (unsigned long long)(used >> 20), (unsigned long long)(most >> 20),
		    (unsigned long long)percent);
	} else if (used) {
		say(d, "memory", FIND_OK, "", "%llu MiB used, no maxmemory", (unsigned long long)(used >> 20));
	}
}

static void small_hashes(struct doctor *d, const json_t *answer)
{
	const json_t *o = json_object_get(answer, "listpack");

	if (!json_text(o, "value")[0] && !json_text(o, "error")[0])
		o = json_object_get(answer, "ziplist");
	if (unasked(d, "small hashes", o))
		return;
	uint64_t n = number(o, "value");

	say(d, "small hashes", n >= LISTPACK || d->e->cfg->redis.embedded ? FIND_OK : FIND_WARN, n >= LISTPACK ? "" : "hash-max-listpack-entries 256 (only memory is at stake)",
	    "hash-max-listpack-entries is %llu", (unsigned long long)n);
}

static void may(struct doctor *d, const json_t *answer, const char *key, const char *what)
{
	const json_t *o = json_object_get(answer, key);
	char check[64];

	TEXT_FORMAT(check, "acl %s", what);
	if (unasked(d, check, o))
		return;
	if (strcmp(json_text(o, "value"), "OK") == 0)
		say(d, check, d->e->cfg->redis.embedded ? FIND_OK : FIND_WARN, d->e->cfg->redis.embedded ? "" : "a user of its own, with the rights of docs/operations.md",
		    "our user may %s%s", what, d->e->cfg->redis.embedded ? ": the server is our own" : "");
	else
		say(d, check, FIND_OK, "", "our user may not %s", what);
}

static void rights(struct doctor *d, const json_t *answer)
{
	const json_t *who = json_object_get(answer, "whoami");
	const char *user = json_text(who, "value");
	bool embedded = d->e->cfg->redis.embedded;

	if (unasked(d, "acl user", who))
		return;
	say(d, "acl user", strcmp(user, "default") != 0 || embedded ? FIND_OK : FIND_WARN,
	    strcmp(user, "default") != 0 || embedded ? "" : "a user of its own, with the rights of docs/operations.md", "we are the user \"%s\"", user);
	may(d, answer, "may_keys", "KEYS");
	may(d, answer, "may_config", "CONFIG");
	may(d, answer, "may_flush", "FLUSHALL");
}

static void history(struct doctor *d, const json_t *answer)
{
	const char *schema = json_text(answer, "schema");
	const json_t *events = json_object_get(answer, "events"), *offset = json_object_get(answer, "offset_ms");
	uint64_t v = 0;

	if (!schema[0])
		say(d, "schema", FIND_UNCHECKED, "", "the store says none");
	else if (!text_u64(schema, &v) || v < 1 || v > STORE_SCHEMA)
		say(d, "schema", FIND_BAD, "start the switchd that wrote it", "the store is of schema %s, we know up to %d: nothing is written", schema, STORE_SCHEMA);
	else if (v < STORE_SCHEMA)
		say(d, "schema", FIND_WARN, "switchctl state upgrade, once no older switchd is to be started again", "the store is of schema %s, we would write %d", schema, STORE_SCHEMA);
	else
		say(d, "schema", FIND_OK, "", "schema %s", schema);
	if (!unasked(d, "event stream", events))
		say(d, "event stream", FIND_OK, "", "%lld events", (long long)json_integer_value(json_object_get(events, "number")));
	say(d, "events not archived", store_backlog(d->e->store) >= store_backlog_most(d->e->store) ? FIND_BAD : FIND_OK,
	    store_backlog(d->e->store) >= store_backlog_most(d->e->store) ? "give the archive room: the oldest are being lost" : "", "%llu, of %llu at which the oldest are lost",
	    (unsigned long long)store_backlog(d->e->store), (unsigned long long)store_backlog_most(d->e->store));
	if (json_is_integer(offset)) {
		int64_t ms = json_integer_value(offset);
		bool off = ms > OFFSET_WARN_MS || ms < -OFFSET_WARN_MS;

		say(d, "clock of redis", off ? FIND_WARN : FIND_OK, off ? "keep both clocks right (no decision hangs on them)" : "", "%lld ms %s ours", (long long)(ms < 0 ? -ms : ms),
		    ms < 0 ? "behind" : "ahead of");
	}
}

static void server_said(void *arg, const char *json)
{
	struct doctor *d = arg;
	json_t *answer = json_loads(json, 0, NULL), *o;
	const json_t *info = json_object_get(answer, "info");

	if (!d->e->store) /* the end */
		say(d, "state", FIND_UNCHECKED, "", "switchd is ending");
	else if (store_state(d->e->store) == STORE_AWAY)
		say(d, "state", FIND_BAD, "switchctl status", "the store is away: %s", store_why_down(d->e->store));
	else if (store_state(d->e->store) == STORE_FOLLOWING)
		say(d, "state", FIND_OK, "", "another switchd leads (%s); this one stands by", store_leader(d->e->store));
	else
		say(d, "state", FIND_OK, "", "the store answers, and this switchd leads");
	if (json_is_true(json_object_get(answer, "connected")) && json_is_object(info)) {
		version(d, info);
		role(d, info, answer);
		persistence(d, info, answer);
		memory(d, info);
		small_hashes(d, answer);
		rights(d, answer);
		history(d, answer);
	} else {
		say(d, "redis", FIND_UNCHECKED, "", "it is not there to be asked");
	}
	json_decref(answer);
	o = json_pack("{s:b,s:i,s:i,s:O}", "daemon", 1, "bad", d->bad, "warn", d->warn, "checks", d->list);
	d->done(d->arg, o);
	json_decref(o);
	json_decref(d->list);
	free(d);
}

void engine_doctor(struct engine *e, engine_events_fn *done, void *arg)
{
	struct doctor *d = xcalloc(1, sizeof(*d));

	*d = (struct doctor){ .e = e, .done = done, .arg = arg, .list = json_array() };
	host_check(e->cfg, found, d);
	own(d);
	store_inspect(e->store, server_said, d);
}
