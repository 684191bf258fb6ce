/* SPDX-License-Identifier: MIT
 * orders.c - I3: every acknowledged order is in the audit exactly once.
 *
 * An event does not carry the request's id, so orders and events are matched by kind and time: each
 * acknowledged order takes the first event of its kind, by a person, between its sending and its answer;
 * a deploy takes the one of its release.  What is left over by a person must belong to an order whose
 * answer was not an acknowledgement, and only once. */
#include "tests/chaos/check/check.h"

struct order { const char *rid, *verb, *release; int64_t sent, said; int exit; bool answered, acked, nothing, matched; char because[120]; long deploy; };
static struct order *orders;
static size_t n_orders, cap_orders;

static const struct { const char *verb, *kind; } kinds[] = {
	{ "claim", "claim.taken" }, { "unclaim", "claim.given_back" }, { "deploy", "deploy.started" }, { "abort", "deploy.aborted" }, { "flip", "flip.decided" },
	{ "rollback", "rollback.decided" }, { "drill", "drill.begun" }, { "hold", "hold.set" }, { "resume", "hold.cleared" }, { "seal", "sealed" },
	{ "unseal", "unsealed" }, { "note", "note" }, { "state repair", "store.repaired" },
};
/* Rows of the transitions that change nothing: acknowledged, and no event. */
static const char *const nothings[] = { "traffic is being put back already", "this claim stands already", "the same release in the same slot is the same deploy" };

enum { LOST_US = 10000000 };

static const char *kind_of(const char *verb)
{
	for (size_t i = 0; i < FAKE_LEN(kinds); i++)
		if (strcmp(kinds[i].verb, verb) == 0)
			return kinds[i].kind;
	return "";
}

static bool by_person(const struct event *e) { return strcmp(e->by, "switchd") != 0; }

static struct order *order_of(const char *rid)
{
	for (size_t i = n_orders; i-- > 0;)
		if (strcmp(orders[i].rid, rid) == 0)
			return &orders[i];
	return NULL;
}

/* Documented exit codes only (I12). */
static void judge_exit(const struct line *l, int exit)
{
	static const int known[] = { 0, 10, 11, 12, 13, 14, 15, 16 };
	bool ok = false;

	for (size_t i = 0; i < FAKE_LEN(known); i++)
		ok = ok || exit == known[i];
	if (field_number(l, "late") == 1)
		breach(finding("I12"), "switchctl %s (%s) at %lld did not end in its own time", field(l, "verb"), field(l, "rid"), (long long)l->at);
	else if (!ok)
		breach(finding("I12"), "switchctl %s (%s) at %lld ended with %d", field(l, "verb"), field(l, "rid"), (long long)l->at, exit);
}

static void answer(struct order *o, const struct line *l)
{
	json_t *j = json_loads(field(l, "json"), 0, NULL);
	const char *because = json_string_value(json_object_get(j, "because"));
	int exit = (int)field_number(l, "exit");
	bool deploys = strcmp(o->verb, "deploy") == 0;

	judge_exit(l, exit);
	o->answered = true;
	o->said = l->at;
	o->exit = exit;
	snprintf(o->because, sizeof(o->because), "%s", because ? because : "");
	for (size_t i = 0; i < FAKE_LEN(nothings); i++)
		o->nothing = o->nothing || strcmp(o->because, nothings[i]) == 0;
	o->deploy = deploys ? (long)json_integer_value(json_object_get(j, "deploy")) : 0;
	/* A deploy is acknowledged with its number, however it ended; a move that was undone was acknowledged too. */
	bool moved = exit == 11 && (strcmp(o->verb, "drill") == 0 || strcmp(o->verb, "flip") == 0);
	o->acked = o->acked || (deploys ? o->deploy > 0 && json_object_get(j, "outcome") : exit == 0 || moved);
	json_decref(j);
}

static void collect(const struct run *r)
{
	for (size_t i = 0; i < r->n_lines; i++) {
		const struct line *l = &r->lines[i];
		struct order *o;

		if (strcmp(l->word, "order") != 0 || !*field(l, "rid"))
			continue;
		if (field_is(l, "what", "sent")) {
			if (order_of(field(l, "rid")))
				continue;
			GROW(orders, n_orders, cap_orders);
			orders[n_orders++] = (struct order){ .rid = field(l, "rid"), .verb = field(l, "verb"), .sent = l->at, .said = INT64_MAX, .release = field(l, "release") };
		} else if (field_is(l, "what", "said") && (o = order_of(field(l, "rid"))))
			answer(o, l);
	}
}

static bool fits(const struct order *o, const struct event *e, int64_t until)
{
	if (e->used || !by_person(e) || strcmp(e->kind, kind_of(o->verb)) != 0)
		return false;
	if (strcmp(o->verb, "deploy") == 0)
		return strcmp(e->release, o->release) == 0;
	/* Events carry milliseconds. */
	return e->at >= o->sent - 5000 && e->at <= until;
}

static int take(struct run *r, const struct order *o, int64_t until, int most)
{
	int n = 0;

	for (size_t i = 0; i < r->n_events && n < most; i++)
		if (fits(o, &r->events[i], until)) {
			r->events[i].used = true;
			n++;
		}
	return n;
}

/* A rollback while traffic is being put back already changes nothing, and is acknowledged. */
static bool reverting_already(const struct run *r, const struct order *o)
{
	bool reverting = false;

	if (strcmp(o->verb, "rollback") != 0)
		return false;
	for (size_t i = 0; i < r->n_events; i++) {
		const struct event *e = &r->events[i];

		if (e->at > o->said)
			break;
		if (strcmp(e->kind, "rollback.decided") == 0 || strcmp(e->kind, "drill.back") == 0)
			reverting = true;
		else if (strcmp(e->kind, "rollback.done") == 0 && e->at < o->sent - 5000)
			reverting = false;
	}
	return reverting;
}

/* The store lost its last commits, and said so in the first event of a new generation: with them went what the archive had not read yet. */
static bool lost_with_store(const struct run *r, const struct order *o)
{
	for (size_t i = 0; i < r->n_events; i++)
		if (strcmp(r->events[i].kind, "store.new_generation") == 0 && r->events[i].at >= o->sent - 5000 && r->events[i].at <= o->said + LOST_US)
			return true;
	return false;
}

void check_orders(struct run *r)
{
	struct finding *f = finding("I3");
	long acked = 0, refused = 0, unknown = 0, left = 0, lost = 0;

	collect(r);
	for (size_t i = 0; i < n_orders; i++) {
		struct order *o = &orders[i];

		acked += o->acked;
		refused += o->answered && !o->acked && o->exit != 13;
		unknown += !o->answered || (!o->acked && o->exit == 13);
		if (!o->acked || o->nothing)
			continue;
		bool deploys = strcmp(o->verb, "deploy") == 0;
		int n = take(r, o, o->said + 5000, deploys ? 10 : 1);
		if (n == 0 && reverting_already(r, o))
			continue;
		if (n == 0 && lost_with_store(r, o))
			lost++;
		else if (n != 1)
			breach(f, "%s (%s) from %lld to %lld was acknowledged (exit %d, \"%s\") and is in the audit %d times", o->verb, o->rid, (long long)o->sent, (long long)o->said, o->exit,
			       o->because, n);
	}
	/* What nobody acknowledged may have been done all the same: once. */
	for (size_t i = 0; i < n_orders; i++)
		if (!orders[i].acked)
			(void)take(r, &orders[i], orders[i].exit == 13 || !orders[i].answered ? INT64_MAX : orders[i].said + 3000000, 1);
	for (size_t i = 0; i < r->n_events; i++) {
		const struct event *e = &r->events[i];
		bool ordered = false;

		for (size_t k = 0; k < FAKE_LEN(kinds); k++)
			ordered = ordered || strcmp(kinds[k].kind, e->kind) == 0;
		if (!ordered || !by_person(e) || e->used)
			continue;
		left++;
		breach(f, "event %llu-%llu (%s by %s at %lld) belongs to no order, or to one that was recorded before", (unsigned long long)e->gen, (unsigned long long)e->seq, e->kind, e->by,
		       (long long)e->at);
	}
	f->seen = (long)n_orders;
	snprintf(f->note, sizeof(f->note), "orders: %ld acknowledged, %ld refused, %ld unknown; %ld acknowledged ones were lost with a store that lost its last commits and said so", acked, refused, unknown, lost);
	if (r->gaps)
		breach(f, "%ld gaps in the archive", r->gaps);
}
