/* SPDX-License-Identifier: MIT
 * route.h - inside api/: the route table, a call under way, and how it is answered. */
#ifndef SWITCHD_API_ROUTE_H
#define SWITCHD_API_ROUTE_H

#include "switchd/api/api.h"
#include "switchd/io/httpd.h"

enum role { ROLE_NONE, ROLE_READ, ROLE_DEPLOY, ROLE_OPERATE };
const char *role_name(enum role);

enum { ORDER_BODY_MAX = 192 * 1024, STATE_BODY_MAX = 8 * 1024 * 1024 };

enum { LISTEN_HEALTH, LISTEN_OPERATORS, LISTEN_UNIX, N_LISTENERS };

/* One request with its route: the words of the path that the route names. */
struct call {
	struct api *api;
	struct httpd_request *req;
	const struct route *route;
	enum role role;
	id_text actor;
	name_text service, feature, slot;
	char last[64];                  /* :n */
	json_t *body;                   /* an object, checked against the route's members; NULL for GET */
	bool dry_run, created;          /* created: 201 */
	struct call *prev, *next;       /* all that are under way */
};

typedef void route_fn(struct call *);   /* takes the call: ends with one of the answers below */

struct route {
	const char *method, *path;      /* ":s" service, ":f" feature, ":n" number, ":x" slot */
	enum role role;                 /* the least role; ROLE_NONE: nobody is asked who he is */
	bool health;                    /* on the health listener too */
	route_fn *run;
	const char *members;            /* of the body, blank separated; NULL = no body is read */
	const char *doc;
};
extern const struct route routes[];
extern const size_t n_routes;
/* NULL: `allow` tells 405 (the methods that the path has, "GET, HEAD") from 404 (""). */
const struct route *route_find(struct call *, const char *method, const char *path, char allow[64]);

/* ---- body.c ---- */
/* Reads query and body against the route; false: it has answered. */
MUSTCHECK bool request_read(struct call *);

/* ---- answers: each frees the call ---- */
void answer_json(struct call *, unsigned status, json_t *taken);
void answer_text(struct call *, unsigned status, const char *type, const char *text);
void answer_problem(struct call *, unsigned status, const char *code, const char *title, const char *detail, int exit_code);
void answer_not_found(struct call *, const char *what);
void answer_bad(struct call *, const char *code, const char *detail);   /* 400 */
/* ... with one more header. */
void answer_json_with(struct call *, unsigned status, json_t *taken, const char *name, const char *value);
void answer_problem_with(struct call *, unsigned status, const char *code, const char *title, const char *detail, int exit_code, const char *name,
			 const char *value);
void call_free(struct call *);
/* A late reply of the engine to a call that api_free() has answered already: frees it and says true. */
MUSTCHECK bool call_orphan(struct call *);

json_t *json_clean(const char *s);      /* a string of foreign text */
json_t *problem_new(unsigned status, const char *code, const char *title, const char *detail, int exit_code);
/* Adds active, release, epoch, next to a problem of a service. */
void problem_where(struct call *, json_t *problem, const char *code);

/* ---- handlers, by file ---- */
route_fn lb_active, lb_slot, lb_livez, lb_readyz;
route_fn look_services, look_service, look_why, look_timeline, look_evidence, look_ledger, look_blame,
	look_archive, look_postmortem, look_deploys, look_deploy, look_config, look_metrics, look_inventory, look_inventory_ask, look_probe,
	look_prove, look_report;
route_fn order_claim, order_renew, order_unclaim, order_deploy, order_abort, order_flip, order_rollback, order_hold, order_resume, order_seal,
	order_unseal, order_pardon, order_mute, order_unmute, order_note, order_drill;
route_fn look_agents, order_forget;
route_fn events_stream;
route_fn state_repair, state_doctor, state_upgrade, state_export, state_import;
/* What came of an order, as everybody is answered (orders.c). */
order_done_fn order_answered;

/* ---- auth.c ---- */
struct auth;
struct auth *auth_new(const char *tokens_file, char *error, size_t size);       /* "" = no tokens: TCP mutations are refused */
void auth_free(struct auth **);
/* Fills role and actor; false: too many failures of this address (429).  On the unix socket the peer's role, or a token's if it is higher. */
MUSTCHECK bool auth_check(struct auth *, const struct httpd_request *, mono_us now, enum role *, id_text actor);

/* ---- events.c: told of every event ---- */
struct streams;
struct streams *streams_new(struct engine *);
void streams_free(struct streams **);
void streams_event(struct streams *, const char *id, const char *json);
void streams_beat(struct streams *);

struct engine *call_engine(const struct call *);
struct streams *call_streams(const struct call *);
struct auth *call_auth(const struct call *);
/* Asks again after every change, until it says true (it then has answered) or the deadline. */
typedef bool wait_fn(struct call *, bool late);
void call_wait(struct call *, int64_t ms, wait_fn *);

#endif
