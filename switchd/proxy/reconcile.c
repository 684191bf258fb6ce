/* SPDX-License-Identifier: MIT
 * reconcile.c - told, seen, put right. */
#include "switchd/proxy/reconcile.h"

enum {
	RETRY_FIRST_MS = 50, RETRY_MOST_MS = 2000,
	FIGHT_MS = 60000,       /* B5.6: a foreign value is put right once a minute at most */
	/* An older value this soon after a write, once: a reload lost it, between the pid that was asked for and the map that was. */
	OWN_RELOAD_MS = 30000,
};

bool reconcile_down(enum proxy_result r) { return r == PX_ABSENT || r == PX_TIMEOUT || r == PX_HALF; }

void reconcile_want(struct reconcile *r) { r->acked = r->forgiven = false; }

void reconcile_telling(struct reconcile *r) { r->retry_at = (mono_us){ 0 }; }

bool reconcile_due(const struct reconcile *r, mono_us now) { return r->retry_at.us && r->retry_at.us <= now.us && !r->fight; }

static bool is_pin(const struct proxy_answer *a) { return a->has_value && a->value.pin; }

enum reconcile_told reconcile_told(struct reconcile *r, const struct proxy_answer *a, mono_us now)
{
	r->away = reconcile_down(a->result) || (a->result != PX_OK && r->away);
	if (a->result == PX_NEWER)
		return TOLD_NEWER;
	if (a->result == PX_PINNED && is_pin(a))
		return TOLD_PIN;
	if (a->result == PX_OK) {
		if (!r->acked)
			r->acked_at = now;
		r->acked = true;
		r->fight = false;
		r->retry_ms = 0;
		r->retry_at = (mono_us){ 0 };
		return TOLD_ACKED;
	}
	r->acked = false;
	r->retry_ms = !r->retry_ms ? RETRY_FIRST_MS : r->retry_ms * 2 > RETRY_MOST_MS ? RETRY_MOST_MS : r->retry_ms * 2;
	r->retry_at = mono_plus_ms(now, r->retry_ms);
	return TOLD_FAILED;
}

/* It shows something else than what it was told, older or not ours at all. */
static enum reconcile_seen differs(struct reconcile *r, bool older, bool away, mono_us now)
{
	bool lost = away || r->forgiving || !r->acked_at.us;

	if (!lost && older && !r->forgiven && mono_since_ms(now, r->acked_at) < OWN_RELOAD_MS)
		lost = r->forgiven = true;
	r->acked = false;
	if (lost) {
		r->fight = false;
		return SEEN_LOST;
	}
	if (r->foreign_at.us && mono_since_ms(now, r->foreign_at) < FIGHT_MS) {
		bool begins = !r->fight;

		r->fight = true;
		return begins ? SEEN_FIGHT : SEEN_LEAVE;
	}
	r->foreign_at = now;
	r->fight = false;
	return SEEN_FOREIGN;
}

enum reconcile_seen reconcile_seen(struct reconcile *r, const struct proxy_answer *a, const struct proxy_value *want, mono_us now)
{
	bool shows = a->result == PX_OK && a->has_value, none = a->result == PX_BAD_VALUE || a->result == PX_NO_MAP;
	bool away = r->away || a->restarted;

	r->away = away || reconcile_down(a->result);
	if (shows && a->value.pin)
		return SEEN_PIN;
	if (!want || (a->result != PX_OK && !none))
		return SEEN_LEAVE;
	if (shows && version_cmp(a->value.v, want->v) > 0)
		return SEEN_NEWER;
	if (shows && proxy_value_same(&a->value, want)) {
		r->away = false;
		return away || !r->acked ? SEEN_TELL : SEEN_LEAVE;
	}
	/* Ours could not be written yet: what it shows is no foreign word, and the retry is on its way. */
	if (r->retry_at.us && !r->fight && !away)
		return SEEN_LEAVE;
	r->away = false;
	return differs(r, !shows || version_cmp(a->value.v, want->v) < 0, away, now);
}
