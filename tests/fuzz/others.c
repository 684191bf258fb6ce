/* SPDX-License-Identifier: MIT
 * others.c - when another controller was last seen, as a file keeps it: a time, whole, that is written as it was read, or none. */
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/engine/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wall_ms at = { -7 }, again;
	char *text = xmalloc(size + 1), line[32];

	memcpy(text, data, size);
	text[size] = '\0';
	if (!standby_others_parse(text, &at)) {
		must(at.ms == -7);
	} else {
		must(at.ms >= 0 && at.ms < INT64_MAX);
		TEXT_FORMAT(line, "%" PRId64 "\n", at.ms);
		must(standby_others_parse(line, &again) && again.ms == at.ms);
		/* Torn anywhere it is none. */
		for (size_t n = strlen(line); n-- > 0;) {
			line[n] = '\0';
			must(!standby_others_parse(line, &again));
		}
	}
	free(text);
	return 0;
}
