/* SPDX-License-Identifier: MIT
 * probe_tcp.c - the kinds tcp, tls and websocket against servers that behave and servers that do not. */
#include "tests/unit/support/kind_rig.h"

#include <sys/un.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "switchd/io/conn.h"
#include "tests/unit/support/names.h"
#include "tests/unit/support/tls.h"
#include "tests/unit/support/wire_fake.h"

static struct kind_rig rig;
static struct wire_fake fake[N_WAYS];
static struct tls_front tls;

static int setup(void **state) { (void)state; rig_begin(&rig, fake[W_GREET].port); return 0; }
static int teardown(void **state) { (void)state; rig_end(&rig); return 0; }

/* The feature's YAML with %u for a port. */
static const char *at(const char *fmt, uint16_t port)
{
	static char text[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), fmt, port);
#pragma GCC diagnostic pop
	return text;
}

static void test_connects(void **state)
{
	(void)state;
	RIG_IS(&rig, "{ tcp: {} }", OUT_PRESENT);
	assert_true(rig.r.complete);
	RIG_IS(&rig, at("{ tcp: { port: %u } }", fake[W_SILENT].port), OUT_PRESENT);
	/* Nobody listens on port 1 of the loopback. */
	RIG_IS(&rig, "{ tcp: { port: 1 } }", OUT_REFUSED);
	assert_false(rig.r.complete);
	assert_true(rig.e.got[0]);
	struct blackhole hole;
	blackhole_open(&hole);
	RIG_IS(&rig, at("{ tcp: { port: %u }, timeout: 300ms }", hole.port), OUT_CONNECT_TIMEOUT);
	blackhole_close(&hole);
}

static void test_sends_and_reads(void **state)
{
	(void)state;
	RIG_IS(&rig, "{ tcp: {}, expect: ['body startsWith \"220 \"'], timeout: 20s }", OUT_PRESENT);
	RIG_IS(&rig, "{ tcp: { send: \"EHLO x\\r\\n\" }, expect: ['body contains \"ECHO EHLO x\"'], timeout: 20s }", OUT_PRESENT);
	assert_non_null(strstr(rig.e.body, "220 ready\n250 ECHO EHLO x"));
	/* Complete with its end: then what it says counts. */
	RIG_IS(&rig, "{ tcp: { until: \"\\r\\n\" }, expect: ['body startsWith \"554 \"'], timeout: 20s }", OUT_BODY);
	assert_true(rig.r.complete);
	RIG_IS(&rig, at("{ tcp: { port: %u }, expect: ['body startsWith \"220 \"'], timeout: 20s }", fake[W_SAY_CLOSE].port), OUT_BODY);
	/* Without an end nobody knows what is still to come. */
	RIG_IS(&rig, "{ tcp: {}, expect: ['body startsWith \"554 \"'], timeout: 300ms }", OUT_TIMEOUT);
	assert_false(rig.r.complete);
	assert_non_null(strstr(rig.e.body, "220 ready"));
	RIG_IS(&rig, "{ tcp: {}, expect: ['body startsWith \"554 \"', 'duration < 5s'], timeout: 300ms }", OUT_DURATION_TIMEOUT);
	rig_refuses(&rig, "{ tcp: {}, expect: [status == 200] }", "status: has no meaning for a probe of kind tcp");
}

static void test_hostile_servers(void **state)
{
	static const struct { enum way way; enum outcome outcome; } rows[] = {
		{ W_SILENT, OUT_TIMEOUT }, { W_CLOSE, OUT_CLOSED }, { W_RESET, OUT_RESET }, { W_CUT_RESET, OUT_BODY_CUT },
		{ W_DRIP, OUT_TIMEOUT }, { W_FLOOD, OUT_TOO_LARGE }, { W_GARBAGE, OUT_BODY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool waits = rows[i].outcome == OUT_TIMEOUT;
		const char *f = at(waits ? "{ tcp: { port: %u, send: \"a\" }, expect: ['body contains \"absent\"'], timeout: 300ms }" :
					   "{ tcp: { port: %u, send: \"a\" }, expect: ['body contains \"absent\"'], timeout: 20s }", fake[rows[i].way].port);

		/* Closed with our byte unread, the kernel says reset. */
		if (rows[i].way == W_CLOSE)
			f = at("{ tcp: { port: %u }, expect: ['body contains \"absent\"'], timeout: 20s }", fake[W_CLOSE].port);
		RIG_IS(&rig, f, rows[i].outcome);
	}
	for (const char *p = rig.e.body; *p; p++)
		assert_true((unsigned char)*p >= ' ' || *p == '\n' || *p == '\t');
}

static char with_ca[192];

static void test_tcp_over_tls(void **state)
{
	(void)state;
	rig.tls = with_ca;
	RIG_IS(&rig, at("{ tcp: { port: %u, tls: true, send: \"over tls\\n\" }, expect: ['body contains \"ECHO over tls\"'], timeout: 20s }", tls.port), OUT_PRESENT);
	RIG_IS(&rig, at("{ tcp: { port: %u, tls: true, name: other.test }, timeout: 20s }", tls.port), OUT_TLS);
	assert_string_equal(rig.e.got, "is not for the name other.test");
	/* Not TLS at all; a handshake that stalls; one that is cut. */
	RIG_IS(&rig, "{ tcp: { tls: true }, timeout: 20s }", OUT_TLS);
	RIG_IS(&rig, at("{ tcp: { port: %u, tls: true }, timeout: 300ms }", fake[W_SILENT].port), OUT_TIMEOUT);
	assert_int_equal(outcome_info(rig_ask(&rig, at("{ tcp: { port: %u, tls: true }, timeout: 20s }", fake[W_CLOSE].port)))->class, OC_UNKNOWN);
	rig.tls = "tls: { verify: false }";
	RIG_IS(&rig, at("{ tcp: { port: %u, tls: true, name: other.test }, timeout: 20s }", tls.port), OUT_PRESENT);
}

static void test_tls(void **state)
{
	(void)state;
	rig.tls = with_ca;
	RIG_IS(&rig, at("{ tls: { port: %u }, timeout: 20s }", tls.port), OUT_PRESENT);
	assert_true(rig.r.complete);
	rig_start(&rig, PURPOSE_CONTROL); /* it can fail */
	assert_int_equal(rig_wait(&rig), OUT_TLS_ASSERTION);
	assert_string_equal(rig.e.got, "is not for the name switchd-absent.invalid");
	assert_null(probe_unproven(&rig.cfg->services[0].features[0]));
	RIG_IS(&rig, at("{ tls: { port: %u, days: 29 }, timeout: 20s }", tls.port), OUT_PRESENT);
	RIG_IS(&rig, at("{ tls: { port: %u }, expect: ['certificate \"Issuer\" contains \"ca.test\"'], timeout: 20s }", tls.port), OUT_PRESENT);
	RIG_IS(&rig, at("{ tls: { port: %u }, expect: ['certificate \"Subject\" contains \"x.test\"'], timeout: 20s }", tls.port), OUT_TLS_ASSERTION);
	RIG_IS(&rig, at("{ tls: { port: %u, days: 31 }, timeout: 20s }", tls.port), OUT_TLS_ASSERTION);
	assert_string_equal(rig.e.want, "valid for 31 days");
	assert_string_equal(rig.e.got, "29 days left");
	assert_true(rig.r.complete);
	RIG_IS(&rig, at("{ tls: { port: %u, name: other.test }, timeout: 20s }", tls.port), OUT_TLS_ASSERTION);
	/* Signed by nobody that the system trusts. */
	rig.tls = "";
	RIG_IS(&rig, at("{ tls: { port: %u }, timeout: 20s }", tls.port), OUT_TLS_ASSERTION);
	assert_true(strstr(rig.e.got, "issuer") || strstr(rig.e.got, "self"));
	RIG_IS(&rig, at("{ tls: { port: %u, ca_file: /no/such/ca.pem }, timeout: 20s }", tls.port), OUT_TLS);
	assert_string_equal(rig.e.got, "/no/such/ca.pem cannot be read");
	/* What is no answer. */
	RIG_IS(&rig, "{ tls: {}, timeout: 20s }", OUT_TLS);
	RIG_IS(&rig, "{ tls: { port: 1 }, timeout: 20s }", OUT_REFUSED);
	RIG_IS(&rig, at("{ tls: { port: %u }, timeout: 300ms }", fake[W_SILENT].port), OUT_TIMEOUT);
	RIG_IS(&rig, at("{ tls: { port: %u }, timeout: 20s }", fake[W_GARBAGE].port), OUT_TLS);
	rig_refuses(&rig, "{ tls: {}, expect: ['body contains \"x\"'] }", "body: has no meaning for a probe of kind tls");
}

/* The certificate in srv.pem with other days, signed again: no openssl(1) of all versions makes one that is over. */
static void redate(const char *dir, const char *ca_key, int from, int to)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/srv.pem", dir);
	f = fopen(path, "r");
	X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	fclose(f);
	snprintf(path, sizeof(path), "%s/%s", dir, ca_key);
	f = fopen(path, "r");
	EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
	fclose(f);
	assert_true(x && key);
	assert_non_null(X509_time_adj_ex(X509_getm_notBefore(x), from, 0, NULL));
	assert_non_null(X509_time_adj_ex(X509_getm_notAfter(x), to, 0, NULL));
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	snprintf(path, sizeof(path), "%s/srv.pem", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, x), 1);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* Two fronts of their own, each for one test. */
static void test_expired(void **state)
{
	struct tls_front t;
	char ca[192];

	(void)state;
	tls_start(&t, fake[W_GREET].port, "tcp");
	kill(t.pid, SIGKILL);
	waitpid(t.pid, NULL, 0);
	redate(t.dir, "ca.key", -40, -10);
	tls_run(t.dir, "cat srv.pem srv.key >both.pem");
	char bind[160];
	snprintf(bind, sizeof(bind), "ssl crt %s/both.pem", t.dir);
	tls_run_haproxy(&t, hostile_listen(&t.port, 128), fake[W_GREET].port, "tcp", bind);
	snprintf(ca, sizeof(ca), "tls: { ca_file: %s }", t.ca);
	rig.tls = ca;
	RIG_IS(&rig, at("{ tls: { port: %u }, timeout: 20s }", t.port), OUT_TLS_ASSERTION);
	assert_string_equal(rig.e.got, "certificate has expired");
	assert_true(rig.r.complete);
	RIG_IS(&rig, at("{ tcp: { port: %u, tls: true }, timeout: 20s }", t.port), OUT_TLS);
	tls_stop(&t);
}

/* What ends first is what counts: here that of the authority between. */
static void test_days_of_the_chain(void **state)
{
	struct tls_front t;
	char ca[192];

	(void)state;
	tls_start_with(&t, fake[W_GREET].port, "tcp",
		       TLS_MAKE_CA " && " TLS_MAKE_REQUEST " && "
		       "openssl req -newkey rsa:2048 -nodes -keyout mid.key -out mid.csr -subj /CN=mid.test && echo basicConstraints=CA:TRUE >mid.ext && "
		       "openssl x509 -req -in mid.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out mid.pem -days 20 -extfile mid.ext && "
		       "openssl x509 -req -in srv.csr -CA mid.pem -CAkey mid.key -CAcreateserial -out srv.pem -days 60 -extfile ext && "
		       "cat srv.pem mid.pem srv.key >both.pem");
	snprintf(ca, sizeof(ca), "tls: { ca_file: %s }", t.ca);
	rig.tls = ca;
	RIG_IS(&rig, at("{ tls: { port: %u, days: 19 }, timeout: 20s }", t.port), OUT_PRESENT);
	RIG_IS(&rig, at("{ tls: { port: %u, days: 30 }, timeout: 20s }", t.port), OUT_TLS_ASSERTION);
	assert_string_equal(rig.e.want, "valid for 30 days");
	assert_non_null(strstr(rig.e.got, " days left, of a certificate of its issuers")); /* 19, or 20 within the first second */
	tls_stop(&t);
}

static void test_unix_socket(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", tls.dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	snprintf(rig.target, sizeof(rig.target), "unix:%s", a.sun_path);
	RIG_IS(&rig, "{ tcp: {}, timeout: 20s }", OUT_PRESENT);
	RIG_IS(&rig, "{ tcp: {}, expect: ['body contains \"x\"'], timeout: 300ms }", OUT_TIMEOUT);
	close(fd);
	RIG_IS(&rig, "{ tcp: {}, timeout: 20s }", OUT_REFUSED);
}

/* T20. libcurl's own resolver would be waited for when the connection is given up. */
static void test_names(void **state)
{
	static const char *const features[] = {
		"{ tcp: {}, timeout: 100ms }", "{ tls: {}, timeout: 100ms }", "{ websocket: { path: /live }, timeout: 100ms }",
	};
	struct buf said = BUF_INIT(8192);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(features) - !conn_has_websocket(); i++) {
		snprintf(rig.target, sizeof(rig.target), "hang.test:%u", fake[W_GREET].port);
		RIG_IS(&rig, features[i], OUT_DNS);
		assert_string_equal(rig.e.got, "the resolver does not answer");
		assert_false(rig.r.complete);
		/* One thread for the name, however often it is asked; cancelled and freed, it is left alone. */
		for (int k = 0; k < 10; k++) {
			rig_start(&rig, PURPOSE_VOTE);
			assert_int_equal(rig_wait(&rig), OUT_DNS);
		}
		assert_int_equal(hanging_now(), 1);
		probe_cancel(rig_start(&rig, PURPOSE_VOTE));
		assert_int_equal(rig.r.outcome, OUT_CANCELLED);
		rig_start(&rig, PURPOSE_VOTE);
		rig_close(&rig);
		assert_int_equal(rig.r.outcome, OUT_CANCELLED);
		let_names_go();
		snprintf(rig.target, sizeof(rig.target), "nx.test:%u", fake[W_GREET].port);
		RIG_IS(&rig, features[i], OUT_DNS);
		assert_non_null(strstr(rig.e.got, "nx.test"));
		rig_start(&rig, PURPOSE_VOTE);
		assert_int_equal(rig_wait(&rig), OUT_DNS);
		assert_string_equal(rig.e.got, "the name has no address, as the resolver said a moment ago");
	}
	/* Asked while another waits for a name; and of two addresses the one that answers. */
	snprintf(rig.target, sizeof(rig.target), "hang-once.test:%u", fake[W_GREET].port);
	if (!rig_load(&rig, "{ tcp: {}, expect: ['body startsWith \"220 \"'], timeout: 20s }", &said))
		fail_msg("%s", buf_str(&said));
	rig_start(&rig, PURPOSE_VOTE);
	while (hanging_now() == 0)
		ev_run(rig.loop, EVRUN_NOWAIT);
	assert_int_equal(rig.dones, 0);
	let_names_go();
	assert_int_equal(rig_wait(&rig), OUT_PRESENT);
	snprintf(rig.target, sizeof(rig.target), "two.test:%u", fake[W_GREET].port);
	RIG_IS(&rig, "{ tcp: {}, expect: ['body startsWith \"220 \"'], timeout: 20s }", OUT_PRESENT);
	snprintf(rig.target, sizeof(rig.target), "two.test:1");
	RIG_IS(&rig, "{ tcp: {}, timeout: 20s }", OUT_REFUSED);
	buf_free(&said);
}

static void test_cancel_and_leftovers(void **state)
{
	(void)state;
	rig_cancels(&rig, at("{ tcp: { port: %u, send: \"a\" }, expect: ['body contains \"b\"'], timeout: 20s }", fake[W_SILENT].port));
	rig_cancels(&rig, at("{ tls: { port: %u }, timeout: 20s }", fake[W_SILENT].port));
	rig_leaves_nothing(&rig, "{ tcp: {}, expect: ['body startsWith \"220 \"'], timeout: 20s }", 5);
	rig.tls = with_ca;
	rig_leaves_nothing(&rig, at("{ tls: { port: %u }, timeout: 20s }", tls.port), 5);
	rig_ask(&rig, "{ tcp: {} }");
	assert_non_null(probe_unproven(&rig.cfg->services[0].features[0]));
	rig_start(&rig, PURPOSE_CONTROL);
	assert_int_equal(rig_wait(&rig), OUT_NEVER_RAN);
}

/* ---- a WebSocket server by hand: messages of less than 126 bytes ---- */

static void ws_say(int fd, int opcode, bool last, const char *text)
{
	unsigned char head[2] = { (unsigned char)(opcode | (last ? 0x80 : 0)), (unsigned char)strlen(text) };

	hostile_put(fd, head, 2);
	hostile_say(fd, text);
}

static bool ws_upgrade(int fd, const char *req)
{
	const char *key = strcasestr(req, "Sec-WebSocket-Key: ");
	unsigned char hash[SHA_DIGEST_LENGTH], text[64];
	char both[128], answer[256];

	if (!key || strncmp(req, "GET /ws ", 8) != 0) {
		hostile_say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
		return false;
	}
	key += 19;
	snprintf(both, sizeof(both), "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", (int)strcspn(key, "\r"), key);
	SHA1((const unsigned char *)both, strlen(both), hash);
	EVP_EncodeBlock(text, hash, sizeof(hash));
	snprintf(answer, sizeof(answer),
		 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", text);
	return hostile_say(fd, answer);
}

static void ws_serve(int fd, enum way way)
{
	char req[4096], message[256], answer[300];
	unsigned char head[6];
	size_t n = 0;

	(void)way;
	while (n < sizeof(req) - 1 && !(n >= 4 && memcmp(req + n - 4, "\r\n\r\n", 4) == 0)) {
		if (recv(fd, req + n, 1, 0) != 1)
			return;
		n++;
	}
	req[n] = '\0';
	if (!ws_upgrade(fd, req))
		return;
	while (recv(fd, head, 6, MSG_WAITALL) == 6 && (head[0] & 0x0f) == 1) {
		n = head[1] & 0x7f;
		if (recv(fd, message, n, MSG_WAITALL) != (ssize_t)n)
			return;
		for (size_t i = 0; i < n; i++)
			message[i] = (char)(message[i] ^ head[2 + i % 4]);
		message[n] = '\0';
		if (strcmp(message, "parts") == 0) {
			ws_say(fd, 1, false, "one ");
			ws_say(fd, 9, true, "a ping between");
			ws_say(fd, 0, true, "two");
		} else if (strcmp(message, "silent-close") != 0) {
			snprintf(answer, sizeof(answer), "echo %s", message);
			ws_say(fd, 1, true, answer);
		}
		if (strstr(message, "close"))
			ws_say(fd, 8, true, "");
	}
	hostile_until_gone(fd);
}

static struct wire_fake socket_server;

static void test_websocket(void **state)
{
	(void)state;
	if (!conn_has_websocket()) {
		rig_refuses(&rig, "{ websocket: { path: /ws } }", "error: websocket: feature \"thing\": the libcurl of this system has no WebSocket");
		return;
	}
	RIG_IS(&rig, "{ websocket: { path: /ws }, timeout: 20s }", OUT_PROTOCOL); /* "220 ready" is no upgrade */
	snprintf(rig.target, sizeof(rig.target), "127.0.0.1:%u", socket_server.port);
	RIG_IS(&rig, "{ websocket: { path: /ws }, timeout: 20s }", OUT_PRESENT);
	RIG_IS(&rig, "{ websocket: { path: /ws, send: ping }, expect: ['body == \"echo ping\"'], timeout: 20s }", OUT_PRESENT);
	RIG_IS(&rig, "{ websocket: { path: /other, send: ping }, timeout: 20s, expect: ['body contains \"echo\"'] }", OUT_STATUS);
	assert_string_equal(rig.e.got, "404");
	RIG_IS(&rig, "{ websocket: { path: /ws, send: ping }, expect: ['body contains \"absent\"'], timeout: 300ms }", OUT_TIMEOUT);
	RIG_IS(&rig, "{ websocket: { path: /ws, send: close }, expect: ['body contains \"absent\"'], timeout: 20s }", OUT_BODY);
	RIG_IS(&rig, "{ websocket: { path: /ws, send: silent-close }, expect: ['body contains \"absent\"'], timeout: 20s }", OUT_CLOSED);
	RIG_IS(&rig, "{ websocket: { path: /ws, send: parts }, expect: ['body == \"one two\"'], timeout: 20s }", OUT_PRESENT);
	rig_ask(&rig, "{ websocket: { path: /ws }, timeout: 20s }");
	assert_null(probe_unproven(&rig.cfg->services[0].features[0]));
	rig_start(&rig, PURPOSE_CONTROL); /* /switchd-absent-... */
	assert_int_equal(rig_wait(&rig), OUT_STATUS);
	rig_cancels(&rig, "{ websocket: { path: /ws, send: ping }, expect: ['body contains \"absent\"'], timeout: 20s }");
	rig_leaves_nothing(&rig, "{ websocket: { path: /ws, send: ping }, expect: ['body == \"echo ping\"'], timeout: 20s }", 5);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_connects), T(test_sends_and_reads), T(test_hostile_servers), T(test_tcp_over_tls), T(test_tls), T(test_unix_socket),
		T(test_expired), T(test_days_of_the_chain), T(test_names), T(test_cancel_and_leftovers), T(test_websocket),
	};
	int rc;

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < N_WAYS; i++)
		fake_start(&fake[i], wire_serve, (enum way)i);
	fake_start(&socket_server, ws_serve, W_GREET);
	tls_start(&tls, fake[W_GREET].port, "tcp");
	snprintf(with_ca, sizeof(with_ca), "tls: { ca_file: \"%s\" }", tls.ca);
	rc = cmocka_run_group_tests_name("probe_tcp", tests, NULL, NULL);
	for (int i = 0; i < N_WAYS; i++)
		fake_stop(&fake[i]);
	fake_stop(&socket_server);
	tls_stop(&tls);
	return rc;
}
