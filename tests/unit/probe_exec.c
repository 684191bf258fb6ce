/* SPDX-License-Identifier: MIT
 * probe_exec.c - the kind exec against real programs, well behaved and not; and what plugins write. */
#include "tests/unit/support/kind_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "probes/kinds/perfdata.h"

static struct kind_rig rig;
static char dir[64];

static int setup(void **state) { (void)state; rig_begin(&rig, 8101); return 0; }

static int teardown(void **state)
{
	(void)state;
	rig_end(&rig);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return 0;
}

/* A program of these lines, and the feature that runs it; more: "" or ", key: value". */
static const char *feature(const char *script, const char *args, const char *more)
{
	static char text[1024];
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/plugin", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", script);
	fclose(f);
	assert_int_equal(chmod(path, 0755), 0);
	snprintf(text, sizeof(text), "{ exec: [%s%s]%s, reads: true%s }", path, args, strstr(more, "timeout") ? "" : ", timeout: 20s", more);
	return text;
}

static void test_exit_codes(void **state)
{
	static const struct { const char *script; enum outcome outcome; bool complete; const char *got; } rows[] = {
		{ "echo 'OK - fine'", OUT_PRESENT, true, "" },
		{ "echo 'WARNING - slow|time=2s'; exit 1", OUT_PRESENT, true, "exit 1 (warning): WARNING - slow" },
		{ "echo 'CRITICAL - gone'; exit 2", OUT_EXEC_CRITICAL, true, "exit 2 (critical): CRITICAL - gone" },
		{ "echo broken >&2; exit 2", OUT_EXEC_CRITICAL, true, "exit 2 (critical): broken" },
		{ "echo 'UNKNOWN - what?'; exit 3", OUT_EXEC_UNKNOWN, false, "exit 3 (unknown): UNKNOWN - what?" },
		{ "no-such-program-as-this", OUT_EXEC_UNKNOWN, false, "exit 127 (unknown): " },
		{ "exit 255", OUT_EXEC_UNKNOWN, false, "exit 255 (unknown)" },
		{ "kill -ABRT $$", OUT_EXEC_UNKNOWN, false, "ended by signal 6" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RIG_IS(&rig, feature(rows[i].script, "", ""), rows[i].outcome);
		assert_int_equal(rig.r.complete, rows[i].complete);
		assert_true(rig.has_evidence);
		if (strncmp(rig.e.got, rows[i].got, strlen(rows[i].got)) != 0 || (!rows[i].got[0] && rig.e.got[0]))
			fail_msg("%s: got %s", rows[i].script, rig.e.got);
	}
	/* A warning is what a feature that can only warn is there for. */
	RIG_IS(&rig, feature("echo 'WARNING - slow'; exit 1", "", ", severity: warn"), OUT_EXEC_WARNING);
	assert_string_equal(rig.e.got, "exit 1 (warning): WARNING - slow");
	assert_int_equal(outcome_info(OUT_EXEC_WARNING)->class, OC_ABSENT);
}

static void test_what_it_is_told(void **state)
{
	(void)state;
	RIG_IS(&rig, feature("echo \"$@\"; env | grep ^SWITCHD_ | sort; pwd", ", -H, \"{{host}}:{{port}}\", \"{{service}}/{{feature}}/{{slot}}/{{release}}\", \"{x} }} $HOME\"", ""),
	       OUT_PRESENT);
	assert_string_equal(rig.e.body, "-H 127.0.0.1:8101 shop/thing/blue/r42 {x} }} $HOME\nSWITCHD_FEATURE=thing\nSWITCHD_HOST=127.0.0.1\n"
					"SWITCHD_PORT=8101\nSWITCHD_RELEASE=r42\nSWITCHD_SERVICE=shop\nSWITCHD_SLOT=blue\n/\n");
	/* Its arguments are in no evidence. */
	assert_null(strstr(rig.e.url, "-H"));
	assert_non_null(strstr(rig.e.url, "/plugin"));
	assert_string_equal(rig.e.target, rig.target);
}

static void test_assertions(void **state)
{
	(void)state;
	RIG_IS(&rig, feature("echo 'queue 7'", "", ", expect: ['body matches /queue \\d+/']"), OUT_PRESENT);
	RIG_IS(&rig, feature("echo 'queue none'", "", ", expect: ['body matches /queue \\d+/']"), OUT_BODY);
	RIG_IS(&rig, feature("echo '{\"n\": 1}'", "", ", expect: ['jsonpath \"$.n\" == 2']"), OUT_JSON);
	rig_refuses(&rig, feature("exit 0", "", ", expect: ['header \"X\" exists']"), "header: has no meaning for a probe of kind exec");
}

static void test_measurements_are_shown(void **state)
{
	(void)state;
	RIG_IS(&rig, feature("echo 'OK|time=0.5s;1;5;0 size=12KB'", "", ""), OUT_PRESENT);
	assert_string_equal(rig.e.head, "time = 0.5 s (warn 1, critical 5, min 0)\nsize = 12 KB\n");
	/* One that measures without end. */
	RIG_IS(&rig, feature("printf 'OK|'; i=0; while [ $i -lt 3000 ]; do printf 'a%d=%d ' $i $i; i=$((i+1)); done", "", ""), OUT_PRESENT);
}

static void test_hostile_programs(void **state)
{
	(void)state;
	RIG_IS(&rig, feature("trap '' TERM; while :; do sleep 100; done", "", ", timeout: 500ms"), OUT_TIMEOUT);
	RIG_IS(&rig, feature("exec yes", "", ", timeout: 500ms"), OUT_TIMEOUT);
	assert_int_equal(rig.e.body_len, 65536);
	RIG_IS(&rig, feature("sleep 1000 & exit 2", "", ""), OUT_EXEC_CRITICAL);
	RIG_IS(&rig, feature("printf 'a\\000b\\033[31m\\377|\\001=1'; exit 3", "", ""), OUT_EXEC_UNKNOWN);
	for (const char *p = rig.e.got; *p; p++)
		assert_true(*p >= ' ' && *p < 127);
	/* Its file changes after the configuration was loaded. */
	char path[128];
	snprintf(path, sizeof(path), "%s/plugin", dir);
	rig_ask(&rig, feature("exit 0", "", ""));
	chmod(path, 0777);
	rig_start(&rig, PURPOSE_VOTE);
	assert_int_equal(rig_wait(&rig), OUT_EXEC_UNKNOWN);
	assert_non_null(strstr(rig.e.got, "can be written to by others"));
	rig_refuses(&rig, "{ exec: [/no/such/plugin], reads: true }", "switchd.yaml:10:23: error: exec: /no No such file or directory");
}

static void test_cancel_and_leftovers(void **state)
{
	(void)state;
	rig_cancels(&rig, feature("exec sleep 1000", "", ""));
	rig_leaves_nothing(&rig, feature("echo x; exit 2", "", ""), 5);
	rig_ask(&rig, feature("exit 0", "", ""));
	assert_non_null(probe_unproven(&rig.cfg->services[0].features[0]));
	rig_start(&rig, PURPOSE_CONTROL);
	assert_int_equal(rig_wait(&rig), OUT_NEVER_RAN);
}

/* docs/examples/browser-probe.sh, against a stand-in for the browser, and against the real one where it is installed. */
static int browse(const char *browser, const char *page, const char *text)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "CHROMIUM=%s docs/examples/browser-probe.sh '%s' '%s' >/dev/null", browser, page, text);
	return WEXITSTATUS(system(cmd));
}

static void test_browser_script(void **state)
{
	char fake[128];

	(void)state;
	feature("[ \"$1\" = --headless ] && echo '<b>Total 7</b>'", "", "");
	snprintf(fake, sizeof(fake), "%s/plugin", dir);
	assert_int_equal(browse(fake, "http://x/", "Total 7"), 0);
	assert_int_equal(browse(fake, "http://x/", "Total 8"), 2);
	feature("exit 1", "", "");
	assert_int_equal(browse(fake, "http://x/", "Total 7"), 3);
	feature(":", "", "");
	assert_int_equal(browse(fake, "http://x/", "Total 7"), 3);
	if (access("/usr/bin/chromium", X_OK) || geteuid() == 0) /* it refuses to run as root */
		skip();
	assert_int_equal(browse("chromium", "data:text/html,<script>document.write(\"To\"+\"tal\")</script>", "Total"), 0);
	assert_int_equal(browse("chromium", "data:text/html,nothing", "Total"), 2);
}

static void test_perfdata(void **state)
{
	static const struct { const char *out, *line, *lines; } rows[] = {
		{ "", "", "" }, { "OK", "OK", "" }, { "  OK - x \r\nmore", "OK - x", "" }, { "|", "", "" },
		{ "OK | a=1", "OK", "a = 1\n" },
		{ "OK|'a b'=1;;2 c=3%;4", "OK", "a b = 1 (critical 2)\nc = 3% (warn 4)\n" },
		{ "OK|'it''s'=1", "OK", "it's = 1\n" },
		{ "OK|t=1.5e3ms e=2e;", "OK", "t = 1.5e3 ms\ne = 2 e\n" },
		{ "OK|u=U", "OK", "u = U\n" },
		{ "OK|a=1\nlong text\nand more|b=2\nc=3", "OK", "a = 1\nb = 2\nc = 3\n" },
		{ "OK|=1 novalue= 'open=1 x", "OK", "" }, { "OK|a=@10:20", "OK", "" }, { "OK|a=1;@10:20", "OK", "a = 1 (warn @10:20)\n" },
		{ "OK|'a'", "OK", "" }, { "OK|'", "OK", "" }, { "OK|a=1;;;;;;;;", "OK", "a = 1\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf lines = BUF_INIT(4096);
		char text[64];

		plugin_line(rows[i].out, strlen(rows[i].out), text, sizeof(text));
		assert_string_equal(text, rows[i].line);
		plugin_measurements(rows[i].out, strlen(rows[i].out), &lines);
		assert_string_equal(buf_str(&lines), rows[i].lines);
		buf_free(&lines);
	}
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_exit_codes), T(test_what_it_is_told), T(test_assertions), T(test_measurements_are_shown), T(test_hostile_programs),
		T(test_cancel_and_leftovers), cmocka_unit_test(test_browser_script), cmocka_unit_test(test_perfdata),
	};
	char cmd[96];
	int rc;

	umask(022);
	signal(SIGPIPE, SIG_IGN);
	snprintf(dir, sizeof(dir), "/tmp/switchd-exec-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	rc = cmocka_run_group_tests_name("probe_exec", tests, NULL, NULL);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) != 0 || rc;
}
