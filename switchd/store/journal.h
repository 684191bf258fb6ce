/* SPDX-License-Identifier: MIT
 * journal.h - what this controller knows for certain, on its own disk.
 *
 * One append-only file per state directory; an entry is one line: length, crc32, JSON
 * {service, record, condemned, earlier, kind}; a torn tail is cut at open.  The last good entry of a
 * service wins.  Rewritten (tmp, fsync, rename, fsync of the directory) when it grows past
 * a bound.  journal_add() hands to a worker thread that appends and fsyncs; done() comes back
 * on the loop, so the loop never waits for a disk.  journal_read_*() are blocking: start and CLI only. */
#ifndef SWITCHD_STORE_JOURNAL_H
#define SWITCHD_STORE_JOURNAL_H

#include "switchd/core/model.h"

struct ev_loop;
struct journal;

enum journal_kind {
	JR_COMMITTED,           /* Redis has it */
	JR_OFFLINE,             /* decided here while Redis was away: to be replayed with the same request id (cid) */
};

enum { JOURNAL_EVENTS = 12 * 1024 };

struct journal_entry {
	name_text service;
	enum journal_kind kind;
	struct version base;    /* JR_OFFLINE: the version it was decided on */
	struct record record;
	struct condemned condemn;       /* release "" = none */
	id_text pardon;                 /* "" = none; else taken off the condemned releases of the service */
	const struct condemned_set *also;       /* for journal_add() alone, BORROWED: what is not known here yet goes into the same line; NULL = none */
	char events[JOURNAL_EVENTS];    /* JR_OFFLINE: what was decided since base, a JSON array, to be recorded with it; "" = none */
};

/* NULL: error says why ("another switchd ..." when the directory has a live writer). */
struct journal *journal_open(struct ev_loop *, const char *state_dir, char *error, size_t error_size);
void journal_close(struct journal **);  /* waits for the worker to end what it has; done() of it is called from here */
typedef void journal_done_fn(void *arg, bool durable);
void journal_add(struct journal *, const struct journal_entry *, journal_done_fn *, void *arg);
/* The last entry of a service; NULL = none.  BORROWED until the next journal_add. */
const struct journal_entry *journal_last(const struct journal *, const char *service);
/* Condemned releases ever journalled for the service (union for reconcile). */
void journal_condemned(const struct journal *, const char *service, struct condemned_set *out);

/* For `switchctl active` without a daemon: reads the file, locks nothing, writes nothing. */
MUSTCHECK bool journal_peek(const char *state_dir, const char *service, struct journal_entry *out);

#endif
