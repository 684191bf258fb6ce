/* SPDX-License-Identifier: MIT
 * check.h - what the checker reads, and how it says what it found.
 *
 * Everything is read from a directory that a run left behind, and nothing is asked of anybody, so that
 * it can be run again.  What each invariant means here is written in tests/chaos/README.md. */
#ifndef TESTS_CHAOS_CHECK_CHECK_H
#define TESTS_CHAOS_CHECK_CHECK_H

#include <jansson.h>

#include "tests/fakes/fake.h"

#define GROW(list, n, cap)                                                                     \
	do {                                                                                   \
		if ((n) == (cap)) {                                                            \
			(cap) = (cap) ? (cap) * 2 : 1024;                                      \
			(list) = need(realloc((list), (cap) * sizeof(*(list))));               \
		}                                                                              \
	} while (0)

enum { MAX_FRONTS = 8, NONE = 0, BLUE = 1, GREEN = 2 };
static inline int slot_of(const char *s) { return strncmp(s, "blue", 4) == 0 ? BLUE : strncmp(s, "green", 5) == 0 ? GREEN : NONE; }
static inline const char *slot_word(int s) { return s == BLUE ? "blue" : s == GREEN ? "green" : "none"; }

struct version { uint64_t gen, epoch; };
static inline int version_cmp(struct version a, struct version b)
{
	return a.gen != b.gen ? (a.gen > b.gen ? 1 : -1) : a.epoch != b.epoch ? (a.epoch > b.epoch ? 1 : -1) : 0;
}

/* ---- lines of the driver: US, word, key=value... ---- */
struct line { int64_t at; const char *word; char *text; size_t number; };     /* text: as it stands, NUL between its fields, ended by two */
const char *field(const struct line *, const char *key);        /* "" when it has none */
int64_t field_number(const struct line *, const char *key);     /* -1 when it has none */
bool field_is(const struct line *, const char *key, const char *value);

/* ---- a value of a proxy: "green:1795333451.42:shield" ---- */
enum value_kind { V_OURS, V_PIN, V_FOREIGN, V_BAD };
struct value { enum value_kind kind; int slot; struct version v; bool shield; char text[80]; };
struct value value_parse(const char *);

struct shown { int64_t t0, t1; long pid; bool there; struct value v; };          /* by the stats socket */
struct poll_ { int64_t t0, t1; int status; char how[12]; bool there; int by, app; struct value v; };
struct request { int64_t t0, t1; char method[6], path[32], kind[10]; int status, tag; };

struct front {
	struct shown *shown; size_t n_shown, cap_shown;
	struct poll_ *poll; size_t n_poll, cap_poll;
	struct request *req; size_t n_req, cap_req;
};

/* ---- events: the union of all archives and the stream, in the order of their ids ---- */
struct event {
	uint64_t gen, seq;
	char kind[32], by[40], release[72];
	int64_t at;             /* on the clock of the logs */
	int from, to;
	struct version from_v, to_v;
	long deploy;
	const char *because, *detail;
	json_t *json;
	bool used;              /* by an order, for I3 */
	unsigned in;            /* the archives that have it, by controller, as bits */
	bool lost;              /* acknowledged, and gone with a store: an archive that goes on past it had no such event to read, or a controller said so */
};

/* ---- what MONITOR told of a commit ---- */
struct commit { int64_t at; int server; char rid[72], owner[72]; uint64_t term, gen, epoch, rev; bool wrote; };

struct run {
	const char *dir;
	int64_t wall_minus_mono, begin, end;
	struct line *lines; size_t n_lines, cap_lines;
	int n_fronts;
	struct front front[MAX_FRONTS + 1];     /* from 1 */
	struct event *events; size_t n_events, cap_events;
	long gaps;              /* of the archive: events that nobody has */
	char **told_lost; size_t n_told_lost, cap_told_lost;    /* details of store.lost */
	struct commit *commits; size_t n_commits, cap_commits;
	json_t *last_status;
	char site[65536];
};
void run_read(struct run *, const char *dir);
int site_count(const struct run *, const char *name);
bool site_text(const struct run *, const char *name, char *out, size_t size);

/* ---- spans of time (windows.c) ---- */
struct span { int64_t from, to; int slot, target, front; char what[16], path[32], name[24]; };
struct spans { struct span *s; size_t n, cap; };
/* A feature of a slot was lost, a target of it dead or frozen (path ""). */
extern struct spans broken;
/* A proxy was killed, frozen, restarted, or showed a value of another hand (name says which); `reload` is its own. */
extern struct spans proxy_out, proxy_reload;
/* Nobody decided: all controllers (and agents) dead or frozen. */
extern struct spans nobody;
void windows_make(const struct run *);
/* The slots that may rightly answer through a front between two moments, as bits; shield: whether it may have been up. */
unsigned slots_allowed(const struct run *, int front, int64_t t0, int64_t t1, bool *shield);

/* ---- what was found ---- */
struct finding { const char *id; long broken; long seen; char note[400]; };
struct finding *finding(const char *id);        /* made when it is new */
/* One breach: counted; the first ones are kept with their evidence. */
FAKE_PRINTF(2, 3) void breach(struct finding *, const char *fmt, ...);
/* Prints all; returns how many are broken. */
int findings_print(FILE *);

void check_traffic(const struct run *);         /* I1a, I1b, I7, I9, I17 */
void check_versions(const struct run *);        /* I2 */
void check_orders(struct run *);                /* I3 */
void check_settled(const struct run *);         /* I4 */
void check_moves(struct run *);                 /* I5, I6, I8, I14, I16 */
void check_house(const struct run *);           /* I11, I12 */
void check_secrets(const struct run *);         /* I15 */
void check_leases(const struct run *);          /* I13 */
void check_outcomes(const struct run *);        /* I18 */
bool check_tally(const struct run *, long least, FILE *);       /* the closing line's numbers; were there so many faults and flips? */

#endif
