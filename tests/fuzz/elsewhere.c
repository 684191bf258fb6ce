/* SPDX-License-Identifier: MIT
 * elsewhere.c - whatever a sentinel or a node of a cluster says names a server that can be resolved and shown, or none. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/store/elsewhere.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct elsewhere untouched = { "untouched", 7 };

static bool same(const struct elsewhere *a, const struct elsewhere *b) { return a->port == b->port && strcmp(a->host, b->host) == 0; }

static void is_server(const struct elsewhere *e, bool nameless)
{
	must(e->port && strlen(e->host) < sizeof(e->host) && (nameless || e->host[0]));
	for (const char *s = e->host; *s; s++)
		must(*s > ' ' && *s < 0x7f && !strchr("/\"\\", *s));
}

static void moved(const char *text)
{
	struct elsewhere e = untouched, again;
	char line[400];

	if (!elsewhere_moved(text, &e)) {
		must(same(&e, &untouched));
		return;
	}
	is_server(&e, true);
	TEXT_FORMAT(line, "MOVED 7 %s:%u", e.host, e.port);
	must(elsewhere_moved(line, &again) && same(&e, &again));
}

static void announced(const char *text, size_t len)
{
	struct elsewhere e = untouched, again;
	char line[700];

	if (!elsewhere_announced(text, len, "mymaster", &e)) {
		must(same(&e, &untouched));
		return;
	}
	is_server(&e, false);
	TEXT_FORMAT(line, "mymaster 10.0.0.1 6379 %s %u", e.host, e.port);
	must(elsewhere_announced(line, strlen(line), "mymaster", &again) && same(&e, &again));
}

/* Two lines: host and port. */
static void answered(char *text, size_t len)
{
	struct elsewhere e = untouched;
	char *line = memchr(text, '\n', len);
	redisReply host = { .type = REDIS_REPLY_STRING, .str = text, .len = line ? (size_t)(line - text) : len };
	redisReply port = { .type = REDIS_REPLY_STRING, .str = line ? line + 1 : text + len, .len = line ? (size_t)(text + len - line - 1) : 0 };
	redisReply r = { .type = REDIS_REPLY_ARRAY, .elements = 2, .element = (redisReply *[]){ &host, &port } };

	if (line)
		*line = '\0';
	if (!elsewhere_answered(&r, &e)) {
		must(same(&e, &untouched));
		return;
	}
	is_server(&e, false);
	must(host.len == strlen(host.str) && strcmp(e.host, host.str) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xmalloc(size + 1), *exact = xmalloc(size);

	if (size)
		memcpy(exact, data, size); /* exactly so long: a read past the end is seen */
	memcpy(text, data, size);
	text[size] = '\0';
	moved(text);
	announced(exact, size);
	answered(text, size);
	free(text);
	free(exact);
	return 0;
}
