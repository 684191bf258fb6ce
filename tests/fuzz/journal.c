/* SPDX-License-Identifier: MIT
 * journal.c - fuzz target: any bytes as a journal file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/store/journal_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t len, json_t *fold, struct journal_scan *scan)
{
	journal_scan(text, len, journal_fold_line, fold, scan);
	must(scan->good_end <= len);
	must(scan->good_end == 0 || text[scan->good_end - 1] == '\n');
}

/* What is kept as the last entry of a service can be read, and written as what reads the same. */
static void lasts(json_t *fold)
{
	static struct journal_entry a, b;
	const char *service;
	json_t *known;
	char why[200];

	json_object_foreach(fold, service, known) {
		json_t *last = json_object_get(known, "last"), *once, *twice;

		if (!last)
			continue;
		must(journal_entry_parse(last, &a, why, sizeof(why)) && strcmp(a.service, service) == 0);
		must((once = journal_entry_json(&a)) && journal_entry_parse(once, &b, why, sizeof(why)));
		must((twice = journal_entry_json(&b)) && json_equal(once, twice));
		json_decref(once);
		json_decref(twice);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf file = BUF_INIT(1 << 24), again = BUF_INIT(1 << 24), third = BUF_INIT(1 << 24);
	json_t *fold = journal_fold_new(), *fold2 = journal_fold_new();
	struct journal_scan scan;
	char *copy = xmalloc(size); /* exactly so long: a read past the end is seen */

	log_least = LOG_LV_ERROR + 1;
	if (size)
		memcpy(copy, data, size);
	/* As they are (nearly never a whole line), and as the JSON of a line whose checksum is right. */
	check(copy, size, fold, &scan);
	if (size && journal_line(&file, copy, size) && !memchr(copy, '\n', size)) {
		check(buf_str(&file), file.len, fold, &scan);
		must(scan.good == 1 && scan.damaged == 0 && !scan.tail);
	}
	lasts(fold);
	/* What is rewritten reads back as the same. */
	if (journal_fold_text(fold, &again)) {
		check(buf_str(&again), again.len, fold2, &scan);
		must(!scan.tail && scan.damaged == 0);
		must(journal_fold_text(fold2, &third));
		must(third.len == again.len && (again.len == 0 || memcmp(third.data, again.data, again.len) == 0));
	}
	json_decref(fold);
	json_decref(fold2);
	buf_free(&file);
	buf_free(&again);
	buf_free(&third);
	free(copy);
	return 0;
}
