/* SPDX-License-Identifier: MIT
 * tests/unit/api.c - the API over real sockets, with a small engine of this test's own behind it: every route for
 * every role, every refusal, hostile requests, load balancers. */
#include <sys/wait.h>

#include "tests/unit/support/api_rig.h"

static const struct route *route_of(const char *method, const char *path)
{
	for (size_t i = 0; i < n_routes; i++)
		if (strcmp(routes[i].method, method) == 0 && strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

/* "/v1/services/:s/features/:f/mute" -> "/v1/services/shop/features/quotes/mute" */
static const char *concrete(const char *pattern)
{
	static char out[256];
	struct buf b = BUF_INIT(sizeof(out) - 1);

	for (const char *p = pattern; *p; p++) {
		if (*p != ':') {
			buf_add(&b, p, 1);
			continue;
		}
		p++;
		buf_adds(&b, *p == 's' ? "shop" : *p == 'f' ? "quotes" : *p == 'x' ? "blue" : "7");
	}
	assert_true(TEXT_COPY(out, buf_str(&b)));
	buf_free(&b);
	return out;
}

/* The least body that the route accepts. */
static const char *good_body(const struct route *r)
{
	if (!r->members)
		return NULL;
	if (strstr(r->path, "claim/renew"))
		return "{\"claim\":\"c1\"}";
	if (strstr(r->members, "state"))
		return "{\"state\":{},\"message\":\"why\"}";
	return strstr(r->members, "release") ? "{\"release\":\"r42\",\"message\":\"why\"}" : strstr(r->members, "message") ? "{\"message\":\"why\"}" : "{}";
}

/* ---- who may do what ---- */

enum { AS_NONE, AS_READ, AS_DEPLOY, AS_OPERATE, AS_PEER, N_AS };
static const char *const as_name[N_AS] = { "none", "read", "deploy", "operate", "peer" };
static const enum role as_role[N_AS] = { ROLE_NONE, ROLE_READ, ROLE_DEPLOY, ROLE_OPERATE, ROLE_OPERATE };

static void every_route_for_every_role(void **state)
{
	size_t denied = 0, passed = 0;

	(void)state;
	for (size_t i = 0; i < n_routes; i++)
		for (int as = 0; as < N_AS; as++) {
			const struct route *r = &routes[i];
			unsigned asked = fake.asked;
			struct reply got;

			ask(&got, as == AS_PEER ? ON_UNIX : ON_OPERATORS, as == AS_PEER || as == AS_NONE ? NULL : as_name[as], r->method, concrete(r->path), NULL,
			    good_body(r));
			bool may = as_role[as] >= r->role;
			int want = may ? 0 : as == AS_NONE ? 401 : 403;

			if (want ? got.status != want : got.status == 401 || got.status == 403 || got.status == 429)
				fail_msg("%s %s as %s: %d, want %s", r->method, r->path, as_name[as], got.status, want == 401 ? "401" : want ? "403" : "to pass");
			if (want) {
				assert_int_equal(fake.asked, asked); /* nobody but the table was asked */
				assert_null(strstr(got.body, "\"active\""));
				denied++;
			} else {
				passed++;
			}
			reply_free(&got);
		}
	assert_int_equal(denied + passed, n_routes * N_AS);
	assert_true(denied >= 45);
}

/* The roles themselves, once more by hand: the table may not quietly lose one. */
static void the_table_says_what_the_documents_say(void **state)
{
	static const struct { const char *method, *path; enum role role; } want[] = {
		{ "GET", "/active/:s", ROLE_NONE }, { "GET", "/slot/:s/:x", ROLE_NONE }, { "GET", "/livez", ROLE_NONE }, { "GET", "/readyz", ROLE_NONE },
		{ "GET", "/metrics", ROLE_NONE }, { "GET", "/v1/services", ROLE_READ }, { "GET", "/v1/services/:s", ROLE_READ },
		{ "GET", "/v1/events", ROLE_READ }, { "GET", "/v1/config", ROLE_READ }, { "POST", "/v1/services/:s/probe", ROLE_READ },
		{ "POST", "/v1/services/:s/prove", ROLE_READ }, { "GET", "/active", ROLE_NONE }, { "GET", "/slot/:x", ROLE_NONE },
		{ "GET", "/v1/services/:s/why", ROLE_READ }, { "GET", "/v1/services/:s/timeline", ROLE_READ },
		{ "GET", "/v1/services/:s/evidence/:f", ROLE_READ }, { "GET", "/v1/services/:s/ledger", ROLE_READ },
		{ "GET", "/v1/services/:s/blame/:f", ROLE_READ }, { "GET", "/v1/services/:s/postmortem", ROLE_READ }, { "GET", "/v1/services/:s/report", ROLE_READ }, { "POST", "/v1/services/:s/drill", ROLE_OPERATE },
		{ "GET", "/v1/services/:s/archive", ROLE_READ }, { "GET", "/v1/services/:s/deploys", ROLE_READ },
		{ "GET", "/v1/services/:s/deploys/:n", ROLE_READ }, { "GET", "/v1/services/:s/inventory", ROLE_READ },
		{ "POST", "/v1/services/:s/inventory", ROLE_READ }, { "POST", "/v1/services/:s/claim/renew", ROLE_DEPLOY },
		{ "POST", "/v1/services/:s/notes", ROLE_DEPLOY }, { "GET", "/v1/agents", ROLE_READ }, { "DELETE", "/v1/agents/:n", ROLE_OPERATE },
		{ "POST", "/v1/services/:s/repair", ROLE_OPERATE }, { "POST", "/v1/state/upgrade", ROLE_OPERATE },
		{ "GET", "/v1/state", ROLE_OPERATE }, { "POST", "/v1/state", ROLE_OPERATE }, { "GET", "/v1/doctor", ROLE_READ },
		{ "POST", "/v1/services/:s/claim", ROLE_DEPLOY }, { "DELETE", "/v1/services/:s/claim", ROLE_DEPLOY },
		{ "POST", "/v1/services/:s/deploys", ROLE_DEPLOY }, { "DELETE", "/v1/services/:s/deploys/:n", ROLE_DEPLOY },
		{ "POST", "/v1/services/:s/flip", ROLE_OPERATE }, { "POST", "/v1/services/:s/rollback", ROLE_OPERATE },
		{ "PUT", "/v1/services/:s/hold", ROLE_OPERATE }, { "DELETE", "/v1/services/:s/hold", ROLE_OPERATE },
		{ "PUT", "/v1/services/:s/seal", ROLE_OPERATE }, { "DELETE", "/v1/services/:s/seal", ROLE_OPERATE },
		{ "POST", "/v1/services/:s/pardon", ROLE_OPERATE }, { "PUT", "/v1/services/:s/features/:f/mute", ROLE_OPERATE },
		{ "DELETE", "/v1/services/:s/features/:f/mute", ROLE_OPERATE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		const struct route *r = route_of(want[i].method, want[i].path);

		if (!r || r->role != want[i].role)
			fail_msg("%s %s", want[i].method, want[i].path);
	}
	for (size_t i = 0; i < n_routes; i++) { /* every route is in the list: a new one was thought about */
		bool listed = false;

		for (size_t k = 0; k < ARRAY_LEN(want); k++)
			listed |= route_of(want[k].method, want[k].path) == &routes[i];
		if (!listed)
			fail_msg("%s %s is not in this test's list", routes[i].method, routes[i].path);
	}
	for (size_t i = 0; i < n_routes; i++) { /* nothing that changes anything is free, and the health listener only looks */
		bool get = strcmp(routes[i].method, "GET") == 0;

		assert_true(get || routes[i].role != ROLE_NONE);
		assert_true(!routes[i].health || (get && routes[i].role == ROLE_NONE));
		assert_true(get == (routes[i].members == NULL));
	}
}

static void the_health_listener_only_looks(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_routes; i++) {
		struct reply got;
		bool body = routes[i].members != NULL;

		ask(&got, ON_HEALTH, "operate", routes[i].method, concrete(routes[i].path), NULL, body ? "{}" : NULL);
		if (routes[i].health ? got.status != 200 && got.status != 503 : got.status != 404)
			fail_msg("%s %s: %d %s", routes[i].method, routes[i].path, got.status, got.body);
		reply_free(&got);
	}
	expect(ON_HEALTH, NULL, "POST", "/v1/services/shop/flip", NULL, 404);
}

static void a_peer_that_is_not_the_owner_may_deploy(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(rig.dir, 0755), 0);
	assert_int_equal(chmod(rig.unix_path, 0666), 0);
	pid = fork();
	if (pid == 0) { /* blocking, while the parent runs the loop */
		static const struct { const char *text; int want; } asks[] = {
			{ "GET /v1/services/shop HTTP/1.1\r\nHost: x\r\n\r\n", 200 },
			{ "POST /v1/services/shop/claim HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"release\":\"r42\"}", 201 },
			{ "POST /v1/services/shop/flip HTTP/1.1\r\nHost: x\r\n\r\n", 403 },
			{ "POST /v1/services/shop/flip HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-operate\r\nContent-Length: 0\r\n\r\n", 200 },
			{ "POST /v1/services/shop/flip HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nonsense\r\nContent-Length: 0\r\n\r\n", 403 },
		};

		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(99);
		for (size_t i = 0; i < ARRAY_LEN(asks); i++)
			if (raw_blocking(rig.unix_path, asks[i].text) != asks[i].want)
				_exit(10 + (int)i);
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		turn();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void guessing_tokens_is_slowed_down(void **state)
{
	struct reply got;

	(void)state;
	for (int i = 0; i < 5; i++)
		expect(ON_OPERATORS, "wrong", "GET", "/v1/services", NULL, 401);
	ask(&got, ON_OPERATORS, "operate", "GET", "/v1/services", NULL, NULL);
	assert_int_equal(got.status, 429); /* right or wrong: nothing is told any more */
	assert_non_null(strstr(got.head, "Retry-After: 60"));
	assert_null(strstr(got.body, "token-of"));
	reply_free(&got);
	expect(ON_OPERATORS, NULL, "GET", "/livez", NULL, 200);
	expect(ON_UNIX, NULL, "GET", "/v1/services", NULL, 200);
}

/* ---- the tokens file ---- */

static void tokens_that_are_not_good_are_named(void **state)
{
	static const struct { const char *text, *want; } bad[] = {
		{ "ci deploy\n", ":1: want NAME" }, { "# fine\nci root sha256:00\n", ":2: want NAME" }, { "ci deploy plain-token\n", ":1: want NAME" },
		{ "ci deploy sha256:zz\n", ":1: want NAME" },
		{ "ci deploy sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f more\n", ":1: want NAME" },
	};
	char path[128], error[256];

	(void)state;
	TEXT_FORMAT(path, "%s/tokens.bad", rig.dir);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		write_file(path, bad[i].text);
		assert_null(auth_new(path, error, sizeof(error)));
		assert_non_null(strstr(error, bad[i].want));
		assert_null(strstr(error, "plain-token")); /* a token put there by mistake is not repeated */
	}
	write_file(path, "ci deploy sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n");
	assert_int_equal(chmod(path, 0666), 0);
	assert_null(auth_new(path, error, sizeof(error)));
	assert_non_null(strstr(error, "everybody may write"));
	unlink(path);
	assert_null(auth_new(path, error, sizeof(error)));
	assert_non_null(strstr(error, "No such file"));
}

/* ---- what comes back of an order ---- */

static void every_refusal_has_its_status(void **state)
{
	(void)state;
	for (int rf = RF_NONE + 1; rf < N_REFUSALS; rf++) {
		const struct refusal_info *i = refusal_info((enum refusal)rf);
		struct reply got;
		json_t *p;

		fake.result = (struct order_result){ .status = ORDER_REFUSED, .refusal = (enum refusal)rf, .because = "a rule" };
		TEXT_COPY(fake.result.detail, "what in particular");
		ask(&got, ON_UNIX, NULL, "POST", "/v1/services/shop/flip", NULL, "{}");
		assert_int_equal(got.status, i->http);
		assert_non_null(strstr(got.head, "application/problem+json"));
		assert_non_null(strstr(got.head, "ETag: \"7.42\""));
		p = json_loads(got.body, 0, NULL);
		assert_non_null(p);
		assert_string_equal(json_string_value(json_object_get(p, "code")), i->code);
		assert_int_equal(json_integer_value(json_object_get(p, "exit")), i->exit_code);
		assert_int_equal(json_integer_value(json_object_get(p, "status")), i->http);
		assert_string_equal(json_string_value(json_object_get(p, "detail")), "what in particular");
		assert_string_equal(json_string_value(json_object_get(p, "active")), "green");
		assert_true(json_is_false(json_object_get(p, "moved")));
		assert_non_null(strstr(json_string_value(json_object_get(p, "next")), "switch"));
		assert_null(strstr(json_string_value(json_object_get(p, "next")), " S ")); /* the place-holder */
		if (rf == RF_STORE)
			assert_true(json_is_false(json_object_get(p, "acknowledged")));
		if (rf == RF_NOT_WHOLE)
			assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(p, "lost"), 0), "feature")), "quotes");
		json_decref(p);
		reply_free(&got);
	}
}

static void every_end_of_an_order_has_its_status(void **state)
{
	static const struct { enum order_status status; const char *path; int want; const char *has; } rows[] = {
		{ ORDER_DONE, "/v1/services/shop/flip", 200, "\"status\":\"done\"" },
		{ ORDER_DONE, "/v1/services/shop/claim", 201, "\"slot\":\"blue\"" },
		{ ORDER_DONE, "/v1/services/shop/deploys", 201, "\"deploy\":7" },
		{ ORDER_OFFLINE, "/v1/services/shop/rollback", 202, "\"status\":\"offline\"" },
		{ ORDER_UNKNOWN, "/v1/services/shop/flip", 202, "\"status\":\"unknown\"" },
		{ ORDER_STALE, "/v1/services/shop/flip", 412, "\"exit\":15" },
		{ ORDER_NO_SERVICE, "/v1/services/shop/flip", 404, "no such service" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reply got;

		fake.result = (struct order_result){ .status = rows[i].status, .deploy = 7 };
		ask(&got, ON_UNIX, NULL, "POST", rows[i].path, NULL, good_body(route_of("POST", strstr(rows[i].path, "claim") ? "/v1/services/:s/claim" :
					strstr(rows[i].path, "deploys") ? "/v1/services/:s/deploys" : "/v1/services/:s/flip")));
		assert_int_equal(got.status, rows[i].want);
		if (!strstr(got.body, rows[i].has))
			fail_msg("%s has no %s", got.body, rows[i].has);
		assert_true((strstr(got.head, "Location: /v1/services/shop/deploys/7") != NULL) == (strstr(rows[i].path, "deploys") != NULL));
		reply_free(&got);
	}
}

/* A repeated request answered when another one's claim stands: his id is not handed out. */
static void a_claim_of_another_is_not_told(void **state)
{
	struct reply got;

	(void)state;
	fake.result = (struct order_result){ .status = ORDER_DONE, .dup = true };
	TEXT_COPY(fake.record.claim.by, "somebody");
	ask(&got, ON_UNIX, NULL, "POST", "/v1/services/shop/claim", NULL, "{\"release\":\"r42\"}");
	assert_int_equal(got.status, 201);
	assert_null(strstr(got.body, "c1"));
	reply_free(&got);
}

static void dry_run_reaches_the_engine_on_every_mutation(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < n_routes; i++) {
		const struct route *r = &routes[i];
		char path[256];

		if (r->role < ROLE_DEPLOY || strcmp(r->method, "GET") == 0 || r->run == order_forget) /* about no service */
			continue;
		for (int k = 0; k < 3; k++) {
			static const char *const queries[] = { "?dry_run=1", "?dry_run=true", "" };

			memset(&fake.in, 0, sizeof(fake.in));
			TEXT_FORMAT(path, "%s%s", concrete(r->path), queries[k]);
			expect(ON_UNIX, NULL, r->method, path, good_body(r), k == 2 && (r->run == order_claim || r->run == order_deploy) ? 201 : 200);
			assert_int_equal(fake.in.dry_run, k < 2);
			assert_true(fake.in.kind != IN_TICK);
		}
		/* What is nearly dry_run is not the real thing. */
		unsigned asked = fake.asked;

		TEXT_FORMAT(path, "%s?dryrun=1", concrete(r->path));
		expect(ON_UNIX, NULL, r->method, path, good_body(r), 400);
		TEXT_FORMAT(path, "%s?dry_run=yes", concrete(r->path));
		expect(ON_UNIX, NULL, r->method, path, good_body(r), 400);
		assert_int_equal(fake.asked, asked);
		n++;
	}
	assert_true(n >= 14);
}

static void headers_reach_the_engine(void **state)
{
	static const struct { const char *header; int status; bool has; struct version v; } rows[] = {
		{ "If-Match: \"7.42\"\r\n", 200, true, { 7, 42 } }, { "If-Match: 7.42\r\n", 200, true, { 7, 42 } },
		{ "If-Match: \"42\"\r\n", 200, true, { 7, 42 } }, { "If-Match: 41\r\n", 200, true, { 7, 41 } }, { "If-Match: *\r\n", 200, false, { 0, 0 } },
		{ "", 200, false, { 0, 0 } }, { "If-Match: \"7.42\r\n", 400, false, { 0, 0 } }, { "If-Match: W/\"7.42\"\r\n", 400, false, { 0, 0 } },
		{ "If-Match: \"7.42\", \"7.43\"\r\n", 400, false, { 0, 0 } }, { "If-Match: -1\r\n", 400, false, { 0, 0 } },
		{ "If-Match: 99999999999999999999999\r\n", 400, false, { 0, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reply got;

		fake.has_match = false;
		ask(&got, ON_UNIX, NULL, "POST", "/v1/services/shop/flip", rows[i].header, "{}");
		if (got.status != rows[i].status)
			fail_msg("%s: %d", rows[i].header, got.status);
		assert_int_equal(fake.has_match, rows[i].has);
		if (rows[i].has)
			assert_int_equal(version_cmp(fake.match, rows[i].v), 0);
		reply_free(&got);
	}
	struct reply got;

	ask(&got, ON_UNIX, NULL, "POST", "/v1/services/shop/flip", "Idempotency-Key: ci:run/7\r\n", "{\"message\":\"because\",\"force\":true,\"to\":\"blue\"}");
	assert_int_equal(got.status, 200);
	assert_string_equal(fake.rid, "ci:run/7");
	assert_string_equal(fake.in.why, "because");
	assert_true(fake.in.force);
	assert_int_equal(fake.in.slot, BLUE);
	assert_true(text_starts(fake.in.by, "uid:"));
	reply_free(&got);
	ask(&got, ON_UNIX, NULL, "POST", "/v1/services/shop/flip", "Idempotency-Key: a b\r\n", "{}");
	assert_int_equal(got.status, 400);
	reply_free(&got);
	ask(&got, ON_OPERATORS, "operate", "POST", "/v1/services/shop/flip", NULL, "{}");
	assert_string_equal(fake.in.by, "operate");
	reply_free(&got);
}

static void times_become_deadlines(void **state)
{
	static const struct { const char *text; int64_t ms; } rows[] = {
		{ "30m", 1800000 }, { "500ms", 500 }, { "2h", 7200000 }, { "1d", 86400000 }, { "0s", -1 }, { "", 0 }, { "5", -1 }, { "-5s", -1 }, { "5 s", -1 },
		{ "1e3s", -1 }, { "99999999999999999999s", -1 }, { "5w", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char body[128];

		TEXT_FORMAT(body, "{\"message\":\"x\",\"for\":\"%s\"}", rows[i].text);
		expect(ON_UNIX, NULL, "PUT", "/v1/services/shop/hold", body, rows[i].ms < 0 ? 400 : 200);
		if (rows[i].ms == 0)
			assert_int_equal(fake.in.until.ms, 0);
		if (rows[i].ms > 0) {
			int64_t left = fake.in.until.ms - wall_now().ms;

			assert_true(left <= rows[i].ms && left > rows[i].ms - 60000);
		}
	}
}

/* ---- hostile requests ---- */

static void hostile_bodies(void **state)
{
	static const struct { const char *body; int status; const char *has; } rows[] = {
		{ "{", 400, "line 1 column" }, { "{\n\n  \"a\": }", 400, "line 3 column" }, { "[]", 400, "one object" }, { "\"x\"", 400, "line 1" },
		{ "null", 400, "line 1" }, { "{} {}", 400, "line 1 column" }, { "{\"to\":1}", 400, "to is a string" }, { "{\"to\":null}", 400, "to is a string" },
		{ "{\"force\":\"yes\"}", 400, "force is a boolean" }, { "{\"force\":1}", 400, "force is a boolean" },
		{ "{\"bogus\":1}", 400, "unknown member \\\"bogus\\\"" }, { "{\"t\":\"blue\"}", 400, "unknown member" }, { "{\"\":1}", 400, "unknown member" },
		{ "{\"to message\":\"x\"}", 400, "unknown member" }, { "{\"to\":\"blue\",\"to\":\"green\"}", 400, "duplicate" },
		{ "{\"to\":1e999999}", 400, "line 1" }, { "{\"to\":\"\\ud800\"}", 400, "line 1" }, { "{\"to\":\"\\u0000\"}", 400, "line 1" },
		{ "{\"to\":\"\xff\xfe\"}", 400, "line 1" }, { "{\"to\":\"purple\"}", 400, "blue or green" }, { "{\"to\":\"BLUE\"}", 400, "blue or green" },
		{ "{\"\x1b[31m\":1}", 400, "line 1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned asked = fake.asked;
		struct reply got;
		json_t *p;

		ask(&got, ON_UNIX, NULL, "POST", "/v1/services/shop/flip", NULL, rows[i].body);
		if (got.status != rows[i].status || !strstr(got.body, rows[i].has))
			fail_msg("%s: %d %s", rows[i].body, got.status, got.body);
		p = json_loads(got.body, 0, NULL);
		assert_non_null(p);
		assert_int_equal(json_integer_value(json_object_get(p, "exit")), 2);
		json_decref(p);
		assert_int_equal(fake.asked, asked);
		reply_free(&got);
	}
}

static void bodies_deep_and_large(void **state)
{
	size_t n = 60000;
	char *deep = xcalloc(1, 110000);

	(void)state;
	memset(deep, '[', n);
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/flip", deep, 400);
	memset(deep, '{', n);
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/flip", deep, 400);
	memset(deep, '[', 100000); /* 10^5 deep is over 64 KiB too */
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/flip", deep, 413);
	memset(deep, ' ', 65537);
	deep[65537] = '\0';
	memcpy(deep, "{}", 2);
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/flip", deep, 413);
	deep[65536] = '\0';
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/flip", deep, 200); /* 64 KiB is allowed */
	free(deep);
	/* A zero byte in the body. */
	struct reply got;

	static const char zero[] = "POST /v1/services/shop/flip HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{\0}";

	ask_bytes(&got, ON_UNIX, zero, sizeof(zero) - 1);
	assert_int_equal(got.status, 400);
	reply_free(&got);
}

static void content_types(void **state)
{
	static const struct { const char *type; int status; } rows[] = {
		{ "application/json", 200 }, { "Application/JSON; charset=utf-8", 200 }, { "text/plain", 415 }, { "application/x-www-form-urlencoded", 415 },
		{ "application/jsonp", 415 }, { "", 415 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[300];
		struct reply got;
		int n = snprintf(text, sizeof(text), "POST /v1/services/shop/flip HTTP/1.1\r\nHost: x\r\n%s%s%sContent-Length: 2\r\n\r\n{}",
				 rows[i].type[0] ? "Content-Type: " : "", rows[i].type, rows[i].type[0] ? "\r\n" : "");

		ask_bytes(&got, ON_UNIX, text, (size_t)n);
		if (got.status != rows[i].status)
			fail_msg("%s: %d", rows[i].type, got.status);
		reply_free(&got);
	}
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/rollback", NULL, 200); /* no body at all is an empty one */
}

static void members_that_cannot_be(void **state)
{
	static const struct { const char *method, *path, *body; int status; } rows[] = {
		{ "POST", "/v1/services/shop/claim", "{}", 400 }, { "POST", "/v1/services/shop/claim", "{\"release\":\"a b\"}", 400 },
		{ "POST", "/v1/services/shop/claim", "{\"release\":\"r1\",\"slot\":\"x\"}", 400 }, { "POST", "/v1/services/shop/deploys", "{}", 400 },
		{ "POST", "/v1/services/shop/deploys", "{\"release\":\"r1\",\"stop\":\"baked\"}", 400 },
		{ "POST", "/v1/services/shop/deploys", "{\"release\":\"r1\",\"stop\":\"ready\",\"rollback\":\"ask\"}", 201 },
		{ "POST", "/v1/services/shop/deploys", "{\"release\":\"r1\",\"rollback\":\"maybe\"}", 400 },
		{ "POST", "/v1/services/shop/claim/renew", "{}", 400 }, { "POST", "/v1/services/shop/pardon", "{\"message\":\"x\"}", 400 },
		{ "PUT", "/v1/services/shop/features/nope/mute", "{\"message\":\"x\"}", 404 },
		{ "DELETE", "/v1/services/shop/deploys/8", "{}", 404 }, { "DELETE", "/v1/services/shop/deploys/x", "{}", 404 },
		{ "DELETE", "/v1/services/shop/deploys/6", "{}", 409 }, { "POST", "/v1/services/shop/probe", "{\"slot\":\"x\"}", 400 },
	};
	char body[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(ON_UNIX, NULL, rows[i].method, rows[i].path, rows[i].body, rows[i].status);
	TEXT_FORMAT(body, "{\"message\":\"%0*d\"}", 256, 1);
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/flip", body, 200);
	TEXT_FORMAT(body, "{\"message\":\"%0*d\"}", 257, 1);
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/flip", body, 400);
}

static void names_and_methods(void **state)
{
	struct reply got;
	char path[400];

	(void)state;
	expect(ON_UNIX, NULL, "GET", "/v1/services/nope", NULL, 404);
	expect(ON_UNIX, NULL, "GET", "/v1/services/-shop", NULL, 404);
	expect(ON_UNIX, NULL, "GET", "/v1/services/sh%3bop", NULL, 404);
	expect(ON_UNIX, NULL, "GET", "/v1/services/%2e%2e", NULL, 404);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop%00", NULL, 400);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/evidence/nope", NULL, 404);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/", NULL, 404);
	expect(ON_UNIX, NULL, "GET", "/v2/services", NULL, 404);
	expect(ON_UNIX, NULL, "POST", "/v1/services/nope/probe", "{}", 404);
	expect(ON_UNIX, NULL, "POST", "/v1/services/nope/prove", "{}", 404);
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/prove", NULL, 200);
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/prove", "{\"slot\":\"blue\"}", 400);
	fake.prove_error = "no means";
	ask(&got, ON_UNIX, NULL, "POST", "/v1/services/shop/prove", NULL, "{}");
	assert_int_equal(got.status, 503);
	assert_non_null(strstr(got.body, "no means"));
	reply_free(&got);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/inventory", NULL, 200);
	expect(ON_UNIX, NULL, "GET", "/v1/services/nope/inventory", NULL, 404);
	expect(ON_UNIX, NULL, "POST", "/v1/services/nope/inventory", "{}", 404);
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/inventory", "{\"slot\":\"blue\"}", 400);
	/* More often than rounds are allowed at once: each one ends. */
	for (int i = 0; i < 20; i++)
		expect(ON_UNIX, NULL, "POST", "/v1/services/shop/inventory", "{}", 200);
	fake.asks_full = true;
	for (int i = 0; i < 20; i++)
		expect(ON_UNIX, NULL, "POST", "/v1/services/shop/inventory", "{}", 503);
	fake.asks_full = false;
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/inventory", "{}", 200);
	fake.no_inventory = true;
	expect(ON_UNIX, NULL, "POST", "/v1/services/shop/inventory", "{}", 409);
	fake.no_inventory = false;
	TEXT_FORMAT(path, "/v1/services/%0300d", 1);
	expect(ON_UNIX, NULL, "GET", path, NULL, 404);
	ask(&got, ON_UNIX, NULL, "PATCH", "/v1/services/shop/hold", NULL, "{}");
	assert_int_equal(got.status, 405);
	assert_non_null(strstr(got.head, "Allow: PUT, DELETE"));
	reply_free(&got);
	expect(ON_UNIX, NULL, "OPTIONS", "/v1/services", NULL, 405);
	expect(ON_UNIX, NULL, "POST", "/active/shop", "{}", 405);
}

/* ---- load balancers ---- */

static void load_balancers(void **state)
{
	static const struct { const char *path; int status; const char *body; } rows[] = {
		{ "/active/shop", 200, "green\n" }, { "/active", 200, "green\n" }, { "/active/sho", 404, "no such service\n" },
		{ "/slot/shop/green", 200, "\"pass\"" }, { "/slot/green", 200, "\"pass\"" }, { "/slot/shop/blue", 503, "\"fail\"" },
		{ "/slot/shop/blue?drain=1", 503, "\"fail\"" }, { "/slot/shop/purple", 404, "no such slot" }, { "/slot/sho/blue", 404, "no such service" },
		{ "/livez", 200, "alive\n" }, { "/readyz", 200, "ready\n" },
	};
	struct reply got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		static const char *const methods[] = { "GET", "OPTIONS", "HEAD" };

		for (size_t m = 0; m < ARRAY_LEN(methods); m++)
			for (int on = ON_HEALTH; on <= ON_UNIX; on++) {
				ask(&got, on, NULL, methods[m], rows[i].path, NULL, NULL);
				if (got.status != rows[i].status || (m < 2 ? !strstr(got.body, rows[i].body) : got.body[0] != '\0'))
					fail_msg("%s %s: %d %s", methods[m], rows[i].path, got.status, got.body);
				assert_non_null(strstr(got.head, "Cache-Control: no-store"));
				assert_null(strstr(got.head, "Switchd-Stale"));
				reply_free(&got);
			}
	}
	fake.active.draining = true;
	expect(ON_HEALTH, NULL, "GET", "/slot/shop/blue?drain=1", NULL, 200);
	expect(ON_HEALTH, NULL, "GET", "/slot/shop/blue", NULL, 503);
	fake.active.stale_ms = 41001;
	ask(&got, ON_HEALTH, NULL, "GET", "/active/shop", NULL, NULL);
	assert_int_equal(got.status, 200);
	assert_string_equal(got.body, "green\n"); /* the last known answer */
	assert_non_null(strstr(got.head, "Switchd-Stale: 42"));
	assert_non_null(strstr(got.head, "Switchd-Epoch: 7.42"));
	reply_free(&got);
	fake.active.active = NO_SLOT;
	ask(&got, ON_HEALTH, NULL, "GET", "/active/shop", NULL, NULL);
	assert_int_equal(got.status, 503);
	assert_string_equal(got.body, "none\n");
	reply_free(&got);
	fake.services = 2;
	expect(ON_HEALTH, NULL, "GET", "/active", NULL, 404);
	fake.ready = false;
	expect(ON_HEALTH, NULL, "GET", "/readyz", NULL, 503);
}

static void what_is_not_utf8_hides_nothing(void **state)
{
	struct reply got;

	(void)state;
	fake.result = (struct order_result){ .status = ORDER_REFUSED, .refusal = RF_PHASE };
	TEXT_COPY(fake.result.detail, "cut in a character: \xc3");
	ask(&got, ON_UNIX, NULL, "POST", "/v1/services/shop/flip", NULL, "{}");
	assert_int_equal(got.status, 409);
	assert_non_null(strstr(got.body, "cut in a character: ?"));
	reply_free(&got);
	fake.broken_json = true;
	ask(&got, ON_UNIX, NULL, "GET", "/v1/services", NULL, NULL);
	assert_int_equal(got.status, 500);
	reply_free(&got);
}

/* Queries reach the engine as they were asked, and what the ledger says comes out. */
static void looking_back(void **state)
{
	static const char *const bad[] = { "timeline?since=x", "timeline?since=-1", "timeline?since=99999999999999999999", "timeline?max=0", "timeline?after=x",
					   "archive?from=x", "archive?until=1h", "archive?max=0", "blame/-" };
	struct reply got;
	char path[120];

	(void)state;
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/timeline?after=7-9&since=1700000000000&max=5", NULL, 200);
	assert_string_equal(fake.after, "7-9");
	assert_int_equal(fake.since.ms, 1700000000000);
	assert_int_equal(fake.max, 5);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/timeline", NULL, 200);
	assert_string_equal(fake.after, "");
	assert_int_equal(fake.since.ms, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		TEXT_FORMAT(path, "/v1/services/shop/%s", bad[i]);
		ask(&got, ON_UNIX, NULL, "GET", path, NULL, NULL);
		if (got.status != 400 && got.status != 404 && got.status != 422)
			fail_msg("%s: %d %s", path, got.status, got.body);
		reply_free(&got);
	}
	ask(&got, ON_UNIX, NULL, "GET", "/v1/services/shop/ledger", NULL, NULL);
	assert_int_equal(got.status, 200);
	assert_non_null(strstr(got.body, "r41"));
	assert_non_null(strstr(got.body, "\"quotes\""));
	reply_free(&got);
	ask(&got, ON_UNIX, NULL, "GET", "/v1/services/shop/blame/quotes", NULL, NULL);
	assert_int_equal(got.status, 200);
	json_t *o = json_loads(got.body, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(o, "answer")), "found");
	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "good"), "release")), "r41");
	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "bad"), "release")), "r42");
	json_decref(o);
	reply_free(&got);
	expect(ON_UNIX, NULL, "GET", "/v1/services/shop/blame/nothing", NULL, 404);
	expect(ON_UNIX, NULL, "GET", "/v1/services/none/ledger", NULL, 404);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_begin, rig_end)
	const struct CMUnitTest tests[] = {
		T(every_route_for_every_role), T(the_table_says_what_the_documents_say), T(the_health_listener_only_looks),
		T(a_peer_that_is_not_the_owner_may_deploy), T(guessing_tokens_is_slowed_down), T(tokens_that_are_not_good_are_named),
		T(every_refusal_has_its_status), T(every_end_of_an_order_has_its_status), T(a_claim_of_another_is_not_told),
		T(dry_run_reaches_the_engine_on_every_mutation), T(headers_reach_the_engine), T(times_become_deadlines), T(hostile_bodies),
		T(bodies_deep_and_large), T(content_types), T(members_that_cannot_be), T(names_and_methods), T(load_balancers),
		T(what_is_not_utf8_hides_nothing), T(looking_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
