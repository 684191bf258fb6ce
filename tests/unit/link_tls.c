/* SPDX-License-Identifier: MIT
 * link_tls.c - rediss://: a real redis-server with a tls-port, certificates that are right and wrong, and session tickets. */
#include "tests/unit/support/sentinel_rig.h"

#include <netdb.h>

#include "switchd/base/log.h"
#include "switchd/base/must.h"
#include "switchd/core/config/config.h"
#include "switchd/store/link.h"

struct hand {
	struct link *link;
	bool up, down, answered;
	int downs, n;
	char why[400], text[300];
};

static char dir[64], ca[96], other_ca[96], cert[96], key[96], missing[96];
static struct node server;
static int tls_port;

static void shell(const char *script)
{
	char cmd[4096];

	snprintf(cmd, sizeof(cmd), "cd %s && { %s; } >log 2>&1", dir, script);
	assert_int_equal(system(cmd), 0);
}

/* Does this server speak TLS at all? */
static bool server_has_tls(void)
{
	char cmd[300];

	/* Without TLS the setting is unknown; with it x is no number. */
	snprintf(cmd, sizeof(cmd), "%s --port 0 --tls-port x 2>&1 | grep -q 'Bad directive'", redis_program());
	return system(cmd) != 0;
}

static void server_start(void)
{
	char more[600];

	tls_port = free_port();
	snprintf(more, sizeof(more), "bind 127.0.0.1 127.0.0.2\ntls-port %d\ntls-cert-file %s/server.pem\ntls-key-file %s/server.key\ntls-ca-cert-file %s\n",
		 tls_port, dir, dir, ca);
	node_start(&server, dir, 0, false, more);
}

static int setup(void **state)
{
	(void)state;
	TEXT_COPY(dir, "/tmp/switchd-tls.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	snprintf(other_ca, sizeof(other_ca), "%s/other.pem", dir);
	snprintf(cert, sizeof(cert), "%s/client.pem", dir);
	snprintf(key, sizeof(key), "%s/client.key", dir);
	snprintf(missing, sizeof(missing), "%s/missing.pem", dir);
	shell("new() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=$1 -keyout $1.key -out $1.pem; }; "
	      "sign() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$1 -keyout $1.key -out $1.csr && "
	      "echo subjectAltName=$2 >$1.ext && openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem; }; "
	      "new ca && new other && sign server IP:127.0.0.1,DNS:localhost && sign client DNS:client");
	server_start();
	return 0;
}

static int teardown(void **state)
{
	char cmd[96];

	(void)state;
	node_stop(&server);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	assert_int_equal(system(cmd), 0);
	return 0;
}

static void on_state(void *arg, bool up, const char *why)
{
	struct hand *h = arg;

	h->up = up;
	if (!up) {
		TEXT_COPY(h->why, why);
		h->down = true;
		h->downs++;
	}
}

static void on_reply(void *arg, const redisReply *r)
{
	struct hand *h = arg;

	h->answered = true;
	h->n++;
	text_copy(h->text, sizeof(h->text), !r ? "lost" : r->str ? r->str : "");
}

static void on_message(void *arg, const char *channel, const char *text, size_t len)
{
	struct hand *h = arg;

	(void)channel;
	(void)len;
	TEXT_COPY(h->text, text);
	h->answered = true;
}

/* By name where there is a resolver that knows this one (a bare chroot has none). */
static const char *a_name(void)
{
	struct addrinfo *found = NULL;
	bool known = getaddrinfo("localhost", NULL, NULL, &found) == 0;

	if (found)
		freeaddrinfo(found);
	return known ? "localhost" : "127.0.0.1";
}

static struct link_config config_of(const char *host, int port)
{
	return (struct link_config){ .host = host, .port = (uint16_t)port, .over_tls = true, .ca_file = ca, .cert_file = cert, .key_file = key };
}

static const char *say(struct hand *h, const char *a, const char *b, const char *c, size_t c_len)
{
	h->answered = false;
	if (!link_send(h->link, 3, (const char *[]){ a, b, c }, (const size_t[]){ strlen(a), strlen(b), c_len }, on_reply, h))
		return "not sent";
	pump(h->answered);
	return h->text;
}

static void commands_messages_and_much_data_go_over_tls(void **state)
{
	static char big[700000];
	struct hand h = { 0 }, ear = { 0 };
	struct link_config cfg = config_of(a_name(), tls_port);

	(void)state;
	h.link = link_new(EV_DEFAULT, &cfg, on_state, &h);
	cfg = config_of("127.0.0.1", tls_port);
	ear.link = link_subscribe(EV_DEFAULT, &cfg, (const char *[]){ "ev" }, 1, on_message, on_state, &ear);
	pump(h.up);
	pump(ear.up);
	assert_string_equal(say(&h, "SET", "k", "1", 1), "OK");
	memset(big, 'x', sizeof(big));
	assert_string_equal(say(&h, "SET", "big", big, sizeof(big)), "OK");
	assert_string_equal(node_ask(&server, -1, "STRLEN big"), "700000");
	h.answered = false;
	assert_true(link_send(h.link, 2, (const char *[]){ "GET", "big" }, (const size_t[]){ 3, 3 }, on_reply, &h));
	pump(h.answered);
	assert_int_equal(strlen(h.text), sizeof(h.text) - 1);
	h.n = 0;
	for (int i = 0; i < 1000; i++)
		assert_true(link_send(h.link, 2, (const char *[]){ "INCR", "n" }, (const size_t[]){ 4, 1 }, on_reply, &h));
	for (int64_t until = now_ms() + 10000; h.n < 1000 && now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_string_equal(node_ask(&server, -1, "GET n"), "1000");
	node_ask(&server, -1, "PUBLISH ev hello");
	pump(ear.answered);
	assert_string_equal(ear.text, "hello");

	/* Nothing is outstanding now: session tickets and other records of TLS itself are no answers. */
	ev_timer t;

	ev_timer_init(&t, on_pump_timer, 0.05, 0.05);
	ev_timer_start(EV_DEFAULT, &t);
	for (int64_t until = now_ms() + 300; now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	ev_timer_stop(EV_DEFAULT, &t);
	assert_true(h.downs == 0 && ear.downs == 0);

	/* it comes back after a restart, and with another certificate */
	int port = server.port;
	char more[600];

	node_stop(&server);
	pump_not(h.up);
	snprintf(more, sizeof(more), "tls-port %d\ntls-cert-file %s/server.pem\ntls-key-file %s/server.key\ntls-ca-cert-file %s\n", tls_port, dir, dir, ca);
	node_start(&server, dir, port, false, more);
	pump(h.up);
	assert_string_equal(say(&h, "SET", "k", "2", 1), "OK");
	link_free(&h.link);
	link_free(&ear.link);
}

static void what_is_wrong_has_a_name(void **state)
{
	(void)state;
	const struct { const char *what, *why; struct link_config cfg; } rows[] = {
		{ "another authority", "TLS: self-signed certificate in certificate chain|TLS: unable to get local issuer certificate", config_of("127.0.0.1", tls_port) },
		{ "another name", "TLS: IP address mismatch", config_of("127.0.0.2", tls_port) },
		{ "no such file", "TLS: ca_file ", config_of("127.0.0.1", tls_port) },
		{ "no such certificate", "TLS: cert_file ", config_of("127.0.0.1", tls_port) },
		{ "a key that is no key", "TLS: key_file ", config_of("127.0.0.1", tls_port) },
		{ "no certificate shown", "TLS: |connection closed|Connection reset", config_of("127.0.0.1", tls_port) },
		{ "a server without TLS", "TLS: |connection closed|Connection reset|no connection in time", config_of("127.0.0.1", server.port) },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct link_config cfg = rows[i].cfg;
		struct hand h = { 0 };
		char whys[200], *save, *why;

		if (i == 0)
			cfg.ca_file = other_ca;
		if (i == 2)
			cfg.ca_file = missing;
		if (i == 3)
			cfg.cert_file = missing;
		if (i == 4)
			cfg.key_file = ca;
		if (i == 5)
			cfg.cert_file = cfg.key_file = "";
		h.link = link_new(EV_DEFAULT, &cfg, on_state, &h);
		pump(h.down);
		TEXT_COPY(whys, rows[i].why);
		for (why = strtok_r(whys, "|", &save); why && !strstr(h.why, why);)
			why = strtok_r(NULL, "|", &save);
		if (!why)
			fail_msg("%s: why: %s", rows[i].what, h.why);
		link_free(&h.link);
	}
	/* any certificate will do */
	struct link_config cfg = config_of("127.0.0.1", tls_port);
	struct hand h = { 0 };

	cfg.ca_file = missing;
	cfg.any_certificate = true;
	h.link = link_new(EV_DEFAULT, &cfg, on_state, &h);
	pump(h.up);
	link_free(&h.link);
}

/* A file that was missing, or wrong, is read when it is there. */
static void files_are_read_again_when_they_change(void **state)
{
	struct link_config cfg = config_of("127.0.0.1", tls_port);
	struct hand h = { 0 };

	(void)state;
	cfg.ca_file = missing;
	h.link = link_new(EV_DEFAULT, &cfg, on_state, &h);
	pump(h.down);
	shell("cp other.pem missing.pem");
	h.why[0] = '\0';
	for (int64_t until = now_ms() + 10000; !strstr(h.why, "self-signed") && !strstr(h.why, "unable to get");) {
		assert_true(now_ms() < until);
		h.down = false;
		pump(h.down);
	}
	shell("cat ca.pem >>missing.pem");
	pump(h.up);
	link_free(&h.link);
}

static void sentinels_are_asked_over_tls_too(void **state)
{
	struct node sentinel;
	struct hand h = { 0 };
	char more[900];
	int port = free_port();

	(void)state;
	snprintf(more, sizeof(more), "tls-port %d\ntls-cert-file %s/server.pem\ntls-key-file %s/server.key\ntls-ca-cert-file %s\ntls-replication yes\n"
		 "sentinel monitor mymaster 127.0.0.1 %d 1\n", port, dir, dir, ca, tls_port);
	node_start(&sentinel, dir, 0, true, more);
	struct link_config cfg = config_of("", 0);
	const struct redis_node at = { "127.0.0.1", (uint16_t)port };

	cfg.sentinels = &at;
	cfg.n_sentinels = 1;
	cfg.master = "mymaster";
	h.link = link_new(EV_DEFAULT, &cfg, on_state, &h);
	pump(h.up);
	assert_string_equal(say(&h, "SET", "k", "3", 1), "OK");
	link_free(&h.link);
	node_stop(&sentinel);
}

static void skipped(void **state)
{
	(void)state;
	print_message("skip: %s was built without TLS\n", redis_program());
	skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(commands_messages_and_much_data_go_over_tls, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_wrong_has_a_name, setup, teardown),
		cmocka_unit_test_setup_teardown(files_are_read_again_when_they_change, setup, teardown),
		cmocka_unit_test_setup_teardown(sentinels_are_asked_over_tls_too, setup, teardown),
	};
	const struct CMUnitTest none[] = { cmocka_unit_test(skipped) };

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	if (!server_has_tls())
		return cmocka_run_group_tests(none, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
