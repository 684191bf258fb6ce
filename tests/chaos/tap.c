/* SPDX-License-Identifier: MIT
 * tap.c - every command that a redis-server was given, as MONITOR tells it.
 *
 *   tap --to 127.0.0.1:6379 --log FILE [--password-file FILE]
 *
 * A witness that is neither switchd nor its archive: who committed what, under which term.  It comes
 * back whenever the server does; what was missed is between `-- lost` and `-- there`.  One line each:
 *   US  TEXT       cut after 3000 bytes (documents are long, what identifies them stands in front) */
#include <getopt.h>
#include <signal.h>

#include "tests/chaos/wire.h"

enum { LINE = 3000 };
static volatile sig_atomic_t over;
static void on_end(int sig) { (void)sig; over = 1; }
static char line[LINE + 1];
static size_t n_line;

static void take(FILE *log, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n') {
			line[n_line] = '\0';
			if (n_line && line[0] == '+')
				fprintf(log, "%lld\t%s\n", (long long)now_us(), line + 1);
			else if (n_line)
				fprintf(log, "%lld\t-- %s\n", (long long)now_us(), line);
			n_line = 0;
		} else if (n_line < LINE && s[i] != '\r')
			line[n_line++] = s[i] == '\t' ? ' ' : s[i];
	}
}

/* AUTH is told by MONITOR to nobody. */
static void listen_to(FILE *log, const char *to, const char *ask, size_t n)
{
	enum wire how;
	int fd = wire_connect(to, now_us() + 500000, &how);
	static char buf[65536];

	if (fd < 0)
		return;
	if (send(fd, ask, n, MSG_NOSIGNAL) == (ssize_t)n) {
		fprintf(log, "%lld\t-- there\n", (long long)now_us());
		n_line = 0;
		while (!over) {
			if (!wire_wait(fd, POLLIN, now_us() + 200000))
				continue;
			ssize_t r = read(fd, buf, sizeof(buf));
			if (r < 0 && (errno == EINTR || errno == EAGAIN))
				continue;
			if (r <= 0)
				break;
			take(log, buf, (size_t)r);
		}
		fprintf(log, "%lld\t-- lost\n", (long long)now_us());
	}
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "to", 1, NULL, 't' }, { "log", 1, NULL, 'l' }, { "password-file", 1, NULL, 'p' }, { 0 } };
	const char *to = NULL;
	char ask[512] = "", password[200] = "";
	FILE *log = stdout, *f;
	size_t n = 0;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 't': to = optarg; break;
		case 'l': if (!(log = fopen(optarg, "a"))) die("%s: %s", optarg, strerror(errno)); break;
		case 'p':
			if (!(f = fopen(optarg, "r")) || !fgets(password, sizeof(password), f))
				die("%s: %s", optarg, strerror(errno));
			fclose(f);
			password[strcspn(password, "\r\n")] = '\0';
			n = (size_t)snprintf(ask, sizeof(ask), "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n", strlen(password), password);
			break;
		default: die("usage: tap --to HOST:PORT --log FILE");
		}
	if (!to)
		die("tap: --to is needed");
	n += (size_t)snprintf(ask + n, sizeof(ask) - n, "*1\r\n$7\r\nMONITOR\r\n");
	struct sigaction end = { .sa_handler = on_end };
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(log, NULL, _IOLBF, 0);
	while (!over) {
		listen_to(log, to, ask, n);
		usleep(20000);
	}
	fclose(log);
	return 0;
}
