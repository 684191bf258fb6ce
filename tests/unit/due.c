/* SPDX-License-Identifier: MIT
 * due.c - the list of what is due, against a search through all of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "probes/due.h"

static void what_is_due_first_comes_first(void **state)
{
	enum { N = 200 };
	struct due nodes[N] = { 0 };
	struct due_list l;
	unsigned seed = 7;

	(void)state;
	due_open(&l, N);
	for (int i = 0; i < 20000; i++) {
		struct due *d = &nodes[(seed = seed * 1103515245 + 12345) / 65536 % N];

		if ((seed >> 9) % 3)
			due_set(&l, d, (seed >> 5) % 1000);
		else
			due_remove(&l, d);
		size_t in = 0;
		int64_t least = INT64_MAX;
		for (int k = 0; k < N; k++)
			if (nodes[k].place) {
				in++;
				least = nodes[k].at < least ? nodes[k].at : least;
			}
		assert_int_equal(in, l.n);
		assert_true(!in || due_first(&l)->at == least);
	}
	due_close(&l);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_due_first_comes_first) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
