/* SPDX-License-Identifier: MIT
 * shown.c - any bytes are a public record or are refused with a reason; what is believed prints as a line that reads the same. */
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/buf.h"
#include "switchd/core/shown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *or_none(const char *s) { return s[0] ? s : "-"; }

/* As the commit script writes it. */
static void line_print(struct buf *b, const struct shown *s)
{
	must(s->schema == 1 || s->schema == 2);
	must(s->value.slot == BLUE || s->value.slot == GREEN);
	must(s->value.v.gen && s->value.v.epoch && !s->value.pin && s->us >= 0);
	must(id_ok(s->cid) && (!s->release[0] || id_ok(s->release)) && (!s->condemned[0] || id_ok(s->condemned)));
	buf_addf(b, "sw%d %" PRIu64 " %" PRIu64 " %s ", s->schema, s->value.v.gen, s->value.v.epoch, slot_name(s->value.slot));
	if (s->schema == 2)
		buf_addf(b, "%s ", s->value.shield ? "shield" : "plain");
	buf_addf(b, "%s %s %" PRIu64 " %" PRId64 " ", or_none(s->release), s->cid, s->seq, s->us);
	if (s->schema == 2)
		buf_addf(b, "%s ", s->stamped ? "stamp" : move_mode_name(s->mode));
	else
		must(!s->value.shield && !s->stamped);
	buf_addf(b, "%s -", or_none(s->condemned));
	must(!b->full);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shown a, b, before;
	struct buf once = BUF_INIT(4096), twice = BUF_INIT(4096);
	const char *why = NULL;

	memset(&a, 7, sizeof(a));
	before = a;
	if (!shown_parse((const char *)data, size, &a, &why)) {
		must(why && why[0] && memcmp(&a, &before, sizeof(a)) == 0);
		return 0;
	}
	must(size <= SHOWN_TEXT_MAX && !why[0] && !a.service[0]);
	line_print(&once, &a);
	must(shown_parse(buf_str(&once), once.len, &b, &why));
	line_print(&twice, &b);
	must(strcmp(buf_str(&once), buf_str(&twice)) == 0);
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
