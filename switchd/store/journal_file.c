/* SPDX-License-Identifier: MIT
 * journal_file.c - lines in, lines out, and a file that survives a torn write. */
#include "switchd/store/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchd/base/failpoint.h"
#include "switchd/base/log.h"
#include "switchd/core/record.h"

#define FILE_NAME "journal"
#define TMP_NAME "journal.tmp"

static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_fill(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
		crc_table[i] = c;
	}
}

uint32_t journal_crc(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint32_t c = ~0u;

	pthread_once(&crc_once, crc_fill);
	while (n--)
		c = crc_table[(c ^ *p++) & 0xff] ^ (c >> 8);
	return ~c;
}

bool journal_line(struct buf *out, const char *json, size_t len)
{
	char head[32];
	int n = snprintf(head, sizeof(head), "%zu %08x ", len, journal_crc(json, len));

	if (len > JOURNAL_LINE_MAX || len + (size_t)n + 1 > out->max - out->len)
		return false;
	return buf_add(out, head, (size_t)n) && buf_add(out, json, len) && buf_add(out, "\n", 1);
}

/* The JSON of the line [p, end), or NULL when length or checksum disagree. */
static const char *line_json(const char *p, const char *end, size_t *len)
{
	size_t n = 0;
	uint32_t crc = 0;
	const char *digits = p;

	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (size_t)(*p - '0');
		if (n > JOURNAL_LINE_MAX)
			return NULL;
	}
	if (p == digits || *digits == '0' || end - p < 10 || p[0] != ' ' || p[9] != ' ')
		return NULL;
	for (int i = 1; i <= 8; i++) {
		char c = p[i];
		int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (v < 0)
			return NULL;
		crc = crc << 4 | (uint32_t)v;
	}
	p += 10;
	if ((size_t)(end - p) != n || journal_crc(p, n) != crc)
		return NULL;
	*len = n;
	return p;
}

void journal_scan(const char *data, size_t len, journal_line_fn *fn, void *arg, struct journal_scan *out)
{
	size_t pos = 0;

	*out = (struct journal_scan){ 0 };
	while (pos < len) {
		const char *line = data + pos, *nl = memchr(line, '\n', len - pos), *json;
		size_t n;

		if (!nl)
			break;
		json = line_json(line, nl, &n);
		pos = (size_t)(nl - data) + 1;
		if (json) {
			out->good++;
			out->good_end = pos;
			fn(arg, json, n);
		} else {
			out->damaged++;
		}
	}
	out->tail = out->good_end < len;
}

/* ---- entries ---- */

static const char *kind_name(enum journal_kind k) { return k == JR_OFFLINE ? "offline" : "committed"; }

json_t *journal_entry_json(const struct journal_entry *e)
{
	char base[VERSION_TEXT];
	json_t *record = record_json(&e->record);
	json_t *j = record ? json_pack("{s:s, s:s, s:s, s:o}", "service", e->service, "kind", kind_name(e->kind),
				       "base", version_text(e->base, base), "record", record) : NULL;

	if (j && e->condemn.release[0] && json_object_set_new(j, "condemned", condemned_json(&e->condemn)) < 0) {
		json_decref(j);
		return NULL;
	}
	if (j && e->pardon[0] && json_object_set_new(j, "pardon", json_string(e->pardon)) < 0) {
		json_decref(j);
		return NULL;
	}
	if (j && e->events[0] && json_object_set_new(j, "events", json_string(e->events)) < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

bool journal_entry_parse(const json_t *j, struct journal_entry *out, char *why, size_t why_size)
{
	const char *service = json_string_value(json_object_get(j, "service")), *kind = json_string_value(json_object_get(j, "kind"));
	const char *base = json_string_value(json_object_get(j, "base")), *pardon = json_string_value(json_object_get(j, "pardon"));
	const json_t *condemned = json_object_get(j, "condemned"), *record = json_object_get(j, "record");
	const char *events = json_string_value(json_object_get(j, "events"));
	struct journal_entry *e = xcalloc(1, sizeof(*e));
	bool ok = false;

	if (!service || !name_ok(service) || !TEXT_COPY(e->service, service))
		text_copy(why, why_size, "no valid service");
	else if (!kind || (strcmp(kind, "committed") != 0 && strcmp(kind, "offline") != 0))
		text_copy(why, why_size, "no valid kind");
	else if (!base || !version_parse(base, &e->base))
		text_copy(why, why_size, "no valid base");
	else if (!record)
		text_copy(why, why_size, "no record");
	else if (condemned && !condemned_parse(condemned, &e->condemn))
		text_copy(why, why_size, "condemned is not valid");
	else if (pardon && (!id_ok(pardon) || !TEXT_COPY(e->pardon, pardon)))
		text_copy(why, why_size, "pardon is not valid");
	else if (events && !TEXT_COPY(e->events, events))
		text_copy(why, why_size, "too many events");
	else
		ok = record_parse(record, &e->record, why, why_size);
	if (ok) {
		e->kind = strcmp(kind, "offline") == 0 ? JR_OFFLINE : JR_COMMITTED;
		*out = *e;
	}
	free(e);
	return ok;
}

/* ---- folding ---- */

json_t *journal_fold_new(void)
{
	json_t *fold = json_object();

	must(fold != NULL);
	return fold;
}

static void fold_condemned(json_t *set, json_t *one)
{
	const char *release = json_string_value(json_object_get(one, "release"));

	if (!release || !id_ok(release))
		return;
	json_object_del(set, release); /* the newest goes last, so that the oldest gives way */
	must(json_object_set(set, release, one) == 0);
	if (json_object_size(set) > MAX_CONDEMNED)
		json_object_del(set, json_object_iter_key(json_object_iter(set)));
}

void journal_fold_line(void *fold, const char *json, size_t len)
{
	json_t *entry = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL), *known, *set, *one;
	const char *service = json_string_value(json_object_get(entry, "service")), *pardon;
	size_t i;

	if (!service || !name_ok(service)) {
		log_warn("journal", "what=\"a whole line that is no entry is left out\"");
		json_decref(entry);
		return;
	}
	known = json_object_get(fold, service);
	if (!known) {
		known = json_pack("{s:{}}", "condemned");
		must(known && json_object_set_new(fold, service, known) == 0);
	}
	set = json_object_get(known, "condemned");
	json_array_foreach(json_object_get(entry, "earlier"), i, one)
		fold_condemned(set, one);
	pardon = json_string_value(json_object_get(entry, "pardon"));
	if (pardon)
		json_object_del(set, pardon);
	fold_condemned(set, json_object_get(entry, "condemned"));
	json_object_del(entry, "earlier");
	/* The last good entry wins: one whole line that another version of switchd wrote must not hide it. */
	struct journal_entry *e = xcalloc(1, sizeof(*e));
	char why[200];

	if (journal_entry_parse(entry, e, why, sizeof(why)))
		must(json_object_set(known, "last", entry) == 0);
	free(e);
	json_decref(entry);
}

bool journal_fold_text(json_t *fold, struct buf *out)
{
	const char *service, *release;
	json_t *known, *one;
	bool ok = true;

	json_object_foreach(fold, service, known) {
		json_t *last = json_object_get(known, "last"), *earlier = json_array();
		json_t *entry = last ? json_copy(last) : json_pack("{s:s}", "service", service);
		const char *own = json_string_value(json_object_get(json_object_get(entry, "condemned"), "release"));

		must(entry && earlier);
		json_object_foreach(json_object_get(known, "condemned"), release, one)
			if (!own || strcmp(own, release) != 0)
				must(json_array_append(earlier, one) == 0);
		must(json_object_set_new(entry, "earlier", earlier) == 0);
		char *text = json_dumps(entry, JSON_COMPACT);

		ok = text && journal_line(out, text, strlen(text)) && ok;
		free(text);
		json_decref(entry);
	}
	return ok;
}

/* ---- the file ---- */

bool journal_file_read(int fd, struct buf *out)
{
	char chunk[65536];
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(fd, chunk, sizeof(chunk), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		if (!buf_add(out, chunk, (size_t)n)) {
			errno = EFBIG;
			return false;
		}
		at += n;
	}
}

static bool write_at(int fd, const char *data, size_t len, size_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
		at += (size_t)n;
	}
	return true;
}

static bool file_error(char *error, size_t size, const char *what)
{
	text_format(error, size, "journal: %s: %s", what, strerror(errno));
	return false;
}

bool journal_file_open(struct journal_file *f, int dir_fd, journal_line_fn *fn, void *arg, char *error, size_t error_size)
{
	struct buf text = BUF_INIT(JOURNAL_FILE_MAX);
	struct journal_scan scan;
	struct stat st;
	bool ok = false;

	*f = (struct journal_file){ .dir_fd = dir_fd, .rewrite_at = JOURNAL_REWRITE_AT };
	f->fd = openat(dir_fd, FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (f->fd < 0)
		return file_error(error, error_size, "cannot open");
	if (fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		errno = EINVAL;
		file_error(error, error_size, "not a regular file");
		goto out;
	}
	if (!journal_file_read(f->fd, &text)) {
		file_error(error, error_size, "cannot read");
		goto out;
	}
	journal_scan(buf_str(&text), text.len, fn, arg, &scan);
	f->size = scan.good_end;
	if (scan.damaged)
		log_warn("journal", "damaged=%zu good=%zu what=\"damaged lines are left out\"", scan.damaged, scan.good);
	if (scan.tail && ftruncate(f->fd, (off_t)f->size) < 0) {
		file_error(error, error_size, "cannot cut the torn end");
		goto out;
	}
	if (fsync(f->fd) < 0 || fsync(dir_fd) < 0) {
		file_error(error, error_size, "cannot sync");
		goto out;
	}
	if (scan.damaged && !journal_file_rewrite(f))
		log_warn("journal", "what=\"cannot be rewritten; the damage stays in the file\" error=%s", LOG_Q(strerror(errno)));
	ok = true;
out:
	buf_free(&text);
	if (!ok)
		journal_file_close(f);
	return ok;
}

void journal_file_close(struct journal_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

/* Everything that still counts into a new file, which replaces the old one by its name. */
bool journal_file_rewrite(struct journal_file *f)
{
	struct buf old = BUF_INIT(JOURNAL_FILE_MAX), text = BUF_INIT(JOURNAL_FILE_MAX);
	json_t *fold = journal_fold_new();
	struct journal_scan scan;
	int fd = -1, saved;

	if (!journal_file_read(f->fd, &old))
		goto failed;
	/* What a failed write left past f->size was answered "not durable": it must not come back. */
	journal_scan(buf_str(&old), old.len < f->size ? old.len : f->size, journal_fold_line, fold, &scan);
	if (!journal_fold_text(fold, &text)) {
		errno = EFBIG;
		goto failed;
	}
	fd = openat(f->dir_fd, TMP_NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || !write_at(fd, buf_str(&text), text.len, 0) || fsync(fd) < 0 ||
	    renameat(f->dir_fd, TMP_NAME, f->dir_fd, FILE_NAME) < 0)
		goto failed;
	/* The new name may not be durable if this fails: whoever appended must not be told that it is. */
	f->broken = fsync(f->dir_fd) < 0;
	close(f->fd);
	f->fd = fd;
	f->size = text.len;
	f->rewrite_at = 2 * text.len > JOURNAL_REWRITE_AT ? 2 * text.len : JOURNAL_REWRITE_AT;
	json_decref(fold);
	buf_free(&old);
	buf_free(&text);
	return !f->broken;
failed:
	saved = errno;
	if (fd >= 0)
		close(fd);
	unlinkat(f->dir_fd, TMP_NAME, 0);
	json_decref(fold);
	buf_free(&old);
	buf_free(&text);
	errno = saved;
	return false;
}

bool journal_file_append(struct journal_file *f, const char *lines, size_t len)
{
	if (f->broken && !journal_file_rewrite(f))
		return false;
	FAILPOINT("journal.before-write");
	if (f->size + len > JOURNAL_FILE_MAX) {
		errno = EFBIG;
		return false;
	}
	if (!write_at(f->fd, lines, len, f->size)) {
		int saved = errno;

		f->broken = ftruncate(f->fd, (off_t)f->size) < 0;
		errno = saved;
		return false;
	}
	if (fdatasync(f->fd) < 0) {
		/* After a failed sync the kernel may have dropped the pages: only a new file is trusted. */
		f->broken = true;
		return false;
	}
	FAILPOINT("journal.after-fsync");
	f->size += len;
	return true;
}
