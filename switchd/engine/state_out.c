/* SPDX-License-Identifier: MIT
 * state_out.c - everything that the store holds of the services, as one JSON document (docs/operations.md). */
#include <stdlib.h>
#include <string.h>

#include "switchd/core/record.h"
#include "switchd/engine/service.h"

const char *const state_values[] = { "baselines", "seen", "deploys", "watched", "ledger" };
_Static_assert(ARRAY_LEN(state_values) == STATE_VALUES, "a value without a name");

struct takeout {
	struct engine *e;
	state_done_fn *done;
	void *arg;
	json_t *services, *now;         /* now: of the service under the hand */
	size_t at;                      /* that service */
	int open;                       /* of its values, asked for and not answered */
	bool failed;
	char schema[24], why[512];
};

struct value_asked { struct takeout *t; char what[32]; };

static void next(struct takeout *t);

static void ended(struct takeout *t)
{
	struct state_result r = { .refusal = t->failed ? RF_STORE : RF_NONE };

	TEXT_COPY(r.detail, t->why);
	if (!t->failed)
		r.said = json_pack("{s:s,s:i,s:s,s:I,s:I,s:s,s:O}", "format", STATE_FORMAT, "format_version", STATE_FORMAT_VERSION, "switchd", SWITCHD_VERSION, "at",
				   (json_int_t)wall_now().ms, "generation", (json_int_t)store_generation(t->e->store), "schema", t->schema,
				   "services", t->services);
	t->done(t->arg, &r);
	json_decref(r.said);
	json_decref(t->services);
	json_decref(t->now);
	free(t);
}

static void failed(struct takeout *t, const char *service, const char *why)
{
	t->failed = true;
	TEXT_FORMAT(t->why, "%s: %.400s", service, why);
}

static void value_got(void *arg, bool ok, const char *value)
{
	struct value_asked *v = arg;
	struct takeout *t = v->t;
	json_t *text = ok && value[0] ? json_string(value) : NULL; /* what is no text is left out */

	if (text)
		json_object_set_new(json_object_get(t->now, "values"), v->what, text);
	if (!ok && !t->failed && store_state(t->e->store) == STORE_AWAY)
		failed(t, t->at < t->e->n ? t->e->services[t->at]->cfg->name : "?", "the store went away");
	free(v);
	if (--t->open)
		return;
	if (t->at < t->e->n)
		json_object_set_new(t->services, t->e->services[t->at]->cfg->name, t->now);
	else
		json_decref(t->now);
	t->now = NULL;
	t->at++;
	next(t);
}

static void ask(struct takeout *t, const char *service, const char *what)
{
	struct value_asked *v = xcalloc(1, sizeof(*v));

	v->t = t;
	TEXT_COPY(v->what, what);
	t->open++;
	store_get(t->e->store, service, what, value_got, v);
}

static void values(struct takeout *t, const char *service)
{
	char what[32];

	t->open = 0;
	for (size_t i = 0; i < ARRAY_LEN(state_values); i++)
		ask(t, service, state_values[i]);
	for (unsigned k = 0; k < LEDGER_RELEASES; k++) {
		TEXT_FORMAT(what, "ledger.%u", k);
		ask(t, service, what);
		TEXT_FORMAT(what, "ledger.%u.more", k);
		ask(t, service, what);
	}
}

static void record_got(void *arg, const struct store_answer *a)
{
	struct takeout *t = arg;
	const char *service = t->at < t->e->n ? t->e->services[t->at]->cfg->name : NULL;
	json_t *condemned, *record;

	if (!service || (a->result != ST_OK && a->result != ST_BAD_DATA) || !t->e->store) {
		failed(t, service ? service : "?", service ? a->detail : "the configuration changed meanwhile: ask again");
		ended(t);
		return;
	}
	condemned = json_array();
	for (size_t i = 0; a->condemned && i < a->condemned->n; i++)
		json_array_append_new(condemned, condemned_json(&a->condemned->list[i]));
	record = a->record ? record_json(a->record) : NULL;
	t->now = json_pack("{s:o,s:o,s:{}}", "record", record ? record : json_null(), "condemned", condemned, "values");
	if (a->result == ST_BAD_DATA)
		json_object_set_new(t->now, "refused", json_string(a->detail));
	values(t, service);
}

static void next(struct takeout *t)
{
	if (t->failed || t->at >= t->e->n) {
		ended(t);
		return;
	}
	store_load(t->e->store, t->e->services[t->at]->cfg->name, record_got, t);
}

static void inspected(void *arg, const char *json)
{
	struct takeout *t = arg;
	json_t *o = json_loads(json, 0, NULL);
	const char *schema = json_string_value(json_object_get(o, "schema"));

	TEXT_COPY(t->schema, schema ? schema : "");
	json_decref(o);
	if (!t->e->store || store_state(t->e->store) == STORE_AWAY)
		failed(t, "state", t->e->store ? store_why_down(t->e->store) : "switchd is ending");
	next(t);
}

void engine_export(struct engine *e, state_done_fn *done, void *arg)
{
	struct takeout *t = xcalloc(1, sizeof(*t));

	*t = (struct takeout){ .e = e, .done = done, .arg = arg, .services = json_object() };
	store_inspect(e->store, inspected, t);
}
