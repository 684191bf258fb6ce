/* SPDX-License-Identifier: MIT
 * config.h - the configuration: one immutable value, loaded whole or not at all.
 *
 * config_load() parses and checks text (it reads no file itself, core does no I/O;
 * `name` is what diagnostics show).  All errors of the text are found in one run,
 * each with file:line:col, the caret line and "did you mean".  Everything lives in
 * one arena: config_free() drops it.  Strings are never NULL unless said.
 * Defaults and limits come from the one settings table (settings.c). */
#ifndef SWITCHD_CORE_CONFIG_H
#define SWITCHD_CORE_CONFIG_H

#include "switchd/base/buf.h"
#include "switchd/core/model.h"

/* An address to send a probe to. */
struct target {
	const char *text;       /* as written: "10.0.0.1:8101" or "http://10.0.0.1:8101" */
	const char *host;       /* name or address, without brackets */
	uint16_t port;
	const char *unix_path;  /* "unix:/path" as written: plain HTTP on that socket; NULL or "" = TCP */
	bool tls;               /* https:// ; without a scheme the front's scheme decides for port 443 only, else http */
};

struct header { const char *name, *value; };

struct tls_config { const char *ca_file, *cert_file, *key_file; bool verify; };  /* "" = default; verify default true */

/* Where the addresses of a slot are read, at each claim and deploy, when they change (core/targets.h). */
enum source_kind { SOURCE_FIXED, SOURCE_DNS, SOURCE_FILE };
struct target_source {
	enum source_kind kind;  /* fixed: the config lists them */
	const char *text;       /* as written: "dns:shop-blue.internal:8101"; "" = fixed */
	const char *host; uint16_t port; const char *scheme;    /* dns; scheme "" = none written */
	const char *path;       /* file */
};

struct slot_config {
	const struct target *targets; size_t n_targets; /* with a source: those in force; none in a config as it was loaded */
	struct target_source source;
	bool proxy_protocol;    /* connections to its targets begin with a PROXY line */
	int min_targets;        /* 0 = rule of B1.2 (proving: all; live: half, rounded up) */
	struct tls_config tls;
};

/* What B1.1 to B1.5 are told of one feature. All times are resolved: nearest wins. */
struct probe_rule {
	int64_t interval_ms, idle_interval_ms, fast_interval_ms, confirm_ms, timeout_ms, start_period_ms;
	int rise, fall, calm;
	bool via_slot, via_front, fresh;
};

struct http_auth { const char *user, *password, *password_file, *bearer, *bearer_file; };       /* as written */

/* Old against new: what the old slot has the new one must have. */
struct compare_config {
	bool on;
	const char *const *ignore; size_t n_ignore;     /* JSON paths, and all below: "$.at", "$.items[].score", "$.by_id.*" */
	const char *xpath; int xpath_line, xpath_col;   /* of HTML and XML: whose nodes are counted; NULL = none */
	int tolerance;                  /* per cent between numbers of rows; 0 = only some against none */
};

struct feature_kind;            /* core/config/config_kind.h */
struct assets_config;           /* core/config/config_assets.h */
struct steps_config;            /* core/config/config_steps.h */
struct feature {
	const char *name;
	const struct feature_kind *kind;        /* never NULL */
	/* Of its own kind, core/config/feature_kinds.h; NULL for every other. */
	const struct exec_settings *exec; const struct grpc_settings *grpc; const struct tcp_settings *tcp;
	const struct tls_settings *tls; const struct websocket_settings *websocket;
	/* Of the kind http; "" (method "GET") for every other. */
	const char *path;               /* "/api/quotes" with query if any */
	const char *url;                /* "" or an absolute URL asked as it is, of no slot (kind of its own; warn only) */
	const char *method;             /* "GET" */
	const char *body;               /* "", or the content of body_file */
	const char *body_file;          /* "" */
	struct http_auth auth;
	const char *authorization;      /* value of that header, made of auth; NULL or "" = none */
	const struct header *cookies; size_t n_cookies;
	const char *cookie;             /* value of that header, made of cookies; NULL or "" = none */
	int follow;                     /* redirects that are followed, within the origin; 0 */
	bool http2;
	const char *const *secrets; size_t n_secrets, room_secrets;     /* no evidence may hold one of these */
	const struct header *headers; size_t n_headers;
	enum severity severity;
	bool writes, reads, idle, compare;      /* reads: unsafe methods that change nothing; compare: only a path was given (B1.7) */
	struct compare_config against;
	const char *control_path;       /* "" = made from path (B1.5) */
	const char *const *expect; size_t n_expect;   /* assertion lines as written */
	const int *expect_line, *expect_col;          /* where they stand, for errors found when they are compiled... */
	const char *expect_quote;                     /* ...and in which quotes, '\0' = in none; NULL = not told */
	struct probe_rule rule;
	/* Of the kind that has this name; NULL for every other. */
	const struct assets_config *assets;
	const struct steps_config *steps;
	uint64_t fingerprint;           /* of everything above but the pace: "its probe has changed" (B2) */
};

struct proxy_config {
	const char *name;               /* "haproxy", or "haproxy-2" where several share a type */
	const char *type;               /* "haproxy", "agent" */
	const char *socket;             /* path of the stats socket, or host:port */
	const char *map;                /* absolute path of SERVICE.map */
	const char *paths;              /* absolute path of SERVICE.paths */
	const char *front;              /* URL to ask this proxy; "" = the service's front */
	const char *backend[2];         /* names of the proxy's backends; default SERVICE-blue, SERVICE-green */
	const char *shield_backend;     /* default SERVICE-shield */
};

struct identity_config {                /* gates: identity: */
	bool on;
	const char *path;
	const char *const *expect; size_t n_expect;   /* "{{release}}" stands for the announced release, "{{digest}}" for its digest */
	const int *expect_line, *expect_col;
	const char *expect_quote;
};

struct command_config {         /* gates: command: */
	const char *const *exec; size_t n_exec;       /* an absolute path, then its arguments; 0 = not configured */
	int64_t timeout_ms;
};
/* Where routes are listed: one row of `inventory:`. */
enum inventory_kind { INV_OPENAPI, INV_SITEMAP, INV_LINKS, INV_ROUTES, INV_LOG, N_INVENTORY_KINDS };
enum { MAX_INVENTORY = 16 };            /* sources of one service */
struct inventory_source {
	enum inventory_kind kind;
	const char *where;              /* a path; of log a file */
	const char *pick;               /* links: XPath; routes: jsonpath; "" else */
	int top;                        /* log */
	bool ask;                       /* each route once, for status and shape */
	int line, col;                  /* of pick, for errors found when it is compiled */
};
const char *inventory_kind_name(enum inventory_kind);   /* "openapi", as in the config */

struct service_config {
	const char *name;
	const char *front;              /* URL; "" = none: nothing is observed */
	struct target front_target;     /* parsed */
	struct tls_config front_tls;    /* how https fronts are asked */
	bool http2;                     /* of what is asked beside the features: identity */
	struct slot_config slot[2];
	const struct proxy_config *proxies; size_t n_proxies;
	const struct feature *features; size_t n_features;
	bool default_feature;           /* no features: key; the one feature is "/" and every status says so */
	enum slot initial;              /* NO_SLOT = not told */
	enum run_mode mode;
	enum rollback_policy rollback;
	bool shield, auto_promote;      /* shield: bake | off */
	bool offline_rollback;          /* offline: rollback | static; static by itself with a proxy that an agent drives */
	int64_t bake_ms, drain_ms, prove_timeout_ms, ready_timeout_ms, flip_timeout_ms, claim_ttl_ms;
	int64_t rollback_window_ms;     /* INT64_MAX = forever */
	int64_t unknown_limit_ms, unknown_limit_bake_ms;
	int64_t recheck_ms[MAX_RECHECKS]; size_t n_recheck;     /* after a bake the suite runs again: ascending */
	int64_t budget_per_ms; int budget_max;
	int max_rate, observe;          /* probes a second on one target; answers in a row that count as observed */
	struct identity_config identity;
	struct command_config command;
	const char *const *require; size_t n_require; /* gates that must pass: not checked is refused */
	int64_t tests_age_ms;           /* gates: age: ; 0 = any */
	const char *manifest_path;      /* where a target tells its own manifest; "" = nowhere */
	const struct inventory_source *inventory; size_t n_inventory;
	const struct header *headers; size_t n_headers;         /* of the service and the defaults: of what is asked for the inventory */
	struct target reference; bool has_reference;
	uint64_t fingerprint;
	int line;
	bool for_agent;                 /* config_load_for(CONFIG_AGENT): proxies, and what they need of the rest */
};

struct redis_node { const char *host; uint16_t port; };

struct redis_config {
	bool embedded;                  /* no state: key */
	const char *host; uint16_t port;        /* redis://host:port/db; "" with sentinels */
	const struct redis_node *sentinels; size_t n_sentinels; /* sentinel://h1,h2/master/db */
	const char *master;             /* its name among the sentinels */
	const char *unix_path;          /* unix:/path */
	int db;
	const char *user, *password_file;       /* ACL */
	const char *sentinel_user, *sentinel_password_file;
	bool over_tls;                  /* rediss://, sentinels:// */
	struct tls_config tls;
	int replicas;                   /* so many must have a commit, else it is "at risk"; 0 = not waited for */
	const char *prefix;             /* "switchd:" */
	const char *redis_server;       /* binary of the embedded one: "redis-server" */
};

struct listen_config {
	const char *http;               /* health listener host:port; "" = off. default 127.0.0.1:7600 */
	const char *operators;          /* operator listener host:port; default 127.0.0.1:7601 */
	const char *unix_path;          /* default /run/switchd/switchd.sock */
	const char *advertise;          /* URL for operators of other hosts; "" = nowhere */
};

struct config {
	struct arena *arena;
	const char *file;
	const char *state_dir;          /* default /var/lib/switchd */
	struct listen_config listen;
	struct redis_config redis;
	const char *tokens_file;        /* "" = none */
	int64_t lease_ttl_ms;           /* 5 s */
	const char *archive;            /* directory of the archive; STATE_DIR/archive if not told */
	int64_t archive_keep_ms;        /* files of older days are removed */
	int64_t archive_bytes;          /* and the oldest ones while all are larger than this */
	bool exec_enabled;              /* probes may run programs */
	int exec_at_once;               /* so many of one service */
	bool for_agent;
	const char *agent_name;         /* "" = the host's name */
	int64_t agent_report_ms;
	const struct service_config *services; size_t n_services;
};

/* What the text may refer to: ${NAME}, an environment variable, and ${file:/path} and *_file keys, by the absolute
 * path.  NULL when there is none (then it is an error; for a file errno says why).  BORROWED until the next call.
 * base/outside.h has the real one. */
typedef const char *config_env_fn(const char *name, void *arg);

/* NULL when anything is wrong; `errors` then holds the diagnostics, ready to print
 * (warnings too, when it loads).  n_errors may be NULL.
 * The caller owns the config. */
struct config *config_load(const char *name, const char *text, size_t len,
			   config_env_fn *env, void *env_arg, struct buf *errors, int *n_errors);
/* Is the store of both the same, reached in the same way? */
bool config_same_state(const struct config *, const struct config *);
/* The same for either role of the daemon.  An agent's configuration needs the Redis of its controllers, and of each service its
 * proxies alone: slots may be there (for `proxy snippet`), of features the paths alone are taken (for the shield), and every other
 * setting of a service that is not the proxies' is passed over, with the secrets in it. */
enum config_role { CONFIG_CONTROLLER, CONFIG_AGENT };
struct config *config_load_for(enum config_role, const char *name, const char *text, size_t len,
			       config_env_fn *env, void *env_arg, struct buf *errors, int *n_errors);
void config_free(struct config **);

const struct service_config *config_service(const struct config *, const char *name);
const struct feature *config_feature(const struct service_config *, const char *name);
const char *feature_kind_name(const struct feature *);  /* "http", "tcp"... */
bool feature_is(const struct feature *, const char *kind);

/* The effective configuration as YAML (secrets are never in it), and the settings
 * as a table for the manual: name, type, default, reloadable, doc. */
void config_show(const struct config *, const char *service, struct buf *out);
void config_settings_doc(struct buf *out);

#endif
