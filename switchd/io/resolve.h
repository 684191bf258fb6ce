/* SPDX-License-Identifier: MIT
 * resolve.h - the addresses of one name, looked up in a thread of its own.
 *
 * getaddrinfo() may take as long as a dead resolver likes; the loop never waits for it.
 * done() is called exactly once unless resolve_cancel() came first, never from inside the call. */
#ifndef SWITCHD_IO_RESOLVE_H
#define SWITCHD_IO_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

struct ev_loop;
struct resolve;

enum { RESOLVE_MAX = 8, RESOLVE_TEXT = 64 };

struct resolved {
	char ip[RESOLVE_MAX][RESOLVE_TEXT];
	size_t n;
	char error[160];        /* when n is 0 */
};
typedef void resolve_fn(void *arg, const struct resolved *);

/* Waits as long as the resolver does: for a thread of its own, or a program that has nothing else to do.  As many
 * as there is room for, as they came; 0: why. */
size_t resolve_now(const char *host, char (*ip)[RESOLVE_TEXT], size_t room, char *why, size_t why_size);
bool resolve_is_ip(const char *host);
struct resolve *resolve_start(struct ev_loop *, const char *host, resolve_fn *, void *arg);
void resolve_cancel(struct resolve **);

#endif
