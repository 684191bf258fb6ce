/* SPDX-License-Identifier: MIT
 * probes.c - what one probe costs: the schedules and runners of a configuration, and nothing else of switchd.
 *
 *   probes --config FILE [--warm SECONDS] [--seconds SECONDS]
 *
 * Every service's features are asked on both slots at the fast pace.  After the warm-up it counts: CPU time of this process and of
 * the programs it started, probes and requests by their end, how long each turn of the loop kept it (lag) and how late each
 * probe left.  One line of JSON. */
#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "probes/schedule.h"
#include "switchd/base/outside.h"

enum { CONFIG_MAX = 4 * 1024 * 1024, ERRORS_MAX = 65536, TURN_STEP_US = 10, TURN_STEPS = 20000 };

struct bench {
	struct ev_loop *loop;
	struct config *cfg;
	struct schedule **sched;
	struct probe_runner **runner;
	bool counting;
	uint64_t probes, requests, by_outcome[N_OUTCOMES];
	int64_t turn_began;
	uint64_t turns[TURN_STEPS], n_turns;    /* by TURN_STEP_US */
	int64_t turn_most;
	struct spread late0;
};

static int64_t clock_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t of(struct timeval t) { return (int64_t)t.tv_sec * 1000000 + t.tv_usec; }

/* What the children that are gone used; those that run at this moment are a few of thousands. */
static int64_t children_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_CHILDREN, &r);
	return of(r.ru_utime) + of(r.ru_stime);
}

static void done(void *arg, const struct probe_result *r)
{
	struct bench *b = arg;

	if (!b->counting)
		return;
	b->probes++;
	b->requests += r->requests ? r->requests : 1;
	b->by_outcome[r->outcome]++;
}

static void turn_begins(EV_P_ ev_check *w, int revents)
{
	(void)loop, (void)revents;
	((struct bench *)w->data)->turn_began = clock_us(CLOCK_MONOTONIC);
}

static void turn_ends(EV_P_ ev_prepare *w, int revents)
{
	struct bench *b = w->data;
	int64_t us = clock_us(CLOCK_MONOTONIC) - b->turn_began;

	(void)loop, (void)revents;
	if (!b->counting || !b->turn_began)
		return;
	b->turns[us / TURN_STEP_US < TURN_STEPS ? us / TURN_STEP_US : TURN_STEPS - 1]++;
	b->n_turns++;
	if (us > b->turn_most)
		b->turn_most = us;
}

static int64_t turn_rank(const struct bench *b, double part)
{
	uint64_t n = 0;

	for (size_t i = 0; i < TURN_STEPS; i++) {
		n += b->turns[i];
		if ((double)n >= part * (double)b->n_turns)
			return (int64_t)(i + 1) * TURN_STEP_US;
	}
	return 0;
}

static void over(EV_P_ ev_timer *t, int revents)
{
	(void)t, (void)revents;
	ev_break(EV_A_ EVBREAK_ALL);
}

static void run_for(struct bench *b, double seconds)
{
	ev_timer t;

	ev_timer_init(&t, over, seconds, 0.);
	ev_now_update(b->loop);
	ev_timer_start(b->loop, &t);
	ev_run(b->loop, 0);
}

static struct spread late_of(const struct bench *b)
{
	struct spread all = { .sum_us = 0 };

	for (size_t i = 0; i < b->cfg->n_services; i++)
		spread_merge(&all, schedule_late(b->sched[i]));
	return all;
}

static long resident_kb(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%*s %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static bool load(struct bench *b, const char *file)
{
	struct buf text = BUF_INIT(CONFIG_MAX), errors = BUF_INIT(ERRORS_MAX);
	char chunk[16384];
	FILE *f = fopen(file, "re");
	bool ok = true;

	for (size_t n; f && (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
		buf_add(&text, chunk, n);
	if (f)
		fclose(f);
	b->cfg = config_load(file, buf_str(&text), text.len, outside_lookup, NULL, &errors, NULL);
	if (b->cfg) {
		b->sched = calloc(b->cfg->n_services, sizeof(*b->sched));
		b->runner = calloc(b->cfg->n_services, sizeof(*b->runner));
	}
	for (size_t i = 0; b->cfg && ok && i < b->cfg->n_services; i++) {
		const struct service_config *s = &b->cfg->services[i];

		b->runner[i] = probe_runner_new(b->loop, b->cfg, s, &errors);
		ok = b->runner[i] != NULL;
		if (!ok)
			break;
		b->sched[i] = schedule_new(b->loop, b->runner[i], s, done, b);
		schedule_pace(b->sched[i], BLUE, PACE_FAST);
		schedule_pace(b->sched[i], GREEN, PACE_FAST);
	}
	fputs(buf_str(&errors), stderr);
	buf_free(&text);
	buf_free(&errors);
	return b->cfg && ok;
}

static void print(const struct bench *b, int64_t cpu, int64_t children, int64_t wall, long rss)
{
	struct spread late = late_of(b);
	size_t features = 0;
	uint64_t good = b->by_outcome[OUT_PRESENT];

	for (size_t i = 0; i < b->cfg->n_services; i++)
		features += b->cfg->services[i].n_features;
	for (size_t i = 0; i < SPREAD_STEPS; i++)
		late.count[i] -= b->late0.count[i];
	for (int o = 0; o < N_OUTCOMES; o++)
		if (b->by_outcome[o] && o != OUT_PRESENT)
			fprintf(stderr, "probes: %llu ended as %s\n", (unsigned long long)b->by_outcome[o], outcome_info((enum outcome)o)->code);
	printf("{\"features\":%zu,\"probes\":%llu,\"requests\":%llu,\"good\":%llu,\"cpu_us\":%lld,\"children_us\":%lld,\"wall_us\":%lld,"
	       "\"rss_kb\":%ld,\"turns\":%llu,\"lag_us\":{\"p50\":%lld,\"p99\":%lld,\"max\":%lld},\"late_p50_us\":%lld,\"late_p99_us\":%lld}\n",
	       features, (unsigned long long)b->probes, (unsigned long long)b->requests, (unsigned long long)good, (long long)cpu, (long long)children,
	       (long long)wall, rss, (unsigned long long)b->n_turns, (long long)turn_rank(b, .5), (long long)turn_rank(b, .99), (long long)b->turn_most,
	       (long long)spread_at_most_us(&late, .5), (long long)spread_at_most_us(&late, .99));
}

int main(int argc, char **argv)
{
	static struct bench b;
	const char *file = NULL;
	double warm = 3, seconds = 8;
	ev_check check;
	ev_prepare prepare;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--config") == 0)
			file = argv[i + 1];
		else if (strcmp(argv[i], "--warm") == 0)
			warm = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--seconds") == 0)
			seconds = strtod(argv[i + 1], NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	b.loop = ev_default_loop(0);
	if (!file || !load(&b, file)) {
		fprintf(stderr, "usage: probes --config FILE [--warm SECONDS] [--seconds SECONDS]\n");
		return 2;
	}
	ev_check_init(&check, turn_begins);
	ev_prepare_init(&prepare, turn_ends);
	ev_set_priority(&check, EV_MAXPRI);
	ev_set_priority(&prepare, EV_MAXPRI);
	check.data = prepare.data = &b;
	ev_check_start(b.loop, &check);
	ev_prepare_start(b.loop, &prepare);
	run_for(&b, warm);
	b.late0 = late_of(&b);
	int64_t cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID), children = children_us(), wall = clock_us(CLOCK_MONOTONIC);
	b.counting = true;
	run_for(&b, seconds);
	cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	children = children_us() - children;
	wall = clock_us(CLOCK_MONOTONIC) - wall;
	print(&b, cpu, children, wall, resident_kb());
	for (size_t i = 0; i < b.cfg->n_services; i++) {
		schedule_free(&b.sched[i]);
		probe_runner_free(&b.runner[i]);
	}
	free(b.sched);
	free(b.runner);
	config_free(&b.cfg);
	return 0;
}
