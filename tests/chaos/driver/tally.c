/* SPDX-License-Identifier: MIT
 * tally.c - how often traffic was moved so far, as the archives tell it. */
#include <dirent.h>

#include "tests/chaos/driver/driver.h"
#include "tests/chaos/moves.h"

static long moves_of(const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL, with[64];
	size_t cap = 0;
	long n = 0;

	while (f && getline(&line, &cap, f) >= 0)
		for (size_t i = 0; i < FAKE_LEN(moves_of_traffic); i++) {
			snprintf(with, sizeof(with), "\"kind\":\"%s\"", moves_of_traffic[i].kind);
			n += strstr(line, with) != NULL;
		}
	free(line);
	if (f)
		fclose(f);
	return n;
}

long tally_moves(void)
{
	char dir[1200], path[1600];
	long most = 0;

	/* Each archive has all that its controller heard of: the one that heard most is nearest. */
	for (int i = 1; i <= rig.n_controllers; i++) {
		long n = 0;

		snprintf(dir, sizeof(dir), "%s/state%d/archive", rig.dir, i);
		DIR *d = opendir(dir);
		for (struct dirent *e; d && (e = readdir(d));)
			if (e->d_name[0] != '.') {
				snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
				n += moves_of(path);
			}
		if (d)
			closedir(d);
		most = n > most ? n : most;
	}
	return most;
}
