/* SPDX-License-Identifier: MIT
 * identity.c - which release, and which bits, does an answer speak of? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/identity.h"

static char want[ASSERT_TEXT], got[ASSERT_TEXT], named[ID_MAX_LEN + 1];

static enum outcome judge(struct identity *id, const char *release, const char *digest, const char *body)
{
	struct answer a = { .status = 200, .head = "", .body = body, .body_len = strlen(body), .content_type = "application/json" };
	enum outcome o = identity_judge(id, release, digest, &a, "", want, got, named);

	answer_clear(&a);
	return o;
}

#define RELEASE "jsonpath \"$.release\" == \"{{release}}\""
#define BODY(release, digest) "{\"release\":\"" release "\",\"digest\":\"" digest "\"}"

static void test_the_digest_is_compared(void **state)
{
	(void)state;
	static const char *const expect[] = { "status == 200", RELEASE, "jsonpath \"$.digest\" == \"{{digest}}\"" };
	struct identity_config cfg = { .on = true, .path = "/v", .expect = expect, .n_expect = 3 };
	struct identity *id = identity_new(&cfg);

	assert_int_equal(judge(id, "r42", "sha256:1", BODY("r42", "sha256:1")), OUT_PRESENT);
	assert_string_equal(named, "r42");
	assert_int_equal(judge(id, "r42", "sha256:1", BODY("r42", "sha256:2")), OUT_IDENTITY);
	assert_non_null(strstr(want, "sha256:1"));
	assert_non_null(strstr(got, "sha256:2"));
	assert_int_equal(judge(id, "r42", "sha256:1", BODY("r41", "sha256:1")), OUT_IDENTITY);
	/* Another digest of the same release is compiled anew. */
	assert_int_equal(judge(id, "r42", "sha256:2", BODY("r42", "sha256:2")), OUT_PRESENT);
	/* Not told: the line waits, the release is compared all the same. */
	assert_int_equal(judge(id, "r42", "", BODY("r42", "sha256:2")), OUT_PRESENT);
	assert_int_equal(judge(id, "r42", "", BODY("r41", "sha256:2")), OUT_IDENTITY);
	/* No release: who is there is still read. */
	assert_int_equal(judge(id, "", "sha256:1", BODY("r7", "sha256:2")), OUT_PRESENT);
	assert_string_equal(named, "r7");
	identity_free(&id);
}

/* A digest is free text: it must not become another assertion. */
static void test_a_digest_is_no_assertion(void **state)
{
	(void)state;
	static const char *const expect[] = { RELEASE, "body contains \"{{digest}}\"" };
	static const char *const bad[] = { "x\" ", "\"", "a\\", "'" };
	struct identity_config cfg = { .on = true, .path = "/v", .expect = expect, .n_expect = 2 };
	struct identity *id = identity_new(&cfg);

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(judge(id, "r42", bad[i], BODY("r42", "x")), OUT_IDENTITY);
		assert_non_null(strstr(got, "no assertion can hold"));
	}
	assert_int_equal(judge(id, "r42", "a b", BODY("r42", "a b")), OUT_PRESENT);
	identity_free(&id);
}

static void test_one_line_with_both(void **state)
{
	(void)state;
	static const char *const expect[] = { "body contains \"{{release}}@{{digest}}\"", RELEASE };
	static const int line[] = { 7, 8 }, col[] = { 3, 3 };
	struct identity_config cfg = { .on = true, .path = "/v", .expect = expect, .n_expect = 2 };
	struct identity *id = identity_new(&cfg);
	struct buf errors = BUF_INIT(1000);

	assert_int_equal(judge(id, "r1", "d1", "{\"release\":\"r1\",\"as\":\"r1@d1\"}"), OUT_PRESENT);
	assert_int_equal(judge(id, "r1", "d2", "{\"release\":\"r1\",\"as\":\"r1@d1\"}"), OUT_IDENTITY);
	identity_free(&id);
	assert_int_equal(identity_check(&cfg, "a.yaml", &errors), 0);
	/* The columns of errors are those of the line as written. */
	static const char *const wrong[] = { RELEASE, "jsonpath \"$.d\" == \"{{digest}}\" trailing" };

	cfg.expect = wrong;
	cfg.expect_line = line;
	cfg.expect_col = col;
	assert_int_equal(identity_check(&cfg, "a.yaml", &errors), 1);
	if (!strstr(buf_str(&errors), "a.yaml:8:34"))
		fail_msg("%s", buf_str(&errors));
	buf_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_digest_is_compared), cmocka_unit_test(test_a_digest_is_no_assertion), cmocka_unit_test(test_one_line_with_both),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
