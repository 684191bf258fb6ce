/* SPDX-License-Identifier: MIT
 * targets.c - lists of addresses: read, compared, kept and read back; the sources that they come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>

#include "probes/addresses.h"
#include "switchd/base/arena.h"
#include "switchd/core/targets.h"
#include "switchd/io/aside.h"

static struct arena *arena;
static struct target_list l;
static char why[500];

static int begin(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static bool parse(const char *text)
{
	l = (struct target_list){ .n = 99 };
	why[0] = '\0';
	return targets_parse(arena, "/t", text, strlen(text), true, &l, why, sizeof(why));
}

static void bad(const char *text, const char *want)
{
	if (parse(text))
		fail_msg("taken: %s", text);
	assert_string_equal(why, want);
	assert_int_equal(l.n, 99);
}

static void test_lines(void **state)
{
	(void)state;
	assert_true(parse("# the two of them\n\n  10.0.0.1:80\t# one\r\nhttps://[fd00::2]:8443\nunix:/run/a#b\n\t#\nshop:443"));
	assert_int_equal(l.n, 4);
	assert_string_equal(l.target[0].text, "10.0.0.1:80");
	assert_int_equal(l.target[0].port, 80);
	assert_string_equal(l.target[1].host, "fd00::2");
	assert_true(l.target[1].tls);
	assert_string_equal(l.target[2].unix_path, "/run/a#b");
	assert_true(l.target[3].tls); /* 443 behind an https front */
	assert_false(l.target[0].tls);
}

static void test_bad_lines(void **state)
{
	(void)state;
	bad("", "/t: there is no target in it");
	bad("# nothing\n\n  \n", "/t: there is no target in it");
	bad("10.0.0.1:80\n10.0.0.2\n", "/t:2: \"10.0.0.2\" has no port");
	bad("10.0.0.1:80 10.0.0.2:80\n", "/t:1: want one address a line, got \"10.0.0.1:80 10.0.0.2:80\"");
	bad("10.0.0.1:80/x\n", "/t:1: a target has no path: \"10.0.0.1:80/x\"");
	bad("ftp://10.0.0.1:80\n", "/t:1: want host:port, http://host:port, https://host:port or unix:/path, got \"ftp://10.0.0.1:80\"");
	bad("shop:80\n\n# x\nSHOP:80\n", "/t:4: \"SHOP:80\" is there already (line 1)");
	bad("caf\xc3\xa9:80\n", "/t:1: want one address a line, got \"caf\xc3\xa9:80\"");
	bad("u:p@h:80\n", "/t:1: an address has no user or password in it");

	struct buf many = BUF_INIT(8192);

	for (int i = 1; i <= MAX_TARGETS; i++)
		buf_addf(&many, "10.0.0.%d:80\n", i);
	assert_true(parse(buf_str(&many)));
	assert_int_equal(l.n, MAX_TARGETS);
	buf_adds(&many, "10.0.1.1:80\n");
	bad(buf_str(&many), "/t:65: at most 64 targets in a slot");
	buf_free(&many);

	char *line = xmalloc(5001);

	memset(line, 'x', 5000);
	line[5000] = '\0';
	assert_false(parse(line));
	assert_true(strlen(why) < 200);
	free(line);
}

static void test_a_name_sorted_and_once(void **state)
{
	(void)state;
	static const char ip[][64] = { "10.0.0.2", "fd00::1", "10.0.0.1", "10.0.0.2" };
	struct target_source s;
	struct buf lines = BUF_INIT(1024);

	assert_true(source_is("dns:a:1") && source_is("file:x") && !source_is("10.0.0.1:80"));
	assert_true(source_parse(arena, "dns:shop:8101", &s, why, sizeof(why)));
	assert_int_equal(s.kind, SOURCE_DNS);
	assert_string_equal(s.host, "shop");
	source_lines(&s, ip, 4, &lines);
	assert_string_equal(buf_str(&lines), "10.0.0.1:8101\n10.0.0.2:8101\n[fd00::1]:8101\n");
	assert_true(parse(buf_str(&lines)));
	buf_clear(&lines);
	assert_true(source_parse(arena, "dns:https://shop:8443", &s, why, sizeof(why)));
	source_lines(&s, ip, 1, &lines);
	assert_string_equal(buf_str(&lines), "https://10.0.0.2:8443\n");
	buf_free(&lines);
	assert_true(source_parse(arena, "file:/etc/a b", &s, why, sizeof(why)));
	assert_string_equal(s.path, "/etc/a b");
	assert_false(source_parse(arena, "dns:[fd00::1]:80", &s, why, sizeof(why)));
	assert_false(source_parse(arena, "file:a", &s, why, sizeof(why)));
}

static void test_what_changed(void **state)
{
	(void)state;
	struct target_list was;
	char said[160];

	assert_true(parse("a:1\nb:1\n"));
	was = l;
	targets_said(NULL, 0, &was, "dns:x:1", said, sizeof(said));
	assert_string_equal(said, "2 targets of dns:x:1, 2 new");
	targets_said(was.target, was.n, &was, "dns:x:1", said, sizeof(said));
	assert_string_equal(said, "2 targets of dns:x:1, as before");
	assert_true(parse("http://B:1\n"));
	targets_said(was.target, was.n, &l, "dns:x:1", said, sizeof(said));
	assert_string_equal(said, "1 target of dns:x:1, 1 gone");
	assert_string_equal(targets_shared(was.target, was.n, l.target, l.n)->text, "b:1");
	assert_true(parse("c:1\n"));
	assert_null(targets_shared(was.target, was.n, l.target, l.n));
}

static void test_kept_and_read_back(void **state)
{
	(void)state;
	struct buf text = BUF_INIT(1024);
	struct frozen_text f;

	assert_true(parse("10.0.0.1:80\nunix:/run/x\n"));
	frozen_print(&text, l.target, l.n, "file:/t", (wall_ms){ 1795333451000 });
	assert_true(frozen_parse(arena, buf_str(&text), text.len, &f));
	assert_string_equal(f.from, "file:/t");
	assert_int_equal(f.at.ms, 1795333451000);
	assert_true(targets_parse(arena, "kept", f.lines, f.len, false, &l, why, sizeof(why)));
	assert_int_equal(l.n, 2);
	assert_string_equal(l.target[1].text, "unix:/run/x");
	/* What a disk may leave: half a file, or something else's. */
	for (size_t n = 0; n < text.len; n++)
		assert_false(frozen_parse(arena, buf_str(&text), n, &f));
	assert_false(frozen_parse(arena, "10.0.0.1:80\n# end\n", 18, &f));
	assert_false(frozen_parse(arena, "# from x\n# at y\n# end\n", 22, &f));
	buf_free(&text);
}

static void test_files_are_read_by_rule(void **state)
{
	(void)state;
	char dir[] = "/tmp/targets.XXXXXX", path[64], text[80];
	struct target_source s;
	struct buf lines = BUF_INIT(100000);
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/t", dir);
	snprintf(text, sizeof(text), "file:%s", path);
	assert_true(source_parse(arena, text, &s, why, sizeof(why)));
	assert_false(addresses_read(&s, &lines, why, sizeof(why)));
	assert_non_null(strstr(why, "/t: No such file"));
	assert_int_equal(mkfifo(path, 0600), 0);        /* nobody waits for who might write */
	assert_false(addresses_read(&s, &lines, why, sizeof(why)));
	assert_non_null(strstr(why, "not a plain file"));
	unlink(path);
	f = fopen(path, "w");
	for (int i = 0; i < 70000; i++)
		fputc('#', f);
	fclose(f);
	assert_false(addresses_read(&s, &lines, why, sizeof(why)));
	assert_non_null(strstr(why, "64 KiB"));
	f = fopen(path, "w");
	fwrite("a:1\0b:1\n", 1, 8, f);
	fclose(f);
	assert_false(addresses_read(&s, &lines, why, sizeof(why)));
	assert_non_null(strstr(why, "NUL"));
	f = fopen(path, "w");
	fputs("a:1\n", f);
	fclose(f);
	assert_true(addresses_read(&s, &lines, why, sizeof(why)));
	assert_string_equal(buf_str(&lines), "a:1\n");
	unlink(path);
	rmdir(dir);
	buf_clear(&lines);
	assert_true(source_parse(arena, "dns:localhost:80", &s, why, sizeof(why)));
	if (addresses_read(&s, &lines, why, sizeof(why))) /* a bare chroot has no hosts file */
		assert_true(targets_parse(arena, "dns", buf_str(&lines), lines.len, false, &l, why, sizeof(why)));
	buf_clear(&lines);
	assert_true(source_parse(arena, "dns:no-such-name.invalid:80", &s, why, sizeof(why)));
	assert_false(addresses_read(&s, &lines, why, sizeof(why)));
	assert_true(text_starts(why, "dns:no-such-name.invalid:80: no-such-name.invalid: "));
	buf_free(&lines);
}

/* ---- work beside the loop ---- */

struct job { int gate[2]; bool ran; };
static int freed, told;

static void job_run(void *arg)
{
	struct job *j = arg;
	char c;

	j->ran = read(j->gate[0], &c, 1) >= 0;
}

static void job_free(void *arg)
{
	struct job *j = arg;

	close(j->gate[0]);
	if (j->gate[1] >= 0)
		close(j->gate[1]);
	free(j);
	__atomic_add_fetch(&freed, 1, __ATOMIC_SEQ_CST);
}

static void job_done(void *arg, void *work, int failed)
{
	struct job *j = work;

	assert_int_equal(failed, 0);
	assert_true(j->ran);
	told++;
	ev_break(arg, EVBREAK_ALL);
}

static struct job *job_new(void)
{
	struct job *j = xcalloc(1, sizeof(*j));

	assert_int_equal(pipe(j->gate), 0);
	return j;
}

static void wait_freed(int n)
{
	for (int i = 0; i < 5000 && __atomic_load_n(&freed, __ATOMIC_SEQ_CST) < n; i++)
		usleep(1000);
	assert_int_equal(__atomic_load_n(&freed, __ATOMIC_SEQ_CST), n);
}

static void test_aside(void **state)
{
	(void)state;
	struct ev_loop *loop = ev_loop_new(0);
	struct job *j = job_new();
	struct aside *a;
	int go;

	freed = told = 0;
	/* It ends while somebody waits. */
	go = dup(j->gate[1]);
	a = aside_start(loop, j, job_run, job_free, job_done, loop);
	assert_int_equal(write(go, "x", 1), 1);
	ev_run(loop, 0);
	assert_int_equal(told, 1);
	wait_freed(1);
	close(go);
	/* Nobody waits any more while it still blocks: the thread frees. */
	j = job_new();
	go = dup(j->gate[1]);
	a = aside_start(loop, j, job_run, job_free, job_done, loop);
	aside_cancel(&a);
	assert_null(a);
	assert_int_equal(write(go, "x", 1), 1);
	wait_freed(2);
	close(go);
	/* It has answered, and nobody looked before it was cancelled. */
	j = job_new();
	assert_int_equal(write(j->gate[1], "x", 1), 1);
	a = aside_start(loop, j, job_run, job_free, job_done, loop);
	while (!__atomic_load_n(&j->ran, __ATOMIC_SEQ_CST))
		usleep(1000);
	aside_cancel(&a);
	wait_freed(3);
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(told, 1);
	aside_cancel(&a); /* of nothing */
	ev_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_a_name_sorted_and_once),
		cmocka_unit_test(test_what_changed),
		cmocka_unit_test(test_kept_and_read_back),
		cmocka_unit_test(test_files_are_read_by_rule),
		cmocka_unit_test(test_aside),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
