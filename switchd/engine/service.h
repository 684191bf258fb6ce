/* SPDX-License-Identifier: MIT
 * service.h - one service inside the engine.  Only engine/ includes this.
 *
 * line.c     orders in line;  service.c  one turn: an input, decide, commit
 * commit.c   one commit in flight;  adopt.c  it is the truth: perform, publish;  load.c  the store comes and goes
 * measure.c  probes -> health; baselines, evidence;  measure_control.c  negative controls;  measure_compare.c  old against new;  prove.c  probes against stubs
 * traffic.c  what each proxy shows: apply, acknowledge, poll, pins;  front.c  observed through its front;  shield.c  caught;  drain.c  cut
 * targets.c  slots whose addresses change: read at claim and deploy, kept in state_dir
 * gates.c    what gates need: the slot's own manifest, the command
 * inventory.c both slots' routes compared
 * report.c   a span in numbers, and what of it was watched
 * ledger.c   what was seen of each release;  recheck.c  the suite again, late;  export.c  events into the archive;  lost.c  gone with a store
 * requests.c answers that went wrong over a move, by the proxies' counters
 * trust.c    what another hand wrote into the store;  repair.c  a person has it written over;  doctor.c  what we stand on;  upgrade.c  a newer schema
 * state_out.c, state_in.c  the store as a document, and back
 * changes.c  verdict changes, told as they happen;  story.c  what a post-mortem is made of
 * view.c     JSON and metrics;   publish.c  events out;   engine.c  wiring, start, reload, stop */
#ifndef SWITCHD_ENGINE_SERVICE_H
#define SWITCHD_ENGINE_SERVICE_H

#include <ev.h>
#include <sys/queue.h>

#include "probes/schedule.h"
#include "switchd/base/log.h"
#include "switchd/base/version.h"
#include "switchd/core/fleet.h"
#include "switchd/core/recheck.h"
#include "switchd/core/story/ledger.h"
#include "switchd/engine/engine.h"
#include "switchd/io/child.h"
#include "switchd/proxy/agent.h"
#include "switchd/proxy/proxy.h"
#include "switchd/proxy/reconcile.h"
#include "switchd/store/archive.h"
#include "switchd/store/embedded.h"
#include "switchd/store/journal.h"
#include "switchd/store/roster.h"
#include "switchd/store/follow.h"
#include "switchd/store/store.h"

enum {
	MAX_ORDERS = 64,        /* waiting in line at one service */
	MAX_EVENTS_KEPT = 256,  /* in memory, of all services, for SSE resume and while the store is away */
	KEPT_DEPLOYS = 40,      /* across restarts: in KEPT_BYTES; what the gates of the oldest said gives way, not their results */
	KEPT_BYTES = 31 * 1024,
	MAX_PENDING = 16,       /* events decided while the store is away; the last one takes the place of more */
	MAX_RIDS = 64,          /* answers remembered for a repeated request id */
	POLL_PROXY_MS = 200,    /* haproxy.md: pid and uptime every 200 ms */
	HEARTBEAT_MS = 250,     /* the engine's own tick: gaps, timers in wall time */
	GAP_MS = 2000,          /* B1.8 */
	REFERENCE_MS = 1000,
	MAX_WATCHED = 128,      /* times without a break that are remembered: 128 restarts */
	CONTROL_EVERY_MS = 3600 * 1000,
	CONTROL_FIRST_MS = 60 * 1000,
};

struct order {
	struct input input;
	id_text rid;
	bool has_match, checked;        /* checked: a claim whose slots were just asked again */
	struct version match;
	order_done_fn *done;
	void *arg;
	struct order *next;
	struct engine *e; name_text service;    /* looked up again at the loop's next turn: a reload may have taken it away */
	struct manifest *manifest, *claimed; char *manifest_error;      /* the input points to them */
	bool preflighted;               /* the proxies were asked for this order */
	bool answered; struct order_result result;      /* of a remembered or impossible order */
	ev_timer soon; LIST_ENTRY(order) in_soon;       /* until the loop's next turn */
	bool addressed; enum slot addressed_slot; char addresses[200]; /* the slot's source was read for it: what changed */
};

/* The service's config with the addresses that its slots have now: the config's own, or those that were read last. */
struct frozen { const char *lines, *from; wall_ms at; };        /* lines NULL: nothing was ever read */
struct in_force {
	struct arena *arena;
	struct service_config cfg;
	struct frozen frozen[2];
	char shared[400];               /* an address that is in both slots; "" = none */
};

/* One local proxy of a service. */
struct px {
	struct service *s;
	struct proxy *proxy;
	const struct proxy_config *cfg;
	size_t index;
	/* the value that must be shown */
	struct proxy_value want;
	bool has_want, applying, again; /* again: want changed while applying */
	struct log_last warned;
	bool overtaken;                 /* a way back overtook an apply under way: two answers are to come */
	struct reconcile rc;            /* told, acknowledged, put right (B5.6) */
	/* observed through the front */
	int in_a_row; bool observed, observing; mono_us observed_at;
	mono_us next_observe;
	bool stamps, stamp_known;       /* one complete answer tells whether the front stamps */
	bool front_answers;             /* the last answer through the front was a complete one */
	enum slot front_slot;           /* the slot of the value that its last stamp told; NO_SLOT: none yet */
	/* what it says */
	bool socket_down, known; enum proxy_result last; char detail[256];
	bool has_value; struct proxy_value value; bool durable;
	int64_t us;
	bool polling, first_poll_done; mono_us next_poll;
	enum proxy_order order;
	ev_timer reobserve;
	/* a higher version than ours is outbid, each time later than the last (R11): once is a store that lost something */
	mono_us newer_at; int64_t newer_ms;
	bool refused; char refused_why[160];
	/* preflight of the forward flip in question */
	bool pre_asked, pre_done, pre_ok; char pre_why[160]; int servers_up, servers_all;
	/* shield */
	/* HAProxy's counters as last read, by the slot that was active */
	bool shield_known[2], shield_asking; uint64_t caught0[2], missed0[2]; enum slot shield_slot, up_slot; mono_us shield_until, caught_rise, next_shield;
	uint64_t caught;
	bool cutting;
	ev_timer cut; enum slot cut_slot;
};

/* What the store holds of the service and we do not take (trust.c). */
struct refused_value { bool on, foreign, known; char why[256]; wall_ms since; struct version v; uint64_t rev; id_text cid; };

struct cell_control { bool pending, asking, done, vacuous; };

/* What the negative control said last of a feature. */
struct feature_control { enum { CONTROL_NEVER, CONTROL_NOTICED, CONTROL_VACUOUS } said; wall_ms at; enum slot slot; };

struct feature_evidence { struct kept_evidence *absent, *present; };      /* last absent; last present before it */

/* Of one feature on one slot, since counts_since. */
struct feature_count { uint64_t probes, absents, lost; };

/* A time without a break in which this service was measured; the last one grows. */
struct watched { wall_ms from, to; char why[32]; /* what was before it */ };

/* An agent as this service knows it (fleet.c). */
struct fleet_agent {
	id_text name;
	char state[16], why[200];       /* its own word */
	bool has_value; struct proxy_value value;       /* what its proxies show */
	struct version told; id_text cid;       /* the newest version that it heard of, and by which request */
	id_text condemned[FLEET_CONDEMNED]; size_t n_condemned;  /* releases that it saw condemned */
	struct version reached; int64_t reached_us;     /* the newest version that it showed, and when, by the clock of Redis */
	int64_t word_us;                /* the stamp of that word */
	mono_us heard;
	struct agent_word word;
};
struct fleet { struct fleet_agent *agents; size_t n, cap; };    /* by name */

enum round { ROUND_NONE, ROUND_ACTIVE, ROUND_IDLE };

struct service {
	struct engine *e;
	const struct service_config *cfg;       /* &in_force->cfg */
	const struct service_config *told;      /* as the config has it; both live side by side */
	struct in_force *in_force;
	TAILQ_HEAD(, reading) readings;
	char target_why[2][300]; mono_us target_next[2];        /* why the last reading failed, "" ; the next one in the background */
	/* the committed truth */
	struct record rec;
	struct condemned_set condemned; uint64_t condemned_gen;         /* generation of the store that said so; 0: the journal did */
	struct refused_value bad;
	bool repairing;
	bool doubt;                     /* what was read is not ours; it is looked at once more */
	bool sure, looking; char mark[41];      /* sure: since we lead we have seen its record; mark: of what stood there when it was good */
	id_text own_rids[4]; unsigned own_rid;  /* of the last commits */
	bool reload_again;
	bool baselines_stale;           /* another controller led: those in the store are newer than ours */
	bool loaded, loading, fresh_start;      /* fresh_start: IN_START still to be decided */
	struct input start;             /* what a first start found */
	/* the store is away: the record is ahead of it */
	id_text pending_cid;            /* of what was decided alone, when the record is another's by now */
	bool overruled;                 /* another controller led meanwhile: what was decided alone is only told */
	bool pending; struct version pending_base; uint64_t pending_base_rev; enum move_mode pending_mode;
	bool replaying; struct condemned pending_condemn;
	struct event *pending_events; size_t n_pending;  /* what was decided meanwhile, oldest first */
	char *because[MAX_PENDING];     /* texts of those read from the journal */
	/* deciding */
	struct order *first, *last;     /* waiting orders */
	struct order *current;          /* whose commit is in flight */
	TAILQ_HEAD(, unrisked) unrisked;        /* committed, answered when it is known what replicas have (risk.c) */
	const struct order *asked;      /* while its event is written */
	struct gate_said order_gates[MAX_GATES]; size_t n_order_gates;  /* what it was told */
	struct inventories *inventories;
	struct gate_facts gates; struct manifest own_manifest;          /* of the deploy being proved (gates.c) */
	bool own_asking; size_t own_target; mono_us own_next;
	struct child *command;
	bool committing, ticking, dirty;
	struct decision *d;             /* of the commit in flight */
	struct input *di;
	id_text rid;
	mono_us decided_at;
	char said[160 + 512];           /* last alarm without a commit: not said again until it changes */
	char seen_saved[2][2 * MAX_FEATURES]; mono_us next_seen;       /* what is kept of B2's "seen present", a restart must not forget it */
	mono_us next_note;              /* verdict changes are written at most once a second (D12) */
	bool note_wanted;
	/* times on this process's clock */
	bool journal_due; ev_timer journal_timer; struct condemned journal_condemn; id_text journal_pardon;
	mono_us loaded_at;              /* the last moment with a record in hand */
	mono_us since_flip, phase_entered, whole_since, broken_both_since, bake_counted;
	int64_t bake_stood_us;
	bool deploys_dirty, deploys_known, front_was_down;      /* known: the store's list was read */
	enum phase last_phase;
	/* measuring */
	struct health *health;
	struct health_view *view;
	struct view_rules rules;
	struct probe_runner *runner;
	struct schedule *sched;
	bool started;
	struct cell_control *control;   /* [target][feature] of the idle slot */
	size_t control_targets; enum slot control_slot; bool controlling, control_done; int vacuous; name_text vacuous_name;
	struct feature_control *controls;       /* [feature] */
	bool unproven[MAX_FEATURES];    /* its kind has no negative control (probe_unproven) */
	mono_us next_control;
	struct compare_round *compare;
	struct feature_evidence *evidence;      /* [slot][feature], identity last */
	enum verdict *last_verdict;             /* [slot, its targets][feature]: what was last told */
	uint64_t *probes_by_outcome;            /* [N_OUTCOMES] */
	bool asking_reference; mono_us next_reference;
	mono_us last_fresh, last_front, last_caught, born;
	bool asking_identity, identity_asked;   /* before a first start: which release the slot says it runs */
	/* exposure of the last bad release: when it was first seen bad */
	mono_us first_bad; int64_t exposed_ms;
	struct counting *counting; char *counted_evidence;      /* requests.c */
	struct changes *changes;        /* of verdicts, as they were told */
	/* for the report: what was watched, and what came of single probes */
	struct watched watched[MAX_WATCHED]; size_t n_watched;
	bool watched_loaded, watched_asked, watching; mono_us next_watched;
	char unwatched[32];             /* why nobody watches now */
	struct feature_count *counts; wall_ms counts_since;     /* [slot][feature] */
	/* the ledger */
	struct ledger *ledger;
	bool ledger_loaded, ledger_readonly;    /* readonly: what the store holds is not understood, and is left alone */
	int ledger_reading; unsigned ledger_bad;
	json_t *brought; uint64_t brought_by;   /* a deploy's manifest that the ledger has not taken yet, or NULL */
	mono_us next_ledger;
	/* the suite again */
	enum round round;
	mono_us round_began, round_until;
	bool round_claim, round_late;
	int round_done; enum slot round_of; id_text round_release;     /* after a bake: of which release */
	char round_vacuous[96];
	struct order *claims;           /* they wait for the round */
	char *late_evidence;
	bool replay[MAX_FEATURES], replaying_features; mono_us replay_until;
	/* proxies */
	struct fleet fleet;
	int64_t commit_us; struct version commit_v;     /* when the last version was committed, by the clock of Redis; 0 = not known */
	struct px px[MAX_PROXIES];
	struct proxies_view pv;
	/* counters */
	uint64_t flips[2][3];                   /* [to][auto, forward/force, back] */
	uint64_t caught_total, missed_total;
	struct deploy deploys[100]; size_t n_deploys;  /* newest last */
	uint64_t deploy_epoch[100];
	json_t *deploy_gates[100];      /* as gates_json() writes them, the text may be missing; NULL = none */
	char deploy_lost[100][256]; int64_t deploy_exposed[100]; tag_text deploy_digest[100];
	struct event last_move_event;           /* for why */
	char last_because[160];
};

struct proving;         /* prove.c */
struct telling;         /* story.c */
struct changes;         /* changes.c */
struct counting;        /* requests.c */
struct kept_event { char *json; char id[44]; name_text service; };

struct engine {
	struct ev_loop *loop;
	struct config *cfg;
	struct store *store;
	struct embedded *embedded;
	struct child_room *commands;    /* of the command gates; made with the first */
	struct journal *journal;
	struct archive *archive;
	char export_id[44], export_next[44];    /* the last event in the archive; of the page under way */
	char export_seen[44];           /* the last one of them that was seen in the stream: what is written from memory comes behind it */
	bool export_known, exporting, export_full, export_asked, export_own;   /* own: what is being written comes from memory */
	int64_t export_retry_ms; mono_us next_export;
	bool export_trimmed;            /* said: the hard bound is reached */
	uint64_t export_gaps;           /* events that were trimmed before */
	uint64_t lost;                  /* acknowledged here, and gone with a store */
	size_t watch_at; mono_us next_look;     /* trust.c: the next service to be looked at */
	id_text owner;
	bool at_risk; int replicas_had; uint64_t risk_events;  /* risk.c: the last commit, as far as is known */
	bool standby;                   /* another controller leads, or led when the store was last there */
	wall_ms others_at;              /* when another controller was last seen; 0 = none is known */
	mono_us leads_since;            /* 0 = it does not lead */
	mono_us other_heard;            /* the last word of any other controller at this store */
	mono_us roster_since, next_controller_report;
	mono_us truth_asked;            /* agents have so long from then to say what they show */
	struct service **services; size_t n;
	ev_timer heartbeat; mono_us last_beat;
	ev_check check; ev_prepare turn; int64_t turn_cpu, turn_most_us; uint64_t turns_long;      /* I10 */
	mono_us turn_began; struct spread turn_wall;    /* how long it kept what came in meanwhile waiting */
	int64_t wall_ahead_ms; bool wall_known, clock_jumped; /* wall clock minus this process's own: a jump of the one does not move deadlines */
	TAILQ_HEAD(, proving) provings;
	TAILQ_HEAD(, telling) tellings;         /* story.c */
	TAILQ_HEAD(, timeline) timelines;       /* timeline.c */
	bool stopping; void (*stopped)(void *); void *stopped_arg; ev_timer stop_deadline;
	engine_watch_fn *watch; void *watch_arg;
	struct kept_event events[MAX_EVENTS_KEPT]; size_t n_events;
	uint64_t event_seq;
	bool reload_ok; char reload_error[512];
	uint64_t gaps;
	size_t orders_open;             /* asked for and not yet answered */
	LIST_HEAD(, order) soon;        /* those that wait for a fresh turn */
	mono_us down_since;             /* the store went away; 0 = it is up */
	wall_ms born;
	uint64_t rid_seq;
	struct { id_text rid; name_text service; struct order_result result; struct record record; } *answers; size_t n_answers;
};

/* service.c */
struct service *service_new(struct engine *, const struct service_config *, struct buf *errors);
void service_free(struct service **);
void service_store(struct service *, bool up);  /* the store came up, or went */
void service_order(struct service *, struct order *);   /* takes the order */
void service_input(struct service *, const struct input *);      /* an input of the world; one of a kind waits at most */
void service_tick(struct service *);            /* look again: now or at the end of this loop turn */
void service_world(struct service *, struct world *);   /* the measured world, as decide sees it */
/* Takes in_force and runner, which were made of `told`. */
void service_apply_config(struct service *, const struct service_config *told, struct in_force *, struct probe_runner *);
void service_baselines(const struct service *, const struct service_config *next, struct probe_runner *);   /* of features that did not change */
bool service_busy(const struct service *);
void service_refuse_all(struct service *, const char *why);      /* orders that waited too long for a record */
void service_abandon(struct service *);        /* the end: orders in line are answered "unknown" */
void service_stand_by(struct service *);        /* nothing is decided here any more */
void service_found(struct service *);           /* every proxy was asked once, or the store is up: decide the first start */
bool service_truth(struct service *, struct store_truth *out);

/* risk.c */
void risk_start(struct engine *);
bool risk_waits(struct service *, struct order *, const struct order_result *, uint64_t seq);   /* true: it took the order */
void risk_end(struct service *);                /* what waits is answered as it is */

/* standby.c */
void standby_start(struct engine *);
void standby_others(struct engine *, const struct agent_seen *);
MUSTCHECK bool standby_others_parse(const char *line, wall_ms *at);    /* state_dir's file: when another was last seen */
bool traffic_drives(const struct service *);    /* every proxy is driven from here, none by an agent */
void traffic_peace(struct service *);   /* whoever raised versions against ours may be back with us: no pause before the next answer */
bool standby_alone(const struct engine *);      /* no other controller is known to lead */
int standby_slower(const struct engine *);
void standby_text(const struct engine *, char *out, size_t size);       /* who leads, for who is refused */
void standby_changed(struct engine *);
store_changed_fn standby_committed;
void standby_beat(struct engine *);
void standby_service_beat(struct service *);
json_t *standby_json(const struct engine *);

/* fleet.c */
void fleet_start(struct engine *);
void fleet_away(struct engine *);
void fleet_beat(struct engine *);
void fleet_again(struct service *);
void fleet_free(struct service *);
void fleet_found(struct service *, struct store_truth *);
void fleet_counted(const struct service *, struct fleet_count *);
json_t *fleet_json(const struct service *);

/* line.c */
void order_end(struct service *, struct order *, struct order_result *);        /* answers and frees the order */
void order_refuse(struct service *, struct order *, enum refusal, const char *detail);
struct order *order_next(struct service *);
void order_put_back(struct service *, struct order *);
void order_free(struct order *);

/* targets.c */
struct in_force *in_force_next(const struct in_force *was, const struct service_config *told);     /* was may be NULL */
struct in_force *in_force_kept(const struct service *);         /* at birth, of what state_dir keeps */
void in_force_free(struct in_force **);
void targets_reloaded(struct service *);
bool targets_wanted(const struct service *, const struct order *, enum slot);
void targets_read(struct service *, struct order *, enum slot); /* takes the order; it comes back first in line, or is refused */
void targets_beat(struct service *);
void targets_abandon(struct service *);
json_t *targets_json(const struct service *, enum slot);        /* null: the config lists them */

/* commit.c */
void commit_begin(struct service *, struct order *);    /* s->d is committed; the order (or NULL) waits for it */
void commit_event(struct service *, struct decision *); /* fills what every event must carry */

/* adopt.c */
void adopt(struct service *, const struct record *now_rec, const char *stream_id);
void adopt_deploy(struct service *);
void adopt_free(struct service *);
void adopt_deploys_save(struct service *);      /* when one changed: kept across restarts */
void adopt_deploys_load(struct service *, const char *json);
bool adopt_good_before(const struct service *, const char *release, const char *digest);
void adopt_journal(struct service *, const struct condemned *, const char *pardon);      /* soon */
void adopt_journal_now(struct service *);       /* what is due */
void adopt_later(EV_P_ ev_timer *, int revents);

/* offline.c */
void offline_keep(struct service *, const struct event *);
void offline_text(const struct service *, const struct event *more, char *out, size_t size);
void offline_read(struct service *, const char *text);
struct version offline_rebased(const struct service *, const struct record *base, struct event *told);
void offline_overruled(const struct service *, const struct record *stands, struct event *told);
void offline_free(struct service *);

/* load.c */
void service_reload_record(struct service *);
void service_forget(struct service *);          /* what stands beside the record is read anew: what is remembered is of the time before */

/* trust.c */
void trust_beat(struct engine *);
bool trust_stops(const struct service *);       /* nothing is decided now */
bool trust_refuses(struct service *, const struct store_answer *);       /* of what was loaded: it must not be taken */
void trust_sent(struct service *, const char *rid);
void trust_away(struct service *);              /* we do not lead any more */
void trust_say(const struct service *, char *out, size_t size);

/* state_out.c, state_in.c: what is kept beside the record, ledger.N and ledger.N.more too */
#define STATE_FORMAT "switchd-state"
enum { STATE_FORMAT_VERSION = 1, STATE_VALUES = 5, STATE_VALUE_MAX = 32 * 1024 };
extern const char *const state_values[STATE_VALUES];

/* measure.c */
void measure_start(struct service *);
void measure_stop(struct service *);
/* Other targets, the same features: what is known of those that stay, evidence and what the controls said live on. */
void measure_targets(struct service *, const struct service_config *, struct probe_runner *);
void measure_pace(struct service *);            /* after every change of the record */
void measure_view(struct service *);
void measure_filled(struct service *, enum slot);
void measure_learn(struct service *);
void measure_seen_save(struct service *);       /* when it changed */
void measure_seen_load(struct service *, const char *json);
void measure_fresh(struct service *, enum slot);
void measure_beat(struct service *);
/* Over a reload: the verdict of a feature that continues stands on it.  take before measure_stop(), give after measure_start(). */
struct feature_evidence *measure_evidence_take(struct service *);
void measure_evidence_give(struct service *, struct feature_evidence *, const struct service_config *was);
void measure_evidence(const struct service *, enum slot, const size_t *features, size_t n, char *out, size_t size);
json_t *evidence_json(const struct kept_evidence *);

/* measure_control.c */
void measure_control_start(struct service *);
void measure_control_stop(struct service *);
void measure_control(struct service *, enum slot);              /* begins a round */
void measure_control_ask(struct service *, enum slot, size_t target, size_t feature);    /* it was just seen present there */
void measure_control_look(struct service *);                    /* is the round done? */
/* "proven", "vacuous", "unproven" or "pending", and why (static, or of the feature). */
const char *measure_proof(const struct service *, size_t feature, const char **why);
json_t *measure_unproven(const struct service *);               /* [{name, why}]: critical ones that no control can prove */

/* measure_compare.c */
void measure_compare_start(struct service *);
void measure_compare_stop(struct service *);
void measure_compare_beat(struct service *);
/* A present answer of the new slot that the old slot's contradicts becomes shape.  False: it does not count yet. */
MUSTCHECK bool measure_compare_judge(struct service *, struct probe_result *);
json_t *measure_compare_json(const struct service *, size_t feature);   /* null: not configured */

/* report.c */
void watch_beat(struct service *);
void watch_forget(struct service *);            /* read anew before it is written again */
void watch_end(struct service *);               /* the end: what was watched until now is written */
void watch_count(struct service *, enum slot, size_t feature, enum outcome_class, bool lost);

/* prove.c */
void prove_cancel_all(struct service *);                        /* their config goes away: answered as incomplete */
/* ledger.c */
void ledger_beat(struct service *);
void ledger_look(struct service *);             /* verdicts in */
void ledger_adopting(struct service *, const struct record *next);
void ledger_adopted(struct service *);          /* it did */
void ledger_kept(struct service *);              /* the store is back: is what was written there? */
void ledger_save(struct service *);
/* Of the release that is in that slot; false: it is not. */
bool ledger_told_inventory(struct service *, const char *release, enum slot, const struct ledger_route *, size_t n, bool whole);
void ledger_told_late(struct service *, const struct broken *);
void ledger_archive_round(struct service *, const char *why, bool whole, json_t *borrowed);

/* view.c: what the record keeps of a release's manifest; null when it has none */
json_t *release_manifest(const struct release *);

/* recheck.c */
void recheck_beat(struct service *);
MUSTCHECK bool recheck_claim(struct service *, struct order *);
void recheck_reloaded(struct service *, const struct service_config *old);

/* requests.c */
void requests_begin(struct service *, enum slot);
void requests_absent(struct service *);         /* the active slot gave an absent answer */
void requests_adopted(struct service *, const struct record *was);
void requests_restarted(struct px *);
void requests_beat(struct service *);
void requests_stop(struct service *);
void requests_free(struct service *);

/* changes.c */
void changes_start(struct service *);
void changes_stop(struct service *);            /* the config goes away */
void changes_free(struct service *);
void changes_look(struct service *);            /* after every new view */
void changes_beat(struct service *);
void changes_write(struct service *);           /* what is not in the archive yet */
json_t *changes_json(const struct service *);

/* story.c */
void story_cancel_all(struct engine *);

/* timeline.c */
void timeline_cancel_all(struct engine *);

/* export.c */
void export_beat(struct engine *);
void export_soon(struct engine *);
void export_line(struct engine *, const char *json);
bool export_before(const char *id, const char *later);  /* "<gen>-<seq>"; false when one is no id */

/* lost.c */
void lost_look(struct engine *, const char *after, const char *until, const json_t *page);     /* own events of that span that the stream lacks */

/* inventory.c */
void inventory_start(struct service *);
void inventory_stop(struct service *);
bool inventory_cut(struct service *);           /* true: a round was under way, and wants inventory_begin_again() */
void inventory_begin_again(struct service *);
void inventory_beat(struct service *);
bool inventory_note_due(struct service *);
const struct inventory_view *inventory_view_of(const struct service *);
json_t *inventory_state_json(const struct service *);

/* traffic.c */
void traffic_start(struct service *);
void traffic_stop(struct service *);
void traffic_apply(struct service *, enum proxy_order);         /* every proxy must show the record's value */
void traffic_unpin(struct service *);          /* a person ended the pin: the next apply may overwrite it */
void traffic_preflight(struct service *, enum slot to);
void traffic_beat(struct service *);
void traffic_view(struct service *);            /* folds px[] into pv */
void traffic_stand_by(struct service *);
bool traffic_asked(const struct service *);     /* every proxy was asked once since the start */
bool traffic_found(const struct service *, struct input *start);        /* highest version a proxy shows */
const char *px_state(const struct px *);
void px_apply(struct px *);
void px_look(struct px *);              /* asks what it shows, now */
void px_event(struct px *, const char *kind, const char *because, const char *detail);
void proxy_event(struct service *, const char *proxy, const char *kind, const char *because, const char *detail);
/* Two who write one proxy: the record is right, and traffic may be where it does not say.  An event, and a call for a human. */
#define PROXY_FIGHT "somebody else writes this proxy's value; it is left alone"
void proxy_fight(struct service *, const char *proxy, const char *because, const char *shows);
/* What is outstanding when a proxy is closed (a reload, the end) is told as cancelled: nothing is begun on it, and nothing decided. */
static inline bool px_ending(const struct px *p) { return !p->proxy; }

/* front.c */
void px_observe_init(struct px *);
bool px_can_observe(const struct px *);
void px_observe(struct px *);
void traffic_stamp(struct service *, const struct probe_result *);      /* every answer through a front */

/* shield.c */
void px_shield_beat(struct px *, mono_us now);

/* drain.c */
void px_drain_init(struct px *);
void traffic_drain(struct service *, enum slot left);

/* gates.c */
void gates_beat(struct service *);
void gates_again(struct service *);             /* after a reload */
void gates_end(struct service *);
void gates_carry(struct service *, struct order *);     /* a deploy takes the manifest of its claim */

/* publish.c */
void publish_event(struct engine *, const struct event *);
void publish_change(struct service *);
void publish_front(struct service *);           /* the front went down, or is back: an alert, never a reason to move */
json_t *publish_kept(const struct engine *, const char *service, const char *after_id, size_t max);

/* engine.c */
struct service *engine_find(const struct engine *, const char *name);   /* NULL: no such service */
wall_ms engine_wall(const struct engine *);     /* wall time that never jumps: for deadlines; events carry wall_now() */
void engine_rid(struct engine *, id_text out);
void engine_remember(struct engine *, const char *service, const char *rid, const struct order_result *);
bool engine_recall(struct engine *, const char *service, const char *rid, struct order_result *out);

#endif
