/* SPDX-License-Identifier: MIT
 * proc.c - the processes that run all the time: DIR/procs has one a line, parted by tabs:
 * name, log file, command and its arguments.
 *
 * The driver is their parent, so that it learns how each one ended; one that ended without us having
 * ended it is told as such, and is a finding.  `leaving`: processes that gave their name away (HAProxy reloads). */
#include <signal.h>
#include <sys/wait.h>

#include "tests/chaos/driver/driver.h"

enum { MAX_PROCS = 64, MAX_ARGS = 48, MAX_LEAVING = 256 };
static struct proc procs[MAX_PROCS];
static size_t n_procs;
static struct { pid_t pid; char name[32]; } leaving[MAX_LEAVING];
static size_t n_leaving;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void procs_read(const char *path)
{
	static char line[8192];
	FILE *f = fopen(path, "r");

	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		char *save, *word = strtok_r(line, "\t\n", &save);
		struct proc *p = &procs[n_procs];
		size_t n = 0;

		if (!word)
			continue;
		if (n_procs == MAX_PROCS)
			die("%s: too many processes", path);
		snprintf(p->name, sizeof(p->name), "%s", word);
		p->log = need(strdup(need(strtok_r(NULL, "\t\n", &save))));
		p->argv = need(calloc(MAX_ARGS, sizeof(char *)));
		while ((word = strtok_r(NULL, "\t\n", &save)) && n < MAX_ARGS - 1)
			p->argv[n++] = need(strdup(word));
		n_procs++;
	}
	fclose(f);
}

static struct proc *find(const char *name)
{
	for (size_t i = 0; i < n_procs; i++)
		if (strcmp(procs[i].name, name) == 0)
			return &procs[i];
	return NULL;
}

bool proc_there(const char *name) { return find(name) != NULL; }

struct proc *proc_named(const char *fmt, ...)
{
	char name[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	struct proc *p = find(name);
	if (!p)
		die("no process %s", name);
	return p;
}

size_t procs_all(struct proc **out, size_t max)
{
	size_t n = 0;

	for (; n < n_procs && n < max; n++)
		out[n] = &procs[n];
	return n;
}

static void child(const struct proc *p, const char *release, const char *old)
{
	char *argv[MAX_ARGS];
	size_t n = 0;
	int fd = open(p->log, O_WRONLY | O_CREAT | O_APPEND, 0600), null = open("/dev/null", O_RDONLY);

	for (; p->argv[n]; n++)
		argv[n] = strcmp(p->argv[n], "{release}") == 0 && release ? (char *)release : p->argv[n];
	if (old) {              /* the old process, for HAProxy to take over from */
		argv[n++] = (char *)"-x";
		argv[n++] = (char *)strchr(old, ' ') + 1;
		argv[n++] = (char *)"-sf";
		static char pid[24];
		snprintf(pid, sizeof(pid), "%.*s", (int)(strchr(old, ' ') - old), old);
		argv[n++] = pid;
	}
	argv[n] = NULL;
	setsid();
	dup2(null, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	for (int i = 3; i < 256; i++)
		close(i);
	/* The driver's handlers are not the child's: what comes before its own are there must end it, not be swallowed. */
	signal(SIGPIPE, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	_exit(127);
}

bool proc_start_as(struct proc *p, const char *release, const char *old)
{
	pthread_mutex_lock(&lock);
	if (p->pid) {
		pthread_mutex_unlock(&lock);
		return true;
	}
	sigset_t all, was;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was); /* until the child has its own say: see there */
	pid_t pid = fork();
	if (pid == 0)
		child(p, release, old);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	if (pid > 0) {
		p->pid = pid;
		p->ours = p->stopped = false;
		p->since = now_us();
	}
	pthread_mutex_unlock(&lock);
	say("proc\tname=%s\twhat=started\tpid=%d", p->name, (int)pid);
	return pid > 0;
}

bool proc_start(struct proc *p) { return proc_start_as(p, NULL, NULL); }

void proc_signal(struct proc *p, int sig)
{
	pthread_mutex_lock(&lock);
	pid_t pid = p->pid;
	if (pid) {
		p->ours = p->ours || sig == SIGKILL || sig == SIGTERM || sig == SIGINT;
		if (sig == SIGSTOP)
			p->stopped = true;
		if (sig == SIGCONT)
			p->stopped = false;
		/* Told before it acts: what follows from it is never older than its line. */
		say("proc\tname=%s\twhat=%s\tpid=%d", p->name, sig == SIGKILL ? "kill" : sig == SIGTERM ? "term" : sig == SIGSTOP ? "stop" :
		    sig == SIGCONT ? "cont" : sig == SIGHUP ? "hup" : "signal", (int)pid);
		kill(pid, sig);
	}
	pthread_mutex_unlock(&lock);
}

static void tell_end(const char *name, pid_t pid, int status, bool ours)
{
	say("proc\tname=%s\twhat=ended\tpid=%d\t%s=%d\tours=%d", name, (int)pid, WIFEXITED(status) ? "exit" : "signal",
	    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), ours);
}

void procs_reap(void)
{
	int status;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n_procs; i++) {
		struct proc *p = &procs[i];

		if (!p->pid || waitpid(p->pid, &status, WNOHANG) != p->pid)
			continue;
		tell_end(p->name, p->pid, status, p->ours);
		p->status = status;
		p->pid = 0;
		p->stopped = false;
	}
	for (size_t i = 0; i < n_leaving; i++) {
		if (waitpid(leaving[i].pid, &status, WNOHANG) != leaving[i].pid)
			continue;
		tell_end(leaving[i].name, leaving[i].pid, status, true);
		leaving[i--] = leaving[--n_leaving];
	}
	pthread_mutex_unlock(&lock);
}

size_t procs_leaving(void)
{
	pthread_mutex_lock(&lock);
	size_t n = n_leaving;
	pthread_mutex_unlock(&lock);
	return n;
}

/* Whether this one is gone: another hand may have ended it at the same moment, and started the next already. */
static bool pid_gone(const struct proc *p, pid_t pid, long ms)
{
	int64_t deadline = now_us() + ms * 1000;

	for (;;) {
		procs_reap();
		pthread_mutex_lock(&lock);
		bool gone = p->pid == 0 || p->pid != pid;
		pthread_mutex_unlock(&lock);
		if (gone)
			return true;
		if (now_us() > deadline)
			return false;
		usleep(5000);
	}
}

/* Those that still drain go with it, as with a service's control group: else the next one may not find its address free. */
static bool left_gone(const struct proc *p, int sig)
{
	bool gone = true;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n_leaving; i++)
		if (strcmp(leaving[i].name, p->name) == 0) {
			gone = false;
			if (sig)
				kill(leaving[i].pid, sig);
		}
	pthread_mutex_unlock(&lock);
	return gone;
}

static void end_left(const struct proc *p)
{
	int64_t deadline = now_us() + 5000000;

	(void)left_gone(p, SIGKILL);
	while (!left_gone(p, 0) && now_us() < deadline) {
		procs_reap();
		usleep(5000);
	}
}

static pid_t pid_now(const struct proc *p)
{
	pthread_mutex_lock(&lock);
	pid_t pid = p->pid;
	pthread_mutex_unlock(&lock);
	return pid;
}

void proc_end(struct proc *p, int sig, long ms)
{
	end_left(p);
	pid_t pid = pid_now(p);
	proc_signal(p, SIGCONT);
	proc_signal(p, sig);
	if (pid_gone(p, pid, ms))
		return;
	say("proc\tname=%s\twhat=late\tpid=%d", p->name, (int)pid);
	proc_signal(p, SIGKILL);
	(void)pid_gone(p, pid, 5000);
}

void proc_leave(struct proc *p)
{
	pthread_mutex_lock(&lock);
	if (p->pid && n_leaving < MAX_LEAVING) {
		leaving[n_leaving].pid = p->pid;
		snprintf(leaving[n_leaving++].name, sizeof(leaving[0].name), "%.30s", p->name);
		p->pid = 0;
	}
	pthread_mutex_unlock(&lock);
}
