/* SPDX-License-Identifier: MIT
 * manifest.c - `manifest add FILE FIELD=VALUE...`, `manifest show FILE`: what build and test jobs write and read.
 *
 * The file is written anew beside itself and renamed, under a lock on its directory: two jobs that add at once both win.
 * It is written as JSON, which is YAML too. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"
#include "switchd/core/decide/manifest.h"

static int directory_lock(const char *file)
{
	char *copy = xstrdup(file);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	free(copy);
	if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* A file that is not there is an empty manifest, when it may be made. */
static int load(struct cli *c, const char *file, bool may_lack, struct manifest *m)
{
	struct buf text, warnings = BUF_INIT(8192);
	char why[400];
	struct stat st;

	if (may_lack && stat(file, &st) != 0 && errno == ENOENT)
		return EX_DONE;
	if (!manifest_slurp(file, &text, why, sizeof(why)))
		return usage_error(c, "%s", why);
	if (may_lack && !text.len) {
		buf_free(&text);
		return EX_DONE;
	}
	bool ok = manifest_parse(file, buf_str(&text), text.len, m, why, sizeof(why), &warnings);

	buf_free(&text);
	if (warnings.len && !c->quiet)
		fputs(buf_str(&warnings), stderr);
	buf_free(&warnings);
	return ok ? EX_DONE : usage_error(c, "%s", why);
}

static bool write_all(int fd, const char *s)
{
	size_t n = strlen(s);

	while (n) {
		ssize_t w = write(fd, s, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		s += w;
		n -= (size_t)w;
	}
	return true;
}

static int save(struct cli *c, const char *named, const struct manifest *m)
{
	char *real = realpath(named, NULL), beside[4200], *text;
	const char *file = real ? real : named; /* what a link points to is replaced, not the link */
	json_t *j = manifest_json(m);
	mode_t mask = umask(0);
	struct stat st;
	bool ok;
	int fd;

	umask(mask);
	text = json_dumps(j, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	json_decref(j);
	must(text != NULL);
	if (!TEXT_FORMAT(beside, "%s.XXXXXX", file)) {
		free(text);
		free(real);
		return usage_error(c, "%s: path too long", named);
	}
	fd = mkstemp(beside);
	ok = fd >= 0 && write_all(fd, text) && write_all(fd, "\n") &&
	     fchmod(fd, stat(file, &st) == 0 ? st.st_mode & 07777 : (mode_t)0666 & ~mask) == 0 && fsync(fd) == 0;
	ok = fd >= 0 && close(fd) == 0 && ok;
	ok = ok && rename(beside, file) == 0;
	if (!ok) {
		complain(c, "%s: %s", named, strerror(errno));
		if (fd >= 0)
			unlink(beside);
	}
	free(text);
	free(real);
	return ok ? EX_DONE : EX_INTERNAL;
}

static int set_all(struct cli *c, struct manifest *m)
{
	char field[2 * NAME_MAX_LEN], why[400];

	for (size_t i = 2; i < c->n_words; i++) {
		const char *word = c->words[i], *equals = strchr(word, '=');

		if (!equals || !text_copy_n(field, sizeof(field), word, (size_t)(equals - word)))
			return usage_error(c, "want FIELD=VALUE, such as builder.version=4.1.0, got '%s'", word);
		if (!manifest_set(m, field, equals + 1, why, sizeof(why)))
			return usage_error(c, "%s", why);
	}
	return EX_DONE;
}

static void show(struct cli *c, const struct manifest *m)
{
	json_t *j = manifest_json(m), *v, *inner;
	const char *key, *name;

	if (c->output == FMT_JSON) {
		say_json(c, j);
		json_decref(j);
		return;
	}
	json_object_foreach(j, key, v) {
		if (json_is_object(v)) {
			json_object_foreach(v, name, inner)
				printf("%s.%s: %s\n", key, name, json_string_value(inner));
		} else if (json_is_array(v)) {
			size_t i;

			printf("%s:", key);
			json_array_foreach(v, i, inner)
				printf("%s %s", i ? "," : "", json_string_value(inner));
			putchar('\n');
		} else {
			printf("%s: %s\n", key, json_string_value(v));
		}
	}
	json_decref(j);
}

static int add(struct cli *c, const char *file, struct manifest *m)
{
	int lock = directory_lock(file), ex;

	if (lock < 0) {
		complain(c, "%s: its directory: %s", file, strerror(errno));
		return EX_USAGE_ERROR;
	}
	ex = load(c, file, true, m);
	if (ex == EX_DONE)
		ex = set_all(c, m);
	if (ex == EX_DONE)
		ex = save(c, file, m);
	close(lock);
	return ex;
}

int verb_manifest(struct cli *c)
{
	const char *what = c->n_words ? c->words[0] : "";
	struct manifest *m;
	int ex;

	if (strcmp(what, "add") != 0 && strcmp(what, "show") != 0)
		return usage_error(c, "manifest add FILE FIELD=VALUE... or manifest show FILE");
	if (c->n_words < 2 || (what[0] == 's') != (c->n_words == 2))
		return usage_error(c, what[0] == 's' ? "manifest show wants one FILE" : "manifest add wants a FILE and FIELD=VALUE...");
	m = xcalloc(1, sizeof(*m));
	ex = what[0] == 'a' ? add(c, c->words[1], m) : load(c, c->words[1], false, m);
	if (ex == EX_DONE && what[0] == 's')
		show(c, m);
	free(m);
	return ex;
}
