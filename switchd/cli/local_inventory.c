/* SPDX-License-Identifier: MIT
 * local_inventory.c - switchctl inventory: what each slot has that the other lacks, and what nobody probes. */
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "probes/inventory/inventory.h"
#include "switchd/cli/local.h"

enum { SHOWN_MOST = 40 };

/* ---- said ---- */

static void say_slot(const json_t *o, const char *slot, const char *role)
{
	const json_t *s = json_object_get(json_object_get(o, "slots"), slot), *notes = json_object_get(s, "notes");

	if (!json_is_object(s))
		return;
	printf("%-6s %-7s %lld routes%s%s%s%s\n", slot, role, (long long)jint(s, "routes"), jstr(s, "target")[0] ? " from " : "", jstr(s, "target"),
	       jstr(s, "release")[0] ? ", release " : "", jstr(s, "release"));
	if (jint(s, "left_out"))
		printf("       %lld left out: other hosts, no paths, or more than there is room for\n", (long long)jint(s, "left_out"));
	for (size_t i = 0; i < json_array_size(notes); i++)
		printf("       %s\n", json_string_value(json_array_get(notes, i)));
}

/* Everything that is not simply there, and then what nobody asks. */
static void say_rows(struct cli *c, const json_t *rows)
{
	size_t i, shown = 0, dark = 0;
	json_t *r;

	json_array_foreach((json_t *)rows, i, r) {
		const char *fate = jstr(r, "fate");
		bool lost = strcmp(fate, "lost") == 0;

		dark += !jbool(r, "probed") && (strcmp(fate, "present") == 0 || strcmp(fate, "changed") == 0 || lost);
		if (strcmp(fate, "present") == 0 || (shown++ >= SHOWN_MOST && !c->verbose))
			continue;
		printf("%s%-11s%s %-40s %s%s\n", ink(c, lost ? INK_RED : strcmp(fate, "unknown") == 0 ? INK_YELLOW : INK_PLAIN), fate, ink(c, INK_PLAIN),
		       jstr(r, "path"), jstr(r, "why"), jbool(r, "probed") ? "" : "  (no probe)");
	}
	if (shown > SHOWN_MOST && !c->verbose)
		printf("... and %zu more (-v shows all, --json too)\n", shown - SHOWN_MOST);
	if (!dark)
		return;
	printf("no probe asks for:\n");
	shown = 0;
	json_array_foreach((json_t *)rows, i, r)
		if (!jbool(r, "probed") && (strcmp(jstr(r, "fate"), "present") == 0 || strcmp(jstr(r, "fate"), "changed") == 0)) {
			if (shown++ < SHOWN_MOST || c->verbose)
				printf("  %s\n", jstr(r, "path"));
		}
	if (shown > SHOWN_MOST && !c->verbose)
		printf("  ... and %zu more\n", shown - SHOWN_MOST);
}

static int said(struct cli *c, const json_t *o)
{
	const json_t *counts = json_object_get(o, "counts");
	bool compared = jbool(o, "compared"), known = jbool(o, "known");
	int ex = jint(counts, "lost") ? EX_REFUSED : compared && known ? EX_DONE : EX_UNKNOWN;

	if (c->output == FMT_JSON) {
		say_json(c, o);
	} else if (!compared) {
		printf("%s: the routes of the slots were not compared yet\n", jstr(o, "service"));
	} else {
		bool none = strcmp(jstr(o, "compared_active"), "none") == 0;

		say_slot(o, none ? "blue" : jstr(o, "compared_active"), none ? "" : "active");
		say_slot(o, none ? "green" : jstr(o, "compared_idle"), none ? "" : "idle");
		say_rows(c, json_object_get(o, "routes"));
		printf("%lld present, %lld lost, %lld gained, %lld changed, %lld removed as declared, %lld unknown\n",
		       (long long)jint(counts, "present"), (long long)jint(counts, "lost"), (long long)jint(counts, "gained"),
		       (long long)jint(counts, "changed"), (long long)jint(counts, "removed"), (long long)jint(counts, "unknown"));
		printf("coverage: %lld of %lld routes have a probe (%lld %%)\n", (long long)jint(o, "probed"), (long long)jint(o, "active_routes"),
		       (long long)jint(o, "coverage_percent"));
	}
	if (compared && known && !jint(counts, "lost") && jstr(o, "why")[0])
		printf("%s\n", jstr(o, "why"));
	if (compared && !known)
		complain(c, "%s: not wholly known: %s", jstr(o, "service"), jstr(o, "why"));
	return ex;
}

/* ---- without a daemon ---- */

struct local { struct inventory *slot[2]; size_t left; };

static void fetched(void *arg, enum slot slot, struct inventory *taken)
{
	struct local *l = arg;

	l->slot[slot] = taken;
	l->left--;
}

/* Which slot is active nobody says: blue stands in for it, unless --slot names the idle one. */
static json_t *compare_here(const struct service_config *s, struct local *l, enum slot idle)
{
	enum slot active = other_slot(idle);
	struct inventory_diff d;
	json_t *slots = json_object();

	inventory_compare(s, l->slot[active], l->slot[idle], NULL, 0, inventory_same, &d);
	json_t *o = json_pack("{s:s,s:b,s:b,s:s,s:s,s:s}", "service", s->name, "configured", 1, "compared", 1, "asked_by", "switchctl", "compared_active",
			      slot_name(active), "compared_idle", slot_name(idle));

	json_object_update_new(o, inventory_diff_json(&d));
	for (int k = BLUE; k <= GREEN; k++) {
		json_t *one = inventory_json(l->slot[k]);

		json_object_set_new(one, "routes", json_integer((json_int_t)l->slot[k]->n));
		json_object_set_new(slots, slot_name((enum slot)k), one);
	}
	json_object_set_new(o, "slots", slots);
	inventory_diff_free(&d);
	return o;
}

static int inventory_here(struct cli *c)
{
	struct config *cfg = local_config(c, local_config_path(c), true);
	const struct service_config *s = cfg ? local_service(c, cfg, c->service) : NULL;
	struct local l = { .left = 2 };
	enum slot idle = GREEN;
	int ex = EX_USAGE_ERROR;

	if (!s)
		goto out;
	if (!s->n_inventory) {
		complain(c, "%s: inventory: is not in %s", s->name, cfg->file);
		hint(c, "next", "say where its routes are listed, e.g. `inventory: [ { sitemap: /sitemap.xml } ]`");
		goto out;
	}
	if (c->slot && !slot_parse(c->slot, &idle)) {
		usage_error(c, "--slot is blue or green, got '%s'", c->slot);
		goto out;
	}
	(void)local_targets(c, cfg, s, false);
	struct ev_loop *loop = ev_default_loop(0);

	for (int k = BLUE; k <= GREEN; k++)
		inventory_fetch(loop, s, (enum slot)k, fetched, &l);
	while (l.left && ev_run(loop, EVRUN_ONCE))
		;
	json_t *o = compare_here(s, &l, idle);

	if (!c->slot && c->output != FMT_JSON)
		complain(c, "%s: asked from here: green is taken as the idle slot (--slot names another)", s->name);
	ex = said(c, o);
	json_decref(o);
	inventory_free(&l.slot[BLUE]);
	inventory_free(&l.slot[GREEN]);
	ev_loop_destroy(loop);
out:
	config_free(&cfg);
	return ex;
}

/* ---- the verb ---- */

int verb_inventory(struct cli *c)
{
	char path[160];
	struct answer a;
	int ex;

	if (c->config && c->config[0])
		return inventory_here(c);
	if (c->slot)
		return usage_error(c, "--slot is for --config: the daemon knows which slot is idle");
	if (!cli_service(c, &ex))
		return ex;
	TEXT_FORMAT(path, "/v1/services/%s/inventory", c->service);
	client_ask(c, c->last ? "GET" : "POST", path, NULL, c->timeout_ms ? c->timeout_ms : INVENTORY_DEADLINE_MS + 10000, &a);
	ex = a.reached && a.status == 200 && a.json ? said(c, a.json) : say_failed(c, c->service, &a);
	answer_free(&a);
	return ex;
}
