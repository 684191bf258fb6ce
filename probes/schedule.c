/* SPDX-License-Identifier: MIT
 * schedule.c - turns, lanes and cells on one timer.
 *
 * A *turn* is a feature's clock on a slot (or through the front): when it strikes, the
 * next target, or every target, wants to be asked.  A *lane* is a target's ceiling: what
 * wants to be asked waits there in order and leaves at most max_rate times a second, so
 * that a list too long is stretched evenly and nothing starves.  A *cell* is one feature
 * on one target: at most one probe of it is in flight.  What is asked for at once
 * (confirm, fresh, front_now) passes the lane, and the lane makes up for it afterwards.
 *
 * All times wait in one heap and one ev_timer: the loop wakes when something is due. */
#include "probes/schedule.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <ev.h>

#include "probes/due.h"

enum {
	WRITES_EVERY_MS = 60000,        /* B1.4: a probe that writes, at any pace */
	SLACK_US = 1000,                /* what is due so soon goes with what is due now: one wake-up */
	GRID_US = 1000,
	BURST_US = 10000,               /* above 100/s a lane may send in small groups: the loop is no metronome */
	DEBT_US = 1000000,              /* ordinary probes give way for so long at most */
	MANY_US = 10000000,             /* a probe of many requests is paid for at this much at most */
	AT_ONCE = 256,                  /* probes started in one go: no callback holds the loop (I10) */
	/* Ordinary probes started in one turn of the loop by all schedules together, and past that by each: a prober that
	 * is behind stays late, and answers, time-outs and decisions do not wait for it to catch up. */
	STARTS_A_TURN = 64, STARTS_EACH = 1,
	BEHIND_US = 20000,              /* so late a turn is our own slowness */
	OUT_AFTER = 2,
	FRONT = 2,                      /* the third "slot" of turns */
};

enum node_kind { NODE_TURN, NODE_LANE, NODE_CELL };

struct lane {
	struct due node;                /* first: a node is cast to what it is part of */
	TAILQ_HEAD(, cell) line;
	int64_t next_free, step;        /* step 0 = no ceiling */
	int outs;                       /* in a row */
};

struct cell {
	struct due node;                /* a confirmation that is asked for */
	TAILQ_ENTRY(cell) line;         /* in its lane */
	TAILQ_ENTRY(cell) urgent;
	struct schedule *s;
	struct lane *lane;
	struct probe_handle *flight;
	int64_t began, confirm_asked;
	enum probe_via via;
	enum slot slot;
	size_t target, feature, proxy;
	bool in_line, is_urgent, again, missed, observe;
};

struct turn {
	struct due node;
	int where;                      /* BLUE, GREEN, FRONT */
	size_t feature, next_target;
	int64_t sent;                   /* last time; 0 never */
};

struct schedule {
	struct ev_loop *loop;
	struct probe_runner *runner;
	const struct service_config *cfg;
	probe_done_fn *done;
	void *arg;
	size_t n_turns, n_fronts;       /* features and identity; proxies that can be asked */
	double *cost;                   /* of each turn: requests that its last probe took */
	struct turn *turns[3];
	struct lane *lanes[3];          /* targets; FRONT: proxies */
	struct cell *cells[3];          /* [target or proxy][n_turns] */
	size_t n_lanes[3];
	enum pace pace[3];
	enum slot front_slot;
	id_text release[2];
	tag_text digest[2];
	double stretch[2];
	TAILQ_HEAD(, cell) urgent;
	struct due_list due;
	ev_timer timer;
	int64_t armed_for;              /* 0 = not armed */
	uint64_t random, sent;
	struct spread late;             /* turns, after they were due */
	bool behind;
	int slow;                       /* every period so many times as long */
	int depth;                      /* done() is on the stack */
	bool doomed;
};

static int64_t now_us(void) { return mono_now().us; }

/* How many more may be started in this turn; all schedules of a process share one loop, or take turns. */
static struct { const struct ev_loop *loop; unsigned turn; int left; } starts;

static int starts_left(const struct schedule *s)
{
	unsigned turn = ev_iteration(s->loop);

	if (starts.loop != s->loop || starts.turn != turn)
		starts.loop = s->loop, starts.turn = turn, starts.left = STARTS_A_TURN;
	return starts.left;
}

/* ---- what the config and the paces say ---- */

static const struct feature *feature_of(const struct schedule *s, size_t f)
{
	return f < s->cfg->n_features ? &s->cfg->features[f] : NULL;
}

/* Identity has no rule of its own: it is asked as often as the first feature. */
static const struct probe_rule *rule_of(const struct schedule *s, size_t f)
{
	return &s->cfg->features[f < s->cfg->n_features ? f : 0].rule;
}

static bool writes(const struct schedule *s, size_t f) { return f < s->cfg->n_features && s->cfg->features[f].writes; }

static int64_t period_us(const struct schedule *s, int where, size_t f)
{
	const struct probe_rule *r = rule_of(s, f);
	enum pace p = s->pace[where];
	int64_t ms = p == PACE_IDLE ? r->idle_interval_ms : p == PACE_FAST && !writes(s, f) ? r->fast_interval_ms : r->interval_ms;

	if (writes(s, f) && ms < WRITES_EVERY_MS)
		ms = WRITES_EVERY_MS;
	return (ms > 0 ? ms : 1) * 1000 * s->slow;
}

static bool every_target(const struct schedule *s, int where, size_t f)
{
	return where == FRONT || (s->pace[where] == PACE_FAST && !writes(s, f));
}

static bool is_idle(const struct schedule *s, int slot)
{
	return s->pace[slot] == PACE_IDLE || (s->front_slot != NO_SLOT && (int)s->front_slot != slot);
}

static bool eligible(const struct schedule *s, int where, size_t f)
{
	const struct feature *x = feature_of(s, f);

	if (s->pace[where] == PACE_OFF || s->n_lanes[where] == 0)
		return false;
	if (where == FRONT)
		return x && s->front_slot != NO_SLOT && x->rule.via_front;
	if (x && x->writes && s->slow > 1)
		return false;
	if (!x)
		return s->cfg->identity.on && s->release[where][0];
	return x->rule.via_slot && !(x->writes && is_idle(s, where) && !x->idle);
}

/* B1.4: with more to ask than max_rate allows, everything is asked more seldom, in proportion. */
static void reckon(struct schedule *s)
{
	double front = 0; /* requests a second, of each proxy */

	for (size_t f = 0; f < s->n_turns; f++)
		if (eligible(s, FRONT, f))
			front += s->cost[f] * 1e6 / (double)period_us(s, FRONT, f);
	for (int slot = BLUE; slot <= GREEN; slot++) {
		double each = 0; /* a second, on each target */

		for (size_t f = 0; f < s->n_turns; f++)
			if (eligible(s, slot, f))
				each += s->cost[f] * 1e6 / (double)period_us(s, slot, f) / (every_target(s, slot, f) ? 1. : (double)s->n_lanes[slot]);
		if ((int)s->front_slot == slot && s->n_lanes[slot])
			each += front * (double)s->n_lanes[FRONT] / (double)s->n_lanes[slot];
		s->stretch[slot] = each > s->cfg->max_rate ? each / s->cfg->max_rate : 1.;
	}
	for (size_t p = 0; p < s->n_lanes[FRONT]; p++)
		s->lanes[FRONT][p].step = s->front_slot != NO_SLOT && s->stretch[s->front_slot] > 1. && front > 0 ?
			(int64_t)(1e6 * s->stretch[s->front_slot] / front) : 0;
}

static uint64_t next_random(struct schedule *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

/* +-10 %, so that controllers, features and targets do not fall into step. What writes is never early. */
static int64_t jittered(struct schedule *s, int64_t us, bool never_early)
{
	double part = (double)(next_random(s) >> 11) / (double)(1ULL << 53);

	return never_early ? us + (int64_t)((double)us * 0.1 * part) : (int64_t)((double)us * (0.9 + 0.2 * part));
}

/* ---- sending ---- */

static void on_probe(void *arg, const struct probe_result *);

/* A front probe lands on some target of the active slot: each of those that are in pays its share. */
static void charge_front(struct schedule *s, int64_t now, unsigned requests, int64_t debt)
{
	struct lane *lanes;
	size_t n, in = 0;

	if (s->front_slot == NO_SLOT)
		return;
	lanes = s->lanes[s->front_slot];
	n = s->n_lanes[s->front_slot];
	for (size_t i = 0; i < n; i++)
		in += lanes[i].outs < OUT_AFTER;
	for (size_t i = 0; i < n && in; i++)
		if (lanes[i].outs < OUT_AFTER && lanes[i].next_free < now + debt)
			lanes[i].next_free = (lanes[i].next_free > now ? lanes[i].next_free : now) + lanes[i].step * (int64_t)requests / (int64_t)in;
}

/* A probe of several requests is counted when it has ended: its lane gives way for as long as they would have taken. */
static void charge_more(struct cell *c, unsigned requests)
{
	struct lane *l = c->lane;
	int64_t now = now_us(), from = l->next_free > now ? l->next_free : now;

	l->next_free = from + l->step * (int64_t)requests;
	if (l->next_free > now + MANY_US)
		l->next_free = now + MANY_US;
	if (c->via == VIA_FRONT)
		charge_front(c->s, now, requests, MANY_US);
}

static void leave_line(struct cell *c)
{
	if (!c->in_line)
		return;
	TAILQ_REMOVE(&c->lane->line, c, line);
	c->in_line = false;
}

static void send(struct cell *c, int64_t now)
{
	struct schedule *s = c->s;
	struct lane *l = c->lane;
	bool identity = c->feature == s->cfg->n_features;
	struct probe_job job = {
		.via = c->via, .purpose = identity ? PURPOSE_IDENTITY : c->observe ? PURPOSE_OBSERVE : PURPOSE_VOTE,
		.slot = c->via == VIA_FRONT ? s->front_slot : c->slot, .target = c->target, .feature = c->feature, .proxy = c->proxy,
		.release = s->release[c->slot], .digest = s->digest[c->slot],
		.fresh = c->via == VIA_FRONT || (!identity && rule_of(s, c->feature)->fresh),
	};

	leave_line(c);
	c->missed = c->observe = false;
	c->began = now;
	if (l->next_free < now + DEBT_US)
		l->next_free = (l->next_free > now ? l->next_free : now) + l->step;
	if (c->via == VIA_FRONT)
		charge_front(s, now, 1, DEBT_US);
	s->sent++;
	starts.left--;
	c->flight = probe_start(s->runner, &job, on_probe, c);
}

static void serve_lane(struct schedule *s, struct lane *l, int64_t now)
{
	int64_t burst = l->step < BURST_US ? BURST_US : 0;
	struct cell *c;

	while ((c = TAILQ_FIRST(&l->line))) {
		if (l->next_free - burst > now) {
			due_set(&s->due, &l->node, l->next_free - burst);
			return;
		}
		send(c, now);
	}
	due_remove(&s->due, &l->node);
}

/* An ordinary probe. */
static void want(struct cell *c)
{
	if (c->flight) {
		/* At the fast pace a slow answer is followed by the next probe at once, unless it is we who are slow:
		 * who is behind and asks more for it never catches up. */
		c->missed = !c->s->behind && c->s->pace[c->via == VIA_FRONT ? FRONT : (int)c->slot] == PACE_FAST && !writes(c->s, c->feature);
	} else if (!c->in_line && !c->is_urgent) {
		c->in_line = true;
		TAILQ_INSERT_TAIL(&c->lane->line, c, line);
	}
}

/* Past the ceiling; a probe in flight began too early to be what is asked for. */
static void want_now(struct cell *c)
{
	if (c->flight) {
		c->again = true;
	} else if (!c->is_urgent) {
		leave_line(c);
		c->is_urgent = true;
		TAILQ_INSERT_TAIL(&c->s->urgent, c, urgent);
	}
}

static void serve_urgent(struct schedule *s, int64_t now)
{
	struct cell *c;

	for (int n = 0; n < AT_ONCE && (c = TAILQ_FIRST(&s->urgent)); n++) {
		TAILQ_REMOVE(&s->urgent, c, urgent);
		c->is_urgent = false;
		send(c, now);
	}
}

/* ---- time ---- */

static void strike(struct schedule *s, struct turn *t, int64_t now)
{
	int w = t->where;
	size_t n = s->n_lanes[w];

	int64_t late = now_us() - t->node.at;

	spread_add(&s->late, late);
	s->behind = late > BEHIND_US;
	due_set(&s->due, &t->node, now + jittered(s, period_us(s, w, t->feature), writes(s, t->feature)));
	t->sent = now;
	for (size_t k = 0; k < n; k++) {
		size_t at = every_target(s, w, t->feature) ? k : (t->next_target + k) % n;
		struct cell *c = &s->cells[w][at * s->n_turns + t->feature];

		if (every_target(s, w, t->feature)) {
			want(c);
			serve_lane(s, c->lane, now);
		} else if (!c->flight && !c->in_line && !c->is_urgent) {
			t->next_target = at + 1;
			want(c);
			serve_lane(s, c->lane, now);
			return;
		}
	}
}

static void confirm_due(struct schedule *s, struct cell *c)
{
	due_remove(&s->due, &c->node);
	if (c->flight && c->began >= c->confirm_asked)
		return; /* an ordinary probe came first and says the same */
	want_now(c);
}

static void arm(struct schedule *s, int64_t now)
{
	const struct due *first = due_first(&s->due);
	int64_t due = !TAILQ_EMPTY(&s->urgent) ? now : first ? first->at : 0;

	/* The schedules of all services wake in the same moments: one turn of the loop for what is due in one ms. */
	if (due > now)
		due += (GRID_US - due % GRID_US) % GRID_US;
	if (due == s->armed_for && due)
		return;
	ev_timer_stop(s->loop, &s->timer);
	s->armed_for = due;
	if (!due)
		return;
	ev_timer_set(&s->timer, due > now ? (double)(due - now) / 1e6 : 0., 0.);
	ev_timer_start(s->loop, &s->timer);
}

static void tick(struct schedule *s, int64_t now)
{
	uint64_t before = s->sent;

	for (int n = 0; n < AT_ONCE && due_first(&s->due) && due_first(&s->due)->at <= now + SLACK_US; n++) {
		struct due *top = due_first(&s->due);

		if (starts_left(s) <= 0 && s->sent - before >= STARTS_EACH)
			break;

		if (top->kind == NODE_TURN) {
			strike(s, (struct turn *)top, now);
		} else if (top->kind == NODE_CELL) {
			confirm_due(s, (struct cell *)top);
		} else {
			/* At its own time, not a slack earlier: else it would only be put back. */
			serve_lane(s, (struct lane *)top, top->at > now ? top->at : now);
		}
	}
	serve_urgent(s, now);
	arm(s, now);
}

static void on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct schedule *s = t->data;

	(void)loop, (void)revents;
	s->armed_for = 0;
	tick(s, now_us());
}

static void destroy(struct schedule *s)
{
	for (int w = 0; w < 3; w++) {
		free(s->turns[w]);
		free(s->lanes[w]);
		free(s->cells[w]);
	}
	free(s->cost);
	due_close(&s->due);
	free(s);
}

static void on_probe(void *arg, const struct probe_result *r)
{
	struct cell *c = arg;
	struct schedule *s = c->s;

	c->flight = NULL;
	if (s->doomed)
		return;
	if (r->requests > 1)
		charge_more(c, r->requests - 1);
	if (r->requests && s->cost[c->feature] != r->requests && r->outcome != OUT_CANCELLED) {
		s->cost[c->feature] = r->requests;
		reckon(s);
	}
	c->lane->outs = outcome_info(r->outcome)->class == OC_OUT ? c->lane->outs + 1 : 0;
	s->depth++;
	s->done(s->arg, r);
	s->depth--;
	if (s->doomed) {
		if (!s->depth)
			destroy(s);
		return;
	}
	int64_t now = now_us();

	if (c->again) {
		c->again = false;
		want_now(c);
	} else if (c->missed) {
		c->missed = false;
		want(c);
		serve_lane(s, c->lane, now);
	}
	serve_urgent(s, now);
	arm(s, now);
}

/* ---- orders ---- */

/* Sets each turn of a slot going or stops it; those that go begin evenly spread. */
static void start_turns(struct schedule *s, int w, int64_t now)
{
	for (size_t f = 0; f < s->n_turns; f++) {
		struct turn *t = &s->turns[w][f];
		int64_t period, due;

		if (!eligible(s, w, f)) {
			due_remove(&s->due, &t->node);
			continue;
		}
		period = period_us(s, w, f);
		due = now + period * (int64_t)f / (int64_t)s->n_turns;
		if (writes(s, f)) {
			/* A change of pace is no reason to write again, nor to begin with it. */
			due = t->node.place ? t->node.at : t->sent ? t->sent + period : due;
			due = due > now ? due : now;
		}
		due_set(&s->due, &t->node, due);
	}
	if (s->pace[w] == PACE_OFF)
		for (size_t i = 0; i < s->n_lanes[w]; i++) {
			struct cell *c;

			while ((c = TAILQ_FIRST(&s->lanes[w][i].line)))
				leave_line(c);
			due_remove(&s->due, &s->lanes[w][i].node);
		}
}

void schedule_pace(struct schedule *s, enum slot slot, enum pace pace)
{
	int64_t now = now_us();

	must(slot <= GREEN);
	if (s->pace[slot] == pace)
		return;
	s->pace[slot] = pace;
	start_turns(s, (int)slot, now);
	reckon(s);
	arm(s, now);
}

void schedule_slow(struct schedule *s, int times)
{
	int64_t now = now_us();

	must(times > 0);
	if (s->slow == times)
		return;
	s->slow = times;
	for (int where = BLUE; where <= FRONT; where++)
		start_turns(s, where, now);
	reckon(s);
	arm(s, now);
}

void schedule_front(struct schedule *s, enum slot slot, enum pace pace)
{
	int64_t now = now_us();

	if (slot == NO_SLOT)
		pace = PACE_OFF;
	if (s->front_slot == slot && s->pace[FRONT] == pace)
		return;
	bool moved = s->front_slot != slot;

	s->front_slot = slot;
	s->pace[FRONT] = pace;
	start_turns(s, FRONT, now);
	for (int w = BLUE; w <= GREEN && moved; w++) /* which slot is idle decides what may write there */
		for (size_t f = 0; f < s->cfg->n_features; f++)
			if (writes(s, f)) {
				if (!eligible(s, w, f))
					due_remove(&s->due, &s->turns[w][f].node);
				else if (!s->turns[w][f].node.place)
					due_set(&s->due, &s->turns[w][f].node, now + period_us(s, w, f));
			}
	reckon(s);
	arm(s, now);
}

static void ask_who(struct schedule *s, enum slot slot)
{
	int64_t now = now_us();
	struct turn *t = &s->turns[slot][s->cfg->n_features];

	if (!eligible(s, (int)slot, s->cfg->n_features))
		due_remove(&s->due, &t->node);
	else
		due_set(&s->due, &t->node, now); /* another release: who is there now? */
	reckon(s);
	arm(s, now);
}

void schedule_release(struct schedule *s, enum slot slot, const char *release)
{
	must(slot <= GREEN);
	if (strcmp(s->release[slot], release) == 0)
		return;
	TEXT_COPY(s->release[slot], release);
	ask_who(s, slot);
}

void schedule_digest(struct schedule *s, enum slot slot, const char *digest)
{
	must(slot <= GREEN);
	if (strcmp(s->digest[slot], digest) == 0)
		return;
	TEXT_COPY(s->digest[slot], digest);
	ask_who(s, slot);
}

static struct cell *cell_of(struct schedule *s, int w, size_t lane, size_t feature)
{
	return lane < s->n_lanes[w] && feature < s->n_turns ? &s->cells[w][lane * s->n_turns + feature] : NULL;
}

void schedule_confirm(struct schedule *s, enum slot slot, size_t target, size_t feature, int64_t after_ms)
{
	struct cell *c = slot <= GREEN ? cell_of(s, (int)slot, target, feature) : NULL;
	int64_t now = now_us();

	if (!c || writes(s, feature) || c->node.place || c->is_urgent)
		return;
	c->confirm_asked = now;
	if (after_ms > 0) {
		due_set(&s->due, &c->node, now + after_ms * 1000);
	} else {
		confirm_due(s, c);
		serve_urgent(s, now);
	}
	arm(s, now);
}

void schedule_fresh(struct schedule *s, enum slot slot)
{
	int64_t now = now_us();

	must(slot <= GREEN);
	for (size_t t = 0; t < s->n_lanes[slot]; t++)
		for (size_t f = 0; f < s->n_turns; f++) {
			const struct feature *x = feature_of(s, f);

			if (x ? x->rule.via_slot && !x->writes : s->cfg->identity.on && s->release[slot][0])
				want_now(cell_of(s, (int)slot, t, f));
		}
	serve_urgent(s, now);
	arm(s, now);
}

void schedule_front_now(struct schedule *s, size_t proxy, size_t feature)
{
	struct cell *c = feature < s->cfg->n_features ? cell_of(s, FRONT, proxy, feature) : NULL;
	int64_t now = now_us();

	if (!c || s->front_slot == NO_SLOT)
		return;
	c->observe = true;
	want_now(c);
	serve_urgent(s, now);
	arm(s, now);
}

double schedule_stretch(const struct schedule *s, enum slot slot) { return slot <= GREEN ? s->stretch[slot] : 1.; }
const struct spread *schedule_late(const struct schedule *s) { return &s->late; }
uint64_t schedule_sent(const struct schedule *s) { return s->sent; }

/* ---- birth and death ---- */

static void lay_out(struct schedule *s, int w, size_t n_lanes, int64_t step)
{
	s->n_lanes[w] = n_lanes;
	s->turns[w] = xcalloc(s->n_turns, sizeof(*s->turns[w]));
	s->lanes[w] = xcalloc(n_lanes, sizeof(*s->lanes[w]));
	s->cells[w] = xcalloc(n_lanes * s->n_turns, sizeof(*s->cells[w]));
	for (size_t f = 0; f < s->n_turns; f++)
		s->turns[w][f] = (struct turn){ .node.kind = NODE_TURN, .where = w, .feature = f };
	for (size_t i = 0; i < n_lanes; i++) {
		struct lane *l = &s->lanes[w][i];

		l->node.kind = NODE_LANE;
		l->step = step;
		TAILQ_INIT(&l->line);
		for (size_t f = 0; f < s->n_turns; f++)
			s->cells[w][i * s->n_turns + f] = (struct cell){
				.node.kind = NODE_CELL, .s = s, .lane = l, .via = w == FRONT ? VIA_FRONT : VIA_SLOT,
				.slot = w == FRONT ? NO_SLOT : (enum slot)w, .target = w == FRONT ? 0 : i, .proxy = w == FRONT ? i : 0,
				.feature = f,
			};
	}
}

struct schedule *schedule_new(struct ev_loop *loop, struct probe_runner *runner, const struct service_config *cfg, probe_done_fn *done,
			      void *arg)
{
	struct schedule *s = xcalloc(1, sizeof(*s));
	size_t fronts = cfg->n_proxies ? cfg->n_proxies : 1, nodes = 0;
	bool any_front = cfg->front[0] != '\0';

	must(cfg->max_rate > 0 && cfg->n_features > 0);
	for (size_t p = 0; p < cfg->n_proxies; p++)
		any_front |= cfg->proxies[p].front[0] != '\0';
	s->loop = loop;
	s->runner = runner;
	s->cfg = cfg;
	s->done = done;
	s->arg = arg;
	s->front_slot = NO_SLOT;
	s->n_turns = cfg->n_features + 1;
	s->cost = xcalloc(s->n_turns, sizeof(*s->cost));
	for (size_t f = 0; f < s->n_turns; f++)
		s->cost[f] = 1.;
	s->random = (uint64_t)now_us() * 0x9e3779b97f4a7c15ULL | 1;
	s->stretch[BLUE] = s->stretch[GREEN] = 1.;
	s->slow = 1;
	TAILQ_INIT(&s->urgent);
	lay_out(s, BLUE, cfg->slot[BLUE].n_targets, 1000000 / cfg->max_rate);
	lay_out(s, GREEN, cfg->slot[GREEN].n_targets, 1000000 / cfg->max_rate);
	lay_out(s, FRONT, any_front ? fronts : 0, 0);
	for (int w = 0; w < 3; w++)
		nodes += s->n_turns + s->n_lanes[w] * (1 + s->n_turns);
	due_open(&s->due, nodes);
	ev_timer_init(&s->timer, on_timer, 0., 0.);
	s->timer.data = s;
	return s;
}

void schedule_free(struct schedule **sp)
{
	struct schedule *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	s->doomed = true;
	ev_timer_stop(s->loop, &s->timer);
	for (int w = 0; w < 3; w++)
		for (size_t i = 0; i < s->n_lanes[w] * s->n_turns; i++)
			if (s->cells[w][i].flight)
				probe_cancel(s->cells[w][i].flight);
	if (!s->depth)
		destroy(s);
}
