/* SPDX-License-Identifier: MIT
 * identity.c - assertions with a release and its digest in them. */
#include "probes/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/assert/jsonpath.h"
#include "switchd/base/text.h"
#include "switchd/io/httpc.h"

static const char mark[] = "{{release}}", digest_mark[] = "{{digest}}";

/* Which lines are meant: a line with a digest in it has no meaning while none is known. */
enum lines { LINES_PLAIN, LINES_MARKED };

struct identity {
	const struct identity_config *cfg;
	id_text release;                /* that suite and named are compiled for; "" at first: see compiled */
	tag_text digest;
	bool compiled, broken;          /* broken: what was announced cannot stand in a line */
	struct suite plain;             /* the lines without a release */
	struct suite marked;            /* those with a release or a digest; empty for "" */
	struct jsonpath *path;          /* where the name of the release can be read: one of these, or neither */
	char header[128];
};

/* The line with every mark replaced.  The caller frees it. */
static char *with_marks(const char *line, const char *release, const char *digest)
{
	struct buf b = BUF_INIT(4 * ASSERT_MAX_LINE);

	while (*line) {
		bool r = text_starts(line, mark), d = text_starts(line, digest_mark);

		if (!r && !d) {
			buf_add(&b, line++, 1);
			continue;
		}
		buf_adds(&b, r ? release : digest);
		line += r ? sizeof(mark) - 1 : sizeof(digest_mark) - 1;
	}
	return buf_take(&b);
}

static bool wanted(const char *line, enum lines which, const char *digest)
{
	bool d = strstr(line, digest_mark) != NULL, marked = d || strstr(line, mark);

	return which == LINES_PLAIN ? !marked : marked && (!d || digest[0]);
}

/* `subject "NAME" == "{{release}}"`: NAME, or false. */
static bool readable(const char *line, const char *subject, char *name, size_t size)
{
	size_t n = strlen(subject);

	line += strspn(line, " \t");
	if (strncmp(line, subject, n) != 0)
		return false;
	line += n;
	line += strspn(line, " \t");
	if (*line != '"')
		return false;
	const char *end = strchr(line + 1, '"');
	if (!end || !text_copy_n(name, size, line + 1, (size_t)(end - line - 1)))
		return false;
	end += 1 + strspn(end + 1, " \t");
	if (strncmp(end, "==", 2) != 0)
		return false;
	end += 2;
	end += strspn(end, " \t");
	return strncmp(end, "\"{{release}}\"", sizeof(mark) + 1) == 0;
}

static void find_readable(struct identity *id)
{
	char name[128], err[64];
	size_t off;

	for (size_t i = 0; i < id->cfg->n_expect && !id->path && !id->header[0]; i++) {
		if (readable(id->cfg->expect[i], "jsonpath", name, sizeof(name)))
			id->path = jsonpath_compile(name, strlen(name), err, sizeof(err), &off);
		else if (readable(id->cfg->expect[i], "header", name, sizeof(name)))
			TEXT_COPY(id->header, name);
	}
}

struct identity *identity_new(const struct identity_config *cfg)
{
	struct identity *id = xcalloc(1, sizeof(*id));

	id->cfg = cfg;
	find_readable(id);
	return id;
}

static void forget(struct identity *id)
{
	suite_clear(&id->plain);
	suite_clear(&id->marked);
	id->compiled = false;
}

void identity_free(struct identity **idp)
{
	struct identity *id = *idp;

	if (!id)
		return;
	forget(id);
	jsonpath_free(&id->path);
	free(id);
	*idp = NULL;
}

/* The lines of one sort, with the release in them: suite_compile on copies. */
static int compile_some(const struct identity_config *cfg, const char *file, const char *release, const char *digest, enum lines which,
			struct suite *out, struct buf *errors)
{
	char **lines = xcalloc(cfg->n_expect, sizeof(*lines));
	char *quote = xcalloc(cfg->n_expect + 1, 1);
	int *line = xcalloc(cfg->n_expect, sizeof(*line)), *col = xcalloc(cfg->n_expect, sizeof(*col));
	size_t n = 0;

	for (size_t i = 0; i < cfg->n_expect; i++)
		if (wanted(cfg->expect[i], which, digest)) {
			line[n] = cfg->expect_line ? cfg->expect_line[i] : 0;
			col[n] = cfg->expect_col ? cfg->expect_col[i] : 0;
			quote[n] = cfg->expect_quote ? cfg->expect_quote[i] : '\0';
			lines[n++] = with_marks(cfg->expect[i], release, digest);
		}
	struct suite_source from = { file, (const char *const *)lines, n, line, col, quote };
	int wrong = suite_compile(out, &from, errors);

	for (size_t i = 0; i < n; i++)
		free(lines[i]);
	free(lines);
	free(line);
	free(col);
	free(quote);
	return wrong;
}

int identity_check(const struct identity_config *cfg, const char *file, struct buf *errors)
{
	struct suite s;
	int wrong = compile_some(cfg, file, "", "", LINES_PLAIN, &s, errors);

	suite_clear(&s);
	/* As long as the marks themselves, so that the columns of errors stay true. */
	wrong += compile_some(cfg, file, "rrrrrrrrrrr", "dddddddddd", LINES_MARKED, &s, errors);
	suite_clear(&s);
	return wrong;
}

static void compile(struct identity *id, const char *release, const char *digest)
{
	struct buf ignored = BUF_INIT(4096); /* checked when the config was loaded */

	if (id->compiled && strcmp(id->release, release) == 0 && strcmp(id->digest, digest) == 0)
		return;
	forget(id);
	TEXT_COPY(id->release, release);
	TEXT_COPY(id->digest, digest);
	compile_some(id->cfg, "", release, digest, LINES_PLAIN, &id->plain, &ignored);
	/* A digest is free text: with a quote in it a line would mean something else. */
	id->broken = release[0] && (strpbrk(digest, "\"'\\") || compile_some(id->cfg, "", release, digest, LINES_MARKED, &id->marked, &ignored) != 0);
	id->compiled = true;
	buf_free(&ignored);
}

static bool first_text(void *arg, json_t *node)
{
	char *named = arg;

	if (json_is_string(node))
		text_copy(named, ID_MAX_LEN + 1, json_string_value(node));
	else if (json_is_integer(node))
		text_format(named, ID_MAX_LEN + 1, "%" JSON_INTEGER_FORMAT, json_integer_value(node));
	return false;
}

static void read_name(const struct identity *id, struct answer *a, char named[ID_MAX_LEN + 1])
{
	struct httpc_reply r = { .head = a->head, .head_len = a->head_len };
	json_t *root;

	named[0] = '\0';
	if (id->path && (root = answer_parsed(a)) && jsonpath_walk(id->path, root, first_text, named) != JP_OK)
		named[0] = '\0';
	if (id->header[0])
		httpc_header(&r, id->header, named, ID_MAX_LEN + 1);
	if (!id_ok(named)) /* it goes to records and logs: only what may be a release */
		named[0] = '\0';
}

enum outcome identity_judge(struct identity *id, const char *release, const char *digest, struct answer *a, const char *location,
			    char want[ASSERT_TEXT], char got[ASSERT_TEXT], char named[ID_MAX_LEN + 1])
{
	static const struct suite none;
	enum outcome o;

	compile(id, release, digest);
	read_name(id, a, named);
	/* Without lines of its own the answer must at least be a good one. */
	o = suite_judge(id->plain.n ? &id->plain : &none, NULL, a, location, want, got);
	if (o == OUT_PRESENT && id->broken) {
		text_format(want, ASSERT_TEXT, "%.60s %.90s", release, digest);
		text_copy(got, ASSERT_TEXT, "a digest that no assertion can hold");
		return OUT_IDENTITY;
	}
	if (o != OUT_PRESENT || !id->marked.n)
		return o;
	for (size_t i = 0; i < id->marked.n; i++) {
		o = assert_check(id->marked.list[i], a, want, got);
		/* Whatever the line looks at, what failed is that the target is this release. */
		if (o != OUT_PRESENT)
			return outcome_info(o)->class == OC_ABSENT ? OUT_IDENTITY : o;
	}
	if (!named[0])
		text_copy(named, ID_MAX_LEN + 1, release);
	return OUT_PRESENT;
}
