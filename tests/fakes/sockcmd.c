/* SPDX-License-Identifier: MIT
 * sockcmd.c - sends one line to a socket and prints the answer.
 *
 *   sockcmd [-t SECONDS] /path/to.sock|127.0.0.1:PORT WORD...
 *
 * Reads until the other side closes (HAProxy's runtime socket and the fakes' control sockets
 * both do after one command).  Exit 0: answered; 1: nobody there; 3: no end of answer in time;
 * 4: the fake said "error ...". */
#include "tests/fakes/fake.h"

#include <poll.h>

int main(int argc, char **argv)
{
	long seconds = 10;
	int i = 1;

	if (argc > 2 && strcmp(argv[1], "-t") == 0) {
		seconds = number("-t", argv[2], 1, 3600);
		i = 3;
	}
	if (argc - i < 2)
		die("usage: sockcmd [-t SECONDS] SOCKET WORD...");
	struct sockaddr_storage a;
	socklen_t len;

	if (!address(argv[i], &a, &len))
		die("%s: not an address", argv[i]);
	int fd = socket(a.ss_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, len) < 0) {
		fprintf(stderr, "sockcmd: %s: %s\n", argv[i], strerror(errno));
		return 1;
	}
	char line[8192];
	size_t n = 0;
	for (int k = i + 1; k < argc; k++) {
		size_t l = strlen(argv[k]);

		if (n + l + 2 >= sizeof(line))
			die("line too long");
		memcpy(line + n, argv[k], l);
		n += l;
		line[n++] = k + 1 < argc ? ' ' : '\n';
	}
	for (size_t off = 0; off < n;) {
		ssize_t w = send(fd, line + off, n - off, MSG_NOSIGNAL);

		if (w <= 0) {
			fprintf(stderr, "sockcmd: %s: %s\n", argv[i], strerror(errno));
			return 1;
		}
		off += (size_t)w;
	}
	int64_t deadline = now_us() + seconds * 1000000;
	char head[6] = "";
	size_t got = 0;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = (deadline - now_us()) / 1000;
		char buf[65536];

		if (left <= 0 || poll(&p, 1, (int)left) == 0) {
			fprintf(stderr, "sockcmd: %s: no answer in %ld s\n", argv[i], seconds);
			return 3;
		}
		ssize_t r = read(fd, buf, sizeof(buf));
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		for (ssize_t k = 0; k < r && got < sizeof(head) - 1; k++)
			head[got++] = buf[k];
		fwrite(buf, 1, (size_t)r, stdout);
	}
	return strcmp(head, "error") == 0 ? 4 : 0;
}
