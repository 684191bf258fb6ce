/* SPDX-License-Identifier: MIT
 * targets.c - any bytes are a list of targets or are refused with a place; a list that is kept reads back as itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/arena.h"
#include "switchd/core/targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct target_list a = { .n = 0 }, b = { .n = 0 };
	struct buf kept = BUF_INIT(1024 * 1024);
	struct frozen_text f;
	char why[400] = "";

	if (frozen_parse(arena, (const char *)data, size, &f))
		must(f.at.ms >= 0 && f.len == size);
	if (!targets_parse(arena, "t", (const char *)data, size, size & 1, &a, why, sizeof(why))) {
		must(text_starts(why, "t:") && strlen(why) < sizeof(why) - 1);
	} else {
		must(a.n > 0 && a.n <= MAX_TARGETS);
		frozen_print(&kept, a.target, a.n, "file:/t", (wall_ms){ 1 });
		must(frozen_parse(arena, buf_str(&kept), kept.len, &f));
		must(targets_parse(arena, "t", f.lines, f.len, size & 1, &b, why, sizeof(why)));
		must(a.n == b.n);
		for (size_t i = 0; i < a.n; i++)
			must(target_same(&a.target[i], &b.target[i]) && a.target[i].tls == b.target[i].tls);
	}
	buf_free(&kept);
	arena_free(&arena);
	return 0;
}
