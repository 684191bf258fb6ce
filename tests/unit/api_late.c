/* SPDX-License-Identifier: MIT
 * tests/unit/api_late.c - the API over real sockets: replies that come late or to nobody, the end with replies
 * still owed, waiting for a deploy, event streams. */
#include "tests/unit/support/api_rig.h"

/* ---- replies that come late, or to nobody ---- */

static void a_reply_that_comes_later(void **state)
{
	struct client *c;
	struct reply got;

	(void)state;
	fake.later = true;
	c = client_send(ON_UNIX, "POST", "/v1/services/shop/flip", "{}");
	until(fake.done != NULL);
	fake_answer();
	client_reply(c, &got);
	assert_int_equal(got.status, 200);
	reply_free(&got);
}

static void a_client_that_is_gone_costs_nothing(void **state)
{
	static const char *const paths[] = { "/v1/services/shop/flip", "/v1/services/shop/claim", "/v1/services/shop/deploys" };

	(void)state;
	fake.later = true;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct client *c = client_send(ON_UNIX, "POST", paths[i], i ? "{\"release\":\"r42\"}" : "{}");

		until(fake.done != NULL);
		client_free(&c);
		for (int k = 0; k < 20; k++)
			turn();
		fake_answer(); /* into nothing */
	}
	struct client *t = client_send(ON_UNIX, "GET", "/v1/services/shop/timeline", NULL);

	until(fake.events != NULL);
	client_free(&t);
	for (int k = 0; k < 20; k++)
		turn();
	fake_events();
	expect(ON_UNIX, NULL, "GET", "/livez", NULL, 200);
}

/* Who stands by forgets nobody: the leader would wait for that agent all the same. */
static void a_standby_forgets_no_agent(void **state)
{
	(void)state;
	expect(ON_UNIX, NULL, "DELETE", "/v1/agents/lb1", NULL, 200);
	fake.follows = true;
	fake.asked = 0;
	expect(ON_UNIX, NULL, "DELETE", "/v1/agents/lb1", NULL, 421);
	assert_int_equal(fake.asked, 0);
}

static void an_end_with_replies_still_owed(void **state)
{
	struct client *order, *timeline, *probe, *wait;
	struct reply got;

	(void)state;
	fake.later = true;
	order = client_send(ON_UNIX, "POST", "/v1/services/shop/flip", "{}");
	timeline = client_send(ON_UNIX, "GET", "/v1/services/shop/timeline", NULL);
	probe = client_send(ON_UNIX, "POST", "/v1/services/shop/probe", "{}");
	wait = client_send(ON_UNIX, "GET", "/v1/services/shop/deploys/7?wait=60s", NULL);
	until(fake.done != NULL && fake.events != NULL && fake.probe != NULL && fake.deploy_asked > 0);
	api_free(&rig.api);
	client_reply(wait, &got);
	assert_true(got.status == 503 || got.status == 0);
	reply_free(&got);
	client_free(&order);
	client_free(&timeline);
	client_free(&probe);
	fake_answer(); /* the engine keeps its promise after the API is gone */
	fake_events();
	fake_probe();
}

/* ---- waiting for a deploy ---- */

static void a_deploy_is_waited_for(void **state)
{
	struct client *c;
	struct reply got;

	(void)state;
	c = client_send(ON_UNIX, "GET", "/v1/services/shop/deploys/7?wait=60s&for=baked", NULL);
	until(fake.deploy_asked > 0);
	fake_phase("baking", "running"); /* not there yet */
	for (int i = 0; i < 20; i++)
		turn();
	assert_false(client_has_reply(c));
	fake_phase("reverting", "rolled-back"); /* decided, not observed */
	for (int i = 0; i < 20; i++)
		turn();
	assert_false(client_has_reply(c));
	fake_phase("steady", "rolled-back");
	client_reply(c, &got);
	assert_int_equal(got.status, 200);
	assert_non_null(strstr(got.body, "\"steady\""));
	reply_free(&got);

	static const struct { const char *query, *phase, *outcome; } there[] = {
		{ "for=ready", "ready", "running" }, { "for=ready", "baking", "running" }, { "for=flipped", "baking", "running" },
		{ "for=flipped", "steady", "refused" }, { "for=baked", "steady", "baked" }, { "seen=proving", "flipping", "running" },
	};

	for (size_t i = 0; i < ARRAY_LEN(there); i++) {
		char path[128];

		fake_phase("proving", "running");
		fake.deploy_asked = 0;
		TEXT_FORMAT(path, "/v1/services/shop/deploys/7?wait=60s&%s", there[i].query);
		c = client_send(ON_UNIX, "GET", path, NULL);
		until(fake.deploy_asked > 0);
		fake_phase(there[i].phase, there[i].outcome);
		client_reply(c, &got);
		assert_int_equal(got.status, 200);
		assert_non_null(strstr(got.body, there[i].phase));
		reply_free(&got);
	}
	fake_phase("proving", "running");
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/deploys/7?wait=20ms", NULL, 200); /* the deadline answers what there is */
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/deploys/7", NULL, 200);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/deploys/99?wait=60s", NULL, 404);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/deploys/7?wait=soon", NULL, 400);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/deploys/7?wait=1s&for=ever", NULL, 400);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/timeline?max=0", NULL, 400);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/timeline?max=1001", NULL, 400);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/timeline?after=%2a", NULL, 400);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/timeline?after=local-7&max=1000", NULL, 200);
	expect(ON_UNIX, NULL, "GET", "/v1/config?service=nope", NULL, 404);
}

/* ---- event streams ---- */

static void events_are_streamed_and_resumed(void **state)
{
	struct client *c = client_stream(NULL), *again, *lost, *restarted;

	(void)state;
	until(client_has(c, "text/event-stream"));
	assert_true(client_has(c, "X-Accel-Buffering: no"));
	for (int i = 1; i <= 3; i++)
		fake_event(i);
	until(client_has(c, "id: 7-3\n"));
	assert_true(client_has(c, "data: {\"n\":1}\n"));
	again = client_stream("7-1");
	until(client_has(again, "id: 7-3\n"));
	assert_false(client_has(again, "id: 7-1\n"));
	assert_false(client_has(again, "event: gap"));
	lost = client_stream("3-9"); /* from before a restart: told so, and given all there is */
	until(client_has(lost, "id: 7-3\n"));
	assert_true(client_has(lost, "event: gap"));
	assert_true(client_has(lost, "id: 7-1\n"));
	restarted = client_stream("7-0"); /* not kept, but nothing is missing: the numbers go on from it */
	until(client_has(restarted, "id: 7-3\n"));
	assert_true(client_has(restarted, "id: 7-1\n"));
	assert_false(client_has(restarted, "event: gap"));
	client_free(&restarted);
	restarted = client_stream("nonsense");
	until(client_has(restarted, "id: 7-3\n"));
	assert_true(client_has(restarted, "event: gap"));
	client_free(&restarted);
	client_free(&c); /* gone in the middle */
	for (int i = 4; i <= 600; i++)
		fake_event(i); /* over twice what is kept: slow readers catch up or are told */
	until(client_has(again, "id: 7-600\n"));
	client_free(&again);
	api_free(&rig.api); /* the rest ends with the listener */
	client_free(&lost);
}

static void streams_have_a_ceiling(void **state)
{
	struct client *c[70];
	size_t open = 0, refused = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		c[i] = client_stream(NULL);
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		until(client_has(c[i], "\r\n\r\n"));
		open += client_has(c[i], "text/event-stream");
		refused += client_has(c[i], "too-many-streams");
	}
	assert_int_equal(open, 64);
	assert_int_equal(refused, 6);
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		client_free(&c[i]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_begin, rig_end)
	const struct CMUnitTest tests[] = {
		T(a_reply_that_comes_later), T(a_client_that_is_gone_costs_nothing),
		T(a_standby_forgets_no_agent), T(an_end_with_replies_still_owed), T(a_deploy_is_waited_for),
		T(events_are_streamed_and_resumed), T(streams_have_a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
