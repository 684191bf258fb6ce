/* SPDX-License-Identifier: MIT
 * say.c - the driver's log: US, word, key=value..., parted by tabs. */
#include "tests/chaos/driver/driver.h"

static FILE *out;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void say_open(const char *path)
{
	out = fopen(path, "a");
	if (!out)
		die("%s: %s", path, strerror(errno));
	setvbuf(out, NULL, _IOLBF, 0);
}

void say_close(void)
{
	fclose(out);
	out = NULL;
}

void say(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		die("out of memory");
	va_end(ap);
	for (char *p = text; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	/* The time is taken inside: lines stand in the order of their times. */
	pthread_mutex_lock(&lock);
	if (out)
		fprintf(out, "%lld\t%s\n", (long long)now_us(), text);
	pthread_mutex_unlock(&lock);
	free(text);
}
