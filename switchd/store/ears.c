/* SPDX-License-Identifier: MIT
 * ears.c - what is published: a push with each commit that moves traffic, a heartbeat with each renewal of the
 * lease, a bye from a leader that stops, and the reports of agents.
 *
 * All of it is a hint that saves waiting: what counts is read from the keys.  Whoever may publish here can make
 * us read more often, and no more than that; an agent's record is the exception, and is judged by its version. */
#include <string.h>

#include "switchd/store/room.h"

enum { WORDS = 4 };

/* The next word of a message, NUL-terminated; false: there is none, or it is longer than any of ours. */
static bool word(const char **text, size_t *len, char out[160])
{
	size_t n = 0;

	while (n < *len && (*text)[n] != ' ')
		n++;
	if (!n || !text_copy_n(out, 160, *text, n))
		return false;
	n += n < *len;
	*text += n;
	*len -= n;
	return true;
}

static void on_event(struct store *st, const char *text, size_t len)
{
	char kind[160], a[160], b[160];
	uint64_t gen, top;

	if (!word(&text, &len, kind) || !word(&text, &len, a))
		return;
	if (strcmp(kind, "push") == 0 && name_ok(a)) {
		if (st->agent)
			follow_push(st, a, text, len);
		else
			standby_push(st, a);
	} else if (strcmp(kind, "hb") == 0 && word(&text, &len, b) && text_u64(a, &gen) && text_u64(b, &top)) {
		if (st->agent)
			follow_heartbeat(st, gen, top);
	} else if (strcmp(kind, "bye") == 0 && !st->agent && st->stage == SG_FOLLOWING) {
		lease_acquire(st); /* it stopped cleanly: somebody must lead, and at once */
	}
}

static void on_message(void *arg, const char *channel, const char *text, size_t len)
{
	struct store *st = arg;
	size_t n = strlen(channel);

	if (st->stage == SG_STOPPING || memchr(text, '\0', len))
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
