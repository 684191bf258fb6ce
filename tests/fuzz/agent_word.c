/* SPDX-License-Identifier: MIT
 * agent_word.c - any bytes are an agent's word or are refused; what is taken is bounded, and told again it reads as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "switchd/engine/agent_word.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only what is UTF-8 becomes a string of JSON, and what is shown to people must. */
static json_t *shown(const char *text)
{
	json_t *j = json_string(text);

	must(j != NULL);
	for (const char *s = text; *s; s++)
		must((unsigned char)*s >= 0x20 && *s != 0x7f);
	return j;
}

static json_t *pair(int a, int b)
{
	must(a >= 0 && b >= 0 && a <= 1000000 && b <= 1000000);
	return json_pack("[i,i]", a, b);
}

static json_t *counts(const uint64_t n[2])
{
	must(n[BLUE] <= INT64_MAX && n[GREEN] <= INT64_MAX);
	return json_pack("{s:I,s:I}", "blue", (json_int_t)n[BLUE], "green", (json_int_t)n[GREEN]);
}

/* As an agent would have said just this. */
static char *told(const struct agent_said *s)
{
	const struct agent_word *w = &s->word;
	json_t *proxies = json_array(), *condemned = json_array();
	char value[PROXY_VALUE_TEXT], version[VERSION_TEXT];

	must(w->result < N_PROXY_RESULTS && w->heard.us == 0);
	must(!w->has_value || w->value.slot == BLUE || w->value.slot == GREEN);
	must(s->n_condemned <= FLEET_CONDEMNED && (!s->cid[0] || id_ok(s->cid)));
	if (w->has_value || !w->durable)
		json_array_append_new(proxies, json_pack("{s:s,s:b}", "value", w->has_value ? proxy_value_text(&w->value, value) : "", "durable", w->durable));
	for (size_t i = 0; i < s->n_condemned; i++) {
		must(id_ok(s->condemned[i]));
		json_array_append_new(condemned, json_string(s->condemned[i]));
	}
	json_t *o = json_pack("{s:o,s:o,s:s,s:s,s:o,s:o,s:o,s:o,s:o}", "state", shown(s->state), "why", shown(w->detail), "version",
			      s->told_known ? version_text(s->told, version) : "?", "cid", s->cid, "condemned", condemned, "proxies", proxies, "up",
			      w->up_known ? json_pack("{s:o,s:o}", "blue", pair(w->up[BLUE], w->all[BLUE]), "green", pair(w->up[GREEN], w->all[GREEN]))
					  : json_null(),
			      "caught", w->shield_known ? counts(w->caught) : json_null(), "missed", counts(w->missed));
	char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);

	must(text != NULL);
	must(w->up_known || (!w->up[BLUE] && !w->all[BLUE] && !w->up[GREEN] && !w->all[GREEN]));
	must(w->shield_known || (!w->caught[BLUE] && !w->caught[GREEN]));
	json_decref(o);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_said a, b;

	if (!agent_word_parse((const char *)data, size, &a))
		return 0;
	char *once = told(&a);

	must(agent_word_parse(once, strlen(once), &b));
	char *twice = told(&b);

	must(strcmp(once, twice) == 0 && a.word.result == b.word.result && a.told_known == b.told_known);
	free(once);
	free(twice);
	return 0;
}
