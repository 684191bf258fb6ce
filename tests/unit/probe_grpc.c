/* SPDX-License-Identifier: MIT
 * probe_grpc.c - the kind grpc against a health server by hand, and its frames. */
#include "tests/unit/support/kind_rig.h"

#include "probes/kinds/grpc_frame.h"
#include "tests/unit/support/h2.h"
#include "tests/unit/support/tls.h"

static struct kind_rig rig;
static struct wire_fake h2, fake[N_WAYS];
static struct tls_front tls;

static int setup(void **state) { (void)state; rig_begin(&rig, h2.port); return 0; }
static int teardown(void **state) { (void)state; rig_end(&rig); return 0; }

static void test_answers(void **state)
{
	static const struct { const char *service; enum outcome outcome; bool complete; const char *got; } rows[] = {
		{ "serving", OUT_PRESENT, true, "" }, { "not", OUT_ASSERTION, true, "NOT_SERVING" },
		{ "unknown", OUT_ASSERTION, true, "UNKNOWN" }, { "service-unknown", OUT_ASSERTION, true, "SERVICE_UNKNOWN" },
		{ "empty", OUT_ASSERTION, true, "UNKNOWN" },
		{ "no.such.Service", OUT_ASSERTION, true, "grpc-status 5 (NOT_FOUND): unknown service" },
		{ "unimplemented", OUT_ASSERTION, true, "grpc-status 12 (UNIMPLEMENTED)" },
		{ "404", OUT_STATUS, true, "404" }, { "html", OUT_HEADER, true, "text/html" },
		{ "no-trailers", OUT_PROTOCOL, false, "no grpc-status" }, { "garbage", OUT_PROTOCOL, false, "not protobuf" },
		{ "long", OUT_PROTOCOL, false, "the message is cut off" }, { "cut", OUT_BODY_CUT, false, NULL },
		{ "flood", OUT_TOO_LARGE, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char f[160];

		snprintf(f, sizeof(f), "{ grpc: { service: %s%s%s }, timeout: 20s }", "\"", rows[i].service, "\"");
		RIG_IS(&rig, f, rows[i].outcome);
		assert_int_equal(rig.r.complete, rows[i].complete);
		if (rows[i].got)
			assert_string_equal(rig.e.got, rows[i].got);
	}
	RIG_IS(&rig, "{ grpc: {}, timeout: 20s }", OUT_PRESENT); /* the server as a whole */
	assert_string_equal(rig.e.body, "SERVING\n");
	assert_non_null(strstr(rig.e.head, "grpc-status: 0"));
	assert_int_equal(outcome_info(rig_ask(&rig, "{ grpc: { service: reset }, timeout: 20s }"))->class == OC_PRESENT, false);
}

static void test_waits(void **state)
{
	(void)state;
	RIG_IS(&rig, "{ grpc: { service: silent }, timeout: 300ms }", OUT_TIMEOUT);
	RIG_IS(&rig, "{ grpc: { service: stall }, timeout: 300ms }", OUT_TIMEOUT);
	RIG_IS(&rig, "{ grpc: { service: stall }, expect: ['duration < 200ms'], timeout: 300ms }", OUT_DURATION_TIMEOUT);
}

/* What is no HTTP/2 at all says nothing of the service. */
static void test_other_servers(void **state)
{
	char f[96];

	(void)state;
	for (int i = 0; i < N_WAYS; i++) {
		bool waits = i == W_SILENT;

		snprintf(f, sizeof(f), "{ grpc: { port: %u }, timeout: %s }", fake[i].port, waits ? "300ms" : "20s");
		enum outcome_class class = outcome_info(rig_ask(&rig, f))->class;

		if (class == OC_PRESENT || (class == OC_ABSENT && rig.r.outcome != OUT_BODY_CUT))
			fail_msg("way %d: %s", i, outcome_info(rig.r.outcome)->code);
	}
	RIG_IS(&rig, "{ grpc: { port: 1 }, timeout: 20s }", OUT_REFUSED);
	/* Plain where TLS was asked for: closed in the middle of a handshake. */
	enum outcome plain = rig_ask(&rig, "{ grpc: { tls: true }, timeout: 20s }");
	assert_true(plain == OUT_TLS || plain == OUT_RESET || plain == OUT_CLOSED);
}

static void test_over_tls(void **state)
{
	char f[200], with_ca[192];

	(void)state;
	snprintf(with_ca, sizeof(with_ca), "tls: { ca_file: %s }", tls.ca);
	rig.tls = with_ca;
	snprintf(f, sizeof(f), "{ grpc: { service: serving, port: %u, tls: true }, timeout: 20s }", tls.port);
	RIG_IS(&rig, f, OUT_PRESENT);
	assert_true(rig.r.complete);
	snprintf(f, sizeof(f), "{ grpc: { service: not, port: %u, tls: true }, timeout: 20s }", tls.port);
	RIG_IS(&rig, f, OUT_ASSERTION);
	assert_string_equal(rig.e.got, "NOT_SERVING");
	snprintf(f, sizeof(f), "{ grpc: { port: %u, tls: true }, expect: ['certificate \"Issuer\" contains \"ca.test\"'], timeout: 20s }", tls.port);
	RIG_IS(&rig, f, OUT_PRESENT);
	/* Signed by nobody that the system trusts: who answered is not known. */
	rig.tls = "";
	RIG_IS(&rig, f, OUT_TLS);
}

static void test_it_can_fail(void **state)
{
	(void)state;
	rig_ask(&rig, "{ grpc: { service: serving }, timeout: 20s }");
	assert_null(probe_unproven(&rig.cfg->services[0].features[0]));
	rig_start(&rig, PURPOSE_CONTROL);
	assert_int_equal(rig_wait(&rig), OUT_ASSERTION);
	rig_cancels(&rig, "{ grpc: { service: silent }, timeout: 20s }");
	rig_leaves_nothing(&rig, "{ grpc: {}, timeout: 20s }", 5);
}

static void test_frames(void **state)
{
	static const struct { const char *bytes; size_t n; int status; const char *why; } rows[] = {
		{ "", 0, -1, "no message" }, { "\0\0\0", 3, -1, "the message is cut off" }, { "\0\0\0\0\0", 5, 0, "" },
		{ "\0\0\0\0\2\10\1", 7, 1, "" }, { "\1\0\0\0\2\10\1", 7, -1, "the message is compressed" },
		{ "\0\0\0\0\2\10\1\0", 8, -1, "more than one message" }, { "\0\0\0\0\3\10\1", 7, -1, "the message is cut off" },
		{ "\0\0\0\0\1\10", 6, -1, "not protobuf" }, { "\0\0\0\0\1\0", 6, -1, "not protobuf" },
		/* fields of others are passed over: a text, a number, eight bytes, four */
		{ "\0\0\0\0\6\22\2ab\10\2", 11, 2, "" }, { "\0\0\0\0\4\30\5\10\1", 9, 1, "" }, { "\0\0\0\0\13\31" "12345678" "\10\1", 16, 1, "" },
		{ "\0\0\0\0\7\35" "1234" "\10\1", 12, 1, "" }, { "\0\0\0\0\2\22\5", 7, -1, "not protobuf" }, { "\0\0\0\0\2\23\1", 7, -1, "not protobuf" },
		{ "\0\0\0\0\3\10\200\2", 8, 255, "" }, { "\0\0\0\0\13\10\377\377\377\377\377\377\377\377\377\377", 16, -1, "not protobuf" },
	};
	struct buf out = BUF_INIT(2048);
	char name[400];
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(grpc_health_status(rows[i].bytes, rows[i].n, &why), rows[i].status);
		assert_string_equal(why, rows[i].why);
	}
	assert_true(grpc_health_request("", &out));
	assert_int_equal(out.len, 5);
	assert_memory_equal(out.data, "\0\0\0\0\0", 5);
	buf_clear(&out);
	assert_true(grpc_health_request("a.B", &out));
	assert_int_equal(out.len, 10);
	assert_memory_equal(out.data, "\0\0\0\0\5\n\3a.B", 10);
	buf_clear(&out);
	memset(name, 'n', 300);
	name[300] = '\0';
	assert_true(grpc_health_request(name, &out));
	assert_int_equal(out.len, 5 + 3 + 300);
	assert_memory_equal(out.data, "\0\0\0\1\57\n\254\2nnn", 11);
	buf_free(&out);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_answers), T(test_waits), T(test_other_servers), T(test_over_tls), T(test_it_can_fail), cmocka_unit_test(test_frames),
	};
	int rc;

	signal(SIGPIPE, SIG_IGN);
	fake_start(&h2, h2_serve, W_GREET);
	tls_start(&tls, h2.port, "tcp");
	for (int i = 0; i < N_WAYS; i++)
		fake_start(&fake[i], wire_serve, (enum way)i);
	rc = cmocka_run_group_tests_name("probe_grpc", tests, NULL, NULL);
	tls_stop(&tls); /* first: it holds connections open, and with them children of the servers behind it */
	fake_stop(&h2);
	for (int i = 0; i < N_WAYS; i++)
		fake_stop(&fake[i]);
	return rc;
}
