/* SPDX-License-Identifier: MIT
 * poll.c - who answers through a front, and by which version, ten times a second.
 *
 *   poll --to 127.0.0.1:8080 --service shop --log FILE [--every 100] [--timeout 1000]
 *
 * Asks like a probe does (X-Switchd-Probe), each time on a new connection.  One line each:
 *   BEGIN_US  END_US  STATUS|refused|reset|closed|timeout  X-Switchd  X-App-Slot  X-App-Release */
#include <getopt.h>
#include <signal.h>
#include <strings.h>

#include "tests/chaos/wire.h"

static volatile sig_atomic_t over;
static void on_end(int sig) { (void)sig; over = 1; }

/* The value of a header, or "-". */
static void header(const char *head, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	snprintf(out, size, "-");
	for (const char *l = strstr(head, "\r\n"); l; l = strstr(l + 2, "\r\n")) {
		const char *h = l + 2;

		if (strncasecmp(h, name, n) != 0 || h[n] != ':')
			continue;
		h += n + 1;
		h += strspn(h, " ");
		snprintf(out, size, "%.*s", (int)strcspn(h, "\r\n\t"), h);
		return;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "to", 1, NULL, 't' }, { "service", 1, NULL, 's' }, { "log", 1, NULL, 'l' }, { "every", 1, NULL, 'e' }, { "timeout", 1, NULL, 'T' }, { 0 }
	};
	const char *to = NULL, *service = "shop";
	long every = 100, timeout = 1000;
	FILE *log = stdout;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 't': to = optarg; break;
		case 's': service = optarg; break;
		case 'l': if (!(log = fopen(optarg, "a"))) die("%s: %s", optarg, strerror(errno)); break;
		case 'e': every = number("--every", optarg, 1, 60000); break;
		case 'T': timeout = number("--timeout", optarg, 1, 60000); break;
		default: die("usage: poll --to HOST:PORT --service S --log FILE");
		}
	if (!to)
		die("poll: --to is needed");
	struct sigaction end = { .sa_handler = on_end };
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(log, NULL, _IOLBF, 0);

	char ask[256], got[16384], by[256], slot[64], release[96];
	size_t n = (size_t)snprintf(ask, sizeof(ask), "GET /healthz HTTP/1.1\r\nHost: %s.test\r\nX-Switchd-Probe: %s/chaos\r\nConnection: close\r\n\r\n", service, service);
	while (!over) {
		int64_t begin = now_us();
		size_t len;
		int status = 0;
		enum wire how = wire_ask(to, ask, n, got, sizeof(got), &len, timeout, NULL);
		int64_t end_us = now_us();

		if (how == WIRE_OK && sscanf(got, "HTTP/1.%*1[01] %3d", &status) == 1) {
			header(got, "X-Switchd", by, sizeof(by));
			header(got, "X-App-Slot", slot, sizeof(slot));
			header(got, "X-App-Release", release, sizeof(release));
			fprintf(log, "%lld\t%lld\t%d\t%s\t%s\t%s\n", (long long)begin, (long long)end_us, status, by, slot, release);
		} else
			fprintf(log, "%lld\t%lld\t%s\t-\t-\t-\n", (long long)begin, (long long)end_us, how == WIRE_OK ? "closed" : wire_name(how));
		int64_t left = begin + every * 1000 - now_us();
		if (left > 0)
			usleep((useconds_t)left);
	}
	fclose(log);
	return 0;
}
