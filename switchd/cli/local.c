/* SPDX-License-Identifier: MIT
 * local.c - verbs that work with the daemon dead: probe, active, init, proxy, config.
 *
 * The only file of the CLI that reaches probes, proxies and the journal, and it does so with the same
 * configuration and only through their faces. */
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/probe.h"
#include "switchd/cli/cli.h"
#include "switchd/core/config.h"
#include "switchd/io/httpc.h"
#include "switchd/proxy/proxy.h"
#include "switchd/store/journal.h"

#define DEFAULT_CONFIG "/etc/switchd/switchd.yaml"
enum { CONFIG_MAX = 1024 * 1024, ERRORS_MAX = 256 * 1024 };

static const char *environment(const char *name, void *arg)
{
	(void)arg;
	return getenv(name);
}

static struct config *load(const char *path, bool assertions)
{
	struct buf text = BUF_INIT(CONFIG_MAX), errors = BUF_INIT(ERRORS_MAX);
	struct config *cfg = NULL;
	char chunk[8192];
	FILE *f = fopen(path, "re");
	size_t n;
	int bad = 0;

	if (!f) {
		fprintf(stderr, "switchctl: %s: %s\n  next    give it with --config FILE\n", path, strerror(errno));
		return NULL;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&text, chunk, n);
	fclose(f);
	cfg = config_load(path, buf_str(&text), text.len, environment, NULL, &errors, &bad);
	if (cfg && assertions && !probe_check_config(cfg, &errors, &bad))
		config_free(&cfg);
	fputs(buf_str(&errors), stderr);
	buf_free(&text);
	buf_free(&errors);
	return cfg;
}

static const char *config_path(const struct cli *c) { return c->config && c->config[0] ? c->config : DEFAULT_CONFIG; }

/* The service named, or the only one; NULL said why. */
static const struct service_config *pick(struct cli *c, const struct config *cfg, const char *name)
{
	const struct service_config *s = name && name[0] ? config_service(cfg, name) : cfg->n_services == 1 ? &cfg->services[0] : NULL;

	if (!s && name && name[0])
		usage_error(c, "no service '%s' in %s", name, cfg->file);
	else if (!s)
		usage_error(c, "there are %zu services in %s: name one", cfg->n_services, cfg->file);
	return s;
}

/* ---- probe ---- */

struct round { struct cli *c; const struct service_config *s; size_t left; int bad; json_t *results; };

static void probed(void *arg, const struct probe_result *r)
{
	struct round *o = arg;
	const struct outcome_info *i = outcome_info(r->outcome);
	const char *target = o->s->slot[r->job.slot].targets[r->job.target].text, *feature = o->s->features[r->job.feature].name;

	o->left--;
	o->bad += i->class != OC_PRESENT;
	json_array_append_new(o->results, json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:i,s:s,s:s}", "slot", slot_name(r->job.slot), "target", target, "feature",
						    feature, "class", outcome_class_name(i->class), "outcome", i->code, "latency_us",
						    (json_int_t)(r->ended.us - r->began.us), "status", r->evidence ? (int)r->evidence->status : 0, "want",
						    r->evidence ? r->evidence->want : "", "got", r->evidence ? r->evidence->got : ""));
	if (o->c->output == FMT_JSON)
		return;
	printf("%-6s %-22s %-14s %-8s %3ld  %lld.%lldms", slot_name(r->job.slot), target, feature, outcome_class_name(i->class),
	       r->evidence ? r->evidence->status : 0, (long long)((r->ended.us - r->began.us) / 1000), (long long)((r->ended.us - r->began.us) % 1000 / 100));
	if (i->class != OC_PRESENT)
		printf("  %s%s%s%s%s", i->sentence, r->evidence && r->evidence->want[0] ? ": want " : "", r->evidence ? r->evidence->want : "",
		       r->evidence && r->evidence->want[0] ? ", got " : "", r->evidence ? r->evidence->got : "");
	putchar('\n');
}

static void learned(void *arg, size_t feature, bool ok, const char *text)
{
	size_t *left = arg;

	(void)feature;
	(void)ok;
	(void)text;
	(*left)--;
}

/* Without a daemon a feature of only a path is compared with the first slot that answers it. */
static void learn_all(struct ev_loop *loop, struct probe_runner *r, const struct service_config *s, enum slot slot)
{
	size_t left = 0;

	for (size_t i = 0; i < s->n_features; i++)
		if (s->features[i].compare && !probe_baseline_text(r, i)[0]) {
			left++;
			probe_learn_baseline(r, slot, i, learned, &left);
		}
	while (left && ev_run(loop, EVRUN_ONCE))
		;
}

static int probe_local(struct cli *c)
{
	struct config *cfg = load(config_path(c), true);
	const struct service_config *s = cfg ? pick(c, cfg, c->service) : NULL;
	struct buf errors = BUF_INIT(ERRORS_MAX);
	struct ev_loop *loop = ev_default_loop(0);
	struct probe_runner *r = s ? probe_runner_new(loop, cfg, s, &errors) : NULL;
	struct round o = { .c = c, .s = s, .results = json_array() };
	int ex = EX_USAGE_ERROR;
	enum slot only = NO_SLOT;

	if (c->slot && !slot_parse(c->slot, &only)) {
		ex = usage_error(c, "--slot is blue or green, not '%s'", c->slot);
		goto out;
	}
	if (!r) {
		fputs(buf_str(&errors), stderr);
		goto out;
	}
	if (only == NO_SLOT) {
		learn_all(loop, r, s, BLUE);
		learn_all(loop, r, s, GREEN);
	} else {
		learn_all(loop, r, s, other_slot(only));
		learn_all(loop, r, s, only);
	}
	for (int k = BLUE; k <= GREEN; k++)
		for (size_t t = 0; (only == NO_SLOT || only == (enum slot)k) && t < s->slot[k].n_targets; t++)
			for (size_t f = 0; f < s->n_features; f++) {
				struct probe_job job = { .via = VIA_SLOT, .purpose = PURPOSE_VOTE, .slot = (enum slot)k, .target = t, .feature = f, .release = "" };

				if (s->features[f].writes || s->features[f].url[0])
					continue;
				o.left++;
				probe_start(r, &job, probed, &o);
			}
	while (o.left && ev_run(loop, EVRUN_ONCE))
		;
	if (c->output == FMT_JSON) {
		json_t *all = json_pack("{s:s,s:O}", "service", s->name, "results", o.results);

		say_json(all);
		json_decref(all);
	}
	ex = o.bad ? EX_REFUSED : EX_DONE;
out:
	json_decref(o.results);
	probe_runner_free(&r);
	buf_free(&errors);
	config_free(&cfg);
	ev_loop_destroy(loop);
	return ex;
}

int verb_probe(struct cli *c)
{
	char path[160];
	struct answer a;
	json_t *b;
	int ex = EX_DONE;

	if (c->config && c->config[0])
		return probe_local(c);
	if (!c->service[0]) {
		client_ask(c, "GET", "/v1/services", NULL, 2000, &a);
		bool there = a.reached;

		answer_free(&a);
		if (!there)
			return probe_local(c);
		if (!cli_service(c, &ex))
			return ex;
	}
	b = c->slot ? json_pack("{s:s}", "slot", c->slot) : json_object();
	TEXT_FORMAT(path, "/v1/services/%s/probe", c->service);
	client_ask(c, "POST", path, b, 15000, &a);
	json_decref(b);
	if (!a.reached) {
		answer_free(&a);
		return probe_local(c);
	}
	if (a.status != 200)
		ex = say_error(c, c->service, &a);
	else if (c->output == FMT_JSON)
		say_json(a.json);
	else
		say_probe(c, a.json);
	if (a.status == 200) {
		size_t i;
		json_t *f;

		json_array_foreach(json_object_get(a.json, "features"), i, f) {
			const json_t *slots = json_object_get(f, "slots");

			for (int k = BLUE; k <= GREEN; k++)
				if ((!c->slot || strcmp(c->slot, slot_name((enum slot)k)) == 0) &&
				    strcmp(jstr(json_object_get(slots, slot_name((enum slot)k)), "verdict"), "present") != 0)
					ex = EX_REFUSED;
		}
	}
	answer_free(&a);
	return ex;
}

/* ---- active ---- */

static int active_said(struct cli *c, const char *slot, bool stale)
{
	if (c->output == FMT_JSON)
		printf("{\"service\": \"%s\", \"active\": \"%s\", \"stale\": %s}\n", c->service, slot, stale ? "true" : "false");
	else if (!c->is)
		printf("%s\n", slot);
	return c->is ? strcmp(c->is, slot) != 0 : EX_DONE;
}

/* For cron and workers: asked of the daemon first, then of what this host's journal knows. */
int verb_active(struct cli *c)
{
	static struct journal_entry entry;
	char path[128], slot[16] = "";
	struct answer a;
	struct config *cfg;
	enum slot is;

	if (c->is && !slot_parse(c->is, &is))
		return usage_error(c, "--is wants blue or green, not '%s'", c->is);
	if (!c->service[0])
		return usage_error(c, "active wants a SERVICE");
	TEXT_FORMAT(path, "/active/%s", c->service);
	client_ask(c, "GET", path, NULL, 2000, &a);
	bool reached = a.reached && (a.status == 200 || a.status == 503);
	bool unknown = a.reached && a.status == 404;

	if (reached) {
		TEXT_COPY(slot, buf_str(&a.body));
		slot[strcspn(slot, "\r\n")] = '\0';
	}
	answer_free(&a);
	if (unknown)
		return usage_error(c, "no service '%s'", c->service);
	if (reached)
		return active_said(c, slot, false);
	cfg = load(config_path(c), false);
	const char *dir = cfg ? cfg->state_dir : "/var/lib/switchd";
	bool known = journal_peek(dir, c->service, &entry);

	if (!known)
		fprintf(stderr, "switchctl: %s: switchd does not answer and %s knows nothing of it\n", c->service, dir);
	config_free(&cfg);
	return known ? active_said(c, slot_name(entry.record.active), true) : EX_UNREACHABLE;
}

/* ---- config ---- */

int verb_config(struct cli *c)
{
	const char *what = c->n_words ? c->words[0] : "";
	struct config *cfg;

	if (strcmp(what, "check") == 0) {
		const char *path = c->n_words > 1 ? c->words[1] : config_path(c);

		cfg = load(path, true);
		if (!cfg)
			return EX_USAGE_ERROR;
		printf("%s: good: %zu service%s\n", path, cfg->n_services, cfg->n_services == 1 ? "" : "s");
		config_free(&cfg);
		return EX_DONE;
	}
	if (strcmp(what, "show") != 0)
		return usage_error(c, "config knows check and show");
	struct buf out = BUF_INIT(CONFIG_MAX);

	if (!c->config || !c->config[0]) {
		char path[160];
		struct answer a;

		TEXT_FORMAT(path, "/v1/config%s%s", c->n_words > 1 ? "?service=" : "", c->n_words > 1 ? c->words[1] : "");
		client_ask(c, "GET", path, NULL, 0, &a);
		if (a.reached && a.status == 200) {
			fputs(buf_str(&a.body), stdout);
			answer_free(&a);
			return EX_DONE;
		}
		answer_free(&a);
	}
	cfg = load(config_path(c), true);
	if (!cfg)
		return EX_USAGE_ERROR;
	config_show(cfg, c->n_words > 1 ? c->words[1] : NULL, &out);
	fputs(buf_str(&out), stdout);
	buf_free(&out);
	config_free(&cfg);
	return EX_DONE;
}

/* ---- init ---- */

struct asked { bool done; long status; int64_t us; char error[160]; };

static void asked_done(void *arg, const struct httpc_reply *r)
{
	struct asked *a = arg;

	a->done = true;
	a->status = r->result == H_OK ? r->status : 0;
	a->us = r->total_us;
	TEXT_COPY(a->error, r->result == H_OK ? "" : r->error);
}

static void ask(struct ev_loop *loop, struct httpc_pool *pool, const char *url, struct asked *a)
{
	struct httpc_request q = { .url = url, .connect_host = "", .unix_path = "", .timeout_ms = 3000, .insecure = true };

	memset(a, 0, sizeof(*a));
	httpc_send(pool, &q, asked_done, a);
	while (!a->done && ev_run(loop, EVRUN_ONCE))
		;
}

static int init_slot(struct ev_loop *loop, struct httpc_pool *pool, const char *name, const char *list, struct buf *yaml)
{
	int silent = 0;

	buf_addf(yaml, "      %s:%s [", name, strcmp(name, "blue") == 0 ? " " : "");
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ",");
		char addr[200], url[220];
		struct asked a;

		if (!text_copy_n(addr, sizeof(addr), p, n) || !n) {
			fprintf(stderr, "switchctl: '%.*s' is no address\n", (int)n, p);
			return -1;
		}
		TEXT_FORMAT(url, "%s%s/", strstr(addr, "://") ? "" : "http://", addr);
		ask(loop, pool, url, &a);
		if (a.status)
			fprintf(stderr, "  %-5s %-28s answered %ld in %lld.%lld ms\n", name, addr, a.status, (long long)(a.us / 1000), (long long)(a.us % 1000 / 100));
		else
			fprintf(stderr, "  %-5s %-28s did not answer: %s\n", name, addr, a.error);
		silent += a.status == 0;
		buf_addf(yaml, "%s%s%s%s", p == list ? "" : ", ", strchr(addr, '/') ? "\"" : "", addr, strchr(addr, '/') ? "\"" : "");
		p += n + (p[n] == ',');
	}
	buf_adds(yaml, "]\n");
	return silent;
}

int verb_init(struct cli *c)
{
	struct buf yaml = BUF_INIT(65536);
	struct ev_loop *loop;
	struct httpc *h;
	struct httpc_pool *pool;
	struct asked a;
	int blue, green, ex = EX_USAGE_ERROR;

	if (!c->front || !c->blue || !c->green)
		return usage_error(c, "init wants --front URL, --blue ADDR and --green ADDR");
	loop = ev_default_loop(0);
	h = httpc_new(loop);
	pool = httpc_pool_new(h, 4);
	buf_addf(&yaml, "version: 1\nservices:\n  %s:\n    front: %s\n    slots:\n", c->service[0] ? c->service : "shop", c->front);
	blue = init_slot(loop, pool, "blue", c->blue, &yaml);
	green = blue < 0 ? -1 : init_slot(loop, pool, "green", c->green, &yaml);
	if (green < 0)
		goto out;
	ask(loop, pool, c->front, &a);
	fprintf(stderr, "  front %-28s %s\n", c->front, a.status ? "answered" : a.error);
	buf_adds(&yaml, "    proxy: haproxy\n    features:\n");
	for (size_t i = 0; i < c->n_features; i++) {
		const char *eq = strchr(c->feature[i], '=');

		if (!eq || eq[1] != '/') {
			ex = usage_error(c, "--feature wants NAME=/path, got '%s'", c->feature[i]);
			goto out;
		}
		buf_addf(&yaml, "      %.*s: %s\n", (int)(eq - c->feature[i]), c->feature[i], eq + 1);
	}
	if (!c->n_features)
		buf_adds(&yaml, "      home: /          # name the features your users would miss, one a line\n");
	fputs(buf_str(&yaml), stdout);
	struct buf errors = BUF_INIT(ERRORS_MAX);
	int bad = 0;
	struct config *cfg = config_load("init", buf_str(&yaml), yaml.len, environment, NULL, &errors, &bad);

	fputs(buf_str(&errors), stderr);
	ex = cfg ? EX_DONE : EX_USAGE_ERROR;
	if (cfg && (blue || green))
		fputs("switchctl: some addresses did not answer; the configuration is printed all the same\n", stderr);
	config_free(&cfg);
	buf_free(&errors);
out:
	httpc_pool_free(&pool);
	httpc_free(&h);
	ev_loop_destroy(loop);
	buf_free(&yaml);
	return ex;
}

/* ---- proxy ---- */

struct told { bool done; struct proxy_answer a; };

static void told_done(void *arg, const struct proxy_answer *a)
{
	struct told *t = arg;

	t->a = *a;
	t->done = true;
}

static int snippet(struct cli *c, const struct service_config *s)
{
	struct buf out = BUF_INIT(256 * 1024);
	bool ok = true;

	for (size_t i = 0; i < s->n_proxies && i < 1; i++)
		ok = c->bind ? proxy_snippet_bind(s, &s->proxies[i], c->bind, &out) : proxy_snippet(s, &s->proxies[i], &out);
	fputs(buf_str(&out), stdout);
	buf_free(&out);
	return ok ? EX_DONE : EX_USAGE_ERROR;
}

static int init_files(const struct config *cfg, const char *only)
{
	int ex = EX_DONE;

	for (size_t k = 0; k < cfg->n_services; k++) {
		const struct service_config *s = &cfg->services[k];

		for (size_t i = 0; i < s->n_proxies && (!only || strcmp(only, s->name) == 0); i++) {
			struct buf said = BUF_INIT(8192);

			if (!proxy_init_files(s, &s->proxies[i], &said) || !proxy_write_paths(s, &s->proxies[i], &said))
				ex = EX_INTERNAL;
			fputs(buf_str(&said), stderr);
			buf_free(&said);
		}
	}
	return ex;
}

static void read_one(struct ev_loop *loop, const struct service_config *s, size_t i, struct told *t)
{
	struct proxy *p = proxy_new(loop, s, &s->proxies[i]);

	memset(t, 0, sizeof(*t));
	proxy_read_back(p, told_done, t);
	while (!t->done && ev_run(loop, EVRUN_ONCE))
		;
	proxy_free(&p);
}

static int diff(struct cli *c, const struct config *cfg, const struct service_config *s)
{
	static struct journal_entry j;
	struct ev_loop *loop = ev_default_loop(0);
	bool known = journal_peek(cfg->state_dir, s->name, &j);
	int ex = EX_DONE;

	(void)c;
	for (size_t i = 0; i < s->n_proxies; i++) {
		struct told t;
		char has[PROXY_VALUE_TEXT] = "-", want[PROXY_VALUE_TEXT] = "-";
		struct proxy_value v = { .slot = NO_SLOT };

		read_one(loop, s, i, &t);
		if (t.a.has_value)
			proxy_value_text(&t.a.value, has);
		if (known && j.record.active != NO_SLOT) {
			v = (struct proxy_value){ .slot = j.record.active, .v = j.record.v, .shield = j.record.shield };
			proxy_value_text(&v, want);
		}
		bool same = strcmp(has, want) == 0;

		printf("%s %s\n  has   %s%s%s\n  want  %s%s\n", s->name, s->proxies[i].name, has, t.a.result == PX_OK ? "" : "  ",
		       t.a.result == PX_OK ? "" : t.a.detail[0] ? t.a.detail : proxy_result_sentence(t.a.result), want,
		       known ? same ? "  (the same)" : "" : "  (this host's journal knows nothing)");
		if (!same)
			ex = EX_REFUSED;
	}
	ev_loop_destroy(loop);
	return ex;
}

/* A pin is a person's word against everything: it outlives switchd and Redis (B5.6). */
static int pin(struct cli *c, const struct service_config *s, const char *slot_text)
{
	struct proxy_value v = { .pin = true, .v = { 0, (uint64_t)(wall_now().ms / 1000) } };
	struct ev_loop *loop;
	int ex = EX_DONE;

	if (!c->direct)
		return usage_error(c, "a pin goes past daemon and store: say --direct (with them alive, use flip, rollback or hold)");
	if (!slot_text || !slot_parse(slot_text, &v.slot))
		return usage_error(c, "proxy pin wants SERVICE and blue or green");
	loop = ev_default_loop(0);
	for (size_t i = 0; i < s->n_proxies; i++) {
		struct told t = { 0 };
		struct buf raw = BUF_INIT(2048);
		char text[PROXY_VALUE_TEXT];
		struct proxy *p;

		proxy_raw_command(&s->proxies[i], s, &v, &raw);
		fprintf(stderr, "  by hand: %s\n", buf_str(&raw));
		buf_free(&raw);
		if (c->dry_run)
			continue;
		p = proxy_new(loop, s, &s->proxies[i]);
		proxy_apply(p, &v, ORDER_BACK, told_done, &t);
		while (!t.done && ev_run(loop, EVRUN_ONCE))
			;
		proxy_free(&p);
		if (t.a.result == PX_OK)
			printf("%s %s: pinned: %s\n", s->name, s->proxies[i].name, proxy_value_text(&v, text));
		else
			fprintf(stderr, "switchctl: %s %s: %s%s%s\n", s->name, s->proxies[i].name, proxy_result_sentence(t.a.result), t.a.detail[0] ? ": " : "",
				t.a.detail);
		if (t.a.result != PX_OK)
			ex = EX_HUMAN;
	}
	ev_loop_destroy(loop);
	if (ex == EX_DONE && !c->dry_run)
		fprintf(stderr, "  ends with: switchctl resume %s\n", s->name);
	return ex;
}

int verb_proxy(struct cli *c)
{
	const char *what = c->n_words ? c->words[0] : "";
	size_t at = 1;
	struct config *cfg;
	const struct service_config *s;
	int ex = EX_USAGE_ERROR;

	if (strcmp(what, "snippet") != 0 && strcmp(what, "init") != 0 && strcmp(what, "diff") != 0 && strcmp(what, "pin") != 0)
		return usage_error(c, "proxy knows snippet, init, diff and pin");
	cfg = load(config_path(c), false);
	if (!cfg)
		return EX_USAGE_ERROR;
	if (at < c->n_words && strcmp(c->words[at], "haproxy") == 0)
		at++;
	const char *name = at < c->n_words ? c->words[at++] : NULL;

	if (strcmp(what, "init") == 0 && !name) {
		ex = init_files(cfg, NULL);
		goto out;
	}
	s = pick(c, cfg, name);
	if (!s)
		goto out;
	if (!s->n_proxies) {
		ex = usage_error(c, "%s has no proxy: in %s", s->name, cfg->file);
		goto out;
	}
	if (strcmp(what, "snippet") == 0)
		ex = snippet(c, s);
	else if (strcmp(what, "init") == 0)
		ex = init_files(cfg, s->name);
	else if (strcmp(what, "diff") == 0)
		ex = diff(c, cfg, s);
	else
		ex = pin(c, s, at < c->n_words ? c->words[at] : NULL);
out:
	config_free(&cfg);
	return ex;
}
