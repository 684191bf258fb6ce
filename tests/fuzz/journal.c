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
