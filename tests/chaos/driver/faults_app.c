/* SPDX-License-Identifier: MIT
 * faults_app.c - the T rows that need no hand beside them: a target dies or freezes, both slots lose a feature. */
#include "tests/chaos/driver/driver.h"

static const char *slot_of(const struct fault *f) { return f->number == 2 ? "green" : "blue"; }
static struct proc *target_of(const struct fault *f) { return proc_named("%s-%d", slot_of(f), 1 + (int)(f->dice % (uint64_t)rig.n_targets)); }

static bool kill_begin(struct fault *f)
{
	struct proc *p = target_of(f);

	snprintf(f->note, sizeof(f->note), "%s", p->name);
	if (!p->pid) {
		snprintf(f->note, sizeof(f->note), "%s is not running", p->name);
		return false;
	}
	proc_end(p, SIGKILL, 3000);
	return true;
}

static void kill_end(struct fault *f)
{
	(void)proc_start_as(target_of(f), app_release(slot_of(f)), NULL);
}

static bool stop_begin(struct fault *f)
{
	struct proc *p = target_of(f);

	snprintf(f->note, sizeof(f->note), "%s", p->name);
	if (!p->pid || p->stopped) {
		snprintf(f->note, sizeof(f->note), "%s is not running", p->name);
		return false;
	}
	proc_signal(p, SIGSTOP);
	return true;
}

static void stop_end(struct fault *f) { proc_signal(target_of(f), SIGCONT); }

static const char *feature_of(const struct fault *f)
{
	static const char *const features[] = { "quotes", "expenses", "invoices", "customers", "reports" };

	return features[f->dice % FAKE_LEN(features)];
}

static const char *how_of(const struct fault *f)
{
	static const char *const hows[] = { "404", "500", "503" };

	return hows[(f->dice >> 8) % FAKE_LEN(hows)];
}

/* T25: nothing is better anywhere, so traffic stays. */
static bool both_begin(struct fault *f)
{
	snprintf(f->note, sizeof(f->note), "%s %s", feature_of(f), how_of(f));
	return app_tell("blue", 0, "lose %s %s", feature_of(f), how_of(f)) & app_tell("green", 0, "lose %s %s", feature_of(f), how_of(f));
}

static void both_end(struct fault *f)
{
	(void)app_tell("blue", 0, "restore %s", feature_of(f));
	(void)app_tell("green", 0, "restore %s", feature_of(f));
}

enum { ALL = SINGLE | SENTINEL | FLEET };
const struct fault_kind faults_app[] = {
	{ "kill-target", "P7", "slot", 3, ALL, 0, 1500, kill_begin, kill_end },
	{ "stop-target", "T4", "slot", 2, ALL, 200, 1500, stop_begin, stop_end },
	{ "lose-both", "T25", "slot", 2, ALL, 300, 1500, both_begin, both_end },
	{ 0 }
};
