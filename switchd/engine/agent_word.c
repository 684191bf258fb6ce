/* SPDX-License-Identifier: MIT
 * agent_word.c - member by member; a member of another type is one that is not there. */
#include "switchd/engine/agent_word.h"
#include "switchd/core/json_text.h"

#include <string.h>

#include <jansson.h>

enum { SERVERS_MOST = 1000000 };

static int small(const json_t *list, size_t i)
{
	json_int_t n = json_integer_value(json_array_get(list, i));

	return n < 0 || n > SERVERS_MOST ? 0 : (int)n;
}

static uint64_t count(const json_t *o, const char *slot)
{
	json_int_t n = json_integer_value(json_object_get(o, slot));

	return n < 0 ? 0 : (uint64_t)n;
}

static enum proxy_result result_of(const char *state)
{
	static const struct { const char *state; enum proxy_result result; } states[] = {
		{ "ok", PX_OK }, { "behind", PX_OK }, { "ahead", PX_OK }, { "pinned", PX_OK }, { "down", PX_ABSENT },
		{ "refused", PX_REFUSED }, { "fork", PX_REFUSED }, { "fight", PX_REFUSED },
	};

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(states[i].state, state) == 0)
			return states[i].result;
	return PX_BAD_VALUE;
}

static void condemned_of(const json_t *o, struct agent_said *s)
{
	const json_t *x;
	size_t i;

	json_array_foreach(json_object_get(o, "condemned"), i, x) {
		const char *release = json_string_value(x);

		if (release && id_ok(release) && s->n_condemned < ARRAY_LEN(s->condemned))
			TEXT_COPY(s->condemned[s->n_condemned++], release);
	}
}

/* The value that its proxies show: of several the lowest, so that none is forgotten. */
static bool value_of(const json_t *o, struct proxy_value *out)
{
	bool any = false;
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(o, "proxies"), i, p) {
		struct proxy_value v;

		if (!proxy_value_parse(json_text(p, "value"), &v))
			return false;
		if (!any || v.pin || (!out->pin && version_cmp(v.v, out->v) < 0))
			*out = v;
		any = true;
	}
	return any;
}

static bool durable_of(const json_t *o)
{
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(o, "proxies"), i, p)
		if (!json_is_true(json_object_get(p, "durable")))
			return false;
	return true;
}

static void counts_of(const json_t *o, struct agent_word *w)
{
	const json_t *up = json_object_get(o, "up"), *caught = json_object_get(o, "caught"), *missed = json_object_get(o, "missed");

	const json_t *ready = json_object_get(o, "ready");

	w->up_known = json_is_object(up);
	w->ready_asked = json_is_null(ready);
	w->shield_known = json_is_object(caught);
	for (int k = BLUE; k <= GREEN; k++) {
		const char *slot = slot_name((enum slot)k);

		text_printable(w->ready[k], sizeof(w->ready[k]), json_text(ready, slot), strlen(json_text(ready, slot)));
		w->up[k] = small(json_object_get(up, slot), 0);
		w->all[k] = small(json_object_get(up, slot), 1);
		w->caught[k] = count(caught, slot);
		w->missed[k] = count(missed, slot);
	}
}

bool agent_word_parse(const char *text, size_t len, struct agent_said *out)
{
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	struct agent_said s = { .n_condemned = 0 };

	if (!json_is_object(o)) {
		json_decref(o);
		return false;
	}
	text_printable(s.state, sizeof(s.state), json_text(o, "state"), strlen(json_text(o, "state")));
	text_printable(s.word.detail, sizeof(s.word.detail), json_text(o, "why"), strlen(json_text(o, "why")));
	s.word.result = result_of(json_text(o, "state"));
	s.word.durable = durable_of(o);
	s.word.has_value = value_of(o, &s.word.value);
	counts_of(o, &s.word);
	s.told_known = version_parse(json_text(o, "version"), &s.told);
	if (!id_ok(json_text(o, "cid")) || !TEXT_COPY(s.cid, json_text(o, "cid")))
		s.cid[0] = '\0';
	condemned_of(o, &s);
	*out = s;
	json_decref(o);
	return true;
}
