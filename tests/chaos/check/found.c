/* SPDX-License-Identifier: MIT
 * found.c - one line per invariant, and what broke it. */
#include "tests/chaos/check/check.h"

enum { MAX_FINDINGS = 40, KEPT = 8 };
static struct finding all[MAX_FINDINGS];
static char *kept[MAX_FINDINGS][KEPT];
static size_t n_all;
static const char *const order_of[] = { "I1a", "I1b", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I11", "I12", "I13", "I14", "I15", "I16", "I17", "I18" };

struct finding *finding(const char *id)
{
	for (size_t i = 0; i < n_all; i++)
		if (strcmp(all[i].id, id) == 0)
			return &all[i];
	if (n_all == MAX_FINDINGS)
		die("too many findings");
	all[n_all].id = id;
	return &all[n_all++];
}

void breach(struct finding *f, const char *fmt, ...)
{
	size_t i = (size_t)(f - all);
	va_list ap;

	if (f->broken < KEPT) {
		va_start(ap, fmt);
		if (vasprintf(&kept[i][f->broken], fmt, ap) < 0)
			die("out of memory");
		va_end(ap);
	}
	f->broken++;
}

int findings_print(FILE *out)
{
	int n_broken = 0;

	for (size_t k = 0; k < FAKE_LEN(order_of); k++) {
		struct finding *f = finding(order_of[k]);
		size_t i = (size_t)(f - all);

		if (!f->broken) {
			fprintf(out, "%-4s ok      %ld %s\n", f->id, f->seen, f->note);
			continue;
		}
		n_broken++;
		fprintf(out, "%-4s BROKEN  %ld times; %ld %s\n", f->id, f->broken, f->seen, f->note);
		for (long n = 0; n < f->broken && n < KEPT; n++)
			fprintf(out, "       %s\n", kept[i][n]);
	}
	return n_broken;
}
