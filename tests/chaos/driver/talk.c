/* SPDX-License-Identifier: MIT
 * talk.c - one question to a control socket, a stats socket or a redis-server. */
#include "tests/chaos/driver/driver.h"
#include "tests/chaos/wire.h"

bool talk(const char *where, const char *line, char *out, size_t size, long ms)
{
	size_t n;

	return wire_ask(where, line, strlen(line), out, size, &n, ms, NULL) == WIRE_OK;
}

bool talk_ok(const char *where, long ms, const char *fmt, ...)
{
	char line[1024], out[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	strncat(line, "\n", sizeof(line) - strlen(line) - 1);
	return talk(where, line, out, sizeof(out), ms) && strncmp(out, "ok", 2) == 0;
}

static size_t add(char *out, size_t size, size_t n, size_t argc, const char *const *argv)
{
	n += (size_t)snprintf(out + n, size - n, "*%zu\r\n", argc);
	for (size_t i = 0; i < argc; i++)
		n += (size_t)snprintf(out + n, size - n, "$%zu\r\n%s\r\n", strlen(argv[i]), argv[i]);
	return n;
}

/* AUTH, the command, QUIT: it closes after the last, so that the end of the answer is known. */
bool redis_ask(const char *which, char *out, size_t size, size_t argc, const char *const *argv)
{
	static __thread char ask[65536], got[1 << 20];
	const char *const auth[] = { "AUTH", site("redis_password") }, *const quit[] = { "QUIT" };
	size_t n = add(ask, sizeof(ask), 0, 2, auth), len;

	n = add(ask, sizeof(ask), n, argc, argv);
	n = add(ask, sizeof(ask), n, 1, quit);
	out[0] = '\0';
	enum wire how = wire_ask(site("%s_real", which), ask, n, got, sizeof(got), &len, 1000, NULL);
	char *after = strstr(got, "\r\n");
	if (!after || how != WIRE_OK)
		return false;
	snprintf(out, size, "%s", after + 2);
	char *tail = strstr(out, "+OK\r\n");
	for (char *t = tail; t; t = strstr(t + 1, "+OK\r\n"))
		tail = t;
	if (tail && strlen(tail) == 5)
		*tail = '\0';
	return true;
}

bool redis_do(const char *which, char *out, size_t size, const char *words)
{
	char text[2048], *save, *w;
	const char *argv[32];
	size_t n = 0;

	snprintf(text, sizeof(text), "%s", words);
	for (w = strtok_r(text, " ", &save); w && n < FAKE_LEN(argv); w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	return redis_ask(which, out, size, n, argv);
}
