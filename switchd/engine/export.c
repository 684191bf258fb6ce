/* SPDX-License-Identifier: MIT
 * export.c - the event stream into the archive: every committed event, in order, before the stream trims it.
 *
 * The stream itself is read, from the last id that is in the archive on: what others committed, what was replayed and what
 * happened while the disk was full is in it too.  An id is a version (D8): a number left out is taken from what this process
 * still remembers, else it is said to be missing.  What this process committed itself, right behind that last id, is written
 * from memory at once: what was acknowledged must not hang on a store that answers once more (I3). */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/engine/service.h"

enum { EXPORT_PAGE = 256, EXPORT_EVERY_MS = 1000, EXPORT_RETRY_MS = 1000, EXPORT_RETRY_MOST_MS = 30000, EXPORT_BYTES = 2 * 1024 * 1024 };

static void pump(struct engine *e);

static void again_in(struct engine *e, int64_t ms)
{
	e->exporting = false;
	e->next_export = mono_plus_ms(mono_now(), ms);
}

static bool split(const char *id, uint64_t *gen, uint64_t *seq)
{
	char head[24];
	const char *dash = strchr(id, '-');

	return dash && text_copy_n(head, sizeof(head), id, (size_t)(dash - id)) && text_u64(head, gen) && text_u64(dash + 1, seq);
}

/* What is missing between two ids of the stream: trimmed before it could be written. */
static uint64_t missing(const char *before, const char *id)
{
	uint64_t gen0 = 0, seq0 = 0, gen, seq;

	if (!split(id, &gen, &seq) || (before[0] && !split(before, &gen0, &seq0)))
		return 0;
	return gen == gen0 ? seq - seq0 - 1 : seq - 1;
}

static void written(void *arg, bool durable)
{
	struct engine *e = arg;

	if (!durable) {
		e->export_retry_ms = e->export_retry_ms ? 2 * e->export_retry_ms : EXPORT_RETRY_MS;
		if (e->export_retry_ms > EXPORT_RETRY_MOST_MS)
			e->export_retry_ms = EXPORT_RETRY_MOST_MS;
		again_in(e, e->export_retry_ms);
		return;
	}
	e->export_retry_ms = 0;
	TEXT_COPY(e->export_id, e->export_next);
	if (!e->export_own)
		TEXT_COPY(e->export_seen, e->export_id);
	store_exported(e->store, e->export_id);
	again_in(e, e->export_full || e->export_asked ? 0 : EXPORT_EVERY_MS);
	if (e->export_full || e->export_asked)
		pump(e);
}

bool export_before(const char *a, const char *b)
{
	uint64_t gen[2], seq[2];

	return split(a, &gen[0], &seq[0]) && split(b, &gen[1], &seq[1]) && (gen[0] != gen[1] ? gen[0] < gen[1] : seq[0] < seq[1]);
}

/* What was acknowledged here and is not in the stream any more, a store that lost its last commits, is known to memory: it is put
 * where its id belongs (I3).  Returns the lines. */
static size_t remembered(const struct engine *e, char id[44], const char *next, struct buf *out)
{
	size_t lines = 0;

	for (size_t i = 0; i < e->n_events; i++) {
		const struct kept_event *k = &e->events[i];

		if ((id[0] && !export_before(id, k->id)) || !export_before(k->id, next) || out->len + strlen(k->json) + 1 > out->max)
			continue;
		buf_addf(out, "%s\n", k->json);
		text_copy(id, 44, k->id);
		lines++;
	}
	return lines;
}

/* Own events that follow the last one in the archive without a number between: no store has to be asked for them. */
static bool own_written(struct engine *e)
{
	struct buf out = BUF_INIT(EXPORT_BYTES);
	uint64_t gen, seq, last_gen, last;
	size_t n = 0;

	if (!split(e->export_id, &last_gen, &last))
		return false;
	for (size_t i = 0; i < e->n_events; i++) {
		const struct kept_event *k = &e->events[i];

		if (!split(k->id, &gen, &seq) || gen != last_gen || seq != last + 1 || out.len + strlen(k->json) + 1 > out.max)
			continue;
		buf_addf(&out, "%s\n", k->json);
		TEXT_COPY(e->export_next, k->id);
		last = seq;
		n++;
	}
	if (n) {
		e->exporting = e->export_own = true;
		e->export_asked = e->export_full = false;
		archive_add(e->archive, buf_str(&out), n, written, e);
	}
	buf_free(&out);
	return n;
}

static size_t lines_of(struct engine *e, json_t *events, struct buf *out)
{
	char id[44];
	size_t i, lines = 0;
	json_t *x;

	TEXT_COPY(id, e->export_id);
	json_array_foreach(events, i, x) {
		const char *next = json_string_value(json_object_get(x, "id"));
		bool is_new = next && (!e->export_id[0] || export_before(e->export_id, next));
		char *text = is_new ? json_dumps(x, JSON_COMPACT) : NULL;
		uint64_t gap;

		if (text && id[0])
			lines += remembered(e, id, next, out);
		gap = text ? missing(id, next) : 0;
		if (text && out->len + strlen(text) + 400 > out->max) {
			free(text);
			e->export_full = true;
			break;
		}
		if (gap) {
			buf_addf(out, "{\"kind\":\"archive.gap\",\"at\":%lld,\"after\":\"%s\",\"before\":\"%s\",\"missing\":%llu}\n", (long long)wall_now().ms, id,
				 next, (unsigned long long)gap);
			log_warn("archive", "after=%s before=%s missing=%llu what=\"events were trimmed before they could be archived\"", id, next,
				 (unsigned long long)gap);
			e->export_gaps += gap;
			lines++;
		}
		if (text) {
			buf_addf(out, "%s\n", text);
			TEXT_COPY(id, next);
			lines++;
		}
		free(text);
	}
	TEXT_COPY(e->export_next, id);
	return lines;
}

/* The page begins behind the last event that was seen in the stream; what was written from memory since has to be in it. */
static void look_for_own(struct engine *e, const json_t *page)
{
	size_t n = json_array_size(page);
	const char *last = n == EXPORT_PAGE ? json_string_value(json_object_get(json_array_get(page, n - 1), "id")) : NULL, *until = e->export_id;

	if (last && export_before(last, until))
		until = last;
	if (strcmp(e->export_seen, until) != 0)
		lost_look(e, e->export_seen, until, page);
	TEXT_COPY(e->export_seen, until);
}

static void page_got(void *arg, bool ok, const char *json)
{
	struct engine *e = arg;
	json_t *events = json_loads(json, 0, NULL);
	struct buf out = BUF_INIT(EXPORT_BYTES);
	size_t n;

	if (!e->archive) { /* the engine is being freed */
		json_decref(events);
		return;
	}
	e->export_full = json_array_size(events) >= EXPORT_PAGE;
	e->export_own = false;
	if (ok)
		look_for_own(e, events);
	n = lines_of(e, events, &out);
	if (n)
		archive_add(e->archive, buf_str(&out), n, written, e);
	else
		again_in(e, ok ? EXPORT_EVERY_MS : EXPORT_RETRY_MS);
	buf_free(&out);
	json_decref(events);
}

static void last_got(void *arg, bool ok, const char *id)
{
	struct engine *e = arg;

	if (!ok) {
		log_warn("archive", "what=\"it cannot be read: nothing is archived until it can\"");
		again_in(e, EXPORT_RETRY_MOST_MS);
		return;
	}
	TEXT_COPY(e->export_id, id);
	TEXT_COPY(e->export_seen, id);
	e->export_known = true;
	store_exported(e->store, e->export_id);
	log_info("archive", "dir=%s last=%s", e->cfg->archive, id[0] ? id : "none");
	again_in(e, 0);
}

static void pump(struct engine *e)
{
	if (e->exporting || e->next_export.us > mono_now().us || e->stopping)
		return;
	if (!e->export_known) {
		e->exporting = true;
		archive_last(e->archive, last_got, e);
		return;
	}
	if (own_written(e) || store_state(e->store) == STORE_AWAY)
		return;
	e->exporting = true;
	e->export_asked = false;
	store_events(e->store, "", e->export_seen[0] ? e->export_seen : "0-0", EXPORT_PAGE, page_got, e);
}

/* The archive takes nothing for so long that the stream loses what it should have: said once, and again when it happens again. */
static void backlog_look(struct engine *e)
{
	static struct event ev;
	uint64_t n = store_backlog(e->store), most = store_backlog_most(e->store);

	if (n < most / 2)
		e->export_trimmed = false;
	if (n < most || e->export_trimmed || !store_is_up(e->store))
		return;
	e->export_trimmed = true;
	memset(&ev, 0, sizeof(ev));
	TEXT_COPY(ev.kind, "store.trimmed");
	TEXT_COPY(ev.by, "switchd");
	ev.at = wall_now();
	ev.from = ev.to = NO_SLOT;
	ev.because = "the archive took nothing for too long: the stream of events is at its hard bound, and loses the oldest that are not archived";
	TEXT_FORMAT(ev.detail, "%llu events wait; the last in the archive is %s", (unsigned long long)n, e->export_id[0] ? e->export_id : "none");
	log_error("archive", "waiting=%llu what=\"events are trimmed that were not archived\"", (unsigned long long)n);
	publish_event(e, &ev);
}

void export_beat(struct engine *e)
{
	pump(e);
	backlog_look(e);
}

/* An event was committed. */
void export_soon(struct engine *e)
{
	e->export_asked = true;
	if (e->exporting || e->export_retry_ms)
		return;
	e->next_export = (mono_us){ 0 };
	if (e->export_known)
		pump(e);
}

struct asked { engine_events_fn *done; void *arg; };

static void archive_said(void *arg, bool complete, const char *json)
{
	struct asked *a = arg;
	json_t *lines = json_loads(json, 0, NULL), *o = json_pack("{s:b,s:o}", "complete", complete && lines, "lines", lines ? lines : json_array());

	a->done(a->arg, o);
	json_decref(o);
	free(a);
}

void engine_archive(struct engine *e, const char *service, wall_ms from, wall_ms until, size_t max, engine_events_fn *done, void *arg)
{
	struct archive_query q = { .service = service, .from = from, .until = until, .max = max };
	struct asked *a = xcalloc(1, sizeof(*a));

	*a = (struct asked){ done, arg };
	archive_read(e->archive, &q, archive_said, a);
}

/* What is no event of the stream: a fact of the ledger, a front that went down.  Offered once: a disk that is full loses it, counted. */
void export_line(struct engine *e, const char *json)
{
	struct buf line = BUF_INIT(ARCHIVE_LINE);

	if (e->archive && buf_addf(&line, "%s\n", json))
		archive_add(e->archive, buf_str(&line), 1, NULL, NULL);
	buf_free(&line);
}
