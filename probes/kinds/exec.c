/* SPDX-License-Identifier: MIT
 * exec.c - the kind exec: a program says whether the feature is there, by the exit codes of Nagios plugins.
 *
 * 0 is present.  2 is absent.  1, warning, moves no traffic: a feature of severity warn is absent by it (that is all
 * such a feature is for), a critical one stays present and shows the warning.  Everything else says nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probes/kind.h"
#include "probes/kinds/perfdata.h"
#include "switchd/core/config/feature_kinds.h"
#include "switchd/io/child.h"

enum { ARG_MAX_LEN = 4096, ENV_N = 10 };

struct means {
	struct probe_runner *runner;
	struct child_room *room;
	char (*why)[CHILD_WHY];         /* per feature: why its program may not be run */
};

struct running {
	struct probe_handle *h;
	struct child *child;
};

static bool exec_mine(const struct feature *f) { return f && feature_is(f, "exec"); }

static void *exec_open(struct probe_runner *r)
{
	struct means *m = xcalloc(1, sizeof(*m));

	m->runner = r;
	for (size_t i = 0; i < r->svc->n_features && !m->room; i++)
		if (exec_mine(&r->svc->features[i]))
			m->room = child_room_new(r->loop, r->cfg->exec_at_once > 0 ? (size_t)r->cfg->exec_at_once : 1);
	if (m->room)
		m->why = xcalloc(r->svc->n_features, sizeof(*m->why));
	return m;
}

static void exec_close(void *means)
{
	struct means *m = means;

	child_room_free(&m->room);
	free(m->why);
	free(m);
}

/* ---- what it is given ---- */

struct fact { const char *name, *value; };
enum { N_FACTS = 6 };

static void facts_of(const struct probe_handle *h, char port[8], struct fact out[N_FACTS])
{
	const struct probe_job *j = &h->r.job;
	const struct target *t = &h->runner->svc->slot[j->slot].targets[j->target];

	text_format(port, 8, "%u", t->port);
	out[0] = (struct fact){ "feature", h->feature->name };
	out[1] = (struct fact){ "host", t->host };
	out[2] = (struct fact){ "port", port };
	out[3] = (struct fact){ "release", h->release };
	out[4] = (struct fact){ "service", h->runner->svc->name };
	out[5] = (struct fact){ "slot", slot_name(j->slot) };
}

/* "{{host}}" becomes the host. NULL: longer than any argument should be. */
static char *fill(const char *text, const struct fact *facts)
{
	struct buf out = BUF_INIT(ARG_MAX_LEN);

	while (*text) {
		const char *open = strstr(text, "{{"), *close = open ? strstr(open, "}}") : NULL;
		size_t k = 0;

		if (!close) {
			buf_adds(&out, text);
			break;
		}
		buf_add(&out, text, (size_t)(open - text));
		while (k < N_FACTS && (strlen(facts[k].name) != (size_t)(close - open - 2) || strncmp(facts[k].name, open + 2, strlen(facts[k].name)) != 0))
			k++;
		if (k < N_FACTS)
			buf_adds(&out, facts[k].value);
		else
			buf_add(&out, open, (size_t)(close + 2 - open));
		text = close + 2;
	}
	if (out.full) {
		buf_free(&out);
		return NULL;
	}
	return out.len ? buf_take(&out) : xstrdup("");
}

static void free_all(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

/* Nothing of our own environment: what it needs to run, and of whom it is asked. */
static char **make_env(const struct fact *facts)
{
	char **env = xcalloc(ENV_N, sizeof(*env)), line[ARG_MAX_LEN];
	size_t n = 0;

	env[n++] = xstrdup("PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin");
	env[n++] = xstrdup("LC_ALL=C.UTF-8");
	for (size_t i = 0; i < N_FACTS; i++) {
		TEXT_FORMAT(line, "SWITCHD_%s=%s", facts[i].name, facts[i].value);
		for (char *p = line; *p != '='; p++)
			*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
		env[n++] = xstrdup(line);
	}
	return env;
}

/* ---- what it said ---- */

static enum outcome name_exit(const struct probe_handle *h, int code)
{
	switch (code) {
	case 0:
		return OUT_PRESENT;
	case 1:
		return h->feature->severity == SEV_WARN ? OUT_EXEC_WARNING : OUT_PRESENT;
	case 2:
		return OUT_EXEC_CRITICAL;
	default:
		return OUT_EXEC_UNKNOWN;
	}
}

static enum outcome name_end(struct probe_handle *h, const struct child_result *r, struct evidence *e)
{
	static const char *const words[] = { "ok", "warning", "critical", "unknown" };
	char line[120];
	bool lack;

	switch (r->end) {
	case CHILD_EXITED:
		plugin_line(r->out, r->out_len, line, sizeof(line));
		if (!line[0])
			plugin_line(r->err, r->err_len, line, sizeof(line));
		if (r->code)
			TEXT_FORMAT(e->got, "exit %d (%s)%s%s", r->code, words[r->code > 3 ? 3 : r->code], line[0] ? ": " : "", line);
		if (r->code > 1)
			TEXT_COPY(e->want, "exit 0");
		else if (r->code == 1)
			TEXT_COPY(e->want, h->feature->severity == SEV_WARN ? "exit 0" : "");
		return name_exit(h, r->code);
	case CHILD_SIGNALLED:
		TEXT_FORMAT(e->got, "ended by signal %d", r->code);
		return OUT_EXEC_UNKNOWN;
	case CHILD_TIMEOUT:
		TEXT_COPY(e->got, "still running at the timeout, and killed");
		return OUT_TIMEOUT;
	case CHILD_LATE:
		TEXT_COPY(e->got, "as many programs as exec: at_once allows were running");
		return OUT_PROBER_LIMIT;
	case CHILD_NOT_STARTED:
		TEXT_FORMAT(e->got, "could not be started: %s", strerror(r->code));
		lack = r->code == EAGAIN || r->code == ENOMEM || r->code == EMFILE || r->code == ENFILE;
		return lack ? OUT_PROBER_LIMIT : OUT_EXEC_UNKNOWN;
	case CHILD_CANCELLED:
		break;
	}
	return OUT_CANCELLED;
}

/* The answer as assertions see it: stdout its body, what was measured its head. */
static void on_exit_of(void *arg, const struct child_result *r)
{
	struct running *k = arg;
	struct probe_handle *h = k->h;
	const struct target *t = &h->runner->svc->slot[h->r.job.slot].targets[h->r.job.target];
	struct buf head = BUF_INIT(EVIDENCE_HEAD);
	struct evidence e;
	enum outcome o;

	if (r->end == CHILD_EXITED)
		plugin_measurements(r->out, r->out_len, &head);
	struct answer a = { .status = r->end == CHILD_EXITED ? r->code : 0, .head = buf_str(&head), .head_len = head.len, .body = r->out,
			    .body_len = r->out_len, .total_us = r->run_us };
	/* Its arguments may hold what came from the environment: not shown. */
	evidence_begin(&e, h, h->feature->exec->argv[0], t->text);
	o = name_end(h, r, &e);
	h->r.complete = r->end == CHILD_EXITED && r->code <= 2;
	if (o == OUT_PRESENT && r->code == 0)
		o = judge_expect(h, &a, &e);
	bool wanted = o != OUT_PRESENT || r->code == 1 || evidence_wanted(h, o);
	if (wanted) {
		if (r->out_len == 0 && r->err_len) {
			a.body = r->err;
			a.body_len = r->err_len;
		}
		evidence_answer(&e, h->feature, &a);
		evidence_end(&e, h->feature, o);
	}
	answer_clear(&a);
	buf_free(&head);
	free(k);
	probe_end(h, o, wanted ? &e : NULL);
}

/* ---- begin and cancel ---- */

/* SIGKILL comes at the timeout of the probe, SIGTERM a tenth before it. */
static int64_t grace_of(int64_t timeout_ms) { return timeout_ms / 10 < CHILD_GRACE_MS ? timeout_ms / 10 + 1 : CHILD_GRACE_MS; }

static void exec_start(void *means, struct probe_handle *h)
{
	struct means *m = means;
	const struct exec_settings *x = h->feature->exec;
	int64_t timeout_ms = h->feature->rule.timeout_ms;
	struct fact facts[N_FACTS];
	char port[8], **argv;
	bool fits = true;

	if (h->r.job.via == VIA_FRONT || h->r.job.purpose == PURPOSE_CONTROL || h->r.job.purpose == PURPOSE_BASELINE) {
		probe_end_later(h, OUT_NEVER_RAN, "a program is asked of a target, for its own sake");
		return;
	}
	if (!child_program_ok(x->argv[0], m->why[h->r.job.feature])) { /* again each time: the file system moves */
		probe_end_later(h, OUT_EXEC_UNKNOWN, m->why[h->r.job.feature]);
		return;
	}
	facts_of(h, port, facts);
	argv = xcalloc(x->n + 1, sizeof(*argv));
	for (size_t i = 0; i < x->n; i++) {
		argv[i] = i ? fill(x->argv[i], facts) : xstrdup(x->argv[0]);
		fits &= argv[i] != NULL;
	}
	if (fits) {
		struct running *k = xcalloc(1, sizeof(*k));
		char **env = make_env(facts);
		struct child_order order = { .argv = (const char *const *)argv, .env = (const char *const *)env,
					     .timeout_ms = timeout_ms - grace_of(timeout_ms), .grace_ms = grace_of(timeout_ms) };

		k->h = h;
		h->state = k;
		k->child = child_run(m->room, &order, on_exit_of, k);
		free_all(env, ENV_N);
	} else {
		probe_end_later(h, OUT_PROBER_LIMIT, "an argument is too long");
	}
	free_all(argv, x->n);
}

static void exec_cancel(struct probe_handle *h) { child_cancel(((struct running *)h->state)->child); }

static int exec_check(const struct config *cfg, const struct feature *f, struct buf *errors)
{
	static const char *const words[] = { "status", "header", "redirect", "cookie", "certificate", "url", NULL };
	const struct exec_settings *x = f->exec;
	char why[CHILD_WHY];
	int wrong = refuse_subjects(cfg, f, words, errors);

	if (!child_program_ok(x->argv[0], why)) {
		buf_addf(errors, "%s:%d:%d: error: exec: %s\n", cfg->file, x->line ? x->line[0] : 0, x->col ? x->col[0] : 0, why);
		wrong++;
	}
	return wrong;
}

static const char *exec_unproven(const struct feature *f)
{
	(void)f;
	return "a program asks what it likes: run it once against a target that lacks the feature, and see it exit with 2";
}

const struct probe_kind probe_kind_exec = {
	.name = "exec", .mine = exec_mine, .open = exec_open, .close = exec_close, .start = exec_start, .cancel = exec_cancel,
	.check = exec_check, .unproven = exec_unproven,
};
