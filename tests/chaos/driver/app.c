/* SPDX-License-Identifier: MIT
 * app.c - the two applications: filled with releases, broken on purpose, healed. */
#include "tests/chaos/driver/driver.h"

static char releases[2][80] = { "first-blue", "first-green" };

static char *release_of(const char *slot) { return releases[strcmp(slot, "green") == 0]; }
const char *app_release(const char *slot) { return release_of(slot); }

static bool target_start(const char *slot, int n)
{
	struct proc *p = proc_named("%s-%d", slot, n);

	if (!proc_start_as(p, release_of(slot), NULL))
		return false;
	/* Its control socket answers once it listens. */
	for (int64_t deadline = now_us() + 10000000; now_us() < deadline; usleep(5000)) {
		char out[4096];

		if (talk(site("%s%d_control", slot, n), "stats\n", out, sizeof(out), 500) && out[0] == '{')
			return true;
		procs_reap();
		if (!p->pid)
			return false;
	}
	return false;
}

bool app_fill(const char *slot, const char *release)
{
	snprintf(release_of(slot), sizeof(releases[0]), "%s", release);
	say("fill\tslot=%s\trelease=%s\twhat=begin", slot, release);
	bool ok = true;
	for (int i = 1; i <= rig.n_targets; i++) {
		proc_end(proc_named("%s-%d", slot, i), SIGTERM, 3000);
		ok = target_start(slot, i) && ok;
	}
	say("fill\tslot=%s\trelease=%s\twhat=end\tok=%d", slot, release, ok);
	return ok;
}

bool app_tell(const char *slot, int target, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	bool ok = true;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* A loss is told before it is in force, its end after: what it excuses lies between. */
	bool lose = strncmp(line, "lose ", 5) == 0;
	if (lose)
		say("app\tslot=%s\ttarget=%d\twhat=%s", slot, target, line);
	for (int i = 1; i <= rig.n_targets; i++)
		if (!target || target == i)
			ok = talk_ok(site("%s%d_control", slot, i), 1000, "%s", line) && ok;
	if (!lose)
		say("app\tslot=%s\ttarget=%d\twhat=%s\tok=%d", slot, target, line, ok);
	return ok;
}

void app_heal(void)
{
	static const char *const slots[] = { "blue", "green" };

	for (size_t s = 0; s < 2; s++)
		for (int i = 1; i <= rig.n_targets; i++) {
			struct proc *p = proc_named("%s-%d", slots[s], i);

			if (p->stopped)
				proc_signal(p, SIGCONT);
			procs_reap();
			if (!p->pid)
				(void)target_start(slots[s], i);
			else
				(void)app_tell(slots[s], i, "restore all");
		}
}
