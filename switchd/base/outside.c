/* SPDX-License-Identifier: MIT
 * outside.c - environment variables and files by one name. */
#include "switchd/base/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int fd, char *out, size_t size, size_t *len)
{
	*len = 0;
	for (;;) {
		ssize_t got = read(fd, out + *len, size - *len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			return true;
		*len += (size_t)got;
		if (*len == size) {
			errno = EFBIG;
			return false;
		}
	}
}

bool outside_read(const char *path, char text[OUTSIDE_FILE_MAX + 1], size_t *len)
{
	/* A pipe or a device would be opened, and waited for, by the loop. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), why = 0;
	struct stat st;

	*len = 0;
	text[0] = '\0';
	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0)
		why = errno;
	else if (!S_ISREG(st.st_mode))
		why = EINVAL;
	else if (!read_all(fd, text, OUTSIDE_FILE_MAX + 1, len))
		why = errno;
	else if (memchr(text, '\0', *len))
		why = EILSEQ;
	close(fd);
	if (why)
		*len = 0;
	text[*len] = '\0';
	errno = why;
	return !why;
}

const char *outside_lookup(const char *name, void *unused)
{
	static char text[OUTSIDE_FILE_MAX + 1];
	size_t len;

	(void)unused;
	if (name[0] != '/')
		return getenv(name);
	return outside_read(name, text, &len) ? text : NULL;
}
