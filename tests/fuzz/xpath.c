/* SPDX-License-Identifier: MIT
 * tests/fuzz/xpath.c - expressions on pages.  Input: expression NUL content type NUL page. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/assert/xpath.h"
#include "switchd/base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(void *arg, const char *text, size_t len)
{
	must(strlen(text) == len);
	return ++*(size_t *)arg < 10000;
}

static void ask(const struct xpath *x, struct xdoc *d)
{
	struct xpath_result r, again;
	char err[160] = "", why[160] = "";
	const char *from;
	long line;
	size_t n = 0;
	enum xpath_outcome o = xpath_eval(x, d, &r, err, sizeof(err));

	must(o == XPATH_OK || err[0]);
	if (o == XPATH_OK) {
		must((r.text == NULL) == (r.kind == XP_NUMBER || r.kind == XP_BOOLEAN || (r.kind == XP_NODES && r.n == 0)));
		if (xpath_eval(x, d, &again, why, sizeof(why)) == XPATH_OK) {
			must(again.kind == r.kind && again.n == r.n && again.len == r.len);
			must(!r.text || memcmp(r.text, again.text, r.len) == 0);
		}
		xpath_clear(&again);
	}
	xpath_clear(&r);
	if (xpath_each(x, d, take, &n, err, sizeof(err)) != XPATH_OK)
		must(err[0]);
	if (xpath_deepest(x, d, &from, &line))
		must(line >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char pages[] = "//title | //*[@id='x']/a";
	const uint8_t *one = size ? memchr(data, 0, size) : NULL, *two = one ? memchr(one + 1, 0, size - (size_t)(one + 1 - data)) : NULL;
	char err[160] = "";
	size_t len = one ? (size_t)(one - data) : size, off = SIZE_MAX;
	struct xpath *x = xpath_compile(size ? (const char *)data : "", len, err, sizeof(err), &off);

	must(x || (err[0] && off <= len));
	if (two) {
		bool costly = false;
		const char *page = (const char *)two + 1;
		struct xdoc *d = xdoc_parse(page, size - (size_t)(two + 1 - data), (const char *)one + 1, &costly, err, sizeof(err));

		must(d || err[0]);
		must(!d || !costly);
		if (d && x)
			ask(x, d);
		xpath_free(&x);
		x = xpath_compile(pages, strlen(pages), err, sizeof(err), &off);
		must(x != NULL);
		if (d)
			ask(x, d);
		xdoc_free(&d);
		must(!d);
	}
	xpath_free(&x);
	return 0;
}
