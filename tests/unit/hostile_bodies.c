/* SPDX-License-Identifier: MIT
 * hostile_bodies.c - 256 KiB made to be costly to parse, to look into and to match: a named outcome, memory given back, and in
 * the release build no turn of the loop over 50 ms of CPU time. */
#include "tests/unit/support/hostile_rig.h"

#include "tests/unit/support/hostile.h"

static struct hostile blue;
static int64_t worst_us;

/* `again` until the body is full; in front `before`, behind `after`. %d in `again` is a number that grows. */
struct body { const char *what, *type, *before, *again, *after, *assertion; };

#define JSON "application/json"
#define HTML "text/html"
#define XML "application/xml"
static const struct body bodies[] = {
	{ "JSON, arrays in arrays", JSON, "", "[", "", "jsonpath \"$..x\" exists" },
	{ "JSON, objects in objects", JSON, "", "{\"a\":", "", "jsonpath \"$..x\" exists" },
	{ "JSON, arrays within the limit, side by side", JSON, "[", "[[[[[[[[[[[[1]]]]]]]]]]]],", "0]", "jsonpath \"$..x\" exists" },
	{ "JSON, a wide object", JSON, "{", "\"k%d\":1,", "\"z\":0}", "jsonpath \"$..x\" count == 1" },
	{ "JSON, the same key again and again", JSON, "{", "\"k\":1,", "\"z\":0}", "jsonpath \"$.x\" exists" },
	{ "JSON, keys of one hash bucket at best", JSON, "{", "\"%d\":{},", "\"z\":0}", "jsonpath \"$..*\" count == 1" },
	{ "JSON, empty arrays", JSON, "[", "[],", "0]", "jsonpath \"$[*]\" count == 1" },
	{ "JSON, small numbers", JSON, "[", "1,", "0]", "jsonpath \"$..*\" contains \"x\"" },
	{ "JSON, numbers in exponents", JSON, "[", "1.7976931348623157e308,", "0]", "jsonpath \"$[-1]\" == 1" },
	{ "JSON, a number of 250,000 digits", JSON, "[", "1", "]", "jsonpath \"$[0]\" == 1" },
	{ "JSON, a real of 250,000 digits", JSON, "[0.", "1", "]", "jsonpath \"$[0]\" == 1" },
	{ "JSON, one string of escapes", JSON, "[\"", "\\u00e9", "\"]", "jsonpath \"$[0]\" contains \"x\"" },
	{ "JSON, lone surrogates", JSON, "[\"", "\\ud800", "\"]", "jsonpath \"$[0]\" contains \"x\"" },
	{ "JSON, white space", JSON, "[", " \n\t", "0]", "jsonpath \"$[0]\" == 1" },
	{ "JSON, every level asked for at every level", JSON, "[", "[[[[[[1,2]]]]]],", "0]", "jsonpath \"$..[0]..[0]..[0]\" exists" },
	{ "JSON, a pattern on each of many", JSON, "[", "\"aaaaaaaaaaaaaaaaaaaa\",", "0]", "jsonpath \"$[0]\" matches /(a+)+b/" },
	{ "HTML, elements in elements", HTML, "<html>", "<div>", "", "xpath \"//x\" exists" },
	{ "HTML, formatting elements in each other", HTML, "<html>", "<b><i>", "", "xpath \"//x\" exists" },
	{ "HTML, tables in tables", HTML, "<html>", "<table><tr><td>", "", "xpath \"//x\" exists" },
	{ "HTML, end tags of nothing", HTML, "<html>", "</p></div>", "", "xpath \"//x\" exists" },
	{ "HTML, siblings", HTML, "<html>", "<p>", "</html>", "xpath \"//x\" exists" },
	{ "HTML, siblings compared with each other", HTML, "<html>", "<p>a", "</html>", "xpath \"//p[. = //p]\" exists" },
	{ "HTML, each with all that follow", HTML, "<html>", "<p>a", "</html>", "xpath \"count(//p/following::p)\" == 0" },
	{ "HTML, one tag of attributes", HTML, "<html><p ", "a%d=1 ", "></html>", "xpath \"//@x\" exists" },
	{ "HTML, one tag of the same attribute", HTML, "<html><p ", "a=1 ", "></html>", "xpath \"//@x\" exists" },
	{ "HTML, entities", HTML, "<html>", "&lt;", "</html>", "xpath \"//x\" exists" },
	{ "HTML, entities that are none", HTML, "<html>", "&x%d;", "</html>", "xpath \"//x\" exists" },
	{ "HTML, numeric entities", HTML, "<html>", "&#65;", "</html>", "xpath \"string(//html)\" contains \"x\"" },
	{ "HTML, comments", HTML, "<html>", "<!---->", "</html>", "xpath \"//comment()\" count == 1" },
	{ "HTML, comments and texts", HTML, "<html>", "<!---->a", "</html>", "xpath \"//text()\" count == 1" },
	{ "HTML, comments between elements", HTML, "<html>", "<p><!----><!----><!---->", "</html>", "xpath \"//comment()\" count == 1" },
	{ "HTML, instructions", HTML, "<html>", "<?a>", "</html>", "xpath \"//processing-instruction()\" count == 1" },
	{ "XML, comments", XML, "<a>", "<!---->", "</a>", "xpath \"//comment()\" count == 1" },
	{ "XML, comments in front", XML, "", "<!---->", "<a/>", "xpath \"//comment()\" count == 1" },
	{ "XML, instructions", XML, "<a>", "<?a?>", "</a>", "xpath \"//processing-instruction()\" count == 1" },
	{ "XML, CDATA", XML, "<a>", "<![CDATA[]]>", "</a>", "xpath \"//text()\" count == 1" },
	{ "XML, CDATA between comments", XML, "<a>", "<![CDATA[a]]><!---->", "</a>", "xpath \"//text()\" count == 1" },
	{ "XML, entities that are none", XML, "<a>", "&x;", "</a>", "xpath \"//node()\" count == 1" },
	{ "XML, entities that are none, in attributes", XML, "<a>", "<b c='&x;&x;&x;&x;'/>", "</a>", "xpath \"//node()\" count == 1" },
	{ "XML, attributes", XML, "<a ", "a%d='' ", "/>", "xpath \"//@*\" count == 1" },
	{ "HTML, texts and elements", HTML, "<html>", "a<b>", "</html>", "xpath \"//node()\" count == 1" },
	{ "HTML, all and all again", HTML, "<html>", "a<br>", "</html>", "xpath \"//node() | //text() | //*\" count == 1" },
	{ "HTML, a comment that does not end", HTML, "<html><!--", "-", "", "xpath \"//x\" exists" },
	{ "HTML, a script that does not end", HTML, "<html><script>", "</", "", "xpath \"//x\" exists" },
	{ "HTML, open brackets", HTML, "<html>", "<", "", "xpath \"//x\" exists" },
	{ "HTML, NULs", HTML, "<html>", "\\0", "", "xpath \"//x\" exists" },
	{ "XML, elements in elements", XML, "<a>", "<a>", "", "xpath \"//x\" exists" },
	{ "XML, an entity that grows by ten each time", XML,
	  "<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\">"
	  "<!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;\">]><a>", "&f;", "</a>", "xpath \"string(/a)\" contains \"x\"" },
	{ "XML, an entity of a file", XML, "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>", "&b;", "</a>", "xpath \"string(/a)\" contains \"root:\"" },
	{ "XML, namespaces", XML, "<a>", "<n%d:b xmlns:n%d='u'/>", "</a>", "xpath \"//x\" exists" },
	{ "a pattern that goes back and back", "text/plain", "", "a", "!", "body matches /(a+)+$/" },
	{ "a pattern that goes back over two", "text/plain", "", "ab", "!", "body matches /(.*a)(.*b)(.*c)(.*d)$/" },
	{ "a pattern in a pattern", "text/plain", "", "x", "", "body matches /^(([a-z])+.)+[A-Z]([a-z])+$/" },
	{ "alternatives", "text/plain", "", "aaab", "", "body matches /(a|aa|aaa)*c/" },
	{ "a text looked for that is nearly there", "text/plain", "", "a", "", "body contains \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"" },
	{ "bytes that are no UTF-8", "text/plain", "", "\xff\xfe", "", "body matches /\\p{L}/" },
};

static void fill(const struct body *b)
{
	struct hostile_shared *sh = blue.shared;
	size_t after = strlen(b->after), n = strlen(b->before);
	char piece[64];

	memcpy(sh->big, b->before, n);
	for (int i = 0;; i++) {
		size_t len = strlen(b->again);

		if (strcmp(b->again, "\\0") == 0) {
			memset(piece, 0, len = 1);
		} else {
			const char *d = b->again;

			for (len = 0; *d && len < sizeof(piece) - 12; d++)
				if (d[0] == '%' && d[1] == 'd' && d++)
					len += (size_t)snprintf(piece + len, 12, "%d", i);
				else
					piece[len++] = *d;
		}
		if (n + len + after > sizeof(sh->big))
			break;
		memcpy(sh->big + n, piece, len);
		n += len;
	}
	memcpy(sh->big + n, b->after, after);
	sh->big_len = n + after;
	snprintf(sh->big_type, sizeof(sh->big_type), "%s", b->type);
}

/* None of these assertions holds: the body is absent's, or the prober's limits were. */
static bool named(enum outcome o) { return o == OUT_BODY || o == OUT_JSON || o == OUT_ASSERTION || o == OUT_PATTERN_COSTLY || o == OUT_TOO_LARGE; }

static void round_of(const struct body *b, const char *feature)
{
	struct buf said = BUF_INIT(8192);
	struct asked a;

	now_asked = b->what;
	if (!rig_load(&rig, feature, &said))
		fail_msg("%s: %s", b->what, buf_str(&said));
	buf_free(&said);
	begin(&a, 0);
	until_done(&a);
	if (!named(a.outcome))
		WRONG("%s: %s: %s", b->what, outcome_info(a.outcome)->code, a.got);
	turn(EVRUN_NOWAIT);
	rig_close(&rig);
}

static void ask_body(const struct body *b, const char *feature)
{
	size_t used, grown;
	int rounds = 0;

	alarm(WATCHDOG_S);
	fill(b);
	worst_row_us = 0;
	least_us = INT64_MAX;
	round_of(b, feature);
	note_round();
	do {
		used = memory();
		round_of(b, feature);
		note_round();
		grown = memory() > used ? memory() - used : 0;
	} while ((grown || too_long()) && ++rounds < 6);
	if (grown)
		WRONG("%s: keeps %zu bytes each time", b->what, grown);
	if (too_long())
		WRONG("%s: a turn of the loop took %lld us of CPU time", b->what, (long long)least_us);
	if (least_us > worst_us)
		print_message("longest turn so far %lld us: %s\n", (long long)(worst_us = least_us), b->what);
}

static void quoted(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 2 < size; text++) {
		if (*text == '\'')
			out[n++] = '\'';
		out[n++] = *text;
	}
	out[n] = '\0';
}

static void bodies_made_to_hurt(void **state)
{
	char feature[512], line[256];

	(void)state;
	wrong = 0;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		quoted(line, sizeof(line), bodies[i].assertion);
		snprintf(feature, sizeof(feature), "{ path: /big, timeout: 20s, expect: ['%s'] }", line);
		ask_body(&bodies[i], feature);
	}
	assert_int_equal(wrong, 0);
}

/* A page that all of a long list of assertions looks into: parsed once. */
static void many_assertions_on_one_body(void **state)
{
	struct buf feature = BUF_INIT(16384);

	(void)state;
	wrong = 0;
	buf_adds(&feature, "{ path: /big, timeout: 20s, expect: [");
	for (int i = 0; i < 63; i++)
		buf_addf(&feature, "'body not matches /(.*a)(.*b)(.*%d)(.*d)$/', ", i);
	buf_adds(&feature, "'body matches /absent/'] }");
	ask_body(&(struct body){ "a text and 64 patterns", "text/plain", "", "ab", "!", "" }, buf_str(&feature));
	for (int json = 0; json < 2; json++) {
		buf_clear(&feature);
		buf_adds(&feature, "{ path: /big, timeout: 20s, expect: [");
		for (int i = 0; i < 63; i++)
			buf_addf(&feature, json ? "'jsonpath \"$..y%d\" not exists', " : "'xpath \"//y%d\" not exists', ", i);
		buf_adds(&feature, json ? "'jsonpath \"$.x\" exists'] }" : "'xpath \"//x\" exists'] }");
		ask_body(json ? &(struct body){ "JSON and 64 assertions", JSON, "[", "{\"a\":[1]},", "0]", "" } :
				&(struct body){ "HTML and 64 assertions", HTML, "<html>", "<p>a</p>", "</html>", "" }, buf_str(&feature));
	}
	buf_free(&feature);
	assert_int_equal(wrong, 0);
}

static int setup(void **state)
{
	(void)state;
	rig_begin(&rig, blue.port);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_end(&rig);
	return 0;
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { T(bodies_made_to_hurt), T(many_assertions_on_one_body) };
	int rc;

	(void)argc;
	hostile_main(argv);
	hostile_start(&blue, "blue");
	rc = cmocka_run_group_tests_name("hostile_bodies", tests, NULL, NULL);
	hostile_stop(&blue);
	return rc;
}
