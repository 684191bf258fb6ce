/* SPDX-License-Identifier: MIT
 * base.c - tests of base: text, buf, arena, clock texts, log_quoted, failpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef SWITCHD_FAILPOINTS
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#endif

#include "switchd/base/arena.h"
#include "switchd/base/buf.h"
#include "switchd/base/clock.h"
#include "switchd/base/failpoint.h"
#include "switchd/base/log.h"
#include "switchd/base/text.h"

/* ---- text ---- */

static void test_text_copy_always_ends(void **state)
{
	char a[4];

	(void)state;
	assert_true(TEXT_COPY(a, "abc"));
	assert_string_equal(a, "abc");
	assert_false(TEXT_COPY(a, "abcd"));
	assert_string_equal(a, "abc");
	assert_true(TEXT_COPY(a, ""));
	assert_string_equal(a, "");
	assert_false(text_copy(a, 1, "x"));
	assert_string_equal(a, "");
	assert_true(text_copy_n(a, sizeof(a), "xyz", 2));
	assert_string_equal(a, "xy");
	assert_true(TEXT_COPY(a, a + 1));       /* within itself */
	assert_string_equal(a, "y");
}

static void test_text_format_says_when_it_cut(void **state)
{
	char a[6];

	(void)state;
	assert_true(TEXT_FORMAT(a, "%d", 12345));
	assert_false(TEXT_FORMAT(a, "%d", 123456));
	assert_string_equal(a, "12345");
}

static void test_text_u64(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "18446744073709551616", "99999999999999999999999", "1\n" };
	uint64_t v = 7;

	(void)state;
	assert_true(text_u64("0", &v) && v == 0);
	assert_true(text_u64("007", &v) && v == 7);
	assert_true(text_u64("18446744073709551615", &v) && v == UINT64_MAX);
	v = 42;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(text_u64(bad[i], &v));
	assert_int_equal(v, 42);        /* untouched by what it refuses */
}

static void test_names_and_ids(void **state)
{
	static const char *const names[] = { "a", "9", "shop", "shop-1.eu_west" };
	static const char *const no_names[] = { "", "-a", ".", "_a", "a b", "a/b", "a\n", "a:b", "caf\xc3\xa9", "a;b", "../a" };
	static const char *const ids[] = { "r43", "@x", "uid:1000", "git+sha/1.2-3_4@host" };
	static const char *const no_ids[] = { "", "a b", "a;b", "a\tb", "a\"b", "\xff" };
	char longest[NAME_MAX_LEN + 2], id[ID_MAX_LEN + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(name_ok(names[i]));
	for (size_t i = 0; i < ARRAY_LEN(no_names); i++)
		assert_false(name_ok(no_names[i]));
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		assert_true(id_ok(ids[i]));
	for (size_t i = 0; i < ARRAY_LEN(no_ids); i++)
		assert_false(id_ok(no_ids[i]));
	memset(longest, 'a', sizeof(longest));
	longest[NAME_MAX_LEN + 1] = '\0';
	assert_false(name_ok(longest));
	longest[NAME_MAX_LEN] = '\0';
	assert_true(name_ok(longest));
	memset(id, 'a', sizeof(id));
	id[ID_MAX_LEN + 1] = '\0';
	assert_false(id_ok(id));
	id[ID_MAX_LEN] = '\0';
	assert_true(id_ok(id));
}

static void printable(const char *in, size_t n, const char *want)
{
	char out[64];

	text_printable(out, sizeof(out), in, n);
	assert_string_equal(out, want);
}

static void test_text_printable(void **state)
{
	char small[4];

	(void)state;
	printable("plain ~", 7, "plain ~");
	printable("a\0b", 3, "a?b");
	printable("\x1b[31m\x7f\n", 7, "?[31m??");
	printable("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 14, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	printable("\xc3", 1, "?");                      /* cut short */
	printable("\xe2\x82", 2, "??");
	printable("\xc0\xaf", 2, "??");                 /* overlong */
	printable("\xe0\x80\x80", 3, "???");
	printable("\xed\xa0\x80", 3, "???");            /* surrogate */
	printable("\xf4\x90\x80\x80", 4, "????");       /* past the last plane */
	printable("\xc2\x9b" "31m", 5, "??31m");        /* C1: a CSI in one character */
	printable("", 0, "");
	text_printable(small, sizeof(small), "ab\xc3\xa9", 4);   /* a character is never cut in half */
	assert_string_equal(small, "ab");
	text_printable(small, sizeof(small), "abcdef", 6);
	assert_string_equal(small, "abc");
}

static void test_text_nearest(void **state)
{
	static const char *const keys[] = { "interval", "timeout", "fall", "rise" };
	char huge[300];

	(void)state;
	assert_string_equal(text_nearest("intervall", keys, 4), "interval");
	assert_string_equal(text_nearest("timeuot", keys, 4), "timeout");
	assert_string_equal(text_nearest("fal", keys, 4), "fall");
	assert_null(text_nearest("banana", keys, 4));
	assert_null(text_nearest("x", keys, 4));
	assert_null(text_nearest("interval", keys, 0));
	memset(huge, 'i', sizeof(huge));
	huge[sizeof(huge) - 1] = '\0';
	assert_null(text_nearest(huge, keys, 4));
}

static void test_text_place(void **state)
{
	static const struct { char name[8]; int n; } list[] = { { "b", 1 }, { "d", 2 }, { "f", 3 } };
	static const struct { const char *name; size_t at; bool there; } want[] = {
		{ "", 0, false }, { "a", 0, false }, { "b", 0, true }, { "c", 1, false }, { "d", 1, true }, { "e", 2, false }, { "f", 2, true }, { "g", 3, false },
	};
	bool there;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(text_place(list, ARRAY_LEN(list), sizeof(list[0]), want[i].name, &there), want[i].at);
		assert_int_equal(there, want[i].there);
	}
	assert_int_equal(text_place(NULL, 0, sizeof(list[0]), "a", &there), 0);
	assert_false(there);
}

static void test_text_starts(void **state)
{
	(void)state;
	assert_true(text_starts("http://x", "http://"));
	assert_true(text_starts("x", ""));
	assert_false(text_starts("htt", "http"));
}

/* ---- buf ---- */

static void test_buf_grows_to_its_maximum(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 100; i++)
		assert_true(buf_add(&b, "x", 1));
	assert_int_equal(b.len, 100);
	assert_int_equal(strlen(b.data), 100);
	assert_false(b.full);
	assert_false(buf_add(&b, "y", 1));
	assert_true(b.full);
	assert_int_equal(b.len, 100);
	assert_true(b.cap <= 101);
	buf_clear(&b);
	assert_string_equal(buf_str(&b), "");
	assert_true(buf_adds(&b, "again"));
	buf_free(&b);
}

static void test_buf_adds_all_or_nothing(void **state)
{
	struct buf b = BUF_INIT(5);

	(void)state;
	assert_true(buf_adds(&b, "abc"));
	assert_false(buf_addf(&b, "%s", "def"));
	assert_string_equal(buf_str(&b), "abc");
	assert_false(buf_adds(&b, "d"));        /* full stays: a text with a hole in it would be worse than a short one */
	buf_clear(&b);
	assert_true(buf_addf(&b, "%d-%d", 12, 34));
	assert_string_equal(buf_str(&b), "12-34");
	buf_free(&b);
	assert_int_equal(b.max, 5);
	assert_true(buf_adds(&b, "abc"));       /* empty and usable */
	buf_free(&b);
	buf_init(&b, 0);
	assert_true(buf_add(&b, NULL, 0));
	assert_false(buf_adds(&b, "a"));
	buf_free(&b);
}

static void test_buf_drop_and_take(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	buf_add(&b, "ab\0cd", 5);
	buf_drop(&b, 3);
	assert_string_equal(buf_str(&b), "cd");
	buf_drop(&b, 2);
	assert_string_equal(buf_str(&b), "");
	buf_drop(&b, 0);
	char *s = buf_take(&b);

	assert_string_equal(s, "");
	free(s);
	buf_adds(&b, "mine");
	s = buf_take(&b);
	assert_string_equal(s, "mine");
	assert_int_equal(b.len, 0);
	assert_true(buf_adds(&b, "next"));
	assert_string_equal(s, "mine");
	free(s);
	buf_free(&b);
}

static void test_buf_holds_any_bytes(void **state)
{
	struct buf b = BUF_INIT(70000);
	char all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	for (int i = 0; i < 256; i++)
		assert_true(buf_add(&b, all, sizeof(all)));
	for (int i = 0; i < 256; i++)
		assert_memory_equal(b.data + (size_t)i * 256, all, sizeof(all));
	assert_int_equal(b.data[b.len], '\0');
	buf_free(&b);
}

/* ---- arena ---- */

static void test_arena(void **state)
{
	struct arena *a = arena_new();
	char *kept[300];

	(void)state;
	for (int i = 0; i < 300; i++) {
		size_t n = (size_t)(i * 37 % 200) + 1;

		kept[i] = arena_alloc(a, n);
		assert_int_equal((uintptr_t)kept[i] % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(kept[i][k], 0);
		memset(kept[i], i, n);
	}
	for (int i = 0; i < 300; i++)
		for (size_t k = 0; k < (size_t)(i * 37 % 200) + 1; k++)
			assert_int_equal((unsigned char)kept[i][k], i & 0xff);
	char *big = arena_alloc(a, 100000);     /* larger than a block */

	memset(big, 1, 100000);
	assert_string_equal(arena_str(a, "text"), "text");
	assert_string_equal(arena_strn(a, "text", 2), "te");
	assert_string_equal(arena_str(a, ""), "");
	assert_string_equal(arena_format(a, "%s:%d", "h", 80), "h:80");
	arena_free(&a);
	assert_null(a);
	arena_free(&a);         /* of nothing: nothing */
}

/* ---- clock ---- */

static void test_wall_text(void **state)
{
	char t[WALL_TEXT];

	(void)state;
	assert_string_equal(wall_text((wall_ms){ 0 }, t), "-");
	assert_string_equal(wall_text((wall_ms){ -5 }, t), "-");
	assert_string_equal(wall_text((wall_ms){ 1 }, t), "1970-01-01T00:00:00.001Z");
	assert_string_equal(wall_text((wall_ms){ 1709210096789 }, t), "2024-02-29T12:34:56.789Z");
	assert_string_equal(wall_text((wall_ms){ 253402300799999 }, t), "9999-12-31T23:59:59.999Z");
	assert_string_equal(wall_text((wall_ms){ INT64_MAX }, t), wall_text((wall_ms){ INT64_MAX }, t));
	assert_true(strlen(t) < WALL_TEXT);
}

static void test_age_text(void **state)
{
	static const struct { int64_t ms; const char *want; } ages[] = {
		{ 0, "0ms" }, { 350, "350ms" }, { 1000, "1s" }, { 1500, "1500ms" }, { 2000, "2s" }, { 12999, "12s" }, { 60000, "1m" },
		{ 90000, "90s" }, { 120000, "2m" }, { 3600000, "1h" }, { 7199000, "119m" }, { 86400000, "1d" }, { 90000000, "25h" },
		{ 172800000, "2d" }, { -2000, "-2s" },
	};
	char t[AGE_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ages); i++)
		assert_string_equal(age_text(ages[i].ms, t), ages[i].want);
	assert_true(strlen(age_text(INT64_MAX, t)) < AGE_TEXT);
}

static void test_clock_arithmetic(void **state)
{
	mono_us t = { 5000000 };

	(void)state;
	assert_int_equal(mono_plus_ms(t, 20).us, 5020000);
	assert_int_equal(mono_since_ms((mono_us){ 5020999 }, t), 20);
	assert_int_equal(mono_since_us((mono_us){ 5020999 }, t), 20999);
	assert_int_equal(wall_plus_ms((wall_ms){ 7 }, -7).ms, 0);
	mono_us a = mono_now(), b = mono_now();

	assert_true(b.us >= a.us && a.us > 0);
}

/* ---- log ---- */

static void test_log_quoted(void **state)
{
	char big[1000];

	(void)state;
	assert_string_equal(log_quoted(""), "\"\"");
	assert_string_equal(log_quoted("two words"), "\"two words\"");
	assert_string_equal(log_quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
	assert_string_equal(log_quoted("line\nforged=1\x1b[2J"), "\"line?forged=1?[2J\"");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	const char *q = log_quoted(big);

	assert_int_equal(strlen(q), 202);       /* cut at 200 bytes */
	assert_int_equal(q[201], '"');
	memset(big, '"', sizeof(big) - 1);      /* every byte escaped: still within, and closed, no escape left open */
	q = log_quoted(big);
	size_t n = strlen(q), slashes = 0;

	assert_true(n <= 223 && q[n - 1] == '"');
	for (size_t i = n - 1; i > 1 && q[i - 1] == '\\'; i--)
		slashes++;
	assert_int_equal(slashes % 2, 0);
}

static void test_log_quoted_lasts_eight_calls(void **state)
{
	const char *q[8];

	(void)state;
	for (int i = 0; i < 8; i++) {
		char one[2] = { (char)('a' + i), '\0' };

		q[i] = log_quoted(one);
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(q[i][1], 'a' + i);
}

/* ---- failpoints ---- */

#ifdef SWITCHD_FAILPOINTS
static char fp_dir[64];

static bool fp_there(const char *name)
{
	char path[128];

	assert_true(TEXT_FORMAT(path, "%s/%s", fp_dir, name));
	return access(path, F_OK) == 0;
}

static void fp_remove(const char *name)
{
	char path[128];

	assert_true(TEXT_FORMAT(path, "%s/%s", fp_dir, name));
	assert_int_equal(unlink(path), 0);
}

static void fp_arm(const char *name, const char *action)
{
	char new[128], path[128];
	FILE *f;

	assert_true(TEXT_FORMAT(new, "%s/new", fp_dir) && TEXT_FORMAT(path, "%s/%s", fp_dir, name));
	f = fopen(new, "we");
	assert_non_null(f);
	assert_true(fprintf(f, "%s\n", action) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(new, path), 0);
}

/* A process that passes two points, one of them twice, and ends with 7.  What is read once is read there. */
static pid_t fp_passes(const char *list)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	setenv("SWITCHD_FP", list, 1);
	setenv("SWITCHD_FP_DIR", fp_dir, 1);
	FAILPOINT("a.first");
	FAILPOINT("a.second");
	FAILPOINT("a.second");
	_exit(7);
}

static int fp_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void fp_begin(void)
{
	TEXT_COPY(fp_dir, "/tmp/switchd-fp.XXXXXX");
	assert_non_null(mkdtemp(fp_dir));
}

static void test_failpoint_of_the_list(void **state)
{
	int status;

	(void)state;
	fp_begin();
	assert_int_equal(WEXITSTATUS(fp_status(fp_passes(""))), 7);
	assert_int_equal(WEXITSTATUS(fp_status(fp_passes("a.firs:kill,a.second:kill@3"))), 7);
	assert_int_equal(WEXITSTATUS(fp_status(fp_passes("a.second:exit@2"))), 86);
	status = fp_status(fp_passes("b.other:exit,a.first:kill"));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	rmdir(fp_dir);
}

static void test_failpoint_armed_by_a_file(void **state)
{
	int status;

	(void)state;
	fp_begin();
	fp_arm("a.second", "exit");
	assert_int_equal(WEXITSTATUS(fp_status(fp_passes(""))), 86);
	assert_true(fp_there("a.second.hit") && !fp_there("a.second"));
	fp_remove("a.second.hit");
	assert_int_equal(WEXITSTATUS(fp_status(fp_passes(""))), 7); /* each arming is for one passage */
	fp_arm("a.first", "kill");
	status = fp_status(fp_passes(""));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	fp_remove("a.first.hit");
	rmdir(fp_dir);
}

static void test_failpoint_stops(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	fp_begin();
	fp_arm("a.first", "stop");
	pid = fp_passes("");
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(WEXITSTATUS(fp_status(pid)), 7);
	fp_remove("a.first.hit");
	rmdir(fp_dir);
}

/* The barrier: nothing behind the point happens until the test lets go. */
static void test_failpoint_waits(void **state)
{
	int status;

	(void)state;
	fp_begin();
	fp_arm("a.first", "wait");
	fp_arm("a.second", "exit");
	pid_t pid = fp_passes("");
	mono_us began = mono_now();

	while (!fp_there("a.first.hit") && mono_since_ms(mono_now(), began) < 10000)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert_true(fp_there("a.first.hit"));
	assert_true(fp_there("a.second"));
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	fp_remove("a.first.hit");
	assert_int_equal(WEXITSTATUS(fp_status(pid)), 86);
	fp_remove("a.second.hit");
	rmdir(fp_dir);
}

static void test_failpoint_misspelt(void **state)
{
	static const char *const bad[] = { "a.first", "a.first:", ":kill", "a.first:kil", "a.first:kill@0", "a.first:kill@x", "a.first:wait" };

	(void)state;
	fp_begin();
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(WEXITSTATUS(fp_status(fp_passes(bad[i]))), 2);
	fp_arm("a.second", "kil");
	assert_int_equal(WEXITSTATUS(fp_status(fp_passes(""))), 2);
	fp_remove("a.second.hit");
	rmdir(fp_dir);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_copy_always_ends),
		cmocka_unit_test(test_text_format_says_when_it_cut),
		cmocka_unit_test(test_text_u64),
		cmocka_unit_test(test_names_and_ids),
		cmocka_unit_test(test_text_printable),
		cmocka_unit_test(test_text_nearest),
		cmocka_unit_test(test_text_place),
		cmocka_unit_test(test_text_starts),
		cmocka_unit_test(test_buf_grows_to_its_maximum),
		cmocka_unit_test(test_buf_adds_all_or_nothing),
		cmocka_unit_test(test_buf_drop_and_take),
		cmocka_unit_test(test_buf_holds_any_bytes),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_wall_text),
		cmocka_unit_test(test_age_text),
		cmocka_unit_test(test_clock_arithmetic),
		cmocka_unit_test(test_log_quoted),
		cmocka_unit_test(test_log_quoted_lasts_eight_calls),
#ifdef SWITCHD_FAILPOINTS
		cmocka_unit_test(test_failpoint_of_the_list),
		cmocka_unit_test(test_failpoint_armed_by_a_file),
		cmocka_unit_test(test_failpoint_stops),
		cmocka_unit_test(test_failpoint_waits),
		cmocka_unit_test(test_failpoint_misspelt),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
