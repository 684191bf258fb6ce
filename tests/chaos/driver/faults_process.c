/* SPDX-License-Identifier: MIT
 * faults_process.c - the P and H rows: controllers, agents and proxies are killed, frozen, starved. */
#include <sys/resource.h>

#include "tests/chaos/driver/driver.h"

static struct proc *member(const struct fault *f)
{
	return strcmp(f->kind->group, "agent") == 0 ? proc_named("agent-%d", f->number) : strcmp(f->kind->group, "proxy") == 0 ? proc_named("haproxy-%d", f->number) :
	       proc_named("switchd-%d", f->number);
}

static bool running(struct fault *f, const struct proc *p)
{
	if (p->pid && !p->stopped)
		return true;
	snprintf(f->note, sizeof(f->note), "%s is not running", p->name);
	return false;
}

static bool kill_begin(struct fault *f)
{
	struct proc *p = member(f);

	if (!running(f, p))
		return false;
	proc_end(p, SIGKILL, 5000);
	return true;
}

/* A clean stop may take what it takes (it gives its lease back), but it ends, and with 0. */
static bool term_begin(struct fault *f)
{
	struct proc *p = member(f);

	if (!running(f, p))
		return false;
	proc_end(p, SIGTERM, 15000);
	return true;
}

static void start_end(struct fault *f) { (void)proc_start(member(f)); }

static bool stop_begin(struct fault *f)
{
	struct proc *p = member(f);

	if (!running(f, p))
		return false;
	proc_signal(p, SIGSTOP);
	return true;
}

static void cont_end(struct fault *f) { proc_signal(member(f), SIGCONT); }

/* I9: nobody decides anything, and nothing changes. */
static void everybody(void (*fn)(struct proc *))
{
	for (int i = 1; i <= rig.n_controllers; i++)
		fn(proc_named("switchd-%d", i));
	for (int i = 1; i <= rig.n_agents; i++)
		fn(proc_named("agent-%d", i));
}

static void end_one(struct proc *p) { proc_end(p, SIGKILL, 5000); }
static void stop_one(struct proc *p) { proc_signal(p, SIGSTOP); }
static void cont_one(struct proc *p) { proc_signal(p, SIGCONT); }
static void start_one(struct proc *p) { (void)proc_start(p); }

static bool blackout_begin(struct fault *f)
{
	bool frozen = f->dice & 1;

	snprintf(f->note, sizeof(f->note), "%s", frozen ? "frozen" : "killed");
	everybody(frozen ? stop_one : end_one);
	return true;
}

static void blackout_end(struct fault *f)
{
	if (f->dice & 1)
		everybody(cont_one);
	everybody(start_one);
}

/* As a reload behind our back: the new process takes over the listening sockets, the old one drains. */
static void reload(struct proc *p, const char *socket)
{
	char old[300];

	snprintf(old, sizeof(old), "%d %s", (int)p->pid, socket);
	say("reload\tname=%s\twhat=begin\told=%d", p->name, (int)p->pid);
	proc_leave(p);
	(void)proc_start_as(p, NULL, old);
}

enum { RELOAD_YOUNG_US = 1500000 };

static bool reload_begin(struct fault *f)
{
	struct proc *p = member(f);

	if (!running(f, p))
		return false;
	/* One that was only just started has not told the one before it to go yet; ended now, nobody ever would. */
	while (now_us() - p->since < RELOAD_YOUNG_US)
		usleep(20000);
	if (!running(f, p))
		return false;
	reload(p, site("stats%d", f->number));
	return true;
}

static void reload_end(struct fault *f) { say("reload\tname=%s\twhat=end", member(f)->name); }

enum { YOUNG_US = 5000000 };

/* Few descriptors more than it has: connections and probes fail for want of one. */
static bool nofile_begin(struct fault *f)
{
	struct proc *p = member(f);
	struct rlimit was, now;
	char path[64];
	int open_fds = 0;

	if (!running(f, p))
		return false;
	if (now_us() - p->since < YOUNG_US) { /* one that cannot even start says so and ends: that is no finding */
		snprintf(f->note, sizeof(f->note), "only just started");
		return false;
	}
	if (prlimit(p->pid, RLIMIT_NOFILE, NULL, &was) < 0) {
		snprintf(f->note, sizeof(f->note), "prlimit: %s", strerror(errno));
		return false;
	}
	for (int i = 0; i < 1024; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)p->pid, i);
		if (readlink(path, (char[8]){ 0 }, 8) > 0)
			open_fds = i + 1;
	}
	now = was;
	now.rlim_cur = (rlim_t)open_fds + 1;
	if (prlimit(p->pid, RLIMIT_NOFILE, &now, NULL) < 0) {
		snprintf(f->note, sizeof(f->note), "prlimit: %s", strerror(errno));
		return false;
	}
	snprintf(f->keep, sizeof(f->keep), "%d %llu", (int)p->pid, (unsigned long long)was.rlim_cur);
	snprintf(f->note, sizeof(f->note), "%s: %d descriptors", p->name, open_fds + 1);
	return true;
}

static void nofile_end(struct fault *f)
{
	struct rlimit was;
	unsigned long long cur;
	int pid;

	if (sscanf(f->keep, "%d %llu", &pid, &cur) == 2 && prlimit(pid, RLIMIT_NOFILE, NULL, &was) == 0) {
		was.rlim_cur = (rlim_t)cur;
		(void)prlimit(pid, RLIMIT_NOFILE, &was, NULL);
	}
}

enum { ALL = SINGLE | SENTINEL | FLEET };
const struct fault_kind faults_process[] = {
	{ "kill-controller", "P1", "controller", 10, ALL, 0, 1500, kill_begin, start_end },
	{ "stop-controller", "P2/H2", "controller", 8, ALL, 200, 4000, stop_begin, cont_end },
	{ "term-controller", "P3", "controller", 5, ALL, 0, 1000, term_begin, start_end },
	{ "blackout", "I9", "", 3, ALL, 1000, 3000, blackout_begin, blackout_end },
	{ "nofile-controller", "H3", "controller", 3, ALL, 500, 2000, nofile_begin, nofile_end },
	{ "kill-agent", "P1", "agent", 8, FLEET, 0, 1500, kill_begin, start_end },
	{ "stop-agent", "P2", "agent", 6, FLEET, 200, 4000, stop_begin, cont_end },
	{ "term-agent", "P3", "agent", 3, FLEET, 0, 1000, term_begin, start_end },
	{ "nofile-agent", "H3", "agent", 3, FLEET, 500, 2000, nofile_begin, nofile_end },
	{ "kill-haproxy", "P4", "proxy", 5, ALL, 0, 800, kill_begin, start_end },
	{ "stop-haproxy", "P4", "proxy", 4, ALL, 200, 2500, stop_begin, cont_end },
	{ "restart-haproxy", "P6", "proxy", 3, ALL, 0, 300, term_begin, start_end },
	{ "reload-haproxy", "P6", "proxy", 8, ALL, 300, 600, reload_begin, reload_end },
	{ 0 }
};
