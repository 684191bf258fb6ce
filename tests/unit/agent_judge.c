/* SPDX-License-Identifier: MIT
 * agent_judge.c - core/agent: the table of judgements, and the bound of what is remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switchd/core/agent.h"

static const wall_ms now = { 1000 * 1000 };

static void fill(const char *word, char *to, size_t size) { must(text_copy(to, size, strcmp(word, "-") == 0 ? "" : word)); }

/* "r2@5.4" */
static void parse_seen(const char *word, struct agent_holds *h)
{
	const char *at = strchr(word, '@');
	struct version v;
	id_text release;

	assert_non_null(at);
	assert_true(text_copy_n(release, sizeof(release), word, (size_t)(at - word)));
	assert_true(version_parse(at + 1, &v));
	agent_saw(h, release, v);
}

static struct agent_holds parse_held(char *text)
{
	struct agent_holds h = { 0 };
	struct proxy_value found;
	char *w, *save = text;
	int nth = 0;

	while ((w = strsep(&save, " "))) {
		if (!*w || (!nth && strcmp(w, "-") == 0))
			continue;
		if (text_starts(w, "saw=")) {
			parse_seen(w + 4, &h);
		} else if (text_starts(w, "found=")) {
			assert_true(proxy_value_parse(w + 6, &found));
			agent_found(&h, &found, now);
		} else if (nth++ == 0) {
			assert_true(proxy_value_parse(w, &h.value));
			h.known = true;
		} else if (nth == 2) {
			fill(w, h.release, sizeof(h.release));
		} else if (nth == 3) {
			fill(w, h.cid, sizeof(h.cid));
		} else {
			parse_seen(w, &h);
		}
	}
	return h;
}

static struct shown parse_told(char *text)
{
	struct shown t = { .schema = 2 };
	char *w, *condemned = strchr(text, '!');

	if (condemned)
		*condemned++ = '\0';
	if (text_starts(text, "old,")) {
		t.schema = 1;
		text += 4;
	}
	assert_non_null(w = strsep(&text, ","));
	assert_true(proxy_value_parse(w, &t.value));
	assert_non_null(w = strsep(&text, ","));
	fill(w, t.release, sizeof(t.release));
	assert_non_null(w = strsep(&text, ","));
	fill(w, t.cid, sizeof(t.cid));
	assert_non_null(text);
	t.stamped = strcmp(text, "stamp") == 0;
	assert_true(t.stamped || move_mode_parse(text, &t.mode));
	if (condemned)
		fill(condemned, t.condemned, sizeof(t.condemned));
	return t;
}

static const char *word_of(enum agent_judged w)
{
	static const char *const words[N_AGENT_JUDGED] = { "apply", "same", "ahead", "fork", "refused", "future", "unread" };

	return words[w];
}

static void same_holds(int line, const struct agent_holds *got, const struct agent_holds *want)
{
	char a[PROXY_VALUE_TEXT], b[PROXY_VALUE_TEXT];

	if (got->known != want->known || strcmp(proxy_value_text(&got->value, a), proxy_value_text(&want->value, b)) != 0 ||
	    strcmp(got->release, want->release) != 0 || strcmp(got->cid, want->cid) != 0)
		fail_msg("agent.tbl:%d: holds %s %s %s", line, a, got->release, got->cid);
	if (got->n_seen != want->n_seen)
		fail_msg("agent.tbl:%d: saw %zu, want %zu", line, got->n_seen, want->n_seen);
	for (size_t i = 0; i < got->n_seen; i++)
		if (strcmp(got->seen[i].release, want->seen[i].release) != 0 || version_cmp(got->seen[i].at, want->seen[i].at) != 0)
			fail_msg("agent.tbl:%d: saw %s", line, got->seen[i].release);
}

static void row(int line, char *text)
{
	char *part[4], *w, *want;
	id_text forgotten;

	for (int i = 0; i < 4; i++)
		assert_non_null(part[i] = strsep(&text, "|"));
	struct agent_holds h = parse_held(part[0]), after = parse_held(part[3]);

	while ((w = strsep(&part[1], " "))) {
		if (!*w)
			continue;
		struct shown told = parse_told(w);
		enum agent_judged said = agent_judge(&h, &told, now);

		do
			assert_non_null(want = strsep(&part[2], " "));
		while (!*want);
		if (strcmp(word_of(said), want) != 0)
			fail_msg("agent.tbl:%d: %s: %s, want %s", line, w, word_of(said), want);
		if (said == AG_APPLY)
			agent_take(&h, &told, forgotten);
	}
	while (part[2] && (want = strsep(&part[2], " ")))
		if (*want)
			fail_msg("agent.tbl:%d: nothing was told for the word %s", line, want);
	same_holds(line, &h, &after);
}

static void test_table(void **state)
{
	const char *root = getenv("SWITCHD_ROOT");
	char path[256], text[1024];
	int rows = 0;

	(void)state;
	TEXT_FORMAT(path, "%s/tests/tables/agent.tbl", root ? root : ".");
	FILE *f = fopen(path, "r");
	if (!f)
		fail_msg("%s: run me in the repository's root, or set SWITCHD_ROOT", path);
	for (int line = 1; fgets(text, sizeof(text), f); line++) {
		text[strcspn(text, "#\n")] = '\0';
		if (!strchr(text, '|'))
			continue;
		row(line, text);
		rows++;
	}
	fclose(f);
	assert_true(rows > 30);
}

static void the_oldest_condemned_gives_way(void **state)
{
	struct agent_holds h = { 0 };
	struct shown told = { .schema = 2, .value = { .slot = BLUE, .v = { 5, 1 } }, .mode = MOVE_AUTO };
	id_text release, forgotten;

	(void)state;
	TEXT_COPY(told.release, "r0");
	for (int i = 1; i <= AGENT_SEEN + 3; i++) {
		told.value.v.epoch++;
		TEXT_FORMAT(told.cid, "c%d", i);
		TEXT_FORMAT(told.condemned, "bad%d", i);
		assert_int_equal(agent_judge(&h, &told, now), AG_APPLY);
		agent_take(&h, &told, forgotten);
		assert_string_equal(forgotten, "");
	}
	assert_int_equal(h.n_seen, AGENT_SEEN);
	assert_null(agent_condemned_find(&h, "bad3"));
	assert_non_null(agent_condemned_find(&h, "bad4"));
	/* Seen again is young again, and once. */
	agent_saw(&h, "bad4", (struct version){ 6, 1 });
	assert_int_equal(h.n_seen, AGENT_SEEN);
	assert_string_equal(h.seen[AGENT_SEEN - 1].release, "bad4");
	assert_int_equal(agent_condemned_find(&h, "bad4")->at.gen, 6);
	TEXT_COPY(release, "bad5");
	TEXT_COPY(told.release, release);
	told.value.v.epoch++;
	told.condemned[0] = '\0';
	agent_take(&h, &told, forgotten);
	assert_string_equal(forgotten, "bad5");
	assert_int_equal(h.n_seen, AGENT_SEEN - 1);
}

static void a_record_cannot_condemn_what_it_makes_active(void **state)
{
	struct agent_holds h = { 0 };
	struct shown told = { .schema = 2, .value = { .slot = BLUE, .v = { 5, 1 } }, .mode = MOVE_FORCE };
	id_text forgotten;

	(void)state;
	TEXT_COPY(told.release, "r1");
	TEXT_COPY(told.condemned, "r1");
	agent_take(&h, &told, forgotten);
	assert_int_equal(h.n_seen, 0);
	assert_string_equal(agent_judged_name(AG_FORK), "fork");
	assert_string_equal(agent_judged_name(AG_FUTURE), "refused");
	assert_string_equal(agent_judged_name(N_AGENT_JUDGED), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(the_oldest_condemned_gives_way),
		cmocka_unit_test(a_record_cannot_condemn_what_it_makes_active),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
