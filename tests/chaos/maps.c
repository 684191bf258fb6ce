/* SPDX-License-Identifier: MIT
 * maps.c - what a running HAProxy has in its map, by its own word, twenty times a second.
 *
 *   maps --socket /path --map FILE --service shop --log FILE [--every 50]
 *
 * Asks the stats socket itself, past every relay.  The process is named by its pid, so that what it
 * held can be told from what the one before or after it held.  One line each:
 *   BEGIN_US  END_US  PID  VALUE          (PID 0 and refused|reset|closed|timeout: it did not answer) */
#include <getopt.h>
#include <signal.h>

#include "tests/chaos/wire.h"

static volatile sig_atomic_t over;
static void on_end(int sig) { (void)sig; over = 1; }

/* "0x55d0c8 shop blue:1.2:plain" */
static bool value_of(const char *text, const char *service, char *out, size_t size)
{
	size_t n = strlen(service);

	for (const char *l = strstr(text, "\n0x"); l; l = strstr(l + 1, "\n0x")) {
		const char *key = strchr(l + 1, ' ');

		if (!key || strncmp(key + 1, service, n) != 0 || key[1 + n] != ' ')
			continue;
		const char *v = key + 2 + n;
		snprintf(out, size, "%.*s", (int)strcspn(v, "\r\n\t"), v);
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", 1, NULL, 'S' }, { "map", 1, NULL, 'm' }, { "service", 1, NULL, 's' }, { "log", 1, NULL, 'l' }, { "every", 1, NULL, 'e' }, { 0 }
	};
	const char *socket_path = NULL, *map = NULL, *service = "shop";
	long every = 50;
	FILE *log = stdout;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'S': socket_path = optarg; break;
		case 'm': map = optarg; break;
		case 's': service = optarg; break;
		case 'l': if (!(log = fopen(optarg, "a"))) die("%s: %s", optarg, strerror(errno)); break;
		case 'e': every = number("--every", optarg, 1, 60000); break;
		default: die("usage: maps --socket PATH --map FILE --service S --log FILE");
		}
	if (!socket_path || !map)
		die("maps: --socket and --map are needed");
	struct sigaction end = { .sa_handler = on_end };
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(log, NULL, _IOLBF, 0);

	static char got[65536];
	char ask[1024], value[256];
	size_t n = (size_t)snprintf(ask, sizeof(ask), "show info;show map %s\n", map);
	while (!over) {
		int64_t begin = now_us();
		size_t len;
		long pid = 0;
		enum wire how = wire_ask(socket_path, ask, n, got, sizeof(got), &len, 500, NULL);
		const char *p = strstr(got, "\nPid: ");

		if (how == WIRE_OK && p && (pid = strtol(p + 6, NULL, 10)) > 0) {
			if (!value_of(got, service, value, sizeof(value)))
				snprintf(value, sizeof(value), "none");
		} else
			snprintf(value, sizeof(value), "%s", how == WIRE_OK ? "closed" : wire_name(how));
		fprintf(log, "%lld\t%lld\t%ld\t%s\n", (long long)begin, (long long)now_us(), pid, value);
		int64_t left = begin + every * 1000 - now_us();
		if (left > 0)
			usleep((useconds_t)left);
	}
	fclose(log);
	return 0;
}
