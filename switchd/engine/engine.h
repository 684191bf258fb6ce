/* SPDX-License-Identifier: MIT
 * engine.h - the shell round decide(): gathers inputs, commits, performs, publishes.
 *
 * Loop thread only.  The engine owns every service's committed record, its health, its
 * probes and its proxies; nobody else writes state.  API and daemon read it through this
 * face and post orders to it.  JSON values returned are new references (jansson). */
#ifndef SWITCHD_ENGINE_ENGINE_H
#define SWITCHD_ENGINE_ENGINE_H

#include <jansson.h>

#include "switchd/core/decide/decide.h"

struct ev_loop;
struct engine;

/* Takes the config.  NULL when something it needs at start cannot be had: `error` says what. */
struct engine *engine_new(struct ev_loop *, struct config *, char *error, size_t error_size);
/* Clean stop: no more inputs, waits (asynchronously, 3 s at most) for what is in flight, gives
 * the lease back, then done().  engine_free afterwards. */
void engine_stop(struct engine *, void (*done)(void *arg), void *arg);
void engine_free(struct engine **);

/* All or nothing.  Takes the config when it returns true; on false the old one stands and why
 * says which service or slot forbids it (it may remove neither an active slot nor a service in flight). */
MUSTCHECK bool engine_reload(struct engine *, struct config *, char *why, size_t why_size);
/* A reload that did not even load: shown in status and metric until the next good one. */
void engine_reload_failed(struct engine *, const char *why);

/* ---- orders: what operators ask for ---- */
enum order_status {
	ORDER_DONE,             /* committed (or nothing was to be done) */
	ORDER_REFUSED,          /* nothing moved: refusal and detail say why */
	ORDER_OFFLINE,          /* done here, not yet recorded: the store is away (202, exit 13) */
	ORDER_UNKNOWN,          /* no answer from the store: still running, ask again with the same request id */
	ORDER_STALE,            /* If-Match named another version, or somebody committed first */
	ORDER_NO_SERVICE,
};
struct order_result {
	enum order_status status;
	enum refusal refusal;
	char detail[512];
	const char *because;            /* the row that fired, "" */
	bool dup;                       /* this request id was done before: the same answer */
	bool at_risk; int replicas;     /* committed, and fewer replicas than wanted have it (-1 = not known): a failover may lose it */
	bool dry_run;                   /* nothing was committed; record and would are what would be */
	const struct record *record;    /* after it (or as it stands); NULL for no such service */
	const char *would;              /* dry run: what each proxy would be written, a line each; "" else */
	uint64_t deploy;                /* deploy: its id */
	struct gate_said gates[MAX_GATES]; size_t n_gates;      /* claim, deploy: what every gate says */
};
typedef void order_done_fn(void *arg, const struct order_result *);    /* exactly once, never from inside the call; result BORROWED */

/* What the input points to (a manifest) is copied.  rid: request id (Idempotency-Key), "" = make one.  if_match: NULL or the version the caller saw. */
void engine_order(struct engine *, const char *service, const struct input *, const char *rid,
		  const struct version *if_match, order_done_fn *, void *arg);

/* ---- the store itself (docs/operations.md) ---- */
struct person { id_text by, rid; why_text why; bool dry_run; };         /* who asks; rid "" = make one */
/* Writes the last good record over a value of the store that is refused. */
void engine_repair(struct engine *, const char *service, const struct person *, order_done_fn *, void *arg);

struct state_result { enum refusal refusal; char detail[512]; json_t *said; };          /* RF_NONE: done, and said is what; BORROWED */
typedef void state_done_fn(void *arg, const struct state_result *);    /* exactly once, never from inside the call */
/* From an older schema to ours: {"status":"done|dry-run","from","to","rewritten"}. */
void engine_upgrade(struct engine *, const struct person *, state_done_fn *, void *arg);

/* All that the store holds of the services, as a document; no secret is in it, there is none in the store. */
void engine_export(struct engine *, state_done_fn *, void *arg);
/* A document of engine_export() (BORROWED until done): {"status","services":[{"service","what","active","version","moves","condemned"}]}. */
void engine_import(struct engine *, const struct person *, json_t *doc, bool force, state_done_fn *, void *arg);

/* ---- reading ---- */
size_t engine_services(const struct engine *);
const char *engine_service_name(const struct engine *, size_t i);
bool engine_has_service(const struct engine *, const char *name);

/* What load balancers ask: the last known answer, and since when it may be old. */
struct active_answer { bool known_service; enum slot active; struct version v; int64_t stale_ms; /* 0 = fresh */ id_text release; bool draining; };
void engine_active(const struct engine *, const char *service, struct active_answer *out);

json_t *engine_status(const struct engine *, const char *service);     /* one service, whole (docs/api.md); NULL = no such service */
json_t *engine_overview(const struct engine *);                        /* all services, and the daemon itself */
json_t *engine_why(const struct engine *, const char *service);        /* last decision, evidence of both slots side by side */
json_t *engine_deploy(const struct engine *, const char *service, uint64_t id);        /* NULL = not known */
json_t *engine_deploys(const struct engine *, const char *service);
json_t *engine_ledger(const struct engine *, const char *service);     /* all that is remembered of its releases (docs/ledger.md) */
json_t *engine_blame(const struct engine *, const char *service, const char *feature); /* NULL = no such service or feature */
json_t *engine_evidence(const struct engine *, const char *service, const char *feature);
void engine_config(const struct engine *, const char *service, struct buf *yaml);      /* redacted */
bool engine_ready(const struct engine *, char *why, size_t why_size);  /* /readyz: store up, proxies in sync */
json_t *engine_agents(const struct engine *);                           /* who reports: agents and controllers (docs/fleet.md) */
/* That agent is expected no more, until it reports again.  known: there was one of that name.  Exactly once, never from inside the call. */
typedef void engine_forgot_fn(void *arg, bool known);
/* RF_NONE: this controller may be asked for what only who leads does; else why not. */
enum refusal engine_leads(const struct engine *, char *why, size_t why_size);
void engine_forget_agent(struct engine *, const char *name, engine_forgot_fn *, void *arg);
void engine_metrics(const struct engine *, struct buf *out);           /* Prometheus text */
const struct config *engine_current_config(const struct engine *);     /* as it was loaded */
/* With the targets that its slots have now.  NULL = no such service; BORROWED until the loop turns. */
const struct service_config *engine_service_config(const struct engine *, const char *service);

/* Events for a timeline, from the store (or from memory while it is away): `{"complete":bool,"events":[...]}`. */
typedef void engine_events_fn(void *arg, json_t *borrowed);
void engine_timeline(struct engine *, const char *service, const char *after_id, wall_ms since, size_t max, engine_events_fn *, void *arg);

/* The newest `max` lines of the archive, with from <= at < until (0 = no bound), service "" = all: `{"complete":bool,"lines":[...]}`. */
void engine_archive(struct engine *, const char *service, wall_ms from, wall_ms until, size_t max, engine_events_fn *, void *arg);

/* The post-mortem of a deploy (0: of the span from..to; to 0 = now): core/story/story.h.  `{"error": "no deploy"}` when none of that
 * number is on record, another error when it could not be made. */
void engine_postmortem(struct engine *, const char *service, uint64_t deploy, wall_ms from, wall_ms to, engine_events_fn *, void *arg);

/* A span in numbers, and whether it is time to enforce (core/story/report.h); from 0 = the last 7 days. */
void engine_report(struct engine *, const char *service, wall_ms from, engine_events_fn *, void *arg);

/* Is all that we stand on as it should be? {"daemon":true,"bad":N,"warn":N,"checks":[{"check","state","says","fix"}]} */
void engine_doctor(struct engine *, engine_events_fn *, void *arg);

/* Asks every feature of a slot (or both: NO_SLOT) now; done when all have answered or timed out. */
typedef void engine_probe_fn(void *arg, json_t *borrowed);
void engine_probe_now(struct engine *, const char *service, enum slot, engine_probe_fn *, void *arg);

/* Would each probe notice that its feature is gone (probes/prove/prove.h)?  `{"error": ...}` when it could not be told:
 * the configuration changed meanwhile, or the system refused the means. */
void engine_prove(struct engine *, const char *service, engine_probe_fn *done, void *arg);

/* The last comparison of both slots' routes; NULL = no such service. */
json_t *engine_inventory(const struct engine *, const char *service);
/* Fetches both and compares; false: not configured, or too many ask. */
MUSTCHECK bool engine_inventory_ask(struct engine *, const char *service, engine_probe_fn *, void *arg);

/* Called after every change of any service (coalesced to one call a loop turn), and with each event. */
typedef void engine_watch_fn(void *arg, const char *service, const char *event_json /* NULL = state only */, const char *event_id);
void engine_watch(struct engine *, engine_watch_fn *, void *arg);

#endif
