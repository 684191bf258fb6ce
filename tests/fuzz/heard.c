/* SPDX-License-Identifier: MIT
 * heard.c - any bytes that are published, or stand in the roster, are read within bounds, and what was read prints as what reads the same. */
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/buf.h"
#include "switchd/store/heard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 22 };

static void inside(const char *part, size_t n, const char *text, size_t len) { must(part >= text && n <= len && part + n <= text + len); }

static enum heard_kind event_print(struct buf *b, const char *text, size_t len)
{
	struct heard_event e;
	enum heard_kind kind = heard_event(text, len, &e);

	if (kind == HEARD_PUSH) {
		must(name_ok(e.service));
		inside(e.line, e.len, text, len);
		buf_addf(b, "push %s ", e.service);
		buf_add(b, e.line, e.len);
	} else if (kind == HEARD_BEAT) {
		buf_addf(b, "hb %" PRIu64 " %" PRIu64 " 0", e.gen, e.top);
	} else if (kind == HEARD_BYE) {
		buf_addf(b, "bye somebody");
	}
	return kind;
}

static void head_print(struct buf *b, const struct agent_seen *a)
{
	must(a->v.gen < UINT64_C(1) << 53 && a->v.epoch == 0 && a->seq < UINT64_C(1) << 53 && a->us >= 0 && a->us < INT64_C(1) << 53);
	must(name_ok(a->status) && !strchr(a->digest, ' ') && !strchr(a->version, ' '));
	buf_addf(b, "%" PRIu64 " %" PRIu64 " %" PRId64 " %s %s %s %s", a->v.gen, a->seq, a->us, a->status, a->digest, a->version, a->detail);
	for (const char *s = a->detail; *s; s++)
		must((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static bool report_print(struct buf *b, const char *text, size_t len)
{
	struct agent_seen a;
	struct heard_service s;
	const char *rest;
	size_t left;
	bool first;

	if (!heard_report(text, len, &a, &first, &rest, &left))
		return false;
	must(id_ok(a.name));
	inside(rest, left, text, len);
	buf_addf(b, "ak1 %s %d ", a.name, first);
	head_print(b, &a);
	for (size_t before = left; heard_service(&rest, &left, &s); before = left) {
		must(left < before);
		inside(rest, left, text, len);
		must(!s.all || !s.service[0]);
		if (s.all)
			buf_addf(b, "\n*");
		if (!s.service[0])
			continue;
		must(name_ok(s.service) && !memchr(s.json, '\n', s.len));
		inside(s.json, s.len, text, len);
		buf_addf(b, "\n%s ", s.service);
		buf_add(b, s.json, s.len);
	}
	must(left == 0);
	return true;
}

static void kept(const char *text)
{
	char again[64];
	const char *json, *same;
	int64_t us, us2;

	if (!heard_kept(text, &us, &json))
		return;
	must(us >= 0 && us < INT64_C(1) << 53);
	inside(json, strlen(json), text, strlen(text));
	TEXT_FORMAT(again, "%" PRId64 " x", us);
	must(heard_kept(again, &us2, &same) && us == us2 && strcmp(same, "x") == 0);
}

static void heads(const char *text, size_t len)
{
	struct agent_seen a;
	struct buf once = BUF_INIT(ROOM), twice = BUF_INIT(ROOM);

	if (heard_head(text, len, &a)) {
		head_print(&once, &a);
		must(heard_head(buf_str(&once), once.len, &a));
		head_print(&twice, &a);
		must(once.len == twice.len && strcmp(buf_str(&once), buf_str(&twice)) == 0);
	}
	buf_free(&once);
	buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = BUF_INIT(ROOM), twice = BUF_INIT(ROOM);
	char *text = xmalloc(size + 1), *exact = xmalloc(size);
	enum heard_kind kind;

	if (size)
		memcpy(exact, data, size); /* exactly so long: a read past the end is seen */
	memcpy(text, data, size);
	text[size] = '\0';
	if ((kind = event_print(&once, exact, size)) != HEARD_NOTHING) {
		must(event_print(&twice, buf_str(&once), once.len) == kind);
		must(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	}
	buf_free(&once);
	buf_free(&twice);
	if (report_print(&once, exact, size)) {
		must(report_print(&twice, buf_str(&once), once.len));
		must(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	}
	buf_free(&once);
	buf_free(&twice);
	heads(exact, size);
	kept(text);
	free(text);
	free(exact);
	return 0;
}
