/* SPDX-License-Identifier: MIT
 * manifest.c - manifests are read, set and written; what is wrong in one is named with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switchd/core/decide/decide.h"

static struct manifest M;
static char why[400];
static struct buf warnings;

static bool parse(const char *text)
{
	memset(&M, 0xee, sizeof(M));
	buf_free(&warnings);
	buf_init(&warnings, 8192);
	return manifest_parse("m.yaml", text, strlen(text), &M, why, sizeof(why), &warnings);
}

static void good(const char *text)
{
	if (!parse(text))
		fail_msg("%s\n%s", why, text);
}

static void bad(const char *text, const char *want)
{
	if (parse(text))
		fail_msg("taken: %s", text);
	if (!strstr(why, want))
		fail_msg("want \"%s\", got \"%s\"\n%s", want, why, text);
}

static void test_json_and_yaml_are_one(void **state)
{
	(void)state;
	static const char *const forms[] = {
		"{\"release\": \"r42\", \"digest\": \"sha256:1\", \"commit\": \"9f31\", \"builder\": {\"name\": \"npm\", \"version\": \"4.10\"}, \"lockfile\": \"l1\",\n"
		"\t\"tests\": {\"run\": 812, \"digest\": \"sha256:1\", \"builder\": \"npm\", \"builder_version\": \"4.10\", \"lockfile\": \"l1\", \"result\": \"passed\",\n"
		"\t\"at\": \"2026-11-22T03:12:07Z\"}, \"adds\": [\"a\", \"/b/*\"], \"removes\": [], \"rollback\": \"never\", \"labels\": {\"team\": \"w\\u00e9b \\ud83d\\ude00\"}}",
		"release: r42\ndigest: sha256:1\ncommit: 9f31\nbuilder: { name: npm, version: 4.10 }\nlockfile: l1\n"
		"tests: { run: 812, digest: sha256:1, builder: npm, builder_version: 4.10, lockfile: l1, result: passed, at: 2026-11-22T03:12:07Z }\n"
		"adds: [a, /b/*]\nremoves: []\nrollback: never\nlabels: { team: 'w\xc3\xa9" "b \xf0\x9f\x98\x80' }\n",
	};
	struct manifest first;

	good(forms[0]);
	first = M;
	good(forms[1]);
	assert_memory_equal(&first, &M, sizeof(M));
	assert_string_equal(M.builder_version, "4.10");
	assert_string_equal(M.tests.run, "812");
	assert_int_equal(M.tests.at.ms, 1795317127000);
	assert_true(M.has_rollback && M.rollback == RB_NEVER);
	assert_true(declared_has(&M.adds, "a") && declared_has(&M.adds, "/b/c") && !declared_has(&M.adds, "/b") && !declared_has(&M.adds, "b"));
	assert_int_equal(M.n_labels, 1);
	assert_int_equal(warnings.len, 0);
	/* And what is written is read as the same. */
	json_t *j = manifest_json(&M);
	char *text = json_dumps(j, 0);

	good(text);
	assert_memory_equal(&first, &M, sizeof(M));
	free(text);
	json_decref(j);
}

static void test_errors_name_the_field(void **state)
{
	(void)state;
	static const struct { const char *text, *want; } cases[] = {
		{ "", "nothing is in it" }, { "[]", "want a mapping of fields, got a list" }, { "just text", "want a mapping" },
		{ "{\"digest\": \"a\"", "m.yaml:" }, { "digest: a\n  - b: c", "m.yaml:" },
		{ "digest: a\ntests:\n  at: yesterday\n", "m.yaml:3:7: tests.at: want a time such as" }, { "tests: 3", "m.yaml:1:8: tests: want a mapping, got text" },
		{ "digest: [a]", "digest: want one value, got a list" }, { "digest: a b", "digest: want one word of visible ASCII" },
		{ "release: 'a b'", "release: want up to 64" }, { "rollback: maybe", "rollback: want auto, ask or never" },
		{ "adds: quotes", "adds: want a list" }, { "adds: [quo tes]", "adds: \"quo tes\" is neither" }, { "adds: [{a: b}]", "adds: want one value" },
		{ "remove: [quotes]", "remove: no such field (did you mean removes?" }, { "tests: { builder_versoin: 3 }", "did you mean tests.builder_version?" },
		{ "digest: a\ndigest: b", "digest" }, { "labels: [a]", "labels: want a mapping" }, { "labels: { 'a b': c }", "no name for a label" },
		{ "labels: { a: [b] }", "labels.a: want one value" }, { "builder: { name: \"a\\nb\" }", "builder.name: want one line" },
		{ "digest: &x a\ncommit: *x", "m.yaml:" }, { "tests.at: 2026-11-22T03:12:07Z\n", "did you mean tests.at" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		bad(cases[i].text, cases[i].want);
}

static void test_unknown_fields(void **state)
{
	(void)state;
	good("digest: a\njira: OPS-7\nbuilder: { name: npm, host: b7 }\nsbom: { a: b }\n");
	assert_int_equal(M.n_labels, 2);
	assert_string_equal(M.labels[0].name, "jira");
	assert_string_equal(M.labels[0].value, "OPS-7");
	assert_string_equal(M.labels[1].name, "builder.host");
	assert_non_null(strstr(buf_str(&warnings), "m.yaml:2:1: jira: no such field: kept as a label"));
	assert_non_null(strstr(buf_str(&warnings), "sbom: no such field, and it cannot be kept"));
	good("digest: null\ncommit: ~\n");
	assert_false(manifest_of_bits(&M));
	good("removes: [a]\nlabels: {a: b}\n");
	assert_false(manifest_of_bits(&M));
	good("tests: { run: 7 }\n");
	assert_true(manifest_of_bits(&M));
}

static void test_bounds(void **state)
{
	(void)state;
	char *text = xcalloc(1, MANIFEST_MAX_TEXT + 2);

	memset(text, ' ', MANIFEST_MAX_TEXT + 1);
	memcpy(text, "{\"digest\":\"d\"}", 14);
	assert_false(manifest_parse("m", text, MANIFEST_MAX_TEXT + 1, &M, why, sizeof(why), NULL));
	assert_non_null(strstr(why, "longer than 65536 bytes"));
	assert_true(manifest_parse("m", text, MANIFEST_MAX_TEXT, &M, why, sizeof(why), NULL));
	/* A digest of 96 bytes, and one of 97. */
	memset(text, 0, MANIFEST_MAX_TEXT);
	text_copy(text, 32, "digest: ");
	memset(text + 8, 'd', TAG_LEN);
	assert_true(manifest_parse("m", text, strlen(text), &M, why, sizeof(why), NULL));
	text[8 + TAG_LEN] = 'd';
	assert_false(manifest_parse("m", text, strlen(text), &M, why, sizeof(why), NULL));
	assert_non_null(strstr(why, "digest: longer than 96 bytes"));
	/* More names than there is room for, and more labels. */
	struct buf b = BUF_INIT(MANIFEST_MAX_TEXT);

	buf_adds(&b, "adds: [");
	for (int i = 0; i < 200; i++)
		buf_addf(&b, "feature-%d,", i);
	buf_adds(&b, "]");
	assert_false(manifest_parse("m", buf_str(&b), b.len, &M, why, sizeof(why), NULL));
	assert_non_null(strstr(why, "more than 1023 bytes of them"));
	buf_clear(&b);
	buf_adds(&b, "labels: {");
	for (int i = 0; i <= MANIFEST_MAX_LABELS; i++)
		buf_addf(&b, "l%d: x,", i);
	buf_adds(&b, "}");
	assert_false(manifest_parse("m", buf_str(&b), b.len, &M, why, sizeof(why), NULL));
	assert_non_null(strstr(why, "more than 32 labels"));
	buf_free(&b);
	/* A NUL is no end of it. */
	assert_false(manifest_parse("m", "digest: a\0b", 11, &M, why, sizeof(why), NULL));
	free(text);
}

static void test_times(void **state)
{
	(void)state;
	static const struct { const char *text; int64_t ms; } cases[] = {
		{ "1970-01-01T00:00:01Z", 1000 }, { "2026-11-22T03:12:07Z", 1795317127000 }, { "2026-11-22 03:12:07.5Z", 1795317127500 },
		{ "2026-11-22T05:12:07.123456789+02:00", 1795317127123 }, { "2026-11-21T21:42:07-0530", 1795317127000 }, { "1795317127", 1795317127000 },
		{ "2024-02-29T00:00:00Z", 1709164800000 }, { "2026-11-22", 0 }, { "2026-13-01T00:00:00Z", 0 }, { "2026-11-22T25:00:00Z", 0 },
		{ "2026-11-22T03:12:07", 0 }, { "2026-11-22T03:12:07ZZ", 0 }, { "2026-11-22T03:12:07.Z", 0 }, { "0", 0 }, { "", 0 }, { "99999999999999999999", 0 },
		{ "2026-11-31T03:12:07Z", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		wall_ms t = { 0 };
		bool ok = time_parse(cases[i].text, &t);

		if (ok != (cases[i].ms != 0) || (ok && t.ms != cases[i].ms))
			fail_msg("%s: %d %lld", cases[i].text, ok, (long long)t.ms);
	}
}

static void test_set(void **state)
{
	(void)state;
	struct manifest m;

	memset(&m, 0, sizeof(m));
	assert_true(manifest_set(&m, "builder.version", "4.1.0", why, sizeof(why)));
	assert_true(manifest_set(&m, "removes", "a,/b", why, sizeof(why)));
	assert_true(manifest_set(&m, "labels.team", "web", why, sizeof(why)));
	assert_true(manifest_set(&m, "tests.at", "1795317127", why, sizeof(why)));
	assert_string_equal(m.removes.text, "a /b");
	assert_false(manifest_set(&m, "builder", "npm", why, sizeof(why)));
	assert_non_null(strstr(why, "builder.NAME=VALUE"));
	assert_false(manifest_set(&m, "builder.versin", "1", why, sizeof(why)));
	assert_non_null(strstr(why, "did you mean builder.version?"));
	assert_false(manifest_set(&m, "adds", "a b", why, sizeof(why)));
	assert_false(manifest_set(&m, "labels.a b", "x", why, sizeof(why)));
	assert_false(manifest_set(&m, "rollback", "perhaps", why, sizeof(why)));
	assert_non_null(strstr(why, "rollback: want auto, ask or never"));
	/* Taken away again: nothing is left of it. */
	static const char *const all[] = { "builder.version", "removes", "labels.team", "tests.at", "rollback", "digest" };
	struct manifest none;

	memset(&none, 0, sizeof(none));
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		assert_true(manifest_set(&m, all[i], "", why, sizeof(why)));
	json_t *j = manifest_json(&m);
	assert_int_equal(json_object_size(j), 0);
	json_decref(j);
	assert_false(manifest_of_bits(&m));
	for (size_t i = 0; manifest_field(i); i++)
		assert_true(i == 0 || strcmp(manifest_field(i - 1), manifest_field(i)) < 0);
}

static void test_declared(void **state)
{
	(void)state;
	struct declared d = { "" };
	char word[DECLARED_WORD + 1], most[DECLARED_WORD + 2];

	assert_true(declared_add(&d, "quotes") && declared_add(&d, "/old/*") && declared_add(&d, "quotes"));
	assert_string_equal(d.text, "quotes /old/*");
	assert_true(declared_has(&d, "/old/") && declared_has(&d, "/old/a/b") && !declared_has(&d, "/ol") && !declared_has(&d, "quote"));
	assert_true(declared_add(&d, "/old/a")); /* covered already */
	declared_drop(&d, "quotes");
	assert_string_equal(d.text, "/old/*");
	size_t at = 0;
	assert_true(declared_next(&d, &at, word) && !declared_next(&d, &at, word));
	assert_false(declared_word_ok("") || declared_word_ok("a b") || declared_word_ok("/a b") || declared_word_ok("*"));
	memset(most, 'a', sizeof(most));
	most[0] = '/';
	most[DECLARED_WORD + 1] = '\0';
	assert_false(declared_word_ok(most));
	most[DECLARED_WORD] = '\0';
	assert_true(declared_word_ok(most));
	d.text[0] = '\0';
	for (char c = 'a'; c <= 'g'; c++) {
		most[1] = c;
		assert_true(declared_add(&d, most));
	}
	most[1] = 'z';
	assert_true(declared_add(&d, most));
	assert_false(declared_add(&d, "x"));
}

static void test_gate_lists(void **state)
{
	(void)state;
	assert_true(gate_listed("toolchain,age", "age") && gate_listed("age", "age"));
	assert_false(gate_listed("toolchain,age", "ag") || gate_listed("", "age") || gate_listed("age", "") || gate_listed("toolchains", "toolchain"));
	for (size_t i = 0; i < gates_count(); i++)
		assert_true(gate_known(gate_name(i)) && gate_when(i) && gate_doc(i)[0]);
	assert_false(gate_known("toolchai"));
}

/* A claim keeps what gates compare; labels give way when they are too long. */
static void test_a_claim_keeps_it(void **state)
{
	(void)state;
	static struct claim c;
	static struct manifest m, back;
	struct input in = { .kind = IN_DEPLOY, .release = "r42", .claim_id = "c1" };

	c = (struct claim){ .id = "c1", .release = "r42", .slot = GREEN };
	assert_false(claim_carries(&c, &in, &back));
	good("digest: sha256:1\ntests: { run: 812, at: 2026-11-22T03:12:07Z }\nadds: [a]\nlabels: { team: web }\n");
	m = M;
	assert_true(claim_keep(&c, &m));
	assert_true(claim_carries(&c, &in, &back));
	assert_memory_equal(&back, &m, sizeof(m));
	/* Another release, another claim, no claim, another order. */
	TEXT_COPY(in.release, "r43");
	assert_false(claim_carries(&c, &in, &back));
	c.release[0] = '\0';
	assert_true(claim_carries(&c, &in, &back));
	TEXT_COPY(in.claim_id, "c2");
	assert_false(claim_carries(&c, &in, &back));
	TEXT_COPY(in.claim_id, "c1");
	in.kind = IN_CLAIM;
	assert_false(claim_carries(&c, &in, &back));
	in.kind = IN_DEPLOY;
	/* Labels that do not fit. */
	for (m.n_labels = 0; m.n_labels < MANIFEST_MAX_LABELS; m.n_labels++) {
		TEXT_FORMAT(m.labels[m.n_labels].name, "l%zu", m.n_labels);
		memset(m.labels[m.n_labels].value, 'x', LABEL_LEN);
	}
	assert_false(claim_keep(&c, &m));
	assert_true(claim_carries(&c, &in, &back));
	assert_int_equal(back.n_labels, 0);
	assert_string_equal(back.digest, "sha256:1");
	assert_true(claim_manifest_ok(c.manifest, strlen(c.manifest)));
	assert_false(claim_manifest_ok("", 0) || claim_manifest_ok("digest: a", 9) || claim_manifest_ok("{\"tests\":1}", 11));
	/* The fullest one that gates can compare fits without labels. */
	m.n_labels = 0;
	memset(&m.adds, 0, sizeof(m.adds));
	for (int i = 0; declared_add(&m.adds, (snprintf(why, sizeof(why), "/a%d", i), why)); i++)
		;
	m.removes = m.adds;
	memset(m.tests.run, '"', TAG_LEN);
	memset(m.commit, '\\', TAG_LEN);
	assert_true(claim_keep(&c, &m));
	assert_true(claim_carries(&c, &in, &back));
	assert_memory_equal(&back.removes, &m.removes, sizeof(m.removes));
}

static void test_two_of_one_release(void **state)
{
	(void)state;
	static const struct { const char *first, *second, *want; } cases[] = {
		{ "digest: a", "digest: a\ncommit: c\ntests: { result: passed }", NULL }, { "removes: [a, /b]", "removes: [/b, a]", NULL },
		{ "labels: { a: 1 }", "labels: { a: 2 }", NULL }, { "removes: [a]", "digest: a", NULL },
		{ "digest: a", "digest: b", "digest: the claim's manifest says a, the deploy's says b" },
		{ "tests: { run: 1, builder_version: 3.9 }", "tests: { run: 1, builder_version: 4.0 }", "tests.builder_version: the claim's manifest says 3.9, the deploy's says 4.0" },
		{ "tests: { at: 2026-11-22T03:12:07Z }", "tests: { at: 2026-11-22T03:12:08Z }", "tests.at: the claim's manifest says 2026-11-22T03:12:07" },
		{ "removes: [a]", "removes: [a, b]", "removes: the claim's manifest says [\"a\"], the deploy's says [\"a\",\"b\"]" },
		{ "rollback: auto", "rollback: never", "rollback: the claim's manifest says auto" },
	};
	static struct manifest first;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char said[GATE_TEXT + 1] = "";

		good(cases[i].first);
		first = M;
		good(cases[i].second);
		if (manifest_contradicts(&first, &M, said, sizeof(said)) != (cases[i].want != NULL) || (cases[i].want && !strstr(said, cases[i].want)))
			fail_msg("case %zu: \"%s\"", i, said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_and_yaml_are_one), cmocka_unit_test(test_errors_name_the_field), cmocka_unit_test(test_unknown_fields),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_times), cmocka_unit_test(test_set), cmocka_unit_test(test_declared),
		cmocka_unit_test(test_gate_lists), cmocka_unit_test(test_a_claim_keeps_it), cmocka_unit_test(test_two_of_one_release),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&warnings);
	return failed;
}
