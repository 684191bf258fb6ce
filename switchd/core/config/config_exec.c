/* SPDX-License-Identifier: MIT
 * config_exec.c - features of the kind exec: a program says whether it is there. */
#include <string.h>

#include "switchd/core/config/config_kind.h"
#include "switchd/core/config/feature_kinds.h"

/* "{{host}}" and the like; anything else in double braces is a slip of the pen. */
static const char *const names[] = { "feature", "host", "port", "release", "service", "slot" };

static void check_braces(const struct block *b, const struct lines *l, size_t i)
{
	struct mark at = { .line = l->line[i], .col = l->col[i] };

	for (const char *p = l->text[i]; (p = strstr(p, "{{")); p += 2) {
		const char *end = strstr(p, "}}");
		bool known = false;

		for (size_t k = 0; end && k < ARRAY_LEN(names); k++)
			known |= strlen(names[k]) == (size_t)(end - p - 2) && strncmp(names[k], p + 2, strlen(names[k])) == 0;
		if (!known)
			diag_error(b->ld->d, at, "exec: \"%s\": want {{feature}}, {{host}}, {{port}}, {{release}}, {{service}} or {{slot}} in double braces",
				   l->text[i]);
		if (!known)
			return;
	}
}

static void exec_load(const struct block *b, struct feature *f)
{
	struct exec_settings *x = arena_alloc(b->ld->arena, sizeof(*x));
	struct lines l = block_lines(b, "exec");
	struct mark at = block_mark(b, "exec");

	*x = (struct exec_settings){ l.text, l.n, l.line, l.col };
	f->exec = x;
	if (!b->ld->l->c.exec_enabled)
		diag_error(b->ld->d, at, "exec: programs are run only where the top level says exec: { enabled: true }");
	if (l.n && l.text[0][0] != '/')
		diag_error(b->ld->d, at, "exec: want an absolute path first, got \"%s\"", l.text[0]);
	for (size_t i = 0; i < l.n; i++)
		check_braces(b, &l, i);
	if (!f->reads && !f->writes && !block_bad(b, "reads") && !block_bad(b, "writes"))
		diag_error(b->ld->d, at, "exec: a program may change something: it needs reads: true, or writes: true and an interval of at least 60s");
}

static void exec_show(const struct show *w, const char *in, const struct feature *f)
{
	show_lines(w, in, "exec", f->exec->argv, f->exec->n);
}

const struct feature_kind kind_exec = { "exec", "exec", false, exec_load, exec_show };
