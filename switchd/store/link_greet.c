/* SPDX-License-Identifier: MIT
 * link_greet.c - AUTH, SELECT and ROLE are queued before the connection stands, PING tells that it does. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "switchd/base/text.h"
#include "switchd/store/link_room.h"

void greet_failed(struct link *l, const char *step, const redisReply *r)
{
	char why[160], said[128];

	resp_said(r, said, sizeof(said));
	TEXT_FORMAT(why, "%s: %s", step, said);
	link_drop(l, why);
}

static void on_auth(void *arg, const redisReply *r)
{
	if (r && !resp_is_status(r, "OK"))
		greet_failed(arg, "AUTH", r);
}

static void on_select(void *arg, const redisReply *r)
{
	if (r && !resp_is_status(r, "OK"))
		greet_failed(arg, "SELECT", r);
}

/* A replica answers reads, and READONLY to a script that writes: it is not taken.  Who may not ask (no right to ROLE, a proxy
 * before Redis) goes on without knowing, unless a sentinel named the server: after a failover it may still name the old one. */
static void on_role(void *arg, const redisReply *r)
{
	struct link *l = arg;
	const char *role = r ? resp_text(r, 0) : "";

	if (!r || strcmp(role, "master") == 0 || (r->type == REDIS_REPLY_ERROR && !l->sentinels))
		return;
	if (strcmp(role, "slave") == 0)
		link_drop(l, "a replica: not written to");
	else if (strcmp(role, "sentinel") == 0)
		link_drop(l, "a sentinel: it keeps no data (sentinel:// is its address)");
	else
		greet_failed(l, "ROLE", r);
}

static void on_ping(void *arg, const redisReply *r)
{
	struct link *l = arg;

	if (!r)
		return;
	if (!resp_is_status(r, "PONG")) {
		greet_failed(l, "PING", r);
		return;
	}
	if (l->channels)
		subscriber_start(l);
	else
		link_came_up(l);
}

/* The file is small and local; it is read at each connection so that a rotated password needs no restart. */
static bool read_password(struct link *l, char out[512])
{
	int fd = open(l->password_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, out, 511);

	if (n < 0)
		text_format(l->why, sizeof(l->why), "password file %.120s: %s", l->password_file, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	out[n] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	return true;
}

static bool queue(struct link *l, int argc, const char *const *argv, link_reply_fn *fn)
{
	size_t lens[3];

	for (int i = 0; i < argc; i++)
		lens[i] = strlen(argv[i]);
	return link_queue(l, argc, argv, lens, fn, l);
}

bool greet(struct link *l)
{
	char db[16], password[512];
	bool ok = true;

	if (l->password_file[0]) {
		ok = read_password(l, password);
		if (ok && l->user[0])
			ok = queue(l, 3, (const char *[]){ "AUTH", l->user, password }, on_auth);
		else if (ok)
			ok = queue(l, 2, (const char *[]){ "AUTH", password }, on_auth);
		explicit_bzero(password, sizeof(password));
	}
	TEXT_FORMAT(db, "%d", l->db);
	if (ok && l->db)
		ok = queue(l, 2, (const char *[]){ "SELECT", db }, on_select);
	if (ok && !l->any_role)
		ok = queue(l, 1, (const char *[]){ "ROLE" }, on_role);
	return ok && queue(l, 1, (const char *[]){ "PING" }, on_ping);
}
