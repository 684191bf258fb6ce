/* SPDX-License-Identifier: MIT
 * archive.h - the long memory: one append-only JSONL file a day, written and read off the loop.
 *
 * Files are DIR/YYYY-MM-DD.jsonl (UTC day of writing), a line is one JSON object: a committed event with its stream id, or
 * a fact of the ledger.  One worker thread opens, appends, fsyncs once a batch, removes what is too old or too much, and
 * answers queries.  A disk that is full, slow or gone never blocks: what was not written is answered so, counted and said, and
 * whoever asked offers it again.  A torn last line is cut before anything is appended behind it.
 * Loop thread only; callbacks come from the loop, never from inside a call. */
#ifndef SWITCHD_STORE_ARCHIVE_H
#define SWITCHD_STORE_ARCHIVE_H

#include "switchd/core/model.h"

struct ev_loop;
struct archive;

enum {
	ARCHIVE_WAITING = 4 * 1024 * 1024,      /* bytes handed over and not yet durable; more is refused at once */
	ARCHIVE_LINE = 256 * 1024,              /* a longer line is not one of ours */
	ARCHIVE_QUERY = 20000,                  /* lines in one answer */
	ARCHIVE_QUERY_MS = 5000,                /* a query that takes longer ends incomplete */
};

struct archive_stats {
	uint64_t lines, bytes, failures;        /* written and durable since the start; batches that were not */
	uint64_t removed;                       /* files */
	int64_t size;                           /* of all files, as last counted */
	bool up;                                /* the last write was durable, or none was asked for yet */
	char why[200];
};

/* keep_ms and max_bytes bound it.  The directory is made when its parent is there; nothing fails here. */
struct archive *archive_open(struct ev_loop *, const char *dir, int64_t keep_ms, int64_t max_bytes);
/* Waits 2 s at most for what is under way; a thread that hangs in a disk is left behind.  No callback comes afterwards. */
void archive_close(struct archive **);

/* The id of the last event that is in the archive: the export goes on after it.  ok false: it cannot be read now, ask again. */
typedef void archive_last_fn(void *arg, bool ok, const char *id /* "" = there is none */);
void archive_last(struct archive *, archive_last_fn *, void *arg);

/* Whole lines, each ended by \n: all of them or none.  done may be NULL. */
typedef void archive_done_fn(void *arg, bool durable);
void archive_add(struct archive *, const char *lines, size_t n_lines, archive_done_fn *done, void *arg);

/* The newest `max` lines of a service ("" = all) with from <= at < until (0 = no bound), oldest first, as a JSON array;
 * among them every archive.gap from `from` on: what it misses may be of any service, and older. */
struct archive_query { const char *service; wall_ms from, until; size_t max; };
typedef void archive_read_fn(void *arg, bool complete, const char *json);
void archive_read(struct archive *, const struct archive_query *, archive_read_fn *, void *arg);

void archive_stats(struct archive *, struct archive_stats *out);

/* BLOCKING: tests and programs without a loop. */
MUSTCHECK bool archive_scan(const char *dir, const struct archive_query *, char **json, bool *complete);
bool archive_event_id(const char *id);  /* "<gen>-<seq>" */

#endif
