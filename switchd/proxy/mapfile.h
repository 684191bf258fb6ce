/* SPDX-License-Identifier: MIT
 * mapfile.h - the proxy's map file: replaced whole, durable, never on the loop.
 *
 * A write is tmp (O_EXCL, O_NOFOLLOW), write, fsync, rename, fsync of the directory, in one
 * worker thread per file, in the order asked.  Loop thread only; done() is called exactly
 * once, from the loop, never from inside the call, and not at all after mapfile_cancel or
 * mapfile_free. */
#ifndef SWITCHD_PROXY_MAPFILE_H
#define SWITCHD_PROXY_MAPFILE_H

#include "switchd/base/buf.h"
#include "switchd/core/model.h"

struct ev_loop;
struct mapfile;
struct mapfile_job;

enum mapfile_result {
	MF_DURABLE,
	MF_DIFFERS,             /* a check: the file holds something else, or is not there */
	MF_PINNED, MF_NEWER,    /* the file holds a pin, or a higher version: left as it is (I7) */
	MF_DROPPED,             /* held, and told not to go on: nothing was changed */
	MF_FENCED,              /* the gate said no: nothing was changed */
	MF_FAILED,
};

struct mapfile_done {
	enum mapfile_result result;
	char why[160];          /* MF_FAILED: step and errno; MF_PINNED, MF_NEWER: what the file holds */
	bool settled;           /* MF_PINNED: in the file for longer than the hand that pins takes from there to the running proxy */
	int64_t us;
};
typedef void mapfile_done_fn(void *arg, const struct mapfile_done *);

/* path is absolute; lines of other keys in the file are kept. The strings are BORROWED. */
struct mapfile *mapfile_new(struct ev_loop *, const char *path, const char *key);
/* Never waits for a disk: a thread that hangs in one is left behind and changes nothing more. */
void mapfile_free(struct mapfile **);

/* The gate: asked on the loop, never longer than GO_FRESH_MS before the rename, however long disk or process stood still
 * between.  It only looks.  To be set before the first write. */
void mapfile_set_gate(struct mapfile *, bool (*may)(void *arg), void *arg);

/* held: everything up to the rename is done, then it waits for mapfile_go or mapfile_drop, so that
 * the disk works while the proxy is still being asked whether the value may be written at all.
 * over_pin: a pin in the file may be replaced. */
struct mapfile_job *mapfile_write(struct mapfile *, const struct proxy_value *, bool held, bool over_pin, mapfile_done_fn *, void *arg);
void mapfile_go(struct mapfile_job *);
void mapfile_drop(struct mapfile_job *);        /* done() still comes */
/* Does the file hold exactly this value, and is it on the disk (it is fsynced again)? */
struct mapfile_job *mapfile_check(struct mapfile *, const struct proxy_value *, mapfile_done_fn *, void *arg);
void mapfile_cancel(struct mapfile_job **);

/* The same replacement for any text, BLOCKING: start, reload and CLI only. why gets the step and errno. */
MUSTCHECK bool mapfile_replace(const char *path, const char *text, size_t len, char *why, size_t why_size);
/* Reads a regular file of at most out->max bytes; false with errno set (ENOENT when missing). */
MUSTCHECK bool mapfile_read(const char *path, struct buf *out);

#endif
