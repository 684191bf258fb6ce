/* SPDX-License-Identifier: MIT
 * subscriber.c - a link that listens.
 *
 * On a RESP2 connection that is subscribed no commands go out but PING, and everything that comes is an array that names
 * itself: subscribe, message, pong.  A channel may be silent for hours, so silence is broken by us. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/store/link_room.h"

static void look_again(struct link *l, int64_t ms)
{
	l->looked = mono_now();
	ev_timer_stop(l->loop, &l->deadline);
	ev_now_update(l->loop);
	ev_timer_set(&l->deadline, (double)ms / 1000, 0.);
	ev_timer_start(l->loop, &l->deadline);
}

void subscriber_start(struct link *l)
{
	const char **argv = xcalloc(l->n_channels + 1, sizeof(*argv));
	size_t *lens = xcalloc(l->n_channels + 1, sizeof(*lens));

	argv[0] = "SUBSCRIBE";
	for (size_t i = 0; i < l->n_channels; i++)
		argv[i + 1] = l->channels[i];
	for (size_t i = 0; i <= l->n_channels; i++)
		lens[i] = strlen(argv[i]);
	l->subscribing = true;
	if (!resp_send(l->resp, (int)l->n_channels + 1, argv, lens))
		link_drop(l, "cannot send");
	free(argv);
	free(lens);
}

static bool ours(const struct link *l, const char *channel)
{
	for (size_t i = 0; i < l->n_channels; i++)
		if (strcmp(l->channels[i], channel) == 0)
			return true;
	return false;
}

void subscriber_reply(struct link *l, const redisReply *r)
{
	const char *word = resp_text(r, 0), *channel = resp_text(r, 1);

	if (r->type == REDIS_REPLY_ERROR) {
		greet_failed(l, l->state == L_UP ? "subscribed" : "SUBSCRIBE", r);
	} else if (strcmp(word, "message") == 0 && r->elements == 3 && ours(l, channel) && r->element[2]->type == REDIS_REPLY_STRING) {
		/* One that comes before all are subscribed would be heard by a caller who is told "down": it reads after up. */
		if (l->state == L_UP)
			l->message(l->arg, channel, r->element[2]->str, r->element[2]->len);
	} else if (strcmp(word, "subscribe") == 0 && l->subscribed < l->n_channels && strcmp(channel, l->channels[l->subscribed]) == 0) {
		if (++l->subscribed < l->n_channels)
			return;
		look_again(l, LINK_PING_MS);
		link_came_up(l);
	} else if (strcmp(word, "pong") != 0 || l->state != L_UP) {
		link_drop(l, "an answer nobody asked for");
	}
}

/* Called by the timer that look_again() set. */
void subscriber_tick(struct link *l)
{
	static const char *const ping[] = { "PING" };
	static const size_t four[] = { 4 };
	mono_us now = mono_now();
	int64_t silent = mono_since_ms(now, l->heard);

	/* We stood still ourselves: the server was asked nothing meanwhile, so its silence says nothing. */
	if (mono_since_ms(now, l->looked) > 2 * LINK_PING_MS || resp_unread(l->resp)) {
		if (!l->graced && silent >= LINK_PING_MS) {
			l->graced = true;
			l->heard = mono_plus_ms(now, -LINK_PING_MS);
			silent = LINK_PING_MS;
		}
	} else {
		l->graced = false;
	}
	if (silent < LINK_PING_MS) {
		look_again(l, LINK_PING_MS - silent);
	} else if (silent >= LINK_SILENT_MS) {
		link_drop(l, "no sign of life");
	} else if (!resp_send(l->resp, 1, ping, four)) {
		link_drop(l, "cannot send");
	} else {
		look_again(l, silent + LINK_PING_MS > LINK_SILENT_MS ? LINK_SILENT_MS - silent : LINK_PING_MS);
	}
}

struct link *link_subscribe(struct ev_loop *loop, const struct link_config *cfg, const char *const *channels, size_t n,
			    link_message_fn *message, link_state_fn *fn, void *arg)
{
	struct link *l = link_new(loop, cfg, fn, arg);

	must(n > 0 && n <= LINK_CHANNELS_MAX);
	/* What is published to a master is published by its replicas too. */
	l->any_role |= !l->sentinels;
	l->channels = xcalloc(n, sizeof(*l->channels));
	l->n_channels = n;
	for (size_t i = 0; i < n; i++)
		l->channels[i] = xstrdup(channels[i]);
	l->message = message;
	return l;
}

void subscriber_forget(struct link *l)
{
	for (size_t i = 0; i < l->n_channels; i++)
		free(l->channels[i]);
	free(l->channels);
}
