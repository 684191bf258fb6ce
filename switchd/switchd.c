/* SPDX-License-Identifier: MIT
 * switchd.c - the daemon: arguments, configuration, the parts wired together, signals, the loop.
 * It alone knows every module. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <malloc.h>
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
#include "switchd/api/api.h"
#include "switchd/base/log.h"
#include "switchd/base/outside.h"
#include "switchd/base/version.h"
#include "switchd/core/decide/decide.h"
#include "switchd/core/decide/gates.h"
#include "switchd/engine/engine.h"

enum { EXIT_DONE = 0, EXIT_INTERNAL = 1, EXIT_CONFIG = 2 };
enum { LARGE_BLOCK = 128 * 1024 };
enum { CONFIG_MAX = 1024 * 1024, ERRORS_MAX = 256 * 1024 };

struct daemon {
	struct ev_loop *loop;
	const char *file;
	struct engine *engine;
	struct api *api;
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

/* The whole check: text, types, rules, and every assertion compiled. */
static struct config *load(const char *path, struct buf *errors)
{
	struct buf text = BUF_INIT(CONFIG_MAX);
	struct config *cfg = NULL;
	int n = 0;

	if (read_file(path, &text, errors))
		cfg = config_load(path, buf_str(&text), text.len, outside_lookup, NULL, errors, &n);
	buf_free(&text);
	if (cfg && !probe_check_config(cfg, errors, &n))
		config_free(&cfg);
	return cfg;
}

static int check(const char *path)
{
	struct buf errors = BUF_INIT(ERRORS_MAX);
	struct config *cfg = load(path, &errors);
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

static int show_config(const char *path)
{
	struct buf out = BUF_INIT(1024 * 1024), errors = BUF_INIT(ERRORS_MAX);
	struct config *cfg = load(path, &errors);

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

static void on_hup(EV_P_ ev_signal *w, int revents)
{
	struct daemon *d = w->data;
	struct buf errors = BUF_INIT(ERRORS_MAX);
	char why[2048] = "";

	(void)revents;
	(void)loop;
	struct config *cfg = load(d->file, &errors);

	if (!cfg) {
		fputs(buf_str(&errors), stderr);
		engine_reload_failed(d->engine, buf_str(&errors));
	} else if (!engine_reload(d->engine, cfg, why, sizeof(why))) {
		config_free(&cfg);
	} else if (!api_reload(d->api, why, sizeof(why))) {
		engine_reload_failed(d->engine, why);
	} else {
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

static int run(const char *path)
{
	struct daemon d = { .file = path };
	struct buf errors = BUF_INIT(ERRORS_MAX);
	char error[2048] = "";
	struct config *cfg = load(path, &errors);

	fputs(buf_str(&errors), stderr);
	buf_free(&errors);
	if (!cfg)
		return EXIT_CONFIG;
	harden();
	d.loop = ev_default_loop(EVFLAG_AUTO);
	must(d.loop != NULL);
	signals(&d);
	d.engine = engine_new(d.loop, cfg, error, sizeof(error));
	if (!d.engine) {
		fprintf(stderr, "switchd: cannot start: %s\n", error);
		return EXIT_INTERNAL;
	}
	d.api = api_new(d.loop, d.engine, error, sizeof(error));
	if (!d.api) {
		fprintf(stderr, "switchd: cannot start: %s\n", error);
		engine_free(&d.engine);
		return EXIT_INTERNAL;
	}
	log_info("start", "version=%s file=%s", SWITCHD_VERSION, LOG_Q(path));
	ev_run(d.loop, 0);
	api_free(&d.api);
	engine_free(&d.engine);
	ev_loop_destroy(d.loop);
	return EXIT_DONE;
}

static int usage(FILE *to)
{
	fputs("usage: switchd [-c FILE]          run (default /etc/switchd/switchd.yaml)\n"
	      "       switchd -t FILE            check a configuration: every error in one run\n"
	      "       switchd --show-config FILE print it as it is understood, defaults and all\n"
	      "       switchd --settings         every setting, as a table\n"
	      "       switchd --transitions      every transition and why, as a table and as Mermaid\n"
	      "       switchd --gates            every gate, as a table\n"
	      "       switchd --routes           every route of the API and the role that it needs\n"
	      "       switchd --assertions       every subject and predicate of assertions\n"
	      "       switchd --version\n"
	      "SIGHUP reloads (all or nothing); SIGTERM ends it: traffic stays where it is.\n", to);
	return to == stdout ? EXIT_DONE : EXIT_CONFIG;
}

int main(int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : "";

	/* What is large and mostly empty, as a service, takes memory only where it is written.  Told once: else glibc
	 * moves its threshold past that with the first larger block that is freed. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	if (argc == 1)
		return run("/etc/switchd/switchd.yaml");
	if (argc == 3 && (strcmp(first, "-c") == 0 || strcmp(first, "--config") == 0))
		return run(argv[2]);
	if (argc == 3 && (strcmp(first, "-t") == 0 || strcmp(first, "--test") == 0))
		return check(argv[2]);
	if (argc == 3 && strcmp(first, "--show-config") == 0)
		return show_config(argv[2]);
	if (argc == 2 && strcmp(first, "--settings") == 0)
		return print_to_stdout(config_settings_doc);
	if (argc == 2 && strcmp(first, "--transitions") == 0)
		return print_to_stdout(print_transitions);
	if (argc == 2 && strcmp(first, "--gates") == 0)
		return print_to_stdout(gates_doc);
	if (argc == 2 && strcmp(first, "--routes") == 0)
		return print_to_stdout(api_routes_doc);
	if (argc == 2 && strcmp(first, "--assertions") == 0)
		return print_to_stdout(assert_print_doc);
	if (argc == 2 && strcmp(first, "--version") == 0)
		return puts("switchd " SWITCHD_VERSION) < 0;
	if (argc == 2 && (strcmp(first, "-h") == 0 || strcmp(first, "--help") == 0))
		return usage(stdout);
	return usage(stderr);
}
