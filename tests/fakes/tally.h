/* SPDX-License-Identifier: MIT
 * tally.h - what load.c remembers of each request, and what it says of a span of them.
 *
 * Part of load.c (included once).  Every request that ended is one record, in the order of the ends; a
 * span lies between two marks.  Nothing is averaged away: percentiles are of all records of the span. */
#ifndef TESTS_FAKES_TALLY_H
#define TESTS_FAKES_TALLY_H

#include "tests/fakes/fake.h"

enum { MAX_PATHS = 64, MAX_TAGS = 200, MAX_MARKS = 4096 };
enum kind { OK, BAD_STATUS, CUT, REFUSED, RESET, CLOSED, STALE, TIMEOUT, PROTOCOL, N_KINDS };
static const char *const kind_names[] = { "ok", "status", "cut", "refused", "reset", "closed", "stale", "timeout", "protocol" };
enum method { GET, POST, HEAD };
static const char *const method_names[] = { "GET", "POST", "HEAD" };

struct path { const char *path; enum method method; int expect; char *text; size_t len; };
struct record { int64_t start, end; uint16_t status; uint8_t path, kind, tag; };
struct mark { char name[64]; int64_t at; };

static struct path paths[MAX_PATHS];
static int n_paths;
static char tags[MAX_TAGS][64] = { "none" };
static int n_tags = 1;
static struct mark marks[MAX_MARKS];
static int n_marks;
static struct record *records;
static size_t n_records, cap_records;
static long max_records = 8000000;
static bool records_full;
/* What the client itself could not keep up with: said, because then something else was measured. */
static uint64_t idle_closed, late, skipped;
static long in_flight;
static FILE *log_file;

static void remember(int64_t start, int64_t end, int path, enum kind kind, int status, int tag)
{
	if (n_records == cap_records) {
		if (cap_records >= (size_t)max_records) {
			records_full = true;
			return;
		}
		cap_records = cap_records ? cap_records * 2 : 4096;
		records = need(realloc(records, cap_records * sizeof(*records)));
	}
	records[n_records++] = (struct record){ .start = start, .end = end, .status = (uint16_t)status,
						.path = (uint8_t)path, .kind = (uint8_t)kind, .tag = (uint8_t)tag };
	if (log_file)
		fprintf(log_file, "%lld\t%lld\t%s\t%s\t%s\t%d\t%s\n", (long long)start, (long long)end, method_names[paths[path].method],
			paths[path].path, kind_names[kind], status, tags[tag]);
}

static int tag_index(const char *s, size_t n)
{
	if (n == 0 || n >= sizeof(tags[0]))
		return 0;
	for (int i = 0; i < n_tags; i++)
		if (strlen(tags[i]) == n && memcmp(tags[i], s, n) == 0)
			return i;
	if (n_tags == MAX_TAGS)
		return 0;
	for (size_t i = 0; i < n; i++)
		tags[n_tags][i] = (s[i] < 0x20 || s[i] == '"' || s[i] == '\\' || s[i] == 0x7f) ? '?' : s[i];
	return n_tags++;
}

static const struct mark *mark_named(const char *name)
{
	for (int i = n_marks - 1; i >= 0; i--)
		if (strcmp(marks[i].name, name) == 0)
			return &marks[i];
	return NULL;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

struct text { char *s; size_t n, cap; };

FAKE_PRINTF(2, 3)
static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (t->n + (size_t)n + 1 > t->cap) {
		t->cap = (t->n + (size_t)n + 1) * 2;
		t->s = need(realloc(t->s, t->cap));
	}
	va_start(ap, fmt);
	vsnprintf(t->s + t->n, t->cap - t->n, fmt, ap);
	va_end(ap);
	t->n += (size_t)n;
}

/* Names of kinds with the status in it, counted: {"status-404":3,"cut":1}. */
static void add_kinds(struct text *t, const char *name, const struct record *r, size_t n, int method)
{
	static uint32_t status[1000];
	uint32_t kinds[N_KINDS] = { 0 };
	const char *comma = "";

	memset(status, 0, sizeof(status));
	for (size_t i = 0; i < n; i++) {
		if ((paths[r[i].path].method == POST) != (method == POST))
			continue;
		kinds[r[i].kind]++;
		if (r[i].kind == BAD_STATUS)
			status[r[i].status % 1000]++;
	}
	add(t, ",\"%s\":{", name);
	for (int k = CUT; k < N_KINDS; k++)
		if (kinds[k]) {
			add(t, "%s\"%s\":%u", comma, kind_names[k], kinds[k]);
			comma = ",";
		}
	for (int s = 0; s < 1000; s++)
		if (status[s]) {
			add(t, "%s\"status-%d\":%u", comma, s, status[s]);
			comma = ",";
		}
	add(t, "}");
}

static void add_tags(struct text *t, const char *name, const struct record *r, size_t n, int64_t not_before)
{
	uint32_t count[MAX_TAGS] = { 0 };
	const char *comma = "";

	for (size_t i = 0; i < n; i++)
		count[r[i].tag] += r[i].start >= not_before;
	add(t, ",\"%s\":{", name);
	for (int i = 0; i < n_tags; i++)
		if (count[i]) {
			add(t, "%s\"%s\":%u", comma, tags[i], count[i]);
			comma = ",";
		}
	add(t, "}");
}

static void add_failed_paths(struct text *t, const struct record *r, size_t n)
{
	uint32_t count[MAX_PATHS] = { 0 };
	const char *comma = "";

	for (size_t i = 0; i < n; i++)
		count[r[i].path] += r[i].kind != OK;
	add(t, ",\"failed_paths\":{");
	for (int i = 0; i < n_paths; i++)
		if (count[i]) {
			add(t, "%s\"%s %s\":%u", comma, method_names[paths[i].method], paths[i].path, count[i]);
			comma = ",";
		}
	add(t, "}");
}

static void add_times(struct text *t, const struct record *r, size_t n)
{
	int64_t *us = need(malloc((n + 1) * sizeof(*us)));
	size_t good = 0;

	for (size_t i = 0; i < n; i++)
		if (r[i].kind == OK)
			us[good++] = r[i].end - r[i].start;
	qsort(us, good, sizeof(*us), by_time);
	/* Nearest rank: the least value that at least p of all do not exceed. */
#define RANK(p) (good ? us[((size_t)((double)good * (p)) < good ? (size_t)((double)good * (p)) : good - 1)] : -1)
	add(t, ",\"p50_us\":%lld,\"p90_us\":%lld,\"p99_us\":%lld,\"p999_us\":%lld,\"max_us\":%lld", (long long)RANK(0.50), (long long)RANK(0.90),
	    (long long)RANK(0.99), (long long)RANK(0.999), (long long)(good ? us[good - 1] : -1));
	free(us);
}

/* One JSON line about the requests that ended in [from, to). */
static void stats(struct text *t, const char *name, int64_t from, int64_t until)
{
	size_t a = 0, n = 0;
	uint32_t gets = 0, posts = 0, failed_gets = 0, failed_posts = 0, failed_conns = 0;
	int64_t first_bad = -1, last_bad = -1, wall_minus_mono = wall_us() - now_us();

	/* Records stand in the order of their ends. */
	while (a < n_records && records[a].end < from)
		a++;
	while (a + n < n_records && records[a + n].end < until)
		n++;
	const struct record *r = records + a;
	for (size_t i = 0; i < n; i++) {
		bool post = paths[r[i].path].method == POST, bad = r[i].kind != OK;

		posts += post;
		gets += !post;
		failed_posts += bad && post;
		failed_gets += bad && !post;
		failed_conns += bad && r[i].kind != BAD_STATUS;
		if (bad) {
			first_bad = first_bad < 0 ? r[i].end : first_bad;
			last_bad = r[i].end;
		}
	}
	int64_t span = (until == INT64_MAX ? now_us() : until) - from;
	add(t, "{\"since\":\"%s\",\"from_us\":%lld,\"seconds\":%.3f,\"requests\":%zu,\"rate\":%.1f,\"gets\":%u,\"posts\":%u,\"failed\":%u,\"failed_gets\":%u,"
	    "\"failed_posts\":%u,\"failed_connections\":%u", name, (long long)from, (double)span / 1e6, n, span > 0 ? (double)n * 1e6 / (double)span : 0.0,
	    gets, posts, failed_gets + failed_posts, failed_gets, failed_posts, failed_conns);
	add(t, ",\"first_bad_us\":%lld,\"last_bad_us\":%lld,\"first_bad_after_us\":%lld,\"last_bad_after_us\":%lld,\"exposed_us\":%lld,\"first_bad_wall_ms\":%lld,\"last_bad_wall_ms\":%lld",
	    (long long)first_bad, (long long)last_bad, (long long)(first_bad < 0 ? -1 : first_bad - from), (long long)(last_bad < 0 ? -1 : last_bad - from),
	    (long long)(first_bad < 0 ? 0 : last_bad - first_bad), (long long)(first_bad < 0 ? -1 : (first_bad + wall_minus_mono) / 1000),
	    (long long)(last_bad < 0 ? -1 : (last_bad + wall_minus_mono) / 1000));
	add_kinds(t, "get_kinds", r, n, GET);
	add_kinds(t, "post_kinds", r, n, POST);
	add_failed_paths(t, r, n);
	add_tags(t, "by", r, n, 0);
	add_tags(t, "by_begun", r, n, from);
	add_times(t, r, n);
	add(t, ",\"in_flight\":%ld,\"idle_closed\":%llu,\"late\":%llu,\"skipped\":%llu,\"records_full\":%s}\n", in_flight, (unsigned long long)idle_closed,
	    (unsigned long long)late, (unsigned long long)skipped, records_full ? "true" : "false");
}

#endif
