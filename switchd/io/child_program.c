/* SPDX-License-Identifier: MIT
 * child_program.c - may we run this file?  Whoever can replace it can be us. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchd/base/text.h"
#include "switchd/io/child.h"

enum { LINKS_MAX = 40 };        /* as the kernel has it */

static bool refuse(char *why, const char *at, const char *what)
{
	char shown[200];

	text_printable(shown, sizeof(shown), at, strlen(at));
	text_format(why, CHILD_WHY, "%s %s", shown, what);
	return false;
}

static bool ours(const struct stat *st) { return st->st_uid == 0 || st->st_uid == geteuid(); }

static bool step_ok(const char *at, const struct stat *st, char *why)
{
	if (!ours(st))
		return refuse(why, at, "belongs to somebody else than root and us");
	if (S_ISLNK(st->st_mode)) /* its own mode says nothing: who may replace it is the directory's business */
		return true;
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) && !(S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX)))
		return refuse(why, at, "can be written to by others");
	return true;
}

/* Puts what the link at `done` points to before what is still to be walked. */
static bool follow(char *done, size_t cut, char *rest, char *why)
{
	char to[PATH_MAX], whole[PATH_MAX];
	ssize_t n = readlink(done, to, sizeof(to) - 1);

	if (n <= 0)
		return refuse(why, done, strerror(n ? errno : EINVAL));
	to[n] = '\0';
	if (!TEXT_FORMAT(whole, "%s/%s", to, rest) || !text_copy(rest, PATH_MAX, whole))
		return refuse(why, done, "leads to a path that is too long");
	done[to[0] == '/' ? 0 : cut] = '\0';
	return true;
}

/* Down the path, step by step, links as they come. `done` has no slash at its end; "" is the root. */
static bool walk(const char *path, char *done, struct stat *st, char *why)
{
	char rest[PATH_MAX];
	int links = 0;

	if (!TEXT_COPY(rest, path))
		return refuse(why, path, "is too long");
	if (lstat("/", st) || !step_ok("/", st, why))
		return refuse(why, "/", "can be written to by others");
	done[0] = '\0';
	for (char *p = rest; *(p += strspn(p, "/"));) {
		size_t n = strcspn(p, "/"), cut = strlen(done);

		if (!S_ISDIR(st->st_mode))
			return refuse(why, done, "is not a directory");
		if (strspn(p, ".") == n && n <= 2) { /* "." stays, ".." goes up */
			char *slash = n == 2 ? strrchr(done, '/') : NULL;

			if (slash)
				*slash = '\0';
			p += n;
			if (lstat(done[0] ? done : "/", st))
				return refuse(why, done, strerror(errno));
			continue;
		}
		if (!text_format(done + cut, PATH_MAX - cut, "/%.*s", (int)n, p))
			return refuse(why, path, "is too long");
		p += n;
		if (lstat(done, st))
			return refuse(why, done, strerror(errno));
		if (!step_ok(done, st, why))
			return false;
		if (!S_ISLNK(st->st_mode))
			continue;
		if (++links > LINKS_MAX)
			return refuse(why, path, strerror(ELOOP));
		memmove(rest, p, strlen(p) + 1);
		if (!follow(done, cut, rest, why))
			return false;
		if (lstat(done[0] ? done : "/", st))
			return refuse(why, done, strerror(errno));
		p = rest;
	}
	return true;
}

bool child_program_ok(const char *path, char why[CHILD_WHY])
{
	char done[PATH_MAX];
	struct stat st;

	why[0] = '\0';
	if (path[0] != '/')
		return refuse(why, path, "is not an absolute path");
	if (!walk(path, done, &st, why))
		return false;
	if (!S_ISREG(st.st_mode))
		return refuse(why, path, "is not a regular file");
	if (faccessat(AT_FDCWD, done, X_OK, AT_EACCESS))
		return refuse(why, path, errno == EACCES ? "cannot be executed by us" : strerror(errno));
	return true;
}
