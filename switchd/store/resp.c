/* SPDX-License-Identifier: MIT
 * resp.c - a stream, and what is read of it (resp_in.h). */
#include "switchd/store/resp.h"

#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/store/resp_in.h"

struct resp {
	struct stream *stream;
	struct resp_in in;
	const struct resp_events *on;
	void *arg;
	bool *gone;             /* set when a callback frees it under us */
};

static void end(struct resp *p, const char *why)
{
	stream_free(&p->stream);
	p->on->ended(p->arg, why);
}

/* False: it has ended, or is gone. */
static bool hand_out(struct resp *p, redisReply *r)
{
	bool gone = false;

	p->gone = &gone;
	p->on->reply(p->arg, r, resp_in_more(&p->in));
	freeReplyObject(r);
	if (gone)
		return false;
	p->gone = NULL;
	return true;
}

static void on_data(void *arg, const char *data, size_t n)
{
	struct resp *p = arg;
	enum resp_got got;
	redisReply *reply;
	char why[160];

	if (p->on->bytes)
		p->on->bytes(p->arg);
	if (!resp_in_feed(&p->in, data, n)) {
		end(p, "out of memory");
		return;
	}
	while ((got = resp_in_next(&p->in, &reply, why)) == RESP_ONE)
		if (!hand_out(p, reply))
			return;
	if (got == RESP_BROKEN)
		end(p, why);
}

static void on_ended(void *arg, const char *why) { end(arg, why); }

static const struct stream_events events = { on_data, on_ended };

struct resp *resp_open(struct ev_loop *loop, const struct stream_order *o, size_t reply_max, const struct resp_events *on, void *arg)
{
	struct resp *p = xcalloc(1, sizeof(*p));

	p->on = on;
	p->arg = arg;
	resp_in_open(&p->in, reply_max);
	p->stream = stream_open(loop, o, &events, p);
	return p;
}

bool resp_send(struct resp *p, int argc, const char *const *argv, const size_t *lens)
{
	char *text = NULL;
	/* hiredis 0.14 takes a pointer to non-const; it writes through neither */
	long long n = p->stream ? redisFormatCommandArgv(&text, argc, (const char **)(uintptr_t)argv, lens) : -1;
	bool sent = n > 0 && stream_send(p->stream, text, (size_t)n);

	if (n > 0)
		redisFreeCommand(text);
	return sent;
}

bool resp_unread(const struct resp *p) { return p->stream && stream_unread(p->stream); }

void resp_free(struct resp **pp)
{
	struct resp *p = *pp;

	if (!p)
		return;
	*pp = NULL;
	if (p->gone)
		*p->gone = true;
	stream_free(&p->stream);
	resp_in_close(&p->in);
	free(p);
}

bool resp_is_status(const redisReply *r, const char *text)
{
	return r->type == REDIS_REPLY_STATUS && strcmp(r->str, text) == 0;
}

const char *resp_text(const redisReply *r, size_t i)
{
	if (r->type != REDIS_REPLY_ARRAY || i >= r->elements)
		return "";
	const redisReply *m = r->element[i];

	return m->type == REDIS_REPLY_STRING && strlen(m->str) == m->len ? m->str : "";
}

void resp_said(const redisReply *r, char *out, size_t size)
{
	bool text = r->type == REDIS_REPLY_ERROR || r->type == REDIS_REPLY_STATUS;

	text_printable(out, size, text ? r->str : "?", text ? r->len : 1);
}
