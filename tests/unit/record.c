/* SPDX-License-Identifier: MIT
 * record.c - records and events to JSON and back; what must not be believed is not (R13). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switchd/base/buf.h"
#include "switchd/core/record.h"

static const char *numbered(const char *name, size_t n)
{
	static char text[32];

	snprintf(text, sizeof(text), "%s-%zu", name, n);
	return text;
}

static struct record *full(void)
{
	struct record *r = xcalloc(1, sizeof(*r));

	r->v = (struct version){ 1795333451, 42 };
	r->rev = 99;
	TEXT_COPY(r->cid, "req/1@ci.example:8+x_y.z");
	r->active = GREEN;
	r->shield = true;
	r->phase = PH_BAKING;
	r->phase_since.ms = 1795333451001;
	r->phase_until.ms = 1795333751001;
	for (int s = BLUE; s <= GREEN; s++) {
		snprintf(r->slot[s].id, sizeof(r->slot[s].id), "r4%d", s);
		snprintf(r->slot[s].digest, sizeof(r->slot[s].digest), "sha256:abc=%d", s);
		r->slot[s].state = s == BLUE ? RS_GOOD : RS_LIVE;
		r->slot[s].was_good = s == BLUE;
		r->slot[s].own_rollback = s == GREEN;
		r->slot[s].rollback = s == GREEN ? RB_NEVER : RB_ASK;
		r->slot[s].arrived.ms = 1795333000000 + s;
		r->slot[s].manifest = true;
		TEXT_COPY(r->slot[s].commit, "9f31c2");
		TEXT_COPY(r->slot[s].builder, "npm build");
		TEXT_COPY(r->slot[s].builder_version, "4.0.2");
		TEXT_COPY(r->slot[s].lockfile, "sha256:77");
		assert_true(declared_add(&r->slot[s].adds, "expenses"));
		assert_true(declared_add(&r->slot[s].removes, "quotes") && declared_add(&r->slot[s].removes, "/old/*"));
		while (declared_add(&r->slot[s].without, numbered("feature", strlen(r->slot[s].without.text))))
			;
	}
	r->claim = (struct claim){ .id = "c1", .by = "ci", .release = "r43", .slot = BLUE, .since = { 5 }, .until = { 6 },
				   .manifest = "{\"digest\":\"sha256:1\",\"tests\":{\"run\":\"812\"},\"labels\":{\"team\":\"w\u00e9b\"}}" };
	r->deploy = (struct deploy){ .id = 812, .release = "r44", .by = "ci", .slot = GREEN, .stop = STOP_READY, .outcome = DO_ROLLED_BACK,
				     .rollback = RB_NEVER, .skip = "toolchain,age", .prolonged = true, .since = { 7 }, .ended = { 8 }, .reason = "quotes \"lost\", naïve" };
	r->hold = (struct hold){ .on = true, .by = "uid:1000", .why = "INC-123 \\ 漢", .since = { 9 }, .until = { 10 } };
	r->sealed = (struct sealed){ .on = true, .by = "ci", .why = "migration 118", .since = { 11 } };
	r->pin = (struct pin){ .on = true, .slot = BLUE, .since = { 12 }, .proxy = "haproxy-2" };
	r->drill = (struct drill){ .on = true, .turned = true, .by = "ann", .since = { 31 }, .ended = { 32 }, .home = GREEN, .out_acked_us = 33,
				   .out_observed_us = 34, .back_acked_us = -1, .back_observed_us = 36, .how = "a proxy refused",
				   .before = { .mode = MOVE_AUTO, .from = GREEN, .to = BLUE, .decided = { 37 }, .by = "eve", .reason = "x" } };
	r->move = (struct move){ .mode = MOVE_FORCE, .from = BLUE, .to = GREEN, .undone = true, .decided = { 13 }, .acked = { 14 }, .observed = { 15 },
				 .acked_us = 300, .observed_us = -1, .by = "anna", .reason = "db fixed" };
	for (r->n_recent = 0; r->n_recent < MAX_RECENT; r->n_recent++)
		r->recent[r->n_recent].ms = 100 + (int64_t)r->n_recent;
	for (r->n_mutes = 0; r->n_mutes < MAX_MUTES; r->n_mutes++) {
		struct mute *m = &r->mutes[r->n_mutes];

		snprintf(m->feature, sizeof(m->feature), "f%zu", r->n_mutes);
		TEXT_COPY(m->by, "ci");
		memset(m->why, 'w', WHY_LEN);
		m->until.ms = 1000 + (int64_t)r->n_mutes;
	}
	for (r->n_gates = 0; r->n_gates < MAX_GATES; r->n_gates++) {
		struct gate_said *g = &r->gates[r->n_gates];

		snprintf(g->name, sizeof(g->name), "g%zu", r->n_gates);
		g->result = r->n_gates % N_GATE_RESULTS;
		memset(g->text, 't', GATE_TEXT);
	}
	while (r->n_requests < MAX_REQUESTS)
		snprintf(r->requests[r->n_requests], sizeof(id_text), "ctl-%zu", r->n_requests), r->n_requests++;
	return r;
}

static void same(const struct record *a)
{
	json_t *j = record_json(a);
	struct record *b = xcalloc(1, sizeof(*b));
	char why[200] = "";

	assert_non_null(j);
	char *text = json_dumps(j, JSON_COMPACT);
	if (!record_parse_text(text, strlen(text), b, why, sizeof(why)))
		fail_msg("%s\n%s", why, text);
	/* Both began as zeroes and have no pointers: equal records are equal bytes. */
	assert_memory_equal(a, b, sizeof(*a));
	memset(b, 0, sizeof(*b));
	assert_true(record_parse(j, b, why, sizeof(why)));
	assert_memory_equal(a, b, sizeof(*a));
	free(text);
	free(b);
	json_decref(j);
}

static void test_round_trip(void **state)
{
	(void)state;
	struct record *r = full(), *zero = xcalloc(1, sizeof(*zero));

	same(r);
	zero->active = NO_SLOT;
	same(zero);
	/* Every word of every enum. */
	for (int i = 0; i < N_PHASES; i++) {
		r->phase = i;
		same(r);
	}
	for (int i = 0; i < N_RELEASE_STATES; i++) {
		r->slot[BLUE].state = i;
		same(r);
	}
	for (int i = 0; i < N_DEPLOY_OUTCOMES; i++) {
		r->deploy.outcome = i;
		same(r);
	}
	for (int i = RB_AUTO; i <= RB_NEVER; i++) {
		r->deploy.rollback = i;
		same(r);
	}
	for (int i = STOP_NONE; i <= STOP_READY; i++) {
		r->deploy.stop = i;
		same(r);
	}
	for (int i = MOVE_NOTE; i <= MOVE_FORCE; i++) {
		r->move.mode = i;
		same(r);
	}
	for (int i = BLUE; i <= NO_SLOT; i++) {
		r->move.from = r->move.to = r->deploy.slot = i;
		same(r);
	}
	/* The bounds themselves. */
	r->v = (struct version){ UINT64_C(9007199254740991), 0 };
	r->phase_until.ms = INT64_C(253402300799999);
	r->move.acked_us = INT64_C(9007199254740991);
	same(r);
	free(r);
	free(zero);
}

/* What the version before wrote has none of these members, and is read as if they were empty. */
static void test_of_the_version_before(void **state)
{
	(void)state;
	static const char *const of_release[] = { "manifest", "commit", "builder", "builder_version", "lockfile", "adds", "removes", "without" };
	struct record *r = full(), *b = xcalloc(1, sizeof(*b));
	json_t *j = record_json(r), *slots = json_object_get(j, "slots");
	char why[200] = "";

	json_object_del(j, "gates");
	assert_int_equal(json_object_del(j, "requests"), 0);
	json_object_del(json_object_get(j, "deploy"), "skip");
	assert_int_equal(json_object_del(json_object_get(j, "claim"), "manifest"), 0);
	for (size_t i = 0; i < ARRAY_LEN(of_release); i++) {
		assert_int_equal(json_object_del(json_object_get(slots, "blue"), of_release[i]), 0);
		assert_int_equal(json_object_del(json_object_get(slots, "green"), of_release[i]), 0);
	}
	if (!record_parse(j, b, why, sizeof(why)))
		fail_msg("%s", why);
	assert_int_equal(b->n_gates, 0);
	assert_int_equal(b->n_requests, 0);
	assert_false(b->slot[BLUE].manifest);
	assert_string_equal(b->slot[GREEN].id, r->slot[GREEN].id);
	assert_string_equal(b->claim.manifest, "");
	assert_int_equal(b->n_mutes, MAX_MUTES);
	/* Absent is one thing, wrong another. */
	json_object_set_new(j, "gates", json_string("toolchain"));
	assert_false(record_parse(j, b, why, sizeof(why)));
	assert_string_equal(why, "gates: want an array");
	json_object_set_new(j, "gates", json_pack("[{s:s,s:s,s:s}]", "name", "toolchain", "result", "perhaps", "text", ""));
	assert_false(record_parse(j, b, why, sizeof(why)));
	json_object_del(j, "gates");
	json_object_set_new(j, "gatez", json_array());
	assert_false(record_parse(j, b, why, sizeof(why)));
	json_object_del(j, "gatez");
	json_object_set_new(json_object_get(slots, "blue"), "adds", json_pack("[s]", "two words"));
	assert_false(record_parse(j, b, why, sizeof(why)));
	json_decref(j);
	free(r);
	free(b);
}

/* The shape that the store, the journal and docs rely on. */
static void test_shape(void **state)
{
	(void)state;
	struct record *r = full();
	json_t *j = record_json(r), *v = json_object_get(j, "version");
	static const char *const members[] = { "version", "rev", "cid", "active", "shield", "phase", "phase_since", "phase_until", "slots", "claim",
					       "deploy", "hold", "sealed", "pin", "move", "drill", "recent", "mutes", "gates", "requests" };

	assert_int_equal(json_object_size(j), ARRAY_LEN(members));
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		assert_non_null(json_object_get(j, members[i]));
	assert_int_equal(json_integer_value(json_object_get(v, "gen")), 1795333451);
	assert_int_equal(json_integer_value(json_object_get(v, "epoch")), 42);
	assert_string_equal(json_string_value(json_object_get(j, "active")), "green");
	assert_string_equal(json_string_value(json_object_get(j, "phase")), "baking");
	assert_string_equal(json_string_value(json_object_get(json_object_get(json_object_get(j, "slots"), "blue"), "id")), "r40");
	assert_int_equal(json_integer_value(json_object_get(j, "phase_since")), 1795333451001);
	json_decref(j);
	free(r);
}

/* ---- R13 ---- */

/* Puts, or takes away, the member at a dotted path. */
static void mutate(json_t *j, char *path, const char *value)
{
	for (char *dot; (dot = strchr(path, '.')); path = dot + 1) {
		*dot = '\0';
		j = json_object_get(j, path);
		assert_non_null(j);
	}
	if (strcmp(value, "-") == 0) {
		assert_int_equal(json_object_del(j, path), 0);
		return;
	}
	json_t *v = json_loads(value, JSON_DECODE_ANY, NULL);
	if (!v)
		fail_msg("the table's value is no JSON: %s", value);
	/* \u escapes in the table's member names, too. */
	char quoted[200];
	snprintf(quoted, sizeof(quoted), "\"%s\"", path);
	json_t *name = json_loads(quoted, JSON_DECODE_ANY, NULL);
	assert_int_equal(json_object_set_new(j, json_string_value(name), v), 0);
	json_decref(name);
}

static char *trim(char *s)
{
	size_t n;

	while (*s == ' ')
		s++;
	for (n = strlen(s); n && strchr(" \n", s[n - 1]); n--)
		s[n - 1] = '\0';
	return s;
}

static void test_bad_table(void **state)
{
	(void)state;
	FILE *f = fopen("tests/tables/record-bad.tbl", "r");
	struct record *r = full(), *out = xcalloc(1, sizeof(*out));
	char line[1024];
	int rows = 0;

	assert_non_null(f);
	memset(out, 0x5a, sizeof(*out));
	while (fgets(line, sizeof(line), f)) {
		char *value = strchr(line, '|'), *want = value ? strchr(value + 1, '|') : NULL, why[200] = "";

		if (line[0] == '#')
			continue;
		assert_non_null(want);
		*value++ = '\0';
		*want++ = '\0';
		json_t *j = record_json(r);
		mutate(j, trim(line), trim(value));
		if (record_parse(j, out, why, sizeof(why)))
			fail_msg("%s = %s was believed", line, value);
		if (!strstr(why, trim(want)))
			fail_msg("%s = %s: want \"%s\", says \"%s\"", line, value, want, why);
		for (const char *p = why; *p; p++)
			assert_true((unsigned char)*p >= 0x20);
		/* The same through text, and without a place for the reason. */
		char *text = json_dumps(j, 0);
		assert_false(record_parse_text(text, strlen(text), out, NULL, 0));
		free(text);
		json_decref(j);
		rows++;
	}
	fclose(f);
	for (size_t i = 0; i < sizeof(*out); i++)
		assert_int_equal(((unsigned char *)out)[i], 0x5a);      /* on false nothing was written */
	assert_true(rows > 60);
	free(r);
	free(out);
}

static void refused(const char *text, size_t len, const char *want)
{
	struct record *out = xcalloc(1, sizeof(*out));
	char why[200] = "";

	if (record_parse_text(text, len, out, why, sizeof(why)))
		fail_msg("believed: %.200s", text);
	if (!strstr(why, want))
		fail_msg("want \"%s\", says \"%s\"", want, why);
	free(out);
}

/* Every prefix of a good text, and every byte of it struck out, is refused or is a record; none may crash. */
static void test_bad_text(void **state)
{
	(void)state;
	struct record *r = full(), *out = xcalloc(1, sizeof(*out));
	char why[200];

	r->n_mutes = 2;
	json_t *j = record_json(r);
	char *text = json_dumps(j, JSON_COMPACT);
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		refused(text, i, "not JSON");
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		text[i] = '\xff';
		refused(text, len, "not JSON");
		text[i] = '\0';
		refused(text, len, "not JSON");
		text[i] = '7';
		(void)!record_parse_text(text, len, out, why, sizeof(why));
		text[i] = c;
	}
	assert_true(record_parse_text(text, len, out, why, sizeof(why)));
	free(text);
	json_decref(j);

	refused("", 0, "not JSON");
	refused("null", 4, "not JSON");
	refused("[]", 2, "want an object");
	refused("{}", 2, "version: is missing");
	refused("{} x", 4, "not JSON");
	refused("{\"rev\":1,\"rev\":2}", 17, "duplicate object key");
	refused("{\"version\":{\"gen\":NaN}}", 23, "not JSON");
	refused("{\"version\":{\"gen\":9223372036854775808}}", 39, "not JSON");
	refused("{\"version\":{\"gen\":1e999999}}", 28, "not JSON");
	refused("{\"cid\":\"\\u0000\"}", 16, "not JSON");
	refused("{\"cid\":\"\\ud800\"}", 16, "not JSON");

	struct buf deep = BUF_INIT(16 * 1024 * 1024);
	for (int i = 0; i < 100000; i++)
		buf_adds(&deep, "{\"a\":");
	refused(buf_str(&deep), deep.len, "too many for a record");
	refused(buf_str(&deep), 200000, "not JSON");
	buf_clear(&deep);
	while (deep.len < 10 * 1024 * 1024)
		buf_adds(&deep, "                                                                ");
	refused(buf_str(&deep), deep.len, "too many for a record");
	buf_free(&deep);

	/* A NUL that came in through the API of jansson. */
	j = record_json(r);
	json_object_set_new(j, "cid", json_stringn("a\0b", 3));
	assert_false(record_parse(j, out, why, sizeof(why)));
	assert_string_equal(why, "cid: has a NUL in it");
	json_decref(j);
	assert_false(record_parse(NULL, out, why, sizeof(why)));
	char tiny[8];
	assert_false(record_parse_text("[]", 2, out, tiny, sizeof(tiny)));
	assert_true(strlen(tiny) < sizeof(tiny));
	free(r);
	free(out);
}

/* What could not be read again is never written. */
static void test_never_writes_what_it_cannot_read(void **state)
{
	(void)state;
	struct record *r = full(), *out = xcalloc(1, sizeof(*out));
	char why[200];

#define BREAKS(statement) do { *out = *r; statement; if (record_json(out)) fail_msg("written: " #statement); } while (0)
	BREAKS(TEXT_COPY(out->cid, "a b"));
	BREAKS(TEXT_COPY(out->hold.by, "x\ny"));
	BREAKS(TEXT_COPY(out->pin.proxy, "-x"));
	BREAKS(out->v.epoch = UINT64_MAX);
	BREAKS(out->phase_since.ms = -1);
	BREAKS(out->phase = N_PHASES);
	BREAKS(out->active = 7);
	BREAKS(out->slot[BLUE].state = N_RELEASE_STATES);
	BREAKS(out->deploy.outcome = N_DEPLOY_OUTCOMES);
	BREAKS(out->deploy.stop = 9);
	BREAKS(out->deploy.rollback = 9);
	BREAKS(out->move.mode = 9);
	BREAKS(out->move.acked_us = -2);
	BREAKS(out->n_recent = MAX_RECENT + 1);
	BREAKS(out->n_mutes = MAX_MUTES + 1);
	BREAKS(out->n_requests = MAX_REQUESTS + 1);
	BREAKS(out->requests[1][0] = '\0');
	BREAKS(TEXT_COPY(out->requests[0], "a b"));
	BREAKS(out->claim.slot = NO_SLOT);
	BREAKS(TEXT_COPY(out->claim.manifest, "{"));
	BREAKS(TEXT_COPY(out->claim.manifest, "[]"));
	BREAKS(TEXT_COPY(out->claim.manifest, "{\"remove\":[\"quotes\"]}"));
	BREAKS(TEXT_COPY(out->mutes[1].feature, out->mutes[0].feature));

	/* Free text is made printable, also when it was cut in the middle of a character. */
	memset(r->hold.why, 'x', WHY_LEN - 1);
	r->hold.why[WHY_LEN - 1] = '\xc3';
	r->hold.why[WHY_LEN] = '\0';
	TEXT_COPY(r->sealed.why, "a\nb\x1b[2J");
	json_t *j = record_json(r);
	assert_non_null(j);
	assert_true(record_parse(j, out, why, sizeof(why)));
	assert_string_equal(out->sealed.why, "a?b?[2J");
	assert_int_equal(out->hold.why[WHY_LEN - 1], '?');
	json_decref(j);
	free(r);
	free(out);
}

/* ---- the rest ---- */

static void test_condemned(void **state)
{
	(void)state;
	struct condemned c = { .release = "r43", .digest = "sha256:1", .since = { 77 }, .by = "switchd", .why = "quotes lost" }, d = { 0 };
	json_t *j = condemned_json(&c);
	static const char *const bad[] = {
		"{}", "[]", "{\"release\":\"\",\"digest\":\"\",\"since\":1,\"by\":\"a\",\"why\":\"\"}",
		"{\"release\":\"r 1\",\"digest\":\"\",\"since\":1,\"by\":\"a\",\"why\":\"\"}",
		"{\"release\":\"r1\",\"digest\":\"\",\"since\":-1,\"by\":\"a\",\"why\":\"\"}",
		"{\"release\":\"r1\",\"digest\":\"\",\"since\":1,\"by\":\"a\",\"why\":\"\",\"x\":1}",
	};

	assert_true(condemned_parse(j, &d));
	assert_memory_equal(&c, &d, sizeof(c));
	json_decref(j);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		j = json_loads(bad[i], 0, NULL);
		assert_non_null(j);
		assert_false(condemned_parse(j, &d));
		json_decref(j);
	}
	assert_memory_equal(&c, &d, sizeof(c));
	assert_false(condemned_parse(NULL, &d));
}

static void test_event(void **state)
{
	(void)state;
	static struct event e = { .kind = "flip.decided", .service = "shop", .at = { 1795333451000 }, .by = "ci", .from_v = { 1, 2 }, .to_v = { 1, 3 },
				  .from = BLUE, .to = GREEN, .release = "r44", .deploy = 812, .because = "every feature is present",
				  .detail = "6 of 6\n", .stream_id = "1-77" };
	static const struct { const char *evidence, *want; } rows[] = {
		{ "", "null" }, { "{\"quotes\":{\"status\":404}}", "{\"quotes\":{\"status\":404}}" }, { "{broken", "null" }, { "5", "null" },
		{ "{\"a\":1}trailing", "null" }, { "{\"a\":\"\xff\"}", "null" }, { "[1]", "[1]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		TEXT_COPY(e.evidence, rows[i].evidence);
		json_t *j = event_json(&e);
		assert_non_null(j);
		char *text = json_dumps(j, JSON_COMPACT), want[600];
		snprintf(want, sizeof(want), "{\"id\":\"1-77\",\"kind\":\"flip.decided\",\"service\":\"shop\",\"at\":1795333451000,\"by\":\"ci\","
			 "\"from\":{\"slot\":\"blue\",\"version\":{\"gen\":1,\"epoch\":2}},\"to\":{\"slot\":\"green\",\"version\":{\"gen\":1,\"epoch\":3}},"
			 "\"release\":\"r44\",\"deploy\":812,\"because\":\"every feature is present\",\"detail\":\"6 of 6?\",\"evidence\":%s}", rows[i].want);
		assert_string_equal(text, want);
		free(text);
		json_decref(j);
	}
	/* An event is always to be had, whatever is in it. */
	memset(&e, 0xff, sizeof(e));
	e.because = NULL;
	e.kind[EVENT_KIND_LEN] = e.service[NAME_MAX_LEN] = e.by[ID_MAX_LEN] = e.release[ID_MAX_LEN] = '\0';
	e.detail[sizeof(e.detail) - 1] = e.evidence[sizeof(e.evidence) - 1] = e.stream_id[sizeof(e.stream_id) - 1] = '\0';
	json_t *j = event_json(&e);
	assert_non_null(j);
	json_decref(j);
}

/* The last request alone tells of itself in any record; what people asked stays for eight of them. */
static void test_requests(void **state)
{
	struct record *r = xcalloc(1, sizeof(*r));
	id_text id;

	(void)state;
	assert_false(record_did(r, ""));
	TEXT_COPY(r->cid, "ctl-last");
	assert_true(record_did(r, "ctl-last"));
	for (int i = 0; i < 9; i++) {
		TEXT_FORMAT(id, "ctl-%d", i);
		assert_false(record_did(r, id));
		record_done(r, id);
		record_done(r, id); /* asked twice, done once */
		assert_true(record_did(r, id));
	}
	assert_int_equal(r->n_requests, MAX_REQUESTS);
	assert_false(record_did(r, "ctl-0"));
	assert_true(record_did(r, "ctl-1"));
	assert_string_equal(r->requests[7], "ctl-8");
	free(r);
}

static void test_version(void **state)
{
	(void)state;
	json_t *j = version_json((struct version){ 1, 42 });
	char *text = json_dumps(j, JSON_COMPACT);

	assert_string_equal(text, "{\"gen\":1,\"epoch\":42}");
	free(text);
	json_decref(j);
	j = version_json((struct version){ UINT64_MAX, 1 });
	assert_true(json_integer_value(json_object_get(j, "gen")) == INT64_MAX);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_of_the_version_before),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_bad_table),
		cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_never_writes_what_it_cannot_read),
		cmocka_unit_test(test_condemned),
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
