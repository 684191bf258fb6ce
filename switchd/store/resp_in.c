/* SPDX-License-Identifier: MIT
 * resp_in.c - hiredis's reader, and what one reply may cost. */
#include "switchd/store/resp_in.h"

#include <string.h>

#include "switchd/base/text.h"
#include "switchd/store/resp.h"

/* An array is allocated when its header is read, so its size is judged there, not after. */
#if HIREDIS_MAJOR < 1
static redisReplyObjectFunctions functions;
static void *(*plain_array)(const redisReadTask *, int);

static void *small_array(const redisReadTask *task, int n)
{
	return n > RESP_ELEMENTS_MAX ? NULL : plain_array(task, n);
}

static void limit_arrays(redisReader *r)
{
	if (!plain_array) {
		functions = *r->fn;
		plain_array = functions.createArray;
		functions.createArray = small_array;
	}
	r->fn = &functions;
}
#else
static void limit_arrays(redisReader *r) { r->maxelements = RESP_ELEMENTS_MAX; }
#endif

void resp_in_open(struct resp_in *in, size_t reply_max)
{
	*in = (struct resp_in){ .reader = redisReaderCreate(), .max = reply_max };
	must(in->reader != NULL);
	limit_arrays(in->reader);
}

void resp_in_close(struct resp_in *in)
{
	redisReaderFree(in->reader);
	in->reader = NULL;
}

bool resp_in_feed(struct resp_in *in, const char *data, size_t n)
{
	in->unanswered += n;
	return redisReaderFeed(in->reader, data, n) == REDIS_OK;
}

bool resp_in_more(const struct resp_in *in) { return in->reader->pos < in->reader->len; }

enum resp_got resp_in_next(struct resp_in *in, redisReply **reply, char why[160])
{
	void *got;

	if (redisReaderGetReply(in->reader, &got) != REDIS_OK) {
		text_printable(why, 160, in->reader->errstr, strlen(in->reader->errstr));
		return RESP_BROKEN;
	}
	/* Its own bytes: what came behind it in the same piece is not its fault. */
	size_t rest = got ? in->reader->len - in->reader->pos : 0;

	if (in->unanswered - rest > in->max) {
		if (got)
			freeReplyObject(got);
		text_format(why, 160, in->max >= 1 << 20 ? "a reply of over %zu MiB" : "a reply of over %zu KiB",
			    in->max >= 1 << 20 ? in->max >> 20 : in->max >> 10);
		return RESP_BROKEN;
	}
	*reply = got;
	if (!got)
		return RESP_NONE;
	in->unanswered = rest; /* counted by us: hiredis frees its buffer as it builds a reply */
	return RESP_ONE;
}
