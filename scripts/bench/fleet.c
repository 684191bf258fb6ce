/* SPDX-License-Identifier: MIT
 * fleet.c - benchmarks (h) and (i): commits, convergence, what Redis holds, and how long a recovery takes.
 *
 *   fleet commits --redis SOCK --tcp HOST:PORT --lua DIR --service LIKE --rounds 500 --out FILE
 *       Over the socket and over TCP in turn: PING, a plain SET of 85 bytes, one as long as what a commit writes, the
 *       commit.  One client, each command alone, as when one service flips.
 *   fleet flips --api SOCK --prefix s --services 50 --rounds 100 --out FILE
 *       One flip after the other, each service forward and back in turn; after each until all proxies converged.
 *   fleet at-once --api SOCK --prefix s --services 50 --rounds 4 --out FILE
 *       All services are asked in one moment; each round the other way.
 *   fleet memory --redis SOCK --out FILE
 *       MEMORY USAGE of every key of switchd, by kind.
 *   fleet await --api SOCK [--kill PID --signal N | --since WALL_US] [--timeout S] --out FILE STEP...
 *       Signals the process and tells for each STEP after how many microseconds it was so, in their order; adds one
 *       line to FILE.  STEP: NAME:PATH=VALUE,PATH=VALUE of the status of --service | NAME:@SOCK (Redis there
 *       answers) | NAME:! (an order is committed: a hold, asked until it is answered 200).
 *   fleet spread --in FILE
 *       The lines of `await` in one: least, median, most of each step. */
#include <getopt.h>
#include <limits.h>
#include <signal.h>

#include "scripts/bench/commit.h"

enum { TIMELY_US = 60000000, ASK_US = 4000, ALONE_US = 2000, SERVICES = 1024, KINDS = 32, STEPS = 8, NAME = 24 };

static const char *service = "shop", *prefix = "s", *api_socket, *redis_socket, *tcp, *lua, *in_path, *out_path;
static long rounds = 100, services = 1, timeout_s = 60, kill_pid, kill_signal = SIGKILL, since;

/* ---- commits beside a plain SET ---- */

struct way { const char *name, *where; struct committing c; struct samples ping, set, set_long, commit; };

static int64_t timed(struct redis *r, const char *const *args, int n)
{
	sleep_us(ALONE_US);
	int64_t t = now_us();

	redis_ask(r, args, n);
	return now_us() - t;
}

static void one_round(struct way *w, const char *shorter, const char *longer)
{
	const char *ping[] = { "PING" }, *set[] = { "SET", "floor:{0}:set", shorter }, *set_long[] = { "SET", "floor:{0}:set_long", longer };

	sample(&w->ping, timed(&w->c.redis, ping, 1));
	sample(&w->set, timed(&w->c.redis, set, 3));
	sample(&w->set_long, timed(&w->c.redis, set_long, 3));
	sleep_us(ALONE_US);
	int64_t t = now_us();

	commit_once(&w->c);
	sample(&w->commit, now_us() - t);
}

static void print_way(FILE *o, struct way *w)
{
	fprintf(o, "\"%s\":{", w->name);
	print_samples(o, "ping_us", &w->ping);
	fputc(',', o);
	print_samples(o, "set_us", &w->set);
	fputc(',', o);
	print_samples(o, "set_long_us", &w->set_long);
	fputc(',', o);
	print_samples(o, "commit_us", &w->commit);
	fprintf(o, "}");
}

static int commits(void)
{
	static struct way ways[] = { { .name = "unix" }, { .name = "tcp" } };
	char shorter[86], *longer;
	size_t len = 0;

	ways[0].where = redis_socket;
	ways[1].where = tcp;
	for (size_t i = 0; i < 2; i++)
		commit_begin(&ways[i].c, ways[i].where, ways[i].name, service, lua);
	memset(shorter, 'x', 85);
	shorter[85] = '\0';
	/* The document, the event, and the small values beside them. */
	len = strlen(ways[0].c.doc) + strlen(ways[0].c.event) + 400;
	longer = need(malloc(len + 1));
	memset(longer, 'x', len);
	longer[len] = '\0';
	for (long i = 0; i < rounds + 3; i++)
		for (size_t k = 0; k < 2; k++) {
			one_round(&ways[k], shorter, longer);
			if (i < 3) /* the first ones make the keys */
				ways[k].ping.n = ways[k].set.n = ways[k].set_long.n = ways[k].commit.n = 0;
		}
	FILE *o = create(out_path);

	fprintf(o, "{\"bytes\":%zu,", len);
	print_way(o, &ways[0]);
	fputc(',', o);
	print_way(o, &ways[1]);
	fprintf(o, "}\n");
	finish(o, out_path);
	free(longer);
	return 0;
}

/* ---- flips ---- */

struct flips { struct samples answered, acked, observed, p50, p99, most; int refused; long n; };

static const char *status(struct api *a, const char *name)
{
	if (api(a, "GET", NULL, "/v1/services/%s", name) != 200)
		die("status of %s: %d %s", name, a->status, a->text);
	return a->text;
}

static const char *name_of(long i)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s%ld", prefix, i + 1);
	return name;
}

static bool all_converged(const char *s)
{
	return json_number(s, "fleet.all", -1) > 0 && json_number(s, "fleet.converged", -2) == json_number(s, "fleet.all", -1);
}

/* Everywhere, seen through every front, and the spread of it known. */
static bool landed(const char *s, const char *to)
{
	return json_says(s, "active", to) && json_says(s, "move.to", to) && (json_says(s, "phase", "baking") || json_says(s, "phase", "steady")) &&
	       json_number(s, "move.observed_us", -1) >= 0 && all_converged(s) && json_number(s, "fleet.most_us", -1) >= 0;
}

static void note(struct flips *f, const char *s)
{
	sample(&f->acked, json_number(s, "move.acked_us", -1));
	sample(&f->observed, json_number(s, "move.observed_us", -1));
	sample(&f->p50, json_number(s, "fleet.p50_us", -1));
	sample(&f->p99, json_number(s, "fleet.p99_us", -1));
	sample(&f->most, json_number(s, "fleet.most_us", -1));
	f->n++;
}

static void flip(struct flips *f, struct api *a, const char *name, bool forward)
{
	const char *to = forward ? "green" : "blue";
	int64_t until = now_us() + TIMELY_US, asked = now_us();

	/* A slot that is not whole for a moment is refused rightly; it is counted and asked again. */
	while (api(a, "POST", "{\"message\":\"bench\"}", "/v1/services/%s/%s", name, forward ? "flip" : "rollback") != 200) {
		f->refused++;
		if (now_us() > until)
			die("%s to %s: %d %s", name, to, a->status, a->text);
		sleep_us(50000);
		asked = now_us();
	}
	sample(&f->answered, now_us() - asked);
	/* No asking while it is under way: the loop has better things to do. */
	for (sleep_us(30000); !landed(status(a, name), to); sleep_us(10000))
		if (now_us() > until)
			die("%s to %s did not converge: %s", name, to, a->text);
	note(f, a->text);
}

static void print_flips(FILE *o, struct flips *f)
{
	const char *const names[] = { "answered_us", "acked_us", "observed_us", "converged_p50_us", "converged_p99_us", "converged_most_us" };
	struct samples *const list[] = { &f->answered, &f->acked, &f->observed, &f->p50, &f->p99, &f->most };

	fprintf(o, "\"flips\":%ld,\"refused\":%d", f->n, f->refused);
	for (size_t i = 0; i < FAKE_LEN(list); i++) {
		fputc(',', o);
		print_samples(o, names[i], list[i]);
	}
}

static int one_by_one(void)
{
	static struct api a = { .fd = -1 };
	static struct flips f;
	static bool green[SERVICES];
	int64_t began = now_us();

	a.socket = api_socket;
	for (long i = 0; i < services; i++)
		green[i] = json_says(status(&a, name_of(i)), "active", "green");
	for (long i = 0; i < rounds; i++) {
		long k = i / 2 % services; /* and back at once: what bakes is asked more often */

		green[k] = !green[k];
		flip(&f, &a, name_of(k), green[k]);
	}
	FILE *o = create(out_path);

	fprintf(o, "{\"seconds\":%.1f,", (double)(now_us() - began) / 1e6);
	print_flips(o, &f);
	fprintf(o, "}\n");
	finish(o, out_path);
	return 0;
}

/* ---- all of them in one moment ---- */

static void order(struct api *a, const char *name, bool forward)
{
	static const char body[] = "{\"message\":\"bench\"}";
	char request[512];
	int n = snprintf(request, sizeof(request), "POST /v1/services/%s/%s HTTP/1.1\r\nHost: switchd\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", name,
			 forward ? "flip" : "rollback", strlen(body), body);

	if (a->fd < 0)
		a->fd = dial(a->socket);
	if (!send_all(a->fd, request, (size_t)n))
		die("%s: %s", a->socket, strerror(errno));
}

static void round_of_all(struct api *all, bool forward, struct flips *f, struct samples *committed, struct samples *done)
{
	int64_t asked = now_us(), until = asked + TIMELY_US;
	bool went[SERVICES] = { false };

	for (long i = 0; i < services; i++)
		order(&all[i], name_of(i), forward);
	for (long i = 0; i < services; i++) {
		if (!api_read(&all[i]))
			die("%s: the connection was closed", name_of(i));
		went[i] = all[i].status == 200;
		f->refused += !went[i];
		if (went[i])
			sample(&f->answered, now_us() - asked);
	}
	sample(committed, now_us() - asked);
	for (long i = 0; i < services; i++) {
		while (went[i] && !landed(status(&all[i], name_of(i)), forward ? "green" : "blue")) {
			if (now_us() > until)
				die("%s did not converge: %s", name_of(i), all[i].text);
			sleep_us(10000);
		}
		if (!went[i]) /* one by one, so that the next round begins with all on one side */
			flip(&(struct flips){ 0 }, &all[i], name_of(i), forward);
		else
			note(f, all[i].text);
	}
	sample(done, now_us() - asked);
}

static int at_once(void)
{
	static struct flips f;
	struct samples committed = { 0 }, done = { 0 };
	struct api *all = need(calloc((size_t)services, sizeof(*all)));

	for (long i = 0; i < services; i++) {
		all[i].fd = -1;
		all[i].socket = api_socket;
		if (json_says(status(&all[i], name_of(i)), "active", "green"))
			flip(&(struct flips){ 0 }, &all[i], name_of(i), false);
	}
	for (long r = 0; r < rounds; r++)
		round_of_all(all, r % 2 == 0, &f, &committed, &done);
	FILE *o = create(out_path);

	fprintf(o, "{\"services\":%ld,\"rounds\":%ld,", services, rounds);
	print_flips(o, &f);
	fputc(',', o);
	print_samples(o, "all_answered_us", &committed);
	fputc(',', o);
	print_samples(o, "all_converged_us", &done);
	fprintf(o, "}\n");
	finish(o, out_path);
	free(all);
	return 0;
}

/* ---- what Redis holds ---- */

struct held { char name[NAME]; long n; long long bytes; };

/* "switchd:{0}:s:shop" is of the kind "s"; a key of many pieces still of the first. */
static void kind_of(const char *key, char out[NAME])
{
	const char *at = strstr(key, "}:");
	size_t n;

	at = at ? at + 2 : key;
	n = strcspn(at, ":");
	n = n < NAME - 1 ? n : NAME - 1;
	memcpy(out, at, n);
	out[n] = '\0';
}

static int memory(void)
{
	static struct redis keys, ask;
	static struct held kinds[KINDS];
	const char *list[] = { "KEYS", "switchd:*" };
	int n_kinds = 0;

	redis_open(&keys, redis_socket);
	redis_open(&ask, redis_socket);
	redis_ask(&keys, list, 2);
	for (int i = 0; i < keys.n_parts; i++) {
		const char *usage[] = { "MEMORY", "USAGE", redis_string(&keys, i), "SAMPLES", "0" };
		char name[NAME];
		int k = 0;

		redis_ask(&ask, usage, 5);
		kind_of(redis_string(&keys, i), name);
		while (k < n_kinds && strcmp(kinds[k].name, name) != 0)
			k++;
		if (k == KINDS)
			die("too many kinds of keys");
		n_kinds = k == n_kinds ? n_kinds + 1 : n_kinds;
		snprintf(kinds[k].name, NAME, "%s", name);
		kinds[k].n++;
		kinds[k].bytes += strtoll(redis_string(&ask, 0), NULL, 10);
	}
	FILE *o = create(out_path);

	fprintf(o, "{");
	for (int k = 0; k < n_kinds; k++)
		fprintf(o, "%s\"%s\":{\"n\":%ld,\"bytes\":%lld}", k ? "," : "", kinds[k].name, kinds[k].n, kinds[k].bytes);
	fprintf(o, "}\n");
	finish(o, out_path);
	return 0;
}

/* ---- recoveries ---- */

static bool redis_answers(const char *where)
{
	struct sockaddr_storage a;
	struct timeval t = { .tv_sec = 1 };
	socklen_t len;
	char reply[64] = "";
	bool ok = false;

	if (!address(where, &a, &len))
		die("%s: not an address", where);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) == 0 && connect(fd, (struct sockaddr *)&a, len) == 0)
		ok = send_all(fd, "PING\r\n", 6) && read(fd, reply, sizeof(reply) - 1) > 0 && strncmp(reply, "+PONG", 5) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool values_are(const char *s, const char *want)
{
	char path[128], value[128], got[128];
	const char *at = want, *p;
	int n = 0;

	while (sscanf(at, "%127[^=]=%127[^,]%n", path, value, &n) == 2) {
		p = json_find(s, path);
		if (!p)
			return false;
		if (*p == '"' ? !json_text(s, path, got, sizeof(got)) || strcmp(got, value) != 0
			      : strncmp(p, value, strlen(value)) != 0 || !strchr(",]} \r\n", p[strlen(value)]))
			return false;
		at += n;
		if (*at++ != ',')
			return true;
	}
	die("'%s': PATH=VALUE,PATH=VALUE", want);
}

static bool is_so(struct api *a, const char *want)
{
	if (*want == '@')
		return redis_answers(want + 1);
	if (*want == '!')
		return api(a, "PUT", "{\"message\":\"bench\"}", "/v1/services/%s/hold", service) == 200;
	return values_are(status(a, service), want);
}

static int await(char **steps, int n)
{
	static struct api a = { .fd = -1 };
	int64_t until = now_us() + timeout_s * 1000000, at[STEPS], began;

	if (n < 1 || n > STEPS)
		die("one to %d steps", STEPS);
	a.socket = api_socket;
	status(&a, service); /* connected before anything happens */
	began = since ? since : wall_us();
	if (kill_pid && kill((pid_t)kill_pid, (int)kill_signal) != 0)
		die("kill %ld: %s", kill_pid, strerror(errno));
	for (int i = 0; i < n; i++) {
		const char *want = strchr(steps[i], ':');

		if (!want)
			die("'%s': NAME:...", steps[i]);
		for (; !is_so(&a, want + 1); sleep_us(ASK_US))
			if (now_us() > until)
				die("'%s' is not so after %ld s: %s", steps[i], timeout_s, a.text);
		at[i] = wall_us() - began;
	}
	FILE *o = fopen(out_path, "a");

	if (!o)
		die("%s: %s", out_path, strerror(errno));
	for (int i = 0; i < n; i++)
		fprintf(o, "%s\"%.*s\":%lld", i ? "," : "{", (int)(strchr(steps[i], ':') - steps[i]), steps[i], (long long)at[i]);
	fprintf(o, "}\n");
	finish(o, out_path);
	return 0;
}

static int spread(void)
{
	struct { char name[NAME]; struct samples s; } steps[STEPS] = { 0 };
	FILE *f = fopen(in_path, "r");
	int n = 0;
	char line[1024], name[NAME];
	long long us;

	while (f && fgets(line, sizeof(line), f))
		for (char *at = strchr(line, '"'); at; at = strchr(at + 1, '"')) {
			int k = 0;

			if (sscanf(at, "\"%23[^\"]\":%lld", name, &us) != 2)
				continue;
			while (k < n && strcmp(steps[k].name, name) != 0)
				k++;
			if (k == STEPS)
				die("%s: too many steps", in_path);
			n = k == n ? n + 1 : n;
			snprintf(steps[k].name, NAME, "%s", name);
			sample(&steps[k].s, us);
			at = strchr(at, ':');
		}
	if (!n)
		die("%s: nothing in it", in_path);
	for (int k = 0; k < n; k++)
		printf("%s\"%s\":{\"n\":%zu,\"min\":%lld,\"p50\":%lld,\"p90\":%lld,\"max\":%lld}", k ? "," : "{", steps[k].name, steps[k].s.n,
		       (long long)rank(&steps[k].s, 0), (long long)rank(&steps[k].s, 0.5), (long long)rank(&steps[k].s, 0.9), (long long)rank(&steps[k].s, 1.0));
	printf("}\n");
	fclose(f);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "api", 1, NULL, 'a' }, { "redis", 1, NULL, 'r' }, { "tcp", 1, NULL, 't' }, { "lua", 1, NULL, 'l' }, { "service", 1, NULL, 's' },
		{ "prefix", 1, NULL, 'p' }, { "services", 1, NULL, 'S' }, { "rounds", 1, NULL, 'n' }, { "out", 1, NULL, 'o' }, { "in", 1, NULL, 'i' },
		{ "kill", 1, NULL, 'k' }, { "signal", 1, NULL, 'K' }, { "since", 1, NULL, 'w' }, { "timeout", 1, NULL, 'T' }, { 0 }
	};
	const char *what = argc > 1 ? argv[1] : "";
	int o;

	optind = 2;
	while (argc > 1 && (o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'a': api_socket = optarg; break;
		case 'r': redis_socket = optarg; break;
		case 't': tcp = optarg; break;
		case 'l': lua = optarg; break;
		case 's': service = optarg; break;
		case 'p': prefix = optarg; break;
		case 'S': services = number("--services", optarg, 1, SERVICES); break;
		case 'n': rounds = number("--rounds", optarg, 1, 100000); break;
		case 'o': out_path = optarg; break;
		case 'i': in_path = optarg; break;
		case 'k': kill_pid = number("--kill", optarg, 2, 100000000); break;
		case 'K': kill_signal = number("--signal", optarg, 1, 64); break;
		case 'w': since = number("--since", optarg, 1, LONG_MAX); break;
		case 'T': timeout_s = number("--timeout", optarg, 1, 600); break;
		default: die("usage: see the head of fleet.c");
		}
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(what, "commits") == 0 && redis_socket && tcp && lua && out_path)
		return commits();
	if (strcmp(what, "flips") == 0 && api_socket && out_path)
		return one_by_one();
	if (strcmp(what, "at-once") == 0 && api_socket && out_path)
		return at_once();
	if (strcmp(what, "memory") == 0 && redis_socket && out_path)
		return memory();
	if (strcmp(what, "await") == 0 && api_socket && out_path)
		return await(argv + optind, argc - optind);
	if (strcmp(what, "spread") == 0 && in_path)
		return spread();
	die("usage: fleet commits|flips|at-once|memory|await|spread ... (see the head of fleet.c)");
}
