/* SPDX-License-Identifier: MIT
 * ledger.c - the fold over records and verdicts, its bounds, its forms; blame by the table tests/tables/blame.tbl; late breakage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/story/blame.h"
#include "switchd/core/recheck.h"

enum { T0 = 1000 * 1000 };

static struct ledger *l;
static struct record rec;

static int up(void **state)
{
	(void)state;
	l = ledger_new();
	memset(&rec, 0, sizeof(rec));
	rec.active = rec.move.from = rec.move.to = NO_SLOT;
	return 0;
}

static int down(void **state)
{
	(void)state;
	ledger_free(&l);
	return 0;
}

static wall_ms at(int64_t s) { return (wall_ms){ T0 + s * 1000 }; }

static void arrive(enum slot slot, const char *id, const char *digest, int64_t s)
{
	rec.slot[slot] = (struct release){ .state = RS_ANNOUNCED, .arrived = at(s) };
	TEXT_COPY(rec.slot[slot].id, id);
	TEXT_COPY(rec.slot[slot].digest, digest);
	ledger_record(l, &rec, at(s));
}

static void go(enum slot to, const char *by, enum move_mode mode, int64_t s)
{
	rec.move = (struct move){ .mode = mode, .from = rec.active, .to = to, .decided = at(s) };
	TEXT_COPY(rec.move.by, by);
	rec.active = to;
	ledger_record(l, &rec, at(s));
}

static bool see(enum slot slot, const char *feature, enum verdict v, int64_t s, int64_t last)
{
	struct ledger_sight x = { .feature = feature, .probe = 7, .verdict = v, .at = at(s), .last_present = last ? at(last) : (wall_ms){ 0 }, .now = at(s) };

	return ledger_note(l, ledger_in_slot(l, slot), &x);
}

static void who_was_live_and_when(void **state)
{
	(void)state;
	arrive(BLUE, "r1", "", 0);
	go(BLUE, "ann", MOVE_FORWARD, 10);
	arrive(GREEN, "r2", "d2", 20);
	go(GREEN, "ci", MOVE_FORWARD, 30);
	ledger_record(l, &rec, at(31)); /* asked again it changes nothing */
	go(BLUE, "switchd", MOVE_AUTO, 40);
	const struct ledger_release *r1 = ledger_find(l, "r1"), *r2 = ledger_find(l, "r2");

	assert_int_equal(l->n, 2);
	assert_int_equal(r1->n_live, 2);
	assert_int_equal(r1->first.from.ms, at(10).ms);
	assert_int_equal(r1->first.to.ms, at(30).ms);
	assert_string_equal(r1->first.by, "ann");
	assert_string_equal(r1->first.ended_by, "ci");
	assert_int_equal(r1->last.from.ms, at(40).ms);
	assert_int_equal(r1->last.to.ms, 0);
	assert_int_equal(r2->n_live, 1);
	assert_string_equal(r2->last.ended_by, "switchd");
	assert_int_equal(r2->last.to.ms, at(40).ms);
	assert_true(r1->held && r2->held);
	arrive(GREEN, "r3", "", 50);
	assert_false(r2->held);
	assert_int_equal(r2->left.ms, at(50).ms);
	arrive(GREEN, "r2", "other", 60); /* the same name on other bits */
	assert_int_equal(l->n, 4);
	assert_string_equal(ledger_in_slot(l, GREEN)->digest, "other");
	arrive(GREEN, "r2", "d2", 70);
	assert_int_equal(l->n, 4);
	assert_ptr_equal(ledger_in_slot(l, GREEN), r2);
	assert_int_equal(r2->arrived.ms, at(20).ms);
	assert_int_equal(r2->again.ms, at(70).ms);
}

static void a_claimed_slot_has_no_release(void **state)
{
	(void)state;
	arrive(GREEN, "r1", "", 0);
	rec.slot[GREEN] = (struct release){ .state = RS_EMPTY };
	ledger_record(l, &rec, at(5));
	assert_null(ledger_in_slot(l, GREEN));
	assert_int_equal(ledger_find(l, "r1")->left.ms, at(5).ms);
}

static void verdicts_fold(void **state)
{
	const struct ledger_fact *f;
	struct ledger_release *r;

	(void)state;
	arrive(BLUE, "r1", "", 0);
	r = ledger_in_slot(l, BLUE);
	assert_true(see(BLUE, "quotes", V_PRESENT, 1, 0));
	f = ledger_fact(r, "quotes");
	r->dirty = false;
	assert_false(see(BLUE, "quotes", V_PRESENT, 30, 0)); /* no write for what did not change... */
	assert_false(r->dirty);
	assert_int_equal(f->last_present.ms, at(1).ms);
	assert_false(see(BLUE, "quotes", V_PRESENT, 62, 0)); /* ...but once a minute */
	assert_true(r->dirty);
	assert_int_equal(f->last_present.ms, at(62).ms);
	assert_true(see(BLUE, "quotes", V_ABSENT, 70, 69));
	assert_int_equal(f->last_present.ms, at(69).ms);
	assert_int_equal(f->first_absent.ms, at(70).ms);
	assert_int_equal(f->absent_since.ms, at(70).ms);
	assert_false(see(BLUE, "quotes", V_PARTIAL, 71, 0));
	assert_false(see(BLUE, "quotes", V_UNKNOWN, 72, 0));
	assert_int_equal(f->now, V_ABSENT);
	assert_true(see(BLUE, "quotes", V_PRESENT, 80, 0));
	assert_int_equal(f->absent_since.ms, 0);
	assert_true(see(BLUE, "quotes", V_ABSENT, 90, 89));
	assert_int_equal(f->first_absent.ms, at(70).ms);
	assert_int_equal(f->absent_since.ms, at(90).ms);
	assert_int_equal(f->first_present.ms, at(1).ms);
	/* Another probe is another question. */
	struct ledger_sight x = { .feature = "quotes", .probe = 8, .verdict = V_PRESENT, .at = at(99), .now = at(99) };

	assert_true(ledger_note(l, r, &x));
	assert_int_equal(f->first_absent.ms, 0);
	assert_int_equal(f->first_present.ms, at(99).ms);
}

static void it_is_bounded(void **state)
{
	char id[16];
	struct ledger_route *routes = xcalloc(LEDGER_ROUTES + 5, sizeof(*routes));

	(void)state;
	arrive(BLUE, "old", "", 0);
	go(BLUE, "ann", MOVE_FORWARD, 1);
	for (int i = 0; i < LEDGER_RELEASES + 10; i++) {
		snprintf(id, sizeof(id), "r%d", i);
		arrive(GREEN, id, "", 10 + i);
	}
	assert_int_equal(l->n, LEDGER_RELEASES);
	assert_non_null(l->evicted);
	assert_string_equal(l->evicted->id, "r10"); /* what is in a slot never gives way, however old */
	assert_ptr_equal(ledger_in_slot(l, BLUE), ledger_find(l, "old"));
	assert_null(ledger_find(l, "r0"));
	for (int i = 0; i < LEDGER_FACTS + 10; i++) {
		snprintf(id, sizeof(id), "f%d", i);
		see(BLUE, id, V_PRESENT, 100, 0);
	}
	assert_int_equal(ledger_find(l, "old")->n_facts, LEDGER_FACTS);
	for (int i = 0; i < LEDGER_ROUTES + 5; i++) {
		memset(routes[i].path, 'p', sizeof(routes[i].path) - 1);
		snprintf(routes[i].path, 16, "/%d", i);
		routes[i].path[strlen(routes[i].path)] = 'p';
		routes[i].status = 200;
	}
	ledger_inventory(ledger_find(l, "old"), routes, LEDGER_ROUTES + 5, true, at(5));
	assert_int_equal(ledger_find(l, "old")->n_routes, LEDGER_ROUTES);
	assert_true(ledger_find(l, "old")->routes_cut);
	/* Each stored value fits into one of the store. */
	json_t *more = ledger_more_json(ledger_find(l, "old")), *facts = ledger_release_json(ledger_find(l, "old"));
	char *a = json_dumps(more, JSON_COMPACT), *b = json_dumps(facts, JSON_COMPACT);

	assert_true(strlen(a) < LEDGER_VALUE && strlen(b) < LEDGER_VALUE);
	assert_true(json_is_true(json_object_get(more, "cut")));
	free(a);
	free(b);
	json_decref(more);
	json_decref(facts);
	free(routes);
}

static void manifests_are_objects_of_a_bounded_size(void **state)
{
	char *big = xcalloc(1, LEDGER_MANIFEST + 100);

	(void)state;
	arrive(BLUE, "r1", "", 0);
	assert_true(ledger_manifest(ledger_in_slot(l, BLUE), "{\"builder\": {\"version\": \"4.1\"}}"));
	assert_string_equal(ledger_in_slot(l, BLUE)->manifest, "{\"builder\":{\"version\":\"4.1\"}}");
	assert_false(ledger_manifest(ledger_in_slot(l, BLUE), "[1]"));
	assert_false(ledger_manifest(ledger_in_slot(l, BLUE), "{\"a\":1,\"a\":2}"));
	memset(big, ' ', LEDGER_MANIFEST + 50);
	big[0] = '{';
	big[LEDGER_MANIFEST + 49] = '}';
	assert_false(ledger_manifest(ledger_in_slot(l, BLUE), big));
	assert_non_null(ledger_in_slot(l, BLUE)->manifest);
	free(big);
}

/* ---- the store's forms ---- */

static char *text_of(json_t *taken)
{
	char *t = json_dumps(taken, JSON_COMPACT | JSON_SORT_KEYS);

	json_decref(taken);
	assert_non_null(t);
	return t;
}

static void what_is_written_is_read_again(void **state)
{
	struct feature features[2] = { { .name = "quotes", .fingerprint = 7 }, { .name = "expenses", .fingerprint = 9 } };
	struct service_config cfg = { .features = features, .n_features = 2 };
	struct ledger_route route = { .path = "/expenses", .status = 200, .shape = "html Expenses" };
	struct ledger *again = ledger_new();
	uint32_t numbers;
	char why[100];

	(void)state;
	ledger_watch(l, &cfg, at(1));
	arrive(BLUE, "r1", "d1", 0);
	go(BLUE, "ann", MOVE_FORWARD, 10);
	see(BLUE, "quotes", V_PRESENT, 20, 0);
	see(BLUE, "quotes", V_ABSENT, 30, 25);
	arrive(GREEN, "r2", "", 40);
	assert_true(ledger_manifest(ledger_in_slot(l, GREEN), "{\"x\":1}"));
	ledger_inventory(ledger_in_slot(l, GREEN), &route, 1, true, at(41));
	char *head = text_of(ledger_head_json(l)), *whole = text_of(ledger_json(l, "shop"));

	assert_true(ledger_head_parse(again, head, &numbers, why, sizeof(why)));
	assert_int_equal(numbers, 3);
	for (unsigned k = 2; k-- > 0;) { /* in any order */
		char *facts = text_of(ledger_release_json(l->list[k])), *more;

		assert_true(ledger_release_parse(again, l->list[k]->number, facts, why, sizeof(why)));
		assert_false(ledger_release_parse(again, l->list[k]->number, facts, why, sizeof(why))); /* twice */
		free(facts);
		if (!l->list[k]->manifest)
			continue;
		more = text_of(ledger_more_json(l->list[k]));
		assert_true(ledger_more_parse(again, l->list[k]->number, more, why, sizeof(why)));
		free(more);
	}
	ledger_watch(again, &cfg, at(99));
	char *whole2 = text_of(ledger_json(again, "shop"));

	assert_string_equal(whole, whole2);
	free(head);
	free(whole);
	free(whole2);
	ledger_free(&again);
}

static void what_another_hand_wrote_is_refused(void **state)
{
	static const char *const heads[] = {
		"", "x", "[]", "{}", "{\"v\":2,\"features\":[],\"releases\":[]}", "{\"v\":1,\"features\":[],\"releases\":[32]}",
		"{\"v\":1,\"features\":[],\"releases\":[-1]}", "{\"v\":1,\"features\":[[\"a b\",\"0000000000000007\",1]],\"releases\":[]}",
		"{\"v\":1,\"features\":[[\"a\",\"7\",1]],\"releases\":[]}", "{\"v\":1,\"features\":[[\"a\",\"0000000000000007\",-1]],\"releases\":[]}",
		"{\"v\":1,\"features\":[[\"a\",\"0000000000000007\",1],[\"a\",\"0000000000000007\",1]],\"releases\":[]}",
		"{\"v\":1,\"v\":1,\"features\":[],\"releases\":[]}",
	};
	static const char *const spoils[][2] = {
		{ "\"id\":\"r1\"", "\"id\":\"r 1\"" }, { "\"id\":\"r1\"", "\"id\":7" }, { "\"slot\":\"blue\"", "\"slot\":\"red\"" },
		{ "\"held\":true", "\"held\":1" }, { "\"rechecks\":0", "\"rechecks\":-1" }, { "\"v\":1", "\"v\":3" },
		{ "\"facts\":[", "\"facts\":[[]," }, { "\"present\"", "\"partial\"" }, { "\"lives\":0", "\"lives\":1e3" }, { "\"digest\":\"\"", "\"digest\":null" },
		{ "\"first\":[", "\"first\":[0," },
	};
	uint32_t numbers;
	char why[100], *good;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		if (ledger_head_parse(l, heads[i], &numbers, why, sizeof(why)))
			fail_msg("believed: %s", heads[i]);
		assert_int_equal(l->n_features, 0);
	}
	arrive(BLUE, "r1", "", 0);
	see(BLUE, "quotes", V_PRESENT, 20, 0);
	good = text_of(ledger_release_json(l->list[0]));
	for (size_t i = 0; i < ARRAY_LEN(spoils); i++) {
		struct ledger *other = ledger_new();
		char bad[2048], *place = strstr(good, spoils[i][0]);

		if (!place)
			fail_msg("no %s in %s", spoils[i][0], good);
		snprintf(bad, sizeof(bad), "%.*s%s%s", (int)(place - good), good, spoils[i][1], place + strlen(spoils[i][0]));
		if (ledger_release_parse(other, 0, bad, why, sizeof(why)))
			fail_msg("believed: %s", bad);
		assert_int_equal(other->n, 0);
		ledger_free(&other);
	}
	free(good);
	assert_false(ledger_more_parse(l, 0, "{\"v\":1,\"id\":\"r1\",\"manifest\":[],\"at\":1,\"cut\":false,\"routes\":[]}", why, sizeof(why)));
	assert_false(ledger_more_parse(l, 0, "{\"v\":1,\"id\":\"r1\",\"manifest\":null,\"at\":1,\"cut\":false,\"routes\":[[\"/a\",1000,\"\"]]}", why, sizeof(why)));
	assert_false(ledger_more_parse(l, 5, "{\"v\":1,\"id\":\"r1\",\"manifest\":null,\"at\":1,\"cut\":false,\"routes\":[]}", why, sizeof(why)));
	/* Left over from the release that had this place before: no error, and none of this one's. */
	assert_true(ledger_more_parse(l, 0, "{\"v\":1,\"id\":\"r0\",\"manifest\":{},\"at\":1,\"cut\":false,\"routes\":[]}", why, sizeof(why)));
	assert_null(l->list[0]->manifest);
}

/* A place whose value is not understood is not given to another release. */
static void a_reserved_place_is_kept(void **state)
{
	(void)state;
	l->reserved = 1;
	arrive(BLUE, "r1", "", 0);
	assert_int_equal(ledger_in_slot(l, BLUE)->number, 1);
	char *head = text_of(ledger_head_json(l));

	assert_non_null(strstr(head, "\"releases\":[1,0]"));
	free(head);
	l->reserved = UINT32_MAX;
	arrive(GREEN, "r2", "", 0);
	assert_null(ledger_in_slot(l, GREEN));
}

/* ---- blame: the table ---- */

static struct blame_now now;

static enum slot slot_of(const char *s)
{
	enum slot slot = NO_SLOT;

	return slot_parse(s, &slot) ? slot : NO_SLOT;
}

/* r1@blue  P20-90 A30 P20-25A30 : what probes saw; I200 I- : its inventory; M{...} : its manifest. */
static void give_release(char *word, int i)
{
	char *what = strchr(word, ':'), *slot = strchr(word, '@');
	long a, b, c;

	if (what)
		*what++ = '\0';
	*slot++ = '\0';
	arrive(slot_of(slot), word, "", i * 100);
	while (what && *what) {
		char *next = strchr(what, '+');

		if (next)
			*next++ = '\0';
		if (sscanf(what, "P%ld-%ldA%ld", &a, &b, &c) == 3) {
			see(slot_of(slot), "x", V_PRESENT, a, 0);
			see(slot_of(slot), "x", V_ABSENT, c, b);
		} else if (sscanf(what, "P%ld", &a) == 1) {
			see(slot_of(slot), "x", V_PRESENT, a, 0);
		} else if (sscanf(what, "A%ld", &a) == 1) {
			see(slot_of(slot), "x", V_ABSENT, a, 0);
		} else if (what[0] == 'I') {
			struct ledger_route routes[2] = { { .path = "/", .status = 200 }, { .path = "/x", .status = (int)strtol(what + 1, NULL, 10) } };

			ledger_inventory(ledger_in_slot(l, slot_of(slot)), routes, what[1] == '-' ? 1 : 2, strcmp(what, "I-cut") != 0, at(i * 100));
		} else if (what[0] == 'M') {
			assert_true(ledger_manifest(ledger_in_slot(l, slot_of(slot)), what + 1));
		} else if (what[0] == 'O') { /* an older probe of the same name */
			struct ledger_sight old = { .feature = "x", .probe = 1, .verdict = V_ABSENT, .at = at(1), .now = at(1) };

			ledger_note(l, ledger_in_slot(l, slot_of(slot)), &old);
		} else {
			fail_msg("what is %s?", what);
		}
		what = next;
	}
}

static void give_world(char *word)
{
	char *v = strchr(word, '=');
	static const char letters[] = "UPAH";

	if (v)
		*v++ = '\0';
	if (strcmp(word, "active") == 0)
		now.active = slot_of(v);
	else if (strcmp(word, "at") == 0)
		for (int k = 0; k < 2; k++)
			now.at[k] = (enum verdict)(strchr(letters, v[2 * k]) - letters);
	else if (strcmp(word, "target") == 0)
		now.target = true;
	else if (strcmp(word, "whole") == 0)
		now.whole = true;
	else if (strcmp(word, "removed") == 0)
		now.watched = false;
	else if (strcmp(word, "since") == 0) {
		struct feature f = { .name = "x", .fingerprint = 7 };
		struct service_config cfg = { .features = &f, .n_features = 1 };

		ledger_watch(l, &cfg, at(strtol(v, NULL, 10)));
	} else
		fail_msg("what is %s?", word);
}

/* "good=r1 next=..." : each word stands in what the answer comes to; "next=" takes the rest of the line. */
static void expect_words(const char *line, char *want)
{
	json_t *o = blame_json(l, &now), *good = json_object_get(o, "good"), *bad = json_object_get(o, "bad");
	const char *next = json_string_value(json_object_get(o, "next"));
	char got[512];
	struct blame b;

	blame_find(l, &now, &b);
	for (char *w = want, *rest; w && *w; w = rest) {
		w += strspn(w, " ");
		rest = text_starts(w, "next=") ? NULL : strchr(w, ' ');
		if (rest)
			*rest++ = '\0';
		const char *word = w, *v = strchr(w, '=') + 1, *is = "?";

		if (text_starts(word, "answer=")) is = json_string_value(json_object_get(o, "answer"));
		else if (text_starts(word, "good=")) is = json_is_null(good) ? "none" : json_string_value(json_object_get(good, "release"));
		else if (text_starts(word, "bad=")) is = json_is_null(bad) ? "none" : json_string_value(json_object_get(bad, "release"));
		else if (text_starts(word, "fixed=")) is = b.fixed ? b.fixed->id : "none";
		else if (text_starts(word, "by=")) {
			snprintf(got, sizeof(got), "%s/%s", json_string_value(json_object_get(good, "source")), json_string_value(json_object_get(bad, "source")));
			is = got;
		} else if (text_starts(word, "between=")) is = json_string_value(json_array_get(json_object_get(o, "between"), 0));
		else if (text_starts(word, "unrecorded=")) is = json_is_null(json_object_get(o, "no_record_before")) ? "no" : "yes";
		else if (text_starts(word, "copies=")) {
			snprintf(got, sizeof(got), "%zu", json_array_size(json_object_get(o, "copies")));
			is = got;
		} else if (text_starts(word, "manifests=")) is = json_string_value(json_object_get(o, "manifests"));
		else if (text_starts(word, "changed=")) {
			char *t = json_dumps(json_object_get(o, "changed"), JSON_ENCODE_ANY | JSON_COMPACT);

			snprintf(got, sizeof(got), "%s", t);
			free(t);
			is = got;
		} else if (text_starts(word, "next=")) is = next;
		if (!is || strcmp(is, v) != 0)
			fail_msg("%s\n  want %s, got %s", line, word, is ? is : "nothing");
	}
	json_decref(o);
}

static void run_line(const char *line)
{
	char text[1024], *left, *right;
	int i = 0;

	snprintf(text, sizeof(text), "%s", line);
	left = text;
	right = strstr(text, " | ");
	assert_non_null(right);
	*right = '\0';
	right += 3;
	up(NULL);
	now = (struct blame_now){ .service = "shop", .feature = "x", .path = "/x", .active = BLUE, .watched = true };
	give_world((char[]){ "since=0" });
	for (char *save, *w = strtok_r(left, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (strchr(w, '@'))
			give_release(w, ++i);
		else
			give_world(w);
	for (int k = 0; k < 2; k++)
		TEXT_COPY(now.release[k], rec.slot[k].id);
	expect_words(line, right);
	down(NULL);
}

static void blame_table(void **state)
{
	FILE *f = fopen("tests/tables/blame.tbl", "re");
	char line[1024];
	int n = 0;

	(void)state;
	assert_non_null(f);
	ledger_free(&l);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || !line[0])
			continue;
		run_line(line);
		n++;
	}
	fclose(f);
	assert_true(n >= 20);
	l = ledger_new();
}

/* ---- late breakage ---- */

static void the_suite_is_due_after_a_bake(void **state)
{
	struct service_config cfg = { .recheck_ms = { 3600 * 1000, 24 * 3600 * 1000 }, .n_recheck = 2 };
	struct ledger_release *r;
	int done = 0;

	(void)state;
	arrive(BLUE, "r1", "", 0);
	rec.slot[BLUE].state = RS_LIVE;
	rec.phase = PH_BAKING;
	go(BLUE, "ci", MOVE_FORWARD, 10);
	assert_null(recheck_due(l, &cfg, at(100000), &done)); /* not baked */
	rec.slot[BLUE].state = RS_GOOD;
	rec.phase = PH_STEADY;
	rec.phase_since = at(20);
	ledger_record(l, &rec, at(20));
	r = ledger_in_slot(l, BLUE);
	assert_int_equal(r->baked.ms, at(20).ms);
	assert_int_equal(recheck_next(l, &cfg).ms, at(3620).ms);
	assert_null(recheck_due(l, &cfg, at(3619), &done));
	assert_ptr_equal(recheck_due(l, &cfg, at(3620), &done), r);
	assert_int_equal(done, 1);
	r->rechecks = 1;
	assert_null(recheck_due(l, &cfg, at(3620), &done));
	assert_ptr_equal(recheck_due(l, &cfg, at(20 + 24 * 3600), &done), r);
	r->rechecks = 0; /* nobody was here for two days: once is enough */
	assert_ptr_equal(recheck_due(l, &cfg, at(48 * 3600), &done), r);
	assert_int_equal(done, 2);
	r->rechecks = 2;
	assert_int_equal(recheck_next(l, &cfg).ms, 0);
	/* A release that was left is not asked for its own sake, and a way back is no bake. */
	r->rechecks = 0;
	arrive(GREEN, "r2", "", 200000);
	go(GREEN, "ci", MOVE_FORWARD, 200010);
	assert_null(recheck_due(l, &cfg, at(400000), &done));
	go(BLUE, "switchd", MOVE_AUTO, 200020);
	rec.phase_since = at(200030);
	ledger_record(l, &rec, at(200030));
	assert_int_equal(r->baked.ms, at(20).ms);
}

static void what_broke_is_told_once(void **state)
{
	struct feature features[2] = { { .name = "quotes", .fingerprint = 7 }, { .name = "expenses", .fingerprint = 7 } };
	struct service_config cfg = { .features = features, .n_features = 2 };
	struct broken b[2 * MAX_FEATURES];
	char text[400];

	(void)state;
	arrive(BLUE, "r1", "", 0);
	arrive(GREEN, "r2", "", 1);
	see(BLUE, "quotes", V_ABSENT, 10, 0); /* never seen there: not broken since */
	see(GREEN, "expenses", V_PRESENT, 10, 0);
	assert_int_equal(recheck_broken(l, &cfg, b), 0);
	see(GREEN, "expenses", V_ABSENT, 30, 20);
	assert_int_equal(recheck_broken(l, &cfg, b), 1);
	recheck_text(b, 1, BLUE, text, sizeof(text));
	assert_string_equal(text, "expenses on green (r2, idle): present until 1970-01-01T00:17:00.000Z, absent since 1970-01-01T00:17:10.000Z");
	b[0].fact->told = b[0].fact->absent_since;
	assert_int_equal(recheck_broken(l, &cfg, b), 0);
	see(GREEN, "expenses", V_PRESENT, 40, 0);
	see(GREEN, "expenses", V_ABSENT, 50, 45); /* again: another breakage */
	assert_int_equal(recheck_broken(l, &cfg, b), 1);
	recheck_text(b, 1, GREEN, text, 60);
	assert_string_equal(text, "; and 1 more");
	features[1].fingerprint = 9; /* probed otherwise now */
	assert_int_equal(recheck_broken(l, &cfg, b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_was_live_and_when, up, down),
		cmocka_unit_test_setup_teardown(a_claimed_slot_has_no_release, up, down),
		cmocka_unit_test_setup_teardown(verdicts_fold, up, down),
		cmocka_unit_test_setup_teardown(it_is_bounded, up, down),
		cmocka_unit_test_setup_teardown(manifests_are_objects_of_a_bounded_size, up, down),
		cmocka_unit_test_setup_teardown(what_is_written_is_read_again, up, down),
		cmocka_unit_test_setup_teardown(what_another_hand_wrote_is_refused, up, down),
		cmocka_unit_test_setup_teardown(a_reserved_place_is_kept, up, down),
		cmocka_unit_test_setup_teardown(blame_table, up, down),
		cmocka_unit_test_setup_teardown(the_suite_is_due_after_a_bake, up, down),
		cmocka_unit_test_setup_teardown(what_broke_is_told_once, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
