/* SPDX-License-Identifier: MIT
 * haproxy_cli.h - one command to HAProxy's runtime API, with a deadline of its own.
 *
 * One command is one connection: HAProxy closes it after the answer, so that a failure of
 * any kind leaves nothing behind, and after a reload the next command reaches the new
 * worker (a connection kept in prompt mode would go on talking to the old one).
 * Loop thread only.  done() is called exactly once, never from inside hap_send, and not
 * at all after hap_cancel; its reply is BORROWED for the call. */
#ifndef SWITCHD_PROXY_HAPROXY_CLI_H
#define SWITCHD_PROXY_HAPROXY_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ev_loop;
struct hap_cmd;

enum { HAP_REPLY_MAX = 1024 * 1024, HAP_COMMAND_MAX = 4096 };

enum hap_end {
	HAP_OK,                 /* a whole answer: what it says is another matter */
	HAP_ABSENT, HAP_DENIED,
	HAP_TIMEOUT,            /* connected or not: no whole answer in time */
	HAP_HALF,               /* closed before the answer was whole */
	HAP_TOO_LARGE,
	HAP_BAD_ADDRESS,        /* neither a path that fits nor a numeric host:port */
	HAP_LOCAL,              /* our own limit (file descriptors): nothing was sent */
	HAP_FENCED,             /* may() said no when the connection stood: nothing was sent */
};

struct hap_reply {
	enum hap_end end;
	const char *text;       /* NUL-terminated; may hold what had come when it ended badly */
	size_t len;
	const char *why;        /* a sentence unless HAP_OK */
	int64_t us;
};
typedef void hap_done_fn(void *arg, const struct hap_reply *);

/* The last look before the first byte of a write goes out, however long the connection took.  Gets the arg of done. */
typedef bool hap_may_fn(void *arg);

/* socket: an absolute path, or host:port with a numeric host or "localhost" (no resolver on the loop).
 * command: one line without its end; must hold no ';', line end or control byte (checked: a bug aborts).
 * may: NULL = it may. */
struct hap_cmd *hap_send(struct ev_loop *, const char *socket, const char *command, int64_t timeout_ms, hap_may_fn *may, hap_done_fn *, void *arg);
void hap_cancel(struct hap_cmd **);

#endif
