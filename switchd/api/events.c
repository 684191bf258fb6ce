/* SPDX-License-Identifier: MIT
 * events.c - server-sent events.  Pulled: a slow reader is asked less often and catches up from what is kept;
 * when it fell too far behind it is told so and reads the timeline. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/api/route.h"

enum { KEPT = 256, HEARTBEAT_MS = 10000, MAX_STREAMS = 64 };

struct kept { char id[44]; char *json; uint64_t seq; };

/* Of the store's one stream: the next event has the next number. */
struct event_id { uint64_t gen, seq; };

struct reader {
	struct streams *all;
	struct httpd_stream *stream;
	uint64_t next;
	mono_us last;
	bool lost, check;
	struct event_id after;  /* with check: what it had last */
	char *text;
	size_t at;
	struct reader *link;
};

struct streams {
	struct kept ring[KEPT];
	uint64_t seq;           /* of the next event */
	struct reader *readers;
	size_t n;
};

struct streams *streams_new(struct engine *e)
{
	(void)e;
	return xcalloc(1, sizeof(struct streams));
}

void streams_free(struct streams **sp)
{
	if (!*sp)
		return;
	for (size_t i = 0; i < KEPT; i++)
		free((*sp)->ring[i].json);
	free(*sp);
	*sp = NULL;
}

void streams_event(struct streams *s, const char *id, const char *json)
{
	struct kept *k = &s->ring[s->seq % KEPT];

	free(k->json);
	k->json = xstrdup(json);
	TEXT_COPY(k->id, id);
	k->seq = s->seq++;
	for (struct reader *r = s->readers; r; r = r->link)
		if (r->stream)
			httpd_stream_wake(r->stream);
}

void streams_beat(struct streams *s)
{
	mono_us now = mono_now();

	for (struct reader *r = s->readers; r; r = r->link)
		if (r->stream && mono_since_ms(now, r->last) >= HEARTBEAT_MS)
			httpd_stream_wake(r->stream);
}

static bool id_parse(const char *text, struct event_id *out)
{
	const char *dash = strchr(text, '-');
	char gen[24];

	return dash && text_copy_n(gen, sizeof(gen), text, (size_t)(dash - text)) && text_u64(gen, &out->gen) && text_u64(dash + 1, &out->seq);
}

/* Whether k follows at once on what the reader had last: else something is missing between them. */
static bool follows(const struct event_id *had, const struct kept *k)
{
	struct event_id id;

	return id_parse(k->id, &id) && id.gen == had->gen && id.seq == had->seq + 1;
}

/* The next text of a reader: an event, a heartbeat, or nothing. */
static char *next_text(struct reader *r)
{
	struct streams *s = r->all;
	struct buf b = BUF_INIT(64 * 1024);
	uint64_t oldest = s->seq > KEPT ? s->seq - KEPT : 0;

	if (r->check && r->next < s->seq) {
		r->lost = r->lost || !follows(&r->after, &s->ring[r->next % KEPT]);
		r->check = false;
	}
	if (r->next < oldest || r->lost) {
		r->lost = false;
		if (r->next < oldest)
			r->next = oldest;
		buf_adds(&b, "event: gap\ndata: {\"detail\":\"events were missed; read the timeline\"}\n\n");
	} else if (r->next < s->seq) {
		const struct kept *k = &s->ring[r->next++ % KEPT];

		buf_addf(&b, "id: %s\nevent: switchd\ndata: %s\n\n", k->id, k->json);
	} else if (mono_since_ms(mono_now(), r->last) >= HEARTBEAT_MS) {
		buf_adds(&b, ": heartbeat\n\n");
	} else {
		return NULL;
	}
	return buf_take(&b);
}

static ssize_t pull(void *arg, char *out, size_t max)
{
	struct reader *r = arg;

	if (!r->text) {
		r->text = next_text(r);
		r->at = 0;
	}
	if (!r->text)
		return 0;
	size_t n = strlen(r->text) - r->at;

	if (n > max)
		n = max;
	memcpy(out, r->text + r->at, n);
	r->at += n;
	r->last = mono_now();
	if (!r->text[r->at]) {
		free(r->text);
		r->text = NULL;
	}
	return (ssize_t)n;
}

static void closed(void *arg)
{
	struct reader *r = arg;

	for (struct reader **p = &r->all->readers; *p; p = &(*p)->link)
		if (*p == r) {
			*p = r->link;
			break;
		}
	r->all->n--;
	free(r->text);
	free(r);
}

/* After the event of that id.  One that is not kept is older than all that is, also after a restart: all that is kept is
 * new to this reader then, and whether something is missing before it is seen by the numbers. */
static void resume(struct reader *r, const char *after)
{
	struct streams *s = r->all;

	r->next = s->seq > KEPT ? s->seq - KEPT : 0;
	for (uint64_t q = r->next; q < s->seq; q++)
		if (strcmp(s->ring[q % KEPT].id, after) == 0) {
			r->next = q + 1;
			return;
		}
	r->check = id_parse(after, &r->after);
	r->lost = !r->check;
}

void events_stream(struct call *c)
{
	static const struct httpd_header h[] = { { "Cache-Control", "no-store" }, { "X-Accel-Buffering", "no" } };
	struct streams *s = call_streams(c);
	const char *after = httpd_header(c->req, "Last-Event-ID");
	struct httpd_request *req = c->req;
	struct reader *r;

	if (s->n >= MAX_STREAMS) {
		answer_problem(c, 503, "too-many-streams", "Too many streams.", "64 event streams are open already", 13);
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->all = s;
	r->next = s->seq;
	r->text = xstrdup(": switchd events\n\n");
	r->last = mono_now();
	if (after)
		resume(r, after);
	r->link = s->readers;
	s->readers = r;
	s->n++;
	call_free(c);
	struct httpd_stream *stream = httpd_stream_begin(req, "text/event-stream", h, ARRAY_LEN(h), pull, closed, r);

	if (stream) /* NULL: closed() has run and r is gone */
		r->stream = stream;
}
