/* SPDX-License-Identifier: MIT
 * docs.c - every YAML example of the pages for users loads as a user's file does (switchd -t): one that does not is worse
 * than none.
 *
 * An example is put where its first key belongs.  What is outside of it (variables, files of secrets) is made up here, and
 * a plugin that this machine may not have is another program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/probe.h"
#include "switchd/base/text.h"
#include "switchd/io/conn.h"

enum { PAGE_MAX = 512 * 1024 };

static const char *made_up(const char *name, void *arg) { return (void)name, (void)arg, "made-up-text"; }

static bool begins(const char *block, const char *key)
{
	size_t n = strlen(key);

	return strncmp(block, key, n) == 0 && block[n] == ':';
}

/* Each line indented by `by`; the plugins' directory replaced. */
static void put(struct buf *out, const char *block, int by)
{
	static const char plugins[] = "/usr/lib/nagios/plugins/check_smtp";

	while (*block) {
		size_t n = strcspn(block, "\n");
		const char *p = memmem(block, n, plugins, strlen(plugins));

		buf_addf(out, "%*s", by, "");
		if (p)
			buf_addf(out, "%.*s/bin/true%.*s\n", (int)(p - block), block, (int)(block + n - p - (ptrdiff_t)strlen(plugins)), p + strlen(plugins));
		else
			buf_addf(out, "%.*s\n", (int)n, block);
		block += n + (block[n] == '\n');
	}
}

/* False: it is not known where such an example stands. */
static bool whole_file(struct buf *out, const char *block)
{
	static const char *const in_service[] = { "features", "inventory", "gates" }, *const on_top[] = { "exec", "state", "archive" };
	bool feature = begins(block, "expect"), service = feature, top = false;

	for (size_t i = 0; i < ARRAY_LEN(in_service); i++)
		service |= begins(block, in_service[i]);
	for (size_t i = 0; i < ARRAY_LEN(on_top); i++)
		top |= begins(block, on_top[i]);
	if (begins(block, "version")) {
		put(out, block, 0);
		return true;
	}
	if (!service && !top)
		return false;
	buf_adds(out, "version: 1\n");
	if (top)
		put(out, block, 0);
	else
		buf_adds(out, "exec: { enabled: true }\n");
	buf_adds(out, "services:\n  shop:\n    front: https://shop.example.com\n    slots: { blue: [10.0.0.1:8101], green: [10.0.0.1:8102] }\n");
	if (feature)
		buf_adds(out, "    features:\n      thing:\n        path: /thing\n");
	if (!top)
		put(out, block, feature ? 8 : 4);
	return true;
}

static void load(const char *page, int line, const char *block)
{
	struct buf text = BUF_INIT(PAGE_MAX), said = BUF_INIT(PAGE_MAX);
	struct config *cfg = NULL;
	int n = 0;

	if (!whole_file(&text, block))
		fail_msg("%s:%d: an example that begins neither with version: nor with a key whose place is known", page, line);
	enum config_role role = strstr(block, "\nagent:") ? CONFIG_AGENT : CONFIG_CONTROLLER;
	cfg = config_load_for(role, page, buf_str(&text), text.len, made_up, NULL, &said, &n);
	if (cfg && role == CONFIG_CONTROLLER && (conn_has_websocket() || !strstr(block, "websocket:")) && !probe_check_config(cfg, &said, &n))
		n++;
	if (!cfg || n || said.len) /* warnings too: an example has none */
		fail_msg("%s:%d: the example does not load:\n%s\n%s", page, line, buf_str(&said), buf_str(&text));
	config_free(&cfg);
	buf_free(&text);
	buf_free(&said);
}

/* How many examples the page has; each was loaded. */
static int load_all(const char *page)
{
	static const char fence[] = "```yaml\n", end[] = "\n```";
	char *text = xcalloc(1, PAGE_MAX);
	FILE *f = fopen(page, "r");
	int n = 0, line = 1;

	if (!f)
		fail_msg("%s cannot be read: the tests run in the root of the source", page);
	assert_true(fread(text, 1, PAGE_MAX - 1, f) < PAGE_MAX - 1);
	fclose(f);
	for (char *p = text, *at = text, *block; (block = strstr(p, fence)); p = block + 1, n++) {
		for (; at < block; at++)
			line += *at == '\n';
		block += strlen(fence);
		char *stop = strstr(block, end);

		if (!stop)
			fail_msg("%s:%d: an example without an end", page, line);
		*stop = '\0';
		load(page, line + 1, block);
		*stop = '\n';
		block = stop;
	}
	free(text);
	return n;
}

static void the_examples_load(void **state)
{
	(void)state;
	/* As many as there were when this was written: a fence that is spelled otherwise is an example that nobody tries. */
	assert_true(load_all("docs/probes.md") >= 12);
	assert_true(load_all("docs/config.md") >= 1);
	assert_true(load_all("docs/fleet.md") >= 2);
	assert_true(load_all("README.md") >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_examples_load) };

	return cmocka_run_group_tests_name("docs", tests, NULL, NULL);
}
