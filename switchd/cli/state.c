/* SPDX-License-Identifier: MIT
 * state.c - the verb state: what is done to the store itself, by a person and with a reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"
#include "switchd/core/model.h"

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
	static const struct { const char *word; verb_fn *run; } words[] = { { "repair", state_repair }, { "upgrade", state_upgrade } };

	for (size_t i = 0; c->n_words && i < ARRAY_LEN(words); i++)
		if (strcmp(c->words[0], words[i].word) == 0)
			return words[i].run(c);
	return usage_error(c, "state wants repair or upgrade");
}
