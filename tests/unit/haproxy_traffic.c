/* SPDX-License-Identifier: MIT
 * haproxy_traffic.c - the printed snippet: it is whole for every shape of configuration, and what
 * requests see of it is what haproxy.md promises. */
#include <netdb.h>

#include "tests/unit/support/haproxy_real.h"

static struct rig rig;

static int up(void **state)
{
	(void)state;
	rig_start(&rig, "shop");
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static void to(enum slot slot, uint64_t epoch, bool shield)
{
	assert_result(apply(&rig, value(slot, 7, epoch, shield), ORDER_FORWARD), PX_OK);
}

static void stamps_are_for_probes(void **state)
{
	(void)state;
	to(GREEN, 1, true);
	struct answer a = ask(&rig, "GET", "/api/quotes", PROBE);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.stamp, "green/green:7.1:shield");
	assert_null(strcasestr(a.text, "x-switchd-by"));
	a = ask(&rig, "GET", "/api/quotes", "");
	assert_int_equal(a.status, 200);
	assert_null(strcasestr(a.text, "\nx-switchd"));
	a = ask(&rig, "GET", "/plain", "");
	assert_null(strcasestr(a.text, "\nx-switchd"));
	assert_non_null(strstr(a.body, "green"));
	/* A probe of another service is none of this one's. */
	a = ask(&rig, "GET", "/plain", "X-Switchd-Probe: shopping/quotes\r\n");
	assert_string_equal(a.stamp, "");
	to(BLUE, 2, false);
	a = ask(&rig, "POST", "/post", PROBE "Content-Length: 0\r\n");
	assert_string_equal(a.stamp, "blue/blue:7.2:plain");
}

static void a_slot_without_servers_stamps_the_version_alone(void **state)
{
	(void)state;
	to(GREEN, 1, false);
	kill_and_reap(&rig.apps);
	for (int i = 0; i < 4; i++) {
		close(rig.app_fd[i / 2][i % 2]);
		rig.app_fd[i / 2][i % 2] = -1;
	}
	struct answer a;
	WAIT_UNTIL((a = ask(&rig, "GET", "/plain", PROBE)).status == 503);
	assert_string_equal(a.stamp, "/green:7.1:plain");
	/* An unknown slot: the default backend, one slot. The proxy's own answer again. */
	raw_ok(&rig, "set map %s shop purple:1.1:plain", rig.map);
	assert_int_equal(ask(&rig, "GET", "/plain", "").status, 503);
}

static void the_shield_covers_reads_of_critical_paths_only(void **state)
{
	struct said s = { 0 };

	(void)state;
	to(GREEN, 1, true);
	atomic_store(&rig.shared->lost[GREEN], true);
	for (int i = 0; i < 20; i++) {
		struct answer a = ask(&rig, "GET", "/api/quotes?limit=3", "");

		assert_int_equal(a.status, 200);
		assert_non_null(strstr(a.body, "blue"));
	}
	assert_non_null(strstr(ask(&rig, "GET", "/expenses", "").body, "green"));
	assert_int_equal(ask(&rig, "GET", "/api/quotes", PROBE).status, 404);
	assert_int_equal(ask(&rig, "POST", "/api/quotes", "Content-Length: 0\r\n").status, 404);
	assert_int_equal(ask(&rig, "GET", "/other", "").status, 404);
	assert_int_equal(ask(&rig, "GET", "/api/quotes/7", "").status, 404);

	proxy_shield(rig.px, GREEN, said_counts, &s);
	run_until(&rig, &s);
	assert_true(s.known);
	assert_int_equal(s.n, 20);
	assert_int_equal(s.m, 0);
	atomic_store(&rig.shared->lost[BLUE], true);
	assert_int_equal(ask(&rig, "GET", "/api/quotes", "").status, 404);
	s = (struct said){ 0 };
	proxy_shield(rig.px, GREEN, said_counts, &s);
	run_until(&rig, &s);
	assert_int_equal(s.n, 20);
	assert_int_equal(s.m, 1);
	atomic_store(&rig.shared->lost[BLUE], false);

	/* Down: nothing is asked twice. And the other way round it works alike. */
	to(GREEN, 2, false);
	assert_int_equal(ask(&rig, "GET", "/api/quotes", "").status, 404);
	atomic_store(&rig.shared->lost[GREEN], false);
	atomic_store(&rig.shared->lost[BLUE], true);
	to(BLUE, 3, true);
	assert_non_null(strstr(ask(&rig, "HEAD", "/api/quotes", "").text, " 200 "));
	assert_non_null(strstr(ask(&rig, "GET", "/api/quotes", "").body, "green"));
	s = (struct said){ 0 };
	proxy_shield(rig.px, NO_SLOT, said_counts, &s);
	run_until(&rig, &s);
	assert_false(s.known);
}

static int servers_up(enum slot slot, int *all)
{
	struct said s = { 0 };

	proxy_preflight(rig.px, slot, said_ready, &s);
	run_until(&rig, &s);
	assert_result(s, PX_OK);
	*all = s.all;
	return s.up;
}

static void preflight_counts_the_servers_that_checks_show_up(void **state)
{
	int all;

	(void)state;
	WAIT_UNTIL(servers_up(GREEN, &all) == 2);
	assert_int_equal(all, 2);
	kill_and_reap(&rig.apps);
	for (int i = 0; i < 4; i++) {
		close(rig.app_fd[i / 2][i % 2]);
		rig.app_fd[i / 2][i % 2] = -1;
	}
	WAIT_UNTIL(servers_up(GREEN, &all) == 0);
	assert_int_equal(all, 2);
}

static void sessions_that_stay_are_cut(void **state)
{
	struct said s = { 0 };
	char byte[512];

	(void)state;
	to(BLUE, 1, false);
	int fd = front_connect(&rig);
	assert_true(dprintf(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n") > 0);
	WAIT_UNTIL(atomic_load(&rig.shared->streaming));
	to(GREEN, 2, false);
	proxy_cut_sessions(rig.px, GREEN, said_sessions, &s);
	run_until(&rig, &s);
	assert_true(s.known);
	assert_int_equal(s.n, 0);
	s = (struct said){ 0 };
	proxy_cut_sessions(rig.px, BLUE, said_sessions, &s);
	run_until(&rig, &s);
	assert_true(s.known);
	assert_int_equal(s.n, 1);
	ssize_t n;
	while ((n = read(fd, byte, sizeof(byte))) > 0)
		;
	assert_true(n == 0 || errno == ECONNRESET); /* not SO_RCVTIMEO */
	close(fd);
	s = (struct said){ 0 };
	rig.proxy.backend[BLUE] = "nosuch";
	proxy_cut_sessions(rig.px, BLUE, said_sessions, &s);
	run_until(&rig, &s);
	assert_false(s.known);
}

static void paths_are_written_and_synced(void **state)
{
	struct said s = { 0 };
	struct buf said = BUF_INIT(4096);
	char text[4096], command[256];

	(void)state;
	assert_true(file_is(rig.paths, "/api/quotes 1\n/expenses 1\n"));
	assert_true(proxy_write_paths(&rig.svc, &rig.proxy, &said));
	assert_string_equal(buf_str(&said), ""); /* the same: nothing is written */
	raw_ok(&rig, "add map %s /old 1", rig.paths);
	raw_ok(&rig, "add map %s /old 1", rig.paths);
	rig.features[1].path = "/bills";
	rig.features[0].path = "/api;quotes";
	assert_true(proxy_write_paths(&rig.svc, &rig.proxy, &said));
	assert_non_null(strstr(buf_str(&said), "quotes is not shielded"));
	assert_true(file_is(rig.paths, "/bills 1\n/expenses 1\n"));
	proxy_sync_paths(rig.px, said_answer, &s);
	run_until(&rig, &s);
	assert_result(s, PX_OK);
	(void)TEXT_FORMAT(command, "show map %s", rig.paths);
	assert_true(raw(&rig, command, text, sizeof(text)));
	assert_non_null(strstr(text, " /bills 1\n"));
	assert_non_null(strstr(text, " /expenses 1\n"));
	assert_null(strstr(text, "/old"));
	assert_null(strstr(text, "/api"));
	s = (struct said){ 0 };
	rig.proxy.paths = "/nonexistent/p.paths";
	proxy_sync_paths(rig.px, said_answer, &s);
	run_until(&rig, &s);
	assert_result(s, PX_NO_MAP);
	assert_false(proxy_write_paths(&rig.svc, &rig.proxy, &said));
	buf_free(&said);
}

/* --- haproxy -c ----------------------------------------------------------------------- */

/* Passes, and says nothing else: a warning (no `mode http`, say) is a rule that is ignored. */
static void assert_checks_file(struct rig *r, const char *text)
{
	char command[256], said[8192];
	size_t n;

	put_file(r->cfg_file, text);
	(void)TEXT_FORMAT(command, "haproxy -c -f %s 2>&1", r->cfg_file);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = '\0';
	int status = pclose(f);
	if (status != 0 || strcasestr(said, "warning") || strcasestr(said, "notice") || strcasestr(said, "alert"))
		fail_msg("haproxy -c: status %d\n%s\n%s", status, said, text);
}

static void assert_checks(struct rig *r, const char *bind_to)
{
	struct buf text = BUF_INIT(1 << 20);

	if (bind_to)
		assert_true(proxy_snippet_bind(&r->svc, &r->proxy, bind_to, &text));
	else
		assert_true(proxy_snippet(&r->svc, &r->proxy, &text));
	assert_checks_file(r, buf_str(&text));
	buf_free(&text);
}

static void checked(const char *service, void (*change)(struct rig *))
{
	struct rig r;
	struct buf said = BUF_INIT(4096);
	char names[3][96];

	rig_config(&r, service);
	for (int i = 0; i < 2; i++) {
		(void)TEXT_FORMAT(names[i], "%s-%s", service, slot_name(i));
		r.proxy.backend[i] = names[i];
	}
	(void)TEXT_FORMAT(names[2], "%s-shield", service);
	r.proxy.shield_backend = names[2];
	if (change)
		change(&r);
	assert_true(proxy_init_files(&r.svc, &r.proxy, &said));
	assert_checks(&r, NULL);
	assert_checks(&r, "127.0.0.1:18080 name here");
	buf_free(&said);
	rig_free(&r);
}

static void one_target(struct rig *r) { r->svc.slot[BLUE].n_targets = r->svc.slot[GREEN].n_targets = 1; }

static void tls_targets(struct rig *r)
{
	for (int i = 0; i < 4; i++)
		r->target[i / 2][i % 2].tls = true;
	r->svc.slot[GREEN].tls.verify = false;
	r->svc.front = "https://shop.example.com";
	r->svc.front_target.port = 443;
	r->svc.front_target.tls = true;
}

static void tls_ca(struct rig *r)
{
	tls_targets(r);
	r->svc.slot[GREEN].tls = (struct tls_config){ .ca_file = "/etc/ssl/certs/ca-certificates.crt", .cert_file = "", .key_file = "", .verify = true };
}

static void names_and_v6(struct rig *r)
{
	r->target[BLUE][0].host = "::1";
	struct addrinfo *known = NULL;

	if (getaddrinfo("localhost", NULL, NULL, &known) == 0) { /* not in a root without /etc/hosts */
		r->target[BLUE][1].host = "localhost"; /* a name that does not resolve is warned of, rightly */
		r->target[GREEN][0].host = "localhost";
		freeaddrinfo(known);
	}
}

static void own_backends(struct rig *r)
{
	r->proxy.backend[BLUE] = "be_one";
	r->proxy.backend[GREEN] = "be.two:x";
	r->proxy.shield_backend = "umbrella";
}

static void no_front(struct rig *r)
{
	r->svc.front = "";
	r->svc.front_target = (struct target){ .text = "", .host = "" };
	r->proxy.socket = "127.0.0.1:18081";
}

static void no_paths(struct rig *r) { r->svc.n_features = 0; }

static void the_snippet_passes_without_a_warning(void **state)
{
	(void)state;
	checked("shop", NULL);
	checked("shop", one_target);
	checked("shop", tls_targets);
	if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) == 0)
		checked("shop", tls_ca);
	checked("shop", names_and_v6);
	checked("shop", own_backends);
	checked("shop", no_front);
	checked("shop", no_paths);
	checked("9.odd_Name-x.", NULL);
	checked("a-name-of-sixty-three-bytes-with--a_lot_of-hyphens-and.dots-in-", NULL);
}

/* --- two services in one frontend, merged as the snippet's comment says -------------------- */

static void front_lines(const char *snippet, const char *host, bool rules, struct buf *out)
{
	char line[2048];

	for (const char *p = strstr(snippet, "\nfrontend ") + 1; *p && *p != '\n';) {
		size_t n = strcspn(p, "\n");

		(void)text_copy_n(line, sizeof(line), p, n);
		p += n + 1;
		if (!rules && strstr(line, "use_backend"))
			buf_addf(out, "%s %s{ req.hdr(host) -i %s }\n", line, strstr(line, " if ") ? "" : "if ", host);
		else if (rules && strstr(line, "  # ") != line && (strstr(line, "http-request") || strstr(line, "set-header")))
			buf_addf(out, "%s\n", line);
	}
}

static void two_services_share_a_frontend(void **state)
{
	static const char *const names[2] = { "my-shop", "my_shop" }, *const hosts[2] = { "a.example", "b.example" };
	struct rig r;
	struct buf text[2] = { BUF_INIT(65536), BUF_INIT(65536) }, file = BUF_INIT(1 << 17), said = BUF_INIT(4096);
	char words[2][5][128], probe[128];

	(void)state;
	rig_config(&r, "x");
	apps_start(&r);
	for (int i = 0; i < 2; i++) {
		static const char *const ends[5] = { ".map", ".paths", "-blue", "-green", "-shield" };

		for (int k = 0; k < 5; k++)
			(void)TEXT_FORMAT(words[i][k], "%s%s%s%s", k < 2 ? r.dir : "", k < 2 ? "/" : "", names[i], ends[k]);
		r.svc.name = names[i];
		r.proxy.map = words[i][0];
		r.proxy.paths = words[i][1];
		r.proxy.backend[BLUE] = words[i][2];
		r.proxy.backend[GREEN] = words[i][3];
		r.proxy.shield_backend = words[i][4];
		assert_true(proxy_init_files(&r.svc, &r.proxy, &said));
		assert_true(proxy_snippet_bind(&r.svc, &r.proxy, "127.0.0.1:0", &text[i]));
	}
	close(listen_any(&r.front_port));
	const char *front = strstr(buf_str(&text[0]), "\nfrontend ");
	buf_addf(&file, "%.*s\nfrontend both\n  bind 127.0.0.1:%u\n", (int)(front - buf_str(&text[0])), buf_str(&text[0]), r.front_port);
	for (int i = 0; i < 4; i++)
		front_lines(buf_str(&text[i % 2]), hosts[i % 2], i < 2, &file);
	buf_addf(&file, "  http-after-response del-header X-Switchd-By\n  default_backend %s\n", words[0][2]);
	for (int i = 0; i < 2; i++)
		buf_adds(&file, strstr(buf_str(&text[i]), "\nbackend "));
	put_file(r.cfg_file, buf_str(&file));
	assert_checks_file(&r, buf_str(&file));
	haproxy_start(&r);
	r.px = proxy_new(r.loop, &r.svc, &r.proxy); /* the second one: the first stays blue */
	assert_result(apply(&r, value(GREEN, 7, 1, true), ORDER_FORWARD), PX_OK);
	for (int i = 0; i < 2; i++) {
		(void)TEXT_FORMAT(probe, "X-Switchd-Probe: %s/q\r\n", names[i]);
		struct answer a = ask_host(&r, "GET", "/expenses", probe, hosts[i]);

		assert_int_equal(a.status, 200);
		assert_string_equal(a.stamp, i ? "green/green:7.1:shield" : "blue/blue:0.0:plain");
		assert_null(strcasestr(a.text, "x-switchd-by"));
		a = ask_host(&r, "GET", "/expenses", "", hosts[i]);
		assert_non_null(strstr(a.body, i ? "green" : "blue"));
	}
	for (int i = 0; i < 2; i++)
		buf_free(&text[i]);
	buf_free(&file);
	buf_free(&said);
	rig_stop(&r);
}

static void bad_names_are_rejected_never_escaped(void **state)
{
	static const char *const evil[] = { "/x;shutdown", "/x\nset", "/x y", "/x\\y", "/x<<", "/x\"", "/x'$(id)", "/x\x7f", "/", "x", "#0", "" };
	static const char *const evil_backend[] = { "b;c", "b\nc", "b c", "-b", "", "b/c", "b%c" };
	struct rig r;
	struct buf text = BUF_INIT(65536);
	struct proxy_value v = value(GREEN, 1, 1, false);

	(void)state;
	rig_config(&r, "shop");
	for (size_t i = 0; i < ARRAY_LEN(evil) + ARRAY_LEN(evil_backend); i++) {
		bool backend = i >= ARRAY_LEN(evil);
		const char *was = backend ? r.proxy.backend[GREEN] : r.proxy.map;
		const char *bad = backend ? evil_backend[i - ARRAY_LEN(evil)] : evil[i];

		*(backend ? &r.proxy.backend[GREEN] : &r.proxy.map) = bad;
		r.px = proxy_new(r.loop, &r.svc, &r.proxy);
		assert_result(apply(&r, v, ORDER_FORWARD), PX_BAD_NAME);
		assert_result(apply(&r, v, ORDER_BACK), PX_BAD_NAME);
		assert_result(read_back(&r), PX_BAD_NAME);
		proxy_free(&r.px);
		buf_clear(&text);
		assert_false(proxy_snippet(&r.svc, &r.proxy, &text));
		assert_false(proxy_init_files(&r.svc, &r.proxy, &text));
		buf_clear(&text);
		proxy_raw_command(&r.proxy, &r.svc, &v, &text);
		assert_int_equal(buf_str(&text)[0], '#');
		*(backend ? &r.proxy.backend[GREEN] : &r.proxy.map) = was;
	}
	r.svc.name = "shop;x";
	r.px = proxy_new(r.loop, &r.svc, &r.proxy);
	assert_result(apply(&r, v, ORDER_FORWARD), PX_BAD_NAME);
	proxy_free(&r.px);
	r.svc.name = "shop";
	r.target[BLUE][0].host = "h\n  server x 1.2.3.4";
	buf_clear(&text);
	assert_false(proxy_snippet(&r.svc, &r.proxy, &text));
	r.target[BLUE][0].host = "127.0.0.1";
	assert_false(proxy_snippet_bind(&r.svc, &r.proxy, ":80\n  mode tcp", &text));
	buf_free(&text);
	rig_free(&r);
}

static void files_are_made_once(void **state)
{
	struct rig r;
	struct buf said = BUF_INIT(4096);
	char map[128], paths[128];

	(void)state;
	rig_config(&r, "shop");
	(void)TEXT_FORMAT(map, "%s/a/b/shop.map", r.dir);
	(void)TEXT_FORMAT(paths, "%s/a/shop.paths", r.dir);
	r.proxy.map = map;
	r.proxy.paths = paths;
	r.svc.initial = GREEN;
	mode_t was = umask(077);
	assert_true(proxy_init_files(&r.svc, &r.proxy, &said));
	umask(was);
	assert_true(file_is(map, "shop green:0.0:plain\n"));
	struct stat st;
	assert_int_equal(stat(map, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	put_file(map, "shop blue:3.3:plain\n");
	put_file(paths, "/mine 1\n");
	buf_clear(&said);
	assert_true(proxy_init_files(&r.svc, &r.proxy, &said));
	assert_non_null(strstr(buf_str(&said), "exists, left as it is"));
	assert_true(file_is(map, "shop blue:3.3:plain\n") && file_is(paths, "/mine 1\n"));
	buf_clear(&said);
	struct proxy_value v = value(BLUE, 9, 4, false);
	proxy_raw_command(&r.proxy, &r.svc, &v, &said);
	char want[512];
	(void)TEXT_FORMAT(want, "echo \"set map %s shop blue:9.4:plain\" | socat stdio %s", map, r.socket);
	assert_string_equal(buf_str(&said), want);
	assert_int_equal(unlink(map) | unlink(paths), 0);
	(void)TEXT_FORMAT(map, "%s/a/b", r.dir);
	(void)TEXT_FORMAT(paths, "%s/a", r.dir);
	assert_int_equal(rmdir(map) | rmdir(paths), 0);
	buf_free(&said);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
		T(stamps_are_for_probes),
		T(a_slot_without_servers_stamps_the_version_alone),
		T(the_shield_covers_reads_of_critical_paths_only),
		T(preflight_counts_the_servers_that_checks_show_up),
		T(sessions_that_stay_are_cut),
		T(paths_are_written_and_synced),
		cmocka_unit_test(the_snippet_passes_without_a_warning),
		cmocka_unit_test(two_services_share_a_frontend),
		cmocka_unit_test(bad_names_are_rejected_never_escaped),
		cmocka_unit_test(files_are_made_once),
	};
	return cmocka_run_group_tests_name("haproxy_traffic", tests, NULL, NULL);
}
