/* SPDX-License-Identifier: MIT
 * tests/fuzz/jsonpath.c - paths on documents.  Input: path NUL document. */
#include <stdint.h>
#include <string.h>

#include "probes/assert/jsonpath.h"
#include "switchd/base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool count(void *arg, json_t *node)
{
	must(node && node->refcount > 0);
	++*(size_t *)arg;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, 0, size);
	size_t len = nul ? (size_t)(nul - data) : size, off = SIZE_MAX, n = 0;
	char err[160] = "";
	struct jsonpath *p = jsonpath_compile((const char *)data, len, err, sizeof(err), &off);

	if (!p) {
		must(err[0] && off <= len);
		return 0;
	}
	json_t *doc = nul ? json_loadb((const char *)nul + 1, size - len - 1, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;

	if (doc && jsonpath_walk(p, doc, count, &n) == JP_OK)
		must(n <= 1 || !jsonpath_singular(p));
	json_decref(doc);
	jsonpath_free(&p);
	return 0;
}
