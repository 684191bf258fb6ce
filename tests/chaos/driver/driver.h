/* SPDX-License-Identifier: MIT
 * driver.h - what the parts of the driver share.
 *
 * Three threads: main goes through the rounds and reaps, `storm` injects, `hands` does what people and
 * pipelines do.  All of them block, none of them longer than it was told.  One log (say.c) tells
 * everything with its time; the checker reads nothing else of the driver. */
#ifndef TESTS_CHAOS_DRIVER_DRIVER_H
#define TESTS_CHAOS_DRIVER_DRIVER_H

#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <sys/types.h>

#include "tests/fakes/fake.h"

/* ---- draw.c: numbers that hang on the seed alone ---- */
struct draw { uint64_t x; };
/* Every round and lane has its own, so that how long one took shifts nothing in the next. */
struct draw draw_begin(uint64_t seed, uint64_t round, uint64_t lane);
uint64_t draw_next(struct draw *);
long draw_between(struct draw *, long low, long high);          /* both included */
size_t draw_weighted(struct draw *, const int *weight, size_t n);

/* ---- say.c: the log ---- */
void say_open(const char *path);
void say_close(void);
/* "WORD\tkey=value\tkey=value": the time stands in front. */
FAKE_PRINTF(1, 2) void say(const char *fmt, ...);

/* ---- tally.c ---- */
long tally_moves(void);

/* ---- rig.c: the site as `run` built it ---- */
enum topology { SINGLE = 1, SENTINEL = 2, FLEET = 4 };
struct rig {
	const char *dir;
	uint64_t seed;
	double minutes;
	enum topology topology;
	long first_round, last_round;   /* replay a piece only; 0 = all */
	long least;                     /* faults and moves of traffic */
	int n_targets;                  /* of a slot */
	int n_fronts, n_controllers, n_redis, n_sentinels, n_agents;
	int64_t deadline;
};
extern struct rig rig;
/* A value of DIR/site ("front1", "switchctl"...): the end of the program when it is not there. */
const char *site(const char *fmt, ...) FAKE_PRINTF(1, 2);
bool site_has(const char *name);
void rig_read(const char *dir);

/* ---- proc.c: processes that run all the time ---- */
struct proc {
	char name[32];
	char *log, **argv;
	pid_t pid;              /* 0 = not running */
	bool ours;              /* it was ended by us: how it ends is no news */
	bool stopped;
	int64_t since;
	int status;             /* of the last one that ended */
};
void procs_read(const char *path);
struct proc *proc_named(const char *fmt, ...) FAKE_PRINTF(1, 2);
/* NULL-able: names by number, so that a table of faults needs no lists. */
bool proc_there(const char *name);
size_t procs_all(struct proc **out, size_t max);
bool proc_start(struct proc *);
/* more: arguments in place of the words {release} and {old} of its command. */
bool proc_start_as(struct proc *, const char *release, const char *old);
void proc_signal(struct proc *, int sig);       /* KILL and TERM make its end ours; STOP and CONT are told */
void proc_end(struct proc *, int sig, long ms); /* signals and waits, KILL at the deadline */
void proc_leave(struct proc *);                 /* its present pid goes by itself (a reload); the name is free */
void procs_reap(void);
size_t procs_leaving(void);

/* ---- task.c: programs that end ---- */
struct said { int exit; bool late; char out[65536]; size_t n; };
/* exit: its code, 128 + signal, or -1 when it had to be ended at the deadline. */
void task(struct said *, long timeout_ms, char *const argv[]);

/* ---- talk.c: one question to a socket ---- */
bool talk(const char *where, const char *line, char *out, size_t size, long ms);         /* until it closes */
bool talk_ok(const char *where, long ms, const char *fmt, ...) FAKE_PRINTF(3, 4);        /* a fake's control: "ok" */
/* A command to a redis-server (past every relay); the raw reply. False: none. */
bool redis_ask(const char *which, char *out, size_t size, size_t argc, const char *const *argv);
bool redis_do(const char *which, char *out, size_t size, const char *words);    /* words parted by one blank */

/* ---- eye.c: what is ---- */
struct view {
	bool there;             /* a controller answered */
	bool bad;               /* it refuses what the store holds: a person repairs */
	bool up, loaded, leads, held, sealed, pinned, claimed, suspect, pending;
	bool whole[2];          /* blue, green */
	char active[8], etag[48], phase[16], claim[80], release[80], deploy_outcome[24], target[8];
	long deploy;
	int in_sync, proxies;
};
struct view eye_look(int controller);           /* 1.. */
struct view eye_leader(void);                   /* of the first that says it can act; there = false: none does */
bool eye_front(int front, char *slot, size_t slot_size, char *version, size_t version_size);     /* what answers a probe */
/* Record and every front agree now; why says what does not. */
bool eye_agree(char *why, size_t size);
static inline const char *other_slot(const char *s) { return strcmp(s, "blue") == 0 ? "green" : "blue"; }

/* ---- app.c: the two applications ---- */
bool app_fill(const char *slot, const char *release);           /* all targets of the slot anew */
bool app_tell(const char *slot, int target, const char *fmt, ...) FAKE_PRINTF(3, 4);     /* target 0: all */
const char *app_release(const char *slot);
void app_heal(void);            /* every target runs, and has all it should */

/* ---- storm.c: faults ---- */
struct fault;
struct fault_kind {
	const char *name, *row;         /* row: of the catalogue */
	const char *group;              /* "controller": two faults of one group and number never overlap; "" = of everything */
	int weight, topologies;
	long min_ms, max_ms;
	bool (*begin)(struct fault *);  /* false: vetoed, why is told in note */
	void (*end)(struct fault *);
};
struct fault {
	const struct fault_kind *kind;
	long at_ms, for_ms;             /* from the round's begin */
	int number;                     /* which of the group's members, from 1 */
	uint64_t dice;
	int id;
	bool on, done;
	char note[160];
	char keep[512];                 /* what end() needs of begin() */
};
extern const struct fault_kind faults_process[], faults_redis[], faults_proxy[], faults_app[];   /* ended by a row without name */
void *storm_round(void *round);         /* a thread: returns when all of its faults have ended */
void storm_prepare(void);
int storm_count(void);
/* Since when nothing is broken by us; INT64_MAX while something is. */
int64_t storm_calm_since(void);
int storm_members(const char *group);

/* ---- hands.c, ops.c: what people and pipelines do ---- */
struct op { int id; struct draw dice; const char *name; };
/* weight: in the storm; calm: in the quiet moment after it, where moves are counted on. */
struct op_kind { const char *name; int weight, calm; bool needs_target; void (*run)(struct op *, const struct view *); };
extern const struct op_kind ops[];
void *hands_round(void *round);         /* a thread: ends after the op that was under way when hands_stop() came */
void hands_stop(void);
void hands_calm(long round, long ms);   /* orders without faults */
void hands_mend(void);                  /* whatever is left over of this round's ops: claims, holds, pins, stuck */
bool hands_repair(const struct view *);         /* what the store holds is refused: the last good record over it */
bool hands_wanted(void);
/* switchctl with what every order has; returns its exit code. */
int order(struct op *, long timeout_ms, const char *verb, char *const more[], struct said *);

/* ---- settle.c: between rounds ---- */
void redis_heal(void);                          /* no setting of a fault outlives it */
bool settle(long round);                /* everything healed, and record and data plane agree; false: they never did */
void census(const char *when);

#endif
