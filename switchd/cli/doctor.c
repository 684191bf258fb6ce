/* SPDX-License-Identifier: MIT
 * doctor.c - what was found, in words: one line a check, and what to do about it. */
#include <stdio.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"

int say_doctor(struct cli *c, const json_t *o)
{
	static const char *const names[] = { "CHECK", "STATE", "" };
	struct table t;
	size_t i;
	json_t *f;
	int ex = jint(o, "bad") ? EX_REFUSED : EX_DONE;

	if (c->output == FMT_JSON)
		return ex;
	t = table_new(c, names, ARRAY_LEN(names));
	json_array_foreach(json_object_get(o, "checks"), i, f) {
		const char *state = jstr(f, "state");
		const char *cells[] = { jstr(f, "check"), state, jstr(f, "says") };

		table_row(&t, cells, strcmp(state, "bad") == 0 ? "red" : strcmp(state, "warn") == 0 ? "brown" : NULL, 1);
	}
	table_print(&t);
	json_array_foreach(json_object_get(o, "checks"), i, f)
		if (jstr(f, "fix")[0])
			printf("%s%s%s: %s\n", ink(c, strcmp(jstr(f, "state"), "bad") == 0 ? INK_RED : INK_YELLOW), jstr(f, "check"), ink(c, INK_PLAIN), jstr(f, "fix"));
	printf("%lld bad, %lld to look at%s\n", (long long)jint(o, "bad"), (long long)jint(o, "warn"),
	       jbool(o, "daemon") ? "" : "; what only a running switchd knows was not checked");
	return ex;
}
