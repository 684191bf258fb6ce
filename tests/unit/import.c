/* SPDX-License-Identifier: MIT
 * tests/unit/import.c - haproxy.cfg into a configuration: every line is accounted for, and what comes out loads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switchd/cli/import.h"

static void read_table(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	char chunk[4096];
	size_t n;

	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	fclose(f);
}

static struct config *load(struct buf *yaml)
{
	struct buf errors = BUF_INIT(65536);
	struct config *cfg = config_load("made", buf_str(yaml), yaml->len, import_environment, NULL, &errors, NULL);

	if (!cfg)
		fail_msg("does not load:\n%s\n%s", buf_str(&errors), buf_str(yaml));
	buf_free(&errors);
	return cfg;
}

static struct config *import(const char *text, size_t len, struct buf *out, size_t counts[N_LINES])
{
	struct arena *arena = arena_new();
	struct hap h;
	char why[300] = "";
	size_t sum = 0;

	if (!hap_read(&h, arena, "import-haproxy.cfg", text, len, why, sizeof(why)))
		fail_msg("%s", why);
	hap_write(&h, out, counts);
	for (int i = 0; i < N_LINES; i++)
		sum += counts[i];
	assert_int_equal(sum, h.n_lines);
	assert_int_equal(counts[LINE_UNREAD], 0);
	/* A line that is a TODO is named by its number. */
	for (size_t i = 0; i < h.n_lines; i++) {
		char place[64];

		snprintf(place, sizeof(place), "# TODO import-haproxy.cfg:%zu: ", i + 1);
		assert_int_equal(strstr(buf_str(out), place) != NULL, h.became[i] == LINE_TODO);
	}
	arena_free(&arena);
	return load(out);
}

static void test_site(void **state)
{
	struct buf text = BUF_INIT(65536), want = BUF_INIT(65536), got = BUF_INIT(1 << 20);
	size_t counts[N_LINES];

	(void)state;
	read_table("tests/tables/import-haproxy.cfg", &text);
	read_table("tests/tables/import-haproxy.yaml", &want);
	struct config *cfg = import(text.data, text.len, &got, counts);

	assert_string_equal(buf_str(&got), buf_str(&want));
	const struct service_config *shop = config_service(cfg, "shop");

	assert_non_null(shop);
	assert_int_equal(shop->mode, MODE_OBSERVE);
	assert_int_equal(shop->initial, GREEN);
	assert_string_equal(shop->front, "https://shop.example.com");
	assert_int_equal(shop->slot[BLUE].n_targets, 2);
	assert_true(shop->slot[GREEN].targets[0].tls && !shop->slot[GREEN].tls.verify);
	assert_string_equal(shop->proxies[0].backend[GREEN], "shop-green");
	config_free(&cfg);
	buf_free(&text);
	buf_free(&want);
	buf_free(&got);
}

/* What a small file becomes: something that must be in the result. */
static const struct { const char *text, *has; } small[] = {
	{ "", "this service is made up" },
	{ "# nothing\n\n  \n", "# 3 lines: 0 carried over, 0 TODO, 0 stay with HAProxy, 3 blank or comments" },
	{ "server a 10.0.0.1:1\n", "# TODO import-haproxy.cfg:1: server a 10.0.0.1:1: outside of every section" },
	{ "backend app\n server blue 10.0.0.1:1\n server green 10.0.0.1:2\n", "its servers are told apart by their names" },
	{ "backend app-a\n server x 10.0.0.1:1\nbackend app-b\n server x 10.0.0.1:2\n", "TODO a guess, by the endings -a and -b" },
	{ "backend BLUE\n server x 10.0.0.1:1\nbackend green\n server x 10.0.0.1:2\n", "  shop:\n    # two backends" },
	{ "backend b\n server s ${HOST}:80\n", "import-haproxy.cfg:2: server s ${HOST}:80: a variable" },
	{ "backend b\n server s 10.0.0.1:80\n option httpchk POST /x\n", "import-haproxy.cfg:3: option httpchk POST /x: only GET and HEAD" },
	{ "backend b\n server s 10.0.0.1:80\n option httpchk HEAD /x\n", "method: HEAD" },
	{ "backend b\n server s 10.0.0.1:80\n http-check expect ! string bad\n option httpchk\n", "- 'not body contains \"bad\"'" },
	{ "backend b\n server s 10.0.0.1:80\n http-check expect status 200-299\n option httpchk\n", "- 'status <= 299'" },
	{ "backend b\n server s 10.0.0.1:80 \"send-proxy\"\n", "this word of it is not" },
	{ "global\n stats socket /s.sock\nbackend b\n server s 10.0.0.1:80\n", "it needs `level admin`" },
	{ "frontend f\n bind 10.1.1.1:8443 ssl\n default_backend b\nbackend b\n server s 10.0.0.1:80\n", "front: 'https://10.1.1.1:8443'" },
	{ "listen l\n bind *:80\n server a 10.0.0.1:80\n server a 10.0.0.1:80\n", "this address is told already" },
	{ "backend a b c\n server \xff\xfe 10.0.0.1:80 # \xff\n", "# import-haproxy.cfg:2 ??" },
	{ "backend \x1b[31m\n server s 10.0.0.1:80\n", "  31m:" },
	{ "backend b\n server s 10.0.0.1:80\n http-check expect string \"$${x} ${y}\"\n", "a variable of HAProxy's environment" },
};

static void test_small(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
		struct buf out = BUF_INIT(1 << 20);
		size_t counts[N_LINES];
		struct config *cfg = import(small[i].text, strlen(small[i].text), &out, counts);

		if (!strstr(buf_str(&out), small[i].has))
			fail_msg("case %zu lacks \"%s\":\n%s", i, small[i].has, buf_str(&out));
		config_free(&cfg);
		buf_free(&out);
	}
}

static void test_bounds(void **state)
{
	struct arena *arena = arena_new();
	struct buf big = BUF_INIT(4 << 20), out = BUF_INIT(8 << 20);
	struct hap h;
	char why[300];
	size_t counts[N_LINES];

	(void)state;
	assert_false(hap_read(&h, arena, "f", "a\0b\n", 4, why, sizeof(why)));
	assert_string_equal(why, "f:1: a NUL byte: not a text");
	for (int i = 0; i <= IMPORT_MAX_LINES; i++)
		buf_adds(&big, "#\n");
	assert_false(hap_read(&h, arena, "f", big.data, big.len, why, sizeof(why)));
	assert_string_equal(why, "f: 20001 lines; 20000 are the most");
	/* More backends and targets than there is room for: said, not dropped. */
	buf_clear(&big);
	for (int i = 0; i < IMPORT_MAX_BACKENDS + 3; i++)
		buf_addf(&big, "backend b%d\n server s 10.1.%d.%d:80\n", i, i / 250, i % 250);
	buf_adds(&big, "backend many\n");
	struct config *cfg = import(big.data, big.len, &out, counts);

	assert_int_equal(cfg->n_services, IMPORT_MAX_BACKENDS);
	assert_int_equal(counts[LINE_TODO], 4);
	config_free(&cfg);
	buf_clear(&big);
	buf_clear(&out);
	buf_adds(&big, "backend b\n");
	for (int i = 0; i < MAX_TARGETS + 2; i++)
		buf_addf(&big, " server s%d 10.1.1.%d:80\n", i, i);
	cfg = import(big.data, big.len, &out, counts);
	assert_int_equal(cfg->services[0].slot[BLUE].n_targets, MAX_TARGETS);
	assert_int_equal(counts[LINE_TODO], 2);
	config_free(&cfg);
	buf_free(&big);
	buf_free(&out);
	arena_free(&arena);
}

/* What others wrote comes out of YAML as it went in, and runs no ${variable}. */
static void test_yaml(void **state)
{
	static const char *const texts[] = { "plain", "it's", "a: b # c", "${HOME} $$ $x", "- x", "\"q\"", "\xc3\xa9" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct buf out = BUF_INIT(65536);

		buf_adds(&out, "version: 1\nservices:\n  s:\n    slots: { blue: [a:1], green: [b:1] }\n    features: { f: { path: /, expect: [ ");
		yaml_text(&out, texts[i]);
		buf_adds(&out, " ] } }\n");
		struct config *cfg = load(&out);

		assert_string_equal(cfg->services[0].features[0].expect[0], texts[i]);
		config_free(&cfg);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_site), cmocka_unit_test(test_small), cmocka_unit_test(test_bounds), cmocka_unit_test(test_yaml) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
