/* SPDX-License-Identifier: MIT
 * tests/fuzz/support/replay.c - feeds files to a fuzz target without libFuzzer: replay FILE|FOLDER...
 *
 * Each input is a copy of its exact length, so that a sanitizer sees a read past its end. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "switchd/base/must.h"

enum { INPUT_MAX = 4 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t fed;

static void feed(const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = xmalloc(size);

	must(size <= INPUT_MAX);
	if (!f || fread(data, 1, size, f) != size) {
		fprintf(stderr, "replay: cannot read %s\n", path);
		exit(2);
	}
	fclose(f);
	fprintf(stderr, "%s\n", path);  /* the last one named is the one that failed */
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	fed++;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void walk(const char *path)
{
	char *names[4096], whole[4096];
	size_t n = 0;
	struct stat st;
	DIR *d;
	struct dirent *e;

	if (stat(path, &st) != 0) {
		fprintf(stderr, "replay: no %s\n", path);
		exit(2);
	}
	if (!S_ISDIR(st.st_mode)) {
		feed(path, (size_t)st.st_size);
		return;
	}
	must((d = opendir(path)) != NULL);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			must(n < ARRAY_LEN(names));
			names[n++] = xstrdup(e->d_name);
		}
	closedir(d);
	qsort(names, n, sizeof(names[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		must((size_t)snprintf(whole, sizeof(whole), "%s/%s", path, names[i]) < sizeof(whole));
		free(names[i]);
		walk(whole);
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		walk(argv[i]);
	(void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	if (!fed) {
		fprintf(stderr, "replay: nothing to feed\n");
		return 1;
	}
	printf("%zu inputs\n", fed);
	return 0;
}
