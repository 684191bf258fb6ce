/* SPDX-License-Identifier: MIT
 * settle.c - between rounds: everything is healed, and record and data plane must agree (I4).
 *
 * The five seconds count from the last fault's end, or from when a controller leads again if that is
 * later.  It is told how long it took; the checker judges. */
#include <dirent.h>

#include "tests/chaos/driver/driver.h"

enum { LEAD_MS = 30000, AGREE_MS = 20000 };

/* Every process runs.  One that ended by itself is started again: the checker has its line, the run goes on. */
static void all_running(void)
{
	struct proc *all[64];
	size_t n = procs_all(all, 64);

	procs_reap();
	for (size_t i = 0; i < n; i++) {
		bool app = strncmp(all[i]->name, "blue-", 5) == 0 || strncmp(all[i]->name, "green-", 6) == 0;

		if (all[i]->stopped)
			proc_signal(all[i], SIGCONT);
		if (!all[i]->pid && !app)
			(void)proc_start(all[i]);
	}
}

bool settle(long round)
{
	char why[256] = "";
	int64_t lead = 0, agreed = 0;

	all_running();
	app_heal();
	redis_heal();
	int64_t begin = now_us();
	say("settle\tround=%ld\twhat=begin", round);
	while (now_us() - begin < LEAD_MS * 1000LL && !lead) {
		procs_reap();
		if (eye_leader().there)
			lead = now_us();
		else
			usleep(30000);
	}
	say("settle\tround=%ld\twhat=%s", round, lead ? "leader" : "no-leader");
	int64_t since = lead ? lead : now_us();
	while (now_us() - since < AGREE_MS * 1000LL && !agreed && now_us() - begin < 2 * LEAD_MS * 1000LL) {
		procs_reap();
		struct view v = eye_leader();
		if (v.bad) {
			/* Nothing comes together over a value that is refused: the time counts from its repair. */
			(void)hands_repair(&v);
			since = now_us();
		}
		if (eye_agree(why, sizeof(why)))
			agreed = now_us();
		else
			usleep(30000);
	}
	say("settle\tround=%ld\twhat=%s\tafter_ms=%lld\twhy=%s", round, agreed ? "agreed" : "differs", (long long)(agreed ? (agreed - since) / 1000 : -1), agreed ? "" : why);
	return agreed != 0;
}

static int count_dir(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;
	struct dirent *e;

	if (!d)
		return -1;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int children_of(pid_t pid)
{
	char path[64], text[256];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return -1;
	if (fgets(text, sizeof(text), f))
		for (char *p = text; *p; p++)
			n += *p == ' ';
	fclose(f);
	return n;
}

static long rss_of(pid_t pid)
{
	char path[64];
	long size = 0, rss = 0;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return -1;
	if (fscanf(f, "%ld %ld", &size, &rss) != 2)
		rss = -1;
	fclose(f);
	return rss < 0 ? -1 : rss * (sysconf(_SC_PAGESIZE) / 1024);
}

/* What anybody on this host may read of a process: its command line and its environment (I15). */
static void keep_words(pid_t pid)
{
	static const char *const files[] = { "cmdline", "environ" };
	char path[1200], text[16384];

	snprintf(path, sizeof(path), "%s/log/argv", rig.dir);
	FILE *out = fopen(path, "a");
	for (size_t i = 0; out && i < FAKE_LEN(files); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, files[i]);
		FILE *f = fopen(path, "r");
		size_t n = f ? fread(text, 1, sizeof(text), f) : 0;

		for (size_t k = 0; k < n; k++)
			fputc(text[k] ? text[k] : '\n', out);
		if (f)
			fclose(f);
	}
	if (out)
		fclose(out);
}

/* What its descriptors are, when one wants to know why there are so many: log/fds-NAME-WHEN. */
static void keep_descriptors(const struct proc *p, const char *when)
{
	char path[1200], link[300], line[512];
	FILE *tcp, *out;

	snprintf(path, sizeof(path), "%s/log/fds-%s-%s", rig.dir, p->name, when);
	out = fopen(path, "w");
	if (!out)
		return;
	for (int fd = 0; fd < 1024; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)p->pid, fd);
		ssize_t n = readlink(path, link, sizeof(link) - 1);
		unsigned long inode;

		if (n < 0)
			continue;
		link[n] = '\0';
		fprintf(out, "%d\t%s", fd, link);
		tcp = sscanf(link, "socket:[%lu]", &inode) == 1 ? fopen("/proc/net/tcp", "r") : NULL;
		while (tcp && fgets(line, sizeof(line), tcp)) {
			unsigned long there;
			unsigned from, to, state;

			if (sscanf(line, " %*d: %*[0-9A-F]:%X %*[0-9A-F]:%X %X %*s %*s %*s %*d %*d %lu", &from, &to, &state, &there) == 4 && there == inode)
				fprintf(out, "\t%u -> %u state %u", from, to, state);
		}
		if (tcp)
			fclose(tcp);
		fputc('\n', out);
	}
	fclose(out);
}

void census(const char *when)
{
	struct proc *all[64];
	size_t n = procs_all(all, 64);

	for (size_t i = 0; i < n; i++) {
		char path[64];

		if ((strncmp(all[i]->name, "switchd-", 8) != 0 && strncmp(all[i]->name, "agent-", 6) != 0) || !all[i]->pid)
			continue;
		keep_words(all[i]->pid);
		if (strcmp(when, "old") == 0 || strcmp(when, "fresh") == 0)
			keep_descriptors(all[i], when);
		snprintf(path, sizeof(path), "/proc/%d/fd", (int)all[i]->pid);
		int fds = count_dir(path);
		snprintf(path, sizeof(path), "/proc/%d/task", (int)all[i]->pid);
		say("census\twhen=%s\tname=%s\tpid=%d\tage_ms=%lld\tfds=%d\tthreads=%d\tchildren=%d\trss_kb=%ld", when, all[i]->name, (int)all[i]->pid,
		    (long long)(now_us() - all[i]->since) / 1000, fds, count_dir(path), children_of(all[i]->pid), rss_of(all[i]->pid));
	}
}
