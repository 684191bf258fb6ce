/* SPDX-License-Identifier: MIT
 * mapfile.c - a map file is the old one or the new one, never something between, whatever dies or hangs. */
#include "tests/unit/support/haproxy_rig.h"

static struct rig rig;
static struct mapfile *file;

static int up(void **state)
{
	(void)state;
	rig_config(&rig, "shop");
	file = mapfile_new(rig.loop, rig.map, "shop");
	return 0;
}

static int down(void **state)
{
	(void)state;
	atomic_store(&disk_stopped, false);
	mapfile_free(&file);
	rig_free(&rig);
	return 0;
}

struct got { int n; struct mapfile_done d; };

static void on_done(void *arg, const struct mapfile_done *d)
{
	struct got *g = arg;

	g->n++;
	g->d = *d;
}

static struct mapfile_done wait_for(struct got *g)
{
	LOOP_UNTIL(&rig, g->n);
	assert_int_equal(g->n, 1);
	return g->d;
}

static struct mapfile_done put(struct proxy_value v, bool over_pin)
{
	struct got g = { 0 };

	(void)mapfile_write(file, &v, false, over_pin, on_done, &g);
	assert_int_equal(g.n, 0);
	return wait_for(&g);
}

static struct mapfile_done holds(struct proxy_value v)
{
	struct got g = { 0 };

	(void)mapfile_check(file, &v, on_done, &g);
	return wait_for(&g);
}

static int files_in_dir(void)
{
	DIR *d = opendir(rig.dir);
	struct dirent *e;
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n;
}

/* Runs first: SWITCHD_FP is read once in a process, and each child must read its own. */
static void a_kill_at_any_step_leaves_a_whole_file(void **state)
{
	static const char *const points[] = { "proxy.before-file:kill", "proxy.after-rename:kill", "proxy.after-fsync:kill" };

	(void)state;
#ifndef SWITCHD_FAILPOINTS
	(void)points;
	skip();
#else
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		int status;

		put_file(rig.map, "shop blue:1.1:plain\n");
		setenv("SWITCHD_FP", points[i], 1);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
			struct mapfile *m = mapfile_new(loop, rig.map, "shop");
			struct got g = { 0 };
			struct proxy_value v = value(GREEN, 1, 2, false);

			(void)mapfile_write(m, &v, false, false, on_done, &g);
			while (!g.n)
				ev_run(loop, EVRUN_ONCE);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		assert_true(file_is(rig.map, i == 0 ? "shop blue:1.1:plain\n" : "shop green:1.2:plain\n"));
	}
	unsetenv("SWITCHD_FP");
#endif
}

static void our_line_changes_and_the_rest_stays(void **state)
{
	struct stat st;

	(void)state;
	put_file(rig.map, "# by hand\nother x y\nshop blue:1.1:plain\nshopping 1\nshop green:1.1:plain\nlast");
	assert_int_equal(chmod(rig.map, 0640), 0);
	assert_int_equal(put(value(GREEN, 1, 2, true), false).result, MF_DURABLE);
	assert_true(file_is(rig.map, "# by hand\nother x y\nshop green:1.2:shield\nshopping 1\nlast\n"));
	assert_int_equal(stat(rig.map, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(holds(value(GREEN, 1, 2, true)).result, MF_DURABLE);
	assert_int_equal(holds(value(GREEN, 1, 2, false)).result, MF_DIFFERS);
	assert_int_equal(unlink(rig.map), 0);
	assert_int_equal(holds(value(GREEN, 1, 2, true)).result, MF_DIFFERS);
	mode_t was = umask(077);
	assert_int_equal(put(value(BLUE, 1, 3, false), false).result, MF_DURABLE);
	umask(was);
	assert_true(file_is(rig.map, "shop blue:1.3:plain\n"));
	assert_int_equal(stat(rig.map, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(files_in_dir(), 1);
}

static void pins_and_higher_versions_stay(void **state)
{
	struct proxy_value pin = { .slot = GREEN, .pin = true, .v = { 0, 5 } };

	(void)state;
	assert_int_equal(put(value(GREEN, 2, 1, false), false).result, MF_DURABLE);
	struct mapfile_done d = put(value(BLUE, 1, 99, false), false);
	assert_int_equal(d.result, MF_NEWER);
	assert_non_null(strstr(d.why, "green:2.1:plain"));
	assert_int_equal(put(pin, false).result, MF_DURABLE);
	assert_int_equal(put(value(BLUE, 9, 1, false), false).result, MF_PINNED);
	assert_true(file_is(rig.map, "shop green:pin.5:plain\n"));
	assert_int_equal(put(value(BLUE, 9, 1, false), true).result, MF_DURABLE);
	put_file(rig.map, "shop rubbish\n");
	assert_int_equal(put(value(BLUE, 9, 1, false), false).result, MF_DURABLE);
}

static void odd_files_are_refused_by_name(void **state)
{
	char target[128];
	struct mapfile_done d;

	(void)state;
	(void)TEXT_FORMAT(target, "%s/elsewhere", rig.dir);
	put_file(target, "shop blue:1.1:plain\n");
	assert_int_equal(symlink(target, rig.map), 0);
	d = put(value(GREEN, 1, 2, false), false);
	assert_int_equal(d.result, MF_FAILED);
	assert_true(text_starts(d.why, "read: "));
	assert_true(file_is(target, "shop blue:1.1:plain\n"));
	assert_false(mapfile_replace(rig.map, "x", 1, target, sizeof(target)));
	assert_int_equal(unlink(rig.map), 0);
	assert_int_equal(mkfifo(rig.map, 0644), 0);
	assert_int_equal(put(value(GREEN, 1, 2, false), false).result, MF_FAILED);
	assert_int_equal(unlink(rig.map), 0);
	assert_int_equal(mkdir(rig.map, 0755), 0);
	assert_int_equal(put(value(GREEN, 1, 2, false), false).result, MF_FAILED);
	assert_int_equal(rmdir(rig.map), 0);

	int fd = open(rig.map, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(fd, 2 << 20), 0);
	close(fd);
	d = put(value(GREEN, 1, 2, false), false);
	assert_int_equal(d.result, MF_FAILED);
	assert_non_null(strstr(d.why, "File too large"));

	mapfile_free(&file);
	file = mapfile_new(rig.loop, "/nonexistent-directory/x.map", "shop");
	d = put(value(GREEN, 1, 2, false), false);
	assert_int_equal(d.result, MF_FAILED);
	assert_true(text_starts(d.why, "open directory: "));
}

static void a_held_write_changes_nothing_before_its_go(void **state)
{
	struct got g = { 0 };
	struct proxy_value v = value(GREEN, 1, 2, false);

	(void)state;
	put_file(rig.map, "shop blue:1.1:plain\n");
	struct mapfile_job *j = mapfile_write(file, &v, true, false, on_done, &g);
	LOOP_UNTIL(&rig, files_in_dir() == 2); /* prepared beside it */
	assert_int_equal(g.n, 0);
	assert_true(file_is(rig.map, "shop blue:1.1:plain\n"));
	mapfile_drop(j);
	assert_int_equal(wait_for(&g).result, MF_DROPPED);
	assert_int_equal(files_in_dir(), 1);
	g = (struct got){ 0 };
	j = mapfile_write(file, &v, true, false, on_done, &g);
	mapfile_go(j);
	assert_int_equal(wait_for(&g).result, MF_DURABLE);
	assert_true(file_is(rig.map, "shop green:1.2:plain\n"));
}

static void cancelled_writes_change_nothing_and_are_silent(void **state)
{
	struct got g[3] = { { 0 } };
	struct proxy_value a = value(GREEN, 1, 2, false), b = value(BLUE, 1, 3, false), c = value(GREEN, 1, 4, false);

	(void)state;
	put_file(rig.map, "shop blue:1.1:plain\n");
	atomic_store(&disk_stopped, true);
	struct mapfile_job *j = mapfile_write(file, &a, false, false, on_done, &g[0]);
	struct mapfile_job *k = mapfile_write(file, &b, false, false, on_done, &g[1]);
	(void)mapfile_write(file, &c, false, false, on_done, &g[2]);
	LOOP_UNTIL(&rig, atomic_load(&disk_waiters) == 1);
	mapfile_cancel(&j);
	mapfile_cancel(&k);
	assert_null(j);
	atomic_store(&disk_stopped, false);
	assert_int_equal(wait_for(&g[2]).result, MF_DURABLE);
	assert_int_equal(g[0].n + g[1].n, 0);
	assert_true(file_is(rig.map, "shop green:1.4:plain\n"));
	assert_int_equal(files_in_dir(), 1);
}

/* --- the gate ------------------------------------------------------------------------- */

struct gate { bool open; int asked; };

static bool look(void *arg)
{
	struct gate *g = arg;

	g->asked++;
	return g->open;
}

static void a_closed_gate_leaves_the_file(void **state)
{
	struct gate gate = { 0 };
	struct got g = { 0 };
	struct proxy_value v = value(GREEN, 1, 2, false);

	(void)state;
	put_file(rig.map, "shop blue:1.1:plain\n");
	mapfile_set_gate(file, look, &gate);
	assert_int_equal(put(v, false).result, MF_FENCED);
	assert_int_equal(gate.asked, 1);
	mapfile_go(mapfile_write(file, &v, true, false, on_done, &g));
	assert_int_equal(wait_for(&g).result, MF_FENCED);
	assert_true(file_is(rig.map, "shop blue:1.1:plain\n"));
	assert_int_equal(files_in_dir(), 1);
	gate.open = true;
	assert_int_equal(put(v, false).result, MF_DURABLE);
	assert_true(file_is(rig.map, "shop green:1.2:plain\n"));
	gate.open = false; /* what is there already is no change */
	assert_int_equal(put(v, false).result, MF_DURABLE);
}

/* A go that was given before disk or process stood still counts no more. */
static void an_old_go_is_asked_for_again(void **state)
{
	struct gate gate = { .open = true };
	struct got g[2] = { { 0 } };
	struct proxy_value v = value(GREEN, 1, 2, false);

	(void)state;
	put_file(rig.map, "shop blue:1.1:plain\n");
	mapfile_set_gate(file, look, &gate);
	for (int i = 0; i < 2; i++) {
		atomic_store(&disk_stopped, true);
		mapfile_go(mapfile_write(file, &v, true, false, on_done, &g[i]));
		LOOP_UNTIL(&rig, atomic_load(&disk_waiters) == 1);
		usleep(150000); /* longer than a go is fresh */
		gate.open = i == 1;
		gate.asked = 0;
		atomic_store(&disk_stopped, false);
		assert_int_equal(wait_for(&g[i]).result, i ? MF_DURABLE : MF_FENCED);
		assert_true(gate.asked > 0);
		assert_true(file_is(rig.map, i ? "shop green:1.2:plain\n" : "shop blue:1.1:plain\n"));
		gate.open = true;
	}
}

/* Whoever ends while the worker waits for that answer does not hang. */
static void leaving_while_the_gate_is_asked(void **state)
{
	struct gate gate = { .open = true };
	struct got g = { 0 };
	struct proxy_value v = value(GREEN, 1, 2, false);

	(void)state;
	put_file(rig.map, "shop blue:1.1:plain\n");
	mapfile_set_gate(file, look, &gate);
	for (int i = 0; i < 2; i++) {
		struct mapfile_job *j = mapfile_write(file, &v, false, false, on_done, &g);

		WAIT_UNTIL(files_in_dir() == 2);
		usleep(20000); /* the loop does not turn: the worker is at the gate */
		if (i == 0)
			mapfile_cancel(&j);
		else
			mapfile_free(&file);
		LOOP_UNTIL(&rig, files_in_dir() == 1);
	}
	assert_int_equal(g.n, 0);
	assert_int_equal(gate.asked, 0);
	assert_true(file_is(rig.map, "shop blue:1.1:plain\n"));
}

static int entries(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void nothing_is_left_behind(void **state)
{
	char old[160], young[160], foreign[160];
	struct timespec past[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	(void)state;
	(void)TEXT_FORMAT(old, "%s/.svc.map.0123456789abcdef.switchd-tmp", rig.dir);
	(void)TEXT_FORMAT(young, "%s/.svc.map.1123456789abcdef.switchd-tmp", rig.dir);
	(void)TEXT_FORMAT(foreign, "%s/.svc.mop.0123456789abcdef.switchd-tmp", rig.dir);
	put_file(old, "");
	put_file(young, "");
	put_file(foreign, "");
	assert_int_equal(utimensat(AT_FDCWD, old, past, 0) | utimensat(AT_FDCWD, foreign, past, 0), 0);
	assert_int_equal(put(value(GREEN, 1, 1, false), false).result, MF_DURABLE);
	assert_int_equal(access(old, F_OK), -1);
	assert_int_equal(access(young, F_OK) | access(foreign, F_OK), 0);

	mapfile_free(&file);
	int fds = entries("/proc/self/fd"), threads = entries("/proc/self/task");
	for (int i = 0; i < 50; i++) {
		file = mapfile_new(rig.loop, rig.map, "shop");
		assert_int_equal(put(value(BLUE, 1, 2 + (uint64_t)i, false), false).result, MF_DURABLE);
		mapfile_free(&file);
	}
	/* A job that waits for its go, and one that hangs in the disk, at the end. */
	struct got g = { 0 };
	struct proxy_value v = value(GREEN, 2, 1, false);
	file = mapfile_new(rig.loop, rig.map, "shop");
	(void)mapfile_write(file, &v, true, false, on_done, &g);
	LOOP_UNTIL(&rig, files_in_dir() == 4);
	mapfile_free(&file);
	WAIT_UNTIL(entries("/proc/self/task") == threads);
	file = mapfile_new(rig.loop, rig.map, "shop");
	atomic_store(&disk_stopped, true);
	(void)mapfile_write(file, &v, false, false, on_done, &g);
	LOOP_UNTIL(&rig, atomic_load(&disk_waiters) == 1);
	mapfile_free(&file);
	atomic_store(&disk_stopped, false);
	WAIT_UNTIL(entries("/proc/self/task") == threads);
	assert_int_equal(entries("/proc/self/fd"), fds);
	assert_int_equal(g.n, 0);
	assert_true(file_is(rig.map, "shop blue:1.51:plain\n"));
	assert_int_equal(files_in_dir(), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
		T(a_kill_at_any_step_leaves_a_whole_file),
		T(our_line_changes_and_the_rest_stays),
		T(pins_and_higher_versions_stay),
		T(odd_files_are_refused_by_name),
		T(a_held_write_changes_nothing_before_its_go),
		T(cancelled_writes_change_nothing_and_are_silent),
		T(a_closed_gate_leaves_the_file),
		T(an_old_go_is_asked_for_again),
		T(leaving_while_the_gate_is_asked),
		T(nothing_is_left_behind),
	};
	return cmocka_run_group_tests_name("mapfile", tests, NULL, NULL);
}
