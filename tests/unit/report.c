/* SPDX-License-Identifier: MIT
 * tests/unit/report.c - what counts, what was wrong, what was watched, and when it is time to enforce. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "switchd/core/story/report.h"

#define DAY (24 * 3600 * INT64_C(1000))
#define T0 (1000 * DAY)

/* Lines are written with single quotes, and times as seconds after T0. */
static json_t *lines_of(const char *text)
{
	struct buf b = BUF_INIT(64 * 1024);
	json_t *list, *e, *at;
	json_error_t err;
	size_t i;

	for (; *text; text++)
		buf_add(&b, *text == '\'' ? "\"" : text, 1);
	list = json_loads(buf_str(&b), 0, &err);
	if (!list)
		fail_msg("%s at %d in %s", err.text, err.position, buf_str(&b));
	json_array_foreach(list, i, e) {
		at = json_object_get(e, "at");
		json_object_set_new(e, "at", json_integer(T0 + json_integer_value(at) * 1000));
	}
	buf_free(&b);
	return list;
}

static json_t *watched_all(void) { return json_pack("[[I,I,s]]", (json_int_t)(T0 - DAY), (json_int_t)(T0 + 8 * DAY), "switchd did not run"); }

static json_t *report_of(const char *text)
{
	json_t *lines = lines_of(text), *watched = watched_all(), *r;
	struct report_in in = { .service = "shop", .mode = MODE_OBSERVE, .from = { T0 }, .to = { T0 + 7 * DAY }, .lines = lines, .complete = true,
				.watched = watched, .counts_since = { T0 }, .calm_ms = 65000, .target = true };

	r = report_make(&in);
	json_decref(lines);
	json_decref(watched);
	assert_non_null(r);
	return r;
}

static int64_t at(const json_t *r, const char *group, const char *key) { return json_integer_value(json_object_get(json_object_get(r, group), key)); }

static const char *how(const json_t *r)
{
	const char *s = json_string_value(json_object_get(json_array_get(json_object_get(json_object_get(r, "wrong"), "list"), 0), "how"));

	return s ? s : "";
}

#define WOULD "{'at':100,'kind':'rollback.would','by':'switchd','release':'r2','from':{'slot':'green'},'to':{'slot':'green'},'evidence':[{'feature':'quotes','slot':'green'}]}"
#define BACK(sec) "{'at':" #sec ",'kind':'ledger.verdict','feature':'quotes','slot':'green','verdict':'present'}"

static void wrong_is(const char *text, int64_t n, const char *want)
{
	json_t *r = report_of(text);

	if (at(r, "wrong", "count") != n || strcmp(how(r), want) != 0)
		fail_msg("%s: wrong %lld (%s), want %lld (%s)", text, (long long)at(r, "wrong", "count"), how(r), (long long)n, want);
	json_decref(r);
}

static void test_wrong(void **state)
{
	(void)state;
	wrong_is("[" WOULD "]", 0, "");
	wrong_is("[" WOULD "," BACK(150) "]", 1, "it came back by itself");
	wrong_is("[" WOULD "," BACK(165) "]", 1, "it came back by itself");
	wrong_is("[" WOULD "," BACK(166) "]", 0, "");           /* later than calm: that was an outage */
	wrong_is("[" WOULD ",{'at':120,'kind':'ledger.verdict','feature':'quotes','slot':'blue','verdict':'present'}]", 0, "");
	wrong_is("[" WOULD ",{'at':120,'kind':'ledger.verdict','feature':'quotes','slot':'green','verdict':'absent'}]", 0, "");
	/* Somebody's hand was on it. */
	wrong_is("[" WOULD ",{'at':110,'kind':'observe.followed','by':'switchd','from':{'slot':'green'},'to':{'slot':'blue'}}," BACK(120) "]", 0, "");
	wrong_is("[" WOULD ",{'at':110,'kind':'claim.taken','by':'ci'}," BACK(120) "]", 0, "");
	/* Both must be back. */
	wrong_is("[{'at':100,'kind':'rollback.would','by':'switchd','evidence':[{'feature':'quotes','slot':'green'},{'feature':'expenses','slot':'green'}]},"
		 BACK(120) "]", 0, "");
	/* A person says so. */
	wrong_is("[" WOULD ",{'at':3600,'kind':'muted','by':'ann','detail':'quotes until T: vendor'}]", 1, "its feature was muted");
	wrong_is("[" WOULD ",{'at':3600,'kind':'muted','by':'ann','detail':'expenses until T: vendor'}]", 0, "");
	wrong_is("[" WOULD ",{'at':3701,'kind':'muted','by':'ann','detail':'quotes until T: vendor'}]", 0, "");
	wrong_is("[" WOULD ",{'at':80000,'kind':'note','by':'ann','detail':'That was a False Alarm.'}]", 1, "a note says so");
	wrong_is("[" WOULD ",{'at':80000,'kind':'note','by':'ann','detail':'that was an alarm'}]", 0, "");
	wrong_is("[" WOULD ",{'at':90000,'kind':'note','by':'ann','detail':'a false alarm'}]", 0, "");
	wrong_is("[" WOULD ",{'at':300000,'kind':'pardoned','by':'ann','release':'r2','detail':'r2: the db'}]", 1, "its release was pardoned");
	wrong_is("[" WOULD ",{'at':300000,'kind':'pardoned','by':'ann','release':'r3','detail':'r3: the db'}]", 0, "");
	/* One that was done is judged by people; coming back on the slot that was left says nothing. */
	wrong_is("[{'at':100,'kind':'rollback.decided','by':'switchd','release':'r2','from':{'slot':'green'},'to':{'slot':'blue'},"
		 "'evidence':[{'feature':'quotes','slot':'green'}]}," BACK(120) "]", 0, "");
	wrong_is("[{'at':100,'kind':'rollback.decided','by':'switchd','release':'r2','evidence':[{'feature':'quotes','slot':'green'}]},"
		 "{'at':200,'kind':'pardoned','by':'ann','release':'r2'}]", 1, "its release was pardoned");
	/* A refusal that was only told. */
	wrong_is("[{'at':1,'kind':'deploy.would_refuse','by':'switchd','release':'r3'},{'at':9,'kind':'release.good','by':'switchd','release':'r3'}]", 1,
		 "went live all the same and was good");
	wrong_is("[{'at':1,'kind':'deploy.would_refuse','by':'switchd','release':'r3'},{'at':5,'kind':'feature.lost','by':'switchd','release':'r3'},"
		 "{'at':9,'kind':'release.good','by':'switchd','release':'r3'}]", 0, "");
	wrong_is("[{'at':1,'kind':'deploy.would_refuse','by':'switchd','release':'r3'},{'at':9,'kind':'release.good','by':'switchd','release':'r4'}]", 0, "");
	/* Before the span: not of this report. */
	wrong_is("[{'at':-5,'kind':'deploy.would_refuse','by':'switchd','release':'r3'},{'at':9,'kind':'release.good','by':'switchd','release':'r3'}]", 0, "");
}

static void test_counts(void **state)
{
	(void)state;
	json_t *r = report_of("[{'at':1,'kind':'deploy.started','by':'ci'},{'at':2,'kind':'gate.refused','by':'switchd'},{'at':3,'kind':'gate.refused','by':'ci'},"
			      "{'at':4,'kind':'flip.decided','by':'switchd'},{'at':5,'kind':'rollback.decided','by':'switchd','evidence':[{'feature':'a','slot':'blue'}]},"
			      "{'at':6,'kind':'rollback.decided','by':'switchd'},{'at':7,'kind':'rollback.decided','by':'ann'},{'at':8,'kind':'bake.done','by':'switchd'},"
			      "{'at':9,'kind':'drill.done','by':'switchd','detail':'there'},{'at':10,'kind':'deploy.would_flip','by':'switchd'}]");
	static const struct { const char *key; int64_t n; } want[] = {
		{ "deploys", 1 }, { "refused", 1 }, { "orders_refused", 1 }, { "flips", 1 }, { "rolled_back", 1 }, { "flips_undone", 1 },
		{ "rolled_back_by_people", 1 }, { "baked", 1 }, { "drills", 1 }, { "would_flip", 1 }, { "would_refuse", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		if (at(r, "counts", want[i].key) != want[i].n)
			fail_msg("%s: %lld", want[i].key, (long long)at(r, "counts", want[i].key));
	assert_string_equal(json_string_value(json_object_get(json_object_get(r, "last_drill"), "detail")), "there");
	json_decref(r);
}

static struct report_in whole(json_t *lines, json_t *watched)
{
	return (struct report_in){ .service = "shop", .mode = MODE_OBSERVE, .from = { T0 }, .to = { T0 + 7 * DAY }, .lines = lines, .complete = true,
				   .watched = watched, .counts_since = { T0 }, .calm_ms = 65000, .target = true };
}

/* "" when it is time; else the reasons, joined. */
static void ready_is(const struct report_in *in, const char *want)
{
	json_t *r = report_make(in), *y = json_object_get(r, "ready"), *x;
	struct buf b = BUF_INIT(4096);
	size_t i;

	json_array_foreach(json_object_get(y, "why"), i, x)
		buf_addf(&b, "%s;", json_string_value(x));
	if (want[0] ? !strstr(buf_str(&b), want) : b.len)
		fail_msg("ready: %s, want %s", buf_str(&b), want);
	assert_int_equal(json_is_true(json_object_get(y, "yes")), !want[0]);
	buf_free(&b);
	json_decref(r);
}

static void test_ready(void **state)
{
	(void)state;
	json_t *lines = lines_of("[{'at':1,'kind':'deploy.started','by':'ci'},{'at':2,'kind':'deploy.would_flip','by':'switchd'}]"), *watched = watched_all();
	json_t *none = json_array(), *weak = json_pack("[s]", "quotes"), *wrong = lines_of("[{'at':1,'kind':'deploy.started','by':'ci'}," WOULD "," BACK(120) "]");
	json_t *part = json_pack("[[I,I,s]]", (json_int_t)T0, (json_int_t)(T0 + 3 * DAY), ""), *hour = json_pack("[[I,I,s]]", (json_int_t)T0, (json_int_t)(T0 + 3600000), "");
	struct report_in in = whole(lines, watched);

	ready_is(&in, "");
	in.watched = part;
	ready_is(&in, "less than 90 % of the time");
	in.watched = hour;
	ready_is(&in, "less than a day");
	in = whole(none, watched);
	ready_is(&in, "no deploy was seen");
	in = whole(lines, watched);
	in.weak = weak;
	ready_is(&in, "1 critical probe is not known to notice a loss (quotes)");
	in = whole(wrong, watched);
	ready_is(&in, "1 of its decisions was wrong");
	in = whole(lines, watched);
	in.complete = false;
	ready_is(&in, "left out");
	in = whole(lines, watched);
	in.target = false;
	ready_is(&in, "no rollback target");
	json_decref(lines);
	json_decref(watched);
	json_decref(none);
	json_decref(weak);
	json_decref(wrong);
	json_decref(part);
	json_decref(hour);
}

/* Gaps are named; what is out of the span or out of order adds nothing. */
static void test_watched(void **state)
{
	(void)state;
	json_t *lines = json_array();
	json_t *watched = json_pack("[[I,I,s],[I,I,s],[I,I,s]]", (json_int_t)(T0 - DAY), (json_int_t)(T0 + DAY), "", (json_int_t)(T0 + 2 * DAY), (json_int_t)(T0 + 6 * DAY),
				    "switchd did not run", (json_int_t)(T0 + 3 * DAY), (json_int_t)(T0 + 4 * DAY), "twice");
	json_t *counts = json_pack("[{s:s,s:s,s:i,s:i,s:i},{s:s,s:s,s:i,s:i,s:i},{s:s,s:s,s:i,s:i,s:i}]", "feature", "search", "slot", "blue", "probes", 120960, "absents", 3,
				   "lost", 0, "feature", "quotes", "slot", "blue", "probes", 100, "absents", 9, "lost", 1, "feature", "home", "slot", "blue", "probes", 5,
				   "absents", 1, "lost", 0);
	struct report_in in = whole(lines, watched);

	in.counts = counts;
	json_t *r = report_make(&in), *gaps = json_object_get(json_object_get(r, "watched"), "gaps");
	struct buf b = BUF_INIT(16384);

	assert_int_equal(at(r, "watched", "ms"), 5 * DAY);
	assert_int_equal(json_array_size(gaps), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(gaps, 0), "from")), T0 + DAY);
	assert_string_equal(json_string_value(json_object_get(json_array_get(gaps, 0), "why")), "switchd did not run");
	assert_string_equal(json_string_value(json_object_get(json_array_get(gaps, 1), "why")), "not watching now");
	/* One that was lost is no flapping: fall was reached. */
	assert_string_equal(json_string_value(json_object_get(json_object_get(r, "flappiest"), "feature")), "search");
	report_print(r, false, &b);
	assert_non_null(strstr(buf_str(&b), "flappiest    search on blue: 3 of 120960 answers absent"));
	assert_non_null(strstr(buf_str(&b), "NO, not yet to be enforced:"));
	buf_free(&b);
	json_decref(r);
	json_decref(counts);
	json_decref(lines);
	json_decref(watched);
}

/* Foreign text cannot break out of its cell, nor bring control characters. */
static void test_markdown(void **state)
{
	(void)state;
	json_t *r = report_of("[{'at':100,'kind':'rollback.would','by':'switchd','release':'r|2','detail':'a | b [x](http://e) <script>\\u001b[2J','evidence':"
			      "[{'feature':'quotes','slot':'green'}]},{'at':200,'kind':'note','by':'ann','detail':'false alarm | `x`'}]");
	struct buf b = BUF_INIT(16384);

	report_print(r, true, &b);
	assert_non_null(strstr(buf_str(&b), "a \\| b \\[x](http://e) \\<script>"));
	assert_non_null(strstr(buf_str(&b), "false alarm \\| \\`x\\`"));
	assert_null(strchr(buf_str(&b), '\033'));
	buf_free(&b);
	json_decref(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong), cmocka_unit_test(test_counts), cmocka_unit_test(test_ready), cmocka_unit_test(test_watched), cmocka_unit_test(test_markdown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
