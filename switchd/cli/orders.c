/* SPDX-License-Identifier: MIT
 * orders.c - verbs that ask for a change: flip, rollback, hold, resume, seal, pardon, mute.
 *
 * Only what was observed through the front may be called done: flip and rollback wait for it. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"
#include "switchd/core/model.h"

enum { LOOK_EVERY_MS = 50, MOVE_DEADLINE_MS = 30000 };

static json_t *body_new(const struct cli *c)
{
	json_t *b = json_object();

	if (c->message)
		json_object_set_new(b, "message", json_string(c->message));
	if (c->force)
		json_object_set_new(b, "force", json_true());
	return b;
}

static void path_of(const struct cli *c, const char *tail, char *out, size_t size)
{
	text_format(out, size, "/v1/services/%s%s", c->service, tail);
}

/* What came back of a mutation, in words; the exit code. */
int order_said(struct cli *c, const char *done, const struct answer *a)
{
	const char *status = jstr(a->json, "status"), *detail = jstr(a->json, "detail");
	const char *colon = detail[0] ? ": " : "";

	if (c->output == FMT_JSON && a->json)
		say_json(c, a->json);
	if (strcmp(status, "dry-run") == 0) {
		if (c->output != FMT_JSON)
			printf("%s: would be done: %s%s%s\n%s", c->service, jstr(a->json, "because"), colon, detail, jstr(a->json, "would"));
		if (c->output != FMT_JSON)
			say_gates(c, json_object_get(a->json, "gates"), stdout);
		return EX_DONE;
	}
	if (strcmp(status, "offline") == 0) {
		complain(c, "%s: %s here, not yet recorded: the store is away", c->service, done);
		hint(c, "now", "%s serves; the store is told when it is back", jstr(a->json, "active"));
		return EX_UNKNOWN;
	}
	if (a->status == 202) {
		complain(c, "%s: unknown whether it was done%s%s", c->service, colon, detail);
		hint(c, "next", "the same command with --request-id %s: it is done once", client_rid(c));
		return EX_UNKNOWN;
	}
	say_risk(c, a->json);
	if (c->output != FMT_JSON)
		printf("%s: %s%s%s%s\n", c->service, done, jbool(a->json, "dup") ? " (already)" : "", colon, detail);
	return EX_DONE;
}

static int order(struct cli *c, const char *method, const char *tail, json_t *body, const char *done)
{
	char path[256];
	struct answer a;
	int ex;

	path_of(c, tail, path, sizeof(path));
	client_ask(c, method, path, body, c->timeout_ms, &a);
	json_decref(body);
	ex = !a.reached || a.status >= 300 ? say_failed(c, c->service, &a) : order_said(c, done, &a);
	answer_free(&a);
	return ex;
}

static void status_ask(struct cli *c, struct answer *a)
{
	char path[128];

	path_of(c, "", path, sizeof(path));
	client_ask(c, "GET", path, NULL, 0, a);
}

static int moved(struct cli *c, const json_t *s, const char *word, const char *want)
{
	const char *active = jstr(s, "active");
	const json_t *m = json_object_get(s, "move");
	bool stuck = strcmp(jstr(s, "phase"), "stuck") == 0, there = !want[0] || strcmp(active, want) == 0;

	if (c->output == FMT_JSON)
		say_json(c, s);
	if (stuck) {
		complain(c, "%s: STUCK: a proxy still sends traffic elsewhere; a human is needed", c->service);
		hint(c, "next", "switchctl status %s   |   switchctl --direct proxy pin %s SLOT", c->service, c->service);
		return EX_HUMAN;
	}
	if (!there) {
		complain(c, "%s: went back: %s", c->service, jstr(m, "reason"));
		hint(c, "now", "%s %s serves, epoch %lld", active, jstr(s, "release"), (long long)jint(json_object_get(s, "version"), "epoch"));
		hint(c, "next", "switchctl why %s", c->service);
		return EX_ROLLED_BACK;
	}
	if (c->output == FMT_JSON)
		return EX_DONE;
	char fleet[1200];

	fleet_text(s, fleet, sizeof(fleet));
	printf("%s: %s to %s %s, epoch %lld\n  ", c->service, jint(m, "observed") ? word : "acked, not observed", active, jstr(s, "release"),
	       (long long)jint(json_object_get(s, "version"), "epoch"));
	say_move(m, stdout);
	if (jint(json_object_get(s, "fleet"), "all") > 1 && !c->converged)
		printf("  %s\n", fleet);
	return EX_DONE;
}

/* Waits until the move is observed (or can only be acknowledged), was reverted, or is stuck.  It is committed by now:
 * a switchd that is away for a moment ends nothing. */
static int wait_moved(struct cli *c, const char *word, const char *want)
{
	int64_t deadline = mono_now().us + (c->timeout_ms ? c->timeout_ms : MOVE_DEADLINE_MS) * 1000;

	for (;;) {
		struct answer a;

		status_ask(c, &a);
		if (a.reached && a.status == 200 && a.json) {
			const char *phase = jstr(a.json, "phase");

			if (strcmp(phase, "flipping") != 0 && strcmp(phase, "reverting") != 0) {
				int ex = moved(c, a.json, word, want);

				answer_free(&a);
				return ex;
			}
		}
		answer_free(&a);
		if (mono_now().us > deadline) {
			complain(c, "%s: committed, not yet observed; it goes on", c->service);
			hint(c, "next", "switchctl status %s -w", c->service);
			return EX_UNKNOWN;
		}
		poll(NULL, 0, LOOK_EVERY_MS);
	}
}

static int move(struct cli *c, const char *tail, json_t *body, const char *word, const char *want)
{
	char path[256];
	char did[8], already[32];
	struct answer a;
	int ex;

	path_of(c, tail, path, sizeof(path));
	client_ask(c, "POST", path, body, c->timeout_ms, &a);
	json_decref(body);
	bool wait = a.reached && a.status == 200 && !c->dry_run;

	if (wait && jbool(a.json, "dup")) {
		/* Done by an earlier try: what was the idle slot before this one is not what that one meant. */
		if (!c->to && TEXT_COPY(did, jstr(a.json, "active")))
			want = did;
		TEXT_FORMAT(already, "already %s", word);
		word = already;
	}

	ex = !a.reached || a.status >= 300 ? say_failed(c, c->service, &a) : wait ? EX_DONE : order_said(c, word, &a);
	if (wait)
		say_risk(c, a.json);
	answer_free(&a);
	if (wait)
		ex = wait_moved(c, word, want);
	return wait && ex == EX_DONE && c->converged ? fleet_wait(c) : ex;
}

/* What was shown in the prompt is what is moved: if it changed meanwhile, nothing is (exit 15). */
static void as_seen(struct cli *c, const json_t *status, char etag[VERSION_TEXT])
{
	text_copy(etag, VERSION_TEXT, jstr(status, "etag"));
	if (!c->if_epoch && !c->yes && etag[0])
		c->if_epoch = etag;
}

int verb_flip(struct cli *c)
{
	struct answer a;
	char question[400], to[8], etag[VERSION_TEXT];
	int ex;

	if (!cli_service(c, &ex))
		return ex;
	status_ask(c, &a);
	if (!a.reached || a.status != 200 || !a.json) {
		ex = say_failed(c, c->service, &a);
		answer_free(&a);
		return ex;
	}
	const json_t *safe = json_object_get(a.json, "safe_to_flip");
	const char *idle = jstr(safe, "slot"), *release;

	if (!c->to && strcmp(idle, "none") == 0) {
		answer_free(&a);
		return usage_error(c, "%s: no slot is active yet: say --to blue or --to green", c->service);
	}
	TEXT_COPY(to, c->to ? c->to : idle);
	bool passing = jbool(safe, "ok") && strcmp(to, idle) == 0;

	release = jstr(json_object_get(json_object_get(a.json, "slots"), to), "release");
	TEXT_FORMAT(question, "%s: flip %s %s -> %s %s?%s%.200s", c->service, jstr(a.json, "active"), jstr(a.json, "release"), to,
		    release[0] ? release : "(release unknown)", passing ? "" : " It is failing: ", passing ? "" : jstr(safe, "why"));
	if (!c->dry_run && (passing || c->force))
		as_seen(c, a.json, etag);
	answer_free(&a);
	if (!passing && c->force && !c->message)
		return usage_error(c, "a flip to a slot that fails needs a reason: -m WHY");
	if (!c->dry_run && (passing || c->force) && !cli_confirm(c, question, passing ? NULL : to, &ex))
		return ex;
	json_t *b = body_new(c);

	json_object_set_new(b, "to", json_string(to));
	return move(c, "/flip", b, "flipped", to);
}

/* No prompt: the way back is never made longer.  Only into a slot that nobody vouches for, which wants --force. */
int verb_rollback(struct cli *c)
{
	char question[400];
	int ex;

	if (c->force && !c->message)
		return usage_error(c, "a rollback by force needs a reason: -m WHY");
	if (!cli_service(c, &ex))
		return ex;
	if (c->force && !c->dry_run && !c->yes) {
		struct answer a;
		char to[8];

		status_ask(c, &a);
		TEXT_COPY(to, jstr(json_object_get(a.json, "safe_to_flip"), "slot"));
		TEXT_FORMAT(question, "%s: roll back by force to %s (rollback target: %.200s)?", c->service, to,
			    jstr(a.json, "rollback_target")[0] ? jstr(a.json, "rollback_target") : jstr(a.json, "rollback_target_why"));
		answer_free(&a);
		if (!cli_confirm(c, question, to[0] ? to : c->service, &ex))
			return ex;
	}
	return move(c, "/rollback", body_new(c), "rolled back", "");
}

int verb_hold(struct cli *c)
{
	json_t *b;
	int ex;

	if (!c->message)
		return usage_error(c, "hold wants a reason: -m WHY");
	if (!cli_service(c, &ex))
		return ex;
	b = body_new(c);
	if (c->for_text)
		json_object_set_new(b, "for", json_string(c->for_text));
	return order(c, "PUT", "/hold", b, "held");
}

int verb_resume(struct cli *c)
{
	int ex;

	return cli_service(c, &ex) ? order(c, "DELETE", "/hold", body_new(c), "resumed") : ex;
}

int verb_seal(struct cli *c)
{
	int ex;

	if (!c->message)
		return usage_error(c, "seal wants a reason: -m WHY");
	return cli_service(c, &ex) ? order(c, "PUT", "/seal", body_new(c), "sealed: automation will not go back") : ex;
}

int verb_unseal(struct cli *c)
{
	int ex;

	if (!c->message)
		return usage_error(c, "unseal wants a reason: -m WHY");
	return cli_service(c, &ex) ? order(c, "DELETE", "/seal", body_new(c), "unsealed") : ex;
}

/* pardon [SERVICE] RELEASE: one word is the release, unless --release has it. */
static bool pardon_words(struct cli *c)
{
	size_t at = 0;

	if (c->n_words > 2 || (c->n_words == 2 && c->release))
		return false;
	if (c->n_words == 2 || (c->n_words == 1 && c->release)) {
		if (!name_ok(c->words[0]) || !TEXT_COPY(c->service, c->words[0]))
			return false;
		at = 1;
	}
	if (!c->release && at < c->n_words)
		c->release = c->words[at];
	return c->release && id_ok(c->release);
}

int verb_pardon(struct cli *c)
{
	json_t *b;
	int ex;

	if (!pardon_words(c))
		return usage_error(c, "pardon wants [SERVICE] RELEASE");
	if (!c->message)
		return usage_error(c, "pardon wants a reason: -m WHY");
	if (!cli_service(c, &ex))
		return ex;
	b = body_new(c);
	json_object_set_new(b, "release", json_string(c->release));
	return order(c, "POST", "/pardon", b, "pardoned");
}

int verb_mute(struct cli *c)
{
	char tail[128];
	json_t *b;

	if (!c->service[0] || !c->feature_word[0] || !c->for_text || !c->message)
		return usage_error(c, "mute wants SERVICE/FEATURE, --for TIME and -m WHY");
	TEXT_FORMAT(tail, "/features/%s/mute", c->feature_word);
	b = body_new(c);
	json_object_set_new(b, "for", json_string(c->for_text));
	return order(c, "PUT", tail, b, "muted");
}

int verb_unmute(struct cli *c)
{
	char tail[128];

	if (!c->service[0] || !c->feature_word[0])
		return usage_error(c, "unmute wants SERVICE/FEATURE");
	TEXT_FORMAT(tail, "/features/%s/mute", c->feature_word);
	return order(c, "DELETE", tail, body_new(c), "unmuted");
}

/* note [SERVICE] TEXT: one word is the text, unless -m has it. */
int verb_note(struct cli *c)
{
	size_t texts = c->message ? 0 : 1;
	json_t *b;
	int ex;

	if (c->n_words < texts || c->n_words > texts + 1 || (c->n_words > texts && (!name_ok(c->words[0]) || !TEXT_COPY(c->service, c->words[0]))))
		return usage_error(c, "note wants [SERVICE] 'TEXT', in quotes");
	if (!c->message)
		c->message = c->words[c->n_words - 1];
	if (!c->message[0])
		return usage_error(c, "a note is its text: it is empty");
	if (!cli_service(c, &ex))
		return ex;
	b = body_new(c);
	if (c->deploy)
		json_object_set_new(b, "deploy", json_integer(c->deploy));
	return order(c, "POST", "/notes", b, "noted");
}
