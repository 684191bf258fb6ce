/* SPDX-License-Identifier: MIT
 * state.c - the verb state: what is done to the store itself, by a person and with a reason. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"
#include "switchd/core/model.h"

enum { STATE_MS = 60000 };

static json_t *with_message(const struct cli *c)
{
	json_t *b = json_object();

	if (c->message)
		json_object_set_new(b, "message", json_string(c->message));
	return b;
}

/* repair [SERVICE] */
static int state_repair(struct cli *c)
{
	char path[128], question[300];
	struct answer a;
	json_t *b;
	int ex;

	if (c->n_words > 2 || (c->n_words == 2 && (!name_ok(c->words[1]) || !TEXT_COPY(c->service, c->words[1]))))
		return usage_error(c, "state repair wants [SERVICE]");
	if (!c->message && !c->dry_run)
		return usage_error(c, "a repair writes over what stands in the store: it wants a reason, -m WHY");
	if (!cli_service(c, &ex))
		return ex;
	TEXT_FORMAT(question, "%s: write the last good record over what the store holds?", c->service);
	if (!c->dry_run && !cli_confirm(c, question, NULL, &ex))
		return ex;
	TEXT_FORMAT(path, "/v1/services/%s/repair", c->service);
	b = with_message(c);
	client_ask(c, "POST", path, b, c->timeout_ms, &a);
	json_decref(b);
	ex = !a.reached || a.status >= 300 ? say_failed(c, c->service, &a) : order_said(c, "repaired", &a);
	answer_free(&a);
	return ex;
}

/* ---- export, import ---- */

/* Whole or not at all, and nobody else's to read: who was condemned and why is nobody's business. */
static bool write_file(struct cli *c, const char *path, const char *text)
{
	char tmp[512];
	FILE *f;
	int fd;

	if (!TEXT_FORMAT(tmp, "%s.new", path)) {
		complain(c, "%s: the path is too long", path);
		return false;
	}
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool ok = f && fputs(text, f) >= 0 && fputc('\n', f) != EOF && fflush(f) == 0 && fsync(fd) == 0;

	if (f)
		ok = fclose(f) == 0 && ok;
	ok = ok && rename(tmp, path) == 0;
	if (!ok) {
		complain(c, "%s: %s", path, strerror(errno));
		unlink(tmp);
	}
	return ok;
}

/* export [FILE] */
static int state_export(struct cli *c)
{
	const char *path = c->n_words > 1 ? c->words[1] : NULL;
	struct answer a;
	int ex = EX_DONE;

	if (c->n_words > 2)
		return usage_error(c, "state export wants [FILE]");
	client_ask(c, "GET", "/v1/state", NULL, c->timeout_ms ? c->timeout_ms : STATE_MS, &a);
	if (!a.reached || a.status != 200 || !a.json) {
		ex = say_failed(c, "state export", &a);
	} else if (!path) {
		say_json(c, a.json);
	} else {
		char *text = json_dumps(a.json, JSON_INDENT(1));

		ex = text && write_file(c, path, text) ? EX_DONE : EX_INTERNAL;
		if (ex == EX_DONE && c->output == FMT_JSON) {
			json_t *o = json_pack("{s:s,s:I,s:i}", "file", path, "services", (json_int_t)json_object_size(json_object_get(a.json, "services")), "exit", ex);

			say_json(c, o);
			json_decref(o);
		} else if (ex == EX_DONE) {
			printf("%s: %zu service%s, generation %lld\n", path, json_object_size(json_object_get(a.json, "services")),
			       json_object_size(json_object_get(a.json, "services")) == 1 ? "" : "s", (long long)jint(a.json, "generation"));
		}
		free(text);
	}
	answer_free(&a);
	return ex;
}

static void import_said(struct cli *c, const json_t *o)
{
	size_t i;
	json_t *s;

	if (c->output == FMT_JSON) {
		say_json(c, o);
		return;
	}
	json_array_foreach(json_object_get(o, "services"), i, s) {
		printf("%s: %s", jstr(s, "service"), jstr(s, "what"));
		if (jstr(s, "active")[0])
			printf(": %s%s, %s %s, %lld condemned", jstr(s, "active"), jbool(s, "moves") ? " (traffic moves there)" : "", c->dry_run ? "exported at" : "now at",
			       jstr(s, "version"), (long long)jint(s, "condemned"));
		putchar('\n');
	}
}

/* import FILE */
static int state_import(struct cli *c)
{
	char question[600];
	json_error_t e;
	struct answer a;
	json_t *doc, *b;
	int ex;

	if (c->n_words != 2)
		return usage_error(c, "state import wants FILE");
	if (!c->message && !c->dry_run)
		return usage_error(c, "an import wants a reason: -m WHY");
	doc = json_load_file(c->words[1], JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(doc)) {
		json_decref(doc);
		complain(c, "%s: %s", c->words[1], doc ? "no object" : e.text);
		return EX_USAGE_ERROR;
	}
	TEXT_FORMAT(question, "Import %zu service%s from %.300s, under a new generation?", json_object_size(json_object_get(doc, "services")),
		    json_object_size(json_object_get(doc, "services")) == 1 ? "" : "s", c->words[1]);
	if (!c->dry_run && !cli_confirm(c, question, NULL, &ex)) {
		json_decref(doc);
		return ex;
	}
	b = with_message(c);
	json_object_set_new(b, "state", doc);
	if (c->force)
		json_object_set_new(b, "force", json_true());
	client_ask(c, "POST", "/v1/state", b, c->timeout_ms ? c->timeout_ms : STATE_MS, &a);
	json_decref(b);
	ex = EX_DONE;
	if (!a.reached || a.status >= 300 || !a.json)
		ex = say_failed(c, "state import", &a);
	else
		import_said(c, a.json);
	answer_free(&a);
	return ex;
}

/* upgrade: the version before this one cannot be started again after it. */
static int state_upgrade(struct cli *c)
{
	struct answer a;
	json_t *b;
	int ex;

	if (c->n_words > 1)
		return usage_error(c, "state upgrade wants no words");
	if (!c->dry_run && !cli_confirm(c, "Write the store in the newer schema? The version of switchd before this one can then not be started again.", NULL, &ex))
		return ex;
	b = with_message(c);
	client_ask(c, "POST", "/v1/state/upgrade", b, c->timeout_ms, &a);
	json_decref(b);
	if (!a.reached || a.status >= 300 || !a.json) {
		ex = say_failed(c, "state upgrade", &a);
	} else {
		ex = EX_DONE;
		if (c->output == FMT_JSON)
			say_json(c, a.json);
		else if (jint(a.json, "from") == jint(a.json, "to") && !jint(a.json, "rewritten"))
			printf("the store is of schema %lld already\n", (long long)jint(a.json, "to"));
		else
			printf("schema %lld %s %lld, %lld public record%s %s\n", (long long)jint(a.json, "from"), c->dry_run ? "would become" : "is now",
			       (long long)jint(a.json, "to"), (long long)jint(a.json, "rewritten"), jint(a.json, "rewritten") == 1 ? "" : "s",
			       c->dry_run ? "would be rewritten" : "rewritten");
	}
	answer_free(&a);
	return ex;
}

int verb_state(struct cli *c)
{
	static const struct { const char *word; verb_fn *run; } words[] = {
		{ "export", state_export }, { "import", state_import }, { "repair", state_repair }, { "upgrade", state_upgrade },
	};

	for (size_t i = 0; c->n_words && i < ARRAY_LEN(words); i++)
		if (strcmp(c->words[0], words[i].word) == 0)
			return words[i].run(c);
	return usage_error(c, "state wants export, import, repair or upgrade");
}
