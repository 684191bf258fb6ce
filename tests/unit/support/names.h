/* SPDX-License-Identifier: MIT
 * names.h - names that are ours: a test decides what resolves, to what, and when.
 *
 * "hang..." hangs until let_names_go(), "local.test" is the loopback, "two.test" is two addresses of which the first has
 * nobody behind it; every other does not exist.  Included by one C file per test program. */
#ifndef TESTS_UNIT_SUPPORT_NAMES_H
#define TESTS_UNIT_SUPPORT_NAMES_H

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef MAYBE
#define MAYBE __attribute__((unused))
#endif

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_cond = PTHREAD_COND_INITIALIZER;
static bool hang_over;
static int hanging;

MAYBE static bool names_gone;         /* nothing has an address any more */

static struct addrinfo *an_address(uint32_t ip, const struct addrinfo *hints, struct addrinfo *next)
{
	struct addrinfo *a = calloc(1, sizeof(*a) + sizeof(struct sockaddr_in));
	struct sockaddr_in *in = (void *)(a + 1);

	*in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip) };
	*a = (struct addrinfo){ .ai_family = AF_INET, .ai_socktype = hints ? hints->ai_socktype : SOCK_STREAM, .ai_addrlen = sizeof(*in),
				.ai_addr = (void *)in, .ai_next = next };
	return a;
}

/* The resolver's threads find this one before the C library's: no resolv.conf is touched. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res);
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	int rc = EAI_NONAME;

	pthread_mutex_lock(&names_lock);
	if (strncmp(node, "hang", 4) == 0) {
		hanging++;
		while (!hang_over)
			pthread_cond_wait(&names_cond, &names_lock);
		hanging--;
		pthread_cond_broadcast(&names_cond);
	}
	bool gone = names_gone;

	pthread_mutex_unlock(&names_lock);
	(void)service;
	if (gone)
		return EAI_AGAIN;
	if (strcmp(node, "local.test") == 0 || strcmp(node, "hang-once.test") == 0) {
		*res = an_address(INADDR_LOOPBACK, hints, NULL);
		rc = 0;
	} else if (strcmp(node, "two.test") == 0) { /* the first has nobody behind it */
		*res = an_address(INADDR_LOOPBACK + 1, hints, an_address(INADDR_LOOPBACK, hints, NULL));
		rc = 0;
	}
	return rc;
}

void freeaddrinfo(struct addrinfo *a)
{
	while (a) {
		struct addrinfo *next = a->ai_next;

		free(a);
		a = next;
	}
}

MAYBE static void let_names_go(void)
{
	pthread_mutex_lock(&names_lock);
	hang_over = true;
	pthread_cond_broadcast(&names_cond);
	while (hanging)
		pthread_cond_wait(&names_cond, &names_lock);
	hang_over = false;
	pthread_mutex_unlock(&names_lock);
}

MAYBE static int hanging_now(void)
{
	pthread_mutex_lock(&names_lock);
	int n = hanging;
	pthread_mutex_unlock(&names_lock);
	return n;
}

#endif
