/* SPDX-License-Identifier: MIT
 * tests/sim/core.c - the pure core in virtual time, under everything that can go wrong round it.
 *
 *   core [--seed N] [--steps N] [--trace]
 *
 * One seed decides all, and replays.  A small world stands in for the rest: applications whose
 * features come and go, proxies that are down, refuse, reload or are pinned by hand, a store that
 * goes away, loses replies, loses commits or everything, a controller that restarts, clocks that
 * jump, and a person who gives any order at any time.  verdict.c and decide.c are the real ones.
 * I2 and I5 to I8 are derived here again from what was committed and shown; decide's own must()
 * is not relied on.  Every now and then the faults end, and everything must come to rest. */
#include <getopt.h>
#include <stdarg.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switchd/core/decide/decide.h"

enum { N_FEATURES = 4, N_TARGETS = 3, N_PX = 2, IDENTITY = N_FEATURES, N_CELLS = N_FEATURES + 1, RING = 60, GHOSTS = 1 << 16, MAX_GOOD = 4096 };

/* ---- chance ---- */

static uint64_t rng, seed = 1, step_no, checks;

static uint64_t roll(void)
{
	rng ^= rng >> 12;
	rng ^= rng << 25;
	rng ^= rng >> 27;
	return rng * 2685821657736338717ull;
}

static int64_t upto(int64_t n) { return (int64_t)(roll() >> 11) % n; }
static bool chance(int one_in) { return upto(one_in) == 0; }

/* ---- what happened, told on failure ---- */

static char ring[RING][240];
static size_t ring_n;
static bool trace;

static void PRINTF(1, 2) note(const char *fmt, ...)
{
	char *line = ring[ring_n++ % RING];
	va_list ap;

	va_start(ap, fmt);
	int at = snprintf(line, sizeof(ring[0]), "%8" PRIu64 " ", step_no);
	vsnprintf(line + at, sizeof(ring[0]) - (size_t)at, fmt, ap);
	va_end(ap);
	if (trace)
		puts(line);
}

static void tell_ring(void)
{
	for (size_t i = ring_n > RING ? ring_n - RING : 0; i < ring_n; i++)
		fprintf(stderr, "%s\n", ring[i % RING]);
	fprintf(stderr, "replay: --seed %" PRIu64 " --steps %" PRIu64 " --trace\n", seed, step_no + 1);
}

static void NORETURN PRINTF(1, 2) broken(const char *fmt, ...)
{
	va_list ap;

	tell_ring();
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	printf("\n%" PRIu64 " passed, 1 failed (seed %" PRIu64 ", step %" PRIu64 ")\n", checks, seed, step_no);
	exit(1);
}

#define HOLDS(cond, ...) do { checks++; if (!(cond)) broken(__VA_ARGS__); } while (0)

static void aborted(int sig)
{
	(void)sig;
	tell_ring();
	_exit(134);
}

/* ---- the world as it is ---- */

struct proxy_sim {
	struct proxy_value now, file;   /* what it shows; what it would load */
	bool has, dead, refuses;
	struct version held;            /* the highest version of ours it ever showed */
	int seen;                       /* answers of the present value */
	struct proxy_value want; bool wanted; int64_t due;
	bool known;                     /* its last word is about the present want */
};

static struct {
	int64_t ms, wall_off;           /* virtual time since the start; what the wall clock is off */
	bool works[2][N_TARGETS][N_FEATURES], identity[2][N_TARGETS];
	bool target_out[2][N_TARGETS], hangs[2][N_TARGETS];
	bool blind, reference_down;     /* the prober's own network is gone; the reference does not answer */
	struct proxy_sim px[N_PX];
	bool quiet;                     /* no faults, no orders */
	id_text pin_by;
} world_is;

static mono_us now_us(void) { return (mono_us){ (world_is.ms + 1000000) * 1000 }; }
static wall_ms wall(void) { return (wall_ms){ world_is.ms + 1700000000000ll + world_is.wall_off }; }

/* ---- the store ---- */

static struct {
	bool up, has;
	struct record rec, before;      /* before: what a history that lost its last commit goes back to */
	bool has_before;
	struct condemned_set condemned;
} store;

/* ---- the controller ---- */

static struct feature features[N_FEATURES];
static struct target targets[N_TARGETS];
static struct proxy_config proxy_configs[N_PX];
static struct service_config cfg;

static struct {
	struct record rec;
	struct condemned_set condemned;
	bool loaded, pending;           /* pending: decided while the store was away */
	struct version pending_base;
	struct record journal; bool has_journal;
	struct health *health;
	struct health_view view;
	bool started;
	mono_us since_flip, phase_entered, whole_since, broken_since;
	int64_t stood, last_look;
	bool control_done, fresh_asked; int vacuous; int64_t control_due, preflight_due;
	bool pre_done, pre_ok;
	struct proxies_view pv;
	int64_t due[2][N_TARGETS][N_CELLS];
	uint64_t rids;
} sw;
static struct decision D;

/* ---- ghosts: what must hold, remembered apart ---- */

static struct { struct version v; enum slot slot; bool shield, used; } shown[GHOSTS];
static size_t n_shown;
static struct version top;
static struct {
	bool may_undo;                  /* a forward move that automation has not undone */
	bool before_drill;              /* the same, of the move that stands again when a drill is over */
	bool hold, sealed, pinned;
	id_text good[MAX_GOOD]; size_t n_good;
	id_text condemned[MAX_CONDEMNED * 4]; size_t n_condemned;
	uint64_t autos, backs, forwards, forces, refused, baked, starts, pins, alarms, commits, offline, lost_replies, restarts, stucks, freshes;
	uint64_t hits[512], in_phase[N_PHASES], away, observing, suspect, held;
} ghost;

static void ghost_version(struct version v, enum slot slot, bool shield)
{
	if (slot == NO_SLOT)
		return;
	size_t i = (size_t)((v.epoch * 0x9e3779b97f4a7c15ull ^ v.gen * 0xc2b2ae3d27d4eb4full) >> 40) % GHOSTS;

	if (n_shown > GHOSTS / 2) {
		memset(shown, 0, sizeof(shown));
		n_shown = 0;
	}
	for (; shown[i].used; i = (i + 1) % GHOSTS)
		if (version_cmp(shown[i].v, v) == 0) {
			HOLDS(shown[i].slot == slot && shown[i].shield == shield, "I2: version %" PRIu64 ".%" PRIu64 " named two values\n", v.gen, v.epoch);
			return;
		}
	shown[i].used = true;
	shown[i].v = v;
	shown[i].slot = slot;
	shown[i].shield = shield;
	n_shown++;
}

static bool ghost_has(const id_text *list, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], id) == 0)
			return true;
	return false;
}

static void ghost_good(const char *id)
{
	if (!id[0] || ghost_has(ghost.good, ghost.n_good, id))
		return;
	if (ghost.n_good == MAX_GOOD)
		memmove(&ghost.good[0], &ghost.good[1], --ghost.n_good * sizeof(ghost.good[0]));
	TEXT_COPY(ghost.good[ghost.n_good++], id);
}

/* ---- probes ---- */

static enum outcome ask(int s, int t, int f)
{
	if (world_is.blind)
		return OUT_NO_ROUTE;
	if (world_is.target_out[s][t])
		return OUT_REFUSED;
	if (world_is.hangs[s][t])
		return OUT_TIMEOUT;
	if (f == IDENTITY)
		return world_is.identity[s][t] ? OUT_PRESENT : OUT_IDENTITY;
	return world_is.works[s][t][f] ? OUT_PRESENT : OUT_STATUS;
}

static void fresh(int s);

static void probe(int s, int t, int f, int depth)
{
	enum outcome o = ask(s, t, f);
	bool complete = o == OUT_PRESENT || o == OUT_STATUS || o == OUT_IDENTITY;
	mono_us began = now_us(), ended = { began.us + 3000 };
	struct health_advice a = health_note(sw.health, (enum slot)s, (size_t)t, (size_t)f, o, complete, began, ended, wall(), 3000);

	if ((a.confirm || a.confirm_now) && depth == 0)
		probe(s, t, f, 1);
	if (a.ask_other_slot && depth == 0 && !chance(3))
		fresh(!s);
}

static void fresh(int s)
{
	for (int t = 0; t < N_TARGETS; t++)
		for (int f = 0; f < N_CELLS; f++)
			probe(s, t, f, 1);
}

static void probes(void)
{
	health_note_reference(sw.health, !world_is.reference_down && !world_is.blind, now_us());
	enum phase p = sw.rec.phase;
	bool dense = p == PH_PROVING || p == PH_BAKING || p == PH_FLIPPING || p == PH_READY;

	for (int s = 0; s < 2; s++)
		for (int t = 0; t < N_TARGETS; t++)
			for (int f = 0; f < N_CELLS; f++) {
				if (sw.due[s][t][f] > world_is.ms)
					continue;
				probe(s, t, f, 0);
				sw.due[s][t][f] = world_is.ms + (dense ? 200 : s == (int)sw.rec.active ? 1000 : 10000) + upto(50);
			}
	/* All targets out: the front is asked; it has nothing from a slot that is dead. */
	if (sw.rec.active != NO_SLOT && sw.view.slot[sw.rec.active].in == 0)
		for (int i = 0; i < N_PX; i++)
			for (int f = 0; f < N_FEATURES; f++)
				health_note_front(sw.health, (size_t)i, (size_t)f, sw.rec.active, true, OUT_STATUS, now_us(), now_us());
}

static void look_at_health(void)
{
	const struct record *r = &sw.rec;
	enum slot proving = r->phase == PH_PROVING || r->phase == PH_READY ? r->deploy.slot : r->phase == PH_FILLING ? r->claim.slot : NO_SLOT;
	struct view_rules rules = {
		.active = r->active, .live = { proving != BLUE, proving != GREEN }, .baking = r->phase == PH_BAKING || r->phase == PH_FLIPPING,
		.mutes = r->mutes, .n_mutes = r->n_mutes, .now = now_us(), .wall = wall(),
	};

	health_view(sw.health, &rules, &sw.view);
	if (!sw.view.suspect)
		sw.started = true;
}

/* ---- proxies ---- */

static bool same_value(const struct proxy_value *a, const struct proxy_value *b)
{
	return a->slot == b->slot && version_cmp(a->v, b->v) == 0 && a->shield == b->shield && a->pin == b->pin;
}

static void tell_proxies(void)
{
	struct proxy_value v = decide_value(&sw.rec);

	if (cfg.mode == MODE_OBSERVE || v.slot == NO_SLOT)
		return;
	for (int i = 0; i < N_PX; i++) {
		struct proxy_sim *p = &world_is.px[i];

		if (p->wanted && same_value(&p->want, &v))
			continue;
		p->want = v;
		p->wanted = true;
		p->known = false;
		p->seen = 0;
		p->due = world_is.ms + (chance(20) ? upto(5000) : upto(20));
	}
}

static void proxies_live(void)
{
	for (int i = 0; i < N_PX; i++) {
		struct proxy_sim *p = &world_is.px[i];

		if (p->dead)
			continue;
		if (p->wanted && !(p->has && same_value(&p->now, &p->want)) && p->due <= world_is.ms && sw.loaded && cfg.mode != MODE_OBSERVE) {
			p->due = world_is.ms + 50 + upto(2000);
			p->known = true;
			if (p->refuses || (p->has && p->now.pin && sw.rec.pin.on))
				continue;
			if (p->has && p->now.pin && !same_value(&p->now, &p->want) && !sw.rec.pin.on && world_is.pin_by[0])
				continue; /* not adopted yet: never overwritten */
			/* I7: what we would write is never lower than what it has held. */
			if (p->has && !p->now.pin && version_cmp(p->now.v, p->want.v) > 0)
				continue; /* the adapter refuses: the record must rise first */
			HOLDS(version_cmp(p->want.v, p->held) >= 0, "I7: proxy %d held %" PRIu64 ".%" PRIu64 ", is given %" PRIu64 ".%" PRIu64 "\n", i, p->held.gen,
			      p->held.epoch, p->want.v.gen, p->want.v.epoch);
			p->now = p->want;
			p->has = true;
			p->held = p->now.v;
			p->seen = 0;
			if (!chance(50))
				p->file = p->now; /* else the disk was full, on the way back */
			ghost_version(p->now.v, p->now.slot, p->now.shield);
		} else if (p->has && p->wanted && same_value(&p->now, &p->want) && p->seen < 2 && !chance(4)) {
			p->seen++;
		}
	}
}

static void look_at_proxies(void)
{
	struct proxies_view *v = &sw.pv;

	*v = (struct proxies_view){ .all = N_PX, .servers_up = -1, .servers_all = -1, .preflight_done = sw.pre_done, .preflight_ok = sw.pre_ok, .shows_known = true,
				    .shows = NO_SLOT };
	TEXT_COPY(v->preflight_why, "px: refused");
	for (int i = 0; i < N_PX; i++) {
		const struct proxy_sim *p = &world_is.px[i];

		if (p->dead) {
			v->down++;
			continue;
		}
		struct proxy_value want = decide_value(&sw.rec);
		bool acked = p->has && same_value(&p->now, &want);

		/* A pin's stamp counts as the record's version while it stands (B5.6). */
		if (p->has && p->now.pin && sw.rec.pin.on && p->now.slot == sw.rec.active)
			acked = true;
		v->acked += acked;
		v->can_observe++;
		v->observed += acked && (p->seen >= 2 || p->now.pin);
		if (p->refuses && p->known && !acked) {
			v->refused = true;
			TEXT_COPY(v->refused_why, "px: refuses");
		}
		if (!p->has || (v->shows != NO_SLOT && v->shows != p->now.slot))
			v->shows_known = false;
		v->shows = p->now.slot;
	}
	if (v->down == N_PX)
		v->shows_known = false;
	if (sw.rec.shield && sw.rec.active != NO_SLOT)
		for (int t = 0; t < N_TARGETS; t++)
			for (int f = 0; f < N_FEATURES; f++)
				v->caught_recent += !world_is.works[sw.rec.active][t][f] && world_is.works[!sw.rec.active][t][f];
}

/* ---- time on the controller's clock ---- */

static void clocks(void)
{
	bool whole = false, both = false;
	enum slot a = sw.rec.active;

	if (a != NO_SLOT) {
		whole = sw.view.slot[a].whole && !sw.view.suspect && sw.pv.acked >= sw.pv.all - sw.pv.down && sw.pv.observed >= sw.pv.can_observe;
		for (size_t i = 0; i < sw.view.n; i++)
			both |= sw.view.f[i].votes && sw.view.f[i].cmp[a] == CMP_BROKEN_BOTH;
	}
	sw.whole_since = !whole ? (mono_us){ 0 } : sw.whole_since.us ? sw.whole_since : now_us();
	if (sw.broken_since.us)
		sw.stood += world_is.ms - sw.last_look;
	sw.broken_since = !both ? (mono_us){ 0 } : sw.broken_since.us ? sw.broken_since : now_us();
	sw.last_look = world_is.ms;
}

static void fill_world(struct world *w)
{
	look_at_health();
	look_at_proxies();
	clocks();
	*w = (struct world){
		.cfg = &cfg, .health = &sw.view, .proxies = &sw.pv, .condemned = &sw.condemned, .store_up = store.up && !sw.pending, .alone = true, .drives = true,
		.started = sw.started, .control_done = sw.control_done, .vacuous = sw.vacuous, .vacuous_name = "f0", .now = now_us(), .wall = wall(),
		.since_flip = sw.since_flip, .phase_entered = sw.phase_entered, .whole_since = sw.whole_since, .broken_both_since = sw.broken_since,
		.bake_stood_ms = sw.stood,
	};
}

/* ---- the invariants of a commit, derived anew ---- */

/* I6 and I8, from the view that the decision had. */
static void check_auto(const struct record *r, const struct record *n)
{
	enum slot a = r->active, b = n->active;
	bool gives_back = false;
	int64_t oldest = INT64_MAX, first = INT64_MAX;

	HOLDS(cfg.mode == MODE_ENFORCE && !sw.view.suspect && sw.started, "I8: an automatic move in mode %s, suspect %d\n", run_mode_name(cfg.mode), sw.view.suspect);
	HOLDS(!ghost.hold && !ghost.pinned, "I8: an automatic move while held\n");
	HOLDS(!ghost.sealed, "I6: an automatic move while sealed\n");
	HOLDS(ghost.may_undo, "I8: a second automatic move, or one without a forward move\n");
	HOLDS(!(r->claim.id[0] && r->claim.slot == b), "I6: an automatic move into a claimed slot\n");
	HOLDS(!ghost_has(ghost.condemned, ghost.n_condemned, n->slot[b].id), "I6: automation made %s active, which is condemned\n", n->slot[b].id);
	HOLDS(ghost_has(ghost.good, ghost.n_good, n->slot[b].id), "I6: rolled back to %s, which was never good\n", n->slot[b].id);
	for (size_t i = 0; i <= sw.view.n; i++) {
		const struct feature_view *f = &sw.view.f[i];
		bool bad = f->at[a] == V_ABSENT || (f->at[a] == V_PARTIAL && r->phase == PH_BAKING);

		if (!f->votes)
			continue;
		if (bad && f->at[b] == V_PRESENT && f->seen[a]) {
			gives_back = true;
			if (f->first_absent[a].us < first)
				first = f->first_absent[a].us;
		}
		HOLDS(bad || f->at[b] == V_PRESENT, "I6: rolled back from a slot where feature %zu is %s to one where it is %s\n", i, verdict_name(f->at[a]),
		      verdict_name(f->at[b]));
		if (!bad && f->evidence_since[b].us < oldest)
			oldest = f->evidence_since[b].us;
	}
	HOLDS(oldest >= first, "I6: rolled back on evidence %" PRId64 " ms older than the first absent\n", (first - oldest) / 1000);
	HOLDS(oldest == INT64_MAX || now_us().us - oldest <= 6000000, "I6: rolled back on evidence %" PRId64 " s old\n", (now_us().us - oldest) / 1000000);
	HOLDS(D.condemn_it || !r->slot[a].id[0] || strcmp(r->slot[a].id, n->slot[b].id) == 0 || ghost_has(ghost.condemned, ghost.n_condemned, r->slot[a].id),
	      "rolled back from %s, and did not condemn it\n", r->slot[a].id);
	HOLDS(gives_back, "I5: an automatic move that gives back no feature\n");
}

static void check_forward(const struct record *r, const struct record *n)
{
	enum slot b = n->active;

	HOLDS(!ghost.hold && !ghost.pinned, "a forward move while held\n");
	HOLDS(cfg.mode != MODE_OBSERVE, "a forward move in observe mode\n");
	HOLDS(!ghost_has(ghost.condemned, ghost.n_condemned, n->slot[b].id), "%s was made active without force, and is condemned\n", n->slot[b].id);
	for (size_t i = 0; i < sw.view.n; i++) {
		const struct feature_view *f = &sw.view.f[i];

		HOLDS(!f->votes || f->at[b] == V_PRESENT || (r->active != NO_SLOT && f->at[b] == V_ABSENT && f->at[r->active] == V_ABSENT) ||
		      (r->active != NO_SLOT && f->at[b] == V_PARTIAL && f->at[r->active] == V_ABSENT),
		      "forward to a slot where feature %zu is %s\n", i, verdict_name(f->at[b]));
	}
}

static void check_event(const struct record *r, const struct record *n)
{
	const struct event *e = &D.event;

	/* I5: who, why, from and to, with their versions. */
	HOLDS(e->kind[0] && e->by[0] && e->because[0] && strcmp(e->service, "shop") == 0, "I5: a commit without kind, actor or reason (%s)\n", D.because);
	HOLDS(version_cmp(e->from_v, r->v) == 0 && version_cmp(e->to_v, n->v) == 0 && e->from == r->active && e->to == n->active, "I5: the event tells another move\n");
	HOLDS(strcmp(e->because, D.because) == 0, "I5: the event gives another reason\n");
}

/* Every commit that the store (or, away, the journal) accepted. `by_start`: the version came from elsewhere. */
static void check_commit(const struct record *r, const struct record *n, enum input_kind on)
{
	bool value = r->active != n->active || r->shield != n->shield;

	HOLDS(version_cmp(n->v, r->v) >= 0, "I2: the version went back\n");
	if (on != IN_START)
		HOLDS(n->v.epoch == r->v.epoch + (value || (on == IN_RESUME && r->pin.on)) && n->v.gen == r->v.gen, "I2: epoch and value do not grow together\n");
	if (version_cmp(n->v, top) > 0)
		top = n->v;
	if (store.has || !store.up)
		ghost_version(n->v, n->active, n->shield);
	check_event(r, n);
	HOLDS(D.mode != MOVE_NOTE || n->active == r->active || on == IN_START, "a note moved traffic\n");
	if (n->active != r->active || D.mode == MOVE_FORCE) {
		if (n->drill.on && !r->drill.on)
			ghost.before_drill = ghost.may_undo;
		if (D.mode == MOVE_AUTO) {
			check_auto(r, n);
			ghost.may_undo = false;
			ghost.autos++;
		} else if (D.mode == MOVE_FORWARD) {
			check_forward(r, n);
			ghost.may_undo = true;
			ghost.forwards++;
		} else if (D.mode == MOVE_FORCE) {
			ghost.may_undo = true;
			ghost.forces++;
		} else if (D.mode == MOVE_BACK) {
			HOLDS(!ghost_has(ghost.condemned, ghost.n_condemned, n->slot[n->active].id), "moved back to a condemned release\n");
			HOLDS(!ghost.sealed, "moved back while sealed\n");
			/* The way back of a drill is half of a person's order. */
			HOLDS(on == IN_ROLLBACK || !ghost.hold || r->drill.on, "reverted by itself while held\n");
			ghost.may_undo = false;
			ghost.backs++;
		}
	}
	if (r->drill.on && !n->drill.on && D.mode == MOVE_NOTE)
		ghost.may_undo = ghost.before_drill;
	if (D.condemn_it) {
		HOLDS(D.mode == MOVE_AUTO, "condemned, and no automatic rollback\n");
		HOLDS(strcmp(D.condemn.release, n->slot[n->active].id) != 0, "condemned the release that became active\n");
		if (ghost.n_condemned < ARRAY_LEN(ghost.condemned))
			TEXT_COPY(ghost.condemned[ghost.n_condemned++], D.condemn.release);
	}
	for (size_t i = 0; D.pardon_it && i < ghost.n_condemned; i++)
		if (strcmp(ghost.condemned[i], D.pardon) == 0)
			memmove(&ghost.condemned[i], &ghost.condemned[i + 1], (--ghost.n_condemned - i) * sizeof(ghost.condemned[0])), i--;
	if (n->phase == PH_STEADY && r->phase == PH_BAKING && n->active == r->active && on == IN_TICK)
		ghost.baked++;
	for (int s = 0; s < 2; s++)
		if (n->slot[s].was_good && n->active == (enum slot)s && n->slot[s].state == RS_GOOD && n->active == r->active)
			ghost_good(n->slot[s].id);
	if (n->phase == PH_STUCK && r->phase != PH_STUCK)
		ghost.stucks++;
	ghost.hold = n->hold.on;
	ghost.sealed = n->sealed.on;
	ghost.pinned = n->pin.on;
	HOLDS(!n->claim.id[0] || (n->claim.slot != n->active && n->slot[n->claim.slot].id[0] == '\0'), "a claimed slot serves, or still names a release\n");
	HOLDS(!n->shield || (n->active != NO_SLOT && !n->claim.id[0] && !n->sealed.on), "the shield is up over a slot that may not answer\n");
	HOLDS(!n->shield || (ghost_has(ghost.good, ghost.n_good, n->slot[!n->active].id) && !ghost_has(ghost.condemned, ghost.n_condemned, n->slot[!n->active].id)),
	      "the shield lets %s answer, which was never good\n", n->slot[!n->active].id);
	ghost.commits++;
}

/* ---- commits ---- */

static void condemned_update(struct condemned_set *set)
{
	if (D.condemn_it && !condemned_find(set, D.condemn.release, "")) {
		if (set->n == MAX_CONDEMNED)
			memmove(&set->list[0], &set->list[1], --set->n * sizeof(set->list[0]));
		set->list[set->n++] = D.condemn;
	}
	for (size_t i = 0; D.pardon_it && i < set->n; i++)
		if (strcmp(set->list[i].release, D.pardon) == 0)
			memmove(&set->list[i], &set->list[i + 1], (--set->n - i) * sizeof(set->list[0]));
}

/* A slot was filled: what is in it from now on is the release's own luck. */
static void new_bits(enum slot s)
{
	int luck = (int)upto(10);

	for (int t = 0; t < N_TARGETS; t++) {
		for (int f = 0; f < N_FEATURES; f++)
			world_is.works[s][t][f] = luck < 7 || f != luck - 7;
		world_is.identity[s][t] = !chance(30);
		world_is.target_out[s][t] = false;
	}
}

static void perform(void)
{
	unsigned a = D.actions;
	enum slot idle = sw.rec.active == NO_SLOT ? sw.rec.deploy.slot : other_slot(sw.rec.active);

	HOLDS(cfg.mode != MODE_OBSERVE || !(a & (ACT_APPLY | ACT_DRAIN)), "observe mode writes a proxy\n");
	if (a & ACT_UNPIN)
		world_is.pin_by[0] = '\0';
	if (a & ACT_APPLY)
		tell_proxies();
	if (a & ACT_FILLED) {
		if (!world_is.quiet)
			new_bits(idle);
		health_slot_filled(sw.health, idle);
	}
	if (a & ACT_CONTROL) {
		sw.control_done = false;
		sw.control_due = world_is.ms + 100 + (chance(30) ? 20000 : 0);
	}
	if (a & ACT_PREFLIGHT) {
		sw.pre_done = false;
		sw.preflight_due = world_is.ms + 50;
	}
}

static void adopt(const struct record *was)
{
	if (sw.rec.phase != was->phase || sw.rec.phase_since.ms != was->phase_since.ms) {
		sw.phase_entered = now_us();
		sw.stood = 0;
	}
	if (sw.rec.active != was->active) {
		sw.since_flip = now_us();
		sw.whole_since = (mono_us){ 0 };
	}
	condemned_update(&sw.condemned);
	sw.journal = sw.rec;
	sw.has_journal = true;
	ghost.hits[decide_row_index(D.row)]++;
	perform();
}

/* Returns whether it is known to have happened. */
static bool commit(enum input_kind on)
{
	static struct record was;
	struct record *n = &D.next;

	TEXT_FORMAT(n->cid, "rid-%" PRIu64, ++sw.rids);
	n->rev = sw.rec.rev + 1;
	note("%s: %s -> %s, %s %" PRIu64 ".%" PRIu64 " %s [%s] %s", input_name(on), phase_name(sw.rec.phase), phase_name(n->phase), slot_name(n->active), n->v.gen,
	     n->v.epoch, n->shield ? "shield" : "plain", D.because, D.detail);
	was = sw.rec;
	if (!store.up || sw.pending) {
		HOLDS(D.offline_ok, "a commit without a store that the offline rule does not allow: %s\n", D.because);
		HOLDS(D.mode == MOVE_NOTE || D.mode == MOVE_AUTO || D.mode == MOVE_BACK || on == IN_ROLLBACK, "forward without a store\n");
		check_commit(&sw.rec, n, on);
		if (!sw.pending)
			sw.pending_base = sw.rec.v;
		sw.pending = true;
		sw.rec = *n;
		ghost.offline++;
		adopt(&was);
		return true;
	}
	int luck = world_is.quiet ? 99 : (int)upto(200);

	if (luck == 0 || luck == 1) {
		/* The reply is lost, with or without the commit; the store is asked again before anything else is decided. */
		ghost.lost_replies++;
		sw.loaded = false;
		if (luck == 0)
			return false;
	}
	check_commit(&sw.rec, n, on);
	store.before = store.rec;
	store.has_before = store.has;
	/* An empty store begins a new history, and numbers it above every other: gen is at least the clock's seconds (state.md D4). */
	if (!store.has && n->v.gen <= top.gen)
		n->v.gen = top.gen + 1;
	if (version_cmp(n->v, top) > 0)
		top = n->v;
	store.rec = *n;
	store.has = true;
	condemned_update(&store.condemned);
	if (!sw.loaded) {
		note("its reply is lost");
		return false;
	}
	sw.rec = *n;
	adopt(&was);
	return true;
}

static void give(const struct input *in)
{
	static struct world w;

	if (!sw.loaded)
		return;
	fill_world(&w);
	decide(&sw.rec, &w, in, &D);
	if (!D.row)
		return;
	HOLDS(D.because[0], "a row without a reason\n");
	if (D.refusal != RF_NONE) {
		ghost.refused++;
		ghost.hits[decide_row_index(D.row)]++;
		HOLDS(!D.commit && !D.actions, "refused, and yet it acts\n");
	} else if (D.commit) {
		commit(in->kind);
	} else {
		ghost.hits[decide_row_index(D.row)]++;
		perform();
	}
}

static void tick(void)
{
	static const struct input in = { .kind = IN_TICK, .slot = NO_SLOT, .found_slot = NO_SLOT };
	static struct world w;
	int turns = 0;

	while (sw.loaded) {
		fill_world(&w);
		decide(&sw.rec, &w, &in, &D);
		if (!D.row)
			return;
		if (!D.commit) {
			ghost.hits[decide_row_index(D.row)]++;
			ghost.alarms += D.alarm;
			if (D.actions & ACT_FRESH_OTHER && !sw.fresh_asked) {
				sw.fresh_asked = true;
				ghost.freshes++;
				fresh(!sw.rec.active);
				continue;
			}
			return;
		}
		if (!commit(IN_TICK))
			return;
		HOLDS(++turns < 12, "the tick commits without end: %s\n", D.because);
	}
}

/* ---- start, load, replay ---- */

static void found(struct input *in)
{
	*in = (struct input){ .kind = IN_START, .by = "switchd", .slot = NO_SLOT, .found_slot = NO_SLOT };
	for (int i = 0; i < N_PX; i++) {
		const struct proxy_sim *p = &world_is.px[i];

		if (p->dead || !p->has || p->now.pin)
			continue;
		int c = in->found ? version_cmp(p->now.v, in->found_v) : 1;

		if (c == 0 && p->now.slot != in->found_slot)
			in->ambiguous = true;
		if (c > 0) {
			in->found = in->found_in_proxy = true;
			in->ambiguous = false;
			in->found_v = p->now.v;
			in->found_slot = p->now.slot;
		}
	}
	if (sw.has_journal && sw.journal.active != NO_SLOT && (!in->found || version_cmp(sw.journal.v, in->found_v) >= 0)) {
		if (in->found && version_cmp(sw.journal.v, in->found_v) == 0 && in->found_slot != sw.journal.active)
			in->ambiguous = true;
		in->found = true;
		in->found_in_proxy = false;
		in->found_v = sw.journal.v;
		in->found_slot = sw.journal.active;
		TEXT_COPY(in->found_release, sw.journal.slot[sw.journal.active].id);
	}
}

static void loaded_now(void)
{
	bool other = sw.rec.active != store.rec.active;

	if (other)
		sw.since_flip = (mono_us){ 0 };
	if (sw.rec.phase != store.rec.phase || other || sw.rec.phase_since.ms != store.rec.phase_since.ms) {
		sw.phase_entered = now_us();
		sw.stood = 0;
	}
	sw.rec = store.rec;
	sw.condemned = store.condemned;
	sw.loaded = true;
	ghost.hold = sw.rec.hold.on;
	ghost.sealed = sw.rec.sealed.on;
	ghost.pinned = sw.rec.pin.on;
	tell_proxies();
	if (sw.rec.phase == PH_PROVING || sw.rec.phase == PH_READY) {
		if (!sw.control_done)
			sw.control_due = world_is.ms + 100;
		sw.pre_done = false;
		sw.preflight_due = world_is.ms + 50;
	}
	if (!sw.has_journal || version_cmp(sw.journal.v, sw.rec.v) <= 0) {
		sw.journal = sw.rec;
		sw.has_journal = true;
	}
}

static void load(void)
{
	struct input in;

	if (!store.up)
		return;
	if (sw.pending) {
		/* Recorded now, with the same request id; a history that went on meanwhile is outranked. */
		if (version_cmp(store.rec.v, sw.pending_base) != 0 || !store.has) {
			bool value = !store.has || store.rec.active != sw.rec.active || store.rec.shield != sw.rec.shield;
			struct version v = store.has ? store.rec.v : sw.rec.v;

			v.epoch += value;
			if (version_cmp(v, sw.rec.v) < 0)
				v = sw.rec.v;
			sw.rec.v = v;
		}
		store.before = store.rec;
		store.has_before = store.has;
		store.rec = sw.rec;
		store.rec.rev = sw.rec.rev + 1;
		store.has = true;
		store.condemned = sw.condemned;
		sw.pending = false;
		note("recorded what was decided without the store: %" PRIu64 ".%" PRIu64, sw.rec.v.gen, sw.rec.v.epoch);
		loaded_now();
		return;
	}
	if (!store.has || (sw.has_journal && version_cmp(sw.journal.v, store.rec.v) > 0)) {
		if (!store.has) {
			memset(&sw.rec, 0, sizeof(sw.rec));
			sw.rec.active = sw.rec.claim.slot = sw.rec.pin.slot = sw.rec.move.from = sw.rec.move.to = sw.rec.deploy.slot = NO_SLOT;
			ghost.may_undo = false;
		} else {
			sw.rec = store.rec;
		}
		sw.condemned = store.condemned;
		sw.loaded = true;
		found(&in);
		give(&in);
		ghost.starts++;
		if (!sw.loaded || (!sw.rec.rev && !store.has))
			sw.loaded = false;
		return;
	}
	loaded_now();
}

static void restart(void)
{
	note("switchd restarts");
	ghost.restarts++;
	health_free(&sw.health);
	sw.health = health_new(&cfg);
	health_blind(sw.health, now_us());
	memset(sw.due, 0, sizeof(sw.due));
	sw.since_flip = sw.whole_since = sw.broken_since = (mono_us){ 0 };
	sw.phase_entered = now_us();
	sw.stood = 0;
	sw.started = sw.control_done = sw.pre_done = false;
	sw.control_due = world_is.ms + 200;
	sw.loaded = false;
	for (int i = 0; i < N_PX; i++)
		world_is.px[i].wanted = world_is.px[i].known = false;
	if (sw.pending) {
		sw.rec = sw.journal; /* the journal holds it durably */
		sw.loaded = true;
		tell_proxies();
	}
}

/* ---- faults ---- */

static void store_loses(void)
{
	/* A new history: the last commit, or everything, is gone. The truth is what the journal and the proxies know. */
	struct version floor = { 0 };
	bool told = false;              /* a live proxy shows the highest version there ever was */

	if (sw.pending)
		return;
	for (int i = 0; i < N_PX; i++)
		told |= world_is.px[i].has && !world_is.px[i].dead && !world_is.px[i].now.pin && version_cmp(world_is.px[i].now.v, top) >= 0;
	for (int i = 0; i < N_PX; i++)
		if (world_is.px[i].has && !world_is.px[i].now.pin && version_cmp(world_is.px[i].held, floor) > 0)
			floor = world_is.px[i].held;
	if (version_cmp(top, floor) > 0 && sw.has_journal && version_cmp(sw.journal.v, floor) > 0)
		floor = sw.journal.v;
	sw.loaded = false;
	if (chance(3) && sw.journal.rev == store.rec.rev && version_cmp(sw.journal.v, store.rec.v) == 0 && store.has_before && floor.epoch) {
		/* An old copy was put back, and it looks like the same history. What had been made known is known: to the
		 * journal, or, with another disk, to the proxies alone. */
		note("the store is one commit behind");
		store.rec = store.before;
		store.has_before = false;
		if (told && chance(2))
			sw.has_journal = false;
		return;
	}
	if (chance(3)) {
		note("the store is empty");
		if (told && chance(4))
			sw.has_journal = false;
		store.has = false;
		store.has_before = false;
		return;
	}
	if (!store.has_before || !sw.has_journal)
		return;
	note("the store lost its last commit; newgen and restamp");
	store.rec = sw.journal;
	if (version_cmp(store.rec.v, floor) < 0)
		store.rec.v = floor;
	store.rec.v = (struct version){ (store.rec.v.gen > top.gen ? store.rec.v.gen : top.gen) + 1, store.rec.v.epoch + 1 };
	store.rec.rev++;
	if (version_cmp(store.rec.v, top) > 0)
		top = store.rec.v;
	ghost_version(store.rec.v, store.rec.active, store.rec.shield);
}

static void faults_of_proxies(void)
{
	struct proxy_sim *p = &world_is.px[upto(N_PX)];

	switch (upto(6)) {
	case 0:
		p->dead = true;
		break;
	case 1:
		p->refuses = true;
		break;
	case 2: case 3:
		if (p->has && !p->now.pin && version_cmp(p->file.v, p->now.v) <= 0) {
			p->now = p->file; /* a reload behind our back */
			p->held = p->now.v;
			p->seen = 0;
		}
		break;
	case 4:
		p->seen = 0;
		if (cfg.mode == MODE_OBSERVE || sw.rec.rev == 0)
			for (int i = 0; i < N_PX; i++) /* somebody else's flip */
				world_is.px[i].now = world_is.px[i].file = (struct proxy_value){ .slot = chance(8) ? NO_SLOT : GREEN, .v = { 0, 0 } },
				world_is.px[i].has = world_is.px[i].now.slot != NO_SLOT, world_is.px[i].held = (struct version){ 0, 0 };
		break;
	case 5:
		if (chance(10) && !p->dead && p->has) {
			p->now = p->file = (struct proxy_value){ .slot = chance(2) ? BLUE : GREEN, .pin = true, .v.epoch = 1700000000 };
			TEXT_COPY(world_is.pin_by, "ann");
			note("somebody pins proxy %d to %s", (int)(p - world_is.px), slot_name(p->now.slot));
		}
		break;
	}
}

static void repairs_of_proxies(void)
{
	struct proxy_sim *p = &world_is.px[upto(N_PX)];

	p->refuses = false;
	if (!p->dead)
		return;
	p->dead = false;
	p->seen = 0;
	if (p->has && !p->now.pin) { /* it read its file again */
		p->now = p->file;
		p->held = p->now.v;
	}
}

static void faults(void)
{
	int s = (int)upto(2), t = (int)upto(N_TARGETS), f = (int)upto(N_FEATURES);

	if (chance(400))
		world_is.works[s][t][f] = !world_is.works[s][t][f];
	if (chance(400))
		for (int k = 0; k < N_TARGETS; k++)
			world_is.works[s][k][f] = false;
	if (chance(40))
		for (int k = 0; k < N_TARGETS; k++)
			world_is.works[s][k][f] = true;
	if (chance(300))
		world_is.target_out[s][t] = true;
	if (chance(40))
		world_is.target_out[s][t] = false;
	if (chance(600))
		world_is.hangs[s][t] = true;
	if (chance(30))
		world_is.hangs[s][t] = false;
	if (chance(800))
		world_is.identity[s][t] = false;
	if (chance(100))
		world_is.identity[s][t] = true;
	if (chance(world_is.reference_down ? 30 : 1500))
		world_is.reference_down = !world_is.reference_down;
	if (chance(world_is.blind ? 20 : 1500))
		world_is.blind = !world_is.blind;
	if (chance(150))
		faults_of_proxies();
	if (chance(3000))
		world_is.px[0].dead = world_is.px[1].dead = true;
	if (chance(30))
		repairs_of_proxies();
	if (chance(store.up ? 500 : 15))
		store.up = !store.up;
	if (chance(3000) && store.up)
		store_loses();
	if (chance(2000))
		restart();
	if (chance(3000))
		cfg.mode = chance(5) ? MODE_OBSERVE : chance(4) ? MODE_GATE : MODE_ENFORCE;
	if (cfg.mode == MODE_OBSERVE && chance(400))
		cfg.mode = MODE_ENFORCE;
	if (chance(3000))
		cfg.auto_promote = chance(4) ? false : true;
	if (chance(3000))
		cfg.offline_rollback = chance(4) ? false : true;
	if (chance(3000))
		cfg.initial = (enum slot)upto(3);
	if (chance(2000)) {
		int64_t gap = 2000 + upto(60000);

		world_is.ms += gap;
		health_blind(sw.health, now_us());
		note("a gap of %" PRId64 " ms", gap);
		if (chance(2) && sw.rec.active != NO_SLOT)
			for (int k = 0; k < N_TARGETS; k++)
				world_is.works[sw.rec.active][k][f] = false;
	}
	if (chance(4000)) {
		world_is.wall_off = chance(4) ? 0 : upto(7200000) - 3600000;
		note("the wall clock jumps to %+" PRId64 " s", world_is.wall_off / 1000);
	}
}

/* ---- a person ---- */

static void person(void)
{
	static struct input in;
	static uint64_t release = 1;

	in = (struct input){ .by = "ann", .slot = chance(3) ? (enum slot)upto(2) : NO_SLOT, .found_slot = NO_SLOT, .force = chance(6) };
	if (chance(2) || (in.force && !chance(4)))
		TEXT_COPY(in.why, "because");
	/* Mostly CI at work, else anything at any time. */
	if (chance(2)) {
		in.kind = sw.rec.phase == PH_FILLING ? IN_DEPLOY : chance(3) ? IN_CLAIM : IN_DEPLOY;
		in.force = false;
		in.slot = NO_SLOT;
	} else {
		in.kind = (enum input_kind)(IN_CLAIM + upto(N_INPUTS - IN_CLAIM));
	}
	if ((in.kind == IN_HOLD || in.kind == IN_SEAL) && !chance(4))
		in.kind = in.kind == IN_HOLD ? IN_RESUME : IN_UNSEAL;
	if (sw.rec.phase == PH_FLIPPING && chance(2)) {
		in.kind = IN_HOLD;
		world_is.px[upto(N_PX)].refuses = chance(2);
	}
	TEXT_FORMAT(in.release, "r%" PRIu64, chance(5) ? 1 + (uint64_t)upto((int64_t)release) : release++);
	if (chance(8) && sw.condemned.n)
		TEXT_COPY(in.release, sw.condemned.list[upto((int64_t)sw.condemned.n)].release);
	else if (chance(8) && sw.rec.active != NO_SLOT)
		TEXT_COPY(in.release, sw.rec.slot[chance(2)].id);
	else if (chance(200))
		TEXT_COPY(in.release, "no release");
	if (in.kind == IN_PARDON && sw.condemned.n)
		TEXT_COPY(in.release, sw.condemned.list[upto((int64_t)sw.condemned.n)].release);
	if (in.kind == IN_CLAIM && !chance(10))
		TEXT_FORMAT(in.claim_id, "c%" PRIu64, step_no);
	else if (!sw.rec.claim.id[0] && chance(10))
		TEXT_COPY(in.claim_id, "c0");
	else if (sw.rec.claim.id[0] && !chance(5)) {
		TEXT_COPY(in.claim_id, sw.rec.claim.id);
		if (in.kind == IN_DEPLOY && !chance(10))
			TEXT_COPY(in.release, sw.rec.claim.release);
	}
	TEXT_FORMAT(in.feature, "f%d", (int)upto(N_FEATURES + 1));
	in.stop = chance(5) ? STOP_READY : STOP_NONE;
	in.has_rollback = chance(8);
	in.rollback = (enum rollback_policy)upto(3);
	in.good_before = ghost_has(ghost.good, ghost.n_good, in.release);
	if (in.kind == IN_HOLD || in.kind == IN_MUTE)
		in.until = (wall_ms){ chance(4) ? 0 : wall().ms + upto(60000) - 1000 };
	if (in.kind == IN_FLIP && !chance(4)) {
		sw.pre_done = true;
		sw.pre_ok = !world_is.px[0].refuses && !world_is.px[1].refuses && !world_is.px[0].dead && !world_is.px[1].dead;
	}
	give(&in);
	if (D.row && D.refusal == RF_NONE && !sw.pending && sw.loaded)
		tick();
}

/* ---- one step ---- */

static void answers_due(void)
{
	if (sw.control_due && sw.control_due <= world_is.ms) {
		sw.control_done = true;
		sw.vacuous = !world_is.quiet && chance(40);
		sw.control_due = 0;
	}
	if (sw.preflight_due && sw.preflight_due <= world_is.ms) {
		sw.pre_done = true;
		sw.pre_ok = true;
		for (int i = 0; i < N_PX; i++)
			sw.pre_ok &= !world_is.px[i].dead && !world_is.px[i].refuses;
		sw.preflight_due = 0;
	}
}

static void polls(void)
{
	struct input in = { .kind = IN_TICK };

	if (!sw.loaded)
		return;
	for (int i = 0; i < N_PX; i++) {
		const struct proxy_sim *p = &world_is.px[i];

		if (p->dead || !p->has)
			continue;
		if (p->now.pin && world_is.pin_by[0] && !(sw.rec.pin.on && sw.rec.pin.slot == p->now.slot)) {
			in = (struct input){ .kind = IN_PIN, .by = "switchd", .slot = p->now.slot, .found_slot = p->now.slot, .found = true, .proxy = "px" };
			ghost.pins++;
			break;
		}
		if (!p->now.pin && version_cmp(p->now.v, sw.rec.v) > 0 && !sw.pending && store.up) {
			found(&in);
			break;
		}
	}
	if (in.kind != IN_TICK)
		give(&in);
}

static void step(void)
{
	ghost.in_phase[sw.rec.phase]++;
	ghost.away += !sw.loaded || !store.up;
	ghost.observing += cfg.mode == MODE_OBSERVE;
	ghost.suspect += sw.view.suspect;
	ghost.held += sw.rec.hold.on || sw.rec.pin.on;
	world_is.ms += world_is.quiet ? 100 + upto(1500) : 20 + upto(380);
	sw.fresh_asked = false;
	if (!world_is.quiet)
		faults();
	if (!sw.loaded || (sw.pending && store.up))
		load();
	if (sw.loaded) {
		tell_proxies();
		probes();
		answers_due();
		proxies_live();
		polls();
		tick();
		if (!world_is.quiet && chance(12))
			person();
		HOLDS(sw.rec.rev == 0 || sw.pending || version_cmp(sw.rec.v, store.rec.v) <= 0, "memory runs ahead of the store\n");
	} else {
		proxies_live();
	}
}

/* ---- rest: the faults end, and everything must come to rest ---- */

static void everything_works(void)
{
	for (int s = 0; s < 2; s++)
		for (int t = 0; t < N_TARGETS; t++) {
			for (int f = 0; f < N_FEATURES; f++)
				world_is.works[s][t][f] = true;
			world_is.identity[s][t] = true;
			world_is.target_out[s][t] = world_is.hangs[s][t] = false;
		}
	for (int i = 0; i < N_PX; i++)
		world_is.px[i].dead = world_is.px[i].refuses = false;
	world_is.blind = world_is.reference_down = false;
	world_is.quiet = true;
	store.up = true;
	cfg.mode = MODE_ENFORCE;
	cfg.auto_promote = true;
}

static void order(enum input_kind kind, bool force)
{
	struct input in = { .kind = kind, .by = "ann", .why = "rest", .slot = NO_SLOT, .found_slot = NO_SLOT, .force = force };

	give(&in);
}

static void rest(void)
{
	everything_works();
	note("rest");
	int64_t until = world_is.ms + 600000;

	while (world_is.ms < until) {
		step();
		if (sw.loaded && (sw.rec.hold.on || sw.rec.pin.on))
			order(IN_RESUME, false);
		if (sw.loaded && sw.rec.active == NO_SLOT && (sw.rec.phase == PH_STUCK || sw.rec.phase == PH_STEADY)) {
			struct input in = { .kind = IN_FLIP, .by = "ann", .why = "rest", .slot = BLUE, .found_slot = NO_SLOT, .force = true };

			give(&in);
		}
	}
	HOLDS(sw.loaded && !sw.pending, "at rest, and the record is not loaded\n");
	HOLDS(sw.rec.phase == PH_STEADY, "at rest for ten minutes, and still %s (until %+" PRId64 " ms, unknown %d whole %d)\n", phase_name(sw.rec.phase),
	      sw.rec.phase_until.ms - wall().ms, sw.view.suspect, sw.rec.active != NO_SLOT && sw.view.slot[sw.rec.active].whole);
	struct proxy_value v = decide_value(&sw.rec);

	for (int i = 0; i < N_PX && v.slot != NO_SLOT; i++)
		HOLDS(same_value(&world_is.px[i].now, &v), "at rest, and proxy %d shows %s\n", i, slot_name(world_is.px[i].now.slot));
	HOLDS(v.slot == NO_SLOT || sw.rec.slot[v.slot].state == RS_GOOD || !sw.rec.slot[v.slot].id[0], "at rest, and the active release is %s\n",
	      release_state_name(sw.rec.slot[v.slot].state));
	HOLDS(v.slot == NO_SLOT || !sw.rec.slot[v.slot].id[0] || sw.rec.slot[v.slot].was_good, "at rest, and the active release could not be gone back to\n");
	HOLDS(!sw.rec.shield, "at rest, and the shield is up\n");
	world_is.quiet = false;
}

/* ---- main ---- */

static void setup(void)
{
	static const char *const names[N_FEATURES] = { "f0", "f1", "f2", "f3" };

	for (int i = 0; i < N_FEATURES; i++)
		features[i] = (struct feature){
			.name = names[i], .path = "/", .url = "", .method = "GET", .body = "", .control_path = "", .severity = i == 3 ? SEV_WARN : SEV_CRITICAL,
			.rule = { .interval_ms = 1000, .idle_interval_ms = 10000, .fast_interval_ms = 200, .confirm_ms = 20, .timeout_ms = 2000, .rise = 2, .fall = 2,
				  .calm = 5, .via_slot = true, .via_front = true },
		};
	for (int i = 0; i < N_TARGETS; i++)
		targets[i] = (struct target){ .text = "t", .host = "127.0.0.1", .port = 80 };
	for (int i = 0; i < N_PX; i++)
		proxy_configs[i] = (struct proxy_config){ .name = i ? "px1" : "px0", .type = "haproxy", .front = "" };
	cfg = (struct service_config){
		.name = "shop", .front = "http://127.0.0.1", .slot = { { .targets = targets, .n_targets = N_TARGETS }, { .targets = targets, .n_targets = N_TARGETS } },
		.proxies = proxy_configs, .n_proxies = N_PX, .features = features, .n_features = N_FEATURES, .initial = (enum slot)(roll() % 3), .mode = MODE_ENFORCE, .rollback = RB_AUTO,
		.shield = true, .auto_promote = true, .offline_rollback = true, .bake_ms = 15000, .drain_ms = 1000, .prove_timeout_ms = 10000,
		.ready_timeout_ms = 20000, .flip_timeout_ms = 3000, .claim_ttl_ms = 15000, .rollback_window_ms = 120000, .unknown_limit_ms = 10000,
		.unknown_limit_bake_ms = 2000, .budget_per_ms = 60000, .budget_max = 3, .max_rate = 50, .observe = 2, .identity = { .on = true, .path = "/v" },
		.reference = { .text = "ref", .host = "127.0.0.1", .port = 80 }, .has_reference = true,
	};
	everything_works();
	world_is.quiet = false;
	sw.health = health_new(&cfg);
	sw.rec.active = NO_SLOT;
	store.up = true;
}

static void sum_up(void)
{
	size_t never = 0;
	struct row_info r;

	printf("%" PRIu64 " commits: %" PRIu64 " forward, %" PRIu64 " automatic back, %" PRIu64 " back, %" PRIu64 " forced; %" PRIu64 " baked, %" PRIu64 " refused, %" PRIu64
	       " offline, %" PRIu64 " lost replies, %" PRIu64 " restarts, %" PRIu64 " starts, %" PRIu64 " stuck, %" PRIu64 " pins, %" PRIu64 " asked anew\n",
	       ghost.commits, ghost.forwards, ghost.autos, ghost.backs, ghost.forces, ghost.baked, ghost.refused, ghost.offline, ghost.lost_replies, ghost.restarts,
	       ghost.starts, ghost.stucks, ghost.pins, ghost.freshes);
	for (size_t i = 0; i < decide_rows(); i++)
		if (!ghost.hits[i]) {
			never++;
			decide_row(i, &r);
			if (trace)
				printf("never: %s | %s | %s\n", r.at, r.on, r.because);
		}
	for (int p = 0; p < N_PHASES; p++)
		printf("%s %" PRIu64 "%s", phase_name((enum phase)p), ghost.in_phase[p] * 100 / (step_no ? step_no : 1), p + 1 < N_PHASES ? ", " : " % of the steps; ");
	printf("without a store %" PRIu64 " %%, suspect %" PRIu64 " %%, held %" PRIu64 " %%, observing %" PRIu64 " %%\n", ghost.away * 100 / step_no, ghost.suspect * 100 / step_no,
	       ghost.held * 100 / step_no, ghost.observing * 100 / step_no);
	printf("%zu of %zu rows fired\n", decide_rows() - never, decide_rows());
	printf("%" PRIu64 " passed, 0 failed (seed %" PRIu64 ", %" PRIu64 " steps)\n", checks, seed, step_no);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' }, { "steps", required_argument, NULL, 'n' }, { "trace", no_argument, NULL, 't' },
						 { NULL, 0, NULL, 0 } };
	uint64_t steps = 1000000;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (c == 't')
			trace = true;
		else if (c == '?' || !text_u64(optarg, c == 's' ? &seed : &steps)) {
			fprintf(stderr, "usage: core [--seed N] [--steps N] [--trace]\n");
			return 2;
		}
	rng = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
	signal(SIGABRT, aborted);
	setup();
	for (step_no = 0; step_no < steps; step_no++) {
		step();
		if (step_no % 10000 == 9999)
			rest();
	}
	health_free(&sw.health);
	sum_up();
	return 0;
}
