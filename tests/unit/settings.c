/* SPDX-License-Identifier: MIT
 * settings.c - the settings table keeps its promises; durations and addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "switchd/core/config/address.h"
#include "switchd/core/config/config.h"
#include "switchd/core/config/settings.h"

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < settings_count(); i++) {
		const struct setting *s = setting_at(i);
		struct value value;
		char why[300];

		if (i > 0 && strcmp(setting_at(i - 1)->name, s->name) > 0)
			fail_msg("%s stands after %s", s->name, setting_at(i - 1)->name);
		for (size_t k = 0; k < i; k++)
			if (strcmp(setting_at(k)->name, s->name) == 0 && (setting_at(k)->where & s->where))
				fail_msg("%s has two rows for one place", s->name);
		assert_true(s->where != 0 && s->where < 1u << N_PLACES);
		assert_true(s->doc[0] != '\0');
		assert_true(s->min <= s->max);
		assert_false(s->need && s->def);
		if (s->def && !setting_is_scalar(s))
			fail_msg("%s: a default for what is no scalar", s->name);
		if (s->def && !setting_parse(s, s->def, &value, why, sizeof(why)))
			fail_msg("%s: its default %s: %s", s->name, s->def, why);
		if (s->type == T_WORD || s->type == T_WORDS)
			assert_non_null(s->words);
	}
}

static void test_doc(void **state)
{
	(void)state;
	struct buf doc = BUF_INIT(1 << 20);
	size_t lines = 0;

	config_settings_doc(&doc);
	for (const char *p = buf_str(&doc); *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, settings_count() + 2);
	assert_non_null(strstr(buf_str(&doc), "| `interval` | defaults, a service, a feature | duration | 10ms to 1d | `1s` | yes | "));
	assert_non_null(strstr(buf_str(&doc), "| `rollback` | defaults, a service | `auto`, `ask`, `never` |  | `auto` | yes | "));
	buf_free(&doc);
}

static void test_durations(void **state)
{
	(void)state;
	static const struct { const char *text; int64_t ms; } rows[] = {
		{ "500ms", 500 }, { "2s", 2000 }, { "1m", 60000 }, { "5m", 300000 }, { "24h", 86400000 }, { "1d", 86400000 }, { "0s", 0 }, { "0ms", 0 },
		{ "", -1 }, { "5", -1 }, { "s", -1 }, { "5 s", -1 }, { "-5s", -1 }, { "+5s", -1 }, { "5S", -1 }, { "5sec", -1 }, { "1.5s", -1 },
		{ "1e3ms", -1 }, { "1h30m", -1 }, { "0x5s", -1 }, { "99999999999999999999s", -1 }, { "9223372036854775807d", -1 },
		{ "9223372036854775807ms", -1 },       /* that number means forever */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = -2;
		char text[32];
		bool ok = duration_parse(rows[i].text, &ms);

		if (ok != (rows[i].ms >= 0) || (ok && ms != rows[i].ms))
			fail_msg("\"%s\" is %d %lld", rows[i].text, ok, (long long)ms);
		if (ok) {
			int64_t again;

			assert_true(duration_parse(duration_text(ms, text), &again));
			assert_true(again == ms);
		}
	}
}

static void test_addresses(void **state)
{
	(void)state;
	static const struct { const char *text, *scheme, *host; int port; const char *rest; } rows[] = {
		{ "10.0.0.1:80", "", "10.0.0.1", 80, "" },
		{ "[::1]:80", "", "::1", 80, "" },
		{ "http://h", "http", "h", 80, "" },
		{ "https://h/", "https", "h", 443, "/" },
		{ "https://h.example:8443/a?b", "https", "h.example", 8443, "/a?b" },
		{ "http://[fd00::1]", "http", "fd00::1", 80, "" },
		{ "redis://h", "redis", "h", 0, "" },
		{ "h:65535", "", "h", 65535, "" },
	};
	static const char *const bad[] = {
		"", ":", "h", "h:", ":80", "h:0", "h:65536", "h:99999999", "h:-1", "h:8x", "::1:80", "[::1]", "[::1:80", "[h]:80", "[::1]80", "h:80:80",
		"http://", "http:///x", "://h:1", "ht tp://h:1", "h h:80", "h\n:80", "h%41:80", "u:p@h:80", "http://u@h", "-h:80", ".h:80",
		"aaaaaaaaaaaaaaaaaaaaaa://h:1", "h:80;show", "[]:80",
	};
	struct address a;
	char why[300];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!address_parse(rows[i].text, &a, why, sizeof(why)))
			fail_msg("%s: %s", rows[i].text, why);
		assert_string_equal(a.scheme, rows[i].scheme);
		assert_string_equal(a.host, rows[i].host);
		assert_int_equal(a.port, rows[i].port);
		assert_string_equal(a.rest, rows[i].rest);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (address_parse(bad[i], &a, why, sizeof(why)))
			fail_msg("\"%s\" is taken for an address", bad[i]);
	assert_true(address_is_loopback("127.0.0.1") && address_is_loopback("::1") && address_is_loopback("localhost"));
	assert_false(address_is_loopback("10.0.0.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_doc),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
