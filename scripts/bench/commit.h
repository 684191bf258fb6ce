/* SPDX-License-Identifier: MIT
 * commit.h - the commit that a flip makes, by hand: the same script, a record and an event of the same size, keys of its own. */
#ifndef SCRIPTS_BENCH_COMMIT_H
#define SCRIPTS_BENCH_COMMIT_H

#include "scripts/bench/redis.h"

struct committing {
	struct redis redis;
	const char *service;            /* of its own: not one that switchd has */
	char sha[64], *doc, *event;
	uint64_t epoch, rev;
	bool green;
};

static inline char *read_whole(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = need(calloc(1, 65536));

	if (!f || fread(text, 1, 65535, f) == 0 || !feof(f))
		die("%s: cannot be read", path);
	fclose(f);
	return text;
}

/* like: a service of switchd, whose record is taken as the measure.  lua: the directory of the scripts. */
static inline void commit_begin(struct committing *c, const char *where, const char *service, const char *like, const char *lua)
{
	char path[512], key[128], *prelude, *commit, *script, replid[64];

	redis_open(&c->redis, where);
	c->service = service;
	/* What switchd itself writes there: the record's document and one event, as they stand. */
	snprintf(key, sizeof(key), "switchd:{0}:s:%s", like);
	const char *hget[] = { "HGET", key, "doc" }, *last[] = { "XREVRANGE", "switchd:{0}:ev", "+", "-", "COUNT", "1" };

	redis_ask(&c->redis, hget, 3);
	c->doc = need(strdup(redis_string(&c->redis, 0)));
	redis_ask(&c->redis, last, 6);
	/* id, s, SERVICE, e, EVENT */
	c->event = need(strdup(redis_string(&c->redis, 4)));
	if (strlen(c->doc) < 100 || strlen(c->event) < 50)
		die("the record of switchd is not where it was expected in Redis");
	const char *info[] = { "INFO", "replication" };
	redis_ask(&c->redis, info, 2);
	const char *id = strstr(redis_string(&c->redis, 0), "master_replid:");
	if (!id || sscanf(id, "master_replid:%60[0-9a-f]", replid) != 1)
		die("no master_replid in INFO");
	const char *meta[] = { "HSET", "floor:{0}:meta", "v", "2", "gen", "1", "seq", "0", "lin", replid }, *lease[] = { "SET", "floor:{0}:lease", "1 bench unix" };
	const char *known[] = { "EXISTS", "floor:{0}:meta" };

	redis_ask(&c->redis, known, 2);
	if (strcmp(redis_string(&c->redis, 0), "0") == 0)
		redis_ask(&c->redis, meta, 10);
	redis_ask(&c->redis, lease, 3);
	snprintf(path, sizeof(path), "%s/prelude.lua", lua);
	prelude = read_whole(path);
	snprintf(path, sizeof(path), "%s/commit.lua", lua);
	commit = read_whole(path);
	if (asprintf(&script, "%s%s", prelude, commit) < 0)
		die("out of memory");
	const char *load[] = { "SCRIPT", "LOAD", script };
	redis_ask(&c->redis, load, 3);
	snprintf(c->sha, sizeof(c->sha), "%s", redis_string(&c->redis, 0));
	free(prelude);
	free(commit);
	free(script);
}

static inline void commit_once(struct committing *c)
{
	char rid[96], q[128], s[96], a[96], x[96], gen[8], epoch[24], rev[24], next[24];
	bool fresh = c->epoch == 0;

	snprintf(rid, sizeof(rid), "%s-%llu", c->service, (unsigned long long)c->epoch + 1);
	snprintf(q, sizeof(q), "floor:{0}:q:%s", rid);
	snprintf(s, sizeof(s), "floor:{0}:s:%s", c->service);
	snprintf(a, sizeof(a), "floor:{0}:a:%s", c->service);
	snprintf(x, sizeof(x), "floor:{0}:x:%s", c->service);
	snprintf(gen, sizeof(gen), "%s", fresh ? "" : "1");
	epoch[0] = rev[0] = '\0';
	if (!fresh) {
		snprintf(epoch, sizeof(epoch), "%llu", (unsigned long long)c->epoch);
		snprintf(rev, sizeof(rev), "%llu", (unsigned long long)c->rev);
	}
	snprintf(next, sizeof(next), "%llu", (unsigned long long)c->epoch + 1);
	c->green = !c->green;
	const char *args[] = {
		"EVALSHA", c->sha, "7", "floor:{0}:meta", "floor:{0}:lease", s, a, x, "floor:{0}:ev", q,
		rid, "bench", "1", "forward", c->service, gen, epoch, rev,
		next, c->green ? "green" : "blue", c->green ? "shield" : "plain", "flipping", "0", "r41", "r42", "", c->doc,
		"", "", "", "", "100000", "1", c->event,
	};

	redis_ask(&c->redis, args, (int)FAKE_LEN(args));
	if (strcmp(redis_string(&c->redis, 0), "OK") != 0)
		die("the commit script answers: %s %s", redis_string(&c->redis, 0), redis_string(&c->redis, 1));
	c->epoch++;
	c->rev++;
}

#endif
