/* SPDX-License-Identifier: MIT
 * faults_proxy.c - the L rows: the admin socket lies, hangs or is gone, the disk of the map is full,
 * somebody else writes. */
#include <sys/stat.h>

#include "tests/chaos/driver/driver.h"

/* The relay between whoever drives the proxy and its stats socket. */
static bool relay(struct fault *f, const char *mode)
{
	snprintf(f->note, sizeof(f->note), "%s", mode);
	say("relay\tname=stats%d\tmode=%s", f->number, mode);
	if (talk_ok(site("stats%d_control", f->number), 1000, "%s", mode))
		return true;
	snprintf(f->note, sizeof(f->note), "the relay does not answer");
	return false;
}

static bool blackhole_begin(struct fault *f) { return relay(f, "blackhole"); }
static bool refuse_begin(struct fault *f) { return relay(f, "refuse"); }
static bool reset_begin(struct fault *f) { return relay(f, "reset"); }
static bool garbage_begin(struct fault *f) { return relay(f, "garbage"); }

static bool with_number(struct fault *f, const char *mode, long low, long high)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %ld", mode, low + (long)(f->dice % (uint64_t)(high - low + 1)));
	return relay(f, text);
}

static bool cut_begin(struct fault *f) { return with_number(f, "cut", 1, 400); }
static bool drip_begin(struct fault *f) { return with_number(f, "drip", 1, 200); }
static bool delay_begin(struct fault *f) { return with_number(f, "delay", 10, 400); }

static void ok_end(struct fault *f)
{
	(void)talk_ok(site("stats%d_control", f->number), 1000, "ok");
	say("relay\tname=stats%d\tmode=ok", f->number);
}

/* The map's file system: a tmpfs of its own, where one could be mounted. */
static bool full_begin(struct fault *f)
{
	char path[1024];

	if (!site_has("tmpfs")) {
		snprintf(f->note, sizeof(f->note), "no file system of its own could be mounted");
		return false;
	}
	snprintf(path, sizeof(path), "%s/full", site("maps%d", f->number));
	FILE *file = fopen(path, "w");
	if (!file) {
		snprintf(f->note, sizeof(f->note), "%s", strerror(errno));
		return false;
	}
	static const char zeros[4096];
	while (fwrite(zeros, sizeof(zeros), 1, file) == 1 && fflush(file) == 0)
		;
	fclose(file);
	return true;
}

static void full_end(struct fault *f)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/full", site("maps%d", f->number));
	unlink(path);
}

static bool remount(struct fault *f, const char *how)
{
	struct said s;
	char *argv[] = { (char *)"mount", (char *)"-o", (char *)how, (char *)site("maps%d", f->number), NULL };

	task(&s, 3000, argv);
	if (s.exit == 0)
		return true;
	snprintf(f->note, sizeof(f->note), "%.100s", s.out);
	return false;
}

static bool readonly_begin(struct fault *f)
{
	if (!site_has("tmpfs")) {
		snprintf(f->note, sizeof(f->note), "no file system of its own could be mounted");
		return false;
	}
	return remount(f, "remount,ro");
}

static void readonly_end(struct fault *f)
{
	/* Busy for a moment when a file is being written: it has to come back. */
	for (int i = 0; i < 50 && !remount(f, "remount,rw"); i++)
		usleep(100000);
}

/* A value of somebody else's.  Only while the other slot could serve too: what is tried is switchd, not the application.
 * Twice within a minute is a fight, and is left alone by design. */
static bool foreign_begin(struct fault *f)
{
	static int64_t last[8];
	char line[600], out[512];
	struct view v = eye_leader();

	if (now_us() - last[f->number] < 65000000 && last[f->number]) {
		snprintf(f->note, sizeof(f->note), "another one within a minute would be a fight");
		return false;
	}
	if (!v.there || strcmp(v.phase, "steady") != 0 || v.claimed || v.pinned || !v.whole[0] || !v.whole[1]) {
		snprintf(f->note, sizeof(f->note), "not a moment in which both slots could serve");
		return false;
	}
	last[f->number] = now_us();
	snprintf(line, sizeof(line), "set map %s %s %s:7.%d:plain\n", site("map%d", f->number), site("service"), other_slot(v.active), f->id);
	snprintf(f->note, sizeof(f->note), "%s:7.%d:plain", other_slot(v.active), f->id);
	say("foreign\tfront=%d\tvalue=%s", f->number, f->note);
	return talk(site("stats%d", f->number), line, out, sizeof(out), 1000);
}

enum { ALL = SINGLE | SENTINEL | FLEET };
const struct fault_kind faults_proxy[] = {
	{ "stats-blackhole", "L2", "proxy", 5, ALL, 200, 2500, blackhole_begin, ok_end },
	{ "stats-refuse", "L1", "proxy", 3, ALL, 200, 2500, refuse_begin, ok_end },
	{ "stats-reset", "L1", "proxy", 3, ALL, 100, 1500, reset_begin, ok_end },
	{ "stats-cut", "L3", "proxy", 4, ALL, 200, 2500, cut_begin, ok_end },
	{ "stats-drip", "L4", "proxy", 3, ALL, 200, 2500, drip_begin, ok_end },
	{ "stats-delay", "L4", "proxy", 4, ALL, 200, 3000, delay_begin, ok_end },
	{ "stats-garbage", "L5", "proxy", 3, ALL, 200, 2000, garbage_begin, ok_end },
	{ "map-disk-full", "L8", "proxy", 4, ALL, 300, 3000, full_begin, full_end },
	{ "map-read-only", "L8", "proxy", 3, ALL, 300, 3000, readonly_begin, readonly_end },
	{ "foreign-value", "L9", "proxy", 1, ALL, 1000, 1500, foreign_begin, NULL },
	{ 0 }
};
