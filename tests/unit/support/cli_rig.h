/* SPDX-License-Identifier: MIT
 * cli_rig.h - for tests/unit/cli.c: switchctl in a child process with its streams in files, and a little
 * API server in another that answers by a script and writes down what it was asked. */
#ifndef TESTS_UNIT_CLI_RIG_H
#define TESTS_UNIT_CLI_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* The first row that fits answers; times: so often (0 = always).  status 0: hangs up without an answer. */
struct row { const char *method, *path; int status; const char *body; int times; };

enum { MOST_ROWS = 16, LOG_SIZE = 256 * 1024 };

static struct shared { int used[MOST_ROWS]; size_t len; char log[LOG_SIZE]; } *shared;

static struct cli_rig { char dir[64], sock[96], out[96], err[96]; char *said, *complained; pid_t server; } rig;

static void serve_one(int fd, const struct row *rows)
{
	char in[16384], head[256], method[16] = "", path[512] = "";
	size_t n = 0;
	ssize_t got;
	const char *end = NULL, *len;

	while (n < sizeof(in) - 1 && !end && (got = read(fd, in + n, sizeof(in) - 1 - n)) > 0) {
		n += (size_t)got;
		in[n] = '\0';
		end = strstr(in, "\r\n\r\n");
	}
	len = end ? strstr(in, "Content-Length: ") : NULL;
	while (len && n < (size_t)(end + 4 - in) + strtoul(len + 16, NULL, 10) && (got = read(fd, in + n, sizeof(in) - 1 - n)) > 0)
		n += (size_t)got;
	in[n] = '\0';
	sscanf(in, "%15s %511s", method, path);
	if (shared->len + n + 2 < LOG_SIZE) {
		memcpy(shared->log + shared->len, in, n);
		shared->len += n;
		shared->log[shared->len++] = '\n';
	}
	for (size_t i = 0; rows[i].method; i++) {
		if (strcmp(rows[i].method, method) != 0 || strncmp(rows[i].path, path, strlen(rows[i].path)) != 0 ||
		    (rows[i].times && shared->used[i] >= rows[i].times))
			continue;
		shared->used[i]++;
		if (!rows[i].status)
			return;
		int h = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
				 rows[i].status, strlen(rows[i].body));

		if (write(fd, head, (size_t)h) < 0 || write(fd, rows[i].body, strlen(rows[i].body)) < 0)
			return;
		return;
	}
	static const char none[] = "HTTP/1.1 404 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

	if (write(fd, none, sizeof(none) - 1) < 0)
		return;
}

static void server_end(void)
{
	if (rig.server > 0) {
		kill(rig.server, SIGKILL);
		waitpid(rig.server, NULL, 0);
	}
	rig.server = 0;
	unlink(rig.sock);
}

static void server(const struct row *rows)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	server_end();
	memset(shared, 0, sizeof(*shared));
	TEXT_COPY(un.sun_path, rig.sock);
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0 && listen(fd, 64) == 0);
	rig.server = fork();
	if (rig.server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		for (;;) {
			int c = accept(fd, NULL, NULL);

			if (c >= 0) {
				serve_one(c, rows);
				close(c);
			}
		}
	}
	close(fd);
}

static char *slurp(const char *path)
{
	struct buf b = BUF_INIT(1024 * 1024);
	char chunk[8192];
	size_t n;
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&b, chunk, n);
	fclose(f);
	buf_str(&b);
	return buf_take(&b);
}

static void redirect(const char *path, int to)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || dup2(fd, to) < 0)
		_exit(98);
	close(fd);
}

/* The child must end by itself; a hang is a failure, not a wait for ever. */
static int run_argv(char **argv)
{
	int argc = 0, status;
	pid_t pid;

	while (argv[argc])
		argc++;
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		if (null < 0 || dup2(null, 0) < 0)
			_exit(98);
		redirect(rig.out, 1);
		redirect(rig.err, 2);
		exit(cli_main(argc, argv)); /* exit: the leak check of a sanitizer build is part of the test */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	free(rig.said);
	free(rig.complained);
	rig.said = slurp(rig.out);
	rig.complained = slurp(rig.err);
	if (strstr(rig.complained, "Sanitizer") || strstr(rig.complained, "runtime error"))
		fail_msg("%s: %s", argv[1] ? argv[1] : "", rig.complained);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Blank-separated words; "words in quotes" stay together. */
static int run(const char *line)
{
	char text[1024], *argv[48] = { (char *)(uintptr_t)"switchctl" }, *p = text;
	int n = 1, ex;

	assert_true(TEXT_COPY(text, line));
	while (*p && n < 47) {
		char stop = *p == '"' ? '"' : ' ';

		p += stop == '"';
		argv[n++] = p;
		p += strcspn(p, stop == '"' ? "\"" : " ");
		if (*p)
			*p++ = '\0';
		p += strspn(p, " ");
	}
	argv[n] = NULL;
	ex = run_argv(argv);
	return ex;
}

static void expect(const char *line, int ex)
{
	int got = run(line);

	if (got != ex)
		fail_msg("switchctl %s: exit %d, want %d\nstdout: %s\nstderr: %s", line, got, ex, rig.said, rig.complained);
}

static bool asked(const char *text) { return strstr(shared->log, text) != NULL; }

static int rig_begin(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	TEXT_COPY(rig.dir, "/tmp/cli.XXXXXX");
	assert_non_null(mkdtemp(rig.dir));
	TEXT_FORMAT(rig.sock, "%s/s", rig.dir);
	TEXT_FORMAT(rig.out, "%s/out", rig.dir);
	TEXT_FORMAT(rig.err, "%s/err", rig.dir);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	char url[128];

	TEXT_FORMAT(url, "unix:%s", rig.sock);
	setenv("SWITCHD_URL", url, 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	unsetenv("SWITCHD_CONFIG");
	unsetenv("SWITCHD_TOKEN_FILE");
	unsetenv("NO_COLOR");
	unsetenv("FORCE_COLOR");
	return 0;
}

static int rig_end(void **state)
{
	static const char *const files[] = { "out", "err", "token", "env", "switchd.yaml" };
	char path[160];

	(void)state;
	server_end();
	munmap(shared, sizeof(*shared));
	free(rig.said);
	free(rig.complained);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		TEXT_FORMAT(path, "%s/%s", rig.dir, files[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(rig.dir), 0);
	return 0;
}

#endif
