/* SPDX-License-Identifier: MIT
 * tests/unit/inventory.c - lists of routes out of documents, and what two lists differ in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ev.h>
#include <unistd.h>

#include "probes/inventory/inventory.h"
#include "probes/assert/shape.h"
#include "tests/unit/support/hostile.h"

/* Every route as "path" ("path!" = a pattern or one that cannot be asked), blank separated, in order. */
static char *told(struct inventory *inv)
{
	struct buf out = BUF_INIT(1024 * 1024);

	inventory_sort(inv);
	for (size_t i = 0; i < inv->n; i++)
		buf_addf(&out, "%s%s%s", i ? " " : "", inv->routes[i].path, inv->routes[i].ask && !inv->routes[i].pattern ? "" : "!");
	buf_str(&out);
	return buf_take(&out);
}

static const struct { enum inventory_kind kind; const char *pick, *text, *routes, *error; } documents[] = {
	{ INV_OPENAPI, "",
	  "{\"openapi\":\"3.0.3\",\"paths\":{\"/quotes\":{\"get\":{}},\"/orders\":{\"post\":{}},\"/orders/{id}\":{\"get\":{\"parameters\":[{\"name\":\"id\","
	  "\"in\":\"path\",\"required\":true}]}},\"/users/{id}\":{\"parameters\":[{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"example\":\"a b\"}],"
	  "\"get\":{}}}}",
	  "/orders/{id}! /quotes /users/a%20b", "" },
	{ INV_OPENAPI, "",
	  "{\"openapi\":\"3.1.0\",\"servers\":[{\"url\":\"https://api.example.com/v1/\"}],\"paths\":{\"/find\":{\"get\":{\"parameters\":["
	  "{\"$ref\":\"#/components/parameters/Q\"},{\"name\":\"page\",\"in\":\"query\"},{\"name\":\"n\",\"in\":\"query\",\"required\":true,"
	  "\"schema\":{\"type\":\"integer\",\"default\":3}}]}},\"/need\":{\"get\":{\"parameters\":[{\"name\":\"X-Key\",\"in\":\"header\",\"required\":true}]}}},"
	  "\"components\":{\"parameters\":{\"Q\":{\"name\":\"q\",\"in\":\"query\",\"required\":true,\"examples\":{\"one\":{\"value\":\"x&y\"}}}}}}",
	  "/v1/find?q=x%26y&n=3 /v1/need!", "" },
	{ INV_OPENAPI, "", "openapi: 3.0.0\npaths:\n  /a:\n    get:\n      summary: x\n  /b/{n}:\n    get:\n      parameters:\n        - name: n\n"
	  "          in: path\n          required: true\n          schema: { type: integer, example: 5 }\n", "/a /b/5", "" },
	{ INV_OPENAPI, "", "{\"swagger\":\"2.0\",\"paths\":{}}", "", "not an OpenAPI 3 document: openapi: is not 3.x" },
	{ INV_OPENAPI, "", "{\"openapi\":\"3.0.0\"}", "", "not an OpenAPI 3 document: it has no paths" },
	{ INV_OPENAPI, "", "{\"openapi\":", "", "not JSON: " },
	{ INV_OPENAPI, "", "<html><body>hello", "", "not " },
	{ INV_OPENAPI, "", "a: [", "", "not YAML: " },
	{ INV_OPENAPI, "", "", "", "not " },
	{ INV_SITEMAP, "", "<?xml version=\"1.0\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\"><url><loc>https://shop.example.com/a?x=1&amp;y=2"
	  "</loc><lastmod>2026-01-01</lastmod></url><url><loc> http://SHOP.example.com:8080 </loc></url><url><loc>https://other.example.com/no</loc></url>"
	  "<url><loc><![CDATA[/rel/../b]]></loc></url></urlset>", "/ /a?x=1&y=2 /b", "" },
	{ INV_SITEMAP, "", "<html><body>nothing</body></html>", "", "not a sitemap: its root is <html>" },
	{ INV_SITEMAP, "", "<!doctype html><html><p>x", "", "not XML" },
	{ INV_SITEMAP, "", "<!DOCTYPE u [<!ENTITY a \"/x\">]><urlset><url><loc>&a;</loc></url></urlset>", "",
	  "the document declares entities or types of its own" },
	{ INV_SITEMAP, "", "<!DOCTYPE urlset><urlset><url><loc>/a</loc></url></urlset>", "", "it has a document type: no sitemap has one" },
	{ INV_SITEMAP, "", "<urlset></urlset>", "", "it lists nothing" },
	{ INV_SITEMAP, "", "\x1f\x8b gzip", "", "a gzip file: name the sitemap that is served as XML" },
	{ INV_LINKS, "//a/@href", "<html><a href='x'>1</a><a href='/y#top'>2</a><A HREF='?q=1'>3</A><a href='../../z'>4</a><a href='mailto:a@b.c'>5</a>"
	  "<a href='javascript:x()'>6</a><a href='//cdn.example.net/a'>7</a><a href='https://shop.example.com'>8</a><a href='#only'>9</a>"
	  "<a href='y&amp;z'>10</a>", "/ /dir/page?q=1 /dir/x /dir/y&z /y /z", "" },
	{ INV_LINKS, "//nav//a/@href", "<nav><ul><a href=/in>x</a></ul></nav><a href=/out>y</a>", "/in", "" },
	{ INV_LINKS, "//nav//a/@href", "<p>none</p>", "", "//nav//a/@href: finds nothing on the page" },
	{ INV_LINKS, "count(//a)", "<a href=/x>", "", "count(//a): it finds no nodes but a single value" },
	{ INV_LINKS, "//a[", "<a href=/x>", "", "the XPath does not compile" },
	{ INV_LINKS, "//loc/text()", "<loc>/t</loc>", "/t", "" },
	/* What a browser would make of half a document is no list. */
	{ INV_SITEMAP, "", "<urlset><url><loc>/a</loc></url><url><loc>/b</l", "", "not XML" },
	{ INV_ROUTES, "$.routes[*].path", "{\"routes\":[{\"path\":\"/a\"},{\"path\":\"b\"},{\"path\":7}]}", "/a /dir/b", "" },
	{ INV_ROUTES, "$[*]", "[\"/x\",\"/x\",\"https://shop.example.com/y\"]", "/x /y", "" },
	{ INV_ROUTES, "$.routes[*].path", "{\"other\":1}", "", "$.routes[*].path: finds nothing" },
	{ INV_ROUTES, "$.n", "{\"n\":1}", "", "$.n: finds no texts" },
	{ INV_LOG, "",
	  "10.0.0.1 - - [22/Nov/2026:03:12:07 +0000] \"GET /orders/17?x=1 HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0 (X)\"\n"
	  "10.0.0.1 - bob [22/Nov/2026:03:12:07 +0000] \"GET /orders/18 HTTP/2.0\" 200 512\n"
	  "10.0.0.1 - - [22/Nov/2026:03:12:07 +0000] \"GET /wp-login.php HTTP/1.1\" 404 5\n"
	  "10.0.0.1 - - [22/Nov/2026:03:12:07 +0000] \"POST /orders HTTP/1.1\" 201 5\n"
	  "Nov 22 03:12:07 lb haproxy[12]: 10.0.0.1:33 [22/Nov/2026:03:12:07.304] fe be-blue/s1 0/0/0/12/12 200 1234 - - ---- 1/1/0/0/0 0/0 "
	  "\"GET /api/quotes HTTP/1.1\"\n"
	  "Nov 22 03:12:07 lb haproxy[12]: 10.0.0.1:33 [22/Nov/2026:03:12:07.304] fe be-blue/s1 0/0/0/-1/+12 503 0 - - sC-- 1/1/0/0/0 0/0 "
	  "\"GET /api/dead HTTP/1.1\"\n"
	  "nonsense\n", "/api/quotes /orders/{id}!", "" },
	{ INV_LOG, "", "hello\n", "", "no line has a form that is read here: common, combined, or HAProxy's http" },
	{ INV_LOG, "", "", "", "the log is empty" },
};

static void test_documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		struct inventory_source s = { .kind = documents[i].kind, .where = "/dir/page", .pick = documents[i].pick, .top = 50, .ask = true };
		struct inventory_doc doc = { .source = &s, .host = "shop.example.com", .base = "/dir/page", .text = documents[i].text,
					     .len = strlen(documents[i].text) };
		struct inventory_children children = { .n = 0 };
		struct inventory *inv = inventory_new();
		char err[160] = "";
		bool ok = inventory_parse(inv, &doc, &children, err, sizeof(err));
		char *got = told(inv);

		if (strcmp(got, documents[i].routes) != 0 || strncmp(err, documents[i].error, strlen(documents[i].error)) != 0 || ok != !documents[i].error[0])
			fail_msg("document %zu: \"%s\" (%s), want \"%s\" (%s)", i, got, err, documents[i].routes, documents[i].error);
		free(got);
		inventory_free(&inv);
		inventory_children_clear(&children);
	}
}

static void test_index(void **state)
{
	static const char text[] = "<sitemapindex><sitemap><loc>https://shop.example.com/s1.xml</loc></sitemap><sitemap><loc>/s2.xml</loc></sitemap></sitemapindex>";
	struct inventory_source s = { .kind = INV_SITEMAP, .where = "/sitemap.xml", .pick = "", .ask = true };
	struct inventory_doc doc = { .source = &s, .host = "shop.example.com", .base = "/sitemap.xml", .text = text, .len = strlen(text) };
	struct inventory_children children = { .n = 0 };
	struct inventory *inv = inventory_new();
	char err[160];

	(void)state;
	assert_true(inventory_parse(inv, &doc, &children, err, sizeof(err)));
	assert_int_equal(children.n, 2);
	assert_string_equal(children.path[0], "/s1.xml");
	assert_string_equal(children.path[1], "/s2.xml");
	assert_int_equal(inv->n, 0);
	inventory_children_clear(&children);
	assert_false(inventory_parse(inv, &doc, NULL, err, sizeof(err)));
	assert_string_equal(err, "an index of sitemaps inside an index of sitemaps");
	inventory_free(&inv);
}

static void test_normalise(void **state)
{
	static const char *const pairs[][2] = {
		{ "/", "/" }, { "/a/b?x=1", "/a/b" }, { "/orders/17", "/orders/{id}" }, { "/orders/17/items/3/", "/orders/{id}/items/{id}/" },
		{ "/u/2f1b6a3e-8d3c-4d53-9a2e-0c7c0f5b7d11/x", "/u/{id}/x" }, { "/c/deadbeef01", "/c/{id}" }, { "/facade", "/facade" },
		{ "/v2/quotes", "/v2/quotes" }, { "/t/abcdefghij0123456789xyz", "/t/{id}" }, { "/js/app.0123456789abcdef01.js", "/js/app.0123456789abcdef01.js" },
	};
	char out[INVENTORY_MAX_PATH + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_true(inventory_normalise(pairs[i][0], strlen(pairs[i][0]), out));
		assert_string_equal(out, pairs[i][1]);
	}
	assert_false(inventory_normalise("*", 1, out));
}

static void test_unsafe(void **state)
{
	(void)state;
	assert_true(inventory_unsafe("/logout"));
	assert_true(inventory_unsafe("/account/sign-out?x"));
	assert_true(inventory_unsafe("/cart?action=remove&id=1"));
	assert_false(inventory_unsafe("/blog/how-to-delete-files"));
	assert_false(inventory_unsafe("/removed"));
	assert_false(inventory_unsafe("/quotes"));
}

/* More routes than there is room for: what is past it is counted, and each is found. */
static void test_bounds(void **state)
{
	struct inventory *inv = inventory_new();
	char path[600];

	(void)state;
	for (int i = 0; i < INVENTORY_MAX_ROUTES + 5; i++) {
		text_format(path, sizeof(path), "/r%d", i);
		assert_int_equal(inventory_add(inv, path, strlen(path), 0, true, false), i < INVENTORY_MAX_ROUTES);
	}
	assert_int_equal(inv->n, INVENTORY_MAX_ROUTES);
	assert_int_equal(inv->left_out, 5);
	assert_true(inventory_add(inv, "/r7", 3, 1, true, false));
	assert_int_equal(inventory_find(inv, "/r7")->sources, 3);
	assert_null(inventory_find(inv, "/r2000"));
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	assert_false(inventory_add(inv, path, INVENTORY_MAX_PATH + 1, 0, true, false));
	assert_false(inventory_add(inv, "//host/x", 8, 0, true, false));
	assert_false(inventory_add(inv, "/a b", 4, 0, true, false));
	assert_false(inventory_add(inv, "/a\r\nX: y", 8, 0, true, false));
	assert_false(inventory_add(inv, "/\xff", 2, 0, true, false));
	inventory_free(&inv);
}

/* ---- comparing ---- */

/* "/path=200 text/html" or "/path" (listed, not asked) or "/path=-" (no answer), comma separated. */
static struct inventory *list(const char *text)
{
	struct inventory *inv = inventory_new();

	while (*text) {
		size_t n = strcspn(text, ","), eq = strcspn(text, "=,");

		assert_true(inventory_add(inv, text, eq, 0, true, false));
		struct inventory_route *r = &inv->routes[inv->n - 1];

		if (eq < n && text[eq + 1] == '-') {
			r->asked = ROUTE_SILENT;
		} else if (eq < n) {
			r->asked = ROUTE_ANSWERED;
			r->status = strtol(text + eq + 1, NULL, 10);
			if (n > eq + 5)
				text_copy_n(r->type, sizeof(r->type), text + eq + 5, n - eq - 5);
		}
		text += n + (text[n] == ',');
	}
	return inv;
}

static const struct { const char *active, *idle, *removes, *rows; bool known; const char *why; } pairs[] = {
	{ "/a,/b", "/a,/b", NULL, "present /a present /b", true, "" },
	{ "/a,/b", "/a", NULL, "lost /b present /a", true, "lost /b" },
	{ "/a", "/a,/n", NULL, "gained /n present /a", true, "" },
	{ "/a,/b/x,/b/y", "/a", "/b/*", "removed /b/x removed /b/y present /a", true, "" },
	{ "/a,/q?x", "/a", "quotes", "removed /q?x present /a", true, "" },
	{ "/a,/other", "/a", "quotes", "lost /other present /a", true, "lost /other" },
	{ "/a=200 text/html", "/a=404 text/html", NULL, "lost /a", true, "lost /a" },
	{ "/a=200 application/json", "/a=200 text/html", NULL, "lost /a", true, "lost /a" },
	{ "/a=200 text/html", "/a=302", NULL, "lost /a", true, "lost /a" },
	{ "/a=401", "/a=403", NULL, "present /a", true, "" },
	{ "/a=401", "/a=200 text/html", NULL, "changed /a", true, "" },
	{ "/a=404", "/a=404", NULL, "broken-both /a", true, "" },
	{ "/a=500", "/a=200 text/html", NULL, "gained /a", true, "" },
	{ "/a=200 text/html", "/a=-", NULL, "unknown /a", false, "no answer for /a" },
	{ "/a=-", "/a=200 text/html", NULL, "unknown /a", false, "no answer for /a" },
	{ "/a=-", "/b", NULL, "unknown /a gained /b", false, "no answer for /a" },
	{ "/a,/b,/c,/d,/e", "/a", NULL, "lost /b lost /c lost /d lost /e present /a", true, "lost /b, /c, /d and 1 more" },
};

static void test_compare(void **state)
{
	struct feature f = { .name = "quotes", .path = "/q", .url = "" };
	struct service_config cfg = { .name = "shop", .features = &f, .n_features = 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct inventory *active = list(pairs[i].active), *idle = list(pairs[i].idle);
		struct inventory_diff d;
		struct buf got = BUF_INIT(4096);

		inventory_compare(&cfg, active, idle, &pairs[i].removes, pairs[i].removes ? 1 : 0, inventory_same, &d);
		for (size_t k = 0; k < d.n; k++)
			buf_addf(&got, "%s%s %s", k ? " " : "", fate_name(d.rows[k].fate), d.rows[k].path);
		if (strcmp(buf_str(&got), pairs[i].rows) != 0 || d.known != pairs[i].known || strcmp(d.why, pairs[i].why) != 0)
			fail_msg("pair %zu: %s (known %d, \"%s\")", i, buf_str(&got), d.known, d.why);
		buf_free(&got);
		inventory_diff_free(&d);
		inventory_free(&active);
		inventory_free(&idle);
	}
}

/* A list that is not whole tells nothing about what it lacks. */
static void test_incomplete(void **state)
{
	struct service_config cfg = { .name = "shop" };
	struct inventory *active = list("/a"), *idle = list("/a");
	struct inventory_diff d;

	(void)state;
	inventory_note(idle, true, "sitemap /sitemap.xml: answered 404");
	inventory_compare(&cfg, active, idle, NULL, 0, inventory_same, &d);
	assert_false(d.known);
	assert_string_equal(d.why, "idle slot: sitemap /sitemap.xml: answered 404");
	inventory_diff_free(&d);
	idle->failed = false;
	/* The release that brings the list has nothing to be compared with; one that lost it is unknown. */
	idle->n_notes = 0;
	active->slot = GREEN;
	inventory_absent(active, 0, "routes /routes.json: answered 404");
	inventory_compare(&cfg, active, idle, NULL, 0, inventory_same, &d);
	assert_true(d.known);
	assert_string_equal(d.why, "no inventory on green yet: routes /routes.json: answered 404");
	inventory_diff_free(&d);
	inventory_absent(idle, 0, "routes /routes.json: answered 404");
	inventory_compare(&cfg, active, idle, NULL, 0, inventory_same, &d);
	assert_false(d.known);
	assert_string_equal(d.why, "idle slot: routes /routes.json: answered 404");
	inventory_diff_free(&d);
	/* What is not on half a list is not lost: it may stand on the other half. */
	struct inventory *empty = list("");

	active->absent = 0;
	inventory_absent(empty, 0, "routes /routes.json: answered 404");
	inventory_compare(&cfg, active, empty, NULL, 0, inventory_same, &d);
	assert_int_equal(d.count[FATE_LOST], 0);
	assert_int_equal(d.count[FATE_UNKNOWN], 1);
	assert_string_equal(d.why, "idle slot: routes /routes.json: answered 404");
	inventory_diff_free(&d);
	inventory_free(&empty);
	idle->absent = 0;
	/* No active slot: nothing can be lost. */
	idle->failed = false;
	inventory_compare(&cfg, NULL, idle, NULL, 0, inventory_same, &d);
	assert_true(d.known);
	assert_int_equal(d.count[FATE_LOST], 0);
	inventory_diff_free(&d);
	inventory_free(&active);
	inventory_free(&idle);
}

/* A long path of long characters is cut between two of them: what says so is JSON. */
static void test_long_names(void **state)
{
	struct service_config cfg = { .name = "shop" };
	char path[128] = "/";

	(void)state;
	for (int i = 0; i < 30; i++)
		text_format(path + strlen(path), sizeof(path) - strlen(path), "\xc3\xa9");
	struct inventory *active = list(path), *idle = list("/a");
	struct inventory_diff d;

	inventory_compare(&cfg, active, idle, NULL, 0, inventory_same, &d);
	json_t *j = inventory_diff_json(&d);

	assert_non_null(j);
	json_decref(j);
	inventory_diff_free(&d);
	inventory_free(&active);
	inventory_free(&idle);
}

static void test_coverage(void **state)
{
	struct feature f[] = { { .name = "quotes", .path = "/api/quotes?fresh=1", .url = "" }, { .name = "order", .path = "/orders/42", .url = "" },
			       { .name = "vendor", .path = "/", .url = "https://vendor.example.com/x" } };
	struct service_config cfg = { .name = "shop", .features = f, .n_features = 3 };
	struct inventory *active = list("/api/quotes=200 application/json,/orders/{id},/orders,/x,/gone=404"), *idle = list("/x");
	struct inventory_diff d;

	(void)state;
	assert_true(inventory_probed(&cfg, "/api/quotes"));
	assert_true(inventory_probed(&cfg, "/orders/{id}"));
	assert_false(inventory_probed(&cfg, "/orders"));
	assert_false(inventory_probed(&cfg, "/orders/{id}/items"));
	assert_false(inventory_probed(&cfg, "/x"));
	inventory_compare(&cfg, active, idle, NULL, 0, inventory_same, &d);
	assert_int_equal(d.routes, 4);
	assert_int_equal(d.probed, 2);
	json_t *j = inventory_diff_json(&d);

	assert_int_equal(json_integer_value(json_object_get(j, "coverage_percent")), 50);
	json_decref(j);
	inventory_diff_free(&d);
	inventory_free(&active);
	inventory_free(&idle);
}

/* More keys on the idle slot are allowed, fewer are another shape. */
static void test_shapes(void **state)
{
	static const char *const bodies[] = { "{\"a\":1,\"b\":2}", "{\"a\":3,\"b\":4,\"c\":5}", "{\"a\":1}" };
	char *text[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct shape *s = shape_learn(200, "application/json", "", bodies[i], strlen(bodies[i]));

		text[i] = shape_json(s);
		shape_free(&s);
	}
	assert_true(inventory_same(text[0], text[0]));
	assert_true(inventory_same(text[0], text[1]));
	assert_false(inventory_same(text[0], text[2]));
	assert_false(inventory_same("nonsense", "nonsense"));
	for (int i = 0; i < 3; i++)
		free(text[i]);
}

/* ---- fetched from a slot ---- */

static struct hostile app;

static void taken(void *arg, enum slot slot, struct inventory *inv)
{
	assert_int_equal(slot, BLUE);
	*(struct inventory **)arg = inv;
}

static struct inventory *fetch(struct ev_loop *loop, const struct service_config *svc)
{
	struct inventory *inv = NULL;

	inventory_fetch(loop, svc, BLUE, taken, &inv);
	while (!inv)
		ev_run(loop, EVRUN_ONCE);
	return inv;
}

/* A list behind a login; a document that is not there, and one that cannot be had. */
static void test_fetch(void **state)
{
	static const struct { int status; bool failed; unsigned absent; } rows[] = {
		{ 404, false, 1 }, { 410, false, 1 }, { 403, true, 0 }, { 500, true, 0 }, { 302, true, 0 },
	};
	struct ev_loop *loop = ev_loop_new(0);
	struct buf text = BUF_INIT(4096), errors = BUF_INIT(4096);
	struct inventory *inv;

	(void)state;
	alarm(60);
	buf_addf(&text,
		 "version: 1\ndefaults: { headers: { Authorization: Basic YTpi, X-Who: nobody } }\nservices:\n  shop:\n    front: http://shop.test\n"
		 "    headers: { X-Who: \"me\" }\n    slots: { blue: [ \"127.0.0.1:%u\" ], green: [ \"127.0.0.1:1\" ] }\n"
		 "    features: { root: { path: /, headers: { X-Own: \"1\" } } }\n    inventory: [ { routes: /body, jsonpath: \"$[*]\" } ]\n", app.port);
	struct config *cfg = config_load("t.yaml", buf_str(&text), text.len, NULL, NULL, &errors, NULL);

	if (!cfg)
		fail_msg("%s", buf_str(&errors));
	const struct service_config *svc = &cfg->services[0];

	assert_true(TEXT_COPY(app.shared->body, "[\"/ok\"]"));
	inv = fetch(loop, svc);
	assert_int_equal(inv->n, 1);
	assert_false(inv->failed);
	assert_int_equal(inv->routes[0].status, 200);
	assert_non_null(strstr(app.shared->last, "GET /ok "));
	assert_non_null(strstr(app.shared->last, "Authorization: Basic YTpi\r\n"));
	assert_non_null(strstr(app.shared->last, "X-Who: me\r\n"));
	assert_non_null(strstr(app.shared->last, "X-Switchd-Probe: shop/inventory\r\n"));
	assert_null(strstr(app.shared->last, "X-Own"));
	inventory_free(&inv);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		atomic_store(&app.shared->status, rows[i].status);
		inv = fetch(loop, svc);
		assert_non_null(strstr(app.shared->last, "Authorization: Basic YTpi\r\n"));
		assert_int_equal(inv->n, 0);
		assert_int_equal(inv->failed, rows[i].failed);
		assert_int_equal(inv->absent, rows[i].absent);
		assert_int_equal(inv->n_notes, 1);
		inventory_free(&inv);
	}
	config_free(&cfg);
	ev_loop_destroy(loop);
	buf_free(&text);
	buf_free(&errors);
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents), cmocka_unit_test(test_index), cmocka_unit_test(test_normalise), cmocka_unit_test(test_unsafe),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_compare), cmocka_unit_test(test_incomplete), cmocka_unit_test(test_long_names), cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_shapes), cmocka_unit_test(test_fetch),
	};
	int rc;

	hostile_start(&app, "app");
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	hostile_stop(&app);
	return rc;
}
