/* SPDX-License-Identifier: MIT
 * routes.c - the one table of routes, with the role in it. */
#include <string.h>

#include "switchd/api/route.h"

const struct route routes[] = {
	{ "GET", "/active", ROLE_NONE, true, lb_active, NULL, "the active slot, when there is one service" },
	{ "GET", "/active/:s", ROLE_NONE, true, lb_active, NULL, "the active slot: one word" },
	{ "GET", "/slot/:x", ROLE_NONE, true, lb_slot, NULL, "200 when that slot is active, when there is one service" },
	{ "GET", "/slot/:s/:x", ROLE_NONE, true, lb_slot, NULL, "200 when that slot is active, else 503" },
	{ "GET", "/livez", ROLE_NONE, true, lb_livez, NULL, "200 while the loop turns" },
	{ "GET", "/readyz", ROLE_NONE, true, lb_readyz, NULL, "200 when state and proxies are in sync" },
	{ "GET", "/metrics", ROLE_NONE, true, look_metrics, NULL, "Prometheus text" },
	{ "GET", "/v1/services", ROLE_READ, false, look_services, NULL, "overview" },
	{ "GET", "/v1/services/:s", ROLE_READ, false, look_service, NULL, "status of one service" },
	{ "GET", "/v1/services/:s/why", ROLE_READ, false, look_why, NULL, "last decision and evidence" },
	{ "GET", "/v1/services/:s/timeline", ROLE_READ, false, look_timeline, NULL, "events" },
	{ "GET", "/v1/services/:s/evidence/:f", ROLE_READ, false, look_evidence, NULL, "evidence of a feature" },
	{ "GET", "/v1/services/:s/ledger", ROLE_READ, false, look_ledger, NULL, "what is remembered of its releases" },
	{ "GET", "/v1/services/:s/blame/:f", ROLE_READ, false, look_blame, NULL, "which release took the feature away" },
	{ "GET", "/v1/services/:s/postmortem", ROLE_READ, false, look_postmortem, NULL,
	  "what happened, put together; deploy=N, or since= and until=; format=json, md, html or csv" },
	{ "GET", "/v1/services/:s/report", ROLE_READ, false, look_report, NULL, "a span in numbers, and whether it is time to enforce; since=" },
	{ "GET", "/v1/services/:s/archive", ROLE_READ, false, look_archive, NULL, "the newest lines of the archive; from=, until=, max=" },
	{ "GET", "/v1/services/:s/deploys", ROLE_READ, false, look_deploys, NULL, "the last deploys" },
	{ "GET", "/v1/services/:s/deploys/:n", ROLE_READ, false, look_deploy, NULL, "one deploy; wait= and for=" },
	{ "GET", "/v1/services/:s/inventory", ROLE_READ, false, look_inventory, NULL, "the last comparison of both slots' routes" },
	{ "POST", "/v1/services/:s/inventory", ROLE_READ, false, look_inventory_ask, "", "fetch and compare both slots' routes now" },
	{ "POST", "/v1/services/:s/probe", ROLE_READ, false, look_probe, "slot", "ask every feature now" },
	{ "POST", "/v1/services/:s/prove", ROLE_READ, false, look_prove, "", "ask stubs that lack every feature: would the probes notice?" },
	{ "GET", "/v1/agents", ROLE_READ, false, look_agents, NULL, "who reports: agents and controllers" },
	{ "DELETE", "/v1/agents/:n", ROLE_OPERATE, false, order_forget, "message", "an agent is expected no more, until it reports again" },
	{ "GET", "/v1/config", ROLE_READ, false, look_config, NULL, "effective configuration" },
	{ "GET", "/v1/doctor", ROLE_READ, false, state_doctor, NULL, "is all that switchd stands on as it should be?" },
	{ "GET", "/v1/events", ROLE_READ, false, events_stream, NULL, "server-sent events" },
	{ "POST", "/v1/services/:s/claim", ROLE_DEPLOY, false, order_claim, "release slot digest manifest skip force message", "claim the idle slot" },
	{ "POST", "/v1/services/:s/claim/renew", ROLE_DEPLOY, false, order_renew, "claim", "renew a claim" },
	{ "DELETE", "/v1/services/:s/claim", ROLE_DEPLOY, false, order_unclaim, "claim force message", "give a claim back" },
	{ "POST", "/v1/services/:s/deploys", ROLE_DEPLOY, false, order_deploy, "release slot claim digest manifest skip stop rollback force message",
	  "prove, flip, bake" },
	{ "DELETE", "/v1/services/:s/deploys/:n", ROLE_DEPLOY, false, order_abort, "message", "abort a deploy" },
	{ "POST", "/v1/services/:s/flip", ROLE_OPERATE, false, order_flip, "to force message", "make the idle slot active" },
	{ "POST", "/v1/services/:s/rollback", ROLE_OPERATE, false, order_rollback, "force message", "back to the slot that was good" },
	{ "POST", "/v1/services/:s/drill", ROLE_OPERATE, false, order_drill, "message", "flip to the rollback target and back, and measure" },
	{ "PUT", "/v1/services/:s/hold", ROLE_OPERATE, false, order_hold, "message for", "no automatic and no forward moves" },
	{ "DELETE", "/v1/services/:s/hold", ROLE_OPERATE, false, order_resume, "message", "end a hold or a pin" },
	{ "PUT", "/v1/services/:s/seal", ROLE_OPERATE, false, order_seal, "message", "the old release cannot serve any more" },
	{ "DELETE", "/v1/services/:s/seal", ROLE_OPERATE, false, order_unseal, "message", "it can, after all" },
	{ "POST", "/v1/services/:s/pardon", ROLE_OPERATE, false, order_pardon, "release message", "take a release off the condemned list" },
	{ "PUT", "/v1/services/:s/features/:f/mute", ROLE_OPERATE, false, order_mute, "for message", "mute a feature, 24 h at most" },
	{ "DELETE", "/v1/services/:s/features/:f/mute", ROLE_OPERATE, false, order_unmute, "message", "unmute it" },
	{ "POST", "/v1/services/:s/repair", ROLE_OPERATE, false, state_repair, "message", "write the last good record over a refused value of the store" },
	{ "GET", "/v1/state", ROLE_OPERATE, false, state_export, NULL, "all that the store holds of the services, as one document" },
	{ "POST", "/v1/state", ROLE_OPERATE, false, state_import, "state message force", "that document back into a store that has lost it; unix socket only" },
	{ "POST", "/v1/state/upgrade", ROLE_OPERATE, false, state_upgrade, "message", "write the store in the newer schema" },
	{ "POST", "/v1/services/:s/notes", ROLE_DEPLOY, false, order_note, "message deploy", "a note, kept with what happened" },
};
const size_t n_routes = ARRAY_LEN(routes);

const char *role_name(enum role r)
{
	static const char *const names[] = { "none", "read", "deploy", "operate" };

	return names[r];
}

static bool take(struct call *c, char kind, const char *word, size_t n)
{
	switch (kind) {
	case 's': return text_copy_n(c->service, sizeof(c->service), word, n) && name_ok(c->service);
	case 'f': return text_copy_n(c->feature, sizeof(c->feature), word, n) && name_ok(c->feature);
	case 'x': return text_copy_n(c->slot, sizeof(c->slot), word, n);
	case 'n': return text_copy_n(c->last, sizeof(c->last), word, n);
	default: never("a path word of no kind");
	}
}

static bool matches(struct call *c, const char *pattern, const char *path)
{
	while (*pattern && *path) {
		if (*pattern == ':') {
			size_t n = strcspn(path, "/");

			if (!n || !take(c, pattern[1], path, n))
				return false;
			pattern += 2;
			path += n;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return !*pattern && !*path;
}

static void allow_add(char allow[64], const struct route *r)
{
	size_t n = strlen(allow);

	text_format(allow + n, 64 - n, "%s%s%s", n ? ", " : "", r->method, strcmp(r->method, "GET") ? "" : r->health ? ", HEAD, OPTIONS" : ", HEAD");
}

const struct route *route_find(struct call *c, const char *method, const char *path, char allow[64])
{
	allow[0] = '\0';
	for (size_t i = 0; i < n_routes; i++) {
		const struct route *r = &routes[i];

		c->service[0] = c->feature[0] = c->slot[0] = c->last[0] = '\0';
		if (!matches(c, r->path, path))
			continue;
		bool look = strcmp(r->method, "GET") == 0 && (strcmp(method, "HEAD") == 0 || (r->health && strcmp(method, "OPTIONS") == 0));

		if (look || strcmp(r->method, method) == 0)
			return r;
		allow_add(allow, r);
	}
	c->service[0] = c->feature[0] = c->slot[0] = c->last[0] = '\0';
	return NULL;
}

void api_routes_doc(struct buf *out)
{
	buf_adds(out, "| route | role | health listener | does |\n|---|---|---|---|\n");
	for (size_t i = 0; i < n_routes; i++)
		buf_addf(out, "| `%s %s` | %s | %s | %s |\n", routes[i].method, routes[i].path, role_name(routes[i].role), routes[i].health ? "yes" : "",
			 routes[i].doc);
}
