/* SPDX-License-Identifier: MIT
 * hostile_dns.h - a name server that misbehaves: the first label of a name says how. In namespaces of its own: its address is that
 * of the machine's resolver for nobody but this process and its children. */
#ifndef TESTS_UNIT_SUPPORT_HOSTILE_DNS_H
#define TESTS_UNIT_SUPPORT_HOSTILE_DNS_H

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/unit/support/hostile.h"

static inline bool dns_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static inline bool dns_over(const char *dir, const char *path, const char *text)
{
	char mine[128], real[4096];

	snprintf(mine, sizeof(mine), "%s/%s", dir, strrchr(path, '/') + 1);
	return dns_write(mine, text) && realpath(path, real) && mount(mine, real, NULL, MS_BIND, NULL) == 0;
}

/* A network with nothing but a loopback, and files of /etc of our own. NULL, or what could not be had. Before any thread. */
static inline const char *dns_namespaces(const char *dir)
{
	struct ifreq lo = { .ifr_name = "lo" };
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWNS | CLONE_NEWNET)) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET))
			return "no namespaces can be had here";
		snprintf(map, sizeof(map), "0 %u 1", uid);
		dns_write("/proc/self/setgroups", "deny");
		if (!dns_write("/proc/self/uid_map", map))
			return "no user can be mapped here";
		snprintf(map, sizeof(map), "0 %u 1", gid);
		dns_write("/proc/self/gid_map", map);
	}
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	lo.ifr_flags = IFF_UP | IFF_RUNNING;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		return "no loopback can be brought up here";
	close(fd);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "no mount can be made here";
	if (!dns_over(dir, "/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"))
		return "resolv.conf cannot be another one here";
	(void)dns_over(dir, "/etc/nsswitch.conf", "hosts: dns\n"); /* without that file it is so already */
	return NULL;
}

static inline size_t dns_address(unsigned char *p, unsigned char last)
{
	const unsigned char a[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, last };

	memcpy(p, a, sizeof(a));
	return sizeof(a);
}

/* The answer in q's place, or 0: none. asked: how often an address of a name that changes was asked for. */
static inline size_t dns_answer(unsigned char *q, size_t n, int *asked)
{
	size_t at = 12, end = 12;
	char how[64] = "";
	unsigned char flags = 0x84, rcode = 0, answers = 0;

	while (end < n && q[end])
		end += q[end] + 1u;
	if (n < 17 || end + 5 > n || q[at] >= sizeof(how))
		return 0;
	memcpy(how, q + at + 1, q[at]);
	bool a = q[end + 2] == 1; /* not AAAA */
	n = end + 5;
#define IS(s) (strcmp(how, s) == 0)
	if (IS("hang"))
		return 0;
	if (IS("garbage")) {
		memset(q + 2, 0xff, n - 2);
		return n;
	}
	if (IS("nx"))
		rcode = 3;
	else if (IS("servfail"))
		rcode = 2;
	else if (IS("refused"))
		rcode = 5;
	else if (IS("truncated"))
		flags |= 2; /* and nobody listens on TCP */
	else if (IS("loop")) {
		static const unsigned char self[] = { 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 0, 0, 2, 0xc0, 12 };

		memcpy(q + n, self, sizeof(self));
		n += sizeof(self);
		answers = 1;
	} else if (IS("many") && a) {
		for (answers = 0; answers < 25; answers++)
			n += dns_address(q + n, (unsigned char)(100 + answers));
	} else if (IS("second") && a) {
		n += dns_address(q + n, 77);
		n += dns_address(q + n, 1);
		answers = 2;
	} else if (IS("changes") && a) {
		n += dns_address(q + n, (*asked)++ % 2 ? 77 : 1);
		answers = 1;
	} else if (IS("good") && a) {
		n += dns_address(q + n, 1);
		answers = 1;
	}
#undef IS
	q[2] = flags;
	q[3] = (unsigned char)(0x80 | rcode);
	memset(q + 4, 0, 8);
	q[5] = 1;
	q[7] = answers;
	return n;
}

/* Its pid, or 0: port 53 cannot be had. */
static inline pid_t dns_start(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(53) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), asked = 0;
	pid_t pid;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		return 0;
	fflush(NULL);
	pid = fork();
	if (pid) {
		close(fd);
		return pid > 0 ? pid : 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		unsigned char q[1500];
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, q, 512, 0, (struct sockaddr *)&from, &len);
		size_t m = n > 0 ? dns_answer(q, (size_t)n, &asked) : 0;

		if (m)
			sendto(fd, q, m, 0, (struct sockaddr *)&from, len);
	}
}

#endif
