/* SPDX-License-Identifier: MIT
 * flips.c - benchmarks (b) and (c): how long a flip takes, and what clients see of a thousand.
 *
 *   flips pair --api SOCK --redis SOCK --haproxy SOCK --state DIR --map FILE --lua DIR --rounds 100 --out FILE
 *       A round is: the floor, a flip by switchd, the floor, switchd's way back; so both meet the same weather.
 *       The floor does what a flip must do and nothing else, with blocking sockets: one EVALSHA of the same
 *       script with a record and an event of the same size, the map file (write, fsync, rename, fsync of the
 *       directory), one `set map`, one `show map` read back.  Its keys and its map are its own.
 *   flips many --api SOCK --moves 1000 --dwell MS --moves-file FILE --out FILE
 *       Flips forward and back; writes "asked_us observed_us slot" of each (the clock of load.c).
 *   flips judge --moves-file FILE --log LOADLOG --out FILE
 *       What load.c's log says of them: failed requests, and requests begun after `observed` that the slot
 *       which had been left answered. */
#include <getopt.h>
#include <signal.h>

#include "scripts/bench/bench.h"
#include "scripts/bench/commit.h"

enum { TIMELY_US = 15000000, SETTLE_US = 30000 };

static struct api switchd = { .fd = -1 };
static const char *service = "shop", *redis_socket, *haproxy, *state_dir, *map_file, *lua, *moves_file, *log_path, *out_path;
static long rounds = 100, moves = 1000, dwell_ms = 40;

/* ---- a flip by switchd ---- */

struct flip { int64_t asked, answered, acked_us, observed_us, observed_at; int refused; char to[8]; };

static const char *status(void)
{
	if (api(&switchd, "GET", NULL, "/v1/services/%s", service) != 200)
		die("status: %d %s", switchd.status, switchd.text);
	return switchd.text;
}

static bool landed(const char *s, const char *to)
{
	return json_says(s, "active", to) && json_says(s, "move.to", to) && (json_says(s, "phase", "baking") || json_says(s, "phase", "steady")) &&
	       json_number(s, "move.observed_us", -1) >= 0;
}

/* Forward by `flip` from blue to green, back by `rollback`: the bake between them need not end. */
static void flip(struct flip *f, bool forward)
{
	const char *verb = forward ? "flip" : "rollback";
	int64_t until = now_us() + TIMELY_US;

	*f = (struct flip){ .asked = now_us() };
	snprintf(f->to, sizeof(f->to), "%s", forward ? "green" : "blue");
	while (api(&switchd, "POST", "{\"message\":\"bench\"}", "/v1/services/%s/%s", service, verb) != 200) {
		/* A slot that is not whole for a moment is refused rightly; it is counted and asked again. */
		f->refused++;
		if (now_us() > until)
			die("%s: %d %s", verb, switchd.status, switchd.text);
		sleep_us(50000);
		f->asked = now_us();
	}
	f->answered = now_us();
	/* No asking while it is under way: the loop has better things to do. */
	for (sleep_us(15000); !landed(status(), f->to); sleep_us(5000))
		if (now_us() > until)
			die("%s is not observed: %s", verb, switchd.text);
	f->acked_us = json_number(switchd.text, "move.acked_us", -1);
	f->observed_us = json_number(switchd.text, "move.observed_us", -1);
	/* `decided` is told in whole milliseconds and may be one early: counted as later rather than sooner. */
	f->observed_at = json_number(switchd.text, "move.decided", 0) * 1000 + 2000 + f->observed_us - (wall_us() - now_us());
}

/* ---- the floor ---- */

static void floor_file(const char *value)
{
	char tmp[600], text[256];
	int n = snprintf(text, sizeof(text), "floor %s\n", value), dir, fd;

	snprintf(tmp, sizeof(tmp), "%s.tmp", map_file);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, (size_t)n) != n || fsync(fd) != 0 || close(fd) != 0 || rename(tmp, map_file) != 0)
		die("%s: %s", map_file, strerror(errno));
	dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fsync(dir) != 0 || close(dir) != 0)
		die("%s: %s", state_dir, strerror(errno));
}

struct steps { struct samples commit, file, set, back, all; };

static void floor_round(struct committing *w, struct steps *s)
{
	char value[64], line[700], reply[4096];
	int64_t t0 = now_us(), t1, t2, t3, t4;

	commit_once(w);
	t1 = now_us();
	snprintf(value, sizeof(value), "%s:1.%llu:%s", w->green ? "green" : "blue", (unsigned long long)w->epoch, w->green ? "shield" : "plain");
	floor_file(value);
	t2 = now_us();
	snprintf(line, sizeof(line), "set map %s floor %s", map_file, value);
	say_line(haproxy, line, reply, sizeof(reply));
	if (reply[strspn(reply, "\n")])
		die("HAProxy: '%s': %s", line, reply);
	t3 = now_us();
	snprintf(line, sizeof(line), "show map %s", map_file);
	say_line(haproxy, line, reply, sizeof(reply));
	if (!strstr(reply, value))
		die("HAProxy does not show what was set: %s", reply);
	t4 = now_us();
	sample(&s->commit, t1 - t0);
	sample(&s->file, t2 - t1);
	sample(&s->set, t3 - t2);
	sample(&s->back, t4 - t3);
	sample(&s->all, t4 - t0);
}

static void print_all(FILE *f, const char *const *names, struct samples *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			fputc(',', f);
		print_samples(f, names[i], list[i]);
	}
}

static int pair(void)
{
	static struct committing w;
	struct steps s = { 0 };
	struct samples acked = { 0 }, observed = { 0 }, acked_fwd = { 0 }, acked_back = { 0 }, answered = { 0 };
	static struct flip f;
	int refused = 0;

	commit_begin(&w, redis_socket, "floor", service, lua);
	for (long i = 0; i < 2 * rounds; i++) {
		bool forward = i % 2 == 0;

		sleep_us(SETTLE_US);
		floor_round(&w, &s);
		sleep_us(SETTLE_US);
		flip(&f, forward);
		refused += f.refused;
		sample(&acked, f.acked_us);
		sample(forward ? &acked_fwd : &acked_back, f.acked_us);
		sample(&observed, f.observed_us);
		sample(&answered, f.answered - f.asked);
	}
	FILE *o = create(out_path);
	const char *const names[] = { "floor_us", "floor_evalsha_us", "floor_file_us", "floor_set_map_us", "floor_read_back_us",
				      "acked_us", "acked_forward_us", "acked_back_us", "observed_us", "answered_us" };
	struct samples *const list[] = { &s.all, &s.commit, &s.file, &s.set, &s.back, &acked, &acked_fwd, &acked_back, &observed, &answered };

	fprintf(o, "{\"flips\":%ld,\"refused\":%d,\"ratio_percent\":%lld,", 2 * rounds, refused, (long long)(rank(&acked, 0.5) * 100 / rank(&s.all, 0.5)));
	print_all(o, names, list, FAKE_LEN(list));
	fprintf(o, "}\n");
	finish(o, out_path);
	return 0;
}

/* ---- a thousand of them ---- */

static int many(void)
{
	struct samples acked = { 0 }, observed = { 0 };
	FILE *m = create(moves_file);
	int64_t began = now_us();
	static struct flip f;
	int refused = 0;

	for (long i = 0; i < moves; i++) {
		flip(&f, i % 2 == 0);
		fprintf(m, "%lld %lld %s\n", (long long)f.asked, (long long)f.observed_at, f.to);
		refused += f.refused;
		sample(&acked, f.acked_us);
		sample(&observed, f.observed_us);
		sleep_us(dwell_ms * 1000);
	}
	fprintf(m, "%lld 0 end\n", (long long)now_us());
	finish(m, moves_file);
	FILE *o = create(out_path);

	fprintf(o, "{\"moves\":%ld,\"refused\":%d,\"seconds\":%.1f,", moves, refused, (double)(now_us() - began) / 1e6);
	print_samples(o, "acked_us", &acked);
	fputc(',', o);
	print_samples(o, "observed_us", &observed);
	fprintf(o, "}\n");
	finish(o, out_path);
	return 0;
}

struct span { int64_t asked, observed; bool green; };

static struct span *read_moves(size_t *n, int64_t *end)
{
	FILE *f = fopen(moves_file, "r");
	struct span *list = NULL;
	long long asked, observed;
	char slot[16];

	*n = 0;
	*end = 0;
	while (f && fscanf(f, "%lld %lld %15s", &asked, &observed, slot) == 3) {
		if (strcmp(slot, "end") == 0) {
			*end = asked;
			break;
		}
		list = need(realloc(list, (*n + 1) * sizeof(*list)));
		list[(*n)++] = (struct span){ .asked = asked, .observed = observed, .green = strcmp(slot, "green") == 0 };
	}
	if (!f || !*n || !*end)
		die("%s: no moves", moves_file);
	fclose(f);
	return list;
}

/* The last move that was asked for at or before this time; -1 = before the first. */
static long move_at(const struct span *m, size_t n, int64_t at)
{
	size_t a = 0, b = n;

	while (a < b) {
		size_t mid = (a + b) / 2;

		if (m[mid].asked <= at)
			a = mid + 1;
		else
			b = mid;
	}
	return (long)a - 1;
}

static int judge(void)
{
	size_t n;
	int64_t end;
	struct span *m = read_moves(&n, &end);
	FILE *log = fopen(log_path, "r"), *o;
	long long start, finish_at, requests = 0, failed = 0, checked = 0, old = 0, during = 0;
	char method[8], path[256], kind[16], tag[64];
	int code;

	while (log && fscanf(log, "%lld\t%lld\t%7s\t%255s\t%15s\t%d\t%63s", &start, &finish_at, method, path, kind, &code, tag) == 7) {
		long i = move_at(m, n, start);

		if (i < 0 || start >= end)
			continue;
		requests++;
		if (strcmp(kind, "ok") != 0) {
			failed++;
			if (failed <= 20)
				fprintf(stderr, "flips: failed: %s %s %s %d, %lld us after move %ld was asked for\n", method, path, kind, code,
					(long long)(start - m[i].asked), i);
			continue;
		}
		int64_t next = (size_t)i + 1 < n ? m[i + 1].asked : INT64_MAX;
		if (start < m[i].observed || finish_at > next) {
			during++;       /* either slot is right */
			continue;
		}
		checked++;
		if (strcmp(tag, m[i].green ? "green" : "blue") != 0) {
			old++;
			if (old <= 20)
				fprintf(stderr, "flips: %s %s by %s, %lld us after move %ld was observed\n", method, path, tag, (long long)(start - m[i].observed), i);
		}
	}
	if (!log || !requests)
		die("%s: no requests", log_path);
	fclose(log);
	o = create(out_path);
	fprintf(o, "{\"moves\":%zu,\"requests\":%lld,\"rate\":%.0f,\"failed\":%lld,\"checked\":%lld,\"by_old_slot\":%lld,\"during_moves\":%lld}\n", n, requests,
		(double)requests * 1e6 / (double)(end - m[0].asked), failed, checked, old, during);
	finish(o, out_path);
	free(m);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "api", 1, NULL, 'a' }, { "redis", 1, NULL, 'r' }, { "haproxy", 1, NULL, 'h' }, { "state", 1, NULL, 's' }, { "map", 1, NULL, 'm' },
		{ "lua", 1, NULL, 'l' }, { "rounds", 1, NULL, 'n' }, { "moves", 1, NULL, 'N' }, { "dwell", 1, NULL, 'd' }, { "moves-file", 1, NULL, 'f' },
		{ "log", 1, NULL, 'L' }, { "out", 1, NULL, 'o' }, { 0 }
	};
	const char *what = argc > 1 ? argv[1] : "";
	int o;

	optind = 2;
	while (argc > 1 && (o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'a': switchd.socket = optarg; break;
		case 'r': redis_socket = optarg; break;
		case 'h': haproxy = optarg; break;
		case 's': state_dir = optarg; break;
		case 'm': map_file = optarg; break;
		case 'l': lua = optarg; break;
		case 'n': rounds = number("--rounds", optarg, 1, 10000); break;
		case 'N': moves = number("--moves", optarg, 2, 100000); break;
		case 'd': dwell_ms = number("--dwell", optarg, 0, 10000); break;
		case 'f': moves_file = optarg; break;
		case 'L': log_path = optarg; break;
		case 'o': out_path = optarg; break;
		default: die("usage: see the head of flips.c");
		}
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(what, "pair") == 0 && switchd.socket && redis_socket && haproxy && state_dir && map_file && lua && out_path)
		return pair();
	if (strcmp(what, "many") == 0 && switchd.socket && moves_file && out_path)
		return many();
	if (strcmp(what, "judge") == 0 && moves_file && log_path && out_path)
		return judge();
	die("usage: flips pair|many|judge ... (see the head of flips.c)");
}
