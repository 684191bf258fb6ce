/* SPDX-License-Identifier: MIT
 * moves.c - goes through the events once, from the first to the last, and keeps what they say: I5, I6, I8, I14, I16. */
#include "tests/chaos/check/check.h"

enum { MAX_CONDEMNED = 4096 };
static struct {
	int active;
	struct version v;
	bool drilling, pinned;
	int held, sealed, claimed;      /* -1: a store that lost its last events does not say */
	struct { bool held, sealed, claimed; size_t condemned; uint64_t gen; } lost;    /* of the generation that ends with a loss */
	int automatic;          /* automatic rollbacks since the last forward flip */
	char release[3][72];    /* by slot */
	char (*condemned)[72];
	size_t n_condemned;
} now;

static bool is(const struct event *e, const char *kind) { return strcmp(e->kind, kind) == 0; }
static bool automatic(const struct event *e) { return is(e, "rollback.decided") && strcmp(e->by, "switchd") == 0 && strstr(e->because, "lost a feature"); }

static bool condemned(const char *release)
{
	for (size_t i = 0; i < now.n_condemned; i++)
		if (*release && strcmp(now.condemned[i], release) == 0)
			return true;
	return false;
}

static void name(const struct event *e, char *out, size_t size)
{
	snprintf(out, size, "%s %llu-%llu at %lld", e->kind, (unsigned long long)e->gen, (unsigned long long)e->seq, (long long)e->at);
}

/* ---- I5 ---- */

/* The evidence of a loss: what came back here that should not have, and what the other slot answered. */
static bool shows_loss(const json_t *evidence, char *why, size_t size)
{
	const json_t *list = json_is_object(evidence) ? json_object_get(evidence, "features") : evidence, *f;
	size_t i;

	snprintf(why, size, "no feature in its evidence");
	json_array_foreach(list, i, f) {
		const char *here = json_string_value(json_object_get(json_object_get(f, "here"), "outcome"));
		const char *there = json_string_value(json_object_get(json_object_get(f, "there"), "outcome"));

		if (here && there && strcmp(here, "present") != 0 && strcmp(there, "present") == 0)
			return true;
		snprintf(why, size, "%s: here %s, there %s", json_string_value(json_object_get(f, "feature")), here ? here : "nothing", there ? there : "nothing");
	}
	return false;
}

static void judge_move(const struct event *e)
{
	struct finding *f = finding("I5");
	char what[120], why[200];

	if (!e->from || !e->to || e->from == e->to)
		return;
	name(e, what, sizeof(what));
	f->seen++;
	if (!*e->by || !*e->because)
		breach(f, "%s has no actor or no reason", what);
	if (e->to_v.gen && version_cmp(e->to_v, e->from_v) <= 0)
		breach(f, "%s goes from %llu.%llu to %llu.%llu", what, (unsigned long long)e->from_v.gen, (unsigned long long)e->from_v.epoch, (unsigned long long)e->to_v.gen,
		       (unsigned long long)e->to_v.epoch);
	if (automatic(e) && !shows_loss(json_object_get(e->json, "evidence"), why, sizeof(why)))
		breach(f, "%s (%s): its evidence shows no loss: %s", what, e->because, why);
}

/* ---- I6, I8, I14 ---- */

static void judge_automatic(const struct event *e)
{
	struct finding *better = finding("I6"), *once = finding("I8");
	char what[120];

	if (!automatic(e))
		return;
	name(e, what, sizeof(what));
	better->seen++;
	once->seen++;
	if (now.sealed == 1)
		breach(better, "%s: the service is sealed", what);
	if (now.claimed == 1)
		breach(better, "%s: the slot is claimed", what);
	if (condemned(now.release[e->to]))
		breach(better, "%s: %s on %s is condemned", what, now.release[e->to], slot_word(e->to));
	if (now.held == 1)
		breach(once, "%s: the service is held", what);
	if (!now.drilling && ++now.automatic > 1)
		breach(once, "%s: the second automatic move since the last flip forward", what);
}

static void judge_held(const struct event *e)
{
	static const char *const forward[] = { "flip.decided", "claim.taken", "deploy.started", "drill.begun" };
	char what[120];

	if (now.held != 1)
		return;
	name(e, what, sizeof(what));
	for (size_t i = 0; i < FAKE_LEN(forward); i++)
		if (is(e, forward[i]))
			breach(finding("I14"), "%s while the service is held", what);
}

/* ---- the fold ---- */

static void condemn(const char *release)
{
	if (!now.condemned)
		now.condemned = need(calloc(MAX_CONDEMNED, sizeof(*now.condemned)));
	if (*release && !condemned(release) && now.n_condemned < MAX_CONDEMNED)
		snprintf(now.condemned[now.n_condemned++], sizeof(now.condemned[0]), "%s", release);
}

#define AS_KNOWN "condemned, as is known here: "       /* a restored record brings them back */

static bool missed(const struct event *e) { return is(e, "store.repaired") && strstr(e->detail, "more than the last good record"); }

static void fold_rest(const struct event *e)
{
	char release[72] = "", slot[16] = "";

	/* What journal and proxies knew: the events of the commits that were lost are no part of it. */
	if (is(e, "store.restored") || is(e, "store.regressed")) {
		now.drilling = false;
		now.claimed = -1;
	}
	/* Who repaired had not heard the last commits, and said so. */
	if (missed(e))
		now.held = now.sealed = now.claimed = -1;
	if (strncmp(e->kind, "store.", 6) == 0 && strncmp(e->detail, AS_KNOWN, strlen(AS_KNOWN)) == 0) {
		char list[512], *save;

		snprintf(list, sizeof(list), "%s", e->detail + strlen(AS_KNOWN));
		for (char *one = strtok_r(list, ", ", &save); one; one = strtok_r(NULL, ", ", &save))
			condemn(one);
	}
	if (is(e, "hold.set"))
		now.held = 1;
	if (is(e, "hold.cleared")) {
		now.held = 0;
		now.pinned = false;
	}
	if (is(e, "pin.adopted"))
		now.pinned = true;
	if (is(e, "sealed") || is(e, "unsealed"))
		now.sealed = e->kind[0] == 's';
	if (is(e, "claim.taken")) {
		now.claimed = 1;
		if (now.active)
			now.release[now.active == BLUE ? GREEN : BLUE][0] = '\0';
	}
	if (is(e, "claim.given_back") || is(e, "claim.expired") || is(e, "deploy.started") || is(e, "rollback.decided"))
		now.claimed = 0;
	/* "deploy 12: r40 in green" */
	if (is(e, "deploy.started") && sscanf(e->detail, "deploy %*d: %71s in %15[a-z]", release, slot) == 2 && slot_of(slot))
		snprintf(now.release[slot_of(slot)], sizeof(now.release[0]), "%s", release);
	if (is(e, "flip.decided"))
		now.automatic = 0;
	if (is(e, "drill.begun") || is(e, "drill.done"))
		now.drilling = e->kind[6] == 'b';
	/* A release is condemned with the commit that leaves it, unless both slots held it, or a drill did. */
	if (automatic(e) && !now.drilling && !strstr(e->because, "both slots hold one release"))
		condemn(e->release);
}

static void fold(const struct event *e)
{
	struct finding *f = finding("I16");
	struct version to = e->to_v, from = e->from_v;
	char what[120];

	if (!e->to && !e->from)
		return;
	f->seen++;
	name(e, what, sizeof(what));
	/* A service's first event of a generation does not know its number yet. */
	if (!to.gen)
		to.gen = e->gen;
	bool same = now.v.gen && from.gen == now.v.gen && to.gen == now.v.gen;
	if (same && (version_cmp(from, now.v) != 0 || e->from != now.active))
		breach(f, "%s begins at %s %llu.%llu, the one before it ended at %s %llu.%llu", what, slot_word(e->from), (unsigned long long)from.gen, (unsigned long long)from.epoch,
		       slot_word(now.active), (unsigned long long)now.v.gen, (unsigned long long)now.v.epoch);
	/* What was decided while the store was away is recorded after the record that came of it. */
	if (to.gen >= e->gen || version_cmp(to, now.v) >= 0) {
		now.active = e->to;
		now.v = to;
	}
	fold_rest(e);
}

/* Who leads next may know what was lost, from its own journal, or may not: the record says nothing certain of it until the next
 * word.  A commit that was not durable at a second server may be lost with the first (docs/fleet.md). */
static void after_a_loss(const struct event *e)
{
	if (now.lost.gen && e->gen > now.lost.gen && !e->lost) {
		now.held = now.lost.held ? -1 : now.held;
		now.sealed = now.lost.sealed ? -1 : now.sealed;
		now.claimed = now.lost.claimed ? -1 : now.claimed;
		now.automatic = 0;
		now.lost.held = now.lost.sealed = now.lost.claimed = false;
		now.lost.gen = 0;
	}
	if (!e->lost)
		return;
	now.lost.gen = e->gen;
	now.lost.held |= is(e, "hold.set") || is(e, "hold.cleared");
	now.lost.sealed |= is(e, "sealed") || is(e, "unsealed");
	now.lost.claimed |= strncmp(e->kind, "claim.", 6) == 0 || is(e, "deploy.started") || is(e, "rollback.decided");
	now.lost.condemned += automatic(e) && !condemned(e->release);
}

static void compare_end(const struct run *r)
{
	struct finding *f = finding("I16");
	const json_t *s = r->last_status, *c;
	char etag[64];
	size_t i;

	if (!s) {
		breach(f, "no controller could say its record at the end");
		return;
	}
	const char *active = json_string_value(json_object_get(s, "active")), *said = json_string_value(json_object_get(s, "etag"));
	snprintf(etag, sizeof(etag), "%llu.%llu", (unsigned long long)now.v.gen, (unsigned long long)now.v.epoch);
	if (!active || strcmp(active, slot_word(now.active)) != 0)
		breach(f, "the events end with %s, the record says %s", slot_word(now.active), active ? active : "none");
	if (!said || strcmp(said, etag) != 0)
		breach(f, "the events end with %s, the record says %s", etag, said ? said : "nothing");
	bool held = json_is_object(json_object_get(s, "hold")), sealed = json_is_object(json_object_get(s, "sealed")), claimed = json_is_object(json_object_get(s, "claim"));
	if (now.held >= 0 && held != (now.held == 1))
		breach(f, "the events end %s, the record %s", now.held ? "held" : "not held", held ? "is held" : "is not");
	if (now.sealed >= 0 && sealed != (now.sealed == 1))
		breach(f, "the events end %s, the record %s", now.sealed ? "sealed" : "not sealed", sealed ? "is sealed" : "is not");
	if (now.claimed >= 0 && claimed != (now.claimed == 1))
		breach(f, "the events end %s, the record %s", now.claimed ? "claimed" : "not claimed", claimed ? "has a claim" : "has none");
	json_array_foreach(json_object_get(s, "condemned"), i, c)
		if (!condemned(json_string_value(json_object_get(c, "release")) ? json_string_value(json_object_get(c, "release")) : ""))
			breach(f, "%s is condemned in the record, and no event condemned it", json_string_value(json_object_get(c, "release")));
	size_t listed = json_array_size(json_object_get(s, "condemned"));
	/* The list has 256 places: the oldest give way. */
	if (listed + now.lost.condemned < now.n_condemned && listed < 256)
		breach(f, "%zu releases were condemned by events, the record has %zu", now.n_condemned, listed);
}

static bool hold_lost(const struct run *r, int64_t from, int64_t until)
{
	for (size_t i = 0; i < r->n_events; i++)
		if (((r->events[i].lost && is(&r->events[i], "hold.set")) || missed(&r->events[i])) && r->events[i].at >= from - 5000000 && r->events[i].at <= until)
			return true;
	return false;
}

/* I14, as the API saw it: between the answer to a hold and the sending of its end, it stands. */
static void judge_seen(const struct run *r)
{
	struct finding *f = finding("I14");
	int64_t since = 0;
	bool on = false;

	for (size_t i = 0; i < r->n_lines; i++) {
		const struct line *l = &r->lines[i];

		if (strcmp(l->word, "order") == 0) {
			if (field_is(l, "verb", "hold") && field_is(l, "what", "said") && field_number(l, "exit") == 0) {
				on = true;
				since = l->at;
				f->seen++;
			}
			if (field_is(l, "verb", "resume") && field_is(l, "what", "sent"))
				on = false;
		}
		if (strcmp(l->word, "eye") == 0 && on && field_number(l, "began") > since && field_is(l, "held", "0") && !hold_lost(r, since, l->at))
			breach(f, "held since %lld by the answer, and not held at %lld by the status of controller %s", (long long)since, (long long)l->at, field(l, "who"));
	}
	snprintf(f->note, sizeof(f->note), "holds");
}

void check_moves(struct run *r)
{
	size_t lost = 0;

	for (size_t i = 0; i < r->n_events; i++) {
		const struct event *e = &r->events[i];

		after_a_loss(e);
		lost += e->lost;
		judge_move(e);
		judge_held(e);
		judge_automatic(e);
		fold(e);
	}
	compare_end(r);
	judge_seen(r);
	snprintf(finding("I5")->note, sizeof(finding("I5")->note), "moves of traffic");
	snprintf(finding("I6")->note, sizeof(finding("I6")->note), "automatic moves");
	snprintf(finding("I8")->note, sizeof(finding("I8")->note), "automatic moves");
	snprintf(finding("I16")->note, sizeof(finding("I16")->note), "events folded into %s at %llu.%llu, %zu condemned, %zu lost with a store", slot_word(now.active), (unsigned long long)now.v.gen,
		 (unsigned long long)now.v.epoch, now.n_condemned, lost);
	if (!r->n_events)
		breach(finding("I16"), "there are no events");
}
