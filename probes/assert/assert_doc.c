/* SPDX-License-Identifier: MIT
 * assert_doc.c - the tables of subjects and predicates, as docs/probes.md has them. */
#include <string.h>

#include "probes/assert/predicate.h"
#include "switchd/base/buf.h"

/* A bar ends a cell of a table. */
static void add_cell(struct buf *b, const char *s)
{
	for (; *s; s++)
		buf_addf(b, *s == '|' ? "\\|" : "%c", *s);
}

static void add_subjects(struct buf *b, unsigned on)
{
	const char *between = "";
	unsigned all = (1u << N_SUBJECTS) - 1;

	if (on == all) {
		buf_adds(b, "all");
		return;
	}
	for (size_t i = 0; i < N_SUBJECTS; i++)
		if (on >> i & 1) {
			buf_addf(b, "%s%s", between, subjects[i].word);
			between = ", ";
		}
}

static const char *operand_text(const struct predicate *p)
{
	switch (p->takes) {
	case TAKES_VALUE:
		return " VALUE";
	case TAKES_NUMBER:
		return " NUMBER";
	case TAKES_STRING:
		return " \"TEXT\"";
	case TAKES_PATTERN:
		return " /PATTERN/";
	case TAKES_NOTHING:
		break;
	}
	return "";
}

void assert_print_doc(struct buf *b)
{
	buf_adds(b, "| subject | what it is | an assertion | outcome |\n|---|---|---|---|\n");
	for (size_t i = 0; i < N_SUBJECTS; i++) {
		buf_addf(b, "| `%s` | %s | `", subjects[i].word, subjects[i].doc);
		add_cell(b, subjects[i].example);
		buf_addf(b, "` | %s |\n", outcome_info(subjects[i].outcome)->code);
	}
	buf_adds(b, "\n| predicate | it holds when | of |\n|---|---|---|\n");
	for (size_t i = 0; i < n_predicates; i++) {
		buf_addf(b, "| `%s%s` | %s | ", predicates[i].word, operand_text(&predicates[i]), predicates[i].doc);
		add_subjects(b, predicates[i].on);
		buf_adds(b, " |\n");
	}
	buf_adds(b, "\n| filter | what it makes of the value | of |\n|---|---|---|\n");
	for (size_t i = FILTER_NONE + 1; i < N_FILTERS; i++) {
		buf_addf(b, "| `%s` | %s | ", filters[i].word, filters[i].doc);
		add_subjects(b, filters[i].on);
		buf_adds(b, " |\n");
	}
}
