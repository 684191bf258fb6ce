/* SPDX-License-Identifier: MIT
 * outside.c - environment variables and files by one name. */
#include "switchd/base/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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

static const char *read_file(const char *path)
{
	static char text[OUTSIDE_FILE_MAX + 1];
	/* A pipe or a device would be opened, and waited for, by the loop. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), why = 0;
	struct stat st;
	size_t len = 0;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) != 0)
		why = errno;
	else if (!S_ISREG(st.st_mode))
		why = EINVAL;
	else if (!read_all(fd, text, sizeof(text), &len))
		why = errno;
	else if (memchr(text, '\0', len))
		why = EILSEQ;
	close(fd);
	text[why ? 0 : len] = '\0';
	errno = why;
	return why ? NULL : text;
}

const char *outside_lookup(const char *name, void *unused)
{
	(void)unused;
	return name[0] == '/' ? read_file(name) : getenv(name);
}
