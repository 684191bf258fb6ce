/* SPDX-License-Identifier: MIT
 * tests/fuzz/import_haproxy.c - any text as a haproxy.cfg: every line becomes something, and what comes out loads. */
#include <stdint.h>
#include <stdio.h>

#include "switchd/cli/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct buf out = BUF_INIT(8 * 1024 * 1024), errors = BUF_INIT(65536);
	struct hap h;
	size_t counts[N_LINES], sum = 0;
	char why[300] = "";
	int bad = 0;

	if (!hap_read(&h, arena, "haproxy.cfg", (const char *)data, size, why, sizeof(why))) {
		must(why[0]);
	} else {
		hap_write(&h, &out, counts);
		for (int i = 0; i < N_LINES; i++)
			sum += counts[i];
		must(sum == h.n_lines && counts[LINE_UNREAD] == 0 && !out.full);
		struct config *cfg = out.len < 1024 * 1024 ? config_load("out", buf_str(&out), out.len, import_environment, NULL, &errors, &bad) : NULL;

		if (!cfg && out.len < 1024 * 1024) {
			fprintf(stderr, "%s\n%s\n", buf_str(&errors), buf_str(&out));
			never("what was made does not load");
		}
		config_free(&cfg);
	}
	buf_free(&out);
	buf_free(&errors);
	arena_free(&arena);
	return 0;
}
