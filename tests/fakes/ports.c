/* SPDX-License-Identifier: MIT
 * ports.c - prints N free TCP ports of 127.0.0.1, one line each.
 *
 *   ports N [LOW HIGH]
 *
 * Binding port 0 would give ports of the ephemeral range, where any outgoing connection may sit on
 * one while its owner is down for a moment: a killed target or proxy could not come back.  So
 * candidates lie below that range; each was bound and found free.  Start is random. */
#include "tests/fakes/fake.h"

static bool is_free(long port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	bool ok = bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 1) == 0;
	close(fd);
	return ok;
}

int main(int argc, char **argv)
{
	long want = argc > 1 ? number("N", argv[1], 1, 200) : 1, low = 12000, high = 32000, eph = 0;

	if (argc > 3) {
		low = number("LOW", argv[2], 1024, 65000);
		high = number("HIGH", argv[3], low + want, 65535);
	} else {
		FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");

		if (f && fscanf(f, "%ld", &eph) == 1 && eph > low + 2000 && eph < high)
			high = eph;
		if (f)
			fclose(f);
	}
	uint64_t x = (uint64_t)now_us() * 2654435761u ^ (uint64_t)getpid() << 20;
	long span = high - low, at = (long)((x >> 16) % (uint64_t)span), tried = 0;
	for (long got = 0; got < want; at = (at + 1) % span) {
		if (tried++ > span)
			die("ports: no %ld free ports from %ld to %ld", want, low, high);
		if (is_free(low + at)) {
			printf("%ld\n", low + at);
			got++;
		}
	}
	return 0;
}
