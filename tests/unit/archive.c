/* SPDX-License-Identifier: MIT
 * archive.c - what is said to be durable is there once, in order and whole: over torn tails, full disks, days and bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchd/base/log.h"
#include "switchd/store/archive_file.h"

static char dir[64], top[48];
static struct ev_loop *loop;
static struct archive *a;

#define BIG (INT64_C(1) << 30)
#define DAY (INT64_C(24) * 3600 * 1000)

static int up(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/switchd-archive.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(dir, sizeof(dir), "%s/a", top);
	loop = ev_loop_new(0);
	a = archive_open(loop, dir, 90 * DAY, BIG);
	return 0;
}

static int down(void **state)
{
	char cmd[128];

	(void)state;
	archive_close(&a);
	ev_loop_destroy(loop);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", top);
	return system(cmd);
}

/* ---- one question at a time ---- */

struct said { bool done, ok; char id[44]; char *json; };

static void turn(struct said *s)
{
	mono_us until = mono_plus_ms(mono_now(), 20000);

	while (!s->done && mono_now().us < until.us)
		ev_run(loop, EVRUN_ONCE);
	assert_true(s->done);
}

static void on_done(void *arg, bool durable)
{
	struct said *s = arg;

	s->done = true;
	s->ok = durable;
}

static bool add(const char *lines, size_t n)
{
	struct said s = { 0 };

	archive_add(a, lines, n, on_done, &s);
	assert_false(s.done);
	turn(&s);
	return s.ok;
}

static void on_last(void *arg, bool ok, const char *id)
{
	struct said *s = arg;

	s->done = true;
	s->ok = ok;
	TEXT_COPY(s->id, id);
}

static const char *last(void)
{
	static struct said s;

	s = (struct said){ 0 };
	archive_last(a, on_last, &s);
	turn(&s);
	return s.ok ? s.id : "?";
}

static void on_read(void *arg, bool complete, const char *json)
{
	struct said *s = arg;

	s->done = true;
	s->ok = complete;
	s->json = xstrdup(json);
}

static size_t count(const char *service, int64_t from, int64_t until, size_t max, const char *first)
{
	struct archive_query q = { .service = service, .from = { from }, .until = { until }, .max = max };
	struct said s = { 0 };
	size_t n = 0;

	archive_read(a, &q, on_read, &s);
	turn(&s);
	assert_true(s.ok);
	for (const char *p = s.json; (p = strstr(p, "\"kind\"")); p++)
		n++;
	if (first && !text_starts(s.json, first))
		fail_msg("want %s..., got %.80s", first, s.json);
	free(s.json);
	return n;
}

static void today(char path[128])
{
	char day[DAY_NAME];

	archive_day_name(wall_now(), day);
	snprintf(path, 128, "%s/%s", dir, day);
}

static void write_file(const char *name, const char *text, const char *mode)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, mode);
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* ---- tests ---- */

static void the_last_id_is_where_it_goes_on(void **state)
{
	(void)state;
	assert_string_equal(last(), ""); /* no directory yet: nothing was ever written */
	assert_true(add("{\"id\":\"7-1\",\"kind\":\"a\"}\n{\"id\":\"7-2\",\"kind\":\"b\"}\n", 2));
	assert_string_equal(last(), "7-2");
	assert_true(add("{\"kind\":\"ledger.verdict\",\"after\":\"7-2\"}\n", 1)); /* no event: not it */
	assert_true(add("{\"id\":\"local-3\",\"kind\":\"front.down\"}\n", 1));
	assert_string_equal(last(), "7-2");
	write_file("2001-01-01.jsonl", "{\"id\":\"1-1\",\"kind\":\"old\"}\n", "w");
	write_file("notes.txt", "{\"id\":\"99-1\",\"kind\":\"none of ours\"}\n", "w");
	assert_string_equal(last(), "7-2");
	/* A day without any event: the day before it has the last one. */
	write_file("2999-01-01.jsonl", "{\"kind\":\"ledger.verdict\"}\nno json\n", "w");
	assert_string_equal(last(), "7-2");
}

static void a_torn_line_is_cut_before_anything_follows_it(void **state)
{
	char path[128], text[512] = "";
	FILE *f;

	(void)state;
	assert_true(add("{\"id\":\"7-1\",\"kind\":\"a\"}\n", 1));
	archive_close(&a);
	today(path);
	f = fopen(path, "a");
	fputs("{\"id\":\"7-2\",\"kind\":\"to", f);
	fclose(f);
	a = archive_open(loop, dir, 90 * DAY, BIG);
	assert_string_equal(last(), "7-1");
	assert_true(add("{\"id\":\"7-2\",\"kind\":\"whole\"}\n", 1));
	f = fopen(path, "r");
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(text, "{\"id\":\"7-1\",\"kind\":\"a\"}\n{\"id\":\"7-2\",\"kind\":\"whole\"}\n");
}

/* The disk is full at every possible byte: what is refused leaves nothing behind, and what comes after is whole. */
static void a_full_disk_is_said_and_leaves_nothing_behind(void **state)
{
	struct rlimit was, small;
	struct archive_stats st;
	char path[128];
	struct stat file;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_true(add("{\"id\":\"7-1\",\"kind\":\"a\"}\n", 1));
	today(path);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = was;
	small.rlim_cur = (rlim_t)file.st_size + 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	bool ok = add("{\"id\":\"7-2\",\"kind\":\"does not fit\"}\n", 1);

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_false(ok);
	archive_stats(a, &st);
	assert_false(st.up);
	assert_int_equal(st.failures, 1);
	assert_int_equal(st.lines, 1);
	assert_non_null(strstr(st.why, "write"));
	off_t size = file.st_size;

	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_size, size);
	assert_true(add("{\"id\":\"7-2\",\"kind\":\"fits\"}\n", 1));
	assert_string_equal(last(), "7-2");
	archive_stats(a, &st);
	assert_true(st.up);
	assert_int_equal(st.lines, 2);
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
	struct archive_stats st;
	FILE *f = fopen(dir, "w");

	(void)state;
	fclose(f);
	assert_false(add("{\"id\":\"7-1\",\"kind\":\"a\"}\n", 1));
	archive_stats(a, &st);
	assert_string_equal(st.why, "open: Not a directory");
	assert_string_equal(last(), "?"); /* not "there is none": what was archived would be written twice */
	assert_int_equal(unlink(dir), 0);
	assert_true(add("{\"id\":\"7-1\",\"kind\":\"a\"}\n", 1));
	/* Moved away while it was open: what comes next is where it is looked for. */
	char away[80];

	snprintf(away, sizeof(away), "%s.away", dir);
	assert_int_equal(rename(dir, away), 0);
	assert_string_equal(last(), "");
	assert_true(add("{\"id\":\"7-2\",\"kind\":\"b\"}\n", 1));
	assert_string_equal(last(), "7-2");
}

static void days_beyond_the_bounds_give_way(void **state)
{
	struct archive_days days;
	char line[2001];
	int64_t size;
	wall_ms now = wall_now();
	char name[DAY_NAME];

	(void)state;
	assert_true(add("{\"id\":\"7-1\",\"kind\":\"a\"}\n", 1));
	memset(line, 'x', 1999);
	line[1999] = '\n';
	line[2000] = '\0';
	for (int d = 1; d <= 5; d++) {
		archive_day_name((wall_ms){ now.ms - d * DAY }, name);
		write_file(name, line, "w");
	}
	write_file("keep.jsonl", line, "w");
	assert_int_equal(archive_prune(dir, now, 3 * DAY, BIG, &size), 2);
	assert_true(archive_days(dir, &days));
	assert_int_equal(days.n, 4); /* today and three days */
	archive_days_free(&days);
	assert_int_equal(archive_prune(dir, now, 3 * DAY, 4500, &size), 1);
	assert_true(size < 4500);
	assert_int_equal(archive_prune(dir, now, 3 * DAY, 1, &size), 2); /* today's never goes */
	assert_true(archive_days(dir, &days));
	assert_int_equal(days.n, 1);
	archive_days_free(&days);
	assert_string_equal(last(), "7-1");
	/* Today alone fills it: nothing more is written, and that is said. */
	archive_close(&a);
	a = archive_open(loop, dir, 90 * DAY, 10);
	assert_false(add("{\"id\":\"7-2\",\"kind\":\"b\"}\n", 1));
	struct archive_stats st;

	archive_stats(a, &st);
	assert_non_null(strstr(st.why, "archive_size"));
}

static void what_waits_is_bounded(void **state)
{
	char *big = xcalloc(1, ARCHIVE_WAITING + 10);
	struct archive_stats st;

	(void)state;
	memset(big, 'x', ARCHIVE_WAITING);
	big[ARCHIVE_WAITING] = '\n';
	assert_false(add(big, 1));
	archive_stats(a, &st);
	assert_int_equal(st.failures, 1);
	assert_int_equal(st.bytes, 0);
	free(big);
	assert_true(add("{\"id\":\"7-1\",\"kind\":\"a\"}\n", 1));
}

static void a_query_finds_the_newest_of_a_service(void **state)
{
	(void)state;
	assert_true(add("{\"service\":\"shop\",\"kind\":\"a\",\"at\":100}\n{\"service\":\"blog\",\"kind\":\"b\",\"at\":200}\n"
			"{\"service\":\"shop\",\"kind\":\"c\",\"at\":300}\nnot json\n{\"service\":\"shop\",\"kind\":\"d\",\"at\":400}\n", 5));
	assert_int_equal(count("shop", 0, 0, 100, "[{\"service\":\"shop\",\"kind\":\"a\""), 3);
	assert_int_equal(count("", 0, 0, 100, NULL), 4);
	assert_int_equal(count("shop", 0, 0, 2, "[{\"service\":\"shop\",\"kind\":\"c\""), 2);
	assert_int_equal(count("shop", 300, 400, 100, NULL), 1);
	assert_int_equal(count("other", 0, 0, 100, "[]"), 0);
}

static void ids(void **state)
{
	(void)state;
	assert_true(archive_event_id("1795379925-3"));
	assert_false(archive_event_id("local-3"));
	assert_false(archive_event_id("1-"));
	assert_false(archive_event_id("-1"));
	assert_false(archive_event_id("1-2-3"));
	assert_false(archive_event_id(""));
}

/* Closing waits for what was handed over: nothing that was asked for before the end is lost. */
static void the_end_writes_what_waits(void **state)
{
	char id[44];

	(void)state;
	archive_add(a, "{\"id\":\"7-1\",\"kind\":\"a\"}\n", 1, NULL, NULL);
	archive_add(a, "{\"id\":\"7-2\",\"kind\":\"b\"}\n", 1, NULL, NULL);
	archive_close(&a);
	assert_true(archive_last_id(dir, id));
	assert_string_equal(id, "7-2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_last_id_is_where_it_goes_on, up, down),
		cmocka_unit_test_setup_teardown(a_torn_line_is_cut_before_anything_follows_it, up, down),
		cmocka_unit_test_setup_teardown(a_full_disk_is_said_and_leaves_nothing_behind, up, down),
		cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_made_is_named, up, down),
		cmocka_unit_test_setup_teardown(days_beyond_the_bounds_give_way, up, down),
		cmocka_unit_test_setup_teardown(what_waits_is_bounded, up, down),
		cmocka_unit_test_setup_teardown(a_query_finds_the_newest_of_a_service, up, down),
		cmocka_unit_test_setup_teardown(ids, up, down),
		cmocka_unit_test_setup_teardown(the_end_writes_what_waits, up, down),
	};

	log_least = LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
