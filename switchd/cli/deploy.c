/* SPDX-License-Identifier: MIT
 * deploy.c - claim, unclaim, deploy, abort: what CI runs.
 *
 * `deploy SERVICE --release ID -- COMMAND` claims the idle slot, runs the command (command.c), announces the
 * release and waits; the claim is given back when the command fails.  Ctrl-C detaches (exit 130): the deploy goes on. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/deploy.h"

enum { DEPLOY_DEADLINE_MS = 15 * 60 * 1000, GRACE_MS = 60 * 1000, LOCK_EVERY_MS = 1000, LONG_POLL_S = 5, NOT_KNOWN_MS = 15 * 1000 };

volatile sig_atomic_t interrupted;

static void on_interrupt(int sig) { interrupted = sig; }

static void put_text(json_t *b, const char *key, const char *value)
{
	if (value)
		json_object_set_new(b, key, json_string(value));
}

static json_t *body_new(const struct cli *c)
{
	json_t *b = json_object();

	put_text(b, "message", c->message);
	if (c->force)
		json_object_set_new(b, "force", json_true());
	return b;
}

/* One mutation of this run: each has a step of its own in its request id. */
static void ask_step(struct cli *c, const char *step, const char *method, const char *tail, json_t *body, struct answer *a)
{
	char path[200];

	TEXT_COPY(c->step, step);
	TEXT_FORMAT(path, "/v1/services/%s/%s", c->service, tail);
	client_ask(c, method, path, body, 0, a);
	c->step[0] = '\0';
}

static bool good(const struct answer *a) { return a->reached && a->status < 300 && a->json; }

static int failed(struct cli *c, struct answer *a)
{
	int ex = say_failed(c, c->service, a);

	answer_free(a);
	return ex;
}

static bool locked(const struct answer *a)
{
	const char *code = jstr(a->json, "code");

	return a->status == 423 || (a->status == 409 && (strcmp(code, "wrong-phase") == 0 || strcmp(code, "claimed") == 0));
}

/* Asks until it is accepted, the lock deadline passes, or the answer is something else. */
static void ask_unlocked(struct cli *c, const char *step, const char *tail, json_t *body, struct answer *a)
{
	int64_t deadline = mono_now().us + c->lock_wait_ms * 1000;
	bool told = false;

	for (;;) {
		ask_step(c, step, "POST", tail, body, a);
		if (!a->reached || !locked(a) || mono_now().us >= deadline || interrupted)
			return;
		if (!told && !c->quiet)
			fprintf(stderr, "  waiting: %s\n", jstr(a->json, "detail"));
		told = true;
		answer_free(a);
		poll(NULL, 0, LOCK_EVERY_MS);
	}
}

/* ---- claims ---- */

/* What the gates look at. */
static int put_gates(struct cli *c, json_t *b)
{
	put_text(b, "digest", c->digest);
	skip_put(c, b);
	return manifest_put(c, b);
}

static int claim_ask(struct cli *c, const char *step, struct answer *a)
{
	json_t *b = body_new(c);
	int ex = put_gates(c, b);

	put_text(b, "release", c->release);
	put_text(b, "slot", c->slot);
	if (ex == EX_DONE) {
		ask_unlocked(c, step, "claim", b, a);
		ex = good(a) ? EX_DONE : failed(c, a);
	}
	json_decref(b);
	return ex;
}

void claim_renew(struct cli *c, const char *claim, const char *step, struct answer *a)
{
	json_t *b = json_pack("{s:s}", "claim", claim);

	ask_step(c, step, "POST", "claim/renew", b, a);
	json_decref(b);
}

static void unclaim(struct cli *c, const char *claim, const char *step, struct answer *a)
{
	json_t *b = body_new(c);

	put_text(b, "claim", claim);
	ask_step(c, step, "DELETE", "claim", b, a);
	json_decref(b);
}

static int renew(struct cli *c)
{
	struct answer a;
	int ex;

	if (!c->claim)
		return usage_error(c, "--renew wants --claim ID");
	claim_renew(c, c->claim, "", &a);
	if (!good(&a))
		return failed(c, &a);
	ex = order_said(c, "claim renewed", &a);
	answer_free(&a);
	return ex;
}

int verb_claim(struct cli *c)
{
	struct answer a;
	int ex;

	if (!c->release && !c->claim)
		return usage_error(c, "claim wants --release ID (or --renew --claim ID)");
	if (c->n_skips && !c->message)
		return usage_error(c, "--skip-gate wants a reason: -m WHY");
	if (!cli_service(c, &ex))
		return ex;
	if (c->renew || !c->release)
		return renew(c);
	ex = claim_ask(c, "", &a);
	if (ex != EX_DONE)
		return ex;
	const char *slot = jstr(a.json, "slot"), *claim = jstr(a.json, "claim");

	if (c->output == FMT_JSON || a.status == 202 || strcmp(jstr(a.json, "status"), "dry-run") == 0) {
		ex = order_said(c, "claimed", &a);
	} else if (!slot[0]) { /* the same request id once more, and the claim has gone on since */
		complain(c, "%s: this request was done before, and its claim does not stand any more", c->service);
		ex = EX_REFUSED;
	} else {
		printf("%s\n", slot);
		fprintf(stderr, "%s: %s is yours to fill with %s; claim %s\n", c->service, slot, c->release, claim);
		if (!c->quiet)
			say_gates(c, json_object_get(a.json, "gates"), stderr);
		hint(c, "next", "switchctl deploy %s --slot %s --release %s --claim %s", c->service, slot, c->release, claim);
	}
	answer_free(&a);
	return ex;
}

int verb_unclaim(struct cli *c)
{
	struct answer a;
	int ex;

	if (c->force && !c->message)
		return usage_error(c, "to end the claim of another wants a reason: -m WHY");
	if (!cli_service(c, &ex))
		return ex;
	unclaim(c, c->claim, "", &a);
	if (!good(&a))
		return failed(c, &a);
	ex = order_said(c, "the claim is given back", &a);
	answer_free(&a);
	return ex;
}

/* ---- waiting ---- */

static bool moving(const json_t *d) { return strcmp(jstr(d, "phase"), "flipping") == 0 || strcmp(jstr(d, "phase"), "reverting") == 0; }

/* Ended means that traffic has come to rest too: what is decided is not yet observed. */
static bool ended(const json_t *d, int *ex)
{
	static const struct { const char *outcome; int ex; } ends[] = {
		{ "baked", EX_DONE }, { "would-have-flipped", EX_DONE }, { "would-have-refused", EX_DONE }, { "refused", EX_REFUSED },
		{ "aborted", EX_REFUSED }, { "expired", EX_REFUSED }, { "rolled-back", EX_ROLLED_BACK }, { "stuck", EX_HUMAN },
	};
	const char *outcome = jstr(d, "outcome");

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (strcmp(ends[i].outcome, outcome) == 0) {
			*ex = strcmp(jstr(d, "phase"), "stuck") == 0 ? EX_HUMAN : ends[i].ex;
			return !moving(d);
		}
	return false;
}

static bool reached_stage(const json_t *d, const char *wait)
{
	const char *phase = jstr(d, "phase");
	bool baking = strcmp(phase, "baking") == 0;

	if (strcmp(wait, "ready") == 0)
		return strcmp(phase, "ready") == 0 || baking;
	return strcmp(wait, "flipped") == 0 && baking;
}

struct waiting { int64_t id, began_at; char after[64]; };

/* Shows what happened since the last look; its times count from the first event of this run. */
static void progress(struct cli *c, struct waiting *w)
{
	struct answer a;
	char path[256];
	size_t i;
	json_t *e;

	if (c->quiet)
		return;
	TEXT_FORMAT(path, "/v1/services/%s/timeline?max=100&after=%s", c->service, w->after);
	client_ask(c, "GET", path, NULL, 0, &a);
	json_array_foreach(json_object_get(a.json, "events"), i, e) {
		if (!w->began_at)
			w->began_at = jint(e, "at");
		say_event(c, e, w->began_at);
		TEXT_COPY(w->after, jstr(e, "id"));
	}
	answer_free(&a);
}

static void summary_json(struct cli *c, const json_t *d, int ex)
{
	static const char *const members[] = { "reason", "gates", "skip", "phase", "active", "release", "slot", "by", "version", "lost", "unproven", "exposed_ms", "move", "since", "ended" };
	json_t *o = json_object();

	json_object_set(o, "deploy", json_object_get(d, "id"));
	json_object_set(o, "outcome", json_object_get(d, "outcome"));
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (json_object_get(d, members[i]))
			json_object_set(o, members[i], json_object_get(d, members[i]));
	json_object_set(o, "epoch", json_object_get(json_object_get(d, "version"), "epoch"));
	json_object_set_new(o, "exit", json_integer(ex));
	say_json(c, o);
	json_decref(o);
}

static void summary(struct cli *c, const json_t *d, int ex)
{
	const char *outcome = jstr(d, "outcome"), *reason = jstr(d, "reason");
	const json_t *move = json_object_get(d, "move");
	int64_t deploy = jint(d, "id");
	json_t *f;
	size_t i;

	if (c->output == FMT_JSON) {
		summary_json(c, d, ex);
	} else {
		const char *word = strcmp(outcome, "running") == 0 ? strcmp(jstr(d, "phase"), "baking") == 0 ? "flipped, baking" : jstr(d, "phase") : outcome;

		printf("%s: deploy %lld of %s: %s%s%s\n", c->service, (long long)deploy, jstr(d, "release"), word, reason[0] ? ": " : "", reason);
	}
	if (!c->quiet || ex == EX_REFUSED)
		say_gates(c, json_object_get(d, "gates"), stderr);
	if (json_is_object(move) && jint(move, "decided") >= jint(d, "since") && !c->quiet) {
		fputs("  move    ", stderr);
		say_move(move, stderr);
	}
	json_array_foreach(json_object_get(d, "unproven"), i, f)
		if (!c->quiet)
			hint(c, "unproven", "%s: %s", jstr(f, "name"), jstr(f, "why"));
	if (json_is_integer(json_object_get(d, "exposed_ms")))
		hint(c, "exposed", "%lld ms from the first bad probe to the observed way back", (long long)jint(d, "exposed_ms"));
	if (ex == EX_DONE)
		return;
	hint(c, "now", "%s serves, epoch %lld%s", jstr(d, "active"), (long long)jint(json_object_get(d, "version"), "epoch"),
	     ex == EX_REFUSED ? "; traffic never moved" : ex == EX_ROLLED_BACK ? "; traffic is back" : ex == EX_HUMAN ? "; A HUMAN IS NEEDED" : "");
	if (ex == EX_HUMAN)
		hint(c, "next", "switchctl status %s   |   switchctl rollback %s", c->service, c->service);
	else
		hint(c, "next", "switchctl why %s   |   switchctl timeline %s --deploy %lld", c->service, c->service, (long long)deploy);
}

static int cancelled(struct cli *c, int64_t id)
{
	char tail[64];
	struct answer a;

	if (!c->on_cancel || strcmp(c->on_cancel, "abort") != 0) {
		complain(c, "%s: detached; deploy %lld goes on", c->service, (long long)id);
		hint(c, "next", "switchctl status %s -w", c->service);
		return EX_DETACHED;
	}
	json_t *b = body_new(c);

	TEXT_FORMAT(tail, "deploys/%lld", (long long)id);
	ask_step(c, "abort", "DELETE", tail, b, &a);
	json_decref(b);
	if (good(&a))
		complain(c, "%s: deploy %lld aborted; traffic never moved", c->service, (long long)id);
	else
		complain(c, "%s: detached; deploy %lld could not be aborted: %s", c->service, (long long)id, a.reached ? jstr(a.json, "detail") : a.error);
	answer_free(&a);
	return EX_DETACHED;
}

/* What switchd says of the phase's end moves the deadline, unless --timeout was given: a bake may be longer than it. */
static int64_t deadline_of(const struct cli *c, const json_t *d, int64_t deadline)
{
	int64_t left = jint(d, "phase_left_ms"), later = mono_now().us + (left + GRACE_MS) * 1000;

	return !c->timeout_ms && left > 0 && later > deadline ? later : deadline;
}

static int wait_for(struct cli *c, struct waiting *w)
{
	int64_t deadline = mono_now().us + (c->timeout_ms ? c->timeout_ms : DEPLOY_DEADLINE_MS) * 1000, not_known = 0;
	char path[256], seen[16] = "-";

	for (;;) {
		struct answer a;
		int ex = EX_UNKNOWN;

		TEXT_FORMAT(path, "/v1/services/%s/deploys/%lld?wait=%ds&for=%s&seen=%s", c->service, (long long)w->id, LONG_POLL_S, c->wait, seen);
		client_ask(c, "GET", path, NULL, (LONG_POLL_S + 5) * 1000, &a);
		if (interrupted) {
			answer_free(&a);
			return cancelled(c, w->id);
		}
		if (a.reached && a.status == 200 && a.json) {
			bool over = ended(a.json, &ex), there = !over && reached_stage(a.json, c->wait);

			progress(c, w);
			if (over || there) {
				ex = over ? ex : EX_DONE;
				summary(c, a.json, ex);
				answer_free(&a);
				return ex;
			}
			TEXT_COPY(seen, jstr(a.json, "phase"));
			deadline = deadline_of(c, a.json, deadline);
		} else if (a.reached && a.status < 500 && a.status != 404) {
			return failed(c, &a);
		} else {
			/* switchd restarts: the deploy is in the store and goes on.  It was acknowledged: one that does not know it yet
			 * has not read the store, and one that never will has lost it with the store. */
			not_known = a.reached && a.status == 404 ? (not_known ? not_known : mono_now().us) : 0;
			poll(NULL, 0, 200);
		}
		answer_free(&a);
		if (not_known && mono_now().us - not_known > NOT_KNOWN_MS * 1000) {
			complain(c, "%s: deploy %lld was acknowledged, and switchd does not know it any more", c->service, (long long)w->id);
			hint(c, "next", "switchctl status %s   |   switchctl timeline %s", c->service, c->service);
			return EX_UNKNOWN;
		}
		if (mono_now().us > deadline) {
			complain(c, "%s: deploy %lld is still running after the time given", c->service, (long long)w->id);
			hint(c, "next", "switchctl status %s -w", c->service);
			return EX_UNKNOWN;
		}
	}
}

/* The id of the newest event: progress begins after it. */
static void newest_event(struct cli *c, char *after, size_t size)
{
	struct answer a;
	char path[200];

	TEXT_FORMAT(path, "/v1/services/%s/timeline?max=1", c->service);
	client_ask(c, "GET", path, NULL, 0, &a);
	const json_t *events = json_object_get(a.json, "events");

	if (json_array_size(events))
		text_copy(after, size, jstr(json_array_get(events, json_array_size(events) - 1), "id"));
	answer_free(&a);
}

/* ---- deploy ---- */

static int announce(struct cli *c, const char *slot, const char *claim, struct answer *a)
{
	json_t *b = body_new(c);
	int ex = put_gates(c, b);

	put_text(b, "release", c->release);
	put_text(b, "slot", slot);
	put_text(b, "claim", claim);
	put_text(b, "rollback", c->policy);
	if (strcmp(c->wait, "ready") == 0)
		put_text(b, "stop", "ready");
	if (ex == EX_DONE) {
		ask_unlocked(c, "", "deploys", b, a);
		ex = good(a) ? EX_DONE : failed(c, a);
	}
	json_decref(b);
	return ex;
}

static void give_back(struct cli *c, const char *claim_id)
{
	struct answer a;
	const char *why = c->message;

	c->message = "the command failed";
	unclaim(c, claim_id, "unclaim", &a);
	c->message = why;
	if (good(&a))
		hint(c, "now", "traffic never moved; the claim is given back");
	else
		hint(c, "now", "traffic never moved; the claim was NOT given back (%s): switchctl unclaim %s --claim %s",
		     a.reached ? jstr(a.json, "detail") : a.error, c->service, claim_id);
	answer_free(&a);
}

static int ship(struct cli *c, char slot[8], char claim_id[80])
{
	struct answer claim;
	int ex = claim_ask(c, "claim", &claim), status;

	if (ex != EX_DONE)
		return ex;
	text_copy(slot, 8, jstr(claim.json, "slot"));
	text_copy(claim_id, 80, jstr(claim.json, "claim"));
	if (claim.status == 202 || !claim_id[0]) {
		complain(c, "%s: unknown whether %s was claimed: %s", c->service, c->release, jstr(claim.json, "detail"));
		hint(c, "next", "switchctl status %s   |   the same command with --request-id %s", c->service, client_rid(c));
		answer_free(&claim);
		return EX_UNKNOWN;
	}
	if (!c->quiet)
		fprintf(stderr, "  claimed %s for %s; running %s\n", slot, c->release, c->command[0]);
	c->if_epoch = NULL; /* it spoke of the version before the claim */
	status = command_run(c, claim.json);
	answer_free(&claim);
	if (status == 0 && !interrupted)
		return EX_DONE;
	if (interrupted)
		complain(c, "%s: interrupted while %s ran", c->service, c->command[0]);
	else if (status >= 128)
		complain(c, "%s: refused: %s was killed by signal %d", c->service, c->command[0], status - 128);
	else
		complain(c, "%s: refused: %s ended with %d", c->service, c->command[0], status);
	give_back(c, claim_id);
	return interrupted ? EX_DETACHED : EX_REFUSED;
}

static int deploy_check(struct cli *c)
{
	static const char *const stages[] = { "none", "ready", "flipped", "baked" };
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(stages); i++)
		known = known || strcmp(stages[i], c->wait) == 0;
	if (!known)
		return usage_error(c, "--wait knows none, ready, flipped and baked, not '%s'", c->wait);
	if (!c->release)
		return usage_error(c, "deploy wants --release ID");
	if (c->on_cancel && strcmp(c->on_cancel, "abort") != 0 && strcmp(c->on_cancel, "detach") != 0)
		return usage_error(c, "--on-cancel is detach or abort, not '%s'", c->on_cancel);
	if (c->n_skips && !c->message)
		return usage_error(c, "--skip-gate wants a reason: -m WHY");
	if (c->command && c->claim)
		return usage_error(c, "with a COMMAND the claim is taken here: leave --claim out");
	return EX_DONE;
}

int verb_deploy(struct cli *c)
{
	struct sigaction sa = { .sa_handler = on_interrupt };
	struct waiting w = { 0 };
	char slot[8] = "", claim[80] = "";
	struct answer a;
	int ex = deploy_check(c);

	if (ex != EX_DONE || !cli_service(c, &ex))
		return ex;
	if (c->slot)
		TEXT_COPY(slot, c->slot);
	if (c->claim && !TEXT_COPY(claim, c->claim))
		return usage_error(c, "--claim: no claim has such an id");
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	newest_event(c, w.after, sizeof(w.after));
	if (c->command && !c->dry_run) {
		ex = ship(c, slot, claim);
		if (ex != EX_DONE)
			return ex;
	}
	ex = announce(c, slot[0] ? slot : NULL, claim[0] ? claim : NULL, &a);
	if (ex != EX_DONE)
		return ex;
	w.id = jint(a.json, "deploy");
	if (strcmp(jstr(a.json, "status"), "dry-run") == 0 || strcmp(c->wait, "none") == 0 || a.status == 202) {
		char done[160];

		TEXT_FORMAT(done, "deploy %lld of %s is under way", (long long)w.id, c->release);
		ex = order_said(c, done, &a);
		answer_free(&a);
		return ex;
	}
	say_risk(c, a.json);
	answer_free(&a);
	ex = wait_for(c, &w);
	return ex == EX_DONE && c->converged && strcmp(c->wait, "ready") != 0 ? fleet_wait(c) : ex;
}

int verb_abort(struct cli *c)
{
	char path[160], tail[64], done[64];
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
	if (!id) {
		complain(c, "%s: there was no deploy yet", c->service);
		return EX_REFUSED;
	}
	json_t *b = body_new(c);

	TEXT_FORMAT(tail, "deploys/%lld", (long long)id);
	TEXT_FORMAT(done, "deploy %lld aborted", (long long)id);
	ask_step(c, "", "DELETE", tail, b, &a);
	json_decref(b);
	if (!good(&a))
		return failed(c, &a);
	ex = order_said(c, done, &a);
	answer_free(&a);
	return ex;
}
