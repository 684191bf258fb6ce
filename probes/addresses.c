/* SPDX-License-Identifier: MIT
 * addresses.c - a source becomes lines of text (core/targets.h). */
#include "probes/addresses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/outside.h"
#include "switchd/core/targets.h"
#include "switchd/io/resolve.h"

_Static_assert(RESOLVE_TEXT == 64, "source_lines() takes what resolve_now() gives");

static bool read_name(const struct target_source *s, struct buf *lines, char *why, size_t size)
{
	char ip[MAX_TARGETS + 1][RESOLVE_TEXT]; /* one more than may be: then they are too many, and not cut off unseen */
	char error[160];
	size_t n = resolve_now(s->host, ip, ARRAY_LEN(ip), error, sizeof(error));

	if (!n) {
		text_format(why, size, "%s: %s", s->text, error);
		return false;
	}
	source_lines(s, (const char (*)[RESOLVE_TEXT])ip, n, lines);
	return true;
}

static bool read_file(const struct target_source *s, struct buf *lines, char *why, size_t size)
{
	char *text = xmalloc(OUTSIDE_FILE_MAX + 1);
	size_t len;
	bool ok = outside_read(s->path, text, &len);

	if (!ok)
		text_format(why, size, "%s: %s", s->path, errno == EFBIG ? "is larger than 64 KiB" : errno == EINVAL ? "is not a plain file" :
			    errno == EILSEQ ? "has NUL bytes in it" : strerror(errno));
	else
		buf_add(lines, text, len);
	free(text);
	return ok;
}

bool addresses_read(const struct target_source *s, struct buf *lines, char *why, size_t size)
{
	return s->kind == SOURCE_DNS ? read_name(s, lines, why, size) : read_file(s, lines, why, size);
}
