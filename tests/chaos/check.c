/* SPDX-License-Identifier: MIT
 * check.c - judges a chaos run by what it left behind.
 *
 *   check SITE
 *
 * One line per invariant, `ok` or `BROKEN` with the evidence, and the closing line.  Exit 0: all hold. */
#include "tests/chaos/check/check.h"

int main(int argc, char **argv)
{
	static struct run r;

	if (argc != 2)
		die("usage: check SITE");
	run_read(&r, argv[1]);
	windows_make(&r);
	check_versions(&r);
	check_traffic(&r);
	check_orders(&r);
	check_settled(&r);
	check_moves(&r);
	check_house(&r);
	check_leases(&r);
	check_secrets(&r);
	check_outcomes(&r);
	int bad = findings_print(stdout);
	check_tally(&r, stdout);
	printf(bad ? ", %d invariants BROKEN\n" : ", every invariant held\n", bad);
	return bad ? 1 : 0;
}
