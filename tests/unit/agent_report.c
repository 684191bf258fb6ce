/* SPDX-License-Identifier: MIT
 * agent_report.c - what an agent tells whoever leads: the JSON of a service, and when which of them is told. */
#include "tests/unit/support/agent_rig.h"

static struct bench b;
static struct service_config *many;
static char names[48][16];

static int up(void **state_)
{
	(void)state_;
	bench_start(&b);
	LOOP_UNTIL(&b.r, b.s->found);
	return 0;
}

static int down(void **state_)
{
	(void)state_;
	bench_stop(&b);
	free(many);
	many = NULL;
	return 0;
}

static const char *said(const char *service, const char *member)
{
	const char *s = json_string_value(json_object_get(json_object_get(b.heard.services, service), member));

	return s ? s : "";
}

static const json_t *proxy_said(const char *service) { return json_array_get(json_object_get(json_object_get(b.heard.services, service), "proxies"), 0); }

static void a_service_is_told_whole(void **state_)
{
	struct shown t = record("blue:5.4:shield", "r1", "c4", MOVE_AUTO, "r2");
	const json_t *j, *p;

	(void)state_;
	store_up(&b, true);
	LOOP_UNTIL(&b.r, b.heard.n);
	assert_int_equal(b.heard.firsts, 1);
	assert_string_equal(said("shop", "state"), "behind");
	assert_string_equal(said("shop", "version"), "0.0");
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	agent_service_told(b.s, &t);
	b.a.v = t.value.v;
	b.a.seq = 12;
	LOOP_UNTIL(&b.r, is(said("shop", "state"), "ok"));
	LOOP_UNTIL(&b.r, json_integer_value(json_array_get(json_object_get(json_object_get(json_object_get(b.heard.services, "shop"), "up"), "green"), 0)) == 2);
	LOOP_UNTIL(&b.r, json_is_object(json_object_get(json_object_get(b.heard.services, "shop"), "caught")));
	j = json_object_get(b.heard.services, "shop");
	assert_string_equal(said("shop", "why"), "");
	assert_string_equal(said("shop", "version"), "5.4");
	assert_string_equal(said("shop", "slot"), "blue");
	assert_string_equal(said("shop", "cid"), "c4");
	assert_string_equal(said("shop", "release"), "r1");
	assert_true(json_is_true(json_object_get(j, "shield")));
	assert_int_equal(json_array_size(json_object_get(j, "condemned")), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(j, "condemned"), 0)), "r2");
	p = proxy_said("shop");
	assert_string_equal(json_string_value(json_object_get(p, "name")), "haproxy");
	assert_string_equal(json_string_value(json_object_get(p, "state")), "ok");
	assert_string_equal(json_string_value(json_object_get(p, "result")), "ok");
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "ready"), "blue")), "");
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "ready"), "green")), "");
	assert_string_equal(json_string_value(json_object_get(p, "value")), "blue:5.4:shield");
	assert_true(json_is_true(json_object_get(p, "durable")));
	assert_true(json_integer_value(json_object_get(p, "us")) > 0);
	assert_string_equal(b.heard.status, "ok");
	assert_string_equal(b.heard.detail, "");
	assert_int_equal(strlen(b.heard.digest), 16);
	assert_int_equal(b.heard.v.epoch, 4);
	assert_int_equal(b.heard.seq, 12);
}

static void what_the_shield_caught_is_told(void **state_)
{
	(void)state_;
	store_up(&b, true);
	tell(&b, "green:5.3:shield", "r2", "c3", MOVE_FORWARD);
	LOOP_UNTIL(&b.r, is(said("shop", "state"), "ok"));
	atomic_store(&b.r.shared->lost[GREEN], true);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask(&b.r, "GET", "/api/quotes", "").status, 200);
	LOOP_UNTIL(&b.r, json_integer_value(json_object_get(json_object_get(json_object_get(b.heard.services, "shop"), "caught"), "green")) == 5);
	atomic_store(&b.r.shared->lost[GREEN], false);
}

static void silence_is_a_heartbeat(void **state_)
{
	(void)state_;
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	SHOWS(&b, "green:5.3:plain");
	polls(&b, 12); /* every slow question was answered */
	assert_int_equal(b.heard.n, 0);
	assert_int_equal(agent_report_age_ms(b.a.report), -1);
	store_up(&b, true);
	LOOP_UNTIL(&b.r, b.heard.headers >= 3);
	assert_int_equal(b.heard.n - b.heard.headers, 1);
	assert_true(agent_report_age_ms(b.a.report) >= 0);
	/* Connected again: all of it again. */
	store_up(&b, false);
	int n = b.heard.n;
	polls(&b, 3);
	assert_int_equal(b.heard.n, n);
	store_up(&b, true);
	LOOP_UNTIL(&b.r, b.heard.firsts == 2);
	assert_string_equal(said("shop", "version"), "5.3");
}

static void what_was_lost_is_told_again(void **state_)
{
	(void)state_;
	b.lose = true;
	store_up(&b, true);
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	polls(&b, 4);
	b.lose = false;
	LOOP_UNTIL(&b.r, is(said("shop", "version"), "5.3"));
	assert_int_equal(b.heard.firsts, 1);
	b.lose = true;
	tell(&b, "blue:5.4:plain", "r1", "c4", MOVE_FORWARD);
	polls(&b, 4);
	b.lose = false;
	LOOP_UNTIL(&b.r, is(said("shop", "version"), "5.4"));
	assert_int_equal(b.heard.firsts, 1);
}

static void the_worst_state_stands_in_the_header(void **state_)
{
	(void)state_;
	store_up(&b, true);
	tell(&b, "green:5.3:plain", "r2", "c3", MOVE_FORWARD);
	LOOP_UNTIL(&b.r, is(b.heard.status, "ok"));
	tell(&b, "green:5.3:plain", "r2", "x3", MOVE_FORWARD);
	LOOP_UNTIL(&b.r, is(b.heard.status, "fork"));
	assert_string_equal(b.heard.detail, "shop: 5.3 was told of commit x3, and is held of c3");
	tell(&b, "green:5.4:plain", "r2", "c4", MOVE_FORWARD);
	LOOP_UNTIL(&b.r, is(b.heard.status, "ok"));
	haproxy_kill(&b.r);
	LOOP_UNTIL(&b.r, is(b.heard.status, "down"));
	LOOP_UNTIL(&b.r, is(said("shop", "state"), "down"));
}

/* Services whose proxy is nowhere, with the longest of everything. */
static void add_many(size_t n)
{
	many = calloc(n, sizeof(*many));
	assert_non_null(many);
	b.proxies[0] = b.r.proxy;
	b.proxies[0].socket = "/nonexistent/switchd-of-a-name-that-is-as-long-as-a-sockets-name-may-well-be-in-a-real-configuration.sock";
	for (size_t i = 0; i < n; i++) {
		TEXT_FORMAT(names[i], "svc%zu", i);
		many[i] = b.r.svc;
		many[i].name = names[i];
		many[i].proxies = b.proxies;
		b.list[b.a.n] = agent_service_new(&b.a, &many[i], &b.from);
		b.a.n++;
	}
}

static void many_services_go_in_parts(void **state_)
{
	id_text bad;

	(void)state_;
	add_many(47);
	for (size_t i = 1; i < b.a.n; i++)
		for (int k = 0; k < AGENT_SEEN; k++) {
			TEXT_FORMAT(bad, "release-%02d-%s", k, "of-a-name-that-is-as-long-as-an-id-may-be-for-sure");
			agent_saw(&b.list[i]->applied, bad, (struct version){ 5, 1 });
		}
	store_up(&b, true);
	LOOP_UNTIL(&b.r, json_object_size(b.heard.services) == 48);
	assert_int_equal(b.heard.firsts, 1);
	assert_true(b.largest > 12 * 1024);
	assert_int_equal(json_array_size(json_object_get(json_object_get(b.heard.services, "svc7"), "condemned")), CONDEMNED_SAID);
	/* One is taken away by a reload. */
	agent_report_gone(b.a.report, "svc46");
	agent_service_free(&b.list[--b.a.n]);
	LOOP_UNTIL(&b.r, json_is_null(json_object_get(b.heard.services, "svc46")));
	LOOP_UNTIL(&b.r, is(b.heard.status, "down"));
}

static void a_long_story_is_cut(void **state_)
{
	struct proxy_config sixteen[MAX_PROXIES];
	struct service_config svc = b.r.svc;
	char long_names[MAX_PROXIES][NAME_MAX_LEN + 1];

	(void)state_;
	for (int i = 0; i < MAX_PROXIES; i++) {
		sixteen[i] = b.r.proxy;
		TEXT_FORMAT(long_names[i], "a-proxy-with-a-name-as-long-as-a-name-may-be-which-is-63-let-%02d", i);
		sixteen[i].name = long_names[i];
		sixteen[i].socket = "/nonexistent/s";
	}
	svc.name = "wide";
	svc.proxies = sixteen;
	svc.n_proxies = MAX_PROXIES;
	b.list[1] = agent_service_new(&b.a, &svc, &b.from);
	b.a.n = 2;
	for (int k = 0; k < AGENT_SEEN; k++) {
		id_text bad;

		TEXT_FORMAT(bad, "release-%02d-%s", k, "of-a-name-that-is-as-long-as-an-id-may-be-for-sure");
		agent_saw(&b.list[1]->applied, bad, (struct version){ 5, 1 });
	}
	LOOP_UNTIL(&b.r, keep_look(b.list[1]->px[15])->state == KEEP_DOWN);
	store_up(&b, true);
	LOOP_UNTIL(&b.r, json_array_size(json_object_get(json_object_get(b.heard.services, "wide"), "proxies")) == MAX_PROXIES);
	bench_end(&b);
	bench_begin(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
	const struct CMUnitTest tests[] = {
		T(a_service_is_told_whole),
		T(what_the_shield_caught_is_told),
		T(silence_is_a_heartbeat),
		T(what_was_lost_is_told_again),
		T(the_worst_state_stands_in_the_header),
		T(many_services_go_in_parts),
		T(a_long_story_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
