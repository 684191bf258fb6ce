/* SPDX-License-Identifier: MIT
 * elsewhere.c - a host and a port, out of three forms of text. */
#include "switchd/store/elsewhere.h"

#include <string.h>

#include "switchd/base/text.h"
#include "switchd/store/resp.h"

static bool host_ok(const char *s)
{
	for (const char *c = s; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("/\"\\", *c))
			return false;
	return s[0];
}

static bool port_parse(const char *s, uint16_t *out)
{
	uint64_t n;

	if (!text_u64(s, &n) || n == 0 || n > 65535)
		return false;
	*out = (uint16_t)n;
	return true;
}

bool elsewhere_moved(const char *error, struct elsewhere *out)
{
	struct elsewhere e;
	const char *node = text_starts(error, "MOVED ") ? strchr(error + 6, ' ') : NULL, *port = node ? strrchr(++node, ':') : NULL;

	if (!port || !text_copy_n(e.host, sizeof(e.host), node, (size_t)(port - node)) || (e.host[0] && !host_ok(e.host)) ||
	    !port_parse(port + 1, &e.port))
		return false;
	*out = e;
	return true;
}

bool elsewhere_answered(const redisReply *r, struct elsewhere *out)
{
	struct elsewhere e;

	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 || !TEXT_COPY(e.host, resp_text(r, 0)) || !host_ok(e.host) ||
	    !port_parse(resp_text(r, 1), &e.port))
		return false;
	*out = e;
	return true;
}

bool elsewhere_announced(const char *text, size_t len, const char *master, struct elsewhere *to)
{
	struct elsewhere from, e;
	struct { char *at; size_t size; } words[] = { { from.host, sizeof(from.host) }, { (char[8]){ 0 }, 8 }, { e.host, sizeof(e.host) }, { (char[8]){ 0 }, 8 } };
	size_t n = strlen(master);

	if (memchr(text, '\0', len) || len < n || memcmp(text, master, n) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (n >= len || text[n] != ' ')
			return false;
		const char *begin = text + n + 1, *end = memchr(begin, ' ', len - n - 1);
		size_t size = end ? (size_t)(end - begin) : len - n - 1;

		if (!text_copy_n(words[i].at, words[i].size, begin, size))
			return false;
		n += 1 + size;
	}
	if (n != len || !host_ok(from.host) || !port_parse(words[1].at, &from.port) || !host_ok(e.host) || !port_parse(words[3].at, &e.port))
		return false;
	*to = e;
	return true;
}
