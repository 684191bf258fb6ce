/* SPDX-License-Identifier: MIT
 * cli.h - one verb table, one set of flags, one way to ask the daemon and to say what came back.
 *
 * switchctl has no powers of its own: verbs speak HTTP to the API, except those of local.c, which
 * work with the daemon dead.  stdout carries the answer (a table, or one JSON object), stderr
 * carries progress, prompts and errors.  Exit codes are stable (docs/cli.md). */
#ifndef SWITCHD_CLI_CLI_H
#define SWITCHD_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "switchd/base/buf.h"
#include "switchd/base/clock.h"
#include "switchd/base/must.h"

enum exit_code {
	EX_DONE = 0, EX_INTERNAL = 1, EX_USAGE_ERROR = 2,
	EX_REFUSED = 10,        /* traffic never moved */
	EX_ROLLED_BACK = 11,    /* the old slot serves */
	EX_HUMAN = 12,          /* a rollback failed, or no safe slot */
	EX_UNKNOWN = 13,        /* timeout, or still running: ask again */
	EX_HELD = 14,           /* held or locked */
	EX_EPOCH = 15,          /* the version moved (--if-epoch) */
	EX_UNREACHABLE = 16,    /* daemon or state */
	EX_DETACHED = 130,
};

enum output { FMT_TABLE, FMT_JSON, FMT_MD, FMT_NAGIOS, FMT_HTML, FMT_CSV };

/* Flags, as a set per verb: a flag that a verb does not take is an error. */
enum {
	F_RELEASE = 1 << 0, F_SLOT = 1 << 1, F_TO = 1 << 2, F_CLAIM = 1 << 3, F_DIGEST = 1 << 4, F_WAIT = 1 << 5, F_LOCK_WAIT = 1 << 6,
	F_FORCE = 1 << 7, F_FOR = 1 << 8, F_POLICY = 1 << 9, F_IS = 1 << 10, F_MAX = 1 << 11, F_DEPLOY = 1 << 12, F_DIRECT = 1 << 13,
	F_FRONT = 1 << 14, F_BLUE = 1 << 15, F_GREEN = 1 << 16, F_ON_CANCEL = 1 << 17, F_BIND = 1 << 18, F_WATCH = 1 << 19,
	F_MESSAGE = 1 << 20, F_DRY_RUN = 1 << 21, F_IF_EPOCH = 1 << 22, F_FEATURE = 1 << 23, F_LAST = 1 << 24, F_SINCE = 1 << 25,
	F_RID = 1 << 26, F_RENEW = 1 << 27, F_PROVE = 1 << 28,
	F_REPORT = 1 << 30,     /* a post-mortem: its end, and the archive to read it from */
	F_CONVERGED = (int)(1u << 31),  /* how many proxies must show it */
	F_GATES = 1 << 29,      /* a manifest, and gates set aside: of orders that are asked of the gates */
};

struct cli {
	/* global */
	const char *url, *token_file, *config;  /* url: the one that is asked; several with commas before the first is */
	const char *urls; char url_now[256];    /* client.c */
	enum output output;
	bool quiet, verbose, no_color, no_input, yes, color, utf8;
	int64_t timeout_ms;             /* 0 = the verb's own */
	/* verb flags */
	const char *release, *slot, *to, *claim, *digest, *wait, *message, *for_text, *policy, *is, *if_epoch, *front, *blue, *green,
		*on_cancel, *bind, *feature[32], *since, *until, *archive, *rid, *manifest, *converged, *skip[16];
	size_t n_features, n_skips;
	char *manifest_text;            /* once it was read */
	int64_t lock_wait_ms, max, deploy;
	bool force, direct, watch, dry_run, last, renew, prove, help, version, words_given;
	/* words after the verb, and the command after -- */
	const char *words[32]; size_t n_words;
	char **command; bool empty_command;     /* NULL = none */
	/* resolved */
	char service[64], feature_word[64];
	const struct verb *verb;
	/* said */
	bool json_said;                 /* with --json, stdout has its one object */
	char trouble[512];              /* the first complaint: it is in that object when a verb had none of its own */
	char rid_made[40];              /* the request id of this run, when none was given */
	char step[16];                  /* what of several things this run is asking for; "" = the one it is about */
};

struct flag { const char *name; int val; unsigned set; const char *arg, *doc; };
extern const struct flag cli_flags[];
extern const size_t cli_n_flags;
#define DEFAULT_URL "unix:/run/switchd/switchd.sock"


typedef int verb_fn(struct cli *);

struct verb {
	const char *name, *words;       /* "flip", "[SERVICE]" */
	unsigned flags;
	verb_fn *run;
	bool local;                     /* works with the daemon dead */
	const char *doc, *examples;
};
const struct verb *cli_verbs(size_t *n);
const struct verb *cli_verb(const char *name);  /* NULL = none of that name */
int cli_help(const struct verb *, FILE *to);
MUSTCHECK int cli_parse(struct cli *, int argc, char **argv);   /* EX_DONE, or it has said what is wrong */
int cli_main(int argc, char **argv);
void cli_verbs_doc(struct buf *out);    /* markdown, for docs/cli.md */

/* ---- client.c: one request, one answer ---- */
struct answer {
	bool reached;                   /* false: nobody answered; error says why */
	bool sent;                      /* it may have been read: what it asked for may have been done */
	long status;
	json_t *json;                   /* NULL when it is not JSON */
	struct buf body;
	char location[256], error[256];
};
/* body may be NULL (it is lent).  timeout_ms 0 = 10 s.  Every mutation has a request id: --request-id, or one made here. */
void client_ask(struct cli *, const char *method, const char *path, json_t *body, int64_t timeout_ms, struct answer *);
void answer_free(struct answer *);
const char *client_rid(struct cli *);   /* the request id of this run */

/* ---- say.c: words for people, and the one object for programs ---- */
/* "switchctl: ..." on stderr; the first one is remembered for --json. */
PRINTF(2, 3) void complain(struct cli *, const char *fmt, ...);
PRINTF(3, 4) void hint(struct cli *, const char *label, const char *fmt, ...);   /* "  next    ..." on stderr */
/* Prints the error of an answer in the form of the field (what, now, next) and gives its exit code. */
int say_error(struct cli *, const char *what, const struct answer *);
int say_unreachable(struct cli *, const struct answer *);
int say_failed(struct cli *, const char *what, const struct answer *);  /* whichever of the two it is */
void say_json(struct cli *, const json_t *);
void say_end(struct cli *, int exit_code);              /* --json and nothing printed yet: says how it ended */
const char *outcome_word(int exit_code);
enum ink { INK_PLAIN, INK_BOLD, INK_RED, INK_GREEN, INK_YELLOW };
const char *ink(const struct cli *, enum ink);  /* "" without colour */
const char *mark(const struct cli *, const char *verdict);
const char *us_text(int64_t us, char out[32]);  /* "0.3ms" */
const char *jstr(const json_t *o, const char *key);     /* "" when it is not a string */
int64_t jint(const json_t *o, const char *key);         /* 0 when it is not an integer */
bool jbool(const json_t *o, const char *key);

struct libscols_table;
struct table { struct libscols_table *t; size_t cols; };
struct table table_new(const struct cli *, const char *const *names, size_t n);
void table_row(struct table *, const char *const *cells, const char *colour, size_t coloured);
void table_print(struct table *);

/* ---- fleet.c ---- */
MUSTCHECK bool fleet_goal_ok(const char *);
void fleet_text(const json_t *status, char *out, size_t size);
int fleet_wait(struct cli *);           /* --converged; the exit code */
void say_fleet(struct cli *, const json_t *status);
void say_risk(struct cli *, const json_t *answer);

/* ---- say_status.c, say_story.c ---- */
void say_status(struct cli *, const json_t *status);
void say_probe(struct cli *, const json_t *features);
int say_prove(struct cli *, const json_t *proof);         /* say_prove.c; the exit code.  With --json it says nothing */
void say_move(const json_t *move, FILE *to);    /* from, to, and its three times */
void say_timeline(struct cli *, const json_t *timeline);
void say_why(struct cli *, const json_t *why);
void say_evidence(struct cli *, const json_t *evidence);
void say_event(struct cli *, const json_t *event, int64_t since_ms);

/* ---- doctor.c ---- */
int say_doctor(struct cli *, const json_t *found);       /* the exit code; with --json it says nothing */

/* ---- say_gates.c ---- */
void say_gates(const struct cli *, const json_t *gates, FILE *to);      /* one a line */
void say_gates_line(const struct cli *, const json_t *gates);           /* all in one, for status */
/* At most MANIFEST_MAX_TEXT bytes of a file, or of stdin for "-".  False: why says what is wrong, and *out is empty. */
MUSTCHECK bool manifest_slurp(const char *file, struct buf *out, char *why, size_t why_size);
MUSTCHECK int manifest_put(struct cli *, json_t *body);  /* --manifest; EX_DONE, or it has said what is wrong */
void skip_put(const struct cli *, json_t *body);         /* --skip-gate */

/* ---- orders.c ---- */
int order_said(struct cli *, const char *done, const struct answer *);    /* what came of a mutation; the exit code */

/* ---- postmortem.c ---- */
bool wants_report(const struct cli *);                   /* timeline: a span, in a form for people or programs */
int timeline_report(struct cli *);

/* ---- cli.c ---- */
PRINTF(2, 3) int usage_error(struct cli *, const char *fmt, ...);
/* The service: the word given, or the only one there is.  Needs the daemon when no word was given. */
MUSTCHECK bool cli_service(struct cli *, int *exit_code);
MUSTCHECK bool cli_duration(const char *text, int64_t *ms);
MUSTCHECK bool cli_when(const char *text, wall_ms *out);        /* "2h" ago, or "2026-11-22T03:00:00Z" */
MUSTCHECK bool cli_confirm(struct cli *, const char *question, const char *type_this, int *exit_code);

/* Verbs: look.c, orders.c, deploy.c, init.c, local.c */
verb_fn verb_blame, verb_report, verb_drill;
verb_fn verb_status, verb_why, verb_timeline, verb_evidence, verb_events, verb_deploys, verb_metrics;
verb_fn verb_claim, verb_unclaim, verb_deploy, verb_abort;
verb_fn verb_flip, verb_rollback, verb_hold, verb_resume, verb_seal, verb_unseal, verb_pardon, verb_mute, verb_unmute, verb_note;
verb_fn verb_probe, verb_active, verb_init, verb_proxy, verb_config, verb_version, verb_help, verb_manifest;
verb_fn verb_agents;
verb_fn verb_inventory, verb_discover, verb_import, verb_state, verb_doctor;

#endif
