/* SPDX-License-Identifier: MIT
 * store_hostile.c - what another hand wrote, and a server that is none (faults.md R9, R12 to R14). */
#include "tests/unit/support/one_redis.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- data that somebody else wrote ---- */

/* Each key of a commit of the wrong type: refused, and nothing of it is written (state.md 3). */
static void a_poisoned_key_refuses_and_writes_nothing(void **state)
{
	static const char *const keys[] = { "meta", "lease", "s:shop", "a:shop", "x:shop", "ev", "q:rid-2" };
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	next = flipped(&rec);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char before[70000], a[300], x[16], seq[32];

		redis(&rig, "RENAMENX switchd:{0}:s:shop switchd:{0}:s:shop"); /* no-op: keeps the script cache warm */
		TEXT_COPY(before, redis(&rig, "HGET switchd:{0}:s:shop doc"));
		TEXT_COPY(a, redis(&rig, "GET switchd:{0}:a:shop"));
		TEXT_COPY(x, redis(&rig, "HLEN switchd:{0}:x:shop"));
		TEXT_COPY(seq, redis(&rig, "HGET switchd:{0}:meta seq"));
		bool there = strcmp(redis(&rig, "EXISTS switchd:{0}:%s", keys[i]), "1") == 0;

		if (there)
			redis(&rig, "RENAME switchd:{0}:%s aside", keys[i]);
		redis(&rig, "SADD switchd:{0}:%s poison", keys[i]);
		enum store_result r = commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k);

		if (r != ST_BAD_DATA)
			fail_msg("%s: %s (%s)", keys[i], store_result_name(r), k.detail);
		assert_string_equal(redis(&rig, "SCARD switchd:{0}:%s", keys[i]), "1");
		redis(&rig, "DEL switchd:{0}:%s", keys[i]);
		if (there)
			redis(&rig, "RENAME aside switchd:{0}:%s", keys[i]);
		assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop doc"), before);
		assert_string_equal(redis(&rig, "GET switchd:{0}:a:shop"), a);
		assert_string_equal(redis(&rig, "HLEN switchd:{0}:x:shop"), x);
		assert_string_equal(redis(&rig, "HGET switchd:{0}:meta seq"), seq);
		assert_string_equal(redis(&rig, "EXISTS switchd:{0}:q:rid-2"), "0");
	}
	/* And with all of them well again it goes through. */
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_OK);
	assert_false(k.dup);
	store_free(&h.store);
}

static void a_stream_id_that_leaves_no_room_fails_closed(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	redis(&rig, "XADD switchd:{0}:ev 18446744073709551615-1 s x e y");
	next = flipped(&rec);
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_REFUSED);
	assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop rev"), "1");
	store_free(&h.store);
}

/* R13: values that are no values.  Never loaded, never committed upon, never overwritten. */
static void values_that_are_none_are_refused(void **state)
{
	static const struct { const char *field, *value; } rows[] = {
		{ "active", "purple" }, { "active", "" }, { "epoch", "-1" }, { "epoch", "9223372036854775808" }, { "epoch", "1e9" },
		{ "epoch", "NaN" }, { "epoch", "01" }, { "gen", "0" }, { "gen", "" }, { "rev", "2" }, { "rev", "x" }, { "cid", "" },
		{ "cid", "someone" }, { "shield", "maybe" }, { "shield", "shield" }, { "phase", "weird" }, { "hold", "yes" },
		{ "hold", "1" }, { "blue", "r7" }, { "green", "" }, { "doc", "" }, { "doc", "{}" }, { "doc", "[" }, { "doc", "\xff\xfe" },
		{ "doc", "{\"rev\":1e999999}" },
	};
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	next = flipped(&rec);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		redis(&rig, "COPY switchd:{0}:s:shop aside REPLACE");
		redis(&rig, "HSET switchd:{0}:s:shop %s %s", rows[i].field, rows[i].value);
		load(&h, &k);
		if (k.result != ST_BAD_DATA || k.has_record)
			fail_msg("%s=%s: load says %s", rows[i].field, rows[i].value, store_result_name(k.result));
		/* Fields that the script judges by stop it; the others are only the document's. */
		if (strcmp(rows[i].field, "active") == 0 || strcmp(rows[i].field, "epoch") == 0 || strcmp(rows[i].field, "rev") == 0 ||
		    strcmp(rows[i].field, "gen") == 0) {
			enum store_result r = commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k);

			if (r != ST_BAD_DATA)
				fail_msg("%s=%s: commit says %s", rows[i].field, rows[i].value, store_result_name(r));
			assert_string_equal(redis(&rig, "HGET switchd:{0}:s:shop %s", rows[i].field), rows[i].value);
		}
		pump(h.up);
		redis(&rig, "HDEL switchd:{0}:s:shop %s", rows[i].field);
		load(&h, &k);
		assert_int_equal(k.result, ST_BAD_DATA);
		redis(&rig, "COPY aside switchd:{0}:s:shop REPLACE");
		load(&h, &k);
		assert_int_equal(k.result, ST_OK);
	}
	/* Condemned releases: an entry that cannot be read stops every load and every flip. */
	static const char *const bad[] = { "", "{}", "7", "{\"release\":\"other\"}", "\xff" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		redis(&rig, "HSET switchd:{0}:x:shop r5 %s", bad[i]);
		load(&h, &k);
		assert_int_equal(k.result, ST_BAD_DATA);
	}
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k), ST_BAD_DATA);
	store_free(&h.store);
}

/* A record beyond all bounds is refused where it lies; the connection and the other services do not suffer. */
static void on_value(void *arg, bool ok, const char *text)
{
	struct ask *k = arg;

	(void)text;
	k->done = true;
	k->result = ok ? ST_OK : ST_LOST;
}

static void giant_values_are_not_taken_in(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec;
	char *big = xcalloc(1, 2000001);

	(void)state;
	hand_with_record(&h, &rig, &rec);
	h.known[0] = true;
	h.truth[0] = rec;
	memset(big, '[', 2000000);
	redis(&rig, "HSET switchd:{0}:s:shop doc %s", big);
	load(&h, &k);
	assert_int_equal(k.result, ST_BAD_DATA);
	rec.v.epoch++, rec.active = GREEN;
	struct record was = rec;

	was.rev += 7;
	assert_int_equal(commit(&h, "rid-2", MOVE_BACK, &was, &rec, &k), ST_BAD_DATA);
	assert_true(h.up);
	redis(&rig, "SET switchd:{0}:b:shop:x %s", big);
	redis(&rig, "XADD switchd:{0}:ev 3000000000-1 s shop e %s", big);
	ask_new(&k);
	store_get(h.store, "shop", "x", on_value, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_LOST);
	ask_new(&k);
	store_events(h.store, "shop", "", 10, on_value, &k);
	pump(k.done);
	assert_int_equal(k.result, ST_OK);
	assert_true(h.up);
	assert_int_equal(h.ups, 1);
	free(big);
	store_free(&h.store);
}

/* R9: a replica refuses to write: refused by name, and the connection is made anew. */
static void a_replica_is_refused_by_name(void **state)
{
	struct hand h;
	struct ask k;
	struct record rec, next;

	(void)state;
	hand_with_record(&h, &rig, &rec);
	h.known[0] = true;
	h.truth[0] = rec;
	redis(&rig, "REPLICAOF 127.0.0.1 1");
	next = flipped(&rec);
	enum store_result r = commit(&h, "rid-2", MOVE_FORWARD, &rec, &next, &k);

	assert_true(r == ST_REFUSED || r == ST_NEWSTORE || r == ST_LOST);
	pump_not(h.up);
	redis(&rig, "REPLICAOF NO ONE"); /* promoted: another lineage */
	pump(h.up);
	load(&h, &k);
	assert_int_equal(k.result, ST_OK);
	assert_int_equal(k.record.active, BLUE);
	store_free(&h.store);
}

/* ---- R12: a server that is none ---- */

struct fake { int fd; pthread_t thread; const char *say; size_t len; volatile int served; };

static void *serve(void *arg)
{
	struct fake *f = arg;

	for (;;) {
		int c = accept(f->fd, NULL, NULL);
		char in[4096];

		if (c < 0)
			return NULL;
		/* greets, and answers whatever comes then with what it was told to say, for ever */
		if (read(c, in, sizeof(in)) > 0 && send(c, "+PONG\r\n", 7, MSG_NOSIGNAL) == 7 && read(c, in, sizeof(in)) > 0)
			for (int i = 0; i < 200 && send(c, f->say, f->len, MSG_NOSIGNAL) == (ssize_t)f->len; i++)
				;
		f->served++;
		close(c);
	}
}

static void fake_start(struct fake *f, const char *path, const char *say, size_t len)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	*f = (struct fake){ .say = say, .len = len };
	f->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_true(TEXT_COPY(a.sun_path, path));
	unlink(path);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(f->fd, 8), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

static void fake_stop(struct fake *f)
{
	shutdown(f->fd, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->fd);
}

static void a_server_that_talks_nonsense_is_survived(void **state)
{
	static char chunk[65536], deep[4096];
	static const struct { const char *name, *say; size_t len; } rows[] = {
		{ "garbage", "HTTP/1.1 400 Bad Request\r\n\r\n", 28 },
		{ "half a reply", "$100\r\nabc", 9 },
		{ "a bulk of 1 GiB", "$1073741824\r\n", 13 },
		{ "an array of two thousand million", "*2147483647\r\n", 13 },
		{ "a negative array", "*-7\r\n", 5 },
		{ "deep nesting", deep, sizeof(deep) },
		{ "an endless bulk", chunk, sizeof(chunk) },
		{ "replies of another shape", "*1\r\n$2\r\nOK\r\n", 12 },
		{ "integers", ":7\r\n", 4 },
		{ "answers nobody asked for", "+OK\r\n+OK\r\n+OK\r\n", 15 },
		{ "nils", "$-1\r\n", 5 },
	};
	char path[128];

	(void)state;
	for (size_t i = 0; i + 4 <= sizeof(deep); i += 4)
		memcpy(deep + i, "*1\r\n", 4);
	memset(chunk, 'x', sizeof(chunk));
	memcpy(chunk, "$900000000\r\n", 12);
	snprintf(path, sizeof(path), "%s/fake", rig.dir);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake f;
		struct hand h;
		int64_t until = now_ms() + 10000;

		fake_start(&f, path, rows[i].say, rows[i].len);
		hand_new(&h, path, "ctl-1", 6000);
		while (f.served < 2 && now_ms() < until) {
			ev_run(EV_DEFAULT, EVRUN_ONCE);
			assert_false(store_is_up(h.store));
		}
		if (f.served < 2)
			fail_msg("%s: the store did not come back for more", rows[i].name);
		store_free(&h.store);
		fake_stop(&f);
	}
}

/* Resolves, does not connect, and the loop never waits for either. */
static void a_name_that_does_not_resolve_is_named(void **state)
{
	struct hand h;

	(void)state;
	hand_new(&h, rig.sock, "ctl-1", 6000);
	store_free(&h.store);
	h.cfg.redis.unix_path = "";
	h.cfg.redis.host = "no-such-host.invalid";
	h.cfg.redis.port = 6379;
	h.store = store_new(EV_DEFAULT, &h.cfg, "ctl-1", on_up, &h);
	for (int64_t until = now_ms() + 8000; !strstr(store_why_down(h.store), "esolv") && !strstr(store_why_down(h.store), "no-such-host") &&
	     now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	assert_true(strstr(store_why_down(h.store), "no-such-host") || strstr(store_why_down(h.store), "resolved"));
	store_free(&h.store);
}

/* TCP, by address and by name. */
static void tcp_works_by_name(void **state)
{
	struct hand h;
	char port[16];
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	struct addrinfo *known = NULL;

	(void)state;
	if (getaddrinfo("localhost", NULL, NULL, &known) != 0) {
		close(s);
		skip(); /* a root without /etc/hosts: no name to connect by */
	}
	freeaddrinfo(known);
	assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&a, &len), 0);
	close(s);
	snprintf(port, sizeof(port), "%d", ntohs(a.sin_port));
	redis(&rig, "CONFIG SET port %s", port);
	hand_new(&h, rig.sock, "ctl-1", 6000);
	store_free(&h.store);
	h.cfg.redis.unix_path = "";
	h.cfg.redis.host = "localhost";
	h.cfg.redis.port = (uint16_t)atol(port);
	h.store = store_new(EV_DEFAULT, &h.cfg, "ctl-1", on_up, &h);
	pump(h.up);
	store_free(&h.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_poisoned_key_refuses_and_writes_nothing),
		T(a_stream_id_that_leaves_no_room_fails_closed),
		T(values_that_are_none_are_refused),
		T(giant_values_are_not_taken_in),
		T(a_replica_is_refused_by_name),
		T(a_server_that_talks_nonsense_is_survived),
		T(a_name_that_does_not_resolve_is_named),
		T(tcp_works_by_name),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
