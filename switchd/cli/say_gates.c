/* SPDX-License-Identifier: MIT
 * say_gates.c - what every gate says, one a line; and the manifest that goes with an order. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"
#include "switchd/core/decide/manifest.h"

static const char *word_of(const char *result, enum ink *i)
{
	static const struct { const char *result, *word; enum ink ink; } words[] = {
		{ "pass", "pass", INK_GREEN }, { "refuse", "refused", INK_RED }, { "not_checked", "not checked", INK_YELLOW },
		{ "skipped", "set aside", INK_YELLOW }, { "unproven", "unproven", INK_YELLOW }, { "waiting", "waiting", INK_PLAIN },
	};

	for (size_t k = 0; k < ARRAY_LEN(words); k++)
		if (strcmp(words[k].result, result) == 0) {
			*i = words[k].ink;
			return words[k].word;
		}
	*i = INK_PLAIN;
	return result;
}

void say_gates(const struct cli *c, const json_t *gates, FILE *to)
{
	size_t k;
	json_t *g;

	json_array_foreach((json_t *)gates, k, g) {
		enum ink i;
		const char *word = word_of(jstr(g, "result"), &i), *text = jstr(g, "text");

		fprintf(to, "  %s%-11s%s %s%s%s\n", ink(c, i), word, ink(c, INK_PLAIN), jstr(g, "gate"), text[0] ? ": " : "", text);
	}
}

void say_gates_line(const struct cli *c, const json_t *gates)
{
	size_t k;
	json_t *g;

	if (json_array_size(gates))
		fputs("  gates:", stdout);
	json_array_foreach((json_t *)gates, k, g) {
		enum ink i;
		const char *word = word_of(jstr(g, "result"), &i);

		printf("%s %s %s%s%s", k ? "," : "", jstr(g, "gate"), ink(c, i), word, ink(c, INK_PLAIN));
	}
	if (json_array_size(gates))
		putchar('\n');
}

/* ---- reading a manifest ---- */

bool manifest_slurp(const char *file, struct buf *out, char *why, size_t why_size)
{
	bool in = strcmp(file, "-") == 0;
	int fd = in ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	char part[8192];
	ssize_t n = 0;

	buf_init(out, MANIFEST_MAX_TEXT + 1);
	while (fd >= 0 && !out->full && ((n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0)
			buf_add(out, part, (size_t)n);
	if (fd < 0 || n < 0)
		text_format(why, why_size, "%s: %s", in ? "stdin" : file, strerror(errno));
	else if (out->full || out->len > MANIFEST_MAX_TEXT)
		text_format(why, why_size, "%s: longer than %d bytes", in ? "stdin" : file, MANIFEST_MAX_TEXT);
	else
		why = NULL;
	if (fd >= 0 && !in)
		close(fd);
	if (why)
		buf_free(out);
	return !why;
}

int manifest_put(struct cli *c, json_t *body)
{
	struct buf text, warnings = BUF_INIT(8192);
	struct manifest *m;
	char why[400];
	json_t *j;

	if (!c->manifest)
		return EX_DONE;
	if (!c->manifest_text) {
		if (!manifest_slurp(c->manifest, &text, why, sizeof(why))) {
			complain(c, "%s: refused: the manifest cannot be read: %s", c->service, why);
			hint(c, "now", "nothing was asked for; traffic never moved");
			return EX_REFUSED;
		}
		/* Its places are told here, by the name of the file; what it is worth is said by switchd, and is in the audit. */
		m = xmalloc(sizeof(*m));
		if (!manifest_parse(strcmp(c->manifest, "-") == 0 ? "stdin" : c->manifest, buf_str(&text), text.len, m, why, sizeof(why), &warnings))
			hint(c, "wrong", "%s", why);
		free(m);
		if (warnings.len && !c->quiet)
			fputs(buf_str(&warnings), stderr);
		buf_free(&warnings);
		c->manifest_text = buf_take(&text); /* for the claim and for the deploy: stdin is read once */
	}
	j = json_string(c->manifest_text);
	if (!j) {
		complain(c, "%s: refused: the manifest is not UTF-8", c->service);
		return EX_REFUSED;
	}
	json_object_set_new(body, "manifest", j);
	return EX_DONE;
}

void skip_put(const struct cli *c, json_t *body)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n_skips; i++)
		json_array_append_new(list, json_string(c->skip[i]));
	if (c->n_skips)
		json_object_set(body, "skip", list);
	json_decref(list);
}
