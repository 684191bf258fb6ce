/* SPDX-License-Identifier: MIT
 * import_yaml.c - foreign texts in a configuration that is written for people. */
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/import.h"
#include "switchd/core/config/diag.h"

enum { COMMENT_MAX = 300 };

/* The next character; 0: one that must not stand in a line of YAML, and how many bytes it has. */
static size_t fit(const char *s, size_t n, size_t *bad)
{
	unsigned code = 0;
	size_t step = diag_utf8(s, n, &code);

	*bad = step ? step : 1;
	if (!step || code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 || code == 0xfeff || (code & 0xfffe) == 0xfffe)
		return 0;
	return step;
}

/* Single quotes: nothing in them has a meaning but the quote itself.  A dollar that ${NAME} could be read from is doubled. */
void yaml_text(struct buf *out, const char *s)
{
	size_t len = strlen(s), bad;

	buf_adds(out, "'");
	for (size_t i = 0; i < len;) {
		size_t step = fit(s + i, len - i, &bad);

		if (!step)
			buf_adds(out, "?");
		if (step && (s[i] == '\'' || (s[i] == '$' && (s[i + 1] == '$' || s[i + 1] == '{'))))
			buf_add(out, s + i, 1);
		buf_add(out, s + i, step);
		i += step ? step : bad;
	}
	buf_adds(out, "'");
}

void yaml_comment(struct buf *out, const char *s)
{
	size_t len = strlen(s), most = len > COMMENT_MAX ? COMMENT_MAX : len, bad;

	for (size_t i = 0; i < most;) {
		size_t step = fit(s + i, len - i, &bad);

		if (step)
			buf_add(out, s + i, step);
		else
			buf_adds(out, s[i] == '\t' ? " " : "?");
		i += step ? step : bad;
	}
	if (len > most)
		buf_adds(out, "...");
}

const char *import_environment(const char *name, void *arg)
{
	(void)name;
	(void)arg;
	return NULL;
}
