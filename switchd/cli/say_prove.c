/* SPDX-License-Identifier: MIT
 * say_prove.c - which probes would notice that their feature is gone, for a person in a hurry. */
#include <stdio.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"

enum { MAX_STUBS = 24 };

static const char *cell_text(const json_t *cell)
{
	const char *m = jstr(cell, "mark");

	return strcmp(m, "noticed") == 0 ? "yes" : strcmp(m, "fooled") == 0 ? "NO" : strcmp(m, "unsure") == 0 ? "?" : "-";
}

static const char *proof_text(const json_t *f)
{
	const char *p = jstr(f, "proof");

	return strcmp(p, "proven") == 0 ? "proven" : strcmp(p, "vacuous") == 0 ? "NOT PROVEN" : strcmp(p, "compared") == 0 ? "by compare" : "unproven";
}

/* Was any feature asked of it? The others are of kinds that this service does not have. */
static bool was_asked(const json_t *proof, const char *stub)
{
	size_t i;
	json_t *f;

	json_array_foreach(json_object_get(proof, "features"), i, f)
		if (json_object_get(json_object_get(f, "stubs"), stub))
			return true;
	return false;
}

static void prove_table(struct cli *c, const json_t *proof)
{
	const json_t *stubs = json_object_get(proof, "stubs");
	size_t n = 0, i;
	const char *names[MAX_STUBS + 3] = { "FEATURE" }, *cells[MAX_STUBS + 3];
	json_t *f;

	for (i = 0; i < json_array_size(stubs) && n < MAX_STUBS; i++)
		if (was_asked(proof, jstr(json_array_get(stubs, i), "name")))
			names[++n] = jstr(json_array_get(stubs, i), "name");
	names[n + 1] = "PROOF";
	names[n + 2] = "";
	struct table t = table_new(c, names, n + 3);

	json_array_foreach(json_object_get(proof, "features"), i, f) {
		bool vacuous = strcmp(jstr(f, "proof"), "vacuous") == 0;

		cells[0] = jstr(f, "name");
		for (size_t k = 0; k < n; k++)
			cells[k + 1] = cell_text(json_object_get(json_object_get(f, "stubs"), names[k + 1]));
		cells[n + 1] = proof_text(f);
		cells[n + 2] = strcmp(jstr(f, "severity"), "warn") == 0 ? "warn only" : "";
		table_row(&t, cells, vacuous ? "red" : strcmp(jstr(f, "proof"), "proven") == 0 ? NULL : "brown", n + 1);
	}
	table_print(&t);
}

int say_prove(struct cli *c, const json_t *proof)
{
	const json_t *stubs = json_object_get(proof, "stubs");
	long long failed = (long long)jint(proof, "failed");
	size_t i, unproven = 0;
	json_t *f;

	if (c->output == FMT_JSON)
		return failed ? EX_REFUSED : EX_DONE;
	printf("%s%s%s: if this answered instead of the feature, would the probe notice?\n", ink(c, INK_BOLD), jstr(proof, "service"), ink(c, INK_PLAIN));
	json_array_foreach((json_t *)stubs, i, f)
		if (was_asked(proof, jstr(f, "name")))
			printf("  %-8s %s\n", jstr(f, "name"), jstr(f, "what"));
	prove_table(c, proof);
	json_array_foreach(json_object_get(proof, "features"), i, f) {
		if (jstr(f, "why")[0])
			printf("  %s: %s: %s\n", jstr(f, "name"), proof_text(f), jstr(f, "why"));
		unproven += strcmp(jstr(f, "proof"), "unproven") == 0;
	}
	if (unproven)
		printf("%zu unproven: whether these can fail cannot be told here\n", unproven);
	if (failed) {
		complain(c, "%s: %lld critical feature%s would not be missed", jstr(proof, "service"), failed, failed == 1 ? "" : "s");
		hint(c, "next", "expect what only this feature answers: body contains \"...\", jsonpath \"$.items\" count >= 1, xpath \"//table//tr\" count > 1");
	}
	return failed ? EX_REFUSED : EX_DONE;
}
