/* SPDX-License-Identifier: MIT
 * nest.c - runs a command and leaves nothing of it behind.
 *
 *   nest [-s] [-t SECONDS] [-r DIR] COMMAND...
 *
 * Becomes the reaper of everything the command starts, so that also what went into the background,
 * or lost its parent to a kill -9, is found when the command ends: TERM, then KILL after 5 s.
 *   -s          strict: something left over is a failure (exit 99) and is named
 *   -t SECONDS  the command has this long, then it and all its children are ended (exit 98)
 *   -r DIR      is removed at the end
 * Signals: INT goes to the whole terminal group anyway and is ignored here; TERM and HUP are passed on. */
#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/fakes/fake.h"

enum { MAX_PIDS = 4096, GRACE_MS = 5000 };
static pid_t child;

static void pass_on(int sig) { kill(child, sig); }

struct proc { pid_t pid, ppid; char state, name[32]; };

static size_t processes(struct proc *out)
{
	DIR *d = opendir("/proc");
	size_t n = 0;
	struct dirent *e;

	if (!d)
		return 0;
	while ((e = readdir(d)) && n < MAX_PIDS) {
		char path[300], text[512];

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		FILE *f = fopen(path, "r");
		if (!f)
			continue;
		size_t len = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[len] = '\0';
		/* The name stands in brackets and may hold any byte, brackets too: the last one counts. */
		char *a = strchr(text, '('), *b = strrchr(text, ')');
		struct proc *p = &out[n];
		int pid, ppid;
		if (!a || !b || sscanf(text, "%d", &pid) != 1 || sscanf(b + 1, " %c %d", &p->state, &ppid) != 2)
			continue;
		p->pid = pid;
		p->ppid = ppid;
		snprintf(p->name, sizeof(p->name), "%.*s", (int)(b - a - 1), a + 1);
		n++;
	}
	closedir(d);
	return n;
}

/* Signals every descendant; with say, names them. Returns how many there are. */
static int descendants(int sig, bool say)
{
	static struct proc all[MAX_PIDS];
	static bool ours[MAX_PIDS];
	size_t n = processes(all);
	int count = 0;
	bool more = true;

	memset(ours, 0, sizeof(ours));
	while (more) {
		more = false;
		for (size_t i = 0; i < n; i++) {
			bool is = all[i].ppid == getpid();

			for (size_t k = 0; k < n && !is && !ours[i]; k++)
				is = ours[k] && all[k].pid == all[i].ppid;
			if (is && !ours[i])
				ours[i] = more = true;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (!ours[i] || all[i].state == 'Z')
			continue;
		count++;
		if (say)
			fprintf(stderr, "nest: left over: %d %s\n", (int)all[i].pid, all[i].name);
		if (sig)
			kill(all[i].pid, sig);
	}
	return count;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Ends what is left; true when there was something. */
static bool clean(bool strict)
{
	bool any = descendants(0, strict) > 0;
	int64_t begin = now_us();
	int sig = SIGTERM;

	while (descendants(sig, false) > 0) {
		usleep(20000);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		sig = now_us() - begin > GRACE_MS * 1000 ? SIGKILL : 0;
		if (now_us() - begin > 2 * GRACE_MS * 1000)
			break;
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return any;
}

int main(int argc, char **argv)
{
	bool strict = false, late = false;
	long seconds = 0;
	const char *dir = NULL;
	int o, status = 0;

	while ((o = getopt(argc, argv, "+st:r:")) != -1)
		switch (o) {
		case 's': strict = true; break;
		case 't': seconds = number("-t", optarg, 1, 86400); break;
		case 'r': dir = optarg; break;
		default: die("usage: nest [-s] [-t SECONDS] [-r DIR] COMMAND...");
		}
	if (optind == argc)
		die("nest: no command");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) < 0)
		die("nest: prctl: %s", strerror(errno));
	signal(SIGINT, SIG_IGN);
	pid_t me = getpid();
	child = fork();
	if (child < 0)
		die("fork: %s", strerror(errno));
	if (child == 0) {
		signal(SIGINT, SIG_DFL);
		/* Should this process be killed outright, the command at least gets to its own cleaning. */
		prctl(PR_SET_PDEATHSIG, (long)SIGTERM, 0L, 0L, 0L);
		if (getppid() != me)
			_exit(126);
		execvp(argv[optind], argv + optind);
		fprintf(stderr, "nest: %s: %s\n", argv[optind], strerror(errno));
		_exit(127);
	}
	signal(SIGTERM, pass_on);
	signal(SIGHUP, pass_on);
	int64_t begin = now_us();
	for (;;) {
		pid_t p = waitpid(-1, &status, seconds ? WNOHANG : 0);

		if (p == child)
			break;
		if (p < 0 && errno == ECHILD)
			break;
		if (p == 0)
			usleep(10000);
		if (seconds && now_us() - begin > (int64_t)seconds * 1000000) {
			fprintf(stderr, "nest: %s: not done after %ld s, ended\n", argv[optind], seconds);
			late = true;
			break;
		}
	}
	bool left = clean(strict && !late);
	if (dir)
		nftw(dir, remove_one, 32, FTW_DEPTH | FTW_PHYS);
	if (late)
		return 98;
	int rc = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return rc == 0 && strict && left ? 99 : rc;
}
