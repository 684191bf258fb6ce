/* SPDX-License-Identifier: MIT
 * driver.c - goes through the rounds of a chaos run: faults and orders at once, then a quiet moment.
 *
 *   driver --dir SITE --seed N --minutes M [--rounds A-B] [--least N]
 *
 * --least: a slow machine plays on until there were as many faults and moves of traffic, for half as long again at most.
 *
 * Everything it does is told in SITE/log/driver; what it meant is the checker's business.
 * Exit 0: it went through; 1: record and data plane did not come together again; 2: the rig is broken. */
#include <getopt.h>

#include "tests/chaos/driver/driver.h"

enum { CALM_MS = 4500 };
static volatile sig_atomic_t over;
static void on_end(int sig) { (void)sig; over = 1; }

/* A proxy that is still starting refuses, and no fault would explain that. */
static void fronts_answer(void)
{
	char slot[8], version[64];

	for (int i = 1; i <= rig.n_fronts; i++)
		for (int64_t begin = now_us(); !eye_front(i, slot, sizeof(slot), version, sizeof(version)); usleep(20000))
			if (now_us() - begin > 20000000)
				die("front %d does not answer", i);
}

/* In the order in which they need each other. */
static void start_all(void)
{
	static const char *const order_of[] = { "relay-", "redis-", "sentinel-", "blue-", "green-", "haproxy-", "agent-", "switchd-", "tap-", "maps-", "poll-", "load-" };
	struct proc *all[64];
	size_t n = procs_all(all, 64);

	for (size_t k = 0; k < FAKE_LEN(order_of); k++) {
		if (strcmp(order_of[k], "maps-") == 0)
			fronts_answer();
		for (size_t i = 0; i < n; i++)
			if (strncmp(all[i]->name, order_of[k], strlen(order_of[k])) == 0)
				(void)proc_start_as(all[i], all[i]->name[0] == 'b' ? app_release("blue") : all[i]->name[0] == 'g' ? app_release("green") : NULL, NULL);
		usleep(k < 3 ? 300000 : 100000);
		procs_reap();
	}
}

/* Clients first: nobody is asked after its end.  A clean stop of switchd ends with 0, and is told like every other end. */
static void end_all(void)
{
	static const char *const order_of[] = { "load-", "poll-", "maps-", "switchd-", "agent-", "tap-", "haproxy-", "blue-", "green-", "sentinel-", "redis-", "relay-" };
	struct proc *all[64];
	size_t n = procs_all(all, 64);

	for (size_t k = 0; k < FAKE_LEN(order_of); k++)
		for (size_t i = 0; i < n; i++)
			if (strncmp(all[i]->name, order_of[k], strlen(order_of[k])) == 0 && all[i]->pid)
				proc_end(all[i], SIGTERM, 15000);
	for (int i = 0; i < 600 && procs_leaving(); i++) {
		procs_reap();
		usleep(20000);
	}
}

static void *reaper(void *arg)
{
	(void)arg;
	for (;;) {
		procs_reap();
		usleep(10000);
	}
	return NULL;
}

/* What the controllers say at the end, for the fold of the events (I16) and the secrets (I15). */
static void keep_last_words(void)
{
	struct said *s = need(malloc(sizeof(*s)));

	for (int i = 1; i <= rig.n_controllers; i++) {
		static const char *const verbs[] = { "status", "timeline", "metrics", "why" };
		char url[600], path[1200];

		snprintf(url, sizeof(url), "unix:%s", site("socket%d", i));
		for (size_t k = 0; k < FAKE_LEN(verbs); k++) {
			char *argv[] = { (char *)site("switchctl"), (char *)"--url", url, (char *)"--json", (char *)verbs[k], k == 2 ? NULL : (char *)site("service"), NULL };

			task(s, 10000, argv);
			snprintf(path, sizeof(path), "%s/log/last-%s-%d", rig.dir, verbs[k], i);
			FILE *f = fopen(path, "w");
			if (!f || fwrite(s->out, 1, s->n, f) != s->n || fclose(f) != 0)
				die("%s: %s", path, strerror(errno));
		}
	}
	free(s);
}

/* I11: those that lived through it beside fresh ones, both after a while at rest. */
static void compare_ages(void)
{
	static const char *const who[] = { "switchd-", "agent-" };
	struct proc *all[64];
	size_t n = procs_all(all, 64);

	sleep(3);
	census("old");
	for (size_t k = 0; k < FAKE_LEN(who); k++)
		for (size_t i = 0; i < n; i++)
			if (strncmp(all[i]->name, who[k], strlen(who[k])) == 0) {
				proc_end(all[i], SIGTERM, 15000);
				(void)proc_start(all[i]);
			}
	if (settle(-1)) {
		sleep(3);
		census("fresh");
	}
}

/* Every switchd and every redis-server is killed at once, and stays away: no client may notice (I1a, I9). */
static void nothing_left(long ms)
{
	static const char *const who[] = { "switchd-", "agent-", "redis-", "sentinel-" };
	struct proc *all[64];
	size_t n = procs_all(all, 64);

	say("nothing-left\twhat=begin\tms=%ld", ms);
	for (int start = 0; start < 2; start++) {
		for (size_t k = 0; k < FAKE_LEN(who); k++)
			for (size_t i = 0; i < n; i++) {
				const char *name = who[start ? FAKE_LEN(who) - 1 - k : k];

				if (strncmp(all[i]->name, name, strlen(name)) != 0)
					continue;
				if (start)
					(void)proc_start(all[i]);
				else
					proc_end(all[i], SIGKILL, 5000);
			}
		for (long waited = 0; !start && waited < ms && !over; waited += 50)
			usleep(50000);
	}
	say("nothing-left\twhat=end");
}

static bool one_round(long round)
{
	pthread_t storm, hands;

	say("round\tn=%ld\twhat=begin", round);
	pthread_create(&storm, NULL, storm_round, (void *)(uintptr_t)round);
	pthread_create(&hands, NULL, hands_round, (void *)(uintptr_t)round);
	pthread_join(storm, NULL);
	hands_stop();
	pthread_join(hands, NULL);
	bool ok = settle(round);
	if (ok)
		hands_calm(round, CALM_MS);
	hands_mend();
	census("round");
	say("round\tn=%ld\twhat=end\tinjected=%d", round, storm_count());
	return ok;
}

static void options(int argc, char **argv, const char **dir)
{
	static const struct option table[] = { { "dir", 1, NULL, 'd' }, { "seed", 1, NULL, 's' }, { "minutes", 1, NULL, 'm' }, { "rounds", 1, NULL, 'r' },
					     { "least", 1, NULL, 'l' }, { 0 } };
	int o;

	rig.seed = 1;
	rig.minutes = 1;
	while ((o = getopt_long(argc, argv, "", table, NULL)) != -1)
		switch (o) {
		case 'd': *dir = optarg; break;
		case 's': rig.seed = (uint64_t)strtoull(optarg, NULL, 10); break;
		case 'm': rig.minutes = strtod(optarg, NULL); break;
		case 'l': rig.least = strtol(optarg, NULL, 10); break;
		case 'r':
			if (sscanf(optarg, "%ld-%ld", &rig.first_round, &rig.last_round) != 2)
				die("--rounds: want A-B");
			break;
		default: die("usage: driver --dir SITE --seed N --minutes M");
		}
	if (!*dir)
		die("driver: --dir is needed");
}

static bool goes_on(long round, int64_t begin)
{
	int64_t played = now_us() - begin, wanted = (int64_t)(rig.minutes * 60e6);

	if (rig.last_round)
		return round <= rig.last_round;
	return played < wanted || (played < wanted + wanted / 2 && (storm_count() < rig.least || tally_moves() < rig.least));
}

int main(int argc, char **argv)
{
	const char *dir = NULL;
	char path[1200];
	pthread_t thread;
	bool ok = true;

	options(argc, argv, &dir);
	rig_read(dir);
	snprintf(path, sizeof(path), "%s/log/driver", dir);
	say_open(path);
	snprintf(path, sizeof(path), "%s/procs", dir);
	procs_read(path);
	struct sigaction end = { .sa_handler = on_end };
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	signal(SIGPIPE, SIG_IGN);
	say("run\tseed=%llu\tminutes=%g\ttopology=%s\twall_minus_mono=%lld", (unsigned long long)rig.seed, rig.minutes, site("topology"), (long long)(wall_us() - now_us()));
	storm_prepare();
	start_all();
	pthread_create(&thread, NULL, reaper, NULL);
	pthread_detach(thread);
	if (!settle(0)) {
		say("run\twhat=never-began");
		end_all();
		return 2;
	}
	census("begin");
	int64_t begin = now_us();
	for (long round = rig.first_round ? rig.first_round : 1; ok && !over && goes_on(round, begin); round++)
		ok = one_round(round);
	if (ok) {
		nothing_left(rig.minutes >= 5 ? 60000 : 5000);
		ok = settle(-2);
	}
	say("run\twhat=over\tok=%d", ok);
	if (ok)
		compare_ages();
	keep_last_words();
	end_all();
	say_close();
	return ok ? 0 : 1;
}
