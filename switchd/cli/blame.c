/* SPDX-License-Identifier: MIT
 * blame.c - the verb blame: the ledger's answer in sentences. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"

/* A time and how long ago that is. */
static void moment(const json_t *o, const char *key, char out[80])
{
	char w[WALL_TEXT], age[AGE_TEXT];
	int64_t t = jint(o, key), ago = wall_now().ms - t;

	if (!t)
		text_copy(out, 80, "-");
	else
		text_format(out, 80, "%s (%s ago)", wall_text((wall_ms){ t }, w), age_text(ago > 0 ? ago : 0, age));
}

static void live_line(const json_t *o, const char *key, const char *label)
{
	const json_t *v = json_object_get(o, key);
	char from[80], to[80];

	if (!json_is_object(v))
		return;
	moment(v, "from", from);
	moment(v, "to", to);
	if (jint(v, "to"))
		printf("    %-9s from %s by %s to %s by %s\n", label, from, jstr(v, "by"), to, jstr(v, "ended_by"));
	else
		printf("    %-9s from %s by %s, still\n", label, from, jstr(v, "by"));
}

static void source_line(const json_t *o, bool good)
{
	const json_t *inventory = json_object_get(o, "inventory");
	char at[80], then[80];

	if (strcmp(jstr(o, "source"), "inventory") == 0) {
		moment(inventory, "at", at);
		if (json_is_integer(json_object_get(inventory, "status")))
			printf("    inventory at its deploy, %s: had %s %lld\n", at, jstr(inventory, "path"), (long long)jint(inventory, "status"));
		else
			printf("    inventory at its deploy, %s: has no %s\n", at, jstr(inventory, "path"));
		return;
	}
	if (good) {
		moment(o, "first_present", at);
		moment(o, "last_present", then);
		printf("    present   from %s to %s\n", at, then);
		return;
	}
	moment(o, "absent_since", at);
	if (jint(o, "last_present")) {
		moment(o, "last_present", then);
		printf("    present   until %s, absent since %s: it broke in between\n", then, at);
	} else {
		printf("    absent    since %s; never seen present there\n", at);
	}
}

static void side(const json_t *o, const char *label, bool good)
{
	char at[80];

	moment(o, "arrived", at);
	printf("  %s  %s%s%s on %s, %s%s\n    arrived   %s\n", label, jstr(o, "release"), jstr(o, "digest")[0] ? " " : "", jstr(o, "digest"), jstr(o, "slot"),
	       jstr(o, "state"), jbool(o, "held") ? "" : "; no slot holds it any more", at);
	source_line(o, good);
	if (!jint(o, "lives"))
		printf("    never live\n");
	else if (jint(o, "lives") == 1)
		live_line(o, "last_live", "live");
	else {
		live_line(o, "first_live", "live");
		live_line(o, "last_live", "last live");
	}
}

static void changed(const json_t *o)
{
	const json_t *list = json_object_get(o, "changed");
	const char *manifests = jstr(o, "manifests");
	size_t i;
	json_t *x;

	if (!json_is_object(json_object_get(o, "good")) || !json_is_object(json_object_get(o, "bad")))
		return;
	if (strcmp(manifests, "both") != 0) {
		printf("  what else changed: no manifest of %s\n", strcmp(manifests, "none") == 0 ? "either" :
		       jstr(json_object_get(o, strcmp(manifests, "good") == 0 ? "bad" : "good"), "release"));
		return;
	}
	printf("  what else changed:%s\n", json_array_size(list) ? "" : " nothing that the manifests say");
	json_array_foreach((json_t *)list, i, x) {
		char *was = json_dumps(json_object_get(x, "good"), JSON_ENCODE_ANY | JSON_COMPACT), *is = json_dumps(json_object_get(x, "bad"), JSON_ENCODE_ANY | JSON_COMPACT);
		char a[120], b[120];

		text_printable(a, sizeof(a), was ? was : "", was ? strlen(was) : 0);
		text_printable(b, sizeof(b), is ? is : "", is ? strlen(is) : 0);
		printf("    %-24s %s -> %s\n", jstr(x, "field"), a, b);
		free(was);
		free(is);
	}
}

static void copies(const json_t *o)
{
	const json_t *list = json_object_get(o, "copies");
	size_t i;
	json_t *x;

	fputs("  good copy: ", stdout);
	if (!json_array_size(list))
		fputs("no slot holds one", stdout);
	json_array_foreach((json_t *)list, i, x)
		printf("%s%s (%s, %s)", i ? ", " : "", jstr(x, "slot"), jstr(x, "release")[0] ? jstr(x, "release") : "release not known",
		       jbool(x, "active") ? "active" : "idle");
	putchar('\n');
}

static void show_blame(struct cli *c, const json_t *o)
{
	const char *answer = jstr(o, "answer"), *feature = jstr(o, "feature");
	const json_t *good = json_object_get(o, "good"), *bad = json_object_get(o, "bad"), *fixed = json_object_get(o, "fixed");
	const json_t *between = json_object_get(o, "between");
	char at[80];
	size_t i;
	json_t *x;

	printf("%s%s/%s%s  ", ink(c, INK_BOLD), jstr(o, "service"), feature, ink(c, INK_PLAIN));
	if (strcmp(answer, "found") == 0)
		printf("%s had it, %s had not\n", jstr(good, "release"), jstr(bad, "release"));
	else if (strcmp(answer, "no-good") == 0)
		printf("%s has not, and no release on record had it\n", jstr(bad, "release"));
	else if (strcmp(answer, "intact") == 0)
		puts("every release on record has it");
	else
		puts("nothing on record says anything about it");
	if (json_is_object(good))
		side(good, "last with it    ", true);
	json_array_foreach((json_t *)between, i, x)
		printf("  in between, not known: %s\n", json_string_value(x));
	if (json_is_object(bad))
		side(bad, "first without it", false);
	if (json_is_object(fixed))
		printf("  there again since %s on %s\n", jstr(fixed, "release"), jstr(fixed, "slot"));
	moment(o, "no_record_before", at);
	if (jint(o, "no_record_before"))
		printf("  no record of it before %s: it was not probed as it is now\n", at);
	changed(o);
	copies(o);
	printf("  next: %s\n", jstr(o, "next"));
}

/* SERVICE/FEATURE, or FEATURE alone when there is one service. */
int verb_blame(struct cli *c)
{
	char path[256], word[64], what[160];
	struct answer a;
	int ex = EX_DONE;

	if (!c->n_words)
		return usage_error(c, "blame wants SERVICE/FEATURE, or FEATURE when there is one service");
	if (c->n_words > 1)
		return usage_error(c, "blame wants one SERVICE/FEATURE");
	TEXT_COPY(word, c->feature_word);
	if (!word[0]) {
		TEXT_COPY(word, c->service);
		c->service[0] = '\0';
		if (!cli_service(c, &ex))
			return ex;
	}
	if (!name_ok(word))
		return usage_error(c, "'%s' is no name of a feature", word);
	TEXT_FORMAT(path, "/v1/services/%s/blame/%s", c->service, word);
	TEXT_FORMAT(what, "%s/%s", c->service, word);
	client_ask(c, "GET", path, NULL, c->timeout_ms, &a);
	if (!a.reached || a.status != 200 || !a.json)
		ex = say_failed(c, what, &a);
	else if (c->output == FMT_JSON)
		say_json(c, a.json);
	else
		show_blame(c, a.json);
	answer_free(&a);
	return ex;
}
