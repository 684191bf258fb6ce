/* SPDX-License-Identifier: MIT
 * local.c - verbs that work with the daemon dead: probe, active, proxy, config.
 *
 * Only local*.c of the CLI reach probes, proxies and the journal, and they do so with the same
 * configuration and only through their faces. */
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probes/probe.h"
#include "switchd/base/outside.h"
#include "switchd/cli/local.h"
#include "switchd/proxy/proxy.h"
#include "switchd/store/journal.h"

#define DEFAULT_CONFIG "/etc/switchd/switchd.yaml"
enum { CONFIG_MAX = 1024 * 1024, ERRORS_MAX = 256 * 1024 };

/* The file of an agent has agent: at its top.  Of a controller's that has it too, what is looked at here is in both. */
static bool of_an_agent(const char *text) { return text_starts(text, "agent:") || strstr(text, "\nagent:"); }

struct config *local_config(struct cli *c, const char *path, bool assertions)
{
	struct buf text = BUF_INIT(CONFIG_MAX), errors = BUF_INIT(ERRORS_MAX);
	struct config *cfg = NULL;
	char chunk[8192];
	FILE *f = fopen(path, "re");
	size_t n;
	int bad = 0;

	if (!f) {
		complain(c, "%s: %s", path, strerror(errno));
		hint(c, "next", "say which file: --config FILE (or SWITCHD_CONFIG)");
		return NULL;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&text, chunk, n);
	bool whole = !ferror(f) && !text.full;

	fclose(f);
	if (whole)
		cfg = config_load_for(!assertions && of_an_agent(buf_str(&text)) ? CONFIG_AGENT : CONFIG_CONTROLLER, path, buf_str(&text), text.len,
				      outside_lookup, NULL, &errors, &bad);
	if (cfg && assertions && !probe_check_config(cfg, &errors, &bad))
		config_free(&cfg);
	fputs(buf_str(&errors), stderr);
	if (!whole)
		complain(c, "%s: cannot be read, or is larger than 1 MiB", path);
	else if (!cfg)
		complain(c, "%s: not good: %d error%s", path, bad, bad == 1 ? "" : "s");
	buf_free(&text);
	buf_free(&errors);
	return cfg;
}

const char *local_config_path(const struct cli *c) { return c->config && c->config[0] ? c->config : DEFAULT_CONFIG; }

const struct service_config *local_service(struct cli *c, const struct config *cfg, const char *name)
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

	char us[32];
	const struct evidence *e = r->evidence;
	bool told = e && e->want[0];

	o->left--;
	o->bad += i->class != OC_PRESENT;
	us_text(r->ended.us - r->began.us, us);
	json_array_append_new(o->results, json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:i,s:s,s:s}", "slot", slot_name(r->job.slot), "target", target, "feature",
						    feature, "class", outcome_class_name(i->class), "outcome", i->code, "latency_us",
						    (json_int_t)(r->ended.us - r->began.us), "status", e ? (int)e->status : 0, "want", e ? e->want : "", "got",
						    e ? e->got : ""));
	if (o->c->output == FMT_JSON)
		return;
	printf("%s %-6s %-22s %-14s %-8s %3ld  %s", mark(o->c, outcome_class_name(i->class)), slot_name(r->job.slot), target, feature,
	       outcome_class_name(i->class), e ? e->status : 0, us);
	if (i->class != OC_PRESENT)
		printf("  %s%s%s%s%s", i->sentence, told ? ": want " : "", told ? e->want : "", told ? ", got " : "", told ? e->got : "");
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

void local_learn(struct ev_loop *loop, struct probe_runner *r, const struct service_config *s, enum slot slot)
{
	size_t left = 0;

	for (size_t i = 0; s->slot[slot].n_targets && i < s->n_features; i++)
		if (s->features[i].compare && !probe_baseline_text(r, i)[0]) {
			left++;
			probe_learn_baseline(r, slot, i, learned, &left);
		}
	while (left && ev_run(loop, EVRUN_ONCE))
		;
}

static int probe_local(struct cli *c)
{
	struct config *cfg = local_config(c, local_config_path(c), true);
	const struct service_config *s = cfg ? local_service(c, cfg, c->service) : NULL;
	struct buf errors = BUF_INIT(ERRORS_MAX);
	struct ev_loop *loop = ev_default_loop(0);
	bool addressed = s && local_targets(c, cfg, s, false);
	struct probe_runner *r = s ? probe_runner_new(loop, cfg, s, &errors) : NULL;
	struct round o = { .c = c, .s = s, .results = json_array() };
	int ex = EX_USAGE_ERROR;
	enum slot only = NO_SLOT;

	if (!r) {
		fputs(buf_str(&errors), stderr);
		goto out;
	}
	if (c->slot && !slot_parse(c->slot, &only))
		goto out;
	if (only == NO_SLOT) {
		local_learn(loop, r, s, BLUE);
		local_learn(loop, r, s, GREEN);
	} else {
		local_learn(loop, r, s, other_slot(only));
		local_learn(loop, r, s, only);
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
	ex = o.bad || !addressed ? EX_REFUSED : EX_DONE;
	if (c->output == FMT_JSON) {
		json_t *all = json_pack("{s:s,s:s,s:O,s:i}", "service", s->name, "asked_by", "switchctl", "results", o.results, "exit", ex);

		say_json(c, all);
		json_decref(all);
	}
	if (o.bad)
		complain(c, "%s: %d of %zu probes are not present", s->name, o.bad, json_array_size(o.results));
out:
	json_decref(o.results);
	probe_runner_free(&r);
	buf_free(&errors);
	config_free(&cfg);
	ev_loop_destroy(loop);
	return ex;
}

/* The daemon's own round.  False: nobody answers; then this process asks by itself. */
static bool probe_asked(struct cli *c, int *ex)
{
	json_t *b = c->slot ? json_pack("{s:s}", "slot", c->slot) : json_object(), *f;
	char path[160];
	struct answer a;
	size_t i;

	TEXT_FORMAT(path, "/v1/services/%s/probe", c->service);
	client_ask(c, "POST", path, b, 15000, &a);
	json_decref(b);
	bool there = a.reached;

	*ex = EX_DONE;
	if (there && (a.status != 200 || !a.json))
		*ex = say_error(c, c->service, &a);
	json_array_foreach(json_object_get(a.json, "features"), i, f)
		for (int k = BLUE; k <= GREEN; k++)
			if ((!c->slot || strcmp(c->slot, slot_name((enum slot)k)) == 0) &&
			    strcmp(jstr(json_object_get(json_object_get(f, "slots"), slot_name((enum slot)k)), "verdict"), "present") != 0)
				*ex = EX_REFUSED;
	if (there && a.status == 200 && a.json && c->output == FMT_JSON)
		say_json(c, a.json);
	else if (there && a.status == 200 && a.json)
		say_probe(c, a.json);
	answer_free(&a);
	return there;
}

/* --prove by this process alone. */
static int prove_here(struct cli *c)
{
	struct config *cfg = local_config(c, local_config_path(c), true);
	const struct service_config *s = cfg ? local_service(c, cfg, c->service) : NULL;
	json_t *said = NULL;
	if (s) /* a feature that is more than a path needs none of them */
		(void)local_targets(c, cfg, s, false);
	int ex = s ? local_prove(c, cfg, s, &said) : EX_USAGE_ERROR;

	if (said && c->output == FMT_JSON)
		say_json(c, said);
	json_decref(said);
	config_free(&cfg);
	return ex;
}

/* The daemon proves with the baselines that it has.  False: nobody answers. */
static bool prove_asked(struct cli *c, int *ex)
{
	char path[160];
	struct answer a;

	TEXT_FORMAT(path, "/v1/services/%s/prove", c->service);
	client_ask(c, "POST", path, NULL, c->timeout_ms ? c->timeout_ms : 60000, &a);
	bool there = a.reached;

	if (there && (a.status != 200 || !a.json))
		*ex = say_error(c, c->service, &a);
	else if (there)
		*ex = say_prove(c, a.json);
	if (there && a.status == 200 && a.json && c->output == FMT_JSON)
		say_json(c, a.json);
	answer_free(&a);
	return there;
}

int verb_probe(struct cli *c)
{
	int (*here)(struct cli *) = c->prove ? prove_here : probe_local;
	bool (*asked)(struct cli *, int *) = c->prove ? prove_asked : probe_asked;
	struct answer a;
	int ex = EX_DONE;

	if (c->prove && c->slot)
		return usage_error(c, "--prove asks no slot: it asks stubs in their place");
	if (c->config && c->config[0])
		return here(c);
	if (!c->service[0]) {
		client_ask(c, "GET", "/v1/services", NULL, 2000, &a);
		bool there = a.reached;

		answer_free(&a);
		if (there && !cli_service(c, &ex))
			return ex;
		if (!there)
			return here(c);
	}
	return asked(c, &ex) ? ex : here(c);
}

/* ---- active ---- */

static int active_said(struct cli *c, const char *slot, bool stale)
{
	int ex = c->is ? strcmp(c->is, slot) != 0 : EX_DONE;

	if (c->output == FMT_JSON) {
		json_t *o = json_pack("{s:s,s:s,s:b,s:i}", "service", c->service, "active", slot, "stale", stale, "exit", ex);

		say_json(c, o);
		json_decref(o);
	} else if (!c->is) {
		printf("%s\n", slot);
	}
	return ex;
}

/* What this host's disk knows.  Said without noise: cron mails every word. */
static int active_peek(struct cli *c, const char *why)
{
	static struct journal_entry entry;
	const char *path = local_config_path(c);
	struct config *cfg = c->config || access(path, R_OK) == 0 ? local_config(c, path, false) : NULL;
	const char *dir = cfg ? cfg->state_dir : "/var/lib/switchd";

	if (!c->service[0] && cfg && cfg->n_services == 1)
		TEXT_COPY(c->service, cfg->services[0].name);
	bool known = c->service[0] && journal_peek(dir, c->service, &entry);

	if (!known) {
		complain(c, "%s: switchd does not answer (%s) and %s knows nothing of it", c->service[0] ? c->service : "which service?", why, dir);
		hint(c, "next", "systemctl status switchd   |   switchctl active SERVICE --config FILE");
	} else if (c->verbose) {
		complain(c, "%s: switchd does not answer (%s): this is the journal's answer", c->service, why);
	}
	config_free(&cfg);
	return known ? active_said(c, slot_name(entry.record.active), true) : EX_UNREACHABLE;
}

/* For cron and workers: asked of the daemon first, then of this host's journal. */
int verb_active(struct cli *c)
{
	char path[128], slot[16] = "", why[256];
	struct answer a;
	enum slot s;

	TEXT_FORMAT(path, "/active%s%s", c->service[0] ? "/" : "", c->service);
	client_ask(c, "GET", path, NULL, c->timeout_ms ? c->timeout_ms : 2000, &a);
	if (a.reached && (a.status == 200 || a.status == 503)) {
		TEXT_COPY(slot, buf_str(&a.body));
		slot[strcspn(slot, "\r\n")] = '\0';
	}
	bool answered = slot_parse(slot, &s) || strcmp(slot, "none") == 0, unknown = a.reached && a.status == 404;

	TEXT_COPY(why, a.reached ? "another answer than expected" : a.error);
	answer_free(&a);
	if (unknown)
		return usage_error(c, c->service[0] ? "no service '%s'" : "%sthere are several services: name one", c->service);
	return answered ? active_said(c, slot, false) : active_peek(c, why);
}

/* ---- config ---- */

/* Every service of the file; the worst exit code. */
static json_t *config_prove(struct cli *c, struct config *cfg, int *ex)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cfg->n_services; i++) {
		json_t *said = NULL;

		(void)local_targets(c, cfg, &cfg->services[i], false);
		int one = local_prove(c, cfg, &cfg->services[i], &said);

		*ex = one > *ex ? one : *ex;
		if (said)
			json_array_append_new(list, said);
	}
	return list;
}

static int config_check(struct cli *c)
{
	const char *path = c->n_words > 1 ? c->words[1] : local_config_path(c);
	struct config *cfg = local_config(c, path, true);
	json_t *o;
	int ex = EX_DONE;

	if (!cfg)
		return EX_USAGE_ERROR;
	o = json_pack("{s:s,s:b,s:I}", "file", path, "good", 1, "services", (json_int_t)cfg->n_services);
	if (c->output != FMT_JSON)
		printf("%s: good: %zu service%s\n", path, cfg->n_services, cfg->n_services == 1 ? "" : "s");
	if (c->prove)
		json_object_set_new(o, "prove", config_prove(c, cfg, &ex));
	if (c->output == FMT_JSON) {
		json_object_set_new(o, "exit", json_integer(ex));
		say_json(c, o);
	}
	json_decref(o);
	config_free(&cfg);
	return ex;
}

static void yaml_said(struct cli *c, const char *from, const char *yaml)
{
	json_t *o;

	if (c->output != FMT_JSON) {
		fputs(yaml, stdout);
		return;
	}
	o = json_pack("{s:s,s:s}", "from", from, "yaml", yaml);
	say_json(c, o);
	json_decref(o);
}

/* What is in force in the daemon; the file's when --config says so, or when nobody answers. */
static int config_shown(struct cli *c)
{
	const char *service = c->n_words > 1 ? c->words[1] : "";
	struct buf out = BUF_INIT(CONFIG_MAX);
	struct config *cfg;
	int ex = EX_DONE;

	if (service[0] && !name_ok(service))
		return usage_error(c, "no service '%s'", service);
	if (!c->config || !c->config[0]) {
		char path[160];
		struct answer a;

		TEXT_FORMAT(path, "/v1/config%s%s", service[0] ? "?service=" : "", service);
		client_ask(c, "GET", path, NULL, 0, &a);
		bool there = a.reached;

		if (there && a.status == 200)
			yaml_said(c, "switchd", buf_str(&a.body));
		else if (there)
			ex = say_error(c, "config", &a);
		answer_free(&a);
		if (there)
			return ex;
	}
	cfg = local_config(c, local_config_path(c), true);
	if (!cfg)
		return EX_USAGE_ERROR;
	if (service[0] && !config_service(cfg, service)) {
		ex = usage_error(c, "no service '%s' in %s", service, cfg->file);
	} else {
		config_show(cfg, service[0] ? service : NULL, &out);
		yaml_said(c, cfg->file, buf_str(&out));
	}
	buf_free(&out);
	config_free(&cfg);
	return ex;
}

int verb_config(struct cli *c)
{
	const char *what = c->n_words ? c->words[0] : "";

	if (c->n_words <= 2 && strcmp(what, "check") == 0)
		return config_check(c);
	if (c->prove)
		return usage_error(c, "--prove is for config check");
	if (c->n_words <= 2 && strcmp(what, "show") == 0)
		return config_shown(c);
	return usage_error(c, "config wants check [FILE] or show [SERVICE]");
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
	bool ok = c->bind ? proxy_snippet_bind(s, &s->proxies[0], c->bind, &out) : proxy_snippet(s, &s->proxies[0], &out);

	if (ok && c->output == FMT_JSON) {
		json_t *o = json_pack("{s:s,s:s,s:s}", "service", s->name, "proxy", s->proxies[0].name, "snippet", buf_str(&out));

		say_json(c, o);
		json_decref(o);
	} else if (ok) {
		fputs(buf_str(&out), stdout);
	} else {
		complain(c, "%s: no snippet can be made for %s", s->name, s->proxies[0].name);
	}
	buf_free(&out);
	return ok ? EX_DONE : EX_USAGE_ERROR;
}

static int init_files(struct cli *c, const struct config *cfg, const char *only)
{
	int ex = EX_DONE;

	for (size_t k = 0; k < cfg->n_services; k++) {
		const struct service_config *s = &cfg->services[k];

		for (size_t i = 0; i < s->n_proxies && (!only || strcmp(only, s->name) == 0); i++) {
			struct buf said = BUF_INIT(8192);

			/* An agent's file may know no features: then the paths are whose who wrote them. */
			if (!proxy_init_files(s, &s->proxies[i], &said) || (s->n_features && !proxy_write_paths(s, &s->proxies[i], &said))) {
				complain(c, "%s %s: its files could not be made: %s", s->name, s->proxies[i].name, buf_str(&said));
				ex = EX_INTERNAL;
			} else {
				fputs(buf_str(&said), stderr);
			}
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

/* What each proxy shows beside what this host's journal knows; exit 10 when they differ. */
static int diff(struct cli *c, const struct config *cfg, const struct service_config *s)
{
	static struct journal_entry j;
	struct ev_loop *loop = ev_default_loop(0);
	bool known = journal_peek(cfg->state_dir, s->name, &j) && j.record.active != NO_SLOT;
	json_t *list = json_array();
	int ex = EX_DONE;

	for (size_t i = 0; i < s->n_proxies; i++) {
		struct told t;
		char has[PROXY_VALUE_TEXT] = "-", want[PROXY_VALUE_TEXT] = "-";
		struct proxy_value v = { .slot = j.record.active, .v = j.record.v, .shield = j.record.shield };

		read_one(loop, s, i, &t);
		const char *trouble = t.a.result == PX_OK ? "" : t.a.detail[0] ? t.a.detail : proxy_result_sentence(t.a.result);

		if (t.a.has_value)
			proxy_value_text(&t.a.value, has);
		if (known)
			proxy_value_text(&v, want);
		bool same = known && strcmp(has, want) == 0;

		if (c->output != FMT_JSON)
			printf("%s %s\n  has   %s%s%s\n  want  %s%s\n", s->name, s->proxies[i].name, has, trouble[0] ? "  " : "", trouble, want,
			       !known ? "  (this host's journal knows nothing)" : same ? "  (the same)" : "");
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:b,s:s}", "proxy", s->proxies[i].name, "has", has, "want", want, "same", same, "detail",
						      trouble));
		if (!same)
			ex = EX_REFUSED;
	}
	if (c->output == FMT_JSON) {
		json_t *o = json_pack("{s:s,s:O,s:i}", "service", s->name, "proxies", list, "exit", ex);

		say_json(c, o);
		json_decref(o);
	}
	json_decref(list);
	ev_loop_destroy(loop);
	return ex;
}

/* A pin is a person's word against everything: it outlives switchd and Redis (B5.6). */
static int pin(struct cli *c, const struct service_config *s, const char *slot_text)
{
	struct proxy_value v = { .pin = true, .v = { 0, (uint64_t)(wall_now().ms / 1000) } };
	char text[PROXY_VALUE_TEXT];
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
		struct proxy *p;

		proxy_raw_command(&s->proxies[i], s, &v, &raw);
		fprintf(stderr, "  by hand: %s\n", buf_str(&raw));
		buf_free(&raw);
		if (c->dry_run)
			continue;
		p = proxy_new(loop, s, &s->proxies[i]);
		proxy_unpin(p); /* a person's later word stands above an earlier one */
		proxy_apply(p, &v, ORDER_BACK, told_done, &t);
		while (!t.done && ev_run(loop, EVRUN_ONCE))
			;
		proxy_free(&p);
		if (t.a.result == PX_OK && c->output != FMT_JSON)
			printf("%s %s: pinned: %s%s\n", s->name, s->proxies[i].name, proxy_value_text(&v, text), t.a.durable ? "" : " (not durable: a restart forgets it)");
		else if (t.a.result != PX_OK)
			complain(c, "%s %s: %s%s%s", s->name, s->proxies[i].name, proxy_result_sentence(t.a.result), t.a.detail[0] ? ": " : "", t.a.detail);
		if (t.a.result != PX_OK)
			ex = EX_HUMAN;
	}
	ev_loop_destroy(loop);
	if (c->output == FMT_JSON) {
		json_t *o = json_pack("{s:s,s:s,s:s,s:b,s:i}", "service", s->name, "slot", slot_text, "value", proxy_value_text(&v, text), "dry_run", c->dry_run,
				      "exit", ex);

		say_json(c, o);
		json_decref(o);
	}
	if (ex == EX_DONE && !c->dry_run)
		hint(c, "ends", "switchctl resume %s", s->name);
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
	cfg = local_config(c, local_config_path(c), false);
	if (!cfg)
		return EX_USAGE_ERROR;
	if (at < c->n_words && strcmp(c->words[at], "haproxy") == 0)
		at++;
	const char *name = at < c->n_words ? c->words[at++] : NULL;

	if (strcmp(what, "init") == 0 && !name) {
		ex = init_files(c, cfg, NULL);
		goto out;
	}
	s = local_service(c, cfg, name);
	if (!s)
		goto out;
	if (!s->n_proxies) {
		ex = usage_error(c, "%s has no proxy: in %s", s->name, cfg->file);
		goto out;
	}
	if (strcmp(what, "snippet") == 0) {
		(void)local_targets(c, cfg, s, true);
		ex = snippet(c, s);
	} else if (strcmp(what, "init") == 0)
		ex = init_files(c, cfg, s->name);
	else if (strcmp(what, "diff") == 0)
		ex = diff(c, cfg, s);
	else
		ex = pin(c, s, at < c->n_words ? c->words[at] : NULL);
out:
	config_free(&cfg);
	return ex;
}
