/* SPDX-License-Identifier: MIT
 * probe_assets.c - the kind assets: a page, its scripts and styles, and what passes for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "probes/kinds/assets.h"
#include "tests/unit/support/probe_rig.h"
#include "tests/unit/support/site_app.h"

static struct site_app app, other;
static struct rig rig;

#define JS "text/javascript; charset=utf-8"
#define INDEX "<!doctype html><html><head><title>App</title></head><body><div id=root></div></body></html>"

static void load(const char *features)
{
	if (!rig_load(&rig, app.port, other.port, features))
		fail_msg("%s", buf_str(&rig.said));
}

/* A front end as builders leave it. */
static void good_front(struct site_app *s)
{
	site_page(s, "/", 200, "text/html; charset=utf-8",
		  "<!doctype html><html><head><link rel=\"modulepreload\" href=\"/assets/vendor-2b.js\"><LINK REL=StyleSheet HREF=assets/app-3c.css>"
		  "<script type=module src=\"/assets/app-1a.js?v=1#x\"></script><script src=\"/assets/app-1a.js?v=1\"></script>"
		  "<script type=\"application/json\" src=/data></script><script>inline()</script><link rel=icon href=/favicon.ico>"
		  "<link rel=preload as=font href=/font><script src=\"data:text/javascript,1\"></script></head><body></body></html>");
	site_page(s, "/assets/vendor-2b.js", 200, "application/javascript", "vendor()");
	site_page(s, "/assets/app-3c.css", 200, "text/css", "body{}");
	site_page(s, "/assets/app-1a.js", 200, JS, "const name = 'shop-ui 17'");
	atomic_store(&s->shared->catchall, true);
}

static struct page *page_of(const char *path)
{
	for (int i = 0; i < atomic_load(&app.shared->n_pages); i++)
		if (strcmp(app.shared->page[i].path, path) == 0)
			return &app.shared->page[i];
	fail_msg("no page %s", path);
	return NULL;
}

static int setup(void **state)
{
	(void)state;
	rig = (struct rig){ .loop = ev_loop_new(0) };
	site_reset(&app);
	site_reset(&other);
	alarm(60);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_clear(&rig);
	ev_loop_destroy(rig.loop);
	alarm(0);
	return 0;
}

/* ---- references ---- */

static void references_are_resolved_as_browsers_do(void **state)
{
	static const struct { const char *base, *ref, *want; } table[] = {
		{ "http://a.test/x/y?q", "z.js", "http://a.test/x/z.js" }, { "http://a.test/x/y", "/z.js?v=1#f", "http://a.test/z.js?v=1" },
		{ "http://a.test", "z.js", "http://a.test/z.js" }, { "http://a.test/x/", "../../b/./c/../d", "http://a.test/b/d" },
		{ "https://a.test/x", "//b.test/z.js", "https://b.test/z.js" }, { "http://a.test/x", "HTTP://B.test:81/z", "HTTP://B.test:81/z" },
		{ "http://a.test/x", " \n/a b\t.js ", "http://a.test/a%20b.js" }, { "http://a.test/x", "?v=2", "http://a.test/x?v=2" },
		{ "http://a.test/x", "data:text/css,a", NULL }, { "http://a.test/x", "javascript:1", NULL }, { "http://a.test/x", "blob:http://a.test/1", NULL },
		{ "http://a.test/x/", "\\y\\z.js", "http://a.test/y/z.js" }, { "http://a.test/x", "/\xc3\xa9.js", "http://a.test/%C3%A9.js" },
		{ "http://a.test/x", "a:1.js", NULL }, { "http://a.test/x", "./a:1.js", "http://a.test/a:1.js" }, { "http://a.test/a/b", "..", "http://a.test/" },
		{ "http://a.test/x", "/q?a=/../b", "http://a.test/q?a=/../b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char *got = url_resolve(table[i].base, table[i].ref);

		if (!got != !table[i].want || (got && strcmp(got, table[i].want) != 0))
			fail_msg("%s on %s: %s, not %s", table[i].ref, table[i].base, got ? got : "nothing", table[i].want ? table[i].want : "nothing");
		free(got);
	}
	assert_true(url_same_origin("http://a.test:80/x", "https://A.test/"));
	assert_false(url_same_origin("http://a.test:81/x", "http://a.test/"));
	assert_false(url_same_origin("http://a.test@b.test/", "http://a.test/"));
}

/* ---- a good page ---- */

static void every_script_and_style_is_fetched_once(void **state)
{
	(void)state;
	good_front(&app);
	load("      ui: { assets: { page: /, marker: shop-ui, min: 3, max: 3 } }\n");
	struct said s = rig_vote(&rig);
	rig_outcome(&s, OUT_PRESENT);
	assert_true(s.r.complete);
	assert_int_equal(s.r.requests, 4);
	assert_int_equal(atomic_load(&app.shared->requests), 4);
	rig_says(app.shared->log, "GET /assets/app-1a.js?v=1\n");
	rig_says(app.shared->log, "GET /assets/app-3c.css\n");
	rig_says(app.shared->log, "GET /assets/vendor-2b.js\n");
	rig_says(s.e.url, "/");
	rig_clear(&rig);
	load("      ui: { assets: { page: /, marker: '/SHOP-ui \\d+/i' } }\n");
	s = rig_vote(&rig);
	rig_outcome(&s, OUT_PRESENT);
	rig_clear(&rig);
	load("      ui: { assets: / }\n");
	s = rig_vote(&rig);
	rig_outcome(&s, OUT_PRESENT);
}

static void base_and_templates_and_other_origins(void **state)
{
	char page[1024], text[512];

	(void)state;
	snprintf(page, sizeof(page), "<html><head><base href=\"/deep/er/\"><script src=app.js></script><template><script src=never.js></script></template>"
		 "<script src=\"http://127.0.0.1:%u/cdn.js\"></script><link rel=\"preload\" as=style href=\"http://127.0.0.1:%u/deep/x.css\"></head>",
		 other.port, app.port);
	site_page(&app, "/", 200, "text/html", page);
	site_page(&app, "/deep/er/app.js", 200, JS, "x");
	site_page(&app, "/deep/x.css", 200, "text/css", "x{}");
	site_page(&other, "/cdn.js", 200, JS, "x");
	load("      ui: { assets: /, headers: { X-Key: secret-of-ours } }\n");
	struct said s = rig_vote(&rig);
	rig_outcome(&s, OUT_PRESENT);
	assert_int_equal(s.r.requests, 3);
	assert_int_equal(atomic_load(&other.shared->requests), 0);
	rig_says(app.shared->last, "secret-of-ours");
	rig_clear(&rig);
	load("      ui: { assets: { page: /, external: true }, headers: { X-Key: secret-of-ours } }\n");
	s = rig_vote(&rig);
	rig_outcome(&s, OUT_PRESENT);
	assert_int_equal(atomic_load(&other.shared->requests), 1);
	rig_says(other.shared->last, "X-Switchd-Probe: shop/ui");
	assert_null(strstr(other.shared->last, "secret-of-ours")); /* no key for strangers */
	page_of("/deep/x.css")->status = 200;
	snprintf(text, sizeof(text), "      ui: { assets: { page: /, min: 3 } }\n");
	rig_clear(&rig);
	load(text);
	s = rig_vote(&rig);
	rig_outcome(&s, OUT_ASSET_MISSING);
	rig_says(s.e.got, "2, and 1 of other origins, which are not fetched (http://127.0.0.1:");
}

/* ---- what is wrong with one ---- */

static void what_passes_for_a_script_is_found_out(void **state)
{
	static const struct { const char *path; int status; const char *type, *body, *head; enum outcome want; const char *wants, *got; } table[] = {
		{ "/assets/app-1a.js", 200, "text/html", INDEX, "", OUT_ASSET_TYPE, "script /assets/app-1a.js?v=1: a type of JavaScript", "text/html" },
		{ "/assets/app-1a.js", 200, JS, "\xef\xbb\xbf \n<!DOCTYPE html><p>", "", OUT_ASSET_TYPE, "no page of HTML", "a page of HTML in it" },
		{ "/assets/app-3c.css", 200, JS, "x", "", OUT_ASSET_TYPE, "style /assets/app-3c.css: text/css", JS },
		{ "/assets/app-3c.css", 404, "text/css", "x", "", OUT_ASSET_MISSING, "status == 200", "404" },
		{ "/assets/app-3c.css", 302, "text/css", "", "Location: /login\r\n", OUT_ASSET_MISSING, "status == 200", "302 to http" },
		{ "/assets/vendor-2b.js", 200, JS, "", "", OUT_ASSET_EMPTY, "something in it", "0 bytes" },
		{ "/assets/vendor-2b.js", 200, JS, " \n", "", OUT_ASSET_EMPTY, "something in it", "2 bytes, all of them blank" },
		{ "/assets/app-1a.js", 200, JS, "other", "", OUT_ASSET_MARKER, "the marker shop-ui in a script or style", "in none of 3" },
		{ "/", 200, "text/plain", "x", "", OUT_ASSET_TYPE, "page /: a page of HTML", "text/plain" },
		{ "/", 500, "text/html", "x", "", OUT_STATUS, "page /: status == 200", "500" },
		{ "/", 302, "text/html", "x", "Location: /login\r\n", OUT_REDIRECT, "page /: status == 200", "302 to" },
		{ "/", 200, "text/html", INDEX, "", OUT_ASSET_MISSING, "page /: at least 1 scripts and styles", "0" },
		{ "/", 200, "text/html", "", "", OUT_ASSET_MISSING, "at least 1", "0" },
	};

	(void)state;
	load("      ui: { assets: { page: /, marker: shop-ui } }\n");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		site_reset(&app);
		good_front(&app);
		struct page *p = page_of(table[i].path);

		p->status = table[i].status;
		snprintf(p->type, sizeof(p->type), "%s", table[i].type);
		snprintf(p->body, sizeof(p->body), "%s", table[i].body);
		snprintf(p->head, sizeof(p->head), "%s", table[i].head);
		struct said s = rig_vote(&rig);
		rig_outcome(&s, table[i].want);
		assert_true(s.r.complete);
		rig_says(s.e.want, table[i].wants);
		rig_says(s.e.got, table[i].got);
	}
}

static void hostile_assets_end_by_name_and_in_time(void **state)
{
	static const struct { const char *path; enum page_mode mode; enum outcome want; } table[] = {
		{ "/assets/app-1a.js", PAGE_HANG, OUT_TIMEOUT }, { "/assets/app-1a.js", PAGE_DRIP, OUT_TIMEOUT },
		{ "/assets/app-3c.css", PAGE_CUT, OUT_BODY_CUT }, { "/assets/vendor-2b.js", PAGE_HUGE, OUT_TOO_LARGE },
		{ "/assets/vendor-2b.js", PAGE_RESET, OUT_RESET }, { "/assets/vendor-2b.js", PAGE_CLOSE, OUT_CLOSED },
		{ "/", PAGE_HANG, OUT_TIMEOUT }, { "/", PAGE_CUT, OUT_BODY_CUT }, { "/", PAGE_HUGE, OUT_TOO_LARGE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		site_reset(&app);
		good_front(&app);
		page_of(table[i].path)->mode = table[i].mode;
		load(table[i].want == OUT_TIMEOUT ? "      ui: { assets: /, timeout: 300ms }\n" : "      ui: { assets: /, timeout: 20s }\n");
		struct said s = rig_vote(&rig);
		rig_outcome(&s, table[i].want);
		assert_false(s.r.complete);
		rig_says(s.e.got, table[i].path);
		rig_clear(&rig);
	}
}

static void many_assets_are_fetched_four_at_a_time(void **state)
{
	struct buf page = BUF_INIT(65536);

	(void)state;
	for (int i = 0; i < 40; i++)
		buf_addf(&page, "<script src=/a%d.js></script>", i);
	site_page(&app, "/", 200, "text/html", buf_str(&page));
	for (int i = 0; i < 40; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/a%d.js", i);
		site_page(&app, path, 200, JS, "x");
	}
	load("      ui: { assets: { page: /, max: 40 } }\n");
	struct said s = rig_vote(&rig);
	rig_outcome(&s, OUT_PRESENT);
	assert_int_equal(s.r.requests, 41);
	assert_in_range(atomic_load(&app.shared->most_under_way), 1, 4);
	rig_clear(&rig);
	load("      ui: { assets: { page: /, max: 39 } }\n");
	s = rig_vote(&rig);
	rig_outcome(&s, OUT_PROBER_LIMIT);
	rig_says(s.e.want, "at most 39");
	buf_free(&page);
}

static void a_cancelled_hunt_ends_at_once(void **state)
{
	struct probe_job job = { .slot = BLUE, .release = "" };
	struct said s = { 0 };

	(void)state;
	good_front(&app);
	page_of("/assets/app-1a.js")->mode = page_of("/assets/app-3c.css")->mode = PAGE_HANG;
	load("      ui: { assets: /, timeout: 20s }\n");
	struct probe_handle *h = probe_start(rig.runner, &job, rig_done, &s);
	while (atomic_load(&app.shared->requests) < 4) /* the last one has been sent, which is no event of ours */
		ev_run(rig.loop, EVRUN_NOWAIT);
	assert_int_equal(s.dones, 0);
	probe_cancel(h);
	assert_int_equal(s.dones, 1);
	rig_outcome(&s, OUT_CANCELLED);
	s = (struct said){ 0 };
	probe_start(rig.runner, &job, rig_done, &s);
	probe_runner_free(&rig.runner);
	assert_int_equal(s.dones, 1);
	rig_outcome(&s, OUT_CANCELLED);
}

static void through_the_front_one_slot_answers_all(void **state)
{
	(void)state;
	good_front(&app);
	load("      ui: { assets: / }\n");
	snprintf(app.shared->stamp, 64, "blue/blue:1.1:plain");
	struct said s = rig_ask(&rig, VIA_FRONT, PURPOSE_VOTE, BLUE);
	rig_outcome(&s, OUT_PRESENT);
	assert_string_equal(s.r.stamp_value, "blue:1.1:plain");
	assert_int_equal(atomic_load(&app.shared->connections), 4);
	app.shared->stamp[0] = '\0';
	snprintf(page_of("/")->head, 64, "X-Switchd: blue/blue:1.1:plain\r\n");
	s = rig_ask(&rig, VIA_FRONT, PURPOSE_VOTE, BLUE);
	rig_outcome(&s, OUT_STALE_STAMP);
	rig_says(s.e.got, "answered by nobody who says so, the page by blue");
}

static void the_control_asks_for_a_script_that_nothing_has(void **state)
{
	(void)state;
	good_front(&app); /* answers every other path with 200 and its index page */
	load("      ui: { assets: / }\n");
	assert_null(probe_unproven(&rig.cfg->services[0].features[0]));
	struct said s = rig_ask(&rig, VIA_SLOT, PURPOSE_CONTROL, BLUE);
	rig_outcome(&s, OUT_ASSET_TYPE);
	rig_says(app.shared->log, "GET /assets/switchd-absent-");
	rig_says(app.shared->log, ".js\n");
	assert_int_equal(s.r.requests, 2); /* by its own count: what the test before gave up may still be on its way to the server */
	page_of("/")->status = 500;
	s = rig_ask(&rig, VIA_SLOT, PURPOSE_CONTROL, BLUE);
	rig_outcome(&s, OUT_NEVER_RAN);
}

static void refused(const char *features, const char *want)
{
	if (rig_load(&rig, app.port, other.port, features))
		fail_msg("it loads, and should say: %s", want);
	if (!strstr(buf_str(&rig.said), want))
		fail_msg("should say: %s\nsays:\n%s", want, buf_str(&rig.said));
	rig_clear(&rig);
}

static void mistakes_are_named_with_their_place(void **state)
{
	(void)state;
	refused("      ui: { assets: { page: /, marker: '/a(/' } }\n", "t.yaml:10:44: error: marker: ");
	refused("      ui: { assets: { marker: x } }\n", "missing key \"page\"");
	refused("      ui: { assets: x }\n", "want a path that begins with /");
	refused("      ui: { assets: [/] }\n", "want the path of a page, or a mapping");
	refused("      ui: { assets: }\n", "got nothing");
	refused("      ui: { assets: { page: /, min: 3, max: 2 } }\n", "min: 3 is more than max, 2");
	refused("      ui: { assets: { page: /, pages: 3 } }\n", "did you mean \"page\"?");
	refused("      ui: { assets: /, expect: [2xx] }\n", "judged by its page, scripts and styles");
}

static int stop(void **state)
{
	(void)state;
	site_stop(&app);
	site_stop(&other);
	return 0;
}

static int start(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	site_start(&app);
	site_start(&other);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(references_are_resolved_as_browsers_do),
		TEST(every_script_and_style_is_fetched_once),
		TEST(base_and_templates_and_other_origins),
		TEST(what_passes_for_a_script_is_found_out),
		TEST(hostile_assets_end_by_name_and_in_time),
		TEST(many_assets_are_fetched_four_at_a_time),
		TEST(a_cancelled_hunt_ends_at_once),
		TEST(through_the_front_one_slot_answers_all),
		TEST(the_control_asks_for_a_script_that_nothing_has),
		TEST(mistakes_are_named_with_their_place),
	};

	return cmocka_run_group_tests_name("probe_assets", tests, start, stop);
}
