/* SPDX-License-Identifier: MIT
 * archive_file.h - the archive's files.  All of it is blocking: archive.c's worker, and tests. */
#ifndef SWITCHD_STORE_ARCHIVE_FILE_H
#define SWITCHD_STORE_ARCHIVE_FILE_H

#include "switchd/store/archive.h"

enum { DAY_NAME = 24 };         /* "2026-11-22.jsonl" */
struct archive_days { char (*name)[DAY_NAME]; size_t n; int64_t bytes; };

/* Sorted, oldest first; false with errno. */
MUSTCHECK bool archive_days(const char *dir, struct archive_days *out);
void archive_days_free(struct archive_days *);
void archive_day_name(wall_ms, char out[DAY_NAME]);

struct archive_file { const char *dir; char day[DAY_NAME]; int fd; };  /* fd -1 = not open */
/* Appends to the file of the day and makes it durable; on false nothing of it is left behind, errno and *step say why. */
MUSTCHECK bool archive_append(struct archive_file *, wall_ms now, const char *text, size_t len, const char **step);
void archive_file_close(struct archive_file *);
/* Removes days older than keep and the oldest ones while all are larger than max; never today's. */
size_t archive_prune(const char *dir, wall_ms now, int64_t keep_ms, int64_t max_bytes, int64_t *size);
/* False: a file cannot be read. id "" = no event in any of them. */
MUSTCHECK bool archive_last_id(const char *dir, char id[44]);

#endif
