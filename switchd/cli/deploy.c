/* SPDX-License-Identifier: MIT
 * deploy.c - claim, unclaim, deploy, abort: what CI runs.
 *
 * `deploy SERVICE --release ID -- COMMAND` claims the idle slot, runs the command with SWITCHD_SLOT and
 * SWITCHD_TARGETS, keeps the claim alive meanwhile, announces the release and waits; the claim is given
 * back when the command fails.  Ctrl-C detaches (exit 130): the deploy goes on. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"

enum { DEPLOY_DEADLINE_MS = 15 * 60 * 1000, RENEW_EVERY_MS = 20000, LOCK_EVERY_MS = 1000, LONG_POLL_S = 5 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

static void put_text(json_t *b, const char *key, const char *value)
{
	if (value)
		json_object_set_new(b, key, json_string(value));
}

static bool locked(const struct answer *a)
{
	const char *code = jstr(a->json, "code");

	return a->status == 423 || (a->status == 409 && (strcmp(code, "phase") == 0 || strcmp(code, "claimed") == 0));
}

/* Asks until it is accepted, the lock deadline passes, or the answer is something else. */
static void ask_unlocked(struct cli *c, const char *method, const char *path, json_t *body, struct answer *a)
{
	int64_t deadline = mono_now().us + c->lock_wait_ms * 1000;
	bool told = false;

	for (;;) {
		client_ask(c, method, path, body, 0, a);
		if (!a->reached || !locked(a) || mono_now().us >= deadline || interrupted)
			return;
		if (!told && !c->quiet)
			fprintf(stderr, "switchctl: %s: waiting: %s\n", c->service, jstr(a->json, "detail"));
		told = true;
		answer_free(a);
		poll(NULL, 0, LOCK_EVERY_MS);
	}
}

static int failed(struct cli *c, struct answer *a)
{
	int ex = a->reached ? say_error(c, c->service, a) : say_unreachable(c, a);

	answer_free(a);
	return ex;
}

static int claim_ask(struct cli *c, struct answer *a)
{
	char path[160];
	json_t *b = json_object();

	TEXT_FORMAT(path, "/v1/services/%s/claim", c->service);
	put_text(b, "release", c->release);
	put_text(b, "slot", c->slot);
	put_text(b, "message", c->message);
	if (c->force)
		json_object_set_new(b, "force", json_true());
	ask_unlocked(c, "POST", path, b, a);
	json_decref(b);
	return a->reached && a->status < 300 ? EX_DONE : failed(c, a);
}

static int claim_renew(struct cli *c, const char *claim)
{
	char path[160];
	struct answer a;
	json_t *b = json_pack("{s:s}", "claim", claim);
	int ex;

	TEXT_FORMAT(path, "/v1/services/%s/claim/renew", c->service);
	client_ask(c, "POST", path, b, 0, &a);
	json_decref(b);
	if (!a.reached || a.status >= 300)
		return failed(c, &a);
	ex = a.status == 202 ? EX_UNKNOWN : EX_DONE;
	answer_free(&a);
	return ex;
}

int verb_claim(struct cli *c)
{
	struct answer a;
	int ex;

	if (!cli_service(c, &ex))
		return ex;
	if (c->claim && !c->release)
		return claim_renew(c, c->claim);
	if (!c->release)
		return usage_error(c, "claim wants --release ID (or --claim ID to renew one)");
	ex = claim_ask(c, &a);
	if (ex != EX_DONE)
		return ex;
	if (c->output == FMT_JSON) {
		say_json(a.json);
	} else if (strcmp(jstr(a.json, "status"), "dry-run") == 0) {
		fprintf(stderr, "would: %s\n", jstr(a.json, "because"));
	} else {
		printf("%s\n", jstr(a.json, "slot"));
		fprintf(stderr, "%s: %s is yours to fill with %s; claim %s\n  next    switchctl deploy %s --slot %s --release %s --claim %s\n", c->service,
			jstr(a.json, "slot"), c->release, jstr(a.json, "claim"), c->service, jstr(a.json, "slot"), c->release, jstr(a.json, "claim"));
	}
	ex = a.status == 202 ? EX_UNKNOWN : EX_DONE;
	answer_free(&a);
	return ex;
}

static int unclaim(struct cli *c, const char *claim, const char *why)
{
	char path[160];
	struct answer a;
	json_t *b = json_object();

	TEXT_FORMAT(path, "/v1/services/%s/claim", c->service);
	put_text(b, "claim", claim);
	put_text(b, "message", why);
	if (c->force)
		json_object_set_new(b, "force", json_true());
	client_ask(c, "DELETE", path, b, 0, &a);
	json_decref(b);
	if (!a.reached || a.status >= 300)
		return failed(c, &a);
	answer_free(&a);
	return EX_DONE;
}

int verb_unclaim(struct cli *c)
{
	int ex;

	if (!cli_service(c, &ex))
		return ex;
	ex = unclaim(c, c->claim, c->message);
	if (ex == EX_DONE)
		fprintf(stderr, "%s: the claim is given back\n", c->service);
	return ex;
}

/* ---- the command ---- */

static void child_env(const struct answer *claim, const struct cli *c)
{
	struct buf targets = BUF_INIT(8192);
	size_t i;
	json_t *t;

	json_array_foreach(json_object_get(claim->json, "targets"), i, t)
		buf_addf(&targets, "%s%s", i ? " " : "", json_string_value(t) ? json_string_value(t) : "");
	setenv("SWITCHD_SLOT", jstr(claim->json, "slot"), 1);
	setenv("SWITCHD_TARGETS", buf_str(&targets), 1);
	setenv("SWITCHD_RELEASE", c->release, 1);
	setenv("SWITCHD_SERVICE", c->service, 1);
	setenv("SWITCHD_CLAIM", jstr(claim->json, "claim"), 1);
	buf_free(&targets);
}

/* Runs the command; renews the claim meanwhile.  Its exit status, 128+signal, or -1. */
static int run_command(struct cli *c, const struct answer *claim)
{
	sigset_t chld, before;
	int64_t renew = mono_now().us + RENEW_EVERY_MS * 1000LL;
	pid_t pid;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &before);
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		child_env(claim, c);
		/* stdout stays switchctl's own: with --json it is one object. */
		if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
			_exit(126);
		execvp(c->command[0], c->command);
		fprintf(stderr, "switchctl: %s: %s\n", c->command[0], strerror(errno));
		_exit(127);
	}
	for (;;) {
		int status;
		struct timespec second = { .tv_sec = 1 };
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid) {
			sigprocmask(SIG_SETMASK, &before, NULL);
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		if (mono_now().us >= renew) {
			if (claim_renew(c, jstr(claim->json, "claim")) != EX_DONE)
				fprintf(stderr, "switchctl: %s: the claim could not be renewed; trying again\n", c->service);
			renew = mono_now().us + RENEW_EVERY_MS * 1000LL;
		}
		sigtimedwait(&chld, NULL, &second);
	}
}

/* ---- waiting ---- */

static int exit_of(const char *outcome, const char *wait, bool *ended)
{
	*ended = true;
	if (strcmp(outcome, "baked") == 0 || strcmp(outcome, "would-have-flipped") == 0 || strcmp(outcome, "would-have-refused") == 0)
		return EX_DONE;
	if (strcmp(outcome, "refused") == 0 || strcmp(outcome, "aborted") == 0 || strcmp(outcome, "expired") == 0)
		return EX_REFUSED;
	if (strcmp(outcome, "rolled-back") == 0)
		return EX_ROLLED_BACK;
	if (strcmp(outcome, "stuck") == 0)
		return EX_HUMAN;
	*ended = false;
	(void)wait;
	return EX_UNKNOWN;
}

static bool reached_stage(const json_t *d, const char *wait)
{
	const char *phase = jstr(d, "phase"), *outcome = jstr(d, "outcome");

	if (strcmp(wait, "ready") == 0)
		return strcmp(phase, "ready") == 0 || strcmp(phase, "baking") == 0 || strcmp(outcome, "ready") == 0;
	if (strcmp(wait, "flipped") == 0)
		return strcmp(phase, "baking") == 0;
	return false;
}

static void progress(struct cli *c, int64_t started, char *after, size_t size)
{
	struct answer a;
	char path[256];
	size_t i;
	json_t *e;

	TEXT_FORMAT(path, "/v1/services/%s/timeline?max=100&after=%s", c->service, after);
	client_ask(c, "GET", path, NULL, 0, &a);
	json_array_foreach(json_object_get(a.json, "events"), i, e) {
		if (!c->quiet && jint(e, "at") >= started)
			say_event(c, e, started);
		text_copy(after, size, jstr(e, "id"));
	}
	answer_free(&a);
}

static void summary(struct cli *c, const json_t *d, int ex)
{
	const json_t *v = json_object_get(d, "version");
	const char *outcome = jstr(d, "outcome");

	if (c->output == FMT_JSON) {
		json_t *o = json_pack("{s:O,s:s,s:s,s:s,s:s,s:O,s:O,s:O,s:i}", "deploy", json_object_get(d, "id"), "outcome", outcome, "reason",
				      jstr(d, "reason"), "active", jstr(d, "active"), "release", jstr(d, "release"), "version", v, "lost",
				      json_object_get(d, "lost"), "exposed_ms", json_object_get(d, "exposed_ms"), "exit", ex);

		if (o)
			say_json(o);
		json_decref(o);
		return;
	}
	printf("%s: deploy %lld of %s: %s%s%s\n", c->service, (long long)jint(d, "id"), jstr(d, "release"), outcome, jstr(d, "reason")[0] ? ": " : "",
	       jstr(d, "reason"));
	if (ex == EX_DONE)
		return;
	fprintf(stderr, "  now     %s serves, epoch %lld%s\n", jstr(d, "active"), (long long)jint(v, "epoch"),
		ex == EX_REFUSED ? "; traffic never moved" : ex == EX_ROLLED_BACK ? "; traffic is back" : "");
	if (json_is_integer(json_object_get(d, "exposed_ms")))
		fprintf(stderr, "  exposed %lld ms from the first bad probe to the observed way back\n", (long long)jint(d, "exposed_ms"));
	fprintf(stderr, "  next    switchctl why %s   |   switchctl timeline %s --last\n", c->service, c->service);
}

static int cancelled(struct cli *c, int64_t id)
{
	char path[160];
	struct answer a;

	if (!c->on_cancel || strcmp(c->on_cancel, "abort") != 0) {
		fprintf(stderr, "\nswitchctl: %s: detached; the deploy goes on\n  next    switchctl status %s\n", c->service, c->service);
		return EX_DETACHED;
	}
	TEXT_FORMAT(path, "/v1/services/%s/deploys/%lld", c->service, (long long)id);
	client_ask(c, "DELETE", path, NULL, 0, &a);
	fprintf(stderr, "\nswitchctl: %s: %s\n", c->service, a.reached && a.status < 300 ? "aborted" : "could not be aborted");
	answer_free(&a);
	return EX_DETACHED;
}

static int wait_for(struct cli *c, int64_t id, int64_t started, char *after, size_t after_size)
{
	int64_t deadline = mono_now().us + (c->timeout_ms ? c->timeout_ms : DEPLOY_DEADLINE_MS) * 1000;
	char path[256], seen[16] = "-";

	for (;;) {
		struct answer a;
		bool ended;

		TEXT_FORMAT(path, "/v1/services/%s/deploys/%lld?wait=%ds&for=%s&seen=%s", c->service, (long long)id, LONG_POLL_S, c->wait, seen);
		client_ask(c, "GET", path, NULL, (LONG_POLL_S + 5) * 1000, &a);
		if (interrupted) {
			answer_free(&a);
			return cancelled(c, id);
		}
		if (a.reached && a.status == 200 && a.json) {
			int ex = exit_of(jstr(a.json, "outcome"), c->wait, &ended);

			progress(c, started, after, after_size);
			if (!ended && reached_stage(a.json, c->wait)) {
				ended = true;
				ex = EX_DONE;
			}
			if (ended) {
				summary(c, a.json, ex);
				answer_free(&a);
				return ex;
			}
			TEXT_COPY(seen, jstr(a.json, "phase"));
		} else if (a.reached && a.status < 500) {
			return failed(c, &a);
		} else {
			poll(NULL, 0, 200); /* switchd restarts: the deploy is in the store and goes on */
		}
		answer_free(&a);
		if (mono_now().us > deadline) {
			fprintf(stderr, "switchctl: %s: still running after the time given\n  next    switchctl status %s\n", c->service, c->service);
			return EX_UNKNOWN;
		}
	}
}

/* The id of the newest event: progress begins after it. */
static void newest_event(struct cli *c, char *after, size_t size)
{
	struct answer a;
	char path[200];

	TEXT_FORMAT(path, "/v1/services/%s/timeline?max=1000", c->service);
	client_ask(c, "GET", path, NULL, 0, &a);
	const json_t *events = json_object_get(a.json, "events");

	if (json_array_size(events))
		text_copy(after, size, jstr(json_array_get(events, json_array_size(events) - 1), "id"));
	answer_free(&a);
}

static int announce(struct cli *c, const char *slot, const char *claim, struct answer *a)
{
	char path[160];
	json_t *b = json_object();

	TEXT_FORMAT(path, "/v1/services/%s/deploys", c->service);
	put_text(b, "release", c->release);
	put_text(b, "slot", slot);
	put_text(b, "claim", claim);
	put_text(b, "digest", c->digest);
	put_text(b, "rollback", c->policy);
	put_text(b, "message", c->message);
	if (strcmp(c->wait, "ready") == 0)
		put_text(b, "stop", "ready");
	if (c->force)
		json_object_set_new(b, "force", json_true());
	ask_unlocked(c, "POST", path, b, a);
	json_decref(b);
	return a->reached && a->status < 300 ? EX_DONE : failed(c, a);
}

static int ship(struct cli *c, char slot[8], char claim_id[80])
{
	struct answer claim;
	int ex = claim_ask(c, &claim), status;

	if (ex != EX_DONE)
		return ex;
	text_copy(slot, 8, jstr(claim.json, "slot"));
	text_copy(claim_id, 80, jstr(claim.json, "claim"));
	if (!c->quiet)
		fprintf(stderr, "  claimed %s for %s; running %s\n", slot, c->release, c->command[0]);
	status = run_command(c, &claim);
	answer_free(&claim);
	if (status == 0)
		return EX_DONE;
	ex = unclaim(c, claim_id, "the command failed");
	fprintf(stderr, "switchctl: %s: refused: %s ended with %d\n  now     traffic never moved; the claim is %s\n", c->service, c->command[0], status,
		ex == EX_DONE ? "given back" : "NOT given back: switchctl unclaim");
	return EX_REFUSED;
}

int verb_deploy(struct cli *c)
{
	static const char *const stages[] = { "none", "ready", "flipped", "baked" };
	struct sigaction sa = { .sa_handler = on_interrupt };
	int64_t started = wall_now().ms;
	char slot[8] = "", claim[80] = "", after[64] = "";
	struct answer a;
	bool known = false;
	int ex;

	for (size_t i = 0; i < ARRAY_LEN(stages); i++)
		known = known || strcmp(stages[i], c->wait) == 0;
	if (!known)
		return usage_error(c, "--wait knows none, ready, flipped and baked, not '%s'", c->wait);
	if (!c->release)
		return usage_error(c, "deploy wants --release ID");
	if (!cli_service(c, &ex))
		return ex;
	if (c->slot)
		TEXT_COPY(slot, c->slot);
	if (c->claim)
		TEXT_COPY(claim, c->claim);
	newest_event(c, after, sizeof(after));
	if (c->command && !c->dry_run) {
		ex = ship(c, slot, claim);
		if (ex != EX_DONE)
			return ex;
	}
	sigaction(SIGINT, &sa, NULL);
	ex = announce(c, slot[0] ? slot : NULL, claim[0] ? claim : NULL, &a);
	if (ex != EX_DONE)
		return ex;
	int64_t id = jint(a.json, "deploy");
	bool dry = strcmp(jstr(a.json, "status"), "dry-run") == 0;

	if (dry || strcmp(c->wait, "none") == 0 || a.status == 202) {
		if (c->output == FMT_JSON)
			say_json(a.json);
		else if (dry)
			printf("would: %s\n%s", jstr(a.json, "because"), jstr(a.json, "would"));
		else
			printf("%s: deploy %lld of %s is under way\n", c->service, (long long)id, c->release);
		ex = a.status == 202 ? EX_UNKNOWN : EX_DONE;
		answer_free(&a);
		return ex;
	}
	answer_free(&a);
	return wait_for(c, id, started, after, sizeof(after));
}

int verb_abort(struct cli *c)
{
	char path[160];
	struct answer a;
	int64_t id = c->deploy;
	int ex;

	if (!cli_service(c, &ex))
		return ex;
	if (!id) {
		TEXT_FORMAT(path, "/v1/services/%s", c->service);
		client_ask(c, "GET", path, NULL, 0, &a);
		if (!a.reached || a.status != 200)
			return failed(c, &a);
		id = jint(json_object_get(a.json, "deploy"), "id");
		answer_free(&a);
	}
	json_t *b = json_object();

	put_text(b, "message", c->message);
	TEXT_FORMAT(path, "/v1/services/%s/deploys/%lld", c->service, (long long)id);
	client_ask(c, "DELETE", path, b, 0, &a);
	json_decref(b);
	if (!a.reached || a.status >= 300)
		return failed(c, &a);
	if (c->output == FMT_JSON)
		say_json(a.json);
	else
		printf("%s: deploy %lld aborted\n", c->service, (long long)id);
	answer_free(&a);
	return EX_DONE;
}
