/* SPDX-License-Identifier: MIT
 * journal.c - what survives torn writes, flipped bits and a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switchd/base/log.h"
#include "switchd/store/journal.h"
#include "switchd/store/journal_file.h"

static char dir[64], file[96];

static int setup(void **state)
{
	(void)state;
	/* Hundreds of syncs: in memory, where there is such a place.  Nothing here is about losing power. */
	snprintf(dir, sizeof(dir), "%s/switchd-journal.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/journal", dir);
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static struct journal *open_it(void)
{
	char error[200] = "";
	struct journal *j = journal_open(EV_DEFAULT, dir, error, sizeof(error));

	if (!j)
		fail_msg("%s", error);
	return j;
}

struct told { int durable, not; };

static void on_done(void *arg, bool durable)
{
	struct told *t = arg;

	if (durable)
		t->durable++;
	else
		t->not++;
}

static struct journal_entry entry(const char *service, uint64_t epoch)
{
	struct journal_entry e = { .kind = JR_COMMITTED };

	TEXT_COPY(e.service, service);
	e.record.v = (struct version){ 1795333451, epoch };
	e.record.rev = epoch;
	TEXT_FORMAT(e.record.cid, "rid-%llu", (unsigned long long)epoch);
	e.record.active = epoch % 2 ? GREEN : BLUE;
	e.record.claim.slot = e.record.deploy.slot = e.record.pin.slot = e.record.move.from = e.record.move.to = NO_SLOT;
	e.record.move.acked_us = e.record.move.observed_us = -1;
	return e;
}

static void add(struct journal *j, const struct journal_entry *e)
{
	struct told t = { 0 };

	journal_add(j, e, on_done, &t);
	assert_int_equal(t.durable + t.not, 0); /* never from inside the call */
	while (!t.durable && !t.not)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_int_equal(t.durable, 1);
}

static void add_epoch(struct journal *j, const char *service, uint64_t epoch)
{
	struct journal_entry e = entry(service, epoch);

	add(j, &e);
}

static uint64_t last_epoch(const struct journal *j, const char *service)
{
	const struct journal_entry *e = journal_last(j, service);

	return e ? e->record.v.epoch : 0;
}

static char *read_all(size_t *n)
{
	struct buf b = BUF_INIT(1 << 26);
	int fd = open(file, O_RDONLY);

	assert_true(fd >= 0 && journal_file_read(fd, &b));
	close(fd);
	*n = b.len;
	return buf_take(&b);
}

static void write_all(const char *data, size_t n)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0 && write(fd, data, n) == (ssize_t)n);
	close(fd);
}

static void what_was_added_is_there_after_a_restart(void **state)
{
	struct journal *j = open_it();
	struct journal_entry e = entry("shop", 3);
	struct condemned_set *set = xcalloc(1, sizeof(*set));

	(void)state;
	assert_null(journal_last(j, "shop"));
	add_epoch(j, "shop", 2);
	e.kind = JR_OFFLINE;
	e.base = (struct version){ 7, 2 };
	TEXT_COPY(e.condemn.release, "r9");
	TEXT_COPY(e.condemn.by, "switchd");
	add(j, &e);
	add_epoch(j, "blog", 8);
	journal_close(&j);
	assert_null(j);
	j = open_it();
	const struct journal_entry *l = journal_last(j, "shop");

	assert_non_null(l);
	assert_int_equal(l->kind, JR_OFFLINE);
	assert_int_equal(l->base.gen, 7);
	assert_int_equal(l->record.v.epoch, 3);
	assert_int_equal(l->record.active, GREEN);
	assert_string_equal(l->record.cid, "rid-3");
	assert_string_equal(l->condemn.release, "r9");
	assert_int_equal(last_epoch(j, "blog"), 8);
	journal_condemned(j, "shop", set);
	assert_int_equal(set->n, 1);
	/* A pardon is remembered too. */
	e = entry("shop", 4);
	TEXT_COPY(e.pardon, "r9");
	add(j, &e);
	journal_close(&j);
	j = open_it();
	journal_condemned(j, "shop", set);
	assert_int_equal(set->n, 0);
	journal_close(&j);
	free(set);
}

/* Another controller condemned them: they stand in the line of the record that was read with them, once. */
static void what_was_read_as_condemned_is_there_after_a_restart(void **state)
{
	struct condemned_set *read = xcalloc(1, sizeof(*read)), *set = xcalloc(1, sizeof(*set));
	struct journal *j = open_it();
	struct journal_entry e = entry("shop", 3);
	size_t before, after, line;

	(void)state;
	for (; read->n < 3; read->n++)
		TEXT_FORMAT(read->list[read->n].release, "r%zu", read->n);
	e.also = read;
	add(j, &e);
	assert_null(journal_last(j, "shop")->also);
	free(read_all(&before));
	e = entry("shop", 4);
	add(j, &e);
	free(read_all(&after));
	line = after - before;
	e = entry("shop", 6); /* as long as the one before */
	e.also = read;
	add(j, &e);
	free(read_all(&before));
	assert_int_equal(before - after, line);
	/* Pardoned somewhere else, and one more in the same look. */
	e = entry("shop", 7);
	TEXT_COPY(read->list[1].release, "r9");
	e.also = read;
	TEXT_COPY(e.pardon, "r1");
	add(j, &e);
	for (int again = 0; again < 2; again++) {
		journal_condemned(j, "shop", set);
		assert_int_equal(set->n, 3);
		assert_true(condemned_find(set, "r0", "") && condemned_find(set, "r2", "") && condemned_find(set, "r9", ""));
		journal_close(&j);
		j = open_it();
	}
	journal_close(&j);
	free(read);
	free(set);
}

static void one_writer_at_a_time(void **state)
{
	struct journal *j = open_it();
	char error[200] = "";

	(void)state;
	assert_null(journal_open(EV_DEFAULT, dir, error, sizeof(error)));
	assert_non_null(strstr(error, "another switchd"));
	journal_close(&j);
	j = open_it();
	journal_close(&j);
}

static void peek_reads_beside_a_writer(void **state)
{
	struct journal *j = open_it();
	struct journal_entry *e = xcalloc(1, sizeof(*e));

	(void)state;
	assert_false(journal_peek(dir, "shop", e));
	add_epoch(j, "shop", 5);
	assert_true(journal_peek(dir, "shop", e));
	assert_int_equal(e->record.v.epoch, 5);
	assert_false(journal_peek(dir, "blog", e));
	assert_false(journal_peek("/nonexistent", "shop", e));
	journal_close(&j);
	free(e);
}

/* Whatever was durable before the torn entry is read, and the journal goes on from there. */
static void torn_at_every_byte(void **state)
{
	struct journal *j = open_it();
	size_t two, three, n;
	char *text;

	(void)state;
	add_epoch(j, "shop", 1);
	add_epoch(j, "blog", 2);
	free(read_all(&two));
	add_epoch(j, "shop", 3);
	journal_close(&j);
	text = read_all(&three);
	for (size_t cut = two; cut <= three; cut++) {
		write_all(text, cut);
		j = open_it();
		assert_int_equal(last_epoch(j, "shop"), cut == three ? 3 : 1);
		assert_int_equal(last_epoch(j, "blog"), 2);
		add_epoch(j, "shop", 4);
		journal_close(&j);
		j = open_it();
		assert_int_equal(last_epoch(j, "shop"), 4);
		journal_close(&j);
		free(read_all(&n));
		assert_true(n >= two);
	}
	free(text);
}

/* A flipped bit costs its own line and no other. */
static void a_flipped_bit_anywhere(void **state)
{
	struct journal *j = open_it();
	size_t one, two, all;
	char *text;

	(void)state;
	add_epoch(j, "shop", 1);
	free(read_all(&one));
	add_epoch(j, "shop", 2);
	free(read_all(&two));
	add_epoch(j, "blog", 3);
	journal_close(&j);
	text = read_all(&all);
	for (size_t at = one; at < two; at++) {
		char was = text[at];

		text[at] ^= (char)(1 << at % 7);
		write_all(text, all);
		j = open_it();
		assert_int_equal(last_epoch(j, "shop"), 1);
		/* the newline itself: then two lines are one bad one */
		assert_int_equal(last_epoch(j, "blog"), at == two - 1 ? 0 : 3);
		journal_close(&j);
		text[at] = was;
	}
	free(text);
}

static void it_is_rewritten_when_it_grows_and_loses_nothing(void **state)
{
	struct journal *j = open_it();
	struct condemned_set *set = xcalloc(1, sizeof(*set));
	struct told t = { 0 };
	struct stat st;
	int added = 0;
	ino_t before;

	(void)state;
	add_epoch(j, "blog", 77);
	assert_int_equal(stat(file, &st), 0);
	before = st.st_ino;
	for (int i = 0; i < 6000; i++) {
		struct journal_entry e = entry("shop", (uint64_t)i + 1);

		if (i % 100 == 0)
			TEXT_FORMAT(e.condemn.release, "r%d", i);
		journal_add(j, &e, on_done, &t);
		added++;
		if (i % 200 == 0)
			while (t.durable + t.not < added)
				ev_run(EV_DEFAULT, EVRUN_ONCE);
	}
	journal_close(&j);
	assert_int_equal(t.durable, added);
	assert_int_equal(stat(file, &st), 0);
	assert_true(st.st_ino != before);
	assert_true(st.st_size < 3 * JOURNAL_REWRITE_AT);
	j = open_it();
	assert_int_equal(last_epoch(j, "shop"), 6000);
	assert_int_equal(last_epoch(j, "blog"), 77);
	journal_condemned(j, "shop", set);
	assert_int_equal(set->n, 60);
	journal_close(&j);
	free(set);
}

/* A limit on the file's size stands in for a full disk: what was not written is said so, and does not come back. */
static void a_full_disk_is_told_and_survived(void **state)
{
	struct journal *j = open_it();
	struct journal_entry e = entry("shop", 2);
	struct rlimit was, small;
	struct told t = { 0 };
	struct stat st;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	add_epoch(j, "shop", 1);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = was;
	small.rlim_cur = (rlim_t)st.st_size + 40; /* room for a part of the line */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	journal_add(j, &e, on_done, &t);
	while (!t.durable && !t.not)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(t.not, 1);
	assert_int_equal(last_epoch(j, "shop"), 2); /* this process knows it all the same */
	add_epoch(j, "shop", 3);
	journal_close(&j);
	j = open_it();
	assert_int_equal(last_epoch(j, "shop"), 3);
	journal_close(&j);
}

static void closing_answers_what_is_waiting(void **state)
{
	struct journal *j = open_it();
	struct told t = { 0 };

	(void)state;
	for (int i = 0; i < 50; i++) {
		struct journal_entry e = entry("shop", (uint64_t)i + 1);

		journal_add(j, &e, on_done, &t);
	}
	journal_close(&j);
	assert_int_equal(t.durable, 50);
}

/* A whole line that is no entry of ours (another version's, say) hides nothing. */
static void foreign_lines_hide_nothing(void **state)
{
	static const char *const foreign[] = { "{}", "[]", "7", "{\"service\":\"shop\"}", "{\"service\":\"../etc\"}",
					       "{\"service\":\"shop\",\"kind\":\"committed\",\"base\":\"0.0\",\"record\":{\"rev\":\"x\"}}" };
	struct journal *j = open_it();
	struct buf b = BUF_INIT(1 << 20);
	size_t n;
	char *text;

	(void)state;
	add_epoch(j, "shop", 6);
	journal_close(&j);
	text = read_all(&n);
	assert_true(buf_add(&b, text, n));
	free(text);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		assert_true(journal_line(&b, foreign[i], strlen(foreign[i])));
	write_all(buf_str(&b), b.len);
	buf_free(&b);
	j = open_it();
	assert_int_equal(last_epoch(j, "shop"), 6);
	journal_close(&j);
	struct journal_entry *e = xcalloc(1, sizeof(*e));

	assert_true(journal_peek(dir, "shop", e));
	assert_int_equal(e->record.v.epoch, 6);
	free(e);
}

static void a_crc_that_is_known(void **state)
{
	(void)state;
	assert_int_equal(journal_crc("123456789", 9), 0xcbf43926);
}

/* No other file than a regular one, no directory that is not there: said, not guessed. */
static void bad_places_are_named(void **state)
{
	char error[200] = "";

	(void)state;
	assert_null(journal_open(EV_DEFAULT, "/nonexistent/x", error, sizeof(error)));
	assert_non_null(strstr(error, "/nonexistent/x"));
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_null(journal_open(EV_DEFAULT, dir, error, sizeof(error)));
	assert_non_null(strstr(error, "regular"));
}

#ifdef SWITCHD_FAILPOINTS
static int add_two(const char *where)
{
	struct told t = { 0 };
	char error[200];
	struct journal *j = journal_open(EV_DEFAULT, where, error, sizeof(error));

	for (int n = 1; j && n <= 2; n++) {
		struct journal_entry e = entry("shop", (uint64_t)n);

		journal_add(j, &e, on_done, &t);
		while (t.durable + t.not < n)
			ev_run(EV_DEFAULT, EVRUN_ONCE);
	}
	return 1;
}

/* Killed right before the write or right after the sync: the entry is whole or not there. */
static void killed_at_each_failpoint(void **state)
{
	static const struct { const char *point; uint64_t want; } rows[] = {
		{ "journal.before-write:kill@2", 1 }, { "journal.after-fsync:kill@2", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			/* The list of failpoints is read once a process: a new one. */
			setenv("SWITCHD_FP", rows[i].point, 1);
			execl("/proc/self/exe", "journal", dir, (char *)NULL);
			_exit(127);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		struct journal *j = open_it();

		assert_int_equal(last_epoch(j, "shop"), rows[i].want);
		journal_close(&j);
		unlink(file);
	}
}
#endif

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(what_was_added_is_there_after_a_restart),
		T(what_was_read_as_condemned_is_there_after_a_restart),
		T(one_writer_at_a_time),
		T(peek_reads_beside_a_writer),
		T(torn_at_every_byte),
		T(a_flipped_bit_anywhere),
		T(it_is_rewritten_when_it_grows_and_loses_nothing),
		T(a_full_disk_is_told_and_survived),
		T(closing_answers_what_is_waiting),
		T(foreign_lines_hide_nothing),
		T(a_crc_that_is_known),
		T(bad_places_are_named),
#ifdef SWITCHD_FAILPOINTS
		T(killed_at_each_failpoint),
#endif
	};

	log_least = LOG_LV_ERROR + 1;
#ifdef SWITCHD_FAILPOINTS
	if (argc == 2)
		return add_two(argv[1]);
#endif
	(void)argc;
	(void)argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
