/* SPDX-License-Identifier: MIT
 * ears.c - what is published: a push with each commit that moves traffic, a heartbeat with each renewal of the
 * lease, a bye from a leader that stops, and the reports of agents.
 *
 * All of it is a hint that saves waiting: what counts is read from the keys.  Whoever may publish here can make
 * us read more often, and no more than that; an agent's record is the exception, and is judged by its version. */
#include <string.h>

#include "switchd/store/heard.h"
#include "switchd/store/room.h"

static void on_event(struct store *st, const char *text, size_t len)
{
	struct heard_event e;

	switch (heard_event(text, len, &e)) {
	case HEARD_NOTHING:
		return;
	case HEARD_PUSH:
		if (st->agent)
			follow_push(st, e.service, e.line, e.len);
		else
			standby_push(st, e.service);
		return;
	case HEARD_BEAT:
		if (st->agent)
			follow_heartbeat(st, e.gen, e.top);
		return;
	case HEARD_BYE:
		if (!st->agent && st->stage == SG_FOLLOWING)
			lease_acquire(st); /* it stopped cleanly: somebody must lead, and at once */
		return;
	}
}

static void on_message(void *arg, const char *channel, const char *text, size_t len)
{
	struct store *st = arg;
	size_t n = strlen(channel);

	if (st->stage == SG_STOPPING)
		return;
	if (n > 3 && strcmp(channel + n - 3, ":ev") == 0)
		on_event(st, text, len);
	else if (!st->agent)
		roster_hear(st, text, len);
}

static void on_ears(void *arg, bool up, const char *why)
{
	struct store *st = arg;
	char text[sizeof(st->deaf)];

	st->ears_up = up;
	text_copy(text, sizeof(text), up ? "" : why);
	if (text[0] && strcmp(text, st->deaf) != 0) /* tried again for ever, told once */
		log_warn("ears", "what=\"not subscribed: pushes and reports are not heard\" why=%s", LOG_Q(text));
	TEXT_COPY(st->deaf, text);
	if (st->agent)
		follow_look(st);
	else if (up)
		roster_read(st); /* what was said while we did not listen */
}

void ears_start(struct store *st, const struct link_config *lc)
{
	char ev[256], ak[256];
	const char *channels[2] = { ev, ak };

	store_key(st, ev, "ev");
	store_key(st, ak, "ak");
	st->ears = link_subscribe(st->loop, lc, channels, st->agent ? 1 : 2, on_message, on_ears, st);
}

void ears_stop(struct store *st)
{
	link_free(&st->ears);
	st->ears_up = false;
}
