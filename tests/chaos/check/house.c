/* SPDX-License-Identifier: MIT
 * house.c - how the processes behaved: I4, I11, I12, I15, I18. */
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/chaos/check/check.h"

enum { AGREE_MS = 5000, YOUNG_US = 2000000 };

void check_settled(const struct run *r)
{
	struct finding *f = finding("I4");
	long longest = 0;

	for (size_t i = 0; i < r->n_lines; i++) {
		const struct line *l = &r->lines[i];

		if (strcmp(l->word, "settle") != 0)
			continue;
		long ms = (long)field_number(l, "after_ms");
		if (field_is(l, "what", "no-leader"))
			breach(f, "round %s: no controller leads, long after the last fault ended", field(l, "round"));
		if (field_is(l, "what", "differs"))
			breach(f, "round %s: record and data plane never came together: %s", field(l, "round"), field(l, "why"));
		if (!field_is(l, "what", "agreed"))
			continue;
		f->seen++;
		longest = ms > longest ? ms : longest;
		if (ms > AGREE_MS)
			breach(f, "round %s: record and data plane agreed after %ld ms", field(l, "round"), ms);
	}
	snprintf(f->note, sizeof(f->note), "quiet moments, the longest wait %ld ms", longest);
	if (!f->seen)
		breach(f, "there was no quiet moment");
}

/* ---- I11, I12 ---- */

static bool ours_to_judge(const char *name) { return strncmp(name, "switchd-", 8) == 0 || strncmp(name, "agent-", 6) == 0; }

/* How long it had run; a process that is asked to end before it can hear that ends as the kernel does it. */
static int64_t age(const struct run *r, const struct line *l)
{
	for (const struct line *x = l; x-- > r->lines;)
		if (strcmp(x->word, "proc") == 0 && field_is(x, "what", "started") && field_number(x, "pid") == field_number(l, "pid"))
			return l->at - x->at;
	return INT64_MAX;
}

static void judge_end(const struct run *r, const struct line *l)
{
	struct finding *f = finding("I12");
	const char *name = field(l, "name");
	int64_t exit = field_number(l, "exit"), sig = field_number(l, "signal");

	f->seen++;
	if (field_is(l, "ours", "0"))
		breach(f, "%s (%s) ended by itself at %lld: %s %lld", name, field(l, "pid"), (long long)l->at, exit >= 0 ? "exit" : "signal", (long long)(exit >= 0 ? exit : sig));
	else if (ours_to_judge(name) && (exit > 0 || (sig > 0 && sig != SIGKILL && !(sig == SIGTERM && age(r, l) < YOUNG_US))))
		breach(f, "%s (%s) at %lld: asked to end, it ended with %s %lld", name, field(l, "pid"), (long long)l->at, exit >= 0 ? "exit" : "signal", (long long)(exit >= 0 ? exit : sig));
}

/* A process that lived through it, beside one that was just started, both at rest. */
static void judge_census(const struct run *r)
{
	struct finding *f = finding("I11");
	const struct line *old[16] = { 0 };

	for (size_t i = 0; i < r->n_lines; i++) {
		const struct line *l = &r->lines[i];
		const char *name = field(l, "name");
		int k = (int)strtol(strchr(name, '-') ? strchr(name, '-') + 1 : "0", NULL, 10) + (name[0] == 'a' ? 8 : 0);

		if (strcmp(l->word, "census") != 0 || k < 0 || k > 15)
			continue;
		f->seen++;
		if (field_number(l, "children") > 0)
			breach(f, "%s has %s children at %lld", name, field(l, "children"), (long long)l->at);
		if (field_is(l, "when", "old"))
			old[k] = l;
		if (!field_is(l, "when", "fresh") || !old[k])
			continue;
		const struct line *o = old[k];
		int64_t fds = field_number(o, "fds"), threads = field_number(o, "threads"), rss = field_number(o, "rss_kb") - field_number(l, "rss_kb");
		/* Connections are kept: to each target and front one for each feature that was asked at once. */
		if (fds > field_number(l, "fds") + 48)
			breach(f, "%s had %lld descriptors when it had lived through it, a fresh one has %s", name, (long long)fds, field(l, "fds"));
		if (threads > field_number(l, "threads"))
			breach(f, "%s had %lld threads when it had lived through it, a fresh one has %s", name, (long long)threads, field(l, "threads"));
		if (rss > 64 * 1024)
			breach(f, "%s had %lld KiB more when it had lived through it than a fresh one", name, (long long)rss);
		snprintf(f->note, sizeof(f->note), "looks; at the end %s descriptors, %s threads, %s KiB, a fresh process %s, %s, %s", field(o, "fds"), field(o, "threads"), field(o, "rss_kb"),
			 field(l, "fds"), field(l, "threads"), field(l, "rss_kb"));
	}
}

/* fn(line) for each line of each log of a name that begins so. */
static void each_line(const struct run *r, const char *prefix, void (*fn)(const struct run *, const char *file, char *line))
{
	char dir[1100], path[1400];
	struct dirent *e;

	snprintf(dir, sizeof(dir), "%s/log", r->dir);
	DIR *d = opendir(dir);
	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		FILE *f = fopen(path, "r");
		char *line = NULL;
		size_t cap = 0;
		while (f && getline(&line, &cap, f) >= 0)
			fn(r, e->d_name, line);
		free(line);
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
}

static void sanitizer_line(const struct run *r, const char *file, char *line)
{
	static const char *const words[] = { "AddressSanitizer", "LeakSanitizer", "runtime error:", "must failed", ": must(" };

	(void)r;
	for (size_t i = 0; i < FAKE_LEN(words); i++)
		if (strstr(line, words[i])) {
			breach(finding("I12"), "log/%s: %.200s", file, line);
			return;
		}
}

void check_house(const struct run *r)
{
	struct finding *f = finding("I12");

	for (size_t i = 0; i < r->n_lines; i++)
		if (strcmp(r->lines[i].word, "proc") == 0 && field_is(&r->lines[i], "what", "ended"))
			judge_end(r, &r->lines[i]);
		else if (strcmp(r->lines[i].word, "proc") == 0 && field_is(&r->lines[i], "what", "late"))
			breach(f, "%s did not end in time at %lld", field(&r->lines[i], "name"), (long long)r->lines[i].at);
	each_line(r, "switchd-", sanitizer_line);
	each_line(r, "agent-", sanitizer_line);
	snprintf(f->note, sizeof(f->note), "processes ended");
	judge_census(r);
}

/* ---- I15 ---- */

static char canaries[8][80];
static size_t n_canaries;

static void canary_line(const struct run *r, const char *file, char *line)
{
	(void)r;
	finding("I15")->seen++;
	for (size_t i = 0; i < n_canaries; i++)
		if (strstr(line, canaries[i]))
			breach(finding("I15"), "log/%s holds the secret %.12s...: %.120s", file, canaries[i], line);
}

static void canary_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;

	while (f && getline(&line, &cap, f) >= 0) {
		finding("I15")->seen++;
		for (size_t i = 0; i < n_canaries; i++)
			if (strstr(line, canaries[i]))
				breach(finding("I15"), "%s holds the secret %.12s...", path, canaries[i]);
	}
	free(line);
	if (f)
		fclose(f);
}

static void canary_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[2048];
	struct stat st;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' && (!e->d_name[1] || e->d_name[1] == '.'))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (lstat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			canary_dir(path);
		else if (S_ISREG(st.st_mode))
			canary_file(path);
	}
	if (d)
		closedir(d);
}

/* Logs of all, answers of the API (the driver's log and the last words), command lines and environments (argv), state and archive. */
void check_secrets(const struct run *r)
{
	static const char *const logs[] = { "switchd-", "agent-", "driver", "last-", "argv", "haproxy-", "proxy-init", "maps-", "poll" };
	char text[512], path[1200], *save;

	if (!site_text(r, "canaries", text, sizeof(text)))
		breach(finding("I15"), "no secret was planted");
	for (char *w = strtok_r(text, " ", &save); w && n_canaries < 8; w = strtok_r(NULL, " ", &save))
		snprintf(canaries[n_canaries++], sizeof(canaries[0]), "%s", w);
	for (size_t i = 0; i < FAKE_LEN(logs); i++)
		each_line(r, logs[i], canary_line);
	for (int i = 1; i <= 8; i++) {
		snprintf(path, sizeof(path), "%s/state%d", r->dir, i);
		canary_dir(path);
		snprintf(path, sizeof(path), "%s/agent%d", r->dir, i);
		canary_dir(path);
	}
	snprintf(finding("I15")->note, sizeof(finding("I15")->note), "lines looked at for %zu planted secrets", n_canaries);
}

/* ---- I18 ---- */

static bool word_of(const char *line, const char *key, char *out, size_t size)
{
	char with[32];

	snprintf(with, sizeof(with), " %s=", key);
	const char *p = strstr(line, with);
	if (!p)
		return false;
	p += strlen(with);
	snprintf(out, size, "%.*s", (int)strcspn(p, " \n"), p);
	return true;
}

/* "2026-11-29T10:31:03.569Z", on the clock of the logs. */
static int64_t time_of(const struct run *r, const char *line)
{
	struct tm t = { 0 };
	int ms = 0;

	if (sscanf(line, "%d-%d-%dT%d:%d:%d.%dZ", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour, &t.tm_min, &t.tm_sec, &ms) != 7)
		return -1;
	t.tm_year -= 1900;
	t.tm_mon--;
	return (int64_t)timegm(&t) * 1000000 + ms * 1000 - r->wall_minus_mono;
}

static void outcome_line(const struct run *r, const char *file, char *line)
{
	static const char *const features[] = { "home", "/", "quotes", "/api/quotes", "expenses", "/expenses", "invoices", "/api/invoices", "customers", "/api/customers",
						"reports", "/api/reports" };
	struct finding *f = finding("I18");
	char slot[16], feature[32], outcome[32] = "";
	const char *path = "";

	if (!strstr(line, " probe ") || !strstr(line, " to=absent ") || !word_of(line, "slot", slot, sizeof(slot)) || !word_of(line, "feature", feature, sizeof(feature)))
		return;
	(void)word_of(line, "outcome", outcome, sizeof(outcome));
	/* What a release calls itself is no transport. */
	if (strcmp(feature, "identity") == 0)
		return;
	f->seen++;
	for (size_t i = 0; i < FAKE_LEN(features); i += 2)
		if (strcmp(features[i], feature) == 0)
			path = features[i + 1];
	int64_t at = time_of(r, line);
	for (size_t i = 0; i < broken.n; i++) {
		const struct span *s = &broken.s[i];

		/* With a good answer it is an earlier verdict that comes back (a reload, a new leader): not calm yet since that loss. */
		if (strcmp(outcome, "present") == 0 && s->slot == slot_of(slot) && s->from <= at && strcmp(s->path, path) == 0)
			return;
		/* A probe that was under way when the feature came back ends within its second; its verdict takes the next one. */
		if (s->slot != slot_of(slot) || at < s->from - 1000 || at > (s->to == INT64_MAX ? INT64_MAX : s->to + 2500000))
			continue;
		if (strcmp(s->path, path) == 0)
			return;
		/* A target that is killed in the middle of an answer cuts it off: complete enough to be absent (B1.1). */
		if (strcmp(s->name, "dead") == 0 && (strcmp(outcome, "body-cut") == 0))
			return;
	}
	breach(f, "log/%s: %s on %s was called absent (%s) at %lld, and the application had not lost it", file, feature, slot, outcome, (long long)at);
}

void check_outcomes(const struct run *r)
{
	each_line(r, "switchd-", outcome_line);
	snprintf(finding("I18")->note, sizeof(finding("I18")->note), "verdicts of absence, each with a loss behind it");
}
