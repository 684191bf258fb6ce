/* SPDX-License-Identifier: MIT
 * record.c - any bytes are a record or are refused with a reason; what is believed can be written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/record.h"

static void record_bytes(const char *text, size_t size)
{
	static struct record a, b;
	char why[64] = "";

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	if (!record_parse_text(text, size, &a, why, sizeof(why))) {
		must(why[0] && strlen(why) < sizeof(why));
		must(a.n_mutes == 0 && a.rev == 0 && !a.cid[0]);
		return;
	}
	json_t *j = record_json(&a);
	must(j != NULL);
	must(record_parse(j, &b, why, sizeof(why)));
	must(memcmp(&a, &b, sizeof(a)) == 0);
	json_decref(j);
}

static void other_bytes(const char *text, size_t size)
{
	static struct event e;
	struct condemned c;
	json_t *j = json_loadb(text, size, 0, NULL);

	if (condemned_parse(j, &c)) {
		json_t *again = condemned_json(&c);

		must(again != NULL && condemned_parse(again, &c));
		json_decref(again);
	}
	json_decref(j);
	size_t n = size < sizeof(e.evidence) - 1 ? size : sizeof(e.evidence) - 1;
	memcpy(e.evidence, text, n);
	e.evidence[n] = '\0';
	text_copy_n(e.detail, sizeof(e.detail), text, n);
	e.because = "because";
	j = event_json(&e);
	must(j != NULL);
	char *dumped = json_dumps(j, 0);
	must(dumped != NULL);
	free(dumped);
	json_decref(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	record_bytes((const char *)data, size);
	other_bytes((const char *)data, size);
	return 0;
}
