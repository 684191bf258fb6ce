/* SPDX-License-Identifier: MIT
 * faults_redis.c - the R rows: the store dies, freezes, is cut off, refuses, forgets, lies.
 *
 * One fault of the store at a time (the group "store" has one member), so that what a row does can be
 * told from what the next one does; the members are drawn inside, by what they are now. */
#include "tests/chaos/driver/driver.h"

static char *const prefix = (char *)"switchd:{0}:";

static const char *role_text(int i, char *out, size_t size)
{
	char which[16], text[512];

	snprintf(which, sizeof(which), "redis%d", i);
	snprintf(out, size, "?");
	if (redis_do(which, text, sizeof(text), "ROLE"))
		snprintf(out, size, "%s", strstr(text, "master") ? "master" : strstr(text, "slave") ? "replica" : "?");
	return out;
}

/* The number of the master, else 1. */
static int master(void)
{
	char role[16];

	for (int i = 1; i <= rig.n_redis; i++)
		if (strcmp(role_text(i, role, sizeof(role)), "master") == 0)
			return i;
	return 1;
}

/* Which one: the master three times of four. */
static int member(struct fault *f)
{
	int m = master(), i = rig.n_redis > 1 && (f->dice & 3) == 0 ? m % rig.n_redis + 1 : m;

	snprintf(f->keep, sizeof(f->keep), "%d", i);
	snprintf(f->note, sizeof(f->note), "redis-%d, the %s", i, i == m ? "master" : "replica");
	return i;
}

static int kept(const struct fault *f) { return (int)strtol(f->keep, NULL, 10); }
static const char *which(int i)
{
	static __thread char name[16];

	snprintf(name, sizeof(name), "redis%d", i);
	return name;
}

static bool kill_begin(struct fault *f)
{
	proc_end(proc_named("redis-%d", member(f)), SIGKILL, 5000);
	return true;
}

static void kill_end(struct fault *f) { (void)proc_start(proc_named("redis-%d", kept(f))); }

static bool stop_begin(struct fault *f)
{
	proc_signal(proc_named("redis-%d", member(f)), SIGSTOP);
	return true;
}

static void stop_end(struct fault *f) { proc_signal(proc_named("redis-%d", kept(f)), SIGCONT); }

/* ---- the network between ---- */

static bool relay(struct fault *f, const char *mode)
{
	int i = member(f);
	char also[64];

	snprintf(also, sizeof(also), ", %s", mode);
	strncat(f->note, also, sizeof(f->note) - strlen(f->note) - 1);
	say("relay\tname=redis%d\tmode=%s", i, mode);
	return talk_ok(site("redis%d_control", i), 1000, "%s", mode);
}

static void ok_end(struct fault *f)
{
	(void)talk_ok(site("redis%d_control", kept(f)), 1000, "ok");
	say("relay\tname=redis%d\tmode=ok", kept(f));
}

static bool blackhole_begin(struct fault *f) { return relay(f, "blackhole"); }
static bool refuse_begin(struct fault *f) { return relay(f, "refuse"); }
static bool reset_begin(struct fault *f) { return relay(f, "reset"); }
static bool garbage_begin(struct fault *f) { return relay(f, "garbage"); }

static bool with_number(struct fault *f, const char *mode, long low, long high)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %ld", mode, low + (long)((f->dice >> 8) % (uint64_t)(high - low + 1)));
	return relay(f, text);
}

static bool delay_begin(struct fault *f) { return with_number(f, "delay", 5, 300); }
static bool cut_begin(struct fault *f) { return with_number(f, "cut", 1, 3000); }
static bool drip_begin(struct fault *f) { return with_number(f, "drip", 20, 2000); }

/* ---- it answers, and refuses ---- */

static bool tell(struct fault *f, const char *words)
{
	char out[1024];
	int i = master();

	snprintf(f->keep, sizeof(f->keep), "%d", i);
	if (redis_do(which(i), out, sizeof(out), words) && out[0] != '-')
		return true;
	snprintf(f->note, sizeof(f->note), "redis-%d: %.100s", i, out[0] ? out : "no answer");
	return false;
}

static bool again(const struct fault *f, const char *words)
{
	char out[1024];

	return redis_do(which(kept(f)), out, sizeof(out), words) && out[0] != '-';
}

/* What a fault set may have outlived it: its server was down when it ended, and a sentinel had written the configuration out. */
void redis_heal(void)
{
	static const char *const words[] = { "CONFIG SET min-replicas-to-write 0", "CONFIG SET maxmemory 0" };
	char out[256];

	for (int i = 1; i <= rig.n_redis; i++)
		for (size_t k = 0; k < FAKE_LEN(words); k++) {
			bool ok = false;

			for (int n = 0; n < 20 && !ok; n++) {
				ok = redis_do(which(i), out, sizeof(out), words[k]) && out[0] != '-';
				if (!ok)
					usleep(100000);
			}
			if (!ok)
				say("heal\tname=redis-%d\twhat=%s\twhy=%s", i, words[k], out[0] ? out : "no answer");
		}
}

static bool oom_begin(struct fault *f) { return tell(f, "CONFIG SET maxmemory 1"); }
static void oom_end(struct fault *f) { (void)again(f, "CONFIG SET maxmemory 0"); }
static bool noreplicas_begin(struct fault *f) { return tell(f, "CONFIG SET min-replicas-to-write 7"); }
static void noreplicas_end(struct fault *f) { (void)again(f, "CONFIG SET min-replicas-to-write 0"); }
static bool pause_begin(struct fault *f)
{
	char words[64];

	snprintf(words, sizeof(words), "CLIENT PAUSE %ld WRITE", f->for_ms);
	return tell(f, words);
}
static void pause_end(struct fault *f) { (void)again(f, "CLIENT UNPAUSE"); }
static bool flush_scripts_begin(struct fault *f) { return tell(f, "SCRIPT FLUSH"); }
static bool kill_clients_begin(struct fault *f) { return tell(f, "CLIENT KILL TYPE normal"); }

/* LOADING and BUSY look alike to a client: an error instead of every answer. */
static bool busy_begin(struct fault *f)
{
	const char *const argv[] = { "EVAL", "while true do end", "0" };
	char out[64];
	int i = master();

	snprintf(f->keep, sizeof(f->keep), "%d", i);
	(void)redis_do(which(i), out, sizeof(out), "CONFIG SET busy-reply-threshold 50");
	/* It answers nothing before it is killed: the asking times out, the script goes on. */
	(void)redis_ask(which(i), out, sizeof(out), FAKE_LEN(argv), argv);
	return true;
}

static void busy_end(struct fault *f)
{
	char out[64];

	for (int n = 0; n < 50; n++) {
		if (redis_do(which(kept(f)), out, sizeof(out), "SCRIPT KILL") && (out[0] == '+' || strstr(out, "NOTBUSY")))
			return;
		usleep(100000);
	}
}

/* ---- it forgets ---- */

static bool del(struct fault *f, const char *key)
{
	char words[128];

	snprintf(words, sizeof(words), "DEL %s%s", prefix, key);
	snprintf(f->note, sizeof(f->note), "%s", key);
	return tell(f, words);
}

static bool del_one_of_service(struct fault *f, const char *what)
{
	char key[64];

	snprintf(key, sizeof(key), "%s:%s", what, site("service"));
	return del(f, key);
}

static bool flushall_begin(struct fault *f) { return tell(f, "FLUSHALL"); }
static bool del_meta_begin(struct fault *f) { return del(f, "meta"); }
static bool del_lease_begin(struct fault *f) { return del(f, "lease"); }
static bool del_record_begin(struct fault *f) { return del_one_of_service(f, "s"); }
static bool del_public_begin(struct fault *f) { return del_one_of_service(f, "a"); }

/* ---- it lies: a foreign hand writes nonsense, and takes it back ---- */

/* KEYS key, copy | ARGV field value: the key is kept aside and changed in one step.  A wrong type is its own kind. */
static const char *const spoil =
	"if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end "
	"redis.call('COPY', KEYS[1], KEYS[2], 'REPLACE') "
	"if ARGV[1] == '' then redis.call('DEL', KEYS[1]) redis.call('SET', KEYS[1], ARGV[2]) "
	"else redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end return 1";
/* Put back as it was, unless somebody has written something sound meanwhile. */
static const char *const unspoil =
	"if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end "
	"local t = redis.call('TYPE', KEYS[1]).ok "
	"local v = t == 'hash' and ARGV[1] ~= '' and redis.call('HGET', KEYS[1], ARGV[1]) or t == 'string' and redis.call('GET', KEYS[1]) or nil "
	"if v == ARGV[2] then redis.call('COPY', KEYS[2], KEYS[1], 'REPLACE') end "
	"redis.call('DEL', KEYS[2]) return 1";

static const struct { const char *key, *field, *value; } lies[] = {
	{ "s", "active", "purple" }, { "s", "epoch", "-1" }, { "s", "epoch", "1e9" }, { "s", "rev", "NaN" }, { "s", "gen", "9223372036854775808" },
	{ "s", "doc", "{\"half\":" }, { "s", "shield", "maybe" }, { "s", "", "not a hash" }, { "a", "", "sw1 purple" }, { "a", "", "" },
};

static bool eval(int i, const char *script, const struct fault *f, size_t lie)
{
	char key[128], copy[160], out[256];

	(void)f;
	snprintf(key, sizeof(key), "%s%s:%s", prefix, lies[lie].key, site("service"));
	snprintf(copy, sizeof(copy), "chaos:{0}:%s", lies[lie].key);
	const char *const argv[] = { "EVAL", script, "2", key, copy, lies[lie].field, lies[lie].value };
	return redis_ask(which(i), out, sizeof(out), FAKE_LEN(argv), argv) && strncmp(out, ":1", 2) == 0;
}

static bool corrupt_begin(struct fault *f)
{
	size_t lie = f->dice % FAKE_LEN(lies);
	int i = master();

	snprintf(f->keep, sizeof(f->keep), "%d", i);
	snprintf(f->note, sizeof(f->note), "%s %s = %s", lies[lie].key, lies[lie].field, lies[lie].value);
	if (eval(i, spoil, f, lie))
		return true;
	snprintf(f->note, sizeof(f->note), "redis-%d would not", i);
	return false;
}

static void corrupt_end(struct fault *f)
{
	size_t lie = f->dice % FAKE_LEN(lies);

	/* Another server may be the master by now: a copy that came with replication is put back there too. */
	for (int n = 0; n < 20; n++) {
		bool any = false;

		for (int i = 1; i <= rig.n_redis; i++)
			any = eval(i, unspoil, f, lie) || any;
		if (any)
			return;
		usleep(100000);
	}
}

/* ---- Sentinel ---- */

static bool sentinel_kill_begin(struct fault *f)
{
	proc_end(proc_named("sentinel-%d", f->number), SIGKILL, 5000);
	return true;
}

static void sentinel_kill_end(struct fault *f) { (void)proc_start(proc_named("sentinel-%d", f->number)); }

static bool sentinel_stop_begin(struct fault *f)
{
	proc_signal(proc_named("sentinel-%d", f->number), SIGSTOP);
	return true;
}

static void sentinel_stop_end(struct fault *f) { proc_signal(proc_named("sentinel-%d", f->number), SIGCONT); }

static bool failover_begin(struct fault *f)
{
	char out[512], name[24];

	for (int i = 0; i < rig.n_sentinels; i++) {
		snprintf(name, sizeof(name), "sentinel%d", (int)((f->dice + (uint64_t)i) % (uint64_t)rig.n_sentinels) + 1);
		if (redis_do(name, out, sizeof(out), "SENTINEL FAILOVER mymaster") && strncmp(out, "+OK", 3) == 0)
			return true;
	}
	snprintf(f->note, sizeof(f->note), "%.100s", out);
	return false;
}

enum { ALL = SINGLE | SENTINEL | FLEET, MANY = SENTINEL | FLEET };
const struct fault_kind faults_redis[] = {
	{ "kill-redis", "R1", "store", 8, ALL, 0, 1500, kill_begin, kill_end },
	{ "stop-redis", "R2", "store", 6, ALL, 300, 3000, stop_begin, stop_end },
	{ "redis-blackhole", "R15", "store", 5, ALL, 300, 3000, blackhole_begin, ok_end },
	{ "redis-refuse", "R15", "store", 3, ALL, 100, 2000, refuse_begin, ok_end },
	{ "redis-reset", "R15", "store", 4, ALL, 50, 1000, reset_begin, ok_end },
	{ "redis-delay", "R15", "store", 5, ALL, 500, 3000, delay_begin, ok_end },
	{ "redis-cut", "R15", "store", 3, ALL, 300, 2000, cut_begin, ok_end },
	{ "redis-drip", "R15", "store", 2, ALL, 300, 2000, drip_begin, ok_end },
	{ "redis-garbage", "R12", "store", 2, ALL, 100, 1500, garbage_begin, ok_end },
	{ "redis-oom", "R6", "store", 3, ALL, 300, 2000, oom_begin, oom_end },
	{ "redis-noreplicas", "R5", "store", 2, ALL, 300, 2000, noreplicas_begin, noreplicas_end },
	{ "redis-pause", "R8", "store", 2, ALL, 300, 1500, pause_begin, pause_end },
	{ "redis-busy", "R8", "store", 2, ALL, 200, 1500, busy_begin, busy_end },
	{ "script-flush", "R14", "store", 3, ALL, 0, 50, flush_scripts_begin, NULL },
	{ "kill-clients", "R15", "store", 3, ALL, 0, 50, kill_clients_begin, NULL },
	{ "flushall", "R14", "store", 1, ALL, 0, 50, flushall_begin, NULL },
	{ "del-meta", "R14", "store", 1, ALL, 0, 50, del_meta_begin, NULL },
	{ "del-lease", "R14", "store", 2, ALL, 0, 50, del_lease_begin, NULL },
	{ "del-record", "R14", "store", 1, ALL, 0, 50, del_record_begin, NULL },
	{ "del-public", "R14", "store", 1, ALL, 0, 50, del_public_begin, NULL },
	{ "corrupt", "R13", "store", 3, ALL, 500, 2500, corrupt_begin, corrupt_end },
	{ "kill-sentinel", "R10", "sentinel", 4, MANY, 0, 2000, sentinel_kill_begin, sentinel_kill_end },
	{ "stop-sentinel", "R10", "sentinel", 3, MANY, 300, 3000, sentinel_stop_begin, sentinel_stop_end },
	{ "failover", "R10", "store", 6, MANY, 500, 2500, failover_begin, NULL },
	{ 0 }
};
