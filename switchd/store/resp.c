/* SPDX-License-Identifier: MIT
 * resp.c - a stream and hiredis's reader. */
#include "switchd/store/resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"

struct resp {
	struct stream *stream;
	redisReader *reader;
	const struct resp_events *on;
	void *arg;
	size_t max;
	size_t unanswered;      /* bytes since the last whole reply: hiredis frees its buffer as it builds one */
	bool *gone;             /* set when a callback frees it under us */
};

/* An array is allocated when its header is read, so its size is judged there, not after. */
#if HIREDIS_MAJOR < 1
static redisReplyObjectFunctions functions;
static void *(*plain_array)(const redisReadTask *, int);

static void *small_array(const redisReadTask *task, int n)
{
	return n > RESP_ELEMENTS_MAX ? NULL : plain_array(task, n);
}

static void limit_arrays(redisReader *r)
{
	if (!plain_array) {
		functions = *r->fn;
		plain_array = functions.createArray;
		functions.createArray = small_array;
	}
	r->fn = &functions;
}
#else
static void limit_arrays(redisReader *r) { r->maxelements = RESP_ELEMENTS_MAX; }
#endif

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
	p->on->reply(p->arg, r, p->reader->pos < p->reader->len);
	freeReplyObject(r);
	if (gone)
		return false;
	p->gone = NULL;
	return true;
}

static void end_too_long(struct resp *p)
{
	char why[64];

	TEXT_FORMAT(why, p->max >= 1 << 20 ? "a reply of over %zu MiB" : "a reply of over %zu KiB", p->max >= 1 << 20 ? p->max >> 20 : p->max >> 10);
	end(p, why);
}

static void on_data(void *arg, const char *data, size_t n)
{
	struct resp *p = arg;
	char why[160];
	void *reply;

	p->unanswered += n;
	if (p->on->bytes)
		p->on->bytes(p->arg);
	if (redisReaderFeed(p->reader, data, n) != REDIS_OK) {
		end(p, "out of memory");
		return;
	}
	while (redisReaderGetReply(p->reader, &reply) == REDIS_OK) {
		size_t rest = reply ? p->reader->len - p->reader->pos : 0;

		/* Its own bytes: what came behind it in the same piece is not its fault. */
		if (p->unanswered - rest > p->max) {
			if (reply)
				freeReplyObject(reply);
			end_too_long(p);
			return;
		}
		if (!reply)
			return;
		p->unanswered = rest;
		if (!hand_out(p, reply))
			return;
	}
	text_printable(why, sizeof(why), p->reader->errstr, strlen(p->reader->errstr));
	end(p, why);
}

static void on_ended(void *arg, const char *why) { end(arg, why); }

static const struct stream_events events = { on_data, on_ended };

struct resp *resp_open(struct ev_loop *loop, const struct stream_order *o, size_t reply_max, const struct resp_events *on, void *arg)
{
	struct resp *p = xcalloc(1, sizeof(*p));

	p->on = on;
	p->arg = arg;
	p->max = reply_max;
	p->reader = redisReaderCreate();
	must(p->reader != NULL);
	limit_arrays(p->reader);
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
	redisReaderFree(p->reader);
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
