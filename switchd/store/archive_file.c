/* SPDX-License-Identifier: MIT
 * archive_file.c - days, appending, pruning, reading. */
#include "switchd/store/archive_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "switchd/base/buf.h"

enum { TAIL = 1024 * 1024, TAIL_MOST = 256 * 1024 * 1024 };
#define DAY_MS (INT64_C(24) * 3600 * 1000)

bool archive_event_id(const char *id)
{
	size_t digits = strspn(id, "0123456789"), rest;

	if (!digits || digits > 20 || id[digits] != '-')
		return false;
	rest = strspn(id + digits + 1, "0123456789");
	return rest && rest <= 20 && !id[digits + 1 + rest];
}

void archive_day_name(wall_ms t, char out[DAY_NAME])
{
	time_t s = (time_t)(t.ms / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	text_format(out, DAY_NAME, "%04d-%02d-%02d.jsonl", (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100, tm.tm_mday % 100);
}

static bool is_day(const char *name)
{
	static const char form[] = "dddd-dd-dd.jsonl";

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? name[i] < '0' || name[i] > '9' : name[i] != form[i])
			return false;
	return name[sizeof(form) - 1] == '\0';
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

bool archive_days(const char *dir, struct archive_days *out)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;

	*out = (struct archive_days){ 0 };
	if (!d)
		return false;
	while ((e = readdir(d))) {
		if (!is_day(e->d_name) || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
			continue;
		out->name = xrealloc(out->name, (out->n + 1) * sizeof(*out->name));
		TEXT_COPY(out->name[out->n++], e->d_name);
		out->bytes += st.st_size;
	}
	closedir(d);
	if (out->n)
		qsort(out->name, out->n, sizeof(*out->name), by_name);
	return true;
}

void archive_days_free(struct archive_days *d)
{
	free(d->name);
	*d = (struct archive_days){ 0 };
}

/* ---- appending ---- */

static bool failed(const char **step, const char *what)
{
	*step = what;
	return false;
}

void archive_file_close(struct archive_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	f->day[0] = '\0';
}

static bool pread_all(int fd, char *out, size_t n, off_t at)
{
	while (n) {
		ssize_t got = pread(fd, out, n, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		out += got;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

/* A line that was not written to its end is no line. */
static bool cut_tail(int fd)
{
	static const size_t step = 64 * 1024;
	off_t size = lseek(fd, 0, SEEK_END), at = size;
	char *chunk;

	if (size <= 0)
		return size == 0;
	chunk = xmalloc(step);
	while (at > 0) {
		size_t n = at < (off_t)step ? (size_t)at : step;
		char *nl;

		if (!pread_all(fd, chunk, n, at - (off_t)n)) {
			free(chunk);
			return false;
		}
		nl = memrchr(chunk, '\n', n);
		if (nl) {
			at = at - (off_t)n + (nl - chunk) + 1;
			break;
		}
		at -= (off_t)n;
	}
	free(chunk);
	return at == size || ftruncate(fd, at) == 0;
}

static bool open_day(struct archive_file *f, wall_ms now, const char **step)
{
	char day[DAY_NAME], path[1200];
	struct stat st, there;
	int dir;
	bool fits;

	archive_day_name(now, day);
	fits = TEXT_FORMAT(path, "%s/%s", f->dir, day);
	/* Still the file of that name: somebody may have moved it, or its directory, away. */
	if (fits && f->fd >= 0 && strcmp(day, f->day) == 0 && fstat(f->fd, &st) == 0 && stat(path, &there) == 0 && st.st_ino == there.st_ino &&
	    st.st_dev == there.st_dev)
		return true;
	archive_file_close(f);
	if (mkdir(f->dir, 0750) != 0 && errno != EEXIST)
		return failed(step, "make directory");
	if (!fits) {
		errno = ENAMETOOLONG;
		return failed(step, "name");
	}
	f->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (f->fd < 0)
		return failed(step, "open");
	if (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		archive_file_close(f);
		errno = EINVAL;
		return failed(step, "open: no regular file");
	}
	if (!cut_tail(f->fd)) {
		int saved = errno;

		archive_file_close(f);
		errno = saved;
		return failed(step, "cut a torn line");
	}
	dir = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		(void)fsync(dir); /* the name of a new day */
		close(dir);
	}
	TEXT_COPY(f->day, day);
	return true;
}

bool archive_append(struct archive_file *f, wall_ms now, const char *text, size_t len, const char **step)
{
	off_t was;
	size_t done = 0;
	int saved;

	if (!open_day(f, now, step))
		return false;
	was = lseek(f->fd, 0, SEEK_END);
	*step = "write";
	while (done < len) {
		ssize_t n = write(f->fd, text + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done == len) {
		*step = "fsync";
		if (fsync(f->fd) == 0)
			return true;
	}
	saved = errno;
	/* After a failed fsync the kernel may have dropped the pages: open it anew, and write all of it again. */
	if (was < 0 || ftruncate(f->fd, was) != 0)
		saved = saved ? saved : errno;
	archive_file_close(f);
	errno = saved;
	return false;
}

size_t archive_prune(const char *dir, wall_ms now, int64_t keep_ms, int64_t max_bytes, int64_t *size)
{
	struct archive_days days;
	char oldest[DAY_NAME], today[DAY_NAME], path[1200];
	size_t removed = 0;
	struct stat st;

	*size = 0;
	if (!archive_days(dir, &days))
		return 0;
	archive_day_name(now, today);
	archive_day_name((wall_ms){ now.ms > keep_ms ? now.ms - keep_ms : 0 }, oldest);
	for (size_t i = 0; i < days.n; i++) {
		if (strcmp(days.name[i], today) >= 0 || (strcmp(days.name[i], oldest) >= 0 && days.bytes <= max_bytes))
			continue;
		if (!TEXT_FORMAT(path, "%s/%s", dir, days.name[i]) || lstat(path, &st) != 0 || unlink(path) != 0)
			continue;
		days.bytes -= st.st_size;
		removed++;
	}
	*size = days.bytes;
	archive_days_free(&days);
	return removed;
}

/* ---- reading ---- */

static bool line_id(const char *line, size_t len, char id[44])
{
	json_t *o = json_loadb(line, len, 0, NULL);
	const char *s = json_string_value(json_object_get(o, "id"));
	bool ok = s && archive_event_id(s) && text_copy(id, 44, s);

	json_decref(o);
	if (!ok)
		id[0] = '\0';
	return ok;
}

/* From the last line backwards; a line cut at the window's front is looked at with the next, larger window. */
static bool last_in(int fd, char id[44])
{
	off_t size = lseek(fd, 0, SEEK_END);
	size_t window = TAIL;

	id[0] = '\0';
	while (size > 0) {
		size_t n = (off_t)window < size ? window : (size_t)size;
		char *text = xmalloc(n), *end;
		bool ok = pread_all(fd, text, n, size - (off_t)n);

		end = ok ? memrchr(text, '\n', n) : NULL;
		while (end && !id[0]) {
			char *nl = memrchr(text, '\n', (size_t)(end - text)), *line = nl ? nl + 1 : text;

			if ((nl || (off_t)n == size) && line_id(line, (size_t)(end - line), id))
				break;
			end = nl;
		}
		free(text);
		if (!ok)
			return false;
		if (id[0] || (off_t)n == size || window >= TAIL_MOST)
			return true;
		window *= 4;
	}
	return size == 0;
}

bool archive_last_id(const char *dir, char id[44])
{
	struct archive_days days;
	bool ok = true;

	id[0] = '\0';
	if (!archive_days(dir, &days))
		return errno == ENOENT;
	for (size_t i = days.n; ok && i-- > 0 && !id[0];) {
		char path[1200];
		int fd = TEXT_FORMAT(path, "%s/%s", dir, days.name[i]) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;

		ok = fd >= 0 && last_in(fd, id);
		if (fd >= 0)
			close(fd);
	}
	archive_days_free(&days);
	return ok;
}

struct scan { const struct archive_query *q; json_t *found; mono_us until; bool late; };

static void scan_line(struct scan *s, const char *line, size_t len)
{
	json_t *o = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *service = json_string_value(json_object_get(o, "service"));
	const char *kind = json_string_value(json_object_get(o, "kind"));
	int64_t at = json_integer_value(json_object_get(o, "at"));
	/* Events that were trimmed may be of any service, and of any time before it was found out. */
	bool gap = kind && strcmp(kind, "archive.gap") == 0;

	if (json_is_object(o) && (gap || !s->q->service[0] || (service && strcmp(service, s->q->service) == 0)) && (!s->q->from.ms || at >= s->q->from.ms) &&
	    (gap || !s->q->until.ms || at < s->q->until.ms)) {
		json_array_append(s->found, o);
		if (json_array_size(s->found) > s->q->max)
			json_array_remove(s->found, 0);
	}
	json_decref(o);
}

static bool scan_file(struct scan *s, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (!f) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!s->late && (n = getline(&line, &cap, f)) > 0) {
		if (line[n - 1] == '\n' && n <= ARCHIVE_LINE)
			scan_line(s, line, (size_t)n);
		s->late = mono_now().us > s->until.us;
	}
	n = ferror(f);
	free(line);
	fclose(f);
	return n == 0;
}

bool archive_scan(const char *dir, const struct archive_query *q, char **json, bool *complete)
{
	struct archive_days days;
	struct scan s = { .q = q, .found = json_array(), .until = mono_plus_ms(mono_now(), ARCHIVE_QUERY_MS) };
	char first[DAY_NAME], path[1200];
	bool ok = archive_days(dir, &days), none = !ok && errno == ENOENT;

	/* Written on its day or later; an hour for clocks that were set. */
	archive_day_name((wall_ms){ q->from.ms > DAY_MS ? q->from.ms - 3600 * 1000 : 0 }, first);
	for (size_t i = 0; ok && i < days.n && !s.late; i++)
		if (strcmp(days.name[i], first) >= 0)
			ok = TEXT_FORMAT(path, "%s/%s", dir, days.name[i]) && scan_file(&s, path);
	archive_days_free(&days);
	*complete = (ok || none) && !s.late;
	*json = json_dumps(s.found, JSON_COMPACT);
	json_decref(s.found);
	return *json != NULL;
}
