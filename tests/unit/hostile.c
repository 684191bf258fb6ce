/* SPDX-License-Identifier: MIT
 * hostile.c - every kind of probe against every hostile target: the rows of hostile_rows.h.
 *
 * Of each it is asserted: the outcome; exactly one done(), before the watchdog; that a good answer of the same target
 * still is one afterwards; that descriptors and memory are back where they were; and, in the release build, that
 * no turn of the loop took more than 50 ms of CPU time.
 *
 *   hostile --page   prints the table of docs/hostile.md (make hostile) */
#include "tests/unit/support/hostile_rig.h"

#include "switchd/io/conn.h"
#include "tests/unit/support/h2.h"
#include "tests/unit/support/hostile_rows.h"

enum { AT_ONCE = 3, ROUNDS_MOST = 6 };

static struct hostile blue;
static struct wire_fake wire[N_WAYS], h2;
static struct hostile_tls tls;
static struct blackhole hole;
static uint16_t nobody;
static char dir[64];
static int64_t worst_us;

/* ---- the feature of a row ---- */

static bool waits(enum outcome o) { return o == OUT_TIMEOUT || o == OUT_CONNECT_TIMEOUT; }

static uint16_t port_of(const struct hostile_row *r, unsigned kind)
{
	switch (r->where) {
	case AT_NOBODY: return nobody;
	case AT_HOLE: return hole.port;
	case AT_WIRE: return wire[r->way].port;
	case AT_H2: return h2.port;
	case AT_TLS: return tls.port[r->way];
	default: return kind == K_EXEC ? 2 : blue.port;
	}
}

static void script_of(const struct hostile_row *r, char *path, size_t size)
{
	FILE *f;

	snprintf(path, size, "%s/plugin", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", r->how);
	fclose(f);
	chmod(path, 0755);
}

static const char *feature_of(const struct hostile_row *r, unsigned kind)
{
	static char text[1024];
	bool over_tls = r->where == AT_TLS, stalls = over_tls && (r->way == TLS_STALL || r->way == TLS_STALL_HALF);
	const char *timeout = waits(r->want) || waits(r->or) || stalls || strcmp(r->how, "exec yes") == 0 ? "400ms" : "20s";
	const char *path = r->how[0] == '/' ? r->how : "/ok";
	char script[128];

	switch (kind) {
	case K_HTTP:
	case K_FOLLOW:
		snprintf(text, sizeof(text), "{ path: \"%s\", timeout: %s%s, expect: [status == 200, 'body contains \"hello\"'] }", path, timeout,
			 kind == K_FOLLOW ? ", follow: 5" : "");
		break;
	case K_STEPS:
		snprintf(text, sizeof(text), "{ reads: true, timeout: %s, steps: [ { get: \"%s\", expect: [status == 200, 'body contains \"hello\"'] } ] }",
			 timeout, path);
		break;
	case K_TCP:
		if (over_tls)
			snprintf(text, sizeof(text), "{ tcp: { tls: true, send: \"GET / HTTP/1.0\\r\\n\\r\\n\" }, timeout: %s, expect: ['body contains \"%s\"'] }",
				 timeout, r->way == TLS_FLOOD ? "absent" : "hello");
		else
			snprintf(text, sizeof(text), "{ tcp: { send: \"a\" }, timeout: %s, expect: ['body contains \"absent\"'] }", timeout);
		break;
	case K_TLS:
		snprintf(text, sizeof(text), "{ tls: {}, timeout: %s }", timeout);
		break;
	case K_GRPC:
		snprintf(text, sizeof(text), "{ grpc: { service: \"%s\"%s }, timeout: %s }", r->where == AT_H2 ? r->how : "serving",
			 over_tls ? ", tls: true" : "", timeout);
		break;
	case K_ASSETS:
		if (r->where == AT_ASSET)
			path = "/page-of";
		snprintf(text, sizeof(text), "{ assets: \"%s%s\", timeout: %s }", path, r->where == AT_ASSET ? r->how : "", timeout);
		break;
	case K_WS:
		snprintf(text, sizeof(text), "{ websocket: { path: /ok }, timeout: %s }", timeout);
		break;
	default:
		script_of(r, script, sizeof(script));
		snprintf(text, sizeof(text), "{ exec: [\"%s\"], reads: true, timeout: %s }", script, timeout);
		break;
	}
	return text;
}

/* ---- asking ---- */

/* As many at once as make trouble for each other; the last on what the others left behind. */
static void round_of(const struct hostile_row *r, unsigned kind, const char *feature)
{
	struct buf said = BUF_INIT(8192);
	struct asked a[AT_ONCE], good;
	int n = kind == K_EXEC ? 2 : AT_ONCE; /* exec: at_once of the rig */
	char name[256];

	snprintf(name, sizeof(name), "%s, %s, %s", r->id, r->what, kind_names[__builtin_ctz(kind)]);
	now_asked = name;
	if (!rig_load(&rig, feature, &said))
		fail_msg("%s: %s", name, buf_str(&said));
	buf_free(&said);
	for (int i = 0; i < n; i++)
		begin(&a[i], 0);
	for (int i = 0; i < n; i++)
		until_done(&a[i]);
	if (r->where == AT_HTTP || r->where == AT_ASSET) {
		begin(&good, 1);
		until_done(&good);
		if (good.outcome != OUT_PRESENT)
			WRONG("%s: afterwards a good answer is %s: %s", name, outcome_info(good.outcome)->code, good.got);
	}
	for (int i = 0; i < 5; i++)
		turn(EVRUN_NOWAIT);
	rig_close(&rig);
	for (int i = 0; i < 5; i++)
		turn(EVRUN_NOWAIT);
	for (int i = 0; i < n; i++) {
		if (a[i].dones != 1)
			WRONG("%s: done() was called %d times", name, a[i].dones);
		if (a[i].outcome != r->want && a[i].outcome != r->or)
			WRONG("%s: %s, want %s: %s", name, outcome_info(a[i].outcome)->code, outcome_info(r->want)->code, a[i].got);
		if (a[i].complete && outcome_info(a[i].outcome)->class != OC_PRESENT && outcome_info(a[i].outcome)->class != OC_ABSENT)
			WRONG("%s: %s is no complete answer", name, outcome_info(a[i].outcome)->code);
	}
	now_asked = "";
}

/* What was never there before may stay (a table of the loop's that grew): a leak grows each time. */
static void ask_row(const struct hostile_row *r, unsigned kind)
{
	const char *feature = feature_of(r, kind);
	size_t fds, used, grown = 0;
	int rounds = 0;

	alarm(WATCHDOG_S);
	worst_row_us = 0;
	least_us = INT64_MAX;
	round_of(r, kind, feature);
	note_round();
	do {
		used = memory();
		fds = rig_fds();
		round_of(r, kind, feature);
		note_round();
		if (rig_fds() != fds)
			WRONG("%s, %s: %zu descriptors, then %zu", r->id, r->what, fds, rig_fds());
		grown = memory() > used ? memory() - used : 0;
	} while ((grown || too_long()) && ++rounds < ROUNDS_MOST);
	if (grown)
		WRONG("%s, %s, %s: keeps %zu bytes each time", r->id, r->what, kind_names[__builtin_ctz(kind)], grown);
	if (too_long())
		WRONG("%s, %s, %s: a turn of the loop took %lld us of CPU time", r->id, r->what, kind_names[__builtin_ctz(kind)], (long long)least_us);
	if (least_us > worst_us) {
		worst_us = least_us;
		print_message("longest turn so far %lld us: %s, %s, %s\n", (long long)worst_us, r->id, r->what, kind_names[__builtin_ctz(kind)]);
	}
	alarm(0);
}

static void ask_rows_of(unsigned kind)
{
	int n = 0;

	wrong = 0;
	if (kind == K_WS && !conn_has_websocket())
		skip();
	for (size_t i = 0; i < ARRAY_LEN(hostile_rows); i++) {
		const struct hostile_row *r = &hostile_rows[i];

		if (!(r->kinds & kind))
			continue;
		if (r->where == AT_NO_ROUTE)
			snprintf(rig.target, sizeof(rig.target), "224.0.0.1:80"); /* TCP to many at once: the kernel has no route for that */
		else
			snprintf(rig.target, sizeof(rig.target), "%s127.0.0.1:%u", r->where == AT_TLS ? "https://" : "", port_of(r, kind));
		static char with_ca[160];
		snprintf(with_ca, sizeof(with_ca), "tls: { ca_file: \"%s\" }", tls.ca);
		rig.tls = r->where == AT_TLS ? with_ca : "";
		ask_row(r, kind);
		n++;
	}
	assert_true(n > 0);
	assert_int_equal(wrong, 0);
}

#define ROWS(name, kind) static void name(void **state) { (void)state; ask_rows_of(kind); }
ROWS(every_row_by_http, K_HTTP)
ROWS(every_row_by_http_that_follows, K_FOLLOW)
ROWS(every_row_by_steps, K_STEPS)
ROWS(every_row_by_tcp, K_TCP)
ROWS(every_row_by_tls, K_TLS)
ROWS(every_row_by_grpc, K_GRPC)
ROWS(every_row_by_websocket, K_WS)
ROWS(every_row_by_exec, K_EXEC)
ROWS(every_row_by_assets, K_ASSETS)

static int setup(void **state)
{
	(void)state;
	rig_begin(&rig, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_end(&rig);
	return 0;
}

/* ---- the page ---- */

static void print_page(FILE *out)
{
	fprintf(out, "| row | the target | kinds | outcome | class |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_LEN(hostile_rows); i++) {
		const struct hostile_row *r = &hostile_rows[i];
		bool first = true;

		fprintf(out, "| %s | %s | ", r->id, r->what);
		for (unsigned k = 0; k < N_KINDS; k++)
			if (r->kinds & 1u << k) {
				fprintf(out, "%s%s", first ? "" : ", ", kind_names[k]);
				first = false;
			}
		fprintf(out, " | `%s`", outcome_info(r->want)->code);
		if (r->or != r->want)
			fprintf(out, " or `%s`", outcome_info(r->or)->code);
		fprintf(out, " | %s |\n", outcome_class_name(outcome_info(r->want)->class));
	}
	fprintf(out, "\nWhat needs more than one probe, or the whole daemon:\n\n| row | the target | what must hold | played in |\n|---|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_LEN(hostile_elsewhere); i++)
		fprintf(out, "| %s | %s | %s | %s |\n", hostile_elsewhere[i].id, hostile_elsewhere[i].what, hostile_elsewhere[i].want, hostile_elsewhere[i].file);
}

/* docs/hostile.md shows this table: make hostile writes it. */
static void the_page_shows_every_row(void **state)
{
	static char page[65536];
	char *table = NULL;
	size_t len = 0;
	FILE *f = fopen("docs/hostile.md", "r"), *out = open_memstream(&table, &len);

	(void)state;
	if (!f) /* run from elsewhere */
		skip();
	page[fread(page, 1, sizeof(page) - 1, f)] = '\0';
	fclose(f);
	print_page(out);
	fclose(out);
	if (!strstr(page, table))
		fail_msg("docs/hostile.md is not up to date: make hostile");
	free(table);
	for (size_t i = 0; i < ARRAY_LEN(hostile_elsewhere); i++)
		if (access(hostile_elsewhere[i].file, R_OK))
			fail_msg("%s: there is no %s", hostile_elsewhere[i].id, hostile_elsewhere[i].file);
	for (int t = 1; t <= 27; t++) {
		char id[16];
		bool there = false;

		snprintf(id, sizeof(id), "T%d", t);
		for (size_t i = 0; i < ARRAY_LEN(hostile_rows); i++)
			there |= strcmp(hostile_rows[i].id, id) == 0;
		for (size_t i = 0; i < ARRAY_LEN(hostile_elsewhere); i++)
			there |= strcmp(hostile_elsewhere[i].id, id) == 0;
		if (!there)
			fail_msg("%s is played nowhere", id);
	}
}

static void start_servers(void)
{
	int fd = hostile_listen(&nobody, 1);

	close(fd);
	snprintf(dir, sizeof(dir), "/tmp/switchd-hostile-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	hostile_start(&blue, "blue");
	for (int i = 0; i < N_WAYS; i++)
		fake_start(&wire[i], wire_serve, (enum way)i);
	fake_start(&h2, h2_serve, W_GREET);
	hostile_tls_start(&tls);
	blackhole_open(&hole);
}

static void stop_servers(void)
{
	char cmd[96];

	hostile_stop(&blue);
	for (int i = 0; i < N_WAYS; i++)
		fake_stop(&wire[i]);
	fake_stop(&h2);
	hostile_tls_stop(&tls);
	blackhole_close(&hole);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	if (system(cmd))
		abort();
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(every_row_by_http), T(every_row_by_http_that_follows), T(every_row_by_steps), T(every_row_by_tcp), T(every_row_by_tls),
		T(every_row_by_grpc), T(every_row_by_websocket), T(every_row_by_exec), T(every_row_by_assets), cmocka_unit_test(the_page_shows_every_row),
	};
	int rc;

	if (argc == 2 && strcmp(argv[1], "--page") == 0) {
		print_page(stdout);
		return 0;
	}
	hostile_main(argv);
	start_servers();
	rc = cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
	print_message("longest turn of the loop: %lld us of CPU time\n", (long long)worst_us);
	stop_servers();
	return rc;
}
