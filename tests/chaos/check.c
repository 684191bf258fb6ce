/* SPDX-License-Identifier: MIT
 * check.c - judges a chaos run by what it left behind.
 *
 *   check SITE [LEAST]      LEAST: with fewer faults or flips than that the run proves too little
 *
 * One line per invariant, `ok` or `BROKEN` with the evidence, and the closing line.  Exit 0: all hold; 1: not, or too little happened. */
#include "tests/chaos/check/check.h"

int main(int argc, char **argv)
{
	static struct run r;

	if (argc != 2 && argc != 3)
		die("usage: check SITE [LEAST]");
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
	bool enough = check_tally(&r, argc == 3 ? strtol(argv[2], NULL, 10) : 0, stdout);
	printf(bad ? ", %d invariants BROKEN" : ", every invariant held", bad);
	printf(enough ? "\n" : ", and TOO LITTLE happened: %s of each are wanted\n", argc == 3 ? argv[2] : "");
	return bad || !enough ? 1 : 0;
}
