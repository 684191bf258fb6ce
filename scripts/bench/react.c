/* SPDX-License-Identifier: MIT
 * react.c - benchmark (a): a release breaks while it bakes; how long do clients see it?
 *
 *   react --api SOCK --service shop --load SOCK --dir SITE --invoices BIN --ports P1,P2
 *         --rounds 100 --seed N --label TEXT [--shielded] --out FILE
 *
 * One round: every target of green says it is a new release, the release is deployed and flipped to; at a
 * random moment of the first second of its bake one of three faults strikes (the feature answers 404; 500;
 * every target is killed -9); switchd flips back; the load client (load.c) says what its requests saw.
 * Green's targets are children of this program, so that a kill strikes at once and is seen to. */
#include <getopt.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "scripts/bench/bench.h"

enum { MAX_TARGETS = 8, TIMELY_MS = 15000, N_FAULTS = 3 };
static const char *const fault_names[N_FAULTS] = { "404", "500", "kill" };

static struct api switchd = { .fd = -1 };
static const char *service = "shop", *load, *dir, *invoices, *label = "", *feature = "quotes";
static bool shielded;     /* then a GET that fails before its answer began is worth a line */
static char *ports[MAX_TARGETS];
static int n_targets;
static pid_t pids[MAX_TARGETS];
static uint64_t dice;

static struct {
	struct samples exposed, exposed_by[N_FAULTS], last_after, found;
	int64_t gets, posts, failed_gets, failed_posts, cut_gets, outside, requests;
	int wrongly, not_moved, refused, unseen;
} sum;

/* xorshift: the same seed gives the same moments. */
static int64_t random_below(int64_t n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (int64_t)(dice % (uint64_t)n);
}

/* ---- the targets of green ---- */

static void fake_socket(int i, char out[256]) { snprintf(out, 256, "%s/green%d.sock", dir, i + 1); }

static void target_start(int i, const char *release)
{
	char number_text[16], control[256], pid_file[256];
	struct sockaddr_storage a;
	socklen_t len;

	snprintf(number_text, sizeof(number_text), "%d", i + 1);
	snprintf(pid_file, sizeof(pid_file), "%s/pid/green%d", dir, i + 1);
	fake_socket(i, control);
	unlink(pid_file);
	pids[i] = fork();
	if (pids[i] < 0)
		die("fork: %s", strerror(errno));
	if (pids[i] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!freopen("/dev/null", "w", stdout))
			_exit(127);
		execl(invoices, invoices, "--port", ports[i], "--slot", "green", "--target", number_text, "--release", release, "--show-slot", "--control",
		      control, "--pid-file", pid_file, (char *)NULL);
		_exit(127);
	}
	if (!address(control, &a, &len))
		die("%s: not an address", control);
	/* Its pid file is written when it listens. */
	for (int64_t until = now_us() + 10000000; access(pid_file, F_OK) < 0; sleep_us(2000))
		if (now_us() > until || waitpid(pids[i], NULL, WNOHANG) == pids[i])
			die("%s: does not start", invoices);
}

static void targets_kill(void)
{
	for (int i = 0; i < n_targets; i++)
		if (pids[i] > 0)
			kill(pids[i], SIGKILL);
	for (int i = 0; i < n_targets; i++)
		if (pids[i] > 0) {
			waitpid(pids[i], NULL, 0);
			pids[i] = 0;
		}
}

static void targets_tell(const char *fmt, ...) FAKE_PRINTF(1, 2);
static void targets_tell(const char *fmt, ...)
{
	char line[256], control[256], reply[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (int i = 0; i < n_targets; i++) {
		fake_socket(i, control);
		command_fake(control, reply, sizeof(reply), "%s", line);
	}
}

static void fill(const char *release)
{
	bool dead = pids[0] == 0;

	for (int i = 0; i < n_targets && dead; i++)
		target_start(i, release);
	if (dead)
		return;
	targets_tell("restore all");
	targets_tell("release %s", release);
}

/* ---- one round ---- */

static void load_cmd(const char *fmt, ...) FAKE_PRINTF(1, 2);
static void load_cmd(const char *fmt, ...)
{
	char line[256], reply[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	command_fake(load, reply, sizeof(reply), "%s", line);
}

static const char *load_stats(const char *from, const char *until)
{
	static char reply[65536];

	command_fake(load, reply, sizeof(reply), "stats %s %s", from, until);
	return reply;
}

static const char *status(void)
{
	if (api(&switchd, "GET", NULL, "/v1/services/%s", service) != 200)
		die("status: %d %s", switchd.status, switchd.text);
	return switchd.text;
}

static bool resting(const char *s)
{
	return json_says(s, "phase", "steady") && json_says(s, "active", "blue") && json_says(s, "slots.blue.state", "good");
}

static void rest(void)
{
	for (int64_t until = now_us() + TIMELY_MS * 1000; !resting(status()); sleep_us(10000))
		if (now_us() > until)
			die("does not come to rest on blue: %s", switchd.text);
}

/* The deploy's number when green serves and bakes; 0: it was refused or gone again. */
static int64_t flip_forward(const char *release)
{
	char body[256];
	int64_t id;

	snprintf(body, sizeof(body), "{\"release\":\"%s\",\"digest\":\"sha256:%s-%08llx\",\"slot\":\"green\"}", release, release,
		 (unsigned long long)(dice & 0xffffffffu));
	if (api(&switchd, "POST", body, "/v1/services/%s/deploys", service) != 201)
		die("deploy %s: %d %s", release, switchd.status, switchd.text);
	id = json_number(switchd.text, "deploy", 0);
	if (api(&switchd, "GET", NULL, "/v1/services/%s/deploys/%lld?wait=30s&for=flipped", service, (long long)id) != 200)
		die("deploy %s: %d %s", release, switchd.status, switchd.text);
	if (json_says(switchd.text, "phase", "baking") && json_says(switchd.text, "active", "green"))
		return id;
	fprintf(stderr, "react: %s did not get to its bake: %s\n", release, switchd.text);
	if (json_says(switchd.text, "outcome", "rolled-back"))
		sum.wrongly++;
	else if (++sum.refused > 5)
		die("react: the sixth deploy that was refused");
	return 0;
}

/* Which GETs failed although no byte of their answer had come: all kinds but "cut". */
static int64_t cut_gets(const char *stats) { return json_number(stats, "get_kinds.cut", 0); }

static void strike(int fault)
{
	if (fault == 2)
		targets_kill();
	else
		targets_tell("lose %s %s", feature, fault_names[fault]);
}

static void judge(int round, int fault, const char *begun, const char *struck, const char *over)
{
	int64_t before = json_number(load_stats(begun, struck), "failed", 0);
	const char *s = load_stats(struck, over);
	int64_t gets = json_number(s, "failed_gets", 0), posts = json_number(s, "failed_posts", 0), cut = cut_gets(s);
	int64_t exposed = json_number(s, "exposed_us", 0), last = json_number(s, "last_bad_after_us", -1);

	sum.outside += before;
	sum.requests += json_number(s, "requests", 0);
	sum.gets += json_number(s, "gets", 0);
	sum.posts += json_number(s, "posts", 0);
	sum.failed_gets += gets;
	sum.failed_posts += posts;
	sum.cut_gets += cut;
	sum.unseen += last < 0;
	sample(&sum.exposed, exposed);
	sample(&sum.exposed_by[fault], exposed);
	if (last >= 0)
		sample(&sum.last_after, last);
	if (before || (shielded && gets != cut))
		fprintf(stderr, "react: round %d (%s): failed before the fault %lld; GETs %lld (%lld cut), POSTs %lld: %s", round, fault_names[fault],
			(long long)before, (long long)gets, (long long)cut, (long long)posts, s);
}

static void one_round(int i)
{
	char release[64], begun[32], struck[32], over[32];
	int fault = i % N_FAULTS;
	int64_t id, at;

	snprintf(release, sizeof(release), "r%d-%s", 1000 + i, fault_names[fault]);
	snprintf(begun, sizeof(begun), "begun%d", i);
	snprintf(struck, sizeof(struck), "struck%d", i);
	snprintf(over, sizeof(over), "over%d", i);
	rest();
	fill(release);
	load_cmd("mark %s", begun);
	id = flip_forward(release);
	if (!id)
		return;
	sleep_us(random_below(1000000));
	if (!json_says(status(), "active", "green") || !json_says(switchd.text, "phase", "baking")) {
		fprintf(stderr, "react: round %d: traffic moved without a fault: %s\n", i, switchd.text);
		sum.wrongly++;
		return;
	}
	load_cmd("mark %s", struck);
	at = now_us();
	strike(fault);
	if (api(&switchd, "GET", NULL, "/v1/services/%s/deploys/%lld?wait=%dms", service, (long long)id, TIMELY_MS) != 200)
		die("deploy %lld: %d %s", (long long)id, switchd.status, switchd.text);
	if (!json_says(switchd.text, "outcome", "rolled-back")) {
		fprintf(stderr, "react: round %d (%s): not flipped back: %s\n", i, fault_names[fault], status());
		if (++sum.not_moved > 5)
			die("react: not flipped back for the sixth time");
		api(&switchd, "POST", "{\"message\":\"bench: not flipped back\"}", "/v1/services/%s/rollback", service);
	} else {
		sample(&sum.found, now_us() - at);
	}
	rest();
	/* What was in flight when the front moved has ended. */
	load_cmd("more 100");
	load_cmd("mark %s", over);
	judge(i, fault, begun, struck, over);
}

static void report(const char *path, int rounds)
{
	FILE *f = create(path);

	fprintf(f, "{\"label\":\"%s\",\"rounds\":%d,\"rollbacks\":%zu,\"wrongly_moved\":%d,\"not_moved\":%d,\"refused\":%d,\"rounds_unseen\":%d,", label, rounds,
		sum.exposed.n, sum.wrongly, sum.not_moved, sum.refused, sum.unseen);
	fprintf(f, "\"requests\":%lld,\"gets\":%lld,\"posts\":%lld,\"failed_gets\":%lld,\"cut_gets\":%lld,\"failed_posts\":%lld,\"failed_outside\":%lld,",
		(long long)sum.requests, (long long)sum.gets, (long long)sum.posts, (long long)sum.failed_gets, (long long)sum.cut_gets,
		(long long)sum.failed_posts, (long long)sum.outside);
	print_samples(f, "exposed_us", &sum.exposed);
	fputc(',', f);
	print_samples(f, "fault_to_last_bad_us", &sum.last_after);
	fputc(',', f);
	print_samples(f, "fault_to_decided_us", &sum.found);
	for (int k = 0; k < N_FAULTS; k++) {
		char name[32];

		snprintf(name, sizeof(name), "exposed_%s_us", fault_names[k]);
		fputc(',', f);
		print_samples(f, name, &sum.exposed_by[k]);
	}
	fprintf(f, "}\n");
	finish(f, path);
}

static void on_end(int sig)
{
	(void)sig;
	for (int i = 0; i < n_targets; i++)
		if (pids[i] > 0)
			kill(pids[i], SIGKILL);
	_exit(130);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "api", 1, NULL, 'a' }, { "service", 1, NULL, 's' }, { "load", 1, NULL, 'l' }, { "dir", 1, NULL, 'd' }, { "invoices", 1, NULL, 'i' },
		{ "ports", 1, NULL, 'p' }, { "rounds", 1, NULL, 'n' }, { "seed", 1, NULL, 'S' }, { "label", 1, NULL, 'L' }, { "shielded", 0, NULL, 'G' }, { "out", 1, NULL, 'o' }, { 0 }
	};
	const char *out = NULL;
	int rounds = 100, o;

	dice = 88172645463325252u;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'a': switchd.socket = optarg; break;
		case 's': service = optarg; break;
		case 'l': load = optarg; break;
		case 'd': dir = optarg; break;
		case 'i': invoices = optarg; break;
		case 'p':
			for (char *save, *p = strtok_r(optarg, ",", &save); p && n_targets < MAX_TARGETS; p = strtok_r(NULL, ",", &save))
				ports[n_targets++] = p;
			break;
		case 'n': rounds = (int)number("--rounds", optarg, 1, 1000); break;
		case 'S': dice ^= (uint64_t)number("--seed", optarg, 1, 1000000) * 2654435761u; break;
		case 'L': label = optarg; break;
		case 'G': shielded = true; break;
		case 'o': out = optarg; break;
		default: die("usage: react --api SOCK --load SOCK --dir SITE --invoices BIN --ports P,P --out FILE (see the head of react.c)");
		}
	if (!switchd.socket || !load || !dir || !invoices || !n_targets || !out)
		die("react: --api, --load, --dir, --invoices, --ports and --out are needed");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_end);
	signal(SIGINT, on_end);
	for (int i = 0; i < n_targets; i++)
		target_start(i, "r0");
	for (int i = 0; i < rounds; i++)
		one_round(i);
	report(out, rounds);
	targets_kill();
	return 0;
}
