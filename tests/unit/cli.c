/* SPDX-License-Identifier: MIT
 * tests/unit/cli.c - switchctl as a process: flags, exit codes, the one JSON object, prompts, deploys, and what is
 * said when nobody answers, against a scripted API server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/cli/cli.h"
#include "switchd/core/decide/decide.h"
#include "tests/unit/support/cli_rig.h"

#define FEATURES \
	"\"features\":[{\"name\":\"quotes\",\"path\":\"/api/quotes\",\"severity\":\"critical\",\"votes\":true,\"vacuous\":false,\"mute\":null,\"slots\":{" \
	"\"blue\":{\"verdict\":\"present\",\"compared\":\"same\",\"latency_us\":300,\"present\":1,\"absent\":0},\"green\":{\"verdict\":\"present\"," \
	"\"compared\":\"same\",\"latency_us\":400,\"present\":1,\"absent\":0}}}]"
#define STATUS(phase, active, ok, armed) \
	"{\"service\":\"shop\",\"loaded\":true,\"mode\":\"enforce\",\"active\":\"" active "\",\"release\":\"r42\",\"version\":{\"gen\":7,\"epoch\":42}," \
	"\"etag\":\"7.42\",\"phase\":\"" phase "\",\"since\":1795333451000,\"armed\":" armed ",\"armed_why\":\"held\",\"rollback_target\":\"blue\"," \
	"\"safe_to_flip\":{\"ok\":" ok ",\"slot\":\"blue\",\"why\":\"quotes absent\"},\"slots\":{\"blue\":{\"release\":\"r41\"},\"green\":{\"release\":\"r42\"}}," \
	"\"move\":{\"mode\":\"forward\",\"from\":\"blue\",\"to\":\"green\",\"decided\":1795333451000,\"acked\":1795333451001,\"acked_us\":300," \
	"\"observed\":1795333451002,\"observed_us\":2100,\"by\":\"ci\",\"reason\":\"\"},\"store\":{\"up\":true},\"proxies\":[]," FEATURES "}"
#define DONE "{\"status\":\"done\",\"because\":\"a rule\",\"detail\":\"\",\"active\":\"green\",\"etag\":\"7.42\",\"deploy\":7,\"dup\":false,\"would\":\"\"}"

static const char steady[] = STATUS("steady", "green", "true", "true");
static const char failing[] = STATUS("steady", "green", "false", "false");
static const char overview[] = "{\"version\":\"9.9\",\"reload\":{\"ok\":true},\"services\":[" STATUS("steady", "green", "true", "true") "]}";

static void usage_is_exit_2(void **state)
{
	static const struct { const char *line, *has; } rows[] = {
		{ "stauts", "did you mean status" }, { "status --bogus", "unknown flag --bogus" }, { "flip --forse", "did you mean --force" },
		{ "status --force", "status does not take --force" }, { "flip --to", "--to wants a value" }, { "flip shop --to purple", "--to is blue or green" },
		{ "deploy shop", "wants --release" }, { "deploy shop --release r1 --wait=now", "--wait knows" }, { "deploy shop --release \"a b\"", "--release is up to" },
		{ "deploy shop --release r1 --on-cancel x", "--on-cancel is" }, { "deploy shop --release r1 --", "no command after --" },
		{ "status -- ls", "runs no command" }, { "hold shop", "-m WHY" }, { "seal shop", "-m WHY" }, { "pardon shop r1", "-m WHY" },
		{ "mute shop -m x --for 5m", "SERVICE/FEATURE" }, { "mute shop/quotes -m x", "--for" }, { "timeline shop --since yesterday", "--since wants a time" },
		{ "timeline shop --max x", "--max wants a number" }, { "status --timeout 5", "--timeout wants a time" }, { "status -o xml", "-o knows" },
		{ "status -o md", "-o md is for timeline" }, { "why -o nagios", "-o nagios is for status" }, { "status a b", "got 'b'" },
		{ "status shop/quotes", "without a feature" }, { "status -shop\n", "unknown flag" }, { "flip --if-epoch x", "--if-epoch wants" },
		{ "flip --request-id \"a b\"", "--request-id is" }, { "--url ftp://x status", "--url" }, { "proxy", "snippet, init, diff and pin" },
		{ "proxy pin shop blue --config /nonexistent", "/nonexistent" }, { "config", "config wants" }, { "init", "init wants --front" },
		{ "init --front x --blue a --green b", "--front is a URL" }, { "help nothing", "unknown verb" }, { "rollback shop --force", "-m WHY" },
		{ "claim shop", "claim wants --release" }, { "evidence shop", "SERVICE/FEATURE" }, { "active shop --is x", "--is is blue or green" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		expect(rows[i].line, EX_USAGE_ERROR);
		if (!strstr(rig.complained, rows[i].has))
			fail_msg("%s: %s", rows[i].line, rig.complained);
		assert_string_equal(rig.said, ""); /* stdout carries answers only */
	}
}

static void durations(void **state)
{
	static const struct { const char *text; int64_t ms; } rows[] = {
		{ "500ms", 500 }, { "30s", 30000 }, { "1.5s", 1500 }, { "0.25h", 900000 }, { "10m", 600000 }, { "2h", 7200000 }, { "7d", 604800000 }, { "0s", 0 },
		{ "99999999d", 99999999LL * 86400000 }, { "", -1 }, { "5", -1 }, { "s", -1 }, { "-5s", -1 }, { "+5s", -1 }, { " 5s", -1 }, { "5 s", -1 }, { "5s ", -1 },
		{ "1e3s", -1 }, { "0x10s", -1 }, { "infs", -1 }, { "nans", -1 }, { "1.s", -1 }, { ".5s", -1 }, { "1,5s", -1 }, { "1.2.3s", -1 }, { "5w", -1 }, { "5M", -1 },
		{ "999999999999999999999s", -1 }, { "1.23456s", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = -1;
		bool ok = cli_duration(rows[i].text, &ms);

		if (ok != (rows[i].ms >= 0) || (ok && ms != rows[i].ms))
			fail_msg("'%s': %d %lld", rows[i].text, ok, (long long)ms);
	}
}

/* ---- exit codes ---- */

static void a_refusal_has_the_exit_code_of_its_table(void **state)
{
	(void)state;
	for (int rf = RF_NONE + 1; rf < N_REFUSALS; rf++) {
		const struct refusal_info *i = refusal_info((enum refusal)rf);
		char body[600];
		struct row rows[] = { { "POST", "/v1/services/shop/rollback", i->http, body, 0 }, { 0 } };

		TEXT_FORMAT(body, "{\"title\":\"%s\",\"detail\":\"in particular\",\"code\":\"%s\",\"exit\":%d,\"moved\":false,\"active\":\"green\",\"release\":\"r42\","
			    "\"epoch\":42,\"next\":\"switchctl status shop\"}", i->sentence, i->code, i->exit_code);
		server(rows);
		expect("rollback shop", i->exit_code);
		assert_non_null(strstr(rig.complained, "in particular"));
		assert_non_null(strstr(rig.complained, "  now     green r42 serves, epoch 42; nothing moved\n"));
		assert_non_null(strstr(rig.complained, "  next    switchctl status shop\n"));
	}
}

static void other_answers_have_theirs(void **state)
{
	static const struct { int status; const char *body; int ex; } rows[] = {
		{ 200, DONE, 0 }, { 202, "{\"status\":\"offline\",\"active\":\"green\"}", 13 }, { 202, "{\"status\":\"unknown\",\"detail\":\"no answer\"}", 13 },
		{ 412, "{\"title\":\"The version moved.\",\"exit\":15}", 15 }, { 413, "{\"title\":\"Content Too Large\"}", 2 },
		{ 401, "{\"title\":\"Not allowed.\",\"exit\":10}", 10 }, { 500, "no JSON", 1 }, { 502, "{}", 1 }, { 503, "{\"title\":\"away\"}", 16 }, { 0, "", 13 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct row script[] = { { "PUT", "/v1/services/shop/hold", rows[i].status, rows[i].body, 0 }, { 0 } };

		server(script);
		expect("hold shop -m why", rows[i].ex);
		if (rows[i].ex == 13 && rows[i].status != 202) { /* nobody knows: the id with which it is asked again is told */
			assert_non_null(strstr(rig.complained, "--request-id ctl-"));
			assert_true(asked("Idempotency-Key: ctl-"));
		}
	}
	server_end();
	expect("hold shop -m why", 16);
	assert_non_null(strstr(rig.complained, "cannot be reached"));
	assert_non_null(strstr(rig.complained, "proxy pin shop SLOT"));
}

static void nagios(void **state)
{
	static const char many[] = "{\"services\":[" STATUS("steady", "green", "true", "true") "," STATUS("stuck", "green", "true", "true") "]}";
	static const char unarmed[] = "{\"services\":[" STATUS("steady", "green", "true", "false") "]}";
	const struct { const char *body; int ex; const char *has; } rows[] = {
		{ overview, 0, "SWITCHD OK - shop: green r42" }, { unarmed, 1, "SWITCHD WARNING" }, { many, 2, "SWITCHD CRITICAL" },
		{ "{\"services\":[]}", 3, "SWITCHD UNKNOWN" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct row script[] = { { "GET", "/v1/services", 200, rows[i].body, 0 }, { 0 } };

		server(script);
		expect("status -o nagios", rows[i].ex);
		assert_true(text_starts(rig.said, rows[i].has));
	}
	server_end();
	expect("status shop -o nagios", 3);
	assert_true(text_starts(rig.said, "SWITCHD UNKNOWN - "));
}

/* ---- programs that read ---- */

static void json_is_one_object_whatever_happens(void **state)
{
	static const char *const lines[] = {
		"--json", "status --json", "status shop -o json", "--json stauts", "status --json --bogus", "flip shop --json", "--json flip shop --to blue -y",
		"hold shop -m x --json", "hold --json", "rollback shop --json", "deploy shop --release r1 --json", "deploy shop --release r1 --json --wait=none",
		"deploy shop --json", "deploy shop --release r1 --json -- true", "deploy shop --release r1 --json -- false", "why shop --json",
		"timeline shop --json", "evidence shop/quotes --json", "deploys shop --json", "version --json", "metrics --json", "active shop --json",
		"active nope --json", "probe shop --json", "config show --json", "config check /nonexistent --json", "proxy diff --config /nonexistent --json",
		"claim shop --release r1 --json", "unclaim shop --json", "abort shop --json", "mute shop/quotes --for 5m -m x --json", "pardon shop r1 -m x --json",
		"init --front http://127.0.0.1:1 --blue 127.0.0.1:1 --green 127.0.0.1:2 --json",
		"init --front http://127.0.0.1:1 --blue \" \" --green 127.0.0.1:2 --json",
	};
	static const struct row script[] = {
		{ "GET", "/v1/services/shop/deploys/7", 200, "{\"id\":7,\"release\":\"r1\",\"outcome\":\"baked\",\"phase\":\"steady\",\"reason\":\"kept\","
		  "\"version\":{\"gen\":7,\"epoch\":43},\"lost\":[],\"exposed_ms\":null}", 0 },
		{ "GET", "/v1/services/shop/timeline", 200, "{\"complete\":true,\"events\":[]}", 0 },
		{ "GET", "/v1/services/shop/evidence", 200, "{\"feature\":\"quotes\"}", 0 }, { "GET", "/v1/services/shop", 200, steady, 0 },
		{ "GET", "/v1/services", 200, overview, 0 }, { "GET", "/active/shop", 200, "green\n", 0 }, { "GET", "/v1/config", 200, "version: 1\n", 0 },
		{ "GET", "/metrics", 200, "switchd_state_up 1\n", 0 }, { "POST", "/v1/services/shop/probe", 200, "{\"complete\":true," FEATURES "}", 0 },
		{ "POST", "/v1/services/shop/claim", 201, "{\"status\":\"done\",\"claim\":\"c1\",\"slot\":\"blue\",\"targets\":[\"a:1\"],\"left_ms\":60000}", 0 },
		{ "POST", "/v1/services/shop/deploys", 201, DONE, 0 }, { "POST", "/v1/services/shop", 200, DONE, 0 }, { "PUT", "/v1/", 200, DONE, 0 },
		{ "DELETE", "/v1/", 200, DONE, 0 }, { 0 },
	};

	(void)state;
	for (int away = 0; away < 2; away++) {
		if (away)
			server_end();
		else
			server(script);
		for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
			json_error_t e;

			run(lines[i]);
			json_t *j = json_loads(rig.said, 0, &e); /* strict: nothing may follow */

			if (!json_is_object(j))
				fail_msg("%s: %s\nstdout: %s\nstderr: %s", lines[i], e.text, rig.said, rig.complained);
			json_decref(j);
		}
	}
}

/* ---- people ---- */

static void the_first_lines_say_what_matters(void **state)
{
	static const struct row script[] = { { "GET", "/v1/services", 200, overview, 0 }, { 0 } };

	(void)state;
	server(script);
	expect("", 0); /* no words: status of everything */
	assert_true(text_starts(rig.said, "shop  SERVING green r42   since 2026-11-22T07:44:11.000Z ("));
	assert_non_null(strstr(rig.said, "epoch 42   steady   mode enforce\n  armed: yes"));
	assert_non_null(strstr(rig.said, "\n  rollback target: blue r41\n"));
	assert_non_null(strstr(rig.said, "acked +0.3ms, observed +2.1ms"));
	assert_null(strchr(rig.said, '\033'));
}

static void colour_is_asked_for_in_order(void **state)
{
	static const struct row script[] = { { "GET", "/v1/services", 200, overview, 0 }, { 0 } };
	static const struct { const char *no, *force, *line; bool colour; } rows[] = {
		{ NULL, NULL, "status", false }, { NULL, "1", "status", true }, { "1", "1", "status", false }, { "", "1", "status", true },
		{ NULL, "1", "status --no-color", false },
	};

	(void)state;
	server(script);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsetenv("NO_COLOR");
		unsetenv("FORCE_COLOR");
		if (rows[i].no)
			setenv("NO_COLOR", rows[i].no, 1);
		if (rows[i].force)
			setenv("FORCE_COLOR", rows[i].force, 1);
		expect(rows[i].line, 0);
		if ((strchr(rig.said, '\033') != NULL) != rows[i].colour)
			fail_msg("row %zu", i);
	}
}

static void prompts_cost_by_danger_and_never_hang(void **state)
{
	static const struct row passing[] = {
		{ "GET", "/v1/services/shop", 200, steady, 1 }, { "GET", "/v1/services/shop", 200, STATUS("baking", "blue", "true", "true"), 0 },
		{ "POST", "/v1/services/shop", 200, DONE, 0 }, { "PUT", "/v1/services/shop", 200, DONE, 0 }, { 0 },
	};
	static const struct row bad[] = {
		{ "GET", "/v1/services/shop", 200, failing, 0 },
		{ "POST", "/v1/services/shop", 422, "{\"title\":\"The slot does not have every feature.\",\"exit\":10,\"moved\":false}", 0 }, { 0 },
	};

	(void)state;
	server(passing);
	expect("flip shop", 2); /* nobody to ask */
	assert_false(asked("POST "));
	server(passing);
	expect("flip shop -y", 0);
	assert_true(asked("POST /v1/services/shop/flip "));
	assert_true(asked("{\"to\":\"blue\"}"));
	assert_non_null(strstr(rig.said, "flipped to blue"));
	server(passing);
	expect("rollback shop", 0); /* the way back is never made longer */
	server(passing);
	expect("hold shop -m x", 0);
	server(passing);
	expect("rollback shop --force -m x", 2);
	assert_false(asked("POST "));
	server(bad);
	expect("flip shop -y", 10); /* without force it is switchd that says no */
	expect("flip shop --force -y", 2);
	server(bad);
	expect("flip shop --force -m x", 2);
	assert_false(asked("POST "));
	expect("flip shop --force -m x -y", 10);
	assert_true(asked("\"force\":true"));
	expect("flip shop --force -m x --dry-run", 10);
	assert_true(asked("POST /v1/services/shop/flip?dry_run=1 "));
}

static void a_move_that_went_elsewhere(void **state)
{
	static const struct { const char *status; int ex; } rows[] = {
		{ STATUS("baking", "blue", "true", "true"), 0 }, { STATUS("steady", "green", "true", "true"), 11 }, { STATUS("stuck", "blue", "true", "true"), 12 },
		{ STATUS("flipping", "blue", "true", "true"), 13 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct row script[] = {
			{ "GET", "/v1/services/shop", 200, steady, 1 }, { "GET", "/v1/services/shop", 503, "{}", 2 }, /* switchd restarts meanwhile */
			{ "GET", "/v1/services/shop", 200, rows[i].status, 0 }, { "POST", "/v1/services/shop", 200, DONE, 0 }, { 0 },
		};

		server(script);
		expect("flip shop --to blue -y --timeout 800ms", rows[i].ex);
	}
}

/* Done by an earlier try, whose answer was lost: the idle slot that this one saw is not the one that was meant. */
static void a_move_that_was_done_already(void **state)
{
	static const char dup[] = "{\"status\":\"done\",\"detail\":\"this request id was done before\",\"active\":\"green\",\"dup\":true}";
	static const struct row script[] = {
		{ "GET", "/v1/services/shop", 200, STATUS("steady", "green", "true", "true"), 0 }, { "POST", "/v1/services/shop", 200, dup, 0 }, { 0 },
	};

	(void)state;
	server(script);
	expect("flip shop -y --request-id ci-7", 0);
	assert_true(asked("{\"to\":\"blue\"}"));
	assert_non_null(strstr(rig.said, "already flipped to green"));
	server(script);
	expect("flip shop --to blue -y --request-id ci-7", 11); /* it was, and went back since */
}

static void headers_are_sent_and_the_token_is_not_told(void **state)
{
	static const struct row script[] = { { "PUT", "/v1/services/shop", 401, "{\"title\":\"Not allowed.\",\"exit\":10}", 0 }, { 0 } };
	char path[128];
	FILE *f;

	(void)state;
	TEXT_FORMAT(path, "%s/token", rig.dir);
	f = fopen(path, "we");
	assert_true(f && fputs("very-secret-token\n", f) >= 0 && fclose(f) == 0);
	setenv("SWITCHD_TOKEN_FILE", path, 1);
	server(script);
	expect("hold shop -m x --if-epoch 42 --request-id run/7", 10);
	assert_true(asked("Authorization: Bearer very-secret-token\r\n"));
	assert_true(asked("If-Match: \"42\"\r\n"));
	assert_true(asked("Idempotency-Key: run/7\r\n"));
	assert_true(asked("{\"message\":\"x\"}"));
	assert_null(strstr(rig.complained, "very-secret"));
	assert_null(strstr(rig.said, "very-secret"));
	unlink(path);
	expect("hold shop -m x", 16);
	assert_non_null(strstr(rig.complained, "No such file"));
}

/* ---- deploys ---- */

static void a_deploy_ends_with_its_exit_code(void **state)
{
	static const struct { const char *outcome, *phase, *wait; int ex; } rows[] = {
		{ "baked", "steady", "baked", 0 }, { "would-have-flipped", "steady", "baked", 0 }, { "would-have-refused", "steady", "baked", 0 },
		{ "refused", "steady", "baked", 10 }, { "aborted", "steady", "baked", 10 }, { "expired", "steady", "baked", 10 },
		{ "rolled-back", "steady", "baked", 11 }, { "rolled-back", "stuck", "baked", 12 }, { "stuck", "stuck", "baked", 12 },
		{ "running", "baking", "flipped", 0 }, { "running", "ready", "ready", 0 }, { "rolled-back", "steady", "flipped", 11 },
		{ "rolled-back", "reverting", "baked", 13 }, /* decided, not observed: not yet an end */
		{ "running", "proving", "baked", 13 }, { "ready", "ready", "baked", 13 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char deploy[500], line[160];
		struct row script[] = {
			{ "GET", "/v1/services/shop/deploys/7", 200, deploy, 0 }, { "GET", "/v1/services/shop/timeline", 200, "{\"complete\":true,\"events\":[]}", 0 },
			{ "POST", "/v1/services/shop/deploys", 201, DONE, 0 }, { 0 },
		};

		TEXT_FORMAT(deploy, "{\"id\":7,\"release\":\"r1\",\"slot\":\"blue\",\"by\":\"ci\",\"outcome\":\"%s\",\"phase\":\"%s\",\"reason\":\"because\","
			    "\"active\":\"green\",\"version\":{\"gen\":7,\"epoch\":43},\"lost\":[\"quotes\"],\"exposed_ms\":105}", rows[i].outcome, rows[i].phase);
		server(script);
		TEXT_FORMAT(line, "deploy shop --release r1 --slot blue --json --timeout 300ms --wait=%s", rows[i].wait);
		expect(line, rows[i].ex);
		json_t *j = json_loads(rig.said, 0, NULL);

		assert_int_equal(jint(j, "exit"), rows[i].ex);
		if (rows[i].ex != 13)
			assert_string_equal(jstr(j, "outcome"), rows[i].outcome);
		json_decref(j);
		assert_true(asked("\"stop\":\"ready\"") == (strcmp(rows[i].wait, "ready") == 0));
	}
}

static const struct row ship_script[] = {
	{ "POST", "/v1/services/shop/claim/renew", 200, DONE, 0 },
	{ "POST", "/v1/services/shop/claim", 201, "{\"status\":\"done\",\"claim\":\"c-9\",\"slot\":\"blue\",\"targets\":[\"a:1\",\"b:2\"],\"left_ms\":600}", 0 },
	{ "POST", "/v1/services/shop/deploys", 201, DONE, 0 },
	{ "DELETE", "/v1/services/shop/claim", 200, DONE, 0 },
	{ "GET", "/v1/services/shop/timeline", 200, "{\"complete\":true,\"events\":[]}", 0 },
	{ "GET", "/v1/services/shop/deploys/7", 200, "{\"id\":7,\"release\":\"r1\",\"outcome\":\"baked\",\"phase\":\"steady\"}", 0 }, { 0 },
};

static void the_one_line_of_ci(void **state)
{
	char line[400];

	(void)state;
	server(ship_script);
	/* The command's stdout is not switchctl's; it sees slot, targets and claim; its claim is kept alive while it runs. */
	TEXT_FORMAT(line, "deploy shop --release r1 --request-id run-7 --if-epoch 42 --json -- sh -c \"env > %s/env; echo noise; "
		    "while [ ! -e %s/err ]; do :; done; sleep 0.5\"", rig.dir, rig.dir);
	expect(line, 0);
	assert_null(strstr(rig.said, "noise"));
	TEXT_FORMAT(line, "%s/env", rig.dir);
	char *env = slurp(line);

	assert_non_null(strstr(env, "SWITCHD_SLOT=blue\n"));
	assert_non_null(strstr(env, "SWITCHD_TARGETS=a:1 b:2\n"));
	assert_non_null(strstr(env, "SWITCHD_CLAIM=c-9\n"));
	free(env);
	/* Each step of one run has a request id of its own, or the second would be answered with the first one's answer. */
	assert_true(asked("Idempotency-Key: run-7.claim\r\n"));
	assert_true(asked("Idempotency-Key: run-7.renew1\r\n"));
	assert_true(asked("Idempotency-Key: run-7\r\n"));
	assert_true(asked("\"claim\":\"c-9\""));
	const char *first = strstr(shared->log, "If-Match");

	assert_non_null(first);
	assert_null(strstr(strstr(first, "POST /v1/services/shop/deploys"), "If-Match")); /* it spoke of the version before the claim */
}

static void a_command_that_fails_gives_the_claim_back(void **state)
{
	static const struct { const char *command, *has; } rows[] = {
		{ "false", "ended with 1" }, { "sh -c \"exit 3\"", "ended with 3" }, { "sh -c \"kill -9 $$\"", "killed by signal 9" }, { "/nonexistent/ship", "ended with 127" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[200];

		server(ship_script);
		TEXT_FORMAT(line, "deploy shop --release r1 -- %s", rows[i].command);
		expect(line, 10);
		assert_non_null(strstr(rig.complained, rows[i].has));
		assert_non_null(strstr(rig.complained, "traffic never moved; the claim is given back"));
		assert_true(asked("DELETE /v1/services/shop/claim "));
		assert_false(asked("POST /v1/services/shop/deploys "));
	}
	server(ship_script); /* interrupted while it runs: the same, and the run says that it was */
	expect("deploy shop --release r1 -- sh -c \"kill -TERM $PPID; exec sleep 30\"", 130);
	assert_true(asked("DELETE /v1/services/shop/claim "));
}

static void a_lock_is_waited_for(void **state)
{
	static const struct row script[] = {
		{ "POST", "/v1/services/shop/claim", 423, "{\"title\":\"A hold stands.\",\"code\":\"held\",\"exit\":14,\"detail\":\"held by x\"}", 1 },
		{ "POST", "/v1/services/shop/claim", 201, "{\"status\":\"done\",\"claim\":\"c-9\",\"slot\":\"blue\",\"targets\":[]}", 0 }, { 0 },
	};

	(void)state;
	server(script);
	expect("claim shop --release r1", 14);
	server(script);
	expect("claim shop --release r1 --lock-wait 30s", 0);
	assert_string_equal(rig.said, "blue\n");
	assert_non_null(strstr(rig.complained, "waiting: held by x"));
}

/* ---- without a daemon ---- */

static void active_without_a_daemon(void **state)
{
	static const struct row script[] = { { "GET", "/active/shop", 200, "green\n", 0 }, { "GET", "/active/empty", 503, "none\n", 0 }, { 0 } };
	char path[128], line[200];
	FILE *f;

	(void)state;
	server(script);
	expect("active shop", 0);
	assert_string_equal(rig.said, "green\n");
	expect("active shop --is green", 0);
	expect("active shop --is blue", 1);
	assert_string_equal(rig.said, "");
	expect("active empty", 0);
	assert_string_equal(rig.said, "none\n");
	expect("active empty --is blue", 1);
	expect("active sho", 2);
	server_end();
	TEXT_FORMAT(path, "%s/switchd.yaml", rig.dir);
	f = fopen(path, "we");
	assert_true(f && fprintf(f, "version: 1\nstate_dir: %s\nservices:\n  shop:\n    slots: { blue: [ \"127.0.0.1:1\" ], green: [ \"127.0.0.1:2\" ] }\n", rig.dir) > 0 &&
		    fclose(f) == 0);
	TEXT_FORMAT(line, "active shop --is blue --config %s", path);
	expect(line, 16); /* neither: not "no" (1), for nobody knows */
	TEXT_FORMAT(line, "config check %s", path);
	expect(line, 0);
	TEXT_FORMAT(line, "config show --config %s", path);
	expect(line, 0);
	assert_non_null(strstr(rig.said, "shop"));
}

static void init_prints_what_loads(void **state)
{
	(void)state;
	expect("init --front http://127.0.0.1:1 --blue 127.0.0.1:1,127.0.0.1:2 --green 127.0.0.1:3 --feature quotes=/api/quotes", 0);
	assert_true(text_starts(rig.said, "version: 1\nservices:\n  shop:\n    front: http://127.0.0.1:1\n    slots:\n      blue:  [127.0.0.1:1, 127.0.0.1:2]\n"));
	assert_non_null(strstr(rig.said, "      quotes: /api/quotes\n"));
	assert_non_null(strstr(rig.complained, "did not answer"));
	expect("init --front http://127.0.0.1:1 --blue \"a: b\" --green 127.0.0.1:3", 2);
	assert_string_equal(rig.said, ""); /* what does not load is not printed */
	expect("init --front http://127.0.0.1:1 --blue 127.0.0.1:1 --green 127.0.0.1:2 --feature quotes", 2);
}

static void help_is_there(void **state)
{
	size_t n;
	const struct verb *v = cli_verbs(&n);

	(void)state;
	expect("--help", 0);
	for (size_t i = 0; i < n; i++) {
		char line[64];

		if (!strstr(rig.said, v[i].name))
			fail_msg("help has no %s", v[i].name);
		assert_true(v[i].examples[0] && v[i].doc[0]);
		TEXT_FORMAT(line, "%s --help", v[i].name);
		run(line);
		assert_non_null(strstr(rig.said, "examples:"));
		expect("--help", 0);
	}
	for (size_t i = 0; i < cli_n_flags; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(cli_flags[i].val, cli_flags[k].val);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_begin, rig_end)
	const struct CMUnitTest tests[] = {
		T(usage_is_exit_2), T(durations), T(a_refusal_has_the_exit_code_of_its_table), T(other_answers_have_theirs), T(nagios),
		T(json_is_one_object_whatever_happens), T(the_first_lines_say_what_matters), T(colour_is_asked_for_in_order),
		T(prompts_cost_by_danger_and_never_hang), T(a_move_that_went_elsewhere), T(a_move_that_was_done_already),
		T(headers_are_sent_and_the_token_is_not_told),
		T(a_deploy_ends_with_its_exit_code), T(the_one_line_of_ci), T(a_command_that_fails_gives_the_claim_back), T(a_lock_is_waited_for),
		T(active_without_a_daemon), T(init_prints_what_loads), T(help_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
