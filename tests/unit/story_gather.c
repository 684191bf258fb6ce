/* SPDX-License-Identifier: MIT
 * story_gather.c - unit tests of core/story_gather: many memories, one story; what none of them has is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switchd/core/story/story_gather.h"

#define EV(id, kind, at, deploy) "{\"id\":\"" id "\",\"kind\":\"" kind "\",\"service\":\"shop\",\"at\":" at ",\"deploy\":" deploy ",\"by\":\"ci\"}"

static json_t *list(const char *text)
{
	json_error_t e;
	json_t *o = json_loads(text, 0, &e);

	if (!o)
		fail_msg("%s in %s", e.text, text);
	return o;
}

static const char *kinds(const json_t *events, char *out, size_t size)
{
	size_t i, n = 0;
	json_t *e;

	out[0] = '\0';
	json_array_foreach((json_t *)events, i, e) {
		text_format(out + n, size - n, "%s%s", n ? " " : "", json_string_value(json_object_get(e, "kind")));
		n = strlen(out);
	}
	return out;
}

static const char *missing(const json_t *report, size_t i)
{
	const char *s = json_string_value(json_array_get(json_object_get(report, "missing"), i));

	return s ? s : "";
}

static json_t *report_of(struct story_source *s)
{
	json_t *events = story_events(s), *r = story_of(s, events, NULL);

	json_decref(events);
	return r;
}

static void what_two_sources_tell_is_told_once(void **state)
{
	json_t *lines = list("[" EV("1-1", "service.started", "1000", "0") "," EV("1-2", "hold.set", "2000", "0") ",{\"kind\":\"ledger.verdict\",\"at\":5,\"service\":\"shop\"}]");
	/* said while the store was away, and the same with the id that it got later; somebody else's; rubbish */
	json_t *events = list("[" EV("local-1", "hold.set", "2000", "0") "," EV("1-3", "hold.cleared", "1500", "0") ",7,{\"kind\":\"x\",\"at\":9,\"service\":\"other\"},{}]");
	struct story_source s = { .service = "shop", .from = { 500 }, .to = { 3000 }, .lines = lines, .events = events };
	json_t *all = story_events(&s);
	char said[200];

	(void)state;
	assert_string_equal(kinds(all, said, sizeof(said)), "service.started hold.cleared hold.set");
	json_decref(all);
	json_decref(lines);
	json_decref(events);
}

static void what_was_trimmed_is_named(void **state)
{
	json_t *lines = list("[" EV("1-7", "hold.set", "5000", "0") ",{\"kind\":\"archive.gap\",\"at\":9000,\"after\":\"1-7\",\"before\":\"1-12\",\"missing\":4},"
			     EV("1-12", "hold.cleared", "8000", "0") "]");
	struct story_source s = { .service = "shop", .from = { 1000 }, .to = { 8500 }, .lines = lines };
	json_t *r = report_of(&s), *before;

	(void)state;
	assert_false(json_is_true(json_object_get(r, "complete")));
	assert_non_null(strstr(missing(r, 0), "events from 1970-01-01T00:00:01.000Z to 1970-01-01T00:00:05.000Z were trimmed"));
	assert_string_equal(missing(r, 1), "4 events, of this and other services, between 1970-01-01T00:00:05.000Z and 1970-01-01T00:00:08.000Z were "
					   "trimmed before they were archived");
	json_decref(r);

	/* Gaps are in every reading of the archive: told once, and no sign of something older. */
	json_t *gap = list("[{\"kind\":\"archive.gap\",\"at\":9000,\"after\":\"1-7\",\"before\":\"1-12\",\"missing\":4}]");

	s.before = gap;
	r = report_of(&s);
	assert_non_null(strstr(missing(r, 0), "events from 1970-01-01T00:00:01.000Z to"));
	assert_null(strstr(missing(r, 2), "were trimmed before"));
	json_decref(r);
	json_decref(gap);

	/* Whatever is older than the span says that nothing of its beginning is missing; the gap is of another time then. */
	before = list("[" EV("1-6", "muted", "900", "0") "]");
	s.before = before;
	s.from.ms = 8200;
	r = report_of(&s);
	assert_null(strstr(missing(r, 0), "trimmed"));
	json_decref(r);
	json_decref(before);
	json_decref(lines);
}

static void the_beginning_of_a_service_is_not_missing(void **state)
{
	json_t *lines = list("[" EV("1-1", "service.started", "5000", "0") "]");
	struct story_source s = { .service = "shop", .from = { 1000 }, .to = { 8000 }, .lines = lines };
	json_t *r = report_of(&s);

	(void)state;
	assert_null(strstr(missing(r, 0), "trimmed"));
	json_decref(r);
	s.cut = s.store_away = true;
	r = report_of(&s);
	assert_non_null(strstr(missing(r, 0), "the store is away"));
	assert_non_null(strstr(missing(r, 1), "the archive could not be read whole"));
	json_decref(r);
	json_decref(lines);
	s = (struct story_source){ .service = "shop", .from = { 1000 }, .to = { 8000 } };
	r = report_of(&s); /* nothing at all is known */
	assert_non_null(strstr(missing(r, 0), "from 1970-01-01T00:00:01.000Z to 1970-01-01T00:00:08.000Z"));
	json_decref(r);
}

static void a_fault_begins_with_the_first_bad_answer(void **state)
{
	json_t *changes = list("[{\"kind\":\"feature.changed\",\"at\":1000,\"since\":1000,\"slot\":\"blue\",\"feature\":\"quotes\",\"verdict\":\"present\",\"release\":\"r1\"},"
			       "{\"kind\":\"feature.changed\",\"at\":5000,\"since\":4800,\"slot\":\"blue\",\"feature\":\"quotes\",\"verdict\":\"absent\",\"release\":\"r1\"},"
			       "{\"kind\":\"feature.changed\",\"at\":5000,\"since\":4800,\"slot\":\"blue\",\"feature\":\"quotes\",\"verdict\":\"absent\",\"release\":\"r1\"},"
			       "{\"kind\":\"feature.changed\",\"at\":6000,\"since\":6000,\"slot\":\"blue\",\"feature\":\"quotes\",\"verdict\":\"present\",\"release\":\"r1\"}]");
	struct story_source s = { .service = "shop", .from = { 2000 }, .to = { 8000 }, .changes = changes };
	json_t *r = report_of(&s), *o = json_object_get(r, "outages");

	(void)state;
	assert_int_equal(json_array_size(o), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(o, 0), "from")), 4800);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(o, 0), "ms")), 1200);
	assert_int_equal(json_array_size(json_object_get(r, "facts")), 2); /* gone, and back; that it was there is no fact of this span */
	json_decref(r);
	json_decref(changes);
}

static void a_slot_that_is_filled_anew_is_no_outage(void **state)
{
#define CH(at, verdict, release) "{\"kind\":\"feature.changed\",\"at\":" at ",\"slot\":\"green\",\"feature\":\"quotes\",\"verdict\":\"" verdict "\",\"release\":\"" release "\"}"
	static const struct { const char *changes; size_t outages; } cases[] = {
		{ "[" CH("1000", "present", "r1") "," CH("3000", "absent", "r1") "," CH("4000", "unknown", "r2") "," CH("5000", "present", "r2") "]", 0 },
		{ "[" CH("1000", "present", "r1") "," CH("3000", "absent", "r1") "," CH("3500", "unknown", "r1") "," CH("4000", "unknown", "r2") "]", 0 },
		{ "[" CH("3000", "absent", "") "," CH("4000", "present", "") "]", 0 },
		/* it broke by itself, or came back by itself, or the new one lacks it */
		{ "[" CH("1000", "present", "r1") "," CH("3000", "absent", "r1") "]", 1 },
		{ "[" CH("3000", "absent", "r1") "," CH("3500", "present", "r1") "," CH("4000", "unknown", "r2") "]", 1 },
		{ "[" CH("3000", "absent", "r1") "," CH("4000", "unknown", "r2") "," CH("5000", "absent", "r2") "]", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *changes = list(cases[i].changes);
		struct story_source s = { .service = "shop", .from = { 2000 }, .to = { 8000 }, .changes = changes };
		json_t *r = report_of(&s);

		if (json_array_size(json_object_get(r, "outages")) != cases[i].outages)
			fail_msg("case %zu: %zu outages", i, json_array_size(json_object_get(r, "outages")));
		assert_int_equal(json_array_size(json_object_get(json_object_get(r, "picture"), "rows")), 1);
		json_decref(r);
		json_decref(changes);
	}
}

static void a_deploy_lasts_to_its_end(void **state)
{
	json_t *e = list("[" EV("1-1", "claim.taken", "900", "6") "," EV("1-2", "deploy.started", "10000", "7") "," EV("1-3", "flip.decided", "11000", "7") ","
			 EV("1-4", "rollback.done", "15000", "7") "," EV("1-5", "requests.counted", "16000", "7") "," EV("1-6", "hold.set", "99000", "7") ","
			 EV("1-7", "deploy.started", "100000", "8") "]");
	wall_ms from, to, now = { 100500 };
	bool open;

	(void)state;
	assert_true(story_deploy_span(e, 7, now, &from, &to, &open));
	assert_false(open);
	assert_int_equal(from.ms, 10000 - STORY_PAD_MS);
	assert_int_equal(to.ms, 16000 + STORY_PAD_MS);
	assert_true(story_deploy_span(e, 8, now, &from, &to, &open));
	assert_true(open);
	assert_int_equal(to.ms, now.ms);
	assert_false(story_deploy_span(e, 6, now, &from, &to, &open));
	assert_false(story_deploy_span(e, 9, now, &from, &to, &open));
	json_decref(e);
}

static void blame_becomes_a_cause(void **state)
{
	json_t *b = list("{\"good\":{\"release\":\"r0\",\"slot\":\"blue\",\"last_present\":5000,\"first_live\":null},"
			 "\"bad\":{\"release\":\"r1\",\"slot\":\"green\",\"first_live\":{\"from\":1000,\"by\":\"ci\"},\"first_absent\":2000},\"manifests\":\"both\","
			 "\"changed\":[{\"field\":\"builder.version\",\"good\":\"3.9\",\"bad\":\"4.0\"},{\"field\":\"labels\",\"good\":null,\"bad\":{\"a\":1}}]}");
	json_t *c = story_cause(b), *nobody = list("{\"good\":null,\"bad\":null}");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(c, "text")),
			    "the last release that had it: r0 (blue), last present 1970-01-01T00:00:05.000Z; the first that had not: r1 (green), "
			    "live from 1970-01-01T00:00:01.000Z by ci, first absent 1970-01-01T00:00:02.000Z");
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(c, "changed"), 0), "from")), "3.9");
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(c, "changed"), 1), "from")), "(not told)");
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(c, "changed"), 1), "to")), "{\"a\":1}");
	assert_null(story_cause(nobody));
	assert_null(story_cause(NULL));
	json_decref(nobody);
	json_decref(c);
	json_decref(b);
}

static void requests_that_nobody_counted_are_missing(void **state)
{
	json_t *e = list("[{\"kind\":\"service.started\",\"at\":1000},{\"kind\":\"requests.counted\",\"at\":2000,\"detail\":\"not known: proxy lb1 began to count anew "
			 "meanwhile\",\"evidence\":{\"requests\":null}}]");
	struct story_source s = { .service = "shop", .from = { 500 }, .to = { 3000 }, .events = e };
	json_t *r = report_of(&s);

	(void)state;
	assert_string_equal(missing(r, 0), "how many requests were wrong: not known: proxy lb1 began to count anew meanwhile");
	assert_true(json_is_null(json_object_get(json_object_get(r, "summary"), "requests")));
	json_decref(r);
	json_decref(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_two_sources_tell_is_told_once),
		cmocka_unit_test(what_was_trimmed_is_named),
		cmocka_unit_test(the_beginning_of_a_service_is_not_missing),
		cmocka_unit_test(a_fault_begins_with_the_first_bad_answer),
		cmocka_unit_test(a_slot_that_is_filled_anew_is_no_outage),
		cmocka_unit_test(a_deploy_lasts_to_its_end),
		cmocka_unit_test(blame_becomes_a_cause),
		cmocka_unit_test(requests_that_nobody_counted_are_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
