/* SPDX-License-Identifier: MIT
 * reply.c - any bytes of a server: the same replies come of them in one piece and in many, none is over its bound, and what reads
 * replies of any shape (a record, the condemned releases, a sentinel's answer) takes only what could be written again.
 *
 * The first byte is the size of the pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/buf.h"
#include "switchd/core/record.h"
#include "switchd/store/elsewhere.h"
#include "switchd/store/resp.h"
#include "switchd/store/resp_in.h"
#include "switchd/store/room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 4096, ROOM = 1 << 24 };

static void print(struct buf *b, const redisReply *r, size_t *bytes)
{
	buf_addf(b, "%d(", r->type);
	if (r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS || r->type == REDIS_REPLY_ERROR) {
		must(r->str[r->len] == '\0');
		buf_add(b, r->str, r->len);
		*bytes += r->len;
	} else if (r->type == REDIS_REPLY_INTEGER) {
		buf_addf(b, "%lld", r->integer);
	} else if (r->type == REDIS_REPLY_ARRAY) {
		must(r->elements <= RESP_ELEMENTS_MAX);
		for (size_t i = 0; i < r->elements; i++)
			print(b, r->element[i], bytes);
	}
	buf_adds(b, ")");
}

static void record_of(const redisReply *r)
{
	static struct record rec;
	static struct condemned_set set;
	char why[256] = "";
	enum decoded d = load_record(r, &rec, why, sizeof(why));

	must(d != DEC_BAD || why[0]);
	if (d == DEC_OK) {
		json_t *j = record_json(&rec);

		must(j && rec.v.gen && id_ok(rec.cid));
		json_decref(j);
	}
	why[0] = '\0';
	if (!load_condemned(r, &set, why, sizeof(why)))
		must(why[0] && set.n == 0);
	must(set.n <= MAX_CONDEMNED);
}

static void read_all(const redisReply *r)
{
	struct elsewhere e;
	char said[32];
	uint64_t n;

	record_of(r);
	if (elsewhere_answered(r, &e))
		must(e.host[0] && e.port);
	for (size_t i = 0; i < 4; i++) {
		must(strcmp(resp_text(r, i), reply_text(r, i)) == 0);
		must(!reply_u64(r, i, &n) || reply_text(r, i)[0]);
	}
	must(!reply_is_answer(r, 2) || r->elements >= 2);
	resp_said(r, said, sizeof(said));
	for (const char *s = said; *s; s++)
		must((unsigned char)*s >= 0x20 && *s != 0x7f);
}

/* What comes of it, as text, when it is fed so many bytes at a time. */
static void replies(const char *text, size_t size, size_t piece, struct buf *out)
{
	enum resp_got got = RESP_NONE;
	struct resp_in in;
	redisReply *r;
	char why[160];

	resp_in_open(&in, MOST);
	for (size_t at = 0; at < size && got != RESP_BROKEN; at += piece) {
		must(resp_in_feed(&in, text + at, size - at < piece ? size - at : piece));
		while ((got = resp_in_next(&in, &r, why)) == RESP_ONE) {
			size_t bytes = 0;

			print(out, r, &bytes);
			must(bytes <= MOST);
			if (piece == size)
				read_all(r);
			freeReplyObject(r);
		}
	}
	buf_adds(out, got == RESP_BROKEN ? "!" : resp_in_more(&in) ? "+" : ".");
	must(got != RESP_BROKEN || why[0]);
	resp_in_close(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT(ROOM), pieces = BUF_INIT(ROOM);

	if (size < 2)
		return 0;
	replies((const char *)data + 1, size - 1, size - 1, &whole);
	replies((const char *)data + 1, size - 1, data[0] % 64 + 1, &pieces);
	must(!whole.full && whole.len == pieces.len && memcmp(whole.data, pieces.data, whole.len) == 0);
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
