/* SPDX-License-Identifier: MIT
 * host.c - what this host lets others do, by stat(), statvfs() and adjtimex(). */
#include "switchd/proxy/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "switchd/base/must.h"

enum { ROOM_WARN_MB = 256, ROOM_BAD_MB = 16, FILES_WARN = 1000 };

static const char *const names[] = { "ok", "warn", "bad", "not checked" };
_Static_assert(ARRAY_LEN(names) == N_FINDINGS, "a finding without a name");

const char *finding_name(enum finding f) { return (size_t)f < N_FINDINGS ? names[f] : "?"; }

struct told { finding_fn *fn; void *arg; };

static void tell(const struct told *t, const char *check, enum finding f, const char *says, const char *fix) { t->fn(t->arg, check, f, says, fix); }

static void folder_of(const char *path, char out[512])
{
	const char *slash = strrchr(path, '/');

	if (!slash || !text_copy_n(out, 512, path, slash == path ? 1 : (size_t)(slash - path)))
		text_copy(out, 512, ".");
}

/* Who may write there may put another file in its place; the sticky bit forbids that. */
static bool folder_open(const char *path)
{
	char dir[512];
	struct stat st;

	folder_of(path, dir);
	return stat(dir, &st) == 0 && (st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX);
}

/* ---- directories ---- */

static void directory(const struct told *t, const char *check, const char *path)
{
	struct statvfs v;
	struct stat st;
	char says[600], fix[600] = "";
	enum finding f = FIND_OK;

	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		TEXT_FORMAT(says, "%s is no directory: %s", path, strerror(errno == 0 || S_ISREG(st.st_mode) ? ENOTDIR : errno));
		TEXT_FORMAT(fix, "make it, owned by switchd's user");
		tell(t, check, FIND_BAD, says, fix);
		return;
	}
	if (statvfs(path, &v) != 0) {
		TEXT_FORMAT(says, "%s: %s", path, strerror(errno));
		tell(t, check, FIND_UNCHECKED, says, "");
		return;
	}
	unsigned long long mb = (unsigned long long)v.f_bavail * v.f_frsize >> 20;

	TEXT_FORMAT(says, "%s: %llu MiB free", path, mb);
	if (access(path, W_OK) != 0) {
		f = FIND_BAD;
		TEXT_FORMAT(says, "%s cannot be written by this user: %s", path, strerror(errno));
		TEXT_FORMAT(fix, "chown it to switchd's user; is the disk mounted read-only?");
	} else if (st.st_mode & S_IWOTH) {
		f = FIND_BAD;
		TEXT_FORMAT(says, "%s can be written by everybody on this host", path);
		TEXT_FORMAT(fix, "chmod o-w %s", path);
	} else if (mb < ROOM_WARN_MB || (v.f_files && v.f_favail < FILES_WARN)) {
		f = mb < ROOM_BAD_MB || (v.f_files && !v.f_favail) ? FIND_BAD : FIND_WARN;
		TEXT_FORMAT(says, "%s: %llu MiB and %llu files free", path, mb, (unsigned long long)v.f_favail);
		TEXT_FORMAT(fix, "make room: a full disk ends journal and archive, and with the embedded Redis every commit");
	}
	tell(t, check, f, says, fix);
}

/* ---- files that hold secrets, or are believed ---- */

static void file(const struct told *t, const char *check, const char *path, bool secret)
{
	struct stat st;
	char says[600], fix[600] = "";
	enum finding f = FIND_OK;

	if (!path || path[0] != '/')
		return;
	TEXT_FORMAT(says, "%s is %s", path, secret ? "nobody else's to read" : "nobody else's to write");
	if (stat(path, &st) != 0) {
		f = errno == EACCES ? FIND_UNCHECKED : FIND_WARN;
		TEXT_FORMAT(says, "%s: %s", path, strerror(errno));
		TEXT_COPY(fix, f == FIND_WARN ? "the configuration names it" : "");
	} else if (st.st_mode & S_IWOTH) {
		f = FIND_BAD;
		TEXT_FORMAT(says, "%s can be written by everybody on this host", path);
		TEXT_FORMAT(fix, "chmod o-w %s", path);
	} else if (folder_open(path)) {
		f = FIND_BAD;
		TEXT_FORMAT(says, "%s can be replaced by everybody: its directory is open", path);
		TEXT_FORMAT(fix, "chmod o-w the directory");
	} else if (secret && (st.st_mode & S_IROTH)) {
		f = FIND_BAD;
		TEXT_FORMAT(says, "%s can be read by everybody on this host", path);
		TEXT_FORMAT(fix, "chmod 0640 %s, in the group of switchd", path);
	} else if (st.st_mode & S_IWGRP) {
		f = FIND_WARN;
		TEXT_FORMAT(says, "%s can be written by its group (%ld)", path, (long)st.st_gid);
		TEXT_FORMAT(fix, "chmod g-w %s", path);
	}
	tell(t, check, f, says, fix);
}

static void feature_files(const struct told *t, const char *check, const struct service_config *s)
{
	for (int k = BLUE; k <= GREEN; k++)
		file(t, check, s->slot[k].tls.key_file, true);
	file(t, check, s->front_tls.key_file, true);
	for (size_t i = 0; i < s->n_features; i++) {
		file(t, check, s->features[i].auth.password_file, true);
		file(t, check, s->features[i].auth.bearer_file, true);
	}
}

/* ---- proxies ---- */

static bool socket_seen(const struct config *cfg, size_t service, size_t proxy)
{
	const char *mine = cfg->services[service].proxies[proxy].socket;

	for (size_t i = 0; i <= service; i++)
		for (size_t k = 0; k < (i == service ? proxy : cfg->services[i].n_proxies); k++)
			if (cfg->services[i].proxies[k].socket && strcmp(cfg->services[i].proxies[k].socket, mine) == 0)
				return true;
	return false;
}

/* host:port. */
static void socket_far(const struct told *t, const char *check, const char *where)
{
	bool near = text_starts(where, "127.") || text_starts(where, "localhost:") || text_starts(where, "[::1]:");
	char says[600];

	TEXT_FORMAT(says, "HAProxy takes commands over TCP at %s: %s", where, near ? "every user of this host may move traffic" : "whoever reaches it may move traffic");
	tell(t, check, near ? FIND_WARN : FIND_BAD, says, "stats socket /run/haproxy/admin.sock mode 660 group haproxy level admin");
}

static void socket_near(const struct told *t, const char *check, const char *path)
{
	struct stat st;
	char says[600];

	if (stat(path, &st) != 0) {
		TEXT_FORMAT(says, "%s: %s", path, strerror(errno));
		tell(t, check, errno == EACCES ? FIND_UNCHECKED : FIND_WARN, says, errno == EACCES ? "" : "is HAProxy running, with that stats socket?");
	} else if (!S_ISSOCK(st.st_mode)) {
		TEXT_FORMAT(says, "%s is no socket", path);
		tell(t, check, FIND_BAD, says, "name HAProxy's stats socket in the configuration");
	} else if ((st.st_mode & S_IWOTH) || folder_open(path)) {
		TEXT_FORMAT(says, "everybody on this host may command HAProxy through %s (mode %03o)", path, st.st_mode & 0777);
		tell(t, check, FIND_BAD, says, "stats socket ... mode 660 group haproxy, in a directory that others cannot write");
	} else {
		TEXT_FORMAT(says, "%s: mode %03o, user %ld, group %ld; its level cannot be read from here", path, st.st_mode & 0777, (long)st.st_uid, (long)st.st_gid);
		tell(t, check, FIND_OK, says, "");
	}
}

static void map_file(const struct told *t, const char *check, const char *path)
{
	struct stat st;
	char says[600];

	if (!path || path[0] != '/')
		return;
	if (stat(path, &st) == 0) {
		file(t, check, path, false);
		return;
	}
	TEXT_FORMAT(says, "%s: %s", path, strerror(errno));
	tell(t, check, errno == EACCES ? FIND_UNCHECKED : FIND_WARN, says, errno == EACCES ? "" : "switchctl proxy init");
}

static void proxies(const struct told *t, const struct config *cfg, size_t at)
{
	const struct service_config *s = &cfg->services[at];
	char check[160];

	for (size_t i = 0; i < s->n_proxies; i++) {
		const struct proxy_config *p = &s->proxies[i];

		TEXT_FORMAT(check, "proxy %s %s", s->name, p->name);
		if (strcmp(p->type, "agent") == 0)
			continue; /* its socket and map are on the agent's host */
		if (p->socket && p->socket[0] && !socket_seen(cfg, at, i)) {
			if (p->socket[0] == '/')
				socket_near(t, check, p->socket);
			else
				socket_far(t, check, p->socket);
		}
		map_file(t, check, p->map);
		map_file(t, check, p->paths);
	}
}

/* ---- the store's address, and the clock ---- */

static bool loopback(const char *host) { return text_starts(host, "127.") || strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0; }

static void address(const struct told *t, const struct redis_config *r)
{
	bool near = r->embedded || (r->unix_path && r->unix_path[0]) || (!r->n_sentinels && loopback(r->host)), secret = r->password_file[0] != '\0';
	char says[400];

	if (near) {
		tell(t, "state address", FIND_OK, r->embedded ? "a Redis of our own, on a unix socket" : "Redis is asked on this host", "");
		return;
	}
	TEXT_FORMAT(says, "Redis is asked over a network, %s a password, %s TLS", secret ? "with" : "without", r->over_tls ? "with" : "without");
	tell(t, "state address", secret ? r->over_tls ? FIND_OK : FIND_WARN : FIND_BAD, says,
	     secret ? r->over_tls ? "" : "rediss:// or sentinels://, unless nobody else is on that network" : "state: { user:, password_file: }, and a user of docs/redis");
}

static void clock_sync(const struct told *t)
{
	struct timex x = { .modes = 0 };
	int state = adjtimex(&x);

	if (state < 0)
		tell(t, "clock", FIND_UNCHECKED, "the kernel does not say whether the clock is kept right", "");
	else if (state == TIME_ERROR || (x.status & STA_UNSYNC))
		tell(t, "clock", FIND_WARN, "nobody keeps this host's clock right, says the kernel: times in events may be wrong (no decision hangs on it)",
		     "run chrony or systemd-timesyncd");
	else
		tell(t, "clock", FIND_OK, "the kernel says that the clock is kept right", "");
}

void host_check(const struct config *cfg, finding_fn *fn, void *arg)
{
	const struct told t = { fn, arg };
	char parent[512];
	struct stat st;

	file(&t, "config file", cfg->file, false);
	directory(&t, "state_dir", cfg->state_dir);
	/* It is made when it is first written to. */
	folder_of(cfg->archive, parent);
	directory(&t, "archive", stat(cfg->archive, &st) == 0 ? cfg->archive : parent);
	file(&t, "tokens_file", cfg->tokens_file, false);
	file(&t, "state password", cfg->redis.password_file, true);
	file(&t, "state password", cfg->redis.sentinel_password_file, true);
	file(&t, "state key", cfg->redis.tls.key_file, true);
	address(&t, &cfg->redis);
	for (size_t i = 0; i < cfg->n_services; i++) {
		char check[100];

		TEXT_FORMAT(check, "secrets %s", cfg->services[i].name);
		feature_files(&t, check, &cfg->services[i]);
		proxies(&t, cfg, i);
	}
	clock_sync(&t);
}
