/* SPDX-License-Identifier: MIT
 * switchd.c - the daemon: arguments, configuration, the parts wired together, signals, the loop.
 * It alone knows every module. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probes/assert/assert.h"
#include "probes/probe.h"
#include "switchd/agent/agent.h"
#include "switchd/api/api.h"
#include "switchd/base/log.h"
#include "switchd/base/outside.h"
#include "switchd/base/version.h"
#include "switchd/core/decide/decide.h"
#include "switchd/core/decide/gates.h"
#include "switchd/engine/engine.h"

enum { EXIT_DONE = 0, EXIT_INTERNAL = 1, EXIT_CONFIG = 2 };
enum { CONFIG_MAX = 1024 * 1024, ERRORS_MAX = 256 * 1024 };

/* A controller is an engine and its API; an agent is itself. */
struct daemon {
	struct ev_loop *loop;
	const char *file;
	enum config_role role;
	struct engine *engine;
	struct api *api;
	struct agent *agent;
	ev_signal hup, term, interrupt;
	bool ending;
};

static bool read_file(const char *path, struct buf *out, struct buf *errors)
{
	char chunk[16384];
	FILE *f = fopen(path, "re");

	if (!f) {
		buf_addf(errors, "%s: error: %s\n", path, strerror(errno));
		return false;
	}
	size_t n;
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	bool ok = !ferror(f) && !out->full;

	if (!ok)
		buf_addf(errors, "%s: error: %s\n", path, out->full ? "larger than 1 MiB" : "cannot be read");
	fclose(f);
	return ok;
}

/* The whole check: text, types, rules, and every assertion compiled (an agent has none). */
static struct config *load(enum config_role role, const char *path, struct buf *errors)
{
	struct buf text = BUF_INIT(CONFIG_MAX);
	struct config *cfg = NULL;
	int n = 0;

	if (read_file(path, &text, errors))
		cfg = config_load_for(role, path, buf_str(&text), text.len, outside_lookup, NULL, errors, &n);
	buf_free(&text);
	if (cfg && role == CONFIG_CONTROLLER && !probe_check_config(cfg, errors, &n))
		config_free(&cfg);
	return cfg;
}

static int check(enum config_role role, const char *path)
{
	struct buf errors = BUF_INIT(ERRORS_MAX);
	struct config *cfg = load(role, path, &errors);
	int status = cfg ? EXIT_DONE : EXIT_CONFIG;

	fputs(buf_str(&errors), stderr);
	if (cfg)
		printf("%s: good: %zu service%s\n", path, cfg->n_services, cfg->n_services == 1 ? "" : "s");
	else
		fprintf(stderr, "%s: not good\n", path);
	config_free(&cfg);
	buf_free(&errors);
	return status;
}

static int print_to_stdout(void (*print)(struct buf *))
{
	struct buf b = BUF_INIT(1024 * 1024);

	print(&b);
	fputs(buf_str(&b), stdout);
	buf_free(&b);
	return EXIT_DONE;
}

static void print_transitions(struct buf *b)
{
	decide_print_table(b);
	buf_adds(b, "\n```mermaid\n");
	decide_print_mermaid(b);
	buf_adds(b, "```\n");
}

static int show_config(enum config_role role, const char *path)
{
	struct buf out = BUF_INIT(1024 * 1024), errors = BUF_INIT(ERRORS_MAX);
	struct config *cfg = load(role, path, &errors);

	fputs(buf_str(&errors), stderr);
	if (!cfg) {
		buf_free(&errors);
		return EXIT_CONFIG;
	}
	config_show(cfg, NULL, &out);
	fputs(buf_str(&out), stdout);
	config_free(&cfg);
	buf_free(&out);
	buf_free(&errors);
	return EXIT_DONE;
}

/* ---- signals ---- */

static void reload_failed(struct daemon *d, const char *why)
{
	if (d->agent)
		agent_reload_failed(d->agent, why);
	else
		engine_reload_failed(d->engine, why);
}

/* Takes the config, or frees it. */
static bool reload(struct daemon *d, struct config *cfg, char *why, size_t size)
{
	if (d->agent ? !agent_reload(d->agent, cfg, why, size) : !engine_reload(d->engine, cfg, why, size)) {
		config_free(&cfg);
		return false;
	}
	if (d->agent || api_reload(d->api, why, size))
		return true;
	reload_failed(d, why);
	return false;
}

static void on_hup(EV_P_ ev_signal *w, int revents)
{
	struct daemon *d = w->data;
	struct buf errors = BUF_INIT(ERRORS_MAX);
	char why[2048] = "";

	(void)revents;
	(void)loop;
	struct config *cfg = load(d->role, d->file, &errors);

	if (!cfg) {
		fputs(buf_str(&errors), stderr);
		reload_failed(d, buf_str(&errors));
	} else if (reload(d, cfg, why, sizeof(why))) {
		if (errors.len)
			fputs(buf_str(&errors), stderr);
		log_info("reload", "ok=1 file=%s", LOG_Q(d->file));
	}
	buf_free(&errors);
}

static void stopped(void *arg)
{
	struct daemon *d = arg;

	ev_break(d->loop, EVBREAK_ALL);
}

static void on_end(EV_P_ ev_signal *w, int revents)
{
	struct daemon *d = w->data;

	(void)revents;
	if (d->ending) { /* asked twice: now */
		ev_break(EV_A_ EVBREAK_ALL);
		return;
	}
	d->ending = true;
	log_info("end", "what=\"traffic stays where it is\"");
	if (d->agent)
		agent_stop(d->agent, stopped, d);
	else
		engine_stop(d->engine, stopped, d);
}

static void signals(struct daemon *d)
{
	ev_signal_init(&d->hup, on_hup, SIGHUP);
	ev_signal_init(&d->term, on_end, SIGTERM);
	ev_signal_init(&d->interrupt, on_end, SIGINT);
	d->hup.data = d->term.data = d->interrupt.data = d;
	ev_signal_start(d->loop, &d->hup);
	ev_signal_start(d->loop, &d->term);
	ev_signal_start(d->loop, &d->interrupt);
	signal(SIGPIPE, SIG_IGN);
}

/* Secrets stay out of cores and of other users' sight; a full log pipe never stops the loop. */
static void harden(void)
{
	struct rlimit none = { 0, 0 };
	struct stat st;

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	umask(0027);
	if (fstat(STDERR_FILENO, &st) == 0 && S_ISFIFO(st.st_mode)) {
		int flags = fcntl(STDERR_FILENO, F_GETFL);

		if (flags >= 0)
			fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
	}
}

/* Takes the config. */
static bool begin(struct daemon *d, struct config *cfg, char *error, size_t size)
{
	if (d->role == CONFIG_AGENT) {
		d->agent = agent_new(d->loop, cfg, error, size);
		return d->agent != NULL;
	}
	d->engine = engine_new(d->loop, cfg, error, size);
	if (!d->engine)
		return false;
	d->api = api_new(d->loop, d->engine, error, size);
	if (!d->api)
		engine_free(&d->engine);
	return d->api != NULL;
}

static int run(enum config_role role, const char *path)
{
	struct daemon d = { .file = path, .role = role };
	struct buf errors = BUF_INIT(ERRORS_MAX);
	char error[2048] = "";
	struct config *cfg = load(role, path, &errors);

	fputs(buf_str(&errors), stderr);
	buf_free(&errors);
	if (!cfg)
		return EXIT_CONFIG;
	harden();
	d.loop = ev_default_loop(EVFLAG_AUTO);
	must(d.loop != NULL);
	signals(&d);
	if (!begin(&d, cfg, error, sizeof(error))) {
		fprintf(stderr, "switchd: cannot start: %s\n", error);
		return EXIT_INTERNAL;
	}
	log_info("start", "version=%s role=%s file=%s", SWITCHD_VERSION, role == CONFIG_AGENT ? "agent" : "controller", LOG_Q(path));
	ev_run(d.loop, 0);
	agent_free(&d.agent);
	api_free(&d.api);
	engine_free(&d.engine);
	ev_loop_destroy(d.loop);
	return EXIT_DONE;
}

static int usage(FILE *to)
{
	fputs("usage: switchd [--role ROLE] [-c FILE]  run (default /etc/switchd/switchd.yaml)\n"
	      "       switchd [--role ROLE] -t FILE    check a configuration: every error in one run\n"
	      "       switchd [--role ROLE] --show-config FILE\n"
	      "                                        print it as it is understood, defaults and all\n"
	      "       switchd --settings               every setting, as a table\n"
	      "       switchd --transitions            every transition and why, as a table and as Mermaid\n"
	      "       switchd --gates                  every gate, as a table\n"
	      "       switchd --routes                 every route of the API and the role that it needs\n"
	      "       switchd --assertions             every subject and predicate of assertions\n"
	      "       switchd --version\n"
	      "ROLE: controller (if not told) probes, decides and writes the record; agent applies it on a proxy's host.\n"
	      "SIGHUP reloads (all or nothing); SIGTERM ends it: traffic stays where it is.\n", to);
	return to == stdout ? EXIT_DONE : EXIT_CONFIG;
}

static int print_version(void) { return puts("switchd " SWITCHD_VERSION) < 0; }
static int print_usage(void) { return usage(stdout); }
static int print_settings(void) { return print_to_stdout(config_settings_doc); }
static int print_table(void) { return print_to_stdout(print_transitions); }
static int print_gates(void) { return print_to_stdout(gates_doc); }
static int print_routes(void) { return print_to_stdout(api_routes_doc); }
static int print_assertions(void) { return print_to_stdout(assert_print_doc); }

/* What is to be done: with a file, or without one. */
static const struct verb {
	const char *word, *other;
	int (*with)(enum config_role, const char *file);
	int (*alone)(void);
} verbs[] = {
	{ "-c", "--config", run, NULL },
	{ "-t", "--test", check, NULL },
	{ "--show-config", "", show_config, NULL },
	{ "--settings", "", NULL, print_settings },
	{ "--transitions", "", NULL, print_table },
	{ "--gates", "", NULL, print_gates },
	{ "--routes", "", NULL, print_routes },
	{ "--assertions", "", NULL, print_assertions },
	{ "--version", "", NULL, print_version },
	{ "-h", "--help", NULL, print_usage },
};

static const struct verb *verb_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].word, word) == 0 || (verbs[i].other[0] && strcmp(verbs[i].other, word) == 0))
			return &verbs[i];
	return NULL;
}

static bool role_of(const char *word, enum config_role *role)
{
	if (strcmp(word, "agent") == 0)
		*role = CONFIG_AGENT;
	else if (strcmp(word, "controller") == 0)
		*role = CONFIG_CONTROLLER;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	const char *file = "/etc/switchd/switchd.yaml";
	const struct verb *verb = NULL, *next;
	enum config_role role = CONFIG_CONTROLLER;
	bool role_told = false;

	heap_habits();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--role") == 0 && !role_told && i + 1 < argc && role_of(argv[i + 1], &role)) {
			role_told = true;
			i++;
			continue;
		}
		next = verb_of(argv[i]);
		if (!next || verb || (next->with && ++i == argc))
			return usage(stderr);
		verb = next;
		if (verb->with)
			file = argv[i];
	}
	if (!verb)
		return run(role, file);
	if (verb->alone)
		return role_told ? usage(stderr) : verb->alone();
	return verb->with(role, file);
}
