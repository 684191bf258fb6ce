/* SPDX-License-Identifier: MIT
 * journal_file.h - the journal's bytes: lines, damage, folding, rewriting.  Only journal*.c, its
 * tests and its fuzz target include this.  Any thread: nothing here is shared.
 *
 * A line is "<length> <crc32, 8 hex digits> <JSON>\n"; JSON text never holds a newline, so one
 * damaged line costs itself and not what follows. */
#ifndef SWITCHD_STORE_JOURNAL_FILE_H
#define SWITCHD_STORE_JOURNAL_FILE_H

#include <jansson.h>

#include "switchd/base/buf.h"
#include "switchd/store/journal.h"

enum {
	JOURNAL_LINE_MAX = 1 << 20,
	JOURNAL_REWRITE_AT = 1 << 20,   /* past this the file is rewritten with what still counts */
	JOURNAL_FILE_MAX = 1 << 28,
};

uint32_t journal_crc(const void *data, size_t n);
/* Appends one line; false when it is too long. */
MUSTCHECK bool journal_line(struct buf *out, const char *json, size_t len);

struct journal_scan {
	size_t good_end;        /* one past the last good line */
	size_t good, damaged;   /* lines */
	bool tail;              /* bytes after good_end */
};
typedef void journal_line_fn(void *arg, const char *json, size_t len);
void journal_scan(const char *data, size_t len, journal_line_fn *, void *arg, struct journal_scan *out);

/* What still counts of all lines: {service: {"last": entry, "condemned": {release: {...}}}}. */
json_t *journal_fold_new(void);
void journal_fold_line(void *fold, const char *json, size_t len);
MUSTCHECK bool journal_fold_text(json_t *fold, struct buf *out);

json_t *journal_entry_json(const struct journal_entry *);
MUSTCHECK bool journal_entry_parse(const json_t *, struct journal_entry *out, char *why, size_t why_size);

/* The file itself.  All of it is blocking: open, worker thread and CLI only. */
struct journal_file {
	int fd, dir_fd;
	size_t size, rewrite_at;
	bool broken;            /* a failed write may have left bytes behind: rewrite before the next append */
};
MUSTCHECK bool journal_file_read(int fd, struct buf *out);
/* Opens or creates, cuts a torn tail, rewrites when there was damage inside; the good lines go through fn. */
MUSTCHECK bool journal_file_open(struct journal_file *, int dir_fd, journal_line_fn *, void *arg, char *error, size_t error_size);
void journal_file_close(struct journal_file *);
MUSTCHECK bool journal_file_append(struct journal_file *, const char *lines, size_t len);
MUSTCHECK bool journal_file_rewrite(struct journal_file *);

#endif
