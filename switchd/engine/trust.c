/* SPDX-License-Identifier: MIT
 * trust.c - is what the store holds of a service ours?  What is not is refused, said, and never written over.
 *
 * While we lead, nobody else may change a record.  Twice a second a mark of what stands is compared (store_look); when it
 * moved, the record is read whole and judged.  A value that is none, or one that no commit of ours made, is refused: the last
 * good record stays in memory and on the proxies, nothing is decided, orders are refused with the reason.  It ends when the
 * value is as it was again, or with `switchctl state repair`. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/engine/service.h"

enum { WATCH_MS = 500, WATCH_BEAT = 256 /* services looked at in one beat of the engine */ };

bool trust_stops(const struct service *s) { return s->bad.on; }

static void note(struct service *s, const char *kind, const char *because, const char *detail)
{
	static struct event ev;

	memset(&ev, 0, sizeof(ev));
	TEXT_COPY(ev.kind, kind);
	TEXT_COPY(ev.service, s->cfg->name);
	TEXT_COPY(ev.by, "switchd");
	ev.at = wall_now();
	ev.from = ev.to = s->rec.active;
	ev.from_v = ev.to_v = s->rec.v;
	ev.because = because;
	text_copy(ev.detail, sizeof(ev.detail), detail);
	publish_event(s->e, &ev);
}

/* seen: what stands there, if it can be read at all. */
static void refuse(struct service *s, bool foreign, const char *why, const struct record *seen)
{
	struct refused_value *b = &s->bad;
	bool again = b->on && b->foreign == foreign && strcmp(b->why, why) == 0;

	if (!b->on)
		b->since = wall_now();
	b->on = true;
	b->foreign = foreign;
	text_copy(b->why, sizeof(b->why), why);
	b->known = seen != NULL;
	if (seen) {
		b->v = seen->v;
		b->rev = seen->rev;
		TEXT_COPY(b->cid, seen->cid);
	}
	s->loaded = s->loaded || s->rec.rev; /* the last good one stands */
	if (again)
		return;
	log_error("store-refused", "service=%s foreign=%d why=%s", s->cfg->name, foreign, LOG_Q(why));
	note(s, foreign ? "store.foreign" : "store.corrupt",
	     foreign ? "the store holds a record that no switchd wrote: refused; the last good one stands"
		     : "what the store holds cannot be read: refused; the last good one stands", why);
	publish_change(s);
}

static void trusted(struct service *s)
{
	if (!s->bad.on)
		return;
	memset(&s->bad, 0, sizeof(s->bad));
	log_info("store-refused", "service=%s what=\"it is good again\"", s->cfg->name);
	note(s, "store.healed", "what the store holds is as it should be again", "");
	publish_change(s);
}

static bool same(const struct record *a, const struct record *b)
{
	return version_cmp(a->v, b->v) == 0 && a->rev == b->rev && strcmp(a->cid, b->cid) == 0 && a->active == b->active && a->shield == b->shield;
}

void trust_sent(struct service *s, const char *rid)
{
	TEXT_COPY(s->own_rids[s->own_rid++ % ARRAY_LEN(s->own_rids)], rid);
}

static bool own(const struct service *s, const char *cid)
{
	for (size_t i = 0; i < ARRAY_LEN(s->own_rids); i++)
		if (strcmp(s->own_rids[i], cid) == 0)
			return true;
	return false;
}

static void foreign(struct service *s, const struct record *r)
{
	char why[256], v[VERSION_TEXT], mine[VERSION_TEXT];

	TEXT_FORMAT(why, "it says %s at %s (revision %llu, request %s); we know %s at %s (revision %llu)", slot_name(r->active), version_text(r->v, v),
		    (unsigned long long)r->rev, r->cid, slot_name(s->rec.active), version_text(s->rec.v, mine), (unsigned long long)s->rec.rev);
	refuse(s, true, why, r);
}

/* True: what the store answered must not be taken. */
bool trust_refuses(struct service *s, const struct store_answer *a)
{
	const struct journal_entry *j = journal_last(s->e->journal, s->cfg->name);
	const struct record *r = a->record;

	if (a->result == ST_BAD_DATA) {
		refuse(s, false, a->detail, NULL);
		return true;
	}
	if (a->result != ST_OK)
		return false;
	if (a->none) {
		if (!s->sure && !s->bad.on)
			return false;
		/* It is gone: evicted, deleted.  What is missing is restored from what we know. */
		log_error("store", "service=%s what=\"its record is gone from the store: it is restored\"", s->cfg->name);
		trusted(s);
		s->sure = false;
		store_reconcile(s->e->store, "a record is gone from the store");
		return true;
	}
	if (s->bad.on && s->bad.known && version_cmp(r->v, s->bad.v) == 0 && r->rev == s->bad.rev && strcmp(r->cid, s->bad.cid) == 0)
		return true; /* as refused before, whoever led meanwhile */
	/* While we lead it can only be the last one, or one whose answer we never had; else the journal knows that version too. */
	bool forked = s->sure ? !same(r, &s->rec) && !own(s, r->cid)
			      : j && j->kind == JR_COMMITTED && version_cmp(r->v, j->record.v) == 0 && r->rev == j->record.rev && !same(r, &j->record);

	if (forked) {
		foreign(s, r);
		return true;
	}
	s->sure = store_is_up(s->e->store);
	trusted(s);
	return false;
}

void trust_away(struct service *s) { s->sure = s->doubt = false; }

/* ---- the look ---- */

struct look { struct engine *e; name_text service; char mark[41]; uint64_t rev; };

static bool busy(const struct service *s) { return s->committing || s->replaying || s->loading || s->pending || (!s->loaded && !s->bad.on); }

static void look_read(void *arg, const struct store_answer *a)
{
	struct look *l = arg;
	struct service *s = engine_find(l->e, l->service);

	if (s)
		s->looking = false;
	/* A commit in between: this is a picture of before, or of after. */
	if (s && !s->bad.on && s->sure && a->record && !same(a->record, &s->rec) && !own(s, a->record->cid) && !s->doubt) {
		/* Another hand, or another history that we are about to notice: the next look asks for that first. */
		s->doubt = true;
		s->e->next_look = (mono_us){ 0 };
		free(l);
		return;
	}
	if (s)
		s->doubt = false;
	if (s && !busy(s) && s->rec.rev == l->rev && (a->result == ST_OK || a->result == ST_BAD_DATA)) {
		bool was = s->bad.on;

		if (trust_refuses(s, a)) {
			/* The same again is not read again. */
			TEXT_COPY(s->mark, l->mark);
		} else {
			TEXT_COPY(s->mark, l->mark);
			if (was || (a->record && !same(a->record, &s->rec)))
				service_reload_record(s);
		}
		service_tick(s);
	}
	free(l);
}

static void look_at(struct service *s, const struct store_looked *w)
{
	struct look *l;

	if (busy(s) || s->looking)
		return;
	if (w->trouble[0]) {
		s->mark[0] = '\0';
		if (w->gone && !s->bad.on && s->rec.rev && !s->e->standby) { /* what is gone is no value: it is written anew */
			log_error("store", "service=%s what=\"its public record is gone from the store: it is restored\"", s->cfg->name);
			store_new_generation(s->e->store, 0, "a public record is gone from the store");
			return;
		}
		refuse(s, false, w->trouble, NULL);
		service_tick(s);
		return;
	}
	if (strcmp(w->mark, s->mark) == 0)
		return;
	l = xcalloc(1, sizeof(*l));
	l->e = s->e;
	l->rev = s->rec.rev;
	TEXT_COPY(l->service, s->cfg->name);
	if (!TEXT_COPY(l->mark, w->mark))
		l->mark[0] = '\0';
	s->looking = true;
	store_load(s->e->store, s->cfg->name, look_read, l);
}

static void watched(void *arg, const struct store_looked *list, size_t n)
{
	struct engine *e = arg;

	for (size_t i = 0; i < n && !e->stopping; i++) {
		struct service *s = engine_find(e, list[i].service);

		if (s)
			look_at(s, &list[i]);
	}
}

void trust_beat(struct engine *e)
{
	const char *names[STORE_LOOK_MOST];
	mono_us now = mono_now();
	size_t n = 0, left = WATCH_BEAT;

	if (store_state(e->store) == STORE_AWAY || (e->watch_at == 0 && e->next_look.us > now.us))
		return;
	if (e->watch_at == 0)
		e->next_look = mono_plus_ms(now, WATCH_MS);
	while (e->watch_at < e->n && left > 0) {
		const struct service *s = e->services[e->watch_at++];

		/* Who stands by looks only whether what was refused is good again: the leader looks for both. */
		if (!e->standby || s->bad.on)
			names[n++] = s->cfg->name, left--;
		if (n == STORE_LOOK_MOST || e->watch_at >= e->n || !left) {
			store_look(e->store, names, n, watched, e);
			n = 0;
		}
	}
	if (e->watch_at >= e->n)
		e->watch_at = 0;
}

void trust_say(const struct service *s, char *out, size_t size)
{
	text_format(out, size, "what the store holds of it is refused: %s; switchctl state repair %s", s->bad.why, s->cfg->name);
}
