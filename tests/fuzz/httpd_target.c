/* SPDX-License-Identifier: MIT
 * tests/fuzz/httpd_target.c - targets of request lines: what passes has no control byte and stays inside its copy. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/io/httpd_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s)
{
	for (; *s; s++)
		must((unsigned char)*s >= 0x20 && *s != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct target t = { 0 };
	const char *why = NULL;
	char *uri = xmalloc(size + 1);

	if (size)
		memcpy(uri, data, size);
	uri[size] = '\0';
	if (target_parse(&t, uri, &why)) {
		check_text(t.path);
		must(t.path[0] == '/' || strcmp(t.path, "*") == 0);
		must(t.n_query <= HTTPD_MAX_QUERY && strcmp(t.raw, uri) == 0);
		for (size_t i = 0; i < t.n_query; i++) {
			check_text(t.query[i].name);
			check_text(t.query[i].value);
		}
	} else
		must(why != NULL);
	target_free(&t);
	free(uri);
	return 0;
}
