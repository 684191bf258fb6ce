/* SPDX-License-Identifier: MIT
 * model.h - the nouns of switchd: slots, phases, versions, outcomes, the record.
 *
 * Pure data.  Words are those of docs/behaviour.md; every enum has a text table
 * (model.c) and the text is the name used in Redis, API, CLI, log and metrics.
 * All structs are plain values: copy them by assignment. */
#ifndef SWITCHD_CORE_MODEL_H
#define SWITCHD_CORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switchd/base/clock.h"
#include "switchd/base/text.h"

enum {
	MAX_FEATURES = 128,     /* of one service (state.md 2) */
	MAX_TARGETS = 64,       /* of one slot */
	MAX_PROXIES = 16,       /* local to one controller */
	MAX_MUTES = MAX_FEATURES,
	MAX_CONDEMNED = 256,
	MAX_RECENT = 16,        /* automatic rollbacks remembered for the budget */
	MAX_REQUESTS = 8,       /* request ids that a record carries: more than one store can lose of what people ask at once */
	MAX_RECHECKS = 8,       /* times at which a baked release is asked again */
	WHY_LEN = 256,          /* free text a person gives */
	TAG_LEN = 96,           /* digest */
	DECLARED_LEN = 1023,    /* what one release declares to add or remove, all of it */
	DECLARED_WORD = 127,    /* one feature or route of it */
	GATE_TEXT = 223,        /* what one gate says */
	MAX_GATES = 12,
	CLAIM_MANIFEST = 8 * 1024,      /* of the manifest that a claim keeps, as JSON */
};

typedef char name_text[NAME_MAX_LEN + 1];
typedef char id_text[ID_MAX_LEN + 1];
typedef char why_text[WHY_LEN + 1];
typedef char tag_text[TAG_LEN + 1];

enum slot { BLUE, GREEN, NO_SLOT };
static inline enum slot other_slot(enum slot s) { return s == BLUE ? GREEN : s == GREEN ? BLUE : NO_SLOT; }
const char *slot_name(enum slot);                     /* "blue" "green" "none" */
MUSTCHECK bool slot_parse(const char *, enum slot *); /* blue, green only */

/* B3.  Order is the order of the documentation. */
enum phase { PH_STEADY, PH_FILLING, PH_PROVING, PH_READY, PH_FLIPPING, PH_BAKING, PH_REVERTING, PH_STUCK, N_PHASES };
const char *phase_name(enum phase);
MUSTCHECK bool phase_parse(const char *, enum phase *);

/* B4: observe writes no proxy, gate does everything but the automatic rollback. */
enum run_mode { MODE_OBSERVE, MODE_GATE, MODE_ENFORCE };
const char *run_mode_name(enum run_mode);

enum severity { SEV_CRITICAL, SEV_WARN };
enum rollback_policy { RB_AUTO, RB_ASK, RB_NEVER };
const char *rollback_policy_name(enum rollback_policy);

/* The version of a record: lexicographic; gen is the number of the store's history
 * (state.md D2), epoch grows with each commit that changes what a proxy must show. */
struct version { uint64_t gen, epoch; };
static inline int version_cmp(struct version a, struct version b)
{
	return a.gen != b.gen ? (a.gen < b.gen ? -1 : 1) : a.epoch != b.epoch ? (a.epoch < b.epoch ? -1 : 1) : 0;
}
#define VERSION_TEXT 44
const char *version_text(struct version, char out[VERSION_TEXT]);  /* "1795333451.42" */
MUSTCHECK bool version_parse(const char *, struct version *);

/* What a proxy is asked to show (haproxy.md): "<slot>:<gen>.<epoch>:<plain|shield>". */
struct proxy_value {
	enum slot slot;
	struct version v;
	bool shield;
	bool pin;               /* green:pin.<unix seconds>:plain, written by a person (B5.6); v.epoch = seconds, v.gen = 0 */
};
#define PROXY_VALUE_TEXT 80
const char *proxy_value_text(const struct proxy_value *, char out[PROXY_VALUE_TEXT]);
MUSTCHECK bool proxy_value_parse(const char *, struct proxy_value *);
/* Slot, version, shield and pin. */
bool proxy_value_same(const struct proxy_value *, const struct proxy_value *);

/* Verdict of a feature on a slot, after hysteresis (B1.3). */
enum verdict { V_UNKNOWN, V_PRESENT, V_ABSENT, V_PARTIAL };
const char *verdict_name(enum verdict);

/* B2. */
enum compared { CMP_UNKNOWN, CMP_SAME, CMP_LOST, CMP_GAINED, CMP_BROKEN_BOTH, CMP_NEW };
const char *compared_name(enum compared);

/* Where a release stands in its slot. */
enum release_state {
	RS_EMPTY,       /* no release known (claimed, first start, idle slot) */
	RS_ANNOUNCED,   /* deployed, being proved */
	RS_REFUSED, RS_ABORTED,
	RS_PROVED,      /* whole, but never active */
	RS_LIVE,        /* active and not yet baked */
	RS_GOOD,        /* baked, or active before the present one, or proved again after having been so */
	RS_LEFT,        /* left by a rollback: condemned, or reverted */
	N_RELEASE_STATES
};
const char *release_state_name(enum release_state);
MUSTCHECK bool release_state_parse(const char *, enum release_state *);

/* Features, or routes from their slash on, that a release declares: words joined by one blank. "/old/" with a star at
 * its end covers everything below. */
struct declared { char text[DECLARED_LEN + 1]; };
bool declared_word_ok(const char *);                            /* a feature's name, or a route */
MUSTCHECK bool declared_add(struct declared *, const char *);   /* false: no room; there already is fine */
void declared_drop(struct declared *, const char *);
bool declared_has(const struct declared *, const char *);       /* named, or covered by a star */
/* The next word; *at begins as 0.  False: there is no more. */
bool declared_next(const struct declared *, size_t *at, char out[DECLARED_WORD + 1]);

struct release {
	id_text id;             /* "" = none */
	tag_text digest;        /* "" = not told */
	enum release_state state;
	bool was_good;          /* has been active and good at some time (rollback target, B3) */
	bool own_rollback;      /* its deploy said how it may be put back; else the config says */
	enum rollback_policy rollback;
	wall_ms arrived;        /* when it was deployed here: "disappeared" counts from here */
	bool manifest;          /* a manifest was read for it; what follows is of that, "" = not told */
	tag_text commit, builder, builder_version, lockfile;
	struct declared adds, removes;
	struct declared without;        /* not expected of it: what it removes, and what releases baked before it removed */
};

struct claim {
	id_text id, by, release;        /* id "" = none */
	enum slot slot;
	wall_ms since, until;
	char manifest[CLAIM_MANIFEST + 1];      /* that came with it, as JSON: for the deploy that brings none; "" = none */
};

enum deploy_stop { STOP_NONE, STOP_READY };       /* --wait=ready stops before the flip */
enum deploy_outcome { DO_RUNNING, DO_READY, DO_BAKED, DO_REFUSED, DO_ROLLED_BACK, DO_ABORTED, DO_STUCK, DO_WOULD_FLIP, DO_WOULD_REFUSE, DO_EXPIRED, N_DEPLOY_OUTCOMES };
const char *deploy_outcome_name(enum deploy_outcome);
MUSTCHECK bool deploy_outcome_parse(const char *, enum deploy_outcome *);

struct deploy {
	uint64_t id;            /* 0 = none yet; grows by one per deploy of the service */
	id_text release, by;
	enum slot slot;
	enum deploy_stop stop;
	enum deploy_outcome outcome;
	enum rollback_policy rollback;
	tag_text skip;          /* gates that a person set aside: names joined by commas, "" = none */
	bool prolonged;         /* the bake was prolonged once because the shield still caught (haproxy.md) */
	wall_ms since, ended;
	why_text reason;        /* of the outcome */
};

struct hold { bool on; id_text by; why_text why; wall_ms since, until; };   /* until 0 = until resume */
struct sealed { bool on; id_text by; why_text why; wall_ms since; };
struct pin { bool on; enum slot slot; wall_ms since; name_text proxy; };
struct mute { name_text feature; id_text by; why_text why; wall_ms until; };
struct condemned { id_text release; tag_text digest; wall_ms since; id_text by; why_text why; };

/* What a gate says of a release (core/decide/gates.h).  unproven: it passed, and something of it could not be shown to be able
 * to fail; not_checked: nothing was there to check it with.  Neither is ever a pass. */
enum gate_result { GR_NOT_CHECKED, GR_PASS, GR_REFUSE, GR_SKIPPED, GR_UNPROVEN, GR_WAITING, N_GATE_RESULTS };
const char *gate_result_name(enum gate_result);
MUSTCHECK bool gate_result_parse(const char *, enum gate_result *);
struct gate_said { name_text name; enum gate_result result; char text[GATE_TEXT + 1]; };

/* The last move of traffic. */
enum move_mode { MOVE_NOTE, MOVE_AUTO, MOVE_FORWARD, MOVE_BACK, MOVE_FORCE };  /* NOTE: traffic does not move */
const char *move_mode_name(enum move_mode);
MUSTCHECK bool move_mode_parse(const char *, enum move_mode *);

struct move {
	enum move_mode mode;
	enum slot from, to;
	bool undone;            /* the one automatic move back of this forward move was spent (I8) */
	wall_ms decided, acked, observed;   /* 0 = not yet; acked with observed 0 in steady = "acked, not observed" */
	int64_t acked_us, observed_us;      /* after decided, measured on one clock by the process that decided; -1 unknown */
	id_text by;
	why_text reason;
};

/* There and back on purpose. While it is on, what a move leaves behind is not judged as a release's fault, and the way back
 * is part of the order; once it has ended the move before it stands again, so that a drill disarms nothing. */
struct drill {
	bool on, turned;        /* turned: it went back because it had been there; else `how` says why it ended */
	id_text by;
	wall_ms since, ended;   /* since 0 = there never was one */
	enum slot home;         /* the slot that was active, and is again */
	int64_t out_acked_us, out_observed_us, back_acked_us, back_observed_us;         /* after the decision; -1 = not known */
	why_text how;
	struct move before;
};

/* The record of one service: what Redis holds, and nothing that is measured. */
struct record {
	struct version v;
	uint64_t rev;           /* grows with every commit on this record */
	id_text cid;            /* request id of the last commit: its identity (D2) */
	enum slot active;       /* NO_SLOT only before the first flip or deploy */
	bool shield;
	enum phase phase;
	wall_ms phase_since, phase_until;   /* until 0 = no deadline */
	struct release slot[2];
	struct claim claim;
	struct deploy deploy;
	struct hold hold;
	struct sealed sealed;
	struct pin pin;
	struct move move;
	struct drill drill;     /* the last one */
	wall_ms recent[MAX_RECENT]; size_t n_recent;   /* automatic rollbacks, oldest first (budget) */
	struct mute mutes[MAX_MUTES]; size_t n_mutes;
	struct gate_said gates[MAX_GATES]; size_t n_gates;      /* of the deploy above */
	id_text requests[MAX_REQUESTS]; size_t n_requests;      /* that were done last, oldest first: where the record is put back, so are they */
};
/* Was this request done on it, as far as it tells? */
bool record_did(const struct record *, const char *request);
void record_done(struct record *, const char *request);         /* the oldest gives way */

/* Kept beside the record: key x:<svc>. */
struct condemned_set { struct condemned list[MAX_CONDEMNED]; size_t n; };
const struct condemned *condemned_find(const struct condemned_set *, const char *release, const char *digest);

/* Everything that happens has one event, committed with the state (house 12). */
#define EVENT_KIND_LEN 31
struct event {
	char kind[EVENT_KIND_LEN + 1];      /* "flip.decided", "gate.refused", "feature.lost"... (interface.md 4) */
	name_text service;
	wall_ms at;
	id_text by;                         /* "switchd" for automation */
	struct version from_v, to_v;
	enum slot from, to;                 /* slots before and after */
	id_text release;                    /* the release it is about, or "" */
	uint64_t deploy;                    /* 0 = none */
	const char *because;                /* the because column: static text; copied where kept */
	char detail[1024];                  /* what in particular, for people */
	char evidence[6144];                /* one JSON object, or "" */
	char stream_id[44];                 /* "<gen>-<seq>" once committed */
};

#endif
