/* SPDX-License-Identifier: MIT
 * manifest.c - any bytes are a manifest or are refused with a reason; what is believed can be written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/decide/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct manifest a, b;
	struct buf warnings = BUF_INIT(4096);
	char why[200] = "";

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	if (!manifest_parse("m", (const char *)data, size, &a, why, sizeof(why), &warnings)) {
		must(why[0] && strlen(why) < sizeof(why));
		must(!a.digest[0] && a.n_labels == 0);
		buf_free(&warnings);
		return 0;
	}
	json_t *j = manifest_json(&a);
	char *text = json_dumps(j, 0);

	must(text != NULL);
	must(manifest_parse("m", text, strlen(text), &b, why, sizeof(why), NULL) || strlen(text) > MANIFEST_MAX_TEXT);
	must(strcmp(a.digest, b.digest) == 0 && strcmp(a.adds.text, b.adds.text) == 0 && a.n_labels == b.n_labels && a.tests.at.ms == b.tests.at.ms);
	free(text);
	json_decref(j);
	buf_free(&warnings);
	return 0;
}
