/* SPDX-License-Identifier: MIT
 * config.c - the loader, its errors, and what config show prints.
 *
 * tests/tables/config/bad-*.yaml end with the errors they must give, all of them and no
 * other ("#! LINE:COL: error: ..."); good-*.yaml load, with the warnings told likewise,
 * and what config_show() prints of them loads again to the same. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switchd/core/config/config.h"
#include "switchd/core/config/settings.h"

static const char dir[] = "tests/tables/config";

/* What stands in files, for these tests: core reads none itself. */
static const char *a_file(const char *name)
{
	static char large[70000];

	memset(large, 'x', sizeof(large) - 1);
	errno = strcmp(name, "/test/large") == 0 ? EFBIG : strcmp(name, "/test/pipe") == 0 ? EINVAL : ENOENT;
	return strcmp(name, "/test/body") == 0 ? "{\"probe\": 1}\n" : strcmp(name, "/test/token") == 0 ? "t0ken-abc\n" :
	       strcmp(name, "/test/password") == 0 ? "pass word\r\n" : strcmp(name, "/test/lines") == 0 ? "a\nb\n" :
	       strcmp(name, "/test/empty") == 0 ? "\n" : strcmp(name, "/test/binary") == 0 ? "a\xff" : NULL;
}

static const char *no_env(const char *name, void *arg)
{
	(void)arg;
	return name[0] == '/' ? a_file(name) : NULL;
}

static const char *some_env(const char *name, void *arg)
{
	(void)arg;
	if (name[0] == '/')
		return a_file(name);
	return strcmp(name, "HOST") == 0 ? "shop.example.com" : strcmp(name, "FIVE") == 0 ? "5" : strcmp(name, "PACE") == 0 ? "3s" :
	       strcmp(name, "SECRET") == 0 ? "hunter2\"$$${x}" : strcmp(name, "EMPTY") == 0 ? "" : strcmp(name, "BINARY") == 0 ? "a\xff" :
	       strcmp(name, "EVIL") == 0 ? "1s\nstate_dir: /tmp" : NULL;
}

static struct config *load_n(const char *text, size_t len, struct buf *said, int *errors)
{
	buf_init(said, 1024 * 1024);
	return config_load("t.yaml", text, len, some_env, NULL, said, errors);
}

static struct config *load(const char *text, struct buf *said)
{
	int errors;

	struct config *c = load_n(text, strlen(text), said, &errors);
	assert_int_equal(c == NULL, errors > 0);
	return c;
}

static struct config *load_ok(const char *text)
{
	struct buf said;
	struct config *c = load(text, &said);

	if (!c)
		fail_msg("does not load:\n%s", buf_str(&said));
	buf_free(&said);
	return c;
}

static void refused(const char *text, const char *want)
{
	struct buf said;
	struct config *c = load(text, &said);

	if (c)
		fail_msg("loads, and should say: %s\n%s", want, text);
	if (!strstr(buf_str(&said), want))
		fail_msg("should say: %s\nsays:\n%s", want, buf_str(&said));
	buf_free(&said);
}

/* A file with one service, `rest` indented into it. */
#define SHOP "version: 1\nservices:\n  shop:\n    slots: { blue: [10.0.0.1:80], green: [10.0.0.2:80] }\n"

/* ---- the files ---- */

static char *slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	char *text = xmalloc(65536);

	assert_non_null(f);
	*len = fread(text, 1, 65535, f);
	text[*len] = '\0';
	fclose(f);
	return text;
}

static void wanted_notes(const char *text, struct buf *out)
{
	for (const char *p = text; (p = strstr(p, "#! ")); p++) {
		const char *end = strchr(p, '\n');

		assert_non_null(end);
		buf_add(out, p + 3, (size_t)(end - p - 3) + 1);
	}
}

/* The lines "t.yaml:L:C: error: ..." without the name; source and caret lines are left out. */
static void given_notes(const char *said, const char *name, struct buf *out)
{
	while (*said) {
		const char *end = strchr(said, '\n');

		if (text_starts(said, name) && said[strlen(name)] == ':')
			buf_add(out, said + strlen(name) + 1, (size_t)(end - said) - strlen(name));
		said = end + 1;
	}
}

/* What is for an agent says so in its name. */
static enum config_role role_of(const char *path) { return strstr(path, "-agent") ? CONFIG_AGENT : CONFIG_CONTROLLER; }

static void shows_the_same(const struct config *c, const char *path)
{
	struct buf shown = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20), said = BUF_INIT(1 << 20);
	int errors;

	config_show(c, NULL, &shown);
	struct config *d = config_load_for(role_of(path), path, buf_str(&shown), shown.len, no_env, NULL, &said, &errors);
	if (!d)
		fail_msg("%s: what it shows does not load:\n%s", path, buf_str(&said));
	config_show(d, NULL, &again);
	assert_string_equal(buf_str(&shown), buf_str(&again));
	assert_int_equal(c->n_services, d->n_services);
	for (size_t i = 0; i < c->n_services; i++) {
		const struct service_config *x = &c->services[i], *y = &d->services[i];

		assert_true(x->fingerprint == y->fingerprint);
		assert_int_equal(x->default_feature, y->default_feature);
		assert_int_equal(x->n_features, y->n_features);
		assert_memory_equal(&x->front_target.port, &y->front_target.port, sizeof(x->front_target.port));
		for (size_t k = 0; k < x->n_features; k++) {
			assert_true(x->features[k].fingerprint == y->features[k].fingerprint);
			assert_int_equal(x->features[k].compare, y->features[k].compare);
			assert_memory_equal(&x->features[k].rule.interval_ms, &y->features[k].rule.interval_ms, 6 * sizeof(int64_t));
		}
	}
	config_free(&d);
	buf_free(&shown);
	buf_free(&again);
	buf_free(&said);
}

static void test_files(void **state)
{
	(void)state;
	DIR *d = opendir(dir);
	int good = 0, bad = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		bool is_good = text_starts(e->d_name, "good-");
		char path[512];
		size_t len;
		int errors;

		if (!is_good && !text_starts(e->d_name, "bad-"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		char *text = slurp(path, &len);
		struct buf want = BUF_INIT(1 << 20), given = BUF_INIT(1 << 20), said = BUF_INIT(1 << 20);
		struct config *c = config_load_for(role_of(path), path, text, len, no_env, NULL, &said, &errors);

		wanted_notes(text, &want);
		given_notes(buf_str(&said), path, &given);
		if (strcmp(buf_str(&want), buf_str(&given)) != 0)
			fail_msg("%s\nwant:\n%sgot:\n%s", path, buf_str(&want), buf_str(&given));
		if (is_good && !c)
			fail_msg("%s does not load", path);
		if (!is_good && (c || !errors))
			fail_msg("%s loads", path);
		if (c)
			shows_the_same(c, path);
		*(is_good ? &good : &bad) += 1;
		config_free(&c);
		free(text);
		buf_free(&want);
		buf_free(&given);
		buf_free(&said);
	}
	closedir(d);
	assert_true(good >= 5 && bad >= 8);
}

/* ---- what a file means ---- */

static struct config *load_file(const char *name)
{
	char path[512];
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	char *text = slurp(path, &len);
	struct config *c = load_ok(text);
	free(text);
	return c;
}

/* The numbers of behaviour.md and interface.md 3, once more, by hand. */
static void test_minimal(void **state)
{
	(void)state;
	struct config *c = load_file("good-minimal.yaml");
	const struct service_config *s = config_service(c, "shop");

	assert_non_null(s);
	assert_null(config_service(c, "shops"));
	assert_int_equal(c->n_services, 1);
	assert_string_equal(c->file, "t.yaml");
	assert_string_equal(c->state_dir, "/var/lib/switchd");
	assert_string_equal(c->listen.http, "127.0.0.1:7600");
	assert_string_equal(c->listen.operators, "127.0.0.1:7601");
	assert_string_equal(c->listen.unix_path, "/run/switchd/switchd.sock");
	assert_true(c->redis.embedded);
	assert_string_equal(c->redis.prefix, "switchd:");
	assert_string_equal(c->redis.redis_server, "redis-server");
	assert_string_equal(c->redis.host, "");
	assert_string_equal(c->redis.unix_path, "");
	assert_string_equal(c->tokens_file, "");
	assert_int_equal(c->lease_ttl_ms, 5000);

	assert_string_equal(s->front, "https://shop.example.com");
	assert_string_equal(s->front_target.host, "shop.example.com");
	assert_int_equal(s->front_target.port, 443);
	assert_true(s->front_target.tls);
	assert_int_equal(s->line, 4);
	for (int slot = BLUE; slot <= GREEN; slot++) {
		assert_int_equal(s->slot[slot].n_targets, 2);
		assert_int_equal(s->slot[slot].min_targets, 0);
		assert_string_equal(s->slot[slot].targets[1].host, "10.0.0.2");
		assert_int_equal(s->slot[slot].targets[1].port, slot == BLUE ? 8101 : 8102);
		assert_false(s->slot[slot].targets[0].tls);
		assert_true(s->slot[slot].tls.verify);
		assert_string_equal(s->slot[slot].tls.ca_file, "");
	}
	assert_int_equal(s->n_proxies, 1);
	assert_string_equal(s->proxies[0].name, "haproxy");
	assert_string_equal(s->proxies[0].type, "haproxy");
	assert_string_equal(s->proxies[0].socket, "/run/haproxy/admin.sock");
	assert_string_equal(s->proxies[0].map, "/var/lib/switchd/shop.map");
	assert_string_equal(s->proxies[0].paths, "/var/lib/switchd/shop.paths");
	assert_string_equal(s->proxies[0].front, "");
	assert_string_equal(s->proxies[0].backend[BLUE], "shop-blue");
	assert_string_equal(s->proxies[0].backend[GREEN], "shop-green");
	assert_string_equal(s->proxies[0].shield_backend, "shop-shield");
	assert_int_equal(s->initial, NO_SLOT);
	assert_int_equal(s->mode, MODE_ENFORCE);
	assert_int_equal(s->rollback, RB_AUTO);
	assert_true(s->shield && s->auto_promote && s->offline_rollback);
	assert_int_equal(s->bake_ms, 300000);
	assert_int_equal(s->drain_ms, 30000);
	assert_string_equal(c->archive, "/var/lib/switchd/archive");
	assert_true(s->n_recheck == 2 && s->recheck_ms[0] == 3600000 && s->recheck_ms[1] == 86400000);
	assert_int_equal(s->prove_timeout_ms, 60000);
	assert_int_equal(s->ready_timeout_ms, 3600000);
	assert_int_equal(s->flip_timeout_ms, 10000);
	assert_int_equal(s->claim_ttl_ms, 3600000);
	assert_int_equal(s->rollback_window_ms, 86400000);
	assert_int_equal(s->unknown_limit_ms, 10000);
	assert_int_equal(s->unknown_limit_bake_ms, 2000);
	assert_int_equal(s->budget_max, 3);
	assert_int_equal(s->budget_per_ms, 86400000);
	assert_int_equal(s->max_rate, 50);
	assert_int_equal(s->observe, 2);
	assert_false(s->identity.on || s->has_reference || s->default_feature);

	assert_int_equal(s->n_features, 2);
	const struct feature *f = config_feature(s, "quotes");
	assert_ptr_equal(f, &s->features[0]);
	assert_null(config_feature(s, "quote"));
	assert_string_equal(f->path, "/api/quotes");
	assert_string_equal(f->method, "GET");
	assert_true(f->compare && !f->writes && f->severity == SEV_CRITICAL && !f->n_expect && !f->n_headers);
	assert_string_equal(f->url, "");
	assert_string_equal(f->body, "");
	assert_string_equal(f->control_path, "");
	const struct probe_rule *r = &f->rule;
	assert_int_equal(r->interval_ms, 1000);
	assert_int_equal(r->idle_interval_ms, 10000);
	assert_int_equal(r->fast_interval_ms, 200);
	assert_int_equal(r->confirm_ms, 20);
	assert_int_equal(r->timeout_ms, 2000);
	assert_int_equal(r->start_period_ms, 0);
	assert_int_equal(r->rise, 2);
	assert_int_equal(r->fall, 2);
	assert_int_equal(r->calm, 5);
	assert_true(r->via_slot && r->via_front && !r->fresh);
	config_free(&c);
	assert_null(c);
}

static void test_full(void **state)
{
	(void)state;
	struct config *c = load_file("good-full.yaml");
	const struct service_config *s = &c->services[0];

	const struct feature *look = config_feature(s, "look");

	assert_true(look->against.on);
	assert_int_equal(look->against.n_ignore, 2);
	assert_string_equal(look->against.ignore[1], "$.items[].score");
	assert_int_equal(look->against.tolerance, 20);
	assert_string_equal(look->against.xpath, "//tr");
	assert_false(config_feature(s, "order")->against.on);
	assert_string_equal(c->listen.http, "[::1]:7610");
	assert_string_equal(c->listen.operators, "");
	assert_false(c->redis.embedded);
	assert_string_equal(c->redis.host, "127.0.0.1");
	assert_int_equal(c->redis.port, 6390);
	assert_int_equal(c->redis.db, 3);
	assert_string_equal(c->redis.user, "switchd");
	assert_string_equal(c->redis.password_file, "/etc/switchd/redis");
	assert_string_equal(c->tokens_file, "/etc/switchd/tokens");
	assert_int_equal(c->lease_ttl_ms, 7000);
	assert_string_equal(c->archive, "/tmp/switchd-archive");
	assert_true(c->archive_keep_ms == 30 * INT64_C(86400000) && c->archive_bytes == 77 * 1024 * 1024);
	assert_int_equal(s->n_recheck, 2);
	assert_int_equal(s->recheck_ms[0], 7200000);
	assert_int_equal(s->recheck_ms[1], 3 * 86400000);
	assert_string_equal(s->front, "https://shop.example.com");      /* the slash is dropped */
	assert_int_equal(s->mode, MODE_OBSERVE);                        /* the service's, over the top's gate */
	assert_int_equal(s->bake_ms, 120000);                           /* the service's, over the defaults' */
	assert_int_equal(s->budget_max, 2);
	assert_int_equal(s->budget_per_ms, 2 * 86400000);               /* of the defaults: merged by key */
	assert_true(s->rollback_window_ms == INT64_MAX);
	assert_int_equal(s->rollback, RB_ASK);
	assert_false(s->shield || s->auto_promote || s->offline_rollback);
	assert_int_equal(s->initial, GREEN);
	assert_true(s->has_reference && s->reference.tls);
	assert_int_equal(s->reference.port, 443);
	assert_string_equal(s->reference.text, "https://gw.example.com/up");
	assert_int_equal(s->slot[BLUE].min_targets, 1);
	assert_string_equal(s->slot[BLUE].targets[1].host, "fd00::2");
	assert_true(s->slot[BLUE].targets[1].tls);
	assert_true(s->slot[GREEN].targets[0].tls);                     /* 443 behind an https front */
	assert_false(s->slot[BLUE].tls.verify);
	assert_string_equal(s->slot[BLUE].tls.key_file, "/etc/k.pem");
	assert_int_equal(s->n_proxies, 3);
	assert_string_equal(s->proxies[0].name, "haproxy");
	assert_string_equal(s->proxies[0].front, "http://10.0.0.9:80");
	assert_string_equal(s->proxies[1].name, "edge");
	assert_string_equal(s->proxies[1].map, "/tmp/switchd/shop.map");
	assert_string_equal(s->proxies[1].backend[GREEN], "g");
	assert_string_equal(s->proxies[1].shield_backend, "s");
	assert_string_equal(s->proxies[2].name, "haproxy-2");
	assert_true(s->identity.on);
	assert_string_equal(s->manifest_path, "/-/manifest.json");
	assert_int_equal(s->tests_age_ms, 7ll * 24 * 3600 * 1000);
	assert_int_equal(s->n_require, 2);
	assert_string_equal(s->require[1], "age");
	assert_int_equal(s->command.n_exec, 2);
	assert_string_equal(s->command.exec[0], "/usr/local/bin/may-deploy");
	assert_int_equal(s->command.timeout_ms, 20000);
	assert_string_equal(s->identity.path, "/-/version");
	assert_string_equal(s->identity.expect[0], "jsonpath \"$.release\" == \"{{release}}\"");
	assert_int_equal(s->identity.expect_line[0], 65);
	assert_int_equal(s->identity.expect_col[0], 46);

	const struct feature *q = config_feature(s, "quotes");
	assert_string_equal(q->path, "/api/quotes?a=b&c=$1");
	assert_int_equal(q->n_expect, 4);
	assert_false(q->compare);
	assert_string_equal(q->expect[3], "body matches /x$/");
	assert_int_equal(q->expect_line[1], 85);
	assert_int_equal(q->expect_col[1], 13);
	assert_int_equal(q->rule.interval_ms, 2000);
	assert_int_equal(q->rule.idle_interval_ms, 22000);
	assert_int_equal(q->rule.rise, 4);
	assert_true(q->rule.via_front && q->rule.via_slot && q->rule.fresh);
	/* Headers are merged by name, nearest wins, whatever the case. */
	assert_int_equal(q->n_headers, 4);
	for (size_t i = 0; i < q->n_headers; i++) {
		const char *want = strcasecmp(q->headers[i].name, "x-a") == 0 ? "service" : strcmp(q->headers[i].name, "X-B") == 0 ? "feature" :
				   strcmp(q->headers[i].name, "User-Agent") == 0 ? "switchd-probe" : "a \"b\" \\ \xe2\x80\xa8 \xc3\xbc";
		assert_string_equal(q->headers[i].value, want);
	}
	const struct feature *o = config_feature(s, "order");
	assert_true(o->writes && o->idle && !o->compare);
	assert_string_equal(o->method, "POST");
	assert_string_equal(o->body, "{\"probe\": true}\n");
	assert_int_equal(o->rule.rise, 3);                              /* defaults */
	assert_int_equal(o->rule.idle_interval_ms, 21000);              /* service */
	assert_int_equal(o->rule.interval_ms, 60000);
	assert_true(o->rule.via_slot && !o->rule.via_front);            /* lists replace */
	assert_int_equal(config_feature(s, "look")->severity, SEV_WARN);
	const struct feature *u = config_feature(s, "outside");
	assert_string_equal(u->url, "https://status.example.com/");
	assert_true(u->severity == SEV_WARN && !u->compare);
	config_free(&c);
}

static void test_features(void **state)
{
	(void)state;
	struct config *c = load_file("good-list.yaml");
	const struct service_config *a = &c->services[0], *b = &c->services[1];

	assert_int_equal(a->n_features, 2);
	assert_string_equal(a->features[1].name, "two");
	assert_true(a->features[1].compare && a->features[1].severity == SEV_WARN && !a->default_feature);
	assert_false(a->features[0].rule.via_front);    /* no front: nothing to ask */
	assert_string_equal(a->front, "");
	assert_int_equal(a->n_proxies, 0);
	assert_true(b->default_feature);
	assert_int_equal(b->n_features, 1);
	assert_string_equal(b->features[0].name, "root");
	assert_string_equal(b->features[0].path, "/");
	assert_true(b->features[0].compare);
	assert_int_equal(b->features[0].rule.interval_ms, 700);
	assert_string_equal(b->features[0].headers[0].name, "X-Z");
	config_free(&c);
}

static void test_mode(void **state)
{
	(void)state;
	static const struct { const char *text; enum run_mode want; } rows[] = {
		{ SHOP, MODE_ENFORCE },
		{ "mode: gate\n" SHOP, MODE_GATE },
		{ "mode: gate\ndefaults: { mode: observe }\n" SHOP, MODE_OBSERVE },
		{ "mode: gate\n" SHOP "    mode: enforce\n", MODE_ENFORCE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = load_ok(rows[i].text);

		assert_int_equal(c->services[0].mode, rows[i].want);
		config_free(&c);
	}
}

static void test_redis(void **state)
{
	(void)state;
	struct config *c = load_ok("state: { redis: 'unix:/run/r.sock' }\n" SHOP);

	assert_string_equal(c->redis.unix_path, "/run/r.sock");
	assert_false(c->redis.embedded);
	config_free(&c);
	c = load_ok("state: { redis: 'redis://[::1]' , prefix: 'x:' }\n" SHOP);
	assert_string_equal(c->redis.host, "::1");
	assert_int_equal(c->redis.port, 6379);
	assert_int_equal(c->redis.db, 0);
	config_free(&c);
	c = load_ok("state: { redis_server: /opt/redis-server }\n" SHOP);
	assert_true(c->redis.embedded);
	config_free(&c);
	c = load_ok("state: { redis: 'rediss://h:1/2' }\n" SHOP);
	assert_true(c->redis.over_tls && c->redis.tls.verify);
	assert_string_equal(c->redis.host, "h");
	assert_int_equal(c->redis.db, 2);
	assert_int_equal(c->redis.replicas, 0);
	config_free(&c);
	c = load_file("good-state.yaml");
	assert_true(c->redis.over_tls && !c->redis.embedded);
	assert_int_equal(c->redis.n_sentinels, 3);
	assert_string_equal(c->redis.sentinels[1].host, "fd00::2");
	assert_int_equal(c->redis.sentinels[1].port, 26380);
	assert_int_equal(c->redis.sentinels[2].port, 26379);
	assert_string_equal(c->redis.master, "mymaster");
	assert_string_equal(c->redis.host, "");
	assert_string_equal(c->redis.sentinel_user, "watcher");
	assert_string_equal(c->redis.tls.ca_file, "/etc/switchd/ca.pem");
	assert_int_equal(c->redis.db, 2);
	assert_int_equal(c->redis.replicas, 1);
	config_free(&c);
	refused("state: { redis: 'sentinel://a,,b/m' }\n" SHOP, "t.yaml:1:17: error: redis: want host:port");
	refused("state: { redis: 'sentinel:///m' }\n" SHOP, "want host:port");
	refused("state: { redis: 'sentinel://a:0/m' }\n" SHOP, "no port between 1 and 65535");
	refused("state: { redis: 'sentinel://a,a:26379/m' }\n" SHOP, "the sentinel a:26379 is told twice");
	refused("state: { redis: 'sentinel://a,b,c,d,e,f,g,h,i,j/m' }\n" SHOP, "more than 9 sentinels");
	refused("state: { redis: 'sentinel://a/' }\n" SHOP, "want the name of the master");
	refused("state: { redis: 'sentinel://a/my master' }\n" SHOP, "want the name of the master");
	refused("state: { redis: 'sentinel://a/m/x' }\n" SHOP, "want the number of a database");
	refused("state: { redis: 'sentinel://u:geheim@a/m' }\n" SHOP, "a password does not stand in the URL");
	refused("state: { redis: 'sentinel://a/m', sentinel_user: x }\n" SHOP, "needs a sentinel_password_file");
	refused("state: { replicas: 1 }\n" SHOP, "the embedded Redis has none");
	refused("state: { redis: 'redis://u:geheim@h:1' }\n" SHOP, "a password does not stand in the URL");
	refused("state: { redis: 'redis://h:1/x' }\n" SHOP, "want the number of a database");
	refused("state: { redis: 'redis://h:0' }\n" SHOP, "no port between 1 and 65535");
	refused("state: { redis: 'unix:run' }\n" SHOP, "want unix: and an absolute path");
	refused("state: { redis: localhost }\n" SHOP, "want redis://host:port/db");
}

static void test_env(void **state)
{
	(void)state;
	struct config *c = load_ok("defaults: { interval: '${PACE}', rise: '${FIVE}' }\n"
				   SHOP "    front: https://${HOST}\n    features:\n      q:\n        path: /a/${FIVE}/$$/$${FIVE}/$x\n"
				   "        headers: { X-Key: \"${SECRET}\", Authorization: plain, X-My-Token: t, X-Empty: \"${EMPTY}\" }\n");
	const struct feature *f = &c->services[0].features[0];
	struct buf shown = BUF_INIT(1 << 20);

	assert_string_equal(c->services[0].front, "https://shop.example.com");
	assert_int_equal(f->rule.interval_ms, 3000);
	assert_int_equal(f->rule.rise, 5);
	assert_string_equal(f->path, "/a/5/$/${FIVE}/$x");
	assert_string_equal(f->headers[0].value, "hunter2\"$$${x}");
	/* What came from outside is shown as it was written, secrets by their names not at all; it loads again to the same. */
	config_show(c, "shop", &shown);
	assert_null(strstr(buf_str(&shown), "hunter2"));
	assert_null(strstr(buf_str(&shown), "plain"));
	assert_non_null(strstr(buf_str(&shown), "\"X-Key\": \"${SECRET}\"\n"));
	assert_non_null(strstr(buf_str(&shown), "\"Authorization\": \"***\"\n"));
	assert_non_null(strstr(buf_str(&shown), "\"X-My-Token\": \"***\"\n"));
	assert_non_null(strstr(buf_str(&shown), "interval: 3s\n"));
	struct config *again = load_ok(buf_str(&shown));
	assert_string_equal(again->services[0].features[0].path, f->path);
	assert_string_equal(again->services[0].features[0].headers[0].value, f->headers[0].value);
	config_free(&again);
	config_free(&c);
	buf_free(&shown);

	refused(SHOP "    bake: ${NOPE}\n", "t.yaml:5:11: error: the environment variable NOPE is not set");
	refused(SHOP "    reference: ${BINARY}\n", "is not UTF-8");
	/* A value stays one value, whatever is in it. */
	refused(SHOP "    bake: ${EVIL}\n", "want a duration");
	refused(SHOP "    bake: ${EMPTY}\n", "bake: want one value, got nothing");
	refused(SHOP "    bake: ${}\n", "want ${NAME}");
}

static void test_dollars_round_trip(void **state)
{
	(void)state;
	static const char *const values[] = { "$", "$$$$", "$${", "$$$${", "a$b", "$$x", "a$$$${b}" };

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		char text[512];

		snprintf(text, sizeof(text), SHOP "    features: { q: { path: /, expect: ['%s'] } }\n", values[i]);
		struct config *c = load_ok(text);
		struct buf shown = BUF_INIT(1 << 20);
		config_show(c, NULL, &shown);
		struct config *again = load_ok(buf_str(&shown));
		assert_string_equal(c->services[0].features[0].expect[0], again->services[0].features[0].expect[0]);
		config_free(&c);
		config_free(&again);
		buf_free(&shown);
	}
}

static void test_fingerprint(void **state)
{
	(void)state;
	static const struct { const char *feature; bool feature_changes, service_changes; } rows[] = {
		{ "{ path: /q, expect: [2xx, a] }", false, false },
		{ "{ path: /q, expect: [2xx, a], interval: 9s }", false, true },
		{ "{ path: /q, expect: [2xx, a], severity: warn }", false, true },
		{ "{ path: /p, expect: [2xx, a] }", true, true },
		{ "{ path: /q, expect: [2xx, b] }", true, true },
		{ "{ path: /q, expect: [2xxa] }", true, true },
		{ "{ path: /q, expect: [2xx, a], method: HEAD }", true, true },
		{ "{ path: /q, expect: [2xx, a], headers: { A: b } }", true, true },
		{ "{ path: /q }", true, true },
	};
	struct config *base = NULL;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[512];

		snprintf(text, sizeof(text), SHOP "    features: { q: %s }\n", rows[i].feature);
		struct config *c = load_ok(text);
		if (!base) {
			base = c;
			continue;
		}
		assert_int_equal(c->services[0].features[0].fingerprint != base->services[0].features[0].fingerprint, rows[i].feature_changes);
		assert_int_equal(c->services[0].fingerprint != base->services[0].fingerprint, rows[i].service_changes);
		config_free(&c);
	}
	config_free(&base);
}

/* ---- bytes ---- */

static void test_bytes(void **state)
{
	(void)state;
	static const struct { const char *text; size_t len; const char *want; } rows[] = {
		{ "", 0, "t.yaml: error: is empty" },
		{ "# nothing\n", 10, "t.yaml: error: is empty" },
		{ "---\n", 4, "t.yaml: error: want a configuration" },
		{ "[]\n", 3, "t.yaml:1:1: error: want a configuration with version: 1 and services:, got a list" },
		{ "a\n", 2, "got text" },
		{ "{}\n", 3, "got nothing" },
		{ "a: \xc3\x28\n", 6, "t.yaml:1:4: error: not UTF-8: byte 0xc3" },
		{ "\xff\xfe" "a\0", 4, "t.yaml:1:1: error: not UTF-8" },
		{ "a: b\nc: \xed\xa0\x80\n", 12, "t.yaml:2:4: error: not UTF-8" },
		{ "a: b\0c\n", 7, "t.yaml:1:5: error: a control character, 0x00" },
		{ "a: \x1b[2J\n", 8, "t.yaml:1:4: error: a control character, 0x1b" },
		{ "a: \"b\\0c\"\n", 10, "t.yaml:1:4: error: a NUL byte in a value" },
		{ "version: 1\n\tservices: {}\n", 25, "t.yaml:2:1: error: while scanning a plain scalar: found a tab" },
		{ "%TAG ! tag:x,2000:\n---\nversion: 1\n", 34, "tags are not allowed" },
		{ "version: 1\n...\n---\nversion: 1\n", 30, "a second document" },
		{ "? [a]\n: b\n", 10, "a key must be plain text" },
		{ "%\xCD", 2, "not UTF-8" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf said;
		int errors = 0;
		struct config *c = load_n(rows[i].text, rows[i].len, &said, &errors);

		assert_null(c);
		assert_true(errors > 0);
		if (!strstr(buf_str(&said), rows[i].want))
			fail_msg("row %zu: want %s\ngot %s", i, rows[i].want, buf_str(&said));
		buf_free(&said);
	}
	struct config *c = load_ok("\xef\xbb\xbf" SHOP);        /* a byte order mark is no fault */
	config_free(&c);
}

static void test_sizes(void **state)
{
	(void)state;
	struct buf text = BUF_INIT(8 << 20), said;
	int errors = 0;

	for (int i = 0; i < 100000; i++)
		buf_adds(&text, "[");
	assert_null(load_n(buf_str(&text), text.len, &said, &errors));
	assert_non_null(strstr(buf_str(&said), "nested deeper than"));
	buf_free(&said);

	buf_clear(&text);
	buf_adds(&text, SHOP "    features:\n");
	for (int i = 0; i <= MAX_FEATURES; i++)
		buf_addf(&text, "      f%d: /%d\n", i, i);
	refused(buf_str(&text), "features: at most 128 of one service");

	buf_clear(&text);
	for (int i = 0; i < 5000; i++)
		buf_addf(&text, "k%d: 1\n", i);
	refused(buf_str(&text), "more than 4096 items");

	buf_clear(&text);
	for (int i = 0; i < 300; i++)
		buf_addf(&text, "k%d: 1\n", i);
	assert_null(load_n(buf_str(&text), text.len, &said, &errors));
	assert_int_equal(errors, 302);
	assert_non_null(strstr(buf_str(&said), "t.yaml: and 202 more\n"));
	buf_free(&said);

	buf_clear(&text);
	while (text.len <= 1024 * 1024)
		buf_adds(&text, "# ------------------------------------------------------------------\n");
	refused(buf_str(&text), "larger than 1024 KiB");

	/* One target too many, and the most there may be. */
	for (int n = MAX_TARGETS; n <= MAX_TARGETS + 1; n++) {
		buf_clear(&text);
		buf_adds(&text, "version: 1\nservices: { a: { slots: { green: [h:1], blue: [h:2");
		for (int i = 1; i < n; i++)
			buf_addf(&text, ", h:%d", i + 10);
		buf_adds(&text, "] } } }\n");
		struct config *c = load(buf_str(&text), &said);
		assert_int_equal(c != NULL, n == MAX_TARGETS);
		config_free(&c);
		buf_free(&said);
	}
	buf_free(&text);
}

static void test_caret(void **state)
{
	(void)state;
	struct buf said;
	struct config *c = load("version: 1\nservices:\n  s\xc3\xbc\xc3\xb6: {slots: 5}\n", &said);

	assert_null(c);
	assert_string_equal(buf_str(&said),
			    "t.yaml:3:3: error: \"s\xc3\xbc\xc3\xb6\" is no name for a service: letters, digits, _ . - (at most 63)\n"
			    "      3 |   s\xc3\xbc\xc3\xb6: {slots: 5}\n"
			    "        |   ^~~\n"
			    "t.yaml:3:16: error: slots: want a mapping, got text\n"
			    "      3 |   s\xc3\xbc\xc3\xb6: {slots: 5}\n"
			    "        |                ^\n");
	buf_free(&said);
	/* A tab before the place is a tab under it, and a long line is shown round the place. */
	refused("{\"version\": 1,\t\"versoin\": 1}\n", "      1 | {\"version\": 1,\t\"versoin\": 1}\n        |               \t^~~~~~~~~\n");
	struct buf text = BUF_INIT(4096);
	buf_addf(&text, "{version: 1, state_dir: /%0500d, oops: 1}\n", 0);
	refused(buf_str(&text), "      1 | 00000000000000000000000000000000000000, oops: 1}\n        |                                         ^~~~\n");
	buf_free(&text);
}

/* An error buffer that is too small loses text, never the count. */
static void test_small_error_buffer(void **state)
{
	(void)state;
	struct buf said = BUF_INIT(10);
	int errors = 0;

	assert_null(config_load("t.yaml", "a: 1\n", 5, NULL, NULL, &said, &errors));
	assert_int_equal(errors, 3);
	assert_null(config_load("t.yaml", "a: ${X}\n", 8, NULL, NULL, &said, NULL));
	buf_free(&said);
}

/* Everything that a service or a feature can be told is in what config show prints, but the short forms. */
static void test_show_is_whole(void **state)
{
	(void)state;
	static const char *const elsewhere[] = { "proxy", "name", "headers" };
	struct config *c = load_file("good-full.yaml"), *state_config = load_file("good-state.yaml");
	struct buf shown = BUF_INIT(1 << 20);

	config_show(c, NULL, &shown);
	config_show(state_config, NULL, &shown); /* sentinels */
	config_free(&state_config);
	for (size_t i = 0; i < settings_count(); i++) {
		const struct setting *s = setting_at(i);
		char key[64];
		bool skip = !(s->where & ~(unsigned)AT_DEFAULTS) || strcmp(s->name, "defaults") == 0;

		for (size_t k = 0; k < ARRAY_LEN(elsewhere); k++)
			skip = skip || strcmp(s->name, elsewhere[k]) == 0;
		snprintf(key, sizeof(key), " %s:", s->name);
		if (!skip && !strstr(buf_str(&shown), key) && !strstr(buf_str(&shown), key + 1))
			fail_msg("config show lacks %s", s->name);
	}
	buf_free(&shown);
	config_show(c, "other", &shown);
	assert_null(strstr(buf_str(&shown), "slots"));
	config_free(&c);
	buf_free(&shown);
}

static struct config *load_agent(const char *path)
{
	struct buf said;
	size_t len;
	char *text = slurp(path, &len);

	buf_init(&said, 1024 * 1024);
	struct config *c = config_load_for(CONFIG_AGENT, path, text, len, no_env, NULL, &said, NULL);
	if (!c)
		fail_msg("does not load:\n%s", buf_str(&said));
	buf_free(&said);
	free(text);
	return c;
}

static void test_agent(void **state)
{
	(void)state;
	struct config *c = load_agent("tests/tables/config/good-agent-full.yaml");
	const struct service_config *shop = config_service(c, "shop"), *blog = config_service(c, "blog");

	assert_true(c->for_agent && shop->for_agent);
	assert_string_equal(c->agent_name, "lb1");
	assert_int_equal(c->agent_report_ms, 500);
	assert_int_equal(shop->n_proxies, 2);
	assert_string_equal(shop->proxies[1].map, "/var/lib/switchd/shop.map");
	assert_int_equal(shop->drain_ms, 20000);
	assert_int_equal(shop->slot[GREEN].n_targets, 1);
	/* Of the features the paths that the shield covers, and no feature where there are none. */
	assert_int_equal(shop->n_features, 3);
	assert_non_null(config_feature(shop, "home"));
	assert_string_equal(config_feature(shop, "quotes")->path, "/api/quotes?limit=1");
	assert_int_equal(config_feature(shop, "head")->severity, SEV_WARN);
	assert_int_equal(blog->n_features, 0);
	assert_false(blog->default_feature);
	assert_false(blog->shield);
	uint64_t print = shop->fingerprint;
	config_free(&c);
	c = load_agent("tests/tables/config/good-agent-min.yaml");
	assert_string_equal(c->agent_name, "");
	assert_int_equal(c->agent_report_ms, 2000);
	assert_true(config_service(c, "shop")->fingerprint != print);
	config_free(&c);
	/* A controller passes over it. */
	c = load_ok("version: 1\nagent: { name: lb1 }\nservices: { shop: { proxy: haproxy, slots: { blue: [ \"h:1\" ], green: [ \"h:2\" ] } } }\n");
	assert_false(c->for_agent);
	assert_string_equal(c->agent_name, "lb1");
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_minimal),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_redis),
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_dollars_round_trip),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_caret),
		cmocka_unit_test(test_small_error_buffer),
		cmocka_unit_test(test_show_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
