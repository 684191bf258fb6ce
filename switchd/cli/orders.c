/* SPDX-License-Identifier: MIT
 * orders.c - verbs that ask for a change: flip, rollback, hold, resume, seal, pardon, mute.
 *
 * Only what was observed through the front may be called done: flip and rollback wait for it. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"

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
static int said(struct cli *c, const char *done, const struct answer *a)
{
	const char *status = jstr(a->json, "status");

	if (c->output == FMT_JSON && a->json)
		say_json(a->json);
	if (strcmp(status, "dry-run") == 0) {
		fprintf(stderr, "would: %s%s%s\n", jstr(a->json, "because"), jstr(a->json, "detail")[0] ? "; " : "", jstr(a->json, "detail"));
		if (jstr(a->json, "would")[0])
			fprintf(stderr, "%s", jstr(a->json, "would"));
		return EX_DONE;
	}
	if (strcmp(status, "offline") == 0) {
		fprintf(stderr, "%s: %s: done here, not yet recorded (the store is away)\n", c->service, done);
		return EX_UNKNOWN;
	}
	if (a->status == 202) {
		fprintf(stderr, "switchctl: %s: unknown whether it was done: %s\n  next    the same command with the same --request-id\n", c->service,
			jstr(a->json, "detail"));
		return EX_UNKNOWN;
	}
	if (c->output != FMT_JSON)
		printf("%s: %s%s%s\n", c->service, done, jstr(a->json, "detail")[0] ? ": " : "", jstr(a->json, "detail"));
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
	if (!a.reached)
		ex = say_unreachable(c, &a);
	else if (a.status >= 300)
		ex = say_error(c, c->service, &a);
	else
		ex = said(c, done, &a);
	answer_free(&a);
	return ex;
}

static bool get_status(struct cli *c, struct answer *a, int *ex)
{
	char path[128];

	path_of(c, "", path, sizeof(path));
	client_ask(c, "GET", path, NULL, 0, a);
	if (a->reached && a->status == 200 && a->json)
		return true;
	*ex = a->reached ? say_error(c, c->service, a) : say_unreachable(c, a);
	answer_free(a);
	return false;
}

/* Waits until the move is observed (or can only be acknowledged), was reverted, or is stuck. */
static int wait_moved(struct cli *c, const char *word, const char *want)
{
	int64_t deadline = mono_now().us + (c->timeout_ms ? c->timeout_ms : MOVE_DEADLINE_MS) * 1000;

	for (;;) {
		struct answer a;
		int ex;

		if (!get_status(c, &a, &ex))
			return ex;
		const char *phase = jstr(a.json, "phase"), *active = jstr(a.json, "active");
		const json_t *m = json_object_get(a.json, "move");
		bool ended = strcmp(phase, "flipping") != 0 && strcmp(phase, "reverting") != 0;

		if (ended) {
			bool there = !want[0] || strcmp(active, want) == 0, stuck = strcmp(phase, "stuck") == 0;
			bool observed = jint(m, "observed") > 0;

			if (c->output == FMT_JSON)
				say_json(a.json);
			else if (there && !stuck)
				printf("%s: %s to %s %s, epoch %lld%s (acked +%lld.%lldms%s)\n", c->service, observed ? word : "acked, not observed:", active,
				       jstr(a.json, "release"), (long long)jint(json_object_get(a.json, "version"), "epoch"), "",
				       (long long)(jint(m, "acked_us") / 1000), (long long)(jint(m, "acked_us") % 1000 / 100), observed ? ", observed" : "");
			if (stuck)
				fprintf(stderr, "switchctl: %s: STUCK: a proxy still sends traffic elsewhere; a human is needed\n  next    switchctl status %s\n",
					c->service, c->service);
			else if (!there)
				fprintf(stderr, "switchctl: %s: went back: %s\n  now     %s serves\n  next    switchctl why %s\n", c->service, jstr(m, "reason"), active,
					c->service);
			answer_free(&a);
			return stuck ? EX_HUMAN : there ? EX_DONE : EX_ROLLED_BACK;
		}
		answer_free(&a);
		if (mono_now().us > deadline) {
			fprintf(stderr, "switchctl: %s: committed, not yet observed; it goes on\n  next    switchctl status %s\n", c->service, c->service);
			return EX_UNKNOWN;
		}
		poll(NULL, 0, LOOK_EVERY_MS);
	}
}

static int move(struct cli *c, const char *tail, json_t *body, const char *word, const char *want)
{
	char path[256];
	struct answer a;
	int ex;

	path_of(c, tail, path, sizeof(path));
	client_ask(c, "POST", path, body, c->timeout_ms, &a);
	json_decref(body);
	if (!a.reached)
		ex = say_unreachable(c, &a);
	else if (a.status >= 300)
		ex = say_error(c, c->service, &a);
	else if (a.status != 200 || c->dry_run)
		ex = said(c, word, &a);
	else
		ex = EX_DONE;
	bool wait = a.reached && a.status == 200 && !c->dry_run;

	answer_free(&a);
	return wait ? wait_moved(c, word, want) : ex;
}

int verb_flip(struct cli *c)
{
	struct answer a;
	char question[256], to[8];
	int ex;

	if (!cli_service(c, &ex) || !get_status(c, &a, &ex))
		return ex;
	const json_t *safe = json_object_get(a.json, "safe_to_flip");
	const char *idle = jstr(safe, "slot");

	TEXT_COPY(to, c->to ? c->to : idle);
	bool passing = jbool(safe, "ok") && strcmp(to, idle) == 0;

	TEXT_FORMAT(question, "%s: flip %s %s -> %s %s?%s%s", c->service, jstr(a.json, "active"), jstr(a.json, "release"), to,
		    jstr(json_object_get(json_object_get(a.json, "slots"), to), "release"), passing ? "" : " It is failing: ", passing ? "" : jstr(safe, "why"));
	answer_free(&a);
	if (!passing && c->force && !c->message)
		return usage_error(c, "a flip to a slot that fails needs a reason: -m WHY");
	if (!c->dry_run && (passing || c->force) && !cli_confirm(c, question, passing ? NULL : to, &ex))
		return ex;
	json_t *b = body_new(c);

	json_object_set_new(b, "to", json_string(to));
	return move(c, "/flip", b, "flipped", to);
}

int verb_rollback(struct cli *c)
{
	int ex;

	if (!cli_service(c, &ex))
		return ex;
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

int verb_pardon(struct cli *c)
{
	json_t *b;
	int ex;

	if (!c->message || !c->release)
		return usage_error(c, "pardon wants --release ID and -m WHY");
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
