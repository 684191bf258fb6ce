/* SPDX-License-Identifier: MIT
 * assert_line.c - compile an assertion line, with a sentence and a column for what is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/assert/predicate.h"
#include "probes/assert/regex.h"
#include "switchd/base/text.h"

enum { MAX_WORDS = 32 };        /* predicates of one subject, filters and "not" */

static bool on(unsigned mask, const struct assertion *a) { return mask >> a->q.subject & 1; }
static bool is_class(const char *word) { return word[0] >= '1' && word[0] <= '5' && strcmp(word + 1, "xx") == 0; }

static bool list_predicates(struct scan *s, const struct assertion *a, size_t at, const char *word)
{
	const char *words[MAX_WORDS], *subject = subjects[a->q.subject].word;
	char list[256] = "";
	size_t n = 0, len = 0;

	for (size_t i = 0; i < n_predicates; i++)
		if (on(predicates[i].on, a))
			words[n++] = predicates[i].word;
	for (size_t i = FILTER_NONE + 1; i < N_FILTERS; i++)
		if (on(filters[i].on, a))
			words[n++] = filters[i].word;
	for (size_t i = 0; i < n && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "", words[i]);
	words[n++] = "not";
	must(n <= ARRAY_LEN(words));
	const char *near = word[0] == '=' ? "==" : text_nearest(word, words, n);

	if (!word[0])
		return scan_fail(s, at, "the assertion ends too early: %s takes %s", subject, list);
	if (a->q.subject == SUB_BODY && strcmp(word, "bytes") == 0)
		return scan_fail(s, at, "body does not take \"bytes\": write bytes count");
	if (near && strcmp(near, word) != 0)
		return scan_fail(s, at, "unknown predicate \"%s\" (did you mean \"%s\"?)", word, near);
	return scan_fail(s, at, "%s does not take \"%s\"; it takes %s", subject, word, list);
}

/* `not` and a filter, each once, in any order; returns where the word behind them stands. */
static size_t read_before(struct scan *s, struct assertion *a, char *word, size_t size)
{
	for (;;) {
		size_t at = scan_word(s, word, size);
		enum filter f = FILTER_NONE;

		for (size_t i = FILTER_NONE + 1; i < N_FILTERS; i++)
			if (strcmp(word, filters[i].word) == 0 && on(filters[i].on, a))
				f = (enum filter)i;
		if (strcmp(word, "not") == 0 && !a->negate)
			a->negate = true;
		else if (f != FILTER_NONE && a->filter == FILTER_NONE)
			a->filter = f;
		else
			return at;
	}
}

static bool read_predicate(struct scan *s, struct assertion *a)
{
	char word[40];
	size_t at = read_before(s, a, word, sizeof(word));

	if (a->q.subject == SUB_STATUS && is_class(word)) {
		a->predicate = &predicates[0];
		s->at = at;             /* the class is read again, as the operand of == */
		return true;
	}
	for (size_t i = 0; i < n_predicates; i++) {
		const struct predicate *p = &predicates[i];
		bool of_numbers = p->takes == TAKES_NUMBER || p->test == test_equal;

		if (strcmp(word, p->word) != 0 || !(a->filter == FILTER_NONE ? on(p->on, a) : of_numbers))
			continue;
		a->predicate = p;
		a->negate ^= p->inverse;
		return true;
	}
	if (a->filter != FILTER_NONE)
		return scan_fail(s, at, "%s takes ==, !=, <, <=, > or >= and a number", filters[a->filter].word);
	return list_predicates(s, a, at, word);
}

/* "2xx" alone is "status == 2xx". */
static bool read_subject(struct scan *s, struct assertion *a)
{
	char word[40];
	size_t at = scan_word(s, word, sizeof(word));

	s->at = at;
	return is_class(word) ? (a->q.subject = SUB_STATUS, true) : subject_read(s, &a->q);
}

struct assertion *assert_compile(const char *line, char *err, size_t err_size, int *err_col)
{
	struct assertion *a = xcalloc(1, sizeof(*a));
	struct scan s = { .line = line, .err = err, .err_size = err_size, .err_col = err_col };

	*err_col = 0;
	bool ok = strlen(line) <= ASSERT_MAX_LINE || scan_fail(&s, ASSERT_MAX_LINE, "the assertion is longer than %d bytes", ASSERT_MAX_LINE);

	if (!ok || !read_subject(&s, a) || !read_predicate(&s, a) || !operand_read(&s, a) || !scan_end(&s)) {
		assert_free(&a);
		return NULL;
	}
	a->line = xstrdup(line);
	return a;
}

void assert_free(struct assertion **ap)
{
	struct assertion *a = *ap;

	if (!a)
		return;
	free(a->line);
	subject_clear(&a->q);
	regex_free(&a->pattern);
	json_decref(a->operand);
	free(a);
	*ap = NULL;
}
