/* SPDX-License-Identifier: MIT
 * sentinel.c - who the master is: real sentinels and a failover, and sentinels that are dead, hang, talk nonsense or are wrong. */
#include "tests/unit/support/sentinel_rig.h"

#include <netdb.h>
#include <sys/stat.h>

#include "switchd/base/log.h"
#include "switchd/base/must.h"
#include "switchd/core/config/config.h"
#include "switchd/store/link.h"

struct hand {
	struct link *link;
	bool up, down, answered;
	int ups;
	char why[400], text[300];
};

static void on_state(void *arg, bool up, const char *why)
{
	struct hand *h = arg;

	h->up = up;
	h->ups += up;
	if (!up) {
		TEXT_COPY(h->why, why);
		h->down = true;
	}
}

static void on_reply(void *arg, const redisReply *r)
{
	struct hand *h = arg;

	h->answered = true;
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

static void hand_open(struct hand *h, const struct redis_node *nodes, size_t n, const char *password_file)
{
	struct link_config cfg = { .sentinels = nodes, .n_sentinels = n, .master = "mymaster", .sentinel_password_file = password_file };

	*h = (struct hand){ 0 };
	h->link = link_new(EV_DEFAULT, &cfg, on_state, h);
}

static const char *say(struct hand *h, const char *a, const char *b, const char *c)
{
	h->answered = false;
	if (!link_send(h->link, c ? 3 : 2, (const char *[]){ a, b, c }, (const size_t[]){ strlen(a), strlen(b), c ? strlen(c) : 0 }, on_reply, h))
		return "not sent";
	pump(h->answered);
	return h->text;
}

struct site { char dir[64]; struct node master, replica, other, sentinel[3]; struct redis_node at[3]; };

static void servers_start(struct site *s)
{
	char more[200];

	memset(s, 0, sizeof(*s));
	TEXT_COPY(s->dir, "/tmp/switchd-sentinel.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	node_start(&s->master, s->dir, 0, false, "");
	snprintf(more, sizeof(more), "replicaof 127.0.0.1 %d\n", s->master.port);
	node_start(&s->replica, s->dir, 0, false, more);
	for (int64_t until = now_ms() + 10000; strcmp(node_ask(&s->replica, 3, "ROLE"), "connected") != 0; usleep(5000))
		assert_true(now_ms() < until);
}

static void sentinels_start(struct site *s, const char *more)
{
	char text[400];

	snprintf(text, sizeof(text), "sentinel monitor mymaster 127.0.0.1 %d 2\nsentinel down-after-milliseconds mymaster 800\n"
		 "sentinel failover-timeout mymaster 4000\n%s", s->master.port, more);
	for (int i = 0; i < 3; i++) {
		node_start(&s->sentinel[i], s->dir, 0, true, text);
		s->at[i] = (struct redis_node){ "127.0.0.1", (uint16_t)s->sentinel[i].port };
	}
}

static void site_stop(struct site *s)
{
	char cmd[128];

	for (int i = 0; i < 3; i++)
		node_stop(&s->sentinel[i]);
	node_stop(&s->master);
	node_stop(&s->replica);
	node_stop(&s->other);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", s->dir);
	assert_int_equal(system(cmd), 0);
}

/* Field `name` of SENTINEL MASTER is `want`. */
static void wait_master(struct node *sentinel, const char *name, const char *want)
{
	for (int64_t until = now_ms() + 15000;; usleep(20000)) {
		redisReply *r = redisCommand(sentinel->c, "SENTINEL MASTER mymaster");
		bool so = false;

		assert_non_null(r);
		for (size_t i = 0; i + 1 < r->elements; i += 2)
			so |= strcmp(r->element[i]->str, name) == 0 && strcmp(r->element[i + 1]->str, want) == 0;
		freeReplyObject(r);
		if (so)
			return;
		if (now_ms() > until)
			fail_msg("the sentinel has not %s=%s", name, want);
	}
}

static void after_a_failover_by_order_the_link_ends_at_the_new_master(void **state)
{
	struct site s;
	struct hand h, ear = { 0 };
	char port[8];

	(void)state;
	servers_start(&s);
	sentinels_start(&s, "");
	hand_open(&h, s.at, 3, "");
	const struct link_config cfg = { .sentinels = s.at, .n_sentinels = 3, .master = "mymaster" };

	ear.link = link_subscribe(EV_DEFAULT, &cfg, (const char *[]){ "ev" }, 1, on_message, on_state, &ear);
	pump(h.up);
	pump(ear.up);
	assert_string_equal(say(&h, "SET", "k", "1"), "OK");
	assert_string_equal(node_ask(&s.master, -1, "GET k"), "1");

	for (int i = 0; i < 3; i++) {
		wait_master(&s.sentinel[i], "num-slaves", "1");
		wait_master(&s.sentinel[i], "num-other-sentinels", "2");
	}
	assert_string_equal(node_ask(&s.sentinel[0], -1, "SENTINEL FAILOVER mymaster"), "OK");
	snprintf(port, sizeof(port), "%d", s.replica.port);
	for (int i = 0; i < 3; i++)
		wait_master(&s.sentinel[i], "port", port);
	/* The old one answers READONLY, or closes as it becomes a replica: either way the next connection is to the new one. */
	for (int64_t until = now_ms() + 15000; strcmp(node_ask(&s.replica, -1, "GET k"), "2") != 0;) {
		if (now_ms() > until)
			fail_msg("nothing was written to the new master: %s", h.why);
		pump(h.up);
		say(&h, "SET", "k", "2");
	}
	assert_true(h.ups >= 2);
	ear.answered = false;
	for (int64_t until = now_ms() + 15000; strcmp(node_ask(&s.replica, -1, "PUBLISH ev new"), "1") != 0; ) {
		assert_true(now_ms() < until);
		pump(ear.up);
	}
	pump(ear.answered);
	assert_string_equal(ear.text, "new");
	link_free(&h.link);
	link_free(&ear.link);
	site_stop(&s);
}

static void after_the_death_of_the_master_too(void **state)
{
	struct site s;
	struct hand h;

	(void)state;
	servers_start(&s);
	sentinels_start(&s, "");
	hand_open(&h, s.at, 3, "");
	pump(h.up);
	for (int i = 0; i < 3; i++) {
		wait_master(&s.sentinel[i], "num-slaves", "1");
		wait_master(&s.sentinel[i], "num-other-sentinels", "2");
	}
	node_stop(&s.master);
	node_stop(&s.sentinel[0]); /* and the one that was asked first */
	pump_not(h.up);
	pump(h.up);
	assert_string_equal(node_ask(&s.replica, 0, "ROLE"), "master");
	assert_string_equal(say(&h, "SET", "k", "3"), "OK");
	assert_string_equal(node_ask(&s.replica, -1, "GET k"), "3");
	link_free(&h.link);
	site_stop(&s);
}

static const char *names(char out[200], const char *host, int port)
{
	char digits[8];

	snprintf(digits, sizeof(digits), "%d", port);
	snprintf(out, 200, "*2\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(host), host, strlen(digits), digits);
	return out;
}

static void bad_sentinels_have_names_and_the_next_is_asked(void **state)
{
	struct site s;
	struct node good, bad;
	char right[200], wrong[200], dead[200], liar[200];

	(void)state;
	servers_start(&s);
	fake_serve(&good, (const char *[]){ "+PONG\r\n", names(right, "127.0.0.1", s.master.port), NULL });
	names(wrong, "127.0.0.1", s.replica.port);
	names(dead, "127.0.0.1", free_port());
	names(liar, "127.0.0.1", good.port);
	const struct { const char *what, *why, *say[2]; } rows[] = {
		{ "dead", ": Connection refused", { NULL } },
		{ "hangs", ": no answer in time", { "" } },
		{ "hangs after PONG", ": no answer in time", { "+PONG\r\n", "" } },
		{ "not Redis", ": Protocol error, got \"H\" as reply type byte", { "HTTP/1.1 400 Bad Request\r\n" } },
		{ "wants a password", ": PING: NOAUTH Authentication required.", { "-NOAUTH Authentication required.\r\n" } },
		{ "knows no such master", ": knows no master \"mymaster\"", { "+PONG\r\n", "*-1\r\n" } },
		{ "an error", ": ERR unknown command", { "+PONG\r\n", "-ERR unknown command\r\n" } },
		{ "a number", ": an answer that names no server", { "+PONG\r\n", ":1\r\n" } },
		{ "one member", ": an answer that names no server", { "+PONG\r\n", "*1\r\n$1\r\nx\r\n" } },
		{ "numbers", ": an answer that names no server", { "+PONG\r\n", "*2\r\n:1\r\n:2\r\n" } },
		{ "no host", ": an answer that names no server", { "+PONG\r\n", "*2\r\n$0\r\n\r\n$1\r\n1\r\n" } },
		{ "port 0", ": an answer that names no server", { "+PONG\r\n", "*2\r\n$1\r\nh\r\n$1\r\n0\r\n" } },
		{ "a host that is none", ": an answer that names no server", { "+PONG\r\n", "*2\r\n$3\r\na\nb\r\n$1\r\n1\r\n" } },
		{ "names a dead server", ": Connection refused", { "+PONG\r\n", dead } },
		{ "names a replica", ": a replica: not written to", { "+PONG\r\n", wrong } },
		{ "names something else", ": ROLE: PONG", { "+PONG\r\n", liar } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hand h;
		char name[64];
		const char *const lines[] = { rows[i].say[0], rows[i].say[1], NULL };

		bad = (struct node){ .port = 0 };
		if (rows[i].say[0])
			fake_serve(&bad, lines);
		else
			bad.port = free_port();
		snprintf(name, sizeof(name), "sentinel 127.0.0.1:%d: ", bad.port);
		const struct redis_node two[] = { { "127.0.0.1", (uint16_t)bad.port }, { "127.0.0.1", (uint16_t)good.port } };

		hand_open(&h, two, 1, "");
		pump(h.down);
		if (!strstr(h.why, name) || !strstr(h.why, rows[i].why) || h.ups)
			fail_msg("%s: why: %s", rows[i].what, h.why);
		link_free(&h.link);
		hand_open(&h, two, 2, "");
		pump(h.up);
		assert_string_equal(say(&h, "SET", "k", rows[i].what), "OK");
		assert_string_equal(node_ask(&s.master, -1, "GET k"), rows[i].what);
		link_free(&h.link);
		node_stop(&bad);
	}
	node_stop(&good);
	site_stop(&s);
}

/* After a failover the old master came back, and is one until sentinels make it a replica; the sentinel that is asked first
 * was away meanwhile, and names it still.  Another one announced the new one. */
static void who_announced_is_asked_before_who_was_away(void **state)
{
	struct site s;
	struct node stale, knows;
	struct hand h;
	char old[200], new[200], announces[400], text[100];

	(void)state;
	servers_start(&s);
	assert_string_equal(node_ask(&s.replica, -1, "REPLICAOF NO ONE"), "OK");
	snprintf(text, sizeof(text), "mymaster 127.0.0.1 %d 127.0.0.1 %d", s.master.port, s.replica.port);
	snprintf(announces, sizeof(announces), "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$%zu\r\n%s\r\n",
		 strlen(text), text);
	fake_sentinel(&stale, names(old, "127.0.0.1", s.master.port), "");
	fake_sentinel(&knows, names(new, "127.0.0.1", s.replica.port), announces);
	const struct redis_node two[] = { { "127.0.0.1", (uint16_t)stale.port }, { "127.0.0.1", (uint16_t)knows.port } };

	hand_open(&h, two, 2, "");
	for (int64_t until = now_ms() + 15000; strcmp(node_ask(&s.replica, -1, "GET k"), "v") != 0;) {
		if (now_ms() > until)
			fail_msg("nothing was written to the new master: %s", h.why);
		pump(h.up);
		say(&h, "SET", "k", "v");
	}
	assert_string_equal(say(&h, "SET", "k", "w"), "OK"); /* and there it stays */
	assert_string_equal(node_ask(&s.replica, -1, "GET k"), "w");
	link_free(&h.link);
	node_stop(&stale);
	node_stop(&knows);
	site_stop(&s);
}

static void sentinels_may_want_a_password_and_have_names(void **state)
{
	struct site s;
	struct hand h;
	char file[128];

	(void)state;
	servers_start(&s);
	sentinels_start(&s, "requirepass geheim\n");
	snprintf(file, sizeof(file), "%s/password", s.dir);
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs("geheim\n", f);
	fclose(f);
	const struct redis_node by_name[] = { { "localhost", s.at[0].port }, { "127.0.0.1", s.at[1].port } };

	hand_open(&h, by_name, 2, "");
	for (int64_t until = now_ms() + 15000; !strstr(h.why, "NOAUTH"); h.down = false) { /* half a second each: it may be too busy */
		if (now_ms() > until)
			fail_msg("no password was wanted: %s", h.why);
		pump(h.down);
	}
	link_free(&h.link);
	hand_open(&h, by_name, 2, file);
	pump(h.up);
	assert_string_equal(say(&h, "SET", "k", "named"), "OK");
	link_free(&h.link);
	site_stop(&s);
}

/* A sentinel may name its server by address or by name (resolve-hostnames). */
static void the_server_may_be_named_in_any_way(void **state)
{
	static const char *const ways[] = { "127.0.0.1", "localhost", "::1" };
	struct node server, fake;
	char site[] = "/tmp/switchd-sentinel.XXXXXX", cmd[64], answer[200];

	(void)state;
	assert_non_null(mkdtemp(site));
	node_start(&server, site, 0, false, "bind 127.0.0.1 -::1\n");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct hand h;
		struct addrinfo *found = NULL;
		redisContext *c = redisConnect(ways[i], server.port);
		bool there = getaddrinfo(ways[i], NULL, NULL, &found) == 0 && c && !c->err;

		if (found)
			freeaddrinfo(found);
		if (c)
			redisFree(c);
		if (!there) {
			print_message("not tried, this machine has no %s\n", ways[i]);
			continue;
		}
		fake_serve(&fake, (const char *[]){ "+PONG\r\n", names(answer, ways[i], server.port), NULL });
		hand_open(&h, &(struct redis_node){ "127.0.0.1", (uint16_t)fake.port }, 1, "");
		pump(h.up);
		assert_string_equal(say(&h, "SET", "k", ways[i]), "OK");
		assert_string_equal(node_ask(&server, -1, "GET k"), ways[i]);
		link_free(&h.link);
		node_stop(&fake);
	}
	node_stop(&server);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", site);
	assert_int_equal(system(cmd), 0);
}

static void a_plain_address_of_a_replica_or_a_sentinel_is_refused(void **state)
{
	static const char *const whys[] = { "a replica: not written to", "a sentinel: it keeps no data" };
	struct site s;
	struct hand h;

	(void)state;
	servers_start(&s);
	for (int i = 0; i < 2; i++) {
		if (i)
			sentinels_start(&s, ""); /* not before: they would put right what is done to the replica */
		const struct link_config cfg = { .host = "127.0.0.1", .port = (uint16_t)(i ? s.sentinel[0].port : s.replica.port) };

		h = (struct hand){ 0 };
		h.link = link_new(EV_DEFAULT, &cfg, on_state, &h);
		pump(h.down);
		if (!strstr(h.why, whys[i]))
			fail_msg("why: %s", h.why);
		if (i == 0) { /* promoted: it is taken */
			node_ask(&s.replica, -1, "REPLICAOF NO ONE");
			pump(h.up);
			assert_string_equal(say(&h, "SET", "k", "1"), "OK");
			/* and demoted under an open connection */
			char command[64];

			snprintf(command, sizeof(command), "REPLICAOF 127.0.0.1 %d", s.master.port);
			node_ask(&s.replica, -1, command);
			if (h.up)
				say(&h, "SET", "k", "1");
			h.down = false;
			pump(h.down);
		}
		link_free(&h.link);
	}
	site_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_a_failover_by_order_the_link_ends_at_the_new_master),
		cmocka_unit_test(after_the_death_of_the_master_too),
		cmocka_unit_test(bad_sentinels_have_names_and_the_next_is_asked),
		cmocka_unit_test(who_announced_is_asked_before_who_was_away),
		cmocka_unit_test(sentinels_may_want_a_password_and_have_names),
		cmocka_unit_test(the_server_may_be_named_in_any_way),
		cmocka_unit_test(a_plain_address_of_a_replica_or_a_sentinel_is_refused),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
